/* Members: the one function that changes a member's state, the books, the threshold and the search
 * for deadlines (docs/spec/rollout.md, sections 4 and 5).
 *
 * Members stand in order of rank, so those at or below the threshold are the first `tally.offered`.
 * Being offered is not written into each member: it follows from the rank, and from the watch at
 * which the threshold rose, so that a stage of 100,000 devices costs no write but the rollout's. */
#include "engine_internal.h"

#include <string.h>

#define STATE(name) (UINT32_C(1) << SERIN_STATE_##name)

/* Where an accepted attempt can end, as device or server see it. */
#define ENDS                                                                                       \
    (STATE(CONFIRMED) | STATE(ROLLED_BACK) | STATE(FAILED) | STATE(REJECTED) | STATE(SUPERSEDED) | \
     STATE(CANCELLED) | STATE(TIMED_OUT) | STATE(REGRESSED) | STATE(REVERTED))
#define OPEN (STATE(PENDING) | STATE(DOWNLOADING) | STATE(VERIFYING) | STATE(STAGED) | STATE(TRIAL))

/* Row: the member's state; bits: what may follow. Steps may be missing (reports are cumulative, and
 * only the last state counts), but nothing goes back, and an end is an end: all but those that were
 * not the image's fault, after which the same attempt may be offered and taken again. */
static const uint32_t next[SERIN_STATE_COUNT] = {
    [SERIN_STATE_IDLE] = OPEN | ENDS | STATE(UNREACHED),
    [SERIN_STATE_UNREACHED] = OPEN | ENDS,
    [SERIN_STATE_PENDING] = (OPEN & ~STATE(PENDING)) | ENDS,
    [SERIN_STATE_DOWNLOADING] = STATE(VERIFYING) | STATE(STAGED) | STATE(TRIAL) | ENDS,
    [SERIN_STATE_VERIFYING] = STATE(STAGED) | STATE(TRIAL) | ENDS,
    [SERIN_STATE_STAGED] = STATE(TRIAL) | ENDS,
    [SERIN_STATE_TRIAL] = ENDS,
    [SERIN_STATE_CONFIRMED] = STATE(REGRESSED) | STATE(REVERTED),
    /* RETRY alone leads back. */
    [SERIN_STATE_ROLLED_BACK] = STATE(IDLE),
    [SERIN_STATE_FAILED] = STATE(IDLE),
    [SERIN_STATE_REJECTED] = STATE(IDLE),
    [SERIN_STATE_TIMED_OUT] = STATE(IDLE),
    [SERIN_STATE_SUPERSEDED] = OPEN | (ENDS & ~(STATE(SUPERSEDED) | STATE(TIMED_OUT))),
    [SERIN_STATE_CANCELLED] = OPEN | (ENDS & ~(STATE(CANCELLED) | STATE(TIMED_OUT))),
};

enum book {
    BOOK_SILENT,
    BOOK_OPEN,
    BOOK_CONFIRMED,
    BOOK_FAILED,
    BOOK_REJECTED,
    BOOK_UNREACHED,
    BOOK_OTHER
};

static const enum book books[SERIN_STATE_COUNT] = {
    [SERIN_STATE_IDLE] = BOOK_SILENT,         [SERIN_STATE_PENDING] = BOOK_OPEN,
    [SERIN_STATE_DOWNLOADING] = BOOK_OPEN,    [SERIN_STATE_VERIFYING] = BOOK_OPEN,
    [SERIN_STATE_STAGED] = BOOK_OPEN,         [SERIN_STATE_TRIAL] = BOOK_OPEN,
    [SERIN_STATE_CONFIRMED] = BOOK_CONFIRMED, [SERIN_STATE_ROLLED_BACK] = BOOK_FAILED,
    [SERIN_STATE_FAILED] = BOOK_FAILED,       [SERIN_STATE_REJECTED] = BOOK_REJECTED,
    [SERIN_STATE_SUPERSEDED] = BOOK_OTHER,    [SERIN_STATE_CANCELLED] = BOOK_OTHER,
    [SERIN_STATE_UNREACHED] = BOOK_UNREACHED, [SERIN_STATE_TIMED_OUT] = BOOK_FAILED,
    [SERIN_STATE_REGRESSED] = BOOK_FAILED,    [SERIN_STATE_REVERTED] = BOOK_FAILED,
};

static enum book book_of(const struct serin_member *member)
{
    /* A device that is ahead of the release says nothing against it. */
    if (member->state == SERIN_STATE_REJECTED && member->reason == SERIN_REASON_NOT_NEWER) {
        return BOOK_OTHER;
    }
    return books[member->state];
}

bool serin_member_failed(const struct serin_member *member)
{
    enum book where = book_of(member);
    return where == BOOK_FAILED || where == BOOK_REJECTED;
}

bool serin_member_resolved(const struct serin_member *member)
{
    return book_of(member) == BOOK_CONFIRMED || serin_member_failed(member);
}

bool serin_member_in_reach(const struct serin_member *member)
{
    enum book where = book_of(member);
    return where != BOOK_UNREACHED && where != BOOK_OTHER;
}

bool serin_member_late(const struct serin_rollout *rollout, const struct serin_member *member)
{
    return member->joined != 0 && member->joined == rollout->stage &&
           serin_cohort_member(member->rank, rollout->stage_threshold);
}

/* Adds the member at `index` to the figures, or takes it off. */
static void book(struct serin_rollout *rollout, const struct serin_member *member, uint32_t index,
                 bool add)
{
    struct serin_tally *tally = &rollout->tally;
    if (member->stage == 0) {
        return; /* not offered: it is nobody's figure yet */
    }
    serin_evidence_book(rollout, member, index, add);
    enum book where = book_of(member);
    uint32_t *const figures[] = {
        [BOOK_SILENT] = NULL,
        [BOOK_OPEN] = NULL,
        [BOOK_CONFIRMED] = &tally->confirmed,
        [BOOK_FAILED] = &tally->failed,
        [BOOK_REJECTED] = &tally->rejected,
        [BOOK_UNREACHED] = &tally->unreached,
        [BOOK_OTHER] = &tally->other,
    };
    if (figures[where] != NULL) {
        serin_figure_count(figures[where], add);
    } else if (serin_member_late(rollout, member)) {
        serin_figure_count(&rollout->late, add);
    }
    if (where != BOOK_SILENT && where != BOOK_UNREACHED) {
        serin_figure_count(&tally->accepted, add);
    }
    if (where == BOOK_SILENT && member->rank <= rollout->settled_rank) {
        serin_figure_count(&rollout->evidence.settled, add);
    }
    if (serin_member_failed(member)) {
        serin_figure_count(&rollout->reasons[member->reason], add);
    }
    if (member->state == SERIN_STATE_REGRESSED || member->state == SERIN_STATE_REVERTED) {
        serin_figure_count(&tally->regressed, add);
    }
    if (member->state == SERIN_STATE_ROLLED_BACK) {
        serin_figure_count(&rollout->rolled_back, add);
        if (serin_gate_boot_reason((enum serin_reason)member->reason)) {
            serin_figure_count(&rollout->boots, add);
        }
    }
}

struct serin_member serin_rollout_member(const struct serin_rollout *rollout, uint64_t rank,
                                         uint32_t device)
{
    return (struct serin_member){
        .rank = rank,
        .device = device,
        .state = SERIN_STATE_IDLE,
        .reason = SERIN_REASON_NONE,
        .joined = rollout->stage & 0x1Fu,
        .watch_s = (uint32_t)((rollout->watch_ms + 999u) / 1000u),
    };
}

/* ---- deadlines ---- */

void serin_members_due(struct serin_rollout *rollout, uint64_t due_ms)
{
    /* Rounded up to a hundredth of the shorter limit, at most a minute, so that deadlines that lie
     * close together cost one pass over the members and not one each. */
    const struct serin_policy *policy = &rollout->policy;
    uint64_t limit_s =
        policy->patience_s < policy->deadline_s ? policy->patience_s : policy->deadline_s;
    uint64_t grain_ms = limit_s * 10u < 60000u ? limit_s * 10u : 60000u;
    due_ms = (due_ms + grain_ms - 1u) / grain_ms * grain_ms;
    if (due_ms < rollout->sweep_due_ms) {
        rollout->sweep_due_ms = due_ms;
    }
}

/* What the watch shows when the member's time is over; NEVER where it has no such time. */
static uint64_t member_due_ms(const struct serin_rollout *rollout,
                              const struct serin_member *member)
{
    const struct serin_rollout_traits *traits = serin_rollout_traits(rollout->state);
    uint64_t since_ms = (uint64_t)member->watch_s * 1000u;
    if (books[member->state] == BOOK_OPEN && traits->deadline) {
        return since_ms + (uint64_t)rollout->policy.deadline_s * 1000u;
    }
    if (books[member->state] == BOOK_SILENT && traits->patience) {
        uint64_t offered_ms = member->rank <= rollout->stage_threshold ? rollout->stage_watch_ms
                                                                       : rollout->widened_watch_ms;
        return (since_ms > offered_ms ? since_ms : offered_ms) +
               (uint64_t)rollout->policy.patience_s * 1000u;
    }
    return NEVER;
}

void serin_members_sweep(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    if (!serin_rollout_traits(rollout->state)->deadline) {
        return;
    }
    if (!rollout->sweeping) {
        if (rollout->watch_ms < rollout->sweep_due_ms) {
            return;
        }
        rollout->sweeping = true;
        rollout->sweep_next = 0;
        rollout->sweep_due_ms = NEVER;
    }
    uint32_t i = rollout->sweep_next;
    for (uint32_t looked = 0; looked < SERIN_ENGINE_SWEEP_MAX && i < rollout->tally.offered &&
                              step->actions->count + SERIN_STEP_ROOM < SERIN_ROLLOUT_ACTIONS_MAX;
         looked++, i++) {
        const struct serin_member *member = &step->members->list[i];
        uint64_t due_ms = member_due_ms(rollout, member);
        if (due_ms > rollout->watch_ms) {
            if (due_ms != NEVER) {
                serin_members_due(rollout, due_ms);
            }
            continue;
        }
        bool silent = books[member->state] == BOOK_SILENT;
        bool moved =
            serin_member_enter(step, i, silent ? SERIN_STATE_UNREACHED : SERIN_STATE_TIMED_OUT,
                               silent ? SERIN_REASON_NONE : SERIN_REASON_DEADLINE);
        SERIN_ASSERT(moved);
    }
    rollout->sweep_next = i;
    rollout->sweeping = i < rollout->tally.offered;
}

/* ---- states ---- */

static bool may_enter(const struct serin_member *member, enum serin_state state)
{
    return (next[member->state] >> (unsigned)state & 1u) != 0;
}

/* Whether one that times out now was heard when it could still have come to its end. */
static bool was_heard(const struct serin_step *step, const struct serin_member *member)
{
    const struct serin_health *health = step->members->health;
    return health != NULL && serin_spells_heard(step->rollout, &health[member->device]);
}

/* `failed`: in the attempt that it leaves for another one. */
static void move(struct serin_step *step, uint32_t index, enum serin_state state,
                 enum serin_reason reason, bool failed)
{
    struct serin_rollout *rollout = step->rollout;
    struct serin_member *member = &step->members->list[index];
    struct serin_rollout_action *action = serin_step_act(step, SERIN_ROLLOUT_ACT_SAVE_MEMBER);
    action->member = index;
    action->before = *member;
    enum book was = books[member->state];
    enum serin_evidence_kind had = serin_evidence_of(rollout, member);
    uint32_t silent = rollout->evidence.stage_silent;
    book(rollout, member, index, false);
    if (state == SERIN_STATE_IDLE) {
        serin_evidence_keep(rollout, member, failed ? SERIN_EVIDENCE_FAILED : had);
    }
    if (member->stage == 0 && state == SERIN_STATE_CONFIRMED) {
        member->ran_before = 1;
    }
    member->state = (uint8_t)state;
    member->reason = (uint8_t)reason;
    member->heard_late = state == SERIN_STATE_TIMED_OUT && was_heard(step, member) ? 1 : 0;
    if (books[state] != was) {
        member->since_s = (uint32_t)(step->now_ms / 1000u);
        member->watch_s = (uint32_t)((rollout->watch_ms + 999u) / 1000u);
    }
    book(rollout, member, index, true);
    serin_ramp_remember(rollout);
    if (serin_evidence_tests_anew(member->stage, had, serin_evidence_of(rollout, member)) ||
        rollout->evidence.stage_silent != silent) {
        serin_test_update(rollout);
    }
    if (state == SERIN_STATE_IDLE) {
        serin_members_due(rollout, (uint64_t)member->watch_s * 1000u +
                                       (uint64_t)rollout->policy.patience_s * 1000u);
    }
    if (books[state] == BOOK_OPEN && was != BOOK_OPEN) {
        serin_members_due(rollout, (uint64_t)member->watch_s * 1000u +
                                       (uint64_t)rollout->policy.deadline_s * 1000u);
    }
}

bool serin_member_enter(struct serin_step *step, uint32_t index, enum serin_state state,
                        enum serin_reason reason)
{
    if (!may_enter(&step->members->list[index], state)) {
        return false;
    }
    move(step, index, state, reason, false);
    return true;
}

bool serin_member_failed_earlier(struct serin_step *step, uint32_t index, enum serin_state state)
{
    if (!may_enter(&step->members->list[index], state)) {
        return false;
    }
    move(step, index, SERIN_STATE_IDLE, SERIN_REASON_NONE, true);
    return true;
}

/* ---- thresholds ---- */

uint64_t serin_members_threshold(const struct serin_rollout *rollout,
                                 const struct serin_members *members, uint32_t target)
{
    const struct serin_tally *tally = &rollout->tally;
    uint32_t reach = tally->offered - tally->unreached - tally->other;
    uint64_t threshold = rollout->threshold;
    for (uint32_t i = tally->offered; i < members->count && reach < target; i++) {
        reach += serin_member_in_reach(&members->list[i]) ? 1 : 0;
        /* A backup of before stage 1 may have been taught a threshold that was published. */
        threshold = members->list[i].rank > threshold ? members->list[i].rank : threshold;
    }
    return threshold;
}

void serin_members_cover(struct serin_rollout *rollout, const struct serin_members *members,
                         uint64_t threshold)
{
    SERIN_ASSERT(rollout->stage >= 1 && rollout->stage <= SERIN_STAGES_MAX);
    SERIN_ASSERT(threshold >= rollout->threshold);
    rollout->threshold = threshold;
    rollout->thresholds[rollout->stage - 1] = threshold;
    while (rollout->tally.offered < members->count &&
           serin_cohort_member(members->list[rollout->tally.offered].rank, threshold)) {
        uint32_t index = rollout->tally.offered++;
        members->list[index].stage = rollout->stage & 0x1Fu;
        book(rollout, &members->list[index], index, true);
    }
    serin_test_update(rollout); /* who was targeted before may have failed already */
}

void serin_members_settle(struct serin_rollout *rollout)
{
    const struct serin_tally *tally = &rollout->tally;
    rollout->settled_rank = rollout->threshold;
    rollout->evidence.settled = tally->offered - tally->accepted - tally->unreached;
}

void serin_members_restage(struct serin_rollout *rollout, const struct serin_members *members)
{
    uint32_t first = rollout->tally.offered;
    while (first > 0 && members->list[first - 1].rank > rollout->stage_threshold) {
        first--;
        book(rollout, &members->list[first], first, false);
    }
    rollout->stage_threshold = rollout->threshold;
    for (uint32_t i = first; i < rollout->tally.offered; i++) {
        book(rollout, &members->list[i], i, true);
    }
}

/* The stage that first offered to a rank; 0: none has. */
static uint8_t stage_of(const struct serin_rollout *rollout, uint64_t rank)
{
    for (uint32_t stage = 1; stage <= rollout->stage; stage++) {
        if (serin_cohort_member(rank, rollout->thresholds[stage - 1])) {
            return (uint8_t)stage;
        }
    }
    return 0;
}

void serin_rollout_rebuild(struct serin_rollout *rollout, struct serin_members *members)
{
    serin_members_sort(members);
    rollout->tally = (struct serin_tally){0};
    memset(rollout->reasons, 0, sizeof rollout->reasons);
    rollout->late = 0;
    rollout->rolled_back = 0;
    rollout->boots = 0;
    rollout->evidence = (struct serin_evidence){.population = members->count};
    rollout->counted_s = (uint32_t)(rollout->watch_ms / 1000u);
    for (uint32_t i = 0; i < members->count; i++) {
        struct serin_member *member = &members->list[i];
        SERIN_ASSERT(member->state > SERIN_STATE_INVALID && member->state < SERIN_STATE_COUNT &&
                     member->reason > SERIN_REASON_INVALID && member->reason < SERIN_REASON_COUNT);
        member->stage = stage_of(rollout, member->rank) & 0x1Fu;
        rollout->tally.offered += member->stage > 0 ? 1 : 0;
        book(rollout, member, i, true);
    }
    serin_test_update(rollout);
    if (!rollout->reports_up && rollout->down_ms == 0) {
        rollout->down_ms =
            rollout->last_ms; /* after loading: the caller was up that long at least */
    }
    rollout->retry_next = 0;
    rollout->sweeping = false;
    rollout->sweep_next = 0;
    rollout->sweep_due_ms = 0; /* not known: the next TICK looks */
}

void serin_rollout_undo(struct serin_rollout *rollout, const struct serin_rollout *before,
                        const struct serin_members *members,
                        const struct serin_rollout_actions *actions)
{
    for (uint32_t i = before->tally.offered; i < rollout->tally.offered; i++) {
        members->list[i].stage = 0;
    }
    for (size_t i = actions->count; i > 0; i--) {
        const struct serin_rollout_action *action = &actions->list[i - 1];
        if (action->kind == SERIN_ROLLOUT_ACT_SAVE_MEMBER) {
            members->list[action->member] = action->before;
        }
    }
    *rollout = *before;
}
