/* What must hold of evidence, test and ramp after every step, counted and computed in other words
 * than the engine's (docs/spec/rollout.md, section 10). */
#include "engine_bench.h"

#include <math.h>
#include <string.h>

#define LARGE_STEP 64u /* devices; more wait for the settle time */

#define hold(condition)                     \
    do {                                    \
        if (!(condition)) {                 \
            ck_abort_msg("%s", #condition); \
        }                                   \
    } while (0)

/* ---- what a member is ---- */

enum outcome {
    OUTCOME_NONE,
    OUTCOME_OPEN,
    OUTCOME_WELL,
    OUTCOME_FAILED,
    OUTCOME_SILENT,
    OUTCOME_PENDING /* timed out in a spell that may go on */
};

/* What one that timed out is: counted second by second over its deadline. */
static enum outcome timed_out(const struct serin_rollout *rollout, const struct serin_member *m)
{
    uint32_t deadline_s = rollout->policy.deadline_s;
    uint32_t dark_s = 0;
    for (uint32_t ago_s = 0; ago_s < deadline_s && ago_s < m->watch_s; ago_s++) {
        double middle = (double)m->watch_s - ago_s - 0.5;
        for (uint32_t i = 0; i < rollout->spell_count; i++) {
            const struct serin_spell *spell = &rollout->spells[i];
            dark_s += spell->from_s < middle && middle < spell->until_s;
        }
    }
    enum outcome outcome = dark_s * 2 >= deadline_s ? OUTCOME_SILENT : OUTCOME_FAILED;
    for (uint32_t i = 0; i < rollout->spell_count && outcome != OUTCOME_SILENT; i++) {
        const struct serin_spell *spell = &rollout->spells[i];
        bool in = spell->from_s <= m->watch_s && m->watch_s <= spell->settled_s;
        if (in && spell->until_s >= m->watch_s + deadline_s / 2) {
            outcome = OUTCOME_SILENT;
        } else if (in && spell->settled_s > rollout->watch_ms / 1000) {
            outcome = OUTCOME_PENDING;
        }
    }
    return outcome;
}

static enum outcome outcome_of(const struct serin_rollout *rollout, const struct serin_member *m)
{
    bool accepted = rollout->judged_watch_s != 0 && m->watch_s <= rollout->judged_watch_s &&
                    m->rank <= rollout->judged_threshold;
    enum outcome now = OUTCOME_OPEN;
    switch ((enum serin_state)m->state) {
    case SERIN_STATE_REJECTED:
        if (m->reason == SERIN_REASON_NOT_NEWER) {
            now = OUTCOME_NONE;
            break;
        }
        now = accepted ? OUTCOME_OPEN : OUTCOME_FAILED;
        break;
    case SERIN_STATE_ROLLED_BACK:
    case SERIN_STATE_FAILED:
    case SERIN_STATE_REGRESSED:
    case SERIN_STATE_REVERTED:
        now = accepted ? OUTCOME_OPEN : OUTCOME_FAILED;
        break;
    case SERIN_STATE_TIMED_OUT:
        now = accepted ? OUTCOME_OPEN : timed_out(rollout, m);
        break;
    case SERIN_STATE_CONFIRMED:
        now = OUTCOME_WELL;
        break;
    case SERIN_STATE_UNREACHED:
    case SERIN_STATE_SUPERSEDED:
    case SERIN_STATE_CANCELLED:
        now = OUTCOME_NONE;
        break;
    case SERIN_STATE_INVALID:
    case SERIN_STATE_IDLE:
    case SERIN_STATE_PENDING:
    case SERIN_STATE_DOWNLOADING:
    case SERIN_STATE_VERIFYING:
    case SERIN_STATE_STAGED:
    case SERIN_STATE_TRIAL:
    case SERIN_STATE_COUNT:
        break;
    }
    if (m->failed_before && m->silent_before && !m->ran_before) {
        struct serin_member then = *m;
        then.watch_s = rollout->retried_s;
        return now == OUTCOME_FAILED ? OUTCOME_FAILED : timed_out(rollout, &then);
    }
    return m->ran_before                               ? OUTCOME_NONE
           : m->failed_before                          ? OUTCOME_FAILED
           : m->silent_before && now != OUTCOME_FAILED ? OUTCOME_SILENT
                                                       : now;
}

/* ---- the statistic, from its definition ---- */

/* Where each block begins: eight wide up to 64, then eight blocks an octave, until they are as wide
 * as a power of two of which 96 cover the fleet. */
static uint32_t lay_out(uint32_t population, uint32_t starts[SERIN_ENGINE_BLOCKS_MAX])
{
    uint64_t widest = 8;
    while (widest * 96 < population) {
        widest *= 2;
    }
    uint32_t blocks = 0;
    uint64_t width = 8;
    for (uint64_t at = 0; at <= population && blocks < SERIN_ENGINE_BLOCKS_MAX; at += width) {
        while (width < widest && at >= 16 * width) {
            width *= 2;
        }
        starts[blocks++] = (uint32_t)at;
    }
    return blocks;
}

struct counts {
    double failed, silent, well;
};

static double ratio(const struct serin_rollout *rollout, double rejected, struct counts c)
{
    double accepted = rollout->policy.test.accepted_permyriad / 10000.0;
    return pow(rejected / accepted, c.failed + c.silent) *
           pow((1 - rejected) / (1 - accepted), c.well);
}

/* Of members from `from` on; the bench makes no comparison, so silence weighs as a failure. */
static struct counts count_from(const struct bench *bench, uint32_t from)
{
    struct counts counts = {0, 0, 0};
    for (uint32_t i = from; i < bench->rollout.tally.offered; i++) {
        enum outcome outcome = outcome_of(&bench->rollout, &bench->members.list[i]);
        counts.failed += outcome == OUTCOME_FAILED;
        counts.silent += outcome == OUTCOME_SILENT;
        counts.well +=
            outcome == OUTCOME_OPEN || outcome == OUTCOME_WELL || outcome == OUTCOME_PENDING;
    }
    return counts;
}

static double statistic(const struct bench *bench)
{
    uint32_t starts[SERIN_ENGINE_BLOCKS_MAX];
    double rejected = bench->rollout.policy.test.rejected_permyriad / 10000.0;
    uint32_t blocks = lay_out(bench->members.count, starts);
    struct counts all = count_from(bench, 0);
    double accepted = bench->rollout.policy.test.accepted_permyriad / 10000.0;
    double sum = 0.5 * ratio(&bench->rollout, rejected, all) +
                 0.3 * ratio(&bench->rollout, (accepted + rejected) / 2, all) +
                 0.1 * ratio(&bench->rollout, sqrt(rejected), all);
    for (uint32_t i = 1; i < blocks && starts[i] < bench->rollout.tally.offered; i++) {
        sum += 0.1 / blocks * ratio(&bench->rollout, rejected, count_from(bench, starts[i]));
    }
    return sum;
}

/* ---- checks ---- */

/* Whether it failed when the watch showed more than at the last judgement, if there was one. */
static bool is_unjudged(const struct serin_rollout *rollout, const struct serin_member *m)
{
    struct serin_member first = *m;
    struct serin_rollout none = {.policy = rollout->policy};
    first.failed_before = first.silent_before = first.ran_before = 0;
    bool since = rollout->judging_watch_s == 0 || m->watch_s > rollout->judging_watch_s ||
                 m->rank > rollout->judging_threshold;
    return since && outcome_of(&none, &first) == OUTCOME_FAILED;
}

/* For its stage: but for those that are well since. */
static bool is_silent(const struct serin_member *m, enum outcome outcome)
{
    return outcome == OUTCOME_PENDING ||
           (outcome == OUTCOME_SILENT && m->state != SERIN_STATE_CONFIRMED);
}

static void check_counts(const struct bench *bench)
{
    const struct serin_evidence *evidence = &bench->rollout.evidence;
    uint32_t starts[SERIN_ENGINE_BLOCKS_MAX];
    uint32_t blocks = lay_out(bench->members.count, starts);
    uint32_t well = 0, failed = 0, silent = 0, settled = 0, unjudged = 0;
    for (uint32_t b = 0; b < SERIN_ENGINE_BLOCKS_MAX; b++) {
        uint32_t in_block[3] = {0, 0, 0};
        uint32_t end = b + 1 < blocks ? starts[b + 1] : UINT32_MAX;
        for (uint32_t i = b < blocks ? starts[b] : UINT32_MAX;
             i < end && i < bench->rollout.tally.offered; i++) {
            const struct serin_member *m = &bench->members.list[i];
            enum outcome outcome = outcome_of(&bench->rollout, m);
            bool own = m->stage == bench->rollout.stage;
            in_block[0] += outcome != OUTCOME_NONE;
            in_block[1] += outcome == OUTCOME_FAILED;
            in_block[2] += outcome == OUTCOME_SILENT;
            well += own && outcome == OUTCOME_WELL;
            failed += own && outcome == OUTCOME_FAILED;
            silent += own && is_silent(m, outcome);
            settled += m->state == SERIN_STATE_IDLE && m->rank <= bench->rollout.settled_rank;
            unjudged += is_unjudged(&bench->rollout, m);
        }
        hold(in_block[0] == evidence->exposed[b]);
        hold(in_block[1] == evidence->failed[b]);
        hold(in_block[2] == evidence->silent[b]);
    }
    hold(well == evidence->stage_well);
    hold(failed == evidence->stage_failed);
    hold(silent == evidence->stage_silent);
    hold(settled == evidence->settled);
    hold(unjudged == evidence->unjudged);
    hold(evidence->population == bench->members.count);
}

/* The statistic is never above what it was computed to be, so no halt is missed; and nothing goes
 * on that it speaks against. */
static void check_statistic(const struct bench *bench, const struct serin_rollout *before)
{
    const struct serin_rollout *after = &bench->rollout;
    double limit = 10000.0 / after->policy.test.alpha_permyriad;
    double now = statistic(bench);
    hold(now <= after->evidence.against * (1 + 1e-9) || now < 1e-200);
    bool goes_on = after->state == SERIN_ROLLOUT_ROLLING || after->state == SERIN_ROLLOUT_SOAKING ||
                   after->state == SERIN_ROLLOUT_AWAITING;
    /* Whom a threshold covers anew is judged with the TICK that is asked for at once. */
    hold(!goes_on || after->evidence.unjudged == 0 || after->threshold != before->threshold ||
         now < limit * (1 + 1e-9));
    if (memcmp(&before->evidence.failed, &after->evidence.failed, sizeof after->evidence.failed) !=
        0) {
        hold(fabs(now - after->evidence.against) <= 1e-9 * now || now < 1e-200);
    }
}

/* No stage passes by itself without being accepted, but one too small to be; and that only where
 * the evidence does not lean against the release. */
static void check_pass(const struct bench *bench, const struct serin_rollout *before,
                       const struct serin_rollout_event *event)
{
    const struct serin_rollout *after = &bench->rollout;
    bool passed = before->stage > 0 &&
                  (after->stage != before->stage || (after->state == SERIN_ROLLOUT_COMPLETED &&
                                                     before->state != SERIN_ROLLOUT_COMPLETED));
    bool waived = before->approved && before->waived != 0;
    if (!passed || event->kind == SERIN_ROLLOUT_ADVANCE || waived) {
        return;
    }
    struct counts own = {0, 0, 0};
    for (uint32_t i = 0; i < after->tally.offered; i++) {
        enum outcome outcome = outcome_of(after, &bench->members.list[i]);
        if (bench->members.list[i].stage == before->stage) {
            own.failed += outcome == OUTCOME_FAILED;
            own.silent += is_silent(&bench->members.list[i], outcome);
            own.well += outcome == OUTCOME_WELL;
        }
    }
    const struct serin_test_policy *test = &after->policy.test;
    double rejected = test->rejected_permyriad / 10000.0;
    double accept = test->beta_permyriad / 10000.0 / (1 - test->alpha_permyriad / 10000.0);
    double resolved = own.failed + own.silent + own.well;
    struct counts best = {0, 0, resolved};
    bool small = ratio(after, rejected, best) > accept * (1 - 1e-9);
    bool even = ratio(after, rejected, own) <= 1 + 1e-9;
    bool accepted = ratio(after, rejected, own) <= accept * (1 + 1e-9);
    hold(accepted || (small && even && !test->small_stages_hold));
}

static uint64_t settle_ms(const struct serin_rollout *rollout)
{
    const struct serin_policy *policy = &rollout->policy;
    uint32_t settle_s = policy->ramp.settle_s;
    return (settle_s < policy->patience_s ? settle_s : policy->patience_s) * UINT64_C(1000);
}

/* Devices that are in flight: accepted and not resolved, or offered of late and silent. */
static uint32_t in_flight(const struct bench *bench)
{
    const struct serin_rollout *rollout = &bench->rollout;
    uint32_t flying = 0;
    for (uint32_t i = 0; i < rollout->tally.offered; i++) {
        const struct serin_member *m = &bench->members.list[i];
        bool late = rollout->watch_ms - bench->offered_ms[m->device] < settle_ms(rollout);
        flying += (m->state >= SERIN_STATE_PENDING && m->state <= SERIN_STATE_TRIAL) ||
                  (m->state == SERIN_STATE_IDLE && late && m->since_s == 0);
    }
    return flying;
}

/* How many of those resolved may be in flight, in percent: as much as the ramp ever gives. */
static uint64_t growth(const struct serin_rollout *before, const struct serin_rollout *after)
{
    uint64_t percent = after->policy.ramp.growth_percent;
    uint32_t failed = before->tally.failed + before->tally.regressed + before->tally.rejected;
    bool retried = after->attempt != after->attempt_first;
    percent *= before->accepted || after->accepted ? 8u : failed == 0 && !retried ? 4u : 1u;
    return percent < 100 ? percent : 100;
}

/* Whoever holds the directive may start at any moment: all that have not come to an end are at most
 * four times as many as have, or as `first`; and those that have not been silent for their patience
 * four times as many as may ever be in flight. */
static void check_reach(const struct bench *bench)
{
    const struct serin_rollout *after = &bench->rollout;
    const struct serin_policy *policy = &after->policy;
    uint64_t resolved = after->tally.confirmed + after->tally.failed + after->tally.rejected;
    uint64_t most = 4 * (resolved > policy->ramp.first ? resolved : policy->ramp.first);
    uint64_t limit = bench->members.count / 16 > 64 ? bench->members.count / 16 : 64;
    limit = policy->ramp.first > limit ? policy->ramp.first : limit;
    limit = policy->ramp.first == 0 ? UINT32_MAX : limit;
    limit =
        policy->in_flight_max != 0 && policy->in_flight_max < limit ? policy->in_flight_max : limit;
    uint64_t open = 0, unreached = 0, twins = 0;
    for (uint32_t i = 0; i < after->tally.offered; i++) {
        const struct serin_member *m = &bench->members.list[i];
        open += m->state == SERIN_STATE_IDLE ||
                (m->state >= SERIN_STATE_PENDING && m->state <= SERIN_STATE_TRIAL);
        unreached += m->state == SERIN_STATE_UNREACHED;
        twins += i > 0 && bench->members.list[i - 1].rank == m->rank;
    }
    hold(policy->ramp.first == 0 || open + unreached <= most + after->forgiven + twins);
    hold(open <= 4 * limit + twins);
}

/* Whatever is offered anew fits into what may be in flight, and is not many while the last step
 * settles; but for those whom a threshold covers to reach another site, and joiners with the last
 * of all thresholds. */
static void check_ramp(struct bench *bench, const struct serin_rollout *before)
{
    const struct serin_rollout *after = &bench->rollout;
    const struct serin_ramp_policy *ramp = &after->policy.ramp;
    uint32_t offered = 0;
    for (uint32_t i = 0; i < after->tally.offered; i++) {
        uint64_t *at_ms = &bench->offered_ms[bench->members.list[i].device];
        offered += *at_ms == UINT64_MAX;
        *at_ms = *at_ms == UINT64_MAX ? after->watch_ms : *at_ms;
    }
    if (offered == 0 || after->threshold == before->threshold ||
        after->threshold == SERIN_COHORT_EVERYONE || bench_said(bench, "stand behind gateway")) {
        return;
    }
    check_reach(bench);
    if (ramp->first == 0) {
        return;
    }
    uint64_t resolved = after->tally.confirmed + after->tally.failed + after->tally.rejected;
    uint64_t most = resolved * growth(before, after) / 100;
    most = most < ramp->first ? ramp->first : most;
    most = after->policy.in_flight_max != 0 && after->policy.in_flight_max < most
               ? after->policy.in_flight_max
               : most;
    for (uint32_t i = after->tally.offered; i > 1; i--) { /* devices of one rank come together */
        most += bench->members.list[i - 1].rank == bench->members.list[i - 2].rank;
    }
    hold(in_flight(bench) <= most);
    hold(offered <= LARGE_STEP || before->tally.offered == 0 ||
         after->watch_ms - before->widened_watch_ms >= settle_ms(after));
    hold(after->reached <= after->target);
}

void bench_check_evidence(struct bench *bench, const struct serin_rollout *before,
                          const struct serin_rollout_event *event)
{
    const struct serin_rollout *after = &bench->rollout;
    check_counts(bench);
    if (after->silenced_permyriad == 0) { /* silence weighs as any failure */
        check_statistic(bench, before);
        check_pass(bench, before, event);
    }
    check_ramp(bench, before);
    hold(!after->held || after->state == SERIN_ROLLOUT_AWAITING ||
         after->state == SERIN_ROLLOUT_PAUSED);
    hold(!after->held || after->why[0] != '\0');
    hold(!after->unproven || after->state == SERIN_ROLLOUT_AWAITING ||
         after->state == SERIN_ROLLOUT_PAUSED);
    hold(!after->closed || after->policy.window_count > 0);
}
