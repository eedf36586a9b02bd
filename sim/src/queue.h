/*
 * What happens next: events in the order of their time, those of one time in the order in which
 * they were put in. Time never runs backwards.
 *
 * A radix heap (Ahuja, Mehlhorn, Orlin and Tarjan, "Faster algorithms for the shortest path
 * problem", 1990): an event stands in the bucket of the highest digit in which its time differs
 * from the present, and moves down as that comes near; a move is a copy in sequence, where a binary
 * heap misses the cache at each level. Digits have nine bits, so that an event of the next hour
 * moves twice. Events of one time always share a bucket, in which order is kept.
 */
#ifndef SERIN_SIM_QUEUE_H
#define SERIN_SIM_QUEUE_H

#include <serin/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_message;

struct sim_event {
    uint64_t at_ms;
    struct sim_message *message; /* of a delivery; NULL: an actor's own */
    uint32_t what;
    uint32_t index_actor; /* index << 8 | actor */
};

struct sim_queue; /* opaque */

/* `near` is told of each event once, some events before it is taken: a fleet is larger than any
 * cache, and what the event will need can be fetched meanwhile. SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error
sim_queue_open(struct sim_queue **queue, void (*near)(void *ctx, const struct sim_event *event),
               void *ctx);
void sim_queue_close(struct sim_queue *queue); /* NULL is fine */

/* Puts an event in; a time that is past becomes the present. SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error sim_queue_put(struct sim_queue *queue,
                                              const struct sim_event *event);
/* Takes the earliest out, whose time becomes the present. False: it is empty, or memory is
 * exhausted; it is of no more use then. */
bool sim_queue_take(struct sim_queue *queue, struct sim_event *event);
/* One that comes soon, and most often next: to look ahead. NULL: it is not known. */
const struct sim_event *sim_queue_peek(const struct sim_queue *queue);
size_t sim_queue_count(const struct sim_queue *queue);

#endif
