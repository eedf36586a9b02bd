/*
 * Chance: each throw is a hash of seed, purpose, actor and the number of the throw, so that streams
 * neither share a state nor need one. The mixing is splitmix64's (Steele, Lea and Flood, "Fast
 * splittable pseudorandom number generators", 2014).
 */
#include "sim_internal.h"

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

uint64_t sim_dice(struct sim *sim, enum sim_purpose purpose, uint32_t index)
{
    uint64_t stream = mix(sim->config->seed ^ (uint64_t)purpose << 56);
    uint64_t throws = sim->dice[index][purpose]++;
    return mix(mix(stream ^ (uint64_t)index << 32 ^ throws));
}

uint64_t sim_dice_between(struct sim *sim, enum sim_purpose purpose, uint32_t index, uint64_t low,
                          uint64_t high)
{
    SERIN_ASSERT(low <= high);
    uint64_t range = high - low + 1u; /* 0: all there is */
    uint64_t thrown = sim_dice(sim, purpose, index);
    return low + (range == 0 ? thrown : thrown % range);
}

bool sim_dice_share(struct sim *sim, enum sim_purpose purpose, uint32_t index, uint32_t share)
{
    return share > 0 && sim_dice(sim, purpose, index) % SERIN_SIM_ALL < share;
}
