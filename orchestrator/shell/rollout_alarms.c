/* Alarms of rollouts that stand still until an operator sees them (rollouts.h). */
#include "rollouts.h"

#include "serind.h"

#include <stdio.h>

/* A halt is the first that an operator should hear of who asks how serind is: it stands until it is
 * aborted, or another takes its place. */
static void tell_halted(struct serind *serind, const struct serin_rollout *rollout)
{
    char key[SERIND_ALARM_KEY_MAX];
    (void)snprintf(key, sizeof key, "halted:%s/%s", rollout->policy.product,
                   rollout->policy.channel);
    if (rollout->state == SERIN_ROLLOUT_HALTED) {
        serind_alarm_raise(
            serind, key,
            "rollout %llu is %s; nobody else starts it: abort it, or create one of a "
            "corrected release with 'from: %llu'",
            (unsigned long long)rollout->id, rollout->why, (unsigned long long)rollout->id);
    } else {
        serind_alarm_clear(serind, key);
    }
}

/* What the engine paused by itself stands still until an operator sees it, and so may what it
 * holds. An operator who paused it knows. */
static void tell_paused(struct serind *serind, const struct serin_rollout *rollout)
{
    char key[SERIND_ALARM_KEY_MAX];
    (void)snprintf(key, sizeof key, "paused:%s/%s", rollout->policy.product,
                   rollout->policy.channel);
    bool waits = rollout->state == SERIN_ROLLOUT_PAUSED ||
                 (rollout->state == SERIN_ROLLOUT_AWAITING && rollout->held);
    if (waits && rollout->why[0] != '\0' && !serin_rollout_paused_by_operator(rollout)) {
        serind_alarm_raise(serind, key, "rollout %llu waits for an operator: %s",
                           (unsigned long long)rollout->id, rollout->why);
    } else {
        serind_alarm_clear(serind, key);
    }
}

void serind_rollout_alarms(struct serind *serind, const struct serin_rollout *rollout)
{
    tell_paused(serind, rollout);
    tell_halted(serind, rollout);
}
