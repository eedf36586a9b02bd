/* The gate's minimum: it delays a halt inside a stage, and never past it (docs/spec/rollout.md,
 * section 5).
 *
 * Each test names the mutation of the engine that it was seen to catch. */
#include "check_main.h"
#include "engine_bench.h"

/* Stages of 1, 10 and 100 %, and a minimum that no stage before the last of 90 devices reaches. */
static struct serin_policy patient_policy(void)
{
    struct serin_policy policy = bench_policy();
    static const uint32_t shares[] = {100, 1000, 10000};
    policy.stage_count = 3;
    for (size_t i = 0; i < 3; i++) {
        policy.stages[i] =
            (struct serin_stage_policy){.permyriad = shares[i], .soak_s = BENCH_SOAK_S};
    }
    policy.gates[SERIN_GATE_FAILURES].minimum = 10;
    return policy;
}

/* Caught: the minimum asked of a stage that is resolved. */
START_TEST(a_release_that_fails_everywhere_stays_in_its_first_stage)
{
    struct serin_policy policy = patient_policy();
    struct bench bench;
    bench_make(&bench, &policy, 90, 21);
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_assert_uint_eq(bench.rollout.tally.offered, 1);
    bench_fail(&bench, 0);
    ck_state(&bench, "halted");
    ck_assert_str_eq(bench.rollout.why,
                     "halted: 1 of 1 resolved failed (limit 2.00 %, minimum 10, but the stage "
                     "waits for nobody): not_confirmed");
    bench_pass(&bench, 3 * BENCH_SOAK_MS);
    ck_assert_uint_eq(bench.rollout.stage, 1);
    ck_assert_uint_eq(bench.rollout.tally.offered, 1);
    bench_free(&bench);
}
END_TEST

/* Whatever the minimum, and in whatever order devices end: a stage of which all have failed is the
 * last. Caught: the same; the minimum compared with the size of the stage. */
START_TEST(no_minimum_carries_failures_to_the_next_stage)
{
    for (uint32_t minimum = 1; minimum <= 200; minimum += 7) {
        struct serin_policy policy = patient_policy();
        policy.gates[SERIN_GATE_FAILURES].minimum = minimum;
        struct bench bench;
        bench_make(&bench, &policy, 90, minimum);
        bench_do(&bench, SERIN_ROLLOUT_START);
        bench_confirm_offered(&bench); /* stage 1 is good */
        bench_pass(&bench, (BENCH_SOAK_S + 1) * UINT64_C(1000));
        ck_assert_uint_eq(bench.rollout.stage, 2);
        uint32_t offered = bench.rollout.tally.offered;
        ck_assert_uint_eq(offered, 9);
        for (uint32_t i = offered; i > 1; i--) {
            bench_fail(&bench, i - 1);
        }
        ck_state(&bench, "halted");
        ck_assert_uint_eq(bench.rollout.tally.offered, offered);
        bench_free(&bench);
    }
}
END_TEST

/* Caught: the minimum ignored while devices are open. */
START_TEST(the_minimum_delays_while_devices_are_open)
{
    struct serin_policy policy = patient_policy();
    struct bench bench;
    bench_make(&bench, &policy, 90, 22);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_set(&bench, 0, SERIN_STATE_CONFIRMED);
    bench_pass(&bench, (BENCH_SOAK_S + 1) * UINT64_C(1000));
    ck_assert_uint_eq(bench.rollout.stage, 2);
    bench_fail(&bench, 1);
    ck_state(&bench, "rolling");
    bench_do(&bench, SERIN_ROLLOUT_PAUSE);
    bench_fail(&bench, 2);
    ck_state(&bench, "paused");
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    ck_state(&bench, "rolling");
    for (uint32_t i = 3; i < 8; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        ck_state(&bench, "rolling");
    }
    bench_set(&bench, 8, SERIN_STATE_CONFIRMED); /* the last of the stage, and a good one */
    ck_state(&bench, "halted");
    bench_free(&bench);
}
END_TEST

/* Caught: the minimum asked again during the soak; and of a pause that left it. */
START_TEST(what_goes_wrong_in_the_soak_needs_no_minimum)
{
    for (int paused = 0; paused < 2; paused++) {
        struct serin_policy policy = patient_policy();
        struct bench bench;
        bench_make(&bench, &policy, 90, 23);
        bench_do(&bench, SERIN_ROLLOUT_START);
        bench_set(&bench, 0, SERIN_STATE_CONFIRMED);
        ck_state(&bench, "soaking");
        if (paused) {
            bench_do(&bench, SERIN_ROLLOUT_PAUSE);
        }
        ck_assert_int_eq(bench_member(&bench, 0, SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH),
                         SERIN_OK);
        ck_state(&bench, "halted");
        ck_assert(bench_said(&bench, "waits for nobody): health"));
        bench_free(&bench);
    }
}
END_TEST

/* A device of the stage that was silent and wakes up in the soak is waited for again in figures,
 * but the soak ends all the same. Caught: the minimum asked as long as anybody is open. */
START_TEST(a_late_riser_in_the_soak_gives_the_minimum_no_hold)
{
    struct serin_policy policy = patient_policy();
    policy.stages[0] = (struct serin_stage_policy){.count = 2, .soak_s = BENCH_SOAK_S};
    struct bench bench;
    bench_make(&bench, &policy, 90, 24);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_set(&bench, 0, SERIN_STATE_CONFIRMED);
    bench_pass(&bench, 620000); /* the second is silent for too long, and replaced by the third */
    ck_assert_uint_eq(bench.rollout.tally.unreached, 1);
    bench_set(&bench, 2, SERIN_STATE_CONFIRMED);
    ck_state(&bench, "soaking");
    bench_set(&bench, 1, SERIN_STATE_PENDING);
    ck_assert_int_eq(bench_member(&bench, 0, SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH), SERIN_OK);
    ck_state(&bench, "halted");
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_release_that_fails_everywhere_stays_in_its_first_stage,
        no_minimum_carries_failures_to_the_next_stage,
        the_minimum_delays_while_devices_are_open,
        what_goes_wrong_in_the_soak_needs_no_minimum,
        a_late_riser_in_the_soak_gives_the_minimum_no_hold,
        NULL,
    };
    return check_run("engine_gate", tests);
}
