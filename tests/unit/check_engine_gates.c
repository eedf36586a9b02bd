/*
 * The gates but for the comparison: what each counts, at its limit and at its minimum, and failures
 * of one hardware revision (docs/spec/rollout.md, sections 5 and 6).
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <stdio.h>
#include <string.h>

#define OFF ((struct serin_gate_policy){.max_permyriad = 10000, .minimum = 1})

/* One stage of everybody at once, no gate, and a test that nothing but the end of the world
 * rejects. */
static struct serin_policy open_policy(void)
{
    struct serin_policy policy = bench_policy();
    policy.stage_count = 1;
    policy.stages[0] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = BENCH_SOAK_S};
    for (size_t gate = SERIN_GATE_FAILURES; gate < SERIN_GATE_COUNT; gate++) {
        policy.gates[gate] = OFF;
    }
    policy.ramp.first = 0;
    policy.test = (struct serin_test_policy){.accepted_permyriad = 8900,
                                             .rejected_permyriad = 9000,
                                             .alpha_permyriad = 1,
                                             .beta_permyriad = 2000};
    return policy;
}

/* What can become of a device, by a letter. */
static void become(struct bench *bench, uint32_t member, char what)
{
    static const struct {
        char what;
        enum serin_state state;
        enum serin_reason reason;
    } ends[] = {
        {'.', SERIN_STATE_CONFIRMED, SERIN_REASON_NONE},
        {'c', SERIN_STATE_ROLLED_BACK, SERIN_REASON_CRASH},
        {'w', SERIN_STATE_ROLLED_BACK, SERIN_REASON_WATCHDOG},
        {'n', SERIN_STATE_ROLLED_BACK, SERIN_REASON_NOT_CONFIRMED},
        {'v', SERIN_STATE_ROLLED_BACK, SERIN_REASON_BOOT_VERIFY},
        {'p', SERIN_STATE_ROLLED_BACK, SERIN_REASON_POWER},
        {'b', SERIN_STATE_ROLLED_BACK, SERIN_REASON_HEALTH},
        {'f', SERIN_STATE_FAILED, SERIN_REASON_FLASH},
        {'x', SERIN_STATE_FAILED, SERIN_REASON_CRASH},
        {'s', SERIN_STATE_REJECTED, SERIN_REASON_SIGNATURE},
        {'a', SERIN_STATE_REJECTED, SERIN_REASON_NOT_NEWER},
        {'g', SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH},
        {'o', SERIN_STATE_REVERTED, SERIN_REASON_OTHER_IMAGE},
    };
    if (what == 'g' || what == 'o') {
        become(bench, member, '.');
    }
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (ends[i].what == what) {
            ck_assert_int_eq(bench_member(bench, member, ends[i].state, ends[i].reason), SERIN_OK);
            return;
        }
    }
    ck_abort();
}

/* The next `count` devices become `what`, as long as nothing halts. */
static void many(struct bench *bench, uint32_t *next, uint32_t count, char what)
{
    for (uint32_t i = 0; i < count && bench->rollout.state != SERIN_ROLLOUT_HALTED; i++) {
        become(bench, (*next)++, what);
    }
}

/* A gate, and what it counts as bad and as good; the others it does not count at all. */
static const struct gate_case {
    enum serin_gate gate; /* INVALID: the gate of SERIN_REASON_FLASH */
    const char *bad, *good, *other;
    const char *why; /* after "11 of 101 " */
} gate_cases[] = {
    {SERIN_GATE_FAILURES, "cwnvpbfxsgo", ".", "a",
     "resolved failed (limit 10.00 %, minimum 30): crash"},
    {SERIN_GATE_BOOTS, "cwnvp", ".go", "afxsb",
     "that booted it did not stay (limit 10.00 %, minimum 30): crash"},
    {SERIN_GATE_ROLLBACKS, "cwnvpb", ".gofxs", "a",
     "resolved rolled back (limit 10.00 %, minimum 30): crash"},
    {SERIN_GATE_REGRESSIONS, "go", ".", "acwnvpbfxs",
     "confirmed went wrong later (limit 10.00 %, minimum 30): health"},
    {SERIN_GATE_INVALID, "f", ".cwnvpbxsgo", "a",
     "resolved failed for one reason (limit 10.00 %, minimum 30): flash"},
};
#define GATE_CASES (sizeof gate_cases / sizeof gate_cases[0])

static struct serin_policy gate_policy(const struct gate_case *c)
{
    static const struct serin_gate_policy limit = {.max_permyriad = 1000, .minimum = 30};
    struct serin_policy policy = open_policy();
    if (c->gate != SERIN_GATE_INVALID) {
        policy.gates[c->gate] = limit;
    } else {
        policy.reason_count = 2;
        policy.reasons[0].reason = SERIN_REASON_DELTA; /* nobody fails for it */
        policy.reasons[0].gate = limit;
        policy.reasons[1].reason = SERIN_REASON_FLASH;
        policy.reasons[1].gate = limit;
    }
    return policy;
}

static void make_gate(struct bench *bench, const struct gate_case *c)
{
    struct serin_policy policy = gate_policy(c);
    bench_make(bench, &policy, 400, 1);
    bench->members.site = NULL; /* sites have tests of their own */
    bench_do(bench, SERIN_ROLLOUT_START);
}

/* At the limit passes, one more halts, whichever kind of bad it is; what the gate does not count is
 * not in its quotient. Caught, in each gate: ≥ made >; a reason that is not of a boot counted for
 * BOOTS; who failed before booting, or was refused, counted as booted; devices that never confirmed
 * in the denominator of REGRESSIONS; all failures counted for a reason; the gate left out. */
START_TEST(each_gate_halts_above_its_limit_and_not_at_it)
{
    for (size_t g = 0; g < GATE_CASES; g++) {
        const struct gate_case *c = &gate_cases[g];
        for (const char *bad = c->bad; *bad != '\0'; bad++) {
            struct bench bench;
            make_gate(&bench, c);
            uint32_t next = 0;
            for (const char *other = c->other; *other != '\0'; other++) {
                many(&bench, &next, 2, *other);
            }
            const char *good = c->good;
            for (uint32_t i = 0; i < 90; i++) {
                many(&bench, &next, 1, *good);
                good = good[1] != '\0' ? good + 1 : c->good;
            }
            many(&bench, &next, 10, *bad);
            ck_assert_msg(bench.rollout.state == SERIN_ROLLOUT_ROLLING, "gate %d %c: %s", c->gate,
                          *bad, bench.rollout.why);
            many(&bench, &next, 1, *bad);
            ck_assert_msg(bench.rollout.state == SERIN_ROLLOUT_HALTED, "gate %d %c", c->gate, *bad);
            ck_assert(bench_said(&bench, "halted: 11 of 101 "));
            bench_free(&bench);
        }
    }
}
END_TEST

/* Nothing of what it does not count, however much of it, trips a gate. Caught: the same. */
START_TEST(no_gate_halts_for_what_another_counts)
{
    for (size_t g = 0; g < GATE_CASES; g++) {
        const struct gate_case *c = &gate_cases[g];
        for (const char *other = c->other; *other != '\0'; other++) {
            struct bench bench;
            make_gate(&bench, c);
            uint32_t next = 0;
            many(&bench, &next, 60, '.');
            many(&bench, &next, 100, *other);
            ck_assert_msg(bench.rollout.state == SERIN_ROLLOUT_ROLLING, "gate %d %c: %s", c->gate,
                          *other, bench.rollout.why);
            bench_free(&bench);
        }
        for (const char *good = c->good; *good != '\0'; good++) {
            struct bench bench;
            make_gate(&bench, c);
            uint32_t next = 0;
            many(&bench, &next, 60, '.');
            many(&bench, &next, 100, *good);
            ck_assert_msg(bench.rollout.state == SERIN_ROLLOUT_ROLLING, "gate %d %c: %s", c->gate,
                          *good, bench.rollout.why);
            bench_free(&bench);
        }
    }
}
END_TEST

/* Caught: minimum − 1; the minimum asked of another denominator. */
START_TEST(each_gate_waits_for_its_minimum)
{
    for (size_t g = 0; g < GATE_CASES; g++) {
        const struct gate_case *c = &gate_cases[g];
        struct bench bench;
        make_gate(&bench, c);
        uint32_t next = 0;
        for (const char *other = c->other; *other != '\0'; other++) {
            many(&bench, &next, 5, *other);
        }
        many(&bench, &next, 24, '.');
        many(&bench, &next, 5, c->bad[0]);
        ck_assert_msg(bench.rollout.state == SERIN_ROLLOUT_ROLLING, "gate %d: %s", c->gate,
                      bench.rollout.why);
        many(&bench, &next, 1, '.');
        ck_assert_msg(bench.rollout.state == SERIN_ROLLOUT_HALTED, "gate %d", c->gate);
        ck_assert(bench_said(&bench, "halted: 5 of 30 "));
        bench_free(&bench);
    }
}
END_TEST

/* Caught: the words of one gate said of another; the limit of another. */
START_TEST(why_names_the_gate_its_figures_and_its_limit)
{
    for (size_t g = 0; g < GATE_CASES; g++) {
        const struct gate_case *c = &gate_cases[g];
        struct bench bench;
        make_gate(&bench, c);
        uint32_t next = 0;
        many(&bench, &next, 90, '.');
        many(&bench, &next, 11, c->bad[0]);
        ck_state(&bench, "halted");
        char why[SERIN_ROLLOUT_WHY_MAX];
        (void)snprintf(why, sizeof why, "halted: 11 of 101 %s", c->why);
        ck_assert_str_eq(bench.rollout.why, why);
        ck_assert(bench_acted(&bench, SERIN_ROLLOUT_ACT_PUBLISH));
        bench_free(&bench);
    }
}
END_TEST

/* A limit of everything is none. Caught: ≥ made >, so that all that failed are above it. */
START_TEST(a_gate_that_is_off_never_halts)
{
    struct serin_policy policy = open_policy();
    policy.reason_count = 1;
    policy.reasons[0].reason = SERIN_REASON_CRASH;
    policy.reasons[0].gate = OFF;
    struct bench bench;
    bench_make(&bench, &policy, 40, 2);
    bench.check = false; /* its recount knows no gate that is off */
    bench_do(&bench, SERIN_ROLLOUT_START);
    uint32_t next = 0;
    many(&bench, &next, 7, 'c');
    ck_state(&bench, "rolling");
    bench_free(&bench);
}
END_TEST

/* Where nobody is waited for, boots and rollbacks are judged on what there is; regressions and
 * single reasons keep their minimum. Caught: each of the four the other way round. */
START_TEST(a_stage_that_waits_for_nobody_needs_no_minimum)
{
    for (size_t g = 0; g < GATE_CASES; g++) {
        const struct gate_case *c = &gate_cases[g];
        struct serin_policy policy = gate_policy(c);
        policy.stage_count = 2;
        policy.stages[1] = policy.stages[0];
        policy.stages[0] = (struct serin_stage_policy){.count = 4, .soak_s = BENCH_SOAK_S};
        struct bench bench;
        bench_make(&bench, &policy, 400, 3);
        bench_do(&bench, SERIN_ROLLOUT_START);
        uint32_t next = 0;
        many(&bench, &next, 2, '.');
        become(&bench, next++, c->bad[0]);
        ck_state(&bench, "rolling");
        become(&bench, next++, '.');
        bool needs = c->gate == SERIN_GATE_REGRESSIONS || c->gate == SERIN_GATE_INVALID;
        ck_assert_msg((bench.rollout.state == SERIN_ROLLOUT_HALTED) != needs, "gate %d: %s",
                      c->gate, serin_rollout_state_text(bench.rollout.state));
        ck_assert(needs || bench_said(&bench, "minimum 30, but the stage waits for nobody)"));
        bench_free(&bench);
    }
}
END_TEST

/* The figures survive a restart: they are counted again from the members. Caught: a figure that
 * serin_rollout_rebuild adds to what was. */
START_TEST(a_rebuild_counts_the_same)
{
    struct bench bench;
    make_gate(&bench, &gate_cases[2]);
    uint32_t next = 0;
    for (const char *all = "cwnvpbfxsgo.a"; *all != '\0'; all++) {
        many(&bench, &next, 1, *all);
    }
    ck_assert_uint_eq(bench.rollout.rolled_back, 6);
    ck_assert_uint_eq(bench.rollout.boots, 5);
    serin_rollout_rebuild(&bench.rollout, &bench.members);
    ck_assert_uint_eq(bench.rollout.rolled_back, 6);
    ck_assert_uint_eq(bench.rollout.boots, 5);
    bench_free(&bench);
}
END_TEST

/* ---- failures of one hardware revision ---- */

static uint16_t revisions[1024]; /* by device */

static uint16_t hardware(const void *sites, uint32_t device)
{
    (void)sites;
    return revisions[device];
}

/* A rollout judged at its 10th device, or when all have ended if there are fewer; in `text` each
 * has a gateway, a revision and an end. */
static void make_hardware(struct bench *bench, const char *text)
{
    uint32_t count = (uint32_t)strlen(text) / 3;
    struct serin_policy policy = open_policy();
    policy.gates[SERIN_GATE_FAILURES] =
        (struct serin_gate_policy){.max_permyriad = 200, .minimum = count};
    bench_make(bench, &policy, count + 20, 4);
    bench->check = false; /* its recount knows sites only */
    bench->members.hardware = hardware;
    memset(revisions, 0, sizeof revisions);
    for (uint32_t i = 0; i < count; i++) {
        bench_behind(bench, i, (uint32_t)(text[(size_t)i * 3] - '0'));
        revisions[bench->members.list[i].device] = (uint16_t)(text[(size_t)i * 3 + 1] - '0');
    }
    bench_do(bench, SERIN_ROLLOUT_START);
    for (uint32_t i = 0; i < count; i++) {
        ck_state(bench, "rolling");
        become(bench, i, text[(size_t)i * 3 + 2]);
    }
}

/* Caught: ≥ made > in either count; revision 0, which is nobody's, blamed; the well ones of the
 * same revision counted elsewhere; the gateway's figures taken for the revision's. */
static const struct {
    const char *members, *state, *words;
} hardware_cases[] = {
    {"01.01.01.01.01.01.01.01.01.02.02.02.03c03c03c", "paused",
     "3 of 3 failures are on hardware revision 3, 0 of 12 on others: paused, the image is well "
     "elsewhere"},
    {"11.21.31.41.11.21.31.41.11.21.31.41.13c23c33c", "paused",
     "3 of 3 failures are on hardware revision 3, 0 of 12 on others"},
    /* Caught: chance not asked. (3/13)³ is above a hundredth, and (3/14)³ is not. */
    {"01.01.01.01.01.01.01.01.01.01.03c03c03c", "halted", "halted: 3 of 13 resolved failed"},
    {"01.01.01.01.01.01.01.01.01.01.01.03c03c03c", "paused",
     "3 of 3 failures are on hardware revision 3, 0 of 11 on others"},
    {"01.01.03c03c", "halted",
     "halted: 2 of 4 resolved failed, 2 of them on hardware revision 3 (limit"},
    {"01.01.03.03.03c03c03c", "halted",
     "halted: 3 of 7 resolved failed, 3 of them on hardware revision 3 (limit"},
    {"01.03c03c", "halted",
     "halted: 2 of 3 resolved failed, 2 of them on hardware revision 3 (limit"},
    {"01.02c03c", "halted", "halted: 2 of 3 resolved failed (limit"},
    {"03.03.03.03c03c", "halted", "halted: 2 of 5 resolved failed (limit"},
    {"00.00.00.01.01.00c00c", "halted", "halted: 2 of 7 resolved failed (limit"},
    {"01.01.01.01.02.01.03c", "halted", "halted: 1 of 7 resolved failed (limit"},
    {"01.01.01.01.02.02c03c03c", "halted", "halted: 3 of 8 resolved failed (limit"},
    {"01.01.02c03c03c03c03c", "halted",
     "halted: 5 of 7 resolved failed, 4 of them on hardware revision 3 (limit"},
    {"03c03c03c", "halted", "halted: 3 of 3 resolved failed (limit"},
    /* A gateway's failures are its own first; a revision that they share is said, too. */
    {"11.01.01.01.01.01.01.01.01.01.01.01.23c23c23c", "paused",
     "3 of 3 failures are behind gateway gw-2, 0 of 12 elsewhere: paused, all on hardware revision "
     "3"},
    {"11.01.23c23c", "paused",
     "2 of 2 failures are behind gateway gw-2, 0 of 2 elsewhere: paused, the image is not blamed"},
    {"11.01.23c23c03.03.03.", "paused", "behind gateway gw-2, 0 of 5 elsewhere"},
    {"11.03.23c23c", "paused",
     "2 of 2 failures are behind gateway gw-2, 0 of 2 elsewhere: paused, the image is not blamed"},
};

START_TEST(failures_of_one_revision_alone_pause_and_name_it)
{
    for (size_t c = 0; c < sizeof hardware_cases / sizeof hardware_cases[0]; c++) {
        struct bench bench;
        make_hardware(&bench, hardware_cases[c].members);
        ck_assert_msg(
            strcmp(serin_rollout_state_text(bench.rollout.state), hardware_cases[c].state) == 0,
            "%s: %s", hardware_cases[c].members, bench.rollout.why);
        ck_assert_msg(strstr(bench.rollout.why, hardware_cases[c].words) != NULL, "%s: %s",
                      hardware_cases[c].members, bench.rollout.why);
        bench_free(&bench);
    }
}
END_TEST

/* Caught: the failures judged forgotten, so that RESUME pauses at once; accepted for ever. */
/* Where too few failed to halt or to pause, it is said all the same where they stand: before anyone
 * goes on without proof. Caught: nothing said below a halt; a gateway's that are a revision's; one
 * failure, which is always alone. */
START_TEST(a_hold_says_where_most_failures_stand)
{
    static const struct {
        uint32_t sites[2];
        uint16_t revisions[2];
        uint32_t failed;
        const char *words;
    } cases[] = {
        {{2, 2}, {1, 1}, 2, ", the stage is small, 2 of 2 failures behind gateway gw-2"},
        {{1, 2}, {3, 3}, 2, ", the stage is small, 2 of 2 failures on hardware revision 3"},
        {{2, 2}, {3, 3}, 2, ", the stage is small, 2 of 2 failures behind gateway gw-2"},
        {{1, 2}, {2, 3}, 2, ", the stage is small; 'serin rollout advance' goes on without proof"},
        {{2, 0}, {3, 1}, 1, ", the stage is small; 'serin rollout advance' goes on without proof"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        uint32_t size = cases[c].failed == 1 ? 20 : 120;
        struct serin_policy policy = bench_staged_policy(size);
        struct bench bench;
        bench_make(&bench, &policy, 1000, 4);
        bench.check = false; /* its recount knows sites only */
        bench.members.hardware = hardware;
        for (uint32_t i = 0; i < size; i++) {
            revisions[bench.members.list[i].device] = 1;
        }
        for (uint32_t i = 0; i < 2; i++) {
            bench_behind(&bench, i, cases[c].sites[i]);
            revisions[bench.members.list[i].device] = cases[c].revisions[i];
        }
        bench_do(&bench, SERIN_ROLLOUT_START);
        for (uint32_t i = 0; i < cases[c].failed; i++) {
            bench_fail(&bench, i);
        }
        bench_confirm_offered(&bench);
        bench_pass(&bench, BENCH_SOAK_MS);
        ck_assert_msg(bench.rollout.held, "case %zu: %s", c, bench.rollout.why);
        size_t at = strlen(bench.rollout.why) - strlen(cases[c].words);
        ck_assert_msg(strcmp(bench.rollout.why + at, cases[c].words) == 0, "case %zu: %s", c,
                      bench.rollout.why);
        bench_free(&bench);
    }
}
END_TEST

START_TEST(a_resume_accepts_a_revisions_failures_and_no_others)
{
    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        struct bench bench;
        make_hardware(&bench, "01.01.01.01.01.01.01.01.01.01.02.02.03c03c03c");
        ck_state(&bench, "paused");
        bench_do(&bench, SERIN_ROLLOUT_RESUME);
        bench_settle(&bench);
        ck_state(&bench, "rolling");
        become(&bench, 15, '.');
        ck_state(&bench, "rolling");
        revisions[bench.members.list[16].device] = elsewhere ? 1 : 3;
        become(&bench, 16, 'c');
        ck_state(&bench, elsewhere ? "halted" : "paused");
        ck_assert(bench_said(&bench, elsewhere ? "halted: 4 of 17 resolved failed"
                                               : "4 of 4 failures are on hardware revision 3"));
        bench_free(&bench);
    }
}
END_TEST

/* Every gate of failures asks whose they are. Caught: only FAILURES. */
START_TEST(each_gate_of_failures_pauses_for_one_revision)
{
    for (size_t g = 0; g < GATE_CASES; g++) {
        struct bench bench;
        make_gate(&bench, &gate_cases[g]);
        bench.check = false;
        bench.members.hardware = hardware;
        for (uint32_t i = 0; i < bench.members.count; i++) {
            revisions[bench.members.list[i].device] = i < 90 ? 1 : 2;
        }
        uint32_t next = 0;
        many(&bench, &next, 90, '.');
        many(&bench, &next, 11, gate_cases[g].bad[0]);
        ck_assert_msg(bench.rollout.state == SERIN_ROLLOUT_PAUSED, "gate %d: %s",
                      gate_cases[g].gate, bench.rollout.why);
        ck_assert(bench_said(&bench, "11 of 11 failures are on hardware revision 2, 0 of 90"));
        bench_free(&bench);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        each_gate_halts_above_its_limit_and_not_at_it,
        no_gate_halts_for_what_another_counts,
        each_gate_waits_for_its_minimum,
        why_names_the_gate_its_figures_and_its_limit,
        a_gate_that_is_off_never_halts,
        a_stage_that_waits_for_nobody_needs_no_minimum,
        a_rebuild_counts_the_same,
        failures_of_one_revision_alone_pause_and_name_it,
        a_hold_says_where_most_failures_stand,
        a_resume_accepts_a_revisions_failures_and_no_others,
        each_gate_of_failures_pauses_for_one_revision,
        NULL,
    };
    return check_run("engine_gates", tests);
}
