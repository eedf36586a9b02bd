/*
 * A gateway's bytes in a test: the real shell files on a real depot, with releases that real keys
 * signed; the broker's connections, the orders and the words are the test's own.
 */
#ifndef SERIN_TESTS_GATEWAY_BENCH_H
#define SERIN_TESTS_GATEWAY_BENCH_H

#include <gateway/shell/bytes_internal.h>
#include <serin/route.h>

#define SITE_RELEASES  3
#define SITE_IMAGE_MAX 262144u
#define SITE_ORDERS    4
#define SITE_BLOCKS    64

/* What the route table of the channel's directive adds: itself, a patch of several pieces with its
 * table, and one of a single piece. */
enum site_extra { SITE_ROUTES, SITE_PATCH, SITE_PATCH_TABLE, SITE_SMALL_PATCH, SITE_EXTRAS };

#define SITE_PATCH_SIZE 9000u
#define SITE_SMALL_SIZE 700u

enum site_part { SITE_MANIFEST, SITE_TABLE, SITE_IMAGE, SITE_PARTS };

/* One object, what crossed the uplink of it, and what the plugin has heard. */
struct site_object {
    uint8_t name[32];
    const uint8_t *data;
    uint32_t size;
    uint64_t sent;
    bool known[SITE_IMAGE_MAX / SERIN_PIECE_SIZE], handed[SITE_IMAGE_MAX / SERIN_PIECE_SIZE];
    unsigned whole, absents;
    uint32_t retry_ms; /* of the ABSENT heard last */
    enum serin_block_status absent;
};

struct site_release {
    uint8_t manifest[SERIN_MANIFEST_SIZE_P256], *table, *image;
    struct site_object parts[SITE_PARTS];
};

struct site {
    struct gateway gateway;
    struct serin_gateway_config config;
    char folder[64], depot[96];
    struct serin_trust trust;
    bool has_trust;
    struct site_release releases[SITE_RELEASES];
    uint8_t routes[SERIN_ROUTES_SIZE_MAX], patch[SITE_PATCH_SIZE], patch_table[96];
    struct site_object extras[SITE_EXTRAS];
    size_t order_count;
    struct gateway_order orders[SITE_ORDERS];
    bool waiting, halted;

    struct {
        struct serin_get get;
        uint64_t at_ms;
    } queue[SITE_BLOCKS];
    size_t queued;
    uint64_t bytes_per_s; /* of the uplink; 0: at once */
    unsigned gets;
    uint64_t sent; /* block payload, in all */
    unsigned site_publishes, meta_changes;
};

extern struct site site;

/* Makes a folder and releases of such image sizes (0: none); nothing is on offer. */
void site_open(uint32_t first, uint32_t second, uint32_t third);
void site_close(void);
/* Starts and stops the gateway's bytes, connected on both sides. */
void site_start(void);
void site_stop(void);
/* A directive of the channel, which offers a release as stable (or none: -1) and one as candidate.
 */
void site_offer(int stable, int candidate, enum serin_candidate_state state);
/* Gives the directive a route table, with patches to that release. */
void site_offer_routes(int target);
/* Passes so much time. */
void site_pass(uint64_t ms);
/* The plugin's words. */
void site_want(enum serin_want_kind kind, const struct site_object *object, uint32_t offset,
               uint32_t length);
/* A node asks until it has the whole release, as long as `ms`. */
bool site_download(int release, uint64_t ms);
struct site_object *site_object(int release, enum site_part part);
/* Whether the depot holds the object whole, byte for byte. */
bool site_holds(const struct site_object *object);
/* The object's file, whole or in part. */
void site_path(const struct site_object *object, char path[256]);
/* Changes a byte of the object's file. */
void site_harm(const struct site_object *object, uint32_t offset);
bool site_passes_through(void);

#endif
