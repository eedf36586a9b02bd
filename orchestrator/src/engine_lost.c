/* The lost: who runs the release, and is silent by its own last word (docs/spec/rollout.md, section
 * 5). No restart, outage, step of the clock or moment between two stages counts for a word, so that
 * none of these hides who died.
 *
 * They are compared with all others, silent by their own last words as well. Where most of those
 * are, as devices that sleep for days, three usual gaps tell nothing: then it takes a longer
 * silence, and as much time to show it. */
#include "engine_internal.h"

#define PERMYRIAD 10000u
/* What the second span is longer than the first one, and each further one twice that. */
#define SLEEP_S 21600u
/* Of so many others one may be silent for three usual gaps before it takes a longer span. */
#define AWAKE_PART 4u
/* And one for that; and one has to be heard. */
#define SLEEP_PART 10u
/* And no fewer of the updated are heard than nine tenths of what others let expect. */
#define WELL_PART 9u
#define WELL_OF   10u
/* A device's word may be so much later than the step in which it is asked for. */
#define SLEW_S (SERIN_ENGINE_SLEW_MS / 1000u + 1u)

/* ---- counting ---- */

/* How long sleep lasts is no matter of how often a device beats while it is awake: the further
 * spans are longer than three usual gaps by the same for all. */
static uint64_t span_s(const struct serin_health *health, uint32_t span)
{
    uint64_t usual_s = (uint64_t)health->gap_s * SERIN_HEALTH_SILENT_GAPS;
    return usual_s + (span > 1 ? (uint64_t)SLEEP_S << (span - 2u) : 0);
}

/* One that seems to come from the future, but for the noise of a disciplined clock, is no word. */
static bool is_ahead(const struct serin_lost *lost, const struct serin_health *health)
{
    return health->beat_s > lost->now_s + SLEW_S;
}

static enum serin_word word_of(const struct serin_lost *lost, const struct serin_health *health)
{
    uint64_t usual_s = span_s(health, 1);
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

/* How many of the spans are over since a moment. */
static uint32_t spans_since(const struct serin_lost *lost, const struct serin_health *health,
                            uint64_t since_s)
{
    uint32_t spans = 0;
    while (spans < SERIN_ENGINE_SPANS_MAX && since_s + span_s(health, spans + 1u) < lost->now_s) {
        spans++;
    }
    return spans;
}

/* Who was silent before the rollout began is not its own: others, and who ran the release already.
 * Whoever accepted was heard then. */
static bool was_silent(const struct serin_lost *lost, const struct serin_member *member, bool other,
                       const struct serin_health *health)
{
    return (other || member->ran_before) && health->beat_s + span_s(health, 1) < lost->created_s;
}

static void count_other(struct serin_lost *lost, struct serin_comparison *found,
                        const struct serin_health *health, enum serin_word word, bool early)
{
    found->rest++;
    found->rest_silent += word == SERIN_WORD_SILENT ? 1 : 0;
    found->rest_unheard += word == SERIN_WORD_UNHEARD && !early ? 1 : 0;
    bool counts = word == SERIN_WORD_SILENT || (word == SERIN_WORD_UNHEARD && !early);
    uint64_t heard_s = is_ahead(lost, health) ? 0 : health->beat_s;
    lost->rest[counts ? spans_since(lost, health, heard_s) : 0]++;
}

enum serin_word serin_lost_count(struct serin_lost *lost, struct serin_comparison *found,
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
        count_other(lost, found, health, word, early);
        return word;
    }
    found->ever_updated++;
    found->ever_silent += word == SERIN_WORD_SILENT ? 1 : 0;
    found->ever_unheard += word == SERIN_WORD_UNHEARD ? 1 : 0;
    found->ever_early += word == SERIN_WORD_UNHEARD && early ? 1 : 0;
    if (word != SERIN_WORD_HEARD) {
        uint64_t heard_s = is_ahead(lost, health) ? 0 : health->beat_s;
        lost->ever[spans_since(lost, health, heard_s)]++;
        lost->young[spans_since(lost, health, member->since_s)]++;
    }
    return word;
}

static uint32_t sum(const uint32_t counts[SERIN_ENGINE_SPANS_MAX + 1u], uint32_t from, uint32_t end)
{
    uint32_t all = 0;
    for (uint32_t i = from; i < end; i++) {
        all += counts[i];
    }
    return all;
}

/* The shortest span after which a silence says something: the usual one, where no more than a
 * quarter of the others are silent for it; else one that hardly any of them are. 0: there is none.
 */
static uint32_t telling_span(const struct serin_lost *lost, uint32_t rest)
{
    const uint32_t end = SERIN_ENGINE_SPANS_MAX + 1u;
    if (sum(lost->rest, 1, end) <= rest / AWAKE_PART) {
        return 1;
    }
    uint32_t span = 2;
    while (span < end && sum(lost->rest, span, end) > rest / SLEEP_PART) {
        span++;
    }
    return span < end ? span : 0;
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
    found->rest_span = last->rest_span;
    found->rest_long = last->rest_long < most ? last->rest_long : most;
}

void serin_lost_settle(const struct serin_lost *lost, struct serin_comparison *found,
                       const struct serin_comparison *last, uint32_t minimum)
{
    if (found->rest < minimum && last->rest >= minimum) {
        keep_rest(lost, found, last);
    } else {
        found->rest_span = telling_span(lost, found->rest);
        found->rest_long = found->rest_span > 0
                               ? sum(lost->rest, found->rest_span, SERIN_ENGINE_SPANS_MAX + 1u)
                               : 0;
    }
    if (found->rest_span > 0) {
        found->ever_long = sum(lost->ever, found->rest_span, SERIN_ENGINE_SPANS_MAX + 1u);
        found->ever_young = sum(lost->young, 0, found->rest_span);
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

/* Whether hardly any of the others are heard, or fewer of the updated than those let expect. */
static bool few_are_heard(const struct part *updated, const struct part *rest)
{
    uint64_t well = updated->of - updated->bad;
    uint64_t rest_well = rest->of - rest->bad;
    return rest_well * SLEEP_PART < rest->of ||
           well * rest->of * WELL_OF < rest_well * updated->of * WELL_PART;
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

/* Where many of the others sleep, what is silent says little, and what was not heard since it was
 * updated may be dead: whether those had no time yet to be told from sleepers, or more of the
 * updated are silent for longer than those sleep. The figures are what was found. */
static enum serin_doubt doubt_of_sleepers(const struct serin_rollout *rollout, struct part *updated,
                                          struct part *rest)
{
    const struct serin_comparison *c = &rollout->comparison;
    const struct serin_gate_policy *limit = &rollout->policy.gates[SERIN_GATE_SILENCE];
    if (c->rest_span <= 1) {
        return SERIN_DOUBT_NONE;
    }
    if (serin_gate_above(limit, c->ever_young, c->ever_updated)) {
        updated->bad = c->ever_young;
        return SERIN_DOUBT_ASLEEP;
    }
    updated->bad = c->ever_long;
    rest->bad = c->rest_long;
    /* By less than elsewhere: who sleeps wakes up, and is another one each time that it is asked.
     */
    return is_beyond(rollout, updated, rest, SERIN_FEW_ERRORS) ? SERIN_DOUBT_LOST
                                                               : SERIN_DOUBT_NONE;
}

/* Why those hold that are lost by now: of the others too few are left, or so many are silent that
 * those who are not have to tell; or more are lost than of these. */
static enum serin_doubt doubt_of_lost(const struct serin_rollout *rollout,
                                      const struct part *updated, const struct part *rest)
{
    const struct serin_gate_policy *limit = &rollout->policy.gates[SERIN_GATE_SILENCE];
    if (!serin_gate_above(limit, updated->bad, updated->of)) {
        return SERIN_DOUBT_NONE;
    }
    if (is_enough(rollout, rest) && !tells(rollout, rest) && rollout->comparison.rest_span == 0) {
        return SERIN_DOUBT_MOST;
    }
    bool holds = !is_enough(rollout, rest) ||
                 (tells(rollout, rest) ? is_beyond(rollout, updated, rest, SERIN_HOLD_ERRORS)
                                       : few_are_heard(updated, rest));
    return holds ? SERIN_DOUBT_LOST : SERIN_DOUBT_NONE;
}

/* The same with those that ran the release when the rollout was created, and were silent already:
 * an earlier rollout may have put it on them. Others that were silent then stand beside them. */
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
    if (c->ever_before == 0 || !serin_gate_above(limit, updated->bad, updated->of)) {
        return false;
    }
    if (tells(rollout, rest)) {
        return is_beyond(rollout, updated, rest, SERIN_HOLD_ERRORS);
    }
    return !is_enough(rollout, rest) || few_are_heard(updated, rest);
}

/* Nobody who ran the release and is silent by its own last word is passed over, whatever stage it
 * fell silent in, and however a restart, an outage or a moment between two stages made it seem: but
 * as many as others let expect, by as much as chance does. Half of them are no chance. */
bool serin_lost_holds(const struct serin_rollout *rollout, struct serin_trip *trip)
{
    struct part updated = updated_of(rollout);
    struct part rest = rest_of(rollout);
    enum serin_doubt doubt = doubt_of_lost(rollout, &updated, &rest);
    if (doubt == SERIN_DOUBT_NONE) {
        doubt = doubt_of_sleepers(rollout, &updated, &rest);
    }
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
