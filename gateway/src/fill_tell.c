/* What the plugin is told: ranges, whole objects, what is not to be had, and bytes that the disk
 * has no room for. */
#include "fill_internal.h"

#include <string.h>

void fill_untold(struct serin_fill_object *object, uint32_t piece, bool at_once, uint64_t now_ms)
{
    if (object->untold_from == object->untold_to) {
        object->untold_from = piece;
        object->untold_to = piece + 1;
    } else {
        object->untold_from = piece < object->untold_from ? piece : object->untold_from;
        object->untold_to = piece + 1 > object->untold_to ? piece + 1 : object->untold_to;
    }
    object->untold_bytes += serin_piece_size(object->size, piece);
    if (at_once || object->untold_bytes >= FILL_TELL_BYTES) {
        object->tell_ms = now_ms;
    } else if (object->tell_ms == FILL_NEVER) {
        object->tell_ms = now_ms + FILL_TELL_MS;
    }
}

void fill_tell_fresh(struct serin_fill_object *object, uint64_t now_ms)
{
    memset(object->told, 0, sizeof object->told);
    object->untold_from = 0;
    object->untold_to = object->piece_count;
    object->untold_bytes = 0;
    object->tell_fresh = true;
    object->tell_ms = now_ms;
}

/* Whether the plugin lacks word of a piece that is here. */
static bool is_news(const struct serin_fill_object *object, uint32_t piece)
{
    return fill_bit(object->have, piece) && !fill_bit(object->told, piece);
}

/* Gathers ranges from *piece on; *piece is then where the next message begins. */
static void gather(const struct serin_fill_object *object, uint32_t *piece, struct serin_have *have)
{
    uint32_t at = *piece;
    have->range_count = 0;
    while (at < object->untold_to && have->range_count < SERIN_HAVE_RANGES_MAX) {
        if (!is_news(object, at)) {
            at++;
            continue;
        }
        uint32_t from = at;
        while (at < object->untold_to && is_news(object, at)) {
            at++;
        }
        uint64_t end = (uint64_t)at * SERIN_PIECE_SIZE;
        have->ranges[have->range_count++] =
            (struct serin_range){.start = from * SERIN_PIECE_SIZE,
                                 .end = end < object->size ? (uint32_t)end : object->size};
    }
    *piece = at;
}

static void mark_told(struct serin_fill_object *object, const struct serin_have *have)
{
    for (size_t i = 0; i < have->range_count; i++) {
        for (uint32_t at = have->ranges[i].start; at < have->ranges[i].end;
             at += SERIN_PIECE_SIZE) {
            fill_bit_set(object->told, at / SERIN_PIECE_SIZE);
        }
    }
}

/* Tells everything that is news, in as many messages as it takes. */
static void tell(struct serin_fill *fill, struct serin_fill_object *object, uint64_t now_ms)
{
    struct serin_have have = {
        .kind = SERIN_HAVE_PART, .object_size = object->size, .fresh = object->tell_fresh};
    memcpy(have.object, object->name, SERIN_SHA256_SIZE);
    for (uint32_t piece = object->untold_from;;) {
        gather(object, &piece, &have);
        if (have.range_count == 0 && !have.fresh) {
            break;
        }
        if (fill->config.ops->have(fill->config.ctx, &have) != SERIN_OK) {
            object->tell_ms = now_ms + FILL_TELL_MS;
            return;
        }
        mark_told(object, &have);
        have.fresh = object->tell_fresh = false;
    }
    object->untold_from = object->untold_to = object->untold_bytes = 0;
    object->tell_ms = FILL_NEVER;
}

void fill_tell_step(struct serin_fill *fill, uint64_t now_ms)
{
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        struct serin_fill_object *object = &fill->objects[i];
        if (object->state == SERIN_FILL_STATE_FREE || object->kind != SERIN_FILL_PIECES) {
            continue;
        }
        if (now_ms >= object->tell_ms) {
            tell(fill, object, now_ms);
        }
        fill_note(fill, object->tell_ms);
    }
}

void fill_tell_whole(struct serin_fill *fill, const uint8_t *name, uint32_t size)
{
    struct serin_have have = {.kind = SERIN_HAVE_WHOLE, .object_size = size};
    memcpy(have.object, name, SERIN_SHA256_SIZE);
    /* Lost: the plugin looks into the depot by itself when it is asked next. */
    (void)fill->config.ops->have(fill->config.ctx, &have);
}

void fill_tell_absent(struct serin_fill *fill, const uint8_t *name, enum serin_block_status status,
                      uint32_t retry_ms)
{
    struct serin_have have = {.kind = SERIN_HAVE_ABSENT, .status = status, .retry_ms = retry_ms};
    memcpy(have.object, name, SERIN_SHA256_SIZE);
    (void)fill->config.ops->have(fill->config.ctx, &have);
}

void fill_tell_data(struct serin_fill *fill, const uint8_t *name, uint32_t object_size,
                    uint32_t offset, const uint8_t *data, uint32_t size)
{
    struct serin_have have = {.kind = SERIN_HAVE_DATA, .object_size = object_size};
    memcpy(have.object, name, SERIN_SHA256_SIZE);
    for (uint32_t at = 0; at < size; at += SERIN_PIECE_SIZE) {
        have.data_offset = offset + at;
        have.data = data + at;
        have.data_size = size - at < SERIN_PIECE_SIZE ? size - at : SERIN_PIECE_SIZE;
        if (fill->config.ops->have(fill->config.ctx, &have) != SERIN_OK) {
            return; /* the node asks again */
        }
    }
}
