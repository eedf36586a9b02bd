/* What a scenario does to the world: its events and its weather. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX  160u
#define NAMED_MAX 12u /* gateways that a line of the time line names; TEXT_MAX has room */

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

/* True: it has changed; false: another event holds it where it is. */
typedef bool (*gateway_change)(struct sim *sim, uint32_t gateway);

static bool crash(struct sim *sim, uint32_t gateway)
{
    bool first = sim->events->crashed[gateway]++ == 0;
    if (first) {
        sim_net_gateway(sim, gateway, false);
        sim_gateway_crash(sim, gateway);
        sim->result->gateway_crashes++;
    }
    return first;
}

static bool revive(struct sim *sim, uint32_t gateway)
{
    bool last = --sim->events->crashed[gateway] == 0;
    if (last) {
        sim_gateway_revive(sim, gateway);
        sim_net_gateway(sim, gateway, true);
    }
    return last;
}

static bool go_away(struct sim *sim, uint32_t gateway)
{
    bool first = sim->events->away[gateway]++ == 0;
    if (first) {
        sim_net_away(sim, gateway, true);
    }
    return first;
}

static bool come_back(struct sim *sim, uint32_t gateway)
{
    bool last = --sim->events->away[gateway] == 0;
    if (last) {
        sim_net_away(sim, gateway, false);
    }
    return last;
}

static bool go_stale(struct sim *sim, uint32_t gateway)
{
    bool first = sim->events->stale[gateway]++ == 0;
    if (first) {
        sim_depot_stale(sim, gateway, true);
    }
    return first;
}

static bool go_fresh(struct sim *sim, uint32_t gateway)
{
    bool last = --sim->events->stale[gateway] == 0;
    if (last) {
        sim_depot_stale(sim, gateway, false);
    }
    return last;
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

/* Adds a gateway's number, as scenarios count them, where there is room for it. */
static void name_gateway(char text[TEXT_MAX], size_t *size, uint32_t named, uint32_t gateway)
{
    if (named < NAMED_MAX) {
        *size += (size_t)snprintf(text + *size, TEXT_MAX - *size, "%s%u", named > 0 ? ", " : ": ",
                                  gateway + 1u);
    } else if (named == NAMED_MAX) {
        *size += (size_t)snprintf(text + *size, TEXT_MAX - *size, " and others");
    }
}

/* Changes all that the event strikes, and says which and how many changed: "2 of 9 gateways crash:
 * 3, 7". How many it struck. */
static uint32_t change_gateways(struct sim *sim, uint32_t event, gateway_change change,
                                const char *words)
{
    char names[TEXT_MAX] = "";
    char text[2 * TEXT_MAX];
    size_t size = 0;
    uint32_t struck = 0;
    uint32_t changed = 0;
    for (uint32_t gateway = 0; gateway < sim->config->gateways; gateway++) {
        if (strikes(sim, event, gateway)) {
            struck++;
            if (change(sim, gateway)) {
                name_gateway(names, &size, changed++, gateway);
            }
        }
    }
    (void)snprintf(text, sizeof text, "%u of %u gateways %s%s", changed, sim->config->gateways,
                   words, names);
    sim_say(sim, text);
    return struck;
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
    char text[TEXT_MAX];
    for (uint32_t node = 0; node < sim->config->devices; node++) {
        if (sim_dice_share(sim, SIM_DICE_WEATHER, node, event->share)) {
            sim_node_cut(sim, node, event->for_ms);
            cut++;
        }
    }
    (void)snprintf(text, sizeof text, "%u of %u devices lose power", cut, sim->config->devices);
    sim_say(sim, text);
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
        sim->result->serind_crashes++;
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
    sim_say(sim, "serind is back");
}

/* ---- events ---- */

/* What is said of an event where nothing more is known of it than that it came. */
static const char *const texts[SERIN_SIM_EVENT_COUNT] = {
    [SERIN_SIM_EVENT_SERIND_CRASH] = "serind crashes",
    [SERIN_SIM_EVENT_SERIND_RESTORE] = "serind goes down, to be restored from an older backup",
    [SERIN_SIM_EVENT_BROKER_RESTART] = "the cloud's broker goes down",
    [SERIN_SIM_EVENT_BROKER_OLD] = "the cloud's broker goes down, to come back with an older disk",
    [SERIN_SIM_EVENT_PAUSE] = "the operator pauses",
    [SERIN_SIM_EVENT_RESUME] = "the operator resumes",
    [SERIN_SIM_EVENT_HALT] = "the operator halts",
    [SERIN_SIM_EVENT_ADVANCE] = "the operator advances",
    [SERIN_SIM_EVENT_RETRY] = "the operator retries",
    [SERIN_SIM_EVENT_ABORT] = "the operator aborts",
};

/* Of gateways, after their number: as it begins and as it ends. */
static const struct {
    gateway_change begin, end;
    const char *begins, *ends;
} changes[SERIN_SIM_EVENT_COUNT] = {
    [SERIN_SIM_EVENT_GATEWAY_CRASH] = {crash, revive, "crash", "are back from their crash"},
    [SERIN_SIM_EVENT_GATEWAY_AWAY] = {go_away, come_back, "lose their uplink",
                                      "have their uplink again"},
    [SERIN_SIM_EVENT_STALE_CACHE] = {go_stale, go_fresh, "have a stale depot",
                                     "have a sound depot again"},
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

static void jump(struct sim *sim, int64_t jump_ms)
{
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof text, "serind's clock jumps by %lld s",
                   (long long)(jump_ms / 1000));
    sim_say(sim, text);
    sim->jump_ms += jump_ms;
    if (sim->events->server_down == 0) {
        sim_server_jumped(sim);
    }
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
    sim->result->came[event->kind]++;
    if (!verbs && texts[event->kind] != NULL) {
        sim_say(sim, texts[event->kind]);
    }
    switch (event->kind) {
    case SERIN_SIM_EVENT_GATEWAY_CRASH:
    case SERIN_SIM_EVENT_GATEWAY_AWAY:
    case SERIN_SIM_EVENT_STALE_CACHE:
        struck =
            change_gateways(sim, index, changes[event->kind].begin, changes[event->kind].begins);
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
        jump(sim, event->jump_ms);
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
    if (changes[kind].end != NULL) {
        (void)change_gateways(sim, index, changes[kind].end, changes[kind].ends);
    } else if (kind == SERIN_SIM_EVENT_SERIND_CRASH || kind == SERIN_SIM_EVENT_SERIND_RESTORE) {
        server_up(sim);
    } else if (kind == SERIN_SIM_EVENT_POWER_CUT) {
        sim_say(sim, "the power is back");
    } else if ((kind == SERIN_SIM_EVENT_BROKER_RESTART || kind == SERIN_SIM_EVENT_BROKER_OLD) &&
               sim_broker_is_up(sim, SIM_CLOUD)) {
        sim_say(sim, "the cloud's broker is back");
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
    uint32_t changed = 0;
    char text[TEXT_MAX];
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
            changed++;
        }
    }
    (void)snprintf(text, sizeof text, "bad weather %s: %u of %u devices %s",
                   begins ? "begins" : "ends", changed, sim->config->devices,
                   begins ? "are cut off" : "may connect again");
    sim_say(sim, text);
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
