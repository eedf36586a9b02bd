/*
 * The loader of serind's configuration (serin/adapters/serind_config.h): the schema, defaults, and
 * the rules that a schema cannot say.
 */
#include <serin/adapters/serind_config.h>

#include "src/broker.h"
#include "src/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_SIZE 4095
#define MIB           (UINT64_C(1) << 20)

/* The document as libcyaml fills it; a pointer is NULL where an optional key is absent. */
struct raw_api {
    const char *listen, *token_file;
};

struct raw_config {
    const char *data, *depot, *audit, *client_id, *director_key, *store_size;
    const struct yaml_broker *brokers;
    uint32_t brokers_count;
    const char *const *trust;
    uint32_t trust_count;
    const char *const *root_keys;
    uint32_t root_keys_count;
    const struct raw_api *api;
    enum serin_enrolment_policy enrolment;
    const enum serin_enrolment_policy *adoption;
    const char *gateway_nodes_max, *report_rate_per_minute, *devices_max;
};

static const cyaml_strval_t enrolment_words[] = {
    {"auto", SERIN_ENROL_AUTO},
    {"approve", SERIN_ENROL_APPROVE},
    {"refuse", SERIN_ENROL_REFUSE},
};

static const cyaml_schema_field_t broker_fields[] = {
    YAML_BROKER_FIELDS(struct yaml_broker, ),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t broker_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_broker, broker_fields),
};

static const cyaml_schema_field_t api_fields[] = {
    YAML_FIELD_TEXT("listen", CYAML_FLAG_OPTIONAL, struct raw_api, listen, 1, 64),
    YAML_FIELD_TEXT("token_file", CYAML_FLAG_OPTIONAL, struct raw_api, token_file, 1,
                    PATH_MAX_SIZE),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t path_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, PATH_MAX_SIZE),
};

static const cyaml_schema_field_t config_fields[] = {
    YAML_FIELD_TEXT("data", CYAML_FLAG_DEFAULT, struct raw_config, data, 1, PATH_MAX_SIZE - 64),
    YAML_FIELD_TEXT("depot", CYAML_FLAG_DEFAULT, struct raw_config, depot, 1, PATH_MAX_SIZE),
    YAML_FIELD_TEXT("audit", CYAML_FLAG_DEFAULT, struct raw_config, audit, 1, PATH_MAX_SIZE),
    YAML_FIELD_TEXT("client_id", CYAML_FLAG_OPTIONAL, struct raw_config, client_id, 1, 64),
    CYAML_FIELD_SEQUENCE("brokers", CYAML_FLAG_POINTER, struct raw_config, brokers, &broker_schema,
                         1, SERIN_SERIND_BROKERS_MAX),
    YAML_FIELD_TEXT("director_key", CYAML_FLAG_DEFAULT, struct raw_config, director_key, 1,
                    PATH_MAX_SIZE),
    CYAML_FIELD_SEQUENCE("trust", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_config,
                         trust, &path_schema, 0, SERIN_SERIND_FILES_MAX),
    CYAML_FIELD_SEQUENCE("root_keys", CYAML_FLAG_POINTER, struct raw_config, root_keys,
                         &path_schema, 1, SERIN_SERIND_FILES_MAX),
    CYAML_FIELD_MAPPING_PTR("api", CYAML_FLAG_OPTIONAL, struct raw_config, api, api_fields),
    CYAML_FIELD_ENUM("enrolment", CYAML_FLAG_STRICT, struct raw_config, enrolment, enrolment_words,
                     3),
    CYAML_FIELD_ENUM_PTR("adoption", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct raw_config,
                         adoption, enrolment_words, 3),
    YAML_FIELD_NUMBER("gateway_nodes_max", CYAML_FLAG_OPTIONAL, struct raw_config,
                      gateway_nodes_max),
    YAML_FIELD_NUMBER("report_rate_per_minute", CYAML_FLAG_OPTIONAL, struct raw_config,
                      report_rate_per_minute),
    YAML_FIELD_NUMBER("devices_max", CYAML_FLAG_OPTIONAL, struct raw_config, devices_max),
    YAML_FIELD_TEXT("store_size", CYAML_FLAG_OPTIONAL, struct raw_config, store_size, 1, 32),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t config_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, config_fields),
};

struct reader {
    struct serin_serind_config *config;
    const struct raw_config *raw;
    struct serin_yaml_error *error;
};

static enum serin_error number_read(const struct reader *reader, const char *field,
                                    const char *text, uint32_t max, uint32_t *out)
{
    uint64_t number = *out;
    enum serin_error error =
        serin_yaml_number(reader->config->document, field, text, 1, max, &number, reader->error);
    *out = (uint32_t)number;
    return error;
}

static enum serin_error broker_read(const struct reader *reader, size_t index)
{
    const struct yaml_broker *raw = &reader->raw->brokers[index];
    uint64_t min_ms = 200;
    uint64_t max_ms = 5000;
    char field[SERIN_YAML_FIELD_MAX];
    (void)snprintf(field, sizeof field, "brokers[%zu]", index);
    enum serin_error error =
        yaml_broker_read(reader->config->document, field, raw, &min_ms, &max_ms, reader->error);
    if (error != SERIN_OK) {
        return error;
    }
    reader->config->brokers[index] = (struct serin_serind_broker){
        .uri = raw->uri,
        .ca_file = raw->ca,
        .certificate_file = raw->certificate,
        .key_file = raw->key,
        .reconnect_min_ms = (uint32_t)min_ms,
        .reconnect_max_ms = (uint32_t)max_ms,
    };
    return SERIN_OK;
}

/* Two connections with one identity to one broker would throw each other out for ever. */
static enum serin_error brokers_differ(const struct reader *reader)
{
    char field[SERIN_YAML_FIELD_MAX];
    for (size_t i = 0; i < reader->config->broker_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(reader->config->brokers[i].uri, reader->config->brokers[j].uri) == 0) {
                (void)snprintf(field, sizeof field, "brokers[%zu].uri", i);
                return serin_yaml_fail(reader->config->document, reader->error, field,
                                       "stands twice");
            }
        }
    }
    return SERIN_OK;
}

static void texts_read(const struct reader *reader)
{
    const struct raw_config *raw = reader->raw;
    struct serin_serind_config *config = reader->config;
    config->data_dir = raw->data;
    config->depot_dir = raw->depot;
    config->audit_file = raw->audit;
    config->client_id = raw->client_id != NULL ? raw->client_id : "serind";
    config->director_key_file = raw->director_key;
    config->trust_count = raw->trust_count;
    for (size_t i = 0; i < raw->trust_count; i++) {
        config->trust_files[i] = raw->trust[i];
    }
    config->root_key_count = raw->root_keys_count;
    for (size_t i = 0; i < raw->root_keys_count; i++) {
        config->root_key_files[i] = raw->root_keys[i];
    }
    bool listen = raw->api != NULL && raw->api->listen != NULL;
    config->api_listen = listen ? raw->api->listen : "127.0.0.1:8470";
    bool token = raw->api != NULL && raw->api->token_file != NULL;
    config->api_token_file = token ? raw->api->token_file : NULL;
    config->enrolment = raw->enrolment;
    config->adoption = raw->adoption != NULL ? *raw->adoption : SERIN_ENROL_APPROVE;
}

static enum serin_error config_read(const struct reader *reader)
{
    struct serin_serind_config *config = reader->config;
    texts_read(reader);
    config->gateway_nodes_max = 1000;
    config->report_rate_per_minute = 60;
    config->devices_max = 1000000;
    config->store_size_bytes = 1024 * MIB;
    enum serin_error error =
        number_read(reader, "gateway_nodes_max", reader->raw->gateway_nodes_max, 100000,
                    &config->gateway_nodes_max);
    if (error == SERIN_OK) {
        error = number_read(reader, "report_rate_per_minute", reader->raw->report_rate_per_minute,
                            60000, &config->report_rate_per_minute);
    }
    if (error == SERIN_OK) {
        error = number_read(reader, "devices_max", reader->raw->devices_max, 4000000,
                            &config->devices_max);
    }
    if (error == SERIN_OK) {
        error = serin_yaml_size(config->document, "store_size", reader->raw->store_size, MIB,
                                MIB * MIB, &config->store_size_bytes, reader->error);
    }
    config->broker_count = reader->raw->brokers_count;
    for (size_t i = 0; error == SERIN_OK && i < config->broker_count; i++) {
        error = broker_read(reader, i);
    }
    return error == SERIN_OK ? brokers_differ(reader) : error;
}

enum serin_error serin_serind_config_open(struct serin_serind_config *config, const char *path,
                                          struct serin_yaml_error *error)
{
    *config = (struct serin_serind_config){0};
    enum serin_error result = serin_yaml_open_file(&config->document, path, &config_schema, error);
    if (result != SERIN_OK) {
        return result;
    }
    const struct reader reader = {
        .config = config, .raw = serin_yaml_value(config->document), .error = error};
    result = config_read(&reader);
    if (result != SERIN_OK) {
        serin_serind_config_close(config);
    }
    return result;
}

void serin_serind_config_close(struct serin_serind_config *config)
{
    serin_yaml_close(config->document);
    config->document = NULL;
}
