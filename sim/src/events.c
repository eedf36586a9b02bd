/* What a scenario does to the world: its events and its weather. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 160u

struct sim_events {
    /* Events of one kind may overlap: so many are under way at each gateway. */
    uint8_t *crashed, *away, *stale;
    uint32_t server_down;
    uint64_t restore_ms; /* the store that serind comes back with; SIM_NEVER_MS: its own */
    uint32_t drop;       /* of all weather that there is now */
    uint8_t *struck;     /* bit w: by weather w; 2 bytes a device */
};

static const struct serin_sim_event *event_of(const struct sim *sim, uint32_t index)
{
    return &sim->config->scenario.events[index];
}

/* ---- gateways ---- */

typedef void (*gateway_change)(struct sim *sim, uint32_t gateway);

static void crash(struct sim *sim, uint32_t gateway)
{
    if (sim->events->crashed[gateway]++ == 0) {
        sim_net_gateway(sim, gateway, false);
        sim_gateway_crash(sim, gateway);
        sim->result->crashes++;
    }
}

static void revive(struct sim *sim, uint32_t gateway)
{
    if (--sim->events->crashed[gateway] == 0) {
        sim_gateway_revive(sim, gateway);
        sim_net_gateway(sim, gateway, true);
    }
}

static void go_away(struct sim *sim, uint32_t gateway)
{
    if (sim->events->away[gateway]++ == 0) {
        sim_net_away(sim, gateway, true);
    }
}

static void come_back(struct sim *sim, uint32_t gateway)
{
    if (--sim->events->away[gateway] == 0) {
        sim_net_away(sim, gateway, false);
    }
}

static void go_stale(struct sim *sim, uint32_t gateway)
{
    sim->events->stale[gateway]++;
    sim_depot_stale(sim, gateway, true);
}

static void go_fresh(struct sim *sim, uint32_t gateway)
{
    if (--sim->events->stale[gateway] == 0) {
        sim_depot_stale(sim, gateway, false);
    }
}

/* Whether an event strikes this gateway: by its number, or by a die that its end throws again. */
static bool strikes(struct sim *sim, uint32_t event, uint32_t gateway)
{
    const struct serin_sim_event *what = event_of(sim, event);
    if (what->site != 0) {
        return gateway + 1u == what->site;
    }
    /* A stream that many ask: it follows from the numbers alone. */
    uint64_t mixed = (sim->config->seed ^ (uint64_t)event << 32 ^ gateway) + 1u;
    mixed = (mixed ^ mixed >> 31) * UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
    return (mixed ^ mixed >> 32) % SERIN_SIM_ALL < what->share;
}

/* How many it changed. */
static uint32_t change_gateways(struct sim *sim, uint32_t event, gateway_change change)
{
    uint32_t changed = 0;
    for (uint32_t gateway = 0; gateway < sim->config->gateways; gateway++) {
        if (strikes(sim, event, gateway)) {
            change(sim, gateway);
            changed++;
        }
    }
    return changed;
}

/* ---- brokers, devices, serind ---- */

static void restart_brokers(struct sim *sim, uint32_t index, uint64_t old_ms)
{
    const struct serin_sim_event *event = event_of(sim, index);
    if (event->site == 0 && event->share == 0) {
        sim_broker_restart(sim, SIM_CLOUD, event->for_ms, old_ms);
        return;
    }
    for (uint32_t gateway = 0; gateway < sim->config->gateways; gateway++) {
        if (strikes(sim, index, gateway)) {
            sim_broker_restart(sim, gateway + 1u, event->for_ms, old_ms);
        }
    }
}

/* How many. */
static uint32_t cut_devices(struct sim *sim, uint32_t index)
{
    const struct serin_sim_event *event = event_of(sim, index);
    uint32_t cut = 0;
    for (uint32_t node = 0; node < sim->config->devices; node++) {
        if (sim_dice_share(sim, SIM_DICE_WEATHER, node, event->share)) {
            sim_node_cut(sim, node, event->for_ms);
            cut++;
        }
    }
    return cut;
}

static void server_down(struct sim *sim, uint64_t restore_ms)
{
    if (restore_ms != SIM_NEVER_MS) {
        sim->events->restore_ms = restore_ms;
    }
    if (sim->events->server_down++ == 0) {
        sim_net_server(sim, false);
        sim_server_crash(sim);
        sim->result->crashes++;
    }
}

static void server_up(struct sim *sim)
{
    uint64_t restore_ms = sim->events->restore_ms;
    if (--sim->events->server_down > 0) {
        return;
    }
    sim->events->restore_ms = SIM_NEVER_MS;
    if (restore_ms != SIM_NEVER_MS) {
        sim_server_restore(sim, restore_ms);
    } else {
        sim_server_revive(sim);
    }
    sim_net_server(sim, true);
}

/* ---- events ---- */

static const char *const texts[SERIN_SIM_EVENT_COUNT] = {
    [SERIN_SIM_EVENT_GATEWAY_CRASH] = "gateways crash",
    [SERIN_SIM_EVENT_GATEWAY_AWAY] = "gateways lose their uplink",
    [SERIN_SIM_EVENT_STALE_CACHE] = "depots go stale",
    [SERIN_SIM_EVENT_SERIND_CRASH] = "serind crashes",
    [SERIN_SIM_EVENT_SERIND_RESTORE] = "serind is restored from an older backup",
    [SERIN_SIM_EVENT_BROKER_RESTART] = "a broker restarts",
    [SERIN_SIM_EVENT_BROKER_OLD] = "a broker comes back with an older disk",
    [SERIN_SIM_EVENT_POWER_CUT] = "the power goes",
    [SERIN_SIM_EVENT_PAUSE] = "the operator pauses",
    [SERIN_SIM_EVENT_RESUME] = "the operator resumes",
    [SERIN_SIM_EVENT_HALT] = "the operator halts",
    [SERIN_SIM_EVENT_ADVANCE] = "the operator advances",
    [SERIN_SIM_EVENT_RETRY] = "the operator retries",
    [SERIN_SIM_EVENT_ABORT] = "the operator aborts",
    [SERIN_SIM_EVENT_CLOCK_JUMP] = "serind's clock jumps",
};

/* 0: refused. */
static uint32_t verb(struct sim *sim, enum serin_sim_event_kind kind)
{
    char text[TEXT_MAX];
    bool done = sim->events->server_down == 0 && sim_server_verb(sim, kind);
    (void)snprintf(text, sizeof text, "%s%s", texts[kind], done ? "" : ": refused");
    sim_say(sim, text);
    return done ? 1u : 0u;
}

static uint64_t old_disk_ms(const struct sim *sim, const struct serin_sim_event *event)
{
    return sim->now_ms > event->back_ms ? sim->now_ms - event->back_ms : 0;
}

static void begin(struct sim *sim, uint32_t index)
{
    const struct serin_sim_event *event = event_of(sim, index);
    uint32_t struck = 1;
    bool verbs = event->kind >= SERIN_SIM_EVENT_PAUSE && event->kind <= SERIN_SIM_EVENT_ABORT;
    sim_note(sim, SIM_NOTE_EVENT, index, (uint64_t)event->kind);
    if (!verbs) {
        sim_say(sim, texts[event->kind]);
    }
    switch (event->kind) {
    case SERIN_SIM_EVENT_GATEWAY_CRASH:
        struck = change_gateways(sim, index, crash);
        break;
    case SERIN_SIM_EVENT_GATEWAY_AWAY:
        struck = change_gateways(sim, index, go_away);
        break;
    case SERIN_SIM_EVENT_STALE_CACHE:
        struck = change_gateways(sim, index, go_stale);
        break;
    case SERIN_SIM_EVENT_SERIND_CRASH:
        server_down(sim, SIM_NEVER_MS);
        break;
    case SERIN_SIM_EVENT_SERIND_RESTORE:
        server_down(sim, old_disk_ms(sim, event));
        break;
    case SERIN_SIM_EVENT_BROKER_RESTART:
        restart_brokers(sim, index, SIM_NEVER_MS);
        break;
    case SERIN_SIM_EVENT_BROKER_OLD:
        restart_brokers(sim, index, old_disk_ms(sim, event));
        break;
    case SERIN_SIM_EVENT_POWER_CUT:
        struck = cut_devices(sim, index);
        break;
    case SERIN_SIM_EVENT_PAUSE:
    case SERIN_SIM_EVENT_RESUME:
    case SERIN_SIM_EVENT_HALT:
    case SERIN_SIM_EVENT_ADVANCE:
    case SERIN_SIM_EVENT_RETRY:
    case SERIN_SIM_EVENT_ABORT:
        struck = verb(sim, event->kind);
        break;
    case SERIN_SIM_EVENT_CLOCK_JUMP:
        sim->jump_ms += event->jump_ms;
        if (sim->events->server_down == 0) {
            sim_server_jumped(sim);
        }
        break;
    case SERIN_SIM_EVENT_INVALID:
    case SERIN_SIM_EVENT_COUNT:
        SERIN_ASSERT(false);
        break;
    }
    sim->result->struck[event->kind] += struck;
    sim_at(sim, sim->now_ms + event->for_ms, SIM_WORLD, index, SIM_WORLD_EVENT_END);
}

/* What lasts is over; the rest was done with its beginning. */
static void end(struct sim *sim, uint32_t index)
{
    enum serin_sim_event_kind kind = event_of(sim, index)->kind;
    if (kind == SERIN_SIM_EVENT_GATEWAY_CRASH) {
        (void)change_gateways(sim, index, revive);
    } else if (kind == SERIN_SIM_EVENT_GATEWAY_AWAY) {
        (void)change_gateways(sim, index, come_back);
    } else if (kind == SERIN_SIM_EVENT_STALE_CACHE) {
        (void)change_gateways(sim, index, go_fresh);
    } else if (kind == SERIN_SIM_EVENT_SERIND_CRASH || kind == SERIN_SIM_EVENT_SERIND_RESTORE) {
        server_up(sim);
    }
}

/* ---- weather ---- */

static void weather(struct sim *sim, uint32_t index, bool begins)
{
    const struct serin_sim_weather *what = &sim->config->scenario.weather[index];
    uint8_t bit = (uint8_t)(1u << index % 8u);
    uint32_t drop = sim->events->drop;
    sim->events->drop = begins ? drop + what->drop : drop - what->drop;
    sim_net_weather(sim, sim->events->drop < SERIN_SIM_ALL ? sim->events->drop : SERIN_SIM_ALL);
    sim_say(sim, begins ? "bad weather begins" : "bad weather ends");
    for (uint32_t node = 0; node < sim->config->devices; node++) {
        uint8_t *struck = &sim->events->struck[2u * (size_t)node];
        bool was = (struck[0] | struck[1]) != 0;
        if (begins && sim_dice_share(sim, SIM_DICE_WEATHER, node, what->offline)) {
            struck[index / 8u] |= bit;
        } else if (!begins) {
            struck[index / 8u] &= (uint8_t)~bit;
        }
        bool is = (struck[0] | struck[1]) != 0;
        if (was != is) {
            sim_node_away(sim, node, is);
        }
    }
}

void sim_events_due(struct sim *sim, uint32_t index, uint32_t what)
{
    if (what == SIM_WORLD_EVENT) {
        begin(sim, index);
    } else if (what == SIM_WORLD_EVENT_END) {
        end(sim, index);
    } else {
        weather(sim, index, what == SIM_WORLD_WEATHER);
    }
}

_Static_assert(SERIN_SIM_WEATHER_MAX <= 16u, "two bytes a device");

enum serin_error sim_events_open(struct sim *sim)
{
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    struct sim_events *events = calloc(1, sizeof *events);
    size_t gateways = sim->config->gateways + 1u;
    sim->events = events;
    if (events == NULL) {
        return SERIN_ERR_MEMORY;
    }
    events->restore_ms = SIM_NEVER_MS;
    events->crashed = calloc(gateways, 1);
    events->away = calloc(gateways, 1);
    events->stale = calloc(gateways, 1);
    events->struck = calloc(sim->config->devices, 2);
    if (events->crashed == NULL || events->away == NULL || events->stale == NULL ||
        events->struck == NULL) {
        return SERIN_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < scenario->event_count; i++) {
        sim_at(sim, scenario->events[i].at_ms, SIM_WORLD, i, SIM_WORLD_EVENT);
    }
    for (uint32_t i = 0; i < scenario->weather_count; i++) {
        const struct serin_sim_weather *what = &scenario->weather[i];
        sim_at(sim, what->from_ms, SIM_WORLD, i, SIM_WORLD_WEATHER);
        sim_at(sim, what->from_ms + what->for_ms, SIM_WORLD, i, SIM_WORLD_WEATHER_END);
    }
    return SERIN_OK;
}

void sim_events_close(struct sim *sim)
{
    struct sim_events *events = sim->events;
    if (events == NULL) {
        return;
    }
    free(events->crashed);
    free(events->away);
    free(events->stale);
    free(events->struck);
    free(events);
}
