/*
 * A broker in a configuration, as serind's and the gateway's loaders have it.
 */
#ifndef SERIN_YAML_BROKER_H
#define SERIN_YAML_BROKER_H

#include "fields.h"

#include <serin/adapters/yaml.h>

#define YAML_BROKER_PATH_MAX 4095

struct yaml_broker {
    const char *uri, *ca, *certificate, *key, *reconnect_min, *reconnect_max;
};

/* The schema's fields; `at_` is where a struct yaml_broker stands in the structure. */
#define YAML_BROKER_FIELDS(structure_, at_)                                                        \
    YAML_FIELD_TEXT("uri", CYAML_FLAG_DEFAULT, structure_, at_ uri, 1, 512),                       \
        YAML_FIELD_TEXT("ca", CYAML_FLAG_OPTIONAL, structure_, at_ ca, 1, YAML_BROKER_PATH_MAX),   \
        YAML_FIELD_TEXT("certificate", CYAML_FLAG_OPTIONAL, structure_, at_ certificate, 1,        \
                        YAML_BROKER_PATH_MAX),                                                     \
        YAML_FIELD_TEXT("key", CYAML_FLAG_OPTIONAL, structure_, at_ key, 1, YAML_BROKER_PATH_MAX), \
        YAML_FIELD_TEXT("reconnect_min", CYAML_FLAG_OPTIONAL, structure_, at_ reconnect_min, 1,    \
                        32),                                                                       \
        YAML_FIELD_TEXT("reconnect_max", CYAML_FLAG_OPTIONAL, structure_, at_ reconnect_max, 1,    \
                        32)

/* Checks the broker `field`, and reads its waits (10 ms to 1 h) into *min_ms and *max_ms, which are
 * the defaults before. SERIN_ERR_CONFIG: something of it is wrong, and `error` is filled. */
SERIN_MUST_USE enum serin_error yaml_broker_read(const struct serin_yaml *document,
                                                 const char *field, const struct yaml_broker *raw,
                                                 uint64_t *min_ms, uint64_t *max_ms,
                                                 struct serin_yaml_error *error);

#endif
