/*
 * Codecs of what devices tell and what answers them: report, ack, beat (docs/spec/report.md,
 * ack.md, beat.md).
 */
#include "codecs.h"
#include "pbc.h"

#include "serin.pb-c.h"

#include <serin/wire_bounds.h>

#include <string.h>

#define REPORT_BODY 2u /* number of the field that is cut out, as in serin.proto */

/* ---- parts ---- */

static Serin__V1__Order put_order(struct serin_order value)
{
    Serin__V1__Order message;
    serin__v1__order__init(&message);
    message.epoch = value.epoch;
    message.sequence = value.sequence;
    return message;
}

static struct serin_order get_order(const Serin__V1__Order *message)
{
    struct serin_order value = {0, 0};
    if (message != NULL) {
        value.epoch = message->epoch;
        value.sequence = message->sequence;
    }
    return value;
}

static Serin__V1__FirmwareVersion put_version(struct serin_version value)
{
    Serin__V1__FirmwareVersion message;
    serin__v1__firmware_version__init(&message);
    message.major = value.major;
    message.minor = value.minor;
    message.patch = value.patch;
    return message;
}

static bool get_version(const Serin__V1__FirmwareVersion *message, struct serin_version *value)
{
    if (message == NULL) {
        *value = (struct serin_version){0, 0, 0};
        return true;
    }
    return serin_pbc_get_u16(message->major, &value->major) &&
           serin_pbc_get_u16(message->minor, &value->minor) &&
           serin_pbc_get_u16(message->patch, &value->patch);
}

struct running_parts {
    Serin__V1__Running message;
    Serin__V1__FirmwareVersion version;
};

static Serin__V1__Running *put_running(const struct serin_running *value,
                                       struct running_parts *parts)
{
    serin__v1__running__init(&parts->message);
    parts->version = put_version(value->version);
    parts->message.manifest_id = serin_pbc_bytes(value->manifest_id, sizeof(value->manifest_id));
    parts->message.firmware = &parts->version;
    parts->message.security_counter = value->security_counter;
    parts->message.floor = value->floor;
    parts->message.slot = value->slot;
    return &parts->message;
}

static bool get_running(const Serin__V1__Running *message, struct serin_running *value)
{
    if (message == NULL || message->slot > UINT8_MAX) {
        return false;
    }
    value->security_counter = message->security_counter;
    value->floor = message->floor;
    value->slot = (uint8_t)message->slot;
    return serin_pbc_get_fixed(&message->manifest_id, value->manifest_id,
                               sizeof(value->manifest_id)) &&
           get_version(message->firmware, &value->version);
}

/* ---- report ---- */

struct attempt_parts {
    Serin__V1__AttemptReport message;
    Serin__V1__Order order;
    Serin__V1__FirmwareVersion version;
    Serin__V1__Transition transitions[SERIN_REPORT_TRANSITIONS_MAX];
    Serin__V1__Transition *pointers[SERIN_REPORT_TRANSITIONS_MAX];
};

static Serin__V1__AttemptReport *put_attempt(const struct serin_attempt_report *value,
                                             struct attempt_parts *parts)
{
    serin__v1__attempt_report__init(&parts->message);
    parts->order = put_order(value->order);
    parts->version = put_version(value->version);
    for (size_t i = 0; i < value->transition_count; i++) {
        const struct serin_transition *transition = &value->transitions[i];
        serin__v1__transition__init(&parts->transitions[i]);
        parts->transitions[i].state = transition->state;
        parts->transitions[i].reason = transition->reason;
        parts->transitions[i].time_s = transition->time_s;
        parts->transitions[i].uptime_ms = transition->uptime_ms;
        parts->transitions[i].detail = transition->detail;
        parts->pointers[i] = &parts->transitions[i];
    }
    parts->message.manifest_id = serin_pbc_bytes(value->manifest_id, sizeof(value->manifest_id));
    parts->message.attempt = value->attempt;
    parts->message.order = &parts->order;
    parts->message.targeted = value->targeted;
    parts->message.firmware = &parts->version;
    parts->message.bytes_fetched = value->bytes_fetched;
    parts->message.pieces_refetched = value->pieces_refetched;
    parts->message.n_transitions = value->transition_count;
    parts->message.transitions = parts->pointers;
    return &parts->message;
}

static bool get_attempt(const Serin__V1__AttemptReport *message, struct serin_attempt_report *value)
{
    if (message->n_transitions > SERIN_REPORT_TRANSITIONS_MAX) {
        return false;
    }
    value->attempt = message->attempt;
    value->order = get_order(message->order);
    value->targeted = message->targeted != 0;
    value->bytes_fetched = message->bytes_fetched;
    value->pieces_refetched = message->pieces_refetched;
    value->transition_count = message->n_transitions;
    for (size_t i = 0; i < value->transition_count; i++) {
        const Serin__V1__Transition *transition = message->transitions[i];
        struct serin_transition *out = &value->transitions[i];
        out->state = (enum serin_state)transition->state;
        out->reason = (enum serin_reason)transition->reason;
        out->time_s = transition->time_s;
        out->uptime_ms = transition->uptime_ms;
        out->detail = transition->detail;
    }
    return serin_pbc_get_fixed(&message->manifest_id, value->manifest_id,
                               sizeof(value->manifest_id)) &&
           get_version(message->firmware, &value->version);
}

static enum serin_error encode_report_body(const struct serin_report *value, uint8_t *out,
                                           size_t capacity, size_t *size)
{
    struct running_parts running;
    struct attempt_parts attempts[SERIN_REPORT_ATTEMPTS_MAX];
    Serin__V1__AttemptReport *pointers[SERIN_REPORT_ATTEMPTS_MAX];
    Serin__V1__ReportBody message;
    serin__v1__report_body__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.device_id = serin_pbc_text(value->device_id);
    message.product = serin_pbc_text(value->product);
    message.channel = serin_pbc_text(value->channel);
    message.hardware = value->hardware;
    message.incarnation = value->incarnation;
    message.number = value->number;
    message.running = put_running(&value->running, &running);
    message.n_attempts = value->attempt_count;
    message.attempts = pointers;
    for (size_t i = 0; i < value->attempt_count; i++) {
        pointers[i] = put_attempt(&value->attempts[i], &attempts[i]);
    }
    return serin_pbc_pack(&message.base, SERIN_REPORT_MAX, out, capacity, size);
}

enum serin_error serin_pbc_encode_report(const struct serin_report *value, uint8_t *out,
                                         size_t capacity, size_t *size)
{
    if (!serin_bounds_report(value)) {
        return SERIN_ERR_INVALID;
    }
    uint8_t body[SERIN_REPORT_MAX];
    size_t body_size = 0;
    enum serin_error error = encode_report_body(value, body, sizeof(body), &body_size);
    if (error != SERIN_OK) {
        return error;
    }
    Serin__V1__Report message;
    serin__v1__report__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.body = serin_pbc_bytes(body, body_size);
    message.mac_type = value->mac_type;
    message.mac = serin_pbc_bytes(value->mac, value->mac_size);
    return serin_pbc_pack(&message.base, SERIN_REPORT_MAX, out, capacity, size);
}

static enum serin_error decode_report_body(const uint8_t *data, size_t size,
                                           struct serin_report *value)
{
    struct serin_pbc_arena arena;
    Serin__V1__ReportBody *message = NULL;
    enum serin_error error = serin_pbc_unpack(&arena, &serin__v1__report_body__descriptor, data,
                                              size, SERIN_REPORT_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    if (message->n_attempts > SERIN_REPORT_ATTEMPTS_MAX) {
        return SERIN_ERR_INVALID;
    }
    value->incarnation = message->incarnation;
    value->number = message->number;
    value->attempt_count = message->n_attempts;
    bool ok =
        serin_pbc_get_text(&arena, message->device_id, value->device_id,
                           sizeof(value->device_id)) &&
        serin_pbc_get_text(&arena, message->product, value->product, sizeof(value->product)) &&
        serin_pbc_get_text(&arena, message->channel, value->channel, sizeof(value->channel)) &&
        serin_pbc_get_u16(message->hardware, &value->hardware) &&
        get_running(message->running, &value->running);
    for (size_t i = 0; ok && i < value->attempt_count; i++) {
        ok = get_attempt(message->attempts[i], &value->attempts[i]);
    }
    return ok ? SERIN_OK : SERIN_ERR_INVALID;
}

enum serin_error serin_pbc_decode_report(const uint8_t *data, size_t size,
                                         struct serin_report *value)
{
    struct serin_pbc_cut cut;
    enum serin_error error = serin_pbc_cut(data, size, SERIN_REPORT_MAX, REPORT_BODY, &cut);
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_pbc_arena arena;
    Serin__V1__Report *message = NULL;
    error = serin_pbc_unpack(&arena, &serin__v1__report__descriptor, cut.rest, cut.rest_size,
                             sizeof(cut.rest), &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    if (message->mac.len > SERIN_REPORT_MAC_MAX) {
        return SERIN_ERR_INVALID;
    }
    memset(value, 0, sizeof(*value));
    value->mac_type = message->mac_type;
    value->mac_size = message->mac.len;
    if (value->mac_size > 0) {
        memcpy(value->mac, message->mac.data, value->mac_size);
    }
    error = decode_report_body(cut.bytes, cut.bytes_size, value);
    if (error != SERIN_OK) {
        return error;
    }
    return serin_bounds_report(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- ack ---- */

enum serin_error serin_pbc_encode_ack(const struct serin_ack *value, uint8_t *out, size_t capacity,
                                      size_t *size)
{
    if (!serin_bounds_ack(value)) {
        return SERIN_ERR_INVALID;
    }
    Serin__V1__Ack message;
    serin__v1__ack__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.incarnation = value->incarnation;
    message.number = value->number;
    message.status = value->status;
    message.retry_s = value->retry_s;
    return serin_pbc_pack(&message.base, SERIN_ACK_MAX, out, capacity, size);
}

enum serin_error serin_pbc_decode_ack(const uint8_t *data, size_t size, struct serin_ack *value)
{
    struct serin_pbc_arena arena;
    Serin__V1__Ack *message = NULL;
    enum serin_error error =
        serin_pbc_unpack(&arena, &serin__v1__ack__descriptor, data, size, SERIN_ACK_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    value->incarnation = message->incarnation;
    value->number = message->number;
    value->status = (enum serin_ack_status)message->status;
    value->retry_s = message->retry_s;
    return serin_bounds_ack(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- beat ---- */

/* What its fields take at most: a tag of two bytes, and a varint of ten. */
#define TAG_MOST      2u
#define NUMBER_MOST   (TAG_MOST + 10u)
#define TEXT_MOST(n)  (TAG_MOST + 2u + (n))
#define ORDER_MOST    TEXT_MOST(2u * NUMBER_MOST)
#define FIRMWARE_MOST TEXT_MOST(3u * NUMBER_MOST)
#define RUNNING_MOST  TEXT_MOST(TEXT_MOST(SERIN_SHA256_SIZE) + FIRMWARE_MOST + 3u * NUMBER_MOST)
#define COUNTER_MOST  TEXT_MOST(2u * NUMBER_MOST)
#define BEAT_MOST                                                                 \
    (10u * NUMBER_MOST + TEXT_MOST(SERIN_ID_MAX) + TEXT_MOST(SERIN_PRODUCT_MAX) + \
     TEXT_MOST(SERIN_CHANNEL_MAX) + RUNNING_MOST + 2u * ORDER_MOST +              \
     SERIN_BEAT_COUNTERS_MAX * COUNTER_MOST)

_Static_assert(BEAT_MOST <= SERIN_BEAT_MAX, "every beat within bounds can be said");

enum serin_error serin_pbc_encode_beat(const struct serin_beat *value, uint8_t *out,
                                       size_t capacity, size_t *size)
{
    if (!serin_bounds_beat(value)) {
        return SERIN_ERR_INVALID;
    }
    struct running_parts running;
    Serin__V1__Order channel_order = put_order(value->channel_order);
    Serin__V1__Order own_order = put_order(value->own_order);
    Serin__V1__Counter counters[SERIN_BEAT_COUNTERS_MAX];
    Serin__V1__Counter *pointers[SERIN_BEAT_COUNTERS_MAX];
    Serin__V1__Beat message;
    serin__v1__beat__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.device_id = serin_pbc_text(value->device_id);
    message.product = serin_pbc_text(value->product);
    message.channel = serin_pbc_text(value->channel);
    message.hardware = value->hardware;
    message.incarnation = value->incarnation;
    message.last_number = value->last_number;
    message.acked_number = value->acked_number;
    message.running = put_running(&value->running, &running);
    message.uptime_s = value->uptime_s;
    message.redundancy = value->redundancy;
    message.channel_order = &channel_order;
    message.own_order = &own_order;
    message.interval_s = value->interval_s;
    message.refused = value->refused;
    message.takes = value->takes;
    message.n_counters = value->counter_count;
    message.counters = pointers;
    for (size_t i = 0; i < value->counter_count; i++) {
        serin__v1__counter__init(&counters[i]);
        counters[i].id = value->counters[i].id;
        counters[i].value = value->counters[i].value;
        pointers[i] = &counters[i];
    }
    return serin_pbc_pack_bounded(&message.base, BEAT_MOST, out, capacity, size);
}

static bool get_beat(const struct serin_pbc_arena *arena, const Serin__V1__Beat *message,
                     struct serin_beat *value)
{
    memset(value, 0, sizeof(*value));
    value->incarnation = message->incarnation;
    value->last_number = message->last_number;
    value->acked_number = message->acked_number;
    value->uptime_s = message->uptime_s;
    value->redundancy = (enum serin_redundancy)message->redundancy;
    value->channel_order = get_order(message->channel_order);
    value->own_order = get_order(message->own_order);
    value->interval_s = message->interval_s;
    value->refused = (enum serin_reason)message->refused;
    value->takes = (uint8_t)message->takes;
    if (message->takes > UINT8_MAX || message->n_counters > SERIN_BEAT_COUNTERS_MAX) {
        return false;
    }
    value->counter_count = message->n_counters;
    for (size_t i = 0; i < value->counter_count; i++) {
        value->counters[i].id = message->counters[i]->id;
        value->counters[i].value = message->counters[i]->value;
    }
    return serin_pbc_get_text(arena, message->device_id, value->device_id,
                              sizeof(value->device_id)) &&
           serin_pbc_get_text(arena, message->product, value->product, sizeof(value->product)) &&
           serin_pbc_get_text(arena, message->channel, value->channel, sizeof(value->channel)) &&
           serin_pbc_get_u16(message->hardware, &value->hardware) &&
           get_running(message->running, &value->running);
}

enum serin_error serin_pbc_decode_beat(const uint8_t *data, size_t size, struct serin_beat *value)
{
    struct serin_pbc_arena arena;
    Serin__V1__Beat *message = NULL;
    enum serin_error error = serin_pbc_unpack(&arena, &serin__v1__beat__descriptor, data, size,
                                              SERIN_BEAT_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    bool ok = get_beat(&arena, message, value) && serin_bounds_beat(value);
    return ok ? SERIN_OK : SERIN_ERR_INVALID;
}
