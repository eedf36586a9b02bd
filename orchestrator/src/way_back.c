/* Who enters a rollout, and the way back of a halted one (serin/orchestrator/way_back.h). */
#include <serin/orchestrator/way_back.h>

#include <stdio.h>
#include <string.h>

#define SUFFIX "-revert"

static bool is_for(const struct serin_offer *offer, uint16_t hardware)
{
    return hardware >= offer->hw_min && hardware <= offer->hw_max;
}

bool serin_policy_offers(const struct serin_policy *policy,
                         const uint8_t manifest_id[SERIN_SHA256_SIZE], uint16_t hardware)
{
    for (size_t i = 0; i < policy->offer_count; i++) {
        const struct serin_offer *offer = &policy->offers[i];
        if (memcmp(offer->manifest_id, manifest_id, SERIN_SHA256_SIZE) == 0 &&
            (hardware == 0 || is_for(offer, hardware))) {
            return true;
        }
    }
    return false;
}

/* ---- who enters ---- */

enum serin_entry serin_rollout_entry(const struct serin_policy *policy,
                                     const struct serin_entrant *entrant)
{
    bool offered = false;
    for (size_t i = 0; i < policy->offer_count; i++) {
        offered = offered || is_for(&policy->offers[i], entrant->hardware);
    }
    if (!offered) {
        return SERIN_ENTRY_NONE;
    }
    bool trying = entrant->attempt != 0 && !entrant->final;
    return !trying && serin_policy_offers(policy, entrant->running, entrant->hardware)
               ? SERIN_ENTRY_CONFIRMED
               : SERIN_ENTRY_OPEN;
}

struct serin_member serin_rollout_entered(const struct serin_rollout *rollout, uint64_t rank,
                                          uint32_t device, bool runs_it, uint64_t now_s)
{
    struct serin_member member = serin_rollout_member(rollout, rank, device);
    if (runs_it) {
        member.state = SERIN_STATE_CONFIRMED;
        member.ran_before = 1;
        member.since_s = (uint32_t)now_s;
    }
    return member;
}

/* ---- when to look ---- */

bool serin_way_back_needless(const struct serin_rollout *halted)
{
    return strcmp(halted->revert_why, SERIN_WAY_BACK_NOBODY_TEXT) == 0;
}

/* Whether somebody who accepted it has not come to an end. The engine ends them, by their deadline
 * at the latest: also in a rollout that is halted. */
static bool is_open(const struct serin_rollout *halted)
{
    const struct serin_tally *tally = &halted->tally;
    uint32_t ends = tally->confirmed + tally->failed + tally->rejected + tally->other;
    return tally->accepted > ends;
}

static uint32_t touched(const struct serin_rollout *halted)
{
    return halted->tally.confirmed + halted->tally.regressed;
}

bool serin_way_back_due(const struct serin_rollout *halted, const struct serin_way_back_seen *seen)
{
    bool asked = halted->state == SERIN_ROLLOUT_HALTED &&
                 halted->policy.on_halt == SERIN_ON_HALT_REVERT && !halted->policy.revert &&
                 halted->stage > 0 && halted->reverted_by == 0;
    bool decided = halted->revert_why[0] != '\0' && !serin_way_back_needless(halted);
    bool news = !seen->looked || touched(halted) != seen->touched || is_open(halted) != seen->open;
    return asked && !decided && news;
}

void serin_way_back_saw(const struct serin_rollout *halted, struct serin_way_back_seen *seen)
{
    *seen = (struct serin_way_back_seen){
        .looked = true, .open = is_open(halted), .touched = touched(halted)};
}

/* ---- whom it is for ---- */

/* Silent by its deadline is no proof that it came off: it may run the release unheard. */
static bool may_run(const struct serin_rollout *halted, const struct serin_entrant *entrant)
{
    bool unknown = !entrant->final || entrant->state == SERIN_STATE_TIMED_OUT;
    return entrant->attempt != 0 && unknown &&
           serin_policy_offers(&halted->policy, entrant->tried, entrant->hardware);
}

static enum serin_way_back_stand stand_of(const struct serin_way_back *back,
                                          const struct serin_entrant *entrant)
{
    if (!serin_policy_offers(&back->halted->policy, entrant->running, entrant->hardware)) {
        return may_run(back->halted, entrant) ? SERIN_STAND_MAY : SERIN_STAND_AWAY;
    }
    for (size_t i = 0; i < back->offer_count; i++) {
        if (is_for(&back->offers[i].offer, entrant->hardware)) {
            return entrant->floor > back->offers[i].security_counter ? SERIN_STAND_ABOVE
                                                                     : SERIN_STAND_RUNS;
        }
    }
    return SERIN_STAND_LOST;
}

enum serin_way_back_stand serin_way_back_look(struct serin_way_back *back,
                                              const struct serin_entrant *entrant)
{
    enum serin_way_back_stand stand = stand_of(back, entrant);
    back->runs += stand == SERIN_STAND_RUNS ? 1u : 0u;
    back->may += stand == SERIN_STAND_MAY ? 1u : 0u;
    back->above += stand == SERIN_STAND_ABOVE ? 1u : 0u;
    back->lost += stand == SERIN_STAND_LOST ? 1u : 0u;
    return stand;
}

enum serin_way_back_verdict serin_way_back_judge(const struct serin_way_back *back)
{
    uint32_t there = back->runs + back->above + back->lost;
    if (there == 0 && is_open(back->halted)) {
        return SERIN_WAY_BACK_WAIT;
    }
    if (there == 0 && back->may == 0) {
        return SERIN_WAY_BACK_NOBODY;
    }
    if (back->offer_count == 0) {
        return SERIN_WAY_BACK_NO_STABLE;
    }
    if (back->above > 0) {
        return SERIN_WAY_BACK_ABOVE;
    }
    return back->lost > 0 ? SERIN_WAY_BACK_LOST : SERIN_WAY_BACK_GO;
}

/* ---- its policy ---- */

void serin_way_back_policy(const struct serin_rollout *halted, struct serin_policy *policy)
{
    *policy = halted->policy;
    const char *name = halted->policy.name[0] != '\0' ? halted->policy.name : "rollout";
    size_t kept = sizeof policy->name - sizeof SUFFIX;
    (void)snprintf(policy->name, sizeof policy->name, "%.*s%s", (int)kept, name, SUFFIX);
    policy->offer_count = 0;
    memset(policy->offers, 0, sizeof policy->offers);
    for (size_t i = 0; i < policy->stage_count; i++) {
        policy->stages[i].approval = false;
    }
    policy->window_count = 0;
    memset(policy->windows, 0, sizeof policy->windows);
    policy->start_s = 0;
    policy->on_halt = SERIN_ON_HALT_HOLD;
    policy->revert = true;
    policy->supersede = true;
}
