/* Spells in which the network is dark, and whose time-out that excuses (docs/spec/rollout.md,
 * section 11).
 *
 * Whether a time-out is excused follows from when it came and from the silence of devices that do
 * not run the release, and from nothing that the device did: that is what the test's proof rests
 * on. A night that leaves a device most of its deadline to be heard in excuses nobody. */
#include "engine_internal.h"

#include <stdio.h>
#include <string.h>

/* Others are silent beyond chance where the number of those that have been for a usual gap more is
 * above this part of the accepted rate by two standard errors: roots of counts vary by a half,
 * whatever the counts are. Those of a shorter silence are heard again before any deadline. */
#define DARK_PART 4u
/* And no more of them would be silent than these standard errors above what was counted. */
#define SURE 3.0
/* A count's root is taken of so much more, so that few are judged as well as many (Anscombe 1948).
 */
#define ROOT_OFFSET 0.375
/* Between two comparisons so much may pass: darkness that is seen in both lasted in between. */
#define BETWEEN_S (2u * SERIN_COMPARE_MS / 1000u)
/* Darkness is seen when it lasts for so many usual gaps, and no later than that. */
#define SEEN_GAPS   (SERIN_HEALTH_SILENT_GAPS + 1u)
#define SEEN_MOST_S 43200u
/* More are excused than others explain, in hundredths of a standard error. */
#define HOLD_DEVIATION 300u
#define PERMYRIAD      10000u

/* One that was off for longer says no more of when the others fell silent. */
#define SILENCE_MOST_S 43200u

/* ---- what a comparison says ---- */

/* How long a device was silent while the watch ran, and whether that is only known from pieces. */
struct silence {
    uint64_t watch_s;
    bool pieced;
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Whether a device is silent for so many of its usual gaps that darkness is seen: since it was last
 * heard or everybody has to be heard anew, or in pieces, from one outage of reports to the next, in
 * which the watch stands. By the clock no less has passed than on the watch, unless it was set
 * back; by that most are told. */
static bool lasts(struct silence *silence, const struct serin_rollout *rollout,
                  const struct serin_health *health, uint64_t now_s)
{
    uint64_t span_s = (uint64_t)health->gap_s * SEEN_GAPS;
    uint64_t from_s = rollout->heard_from_ms / 1000u;
    bool ahead = health->beat_s > now_s;
    if (!ahead && now_s - health->beat_s <= span_s) {
        return false;
    }
    uint64_t watch_s = rollout->watch_ms / 1000u;
    uint64_t shown_s = ahead ? watch_s : serin_marks_shown_s(rollout, health->beat_s);
    uint64_t pieces_s = least(watch_s - shown_s, ahead ? 0 : now_s - health->beat_s);
    bool whole = serin_health_quiet(health, from_s, now_s, SEEN_GAPS);
    if (!whole && pieces_s <= span_s) {
        return false;
    }
    uint64_t heard_s = ahead || health->beat_s < from_s ? from_s : health->beat_s;
    uint64_t whole_s = now_s > heard_s ? now_s - heard_s : 0;
    uint64_t stood_s = rollout->stood_watch_ms / 1000u; /* the clock went on while it stood */
    uint64_t ran_s = watch_s > stood_s ? watch_s - stood_s : 0;
    whole_s = least(whole_s, ran_s);
    silence->watch_s = whole_s > pieces_s ? whole_s : pieces_s;
    silence->pieced = !whole;
    return true;
}

void serin_spells_count(struct serin_dark *dark, const struct serin_rollout *rollout,
                        const struct serin_health *health, uint64_t now_s)
{
    uint64_t long_s = rollout->policy.deadline_s / 4u * UINT64_C(3);
    struct silence silence = {0};
    dark->of++;
    if (!lasts(&silence, rollout, health, now_s)) {
        return;
    }
    dark->lasting++;
    dark->pieced += silence.pieced ? 1 : 0;
    dark->longs += health->beat_s <= serin_marks_heard_before_s(rollout, long_s) ? 1 : 0;
    dark->silence_s += silence.watch_s < SILENCE_MOST_S ? silence.watch_s : SILENCE_MOST_S;
    dark->gap_s += health->gap_s;
}

void serin_spells_note(struct serin_comparison *found, const struct serin_dark *others,
                       const struct serin_dark *confirmed, uint32_t minimum)
{
    const struct serin_dark *dark = others->of >= minimum ? others : confirmed;
    uint32_t lasting = dark->lasting > 0 ? dark->lasting : 1u;
    found->dark_of = dark->of;
    found->dark_lasting = dark->lasting;
    found->dark_pieced = dark->pieced;
    found->dark_long = dark->longs;
    found->dark_silence_s = (uint32_t)(dark->silence_s / lasting);
    found->dark_gap_s = (uint32_t)(dark->gap_s / lasting);
    found->control_lasting = others->lasting;
}

static double share(uint32_t permyriad)
{
    return permyriad / 10000.0;
}

static bool beyond_chance(uint32_t silent, double usual)
{
    return serin_test_root(silent + ROOT_OFFSET) - serin_test_root(usual + ROOT_OFFSET) > 1;
}

/* Of those whose silence is known from pieces as many may be well as outages can have kept from
 * being heard: all their beats came in one. */
static bool is_dark(const struct serin_rollout *rollout)
{
    const struct serin_comparison *c = &rollout->comparison;
    if (c->at_ms == 0 || c->dark_of < rollout->policy.control_minimum) {
        return false; /* nothing is known of the network */
    }
    double usual = share(rollout->policy.test.accepted_permyriad) / DARK_PART * c->dark_of;
    if (beyond_chance(c->dark_lasting - c->dark_pieced, usual)) {
        return true;
    }
    double missed = serin_outages_share(rollout, c->dark_gap_s, SEEN_GAPS) * c->dark_of;
    return c->dark_pieced > 0 && beyond_chance(c->dark_lasting, usual + missed);
}

/* The largest share that what was counted lets believe in. */
static uint32_t upper_permyriad(uint32_t silent, uint32_t of)
{
    double root = serin_test_root(silent + ROOT_OFFSET) + SURE / 2;
    double upper = root * root * PERMYRIAD / of + 1;
    return upper < PERMYRIAD ? (uint32_t)upper : PERMYRIAD;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The largest shares: of those silent at all, and of those silent for most of a deadline. */
static void note_shares(struct serin_rollout *rollout)
{
    const struct serin_comparison *c = &rollout->comparison;
    uint32_t seen = (uint32_t)((uint64_t)c->dark_lasting * PERMYRIAD / c->dark_of);
    rollout->silenced_stage_permyriad = larger(seen, rollout->silenced_stage_permyriad);
    rollout->silenced_permyriad =
        larger(upper_permyriad(c->dark_lasting, c->dark_of), rollout->silenced_permyriad);
    if (rollout->long_silent_of == 0 || (uint64_t)c->dark_long * rollout->long_silent_of >
                                            (uint64_t)rollout->long_silent * c->dark_of) {
        rollout->long_silent = c->dark_long;
        rollout->long_silent_of = c->dark_of;
    }
}

/* ---- the list of spells ---- */

/* Makes room for one more: the two that are least apart become one. */
static void make_room(struct serin_rollout *rollout)
{
    struct serin_spell *spells = rollout->spells;
    uint32_t least = 0;
    for (uint32_t i = 1; i + 1 < rollout->spell_count; i++) {
        if (spells[i + 1].from_s - spells[i].until_s <
            spells[least + 1].from_s - spells[least].until_s) {
            least = i;
        }
    }
    spells[least].lit_s +=
        spells[least + 1].lit_s + (spells[least + 1].from_s - spells[least].until_s);
    spells[least].until_s = spells[least + 1].until_s;
    spells[least].settled_s = spells[least + 1].settled_s;
    rollout->spell_count--;
    memmove(&spells[least + 1], &spells[least + 2],
            (rollout->spell_count - least - 1) * sizeof *spells);
}

/* The spell that goes on, or began when those that are silent were last heard. */
static struct serin_spell *spell_at(struct serin_rollout *rollout, uint32_t now_s)
{
    uint32_t from_s = now_s - smaller(rollout->comparison.dark_silence_s, now_s);
    if (rollout->spell_count > 0) {
        struct serin_spell *last = &rollout->spells[rollout->spell_count - 1];
        if (from_s <= (uint64_t)last->until_s + BETWEEN_S) {
            return last;
        }
    }
    if (rollout->spell_count == SERIN_ENGINE_SPELLS_MAX) {
        make_room(rollout);
    }
    struct serin_spell *spell = &rollout->spells[rollout->spell_count++];
    *spell = (struct serin_spell){.from_s = from_s};
    return spell;
}

bool serin_spells_compared(struct serin_rollout *rollout)
{
    const struct serin_comparison *c = &rollout->comparison;
    serin_marks_note(rollout);
    /* While the watch stands no deadline passes: whatever is dark then keeps nobody from it. */
    if (rollout->stood_watch_ms == rollout->watch_ms || !is_dark(rollout)) {
        return false;
    }
    uint32_t now_s = (uint32_t)(rollout->watch_ms / 1000u);
    struct serin_spell *spell = spell_at(rollout, now_s);
    uint64_t seen_s = (uint64_t)c->dark_gap_s * SEEN_GAPS + BETWEEN_S;
    spell->until_s = now_s;
    spell->settled_s = now_s + (uint32_t)(seen_s < SEEN_MOST_S ? seen_s : SEEN_MOST_S);
    note_shares(rollout);
    return true;
}

/* ---- whom they excuse ---- */

/* So much of a time is dark by a spell; of two in one, as much of it as of their whole. */
static uint64_t overlap(const struct serin_spell *spell, uint64_t from_s, uint64_t until_s)
{
    uint64_t whole_s = spell->until_s - spell->from_s;
    from_s = from_s > spell->from_s ? from_s : spell->from_s;
    until_s = until_s < spell->until_s ? until_s : spell->until_s;
    if (until_s <= from_s || spell->lit_s >= whole_s) {
        return 0;
    }
    return (until_s - from_s) * (whole_s - spell->lit_s) / whole_s;
}

enum serin_excuse serin_spells_excuse(const struct serin_rollout *rollout, uint32_t timed_out_s)
{
    uint64_t deadline_s = rollout->policy.deadline_s;
    uint64_t from_s = timed_out_s > deadline_s ? timed_out_s - deadline_s : 0;
    /* Two spells in one may be lit for a third of the time and still last. */
    uint64_t lasting_s = timed_out_s + deadline_s / 2u + deadline_s / 4u;
    uint64_t dark_s = 0;
    enum serin_excuse excuse = SERIN_EXCUSE_NONE;
    for (uint32_t i = 0; i < rollout->spell_count; i++) {
        const struct serin_spell *spell = &rollout->spells[i];
        dark_s += overlap(spell, from_s, timed_out_s);
        if (timed_out_s < spell->from_s || timed_out_s > spell->settled_s) {
            continue;
        }
        if (overlap(spell, timed_out_s, lasting_s) >= deadline_s / 2u) {
            return SERIN_EXCUSE_NETWORK;
        }
        if (spell->settled_s > rollout->counted_s) {
            excuse = SERIN_EXCUSE_OPEN;
        }
    }
    return 2u * dark_s >= deadline_s ? SERIN_EXCUSE_NETWORK : excuse;
}

/* The first that settles after the evidence was counted, in seconds; NEVER: none. */
static uint64_t settles_s(const struct serin_rollout *rollout)
{
    uint64_t first_s = NEVER;
    for (uint32_t i = 0; i < rollout->spell_count; i++) {
        uint32_t settled_s = rollout->spells[i].settled_s;
        if (settled_s > rollout->counted_s && settled_s < first_s) {
            first_s = settled_s;
        }
    }
    return first_s;
}

void serin_spells_settle(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    if (settles_s(rollout) <= rollout->watch_ms / 1000u) {
        serin_evidence_recount(rollout, step->members);
    }
}

uint64_t serin_spells_due_ms(const struct serin_rollout *rollout)
{
    uint64_t first_s = rollout->reasons[SERIN_REASON_DEADLINE] > 0 ? settles_s(rollout) : NEVER;
    return first_s == NEVER ? NEVER : first_s * 1000u;
}

/* ---- whether a stage may pass on excused time-outs ---- */

/* On the watch no more passes than by the clock: half a deadline ago or later is in its last half.
 * Where the watch stood meanwhile, that began before, and the first mark in it says when. */
bool serin_spells_heard(const struct serin_rollout *rollout, const struct serin_health *health)
{
    uint64_t now_s = rollout->last_ms / 1000u;
    uint64_t half_s = rollout->policy.deadline_s / 2u;
    uint64_t from_s = now_s > half_s ? now_s - half_s : 0;
    for (uint32_t i = rollout->mark_count; i > 0; i--) {
        const struct serin_mark *mark = &rollout->marks[i - 1];
        bool within = mark->watch_s + half_s >= rollout->watch_ms / 1000u;
        from_s = within && mark->at_s < from_s ? mark->at_s : from_s;
    }
    return health->beats > 0 && health->beat_s >= from_s && health->beat_s <= now_s;
}

static uint32_t stage_resolved(const struct serin_evidence *evidence)
{
    return evidence->stage_well + evidence->stage_failed + evidence->stage_silent;
}

/* More were heard late than may fail: the network did not keep these from their end. */
static bool too_many_heard(const struct serin_rollout *rollout)
{
    const struct serin_evidence *evidence = &rollout->evidence;
    double may = share(rollout->policy.test.accepted_permyriad) * stage_resolved(evidence);
    return serin_gates_deviation(evidence->stage_heard, may, 0) > HOLD_DEVIATION;
}

bool serin_spells_hold(const struct serin_rollout *rollout)
{
    const struct serin_evidence *evidence = &rollout->evidence;
    double resolved = stage_resolved(evidence);
    double of = rollout->long_silent_of > 0 ? rollout->long_silent_of : resolved;
    if (evidence->stage_silent == 0) {
        return false;
    }
    double rate = share(rollout->policy.test.accepted_permyriad) + rollout->long_silent / of;
    return too_many_heard(rollout) || serin_gates_deviation(evidence->stage_silent, rate * resolved,
                                                            resolved / of) > HOLD_DEVIATION;
}

void serin_spells_words(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout)
{
    const struct serin_evidence *evidence = &rollout->evidence;
    char but[64];
    if (too_many_heard(rollout)) {
        (void)snprintf(but, sizeof but, "%u of them were heard late in their deadline",
                       evidence->stage_heard);
    } else {
        (void)snprintf(but, sizeof but, "only %u of %u others are silent so long",
                       rollout->long_silent, rollout->long_silent_of);
    }
    (void)snprintf(out, SERIN_ROLLOUT_WHY_MAX,
                   "held: %u of %u timed out in a dark network, but %s; look at them; 'serin "
                   "rollout advance' goes on",
                   evidence->stage_silent, stage_resolved(evidence), but);
}
