/*
 * A blocking HTTP client over libcurl, for one server and with a bearer token.
 *
 * A token is a password: it goes over https, or over http to this machine alone. Redirects are not
 * followed, proxies not asked, answers bounded. One thread at a time.
 */
#ifndef SERIN_ADAPTERS_HTTP_CLIENT_H
#define SERIN_ADAPTERS_HTTP_CLIENT_H

#include <serin/error.h>

#include <stddef.h>
#include <stdint.h>

#define SERIN_HTTP_CLIENT_ANSWER_MAX (64u * 1024u * 1024u) /* bytes */
#define SERIN_HTTP_CLIENT_WHY_SIZE   512u

struct serin_http_client; /* opaque */

struct serin_http_client_why {
    char text[SERIN_HTTP_CLIENT_WHY_SIZE]; /* a sentence after an error, else "" */
};

struct serin_http_client_request {
    const char *method; /* "GET", "PUT", "POST" */
    const char *path;   /* from the first "/", query included; the caller has encoded it */
    const char *content_type;
    const void *body; /* NULL: none */
    size_t body_size;
    /* Told how much of the body is sent, from 0 to `body_size`, many times; may be NULL. */
    void (*progress)(void *ctx, uint64_t sent, uint64_t size);
    void *progress_ctx;
};

struct serin_http_client_answer {
    unsigned status; /* 100 .. 599 */
    char *body;      /* terminated, never NULL; the caller frees it with free() */
    size_t body_size;
};

/* `server` is "http://host:port" or "https://host:port"; `token` may be NULL. Both are copied.
 * SERIN_ERR_CONFIG: not such a server, or a token over http to another machine, or a token with
 * control characters. SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serin_http_client_open(struct serin_http_client **client,
                                                       const char *server, const char *token,
                                                       struct serin_http_client_why *why);
void serin_http_client_close(struct serin_http_client *client); /* NULL is fine */

/* Asks and waits for the answer, whatever its status. SERIN_ERR_NETWORK (cannot be reached, or the
 * connection broke), SERIN_ERR_TIMEOUT (nothing moved for 30 s), SERIN_ERR_TOO_LARGE (the answer),
 * SERIN_ERR_MEMORY; `answer` is then empty and needs no free. The client can be used again. */
SERIN_MUST_USE enum serin_error
serin_http_client_ask(struct serin_http_client *client,
                      const struct serin_http_client_request *request,
                      struct serin_http_client_answer *answer, struct serin_http_client_why *why);

#endif
