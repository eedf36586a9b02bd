/* The gateway's bytes on a real depot: what is fetched and what is not, restarts, budget, full
 * disks, rot, and the uplink's limits. */
#include "check_main.h"
#include "gateway_bench.h"

#include "program.h"
#include "test_keys.h"

#include <serin/adapters/protobufc.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE_A 200123u
#define SIZE_B 150000u
#define MINUTE UINT64_C(60000)

static uint64_t release_bytes(int release)
{
    uint64_t sum = 0;
    for (int part = 0; part < SITE_PARTS; part++) {
        sum += site_object(release, (enum site_part)part)->size;
    }
    return sum;
}

static struct serin_gw_status status(void)
{
    struct serin_gw_status out = {.uptime_s = 0};
    gateway_bytes_status(&site.gateway, &out);
    return out;
}

static int access_of(const struct site_object *object)
{
    char path[256];
    site_path(object, path);
    return access(path, F_OK);
}

static void begin(int stable)
{
    site_open(SIZE_A, SIZE_B, 100000);
    site_offer(stable, -1, SERIN_CANDIDATE_NONE);
    site_start();
}

static void done(void)
{
    site_stop();
    site_close();
}

START_TEST(test_one_download)
{
    begin(0);
    ck_assert(site_download(0, MINUTE));
    ck_assert_uint_eq(site.sent, release_bytes(0));
    ck_assert_uint_eq(site.gateway.meta.fetched_bytes, release_bytes(0));
    ck_assert_uint_eq(site.gateway.meta.refetched_bytes, 0);
    ck_assert_uint_ge(site_object(0, SITE_IMAGE)->whole, 1);
    struct serin_gw_status now = status();
    ck_assert_uint_eq(now.objects, 3);
    ck_assert_uint_eq(now.filling, 0);
    ck_assert(!now.pass_through);
    ck_assert_uint_eq(site.gateway.meta.served_bytes, 12345); /* told with each want */
    ck_assert_uint_ge(now.depot_bytes, SIZE_A);
    ck_assert_uint_le(now.depot_bytes, SIZE_A + 5 * 4096);
    /* Whoever asks again is told, and nothing is fetched. */
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_IMAGE), 5, 100);
    ck_assert_uint_ge(site_object(0, SITE_IMAGE)->whole, 2);
    ck_assert_uint_eq(site.sent, release_bytes(0));
    done();
}
END_TEST

static void tell_served(uint64_t served_bytes)
{
    const struct serin_want want = {.kind = SERIN_WANT_SERVED, .served_bytes = served_bytes};
    uint8_t payload[SERIN_WANT_MAX];
    size_t size = 0;
    ck_assert_int_eq(serin_protobufc_site()->encode_want(&want, payload, sizeof payload, &size),
                     SERIN_OK);
    gateway_bytes_want(&site.gateway, payload, size);
}

/* The plugin's counter begins anew with its broker, the sum does not; it goes on over restarts of
 * the gateway. Caught: the counter itself as the sum; a restart of the broker not seen; the whole
 * counter added again after a restart of the gateway. */
/* Whoever asks for a patch has it filled as any other object: the route table first, then the
 * patch's piece table, each once; and after a restart nothing again. */
START_TEST(test_patches)
{
    struct site_object *patch = &site.extras[SITE_PATCH], *small = &site.extras[SITE_SMALL_PATCH];
    begin(0);
    site_offer_routes(0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 10; i++) {
            site_want(SERIN_WANT_MISSING, patch, 0, 4096);
            site_want(SERIN_WANT_MISSING, small, 0, 4096);
            site_pass(1000);
        }
        for (int i = 0; i < SITE_EXTRAS; i++) {
            ck_assert_msg(site_holds(&site.extras[i]), "object %d is not here", i);
            ck_assert_uint_eq(site.extras[i].sent, site.extras[i].size);
        }
        ck_assert_uint_ge(patch->whole, 1);
        ck_assert_uint_ge(small->whole, 1);
        ck_assert_uint_eq(site_object(0, SITE_IMAGE)->sent, 0);
        site_stop();
        site_start();
    }
    done();
}
END_TEST

/* A table leads to no patch of what is not offered: a release that no directive names, or a halted
 * candidate. */
START_TEST(test_patches_to_nothing)
{
    const enum serin_candidate_state states[] = {SERIN_CANDIDATE_NONE, SERIN_CANDIDATE_HALTED};
    for (int i = 0; i < 2; i++) {
        begin(0);
        site_offer(0, i == 0 ? -1 : 1, states[i]);
        site_offer_routes(1);
        ck_assert(site_download(0, MINUTE));
        for (int turn = 0; turn < 5; turn++) {
            site_want(SERIN_WANT_MISSING, &site.extras[SITE_PATCH], 0, 4096);
            site_pass(5000);
        }
        ck_assert(site_holds(&site.extras[SITE_ROUTES]));
        ck_assert_uint_eq(site.extras[SITE_PATCH].sent + site.extras[SITE_PATCH_TABLE].sent, 0);
        ck_assert_int_eq(site.extras[SITE_PATCH].absent, SERIN_BLOCK_REFUSED);
        done();
    }
}
END_TEST

START_TEST(test_served)
{
    static const struct {
        uint64_t heard, sum;
        bool restart;
    } rows[] = {
        {1000, 1000, false},
        {1500, 1500, false},
        {1500, 1500, true},
        {1600, 1600, false},
        {40, 1640, false}, /* the broker was started anew */
        {40, 1640, false},
        {45, 1645, true},
        {0, 1645, false},
        {7, 1652, false},
        {UINT64_MAX, UINT64_MAX, false},
        {3, UINT64_MAX, false},
    };
    site_open(SIZE_A, SIZE_B, 0);
    site_start();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].restart) {
            site_stop();
            site_start();
        }
        tell_served(rows[i].heard);
        ck_assert_msg(site.gateway.meta.served_bytes == rows[i].sum, "row %zu: %llu", i,
                      (unsigned long long)site.gateway.meta.served_bytes);
    }
    done();
}
END_TEST

/* A node that has the manifest from before asks for the image first: all that it hangs on comes by
 * itself, and the node's request is answered without being repeated. */
START_TEST(test_image_first)
{
    begin(0);
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_IMAGE), 8192, 4096);
    site_pass(100);
    ck_assert(site_object(0, SITE_IMAGE)->known[2] || site_holds(site_object(0, SITE_IMAGE)));
    site_pass(1000);
    ck_assert(site_holds(site_object(0, SITE_IMAGE)));
    ck_assert_uint_eq(site.sent, release_bytes(0));
    done();
}
END_TEST

START_TEST(test_what_is_not_offered)
{
    site_open(SIZE_A, SIZE_B, 0);
    site_start();
    struct site_object *manifest = site_object(0, SITE_MANIFEST);
    /* Nothing is held: it may come. */
    site_want(SERIN_WANT_MISSING, manifest, 0, 592);
    ck_assert_int_eq(manifest->absent, SERIN_BLOCK_NOT_FOUND);
    site_offer(1, 0, SERIN_CANDIDATE_HALTED);
    ck_assert(site_download(1, MINUTE));
    site_want(SERIN_WANT_MISSING, manifest, 0, 592);
    ck_assert_int_eq(manifest->absent, SERIN_BLOCK_REFUSED);
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_IMAGE), 0, 592);
    ck_assert_int_eq(site_object(0, SITE_IMAGE)->absent, SERIN_BLOCK_REFUSED);
    ck_assert_uint_eq(site.sent, release_bytes(1));
    /* A candidate of a site that has halted itself: later, perhaps. */
    site.halted = true;
    site_offer(1, 0, SERIN_CANDIDATE_ROLLING);
    site_want(SERIN_WANT_MISSING, manifest, 0, 592);
    ck_assert_int_eq(manifest->absent, SERIN_BLOCK_BUSY);
    site_pass(MINUTE);
    ck_assert_uint_eq(site.sent, release_bytes(1));
    site.halted = false;
    ck_assert(site_download(0, MINUTE));
    ck_assert_uint_eq(site.sent, release_bytes(0) + release_bytes(1));
    done();
}
END_TEST

/* What the plugin was told of an object ends with the orders that it was told by. Caught: a verdict
 * that stands for its whole wait though the directive that offers the object is here. */
START_TEST(test_verdicts_end_with_orders)
{
    begin(1);
    struct site_object *manifest = site_object(0, SITE_MANIFEST);
    ck_assert(site_download(1, MINUTE));
    site_want(SERIN_WANT_MISSING, manifest, 0, 592);
    ck_assert_int_eq(manifest->absent, SERIN_BLOCK_REFUSED);
    ck_assert_uint_gt(manifest->retry_ms, 0);
    site.halted = true;
    site_offer(1, 0, SERIN_CANDIDATE_ROLLING);
    site_pass(0);
    ck_assert_int_eq(manifest->absent, SERIN_BLOCK_BUSY);
    ck_assert_uint_eq(manifest->retry_ms, 0);
    unsigned absents = manifest->absents;
    site_want(SERIN_WANT_MISSING, manifest, 0, 592);
    ck_assert_uint_eq(manifest->absents, absents + 1);
    ck_assert_uint_gt(manifest->retry_ms, 10000);
    site.halted = false; /* by the gateway's own words, without a directive */
    site_pass(0);
    ck_assert_uint_eq(manifest->absents, absents + 2);
    ck_assert_uint_eq(manifest->retry_ms, 0);
    gateway_bytes_orders_changed(&site.gateway);
    site_pass(0);
    ck_assert_uint_eq(manifest->absents, absents + 2); /* once */
    ck_assert(site_download(0, MINUTE));
    done();
}
END_TEST

/* What two directives offer is had as the more generous one has it: a node's own wins over a site's
 * halt, and an emergency over the hours. */
START_TEST(test_two_directives)
{
    setenv("TZ", "UTC", 1);
    site_open(SIZE_A, SIZE_B, 0);
    site_offer(1, 0, SERIN_CANDIDATE_ROLLING);
    site.orders[1] = site.orders[0];
    snprintf(site.orders[1].directive.device_id, sizeof site.orders[1].directive.device_id, "d-1");
    site.order_count = 1;
    site.halted = true;
    site.config.hours_count = 1;
    site.config.hours[0].from_minute = 60;
    site.config.hours[0].to_minute = 61; /* the wall clock begins at midnight */
    site_start();
    ck_assert(!site_download(0, MINUTE));
    for (int turned = 0; turned < 2; turned++) {
        struct gateway_order first = site.orders[0];
        site.orders[0] = site.orders[1];
        site.orders[1] = first;
        site.order_count = 2;
        gateway_bytes_orders_changed(&site.gateway);
        site_want(SERIN_WANT_MISSING, site_object(0, SITE_MANIFEST), 0, 592);
        site_pass(1000);
        ck_assert(site_holds(site_object(0, SITE_MANIFEST)));
    }
    ck_assert(!site_download(0, MINUTE));
    site.orders[1].directive.flags = SERIN_DIRECTIVE_EMERGENCY;
    gateway_bytes_orders_changed(&site.gateway);
    ck_assert(site_download(0, MINUTE));
    done();
}
END_TEST

/* A halt in the middle of an image stops it, of the cloud or of the site's own. */
START_TEST(test_halt_midway)
{
    for (int own = 0; own < 2; own++) {
        site_open(SIZE_A, SIZE_B, 0);
        site.bytes_per_s = 8000;
        site_offer(1, 0, SERIN_CANDIDATE_ROLLING);
        site_start();
        ck_assert(site_download(1, MINUTE));
        for (unsigned i = 0; i < 10; i++) {
            site_want(SERIN_WANT_MISSING, site_object(0, SITE_IMAGE), 0, 4096);
            site_pass(1000);
        }
        ck_assert_uint_gt(site_object(0, SITE_IMAGE)->sent, 0);
        if (own) {
            site.halted = true;
        } else {
            site_offer(1, 0, SERIN_CANDIDATE_HALTED);
        }
        site_pass(0);
        unsigned gets = site.gets;
        site_pass(10 * MINUTE);
        ck_assert_uint_eq(site.gets, gets);
        ck_assert_int_eq(site_object(0, SITE_IMAGE)->absent,
                         own ? SERIN_BLOCK_BUSY : SERIN_BLOCK_REFUSED);
        done();
    }
}
END_TEST

/* A manifest that another key signed is not stored, and nothing under it is asked for. */
START_TEST(test_strange_manifest)
{
    site_open(SIZE_A, 0, 0);
    site_offer(0, -1, SERIN_CANDIDATE_NONE);
    site.releases[0].manifest[SERIN_MANIFEST_SIZE_P256 - 1] ^= 1;
    site_start();
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_MANIFEST), 0, 592);
    site_pass(MINUTE / 2);
    ck_assert(!site_holds(site_object(0, SITE_MANIFEST)));
    ck_assert_uint_ge(site.gets, 3);
    ck_assert_uint_le(site.gets, 6);
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_IMAGE), 0, 592);
    ck_assert_uint_eq(site_object(0, SITE_IMAGE)->sent, 0);
    /* The right one comes in the end: a cache upstream was bad. */
    site.releases[0].manifest[SERIN_MANIFEST_SIZE_P256 - 1] ^= 1;
    ck_assert(site_download(0, 3 * MINUTE));
    done();
}
END_TEST

START_TEST(test_no_trust_yet)
{
    site_open(SIZE_A, 0, 0);
    site_offer(0, -1, SERIN_CANDIDATE_NONE);
    site.has_trust = false;
    site_start();
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_MANIFEST), 0, 592);
    site_pass(MINUTE);
    ck_assert_uint_eq(site.gets, 0);
    site.has_trust = true;
    gateway_bytes_orders_changed(&site.gateway);
    ck_assert(site_download(0, MINUTE));
    done();
}
END_TEST

/* A restart takes the part file up by itself, and asks only for what it lacks. */
START_TEST(test_restart)
{
    begin(0);
    site.bytes_per_s = 8000;
    (void)site_download(0, 15000);
    uint64_t before = site_object(0, SITE_IMAGE)->sent;
    ck_assert_uint_gt(before, 50000);
    ck_assert_uint_lt(before, SIZE_A);
    site_stop();
    memset(site_object(0, SITE_IMAGE)->known, 0, sizeof site_object(0, SITE_IMAGE)->known);
    site_start();
    site_pass(100);
    ck_assert(site_object(0, SITE_IMAGE)->known[0]);
    site_pass(2 * MINUTE);
    ck_assert(site_holds(site_object(0, SITE_IMAGE)));
    /* A piece that was coming, and the window that was under way. */
    ck_assert_uint_le(site_object(0, SITE_IMAGE)->sent, SIZE_A + 4096);
    done();
}
END_TEST

START_TEST(test_harmed_part_file)
{
    for (int how = 0; how < 2; how++) {
        begin(0);
        site.bytes_per_s = 8000;
        (void)site_download(0, 15000);
        uint64_t before = site_object(0, SITE_IMAGE)->sent;
        site_stop();
        char path[256];
        site_path(site_object(0, SITE_IMAGE), path);
        if (how == 0) {
            site_harm(site_object(0, SITE_IMAGE), 5000);
            site_harm(site_object(0, SITE_IMAGE), 20000);
        } else {
            ck_assert_int_eq(truncate(path, 30000), 0);
        }
        site_start();
        site_pass(2 * MINUTE);
        ck_assert(site_holds(site_object(0, SITE_IMAGE)));
        uint64_t again = how == 0 ? 8192 : before; /* one that was cut is made anew */
        ck_assert_uint_le(site_object(0, SITE_IMAGE)->sent, SIZE_A + again + 4096);
        done();
    }
}
END_TEST

/* Within the budget what is not offered any more makes room, and what is offered stays. */
START_TEST(test_budget)
{
    begin(0);
    site.config.depot_budget_bytes = 260000;
    ck_assert(site_download(0, MINUTE));
    site_offer(0, 1, SERIN_CANDIDATE_ROLLING);
    /* Both are needed and do not fit: nodes are served from memory. */
    site_want(SERIN_WANT_MISSING, site_object(1, SITE_MANIFEST), 0, 592);
    site_pass(1000);
    for (uint32_t at = 0; at < SIZE_B; at += 65536) {
        site_want(SERIN_WANT_MISSING, site_object(1, SITE_IMAGE), at, 65536);
        site_pass(2000);
    }
    ck_assert(site_passes_through());
    for (uint32_t piece = 0; piece < serin_piece_count(SIZE_B); piece++) {
        ck_assert(site_object(1, SITE_IMAGE)->handed[piece]);
    }
    ck_assert(site_holds(site_object(0, SITE_IMAGE)));
    ck_assert(!site_holds(site_object(1, SITE_IMAGE)));
    ck_assert_uint_eq(site_object(1, SITE_IMAGE)->sent, SIZE_B);
    /* The old one is needed no more. */
    site_offer(1, -1, SERIN_CANDIDATE_NONE);
    site_pass(2 * MINUTE);
    ck_assert(site_holds(site_object(1, SITE_IMAGE)));
    ck_assert(!site_holds(site_object(0, SITE_IMAGE)));
    ck_assert(!site_passes_through());
    ck_assert_uint_le(status().depot_bytes, 260000);
    done();
}
END_TEST

/* A manifest that is lost while the uplink is away does not take the pins of its image with it.
 * After a restart nobody knows what it named: then nothing goes. Caught: pins through readable
 * manifests alone; eviction while one is missing; no eviction while what it named is remembered. */
START_TEST(test_lost_manifest_keeps_its_pins)
{
    for (int restart = 0; restart < 2; restart++) {
        begin(2);
        site.config.scrub_s = 60;
        site.config.depot_budget_bytes = 370000;
        ck_assert(site_download(2, MINUTE)); /* the old release, which may go */
        site_offer(0, -1, SERIN_CANDIDATE_NONE);
        ck_assert(site_download(0, MINUTE));
        site_pass(MINUTE);
        uint8_t *manifest = site.releases[0].manifest;
        manifest[SERIN_MANIFEST_SIZE_P256 - 1] ^= 1; /* upstream has no sound one */
        site_harm(site_object(0, SITE_MANIFEST), 100);
        site_pass(2 * MINUTE);
        ck_assert_int_eq(access_of(site_object(0, SITE_MANIFEST)), -1);
        if (restart) {
            site_stop();
            site_start();
        }
        site_offer(0, 1, SERIN_CANDIDATE_ROLLING);
        ck_assert(site_download(1, MINUTE) == !restart);
        ck_assert(site_holds(site_object(2, SITE_IMAGE)) == restart);
        ck_assert(site_holds(site_object(0, SITE_IMAGE)));
        ck_assert(site_holds(site_object(0, SITE_TABLE)));
        manifest[SERIN_MANIFEST_SIZE_P256 - 1] ^= 1; /* it is there again */
        site_pass(5 * MINUTE);
        ck_assert(site_holds(site_object(0, SITE_MANIFEST)));
        ck_assert(site_download(1, 2 * MINUTE));
        ck_assert(site_holds(site_object(0, SITE_IMAGE)));
        done();
    }
}
END_TEST

/* A release for hardware that this site has none of: nobody asks for its manifest, and it is not in
 * the way of others. */
START_TEST(test_manifest_nobody_asks_for)
{
    begin(0);
    site.config.depot_budget_bytes = 260000;
    ck_assert(site_download(0, MINUTE));
    site_offer(1, -1, SERIN_CANDIDATE_NONE);
    struct serin_release *stable = &site.orders[0].directive.stable;
    stable->offers[stable->offer_count] = stable->offers[0];
    memcpy(stable->offers[stable->offer_count++].manifest_id, site_object(2, SITE_MANIFEST)->name,
           32);
    gateway_bytes_orders_changed(&site.gateway);
    ck_assert(site_download(1, 2 * MINUTE));
    ck_assert(!site_holds(site_object(0, SITE_IMAGE)));
    ck_assert_uint_eq(site_object(2, SITE_TABLE)->sent + site_object(2, SITE_IMAGE)->sent, 0);
    done();
}
END_TEST

/* A disk without room for anything: every byte is served, none is stored, and all of it is kept
 * when there is room. */
START_TEST(test_full_disk)
{
    signal(SIGXFSZ, SIG_IGN);
    begin(0);
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = {.rlim_cur = 100, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_MANIFEST), 0, 592);
    site_pass(1000);
    ck_assert(site_object(0, SITE_MANIFEST)->handed[0]);
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_IMAGE), 0, 65536);
    site_pass(2000);
    ck_assert(site_object(0, SITE_TABLE)->handed[0]);
    for (uint32_t piece = 0; piece < 16; piece++) {
        ck_assert(site_object(0, SITE_IMAGE)->handed[piece]);
    }
    ck_assert(site_passes_through());
    /* From memory: neither crosses the uplink again. */
    memset(site_object(0, SITE_TABLE)->handed, 0, sizeof site_object(0, SITE_TABLE)->handed);
    uint64_t sent = site.sent;
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_TABLE), 0, 4096);
    ck_assert(site_object(0, SITE_TABLE)->handed[0]);
    site_pass(1000);
    ck_assert_uint_eq(site.sent, sent);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    site_pass(2 * MINUTE);
    ck_assert(site_holds(site_object(0, SITE_IMAGE)));
    ck_assert(site_holds(site_object(0, SITE_TABLE)));
    ck_assert(site_holds(site_object(0, SITE_MANIFEST)));
    ck_assert(!site_passes_through());
    done();
}
END_TEST

/* Without room on the disk, memory that one table fills: neither its manifest nor another table
 * drives it out while its image is being filled, and nothing crosses the uplink twice. Caught: one
 * memory for both kinds; a table in use dropped for another; a table fetched that has no place. */
START_TEST(test_memory_for_one_table)
{
    begin(0);
    struct site_object *first = site_object(0, SITE_TABLE), *other = site_object(1, SITE_TABLE);
    site.config.depot_budget_bytes = 1000;
    site.gateway.bytes->spare_bytes = first->size;
    site_offer(0, 1, SERIN_CANDIDATE_ROLLING);
    for (unsigned i = 0; i < 120; i++) {
        for (int release = 0; release < (i < 5 ? 1 : 2); release++) {
            site_want(SERIN_WANT_MISSING, site_object(release, SITE_MANIFEST), 0, 592);
            site_want(SERIN_WANT_MISSING, site_object(release, SITE_TABLE), 0, 32);
            site_want(SERIN_WANT_MISSING, site_object(release, SITE_IMAGE), i % 20 * 4096, 4096);
        }
        site_pass(1000);
    }
    ck_assert_uint_eq(first->sent, first->size);
    ck_assert_uint_eq(site_object(0, SITE_MANIFEST)->sent, 592);
    ck_assert_uint_eq(site_object(1, SITE_MANIFEST)->sent, 592);
    ck_assert(site_object(0, SITE_IMAGE)->handed[19]);
    ck_assert_uint_eq(other->sent, 0);
    ck_assert_int_eq(other->absent, SERIN_BLOCK_BUSY);
    /* The first is needed no more. */
    site_offer(1, -1, SERIN_CANDIDATE_NONE);
    site_pass(1000);
    site_want(SERIN_WANT_MISSING, site_object(1, SITE_IMAGE), 0, 4096);
    site_pass(1000);
    ck_assert(site_object(1, SITE_IMAGE)->handed[0]);
    ck_assert_uint_eq(other->sent, other->size);
    done();
}
END_TEST

/* Rot is found within the scrub interval, costs its piece, and is fetched again. */
START_TEST(test_scrub)
{
    begin(0);
    site.config.scrub_s = 600;
    ck_assert(site_download(0, MINUTE));
    site_harm(site_object(0, SITE_IMAGE), 100000);
    site_pass(10 * MINUTE);
    ck_assert(site_holds(site_object(0, SITE_IMAGE)));
    ck_assert_uint_eq(site_object(0, SITE_IMAGE)->sent, SIZE_A + 4096);
    ck_assert_uint_eq(site.gateway.meta.rotten, 1);
    site_harm(site_object(0, SITE_TABLE), 100);
    site_harm(site_object(0, SITE_MANIFEST), 100);
    site_pass(10 * MINUTE);
    ck_assert(site_holds(site_object(0, SITE_TABLE)));
    ck_assert(site_holds(site_object(0, SITE_MANIFEST)));
    site_harm(site_object(0, SITE_MANIFEST), 590); /* of the signature, which no digest covers */
    site_pass(11 * MINUTE);
    ck_assert(site_holds(site_object(0, SITE_MANIFEST)));
    ck_assert_uint_eq(site_object(0, SITE_IMAGE)->sent, SIZE_A + 4096);
    site.config.scrub_s = 60;
    site_offer(0, 1, SERIN_CANDIDATE_PAUSED);
    ck_assert(site_download(1, MINUTE));
    site_pass(MINUTE); /* what was due by the old interval */
    for (int i = 0; i < 2 * SITE_PARTS; i++) {
        site_harm(site_object(i / SITE_PARTS, (enum site_part)(i % SITE_PARTS)), 9);
    }
    site_pass(MINUTE);
    for (int i = 0; i < 2 * SITE_PARTS; i++) {
        ck_assert(site_holds(site_object(i / SITE_PARTS, (enum site_part)(i % SITE_PARTS))));
    }
    done();
}
END_TEST

/* A file that cannot be opened for a while (here a link is in its place, which is not followed) is
 * neither removed nor fetched again. Caught: any error taken for a missing or a rotten file. */
START_TEST(test_unreadable_is_not_rotten)
{
    begin(0);
    site.config.scrub_s = 60;
    ck_assert(site_download(0, MINUTE));
    site_pass(MINUTE);
    for (int part = 0; part < SITE_PARTS; part++) {
        struct site_object *object = site_object(0, (enum site_part)part);
        char path[256], aside[300];
        struct stat status;
        site_path(object, path);
        snprintf(aside, sizeof aside, "%s.aside", path);
        ck_assert_int_eq(rename(path, aside), 0);
        ck_assert_int_eq(symlink(aside, path), 0);
        site_pass(5 * MINUTE);
        site_want(SERIN_WANT_MISSING, object, 0, 592);
        site_want(SERIN_WANT_ROTTEN, object, 0, 592);
        site_pass(5 * MINUTE);
        ck_assert_int_eq(object->absent, SERIN_BLOCK_BUSY);
        ck_assert_int_eq(lstat(path, &status), 0);
        ck_assert_msg(S_ISLNK(status.st_mode), "part %d", part);
        ck_assert_int_eq(rename(aside, path), 0);
        site_pass(5 * MINUTE);
        site_want(SERIN_WANT_MISSING, object, 0, 592);
        ck_assert_uint_ge(object->whole, 2);
        ck_assert(site_holds(object));
    }
    ck_assert_uint_eq(site.sent, release_bytes(0));
    ck_assert_uint_eq(site.gateway.meta.rotten, 0);
    done();
}
END_TEST

/* A rotten table is no witness against a sound image. Caught: the table's bytes taken as they lie
 * on the disk. */
START_TEST(test_rotten_table_is_no_witness)
{
    begin(0);
    ck_assert(site_download(0, MINUTE));
    struct site_object *table = site_object(0, SITE_TABLE), *image = site_object(0, SITE_IMAGE);
    site_harm(table, 33);
    site_want(SERIN_WANT_ROTTEN, image, 4096, 4096);
    ck_assert(site_holds(image));
    site_pass(1000);
    ck_assert(site_holds(table));
    ck_assert_uint_eq(image->sent, SIZE_A);
    ck_assert_uint_eq(site.gateway.meta.rotten, 1);
    done();
}
END_TEST

/* A manifest whose key the trust record at hand does not know stays where it is, its image pinned
 * but not to be had, until a record comes that knows it; one whose key id has rotted does not.
 * Caught: removal of whatever does not verify; contents offered on the word of such a manifest. */
START_TEST(test_unknown_key_is_not_rot)
{
    begin(0);
    site.config.scrub_s = 60;
    ck_assert(site_download(0, MINUTE));
    site_pass(MINUTE);
    const struct serin_trust trust = site.trust;
    for (int restart = 0; restart < 2; restart++) {
        for (size_t i = 0; i < site.trust.key_count; i++) {
            site.trust.keys[i].key_id[0] ^= 1;
        }
        site.trust.version++;
        if (restart) {
            site_stop();
            site_start();
        }
        site_pass(5 * MINUTE);
        site_want(SERIN_WANT_MISSING, site_object(0, SITE_IMAGE), 0, 4096);
        ck_assert_int_eq(site_object(0, SITE_IMAGE)->absent, SERIN_BLOCK_REFUSED);
        ck_assert_int_eq(access_of(site_object(0, SITE_MANIFEST)), 0);
        const struct bytes_offer *image =
            bytes_offer_find(site.gateway.bytes, site_object(0, SITE_IMAGE)->name);
        ck_assert(image != NULL && image->withheld); /* and pinned, as every offer */
        site_object(0, SITE_IMAGE)->absent = SERIN_BLOCK_DATA;
        site.trust = trust;
        site_offer(0, -1, SERIN_CANDIDATE_NONE);
        unsigned told = site_object(0, SITE_IMAGE)->whole;
        site_want(SERIN_WANT_MISSING, site_object(0, SITE_IMAGE), 0, 4096);
        ck_assert_uint_gt(site_object(0, SITE_IMAGE)->whole, told);
        ck_assert_uint_eq(site_object(0, SITE_MANIFEST)->sent, 592);
    }
    site_pass(2 * MINUTE);
    site_harm(site_object(0, SITE_MANIFEST), SERIN_MANIFEST_BODY_SIZE + 5); /* of the key id */
    site_pass(5 * MINUTE);
    ck_assert(site_holds(site_object(0, SITE_MANIFEST)));
    done();
}
END_TEST

/* What is on the disk is believed only as far as it verifies, before anything is built on it. */
START_TEST(test_disk_is_not_trusted)
{
    begin(0);
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_MANIFEST), 0, 592);
    site_pass(100);
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_TABLE), 0, 32);
    site_pass(100);
    ck_assert(site_holds(site_object(0, SITE_TABLE)));
    /* A table that has rotted proves nothing. */
    site_harm(site_object(0, SITE_TABLE), 40);
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_IMAGE), 0, 4096);
    site_pass(1000);
    ck_assert(site_holds(site_object(0, SITE_TABLE)));
    ck_assert(site_holds(site_object(0, SITE_IMAGE)));
    ck_assert_uint_eq(site_object(0, SITE_TABLE)->sent,
                      (uint64_t)site_object(0, SITE_TABLE)->size * 2);
    ck_assert_uint_eq(site_object(0, SITE_IMAGE)->sent, SIZE_A);
    /* An image that was cut is not whole, whatever its name says. */
    char path[256];
    site_path(site_object(0, SITE_IMAGE), path);
    ck_assert_int_eq(truncate(path, 8192), 0);
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_IMAGE), 100000, 4096);
    site_pass(1000);
    ck_assert(site_holds(site_object(0, SITE_IMAGE)));
    /* Another release's manifest, properly signed, under this one's name. */
    site_path(site_object(0, SITE_MANIFEST), path);
    file_write(path, site_object(1, SITE_MANIFEST)->data, SERIN_MANIFEST_SIZE_P256);
    gateway_bytes_orders_changed(&site.gateway);
    site_want(SERIN_WANT_MISSING, site_object(1, SITE_IMAGE), 0, 4096);
    site_pass(1000);
    ck_assert(site_holds(site_object(0, SITE_MANIFEST)));
    ck_assert_uint_eq(site_object(1, SITE_TABLE)->sent + site_object(1, SITE_IMAGE)->sent, 0);
    done();
}
END_TEST

/* The plugin found it first. */
START_TEST(test_rotten_wants)
{
    begin(0);
    ck_assert(site_download(0, MINUTE));
    struct site_object *image = site_object(0, SITE_IMAGE);
    unsigned told = image->whole;
    site_want(SERIN_WANT_ROTTEN, image, 4096, 8192); /* a false alarm */
    ck_assert_uint_eq(image->whole, told + 1);
    ck_assert_uint_eq(site.gateway.meta.rotten, 0);
    site_harm(image, 5000);
    site_want(SERIN_WANT_ROTTEN, image, 4096, 4096);
    ck_assert(!site_holds(image));
    site_pass(1000);
    ck_assert(site_holds(image));
    ck_assert_uint_eq(image->sent, SIZE_A + 4096);
    ck_assert_uint_eq(site.gateway.meta.rotten, 1);
    /* A file that was cut is made anew; tables and manifests come again as a whole. */
    char path[256];
    site_path(image, path);
    ck_assert_int_eq(truncate(path, 50000), 0);
    site_want(SERIN_WANT_ROTTEN, image, 49152, 4096);
    site_pass(2000);
    ck_assert(site_holds(image));
    for (int part = SITE_MANIFEST; part <= SITE_TABLE; part++) {
        struct site_object *object = site_object(0, (enum site_part)part);
        site_harm(object, 20);
        site_want(SERIN_WANT_ROTTEN, object, 0, 32);
        site_pass(1000);
        ck_assert(site_holds(object));
        ck_assert_uint_eq(object->sent, (uint64_t)object->size * 2);
    }
    site_want(SERIN_WANT_ROTTEN, image, UINT32_MAX - 10, 10);
    site_want(SERIN_WANT_ROTTEN, site_object(1, SITE_IMAGE), 0, 4096);
    ck_assert(site_holds(image));
    done();
}
END_TEST

START_TEST(test_reports_first)
{
    begin(0);
    site.waiting = true;
    site_want(SERIN_WANT_MISSING, site_object(0, SITE_MANIFEST), 0, 592);
    site_pass(MINUTE);
    ck_assert_uint_eq(site.gets, 0);
    site.waiting = false;
    site_pass(200);
    ck_assert(site_holds(site_object(0, SITE_MANIFEST)));
    done();
}
END_TEST

START_TEST(test_rate)
{
    site_open(SIZE_A, 0, 0);
    site.config.rate_bytes_per_s = 8000;
    site_offer(0, -1, SERIN_CANDIDATE_NONE);
    site_start();
    uint64_t began = site.gateway.mono_ms;
    ck_assert(site_download(0, 3 * MINUTE));
    uint64_t took = site.gateway.mono_ms - began;
    /* Fifteen kibibytes of burst, then the rate, over packets and all. */
    ck_assert_uint_ge(took, (SIZE_A - 16384) / 8);
    ck_assert_uint_le(took, SIZE_A / 8 * 11 / 10 + 5000);
    done();
}
END_TEST

START_TEST(test_hours)
{
    setenv("TZ", "UTC", 1);
    site_open(SIZE_A, SIZE_B, 0);
    site.config.hours_count = 1;
    site.config.hours[0].from_minute = 22 * 60;
    site.config.hours[0].to_minute = 5 * 60;
    site.gateway.wall_s = 1767225600 + 12 * 3600; /* noon */
    site_offer(0, -1, SERIN_CANDIDATE_NONE);
    site_start();
    ck_assert(!site_download(0, 10 * MINUTE));
    ck_assert(site_holds(site_object(0, SITE_MANIFEST))); /* on which every decision hangs */
    ck_assert_uint_eq(site_object(0, SITE_TABLE)->sent + site_object(0, SITE_IMAGE)->sent, 0);
    /* An emergency does not wait for the night. */
    site_offer(0, 1, SERIN_CANDIDATE_ROLLING);
    site.orders[0].directive.flags = SERIN_DIRECTIVE_EMERGENCY;
    ck_assert(site_download(1, MINUTE));
    site.orders[0].directive.flags = 0;
    gateway_bytes_orders_changed(&site.gateway);
    site.gateway.wall_s = 1767225600 + 23 * 3600;
    ck_assert(site_download(0, 3 * MINUTE));
    done();
}
END_TEST

START_TEST(test_prefetch)
{
    site_open(SIZE_A, SIZE_B, 0);
    site.config.prefetch = true;
    site_offer(0, 1, SERIN_CANDIDATE_PAUSED);
    site_start();
    site_pass(2 * MINUTE);
    ck_assert(site_holds(site_object(0, SITE_IMAGE)));
    ck_assert(site_holds(site_object(1, SITE_IMAGE)));
    ck_assert_uint_eq(site.sent, release_bytes(0) + release_bytes(1));
    done();
}
END_TEST

START_TEST(test_connections)
{
    begin(0);
    site.bytes_per_s = 8000;
    (void)site_download(0, 10000);
    site.gateway.up_connected = false;
    site.queued = 0;
    gateway_bytes_up(&site.gateway, false);
    unsigned gets = site.gets;
    site_pass(10 * MINUTE);
    ck_assert_uint_eq(site.gets, gets);
    /* The site's broker restarts: the plugin hears everything again. */
    memset(site_object(0, SITE_IMAGE)->known, 0, sizeof site_object(0, SITE_IMAGE)->known);
    site.gateway.site_connected = false;
    site_pass(1000);
    site.gateway.site_connected = true;
    gateway_bytes_site_connected(&site.gateway);
    site_pass(0);
    ck_assert(site_object(0, SITE_IMAGE)->known[0]);
    site.gateway.up_connected = true;
    gateway_bytes_up(&site.gateway, true);
    site_pass(2 * MINUTE);
    ck_assert(site_holds(site_object(0, SITE_IMAGE)));
    ck_assert_uint_le(site.gateway.meta.fetched_bytes, release_bytes(0));
    done();
}
END_TEST

START_TEST(test_malformed)
{
    begin(0);
    static uint8_t noise[300];
    for (unsigned i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)(i * 37 + 11);
        gateway_bytes_block(&site.gateway, noise, i);
        gateway_bytes_want(&site.gateway, noise, i);
    }
    ck_assert_uint_eq(site.gets, 0);
    /* A block that nobody asked for is counted, and of no use. */
    struct serin_block stray = {.token = 7, .status = SERIN_BLOCK_DATA, .data = noise};
    stray.data_size = stray.object_size = stray.window_end = sizeof noise;
    static uint8_t payload[1024];
    size_t size;
    ck_assert_int_eq(site.gateway.codec->encode_block(&stray, payload, sizeof payload, &size),
                     SERIN_OK);
    gateway_bytes_block(&site.gateway, payload, size);
    ck_assert_uint_eq(site.gateway.meta.fetched_bytes, sizeof noise);
    ck_assert_uint_eq(site.gateway.meta.refetched_bytes, sizeof noise);
    ck_assert(site_download(0, MINUTE));
    done();
}
END_TEST

START_TEST(test_second_writer)
{
    begin(0);
    struct gateway other = site.gateway;
    other.bytes = NULL;
    ck_assert_int_eq(gateway_bytes_open(&other), SERIN_ERR_BUSY);
    ck_assert_ptr_nonnull(strstr(other.why, site.depot));
    gateway_bytes_close(&other);
    done();
}
END_TEST

#ifdef SERIN_FAULT_POINTS
/* Killed anywhere, the next program goes on with what was stored. */
START_TEST(test_killed)
{
    static const char *const points[] = {"gateway.want.heard:2", "gateway.piece.stored:30",
                                         "depot.part.before_rename:1", "gateway.object.finished:1",
                                         "depot.put.stored:2"};
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        site_open(SIZE_A, 0, 0);
        site_offer(0, -1, SERIN_CANDIDATE_NONE);
        setenv("SERIN_FAULT", points[i], 1);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            site_start();
            (void)site_download(0, MINUTE);
            _exit(0);
        }
        int ended = 0;
        ck_assert_int_eq(waitpid(child, &ended, 0), child);
        ck_assert_msg(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL, "%s did not fire",
                      points[i]);
        unsetenv("SERIN_FAULT");
        site_start();
        ck_assert(site_download(0, 2 * MINUTE));
        /* A piece that was stored is not fetched again. */
        if (i == 1) {
            ck_assert_uint_le(site_object(0, SITE_IMAGE)->sent, SIZE_A - 29 * 4096);
        } else if (i >= 2 && i <= 3) {
            ck_assert_uint_eq(site_object(0, SITE_IMAGE)->sent, 0);
        }
        done();
    }
}
END_TEST
#endif

int main(void)
{
    const TTest *const tests[] = {test_one_download,
                                  test_patches,
                                  test_patches_to_nothing,
                                  test_served,
                                  test_image_first,
                                  test_what_is_not_offered,
                                  test_verdicts_end_with_orders,
                                  test_two_directives,
                                  test_halt_midway,
                                  test_strange_manifest,
                                  test_no_trust_yet,
                                  test_restart,
                                  test_harmed_part_file,
                                  test_budget,
                                  test_lost_manifest_keeps_its_pins,
                                  test_manifest_nobody_asks_for,
                                  test_full_disk,
                                  test_memory_for_one_table,
                                  test_scrub,
                                  test_unreadable_is_not_rotten,
                                  test_rotten_table_is_no_witness,
                                  test_unknown_key_is_not_rot,
                                  test_disk_is_not_trusted,
                                  test_rotten_wants,
                                  test_reports_first,
                                  test_rate,
                                  test_hours,
                                  test_prefetch,
                                  test_connections,
                                  test_malformed,
                                  test_second_writer,
#ifdef SERIN_FAULT_POINTS
                                  test_killed,
#endif
                                  NULL};
    test_keys_open();
    int failed = check_run("gateway_bytes", tests);
    test_keys_close();
    return failed;
}
