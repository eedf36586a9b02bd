/* The HTTP API: routes, arguments, errors (api.h). */
#include "api.h"

#include <serin/adapters/log.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_MAX 7

struct route {
    enum serin_http_method method;
    const char *pattern; /* "{}" stands for one segment of the path */
    void (*handle)(struct serind_call *call);
    const char *query[QUERY_MAX]; /* the keys that it knows */
};

/* The first one that fits counts. */
static const struct route routes[] = {
    {SERIN_HTTP_GET, "/v1/status", serind_get_status, {NULL}},
    {SERIN_HTTP_PUT, "/v1/bundles", serind_put_bundle, {NULL}},
    {SERIN_HTTP_GET, "/v1/releases", serind_get_releases, {NULL}},
    {SERIN_HTTP_POST, "/v1/rollouts", serind_post_rollout, {NULL}},
    {SERIN_HTTP_GET, "/v1/rollouts", serind_get_rollouts, {NULL}},
    {SERIN_HTTP_GET, "/v1/rollouts/{}", serind_get_rollout, {NULL}},
    {SERIN_HTTP_POST, "/v1/rollouts/{}/{}", serind_post_rollout_verb, {NULL}},
    {SERIN_HTTP_GET,
     "/v1/devices",
     serind_get_devices,
     {"product", "channel", "state", "enrolment", "gateway", "after", "limit"}},
    {SERIN_HTTP_GET, "/v1/devices/{}", serind_get_device, {NULL}},
    {SERIN_HTTP_POST, "/v1/devices/{}/move", serind_post_move, {NULL}},
    {SERIN_HTTP_POST, "/v1/devices/{}/{}", serind_post_device, {NULL}},
    {SERIN_HTTP_GET, "/v1/gateways", serind_get_gateways, {"after", "limit"}},
    {SERIN_HTTP_GET, "/v1/gateways/{}", serind_get_gateway, {"after", "limit"}},
    {SERIN_HTTP_POST, "/v1/gateways/{}/{}", serind_post_gateway, {NULL}},
    {SERIN_HTTP_GET, "/v1/stable", serind_get_stable, {NULL}},
    {SERIN_HTTP_GET, "/v1/trust", serind_get_trust, {NULL}},
    {SERIN_HTTP_PUT, "/v1/trust", serind_put_trust, {NULL}},
    {SERIN_HTTP_GET, "/v1/audit", serind_get_audit, {"after", "limit"}},
    {SERIN_HTTP_GET, "/v1/audit/head", serind_get_audit_head, {NULL}},
};

/* ---- answers ---- */

/* What an error is in HTTP; what is not listed is 500. */
static unsigned status_of(enum serin_error error)
{
    static const unsigned statuses[SERIN_ERROR_COUNT] = {
        [SERIN_ERR_FORMAT] = 400,      [SERIN_ERR_INVALID] = 400,   [SERIN_ERR_TRUNCATED] = 400,
        [SERIN_ERR_CONFIG] = 400,      [SERIN_ERR_RESERVED] = 400,  [SERIN_ERR_VERSION] = 400,
        [SERIN_ERR_DENIED] = 401,      [SERIN_ERR_NOT_FOUND] = 404, [SERIN_ERR_STATE] = 409,
        [SERIN_ERR_STALE] = 409,       [SERIN_ERR_EXISTS] = 409,    [SERIN_ERR_BUSY] = 409,
        [SERIN_ERR_TOO_LARGE] = 413,   [SERIN_ERR_SIGNATURE] = 422, [SERIN_ERR_KEY] = 422,
        [SERIN_ERR_PRODUCT] = 422,     [SERIN_ERR_CHANNEL] = 422,   [SERIN_ERR_HARDWARE] = 422,
        [SERIN_ERR_DEVICE] = 422,      [SERIN_ERR_COUNTER] = 422,   [SERIN_ERR_DIGEST] = 422,
        [SERIN_ERR_CRC] = 422,         [SERIN_ERR_FEATURE] = 422,   [SERIN_ERR_BOOTLOADER] = 422,
        [SERIN_ERR_UNSUPPORTED] = 422, [SERIN_ERR_NO_SPACE] = 507,
    };
    unsigned status = error < SERIN_ERROR_COUNT ? statuses[error] : 0;
    return status != 0 ? status : 500;
}

static struct serin_json *error_json(enum serin_error error, const char *message, const char *field,
                                     unsigned line)
{
    struct serin_json *inner = serin_json_object();
    serin_json_put_text(inner, "code", serin_error_name(error));
    serin_json_put_text(inner, "message", message);
    if (field != NULL && field[0] != '\0') {
        serin_json_put_text(inner, "field", field);
    }
    if (line != 0) {
        serin_json_put_number(inner, "line", line);
    }
    struct serin_json *outer = serin_json_object();
    serin_json_put(outer, "error", inner);
    return outer;
}

void serind_answer(struct serind_call *call, unsigned status, struct serin_json *answer)
{
    serin_json_free(call->answer);
    call->status = status;
    call->answer = answer;
}

void serind_fail(struct serind_call *call, enum serin_error error, const char *format, ...)
{
    char message[SERIND_WHY_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    serind_answer(call, status_of(error), error_json(error, message, NULL, 0));
}

void serind_fail_refusal(struct serind_call *call, enum serin_error error,
                         const struct serind_refusal *refusal)
{
    serind_answer(call, status_of(error),
                  error_json(error, refusal->message, refusal->field, refusal->line));
}

/* ---- what handlers share ---- */

bool serind_read_begin(struct serind_call *call)
{
    struct serin_store *store = &call->serind->store;
    enum serin_error error = store->ops->begin(store->ctx, false);
    if (error != SERIN_OK) {
        serind_fail(call, error, "the store cannot be read: %s", serin_error_text(error));
    }
    return error == SERIN_OK;
}

void serind_read_end(struct serind_call *call)
{
    call->serind->store.ops->abort(call->serind->store.ctx);
}

bool serind_query_number(struct serind_call *call, const char *name, uint64_t max,
                         uint64_t otherwise, uint64_t *number)
{
    const char *text = serin_http_query(call->request, name);
    *number = otherwise;
    if (text == NULL) {
        return true;
    }
    uint64_t value = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || value > (UINT64_MAX - 9) / 10) {
            value = UINT64_MAX;
            break;
        }
        value = value * 10 + (uint64_t)(*at - '0');
    }
    if (*text == '\0' || value > max) {
        serind_fail(call, SERIN_ERR_INVALID, "'%s' must be a whole number up to %llu", name,
                    (unsigned long long)max);
        return false;
    }
    *number = value;
    return true;
}

bool serind_query_page(struct serind_call *call, uint64_t max, uint64_t *limit)
{
    const char *after = serin_http_query(call->request, "after");
    if (after != NULL && !serin_id_valid(after, strlen(after))) {
        serind_fail(call, SERIN_ERR_INVALID, "'after' is no valid name");
        return false;
    }
    if (!serind_query_number(call, "limit", max, 100, limit)) {
        return false;
    }
    /* A page of none would never come to an end. */
    if (*limit == 0) {
        serind_fail(call, SERIN_ERR_INVALID, "'limit' must be at least 1");
    }
    return *limit != 0;
}

/* ---- routing ---- */

/* Whether a path fits a pattern; fills in what the "{}" stand for. A segment that is too long for
 * an id fits nothing. */
static bool path_fits(const char *pattern, const char *path, struct serind_call *call)
{
    size_t argument = 0;
    while (*pattern != '\0') {
        if (pattern[0] != '{') {
            if (*pattern++ != *path++) {
                return false;
            }
            continue;
        }
        size_t size = strcspn(path, "/");
        if (size == 0 || size > SERIN_ID_MAX) {
            return false;
        }
        memcpy(call->argument[argument], path, size);
        call->argument[argument][size] = '\0';
        argument++;
        path += size;
        pattern += 2;
    }
    return *path == '\0';
}

/* A key that the route does not know is refused: a filter that is not applied gives an answer that
 * looks like one to the question. */
static bool query_known(struct serind_call *call, const struct route *route)
{
    char keys[128] = "";
    const char *other = serin_http_query_other(call->request, route->query, QUERY_MAX);
    if (other == NULL) {
        return true;
    }
    for (size_t i = 0; i < QUERY_MAX && route->query[i] != NULL; i++) {
        size_t used = strlen(keys);
        (void)snprintf(keys + used, sizeof keys - used, "%s%s", i == 0 ? "; it knows " : ", ",
                       route->query[i]);
    }
    serind_fail(call, SERIN_ERR_INVALID, "unknown query key '%.64s'%s", other, keys);
    return false;
}

static void dispatch(struct serind_call *call)
{
    bool known = false;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!path_fits(routes[i].pattern, call->request->path, call)) {
            continue;
        }
        if (routes[i].method == call->request->method) {
            if (query_known(call, &routes[i])) {
                routes[i].handle(call);
            }
            return;
        }
        known = true;
    }
    if (known) {
        serind_answer(call, 405,
                      error_json(SERIN_ERR_UNSUPPORTED, "this method is not known here", NULL, 0));
    } else {
        serind_fail(call, SERIN_ERR_NOT_FOUND, "there is nothing at %s", call->request->path);
    }
}

static void handle(void *ctx, const struct serin_http_request *request,
                   struct serin_http_response *response)
{
    struct serind_call call = {.serind = ctx, .request = request};
    serind_clock(call.serind);
    dispatch(&call);
    assert(call.answer != NULL);
    response->status = call.status;
    response->body = serin_json_print(call.answer, &response->body_size);
    serin_json_free(call.answer);
    if (call.status >= 400) {
        serin_log(SERIN_LOG_INFO, "request refused path=%s status=%u", request->path, call.status);
    }
}

static struct serin_http_intake accept_body(void *ctx, enum serin_http_method method,
                                            const char *path)
{
    (void)ctx;
    if (method == SERIN_HTTP_PUT && strcmp(path, "/v1/bundles") == 0) {
        return (struct serin_http_intake){.size_max = SERIND_BUNDLE_MAX, .to_file = true};
    }
    return (struct serin_http_intake){.size_max = (uint64_t)SERIN_HTTP_BODY_MAX};
}

static char *error_body(void *ctx, enum serin_error error, const char *message)
{
    (void)ctx;
    struct serin_json *json = error_json(error, message, NULL, 0);
    char *text = serin_json_print(json, NULL);
    serin_json_free(json);
    return text;
}

struct serin_http_handler serind_api_handler(struct serind *serind)
{
    return (struct serin_http_handler){
        .accept = accept_body,
        .handle = handle,
        .error_body = error_body,
        .ctx = serind,
    };
}
