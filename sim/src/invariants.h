/*
 * The judges (docs/spec/simulation.md, section 6): what must hold of a fleet whatever befalls it,
 * checked at the moments that can break it. Each figure is counted here anew, by the plainest
 * means; section 6 says what little nobody but the engine could know, and is taken from it.
 *
 * All of these do nothing in a run that is not checked.
 */
#ifndef SERIN_SIM_INVARIANTS_H
#define SERIN_SIM_INVARIANTS_H

#include "sim_internal.h"

#include <serin/orchestrator/ledger.h>

/* Around a step of the engine for this event; a step that is refused has no second call. */
void sim_check_step_before(struct sim *sim, const struct serin_rollout *rollout,
                           enum serin_rollout_event_kind event);
void sim_check_step(struct sim *sim, const struct serin_rollout *rollout,
                    const struct serin_members *members,
                    const struct serin_rollout_actions *actions);
/* The rollout was made; its members are sorted. */
void sim_check_created(struct sim *sim, const struct serin_rollout *rollout,
                       const struct serin_members *members);
/* serind's store is what it was at an earlier time: a crash, or a backup. */
void sim_check_restored(struct sim *sim, const struct serin_rollout *rollout,
                        const struct serin_members *members);
/* A directive was made: all books are counted anew. */
void sim_check_directive(struct sim *sim, const struct serin_directive *directive,
                         const struct serin_rollout *rollout, const struct serin_members *members);
/* It is published, for the first time or to repair what the broker shows. */
void sim_check_publish(struct sim *sim, struct serin_order order, bool repair);
/* An answer leaves serind, whose store has committed the device's reports up to `committed`. */
void sim_check_ack(struct sim *sim, uint32_t device, const struct serin_ack *ack,
                   const struct serin_report_cursor *committed);
/* A report of a device has come to serind. */
void sim_check_heard(struct sim *sim, uint32_t device, const struct serin_report *report);
/* The ledger has merged a report. */
void sim_check_ledger(struct sim *sim, uint32_t device, enum serin_state from, enum serin_state to);
/* A turn of serind: what it has published is what it has stored; and a small fleet is counted anew
 * every hour. */
void sim_check_hour(struct sim *sim, const struct serin_rollout *rollout,
                    const struct serin_members *members);
/* Counts everything anew. */
void sim_check_books(struct sim *sim, const struct serin_rollout *rollout,
                     const struct serin_members *members);
/* The end, after settling: what the server knows of a device, against the device. */
void sim_check_known(struct sim *sim, uint32_t device, uint32_t attempt,
                     const struct serin_member *member);

#endif
