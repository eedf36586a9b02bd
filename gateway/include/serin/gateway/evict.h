/*
 * Which files leave a depot so that it stays within its budget (docs/spec/site.md, section 5).
 * Pure.
 */
#ifndef SERIN_GATEWAY_EVICT_H
#define SERIN_GATEWAY_EVICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct serin_evict_entry {
    uint64_t bytes; /* on the disk */
    uint64_t used;  /* when it was used last: any clock that grows */
    bool pinned;    /* never goes */
    bool goes;      /* out */
};

/* Marks what goes, least recently used first (the earlier entry among equals), so that `needed`
 * more bytes fit into `budget`. True: they fit then. False: they do not, whatever goes; what is
 * marked then brings the depot within its budget as it is, as far as pins allow, and no further. */
bool serin_evict(struct serin_evict_entry *entries, size_t count, uint64_t budget, uint64_t needed);

#endif
