/*
 * Flash that wears out for good: logs that take nothing any more while an image is on trial, cells
 * that lose what they have just read back, regions that fail. What runs on trial ends in time,
 * nothing is fetched or written for ever, and what boots is not given up.
 */
#include "agent_internal.h"
#include "check_main.h"
#include "device_bench.h"

#include <serin/adapters/protobufc.h>

#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2, *v3;

/* The flash in between: one cell that loses a bit, and a count of erases of a region. */
static const struct serin_flash *below;
static struct serin_flash above;
static uint32_t weak_address; /* 0: none */
static unsigned weak_reads, weak_programs;
static struct serin_region watched;
static unsigned watched_erases;

static enum serin_error weak_read(void *ctx, uint32_t address, void *out, size_t size)
{
    enum serin_error error = below->ops->read(ctx, address, out, size);
    bool hit = weak_address >= address && weak_address - address < size;
    if (error == SERIN_OK && hit && weak_programs > 0 && ++weak_reads > 1) {
        ((uint8_t *)out)[weak_address - address] ^= 4; /* it read right once */
    }
    return error;
}

static enum serin_error weak_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    if (weak_address != 0 && weak_address >= address && weak_address - address < size) {
        weak_programs++;
        weak_reads = 0;
    }
    return below->ops->program(ctx, address, data, size);
}

static enum serin_error watched_erase(void *ctx, uint32_t address, size_t size)
{
    bool hit = address < watched.address + watched.size && watched.address < address + size;
    watched_erases += hit ? 1 : 0;
    return below->ops->erase(ctx, address, size);
}

static void set_up(enum bench_app app)
{
    static struct serin_flash_ops ops;
    bench_begin(&bench, &v1, &v2);
    v2->app = app;
    v3 = bench_release(3, 9900, BENCH_GOOD);
    bench_serve(&bench, v3);
    below = bench.boot.flash;
    ops = *below->ops;
    ops.read = weak_read;
    ops.program = weak_program;
    ops.erase = watched_erase;
    above = *below;
    above.ops = &ops;
    bench.boot.flash = &above;
    weak_address = weak_reads = weak_programs = watched_erases = 0;
    watched = (struct serin_region){.address = 0, .size = 0};
    bench_boot(&bench, SERIN_RESET_POWER);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, v3);
}

static void offer(const struct bench_release *candidate)
{
    struct serin_directive directive = bench_directive(&bench, v1, candidate);
    bench_publish(&bench, &directive);
}

static void breaks(const struct serin_region *region, enum serin_breakage breakage)
{
    serin_flash_emulator_break(bench.emulator, region->address, region->size, breakage);
}

static void mends(void)
{
    serin_flash_emulator_break(bench.emulator, 0, 0, SERIN_BREAKAGE_FAILS);
}

static void run_until_boot(unsigned boots, uint64_t until_ms)
{
    while (bench.boots == boots && bench.now_ms < until_ms) {
        (void)bench_step(&bench, until_ms);
    }
}

/* ---- a trial ends in time ---- */

static void break_account(struct bench *b)
{
    if (b->choice.trial) {
        breaks(&b->layout.agent_log, SERIN_BREAKAGE_FAILS);
    }
}

static void run_to_trial_boot(void)
{
    for (unsigned i = 0; i < 1000 && !bench.choice.trial; i++) {
        bench_step(&bench, UINT64_MAX);
    }
    ck_assert(bench.choice.trial);
}

/* Also where messages that cannot be stored come faster than a write is tried again. */
START_TEST(a_trial_ends_in_time_where_its_account_takes_nothing)
{
    set_up(BENCH_SILENT);
    bench.between = break_account;
    offer(v2);
    run_to_trial_boot();
    unsigned boots = bench.boots;
    for (uint64_t at = 400; at < 90000 && bench.boots == boots; at += 400) {
        run_until_boot(boots, at);
        if (_i != 0 && bench.boots == boots) {
            offer(v2);
        }
        if (at == 25200) {
            struct serin_boot_state state;
            ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
            ck_assert_uint_ge(state.elapsed_s, 20);
        }
        ck_assert(bench.boots != boots || at < 61000);
    }
    ck_assert_uint_eq(bench.boots, boots + 1u);
    ck_assert_uint_eq(bench_running(&bench), 1);
    mends();
    ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 1000));
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_NOT_CONFIRMED);
    tear_down();
}
END_TEST

static enum serin_breakage between_breakage;
static bool between_lost;

static void hide_boot_log(struct bench *b)
{
    if (!b->choice.trial) {
        return;
    }
    const struct serin_region *log = &b->layout.boot_log;
    if (between_lost) {
        ck_assert_int_eq(below->ops->erase(below->ctx, log->address, log->size), SERIN_OK);
    } else {
        breaks(log, between_breakage);
    }
    b->online = false; /* nothing is stepped before the test says so */
    b->between = NULL;
}

static void boot_without_window(bool lost)
{
    set_up(BENCH_GOOD);
    bench.config.confirm_needs_directive = false;
    between_lost = lost;
    between_breakage = SERIN_BREAKAGE_UNREADABLE;
    bench.between = hide_boot_log;
    offer(v2);
    run_to_trial_boot();
    ck_assert(bench.agent.trial);
    ck_assert(!serin_agent_may_feed(&bench.agent, bench.now_ms));
}

START_TEST(a_trial_without_a_window_is_confirmed_by_nobody)
{
    boot_without_window(_i == 0);
    struct serin_agent_view view;
    serin_agent_inspect(&bench.agent, &view);
    ck_assert(view.trial);
    unsigned boots = bench.boots;
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID),
                     SERIN_ERR_STATE);
    ck_assert(bench.reset_asked); /* with the first step */
    bench_step(&bench, 1000);
    ck_assert_uint_eq(bench.boots, boots + 1u);
    ck_assert_uint_eq(bench_running(&bench), 1);
    tear_down();
}
END_TEST

START_TEST(a_window_that_reads_again_at_the_first_step_goes_on)
{
    boot_without_window(false);
    unsigned boots = bench.boots;
    mends();
    bench_online(&bench, true);
    ck_assert(serin_agent_may_feed(&bench.agent, bench.now_ms));
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench.boots, boots);
    ck_assert_uint_eq(bench.report.attempt_count, 1);
    tear_down();
}
END_TEST

START_TEST(bad_health_ends_a_trial_that_the_log_does_not_end)
{
    set_up(BENCH_SILENT);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    breaks(&bench.layout.boot_log, SERIN_BREAKAGE_FAILS);
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_UNHEALTHY, SERIN_REASON_HEALTH),
                     SERIN_ERR_FLASH);
    ck_assert(!serin_agent_may_feed(&bench.agent, bench.now_ms));
    mends();
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID),
                     SERIN_ERR_STATE);
    unsigned boots = bench.boots;
    run_until_boot(boots, bench.now_ms + 2000);
    ck_assert_uint_eq(bench_running(&bench), 1);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_ROLLED_BACK);
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_HEALTH);
    tear_down();
}
END_TEST

static void hold_account_of_trial(struct bench *b)
{
    if (b->choice.trial) {
        breaks(&b->layout.agent_log,
               between_lost ? SERIN_BREAKAGE_UNREADABLE : SERIN_BREAKAGE_FAILS);
    }
}

/* Also where the account, which takes nothing, knows of no trial. */
START_TEST(an_abandoned_trial_is_not_fed_again)
{
    set_up(BENCH_SILENT);
    between_lost = _i == 0;
    bench.between = hold_account_of_trial;
    offer(v2);
    run_to_trial_boot();
    const struct serin_agent_event tick = {.kind = SERIN_AGENT_TICK};
    uint64_t end_ms = bench.now_ms + 75000u; /* of the window, and of what its end may take */
    for (unsigned s = 0; s < 600; s++) {     /* the reset does not come */
        bench.now_ms += 1000;
        (void)serin_agent_step(&bench.agent, bench.now_ms, &tick);
        bool over = bench.now_ms > end_ms;
        ck_assert(!over || bench.reset_asked);
        ck_assert(!bench.reset_asked || !serin_agent_may_feed(&bench.agent, bench.now_ms));
    }
    tear_down();
}
END_TEST

START_TEST(a_confirmation_that_the_account_did_not_take_is_told_in_the_same_boot)
{
    set_up(BENCH_SILENT);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    bench_run_for(&bench, 2000);
    unsigned boots = bench.boots;
    breaks(&bench.layout.agent_log, SERIN_BREAKAGE_FAILS);
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID),
                     SERIN_ERR_FLASH);
    bench_run_for(&bench, 5000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_TRIAL);
    mends();
    bench_run_for(&bench, 5000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_CONFIRMED);
    ck_assert_uint_eq(bench.boots, boots);
    tear_down();
}
END_TEST

/* ---- nothing is fetched or written for ever ---- */

static void expect_failed(enum serin_reason reason)
{
    for (unsigned i = 0; i < 4000 && bench_state(&bench) != SERIN_STATE_FAILED; i++) {
        ck_assert_uint_lt(bench.gets, 60);
        bench_step(&bench, UINT64_MAX);
    }
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_FAILED);
    ck_assert_int_eq(bench_reason(&bench), reason);
    unsigned gets = bench.gets;
    bench_run_for(&bench, 60000);
    ck_assert_uint_eq(bench.gets, gets);
    ck_assert_uint_eq(bench_running(&bench), 1);
}

START_TEST(a_cell_that_keeps_nothing_ends_the_download)
{
    set_up(BENCH_GOOD);
    struct serin_slot_map map;
    serin_slot_map(below, &bench.layout, &map);
    weak_address = _i == 0 ? bench.layout.slot[1].address + map.pieces_offset + 5u
                           : bench.layout.scratch.address + SERIN_DOWNLOAD_RECORD_HEAD + 50u;
    offer(v2);
    expect_failed(_i == 0 ? SERIN_REASON_PIECE_TABLE : SERIN_REASON_FLASH);
    ck_assert_uint_gt(weak_programs, 1);
    ck_assert_uint_le(weak_programs, 5);
    ck_assert_uint_le(bench.image_bytes, 5u * 9500u);
    tear_down();
}
END_TEST

START_TEST(a_download_record_that_cannot_be_written_ends_the_attempt)
{
    static const enum serin_breakage breakages[] = {SERIN_BREAKAGE_FAILS, SERIN_BREAKAGE_STUCK,
                                                    SERIN_BREAKAGE_UNREADABLE};
    set_up(BENCH_GOOD);
    breaks(&bench.layout.scratch, breakages[_i]);
    offer(v2);
    expect_failed(SERIN_REASON_FLASH);
    ck_assert_uint_le(bench.gets, 10);
    tear_down();
}
END_TEST

START_TEST(what_only_the_account_waits_for_wears_out_no_slot)
{
    set_up(BENCH_GOOD);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_VERIFYING, 1000));
    watched = bench.layout.slot[1];
    breaks(&bench.layout.agent_log, SERIN_BREAKAGE_FAILS);
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_VERIFYING);
    ck_assert_uint_le(watched_erases, 2);
    mends();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(an_end_that_the_account_does_not_take_is_no_new_beginning)
{
    set_up(BENCH_GOOD);
    (void)memcpy(v2->manifest.product, "valve", sizeof "valve");
    bench_release_seal(v2);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_PENDING, 1000));
    breaks(&bench.layout.agent_log, SERIN_BREAKAGE_FAILS);
    bench_run_for(&bench, 30000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_PENDING);
    ck_assert_uint_le(bench.gets, 1);
    mends();
    ck_assert(bench_run_to(&bench, SERIN_STATE_REJECTED, 100));
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_PRODUCT);
    tear_down();
}
END_TEST

START_TEST(a_manifest_that_suits_is_not_fetched_again_for_the_account)
{
    set_up(BENCH_GOOD);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_PENDING, 1000));
    breaks(&bench.layout.agent_log, SERIN_BREAKAGE_FAILS);
    bench_run_for(&bench, 30000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_PENDING);
    ck_assert_uint_le(bench.gets, 1);
    mends();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(a_copy_that_does_not_keep_its_manifest_is_not_made_for_ever)
{
    set_up(BENCH_GOOD);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    weak_address = bench.layout.slot[0].address + 40u;
    struct serin_directive directive = bench_directive(&bench, v2, NULL);
    directive.stable.flags = SERIN_RELEASE_COMMIT;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 600000);
    ck_assert_uint_ge(weak_programs, 1);
    ck_assert_uint_le(weak_programs, 3);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_NONE);
    tear_down();
}
END_TEST

/* The copy verifies, and has lost a bit when it is looked at. */
START_TEST(a_copy_that_does_not_keep_its_image_is_not_made_for_ever)
{
    struct serin_slot_map map;
    set_up(BENCH_GOOD);
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    weak_address = bench.layout.slot[1].address + map.image_offset + 40u;
    serin_flash_emulator_rot(bench.emulator, weak_address, 1);
    bench_power_cycle(&bench); /* each boot looks once */
    struct serin_directive directive = bench_directive(&bench, v1, NULL);
    directive.stable.flags = SERIN_RELEASE_COMMIT;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 600000);
    ck_assert_uint_ge(weak_programs, 1);
    ck_assert_uint_le(weak_programs, 3);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_NONE);
    tear_down();
}
END_TEST

/* ---- what boots is not given up ---- */

static void hold(void)
{
    struct serin_hold hold = {.held = true, .lease_left_s = 3600, .reason = SERIN_REASON_NONE};
    uint8_t payload[SERIN_HOLD_MAX];
    size_t size;
    ck_assert_int_eq(serin_protobufc()->encode_hold(&hold, payload, sizeof(payload), &size),
                     SERIN_OK);
    bench_send(&bench, SERIN_TOPIC_HOLD, payload, size);
    bench_step(&bench, UINT64_MAX);
}

static void rot_image(int slot)
{
    struct serin_slot_map map;
    serin_slot_map(below, &bench.layout, &map);
    serin_flash_emulator_rot(bench.emulator,
                             bench.layout.slot[slot].address + map.image_offset + 3000u, 0x10);
}

static void stage_and_hold(void)
{
    hold();
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
}

START_TEST(what_waits_for_its_trial_is_not_given_up_where_what_runs_has_rotted)
{
    set_up(BENCH_GOOD);
    stage_and_hold();
    rot_image(0);
    offer(v3);
    ck_assert(bench_run_to(&bench, SERIN_STATE_FAILED, 1000));
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_FLASH);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2); /* the last resort */
    tear_down();
}
END_TEST

/* Nobody takes the release that crashed for what boots: it waits for no trial any more. */
START_TEST(what_failed_its_trial_does_not_keep_a_rotten_device_from_a_new_image)
{
    set_up(BENCH_CRASH);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 1000));
    bench_run_for(&bench, 1000);
    rot_image(0);
    offer(v3);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 2000));
    ck_assert_uint_eq(bench_running(&bench), 3);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 3);
    tear_down();
}
END_TEST

START_TEST(a_download_is_the_way_out_where_neither_slot_verifies)
{
    set_up(BENCH_GOOD);
    bench_run_for(&bench, 10000); /* the other slot is looked at, and sound */
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_MIRRORED);
    rot_image(0);
    rot_image(1);
    unsigned boots = bench.boots;
    offer(v3);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench.boots, boots + 1u);
    ck_assert_uint_eq(bench_running(&bench), 3);
    tear_down();
}
END_TEST

START_TEST(a_trust_region_that_is_lost_is_written_again_by_the_same_record)
{
    set_up(BENCH_GOOD);
    bench_publish_trust(&bench, 2, true);
    bench_run_for(&bench, 1000);
    const struct serin_region *trust = &bench.layout.trust;
    ck_assert_int_eq(below->ops->erase(below->ctx, trust->address, trust->size), SERIN_OK);
    bench_online(&bench, false);
    bench_online(&bench, true);
    bench_run_for(&bench, 1000);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench.agent.trust.version, 2);
    ck_assert(!bench.agent.trust_single);
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent worn");
    TCase *tests = tcase_create("worn");
    tcase_add_loop_test(tests, a_trial_ends_in_time_where_its_account_takes_nothing, 0, 2);
    tcase_add_loop_test(tests, a_trial_without_a_window_is_confirmed_by_nobody, 0, 2);
    tcase_add_test(tests, a_window_that_reads_again_at_the_first_step_goes_on);
    tcase_add_test(tests, bad_health_ends_a_trial_that_the_log_does_not_end);
    tcase_add_loop_test(tests, an_abandoned_trial_is_not_fed_again, 0, 2);
    tcase_add_test(tests, a_confirmation_that_the_account_did_not_take_is_told_in_the_same_boot);
    tcase_add_loop_test(tests, a_cell_that_keeps_nothing_ends_the_download, 0, 2);
    tcase_add_loop_test(tests, a_download_record_that_cannot_be_written_ends_the_attempt, 0, 3);
    tcase_add_test(tests, what_only_the_account_waits_for_wears_out_no_slot);
    tcase_add_test(tests, an_end_that_the_account_does_not_take_is_no_new_beginning);
    tcase_add_test(tests, a_manifest_that_suits_is_not_fetched_again_for_the_account);
    tcase_add_test(tests, a_copy_that_does_not_keep_its_manifest_is_not_made_for_ever);
    tcase_add_test(tests, a_copy_that_does_not_keep_its_image_is_not_made_for_ever);
    tcase_add_test(tests, what_waits_for_its_trial_is_not_given_up_where_what_runs_has_rotted);
    tcase_add_test(tests, what_failed_its_trial_does_not_keep_a_rotten_device_from_a_new_image);
    tcase_add_test(tests, a_download_is_the_way_out_where_neither_slot_verifies);
    tcase_add_test(tests, a_trust_region_that_is_lost_is_written_again_by_the_same_record);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
