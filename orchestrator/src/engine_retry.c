/* RETRY: devices that failed may try again, under a new attempt number (docs/spec/rollout.md,
 * section 4). Their failures stay evidence against the image: a second chance is the device's, not
 * the release's. */
#include "engine_internal.h"

#include <inttypes.h>

uint32_t serin_retry_count(const struct serin_rollout *rollout)
{
    return serin_tally_failures(&rollout->tally) - rollout->tally.regressed;
}

/* Whether time-outs wait for their excuse, and others that waited when they were retried before
 * have had theirs: what is kept of these tells one time, and cannot tell two. */
static bool waits_for_excuse(const struct serin_rollout *rollout)
{
    const struct serin_evidence *evidence = &rollout->evidence;
    return evidence->undecided > 0 && evidence->undecided_before > 0 &&
           serin_spells_excuse(rollout, rollout->retried_s) != SERIN_EXCUSE_OPEN;
}

const char *serin_retry_refusal(const struct serin_rollout *rollout)
{
    uint32_t count = serin_retry_count(rollout);
    if (rollout->attempt == UINT32_MAX) {
        return "the last attempt number is used up: create another rollout";
    }
    if (count == 0) {
        return "no device has failed that could try again: what regressed or was reverted runs "
               "something else by its own decision";
    }
    if (waits_for_excuse(rollout)) {
        return "the network is dark, and whether it excuses devices that timed out is not known "
               "yet, as at an earlier retry: wait until it is, not paused, or create another "
               "rollout";
    }
    if (!serin_ramp_flight_allows(rollout, count)) {
        return "the devices that failed would all start at once, and in_flight_max has no room for "
               "so many: wait until others have resolved, or create another rollout";
    }
    if (!serin_ramp_rate_allows(rollout, count)) {
        return "the devices that failed would all start at once, which rate_per_hour does not "
               "allow now: pause, and retry an hour after the last were offered it; where more "
               "failed than the rate, create another rollout";
    }
    return NULL;
}

bool serin_retry_possible(const struct serin_rollout *rollout)
{
    return serin_retry_refusal(rollout) == NULL;
}

bool serin_retry_again(enum serin_state state, enum serin_reason reason)
{
    const struct serin_member member = {.state = (uint8_t)state, .reason = (uint8_t)reason};
    return serin_member_failed(&member) && state != SERIN_STATE_REGRESSED &&
           state != SERIN_STATE_REVERTED; /* it runs something else by its own decision */
}

/* Whether the member had failed when RETRY came. What fails under the new attempt stays failed. */
static bool may_retry(const struct serin_rollout *rollout, const struct serin_member *member)
{
    return serin_retry_again((enum serin_state)member->state, (enum serin_reason)member->reason) &&
           (uint64_t)member->watch_s * 1000u < rollout->retry_watch_ms + 1000u;
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
