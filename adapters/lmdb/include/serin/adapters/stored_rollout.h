/*
 * A rollout as the fleet store gives it back (docs/spec/store.md, section 4), for those who restart
 * an engine without a store on a disk: the simulator and the bench.
 */
#ifndef SERIN_ADAPTERS_STORED_ROLLOUT_H
#define SERIN_ADAPTERS_STORED_ROLLOUT_H

#include <serin/orchestrator/engine.h>

/* Writes `rollout` into its record and reads it back: whatever the record does not hold is lost as
 * by a restart of serind, so that serin_rollout_rebuild is due. SERIN_ERR_INVALID,
 * SERIN_ERR_FORMAT: a value is outside its bounds; `rollout` is unchanged then. */
SERIN_MUST_USE enum serin_error serin_stored_rollout(struct serin_rollout *rollout);

#endif
