/* The ramp: how exposure grows inside a stage (docs/spec/rollout.md, section 12). That no step goes
 * beyond what may be in flight is checked after every step of these tests
 * (engine_bench_evidence.c).
 *
 * Each test names the mutation of the engine that it was seen to catch. */
#include "check_main.h"
#include "engine_bench.h"

#define HOUR_MS UINT64_C(3600000)

/* One stage of everyone, the default ramp, and a settle time of a minute. */
static struct serin_policy ramp_policy(void)
{
    struct serin_policy policy = bench_policy();
    policy.stage_count = 1;
    policy.stages[0] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = BENCH_SOAK_S};
    policy.ramp = (struct serin_ramp_policy){.first = 8, .growth_percent = 12, .settle_s = 60};
    return policy;
}

/* ---- steps ---- */

/* Confirms one offered device after the other, from the `first` on, until all of them are.
 * Returns how many were. */
static uint32_t confirm_from(struct bench *bench, uint32_t first)
{
    while (first < bench->rollout.tally.offered) {
        bench_set(bench, first++, SERIN_STATE_CONFIRMED);
        bench_settle(bench);
    }
    return first;
}

/* Caught: the whole stage at once; a step for each report; a step of more than the room; one that
 * waits for all of the last. */
START_TEST(a_step_opens_when_three_quarters_of_the_last_have_landed)
{
    struct serin_policy policy = ramp_policy();
    struct bench bench;
    bench_start(&bench, &policy, 400);
    ck_assert_uint_eq(bench.rollout.tally.offered, 8);
    ck_assert_uint_eq(bench.rollout.reached, 8);
    ck_assert_uint_eq(bench.rollout.target, 400);
    for (uint32_t i = 0; i < 5; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        ck_assert_uint_eq(bench.rollout.tally.offered, 8);
    }
    bench_set(&bench, 5, SERIN_STATE_CONFIRMED);
    ck_assert_uint_eq(bench.rollout.tally.offered, 14);
    ck_assert_uint_eq(bench.publishes, 2);
    ck_assert(bench_said(&bench, "stage 1: 6 more devices, 14 of 400; 6 resolved, 0 failed"));
    bench_free(&bench);
}
END_TEST

/* While nobody failed 48 % of those resolved may be in flight, and 96 % once the stage is accepted;
 * more than 64 wait for the settle time. Caught: growth that is not raised, neither then nor then;
 * large steps at once; small ones that wait. */
START_TEST(few_large_steps_carry_a_good_release)
{
    struct serin_policy policy = ramp_policy();
    policy.test = (struct serin_test_policy){.accepted_permyriad = 50,
                                             .rejected_permyriad = 200,
                                             .alpha_permyriad = 100,
                                             .beta_permyriad = 500};
    struct bench bench;
    bench_start(&bench, &policy, 3200);
    uint32_t confirmed = confirm_from(&bench, 0);
    /* 48 % of 134 are 64: what has landed last has made more than that. */
    ck_assert_uint_ge(confirmed, 135);
    ck_assert_uint_le(confirmed, 135 + 64);
    uint64_t left_ms =
        serin_rollout_deadline_ms(&bench.rollout, &bench.members) - bench.rollout.last_ms;
    ck_assert_uint_eq(left_ms, 60000);
    bench_pass(&bench, 59999);
    ck_assert_uint_eq(bench.rollout.tally.offered, confirmed);
    bench_pass(&bench, 1);
    uint32_t percent = bench.rollout.accepted ? 96 : 48;
    ck_assert_uint_eq(bench.rollout.tally.offered, confirmed + confirmed * percent / 100);
    confirmed = confirm_from(&bench, confirmed);
    ck_assert(bench.rollout.accepted);
    bench_pass(&bench, 60000);
    uint32_t part = 3200 / 16;
    ck_assert_uint_eq(bench.rollout.tally.offered, confirmed + part); /* 96 % are more */
    while (confirmed < 3200) {
        confirmed = confirm_from(&bench, confirmed);
        bench_pass(&bench, 60000);
    }
    ck_state(&bench, "soaking");
    ck_assert_uint_eq(bench.rollout.threshold, SERIN_COHORT_EVERYONE);
    ck_assert_uint_lt(bench.publishes, 35);
    bench_free(&bench);
}
END_TEST

/* A failure takes the head start away, also where it weighs little, and a retry does not give it
 * back. Caught: failures that change nothing until the evidence leans; those of the last attempt
 * forgotten. */
START_TEST(a_failure_slows_the_ramp_down)
{
    static const uint32_t most[] = {48, 12, 12}; /* in flight, of 100 */
    for (uint32_t turn = 0; turn < 3; turn++) {
        struct serin_policy policy = ramp_policy();
        policy.test = (struct serin_test_policy){.accepted_permyriad = 100,
                                                 .rejected_permyriad = 200,
                                                 .alpha_permyriad = 100,
                                                 .beta_permyriad = 100};
        policy.gates[SERIN_GATE_FAILURES].max_permyriad = 10000;
        struct bench bench;
        bench_start(&bench, &policy, 400);
        for (uint32_t i = 0; i < 100; i++) {
            ck_assert_uint_lt(i, bench.rollout.tally.offered);
            if (turn >= 1 && i == 5) {
                bench_fail(&bench, i);
            } else {
                bench_set(&bench, i, SERIN_STATE_CONFIRMED);
            }
            if (turn == 2 && i == 6) {
                bench_do(&bench, SERIN_ROLLOUT_RETRY);
                bench_settle(&bench);
                bench_set(&bench, 5, SERIN_STATE_CONFIRMED);
            }
        }
        ck_state(&bench, "rolling");
        ck_assert(!bench.rollout.accepted);
        ck_assert_uint_le(bench.rollout.tally.offered, 100 + most[turn]);
        ck_assert_uint_gt(bench.rollout.tally.offered, 100 + most[turn] / 4);
        bench_free(&bench);
    }
}
END_TEST

/* Caught: `first` ignored; the gate's minimum left out while devices of the ramp are still to come.
 */
START_TEST(an_image_that_always_fails_meets_eight)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct serin_policy policy;
        serin_policy_default(&policy);
        struct serin_policy base = bench_policy();
        policy.offer_count = 1;
        policy.offers[0] = base.offers[0];
        for (size_t i = 0; i < sizeof policy.product; i++) {
            policy.product[i] = base.product[i];
            policy.channel[i] = base.channel[i];
        }
        struct bench bench;
        bench_make(&bench, &policy, 1000 + 40 * (uint32_t)seed, seed);
        bench_do(&bench, SERIN_ROLLOUT_START);
        uint64_t dice = seed;
        for (int i = 0; i < 100 && bench.rollout.state == SERIN_ROLLOUT_ROLLING; i++) {
            uint32_t member = (uint32_t)(bench_random(&dice) % bench.rollout.tally.offered);
            enum serin_state state = bench.members.list[member].state == SERIN_STATE_IDLE
                                         ? SERIN_STATE_PENDING
                                         : SERIN_STATE_ROLLED_BACK;
            ck_assert_int_eq(bench_member(&bench, member, state, SERIN_REASON_CRASH), SERIN_OK);
        }
        ck_state(&bench, "halted");
        ck_assert_uint_le(bench.rollout.tally.offered, 8);
        bench_free(&bench);
    }
}
END_TEST

/* Caught: emergency that skips it. */
START_TEST(an_emergency_ramps_too)
{
    struct serin_policy policy = ramp_policy();
    policy.emergency = true;
    struct bench bench;
    bench_start(&bench, &policy, 400);
    ck_assert_uint_eq(bench.rollout.tally.offered, 8);
    bench_free(&bench);
}
END_TEST

/* One device in eight million is no reason to wait. Caught: a ramp in a stage that is as small. */
START_TEST(a_small_fleet_is_as_prompt_as_ever)
{
    struct serin_policy policy = bench_policy();
    policy.ramp = ramp_policy().ramp;
    struct bench bench;
    bench_start(&bench, &policy, 41);
    static const uint32_t cohorts[] = {1, 5, 21, 41};
    for (uint32_t stage = 1; stage <= 4; stage++) {
        ck_assert_uint_eq(bench.rollout.stage, stage);
        while (bench.rollout.state == SERIN_ROLLOUT_ROLLING) {
            bench_confirm_offered(&bench);
            bench_settle(&bench);
        }
        ck_assert_uint_eq(bench.rollout.tally.offered, cohorts[stage - 1]);
        bench_pass(&bench, BENCH_SOAK_MS);
    }
    ck_state(&bench, "completed");
    bench_free(&bench);
}
END_TEST

/* While the evidence leans against the release steps stay small. Caught: growth by resolved devices
 * alone. */
START_TEST(exposure_grows_more_slowly_while_failures_are_unexplained)
{
    uint32_t offered[2];
    for (uint32_t turn = 0; turn < 2; turn++) {
        struct serin_policy policy = ramp_policy();
        policy.test = (struct serin_test_policy){.accepted_permyriad = 50,
                                                 .rejected_permyriad = 200,
                                                 .alpha_permyriad = 1,
                                                 .beta_permyriad = 1};
        policy.gates[SERIN_GATE_FAILURES].max_permyriad = 10000;
        struct bench bench;
        bench_start(&bench, &policy, 900);
        for (uint32_t i = 0; i < 300; i++) {
            if (turn == 1 && i % 80 == 5) {
                bench_fail(&bench, i);
            } else {
                bench_set(&bench, i, SERIN_STATE_CONFIRMED);
            }
        }
        ck_state(&bench, "rolling");
        offered[turn] = bench.rollout.tally.offered;
        bench_free(&bench);
    }
    ck_assert_uint_gt(offered[0], offered[1] + 10);
}
END_TEST

/* ---- silence ---- */

/* Silent devices hold a step up for the settle time, and no longer. Caught: silence in flight for
 * ever; never. */
START_TEST(silent_devices_hold_a_step_up_for_the_settle_time)
{
    struct serin_policy policy = ramp_policy();
    struct bench bench;
    bench_start(&bench, &policy, 400);
    bench_pass(&bench, 59999);
    ck_assert_uint_eq(bench.rollout.tally.offered, 8);
    ck_assert_uint_eq(serin_rollout_deadline_ms(&bench.rollout, &bench.members), bench.now_ms + 1);
    bench_pass(&bench, 1);
    ck_assert_uint_eq(bench.rollout.tally.offered, 16);
    ck_assert_uint_eq(bench.publishes, 2);
    bench_pass(&bench, 60000);
    ck_assert_uint_eq(bench.rollout.tally.offered, 24);
    /* They accept after all: in flight, and more than may be. */
    for (uint32_t i = 0; i < 24; i++) {
        bench_set(&bench, i, SERIN_STATE_PENDING);
    }
    bench_pass(&bench, 300000);
    ck_assert_uint_eq(bench.rollout.tally.offered, 24);
    bench_free(&bench);
}
END_TEST

/* Who was silent through one settle time is not in flight while the next steps settle. Caught: all
 * silent ones counted with those offered last. */
START_TEST(silent_devices_hold_no_later_step_up)
{
    struct serin_policy policy = ramp_policy();
    struct bench bench;
    bench_start(&bench, &policy, 400);
    bench_pass(&bench, 60000);
    ck_assert_uint_eq(bench.rollout.tally.offered, 16);
    for (uint32_t i = 8; i < 14; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    ck_assert_uint_eq(bench.rollout.tally.offered, 22);
    bench_free(&bench);
}
END_TEST

/* Caught: patience counted from the opening of the stage; replacements beyond the room. */
START_TEST(patience_counts_from_the_last_step)
{
    struct serin_policy policy = ramp_policy();
    policy.stage_count = 2;
    policy.stages[1] = policy.stages[0];
    policy.stages[0] = (struct serin_stage_policy){.count = 20, .soak_s = BENCH_SOAK_S};
    struct bench bench;
    bench_start(&bench, &policy, 400);
    bench_pass(&bench, 61000); /* 16 */
    bench_pass(&bench, 61000); /* 20: all of the stage */
    ck_assert_uint_eq(bench.rollout.tally.offered, 20);
    ck_assert_uint_eq(bench.rollout.reached, 20);
    bench_pass(&bench, 590000);
    ck_assert_uint_eq(bench.rollout.tally.unreached, 0);
    bench_pass(&bench, 20000);
    ck_assert_uint_eq(bench.rollout.tally.unreached, 20);
    ck_assert_uint_eq(bench.rollout.tally.offered, 28);
    ck_assert(bench.rollout.state == SERIN_ROLLOUT_ROLLING);
    for (uint32_t i = 20; i < 40; i++) {
        ck_assert_uint_lt(i, bench.rollout.tally.offered);
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    ck_state(&bench, "soaking");
    bench_free(&bench);
}
END_TEST

/* ---- limits ---- */

/* Caught: the limit ignored; applied to devices offered. */
START_TEST(no_more_than_the_limit_are_in_flight)
{
    struct serin_policy policy = ramp_policy();
    policy.ramp.first = 0;
    policy.in_flight_max = 5;
    struct bench bench;
    bench_start(&bench, &policy, 100);
    for (uint32_t i = 0; i < 100; i++) {
        const struct serin_tally *tally = &bench.rollout.tally;
        ck_assert_uint_le(tally->offered - tally->confirmed, 5);
        ck_assert_uint_lt(i, tally->offered);
        bench_set(&bench, i, SERIN_STATE_PENDING);
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    ck_state(&bench, "soaking");
    bench_free(&bench);
}
END_TEST

/* Of every hour, whenever it begins. Caught: an allowance per clock hour; a burst that is added to
 * the rate; a rate that is never reached. */
START_TEST(no_hour_sees_more_than_the_rate)
{
    static const uint32_t rates[] = {1, 2, 7, 100, 240};
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        struct serin_policy policy = ramp_policy();
        policy.ramp.first = 0;
        policy.rate_per_hour = rates[r];
        struct bench bench;
        bench_start(&bench, &policy, 900);
        static uint32_t offered[6 * 60 + 1]; /* by the minute */
        for (uint32_t minute = 0; minute <= 360; minute++) {
            bench_confirm_offered(&bench);
            bench_settle(&bench);
            offered[minute] = bench.rollout.tally.offered;
            if (minute >= 60) {
                ck_assert_uint_le(offered[minute] - offered[minute - 60], rates[r]);
            }
            bench_pass(&bench, 60000);
        }
        /* Below 24 an hour they come one by one, and the whole rate of each hour but the first. */
        uint32_t least = rates[r] < 24 ? rates[r] * 6 : rates[r] * 5;
        ck_assert_uint_ge(offered[360], least < 900 ? least : 900);
        ck_assert_uint_lt(bench.publishes, 6 * 13 + 2);
        bench_free(&bench);
    }
}
END_TEST

/* Caught: a clock that jumped back stops the rate until it has caught up. */
START_TEST(a_clock_that_jumps_back_costs_the_rate_nothing)
{
    struct serin_policy policy = ramp_policy();
    policy.rate_per_hour = 60;
    struct bench bench;
    bench_start(&bench, &policy, 900);
    bench_confirm_offered(&bench);
    bench.now_ms -= 48 * HOUR_MS;
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    uint32_t offered = bench.rollout.tally.offered;
    for (int i = 0; i < 120; i++) {
        bench_confirm_offered(&bench);
        bench_pass(&bench, 60000);
    }
    ck_assert_uint_gt(bench.rollout.tally.offered, offered + 40);
    bench_free(&bench);
}
END_TEST

/* ---- joiners ---- */

/* Caught: a joiner below the ramp's threshold that the last stage waits for; the last step taken
 * from the rank and not as everyone. */
START_TEST(joiners_hold_no_last_stage_open)
{
    struct serin_policy policy = ramp_policy();
    struct bench bench;
    bench_start(&bench, &policy, 60);
    for (uint32_t i = 0; i < 30; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    (void)bench_join(&bench, bench.members.list[20].rank - 1); /* among those already offered */
    (void)bench_join(&bench, UINT64_MAX - 1);                  /* beyond all of them */
    bench_settle(&bench);
    for (int turn = 0; turn < 60; turn++) {
        for (uint32_t i = 0; i < bench.rollout.tally.offered; i++) {
            if (bench.members.list[i].joined == 0 &&
                bench.members.list[i].state == SERIN_STATE_IDLE) {
                bench_set(&bench, i, SERIN_STATE_CONFIRMED);
            }
        }
    }
    ck_state(&bench, "soaking");
    ck_assert_uint_eq(bench.rollout.threshold, SERIN_COHORT_EVERYONE);
    ck_assert_uint_eq(bench.rollout.tally.confirmed, 60);
    bench_free(&bench);
}
END_TEST

/* Caught: the first step behind one gateway. */
START_TEST(the_first_step_is_not_all_behind_one_gateway)
{
    struct serin_policy policy = ramp_policy();
    struct bench bench;
    bench_make(&bench, &policy, 100, 5);
    for (uint32_t i = 0; i < 11; i++) {
        bench_behind(&bench, i, 1);
    }
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_assert_uint_eq(bench.rollout.tally.offered, 12);
    ck_assert_uint_eq(bench.publishes, 1);
    bench_free(&bench);
}
END_TEST

/* Between two steps nobody may be waited for. Caught: ADVANCE past the rest of the stage; a stage
 * that is resolved then. */
START_TEST(a_stage_is_not_over_between_two_steps)
{
    struct serin_policy policy = ramp_policy();
    policy.rate_per_hour = 96; /* eight at once */
    struct bench bench;
    bench_start(&bench, &policy, 100);
    bench_confirm_offered(&bench);
    ck_assert_uint_eq(bench.rollout.tally.confirmed, bench.rollout.tally.offered);
    bench_settle(&bench);
    ck_state(&bench, "rolling");
    ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_ADVANCE), SERIN_ERR_STATE);
    ck_assert_ptr_nonnull(serin_rollout_refusal(&bench.rollout, SERIN_ROLLOUT_ADVANCE));
    uint64_t due_ms = serin_rollout_deadline_ms(&bench.rollout, &bench.members);
    ck_assert_uint_gt(due_ms, bench.now_ms);
    bench_free(&bench);
}
END_TEST

/* A backup of before stage 1 learns from the broker the threshold that its fleet had been offered
 * already: the first stage opens no lower. Caught: a threshold that the ramp takes from its own
 * first step alone. */
START_TEST(a_taught_threshold_stands_before_the_first_stage)
{
    struct bench bench;
    struct serin_policy policy = bench_policy();
    policy.stages[0].approval = true;
    policy.ramp.first = 4;
    bench_make(&bench, &policy, 1000, 23);
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_state(&bench, "awaiting");
    uint64_t taught = bench.members.list[30].rank;
    bench.rollout.threshold = taught;
    serin_rollout_rebuild(&bench.rollout, &bench.members);
    bench.check = false; /* the bench knows of no stage that begins wider than its ramp */
    bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
    ck_state(&bench, "rolling");
    ck_assert_uint_eq(bench.rollout.threshold, taught);
    ck_assert_uint_eq(bench.rollout.tally.offered, 31);
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_step_opens_when_three_quarters_of_the_last_have_landed,
        few_large_steps_carry_a_good_release,
        a_failure_slows_the_ramp_down,
        an_image_that_always_fails_meets_eight,
        an_emergency_ramps_too,
        a_small_fleet_is_as_prompt_as_ever,
        exposure_grows_more_slowly_while_failures_are_unexplained,
        silent_devices_hold_a_step_up_for_the_settle_time,
        silent_devices_hold_no_later_step_up,
        patience_counts_from_the_last_step,
        no_more_than_the_limit_are_in_flight,
        no_hour_sees_more_than_the_rate,
        a_clock_that_jumps_back_costs_the_rate_nothing,
        joiners_hold_no_last_stage_open,
        the_first_step_is_not_all_behind_one_gateway,
        a_stage_is_not_over_between_two_steps,
        a_taught_threshold_stands_before_the_first_stage,
        NULL,
    };
    return check_run("engine_ramp", tests);
}
