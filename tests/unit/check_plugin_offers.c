/* What a site may give to whom: offers of channels and of a client's own directive, halts, and what
 * cannot be known while a manifest is missing. */
#include "check_main.h"

#include <serin/piece.h>
#include <serin/plugin/guard.h>

#include <string.h>

#define ENTRIES 16u
#define OBJECTS 64u
#define CHANNEL "serin/1/directive/lamp/stable"
#define BETA    "serin/1/directive/lamp/beta"
#define OWN     "serin/1/dev/me/directive"
#define TRUST   "serin/1/trust/lamp"

static struct serin_guard guard;
static struct serin_guard_entry entries[ENTRIES];
static struct serin_guard_object objects[OBJECTS];
static uint8_t unreadable, unreadable_too; /* manifests that are not in the depot; 0: none */
static uint8_t unreadable_routes;          /* 0: none */
static unsigned lookups;
static uint8_t record[SERIN_GUARD_RECORD_MAX];
static size_t record_size;

static const uint8_t *name_of(uint8_t number)
{
    static uint8_t name[SERIN_SHA256_SIZE];
    memset(name, number, sizeof name);
    return name;
}

/* Manifest n names image n + 100, of n thousand bytes, and table n + 200. */
static void lookup(void *ctx, const uint8_t manifest_id[SERIN_SHA256_SIZE],
                   struct serin_guard_objects *named)
{
    (void)ctx;
    uint8_t number = manifest_id[0];
    lookups++;
    *named = (struct serin_guard_objects){.known = number != unreadable && number != unreadable_too,
                                          .image_size = number * 1000u,
                                          .pieces_size = serin_piece_table_size(number * 1000u)};
    memset(named->image, number + 100, sizeof named->image);
    memset(named->pieces, number + 200, sizeof named->pieces);
}

/* Route table 66 leads to manifest 1 by the patches 30 (of 9000 bytes; pieces 31) and 32 (of one
 * piece), and to manifest 5 by patch 34 (pieces 35). Others are empty. */
static bool read_routes(void *ctx, const uint8_t name[SERIN_SHA256_SIZE],
                        struct serin_routes *routes)
{
    (void)ctx;
    *routes = (struct serin_routes){.target_count = 2, .route_count = name[0] == 66 ? 3 : 0};
    memset(routes->targets[0], 1, SERIN_SHA256_SIZE);
    memset(routes->targets[1], 5, SERIN_SHA256_SIZE);
    for (uint8_t i = 0; i < 3; i++) {
        routes->routes[i].target = i == 2;
        routes->routes[i].size_bytes = i == 1 ? SERIN_PIECE_SIZE : 9000;
        memset(routes->routes[i].object, 30 + 2 * i, SERIN_SHA256_SIZE);
        memset(routes->routes[i].pieces_sha256, 31 + 2 * i, SERIN_SHA256_SIZE);
    }
    return name[0] != unreadable_routes;
}

static enum serin_error save(void *ctx, const char *key, const uint8_t *data, size_t size)
{
    (void)ctx;
    (void)key;
    memcpy(record, data, size);
    record_size = size;
    return SERIN_OK;
}

static void fresh(void)
{
    static const struct serin_guard_ops ops = {
        .save = save, .lookup = lookup, .routes = read_routes};
    memset(entries, 0, sizeof entries);
    memset(objects, 0, sizeof objects);
    unreadable = unreadable_too = unreadable_routes = 0;
    serin_guard_init(&guard, &ops, NULL, entries, ENTRIES, objects, OBJECTS, 64);
}

static void accept(const char *topic, uint32_t sequence, uint8_t stable, uint8_t candidate,
                   enum serin_candidate_state state)
{
    const uint8_t content[SERIN_SHA256_SIZE] = {(uint8_t)sequence};
    struct serin_directive directive = {.order = {1, sequence}, .candidate_state = state};
    struct serin_guard_view view;
    directive.stable.offer_count = stable != 0;
    directive.candidate.offer_count = candidate != 0;
    memcpy(directive.stable.offers[0].manifest_id, name_of(stable), SERIN_SHA256_SIZE);
    memcpy(directive.candidate.offers[0].manifest_id, name_of(candidate), SERIN_SHA256_SIZE);
    serin_guard_view_directive(&directive, content, &view);
    ck_assert_int_eq(serin_guard_accept(&guard, topic, &view, content, 1), SERIN_OK);
}

static struct serin_guard_answer ask(const char *id, uint8_t number)
{
    return serin_guard_ask(&guard, id, name_of(number), 0);
}

static enum serin_guard_offer offer(const char *id, uint8_t number)
{
    return ask(id, number).offer;
}

static struct serin_guard_answer know(uint8_t number)
{
    return serin_guard_know(&guard, name_of(number), 0);
}

START_TEST(test_nothing_remembered)
{
    fresh();
    ck_assert_int_eq(offer("me", 1), SERIN_GUARD_NO_DIRECTIVE);
    /* A trust record offers nothing. */
    struct serin_guard_view view;
    serin_guard_view_trust(3, name_of(9), &view);
    ck_assert_int_eq(serin_guard_accept(&guard, TRUST, &view, name_of(9), 1), SERIN_OK);
    ck_assert_int_eq(offer("me", 1), SERIN_GUARD_NO_DIRECTIVE);
    accept(CHANNEL, 1, 0, 0, SERIN_CANDIDATE_NONE); /* an empty one is a directive all the same */
    ck_assert_int_eq(offer("me", 1), SERIN_GUARD_NOT_OFFERED);
    fresh(); /* it is known again after a restart */
    ck_assert_int_eq(serin_guard_restore(&guard, record, record_size), SERIN_OK);
    ck_assert_int_eq(offer("me", 1), SERIN_GUARD_NOT_OFFERED);
}
END_TEST

START_TEST(test_what_an_object_is)
{
    fresh();
    accept(CHANNEL, 1, 3, 9, SERIN_CANDIDATE_ROLLING);
    static const uint8_t manifests[] = {3, 9};
    for (size_t i = 0; i < 2; i++) {
        uint8_t number = manifests[i];
        struct serin_guard_answer answer = ask("me", number);
        ck_assert_int_eq(answer.offer, SERIN_GUARD_OFFERED);
        ck_assert_int_eq(answer.kind, SERIN_GUARD_MANIFEST);
        ck_assert_uint_eq(answer.size, 0);
        answer = ask("me", (uint8_t)(number + 200));
        ck_assert_int_eq(answer.kind, SERIN_GUARD_PIECES);
        ck_assert_uint_eq(answer.size, serin_piece_table_size(number * 1000u));
        answer = ask("me", (uint8_t)(number + 100));
        ck_assert_int_eq(answer.kind, SERIN_GUARD_IMAGE);
        ck_assert_uint_eq(answer.size, number * 1000u);
        ck_assert_mem_eq(answer.pieces, name_of((uint8_t)(number + 200)), SERIN_SHA256_SIZE);
        ck_assert_uint_eq(answer.pieces_size, serin_piece_table_size(number * 1000u));
    }
    ck_assert_int_eq(offer("me", 77), SERIN_GUARD_NOT_OFFERED);
    unsigned before = lookups;
    for (int i = 0; i < 100; i++) {
        (void)ask("me", 103);
        (void)ask("me", 77);
    }
    ck_assert_uint_eq(lookups, before); /* the depot is not read for each request */
}
END_TEST

START_TEST(test_every_state_of_a_candidate)
{
    for (int state = SERIN_CANDIDATE_NONE; state <= SERIN_CANDIDATE_HALTED; state++) {
        fresh();
        accept(CHANNEL, 1, 1, 2, (enum serin_candidate_state)state);
        enum serin_guard_offer expected =
            state == SERIN_CANDIDATE_HALTED ? SERIN_GUARD_NOT_OFFERED : SERIN_GUARD_OFFERED;
        for (unsigned object = 2; object <= 202; object += 100) {
            ck_assert_int_eq(offer("me", (uint8_t)object), expected);
            ck_assert_int_eq(offer("me", (uint8_t)(object - 1)), SERIN_GUARD_OFFERED);
        }
    }
}
END_TEST

START_TEST(test_a_clients_own_directive)
{
    fresh();
    accept(CHANNEL, 1, 1, 2, SERIN_CANDIDATE_HALTED);
    accept(OWN, 1, 2, 5, SERIN_CANDIDATE_ROLLING);
    for (unsigned object = 2; object <= 202; object += 100) {
        ck_assert_int_eq(offer("me", (uint8_t)object), SERIN_GUARD_OFFERED);
        ck_assert_int_eq(offer("you", (uint8_t)object), SERIN_GUARD_NOT_OFFERED);
    }
    struct serin_guard_answer answer = ask("me", 105);
    ck_assert_int_eq(answer.kind, SERIN_GUARD_IMAGE);
    ck_assert_uint_eq(answer.size, 5000);
    ck_assert_uint_eq(answer.pieces_size, 64);
    ck_assert_mem_eq(answer.pieces, name_of(205), SERIN_SHA256_SIZE);
    ck_assert_int_eq(ask("me", 5).kind, SERIN_GUARD_MANIFEST);
    ck_assert_int_eq(ask("me", 205).kind, SERIN_GUARD_PIECES);
    ck_assert_int_eq(offer("you", 105), SERIN_GUARD_NOT_OFFERED);
    ck_assert_int_eq(offer("me", 0), SERIN_GUARD_NOT_OFFERED); /* no route table is not one */
    accept(OWN, 2, 2, 5, SERIN_CANDIDATE_HALTED);
    ck_assert_int_eq(offer("me", 105), SERIN_GUARD_NOT_OFFERED);
    accept(BETA, 1, 5, 0, SERIN_CANDIDATE_NONE); /* a channel offers it after all */
    ck_assert_int_eq(offer("you", 105), SERIN_GUARD_OFFERED);
}
END_TEST

/* What an object is does not depend on who may have it: bytes are judged before they are given. */
START_TEST(test_known_to_whomever)
{
    fresh();
    ck_assert_int_eq(know(5).offer, SERIN_GUARD_NOT_OFFERED);
    accept(CHANNEL, 1, 1, 2, SERIN_CANDIDATE_HALTED);
    accept(OWN, 1, 5, 0, SERIN_CANDIDATE_NONE);
    static const uint8_t manifests[] = {1, 2, 5}; /* a channel's, a halted one, one device's */
    for (size_t i = 0; i < sizeof manifests; i++) {
        uint8_t number = manifests[i];
        ck_assert_int_eq(know(number).kind, SERIN_GUARD_MANIFEST);
        ck_assert_int_eq(know((uint8_t)(number + 200)).kind, SERIN_GUARD_PIECES);
        struct serin_guard_answer image = know((uint8_t)(number + 100));
        uint32_t size = number * 1000u;
        ck_assert_int_eq(image.offer, SERIN_GUARD_OFFERED);
        ck_assert_int_eq(image.kind, SERIN_GUARD_IMAGE);
        ck_assert_uint_eq(image.size, size);
        ck_assert_uint_eq(image.pieces_size, serin_piece_table_size(size));
        ck_assert_mem_eq(image.pieces, name_of((uint8_t)(number + 200)), SERIN_SHA256_SIZE);
    }
    ck_assert_int_eq(know(77).offer, SERIN_GUARD_NOT_OFFERED);
    /* And nobody is given more by it. */
    ck_assert_int_eq(offer("me", 105), SERIN_GUARD_OFFERED);
    ck_assert_int_eq(offer("you", 105), SERIN_GUARD_NOT_OFFERED);
    ck_assert_int_eq(offer("you", 102), SERIN_GUARD_NOT_OFFERED);
    ck_assert(!serin_guard_rule(&guard, "you", name_of(105), 0).refused);
    ck_assert(serin_guard_rule(&guard, "you", name_of(102), 0).refused);
    unreadable = 9;
    accept(BETA, 1, 9, 0, SERIN_CANDIDATE_NONE);
    ck_assert_int_eq(offer("you", 105), SERIN_GUARD_UNSURE); /* 9 may name it, and to everyone */
}
END_TEST

/* A release that many devices are offered is looked up once, and one that cannot be read leaves no
 * doubt about what others ask for. */
START_TEST(test_known_at_one_look)
{
    fresh();
    accept(CHANNEL, 1, 1, 0, SERIN_CANDIDATE_NONE);
    accept(OWN, 1, 5, 0, SERIN_CANDIDATE_NONE);
    accept("serin/1/dev/you/directive", 1, 5, 1, SERIN_CANDIDATE_ROLLING);
    lookups = 0;
    ck_assert_int_eq(know(105).kind, SERIN_GUARD_IMAGE);
    ck_assert_uint_eq(lookups, 2); /* 1 and 5 */
    unreadable = 5;
    accept(OWN, 2, 5, 1, SERIN_CANDIDATE_ROLLING);
    ck_assert_int_eq(know(105).offer, SERIN_GUARD_NOT_OFFERED);
    ck_assert_int_eq(know(5).kind, SERIN_GUARD_MANIFEST);
    ck_assert_int_eq(offer("them", 77), SERIN_GUARD_NOT_OFFERED);
    unreadable = 0;
    serin_guard_look_again(&guard);
    ck_assert_int_eq(know(105).kind, SERIN_GUARD_IMAGE);
}
END_TEST

/* A directive with route table 66; its record does not hold it, so it is told after a restart. */
START_TEST(test_route_tables)
{
    const uint8_t content[SERIN_SHA256_SIZE] = {1};
    struct serin_directive directive = {
        .order = {1, 1}, .candidate_state = SERIN_CANDIDATE_HALTED, .has_route_table = true};
    struct serin_guard_view view;
    memcpy(directive.route_table, name_of(66), SERIN_SHA256_SIZE);
    serin_guard_view_directive(&directive, content, &view);
    fresh();
    accept(CHANNEL, 1, 1, 0, SERIN_CANDIDATE_NONE);
    ck_assert_int_eq(offer("me", 66), SERIN_GUARD_NOT_OFFERED);
    ck_assert_int_eq(serin_guard_accept(&guard, OWN, &view, content, 1), SERIN_OK);
    ck_assert_int_eq(ask("me", 66).kind, SERIN_GUARD_ROUTES);
    ck_assert_int_eq(offer("me", 66), SERIN_GUARD_OFFERED);
    ck_assert_int_eq(offer("you", 66), SERIN_GUARD_NOT_OFFERED);
    ck_assert_int_eq(serin_guard_accept(&guard, BETA, &view, content, 1), SERIN_OK);
    ck_assert_int_eq(offer("you", 66), SERIN_GUARD_OFFERED);
    ck_assert_int_eq(ask("you", 66).kind, SERIN_GUARD_ROUTES);
    ck_assert_uint_eq(ask("you", 66).size, 0);
    /* Another table in place of it: the first is no longer offered. */
    directive.order.sequence = 2;
    memcpy(directive.route_table, name_of(67), SERIN_SHA256_SIZE);
    serin_guard_view_directive(&directive, content, &view);
    ck_assert_int_eq(serin_guard_accept(&guard, BETA, &view, content, 1), SERIN_OK);
    ck_assert_int_eq(offer("you", 66), SERIN_GUARD_NOT_OFFERED);
    ck_assert_int_eq(offer("you", 67), SERIN_GUARD_OFFERED);

    fresh();
    ck_assert_int_eq(serin_guard_restore(&guard, record, record_size), SERIN_OK);
    ck_assert_int_eq(offer("you", 67), SERIN_GUARD_NOT_OFFERED);
    serin_guard_learn_routes(&guard, "serin/1/directive/lamp/other", name_of(68));
    serin_guard_learn_routes(&guard, BETA, name_of(67));
    ck_assert_int_eq(offer("you", 67), SERIN_GUARD_OFFERED);
    ck_assert_int_eq(offer("you", 68), SERIN_GUARD_NOT_OFFERED);
}
END_TEST

static void accept_routes(const char *topic, uint32_t sequence, uint8_t stable, uint8_t candidate,
                          enum serin_candidate_state state)
{
    const uint8_t content[SERIN_SHA256_SIZE] = {(uint8_t)sequence};
    struct serin_directive directive = {
        .order = {1, sequence}, .candidate_state = state, .has_route_table = true};
    struct serin_guard_view view;
    directive.stable.offer_count = directive.candidate.offer_count = 1;
    memcpy(directive.route_table, name_of(66), SERIN_SHA256_SIZE);
    memcpy(directive.stable.offers[0].manifest_id, name_of(stable), SERIN_SHA256_SIZE);
    memcpy(directive.candidate.offers[0].manifest_id, name_of(candidate), SERIN_SHA256_SIZE);
    serin_guard_view_directive(&directive, content, &view);
    ck_assert_int_eq(serin_guard_accept(&guard, topic, &view, content, 1), SERIN_OK);
}

static void check_patches(const char *id)
{
    struct serin_guard_answer patch = ask(id, 30);
    ck_assert_int_eq(patch.offer, SERIN_GUARD_OFFERED);
    ck_assert_int_eq(patch.kind, SERIN_GUARD_IMAGE);
    ck_assert_uint_eq(patch.size, 9000);
    ck_assert_uint_eq(patch.pieces_size, 3 * SERIN_SHA256_SIZE);
    ck_assert_int_eq(patch.pieces[0], 31);
    ck_assert_int_eq(ask(id, 31).kind, SERIN_GUARD_PIECES);
    ck_assert_int_eq(ask(id, 32).kind, SERIN_GUARD_PATCH);
    ck_assert_uint_eq(ask(id, 32).size, SERIN_PIECE_SIZE);
    ck_assert_int_eq(offer(id, 33), SERIN_GUARD_NOT_OFFERED);
}

/* Patches are given to whom their target is offered, and stop with it. */
START_TEST(test_patches)
{
    fresh();
    accept_routes(CHANNEL, 1, 1, 5, SERIN_CANDIDATE_ROLLING);
    check_patches("you");
    ck_assert_int_eq(offer("you", 34), SERIN_GUARD_OFFERED);
    ck_assert(!serin_guard_rule(&guard, "you", name_of(34), 0).refused);
    accept_routes(CHANNEL, 2, 1, 5, SERIN_CANDIDATE_HALTED);
    check_patches("you");
    ck_assert_int_eq(offer("you", 34), SERIN_GUARD_NOT_OFFERED);
    ck_assert(serin_guard_rule(&guard, "you", name_of(34), 0).refused);
    ck_assert(!serin_guard_rule(&guard, "you", name_of(30), 0).refused);
    /* A device's own. */
    fresh();
    accept_routes(OWN, 1, 1, 5, SERIN_CANDIDATE_HALTED);
    check_patches("me");
    ck_assert_int_eq(offer("me", 34), SERIN_GUARD_NOT_OFFERED);
    ck_assert_int_eq(offer("you", 30), SERIN_GUARD_NOT_OFFERED);
    /* A table that is not here may name anything, and is what the gateway is told to bring. */
    fresh();
    unreadable_routes = 66;
    accept_routes(CHANNEL, 1, 1, 5, SERIN_CANDIDATE_ROLLING);
    ck_assert_int_eq(offer("you", 30), SERIN_GUARD_UNSURE);
    ck_assert_int_eq(ask("you", 30).lacking[0], 66);
    unreadable_routes = 0;
    serin_guard_look_again(&guard);
    check_patches("you");
}
END_TEST

/* As long as a manifest on offer cannot be read, any object may be one that it names. */
START_TEST(test_unsure)
{
    fresh();
    unreadable = 2;
    accept(CHANNEL, 1, 1, 2, SERIN_CANDIDATE_ROLLING);
    ck_assert_int_eq(offer("me", 2), SERIN_GUARD_OFFERED);
    ck_assert_int_eq(offer("me", 101), SERIN_GUARD_OFFERED);
    ck_assert_int_eq(offer("me", 102), SERIN_GUARD_UNSURE);
    ck_assert_int_eq(offer("me", 77), SERIN_GUARD_UNSURE);
    ck_assert_mem_eq(ask("me", 77).lacking, name_of(2), SERIN_SHA256_SIZE);
    unreadable = 0;
    ck_assert_int_eq(offer("me", 102), SERIN_GUARD_UNSURE); /* until it is told to look again */
    serin_guard_look_again(&guard);
    ck_assert_int_eq(offer("me", 102), SERIN_GUARD_OFFERED);
    ck_assert_int_eq(offer("me", 77), SERIN_GUARD_NOT_OFFERED);
    unsigned before = lookups;
    serin_guard_look_again(&guard); /* nothing is missing: nothing is read */
    (void)offer("me", 77);
    ck_assert_uint_eq(lookups, before);

    /* What is known to be halted stays closed, whatever else is missing. */
    unreadable = 9;
    accept(CHANNEL, 2, 1, 2, SERIN_CANDIDATE_HALTED);
    accept(BETA, 1, 9, 0, SERIN_CANDIDATE_NONE);
    accept(OWN, 1, 9, 0, SERIN_CANDIDATE_NONE);
    for (unsigned object = 2; object <= 202; object += 100) {
        ck_assert_int_eq(offer("me", (uint8_t)object), SERIN_GUARD_NOT_OFFERED);
        ck_assert_int_eq(offer("you", (uint8_t)object), SERIN_GUARD_NOT_OFFERED);
    }
    ck_assert_int_eq(offer("you", 77), SERIN_GUARD_UNSURE);

    /* A halted manifest that is missing offers nothing, so it leaves no doubt. */
    fresh();
    unreadable = 2;
    accept(CHANNEL, 1, 1, 2, SERIN_CANDIDATE_HALTED);
    ck_assert_int_eq(offer("me", 77), SERIN_GUARD_NOT_OFFERED);
    ck_assert_int_eq(offer("me", 2), SERIN_GUARD_NOT_OFFERED);

    /* More objects than there is room for: what found none may be on offer. */
    serin_guard_init(&guard, guard.ops, NULL, entries, ENTRIES, objects, 4, 64);
    memset(entries, 0, sizeof entries);
    memset(objects, 0, sizeof objects);
    unreadable = 0;
    accept(CHANNEL, 1, 1, 2, SERIN_CANDIDATE_ROLLING);
    ck_assert_int_eq(offer("me", 77), SERIN_GUARD_UNSURE);
    ck_assert_mem_eq(ask("me", 77).lacking, name_of(0), SERIN_SHA256_SIZE); /* none to ask for */

    /* A client's own manifest that is missing makes its own questions unsure, and nobody else's. */
    fresh();
    unreadable = 9;
    accept(CHANNEL, 1, 1, 0, SERIN_CANDIDATE_NONE);
    accept(OWN, 1, 9, 0, SERIN_CANDIDATE_NONE);
    ck_assert_int_eq(offer("me", 109), SERIN_GUARD_UNSURE);
    ck_assert_mem_eq(ask("me", 109).lacking, name_of(9), SERIN_SHA256_SIZE);
    ck_assert_int_eq(offer("you", 109), SERIN_GUARD_NOT_OFFERED);

    /* Of several that are missing each is told in its turn, whatever becomes of the others. */
    fresh();
    unreadable = 2;
    unreadable_too = 9;
    accept(CHANNEL, 1, 2, 0, SERIN_CANDIDATE_NONE);
    accept(BETA, 1, 9, 0, SERIN_CANDIDATE_NONE);
    uint8_t first = ask("me", 77).lacking[0];
    serin_guard_look_again(&guard);
    uint8_t second = ask("me", 77).lacking[0];
    ck_assert((first == 2 && second == 9) || (first == 9 && second == 2));
    unreadable = unreadable_too = 0;
    serin_guard_look_again(&guard);
    ck_assert_int_eq(offer("me", 77), SERIN_GUARD_NOT_OFFERED);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_nothing_remembered,
                                  test_what_an_object_is,
                                  test_every_state_of_a_candidate,
                                  test_a_clients_own_directive,
                                  test_known_to_whomever,
                                  test_known_at_one_look,
                                  test_route_tables,
                                  test_patches,
                                  test_unsure,
                                  NULL};
    return check_run("plugin_offers", tests);
}
