/* The rollout's watch: what time counts, and when the next TICK is due (docs/spec/rollout.md,
 * section 7). */
#include "engine_internal.h"

#include <inttypes.h>

/* Ticks come at least this often while the watch runs: a longer silence is a jump of the clock. */
#define HEARTBEAT_MS (SERIN_ENGINE_JUMP_MS / 2u)

void serin_step_clock(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    const struct serin_rollout_traits *traits = serin_rollout_traits(rollout->state);
    uint64_t last_ms = rollout->last_ms;
    if (step->now_ms < last_ms) {
        if (last_ms - step->now_ms <= SERIN_ENGINE_SLEW_MS) {
            return; /* last_ms stays, so that no span is counted twice */
        }
        if (traits->watch) {
            serin_step_audit(step, "the clock jumped back by %" PRIu64 " s: it is not counted",
                             (last_ms - step->now_ms) / 1000);
        }
        rollout->last_ms = step->now_ms;
        return;
    }
    uint64_t span_ms = step->now_ms - last_ms;
    rollout->last_ms = step->now_ms;
    if (!traits->watch || !rollout->reports_up) {
        return;
    }
    if (span_ms > SERIN_ENGINE_JUMP_MS) {
        serin_step_audit(step, "the clock jumped forward by %" PRIu64 " s: it is not counted",
                         span_ms / 1000);
        return;
    }
    rollout->watch_ms += span_ms;
    if (traits->soak) {
        rollout->soaked_ms += span_ms;
    }
}

/* Whether the engine would do something now, if it were asked. */
static bool at_once(const struct serin_rollout *rollout, const struct serin_members *members)
{
    if (serin_rollout_conclude(rollout, members) != SERIN_SIGNAL_NONE) {
        return true;
    }
    if (serin_rollout_traits(rollout->state)->deadline &&
        (rollout->sweeping || rollout->watch_ms >= rollout->sweep_due_ms)) {
        return true;
    }
    return rollout->state == SERIN_ROLLOUT_ROLLING && serin_stage_short(rollout, members);
}

uint64_t serin_rollout_deadline_ms(const struct serin_rollout *rollout,
                                   const struct serin_members *members)
{
    const struct serin_rollout_traits *traits = serin_rollout_traits(rollout->state);
    if (at_once(rollout, members)) {
        return rollout->last_ms;
    }
    if (!traits->watch || !rollout->reports_up ||
        (traits->over && rollout->sweep_due_ms == NEVER)) {
        return NEVER;
    }
    uint64_t left_ms = HEARTBEAT_MS;
    if (rollout->sweep_due_ms - rollout->watch_ms < left_ms) {
        left_ms = rollout->sweep_due_ms - rollout->watch_ms;
    }
    if (traits->soak && serin_soak_left_ms(rollout) < left_ms) {
        left_ms = serin_soak_left_ms(rollout);
    }
    return rollout->last_ms + left_ms;
}
