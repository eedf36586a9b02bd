/*
 * Codecs of the transport: get, block, hold, presence (docs/spec/blocks.md, docs/spec/topics.md).
 */
#include "codecs.h"
#include "npb.h"

#include "serin.pb.h"

#include <serin/wire_bounds.h>

/* ---- get ---- */

enum serin_error serin_npb_encode_get(const struct serin_get *value, uint8_t *out, size_t capacity,
                                      size_t *size)
{
    if (!serin_bounds_get(value)) {
        return SERIN_ERR_INVALID;
    }
    const serin_v1_Get message = {
        .version = SERIN_WIRE_VERSION,
        .object = serin_npb_bytes(value->object, sizeof(value->object)),
        .offset = value->offset,
        .length = value->length,
        .block_size = value->block_size,
        .token = value->token,
        .done_token = value->done_token,
    };
    return serin_npb_encode(serin_v1_Get_fields, &message, SERIN_GET_MAX, out, capacity, size);
}

enum serin_error serin_npb_decode_get(const uint8_t *data, size_t size, struct serin_get *value)
{
    serin_v1_Get message = {0};
    enum serin_error error =
        serin_npb_decode(serin_v1_Get_fields, data, size, SERIN_GET_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message.version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    value->offset = message.offset;
    value->length = message.length;
    value->block_size = message.block_size;
    value->token = message.token;
    value->done_token = message.done_token;
    bool ok = serin_npb_get_fixed(&message.object, value->object, sizeof(value->object));
    return ok && serin_bounds_get(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- block ---- */

enum serin_error serin_npb_encode_block(const struct serin_block *value, uint8_t *out,
                                        size_t capacity, size_t *size)
{
    if (!serin_bounds_block(value)) {
        return SERIN_ERR_INVALID;
    }
    const serin_v1_Block message = {
        .version = SERIN_WIRE_VERSION,
        .token = value->token,
        .status = (uint32_t)value->status,
        .offset = value->offset,
        .object_size = value->object_size,
        .window_end = value->window_end,
        .crc32 = value->crc32,
        .retry_ms = value->retry_ms,
        .data = serin_npb_bytes(value->data, value->data_size),
    };
    return serin_npb_encode(serin_v1_Block_fields, &message, SERIN_BLOCK_MAX, out, capacity, size);
}

enum serin_error serin_npb_decode_block(const uint8_t *data, size_t size, struct serin_block *value)
{
    serin_v1_Block message = {0};
    enum serin_error error =
        serin_npb_decode(serin_v1_Block_fields, data, size, SERIN_BLOCK_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message.data.seen > 1) {
        return SERIN_ERR_FORMAT;
    }
    if (message.version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    *value = (struct serin_block){
        .token = message.token,
        .status = (enum serin_block_status)message.status,
        .offset = message.offset,
        .object_size = message.object_size,
        .window_end = message.window_end,
        .crc32 = message.crc32,
        .retry_ms = message.retry_ms,
        .data = message.data.size > 0 ? message.data.bytes : NULL,
        .data_size = message.data.size,
    };
    return serin_bounds_block(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- hold ---- */

enum serin_error serin_npb_encode_hold(const struct serin_hold *value, uint8_t *out,
                                       size_t capacity, size_t *size)
{
    if (!serin_bounds_hold(value)) {
        return SERIN_ERR_INVALID;
    }
    const serin_v1_Hold message = {.version = SERIN_WIRE_VERSION,
                                   .held = value->held,
                                   .lease_left_s = value->lease_left_s,
                                   .time_s = value->time_s,
                                   .reason = (uint32_t)value->reason};
    return serin_npb_encode(serin_v1_Hold_fields, &message, SERIN_HOLD_MAX, out, capacity, size);
}

enum serin_error serin_npb_decode_hold(const uint8_t *data, size_t size, struct serin_hold *value)
{
    serin_v1_Hold message = {0};
    enum serin_error error =
        serin_npb_decode(serin_v1_Hold_fields, data, size, SERIN_HOLD_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message.version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    *value = (struct serin_hold){.held = message.held,
                                 .lease_left_s = message.lease_left_s,
                                 .time_s = message.time_s,
                                 .reason = (enum serin_reason)message.reason};
    return serin_bounds_hold(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- presence ---- */

enum serin_error serin_npb_encode_presence(const struct serin_presence *value, uint8_t *out,
                                           size_t capacity, size_t *size)
{
    const serin_v1_Presence message = {
        .version = SERIN_WIRE_VERSION, .online = value->online, .time_s = value->time_s};
    return serin_npb_encode(serin_v1_Presence_fields, &message, SERIN_PRESENCE_MAX, out, capacity,
                            size);
}

enum serin_error serin_npb_decode_presence(const uint8_t *data, size_t size,
                                           struct serin_presence *value)
{
    serin_v1_Presence message = {0};
    enum serin_error error =
        serin_npb_decode(serin_v1_Presence_fields, data, size, SERIN_PRESENCE_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message.version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    *value = (struct serin_presence){.online = message.online, .time_s = message.time_s};
    return SERIN_OK;
}
