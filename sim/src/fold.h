/*
 * One multiplication that mixes two words into one: what the memos' hashes are made of. They only
 * find what was kept; nobody's word depends on them alone but where the comment there says so.
 */
#ifndef SERIN_SIM_FOLD_H
#define SERIN_SIM_FOLD_H

#include <stdint.h>

__extension__ typedef unsigned __int128 sim_wide;

/* Both halves of the product. */
static inline uint64_t sim_fold(uint64_t a, uint64_t b)
{
    sim_wide product = (sim_wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif
