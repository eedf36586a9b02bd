/*
 * The fields of each kind of the gateway's records (docs/spec/gateway-store.md, section 2). One
 * function a kind serves both directions, so that writing and reading cannot disagree.
 *
 * To add a field: append it at the end under `if (io->version >= N)`, give it a value for older
 * records before that, and raise the kind's version in the table below to N.
 */
#include "gateway_record.h"

#include <serin/assert.h>

#include <string.h>

/* A trust record is the largest payload; a record of it must fit its frame. */
_Static_assert(2 + 160 + 8 + SERIN_BOOT_ID_SIZE + 2 + SERIN_TRUST_PAYLOAD_MAX + 4 <= RECORD_MAX,
               "a record holds the largest payload");

static void meta_fields(struct record_io *io, union gateway_value *value)
{
    struct serin_gateway_meta *meta = &value->meta;
    meta->incarnation = record_u64(io, meta->incarnation);
    meta->batch_number = record_u64(io, meta->batch_number);
    meta->queue_number = record_u64(io, meta->queue_number);
    meta->signed_s = record_u64(io, meta->signed_s);
    meta->signed_at_ms = record_u64(io, meta->signed_at_ms);
    record_bytes(io, meta->boot_id, sizeof meta->boot_id);
    meta->fetched_bytes = record_u64(io, meta->fetched_bytes);
    meta->refetched_bytes = record_u64(io, meta->refetched_bytes);
    meta->uplink_sent = record_u64(io, meta->uplink_sent);
    meta->uplink_got = record_u64(io, meta->uplink_got);
    meta->uplink_messages = record_u64(io, meta->uplink_messages);
    meta->transitions = record_u64(io, meta->transitions);
    meta->rotten = record_u32(io, meta->rotten);
    if (io->version >= 2) { /* before it nobody kept the sum: it begins at 0 */
        meta->served_bytes = record_u64(io, meta->served_bytes);
        meta->served_heard = record_u64(io, meta->served_heard);
    }
    io->failed = io->failed || meta->incarnation == 0;
}

static void node_fields(struct record_io *io, union gateway_value *value)
{
    struct serin_node_record *node = &value->node;
    record_text(io, node->id, sizeof node->id);
    record_text(io, node->product, sizeof node->product);
    record_text(io, node->channel, sizeof node->channel);
    node->hardware = record_u16(io, node->hardware);
    node->first_seen_s = record_u64(io, node->first_seen_s);
    node->last_seen_s = record_u64(io, node->last_seen_s);
    node->standing = (enum serin_ack_status)record_range(io, (unsigned)node->standing,
                                                         SERIN_ACK_INVALID, SERIN_ACK_PENDING);
    node->incarnation = record_u64(io, node->incarnation);
    node->number = record_u64(io, node->number);
    node->acked_number = record_u64(io, node->acked_number);
    node->transitions = record_u32(io, node->transitions);
    record_bytes(io, node->failed_manifest, sizeof node->failed_manifest);
    node->failed_attempt = record_u32(io, node->failed_attempt);
    node->failed_reason = (enum serin_reason)record_range(
        io, (unsigned)node->failed_reason, SERIN_REASON_INVALID, SERIN_REASON_COUNT - 1u);
    record_bytes(io, node->confirmed_manifest, sizeof node->confirmed_manifest);
    node->confirmed_attempt = record_u32(io, node->confirmed_attempt);
    node->queue_number = record_u64(io, node->queue_number);
    node->queued_s = record_u64(io, node->queued_s);
    node->report_size = record_sized(io, node->report, node->report_size, 0, sizeof node->report);
    /* What waits has bytes, and bytes stand for something that waits. */
    io->failed = io->failed || (node->queue_number != 0) != (node->report_size != 0);
}

static void order_fields(struct record_io *io, union gateway_value *value)
{
    struct serin_order_record *order = &value->order;
    record_text(io, order->topic, sizeof order->topic);
    order->taken_at_ms = record_u64(io, order->taken_at_ms);
    record_bytes(io, order->boot_id, sizeof order->boot_id);
    order->payload_size =
        record_sized(io, order->payload, order->payload_size, 1, sizeof order->payload);
}

static const struct {
    uint8_t version;
    void (*fields)(struct record_io *io, union gateway_value *value);
} layouts[GATEWAY_KIND_COUNT] = {
    [GATEWAY_META] = {.version = 2, .fields = meta_fields},
    [GATEWAY_NODE] = {.version = 1, .fields = node_fields},
    [GATEWAY_ORDER] = {.version = 1, .fields = order_fields},
};

enum serin_error gateway_record_encode(enum gateway_kind kind, const struct record_key *key,
                                       union gateway_value *value, uint8_t out[RECORD_MAX],
                                       size_t *size)
{
    SERIN_ASSERT(kind > GATEWAY_INVALID && kind < GATEWAY_KIND_COUNT);
    struct record_io io = record_begin((uint8_t)kind, layouts[kind].version, out);
    layouts[kind].fields(&io, value);
    return record_seal(&io, key, size);
}

enum serin_error gateway_record_decode(enum gateway_kind kind, const void *key, size_t key_size,
                                       const uint8_t *data, size_t size, union gateway_value *value)
{
    SERIN_ASSERT(kind > GATEWAY_INVALID && kind < GATEWAY_KIND_COUNT);
    struct record_io io;
    enum serin_error error =
        record_open(&io, (uint8_t)kind, layouts[kind].version, key, key_size, data, size);
    if (error != SERIN_OK) {
        return error;
    }
    memset(value, 0, sizeof *value);
    layouts[kind].fields(&io, value);
    return record_done(&io);
}
