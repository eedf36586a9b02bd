/* The gates: what halts a rollout, and what may not pass (docs/spec/rollout.md, section 5).
 *
 * Each gate is a quotient with a limit and a minimum, kept by difference or taken from the last
 * comparison, so that asking them all after each report costs a few multiplications. */
#include "engine_internal.h"

#define PERMYRIAD 10000u
/* A difference between the groups halts when it is more than four standard errors, which chance
 * alone exceeds once in 30,000 comparisons; and may not pass above three. In hundredths. */
#define HALT_DEVIATION 400u
#define HOLD_DEVIATION 300u
/* The same, in standard errors; and what makes a few suspicious. */
#define HALT_ERRORS 4.0
#define HOLD_ERRORS 3.0
#define FEW_ERRORS  2.0

bool serin_gate_boot_reason(enum serin_reason reason)
{
    return reason == SERIN_REASON_CRASH || reason == SERIN_REASON_WATCHDOG ||
           reason == SERIN_REASON_NOT_CONFIRMED || reason == SERIN_REASON_BOOT_VERIFY ||
           reason == SERIN_REASON_POWER;
}

/* A limit of everything is none; and no minimum stands where an older store knew of no such gate.
 */
static bool is_on(const struct serin_gate_policy *limit)
{
    return limit->minimum != 0 && limit->max_permyriad < PERMYRIAD;
}

static bool above(const struct serin_gate_policy *limit, uint64_t bad, uint64_t of)
{
    return bad * PERMYRIAD > limit->max_permyriad * of;
}

/* Whether `bad` are more than so many standard errors above what was expected, both counted as for
 * a deviation: √a − √b > √c, without the roots. `ratio` is the updated to the control group; 0: it
 * is a limit, and known. */
static bool is_unlikely(uint32_t bad, double expected, double ratio, double errors)
{
    double a = (double)bad + 0.375;
    double b = expected + 0.375 * ratio;
    double c = errors * errors / 4.0 * (1.0 + ratio);
    double rest = a - b - c;
    return rest > 0 && rest * rest > 4.0 * b * c;
}

/* ---- failures ---- */

bool serin_gates_excuse(const struct serin_rollout *rollout, const struct serin_member *member)
{
    return member->state == SERIN_STATE_TIMED_OUT &&
           serin_spells_excuse(rollout, member->watch_s) != SERIN_EXCUSE_NONE;
}

/* How many of those that timed out the network may have silenced: of as many as resolved the
 * largest share that it ever did, with what chance may have hidden of it, and two standard errors
 * of these more. Without the root, where it explains all of them, and at once where there are none:
 * the gates ask with each report. */
static uint32_t explained(const struct serin_rollout *rollout, const struct serin_ends *all)
{
    if (all->excused == 0) {
        return 0;
    }
    double expected = (double)rollout->silenced_permyriad * all->resolved / PERMYRIAD + 0.375;
    double rest = (double)all->excused - expected - 1;
    if (rest <= 0 || rest * rest <= 4 * expected) {
        return all->excused;
    }
    double root = serin_test_root(expected) + 1;
    return (uint32_t)(root * root);
}

struct serin_ends serin_gates_count(const struct serin_rollout *rollout,
                                    const struct serin_ends *all)
{
    uint32_t left_out = explained(rollout, all);
    return (struct serin_ends){.resolved = all->resolved - left_out,
                               .failures = all->failures - left_out,
                               .excused = left_out};
}

struct serin_ends serin_gates_all(const struct serin_rollout *rollout)
{
    return (struct serin_ends){.resolved = serin_tally_resolved(&rollout->tally),
                               .failures = serin_tally_failures(&rollout->tally),
                               .excused = rollout->evidence.excused};
}

static struct serin_ends counted(const struct serin_rollout *rollout)
{
    struct serin_ends all = serin_gates_all(rollout);
    return serin_gates_count(rollout, &all);
}

uint32_t serin_gates_failures(const struct serin_rollout *rollout)
{
    return counted(rollout).failures;
}

uint32_t serin_gates_resolved(const struct serin_rollout *rollout)
{
    return counted(rollout).resolved;
}

uint32_t serin_rollout_left_out(const struct serin_rollout *rollout)
{
    return counted(rollout).excused;
}

uint32_t serin_gates_unjudged(const struct serin_rollout *rollout)
{
    if (rollout->judging_watch_s != 0) {
        bool all = serin_rollout_left_out(rollout) == rollout->evidence.excused;
        return rollout->evidence.unjudged - (all ? rollout->evidence.unjudged_excused : 0);
    }
    uint32_t failures = serin_gates_failures(rollout);
    return failures > rollout->judged ? failures - rollout->judged : 0;
}

/* Fills in a trip if the gate's quotient is above its limit and its minimum is reached, or does not
 * count because the stage waits for nobody. */
static bool judge(struct serin_trip *trip, enum serin_gate gate,
                  const struct serin_gate_policy *limit, uint32_t bad, uint32_t of, bool waits)
{
    if (!is_on(limit) || !above(limit, bad, of) || (waits && of < limit->minimum)) {
        return false;
    }
    *trip = (struct serin_trip){.gate = gate, .limit = *limit, .bad = bad, .of = of};
    return true;
}

/* FAILURES on all, and on all but the largest gateway, whose word makes failures elsewhere no
 * fewer. */
static bool failures_trip(const struct serin_rollout *rollout, const struct serin_members *members,
                          bool waits, struct serin_trip *trip)
{
    const struct serin_gate_policy *limit = &rollout->policy.gates[SERIN_GATE_FAILURES];
    if (judge(trip, SERIN_GATE_FAILURES, limit, serin_gates_failures(rollout),
              serin_gates_resolved(rollout), waits)) {
        return true;
    }
    if (!is_on(limit)) {
        return false;
    }
    struct serin_without without = serin_sites_without(rollout, members);
    if (without.site == SERIN_SITE_DIRECT ||
        !judge(trip, SERIN_GATE_FAILURES, limit, without.failures, without.resolved, waits)) {
        return false;
    }
    trip->without = without.site;
    return true;
}

uint32_t serin_gates_reason(const struct serin_rollout *rollout, enum serin_reason reason)
{
    return rollout->reasons[reason] -
           (reason == SERIN_REASON_DEADLINE ? serin_rollout_left_out(rollout) : 0);
}

/* One reason's own gate: failed for it ÷ resolved. */
static bool reasons_trip(const struct serin_rollout *rollout, struct serin_trip *trip)
{
    uint32_t resolved = serin_gates_resolved(rollout);
    for (size_t i = 0; i < rollout->policy.reason_count; i++) {
        const struct serin_reason_policy *own = &rollout->policy.reasons[i];
        if (judge(trip, SERIN_GATE_INVALID, &own->gate, serin_gates_reason(rollout, own->reason),
                  resolved, true)) {
            trip->reason = own->reason;
            return true;
        }
    }
    return false;
}

/* What went wrong after confirmation, above the gate's limit. The minimum is always needed. */
static bool regressions_high(const struct serin_rollout *rollout, struct serin_trip *trip)
{
    const struct serin_tally *tally = &rollout->tally;
    return judge(trip, SERIN_GATE_REGRESSIONS, &rollout->policy.gates[SERIN_GATE_REGRESSIONS],
                 tally->regressed, tally->confirmed + tally->regressed, true);
}

/* Whether so many would not have gone wrong by chance if the limit were the true rate. */
static bool regressions_surely(const struct serin_trip *trip)
{
    double expected = (double)trip->limit.max_permyriad * trip->of / PERMYRIAD;
    return is_unlikely(trip->bad, expected + 0.375, 0, HALT_ERRORS);
}

/* At the accepted rate chance alone takes a share of a hundred above a limit of twice that and
 * more, sooner or later: so the share has to be beyond chance above the limit, or the joint test,
 * which spends the error bound once, has to say so. A limit below the accepted rate asks for less
 * than either can tell, and is taken at its word. */
static bool regressions_trip(const struct serin_rollout *rollout, struct serin_trip *trip)
{
    const struct serin_policy *policy = &rollout->policy;
    bool own =
        policy->gates[SERIN_GATE_REGRESSIONS].max_permyriad < policy->test.accepted_permyriad;
    return regressions_high(rollout, trip) &&
           (own || regressions_surely(trip) || serin_test_trips(rollout));
}

/* Every gate that judges failures. */
static bool reported_trip(const struct serin_rollout *rollout, const struct serin_members *members,
                          struct serin_trip *trip)
{
    const struct serin_tally *tally = &rollout->tally;
    const struct serin_gate_policy *gates = rollout->policy.gates;
    if (serin_gates_unjudged(rollout) == 0) {
        return false; /* nobody failed, or an operator accepted those who did */
    }
    bool waits = serin_stage_open(rollout);
    uint32_t stayed = tally->confirmed + tally->regressed; /* for a while, at least */
    return failures_trip(rollout, members, waits, trip) ||
           judge(trip, SERIN_GATE_BOOTS, &gates[SERIN_GATE_BOOTS], rollout->boots,
                 stayed + rollout->boots, waits) ||
           judge(trip, SERIN_GATE_ROLLBACKS, &gates[SERIN_GATE_ROLLBACKS], rollout->rolled_back,
                 serin_gates_resolved(rollout), waits) ||
           regressions_trip(rollout, trip) || reasons_trip(rollout, trip);
}

bool serin_trip_of_failures(const struct serin_trip *trip)
{
    return trip->gate != SERIN_GATE_SILENCE && trip->gate != SERIN_GATE_ERRORS;
}

/* ---- what no report says ---- */

/* The figures of one question of the last comparison. */
struct symptom {
    uint32_t bad, of;           /* updated */
    uint32_t site_bad, site_of; /* of them, behind the gateway that has most */
    uint32_t control_bad;
    uint32_t expected_permyriad, deviation;
};

static struct symptom symptom_of(const struct serin_comparison *c, enum serin_gate gate)
{
    if (gate == SERIN_GATE_SILENCE) {
        return (struct symptom){
            .bad = c->updated_silent,
            .of = c->updated,
            .site_bad = c->silent_site_silent,
            .site_of = c->silent_site_updated,
            .control_bad = c->control_silent,
            .expected_permyriad = c->expected_silent_permyriad,
            .deviation = c->silent_deviation,
        };
    }
    return (struct symptom){
        .bad = c->updated_unwell,
        .of = c->updated,
        .site_bad = c->unwell_site_unwell,
        .site_of = c->unwell_site_updated,
        .control_bad = c->control_unwell,
        .expected_permyriad = c->expected_unwell_permyriad,
        .deviation = c->unwell_deviation,
    };
}

/* Whether the share is above the limit after what was to be expected anyway. */
static bool exceeds(const struct serin_gate_policy *limit, uint64_t bad, uint64_t of,
                    uint32_t expected_permyriad)
{
    return bad * PERMYRIAD > (limit->max_permyriad + (uint64_t)expected_permyriad) * of;
}

static void fill(struct serin_trip *trip, const struct serin_rollout *rollout, enum serin_gate gate,
                 const struct symptom *s)
{
    const struct serin_comparison *c = &rollout->comparison;
    *trip = (struct serin_trip){
        .gate = gate,
        .limit = rollout->policy.gates[gate],
        .bad = s->bad,
        .of = s->of,
        .control_bad = s->control_bad,
        .control_of = c->control,
        .expected_permyriad = s->expected_permyriad,
        .age_s =
            c->at_ms > c->control_at_ms ? (uint32_t)((c->at_ms - c->control_at_ms) / 1000u) : 0,
    };
}

/* Whether a comparison was made for the gate, if it is on. */
static bool is_compared(const struct serin_rollout *rollout, enum serin_gate gate)
{
    return is_on(&rollout->policy.gates[gate]) && rollout->comparison.at_ms != 0;
}

/* The same, with enough updated devices to speak of. */
static bool can_judge(const struct serin_rollout *rollout, enum serin_gate gate)
{
    return is_compared(rollout, gate) &&
           rollout->comparison.updated >= rollout->policy.gates[gate].minimum;
}

bool serin_gates_exceeds(const struct serin_rollout *rollout, enum serin_gate gate)
{
    const struct serin_comparison *c = &rollout->comparison;
    const struct serin_gate_policy *limit = &rollout->policy.gates[gate];
    if (!can_judge(rollout, gate) || c->control < rollout->policy.control_minimum ||
        c->control_at_ms != c->at_ms) {
        return false;
    }
    struct symptom s = symptom_of(c, gate);
    return exceeds(limit, s.bad, s.of, s.expected_permyriad) &&
           exceeds(limit, s.bad - s.site_bad, s.of - s.site_of, s.expected_permyriad) &&
           s.deviation > HALT_DEVIATION;
}

static bool symptom_trips(const struct serin_rollout *rollout, enum serin_gate gate,
                          struct serin_trip *trip)
{
    bool trips = serin_gates_exceeds(rollout, gate) && serin_gates_lasts(rollout, gate);
    if (trips) {
        struct symptom s = symptom_of(&rollout->comparison, gate);
        fill(trip, rollout, gate, &s);
    }
    return trips;
}

bool serin_gates_trip(const struct serin_rollout *rollout, const struct serin_members *members,
                      struct serin_trip *trip)
{
    return reported_trip(rollout, members, trip) ||
           symptom_trips(rollout, SERIN_GATE_SILENCE, trip) ||
           symptom_trips(rollout, SERIN_GATE_ERRORS, trip);
}

/* ---- what may not pass ---- */

/* More than half show it, and twice as many as others let expect: however few they are, that is not
 * taken for chance. */
static bool is_most(uint64_t bad, uint64_t of, uint32_t expected_permyriad)
{
    return 2u * bad > of && bad * PERMYRIAD > UINT64_C(2) * expected_permyriad * of;
}

/* Why a share above the limit does not trip, if the stage may not pass on it either. */
static enum serin_doubt doubt_of(const struct serin_rollout *rollout, enum serin_gate gate,
                                 const struct symptom *s)
{
    const struct serin_comparison *c = &rollout->comparison;
    const struct serin_gate_policy *limit = &rollout->policy.gates[gate];
    if (c->control < rollout->policy.control_minimum) {
        return exceeds(limit, s->bad, s->of, 0) ? SERIN_DOUBT_CONTROL_SMALL : SERIN_DOUBT_NONE;
    }
    if (!exceeds(limit, s->bad, s->of, s->expected_permyriad)) {
        return SERIN_DOUBT_NONE;
    }
    if (c->control_at_ms != c->at_ms) {
        return SERIN_DOUBT_CONTROL_OLD;
    }
    if (s->deviation <= HOLD_DEVIATION && !is_most(s->bad, s->of, s->expected_permyriad)) {
        return SERIN_DOUBT_NONE; /* chance does as much */
    }
    if (serin_gates_exceeds(rollout, gate)) {
        return SERIN_DOUBT_YOUNG;
    }
    return s->deviation > HALT_DEVIATION ? SERIN_DOUBT_SITE : SERIN_DOUBT_UNSURE;
}

/* Fewer were updated than the gate's minimum: nothing halts on so few, but none of them is passed
 * over. All count that the rollout updated, whatever stage they fell silent in; and a share above
 * the limit is taken for chance only where a control group makes it so, and half of them are well.
 */
static enum serin_doubt doubt_of_few(const struct serin_rollout *rollout,
                                     const struct serin_gate_policy *limit, const struct symptom *s)
{
    const struct serin_comparison *c = &rollout->comparison;
    if (c->control < rollout->policy.control_minimum) {
        return exceeds(limit, s->bad, s->of, 0) ? SERIN_DOUBT_CONTROL_SMALL : SERIN_DOUBT_NONE;
    }
    if (!exceeds(limit, s->bad, s->of, s->expected_permyriad)) {
        return SERIN_DOUBT_NONE;
    }
    double expected = (double)s->expected_permyriad * s->of / PERMYRIAD;
    bool most = s->bad > s->of / 2u;
    bool unlikely = is_unlikely(s->bad, expected, (double)s->of / c->control, FEW_ERRORS);
    return most || unlikely ? SERIN_DOUBT_FEW : SERIN_DOUBT_NONE;
}

/* Whether a restart of the caller made it forget more devices than the limit lets be silent: those
 * of which nothing is heard again may be the ones that fell silent. */
static bool forgotten(const struct serin_rollout *rollout, const struct serin_gate_policy *limit)
{
    const struct serin_comparison *c = &rollout->comparison;
    return is_on(limit) && c->known < c->known_most &&
           above(limit, c->known_most - c->known, c->known_most);
}

/* Whether of more of the updated than the limit allows too little was heard to judge them, though
 * enough of the others: those that nobody heard again may be silent, or count errors. Where part of
 * a fleet never beats, so many are expected of both. */
static bool unjudged(const struct serin_rollout *rollout, const struct serin_gate_policy *limit)
{
    const struct serin_comparison *c = &rollout->comparison;
    if (c->control < rollout->policy.control_minimum || c->others == 0) {
        return false;
    }
    uint64_t expected = (uint64_t)c->others_unknown * PERMYRIAD / c->others;
    double weight = (double)c->accepted / c->others;
    return exceeds(limit, c->accepted_unknown, c->accepted, (uint32_t)expected) &&
           is_unlikely(c->accepted_unknown, weight * c->others_unknown, weight, FEW_ERRORS);
}

uint32_t serin_gates_lost(const struct serin_rollout *rollout)
{
    return rollout->comparison.ever_silent + rollout->comparison.ever_unheard;
}

bool serin_gates_worse(const struct serin_rollout *rollout, enum serin_gate gate)
{
    /* Figures of silence and errors come and go with every beat; a failure stays one. */
    const struct serin_comparison *c = &rollout->comparison;
    bool silence = gate == SERIN_GATE_SILENCE;
    uint32_t bad = silence ? serin_gates_lost(rollout) : c->ever_unwell;
    uint32_t waived = silence ? rollout->waived_lost : rollout->waived_unwell;
    return bad > waived && above(&rollout->policy.gates[gate], bad - waived,
                                 silence ? c->ever_updated : c->ever_known);
}

/* Others that are silent, or not heard, by their own last word. */
static uint32_t rest_lost(const struct serin_rollout *rollout)
{
    return rollout->comparison.rest_silent + rollout->comparison.rest_unheard;
}

/* Whether so many others are left, and so many of them heard, that they tell what to expect. */
static bool rest_tells(const struct serin_rollout *rollout)
{
    const struct serin_comparison *c = &rollout->comparison;
    return c->rest > 0 && c->rest >= rollout->policy.control_minimum &&
           rest_lost(rollout) <= c->rest / 2u;
}

/* What all others let expect of the lost: hundredths of a percent; too few of them nothing. */
static uint32_t rest_permyriad(const struct serin_rollout *rollout)
{
    const struct serin_comparison *c = &rollout->comparison;
    bool enough = c->rest >= rollout->policy.control_minimum && c->rest > 0;
    return enough ? serin_gates_share_permyriad(rest_lost(rollout), c->rest) : 0;
}

/* Whether more are lost than the limit and others let expect, by so many standard errors, or most.
 */
static bool lost_beyond(const struct serin_rollout *rollout, const struct serin_gate_policy *limit,
                        double errors)
{
    const struct serin_comparison *c = &rollout->comparison;
    uint32_t lost = serin_gates_lost(rollout);
    uint32_t expected = rest_permyriad(rollout);
    double ratio = (double)c->ever_updated / c->rest;
    return exceeds(limit, lost, c->ever_updated, expected) &&
           (is_most(lost, c->ever_updated, expected) ||
            is_unlikely(lost, ratio * rest_lost(rollout), ratio, errors));
}

/* Who had no time to be heard yet holds at once; who had some, as long as more of the updated are
 * lost than of the others. Where reports fail more often than the time to be heard is long, nobody
 * is ever more than not heard yet. */
static bool unheard_holds(const struct serin_rollout *rollout,
                          const struct serin_gate_policy *limit)
{
    const struct serin_comparison *c = &rollout->comparison;
    return above(limit, c->ever_unheard, c->ever_updated) &&
           (above(limit, c->ever_early, c->ever_updated) || !rest_tells(rollout) ||
            lost_beyond(rollout, limit, FEW_ERRORS));
}

/* Why nothing can be said of the updated as a whole. */
static enum serin_doubt doubt_of_all(const struct serin_rollout *rollout, enum serin_gate gate)
{
    const struct serin_gate_policy *limit = &rollout->policy.gates[gate];
    if (forgotten(rollout, limit)) {
        return SERIN_DOUBT_UNKNOWN;
    }
    if (!is_compared(rollout, gate)) {
        return SERIN_DOUBT_NONE;
    }
    if (unjudged(rollout, limit)) {
        return SERIN_DOUBT_UNJUDGED;
    }
    bool holds = gate == SERIN_GATE_SILENCE && unheard_holds(rollout, limit);
    return holds ? SERIN_DOUBT_UNHEARD : SERIN_DOUBT_NONE;
}

/* Nobody who ran the release and is silent by its own last word is passed over, whatever stage it
 * fell silent in, and however a restart, an outage or a moment between two stages made it seem: but
 * as many as others let expect, by as much as chance does. Half of them are no chance; and where
 * more than half of the others are silent nothing is told by them. */
static bool is_lost(const struct serin_rollout *rollout, const struct serin_gate_policy *limit)
{
    uint32_t updated = rollout->comparison.ever_updated;
    return rest_tells(rollout) ? lost_beyond(rollout, limit, HOLD_ERRORS)
                               : exceeds(limit, serin_gates_lost(rollout), updated, 0);
}

/* The figures that a doubt is about. */
static struct symptom doubted(const struct serin_rollout *rollout, enum serin_gate gate,
                              enum serin_doubt doubt)
{
    const struct serin_comparison *c = &rollout->comparison;
    struct symptom s = symptom_of(c, gate);
    if (doubt == SERIN_DOUBT_UNJUDGED) {
        s.of = c->accepted;
        s.bad = c->accepted_unknown;
        s.control_bad = c->others_unknown;
    } else if (doubt == SERIN_DOUBT_UNHEARD) {
        s.of = c->ever_updated;
        s.bad = c->ever_unheard;
    } else if (!can_judge(rollout, gate)) {
        bool silence = gate == SERIN_GATE_SILENCE;
        s.of = silence ? c->ever_updated : c->ever_known;
        s.bad = silence ? c->ever_silent : c->ever_unwell;
    }
    return s;
}

/* The figures of those that are lost. */
static void fill_lost(struct serin_trip *trip, const struct serin_rollout *rollout)
{
    const struct serin_comparison *c = &rollout->comparison;
    const struct symptom s = {.bad = serin_gates_lost(rollout),
                              .of = c->ever_updated,
                              .control_bad = rest_lost(rollout),
                              .expected_permyriad = rest_permyriad(rollout)};
    fill(trip, rollout, SERIN_GATE_SILENCE, &s);
    trip->control_of = c->rest;
    trip->doubt = SERIN_DOUBT_LOST;
}

static bool symptom_holds(const struct serin_rollout *rollout, enum serin_gate gate,
                          struct serin_trip *trip)
{
    const struct serin_gate_policy *limit = &rollout->policy.gates[gate];
    enum serin_doubt doubt = doubt_of_all(rollout, gate);
    struct symptom s = doubted(rollout, gate, doubt);
    if (doubt == SERIN_DOUBT_NONE && can_judge(rollout, gate)) {
        doubt = doubt_of(rollout, gate, &s);
    } else if (doubt == SERIN_DOUBT_NONE && is_compared(rollout, gate)) {
        doubt = doubt_of_few(rollout, limit, &s);
    }
    if (doubt == SERIN_DOUBT_NONE) {
        bool lost =
            gate == SERIN_GATE_SILENCE && is_compared(rollout, gate) && is_lost(rollout, limit);
        if (lost) {
            fill_lost(trip, rollout);
        }
        return lost;
    }
    fill(trip, rollout, gate, &s);
    trip->doubt = doubt;
    return true;
}

bool serin_gate_holds(const struct serin_rollout *rollout, enum serin_gate gate,
                      struct serin_trip *trip)
{
    if (gate != SERIN_GATE_REGRESSIONS) {
        return symptom_holds(rollout, gate, trip);
    }
    bool holds = serin_gates_unjudged(rollout) > 0 && regressions_high(rollout, trip);
    if (holds) {
        trip->doubt = SERIN_DOUBT_CHANCE;
    }
    return holds;
}

bool serin_gates_hold(const struct serin_rollout *rollout, const struct serin_members *members,
                      struct serin_trip *trip)
{
    (void)members; /* the comparison stands in the rollout */
    return serin_gate_holds(rollout, SERIN_GATE_REGRESSIONS, trip) ||
           serin_gate_holds(rollout, SERIN_GATE_SILENCE, trip) ||
           serin_gate_holds(rollout, SERIN_GATE_ERRORS, trip);
}
