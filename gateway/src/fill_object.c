/* The objects being filled: places, states, and what their part files hold. */
#include "fill_internal.h"

#include <string.h>

#define IDLE_MS         60000u /* after its last question nobody waits for an object */
#define FINISH_LEAST_MS 60000u
#define FINISH_MOST_MS  3600000u

#define NO SERIN_FILL_STATE_COUNT /* not allowed */

/* What follows a state on an event. */
static const uint8_t transitions[SERIN_FILL_STATE_COUNT][FILL_EVENT_COUNT] = {
    [SERIN_FILL_STATE_FREE] = {[FILL_EVENT_OPEN_PIECES] = SERIN_FILL_STATE_CHECK,
                               [FILL_EVENT_OPEN_WHOLE] = SERIN_FILL_STATE_FETCH,
                               [FILL_EVENT_CHECKED] = NO,
                               [FILL_EVENT_COMPLETE] = NO,
                               [FILL_EVENT_HARMED] = NO,
                               [FILL_EVENT_END] = NO},
    [SERIN_FILL_STATE_CHECK] = {[FILL_EVENT_OPEN_PIECES] = NO,
                                [FILL_EVENT_OPEN_WHOLE] = NO,
                                [FILL_EVENT_CHECKED] = SERIN_FILL_STATE_FETCH,
                                [FILL_EVENT_COMPLETE] = NO,
                                [FILL_EVENT_HARMED] = SERIN_FILL_STATE_CHECK,
                                [FILL_EVENT_END] = SERIN_FILL_STATE_FREE},
    [SERIN_FILL_STATE_FETCH] = {[FILL_EVENT_OPEN_PIECES] = NO,
                                [FILL_EVENT_OPEN_WHOLE] = NO,
                                [FILL_EVENT_CHECKED] = NO,
                                [FILL_EVENT_COMPLETE] = SERIN_FILL_STATE_FINISH,
                                [FILL_EVENT_HARMED] = SERIN_FILL_STATE_CHECK,
                                [FILL_EVENT_END] = SERIN_FILL_STATE_FREE},
    [SERIN_FILL_STATE_FINISH] = {[FILL_EVENT_OPEN_PIECES] = NO,
                                 [FILL_EVENT_OPEN_WHOLE] = NO,
                                 [FILL_EVENT_CHECKED] = NO,
                                 [FILL_EVENT_COMPLETE] = NO,
                                 [FILL_EVENT_HARMED] = SERIN_FILL_STATE_CHECK,
                                 [FILL_EVENT_END] = SERIN_FILL_STATE_FREE},
};
#undef NO

void fill_turn(struct serin_fill_object *object, enum fill_event event)
{
    uint8_t next = transitions[object->state][event];
    SERIN_ASSERT(next < SERIN_FILL_STATE_COUNT);
    object->state = (enum serin_fill_state)next;
}

struct serin_fill_object *fill_find(struct serin_fill *fill, const uint8_t *name)
{
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        struct serin_fill_object *object = &fill->objects[i];
        if (object->state != SERIN_FILL_STATE_FREE &&
            memcmp(object->name, name, SERIN_SHA256_SIZE) == 0) {
            return object;
        }
    }
    return NULL;
}

uint32_t fill_place(const struct serin_fill *fill, const struct serin_fill_object *object)
{
    return (uint32_t)(object - fill->objects);
}

struct serin_fill_object *fill_held(struct serin_fill *fill, uint32_t place, uint32_t generation)
{
    struct serin_fill_object *object = &fill->objects[place];
    return object->state != SERIN_FILL_STATE_FREE && object->generation == generation ? object
                                                                                      : NULL;
}

void fill_drop(struct serin_fill *fill, struct serin_fill_object *object)
{
    uint32_t place = fill_place(fill, object);
    for (size_t i = 0; i < SERIN_FILL_STUBS; i++) {
        struct serin_fill_stub *stub = &fill->stubs[i];
        if (stub->used && stub->place == place && stub->generation == object->generation) {
            fill_stub_drop(fill, stub);
        }
    }
    /* Its window is given up: the next request says so. */
    if (fill->window.in_flight && fill->window.place == place &&
        fill->window.generation == object->generation) {
        fill->window.in_flight = false;
    }
    if (object->kind == SERIN_FILL_PIECES) {
        fill->config.ops->release(fill->config.ctx, object->name);
    }
    fill_turn(object, FILL_EVENT_END);
    object->table = NULL;
}

static bool is_waited_for(const struct serin_fill_object *object, uint64_t now_ms)
{
    return object->demand_count > 0 && now_ms - object->asked_ms < IDLE_MS;
}

/* Whether an object gives way to a newcomer. What nobody asks for displaces nothing, for else more
 * objects than there are places would displace each other for ever, checking and never filling;
 * but a manifest and an emergency come before what is neither. */
static bool gives_way(const struct serin_fill_object *object,
                      const struct serin_fill_description *newcomer, bool wanted, uint64_t now_ms)
{
    bool over = (newcomer->emergency || newcomer->kind == SERIN_FILL_MANIFEST) &&
                !object->emergency && object->kind != SERIN_FILL_MANIFEST;
    return is_waited_for(object, now_ms) ? wanted && over : wanted || over;
}

/* Of the objects that give way one that nodes do not wait for, if there is any, and of these the
 * one that they have not asked for for the longest time. `pieces`: only one with a table. */
static struct serin_fill_object *find_victim(struct serin_fill *fill,
                                             const struct serin_fill_description *newcomer,
                                             bool wanted, bool pieces, uint64_t now_ms)
{
    struct serin_fill_object *found = NULL;
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        struct serin_fill_object *object = &fill->objects[i];
        if (object->state == SERIN_FILL_STATE_FREE ||
            (pieces && object->kind != SERIN_FILL_PIECES) ||
            !gives_way(object, newcomer, wanted, now_ms)) {
            continue;
        }
        bool waited = is_waited_for(object, now_ms);
        bool found_waited = found != NULL && is_waited_for(found, now_ms);
        if (found == NULL ||
            (waited == found_waited ? object->asked_ms < found->asked_ms : found_waited)) {
            found = object;
        }
    }
    return found;
}

bool fill_uncrowd(struct serin_fill *fill, const struct serin_fill_description *description,
                  bool wanted, uint64_t now_ms)
{
    struct serin_fill_object *victim = find_victim(fill, description, wanted, true, now_ms);
    if (victim != NULL) {
        fill_drop(fill, victim);
    }
    return victim != NULL;
}

static struct serin_fill_object *find_place(struct serin_fill *fill,
                                            const struct serin_fill_description *newcomer,
                                            bool wanted, uint64_t now_ms)
{
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        if (fill->objects[i].state == SERIN_FILL_STATE_FREE) {
            return &fill->objects[i];
        }
    }
    struct serin_fill_object *victim = find_victim(fill, newcomer, wanted, false, now_ms);
    if (victim != NULL) {
        fill_drop(fill, victim);
    }
    return victim;
}

struct serin_fill_object *fill_claim(struct serin_fill *fill, const uint8_t *name,
                                     const struct serin_fill_description *description, bool wanted,
                                     uint64_t now_ms)
{
    struct serin_fill_object *object = find_place(fill, description, wanted, now_ms);
    if (object == NULL) {
        return NULL;
    }
    uint32_t generation = object->generation + 1;
    memset(object, 0, sizeof *object);
    object->generation = generation;
    memcpy(object->name, name, SERIN_SHA256_SIZE);
    object->kind = description->kind;
    object->size = description->size;
    object->sized = description->size != 0;
    object->emergency = description->emergency;
    object->begun = object->turn = ++fill->turn;
    object->tell_ms = FILL_NEVER;
    object->due_ms = now_ms;
    if (object->kind == SERIN_FILL_PIECES) {
        SERIN_ASSERT(description->size > 0 && description->size <= SERIN_SITE_OBJECT_MAX);
        SERIN_ASSERT(description->table != NULL);
        object->piece_count = serin_piece_count(description->size);
        object->table = description->table;
    }
    fill_turn(object,
              object->kind == SERIN_FILL_PIECES ? FILL_EVENT_OPEN_PIECES : FILL_EVENT_OPEN_WHOLE);
    return object;
}

void fill_set_have(struct serin_fill_object *object, uint32_t piece)
{
    if (!fill_bit(object->have, piece)) {
        fill_bit_set(object->have, piece);
        object->have_count++;
    }
    if (fill_bit(object->demand, piece)) {
        fill_bit_clear(object->demand, piece);
        object->demand_count--;
    }
}

void fill_clear_have(struct serin_fill_object *object, uint32_t piece)
{
    fill_bit_clear(object->told, piece);
    if (fill_bit(object->have, piece)) {
        fill_bit_clear(object->have, piece);
        object->have_count--;
    }
}

bool fill_lacks(const struct serin_fill_object *object, uint32_t piece, uint64_t now_ms)
{
    if (fill_bit(object->have, piece)) {
        return false;
    }
    for (size_t i = 0; i < SERIN_FILL_BAD; i++) {
        const struct serin_fill_bad *bad = &object->bad[i];
        if (bad->count > 0 && bad->piece == piece && now_ms < bad->due_ms) {
            return false;
        }
    }
    return true;
}

void fill_harmed(struct serin_fill_object *object, uint64_t now_ms)
{
    fill_turn(object, FILL_EVENT_HARMED);
    object->opened = object->checked = false;
    object->cursor = object->have_count = 0;
    memset(object->have, 0, sizeof object->have);
    fill_tell_fresh(object, now_ms);
}

bool fill_piece_holds(struct serin_fill *fill, const struct serin_fill_object *object,
                      uint32_t piece)
{
    uint8_t data[SERIN_PIECE_SIZE], digest[SERIN_SHA256_SIZE];
    uint32_t size = serin_piece_size(object->size, piece);
    if (fill->config.ops->load(fill->config.ctx, object->name, piece * SERIN_PIECE_SIZE, data,
                               size) != SERIN_OK) {
        return false;
    }
    serin_sha256_of(fill->config.crypto, data, size, digest);
    return memcmp(digest, object->table + (size_t)piece * SERIN_SHA256_SIZE, SERIN_SHA256_SIZE) ==
           0;
}

/* Opens the part file of an object in CHECK. Without room the object is passed through, but for
 * what a part file that is there already holds. */
static void open_part(struct serin_fill *fill, struct serin_fill_object *object, uint64_t now_ms)
{
    enum serin_error error = fill->config.ops->open(fill->config.ctx, object->name, object->size);
    object->through = error == SERIN_ERR_NO_SPACE;
    object->opened = error == SERIN_OK || object->through;
    if (object->through) {
        object->room_ms = now_ms + FILL_ROOM_MS;
    } else if (error != SERIN_OK) {
        object->due_ms = now_ms + FILL_RETRY_MS;
    }
}

/* Looks at a few more pieces; returns how many. */
static uint32_t check_part(struct serin_fill *fill, struct serin_fill_object *object, uint32_t most,
                           uint64_t now_ms)
{
    uint32_t done = 0;
    for (; done < most && object->cursor < object->piece_count; done++, object->cursor++) {
        if (fill_piece_holds(fill, object, object->cursor)) {
            fill_set_have(object, object->cursor);
        }
    }
    if (object->cursor == object->piece_count) {
        if (object->have_count < object->piece_count) {
            object->finish_ms = now_ms;
            object->unfinished = 0;
        }
        /* With room again the file may be made anew: it is checked again then. */
        object->checked = !object->through;
        fill_turn(object, FILL_EVENT_CHECKED);
        fill_tell_fresh(object, now_ms);
    }
    return done;
}

static void finish(struct serin_fill *fill, struct serin_fill_object *object, uint64_t now_ms)
{
    switch ((int)fill->config.ops->finish(fill->config.ctx, object->name)) {
    case SERIN_OK:
        fill_tell_whole(fill, object->name, object->size);
        fill_drop(fill, object);
        break;
    case SERIN_ERR_DIGEST:
    case SERIN_ERR_NOT_FOUND:
        /* The disk changed under us, and the check finds where; or table and image do not belong
         * together, which no fetching mends: it is tried more and more rarely. */
        fill_harmed(object, now_ms);
        object->finish_ms =
            now_ms + fill_grown(FINISH_LEAST_MS, object->unfinished++, FINISH_MOST_MS);
        break;
    default:
        object->finish_ms = now_ms + FILL_RETRY_MS;
        break;
    }
}

/* Whether a full disk has room again. */
static void look_for_room(struct serin_fill *fill, struct serin_fill_object *object,
                          uint64_t now_ms)
{
    object->room_ms = now_ms + FILL_ROOM_MS;
    if (fill->config.ops->open(fill->config.ctx, object->name, object->size) != SERIN_OK) {
        return;
    }
    object->through = false;
    object->opened = true;
    if (!object->checked) {
        fill_harmed(object, now_ms);
        object->opened = true;
    }
}

static void step(struct serin_fill *fill, struct serin_fill_object *object, uint32_t *checks,
                 uint64_t now_ms)
{
    if (object->state == SERIN_FILL_STATE_CHECK && !object->opened && now_ms >= object->due_ms) {
        open_part(fill, object, now_ms);
    }
    if (object->state == SERIN_FILL_STATE_CHECK && object->opened) {
        *checks -= check_part(fill, object, *checks, now_ms);
    }
    if (object->state == SERIN_FILL_STATE_FETCH && object->through && now_ms >= object->room_ms) {
        look_for_room(fill, object, now_ms);
    }
    if (object->state == SERIN_FILL_STATE_FETCH && object->piece_count > 0 &&
        object->have_count == object->piece_count) {
        fill_turn(object, FILL_EVENT_COMPLETE);
    }
    if (object->state == SERIN_FILL_STATE_FINISH && now_ms >= object->finish_ms) {
        finish(fill, object, now_ms);
    }
}

void fill_objects_step(struct serin_fill *fill, uint64_t now_ms)
{
    uint32_t checks = FILL_CHECK_STEP;
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        struct serin_fill_object *object = &fill->objects[i];
        if (object->state == SERIN_FILL_STATE_FREE) {
            continue;
        }
        step(fill, object, &checks, now_ms);
        if (object->state == SERIN_FILL_STATE_CHECK) {
            fill_note(fill, object->opened ? now_ms : object->due_ms);
        } else if (object->state == SERIN_FILL_STATE_FINISH) {
            fill_note(fill, object->finish_ms);
        } else if (object->state == SERIN_FILL_STATE_FETCH && object->through) {
            fill_note(fill, object->room_ms);
        }
    }
}
