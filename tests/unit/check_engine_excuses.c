/*
 * Whose time-out the network excuses: a function of when it came and of when others were silent
 * (docs/spec/rollout.md, section 11). Nights excuse nobody who had the day to be heard in.
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <string.h>

#define HOUR_S     3600u
#define HOUR_MS    UINT64_C(3600000)
#define MINUTE_MS  UINT64_C(60000)
#define DEADLINE_S (24u * HOUR_S)
#define FIRST      100u
#define OTHERS     900u
#define HANG       10u
#define DARK       180u /* of the others: a fifth */

static struct serin_health health[FIRST + OTHERS]; /* by device */
static bool quiet[FIRST + OTHERS];
static uint32_t interval_s = HOUR_S; /* between beats */

/* A hundred, and then everyone, both at once; soaks of `soak_h`; 0.5 % against 2 %. */
static struct serin_policy policy_of(uint32_t soak_h)
{
    struct serin_policy policy = bench_staged_policy(FIRST);
    policy.stages[0].soak_s = policy.stages[1].soak_s = soak_h * HOUR_S;
    policy.gates[SERIN_GATE_SILENCE] =
        (struct serin_gate_policy){.max_permyriad = 9000, .minimum = 30};
    policy.patience_s = policy.deadline_s = DEADLINE_S;
    return policy;
}

/* The same with one window of an hour a day: it opens when the release is offered. */
static struct serin_policy daily_policy(void)
{
    struct serin_policy policy = policy_of(30 * 24);
    policy.window_count = 1;
    policy.windows[0] = (struct serin_window){.days = 0x7F, .from_min = 780, .until_min = 840};
    return policy;
}

static void beat_all(struct bench *bench)
{
    for (uint32_t device = 0; device < FIRST + OTHERS; device++) {
        const struct serin_health_beat said = {
            .interval_s = interval_s, .uptime_s = (bench->now_ms - BENCH_START_MS) / 1000 + 86400};
        if (!quiet[device]) {
            serin_health_beat(&health[device], bench->now_ms / 1000, &said,
                              bench->rollout.state != SERIN_ROLLOUT_CREATED);
        }
    }
}

/* Whatever is derived can be derived again: after a restart it is the same. */
static void rebuild(struct bench *bench)
{
    static struct serin_evidence before;
    before = bench->rollout.evidence;
    serin_rollout_rebuild(&bench->rollout, &bench->members);
    const struct serin_evidence *after = &bench->rollout.evidence;
    ck_assert_mem_eq(before.exposed, after->exposed, sizeof before.exposed);
    ck_assert_mem_eq(before.failed, after->failed, sizeof before.failed);
    ck_assert_mem_eq(before.silent, after->silent, sizeof before.silent);
    ck_assert_uint_eq(before.stage_silent, after->stage_silent);
    ck_assert_uint_eq(before.stage_heard, after->stage_heard);
    ck_assert_uint_eq(before.stage_failed, after->stage_failed);
}

static void beats(struct bench *bench, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        bench_pass(bench, interval_s * UINT64_C(1000));
        beat_all(bench);
        rebuild(bench);
    }
}

static void hours(struct bench *bench, unsigned count)
{
    beats(bench, count * (HOUR_S / interval_s));
}

static void darken(const struct bench *bench, uint32_t from, uint32_t count, bool dark)
{
    for (uint32_t i = from; i < from + count; i++) {
        quiet[bench->members.list[i].device] = dark;
    }
}

/* The first stage is offered; all of it but `hang` confirm at once. */
static void make_with(struct bench *bench, const struct serin_policy *policy, uint32_t hang)
{
    memset(health, 0, sizeof health);
    memset(quiet, 0, sizeof quiet);
    bench_make(bench, policy, FIRST + OTHERS, 1);
    bench->check = false; /* it knows of no comparison */
    bench->members.health = health;
    hours(bench, 5);
    bench_do(bench, SERIN_ROLLOUT_START);
    for (uint32_t i = 0; i < FIRST; i++) {
        bench_set(bench, i, i < hang ? SERIN_STATE_PENDING : SERIN_STATE_CONFIRMED);
    }
}

static void make(struct bench *bench, uint32_t soak_h, uint32_t hang)
{
    struct serin_policy policy = policy_of(soak_h);
    make_with(bench, &policy, hang);
}

static uint32_t watch_s(const struct bench *bench)
{
    return (uint32_t)(bench->rollout.watch_ms / 1000);
}

/* ---- one that timed out ---- */

enum outcome { FAILED, PENDING, EXCUSED };

#define T_S (100u * HOUR_S) /* when it timed out */

/* Times in minutes from when it timed out. Caught: less or more than half of the deadline; the
 * parts of two spells not added up; a spell that lasts for half a deadline more excuses nobody; it
 * is not pending, or for ever; a spell that began later, or was over long before, excuses; no TICK
 * asked for when one settles; light between two spells in one counts as darkness. */
START_TEST(a_time_out_is_excused_by_the_darkness_of_its_deadline)
{
    static const struct {
        int from, until, settled, also_from, also_until, now;
        enum outcome outcome;
        uint32_t lit; /* two in one: so much of it is not dark */
    } cases[] = {
        {-1200, -720, -480, 0, 0, 0, FAILED, 0}, /* a night of eight hours */
        {-1200, -480, -240, 0, 0, 0, EXCUSED, 0},
        {-1200, -481, -240, 0, 0, 0, FAILED, 0},
        {-1500, -720, -480, 0, 0, 0, EXCUSED, 0}, /* 12 hours of 13 lie in it */
        {-1500, -721, -480, 0, 0, 0, FAILED, 0},
        {-1400, -1040, -800, -400, -40, -39, EXCUSED, 0}, /* twice six hours */
        {-1400, -1040, -800, -399, -40, 0, FAILED, 0},
        {-300, 60, 300, 0, 0, 299, PENDING, 0},
        {-300, 60, 300, 0, 0, 300, FAILED, 0},
        {-300, 720, 960, 0, 0, 720, EXCUSED, 0},
        {-300, 719, 960, 0, 0, 719, PENDING, 0},
        {-300, 719, 960, 0, 0, 960, FAILED, 0},
        {-300, -60, 180, 0, 0, 100, PENDING, 0}, /* it may go on, and be seen late */
        {-300, -60, 180, 0, 0, 180, FAILED, 0},
        {-300, -60, -1, 0, 0, 0, FAILED, 0},
        {60, 1500, 1700, 0, 0, 1600, FAILED, 0},
        {-5000, -2000, -1800, 0, 0, 0, FAILED, 0},
        {-3360, 0, 240, 0, 0, 240, FAILED, 1920}, /* three nights in one */
        {-60, 3300, 3540, 0, 0, 3540, FAILED, 1920},
        {-60, 2000, 2200, 0, 0, 2200, EXCUSED, 600},
        {-2000, 0, 240, 0, 0, 0, EXCUSED, 900},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct serin_policy policy = policy_of(24);
        struct bench bench;
        bench_start(&bench, &policy, 200);
        bench_confirm(&bench, 0, 100);
        struct serin_rollout *rollout = &bench.rollout;
        rollout->watch_ms = (uint64_t)((int)T_S + cases[c].now * 60) * 1000;
        rollout->silenced_permyriad = 1000;
        rollout->spell_count = cases[c].also_until != 0 ? 2 : 1;
        rollout->spells[0] = (struct serin_spell){
            T_S + (uint32_t)(cases[c].from * 60), T_S + (uint32_t)(cases[c].until * 60),
            T_S + (uint32_t)(cases[c].settled * 60), cases[c].lit * 60};
        rollout->spells[1] = (struct serin_spell){T_S + (uint32_t)(cases[c].also_from * 60),
                                                  T_S + (uint32_t)(cases[c].also_until * 60),
                                                  T_S + (uint32_t)(cases[c].also_until * 60), 0};
        bench.members.list[3].state = SERIN_STATE_TIMED_OUT;
        bench.members.list[3].reason = SERIN_REASON_DEADLINE;
        bench.members.list[3].watch_s = T_S;
        serin_rollout_rebuild(rollout, &bench.members);
        const struct serin_evidence *evidence = &rollout->evidence;
        enum outcome outcome = evidence->failed[0] == 1   ? FAILED
                               : evidence->silent[0] == 1 ? EXCUSED
                                                          : PENDING;
        ck_assert_msg(outcome == cases[c].outcome, "case %zu: %d", c, (int)outcome);
        ck_assert_uint_eq(evidence->exposed[0], 8);
        ck_assert_uint_eq(evidence->stage_failed, outcome == FAILED ? 1 : 0);
        ck_assert_uint_eq(evidence->stage_silent, outcome == FAILED ? 0 : 1);
        bench.check = false; /* it has no silence in its statistic */
        bench_settle(&bench);
        uint64_t left_ms = serin_rollout_deadline_ms(rollout, &bench.members) - rollout->last_ms;
        int settles = (cases[c].settled - cases[c].now) * 60000;
        ck_assert_uint_eq(left_ms, outcome == PENDING && settles < 300000 ? settles : 300000);
        bench_free(&bench);
    }
}
END_TEST

/* ---- spells ---- */

/* A fifth of the others is dark from the 10th hour of each day on. Caught: one spell that later
 * nights prolong; one that begins when it is seen, or a deadline before; one that never ends; the
 * days between two in one count as dark. */
START_TEST(each_night_is_a_spell_of_its_own)
{
    struct bench bench;
    make(&bench, 30 * 24, 0);
    for (uint32_t day = 0; day < 20; day++) {
        hours(&bench, 10);
        uint32_t from_s = watch_s(&bench);
        darken(&bench, FIRST, DARK, true);
        hours(&bench, 8);
        darken(&bench, FIRST, DARK, false);
        uint32_t until_s = watch_s(&bench);
        hours(&bench, 6);
        uint32_t count = day < SERIN_ENGINE_SPELLS_MAX ? day + 1 : SERIN_ENGINE_SPELLS_MAX;
        ck_assert_uint_eq(bench.rollout.spell_count, count);
        const struct serin_spell *last = &bench.rollout.spells[count - 1];
        ck_assert_uint_le(last->from_s, from_s + 60);
        ck_assert_uint_ge(last->from_s + HOUR_S, from_s);
        ck_assert_uint_le(last->until_s, until_s + HOUR_S + 900);
        ck_assert_uint_ge(last->until_s + 900, until_s);
        ck_assert_uint_ge(last->settled_s, last->until_s + 4 * HOUR_S);
        ck_assert_uint_le(last->settled_s, last->until_s + 5 * HOUR_S);
        for (uint32_t i = 0; i < count; i++) {
            const struct serin_spell *spell = &bench.rollout.spells[i];
            uint32_t nights = i == 0 ? day + 1 - (count - 1) : 1; /* the oldest are one */
            ck_assert_uint_lt(spell->from_s, spell->until_s);
            ck_assert_uint_le(spell->lit_s, (nights - 1) * 16 * HOUR_S);
            ck_assert_uint_ge(spell->lit_s + (nights - 1) * 2 * HOUR_S, (nights - 1) * 16 * HOUR_S);
            ck_assert_uint_le(spell->until_s - spell->from_s, nights * DEADLINE_S - 14 * HOUR_S);
            ck_assert(i == 0 || spell->from_s > spell[-1].until_s + 12 * HOUR_S);
        }
    }
    bench_free(&bench);
}
END_TEST

/* What is dark in two comparisons was so in between, whoever it is: here devices that beat each
 * minute, dark by turns. Caught: a spell for each comparison. */
START_TEST(darkness_that_goes_from_one_to_another_is_one_spell)
{
    struct bench bench;
    interval_s = 60;
    make(&bench, 30 * 24, 0);
    for (uint32_t minute = 0; minute < 240; minute++) {
        darken(&bench, FIRST, 800, false);
        darken(&bench, FIRST + minute / 20 % 4 * 200, 200, true);
        bench_pass(&bench, MINUTE_MS);
        beat_all(&bench);
    }
    ck_assert_uint_eq(bench.rollout.spell_count, 1);
    ck_assert_uint_ge(bench.rollout.spells[0].until_s, 200 * 60);
    bench_free(&bench);
}
END_TEST

/* Silence is counted by the clock, and a deadline by the watch, which stands in a pause. Caught: a
 * spell that reaches back into the time before the pause; others that were silent in the pause
 * count as though they had been for most of a deadline. */
START_TEST(a_pause_is_no_darkness)
{
    struct bench bench;
    make(&bench, 24, 0);
    hours(&bench, 10);
    bench_do(&bench, SERIN_ROLLOUT_PAUSE);
    uint32_t paused_s = watch_s(&bench);
    darken(&bench, FIRST, DARK, true);
    hours(&bench, 20);
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    hours(&bench, 2);
    ck_assert_uint_ge(bench.rollout.long_silent_of, OTHERS);
    ck_assert_uint_eq(bench.rollout.long_silent, 0);
    ck_assert_uint_eq(bench.rollout.spell_count, 1);
    ck_assert_uint_ge(bench.rollout.spells[0].from_s, paused_s);
    ck_assert_uint_le(bench.rollout.spells[0].until_s, paused_s + 2 * HOUR_S);
    bench_free(&bench);
}
END_TEST

/* The watch stands outside of the windows as well. Here one is open for an hour of each day, and a
 * fifth is dark for eight others. Caught: spells found there, in which a time-out stays pending for
 * days; others that count as silent for most of a deadline. */
START_TEST(darkness_outside_the_windows_excuses_nobody)
{
    struct serin_policy policy = daily_policy();
    policy.deadline_s = policy.patience_s = 2 * HOUR_S;
    struct bench bench;
    make_with(&bench, &policy, HANG);
    for (uint32_t hour = 0; hour < 3 * 24; hour++) {
        darken(&bench, FIRST, DARK, hour % 24 >= 4 && hour % 24 < 12);
        ck_assert_uint_eq(bench.rollout.spell_count, 0);
        ck_assert_uint_eq(bench.rollout.long_silent, 0);
        hours(&bench, 1);
    }
    ck_state(&bench, "halted");
    bench_free(&bench);
}
END_TEST

/* Reports that fail for a minute have everybody counted as heard then, but what was seen before
 * stays seen. Dark from the start, for 30 hours; the deadline passes after 24. Caught: others that
 * were silent before the outage no longer count as silent so long, which holds a good release. */
START_TEST(an_outage_of_reports_forgets_no_silence)
{
    struct bench bench;
    make(&bench, 4, 15);
    darken(&bench, 0, 15, true);
    darken(&bench, FIRST, DARK, true);
    hours(&bench, 14);
    bench_do(&bench, SERIN_ROLLOUT_REPORTS_DOWN);
    bench_pass(&bench, MINUTE_MS);
    bench_do(&bench, SERIN_ROLLOUT_REPORTS_UP);
    hours(&bench, 11);
    ck_assert_uint_eq(bench.rollout.long_silent, DARK);
    hours(&bench, 5);
    ck_assert_uint_eq(bench.rollout.tally.failed, 15);
    ck_assert_msg(bench.rollout.stage == 2, "%s", bench.rollout.why);
    bench_free(&bench);
}
END_TEST

/* What the watch showed is known since before a deadline began; where the clock was set back, but
 * for the time that is yet to come. Caught: the latest marks kept only; a mark of the future. */
START_TEST(marks_span_a_deadline)
{
    struct bench bench;
    make(&bench, 30 * 24, 0);
    hours(&bench, 70);
    const struct serin_rollout *rollout = &bench.rollout;
    ck_assert_uint_eq(rollout->mark_count, SERIN_ENGINE_MARKS_MAX);
    ck_assert_uint_le(rollout->marks[0].watch_s + DEADLINE_S, watch_s(&bench));
    for (uint32_t i = 1; i < rollout->mark_count; i++) {
        uint32_t span_s = rollout->marks[i].watch_s - rollout->marks[i - 1].watch_s;
        ck_assert_uint_eq(rollout->marks[i].at_s - rollout->marks[i - 1].at_s, span_s);
        ck_assert_uint_ge(span_s, DEADLINE_S / 12);
        ck_assert_uint_le(span_s, DEADLINE_S / 12 + 1000);
    }
    bench.now_ms -= 3 * HOUR_MS;
    bench_pass(&bench, HOUR_MS);
    ck_assert_uint_ge(rollout->mark_count, SERIN_ENGINE_MARKS_MAX - 2);
    ck_assert_uint_le(rollout->marks[rollout->mark_count - 1].at_s, bench.now_ms / 1000);
    ck_assert_uint_ge(rollout->marks[rollout->mark_count - 1].watch_s, watch_s(&bench) - HOUR_S);
    bench_free(&bench);
}
END_TEST

/* Devices of one gateway fail, ten of them in a night that may go on: what was judged is
 * not counted as undecided any more, as if it were counted anew. Caught: it is, until a restart. */
START_TEST(what_is_judged_is_not_undecided)
{
    uint32_t behind[30];
    struct bench bench;
    make(&bench, 30 * 24, HANG);
    for (uint32_t i = 0; i < 30; i++) {
        behind[i] = 2;
    }
    bench_sites(&bench, behind, 30);
    hours(&bench, 18);
    darken(&bench, FIRST, DARK, true);
    hours(&bench, 7);
    ck_assert_uint_eq(bench.rollout.evidence.undecided, HANG);
    for (uint32_t i = HANG; i < 30 && bench.rollout.state != SERIN_ROLLOUT_PAUSED; i++) {
        ck_assert_int_eq(bench_member(&bench, i, SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH),
                         SERIN_OK);
    }
    ck_state(&bench, "paused");
    uint32_t undecided = bench.rollout.evidence.undecided;
    rebuild(&bench);
    ck_assert_uint_eq(undecided, bench.rollout.evidence.undecided);
    bench_free(&bench);
}
END_TEST

/* ---- a release that hangs ---- */

/* However the nights lie, it halts when the deadline passes, or once the night in which it did is
 * over. Caught: nights that excuse (each of them, one that others prolong, one that has a deadline
 * added to it); a pending one that stays so; a settled spell that is found with the next
 * comparison. */
START_TEST(what_hangs_halts_through_the_nights)
{
    unsigned pending = 0; /* the deadline passed in a night that was seen */
    for (uint32_t phase = 0; phase < 24; phase += 3) {
        struct bench bench;
        make(&bench, 24, HANG);
        uint32_t timed_out_s = 0;
        uint32_t minute = 0;
        for (; bench.rollout.state != SERIN_ROLLOUT_HALTED && minute < 48 * 60; minute++) {
            darken(&bench, FIRST, DARK, (minute / 60 + phase) % 24 < 8);
            if (minute % 60 == 0) {
                beat_all(&bench);
            }
            bench_pass(&bench, MINUTE_MS);
            rebuild(&bench);
            if (bench.rollout.tally.failed == HANG && timed_out_s == 0) {
                timed_out_s = bench.members.list[0].watch_s;
            }
        }
        ck_state(&bench, "halted");
        ck_assert_uint_ge(timed_out_s, DEADLINE_S);
        uint32_t count = bench.rollout.spell_count;
        const struct serin_spell *last = &bench.rollout.spells[count - 1];
        if (count > 0 && last->from_s <= timed_out_s && timed_out_s <= last->settled_s) {
            ck_assert_uint_ge(last->settled_s + 60, minute * 60);
            ck_assert_uint_le(last->settled_s, minute * 60);
        } else {
            ck_assert_uint_le(minute * 60, timed_out_s + 120);
        }
        pending += count > 0 && last->from_s <= timed_out_s && timed_out_s <= last->until_s;
        bench_free(&bench);
    }
    ck_assert_uint_ge(pending, 1);
    ck_assert_uint_le(pending, 4);
}
END_TEST

/* What is dark for more than half of a deadline excuses whoever times out in it; but no stage
 * passes on more of those than others were silent for most of a deadline, or than may fail of those
 * that were heard late in theirs. Caught: it passes, as it would for the test in the first case; it
 * halts; it does not say what it is; the share of others that were silent for a while is what is
 * expected; whoever was heard at all counts as heard late, or nobody does. */
START_TEST(nothing_passes_on_more_excuses_than_the_others_explain)
{
    static const struct {
        uint32_t hang, dark, dark_h, heard_h; /* those that hang are heard for so long */
        const char *why;
    } cases[] = {
        {15, 180, 14, 0, "held: 15 of 100 timed out in a dark network, but only 0 of 900 others"},
        {20, 30, 40, 0, "held: 20 of 100 timed out in a dark network, but only 30 of 900 others"},
        {15, 180, 40, 0, ""},  /* fewer than others */
        {3, 180, 14, 0, ""},   /* no more than the accepted rate may bring */
        {15, 180, 40, 10, ""}, /* then they may have fallen silent with the others */
        {15, 180, 40, 14, "held: 15 of 100 timed out in a dark network, but 15 of them were heard"},
        {15, 180, 14, 99, "held: 15 of 100 timed out in a dark network, but 15 of them were heard"},
        {5, 180, 40, 99, "held: 5 of 100 timed out in a dark network, but 5 of them were heard"},
        {4, 180, 40, 99, ""},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct bench bench;
        make(&bench, 4, cases[c].hang);
        for (uint32_t hour = 0; hour < 29; hour++) {
            darken(&bench, FIRST, cases[c].dark, hour < cases[c].dark_h);
            darken(&bench, 0, cases[c].hang, hour >= cases[c].heard_h);
            hours(&bench, 1);
        }
        ck_assert_uint_eq(bench.rollout.tally.failed, cases[c].hang);
        ck_assert_uint_eq(bench.rollout.evidence.silent[0], cases[c].hang < 8 ? cases[c].hang : 8);
        if (cases[c].why[0] == '\0') {
            ck_assert_msg(bench.rollout.stage == 2, "case %zu: %s", c, bench.rollout.why);
        } else {
            ck_state(&bench, "awaiting");
            ck_assert_msg(strstr(bench.rollout.why, cases[c].why) != NULL, "case %zu: %s", c,
                          bench.rollout.why);
            bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
            ck_assert_uint_eq(bench.rollout.stage, 2);
        }
        bench_free(&bench);
    }
}
END_TEST

/* Half of a deadline lies a day back where a window is open for an hour of each. Caught: the half
 * taken by the clock; the whole deadline; whoever was heard since the window closed is missed. */
START_TEST(who_was_heard_between_the_windows_was_heard)
{
    static const struct {
        uint32_t heard_h;
        bool late;
    } cases[] = {{20, false}, {30, true}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct serin_policy policy = daily_policy();
        policy.deadline_s = policy.patience_s = 130 * 60; /* the half ends early in the second */
        struct bench bench;
        make_with(&bench, &policy, HANG);
        for (uint32_t hour = 0; hour < 50; hour++) {
            darken(&bench, 0, HANG, hour >= cases[c].heard_h);
            hours(&bench, 1);
        }
        for (uint32_t i = 0; i < HANG; i++) {
            ck_assert_uint_eq(bench.members.list[i].state, SERIN_STATE_TIMED_OUT);
            ck_assert_uint_eq(bench.members.list[i].heard_late, cases[c].late);
        }
        bench_free(&bench);
    }
}
END_TEST

/* ---- the last stage ---- */

/* Everyone was offered it; those that the first stage confirmed say whether the network is dark.
 * Caught: nobody asked; those asked that this stage confirmed. */
START_TEST(in_the_last_stage_those_confirmed_before_tell)
{
    static const struct {
        uint32_t dark, from; /* so many are, from this place on */
        bool halted;
    } cases[] = {{20, 0, false}, {0, 0, true}, {40, 800, true}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct bench bench;
        make(&bench, 6, 0);
        hours(&bench, 7);
        ck_assert_uint_eq(bench.rollout.stage, 2);
        for (uint32_t i = FIRST; i < FIRST + OTHERS; i++) {
            bench_set(&bench, i, i < FIRST + 40 ? SERIN_STATE_PENDING : SERIN_STATE_CONFIRMED);
        }
        darken(&bench, cases[c].from, cases[c].dark, true);
        hours(&bench, 26);
        ck_assert_uint_eq(bench.rollout.tally.failed, 40);
        ck_assert_msg((bench.rollout.state == SERIN_ROLLOUT_HALTED) == cases[c].halted,
                      "case %zu: %s", c, bench.rollout.why);
        ck_assert_uint_eq(bench.rollout.spell_count, cases[c].halted ? 0 : 1);
        bench_free(&bench);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_time_out_is_excused_by_the_darkness_of_its_deadline,
        each_night_is_a_spell_of_its_own,
        darkness_that_goes_from_one_to_another_is_one_spell,
        a_pause_is_no_darkness,
        darkness_outside_the_windows_excuses_nobody,
        an_outage_of_reports_forgets_no_silence,
        marks_span_a_deadline,
        what_is_judged_is_not_undecided,
        what_hangs_halts_through_the_nights,
        nothing_passes_on_more_excuses_than_the_others_explain,
        who_was_heard_between_the_windows_was_heard,
        in_the_last_stage_those_confirmed_before_tell,
        NULL,
    };
    return check_run("engine_excuses", tests);
}
