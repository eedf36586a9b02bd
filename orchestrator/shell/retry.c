/* A retry: the same release, offered to those that failed it under a new attempt number
 * (rollouts.h; docs/spec/states.md, "Tried is tried"). */
#include "pass.h"
#include "releases.h"
#include "serind.h"

/* The highest attempt at a release of the rollout that anybody has named: where the store is a
 * backup that may be above the rollout's own, and devices would not take it again. */
static uint32_t highest_attempt(struct serind *serind, const struct serin_rollout *rollout)
{
    const struct serin_policy *policy = &rollout->policy;
    uint32_t highest = rollout->attempt;
    for (size_t i = 0; i < policy->offer_count; i++) {
        struct serin_release_record record;
        enum serin_error error = serind->store.ops->get_release(
            serind->store.ctx, policy->offers[i].manifest_id, &record);
        if (serind_pass_check(serind, error) && record.last_attempt > highest) {
            highest = record.last_attempt;
        }
    }
    return highest;
}

enum serin_error serind_rollouts_retry(struct serind *serind, struct serind_slot *slot,
                                       const struct serin_rollout_event *event)
{
    struct serin_rollout *rollout = &slot->rollout;
    enum serin_error error = serind_slot_touch(slot);
    if (!serind_pass_check(serind, error)) {
        return error;
    }
    rollout->attempt = highest_attempt(serind, rollout); /* the engine counts on from there */
    error = serind_rollouts_step(serind, slot, event);
    for (size_t i = 0; error == SERIN_OK && i < rollout->policy.offer_count; i++) {
        (void)serind_pass_check(
            serind, serind_releases_attempted(serind, rollout->policy.offers[i].manifest_id,
                                              rollout->attempt, UINT32_MAX));
    }
    return error;
}
