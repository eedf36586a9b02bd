/* A small rollout under the judges' eyes, for the checks of the judges: a state in which they say
 * nothing, and what plants a fault in it. */
#ifndef SERIN_TESTS_SIM_JUDGED_H
#define SERIN_TESTS_SIM_JUDGED_H

#include "invariants_internal.h"

#define DEVICES 40u
#define STAGE   4u /* devices of the first stage: 10 % */

extern struct serin_sim_config config;
extern struct serin_sim_result result;
extern struct sim_node nodes[DEVICES];
extern struct sim world;
extern struct serin_member list[DEVICES];
extern struct serin_members members;
extern struct serin_rollout rollout;

/* Two stages of all devices, 60 s of soak each, not started; all books in order. */
void judged_set_up(void);
void judged_tear_down(void);

/* Nothing is broken; or this is, which is forgotten. */
void judged_sound(void);
void judged_convicted(enum serin_sim_invariant invariant);

/* Around what a test does in the engine's place: it was asked this, and did it without a word, or
 * asked for one publish. */
void judged_before(enum serin_rollout_event_kind event);
void judged_silent(void);
void judged_told(void);
/* The same of the engine itself, as serind's shell has it. */
void judged_step(enum serin_rollout_event_kind kind, uint32_t member, enum serin_state state,
                 enum serin_reason reason);
/* Started, and the first stage is offered to the first in rank. */
void judged_roll(void);

/* The directive of the rollout as it stands. */
struct serin_directive judged_directive(uint32_t sequence);
/* It is made and published. */
void judged_publish(uint32_t sequence);

#endif
