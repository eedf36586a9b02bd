/*
 * Scenarios: the quiet one, the rules, the words (serin/sim/scenario.h).
 */
#include <serin/sim/scenario.h>

#define CUT_AT_80 800000u

void serin_sim_scenario_default(struct serin_sim_scenario *scenario)
{
    *scenario = (struct serin_sim_scenario){
        .asleep_ms = 3000000,
        .awake_ms = 600000,
        .cut_at = CUT_AT_80,
        .latency_min_ms = 20,
        .latency_max_ms = 200,
        .errors_per_day = 1,
    };
}

/* ---- words ---- */

const char *serin_sim_fault_text(enum serin_sim_fault fault)
{
    static const char *const words[SERIN_SIM_FAULT_COUNT] = {
        [SERIN_SIM_FAULT_CRASH] = "crash",           [SERIN_SIM_FAULT_HANG] = "hang",
        [SERIN_SIM_FAULT_NO_CONFIRM] = "no_confirm", [SERIN_SIM_FAULT_REGRESS] = "regress",
        [SERIN_SIM_FAULT_ERRORS] = "errors",         [SERIN_SIM_FAULT_DEAF] = "deaf",
        [SERIN_SIM_FAULT_REVERT] = "revert",
    };
    bool known = fault > SERIN_SIM_FAULT_INVALID && fault < SERIN_SIM_FAULT_COUNT;
    return known ? words[fault] : "invalid";
}

bool serin_sim_fault_waits(enum serin_sim_fault fault)
{
    return fault == SERIN_SIM_FAULT_REGRESS || fault == SERIN_SIM_FAULT_ERRORS ||
           fault == SERIN_SIM_FAULT_DEAF || fault == SERIN_SIM_FAULT_REVERT;
}

bool serin_sim_fault_before(enum serin_sim_fault fault)
{
    return fault == SERIN_SIM_FAULT_ERRORS || fault == SERIN_SIM_FAULT_DEAF;
}

const struct serin_sim_event_rule *serin_sim_event_rule(enum serin_sim_event_kind kind)
{
    static const struct serin_sim_event_rule rules[SERIN_SIM_EVENT_COUNT] = {
        [SERIN_SIM_EVENT_GATEWAY_CRASH] = {.word = "gateway_crash",
                                           .lasts = true,
                                           .gateways = true},
        [SERIN_SIM_EVENT_GATEWAY_AWAY] = {.word = "gateway_away", .lasts = true, .gateways = true},
        [SERIN_SIM_EVENT_STALE_CACHE] = {.word = "stale_cache", .lasts = true, .gateways = true},
        [SERIN_SIM_EVENT_SERIND_CRASH] = {.word = "serind_crash", .lasts = true},
        [SERIN_SIM_EVENT_SERIND_RESTORE] = {.word = "serind_restore", .lasts = true, .back = true},
        [SERIN_SIM_EVENT_BROKER_RESTART] = {.word = "broker_restart", .lasts = true},
        [SERIN_SIM_EVENT_BROKER_OLD] = {.word = "broker_old", .lasts = true, .back = true},
        [SERIN_SIM_EVENT_POWER_CUT] = {.word = "power_cut", .lasts = true, .devices = true},
        [SERIN_SIM_EVENT_PAUSE] = {.word = "pause"},
        [SERIN_SIM_EVENT_RESUME] = {.word = "resume"},
        [SERIN_SIM_EVENT_HALT] = {.word = "halt"},
        [SERIN_SIM_EVENT_ADVANCE] = {.word = "advance"},
        [SERIN_SIM_EVENT_RETRY] = {.word = "retry"},
        [SERIN_SIM_EVENT_ABORT] = {.word = "abort"},
        [SERIN_SIM_EVENT_CLOCK_JUMP] = {.word = "clock_jump", .jump = true},
    };
    bool known = kind > SERIN_SIM_EVENT_INVALID && kind < SERIN_SIM_EVENT_COUNT;
    return known ? &rules[kind] : NULL;
}

/* ---- rules ---- */

static const char *fleet_wrong(const struct serin_sim_scenario *scenario)
{
    if (scenario->hardware_count > SERIN_SIM_HARDWARE_MAX) {
        return "hardware: must be at most 8 revisions";
    }
    for (size_t i = 0; i < scenario->hardware_count; i++) {
        const struct serin_sim_hardware *hardware = &scenario->hardware[i];
        if (hardware->revision == 0) {
            return "hardware: a revision must be from 1 to 65535";
        }
        if (hardware->share == 0 || hardware->share > SERIN_SIM_SHARE_MAX) {
            return "hardware: a share must be from 1 to 1000000";
        }
        for (size_t k = 0; k < i; k++) {
            if (scenario->hardware[k].revision == hardware->revision) {
                return "hardware: a revision stands twice";
            }
        }
    }
    if (scenario->direct > SERIN_SIM_ALL || scenario->offline > SERIN_SIM_ALL ||
        scenario->sleeping > SERIN_SIM_ALL) {
        return "direct, offline, sleeping: must be at most 100 %";
    }
    if (scenario->sleeping > 0 && (scenario->asleep_ms < SERIN_SIM_SLEEP_MIN_MS ||
                                   scenario->awake_ms < SERIN_SIM_SLEEP_MIN_MS ||
                                   scenario->asleep_ms > SERIN_SIM_TIME_MAX_MS ||
                                   scenario->awake_ms > SERIN_SIM_TIME_MAX_MS)) {
        return "sleeping: asleep and awake must be from 1 s to 365 days";
    }
    return NULL;
}

static const char *links_wrong(const struct serin_sim_scenario *scenario)
{
    if (scenario->drop > SERIN_SIM_ALL || scenario->duplicate > SERIN_SIM_ALL ||
        scenario->reorder > SERIN_SIM_ALL || scenario->corrupt > SERIN_SIM_ALL ||
        scenario->cut > SERIN_SIM_ALL || scenario->cut_at > SERIN_SIM_ALL) {
        return "drop, duplicate, reorder, corrupt, cut: must be at most 100 %";
    }
    if (scenario->latency_min_ms > scenario->latency_max_ms ||
        scenario->latency_max_ms > SERIN_SIM_LATENCY_MAX_MS) {
        return "latency: must be at most 5 minutes, its least not above its most";
    }
    if (scenario->bytes_per_s > 0 && scenario->bytes_per_s < SERIN_SIM_RATE_MIN) {
        return "bytes_per_s: must be 0 or at least 16";
    }
    if (scenario->power_cuts_per_year > SERIN_SIM_POWER_CUTS_MAX ||
        scenario->errors_per_day > SERIN_SIM_ERRORS_MAX) {
        return "power_cuts_per_year, errors_per_day: must be at most 100000";
    }
    return NULL;
}

static const char *behaviour_wrong(const struct serin_sim_behaviour *behaviour)
{
    if (behaviour->fault <= SERIN_SIM_FAULT_INVALID || behaviour->fault >= SERIN_SIM_FAULT_COUNT) {
        return "behaviours: no such fault";
    }
    if (behaviour->share == 0 || behaviour->share > SERIN_SIM_ALL) {
        return "behaviours: a share must be above 0 and at most 100 %";
    }
    if (behaviour->after_ms > SERIN_SIM_TIME_MAX_MS ||
        (behaviour->after_ms > 0 && !serin_sim_fault_waits(behaviour->fault))) {
        return "behaviours: only what comes after the confirmation waits, for at most 365 days";
    }
    if (behaviour->has_version && behaviour->version.major == 1 &&
        !serin_sim_fault_before(behaviour->fault)) {
        return "behaviours: 1.0.0 runs before any update: errors and deaf alone go with it";
    }
    if (behaviour->site_count > SERIN_SIM_SITES_MAX) {
        return "behaviours: at most 16 sites";
    }
    for (size_t i = 0; i < behaviour->site_count; i++) {
        if (behaviour->sites[i] > SERIN_SIM_GATEWAYS_MAX) {
            return "behaviours: a site must be at most 65535";
        }
    }
    return NULL;
}

static const char *event_wrong(const struct serin_sim_event *event)
{
    const struct serin_sim_event_rule *rule = serin_sim_event_rule(event->kind);
    if (rule == NULL) {
        return "events: no such kind";
    }
    if (event->at_ms > SERIN_SIM_TIME_MAX_MS || event->for_ms > SERIN_SIM_TIME_MAX_MS ||
        event->back_ms > SERIN_SIM_TIME_MAX_MS || event->jump_ms > (int64_t)SERIN_SIM_TIME_MAX_MS ||
        event->jump_ms < -(int64_t)SERIN_SIM_TIME_MAX_MS) {
        return "events: a time must be at most 365 days";
    }
    if ((event->for_ms > 0) != rule->lasts || (event->back_ms > 0) != rule->back ||
        (event->jump_ms != 0) != rule->jump) {
        return "events: for, back and by must be given where the kind takes them, and nowhere else";
    }
    bool where = rule->gateways || rule->devices;
    bool share = event->share > 0;
    bool site = event->site > 0;
    if (event->share > SERIN_SIM_ALL || event->site > SERIN_SIM_GATEWAYS_MAX ||
        (site && !rule->gateways) || (where ? share == site : share)) {
        return "events: exactly one of a share and a site, where the kind takes them";
    }
    return NULL;
}

enum serin_error serin_sim_scenario_check(const struct serin_sim_scenario *scenario,
                                          const char **field)
{
    const char *wrong = fleet_wrong(scenario);
    if (wrong == NULL) {
        wrong = links_wrong(scenario);
    }
    if (wrong == NULL && (scenario->behaviour_count > SERIN_SIM_BEHAVIOURS_MAX ||
                          scenario->weather_count > SERIN_SIM_WEATHER_MAX ||
                          scenario->event_count > SERIN_SIM_EVENTS_MAX)) {
        wrong = "at most 32 behaviours, 16 spells of weather and 64 events";
    }
    for (size_t i = 0; wrong == NULL && i < scenario->behaviour_count; i++) {
        wrong = behaviour_wrong(&scenario->behaviours[i]);
    }
    for (size_t i = 0; wrong == NULL && i < scenario->weather_count; i++) {
        const struct serin_sim_weather *weather = &scenario->weather[i];
        if (weather->from_ms > SERIN_SIM_TIME_MAX_MS || weather->for_ms == 0 ||
            weather->for_ms > SERIN_SIM_TIME_MAX_MS || weather->offline > SERIN_SIM_ALL ||
            weather->drop > SERIN_SIM_ALL) {
            wrong = "weather: must last at most 365 days, its shares at most 100 %";
        }
    }
    for (size_t i = 0; wrong == NULL && i < scenario->event_count; i++) {
        wrong = event_wrong(&scenario->events[i]);
    }
    if (field != NULL) {
        *field = wrong;
    }
    return wrong == NULL ? SERIN_OK : SERIN_ERR_INVALID;
}
