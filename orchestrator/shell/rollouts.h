/*
 * Rollouts: the latest one of each product and channel is held in memory with its members and
 * driven through the engine; older ones are in the store only.
 */
#ifndef SERIND_ROLLOUTS_H
#define SERIND_ROLLOUTS_H

#include <serin/orchestrator/engine.h>
#include <serin/orchestrator/store.h>
#include <serin/orchestrator/way_back.h>

struct serind;

#define SERIND_SLOTS_MAX 1024u /* products × channels */

/* One rollout in memory. */
struct serind_slot {
    struct serin_rollout rollout;
    struct serin_members members;
    uint32_t capacity;
    bool joined;                         /* members were appended: rebuild before the next step */
    bool touched;                        /* changed in this pass: the copies below are good */
    bool made;                           /* made in this pass */
    bool retired;                        /* superseded in this pass: goes when it is committed */
    struct serin_way_back_seen way_back; /* what revert.c looked at last */
    struct serin_rollout before;
    struct serin_member *members_before;
    uint32_t count_before, capacity_before;
};

struct serind_rollouts {
    size_t count;
    struct serind_slot *slots[SERIND_SLOTS_MAX];
};

/* Loads rollouts and members; inside a read or write transaction. SERIN_ERR_FORMAT: a damaged
 * record; SERIN_ERR_NO_SPACE: more than SERIND_SLOTS_MAX; SERIN_ERR_IO, SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serind_rollouts_load(struct serind *serind);
void serind_rollouts_free(struct serind *serind);

/* Whether nothing more will come of it by itself. */
bool serind_rollout_over(enum serin_rollout_state state);

/* The latest rollout of a product and channel, or NULL. */
struct serind_slot *serind_rollouts_latest(struct serind *serind, const char *product,
                                           const char *channel);
struct serind_slot *serind_rollouts_find(struct serind *serind, uint64_t id);

/* A rollout that is in the store only, with its members, to be looked at: what the engine derives
 * of them is there again. Inside a transaction. The caller closes it. SERIN_ERR_NOT_FOUND,
 * SERIN_ERR_FORMAT, SERIN_ERR_IO, SERIN_ERR_MEMORY: *slot is NULL then. (recall.c) */
SERIN_MUST_USE enum serin_error serind_rollout_recall(struct serind *serind, uint64_t id,
                                                      struct serind_slot **slot);
void serind_rollout_let_go(struct serind_slot *slot); /* NULL is fine */

/* Whether the rollout offers the manifest to the hardware (0: to any). */
bool serind_rollout_offers(const struct serin_rollout *rollout, const uint8_t manifest_id[32],
                           uint16_t hardware);

/* Whether an attempt at the manifest is one of the rollout's: its first, or one of a retry. */
bool serind_rollout_attempts(const struct serin_rollout *rollout, const uint8_t manifest_id[32],
                             uint32_t attempt);

/* Shows the engine where to look sites, hardware and health up: these move in memory as the fleet
 * grows, so that it is called before each call of the engine that is given the members.
 * (lookups.c) */
void serind_slot_attach(struct serind *serind, struct serind_slot *slot);

/* Makes the slot of a rollout in this pass; NULL: memory, or too many. */
struct serind_slot *serind_rollouts_add(struct serind *serind, const struct serin_rollout *rollout);

/* Appends a member; the slot must be rebuilt before its next step, which serind_rollouts_step does.
 * SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serind_slot_join(struct serind *serind, struct serind_slot *slot,
                                                 uint32_t device, bool runs_it);

/* The same without storing it, for use inside a walk of the store, where writing is not allowed;
 * serind_slot_save_members stores all of them afterwards. */
SERIN_MUST_USE enum serin_error serind_slot_hold(struct serind *serind, struct serind_slot *slot,
                                                 uint32_t device, bool runs_it);
void serind_slot_save_members(struct serind *serind, const struct serind_slot *slot);

/* The position of a device among the members, or UINT32_MAX. */
uint32_t serind_slot_position(struct serind *serind, struct serind_slot *slot, uint32_t device);

/* One event to the engine, inside a pass; its actions are carried out in the pass. SERIN_ERR_STATE:
 * not allowed in this state, and nothing changed. */
enum serin_error serind_rollouts_step(struct serind *serind, struct serind_slot *slot,
                                      const struct serin_rollout_event *event);

/* Before anything of a slot is changed inside a pass: makes the copies that a failed pass restores.
 * SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serind_slot_touch(struct serind_slot *slot);

/* RETRY, inside a pass: with a number that no attempt at the release had before. Errors as of
 * serind_rollouts_step. (retry.c) */
enum serin_error serind_rollouts_retry(struct serind *serind, struct serind_slot *slot,
                                       const struct serin_rollout_event *event);

/* Raises the threshold to one that this rollout has given out already, which only a broker
 * remembers; inside a pass. A lower one changes nothing. */
void serind_rollouts_raise(struct serind *serind, struct serind_slot *slot, uint64_t threshold);

/* When the next TICK is due (Unix ms). */
uint64_t serind_rollouts_deadline_ms(struct serind *serind);

/* Inside a pass: tells every rollout whether reports can arrive, and ticks those that are due. */
void serind_rollouts_tick(struct serind *serind);

/* Raises and clears the alarms of a rollout that waits for an operator or is halted, as it stands:
 * at the start; afterwards each pass does. (rollout_alarms.c) */
void serind_rollout_alarms(struct serind *serind, const struct serin_rollout *rollout);

/* The end of a pass: stores what was touched; then keeps it, or takes it back. */
void serind_rollouts_store(struct serind *serind);
void serind_rollouts_keep(struct serind *serind);
void serind_rollouts_undo(struct serind *serind);

#endif
