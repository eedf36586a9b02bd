/* Eviction, least recently used first. */
#include <serin/gateway/evict.h>

static uint64_t added(uint64_t a, uint64_t b)
{
    return a <= UINT64_MAX - b ? a + b : UINT64_MAX;
}

static struct serin_evict_entry *oldest(struct serin_evict_entry *entries, size_t count)
{
    struct serin_evict_entry *found = NULL;
    for (size_t i = 0; i < count; i++) {
        struct serin_evict_entry *entry = &entries[i];
        if (!entry->pinned && !entry->goes && (found == NULL || entry->used < found->used)) {
            found = entry;
        }
    }
    return found;
}

bool serin_evict(struct serin_evict_entry *entries, size_t count, uint64_t budget, uint64_t needed)
{
    uint64_t total = 0, pinned = 0;
    for (size_t i = 0; i < count; i++) {
        entries[i].goes = false;
        total = added(total, entries[i].bytes);
        pinned = added(pinned, entries[i].pinned ? entries[i].bytes : 0);
    }
    bool fits = added(pinned, needed) <= budget;
    uint64_t most = fits ? budget - needed : budget;
    while (total > most) {
        struct serin_evict_entry *entry = oldest(entries, count);
        if (entry == NULL) {
            break;
        }
        entry->goes = true;
        total -= entry->bytes < total ? entry->bytes : total;
    }
    return fits;
}
