/* The judges of what goes on after a restart, and over the dead (invariants.h): silence is nothing
 * that anybody reports, so that a stage may pass for want of a look at it. */
#include "invariants_internal.h"
#include "server.h"

#define PERMYRIAD  10000u
#define SILENT     3u            /* usual gaps, as the specification has it */
#define LATE_S     UINT64_C(60)  /* what was said last may still be on its way */
#define OUTAGE_S   UINT64_C(300) /* after an outage, until everybody is connected again */
#define MOST_WELL  10u           /* a tenth of the others may be silent: the network is not dark */
#define FLEET_MOST 2000u
/* Of fewer the comparison says that chance may have silenced them, and lets them pass where the
 * gate's minimum is as small (docs/spec/simulation.md, section 6). */
#define DEAD_LEAST 12u

static bool is_on(const struct serin_gate_policy *gate)
{
    return gate->minimum != 0 && gate->max_permyriad < PERMYRIAD;
}

static bool completed(const struct serin_rollout *rollout)
{
    return rollout->state == SERIN_ROLLOUT_COMPLETED;
}

/* ---- a look since the restart ---- */

void sim_judge_restored(struct sim *sim)
{
    sim->invariants->unseen = true;
}

/* A stage is judged by what was seen of its devices since serind is there again: what it had seen
 * before is of another time, and part of it is lost. */
static void judge_look(struct sim *sim, const struct serin_rollout *rollout,
                       const struct serin_members *members)
{
    const struct serin_gate_policy *gates = rollout->policy.gates;
    bool asked = members->health != NULL &&
                 (is_on(&gates[SERIN_GATE_SILENCE]) || is_on(&gates[SERIN_GATE_ERRORS]));
    if (asked && sim->invariants->unseen) {
        sim_broken(sim, SERIN_SIM_STALE,
                   "stage %u passed before its devices were compared with others since serind's "
                   "restart",
                   sim->invariants->before.stage);
    }
}

/* ---- the dead ---- */

void sim_judge_deaf(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->config->devices; i++) {
        struct judged_device *device = &sim->invariants->devices[i];
        if (!sim->nodes[i].deaf) {
            device->deaf_ms = 0;
        } else if (device->deaf_ms == 0) {
            device->deaf_ms = sim->now_ms;
        }
    }
}

/* For how long nobody could have been heard since a moment, at most. */
static uint64_t outages_s(const struct sim *sim, uint64_t since_ms)
{
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    uint64_t sum_s = 0;
    for (size_t i = 0; i < scenario->event_count; i++) {
        const struct serin_sim_event *event = &scenario->events[i];
        bool outage = event->kind >= SERIN_SIM_EVENT_SERIND_CRASH &&
                      event->kind <= SERIN_SIM_EVENT_BROKER_OLD && event->at_ms <= sim->now_ms &&
                      event->at_ms + event->for_ms >= since_ms;
        sum_s += outage ? event->for_ms / 1000u + OUTAGE_S : 0;
    }
    return sum_s;
}

/* Whether anything befell the run after which silence cannot be told by this plain means, or an
 * operator may have gone on in spite of it. */
static bool is_unclear(const struct sim *sim)
{
    const uint32_t *came = sim->result->came;
    return came[SERIN_SIM_EVENT_CLOCK_JUMP] > 0 || came[SERIN_SIM_EVENT_SERIND_RESTORE] > 0 ||
           came[SERIN_SIM_EVENT_ADVANCE] > 0;
}

/* Whether a device fell silent for good so long ago that it must have been missed. */
static bool is_dead(const struct sim *sim, const struct serin_health *health, uint32_t device)
{
    uint64_t deaf_ms = sim->invariants->devices[device].deaf_ms;
    uint64_t missed_s = (uint64_t)health->gap_s * SILENT + LATE_S + outages_s(sim, deaf_ms);
    return deaf_ms != 0 && serin_health_known(health) &&
           sim->now_ms - deaf_ms > missed_s * UINT64_C(1000);
}

/* No stage follows on one of which every device that confirmed is dead, while as many others live.
 */
static void judge_dead(struct sim *sim, const struct serin_rollout *rollout,
                       const struct serin_members *members)
{
    const struct sim_invariants *judge = sim->invariants;
    uint32_t confirmed = 0;
    uint32_t dead = 0;
    uint32_t others = 0;
    uint32_t silent = 0;
    if (members->health == NULL || members->count > FLEET_MOST || is_unclear(sim) ||
        !is_on(&rollout->policy.gates[SERIN_GATE_SILENCE])) {
        return;
    }
    for (uint32_t i = 0; i < members->count; i++) {
        const struct serin_member *member = &members->list[i];
        const struct serin_health *health = &members->health[member->device];
        if (member->state == SERIN_STATE_CONFIRMED && member->ran_before == 0 &&
            member->stage == judge->before.stage) {
            confirmed++;
            dead += is_dead(sim, health, member->device) ? 1u : 0u;
        } else if (member->rank > judge->before.threshold && member->state == SERIN_STATE_IDLE &&
                   serin_health_known(health)) {
            others++;
            silent += serin_health_silent(health, sim_wall_ms(sim) / 1000u) ? 1u : 0u;
        }
    }
    if (confirmed >= DEAD_LEAST && dead == confirmed && others >= confirmed &&
        others >= rollout->policy.control_minimum && silent * MOST_WELL <= others) {
        sim_broken(
            sim, SERIN_SIM_DEAD,
            "stage %u passed: all %u of its devices that confirmed are silent for good, of %u "
            "others %u are silent",
            judge->before.stage, confirmed, others, silent);
    }
}

void sim_judge_passed(struct sim *sim, const struct serin_rollout *rollout,
                      const struct serin_members *members)
{
    struct sim_invariants *judge = sim->invariants;
    if (rollout->comparison.at_ms == sim_wall_ms(sim)) {
        judge->unseen = false;
    }
    bool follows = judge->before.stage > 0 && rollout->stage > judge->before.stage;
    if (follows || (completed(rollout) && !judge->before.completed)) {
        judge_look(sim, rollout, members);
        judge_dead(sim, rollout, members);
    }
}
