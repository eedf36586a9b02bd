/* What devices read of a rollout: the candidate part of the channel's directive, and the stable
 * release that it becomes (docs/spec/rollout.md, section 8). */
#include "engine_internal.h"

#include <string.h>

static const enum serin_candidate_state candidate_states[SERIN_ROLLOUT_STATE_COUNT] = {
    [SERIN_ROLLOUT_CREATED] = SERIN_CANDIDATE_NONE,
    [SERIN_ROLLOUT_AWAITING] = SERIN_CANDIDATE_ROLLING, /* of the stages already open */
    [SERIN_ROLLOUT_ROLLING] = SERIN_CANDIDATE_ROLLING,
    [SERIN_ROLLOUT_SOAKING] = SERIN_CANDIDATE_ROLLING,
    [SERIN_ROLLOUT_PAUSED] = SERIN_CANDIDATE_PAUSED,
    [SERIN_ROLLOUT_HALTED] = SERIN_CANDIDATE_HALTED,
    [SERIN_ROLLOUT_COMPLETED] = SERIN_CANDIDATE_NONE,
    [SERIN_ROLLOUT_ABORTED] = SERIN_CANDIDATE_NONE,
    [SERIN_ROLLOUT_SUPERSEDED] = SERIN_CANDIDATE_NONE,
};

static void offers_of(const struct serin_policy *policy, struct serin_release *release)
{
    release->offer_count = policy->offer_count;
    memcpy(release->offers, policy->offers, policy->offer_count * sizeof policy->offers[0]);
    release->flags = policy->revert ? SERIN_RELEASE_REVERT : 0;
}

void serin_rollout_candidate(const struct serin_rollout *rollout, struct serin_directive *directive)
{
    const struct serin_policy *policy = &rollout->policy;
    (void)serin_rollout_traits(rollout->state);
    directive->lease_s = policy->lease_s;
    directive->flags = policy->emergency ? SERIN_DIRECTIVE_EMERGENCY : 0;
    directive->spread_s = policy->emergency ? 0 : policy->spread_s;
    directive->site_failures_max = policy->site_failures_max;
    directive->candidate = (struct serin_release){0};
    memset(directive->salt, 0, sizeof directive->salt);
    directive->threshold = 0;
    directive->candidate_state =
        rollout->stage == 0 ? SERIN_CANDIDATE_NONE : candidate_states[rollout->state];
    if (directive->candidate_state == SERIN_CANDIDATE_NONE) {
        return;
    }
    if (directive->candidate_state == SERIN_CANDIDATE_ROLLING && rollout->closed) {
        directive->candidate_state = SERIN_CANDIDATE_PAUSED;
    }
    offers_of(policy, &directive->candidate);
    directive->candidate.attempt = rollout->attempt;
    memcpy(directive->salt, rollout->salt, sizeof directive->salt);
    directive->threshold = rollout->threshold;
}

/* Takes the range of `new` off `old`. False: nothing is left, or two pieces would be. */
static bool cut(struct serin_offer *old, const struct serin_offer *new)
{
    if (old->hw_max < new->hw_min || old->hw_min > new->hw_max) {
        return true;
    }
    bool below = old->hw_min < new->hw_min;
    bool above = old->hw_max > new->hw_max;
    if (below == above) {
        return false;
    }
    if (below) {
        old->hw_max = (uint16_t)(new->hw_min - 1);
    } else {
        old->hw_min = (uint16_t)(new->hw_max + 1);
    }
    return true;
}

void serin_rollout_promote(const struct serin_rollout *rollout, struct serin_release *stable)
{
    struct serin_release old = *stable;
    *stable = (struct serin_release){0};
    offers_of(&rollout->policy, stable);
    stable->flags |= SERIN_RELEASE_COMMIT;
    stable->attempt = rollout->attempt;
    for (size_t i = 0; i < old.offer_count; i++) {
        struct serin_offer offer = old.offers[i];
        bool left = stable->offer_count < SERIN_DIRECTIVE_OFFERS_MAX;
        for (size_t j = 0; left && j < rollout->policy.offer_count; j++) {
            left = cut(&offer, &rollout->policy.offers[j]);
        }
        if (left) {
            stable->offers[stable->offer_count++] = offer;
            stable->attempt = old.attempt > stable->attempt ? old.attempt : stable->attempt;
        }
    }
}
