/* Records of every kind of the fleet store, filled from a seed within their bounds. */
#include "store_samples.h"

#include <string.h>

static uint64_t dice(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static uint32_t dice32(uint64_t *seed)
{
    return (uint32_t)dice(seed);
}

static unsigned within(uint64_t *seed, unsigned low, unsigned high)
{
    return low + (unsigned)(dice(seed) % (high - low + 1));
}

static void bytes(uint64_t *seed, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)dice(seed);
    }
}

static void name(uint64_t *seed, char *out, size_t capacity, bool full)
{
    size_t length = full ? capacity - 1 : within(seed, 1, (unsigned)capacity - 1);
    for (size_t i = 0; i < length; i++) {
        out[i] = (char)within(seed, 'a', 'z');
    }
    out[length] = '\0';
}

static struct serin_order order(uint64_t *seed)
{
    return (struct serin_order){.epoch = dice32(seed), .sequence = dice32(seed)};
}

static struct serin_version version(uint64_t *seed)
{
    return (struct serin_version){.major = (uint16_t)dice(seed),
                                  .minor = (uint16_t)dice(seed),
                                  .patch = (uint16_t)dice(seed)};
}

static size_t offers(uint64_t *seed, struct serin_offer *list)
{
    size_t count = within(seed, 1, SERIN_DIRECTIVE_OFFERS_MAX);
    for (size_t i = 0; i < count; i++) {
        list[i].hw_min = (uint16_t)(1 + 100 * i);
        list[i].hw_max = (uint16_t)(50 + 100 * i);
        bytes(seed, list[i].manifest_id, sizeof list[i].manifest_id);
    }
    return count;
}

struct serin_meta_record sample_meta(uint64_t seed)
{
    struct serin_meta_record record;
    memset(&record, 0, sizeof record);
    record.order = order(&seed);
    record.next_rollout_id = dice(&seed);
    record.trust_version = dice32(&seed);
    record.audit_seq = dice(&seed);
    bytes(&seed, record.audit_hash, sizeof record.audit_hash);
    record.signed_mark.signed_ms = dice(&seed);
    record.signed_mark.wall_ms = dice(&seed);
    record.signed_mark.ahead_s = dice(&seed);
    record.signed_mark.doubted = dice(&seed) & 1;
    return record;
}

struct serin_attempt_record sample_attempt(uint64_t seed, bool full)
{
    struct serin_attempt_record record;
    memset(&record, 0, sizeof record);
    bytes(&seed, record.manifest_id, sizeof record.manifest_id);
    record.attempt = 1 + dice32(&seed) % 1000;
    record.state = (enum serin_state)within(&seed, 1, SERIN_STATE_COUNT - 1);
    record.reason = (enum serin_reason)within(&seed, 1, SERIN_REASON_COUNT - 1);
    record.final = dice(&seed) & 1;
    record.updated_s = dice(&seed);
    record.bytes_fetched = dice(&seed);
    record.pieces_refetched = dice32(&seed);
    record.transition_count =
        full ? SERIN_REPORT_TRANSITIONS_MAX : within(&seed, 0, SERIN_REPORT_TRANSITIONS_MAX);
    for (size_t i = 0; i < record.transition_count; i++) {
        struct serin_transition *t = &record.transitions[i];
        t->state = (enum serin_state)within(&seed, 1, SERIN_STATE_COUNT - 1);
        t->reason = (enum serin_reason)within(&seed, 1, SERIN_REASON_COUNT - 1);
        t->time_s = dice(&seed);
        t->uptime_ms = dice(&seed);
        t->detail = dice32(&seed);
    }
    return record;
}

struct serin_device_record sample_device(uint64_t seed, const char *id, bool full)
{
    struct serin_device_record record;
    memset(&record, 0, sizeof record);
    strcpy(record.id, id);
    name(&seed, record.product, sizeof record.product, full);
    name(&seed, record.channel, sizeof record.channel, full);
    record.hardware = (uint16_t)dice(&seed);
    record.enrolment = (enum serin_enrolment)within(&seed, 1, 3);
    record.cursor.incarnation = dice(&seed);
    record.cursor.number = dice(&seed);
    bytes(&seed, record.running.manifest_id, sizeof record.running.manifest_id);
    record.running.version = version(&seed);
    record.running.security_counter = dice32(&seed);
    record.running.floor = dice32(&seed);
    record.running.slot = (uint8_t)within(&seed, 1, 2);
    record.redundancy = (enum serin_redundancy)within(&seed, 0, 3);
    record.channel_order = order(&seed);
    record.own_order = order(&seed);
    record.refused = (enum serin_reason)within(&seed, 0, SERIN_REASON_COUNT - 1);
    record.first_seen_s = dice(&seed);
    record.last_report_s = dice(&seed);
    record.last_beat_s = dice(&seed);
    record.beat_interval_s = dice32(&seed);
    record.online = dice(&seed) & 1;
    record.counter_count = full ? SERIN_BEAT_COUNTERS_MAX : within(&seed, 0, 8);
    for (size_t i = 0; i < record.counter_count; i++) {
        record.counters[i].id = dice32(&seed);
        record.counters[i].value = dice(&seed);
    }
    if (full || dice(&seed) & 1) {
        record.last_attempt = sample_attempt(dice(&seed), full);
    }
    name(&seed, record.gateway, sizeof record.gateway, full);
    record.own.incarnation = dice(&seed);
    record.own.number = dice(&seed);
    record.health = (struct serin_health){
        .beat_s = dice32(&seed),
        .gap_s = dice32(&seed),
        .errors = dice32(&seed),
        .uptime_s = dice32(&seed),
        .usual_rate = (uint16_t)dice(&seed),
        .late_rate = (uint16_t)dice(&seed),
        .beats = (uint16_t)within(&seed, 1, UINT16_MAX),
        .rated = (uint16_t)dice(&seed),
        .lost_s = dice32(&seed),
    };
    record.takes = (uint8_t)within(&seed, 1, UINT8_MAX);
    return record;
}

struct serin_release_record sample_release(uint64_t seed)
{
    struct serin_release_record record;
    struct serin_manifest *m = &record.manifest;
    memset(&record, 0, sizeof record);
    bytes(&seed, record.manifest_id, sizeof record.manifest_id);
    record.published_s = dice(&seed);
    record.last_attempt = dice32(&seed);
    m->required_features = dice32(&seed);
    name(&seed, m->vendor, sizeof m->vendor, false);
    name(&seed, m->product, sizeof m->product, false);
    name(&seed, m->component, sizeof m->component, false);
    m->hw_min = (uint16_t)dice(&seed);
    m->hw_max = (uint16_t)dice(&seed);
    m->version = version(&seed);
    m->security_counter = dice32(&seed);
    m->image_size_bytes = dice32(&seed);
    m->image_crc32 = dice32(&seed);
    bytes(&seed, m->image_sha256, sizeof m->image_sha256);
    bytes(&seed, m->pieces_sha256, sizeof m->pieces_sha256);
    m->load_address = dice32(&seed);
    m->entry_address = dice32(&seed);
    m->slot_mask = dice32(&seed);
    m->bootloader_min = dice32(&seed);
    m->confirm_window_s = (uint16_t)dice(&seed);
    m->confirm_tries = (uint8_t)dice(&seed);
    m->created_s = dice(&seed);
    for (size_t i = 0; i < SERIN_MANIFEST_CHANNELS; i++) {
        name(&seed, m->channels[i], sizeof m->channels[i], i == 0);
    }
    return record;
}

struct serin_stable_record sample_stable(uint64_t seed, const char *product, const char *channel)
{
    struct serin_stable_record record;
    memset(&record, 0, sizeof record);
    strcpy(record.product, product);
    strcpy(record.channel, channel);
    record.release.offer_count = offers(&seed, record.release.offers);
    record.release.attempt = dice32(&seed);
    record.release.flags = dice32(&seed);
    return record;
}

static void fill_pace(uint64_t seed, struct serin_policy *policy)
{
    policy->test.accepted_permyriad = dice32(&seed);
    policy->test.rejected_permyriad = dice32(&seed);
    policy->test.alpha_permyriad = dice32(&seed);
    policy->test.beta_permyriad = dice32(&seed);
    policy->test.small_stages_hold = dice(&seed) & 1;
    policy->ramp.first = dice32(&seed);
    policy->ramp.growth_percent = dice32(&seed);
    policy->ramp.settle_s = dice32(&seed);
    policy->in_flight_max = dice32(&seed);
    policy->rate_per_hour = dice32(&seed);
    policy->start_s = dice(&seed);
    policy->window_count = within(&seed, 0, SERIN_WINDOWS_MAX);
    for (size_t i = 0; i < policy->window_count; i++) {
        policy->windows[i].days = (uint8_t)dice(&seed);
        policy->windows[i].from_min = (uint16_t)dice(&seed);
        policy->windows[i].until_min = (uint16_t)dice(&seed);
    }
    policy->on_halt = (enum serin_on_halt)within(&seed, SERIN_ON_HALT_HOLD, SERIN_ON_HALT_REVERT);
}

/* Field by field over zeroed memory: records are compared whole, with their padding. */
static void fill_policy(uint64_t seed, struct serin_policy *policy)
{
    name(&seed, policy->name, sizeof policy->name, true);
    name(&seed, policy->product, sizeof policy->product, true);
    name(&seed, policy->channel, sizeof policy->channel, true);
    policy->offer_count = offers(&seed, policy->offers);
    policy->stage_count = within(&seed, 1, SERIN_STAGES_MAX);
    for (size_t i = 0; i < policy->stage_count; i++) {
        policy->stages[i].permyriad = dice32(&seed);
        policy->stages[i].count = dice32(&seed);
        policy->stages[i].soak_s = dice32(&seed);
        policy->stages[i].approval = dice(&seed) & 1;
    }
    for (size_t i = SERIN_GATE_FAILURES; i < SERIN_GATE_COUNT; i++) {
        policy->gates[i].max_permyriad = dice32(&seed);
        policy->gates[i].minimum = dice32(&seed);
    }
    policy->reason_count = within(&seed, 0, SERIN_GATE_REASONS_MAX);
    for (size_t i = 0; i < policy->reason_count; i++) {
        policy->reasons[i].reason =
            (enum serin_reason)within(&seed, SERIN_REASON_NONE, SERIN_REASON_COUNT - 1);
        policy->reasons[i].gate.max_permyriad = dice32(&seed);
        policy->reasons[i].gate.minimum = dice32(&seed);
    }
    policy->control_minimum = dice32(&seed);
    fill_pace(dice(&seed), policy);
    policy->patience_s = dice32(&seed);
    policy->deadline_s = dice32(&seed);
    policy->lease_s = dice32(&seed);
    policy->spread_s = dice32(&seed);
    policy->site_failures_max = dice32(&seed);
    policy->revert = dice(&seed) & 1;
    policy->emergency = dice(&seed) & 1;
    policy->supersede = dice(&seed) & 1;
}

struct serin_rollout sample_rollout(uint64_t seed, uint64_t id)
{
    struct serin_rollout rollout;
    memset(&rollout, 0, sizeof rollout);
    rollout.id = id;
    fill_policy(dice(&seed), &rollout.policy);
    bytes(&seed, rollout.salt, sizeof rollout.salt);
    rollout.attempt = dice32(&seed);
    rollout.state = (enum serin_rollout_state)within(&seed, 1, SERIN_ROLLOUT_STATE_COUNT - 1);
    rollout.resume_to = (enum serin_rollout_state)within(&seed, 0, SERIN_ROLLOUT_STATE_COUNT - 1);
    rollout.stage = within(&seed, 0, (unsigned)rollout.policy.stage_count);
    rollout.threshold = dice(&seed);
    rollout.target = dice32(&seed);
    rollout.publishes = dice32(&seed);
    rollout.created_ms = dice(&seed);
    rollout.stage_started_ms = dice(&seed);
    rollout.ended_ms = dice(&seed);
    rollout.soaked_ms = dice(&seed);
    rollout.last_ms = dice(&seed);
    rollout.watch_ms = dice(&seed);
    rollout.stage_watch_ms = dice(&seed);
    rollout.widened_watch_ms = dice(&seed);
    rollout.stage_threshold = dice(&seed);
    for (size_t i = 0; i < rollout.stage; i++) {
        rollout.thresholds[i] = dice(&seed);
    }
    rollout.tally = (struct serin_tally){.offered = dice32(&seed),
                                         .accepted = dice32(&seed),
                                         .confirmed = dice32(&seed),
                                         .failed = dice32(&seed),
                                         .rejected = dice32(&seed),
                                         .unreached = dice32(&seed),
                                         .regressed = dice32(&seed),
                                         .other = dice32(&seed)};
    for (size_t i = 0; i < SERIN_REASON_COUNT; i++) {
        rollout.reasons[i] = dice32(&seed);
    }
    name(&seed, rollout.why, sizeof rollout.why, false);
    rollout.judged = dice32(&seed);
    rollout.reached = dice32(&seed);
    rollout.rate_ms = dice(&seed);
    rollout.judged_watch_s = dice32(&seed);
    rollout.judging_watch_s = dice32(&seed);
    rollout.silenced_permyriad = dice32(&seed);
    rollout.silenced_stage_permyriad = dice32(&seed);
    rollout.spell_count = dice32(&seed) % (SERIN_ENGINE_SPELLS_MAX + 1);
    for (uint32_t i = 0; i < rollout.spell_count; i++) {
        rollout.spells[i] = (struct serin_spell){.from_s = dice32(&seed),
                                                 .until_s = dice32(&seed),
                                                 .settled_s = dice32(&seed),
                                                 .lit_s = dice32(&seed)};
    }
    rollout.mark_count = dice32(&seed) % (SERIN_ENGINE_MARKS_MAX + 1);
    for (uint32_t i = 0; i < rollout.mark_count; i++) {
        rollout.marks[i] = (struct serin_mark){.at_s = dice32(&seed), .watch_s = dice32(&seed)};
    }
    rollout.long_silent = dice32(&seed);
    rollout.long_silent_of = dice32(&seed);
    rollout.judging_threshold = dice(&seed);
    rollout.judged_threshold = dice(&seed);
    rollout.retried_s = dice32(&seed);
    rollout.settled_rank = dice(&seed);
    rollout.approved = dice(&seed) & 1;
    rollout.accepted = dice(&seed) & 1;
    rollout.held = dice(&seed) & 1;
    rollout.closed = dice(&seed) & 1;
    rollout.retrying = dice(&seed) & 1;
    rollout.unproven = dice(&seed) & 1;
    rollout.waived = dice32(&seed);
    rollout.waived_failures = dice32(&seed);
    rollout.waived_lost = dice32(&seed);
    rollout.waived_unwell = dice32(&seed);
    rollout.forgiven = dice32(&seed);
    rollout.retry_watch_ms = dice(&seed);
    rollout.comparison = (struct serin_comparison){.at_ms = dice(&seed),
                                                   .updated = dice32(&seed),
                                                   .updated_silent = dice32(&seed),
                                                   .updated_unwell = dice32(&seed),
                                                   .control = dice32(&seed),
                                                   .control_silent = dice32(&seed),
                                                   .control_unwell = dice32(&seed),
                                                   .expected_silent_permyriad = dice32(&seed),
                                                   .expected_unwell_permyriad = dice32(&seed),
                                                   .control_at_ms = dice(&seed),
                                                   .silent_deviation = dice32(&seed),
                                                   .unwell_deviation = dice32(&seed),
                                                   .silent_site_updated = dice32(&seed),
                                                   .silent_site_silent = dice32(&seed),
                                                   .unwell_site_updated = dice32(&seed),
                                                   .unwell_site_unwell = dice32(&seed),
                                                   .known = dice32(&seed),
                                                   .known_most = dice32(&seed),
                                                   .ever_updated = dice32(&seed),
                                                   .ever_silent = dice32(&seed),
                                                   .ever_unwell = dice32(&seed),
                                                   .rest = dice32(&seed),
                                                   .rest_silent = dice32(&seed)};
    rollout.comparison.rest_before = dice32(&seed);
    rollout.outage_count = dice32(&seed) % (SERIN_ENGINE_OUTAGES_MAX + 1);
    for (uint32_t i = 0; i < rollout.outage_count; i++) {
        rollout.outages[i] =
            (struct serin_outage){.watch_s = dice32(&seed), .for_s = dice32(&seed)};
    }
    rollout.attempt_first = dice32(&seed);
    rollout.reverted_by = dice(&seed);
    name(&seed, rollout.revert_why, sizeof rollout.revert_why, false);
    return rollout;
}

struct serin_member_record sample_member(uint64_t seed, uint64_t rollout_id, const char *device_id)
{
    struct serin_member_record record;
    memset(&record, 0, sizeof record);
    record.rollout_id = rollout_id;
    strcpy(record.device_id, device_id);
    record.member = (struct serin_member){
        .rank = dice(&seed),
        .device = dice32(&seed),
        .since_s = dice32(&seed),
        .watch_s = dice32(&seed),
        .state = (uint8_t)within(&seed, 1, SERIN_STATE_COUNT - 1),
        .reason = (uint8_t)within(&seed, 1, SERIN_REASON_COUNT - 1),
        .stage = within(&seed, 0, SERIN_STAGES_MAX) & 0x1Fu,
        .joined = within(&seed, 0, SERIN_STAGES_MAX) & 0x1Fu,
        .failed_before = dice(&seed) & 1u,
        .silent_before = dice(&seed) & 1u,
        .ran_before = dice(&seed) & 1u,
        .heard_late = dice(&seed) & 1u,
    };
    return record;
}

static void fill_status(uint64_t seed, struct serin_gw_status *status)
{
    status->incarnation = dice(&seed);
    name(&seed, status->software, sizeof status->software, true);
    status->time_s = dice(&seed);
    status->uptime_s = dice(&seed);
    status->nodes = dice32(&seed);
    status->nodes_online = dice32(&seed);
    status->depot_bytes = dice(&seed);
    status->depot_budget_bytes = dice(&seed);
    status->objects = dice32(&seed);
    status->filling = dice32(&seed);
    status->pass_through = dice(&seed) & 1;
    status->served_bytes = dice(&seed);
    status->fetched_bytes = dice(&seed);
    status->refetched_bytes = dice(&seed);
    status->uplink_sent = dice(&seed);
    status->uplink_got = dice(&seed);
    status->uplink_messages = dice(&seed);
    status->transitions = dice(&seed);
    status->queued = dice32(&seed);
    status->queue_oldest_s = dice(&seed);
    status->rotten = dice32(&seed);
    status->fleet_count = within(&seed, 0, SERIN_GW_FLEETS_MAX);
    for (size_t i = 0; i < status->fleet_count; i++) {
        struct serin_gw_fleet *fleet = &status->fleets[i];
        name(&seed, fleet->product, sizeof fleet->product, true);
        name(&seed, fleet->channel, sizeof fleet->channel, false);
        fleet->order = order(&seed);
        fleet->lease_left_s = dice32(&seed);
        fleet->hold =
            (enum serin_hold_cause)within(&seed, SERIN_HOLD_CAUSE_NONE, SERIN_HOLD_CAUSE_FAILURES);
        fleet->failures = dice32(&seed);
        fleet->failures_max = dice32(&seed);
        bytes(&seed, fleet->manifest_id, sizeof fleet->manifest_id);
        fleet->held_since_s = dice(&seed);
    }
}

struct serin_gateway_record sample_gateway(uint64_t seed, const char *id, bool heard)
{
    struct serin_gateway_record record;
    memset(&record, 0, sizeof record);
    strcpy(record.id, id);
    record.standing =
        (enum serin_gateway_standing)within(&seed, SERIN_GATEWAY_KNOWN, SERIN_GATEWAY_REFUSED);
    record.first_seen_s = dice(&seed);
    record.last_heard_s = dice(&seed);
    record.incarnation = dice(&seed);
    record.batch = dice(&seed);
    record.batches_lost = dice(&seed);
    record.claims = dice(&seed);
    record.last_claim_s = dice(&seed);
    name(&seed, record.last_claimed, sizeof record.last_claimed, heard);
    if (heard) {
        record.status_s = dice(&seed);
        strcpy(record.status.gateway, id);
        fill_status(dice(&seed), &record.status);
    }
    return record;
}

struct serin_directive_record sample_directive(uint64_t seed, const char *topic)
{
    struct serin_directive_record record;
    memset(&record, 0, sizeof record);
    strcpy(record.topic, topic);
    record.order = order(&seed);
    record.issued_s = dice(&seed);
    record.lease_s = dice32(&seed);
    record.payload_size = within(&seed, 1, SERIN_DIRECTIVE_MAX);
    bytes(&seed, record.payload, record.payload_size);
    return record;
}
