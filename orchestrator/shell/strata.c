/* Strata (strata.h): an array of kinds, and a hash table of positions in it. */
#include "strata.h"

#include <stdlib.h>

#define CAPACITY_MIN 64u

void serind_strata_free(struct serind_strata *strata)
{
    free(strata->keys);
    free(strata->slots);
    free(strata->scratch);
    *strata = (struct serind_strata){.count = 0};
}

static uint64_t key_of(uint32_t site, uint16_t hardware)
{
    return (uint64_t)site << 16u | hardware;
}

/* The slot that holds `key`, or the free one where it belongs; a table is at most half full. */
static uint32_t slot_of(const struct serind_strata *strata, uint64_t key)
{
    uint32_t slot = (uint32_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32u);
    for (slot &= strata->slot_count - 1u;
         strata->slots[slot] != 0 && strata->keys[strata->slots[slot] - 1u] != key;
         slot = (slot + 1u) & (strata->slot_count - 1u)) {
    }
    return slot;
}

uint32_t serind_strata_find(const struct serind_strata *strata, uint32_t site, uint16_t hardware)
{
    return strata->slot_count == 0 ? 0 : strata->slots[slot_of(strata, key_of(site, hardware))];
}

/* Doubles all three. False: memory; what there was is as it was. */
static bool grow(struct serind_strata *strata)
{
    uint32_t capacity = strata->capacity == 0 ? CAPACITY_MIN : strata->capacity * 2u;
    uint64_t *keys = realloc(strata->keys, (size_t)capacity * sizeof *keys);
    if (keys == NULL) {
        return false;
    }
    strata->keys = keys;
    struct serin_stratum *scratch =
        realloc(strata->scratch, ((size_t)capacity + 1u) * sizeof *scratch);
    if (scratch == NULL) {
        return false;
    }
    strata->scratch = scratch;
    uint32_t *slots = calloc((size_t)capacity * 2u, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    free(strata->slots);
    strata->slots = slots;
    strata->slot_count = capacity * 2u;
    strata->capacity = capacity;
    for (uint32_t i = 0; i < strata->count; i++) {
        strata->slots[slot_of(strata, strata->keys[i])] = i + 1u;
    }
    return true;
}

void serind_strata_note(struct serind_strata *strata, uint32_t site, uint16_t hardware)
{
    if (serind_strata_find(strata, site, hardware) != 0 || strata->count == SERIND_STRATA_MAX ||
        (strata->count == strata->capacity && !grow(strata))) {
        return;
    }
    uint64_t key = key_of(site, hardware);
    uint32_t slot = slot_of(strata, key);
    strata->keys[strata->count++] = key;
    strata->slots[slot] = strata->count;
}
