/*
 * Codecs of what devices tell and what answers them: report, ack, beat (docs/spec/report.md,
 * ack.md, beat.md).
 */
#include "codecs.h"
#include "npb.h"

#include "serin.pb.h"

#include <serin/wire_bounds.h>

#include <string.h>

/* ---- parts ---- */

static serin_v1_Order put_order(struct serin_order value)
{
    return (serin_v1_Order){.epoch = value.epoch, .sequence = value.sequence};
}

static struct serin_order get_order(const serin_v1_Order *message)
{
    return (struct serin_order){.epoch = message->epoch, .sequence = message->sequence};
}

static serin_v1_FirmwareVersion put_version(struct serin_version value)
{
    return (serin_v1_FirmwareVersion){
        .major = value.major, .minor = value.minor, .patch = value.patch};
}

static bool get_version(const serin_v1_FirmwareVersion *message, struct serin_version *value)
{
    return serin_npb_get_u16(message->major, &value->major) &&
           serin_npb_get_u16(message->minor, &value->minor) &&
           serin_npb_get_u16(message->patch, &value->patch);
}

static serin_v1_Running put_running(const struct serin_running *value)
{
    return (serin_v1_Running){
        .manifest_id = serin_npb_bytes(value->manifest_id, sizeof(value->manifest_id)),
        .has_firmware = true,
        .firmware = put_version(value->version),
        .security_counter = value->security_counter,
        .floor = value->floor,
        .slot = value->slot,
    };
}

static bool get_running(const serin_v1_Running *message, struct serin_running *value)
{
    value->security_counter = message->security_counter;
    value->floor = message->floor;
    value->slot = (uint8_t)message->slot;
    return message->slot <= UINT8_MAX &&
           serin_npb_get_fixed(&message->manifest_id, value->manifest_id,
                               sizeof(value->manifest_id)) &&
           get_version(&message->firmware, &value->version);
}

/* ---- report ---- */

static bool decode_transition(pb_istream_t *stream, void *item, bool *fits)
{
    struct serin_transition *value = item;
    serin_v1_Transition message = {0};
    if (!serin_npb_decode_item(stream, serin_v1_Transition_fields, &message)) {
        return false;
    }
    *value = (struct serin_transition){.state = (enum serin_state)message.state,
                                       .reason = (enum serin_reason)message.reason,
                                       .time_s = message.time_s,
                                       .uptime_ms = message.uptime_ms,
                                       .detail = message.detail};
    *fits = true;
    return true;
}

static bool encode_transition(pb_ostream_t *stream, const void *item)
{
    const struct serin_transition *value = item;
    const serin_v1_Transition message = {.state = (uint32_t)value->state,
                                         .reason = (uint32_t)value->reason,
                                         .time_s = value->time_s,
                                         .uptime_ms = value->uptime_ms,
                                         .detail = value->detail};
    return pb_encode(stream, serin_v1_Transition_fields, &message);
}

static const struct serin_npb_items transitions = {.item_size = sizeof(struct serin_transition),
                                                   .most = SERIN_REPORT_TRANSITIONS_MAX,
                                                   .decode = decode_transition,
                                                   .encode = encode_transition};

static bool decode_attempt(pb_istream_t *stream, void *item, bool *fits)
{
    struct serin_attempt_report *value = item;
    serin_v1_AttemptReport message = {
        .transitions = {.kind = &transitions, .out = value->transitions}};
    if (!serin_npb_decode_item(stream, serin_v1_AttemptReport_fields, &message)) {
        return false;
    }
    value->attempt = message.attempt;
    value->order = get_order(&message.order);
    value->targeted = message.targeted;
    value->bytes_fetched = message.bytes_fetched;
    value->pieces_refetched = message.pieces_refetched;
    *fits =
        serin_npb_get_list(&message.transitions, &value->transition_count) &&
        serin_npb_get_fixed(&message.manifest_id, value->manifest_id, sizeof(value->manifest_id)) &&
        get_version(&message.firmware, &value->version);
    return true;
}

static bool encode_attempt(pb_ostream_t *stream, const void *item)
{
    const struct serin_attempt_report *value = item;
    const serin_v1_AttemptReport message = {
        .manifest_id = serin_npb_bytes(value->manifest_id, sizeof(value->manifest_id)),
        .attempt = value->attempt,
        .has_order = true,
        .order = put_order(value->order),
        .targeted = value->targeted,
        .has_firmware = true,
        .firmware = put_version(value->version),
        .bytes_fetched = value->bytes_fetched,
        .pieces_refetched = value->pieces_refetched,
        .transitions = {.kind = &transitions,
                        .in = value->transitions,
                        .count = value->transition_count},
    };
    return pb_encode(stream, serin_v1_AttemptReport_fields, &message);
}

static const struct serin_npb_items attempts = {.item_size = sizeof(struct serin_attempt_report),
                                                .most = SERIN_REPORT_ATTEMPTS_MAX,
                                                .decode = decode_attempt,
                                                .encode = encode_attempt};

enum serin_error serin_npb_encode_report(const struct serin_report *value, uint8_t *out,
                                         size_t capacity, size_t *size)
{
    if (!serin_bounds_report(value)) {
        return SERIN_ERR_INVALID;
    }
    const serin_v1_ReportBody body = {
        .version = SERIN_WIRE_VERSION,
        .device_id = serin_npb_text(value->device_id),
        .product = serin_npb_text(value->product),
        .channel = serin_npb_text(value->channel),
        .hardware = value->hardware,
        .incarnation = value->incarnation,
        .number = value->number,
        .has_running = true,
        .running = put_running(&value->running),
        .attempts = {.kind = &attempts, .in = value->attempts, .count = value->attempt_count},
    };
    const serin_v1_Report message = {
        .version = SERIN_WIRE_VERSION,
        .body = {.bytes = &body, .type = serin_v1_ReportBody_fields},
        .mac_type = value->mac_type,
        .mac = serin_npb_bytes(value->mac, value->mac_size),
    };
    return serin_npb_encode(serin_v1_Report_fields, &message, SERIN_REPORT_MAX, out, capacity,
                            size);
}

static enum serin_error decode_report_body(const struct serin_npb_slice *slice,
                                           struct serin_report *value)
{
    serin_v1_ReportBody message = {.attempts = {.kind = &attempts, .out = value->attempts}};
    enum serin_error error = serin_npb_decode(serin_v1_ReportBody_fields, slice->bytes, slice->size,
                                              SERIN_REPORT_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message.version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    value->incarnation = message.incarnation;
    value->number = message.number;
    bool ok = serin_npb_get_list(&message.attempts, &value->attempt_count) &&
              serin_npb_get_text(&message.device_id, value->device_id, sizeof(value->device_id)) &&
              serin_npb_get_text(&message.product, value->product, sizeof(value->product)) &&
              serin_npb_get_text(&message.channel, value->channel, sizeof(value->channel)) &&
              serin_npb_get_u16(message.hardware, &value->hardware) && message.has_running &&
              get_running(&message.running, &value->running);
    return ok ? SERIN_OK : SERIN_ERR_INVALID;
}

enum serin_error serin_npb_decode_report(const uint8_t *data, size_t size,
                                         struct serin_report *value)
{
    serin_v1_Report message = {0};
    enum serin_error error =
        serin_npb_decode(serin_v1_Report_fields, data, size, SERIN_REPORT_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message.body.seen > 1) {
        return SERIN_ERR_FORMAT;
    }
    if (message.version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    if (message.mac.size > SERIN_REPORT_MAC_MAX) {
        return SERIN_ERR_INVALID;
    }
    memset(value, 0, sizeof(*value));
    value->mac_type = message.mac_type;
    value->mac_size = message.mac.size;
    if (value->mac_size > 0) {
        memcpy(value->mac, message.mac.bytes, value->mac_size);
    }
    error = decode_report_body(&message.body, value);
    if (error != SERIN_OK) {
        return error;
    }
    return serin_bounds_report(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- ack ---- */

enum serin_error serin_npb_encode_ack(const struct serin_ack *value, uint8_t *out, size_t capacity,
                                      size_t *size)
{
    if (!serin_bounds_ack(value)) {
        return SERIN_ERR_INVALID;
    }
    const serin_v1_Ack message = {.version = SERIN_WIRE_VERSION,
                                  .incarnation = value->incarnation,
                                  .number = value->number,
                                  .status = (uint32_t)value->status,
                                  .retry_s = value->retry_s};
    return serin_npb_encode(serin_v1_Ack_fields, &message, SERIN_ACK_MAX, out, capacity, size);
}

enum serin_error serin_npb_decode_ack(const uint8_t *data, size_t size, struct serin_ack *value)
{
    serin_v1_Ack message = {0};
    enum serin_error error =
        serin_npb_decode(serin_v1_Ack_fields, data, size, SERIN_ACK_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message.version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    *value = (struct serin_ack){.incarnation = message.incarnation,
                                .number = message.number,
                                .status = (enum serin_ack_status)message.status,
                                .retry_s = message.retry_s};
    return serin_bounds_ack(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- beat ---- */

static bool decode_counter(pb_istream_t *stream, void *item, bool *fits)
{
    struct serin_counter *value = item;
    serin_v1_Counter message = {0};
    if (!serin_npb_decode_item(stream, serin_v1_Counter_fields, &message)) {
        return false;
    }
    *value = (struct serin_counter){.id = message.id, .value = message.value};
    *fits = true;
    return true;
}

static bool encode_counter(pb_ostream_t *stream, const void *item)
{
    const struct serin_counter *value = item;
    const serin_v1_Counter message = {.id = value->id, .value = value->value};
    return pb_encode(stream, serin_v1_Counter_fields, &message);
}

static const struct serin_npb_items counters = {.item_size = sizeof(struct serin_counter),
                                                .most = SERIN_BEAT_COUNTERS_MAX,
                                                .decode = decode_counter,
                                                .encode = encode_counter};

enum serin_error serin_npb_encode_beat(const struct serin_beat *value, uint8_t *out,
                                       size_t capacity, size_t *size)
{
    if (!serin_bounds_beat(value)) {
        return SERIN_ERR_INVALID;
    }
    const serin_v1_Beat message = {
        .version = SERIN_WIRE_VERSION,
        .device_id = serin_npb_text(value->device_id),
        .product = serin_npb_text(value->product),
        .channel = serin_npb_text(value->channel),
        .hardware = value->hardware,
        .incarnation = value->incarnation,
        .last_number = value->last_number,
        .acked_number = value->acked_number,
        .has_running = true,
        .running = put_running(&value->running),
        .uptime_s = value->uptime_s,
        .redundancy = (uint32_t)value->redundancy,
        .has_channel_order = true,
        .channel_order = put_order(value->channel_order),
        .has_own_order = true,
        .own_order = put_order(value->own_order),
        .interval_s = value->interval_s,
        .refused = (uint32_t)value->refused,
        .takes = value->takes,
        .counters = {.kind = &counters, .in = value->counters, .count = value->counter_count},
    };
    return serin_npb_encode(serin_v1_Beat_fields, &message, SERIN_BEAT_MAX, out, capacity, size);
}

static bool get_beat(const serin_v1_Beat *message, struct serin_beat *value)
{
    value->incarnation = message->incarnation;
    value->last_number = message->last_number;
    value->acked_number = message->acked_number;
    value->uptime_s = message->uptime_s;
    value->redundancy = (enum serin_redundancy)message->redundancy;
    value->channel_order = get_order(&message->channel_order);
    value->own_order = get_order(&message->own_order);
    value->interval_s = message->interval_s;
    value->refused = (enum serin_reason)message->refused;
    value->takes = (uint8_t)message->takes;
    return message->takes <= UINT8_MAX &&
           serin_npb_get_list(&message->counters, &value->counter_count) &&
           serin_npb_get_text(&message->device_id, value->device_id, sizeof(value->device_id)) &&
           serin_npb_get_text(&message->product, value->product, sizeof(value->product)) &&
           serin_npb_get_text(&message->channel, value->channel, sizeof(value->channel)) &&
           serin_npb_get_u16(message->hardware, &value->hardware) && message->has_running &&
           get_running(&message->running, &value->running);
}

enum serin_error serin_npb_decode_beat(const uint8_t *data, size_t size, struct serin_beat *value)
{
    memset(value, 0, sizeof(*value));
    serin_v1_Beat message = {.counters = {.kind = &counters, .out = value->counters}};
    enum serin_error error =
        serin_npb_decode(serin_v1_Beat_fields, data, size, SERIN_BEAT_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message.version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    bool ok = get_beat(&message, value) && serin_bounds_beat(value);
    return ok ? SERIN_OK : SERIN_ERR_INVALID;
}
