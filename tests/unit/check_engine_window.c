/* When devices may start: the start time and the windows (docs/spec/rollout.md, section 4).
 *
 * Each test names the mutation of the engine that it was seen to catch. */
#include "check_main.h"
#include "engine_bench.h"

#define MINUTE_MS UINT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

/* BENCH_START_MS is a Friday, 08:00:00 UTC. */
#define FRIDAY 4u

static struct serin_window window(unsigned day, unsigned from_min, unsigned until_min)
{
    return (struct serin_window){.days = (uint8_t)(1u << day & 0x7Fu),
                                 .from_min = (uint16_t)from_min,
                                 .until_min = (uint16_t)until_min};
}

static struct serin_policy windowed(struct serin_window one)
{
    struct serin_policy policy = bench_policy();
    policy.windows[0] = one;
    policy.window_count = 1;
    return policy;
}

static enum serin_candidate_state shown(const struct bench *bench)
{
    struct serin_directive directive;
    serin_rollout_candidate(&bench->rollout, &directive);
    return directive.candidate_state;
}

/* Caught: the start time ignored; a TICK that is due too late. */
START_TEST(nothing_opens_before_the_start_time)
{
    struct serin_policy policy = bench_policy();
    policy.start_s = (BENCH_START_MS + 90 * MINUTE_MS) / 1000;
    struct bench bench;
    bench_make(&bench, &policy, 100, 1);
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_state(&bench, "awaiting");
    bench_pass(&bench, 90 * MINUTE_MS - 1);
    ck_state(&bench, "awaiting");
    ck_assert_uint_eq(bench.publishes, 0);
    ck_assert_uint_eq(serin_rollout_deadline_ms(&bench.rollout, &bench.members), bench.now_ms + 1);
    bench_pass(&bench, 1);
    ck_state(&bench, "rolling");
    ck_assert_uint_eq(bench.publishes, 1);
    bench_free(&bench);
}
END_TEST

/* Every minute of a week, against a plain recount. Caught: a day that is off by one; a window over
 * midnight that belongs to the day on which it ends; an end that is part of it. */
START_TEST(windows_open_by_the_minute)
{
    static const struct {
        unsigned days, from, until;
    } cases[] = {{1u << FRIDAY, 480, 600}, {127, 1320, 60},    {1, 0, 1440},
                 {0x60, 1380, 1439},       {1u << 6, 1439, 1}, {0x1F, 60, 300}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct serin_policy policy = bench_policy();
        policy.window_count = 1;
        policy.windows[0] = (struct serin_window){.days = (uint8_t)cases[c].days,
                                                  .from_min = (uint16_t)cases[c].from,
                                                  .until_min = (uint16_t)cases[c].until};
        struct bench bench;
        bench_make(&bench, &policy, 20, 2);
        bench_do(&bench, SERIN_ROLLOUT_START);
        /* Minutes of the week in which it is open, written down one by one. */
        static bool open[7 * 1440];
        for (unsigned i = 0; i < 7 * 1440; i++) {
            open[i] = false;
        }
        for (unsigned day = 0; day < 7; day++) {
            unsigned until = cases[c].until + (cases[c].until < cases[c].from ? 1440 : 0);
            for (unsigned m = cases[c].from; (cases[c].days >> day & 1) != 0 && m < until; m++) {
                open[(day * 1440 + m) % (7 * 1440)] = true;
            }
        }
        for (unsigned i = 0; i < 8 * 1440; i++) {
            unsigned minute = (FRIDAY * 1440 + 480 + i) % (7 * 1440);
            bench.now_ms = BENCH_START_MS + i * MINUTE_MS + (i % 3) * UINT64_C(29999);
            bench_do(&bench, SERIN_ROLLOUT_TICK);
            ck_assert_msg(bench.rollout.closed != open[minute], "case %zu, minute %u", c, minute);
        }
        bench_free(&bench);
    }
}
END_TEST

/* Caught: no PUBLISH at an edge, or several; watch and patience that run on; a step that opens. */
START_TEST(outside_of_a_window_nobody_starts_and_nobody_is_late)
{
    struct serin_policy policy = windowed(window(FRIDAY, 420, 485)); /* until five past eight */
    policy.stages[0].permyriad = 500;
    struct bench bench;
    bench_make(&bench, &policy, 100, 3);
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_state(&bench, "rolling");
    ck_assert_int_eq(shown(&bench), SERIN_CANDIDATE_ROLLING);
    bench_set(&bench, 0, SERIN_STATE_DOWNLOADING);
    bench_settle(&bench);
    ck_assert_uint_eq(serin_rollout_deadline_ms(&bench.rollout, &bench.members),
                      BENCH_START_MS + 5 * MINUTE_MS);
    bench_pass(&bench, 5 * MINUTE_MS);
    ck_assert_int_eq(shown(&bench), SERIN_CANDIDATE_PAUSED);
    ck_assert_uint_eq(bench.publishes, 2);
    ck_assert(bench.rollout.closed);
    bench_pass(&bench, 3 * DAY_MS);
    ck_assert_uint_eq(bench.publishes, 2);
    ck_assert_uint_eq(bench.rollout.tally.unreached + bench.rollout.tally.failed, 0);
    /* A device that is at it ends all the same, and one that withdraws is not replaced yet. */
    bench_set(&bench, 0, SERIN_STATE_CONFIRMED);
    bench_set(&bench, 1, SERIN_STATE_CANCELLED);
    ck_assert_uint_eq(bench.rollout.tally.offered, 5);
    bench_pass(&bench, 4 * DAY_MS - HOUR_MS - 5 * MINUTE_MS - 1);
    ck_assert_uint_eq(bench.publishes, 2);
    bench_pass(&bench, 1); /* Friday, seven */
    ck_assert_int_eq(shown(&bench), SERIN_CANDIDATE_ROLLING);
    ck_assert_uint_eq(bench.publishes, 3);
    ck_assert_uint_eq(bench.rollout.tally.offered, 6);
    bench_free(&bench);
}
END_TEST

/* Caught: a soak that stands; a stage that opens outside; two publishes at the opening. */
START_TEST(a_soak_runs_on_but_the_next_stage_waits_for_the_window)
{
    struct serin_policy policy = windowed(window(FRIDAY, 420, 485));
    policy.windows[1] = window(FRIDAY, 500, 510);
    policy.window_count = 2;
    struct bench bench;
    bench_make(&bench, &policy, 100, 4);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_confirm_offered(&bench);
    ck_state(&bench, "soaking");
    bench_pass(&bench, BENCH_SOAK_MS + MINUTE_MS);
    ck_assert_uint_ge(bench.rollout.soaked_ms, BENCH_SOAK_MS);
    ck_state(&bench, "soaking");
    ck_assert_uint_eq(bench.publishes, 2);
    bench_pass(&bench, 9 * MINUTE_MS);
    ck_state(&bench, "rolling");
    ck_assert_uint_eq(bench.rollout.stage, 2);
    ck_assert_uint_eq(bench.publishes, 3);
    bench_free(&bench);
}
END_TEST

/* Caught: a pause that publishes at an edge; a RESUME that shows the candidate outside. */
START_TEST(a_pause_and_a_window_do_not_undo_each_other)
{
    struct serin_policy policy = windowed(window(FRIDAY, 420, 485));
    struct bench bench;
    bench_make(&bench, &policy, 100, 5);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_do(&bench, SERIN_ROLLOUT_PAUSE);
    bench.now_ms += 10 * MINUTE_MS;
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    ck_assert_uint_eq(bench.publishes, 2);
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    ck_assert_int_eq(shown(&bench), SERIN_CANDIDATE_PAUSED);
    bench_do(&bench, SERIN_ROLLOUT_HALT);
    ck_assert_int_eq(shown(&bench), SERIN_CANDIDATE_HALTED);
    ck_assert(!bench.rollout.closed);
    bench_free(&bench);
}
END_TEST

/* Caught: emergency that waits. */
START_TEST(an_emergency_knows_no_hours)
{
    struct serin_policy policy = windowed(window(0, 60, 120));
    policy.start_s = BENCH_START_MS / 1000 + 100000;
    policy.emergency = true;
    struct bench bench;
    bench_make(&bench, &policy, 100, 6);
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_state(&bench, "rolling");
    ck_assert_int_eq(shown(&bench), SERIN_CANDIDATE_ROLLING);
    bench_free(&bench);
}
END_TEST

/* Caught: an approval that is lost, or that opens the stage outside. */
START_TEST(an_approval_waits_for_the_window)
{
    struct serin_policy policy = windowed(window(FRIDAY, 500, 520));
    policy.stages[0].approval = true;
    struct bench bench;
    bench_make(&bench, &policy, 100, 7);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
    ck_state(&bench, "awaiting");
    ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_ADVANCE), SERIN_ERR_STATE);
    ck_assert_str_eq(serin_rollout_refusal(&bench.rollout, SERIN_ROLLOUT_ADVANCE),
                     "the next stage is approved already: it opens with the start time or the "
                     "window");
    bench_pass(&bench, 20 * MINUTE_MS);
    ck_state(&bench, "rolling");
    bench_free(&bench);
}
END_TEST

/* A tested first stage of 250 and everyone, in a window from 08:00 until `until_min`. */
static struct bench tested(unsigned until_min, uint32_t regress)
{
    struct serin_policy policy = bench_staged_policy(250);
    policy.windows[0] = window(FRIDAY, 480, until_min);
    policy.windows[0].days = 127;
    policy.window_count = 1;
    struct bench bench;
    bench_make(&bench, &policy, 1000, 8);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_confirm(&bench, 0, 250);
    for (uint32_t i = 0; i < regress; i++) {
        ck_assert_int_eq(bench_member(&bench, i, SERIN_STATE_REGRESSED, SERIN_REASON_CRASH),
                         SERIN_OK);
    }
    return bench;
}

/* The stage is clean when it is approved, outside of the hours; then its devices regress. Caught:
 * an approval that waives what arises later. */
START_TEST(an_approval_waives_nothing_that_comes_later)
{
    struct serin_policy policy = bench_staged_policy(250);
    policy.windows[0] = window(FRIDAY, 480, 500);
    policy.windows[0].days = 127;
    policy.window_count = 1;
    policy.stages[1].approval = true;
    struct bench bench;
    bench_make(&bench, &policy, 1000, 8);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_confirm(&bench, 0, 250);
    bench_pass(&bench, 60 * MINUTE_MS);
    ck_state(&bench, "awaiting");
    ck_assert(!bench.rollout.held);
    bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
    ck_assert(bench.rollout.approved);
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert_int_eq(bench_member(&bench, i, SERIN_STATE_REGRESSED, SERIN_REASON_CRASH),
                         SERIN_OK);
    }
    ck_state(&bench, "awaiting");
    ck_assert(bench.rollout.held);
    ck_assert(!bench.rollout.approved);
    bench_pass(&bench, DAY_MS);
    ck_assert_uint_eq(bench.rollout.stage, 1);
    bench_do(&bench, SERIN_ROLLOUT_ADVANCE); /* of what is known now */
    bench_pass(&bench, DAY_MS);
    ck_assert_uint_eq(bench.rollout.stage, 2);
    bench_free(&bench);
}
END_TEST

/* Two of 250 are waived; with a third the operator is asked again. Caught: a waiver of whatever the
 * test says; one that the doubt that it waived takes back. */
START_TEST(a_waiver_is_of_what_the_operator_saw)
{
    for (unsigned more = 0; more < 2; more++) {
        struct bench bench = tested(500, 2);
        bench_pass(&bench, 60 * MINUTE_MS);
        ck_state(&bench, "awaiting");
        ck_assert(bench.rollout.held);
        bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
        ck_assert(!bench.rollout.held);
        ck_assert_uint_eq(bench.rollout.stage, 1);
        if (more == 1) {
            ck_assert_int_eq(bench_member(&bench, 2, SERIN_STATE_REGRESSED, SERIN_REASON_CRASH),
                             SERIN_OK);
        }
        bench_pass(&bench, DAY_MS);
        ck_assert_uint_eq(bench.rollout.stage, more == 1 ? 1 : 2);
        ck_assert(more == 0 || bench.rollout.held);
        bench_free(&bench);
    }
}
END_TEST

/* The last stage is soaked outside of the hours, and its release would be everyone's. Caught: an
 * end that knows no window; one that says nothing; an emergency that waits. */
START_TEST(a_rollout_completes_in_a_window)
{
    for (unsigned emergency = 0; emergency < 2; emergency++) {
        struct serin_policy policy = windowed(window(FRIDAY, 480, 485));
        policy.windows[0].days = 127;
        policy.emergency = emergency == 1;
        policy.stages[0].permyriad = 10000;
        policy.stage_count = 1;
        struct bench bench;
        bench_make(&bench, &policy, 100, 9);
        bench_do(&bench, SERIN_ROLLOUT_START);
        bench_confirm_offered(&bench);
        bench_settle(&bench);
        if (emergency == 0) {
            ck_state(&bench, "soaking");
            bench_pass(&bench, 23 * HOUR_MS);
            ck_state(&bench, "soaking");
            ck_assert_uint_eq(bench.promotes, 0);
            ck_assert_str_eq(bench.rollout.why,
                             "the stage is soaked: goes on when the window opens");
            ck_assert_uint_le(serin_rollout_deadline_ms(&bench.rollout, &bench.members),
                              BENCH_START_MS + DAY_MS);
            bench_pass(&bench, HOUR_MS);
        }
        ck_state(&bench, "completed");
        ck_assert_str_eq(bench.rollout.why, "");
        ck_assert_uint_eq(bench.promotes, 1);
        bench_free(&bench);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        nothing_opens_before_the_start_time,
        windows_open_by_the_minute,
        outside_of_a_window_nobody_starts_and_nobody_is_late,
        a_soak_runs_on_but_the_next_stage_waits_for_the_window,
        a_pause_and_a_window_do_not_undo_each_other,
        an_emergency_knows_no_hours,
        an_approval_waits_for_the_window,
        an_approval_waives_nothing_that_comes_later,
        a_waiver_is_of_what_the_operator_saw,
        a_rollout_completes_in_a_window,
        NULL,
    };
    return check_run("engine_window", tests);
}
