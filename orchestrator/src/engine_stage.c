/* What transitions do: stages and their thresholds, the gate, the soak (docs/spec/rollout.md,
 * sections 3 to 5). */
#include "engine_internal.h"

#include <string.h>

/* ---- figures ---- */

uint32_t serin_tally_resolved(const struct serin_tally *tally)
{
    return tally->confirmed + tally->failed + tally->rejected;
}

uint32_t serin_tally_failures(const struct serin_tally *tally)
{
    return tally->failed + tally->rejected;
}

uint32_t serin_tally_reach(const struct serin_tally *tally)
{
    return tally->offered - tally->unreached - tally->other;
}

uint32_t serin_tally_waiting(const struct serin_rollout *rollout)
{
    return serin_tally_reach(&rollout->tally) - serin_tally_resolved(&rollout->tally) -
           rollout->late;
}

bool serin_stage_open(const struct serin_rollout *rollout)
{
    bool paused = rollout->state == SERIN_ROLLOUT_PAUSED;
    enum serin_rollout_state state = paused ? rollout->resume_to : rollout->state;
    return (state == SERIN_ROLLOUT_ROLLING || rollout->unproven) &&
           (serin_tally_waiting(rollout) > 0 || serin_stage_short(rollout));
}

uint64_t serin_soak_left_ms(const struct serin_rollout *rollout)
{
    if (rollout->stage == 0 || rollout->policy.emergency) {
        return 0;
    }
    uint64_t soak_ms = (uint64_t)rollout->policy.stages[rollout->stage - 1].soak_s * 1000u;
    return rollout->soaked_ms < soak_ms ? soak_ms - rollout->soaked_ms : 0;
}

/* ---- stages ---- */

/* How many devices the present stage is for. At least one, so that a rollout that began before its
 * first device still meets it in the first stage; never fewer than before. */
static uint32_t stage_target(const struct serin_rollout *rollout, uint32_t population)
{
    const struct serin_stage_policy *stage = &rollout->policy.stages[rollout->stage - 1];
    uint32_t target = stage->count;
    if (stage->permyriad != 0) {
        target = serin_cohort_count(population, stage->permyriad);
    } else if (target > population) {
        target = population;
    }
    if (target == 0) {
        target = 1;
    }
    return target > rollout->target ? target : rollout->target;
}

static void start_patience(struct serin_rollout *rollout)
{
    serin_members_due(rollout, rollout->watch_ms + (uint64_t)rollout->policy.patience_s * 1000u);
}

/* Goes on to the next in rank that is not behind the same gateway as all before it, or as far on
 * the way there as may be in flight, and as the rate allows. False: nobody may be offered it now.
 */
static bool cover_elsewhere(struct serin_step *step, const struct serin_lone *lone)
{
    struct serin_rollout *rollout = step->rollout;
    uint32_t offered = rollout->tally.offered;
    uint32_t size = serin_ramp_aside(rollout, lone->count);
    if (size == 0) {
        return false;
    }
    char site[SERIN_SITE_TEXT_MAX];
    serin_words_site_name(site, step->members, lone->site);
    serin_members_cover(rollout, step->members, step->members->list[offered + size - 1u].rank);
    rollout->widened_watch_ms = rollout->watch_ms;
    serin_ramp_take(rollout, rollout->tally.offered - offered);
    offered = rollout->tally.offered - offered;
    serin_step_audit(step, "stage %u: %u more device%s, so that not all stand behind gateway %s",
                     rollout->stage, offered, serin_words_plural(offered), site);
    return true;
}

/* How far the stage has come, for the ramp: never back, and never beyond what it is for. */
static void note_reached(struct serin_rollout *rollout)
{
    uint32_t reach = serin_tally_reach(&rollout->tally);
    reach = reach < rollout->target ? reach : rollout->target;
    rollout->reached = reach > rollout->reached ? reach : rollout->reached;
}

/* Sets what a stage begins with. */
static void begin_stage(struct serin_rollout *rollout, uint64_t now_ms)
{
    rollout->stage++;
    rollout->stage_started_ms = now_ms;
    rollout->soaked_ms = 0;
    rollout->late = 0; /* who joined during the last stage is one of this stage's */
    rollout->reached = 0;
    rollout->accepted = rollout->approved = rollout->held = rollout->unproven = false;
    rollout->evidence.stage_well = 0;
    rollout->evidence.stage_failed = 0;
    rollout->evidence.stage_silent = 0;
    rollout->evidence.stage_heard = 0;
    rollout->evidence.stage_offered = 0;
    rollout->evidence.stage_resolved = 0;
    rollout->silenced_stage_permyriad = 0;
    rollout->long_silent = rollout->long_silent_of = 0;
    memset(rollout->why, 0, sizeof rollout->why);
}

/* The decision that exposes the fleet stands in the log with its figures, as a halt does. */
static void say_passes(struct serin_step *step, const char *verb)
{
    if (step->rollout->stage > 0) {
        serin_words_passes(serin_step_act(step, SERIN_ROLLOUT_ACT_AUDIT)->text, step->rollout,
                           verb);
    }
}

void serin_effect_open_stage(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    say_passes(step, rollout->approved ? "passes by advance" : "passes");
    begin_stage(rollout, step->now_ms);
    rollout->target = stage_target(rollout, step->members->count);
    uint32_t size = serin_stage_short(rollout) ? serin_ramp_step(rollout) : 0;
    (void)serin_ramp_cover(rollout, step->members, size);
    struct serin_lone lone;
    if (!serin_stage_searched(rollout) &&
        serin_sites_lone(rollout, step->members, serin_member_in_reach, &lone)) {
        (void)cover_elsewhere(step, &lone);
    }
    serin_members_restage(rollout, step->members);
    rollout->stage_watch_ms = rollout->watch_ms;
    note_reached(rollout);
    start_patience(rollout);
    step->publish = true;
    step->opened = true;
    serin_step_audit(step, "stage %u of %zu: offered to %u of %u device%s, to reach %u",
                     rollout->stage, rollout->policy.stage_count, rollout->tally.offered,
                     step->members->count, serin_words_plural(step->members->count),
                     rollout->target);
}

/* What the stage would pass on, if it passed now: nobody is waited for, and all who resolved stand
 * behind one gateway. Others may still be asked. */
static bool stage_lone(const struct serin_rollout *rollout, const struct serin_members *members,
                       struct serin_lone *lone)
{
    return serin_tally_waiting(rollout) == 0 && serin_tally_resolved(&rollout->tally) > 0 &&
           !serin_stage_searched(rollout) &&
           serin_sites_lone(rollout, members, serin_member_resolved, lone);
}

bool serin_stage_lone(const struct serin_rollout *rollout, const struct serin_members *members)
{
    struct serin_lone lone;
    return stage_lone(rollout, members, &lone);
}

uint64_t serin_stage_aside_due_ms(const struct serin_rollout *rollout,
                                  const struct serin_members *members)
{
    struct serin_lone lone;
    bool waits = rollout->policy.rate_per_hour != 0 && stage_lone(rollout, members, &lone);
    return waits ? serin_ramp_aside_due_ms(rollout, lone.count) : NEVER;
}

/* Covers the next in rank for those who are out of reach. */
static void cover_replacements(struct serin_step *step, uint32_t size)
{
    struct serin_rollout *rollout = step->rollout;
    uint32_t covered = serin_ramp_cover(rollout, step->members, size);
    serin_step_audit(step, "stage %u: %u more device%s of silent or withdrawn ones", rollout->stage,
                     covered, covered == 1 ? " takes the place" : "s take the place");
}

/* A step of the ramp. */
static void cover_step(struct serin_step *step, uint32_t size)
{
    struct serin_rollout *rollout = step->rollout;
    uint32_t covered = serin_ramp_cover(rollout, step->members, size);
    serin_members_restage(rollout, step->members);
    rollout->stage_watch_ms = rollout->watch_ms;
    serin_step_audit(step, "stage %u: %u more device%s, %u of %u; %u resolved, %u failed",
                     rollout->stage, covered, serin_words_plural(covered), rollout->tally.offered,
                     rollout->target, serin_tally_resolved(&rollout->tally),
                     serin_tally_failures(&rollout->tally));
}

/* Offers to more devices, if the ramp has room: first to those who replace others. */
static bool cover_more(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    uint32_t size = serin_ramp_step(rollout);
    uint32_t reach = serin_tally_reach(&rollout->tally);
    if (size == 0) {
        return false;
    }
    if (reach < rollout->reached) {
        uint32_t gone = rollout->reached - reach;
        cover_replacements(step, size < gone ? size : gone);
    } else {
        cover_step(step, size);
    }
    return true;
}

void serin_stage_widen(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    struct serin_lone lone;
    if (rollout->closed) {
        return;
    }
    if (serin_stage_short(rollout)) {
        if (!cover_more(step)) {
            return;
        }
    } else if (!stage_lone(rollout, step->members, &lone) || !cover_elsewhere(step, &lone)) {
        return;
    }
    note_reached(rollout);
    start_patience(rollout);
    step->publish = true;
}

/* ---- whether the test accepts it ---- */

void serin_stage_accept(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    if (rollout->stage == 0 || serin_rollout_traits(rollout->state)->over) {
        return;
    }
    bool accepts = serin_test_accepts(rollout);
    if (accepts && !rollout->accepted) {
        serin_test_words_accept(serin_step_act(step, SERIN_ROLLOUT_ACT_AUDIT)->text, rollout);
    }
    rollout->accepted = accepts;
}

void serin_step_republish(struct serin_step *step)
{
    step->publish = step->publish || step->rollout->stage > 0;
}

/* ---- effects of events ---- */

void serin_effect_start(struct serin_step *step)
{
    size_t stages = step->rollout->policy.stage_count;
    uint32_t known = step->members->count;
    serin_step_audit(step, "started: %zu stage%s, %u device%s known", stages,
                     serin_words_plural((uint32_t)stages), known, serin_words_plural(known));
    if (step->rollout->policy.stages[0].approval) {
        serin_effect_ask(step);
    }
}

void serin_step_windows(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    const struct serin_rollout_traits *traits = serin_rollout_traits(rollout->state);
    bool closed = serin_time_closed(rollout);
    if (closed == rollout->closed || traits->over || rollout->state == SERIN_ROLLOUT_CREATED) {
        return;
    }
    rollout->closed = closed;
    serin_step_audit(step, closed ? "the window is closed: nobody starts until it opens"
                                  : "the window is open");
    if (rollout->state != SERIN_ROLLOUT_PAUSED) {
        serin_step_republish(step);
    }
}

void serin_effect_member(struct serin_step *step)
{
    const struct serin_rollout_event *event = step->event;
    /* What the state does not allow is old news, not an error: reports repeat themselves. */
    bool under_way = serin_rollout_traits(step->rollout->state)->gate;
    if (event->before_retry && under_way && serin_retry_again(event->state, event->reason)) {
        (void)serin_member_failed_earlier(step, event->member, event->state);
    } else {
        (void)serin_member_enter(step, event->member, event->state, event->reason);
    }
}

/* What a comparison says of the network. */
static void compared(struct serin_step *step)
{
    if (serin_spells_compared(step->rollout)) {
        serin_evidence_recount(step->rollout, step->members);
    }
}

static void compare(struct serin_step *step)
{
    uint64_t compared_ms = step->rollout->comparison.at_ms;
    serin_gates_compare(step);
    if (step->rollout->comparison.at_ms != compared_ms) {
        compared(step);
    }
}

void serin_stage_compare(struct serin_step *step)
{
    const struct serin_rollout *rollout = step->rollout;
    bool soaked = rollout->state == SERIN_ROLLOUT_SOAKING && serin_soak_left_ms(rollout) == 0;
    bool waits = rollout->state == SERIN_ROLLOUT_AWAITING && !rollout->compared;
    if ((soaked || waits) && serin_time_allows(rollout)) {
        compare(step);
    }
}

bool serin_stage_compare_last(struct serin_step *step)
{
    if (step->rollout->stage == 0 || !serin_gates_compare_last(step)) {
        return false;
    }
    compared(step);
    return true;
}

void serin_effect_tick(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    serin_retry_sweep(step); /* before deadlines: no member changes twice in a step */
    uint32_t unreached = rollout->tally.unreached;
    uint32_t failed = rollout->tally.failed;
    serin_members_sweep(step);
    unreached = rollout->tally.unreached - unreached;
    failed = rollout->tally.failed - failed;
    if (unreached + failed > 0) {
        serin_step_audit(step, "%u device%s unreached, %u timed out", unreached,
                         serin_words_plural(unreached), failed);
    }
    compare(step);
}

void serin_effect_reports_up(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    if (!rollout->reports_up) {
        serin_outages_note(rollout, step->now_ms);
    }
    rollout->reports_up = true;
    rollout->compared = false;
    serin_gates_unsettle(rollout, step->now_ms);
}

void serin_effect_reports_down(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    rollout->down_ms = rollout->reports_up ? step->now_ms : rollout->down_ms;
    rollout->reports_up = false;
}

/* ---- effects of conclusions ---- */

void serin_effect_gate(struct serin_step *step)
{
    struct serin_trip trip;
    if (serin_gates_trip(step->rollout, step->members, &trip)) {
        serin_words_trip(step->rollout->why, step->rollout, step->members, &trip);
    } else {
        serin_test_words_halt(step->rollout->why, step->rollout, step->members);
    }
    serin_step_audit(step, "%s", step->rollout->why);
    serin_step_republish(step);
}

void serin_effect_site(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    bool paused = rollout->state == SERIN_ROLLOUT_PAUSED;
    bool said = serin_stage_judged(rollout);
    struct serin_cluster cluster = serin_sites_cluster(rollout, step->members);
    rollout->judged = serin_gates_failures(rollout); /* all are its */
    /* The watch goes on to the next whole second, so that whoever fails later, and elsewhere, is
     * told apart from those. */
    rollout->judging_watch_s = (uint32_t)(rollout->watch_ms / 1000u) + 1u;
    rollout->watch_ms = (uint64_t)rollout->judging_watch_s * 1000u + 1u;
    rollout->judging_threshold = rollout->threshold;
    rollout->evidence.unjudged = rollout->evidence.unjudged_excused = 0;
    rollout->evidence.undecided = 0;
    rollout->held = false;
    serin_words_site(rollout->why, rollout, step->members, &cluster);
    if (!said) {
        serin_step_audit(step, "%s", rollout->why); /* further failures change the figures only */
    }
    if (!paused) {
        serin_step_republish(step);
    }
}

void serin_effect_resolved(struct serin_step *step)
{
    const struct serin_rollout *rollout = step->rollout;
    serin_step_audit(step, "stage %u: %u resolved, %u failed, %u unreached; soaks for %u s",
                     rollout->stage, serin_tally_resolved(&rollout->tally),
                     serin_tally_failures(&rollout->tally), rollout->tally.unreached,
                     (unsigned)(serin_soak_left_ms(rollout) / 1000));
}

void serin_effect_ask(struct serin_step *step)
{
    step->rollout->held = false;
    memset(step->rollout->why, 0, sizeof step->rollout->why);
    say_passes(step, "may pass");
    serin_step_audit(step, "stage %u waits for approval", step->rollout->stage + 1);
}

void serin_effect_done(struct serin_step *step)
{
    const struct serin_tally *tally = &step->rollout->tally;
    say_passes(step, step->rollout->approved ? "passes by advance" : "passes");
    serin_step_act(step, SERIN_ROLLOUT_ACT_PROMOTE);
    step->publish = true;
    memset(step->rollout->why, 0, sizeof step->rollout->why);
    serin_step_audit(step, "completed: %u of %u confirmed, %u failed, %u unreached",
                     tally->confirmed, tally->offered, serin_tally_failures(tally),
                     tally->unreached);
}
