/*
 * The loader of serin-gateway's configuration (serin/adapters/gateway_config.h): the schema,
 * defaults, and the rules that a schema cannot say.
 */
#include <serin/adapters/gateway_config.h>

#include "src/broker.h"
#include "src/fields.h"

#include <stdio.h>
#include <string.h>

#define PATH_MAX_SIZE   4095
#define SOCKET_PATH_MAX 107 /* of a Unix socket */
#define KIB             (UINT64_C(1) << 10)
#define MIB             (UINT64_C(1) << 20)
#define SECOND_MS       UINT64_C(1000)
#define HOUR_MS         (3600 * SECOND_MS)
#define DAY_MS          (24 * HOUR_MS)

/* The document as libcyaml fills it; a pointer is NULL where an optional key is absent. */
struct raw_fleet {
    const char *product, *channel;
};

struct raw_uplink {
    struct yaml_broker broker;
    const char *rate;
    const char *const *hours;
    uint32_t hours_count;
};

struct raw_depot {
    const char *path, *budget, *scrub;
    bool prefetch;
};

struct raw_relay {
    const char *batch_delay, *beats, *status, *resend;
};

struct raw_config {
    const char *gateway, *root_key, *trust, *data, *control_socket, *store_size;
    const struct raw_fleet *fleets;
    uint32_t fleets_count;
    const struct raw_uplink *uplink;
    const struct yaml_broker *site;
    const struct raw_depot *depot;
    const struct raw_relay *relay;
    const char *nodes_max;
};

static const cyaml_schema_field_t fleet_fields[] = {
    YAML_FIELD_TEXT("product", CYAML_FLAG_DEFAULT, struct raw_fleet, product, 1, SERIN_PRODUCT_MAX),
    YAML_FIELD_TEXT("channel", CYAML_FLAG_DEFAULT, struct raw_fleet, channel, 1, SERIN_CHANNEL_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t fleet_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_fleet, fleet_fields),
};

static const cyaml_schema_value_t hours_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 32),
};

static const cyaml_schema_field_t uplink_fields[] = {
    YAML_BROKER_FIELDS(struct raw_uplink, broker.),
    YAML_FIELD_TEXT("rate", CYAML_FLAG_OPTIONAL, struct raw_uplink, rate, 1, 32),
    CYAML_FIELD_SEQUENCE("hours", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_uplink,
                         hours, &hours_schema, 1, SERIN_GATEWAY_HOURS_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t site_fields[] = {
    YAML_BROKER_FIELDS(struct yaml_broker, ),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t depot_fields[] = {
    YAML_FIELD_TEXT("path", CYAML_FLAG_DEFAULT, struct raw_depot, path, 1, PATH_MAX_SIZE - 128),
    YAML_FIELD_TEXT("budget", CYAML_FLAG_DEFAULT, struct raw_depot, budget, 1, 32),
    YAML_FIELD_TEXT("scrub", CYAML_FLAG_OPTIONAL, struct raw_depot, scrub, 1, 32),
    YAML_FIELD_BOOL("prefetch", CYAML_FLAG_OPTIONAL, struct raw_depot, prefetch),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t relay_fields[] = {
    YAML_FIELD_TEXT("batch_delay", CYAML_FLAG_OPTIONAL, struct raw_relay, batch_delay, 1, 32),
    YAML_FIELD_TEXT("beats", CYAML_FLAG_OPTIONAL, struct raw_relay, beats, 1, 32),
    YAML_FIELD_TEXT("status", CYAML_FLAG_OPTIONAL, struct raw_relay, status, 1, 32),
    YAML_FIELD_TEXT("resend", CYAML_FLAG_OPTIONAL, struct raw_relay, resend, 1, 32),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t config_fields[] = {
    YAML_FIELD_TEXT("gateway", CYAML_FLAG_DEFAULT, struct raw_config, gateway, 1, SERIN_ID_MAX),
    CYAML_FIELD_SEQUENCE("fleets", CYAML_FLAG_POINTER, struct raw_config, fleets, &fleet_schema, 1,
                         SERIN_GW_FLEETS_MAX),
    YAML_FIELD_TEXT("root_key", CYAML_FLAG_DEFAULT, struct raw_config, root_key, 1, PATH_MAX_SIZE),
    YAML_FIELD_TEXT("trust", CYAML_FLAG_OPTIONAL, struct raw_config, trust, 1, PATH_MAX_SIZE),
    YAML_FIELD_TEXT("data", CYAML_FLAG_DEFAULT, struct raw_config, data, 1, PATH_MAX_SIZE - 128),
    YAML_FIELD_TEXT("control_socket", CYAML_FLAG_DEFAULT, struct raw_config, control_socket, 1,
                    SOCKET_PATH_MAX),
    CYAML_FIELD_MAPPING_PTR("uplink", CYAML_FLAG_DEFAULT, struct raw_config, uplink, uplink_fields),
    CYAML_FIELD_MAPPING_PTR("site", CYAML_FLAG_DEFAULT, struct raw_config, site, site_fields),
    CYAML_FIELD_MAPPING_PTR("depot", CYAML_FLAG_DEFAULT, struct raw_config, depot, depot_fields),
    CYAML_FIELD_MAPPING_PTR("relay", CYAML_FLAG_OPTIONAL, struct raw_config, relay, relay_fields),
    YAML_FIELD_NUMBER("nodes_max", CYAML_FLAG_OPTIONAL, struct raw_config, nodes_max),
    YAML_FIELD_TEXT("store_size", CYAML_FLAG_OPTIONAL, struct raw_config, store_size, 1, 32),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t config_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, config_fields),
};

struct reader {
    struct serin_gateway_config *config;
    const struct raw_config *raw;
    struct serin_yaml_error *error;
};

/* ---- who and whose ---- */

static enum serin_error fleet_read(const struct reader *reader, size_t index)
{
    const struct raw_fleet *raw = &reader->raw->fleets[index];
    struct serin_gateway_config *config = reader->config;
    char field[SERIN_YAML_FIELD_MAX];
    bool product = serin_product_valid(raw->product, strlen(raw->product));
    if (!product || !serin_channel_valid(raw->channel, strlen(raw->channel))) {
        (void)snprintf(field, sizeof field, "fleets[%zu].%s", index,
                       product ? "channel" : "product");
        return serin_yaml_fail(config->document, reader->error, field,
                               "may contain letters, digits, '_' and '-' only");
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(config->fleets[i].product, raw->product) == 0 &&
            strcmp(config->fleets[i].channel, raw->channel) == 0) {
            (void)snprintf(field, sizeof field, "fleets[%zu]", index);
            return serin_yaml_fail(config->document, reader->error, field, "stands twice");
        }
    }
    config->fleets[index] =
        (struct serin_gateway_fleet){.product = raw->product, .channel = raw->channel};
    return SERIN_OK;
}

static enum serin_error names_read(const struct reader *reader)
{
    const struct raw_config *raw = reader->raw;
    struct serin_gateway_config *config = reader->config;
    if (!serin_id_valid(raw->gateway, strlen(raw->gateway))) {
        return serin_yaml_fail(config->document, reader->error, "gateway",
                               "may contain letters, digits, '_' and '-' only");
    }
    if (strcmp(raw->data, raw->depot->path) == 0) {
        return serin_yaml_fail(config->document, reader->error, "data",
                               "must be another folder than depot.path");
    }
    config->id = raw->gateway;
    config->root_key = raw->root_key;
    config->trust = raw->trust;
    config->data_dir = raw->data;
    config->control_socket = raw->control_socket;
    config->depot_dir = raw->depot->path;
    config->fleet_count = raw->fleets_count;
    enum serin_error error = SERIN_OK;
    for (size_t i = 0; error == SERIN_OK && i < config->fleet_count; i++) {
        error = fleet_read(reader, i);
    }
    return error;
}

/* ---- brokers ---- */

/* `min_ms` and `max_ms` are the defaults. */
static enum serin_error broker_read(const struct reader *reader, const char *field,
                                    const struct yaml_broker *raw, uint64_t min_ms, uint64_t max_ms,
                                    struct serin_gateway_broker *broker)
{
    enum serin_error error =
        yaml_broker_read(reader->config->document, field, raw, &min_ms, &max_ms, reader->error);
    if (error != SERIN_OK) {
        return error;
    }
    *broker = (struct serin_gateway_broker){
        .uri = raw->uri,
        .ca = raw->ca,
        .certificate = raw->certificate,
        .key = raw->key,
        .reconnect_min_ms = (uint32_t)min_ms,
        .reconnect_max_ms = (uint32_t)max_ms,
    };
    return SERIN_OK;
}

/* The way out has minutes, since a cloud that is gone should not meet all its sites at once; the
 * way in has seconds, since the broker is next door. */
static enum serin_error brokers_read(const struct reader *reader)
{
    const struct raw_config *raw = reader->raw;
    struct serin_gateway_config *config = reader->config;
    enum serin_error error = broker_read(reader, "uplink", &raw->uplink->broker, SECOND_MS,
                                         300 * SECOND_MS, &config->uplink);
    if (error == SERIN_OK) {
        error = broker_read(reader, "site", raw->site, 200, 5 * SECOND_MS, &config->site);
    }
    /* What goes down would come up again. */
    if (error == SERIN_OK && strcmp(config->uplink.uri, config->site.uri) == 0) {
        error = serin_yaml_fail(config->document, reader->error, "site.uri",
                                "must be another broker than uplink.uri");
    }
    return error;
}

/* ---- rate and hours ---- */

/* A number of at most 9 digits at *text, which moves behind it. */
static bool digits_parse(const char **text, size_t digits_max, uint32_t *value)
{
    size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > digits_max) {
        return false;
    }
    *value = 0;
    for (size_t i = 0; i < digits; i++) {
        *value = *value * 10 + (uint32_t)((*text)[i] - '0');
    }
    *text += digits;
    return true;
}

/* A whole number and bit/s, kbit/s, Mbit/s, Gbit/s, B/s, KiB/s or MiB/s. */
static bool rate_parse(const char *text, uint64_t *bytes_per_s)
{
    static const struct {
        const char *suffix;
        uint64_t times, divided_by;
    } units[] = {
        {"bit/s", 1, 8}, {"kbit/s", 1000, 8}, {"Mbit/s", 1000000, 8}, {"Gbit/s", 125000000, 1},
        {"B/s", 1, 1},   {"KiB/s", KIB, 1},   {"MiB/s", MIB, 1},
    };
    uint32_t number = 0;
    if (!digits_parse(&text, 9, &number)) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text, units[i].suffix) == 0) {
            *bytes_per_s = number * units[i].times / units[i].divided_by;
            return true;
        }
    }
    return false;
}

static enum serin_error rate_read(const struct reader *reader)
{
    const char *text = reader->raw->uplink->rate;
    uint64_t *rate = &reader->config->rate_bytes_per_s;
    if (text == NULL) {
        return SERIN_OK;
    }
    if (!rate_parse(text, rate)) {
        return serin_yaml_fail(reader->config->document, reader->error, "uplink.rate",
                               "must be a rate such as 64kbit/s, 2Mbit/s or 8KiB/s, not '%s'",
                               text);
    }
    if (*rate < 125 || *rate > UINT64_C(1250000000)) {
        return serin_yaml_fail(reader->config->document, reader->error, "uplink.rate",
                               "must be from 1kbit/s to 10Gbit/s, not '%s'; leave it out for no "
                               "limit",
                               text);
    }
    return SERIN_OK;
}

/* "22:00"; "24:00" as well, the midnight at the end of a day. */
static bool minute_parse(const char **text, uint32_t *minute)
{
    uint32_t hours = 0;
    uint32_t minutes = 0;
    const char *start = *text;
    if (!digits_parse(text, 2, &hours) || *text - start != 2 || **text != ':') {
        return false;
    }
    start = ++*text;
    if (!digits_parse(text, 2, &minutes) || *text - start != 2 || minutes > 59) {
        return false;
    }
    *minute = hours * 60 + minutes;
    return *minute <= 24 * 60;
}

static enum serin_error hours_read(const struct reader *reader)
{
    const struct raw_uplink *raw = reader->raw->uplink;
    struct serin_gateway_config *config = reader->config;
    config->hours_count = raw->hours_count;
    for (size_t i = 0; i < raw->hours_count; i++) {
        const char *text = raw->hours[i];
        char field[SERIN_YAML_FIELD_MAX];
        uint32_t from = 0;
        uint32_t to = 0;
        (void)snprintf(field, sizeof field, "uplink.hours[%zu]", i);
        if (!minute_parse(&text, &from) || *text++ != '-' || !minute_parse(&text, &to) ||
            *text != '\0' || from == 24 * 60) {
            return serin_yaml_fail(config->document, reader->error, field,
                                   "must be two times such as 22:00-05:30, not '%s'",
                                   raw->hours[i]);
        }
        to %= 24 * 60;
        if (from == to) {
            return serin_yaml_fail(config->document, reader->error, field,
                                   "begins where it ends; leave hours out to fetch at any time");
        }
        config->hours[i] =
            (struct serin_gateway_hours){.from_minute = (uint16_t)from, .to_minute = (uint16_t)to};
    }
    return SERIN_OK;
}

/* ---- the rest ---- */

static enum serin_error durations_read(const struct reader *reader)
{
    static const struct raw_relay nothing = {0};
    const struct raw_relay *raw = reader->raw->relay != NULL ? reader->raw->relay : &nothing;
    struct serin_gateway_config *config = reader->config;
    const struct {
        const char *field, *text;
        uint64_t min_ms, max_ms, default_ms;
        uint64_t unit_ms; /* of *out: 1 or 1000 */
        uint32_t *out;
    } durations[] = {
        {"depot.scrub", reader->raw->depot->scrub, 60 * SECOND_MS, 30 * DAY_MS, DAY_MS, SECOND_MS,
         &config->scrub_s},
        {"relay.batch_delay", raw->batch_delay, 0, 60 * SECOND_MS, 2 * SECOND_MS, 1,
         &config->batch_delay_ms},
        {"relay.beats", raw->beats, SECOND_MS, 7 * DAY_MS, 300 * SECOND_MS, SECOND_MS,
         &config->beat_s},
        {"relay.status", raw->status, SECOND_MS, DAY_MS, 60 * SECOND_MS, SECOND_MS,
         &config->status_s},
        {"relay.resend", raw->resend, SECOND_MS, HOUR_MS, 30 * SECOND_MS, 1, &config->resend_ms},
    };
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        uint64_t ms = durations[i].default_ms;
        enum serin_error error =
            serin_yaml_duration(config->document, durations[i].field, durations[i].text,
                                durations[i].min_ms, durations[i].max_ms, &ms, reader->error);
        if (error != SERIN_OK) {
            return error;
        }
        if (ms % durations[i].unit_ms != 0) {
            return serin_yaml_fail(config->document, reader->error, durations[i].field,
                                   "must be whole seconds");
        }
        *durations[i].out = (uint32_t)(ms / durations[i].unit_ms);
    }
    return SERIN_OK;
}

static enum serin_error sizes_read(const struct reader *reader)
{
    struct serin_gateway_config *config = reader->config;
    config->store_size_bytes = 64 * MIB;
    enum serin_error error =
        serin_yaml_size(config->document, "depot.budget", reader->raw->depot->budget, MIB,
                        MIB * MIB, &config->depot_budget_bytes, reader->error);
    if (error == SERIN_OK) {
        error = serin_yaml_size(config->document, "store_size", reader->raw->store_size, MIB,
                                KIB * MIB, &config->store_size_bytes, reader->error);
    }
    uint64_t nodes_max = 1000;
    if (error == SERIN_OK) {
        error = serin_yaml_number(config->document, "nodes_max", reader->raw->nodes_max, 1, 10000,
                                  &nodes_max, reader->error);
    }
    config->nodes_max = (uint32_t)nodes_max;
    return error;
}

static enum serin_error config_read(const struct reader *reader)
{
    static enum serin_error (*const steps[])(const struct reader *reader) = {
        names_read, brokers_read, rate_read, hours_read, durations_read, sizes_read,
    };
    enum serin_error error = SERIN_OK;
    reader->config->prefetch = reader->raw->depot->prefetch;
    for (size_t i = 0; error == SERIN_OK && i < sizeof steps / sizeof steps[0]; i++) {
        error = steps[i](reader);
    }
    return error;
}

enum serin_error serin_gateway_config_open(struct serin_gateway_config *config, const char *path,
                                           struct serin_yaml_error *error)
{
    *config = (struct serin_gateway_config){0};
    enum serin_error result = serin_yaml_open_file(&config->document, path, &config_schema, error);
    if (result != SERIN_OK) {
        return result;
    }
    const struct reader reader = {
        .config = config, .raw = serin_yaml_value(config->document), .error = error};
    result = config_read(&reader);
    if (result != SERIN_OK) {
        serin_gateway_config_close(config);
    }
    return result;
}

void serin_gateway_config_close(struct serin_gateway_config *config)
{
    serin_yaml_close(config->document);
    config->document = NULL;
}
