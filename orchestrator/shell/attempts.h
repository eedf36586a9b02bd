/*
 * Attempts: what devices report of them, kept and told to the engine. A device can name any
 * manifest and any number, so that only attempts at releases known here are kept, and few of them.
 */
#ifndef SERIND_ATTEMPTS_H
#define SERIND_ATTEMPTS_H

#include "rollouts.h"

/* Attempts of one device that are kept; the longest unchanged ones go first. */
#define SERIND_ATTEMPTS_MAX 8u

/* All of these happen inside a pass. `record` is the device as it describes itself now; its
 * last_attempt is changed, storing it is the caller's. */

/* Merges one attempt of a report into its record. */
void serind_attempts_merge(struct serind *serind, struct serin_device_record *record,
                           const struct serin_attempt_report *report);

/* The latest attempt against what the device says it runs; and where it runs what the rollout
 * offers and was not heard of, that it is confirmed. */
void serind_attempts_running(struct serind *serind, struct serin_device_record *record);

/* One state of a member to the engine; nothing happens where the device is none. */
void serind_attempts_step(struct serind *serind, struct serind_slot *slot, uint32_t device,
                          enum serin_state state, enum serin_reason reason);

#endif
