/* The heap of TLS: blocks of the C library's, each with its size before it, to be counted. */
#include <serin/ports/tls_heap.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_SIZE 8u /* keeps the alignment */

static struct serin_tls_heap_usage usage;

void *serin_tls_heap_take(size_t size)
{
    if (size > SERIN_TLS_HEAP_MAX || usage.used + size + HEAD_SIZE > SERIN_TLS_HEAP_MAX) {
        return NULL;
    }
    uint8_t *block = malloc(size + HEAD_SIZE);
    if (block == NULL) {
        return NULL;
    }
    memcpy(block, &size, sizeof size);
    usage.used += size + HEAD_SIZE;
    if (usage.used > usage.peak) {
        usage.peak = usage.used;
    }
    return block + HEAD_SIZE;
}

static size_t size_of(const void *memory)
{
    size_t size;
    memcpy(&size, (const uint8_t *)memory - HEAD_SIZE, sizeof size);
    return size;
}

void serin_tls_heap_give(void *memory)
{
    if (memory == NULL) {
        return;
    }
    usage.used -= size_of(memory) + HEAD_SIZE;
    free((uint8_t *)memory - HEAD_SIZE);
}

void *serin_tls_heap_resize(void *memory, size_t size)
{
    void *moved = serin_tls_heap_take(size);
    if (moved != NULL && memory != NULL) {
        size_t old = size_of(memory);
        memcpy(moved, memory, old < size ? old : size);
        serin_tls_heap_give(memory);
    }
    return moved;
}

struct serin_tls_heap_usage serin_tls_heap_usage(void)
{
    return usage;
}
