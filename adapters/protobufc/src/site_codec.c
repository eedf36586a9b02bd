/*
 * Codecs of what a gateway tells of itself (docs/spec/batch.md, section 4) and of what it and its
 * broker's plugin say to each other (docs/spec/site.md, section 3); the table of the site's port.
 */
#include <serin/adapters/protobufc.h>

#include "pbc.h"
#include "site_bounds.h"
#include "site_codecs.h"

#include "serin.pb-c.h"

#include <string.h>

#define HAVE_DATA 10u /* number of the field that is cut out, as in serin.proto */

/* 64 ranges of two numbers are 896 bytes; some more for the other fields and unknown ones. */
#define HAVE_REST_MAX 2048u

/* A SHA-256 that may be none: all zero here, no bytes on the wire. */
static ProtobufCBinaryData put_digest(const uint8_t digest[SERIN_SHA256_SIZE])
{
    return serin_pbc_bytes(digest, serin_bounds_none(digest) ? 0 : SERIN_SHA256_SIZE);
}

static bool get_digest(const ProtobufCBinaryData *bytes, uint8_t digest[SERIN_SHA256_SIZE])
{
    memset(digest, 0, SERIN_SHA256_SIZE);
    return bytes->len == 0 || serin_pbc_get_fixed(bytes, digest, SERIN_SHA256_SIZE);
}

/* ---- status ---- */

struct fleet_parts {
    Serin__V1__GatewayFleet message;
    Serin__V1__Order order;
};

static Serin__V1__GatewayFleet *put_fleet(const struct serin_gw_fleet *value,
                                          struct fleet_parts *parts)
{
    serin__v1__gateway_fleet__init(&parts->message);
    serin__v1__order__init(&parts->order);
    parts->order.epoch = value->order.epoch;
    parts->order.sequence = value->order.sequence;
    parts->message.product = serin_pbc_text(value->product);
    parts->message.channel = serin_pbc_text(value->channel);
    parts->message.order = &parts->order;
    parts->message.lease_left_s = value->lease_left_s;
    parts->message.hold = value->hold;
    parts->message.failures = value->failures;
    parts->message.failures_max = value->failures_max;
    parts->message.manifest_id = put_digest(value->manifest_id);
    parts->message.held_since_s = value->held_since_s;
    return &parts->message;
}

static bool get_fleet(const struct serin_pbc_arena *arena, const Serin__V1__GatewayFleet *message,
                      struct serin_gw_fleet *value)
{
    if (message->order != NULL) {
        value->order.epoch = message->order->epoch;
        value->order.sequence = message->order->sequence;
    }
    value->lease_left_s = message->lease_left_s;
    value->hold = (enum serin_hold_cause)message->hold;
    value->failures = message->failures;
    value->failures_max = message->failures_max;
    value->held_since_s = message->held_since_s;
    return serin_pbc_get_text(arena, message->product, value->product, sizeof(value->product)) &&
           serin_pbc_get_text(arena, message->channel, value->channel, sizeof(value->channel)) &&
           get_digest(&message->manifest_id, value->manifest_id);
}

static void put_counters(const struct serin_gw_status *value, Serin__V1__GatewayStatus *message)
{
    message->time_s = value->time_s;
    message->uptime_s = value->uptime_s;
    message->nodes = value->nodes;
    message->nodes_online = value->nodes_online;
    message->depot_bytes = value->depot_bytes;
    message->depot_budget_bytes = value->depot_budget_bytes;
    message->objects = value->objects;
    message->filling = value->filling;
    message->pass_through = value->pass_through;
    message->served_bytes = value->served_bytes;
    message->fetched_bytes = value->fetched_bytes;
    message->refetched_bytes = value->refetched_bytes;
    message->uplink_sent = value->uplink_sent;
    message->uplink_got = value->uplink_got;
    message->uplink_messages = value->uplink_messages;
    message->transitions = value->transitions;
    message->queued = value->queued;
    message->queue_oldest_s = value->queue_oldest_s;
    message->rotten = value->rotten;
}

static void get_counters(const Serin__V1__GatewayStatus *message, struct serin_gw_status *value)
{
    value->time_s = message->time_s;
    value->uptime_s = message->uptime_s;
    value->nodes = message->nodes;
    value->nodes_online = message->nodes_online;
    value->depot_bytes = message->depot_bytes;
    value->depot_budget_bytes = message->depot_budget_bytes;
    value->objects = message->objects;
    value->filling = message->filling;
    value->pass_through = message->pass_through != 0;
    value->served_bytes = message->served_bytes;
    value->fetched_bytes = message->fetched_bytes;
    value->refetched_bytes = message->refetched_bytes;
    value->uplink_sent = message->uplink_sent;
    value->uplink_got = message->uplink_got;
    value->uplink_messages = message->uplink_messages;
    value->transitions = message->transitions;
    value->queued = message->queued;
    value->queue_oldest_s = message->queue_oldest_s;
    value->rotten = message->rotten;
}

enum serin_error serin_pbc_encode_gw_status(const struct serin_gw_status *value, uint8_t *out,
                                            size_t capacity, size_t *size)
{
    if (!serin_bounds_gw_status(value)) {
        return SERIN_ERR_INVALID;
    }
    struct fleet_parts fleets[SERIN_GW_FLEETS_MAX];
    Serin__V1__GatewayFleet *pointers[SERIN_GW_FLEETS_MAX];
    Serin__V1__GatewayStatus message;
    serin__v1__gateway_status__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.gateway = serin_pbc_text(value->gateway);
    message.incarnation = value->incarnation;
    message.software = serin_pbc_text(value->software);
    put_counters(value, &message);
    message.n_fleets = value->fleet_count;
    message.fleets = pointers;
    for (size_t i = 0; i < value->fleet_count; i++) {
        pointers[i] = put_fleet(&value->fleets[i], &fleets[i]);
    }
    return serin_pbc_pack(&message.base, SERIN_GW_STATUS_MAX, out, capacity, size);
}

enum serin_error serin_pbc_decode_gw_status(const uint8_t *data, size_t size,
                                            struct serin_gw_status *value)
{
    struct serin_pbc_arena arena;
    Serin__V1__GatewayStatus *message = NULL;
    enum serin_error error = serin_pbc_unpack(&arena, &serin__v1__gateway_status__descriptor, data,
                                              size, SERIN_GW_STATUS_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    if (message->n_fleets > SERIN_GW_FLEETS_MAX) {
        return SERIN_ERR_INVALID;
    }
    memset(value, 0, sizeof(*value));
    value->incarnation = message->incarnation;
    get_counters(message, value);
    value->fleet_count = message->n_fleets;
    bool ok =
        serin_pbc_get_text(&arena, message->gateway, value->gateway, sizeof(value->gateway)) &&
        serin_pbc_get_text(&arena, message->software, value->software, sizeof(value->software));
    for (size_t i = 0; ok && i < value->fleet_count; i++) {
        ok = get_fleet(&arena, message->fleets[i], &value->fleets[i]);
    }
    return ok && serin_bounds_gw_status(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- depot/want ---- */

enum serin_error serin_pbc_encode_want(const struct serin_want *value, uint8_t *out,
                                       size_t capacity, size_t *size)
{
    if (!serin_bounds_want(value)) {
        return SERIN_ERR_INVALID;
    }
    Serin__V1__Want message;
    serin__v1__want__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.kind = value->kind;
    message.object = serin_pbc_bytes(value->object,
                                     value->kind == SERIN_WANT_SERVED ? 0 : sizeof(value->object));
    message.offset = value->offset;
    message.length = value->length;
    message.served_bytes = value->served_bytes;
    return serin_pbc_pack(&message.base, SERIN_WANT_MAX, out, capacity, size);
}

enum serin_error serin_pbc_decode_want(const uint8_t *data, size_t size, struct serin_want *value)
{
    struct serin_pbc_arena arena;
    Serin__V1__Want *message = NULL;
    enum serin_error error = serin_pbc_unpack(&arena, &serin__v1__want__descriptor, data, size,
                                              SERIN_WANT_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    value->kind = (enum serin_want_kind)message->kind;
    value->offset = message->offset;
    value->length = message->length;
    value->served_bytes = message->served_bytes;
    bool none = message->object.len == 0;
    bool ok =
        get_digest(&message->object, value->object) && none == (value->kind == SERIN_WANT_SERVED);
    return ok && serin_bounds_want(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- depot/have ---- */

enum serin_error serin_pbc_encode_have(const struct serin_have *value, uint8_t *out,
                                       size_t capacity, size_t *size)
{
    if (!serin_bounds_have(value)) {
        return SERIN_ERR_INVALID;
    }
    Serin__V1__ByteRange ranges[SERIN_HAVE_RANGES_MAX];
    Serin__V1__ByteRange *pointers[SERIN_HAVE_RANGES_MAX];
    Serin__V1__Have message;
    serin__v1__have__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.kind = value->kind;
    message.object = serin_pbc_bytes(value->object, sizeof(value->object));
    message.object_size = value->object_size;
    message.fresh = value->fresh;
    message.n_ranges = value->range_count;
    message.ranges = pointers;
    for (size_t i = 0; i < value->range_count; i++) {
        serin__v1__byte_range__init(&ranges[i]);
        ranges[i].start = value->ranges[i].start;
        ranges[i].end = value->ranges[i].end;
        pointers[i] = &ranges[i];
    }
    message.status = value->status;
    message.retry_ms = value->retry_ms;
    message.data_offset = value->data_offset;
    message.data = serin_pbc_bytes(value->data, value->data_size);
    return serin_pbc_pack(&message.base, SERIN_HAVE_MAX, out, capacity, size);
}

static bool get_have(const Serin__V1__Have *message, struct serin_have *value)
{
    if (message->n_ranges > SERIN_HAVE_RANGES_MAX) {
        return false;
    }
    value->kind = (enum serin_have_kind)message->kind;
    value->object_size = message->object_size;
    value->fresh = message->fresh != 0;
    value->range_count = message->n_ranges;
    for (size_t i = 0; i < value->range_count; i++) {
        value->ranges[i].start = message->ranges[i]->start;
        value->ranges[i].end = message->ranges[i]->end;
    }
    value->status = (enum serin_block_status)message->status;
    value->retry_ms = message->retry_ms;
    value->data_offset = message->data_offset;
    return serin_pbc_get_fixed(&message->object, value->object, sizeof(value->object));
}

enum serin_error serin_pbc_decode_have(const uint8_t *data, size_t size, struct serin_have *value)
{
    uint8_t rest[HAVE_REST_MAX];
    struct serin_pbc_walk walk;
    if (size > SERIN_HAVE_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    memset(value, 0, sizeof(*value));
    serin_pbc_walk_start(&walk, data, size, HAVE_DATA, rest, sizeof(rest));
    enum serin_error error = serin_pbc_walk_once(&walk, &value->data, &value->data_size);
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_pbc_arena arena;
    Serin__V1__Have *message = NULL;
    error = serin_pbc_unpack(&arena, &serin__v1__have__descriptor, rest, walk.rest_size,
                             sizeof(rest), &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    if (value->data_size == 0) {
        value->data = NULL;
    }
    return get_have(message, value) && serin_bounds_have(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- the table ---- */

const struct serin_site_codec *serin_protobufc_site(void)
{
    static const struct serin_site_codec codec = {
        .encode_batch = serin_pbc_encode_batch,
        .decode_batch = serin_pbc_decode_batch,
        .encode_batch_items = serin_pbc_encode_batch_items,
        .decode_batch_items = serin_pbc_decode_batch_items,
        .encode_ack_batch = serin_pbc_encode_ack_batch,
        .decode_ack_batch = serin_pbc_decode_ack_batch,
        .encode_gw_status = serin_pbc_encode_gw_status,
        .decode_gw_status = serin_pbc_decode_gw_status,
        .encode_want = serin_pbc_encode_want,
        .decode_want = serin_pbc_decode_want,
        .encode_have = serin_pbc_encode_have,
        .decode_have = serin_pbc_decode_have,
    };
    return &codec;
}
