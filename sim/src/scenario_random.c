/*
 * Random scenarios for soak runs: each sort of trouble is there in some of them, several at once in
 * most, and none so heavy that nothing else could happen, but for links that lose nearly all.
 */
#include <serin/sim/scenario.h>

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): a stream
 * of its own, so that a scenario is the seed's alone. */
static uint64_t next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* From low to high, both included. */
static uint64_t between(uint64_t *state, uint64_t low, uint64_t high)
{
    return low + next(state) % (high - low + 1);
}

static uint32_t share_between(uint64_t *state, uint32_t low, uint32_t high)
{
    return (uint32_t)between(state, low, high);
}

/* True once in `n`. */
static bool once_in(uint64_t *state, uint64_t n)
{
    return next(state) % n == 0;
}

static void fleet_random(struct serin_sim_scenario *scenario, uint64_t *state)
{
    if (once_in(state, 3)) {
        scenario->hardware_count = (size_t)between(state, 2, 4);
        for (size_t i = 0; i < scenario->hardware_count; i++) {
            scenario->hardware[i] = (struct serin_sim_hardware){
                .revision = (uint16_t)(i + 1), .share = share_between(state, 1, 10)};
        }
    }
    if (once_in(state, 2)) {
        scenario->direct = share_between(state, 0, SERIN_SIM_ALL);
    }
    if (once_in(state, 3)) {
        scenario->offline = share_between(state, 1, 200000);
    }
    if (once_in(state, 3)) {
        scenario->sleeping = share_between(state, 1, 500000);
        scenario->asleep_ms = between(state, 5 * MINUTE, 6 * HOUR);
        scenario->awake_ms = between(state, 2 * MINUTE, HOUR);
    }
}

static void links_random(struct serin_sim_scenario *scenario, uint64_t *state)
{
    uint32_t *const messages[] = {&scenario->drop, &scenario->duplicate, &scenario->reorder,
                                  &scenario->corrupt};
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        if (once_in(state, 3)) {
            *messages[i] = share_between(state, 1000, 100000);
        }
    }
    if (once_in(state, 3)) {
        scenario->cut = share_between(state, 50000, SERIN_SIM_ALL);
        scenario->cut_at = share_between(state, 100000, 900000);
    }
    if (once_in(state, 4)) {
        scenario->latency_min_ms = (uint32_t)between(state, 0, SECOND);
        scenario->latency_max_ms =
            scenario->latency_min_ms + (uint32_t)between(state, 0, 20 * SECOND);
    }
    if (once_in(state, 4)) {
        scenario->bytes_per_s = (uint32_t)between(state, 200, 20000);
    }
    if (once_in(state, 3)) {
        scenario->power_cuts_per_year = (uint32_t)between(state, 50, 5000);
    }
    scenario->errors_per_day = (uint32_t)between(state, 0, 5);
}

static void behaviour_random(struct serin_sim_behaviour *behaviour, uint64_t *state)
{
    *behaviour = (struct serin_sim_behaviour){
        .fault =
            (enum serin_sim_fault)between(state, SERIN_SIM_FAULT_CRASH, SERIN_SIM_FAULT_COUNT - 1),
        .share = once_in(state, 4) ? SERIN_SIM_ALL : share_between(state, 1000, SERIN_SIM_ALL / 2),
    };
    if (serin_sim_fault_waits(behaviour->fault)) {
        behaviour->after_ms = between(state, MINUTE, 12 * HOUR);
    }
    if (once_in(state, 4)) {
        behaviour->has_version = true;
        behaviour->version = (struct serin_version){.major = 2};
    }
    if (once_in(state, 4)) {
        behaviour->hardware = (uint16_t)between(state, 1, 4);
    }
    if (once_in(state, 4)) {
        behaviour->site_count = (size_t)between(state, 1, 3);
        for (size_t i = 0; i < behaviour->site_count; i++) {
            behaviour->sites[i] = (uint32_t)between(state, 0, 8);
        }
    }
}

static void event_random(struct serin_sim_event *event, uint64_t *state)
{
    enum serin_sim_event_kind kind =
        (enum serin_sim_event_kind)between(state, 1, SERIN_SIM_EVENT_COUNT - 1);
    /* Who halts or aborts sees nothing of the rest, so that these two are rarer. */
    if (kind == SERIN_SIM_EVENT_HALT || kind == SERIN_SIM_EVENT_ABORT) {
        kind = (enum serin_sim_event_kind)between(state, 1, SERIN_SIM_EVENT_COUNT - 1);
    }
    const struct serin_sim_event_rule *rule = serin_sim_event_rule(kind);
    *event = (struct serin_sim_event){
        .kind = kind,
        .at_ms = once_in(state, 2) ? between(state, 0, HOUR) : between(state, 0, 2 * DAY),
        .for_ms = rule->lasts ? between(state, SECOND, 3 * HOUR) : 0,
        .back_ms = rule->back ? between(state, MINUTE, 6 * HOUR) : 0,
    };
    if (rule->jump) {
        int64_t jump = (int64_t)between(state, SECOND, 6 * HOUR);
        event->jump_ms = once_in(state, 2) ? -jump : jump;
    }
    if (rule->gateways || rule->devices) {
        event->share = once_in(state, 3) ? SERIN_SIM_ALL : share_between(state, 10000, 600000);
    }
}

static void add_event(struct serin_sim_scenario *scenario, const struct serin_sim_event *event)
{
    if (scenario->event_count < SERIN_SIM_EVENTS_MAX) {
        scenario->events[scenario->event_count++] = *event;
    }
}

/* An operator halts what is under way. In half of them the broker comes back from before that,
 * while serind cannot repair it: devices hear once more what they know is over. */
static void halt_random(struct serin_sim_scenario *scenario, uint64_t *state)
{
    if (!once_in(state, 8)) {
        return;
    }
    uint64_t halt_ms = between(state, 10 * SECOND, once_in(state, 3) ? HOUR : 10 * MINUTE);
    uint64_t later_ms = between(state, SECOND, 5 * MINUTE);
    uint64_t down_ms = between(state, SECOND, MINUTE);
    uint64_t before_ms = between(state, SECOND, halt_ms);
    add_event(scenario, &(struct serin_sim_event){.kind = SERIN_SIM_EVENT_HALT, .at_ms = halt_ms});
    if (once_in(state, 2)) {
        /* Gateways keep orders of their own. */
        scenario->direct = share_between(state, SERIN_SIM_ALL / 2, SERIN_SIM_ALL);
        add_event(scenario, &(struct serin_sim_event){.kind = SERIN_SIM_EVENT_SERIND_CRASH,
                                                      .at_ms = halt_ms + later_ms,
                                                      .for_ms = between(state, HOUR, 3 * HOUR)});
        add_event(scenario, &(struct serin_sim_event){.kind = SERIN_SIM_EVENT_BROKER_OLD,
                                                      .at_ms = halt_ms + later_ms,
                                                      .for_ms = down_ms,
                                                      .back_ms = later_ms + before_ms});
    }
}

/* Sites lose their uplink while an image fails there: nobody but their gateways can stop it. */
static void site_random(struct serin_sim_scenario *scenario, uint64_t *state)
{
    if (!once_in(state, 8)) {
        return;
    }
    scenario->behaviours[0] = (struct serin_sim_behaviour){
        .fault = once_in(state, 2) ? SERIN_SIM_FAULT_CRASH : SERIN_SIM_FAULT_NO_CONFIRM,
        .share = share_between(state, SERIN_SIM_ALL / 2, SERIN_SIM_ALL),
    };
    scenario->behaviour_count += scenario->behaviour_count == 0 ? 1u : 0u;
    add_event(scenario, &(struct serin_sim_event){.kind = SERIN_SIM_EVENT_GATEWAY_AWAY,
                                                  .at_ms = between(state, MINUTE, 15 * MINUTE),
                                                  .for_ms = between(state, HOUR, 3 * HOUR),
                                                  .share = SERIN_SIM_ALL});
}

/* serind restarts again and again, minutes apart, as it does until somebody finds out why; in half
 * of them also while the broker is down, and in half of them while an image falls silent. */
static void restarts_random(struct serin_sim_scenario *scenario, uint64_t *state)
{
    if (!once_in(state, 6)) {
        return;
    }
    if (once_in(state, 2)) {
        scenario->behaviours[0] = (struct serin_sim_behaviour){
            .fault = SERIN_SIM_FAULT_DEAF,
            .share = once_in(state, 2) ? SERIN_SIM_ALL : share_between(state, 200000, 900000),
            .after_ms = between(state, MINUTE, HOUR),
        };
        scenario->behaviour_count += scenario->behaviour_count == 0 ? 1u : 0u;
    }
    uint64_t at_ms = between(state, 10 * MINUTE, 12 * HOUR);
    uint64_t apart_ms = between(state, 2 * MINUTE, HOUR);
    uint64_t count = between(state, 2, 16);
    if (once_in(state, 2)) {
        add_event(scenario, &(struct serin_sim_event){.kind = SERIN_SIM_EVENT_BROKER_RESTART,
                                                      .at_ms = at_ms,
                                                      .for_ms = between(state, MINUTE, HOUR)});
    }
    for (uint64_t i = 0; i < count; i++) {
        add_event(scenario, &(struct serin_sim_event){.kind = SERIN_SIM_EVENT_SERIND_CRASH,
                                                      .at_ms = at_ms + i * apart_ms,
                                                      .for_ms = between(state, SECOND, MINUTE)});
    }
}

/* A pause without a resume would be the end of the run, as far as anything happens in it. */
static void resume_follows(struct serin_sim_scenario *scenario, uint64_t *state)
{
    size_t count = scenario->event_count;
    for (size_t i = 0; i < count && scenario->event_count < SERIN_SIM_EVENTS_MAX; i++) {
        if (scenario->events[i].kind == SERIN_SIM_EVENT_PAUSE) {
            scenario->events[scenario->event_count++] = (struct serin_sim_event){
                .kind = SERIN_SIM_EVENT_RESUME,
                .at_ms = scenario->events[i].at_ms + between(state, MINUTE, 6 * HOUR)};
        }
    }
}

/* Links that lose most of what they carry, for all of the run or for a spell: little gets through,
 * and what does comes late. The spell ends, so that what was lost can be told yet. */
static void heavy_loss(struct serin_sim_scenario *scenario, uint64_t *state)
{
    uint32_t lost = share_between(state, 300000, SERIN_SIM_ALL);
    switch (next(state) % 3) {
    case 0:
        scenario->drop = lost;
        break;
    case 1:
        scenario->corrupt = lost;
        break;
    default:
        scenario->weather_count = 1;
        scenario->weather[0] = (struct serin_sim_weather){.from_ms = between(state, 0, 6 * HOUR),
                                                          .for_ms = between(state, HOUR, 3 * DAY),
                                                          .drop = lost};
        break;
    }
}

void serin_sim_scenario_random(struct serin_sim_scenario *scenario, uint64_t seed)
{
    uint64_t state = seed ^ UINT64_C(0x73657269);
    serin_sim_scenario_default(scenario);
    fleet_random(scenario, &state);
    links_random(scenario, &state);
    /* A third of the images is good. */
    scenario->behaviour_count = once_in(&state, 3) ? 0 : (size_t)between(&state, 1, 3);
    for (size_t i = 0; i < scenario->behaviour_count; i++) {
        behaviour_random(&scenario->behaviours[i], &state);
    }
    scenario->weather_count = once_in(&state, 4) ? (size_t)between(&state, 1, 2) : 0;
    for (size_t i = 0; i < scenario->weather_count; i++) {
        scenario->weather[i] = (struct serin_sim_weather){
            .from_ms = between(&state, 0, DAY),
            .for_ms = between(&state, 10 * MINUTE, DAY),
            .offline = share_between(&state, 0, 400000),
            .drop = share_between(&state, 0, 200000),
        };
    }
    scenario->event_count = once_in(&state, 3) ? 0 : (size_t)between(&state, 1, 6);
    for (size_t i = 0; i < scenario->event_count; i++) {
        event_random(&scenario->events[i], &state);
    }
    resume_follows(scenario, &state);
    if (once_in(&state, 12)) {
        heavy_loss(scenario, &state);
    }
    halt_random(scenario, &state);
    site_random(scenario, &state);
    restarts_random(scenario, &state);
}
