/*
 * Draws a policy and a fleet (draw.h); the scenario is the simulator's own to draw.
 */
#include "draw.h"

#include <serin/assert.h>

#include <stdio.h>
#include <string.h>

#define MINUTE 60u
#define HOUR   (60u * MINUTE)
#define DAY_MS UINT64_C(86400000)
/* Unix seconds at which a simulation begins (docs/spec/simulation.md, section 2). */
#define START_S UINT64_C(1767225600)

/* SplitMix64, as in sim/src/scenario_random.c. */
static uint64_t next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t between(uint64_t *state, uint32_t low, uint32_t high)
{
    return low + (uint32_t)(next(state) % ((uint64_t)high - low + 1));
}

static bool once_in(uint64_t *state, uint32_t n)
{
    return next(state) % n == 0;
}

/* One to five stages that grow, the first sometimes a count, the last everyone. */
static void stages_draw(struct serin_policy *policy, uint64_t *state, uint32_t devices)
{
    uint32_t share = 0;
    policy->stage_count = between(state, 1, 5);
    for (size_t i = 0; i < policy->stage_count; i++) {
        bool last = i + 1 == policy->stage_count;
        uint32_t left = (10000 - share) / (uint32_t)(policy->stage_count - i);
        share = last ? 10000 : share + between(state, 1, left > 1 ? left - 1 : 1);
        policy->stages[i] = (struct serin_stage_policy){
            .permyriad = share,
            .soak_s = once_in(state, 3) ? 0 : between(state, MINUTE, 4 * HOUR),
            .approval = !last && once_in(state, 12),
        };
    }
    if (policy->stage_count > 1 && once_in(state, 3)) {
        policy->stages[0].permyriad = 0;
        policy->stages[0].count = between(state, 1, devices / 4);
    }
}

static void gates_draw(struct serin_policy *policy, uint64_t *state)
{
    for (int gate = SERIN_GATE_FAILURES; gate < SERIN_GATE_COUNT; gate++) {
        policy->gates[gate].minimum = between(state, 1, 20);
        policy->gates[gate].max_permyriad = once_in(state, 2)   ? 10000
                                            : once_in(state, 4) ? between(state, 0, 500)
                                                                : between(state, 500, 6000);
    }
    if (once_in(state, 4)) {
        policy->reason_count = 1;
        policy->reasons[0] = (struct serin_reason_policy){
            .reason = once_in(state, 2) ? SERIN_REASON_CRASH : SERIN_REASON_WATCHDOG,
            .gate = {.max_permyriad = between(state, 0, 2000), .minimum = between(state, 1, 10)}};
    }
    policy->control_minimum = between(state, 1, 30);
    policy->test.accepted_permyriad = between(state, 10, 1000);
    policy->test.rejected_permyriad = policy->test.accepted_permyriad + between(state, 50, 3000);
    policy->test.alpha_permyriad = between(state, 10, 1000);
    policy->test.beta_permyriad = between(state, 10, 1000);
    policy->test.small_stages_hold = once_in(state, 8);
}

static void pace_draw(struct serin_policy *policy, uint64_t *state)
{
    policy->ramp.first = once_in(state, 4) ? 0 : between(state, 1, 32);
    policy->ramp.growth_percent = between(state, 1, 100);
    policy->ramp.settle_s = between(state, MINUTE, HOUR);
    policy->in_flight_max = once_in(state, 3) ? between(state, 1, 50) : 0;
    policy->rate_per_hour = once_in(state, 4) ? between(state, 10, 500) : 0;
    if (once_in(state, 6)) {
        policy->window_count = 1;
        policy->windows[0] = (struct serin_window){
            .days = 127,
            .from_min = (uint16_t)between(state, 0, 719),
            .until_min = (uint16_t)between(state, 720, 1440),
        };
    }
    policy->spread_s = once_in(state, 3) ? between(state, 1, 9 * MINUTE) : 0;
    policy->patience_s = between(state, 10 * MINUTE, 6 * HOUR);
    policy->deadline_s = between(state, 30 * MINUTE, 8 * HOUR);
    policy->lease_s = between(state, 5 * MINUTE, 6 * HOUR);
    policy->site_failures_max = once_in(state, 2) ? between(state, 1, 3) : 0;
    policy->on_halt = once_in(state, 2) ? SERIN_ON_HALT_HOLD : SERIN_ON_HALT_REVERT;
    policy->emergency = once_in(state, 10);
}

/* A rollout that begins hours after it was created. Of dice of its own, so that nothing else that
 * is drawn depends on it. */
static void start_draw(struct serin_policy *policy, uint64_t seed)
{
    uint64_t state = seed ^ UINT64_C(0x7374617274);
    if (once_in(&state, 12)) {
        policy->start_s = START_S + between(&state, MINUTE, 12 * HOUR);
    }
}

/* What is drawn must be a policy: else it is the drawing that is wrong. */
static void policy_sound(const struct serin_policy *policy)
{
    struct serin_policy offered = *policy;
    const char *field = NULL;
    offered.offer_count = 1;
    offered.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 1};
    memset(offered.offers[0].manifest_id, 1, sizeof offered.offers[0].manifest_id);
    if (serin_policy_check(&offered, &field) != SERIN_OK) {
        (void)fprintf(stderr, "drawn policy: %s\n", field);
        SERIN_ASSERT(false);
    }
}

/* A rule may name a gateway that this fleet has not. */
static void sites_fold(struct serin_sim_config *config)
{
    for (size_t i = 0; i < config->scenario.behaviour_count; i++) {
        struct serin_sim_behaviour *behaviour = &config->scenario.behaviours[i];
        for (size_t k = 0; k < behaviour->site_count; k++) {
            behaviour->sites[k] %= config->gateways + 1;
        }
    }
}

/* An image that falls silent for good in its soak, under a policy that asks for silence and soaks
 * for long enough to miss it; serind restarts by turns. Nothing else shows what goes on over the
 * dead. */
static void dying_draw(struct serin_sim_config *config, uint64_t *state)
{
    struct serin_policy *policy = &config->policy;
    struct serin_sim_scenario *scenario = &config->scenario;
    if (!once_in(state, 16)) {
        return;
    }
    config->beat_interval_s = between(state, 15 * MINUTE, 30 * MINUTE);
    policy->emergency = false;
    policy->control_minimum = between(state, 1, 10);
    policy->gates[SERIN_GATE_SILENCE].max_permyriad = between(state, 500, 3000);
    for (size_t i = 0; i < policy->stage_count; i++) {
        policy->stages[i].soak_s = between(state, 3 * HOUR, 6 * HOUR);
    }
    scenario->behaviour_count = 1;
    scenario->behaviours[0] = (struct serin_sim_behaviour){
        .fault = SERIN_SIM_FAULT_DEAF,
        .share = SERIN_SIM_ALL,
        .after_ms = UINT64_C(1000) * between(state, MINUTE, 30 * MINUTE),
    };
    uint32_t first_s = between(state, 10 * MINUTE, 3 * HOUR);
    uint32_t apart_s = between(state, 10 * MINUTE, HOUR);
    scenario->event_count = between(state, 0, 40);
    for (size_t i = 0; i < scenario->event_count; i++) {
        scenario->events[i] = (struct serin_sim_event){
            .kind = SERIN_SIM_EVENT_SERIND_CRASH,
            .at_ms = UINT64_C(1000) * (first_s + i * apart_s),
            .for_ms = UINT64_C(1000) * between(state, 1, MINUTE),
        };
    }
}

void soak_draw(struct serin_sim_config *config, uint64_t seed, uint32_t devices_max)
{
    uint64_t state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
    SERIN_ASSERT(devices_max >= SOAK_DEVICES_MIN);
    *config = (struct serin_sim_config){
        .devices = between(&state, SOAK_DEVICES_MIN, devices_max),
        .gateways = once_in(&state, 4) ? 0 : between(&state, 1, SOAK_GATEWAYS),
        .seed = seed,
        .image_size =
            once_in(&state, 2) ? between(&state, 256, 4096) : between(&state, 4097, 12288),
        .beat_interval_s = between(&state, 30 * MINUTE, 3 * HOUR),
        .limit_ms = 5 * DAY_MS,
        .raises_counter = once_in(&state, 4),
        .check = true,
    };
    struct serin_policy *policy = &config->policy;
    serin_policy_default(policy);
    (void)snprintf(policy->product, sizeof policy->product, "lamp");
    (void)snprintf(policy->channel, sizeof policy->channel, "stable");
    stages_draw(policy, &state, config->devices);
    gates_draw(policy, &state);
    pace_draw(policy, &state);
    start_draw(policy, seed);
    serin_sim_scenario_random(&config->scenario, seed);
    dying_draw(config, &state);
    policy_sound(policy);
    sites_fold(config);
}
