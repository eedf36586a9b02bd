/* What lets a stage pass and what holds it: doubts, what an operator waived of them, and stages of
 * which nobody is left to show anything (docs/spec/rollout.md, sections 2 to 4). */
#include "engine_internal.h"

#include <stdio.h>
#include <string.h>

/* Causes of a hold are told apart: stages' doubts by their own numbers, gates' by those from here.
 */
#define CAUSE_GATES 1024u

/* ---- doubts ---- */

/* Those who resolved still stand behind one gateway, after as many were asked as may be. */
static bool stays_lone(const struct serin_rollout *rollout, const struct serin_members *members,
                       struct serin_lone *lone)
{
    return serin_stage_searched(rollout) && serin_tally_resolved(&rollout->tally) > 0 &&
           serin_sites_lone(rollout, members, serin_member_resolved, lone);
}

uint32_t serin_stage_doubts(const struct serin_rollout *rollout,
                            const struct serin_members *members)
{
    struct serin_trip trip;
    struct serin_lone lone;
    const struct {
        enum serin_stage_doubt doubt;
        bool is;
    } all[] = {
        {SERIN_STAGE_UNPROVEN, rollout->unproven},
        {SERIN_STAGE_SPENT, serin_stage_spent(rollout)},
        {SERIN_STAGE_LONE, stays_lone(rollout, members, &lone)},
        {SERIN_STAGE_UNDECIDED, serin_test_holds(rollout)},
        {SERIN_STAGE_REGRESSIONS, serin_gate_holds(rollout, SERIN_GATE_REGRESSIONS, &trip)},
        {SERIN_STAGE_SILENCE, serin_gate_holds(rollout, SERIN_GATE_SILENCE, &trip)},
        {SERIN_STAGE_ERRORS, serin_gate_holds(rollout, SERIN_GATE_ERRORS, &trip)},
        {SERIN_STAGE_EXCUSED, serin_spells_hold(rollout)},
    };
    uint32_t doubts = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        doubts |= all[i].is ? (uint32_t)all[i].doubt : 0;
    }
    return doubts;
}

bool serin_stage_passes(const struct serin_rollout *rollout, const struct serin_members *members)
{
    uint32_t doubts = serin_stage_doubts(rollout, members);
    if (doubts == 0) {
        return true;
    }
    uint32_t failures = SERIN_STAGE_UNDECIDED | SERIN_STAGE_REGRESSIONS | SERIN_STAGE_EXCUSED;
    bool failed = (doubts & failures) != 0 &&
                  serin_tally_failures(&rollout->tally) > rollout->waived_failures;
    bool lost =
        (doubts & SERIN_STAGE_SILENCE) != 0 && serin_gates_worse(rollout, SERIN_GATE_SILENCE);
    bool unwell =
        (doubts & SERIN_STAGE_ERRORS) != 0 && serin_gates_worse(rollout, SERIN_GATE_ERRORS);
    bool worse = failed || lost || unwell;
    return rollout->approved && (doubts & ~rollout->waived) == 0 && !worse;
}

/* ---- whom it waits for ---- */

bool serin_stage_proven(const struct serin_rollout *rollout)
{
    const struct serin_evidence *evidence = &rollout->evidence;
    bool own = evidence->stage_offered == 0 || evidence->stage_resolved > 0;
    return serin_stage_spent(rollout) || (own && serin_tally_resolved(&rollout->tally) > 0);
}

bool serin_stage_unproven(const struct serin_rollout *rollout)
{
    const struct serin_tally *tally = &rollout->tally;
    bool open = serin_tally_reach(tally) > serin_tally_resolved(tally); /* late ones as well */
    if (rollout->stage == 0 || rollout->retrying || tally->offered == 0 || open) {
        return false; /* a fleet without a device is one that is yet to come */
    }
    return serin_stage_short(rollout) ? serin_ramp_stalled(rollout) : !serin_stage_proven(rollout);
}

bool serin_stage_says(const struct serin_rollout *rollout)
{
    return rollout->state == SERIN_ROLLOUT_ROLLING || rollout->state == SERIN_ROLLOUT_SOAKING ||
           (rollout->state == SERIN_ROLLOUT_AWAITING && !rollout->held);
}

/* What a stage waits for that is soaked, or approved, and is not held; NULL: neither, or nothing.
 */
static const char *words_after_soak(const struct serin_rollout *rollout)
{
    bool soaked = rollout->state == SERIN_ROLLOUT_SOAKING && serin_soak_left_ms(rollout) == 0;
    bool approved = rollout->state == SERIN_ROLLOUT_AWAITING && rollout->approved;
    if ((soaked || approved) && rollout->stage > 0 && !rollout->reports_up) {
        return soaked ? "is soaked: goes on when reports arrive"
                      : "is approved: goes on when reports arrive";
    }
    return soaked && !serin_time_allows(rollout) ? "is soaked: goes on when the window opens"
                                                 : NULL;
}

/* What holds a stage, as it stands: the words; and a number that is another where it is something
 * else that does, whatever the figures. Never 0. */
static uint32_t say_cause(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                          const struct serin_members *members)
{
    struct serin_trip trip;
    struct serin_lone lone;
    if (rollout->unproven) {
        serin_words_unproven(out, rollout);
        return SERIN_STAGE_UNPROVEN;
    }
    if (serin_gates_hold(rollout, members, &trip)) {
        serin_words_hold(out, rollout, members, &trip);
        return CAUSE_GATES + SERIN_GATE_COUNT * (uint32_t)trip.doubt + (uint32_t)trip.gate;
    }
    if (serin_stage_spent(rollout)) {
        serin_words_spent(out, rollout);
        return SERIN_STAGE_SPENT;
    }
    if (stays_lone(rollout, members, &lone)) {
        serin_words_lone(out, rollout, members, &lone);
        return SERIN_STAGE_LONE;
    }
    if (serin_spells_hold(rollout)) {
        serin_spells_words(out, rollout);
        return SERIN_STAGE_EXCUSED;
    }
    serin_test_words_hold(out, rollout, members);
    return SERIN_STAGE_UNDECIDED;
}

/* What holds the stage may end while something else has come to hold it: `why` says what does now.
 * Not with each report: some words take a walk over the members. While reports are down, or before
 * a comparison was made, what was found last stands. */
static void say_held(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    if (step->event->kind == SERIN_ROLLOUT_MEMBER || !serin_gates_current(rollout, step->members) ||
        serin_stage_doubts(rollout, step->members) == 0) {
        return;
    }
    uint32_t cause = say_cause(rollout->why, rollout, step->members);
    if (rollout->held_for != 0 && rollout->held_for != cause) {
        serin_step_audit(step, "%s", rollout->why);
    }
    rollout->held_for = cause;
}

/* What a stage that rolls waits for besides those that are at it; soaked, besides nothing. */
void serin_stage_say(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    if (rollout->state == SERIN_ROLLOUT_AWAITING && rollout->held) {
        say_held(step);
        return;
    }
    bool said = rollout->why[0] != '\0';
    bool nobody = rollout->tally.offered == 0 && rollout->evidence.population == 0;
    if (rollout->state == SERIN_ROLLOUT_ROLLING && (nobody || serin_ramp_stalled(rollout))) {
        serin_words_stalled(rollout->why, rollout);
        if (!said) {
            serin_step_audit(step, "stage %u %s", rollout->stage, rollout->why);
        }
        return;
    }
    const char *waits = words_after_soak(rollout);
    if (waits != NULL && rollout->reports_up && !said) {
        serin_step_audit(step, "stage %u %s", rollout->stage, waits);
    }
    if (waits != NULL) {
        (void)snprintf(rollout->why, sizeof rollout->why, "the stage %s", waits);
    } else if (said && serin_stage_says(rollout)) {
        memset(rollout->why, 0, sizeof rollout->why);
    }
}

/* ---- effects ---- */

void serin_effect_hold(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    rollout->unproven = rollout->unproven || rollout->state == SERIN_ROLLOUT_ROLLING;
    rollout->held_for = say_cause(rollout->why, rollout, step->members);
    rollout->held = true;
    rollout->approved = false; /* it was given while nothing, or something else, held the stage */
    serin_step_audit(step, "%s", rollout->why);
}

void serin_effect_heard(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    rollout->held = rollout->approved = rollout->unproven = false;
    memset(rollout->why, 0, sizeof rollout->why);
    serin_step_audit(step, "stage %u goes on: there is somebody to wait for, or to offer it to",
                     rollout->stage);
}
