/*
 * The comparison with the control group, at every edge of its rules: limits, minima, what is too
 * small, too old, too few to be certain, behind one gateway, or forgotten (docs/spec/rollout.md,
 * section 5). Fleets with days and nights are check_engine_compare.c's.
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <stdlib.h>
#include <string.h>

#define HOUR_S  UINT64_C(3600)
#define HOUR_MS UINT64_C(3600000)
#define SOAK_MS (6 * HOUR_MS)
#define FLEET   4096u

static struct serin_health health[FLEET]; /* by device */
static bool quiet[FLEET];                 /* who says nothing any more */
static uint64_t errors[FLEET], rate[FLEET];
static uint16_t revisions[FLEET];

/* Two stages at once each, a test that nothing rejects, and 10 % of at least 30. */
static struct serin_policy policy_of(uint32_t updated)
{
    struct serin_policy policy = bench_policy();
    policy.stage_count = 2;
    policy.stages[0] = (struct serin_stage_policy){.count = updated, .soak_s = 6 * 3600};
    policy.stages[1] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = 6 * 3600};
    for (size_t gate = SERIN_GATE_FAILURES; gate < SERIN_GATE_COUNT; gate++) {
        policy.gates[gate] = (struct serin_gate_policy){.max_permyriad = 10000, .minimum = 1};
    }
    policy.gates[SERIN_GATE_SILENCE] =
        (struct serin_gate_policy){.max_permyriad = 1000, .minimum = 30};
    policy.gates[SERIN_GATE_ERRORS] = policy.gates[SERIN_GATE_SILENCE];
    policy.ramp.first = 0;
    policy.test = (struct serin_test_policy){.accepted_permyriad = 8900,
                                             .rejected_permyriad = 9000,
                                             .alpha_permyriad = 1,
                                             .beta_permyriad = 2000};
    policy.patience_s = 86400;
    policy.deadline_s = 86400;
    return policy;
}

/* Everybody who is not quiet says how it is. */
static void beat_all(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->members.count; i++) {
        uint32_t device = bench->members.list[i].device;
        errors[device] += rate[device];
        uint64_t now_s = bench->now_ms / 1000;
        struct serin_health_beat said = {.interval_s = 3600,
                                         .uptime_s = now_s - BENCH_START_MS / 1000 + 86400,
                                         .errors = errors[device]};
        bool watched = bench->rollout.state != SERIN_ROLLOUT_CREATED;
        if (!quiet[device]) {
            serin_health_beat(&health[device], now_s, &said, watched);
        }
    }
}

/* Hours in which everybody beats who does, and the engine has its ticks. */
static void hours(struct bench *bench, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        bench_pass(bench, HOUR_MS);
        beat_all(bench);
    }
}

/* A fleet that was heard five times, and whose first `updated` were just offered a release. */
static void make_heard(struct bench *bench, const struct serin_policy *policy, uint32_t updated,
                       uint32_t control)
{
    memset(health, 0, sizeof health);
    memset(quiet, 0, sizeof quiet);
    memset(errors, 0, sizeof errors);
    memset(rate, 0, sizeof rate);
    memset(revisions, 0, sizeof revisions);
    bench_make(bench, policy, updated + control, 1);
    bench->check = false; /* fleets of hundreds, recounted for every device, take long */
    bench->members.health = health;
    hours(bench, 5);
    bench_do(bench, SERIN_ROLLOUT_START);
    ck_assert_uint_eq(bench->rollout.tally.offered, updated);
}

/* The same, and they have confirmed. */
static void make_control(struct bench *bench, const struct serin_policy *policy, uint32_t updated,
                         uint32_t control)
{
    make_heard(bench, policy, updated, control);
    bench_confirm_offered(bench);
    ck_state(bench, "soaking");
}

/* Members `from` to before `end`, by rank, fall quiet. */
static void silence(struct bench *bench, uint32_t from, uint32_t end)
{
    for (uint32_t i = from; i < end; i++) {
        quiet[bench->members.list[i].device] = true;
    }
}

/* The same count errors from now on. */
static void err(struct bench *bench, uint32_t from, uint32_t end)
{
    for (uint32_t i = from; i < end; i++) {
        rate[bench->members.list[i].device] = 50;
    }
}

static const char *outcome(const struct bench *bench)
{
    return bench->rollout.held ? "held"
           : bench->rollout.stage == 1 || bench->rollout.state == SERIN_ROLLOUT_HALTED
               ? serin_rollout_state_text(bench->rollout.state)
               : "passed";
}

/* ---- at the edges ---- */

/* Caught, each by a row: ≥ made > at the limit; the limit without what was to be expected; either
 * minimum off by one; a small control group that halts, or passes; certainty not asked, or asked of
 * the hold as of the halt; certainty of the usual quotient, which three devices give; a few that
 * pass whatever they show, or hold on what chance does. */
static const struct {
    uint32_t updated, silent, control, control_silent;
    uint32_t limit;
    const char *outcome, *words, *what;
} edges[] = {
    {100, 10, 1000, 0, 1000, "passed", "", "at the limit"},
    {100, 11, 1000, 0, 1000, "halted",
     "halted: 11 of 100 updated fell silent, 0.00 % expected (0 of 1000 others) (limit 10.00 %, "
     "minimum 30)",
     "above it"},
    {1000, 200, 1000, 100, 1000, "passed", "", "at the limit above what was expected"},
    {1000, 201, 1000, 100, 1000, "halted",
     "halted: 201 of 1000 updated fell silent, 10.00 % expected (100 of 1000 others)", "above it"},
    {200, 20, 400, 40, 10, "passed", "", "as many as the others"},
    {200, 10, 400, 40, 10, "passed", "", "fewer than the others"},
    {29, 29, 1000, 0, 1000, "held",
     "held: 29 of 29 updated fell silent, 0.00 % expected (0 of 1000 others) (limit 10.00 %), too "
     "few to halt (minimum 30)",
     "less than the minimum"},
    {1, 1, 1000, 0, 500, "held", "held: 1 of 1 updated fell silent", "one is enough to hold"},
    {1, 1, 19, 0, 500, "held", "and 19 others are too few", "beside no control group"},
    {20, 1, 1000, 0, 500, "passed", "", "few, and at the limit"},
    {20, 2, 1000, 0, 500, "held", "held: 2 of 20", "few, and above it"},
    {20, 4, 200, 20, 500, "passed", "", "few, and chance does as much"},
    {20, 6, 200, 20, 500, "held", "held: 6 of 20", "few, and chance hardly does"},
    {2, 1, 100, 40, 500, "passed", "", "half of few beside many"},
    {3, 2, 100, 40, 500, "held", "held: 2 of 3", "more than half of few"},
    {20, 20, 1000, 0, 10000, "passed", "", "few, and the gate is off"},
    {30, 30, 1000, 0, 1000, "halted", "halted: 30 of 30 updated", "the minimum"},
    {100, 50, 29, 0, 1000, "held",
     "held: 50 of 100 updated fell silent, and 29 others are too few to compare them with (minimum "
     "30)",
     "less than a control group"},
    {100, 50, 30, 0, 1000, "halted", "0.00 % expected (0 of 30 others)", "a control group"},
    {100, 10, 29, 29, 1000, "passed", "", "no control group, and at the limit"},
    {100, 11, 29, 29, 1000, "held", "held: 11 of 100", "no control group, and above it"},
    {200, 2, 1800, 0, 50, "passed", "", "chance does as much"},
    {200, 4, 1800, 0, 50, "held",
     "held: 4 of 200 updated fell silent, 0.00 % expected (0 of 1800 others) (limit 0.50 %), too "
     "few to be certain",
     "chance hardly does"},
    {200, 5, 1800, 0, 50, "halted", "halted: 5 of 200", "chance does not"},
    {300, 11, 300, 0, 50, "held", "held: 11 of 300", "the same beside fewer others"},
    {300, 12, 300, 0, 50, "halted", "halted: 12 of 300", "chance does not"},
    {100, 100, 1000, 0, 10000, "passed", "", "the gate is off"},
};

START_TEST(silence_is_judged_at_every_edge)
{
    for (size_t c = 0; c < sizeof edges / sizeof edges[0]; c++) {
        struct serin_policy policy = policy_of(edges[c].updated);
        policy.gates[SERIN_GATE_SILENCE].max_permyriad = edges[c].limit;
        struct bench bench;
        make_control(&bench, &policy, edges[c].updated, edges[c].control);
        silence(&bench, 0, edges[c].silent);
        silence(&bench, edges[c].updated, edges[c].updated + edges[c].control_silent);
        hours(&bench, 6);
        ck_assert_msg(strcmp(outcome(&bench), edges[c].outcome) == 0, "%s: %s %s", edges[c].what,
                      outcome(&bench), bench.rollout.why);
        ck_assert_msg(strstr(bench.rollout.why, edges[c].words) != NULL, "%s: %s", edges[c].what,
                      bench.rollout.why);
        bench_free(&bench);
    }
}
END_TEST

/* Caught: the silent figures judged twice; the limit of SILENCE asked for ERRORS. */
START_TEST(errors_are_judged_as_silence_is)
{
    for (uint32_t unwell = 10; unwell <= 11; unwell++) {
        struct serin_policy policy = policy_of(100);
        policy.gates[SERIN_GATE_SILENCE].max_permyriad = 9999;
        struct bench bench;
        make_control(&bench, &policy, 100, 1000);
        err(&bench, 0, unwell);
        hours(&bench, 6);
        ck_assert_str_eq(outcome(&bench), unwell == 10 ? "passed" : "halted");
        ck_assert(unwell == 10 ||
                  bench_said(&bench, "halted: 11 of 100 updated count more errors, 0.00 % expected "
                                     "(0 of 1000 others) (limit 10.00 %, minimum 30)"));
        bench_free(&bench);
    }
}
END_TEST

/* ---- who is compared ---- */

/* Caught: devices that were silent before counted, in either group. */
START_TEST(who_was_silent_before_counts_in_no_group)
{
    struct serin_policy policy = policy_of(100);
    policy.stages[0].soak_s = 24 * 3600;
    struct bench bench;
    make_control(&bench, &policy, 100, 1000);
    silence(&bench, 0, 5);
    silence(&bench, 100, 600);
    hours(&bench, 24);
    ck_assert_str_eq(outcome(&bench), "passed");
    bench_confirm_offered(&bench);
    hours(&bench, 1);
    ck_assert_uint_eq(bench.rollout.stage, 2);
    ck_assert_uint_eq(bench.rollout.comparison.updated, 1100 - 505);
    ck_assert_uint_eq(bench.rollout.comparison.updated_silent, 0);
    bench_free(&bench);
}
END_TEST

/* Caught: a device that does not take the release counted for, or against, it. */
START_TEST(who_is_on_another_image_counts_in_no_group)
{
    struct serin_policy policy = policy_of(100);
    struct bench bench;
    make_control(&bench, &policy, 100, 1000);
    for (uint32_t i = 0; i < 20; i++) {
        ck_assert_int_eq(bench_member(&bench, i, SERIN_STATE_REVERTED, SERIN_REASON_OTHER_IMAGE),
                         SERIN_OK);
    }
    ck_assert_int_eq(bench_member(&bench, 20, SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH),
                     SERIN_OK);
    hours(&bench, 1);
    ck_assert_uint_eq(bench.rollout.comparison.updated, 80);
    ck_assert_uint_eq(bench.rollout.comparison.control, 1000);
    ck_assert_uint_eq(bench.rollout.comparison.known, 100);
    /* A device above the threshold that runs it already, or withdrew, is no control. */
    bench_set(&bench, 200, SERIN_STATE_CONFIRMED);
    bench_set(&bench, 201, SERIN_STATE_CANCELLED);
    hours(&bench, 1);
    ck_assert_uint_eq(bench.rollout.comparison.updated, 80);
    ck_assert_uint_eq(bench.rollout.comparison.control, 998);
    bench_free(&bench);
}
END_TEST

/* Caught: devices that never beat taken for silent, or for well. */
START_TEST(who_never_beats_counts_in_no_group)
{
    struct serin_policy policy = policy_of(100);
    struct bench bench;
    make_control(&bench, &policy, 100, 1000);
    memset(health, 0, sizeof health);
    silence(&bench, 0, 1100);
    hours(&bench, 3);
    ck_assert_uint_ne(bench.rollout.comparison.at_ms, 0);
    ck_assert_uint_eq(bench.rollout.comparison.updated, 0);
    ck_assert_uint_eq(bench.rollout.comparison.control, 0);
    bench_free(&bench);
    /* Nor does the stage wait for what nobody says. */
    make_control(&bench, &policy, 100, 1000);
    memset(health, 0, sizeof health);
    memset(&bench.rollout.comparison, 0, sizeof bench.rollout.comparison);
    silence(&bench, 0, 1100);
    hours(&bench, 6);
    ck_assert_str_eq(outcome(&bench), "passed");
    bench_free(&bench);
}
END_TEST

static uint16_t hardware(const void *sites, uint32_t device)
{
    (void)sites;
    return revisions[device];
}

static uint32_t stratum(const void *sites, uint32_t device)
{
    return ((const uint32_t *)sites)[device];
}

/* Half of the devices of gateways 1 and 2 are offline, and most of those that are updated are
 * theirs: 200 each of 500, but 4 each of 1008 others. Caught: strata, or revisions, not looked at;
 * a stratum with fewer than three others believed; the rest of the revision expected twice. */
static void make_uneven(struct bench *bench, const struct serin_policy *policy, uint32_t others)
{
    make_control(bench, policy, 500, 1000 + 2 * others);
    for (uint32_t site = 1; site <= 2; site++) {
        uint32_t from = (site - 1) * 200;
        uint32_t control = 500 + (site - 1) * others;
        for (uint32_t i = from; i < from + 200; i++) {
            bench_behind(bench, i, site);
            revisions[bench->members.list[i].device] = 7;
        }
        for (uint32_t i = control; i < control + others; i++) {
            bench_behind(bench, i, site);
            revisions[bench->members.list[i].device] = 7;
        }
        silence(bench, from, from + 100);
        silence(bench, control, control + others / 2);
    }
}

START_TEST(like_is_compared_with_like)
{
    static const struct {
        bool strata, hardware;
        uint32_t others;
        const char *outcome;
    } cases[] = {{false, false, 4, "halted"}, {true, false, 4, "passed"},
                 {true, false, 2, "halted"},  {true, true, 2, "passed"},
                 {false, true, 4, "passed"},  {true, true, 4, "passed"}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct serin_stratum strata[3];
        struct serin_policy policy = policy_of(500);
        struct bench bench;
        make_uneven(&bench, &policy, cases[c].others);
        if (cases[c].strata) {
            bench.members.stratum = stratum;
            bench.members.strata = strata;
            bench.members.stratum_count = 3;
        }
        bench.members.hardware = cases[c].hardware ? hardware : NULL;
        hours(&bench, 5);
        ck_assert_msg(strcmp(cases[c].outcome, "passed") == 0
                          ? bench.rollout.state == SERIN_ROLLOUT_SOAKING
                          : bench.rollout.state == SERIN_ROLLOUT_HALTED,
                      "case %zu: %s %s", c, outcome(&bench), bench.rollout.why);
        uint32_t expected = bench.rollout.comparison.expected_silent_permyriad;
        ck_assert_msg(strcmp(cases[c].outcome, "halted") == 0 || expected == 4000, "case %zu: %u",
                      c, expected);
        bench_free(&bench);
    }
}
END_TEST

/* Forty of a hundred fall silent: behind one gateway it may be its uplink's. Two that share sixteen
 * equally are not one, though without either the limit would not be exceeded. Caught: the gateway
 * looked for among all members instead of the silent; held though two share them. */
START_TEST(one_gateways_silence_holds_and_two_gateways_halts)
{
    for (uint32_t gateways = 1; gateways <= 2; gateways++) {
        struct serin_policy policy = policy_of(100);
        struct bench bench;
        make_control(&bench, &policy, 100, 1000);
        uint32_t end = gateways == 1 ? 45 : 21;
        for (uint32_t i = 5; i < end; i++) {
            bench_behind(&bench, i, 1 + i % gateways);
        }
        silence(&bench, 5, end);
        hours(&bench, 6);
        ck_assert_str_eq(outcome(&bench), gateways == 1 ? "held" : "halted");
        ck_assert(gateways == 2 ||
                  bench_said(&bench, "held: 40 of 100 updated fell silent, 0.00 % expected (0 of "
                                     "1000 others) (limit 10.00 %), most behind gateway gw-1"));
        if (gateways == 1) { /* its uplink is repaired */
            memset(quiet, 0, sizeof quiet);
            hours(&bench, 2);
            ck_assert_str_eq(outcome(&bench), "passed");
        }
        bench_free(&bench);
    }
}
END_TEST

/* ---- when ---- */

/* In the last stage nobody is left to compare with: what was last expected holds, with its age, and
 * halts nobody. Caught: the control group forgotten, or taken for fresh; held for ever. */
START_TEST(an_old_control_group_holds_and_says_how_old)
{
    struct serin_policy policy = policy_of(500);
    struct bench bench;
    make_control(&bench, &policy, 500, 500);
    silence(&bench, 500, 525); /* one in twenty */
    silence(&bench, 0, 62);    /* surely more, but not above the limit */
    hours(&bench, 7);
    ck_assert_uint_eq(bench.rollout.stage, 2);
    ck_assert_uint_eq(bench.rollout.comparison.control, 500);
    ck_assert_uint_gt(bench.rollout.comparison.silent_deviation, 400);
    bench_confirm_offered(&bench);
    ck_state(&bench, "soaking");
    silence(&bench, 62, 62 + 137);
    hours(&bench, 8);
    ck_assert_str_eq(outcome(&bench), "held");
    ck_assert_uint_eq(bench.rollout.comparison.control_silent, 25);
    ck_assert(bench_said(&bench, "held: 137 of 913 updated fell silent, 5.00 % expected (25 of 500 "
                                 "others, "));
    ck_assert(bench_said(&bench, " min ago) (limit 10.00 %)"));
    quiet[bench.members.list[62].device] = false; /* 15 % of 913 are less than 137 */
    hours(&bench, 2);
    ck_state(&bench, "awaiting"); /* but with those of the stage before they are more than of all */
    ck_assert_uint_eq(bench.rollout.comparison.ever_silent, 223);
    ck_assert_uint_eq(bench.rollout.comparison.ever_updated, 1000);
    for (uint32_t i = 0; i < 75; i++) { /* who confirmed lives */
        quiet[bench.members.list[i].device] = false;
    }
    hours(&bench, 2);
    ck_state(&bench, "completed");
    bench_free(&bench);
}
END_TEST

/* Caught: a comparison a tick; none after the clock went back; none when the soak ends. */
START_TEST(a_comparison_is_made_once_in_a_quarter_of_an_hour)
{
    struct serin_policy policy = policy_of(100);
    struct bench bench;
    make_control(&bench, &policy, 100, 1000);
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    uint64_t at_ms = bench.rollout.comparison.at_ms;
    ck_assert_uint_eq(at_ms, bench.now_ms);
    for (unsigned second = 1; second < 900; second++) {
        bench.now_ms += 1000;
        bench_do(&bench, SERIN_ROLLOUT_TICK);
        ck_assert_uint_eq(bench.rollout.comparison.at_ms, at_ms);
    }
    bench.now_ms += 1000;
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    ck_assert_uint_eq(bench.rollout.comparison.at_ms, at_ms + 900000);
    bench.now_ms -= 3600000;
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    ck_assert_uint_eq(bench.rollout.comparison.at_ms, bench.now_ms);
    bench_free(&bench);
    policy.stages[0].soak_s = 3700;
    make_control(&bench, &policy, 100, 1000);
    bench_pass(&bench, 3700000);
    ck_assert_uint_eq(bench.rollout.stage, 2);
    ck_assert_uint_eq(bench.rollout.comparison.at_ms, bench.now_ms);
    bench_free(&bench);
    /* Nobody asks for one. */
    policy.gates[SERIN_GATE_SILENCE].max_permyriad = 10000;
    policy.gates[SERIN_GATE_ERRORS].max_permyriad = 10000;
    make_control(&bench, &policy, 100, 1000);
    hours(&bench, 2);
    ck_assert_uint_eq(bench.rollout.comparison.at_ms, 0);
    bench_free(&bench);
}
END_TEST

/* A restart forgets the past: the stage waits until everybody was heard again; those that are not
 * may be the ones that fell silent. Caught: passed on what is not known; held for ever; at the
 * limit held. */
START_TEST(what_a_restart_forgot_holds_until_it_is_known)
{
    for (uint32_t lost = 10; lost <= 11; lost++) {
        struct serin_policy policy = policy_of(100);
        struct bench bench;
        make_control(&bench, &policy, 100, 1000);
        hours(&bench, 5);
        memset(health, 0, sizeof health);
        silence(&bench, 0, lost);
        hours(&bench, 2);
        ck_assert_str_eq(outcome(&bench), "held");
        ck_assert(bench_said(&bench, "held: nothing is heard any more of 100 of 100 devices that "
                                     "accepted"));
        hours(&bench, 4);
        ck_assert_str_eq(outcome(&bench), lost == 10 ? "passed" : "held");
        bench_free(&bench);
    }
}
END_TEST

/* Who tries again has accepted nothing yet. Caught: the fall in their number taken for a restart's;
 * the same where a comparison is made while they are still becoming idle. */
START_TEST(a_retry_forgets_nobody)
{
    struct serin_policy policy = policy_of(200);
    policy.stages[0].soak_s = 10 * 3600;
    for (uint64_t later_ms = 0; later_ms <= 300000; later_ms += 300000) {
        struct bench bench;
        make_heard(&bench, &policy, 200, 1000);
        for (uint32_t i = 0; i < 200; i++) {
            if (i < 120) {
                bench_set(&bench, i, SERIN_STATE_CONFIRMED);
            } else {
                bench_fail(&bench, i);
            }
        }
        hours(&bench, 1);
        ck_assert_uint_eq(bench.rollout.comparison.known_most, 200);
        bench.now_ms += later_ms;
        bench_do(&bench, SERIN_ROLLOUT_RETRY);
        hours(&bench, 12);
        ck_assert_str_eq(outcome(&bench), "passed");
        bench_free(&bench);
    }
}
END_TEST

/* Devices with one interval that sleep for half a day. Caught: silence measured by the interval. */
START_TEST(devices_that_sleep_are_not_silent)
{
    struct serin_policy policy = policy_of(100);
    policy.stages[0].soak_s = 30 * 3600;
    struct bench bench;
    make_control(&bench, &policy, 100, 1000);
    for (uint32_t i = 0; i < 50; i++) { /* half of the updated slept before, the others did not */
        struct serin_health *slept = &health[bench.members.list[i].device];
        slept->gap_s = 12 * 3600;
        quiet[bench.members.list[i].device] = true;
    }
    hours(&bench, 28);
    ck_assert_str_eq(outcome(&bench), "soaking");
    ck_assert_uint_eq(bench.rollout.comparison.updated, 100);
    ck_assert_uint_eq(bench.rollout.comparison.updated_silent, 0);
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        silence_is_judged_at_every_edge,
        errors_are_judged_as_silence_is,
        who_was_silent_before_counts_in_no_group,
        who_is_on_another_image_counts_in_no_group,
        who_never_beats_counts_in_no_group,
        like_is_compared_with_like,
        one_gateways_silence_holds_and_two_gateways_halts,
        an_old_control_group_holds_and_says_how_old,
        a_comparison_is_made_once_in_a_quarter_of_an_hour,
        what_a_restart_forgot_holds_until_it_is_known,
        a_retry_forgets_nobody,
        devices_that_sleep_are_not_silent,
        NULL,
    };
    return check_run("engine_control", tests);
}
