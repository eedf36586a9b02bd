/*
 * What the planner's files share.
 *
 *   fill.c         events, steps, deadlines
 *   fill_object.c  the objects being filled: places, states, what their part files hold
 *   fill_tell.c    what the plugin is told
 *   fill_ask.c     what is asked for next: the choice, the window, silence
 *   fill_block.c   what arrives: pieces, whole objects, refusals
 */
#ifndef SERIN_GATEWAY_SRC_FILL_INTERNAL_H
#define SERIN_GATEWAY_SRC_FILL_INTERNAL_H

#include <serin/gateway/fill.h>

#include <serin/assert.h>

#define FILL_NEVER          UINT64_MAX
#define FILL_ROOM_MS        60000u /* between looks for room on a full disk */
#define FILL_RETRY_MS       5000u  /* after an error of the depot */
#define FILL_TELL_MS        100u   /* an announcement waits so long for more */
#define FILL_TELL_BYTES     16384u /* or for so much */
#define FILL_CHECK_STEP     64u    /* pieces that are hashed in one step */
#define FILL_DEMAND_PIECES  64u    /* of one want */
#define FILL_ABSENT_BUSY_MS 5000u

enum fill_event {
    FILL_EVENT_OPEN_PIECES,
    FILL_EVENT_OPEN_WHOLE,
    FILL_EVENT_CHECKED,
    FILL_EVENT_COMPLETE,
    FILL_EVENT_HARMED,
    FILL_EVENT_END,
    FILL_EVENT_COUNT
};

static inline bool fill_bit(const uint64_t *map, uint32_t piece)
{
    return (map[piece / 64] >> (piece % 64) & 1u) != 0;
}

static inline void fill_bit_set(uint64_t *map, uint32_t piece)
{
    map[piece / 64] |= UINT64_C(1) << (piece % 64);
}

static inline void fill_bit_clear(uint64_t *map, uint32_t piece)
{
    map[piece / 64] &= ~(UINT64_C(1) << (piece % 64));
}

/* The next step is due at `ms` at the latest. */
static inline void fill_note(struct serin_fill *fill, uint64_t ms)
{
    fill->next_ms = ms < fill->next_ms ? ms : fill->next_ms;
}

/* least · 2^times, at most `most`. */
static inline uint32_t fill_grown(uint32_t least, uint32_t times, uint32_t most)
{
    uint64_t value = (uint64_t)least << (times < 16u ? times : 16u);
    return value < most ? (uint32_t)value : most;
}

/* The buffer in which such an object is put together, and whose bytes lie in it. */
static inline struct serin_fill_owner *fill_owner(struct serin_fill *fill,
                                                  const struct serin_fill_object *object)
{
    return object->kind == SERIN_FILL_MANIFEST ? &fill->manifest_owner : &fill->whole_owner;
}

static inline uint8_t *fill_buffer(struct serin_fill *fill, const struct serin_fill_object *object)
{
    return object->kind == SERIN_FILL_MANIFEST ? fill->manifest : fill->config.whole;
}

static inline bool fill_owns(struct serin_fill *fill, const struct serin_fill_object *object)
{
    const struct serin_fill_owner *owner = fill_owner(fill, object);
    return owner->generation == object->generation && &fill->objects[owner->place] == object;
}

/* Uniform in 0 .. most. */
uint32_t fill_random(struct serin_fill *fill, uint32_t most);

/* ---- fill_object.c ---- */

/* The one place where a state changes. Programmer error: the table does not list it. */
void fill_turn(struct serin_fill_object *object, enum fill_event event);
struct serin_fill_object *fill_find(struct serin_fill *fill, const uint8_t *name);
uint32_t fill_place(const struct serin_fill *fill, const struct serin_fill_object *object);
/* The object that a place held in that generation, or NULL. */
struct serin_fill_object *fill_held(struct serin_fill *fill, uint32_t place, uint32_t generation);
/* A place for an object that is to be fetched, `wanted` by a node or not; NULL: all are taken by
 * objects that do not give way to it. */
struct serin_fill_object *fill_claim(struct serin_fill *fill, const uint8_t *name,
                                     const struct serin_fill_description *description, bool wanted,
                                     uint64_t now_ms);
/* Drops an object, if one gives way, so that the memory of its table is free. */
bool fill_uncrowd(struct serin_fill *fill, const struct serin_fill_description *description,
                  bool wanted, uint64_t now_ms);
void fill_drop(struct serin_fill *fill, struct serin_fill_object *object);
/* The part file is not what it was: it is opened and checked anew. */
void fill_harmed(struct serin_fill_object *object, uint64_t now_ms);
/* Opens, checks, looks for room, finishes: one bounded step of everything that is due. */
void fill_objects_step(struct serin_fill *fill, uint64_t now_ms);
/* Whether the part file's piece holds what the table says. */
bool fill_piece_holds(struct serin_fill *fill, const struct serin_fill_object *object,
                      uint32_t piece);
void fill_set_have(struct serin_fill_object *object, uint32_t piece);
void fill_clear_have(struct serin_fill_object *object, uint32_t piece);
/* Whether a piece may be asked for now: missing, and not resting. */
bool fill_lacks(const struct serin_fill_object *object, uint32_t piece, uint64_t now_ms);

/* ---- fill_tell.c ---- */

/* A piece that the plugin is to hear of; at once where a node waits for it. */
void fill_untold(struct serin_fill_object *object, uint32_t piece, bool at_once, uint64_t now_ms);
/* Everything about the object is told anew. */
void fill_tell_fresh(struct serin_fill_object *object, uint64_t now_ms);
void fill_tell_step(struct serin_fill *fill, uint64_t now_ms);
void fill_tell_whole(struct serin_fill *fill, const uint8_t *name, uint32_t size);
void fill_tell_absent(struct serin_fill *fill, const uint8_t *name, enum serin_block_status status,
                      uint32_t retry_ms);
/* Hands `size` bytes on, a piece in each message; `offset` is a multiple of the piece's size. */
void fill_tell_data(struct serin_fill *fill, const uint8_t *name, uint32_t object_size,
                    uint32_t offset, const uint8_t *data, uint32_t size);

/* ---- fill_ask.c ---- */

/* Nodes ask for the pieces from .. to (exclusive); 0, 1 for what has no pieces. */
void fill_demand(struct serin_fill *fill, struct serin_fill_object *object, uint32_t from,
                 uint32_t to, uint64_t now_ms);
/* Gives up silent windows, and asks for what comes next. */
void fill_ask_step(struct serin_fill *fill, uint64_t now_ms);
/* The window under way is over: measured where it brought something. */
void fill_window_ends(struct serin_fill *fill);
struct serin_fill_stub *fill_stub_find(struct serin_fill *fill,
                                       const struct serin_fill_object *object, uint32_t piece);
void fill_stub_drop(struct serin_fill *fill, struct serin_fill_stub *stub);

#endif
