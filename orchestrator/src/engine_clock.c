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
        uint64_t back_ms = last_ms - step->now_ms;
        if (rollout->stage_started_ms > step->now_ms) {
            /* As far ago as it was; by the clock of now that may be before its beginning. */
            rollout->stage_started_ms -=
                rollout->stage_started_ms > back_ms ? back_ms : rollout->stage_started_ms;
        }
        rollout->rate_ms -= rollout->rate_ms > back_ms ? back_ms : rollout->rate_ms;
        rollout->last_ms = step->now_ms;
        rollout->stood_watch_ms = rollout->watch_ms;
        serin_gates_unsettle(rollout, step->now_ms);
        return;
    }
    uint64_t span_ms = step->now_ms - last_ms;
    rollout->last_ms = step->now_ms;
    bool runs = traits->watch && rollout->reports_up && !rollout->closed;
    if (span_ms > SERIN_ENGINE_JUMP_MS || (span_ms > 0 && !runs)) {
        rollout->stood_watch_ms = rollout->watch_ms;
    }
    if (!traits->watch || !rollout->reports_up) {
        return;
    }
    if (span_ms > SERIN_ENGINE_JUMP_MS) {
        serin_step_audit(step, "the clock jumped forward by %" PRIu64 " s: it is not counted",
                         span_ms / 1000);
        serin_gates_unsettle(rollout, step->now_ms);
        return;
    }
    /* Outside of the windows nobody starts, so nobody is late; but a soak goes on. */
    rollout->watch_ms += rollout->closed ? 0 : span_ms;
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
    return rollout->retrying;
}

static uint64_t earlier(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

/* When time alone changes something, besides deadlines of devices: the start, a window, a step. */
static uint64_t time_due_ms(const struct serin_rollout *rollout,
                            const struct serin_members *members)
{
    bool over = serin_rollout_traits(rollout->state)->over;
    if (over || rollout->state == SERIN_ROLLOUT_CREATED || rollout->state == SERIN_ROLLOUT_PAUSED) {
        return NEVER;
    }
    uint64_t due_ms = serin_time_edge_ms(rollout);
    if (rollout->state == SERIN_ROLLOUT_ROLLING && !rollout->closed && !rollout->sweeping &&
        serin_stage_short(rollout)) {
        due_ms = earlier(due_ms, serin_ramp_due_ms(rollout));
    } else if (rollout->state == SERIN_ROLLOUT_ROLLING && !rollout->closed) {
        due_ms = earlier(due_ms, serin_stage_aside_due_ms(rollout, members));
    }
    return due_ms;
}

uint64_t serin_rollout_deadline_ms(const struct serin_rollout *rollout,
                                   const struct serin_members *members)
{
    const struct serin_rollout_traits *traits = serin_rollout_traits(rollout->state);
    if (at_once(rollout, members)) {
        return rollout->last_ms;
    }
    uint64_t due_ms = time_due_ms(rollout, members);
    if (!traits->watch || !rollout->reports_up ||
        (traits->over && rollout->sweep_due_ms == NEVER)) {
        return due_ms;
    }
    uint64_t left_ms = HEARTBEAT_MS;
    if (!rollout->closed) {
        left_ms = earlier(left_ms, rollout->sweep_due_ms - rollout->watch_ms);
        uint64_t settles_ms = serin_spells_due_ms(rollout);
        bool ahead = settles_ms > rollout->watch_ms;
        left_ms = earlier(left_ms, ahead ? settles_ms - rollout->watch_ms : 0);
    }
    if (traits->soak && serin_soak_left_ms(rollout) > 0) {
        left_ms = earlier(left_ms, serin_soak_left_ms(rollout));
    }
    due_ms = earlier(due_ms, rollout->last_ms + left_ms);
    return traits->gate ? earlier(due_ms, serin_gates_compare_due_ms(rollout, members)) : due_ms;
}
