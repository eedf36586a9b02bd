/* What halts nothing and may not pass either (docs/spec/rollout.md, section 5): why a share of
 * silence or errors above its limit does not halt, and what is not known. */
#include "engine_internal.h"

#define PERMYRIAD 10000u

/* Why a share above the limit does not trip, if the stage may not pass on it either. */
static enum serin_doubt doubt_of(const struct serin_rollout *rollout, enum serin_gate gate,
                                 const struct serin_symptom *s)
{
    const struct serin_comparison *c = &rollout->comparison;
    const struct serin_gate_policy *limit = &rollout->policy.gates[gate];
    if (c->control < rollout->policy.control_minimum) {
        return serin_gate_exceeds(limit, s->bad, s->of, 0) ? SERIN_DOUBT_CONTROL_SMALL
                                                           : SERIN_DOUBT_NONE;
    }
    if (!serin_gate_exceeds(limit, s->bad, s->of, s->expected_permyriad)) {
        return SERIN_DOUBT_NONE;
    }
    if (c->control_at_ms != c->at_ms) {
        return SERIN_DOUBT_CONTROL_OLD;
    }
    if (s->deviation <= SERIN_HOLD_DEVIATION &&
        !serin_gates_most(s->bad, s->of, s->expected_permyriad)) {
        return SERIN_DOUBT_NONE; /* chance does as much */
    }
    if (serin_gates_exceeds(rollout, gate)) {
        return SERIN_DOUBT_YOUNG;
    }
    return s->deviation > SERIN_HALT_DEVIATION ? SERIN_DOUBT_SITE : SERIN_DOUBT_UNSURE;
}

/* Fewer were updated than the gate's minimum: nothing halts on so few, but none of them is passed
 * over. All count that the rollout updated, whatever stage they fell silent in; and a share above
 * the limit is taken for chance only where a control group makes it so, and half of them are well.
 */
static enum serin_doubt doubt_of_few(const struct serin_rollout *rollout,
                                     const struct serin_gate_policy *limit,
                                     const struct serin_symptom *s)
{
    const struct serin_comparison *c = &rollout->comparison;
    if (c->control < rollout->policy.control_minimum) {
        return serin_gate_exceeds(limit, s->bad, s->of, 0) ? SERIN_DOUBT_CONTROL_SMALL
                                                           : SERIN_DOUBT_NONE;
    }
    if (!serin_gate_exceeds(limit, s->bad, s->of, s->expected_permyriad)) {
        return SERIN_DOUBT_NONE;
    }
    double expected = (double)s->expected_permyriad * s->of / PERMYRIAD;
    bool most = s->bad > s->of / 2u;
    bool unlikely =
        serin_gates_unlikely(s->bad, expected, (double)s->of / c->control, SERIN_FEW_ERRORS);
    return most || unlikely ? SERIN_DOUBT_FEW : SERIN_DOUBT_NONE;
}

/* Whether a restart of the caller made it forget more devices than the limit lets be silent: those
 * of which nothing is heard again may be the ones that fell silent. */
static bool forgotten(const struct serin_rollout *rollout, const struct serin_gate_policy *limit)
{
    const struct serin_comparison *c = &rollout->comparison;
    return serin_gate_on(limit) && c->known < c->known_most &&
           serin_gate_above(limit, c->known_most - c->known, c->known_most);
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
    return serin_gate_exceeds(limit, c->accepted_unknown, c->accepted, (uint32_t)expected) &&
           serin_gates_unlikely(c->accepted_unknown, weight * c->others_unknown, weight,
                                SERIN_FEW_ERRORS);
}

/* Why nothing can be said of the updated as a whole. */
static enum serin_doubt doubt_of_all(const struct serin_rollout *rollout, enum serin_gate gate)
{
    const struct serin_gate_policy *limit = &rollout->policy.gates[gate];
    if (forgotten(rollout, limit)) {
        return SERIN_DOUBT_UNKNOWN;
    }
    if (!serin_gates_compared(rollout, gate)) {
        return SERIN_DOUBT_NONE;
    }
    if (unjudged(rollout, limit)) {
        return SERIN_DOUBT_UNJUDGED;
    }
    bool holds = gate == SERIN_GATE_SILENCE && serin_lost_unheard(rollout);
    return holds ? SERIN_DOUBT_UNHEARD : SERIN_DOUBT_NONE;
}

/* The figures that a doubt is about. */
static struct serin_symptom doubted(const struct serin_rollout *rollout, enum serin_gate gate,
                                    enum serin_doubt doubt)
{
    const struct serin_comparison *c = &rollout->comparison;
    struct serin_symptom s = serin_symptom_of(c, gate);
    if (doubt == SERIN_DOUBT_UNJUDGED) {
        s.of = c->accepted;
        s.bad = c->accepted_unknown;
        s.control_bad = c->others_unknown;
    } else if (doubt == SERIN_DOUBT_UNHEARD) {
        s.of = c->ever_updated;
        s.bad = c->ever_unheard;
    } else if (!serin_gates_enough(rollout, gate)) {
        bool silence = gate == SERIN_GATE_SILENCE;
        s.of = silence ? c->ever_updated : c->ever_known;
        s.bad = silence ? c->ever_silent : c->ever_unwell;
    }
    return s;
}

static bool symptom_holds(const struct serin_rollout *rollout, enum serin_gate gate,
                          struct serin_trip *trip)
{
    const struct serin_gate_policy *limit = &rollout->policy.gates[gate];
    enum serin_doubt doubt = doubt_of_all(rollout, gate);
    struct serin_symptom s = doubted(rollout, gate, doubt);
    if (doubt == SERIN_DOUBT_NONE && serin_gates_enough(rollout, gate)) {
        doubt = doubt_of(rollout, gate, &s);
    } else if (doubt == SERIN_DOUBT_NONE && serin_gates_compared(rollout, gate)) {
        doubt = doubt_of_few(rollout, limit, &s);
    }
    if (doubt == SERIN_DOUBT_NONE) {
        return gate == SERIN_GATE_SILENCE && serin_gates_compared(rollout, gate) &&
               serin_lost_holds(rollout, trip);
    }
    serin_symptom_fill(trip, rollout, gate, &s);
    trip->doubt = doubt;
    return true;
}

bool serin_gate_holds(const struct serin_rollout *rollout, enum serin_gate gate,
                      struct serin_trip *trip)
{
    if (gate != SERIN_GATE_REGRESSIONS) {
        return symptom_holds(rollout, gate, trip);
    }
    bool holds = serin_gates_unjudged(rollout) > 0 && serin_gates_regressed(rollout, trip);
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
