/*
 * Strata: which devices a rollout compares with each other (docs/spec/rollout.md, health). Devices
 * of one hardware revision behind one gateway are one stratum, and so are those of one revision
 * that are direct. Numbers are of this run only; 0 is shared by whoever found no room.
 */
#ifndef SERIND_STRATA_H
#define SERIND_STRATA_H

#include <serin/orchestrator/engine.h>

/* A device says what hardware it is, as often as it likes: what it can make us keep has an end. */
#define SERIND_STRATA_MAX 65536u

struct serind_strata {
    uint64_t *keys; /* [number - 1] */
    uint32_t count, capacity;
    uint32_t *slots; /* open addressing; a number, 0: free */
    uint32_t slot_count;
    struct serin_stratum *scratch; /* the engine's: [0 .. count] */
};

void serind_strata_free(struct serind_strata *strata);

/* There is a device of this kind. Without memory, or room, its number is 0. */
void serind_strata_note(struct serind_strata *strata, uint32_t site, uint16_t hardware);

/* The number of a kind; 0: it was never noted. */
uint32_t serind_strata_find(const struct serind_strata *strata, uint32_t site, uint16_t hardware);

#endif
