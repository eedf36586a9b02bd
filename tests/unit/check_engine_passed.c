/*
 * Whom a stage may not pass over though they are in no figure of its own: those that an earlier
 * rollout of the same release killed, those that a region is switched off with, those that an
 * operator waived; and what a hold says, of now (docs/spec/rollout.md, sections 2, 3 and 5).
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_beats.h"

#define FIRST   100u
#define DAY_MIN 1440u

/* ---- who is switched off together ---- */

/* Two thirds of a fleet are switched off for a weekend, six hours after a hundred of them took the
 * release. Where it does not survive that, nobody knows before Monday; where it does, the others'
 * return lets it go on. Caught: those compared with as many that are switched off, too. */
START_TEST(a_weekend_lets_nobody_be_passed_over)
{
    for (unsigned die = 0; die <= 1; die++) {
        struct serin_policy policy = beats_policy(FIRST, 12, 500, 30);
        struct bench bench;
        beats_make(&bench, &policy, BEATS_MOST, BEATS_HOUR_MIN);
        beats_minutes(&bench, 5 * BEATS_HOUR_MIN);
        beats_start(&bench);
        beats_minutes(&bench, 6 * BEATS_HOUR_MIN);
        for (uint32_t i = 0; i < BEATS_MOST; i++) {
            beats_silence(&bench, i, i + 1, i % 3 != 0);
        }
        beats_minutes(&bench, 60 * BEATS_HOUR_MIN);
        ck_assert_uint_eq(bench.rollout.stage, 1);
        ck_assert_msg(bench_said(&bench, "too many to compare them with"), "%s", bench.rollout.why);
        for (uint32_t i = 0; i < BEATS_MOST; i++) {
            beats_silence(&bench, i, i + 1, die == 1 && i < FIRST && i % 3 != 0);
        }
        beats_minutes(&bench, 6 * BEATS_HOUR_MIN);
        ck_assert_msg(bench.rollout.stage == 2 - die, "%u: %s", die, bench.rollout.why);
        bench_free(&bench);
    }
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

/* Those in drawers when a release came that is taken back run the stable one, and the others ran
 * the halted one, so none of these is in a drawer. Caught: a way back held by those. */
START_TEST(a_way_back_is_not_held_by_who_was_in_a_drawer)
{
    struct serin_policy policy = beats_policy(FIRST, 12, 500, 30);
    struct bench bench;
    policy.revert = true;
    beats_make(&bench, &policy, BEATS_MOST, BEATS_HOUR_MIN);
    beats_minutes(&bench, 5 * BEATS_HOUR_MIN);
    for (uint32_t i = 0; i < 10; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    beats_silence(&bench, 0, 10, true);
    beats_minutes(&bench, DAY_MIN);
    bench.rollout.created_ms = bench.now_ms;
    beats_start(&bench);
    beats_minutes(&bench, 14 * BEATS_HOUR_MIN);
    ck_assert_msg(bench.rollout.stage == 2, "%s", bench.rollout.why);
    bench_free(&bench);
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
        a_weekend_lets_nobody_be_passed_over,
        what_an_earlier_rollout_killed_is_not_passed_over,
        a_way_back_is_not_held_by_who_was_in_a_drawer,
        who_beats_rarely_lets_nobody_be_expected,
        an_approval_over_a_few_unwell_is_of_those_alone,
        why_says_what_holds_now,
        NULL,
    };
    return check_run("engine_passed", tests);
}
