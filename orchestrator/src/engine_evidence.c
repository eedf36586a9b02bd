/* What members are to the sequential test, and to the gates on failures: derived from each member
 * as it stands, and booked by difference (docs/spec/rollout.md, sections 5 and 11). */
#include "engine_internal.h"

/* What the network makes of one that timed out. */
static enum serin_evidence_kind timed_out_as(const struct serin_rollout *rollout,
                                             uint32_t timed_out_s)
{
    switch (serin_spells_excuse(rollout, timed_out_s)) {
    case SERIN_EXCUSE_NETWORK:
        return SERIN_EVIDENCE_SILENT;
    case SERIN_EXCUSE_OPEN:
        return SERIN_EVIDENCE_PENDING;
    case SERIN_EXCUSE_NONE:
        break;
    }
    return SERIN_EVIDENCE_FAILED;
}

/* Whether the member had been offered the release, and had come to its end, by a judgement: when
 * the watch showed that, and with that threshold; 0: there was none. */
static bool ended_by(const struct serin_member *member, uint32_t watch_s, uint64_t threshold)
{
    return watch_s != 0 && member->watch_s <= watch_s &&
           serin_cohort_member(member->rank, threshold);
}

/* How an attempt before this one ended for the member; NONE: well, or there was none. */
static enum serin_evidence_kind earlier_end(const struct serin_rollout *rollout,
                                            const struct serin_member *member)
{
    if (member->failed_before && member->silent_before) {
        return timed_out_as(rollout, rollout->retried_s);
    }
    return member->failed_before   ? SERIN_EVIDENCE_FAILED
           : member->silent_before ? SERIN_EVIDENCE_SILENT
                                   : SERIN_EVIDENCE_NONE;
}

enum serin_evidence_kind serin_evidence_of(const struct serin_rollout *rollout,
                                           const struct serin_member *member)
{
    if (member->ran_before) {
        return SERIN_EVIDENCE_NONE; /* its end was known before it was exposed */
    }
    enum serin_evidence_kind bad = SERIN_EVIDENCE_NONE;
    if (member->state == SERIN_STATE_TIMED_OUT) {
        bad = timed_out_as(rollout, member->watch_s);
    } else if (serin_member_failed(member)) {
        bad = SERIN_EVIDENCE_FAILED;
    }
    /* What an operator accepted as the fault of a gateway is nobody's failure. */
    if (ended_by(member, rollout->judged_watch_s, rollout->judged_threshold)) {
        bad = SERIN_EVIDENCE_NONE;
    }
    enum serin_evidence_kind earlier = earlier_end(rollout, member);
    if (earlier == SERIN_EVIDENCE_FAILED || bad == SERIN_EVIDENCE_FAILED) {
        return SERIN_EVIDENCE_FAILED;
    }
    if (earlier == SERIN_EVIDENCE_PENDING || bad == SERIN_EVIDENCE_PENDING) {
        return SERIN_EVIDENCE_PENDING; /* what it comes to may be worse than silence */
    }
    if (earlier != SERIN_EVIDENCE_NONE || bad != SERIN_EVIDENCE_NONE) {
        return earlier != SERIN_EVIDENCE_NONE ? earlier : bad;
    }
    if (!serin_member_in_reach(member)) {
        return SERIN_EVIDENCE_NONE;
    }
    return member->state == SERIN_STATE_CONFIRMED ? SERIN_EVIDENCE_WELL : SERIN_EVIDENCE_OPEN;
}

/* Books what no judgement of a gateway's or a revision's failures has seen. A state and a time tell
 * that; a count would be wrong as soon as the network excuses one, or does so no longer. */
static void book_unjudged(struct serin_rollout *rollout, const struct serin_member *member,
                          enum serin_evidence_kind kind, bool add)
{
    bool excused = serin_gates_excuse(rollout, member);
    bool judged = ended_by(member, rollout->judging_watch_s, rollout->judging_threshold);
    if (excused) {
        serin_figure_count(&rollout->evidence.excused, add);
    }
    if (judged || !serin_member_failed(member)) {
        return;
    }
    serin_figure_count(&rollout->evidence.unjudged, add);
    if (excused) {
        serin_figure_count(&rollout->evidence.unjudged_excused, add);
    }
    if (excused && kind == SERIN_EVIDENCE_PENDING) {
        serin_figure_count(&rollout->evidence.undecided, add);
    }
}

/* What the stage can show for itself; who joined while it ran is not waited for. */
static void book_own(struct serin_rollout *rollout, const struct serin_member *member, bool add)
{
    if (!serin_member_late(rollout, member)) {
        serin_figure_count(&rollout->evidence.stage_offered, add);
    }
    if (serin_member_resolved(member)) {
        serin_figure_count(&rollout->evidence.stage_resolved, add);
    }
}

void serin_evidence_book(struct serin_rollout *rollout, const struct serin_member *member,
                         uint32_t index, bool add)
{
    struct serin_evidence *evidence = &rollout->evidence;
    enum serin_evidence_kind kind = serin_evidence_of(rollout, member);
    bool own = member->stage == rollout->stage;
    book_unjudged(rollout, member, kind, add);
    if (member->failed_before && member->silent_before) {
        serin_figure_count(&evidence->undecided_before, add);
    }
    if (own && !member->ran_before) {
        book_own(rollout, member, add);
    }
    if (kind == SERIN_EVIDENCE_NONE) {
        return;
    }
    uint32_t block = serin_test_block(evidence->population, index);
    serin_figure_count(&evidence->exposed[block], add);
    if (kind == SERIN_EVIDENCE_FAILED || kind == SERIN_EVIDENCE_SILENT) {
        serin_figure_count(kind == SERIN_EVIDENCE_FAILED ? &evidence->failed[block]
                                                         : &evidence->silent[block],
                           add);
    }
    uint32_t *const figures[] = {
        [SERIN_EVIDENCE_NONE] = NULL,
        [SERIN_EVIDENCE_OPEN] = NULL,
        [SERIN_EVIDENCE_WELL] = &evidence->stage_well,
        [SERIN_EVIDENCE_FAILED] = &evidence->stage_failed,
        [SERIN_EVIDENCE_SILENT] = &evidence->stage_silent,
        [SERIN_EVIDENCE_PENDING] = &evidence->stage_silent,
    };
    /* One that was silent with the network, and is well since, holds its stage no longer. */
    bool back = kind == SERIN_EVIDENCE_SILENT && member->state == SERIN_STATE_CONFIRMED;
    if (own && figures[kind] != NULL && !back) {
        serin_figure_count(figures[kind], add);
    }
    if (own && figures[kind] == &evidence->stage_silent && member->heard_late) {
        serin_figure_count(&evidence->stage_heard, add);
    }
}

bool serin_evidence_tests_anew(uint8_t stage, enum serin_evidence_kind had,
                               enum serin_evidence_kind has)
{
    return stage != 0 && had != has && has != SERIN_EVIDENCE_OPEN && has != SERIN_EVIDENCE_WELL;
}

/* Where it is not known yet whether the network excuses it both are set, and it is asked of the
 * first such time-out: all of them came in darkness that may go on. */
void serin_evidence_keep(struct serin_rollout *rollout, struct serin_member *member,
                         enum serin_evidence_kind end)
{
    bool marked = member->failed_before && member->silent_before;
    if (end == SERIN_EVIDENCE_PENDING && !marked) {
        bool open = rollout->retried_s != 0 &&
                    serin_spells_excuse(rollout, rollout->retried_s) == SERIN_EXCUSE_OPEN;
        bool first = !open || member->watch_s < rollout->retried_s;
        rollout->retried_s = first ? member->watch_s : rollout->retried_s;
    }
    member->failed_before = end == SERIN_EVIDENCE_FAILED || end == SERIN_EVIDENCE_PENDING;
    member->silent_before = end == SERIN_EVIDENCE_SILENT || end == SERIN_EVIDENCE_PENDING;
}

void serin_evidence_recount(struct serin_rollout *rollout, const struct serin_members *members)
{
    uint32_t settled = rollout->evidence.settled;
    rollout->evidence =
        (struct serin_evidence){.population = rollout->evidence.population, .settled = settled};
    rollout->counted_s = (uint32_t)(rollout->watch_ms / 1000u);
    for (uint32_t i = 0; i < rollout->tally.offered; i++) {
        serin_evidence_book(rollout, &members->list[i], i, true);
    }
    serin_test_update(rollout);
}
