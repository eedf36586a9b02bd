/*
 * The rollout engine over a fleet and over time: exact cohorts, silence and replacement, clocks
 * that jump, joiners, restarts, steps that are taken back, and a long random walk.
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <stdio.h>
#include <string.h>

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
        bench_pass(&bench, BENCH_SOAK_S * 1000u);
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
    bench_pass(&bench, BENCH_SOAK_S * 1000u);
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
    bench_pass(&bench, BENCH_SOAK_S * 1000u);
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
    ck_state(&bench, "rolling");
    ck_assert_uint_eq(bench.rollout.stage, 1);
    ck_assert_uint_eq(bench.rollout.tally.unreached, 20);
    ck_assert_uint_eq(bench.promotes, 0);
    /* One device wakes up: evidence enough to go on. */
    bench_set(&bench, 13, SERIN_STATE_CONFIRMED);
    ck_state(&bench, "soaking");
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

/* ---- clocks ---- */

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

/* ---- joiners ---- */

static uint32_t join(struct bench *bench, uint64_t rank)
{
    ck_assert_uint_lt(bench->members.count, bench->capacity);
    uint32_t device = bench->members.count;
    bench->members.list[bench->members.count++] =
        serin_rollout_member(&bench->rollout, rank, device);
    serin_rollout_rebuild(&bench->rollout, &bench->members);
    memcpy(bench->shadow, bench->members.list, bench->members.count * sizeof *bench->shadow);
    for (uint32_t i = 0; i < bench->members.count; i++) {
        if (bench->members.list[i].device == device) {
            return i;
        }
    }
    ck_abort();
}

/* Caught: a joiner that holds the stage open; one that is left out of the gate. */
START_TEST(a_late_joiner_below_the_threshold_counts_but_holds_nothing_up)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 20, 55);
    bench_do(&bench, SERIN_ROLLOUT_START);
    uint32_t joiner = join(&bench, 0);
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
    uint32_t joiner = join(&bench, UINT64_MAX - 1);
    ck_assert_uint_eq(bench.members.list[joiner].stage, 0);
    ck_assert_uint_eq(bench.rollout.tally.offered, 1);
    for (int stage = 1; stage <= 4; stage++) {
        ck_state(&bench, "rolling");
        if (stage < 4) {
            bench_confirm_offered(&bench);
            bench_pass(&bench, BENCH_SOAK_S * 1000u);
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
    join(&bench, 0);
    join(&bench, UINT64_MAX - 1);
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
        join(&bench, bench_random(&seed));
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
    join(&bench, UINT64_C(1) << 60);
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
    bench_pass(&bench, BENCH_SOAK_S * 1000u);
    ck_assert_uint_eq(bench.rollout.tally.confirmed, 3);
    bench_free(&bench);
}
END_TEST

/* ---- restarts, and steps taken back ---- */

/* What a store would give back: the rollout without what is derived, members in another order. */
static void restart(struct bench *bench, uint64_t seed)
{
    struct serin_rollout was = bench->rollout;
    for (uint32_t i = bench->members.count; i > 1; i--) {
        uint32_t j = (uint32_t)(bench_random(&seed) % i);
        struct serin_member swap = bench->members.list[j];
        bench->members.list[j] = bench->members.list[i - 1];
        bench->members.list[i - 1] = swap;
    }
    for (uint32_t i = 0; i < bench->members.count; i++) {
        bench->members.list[i].stage = 0;
    }
    memset(&bench->rollout.tally, 0xEE, sizeof bench->rollout.tally);
    memset(bench->rollout.reasons, 0xEE, sizeof bench->rollout.reasons);
    bench->rollout.late = bench->rollout.sweep_next = 77;
    bench->rollout.sweeping = true;
    bench->rollout.reports_up = false;
    serin_rollout_rebuild(&bench->rollout, &bench->members);
    ck_assert_mem_eq(&was.tally, &bench->rollout.tally, sizeof was.tally);
    ck_assert_mem_eq(was.reasons, bench->rollout.reasons, sizeof was.reasons);
    ck_assert_uint_eq(was.late, bench->rollout.late);
    ck_assert_mem_eq(bench->shadow, bench->members.list,
                     bench->members.count * sizeof *bench->shadow);
    bench_do(bench, SERIN_ROLLOUT_REPORTS_UP);
}

/* ---- the walk ---- */

static void take_back(struct bench *bench, const struct serin_rollout_event *event)
{
    struct serin_rollout before = bench->rollout;
    static struct serin_rollout_actions actions;
    if (serin_rollout_step(&bench->rollout, &bench->members, bench->now_ms, event, &actions) ==
        SERIN_OK) {
        serin_rollout_undo(&bench->rollout, &before, &bench->members, &actions);
    }
    ck_assert_mem_eq(&before, &bench->rollout, sizeof before);
    ck_assert_mem_eq(bench->shadow, bench->members.list,
                     bench->members.count * sizeof *bench->shadow);
}

static struct serin_rollout_event random_event(struct bench *bench, uint64_t *seed)
{
    static const enum serin_state states[] = {
        SERIN_STATE_PENDING,     SERIN_STATE_DOWNLOADING, SERIN_STATE_TRIAL,
        SERIN_STATE_CONFIRMED,   SERIN_STATE_CONFIRMED,   SERIN_STATE_CONFIRMED,
        SERIN_STATE_CONFIRMED,   SERIN_STATE_CONFIRMED,   SERIN_STATE_ROLLED_BACK,
        SERIN_STATE_CANCELLED,   SERIN_STATE_REJECTED,    SERIN_STATE_REGRESSED,
        SERIN_STATE_DOWNLOADING, SERIN_STATE_CONFIRMED,   SERIN_STATE_SUPERSEDED};
    static const enum serin_rollout_event_kind rare[] = {
        SERIN_ROLLOUT_REPORTS_DOWN, SERIN_ROLLOUT_REPORTS_UP, SERIN_ROLLOUT_PAUSE,
        SERIN_ROLLOUT_RESUME,       SERIN_ROLLOUT_ADVANCE,    SERIN_ROLLOUT_REPORTS_UP,
        SERIN_ROLLOUT_RESUME,       SERIN_ROLLOUT_START};
    uint64_t dice = bench_random(seed);
    struct serin_rollout_event event = {.kind = SERIN_ROLLOUT_TICK};
    if (dice % 16 < 9) {
        uint32_t span = bench->rollout.tally.offered + 2;
        event.kind = SERIN_ROLLOUT_MEMBER;
        event.member =
            (uint32_t)(dice >> 8) % (span < bench->members.count ? span : bench->members.count);
        event.state = states[(dice >> 40) % (sizeof states / sizeof states[0])];
        event.reason = (enum serin_reason)(1 + (dice >> 48) % (SERIN_REASON_COUNT - 1));
    } else if (dice % 16 < 11) {
        event.kind = rare[(dice >> 8) % (sizeof rare / sizeof rare[0])];
    }
    return event;
}

/* Thousands of events of every kind, joiners, restarts and steps taken back; the bench checks
 * books, ends, publishes and thresholds after each. Caught: `other` not taken off when a member is
 * booked again; undo without the covered members; late joiners kept through a stage; a sweep that
 * resumes at an index of before a joiner. A failure names the seed, which is the walk's number. */
START_TEST(a_random_walk_keeps_every_promise)
{
    uint64_t seed = (uint64_t)_i + 1;
    struct serin_policy policy = bench_policy();
    policy.gate.failures_max_permyriad = _i % 3 == 0 ? 200 : 6000;
    policy.stages[2].approval = _i % 2 == 0;
    policy.patience_s = 60;
    policy.deadline_s = 90;
    struct bench bench = {.now_ms = 0};
    int over = 1; /* events since the rollout ended: after a while of them the next one begins */
    for (int i = 0; i < 4000; i++) {
        over += over > 0 || bench.rollout.ended_ms > 0 ? 1 : 0;
        if (i == 0 || over > 150) {
            bench_free(&bench);
            bench_make(&bench, &policy, 1 + (uint32_t)(bench_random(&seed) % 300), seed);
            bench_do(&bench, SERIN_ROLLOUT_START);
            over = 0;
        }
        struct serin_rollout_event event = random_event(&bench, &seed);
        uint64_t dice = bench_random(&seed);
        take_back(&bench, &event);
        enum serin_error error = event.kind == SERIN_ROLLOUT_MEMBER
                                     ? bench_member(&bench, event.member, event.state, event.reason)
                                     : bench_send(&bench, event.kind);
        ck_assert_msg(error == SERIN_OK || error == SERIN_ERR_STATE, "walk %d, event %d", _i, i);
        bench.now_ms += dice % 1000 == 0 ? 3600000 : dice % 5000;
        bench.now_ms -= (dice >> 20) % 500 == 0 ? 7200000 : 0;
        if ((dice >> 32) % 200 == 0 && bench.members.count < bench.capacity) {
            join(&bench, bench_random(&seed));
        }
        if ((dice >> 40) % 100 == 0) {
            restart(&bench, dice);
        }
    }
    bench_free(&bench);
}
END_TEST

/* Two engines, one of which restarts after every event, end the same. */
START_TEST(a_restart_changes_nothing)
{
    struct serin_policy policy = bench_policy();
    struct bench one, two;
    bench_make(&one, &policy, 200, 60);
    bench_make(&two, &policy, 200, 60);
    uint64_t seed = 61;
    bench_do(&one, SERIN_ROLLOUT_START);
    bench_do(&two, SERIN_ROLLOUT_START);
    for (int i = 0; i < 2000; i++) {
        uint64_t dice = bench_random(&seed);
        uint32_t member = (uint32_t)(dice % (one.rollout.tally.offered + 1)) % 200;
        enum serin_state state = dice >> 32 & 1 ? SERIN_STATE_CONFIRMED : SERIN_STATE_DOWNLOADING;
        bench_set(&one, member, state);
        bench_set(&two, member, state);
        bench_do(&one, SERIN_ROLLOUT_TICK);
        bench_do(&two, SERIN_ROLLOUT_TICK);
        two.rollout.reports_up = false;
        restart(&two, dice);
        bench_settle(&one);
        bench_settle(&two);
        one.now_ms += 1500;
        two.now_ms += 1500;
    }
    ck_assert_int_eq(one.rollout.state, two.rollout.state);
    ck_assert_uint_eq(one.rollout.stage, two.rollout.stage);
    ck_assert_uint_eq(one.rollout.threshold, two.rollout.threshold);
    ck_assert_uint_eq(one.publishes, two.publishes);
    ck_assert_mem_eq(&one.rollout.tally, &two.rollout.tally, sizeof one.rollout.tally);
    ck_assert_uint_gt(one.rollout.stage, 2); /* it went somewhere */
    bench_free(&one);
    bench_free(&two);
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
        soak_counts_only_while_reports_can_arrive,
        a_clock_that_jumps_counts_nothing_and_says_so,
        an_outage_of_serind_fails_nobody,
        a_late_joiner_below_the_threshold_counts_but_holds_nothing_up,
        joiners_above_the_threshold_wait_for_their_stage,
        a_joiner_has_its_own_patience_and_can_be_a_replacement,
        new_devices_do_not_hold_the_last_stage_open,
        a_rollout_without_devices_waits_for_the_first,
        who_runs_it_already_is_confirmed,
        a_restart_changes_nothing,
    };
    Suite *suite = suite_create("engine_fleet");
    TCase *each = tcase_create("each");
    tcase_set_timeout(each, 60);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tcase_add_test(each, tests[i]);
    }
    tcase_add_loop_test(each, a_random_walk_keeps_every_promise, 0, 24);
    suite_add_tcase(suite, each);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
