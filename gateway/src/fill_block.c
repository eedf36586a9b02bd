/* What arrives: blocks become pieces and whole objects, or the reason to wait. */
#include "fill_internal.h"

#include <serin/crc32.h>

#include <string.h>

#define BUSY_LEAST_MS    50u
#define MISS_LEAST_MS    1000u
#define MISS_MOST_MS     60000u
#define REFUSED_LEAST_MS 5000u
#define REFUSED_MOST_MS  600000u
#define WRONG_LEAST_MS   250u
#define WRONG_ROW        5u /* after so many in a row an object rests */
#define WRONG_REST_MS    60000u

/* ---- what had arrived in part ---- */

struct serin_fill_stub *fill_stub_find(struct serin_fill *fill,
                                       const struct serin_fill_object *object, uint32_t piece)
{
    uint32_t place = fill_place(fill, object);
    for (size_t i = 0; i < SERIN_FILL_STUBS; i++) {
        struct serin_fill_stub *stub = &fill->stubs[i];
        if (stub->used && stub->piece == piece && stub->place == place &&
            stub->generation == object->generation) {
            return stub;
        }
    }
    return NULL;
}

void fill_stub_drop(struct serin_fill *fill, struct serin_fill_stub *stub)
{
    fill->counts.refetched_bytes += stub->filled;
    stub->used = false;
}

static struct serin_fill_stub *stub_take(struct serin_fill *fill,
                                         const struct serin_fill_object *object, uint32_t piece)
{
    struct serin_fill_stub *oldest = &fill->stubs[0];
    for (size_t i = 0; i < SERIN_FILL_STUBS && oldest->used; i++) {
        struct serin_fill_stub *stub = &fill->stubs[i];
        oldest = !stub->used || stub->turn < oldest->turn ? stub : oldest;
    }
    if (oldest->used) {
        fill_stub_drop(fill, oldest);
    }
    oldest->used = true;
    oldest->place = fill_place(fill, object);
    oldest->generation = object->generation;
    oldest->piece = piece;
    oldest->filled = 0;
    oldest->turn = ++fill->turn;
    return oldest;
}

/* ---- pieces ---- */

static struct serin_fill_bad *bad_find(struct serin_fill_object *object, uint32_t piece)
{
    for (size_t i = 0; i < SERIN_FILL_BAD; i++) {
        if (object->bad[i].count > 0 && object->bad[i].piece == piece) {
            return &object->bad[i];
        }
    }
    return NULL;
}

/* A piece, or a whole object (piece 0), came wrong: it waits, longer each time, and the object
 * rests when nothing right came in between. */
static void came_wrong(struct serin_fill *fill, struct serin_fill_object *object, uint32_t piece,
                       uint64_t now_ms)
{
    fill->counts.wrong++;
    struct serin_fill_bad *bad = bad_find(object, piece);
    for (size_t i = 0; i < SERIN_FILL_BAD && bad == NULL; i++) {
        bad = object->bad[i].count == 0 ? &object->bad[i] : NULL;
    }
    if (bad != NULL) {
        bad->piece = piece;
        bad->count++;
        bad->due_ms = now_ms + (bad->count % WRONG_ROW == 0
                                    ? WRONG_REST_MS
                                    : fill_grown(WRONG_LEAST_MS, bad->count - 1, WRONG_REST_MS));
    }
    object->wrong_row++;
    if (object->wrong_row % WRONG_ROW == 0 || bad == NULL) {
        object->due_ms = now_ms + WRONG_REST_MS;
    }
}

static void came_right(struct serin_fill_object *object, uint32_t piece)
{
    struct serin_fill_bad *bad = bad_find(object, piece);
    if (bad != NULL) {
        bad->count = 0;
    }
    object->wrong_row = object->misses = object->refusals = 0;
}

/* Hands a piece on that the disk has no room for. */
static void pass_piece(struct serin_fill *fill, struct serin_fill_object *object, uint32_t piece,
                       const uint8_t *data)
{
    uint32_t size = serin_piece_size(object->size, piece);
    if (!fill_bit(object->demand, piece)) {
        fill->counts.refetched_bytes += size; /* nobody waits: it has to come again */
        return;
    }
    fill_bit_clear(object->demand, piece);
    object->demand_count--;
    fill_tell_data(fill, object->name, object->size, piece * SERIN_PIECE_SIZE, data, size);
}

static void store_piece(struct serin_fill *fill, struct serin_fill_object *object, uint32_t piece,
                        const uint8_t *data, uint64_t now_ms)
{
    /* Until its part file was looked through, an object takes no pieces. */
    bool ready = object->state == SERIN_FILL_STATE_FETCH && object->opened && !object->through;
    enum serin_error error =
        ready ? fill->config.ops->store(fill->config.ctx, object->name, piece * SERIN_PIECE_SIZE,
                                        data, serin_piece_size(object->size, piece))
              : SERIN_ERR_STATE;
    if (error == SERIN_OK) {
        bool awaited = fill_bit(object->demand, piece);
        fill_set_have(object, piece);
        fill_untold(object, piece, awaited, now_ms);
        return;
    }
    pass_piece(fill, object, piece, data);
    if (error == SERIN_ERR_NO_SPACE) {
        object->through = true;
        object->room_ms = now_ms + FILL_ROOM_MS;
    } else if (ready) {
        fill_harmed(object, now_ms);
        object->due_ms = now_ms + FILL_RETRY_MS;
    }
}

static void take_piece(struct serin_fill *fill, struct serin_fill_object *object, uint32_t piece,
                       const uint8_t *data, uint64_t now_ms)
{
    uint8_t digest[SERIN_SHA256_SIZE];
    uint32_t size = serin_piece_size(object->size, piece);
    serin_sha256_of(fill->config.crypto, data, size, digest);
    if (memcmp(digest, object->table + (size_t)piece * SERIN_SHA256_SIZE, SERIN_SHA256_SIZE) != 0) {
        fill->counts.refetched_bytes += size;
        came_wrong(fill, object, piece, now_ms);
        return;
    }
    came_right(object, piece);
    store_piece(fill, object, piece, data, now_ms);
}

/* Bytes `from` .. of a piece, which do not cover it. They are kept as long as they go on where the
 * piece's bytes end; what comes after a gap is of no use. */
static void take_part(struct serin_fill *fill, struct serin_fill_object *object, uint32_t piece,
                      uint32_t from, const uint8_t *data, uint32_t size, uint64_t now_ms)
{
    struct serin_fill_stub *stub = fill_stub_find(fill, object, piece);
    uint32_t filled = stub != NULL ? stub->filled : 0;
    if (from > filled || from + size <= filled) {
        fill->counts.refetched_bytes += size;
        return;
    }
    stub = stub != NULL ? stub : stub_take(fill, object, piece);
    uint32_t known = filled - from;
    fill->counts.refetched_bytes += known;
    memcpy(stub->data + filled, data + known, size - known);
    stub->filled = from + size;
    if (stub->filled == serin_piece_size(object->size, piece)) {
        stub->used = false;
        take_piece(fill, object, piece, stub->data, now_ms);
    }
}

static void take_bytes(struct serin_fill *fill, struct serin_fill_object *object,
                       const struct serin_block *block, uint64_t now_ms)
{
    uint32_t end = block->offset + (uint32_t)block->data_size;
    uint32_t generation = object->generation;
    for (uint32_t at = block->offset; at < end;) {
        uint32_t piece = at / SERIN_PIECE_SIZE;
        uint32_t first = piece * SERIN_PIECE_SIZE;
        uint32_t size = serin_piece_size(object->size, piece);
        uint32_t stop = end - first < size ? end : first + size;
        const uint8_t *data = block->data + (at - block->offset);
        SERIN_ASSERT(object->generation == generation);
        if (fill_bit(object->have, piece)) {
            fill->counts.refetched_bytes += stop - at;
        } else if (at == first && stop == first + size) {
            struct serin_fill_stub *stub = fill_stub_find(fill, object, piece);
            if (stub != NULL) {
                fill_stub_drop(fill, stub);
            }
            take_piece(fill, object, piece, data, now_ms);
        } else {
            take_part(fill, object, piece, at - first, data, stop - at, now_ms);
        }
        at = stop;
    }
}

/* ---- whole objects ---- */

/* What there is of a whole object is worth nothing; its size may have been a lie as well. */
static void whole_forget(struct serin_fill *fill, struct serin_fill_object *object)
{
    if (fill_owns(fill, object)) {
        struct serin_fill_owner *owner = fill_owner(fill, object);
        fill->counts.refetched_bytes += owner->filled;
        owner->filled = 0;
    }
    object->size = object->sized ? object->size : 0;
}

static bool whole_holds(struct serin_fill *fill, const struct serin_fill_object *object)
{
    uint8_t digest[SERIN_SHA256_SIZE];
    size_t size = object->size;
    if (object->kind == SERIN_FILL_MANIFEST) {
        if (size < SERIN_MANIFEST_HEAD_SIZE) {
            return false;
        }
        size = SERIN_MANIFEST_BODY_SIZE; /* its id does not cover the signature */
    }
    serin_sha256_of(fill->config.crypto, fill_buffer(fill, object), size, digest);
    return memcmp(digest, object->name, SERIN_SHA256_SIZE) == 0;
}

static void take_whole(struct serin_fill *fill, struct serin_fill_object *object, uint64_t now_ms)
{
    const uint8_t *data = fill_buffer(fill, object);
    enum serin_error error = SERIN_ERR_DIGEST;
    if (whole_holds(fill, object)) {
        error = fill->config.ops->keep(fill->config.ctx, object->name, object->kind, data,
                                       object->size);
    }
    if (error == SERIN_OK || error == SERIN_ERR_NO_SPACE) {
        uint32_t first = FILL_DEMAND_PIECES * SERIN_PIECE_SIZE;
        if (error == SERIN_OK) {
            fill_tell_whole(fill, object->name, object->size);
        } else {
            fill_tell_data(fill, object->name, object->size, 0, data,
                           object->size < first ? object->size : first);
        }
        fill_owner(fill, object)->filled = 0;
        fill_drop(fill, object);
        return;
    }
    whole_forget(fill, object);
    if (error == SERIN_ERR_IO) {
        object->due_ms = now_ms + FILL_RETRY_MS;
    } else {
        came_wrong(fill, object, 0, now_ms);
        const struct serin_fill_bad *bad = bad_find(object, 0);
        object->due_ms = bad->due_ms > object->due_ms ? bad->due_ms : object->due_ms;
    }
}

static void take_whole_bytes(struct serin_fill *fill, struct serin_fill_object *object,
                             const struct serin_block *block, uint64_t now_ms)
{
    uint32_t size = (uint32_t)block->data_size;
    struct serin_fill_owner *owner = fill_owner(fill, object);
    uint32_t filled = owner->filled;
    if (!fill_owns(fill, object) || block->offset > filled || block->offset + size <= filled) {
        fill->counts.refetched_bytes += size;
        return;
    }
    uint32_t known = filled - block->offset;
    fill->counts.refetched_bytes += known;
    memcpy(fill_buffer(fill, object) + filled, block->data + known, size - known);
    owner->filled = block->offset + size;
    if (owner->filled == object->size) {
        take_whole(fill, object, now_ms);
    }
}

/* ---- blocks ---- */

static const struct serin_fill_token *token_find(const struct serin_fill *fill, uint32_t token)
{
    for (size_t i = 0; i < SERIN_FILL_TOKENS; i++) {
        if (token != 0 && fill->tokens[i].token == token) {
            return &fill->tokens[i];
        }
    }
    return NULL;
}

/* Whether the upstream's word on the object's size agrees with what is known; learns it where
 * nothing is. */
static bool size_agrees(struct serin_fill_object *object, const struct serin_block *block)
{
    if (object->size != 0) {
        return block->object_size == 0 || block->object_size == object->size;
    }
    uint32_t most = object->kind == SERIN_FILL_MANIFEST ? SERIN_MANIFEST_MAX : SERIN_SITE_WHOLE_MAX;
    if (block->object_size == 0 || block->object_size > most) {
        return false;
    }
    object->size = block->object_size;
    return true;
}

/* Inside what its token asked for, inside the object, and undamaged. */
static bool is_sound(const struct serin_fill_object *object, const struct serin_fill_token *token,
                     const struct serin_block *block)
{
    uint64_t end = (uint64_t)block->offset + block->data_size;
    return block->data_size > 0 && block->offset >= token->start && end <= token->end &&
           end <= object->size && serin_crc32(0, block->data, block->data_size) == block->crc32;
}

/* Upstream has not got the object, or not as it should be. */
static void missed(struct serin_fill *fill, struct serin_fill_object *object, uint32_t retry_ms,
                   uint64_t now_ms)
{
    uint32_t least = retry_ms > MISS_LEAST_MS ? retry_ms : MISS_LEAST_MS;
    uint32_t most = retry_ms > MISS_MOST_MS ? retry_ms : MISS_MOST_MS;
    uint32_t wait = fill_grown(least, object->misses++, most);
    object->due_ms = now_ms + wait + fill_random(fill, wait);
    if (object->kind != SERIN_FILL_PIECES && !object->sized) {
        whole_forget(fill, object); /* its size was upstream's word, which may be the mistake */
    }
    if (object->have_count == 0) {
        fill_tell_absent(fill, object->name, SERIN_BLOCK_NOT_FOUND, wait);
    }
}

static void refused(struct serin_fill *fill, struct serin_fill_object *object, uint32_t retry_ms,
                    uint64_t now_ms)
{
    uint32_t least = retry_ms > REFUSED_LEAST_MS ? retry_ms : REFUSED_LEAST_MS;
    uint32_t most = retry_ms > REFUSED_MOST_MS ? retry_ms : REFUSED_MOST_MS;
    uint32_t wait = fill_grown(least, object->refusals++, most);
    object->due_ms = now_ms + wait + fill_random(fill, wait);
    if (object->have_count == 0) {
        fill_tell_absent(fill, object->name, SERIN_BLOCK_REFUSED, wait);
    }
}

static void take_status(struct serin_fill *fill, struct serin_fill_object *object,
                        const struct serin_block *block, uint64_t now_ms)
{
    struct serin_fill_window *window = &fill->window;
    window->in_flight = false;
    window->granted = false; /* it opened no window */
    fill->silences = 0;
    if (block->status == SERIN_BLOCK_BUSY) {
        uint32_t wait = block->retry_ms > BUSY_LEAST_MS ? block->retry_ms : BUSY_LEAST_MS;
        fill->due_ms = now_ms + wait + fill_random(fill, wait);
    } else if (block->status == SERIN_BLOCK_REFUSED) {
        refused(fill, object, block->retry_ms, now_ms);
    } else {
        missed(fill, object, block->retry_ms, now_ms);
    }
}

/* A block of the window under way: how far it has come. */
static void account(struct serin_fill *fill, const struct serin_block *block, uint64_t now_ms)
{
    struct serin_fill_window *window = &fill->window;
    uint32_t end = block->offset + (uint32_t)block->data_size;
    window->heard_ms = now_ms;
    window->received += (uint32_t)block->data_size;
    if (block->window_end > window->start && block->window_end < window->end) {
        window->end = block->window_end;
    }
    window->tail = window->tail || end >= window->end;
    if (window->received >= window->end - window->start) {
        fill_window_ends(fill);
    }
}

static void take_data(struct serin_fill *fill, struct serin_fill_object *object, bool current,
                      const struct serin_fill_token *token, const struct serin_block *block,
                      uint64_t now_ms)
{
    if (!size_agrees(object, block)) {
        fill->counts.refetched_bytes += block->data_size;
        if (current) {
            fill->window.in_flight = false;
            missed(fill, object, block->retry_ms, now_ms);
        }
        return;
    }
    if (!is_sound(object, token, block)) {
        fill->counts.refetched_bytes += block->data_size;
        return; /* the gap shows when the window ends, or by silence */
    }
    fill->silences = 0;
    if (current) {
        account(fill, block, now_ms);
    }
    if (object->kind == SERIN_FILL_PIECES) {
        take_bytes(fill, object, block, now_ms);
    } else {
        take_whole_bytes(fill, object, block, now_ms);
    }
}

void serin_fill_block(struct serin_fill *fill, const struct serin_block *block, uint64_t now_ms)
{
    bool data = block->status == SERIN_BLOCK_DATA;
    fill->counts.fetched_bytes += data ? block->data_size : 0;
    const struct serin_fill_token *token = token_find(fill, block->token);
    struct serin_fill_object *object =
        token != NULL ? fill_held(fill, token->place, token->generation) : NULL;
    bool current = fill->window.in_flight && block->token == fill->window.token;
    if (object == NULL) {
        fill->counts.refetched_bytes += data ? block->data_size : 0;
        return;
    }
    if (data) {
        take_data(fill, object, current, token, block, now_ms);
    } else if (current) {
        take_status(fill, object, block, now_ms);
    }
}
