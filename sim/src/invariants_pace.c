/* The judges of the pace (invariants.h): approvals, soaks, hours, what is in flight and what is
 * offered in an hour, each counted from steps, members and times, against the policy alone. */
#include "invariants_internal.h"
#include "server.h"

#define MINUTE_MS UINT64_C(60000)
#define SECOND_MS UINT64_C(1000) /* set back by less, the engine's clock stands still */
#define DAY_MIN   UINT64_C(1440)
#define WEEK_MIN  (7u * DAY_MIN)
#define THURSDAY  3u /* the first of January 1970 */
/* The specification's: with those that are silent and may yet come, so many times as many. */
#define REACH_MOST 4u
#define ELSEWHERE  16u /* members that are gone past for one behind another gateway */

/* ---- hours ---- */

bool sim_judge_closed(const struct serin_policy *policy, uint64_t wall_ms)
{
    uint64_t at_min = (wall_ms / MINUTE_MS + THURSDAY * DAY_MIN) % WEEK_MIN;
    bool open = policy->window_count == 0 || policy->emergency;
    for (size_t i = 0; i < policy->window_count; i++) {
        const struct serin_window *window = &policy->windows[i];
        uint64_t until_min = window->until_min;
        until_min += until_min <= window->from_min ? DAY_MIN : 0;
        for (uint32_t day = 0; day < 7u; day++) {
            uint64_t since_min = (at_min + WEEK_MIN - day * DAY_MIN - window->from_min) % WEEK_MIN;
            bool on = (window->days >> day & 1u) != 0;
            open = open || (on && since_min < until_min - window->from_min);
        }
    }
    return !open;
}

/* Whether it is so now, or in the second to come, which the engine's clock may show already. */
static bool is_closed(const struct sim *sim, const struct serin_policy *policy, bool closed)
{
    uint64_t wall_ms = sim_wall_ms(sim);
    return sim_judge_closed(policy, wall_ms) == closed ||
           sim_judge_closed(policy, wall_ms + SECOND_MS) == closed;
}

/* `more`: devices are offered it, or it becomes the stable release. */
static void judge_hours(struct sim *sim, const struct serin_rollout *rollout, bool more)
{
    const struct serin_policy *policy = &rollout->policy;
    bool active = rollout->state == SERIN_ROLLOUT_AWAITING ||
                  rollout->state == SERIN_ROLLOUT_ROLLING ||
                  rollout->state == SERIN_ROLLOUT_SOAKING || rollout->state == SERIN_ROLLOUT_PAUSED;
    if (active && !is_closed(sim, policy, rollout->closed)) {
        sim_broken(sim, SERIN_SIM_PACE, "the rollout takes the window for %s, and it is not",
                   rollout->closed ? "closed" : "open");
    }
    bool early =
        !policy->emergency && sim_wall_ms(sim) + SECOND_MS < policy->start_s * UINT64_C(1000);
    if (more && (early || !is_closed(sim, policy, false))) {
        sim_broken(sim, SERIN_SIM_PACE, "stage %u goes on to others %s", rollout->stage,
                   early ? "before the start" : "outside of all windows");
    }
}

/* ---- stages ---- */

/* What an operator ordered, and how long the present stage has soaked. */
static void note_step(struct sim *sim)
{
    struct sim_invariants *judge = sim->invariants;
    const struct judged_step *before = &judge->before;
    struct judged_stages *stages = &judge->stages;
    uint64_t wall_ms = sim_wall_ms(sim);
    if (before->event == SERIN_ROLLOUT_ADVANCE) {
        stages->advanced |= 1u << before->stage;
        stages->approved |= before->state == SERIN_ROLLOUT_AWAITING ? 1u << before->stage : 0;
    }
    if (before->state == SERIN_ROLLOUT_SOAKING && before->stage > 0) {
        /* By serind's clock or by the true one, whichever shows more: small jumps are none. */
        uint64_t span_ms = sim->now_ms - stages->at_ms;
        uint64_t shown_ms = wall_ms > stages->wall_ms ? wall_ms - stages->wall_ms : 0;
        stages->soaked_ms[before->stage - 1u] += span_ms > shown_ms ? span_ms : shown_ms;
    }
    stages->at_ms = sim->now_ms;
    stages->wall_ms = wall_ms;
}

static void judge_soak(struct sim *sim, const struct serin_rollout *rollout)
{
    const struct judged_stages *stages = &sim->invariants->stages;
    uint32_t stage = sim->invariants->before.stage;
    if (stage == 0 || rollout->policy.emergency || (stages->advanced >> stage & 1u) != 0) {
        return;
    }
    uint64_t soak_ms = rollout->policy.stages[stage - 1u].soak_s * UINT64_C(1000);
    if (stages->soaked_ms[stage - 1u] < soak_ms) {
        sim_broken(sim, SERIN_SIM_PACE, "stage %u passed after %llu s of %llu s of its soak", stage,
                   (unsigned long long)(stages->soaked_ms[stage - 1u] / 1000u),
                   (unsigned long long)(soak_ms / 1000u));
    }
}

static void judge_approval(struct sim *sim, const struct serin_rollout *rollout)
{
    uint32_t stage = sim->invariants->before.stage;
    bool approved = (sim->invariants->stages.approved >> stage & 1u) != 0;
    if (rollout->policy.stages[stage].approval && !approved) {
        sim_broken(sim, SERIN_SIM_PACE, "stage %u opened, and no operator approved it", stage + 1u);
    }
}

/* ---- devices ---- */

/* Whom the present threshold covers. */
struct crowd {
    uint32_t offered; /* since the step */
    uint32_t open;    /* accepted, and at it */
    uint32_t fresh;   /* nothing was heard of it, and the step offers it */
    uint32_t silent;  /* nothing was heard of it, and its patience is not over */
    uint32_t failed;  /* and may try again */
};

static void add(struct crowd *crowd, const struct serin_member *member, bool covered)
{
    enum serin_state state = (enum serin_state)member->state;
    bool rejects =
        state == SERIN_STATE_REJECTED && member->reason != (uint8_t)SERIN_REASON_NOT_NEWER;
    bool fails = state == SERIN_STATE_ROLLED_BACK || state == SERIN_STATE_FAILED ||
                 state == SERIN_STATE_TIMED_OUT || rejects;
    crowd->offered += covered ? 0 : 1u;
    crowd->open += state >= SERIN_STATE_PENDING && state <= SERIN_STATE_TRIAL ? 1u : 0u;
    crowd->fresh += state == SERIN_STATE_IDLE && !covered ? 1u : 0u;
    crowd->silent += state == SERIN_STATE_IDLE && covered ? 1u : 0u;
    crowd->failed += fails ? 1u : 0u;
}

static struct crowd count(const struct sim *sim, const struct serin_rollout *rollout,
                          const struct serin_members *members)
{
    uint64_t before = sim->invariants->before.threshold;
    struct crowd crowd = {.offered = 0};
    for (uint32_t i = 0; i < members->count; i++) {
        const struct serin_member *member = &members->list[i];
        if (member->rank > rollout->threshold) {
            break;
        }
        add(&crowd, member, before != 0 && member->rank <= before);
    }
    return crowd;
}

/* In the minute of now and the 59 before it, which is never more than an hour. */
static uint32_t offered_in_hour(struct sim *sim, uint32_t offered)
{
    struct judged_rate *rate = &sim->invariants->rate;
    uint64_t minute = sim->now_ms / MINUTE_MS;
    if (rate->jump_ms != sim->jump_ms) {
        *rate = (struct judged_rate){.jump_ms = sim->jump_ms}; /* the rate is by serind's clock */
    }
    uint32_t sum = 0;
    for (uint32_t i = 0; i < JUDGED_MINUTES; i++) {
        struct judged_minute *of = &rate->minutes[i];
        if (i == minute % JUDGED_MINUTES) {
            *of = of->minute == minute ? *of : (struct judged_minute){.minute = minute};
            of->offered += offered;
        }
        sum += of->minute + JUDGED_MINUTES > minute ? of->offered : 0;
    }
    return sum;
}

static void judge_crowd(struct sim *sim, const struct serin_rollout *rollout,
                        const struct crowd *crowd, uint32_t again)
{
    uint32_t most = rollout->policy.in_flight_max;
    uint32_t flight = crowd->open + crowd->fresh + again;
    uint64_t reach = (uint64_t)crowd->open + crowd->fresh + crowd->silent;
    uint64_t reach_most = (uint64_t)REACH_MOST * most + ELSEWHERE;
    if (most != 0 && (flight > most || (again == 0 && reach > reach_most))) {
        sim_broken(sim, SERIN_SIM_PACE,
                   "stage %u has %u devices at it, offers it to %u more with %u silent, and %u may "
                   "be in flight",
                   rollout->stage, crowd->open, crowd->fresh + again, crowd->silent, most);
    }
    uint32_t rate = rollout->policy.rate_per_hour;
    uint32_t offered = rate != 0 ? offered_in_hour(sim, crowd->offered + again) : 0;
    if (offered > rate) {
        sim_broken(sim, SERIN_SIM_PACE, "%u devices were offered it within an hour, and %u may be",
                   offered, rate);
    }
}

/* ---- what others call ---- */

void sim_judge_pace(struct sim *sim, const struct serin_rollout *rollout,
                    const struct serin_members *members)
{
    const struct judged_step *before = &sim->invariants->before;
    bool opens = rollout->stage > before->stage;
    bool completes = rollout->state == SERIN_ROLLOUT_COMPLETED && !before->completed;
    bool wider = rollout->threshold != before->threshold;
    bool again = rollout->attempt != before->attempt;
    note_step(sim);
    judge_hours(sim, rollout, opens || wider || completes);
    if (opens || completes) {
        judge_soak(sim, rollout);
    }
    if (opens) {
        judge_approval(sim, rollout);
    }
    bool bounded = rollout->policy.in_flight_max != 0 || rollout->policy.rate_per_hour != 0;
    if (bounded && (wider || again)) {
        struct crowd crowd = count(sim, rollout, members);
        judge_crowd(sim, rollout, &crowd, again ? crowd.failed : 0);
    }
}

void sim_judge_pace_created(struct sim *sim, const struct serin_rollout *rollout)
{
    struct sim_invariants *judge = sim->invariants;
    judge->stages = (struct judged_stages){
        .rollout = rollout->id, .at_ms = sim->now_ms, .wall_ms = sim_wall_ms(sim)};
    judge->rate = (struct judged_rate){.jump_ms = sim->jump_ms};
}

/* What was approved and soaked stays so. Of a rollout that another had followed nothing is known
 * but its record. */
void sim_judge_pace_restored(struct sim *sim, const struct serin_rollout *rollout)
{
    struct judged_stages *stages = &sim->invariants->stages;
    bool other = rollout->id != stages->rollout;
    stages->at_ms = sim->now_ms;
    stages->wall_ms = sim_wall_ms(sim);
    sim->invariants->rate = (struct judged_rate){.jump_ms = sim->jump_ms};
    if (other) {
        sim_judge_pace_created(sim, rollout);
        stages->approved = rollout->approved ? 1u << rollout->stage : 0;
        stages->advanced = stages->approved;
    }
    if (other && rollout->stage > 0) {
        stages->soaked_ms[rollout->stage - 1u] = rollout->soaked_ms;
    }
}
