/*
 * The rollout engine and sites: failures behind one gateway pause and are named, others halt, and
 * no stage passes on the word of one gateway while another could speak (docs/spec/rollout.md,
 * section 6). The bench recounts both rules after every step.
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <string.h>

/* One stage of everybody, judged when all have resolved. */
static struct serin_policy whole_policy(uint32_t minimum)
{
    struct serin_policy policy = bench_policy();
    policy.stage_count = 1;
    policy.stages[0] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = BENCH_SOAK_S};
    policy.gates[SERIN_GATE_FAILURES].minimum = minimum;
    return policy;
}

/* Ten devices in one stage, the third, sixth and eighth of which stand behind gw-2; the others have
 * confirmed and these three have failed. */
static void make_paused(struct bench *bench, uint64_t seed)
{
    static const uint32_t sites[] = {0, 1, 2, 0, 1, 2, 3, 2, 0, 0};
    struct serin_policy policy = whole_policy(10);
    bench_make(bench, &policy, 10, seed);
    bench_sites(bench, sites, 10);
    bench_do(bench, SERIN_ROLLOUT_START);
    for (uint32_t i = 0; i < 10; i++) {
        if (sites[i] != 2) {
            bench_set(bench, i, SERIN_STATE_CONFIRMED);
        }
    }
    bench_fail(bench, 2);
    bench_fail(bench, 5);
    ck_state(bench, "rolling");
    bench_fail(bench, 7);
}

/* ---- failures ---- */

/* Caught: a halt all the same; the pause without its PUBLISH; the state to go back to forgotten. */
START_TEST(failures_of_one_gateway_pause_and_name_it)
{
    struct bench bench;
    make_paused(&bench, 1);
    ck_state(&bench, "paused");
    ck_assert_int_eq(bench.rollout.resume_to, SERIN_ROLLOUT_ROLLING);
    ck_assert_str_eq(bench.rollout.why,
                     "3 of 3 failures are behind gateway gw-2, 0 of 7 elsewhere: "
                     "paused, the image is not blamed");
    ck_assert_str_eq(bench.actions.list[1].text, bench.rollout.why);
    ck_assert_int_eq(bench.actions.list[1].kind, SERIN_ROLLOUT_ACT_AUDIT);
    ck_assert_int_eq(bench.actions.list[2].kind, SERIN_ROLLOUT_ACT_PUBLISH);
    ck_assert_uint_eq(bench.publishes, 2);
    ck_assert_uint_eq(bench.rollout.ended_ms, 0);
    struct serin_directive directive;
    serin_rollout_candidate(&bench.rollout, &directive);
    ck_assert_int_eq(directive.candidate_state, SERIN_CANDIDATE_PAUSED);
    /* It waits for an operator, for as long as it takes. */
    ck_assert_uint_eq(serin_rollout_deadline_ms(&bench.rollout, &bench.members), UINT64_MAX);
    bench_pass(&bench, 86400000);
    ck_state(&bench, "paused");
    bench_free(&bench);
}
END_TEST

/* Who fails behind which gateway, and who is well; 'x' fails, '.' confirms, in turn; the site is
 * the digit before it. The last one trips the gate. Caught: ≥ made > in either count; a direct
 * device taken for a site of all of them; failures elsewhere left out; the well ones counted behind
 * the gateway too. */
static const struct {
    const char *members, *state, *what;
} clusters[] = {
    {"0.0.0.0.0.0.0.2x2x2x", "paused", "three behind one gateway, seven direct devices well"},
    {"1.1.3.3.1.1.1.2x2x2x", "paused", "the well ones behind gateways themselves"},
    {"0.0.2x2x", "paused", "as few as it takes"},
    {"0.0.0.2.2.2.2x2x2x", "paused", "some behind the gateway are well, too"},
    {"0.0.2.2.2.2.2x2x2x", "halted", "two elsewhere for three failures"},
    {"0.2x2x", "halted", "one elsewhere"},
    {"2x2x2x", "halted", "nobody elsewhere"},
    {"2.2.2.2.2x2x2x", "halted", "the well ones all behind the same gateway"},
    {"0.0.0.0.0.0.0.0.0.2x", "halted", "one failure"},
    {"0.0.0.0.0.0.0.2x2x1x", "halted", "two gateways"},
    {"0.0.0.0.0.0.0.1x2x2x", "halted", "two gateways, in another order"},
    {"0.0.0.0.0.0.0.2x2x0x", "halted", "a direct device, too"},
    {"0.0.0.0.0.0.0.0x2x2x", "halted", "a direct device first"},
    {"0.0.0.0.0.0.0.0x0x0x", "halted", "direct devices, each a site of its own"},
    {"0.0.0.0.0.0.1x1x2x2x", "halted", "as many behind each of two"},
};

START_TEST(only_failures_of_one_gateway_alone_pause)
{
    for (size_t c = 0; c < sizeof clusters / sizeof clusters[0]; c++) {
        const char *text = clusters[c].members;
        uint32_t count = (uint32_t)strlen(text) / 2;
        struct serin_policy policy = whole_policy(count);
        struct bench bench;
        bench_make(&bench, &policy, count, c);
        for (uint32_t i = 0; i < count; i++) {
            bench_behind(&bench, i, (uint32_t)(text[(size_t)i * 2] - '0'));
        }
        bench_do(&bench, SERIN_ROLLOUT_START);
        for (uint32_t i = 0; i < count; i++) {
            ck_state(&bench, "rolling");
            if (text[(size_t)i * 2 + 1] == 'x') {
                bench_fail(&bench, i);
            } else {
                bench_set(&bench, i, SERIN_STATE_CONFIRMED);
            }
        }
        ck_assert_msg(strcmp(serin_rollout_state_text(bench.rollout.state), clusters[c].state) == 0,
                      "%s: %s", clusters[c].what, bench.rollout.why);
        bench_free(&bench);
    }
}
END_TEST

/* A gateway's word does not make the failures of others fewer: `behind` confirm behind gw-9, then
 * `well` elsewhere, then `failing` elsewhere, one by one. Caught: the gate judged on all alone; the
 * direct devices left out instead; the minimum forgotten, or counted with the gateway; failures
 * behind the gateway counted elsewhere. */
static const struct {
    uint32_t behind, well, failing, waiting, minimum, site;
    const char *state, *what;
} diluted[] = {
    {90, 9, 1, 1, 1, 0, "halted", "1 of 10 elsewhere, and 1 of 100 in all"},
    {90, 9, 1, 1, 10, 0, "halted", "just the minimum elsewhere"},
    {90, 9, 1, 1, 11, 0, "rolling", "less than the minimum elsewhere"},
    {90, 9, 1, 0, 11, 0, "halted", "the minimum does not count where nobody is waited for"},
    {90, 49, 1, 1, 1, 0, "rolling", "at the limit elsewhere"},
    {90, 48, 1, 1, 1, 0, "halted", "just above it"},
    {90, 9, 1, 1, 1, 9, "rolling", "it is one of the gateway's that failed"},
    {90, 9, 1, 1, 1, 3, "halted", "behind another gateway; one failure says nothing of a site"},
};

START_TEST(a_gateways_word_does_not_dilute_failures_elsewhere)
{
    for (size_t c = 0; c < sizeof diluted / sizeof diluted[0]; c++) {
        uint32_t spoken = diluted[c].behind + diluted[c].well + diluted[c].failing;
        struct serin_policy policy = whole_policy(diluted[c].minimum);
        struct bench bench;
        bench_make(&bench, &policy, spoken + diluted[c].waiting, c);
        for (uint32_t i = 0; i < diluted[c].behind; i++) {
            bench_behind(&bench, i, 9);
        }
        for (uint32_t i = diluted[c].behind + diluted[c].well; i < spoken; i++) {
            bench_behind(&bench, i, diluted[c].site);
        }
        bench_do(&bench, SERIN_ROLLOUT_START);
        for (uint32_t i = 0; i < diluted[c].behind + diluted[c].well; i++) {
            bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        }
        for (uint32_t i = diluted[c].behind + diluted[c].well; i < spoken; i++) {
            ck_state(&bench, "rolling");
            bench_fail(&bench, i);
        }
        ck_assert_msg(strcmp(serin_rollout_state_text(bench.rollout.state), diluted[c].state) == 0,
                      "%s: %s %s", diluted[c].what, serin_rollout_state_text(bench.rollout.state),
                      bench.rollout.why);
        if (c == 0) {
            ck_assert_str_eq(bench.rollout.why,
                             "halted: 1 of 10 resolved failed, not counting gateway gw-9 (limit "
                             "2.00 %, minimum 1): not_confirmed");
        }
        bench_free(&bench);
    }
}
END_TEST

static uint32_t most(const void *sites)
{
    (void)sites;
    return 90;
}

static uint32_t none(const void *sites)
{
    (void)sites;
    return 0;
}

/* The bound spares a walk, and decides nothing: what it allows is what it does not forbid. Caught:
 * the bound taken for the largest gateway's count. */
START_TEST(a_bound_of_one_gateways_devices_changes_no_verdict)
{
    for (int bounded = 0; bounded < 2; bounded++) {
        struct serin_policy policy = whole_policy(1);
        struct bench bench;
        bench_make(&bench, &policy, 101, 5);
        bench.members.site_most = bounded ? most : none;
        for (uint32_t i = 0; bounded && i < 60; i++) {
            bench_behind(&bench, i, 9);
        }
        bench_do(&bench, SERIN_ROLLOUT_START);
        for (uint32_t i = 0; i < 99; i++) {
            bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        }
        bench_fail(&bench, 99); /* 1 of 100; 1 of 40 elsewhere */
        ck_state(&bench, bounded ? "halted" : "rolling");
        bench_free(&bench);
    }
}
END_TEST

/* Refusals and what times out are failures as any; who is ahead of the release or gone is nobody's.
 * Caught: the state compared instead of the book. */
START_TEST(every_kind_of_failure_counts_and_nothing_else)
{
    struct serin_policy policy = whole_policy(5);
    struct bench bench;
    bench_make(&bench, &policy, 9, 3);
    static const uint32_t sites[] = {2, 2, 2, 0, 0, 0, 1, 1, 0};
    bench_sites(&bench, sites, 9);
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_assert_int_eq(bench_member(&bench, 6, SERIN_STATE_REJECTED, SERIN_REASON_NOT_NEWER),
                     SERIN_OK);
    bench_set(&bench, 7, SERIN_STATE_CANCELLED);
    bench_set(&bench, 0, SERIN_STATE_PENDING);
    ck_assert_int_eq(bench_member(&bench, 1, SERIN_STATE_REJECTED, SERIN_REASON_SIGNATURE),
                     SERIN_OK);
    for (uint32_t i = 2; i < 6; i++) {
        ck_state(&bench, "rolling");
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    ck_state(&bench, "halted"); /* one refusal of five */
    bench_free(&bench);

    policy.gates[SERIN_GATE_FAILURES].minimum = 6;
    bench_make(&bench, &policy, 9, 3);
    bench_sites(&bench, sites, 9);
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_assert_int_eq(bench_member(&bench, 6, SERIN_STATE_REJECTED, SERIN_REASON_NOT_NEWER),
                     SERIN_OK);
    bench_set(&bench, 7, SERIN_STATE_CANCELLED);
    bench_set(&bench, 0, SERIN_STATE_PENDING);
    ck_assert_int_eq(bench_member(&bench, 1, SERIN_STATE_REJECTED, SERIN_REASON_SIGNATURE),
                     SERIN_OK);
    for (uint32_t i = 2; i < 6; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    ck_state(&bench, "rolling");
    bench_pass(&bench, 1260000); /* the first is too slow */
    ck_assert_int_eq(bench.members.list[0].state, SERIN_STATE_TIMED_OUT);
    ck_state(&bench, "paused");
    ck_assert(bench_said(&bench, "2 of 2 failures are behind gateway gw-2, 0 of 3 elsewhere"));
    bench_free(&bench);
}
END_TEST

/* In each state that has a gate. Caught: a row of the table left out. */
START_TEST(each_state_with_a_gate_can_pause)
{
    static const enum serin_rollout_state states[] = {SERIN_ROLLOUT_ROLLING, SERIN_ROLLOUT_SOAKING,
                                                      SERIN_ROLLOUT_AWAITING};
    for (size_t s = 0; s < sizeof states / sizeof states[0]; s++) {
        struct serin_policy policy = bench_policy();
        policy.stages[0] = (struct serin_stage_policy){.count = 101, .soak_s = BENCH_SOAK_S};
        policy.stages[1] = (struct serin_stage_policy){.permyriad = 10000, .approval = true};
        policy.stage_count = 2;
        struct bench bench;
        bench_make(&bench, &policy, 200, s);
        bench_behind(&bench, 10, 1);
        bench_behind(&bench, 20, 1);
        bench_behind(&bench, 30, 1);
        bench_do(&bench, SERIN_ROLLOUT_START);
        for (uint32_t i = 0; i < (states[s] == SERIN_ROLLOUT_ROLLING ? 100 : 101); i++) {
            bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        }
        bench_pass(&bench, states[s] == SERIN_ROLLOUT_AWAITING ? BENCH_SOAK_MS : 1000u);
        ck_assert_int_eq(bench.rollout.state, states[s]);
        for (uint32_t i = 10; i <= 30; i += 10) {
            ck_assert_int_eq(bench.rollout.state, states[s]);
            ck_assert_int_eq(bench_member(&bench, i, SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH),
                             SERIN_OK);
        }
        ck_state(&bench, "paused");
        ck_assert_int_eq(bench.rollout.resume_to, states[s]);
        bench_do(&bench, SERIN_ROLLOUT_RESUME);
        ck_assert_int_eq(bench.rollout.state, states[s]);
        bench_free(&bench);
    }
}
END_TEST

/* ---- what an operator does about it ---- */

/* Caught: paused again by the same failures; accepted for ever; `why` kept when it is resumed. */
START_TEST(a_resume_accepts_these_failures_and_no_others)
{
    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        struct bench bench;
        make_paused(&bench, 4);
        ck_assert_int_eq(bench_note(&bench, SERIN_ROLLOUT_RESUME, "its depot was full"), SERIN_OK);
        ck_assert(bench_said(&bench, "resumed by an operator: its depot was full"));
        ck_assert(bench_said(&bench, "the 3 failures so far are accepted: one more is judged"));
        ck_state(&bench, "soaking"); /* everybody has resolved */
        ck_assert_str_eq(bench.rollout.why, "");
        ck_assert_uint_eq(bench.publishes, 3);
        bench_pass(&bench, 300000);
        ck_state(&bench, "soaking");
        if (elsewhere) {
            ck_assert_int_eq(bench_member(&bench, 0, SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH),
                             SERIN_OK);
            ck_state(&bench, "halted");
            ck_assert_str_eq(bench.rollout.why, "halted: 4 of 10 resolved failed (limit 2.00 %, "
                                                "minimum 10): not_confirmed");
        } else {
            bench_pass(&bench, 300000);
            ck_state(&bench, "completed");
            ck_assert_uint_eq(bench.rollout.tally.failed, 3);
        }
        bench_free(&bench);
    }
}
END_TEST

START_TEST(one_more_failure_behind_it_pauses_again)
{
    static const uint32_t sites[] = {2, 2, 2, 2};
    struct serin_policy policy = whole_policy(10);
    struct bench bench;
    bench_make(&bench, &policy, 14, 5);
    bench_sites(&bench, sites, 4);
    bench_do(&bench, SERIN_ROLLOUT_START);
    for (uint32_t i = 4; i < 12; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    bench_fail(&bench, 0);
    ck_state(&bench, "rolling");
    bench_fail(&bench, 1);
    ck_state(&bench, "paused");
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    bench_set(&bench, 12, SERIN_STATE_CONFIRMED); /* the ratio is as bad as ever */
    bench_settle(&bench);
    ck_state(&bench, "rolling");
    bench_fail(&bench, 2);
    ck_state(&bench, "paused");
    ck_assert(bench_said(&bench, "3 of 3 failures are behind gateway gw-2, 0 of 9 elsewhere"));
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    ck_state(&bench, "rolling");
    bench_free(&bench);
}
END_TEST

/* Caught: the gate asleep while it is paused; an audit line for each of a hundred nodes. */
START_TEST(while_paused_the_figures_follow_and_one_elsewhere_halts)
{
    struct serin_policy policy = whole_policy(10);
    struct bench bench;
    bench_make(&bench, &policy, 40, 6);
    for (uint32_t i = 0; i < 6; i++) {
        bench_behind(&bench, i, 7);
    }
    bench_do(&bench, SERIN_ROLLOUT_START);
    for (uint32_t i = 10; i < 30; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    bench_fail(&bench, 0);
    ck_state(&bench, "halted"); /* 1 of 21 at once: one failure says nothing of a site */
    bench_free(&bench);

    policy.gates[SERIN_GATE_FAILURES].max_permyriad = 1000;
    bench_make(&bench, &policy, 40, 6);
    for (uint32_t i = 0; i < 6; i++) {
        bench_behind(&bench, i, 7);
    }
    bench_do(&bench, SERIN_ROLLOUT_START);
    for (uint32_t i = 10; i < 30; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    for (uint32_t i = 0; i < 3; i++) {
        bench_fail(&bench, i);
    }
    ck_state(&bench, "paused");
    unsigned audits = bench.audits;
    unsigned publishes = bench.publishes;
    bench_fail(&bench, 3);
    ck_state(&bench, "paused");
    ck_assert(bench_said(&bench, "4 of 4 failures are behind gateway gw-7, 0 of 20 elsewhere"));
    ck_assert_uint_eq(bench.audits, audits);
    ck_assert_uint_eq(bench.publishes, publishes); /* devices read the same as before */
    bench_fail(&bench, 30);
    ck_state(&bench, "halted");
    ck_assert_str_eq(bench.rollout.why,
                     "halted: 5 of 25 resolved failed, 4 of them behind gateway gw-7 (limit 10.00 "
                     "%, minimum 10): not_confirmed");
    ck_assert_uint_eq(bench.publishes, publishes + 1);
    bench_free(&bench);
}
END_TEST

/* An operator's pause stays one, and learns why it must. Caught: resume_to set to PAUSED. */
START_TEST(an_operators_pause_learns_of_the_site)
{
    static const uint32_t sites[] = {0, 0, 2, 2};
    struct serin_policy policy = whole_policy(4);
    struct bench bench;
    bench_make(&bench, &policy, 5, 7);
    bench_sites(&bench, sites, 4);
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_set(&bench, 0, SERIN_STATE_CONFIRMED);
    bench_set(&bench, 1, SERIN_STATE_CONFIRMED);
    bench_do(&bench, SERIN_ROLLOUT_PAUSE);
    ck_assert_str_eq(bench.rollout.why, "paused by an operator");
    bench_fail(&bench, 2);
    unsigned publishes = bench.publishes;
    bench_fail(&bench, 3);
    ck_state(&bench, "paused");
    ck_assert(bench_said(&bench, "2 of 2 failures are behind gateway gw-2"));
    ck_assert(bench_acted(&bench, SERIN_ROLLOUT_ACT_AUDIT));
    ck_assert_uint_eq(bench.publishes, publishes);
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    ck_state(&bench, "rolling");
    bench_free(&bench);
}
END_TEST

/* It says so, also after failures that were accepted, which a RESUME does not accept again. Caught:
 * the operator named; the reason kept after RESUME, or taken for a judgement. */
START_TEST(what_a_restored_store_learns_is_no_operators_word)
{
    static const struct serin_rollout_event pause = {
        .kind = SERIN_ROLLOUT_PAUSE, .note = "order 1.7 was published before", .restored = true};
    struct bench bench;
    make_paused(&bench, 3);
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    ck_state(&bench, "soaking");
    ck_assert_int_eq(
        serin_rollout_step(&bench.rollout, &bench.members, bench.now_ms, &pause, &bench.actions),
        SERIN_OK);
    bench.publishes++;
    ck_state(&bench, "paused");
    ck_assert_str_eq(bench.rollout.why,
                     "paused: order 1.7 was published before; resume, halt or abort it");
    ck_assert(bench_said(&bench, bench.rollout.why));
    ck_assert(!bench_said(&bench, "operator"));
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    ck_state(&bench, "soaking");
    ck_assert_str_eq(bench.rollout.why, "");
    ck_assert(!bench_said(&bench, "accepted"));
    struct serin_rollout_event halt = pause;
    halt.kind = SERIN_ROLLOUT_HALT;
    ck_assert_int_eq(
        serin_rollout_step(&bench.rollout, &bench.members, bench.now_ms, &halt, &bench.actions),
        SERIN_OK);
    ck_assert_str_eq(bench.rollout.why, "halted: order 1.7 was published before");
    bench_free(&bench);
}
END_TEST

/* A later pause of an operator's own accepts nothing, also where a version judged that did not say
 * when. Caught: whatever has a reason taken for a judgement. */
START_TEST(an_operators_pause_is_no_judgement)
{
    for (int old = 0; old < 2; old++) {
        struct bench bench;
        make_paused(&bench, 3);
        ck_assert(!serin_rollout_paused_by_operator(&bench.rollout));
        bench_do(&bench, SERIN_ROLLOUT_RESUME);
        ck_assert(bench_said(&bench, "accepted"));
        if (old > 0) {
            bench.check = false;
            bench.rollout.judging_watch_s = bench.rollout.judged_watch_s = 0;
        }
        ck_assert_int_eq(bench_note(&bench, SERIN_ROLLOUT_PAUSE, "lunch"), SERIN_OK);
        ck_assert_str_eq(bench.rollout.why, "paused by an operator: lunch");
        ck_assert(serin_rollout_paused_by_operator(&bench.rollout));
        bench_do(&bench, SERIN_ROLLOUT_RESUME);
        ck_state(&bench, "soaking");
        ck_assert(!bench_said(&bench, "accepted"));
        ck_assert_str_eq(bench.rollout.why, "");
        bench_free(&bench);
    }
}
END_TEST

START_TEST(an_operator_may_halt_or_withdraw_instead)
{
    struct bench bench;
    make_paused(&bench, 8);
    ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_ADVANCE), SERIN_ERR_STATE);
    ck_assert_int_eq(bench_note(&bench, SERIN_ROLLOUT_HALT, "it is the image"), SERIN_OK);
    ck_state(&bench, "halted");
    ck_assert_str_eq(bench.rollout.why, "halted by an operator: it is the image");
    bench_free(&bench);
    make_paused(&bench, 8);
    bench_do(&bench, SERIN_ROLLOUT_ABORT);
    ck_state(&bench, "aborted");
    ck_assert(bench_said(&bench, "3 of 3 failures are behind gateway gw-2")); /* figures stay */
    bench_free(&bench);
}
END_TEST

/* ---- what people read ---- */

/* At least 80 % of at least two. Caught: more than half; a limit of three; one alone. */
START_TEST(a_halt_says_where_most_failures_stand)
{
    static const struct {
        const char *failing; /* sites */
        const char *words;
    } cases[] = {
        {"222", "halted: 3 of 3 resolved failed, 3 of them behind gateway gw-2 (limit"},
        {"22221", "halted: 5 of 5 resolved failed, 4 of them behind gateway gw-2 (limit"},
        {"12222", "halted: 5 of 5 resolved failed, 4 of them behind gateway gw-2 (limit"},
        {"02222", "halted: 5 of 5 resolved failed, 4 of them behind gateway gw-2 (limit"},
        {"2221", "halted: 4 of 4 resolved failed (limit"},
        {"22", "halted: 2 of 2 resolved failed, 2 of them behind gateway gw-2 (limit"},
        {"12", "halted: 2 of 2 resolved failed (limit"},
        {"20", "halted: 2 of 2 resolved failed (limit"},
        {"0000", "halted: 4 of 4 resolved failed (limit"},
        {"11112222", "halted: 8 of 8 resolved failed (limit"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        uint32_t count = (uint32_t)strlen(cases[c].failing);
        struct serin_policy policy = whole_policy(count);
        struct bench bench;
        bench_make(&bench, &policy, count, c);
        for (uint32_t i = 0; i < count; i++) {
            bench_behind(&bench, i, (uint32_t)(cases[c].failing[i] - '0'));
        }
        bench_do(&bench, SERIN_ROLLOUT_START);
        for (uint32_t i = 0; i < count; i++) {
            bench_fail(&bench, i);
        }
        ck_state(&bench, "halted");
        ck_assert_msg(strncmp(bench.rollout.why, cases[c].words, strlen(cases[c].words)) == 0, "%s",
                      bench.rollout.why);
        bench_free(&bench);
    }
}
END_TEST

static const char *long_name(const void *sites, uint32_t site)
{
    (void)sites;
    (void)site;
    return "a234567890123456789012345678901234567890123456789012345678901234";
}

static const char *no_name(const void *sites, uint32_t site)
{
    (void)sites;
    (void)site;
    return NULL;
}

/* Two failures behind gateway 5 of four devices, whatever the gateway is called. */
static void make_named(struct bench *bench, const char *(*name)(const void *sites, uint32_t site))
{
    struct serin_policy policy = whole_policy(4);
    bench_make(bench, &policy, 4, 9);
    bench->check = false; /* which knows its own names only */
    bench->members.site_name = name;
    bench_behind(bench, 2, 5);
    bench_behind(bench, 3, 5);
    bench_do(bench, SERIN_ROLLOUT_START);
    bench_set(bench, 0, SERIN_STATE_CONFIRMED);
    bench_set(bench, 1, SERIN_STATE_CONFIRMED);
    bench_fail(bench, 2);
    bench_fail(bench, 3);
    ck_state(bench, "paused");
}

START_TEST(a_site_without_a_name_has_a_number_and_a_long_name_fits)
{
    struct bench bench;
    make_named(&bench, long_name);
    ck_assert_str_eq(bench.rollout.why,
                     "2 of 2 failures are behind gateway "
                     "a234567890123456789012345678901234567890123456789012345678901234, 0 of 2 "
                     "elsewhere: paused, the image is not blamed");
    bench_free(&bench);
    make_named(&bench, no_name);
    ck_assert(bench_said(&bench, "are behind gateway number 5, 0 of 2"));
    bench_free(&bench);
    make_named(&bench, NULL);
    ck_assert(bench_said(&bench, "are behind gateway number 5, 0 of 2"));
    bench_free(&bench);
}
END_TEST

/* Without the look-up, all are direct. Caught: NULL called. */
START_TEST(without_a_look_up_all_devices_are_direct)
{
    struct bench bench;
    struct serin_policy policy = whole_policy(10);
    bench_make(&bench, &policy, 10, 16);
    bench.members.site = NULL;
    bench.members.site_name = NULL;
    bench_do(&bench, SERIN_ROLLOUT_START);
    for (uint32_t i = 0; i < 7; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    for (uint32_t i = 7; i < 10; i++) {
        bench_fail(&bench, i);
    }
    ck_state(&bench, "halted");
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        failures_of_one_gateway_pause_and_name_it,
        only_failures_of_one_gateway_alone_pause,
        a_gateways_word_does_not_dilute_failures_elsewhere,
        a_bound_of_one_gateways_devices_changes_no_verdict,
        every_kind_of_failure_counts_and_nothing_else,
        each_state_with_a_gate_can_pause,
        a_resume_accepts_these_failures_and_no_others,
        one_more_failure_behind_it_pauses_again,
        while_paused_the_figures_follow_and_one_elsewhere_halts,
        an_operators_pause_learns_of_the_site,
        what_a_restored_store_learns_is_no_operators_word,
        an_operators_pause_is_no_judgement,
        an_operator_may_halt_or_withdraw_instead,
        a_halt_says_where_most_failures_stand,
        a_site_without_a_name_has_a_number_and_a_long_name_fits,
        without_a_look_up_all_devices_are_direct,
        NULL,
    };
    return check_run("engine_site", tests);
}
