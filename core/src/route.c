/* The route table (docs/spec/routes.md): checked in place, encoded, decoded, searched. */
#include <serin/route.h>

#include <serin/delta.h>
#include <serin/manifest.h>

enum {
    OFFSET_MAGIC = 0,
    OFFSET_FORMAT = 4,
    OFFSET_TARGETS = 5,
    OFFSET_BASES = 6,
    OFFSET_ROUTES = 7,
    HEAD_SIZE = 8,
};

/* Offsets in a route. */
enum {
    ROUTE_TARGET = 0,
    ROUTE_BASE = 1,
    ROUTE_BACKEND = 2,
    ROUTE_RESERVED = 3,
    ROUTE_PATCH_SIZE = 4,
    ROUTE_OBJECT = 8,
    ROUTE_PIECES = 40,
    ROUTE_SIZE = 72,
};

_Static_assert(ROUTE_OBJECT + SERIN_SHA256_SIZE == ROUTE_PIECES, "docs/spec/routes.md");
_Static_assert(ROUTE_PIECES + SERIN_SHA256_SIZE == ROUTE_SIZE, "docs/spec/routes.md");
_Static_assert(HEAD_SIZE + SERIN_SHA256_SIZE + SERIN_ROUTES_MAX * ROUTE_SIZE <=
                   SERIN_ROUTES_SIZE_MAX,
               "the most routes are of use");
_Static_assert(SERIN_TAKES_SMALL == 1u << SERIN_DELTA_SMALL &&
                   SERIN_TAKES_BEST == 1u << SERIN_DELTA_BEST,
               "a bit for each back end");

#define ROUTES_FORMAT 1u
#define ROUTES_MAGIC  0x524E5253u /* "SRNR" */

/* The three lists of a table, in place; bounds are known to hold. */
struct lists {
    size_t target_count, base_count, route_count;
    const uint8_t *targets, *bases, *routes;
};

static size_t size_of(size_t targets, size_t bases, size_t routes)
{
    return HEAD_SIZE + (targets + bases) * SERIN_SHA256_SIZE + routes * ROUTE_SIZE;
}

static bool counts_ok(size_t targets, size_t bases, size_t routes)
{
    return targets >= 1 && targets <= SERIN_ROUTE_TARGETS_MAX && bases <= SERIN_ROUTE_BASES_MAX &&
           routes >= 1 && routes <= SERIN_ROUTES_MAX;
}

/* Whether the `count` digests differ, and none is all zero. */
static bool digests_ok(const uint8_t *digests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *digest = digests + i * SERIN_SHA256_SIZE;
        if (serin_bytes_all(digest, SERIN_SHA256_SIZE, 0)) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (memcmp(digest, digests + j * SERIN_SHA256_SIZE, SERIN_SHA256_SIZE) == 0) {
                return false;
            }
        }
    }
    return true;
}

static bool route_ok(const struct lists *lists, const uint8_t *route)
{
    uint32_t size = serin_get_le32(route + ROUTE_PATCH_SIZE);
    uint8_t backend = route[ROUTE_BACKEND];
    return route[ROUTE_TARGET] < lists->target_count &&
           (route[ROUTE_BASE] < lists->base_count || route[ROUTE_BASE] == SERIN_ROUTE_NO_BASE) &&
           (backend == SERIN_DELTA_SMALL || backend == SERIN_DELTA_BEST) && size >= 1 &&
           size <= SERIN_IMAGE_SIZE_MAX;
}

/* Every target and every base leads somewhere: what nothing refers to is an encoder's mistake. */
static bool all_used(const struct lists *lists)
{
    uint64_t targets = 0, bases = 0;
    for (size_t i = 0; i < lists->route_count; i++) {
        const uint8_t *route = lists->routes + i * ROUTE_SIZE;
        targets |= UINT64_C(1) << route[ROUTE_TARGET];
        bases |= route[ROUTE_BASE] != SERIN_ROUTE_NO_BASE ? UINT64_C(1) << route[ROUTE_BASE] : 0;
    }
    return targets == (UINT64_C(1) << lists->target_count) - 1u &&
           bases ==
               (lists->base_count == 64u ? UINT64_MAX : (UINT64_C(1) << lists->base_count) - 1u);
}

static enum serin_error check_routes(const struct lists *lists)
{
    for (size_t i = 0; i < lists->route_count; i++) {
        const uint8_t *route = lists->routes + i * ROUTE_SIZE;
        if (route[ROUTE_RESERVED] != 0) {
            return SERIN_ERR_RESERVED;
        }
        /* Target, base and back end are its first bytes: their order is that of the bytes. */
        if (!route_ok(lists, route) || (i > 0 && memcmp(route - ROUTE_SIZE, route, 3) >= 0)) {
            return SERIN_ERR_INVALID;
        }
    }
    return all_used(lists) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* Checks all of a table, and says where its lists are. */
static enum serin_error open_table(const uint8_t *bytes, size_t size, struct lists *lists)
{
    if (size < HEAD_SIZE) {
        return SERIN_ERR_TRUNCATED;
    }
    if (size > SERIN_ROUTES_SIZE_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    if (serin_get_le32(bytes + OFFSET_MAGIC) != ROUTES_MAGIC) {
        return SERIN_ERR_FORMAT;
    }
    if (bytes[OFFSET_FORMAT] != ROUTES_FORMAT) {
        return SERIN_ERR_VERSION;
    }
    lists->target_count = bytes[OFFSET_TARGETS];
    lists->base_count = bytes[OFFSET_BASES];
    lists->route_count = bytes[OFFSET_ROUTES];
    if (!counts_ok(lists->target_count, lists->base_count, lists->route_count)) {
        return SERIN_ERR_INVALID;
    }
    size_t needed = size_of(lists->target_count, lists->base_count, lists->route_count);
    if (size != needed) {
        return size < needed ? SERIN_ERR_TRUNCATED : SERIN_ERR_TOO_LARGE;
    }
    lists->targets = bytes + HEAD_SIZE;
    lists->bases = lists->targets + lists->target_count * SERIN_SHA256_SIZE;
    lists->routes = lists->bases + lists->base_count * SERIN_SHA256_SIZE;
    return digests_ok(lists->targets, lists->target_count) &&
                   digests_ok(lists->bases, lists->base_count)
               ? check_routes(lists)
               : SERIN_ERR_INVALID;
}

static void get_route(const uint8_t *bytes, struct serin_route *route)
{
    route->target = bytes[ROUTE_TARGET];
    route->base = bytes[ROUTE_BASE];
    route->backend = bytes[ROUTE_BACKEND];
    route->size_bytes = serin_get_le32(bytes + ROUTE_PATCH_SIZE);
    memcpy(route->object, bytes + ROUTE_OBJECT, SERIN_SHA256_SIZE);
    memcpy(route->pieces_sha256, bytes + ROUTE_PIECES, SERIN_SHA256_SIZE);
}

size_t serin_routes_size(const struct serin_routes *routes)
{
    return size_of(routes->target_count, routes->base_count, routes->route_count);
}

enum serin_error serin_routes_encode(const struct serin_routes *routes,
                                     uint8_t out[SERIN_ROUTES_SIZE_MAX], size_t *size)
{
    if (!counts_ok(routes->target_count, routes->base_count, routes->route_count)) {
        return SERIN_ERR_INVALID;
    }
    size_t needed = serin_routes_size(routes);
    if (needed > SERIN_ROUTES_SIZE_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    serin_put_le32(out + OFFSET_MAGIC, ROUTES_MAGIC);
    out[OFFSET_FORMAT] = ROUTES_FORMAT;
    out[OFFSET_TARGETS] = (uint8_t)routes->target_count;
    out[OFFSET_BASES] = (uint8_t)routes->base_count;
    out[OFFSET_ROUTES] = (uint8_t)routes->route_count;
    uint8_t *at = out + HEAD_SIZE;
    memcpy(at, routes->targets, routes->target_count * SERIN_SHA256_SIZE);
    at += routes->target_count * SERIN_SHA256_SIZE;
    memcpy(at, routes->bases, routes->base_count * SERIN_SHA256_SIZE);
    at += routes->base_count * SERIN_SHA256_SIZE;
    for (size_t i = 0; i < routes->route_count; i++, at += ROUTE_SIZE) {
        const struct serin_route *route = &routes->routes[i];
        at[ROUTE_TARGET] = route->target;
        at[ROUTE_BASE] = route->base;
        at[ROUTE_BACKEND] = route->backend;
        at[ROUTE_RESERVED] = 0;
        serin_put_le32(at + ROUTE_PATCH_SIZE, route->size_bytes);
        memcpy(at + ROUTE_OBJECT, route->object, SERIN_SHA256_SIZE);
        memcpy(at + ROUTE_PIECES, route->pieces_sha256, SERIN_SHA256_SIZE);
    }
    struct lists lists;
    enum serin_error error = open_table(out, needed, &lists);
    if (error == SERIN_OK) {
        *size = needed;
    }
    return error;
}

enum serin_error serin_routes_decode(const uint8_t *bytes, size_t size, struct serin_routes *routes)
{
    struct lists lists;
    enum serin_error error = open_table(bytes, size, &lists);
    if (error != SERIN_OK) {
        return error;
    }
    routes->target_count = lists.target_count;
    routes->base_count = lists.base_count;
    routes->route_count = lists.route_count;
    memcpy(routes->targets, lists.targets, lists.target_count * SERIN_SHA256_SIZE);
    memcpy(routes->bases, lists.bases, lists.base_count * SERIN_SHA256_SIZE);
    for (size_t i = 0; i < lists.route_count; i++) {
        get_route(lists.routes + i * ROUTE_SIZE, &routes->routes[i]);
    }
    return SERIN_OK;
}

/* Whether digest `index` of a list is `digest`. */
static bool is(const uint8_t *list, uint8_t index, const uint8_t *digest)
{
    return memcmp(list + (size_t)index * SERIN_SHA256_SIZE, digest, SERIN_SHA256_SIZE) == 0;
}

enum serin_error serin_routes_find(const uint8_t *bytes, size_t size,
                                   const uint8_t target[SERIN_SHA256_SIZE], const uint8_t *base,
                                   uint32_t takes, uint32_t image_size, struct serin_route *route)
{
    struct lists lists;
    enum serin_error error = open_table(bytes, size, &lists);
    if (error != SERIN_OK) {
        return error;
    }
    const uint8_t *best = NULL;
    uint32_t below = image_size;
    for (size_t i = 0; i < lists.route_count; i++) {
        const uint8_t *entry = lists.routes + i * ROUTE_SIZE;
        uint8_t from = entry[ROUTE_BASE];
        uint32_t patch_size = serin_get_le32(entry + ROUTE_PATCH_SIZE);
        bool fits =
            is(lists.targets, entry[ROUTE_TARGET], target) &&
            (from == SERIN_ROUTE_NO_BASE || (base != NULL && is(lists.bases, from, base))) &&
            (takes >> entry[ROUTE_BACKEND] & 1u) != 0;
        if (fits && patch_size < below) {
            best = entry;
            below = patch_size;
        }
    }
    if (best == NULL) {
        return SERIN_ERR_NOT_FOUND;
    }
    get_route(best, route);
    return SERIN_OK;
}
