/* The comparison: how those that were updated are, beside those that were not offered the release
 * yet (docs/spec/rollout.md, section 5).
 *
 * One walk over the members counts both groups by stratum (a place that the caller gives to devices
 * of the same hardware and site), by hardware revision, and in all. What the updated would show if
 * the release changed nothing is then put together from the smallest group of theirs that has
 * enough control devices. */
#include "engine_internal.h"

#include <string.h>

#define PERMYRIAD 10000u
/* Members stand by rank, their health by number: what is known of one is asked for in memory so
 * many members before it is looked at. */
#define AHEAD 16u

/* Silence or errors of the updated, by the gateway that more than half of those who show it can
 * stand behind (Boyer and Moore), and what is behind it. */
struct majority {
    uint32_t leader, lead;
};

struct walk {
    const struct serin_rollout *rollout;
    const struct serin_members *members;
    uint64_t now_s, opened_s, heard_from_s;
    struct serin_comparison found;
    struct majority silent, unwell;
    struct serin_dark others, confirmed; /* who may say whether the network is dark */
    struct serin_lost lost;
    struct serin_gaps silent_gaps, unwell_gaps; /* of the updated that show it */
    uint32_t revisions;                         /* rows in use */
    uint16_t revision[SERIN_REVISION_ROWS];
    struct serin_stratum rows[SERIN_REVISION_ROWS]; /* the figures by revision */
    struct serin_stratum all;
};

enum role { ROLE_NONE, ROLE_GONE, ROLE_UPDATED, ROLE_CONTROL };

/* What a member is to the comparison. Who ended on another image than the candidate is judged by
 * its report, not by its beats; and who was offered it and did not accept is neither: mostly those
 * are the devices that nobody can reach, so that they would make silence look usual. */
static enum role role_of(const struct serin_rollout *rollout, const struct serin_member *member,
                         uint32_t index)
{
    if (index >= rollout->tally.offered) {
        return member->state == SERIN_STATE_IDLE ? ROLE_CONTROL : ROLE_NONE;
    }
    switch ((enum serin_state)member->state) {
    case SERIN_STATE_PENDING:
    case SERIN_STATE_DOWNLOADING:
    case SERIN_STATE_VERIFYING:
    case SERIN_STATE_STAGED:
    case SERIN_STATE_TRIAL:
    case SERIN_STATE_CONFIRMED:
    case SERIN_STATE_TIMED_OUT:
    case SERIN_STATE_REGRESSED:
        return ROLE_UPDATED;
    case SERIN_STATE_ROLLED_BACK:
    case SERIN_STATE_FAILED:
    case SERIN_STATE_REVERTED:
    case SERIN_STATE_REJECTED:
    case SERIN_STATE_SUPERSEDED:
    case SERIN_STATE_CANCELLED:
        return ROLE_GONE;
    case SERIN_STATE_IDLE:
    case SERIN_STATE_UNREACHED:
    case SERIN_STATE_INVALID:
    case SERIN_STATE_COUNT:
        break;
    }
    return ROLE_NONE;
}

/* ---- the walk ---- */

static uint32_t revision_row(struct walk *walk, uint32_t device)
{
    const struct serin_members *members = walk->members;
    if (members->hardware == NULL) {
        return 0;
    }
    uint16_t revision = members->hardware(members->sites, device);
    uint32_t row = 0;
    while (row < walk->revisions && walk->revision[row] != revision) {
        row++;
    }
    if (row == walk->revisions && row < SERIN_REVISION_ROWS - 1u) {
        walk->revision[walk->revisions++] = revision;
    }
    return row; /* beyond those in use: the row of all others */
}

static void add(struct serin_stratum *to, enum role role, bool silent, bool unwell)
{
    if (role == ROLE_UPDATED) {
        to->updated++;
        return;
    }
    to->control++;
    to->control_silent += silent ? 1 : 0;
    to->control_unwell += unwell ? 1 : 0;
}

static void vote(struct majority *majority, uint32_t site)
{
    if (majority->lead == 0) {
        majority->leader = site;
    }
    majority->lead = site == majority->leader ? majority->lead + 1 : majority->lead - 1;
}

static uint32_t site_of(const struct serin_members *members, uint32_t device)
{
    return members->site != NULL ? members->site(members->sites, device) : SERIN_SITE_DIRECT;
}

/* Whether nothing was heard of a device for long, though it could have been. */
static bool is_silent(const struct walk *walk, const struct serin_health *health)
{
    return serin_health_quiet(health, walk->heard_from_s, walk->now_s, SERIN_HEALTH_SILENT_GAPS);
}

/* Whether what is known of a device is a past to measure it by. Where the caller lost that of an
 * updated one, what it learned since may be of the hours in which it was kept awake by its update.
 * Who came to its end within the deadline may have accepted before. */
static bool has_past(const struct serin_rollout *rollout, const struct serin_member *member,
                     const struct serin_health *health, enum role role)
{
    bool lost = role != ROLE_CONTROL && health->lost_s != 0 && member->since_s != 0 &&
                member->since_s < (uint64_t)health->lost_s + rollout->policy.deadline_s;
    return serin_health_known(health) && !lost;
}

/* Whether a device counts for the stage: enough is known of it, and it was not silent when that
 * opened. Who was heard of late was not silent then either, as far as anybody knows. Others count
 * until they were silent for one more of their usual gaps when it opened: what cut off an updated
 * device, silent by a hair since then, may have cut them off with it, and is to be expected of both
 * or of none. */
static bool counts_here(const struct walk *walk, const struct serin_health *health, enum role role)
{
    uint64_t gap_s = role == ROLE_CONTROL ? health->gap_s : 0;
    uint64_t since_s = walk->opened_s > gap_s ? walk->opened_s - gap_s : 0;
    return serin_health_known(health) &&
           (!serin_health_silent(health, walk->now_s) || !serin_health_silent(health, since_s));
}

/* Whether an earlier stage confirmed a device, before this one began: it runs the release, but was
 * well with it for a while. */
static bool confirmed_before(const struct walk *walk, const struct serin_member *member)
{
    return member->state == SERIN_STATE_CONFIRMED && member->stage < walk->rollout->stage &&
           member->since_s < walk->opened_s;
}

static void count_earlier(struct walk *walk, const struct serin_member *member, bool lost)
{
    if (confirmed_before(walk, member)) {
        walk->lost.earlier++;
        walk->lost.earlier_lost += lost ? 1 : 0;
    }
}

/* What all that the rollout updated show, in whatever stage they fell silent, and all others. */
static void count_ever(struct walk *walk, const struct serin_member *member, enum role role,
                       bool known)
{
    const struct serin_health *health = &walk->members->health[member->device];
    bool other = role == ROLE_CONTROL;
    enum serin_word word = SERIN_WORD_NONE;
    if (role != ROLE_GONE) {
        word = serin_lost_count(&walk->lost, &walk->found, member, health, other);
    }
    if (other || word == SERIN_WORD_NONE) {
        return;
    }
    count_earlier(walk, member, word != SERIN_WORD_HEARD);
    walk->found.ever_known += known ? 1 : 0;
    walk->found.ever_unwell += known && serin_health_unwell(health) ? 1 : 0;
}

/* Where a device is counted: in its stratum, of whose first device the revision is asked, or in its
 * revision at once. */
static struct serin_stratum *place_of(struct walk *walk, uint32_t device)
{
    const struct serin_members *members = walk->members;
    if (members->strata == NULL || members->stratum == NULL) {
        return &walk->rows[revision_row(walk, device)];
    }
    uint32_t place = members->stratum(members->sites, device);
    SERIN_ASSERT(place < members->stratum_count);
    struct serin_stratum *stratum = &members->strata[place];
    if (stratum->updated + stratum->control == 0) {
        stratum->revision = revision_row(walk, device);
    }
    return stratum;
}

/* Of how many enough is known to judge them. */
static void count_known(struct serin_comparison *found, enum role role, bool known)
{
    if (role != ROLE_CONTROL) {
        found->known += known ? 1 : 0;
    }
    if (role == ROLE_UPDATED) {
        found->accepted++;
        found->accepted_unknown += known ? 0 : 1;
    } else if (role == ROLE_CONTROL) {
        found->others++;
        found->others_unknown += known ? 0 : 1;
    }
}

/* Those of the updated that show something, and where they stand. */
static void count_shown(struct walk *walk, uint32_t device, bool silent, bool unwell)
{
    uint32_t gap_s = walk->members->health[device].gap_s;
    if (silent) {
        walk->found.updated_silent++;
        vote(&walk->silent, site_of(walk->members, device));
        serin_gaps_add(&walk->silent_gaps, gap_s);
    }
    if (unwell) {
        walk->found.updated_unwell++;
        vote(&walk->unwell, site_of(walk->members, device));
        serin_gaps_add(&walk->unwell_gaps, gap_s);
    }
}

/* Whether a device was heard so lately that nothing of its silence need be asked: most were. */
static bool is_fresh(const struct walk *walk, const struct serin_health *health)
{
    return health->beat_s >= walk->heard_from_s && health->beat_s <= walk->now_s &&
           walk->now_s - health->beat_s <= (uint64_t)health->gap_s * SERIN_HEALTH_SILENT_GAPS;
}

/* The same as count_member of such a device: it counts, whatever the moment, and is not silent. */
static void count_fresh(struct walk *walk, const struct serin_member *member, enum role role,
                        bool unwell)
{
    if (role == ROLE_GONE) {
        return;
    }
    if (role == ROLE_UPDATED) {
        count_earlier(walk, member, false);
        walk->found.ever_updated++;
        walk->found.ever_known++;
        walk->found.ever_unwell += unwell ? 1 : 0;
        walk->confirmed.of += confirmed_before(walk, member) ? 1 : 0;
        count_shown(walk, member->device, false, unwell);
    } else {
        walk->found.rest++;
        walk->others.of++;
    }
    add(place_of(walk, member->device), role, false, unwell);
}

static void count_member(struct walk *walk, const struct serin_member *member, enum role role)
{
    const struct serin_health *health = &walk->members->health[member->device];
    bool known = has_past(walk->rollout, member, health, role);
    count_known(&walk->found, role, known);
    if (known && is_fresh(walk, health)) {
        count_fresh(walk, member, role, serin_health_unwell(health));
        return;
    }
    count_ever(walk, member, role, known);
    if (!known) {
        return;
    }
    bool silent = is_silent(walk, health);
    if (role == ROLE_UPDATED && confirmed_before(walk, member) &&
        counts_here(walk, health, ROLE_CONTROL)) {
        serin_spells_count(&walk->confirmed, walk->rollout, health, walk->now_s);
    }
    if (role == ROLE_GONE || !counts_here(walk, health, role)) {
        return;
    }
    bool unwell = serin_health_unwell(health);
    if (role == ROLE_UPDATED) {
        count_shown(walk, member->device, silent, unwell);
    } else {
        serin_spells_count(&walk->others, walk->rollout, health, walk->now_s);
    }
    add(place_of(walk, member->device), role, silent, unwell);
}

static void gather(struct serin_stratum *to, const struct serin_stratum *from)
{
    to->updated += from->updated;
    to->control += from->control;
    to->control_silent += from->control_silent;
    to->control_unwell += from->control_unwell;
}

static void walk_members(struct walk *walk)
{
    const struct serin_members *members = walk->members;
    if (members->strata != NULL) {
        memset(members->strata, 0, members->stratum_count * sizeof *members->strata);
    }
    for (uint32_t i = 0; i < members->count; i++) {
        if (i + AHEAD < members->count) {
            __builtin_prefetch(&members->health[members->list[i + AHEAD].device]);
        }
        enum role role = role_of(walk->rollout, &members->list[i], i);
        if (role != ROLE_NONE) {
            count_member(walk, &members->list[i], role);
        }
    }
    for (uint32_t i = 0; members->strata != NULL && i < members->stratum_count; i++) {
        gather(&walk->rows[members->strata[i].revision], &members->strata[i]);
    }
    for (uint32_t i = 0; i < SERIN_REVISION_ROWS; i++) {
        gather(&walk->all, &walk->rows[i]);
    }
    walk->found.updated = walk->all.updated;
    walk->found.control = walk->all.control;
    walk->found.control_silent = walk->all.control_silent;
    walk->found.control_unwell = walk->all.control_unwell;
}

/* ---- the comparison ---- */

/* How many of the updated that count stand behind `site`, and how many of them are silent, or
 * unwell. Nothing where they are not more than half of all that are. */
static void count_site(const struct walk *walk, uint32_t site, bool silence, uint32_t *of,
                       uint32_t *bad)
{
    const struct serin_members *members = walk->members;
    uint32_t all = silence ? walk->found.updated_silent : walk->found.updated_unwell;
    *of = 0;
    *bad = 0;
    for (uint32_t i = 0; site != SERIN_SITE_DIRECT && i < walk->rollout->tally.offered; i++) {
        uint32_t device = members->list[i].device;
        const struct serin_health *health = &members->health[device];
        if (role_of(walk->rollout, &members->list[i], i) != ROLE_UPDATED ||
            !has_past(walk->rollout, &members->list[i], health, ROLE_UPDATED) ||
            !counts_here(walk, health, ROLE_UPDATED) || site_of(members, device) != site) {
            continue;
        }
        bool shows = silence ? is_silent(walk, health) : serin_health_unwell(health);
        *of += 1;
        *bad += shows ? 1 : 0;
    }
    if (*bad * UINT64_C(2) <= all) {
        *of = 0;
        *bad = 0;
    }
}

/* Only where the share without one gateway could matter: the gate's limit is exceeded. */
static bool is_high(const struct walk *walk, enum serin_gate gate, uint32_t bad)
{
    uint64_t limit = walk->rollout->policy.gates[gate].max_permyriad;
    return bad * (uint64_t)PERMYRIAD > limit * walk->all.updated;
}

static void find_sites(struct walk *walk)
{
    struct serin_comparison *found = &walk->found;
    if (is_high(walk, SERIN_GATE_SILENCE, found->updated_silent)) {
        count_site(walk, walk->silent.leader, true, &found->silent_site_updated,
                   &found->silent_site_silent);
    }
    if (is_high(walk, SERIN_GATE_ERRORS, found->updated_unwell)) {
        count_site(walk, walk->unwell.leader, false, &found->unwell_site_updated,
                   &found->unwell_site_unwell);
    }
}

/* The control group as it was when it was last large enough. */
static void keep_control(struct serin_comparison *found, const struct serin_comparison *last)
{
    found->control_at_ms = last->control_at_ms;
    found->control = last->control;
    found->control_silent = last->control_silent;
    found->control_unwell = last->control_unwell;
    found->expected_silent_permyriad = last->expected_silent_permyriad;
    found->expected_unwell_permyriad = last->expected_unwell_permyriad;
    found->silent_deviation = last->silent_deviation;
    found->unwell_deviation = last->unwell_deviation;
}

/* What is kept was counted at one moment, and a night that it was counted in ends: nothing excuses
 * more silence from then on than those show that earlier stages confirmed, with what chance may
 * hide of it. Those of this stage were all heard when they accepted, and say less. */
static void let_fall(struct walk *walk)
{
    struct serin_comparison *found = &walk->found;
    uint32_t share = 0;
    if (serin_lost_share(&walk->lost, &share) && found->expected_silent_permyriad > share) {
        found->expected_silent_permyriad = share;
    }
}

/* When the stage opened, by the clock of now. Where the clock was set back since, that is not
 * known: the last step of the ramp, on the watch, is as near as it gets. */
static uint64_t opened_ms_of(const struct serin_rollout *rollout, uint64_t now_ms)
{
    if (rollout->stage_started_ms <= now_ms) {
        return rollout->stage_started_ms;
    }
    uint64_t since_ms = rollout->watch_ms - rollout->stage_watch_ms;
    return since_ms < now_ms ? now_ms - since_ms : 0;
}

static struct walk begin(const struct serin_rollout *rollout, const struct serin_members *members,
                         uint64_t now_ms)
{
    uint64_t opened_ms = opened_ms_of(rollout, now_ms);
    uint64_t created_ms = rollout->created_ms < opened_ms ? rollout->created_ms : opened_ms;
    return (struct walk){
        .rollout = rollout,
        .members = members,
        .now_s = now_ms / 1000u,
        .opened_s = opened_ms / 1000u,
        .heard_from_s = rollout->heard_from_ms / 1000u,
        .lost = {.now_s = now_ms / 1000u,
                 .created_s = created_ms / 1000u,
                 .asked_from_s = rollout->asked_from_ms / 1000u},
        .found = {.at_ms = now_ms, .control_at_ms = now_ms},
    };
}

static void compare(struct serin_step *step)
{
    struct serin_rollout *rollout = step->rollout;
    const struct serin_comparison before = rollout->comparison;
    const struct serin_comparison *last = &before;
    struct walk walk = begin(rollout, step->members, step->now_ms);
    walk_members(&walk);
    find_sites(&walk);
    struct serin_comparison *found = &walk.found;
    serin_spells_note(found, &walk.others, &walk.confirmed, rollout->policy.control_minimum);
    found->known_most = found->known > last->known_most ? found->known : last->known_most;
    if (rollout->retrying) {
        found->known_most = 0; /* it falls from one TICK to the next, and nobody is forgotten */
    }
    uint32_t minimum = rollout->policy.control_minimum;
    serin_lost_settle(&walk.lost, found, last, minimum);
    if (found->control < minimum && last->control >= minimum) {
        keep_control(found, last);
        let_fall(&walk);
    } else if (found->control > 0 && found->updated > 0) {
        struct serin_expectation sum = serin_gates_expect(step->members, walk.rows, &walk.all);
        found->expected_silent_permyriad = serin_gates_share_permyriad(sum.silent, found->updated);
        found->expected_unwell_permyriad = serin_gates_share_permyriad(sum.unwell, found->updated);
        double ratio = sum.spread / (double)found->updated;
        found->silent_deviation = serin_gates_deviation(found->updated_silent, sum.silent, ratio);
        found->unwell_deviation = serin_gates_deviation(found->updated_unwell, sum.unwell, ratio);
    }
    rollout->comparison = *found;
    rollout->compared = true;
    serin_lost_keep_waived(rollout);
    serin_gates_go_on(rollout, SERIN_GATE_SILENCE, &last->silent_lasting, &walk.silent_gaps);
    serin_gates_go_on(rollout, SERIN_GATE_ERRORS, &last->unwell_lasting, &walk.unwell_gaps);
}

uint32_t serin_gates_site(const struct serin_rollout *rollout, const struct serin_members *members,
                          enum serin_gate gate)
{
    if (members->health == NULL) {
        return SERIN_SITE_DIRECT;
    }
    struct walk walk = begin(rollout, members, rollout->last_ms);
    walk_members(&walk);
    return gate == SERIN_GATE_SILENCE ? walk.silent.leader : walk.unwell.leader;
}

/* Whether a gate asks for comparisons at all. */
static bool is_asked(const struct serin_rollout *rollout, const struct serin_members *members)
{
    const struct serin_gate_policy *silence = &rollout->policy.gates[SERIN_GATE_SILENCE];
    const struct serin_gate_policy *errors = &rollout->policy.gates[SERIN_GATE_ERRORS];
    return members->health != NULL && rollout->stage > 0 &&
           serin_rollout_traits(rollout->state)->gate &&
           ((silence->minimum != 0 && silence->max_permyriad < PERMYRIAD) ||
            (errors->minimum != 0 && errors->max_permyriad < PERMYRIAD));
}

bool serin_gates_current(const struct serin_rollout *rollout, const struct serin_members *members)
{
    return rollout->reports_up && (rollout->compared || !is_asked(rollout, members));
}

/* How long to wait for the next comparison: at once for one without which a stage may not pass; and
 * not for long after one that was made when reports had only just come back, and knows little. */
static uint64_t pause_ms(const struct serin_rollout *rollout)
{
    bool soaked = rollout->state == SERIN_ROLLOUT_SOAKING && serin_soak_left_ms(rollout) == 0;
    if (!rollout->compared && (soaked || rollout->state == SERIN_ROLLOUT_AWAITING)) {
        return SERIN_COMPARE_LEAST_MS;
    }
    uint64_t usual_ms = serin_gates_pause_ms(rollout);
    bool early = rollout->comparison.at_ms == rollout->heard_from_ms;
    return early && usual_ms > SERIN_COMPARE_SOON_MS ? SERIN_COMPARE_SOON_MS : usual_ms;
}

uint64_t serin_gates_compare_due_ms(const struct serin_rollout *rollout,
                                    const struct serin_members *members)
{
    if (!rollout->reports_up || !is_asked(rollout, members)) {
        return NEVER; /* while reports are down everybody grows silent */
    }
    const struct serin_comparison *last = &rollout->comparison;
    /* After a clock that went back the last one lies in the future: compare anew. */
    bool never = last->at_ms == 0 || last->at_ms > rollout->last_ms;
    uint64_t due_ms = last->at_ms + pause_ms(rollout);
    return never || due_ms < rollout->last_ms ? rollout->last_ms : due_ms;
}

void serin_gates_compare(struct serin_step *step)
{
    const struct serin_rollout *rollout = step->rollout;
    uint64_t due_ms = serin_gates_compare_due_ms(rollout, step->members);
    bool passes = rollout->state == SERIN_ROLLOUT_SOAKING && serin_soak_left_ms(rollout) == 0 &&
                  rollout->comparison.at_ms != step->now_ms;
    if (due_ms != NEVER && (due_ms <= step->now_ms || passes)) {
        compare(step);
    }
}

bool serin_gates_compare_last(struct serin_step *step)
{
    const struct serin_rollout *rollout = step->rollout;
    uint64_t due_ms = serin_gates_compare_due_ms(rollout, step->members);
    if (due_ms == NEVER || rollout->comparison.at_ms == step->now_ms) {
        return false;
    }
    compare(step);
    return true;
}
