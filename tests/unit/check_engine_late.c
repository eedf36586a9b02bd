/* Evidence that comes late, or not at all: failures that end after successes, time-outs of a night
 * in which others were silent too, members that ran the release before, and stages that show
 * nothing (docs/spec/rollout.md, section 11).
 *
 * Each test names the mutation of the engine that it was seen to catch. */
#include "check_main.h"
#include "engine_bench.h"

#include <string.h>

/* ---- failures that end later than successes ---- */

/* The stage grows faster while it looks well, and passes on what it came to. Caught: an acceptance
 * that sticks. */
START_TEST(an_early_acceptance_does_not_let_late_failures_pass)
{
    for (int soaking = 0; soaking < 2; soaking++) {
        struct serin_policy policy = bench_staged_policy(300);
        struct bench bench;
        bench_start(&bench, &policy, 1000);
        for (uint32_t i = 0; i < 300; i++) {
            bench_set(&bench, i, SERIN_STATE_PENDING);
        }
        bench_confirm(&bench, 0, soaking ? 300 : 297);
        ck_assert(bench.rollout.accepted);
        for (uint32_t i = 297; i < 300; i++) { /* they hang, or regress once all have resolved */
            enum serin_state state = soaking ? SERIN_STATE_REGRESSED : SERIN_STATE_FAILED;
            ck_assert_int_eq(bench_member(&bench, i, state, SERIN_REASON_HEALTH), SERIN_OK);
        }
        ck_assert(!bench.rollout.accepted);
        bench_pass(&bench, BENCH_SOAK_MS);
        ck_state(&bench, "awaiting");
        ck_assert(bench.rollout.held);
        ck_assert_uint_eq(bench.rollout.stage, 1);
        bench_free(&bench);
    }
}
END_TEST

/* Of a release that fails at the rejected rate, late, no more stages pass than β. Caught: the same.
 */
START_TEST(a_rejected_release_hardly_ever_passes_however_late_it_fails)
{
    unsigned passed = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t dice = seed;
        static bool bad[500];
        struct serin_policy policy = bench_staged_policy(500);
        struct bench bench;
        bench_start(&bench, &policy, 1000);
        bench.check = false;
        for (uint32_t i = 0; i < 500; i++) {
            bad[i] = bench_random(&dice) % 10000 < 200;
            bench_set(&bench, i, SERIN_STATE_PENDING);
        }
        for (uint32_t i = 0; i < 500; i++) {
            if (!bad[i]) {
                bench_set(&bench, i, SERIN_STATE_CONFIRMED);
            }
        }
        bench_pass(&bench, 3 * BENCH_SOAK_MS); /* the deadline passes */
        bench_pass(&bench, BENCH_SOAK_MS);
        passed += bench.rollout.stage > 1;
        bench_free(&bench);
    }
    ck_assert_uint_le(passed, 18); /* 10 of 200 on average; more than 18 once in 200 times */
}
END_TEST

/* ---- who ran the release before, and stages that show nothing ---- */

/* Caught: members that confirmed before they were offered it counted as well, or as evidence. */
START_TEST(who_ran_the_release_before_accepts_nothing)
{
    struct serin_policy policy = bench_staged_policy(300);
    struct bench bench;
    bench_make(&bench, &policy, 600, 1);
    bench_confirm(&bench, 0, 250); /* targeted before the start */
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_assert_uint_eq(bench.rollout.tally.confirmed, 250);
    ck_assert_uint_eq(bench.rollout.evidence.stage_well, 0);
    ck_assert_uint_eq(bench.rollout.evidence.exposed[0], 0);
    ck_assert(!bench.rollout.accepted);
    for (uint32_t i = 250; i < 300; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    ck_assert_uint_eq(bench.rollout.evidence.stage_well, 50);
    ck_assert(!bench.rollout.accepted);
    ck_assert_int_eq(bench_member(&bench, 3, SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH), SERIN_OK);
    ck_assert_uint_eq(bench.rollout.evidence.stage_failed, 0);
    bench_free(&bench);
}
END_TEST

/* The second stage adds three devices that are never heard. Caught: proof looked for in all stages
 * together. */
START_TEST(a_stage_whose_own_devices_are_all_silent_does_not_end)
{
    struct serin_policy policy = bench_staged_policy(20);
    struct bench bench;
    bench_start(&bench, &policy, 23);
    bench_confirm_offered(&bench);
    bench_pass(&bench, BENCH_SOAK_MS);
    ck_assert_uint_eq(bench.rollout.stage, 2);
    bench_pass(&bench, 20 * BENCH_SOAK_MS);
    ck_state(&bench, "awaiting");
    ck_assert(bench.rollout.held);
    ck_assert_uint_eq(bench.rollout.tally.unreached, 3);
    bench_set(&bench, 21, SERIN_STATE_CONFIRMED);
    ck_state(&bench, "soaking");
    bench_free(&bench);
}
END_TEST

/* ---- a night in which others are silent too ---- */

#define FLEET   1000u
#define HOUR_MS UINT64_C(3600000)

static struct serin_health health[FLEET]; /* by device */

/* Hours in which all beat but those of rank `from` to before `end`. */
static void hours(struct bench *bench, unsigned count, uint32_t from, uint32_t end)
{
    for (unsigned hour = 0; hour < count; hour++) {
        bench_pass(bench, HOUR_MS);
        for (uint32_t i = 0; i < FLEET; i++) {
            uint64_t now_s = bench->now_ms / 1000;
            struct serin_health_beat said = {.interval_s = 3600,
                                             .uptime_s = now_s - BENCH_START_MS / 1000 + 86400};
            if (i < from || i >= end) {
                serin_health_beat(&health[bench->members.list[i].device], now_s, &said,
                                  bench->rollout.state != SERIN_ROLLOUT_CREATED);
            }
        }
    }
}

/* A fleet of which 300 are offered, with a soak and a deadline as long as nights. */
static void begin_nights(struct bench *bench)
{
    struct serin_policy policy = bench_staged_policy(300);
    policy.stages[0].soak_s = 48 * 3600;
    policy.deadline_s = 12 * 3600;
    policy.patience_s = 48 * 3600;
    policy.gates[SERIN_GATE_SILENCE] =
        (struct serin_gate_policy){.max_permyriad = 5000, .minimum = 30};
    memset(health, 0, sizeof health);
    bench_make(bench, &policy, FLEET, 1);
    bench->check = false; /* fleets of hundreds, recounted for every device, take long */
    bench->members.health = health;
    hours(bench, 5, 0, 0);
    bench_do(bench, SERIN_ROLLOUT_START);
}

/* Those of rank `from` to before `end` accept it, and eight of them never end. */
static void hang_some(struct bench *bench, uint32_t from, uint32_t end)
{
    for (uint32_t i = from; i < end; i++) {
        bench_set(bench, i, i < end - 8 ? SERIN_STATE_CONFIRMED : SERIN_STATE_PENDING);
    }
}

/* Eight time out in a night in which others of the fleet are dark as well; then all are back.
 * Caught: the silence of today, which is none, taken for that of the night; a figure that a restart
 * of the caller or the next comparison forgets. */
START_TEST(a_bad_night_weighs_no_more_when_it_is_over)
{
    struct bench bench;
    begin_nights(&bench);
    hang_some(&bench, 0, 300);
    hours(&bench, 14, 292, 400);
    ck_assert_uint_eq(bench.rollout.tally.failed, 8);
    uint32_t seen = bench.rollout.silenced_permyriad;
    ck_assert_uint_gt(seen, 1000);
    double against = bench.rollout.evidence.against;
    hours(&bench, 3, 0, 0);
    ck_assert_uint_eq(bench.rollout.comparison.expected_silent_permyriad, 0);
    ck_assert_uint_eq(bench.rollout.silenced_permyriad, seen);
    ck_assert_double_le(bench.rollout.evidence.against, against);
    ck_state(&bench, "soaking");
    bench_free(&bench);
}
END_TEST

/* The night comes while few have accepted it; eight that accept it afterwards hang. Caught: the
 * silence of the worst night taken for that of all days that follow. */
START_TEST(who_is_offered_it_after_a_bad_night_is_not_excused_by_it)
{
    struct bench bench;
    begin_nights(&bench);
    bench_confirm(&bench, 0, 8);
    hours(&bench, 6, 292, 400);
    hours(&bench, 3, 0, 0);
    ck_assert_uint_gt(bench.rollout.silenced_permyriad, 1000);
    hang_some(&bench, 8, 300);
    hours(&bench, 14, 292, 300);
    ck_state(&bench, "halted");
    ck_assert_uint_eq(bench.rollout.evidence.stage_silent, 0);
    bench_free(&bench);
}
END_TEST

/* Few enough others are dark to be chance: nobody is excused. Caught: silence of one control device
 * that excuses all time-outs; the share of a part of the control group. */
START_TEST(a_few_dark_devices_excuse_nobody)
{
    struct bench bench;
    begin_nights(&bench);
    hang_some(&bench, 0, 300);
    hours(&bench, 14, 292, 304);
    ck_assert_uint_eq(bench.rollout.comparison.control_silent, 4);
    ck_state(&bench, "halted");
    ck_assert_uint_eq(bench.rollout.silenced_permyriad, 0);
    bench_free(&bench);
}
END_TEST

/* Who failed before the night, and all that went silent in it: what is known of either survives a
 * restart. Caught: the night forgotten, or begun at the beginning of all time. */
START_TEST(a_bad_night_excuses_none_whose_deadline_passed_before_it)
{
    struct bench bench;
    begin_nights(&bench);
    bench.rollout.policy.stages[0].soak_s = 120 * 3600;
    bench_confirm(&bench, 0, 200);
    for (uint32_t i = 200; i < 203; i++) {
        bench_set(&bench, i, SERIN_STATE_PENDING);
    }
    hours(&bench, 40, 200, 203);
    ck_assert_uint_eq(bench.rollout.tally.failed, 3);
    hang_some(&bench, 203, 300);
    hours(&bench, 14, 292, 400);
    ck_assert_uint_eq(bench.rollout.tally.failed, 11);
    ck_assert_uint_eq(bench.rollout.evidence.stage_failed, 3);
    ck_assert_uint_eq(bench.rollout.evidence.stage_silent, 8);
    double against = bench.rollout.evidence.against;
    serin_rollout_rebuild(&bench.rollout, &bench.members);
    ck_assert_uint_eq(bench.rollout.evidence.stage_failed, 3);
    ck_assert_uint_eq(bench.rollout.evidence.stage_silent, 8);
    ck_assert_double_le(bench.rollout.evidence.against, against * 1.000001);
    bench_free(&bench);
}
END_TEST

/* ---- what regresses by chance ---- */

/* A limit of 1.5 or 2 % is passed by 3 of 140 at an accepted rate of 0.5 % in one rollout of 20:
 * nothing halts on it before the test does, and nothing passes on it either. A limit below the
 * accepted rate is the operator's own word. Caught: a ratio that halts by itself; one that passes;
 * one that is never asked again. */
START_TEST(regressions_halt_with_the_test_and_hold_without_it)
{
    for (uint32_t limit = 40; limit <= 150; limit += 110) {
        struct serin_policy policy = bench_staged_policy(300);
        policy.gates[SERIN_GATE_REGRESSIONS] =
            (struct serin_gate_policy){.max_permyriad = limit, .minimum = 100};
        struct bench bench;
        bench_start(&bench, &policy, 1000);
        bench.check = false; /* its recount knows one gate */
        bench_confirm(&bench, 0, 140);
        for (uint32_t i = 0; i < 3; i++) {
            bench_set(&bench, i, SERIN_STATE_REGRESSED);
        }
        ck_state(&bench, limit < 50 ? "halted" : "rolling");
        if (limit >= 50) {
            bench_confirm(&bench, 140, 300);
            for (uint32_t i = 3; i < 5; i++) {
                bench_set(&bench, i, SERIN_STATE_REGRESSED);
            }
            bench_pass(&bench, BENCH_SOAK_MS);
            ck_state(&bench, "awaiting");
            ck_assert_str_eq(bench.rollout.why,
                             "held: 5 of 300 confirmed went wrong later (limit 1.50 %), which may "
                             "be chance: the test is undecided");
            for (uint32_t i = 5; i < 12 && bench.rollout.held; i++) {
                bench_set(&bench, i, SERIN_STATE_REGRESSED);
            }
            ck_state(&bench, "halted");
            ck_assert(bench_said(&bench, "confirmed went wrong later (limit 1.50 %, minimum 100)"));
        }
        bench_free(&bench);
    }
}
END_TEST

/* Where the rates of the test are far apart it never tells a share between them from chance: a
 * share that is surely above its limit halts all the same. Four standard errors above 1 % of 300
 * are 15, by roots: √14.375 − √3.375 is below 2 and √15.375 − √3.375 above. Caught: only the test
 * asked; three standard errors, which halt at 11; five. */
START_TEST(regressions_surely_above_their_limit_halt_without_the_test)
{
    struct serin_policy policy = bench_staged_policy(300);
    policy.test.rejected_permyriad = 4000;
    policy.gates[SERIN_GATE_REGRESSIONS] =
        (struct serin_gate_policy){.max_permyriad = 100, .minimum = 100};
    struct bench bench;
    bench_start(&bench, &policy, 1000);
    bench.check = false; /* its recount knows one gate */
    bench_confirm(&bench, 0, 300);
    for (uint32_t i = 0; i < 14; i++) {
        bench_set(&bench, i * 20u, SERIN_STATE_REGRESSED);
    }
    ck_assert_int_ne(bench.rollout.state, SERIN_ROLLOUT_HALTED);
    bench_set(&bench, 290, SERIN_STATE_REGRESSED);
    ck_state(&bench, "halted");
    ck_assert_msg(bench_said(&bench, "halted: 15 of 300 confirmed went wrong later"), "%s",
                  bench.rollout.why);
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_early_acceptance_does_not_let_late_failures_pass,
        a_rejected_release_hardly_ever_passes_however_late_it_fails,
        who_ran_the_release_before_accepts_nothing,
        a_stage_whose_own_devices_are_all_silent_does_not_end,
        a_bad_night_weighs_no_more_when_it_is_over,
        who_is_offered_it_after_a_bad_night_is_not_excused_by_it,
        a_few_dark_devices_excuse_nobody,
        a_bad_night_excuses_none_whose_deadline_passed_before_it,
        regressions_halt_with_the_test_and_hold_without_it,
        regressions_surely_above_their_limit_halt_without_the_test,
        NULL,
    };
    return check_run("engine_late", tests);
}
