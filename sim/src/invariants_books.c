/* The judges: a recount of all books from the members, and what the figures must allow
 * (invariants.h). */
#include "invariants_internal.h"
#include "server.h"

#include <string.h>

#define SMALL_FLEET  2000u
#define HOUR_MS      UINT64_C(3600000)
#define ELSEWHERE    16u     /* members that are gone past for one behind another gateway */
#define REPLACED     16u     /* a stage may look for so many more than it is for, however small */
#define LOSSY        300000u /* a share, in millionths: beyond what the soak's common draws lose */
#define SWEEP_LATE_S 1200u   /* a deadline is seen so late at most: the grain, and a tick's pace */

/* ---- books ---- */

struct books {
    uint32_t below; /* at or below the threshold */
    uint32_t silent, open, confirmed, failed, rejected, unreached, other, regressed, accepted;
    uint32_t reasons[SERIN_REASON_COUNT];
};

/* The plainest rule: one book for each state. */
static void add(struct books *books, const struct serin_member *member)
{
    enum serin_state state = (enum serin_state)member->state;
    bool failed = false;
    switch (state) {
    case SERIN_STATE_IDLE:
        books->silent++;
        break;
    case SERIN_STATE_UNREACHED:
        books->unreached++;
        break;
    case SERIN_STATE_CONFIRMED:
        books->confirmed++;
        break;
    case SERIN_STATE_REJECTED:
        failed = member->reason != SERIN_REASON_NOT_NEWER;
        books->rejected += failed ? 1u : 0u;
        books->other += failed ? 0 : 1u;
        break;
    case SERIN_STATE_ROLLED_BACK:
    case SERIN_STATE_FAILED:
    case SERIN_STATE_TIMED_OUT:
        failed = true;
        books->failed++;
        break;
    case SERIN_STATE_REGRESSED:
    case SERIN_STATE_REVERTED:
        failed = true;
        books->failed++;
        books->regressed++;
        break;
    case SERIN_STATE_SUPERSEDED:
    case SERIN_STATE_CANCELLED:
        books->other++;
        break;
    case SERIN_STATE_PENDING:
    case SERIN_STATE_DOWNLOADING:
    case SERIN_STATE_VERIFYING:
    case SERIN_STATE_STAGED:
    case SERIN_STATE_TRIAL:
        books->open++;
        break;
    case SERIN_STATE_INVALID:
    case SERIN_STATE_COUNT:
    default:
        break; /* in no book: the sum will not be right */
    }
    books->accepted += state != SERIN_STATE_IDLE && state != SERIN_STATE_UNREACHED ? 1u : 0u;
    if (failed && member->reason < SERIN_REASON_COUNT) {
        books->reasons[member->reason]++;
    }
}

static void judge_tally(struct sim *sim, const struct serin_rollout *rollout,
                        const struct books *books)
{
    const struct serin_tally *tally = &rollout->tally;
    const struct {
        const char *name;
        uint32_t kept, counted;
    } figures[] = {
        {"offered", tally->offered, books->below},
        {"accepted", tally->accepted, books->accepted},
        {"confirmed", tally->confirmed, books->confirmed},
        {"failed", tally->failed, books->failed},
        {"rejected", tally->rejected, books->rejected},
        {"unreached", tally->unreached, books->unreached},
        {"regressed", tally->regressed, books->regressed},
        {"other", tally->other, books->other},
    };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        if (figures[i].kept != figures[i].counted) {
            sim_broken(sim, SERIN_SIM_BOOKS, "the engine's books have %u %s, a recount %u",
                       figures[i].kept, figures[i].name, figures[i].counted);
        }
    }
    for (size_t i = 0; i < SERIN_REASON_COUNT; i++) {
        if (rollout->reasons[i] != books->reasons[i]) {
            sim_broken(sim, SERIN_SIM_BOOKS, "the engine's books have %u failures for %s, not %u",
                       rollout->reasons[i], serin_reason_word((enum serin_reason)i),
                       books->reasons[i]);
        }
    }
    uint32_t sum = books->silent + books->open + books->confirmed + books->failed +
                   books->rejected + books->unreached + books->other;
    if (sum != books->below) {
        sim_broken(sim, SERIN_SIM_LOST, "%u devices were offered it, %u are in a book",
                   books->below, sum);
    }
}

/* Deadlines are kept while the watch runs, and not in a rollout that is over but for a halt. */
static bool deadlines_run(const struct serin_rollout *rollout)
{
    return rollout->reports_up && !rollout->sweeping &&
           (rollout->state == SERIN_ROLLOUT_AWAITING || rollout->state == SERIN_ROLLOUT_ROLLING ||
            rollout->state == SERIN_ROLLOUT_SOAKING || rollout->state == SERIN_ROLLOUT_HALTED);
}

static void judge_silence(struct sim *sim, const struct serin_rollout *rollout,
                          const struct serin_member *member)
{
    uint64_t due_s = (uint64_t)member->watch_s + rollout->policy.deadline_s + SWEEP_LATE_S;
    bool open = member->state >= SERIN_STATE_PENDING && member->state <= SERIN_STATE_TRIAL;
    if (open && rollout->watch_ms / 1000u > due_s) {
        sim_broken(sim, SERIN_SIM_SILENCE,
                   "d%07u accepted, is %s and silent for %llu s: past its deadline, and no failure",
                   member->device, serin_state_text((enum serin_state)member->state),
                   (unsigned long long)(rollout->watch_ms / 1000u - member->watch_s));
    }
}

/* Of how many devices the hardware is within an offer. */
static uint32_t count_offered(const struct sim *sim, const struct serin_rollout *rollout)
{
    const struct serin_policy *policy = &rollout->policy;
    uint32_t count = 0;
    if (policy->offer_count == 0 ||
        (policy->offers[0].hw_min == 1 && policy->offers[0].hw_max == UINT16_MAX)) {
        return sim->config->devices;
    }
    for (uint32_t i = 0; i < sim->config->devices; i++) {
        uint16_t hardware = sim->nodes[i].hardware;
        for (size_t k = 0; k < policy->offer_count; k++) {
            if (policy->offers[k].hw_min <= hardware && hardware <= policy->offers[k].hw_max) {
                count++;
                break;
            }
        }
    }
    return count;
}

void sim_check_books(struct sim *sim, const struct serin_rollout *rollout,
                     const struct serin_members *members)
{
    const struct sim_invariants *judge = sim->invariants;
    struct books books = {.below = 0};
    uint64_t last = 0;
    bool silence = deadlines_run(rollout);
    if (judge == NULL) {
        return;
    }
    uint32_t offered = count_offered(sim, rollout);
    if (members->count != offered) {
        sim_broken(sim, SERIN_SIM_LOST,
                   "%u devices are members, the release is for %u of the fleet", members->count,
                   offered);
    }
    for (uint32_t i = 0; i < members->count; i++) {
        const struct serin_member *member = &members->list[i];
        if (member->rank < last || judge->ranks[member->device] != member->rank) {
            sim_broken(sim, SERIN_SIM_COHORT, "d%07u stands in a place that is not its rank's",
                       member->device);
        }
        last = member->rank;
        if (judge->states[member->device] != member->state) {
            sim_broken(sim, SERIN_SIM_LOST, "d%07u is %s, and nobody was told", member->device,
                       serin_state_text((enum serin_state)member->state));
        }
        /* The threshold says nothing before the first stage opens. */
        if (rollout->stage > 0 && member->rank <= rollout->threshold) {
            books.below++;
            add(&books, member);
            if (silence) {
                judge_silence(sim, rollout, member);
            }
        }
    }
    judge_tally(sim, rollout, &books);
}

void sim_check_hour(struct sim *sim, const struct serin_rollout *rollout,
                    const struct serin_members *members)
{
    struct sim_invariants *judge = sim->invariants;
    if (judge == NULL) {
        return;
    }
    sim_judge_broker(sim, rollout);
    if (members->count > 0 && members->count <= SMALL_FLEET &&
        sim->now_ms / HOUR_MS != judge->hour) {
        judge->hour = sim->now_ms / HOUR_MS;
        sim_judge_deaf(sim);
        sim_check_books(sim, rollout, members);
    }
}

/* ---- cohorts ---- */

/* How many devices the present stage is for: never fewer than the one before. */
static uint32_t stage_target(const struct serin_rollout *rollout, uint32_t population)
{
    uint32_t target = 0;
    for (uint32_t i = 0; i < rollout->stage; i++) {
        const struct serin_stage_policy *stage = &rollout->policy.stages[i];
        uint64_t share = stage->count < population ? stage->count : population;
        if (stage->permyriad != 0) {
            share = ((uint64_t)population * stage->permyriad + 9999u) / 10000u;
        }
        target = target > share ? target : (uint32_t)share;
    }
    return target == 0 ? 1u : target;
}

/* How far the threshold came, and whom it covers. */
struct cover {
    uint32_t below, reach, before,
        reach_before; /* all but who withdrew; in reach; before the step */
    uint32_t other;
    uint64_t last;
};

static struct cover cover_of(const struct serin_rollout *rollout,
                             const struct serin_members *members, uint64_t before)
{
    struct cover cover = {.below = 0};
    for (uint32_t i = 0; i < members->count; i++) {
        const struct serin_member *member = &members->list[i];
        struct books book = {.below = 0};
        if (member->rank > rollout->threshold) {
            break;
        }
        add(&book, member);
        bool in_reach = book.unreached == 0 && book.other == 0;
        bool was_below = before != 0 && member->rank <= before;
        cover.below += 1u - book.other;
        cover.other += book.other;
        cover.reach += in_reach ? 1u : 0u;
        cover.before += was_below ? 1u - book.other : 0u;
        cover.reach_before += in_reach && was_below ? 1u : 0u;
        cover.last = member->rank;
    }
    return cover;
}

/* Silent devices are replaced, and others behind other gateways asked, until the stage was offered
 * to as many again as it is for: whoever is out of reach will be back, all at once. */
static void judge_search(struct sim *sim, const struct serin_rollout *rollout,
                         const struct cover *cover, uint32_t target)
{
    uint32_t most = target + (target > REPLACED ? target : REPLACED);
    if (rollout->stage < rollout->policy.stage_count && cover->before >= most) {
        sim_broken(sim, SERIN_SIM_COHORT,
                   "stage %u is for %u devices, was offered to %u, and goes on to %u",
                   rollout->stage, target, cover->before, cover->below);
    }
}

void sim_judge_threshold(struct sim *sim, const struct serin_rollout *rollout,
                         const struct serin_members *members, uint64_t before, bool elsewhere)
{
    if (rollout->threshold < before) {
        sim_broken(sim, SERIN_SIM_COHORT, "the threshold fell from %016llx to %016llx",
                   (unsigned long long)before, (unsigned long long)rollout->threshold);
        return;
    }
    struct cover cover = cover_of(rollout, members, before);
    uint32_t below = cover.below + cover.other;
    uint32_t target = stage_target(rollout, members->count);
    uint32_t most = target > cover.reach_before ? target : cover.reach_before;
    most += elsewhere ? ELSEWHERE : 0;
    bool everyone = rollout->threshold == SERIN_COHORT_EVERYONE;
    if (below != rollout->tally.offered || cover.reach > most) {
        sim_broken(sim, SERIN_SIM_COHORT,
                   "stage %u reaches %u devices in reach, %u in all; its books say %u in all, and "
                   "it is for %u",
                   rollout->stage, cover.reach, below, rollout->tally.offered, most);
    } else if (everyone ? rollout->stage != rollout->policy.stage_count
                        : below == 0 || cover.last != rollout->threshold) {
        sim_broken(sim, SERIN_SIM_COHORT, "the threshold %016llx of stage %u is nobody's rank",
                   (unsigned long long)rollout->threshold, rollout->stage);
    }
    judge_search(sim, rollout, &cover, target);
    sim_judge_ends(sim, rollout, members);
}

/* ---- the end ---- */

void sim_check_heard(struct sim *sim, uint32_t device, const struct serin_report *report)
{
    struct sim_invariants *judge = sim->invariants;
    if (judge != NULL) {
        judge->devices[device].incarnation = report->incarnation;
        judge->devices[device].number = report->number;
    }
}

/* Whether so many messages were lost since a device changed that all of its reports may be among
 * them, although it and its gateway have repeated them for hours. */
static bool lossy(const struct sim *sim, uint64_t since_ms)
{
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    uint64_t lost = (uint64_t)scenario->drop + scenario->corrupt; /* a damaged report is lost */
    for (size_t i = 0; i < scenario->weather_count; i++) {
        const struct serin_sim_weather *weather = &scenario->weather[i];
        bool then =
            weather->from_ms <= sim->now_ms && weather->from_ms + weather->for_ms > since_ms;
        lost += then ? weather->drop : 0;
    }
    return lost > LOSSY;
}

/* Whether the device's last report came to serind. */
static bool told(const struct sim *sim, uint32_t device)
{
    const struct judged_device *judged = &sim->invariants->devices[device];
    const struct serin_agent_record *record = &sim->nodes[device].agent.record;
    return judged->incarnation == record->incarnation && judged->number >= record->number;
}

/* Whether a device could be heard in the last hours. */
static bool heard_of(const struct sim_node *node)
{
    return !node->offline && !node->deaf && !node->away && !node->sleeps &&
           node->power == SIM_POWER_ON && node->connected;
}

void sim_check_known(struct sim *sim, uint32_t device, uint32_t attempt,
                     const struct serin_member *member)
{
    const struct sim_node *node = &sim->nodes[device];
    enum serin_state state = (enum serin_state)member->state;
    bool gateway_there =
        node->gateway == SIM_NOBODY || sim_gateway_connected(sim, node->gateway, SIM_UPLINK);
    /* A store that went back has forgotten what was acknowledged, until the device says more. */
    if (sim->invariants == NULL || sim->invariants->went_back || !heard_of(node) ||
        !gateway_there || !node->exposed || node->attempt != attempt) {
        return;
    }
    /* What went wrong long after the rollout's end may still be on its way; over links that lose
     * most of what they carry it may be for as long as they do. */
    uint64_t changed_ms = sim->invariants->devices[device].changed_ms;
    if (sim->now_ms - changed_ms < SERVER_AFTER_MS ||
        (lossy(sim, changed_ms) && !told(sim, device))) {
        return;
    }
    bool own = state == SERIN_STATE_TIMED_OUT || state == SERIN_STATE_REVERTED;
    if (state != node->state && !own) {
        sim_broken(sim, SERIN_SIM_LOST, "d%07u is %s, the server has it as %s", device,
                   serin_state_text(node->state), serin_state_text(state));
    }
}
