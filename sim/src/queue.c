/* A radix heap of events (queue.h). */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 65u /* 0: now; b: the highest bit in which the time differs is b - 1 */
#define LEAST   64u /* events that a bucket has room for at first */
#define NEAR    7u  /* this bucket and those below: less than 128 ms from now */

struct bucket {
    struct sim_event *events;
    size_t count, capacity;
};

struct sim_queue {
    uint64_t now_ms;
    size_t count;
    size_t taken; /* of bucket 0 */
    void (*near)(void *ctx, const struct sim_event *event);
    void *ctx;
    struct bucket buckets[BUCKETS];
};

static unsigned bucket_of(const struct sim_queue *queue, uint64_t at_ms)
{
    uint64_t differs = at_ms ^ queue->now_ms;
    return differs != 0 ? 64u - (unsigned)__builtin_clzll(differs) : 0;
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
    for (size_t i = 0; i < BUCKETS; i++) {
        free(queue->buckets[i].events);
    }
    free(queue);
}

enum serin_error sim_queue_put(struct sim_queue *queue, const struct sim_event *event)
{
    struct sim_event put = *event;
    put.at_ms = put.at_ms > queue->now_ms ? put.at_ms : queue->now_ms;
    unsigned b = bucket_of(queue, put.at_ms);
    enum serin_error error = append(&queue->buckets[b], &put);
    queue->count += error == SERIN_OK ? 1u : 0u;
    if (b <= NEAR) {
        queue->near(queue->ctx, &put);
    }
    return error;
}

/* Makes the earliest time the present, and spreads the bucket that it stands in over those below,
 * in order. */
static enum serin_error advance(struct sim_queue *queue)
{
    unsigned b = 1;
    while (queue->buckets[b].count == 0) {
        b++;
    }
    struct bucket *from = &queue->buckets[b];
    uint64_t least_ms = from->events[0].at_ms;
    for (size_t i = 1; i < from->count; i++) {
        least_ms = from->events[i].at_ms < least_ms ? from->events[i].at_ms : least_ms;
    }
    queue->now_ms = least_ms;
    size_t count = from->count;
    enum serin_error error = SERIN_OK;
    from->count = 0; /* every event goes below */
    for (size_t i = 0; error == SERIN_OK && i < count; i++) {
        unsigned to = bucket_of(queue, from->events[i].at_ms);
        error = append(&queue->buckets[to], &from->events[i]);
        if (b > NEAR && to <= NEAR) {
            queue->near(queue->ctx, &from->events[i]);
        }
    }
    return error;
}

bool sim_queue_take(struct sim_queue *queue, struct sim_event *event)
{
    struct bucket *now = &queue->buckets[0];
    if (queue->count == 0) {
        return false;
    }
    if (queue->taken == now->count) {
        queue->taken = now->count = 0;
        if (advance(queue) != SERIN_OK) {
            return false;
        }
    }
    *event = now->events[queue->taken++];
    queue->count--;
    return true;
}

const struct sim_event *sim_queue_peek(const struct sim_queue *queue)
{
    const struct bucket *now = &queue->buckets[0];
    if (queue->taken < now->count) {
        return &now->events[queue->taken];
    }
    for (unsigned b = 1; b <= NEAR; b++) {
        if (queue->buckets[b].count > 0) {
            return &queue->buckets[b].events[0];
        }
    }
    return NULL;
}

size_t sim_queue_count(const struct sim_queue *queue)
{
    return queue->count;
}
