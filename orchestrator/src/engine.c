/* The rollout engine: the transition table, and the step that walks it (docs/spec/rollout.md,
 * sections 2 and 3). */
#include "engine_internal.h"

#include <string.h>

/* In the column `to`: the state that PAUSE left. */
#define BACK SERIN_ROLLOUT_STATE_COUNT

struct transition {
    enum serin_rollout_state to; /* INVALID: the signal is refused */
    void (*effect)(struct serin_step *step);
    bool (*guard)(const struct serin_rollout *rollout); /* false: refused all the same */
};

/* Nobody is left who could resolve: a stage of silent or withdrawn devices, or of none. */
static bool nobody_left(const struct serin_rollout *rollout)
{
    return serin_tally_waiting(rollout) == 0;
}

#define CREATED    SERIN_ROLLOUT_CREATED
#define AWAITING   SERIN_ROLLOUT_AWAITING
#define ROLLING    SERIN_ROLLOUT_ROLLING
#define SOAKING    SERIN_ROLLOUT_SOAKING
#define PAUSED     SERIN_ROLLOUT_PAUSED
#define HALTED     SERIN_ROLLOUT_HALTED
#define COMPLETED  SERIN_ROLLOUT_COMPLETED
#define ABORTED    SERIN_ROLLOUT_ABORTED
#define SUPERSEDED SERIN_ROLLOUT_SUPERSEDED

/* Row: the state; column: the event, or what the engine concluded. What is not listed is refused.
 */
static const struct transition table[SERIN_ROLLOUT_STATE_COUNT][SERIN_SIGNAL_COUNT] =
    {
        [CREATED] =
            {
                [SERIN_ROLLOUT_START] = {.to = AWAITING, .effect = serin_effect_start},
                [SERIN_ROLLOUT_MEMBER] = {.to = CREATED, .effect = serin_effect_member},
                [SERIN_ROLLOUT_TICK] = {.to = CREATED},
                [SERIN_ROLLOUT_REPORTS_UP] = {.to = CREATED, .effect = serin_effect_reports_up},
                [SERIN_ROLLOUT_REPORTS_DOWN] = {.to = CREATED, .effect = serin_effect_reports_down},
                [SERIN_ROLLOUT_ABORT] = {.to = ABORTED, .effect = serin_effect_abort},
                [SERIN_ROLLOUT_SUPERSEDE] = {.to = SUPERSEDED, .effect = serin_effect_supersede},
            },
        [AWAITING] =
            {
                [SERIN_ROLLOUT_MEMBER] = {.to = AWAITING, .effect = serin_effect_member},
                [SERIN_ROLLOUT_TICK] = {.to = AWAITING, .effect = serin_effect_tick},
                [SERIN_ROLLOUT_REPORTS_UP] = {.to = AWAITING, .effect = serin_effect_reports_up},
                [SERIN_ROLLOUT_REPORTS_DOWN] = {.to = AWAITING,
                                                .effect = serin_effect_reports_down},
                [SERIN_ROLLOUT_PAUSE] = {.to = PAUSED, .effect = serin_effect_pause},
                [SERIN_ROLLOUT_HALT] = {.to = HALTED, .effect = serin_effect_halt},
                [SERIN_ROLLOUT_ADVANCE] = {.to = ROLLING, .effect = serin_effect_approve},
                [SERIN_ROLLOUT_ABORT] = {.to = ABORTED, .effect = serin_effect_abort},
                [SERIN_ROLLOUT_SUPERSEDE] = {.to = SUPERSEDED, .effect = serin_effect_supersede},
                [SERIN_SIGNAL_GATE] = {.to = HALTED, .effect = serin_effect_gate},
                [SERIN_SIGNAL_SITE] = {.to = PAUSED, .effect = serin_effect_site},
                [SERIN_SIGNAL_NEXT] = {.to = ROLLING, .effect = serin_effect_open_stage},
            },
        [ROLLING] =
            {
                [SERIN_ROLLOUT_MEMBER] = {.to = ROLLING, .effect = serin_effect_member},
                [SERIN_ROLLOUT_TICK] = {.to = ROLLING, .effect = serin_effect_tick},
                [SERIN_ROLLOUT_REPORTS_UP] = {.to = ROLLING, .effect = serin_effect_reports_up},
                [SERIN_ROLLOUT_REPORTS_DOWN] = {.to = ROLLING, .effect = serin_effect_reports_down},
                [SERIN_ROLLOUT_PAUSE] = {.to = PAUSED, .effect = serin_effect_pause},
                [SERIN_ROLLOUT_HALT] = {.to = HALTED, .effect = serin_effect_halt},
                [SERIN_ROLLOUT_ADVANCE] = {.to = SOAKING,
                                           .effect = serin_effect_skip_soak,
                                           .guard = nobody_left},
                [SERIN_ROLLOUT_ABORT] = {.to = ABORTED, .effect = serin_effect_abort},
                [SERIN_ROLLOUT_SUPERSEDE] = {.to = SUPERSEDED, .effect = serin_effect_supersede},
                [SERIN_SIGNAL_GATE] = {.to = HALTED, .effect = serin_effect_gate},
                [SERIN_SIGNAL_SITE] = {.to = PAUSED, .effect = serin_effect_site},
                [SERIN_SIGNAL_RESOLVED] = {.to = SOAKING, .effect = serin_effect_resolved},
            },
        [SOAKING] =
            {
                [SERIN_ROLLOUT_MEMBER] = {.to = SOAKING, .effect = serin_effect_member},
                [SERIN_ROLLOUT_TICK] = {.to = SOAKING, .effect = serin_effect_tick},
                [SERIN_ROLLOUT_REPORTS_UP] = {.to = SOAKING, .effect = serin_effect_reports_up},
                [SERIN_ROLLOUT_REPORTS_DOWN] = {.to = SOAKING, .effect = serin_effect_reports_down},
                [SERIN_ROLLOUT_PAUSE] = {.to = PAUSED, .effect = serin_effect_pause},
                [SERIN_ROLLOUT_HALT] = {.to = HALTED, .effect = serin_effect_halt},
                [SERIN_ROLLOUT_ADVANCE] = {.to = SOAKING, .effect = serin_effect_skip_soak},
                [SERIN_ROLLOUT_ABORT] = {.to = ABORTED, .effect = serin_effect_abort},
                [SERIN_ROLLOUT_SUPERSEDE] = {.to = SUPERSEDED, .effect = serin_effect_supersede},
                [SERIN_SIGNAL_GATE] = {.to = HALTED, .effect = serin_effect_gate},
                [SERIN_SIGNAL_SITE] = {.to = PAUSED, .effect = serin_effect_site},
                [SERIN_SIGNAL_ASK] = {.to = AWAITING, .effect = serin_effect_ask},
                [SERIN_SIGNAL_NEXT] = {.to = ROLLING, .effect = serin_effect_open_stage},
                [SERIN_SIGNAL_DONE] = {.to = COMPLETED, .effect = serin_effect_done},
            },
        [PAUSED] =
            {
                [SERIN_ROLLOUT_MEMBER] = {.to = PAUSED, .effect = serin_effect_member},
                [SERIN_ROLLOUT_TICK] = {.to = PAUSED, .effect = serin_effect_tick},
                [SERIN_ROLLOUT_REPORTS_UP] = {.to = PAUSED, .effect = serin_effect_reports_up},
                [SERIN_ROLLOUT_REPORTS_DOWN] = {.to = PAUSED, .effect = serin_effect_reports_down},
                [SERIN_ROLLOUT_RESUME] = {.to = BACK, .effect = serin_effect_resume},
                [SERIN_ROLLOUT_HALT] = {.to = HALTED, .effect = serin_effect_halt},
                [SERIN_ROLLOUT_ABORT] = {.to = ABORTED, .effect = serin_effect_abort},
                [SERIN_ROLLOUT_SUPERSEDE] = {.to = SUPERSEDED, .effect = serin_effect_supersede},
                [SERIN_SIGNAL_GATE] = {.to = HALTED, .effect = serin_effect_gate},
                [SERIN_SIGNAL_SITE] = {.to = PAUSED, .effect = serin_effect_site},
            },
        [HALTED] =
            {
                [SERIN_ROLLOUT_MEMBER] = {.to = HALTED, .effect = serin_effect_member},
                [SERIN_ROLLOUT_TICK] = {.to = HALTED, .effect = serin_effect_tick},
                [SERIN_ROLLOUT_REPORTS_UP] = {.to = HALTED, .effect = serin_effect_reports_up},
                [SERIN_ROLLOUT_REPORTS_DOWN] = {.to = HALTED, .effect = serin_effect_reports_down},
                [SERIN_ROLLOUT_ABORT] = {.to = ABORTED, .effect = serin_effect_abort},
            },
        /* What ended still keeps its books: late reports are the truth about its devices. */
        [COMPLETED] =
            {
                [SERIN_ROLLOUT_MEMBER] = {.to = COMPLETED, .effect = serin_effect_member},
                [SERIN_ROLLOUT_TICK] = {.to = COMPLETED},
                [SERIN_ROLLOUT_REPORTS_UP] = {.to = COMPLETED, .effect = serin_effect_reports_up},
                [SERIN_ROLLOUT_REPORTS_DOWN] = {.to = COMPLETED,
                                                .effect = serin_effect_reports_down},
            },
        [ABORTED] =
            {
                [SERIN_ROLLOUT_MEMBER] = {.to = ABORTED, .effect = serin_effect_member},
                [SERIN_ROLLOUT_TICK] = {.to = ABORTED},
                [SERIN_ROLLOUT_REPORTS_UP] = {.to = ABORTED, .effect = serin_effect_reports_up},
                [SERIN_ROLLOUT_REPORTS_DOWN] = {.to = ABORTED, .effect = serin_effect_reports_down},
            },
        [SUPERSEDED] =
            {
                [SERIN_ROLLOUT_MEMBER] = {.to = SUPERSEDED, .effect = serin_effect_member},
                [SERIN_ROLLOUT_TICK] = {.to = SUPERSEDED},
                [SERIN_ROLLOUT_REPORTS_UP] = {.to = SUPERSEDED, .effect = serin_effect_reports_up},
                [SERIN_ROLLOUT_REPORTS_DOWN] = {.to = SUPERSEDED,
                                                .effect = serin_effect_reports_down},
            },
};

static const struct serin_rollout_traits traits[SERIN_ROLLOUT_STATE_COUNT] = {
    [AWAITING] = {.watch = true, .gate = true, .patience = true, .deadline = true},
    [ROLLING] = {.watch = true, .gate = true, .patience = true, .deadline = true},
    [SOAKING] = {.watch = true, .soak = true, .gate = true, .patience = true, .deadline = true},
    [PAUSED] = {.gate = true},
    [HALTED] = {.watch = true, .deadline = true, .over = true},
    [COMPLETED] = {.over = true},
    [ABORTED] = {.over = true},
    [SUPERSEDED] = {.over = true},
};

const struct serin_rollout_traits *serin_rollout_traits(enum serin_rollout_state state)
{
    SERIN_ASSERT(state > SERIN_ROLLOUT_INVALID && state < SERIN_ROLLOUT_STATE_COUNT);
    return &traits[state];
}

/* The only place that changes the state of a rollout. */
static void enter(struct serin_step *step, enum serin_rollout_state to)
{
    struct serin_rollout *rollout = step->rollout;
    if (to == BACK) {
        to = rollout->resume_to;
    }
    if (to != PAUSED) {
        rollout->resume_to = SERIN_ROLLOUT_INVALID;
    } else if (rollout->state != PAUSED) {
        rollout->resume_to = rollout->state;
    }
    if (serin_rollout_traits(to)->over && rollout->ended_ms == 0) {
        rollout->ended_ms = step->now_ms;
    }
    rollout->state = to;
}

/* Carries a listed signal out. */
static void fire(struct serin_step *step, size_t signal)
{
    const struct transition *row = &table[step->rollout->state][signal];
    SERIN_ASSERT(row->to != SERIN_ROLLOUT_INVALID);
    if (row->effect != NULL) {
        row->effect(step);
    }
    enter(step, row->to);
}

/* What follows the soak of the present stage. */
static enum serin_signal after_soak(const struct serin_rollout *rollout)
{
    if (rollout->stage == rollout->policy.stage_count) {
        return SERIN_SIGNAL_DONE;
    }
    return rollout->policy.stages[rollout->stage].approval ? SERIN_SIGNAL_ASK : SERIN_SIGNAL_NEXT;
}

enum serin_signal serin_rollout_conclude(const struct serin_rollout *rollout,
                                         const struct serin_members *members)
{
    const struct serin_tally *tally = &rollout->tally;
    struct serin_trip trip;
    if (serin_rollout_traits(rollout->state)->gate && serin_gates_trip(rollout, members, &trip)) {
        struct serin_cluster cluster = serin_sites_cluster(rollout, members);
        bool alone = serin_trip_of_failures(&trip) && serin_cluster_alone(rollout, &cluster);
        return alone ? SERIN_SIGNAL_SITE : SERIN_SIGNAL_GATE;
    }
    if (rollout->state == AWAITING && after_soak(rollout) == SERIN_SIGNAL_NEXT) {
        return SERIN_SIGNAL_NEXT;
    }
    if (rollout->state == ROLLING && serin_tally_waiting(rollout) == 0 &&
        serin_tally_resolved(tally) > 0 && !serin_stage_short(rollout, members) &&
        !serin_stage_lone(rollout, members)) {
        return SERIN_SIGNAL_RESOLVED;
    }
    if (rollout->state == SOAKING && serin_soak_left_ms(rollout) == 0) {
        return after_soak(rollout);
    }
    return SERIN_SIGNAL_NONE;
}

/* Draws conclusions until there are none: at most RESOLVED, then the next stage; a stage that is
 * resolved as soon as it is open waits for the next TICK, so that each stage has its PUBLISH. */
static void settle(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    for (int i = 0; i < 3 && !step->opened; i++) {
        enum serin_signal signal = serin_rollout_conclude(rollout, step->members);
        if (signal == SERIN_SIGNAL_NONE) {
            break;
        }
        fire(step, signal);
    }
    if (rollout->state == ROLLING && !rollout->sweeping) {
        serin_stage_widen(step);
    }
}

struct serin_rollout_action *serin_step_act(struct serin_step *step,
                                            enum serin_rollout_action_kind kind)
{
    SERIN_ASSERT(step->actions->count < SERIN_ROLLOUT_ACTIONS_MAX);
    struct serin_rollout_action *action = &step->actions->list[step->actions->count++];
    memset(action, 0, sizeof *action);
    action->kind = kind;
    return action;
}

static bool event_valid(const struct serin_members *members,
                        const struct serin_rollout_event *event)
{
    if (event->kind <= SERIN_ROLLOUT_EVENT_INVALID || event->kind >= SERIN_ROLLOUT_EVENT_COUNT) {
        return false;
    }
    if (event->kind != SERIN_ROLLOUT_MEMBER) {
        return true;
    }
    return event->member < members->count && event->state > SERIN_STATE_IDLE &&
           event->state < SERIN_STATE_COUNT && event->state != SERIN_STATE_UNREACHED &&
           event->state != SERIN_STATE_TIMED_OUT && event->reason > SERIN_REASON_INVALID &&
           event->reason < SERIN_REASON_COUNT;
}

enum serin_error serin_rollout_step(struct serin_rollout *rollout,
                                    const struct serin_members *members, uint64_t now_ms,
                                    const struct serin_rollout_event *event,
                                    struct serin_rollout_actions *actions)
{
    actions->count = 0;
    if (!event_valid(members, event)) {
        return SERIN_ERR_INVALID;
    }
    SERIN_ASSERT(rollout->state > SERIN_ROLLOUT_INVALID &&
                 rollout->state < SERIN_ROLLOUT_STATE_COUNT);
    const struct transition *row = &table[rollout->state][event->kind];
    if (row->to == SERIN_ROLLOUT_INVALID || (row->guard != NULL && !row->guard(rollout))) {
        return SERIN_ERR_STATE;
    }
    struct serin_step step = {.rollout = rollout,
                              .members = members,
                              .now_ms = now_ms,
                              .event = event,
                              .actions = actions};
    serin_step_clock(&step);
    fire(&step, event->kind);
    settle(&step);
    if (step.publish) {
        serin_step_act(&step, SERIN_ROLLOUT_ACT_PUBLISH);
        rollout->publishes++;
    }
    return SERIN_OK;
}

enum serin_error serin_rollout_init(struct serin_rollout *rollout, uint64_t id,
                                    const struct serin_policy *policy,
                                    const uint8_t salt[SERIN_SALT_SIZE], uint32_t attempt,
                                    uint64_t now_ms)
{
    if (id == 0 || attempt == 0 || serin_policy_check(policy, NULL) != SERIN_OK) {
        return SERIN_ERR_INVALID;
    }
    *rollout = (struct serin_rollout){
        .id = id,
        .policy = *policy,
        .attempt = attempt,
        .attempt_first = attempt,
        .state = CREATED,
        .created_ms = now_ms,
        .last_ms = now_ms,
        .sweep_due_ms = NEVER,
    };
    memcpy(rollout->salt, salt, SERIN_SALT_SIZE);
    return SERIN_OK;
}
