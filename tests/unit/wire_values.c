/*
 * The small and the large value of every kind on the wire.
 */
#include "wire_values.h"

#include <serin/crc32.h>

#include <assert.h>
#include <string.h>

/* ---- pieces of values ---- */

static void fill_bytes(uint8_t *out, size_t size, uint8_t first)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)(first + i);
    }
}

static void fill_text(char *out, size_t length, char letter)
{
    memset(out, letter, length);
    out[length] = '\0';
}

/* Not the last one: the golden vectors are frozen, and reasons are added. */
#define LARGE_REASON SERIN_REASON_DELTA

static const struct serin_order large_order = {.epoch = UINT32_MAX, .sequence = UINT32_MAX};
static const struct serin_version large_version = {UINT16_MAX, UINT16_MAX, UINT16_MAX};

static void large_release(struct serin_release *release, uint8_t first)
{
    release->offer_count = SERIN_DIRECTIVE_OFFERS_MAX;
    release->attempt = UINT32_MAX;
    release->flags = SERIN_RELEASE_FLAGS_KNOWN;
    release->offers[0].hw_min = release->offers[0].hw_max = UINT16_MAX - 1;
    release->offers[1].hw_min = release->offers[1].hw_max = UINT16_MAX;
    fill_bytes(release->offers[0].manifest_id, SERIN_SHA256_SIZE, first);
    fill_bytes(release->offers[1].manifest_id, SERIN_SHA256_SIZE, (uint8_t)(first + 32));
}

static void large_running(struct serin_running *running)
{
    fill_bytes(running->manifest_id, SERIN_SHA256_SIZE, 0x80);
    running->version = large_version;
    running->security_counter = UINT32_MAX;
    running->floor = UINT32_MAX;
    running->slot = 2;
}

/* ---- envelope, directive, trust ---- */

static uint8_t body_bytes[431]; /* the longest that leaves an envelope within SERIN_DIRECTIVE_MAX */
static uint8_t record_bytes[SERIN_TRUST_MAX];

static void small_envelope(void *value)
{
    static const uint8_t body[1] = {0x08};
    struct serin_envelope *envelope = value;
    memset(envelope, 0, sizeof(*envelope));
    envelope->body = body;
    envelope->body_size = sizeof(body);
}

static void large_envelope(void *value)
{
    struct serin_envelope *envelope = value;
    fill_bytes(body_bytes, sizeof(body_bytes), 0);
    fill_bytes(envelope->key_id, sizeof(envelope->key_id), 1);
    fill_bytes(envelope->signature, sizeof(envelope->signature), 0x40);
    envelope->body = body_bytes;
    envelope->body_size = sizeof(body_bytes);
}

static void small_directive(void *value)
{
    struct serin_directive *directive = value;
    memset(directive, 0, sizeof(*directive));
    strcpy(directive->product, "p");
    strcpy(directive->channel, "c");
    directive->order.sequence = 1;
    directive->lease_s = SERIN_LEASE_MIN_S;
    directive->candidate_state = SERIN_CANDIDATE_NONE;
}

void wire_large_channel_directive(struct serin_directive *directive)
{
    memset(directive, 0, sizeof(*directive));
    fill_text(directive->product, SERIN_PRODUCT_MAX, 'p');
    fill_text(directive->channel, SERIN_CHANNEL_MAX, 'c');
    directive->order = large_order;
    directive->issued_s = SERIN_TIME_MAX_S;
    directive->lease_s = SERIN_LEASE_MAX_S;
    directive->flags = SERIN_DIRECTIVE_FLAGS_KNOWN;
    large_release(&directive->stable, 0x00);
    large_release(&directive->candidate, 0x40);
    directive->candidate_state = SERIN_CANDIDATE_HALTED;
    fill_bytes(directive->salt, sizeof(directive->salt), 0xa0);
    directive->threshold = SERIN_COHORT_EVERYONE;
    directive->spread_s = SERIN_SPREAD_MAX_S;
    directive->site_failures_max = UINT32_MAX;
    directive->has_route_table = true;
    fill_bytes(directive->route_table, sizeof(directive->route_table), 0xc0);
}

static void large_directive(void *value)
{
    struct serin_directive *directive = value;
    wire_large_channel_directive(directive);
    fill_text(directive->device_id, SERIN_ID_MAX, 'd');
    directive->site_failures_max = 0;
}

static void small_trust_payload(void *value)
{
    static const uint8_t record[1] = {'S'};
    struct serin_trust_payload *payload = value;
    payload->record = record;
    payload->record_size = sizeof(record);
}

static void large_trust_payload(void *value)
{
    struct serin_trust_payload *payload = value;
    fill_bytes(record_bytes, sizeof(record_bytes), 0);
    payload->record = record_bytes;
    payload->record_size = sizeof(record_bytes);
}

/* ---- report, ack, beat ---- */

static void small_report(void *value)
{
    struct serin_report *report = value;
    memset(report, 0, sizeof(*report));
    strcpy(report->device_id, "d");
    strcpy(report->product, "p");
    strcpy(report->channel, "c");
    report->hardware = 1;
    report->incarnation = 1;
    report->number = 1;
    report->running.slot = 1;
    report->attempt_count = 1;
    report->attempts[0].attempt = 1;
    report->attempts[0].transition_count = 1;
    report->attempts[0].transitions[0].state = SERIN_STATE_IDLE;
    report->attempts[0].transitions[0].reason = SERIN_REASON_NONE;
}

static void large_attempt(struct serin_attempt_report *attempt, uint8_t first)
{
    fill_bytes(attempt->manifest_id, SERIN_SHA256_SIZE, first);
    attempt->attempt = UINT32_MAX;
    attempt->order = large_order;
    attempt->targeted = true;
    attempt->version = large_version;
    attempt->bytes_fetched = UINT64_MAX;
    attempt->pieces_refetched = UINT32_MAX;
    attempt->transition_count = SERIN_REPORT_TRANSITIONS_MAX;
    for (size_t i = 0; i < SERIN_REPORT_TRANSITIONS_MAX; i++) {
        attempt->transitions[i].state = (enum serin_state)(i + 1);
        attempt->transitions[i].reason = LARGE_REASON;
        attempt->transitions[i].time_s = UINT64_MAX;
        attempt->transitions[i].uptime_ms = UINT64_MAX - i;
        attempt->transitions[i].detail = UINT32_MAX;
    }
}

static void large_report(void *value)
{
    struct serin_report *report = value;
    memset(report, 0, sizeof(*report));
    fill_text(report->device_id, SERIN_ID_MAX, 'd');
    fill_text(report->product, SERIN_PRODUCT_MAX, 'p');
    fill_text(report->channel, SERIN_CHANNEL_MAX, 'c');
    report->hardware = UINT16_MAX;
    report->incarnation = UINT64_MAX;
    report->number = UINT64_MAX;
    large_running(&report->running);
    report->attempt_count = SERIN_REPORT_ATTEMPTS_MAX;
    large_attempt(&report->attempts[0], 0x20);
    large_attempt(&report->attempts[1], 0x60);
    report->mac_type = UINT32_MAX;
    report->mac_size = SERIN_REPORT_MAC_MAX;
    fill_bytes(report->mac, sizeof(report->mac), 0xe0);
}

static void small_ack(void *value)
{
    struct serin_ack *ack = value;
    *ack = (struct serin_ack){.incarnation = 1, .status = SERIN_ACK_STORED};
}

static void large_ack(void *value)
{
    struct serin_ack *ack = value;
    *ack = (struct serin_ack){.incarnation = UINT64_MAX,
                              .number = UINT64_MAX,
                              .status = SERIN_ACK_PENDING,
                              .retry_s = 86400};
}

static void small_beat(void *value)
{
    struct serin_beat *beat = value;
    memset(beat, 0, sizeof(*beat));
    strcpy(beat->device_id, "d");
    strcpy(beat->product, "p");
    strcpy(beat->channel, "c");
    beat->hardware = 1;
    beat->incarnation = 1;
    beat->running.slot = 1;
    beat->redundancy = SERIN_REDUNDANCY_NONE;
    beat->interval_s = 1;
    beat->refused = SERIN_REASON_NONE;
}

static void large_beat(void *value)
{
    struct serin_beat *beat = value;
    memset(beat, 0, sizeof(*beat));
    fill_text(beat->device_id, SERIN_ID_MAX, 'd');
    fill_text(beat->product, SERIN_PRODUCT_MAX, 'p');
    fill_text(beat->channel, SERIN_CHANNEL_MAX, 'c');
    beat->hardware = UINT16_MAX;
    beat->incarnation = UINT64_MAX;
    beat->last_number = UINT64_MAX;
    beat->acked_number = UINT64_MAX;
    large_running(&beat->running);
    beat->uptime_s = UINT64_MAX;
    beat->redundancy = SERIN_REDUNDANCY_MIRRORED;
    beat->channel_order = large_order;
    beat->own_order = large_order;
    beat->interval_s = 604800;
    beat->refused = LARGE_REASON;
    beat->takes = UINT8_MAX;
    beat->counter_count = SERIN_BEAT_COUNTERS_MAX;
    for (size_t i = 0; i < SERIN_BEAT_COUNTERS_MAX; i++) {
        beat->counters[i].id = UINT32_MAX - (uint32_t)i;
        beat->counters[i].value = UINT64_MAX;
    }
}

/* ---- get, block, hold, presence ---- */

static uint8_t block_bytes[SERIN_BLOCK_DATA_MAX];

static void small_get(void *value)
{
    struct serin_get *get = value;
    *get = (struct serin_get){.length = 1, .block_size = SERIN_BLOCK_DATA_MIN, .token = 1};
}

static void large_get(void *value)
{
    struct serin_get *get = value;
    *get = (struct serin_get){.offset = UINT32_MAX,
                              .length = UINT32_MAX,
                              .block_size = SERIN_BLOCK_DATA_MAX,
                              .token = UINT32_MAX,
                              .done_token = UINT32_MAX - 1};
    fill_bytes(get->object, sizeof(get->object), 0x10);
}

static void small_block(void *value)
{
    struct serin_block *block = value;
    *block = (struct serin_block){.token = 1, .status = SERIN_BLOCK_BUSY};
}

static void large_block(void *value)
{
    struct serin_block *block = value;
    fill_bytes(block_bytes, sizeof(block_bytes), 0);
    *block = (struct serin_block){.token = UINT32_MAX,
                                  .status = SERIN_BLOCK_DATA,
                                  .offset = UINT32_MAX - SERIN_BLOCK_DATA_MAX,
                                  .object_size = UINT32_MAX,
                                  .window_end = UINT32_MAX,
                                  .crc32 = serin_crc32(0, block_bytes, sizeof(block_bytes)),
                                  .retry_ms = 3600000,
                                  .data = block_bytes,
                                  .data_size = sizeof(block_bytes)};
}

static void small_hold(void *value)
{
    struct serin_hold *hold = value;
    *hold = (struct serin_hold){.reason = SERIN_REASON_NONE};
}

static void large_hold(void *value)
{
    struct serin_hold *hold = value;
    *hold = (struct serin_hold){.held = true,
                                .lease_left_s = UINT32_MAX,
                                .time_s = SERIN_TIME_MAX_S,
                                .reason = LARGE_REASON};
}

static void small_presence(void *value)
{
    struct serin_presence *presence = value;
    *presence = (struct serin_presence){.online = false};
}

static void large_presence(void *value)
{
    struct serin_presence *presence = value;
    *presence = (struct serin_presence){.online = true, .time_s = UINT64_MAX};
}

/* ---- the table ---- */

#define ADAPT(kind)                                                                             \
    static enum serin_error encode_##kind(const struct serin_codec *codec, const void *value,   \
                                          uint8_t *out, size_t capacity, size_t *size)          \
    {                                                                                           \
        return codec->encode_##kind(value, out, capacity, size);                                \
    }                                                                                           \
    static enum serin_error decode_##kind(const struct serin_codec *codec, const uint8_t *data, \
                                          size_t size, void *value)                             \
    {                                                                                           \
        return codec->decode_##kind(data, size, value);                                         \
    }
ADAPT(envelope)
ADAPT(directive)
ADAPT(trust_payload)
ADAPT(report)
ADAPT(ack)
ADAPT(beat)
ADAPT(get)
ADAPT(block)
ADAPT(hold)
ADAPT(presence)

#define KIND(kind, most)                                                           \
    {                                                                              \
        .name = #kind, .limit = (most), .value_size = sizeof(struct serin_##kind), \
        .small = small_##kind, .large = large_##kind, .encode = encode_##kind,     \
        .decode = decode_##kind                                                    \
    }
const struct wire_kind wire_kinds[WIRE_KIND_COUNT] = {
    KIND(envelope, SERIN_DIRECTIVE_MAX),
    KIND(directive, SERIN_DIRECTIVE_MAX),
    KIND(trust_payload, SERIN_TRUST_PAYLOAD_MAX),
    KIND(report, SERIN_REPORT_MAX),
    KIND(ack, SERIN_ACK_MAX),
    KIND(beat, SERIN_BEAT_MAX),
    KIND(get, SERIN_GET_MAX),
    KIND(block, SERIN_BLOCK_MAX),
    KIND(hold, SERIN_HOLD_MAX),
    KIND(presence, SERIN_PRESENCE_MAX),
};

const struct wire_kind *wire_kind_named(const char *name)
{
    for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
        if (strcmp(wire_kinds[i].name, name) == 0) {
            return &wire_kinds[i];
        }
    }
    assert(!"no such kind");
    return NULL;
}
