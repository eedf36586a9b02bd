/*
 * A small HTTP server over libmicrohttpd, without threads of its own.
 *
 * The owner polls serin_http_fd for reading, waits at most serin_http_timeout_ms, then calls
 * serin_http_run; the handler runs inside that call, in the owner's thread. Every request must
 * carry "Authorization: Bearer <token>"; requests without it never reach the handler. Bodies are
 * bounded: a small one is held in memory, a large one (where `accept` says so) goes to a temporary
 * file that has no name and vanishes with the request.
 */
#ifndef SERIN_ADAPTERS_HTTP_H
#define SERIN_ADAPTERS_HTTP_H

#include <serin/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIN_HTTP_BODY_MAX  ((size_t)256 * 1024) /* bytes of a body held in memory */
#define SERIN_HTTP_TOKEN_MAX ((size_t)128)        /* characters of a token */

struct serin_http; /* opaque */

enum serin_http_method { SERIN_HTTP_OTHER, SERIN_HTTP_GET, SERIN_HTTP_PUT, SERIN_HTTP_POST };

/* A request whose body is complete; valid during the call of the handler. */
struct serin_http_request {
    enum serin_http_method method;
    const char *path; /* decoded, without the query */
    const char *body; /* terminated; "" without one or where it is in a file */
    size_t body_size;
    int body_file; /* open for reading at its start, or -1; the adapter closes it */
    uint64_t body_file_size;
    void *connection; /* private to the adapter */
};

/* What to answer. `body` was allocated with malloc() and is taken over; NULL: an empty body. */
struct serin_http_response {
    unsigned status; /* 200 .. 599 */
    char *body;
    size_t body_size;
};

/* How large a body may be, and where it goes. */
struct serin_http_intake {
    uint64_t size_max;
    bool to_file;
};

struct serin_http_handler {
    /* Asked before the body is read. Without `to_file` no more than SERIN_HTTP_BODY_MAX is taken,
     * whatever is said. */
    struct serin_http_intake (*accept)(void *ctx, enum serin_http_method method, const char *path);
    /* Answers; must fill in `response`. */
    void (*handle)(void *ctx, const struct serin_http_request *request,
                   struct serin_http_response *response);
    /* Makes the JSON body of an error that the adapter found itself: malloc'd, or NULL. */
    char *(*error_body)(void *ctx, enum serin_error error, const char *message);
    void *ctx;
};

struct serin_http_config {
    const char *listen;     /* "127.0.0.1:8470", "[::1]:8470"; port 0 takes a free one */
    const char *token;      /* 16 .. SERIN_HTTP_TOKEN_MAX characters; copied */
    const char *upload_dir; /* where temporary files go; copied */
    unsigned connections_max;
    unsigned idle_timeout_s;
};

/* Whether `listen` is a loopback address with a port, as serin_http_open takes it. */
bool serin_http_listen_valid(const char *listen);

/* Listens. SERIN_ERR_CONFIG: `listen` is no loopback address with a port, or the token is too short
 * or too long. SERIN_ERR_NETWORK: the address cannot be listened on. SERIN_ERR_MEMORY. After an
 * error `why` (of `why_size` bytes) is a sentence, and *http is NULL. */
SERIN_MUST_USE enum serin_error serin_http_open(struct serin_http **http,
                                                const struct serin_http_config *config,
                                                const struct serin_http_handler *handler, char *why,
                                                size_t why_size);
void serin_http_close(struct serin_http *http); /* drops open connections; NULL is fine */

/* The address that is listened on, with the real port ("127.0.0.1:40123"). */
const char *serin_http_address(const struct serin_http *http);

int serin_http_fd(const struct serin_http *http);
int serin_http_timeout_ms(const struct serin_http *http); /* -1: none */
void serin_http_run(struct serin_http *http);

/* The value of a query parameter, decoded, or NULL. Valid during the call of the handler. */
const char *serin_http_query(const struct serin_http_request *request, const char *name);

/* The name of a query parameter that is not one of the `count` known ones, or NULL: there is none.
 * A NULL ends the list early. Valid during the call of the handler. */
const char *serin_http_query_other(const struct serin_http_request *request,
                                   const char *const *known, size_t count);

#endif
