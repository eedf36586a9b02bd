/*
 * The HTTP client on libcurl's easy interface.
 */
#include <serin/adapters/http_client.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_S 5L
#define STALL_S           30L

struct serin_http_client {
    CURL *curl;
    char *server;        /* without a slash at its end */
    char *authorization; /* the header, or NULL */
};

/* What a transfer reads from and writes to. */
struct transfer {
    const struct serin_http_client_request *request;
    size_t sent;
    struct serin_http_client_answer *answer;
    bool too_large;
};

__attribute__((format(printf, 3, 4))) static enum serin_error
explain(struct serin_http_client_why *why, enum serin_error error, const char *format, ...)
{
    va_list arguments;

    if (why != NULL) {
        va_start(arguments, format);
        (void)vsnprintf(why->text, sizeof(why->text), format, arguments);
        va_end(arguments);
    }
    return error;
}

/* ---- opening ---- */

static bool loopback(const char *host)
{
    struct in_addr address;

    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

/* Whether the server is one, and may be told the token. */
static enum serin_error check_server(const char *server, bool with_token,
                                     struct serin_http_client_why *why)
{
    char *scheme = NULL;
    char *host = NULL;
    char *path = NULL;
    enum serin_error error = SERIN_OK;
    CURLU *url = curl_url();

    if (url == NULL) {
        return explain(why, SERIN_ERR_MEMORY, "memory is exhausted");
    }
    if (curl_url_set(url, CURLUPART_URL, server, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) || strcmp(path, "/") != 0) {
        error = explain(why, SERIN_ERR_CONFIG,
                        "'%s' is no server; give it as http://127.0.0.1:8470", server);
    } else if (with_token && strcmp(scheme, "http") == 0 && !loopback(host)) {
        error = explain(
            why, SERIN_ERR_CONFIG,
            "the token would go to %s unencrypted; use https:// or a tunnel to loopback", host);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(path);
    curl_url_cleanup(url);
    return error;
}

static enum serin_error make_authorization(struct serin_http_client *client, const char *token,
                                           struct serin_http_client_why *why)
{
    size_t size = strlen("Authorization: Bearer ") + strlen(token) + 1;

    for (const char *p = token; *p != '\0'; p++) {
        if (!isgraph((unsigned char)*p)) {
            return explain(why, SERIN_ERR_CONFIG, "the token has spaces or control characters");
        }
    }
    client->authorization = malloc(size);
    if (client->authorization == NULL) {
        return explain(why, SERIN_ERR_MEMORY, "memory is exhausted");
    }
    (void)snprintf(client->authorization, size, "Authorization: Bearer %s", token);
    return SERIN_OK;
}

enum serin_error serin_http_client_open(struct serin_http_client **out, const char *server,
                                        const char *token, struct serin_http_client_why *why)
{
    *out = NULL;
    enum serin_error error = check_server(server, token != NULL, why);
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_http_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return explain(why, SERIN_ERR_MEMORY, "memory is exhausted");
    }
    /* A slash at the end would make two with that of the path. */
    size_t size = strlen(server);
    client->server = strndup(server, size > 0 && server[size - 1] == '/' ? size - 1 : size);
    client->curl = curl_easy_init();
    if (client->server == NULL || client->curl == NULL) {
        error = explain(why, SERIN_ERR_MEMORY, "memory is exhausted");
    } else if (token != NULL) {
        error = make_authorization(client, token, why);
    }
    if (error != SERIN_OK) {
        serin_http_client_close(client);
        return error;
    }
    *out = client;
    return SERIN_OK;
}

void serin_http_client_close(struct serin_http_client *client)
{
    if (client == NULL) {
        return;
    }
    if (client->curl != NULL) {
        curl_easy_cleanup(client->curl);
    }
    free(client->server);
    free(client->authorization);
    free(client);
}

/* ---- asking ---- */

static size_t on_write(char *data, size_t unit, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct serin_http_client_answer *answer = transfer->answer;
    size_t size = unit * count;

    if (size > (size_t)SERIN_HTTP_CLIENT_ANSWER_MAX - answer->body_size) {
        transfer->too_large = true;
        return 0;
    }
    char *body = realloc(answer->body, answer->body_size + size + 1);
    if (body == NULL) {
        return 0;
    }
    memcpy(body + answer->body_size, data, size);
    answer->body = body;
    answer->body_size += size;
    body[answer->body_size] = '\0';
    return size;
}

static size_t on_read(char *buffer, size_t unit, size_t count, void *context)
{
    struct transfer *transfer = context;
    const struct serin_http_client_request *request = transfer->request;
    size_t size = request->body_size - transfer->sent;

    if (size > unit * count) {
        size = unit * count;
    }
    if (size > 0) {
        memcpy(buffer, (const char *)request->body + transfer->sent, size);
    }
    transfer->sent += size;
    return size;
}

/* libcurl starts a body again where a reused connection turned out to be dead. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
    struct transfer *transfer = context;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > transfer->request->body_size) {
        return CURL_SEEKFUNC_CANTSEEK;
    }
    transfer->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static int on_progress(void *context, curl_off_t down_size, curl_off_t down, curl_off_t up_size,
                       curl_off_t up)
{
    const struct transfer *transfer = context;

    (void)down_size;
    (void)down;
    (void)up_size;
    transfer->request->progress(transfer->request->progress_ctx, (uint64_t)up,
                                transfer->request->body_size);
    return 0;
}

static void set_body(CURL *curl, struct transfer *transfer)
{
    const struct serin_http_client_request *request = transfer->request;

    if (request->body != NULL) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_size);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(curl, CURLOPT_READDATA, transfer);
        curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(curl, CURLOPT_SEEKDATA, transfer);
    } else if (strcmp(request->method, "GET") != 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, 0L);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    if (request->progress != NULL) {
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
    }
}

static void set_options(CURL *curl, struct transfer *transfer, const char *url,
                        struct curl_slist *headers)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "serin");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    set_body(curl, transfer);
}

/* "Content-Type: …" into `header`; false where it does not fit. */
static bool format_content_type(const char *type, char *header, size_t size)
{
    int length = snprintf(header, size, "Content-Type: %s", type);

    return length > 0 && (size_t)length < size;
}

/* Appends; on failure frees the list and sets it to NULL. */
static bool append(struct curl_slist **list, const char *header)
{
    struct curl_slist *longer = curl_slist_append(*list, header);

    if (longer == NULL) {
        curl_slist_free_all(*list);
        *list = NULL;
        return false;
    }
    *list = longer;
    return true;
}

static struct curl_slist *make_headers(const struct serin_http_client *client,
                                       const struct serin_http_client_request *request)
{
    struct curl_slist *headers = NULL;
    char type[128];

    if (!append(&headers, "Accept: application/json")) {
        return NULL;
    }
    if (client->authorization != NULL && !append(&headers, client->authorization)) {
        return NULL;
    }
    if (request->content_type != NULL &&
        (!format_content_type(request->content_type, type, sizeof(type)) ||
         !append(&headers, type))) {
        curl_slist_free_all(headers);
        return NULL;
    }
    return headers;
}

static enum serin_error judge(CURLcode code, const struct transfer *transfer, const char *server,
                              const char *detail, struct serin_http_client_why *why)
{
    if (code == CURLE_OK) {
        return SERIN_OK;
    }
    if (transfer->too_large) {
        return explain(why, SERIN_ERR_TOO_LARGE, "the answer of %s is larger than %u bytes", server,
                       SERIN_HTTP_CLIENT_ANSWER_MAX);
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return explain(why, SERIN_ERR_TIMEOUT, "%s does not answer", server);
    }
    if (code == CURLE_OUT_OF_MEMORY || code == CURLE_WRITE_ERROR) {
        return explain(why, SERIN_ERR_MEMORY, "memory is exhausted");
    }
    return explain(why, SERIN_ERR_NETWORK, "cannot reach %s: %s", server,
                   detail[0] != '\0' ? detail : curl_easy_strerror(code));
}

/* Makes the whole address; NULL: memory is exhausted. */
static char *join(const char *server, const char *path)
{
    size_t size = strlen(server) + strlen(path) + 1;
    char *url = malloc(size);

    if (url != NULL) {
        (void)snprintf(url, size, "%s%s", server, path);
    }
    return url;
}

enum serin_error serin_http_client_ask(struct serin_http_client *client,
                                       const struct serin_http_client_request *request,
                                       struct serin_http_client_answer *answer,
                                       struct serin_http_client_why *why)
{
    char detail[CURL_ERROR_SIZE] = "";
    struct transfer transfer = {.request = request, .answer = answer};
    struct curl_slist *headers = make_headers(client, request);
    char *url = join(client->server, request->path);
    enum serin_error error = SERIN_OK;

    *answer = (struct serin_http_client_answer){.body = calloc(1, 1)};
    if (headers == NULL || url == NULL || answer->body == NULL) {
        error = explain(why, SERIN_ERR_MEMORY, "memory is exhausted");
    } else {
        long status = 0;
        curl_easy_reset(client->curl); /* keeps the connection */
        curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, detail);
        set_options(client->curl, &transfer, url, headers);
        CURLcode code = curl_easy_perform(client->curl);
        error = judge(code, &transfer, client->server, detail, why);
        (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
        answer->status = (unsigned)status;
        curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, NULL);
    }
    if (error != SERIN_OK) {
        free(answer->body);
        *answer = (struct serin_http_client_answer){0};
    }
    free(url);
    curl_slist_free_all(headers);
    return error;
}
