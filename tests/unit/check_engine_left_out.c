/*
 * Time-outs that the network excuses are no gate's: they are left out of what has failed and of
 * what has resolved, and said apart (docs/spec/rollout.md, section 5).
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FLEET   1000u
#define OFFERED 300u
#define HANGING 20u
#define DARK    450u /* those of rank OFFERED to before it are dark, too */
#define HOUR_MS UINT64_C(3600000)

static struct serin_health health[FLEET];  /* by device */
static uint32_t hanging = HANGING, behind; /* so many hang, and so many of them behind a gateway */

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

static struct serin_policy night_policy(void)
{
    struct serin_policy policy = bench_staged_policy(OFFERED);
    policy.stages[0].soak_s = 96 * 3600;
    policy.deadline_s = 12 * 3600;
    policy.patience_s = 48 * 3600;
    policy.gates[SERIN_GATE_SILENCE] =
        (struct serin_gate_policy){.max_permyriad = 5000, .minimum = 30};
    return policy;
}

/* All that are offered it confirm, but for some that are under way when a night begins in which
 * others are dark as well: they time out, and the night is over. */
static void make_night(struct bench *bench, const struct serin_policy *policy)
{
    memset(health, 0, sizeof health);
    bench_make(bench, policy, FLEET, 1);
    bench->check = false; /* fleets of hundreds, recounted for every device, take long */
    bench->members.health = health;
    hours(bench, 5, 0, 0);
    bench_do(bench, SERIN_ROLLOUT_START);
    for (uint32_t i = 0; i < OFFERED; i++) {
        bool hangs = i >= OFFERED - hanging;
        bench_behind(bench, i, hangs && i < OFFERED - hanging + behind ? 1 : 0);
        bench_set(bench, i, hangs ? SERIN_STATE_PENDING : SERIN_STATE_CONFIRMED);
    }
    hours(bench, 20, OFFERED - hanging, DARK);
    hours(bench, 8, OFFERED - hanging, OFFERED);
}

static void regress(struct bench *bench, uint32_t from, uint32_t end)
{
    for (uint32_t i = from; i < end && bench->rollout.state == SERIN_ROLLOUT_SOAKING; i++) {
        bench_set(bench, i, SERIN_STATE_REGRESSED);
    }
}

/* 20 of 300 are above 2 %, and 6 of the other 280, too. Caught: time-outs counted whatever excuses
 * them; left out of what failed only, so that 6 of 300 were at the limit. */
START_TEST(the_gate_on_failures_leaves_them_out)
{
    struct serin_policy policy = night_policy();
    policy.gates[SERIN_GATE_FAILURES] =
        (struct serin_gate_policy){.max_permyriad = 200, .minimum = 30};
    struct bench bench;
    make_night(&bench, &policy);
    ck_assert_msg(bench.rollout.state == SERIN_ROLLOUT_SOAKING, "%s", bench.rollout.why);
    regress(&bench, 0, 5);
    ck_assert_msg(bench.rollout.state == SERIN_ROLLOUT_SOAKING, "%s", bench.rollout.why);
    regress(&bench, 100, 101);
    ck_state(&bench, "halted");
    ck_assert_str_eq(bench.rollout.why,
                     "halted: 6 of 280 resolved failed, and 20 silent with the network (limit "
                     "2.00 %, minimum 30): none");
    bench_free(&bench);
}
END_TEST

/* What holds of a restart, too: the figures follow from the members. Caught: a figure that a
 * rebuild adds to what was. */
START_TEST(a_rebuild_leaves_out_the_same)
{
    struct serin_policy policy = night_policy();
    struct bench bench;
    make_night(&bench, &policy);
    ck_assert_uint_eq(bench.rollout.tally.failed, HANGING);
    ck_assert_uint_eq(bench.rollout.evidence.excused, HANGING);
    serin_rollout_rebuild(&bench.rollout, &bench.members);
    ck_assert_uint_eq(bench.rollout.evidence.excused, HANGING);
    bench_free(&bench);
}
END_TEST

/* Caught: the gate of the one reason that time-outs have asked of all of them. */
START_TEST(the_gate_on_their_reason_leaves_them_out)
{
    struct serin_policy policy = night_policy();
    policy.reason_count = 1;
    policy.reasons[0].reason = SERIN_REASON_DEADLINE;
    policy.reasons[0].gate = (struct serin_gate_policy){.max_permyriad = 200, .minimum = 30};
    struct bench bench;
    make_night(&bench, &policy);
    ck_assert_msg(bench.rollout.state == SERIN_ROLLOUT_SOAKING, "%s", bench.rollout.why);
    bench_free(&bench);
}
END_TEST

/* Those that failed are all behind one gateway, and those that the network excuses are anywhere.
 * Caught: these taken for failures elsewhere, which halt it. */
START_TEST(they_are_no_failures_elsewhere)
{
    struct serin_policy policy = night_policy();
    policy.gates[SERIN_GATE_FAILURES] =
        (struct serin_gate_policy){.max_permyriad = 200, .minimum = 30};
    struct bench bench;
    make_night(&bench, &policy);
    for (uint32_t i = 0; i < 40; i++) {
        bench_behind(&bench, i, 1);
    }
    regress(&bench, 0, 6);
    ck_state(&bench, "paused");
    ck_assert_str_eq(bench.rollout.why, "6 of 6 failures are behind gateway gw-1, 0 of 240 "
                                        "elsewhere: paused, the image is not blamed");
    bench_free(&bench);
}
END_TEST

/* ---- no more than the network explains ---- */

/* Caught: all of them left out; none; a bound that is not that of the document, or of those that
 * are counted and not of all that resolved. */
START_TEST(no_more_are_left_out_than_the_network_explains)
{
    struct serin_policy policy = night_policy();
    struct bench bench;
    bench_start(&bench, &policy, FLEET);
    struct serin_rollout *rollout = &bench.rollout;
    rollout->watch_ms = 1000 * UINT64_C(90000);
    rollout->spell_count = 1;
    rollout->spells[0] =
        (struct serin_spell){.from_s = 20000, .until_s = 60000, .settled_s = 60000};
    for (uint32_t permyriad = 1; permyriad <= 10000; permyriad = permyriad * 3 + 1) {
        rollout->silenced_permyriad = permyriad;
        for (uint32_t count = 0; count <= OFFERED; count += count < 40 ? 1 : 20) {
            for (uint32_t i = 0; i < OFFERED; i++) {
                struct serin_member *member = &bench.members.list[i];
                member->state = i < count ? SERIN_STATE_TIMED_OUT : SERIN_STATE_CONFIRMED;
                member->reason = i < count ? SERIN_REASON_DEADLINE : SERIN_REASON_NONE;
                member->watch_s = 60000;
            }
            serin_rollout_rebuild(rollout, &bench.members);
            ck_assert_uint_eq(rollout->evidence.excused, count);
            double most = pow(sqrt(permyriad / 10000.0 * OFFERED + 0.375) + 1, 2);
            uint32_t want = count < most ? count : (uint32_t)most;
            ck_assert_uint_eq(serin_rollout_left_out(rollout), want);
        }
    }
    bench_free(&bench);
}
END_TEST

/* 120 of 300 hang, where 150 of 700 others are dark. Caught: all of them left out, so that none
 * of 180 had failed, and the stage went on to its hold. */
START_TEST(an_image_that_hangs_halts_in_the_dark_as_well)
{
    struct serin_policy policy = night_policy();
    policy.gates[SERIN_GATE_FAILURES] =
        (struct serin_gate_policy){.max_permyriad = 200, .minimum = 30};
    struct bench bench;
    hanging = 120;
    make_night(&bench, &policy);
    hanging = HANGING;
    ck_state(&bench, "halted");
    static const char silent[] = " resolved failed, and ";
    char *end = bench.rollout.why + strlen("halted: ");
    unsigned long failed = strtoul(end, &end, 10);
    unsigned long resolved = strtoul(end + strlen(" of "), &end, 10);
    ck_assert_msg(strncmp(end, silent, sizeof silent - 1) == 0, "%s", bench.rollout.why);
    unsigned long left_out = strtoul(end + sizeof silent - 1, &end, 10);
    ck_assert_uint_le(failed + left_out, 120);
    ck_assert_uint_gt(failed, 0);
    double q = bench.rollout.silenced_permyriad / 10000.0;
    ck_assert_uint_eq(left_out,
                      (uint32_t)pow(sqrt(q * (double)(resolved + left_out) + 0.375) + 1, 2));
    ck_assert_ptr_nonnull(strstr(bench.rollout.why, "deadline"));
    bench_free(&bench);
}
END_TEST

/* The same behind one gateway, and a few elsewhere, which the network explains. Caught: those
 * elsewhere taken for failures; the ones behind it for excused, so that nobody had failed. */
START_TEST(a_gateway_that_is_down_in_the_dark_pauses)
{
    struct serin_policy policy = night_policy();
    policy.gates[SERIN_GATE_FAILURES] =
        (struct serin_gate_policy){.max_permyriad = 200, .minimum = 30};
    struct bench bench;
    hanging = 120;
    behind = 110;
    make_night(&bench, &policy);
    hanging = HANGING;
    behind = 0;
    ck_state(&bench, "paused");
    ck_assert_msg(strstr(bench.rollout.why, "failures are behind gateway gw-1, 0 of ") != NULL,
                  "%s", bench.rollout.why);
    bench_free(&bench);
}
END_TEST

/* ---- what people read ---- */

/* The first `count` time out after a time in which one of a hundred others was dark; `failed` more
 * fail, and the rest are well. */
static void make_words(struct bench *bench, const struct serin_policy *policy, uint32_t fleet,
                       uint32_t count, uint32_t failed)
{
    bench_start(bench, policy, fleet);
    bench->check = false; /* it has no silence in its statistic */
    bench->rollout.silenced_permyriad = bench->rollout.silenced_stage_permyriad = 100;
    bench->rollout.spell_count = 1;
    bench->rollout.spells[0] = (struct serin_spell){.until_s = 700, .settled_s = 700};
    for (uint32_t i = 0; i < count + failed; i++) {
        if (i < count) {
            bench_set(bench, i, SERIN_STATE_PENDING);
        } else {
            bench_fail(bench, i);
        }
    }
    bench_pass(bench, 1300000);
    ck_assert_uint_eq(bench->rollout.evidence.excused, count);
}

/* All that failed are left out. Caught: "2 of 2 resolved failed", and for no reason. */
START_TEST(a_halt_by_the_test_says_what_it_left_out)
{
    struct serin_policy policy = bench_tested_policy();
    policy.test.accepted_permyriad = 1;
    policy.test.rejected_permyriad = 5000;
    struct bench bench;
    make_words(&bench, &policy, 400, 2, 0);
    ck_state(&bench, "halted");
    ck_assert_str_eq(bench.rollout.why,
                     "halted: 0 of 0 resolved failed, and 2 silent with the network (test: 50.00 % "
                     "rather than 0.01 %, chances 1000000 to 1, limit 100): deadline");
    bench_free(&bench);
}
END_TEST

/* Caught: two failures where one device failed, in both lines; a text that is cut. */
START_TEST(a_stage_says_apart_what_was_silent)
{
    struct serin_policy policy = bench_tested_policy();
    struct bench bench;
    make_words(&bench, &policy, 50, 1, 1);
    for (uint32_t i = 2; i < 50; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    bench_pass(&bench, BENCH_SOAK_MS);
    ck_state(&bench, "awaiting");
    ck_assert_str_eq(bench.rollout.why,
                     "held: 50 resolved, 1 failed, 1 silent: undecided between 0.50 % and 2.00 %, "
                     "the stage is small; 'serin rollout advance' goes on without proof");
    bench_free(&bench);

    make_words(&bench, &policy, 500, 1, 0);
    bool said = false;
    for (uint32_t i = 1; i < 500; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        said |= bench_said(&bench, " well, 0 failed, 1 silent: below 2.00 %");
    }
    ck_assert(said);
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_gate_on_failures_leaves_them_out,
        a_rebuild_leaves_out_the_same,
        the_gate_on_their_reason_leaves_them_out,
        they_are_no_failures_elsewhere,
        no_more_are_left_out_than_the_network_explains,
        an_image_that_hangs_halts_in_the_dark_as_well,
        a_gateway_that_is_down_in_the_dark_pauses,
        a_halt_by_the_test_says_what_it_left_out,
        a_stage_says_apart_what_was_silent,
        NULL,
    };
    return check_run("engine_left_out", tests);
}
