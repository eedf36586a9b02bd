/*
 * What is an attempt at all, and how often: a stable release that is not newer than what runs is
 * none; what was tried for one topic is remembered whatever the other asks for; a third account
 * that finds no room keeps nothing else waiting.
 */
#include "agent_internal.h"
#include "check_main.h"
#include "device_bench.h"

#include <stdio.h>
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

static void publish(const struct bench_release *stable, const struct bench_release *candidate)
{
    struct serin_directive directive = bench_directive(&bench, stable, candidate);
    bench_publish(&bench, &directive);
}

static struct serin_directive own(const struct bench_release *stable)
{
    struct serin_directive directive = bench_directive(&bench, stable, NULL);
    snprintf(directive.device_id, sizeof(directive.device_id), "pump-01");
    return directive;
}

static void confirm_v2(void)
{
    publish(v1, v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 60000);
    ck_assert_uint_eq(bench_running(&bench), 2);
}

/* An aborted rollout leaves the stable release of before, by the channel or to this device alone.
 * The account of what runs stays, and its health is told. */
START_TEST(an_older_stable_release_is_no_attempt)
{
    set_up();
    confirm_v2();
    uint64_t number = bench.agent.record.number;
    unsigned gets = bench.gets;
    if (_i == 0) {
        publish(v1, NULL);
    } else {
        struct serin_directive directive = own(v1);
        bench_publish(&bench, &directive);
    }
    bench_run_for(&bench, 24 * 3600 * 1000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_CONFIRMED);
    ck_assert_uint_eq(bench.agent.record.number, number);
    ck_assert_uint_eq(bench.gets, gets + 1); /* its manifest, once */
    for (unsigned wake = 0; wake < 10; wake++) {
        bench_power_cycle(&bench);
        bench_run_for(&bench, 60000);
    }
    ck_assert_uint_eq(bench.gets, gets + 1);
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_UNHEALTHY, SERIN_REASON_HEALTH), SERIN_OK);
    bench_run_for(&bench, 1000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_REGRESSED);
    ck_assert_mem_eq(bench.report.attempts[0].manifest_id, v2->id, 32);
    tear_down();
}
END_TEST

START_TEST(a_stable_release_of_the_same_version_is_no_attempt)
{
    struct bench_release *twin = bench_release(2, 9100, BENCH_GOOD);
    set_up();
    bench_serve(&bench, twin);
    confirm_v2();
    publish(twin, NULL);
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_CONFIRMED);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert(bench_logged(&bench, "not newer than what runs"));
    bench_end(&bench, v1, v2, twin);
}
END_TEST

/* What is ordered back, or meant for the cohort, is told of. */
START_TEST(an_older_release_with_revert_or_for_the_cohort_is_an_attempt)
{
    set_up();
    confirm_v2();
    struct serin_directive directive = bench_directive(&bench, v1, NULL);
    if (_i == 0) {
        directive.stable.flags = SERIN_RELEASE_REVERT;
    } else {
        directive = bench_directive(&bench, v2, v1);
    }
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, _i == 0 ? SERIN_STATE_TRIAL : SERIN_STATE_REJECTED, 1000));
    ck_assert_mem_eq(serin_attempt_current(&bench.agent)->manifest_id, v1->id, 32);
    ck_assert(_i == 0 || bench_reason(&bench) == SERIN_REASON_NOT_NEWER);
    tear_down();
}
END_TEST

START_TEST(a_newer_stable_release_is_taken)
{
    set_up();
    publish(v2, NULL);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench_running(&bench), 2);
    tear_down();
}
END_TEST

/* A look that comes to nothing is an attempt, which tells why: nobody answers, the manifest is
 * damaged or too large, or it is not there. */
static void nobody(void)
{
    bench.faults.busy_requests = UINT32_MAX;
}

static void damaged(void)
{
    bench.faults.bad_manifest = true;
}

static void too_large(void)
{
    bench.faults.huge_manifests = 1;
}

static void missing(void)
{
    bench.release_count = 1;
}

START_TEST(a_look_that_comes_to_nothing_is_an_attempt)
{
    static void (*const harms[])(void) = {nobody, damaged, too_large, missing};
    set_up();
    confirm_v2();
    bench.releases[1] = bench.releases[0];
    bench.releases[0] = v2;
    harms[_i]();
    publish(v1, NULL);
    bench_run_for(&bench, 61000);
    ck_assert_mem_eq(serin_attempt_current(&bench.agent)->manifest_id, v1->id, 32);
    tear_down();
}
END_TEST

/* The link goes in the midst of a look: the other slot is seen to, the look begins again. */
START_TEST(a_look_begins_again_with_the_link)
{
    set_up();
    bench.config.block_size = 256;
    bench.config.window_blocks = 1;
    bench_power_cycle(&bench);
    confirm_v2();
    unsigned gets = bench.gets;
    publish(v1, NULL);
    for (unsigned n = 0; n < 100 && bench.gets == gets; n++) {
        bench_step(&bench, UINT64_MAX);
    }
    ck_assert_int_eq(bench.agent.download.target, SERIN_AGENT_TARGET_PEEK);
    ck_assert(bench_step(&bench, UINT64_MAX)); /* the first block */
    ck_assert_uint_ne(bench.agent.fetch.position, 0);
    bench_online(&bench, false);
    ck_assert_int_eq(bench.agent.download.target, SERIN_AGENT_TARGET_NONE);
    memset(bench.scratch, 0x5A, sizeof(bench.scratch));
    bench_run_for(&bench, 3600 * 1000);
    bench_online(&bench, true);
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench.agent.peek.verdict, SERIN_PEEK_LEAVE);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_CONFIRMED);
    tear_down();
}
END_TEST

/* With a spread the look comes within a minute, the attempt at its time. */
START_TEST(a_spread_delays_the_attempt_and_the_look_a_minute)
{
    set_up();
    struct serin_directive directive = bench_directive(&bench, v2, NULL);
    directive.spread_s = 7200;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 61000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_PENDING);
    uint64_t start_ms = bench.agent.now_ms + bench.agent.standing[SERIN_AGENT_CHANNEL].wait_ms;
    ck_assert_uint_gt(start_ms, bench.now_ms);
    unsigned gets = bench.gets;
    bench_run_for(&bench, start_ms - bench.now_ms - 1);
    ck_assert_uint_eq(bench.gets, gets);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    tear_down();
}
END_TEST

/* A device that wakes by a reset, for a few seconds at a time, and has no clock: it looks in one of
 * its wakes, and from there on its account tells when its spread is over. */
START_TEST(a_device_that_never_wakes_for_long_gets_what_is_spread)
{
    bench_begin(&bench, &v1, &v2);
    bench.clock_s = 0;
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v2, NULL);
    uint64_t issued_s = directive.issued_s;
    directive.spread_s = 3600;
    bench_publish(&bench, &directive);
    for (unsigned wake = 1; bench_running(&bench) != 2; wake++) {
        ck_assert_uint_lt(wake, 1440);
        bench_run_for(&bench, 5000);
        bench_power_cycle(&bench);
        ck_assert(wake < 170 || bench_state(&bench) != SERIN_STATE_IDLE);
        if (wake % 180 == 0) { /* renewed every three hours */
            directive = bench_directive(&bench, v2, NULL);
            directive.spread_s = 3600;
            directive.issued_s = issued_s += 10800;
            bench_publish(&bench, &directive);
        }
    }
    tear_down();
}
END_TEST

/* ---- tried ---- */

/* The channel's directive stays retained while the device's own come and go. */
START_TEST(what_the_channel_tried_outlasts_the_devices_own)
{
    struct bench_release *more[5];
    set_up();
    for (unsigned n = 0; n < 5; n++) {
        more[n] = bench_release((uint16_t)(10 + n), 5000, BENCH_SILENT);
        bench_serve(&bench, more[n]);
    }
    publish(v1, more[0]);
    ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 5000));
    for (unsigned n = 1; n < 5; n++) {
        struct serin_directive directive = own(more[n]);
        bench_publish(&bench, &directive);
        bench_run_for(&bench, 400000);
        ck_assert_mem_eq(serin_attempt_current(&bench.agent)->manifest_id, more[n]->id, 32);
        ck_assert_int_eq(bench_state(&bench), SERIN_STATE_ROLLED_BACK);
    }
    struct serin_directive release = own(NULL);
    bench_publish(&bench, &release);
    unsigned boots = bench.boots;
    bench_power_cycle(&bench);
    bench_run_for(&bench, 400000);
    ck_assert_uint_eq(bench.boots, boots + 1);
    ck_assert_mem_eq(serin_attempt_current(&bench.agent)->manifest_id, more[4]->id, 32);
    for (unsigned n = 0; n < 5; n++) {
        ck_assert(serin_attempt_tried(&bench.agent, more[n]->id, 1));
        bench_release_free(more[n]);
    }
    tear_down();
}
END_TEST

/* ---- no room ---- */

/* Two accounts that nobody acknowledges, and a third offer, which waits. What runs is committed and
 * copied all the same. */
START_TEST(an_offer_that_waits_for_room_keeps_nothing_waiting)
{
    struct bench_release *bad = bench_release(3, 5000, BENCH_GOOD);
    struct bench_release *third = bench_release(4, 5000, BENCH_GOOD);
    bad->manifest.hw_min = bad->manifest.hw_max = 9;
    bench_release_seal(bad);
    bench_begin(&bench, &v1, &v2);
    v2->manifest.security_counter = third->manifest.security_counter = 5;
    bench_release_seal(v2);
    bench_release_seal(third);
    bench_boot(&bench, SERIN_RESET_POWER);
    bench_serve(&bench, bad);
    bench_serve(&bench, third);
    bench.ack = false;
    publish(v1, v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    publish(v2, bad);
    ck_assert(bench_run_to(&bench, SERIN_STATE_REJECTED, 1000));
    struct serin_directive directive = bench_directive(&bench, v2, third);
    directive.stable.flags = SERIN_RELEASE_COMMIT;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_REJECTED);
    ck_assert_uint_eq(bench.agent.running.floor, 5);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_MIRRORED);
    bench.ack = true;
    bench_run_for(&bench, 2 * 3600 * 1000);
    ck_assert_uint_eq(bench_running(&bench), 4);
    bench_release_free(bad);
    bench_end(&bench, v1, v2, third);
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent offers");
    TCase *tests = tcase_create("offers");
    tcase_add_loop_test(tests, an_older_stable_release_is_no_attempt, 0, 2);
    tcase_add_test(tests, a_stable_release_of_the_same_version_is_no_attempt);
    tcase_add_loop_test(tests, an_older_release_with_revert_or_for_the_cohort_is_an_attempt, 0, 2);
    tcase_add_test(tests, a_newer_stable_release_is_taken);
    tcase_add_loop_test(tests, a_look_that_comes_to_nothing_is_an_attempt, 0, 4);
    tcase_add_test(tests, a_look_begins_again_with_the_link);
    tcase_add_test(tests, a_spread_delays_the_attempt_and_the_look_a_minute);
    tcase_add_test(tests, a_device_that_never_wakes_for_long_gets_what_is_spread);
    tcase_add_test(tests, what_the_channel_tried_outlasts_the_devices_own);
    tcase_add_test(tests, an_offer_that_waits_for_room_keeps_nothing_waiting);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
