/*
 * Beats that are said as their kin was: what a fleet's beats have in common, product, channel, what
 * runs and the orders followed, is taken from bytes that the real codec made of one; who says it,
 * its numbers, uptime and counters are written anew (docs/spec/beat.md). A beat without kin is not
 * said. That the real codec says the same is for memo_beats.c to ask.
 */
#ifndef SERIN_SIM_MEMO_KIN_H
#define SERIN_SIM_MEMO_KIN_H

#include <serin/wire.h>

#define SIM_KIN_KEPT 16u
#define SIM_KIN_RUNS 4u
#define SIM_KIN_SIZE 256u /* longer ones are not remembered */

/* A beat within its bounds, and the runs of its payload that its kin shares. */
struct sim_relative {
    struct serin_beat value;
    bool used;
    uint16_t offset[SIM_KIN_RUNS], size[SIM_KIN_RUNS];
    uint8_t payload[SIM_KIN_SIZE];
};

/* All zero at first. */
struct sim_kin {
    uint32_t next; /* the place that is taken next */
    uint32_t last; /* where kin was last found */
    struct sim_relative known[SIM_KIN_KEPT];
};

/* Writes a beat to `out`, SERIN_BEAT_MAX bytes. 0: it has no kin, or is out of bounds. */
size_t sim_kin_say(struct sim_kin *kin, const struct serin_beat *value, uint8_t *out);
/* Remembers what the real codec made of a beat. */
void sim_kin_learn(struct sim_kin *kin, const struct serin_beat *value, const uint8_t *payload,
                   size_t size);

#endif
