/*
 * The route table (docs/spec/routes.md): how the images of a directive's releases are reached from
 * what devices run. An object of the depot, at most one piece, named by its SHA-256 in the signed
 * directive, and so trusted as far as that.
 *
 *   offset size field
 *        0    4 magic "SRNR"
 *        4    1 format = 1
 *        5    1 targets, 1 .. 4
 *        6    1 bases, 0 .. 64
 *        7    1 routes, 1 .. 56
 *        8   32 each target: a manifest id of the directive
 *           32 each base: the SHA-256 of a plain image
 *           72 each route, ascending by (target, base, back end), none twice:
 *              0  1 target, an index
 *              1  1 base, an index; 255: none, the patch is the compressed image
 *              2  1 back end of the patch (delta.h): 1 small, 2 best
 *              3  1 zero
 *              4  4 size of the patch, bytes, 1 .. SERIN_IMAGE_SIZE_MAX
 *              8 32 SHA-256 of the patch: the object that is fetched
 *             40 32 SHA-256 of its piece table, which for a patch of one piece is its SHA-256 alone
 *
 * All integers are little-endian; nothing follows the last route.
 */
#ifndef SERIN_ROUTE_H
#define SERIN_ROUTE_H

#include <serin/bytes.h>

#define SERIN_ROUTES_SIZE_MAX   4096u
#define SERIN_ROUTE_TARGETS_MAX 4u
#define SERIN_ROUTE_BASES_MAX   64u
#define SERIN_ROUTES_MAX        56u
#define SERIN_ROUTE_NO_BASE     255u

/* What a device can decode: a bit for each back end, 1 << enum serin_delta_backend (beat.md). */
#define SERIN_TAKES_SMALL 2u
#define SERIN_TAKES_BEST  4u
#define SERIN_TAKES_KNOWN 6u

struct serin_route {
    uint8_t target; /* index into targets */
    uint8_t base;   /* index into bases, or SERIN_ROUTE_NO_BASE */
    uint8_t backend;
    uint32_t size_bytes;
    uint8_t object[SERIN_SHA256_SIZE];
    uint8_t pieces_sha256[SERIN_SHA256_SIZE];
};

struct serin_routes {
    size_t target_count, base_count, route_count;
    uint8_t targets[SERIN_ROUTE_TARGETS_MAX][SERIN_SHA256_SIZE];
    uint8_t bases[SERIN_ROUTE_BASES_MAX][SERIN_SHA256_SIZE];
    struct serin_route routes[SERIN_ROUTES_MAX];
};

/* The size of the table encoded; SERIN_ROUTES_SIZE_MAX + 1 or more where it is too large. */
size_t serin_routes_size(const struct serin_routes *routes);

/* Checks and encodes into `out` of SERIN_ROUTES_SIZE_MAX bytes. SERIN_ERR_INVALID: a count, an
 * index, a back end, a size, or the order is wrong, a target or base stands twice or is used by no
 * route; SERIN_ERR_TOO_LARGE. `*size` is set on success alone. */
SERIN_MUST_USE enum serin_error serin_routes_encode(const struct serin_routes *routes,
                                                    uint8_t out[SERIN_ROUTES_SIZE_MAX],
                                                    size_t *size);

/* Decodes in full (hosts). SERIN_ERR_FORMAT (magic), _VERSION, _TRUNCATED, _TOO_LARGE (more than
 * SERIN_ROUTES_SIZE_MAX, or bytes behind the last route), _RESERVED, _INVALID. `routes` is
 * unspecified after an error. */
SERIN_MUST_USE enum serin_error serin_routes_decode(const uint8_t *bytes, size_t size,
                                                    struct serin_routes *routes);

/* The route to `target` (a manifest id) that a device with the image `base` (NULL: it can read no
 * old image) takes: the smallest patch among those whose back end is in `takes` and that are
 * smaller than `image_size`. Checks the whole table as serin_routes_decode does, in place, without
 * a copy (devices). SERIN_ERR_NOT_FOUND: none, fetch the image itself. */
SERIN_MUST_USE enum serin_error serin_routes_find(const uint8_t *bytes, size_t size,
                                                  const uint8_t target[SERIN_SHA256_SIZE],
                                                  const uint8_t *base, uint32_t takes,
                                                  uint32_t image_size, struct serin_route *route);

#endif
