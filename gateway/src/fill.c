/* The planner: its events, and the steps that follow them. */
#include "fill_internal.h"

#include <string.h>

#define NEEDS_MAX 3u /* image, piece table, manifest */

uint32_t fill_random(struct serin_fill *fill, uint32_t most)
{
    /* xorshift32: it spreads retries, nothing hangs on it. */
    uint32_t value = fill->random;
    value ^= value << 13;
    value ^= value >> 17;
    value ^= value << 5;
    fill->random = value;
    return (uint32_t)(((uint64_t)value * ((uint64_t)most + 1)) >> 32);
}

void serin_fill_init(struct serin_fill *fill, const struct serin_fill_config *config)
{
    const struct serin_fill_ops *ops = config->ops;
    SERIN_ASSERT(ops->describe != NULL && ops->release != NULL && ops->open != NULL &&
                 ops->load != NULL && ops->store != NULL && ops->keep != NULL &&
                 ops->finish != NULL && ops->have != NULL && ops->get != NULL &&
                 ops->allowance != NULL && config->whole != NULL && config->crypto != NULL);
    memset(fill, 0, sizeof *fill);
    fill->config = *config;
    fill->random = config->seed != 0 ? config->seed : 1;
    fill->window.token = fill_random(fill, UINT32_MAX - 1);
    fill->next_ms = FILL_NEVER;
}

void serin_fill_end(struct serin_fill *fill)
{
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        if (fill->objects[i].state != SERIN_FILL_STATE_FREE) {
            fill_drop(fill, &fill->objects[i]);
        }
    }
}

/* Says why an object is not being filled; `want`: what was asked for, or NULL. */
static void tell_answer(struct serin_fill *fill, const uint8_t *name,
                        const struct serin_fill_description *description,
                        const struct serin_want *want)
{
    if (want == NULL) {
        return;
    }
    if (description->answer == SERIN_FILL_ABSENT) {
        fill_tell_absent(fill, want->object, description->status, description->retry_ms);
    } else if (description->answer == SERIN_FILL_STORED) {
        fill_tell_whole(fill, name, description->size);
    } else if (want->offset < description->size) { /* HELD: the pieces that are asked for */
        uint32_t from = want->offset - want->offset % SERIN_PIECE_SIZE;
        uint32_t left = description->size - from;
        uint64_t asked = (uint64_t)want->offset % SERIN_PIECE_SIZE + want->length;
        uint32_t most = FILL_DEMAND_PIECES * SERIN_PIECE_SIZE;
        asked = asked < most ? asked : most;
        fill_tell_data(fill, name, description->size, from, description->data + from,
                       asked < left ? (uint32_t)asked : left);
    }
}

/* What is to be known of an object that is not being filled, with room made for its table. */
static void describe(struct serin_fill *fill, const uint8_t *name, bool wanted,
                     struct serin_fill_description *out, uint64_t now_ms)
{
    do {
        fill->config.ops->describe(fill->config.ctx, name, out);
    } while (out->answer == SERIN_FILL_CROWDED && fill_uncrowd(fill, out, wanted, now_ms));
    if (out->answer == SERIN_FILL_CROWDED) {
        out->answer = SERIN_FILL_ABSENT;
        out->status = SERIN_BLOCK_BUSY;
        out->retry_ms = FILL_ABSENT_BUSY_MS;
    }
}

/* The object, begun if it is to be fetched; or what it stands on, if that comes first: who asked
 * asks again. NULL: neither, *answer tells, and the plugin has heard it where something was wanted.
 */
static struct serin_fill_object *begin(struct serin_fill *fill, const uint8_t *object,
                                       const struct serin_want *want, uint64_t now_ms,
                                       enum serin_fill_answer *answer)
{
    uint8_t name[SERIN_SHA256_SIZE];
    memcpy(name, object, SERIN_SHA256_SIZE);
    for (unsigned depth = 0; depth < NEEDS_MAX; depth++) {
        struct serin_fill_object *found = fill_find(fill, name);
        *answer = SERIN_FILL_FETCH;
        if (found != NULL) {
            return found;
        }
        struct serin_fill_description description = {.answer = SERIN_FILL_ABSENT,
                                                     .status = SERIN_BLOCK_REFUSED};
        describe(fill, name, want != NULL, &description, now_ms);
        *answer = description.answer;
        if (description.answer == SERIN_FILL_NEEDS) {
            memcpy(name, description.needs, SERIN_SHA256_SIZE);
            continue;
        }
        if (description.answer == SERIN_FILL_FETCH) {
            found = fill_claim(fill, name, &description, want != NULL, now_ms);
            if (found != NULL) {
                return found;
            }
            if (description.kind == SERIN_FILL_PIECES) {
                fill->config.ops->release(fill->config.ctx, name);
            }
            description.answer = SERIN_FILL_ABSENT;
            description.status = SERIN_BLOCK_BUSY;
            description.retry_ms = FILL_ABSENT_BUSY_MS;
        }
        tell_answer(fill, name, &description, want);
        return NULL;
    }
    return NULL;
}

/* The pieces that a want is about: from .. to, at most FILL_DEMAND_PIECES. False: none. */
static bool pieces_of(const struct serin_fill_object *object, const struct serin_want *want,
                      uint32_t *from, uint32_t *to)
{
    if (want->offset >= object->size || want->length == 0) {
        return false;
    }
    uint64_t end = (uint64_t)want->offset + want->length;
    end = end < object->size ? end : object->size;
    *from = want->offset / SERIN_PIECE_SIZE;
    *to = serin_piece_count((uint32_t)end);
    *to = *to - *from < FILL_DEMAND_PIECES ? *to : *from + FILL_DEMAND_PIECES;
    return true;
}

static void want_missing(struct serin_fill *fill, const struct serin_want *want, uint64_t now_ms)
{
    enum serin_fill_answer answer;
    struct serin_fill_object *object = begin(fill, want->object, want, now_ms, &answer);
    if (object == NULL) {
        return;
    }
    if (object->kind != SERIN_FILL_PIECES ||
        memcmp(object->name, want->object, SERIN_SHA256_SIZE) != 0) {
        fill_demand(fill, object, 0, 1, now_ms);
        return;
    }
    uint32_t from, to;
    if (!pieces_of(object, want, &from, &to)) {
        /* Past the end: the plugin does not know where that is. */
        fill_tell_fresh(object, now_ms);
        return;
    }
    fill_demand(fill, object, from, to, now_ms);
    for (uint32_t piece = from; piece < to; piece++) {
        if (fill_bit(object->have, piece)) { /* what it was told was lost */
            fill_bit_clear(object->told, piece);
            fill_untold(object, piece, true, now_ms);
        }
    }
}

static void want_rotten(struct serin_fill *fill, const struct serin_want *want, uint64_t now_ms)
{
    struct serin_fill_object *object = fill_find(fill, want->object);
    uint32_t from, to;
    if (object == NULL || object->kind != SERIN_FILL_PIECES ||
        !pieces_of(object, want, &from, &to)) {
        return;
    }
    bool rotten = false;
    for (uint32_t piece = from; piece < to; piece++) {
        if (!fill_bit(object->have, piece)) {
            continue;
        }
        if (fill_piece_holds(fill, object, piece)) {
            fill_bit_clear(object->told, piece);
            fill_untold(object, piece, true, now_ms);
        } else {
            fill->counts.rotten++;
            fill_clear_have(object, piece);
            rotten = true;
        }
    }
    if (rotten) {
        fill_demand(fill, object, from, to, now_ms);
        fill_tell_fresh(object, now_ms);
        if (object->state == SERIN_FILL_STATE_FINISH) {
            fill_harmed(object, now_ms);
        }
    }
}

void serin_fill_want(struct serin_fill *fill, const struct serin_want *want, uint64_t now_ms)
{
    if (want->kind == SERIN_WANT_MISSING) {
        want_missing(fill, want, now_ms);
    } else if (want->kind == SERIN_WANT_ROTTEN) {
        want_rotten(fill, want, now_ms);
    }
    fill->next_ms = now_ms;
}

enum serin_error serin_fill_begin(struct serin_fill *fill, const uint8_t object[SERIN_SHA256_SIZE],
                                  uint64_t now_ms)
{
    enum serin_fill_answer answer = SERIN_FILL_ABSENT;
    struct serin_fill_object *found = begin(fill, object, NULL, now_ms, &answer);
    fill->next_ms = now_ms;
    if (found != NULL || answer == SERIN_FILL_STORED || answer == SERIN_FILL_HELD) {
        return SERIN_OK;
    }
    return answer == SERIN_FILL_FETCH ? SERIN_ERR_BUSY : SERIN_ERR_DENIED;
}

void serin_fill_connected(struct serin_fill *fill, bool connected, uint64_t now_ms)
{
    fill->connected = connected;
    fill->silences = 0;
    for (size_t i = 0; connected && i < SERIN_FILL_OBJECTS; i++) {
        /* Who answers now may know more. */
        struct serin_fill_object *object = &fill->objects[i];
        if (object->misses > 0 || object->refusals > 0) {
            object->misses = object->refusals = 0;
            object->due_ms = now_ms;
        }
    }
    fill->due_ms = now_ms;
    fill->next_ms = now_ms;
    if (fill->window.in_flight) {
        fill_window_ends(fill);
    }
}

void serin_fill_tell_all(struct serin_fill *fill, uint64_t now_ms)
{
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        struct serin_fill_object *object = &fill->objects[i];
        if (object->state != SERIN_FILL_STATE_FREE && object->kind == SERIN_FILL_PIECES) {
            fill_tell_fresh(object, now_ms);
        }
    }
    fill->next_ms = now_ms;
}

static void review(struct serin_fill *fill, struct serin_fill_object *object, uint64_t now_ms)
{
    struct serin_fill_description description = {.answer = SERIN_FILL_ABSENT,
                                                 .status = SERIN_BLOCK_REFUSED};
    fill->config.ops->describe(fill->config.ctx, object->name, &description);
    if (description.answer == SERIN_FILL_FETCH && description.kind == object->kind &&
        (description.size == object->size || !object->sized)) {
        object->emergency = description.emergency;
        object->table = object->kind == SERIN_FILL_PIECES ? description.table : NULL;
        if (object->refusals > 0) { /* the answer may be another one now */
            object->refusals = 0;
            object->due_ms = now_ms;
        }
        return;
    }
    const struct serin_want want = {.kind = SERIN_WANT_MISSING, .length = 1};
    struct serin_want whose = want;
    memcpy(whose.object, object->name, SERIN_SHA256_SIZE);
    fill_drop(fill, object);
    if (description.answer == SERIN_FILL_ABSENT || description.answer == SERIN_FILL_STORED) {
        tell_answer(fill, whose.object, &description, &whose);
    }
}

void serin_fill_review(struct serin_fill *fill, uint64_t now_ms)
{
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        if (fill->objects[i].state != SERIN_FILL_STATE_FREE) {
            review(fill, &fill->objects[i], now_ms);
        }
    }
    fill->next_ms = now_ms;
}

void serin_fill_poll(struct serin_fill *fill, uint64_t now_ms)
{
    fill->next_ms = FILL_NEVER;
    fill_objects_step(fill, now_ms);
    fill_ask_step(fill, now_ms);
    fill_tell_step(fill, now_ms);
}

uint64_t serin_fill_deadline_ms(const struct serin_fill *fill)
{
    return fill->next_ms;
}

bool serin_fill_active(const struct serin_fill *fill, const uint8_t object[SERIN_SHA256_SIZE])
{
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        if (fill->objects[i].state != SERIN_FILL_STATE_FREE &&
            memcmp(fill->objects[i].name, object, SERIN_SHA256_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

uint32_t serin_fill_count(const struct serin_fill *fill, bool *pass_through)
{
    uint32_t count = 0;
    *pass_through = false;
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        const struct serin_fill_object *object = &fill->objects[i];
        count += object->state != SERIN_FILL_STATE_FREE ? 1u : 0u;
        *pass_through =
            *pass_through || (object->state != SERIN_FILL_STATE_FREE && object->through);
    }
    return count;
}
