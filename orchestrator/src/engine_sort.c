/* The order of members: by rank, then by the caller's index. In place, without recursion or heap:
 * one joiner moves to its place in linear time, an unsorted population is heap-sorted. */
#include "engine_internal.h"

#include <string.h>

/* So many members at the end may be out of order before sorting all of them is cheaper. */
#define STRAGGLERS_MAX 16u

static bool before(const struct serin_member *a, const struct serin_member *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->device < b->device;
}

/* Moves list[at] down to its place in the sorted run that precedes it. */
static void insert(struct serin_member *list, uint32_t at)
{
    struct serin_member member = list[at];
    uint32_t low = 0;
    uint32_t high = at;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (before(&member, &list[middle])) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    memmove(&list[low + 1], &list[low], (at - low) * sizeof *list);
    list[low] = member;
}

/* Lets list[at] sink until the heap of `size` has its greatest member on top again. */
static void sink(struct serin_member *list, uint32_t at, uint32_t size)
{
    struct serin_member member = list[at];
    while (at < size / 2) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < size && before(&list[child], &list[child + 1])) {
            child++;
        }
        if (!before(&member, &list[child])) {
            break;
        }
        list[at] = list[child];
        at = child;
    }
    list[at] = member;
}

static void heap_sort(struct serin_member *list, uint32_t size)
{
    for (uint32_t at = size / 2; at > 0; at--) {
        sink(list, at - 1, size);
    }
    for (uint32_t end = size; end > 1; end--) {
        struct serin_member greatest = list[0];
        list[0] = list[end - 1];
        list[end - 1] = greatest;
        sink(list, 0, end - 1);
    }
}

void serin_members_sort(struct serin_members *members)
{
    struct serin_member *list = members->list;
    uint32_t sorted = members->count > 0 ? 1 : 0;
    while (sorted < members->count && !before(&list[sorted], &list[sorted - 1])) {
        sorted++;
    }
    if (members->count - sorted > STRAGGLERS_MAX) {
        heap_sort(list, members->count);
        return;
    }
    for (; sorted < members->count; sorted++) {
        insert(list, sorted);
    }
}
