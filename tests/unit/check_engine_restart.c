/*
 * What was found before reports stopped passes no stage: after a restart of the caller, which takes
 * a part of the figures away, after an outage of reports and after a pause a comparison comes first
 * (docs/spec/rollout.md, sections 2 and 5). The restart is the store's: what the record of a
 * rollout does not hold is gone.
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_beats.h"

#include <serin/adapters/stored_rollout.h>

#include <string.h>

#define OTHERS 900u
#define MOST   100u

/* A first stage of so many, which soaks for twelve hours. */
static struct serin_policy restart_policy(uint32_t updated)
{
    return beats_policy(updated, 12, 1000, MOST + 1);
}

/* A window each day: the first ten hours of the bench. */
static void open_at_first(struct serin_policy *policy)
{
    uint32_t begins_min = (uint32_t)(BENCH_START_MS / BEATS_MINUTE_MS % 1440u);
    policy->window_count = 1;
    policy->windows[0] = (struct serin_window){
        .days = 127,
        .from_min = (uint16_t)begins_min,
        .until_min = (uint16_t)((begins_min + 600u) % 1440u),
    };
}

/* A fleet that was heard for five hours, and whose first ones have just confirmed. */
static void make(struct bench *bench, const struct serin_policy *policy)
{
    beats_make(bench, policy, MOST + OTHERS, BEATS_HOUR_MIN);
    beats_hours(bench, 5);
    beats_start(bench);
}

static void silence(const struct bench *bench, bool silent)
{
    beats_silence(bench, 0, bench->rollout.tally.offered, silent);
}

/* Reports are down afterwards. */
static void restart(struct bench *bench)
{
    ck_assert_int_eq(serin_stored_rollout(&bench->rollout), SERIN_OK);
    ck_assert(!bench->rollout.reports_up);
    serin_rollout_rebuild(&bench->rollout, &bench->members);
}

/* What may come while reports are down: minutes, and a word that came before. */
static void lie_down(struct bench *bench, unsigned minutes)
{
    for (unsigned i = 0; i < minutes; i++) {
        bench->now_ms += BEATS_MINUTE_MS;
        bench_do(bench, SERIN_ROLLOUT_TICK);
    }
    uint32_t last = bench->members.count - 1u;
    (void)bench_member(bench, last, SERIN_STATE_DOWNLOADING, SERIN_REASON_NONE);
}

/* All that were updated are dead, and their stage is held for it. Caught: a stage that is concluded
 * before a comparison was made, with what a restart leaves of the last one; or while reports are
 * down. */
START_TEST(no_restart_passes_a_stage_of_the_dead)
{
    static const struct {
        uint32_t updated;
        unsigned between_min, down_min;
    } cases[] = {{10, 60, 0}, {10, 1, 1}, {10, 170, 5}, {1, 60, 1}, {MOST, 60, 1}, {MOST, 0, 0}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct serin_policy policy = restart_policy(cases[c].updated);
        struct bench bench;
        make(&bench, &policy);
        beats_hours(&bench, 2);
        silence(&bench, true);
        beats_hours(&bench, 24);
        ck_state(&bench, "awaiting");
        ck_assert_msg(bench_said(&bench, "fell silent"), "%s", bench.rollout.why);
        for (unsigned i = 0; i < 3; i++) {
            restart(&bench);
            lie_down(&bench, cases[c].down_min);
            ck_assert_uint_eq(bench.rollout.stage, 1);
            bench_do(&bench, SERIN_ROLLOUT_REPORTS_UP);
            bench_settle(&bench);
            for (unsigned minute = 0; minute < cases[c].between_min; minute += 10) {
                bench_pass(&bench, 10 * BEATS_MINUTE_MS);
                beats_all(&bench);
            }
            ck_assert_msg(bench.rollout.stage == 1, "%zu: stage 2 after restart %u", c, i);
            ck_state(&bench, "awaiting");
        }
        beats_hours(&bench, 5);
        ck_state(&bench, "awaiting");
        ck_assert_uint_eq(bench.rollout.comparison.ever_silent, cases[c].updated);
        silence(&bench, false); /* they were repaired */
        beats_hours(&bench, 2);
        ck_state(&bench, "rolling");
        ck_assert_uint_eq(bench.rollout.stage, 2);
        bench_free(&bench);
    }
}
END_TEST

/* The soak is over outside of the windows, reports stop, and a window opens while they are down,
 * with a restart and without. Caught: a stage that passes on what was found before the outage. */
START_TEST(no_window_passes_a_stage_while_reports_are_down)
{
    for (unsigned restarts = 0; restarts <= 1; restarts++) {
        struct serin_policy policy = restart_policy(10);
        struct bench bench;
        open_at_first(&policy);
        make(&bench, &policy);
        beats_hours(&bench, 16);
        ck_state(&bench, "soaking");
        ck_assert(bench_said(&bench, "the stage is soaked: goes on when the window opens"));
        bench_do(&bench, SERIN_ROLLOUT_REPORTS_DOWN);
        silence(&bench, true);
        if (restarts == 1) {
            restart(&bench);
        }
        lie_down(&bench, 5 * 60); /* it opens in the third hour */
        ck_state(&bench, "soaking");
        ck_assert(!bench.rollout.closed);
        ck_assert_str_eq(bench.rollout.why, "the stage is soaked: goes on when reports arrive");
        bench_do(&bench, SERIN_ROLLOUT_REPORTS_UP);
        bench_settle(&bench);
        ck_state(&bench, "awaiting");
        ck_assert(bench_said(&bench, "10 of 10 updated were not heard yet"));
        bench_free(&bench);
    }
}
END_TEST

/* A stage that is approved waits for its window, is paused, and all that were updated die
 * meanwhile. Caught: a stage that passes on what was found before the pause. */
START_TEST(no_pause_passes_a_stage_of_the_dead)
{
    for (unsigned die = 0; die <= 1; die++) {
        struct serin_policy policy = restart_policy(10);
        struct bench bench;
        policy.stages[1].approval = true;
        open_at_first(&policy);
        make(&bench, &policy);
        beats_hours(&bench, 13);
        ck_state(&bench, "awaiting");
        bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
        ck_assert(bench.rollout.approved);
        bench_do(&bench, SERIN_ROLLOUT_PAUSE);
        silence(&bench, die == 1);
        for (unsigned i = 0; i < 9; i++) {
            bench.now_ms += BEATS_HOUR_MS;
            beats_all(&bench);
        }
        bench_do(&bench, SERIN_ROLLOUT_RESUME);
        bench_settle(&bench);
        ck_assert_uint_eq(bench.rollout.stage, die == 1 ? 1 : 2);
        ck_assert_msg(bench.rollout.held == (die == 1), "%s", bench.rollout.why);
        bench_free(&bench);
    }
}
END_TEST

/* Nobody is hurt: whatever waited goes on when reports are up, whether comparisons are asked for or
 * not. Caught: a comparison that is waited for and never due. */
START_TEST(who_is_well_goes_on_after_a_restart)
{
    enum { ASKED, NOT_ASKED, NO_HEALTH, HELD_BEFORE, APPROVED, EMERGENCY, CASES };
    for (unsigned c = 0; c < CASES; c++) {
        struct serin_policy policy = restart_policy(10);
        struct bench bench;
        policy.stages[1].approval = c == APPROVED;
        policy.gates[SERIN_GATE_SILENCE].max_permyriad = c == NOT_ASKED ? 10000 : 1000;
        policy.emergency = c == EMERGENCY;
        if (c == EMERGENCY) { /* its stages do not soak */
            policy.stages[1].approval = true;
            beats_make(&bench, &policy, MOST + OTHERS, BEATS_HOUR_MIN);
            bench_do(&bench, SERIN_ROLLOUT_START);
            bench_confirm_offered(&bench);
            ck_state(&bench, "awaiting");
        } else {
            make(&bench, &policy);
            bench.members.health = c == NO_HEALTH ? NULL : beats.health;
            if (c == HELD_BEFORE) {
                silence(&bench, true);
            }
            beats_hours(&bench, c == HELD_BEFORE || c == APPROVED ? 13 : 11);
        }
        ck_assert_uint_eq(bench.rollout.stage, 1);
        silence(&bench, false);
        restart(&bench);
        if (c == APPROVED || c == EMERGENCY) {
            bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
            ck_state(&bench, "awaiting");
            ck_assert_str_eq(bench.rollout.why,
                             "the stage is approved: goes on when reports arrive");
        }
        bench.now_ms += BEATS_MINUTE_MS;
        bench_do(&bench, SERIN_ROLLOUT_REPORTS_UP);
        beats_all(&bench);
        beats_hours(&bench, 2);
        ck_assert_msg(bench.rollout.stage == 2, "%u: %s, %s", c,
                      serin_rollout_state_text(bench.rollout.state), bench.rollout.why);
        bench_free(&bench);
    }
}
END_TEST

/* Reports that come and go ten times a second have the fleet compared once a second, and no more,
 * where a stage waits for it; else no more than ever. One that was made with REPORTS_UP is followed
 * by another soon. Caught: a comparison with each REPORTS_UP; a quarter of an hour until the next.
 */
START_TEST(reports_that_blink_compare_once_a_second)
{
    for (unsigned waits = 0; waits <= 1; waits++) {
        struct serin_policy policy = restart_policy(10);
        struct bench bench;
        unsigned compared = 0;
        make(&bench, &policy);
        silence(&bench, waits == 1);
        beats_hours(&bench, waits == 1 ? 13 : 1);
        ck_state(&bench, waits == 1 ? "awaiting" : "soaking");
        for (unsigned i = 0; i < 100; i++) {
            uint64_t at_ms = bench.rollout.comparison.at_ms;
            bench.now_ms += 100;
            bench_do(&bench, SERIN_ROLLOUT_REPORTS_DOWN);
            bench_do(&bench, SERIN_ROLLOUT_REPORTS_UP);
            bench_settle(&bench);
            compared += bench.rollout.comparison.at_ms != at_ms ? 1 : 0;
        }
        ck_assert_uint_ge(compared, waits == 1 ? 9 : 0);
        ck_assert_uint_le(compared, waits == 1 ? 11 : 1);
        bench_pass(&bench, 2 * BEATS_MINUTE_MS);
        bool later = bench.rollout.comparison.at_ms > bench.rollout.heard_from_ms;
        ck_assert(later || waits == 0);
        bench_free(&bench);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        no_restart_passes_a_stage_of_the_dead,    no_window_passes_a_stage_while_reports_are_down,
        no_pause_passes_a_stage_of_the_dead,      who_is_well_goes_on_after_a_restart,
        reports_that_blink_compare_once_a_second, NULL,
    };
    return check_run("engine_restart", tests);
}
