/*
 * Scenarios of the fleet simulator: the quiet one is sound and quiet, each rule refuses what it is
 * there for, and random ones are sound, the seed's alone, and have everything in them somewhere.
 */
#include "check_main.h"

#include <serin/sim/scenario.h>

#include <string.h>

static struct serin_sim_scenario scenario;

static const char *wrong(void)
{
    const char *field = "";
    enum serin_error error = serin_sim_scenario_check(&scenario, &field);
    ck_assert_int_eq(error, field == NULL ? SERIN_OK : SERIN_ERR_INVALID);
    return field;
}

START_TEST(the_default_is_quiet)
{
    serin_sim_scenario_default(&scenario);
    ck_assert_ptr_null(wrong());
    ck_assert_int_eq(serin_sim_scenario_check(&scenario, NULL), SERIN_OK);
    ck_assert_uint_eq(scenario.hardware_count + scenario.behaviour_count + scenario.weather_count +
                          scenario.event_count,
                      0);
    ck_assert_uint_eq(scenario.drop + scenario.duplicate + scenario.reorder + scenario.corrupt +
                          scenario.cut + scenario.offline + scenario.sleeping + scenario.direct,
                      0);
    ck_assert_uint_eq(scenario.latency_min_ms, 20);
    ck_assert_uint_eq(scenario.latency_max_ms, 200);
    ck_assert_uint_eq(scenario.cut_at, 800000);
    ck_assert_uint_eq(scenario.errors_per_day, 1);
}
END_TEST

/* One field of a sound scenario is set to a value; the complaint begins with `with`. */
#define REFUSED(with, set)                                                                    \
    do {                                                                                      \
        serin_sim_scenario_default(&scenario);                                                \
        set;                                                                                  \
        const char *said = wrong();                                                           \
        ck_assert_msg(said != NULL && strncmp(said, with, strlen(with)) == 0, "%s: %s", #set, \
                      said != NULL ? said : "taken");                                         \
    } while (0)
#define TAKEN(set)                                         \
    do {                                                   \
        serin_sim_scenario_default(&scenario);             \
        set;                                               \
        const char *said = wrong();                        \
        ck_assert_msg(said == NULL, "%s: %s", #set, said); \
    } while (0)

static void hardware(uint16_t first, uint16_t second, uint32_t share)
{
    scenario.hardware_count = 2;
    scenario.hardware[0] = (struct serin_sim_hardware){first, share};
    scenario.hardware[1] = (struct serin_sim_hardware){second, 1};
}

START_TEST(fleet_rules_bite)
{
    TAKEN(hardware(1, 65535, 1000000));
    REFUSED("hardware", hardware(0, 2, 1));
    REFUSED("hardware", hardware(2, 2, 1));
    REFUSED("hardware", hardware(1, 2, 0));
    REFUSED("hardware", hardware(1, 2, 1000001));
    REFUSED("hardware", scenario.hardware_count = 9);
    TAKEN(scenario.direct = scenario.offline = scenario.sleeping = SERIN_SIM_ALL);
    REFUSED("direct", scenario.direct = SERIN_SIM_ALL + 1);
    REFUSED("direct", scenario.offline = SERIN_SIM_ALL + 1);
    REFUSED("direct", scenario.sleeping = SERIN_SIM_ALL + 1);
    REFUSED("sleeping", (scenario.sleeping = 1, scenario.asleep_ms = 999));
    REFUSED("sleeping", (scenario.sleeping = 1, scenario.awake_ms = 0));
    TAKEN((scenario.sleeping = 0, scenario.awake_ms = 0));
}
END_TEST

START_TEST(link_rules_bite)
{
    REFUSED("drop", scenario.drop = SERIN_SIM_ALL + 1);
    REFUSED("drop", scenario.duplicate = SERIN_SIM_ALL + 1);
    REFUSED("drop", scenario.reorder = SERIN_SIM_ALL + 1);
    REFUSED("drop", scenario.corrupt = SERIN_SIM_ALL + 1);
    REFUSED("drop", scenario.cut = SERIN_SIM_ALL + 1);
    REFUSED("drop", scenario.cut_at = SERIN_SIM_ALL + 1);
    TAKEN(scenario.latency_min_ms = scenario.latency_max_ms = 300000);
    REFUSED("latency", scenario.latency_max_ms = 300001);
    REFUSED("latency", scenario.latency_min_ms = 201);
    TAKEN(scenario.bytes_per_s = 16);
    REFUSED("bytes_per_s", scenario.bytes_per_s = 15);
    REFUSED("power_cuts", scenario.power_cuts_per_year = 100001);
    REFUSED("power_cuts", scenario.errors_per_day = 100001);
}
END_TEST

static void behaviour(enum serin_sim_fault fault, uint32_t share, uint64_t after_ms)
{
    scenario.behaviour_count = 1;
    scenario.behaviours[0] =
        (struct serin_sim_behaviour){.fault = fault, .share = share, .after_ms = after_ms};
}

START_TEST(behaviour_rules_bite)
{
    for (int fault = 1; fault < SERIN_SIM_FAULT_COUNT; fault++) {
        TAKEN(behaviour((enum serin_sim_fault)fault, SERIN_SIM_ALL, 0));
        bool waits = serin_sim_fault_waits((enum serin_sim_fault)fault);
        ck_assert(waits == (fault >= SERIN_SIM_FAULT_REGRESS));
        if (waits) {
            TAKEN(behaviour((enum serin_sim_fault)fault, 1, 1));
        } else {
            REFUSED("behaviours", behaviour((enum serin_sim_fault)fault, 1, 1));
        }
        ck_assert_str_ne(serin_sim_fault_text((enum serin_sim_fault)fault), "invalid");
    }
    REFUSED("behaviours", behaviour(SERIN_SIM_FAULT_INVALID, 1, 0));
    REFUSED("behaviours", behaviour(SERIN_SIM_FAULT_COUNT, 1, 0));
    REFUSED("behaviours", behaviour(SERIN_SIM_FAULT_CRASH, 0, 0));
    REFUSED("behaviours", behaviour(SERIN_SIM_FAULT_CRASH, SERIN_SIM_ALL + 1, 0));
    REFUSED("behaviours", behaviour(SERIN_SIM_FAULT_DEAF, 1, SERIN_SIM_TIME_MAX_MS + 1));
    REFUSED("behaviours", (behaviour(SERIN_SIM_FAULT_CRASH, 1, 0),
                           scenario.behaviours[0].site_count = SERIN_SIM_SITES_MAX + 1));
    REFUSED("behaviours",
            (behaviour(SERIN_SIM_FAULT_CRASH, 1, 0), scenario.behaviours[0].site_count = 1,
             scenario.behaviours[0].sites[0] = SERIN_SIM_GATEWAYS_MAX + 1));
    REFUSED("at most", scenario.behaviour_count = SERIN_SIM_BEHAVIOURS_MAX + 1);
}
END_TEST

static void event(struct serin_sim_event of)
{
    scenario.event_count = 1;
    scenario.events[0] = of;
}

/* Every kind, with each of its fields as the rule has it, and with each the other way round. */
START_TEST(event_rules_bite)
{
    for (int kind = 1; kind < SERIN_SIM_EVENT_COUNT; kind++) {
        const struct serin_sim_event_rule *rule =
            serin_sim_event_rule((enum serin_sim_event_kind)kind);
        const struct serin_sim_event sound = {
            .kind = (enum serin_sim_event_kind)kind,
            .for_ms = rule->lasts,
            .back_ms = rule->back,
            .jump_ms = rule->jump ? -1 : 0,
            .share = rule->gateways || rule->devices ? 1 : 0,
        };
        TAKEN(event(sound));
        struct serin_sim_event other = sound;
        other.for_ms = !rule->lasts;
        REFUSED("events", event(other));
        other = sound;
        other.back_ms = !rule->back;
        REFUSED("events", event(other));
        other = sound;
        other.jump_ms = !rule->jump;
        REFUSED("events", event(other));
        other = sound;
        other.share = 1 - sound.share;
        REFUSED("events", event(other));
        other = sound;
        other.site = 1; /* instead of the share where there may be one */
        other.share = rule->gateways ? 0 : sound.share;
        if (rule->gateways) {
            TAKEN(event(other));
            other.share = 1;
        }
        REFUSED("events", event(other));
        other = sound;
        other.at_ms = SERIN_SIM_TIME_MAX_MS + 1;
        REFUSED("events", event(other));
    }
    REFUSED("events", event((struct serin_sim_event){.kind = SERIN_SIM_EVENT_INVALID}));
    REFUSED("events", event((struct serin_sim_event){.kind = SERIN_SIM_EVENT_COUNT}));
    ck_assert_ptr_null(serin_sim_event_rule(SERIN_SIM_EVENT_INVALID));
    ck_assert_ptr_null(serin_sim_event_rule(SERIN_SIM_EVENT_COUNT));
    REFUSED("at most", scenario.event_count = SERIN_SIM_EVENTS_MAX + 1);
}
END_TEST

START_TEST(weather_rules_bite)
{
    TAKEN((scenario.weather_count = 1,
           scenario.weather[0] = (struct serin_sim_weather){0, 1, SERIN_SIM_ALL, SERIN_SIM_ALL}));
    REFUSED("weather", scenario.weather_count = 1);
    REFUSED("weather",
            (scenario.weather_count = 1,
             scenario.weather[0] = (struct serin_sim_weather){SERIN_SIM_TIME_MAX_MS + 1, 1, 0, 0}));
    REFUSED("weather",
            (scenario.weather_count = 1,
             scenario.weather[0] = (struct serin_sim_weather){0, 1, SERIN_SIM_ALL + 1, 0}));
    REFUSED("at most", scenario.weather_count = SERIN_SIM_WEATHER_MAX + 1);
}
END_TEST

/* Soundness of many, and that a run of soak seeds lacks nothing. */
START_TEST(random_ones_are_sound_and_various)
{
    static struct serin_sim_scenario again;
    uint64_t faults[SERIN_SIM_FAULT_COUNT] = {0};
    uint64_t events[SERIN_SIM_EVENT_COUNT] = {0};
    uint64_t quiet = 0, weather = 0, sleeping = 0, cut = 0, power = 0, messages[4] = {0};
    for (uint64_t seed = 0; seed < 1000; seed++) {
        memset(&scenario, 0xa5, sizeof scenario);
        memset(&again, 0x5a, sizeof again);
        serin_sim_scenario_random(&scenario, seed);
        serin_sim_scenario_random(&again, seed);
        const char *said = wrong();
        ck_assert_msg(said == NULL, "seed %u: %s", (unsigned)seed, said);
        ck_assert_uint_eq(scenario.behaviour_count, again.behaviour_count);
        ck_assert_uint_eq(scenario.event_count, again.event_count);
        ck_assert_uint_eq(scenario.latency_max_ms, again.latency_max_ms);
        for (size_t i = 0; i < scenario.behaviour_count; i++) {
            faults[scenario.behaviours[i].fault]++;
        }
        for (size_t i = 0; i < scenario.event_count; i++) {
            events[scenario.events[i].kind]++;
            ck_assert_uint_eq(scenario.events[i].at_ms, again.events[i].at_ms);
        }
        quiet += scenario.behaviour_count + scenario.event_count == 0;
        weather += scenario.weather_count;
        sleeping += scenario.sleeping > 0;
        cut += scenario.cut > 0;
        power += scenario.power_cuts_per_year > 0;
        messages[0] += scenario.drop > 0;
        messages[1] += scenario.duplicate > 0;
        messages[2] += scenario.reorder > 0;
        messages[3] += scenario.corrupt > 0;
    }
    for (int i = 1; i < SERIN_SIM_FAULT_COUNT; i++) {
        ck_assert_uint_gt(faults[i], 50);
    }
    for (int i = 1; i < SERIN_SIM_EVENT_COUNT; i++) {
        ck_assert_uint_gt(events[i], 10);
    }
    ck_assert_uint_gt(quiet, 50);
    ck_assert(weather > 50 && sleeping > 50 && cut > 50 && power > 50);
    ck_assert(messages[0] > 50 && messages[1] > 50 && messages[2] > 50 && messages[3] > 50);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_default_is_quiet,
        fleet_rules_bite,
        link_rules_bite,
        behaviour_rules_bite,
        event_rules_bite,
        weather_rules_bite,
        random_ones_are_sound_and_various,
        NULL,
    };
    return check_run("sim_scenario", tests);
}
