/*
 * The rollout engine and devices that join while it runs, or that ran the release before.
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

/* Caught: a joiner that holds the stage open; one that is left out of the gate. */
START_TEST(a_late_joiner_below_the_threshold_counts_but_holds_nothing_up)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 20, 55);
    bench_do(&bench, SERIN_ROLLOUT_START);
    uint32_t joiner = bench_join(&bench, 0);
    ck_assert_uint_eq(joiner, 0);
    ck_assert_uint_eq(bench.rollout.tally.offered, 2);
    ck_assert_uint_eq(bench.members.list[0].stage, 1);
    bench_set(&bench, 1, SERIN_STATE_CONFIRMED);
    ck_state(&bench, "soaking");
    bench_set(&bench, 0, SERIN_STATE_TRIAL);
    ck_state(&bench, "soaking");
    bench_fail(&bench, 0);
    ck_state(&bench, "halted");
    bench_free(&bench);
}
END_TEST

START_TEST(joiners_above_the_threshold_wait_for_their_stage)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 20, 56);
    bench_do(&bench, SERIN_ROLLOUT_START);
    uint32_t joiner = bench_join(&bench, UINT64_MAX - 1);
    ck_assert_uint_eq(bench.members.list[joiner].stage, 0);
    ck_assert_uint_eq(bench.rollout.tally.offered, 1);
    for (int stage = 1; stage <= 4; stage++) {
        ck_state(&bench, "rolling");
        if (stage < 4) {
            bench_confirm_offered(&bench);
            bench_pass(&bench, BENCH_SOAK_MS);
        }
    }
    ck_assert_uint_eq(bench.rollout.tally.offered, 21);
    for (uint32_t i = 0; i < 20; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    ck_state(&bench, "rolling"); /* of this stage it is no late joiner */
    bench_set(&bench, 20, SERIN_STATE_CONFIRMED);
    ck_state(&bench, "soaking");
    bench_free(&bench);
}
END_TEST

/* Caught: patience of a joiner counted from the stage's start; a joiner that the stage was widened
 * to reach taken for a late one. */
START_TEST(a_joiner_has_its_own_patience_and_can_be_a_replacement)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 1, 62);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_pass(&bench, 500000);
    bench_join(&bench, 0);
    bench_join(&bench, UINT64_MAX - 1);
    bench_pass(&bench, 120000);
    ck_assert_int_eq(bench.members.list[1].state, SERIN_STATE_UNREACHED);
    ck_assert_int_eq(bench.members.list[0].state, SERIN_STATE_IDLE); /* below: still has time */
    bench_pass(&bench, 500000);
    ck_assert_int_eq(bench.members.list[0].state, SERIN_STATE_UNREACHED);
    ck_assert_uint_eq(bench.members.list[2].stage, 1); /* above: takes their place */
    ck_assert_uint_eq(bench.rollout.late, 0);
    ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_ADVANCE), SERIN_ERR_STATE);
    bench_free(&bench);
}
END_TEST

/* A steady stream of new devices does not keep the last stage open. */
START_TEST(new_devices_do_not_hold_the_last_stage_open)
{
    struct serin_policy policy = bench_policy();
    policy.stage_count = 1;
    policy.stages[0] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = BENCH_SOAK_S};
    struct bench bench;
    uint64_t seed = 57;
    bench_make(&bench, &policy, 10, seed);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_confirm_offered(&bench);
    for (int i = 0; i < 20 && bench.rollout.state != SERIN_ROLLOUT_COMPLETED; i++) {
        bench_join(&bench, bench_random(&seed));
        bench_pass(&bench, 60000);
    }
    ck_state(&bench, "completed");
    bench_free(&bench);
}
END_TEST

/* A rollout that began before its first device meets it in the first stage. */
START_TEST(a_rollout_without_devices_waits_for_the_first)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 0, 58);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_pass(&bench, 86400000);
    bench_join(&bench, UINT64_C(1) << 60);
    bench_settle(&bench);
    ck_assert_uint_eq(bench.rollout.threshold, UINT64_C(1) << 60);
    ck_assert_uint_eq(bench.publishes, 2);
    bench_set(&bench, 0, SERIN_STATE_CONFIRMED);
    ck_state(&bench, "soaking");
    bench_free(&bench);
}
END_TEST

/* Members that run the release already are confirmed before they are offered. */
START_TEST(who_runs_it_already_is_confirmed)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 200, 59);
    bench_set(&bench, 0, SERIN_STATE_CONFIRMED);
    bench_set(&bench, 5, SERIN_STATE_CONFIRMED);
    ck_assert_uint_eq(bench.rollout.tally.confirmed, 0);
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_assert_uint_eq(bench.rollout.tally.confirmed, 1);
    bench_set(&bench, 1, SERIN_STATE_CONFIRMED);
    ck_state(&bench, "soaking");
    bench_pass(&bench, BENCH_SOAK_MS);
    ck_assert_uint_eq(bench.rollout.tally.confirmed, 3);
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_late_joiner_below_the_threshold_counts_but_holds_nothing_up,
        joiners_above_the_threshold_wait_for_their_stage,
        a_joiner_has_its_own_patience_and_can_be_a_replacement,
        new_devices_do_not_hold_the_last_stage_open,
        a_rollout_without_devices_waits_for_the_first,
        who_runs_it_already_is_confirmed,
        NULL,
    };
    return check_run("engine_joiners", tests);
}
