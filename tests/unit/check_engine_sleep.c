/*
 * Fleets of which many are silent at any moment, as they sleep: a good release passes, and one that
 * kills two in five does not; what an earlier rollout of the same release killed is not passed over
 * by the next; and what an operator waived, and a hold says, is of now (docs/spec/rollout.md,
 * sections 2, 3 and 5).
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_beats.h"

#include <stdio.h>
#include <string.h>

#define FIRST     100u
#define DAY_MIN   1440u
#define STEP_MIN  30u
#define DIES_PART 5u /* two of so many, where they die */

static bool asleep[BEATS_MOST], dozes[BEATS_MOST], dying[BEATS_MOST]; /* by device */
static uint64_t dies_ms[BEATS_MOST];

static uint64_t seed;

/* How a fleet sleeps: each for so long, at any time; or for as long on average. */
struct sleep {
    unsigned awake_min, asleep_min;
    bool irregular;
};

static bool sleeps(const struct bench *bench, const struct sleep *sleep, uint32_t device)
{
    if (sleep->irregular) {
        unsigned mean_min = dozes[device] ? sleep->asleep_min : sleep->awake_min;
        dozes[device] =
            bench_random(&seed) % (mean_min / STEP_MIN) == 0 ? !dozes[device] : dozes[device];
        return dozes[device];
    }
    unsigned round_min = sleep->awake_min + sleep->asleep_min;
    uint64_t minute = bench->now_ms / BEATS_MINUTE_MS + device * UINT64_C(7919);
    return minute % round_min >= sleep->awake_min;
}

/* Who is awake and was offered it confirms; where `die`, two of five are dead two hours later. */
static void take(struct bench *bench, bool die)
{
    for (uint32_t i = 0; i < bench->rollout.tally.offered; i++) {
        const struct serin_member *member = &bench->members.list[i];
        bool open = member->state == SERIN_STATE_IDLE || member->state == SERIN_STATE_UNREACHED;
        if (asleep[member->device] || !open) {
            continue;
        }
        bench_set(bench, i, SERIN_STATE_CONFIRMED);
        serin_health_heard(&beats.health[member->device], bench->now_ms / 1000);
        dying[member->device] = die && i % DIES_PART < 2;
        dies_ms[member->device] = bench->now_ms + 2 * BEATS_HOUR_MS;
    }
}

static void pass(struct bench *bench, const struct sleep *sleep, unsigned minutes, bool die)
{
    for (unsigned minute = 0; minute < minutes; minute += STEP_MIN) {
        for (uint32_t device = 0; device < beats.count; device++) {
            asleep[device] =
                sleeps(bench, sleep, device) || (dying[device] && bench->now_ms >= dies_ms[device]);
            beats.quiet[device] = asleep[device];
        }
        beats_minutes(bench, STEP_MIN);
        if (bench->rollout.state == SERIN_ROLLOUT_ROLLING ||
            bench->rollout.state == SERIN_ROLLOUT_SOAKING ||
            bench->rollout.state == SERIN_ROLLOUT_AWAITING) {
            take(bench, die);
        }
    }
}

static void start(struct bench *bench, const struct serin_policy *policy, const struct sleep *sleep)
{
    memset(dying, 0, sizeof dying);
    memset(dozes, 0, sizeof dozes);
    seed = 1;
    beats_make(bench, policy, BEATS_MOST, BEATS_HOUR_MIN);
    pass(bench, sleep, 20 * DAY_MIN, false);
    bench_do(bench, SERIN_ROLLOUT_START);
}

/* Awake for a day or two, and asleep for twice as long; awake for longer; and at random. A good
 * release completes; one that kills two of five stays in its first stage, and says why. Caught:
 * those compared with nobody of whom most others sleep; with as many as sleep at that moment; who
 * accepted just now taken for one who would sleep by now; a span by which half of the others are
 * silent; those that are silent for it taken for sleepers. */
START_TEST(a_fleet_that_sleeps_passes_what_is_good)
{
    static const uint32_t firsts[] = {FIRST, FIRST, FIRST, 40};
    static const struct sleep fleets[] = {{48 * 60, 100 * 60, false},
                                          {24 * 60, 60 * 60, false},
                                          {36 * 60, 24 * 60, false},
                                          {24 * 60, 60 * 60, true}};
    for (size_t c = 0; c < 2 * sizeof fleets / sizeof fleets[0]; c++) {
        bool die = c % 2 == 1;
        struct serin_policy policy = beats_policy(firsts[c / 2], 24, 500, 30);
        struct bench bench;
        start(&bench, &policy, &fleets[c / 2]);
        for (unsigned day = 0; day < 40 && bench.rollout.state != SERIN_ROLLOUT_COMPLETED; day++) {
            pass(&bench, &fleets[c / 2], DAY_MIN, die);
        }
        const char *state = serin_rollout_state_text(bench.rollout.state);
        ck_assert_msg(strcmp(state, "completed") == 0 || die, "%zu: %s %s", c / 2, state,
                      bench.rollout.why);
        ck_assert_msg(bench.rollout.stage == 1 || !die, "%zu: stage %u", c / 2,
                      bench.rollout.stage);
        ck_assert(bench.rollout.why[0] != '\0' || !die);
        bench_free(&bench);
    }
}
END_TEST

/* In the last stage nobody is left to compare with, and a restart takes away what is not stored.
 * Caught: a span that is forgotten. */
START_TEST(a_restart_forgets_no_sleep)
{
    static const struct sleep sleep = {48 * 60, 100 * 60, false};
    struct serin_policy policy = beats_policy(FIRST, 24, 500, 30);
    struct bench bench;
    start(&bench, &policy, &sleep);
    for (unsigned day = 0; day < 60 && bench.rollout.state != SERIN_ROLLOUT_COMPLETED; day++) {
        pass(&bench, &sleep, DAY_MIN, false);
        if (bench.rollout.comparison.rest == 0 || day % 7 != 6) {
            continue;
        }
        beats_restart(&bench, 0);
    }
    ck_state(&bench, "completed");
    bench_free(&bench);
}
END_TEST

/* ---- an earlier rollout of the same release ---- */

/* A hundred ran the release already; of them so many, and so many of the others, have been silent
 * for a day when the rollout is created. The first stage is of those hundred. Caught: those that
 * ran it before, and are silent since, in nobody's figures; compared with others of which those
 * that were silent then are left out. */
START_TEST(what_an_earlier_rollout_killed_is_not_passed_over)
{
    static const struct {
        uint32_t silent, others;
        bool held;
    } cases[] = {{100, 0, true}, {40, 0, true},   {5, 0, false},    {6, 0, true},
                 {8, 72, false}, {100, 72, true}, {60, 540, false}, {100, 540, true}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct serin_policy policy = beats_policy(FIRST, 12, 500, 30);
        struct bench bench;
        beats_make(&bench, &policy, BEATS_MOST, BEATS_HOUR_MIN);
        beats_minutes(&bench, 5 * BEATS_HOUR_MIN);
        for (uint32_t i = 0; i < FIRST; i++) {
            bench_set(&bench, i, SERIN_STATE_CONFIRMED);
            ck_assert(bench.members.list[i].ran_before);
        }
        beats_silence(&bench, 0, cases[c].silent, true);
        beats_silence(&bench, FIRST, FIRST + cases[c].others, true);
        beats_minutes(&bench, DAY_MIN);
        bench.rollout.created_ms = bench.now_ms;
        bench_do(&bench, SERIN_ROLLOUT_START);
        beats_minutes(&bench, 14 * BEATS_HOUR_MIN);
        ck_assert_msg(bench.rollout.stage == (cases[c].held ? 1u : 2u), "%zu: %s", c,
                      bench.rollout.why);
        ck_assert_msg(!cases[c].held || bench_said(&bench, " that run it, some since before it "
                                                           "began, are not heard any more"),
                      "%zu: %s", c, bench.rollout.why);
        beats_silence(&bench, 0, cases[c].silent, false); /* they were repaired */
        beats_minutes(&bench, 2 * BEATS_HOUR_MIN);
        ck_assert_uint_eq(bench.rollout.stage, 2);
        bench_free(&bench);
    }
}
END_TEST

/* ---- whom nobody heard yet ---- */

/* Six of a first stage of twenty-five die, all beat each ten minutes but for a tenth of the others,
 * which beat each four hours, and reports are down for a day from five minutes before the soak is
 * over. A quarter of an hour after it the dead had their time to be heard, and those others had
 * none. Caught: those counted with the others that are not heard either. */
START_TEST(who_beats_rarely_lets_nobody_be_expected)
{
    for (unsigned die = 0; die <= 1; die++) {
        struct serin_policy policy = beats_policy(25, 6, 500, 30);
        struct bench bench;
        beats_make(&bench, &policy, BEATS_MOST, 10);
        beats_minutes(&bench, 5 * BEATS_HOUR_MIN);
        for (uint32_t i = 25; i < BEATS_MOST; i += 10) {
            beats.health[bench.members.list[i].device].gap_s = 4 * 3600;
        }
        beats_start(&bench);
        beats_minutes(&bench, 6 * BEATS_HOUR_MIN - 5);
        beats_silence(&bench, 0, die == 1 ? 6 : 0, true);
        bench_do(&bench, SERIN_ROLLOUT_REPORTS_DOWN);
        beats_minutes(&bench, DAY_MIN);
        for (uint32_t i = 25; i < BEATS_MOST; i += 10) {
            beats_silence(&bench, i, i + 1, true);
        }
        bench_do(&bench, SERIN_ROLLOUT_REPORTS_UP);
        bench_settle(&bench);
        beats_minutes(&bench, 2 * BEATS_HOUR_MIN);
        ck_assert_msg(bench.rollout.stage == 2 - die, "%u: %s", die, bench.rollout.why);
        bench_free(&bench);
    }
}
END_TEST

/* ---- what was waived ---- */

static void count_errors(const struct bench *bench, uint32_t from, uint32_t end, uint16_t rate)
{
    for (uint32_t i = from; i < end; i++) {
        beats.health[bench->members.list[i].device].late_rate = rate;
    }
}

/* Two of twenty count more errors than before, an operator goes on over them at night, and before
 * the window opens in the morning two more do, or the two are well again and two others do. Caught:
 * a waiver of errors, however many count them later; of none; of as many as did once. */
START_TEST(an_approval_over_a_few_unwell_is_of_those_alone)
{
    enum { NONE, MORE, OTHERS, CASES };
    for (unsigned c = 0; c < CASES; c++) {
        struct serin_policy policy = beats_policy(20, 12, 10000, 1);
        struct bench bench;
        policy.gates[SERIN_GATE_ERRORS] = (struct serin_gate_policy){500, 30};
        policy.window_count = 1; /* the bench begins at 8 o'clock */
        policy.windows[0] =
            (struct serin_window){.days = 127, .from_min = 8 * 60, .until_min = 18 * 60};
        beats_make(&bench, &policy, BEATS_MOST, BEATS_HOUR_MIN);
        beats_minutes(&bench, 5 * BEATS_HOUR_MIN);
        beats_start(&bench);
        for (unsigned hour = 0; hour < 13; hour++) {
            count_errors(&bench, 0, 2, UINT16_MAX);
            beats_minutes(&bench, BEATS_HOUR_MIN);
        }
        ck_assert_msg(bench_said(&bench, "held: 2 of 20 updated"), "%s", bench.rollout.why);
        bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
        ck_assert(bench.rollout.approved);
        for (unsigned minute = 0; minute < 9 * 60; minute += 10) {
            bool late = minute >= 120;
            count_errors(&bench, 0, 2, c == OTHERS ? 0 : UINT16_MAX);
            count_errors(&bench, 2, 4, late && c != NONE ? UINT16_MAX : 0);
            beats_minutes(&bench, 10);
        }
        ck_assert_msg(bench.rollout.stage == (c == NONE ? 2u : 1u), "%u: %s", c, bench.rollout.why);
        ck_assert(bench.rollout.held == (c != NONE));
        bench_free(&bench);
    }
}
END_TEST

/* ---- what a hold says ---- */

/* Half of a stage is silent and holds it; they are heard again while the others fall silent: `why`
 * has the figures of now, and another cause another line of the audit log. Caught: words of the
 * moment in which it was held. */
START_TEST(why_says_what_holds_now)
{
    struct serin_policy policy = beats_policy(20, 6, 500, 30);
    struct bench bench;
    policy.gates[SERIN_GATE_ERRORS] = (struct serin_gate_policy){500, 30};
    beats_make(&bench, &policy, BEATS_MOST, BEATS_HOUR_MIN);
    beats_minutes(&bench, 5 * BEATS_HOUR_MIN);
    beats_start(&bench);
    beats_silence(&bench, 0, 10, true);
    beats_minutes(&bench, 7 * BEATS_HOUR_MIN);
    ck_assert_msg(bench_said(&bench, "held: 10 of 20 updated fell silent"), "%s",
                  bench.rollout.why);
    unsigned audits = bench.audits;
    beats_silence(&bench, 10, 15, true);
    beats_minutes(&bench, 5 * BEATS_HOUR_MIN);
    ck_assert_msg(bench_said(&bench, "held: 15 of 20 updated fell silent"), "%s",
                  bench.rollout.why);
    ck_assert_uint_eq(bench.audits, audits);
    beats_silence(&bench, 0, 20, false);
    for (uint32_t i = 0; i < 4; i++) {
        beats.health[bench.members.list[i].device].late_rate = 10000;
    }
    uint64_t at_ms = bench.now_ms;
    while (bench.rollout.stage == 1 && !bench_said(&bench, "held: 4 of 20")) {
        ck_assert_uint_lt(bench.now_ms, at_ms + 2 * BEATS_HOUR_MS);
        beats_minutes(&bench, 1);
        for (uint32_t i = 0; i < 4; i++) {
            beats.health[bench.members.list[i].device].late_rate = 10000;
        }
    }
    ck_assert_msg(bench_said(&bench, "held: 4 of 20 updated"), "%s", bench.rollout.why);
    ck_assert_uint_eq(bench.audits, audits + 1);
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_fleet_that_sleeps_passes_what_is_good,
        a_restart_forgets_no_sleep,
        what_an_earlier_rollout_killed_is_not_passed_over,
        who_beats_rarely_lets_nobody_be_expected,
        an_approval_over_a_few_unwell_is_of_those_alone,
        why_says_what_holds_now,
        NULL,
    };
    return check_run("engine_sleep", tests);
}
