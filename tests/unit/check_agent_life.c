/*
 * The life of a device: provision, directive, download, verify, stage, trial, confirm, commit,
 * mirror. Then what must not disturb it: keys that change, and a log that cannot be written when
 * its trial begins or ends.
 */
#include "agent_internal.h"
#include "check_main.h"
#include "device_bench.h"
#include "journal.h"
#include "slot.h"

#include <serin/piece.h>

#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2;

static void set_up(void)
{
    bench_begin(&bench, &v1, &v2);
    bench_boot(&bench, SERIN_RESET_POWER);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, NULL);
}

START_TEST(takes_a_release_and_confirms_it)
{
    set_up();
    ck_assert_uint_eq(bench_running(&bench), 1);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 500));
    ck_assert_uint_eq(bench_running(&bench), 2);
    bench_run_for(&bench, 5000);
    ck_assert_uint_eq(bench.report.attempt_count, 1);
    static const enum serin_state path[] = {SERIN_STATE_PENDING,   SERIN_STATE_DOWNLOADING,
                                            SERIN_STATE_VERIFYING, SERIN_STATE_STAGED,
                                            SERIN_STATE_TRIAL,     SERIN_STATE_CONFIRMED};
    const struct serin_attempt_report *attempt = &bench.report.attempts[0];
    ck_assert_uint_eq(attempt->transition_count, 6);
    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(attempt->transitions[i].state, path[i]);
    }
    ck_assert_uint_eq(attempt->bytes_fetched, 9500 + 96 + SERIN_MANIFEST_SIZE_P256);
    ck_assert_uint_eq(bench.report.running.version.minor, 2);
    ck_assert_uint_eq(bench.agent.record.acked, bench.agent.record.number);
    /* Nothing is committed without leave: the old slot still boots. */
    ck_assert_uint_eq(bench.agent.running.floor, 1);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_OLDER);

    directive = bench_directive(&bench, v2, NULL);
    directive.stable.flags = SERIN_RELEASE_COMMIT;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 20000);
    ck_assert_uint_eq(bench.agent.running.floor, 2);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_MIRRORED);
    ck_assert_uint_eq(bench.beat.running.floor, 2);
    ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_MIRRORED);
    ck_assert_uint_eq(bench.agent.record.attempt_count, 1);
    tear_down();
}
END_TEST

/* v2, signed by the second release key, is on trial, or committed in the end, when a trust record
 * drops that key. */
START_TEST(a_staged_image_waits_for_no_message)
{
    set_up();
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench.ack = false; /* the cloud is away, or a gateway waits for others */
    bench.config.report_retry_min_ms = bench.config.report_retry_max_ms = 3600000;
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 500));
    ck_assert(!bench.reset_asked);
    ck_assert_uint_le(serin_agent_deadline_ms(&bench.agent), bench.now_ms);
    tear_down();
}
END_TEST

START_TEST(the_key_of_an_image_on_trial_is_not_dropped)
{
    set_up();
    v2->app = BENCH_SILENT;
    bench_release_seal_second(v2);
    bench_publish_trust(&bench, 2, true);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 500));
    bench_publish_trust(&bench, 3, false);
    bench_run_for(&bench, 2000);
    ck_assert_uint_eq(bench.agent.trust.version, 2);
    ck_assert_int_eq(bench.agent.refused, SERIN_REASON_KEY);
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID), SERIN_OK);
    directive = bench_directive(&bench, v2, NULL);
    directive.stable.flags = SERIN_RELEASE_COMMIT;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 20000);
    ck_assert_uint_eq(bench.agent.running.floor, 2);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_uint_eq(bench.agent.trust.version, 2);
    tear_down();
}
END_TEST

static void offer_v2(uint32_t attempt)
{
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    directive.candidate.attempt = attempt;
    bench_publish(&bench, &directive);
}

/* The boot log names a trial by its manifest; the power goes while a retry of it is staged. */
START_TEST(the_end_of_one_attempt_does_not_close_the_next)
{
    set_up();
    if (_i == 0) {
        v2->app = BENCH_CRASH;
        offer_v2(1);
        ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 1000));
        v2->app = BENCH_GOOD;
    } else {
        struct serin_slot_map map;
        serin_slot_map(bench.boot.flash, &bench.layout, &map);
        offer_v2(1);
        ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
        uint32_t image = bench.layout.slot[1].address + map.image_offset;
        serin_flash_emulator_rot(bench.emulator, image + 77, 1);
        bench_power_cycle(&bench);
        ck_assert_uint_eq(bench_running(&bench), 1);
    }
    bench.clock_s += 100 * 3600; /* the lease is over: what is staged waits */
    offer_v2(2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    bench_power_cycle(&bench);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    bench.clock_s -= 100 * 3600;
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench_running(&bench), 2);
    bench_run_for(&bench, 5000);
    ck_assert_uint_eq(bench.report.attempts[bench.report.attempt_count - 1].attempt, 2);
    tear_down();
}
END_TEST

static void break_log(const struct serin_region *region)
{
    serin_flash_emulator_break(bench.emulator, region->address, region->size, SERIN_BREAKAGE_FAILS);
}

static void mend_logs(void)
{
    serin_flash_emulator_break(bench.emulator, 0, 0, SERIN_BREAKAGE_FAILS);
}

static enum serin_boot_phase phase_now(void)
{
    struct serin_boot_state state;
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    return state.phase;
}

/* v2 waits, verified, for a lease that comes with `clock_back`. */
static void bring_to_staged(enum bench_app app)
{
    set_up();
    v2->app = app;
    bench.clock_s += 100 * 3600;
    offer_v2(1);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
}

static void clock_back(void)
{
    bench.clock_s -= 100 * 3600;
}

/* The boot log is armed and wears out before the trial has begun. */
START_TEST(a_trial_that_cannot_be_recorded_fails_without_a_reset)
{
    bring_to_staged(BENCH_GOOD);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    break_log(&bench.layout.boot_log);
    clock_back();
    bench_power_cycle(&bench);
    unsigned boots = bench.boots;
    bench_run_for(&bench, 600000);
    ck_assert_uint_eq(bench.boots, boots);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_FAILED);
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_FLASH);
    mend_logs();
    if (_i == 0) {
        bench_run_for(&bench, 5000);
        ck_assert_int_eq(phase_now(), SERIN_BOOT_STEADY);
    } else {
        /* It writes again only when the bootloader has started what has failed already. */
        bench_power_cycle(&bench);
        bench_run_for(&bench, 5000);
        ck_assert_uint_eq(bench.boots, boots + 2);
    }
    ck_assert_uint_eq(bench_running(&bench), 1);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_FAILED);
    offer_v2(2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

/* One write of the boot log fails, at a boot in the middle of a trial. */
START_TEST(a_trial_that_a_boot_could_not_record_ends_once_the_log_writes)
{
    bring_to_staged(BENCH_SILENT);
    clock_back();
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    if (_i == 1) {
        ck_assert_int_eq(serin_slot_mark(&bench.boot, SERIN_SLOT_B, v2->id), SERIN_OK);
    }
    break_log(&bench.layout.boot_log);
    bench_power_cycle(&bench);
    ck_assert(!bench.choice.trial);
    ck_assert_uint_eq(bench_running(&bench), _i == 1 ? 2 : 1);
    bench_run_for(&bench, 5000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_TRIAL);
    mend_logs();
    bench_run_for(&bench, 5000);
    ck_assert_int_eq(phase_now(), SERIN_BOOT_STEADY);
    if (_i == 1) {
        /* The marker was the commit point of a confirmation. */
        ck_assert_int_eq(bench_state(&bench), SERIN_STATE_CONFIRMED);
        ck_assert(bench.agent.confirmed);
    } else {
        ck_assert_int_eq(bench_state(&bench), SERIN_STATE_ROLLED_BACK);
        ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_FLASH);
        v2->app = BENCH_GOOD;
        offer_v2(2);
        ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    }
    ck_assert_uint_eq(bench_running(&bench), 2);
    tear_down();
}
END_TEST

START_TEST(nothing_is_confirmed_that_the_account_does_not_know)
{
    bring_to_staged(BENCH_SILENT);
    break_log(&bench.layout.agent_log);
    clock_back();
    for (int i = 0; i < 50 && bench_running(&bench) != 2; i++) {
        bench_step(&bench, UINT64_MAX);
    }
    ck_assert(bench.choice.trial);
    bench_run_for(&bench, 3000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID),
                     SERIN_ERR_STATE);
    if (_i == 2) {
        /* What is abandoned meanwhile is rolled back by the next boot, and told by it. */
        ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_UNHEALTHY, SERIN_REASON_HEALTH), SERIN_OK);
        bench_event(&bench, SERIN_AGENT_TICK, SERIN_REASON_INVALID);
        mend_logs();
        ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 100));
        ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_HEALTH);
        tear_down();
        return;
    }
    if (_i == 0) {
        mend_logs();
        bench_run_for(&bench, 3000);
        ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID), SERIN_OK);
    } else {
        /* An agent of an older release has confirmed it all the same. */
        ck_assert_int_eq(serin_boot_confirm(&bench.boot), SERIN_OK);
        bench_power_cycle(&bench);
        mend_logs();
        bench_run_for(&bench, 5000);
    }
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_CONFIRMED);
    ck_assert_uint_eq(bench_running(&bench), 2);
    tear_down();
}
END_TEST

/* The boot log is lost before v1's slot becomes a copy: the agent's log tells the bootloader what
 * was committed. */
START_TEST(a_committed_floor_holds_for_what_is_offered)
{
    set_up();
    offer_v2(1);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    struct serin_agent_record record = bench.agent.record;
    record.floor = 2;
    ck_assert_int_eq(serin_record_store(&bench.agent, &record), SERIN_OK);
    const struct serin_flash *flash = bench.boot.flash;
    ck_assert_int_eq(
        flash->ops->erase(flash->ctx, bench.layout.boot_log.address, bench.layout.boot_log.size),
        SERIN_OK);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_uint_eq(bench.agent.running.floor, 2);
    struct serin_boot_state state;
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    ck_assert_uint_eq(state.floor, 2);
    struct bench_release *low = bench_release(3, 9000, BENCH_GOOD);
    low->manifest.security_counter = 1;
    bench_release_seal(low);
    bench_serve(&bench, low);
    struct serin_directive directive = bench_directive(&bench, v2, low);
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_REJECTED, 1000));
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_COUNTER);
    ck_assert_uint_eq(bench_running(&bench), 2);
    bench_release_free(low);
    tear_down();
}
END_TEST

START_TEST(neither_a_halted_candidate_nor_an_old_lease_commits)
{
    set_up();
    offer_v2(1);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 5000);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    if (_i < 2) {
        directive.candidate.flags = SERIN_RELEASE_COMMIT;
        directive.candidate_state = SERIN_CANDIDATE_HALTED;
        directive.threshold = _i == 0 ? SERIN_COHORT_EVERYONE : 1; /* in and outside the cohort */
    } else {
        bench.clock_s += 100 * 3600; /* the lease is over */
        directive = bench_directive(&bench, v2, NULL);
        directive.stable.flags = SERIN_RELEASE_COMMIT;
    }
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 60000);
    ck_assert_uint_eq(bench.agent.running.floor, 1);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_OLDER);
    if (_i == 2) {
        clock_back();
    } else {
        /* The stable release allows it, whoever else was halted. */
        directive = bench_directive(&bench, v2, v1);
        directive.stable.flags = SERIN_RELEASE_COMMIT;
        directive.candidate_state = SERIN_CANDIDATE_HALTED;
        directive.threshold = _i == 0 ? SERIN_COHORT_EVERYONE : 1;
        bench_publish(&bench, &directive);
    }
    bench_run_for(&bench, 120000);
    ck_assert_uint_eq(bench.agent.running.floor, 2);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_MIRRORED);
    tear_down();
}
END_TEST

/* A retry finds two pieces of three where the last attempt left them. */
START_TEST(one_bad_piece_costs_one_piece)
{
    uint32_t bad = (uint32_t)_i % 3u;
    set_up();
    bench.config.window_blocks = _i < 3 ? 4 : 3; /* 3: windows begin inside pieces */
    v2->app = BENCH_CRASH;
    offer_v2(1);
    ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 1000));
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    uint32_t image = bench.layout.slot[1].address + map.image_offset;
    serin_flash_emulator_rot(bench.emulator, image + bad * SERIN_PIECE_SIZE + 77, 1);
    uint32_t wear[3];
    for (uint32_t i = 0; i < 3; i++) {
        wear[i] = serin_flash_emulator_wear(bench.emulator, image + i * SERIN_PIECE_SIZE);
    }
    uint64_t served = bench.image_bytes;
    offer_v2(2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    ck_assert_uint_eq(bench.image_bytes - served, serin_piece_size(9500, bad));
    ck_assert_uint_eq(bench.fetched_again, 0);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t now = serin_flash_emulator_wear(bench.emulator, image + i * SERIN_PIECE_SIZE);
        ck_assert_uint_eq(now, wear[i] + (i == bad ? 1 : 0));
    }
    tear_down();
}
END_TEST

/* Piece and entry rot while others of the same download are journaled, and the power goes at each
 * point of what mends it. */
START_TEST(a_journaled_piece_is_not_written_again)
{
    static const char *const points[] = {NULL, "agent.piece.written", "agent.piece.journaled"};
    set_up();
    offer_v2(1);
    while (!bench_journaled(&bench, 1)) {
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    uint32_t slot = bench.layout.slot[1].address;
    uint32_t entry = slot + map.journal_offset + SERIN_JOURNAL_FIRST_PIECE * map.journal_stride;
    serin_flash_emulator_rot(bench.emulator, entry + 4, 1);
    serin_flash_emulator_rot(bench.emulator, slot + map.image_offset + 77, 1);
    uint64_t served = bench.image_bytes;
    bench_power_cycle(&bench);
    ck_assert(!bench_journaled(&bench, 0) && bench_journaled(&bench, 1));
    bench.kill_point = points[_i % 3];
    bench.kill_nth = 1 + (unsigned)_i / 3u;
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    ck_assert_uint_eq(bench.journal_lies, 0);
    /* A piece that was whole, and without an entry, when the power went is not believed. */
    ck_assert_uint_eq(bench.fetched_again, _i % 3 == 1 ? 1 : 0);
    if (_i == 0) {
        ck_assert_uint_eq(bench.image_bytes - served, 9500 - SERIN_PIECE_SIZE);
    }
    tear_down();
}
END_TEST

START_TEST(a_fresh_image_is_fetched_in_whole_windows)
{
    set_up();
    bench.config.window_blocks = bench.limits.window_blocks_max = 8;
    offer_v2(1);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    ck_assert_uint_eq(bench.gets, 1 + 1 + 2); /* manifest, table, 9500 bytes by 8192 */
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent_life");
    TCase *tests = tcase_create("agent_life");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, takes_a_release_and_confirms_it);
    tcase_add_test(tests, a_staged_image_waits_for_no_message);
    tcase_add_test(tests, the_key_of_an_image_on_trial_is_not_dropped);
    tcase_add_loop_test(tests, the_end_of_one_attempt_does_not_close_the_next, 0, 2);
    tcase_add_loop_test(tests, a_trial_that_cannot_be_recorded_fails_without_a_reset, 0, 2);
    tcase_add_loop_test(tests, a_trial_that_a_boot_could_not_record_ends_once_the_log_writes, 0, 2);
    tcase_add_loop_test(tests, nothing_is_confirmed_that_the_account_does_not_know, 0, 3);
    tcase_add_test(tests, a_committed_floor_holds_for_what_is_offered);
    tcase_add_loop_test(tests, neither_a_halted_candidate_nor_an_old_lease_commits, 0, 3);
    tcase_add_loop_test(tests, one_bad_piece_costs_one_piece, 0, 6);
    tcase_add_loop_test(tests, a_journaled_piece_is_not_written_again, 0, 6);
    tcase_add_test(tests, a_fresh_image_is_fetched_in_whole_windows);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
