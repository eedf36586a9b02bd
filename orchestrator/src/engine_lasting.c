/* Since when devices could be heard, and how long an excess lasts (docs/spec/rollout.md, section
 * 5).
 *
 * Devices that were updated together booted together, and beat together from then on; all others
 * beat whenever they do. Cut off at one moment, the former are therefore missed at one moment, and
 * the latter over a whole usual gap; and so it is when they are heard again. For so long the
 * updated may seem worse than the others for no reason of theirs. */
#include "engine_internal.h"

#define PERMYRIAD 10000u
/* Gaps shorter than this have a row each. */
#define ROWS_AN_OCTAVE 4u

/* ---- usual gaps ---- */

static uint32_t row_of(uint32_t gap_s)
{
    uint32_t row = 0;
    while (gap_s >= 2u * ROWS_AN_OCTAVE) {
        gap_s /= 2u;
        row += ROWS_AN_OCTAVE;
    }
    row += gap_s;
    return row < SERIN_GAP_ROWS ? row : SERIN_GAP_ROWS - 1u;
}

void serin_gaps_add(struct serin_gaps *gaps, uint32_t gap_s)
{
    uint32_t row = row_of(gap_s);
    gaps->count[row]++;
    gaps->longest_s[row] = gap_s > gaps->longest_s[row] ? gap_s : gaps->longest_s[row];
}

uint32_t serin_gaps_matter(const struct serin_gaps *gaps, uint64_t few)
{
    uint64_t sum = 0;
    for (uint32_t row = 0; row < SERIN_GAP_ROWS; row++) {
        sum += gaps->count[row];
        if (gaps->count[row] > 0 && sum > few) {
            return gaps->longest_s[row];
        }
    }
    return 0;
}

/* ---- how long ---- */

static struct serin_lasting *lasting_of(struct serin_rollout *rollout, enum serin_gate gate)
{
    return gate == SERIN_GATE_SILENCE ? &rollout->comparison.silent_lasting
                                      : &rollout->comparison.unwell_lasting;
}

void serin_gates_unsettle(struct serin_rollout *rollout, uint64_t now_ms)
{
    rollout->heard_from_ms = rollout->asked_from_ms = now_ms;
    rollout->comparison.silent_lasting.from_ms = 0;
    rollout->comparison.unwell_lasting.from_ms = 0;
}

/* Between two comparisons while an excess stands: as long as its usual gap, so that a fleet that
 * beats each minute waits for minutes. */
static uint64_t pause_ms(const struct serin_lasting *lasting)
{
    uint64_t gap_ms = (uint64_t)lasting->gap_s * 1000u;
    if (lasting->from_ms == 0 || gap_ms > SERIN_COMPARE_MS) {
        return SERIN_COMPARE_MS;
    }
    return gap_ms > SERIN_COMPARE_LEAST_MS ? gap_ms : SERIN_COMPARE_LEAST_MS;
}

uint64_t serin_gates_pause_ms(const struct serin_rollout *rollout)
{
    uint64_t silent_ms = pause_ms(&rollout->comparison.silent_lasting);
    uint64_t unwell_ms = pause_ms(&rollout->comparison.unwell_lasting);
    return silent_ms < unwell_ms ? silent_ms : unwell_ms;
}

bool serin_gates_lasts(const struct serin_rollout *rollout, enum serin_gate gate)
{
    const struct serin_comparison *c = &rollout->comparison;
    const struct serin_lasting *lasting =
        gate == SERIN_GATE_SILENCE ? &c->silent_lasting : &c->unwell_lasting;
    /* One comparison more, since what was due at its end may be a little late. */
    uint64_t whole_ms = (uint64_t)lasting->gap_s * 1000u + pause_ms(lasting);
    return lasting->from_ms != 0 && c->at_ms >= lasting->from_ms &&
           c->at_ms - lasting->from_ms >= whole_ms;
}

void serin_gates_go_on(struct serin_rollout *rollout, enum serin_gate gate,
                       const struct serin_lasting *before, const struct serin_gaps *gaps)
{
    const struct serin_comparison *c = &rollout->comparison;
    struct serin_lasting *lasting = lasting_of(rollout, gate);
    *lasting = (struct serin_lasting){.from_ms = 0};
    if (!serin_gates_exceeds(rollout, gate)) {
        return;
    }
    uint64_t expected =
        gate == SERIN_GATE_SILENCE ? c->expected_silent_permyriad : c->expected_unwell_permyriad;
    uint64_t allowed = rollout->policy.gates[gate].max_permyriad + expected;
    lasting->from_ms = before->from_ms != 0 ? before->from_ms : c->at_ms;
    lasting->gap_s = serin_gaps_matter(gaps, allowed * c->updated / PERMYRIAD);
}
