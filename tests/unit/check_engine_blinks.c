/*
 * Reports that blink, and a clock that is set back, in a network that is dark: the others' silence
 * stays known, and beats that come while reports are down make none (docs/spec/rollout.md, section
 * 11). Every device beats once an hour, each in its own minute.
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <serin/adapters/stored_rollout.h>

#include <string.h>

#define HOUR_S    3600u
#define HOUR_MIN  60u
#define MINUTE_MS UINT64_C(60000)
#define FIRST     100u
#define OTHERS    900u
#define DARK      180u /* of the others: a fifth */
#define CUT_OFF   15u  /* of the first, with them */

static struct serin_health health[FIRST + OTHERS]; /* by device */
static bool quiet[FIRST + OTHERS];
static bool restarts; /* reports are down because the caller is: what is not stored is gone */

/* When reports are down: for `for_min`, every `every_min`. */
struct blink {
    unsigned from_min, every_min, for_min;
};

static bool is_down(const struct blink *blink, unsigned minute)
{
    return blink != NULL && minute >= blink->from_min &&
           (minute - blink->from_min) % blink->every_min < blink->for_min;
}

/* The caller is away for a minute, and loads what it stored. */
static void be_away(struct bench *bench)
{
    bench->now_ms += MINUTE_MS;
    ck_assert_int_eq(serin_stored_rollout(&bench->rollout), SERIN_OK);
    serin_rollout_rebuild(&bench->rollout, &bench->members);
    for (uint32_t device = 0; device < FIRST + OTHERS; device++) {
        serin_health_resume(&health[device], bench->now_ms / 1000 - 60, bench->now_ms / 1000);
    }
    bench_do(bench, SERIN_ROLLOUT_REPORTS_UP);
    bench_settle(bench);
}

/* Minutes pass. What is said while reports are down is lost. */
static void pass(struct bench *bench, const struct blink *blink, unsigned from_min, unsigned count)
{
    for (unsigned minute = from_min; minute < from_min + count; minute++) {
        bool down = is_down(blink, minute);
        if (down && restarts) {
            be_away(bench);
            continue;
        }
        if (down == bench->rollout.reports_up) {
            bench_do(bench, down ? SERIN_ROLLOUT_REPORTS_DOWN : SERIN_ROLLOUT_REPORTS_UP);
        }
        for (uint32_t device = minute % HOUR_MIN; device < FIRST + OTHERS && !down;
             device += HOUR_MIN) {
            const struct serin_health_beat said = {
                .interval_s = HOUR_S, .uptime_s = (bench->now_ms - BENCH_START_MS) / 1000 + 864000};
            if (!quiet[device]) {
                serin_health_beat(&health[device], bench->now_ms / 1000, &said,
                                  bench->rollout.state != SERIN_ROLLOUT_CREATED);
            }
        }
        bench_pass(bench, MINUTE_MS);
    }
}

static void darken(const struct bench *bench, bool dark)
{
    for (uint32_t i = 0; i < FIRST + DARK; i++) {
        quiet[bench->members.list[i].device] = dark && (i < CUT_OFF || i >= FIRST);
    }
}

/* A hundred, and then everyone, both at once; soaks of four hours; 0.5 % against 2 %, and a day for
 * each. All of the first stage but `at_it` confirm at once. */
static void make(struct bench *bench, uint32_t at_it)
{
    struct serin_policy policy = bench_staged_policy(FIRST);
    policy.stages[0].soak_s = policy.stages[1].soak_s = 4 * HOUR_S;
    policy.gates[SERIN_GATE_SILENCE] =
        (struct serin_gate_policy){.max_permyriad = 9000, .minimum = 30};
    policy.patience_s = policy.deadline_s = 24 * HOUR_S;
    memset(health, 0, sizeof health);
    memset(quiet, 0, sizeof quiet);
    bench_make(bench, &policy, FIRST + OTHERS, 1);
    bench->check = false; /* it knows of no comparison */
    bench->members.health = health;
    pass(bench, NULL, 0, 5 * HOUR_MIN);
    bench_do(bench, SERIN_ROLLOUT_START);
    for (uint32_t i = 0; i < FIRST; i++) {
        bench_set(bench, i, i < at_it ? SERIN_STATE_PENDING : SERIN_STATE_CONFIRMED);
    }
}

/* Dark for 30 hours, in which reports are down for a minute more often than every four hours: the
 * devices of the stage that are cut off are excused, and it passes. Caught: a silence that each
 * outage begins anew; darkness that begins with the last outage; outages that a restart forgets. */
START_TEST(blinks_hide_no_darkness)
{
    static const struct blink blinks[] = {
        {0, 10000, 0}, {7, 60, 1}, {14, 120, 1}, {59, 180, 2}, {30, 210, 1}, {0, 20, 1}, {7, 60, 6},
    };
    for (size_t c = 0; c < 2 * sizeof blinks / sizeof blinks[0]; c++) {
        size_t b = c / 2;
        restarts = c % 2 == 1;
        struct bench bench;
        make(&bench, CUT_OFF);
        uint32_t dusk_s = (uint32_t)(bench.rollout.watch_ms / 1000);
        darken(&bench, true);
        pass(&bench, &blinks[b], 0, 23 * HOUR_MIN);
        ck_assert_msg(bench.rollout.spell_count == 1, "%zu: no spell", c);
        ck_assert_uint_le(bench.rollout.spells[0].from_s, dusk_s + 2 * HOUR_S);
        pass(&bench, &blinks[b], 23 * HOUR_MIN, 7 * HOUR_MIN);
        darken(&bench, false);
        ck_assert_uint_eq(bench.rollout.reasons[SERIN_REASON_DEADLINE], CUT_OFF);
        pass(&bench, &blinks[b], 30 * HOUR_MIN, 8 * HOUR_MIN);
        restarts = false;
        ck_assert_msg(bench.rollout.stage == 2, "%zu: %s: %s", c,
                      serin_rollout_state_text(bench.rollout.state), bench.rollout.why);
        bench_free(&bench);
    }
}
END_TEST

/* Nobody is dark, but one in sixty and more beats just when reports are down, each hour anew: they
 * are not heard for a day, and darken nothing; a release that hangs is halted. Caught: all of whom
 * nothing was heard taken for silent. */
START_TEST(beats_that_are_lost_are_no_darkness)
{
    static const struct blink blinks[] = {{7, 60, 1}, {7, 60, 6}, {7, 30, 3}, {7, 20, 2}};
    for (size_t c = 0; c < 2 * sizeof blinks / sizeof blinks[0]; c++) {
        size_t b = c / 2;
        restarts = c % 2 == 1;
        struct bench bench;
        make(&bench, 10);
        pass(&bench, &blinks[b], 0, 28 * HOUR_MIN);
        restarts = false;
        ck_assert_msg(bench.rollout.spell_count == 0, "%zu: a spell", c);
        ck_assert_uint_eq(bench.rollout.reasons[SERIN_REASON_DEADLINE], 10);
        ck_state(&bench, "halted");
        bench_free(&bench);
    }
}
END_TEST

/* One outage of five hours in a dark day, with beats that are lost, and blinks around it. Caught: a
 * long outage that hides the darkness before and behind it. */
START_TEST(a_long_outage_hides_no_darkness)
{
    static const struct blink hourly = {7, 60, 1};
    static const struct blink outage = {10 * HOUR_MIN, 100000, 5 * HOUR_MIN};
    struct bench bench;
    make(&bench, CUT_OFF);
    darken(&bench, true);
    pass(&bench, &hourly, 0, 10 * HOUR_MIN);
    pass(&bench, &outage, 10 * HOUR_MIN, 5 * HOUR_MIN);
    pass(&bench, &hourly, 15 * HOUR_MIN, 17 * HOUR_MIN);
    darken(&bench, false);
    pass(&bench, &hourly, 32 * HOUR_MIN, 8 * HOUR_MIN);
    ck_assert_uint_eq(bench.rollout.reasons[SERIN_REASON_DEADLINE], CUT_OFF);
    ck_assert_msg(bench.rollout.stage == 2, "%s: %s", serin_rollout_state_text(bench.rollout.state),
                  bench.rollout.why);
    bench_free(&bench);
}
END_TEST

/* The clock is set back in the middle of a dark day: who was silent before is so still, and the
 * stage passes. A release that hangs in a fleet that is well is none the better for it. Caught: all
 * marks dropped with the first that is yet to come; a mark of the future kept. */
START_TEST(a_clock_that_is_set_back_forgets_no_silence)
{
    static const uint64_t back_min[] = {1, 10, 60, 120, 480, 10000};
    for (size_t b = 0; b < sizeof back_min / sizeof back_min[0]; b++) {
        for (unsigned hangs = 0; hangs <= 1; hangs++) {
            struct bench bench;
            make(&bench, hangs == 1 ? 10 : CUT_OFF);
            darken(&bench, hangs == 0);
            pass(&bench, NULL, 0, 15 * HOUR_MIN);
            bench.now_ms -= back_min[b] * MINUTE_MS;
            pass(&bench, NULL, 15 * HOUR_MIN, 13 * HOUR_MIN);
            for (uint32_t i = 0; i < bench.rollout.mark_count; i++) {
                ck_assert_uint_le(bench.rollout.marks[i].at_s, bench.now_ms / 1000);
                ck_assert(i == 0 || bench.rollout.marks[i].at_s >= bench.rollout.marks[i - 1].at_s);
            }
            pass(&bench, NULL, 28 * HOUR_MIN, 2 * HOUR_MIN);
            darken(&bench, false);
            pass(&bench, NULL, 30 * HOUR_MIN, 8 * HOUR_MIN);
            ck_assert_uint_eq(bench.rollout.reasons[SERIN_REASON_DEADLINE],
                              hangs == 1 ? 10 : CUT_OFF);
            /* Of before a step back by more than all that is known there is nothing to go by. */
            bool passes = hangs == 0 && back_min[b] < 10000;
            ck_assert_msg((bench.rollout.stage == 2) == passes, "%u min, %u: %s: %s",
                          (unsigned)back_min[b], hangs,
                          serin_rollout_state_text(bench.rollout.state), bench.rollout.why);
            bench_free(&bench);
        }
    }
}
END_TEST

/* The clock is set back, and a little later it is dark: whenever that is, darkness begins no
 * earlier than its devices were heard. Caught: a clock that goes on from the last mark as if it had
 * not been set back. */
START_TEST(no_darkness_begins_early_where_the_clock_was_set_back)
{
    for (unsigned quarter = 0; quarter < 8; quarter++) {
        struct bench bench;
        make(&bench, CUT_OFF);
        pass(&bench, NULL, 0, 6 * HOUR_MIN + quarter * 15);
        bench.now_ms -= 55 * MINUTE_MS;
        pass(&bench, NULL, 0, HOUR_MIN);
        uint32_t dusk_s = (uint32_t)(bench.rollout.watch_ms / 1000);
        darken(&bench, true);
        pass(&bench, NULL, HOUR_MIN, 6 * HOUR_MIN);
        ck_assert_uint_eq(bench.rollout.spell_count, 1);
        ck_assert_uint_ge(bench.rollout.spells[0].from_s, dusk_s - HOUR_S);
        ck_assert_uint_le(bench.rollout.spells[0].from_s, dusk_s);
        bench_free(&bench);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        blinks_hide_no_darkness,
        beats_that_are_lost_are_no_darkness,
        a_long_outage_hides_no_darkness,
        a_clock_that_is_set_back_forgets_no_silence,
        no_darkness_begins_early_where_the_clock_was_set_back,
        NULL,
    };
    return check_run("engine_blinks", tests);
}
