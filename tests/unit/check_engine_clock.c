/*
 * The rollout engine's watch: outages, pauses of reports, clocks that jump.
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

/* Caught: soak that counts while reports are down. */
START_TEST(soak_counts_only_while_reports_can_arrive)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 20, 52);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_confirm_offered(&bench);
    bench_pass(&bench, 200000);
    bench_do(&bench, SERIN_ROLLOUT_REPORTS_DOWN);
    ck_assert_uint_eq(serin_rollout_deadline_ms(&bench.rollout, &bench.members), UINT64_MAX);
    for (int i = 0; i < 10; i++) { /* an hour in steps that are no jump, then a month in one */
        bench.now_ms += 360000;
        bench_do(&bench, SERIN_ROLLOUT_TICK);
    }
    bench.now_ms += 30 * 86400000ull;
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    bench_do(&bench, SERIN_ROLLOUT_REPORTS_UP);
    ck_assert(!bench_said(&bench, "clock"));
    bench_pass(&bench, 399999);
    ck_state(&bench, "soaking");
    ck_assert_uint_eq(bench.rollout.soaked_ms, 599999);
    bench_pass(&bench, 1);
    ck_assert_uint_eq(bench.rollout.stage, 2);
    bench_free(&bench);
}
END_TEST

/* Caught: a jump counted in either direction; said nothing about; last_ms kept after a jump back.
 */
START_TEST(a_clock_that_jumps_counts_nothing_and_says_so)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 20, 53);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_confirm_offered(&bench);
    bench_pass(&bench, 100000);
    bench.now_ms += SERIN_ENGINE_JUMP_MS + 1;
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    ck_assert(bench_said(&bench, "jumped forward by 600 s"));
    ck_assert_uint_eq(bench.rollout.soaked_ms, 100000);
    bench.now_ms -= 3600000;
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    ck_assert(bench_said(&bench, "jumped back by 3600 s"));
    ck_assert_uint_eq(bench.rollout.soaked_ms, 100000);
    bench_pass(&bench, 1000);
    ck_assert_uint_eq(bench.rollout.soaked_ms, 101000);
    /* The noise of a disciplined clock: not said, and not counted twice. */
    bench.now_ms -= SERIN_ENGINE_SLEW_MS;
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    ck_assert(!bench_said(&bench, "clock"));
    bench.now_ms += SERIN_ENGINE_SLEW_MS;
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    ck_assert_uint_eq(bench.rollout.soaked_ms, 101000);
    bench_free(&bench);
}
END_TEST

/* An outage longer than patience and deadline makes nobody silent. Caught: ages taken from now_ms.
 */
START_TEST(an_outage_of_serind_fails_nobody)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 200, 54);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_set(&bench, 0, SERIN_STATE_DOWNLOADING);
    bench_pass(&bench, 1000);
    bench_do(&bench, SERIN_ROLLOUT_REPORTS_DOWN);
    bench.now_ms += 86400000;
    bench_do(&bench, SERIN_ROLLOUT_REPORTS_UP);
    bench_settle(&bench);
    ck_assert_uint_eq(bench.rollout.tally.failed + bench.rollout.tally.unreached, 0);
    /* The same for a wall clock that jumps ahead. */
    bench.now_ms += 86400000;
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    bench_settle(&bench);
    ck_assert_uint_eq(bench.rollout.tally.failed + bench.rollout.tally.unreached, 0);
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        soak_counts_only_while_reports_can_arrive,
        a_clock_that_jumps_counts_nothing_and_says_so,
        an_outage_of_serind_fails_nobody,
        NULL,
    };
    return check_run("engine_clock", tests);
}
