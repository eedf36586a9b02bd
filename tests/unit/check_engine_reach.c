/*
 * What the ramp holds together while devices are out of reach: whoever was offered it and is silent
 * holds the directive, and starts when the network returns (docs/spec/rollout.md, section 12). That
 * no step goes beyond it is checked after every step of every test (engine_bench_evidence.c).
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <string.h>

#define HOUR_MS UINT64_C(3600000)

/* A first stage of everyone but two, and one of everyone; the default ramp, a settle time of a
 * minute, and nothing that halts or holds. */
static struct serin_policy reach_policy(uint32_t count)
{
    struct serin_policy policy = bench_policy();
    policy.stage_count = 2;
    policy.stages[0] = (struct serin_stage_policy){.count = count - 2, .soak_s = BENCH_SOAK_S};
    policy.stages[1] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = BENCH_SOAK_S};
    for (size_t i = SERIN_GATE_FAILURES; i < SERIN_GATE_COUNT; i++) {
        policy.gates[i].max_permyriad = 10000;
    }
    policy.ramp = (struct serin_ramp_policy){.first = 8, .growth_percent = 12, .settle_s = 60};
    policy.patience_s = 3600;
    return policy;
}

static bool waits(const struct bench *bench, const char *words)
{
    return strncmp(bench->rollout.why, words, strlen(words)) == 0;
}

/* Caught: silent devices that count for their settle time only; unreached ones that do not count;
 * replacements beyond the bound; a hold that keeps them from being heard. */
START_TEST(a_dark_network_is_offered_four_times_the_first_step)
{
    struct serin_policy policy = reach_policy(2000);
    struct bench bench;
    bench_make(&bench, &policy, 2000, 31);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_pass(&bench, 600000);
    ck_state(&bench, "rolling");
    ck_assert_uint_eq(bench.rollout.tally.offered, 32);
    ck_assert_str_eq(bench.rollout.why,
                     "waits for devices that were offered it: 32 of 32 are silent, and no more may "
                     "have it until some have come to an end");
    bench_pass(&bench, 20 * HOUR_MS);
    ck_assert_uint_eq(bench.rollout.tally.offered, 32);
    ck_assert_uint_eq(bench.rollout.tally.unreached, 32);
    ck_assert_uint_eq(bench.publishes, 4);
    ck_state(&bench, "awaiting");
    ck_assert(bench.rollout.held);
    ck_assert_str_eq(
        bench.rollout.why,
        "held: 32 of 32 devices that were offered it say nothing, and no more may have "
        "it until some of them do; 'serin rollout advance' goes on without");
    /* The network is back. */
    bench_set(&bench, 5, SERIN_STATE_PENDING);
    ck_state(&bench, "rolling");
    ck_assert(waits(&bench, "waits for devices that were offered it: 31 of 32 "));
    for (uint32_t i = 0; i < 32; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    ck_state(&bench, "rolling");
    ck_assert_str_eq(bench.rollout.why, "");
    ck_assert_uint_gt(bench.rollout.tally.offered, 32);
    bench_free(&bench);
}
END_TEST

/* One in a hundred is in reach, and well. Caught: a bound that grows with what is offered; one that
 * never does. */
START_TEST(those_in_reach_carry_four_times_as_many)
{
    struct serin_policy policy = reach_policy(5000);
    policy.patience_s = 48 * 3600;
    struct bench bench;
    bench_make(&bench, &policy, 5000, 32);
    bench_do(&bench, SERIN_ROLLOUT_START);
    for (int minute = 0; minute < 600; minute++) {
        for (uint32_t i = 0; i < bench.rollout.tally.offered; i++) {
            if (i % 100 == 7 && bench.members.list[i].state == SERIN_STATE_IDLE) {
                bench_set(&bench, i, SERIN_STATE_CONFIRMED);
            }
        }
        bench_pass(&bench, 60000);
    }
    ck_assert_uint_eq(bench.rollout.tally.confirmed, 1);
    ck_assert_uint_eq(bench.rollout.tally.offered, 32);
    for (uint32_t i = 0; i < 20; i++) {
        if (bench.members.list[i].state == SERIN_STATE_IDLE) {
            bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        }
    }
    bench_pass(&bench, HOUR_MS);
    ck_assert_uint_eq(bench.rollout.tally.offered, 20 + 4 * 20);
    bench_free(&bench);
}
END_TEST

/* Of a good release `percent` of the fleet are never reached. Caught: a bound that a share offline
 * runs into for good; one that a failure does. */
START_TEST(a_good_release_completes_with_many_offline)
{
    static const uint32_t percents[] = {10, 30, 45};
    for (size_t p = 0; p < sizeof percents / sizeof percents[0]; p++) {
        struct serin_policy policy = reach_policy(3000);
        struct bench bench;
        bench_make(&bench, &policy, 3000, 33);
        bench_do(&bench, SERIN_ROLLOUT_START);
        for (int hour = 0; hour < 200 && bench.rollout.state != SERIN_ROLLOUT_COMPLETED; hour++) {
            for (uint32_t i = 0; i < bench.rollout.tally.offered; i++) {
                bool there = i * 37 % 100 >= percents[p];
                if (there && bench.members.list[i].state == SERIN_STATE_IDLE) {
                    bench_set(&bench, i,
                              i % 300 == 299 ? SERIN_STATE_ROLLED_BACK : SERIN_STATE_CONFIRMED);
                }
            }
            bench_pass(&bench, HOUR_MS / 2);
        }
        ck_state(&bench, "completed");
        ck_assert_uint_gt(bench.rollout.tally.failed, 0);
        ck_assert_uint_eq(bench.rollout.tally.unreached, 3000 * percents[p] / 100);
        bench_free(&bench);
    }
}
END_TEST

/* Silent ones count in full for their settle time, and a quarter until their patience is over; then
 * they are waited for no longer. Caught: silent ones without any bound; unreached ones that fill
 * the flight for ever. */
START_TEST(a_limit_in_flight_bounds_those_that_may_wake_up)
{
    struct serin_policy policy = reach_policy(900);
    policy.ramp.first = 0;
    policy.in_flight_max = 5;
    struct bench bench;
    bench_make(&bench, &policy, 900, 34);
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_assert_uint_eq(bench.rollout.tally.offered, 5);
    bench_pass(&bench, HOUR_MS - 60000);
    ck_assert_uint_eq(bench.rollout.tally.offered, 20);
    ck_state(&bench, "rolling");
    ck_assert(waits(&bench, "waits for devices that were offered it: 20 of 20 "));
    bench_pass(&bench, HOUR_MS);
    ck_state(&bench, "rolling");
    ck_assert_uint_gt(bench.rollout.tally.unreached, 0);
    ck_assert_uint_gt(bench.rollout.tally.offered, 20);
    const struct serin_tally *tally = &bench.rollout.tally;
    ck_assert_uint_le(tally->offered - tally->unreached, 20);
    bench_free(&bench);
}
END_TEST

/* ADVANCE goes on without those that are silent: the stage asks as many again, and no more. Caught:
 * an operator's word that changes nothing; one that lifts the bound; one that opens the next stage,
 * and in the end completes a rollout that hardly anybody was offered. */
START_TEST(an_operator_may_go_on_without_the_silent)
{
    struct serin_policy policy = reach_policy(2000);
    policy.stages[0].count = 100;
    struct bench bench;
    bench_make(&bench, &policy, 2000, 35);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_pass(&bench, 5 * HOUR_MS);
    ck_state(&bench, "awaiting");
    ck_assert_uint_eq(bench.rollout.tally.offered, 32);
    for (uint32_t again = 1; again <= 3; again++) {
        bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
        ck_state(&bench, "rolling");
        ck_assert_str_eq(bench.rollout.why, "");
        ck_assert_uint_gt(bench.rollout.tally.offered, 32 * again);
        bench_pass(&bench, 5 * HOUR_MS);
        ck_state(&bench, "awaiting");
        ck_assert(bench.rollout.held);
        ck_assert_uint_eq(bench.rollout.tally.offered, 32 * (again + 1));
        ck_assert_uint_eq(bench.rollout.stage, 1);
    }
    bench_free(&bench);
}
END_TEST

/* ---- stages of which nobody is left to wait for ---- */

/* The last device of four is never reached. Caught: a stage that rolls for ever without a word; a
 * device that comes back and is not soaked. */
/* They all come, and those after them: none is left to go on without. Caught: a word of an operator
 * that outlives those it was for, so that as many more are offered it in the next dark hour. */
START_TEST(who_wakes_up_is_forgiven_no_longer)
{
    struct serin_policy policy = reach_policy(1000);
    struct bench bench;
    bench_make(&bench, &policy, 1000, 35);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_pass(&bench, 10 * HOUR_MS);
    ck_state(&bench, "awaiting");
    bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
    bench_settle(&bench);
    ck_assert_uint_eq(bench.rollout.forgiven, 32);
    uint32_t offered = bench.rollout.tally.offered;
    ck_assert_uint_gt(offered, 32);
    for (uint32_t i = 0; i < offered; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    ck_assert_uint_le(bench.rollout.forgiven, bench.rollout.tally.offered - offered);
    for (uint32_t i = offered; i < bench.rollout.tally.offered; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        ck_assert_uint_lt(bench.rollout.forgiven, 32);
    }
    ck_assert_uint_eq(bench.rollout.forgiven, 0);
    bench_free(&bench);
}
END_TEST

START_TEST(a_stage_that_nobody_can_prove_is_held)
{
    struct serin_policy policy = bench_staged_policy(3);
    policy.stages[1].soak_s = 3600;
    struct bench bench;
    bench_start(&bench, &policy, 4);
    bench_confirm(&bench, 0, 3);
    bench_pass(&bench, BENCH_SOAK_MS);
    ck_assert_uint_eq(bench.rollout.stage, 2);
    ck_state(&bench, "rolling");
    bench_pass(&bench, HOUR_MS);
    ck_state(&bench, "awaiting");
    ck_assert(bench.rollout.held);
    ck_assert_str_eq(bench.rollout.why,
                     "held: none of the 1 device that stage 2 added has come to an end; "
                     "'serin rollout advance' goes on without");
    bench_pass(&bench, 30 * HOUR_MS);
    ck_state(&bench, "awaiting");
    bench_set(&bench, 3, SERIN_STATE_DOWNLOADING);
    ck_state(&bench, "rolling");
    ck_assert_str_eq(bench.rollout.why, "");
    bench_set(&bench, 3, SERIN_STATE_CONFIRMED);
    ck_state(&bench, "soaking");
    bench_pass(&bench, 3599000);
    ck_state(&bench, "soaking");
    bench_pass(&bench, 1000);
    ck_state(&bench, "completed");
    bench_free(&bench);
}
END_TEST

/* Caught: an operator's word that is not taken; a pause in between that is taken for one of the
 * engine's own. */
START_TEST(an_operator_ends_a_stage_that_nobody_can_prove)
{
    struct serin_policy policy = bench_staged_policy(3);
    struct bench bench;
    bench_start(&bench, &policy, 4);
    bench_confirm(&bench, 0, 3);
    bench_pass(&bench, BENCH_SOAK_MS + HOUR_MS);
    ck_state(&bench, "awaiting");
    bench_do(&bench, SERIN_ROLLOUT_PAUSE);
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    ck_state(&bench, "awaiting");
    ck_assert(bench.rollout.held);
    ck_assert_uint_eq(bench.rollout.judged, 0);
    bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
    ck_state(&bench, "completed");
    bench_free(&bench);
}
END_TEST

/* A joiner of the stage is not waited for, and yet is somebody. Caught: a stage that is held while
 * a device is at it; one that a joiner that falls silent keeps from being held. */
START_TEST(who_joins_may_prove_a_stage)
{
    struct serin_policy policy = bench_staged_policy(3);
    struct bench bench;
    bench_start(&bench, &policy, 4);
    bench_confirm(&bench, 0, 3);
    bench_pass(&bench, BENCH_SOAK_MS + HOUR_MS);
    ck_state(&bench, "awaiting");
    uint32_t joiner = bench_join(&bench, bench.members.list[3].rank + 1);
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    ck_state(&bench, "rolling");
    ck_assert_str_eq(bench.rollout.why, "");
    bench_pass(&bench, 300000);
    ck_state(&bench, "rolling");
    bench_pass(&bench, HOUR_MS);
    ck_state(&bench, "awaiting");
    ck_assert(bench.rollout.held);
    bench_set(&bench, joiner, SERIN_STATE_CONFIRMED);
    ck_state(&bench, "soaking");
    bench_free(&bench);
}
END_TEST

/* What a stage waits for is no reason of a pause. Caught: words of a ramp that RESUME takes for a
 * judgement, or an end for its own. */
START_TEST(what_a_ramp_waits_for_ends_with_its_state)
{
    struct serin_policy policy = reach_policy(2000);
    struct bench bench;
    bench_make(&bench, &policy, 2000, 36);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_pass(&bench, 600000);
    ck_assert(waits(&bench, "waits for "));
    bench_do(&bench, SERIN_ROLLOUT_PAUSE);
    ck_assert_str_eq(bench.rollout.why, "paused by an operator");
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    ck_assert(!bench_said(&bench, "accepted"));
    ck_assert(waits(&bench, "waits for "));
    ck_assert_int_eq(bench_note(&bench, SERIN_ROLLOUT_ABORT, "no"), SERIN_OK);
    ck_assert_str_eq(bench.rollout.why, "aborted by an operator: no");
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_dark_network_is_offered_four_times_the_first_step,
        those_in_reach_carry_four_times_as_many,
        a_good_release_completes_with_many_offline,
        a_limit_in_flight_bounds_those_that_may_wake_up,
        an_operator_may_go_on_without_the_silent,
        who_wakes_up_is_forgiven_no_longer,
        a_stage_that_nobody_can_prove_is_held,
        an_operator_ends_a_stage_that_nobody_can_prove,
        who_joins_may_prove_a_stage,
        what_a_ramp_waits_for_ends_with_its_state,
        NULL,
    };
    return check_run("engine_reach", tests);
}
