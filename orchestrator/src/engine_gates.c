/* The gates: what halts a rollout (docs/spec/rollout.md, section 5).
 *
 * Each gate is a quotient with a limit and a minimum, kept by difference or taken from the last
 * comparison, so that asking them all after each report costs a few multiplications. */
#include "engine_internal.h"

#define PERMYRIAD 10000u

bool serin_gate_boot_reason(enum serin_reason reason)
{
    return reason == SERIN_REASON_CRASH || reason == SERIN_REASON_WATCHDOG ||
           reason == SERIN_REASON_NOT_CONFIRMED || reason == SERIN_REASON_BOOT_VERIFY ||
           reason == SERIN_REASON_POWER;
}

/* A limit of everything is none; and no minimum stands where an older store knew of no such gate.
 */
bool serin_gate_on(const struct serin_gate_policy *limit)
{
    return limit->minimum != 0 && limit->max_permyriad < PERMYRIAD;
}

bool serin_gate_above(const struct serin_gate_policy *limit, uint64_t bad, uint64_t of)
{
    return bad * PERMYRIAD > limit->max_permyriad * of;
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

struct serin_ends serin_gates_counted(const struct serin_rollout *rollout)
{
    struct serin_ends all = serin_gates_all(rollout);
    return serin_gates_count(rollout, &all);
}

uint32_t serin_gates_failures(const struct serin_rollout *rollout)
{
    return serin_gates_counted(rollout).failures;
}

uint32_t serin_gates_resolved(const struct serin_rollout *rollout)
{
    return serin_gates_counted(rollout).resolved;
}

uint32_t serin_rollout_left_out(const struct serin_rollout *rollout)
{
    return serin_gates_counted(rollout).excused;
}

static uint32_t unjudged_of(const struct serin_rollout *rollout, const struct serin_ends *ends)
{
    if (rollout->judging_watch_s != 0) {
        bool all = ends->excused == rollout->evidence.excused;
        return rollout->evidence.unjudged - (all ? rollout->evidence.unjudged_excused : 0);
    }
    return ends->failures > rollout->judged ? ends->failures - rollout->judged : 0;
}

uint32_t serin_gates_unjudged(const struct serin_rollout *rollout)
{
    struct serin_ends ends = serin_gates_counted(rollout);
    return unjudged_of(rollout, &ends);
}

/* Fills in a trip if the gate's quotient is above its limit and its minimum is reached, or does not
 * count because the stage waits for nobody. */
static bool judge(struct serin_trip *trip, enum serin_gate gate,
                  const struct serin_gate_policy *limit, uint32_t bad, uint32_t of, bool waits)
{
    if (!serin_gate_on(limit) || !serin_gate_above(limit, bad, of) ||
        (waits && of < limit->minimum)) {
        return false;
    }
    *trip = (struct serin_trip){.gate = gate, .limit = *limit, .bad = bad, .of = of};
    return true;
}

/* FAILURES on all, and on all but the largest gateway, whose word makes failures elsewhere no
 * fewer. */
static bool failures_trip(const struct serin_rollout *rollout, const struct serin_members *members,
                          const struct serin_ends *ends, bool waits, struct serin_trip *trip)
{
    const struct serin_gate_policy *limit = &rollout->policy.gates[SERIN_GATE_FAILURES];
    if (judge(trip, SERIN_GATE_FAILURES, limit, ends->failures, ends->resolved, waits)) {
        return true;
    }
    if (!serin_gate_on(limit)) {
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

static uint32_t reason_of(const struct serin_rollout *rollout, const struct serin_ends *ends,
                          enum serin_reason reason)
{
    return rollout->reasons[reason] - (reason == SERIN_REASON_DEADLINE ? ends->excused : 0);
}

uint32_t serin_gates_reason(const struct serin_rollout *rollout, enum serin_reason reason)
{
    struct serin_ends ends = serin_gates_counted(rollout);
    return reason_of(rollout, &ends, reason);
}

/* One reason's own gate: failed for it ÷ resolved. */
static bool reasons_trip(const struct serin_rollout *rollout, const struct serin_ends *ends,
                         struct serin_trip *trip)
{
    for (size_t i = 0; i < rollout->policy.reason_count; i++) {
        const struct serin_reason_policy *own = &rollout->policy.reasons[i];
        if (judge(trip, SERIN_GATE_INVALID, &own->gate, reason_of(rollout, ends, own->reason),
                  ends->resolved, true)) {
            trip->reason = own->reason;
            return true;
        }
    }
    return false;
}

/* What went wrong after confirmation, above the gate's limit. The minimum is always needed. */
bool serin_gates_regressed(const struct serin_rollout *rollout, struct serin_trip *trip)
{
    const struct serin_tally *tally = &rollout->tally;
    return judge(trip, SERIN_GATE_REGRESSIONS, &rollout->policy.gates[SERIN_GATE_REGRESSIONS],
                 tally->regressed, tally->confirmed + tally->regressed, true);
}

/* Whether so many would not have gone wrong by chance if the limit were the true rate. */
static bool regressions_surely(const struct serin_trip *trip)
{
    double expected = (double)trip->limit.max_permyriad * trip->of / PERMYRIAD;
    return serin_gates_unlikely(trip->bad, expected + 0.375, 0, SERIN_HALT_ERRORS);
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
    return serin_gates_regressed(rollout, trip) &&
           (own || regressions_surely(trip) || serin_test_trips(rollout));
}

/* Every gate that judges failures: what they count, which may take a root, is found once. */
static bool reported_trip(const struct serin_rollout *rollout, const struct serin_members *members,
                          struct serin_trip *trip)
{
    const struct serin_tally *tally = &rollout->tally;
    const struct serin_gate_policy *gates = rollout->policy.gates;
    struct serin_ends ends = serin_gates_counted(rollout);
    if (unjudged_of(rollout, &ends) == 0) {
        return false; /* nobody failed, or an operator accepted those who did */
    }
    bool waits = serin_stage_open(rollout);
    uint32_t stayed = tally->confirmed + tally->regressed; /* for a while, at least */
    return failures_trip(rollout, members, &ends, waits, trip) ||
           judge(trip, SERIN_GATE_BOOTS, &gates[SERIN_GATE_BOOTS], rollout->boots,
                 stayed + rollout->boots, waits) ||
           judge(trip, SERIN_GATE_ROLLBACKS, &gates[SERIN_GATE_ROLLBACKS], rollout->rolled_back,
                 ends.resolved, waits) ||
           regressions_trip(rollout, trip) || reasons_trip(rollout, &ends, trip);
}

bool serin_trip_of_failures(const struct serin_trip *trip)
{
    return trip->gate != SERIN_GATE_SILENCE && trip->gate != SERIN_GATE_ERRORS;
}

/* ---- what no report says ---- */

struct serin_symptom serin_symptom_of(const struct serin_comparison *c, enum serin_gate gate)
{
    if (gate == SERIN_GATE_SILENCE) {
        return (struct serin_symptom){
            .bad = c->updated_silent,
            .of = c->updated,
            .site_bad = c->silent_site_silent,
            .site_of = c->silent_site_updated,
            .control_bad = c->control_silent,
            .expected_permyriad = c->expected_silent_permyriad,
            .deviation = c->silent_deviation,
        };
    }
    return (struct serin_symptom){
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
bool serin_gate_exceeds(const struct serin_gate_policy *limit, uint64_t bad, uint64_t of,
                        uint32_t expected_permyriad)
{
    return bad * PERMYRIAD > (limit->max_permyriad + (uint64_t)expected_permyriad) * of;
}

void serin_symptom_fill(struct serin_trip *trip, const struct serin_rollout *rollout,
                        enum serin_gate gate, const struct serin_symptom *s)
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
bool serin_gates_compared(const struct serin_rollout *rollout, enum serin_gate gate)
{
    return serin_gate_on(&rollout->policy.gates[gate]) && rollout->comparison.at_ms != 0;
}

/* The same, with enough updated devices to speak of. */
bool serin_gates_enough(const struct serin_rollout *rollout, enum serin_gate gate)
{
    return serin_gates_compared(rollout, gate) &&
           rollout->comparison.updated >= rollout->policy.gates[gate].minimum;
}

bool serin_gates_exceeds(const struct serin_rollout *rollout, enum serin_gate gate)
{
    const struct serin_comparison *c = &rollout->comparison;
    const struct serin_gate_policy *limit = &rollout->policy.gates[gate];
    if (!serin_gates_enough(rollout, gate) || c->control < rollout->policy.control_minimum ||
        c->control_at_ms != c->at_ms) {
        return false;
    }
    struct serin_symptom s = serin_symptom_of(c, gate);
    return serin_gate_exceeds(limit, s.bad, s.of, s.expected_permyriad) &&
           serin_gate_exceeds(limit, s.bad - s.site_bad, s.of - s.site_of, s.expected_permyriad) &&
           s.deviation > SERIN_HALT_DEVIATION;
}

static bool symptom_trips(const struct serin_rollout *rollout, enum serin_gate gate,
                          struct serin_trip *trip)
{
    bool trips = serin_gates_exceeds(rollout, gate) && serin_gates_lasts(rollout, gate);
    if (trips) {
        struct serin_symptom s = serin_symptom_of(&rollout->comparison, gate);
        serin_symptom_fill(trip, rollout, gate, &s);
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
