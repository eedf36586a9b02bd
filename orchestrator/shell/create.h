/*
 * Commands on rollouts: creating one from a policy, and the operator's verbs.
 */
#ifndef SERIND_CREATE_H
#define SERIND_CREATE_H

#include "releases.h"
#include "rollouts.h"

/* What is wrong with a command, in the terms of the API's errors. */
struct serind_refusal {
    char message[SERIND_WHY_MAX];
    char field[SERIN_YAML_FIELD_MAX]; /* "": not known */
    unsigned line;                    /* 0: not known */
};

/* Has `refusal` say that the store failed, unless it says something already; gives `error`. */
enum serin_error serind_refusal_store(struct serind_refusal *refusal, enum serin_error error);

/* Creates and starts a rollout from the text of a policy, in a pass of its own. *slot is the
 * publisher's new charge. SERIN_ERR_CONFIG (the policy), SERIN_ERR_NOT_FOUND (a release, a
 * rollout), SERIN_ERR_CHANNEL, SERIN_ERR_HARDWARE, SERIN_ERR_COUNTER (content that devices would
 * refuse), SERIN_ERR_STATE (another rollout runs, or the version is not newer), and errors of the
 * store. */
SERIN_MUST_USE enum serin_error serind_rollout_create(struct serind *serind, const char *text,
                                                      size_t size, struct serind_slot **slot,
                                                      struct serind_refusal *refusal);

/* The latest rollout before this one in which a release of its own was halted, also where it was
 * aborted since; 0: none, or the store could not be read. Inside a transaction. */
uint64_t serind_rollout_halted_before(struct serind *serind, const struct serin_rollout *rollout);

/* What the rules of entry ask of a device; good as long as the record is. */
struct serin_entrant serind_entrant(const struct serin_device_record *record);

/* serind_rollout_create from values, for a rollout that takes back what `file->from`, which was
 * halted, did: it is the latest of its product and channel, and will know of it
 * (serin_rollout.reverted_by). The file has no document. What is refused leaves no trace here. */
SERIN_MUST_USE enum serin_error serind_rollout_revert(struct serind *serind,
                                                      struct serin_policy_file *file,
                                                      struct serind_slot **slot,
                                                      struct serind_refusal *refusal);

/* One of pause, resume, halt, advance, abort, retry, in a pass of its own. SERIN_ERR_NOT_FOUND,
 * SERIN_ERR_STATE, and errors of the store. `reason` is the operator's, or NULL. (command.c) */
SERIN_MUST_USE enum serin_error serind_rollout_command(struct serind *serind, uint64_t id,
                                                       enum serin_rollout_event_kind kind,
                                                       const char *reason,
                                                       struct serind_slot **slot,
                                                       struct serind_refusal *refusal);

#endif
