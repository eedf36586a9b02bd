/*
 * Codecs of batches (docs/spec/batch.md): the outer message, its items, the acks back.
 *
 * Lists are walked item by item, so that 256 items ask for no more memory than one.
 */
#include "codecs.h"
#include "pbc.h"
#include "site_bounds.h"
#include "site_codecs.h"

#include "serin.pb-c.h"

#include <serin/wire_bounds.h>

/* Numbers of the fields that are walked or cut out, as in serin.proto. */
#define BATCH_ITEMS    6u
#define ITEMS_ITEM     1u
#define ITEM_PAYLOAD   3u
#define ACK_BATCH_ITEM 2u
#define ACK_ITEM_ACK   2u

/* ---- the outer message ---- */

enum serin_error serin_pbc_encode_batch(const struct serin_batch *value, uint8_t *out,
                                        size_t capacity, size_t *size)
{
    if (!serin_bounds_batch(value)) {
        return SERIN_ERR_INVALID;
    }
    Serin__V1__Batch message;
    serin__v1__batch__init(&message);
    message.version = SERIN_WIRE_VERSION;
    message.incarnation = value->incarnation;
    message.number = value->number;
    message.encoding = value->encoding;
    message.plain_size = value->plain_size;
    message.items = serin_pbc_bytes(value->items, value->items_size);
    return serin_pbc_pack(&message.base, SERIN_BATCH_MAX, out, capacity, size);
}

enum serin_error serin_pbc_decode_batch(const uint8_t *data, size_t size, struct serin_batch *value)
{
    struct serin_pbc_cut cut;
    enum serin_error error = serin_pbc_cut(data, size, SERIN_BATCH_MAX, BATCH_ITEMS, &cut);
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_pbc_arena arena;
    Serin__V1__Batch *message = NULL;
    error = serin_pbc_unpack(&arena, &serin__v1__batch__descriptor, cut.rest, cut.rest_size,
                             sizeof(cut.rest), &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (message->version != SERIN_WIRE_VERSION) {
        return SERIN_ERR_VERSION;
    }
    value->incarnation = message->incarnation;
    value->number = message->number;
    value->encoding = (enum serin_batch_encoding)message->encoding;
    value->plain_size = message->plain_size;
    value->items = cut.bytes;
    value->items_size = cut.bytes_size;
    return serin_bounds_batch(value) ? SERIN_OK : SERIN_ERR_INVALID;
}

/* ---- items ---- */

enum serin_error serin_pbc_encode_batch_items(const struct serin_batch_items *value, uint8_t *out,
                                              size_t capacity, size_t *size)
{
    if (value->count < 1 || value->count > SERIN_BATCH_ITEMS_MAX) {
        return SERIN_ERR_INVALID;
    }
    Serin__V1__BatchItem items[SERIN_BATCH_ITEMS_MAX];
    Serin__V1__BatchItem *pointers[SERIN_BATCH_ITEMS_MAX];
    Serin__V1__BatchItems message;
    serin__v1__batch_items__init(&message);
    for (size_t i = 0; i < value->count; i++) {
        const struct serin_batch_item *item = &value->list[i];
        if (!serin_bounds_batch_item(item)) {
            return SERIN_ERR_INVALID;
        }
        serin__v1__batch_item__init(&items[i]);
        items[i].node = serin_pbc_text(item->node);
        items[i].kind = item->kind;
        items[i].payload = serin_pbc_bytes(item->payload, item->payload_size);
        pointers[i] = &items[i];
    }
    message.n_items = value->count;
    message.items = pointers;
    return serin_pbc_pack(&message.base, SERIN_BATCH_PLAIN_MAX, out, capacity, size);
}

/* `known`: false for an item of a kind that is skipped, whatever else it holds. */
static enum serin_error decode_batch_item(const uint8_t *data, size_t size,
                                          struct serin_batch_item *item, bool *known)
{
    struct serin_pbc_cut cut;
    enum serin_error error = serin_pbc_cut(data, size, SERIN_BATCH_PLAIN_MAX, ITEM_PAYLOAD, &cut);
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_pbc_arena arena;
    Serin__V1__BatchItem *message = NULL;
    error = serin_pbc_unpack(&arena, &serin__v1__batch_item__descriptor, cut.rest, cut.rest_size,
                             sizeof(cut.rest), &message);
    if (error != SERIN_OK) {
        return error;
    }
    *known = message->kind <= SERIN_BATCH_PRESENCE;
    if (!*known) {
        return SERIN_OK;
    }
    item->kind = (enum serin_batch_kind)message->kind;
    item->payload = cut.bytes;
    item->payload_size = cut.bytes_size;
    bool ok = serin_pbc_get_text(&arena, message->node, item->node, sizeof(item->node));
    return ok && serin_bounds_batch_item(item) ? SERIN_OK : SERIN_ERR_INVALID;
}

enum serin_error serin_pbc_decode_batch_items(const uint8_t *data, size_t size,
                                              struct serin_batch_items *value)
{
    uint8_t rest[SERIN_PBC_REST_MAX];
    struct serin_pbc_walk walk;
    size_t seen = 0;
    value->count = 0;
    if (size > SERIN_BATCH_PLAIN_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    serin_pbc_walk_start(&walk, data, size, ITEMS_ITEM, rest, sizeof(rest));
    for (;; seen++) {
        const uint8_t *bytes = NULL;
        size_t bytes_size = 0;
        bool known = false;
        enum serin_error error = serin_pbc_walk_next(&walk, &bytes, &bytes_size);
        if (error != SERIN_OK) {
            return error;
        }
        if (bytes == NULL) {
            return seen > 0 ? SERIN_OK : SERIN_ERR_FORMAT;
        }
        if (seen == SERIN_BATCH_ITEMS_MAX) {
            return SERIN_ERR_INVALID;
        }
        error = decode_batch_item(bytes, bytes_size, &value->list[value->count], &known);
        if (error != SERIN_OK) {
            return error;
        }
        value->count += known ? 1 : 0;
    }
}

/* ---- acks ---- */

/* Encoded acks of items, and everything that the message points to. */
struct ack_batch_parts {
    uint8_t acks[SERIN_ACK_BATCH_ITEMS_MAX][SERIN_ACK_MAX];
    Serin__V1__AckItem items[SERIN_ACK_BATCH_ITEMS_MAX];
    Serin__V1__AckItem *item_pointers[SERIN_ACK_BATCH_ITEMS_MAX];
    Serin__V1__BatchAck batches[SERIN_ACK_BATCH_BATCHES_MAX];
    Serin__V1__BatchAck *batch_pointers[SERIN_ACK_BATCH_BATCHES_MAX];
};

static enum serin_error put_ack_items(const struct serin_ack_batch *value,
                                      struct ack_batch_parts *parts)
{
    for (size_t i = 0; i < value->count; i++) {
        const struct serin_ack_item *item = &value->list[i];
        size_t ack_size = 0;
        if (!serin_bounds_ack_item(item)) {
            return SERIN_ERR_INVALID;
        }
        enum serin_error error =
            serin_pbc_encode_ack(&item->ack, parts->acks[i], sizeof(parts->acks[i]), &ack_size);
        if (error != SERIN_OK) {
            return error;
        }
        serin__v1__ack_item__init(&parts->items[i]);
        parts->items[i].node = serin_pbc_text(item->node);
        parts->items[i].ack = serin_pbc_bytes(parts->acks[i], ack_size);
        parts->item_pointers[i] = &parts->items[i];
    }
    return SERIN_OK;
}

static enum serin_error put_batch_acks(const struct serin_ack_batch *value,
                                       struct ack_batch_parts *parts)
{
    for (size_t i = 0; i < value->batch_count; i++) {
        const struct serin_batch_ack *ack = &value->batches[i];
        if (!serin_bounds_batch_ack(ack)) {
            return SERIN_ERR_INVALID;
        }
        serin__v1__batch_ack__init(&parts->batches[i]);
        parts->batches[i].incarnation = ack->incarnation;
        parts->batches[i].number = ack->number;
        parts->batches[i].crc32 = ack->crc32;
        parts->batch_pointers[i] = &parts->batches[i];
    }
    return SERIN_OK;
}

enum serin_error serin_pbc_encode_ack_batch(const struct serin_ack_batch *value, uint8_t *out,
                                            size_t capacity, size_t *size)
{
    if (value->count > SERIN_ACK_BATCH_ITEMS_MAX ||
        value->batch_count > SERIN_ACK_BATCH_BATCHES_MAX ||
        (value->count == 0 && value->batch_count == 0)) {
        return SERIN_ERR_INVALID;
    }
    struct ack_batch_parts parts;
    Serin__V1__AckBatch message;
    serin__v1__ack_batch__init(&message);
    message.version = SERIN_WIRE_VERSION;
    enum serin_error error = put_ack_items(value, &parts);
    if (error == SERIN_OK) {
        error = put_batch_acks(value, &parts);
    }
    if (error != SERIN_OK) {
        return error;
    }
    message.n_items = value->count;
    message.items = parts.item_pointers;
    message.n_batches = value->batch_count;
    message.batches = parts.batch_pointers;
    return serin_pbc_pack(&message.base, SERIN_ACK_BATCH_MAX, out, capacity, size);
}

static enum serin_error decode_ack_item(const uint8_t *data, size_t size,
                                        struct serin_ack_item *item)
{
    struct serin_pbc_cut cut;
    enum serin_error error = serin_pbc_cut(data, size, SERIN_ACK_BATCH_MAX, ACK_ITEM_ACK, &cut);
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_pbc_arena arena;
    Serin__V1__AckItem *message = NULL;
    error = serin_pbc_unpack(&arena, &serin__v1__ack_item__descriptor, cut.rest, cut.rest_size,
                             sizeof(cut.rest), &message);
    if (error != SERIN_OK) {
        return error;
    }
    if (!serin_pbc_get_text(&arena, message->node, item->node, sizeof(item->node))) {
        return SERIN_ERR_INVALID;
    }
    error = serin_pbc_decode_ack(cut.bytes, cut.bytes_size, &item->ack);
    if (error != SERIN_OK) {
        return error;
    }
    return serin_bounds_ack_item(item) ? SERIN_OK : SERIN_ERR_INVALID;
}

static enum serin_error get_batch_acks(const Serin__V1__AckBatch *message,
                                       struct serin_ack_batch *value)
{
    if (message->n_batches > SERIN_ACK_BATCH_BATCHES_MAX) {
        return SERIN_ERR_INVALID;
    }
    for (size_t i = 0; i < message->n_batches; i++) {
        value->batches[i] =
            (struct serin_batch_ack){.incarnation = message->batches[i]->incarnation,
                                     .number = message->batches[i]->number,
                                     .crc32 = message->batches[i]->crc32};
        if (!serin_bounds_batch_ack(&value->batches[i])) {
            return SERIN_ERR_INVALID;
        }
    }
    value->batch_count = message->n_batches;
    return SERIN_OK;
}

/* All but the items: the version, wherever it stands, comes before any error of an item. */
static enum serin_error decode_around_items(const uint8_t *data, size_t size,
                                            struct serin_ack_batch *value)
{
    uint8_t rest[SERIN_PBC_REST_MAX];
    const uint8_t *bytes = NULL;
    size_t bytes_size = 0;
    struct serin_pbc_walk walk;
    serin_pbc_walk_start(&walk, data, size, ACK_BATCH_ITEM, rest, sizeof(rest));
    do {
        enum serin_error error = serin_pbc_walk_next(&walk, &bytes, &bytes_size);
        if (error != SERIN_OK) {
            return error;
        }
    } while (bytes != NULL);
    struct serin_pbc_arena arena;
    Serin__V1__AckBatch *message = NULL;
    enum serin_error error = serin_pbc_unpack(&arena, &serin__v1__ack_batch__descriptor, rest,
                                              walk.rest_size, sizeof(rest), &message);
    if (error != SERIN_OK) {
        return error;
    }
    return message->version == SERIN_WIRE_VERSION ? get_batch_acks(message, value)
                                                  : SERIN_ERR_VERSION;
}

enum serin_error serin_pbc_decode_ack_batch(const uint8_t *data, size_t size,
                                            struct serin_ack_batch *value)
{
    uint8_t rest[SERIN_PBC_REST_MAX];
    struct serin_pbc_walk walk;
    const uint8_t *bytes = NULL;
    size_t bytes_size = 0;
    if (size > SERIN_ACK_BATCH_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    value->count = value->batch_count = 0;
    serin_pbc_walk_start(&walk, data, size, ACK_BATCH_ITEM, rest, sizeof(rest));
    enum serin_error error = decode_around_items(data, size, value);
    while (error == SERIN_OK) {
        error = serin_pbc_walk_next(&walk, &bytes, &bytes_size);
        if (error != SERIN_OK || bytes == NULL) {
            break;
        }
        if (value->count == SERIN_ACK_BATCH_ITEMS_MAX) {
            return SERIN_ERR_INVALID;
        }
        error = decode_ack_item(bytes, bytes_size, &value->list[value->count++]);
    }
    if (error != SERIN_OK) {
        return error;
    }
    return value->count + value->batch_count >= 1 ? SERIN_OK : SERIN_ERR_INVALID;
}
