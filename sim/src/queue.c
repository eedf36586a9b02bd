/* A radix heap of events (queue.h). */
#include "queue.h"

#include <stdlib.h>

#define DIGIT_BITS 9u /* of a time: 512 ms, 4 minutes, 37 hours, … */
#define DIGITS     (1u << DIGIT_BITS)
#define LEVELS     8u /* digits of 64 bits */
#define WORD_BITS  64u
#define WORDS      (DIGITS / WORD_BITS)
#define LEAST      8u  /* events that a bucket has room for at first */
#define AHEAD      16u /* events that are told of before they are taken */

struct bucket {
    struct sim_event *events;
    size_t count, capacity;
};

/* What differs from the present in digit `level` first. */
struct level {
    uint64_t used[WORDS]; /* a bit for each bucket that holds events */
    struct bucket buckets[DIGITS];
};

/* A place among the events of level 0. */
struct place {
    unsigned digit;
    size_t index;
};

struct sim_queue {
    uint64_t now_ms;
    size_t count;
    struct place next; /* to be taken; its digit is that of the present */
    struct place told; /* the first that was not told of */
    size_t ahead;      /* events between the two */
    void (*near)(void *ctx, const struct sim_event *event);
    void *ctx;
    struct level levels[LEVELS];
};

static unsigned level_of(const struct sim_queue *queue, uint64_t at_ms)
{
    uint64_t differs = at_ms ^ queue->now_ms;
    return differs != 0 ? (WORD_BITS - 1u - (unsigned)__builtin_clzll(differs)) / DIGIT_BITS : 0;
}

static unsigned digit_of(uint64_t at_ms, unsigned level)
{
    return (unsigned)(at_ms >> level * DIGIT_BITS) & (DIGITS - 1u);
}

static enum serin_error append(struct bucket *bucket, const struct sim_event *event)
{
    if (bucket->count == bucket->capacity) {
        size_t capacity = bucket->capacity == 0 ? LEAST : bucket->capacity * 2u;
        struct sim_event *events = realloc(bucket->events, capacity * sizeof *events);
        if (events == NULL) {
            return SERIN_ERR_MEMORY;
        }
        bucket->events = events;
        bucket->capacity = capacity;
    }
    bucket->events[bucket->count++] = *event;
    return SERIN_OK;
}

/* Puts it where it stands as seen from the present. */
static enum serin_error place_event(struct sim_queue *queue, unsigned level,
                                    const struct sim_event *event)
{
    unsigned digit = digit_of(event->at_ms, level);
    struct level *at = &queue->levels[level];
    at->used[digit / WORD_BITS] |= UINT64_C(1) << digit % WORD_BITS;
    return append(&at->buckets[digit], event);
}

/* The first digit from `digit` on whose bucket holds events; DIGITS: there is none. */
static unsigned used_from(const struct level *level, unsigned digit)
{
    uint64_t masked = UINT64_MAX << digit % WORD_BITS;
    for (unsigned word = digit / WORD_BITS; word < WORDS; word++, masked = UINT64_MAX) {
        uint64_t used = level->used[word] & masked;
        if (used != 0) {
            return word * WORD_BITS + (unsigned)__builtin_ctzll(used);
        }
    }
    return DIGITS;
}

static void clear(struct level *level, unsigned digit)
{
    level->used[digit / WORD_BITS] &= ~(UINT64_C(1) << digit % WORD_BITS);
    level->buckets[digit].count = 0;
}

enum serin_error sim_queue_open(struct sim_queue **queue,
                                void (*near)(void *ctx, const struct sim_event *event), void *ctx)
{
    struct sim_queue *made = calloc(1, sizeof *made);
    *queue = made;
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    made->near = near;
    made->ctx = ctx;
    return SERIN_OK;
}

void sim_queue_close(struct sim_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    for (size_t i = 0; i < LEVELS; i++) {
        for (size_t j = 0; j < DIGITS; j++) {
            free(queue->levels[i].buckets[j].events);
        }
    }
    free(queue);
}

enum serin_error sim_queue_put(struct sim_queue *queue, const struct sim_event *event)
{
    struct sim_event put = *event;
    put.at_ms = put.at_ms > queue->now_ms ? put.at_ms : queue->now_ms;
    unsigned level = level_of(queue, put.at_ms);
    if (place_event(queue, level, &put) != SERIN_OK) {
        return SERIN_ERR_MEMORY;
    }
    queue->count++;
    if (level == 0 && digit_of(put.at_ms, 0) < queue->told.digit) {
        queue->near(queue->ctx, &put); /* it comes before others that were told of */
        queue->ahead++;
    }
    return SERIN_OK;
}

/* Makes the earliest time of a bucket the present, and spreads it over those below, in order. Its
 * memory is given back: the next such bucket is another one. */
static enum serin_error spread(struct sim_queue *queue, unsigned level, unsigned digit)
{
    struct bucket from = queue->levels[level].buckets[digit];
    uint64_t least_ms = from.events[0].at_ms;
    for (size_t i = 1; i < from.count; i++) {
        least_ms = from.events[i].at_ms < least_ms ? from.events[i].at_ms : least_ms;
    }
    queue->levels[level].buckets[digit] = (struct bucket){0};
    clear(&queue->levels[level], digit);
    queue->now_ms = least_ms;
    enum serin_error error = SERIN_OK;
    for (size_t i = 0; error == SERIN_OK && i < from.count; i++) {
        error = place_event(queue, level_of(queue, from.events[i].at_ms), &from.events[i]);
    }
    free(from.events);
    return error;
}

/* Goes on to the earliest time. What is below the present's digit of a level is past; what shares
 * it stands on a lower level. */
static enum serin_error advance(struct sim_queue *queue)
{
    enum serin_error error = SERIN_OK;
    unsigned level = 0;
    unsigned digit = used_from(&queue->levels[0], queue->next.digit);
    while (digit == DIGITS) {
        level++;
        digit = used_from(&queue->levels[level], digit_of(queue->now_ms, level));
    }
    if (level == 0) {
        queue->now_ms = (queue->now_ms & ~(uint64_t)(DIGITS - 1u)) | digit;
    } else {
        error = spread(queue, level, digit);
        queue->told = (struct place){.digit = digit_of(queue->now_ms, 0)};
    }
    queue->next = (struct place){.digit = digit_of(queue->now_ms, 0)};
    return error;
}

/* Tells of events to come, as far as their order is known. */
static void tell_ahead(struct sim_queue *queue)
{
    struct place *told = &queue->told;
    while (queue->ahead < AHEAD) {
        const struct bucket *bucket = &queue->levels[0].buckets[told->digit];
        if (told->index < bucket->count) {
            queue->near(queue->ctx, &bucket->events[told->index++]);
            queue->ahead++;
            continue;
        }
        unsigned digit =
            told->digit + 1u < DIGITS ? used_from(&queue->levels[0], told->digit + 1u) : DIGITS;
        if (digit == DIGITS) {
            return;
        }
        *told = (struct place){.digit = digit};
    }
}

bool sim_queue_take(struct sim_queue *queue, struct sim_event *event)
{
    struct bucket *now = &queue->levels[0].buckets[queue->next.digit];
    if (queue->count == 0) {
        return false;
    }
    if (queue->next.index == now->count) {
        clear(&queue->levels[0], queue->next.digit);
        if (advance(queue) != SERIN_OK) {
            return false;
        }
        now = &queue->levels[0].buckets[queue->next.digit];
    }
    tell_ahead(queue);
    *event = now->events[queue->next.index++];
    queue->count--;
    queue->ahead--;
    return true;
}

const struct sim_event *sim_queue_peek(const struct sim_queue *queue)
{
    const struct bucket *now = &queue->levels[0].buckets[queue->next.digit];
    if (queue->next.index < now->count) {
        return &now->events[queue->next.index];
    }
    unsigned next = queue->next.digit + 1u;
    unsigned digit = next < DIGITS ? used_from(&queue->levels[0], next) : DIGITS;
    return digit < DIGITS ? &queue->levels[0].buckets[digit].events[0] : NULL;
}

size_t sim_queue_count(const struct sim_queue *queue)
{
    return queue->count;
}
