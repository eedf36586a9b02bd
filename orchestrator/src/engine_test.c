/* The sequential test: when the failures so far speak against an image, and when a stage has shown
 * enough (docs/spec/rollout.md, section 11: the statistics, their proof and their sources).
 *
 * Evidence is kept by blocks of members in order of rank, which is the order of exposure. A device
 * that was offered it and has not failed counts as well, so that the halt statistic never exceeds
 * what is to be expected of it once all are resolved: it holds its error bound whatever the order
 * in which outcomes arrive. It follows that it grows with failures only, and is computed only then.
 *
 * Doubles, without the C library's mathematics: every operation is exactly defined by IEEE 754, so
 * that a restart, another machine and a simulation decide the same. */
#include "engine_internal.h"

#include <stdio.h>
#include <string.h>

/* Shares of the halt statistic: the whole rollout as one sample; the same with what silence says
 * beyond the network's; against the rate half way between both, which gathers more over a stage;
 * against one that is far worse than the rejected rate; and a change of luck at any block, spread
 * evenly over them. */
#define WEIGHT_WHOLE   0.4
#define WEIGHT_SILENCE 0.1
#define WEIGHT_MIDDLE  0.3
#define WEIGHT_GROSS   0.1
#define WEIGHT_RESTART 0.1

/* What a product of many ratios is kept within: beyond it nothing is decided otherwise. */
#define LN_MOST 575.0
#define MOST    1e250

/* Of the share that falls silent by itself so much is left that a silent device says something. */
#define KNOWN_MOST 0.9

#define LN2 0.693147180559945309417

/* Natural logarithm of x > 0, by halving into [2/3, 4/3) and the series of artanh. */
static double ln(double x)
{
    double halvings = 0;
    while (x >= 4.0 / 3.0) {
        x /= 2;
        halvings++;
    }
    while (x < 2.0 / 3.0) {
        x *= 2;
        halvings--;
    }
    double y = (x - 1) / (x + 1);
    double power = y;
    double sum = 0;
    for (int i = 1; i < 26; i += 2) {
        sum += power / i;
        power *= y * y;
    }
    return 2 * sum + halvings * LN2;
}

/* e to the power of x, within e^±LN_MOST. */
static double power_of_e(double x)
{
    x = x > LN_MOST ? LN_MOST : x < -LN_MOST ? -LN_MOST : x;
    int doublings = (int)(x / LN2);
    double rest = x - doublings * LN2;
    double term = 1;
    double sum = 1;
    for (int i = 1; i < 18; i++) {
        term *= rest / i;
        sum += term;
    }
    double base = doublings < 0 ? 0.5 : 2;
    for (unsigned n = (unsigned)(doublings < 0 ? -doublings : doublings); n > 0; n >>= 1) {
        sum = n % 2 != 0 ? sum * base : sum;
        base *= base;
    }
    return sum;
}

double serin_test_root(double x)
{
    double root = 1;
    for (int i = 0; i < 40; i++) {
        root = (root + x / root) / 2;
    }
    return root;
}

/* ---- what one device's outcome weighs ---- */

/* Natural logarithms of the likelihood ratio, rejected over accepted rate, of one outcome. */
struct weights {
    double failed, silent, well;
};

static double share(uint32_t permyriad)
{
    return permyriad / 10000.0;
}

/* Where the network silences devices by itself, one that fell silent says nothing: it may be a
 * failure or not, and the others are judged as though it were not there. Where it silences none
 * silence is a failure as any other. Either way the ratio's mean is 1 at the accepted rate. */
static struct weights weigh(double accepted, double rejected, bool silences)
{
    double failed = ln(rejected / accepted);
    return (struct weights){
        .failed = failed,
        .silent = silences ? 0 : failed,
        .well = ln((1 - rejected) / (1 - accepted)),
    };
}

/* A device that fell silent may be the network's, at the rate `q`. What well ones weigh is chosen
 * so that the ratio's mean is 1 at the accepted rate even if every failure is told. */
static struct weights weigh_silence(double accepted, double rejected, double q)
{
    double room = KNOWN_MOST - 2 * rejected;
    q = q < room ? q : room < 0 ? 0 : room;
    double silent = (rejected + q) / (accepted + q);
    return (struct weights){
        .failed = ln(rejected / accepted),
        .silent = ln(silent),
        .well = ln((1 - rejected - q * silent) / (1 - accepted - q)),
    };
}

/* What a stage is accepted on: well devices weigh no more than without a network that silences. */
static struct weights weigh_stage(const struct serin_rollout *rollout)
{
    double accepted = share(rollout->policy.test.accepted_permyriad);
    double rejected = share(rollout->policy.test.rejected_permyriad);
    double q = share(rollout->silenced_stage_permyriad);
    struct weights weights = weigh_silence(accepted, rejected, q);
    weights.well = ln((1 - rejected) / (1 - accepted));
    return weights;
}

static double ln_accept(const struct serin_test_policy *test)
{
    return ln(share(test->beta_permyriad) / (1 - share(test->alpha_permyriad)));
}

static double reject_at(const struct serin_rollout *rollout)
{
    return 10000.0 / rollout->policy.test.alpha_permyriad;
}

/* ---- blocks ---- */

/* Blocks are eight to an octave, of at least 8 members and of at most a power of two that is about
 * a hundredth of the population, so that SERIN_ENGINE_BLOCKS_MAX are enough for three million; the
 * last block takes whatever is beyond. */
#define BLOCK_BITS_MIN   3u
#define BLOCKS_LINEAR    96u
#define OCTAVE_BITS      3u
#define FIRST_OCTAVE     (BLOCK_BITS_MIN + OCTAVE_BITS)
#define BLOCKS_AN_OCTAVE (1u << OCTAVE_BITS)

static uint32_t widest_bits(uint32_t population)
{
    uint32_t bits = BLOCK_BITS_MIN;
    while ((UINT64_C(1) << bits) * BLOCKS_LINEAR < population) {
        bits++;
    }
    return bits;
}

uint32_t serin_test_block(uint32_t population, uint32_t index)
{
    uint32_t widest = widest_bits(population);
    uint32_t bits = BLOCK_BITS_MIN;
    while (bits < widest && index >> (bits + OCTAVE_BITS + 1u) != 0) {
        bits++;
    }
    /* Octaves before this one have eight blocks each, and so has what precedes the first. */
    uint32_t start = UINT32_C(1) << (bits + OCTAVE_BITS);
    uint32_t block =
        index < start ? index >> BLOCK_BITS_MIN
                      : BLOCKS_AN_OCTAVE * (bits - BLOCK_BITS_MIN + 1u) + ((index - start) >> bits);
    return block < SERIN_ENGINE_BLOCKS_MAX ? block : SERIN_ENGINE_BLOCKS_MAX - 1u;
}

/* ---- the halt statistic ---- */

/* Failures that are not there yet, by block: of devices that were offered it, which are well so
 * far, and of others, which would be first. */
struct further {
    uint32_t exposed[SERIN_ENGINE_BLOCKS_MAX];
    uint32_t others[SERIN_ENGINE_BLOCKS_MAX];
    uint32_t last; /* the last block with any */
};

/* What it would be with further failures; NULL: none. */
static double against(const struct serin_rollout *rollout, const struct further *further)
{
    const struct serin_evidence *evidence = &rollout->evidence;
    double accepted = share(rollout->policy.test.accepted_permyriad);
    double rejected = share(rollout->policy.test.rejected_permyriad);
    /* The most that was ever seen: who timed out while many were silent did so then. */
    double q = share(rollout->silenced_permyriad);
    struct weights w = weigh(accepted, rejected, q > 0);
    struct weights silence = weigh_silence(accepted, rejected, q);
    struct weights middle = weigh(accepted, (accepted + rejected) / 2, q > 0);
    struct weights gross = weigh(accepted, serin_test_root(rejected), q > 0);
    uint32_t offered = rollout->tally.offered;
    uint32_t last = serin_test_block(evidence->population, offered > 0 ? offered - 1 : 0);
    last = further != NULL && further->last > last ? further->last : last;
    uint32_t blocks = serin_test_block(evidence->population, evidence->population) + 1;
    double restarts = 0;
    double silence_ln = 0;
    double middle_ln = 0;
    double gross_ln = 0;
    for (uint32_t i = 0; i <= last; i++) {
        uint32_t others = further != NULL ? further->others[i] : 0;
        double failed = evidence->failed[i] + others + (further != NULL ? further->exposed[i] : 0u);
        double silent = evidence->silent[i];
        double well = evidence->exposed[i] + others - failed - silent;
        double ratio = power_of_e(failed * w.failed + silent * w.silent + well * w.well);
        silence_ln += failed * silence.failed + silent * silence.silent + well * silence.well;
        middle_ln += failed * middle.failed + silent * middle.silent + well * middle.well;
        gross_ln += failed * gross.failed + silent * gross.silent + well * gross.well;
        restarts = (restarts + (i == 0 ? WEIGHT_WHOLE : WEIGHT_RESTART / blocks)) * ratio;
        restarts = restarts > MOST ? MOST : restarts;
    }
    return restarts + WEIGHT_SILENCE * power_of_e(silence_ln) +
           WEIGHT_MIDDLE * power_of_e(middle_ln) + WEIGHT_GROSS * power_of_e(gross_ln);
}

/* The natural logarithm of the stage's own ratio, with so many of its devices well. */
static double stage_ln(const struct serin_rollout *rollout, double well)
{
    const struct serin_evidence *evidence = &rollout->evidence;
    struct weights w = weigh_stage(rollout);
    return evidence->stage_failed * w.failed + evidence->stage_silent * w.silent + well * w.well;
}

/* The number of well devices that takes the stage's ratio down to `to_ln`. */
static uint32_t well_for(const struct serin_rollout *rollout, double to_ln)
{
    double well = (stage_ln(rollout, 0) - to_ln) / -weigh_stage(rollout).well;
    return well < UINT32_MAX - 1.0 ? (uint32_t)well + 1 : UINT32_MAX;
}

void serin_test_update(struct serin_rollout *rollout)
{
    struct serin_evidence *evidence = &rollout->evidence;
    evidence->against = against(rollout, NULL);
    evidence->stage_need = well_for(rollout, ln_accept(&rollout->policy.test));
    bool failed = evidence->stage_failed + evidence->stage_silent > 0;
    evidence->stage_even = failed ? well_for(rollout, 0) : 0;
}

/* ---- what it decides ---- */

/* Whether anybody failed that no judgement of a gateway's or a revision's failures has seen, also
 * in silence: that weighs, too. */
static bool any_unjudged(const struct serin_rollout *rollout)
{
    return rollout->judging_watch_s != 0 ? rollout->evidence.unjudged > 0
                                         : serin_tally_failures(&rollout->tally) > rollout->judged;
}

bool serin_test_trips(const struct serin_rollout *rollout)
{
    return rollout->evidence.against >= reject_at(rollout) && any_unjudged(rollout);
}

bool serin_test_accepts(const struct serin_rollout *rollout)
{
    return rollout->evidence.stage_well >= rollout->evidence.stage_need;
}

bool serin_test_small(const struct serin_rollout *rollout)
{
    const struct serin_evidence *evidence = &rollout->evidence;
    double resolved =
        (double)evidence->stage_well + evidence->stage_failed + evidence->stage_silent;
    return resolved * weigh_stage(rollout).well > ln_accept(&rollout->policy.test);
}

bool serin_test_holds(const struct serin_rollout *rollout)
{
    if (serin_test_accepts(rollout)) {
        return false; /* not as it once was: failures may take longer to show than successes */
    }
    if (!serin_test_small(rollout)) {
        return true;
    }
    return rollout->policy.test.small_stages_hold ||
           stage_ln(rollout, rollout->evidence.stage_well) > 0;
}

bool serin_test_leans(const struct serin_rollout *rollout)
{
    return rollout->evidence.stage_well < rollout->evidence.stage_even;
}

/* ---- for people ---- */

#define PERCENT(permyriad) (permyriad) / 100u, (permyriad) % 100u

/* Those of the stage that the network excuses, or may; "": there are none. */
#define SILENT_MAX 24u
static void write_silent(char out[SILENT_MAX], const struct serin_evidence *evidence)
{
    (void)snprintf(out, SILENT_MAX, ", %u silent", evidence->stage_silent);
    if (evidence->stage_silent == 0) {
        out[0] = '\0';
    }
}

void serin_test_words_hold(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                           const struct serin_members *members)
{
    const struct serin_evidence *evidence = &rollout->evidence;
    const struct serin_test_policy *test = &rollout->policy.test;
    char silent[SILENT_MAX];
    write_silent(silent, evidence);
    (void)snprintf(out, SERIN_ROLLOUT_WHY_MAX,
                   "held: %u resolved, %u failed%s: undecided between %u.%02u %% and %u.%02u %%%s",
                   evidence->stage_well + evidence->stage_failed + evidence->stage_silent,
                   evidence->stage_failed, silent, PERCENT(test->accepted_permyriad),
                   PERCENT(test->rejected_permyriad),
                   serin_test_small(rollout) ? ", the stage is small" : "");
    /* Where one gateway or revision stands out, that is to be looked at before anything else. */
    if (!serin_words_cluster_held(out, rollout, members)) {
        size_t size = strlen(out);
        (void)snprintf(out + size, SERIN_ROLLOUT_WHY_MAX - size,
                       "; 'serin rollout advance' goes on without proof");
    }
}

void serin_test_words_halt(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                           const struct serin_members *members)
{
    const struct serin_test_policy *test = &rollout->policy.test;
    double chances = rollout->evidence.against < 1e6 ? rollout->evidence.against : 1e6;
    char silent[SERIN_SILENT_TEXT_MAX];
    serin_words_silent(silent, serin_rollout_left_out(rollout));
    (void)snprintf(out, SERIN_ROLLOUT_WHY_MAX, "halted: %u of %u resolved failed",
                   serin_gates_failures(rollout), serin_gates_resolved(rollout));
    serin_words_cluster(out, rollout, members);
    size_t size = strlen(out);
    (void)snprintf(out + size, SERIN_ROLLOUT_WHY_MAX - size,
                   "%s (test: %u.%02u %% rather than %u.%02u %%, chances %.0f to 1, limit %.0f): "
                   "%s",
                   silent, PERCENT(test->rejected_permyriad), PERCENT(test->accepted_permyriad),
                   chances, reject_at(rollout), serin_reason_word(serin_words_commonest(rollout)));
}

void serin_test_words_accept(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout)
{
    const struct serin_evidence *evidence = &rollout->evidence;
    const struct serin_test_policy *test = &rollout->policy.test;
    char silent[SILENT_MAX];
    write_silent(silent, evidence);
    (void)snprintf(
        out, SERIN_ROLLOUT_WHY_MAX,
        "stage %u: %u well, %u failed%s: below %u.%02u %%, but for a chance of %u.%02u %%, "
        "if it stays so",
        rollout->stage, evidence->stage_well, evidence->stage_failed, silent,
        PERCENT(test->rejected_permyriad), PERCENT(test->beta_permyriad));
}

/* Failures that are tried for `more_failures`; more are not worth counting. */
#define MORE_MAX SERIN_ENGINE_MORE_MAX

/* The blocks of the devices that can still fail, the last in rank first: a failure that comes later
 * in rank weighs no less, as every term of the statistic that an earlier one is in has it too. */
struct next_failures {
    uint32_t exposed[MORE_MAX], others[MORE_MAX];
    uint32_t exposed_count, others_count;
    uint32_t silent_count; /* of the others, those that were offered it */
};

static void note_block(uint32_t blocks[MORE_MAX], uint32_t *count, uint32_t block)
{
    if (*count < MORE_MAX) {
        blocks[(*count)++] = block;
    }
}

/* Those who failed in an attempt before are failures already, whatever becomes of this one. Once
 * all that were offered have failed it is those who come next in rank, and then joiners. */
static void find_next_failures(const struct serin_rollout *rollout,
                               const struct serin_members *members, struct next_failures *found)
{
    uint32_t population = rollout->evidence.population;
    found->exposed_count = found->others_count = 0;
    for (uint32_t i = rollout->tally.offered; i-- > 0;) {
        const struct serin_member *member = &members->list[i];
        bool exposed =
            member->state == SERIN_STATE_IDLE ||
            (member->state >= SERIN_STATE_PENDING && member->state <= SERIN_STATE_CONFIRMED);
        if (member->failed_before || member->silent_before || member->ran_before) {
            continue;
        }
        uint32_t block = serin_test_block(population, i);
        if (exposed) {
            note_block(found->exposed, &found->exposed_count, block);
        } else if (member->state == SERIN_STATE_UNREACHED) {
            note_block(found->others, &found->others_count, block);
        }
    }
    found->silent_count = found->others_count;
    for (uint32_t i = rollout->tally.offered; found->others_count < MORE_MAX; i++) {
        note_block(found->others, &found->others_count, serin_test_block(population, i));
    }
}

/* Whether so many further failures halt it, whichever of the devices they are of. */
static bool halts_with(const struct serin_rollout *rollout, const struct next_failures *next,
                       uint32_t more)
{
    struct further further = {.last = 0};
    for (uint32_t i = 0; i < more; i++) {
        further.others[next->others[i]]++;
        further.last = next->others[i] > further.last ? next->others[i] : further.last;
    }
    for (uint32_t i = 0;; i++) {
        /* Nobody new comes before all that were offered it have failed. */
        bool may_be = more - i <= next->silent_count || i == next->exposed_count;
        if (may_be && against(rollout, &further) >= reject_at(rollout)) {
            return true;
        }
        if (i == more || i == next->exposed_count) {
            return false;
        }
        further.others[next->others[more - 1 - i]]--;
        further.exposed[next->exposed[i]]++;
    }
}

/* The least number that halts it; MORE_MAX stands for more as well. */
static uint32_t more_failures(const struct serin_rollout *rollout,
                              const struct serin_members *members)
{
    struct next_failures next;
    if (!serin_rollout_traits(rollout->state)->gate || serin_test_trips(rollout)) {
        return 0;
    }
    find_next_failures(rollout, members, &next);
    uint32_t low = 1;
    uint32_t high = MORE_MAX;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (halts_with(rollout, &next, middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static int32_t thousandths(double x)
{
    return (int32_t)(x > 1e6 ? 1e9 : x < -1e6 ? -1e9 : 1000 * x);
}

void serin_rollout_test(const struct serin_rollout *rollout, const struct serin_members *members,
                        struct serin_test_view *view)
{
    const struct serin_evidence *evidence = &rollout->evidence;
    double now = against(rollout, NULL);
    *view = (struct serin_test_view){
        .against = thousandths(now > 0 ? ln(now) : -LN_MOST),
        .reject_at = thousandths(ln(reject_at(rollout))),
        .leaning = thousandths(stage_ln(rollout, evidence->stage_well)),
        .accept_at = thousandths(ln_accept(&rollout->policy.test)),
        .resolved = serin_tally_resolved(&rollout->tally),
        .failed = serin_tally_failures(&rollout->tally),
        .more_failures = more_failures(rollout, members),
    };
}
