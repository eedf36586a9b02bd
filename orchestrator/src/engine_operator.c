/* What operators do: pause, resume, retry, halt, advance, abort and supersede
 * (docs/spec/rollout.md, sections 2 and 3). */
#include "engine_internal.h"

#include <stdio.h>
#include <string.h>

/* How the reason of a pause that was ordered, or found, begins; that of one of the engine's own
 * begins with its figures. */
#define PAUSED "paused"

static const char paused_words[] = PAUSED " by an operator";

/* Audits what an operator did, with the note. */
static void audit_noted(struct serin_step *step, const char *what)
{
    serin_words_noted(serin_step_act(step, SERIN_ROLLOUT_ACT_AUDIT)->text, what, step->event->note);
}

/* Has `why` say what the caller found, and what is left to do. */
static void explain(struct serin_step *step, const char *what, const char *then)
{
    struct serin_rollout *rollout = step->rollout;
    serin_words_noted(rollout->why, what, step->event->note);
    size_t size = strlen(rollout->why);
    (void)snprintf(rollout->why + size, sizeof rollout->why - size, "%s", then);
    rollout->held = false; /* what held it is asked again */
    serin_step_audit(step, "%s", rollout->why);
}

void serin_effect_pause(struct serin_step *step)
{
    if (step->event->restored) {
        explain(step, PAUSED, "; resume, halt or abort it");
    } else {
        serin_words_noted(step->rollout->why, paused_words, step->event->note);
        step->rollout->held = false; /* what held it is asked again */
        audit_noted(step, paused_words);
    }
    serin_step_republish(step);
}

bool serin_rollout_paused_by_operator(const struct serin_rollout *rollout)
{
    return rollout->state == SERIN_ROLLOUT_PAUSED &&
           strncmp(rollout->why, paused_words, strlen(paused_words)) == 0;
}

/* A `judging_watch_s` of 0 is of a version that did not say when. */
bool serin_stage_judged(const struct serin_rollout *rollout)
{
    bool ordered = strncmp(rollout->why, PAUSED, strlen(PAUSED)) == 0;
    bool paused = rollout->state == SERIN_ROLLOUT_PAUSED && !rollout->held && !ordered;
    bool judged =
        rollout->judging_watch_s == 0 || rollout->judging_watch_s > rollout->judged_watch_s;
    return paused && rollout->why[0] != '\0' && rollout->judged > 0 && judged;
}

/* An operator who goes on after a pause of the engine's own accepts the failures that it was for:
 * they are the fault of a gateway or a revision, and evidence against the image no longer. Whoever
 * failed since they were judged, and was not judged with them, is. */
static void accept_failures(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    if (!serin_stage_judged(rollout)) {
        return;
    }
    rollout->judged_watch_s = rollout->judging_watch_s;
    rollout->judged_threshold = rollout->judging_threshold;
    serin_evidence_recount(rollout, step->members);
    serin_step_audit(step, "the %u failure%s so far %s accepted: one more is judged with them",
                     rollout->judged, serin_words_plural(rollout->judged),
                     rollout->judged == 1 ? "is" : "are");
    memset(rollout->why, 0, sizeof rollout->why);
}

void serin_effect_resume(struct serin_step *step)
{
    audit_noted(step, "resumed by an operator");
    accept_failures(step);
    if (!step->rollout->held) {
        memset(step->rollout->why, 0, sizeof step->rollout->why); /* of a pause: it is over */
    }
    serin_step_republish(step);
}

void serin_effect_retry(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    audit_noted(step, "devices that failed may try again, by an operator");
    accept_failures(step);
    serin_ramp_take(rollout, serin_retry_count(rollout));
    rollout->attempt++;
    rollout->retrying = true;
    rollout->retry_next = 0;
    rollout->retry_watch_ms = rollout->watch_ms;
    rollout->comparison.known_most = 0; /* who tries again has yet to accept: nobody is forgotten */
    serin_step_audit(step, "attempt %u: %u failed so far", rollout->attempt,
                     serin_tally_failures(&rollout->tally));
    serin_step_republish(step);
}

void serin_effect_halt(struct serin_step *step)
{
    if (step->event->restored) {
        explain(step, "halted", "");
    } else {
        serin_words_noted(step->rollout->why, "halted by an operator", step->event->note);
        audit_noted(step, "halted by an operator");
    }
    serin_step_republish(step);
}

void serin_effect_skip_soak(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    audit_noted(step, "the rest of the soak is skipped by an operator");
    rollout->soaked_ms += serin_soak_left_ms(rollout);
}

/* What is waived is what holds the stage now, and nothing that comes later; those that are out of
 * reach, where they hold it, are not waited for again. */
static void waive(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    rollout->waived = rollout->held ? serin_stage_doubts(rollout, step->members) : 0;
    rollout->waived_failures = serin_tally_failures(&rollout->tally);
    rollout->waived_lost = serin_gates_lost(rollout);
    rollout->waived_unwell = rollout->comparison.ever_unwell;
    if (rollout->held && rollout->unproven) {
        rollout->forgiven = serin_ramp_unresolved(rollout);
    }
}

void serin_effect_approve(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    waive(step);
    audit_noted(step, rollout->held ? "goes on without proof, approved by an operator"
                                    : "the next stage is approved by an operator");
    rollout->approved = true;
    rollout->held = false;
    memset(rollout->why, 0, sizeof rollout->why);
}

void serin_effect_abort(struct serin_step *step)
{
    static const char what[] = "aborted by an operator";
    struct serin_rollout *rollout = step->rollout;
    bool stands = rollout->state == SERIN_ROLLOUT_HALTED || rollout->state == SERIN_ROLLOUT_PAUSED;
    if (stands && rollout->why[0] != '\0' && !rollout->held) {
        serin_words_also(rollout->why, what, step->event->note); /* its figures are worth more */
    } else {
        serin_words_noted(rollout->why, what, step->event->note);
    }
    audit_noted(step, what);
    serin_step_republish(step);
}

void serin_effect_supersede(struct serin_step *step)
{
    /* No PUBLISH: the rollout that takes its place publishes. */
    audit_noted(step, "superseded by another rollout");
}
