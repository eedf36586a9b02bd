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
    return serin_tally_waiting(rollout) == 0 && !serin_stage_short(rollout);
}

static bool not_approved(const struct serin_rollout *rollout)
{
    return !rollout->approved;
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
                [SERIN_ROLLOUT_ADVANCE] = {.to = AWAITING,
                                           .effect = serin_effect_approve,
                                           .guard = not_approved},
                [SERIN_ROLLOUT_RETRY] = {.to = AWAITING,
                                         .effect = serin_effect_retry,
                                         .guard = serin_retry_possible},
                [SERIN_ROLLOUT_ABORT] = {.to = ABORTED, .effect = serin_effect_abort},
                [SERIN_ROLLOUT_SUPERSEDE] = {.to = SUPERSEDED, .effect = serin_effect_supersede},
                [SERIN_SIGNAL_GATE] = {.to = HALTED, .effect = serin_effect_gate},
                [SERIN_SIGNAL_SITE] = {.to = PAUSED, .effect = serin_effect_site},
                [SERIN_SIGNAL_HOLD] = {.to = AWAITING, .effect = serin_effect_hold},
                [SERIN_SIGNAL_HEARD] = {.to = ROLLING, .effect = serin_effect_heard},
                [SERIN_SIGNAL_ASK] = {.to = AWAITING, .effect = serin_effect_ask},
                [SERIN_SIGNAL_NEXT] = {.to = ROLLING, .effect = serin_effect_open_stage},
                [SERIN_SIGNAL_DONE] = {.to = COMPLETED, .effect = serin_effect_done},
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
                [SERIN_ROLLOUT_RETRY] = {.to = ROLLING,
                                         .effect = serin_effect_retry,
                                         .guard = serin_retry_possible},
                [SERIN_ROLLOUT_ABORT] = {.to = ABORTED, .effect = serin_effect_abort},
                [SERIN_ROLLOUT_SUPERSEDE] = {.to = SUPERSEDED, .effect = serin_effect_supersede},
                [SERIN_SIGNAL_GATE] = {.to = HALTED, .effect = serin_effect_gate},
                [SERIN_SIGNAL_SITE] = {.to = PAUSED, .effect = serin_effect_site},
                [SERIN_SIGNAL_RESOLVED] = {.to = SOAKING, .effect = serin_effect_resolved},
                [SERIN_SIGNAL_HOLD] = {.to = AWAITING, .effect = serin_effect_hold},
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
                [SERIN_ROLLOUT_RETRY] = {.to = SOAKING,
                                         .effect = serin_effect_retry,
                                         .guard = serin_retry_possible},
                [SERIN_ROLLOUT_ABORT] = {.to = ABORTED, .effect = serin_effect_abort},
                [SERIN_ROLLOUT_SUPERSEDE] = {.to = SUPERSEDED, .effect = serin_effect_supersede},
                [SERIN_SIGNAL_GATE] = {.to = HALTED, .effect = serin_effect_gate},
                [SERIN_SIGNAL_SITE] = {.to = PAUSED, .effect = serin_effect_site},
                [SERIN_SIGNAL_HOLD] = {.to = AWAITING, .effect = serin_effect_hold},
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
                [SERIN_ROLLOUT_RETRY] = {.to = PAUSED,
                                         .effect = serin_effect_retry,
                                         .guard = serin_retry_possible},
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
    if (rollout->state == PAUSED && to != PAUSED) {
        rollout->compared = false; /* no TICK was due in it */
        rollout->asked_from_ms = step->now_ms;
    }
    if (to != PAUSED) {
        rollout->resume_to = SERIN_ROLLOUT_INVALID;
    } else if (rollout->state != PAUSED) {
        rollout->resume_to = rollout->state;
    }
    if (serin_rollout_traits(to)->over) {
        rollout->ended_ms = rollout->ended_ms == 0 ? step->now_ms : rollout->ended_ms;
        rollout->approved = rollout->held = rollout->closed = rollout->retrying = false;
        rollout->unproven = false;
    }
    rollout->state = to;
}

/* Carries a listed signal out. */
static void fire(struct serin_step *step, size_t signal)
{
    const struct transition *row = &table[step->rollout->state][signal];
    SERIN_ASSERT(row->to != SERIN_ROLLOUT_INVALID);
    if (serin_stage_says(step->rollout) && row->to != step->rollout->state) {
        memset(step->rollout->why, 0, sizeof step->rollout->why); /* what it waited for */
    }
    if (row->effect != NULL) {
        row->effect(step);
    }
    enter(step, row->to);
}

/* What follows the present stage, once it is soaked, or an operator goes on without proof; a stage
 * that waits already, for approval or for evidence, goes on waiting without a word. The end is a
 * beginning too, for devices that were out of reach: it keeps to the windows. */
static enum serin_signal after_soak(const struct serin_rollout *rollout,
                                    const struct serin_members *members)
{
    bool awaiting = rollout->state == AWAITING;
    if (rollout->stage > 0 && !serin_gates_current(rollout, members)) {
        return SERIN_SIGNAL_NONE; /* REPORTS_UP has a comparison made at once */
    }
    if (rollout->stage > 0 && !serin_stage_passes(rollout, members)) {
        return awaiting && rollout->held ? SERIN_SIGNAL_NONE : SERIN_SIGNAL_HOLD;
    }
    if (rollout->stage == rollout->policy.stage_count) {
        return serin_time_allows(rollout) ? SERIN_SIGNAL_DONE : SERIN_SIGNAL_NONE;
    }
    if (rollout->policy.stages[rollout->stage].approval && !rollout->approved) {
        return awaiting && !rollout->held ? SERIN_SIGNAL_NONE : SERIN_SIGNAL_ASK;
    }
    return serin_time_allows(rollout) ? SERIN_SIGNAL_NEXT : SERIN_SIGNAL_NONE;
}

/* What failures, silence and errors say; NONE: nothing against the release. */
static enum serin_signal judged(const struct serin_rollout *rollout,
                                const struct serin_members *members)
{
    struct serin_trip trip;
    bool trips = serin_gates_trip(rollout, members, &trip);
    if (!trips && !serin_test_trips(rollout)) {
        return SERIN_SIGNAL_NONE;
    }
    if (trips && !serin_trip_of_failures(&trip)) {
        return SERIN_SIGNAL_GATE;
    }
    struct serin_cluster cluster = serin_sites_cluster(rollout, members);
    return serin_cluster_alone(rollout, &cluster) ? SERIN_SIGNAL_SITE : SERIN_SIGNAL_GATE;
}

/* What follows from who is left to wait for. */
static enum serin_signal rolled(const struct serin_rollout *rollout,
                                const struct serin_members *members)
{
    if (serin_stage_unproven(rollout)) {
        return SERIN_SIGNAL_HOLD;
    }
    bool over = serin_tally_waiting(rollout) == 0 && serin_stage_proven(rollout) &&
                !serin_stage_short(rollout) && !serin_stage_lone(rollout, members);
    return over ? SERIN_SIGNAL_RESOLVED : SERIN_SIGNAL_NONE;
}

enum serin_signal serin_rollout_conclude(const struct serin_rollout *rollout,
                                         const struct serin_members *members)
{
    if (serin_rollout_traits(rollout->state)->gate) {
        enum serin_signal signal = judged(rollout, members);
        if (signal != SERIN_SIGNAL_NONE) {
            return signal;
        }
    }
    if (rollout->state == ROLLING) {
        return rolled(rollout, members);
    }
    if (rollout->state == AWAITING && rollout->unproven && !serin_stage_unproven(rollout)) {
        return SERIN_SIGNAL_HEARD;
    }
    if (rollout->state == AWAITING ||
        (rollout->state == SOAKING && serin_soak_left_ms(rollout) == 0)) {
        return after_soak(rollout, members);
    }
    return SERIN_SIGNAL_NONE;
}

/* Draws conclusions until there are none: at most RESOLVED, then the next stage; a stage that is
 * resolved as soon as it is open waits for the next TICK, so that each stage has its PUBLISH. */
static void settle(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    serin_stage_accept(step);
    serin_sites_look(step);
    for (int i = 0; i < 3 && !step->opened; i++) {
        serin_stage_compare(step);
        enum serin_signal signal = serin_rollout_conclude(rollout, step->members);
        bool passes = signal == SERIN_SIGNAL_NEXT || signal == SERIN_SIGNAL_DONE;
        if (passes && serin_stage_compare_last(step)) {
            signal = serin_rollout_conclude(rollout, step->members);
        }
        if (signal == SERIN_SIGNAL_NONE) {
            break;
        }
        fire(step, signal);
    }
    if (rollout->state == ROLLING && !rollout->sweeping) {
        serin_stage_widen(step);
    }
    serin_stage_say(step);
}

struct serin_rollout_action *serin_step_act(struct serin_step *step,
                                            enum serin_rollout_action_kind kind)
{
    SERIN_ASSERT(step->actions->count < SERIN_ROLLOUT_ACTIONS_MAX);
    struct serin_rollout_action *action = &step->actions->list[step->actions->count++];
    action->kind = kind;
    action->member = 0;
    action->text[0] = '\0'; /* the rest of the text, and `before`, are whoever's adds them */
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
    serin_spells_settle(&step);
    fire(&step, event->kind);
    serin_step_windows(&step);
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

/* ---- why an event is refused ---- */

static const char *const over_words[SERIN_ROLLOUT_STATE_COUNT] = {
    [HALTED] = ("the rollout is halted for good: create one of a corrected release, with 'from' "
                "its number, or abort it"),
    [COMPLETED] = "the rollout is completed: its release is the stable one; create another rollout",
    [ABORTED] = "the rollout was aborted: create another one",
    [SUPERSEDED] = "the rollout was superseded: look at the one that took its place",
};

/* Of what an operator may ask for while the rollout is under way. */
static const char *refusal_words(const struct serin_rollout *rollout,
                                 enum serin_rollout_event_kind kind)
{
    if (rollout->state == CREATED) {
        return "the rollout has not started: start it, or abort it";
    }
    switch ((int)kind) {
    case SERIN_ROLLOUT_START:
        return "the rollout has started already";
    case SERIN_ROLLOUT_PAUSE:
        return "the rollout is paused already: resume, halt or abort it";
    case SERIN_ROLLOUT_RESUME:
        return "the rollout is not paused: there is nothing to resume";
    case SERIN_ROLLOUT_RETRY:
        return serin_retry_refusal(rollout);
    default:
        break;
    }
    if (rollout->state == PAUSED) {
        return "the rollout is paused: resume it first";
    }
    if (rollout->state == AWAITING) {
        return "the next stage is approved already: it opens with the start time or the window";
    }
    return "devices of the stage are still at it: wait until they have resolved, or pause or halt";
}

const char *serin_rollout_refusal(const struct serin_rollout *rollout,
                                  enum serin_rollout_event_kind kind)
{
    if (kind <= SERIN_ROLLOUT_EVENT_INVALID || kind >= SERIN_ROLLOUT_EVENT_COUNT) {
        return "there is no such event";
    }
    const struct transition *row = &table[rollout->state][kind];
    if (row->to != SERIN_ROLLOUT_INVALID && (row->guard == NULL || row->guard(rollout))) {
        return NULL;
    }
    const char *words = over_words[rollout->state];
    return words != NULL ? words : refusal_words(rollout, kind);
}
