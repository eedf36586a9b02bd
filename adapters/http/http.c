/*
 * The HTTP server (serin/adapters/http.h): libmicrohttpd with an epoll descriptor that the owner
 * polls.
 *
 * The library calls `on_request` once when the head of a request is there, then for each part of
 * the body, then once more to be answered. An answer can be queued in the first call or the last,
 * not between: a body that grows past its limit is drained (or the connection dropped, once it is
 * twice too long) and refused at the end.
 */
#define _GNU_SOURCE
#include <serin/adapters/http.h>

#include "listen.h"

#include <serin/bytes.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UPLOAD_DIR_MAX 4096u

struct serin_http {
    struct MHD_Daemon *daemon;
    int epoll_fd;
    struct serin_http_handler handler;
    size_t token_size;
    uint8_t token[SERIN_HTTP_TOKEN_MAX]; /* padded with zeros */
    char upload_dir[UPLOAD_DIR_MAX];
    char address[SERIN_HTTP_ADDRESS_SIZE];
};

/* One request on its way. */
struct exchange {
    struct serin_http_intake intake;
    char *body; /* terminated */
    size_t body_size, body_capacity;
    int file;
    uint64_t file_size;
    enum serin_error error; /* why the body could not be taken */
};

/* Compares in time that depends on neither text, so that a token cannot be guessed byte by byte. */
static bool token_fits(const struct serin_http *http, const char *header)
{
    static const char scheme[] = "Bearer ";
    if (header == NULL || strncmp(header, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    const char *given = header + sizeof scheme - 1;
    uint8_t padded[SERIN_HTTP_TOKEN_MAX] = {0};
    size_t size = strnlen(given, sizeof padded + 1);
    memcpy(padded, given, size < sizeof padded ? size : sizeof padded);
    bool same = serin_bytes_equal(padded, http->token, sizeof padded);
    return same & (size == http->token_size);
}

static enum serin_http_method method_of(const char *method)
{
    static const struct {
        const char *text;
        enum serin_http_method method;
    } known[] = {{"GET", SERIN_HTTP_GET}, {"PUT", SERIN_HTTP_PUT}, {"POST", SERIN_HTTP_POST}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(method, known[i].text) == 0) {
            return known[i].method;
        }
    }
    return SERIN_HTTP_OTHER;
}

static enum MHD_Result answer(struct MHD_Connection *connection,
                              const struct serin_http_response *response)
{
    struct MHD_Response *made =
        MHD_create_response_from_buffer(response->body_size, response->body, MHD_RESPMEM_MUST_FREE);
    if (made == NULL) {
        free(response->body);
        return MHD_NO;
    }
    (void)MHD_add_response_header(made, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    (void)MHD_add_response_header(made, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (response->status == MHD_HTTP_UNAUTHORIZED) {
        (void)MHD_add_response_header(made, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    }
    enum MHD_Result result = MHD_queue_response(connection, response->status, made);
    MHD_destroy_response(made);
    return result;
}

static enum MHD_Result refuse(const struct serin_http *http, struct MHD_Connection *connection,
                              unsigned status, enum serin_error error, const char *message)
{
    struct serin_http_response response = {.status = status};
    response.body = http->handler.error_body(http->handler.ctx, error, message);
    response.body_size = response.body != NULL ? strlen(response.body) : 0;
    return answer(connection, &response);
}

static enum MHD_Result refuse_body(const struct serin_http *http, struct MHD_Connection *connection,
                                   const struct exchange *exchange)
{
    switch ((int)exchange->error) {
    case SERIN_ERR_TOO_LARGE: {
        char message[96];
        (void)snprintf(message, sizeof message, "the body is larger than its limit of %llu bytes",
                       (unsigned long long)exchange->intake.size_max);
        return refuse(http, connection, MHD_HTTP_CONTENT_TOO_LARGE, exchange->error, message);
    }
    case SERIN_ERR_NO_SPACE:
        return refuse(http, connection, MHD_HTTP_INSUFFICIENT_STORAGE, exchange->error,
                      "there is no room left on the server for the upload");
    default:
        return refuse(http, connection, MHD_HTTP_INTERNAL_SERVER_ERROR, exchange->error,
                      "the body could not be taken");
    }
}

/* Keeps a part of a body in memory; the buffer always has room for a terminator. */
static enum serin_error keep_in_memory(struct exchange *exchange, const char *data, size_t size)
{
    size_t needed = exchange->body_size + size + 1;
    if (needed > exchange->body_capacity) {
        size_t capacity = needed < 4096 ? 4096 : needed * 2;
        char *grown = realloc(exchange->body, capacity);
        if (grown == NULL) {
            return SERIN_ERR_MEMORY;
        }
        exchange->body = grown;
        exchange->body_capacity = capacity;
    }
    memcpy(exchange->body + exchange->body_size, data, size);
    exchange->body_size += size;
    exchange->body[exchange->body_size] = '\0';
    return SERIN_OK;
}

static enum serin_error keep_in_file(struct exchange *exchange, const char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t written = write(exchange->file, data + done, size - done);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? SERIN_ERR_NO_SPACE
                                                                        : SERIN_ERR_IO;
        }
        done += (size_t)written;
    }
    exchange->file_size += size;
    return SERIN_OK;
}

/* Takes a part of the body. False: so much over the limit that the connection should be dropped. */
static bool take_body(struct exchange *exchange, const char *data, size_t size)
{
    uint64_t had = exchange->intake.to_file ? exchange->file_size : exchange->body_size;
    if (exchange->error == SERIN_OK && size > exchange->intake.size_max - had) {
        exchange->error = SERIN_ERR_TOO_LARGE;
        exchange->file_size = 0;
    }
    if (exchange->error != SERIN_OK) {
        exchange->file_size += size;
        return exchange->file_size <= exchange->intake.size_max;
    }
    exchange->error = exchange->intake.to_file ? keep_in_file(exchange, data, size)
                                               : keep_in_memory(exchange, data, size);
    return true;
}

static void exchange_free(struct exchange *exchange)
{
    if (exchange != NULL) {
        if (exchange->file >= 0) {
            (void)close(exchange->file);
        }
        free(exchange->body);
        free(exchange);
    }
}

/* A file without a name, so that nothing is left of it after a crash. Where the file system has no
 * such files it gets a name for a moment. */
static int open_unnamed(const char *dir)
{
    int file = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) {
        return file;
    }
    char path[UPLOAD_DIR_MAX + sizeof "/upload-XXXXXX"];
    (void)snprintf(path, sizeof path, "%s/upload-XXXXXX", dir);
    file = mkostemp(path, O_CLOEXEC);
    if (file >= 0) {
        (void)unlink(path);
    }
    return file;
}

/* The head of a request is there: checks the token and the announced size, and makes room for the
 * body. */
static enum MHD_Result begin(struct serin_http *http, struct MHD_Connection *connection,
                             const char *path, const char *method, void **state)
{
    const char *token =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    if (!token_fits(http, token)) {
        return refuse(http, connection, MHD_HTTP_UNAUTHORIZED, SERIN_ERR_DENIED,
                      "the bearer token is missing or wrong");
    }
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL) {
        return MHD_NO;
    }
    *state = exchange; /* freed in on_completed from here on */
    exchange->file = -1;
    exchange->intake = http->handler.accept(http->handler.ctx, method_of(method), path);
    if (!exchange->intake.to_file && exchange->intake.size_max > SERIN_HTTP_BODY_MAX) {
        exchange->intake.size_max = SERIN_HTTP_BODY_MAX;
    }
    const char *announced =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (announced != NULL && strtoull(announced, NULL, 10) > exchange->intake.size_max) {
        exchange->error = SERIN_ERR_TOO_LARGE;
        return refuse_body(http, connection, exchange);
    }
    if (exchange->intake.to_file) {
        exchange->file = open_unnamed(http->upload_dir);
        if (exchange->file < 0) {
            exchange->error = errno == ENOSPC ? SERIN_ERR_NO_SPACE : SERIN_ERR_IO;
            return refuse_body(http, connection, exchange);
        }
    }
    return MHD_YES;
}

static enum MHD_Result finish(struct serin_http *http, struct MHD_Connection *connection,
                              const char *path, const char *method, struct exchange *exchange)
{
    if (exchange->error == SERIN_OK && exchange->file >= 0 &&
        lseek(exchange->file, 0, SEEK_SET) != 0) {
        exchange->error = SERIN_ERR_IO;
    }
    if (exchange->error != SERIN_OK) {
        return refuse_body(http, connection, exchange);
    }
    const struct serin_http_request request = {
        .method = method_of(method),
        .path = path,
        .body = exchange->body != NULL ? exchange->body : "",
        .body_size = exchange->body_size,
        .body_file = exchange->file,
        .body_file_size = exchange->file_size,
        .connection = connection,
    };
    struct serin_http_response response = {.status = 0};
    http->handler.handle(http->handler.ctx, &request, &response);
    assert(response.status >= 200 && response.status < 600);
    return answer(connection, &response);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **state)
{
    (void)version;
    struct serin_http *http = cls;
    struct exchange *exchange = *state;
    if (exchange == NULL) {
        return begin(http, connection, path, method, state);
    }
    if (*data_size > 0) {
        bool go_on = take_body(exchange, data, *data_size);
        *data_size = 0;
        return go_on ? MHD_YES : MHD_NO;
    }
    return finish(http, connection, path, method, exchange);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    (void)cls;
    (void)connection;
    (void)code;
    exchange_free(*state);
    *state = NULL;
}

/* Starts the library on a listening socket, which it owns from then on. */
static bool start(struct serin_http *http, int listener, const struct serin_http_config *config)
{
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET, listener,
        MHD_OPTION_CONNECTION_LIMIT, config->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
        config->idle_timeout_s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    if (http->daemon == NULL) {
        return false;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    http->epoll_fd = info != NULL ? info->epoll_fd : -1;
    return http->epoll_fd >= 0;
}

enum serin_error serin_http_open(struct serin_http **http, const struct serin_http_config *config,
                                 const struct serin_http_handler *handler, char *why,
                                 size_t why_size)
{
    *http = NULL;
    size_t token_size = strlen(config->token);
    if (token_size < 16 || token_size > SERIN_HTTP_TOKEN_MAX) {
        (void)snprintf(why, why_size, "the API token must have 16 to %zu characters",
                       SERIN_HTTP_TOKEN_MAX);
        return SERIN_ERR_CONFIG;
    }
    struct serin_http *made = calloc(1, sizeof *made);
    if (made == NULL) {
        (void)snprintf(why, why_size, "memory is exhausted");
        return SERIN_ERR_MEMORY;
    }
    made->handler = *handler;
    made->token_size = token_size;
    memcpy(made->token, config->token, token_size);
    enum serin_error error = SERIN_OK;
    int listener = -1;
    if (serin_text_copy(made->upload_dir, sizeof made->upload_dir, config->upload_dir) !=
        SERIN_OK) {
        (void)snprintf(why, why_size, "the path of the upload folder is too long");
        error = SERIN_ERR_CONFIG;
    } else {
        error = serin_http_listen(config->listen, &listener, made->address, why, why_size);
    }
    if (error == SERIN_OK && !start(made, listener, config)) {
        (void)snprintf(why, why_size, "the HTTP server did not start");
        error = SERIN_ERR_NETWORK;
    }
    if (error != SERIN_OK) {
        if (made->daemon == NULL && listener >= 0) {
            (void)close(listener);
        }
        serin_http_close(made);
        return error;
    }
    *http = made;
    return SERIN_OK;
}

void serin_http_close(struct serin_http *http)
{
    if (http != NULL) {
        if (http->daemon != NULL) {
            MHD_stop_daemon(http->daemon);
        }
        free(http);
    }
}

const char *serin_http_address(const struct serin_http *http)
{
    return http->address;
}

int serin_http_fd(const struct serin_http *http)
{
    return http->epoll_fd;
}

int serin_http_timeout_ms(const struct serin_http *http)
{
    MHD_UNSIGNED_LONG_LONG timeout = 0;
    if (MHD_get_timeout(http->daemon, &timeout) != MHD_YES) {
        return -1;
    }
    return timeout > 60000 ? 60000 : (int)timeout;
}

void serin_http_run(struct serin_http *http)
{
    (void)MHD_run(http->daemon);
}

const char *serin_http_query(const struct serin_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

struct known {
    const char *const *list;
    size_t count;
    const char *other;
};

static enum MHD_Result look(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct known *known = arg;
    (void)kind, (void)value;
    for (size_t i = 0; i < known->count && known->list[i] != NULL; i++) {
        if (strcmp(known->list[i], name) == 0) {
            return MHD_YES;
        }
    }
    known->other = name;
    return MHD_NO;
}

const char *serin_http_query_other(const struct serin_http_request *request,
                                   const char *const *known, size_t count)
{
    struct known arg = {.list = known, .count = count};
    (void)MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, look, &arg);
    return arg.other;
}
