/*
 * The scenario file of `serin simulate` (docs/spec/scenario.md), read into plain values.
 */
#ifndef SERIN_ADAPTERS_SCENARIO_H
#define SERIN_ADAPTERS_SCENARIO_H

#include <serin/adapters/yaml.h>
#include <serin/sim/scenario.h>

struct serin_scenario_file {
    struct serin_sim_scenario scenario; /* what the file does not say is as by default; sound */
    struct serin_yaml *document;        /* for the lines of later complaints: serin_yaml_fail */
};

/* Reads a scenario of `size` bytes; `name` stands for the file in errors. On success the caller
 * closes `file`. SERIN_ERR_CONFIG, SERIN_ERR_TOO_LARGE, SERIN_ERR_MEMORY: `error` says what and
 * where; nothing needs to be closed. */
SERIN_MUST_USE enum serin_error serin_scenario_file_open(struct serin_scenario_file *file,
                                                         const char *name, const void *text,
                                                         size_t size,
                                                         struct serin_yaml_error *error);
void serin_scenario_file_close(struct serin_scenario_file *file);

/* Whether a fleet of `gateways` has all the gateways and direct devices that rules and events are
 * for. SERIN_ERR_CONFIG: `error` says which it has not. */
SERIN_MUST_USE enum serin_error serin_scenario_file_fits(const struct serin_scenario_file *file,
                                                         uint32_t gateways,
                                                         struct serin_yaml_error *error);

#endif
