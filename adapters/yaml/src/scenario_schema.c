/*
 * The keys of a scenario file, and how many of each there may be (docs/spec/scenario.md).
 */
#include "scenario_raw.h"

#include <serin/sim/sim.h>

/* A short text behind a pointer: a share, a duration, a word. */
#define SHORT(key_, flags_, structure_, member_) \
    YAML_FIELD_TEXT(key_, flags_, structure_, member_, 1, 32)
#define LIST(key_, structure_, member_, schema_, max_)                                        \
    CYAML_FIELD_SEQUENCE(key_, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, structure_, member_, \
                         schema_, 0, max_)

static const cyaml_schema_field_t hardware_fields[] = {
    YAML_FIELD_NUMBER("revision", CYAML_FLAG_DEFAULT, struct raw_hardware, revision),
    YAML_FIELD_NUMBER("share", CYAML_FLAG_DEFAULT, struct raw_hardware, share),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t hardware_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_hardware, hardware_fields),
};

static const cyaml_schema_field_t sleeping_fields[] = {
    SHORT("percent", CYAML_FLAG_DEFAULT, struct raw_sleeping, percent),
    SHORT("asleep", CYAML_FLAG_OPTIONAL, struct raw_sleeping, asleep),
    SHORT("awake", CYAML_FLAG_OPTIONAL, struct raw_sleeping, awake),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t fleet_fields[] = {
    LIST("hardware", struct raw_fleet, hardware, &hardware_schema, SERIN_SIM_HARDWARE_MAX),
    SHORT("direct", CYAML_FLAG_OPTIONAL, struct raw_fleet, direct),
    SHORT("offline", CYAML_FLAG_OPTIONAL, struct raw_fleet, offline),
    CYAML_FIELD_MAPPING_PTR("sleeping", CYAML_FLAG_OPTIONAL, struct raw_fleet, sleeping,
                            sleeping_fields),
    YAML_FIELD_NUMBER("power_cuts_per_year", CYAML_FLAG_OPTIONAL, struct raw_fleet,
                      power_cuts_per_year),
    YAML_FIELD_NUMBER("errors_per_day", CYAML_FLAG_OPTIONAL, struct raw_fleet, errors_per_day),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t latency_fields[] = {
    SHORT("min", CYAML_FLAG_OPTIONAL, struct raw_latency, min),
    SHORT("max", CYAML_FLAG_OPTIONAL, struct raw_latency, max),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t downloads_fields[] = {
    SHORT("cut", CYAML_FLAG_DEFAULT, struct raw_downloads, cut),
    SHORT("at", CYAML_FLAG_OPTIONAL, struct raw_downloads, at),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t links_fields[] = {
    CYAML_FIELD_MAPPING_PTR("latency", CYAML_FLAG_OPTIONAL, struct raw_links, latency,
                            latency_fields),
    SHORT("rate", CYAML_FLAG_OPTIONAL, struct raw_links, rate),
    SHORT("drop", CYAML_FLAG_OPTIONAL, struct raw_links, drop),
    SHORT("duplicate", CYAML_FLAG_OPTIONAL, struct raw_links, duplicate),
    SHORT("reorder", CYAML_FLAG_OPTIONAL, struct raw_links, reorder),
    SHORT("corrupt", CYAML_FLAG_OPTIONAL, struct raw_links, corrupt),
    CYAML_FIELD_MAPPING_PTR("downloads", CYAML_FLAG_OPTIONAL, struct raw_links, downloads,
                            downloads_fields),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t site_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 16),
};

static const cyaml_schema_field_t behaviour_fields[] = {
    SHORT("fault", CYAML_FLAG_DEFAULT, struct raw_behaviour, fault),
    SHORT("percent", CYAML_FLAG_DEFAULT, struct raw_behaviour, percent),
    SHORT("after", CYAML_FLAG_OPTIONAL, struct raw_behaviour, after),
    SHORT("version", CYAML_FLAG_OPTIONAL, struct raw_behaviour, version),
    YAML_FIELD_NUMBER("hardware", CYAML_FLAG_OPTIONAL, struct raw_behaviour, hardware),
    LIST("sites", struct raw_behaviour, sites, &site_schema, SERIN_SIM_SITES_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t behaviour_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_behaviour, behaviour_fields),
};

static const cyaml_schema_field_t weather_fields[] = {
    SHORT("from", CYAML_FLAG_DEFAULT, struct raw_weather, from),
    SHORT("for", CYAML_FLAG_DEFAULT, struct raw_weather, lasting),
    SHORT("offline", CYAML_FLAG_OPTIONAL, struct raw_weather, offline),
    SHORT("drop", CYAML_FLAG_OPTIONAL, struct raw_weather, drop),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t weather_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_weather, weather_fields),
};

static const cyaml_schema_field_t event_fields[] = {
    SHORT("at", CYAML_FLAG_DEFAULT, struct raw_event, at),
    SHORT("event", CYAML_FLAG_DEFAULT, struct raw_event, event),
    SHORT("for", CYAML_FLAG_OPTIONAL, struct raw_event, lasting),
    SHORT("back", CYAML_FLAG_OPTIONAL, struct raw_event, back),
    SHORT("by", CYAML_FLAG_OPTIONAL, struct raw_event, by),
    SHORT("percent", CYAML_FLAG_OPTIONAL, struct raw_event, percent),
    YAML_FIELD_NUMBER("gateway", CYAML_FLAG_OPTIONAL, struct raw_event, gateway),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t event_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_event, event_fields),
};

static const cyaml_schema_field_t scenario_fields[] = {
    CYAML_FIELD_MAPPING_PTR("fleet", CYAML_FLAG_OPTIONAL, struct raw_scenario, fleet, fleet_fields),
    CYAML_FIELD_MAPPING_PTR("links", CYAML_FLAG_OPTIONAL, struct raw_scenario, links, links_fields),
    LIST("image", struct raw_scenario, image, &behaviour_schema, SERIN_SIM_BEHAVIOURS_MAX),
    LIST("weather", struct raw_scenario, weather, &weather_schema, SERIN_SIM_WEATHER_MAX),
    LIST("events", struct raw_scenario, events, &event_schema, SERIN_SIM_EVENTS_MAX),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t yaml_scenario_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_scenario, scenario_fields),
};
