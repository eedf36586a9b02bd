/*
 * What one seed of a soak run is: a policy, a scenario, a fleet. The seed and the bounds say all.
 */
#ifndef SERIN_SOAK_DRAW_H
#define SERIN_SOAK_DRAW_H

#include <serin/sim/sim.h>

#define SOAK_DEVICES_MIN 20u
#define SOAK_GATEWAYS    8u

/* Fills everything of `config` but ports and callbacks. `devices_max` is at least
 * SOAK_DEVICES_MIN. */
void soak_draw(struct serin_sim_config *config, uint64_t seed, uint32_t devices_max);

#endif
