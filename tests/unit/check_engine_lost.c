/*
 * No stage passes over devices that it updated, or one before it, and that died: whatever a restart
 * of the caller, an outage of reports, a step of the clock, a pause, an approval or a short past
 * make of their silence (docs/spec/rollout.md, section 5). And a fleet that is well passes all the
 * same.
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_beats.h"

#include <string.h>

#define MOST  BEATS_MOST
#define FIRST 100u

static unsigned gap_min; /* of this test */

static struct serin_policy lost_policy(uint32_t first)
{
    return beats_policy(first, 12, 500, 30);
}

static void prepare(struct bench *bench, const struct serin_policy *policy, uint32_t count,
                    unsigned known_min)
{
    beats_make(bench, policy, count, gap_min);
    beats_minutes(bench, known_min);
}

/* A fleet that was heard for so long, and whose first ones have just confirmed. */
static void make(struct bench *bench, const struct serin_policy *policy, uint32_t count,
                 unsigned known_min)
{
    prepare(bench, policy, count, known_min);
    beats_start(bench);
}

/* Whoever is offered it and lives takes it, and confirms with the next call. */
static void take(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->rollout.tally.offered && !bench->rollout.closed; i++) {
        const struct serin_member *member = &bench->members.list[i];
        bool idle = member->state == SERIN_STATE_IDLE || member->state == SERIN_STATE_UNREACHED;
        if (beats.quiet[member->device] || (!idle && member->state != SERIN_STATE_PENDING)) {
            continue;
        }
        bench_member(bench, i, idle ? SERIN_STATE_PENDING : SERIN_STATE_CONFIRMED,
                     SERIN_REASON_NONE);
    }
}

static void take_until(struct bench *bench, enum serin_rollout_state state)
{
    for (unsigned i = 0; i < 48 * 6 && bench->rollout.state != state; i++) {
        beats_minutes(bench, 10);
        take(bench);
    }
    ck_assert_str_eq(serin_rollout_state_text(bench->rollout.state),
                     serin_rollout_state_text(state));
}

static void kill_offered(const struct bench *bench, bool die)
{
    beats_silence(bench, 0, die ? bench->rollout.tally.offered : 0, true);
}

/* In the first stage: dead, it does not pass; alive, all does. */
static void judge(struct bench *bench, bool die, const char *of)
{
    if (die) {
        ck_assert_msg(bench->rollout.stage == 1 && bench->rollout.state != SERIN_ROLLOUT_COMPLETED,
                      "%s: stage %u %s", of, bench->rollout.stage,
                      serin_rollout_state_text(bench->rollout.state));
        ck_assert_msg(bench->rollout.why[0] != '\0', "%s: it does not say why", of);
    } else {
        beats_go_on(bench, 40 * BEATS_HOUR_MIN);
        ck_assert_msg(bench->rollout.state == SERIN_ROLLOUT_COMPLETED, "%s: %s %s", of,
                      serin_rollout_state_text(bench->rollout.state), bench->rollout.why);
    }
    bench_free(bench);
}

/* They die two hours before the caller is away for ten; a second restart follows an hour after the
 * first, when others were heard. Caught: who was heard by a restart alone is heard. */
START_TEST(two_restarts_after_an_outage_hide_nobody)
{
    for (unsigned die = 0; die <= 1; die++) {
        struct serin_policy policy = lost_policy(FIRST);
        struct bench bench;
        gap_min = BEATS_HOUR_MIN;
        make(&bench, &policy, MOST, 5 * BEATS_HOUR_MIN);
        beats_minutes(&bench, 10 * BEATS_HOUR_MIN - 5);
        kill_offered(&bench, die);
        beats_minutes(&bench, 2 * BEATS_HOUR_MIN);
        beats_restart(&bench, 10 * BEATS_HOUR_MS);
        beats_go_on(&bench, BEATS_HOUR_MIN);
        beats_restart(&bench, 0);
        beats_go_on(&bench, 4 * BEATS_HOUR_MIN);
        judge(&bench, die, "two restarts");
    }
}
END_TEST

/* The whole fleet dies in its last stage, so that the newest word is as old as any, and the caller
 * restarts, or reports blink, before anybody is silent from then on. Caught: the same. */
START_TEST(no_rhythm_of_restarts_or_blinks_hides_a_whole_fleet)
{
    for (unsigned c = 0; c < 4; c++) {
        bool die = c % 2 == 1;
        struct serin_policy policy = lost_policy(FIRST);
        policy.stage_count = 1;
        policy.stages[0] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = 24 * 3600};
        struct bench bench;
        gap_min = BEATS_HOUR_MIN;
        make(&bench, &policy, MOST, 5 * BEATS_HOUR_MIN);
        beats_minutes(&bench, 2 * BEATS_HOUR_MIN);
        kill_offered(&bench, die);
        for (unsigned i = 0; i < 24; i++) {
            beats_minutes(&bench, 150);
            if (bench.rollout.state == SERIN_ROLLOUT_COMPLETED) {
                break;
            }
            if (c < 2) {
                beats_restart(&bench, 0);
            } else {
                beats_blink(&bench);
            }
        }
        judge(&bench, die, c < 2 ? "restarts" : "blinks");
    }
}
END_TEST

/* Approval is given ten minutes after all have died, and before the next comparison. Caught: a
 * stage that passes by an approval on figures of before. */
START_TEST(an_approval_passes_on_what_is_known_then)
{
    for (unsigned die = 0; die <= 1; die++) {
        struct serin_policy policy = lost_policy(FIRST);
        policy.stages[1].approval = true;
        struct bench bench;
        gap_min = 1;
        make(&bench, &policy, MOST, 2 * BEATS_HOUR_MIN);
        beats_minutes(&bench, 13 * BEATS_HOUR_MIN);
        ck_state(&bench, "awaiting");
        uint64_t compared_ms = bench.rollout.comparison.at_ms;
        while (bench.rollout.comparison.at_ms == compared_ms) {
            beats_minutes(&bench, 1);
        }
        kill_offered(&bench, die);
        beats_minutes(&bench, 10);
        bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
        judge(&bench, die, "approval");
    }
}
END_TEST

/* New devices beat once or twice before they die: too few know of a usual gap, and none of a
 * control group. Caught: only those asked of which enough is known. */
START_TEST(who_is_hardly_known_is_not_passed_over)
{
    static const uint32_t fleets[] = {1, 5, 20};
    for (size_t c = 0; c < 2 * sizeof fleets / sizeof fleets[0]; c++) {
        bool die = c % 2 == 1;
        uint32_t count = fleets[c / 2];
        struct serin_policy policy = lost_policy(2);
        if (count < 20) {
            policy.stage_count = 1;
            policy.stages[0].permyriad = 10000;
            policy.stages[0].count = 0;
        }
        policy.stages[0].soak_s = 24 * 3600;
        struct bench bench;
        gap_min = BEATS_HOUR_MIN;
        make(&bench, &policy, count, 90);
        kill_offered(&bench, die);
        beats_minutes(&bench, 26 * BEATS_HOUR_MIN);
        judge(&bench, die, "hardly known");
    }
}
END_TEST

/* The clock is set back after they confirmed, they die, and reports are down for ten hours. Caught:
 * a stage whose beginning, by the clock of now, moves on past their last words, and they in
 * nobody's figures. */
START_TEST(a_clock_that_was_set_back_hides_nobody)
{
    static const unsigned out_h[] = {0, 1, 10};
    for (size_t c = 0; c < 2 * sizeof out_h / sizeof out_h[0]; c++) {
        bool die = c % 2 == 1;
        struct serin_policy policy = lost_policy(FIRST);
        struct bench bench;
        gap_min = BEATS_HOUR_MIN;
        make(&bench, &policy, MOST, 5 * BEATS_HOUR_MIN);
        beats_minutes(&bench, 30);
        beats_set_back(&bench, 24 * BEATS_HOUR_MS);
        beats_minutes(&bench, 150);
        kill_offered(&bench, die);
        beats_minutes(&bench, 30);
        bench_do(&bench, SERIN_ROLLOUT_REPORTS_DOWN);
        beats_minutes(&bench, out_h[c / 2] * BEATS_HOUR_MIN);
        bench_do(&bench, SERIN_ROLLOUT_REPORTS_UP);
        bench_settle(&bench);
        beats_go_on(&bench, 12 * BEATS_HOUR_MIN);
        judge(&bench, die, "set back");
    }
}
END_TEST

/* They were last heard while the clock was a day ahead, and reports blink, or the caller restarts,
 * until after that. Caught: words from the future taken for heard; or for the past when it comes.
 */
START_TEST(words_from_the_future_are_no_words)
{
    for (unsigned c = 0; c < 4; c++) {
        bool die = c % 2 == 1;
        struct serin_policy policy = lost_policy(FIRST);
        struct bench bench;
        gap_min = BEATS_HOUR_MIN;
        make(&bench, &policy, MOST, 5 * BEATS_HOUR_MIN);
        bench.now_ms += 24 * BEATS_HOUR_MS;
        bench_settle(&bench);
        beats_minutes(&bench, 120);
        kill_offered(&bench, die);
        beats_set_back(&bench, 24 * BEATS_HOUR_MS);
        for (unsigned i = 0; i < 20; i++) {
            beats_go_on(&bench, 2 * BEATS_HOUR_MIN);
            if (bench.rollout.state == SERIN_ROLLOUT_COMPLETED) {
                break;
            }
            if (c < 2) {
                beats_restart(&bench, 0);
            } else {
                beats_blink(&bench);
            }
        }
        judge(&bench, die, "future");
    }
}
END_TEST

/* While an operator has it paused they die, and the clock goes forward, so that everybody seems
 * silent at once. Caught: others that let expect it before they had time to be heard. */
START_TEST(a_jump_in_a_pause_hides_nobody)
{
    static const unsigned jumps_h[] = {0, 2, 3, 10};
    for (size_t c = 0; c < 2 * sizeof jumps_h / sizeof jumps_h[0]; c++) {
        bool die = c % 2 == 1;
        struct serin_policy policy = lost_policy(FIRST);
        struct bench bench;
        gap_min = BEATS_HOUR_MIN;
        make(&bench, &policy, MOST, 5 * BEATS_HOUR_MIN);
        beats_minutes(&bench, 12 * BEATS_HOUR_MIN - 1);
        bench_do(&bench, SERIN_ROLLOUT_PAUSE);
        for (uint32_t i = 0; i < (die ? 40u : 0); i++) { /* not all: the others may seem as many */
            beats.quiet[bench.members.list[i].device] = true;
        }
        beats_minutes(&bench, 4 * BEATS_HOUR_MIN);
        bench.now_ms += jumps_h[c / 2] * BEATS_HOUR_MS;
        bench_do(&bench, SERIN_ROLLOUT_RESUME);
        bench_settle(&bench);
        beats_go_on(&bench, 6 * BEATS_HOUR_MIN);
        judge(&bench, die, "jump in a pause");
    }
}
END_TEST

/* A fifth of the others is silent as well, for good: then as many of the updated are as expected.
 * With too few others they hold. Caught: the lost compared with nothing. */
START_TEST(as_many_as_others_are_lost_is_no_loss)
{
    for (unsigned c = 0; c < 2; c++) {
        struct serin_policy policy = lost_policy(FIRST);
        struct bench bench;
        gap_min = BEATS_HOUR_MIN;
        make(&bench, &policy, MOST, 5 * BEATS_HOUR_MIN);
        beats_minutes(&bench, BEATS_HOUR_MIN);
        for (uint32_t i = 0; i < MOST; i += 5) {
            beats.quiet[bench.members.list[i].device] = c == 0 || i < FIRST;
        }
        beats_go_on(&bench, 14 * BEATS_HOUR_MIN);
        if (c == 0) {
            ck_assert_uint_eq(bench.rollout.stage, 2);
            ck_assert_uint_eq(bench.rollout.comparison.rest_silent, (MOST - FIRST) / 5);
        } else {
            ck_assert_uint_eq(bench.rollout.stage, 1);
        }
        bench_free(&bench);
    }
}
END_TEST

/* A sixth of them dies, reports are down for ten hours, and the stage is soaked when of the others
 * six of ten were heard again. Caught: those compared with others that had no time to be heard. */
START_TEST(who_had_no_time_to_be_heard_is_no_other)
{
    for (unsigned die = 0; die <= 1; die++) {
        struct serin_policy policy = lost_policy(FIRST);
        struct bench bench;
        gap_min = BEATS_HOUR_MIN;
        make(&bench, &policy, MOST, 5 * BEATS_HOUR_MIN);
        beats_minutes(&bench, 11 * BEATS_HOUR_MIN);
        for (uint32_t i = 0; i < FIRST / 6 && die; i++) {
            beats.quiet[bench.members.list[i].device] = true;
        }
        beats_minutes(&bench, 24);
        bench_do(&bench, SERIN_ROLLOUT_REPORTS_DOWN);
        beats_minutes(&bench, 10 * BEATS_HOUR_MIN);
        bench_do(&bench, SERIN_ROLLOUT_REPORTS_UP);
        bench_settle(&bench);
        beats_minutes(&bench, 34);
        ck_state(&bench, "soaking");
        beats_minutes(&bench, 6);
        ck_assert_uint_eq(bench.rollout.stage, 1);
        judge(&bench, die, "no time");
    }
}
END_TEST

/* Two of twenty are silent, an operator goes on over them, and before the next stage may open (the
 * window is closed, or reports are down) two more die, or the two are well again and two others
 * die. Who was waived stays so. Caught: a waiver of silence, however many fall silent later; one of
 * as many as were silent once. */
START_TEST(an_approval_over_a_few_silent_is_of_those_alone)
{
    enum { NONE, MORE, OTHERS, CASES };
    for (unsigned c = 0; c < 2u * CASES; c++) {
        bool windows = c % 2 == 0;
        struct serin_policy policy = lost_policy(20);
        if (windows) {
            policy.window_count = 1;
            policy.windows[0] =
                (struct serin_window){.days = 127, .from_min = 8 * 60, .until_min = 18 * 60};
        }
        struct bench bench;
        gap_min = BEATS_HOUR_MIN;
        prepare(&bench, &policy, MOST, 5 * BEATS_HOUR_MIN);
        bench_do(&bench, SERIN_ROLLOUT_START);
        take_until(&bench, SERIN_ROLLOUT_SOAKING);
        const struct serin_member *list = bench.members.list;
        beats.quiet[list[0].device] = beats.quiet[list[1].device] = true;
        take_until(&bench, SERIN_ROLLOUT_AWAITING);
        ck_assert(bench.rollout.held);
        while (windows && !bench.rollout.closed) {
            beats_minutes(&bench, 10);
        }
        if (!windows) {
            bench_do(&bench, SERIN_ROLLOUT_REPORTS_DOWN);
        }
        bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
        if (c / 2 == OTHERS && windows) {
            beats.quiet[list[0].device] = beats.quiet[list[1].device] = false;
            beats_minutes(&bench, 2 * BEATS_HOUR_MIN);
        }
        for (uint32_t i = 2; i < 20 && c / 2 != NONE; i++) {
            beats.quiet[list[i].device] = c / 2 == MORE || i < 4;
        }
        unsigned down_h = c / 2 == NONE ? 1 : 10;
        beats_minutes(&bench, (windows ? 16 : down_h) * BEATS_HOUR_MIN);
        if (!windows) {
            bench_do(&bench, SERIN_ROLLOUT_REPORTS_UP);
            bench_settle(&bench);
            beats_minutes(&bench, c / 2 == NONE ? BEATS_HOUR_MIN : 0);
        }
        bool passes = c / 2 == NONE;
        ck_assert_msg(bench.rollout.stage == (passes ? 2 : 1), "case %u: stage %u, %s", c,
                      bench.rollout.stage, bench.rollout.why);
        ck_assert(passes || (bench.rollout.held && !bench.rollout.approved));
        bench_free(&bench);
    }
}
END_TEST

/* Two fifths are dark each night from 20:00 to 4:00. The last stage opens at eleven at night, when
 * the others were last enough to compare with, and at noon 350 of 1000 die, long before it is
 * soaked. Caught: what others showed in the night expected of the updated for good. */
START_TEST(a_night_excuses_nobody_when_it_is_over)
{
    for (unsigned die = 0; die <= 1; die++) {
        struct serin_policy policy = lost_policy(FIRST);
        policy.stages[1].soak_s = 30 * 3600;
        policy.stages[1].approval = true;
        struct bench bench;
        gap_min = BEATS_HOUR_MIN;
        prepare(&bench, &policy, MOST, 5 * BEATS_HOUR_MIN);
        bench_do(&bench, SERIN_ROLLOUT_START);
        bool died = false;
        for (unsigned at = 5 * 6; at < 80 * 6; at++) { /* ten minutes each */
            unsigned hour = at / 6 % 24;
            bool night = hour >= 20 || hour < 4;
            died = died || (die && at >= 36 * 6);
            for (uint32_t device = 0; device < MOST; device++) {
                beats.quiet[device] = (night && device * 37u % 100u < 40) ||
                                      (died && (device * 53u + 7u) % 100u < 35);
            }
            beats_minutes(&bench, 10);
            take(&bench);
            if (at == 23 * 6) {
                ck_assert_uint_eq(bench.rollout.stage, 1);
                bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
            }
        }
        ck_assert_uint_eq(bench.rollout.stage, 2);
        ck_assert_uint_eq(bench.rollout.tally.confirmed, MOST);
        ck_assert_msg((bench.rollout.state == SERIN_ROLLOUT_COMPLETED) == !die, "%s: %s",
                      serin_rollout_state_text(bench.rollout.state), bench.rollout.why);
        ck_assert(!die || bench.rollout.held);
        bench_free(&bench);
    }
}
END_TEST

/* They die while the clock is a day ahead, and it is set right an hour before the stage is soaked.
 * Caught: words from the future that are words of the moment in which the clock is set right. */
START_TEST(a_clock_that_is_set_right_wakes_nobody)
{
    static const uint32_t fleets[][2] = {{5, 5}, {20, 2}, {MOST, FIRST}};
    for (size_t c = 0; c < 2 * sizeof fleets / sizeof fleets[0]; c++) {
        bool die = c % 2 == 1;
        uint32_t count = fleets[c / 2][0];
        struct serin_policy policy = lost_policy(fleets[c / 2][1]);
        if (count == 5) {
            policy.stage_count = 1;
            policy.stages[0].permyriad = 10000;
            policy.stages[0].count = 0;
        }
        struct bench bench;
        gap_min = BEATS_HOUR_MIN;
        prepare(&bench, &policy, count, 0);
        bench.now_ms += 24 * BEATS_HOUR_MS;
        beats_minutes(&bench, 5 * BEATS_HOUR_MIN);
        bench_do(&bench, SERIN_ROLLOUT_START);
        take_until(&bench, SERIN_ROLLOUT_SOAKING);
        beats_minutes(&bench, BEATS_HOUR_MIN);
        kill_offered(&bench, die);
        for (unsigned i = 0; i < 10; i++) {
            beats_minutes(&bench, BEATS_HOUR_MIN);
            beats_blink(&bench); /* nobody halts, or is silent yet */
        }
        beats_set_back(&bench, 24 * BEATS_HOUR_MS);
        beats_go_on(&bench, 2 * BEATS_HOUR_MIN);
        judge(&bench, die, "set right");
    }
}
END_TEST

/* Reports fail every two hours, and a tenth of all, updated or not, falls silent at once: nobody is
 * ever more than not heard yet, and as many are expected. With a quarter of the updated it is held.
 * Caught: who is not heard yet compared with nobody. */
START_TEST(as_many_as_others_are_not_heard_is_no_loss)
{
    for (unsigned c = 0; c < 2; c++) {
        struct serin_policy policy = lost_policy(FIRST);
        struct bench bench;
        gap_min = BEATS_HOUR_MIN;
        make(&bench, &policy, MOST, 5 * BEATS_HOUR_MIN);
        for (uint32_t i = 0; i < MOST; i++) {
            beats.quiet[bench.members.list[i].device] =
                i % 10 == 0 || (c == 1 && i < FIRST && i % 4 == 0);
        }
        for (unsigned i = 0; i < 12; i++) {
            beats_minutes(&bench, 2 * BEATS_HOUR_MIN - 1);
            if (bench.rollout.stage == 1) {
                beats_blink(&bench);
                beats_minutes(&bench, 1);
            }
        }
        ck_assert_msg(bench.rollout.stage == 2 - c, "%u: %s", c, bench.rollout.why);
        bench_free(&bench);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        two_restarts_after_an_outage_hide_nobody,
        no_rhythm_of_restarts_or_blinks_hides_a_whole_fleet,
        an_approval_passes_on_what_is_known_then,
        who_is_hardly_known_is_not_passed_over,
        a_clock_that_was_set_back_hides_nobody,
        words_from_the_future_are_no_words,
        a_jump_in_a_pause_hides_nobody,
        as_many_as_others_are_lost_is_no_loss,
        as_many_as_others_are_not_heard_is_no_loss,
        who_had_no_time_to_be_heard_is_no_other,
        an_approval_over_a_few_silent_is_of_those_alone,
        a_night_excuses_nobody_when_it_is_over,
        a_clock_that_is_set_right_wakes_nobody,
        NULL,
    };
    return check_run("engine_lost", tests);
}
