/*
 * The life of a device: provision, directive, download, verify, stage, trial, confirm, commit,
 * mirror. Then what must not disturb it: keys that change, and a log that cannot be written when
 * its trial begins or ends.
 */
#include "check_main.h"
#include "device_bench.h"

#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2;

static void set_up(void)
{
    bench_open(&bench, &bench_small);
    v1 = bench_release(1, 9000, BENCH_GOOD);
    v2 = bench_release(2, 9500, BENCH_GOOD);
    bench_serve(&bench, v1);
    bench_serve(&bench, v2);
    bench_provision(&bench, v1);
    bench_boot(&bench, SERIN_RESET_POWER);
}

static void tear_down(void)
{
    ck_assert_uint_eq(serin_flash_emulator_breaches(bench.emulator), 0);
    bench_close(&bench);
    bench_release_free(v1);
    bench_release_free(v2);
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

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent_life");
    TCase *tests = tcase_create("agent_life");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, takes_a_release_and_confirms_it);
    tcase_add_test(tests, the_key_of_an_image_on_trial_is_not_dropped);
    tcase_add_loop_test(tests, the_end_of_one_attempt_does_not_close_the_next, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
