/* What is asked for next: the order of demand, the window, and what silence means. */
#include "fill_internal.h"

#include <string.h>

#define WINDOW_FIRST     8192u /* before the link was measured: a second of 64 kbit/s */
#define WINDOW_S         2u    /* of the link, as measured */
#define BLOCK_LEAST      1024u
#define SILENCE_LEAST_MS 5000u
#define SILENCE_MOST_MS  60000u
#define SILENCE_BLOCKS   3u   /* times that a block should take at the measured rate */
#define TAIL_MS          250u /* after the last block of a window: what is missing is lost */
#define CLIENT_FULL_MS   200u
#define TABLE_FIRST      65536u /* asked for while the size of a table is unknown */

/* ---- the order of demand ---- */

/* Whether nothing of an entry is waited for any more. */
static bool is_met(const struct serin_fill_object *object, const struct serin_fill_demand *demand)
{
    for (uint32_t piece = demand->from; piece < demand->to; piece++) {
        if (fill_bit(object->demand, piece)) {
            return false;
        }
    }
    return true;
}

/* Entries that are met leave, wherever they are: one whose object rests must not keep the list full
 * behind it. */
static void forget_met(struct serin_fill *fill)
{
    size_t kept = 0;
    for (size_t i = 0; i < fill->demand_size; i++) {
        const struct serin_fill_demand *demand = &fill->demands[i];
        const struct serin_fill_object *object = fill_held(fill, demand->place, demand->generation);
        if (object != NULL && !is_met(object, demand)) {
            fill->demands[kept++] = *demand;
        }
    }
    fill->demand_size = kept;
}

void fill_demand(struct serin_fill *fill, struct serin_fill_object *object, uint32_t from,
                 uint32_t to, uint64_t now_ms)
{
    bool news = false;
    object->asked_ms = now_ms;
    if (object->kind != SERIN_FILL_PIECES) {
        object->demand_count = 1;
        return;
    }
    for (uint32_t piece = from; piece < to; piece++) {
        if (!fill_bit(object->have, piece) && !fill_bit(object->demand, piece)) {
            fill_bit_set(object->demand, piece);
            object->demand_count++;
            news = true;
        }
    }
    if (news && fill->demand_size == SERIN_FILL_DEMANDS) {
        forget_met(fill);
    }
    /* Past the end only the order is lost: the map knows what is wanted. */
    if (news && fill->demand_size < SERIN_FILL_DEMANDS) {
        fill->demands[fill->demand_size++] =
            (struct serin_fill_demand){.place = fill_place(fill, object),
                                       .generation = object->generation,
                                       .from = from,
                                       .to = to};
    }
}

/* ---- the choice ---- */

/* What may be asked for in this step, by kind and emergency; looked up once. */
struct room {
    bool known[SERIN_FILL_PIECES + 1][2];
    uint32_t bytes[SERIN_FILL_PIECES + 1][2];
};

/* What goes before what. The rest of an object is what nobody asks for yet. */
enum rank {
    RANK_MANIFEST, /* half a kilobyte, on which every decision hangs */
    RANK_EMERGENCY,
    RANK_TABLE,
    RANK_DEMANDED,
    RANK_EMERGENCY_REST,
    RANK_REST,
    RANK_NONE
};

struct choice {
    struct serin_fill_object *object;
    enum rank rank;
    uint32_t piece;
};

static uint32_t room_for(struct serin_fill *fill, struct room *room,
                         const struct serin_fill_object *object)
{
    bool *known = &room->known[object->kind][object->emergency];
    uint32_t *bytes = &room->bytes[object->kind][object->emergency];
    if (!*known) {
        uint64_t again_ms = FILL_NEVER;
        *known = true;
        *bytes = fill->config.ops->allowance(fill->config.ctx, object->kind, object->emergency,
                                             &again_ms);
        fill_note(fill, *bytes == 0 ? again_ms : FILL_NEVER);
    }
    return *bytes;
}

static bool is_ready(struct serin_fill *fill, struct room *room,
                     const struct serin_fill_object *object, uint64_t now_ms)
{
    return object->state == SERIN_FILL_STATE_FETCH && now_ms >= object->due_ms &&
           room_for(fill, room, object) > 0;
}

/* Whether what is verified as a whole may have the buffer. It changes hands only while its owner
 * rests or has nothing in it, for else two that take turns would never be whole. But an emergency
 * that has not failed yet does not wait for what is none. */
static bool may_own(struct serin_fill *fill, struct room *room,
                    const struct serin_fill_object *object, uint64_t now_ms)
{
    const struct serin_fill_owner *owner = fill_owner(fill, object);
    const struct serin_fill_object *other = fill_held(fill, owner->place, owner->generation);
    bool new_emergency =
        object->emergency && object->misses + object->refusals + object->wrong_row == 0;
    return other == NULL || other == object || owner->filled == 0 ||
           !is_ready(fill, room, other, now_ms) || (new_emergency && !other->emergency);
}

static bool may_ask(struct serin_fill *fill, struct room *room,
                    const struct serin_fill_object *object, uint64_t now_ms)
{
    return is_ready(fill, room, object, now_ms) &&
           (object->kind == SERIN_FILL_PIECES || may_own(fill, room, object, now_ms));
}

/* The first piece in from .. to that is demanded (or any, where `any`) and may be asked for. */
static bool first_piece(const struct serin_fill_object *object, uint32_t from, uint32_t to,
                        bool any, uint64_t now_ms, uint32_t *found)
{
    for (uint32_t piece = from; piece < to; piece++) {
        uint64_t word = any ? ~object->have[piece / 64] : object->demand[piece / 64];
        if (word == 0) {
            piece |= 63u; /* the rest of the word is of no interest */
        } else if ((word >> (piece % 64) & 1u) != 0 && fill_lacks(object, piece, now_ms)) {
            *found = piece;
            return true;
        }
    }
    return false;
}

/* The piece of an object that was asked for first, as far as that is remembered. */
static bool first_demanded(struct serin_fill *fill, const struct serin_fill_object *object,
                           uint64_t now_ms, uint32_t *found)
{
    if (object->demand_count == 0) {
        return false;
    }
    for (size_t i = 0; i < fill->demand_size; i++) {
        const struct serin_fill_demand *demand = &fill->demands[i];
        if (fill_held(fill, demand->place, demand->generation) == object &&
            first_piece(object, demand->from, demand->to, false, now_ms, found)) {
            return true;
        }
    }
    return first_piece(object, 0, object->piece_count, false, now_ms, found);
}

/* What the object would be asked for next, and how urgent that is. */
static enum rank rank_of(struct serin_fill *fill, const struct serin_fill_object *object,
                         uint64_t now_ms, uint32_t *piece)
{
    *piece = 0;
    if (object->kind == SERIN_FILL_MANIFEST) {
        return RANK_MANIFEST;
    }
    if (object->kind == SERIN_FILL_WHOLE) {
        return object->emergency ? RANK_EMERGENCY : RANK_TABLE;
    }
    if (first_demanded(fill, object, now_ms, piece)) {
        return object->emergency ? RANK_EMERGENCY : RANK_DEMANDED;
    }
    if (!object->through && first_piece(object, 0, object->piece_count, true, now_ms, piece)) {
        return object->emergency ? RANK_EMERGENCY_REST : RANK_REST;
    }
    return RANK_NONE;
}

/* Objects of one rank take turns, a window each, so that none delays another for long; but the
 * rests go one after the other, so that each is whole soon. */
static bool goes_before(const struct choice *one, const struct choice *other)
{
    if (one->rank != other->rank) {
        return one->rank < other->rank;
    }
    return one->rank < RANK_EMERGENCY_REST ? one->object->turn < other->object->turn
                                           : one->object->begun < other->object->begun;
}

static bool choose(struct serin_fill *fill, struct room *room, uint64_t now_ms,
                   struct choice *choice)
{
    forget_met(fill);
    *choice = (struct choice){.rank = RANK_NONE};
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        struct choice next = {.object = &fill->objects[i]};
        if (!may_ask(fill, room, next.object, now_ms)) {
            continue;
        }
        next.rank = rank_of(fill, next.object, now_ms, &next.piece);
        if (next.rank != RANK_NONE && (choice->object == NULL || goes_before(&next, choice))) {
            *choice = next;
        }
    }
    return choice->object != NULL;
}

/* ---- the window ---- */

static uint32_t window_bytes(const struct serin_fill *fill)
{
    if (fill->silences > 0) {
        return SERIN_PIECE_SIZE; /* a probe: late blocks of the last window may still come */
    }
    if (fill->bytes_per_s == 0) {
        return WINDOW_FIRST;
    }
    uint64_t bytes = fill->bytes_per_s * WINDOW_S;
    bytes = bytes < SERIN_FILL_WINDOW_MAX ? bytes : SERIN_FILL_WINDOW_MAX;
    return bytes > SERIN_PIECE_SIZE ? (uint32_t)bytes : SERIN_PIECE_SIZE;
}

/* A block takes no longer than about a second, so that silence is soon noticed. */
static uint32_t block_bytes(const struct serin_fill *fill)
{
    uint64_t bytes = fill->bytes_per_s == 0 ? BLOCK_LEAST : fill->bytes_per_s;
    uint32_t unit = bytes >= SERIN_PIECE_SIZE ? SERIN_PIECE_SIZE : BLOCK_LEAST;
    bytes -= bytes % unit;
    bytes = bytes < SERIN_FILL_BLOCK_MAX ? bytes : SERIN_FILL_BLOCK_MAX;
    return bytes > BLOCK_LEAST ? (uint32_t)bytes : BLOCK_LEAST;
}

static uint32_t demanded_in_all(const struct serin_fill *fill)
{
    uint32_t count = 0;
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        const struct serin_fill_object *object = &fill->objects[i];
        count += object->state == SERIN_FILL_STATE_FETCH ? object->demand_count : 0;
    }
    return count;
}

/* Where a window that begins with `piece` ends (a piece, exclusive): what is missing without a gap,
 * as far as the window goes. While nodes wait for something else it takes no more than a quarter of
 * what nobody asked for. */
static uint32_t run_end(struct serin_fill *fill, const struct serin_fill_object *object,
                        uint32_t piece, uint64_t now_ms)
{
    uint32_t waiting = demanded_in_all(fill);
    uint32_t most = serin_piece_count(window_bytes(fill));
    uint32_t unasked_most = most / 4;
    uint32_t end = piece;
    for (uint32_t unasked = 0; end < object->piece_count && end - piece < most; end++) {
        if (!fill_lacks(object, end, now_ms) ||
            (end > piece && fill_stub_find(fill, object, end) != NULL)) {
            break;
        }
        if (fill_bit(object->demand, end)) {
            waiting--;
        } else if (end > piece && (object->through || (waiting > 0 && unasked >= unasked_most))) {
            break;
        } else {
            unasked++;
        }
    }
    return end;
}

static void plan_pieces(struct serin_fill *fill, const struct choice *choice, uint32_t room,
                        uint64_t now_ms, uint32_t *start, uint32_t *end)
{
    const struct serin_fill_object *object = choice->object;
    const struct serin_fill_stub *stub = fill_stub_find(fill, object, choice->piece);
    *start = choice->piece * SERIN_PIECE_SIZE + (stub != NULL ? stub->filled : 0);
    uint64_t stop = (uint64_t)run_end(fill, object, choice->piece, now_ms) * SERIN_PIECE_SIZE;
    stop = stop < object->size ? stop : object->size;
    if (stop - *start > room) {
        /* Whole pieces, but for one that is larger than the room. */
        uint64_t most = (uint64_t)*start + room;
        uint64_t even = most - most % SERIN_PIECE_SIZE;
        stop = even > *start ? even : most;
    }
    *end = (uint32_t)stop;
}

static void plan_whole(struct serin_fill *fill, struct serin_fill_object *object, uint32_t room,
                       uint32_t *start, uint32_t *end)
{
    struct serin_fill_owner *owner = fill_owner(fill, object);
    if (!fill_owns(fill, object)) {
        /* The buffer's last owner rests or is gone; what it had has to come again. */
        fill->counts.refetched_bytes += owner->filled;
        *owner = (struct serin_fill_owner){.place = fill_place(fill, object),
                                           .generation = object->generation};
    }
    uint32_t most = object->size != 0                     ? object->size
                    : object->kind == SERIN_FILL_MANIFEST ? SERIN_MANIFEST_MAX
                                                          : TABLE_FIRST;
    uint32_t window = object->size != 0 ? window_bytes(fill) : most;
    window = window < room ? window : room;
    *start = owner->filled;
    *end = most - *start < window ? most : *start + window;
}

static uint32_t next_token(const struct serin_fill *fill)
{
    return fill->window.token < UINT32_MAX ? fill->window.token + 1 : 1;
}

static uint32_t silence_ms(const struct serin_fill *fill, uint32_t block_size)
{
    uint64_t wait = fill_grown(SILENCE_LEAST_MS, fill->silences, SILENCE_MOST_MS);
    if (fill->bytes_per_s > 0) {
        uint64_t slow = (uint64_t)SILENCE_BLOCKS * 1000u * block_size / fill->bytes_per_s;
        wait = slow > wait ? slow : wait;
    }
    return wait < SILENCE_MOST_MS ? (uint32_t)wait : SILENCE_MOST_MS;
}

static void ask(struct serin_fill *fill, const struct choice *choice, uint32_t start, uint32_t end,
                uint64_t now_ms)
{
    struct serin_fill_object *object = choice->object;
    struct serin_fill_window *window = &fill->window;
    uint32_t length = end - start;
    uint32_t block = block_bytes(fill);
    block = block < length ? block : length;
    struct serin_get get = {.offset = start,
                            .length = length,
                            .block_size =
                                block > SERIN_BLOCK_DATA_MIN ? block : SERIN_BLOCK_DATA_MIN,
                            .token = next_token(fill),
                            .done_token = window->granted ? window->token : window->done_token};
    memcpy(get.object, object->name, SERIN_SHA256_SIZE);
    if (fill->config.ops->get(fill->config.ctx, &get) != SERIN_OK) {
        fill->due_ms = now_ms + CLIENT_FULL_MS;
        fill_note(fill, fill->due_ms);
        return;
    }
    *window = (struct serin_fill_window){.in_flight = true,
                                         .granted = true, /* unless the answer says otherwise */
                                         .token = get.token,
                                         .done_token = get.done_token,
                                         .place = fill_place(fill, object),
                                         .generation = object->generation,
                                         .start = start,
                                         .end = end,
                                         .sent_ms = now_ms,
                                         .heard_ms = now_ms,
                                         .timeout_ms = silence_ms(fill, get.block_size)};
    object->turn = ++fill->turn;
    fill->tokens[fill->token_next] = (struct serin_fill_token){.token = get.token,
                                                               .place = window->place,
                                                               .generation = window->generation,
                                                               .start = start,
                                                               .end = end};
    fill->token_next = (fill->token_next + 1) % SERIN_FILL_TOKENS;
    fill_note(fill, now_ms + window->timeout_ms);
}

/* ---- steps ---- */

void fill_window_ends(struct serin_fill *fill)
{
    struct serin_fill_window *window = &fill->window;
    window->in_flight = false;
    if (window->received < SERIN_PIECE_SIZE) {
        return; /* too little to measure by */
    }
    uint64_t passed = window->heard_ms - window->sent_ms;
    uint64_t sample = (uint64_t)window->received * 1000u / (passed > 0 ? passed : 1u);
    sample = sample > 0 ? sample : 1u;
    fill->bytes_per_s = fill->bytes_per_s == 0 ? sample : (fill->bytes_per_s + sample + 1) / 2;
}

/* Whether a window is still under way. One that is silent for too long is given up: the next
 * request acknowledges it, and begins at the first byte that is missing. */
static bool under_way(struct serin_fill *fill, uint64_t now_ms)
{
    struct serin_fill_window *window = &fill->window;
    if (!window->in_flight) {
        return false;
    }
    uint64_t until = window->heard_ms + (window->tail ? TAIL_MS : window->timeout_ms);
    if (now_ms < until) {
        fill_note(fill, until);
        return true;
    }
    if (!window->tail) {
        fill->silences++;
    }
    fill_window_ends(fill);
    return false;
}

/* When what rests now may be asked for. */
static void note_rests(struct serin_fill *fill, uint64_t now_ms)
{
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        const struct serin_fill_object *object = &fill->objects[i];
        if (object->state != SERIN_FILL_STATE_FETCH) {
            continue;
        }
        if (now_ms < object->due_ms) {
            fill_note(fill, object->due_ms);
            continue;
        }
        for (size_t j = 0; j < SERIN_FILL_BAD; j++) {
            const struct serin_fill_bad *bad = &object->bad[j];
            fill_note(fill, bad->count > 0 && now_ms < bad->due_ms ? bad->due_ms : FILL_NEVER);
        }
    }
}

void fill_ask_step(struct serin_fill *fill, uint64_t now_ms)
{
    if (!fill->connected || under_way(fill, now_ms)) {
        return;
    }
    if (now_ms < fill->due_ms) {
        fill_note(fill, fill->due_ms);
        return;
    }
    struct room room = {0};
    struct choice choice;
    if (!choose(fill, &room, now_ms, &choice)) {
        note_rests(fill, now_ms);
        return;
    }
    uint32_t bytes = room_for(fill, &room, choice.object), start, end;
    if (choice.object->kind == SERIN_FILL_PIECES) {
        plan_pieces(fill, &choice, bytes, now_ms, &start, &end);
    } else {
        plan_whole(fill, choice.object, bytes, &start, &end);
    }
    ask(fill, &choice, start, end, now_ms);
}
