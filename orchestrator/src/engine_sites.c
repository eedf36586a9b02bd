/* Sites and revisions: failures that stand behind one gateway, or on one hardware revision, are
 * told apart from those of an image, and no stage passes on the word of one gateway alone
 * (docs/spec/rollout.md, section 6).
 *
 * The members are walked where they stand: a site has no record here, so that a fleet may have as
 * many gateways as devices. Each function walks at most twice over the members. */
#include "engine_internal.h"

#define CLUSTER_FAILURES_MIN 2u /* one failure says nothing of a site */
#define NAMED_FAILURES_MIN   2u
#define NAMED_PERCENT        80u

/* There are few revisions, and many devices of each: two failures are of the same one by chance
 * alone more often than not. A revision is blamed where chance would do it once in a hundred times.
 */
#define HARDWARE_CHANCE 0.01

static uint32_t site_of(const struct serin_members *members, uint32_t index)
{
    return members->site(members->sites, members->list[index].device);
}

static uint32_t hardware_of(const struct serin_members *members, uint32_t index)
{
    return members->hardware(members->sites, members->list[index].device);
}

static void count_end(struct serin_ends *ends, const struct serin_rollout *rollout,
                      const struct serin_member *member)
{
    bool failed = serin_member_failed(member);
    ends->resolved++;
    ends->failures += failed ? 1 : 0;
    ends->excused += failed && serin_gates_excuse(rollout, member) ? 1 : 0;
}

/* What members are told apart by: the gateway that they stand behind, or their revision; 0: neither
 * is known of them. */
typedef uint32_t (*kind_fn)(const struct serin_members *members, uint32_t index);

/* The only kind that more than half of the failures can be of: a failure of it adds to its lead and
 * one elsewhere takes away from it (Boyer and Moore). Direct devices pass for one here: where they
 * lead, no gateway has that many. */
static uint32_t most_failing(const struct serin_rollout *rollout,
                             const struct serin_members *members, kind_fn kind_of)
{
    uint32_t leader = 0;
    uint32_t lead = 0;
    /* Which of those that timed out the network has silenced is not known: where it explains not
     * all of them each counts. */
    bool explained = serin_rollout_left_out(rollout) == rollout->evidence.excused;
    for (uint32_t i = 0; i < rollout->tally.offered; i++) {
        const struct serin_member *member = &members->list[i];
        if (!serin_member_failed(member) || (explained && serin_gates_excuse(rollout, member))) {
            continue;
        }
        uint32_t kind = kind_of(members, i);
        if (lead == 0 || kind == leader) {
            leader = kind;
            lead++;
        } else {
            lead--;
        }
    }
    return leader;
}

/* Failures of the leading kind, and members of any other that have resolved, as gates count them.
 */
struct split {
    uint32_t kind, failures, elsewhere;
};

static struct split split_failures(const struct serin_rollout *rollout,
                                   const struct serin_members *members, kind_fn kind_of)
{
    struct split split = {.kind = most_failing(rollout, members, kind_of)};
    struct serin_ends elsewhere = {0};
    if (split.kind == 0) {
        return split;
    }
    for (uint32_t i = 0; i < rollout->tally.offered; i++) {
        const struct serin_member *member = &members->list[i];
        if (serin_member_resolved(member) && kind_of(members, i) != split.kind) {
            count_end(&elsewhere, rollout, member);
        }
    }
    elsewhere = serin_gates_count(rollout, &elsewhere);
    uint32_t all = serin_gates_failures(rollout);
    split.failures = all > elsewhere.failures ? all - elsewhere.failures : 0;
    split.elsewhere = elsewhere.resolved;
    return split;
}

struct serin_cluster serin_sites_cluster(const struct serin_rollout *rollout,
                                         const struct serin_members *members)
{
    struct serin_cluster cluster = {.site = SERIN_SITE_DIRECT};
    if (members->site != NULL) {
        struct split split = split_failures(rollout, members, site_of);
        cluster.site = split.kind;
        cluster.failures = split.failures;
        cluster.elsewhere = split.elsewhere;
    }
    if (members->hardware != NULL) {
        struct split split = split_failures(rollout, members, hardware_of);
        cluster.hardware = (uint16_t)split.kind;
        cluster.hardware_failures = split.failures;
        cluster.hardware_elsewhere = split.elsewhere;
    }
    return cluster;
}

static bool is_alone(const struct serin_rollout *rollout, uint32_t failures, uint32_t elsewhere)
{
    return failures >= CLUSTER_FAILURES_MIN && failures == serin_gates_failures(rollout) &&
           elsewhere >= failures;
}

bool serin_cluster_site_alone(const struct serin_rollout *rollout,
                              const struct serin_cluster *cluster)
{
    return is_alone(rollout, cluster->failures, cluster->elsewhere);
}

/* Whether so many failures among all that resolved would hardly all be of those who are not
 * elsewhere, if the image were as bad for all. */
static bool is_no_chance(uint32_t failures, uint32_t resolved, uint32_t elsewhere)
{
    double share = (double)(resolved - elsewhere) / resolved;
    double chance = 1;
    for (uint32_t i = 0; i < failures && chance > HARDWARE_CHANCE; i++) {
        chance *= share;
    }
    return chance <= HARDWARE_CHANCE;
}

bool serin_cluster_hardware_alone(const struct serin_rollout *rollout,
                                  const struct serin_cluster *cluster)
{
    return is_alone(rollout, cluster->hardware_failures, cluster->hardware_elsewhere) &&
           is_no_chance(cluster->hardware_failures, serin_gates_resolved(rollout),
                        cluster->hardware_elsewhere);
}

bool serin_cluster_alone(const struct serin_rollout *rollout, const struct serin_cluster *cluster)
{
    return serin_cluster_site_alone(rollout, cluster) ||
           serin_cluster_hardware_alone(rollout, cluster);
}

static bool is_named(const struct serin_rollout *rollout, uint64_t failures)
{
    uint64_t all = serin_gates_failures(rollout);
    return all >= NAMED_FAILURES_MIN && failures * 100u >= all * NAMED_PERCENT;
}

bool serin_cluster_named(const struct serin_rollout *rollout, const struct serin_cluster *cluster)
{
    return is_named(rollout, cluster->failures);
}

bool serin_cluster_hardware_named(const struct serin_rollout *rollout,
                                  const struct serin_cluster *cluster)
{
    /* Of a fleet of one revision it would say nothing. */
    return cluster->hardware_elsewhere > 0 && is_named(rollout, cluster->hardware_failures);
}

/* ---- the figures without one gateway ---- */

/* How far the gate is from tripping on so many, in hundredths of a percent of a device; below 0 its
 * ratio is exceeded. A failure takes at most 10,000 from it, and nothing else takes any. */
static int64_t margin_of(const struct serin_rollout *rollout, const struct serin_ends *counted)
{
    uint32_t limit = rollout->policy.gates[SERIN_GATE_FAILURES].max_permyriad;
    return (int64_t)limit * counted->resolved - INT64_C(10000) * counted->failures;
}

/* Whether the gate could trip at all if as many resolved members were left out as may ever stand
 * behind one gateway. Cheap: it is asked with every report of a fleet that is well. */
static bool could_trip(const struct serin_rollout *rollout, const struct serin_members *members)
{
    if (members->site == NULL) {
        return false;
    }
    struct serin_ends all = serin_gates_all(rollout);
    uint32_t most = members->site_most != NULL ? members->site_most(members->sites) : all.resolved;
    uint32_t least = most < all.resolved ? all.resolved - most : 0;
    all.resolved = least > all.failures ? least : all.failures;
    all = serin_gates_count(rollout, &all);
    return most > 0 && serin_gates_unjudged(rollout) > 0 && margin_of(rollout, &all) < 0;
}

/* Gateways that are counted apart. Whichever has more than a part in TOPS + 1 of the resolved
 * members is among them (Misra and Gries). */
#define TOPS 8u

/* Up to so many offered members are walked whenever the gate could trip; beyond, only when what was
 * found last does not rule it out any more. */
#define WALK_MAX 4096u
/* Where a gateway's absence would trip the gate but for its minimum, or but for one that has more,
 * the walk is repeated when so small a part has come to its end since. */
#define WALK_PART 32u
/* Devices may move from one gateway to another: what was found holds for so long. */
#define WALK_MS 300000u

struct top {
    uint32_t site, lead;
    struct serin_ends ends;
};

struct tops {
    struct top list[TOPS];
    uint32_t dropped; /* no other gateway has more resolved members */
};

static struct top *top_of(struct tops *tops, uint32_t site)
{
    struct top *empty = NULL;
    for (size_t i = 0; i < TOPS; i++) {
        struct top *top = &tops->list[i];
        if (top->lead > 0 && top->site == site) {
            return top;
        }
        empty = top->lead == 0 ? top : empty;
    }
    return empty;
}

static void vote(struct tops *tops, uint32_t site)
{
    struct top *top = top_of(tops, site);
    if (top != NULL) {
        top->site = site;
        top->lead++;
        return;
    }
    for (size_t i = 0; i < TOPS; i++) {
        tops->list[i].lead--;
    }
    tops->dropped++;
}

static void count_top(struct tops *tops, uint32_t site, const struct serin_rollout *rollout,
                      const struct serin_member *member)
{
    for (size_t i = 0; i < TOPS; i++) {
        struct top *top = &tops->list[i];
        if (top->lead > 0 && top->site == site) {
            count_end(&top->ends, rollout, member);
            return;
        }
    }
}

/* The gateways that most of the resolved members stand behind, and what stands behind them; direct
 * devices are passed over. */
static struct tops find_tops(const struct serin_rollout *rollout,
                             const struct serin_members *members)
{
    struct tops tops = {.dropped = 0};
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < rollout->tally.offered; i++) {
            const struct serin_member *member = &members->list[i];
            uint32_t site = serin_member_resolved(member) ? site_of(members, i) : SERIN_SITE_DIRECT;
            if (site == SERIN_SITE_DIRECT) {
                continue;
            }
            if (pass == 0) {
                vote(&tops, site);
            } else {
                count_top(&tops, site, rollout, member);
            }
        }
    }
    return tops;
}

/* What gates count where a gateway's members are left out. */
static struct serin_ends without(const struct serin_rollout *rollout, const struct serin_ends *site)
{
    struct serin_ends rest = serin_gates_all(rollout);
    rest.resolved -= site->resolved;
    rest.failures -= site->failures;
    rest.excused -= site->excused;
    rest.resolved = rest.resolved > rest.failures ? rest.resolved : rest.failures;
    return serin_gates_count(rollout, &rest);
}

static struct serin_sites_seen look(const struct serin_rollout *rollout,
                                    const struct serin_members *members)
{
    struct tops tops = find_tops(rollout, members);
    struct serin_ends ends = serin_gates_counted(rollout);
    struct serin_sites_seen seen = {
        .looked_ms = rollout->last_ms,
        .resolved = ends.resolved,
        .failures = ends.failures,
        .excused = rollout->evidence.excused,
    };
    struct serin_ends rest = without(rollout, &(struct serin_ends){.resolved = tops.dropped});
    uint32_t most = 0;
    seen.margin = margin_of(rollout, &rest);
    for (size_t i = 0; i < TOPS; i++) {
        const struct top *top = &tops.list[i];
        rest = without(rollout, &top->ends);
        int64_t margin = margin_of(rollout, &rest);
        seen.margin = margin < seen.margin ? margin : seen.margin;
        if (top->ends.resolved > most) {
            most = top->ends.resolved;
            seen.site = top->site;
            seen.rest_resolved = rest.resolved;
            seen.rest_failures = rest.failures;
        }
    }
    return seen;
}

/* Whether the rollout may leave its stage in this step. */
static bool may_pass(const struct serin_rollout *rollout)
{
    return !serin_stage_open(rollout) &&
           (rollout->state != SERIN_ROLLOUT_SOAKING || serin_soak_left_ms(rollout) == 0);
}

/* Whether what was found last may not be relied on any more. */
static bool is_stale(const struct serin_step *step)
{
    const struct serin_rollout *rollout = step->rollout;
    const struct serin_sites_seen *seen = &rollout->seen;
    struct serin_ends ends = serin_gates_counted(rollout);
    uint64_t resolved = ends.resolved;
    uint64_t failures = ends.failures;
    if (seen->resolved == 0 || seen->excused != rollout->evidence.excused ||
        resolved < seen->resolved || failures < seen->failures ||
        rollout->last_ms < seen->looked_ms || rollout->last_ms - seen->looked_ms >= WALK_MS) {
        return true;
    }
    bool passes = may_pass(rollout);
    if (passes && step->event->kind != SERIN_ROLLOUT_MEMBER) {
        return true;
    }
    uint64_t failed = failures - seen->failures;
    uint64_t more = resolved - seen->resolved + failed;
    if (seen->margin >= 0) {
        return failed * 10000u > (uint64_t)seen->margin;
    }
    return more * WALK_PART >= seen->resolved || (passes && more > 0);
}

void serin_sites_look(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    if (rollout->tally.offered > WALK_MAX && could_trip(rollout, step->members) && is_stale(step)) {
        rollout->seen = look(rollout, step->members);
    }
}

struct serin_without serin_sites_without(const struct serin_rollout *rollout,
                                         const struct serin_members *members)
{
    struct serin_sites_seen seen = {.site = SERIN_SITE_DIRECT};
    if (could_trip(rollout, members)) {
        seen = rollout->tally.offered > WALK_MAX ? rollout->seen : look(rollout, members);
    }
    if (seen.site == SERIN_SITE_DIRECT || seen.margin >= 0) {
        return (struct serin_without){.site = SERIN_SITE_DIRECT};
    }
    return (struct serin_without){
        .site = seen.site, .resolved = seen.rest_resolved, .failures = seen.rest_failures};
}

/* ---- a stage behind one gateway ---- */

/* The gateway behind which all offered members stand that `counts` takes; SERIN_SITE_DIRECT where
 * they speak for themselves, have several, or are none. */
static uint32_t only_site(const struct serin_rollout *rollout, const struct serin_members *members,
                          bool (*counts)(const struct serin_member *member))
{
    uint32_t only = SERIN_SITE_DIRECT;
    for (uint32_t i = 0; i < rollout->tally.offered; i++) {
        if (!counts(&members->list[i])) {
            continue;
        }
        uint32_t site = site_of(members, i);
        if (site == SERIN_SITE_DIRECT || (only != SERIN_SITE_DIRECT && site != only)) {
            return SERIN_SITE_DIRECT;
        }
        only = site;
    }
    return only;
}

bool serin_sites_lone(const struct serin_rollout *rollout, const struct serin_members *members,
                      bool (*counts)(const struct serin_member *member), struct serin_lone *lone)
{
    uint32_t only = members->site != NULL ? only_site(rollout, members, counts) : SERIN_SITE_DIRECT;
    if (only == SERIN_SITE_DIRECT) {
        return false;
    }
    uint32_t end = members->count;
    if (end - rollout->tally.offered > SERIN_ENGINE_ELSEWHERE_MAX) {
        end = rollout->tally.offered + SERIN_ENGINE_ELSEWHERE_MAX;
    }
    for (uint32_t i = rollout->tally.offered; i < end; i++) {
        if (serin_member_in_reach(&members->list[i]) && site_of(members, i) != only) {
            *lone = (struct serin_lone){.site = only, .count = i + 1u - rollout->tally.offered};
            return true;
        }
    }
    return false;
}
