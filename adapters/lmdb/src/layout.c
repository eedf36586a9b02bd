/*
 * The fields of each kind of record (docs/spec/store.md, section 4). One function a kind serves
 * both directions, so that writing and reading cannot disagree. Rollouts and their members are in
 * layout_rollout.c.
 *
 * To add a field: append it at the end under `if (io->version >= N)`, give it a value for older
 * records before that, and raise the kind's version in the table below to N.
 */
#include "layout.h"

#include <string.h>

/* ---- parts ---- */

static void order_fields(struct record_io *io, struct serin_order *order)
{
    order->epoch = record_u32(io, order->epoch);
    order->sequence = record_u32(io, order->sequence);
}

static void version_fields(struct record_io *io, struct serin_version *version)
{
    version->major = record_u16(io, version->major);
    version->minor = record_u16(io, version->minor);
    version->patch = record_u16(io, version->patch);
}

enum serin_state layout_state(struct record_io *io, enum serin_state state)
{
    return (enum serin_state)record_range(io, (unsigned)state, SERIN_STATE_IDLE,
                                          SERIN_STATE_COUNT - 1u);
}

enum serin_reason layout_reason(struct record_io *io, enum serin_reason reason)
{
    return (enum serin_reason)record_range(io, (unsigned)reason, SERIN_REASON_NONE,
                                           SERIN_REASON_COUNT - 1u);
}

void layout_offers(struct record_io *io, size_t *count,
                   struct serin_offer offers[SERIN_DIRECTIVE_OFFERS_MAX])
{
    *count = record_range(io, (unsigned)*count, 0, SERIN_DIRECTIVE_OFFERS_MAX);
    for (size_t i = 0; i < *count; i++) {
        offers[i].hw_min = record_u16(io, offers[i].hw_min);
        offers[i].hw_max = record_u16(io, offers[i].hw_max);
        record_bytes(io, offers[i].manifest_id, sizeof offers[i].manifest_id);
    }
}

static void running_fields(struct record_io *io, struct serin_running *running)
{
    record_bytes(io, running->manifest_id, sizeof running->manifest_id);
    version_fields(io, &running->version);
    running->security_counter = record_u32(io, running->security_counter);
    running->floor = record_u32(io, running->floor);
    running->slot = record_u8(io, running->slot);
}

/* An attempt, or the place of one: attempt 0 has no more fields. */
static void attempt_part(struct record_io *io, struct serin_attempt_record *attempt)
{
    attempt->attempt = record_u32(io, attempt->attempt);
    if (attempt->attempt == 0) {
        return;
    }
    record_bytes(io, attempt->manifest_id, sizeof attempt->manifest_id);
    attempt->state = layout_state(io, attempt->state);
    attempt->reason = layout_reason(io, attempt->reason);
    attempt->final = record_bool(io, attempt->final);
    attempt->updated_s = record_u64(io, attempt->updated_s);
    attempt->bytes_fetched = record_u64(io, attempt->bytes_fetched);
    attempt->pieces_refetched = record_u32(io, attempt->pieces_refetched);
    attempt->transition_count =
        record_range(io, (unsigned)attempt->transition_count, 0, SERIN_REPORT_TRANSITIONS_MAX);
    for (size_t i = 0; i < attempt->transition_count; i++) {
        struct serin_transition *t = &attempt->transitions[i];
        t->state = layout_state(io, t->state);
        t->reason = layout_reason(io, t->reason);
        t->time_s = record_u64(io, t->time_s);
        t->uptime_ms = record_u64(io, t->uptime_ms);
        t->detail = record_u32(io, t->detail);
    }
}

static void health_fields(struct record_io *io, struct serin_health *health)
{
    health->beat_s = record_u32(io, health->beat_s);
    health->gap_s = record_u32(io, health->gap_s);
    health->errors = record_u32(io, health->errors);
    health->uptime_s = record_u32(io, health->uptime_s);
    health->usual_rate = record_u16(io, health->usual_rate);
    health->late_rate = record_u16(io, health->late_rate);
    health->beats = record_u16(io, health->beats);
    health->rated = record_u16(io, health->rated);
    health->lost_s = record_u32(io, health->lost_s);
}

static void mark_fields(struct record_io *io, struct serin_signed_mark *mark)
{
    mark->signed_ms = record_u64(io, mark->signed_ms);
    mark->wall_ms = record_u64(io, mark->wall_ms);
    mark->ahead_s = record_u64(io, mark->ahead_s);
    mark->doubted = record_bool(io, mark->doubted);
}

/* ---- kinds ---- */

static void meta_fields(struct record_io *io, union record_value *value)
{
    struct serin_meta_record *meta = &value->meta;
    order_fields(io, &meta->order);
    meta->next_rollout_id = record_u64(io, meta->next_rollout_id);
    meta->trust_version = record_u32(io, meta->trust_version);
    if (io->version >= 2) { /* before it the audit log had no chain */
        meta->audit_seq = record_u64(io, meta->audit_seq);
        record_bytes(io, meta->audit_hash, sizeof meta->audit_hash);
    }
    if (io->version >= 3) { /* before it only directives told what was signed, and none when */
        mark_fields(io, &meta->signed_mark);
    }
}

static void device_fields(struct record_io *io, union record_value *value)
{
    struct serin_device_record *device = &value->device;
    record_text(io, device->id, sizeof device->id);
    record_text(io, device->product, sizeof device->product);
    record_text(io, device->channel, sizeof device->channel);
    device->hardware = record_u16(io, device->hardware);
    device->enrolment = (enum serin_enrolment)record_range(
        io, (unsigned)device->enrolment, SERIN_ENROLMENT_PENDING, SERIN_ENROLMENT_REFUSED);
    device->cursor.incarnation = record_u64(io, device->cursor.incarnation);
    device->cursor.number = record_u64(io, device->cursor.number);
    running_fields(io, &device->running);
    device->redundancy = (enum serin_redundancy)record_range(
        io, (unsigned)device->redundancy, SERIN_REDUNDANCY_INVALID, SERIN_REDUNDANCY_MIRRORED);
    order_fields(io, &device->channel_order);
    order_fields(io, &device->own_order);
    device->refused = (enum serin_reason)record_range(
        io, (unsigned)device->refused, SERIN_REASON_INVALID, SERIN_REASON_COUNT - 1u);
    device->first_seen_s = record_u64(io, device->first_seen_s);
    device->last_report_s = record_u64(io, device->last_report_s);
    device->last_beat_s = record_u64(io, device->last_beat_s);
    device->beat_interval_s = record_u32(io, device->beat_interval_s);
    device->online = record_bool(io, device->online);
    device->counter_count =
        record_range(io, (unsigned)device->counter_count, 0, SERIN_BEAT_COUNTERS_MAX);
    for (size_t i = 0; i < device->counter_count; i++) {
        device->counters[i].id = record_u32(io, device->counters[i].id);
        device->counters[i].value = record_u64(io, device->counters[i].value);
    }
    attempt_part(io, &device->last_attempt);
    if (io->version >= 2) { /* before it every device was direct */
        record_text(io, device->gateway, sizeof device->gateway);
    }
    if (io->version >= 3) { /* before it what a device had said itself was forgotten at a move */
        device->own.incarnation = record_u64(io, device->own.incarnation);
        device->own.number = record_u64(io, device->own.number);
    }
    if (io->version >= 4) { /* before it what beats came to was forgotten at each start */
        health_fields(io, &device->health);
    }
    if (io->version >= 5) { /* before it no device was known to decode patches */
        device->takes = (uint8_t)record_range(io, device->takes, 0, UINT8_MAX);
    }
}

static void attempt_fields(struct record_io *io, union record_value *value)
{
    attempt_part(io, &value->attempt);
}

/* The manifest as fields and not as its signed bytes: those are in the depot, under its id. */
static void release_fields(struct record_io *io, union record_value *value)
{
    struct serin_manifest *m = &value->release.manifest;
    record_bytes(io, value->release.manifest_id, sizeof value->release.manifest_id);
    value->release.published_s = record_u64(io, value->release.published_s);
    value->release.last_attempt = record_u32(io, value->release.last_attempt);
    m->required_features = record_u32(io, m->required_features);
    record_text(io, m->vendor, sizeof m->vendor);
    record_text(io, m->product, sizeof m->product);
    record_text(io, m->component, sizeof m->component);
    m->hw_min = record_u16(io, m->hw_min);
    m->hw_max = record_u16(io, m->hw_max);
    version_fields(io, &m->version);
    m->security_counter = record_u32(io, m->security_counter);
    m->image_size_bytes = record_u32(io, m->image_size_bytes);
    m->image_crc32 = record_u32(io, m->image_crc32);
    record_bytes(io, m->image_sha256, sizeof m->image_sha256);
    record_bytes(io, m->pieces_sha256, sizeof m->pieces_sha256);
    m->load_address = record_u32(io, m->load_address);
    m->entry_address = record_u32(io, m->entry_address);
    m->slot_mask = record_u32(io, m->slot_mask);
    m->bootloader_min = record_u32(io, m->bootloader_min);
    m->confirm_window_s = record_u16(io, m->confirm_window_s);
    m->confirm_tries = record_u8(io, m->confirm_tries);
    m->created_s = record_u64(io, m->created_s);
    for (size_t i = 0; i < SERIN_MANIFEST_CHANNELS; i++) {
        record_text(io, m->channels[i], sizeof m->channels[i]);
    }
}

static void stable_fields(struct record_io *io, union record_value *value)
{
    struct serin_stable_record *stable = &value->stable;
    record_text(io, stable->product, sizeof stable->product);
    record_text(io, stable->channel, sizeof stable->channel);
    layout_offers(io, &stable->release.offer_count, stable->release.offers);
    stable->release.attempt = record_u32(io, stable->release.attempt);
    stable->release.flags = record_u32(io, stable->release.flags);
}

static void directive_fields(struct record_io *io, union record_value *value)
{
    struct serin_directive_record *directive = &value->directive;
    record_text(io, directive->topic, sizeof directive->topic);
    order_fields(io, &directive->order);
    directive->issued_s = record_u64(io, directive->issued_s);
    directive->lease_s = record_u32(io, directive->lease_s);
    bool fits = directive->payload_size <= sizeof directive->payload;
    directive->payload_size = record_u16(io, fits ? (uint16_t)directive->payload_size : 0);
    if (!fits || directive->payload_size > sizeof directive->payload) {
        io->failed = true;
        return;
    }
    record_bytes(io, directive->payload, directive->payload_size);
}

static void trust_fields(struct record_io *io, union record_value *value)
{
    struct record_trust *trust = &value->trust;
    bool fits = trust->size <= sizeof trust->bytes;
    trust->size = record_u16(io, fits ? (uint16_t)trust->size : 0);
    if (!fits || trust->size < 1 || trust->size > sizeof trust->bytes) {
        io->failed = true;
        return;
    }
    record_bytes(io, trust->bytes, trust->size);
}

static void fleet_fields(struct record_io *io, struct serin_gw_fleet *fleet)
{
    record_text(io, fleet->product, sizeof fleet->product);
    record_text(io, fleet->channel, sizeof fleet->channel);
    order_fields(io, &fleet->order);
    fleet->lease_left_s = record_u32(io, fleet->lease_left_s);
    fleet->hold = (enum serin_hold_cause)record_range(
        io, (unsigned)fleet->hold, SERIN_HOLD_CAUSE_NONE, SERIN_HOLD_CAUSE_FAILURES);
    fleet->failures = record_u32(io, fleet->failures);
    fleet->failures_max = record_u32(io, fleet->failures_max);
    record_bytes(io, fleet->manifest_id, sizeof fleet->manifest_id);
    fleet->held_since_s = record_u64(io, fleet->held_since_s);
}

static void status_fields(struct record_io *io, struct serin_gw_status *status)
{
    record_text(io, status->software, sizeof status->software);
    status->time_s = record_u64(io, status->time_s);
    status->uptime_s = record_u64(io, status->uptime_s);
    status->nodes = record_u32(io, status->nodes);
    status->nodes_online = record_u32(io, status->nodes_online);
    status->depot_bytes = record_u64(io, status->depot_bytes);
    status->depot_budget_bytes = record_u64(io, status->depot_budget_bytes);
    status->objects = record_u32(io, status->objects);
    status->filling = record_u32(io, status->filling);
    status->pass_through = record_bool(io, status->pass_through);
    status->served_bytes = record_u64(io, status->served_bytes);
    status->fetched_bytes = record_u64(io, status->fetched_bytes);
    status->refetched_bytes = record_u64(io, status->refetched_bytes);
    status->uplink_sent = record_u64(io, status->uplink_sent);
    status->uplink_got = record_u64(io, status->uplink_got);
    status->uplink_messages = record_u64(io, status->uplink_messages);
    status->transitions = record_u64(io, status->transitions);
    status->queued = record_u32(io, status->queued);
    status->queue_oldest_s = record_u64(io, status->queue_oldest_s);
    status->rotten = record_u32(io, status->rotten);
    status->fleet_count = record_range(io, (unsigned)status->fleet_count, 0, SERIN_GW_FLEETS_MAX);
    for (size_t i = 0; i < status->fleet_count; i++) {
        fleet_fields(io, &status->fleets[i]);
    }
}

/* Without a status it has no more fields. The status names the gateway as its record does. */
static void gateway_fields(struct record_io *io, union record_value *value)
{
    struct serin_gateway_record *gateway = &value->gateway;
    record_text(io, gateway->id, sizeof gateway->id);
    gateway->standing = (enum serin_gateway_standing)record_range(
        io, (unsigned)gateway->standing, SERIN_GATEWAY_KNOWN, SERIN_GATEWAY_REFUSED);
    gateway->first_seen_s = record_u64(io, gateway->first_seen_s);
    gateway->last_heard_s = record_u64(io, gateway->last_heard_s);
    gateway->incarnation = record_u64(io, gateway->incarnation);
    gateway->batch = record_u64(io, gateway->batch);
    gateway->batches_lost = record_u64(io, gateway->batches_lost);
    gateway->claims = record_u64(io, gateway->claims);
    gateway->last_claim_s = record_u64(io, gateway->last_claim_s);
    record_text(io, gateway->last_claimed, sizeof gateway->last_claimed);
    gateway->status_s = record_u64(io, gateway->status_s);
    if (gateway->status_s != 0) {
        memcpy(gateway->status.gateway, gateway->id, sizeof gateway->id);
        gateway->status.incarnation = record_u64(io, gateway->status.incarnation);
        status_fields(io, &gateway->status);
    }
}

const struct record_layout record_layouts[RECORD_KIND_COUNT] = {
    [RECORD_META] = {.version = 3, .fields = meta_fields},
    [RECORD_DEVICE] = {.version = 5, .fields = device_fields},
    [RECORD_ATTEMPT] = {.version = 1, .fields = attempt_fields},
    [RECORD_RELEASE] = {.version = 1, .fields = release_fields},
    [RECORD_STABLE] = {.version = 1, .fields = stable_fields},
    [RECORD_ROLLOUT] = {.version = 7, .fields = layout_rollout},
    [RECORD_MEMBER] = {.version = 2, .fields = layout_member},
    [RECORD_DIRECTIVE] = {.version = 1, .fields = directive_fields},
    [RECORD_TRUST] = {.version = 1, .fields = trust_fields},
    [RECORD_GATEWAY] = {.version = 1, .fields = gateway_fields},
};
