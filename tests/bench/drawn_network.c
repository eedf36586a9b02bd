/* Who can be heard, and beats (drawn_network.h). */
#include "drawn_network.h"

#include <stdlib.h>

#define NOBODY          UINT32_MAX
#define ERRS_AN_HOUR    10u
#define WEATHER_OFFLINE 0x80u /* below it one bit a storm */

/* ---- numbers ---- */

static uint64_t mix(uint64_t value)
{
    value += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    return value ^ (value >> 31);
}

uint64_t drawn_dice(const struct drawn_config *config, enum drawn_purpose purpose, uint32_t device)
{
    return mix(config->seed ^ mix(((uint64_t)purpose << 40) ^ device));
}

static bool share(uint64_t number, uint32_t millionths)
{
    return number % DRAWN_ALL < millionths;
}

/* ---- who can be heard ---- */

/* What cuts the device off. */
static uint8_t weather_of(const struct drawn_config *config, uint32_t device)
{
    unsigned weather =
        share(drawn_dice(config, DRAWN_OFFLINE, device), config->offline) ? WEATHER_OFFLINE : 0;
    for (size_t i = 0; i < config->storm_count; i++) {
        weather |= share(mix(drawn_dice(config, DRAWN_STORM, device) + i), config->storms[i].share)
                       ? 1u << (unsigned)i
                       : 0;
    }
    return (uint8_t)weather;
}

/* How much of the storm is still to come at `at_ms`; 0: it does not rage then. */
static uint64_t storm_left_ms(const struct drawn_storm *storm, uint64_t at_ms)
{
    uint64_t from_ms = DRAWN_START_MS + storm->from_ms;
    if (at_ms < from_ms) {
        return 0;
    }
    uint64_t into_ms = at_ms - from_ms;
    into_ms = storm->every_ms != 0 ? into_ms % storm->every_ms : into_ms;
    return into_ms < storm->for_ms ? storm->for_ms - into_ms : 0;
}

uint64_t drawn_heard_ms(const struct drawn_network *network, uint32_t device, uint64_t at_ms)
{
    unsigned weather = network->weather[device];
    if ((weather & WEATHER_OFFLINE) != 0 || at_ms >= network->deaf_ms[device]) {
        return DRAWN_NEVER_MS;
    }
    for (size_t i = 0; weather >> i != 0; i++) { /* storms stand in order of time */
        at_ms += (weather >> i & 1u) != 0 ? storm_left_ms(&network->config->storms[i], at_ms) : 0;
    }
    return at_ms;
}

bool drawn_is_out(const struct drawn_config *config, uint64_t now_ms)
{
    bool out = false;
    for (size_t i = 0; i < config->storm_count; i++) {
        out = out || (config->storms[i].noticed && storm_left_ms(&config->storms[i], now_ms) > 0);
    }
    return out;
}

uint64_t drawn_wall_ms(const struct drawn_config *config, uint64_t now_ms)
{
    bool jumped = config->jump_ms != 0 && now_ms >= DRAWN_START_MS + config->jump_ms;
    return jumped ? (uint64_t)((int64_t)now_ms + config->jump_by_ms) : now_ms;
}

/* ---- beats ---- */

/* Each device beats once an hour, at the minute at which it booted last. Those that were updated
 * together beat together from then on, and all others whenever they do: that is how silence comes
 * at one moment over the former, and over an hour over the latter, whatever cut both of them off.
 */
static void leave_slot(struct drawn_network *network, uint32_t device)
{
    uint32_t *first = &network->first[network->slot[device]];
    uint32_t next = network->next[device];
    network->next[network->last[device]] = next;
    network->last[next] = network->last[device];
    if (*first == device) {
        *first = next != device ? next : NOBODY;
    }
}

static void enter_slot(struct drawn_network *network, uint32_t device, uint8_t slot)
{
    uint32_t first = network->first[slot];
    network->slot[device] = slot;
    network->next[device] = network->last[device] = device;
    if (first == NOBODY) {
        network->first[slot] = device;
        return;
    }
    network->last[device] = network->last[first];
    network->next[device] = first;
    network->next[network->last[first]] = device;
    network->last[first] = device;
}

static uint8_t slot_at(uint64_t at_ms)
{
    return (uint8_t)(at_ms / DRAWN_SLOT_MS % DRAWN_SLOTS);
}

/* Once its own past is known. */
uint64_t drawn_errs_before_ms(const struct drawn_config *config, uint32_t device)
{
    bool errs = share(drawn_dice(config, DRAWN_ERRS, device), config->errs_before);
    return errs ? DRAWN_START_MS + UINT64_C(24) * DRAWN_BEAT_MS : DRAWN_NEVER_MS;
}

/* Counted since it booted. */
static uint64_t errors_of(const struct drawn_network *network, uint32_t device, uint64_t now_ms)
{
    uint64_t from_ms = network->errs_ms[device];
    from_ms = from_ms > network->booted_ms[device] ? from_ms : network->booted_ms[device];
    return now_ms > from_ms ? (now_ms - from_ms) * ERRS_AN_HOUR / DRAWN_BEAT_MS : 0;
}

static void beat(struct drawn_network *network, uint32_t device, uint64_t now_ms)
{
    if (drawn_heard_ms(network, device, now_ms) != now_ms) {
        return;
    }
    const struct serin_health_beat said = {
        .interval_s = DRAWN_BEAT_MS / 1000u,
        .uptime_s = (now_ms - network->booted_ms[device]) / 1000u,
        .errors = errors_of(network, device, now_ms),
    };
    serin_health_beat(&network->health[device], drawn_wall_ms(network->config, now_ms) / 1000u,
                      &said, true);
}

void drawn_beat_slot(struct drawn_network *network, uint64_t now_ms)
{
    uint32_t first = network->first[slot_at(now_ms)];
    for (uint32_t device = first; device != NOBODY;) {
        beat(network, device, now_ms);
        device = network->next[device] != first ? network->next[device] : NOBODY;
    }
}

void drawn_boot(struct drawn_network *network, uint32_t device, uint64_t now_ms, uint64_t errs_ms)
{
    network->booted_ms[device] = now_ms;
    network->errs_ms[device] = errs_ms;
    serin_health_updated(&network->health[device]);
    leave_slot(network, device);
    enter_slot(network, device, slot_at(now_ms));
    beat(network, device, now_ms);
}

void drawn_resume(struct drawn_network *network, uint64_t now_ms)
{
    uint64_t now_s = drawn_wall_ms(network->config, now_ms) / 1000u;
    uint64_t newest_s = 0;
    for (uint32_t device = 0; device < network->config->devices; device++) {
        uint64_t heard_s = network->health[device].beat_s;
        newest_s = heard_s > newest_s && heard_s <= now_s ? heard_s : newest_s;
    }
    for (uint32_t device = 0; device < network->config->devices; device++) {
        serin_health_resume(&network->health[device], newest_s, now_s);
    }
}

/* ---- a fleet of them ---- */

bool drawn_network_open(struct drawn_network *network, const struct drawn_config *config)
{
    uint32_t count = config->devices;
    *network = (struct drawn_network){.config = config};
    network->health = calloc(count, sizeof *network->health);
    network->deaf_ms = calloc(count, sizeof *network->deaf_ms);
    network->booted_ms = calloc(count, sizeof *network->booted_ms);
    network->errs_ms = calloc(count, sizeof *network->errs_ms);
    network->weather = calloc(count, sizeof *network->weather);
    network->slot = calloc(count, sizeof *network->slot);
    network->next = calloc(count, sizeof *network->next);
    network->last = calloc(count, sizeof *network->last);
    if (network->health == NULL || network->deaf_ms == NULL || network->booted_ms == NULL ||
        network->errs_ms == NULL || network->weather == NULL || network->slot == NULL ||
        network->next == NULL || network->last == NULL) {
        return false;
    }
    for (uint32_t slot = 0; slot < DRAWN_SLOTS; slot++) {
        network->first[slot] = NOBODY;
    }
    for (uint32_t device = 0; device < count; device++) {
        network->deaf_ms[device] = DRAWN_NEVER_MS;
        network->weather[device] = weather_of(config, device);
        network->booted_ms[device] = DRAWN_START_MS - DRAWN_BEAT_MS;
        network->errs_ms[device] = drawn_errs_before_ms(config, device);
        enter_slot(network, device,
                   (uint8_t)(drawn_dice(config, DRAWN_BEATS, device) % DRAWN_SLOTS));
    }
    return true;
}

void drawn_network_close(struct drawn_network *network)
{
    free(network->health);
    free(network->deaf_ms);
    free(network->booted_ms);
    free(network->errs_ms);
    free(network->weather);
    free(network->slot);
    free(network->next);
    free(network->last);
}
