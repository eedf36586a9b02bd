/* A binary heap that knows where each item stands (queue.h). */
#include "queue.h"

#include <serin/assert.h>

#include <stdlib.h>

#define ABSENT UINT32_MAX

struct load_queue {
    uint32_t capacity, count;
    uint32_t *heap;  /* items, earliest first */
    uint32_t *place; /* of each item in the heap; ABSENT */
    uint64_t *time;  /* of each item */
};

enum serin_error load_queue_open(struct load_queue **queue, uint32_t capacity)
{
    struct load_queue *made = calloc(1, sizeof *made);
    *queue = NULL;
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    made->capacity = capacity;
    made->heap = calloc(capacity, sizeof *made->heap);
    made->place = calloc(capacity, sizeof *made->place);
    made->time = calloc(capacity, sizeof *made->time);
    if (made->heap == NULL || made->place == NULL || made->time == NULL) {
        load_queue_close(made);
        return SERIN_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < capacity; i++) {
        made->place[i] = ABSENT;
    }
    *queue = made;
    return SERIN_OK;
}

void load_queue_close(struct load_queue *queue)
{
    if (queue != NULL) {
        free(queue->heap);
        free(queue->place);
        free(queue->time);
        free(queue);
    }
}

static void set(struct load_queue *queue, uint32_t place, uint32_t item)
{
    queue->heap[place] = item;
    queue->place[item] = place;
}

static bool earlier(const struct load_queue *queue, uint32_t a, uint32_t b)
{
    return queue->time[a] < queue->time[b];
}

static void rise(struct load_queue *queue, uint32_t place)
{
    uint32_t item = queue->heap[place];
    while (place > 0 && earlier(queue, item, queue->heap[(place - 1) / 2])) {
        set(queue, place, queue->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    set(queue, place, item);
}

static void sink(struct load_queue *queue, uint32_t place)
{
    uint32_t item = queue->heap[place];
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child + 1 < queue->count &&
            earlier(queue, queue->heap[child + 1], queue->heap[child])) {
            child++;
        }
        if (child >= queue->count || !earlier(queue, queue->heap[child], item)) {
            break;
        }
        set(queue, place, queue->heap[child]);
        place = child;
    }
    set(queue, place, item);
}

void load_queue_put(struct load_queue *queue, uint32_t item, uint64_t time_ms)
{
    SERIN_ASSERT(item < queue->capacity);
    queue->time[item] = time_ms;
    if (queue->place[item] == ABSENT) {
        set(queue, queue->count++, item);
    }
    rise(queue, queue->place[item]);
    sink(queue, queue->place[item]);
}

uint64_t load_queue_next_ms(const struct load_queue *queue)
{
    return queue->count == 0 ? UINT64_MAX : queue->time[queue->heap[0]];
}

bool load_queue_take(struct load_queue *queue, uint64_t now_ms, uint32_t *item)
{
    if (load_queue_next_ms(queue) > now_ms || queue->count == 0) {
        return false;
    }
    *item = queue->heap[0];
    queue->place[*item] = ABSENT;
    queue->count--;
    if (queue->count > 0) {
        set(queue, 0, queue->heap[queue->count]);
        sink(queue, 0);
    }
    return true;
}
