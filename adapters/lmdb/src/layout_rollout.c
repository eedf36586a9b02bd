/*
 * The fields of rollouts and their members (docs/spec/store.md, section 4). What a rollout of an
 * older version lacks gets the value by which it goes on as it was begun: it had one gate, on
 * failures, no sequential test, and stages that opened whole.
 */
#include "layout.h"

#include <string.h>

#define PERMYRIAD_ALL   10000u
#define SPELL_WIDENED_S 43200u

/* ---- the policy ---- */

static void policy_fields(struct record_io *io, struct serin_policy *policy)
{
    record_text(io, policy->name, sizeof policy->name);
    record_text(io, policy->product, sizeof policy->product);
    record_text(io, policy->channel, sizeof policy->channel);
    layout_offers(io, &policy->offer_count, policy->offers);
    policy->stage_count = record_range(io, (unsigned)policy->stage_count, 1, SERIN_STAGES_MAX);
    for (size_t i = 0; i < policy->stage_count; i++) {
        struct serin_stage_policy *stage = &policy->stages[i];
        stage->permyriad = record_u32(io, stage->permyriad);
        stage->count = record_u32(io, stage->count);
        stage->soak_s = record_u32(io, stage->soak_s);
        stage->approval = record_bool(io, stage->approval);
    }
    struct serin_gate_policy *failures = &policy->gates[SERIN_GATE_FAILURES];
    failures->max_permyriad = record_u32(io, failures->max_permyriad);
    failures->minimum = record_u32(io, failures->minimum);
    policy->patience_s = record_u32(io, policy->patience_s);
    policy->deadline_s = record_u32(io, policy->deadline_s);
    policy->lease_s = record_u32(io, policy->lease_s);
    policy->spread_s = record_u32(io, policy->spread_s);
    policy->site_failures_max = record_u32(io, policy->site_failures_max);
    policy->revert = record_bool(io, policy->revert);
    policy->emergency = record_bool(io, policy->emergency);
    policy->supersede = record_bool(io, policy->supersede);
}

static void gate_fields(struct record_io *io, struct serin_gate_policy *gate)
{
    gate->max_permyriad = record_u32(io, gate->max_permyriad);
    gate->minimum = record_u32(io, gate->minimum);
}

/* A gate that a record does not know was not asked when it was written, and is not asked now. */
static void gates_off(struct serin_policy *policy)
{
    for (unsigned i = SERIN_GATE_FAILURES + 1u; i < SERIN_GATE_COUNT; i++) {
        policy->gates[i] = (struct serin_gate_policy){.max_permyriad = PERMYRIAD_ALL, .minimum = 1};
    }
}

/* The gates besides FAILURES. New ones are added at the end: the number of those that were known is
 * part of the record. */
static void gates_fields(struct record_io *io, struct serin_policy *policy)
{
    if (!io->writing) {
        gates_off(policy);
    }
    unsigned last =
        record_range(io, SERIN_GATE_COUNT - 1u, SERIN_GATE_FAILURES, SERIN_GATE_COUNT - 1u);
    for (unsigned i = SERIN_GATE_FAILURES + 1u; i <= last; i++) {
        gate_fields(io, &policy->gates[i]);
    }
    policy->reason_count =
        record_range(io, (unsigned)policy->reason_count, 0, SERIN_GATE_REASONS_MAX);
    for (size_t i = 0; i < policy->reason_count; i++) {
        policy->reasons[i].reason = layout_reason(io, policy->reasons[i].reason);
        gate_fields(io, &policy->reasons[i].gate);
    }
    policy->control_minimum = record_u32(io, policy->control_minimum);
}

static void pace_fields(struct record_io *io, struct serin_policy *policy)
{
    struct serin_test_policy *test = &policy->test;
    test->accepted_permyriad = record_u32(io, test->accepted_permyriad);
    test->rejected_permyriad = record_u32(io, test->rejected_permyriad);
    test->alpha_permyriad = record_u32(io, test->alpha_permyriad);
    test->beta_permyriad = record_u32(io, test->beta_permyriad);
    test->small_stages_hold = record_bool(io, test->small_stages_hold);
    policy->ramp.first = record_u32(io, policy->ramp.first);
    policy->ramp.growth_percent = record_u32(io, policy->ramp.growth_percent);
    policy->ramp.settle_s = record_u32(io, policy->ramp.settle_s);
    policy->in_flight_max = record_u32(io, policy->in_flight_max);
    policy->rate_per_hour = record_u32(io, policy->rate_per_hour);
    policy->start_s = record_u64(io, policy->start_s);
    policy->window_count = record_range(io, (unsigned)policy->window_count, 0, SERIN_WINDOWS_MAX);
    for (size_t i = 0; i < policy->window_count; i++) {
        policy->windows[i].days = record_u8(io, policy->windows[i].days);
        policy->windows[i].from_min = record_u16(io, policy->windows[i].from_min);
        policy->windows[i].until_min = record_u16(io, policy->windows[i].until_min);
    }
    policy->on_halt = (enum serin_on_halt)record_range(io, (unsigned)policy->on_halt,
                                                       SERIN_ON_HALT_HOLD, SERIN_ON_HALT_REVERT);
}

/* A policy of before version 3. The test cannot be left out: with a rejected rate of 90 % just
 * above the accepted one it halts only where nine of ten fail, of some two hundred at least, and
 * takes a stage of fewer than some 9,000 devices for too small to be judged. */
static void policy_older(struct serin_policy *policy)
{
    gates_off(policy);
    policy->control_minimum = 30;
    policy->test = (struct serin_test_policy){.accepted_permyriad = 8999,
                                              .rejected_permyriad = 9000,
                                              .alpha_permyriad = 1,
                                              .beta_permyriad = 1};
    policy->ramp = (struct serin_ramp_policy){
        .first = 0,
        .growth_percent = 100,
        .settle_s = policy->patience_s < 600 ? policy->patience_s : 600,
    };
    policy->on_halt = SERIN_ON_HALT_HOLD;
}

/* ---- the rollout ---- */

static void tally_fields(struct record_io *io, struct serin_tally *tally)
{
    tally->offered = record_u32(io, tally->offered);
    tally->accepted = record_u32(io, tally->accepted);
    tally->confirmed = record_u32(io, tally->confirmed);
    tally->failed = record_u32(io, tally->failed);
    tally->rejected = record_u32(io, tally->rejected);
    tally->unreached = record_u32(io, tally->unreached);
    tally->regressed = record_u32(io, tally->regressed);
    tally->other = record_u32(io, tally->other);
}

static void times_fields(struct record_io *io, struct serin_rollout *rollout)
{
    rollout->created_ms = record_u64(io, rollout->created_ms);
    rollout->stage_started_ms = record_u64(io, rollout->stage_started_ms);
    rollout->ended_ms = record_u64(io, rollout->ended_ms);
    rollout->soaked_ms = record_u64(io, rollout->soaked_ms);
    rollout->last_ms = record_u64(io, rollout->last_ms);
    rollout->watch_ms = record_u64(io, rollout->watch_ms);
    rollout->stage_watch_ms = record_u64(io, rollout->stage_watch_ms);
    rollout->widened_watch_ms = record_u64(io, rollout->widened_watch_ms);
}

/* New reasons are added at the end: the number of those that were known is part of the record. */
static void reasons_fields(struct record_io *io, struct serin_rollout *rollout)
{
    unsigned reasons = record_range(io, SERIN_REASON_COUNT, 1, SERIN_REASON_COUNT);
    for (size_t i = 0; i < reasons; i++) {
        rollout->reasons[i] = record_u32(io, rollout->reasons[i]);
    }
}

static void comparison_fields(struct record_io *io, struct serin_comparison *comparison)
{
    comparison->at_ms = record_u64(io, comparison->at_ms);
    comparison->updated = record_u32(io, comparison->updated);
    comparison->updated_silent = record_u32(io, comparison->updated_silent);
    comparison->updated_unwell = record_u32(io, comparison->updated_unwell);
    comparison->control = record_u32(io, comparison->control);
    comparison->control_silent = record_u32(io, comparison->control_silent);
    comparison->control_unwell = record_u32(io, comparison->control_unwell);
    comparison->expected_silent_permyriad = record_u32(io, comparison->expected_silent_permyriad);
    comparison->expected_unwell_permyriad = record_u32(io, comparison->expected_unwell_permyriad);
    comparison->control_at_ms = record_u64(io, comparison->control_at_ms);
    comparison->silent_deviation = record_u32(io, comparison->silent_deviation);
    comparison->unwell_deviation = record_u32(io, comparison->unwell_deviation);
    comparison->silent_site_updated = record_u32(io, comparison->silent_site_updated);
    comparison->silent_site_silent = record_u32(io, comparison->silent_site_silent);
    comparison->unwell_site_updated = record_u32(io, comparison->unwell_site_updated);
    comparison->unwell_site_unwell = record_u32(io, comparison->unwell_site_unwell);
    comparison->known = record_u32(io, comparison->known);
    comparison->known_most = record_u32(io, comparison->known_most);
    comparison->ever_updated = record_u32(io, comparison->ever_updated);
    comparison->ever_silent = record_u32(io, comparison->ever_silent);
    comparison->ever_unwell = record_u32(io, comparison->ever_unwell);
}

/* Before version 5 there was one spell of silence, widened by the deadline and half a day; what is
 * written there since is not read. */
static void spell_field(struct record_io *io, struct serin_rollout *rollout)
{
    uint32_t from_s = record_u32(io, 0);
    uint32_t until_s = record_u32(io, 0);
    if (io->writing || io->version >= 5 || until_s == 0) {
        return;
    }
    uint64_t began_s = (uint64_t)from_s + rollout->policy.deadline_s + SPELL_WIDENED_S;
    rollout->spell_count = 1;
    rollout->spells[0] =
        (struct serin_spell){.from_s = began_s < until_s ? (uint32_t)began_s : until_s,
                             .until_s = until_s,
                             .settled_s = until_s};
}

/* What version 3 brought. */
static void pace_state_fields(struct record_io *io, struct serin_rollout *rollout)
{
    gates_fields(io, &rollout->policy);
    pace_fields(io, &rollout->policy);
    rollout->judged_watch_s = record_u32(io, rollout->judged_watch_s);
    rollout->judging_watch_s = record_u32(io, rollout->judging_watch_s);
    rollout->reached = record_u32(io, rollout->reached);
    rollout->settled_rank = record_u64(io, rollout->settled_rank);
    rollout->rate_ms = record_u64(io, rollout->rate_ms);
    rollout->accepted = record_bool(io, rollout->accepted);
    rollout->approved = record_bool(io, rollout->approved);
    rollout->held = record_bool(io, rollout->held);
    rollout->closed = record_bool(io, rollout->closed);
    rollout->retrying = record_bool(io, rollout->retrying);
    rollout->retry_watch_ms = record_u64(io, rollout->retry_watch_ms);
    comparison_fields(io, &rollout->comparison);
    rollout->silenced_permyriad = record_u32(io, rollout->silenced_permyriad);
    rollout->silenced_stage_permyriad = record_u32(io, rollout->silenced_stage_permyriad);
    spell_field(io, rollout);
    rollout->attempt_first = record_u32(io, rollout->attempt_first);
    rollout->reverted_by = record_u64(io, rollout->reverted_by);
    record_text(io, rollout->revert_why, sizeof rollout->revert_why);
}

/* What version 4 brought. */
static void waiver_fields(struct record_io *io, struct serin_rollout *rollout)
{
    rollout->unproven = record_bool(io, rollout->unproven);
    rollout->waived = record_u32(io, rollout->waived);
    rollout->waived_failures = record_u32(io, rollout->waived_failures);
    rollout->forgiven = record_u32(io, rollout->forgiven);
}

/* What version 5 brought. */
static void spells_fields(struct record_io *io, struct serin_rollout *rollout)
{
    rollout->spell_count = record_range(io, rollout->spell_count, 0, SERIN_ENGINE_SPELLS_MAX);
    for (uint32_t i = 0; i < rollout->spell_count; i++) {
        rollout->spells[i].from_s = record_u32(io, rollout->spells[i].from_s);
        rollout->spells[i].until_s = record_u32(io, rollout->spells[i].until_s);
        rollout->spells[i].settled_s = record_u32(io, rollout->spells[i].settled_s);
        rollout->spells[i].lit_s = record_u32(io, rollout->spells[i].lit_s);
    }
    rollout->long_silent = record_u32(io, rollout->long_silent);
    rollout->long_silent_of = record_u32(io, rollout->long_silent_of);
    rollout->mark_count = record_range(io, rollout->mark_count, 0, SERIN_ENGINE_MARKS_MAX);
    for (uint32_t i = 0; i < rollout->mark_count; i++) {
        rollout->marks[i].at_s = record_u32(io, rollout->marks[i].at_s);
        rollout->marks[i].watch_s = record_u32(io, rollout->marks[i].watch_s);
    }
}

/* And with them: before, whatever had ended by a judgement had been judged. */
static void judgement_fields(struct record_io *io, struct serin_rollout *rollout)
{
    if (io->version >= 5) {
        rollout->judging_threshold = record_u64(io, rollout->judging_threshold);
        rollout->judged_threshold = record_u64(io, rollout->judged_threshold);
        rollout->retried_s = record_u32(io, rollout->retried_s);
    } else {
        rollout->judging_threshold = rollout->judged_threshold = SERIN_COHORT_EVERYONE;
    }
}

/* What version 6 brought. Before it the control group was all that was known of others. */
static void silence_fields(struct record_io *io, struct serin_rollout *rollout)
{
    if (io->version < 6) {
        rollout->comparison.rest = rollout->comparison.control;
        rollout->comparison.rest_silent = rollout->comparison.control_silent;
        return;
    }
    rollout->comparison.rest = record_u32(io, rollout->comparison.rest);
    rollout->comparison.rest_silent = record_u32(io, rollout->comparison.rest_silent);
    rollout->waived_lost = record_u32(io, rollout->waived_lost);
    rollout->waived_unwell = record_u32(io, rollout->waived_unwell);
    rollout->outage_count = record_range(io, rollout->outage_count, 0, SERIN_ENGINE_OUTAGES_MAX);
    for (uint32_t i = 0; i < rollout->outage_count; i++) {
        rollout->outages[i].watch_s = record_u32(io, rollout->outages[i].watch_s);
        rollout->outages[i].for_s = record_u32(io, rollout->outages[i].for_s);
    }
}

/* What version 7 brought. Before it nobody counted who was silent before the rollout. */
static void before_fields(struct record_io *io, struct serin_rollout *rollout)
{
    rollout->comparison.rest_before = record_u32(io, rollout->comparison.rest_before);
}

/* Whether reports can arrive, and what serin_rollout_rebuild derives, are not stored. */
void layout_rollout(struct record_io *io, union record_value *value)
{
    struct serin_rollout *rollout = &value->rollout;
    rollout->id = record_u64(io, rollout->id);
    policy_fields(io, &rollout->policy);
    record_bytes(io, rollout->salt, sizeof rollout->salt);
    rollout->attempt = record_u32(io, rollout->attempt);
    rollout->state = (enum serin_rollout_state)record_range(io, (unsigned)rollout->state, 1,
                                                            SERIN_ROLLOUT_STATE_COUNT - 1u);
    rollout->resume_to = (enum serin_rollout_state)record_range(io, (unsigned)rollout->resume_to, 0,
                                                                SERIN_ROLLOUT_STATE_COUNT - 1u);
    rollout->stage = record_range(io, rollout->stage, 0, (unsigned)rollout->policy.stage_count);
    rollout->threshold = record_u64(io, rollout->threshold);
    rollout->target = record_u32(io, rollout->target);
    times_fields(io, rollout);
    rollout->stage_threshold = record_u64(io, rollout->stage_threshold);
    for (size_t i = 0; i < rollout->stage; i++) {
        rollout->thresholds[i] = record_u64(io, rollout->thresholds[i]);
    }
    tally_fields(io, &rollout->tally);
    reasons_fields(io, rollout);
    rollout->publishes = record_u32(io, rollout->publishes);
    record_text(io, rollout->why, sizeof rollout->why);
    if (io->version >= 2) { /* before it no failure was judged by its site */
        rollout->judged = record_u32(io, rollout->judged);
    }
    if (io->version >= 3) {
        pace_state_fields(io, rollout);
    } else { /* its stage was opened whole, and no device tried twice */
        policy_older(&rollout->policy);
        rollout->attempt_first = rollout->attempt;
        rollout->reached = rollout->target;
    }
    if (io->version >= 4) { /* before it an approval waived all; it is asked for again */
        waiver_fields(io, rollout);
    }
    if (io->version >= 5) {
        spells_fields(io, rollout);
    }
    judgement_fields(io, rollout);
    silence_fields(io, rollout);
    if (io->version >= 7) {
        before_fields(io, rollout);
    }
}

void layout_member(struct record_io *io, union record_value *value)
{
    struct serin_member *member = &value->member.member;
    value->member.rollout_id = record_u64(io, value->member.rollout_id);
    record_text(io, value->member.device_id, sizeof value->member.device_id);
    member->rank = record_u64(io, member->rank);
    member->device = record_u32(io, member->device);
    member->since_s = record_u32(io, member->since_s);
    member->watch_s = record_u32(io, member->watch_s);
    member->state = (uint8_t)layout_state(io, (enum serin_state)member->state);
    member->reason = (uint8_t)layout_reason(io, (enum serin_reason)member->reason);
    /* Five bits are the stage, and one more says how it timed out: zero in older records. */
    uint8_t stage = (uint8_t)(member->stage | (unsigned)member->heard_late << 5u);
    stage = (uint8_t)record_range(io, stage, 0, 0x20u | SERIN_STAGES_MAX);
    member->stage = stage & 0x1Fu;
    member->heard_late = stage >> 5u & 1u;
    /* Five bits are the stage of joining, the rest is what befell earlier attempts and whether it
     * ran the release before: records of before there were any have zeroes there. */
    uint8_t joined =
        (uint8_t)(member->joined | (unsigned)member->failed_before << 5u |
                  (unsigned)member->silent_before << 6u | (unsigned)member->ran_before << 7u);
    joined = (uint8_t)record_range(io, joined, 0, 0xE0u | SERIN_STAGES_MAX);
    member->joined = joined & 0x1Fu;
    member->failed_before = joined >> 5u & 1u;
    member->silent_before = joined >> 6u & 1u;
    member->ran_before = joined >> 7u & 1u;
    io->failed =
        io->failed || member->joined > SERIN_STAGES_MAX || member->stage > SERIN_STAGES_MAX;
}
