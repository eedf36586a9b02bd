/*
 * Who has something to do next: a heap of (time, item), earliest first, in which an item stands at
 * most once and can be moved. Items are small numbers, 0 .. capacity - 1.
 */
#ifndef SERIN_LOAD_QUEUE_H
#define SERIN_LOAD_QUEUE_H

#include <serin/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load_queue; /* opaque */

/* SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error load_queue_open(struct load_queue **queue, uint32_t capacity);
void load_queue_close(struct load_queue *queue); /* NULL is fine */

/* Puts `item` at `time_ms`; moves it if it stands somewhere else. */
void load_queue_put(struct load_queue *queue, uint32_t item, uint64_t time_ms);

/* The earliest time; UINT64_MAX: the queue is empty. */
uint64_t load_queue_next_ms(const struct load_queue *queue);

/* Takes the earliest item out if it is due at `now_ms`. False: none is. */
bool load_queue_take(struct load_queue *queue, uint64_t now_ms, uint32_t *item);

#endif
