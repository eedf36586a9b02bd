/*
 * The rollout engine over a fleet: exact cohorts, silence and replacement.
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

/* ---- cohorts ---- */

/* Caught: the threshold taken from the rank after the n-th; a share rounded down. */
START_TEST(cohorts_are_exact_for_every_size)
{
    static const uint32_t permyriads[] = {100, 1000, 5000, 10000};
    for (uint32_t count = 1; count <= 200; count++) {
        struct serin_policy policy = bench_policy();
        policy.emergency = true; /* no soaks: only the cohorts matter here */
        struct bench bench;
        bench_make(&bench, &policy, count, count);
        bench.check = false;
        bench_do(&bench, SERIN_ROLLOUT_START);
        for (uint32_t stage = 1; stage <= 4; stage++) {
            uint32_t want = (count * permyriads[stage - 1] + 9999) / 10000;
            ck_assert_uint_eq(bench.rollout.stage, stage);
            ck_assert_uint_eq(bench.rollout.tally.offered, want);
            uint32_t below = 0;
            for (uint32_t i = 0; i < count; i++) {
                below += bench.members.list[i].rank <= bench.rollout.threshold;
            }
            ck_assert_uint_eq(below, want);
            bench_confirm_offered(&bench);
            bench_settle(&bench);
            while (bench.rollout.stage == stage && bench.rollout.state == SERIN_ROLLOUT_ROLLING) {
                bench_do(&bench, SERIN_ROLLOUT_TICK);
            }
            if (bench.rollout.stage > stage + 1) {
                stage = bench.rollout.stage - 1; /* stages of the same devices pass by themselves */
            }
        }
        bench_free(&bench);
    }
}
END_TEST

START_TEST(cohorts_are_exact_for_a_hundred_thousand)
{
    static const uint32_t cohorts[] = {1000, 10000, 50000, 100000};
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 100000, 42);
    bench_do(&bench, SERIN_ROLLOUT_START);
    for (uint32_t stage = 0; stage < 4; stage++) {
        ck_assert_uint_eq(bench.rollout.tally.offered, cohorts[stage]);
        ck_assert_uint_eq(bench.publishes, stage + 1);
        bench_confirm_offered(&bench);
        bench_pass(&bench, BENCH_SOAK_MS);
    }
    ck_state(&bench, "completed");
    ck_assert_uint_eq(bench.publishes, 5);
    ck_assert_uint_eq(bench.saves, 100000); /* one write a device, none for being offered */
    bench_free(&bench);
}
END_TEST

START_TEST(stages_may_count_devices)
{
    struct serin_policy policy = bench_policy();
    policy.stages[0] = (struct serin_stage_policy){.count = 7, .soak_s = BENCH_SOAK_S};
    policy.stages[1] = (struct serin_stage_policy){.count = 500, .soak_s = BENCH_SOAK_S};
    struct bench bench;
    bench_make(&bench, &policy, 100, 43);
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_assert_uint_eq(bench.rollout.tally.offered, 7);
    bench_confirm_offered(&bench);
    bench_pass(&bench, BENCH_SOAK_MS);
    ck_assert_uint_eq(bench.rollout.tally.offered, 100); /* more than there are: all of them */
    bench_free(&bench);
}
END_TEST

/* Caught: the threshold set to the lower rank of a later stage of fewer devices. */
START_TEST(a_later_stage_never_covers_less)
{
    struct serin_policy policy = bench_policy();
    policy.stages[0] = (struct serin_stage_policy){.count = 50, .soak_s = BENCH_SOAK_S};
    struct bench bench; /* then 10 % of 100 */
    bench_make(&bench, &policy, 100, 44);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_confirm_offered(&bench);
    bench_pass(&bench, BENCH_SOAK_MS);
    ck_assert_uint_eq(bench.rollout.stage, 2);
    ck_assert_uint_eq(bench.rollout.tally.offered, 50);
    ck_assert_uint_eq(bench.rollout.target, 50);
    bench_free(&bench);
}
END_TEST

/* ---- silence ---- */

/* Caught: the threshold not raised; raised in every step instead of once; PUBLISH forgotten. */
START_TEST(silent_devices_are_replaced_by_the_next_in_rank)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 1000, 45); /* 10 in the first stage */
    bench_do(&bench, SERIN_ROLLOUT_START);
    for (uint32_t i = 0; i < 7; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    bench_pass(&bench, 599000);
    ck_assert_uint_eq(bench.rollout.tally.unreached, 0);
    bench_pass(&bench, 12000);
    ck_assert_uint_eq(bench.rollout.tally.unreached, 3);
    ck_assert_uint_eq(bench.rollout.tally.offered, 13);
    ck_assert_uint_eq(bench.rollout.threshold, bench.members.list[12].rank);
    ck_assert_uint_eq(bench.publishes, 2);
    ck_state(&bench, "rolling");
    /* Unreached is unresolved: no failure, and shown apart. */
    ck_assert_uint_eq(bench.rollout.tally.failed, 0);
    for (uint32_t i = 10; i < 13; i++) {
        ck_assert_int_eq(bench.members.list[i].stage, 1);
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    ck_state(&bench, "soaking");
    bench_free(&bench);
}
END_TEST

/* Caught: patience of replacements counted from the stage's start. */
START_TEST(replacements_get_the_whole_patience)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 1000, 46);
    bench_do(&bench, SERIN_ROLLOUT_START);
    for (uint32_t i = 0; i < 9; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    for (uint32_t generation = 1; generation <= 4; generation++) {
        uint64_t offered_ms = bench.rollout.widened_watch_ms;
        bench_pass(&bench, offered_ms + 599000 - bench.rollout.watch_ms);
        ck_assert_uint_eq(bench.rollout.tally.unreached, generation - 1);
        bench_pass(&bench, 12000);
        ck_assert_uint_eq(bench.rollout.tally.unreached, generation);
        ck_assert_uint_eq(bench.rollout.tally.offered, 10 + generation);
        ck_assert_uint_eq(bench.publishes, 1 + generation);
    }
    bench_free(&bench);
}
END_TEST

START_TEST(an_unreached_device_that_wakes_counts_again)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 200, 47); /* two in the first stage */
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_set(&bench, 0, SERIN_STATE_CONFIRMED);
    bench_pass(&bench, 610000);
    ck_assert_int_eq(bench.members.list[1].state, SERIN_STATE_UNREACHED);
    bench_set(&bench, 2, SERIN_STATE_CONFIRMED); /* its replacement */
    ck_state(&bench, "soaking");
    bench_set(&bench, 1, SERIN_STATE_PENDING);
    ck_assert_uint_eq(bench.rollout.tally.unreached, 0);
    ck_assert_uint_eq(bench.rollout.tally.accepted, 3);
    bench_set(&bench, 1, SERIN_STATE_TRIAL);
    bench_fail(&bench, 1);
    ck_state(&bench, "halted");
    bench_free(&bench);
}
END_TEST

/* The same attempt, called off and offered again (docs/spec/states.md, section 5). Caught: the end
 * kept; the deadline counted from when it was first taken. */
START_TEST(a_device_that_takes_anew_what_was_called_off_counts_again)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 200, 48); /* two in the first stage */
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_set(&bench, 0, SERIN_STATE_CONFIRMED);
    bench_set(&bench, 1, SERIN_STATE_DOWNLOADING);
    bench_pass(&bench, 500000);
    bench_set(&bench, 1, SERIN_STATE_CANCELLED);
    ck_assert_uint_eq(bench.rollout.tally.other, 1);
    ck_assert_uint_eq(bench.rollout.tally.offered, 3); /* replaced */
    bench_pass(&bench, 500000);
    bench_set(&bench, 1, SERIN_STATE_PENDING);
    bench_set(&bench, 2, SERIN_STATE_CONFIRMED);
    ck_assert_uint_eq(bench.rollout.tally.other, 0);
    ck_state(&bench, "rolling"); /* it is waited for */
    bench_pass(&bench, 1190000);
    ck_assert_int_eq(bench.members.list[1].state, SERIN_STATE_PENDING);
    bench_pass(&bench, 30000);
    ck_assert_int_eq(bench.members.list[1].state, SERIN_STATE_TIMED_OUT);
    ck_state(&bench, "halted");
    bench_free(&bench);
}
END_TEST

/* Caught: silence after accepting treated as unreached; the deadline counted from the offer. */
START_TEST(silence_after_accepting_is_a_failure)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 10, 48);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_pass(&bench, 500000);
    bench_set(&bench, 0, SERIN_STATE_PENDING);
    bench_pass(&bench, 300000);
    bench_set(&bench, 0, SERIN_STATE_DOWNLOADING); /* progress does not prolong it */
    bench_pass(&bench, 895000);
    ck_state(&bench, "rolling");
    bench_pass(&bench, 20000);
    ck_assert_int_eq(bench.members.list[0].state, SERIN_STATE_TIMED_OUT);
    ck_assert_str_eq(bench.rollout.why,
                     "halted: 1 of 1 resolved failed (limit 2.00 %, minimum 1): deadline");
    /* What it says afterwards changes nothing. */
    bench_set(&bench, 0, SERIN_STATE_CONFIRMED);
    ck_assert_int_eq(bench.members.list[0].state, SERIN_STATE_TIMED_OUT);
    bench_free(&bench);
}
END_TEST

START_TEST(a_fleet_of_silence_goes_nowhere_until_somebody_says_so)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 20, 49);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_pass(&bench, 40 * 620000);
    ck_state(&bench, "awaiting");
    ck_assert_str_eq(bench.rollout.why, "held: 17 of 17 devices that were offered it say nothing, "
                                        "and the stage is for 1");
    ck_assert_uint_eq(bench.rollout.stage, 1);
    ck_assert_uint_eq(bench.rollout.tally.unreached, 17);
    ck_assert_uint_eq(bench.promotes, 0);
    /* One device wakes up: evidence enough to go on. */
    bench_set(&bench, 13, SERIN_STATE_CONFIRMED);
    ck_state(&bench, "rolling");
    ck_assert_uint_eq(bench.rollout.stage, 2);
    bench_free(&bench);
}
END_TEST

START_TEST(an_operator_may_go_on_without_proof)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 0, 50);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_pass(&bench, 3600000);
    ck_state(&bench, "rolling");
    ck_assert_str_eq(bench.rollout.why, "waits for a first device to offer it to");
    for (int stage = 0; stage < 4; stage++) {
        ck_assert_int_eq(bench_note(&bench, SERIN_ROLLOUT_ADVANCE, "no devices yet"), SERIN_OK);
    }
    ck_state(&bench, "completed");
    bench_free(&bench);
}
END_TEST

/* 100,000 silent devices: bounded steps, one publish, and the search takes turns with reports.
 * Caught: a sweep that forgets where it was; actions beyond their room. */
START_TEST(deadlines_of_a_large_fleet_pass_in_bounded_steps)
{
    struct serin_policy policy = bench_policy();
    policy.stage_count = 2;
    policy.stages[0].permyriad = 5000;
    policy.stages[1].permyriad = 10000;
    struct bench bench;
    bench_make(&bench, &policy, 100000, 51);
    bench_do(&bench, SERIN_ROLLOUT_START);
    unsigned ticks = 0;
    bench_pass(&bench, 599000);
    bench.now_ms += 12000;
    while (serin_rollout_deadline_ms(&bench.rollout, &bench.members) <= bench.now_ms) {
        bench_do(&bench, SERIN_ROLLOUT_TICK);
        ck_assert_uint_le(bench.actions.count, SERIN_ROLLOUT_ACTIONS_MAX);
        ticks++;
        if (ticks == 100) {
            bench_set(&bench, 7, SERIN_STATE_CONFIRMED); /* woken in the middle */
        }
    }
    ck_assert_uint_eq(bench.rollout.tally.unreached, 49999);
    ck_assert_uint_eq(bench.rollout.tally.offered, 99999);
    ck_assert_uint_eq(bench.publishes, 2);
    ck_assert_uint_ge(ticks, 50000 / SERIN_ROLLOUT_ACTIONS_MAX);
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        cohorts_are_exact_for_every_size,
        cohorts_are_exact_for_a_hundred_thousand,
        stages_may_count_devices,
        a_later_stage_never_covers_less,
        silent_devices_are_replaced_by_the_next_in_rank,
        replacements_get_the_whole_patience,
        an_unreached_device_that_wakes_counts_again,
        a_device_that_takes_anew_what_was_called_off_counts_again,
        silence_after_accepting_is_a_failure,
        a_fleet_of_silence_goes_nowhere_until_somebody_says_so,
        an_operator_may_go_on_without_proof,
        deadlines_of_a_large_fleet_pass_in_bounded_steps,
        NULL,
    };
    return check_run("engine_fleet", tests);
}
