/* The order guard: its memory on the disk, its judgements, and what halts mean for objects. */
#include "check_main.h"

#include <serin/crc32.h>
#include <serin/plugin/guard.h>

#include <stdio.h>
#include <string.h>

#define ENTRIES      16u
#define OBJECTS      64u
#define LEAP         9u
#define CHANNEL      "serin/1/directive/lamp/stable"
#define BETA         "serin/1/directive/lamp/beta"
#define PAYLOAD      ((const uint8_t *)"a payload")
#define PAYLOAD_SIZE 9u
#define RECORD_SIZE  (SERIN_GUARD_HEAD_SIZE + PAYLOAD_SIZE + 4u)
#define TRUST        "serin/1/trust/lamp"

static struct serin_guard guard;
static struct serin_guard_entry entries[ENTRIES];
static struct serin_guard_object objects[OBJECTS];

/* A disk with one record for each key, which can be told to fail. */
static struct {
    char key[SERIN_TOPIC_MAX];
    uint8_t record[SERIN_GUARD_RECORD_MAX];
    size_t size;
} disk[ENTRIES];
static unsigned disk_count, saves;
static enum serin_error disk_error;
static bool depot_readable;

static enum serin_error save(void *ctx, const char *key, const uint8_t *record, size_t size)
{
    ck_assert_ptr_eq(ctx, &guard);
    if (disk_error != SERIN_OK) {
        return disk_error;
    }
    saves++;
    unsigned at = 0;
    while (at < disk_count && strcmp(disk[at].key, key) != 0) {
        at++;
    }
    ck_assert_uint_lt(at, ENTRIES);
    disk_count += at == disk_count;
    strcpy(disk[at].key, key);
    memcpy(disk[at].record, record, size);
    disk[at].size = size;
    return SERIN_OK;
}

/* The depot of these tests: manifest n names image n + 100 and pieces n + 200. Manifest 50 names
 * manifest 1's image. */
static void name_of(uint8_t number, uint8_t name[SERIN_SHA256_SIZE])
{
    memset(name, number, SERIN_SHA256_SIZE);
}

static void lookup(void *ctx, const uint8_t manifest_id[SERIN_SHA256_SIZE],
                   struct serin_guard_objects *named)
{
    ck_assert_ptr_eq(ctx, &guard);
    *named = (struct serin_guard_objects){.known = depot_readable,
                                          .image_size = manifest_id[0] * 1000u,
                                          .pieces_size = manifest_id[0]};
    name_of((uint8_t)((manifest_id[0] == 50 ? 1 : manifest_id[0]) + 100), named->image);
    name_of((uint8_t)(manifest_id[0] + 200), named->pieces);
}

/* No route table is here. */
static bool no_routes(void *ctx, const uint8_t name[SERIN_SHA256_SIZE], struct serin_routes *routes)
{
    (void)ctx;
    (void)name;
    (void)routes;
    return false;
}

static const struct serin_guard_ops ops = {.save = save, .lookup = lookup, .routes = no_routes};

static void restart(void)
{
    memset(entries, 0, sizeof entries);
    memset(objects, 0, sizeof objects);
    serin_guard_init(&guard, &ops, &guard, entries, ENTRIES, objects, OBJECTS, LEAP);
    for (unsigned i = 0; i < disk_count; i++) {
        ck_assert_int_eq(serin_guard_restore(&guard, disk[i].record, disk[i].size), SERIN_OK);
    }
}

static void fresh(void)
{
    disk_count = saves = 0;
    disk_error = SERIN_OK;
    depot_readable = true;
    restart();
}

/* A directive's view: stable and candidate by number, 0 for none. */
static struct serin_guard_view view(uint32_t epoch, uint32_t sequence, uint8_t stable,
                                    uint8_t candidate, enum serin_candidate_state state)
{
    struct serin_directive directive = {.order = {epoch, sequence}, .candidate_state = state};
    directive.stable.offer_count = stable != 0;
    directive.candidate.offer_count = candidate != 0;
    name_of(stable, directive.stable.offers[0].manifest_id);
    name_of(candidate, directive.candidate.offers[0].manifest_id);
    uint8_t content[SERIN_SHA256_SIZE] = {stable, candidate, (uint8_t)state};
    struct serin_guard_view result;
    serin_guard_view_directive(&directive, content, &result);
    return result;
}

static enum serin_error accept(const char *topic, struct serin_guard_view what)
{
    return serin_guard_accept(&guard, topic, &what, PAYLOAD, PAYLOAD_SIZE);
}

static bool refused(const char *id, uint8_t number)
{
    uint8_t name[SERIN_SHA256_SIZE];
    name_of(number, name);
    return serin_guard_rule(&guard, id, name, 0).refused;
}

START_TEST(test_order_only_grows)
{
    fresh();
    ck_assert_int_eq(accept(CHANNEL, view(1, 5, 1, 2, SERIN_CANDIDATE_ROLLING)), SERIN_OK);
    ck_assert_int_eq(accept(CHANNEL, view(1, 4, 1, 2, SERIN_CANDIDATE_ROLLING)), SERIN_ERR_STALE);
    ck_assert_int_eq(accept(CHANNEL, view(0, 9, 1, 2, SERIN_CANDIDATE_ROLLING)), SERIN_ERR_STALE);
    ck_assert_int_eq(accept(CHANNEL, view(1, 5, 1, 2, SERIN_CANDIDATE_ROLLING)), SERIN_OK);
    ck_assert_uint_eq(saves, 1); /* the same again needs no write */
    ck_assert_int_eq(accept(CHANNEL, view(1, 5, 1, 2, SERIN_CANDIDATE_HALTED)), SERIN_ERR_STATE);
    ck_assert_int_eq(accept(CHANNEL, view(1, 5, 1, 3, SERIN_CANDIDATE_ROLLING)), SERIN_ERR_STATE);
    ck_assert_int_eq(accept(CHANNEL, view(1, 6, 1, 2, SERIN_CANDIDATE_HALTED)), SERIN_OK);
    ck_assert_int_eq(accept(CHANNEL, view(2, 1, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    ck_assert_int_eq(accept(CHANNEL, view(1, 7, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_ERR_STALE);
    struct serin_guard_view longer_lease = view(2, 1, 1, 0, SERIN_CANDIDATE_NONE);
    longer_lease.content[31] ^= 1;
    ck_assert_int_eq(accept(CHANNEL, longer_lease), SERIN_ERR_STATE);
    /* Each topic has an order of its own. */
    ck_assert_int_eq(accept(BETA, view(1, 1, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    ck_assert_uint_eq(saves, 4);
}
END_TEST

/* By one message, or a few, nobody comes near the end of the orders. */
START_TEST(test_epochs_do_not_leap)
{
    fresh();
    ck_assert_int_eq(accept(CHANNEL, view(UINT32_MAX, UINT32_MAX, 1, 0, SERIN_CANDIDATE_NONE)),
                     SERIN_ERR_INVALID);
    ck_assert_int_eq(accept(CHANNEL, view(LEAP + 1, 1, 1, 0, SERIN_CANDIDATE_NONE)),
                     SERIN_ERR_INVALID);
    ck_assert_uint_eq(guard.entry_count, 0);
    ck_assert_int_eq(accept(CHANNEL, view(LEAP, 1, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    ck_assert_int_eq(accept(CHANNEL, view(2 * LEAP + 1, 1, 1, 0, SERIN_CANDIDATE_NONE)),
                     SERIN_ERR_INVALID);
    ck_assert_int_eq(accept(CHANNEL, view(UINT32_MAX, 1, 1, 0, SERIN_CANDIDATE_NONE)),
                     SERIN_ERR_INVALID);
    ck_assert_uint_eq(saves, 1); /* what leaps is not written either */
    /* A sequence may be any; a claim of devices raises the epoch by nine. */
    ck_assert_int_eq(accept(CHANNEL, view(LEAP, UINT32_MAX, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    ck_assert_int_eq(accept(CHANNEL, view(2 * LEAP, 1, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    /* All directives share one space of orders, also after a restart. */
    restart();
    ck_assert_int_eq(accept(BETA, view(3 * LEAP + 1, 1, 1, 0, SERIN_CANDIDATE_NONE)),
                     SERIN_ERR_INVALID);
    ck_assert_int_eq(accept(BETA, view(3 * LEAP, 1, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    ck_assert_int_eq(accept(CHANNEL, view(4 * LEAP, 1, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
}
END_TEST

START_TEST(test_trust_versions_do_not_leap)
{
    static const struct {
        const char *topic;
        uint32_t version;
        enum serin_error error;
    } cases[] = {{TRUST, UINT32_MAX, SERIN_ERR_INVALID},
                 {TRUST, LEAP + 1, SERIN_ERR_INVALID},
                 {TRUST, LEAP, SERIN_OK},
                 {TRUST, 2 * LEAP + 1, SERIN_ERR_INVALID},
                 {TRUST, 2 * LEAP, SERIN_OK},
                 /* Each product has versions of its own. */
                 {"serin/1/trust/lock", LEAP + 1, SERIN_ERR_INVALID}};
    fresh();
    /* The epochs of directives are nothing to them. */
    ck_assert_int_eq(accept(CHANNEL, view(5, UINT32_MAX, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint8_t content[SERIN_SHA256_SIZE] = {1};
        struct serin_guard_view trust;
        serin_guard_view_trust(cases[i].version, content, &trust);
        ck_assert_msg(accept(cases[i].topic, trust) == cases[i].error, "case %zu", i);
    }
}
END_TEST

START_TEST(test_memory_survives)
{
    fresh();
    struct serin_guard_view trust;
    uint8_t content[SERIN_SHA256_SIZE] = {1};
    serin_guard_view_trust(7, content, &trust);
    ck_assert_int_eq(accept(CHANNEL, view(3, 9, 1, 2, SERIN_CANDIDATE_HALTED)), SERIN_OK);
    ck_assert_int_eq(
        accept("serin/1/dev/sensor-01/directive", view(3, 2, 4, 0, SERIN_CANDIDATE_NONE)),
        SERIN_OK);
    ck_assert_int_eq(accept(TRUST, trust), SERIN_OK);
    restart();
    ck_assert_uint_eq(guard.entry_count, 3);
    ck_assert_int_eq(accept(CHANNEL, view(3, 8, 1, 2, SERIN_CANDIDATE_ROLLING)), SERIN_ERR_STALE);
    ck_assert_int_eq(accept(CHANNEL, view(3, 9, 1, 2, SERIN_CANDIDATE_HALTED)), SERIN_OK);
    serin_guard_view_trust(6, content, &trust);
    ck_assert_int_eq(accept(TRUST, trust), SERIN_ERR_STALE);
    serin_guard_view_trust(7, content, &trust);
    ck_assert_int_eq(accept(TRUST, trust), SERIN_OK);
    content[0] = 2;
    serin_guard_view_trust(7, content, &trust);
    ck_assert_int_eq(accept(TRUST, trust), SERIN_ERR_STATE);
    ck_assert(refused("any", 2));
    ck_assert_str_eq(disk[1].key, "dev.sensor-01.directive");
    /* What was published can be published again, byte for byte. */
    char topic[SERIN_TOPIC_MAX];
    const uint8_t *payload;
    size_t size;
    ck_assert_int_eq(serin_guard_recall(disk[1].record, disk[1].size, topic, &payload, &size),
                     SERIN_OK);
    ck_assert_str_eq(topic, "serin/1/dev/sensor-01/directive");
    ck_assert_uint_eq(size, PAYLOAD_SIZE);
    ck_assert_mem_eq(payload, PAYLOAD, size);
    disk[1].record[disk[1].size - 5] ^= 1;
    ck_assert_int_eq(serin_guard_recall(disk[1].record, disk[1].size, topic, &payload, &size),
                     SERIN_ERR_CRC);
}
END_TEST

START_TEST(test_a_failed_write_refuses)
{
    fresh();
    ck_assert_int_eq(accept(CHANNEL, view(1, 1, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    static const enum serin_error errors[] = {SERIN_ERR_NO_SPACE, SERIN_ERR_IO};
    for (size_t i = 0; i < 2; i++) {
        disk_error = errors[i];
        ck_assert_int_eq(accept(CHANNEL, view(1, 2, 1, 2, SERIN_CANDIDATE_ROLLING)), errors[i]);
        ck_assert_int_eq(accept(BETA, view(1, 1, 1, 0, SERIN_CANDIDATE_NONE)), errors[i]);
        ck_assert_uint_eq(guard.entry_count, 1);
        /* Nothing has changed: the old one is still the one that is delivered. */
        ck_assert_int_eq(serin_guard_deliver(&guard, CHANNEL, (struct serin_order){1, 1}),
                         SERIN_OK);
    }
    disk_error = SERIN_OK;
    ck_assert_int_eq(accept(CHANNEL, view(1, 2, 1, 2, SERIN_CANDIDATE_ROLLING)), SERIN_OK);
}
END_TEST

/* Caught: a halt that a full disk keeps from the fleet; one that is not stored later; a rolling one
 * that passes with it. */
START_TEST(test_a_failed_write_lets_a_stop_pass)
{
    static const enum serin_candidate_state stops[] = {SERIN_CANDIDATE_PAUSED,
                                                       SERIN_CANDIDATE_HALTED};
    for (size_t i = 0; i < 2; i++) {
        fresh();
        disk_error = SERIN_ERR_NO_SPACE;
        ck_assert_int_eq(accept(CHANNEL, view(1, 1, 1, 2, stops[i])), SERIN_ERR_NO_SPACE);
        disk_error = SERIN_OK;
        ck_assert_int_eq(accept(CHANNEL, view(1, 2, 1, 2, SERIN_CANDIDATE_ROLLING)), SERIN_OK);
        disk_error = SERIN_ERR_IO;
        ck_assert_int_eq(accept(CHANNEL, view(1, 3, 1, 2, stops[i])), SERIN_OK);
        ck_assert_int_eq(serin_guard_deliver(&guard, CHANNEL, (struct serin_order){1, 2}),
                         SERIN_ERR_STALE);
        ck_assert(refused("d-1", 102) == (stops[i] == SERIN_CANDIDATE_HALTED));
        ck_assert_int_eq(accept(CHANNEL, view(1, 2, 1, 2, SERIN_CANDIDATE_ROLLING)),
                         SERIN_ERR_STALE);
        ck_assert_int_eq(accept(CHANNEL, view(1, 4, 1, 2, SERIN_CANDIDATE_ROLLING)), SERIN_ERR_IO);
        disk_error = SERIN_OK;
        ck_assert_int_eq(accept(CHANNEL, view(1, 3, 1, 2, stops[i])), SERIN_OK);
        restart();
        ck_assert_int_eq(serin_guard_deliver(&guard, CHANNEL, (struct serin_order){1, 2}),
                         SERIN_ERR_STALE);
    }
}
END_TEST

START_TEST(test_delivery)
{
    fresh();
    ck_assert_int_eq(serin_guard_deliver(&guard, CHANNEL, (struct serin_order){0, 1}), SERIN_OK);
    ck_assert_int_eq(accept(CHANNEL, view(2, 5, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    ck_assert_int_eq(serin_guard_deliver(&guard, CHANNEL, (struct serin_order){2, 4}),
                     SERIN_ERR_STALE);
    ck_assert_int_eq(serin_guard_deliver(&guard, CHANNEL, (struct serin_order){1, 9}),
                     SERIN_ERR_STALE);
    ck_assert_int_eq(serin_guard_deliver(&guard, CHANNEL, (struct serin_order){2, 5}), SERIN_OK);
    ck_assert_int_eq(serin_guard_deliver(&guard, BETA, (struct serin_order){0, 1}), SERIN_OK);
}
END_TEST

START_TEST(test_room)
{
    fresh();
    char topic[SERIN_TOPIC_MAX];
    unsigned room = ENTRIES - ENTRIES / 4;
    for (unsigned i = 0; i < room; i++) {
        snprintf(topic, sizeof topic, "serin/1/dev/d%u/directive", i);
        ck_assert_int_eq(accept(topic, view(1, 1, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    }
    ck_assert_int_eq(accept(CHANNEL, view(1, 1, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_ERR_NO_SPACE);
    ck_assert_uint_eq(saves, room);
    for (unsigned i = 0; i < room; i++) { /* those that are there go on */
        snprintf(topic, sizeof topic, "serin/1/dev/d%u/directive", i);
        ck_assert_int_eq(accept(topic, view(1, 2, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    }
}
END_TEST

START_TEST(test_damaged_records)
{
    fresh();
    ck_assert_int_eq(accept(CHANNEL, view(1, 1, 1, 2, SERIN_CANDIDATE_ROLLING)), SERIN_OK);
    uint8_t record[RECORD_SIZE + 1];
    memcpy(record, disk[0].record, RECORD_SIZE);
    ck_assert_int_eq(serin_guard_restore(&guard, record, RECORD_SIZE), SERIN_ERR_EXISTS);
    disk_count = 0;
    restart();
    for (size_t size = 0; size < RECORD_SIZE; size++) {
        ck_assert_int_eq(serin_guard_restore(&guard, record, size), SERIN_ERR_TRUNCATED);
    }
    ck_assert_int_eq(serin_guard_restore(&guard, record, sizeof record), SERIN_ERR_TOO_LARGE);
    for (size_t bit = 0; bit < 8u * RECORD_SIZE; bit++) {
        record[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_int_ne(serin_guard_restore(&guard, record, RECORD_SIZE), SERIN_OK);
        record[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ck_assert_uint_eq(guard.entry_count, 0);
    ck_assert_int_eq(serin_guard_restore(&guard, record, RECORD_SIZE), SERIN_OK);
}
END_TEST

/* Records whose CRC is right but whose content is not. */
START_TEST(test_forged_records)
{
    static const struct {
        size_t at;
        uint8_t value;
        enum serin_error error;
    } cases[] = {
        {4, 2, SERIN_ERR_VERSION},      {6, 0, SERIN_ERR_VERSION},
        {12, 0, SERIN_ERR_INVALID},     {16, 0, SERIN_ERR_INVALID},
        {16, 5, SERIN_ERR_INVALID},     {17, 3, SERIN_ERR_INVALID},
        {18, 3, SERIN_ERR_INVALID},     {19, 1, SERIN_ERR_RESERVED},
        {23, 1, SERIN_ERR_RESERVED},    {24, 'x', SERIN_ERR_INVALID},
        {183, 'x', SERIN_ERR_RESERVED}, {344, 8, SERIN_ERR_TOO_LARGE},
        {344, 10, SERIN_ERR_TRUNCATED}, {346, 1, SERIN_ERR_RESERVED},
    };
    fresh();
    ck_assert_int_eq(accept(CHANNEL, view(0, 1, 1, 2, SERIN_CANDIDATE_ROLLING)), SERIN_OK);
    disk_count = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t record[RECORD_SIZE];
        memcpy(record, disk[0].record, sizeof record);
        record[cases[i].at] = cases[i].value;
        serin_put_le32(record + sizeof record - 4, serin_crc32(0, record, sizeof record - 4));
        restart();
        ck_assert_msg(serin_guard_restore(&guard, record, sizeof record) == cases[i].error,
                      "byte %zu", cases[i].at);
    }
}
END_TEST

/* What no publish leaves behind must not come back by a restart: an empty message would clear its
 * topic, and other topics are none of the guard's. */
START_TEST(test_records_that_were_never_written)
{
    static const char *const topics[] = {"serin/1/dev/d/report", "serin/1/dev/d/ack",
                                         "serin/1/presence/d", "serin/1/hold/lamp"};
    uint8_t record[RECORD_SIZE];
    fresh();
    ck_assert_int_eq(accept(CHANNEL, view(1, 1, 1, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    disk_count = 0;
    restart();
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        memcpy(record, disk[0].record, sizeof record);
        memset(record + 24, 0, SERIN_TOPIC_MAX);
        memcpy(record + 24, topics[i], strlen(topics[i]));
        serin_put_le32(record + sizeof record - 4, serin_crc32(0, record, sizeof record - 4));
        ck_assert_int_eq(serin_guard_restore(&guard, record, sizeof record), SERIN_ERR_INVALID);
    }
    memcpy(record, disk[0].record, sizeof record);
    serin_put_le16(record + 344, 0);
    serin_put_le32(record + SERIN_GUARD_HEAD_SIZE, serin_crc32(0, record, SERIN_GUARD_HEAD_SIZE));
    ck_assert_int_eq(serin_guard_restore(&guard, record, SERIN_GUARD_HEAD_SIZE + 4),
                     SERIN_ERR_INVALID);
    ck_assert_uint_eq(guard.entry_count, 0);
}
END_TEST

START_TEST(test_a_halt_closes_its_objects)
{
    fresh();
    ck_assert_int_eq(accept(CHANNEL, view(1, 1, 1, 2, SERIN_CANDIDATE_ROLLING)), SERIN_OK);
    ck_assert(!refused("d", 1) && !refused("d", 2) && !refused("d", 102) && !refused("d", 202));
    ck_assert_int_eq(accept(CHANNEL, view(1, 2, 1, 2, SERIN_CANDIDATE_PAUSED)), SERIN_OK);
    ck_assert(!refused("d", 2));
    ck_assert_int_eq(accept(CHANNEL, view(1, 3, 1, 2, SERIN_CANDIDATE_HALTED)), SERIN_OK);
    ck_assert(refused("d", 2));
    ck_assert(refused("d", 102));
    ck_assert(refused("d", 202));
    ck_assert(!refused("d", 1) && !refused("d", 101) &&
              !refused("d", 201)); /* the stable release */
    ck_assert(!refused("d", 77));  /* nobody's */
    ck_assert_int_eq(accept(CHANNEL, view(1, 4, 1, 3, SERIN_CANDIDATE_ROLLING)), SERIN_OK);
    ck_assert(!refused("d", 3));
}
END_TEST

START_TEST(test_what_others_offer_stays_open)
{
    fresh();
    ck_assert_int_eq(accept(CHANNEL, view(1, 1, 1, 2, SERIN_CANDIDATE_HALTED)), SERIN_OK);
    ck_assert_int_eq(accept("serin/1/dev/lab/directive", view(1, 1, 2, 0, SERIN_CANDIDATE_NONE)),
                     SERIN_OK);
    ck_assert(refused("d", 2) && refused("d", 102));
    ck_assert(!refused("lab", 2) && !refused("lab", 102) && !refused("lab", 202));
    ck_assert_int_eq(accept(BETA, view(1, 1, 2, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    ck_assert(!refused("d", 2) && !refused("d", 102));
    ck_assert_int_eq(accept(BETA, view(1, 2, 1, 2, SERIN_CANDIDATE_HALTED)), SERIN_OK);
    ck_assert(refused("d", 2));
    /* A halted manifest whose image another release that is offered shares: only the manifest is
     * closed. */
    ck_assert_int_eq(accept(CHANNEL, view(2, 1, 50, 1, SERIN_CANDIDATE_HALTED)), SERIN_OK);
    ck_assert_int_eq(accept(BETA, view(2, 1, 50, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    ck_assert(refused("d", 1));
    ck_assert(!refused("d", 101) && refused("d", 201));
}
END_TEST

START_TEST(test_expected_sizes)
{
    fresh();
    uint8_t name[SERIN_SHA256_SIZE];
    ck_assert_int_eq(accept(CHANNEL, view(1, 1, 3, 0, SERIN_CANDIDATE_NONE)), SERIN_OK);
    name_of(103, name);
    ck_assert_uint_eq(serin_guard_rule(&guard, "d", name, 0).expected_size, 3000);
    name_of(203, name);
    ck_assert_uint_eq(serin_guard_rule(&guard, "d", name, 0).expected_size, 3);
    name_of(3, name);
    ck_assert_uint_eq(serin_guard_rule(&guard, "d", name, 0).expected_size, 0);
}
END_TEST

/* A manifest that reaches the depot after its directive: its image is closed as soon as it can be
 * known. */
START_TEST(test_manifest_comes_later)
{
    fresh();
    depot_readable = false;
    uint8_t image[SERIN_SHA256_SIZE];
    name_of(102, image);
    ck_assert_int_eq(accept(CHANNEL, view(1, 1, 0, 2, SERIN_CANDIDATE_HALTED)), SERIN_OK);
    ck_assert(refused("d", 2));
    ck_assert(!serin_guard_rule(&guard, "d", image, 0).refused);
    depot_readable = true;
    ck_assert(!serin_guard_rule(&guard, "d", image, SERIN_GUARD_REBUILD_MS - 1).refused);
    ck_assert(serin_guard_rule(&guard, "d", image, SERIN_GUARD_REBUILD_MS).refused);
}
END_TEST

/* With more objects than there is room for, a halt is kept. */
START_TEST(test_halts_come_first_when_room_is_short)
{
    fresh();
    serin_guard_init(&guard, &ops, &guard, entries, ENTRIES, objects, 4, LEAP);
    for (uint8_t i = 0; i < 6; i++) {
        char topic[SERIN_TOPIC_MAX];
        snprintf(topic, sizeof topic, "serin/1/directive/lamp/c%u", i);
        ck_assert_int_eq(accept(topic, view(1, 1, (uint8_t)(10 + i), 0, SERIN_CANDIDATE_NONE)),
                         SERIN_OK);
    }
    ck_assert_int_eq(accept(CHANNEL, view(1, 1, 1, 2, SERIN_CANDIDATE_HALTED)), SERIN_OK);
    ck_assert(refused("d", 2) && refused("d", 102) && refused("d", 202));
    ck_assert(!refused("d", 10) && !refused("d", 15));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_order_only_grows,
                                  test_epochs_do_not_leap,
                                  test_trust_versions_do_not_leap,
                                  test_memory_survives,
                                  test_a_failed_write_refuses,
                                  test_a_failed_write_lets_a_stop_pass,
                                  test_delivery,
                                  test_room,
                                  test_damaged_records,
                                  test_forged_records,
                                  test_records_that_were_never_written,
                                  test_a_halt_closes_its_objects,
                                  test_what_others_offer_stays_open,
                                  test_expected_sizes,
                                  test_manifest_comes_later,
                                  test_halts_come_first_when_room_is_short,
                                  NULL};
    return check_run("plugin_guard", tests);
}
