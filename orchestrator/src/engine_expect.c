/* What the updated would show if the release changed nothing, put together from the control group
 * (docs/spec/rollout.md, section 5). */
#include "engine_internal.h"

/* A stratum or revision with fewer control devices says nothing of its own. */
#define STRATUM_CONTROL_MIN 3u
#define PERMYRIAD           10000u

static void expect(struct serin_expectation *sum, uint32_t updated,
                   const struct serin_stratum *from)
{
    double weight = (double)updated / (double)from->control;
    sum->silent += weight * (double)from->control_silent;
    sum->unwell += weight * (double)from->control_unwell;
    sum->spread += weight * (double)updated;
}

/* Strata with enough control devices stand for themselves, the rest of a revision for the revision,
 * and what is left for all. */
struct serin_expectation serin_gates_expect(const struct serin_members *members,
                                            const struct serin_stratum rows[SERIN_REVISION_ROWS],
                                            const struct serin_stratum *all)
{
    struct serin_expectation sum = {0};
    uint32_t left[SERIN_REVISION_ROWS] = {0};
    uint32_t rest = 0;
    for (uint32_t i = 0; i < SERIN_REVISION_ROWS; i++) {
        left[i] = rows[i].updated;
    }
    for (uint32_t i = 0; members->strata != NULL && i < members->stratum_count; i++) {
        const struct serin_stratum *stratum = &members->strata[i];
        if (stratum->updated > 0 && stratum->control >= STRATUM_CONTROL_MIN) {
            expect(&sum, stratum->updated, stratum);
            left[stratum->revision] -= stratum->updated;
        }
    }
    for (uint32_t i = 0; i < SERIN_REVISION_ROWS; i++) {
        if (left[i] > 0 && rows[i].control >= STRATUM_CONTROL_MIN) {
            expect(&sum, left[i], &rows[i]);
        } else {
            rest += left[i];
        }
    }
    if (rest > 0 && all->control > 0) {
        expect(&sum, rest, all);
    }
    return sum;
}

/* By Newton, from above: it falls until it is right, or as near as a double can be. */
static double root(double square)
{
    double guess = square > 1.0 ? square : 1.0;
    double last;
    do {
        last = guess;
        guess = (last + square / last) / 2.0;
    } while (guess < last);
    return last;
}

/* By how many hundredths of a standard error more show it than were expected, as of two Poisson
 * counts whose roots vary alike whatever they are (Huffman 1984): right for the few that it is
 * about, and cautious where many show it. `ratio` is the updated to the control group. */
uint32_t serin_gates_deviation(uint32_t bad, double expected, double ratio)
{
    double above = root((double)bad + 0.375) - root(expected + 0.375 * ratio);
    return above > 0 ? (uint32_t)(200.0 * above / root(1.0 + ratio)) : 0;
}

uint32_t serin_gates_share_permyriad(double part, uint32_t of)
{
    double share = part * PERMYRIAD / (double)of + 0.5;
    return share < PERMYRIAD ? (uint32_t)share : PERMYRIAD;
}

/* Whether `bad` are more than so many standard errors above what was expected, both counted as for
 * a deviation: √a − √b > √c, without the roots. `ratio` is the updated to the control group; 0: it
 * is a limit, and known. */
bool serin_gates_unlikely(uint32_t bad, double expected, double ratio, double errors)
{
    double a = (double)bad + 0.375;
    double b = expected + 0.375 * ratio;
    double c = errors * errors / 4.0 * (1.0 + ratio);
    double rest = a - b - c;
    return rest > 0 && rest * rest > 4.0 * b * c;
}

/* More than half show it, and twice as many as others let expect: however few they are, that is not
 * taken for chance. */
bool serin_gates_most(uint64_t bad, uint64_t of, uint32_t expected_permyriad)
{
    return 2u * bad > of && bad * PERMYRIAD > UINT64_C(2) * expected_permyriad * of;
}
