/*
 * What beats say of the fleet: health by device, kept in the index beside each of them, and the
 * hardware and stratum by which a rollout compares those that it updated with those it did not
 * (docs/spec/rollout.md, health). Each device's record has it as it was when the record was
 * written, which is with each of its words, and brings it back at the start.
 */
#ifndef SERIND_BEATS_H
#define SERIND_BEATS_H

#include "items.h"

#include <serin/orchestrator/store.h>

struct serind;

/* The device was heard, as it describes itself now: a report, or a beat, which also tells its
 * counters. `before` is its record as it was until then. */
void serind_beats_heard(struct serind *serind, const struct serind_item *item,
                        const struct serin_device_record *before);

/* Its hardware and its site, as the store or an operator has them. */
void serind_beats_describe(struct serind *serind, uint32_t device, uint16_t hardware);

/* Whether the clock was set back since the last sound pass, or was while serind was away. */
bool serind_beats_due(const struct serind *serind);
/* Words that seem to come from the future since are words of now, in the store as well. In a pass;
 * reads every device where it is due. */
void serind_beats_tend(struct serind *serind);
/* The pass was sound; one that fails is done once more, from what is stored. */
void serind_beats_keep(struct serind *serind);

/* What is known of all of them at the start, inside a transaction, after the devices. Who was not
 * silent when serind was last heard of is not silent now: an outage of ours is nobody's silence.
 * Errors of the store. */
SERIN_MUST_USE enum serin_error serind_beats_load(struct serind *serind);

#endif
