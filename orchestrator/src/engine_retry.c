/* RETRY: devices that failed may try again, under a new attempt number (docs/spec/rollout.md,
 * section 4). Their failures stay evidence against the image: a second chance is the device's, not
 * the release's. */
#include "engine_internal.h"

#include <inttypes.h>

bool serin_retry_possible(const struct serin_rollout *rollout)
{
    return rollout->attempt < UINT32_MAX;
}

/* Whether the member had failed when RETRY came. What fails under the new attempt stays failed. */
static bool may_retry(const struct serin_rollout *rollout, const struct serin_member *member)
{
    bool failed =
        serin_member_failed(member) && member->state != SERIN_STATE_REGRESSED &&
        member->state != SERIN_STATE_REVERTED; /* it runs something else by its own decision */
    return failed && (uint64_t)member->watch_s * 1000u < rollout->retry_watch_ms + 1000u;
}

void serin_retry_sweep(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    if (!rollout->retrying) {
        return;
    }
    uint32_t i = rollout->retry_next;
    for (uint32_t looked = 0; looked < SERIN_ENGINE_SWEEP_MAX && i < rollout->tally.offered &&
                              step->actions->count + SERIN_STEP_ROOM < SERIN_ROLLOUT_ACTIONS_MAX;
         looked++, i++) {
        if (may_retry(rollout, &step->members->list[i])) {
            bool moved = serin_member_enter(step, i, SERIN_STATE_IDLE, SERIN_REASON_NONE);
            SERIN_ASSERT(moved);
        }
    }
    rollout->retry_next = i;
    rollout->retrying = i < rollout->tally.offered;
    /* The gate counts failures as they stand: those that were accepted before have left the count.
     */
    uint32_t failures = serin_tally_failures(&rollout->tally);
    rollout->judged = rollout->judged < failures ? rollout->judged : failures;
}
