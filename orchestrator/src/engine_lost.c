/* The lost: who runs the release, and is silent by its own last word (docs/spec/rollout.md, section
 * 5). No restart, outage, step of the clock or moment between two stages counts for a word, so that
 * none of these hides who died.
 *
 * They are compared with all others, silent by their own last words as well. Where most of those
 * are, nothing can be told, and an operator decides: devices that sleep for days by turns look like
 * a region that is switched off together, of which nobody knows yet who comes back. */
#include "engine_internal.h"

#define PERMYRIAD 10000u
/* A device's word may be so much later than the step in which it is asked for. */
#define SLEW_S (SERIN_ENGINE_SLEW_MS / 1000u + 1u)

/* ---- counting ---- */

static uint64_t usual_silence_s(const struct serin_health *health)
{
    return (uint64_t)health->gap_s * SERIN_HEALTH_SILENT_GAPS;
}

/* One that seems to come from the future, but for the noise of a disciplined clock, is no word. */
static bool is_ahead(const struct serin_lost *lost, const struct serin_health *health)
{
    return health->beat_s > lost->now_s + SLEW_S;
}

static enum serin_word word_of(const struct serin_lost *lost, const struct serin_health *health)
{
    uint64_t usual_s = usual_silence_s(health);
    if (health->beats == 0) {
        return SERIN_WORD_NONE;
    }
    bool ahead = is_ahead(lost, health);
    if (!ahead && health->beat_s + usual_s >= lost->now_s) {
        return SERIN_WORD_HEARD;
    }
    bool before = ahead || health->beat_s < lost->asked_from_s;
    uint64_t heard_s = before ? lost->asked_from_s : health->beat_s;
    return heard_s + usual_s < lost->now_s ? SERIN_WORD_SILENT : SERIN_WORD_UNHEARD;
}

/* Who was silent before the rollout began is not its own: others, and who ran the release already.
 * Whoever accepted was heard then. */
static bool was_silent(const struct serin_lost *lost, const struct serin_member *member, bool other,
                       const struct serin_health *health)
{
    return (other || member->ran_before) &&
           health->beat_s + usual_silence_s(health) < lost->created_s;
}

enum serin_word serin_lost_count(const struct serin_lost *lost, struct serin_comparison *found,
                                 const struct serin_member *member,
                                 const struct serin_health *health, bool other)
{
    enum serin_word word = word_of(lost, health);
    if (word == SERIN_WORD_NONE) {
        return word;
    }
    if (word != SERIN_WORD_HEARD && was_silent(lost, member, other, health)) {
        found->ever_before += other ? 0 : 1;
        found->rest_before += other ? 1 : 0;
        return SERIN_WORD_NONE;
    }
    bool early = lost->asked_from_s + health->gap_s + health->gap_s / 4u >= lost->now_s;
    if (other) {
        found->rest++;
        found->rest_silent += word == SERIN_WORD_SILENT ? 1 : 0;
        found->rest_unheard += word == SERIN_WORD_UNHEARD && !early ? 1 : 0;
        return word;
    }
    found->ever_updated++;
    found->ever_silent += word == SERIN_WORD_SILENT ? 1 : 0;
    found->ever_unheard += word == SERIN_WORD_UNHEARD ? 1 : 0;
    found->ever_early += word == SERIN_WORD_UNHEARD && early ? 1 : 0;
    return word;
}

bool serin_lost_share(const struct serin_lost *lost, uint32_t *permyriad)
{
    if (lost->earlier == 0) {
        return false;
    }
    double most = serin_test_root(lost->earlier_lost + 0.375) + 1;
    *permyriad = serin_gates_share_permyriad(most * most, lost->earlier);
    return true;
}

/* What all others showed when they were last enough; and no more than earlier stages show since. */
static void keep_rest(const struct serin_lost *lost, struct serin_comparison *found,
                      const struct serin_comparison *last)
{
    uint32_t permyriad = PERMYRIAD;
    (void)serin_lost_share(lost, &permyriad);
    uint32_t most = (uint32_t)((uint64_t)last->rest * permyriad / PERMYRIAD);
    found->rest = last->rest;
    found->rest_silent = last->rest_silent < most ? last->rest_silent : most;
    found->rest_unheard = 0;
    found->rest_before = last->rest_before;
}

void serin_lost_settle(const struct serin_lost *lost, struct serin_comparison *found,
                       const struct serin_comparison *last, uint32_t minimum)
{
    if (found->rest < minimum && last->rest >= minimum) {
        keep_rest(lost, found, last);
    }
}

/* ---- judging ---- */

/* Some devices, and those of them that are silent, or not heard. */
struct part {
    uint32_t bad, of;
};

uint32_t serin_gates_lost(const struct serin_rollout *rollout)
{
    return rollout->comparison.ever_silent + rollout->comparison.ever_unheard;
}

static struct part updated_of(const struct serin_rollout *rollout)
{
    return (struct part){serin_gates_lost(rollout), rollout->comparison.ever_updated};
}

static struct part rest_of(const struct serin_rollout *rollout)
{
    const struct serin_comparison *c = &rollout->comparison;
    return (struct part){c->rest_silent + c->rest_unheard, c->rest};
}

/* Whether so many others are left that they tell what to expect; and whether by who is silent. */
static bool is_enough(const struct serin_rollout *rollout, const struct part *rest)
{
    return rest->of > 0 && rest->of >= rollout->policy.control_minimum;
}

static bool tells(const struct serin_rollout *rollout, const struct part *rest)
{
    return is_enough(rollout, rest) && rest->bad <= rest->of / 2u;
}

/* What others let expect: hundredths of a percent; too few of them nothing. */
static uint32_t expected_of(const struct serin_rollout *rollout, const struct part *rest)
{
    return is_enough(rollout, rest) ? serin_gates_share_permyriad(rest->bad, rest->of) : 0;
}

/* Whether more are lost than the limit and others let expect, by so many standard errors, or most.
 */
static bool is_beyond(const struct serin_rollout *rollout, const struct part *updated,
                      const struct part *rest, double errors)
{
    const struct serin_gate_policy *limit = &rollout->policy.gates[SERIN_GATE_SILENCE];
    uint32_t expected = expected_of(rollout, rest);
    double ratio = (double)updated->of / rest->of;
    return serin_gate_exceeds(limit, updated->bad, updated->of, expected) &&
           (serin_gates_most(updated->bad, updated->of, expected) ||
            serin_gates_unlikely(updated->bad, ratio * rest->bad, ratio, errors));
}

bool serin_gates_worse(const struct serin_rollout *rollout, enum serin_gate gate)
{
    /* Figures of silence and errors come and go with every beat; a failure stays one. */
    const struct serin_comparison *c = &rollout->comparison;
    bool silence = gate == SERIN_GATE_SILENCE;
    uint32_t bad = silence ? serin_gates_lost(rollout) : c->ever_unwell;
    uint32_t waived = silence ? rollout->waived_lost : rollout->waived_unwell;
    return bad > waived && serin_gate_above(&rollout->policy.gates[gate], bad - waived,
                                            silence ? c->ever_updated : c->ever_known);
}

void serin_lost_keep_waived(struct serin_rollout *rollout)
{
    uint32_t lost = serin_gates_lost(rollout);
    uint32_t unwell = rollout->comparison.ever_unwell;
    rollout->waived_lost = lost < rollout->waived_lost ? lost : rollout->waived_lost;
    rollout->waived_unwell = unwell < rollout->waived_unwell ? unwell : rollout->waived_unwell;
}

/* Where reports fail more often than the time to be heard is long, nobody is ever more than not
 * heard yet. */
bool serin_lost_unheard(const struct serin_rollout *rollout)
{
    const struct serin_comparison *c = &rollout->comparison;
    const struct serin_gate_policy *limit = &rollout->policy.gates[SERIN_GATE_SILENCE];
    struct part updated = updated_of(rollout);
    struct part rest = rest_of(rollout);
    return serin_gate_above(limit, c->ever_unheard, c->ever_updated) &&
           (serin_gate_above(limit, c->ever_early, c->ever_updated) || !tells(rollout, &rest) ||
            is_beyond(rollout, &updated, &rest, SERIN_FEW_ERRORS));
}

/* Why those hold that are lost by now: of the others too few are left, or so many are silent that
 * those tell nothing; or more are lost than of these. */
static enum serin_doubt doubt_of_lost(const struct serin_rollout *rollout,
                                      const struct part *updated, const struct part *rest)
{
    const struct serin_gate_policy *limit = &rollout->policy.gates[SERIN_GATE_SILENCE];
    if (!serin_gate_above(limit, updated->bad, updated->of)) {
        return SERIN_DOUBT_NONE;
    }
    if (!is_enough(rollout, rest)) {
        return SERIN_DOUBT_LOST;
    }
    if (!tells(rollout, rest)) {
        return SERIN_DOUBT_MOST;
    }
    return is_beyond(rollout, updated, rest, SERIN_HOLD_ERRORS) ? SERIN_DOUBT_LOST
                                                                : SERIN_DOUBT_NONE;
}

/* The same with those that ran the release when the rollout was created, and were silent already:
 * an earlier rollout may have put it on them. Others that were silent then stand beside them. On a
 * way back it is the release that was there before, and nobody doubts it: who was in a drawer when
 * the halted one came runs it, and none of the others can be. */
static bool before_holds(const struct serin_rollout *rollout, struct part *updated,
                         struct part *rest)
{
    const struct serin_comparison *c = &rollout->comparison;
    const struct serin_gate_policy *limit = &rollout->policy.gates[SERIN_GATE_SILENCE];
    *updated = updated_of(rollout);
    *rest = rest_of(rollout);
    updated->bad += c->ever_before;
    updated->of += c->ever_before;
    rest->bad += c->rest_before;
    rest->of += c->rest_before;
    if (rollout->policy.revert || c->ever_before == 0 ||
        !serin_gate_above(limit, updated->bad, updated->of)) {
        return false;
    }
    return !is_enough(rollout, rest) || is_beyond(rollout, updated, rest, SERIN_HOLD_ERRORS);
}

/* Nobody who ran the release and is silent by its own last word is passed over, whatever stage it
 * fell silent in, and however a restart, an outage or a moment between two stages made it seem: but
 * as many as others let expect, by as much as chance does. Half of them are no chance. */
bool serin_lost_holds(const struct serin_rollout *rollout, struct serin_trip *trip)
{
    struct part updated = updated_of(rollout);
    struct part rest = rest_of(rollout);
    enum serin_doubt doubt = doubt_of_lost(rollout, &updated, &rest);
    if (doubt == SERIN_DOUBT_NONE && before_holds(rollout, &updated, &rest)) {
        doubt = SERIN_DOUBT_BEFORE;
    }
    const struct serin_symptom s = {.bad = updated.bad,
                                    .of = updated.of,
                                    .control_bad = rest.bad,
                                    .expected_permyriad = expected_of(rollout, &rest)};
    serin_symptom_fill(trip, rollout, SERIN_GATE_SILENCE, &s);
    trip->control_of = rest.of;
    trip->doubt = doubt;
    return doubt != SERIN_DOUBT_NONE;
}
