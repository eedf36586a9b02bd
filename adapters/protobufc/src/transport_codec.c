/*
 * Codecs of the transport: get, block, hold, presence (docs/spec/blocks.md, docs/spec/topics.md).
 */
#include "codecs.h"
#include "pbc.h"

#include "serin.pb-c.h"

#include <serin/wire_bounds.h>

#define BLOCK_DATA 9u /* number of the field that is cut out, as in serin.proto */

/* ---- get ---- */

enum serin_error serin_pbc_encode_get(const struct serin_get *value, uint8_t *out, size_t capacity,
                                      size_t *size)
{
    if (!serin_bounds_get(value)) {
        return SERIN_ERR_INVALID;
    }
    Serin__V1__Get message;
    serin__v1__get__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.object = serin_pbc_bytes(value->object, sizeof(value->object));
    message.offset = value->offset;
    message.length = value->length;
    message.block_size = value->block_size;
    message.token = value->token;
    message.done_token = value->done_token;
    return serin_pbc_pack(&message.base, SERIN_GET_MAX, out, capacity, size);
}

enum serin_error serin_pbc_decode_get(const uint8_t *data, size_t size, struct serin_get *value)
{
    struct serin_pbc_arena arena;
    Serin__V1__Get *message = NULL;
    enum serin_error error =
        serin_pbc_unpack(&arena, &serin__v1__get__descriptor, data, size, SERIN_GET_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    value->offset = message->offset;
    value->length = message->length;
    value->block_size = message->block_size;
    value->token = message->token;
    value->done_token = message->done_token;
    bool ok = serin_pbc_get_fixed(&message->object, value->object, sizeof(value->object));
    return ok && serin_bounds_get(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- block ---- */

enum serin_error serin_pbc_encode_block(const struct serin_block *value, uint8_t *out,
                                        size_t capacity, size_t *size)
{
    if (!serin_bounds_block(value)) {
        return SERIN_ERR_INVALID;
    }
    Serin__V1__Block message;
    serin__v1__block__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.token = value->token;
    message.status = value->status;
    message.offset = value->offset;
    message.object_size = value->object_size;
    message.window_end = value->window_end;
    message.crc32 = value->crc32;
    message.retry_ms = value->retry_ms;
    message.data = serin_pbc_bytes(value->data, value->data_size);
    return serin_pbc_pack(&message.base, SERIN_BLOCK_MAX, out, capacity, size);
}

enum serin_error serin_pbc_decode_block(const uint8_t *data, size_t size, struct serin_block *value)
{
    struct serin_pbc_cut cut;
    enum serin_error error = serin_pbc_cut(data, size, SERIN_BLOCK_MAX, BLOCK_DATA, &cut);
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_pbc_arena arena;
    Serin__V1__Block *message = NULL;
    error = serin_pbc_unpack(&arena, &serin__v1__block__descriptor, cut.rest, cut.rest_size,
                             sizeof(cut.rest), &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    value->token = message->token;
    value->status = (enum serin_block_status)message->status;
    value->offset = message->offset;
    value->object_size = message->object_size;
    value->window_end = message->window_end;
    value->crc32 = message->crc32;
    value->retry_ms = message->retry_ms;
    value->data = cut.bytes_size > 0 ? cut.bytes : NULL;
    value->data_size = cut.bytes_size;
    return serin_bounds_block(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- hold ---- */

enum serin_error serin_pbc_encode_hold(const struct serin_hold *value, uint8_t *out,
                                       size_t capacity, size_t *size)
{
    if (!serin_bounds_hold(value)) {
        return SERIN_ERR_INVALID;
    }
    Serin__V1__Hold message;
    serin__v1__hold__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.held = value->held;
    message.lease_left_s = value->lease_left_s;
    message.time_s = value->time_s;
    message.reason = value->reason;
    return serin_pbc_pack(&message.base, SERIN_HOLD_MAX, out, capacity, size);
}

enum serin_error serin_pbc_decode_hold(const uint8_t *data, size_t size, struct serin_hold *value)
{
    struct serin_pbc_arena arena;
    Serin__V1__Hold *message = NULL;
    enum serin_error error = serin_pbc_unpack(&arena, &serin__v1__hold__descriptor, data, size,
                                              SERIN_HOLD_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    value->held = message->held != 0;
    value->lease_left_s = message->lease_left_s;
    value->time_s = message->time_s;
    value->reason = (enum serin_reason)message->reason;
    return serin_bounds_hold(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- presence ---- */

enum serin_error serin_pbc_encode_presence(const struct serin_presence *value, uint8_t *out,
                                           size_t capacity, size_t *size)
{
    Serin__V1__Presence message;
    serin__v1__presence__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.online = value->online;
    message.time_s = value->time_s;
    return serin_pbc_pack(&message.base, SERIN_PRESENCE_MAX, out, capacity, size);
}

enum serin_error serin_pbc_decode_presence(const uint8_t *data, size_t size,
                                           struct serin_presence *value)
{
    struct serin_pbc_arena arena;
    Serin__V1__Presence *message = NULL;
    enum serin_error error = serin_pbc_unpack(&arena, &serin__v1__presence__descriptor, data, size,
                                              SERIN_PRESENCE_MAX, &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    value->online = message->online != 0;
    value->time_s = message->time_s;
    return SERIN_OK;
}
