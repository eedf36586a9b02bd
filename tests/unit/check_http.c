/*
 * The HTTP server, driven by a plain socket from a thread: the token is asked for first, bodies
 * keep to their limits and go where they should, only loopback is listened on.
 */
#define _GNU_SOURCE
#include "check_main.h"

#include <serin/adapters/http.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define TOKEN "0123456789abcdef0123456789abcdef"
#define AUTH  "Connection: close\r\nAuthorization: Bearer " TOKEN "\r\n"

/* What the handler saw last. */
struct seen {
    unsigned calls;
    enum serin_http_method method;
    char path[64];
    char body[4096];
    size_t body_size;
    bool in_file;
    uint64_t file_size;
    char query[64], other[64];
};

struct exchange {
    uint16_t port;
    const char *request;
    size_t request_size;
    char answer[8192];
    atomic_bool done;
};

static struct serin_http_intake take(void *ctx, enum serin_http_method method, const char *path)
{
    (void)ctx;
    bool file = method == SERIN_HTTP_PUT && strcmp(path, "/file") == 0;
    return (struct serin_http_intake){.size_max = file ? 10000 : 100, .to_file = file};
}

static void handle(void *ctx, const struct serin_http_request *request,
                   struct serin_http_response *response)
{
    struct seen *seen = ctx;
    seen->calls++;
    seen->method = request->method;
    (void)snprintf(seen->path, sizeof seen->path, "%s", request->path);
    seen->in_file = request->body_file >= 0;
    seen->file_size = request->body_file_size;
    seen->body_size = seen->in_file
                          ? (size_t)read(request->body_file, seen->body, sizeof seen->body - 1)
                          : request->body_size;
    if (!seen->in_file) {
        ck_assert_uint_lt(request->body_size, sizeof seen->body);
        memcpy(seen->body, request->body, request->body_size + 1);
    }
    const char *query = serin_http_query(request, "name");
    (void)snprintf(seen->query, sizeof seen->query, "%s", query != NULL ? query : "(none)");
    static const char *const known[] = {"name", "limit", NULL, "behind"};
    const char *other = serin_http_query_other(request, known, 4);
    (void)snprintf(seen->other, sizeof seen->other, "%s", other != NULL ? other : "(none)");
    response->status = 200;
    response->body = strdup("{\"ok\":true}");
    response->body_size = strlen(response->body);
}

static char *error_body(void *ctx, enum serin_error error, const char *message)
{
    (void)ctx;
    char *text = NULL;
    ck_assert_int_gt(asprintf(&text, "%s|%s", serin_error_name(error), message), 0);
    return text;
}

static struct serin_http *begin(struct seen *seen, uint16_t *port)
{
    char why[256] = "";
    const struct serin_http_config config = {
        .listen = "127.0.0.1:0",
        .token = TOKEN,
        .upload_dir = "/tmp",
        .connections_max = 8,
        .idle_timeout_s = 1,
    };
    const struct serin_http_handler handler = {take, handle, error_body, seen};
    struct serin_http *http = NULL;
    *seen = (struct seen){0};
    enum serin_error error = serin_http_open(&http, &config, &handler, why, sizeof why);
    ck_assert_msg(error == SERIN_OK, "%s", why);
    *port = (uint16_t)atoi(strrchr(serin_http_address(http), ':') + 1);
    ck_assert_uint_gt(*port, 0);
    return http;
}

/* The client: sends all of it, then reads until the server closes. */
static void *client(void *arg)
{
    struct exchange *exchange = arg;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(exchange->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t size = 0;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        (void)send(fd, exchange->request, exchange->request_size, MSG_NOSIGNAL);
        (void)shutdown(fd, SHUT_WR);
        ssize_t got = 0;
        while (size < sizeof exchange->answer - 1 &&
               (got = read(fd, exchange->answer + size, sizeof exchange->answer - 1 - size)) > 0) {
            size += (size_t)got;
        }
    }
    exchange->answer[size] = '\0';
    close(fd);
    atomic_store(&exchange->done, true);
    return NULL;
}

/* One request; returns the status of the answer, 0 for none. The answer stays in `answer`. */
static char answer[8192];

static int ask_bytes(struct serin_http *http, uint16_t port, const char *request, size_t size)
{
    struct exchange exchange = {.port = port, .request = request, .request_size = size};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, client, &exchange), 0);
    while (!atomic_load(&exchange.done)) {
        struct pollfd wait = {.fd = serin_http_fd(http), .events = POLLIN};
        (void)poll(&wait, 1, 10);
        serin_http_run(http);
    }
    pthread_join(thread, NULL);
    memcpy(answer, exchange.answer, sizeof answer);
    int status = 0;
    (void)sscanf(answer, "HTTP/1.%*d %d", &status);
    return status;
}

static int ask(struct serin_http *http, uint16_t port, const char *request)
{
    return ask_bytes(http, port, request, strlen(request));
}

START_TEST(the_token_is_asked_for_first)
{
    static const char *const without[] = {
        "GET /a HTTP/1.1\r\nConnection: close\r\nHost: h\r\n\r\n",
        "GET /a HTTP/1.1\r\nConnection: close\r\nHost: h\r\nAuthorization: Bearer \r\n\r\n",
        "GET /a HTTP/1.1\r\nConnection: close\r\nHost: h\r\nAuthorization: Bearer "
        "0123456789abcdef0123456789abcde\r\n\r\n",
        "GET /a HTTP/1.1\r\nConnection: close\r\nHost: h\r\nAuthorization: Bearer " TOKEN
        "0\r\n\r\n",
        "GET /a HTTP/1.1\r\nConnection: close\r\nHost: h\r\nAuthorization: Bearer "
        "0123456789abcdef0123456789abcdeF\r\n\r\n",
        "GET /a HTTP/1.1\r\nConnection: close\r\nHost: h\r\nAuthorization: Basic " TOKEN "\r\n\r\n",
        "PUT /file HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    };
    struct seen seen;
    uint16_t port = 0;
    struct serin_http *http = begin(&seen, &port);
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++) {
        ck_assert_int_eq(ask(http, port, without[i]), 401);
        ck_assert_ptr_nonnull(strstr(answer, "DENIED|"));
    }
    ck_assert_uint_eq(seen.calls, 0);
    ck_assert_int_eq(
        ask(http, port, "GET /a HTTP/1.1\r\nConnection: close\r\nHost: h\r\n" AUTH "\r\n"), 200);
    ck_assert_uint_eq(seen.calls, 1);
    ck_assert_ptr_nonnull(strstr(answer, "application/json"));
    serin_http_close(http);
}
END_TEST

START_TEST(a_request_arrives_whole)
{
    struct seen seen;
    uint16_t port = 0;
    struct serin_http *http = begin(&seen, &port);
    ck_assert_int_eq(ask(http, port,
                         "POST /v1/x?name=a%20b&other=1 HTTP/1.1\r\nHost: h\r\n" AUTH
                         "Content-Length: 5\r\n\r\nhello"),
                     200);
    ck_assert_int_eq(seen.method, SERIN_HTTP_POST);
    ck_assert_str_eq(seen.path, "/v1/x");
    ck_assert_str_eq(seen.query, "a b");
    ck_assert_str_eq(seen.other, "other");
    ck_assert_str_eq(seen.body, "hello");
    ck_assert_uint_eq(seen.body_size, 5);
    ck_assert(!seen.in_file);
    ck_assert_int_eq(ask(http, port, "GET /v1/x HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n"), 200);
    ck_assert_str_eq(seen.query, "(none)");
    ck_assert_str_eq(seen.other, "(none)");
    ck_assert_str_eq(seen.body, "");
    ck_assert_int_eq(
        ask(http, port, "GET /v1/x?limit=1&name&behind HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n"), 200);
    ck_assert_str_eq(seen.other, "behind");
    ck_assert_int_eq(ask(http, port, "DELETE /v1/x HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n"), 200);
    ck_assert_int_eq(seen.method, SERIN_HTTP_OTHER);
    serin_http_close(http);
}
END_TEST

START_TEST(a_large_body_goes_to_a_file)
{
    struct seen seen;
    uint16_t port = 0;
    char request[4096];
    struct serin_http *http = begin(&seen, &port);
    int head = snprintf(request, sizeof request,
                        "PUT /file HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 2000\r\n\r\n");
    memset(request + head, 'x', 2000);
    ck_assert_int_eq(ask_bytes(http, port, request, (size_t)head + 2000), 200);
    ck_assert(seen.in_file);
    ck_assert_uint_eq(seen.file_size, 2000);
    ck_assert_uint_eq(seen.body_size, 2000);
    ck_assert_int_eq(seen.body[1999], 'x');
    serin_http_close(http);
}
END_TEST

START_TEST(a_body_over_its_limit_is_refused)
{
    struct seen seen;
    uint16_t port = 0;
    char request[4096];
    struct serin_http *http = begin(&seen, &port);
    /* Announced: refused before it is sent. */
    ck_assert_int_eq(
        ask(http, port, "POST /a HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 101\r\n\r\n"), 413);
    ck_assert_ptr_nonnull(strstr(answer, "TOO_LARGE|the body is larger than its limit of 100"));
    ck_assert_int_eq(
        ask(http, port, "PUT /file HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 10001\r\n\r\n"),
        413);
    ck_assert_int_eq(ask(http, port,
                         "PUT /file HTTP/1.1\r\nHost: h\r\n" AUTH
                         "Content-Length: 99999999999999999999\r\n\r\n"),
                     413);
    /* Not announced: refused when it has come. */
    int size = snprintf(request, sizeof request,
                        "POST /a HTTP/1.1\r\nHost: h\r\n" AUTH "Transfer-Encoding: chunked\r\n\r\n"
                        "40\r\n%064d\r\n40\r\n%064d\r\n0\r\n\r\n",
                        1, 2);
    ck_assert_int_eq(ask_bytes(http, port, request, (size_t)size), 413);
    ck_assert_uint_eq(seen.calls, 0);
    /* At the limit: taken. */
    size = snprintf(request, sizeof request,
                    "POST /a HTTP/1.1\r\nHost: h\r\n" AUTH "Transfer-Encoding: chunked\r\n\r\n"
                    "64\r\n%0100d\r\n0\r\n\r\n",
                    7);
    ck_assert_int_eq(ask_bytes(http, port, request, (size_t)size), 200);
    ck_assert_uint_eq(seen.body_size, 100);
    serin_http_close(http);
}
END_TEST

/* The longest token, and one that goes on behind it. */
START_TEST(the_longest_token_is_compared_to_its_end)
{
    struct seen seen = {0};
    char why[256] = "";
    char token[SERIN_HTTP_TOKEN_MAX + 2];
    char request[512];
    memset(token, 'a', sizeof token);
    token[SERIN_HTTP_TOKEN_MAX] = '\0';
    const struct serin_http_config config = {
        .listen = "127.0.0.1:0", .token = token, .upload_dir = "/tmp", .connections_max = 8};
    const struct serin_http_handler handler = {take, handle, error_body, &seen};
    struct serin_http *http = NULL;
    ck_assert_int_eq(serin_http_open(&http, &config, &handler, why, sizeof why), SERIN_OK);
    uint16_t port = (uint16_t)atoi(strrchr(serin_http_address(http), ':') + 1);
    static const char form[] =
        "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n";
    (void)snprintf(request, sizeof request, form, token);
    ck_assert_int_eq(ask(http, port, request), 200);
    token[SERIN_HTTP_TOKEN_MAX] = 'a';
    token[SERIN_HTTP_TOKEN_MAX + 1] = '\0';
    (void)snprintf(request, sizeof request, form, token);
    ck_assert_int_eq(ask(http, port, request), 401);
    serin_http_close(http);
    ck_assert_int_eq(serin_http_open(&http, &config, &handler, why, sizeof why), SERIN_ERR_CONFIG);
}
END_TEST

START_TEST(only_loopback_is_listened_on)
{
    static const char *const wrong[] = {
        "0.0.0.0:0",
        "192.0.2.1:80",
        "[::]:0",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "localhost:8470",
        "[::1]",
        "[127.0.0.1]:1",
        "::1:80",
        "",
    };
    struct seen seen;
    char why[256];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct serin_http_config config = {
            .listen = wrong[i], .token = TOKEN, .upload_dir = "/tmp", .connections_max = 1};
        const struct serin_http_handler handler = {take, handle, error_body, &seen};
        struct serin_http *http = NULL;
        ck_assert_int_eq(serin_http_open(&http, &config, &handler, why, sizeof why),
                         SERIN_ERR_CONFIG);
        ck_assert_ptr_nonnull(strstr(why, "is no loopback address"));
        ck_assert_ptr_null(http);
    }
}
END_TEST

START_TEST(a_port_in_use_and_a_short_token_are_told)
{
    struct seen seen;
    uint16_t port = 0;
    char why[256];
    struct serin_http *http = begin(&seen, &port);
    struct serin_http *second = NULL;
    struct serin_http_config config = {.listen = serin_http_address(http),
                                       .token = TOKEN,
                                       .upload_dir = "/tmp",
                                       .connections_max = 1};
    const struct serin_http_handler handler = {take, handle, error_body, &seen};
    ck_assert_int_eq(serin_http_open(&second, &config, &handler, why, sizeof why),
                     SERIN_ERR_NETWORK);
    ck_assert_ptr_nonnull(strstr(why, "is another serind running?"));
    config.token = "short";
    ck_assert_int_eq(serin_http_open(&second, &config, &handler, why, sizeof why),
                     SERIN_ERR_CONFIG);
    serin_http_close(http);
    serin_http_close(NULL);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        the_token_is_asked_for_first,
        a_request_arrives_whole,
        a_large_body_goes_to_a_file,
        a_body_over_its_limit_is_refused,
        the_longest_token_is_compared_to_its_end,
        only_loopback_is_listened_on,
        a_port_in_use_and_a_short_token_are_told,
        NULL,
    };
    return check_run("http", list);
}
