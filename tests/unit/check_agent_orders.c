/*
 * What directives do to a device: halted and paused in every state, superseded, withdrawn,
 * targeted, spread; lease and hold.
 */
#include "check_main.h"
#include "device_bench.h"

#include <serin/adapters/protobufc.h>

#include <stdio.h>
#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2, *v3;

static void set_up(void)
{
    bench_begin(&bench, &v1, &v2);
    v3 = bench_release(3, 5000, BENCH_GOOD);
    bench_serve(&bench, v3);
    bench_boot(&bench, SERIN_RESET_POWER);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, v3);
}

static void publish(enum serin_candidate_state state)
{
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    directive.candidate_state = state;
    bench_publish(&bench, &directive);
}

/* Brings v2 to `state`; a lease that is over keeps it staged. */
static void bring_to(enum serin_state state)
{
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    if (state == SERIN_STATE_STAGED) {
        bench.clock_s = directive.issued_s + directive.lease_s + 10;
    }
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, state, 1000));
}

START_TEST(a_halt_stops_what_has_not_booted)
{
    static const enum serin_state states[] = {SERIN_STATE_PENDING, SERIN_STATE_DOWNLOADING,
                                              SERIN_STATE_VERIFYING, SERIN_STATE_STAGED};
    set_up();
    bring_to(states[_i]);
    publish(SERIN_CANDIDATE_HALTED);
    /* Blocks may still be under way; the halt overtakes nothing that is not durable yet. */
    bench_run_for(&bench, 30000);
    if (states[_i] == SERIN_STATE_VERIFYING && bench_running(&bench) == 2) {
        ck_abort_msg("the halt was not heard before the trial");
    }
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_CANCELLED);
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_HALTED);
    ck_assert_uint_eq(bench_running(&bench), 1);
    ck_assert(bench.agent.record.halted[SERIN_AGENT_CHANNEL]);
    bench.clock_s = 1767225600;
    bench_power_cycle(&bench);
    bench_run_for(&bench, 30000);
    ck_assert_uint_eq(bench_running(&bench), 1);
    /* A cancelled attempt is not a tried one: the rollout may go on. */
    publish(SERIN_CANDIDATE_ROLLING);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(a_halt_between_arming_and_reset_takes_the_image_back)
{
    set_up();
    bring_to(SERIN_STATE_STAGED);
    bench.clock_s = 1767225600;
    struct serin_agent_event tick = {.kind = SERIN_AGENT_TICK};
    ck_assert_int_eq(serin_agent_step(&bench.agent, bench.now_ms, &tick), SERIN_OK);
    ck_assert(bench.reset_asked); /* the boot log is staged, the board is slow to reset */
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    directive.candidate_state = SERIN_CANDIDATE_HALTED;
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    size_t size = bench_seal(&directive, TEST_DIRECTOR, payload);
    struct serin_agent_event event = {.kind = SERIN_AGENT_MESSAGE,
                                      .topic = SERIN_TOPIC_DIRECTIVE,
                                      .payload = payload,
                                      .payload_size = size};
    ck_assert_int_eq(serin_agent_step(&bench.agent, bench.now_ms, &event), SERIN_OK);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_CANCELLED);
    bench.online = false;
    bench_boot(&bench, SERIN_RESET_REQUESTED);
    ck_assert(!bench.choice.trial);
    ck_assert_uint_eq(bench_running(&bench), 1);
    tear_down();
}
END_TEST

START_TEST(a_trial_ends_by_its_own_rules_when_halted)
{
    set_up();
    bring_to(SERIN_STATE_TRIAL);
    publish(SERIN_CANDIDATE_HALTED);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 30000);
    ck_assert_uint_eq(bench_running(&bench), 2); /* who confirmed stays */
    tear_down();
}
END_TEST

START_TEST(a_pause_lets_downloads_go_on_and_starts_nothing)
{
    set_up();
    publish(SERIN_CANDIDATE_PAUSED);
    bench_run_for(&bench, 30000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_IDLE);
    bring_to(SERIN_STATE_DOWNLOADING);
    publish(SERIN_CANDIDATE_PAUSED);
    bench_run_for(&bench, 30000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    bench_power_cycle(&bench); /* nor does losing power */
    bench_run_for(&bench, 30000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    ck_assert_uint_eq(bench_running(&bench), 1);
    publish(SERIN_CANDIDATE_ROLLING);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(a_newer_directive_supersedes)
{
    static const enum serin_state states[] = {SERIN_STATE_PENDING, SERIN_STATE_DOWNLOADING,
                                              SERIN_STATE_VERIFYING, SERIN_STATE_STAGED};
    set_up();
    bench.ack = false;
    bring_to(states[_i]);
    bench.clock_s = 1767225600;
    struct serin_directive directive = bench_directive(&bench, v1, v3);
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    if (states[_i] != SERIN_STATE_VERIFYING || bench_running(&bench) == 3) {
        bench_run_for(&bench, 10000);
        ck_assert_uint_eq(bench_running(&bench), 3);
    }
    /* Both accounts are told until serind has them. */
    bench_run_for(&bench, 10000);
    ck_assert_uint_eq(bench.report.attempt_count, 2);
    const struct serin_attempt_report *first = &bench.report.attempts[0];
    enum serin_state ended = first->transitions[first->transition_count - 1].state;
    ck_assert_int_eq(ended, SERIN_STATE_SUPERSEDED);
    bench.ack = true;
    bench_run_for(&bench, 2 * 3600 * 1000);
    ck_assert_uint_eq(bench.agent.record.attempt_count, 1);
    tear_down();
}
END_TEST

START_TEST(a_withdrawn_offer_cancels)
{
    set_up();
    bring_to(SERIN_STATE_DOWNLOADING);
    struct serin_directive directive = bench_directive(&bench, v1, NULL);
    directive.stable.offers[0].hw_min = directive.stable.offers[0].hw_max = 3;
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CANCELLED, 100));
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_WITHDRAWN);
    tear_down();
}
END_TEST

START_TEST(a_retry_is_a_higher_attempt)
{
    set_up();
    v2->app = BENCH_CRASH;
    bring_to(SERIN_STATE_ROLLED_BACK);
    v2->app = BENCH_GOOD;
    publish(SERIN_CANDIDATE_ROLLING);
    bench_run_for(&bench, 30000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_ROLLED_BACK);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    directive.candidate.attempt = 2;
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(outside_the_cohort_the_stable_release_holds)
{
    set_up();
    struct serin_directive directive = bench_directive(&bench, v2, v3);
    uint64_t rank = serin_cohort_rank(bench_crypto(), directive.salt, "pump-01");
    directive.threshold = rank - 1;
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 30000);
    ck_assert_uint_eq(bench_running(&bench), 2);
    directive = bench_directive(&bench, v2, v3);
    directive.threshold = rank;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 30000);
    ck_assert_uint_eq(bench_running(&bench), 3);
    tear_down();
}
END_TEST

START_TEST(a_targeted_directive_wins_until_released)
{
    set_up();
    struct serin_directive own = bench_directive(&bench, v2, NULL);
    snprintf(own.device_id, sizeof(own.device_id), "pump-01");
    struct serin_directive channel = bench_directive(&bench, v1, v3);
    bench_publish(&bench, &own);
    ck_assert(bench_run_to(&bench, SERIN_STATE_PENDING, 100));
    bench_publish(&bench, &channel);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 30000);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert(bench.agent.record.attempts[0].targeted);
    /* After losing power the channel's directive comes first, and waits for the device's own. */
    bench.retained_size[1] = 0;
    bench_power_cycle(&bench);
    bench_run_for(&bench, 30000);
    ck_assert_uint_eq(bench_running(&bench), 2);
    own = bench_directive(&bench, NULL, NULL);
    snprintf(own.device_id, sizeof(own.device_id), "pump-01");
    bench_publish(&bench, &own);
    bench_run_for(&bench, 30000);
    ck_assert_uint_eq(bench_running(&bench), 3);
    tear_down();
}
END_TEST

START_TEST(spread_delays_the_start_and_emergency_does_not)
{
    set_up();
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    directive.spread_s = 3600;
    directive.flags = _i == 1 ? SERIN_DIRECTIVE_EMERGENCY : 0;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 5000);
    uint64_t rank = serin_cohort_rank(bench_crypto(), directive.salt, "pump-01");
    uint64_t delay_ms = 3600000 * (rank >> 32) >> 32;
    ck_assert_uint_gt(delay_ms, 10000);
    if (_i == 1) {
        ck_assert_uint_gt(bench.gets, 0);
    } else {
        ck_assert_int_eq(bench_state(&bench), SERIN_STATE_PENDING);
        ck_assert_uint_eq(bench.gets, 0);
        bench_run_for(&bench, delay_ms);
        ck_assert_uint_gt(bench.gets, 0);
    }
    tear_down();
}
END_TEST

/* A salt that gives the bench's device a place between 12,000 and 30,000 s of a day's spread. */
static void place_late(uint8_t salt[SERIN_SALT_SIZE])
{
    uint64_t delay_s;
    do {
        salt[0]++;
        delay_s = 86400 * (serin_cohort_rank(bench_crypto(), salt, "pump-01") >> 32) >> 32;
    } while (delay_s < 12000 || delay_s > 30000);
}

/* Renewals come each half of the lease, and the device's place is far behind that. 0: with a clock;
 * 1: without; 2: without, and the power goes each hour. */
START_TEST(renewals_do_not_begin_the_spread_again)
{
    enum { HOUR_MS = 3600000 };
    set_up();
    uint64_t clock_s = bench.clock_s;
    uint64_t gone_ms = 0;
    bench.clock_s = _i == 0 ? clock_s : 0;
    for (unsigned hour = 0; hour < 13 && bench_running(&bench) == 1; hour++) {
        if (hour % 3 == 0) {
            struct serin_directive renewal = bench_directive(&bench, v1, v2);
            renewal.spread_s = 86400;
            place_late(renewal.salt);
            renewal.issued_s = clock_s + gone_ms / 1000;
            bench_publish(&bench, &renewal);
        }
        bench_run_for(&bench, HOUR_MS);
        gone_ms += HOUR_MS;
        if (hour < 4) {
            ck_assert_msg(bench_state(&bench) == SERIN_STATE_PENDING, "hour %u", hour);
        }
        if (_i == 2 && bench_state(&bench) == SERIN_STATE_PENDING) {
            bench_power_cycle(&bench);
        }
    }
    ck_assert_uint_eq(bench_running(&bench), 2);
    tear_down();
}
END_TEST

/* ---- lease and hold ---- */

START_TEST(no_trial_starts_after_the_lease)
{
    set_up();
    bring_to(SERIN_STATE_STAGED);
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    struct serin_directive renewal = bench_directive(&bench, v1, v2);
    renewal.issued_s = bench.clock_s;
    bench_publish(&bench, &renewal);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(without_a_clock_a_reset_ends_the_lease)
{
    set_up();
    bench.clock_s = 0;
    publish(SERIN_CANDIDATE_ROLLING);
    ck_assert(bench_run_to(&bench, SERIN_STATE_DOWNLOADING, 100));
    bench_power_cycle(&bench);
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    publish(SERIN_CANDIDATE_ROLLING); /* the renewal: a higher order */
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(a_clock_before_signed_time_is_none)
{
    set_up();
    bring_to(SERIN_STATE_DOWNLOADING);
    bench.clock_s = 1600000000; /* the battery died: the board counts from when it was made */
    bench_power_cycle(&bench);
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    publish(SERIN_CANDIDATE_ROLLING);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(without_a_clock_a_reconnection_does_not_end_the_lease)
{
    set_up();
    bench.clock_s = 0;
    publish(SERIN_CANDIDATE_ROLLING);
    ck_assert(bench_run_to(&bench, SERIN_STATE_DOWNLOADING, 100));
    bench_online(&bench, false);
    bench_online(&bench, true); /* the retained directive is heard again */
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(an_offer_that_comes_back_has_one_account)
{
    set_up();
    bench.ack = false;
    bring_to(SERIN_STATE_DOWNLOADING);
    publish(SERIN_CANDIDATE_HALTED);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CANCELLED, 100));
    publish(SERIN_CANDIDATE_ROLLING);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 10000);
    ck_assert_uint_eq(bench.report.attempt_count, 1);
    ck_assert_uint_eq(bench.report.attempts[0].transition_count, 6);
    tear_down();
}
END_TEST

START_TEST(a_third_attempt_waits_for_the_ack)
{
    set_up();
    bench.ack = false;
    v2->app = v3->app = BENCH_CRASH;
    publish(SERIN_CANDIDATE_ROLLING);
    ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 1000));
    struct serin_directive directive = bench_directive(&bench, v1, v3);
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 60000);
    directive = bench_directive(&bench, v1, v2);
    directive.candidate.attempt = 2;
    v2->app = BENCH_GOOD;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 60000);
    ck_assert_uint_eq(bench.report.attempt_count, 2);
    ck_assert_mem_eq(bench.report.attempts[0].manifest_id, v2->id, SERIN_SHA256_SIZE);
    ck_assert_uint_eq(bench.report.attempts[0].attempt, 1);
    ck_assert_mem_eq(bench.report.attempts[1].manifest_id, v3->id, SERIN_SHA256_SIZE);
    bench.ack = true;
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(without_a_clock_uptime_ends_the_lease)
{
    set_up();
    bench.clock_s = 0;
    publish(SERIN_CANDIDATE_PAUSED);
    bench_run_for(&bench, 1000);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    directive.lease_s = 60;
    directive.spread_s = 86400;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 86400000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    tear_down();
}
END_TEST

START_TEST(without_a_clock_the_time_that_was_heard_outlives_power)
{
    set_up();
    bench.clock_s = 0;
    struct serin_directive later = bench_directive(&bench, v1, NULL);
    later.issued_s += 100 * 3600;
    bench_publish(&bench, &later);
    bench_run_for(&bench, 1000);
    bench.retained_size[2] = 0; /* not heard again */
    bench_power_cycle(&bench);
    bench_run_for(&bench, 1000);
    /* A newer order with an older time: its lease is over. */
    publish(SERIN_CANDIDATE_ROLLING);
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    tear_down();
}
END_TEST

static void hold_at(bool held, uint32_t left_s, uint64_t time_s)
{
    struct serin_hold value = {
        .held = held, .lease_left_s = left_s, .reason = SERIN_REASON_NONE, .time_s = time_s};
    uint8_t payload[SERIN_HOLD_MAX];
    size_t size;
    ck_assert_int_eq(serin_protobufc()->encode_hold(&value, payload, sizeof(payload), &size),
                     SERIN_OK);
    bench_send(&bench, SERIN_TOPIC_HOLD, payload, size);
}

static void hold(bool held, uint32_t left_s)
{
    hold_at(held, left_s, 1);
}

START_TEST(the_time_of_a_hold_delays_while_it_stands)
{
    set_up();
    bench.clock_s = 0;
    hold_at(false, 3600, SERIN_TIME_MAX_S);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    directive.spread_s = 3600;
    place_late(directive.salt);
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_PENDING); /* no spread is shortened */
    directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    ck_assert_uint_lt(bench.agent.time_base_s, SERIN_TIME_MAX_S);
    hold(false, 3600);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(the_time_of_a_hold_revives_no_lease)
{
    static const uint64_t times_s[] = {0, 1, SERIN_TIME_MAX_S};
    set_up();
    bench.clock_s = 0;
    hold(true, 3600);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    directive.lease_s = 60;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 600000);
    hold_at(false, 3600, times_s[_i]);
    bench_run_for(&bench, 600000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    tear_down();
}
END_TEST

START_TEST(a_hold_delays_the_trial_only)
{
    set_up();
    hold(true, 3600);
    publish(SERIN_CANDIDATE_ROLLING);
    bench_run_for(&bench, 30000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    hold(false, _i == 0 ? 3600 : 0);
    bench_run_for(&bench, 30000);
    ck_assert_int_eq(bench_state(&bench), _i == 0 ? SERIN_STATE_CONFIRMED : SERIN_STATE_STAGED);
    bench_send(&bench, SERIN_TOPIC_HOLD, (const uint8_t *)"", 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent_orders");
    TCase *tests = tcase_create("agent_orders");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_halt_stops_what_has_not_booted, 0, 4);
    tcase_add_test(tests, a_halt_between_arming_and_reset_takes_the_image_back);
    tcase_add_test(tests, a_trial_ends_by_its_own_rules_when_halted);
    tcase_add_test(tests, a_pause_lets_downloads_go_on_and_starts_nothing);
    tcase_add_loop_test(tests, a_newer_directive_supersedes, 0, 4);
    tcase_add_test(tests, a_withdrawn_offer_cancels);
    tcase_add_test(tests, a_retry_is_a_higher_attempt);
    tcase_add_test(tests, outside_the_cohort_the_stable_release_holds);
    tcase_add_test(tests, a_targeted_directive_wins_until_released);
    tcase_add_loop_test(tests, spread_delays_the_start_and_emergency_does_not, 0, 2);
    tcase_add_loop_test(tests, renewals_do_not_begin_the_spread_again, 0, 3);
    tcase_add_test(tests, no_trial_starts_after_the_lease);
    tcase_add_test(tests, without_a_clock_a_reset_ends_the_lease);
    tcase_add_test(tests, a_clock_before_signed_time_is_none);
    tcase_add_test(tests, without_a_clock_a_reconnection_does_not_end_the_lease);
    tcase_add_test(tests, an_offer_that_comes_back_has_one_account);
    tcase_add_test(tests, a_third_attempt_waits_for_the_ack);
    tcase_add_test(tests, without_a_clock_uptime_ends_the_lease);
    tcase_add_test(tests, without_a_clock_the_time_that_was_heard_outlives_power);
    tcase_add_test(tests, the_time_of_a_hold_delays_while_it_stands);
    tcase_add_loop_test(tests, the_time_of_a_hold_revives_no_lease, 0, 3);
    tcase_add_loop_test(tests, a_hold_delays_the_trial_only, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
