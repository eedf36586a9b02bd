/*
 * The example board of docs/porting.md, through the life of a device: factory, update,
 * confirmation, commit, a release that crashes, one that hangs, one that is silent; power cuts;
 * nothing boots.
 *
 * The test plays the broker, the server, and the processor: it runs what stands in the board's RAM,
 * and knows by its bytes which release that is.
 */
#include "board.h"
#include "device_bench.h"

#include <serin/adapters/protobufc.h>
#include <serin/crc32.h>
#include <serin/ports/nanopb.h>

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASS_MS       10u
#define RELEASES      4u
#define IMAGE_SIZE    20000u
#define SETTLE_PASSES 60000u

struct world {
    struct board board;
    struct board_client client;
    struct bench_release *releases[RELEASES];
    const struct bench_release *wanted; /* by the directive; NULL: there is none yet */
    uint32_t flags;
    struct serin_report report;
    struct serin_beat beat;
    unsigned boots, subscriptions, resets_by_watchdog, power_cuts;
    struct bench orders; /* only for its directives */
};

/* ---- broker and server ---- */

static void deliver(struct world *world, const char *topic, bool retained, const uint8_t *payload,
                    size_t size)
{
    application_message(&world->board, topic, retained, payload, size);
}

static const uint8_t *find_object(const struct world *world, const uint8_t *name, uint32_t *size)
{
    for (size_t i = 0; i < RELEASES; i++) {
        const struct bench_release *release = world->releases[i];
        if (memcmp(name, release->id, SERIN_SHA256_SIZE) == 0) {
            *size = sizeof release->manifest_bytes;
            return release->manifest_bytes;
        }
        if (memcmp(name, release->manifest.pieces_sha256, SERIN_SHA256_SIZE) == 0) {
            *size = (uint32_t)release->table_size;
            return release->table;
        }
        if (memcmp(name, release->manifest.image_sha256, SERIN_SHA256_SIZE) == 0) {
            *size = release->manifest.image_size_bytes;
            return release->image;
        }
    }
    ck_abort_msg("an object that nobody offered");
}

static void answer_get(struct world *world, const struct serin_get *get)
{
    uint32_t size;
    const uint8_t *object = find_object(world, get->object, &size);
    uint32_t end = size - get->offset < get->length ? size : get->offset + get->length;
    for (uint32_t at = get->offset; at < end;) {
        uint32_t part = end - at < get->block_size ? end - at : get->block_size;
        struct serin_block block = {.token = get->token,
                                    .status = SERIN_BLOCK_DATA,
                                    .offset = at,
                                    .object_size = size,
                                    .window_end = end,
                                    .crc32 = serin_crc32(0, object + at, part),
                                    .data = object + at,
                                    .data_size = part};
        uint8_t payload[BOARD_MESSAGE_MAX];
        size_t used;
        ck_assert_int_eq(serin_protobufc()->encode_block(&block, payload, sizeof payload, &used),
                         SERIN_OK);
        deliver(world, "serin/1/dev/pump-01/block", false, payload, used);
        at += part;
    }
}

static void answer_report(struct world *world)
{
    const struct serin_ack ack = {.incarnation = world->report.incarnation,
                                  .number = world->report.number,
                                  .status = SERIN_ACK_STORED};
    uint8_t payload[SERIN_ACK_MAX];
    size_t used;
    ck_assert_int_eq(serin_protobufc()->encode_ack(&ack, payload, sizeof payload, &used), SERIN_OK);
    deliver(world, "serin/1/dev/pump-01/ack", false, payload, used);
}

static bool client_publish(void *ctx, const char *text, int qos, const uint8_t *payload,
                           size_t size)
{
    struct world *world = ctx;
    struct serin_topic topic;
    struct serin_get get;
    ck_assert_int_eq(serin_topic_parse(text, &topic), SERIN_OK);
    ck_assert_str_eq(topic.id, "pump-01");
    if (serin_flash_emulator_is_off(world->board.hw.flash)) {
        return true; /* the processor is off, too: nobody hears this */
    }
    if (topic.kind == SERIN_TOPIC_DEV_GET) {
        ck_assert_int_eq(serin_protobufc()->decode_get(payload, size, &get), SERIN_OK);
        answer_get(world, &get);
    } else if (topic.kind == SERIN_TOPIC_DEV_REPORT) {
        ck_assert_int_eq(qos, 1);
        ck_assert_int_eq(serin_protobufc()->decode_report(payload, size, &world->report), SERIN_OK);
        answer_report(world);
    } else {
        ck_assert_int_eq(topic.kind, SERIN_TOPIC_DEV_BEAT);
        ck_assert_int_eq(serin_protobufc()->decode_beat(payload, size, &world->beat), SERIN_OK);
    }
    return true;
}

static void client_subscribe(void *ctx, const char *filter, int qos)
{
    struct world *world = ctx;
    struct serin_topic topic;
    ck_assert_int_eq(serin_topic_parse(filter, &topic), SERIN_OK);
    ck_assert_int_eq(qos, topic.kind == SERIN_TOPIC_DEV_BLOCK ? 0 : 1);
    world->subscriptions++;
}

/* A directive with the next order: an order, or its renewal. */
static void direct(struct world *world)
{
    struct serin_directive directive = bench_directive(&world->orders, world->wanted, NULL);
    char topic[SERIN_TOPIC_MAX];
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    directive.stable.flags = world->flags;
    serin_topic_directive("pump", "stable", topic);
    size_t size = bench_seal(&directive, TEST_DIRECTOR, payload);
    deliver(world, topic, true, payload, size);
}

static void publish(struct world *world, const struct bench_release *release, uint32_t flags)
{
    world->wanted = release;
    world->flags = flags;
    direct(world);
}

/* ---- the world ---- */

/* What the line, or a service tool, brings; `record`: room for its trust record. */
static struct factory_input input_of(const struct bench_release *release,
                                     uint8_t record[SERIN_TRUST_SIZE_P256])
{
    struct factory_input input = {.burnt.identity = {.device_id = "pump-01",
                                                     .product = "pump",
                                                     .channel = "stable",
                                                     .hardware = 2},
                                  .manifest = release->manifest_bytes,
                                  .manifest_size = sizeof release->manifest_bytes,
                                  .image = release->image,
                                  .image_size = release->manifest.image_size_bytes};
    struct serin_trust trust;
    memcpy(input.burnt.root_key, test_keys[TEST_ROOT].public_key, SERIN_P256_PUBLIC_SIZE);
    test_trust(&trust, "pump");
    ck_assert_int_eq(serin_trust_seal(bench_crypto(), &test_keys[TEST_ROOT].signer, &trust, record),
                     SERIN_OK);
    input.trust = record;
    input.trust_size = SERIN_TRUST_SIZE_P256;
    return input;
}

static enum serin_error provision(struct world *world, const struct bench_release *release)
{
    uint8_t record[SERIN_TRUST_SIZE_P256];
    const struct factory_input input = input_of(release, record);
    return factory_provision(&world->board, &input);
}

static struct bench_release *linked_release(uint16_t minor, enum bench_app app)
{
    struct bench_release *release = bench_release(minor, IMAGE_SIZE, app);
    release->manifest.load_address = BOARD_IMAGE_ADDRESS;
    bench_release_seal(release);
    return release;
}

static void open_world(struct world *world)
{
    memset(world, 0, sizeof *world);
    bench_seed();
    world->orders.order = (struct serin_order){.epoch = 1};
    world->client = (struct board_client){
        .publish = client_publish, .subscribe = client_subscribe, .ctx = world};
    ck_assert_int_eq(hw_open(&world->board.hw, 1), SERIN_OK);
    world->board.crypto = bench_crypto();
    world->board.codec = serin_nanopb_agent(); /* and its server speaks the other one */
    world->board.client = &world->client;
    static const enum bench_app apps[RELEASES] = {BENCH_GOOD, BENCH_GOOD, BENCH_CRASH, BENCH_HANG};
    for (uint16_t i = 0; i < RELEASES; i++) {
        world->releases[i] = linked_release((uint16_t)(i + 1u), apps[i]);
    }
}

static void close_world(struct world *world)
{
    ck_assert_uint_eq(serin_flash_emulator_breaches(world->board.hw.flash), 0);
    for (size_t i = 0; i < RELEASES; i++) {
        bench_release_free(world->releases[i]);
    }
    hw_close(&world->board.hw);
}

/* ---- the processor ---- */

/* The release whose bytes stand where the processor runs. */
static const struct bench_release *running(const struct world *world)
{
    for (size_t i = 0; i < RELEASES && world->board.hw.program != NULL; i++) {
        const struct bench_release *release = world->releases[i];
        if (memcmp(world->board.hw.program, release->image, IMAGE_SIZE) == 0) {
            return release;
        }
    }
    return NULL;
}

static bool off(const struct world *world)
{
    return serin_flash_emulator_is_off(world->board.hw.flash);
}

static void boot(struct world *world)
{
    struct board *board = &world->board;
    bootloader_main(board);
    world->boots++;
    if (board->hw.program == NULL || off(world)) {
        return;
    }
    ck_assert_ptr_nonnull(running(world));
    ck_assert_uint_gt(board->hw.watchdog_ms, 0); /* it runs before the image does */
    application_start(board);
    if (off(world) || board->hw.halted) {
        return;
    }
    application_connected(board, true);
    if (world->wanted != NULL) {
        /* A board without a clock takes the lease of a directive that it knows as over. */
        direct(world);
    }
}

/* What the image does in the next few milliseconds. */
static void act(struct world *world)
{
    struct board *board = &world->board;
    enum bench_app app = running(world)->app;
    if (app == BENCH_CRASH && board->hw.uptime_ms >= 500) {
        board_farewell(board, BOARD_FAREWELL_CRASHED); /* its fault handler */
        return;
    }
    if (app == BENCH_HANG && board->hw.uptime_ms >= 1000) {
        return; /* interrupts may still come; the loop does not go on */
    }
    board->app.healthy = app == BENCH_GOOD && board->hw.uptime_ms >= 500;
    application_pass(board);
}

static void pass(struct world *world)
{
    struct hardware *hw = &world->board.hw;
    if (hw->halted) {
        boot(world);
    } else if (hw->program != NULL) {
        act(world);
    }
    if (off(world)) {
        world->power_cuts++;
        hw_power_on(hw);
        return;
    }
    bool before = hw->halted;
    hw_pass(hw, PASS_MS);
    world->resets_by_watchdog += !before && hw->halted ? 1 : 0;
}

static enum serin_state state_of(const struct world *world)
{
    struct serin_agent_view view;
    if (world->board.hw.program == NULL) {
        return SERIN_STATE_INVALID;
    }
    serin_agent_inspect(&world->board.app.agent, &view);
    return view.state;
}

static bool run_to(struct world *world, enum serin_state state)
{
    for (unsigned i = 0; i < SETTLE_PASSES; i++) {
        if (!world->board.hw.halted && state_of(world) == state) {
            return true;
        }
        pass(world);
    }
    return false;
}

static void run_for(struct world *world, unsigned seconds)
{
    for (unsigned i = 0; i < seconds * 1000u / PASS_MS; i++) {
        pass(world);
    }
}

static enum serin_reason reason_of(const struct world *world)
{
    struct serin_agent_view view;
    serin_agent_inspect(&world->board.app.agent, &view);
    return view.reason;
}

/* ---- the tests ---- */

static struct world world;

START_TEST(the_layout_is_what_the_part_allows)
{
    struct serin_boot boot;
    struct serin_layout chosen;
    struct serin_slot_map map;
    open_world(&world);
    ck_assert_int_eq(board_open(&world.board, &boot), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(provision(&world, world.releases[0]), SERIN_OK);
    ck_assert_int_eq(board_open(&world.board, &boot), SERIN_OK);
    ck_assert_int_eq(serin_layout_check(boot.flash, boot.layout, NULL), SERIN_OK);
    ck_assert_int_eq(serin_layout_default(boot.flash, &chosen), SERIN_OK);
    ck_assert_uint_eq(chosen.slot[1].address, board_layout.slot[1].address);
    serin_slot_map(boot.flash, boot.layout, &map);
    ck_assert_uint_le(map.image_capacity, HW_IMAGE_RAM); /* else a release boots nowhere */
    close_world(&world);
}
END_TEST

/* Factory to the mirrored second release. */
static void live_to_second(void)
{
    struct hardware *hw = &world.board.hw;
    hw_power_on(hw);
    run_for(&world, 2);
    memset(&world.beat, 0, sizeof world.beat); /* from the factory it is mirrored, too */
    ck_assert_ptr_eq(running(&world), world.releases[0]);
    ck_assert_uint_gt(world.subscriptions, 0);
    publish(&world, world.releases[1], SERIN_RELEASE_COMMIT);
    ck_assert(run_to(&world, SERIN_STATE_CONFIRMED));
    ck_assert_ptr_eq(running(&world), world.releases[1]);
    for (unsigned i = 0; i < 300 && world.beat.redundancy != SERIN_REDUNDANCY_MIRRORED; i++) {
        run_for(&world, 1);
    }
    ck_assert_int_eq(world.beat.redundancy, SERIN_REDUNDANCY_MIRRORED);
    ck_assert_uint_eq(world.beat.running.floor, 2);
}

START_TEST(from_the_factory_to_an_update_and_back_from_a_bad_one)
{
    open_world(&world);
    ck_assert_int_eq(provision(&world, world.releases[0]), SERIN_OK);
    live_to_second();
    ck_assert_uint_eq(world.boots, 2);

    publish(&world, world.releases[2], 0);
    ck_assert(run_to(&world, SERIN_STATE_ROLLED_BACK));
    ck_assert_int_eq(reason_of(&world), SERIN_REASON_CRASH);
    ck_assert_ptr_eq(running(&world), world.releases[1]);
    ck_assert_uint_eq(world.boots, 2 + 3 + 1); /* three tries, then the old one */

    publish(&world, world.releases[3], 0);
    run_for(&world, 1);
    ck_assert(run_to(&world, SERIN_STATE_ROLLED_BACK));
    ck_assert_int_eq(reason_of(&world), SERIN_REASON_WATCHDOG);
    ck_assert_uint_eq(world.resets_by_watchdog, 3);
    ck_assert_ptr_eq(running(&world), world.releases[1]);
    run_for(&world, 60);
    ck_assert_uint_eq(world.boots, 6 + 3 + 1); /* tried is tried */
    close_world(&world);
}
END_TEST

START_TEST(a_silent_image_is_over_with_its_window)
{
    open_world(&world);
    world.releases[1]->app = BENCH_SILENT;
    ck_assert_int_eq(provision(&world, world.releases[0]), SERIN_OK);
    hw_power_on(&world.board.hw);
    run_for(&world, 2);
    publish(&world, world.releases[1], 0);
    ck_assert(run_to(&world, SERIN_STATE_TRIAL));
    run_for(&world, 62);
    ck_assert_int_eq(state_of(&world), SERIN_STATE_ROLLED_BACK);
    ck_assert_int_eq(reason_of(&world), SERIN_REASON_NOT_CONFIRMED);
    ck_assert_ptr_eq(running(&world), world.releases[0]);
    ck_assert_uint_eq(world.resets_by_watchdog, 0);
    close_world(&world);
}
END_TEST

/* The power goes at the n-th operation on the flash after the factory. */
START_TEST(power_cuts_end_well)
{
    static const enum serin_cut cuts[] = {SERIN_CUT_INSIDE, SERIN_CUT_BEFORE, SERIN_CUT_AFTER};
    open_world(&world);
    ck_assert_int_eq(provision(&world, world.releases[0]), SERIN_OK);
    hw_power_on(&world.board.hw);
    struct world *start = malloc(sizeof *start);
    struct serin_flash_snapshot *flash;
    ck_assert_ptr_nonnull(start);
    ck_assert_int_eq(serin_flash_emulator_snapshot(world.board.hw.flash, &flash), SERIN_OK);
    *start = world;
    uint64_t lives = 0;
    for (uint64_t nth = 1; nth == lives + 1; nth++) {
        world = *start;
        serin_flash_emulator_restore(world.board.hw.flash, flash);
        serin_flash_emulator_cut(world.board.hw.flash, nth, cuts[nth % 3]);
        live_to_second();
        lives += world.power_cuts;
    }
    ck_assert_uint_gt(lives, 40); /* as many operations as the life has, each of them cut */
    serin_flash_snapshot_free(flash);
    free(start);
    close_world(&world);
}
END_TEST

/* The identity, the probe's own operations in long strides, then each of the provisioning. */
START_TEST(a_line_that_is_interrupted_begins_anew)
{
    open_world(&world);
    ck_assert_int_eq(provision(&world, world.releases[0]), SERIN_OK);
    uint64_t all = serin_flash_emulator_operations(world.board.hw.flash);
    close_world(&world);
    bool fired = true;
    unsigned tried = 0;
    for (uint64_t cut = 1; fired; cut += cut < 4 || cut + 157 > all ? 1 : 97, tried++) {
        open_world(&world);
        serin_flash_emulator_cut(world.board.hw.flash, cut, SERIN_CUT_INSIDE);
        enum serin_error error = provision(&world, world.releases[0]);
        fired = off(&world);
        ck_assert(fired == (error != SERIN_OK));
        hw_power_on(&world.board.hw);
        if (fired) {
            ck_assert_int_eq(provision(&world, world.releases[0]), SERIN_OK);
        }
        hw_power_on(&world.board.hw);
        run_for(&world, 1);
        ck_assert_ptr_eq(running(&world), world.releases[0]);
        close_world(&world);
    }
    ck_assert_uint_gt(tried, 70);
}
END_TEST

START_TEST(a_worn_part_does_not_leave_the_line)
{
    open_world(&world);
    serin_flash_emulator_break(world.board.hw.flash, BOARD_SERIN_ADDRESS + 123456, 1,
                               SERIN_BREAKAGE_STUCK);
    ck_assert_int_eq(provision(&world, world.releases[0]), SERIN_ERR_FLASH);
    close_world(&world);
}
END_TEST

static void rot_both_slots(void)
{
    for (size_t i = 0; i < 2; i++) {
        serin_flash_emulator_rot(world.board.hw.flash,
                                 BOARD_SERIN_ADDRESS + board_layout.slot[i].address + 100, 1);
    }
}

START_TEST(the_lamp_is_lit_where_nothing_boots)
{
    open_world(&world);
    hw_power_on(&world.board.hw);
    run_for(&world, 1);
    ck_assert(world.board.hw.lamp); /* no identity */
    ck_assert_int_eq(provision(&world, world.releases[0]), SERIN_OK);
    rot_both_slots();
    hw_power_on(&world.board.hw);
    run_for(&world, 1);
    ck_assert(world.board.hw.lamp);
    ck_assert_ptr_null(world.board.hw.program);
    ck_assert_int_eq(provision(&world, world.releases[0]), SERIN_OK);
    hw_power_on(&world.board.hw);
    run_for(&world, 1);
    ck_assert(!world.board.hw.lamp);
    ck_assert_ptr_eq(running(&world), world.releases[0]);
    close_world(&world);
}
END_TEST

START_TEST(a_service_tool_brings_nothing_older)
{
    uint8_t record[SERIN_TRUST_SIZE_P256];
    open_world(&world);
    ck_assert_int_eq(provision(&world, world.releases[0]), SERIN_OK);
    live_to_second();
    rot_both_slots();
    struct factory_input input = input_of(world.releases[0], record);
    world.board.service = &input;
    hw_power_on(&world.board.hw);
    run_for(&world, 1);
    ck_assert(world.board.hw.lamp);
    ck_assert_str_eq(world.board.hw.printed, "nothing boots");
    ck_assert_ptr_null(world.board.hw.program);
    input = input_of(world.releases[1], record);
    hw_power_on(&world.board.hw);
    run_for(&world, 5);
    ck_assert(!world.board.hw.lamp);
    ck_assert_ptr_eq(running(&world), world.releases[1]);
    ck_assert_uint_eq(world.beat.running.floor, 2);
    close_world(&world);
}
END_TEST

/* A trial waits, and no log takes that it begins: the board says so. */
START_TEST(a_log_that_takes_no_trial_is_told)
{
    open_world(&world);
    ck_assert_int_eq(provision(&world, world.releases[0]), SERIN_OK);
    hw_power_on(&world.board.hw);
    run_for(&world, 2);
    ck_assert_ptr_null(world.board.hw.printed);
    publish(&world, world.releases[1], 0);
    for (unsigned i = 0; i < SETTLE_PASSES && !world.board.hw.halted; i++) {
        pass(&world);
    }
    ck_assert(world.board.hw.halted); /* it is staged */
    serin_flash_emulator_break(world.board.hw.flash,
                               BOARD_SERIN_ADDRESS + board_layout.boot_log.address,
                               board_layout.boot_log.size, SERIN_BREAKAGE_FAILS);
    pass(&world);
    ck_assert_ptr_eq(running(&world), world.releases[0]);
    ck_assert_ptr_nonnull(world.board.hw.printed);
    close_world(&world);
}
END_TEST

START_TEST(why_it_was_reset_is_told_apart)
{
    struct board *board = &world.board;
    struct serin_agent_boot_info info = {.slot = SERIN_SLOT_B, .trial = true}, taken;
    open_world(&world);
    hw_power_on(&board->hw);
    hw_reset(&board->hw, HW_RESET_WATCHDOG);
    ck_assert_int_eq(board_reset_cause(board), SERIN_RESET_POWER);
    hw_reset(&board->hw, HW_RESET_WATCHDOG);
    ck_assert_int_eq(board_reset_cause(board), SERIN_RESET_WATCHDOG);
    hw_reset(&board->hw, HW_RESET_PIN);
    ck_assert_int_eq(board_reset_cause(board), SERIN_RESET_UNKNOWN);
    hw_reset(&board->hw, HW_RESET_SOFTWARE); /* by whom? */
    ck_assert_int_eq(board_reset_cause(board), SERIN_RESET_UNKNOWN);
    board_farewell(board, BOARD_FAREWELL_REQUESTED);
    ck_assert_int_eq(board_reset_cause(board), SERIN_RESET_REQUESTED);
    board_farewell(board, BOARD_FAREWELL_REQUESTED);
    hw_reset(&board->hw, HW_RESET_WATCHDOG); /* both: what bit counts */
    ck_assert_int_eq(board_reset_cause(board), SERIN_RESET_WATCHDOG);
    board_farewell(board, BOARD_FAREWELL_CRASHED);
    ck_assert_int_eq(board_reset_cause(board), SERIN_RESET_CRASH);
    ck_assert(!board_take_over(board, &taken));
    board_hand_over(board, &info);
    ck_assert(board_take_over(board, &taken));
    ck_assert(taken.slot == SERIN_SLOT_B && taken.trial);
    ck_assert(!board_take_over(board, &taken)); /* once */
    board_hand_over(board, &info);
    hw_power_on(&board->hw);
    ck_assert(!board_take_over(board, &taken)); /* noise */
    close_world(&world);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_layout_is_what_the_part_allows,
                                  from_the_factory_to_an_update_and_back_from_a_bad_one,
                                  a_silent_image_is_over_with_its_window,
                                  power_cuts_end_well,
                                  a_line_that_is_interrupted_begins_anew,
                                  a_worn_part_does_not_leave_the_line,
                                  the_lamp_is_lit_where_nothing_boots,
                                  a_service_tool_brings_nothing_older,
                                  a_log_that_takes_no_trial_is_told,
                                  why_it_was_reset_is_told_apart,
                                  NULL};
    bench_open_keys();
    Suite *suite = suite_create("example board");
    TCase *lives = tcase_create("lives");
    for (size_t i = 0; tests[i] != NULL; i++) {
        tcase_add_test(lives, tests[i]);
    }
    tcase_set_timeout(lives, 120);
    suite_add_tcase(suite, lives);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
