/*
 * The scenario file as libcyaml fills it; a pointer is NULL where an optional key is absent.
 */
#ifndef SERIN_YAML_SCENARIO_RAW_H
#define SERIN_YAML_SCENARIO_RAW_H

#include "fields.h"

struct raw_hardware {
    const char *revision, *share;
};

struct raw_sleeping {
    const char *percent, *asleep, *awake;
};

struct raw_fleet {
    const struct raw_hardware *hardware;
    uint32_t hardware_count;
    const char *direct, *offline;
    const struct raw_sleeping *sleeping;
    const char *power_cuts_per_year, *errors_per_day;
};

struct raw_latency {
    const char *min, *max;
};

struct raw_downloads {
    const char *cut, *at;
};

struct raw_links {
    const struct raw_latency *latency;
    const char *rate, *drop, *duplicate, *reorder, *corrupt;
    const struct raw_downloads *downloads;
};

struct raw_behaviour {
    const char *fault, *percent, *after, *version;
    const char *hardware;
    const char *const *sites;
    uint32_t sites_count;
};

struct raw_weather {
    const char *from, *lasting, *offline, *drop;
};

struct raw_event {
    const char *at, *event, *lasting, *back, *by, *percent;
    const char *gateway;
};

struct raw_scenario {
    const struct raw_fleet *fleet;
    const struct raw_links *links;
    const struct raw_behaviour *image;
    uint32_t image_count;
    const struct raw_weather *weather;
    uint32_t weather_count;
    const struct raw_event *events;
    uint32_t events_count;
};

extern const cyaml_schema_value_t yaml_scenario_schema;

#endif
