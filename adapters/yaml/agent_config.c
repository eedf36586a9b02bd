/*
 * The configuration of serin-agent: its schema, its defaults, and the checks that a schema cannot
 * express.
 */
#include <serin/adapters/agent_config.h>

#include "fields.h"

#include <serin/wire.h>

#include <string.h>
#include <sys/un.h>

/* The file as libcyaml fills it; texts are NULL where an optional key is absent. */
struct device_part {
    char *id, *product, *channel, *hardware;
};

struct broker_part {
    char *uri, *ca, *certificate, *key, *reconnect_min, *reconnect_max;
};

struct flash_part {
    char *file, *size, *sector, *write_unit;
};

struct application_part {
    bool *exec; /* NULL: absent */
    const char **arguments;
    uint32_t arguments_count;
    char *watchdog;
};

struct confirm_part {
    bool *needs_directive; /* NULL: absent */
    bool automatic;
};

struct download_part {
    char *block, *window, *timeout;
};

struct report_part {
    char *retry_min, *retry_max;
};

struct agent_file {
    struct device_part device;
    struct broker_part broker;
    char *root_key;
    struct flash_part flash;
    char *control_socket;
    struct application_part application;
    struct confirm_part confirm;
    char *beat;
    struct download_part download;
    struct report_part report;
};

#define PATH_MAX_CHARACTERS 1024
#define UNIT_MAX_CHARACTERS 20

static const cyaml_schema_field_t device_fields[] = {
    YAML_FIELD_TEXT("id", CYAML_FLAG_DEFAULT, struct device_part, id, 1, SERIN_ID_MAX),
    YAML_FIELD_TEXT("product", CYAML_FLAG_DEFAULT, struct device_part, product, 1,
                    SERIN_PRODUCT_MAX),
    YAML_FIELD_TEXT("channel", CYAML_FLAG_DEFAULT, struct device_part, channel, 1,
                    SERIN_CHANNEL_MAX),
    YAML_FIELD_NUMBER("hardware", CYAML_FLAG_DEFAULT, struct device_part, hardware),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t broker_fields[] = {
    YAML_FIELD_TEXT("uri", CYAML_FLAG_DEFAULT, struct broker_part, uri, 1, 256),
    YAML_FIELD_TEXT("ca", CYAML_FLAG_OPTIONAL, struct broker_part, ca, 1, PATH_MAX_CHARACTERS),
    YAML_FIELD_TEXT("certificate", CYAML_FLAG_OPTIONAL, struct broker_part, certificate, 1,
                    PATH_MAX_CHARACTERS),
    YAML_FIELD_TEXT("key", CYAML_FLAG_OPTIONAL, struct broker_part, key, 1, PATH_MAX_CHARACTERS),
    YAML_FIELD_TEXT("reconnect_min", CYAML_FLAG_OPTIONAL, struct broker_part, reconnect_min, 1,
                    UNIT_MAX_CHARACTERS),
    YAML_FIELD_TEXT("reconnect_max", CYAML_FLAG_OPTIONAL, struct broker_part, reconnect_max, 1,
                    UNIT_MAX_CHARACTERS),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t flash_fields[] = {
    YAML_FIELD_TEXT("file", CYAML_FLAG_DEFAULT, struct flash_part, file, 1, PATH_MAX_CHARACTERS),
    YAML_FIELD_TEXT("size", CYAML_FLAG_DEFAULT, struct flash_part, size, 1, UNIT_MAX_CHARACTERS),
    YAML_FIELD_TEXT("sector", CYAML_FLAG_OPTIONAL, struct flash_part, sector, 1,
                    UNIT_MAX_CHARACTERS),
    YAML_FIELD_TEXT("write_unit", CYAML_FLAG_OPTIONAL, struct flash_part, write_unit, 1,
                    UNIT_MAX_CHARACTERS),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t argument_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, 4096),
};

static const cyaml_schema_field_t application_fields[] = {
    YAML_FIELD_BOOL_PTR("exec", CYAML_FLAG_OPTIONAL, struct application_part, exec),
    CYAML_FIELD_SEQUENCE("arguments", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                         struct application_part, arguments, &argument_schema, 0,
                         SERIN_AGENT_ARGUMENTS_MAX),
    YAML_FIELD_TEXT("watchdog", CYAML_FLAG_OPTIONAL, struct application_part, watchdog, 1,
                    UNIT_MAX_CHARACTERS),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t confirm_fields[] = {
    YAML_FIELD_BOOL_PTR("needs_directive", CYAML_FLAG_OPTIONAL, struct confirm_part,
                        needs_directive),
    YAML_FIELD_BOOL("auto", CYAML_FLAG_OPTIONAL, struct confirm_part, automatic),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t download_fields[] = {
    YAML_FIELD_TEXT("block", CYAML_FLAG_OPTIONAL, struct download_part, block, 1,
                    UNIT_MAX_CHARACTERS),
    YAML_FIELD_NUMBER("window", CYAML_FLAG_OPTIONAL, struct download_part, window),
    YAML_FIELD_TEXT("timeout", CYAML_FLAG_OPTIONAL, struct download_part, timeout, 1,
                    UNIT_MAX_CHARACTERS),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t report_fields[] = {
    YAML_FIELD_TEXT("retry_min", CYAML_FLAG_OPTIONAL, struct report_part, retry_min, 1,
                    UNIT_MAX_CHARACTERS),
    YAML_FIELD_TEXT("retry_max", CYAML_FLAG_OPTIONAL, struct report_part, retry_max, 1,
                    UNIT_MAX_CHARACTERS),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t agent_fields[] = {
    CYAML_FIELD_MAPPING("device", CYAML_FLAG_DEFAULT, struct agent_file, device, device_fields),
    CYAML_FIELD_MAPPING("broker", CYAML_FLAG_DEFAULT, struct agent_file, broker, broker_fields),
    YAML_FIELD_TEXT("root_key", CYAML_FLAG_DEFAULT, struct agent_file, root_key, 1,
                    PATH_MAX_CHARACTERS),
    CYAML_FIELD_MAPPING("flash", CYAML_FLAG_DEFAULT, struct agent_file, flash, flash_fields),
    YAML_FIELD_TEXT("control_socket", CYAML_FLAG_DEFAULT, struct agent_file, control_socket, 1,
                    PATH_MAX_CHARACTERS),
    CYAML_FIELD_MAPPING("application", CYAML_FLAG_OPTIONAL, struct agent_file, application,
                        application_fields),
    CYAML_FIELD_MAPPING("confirm", CYAML_FLAG_OPTIONAL, struct agent_file, confirm, confirm_fields),
    YAML_FIELD_TEXT("beat", CYAML_FLAG_OPTIONAL, struct agent_file, beat, 1, UNIT_MAX_CHARACTERS),
    CYAML_FIELD_MAPPING("download", CYAML_FLAG_OPTIONAL, struct agent_file, download,
                        download_fields),
    CYAML_FIELD_MAPPING("report", CYAML_FLAG_OPTIONAL, struct agent_file, report, report_fields),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t agent_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct agent_file, agent_fields),
};

/* What a check works with: the document, where its errors go, and the first of them. */
struct checking {
    const struct serin_yaml *yaml;
    struct serin_yaml_error *error;
    enum serin_error result;
};

/* Reads a duration in milliseconds, unless a check has failed before. */
static uint32_t duration_ms(struct checking *checking, const char *field, const char *text,
                            uint64_t fallback, uint64_t min, uint64_t max)
{
    uint64_t value = fallback;
    if (checking->result == SERIN_OK) {
        checking->result =
            serin_yaml_duration(checking->yaml, field, text, min, max, &value, checking->error);
    }
    return (uint32_t)value;
}

static uint32_t size_bytes(struct checking *checking, const char *field, const char *text,
                           uint64_t fallback, uint64_t min, uint64_t max)
{
    uint64_t value = fallback;
    if (checking->result == SERIN_OK) {
        checking->result =
            serin_yaml_size(checking->yaml, field, text, min, max, &value, checking->error);
    }
    return (uint32_t)value;
}

static uint32_t number(struct checking *checking, const char *field, const char *text,
                       uint64_t fallback, uint64_t min, uint64_t max)
{
    uint64_t value = fallback;
    if (checking->result == SERIN_OK) {
        checking->result =
            serin_yaml_number(checking->yaml, field, text, min, max, &value, checking->error);
    }
    return (uint32_t)value;
}

/* Notes the error of `field` unless `fine` or a check has failed before. */
static void require(struct checking *checking, bool fine, const char *field, const char *words)
{
    if (!fine && checking->result == SERIN_OK) {
        checking->result = serin_yaml_fail(checking->yaml, checking->error, field, "%s", words);
    }
}

static bool power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static void device_check(struct checking *checking, const struct device_part *file,
                         struct serin_identity *identity)
{
    require(checking, serin_id_valid(file->id, strlen(file->id)), "device.id",
            "may contain only letters, digits, '-' and '_'");
    require(checking, serin_product_valid(file->product, strlen(file->product)), "device.product",
            "may contain only letters, digits, '-' and '_'");
    require(checking, serin_channel_valid(file->channel, strlen(file->channel)), "device.channel",
            "may contain only letters, digits, '-' and '_'");
    uint32_t hardware = number(checking, "device.hardware", file->hardware, 0, 1, UINT16_MAX);
    if (checking->result == SERIN_OK) {
        /* The schema has bounded their lengths. */
        (void)memcpy(identity->device_id, file->id, strlen(file->id) + 1);
        (void)memcpy(identity->product, file->product, strlen(file->product) + 1);
        (void)memcpy(identity->channel, file->channel, strlen(file->channel) + 1);
        identity->hardware = (uint16_t)hardware;
    }
}

static void broker_check(struct checking *checking, const struct broker_part *file,
                         struct serin_agent_settings *settings)
{
    bool tls = strncmp(file->uri, "ssl://", 6) == 0;
    require(checking, tls || strncmp(file->uri, "tcp://", 6) == 0, "broker.uri",
            "must be ssl://HOST:PORT, or tcp://HOST:PORT for a test without TLS");
    require(checking, !tls || file->ca != NULL, "broker.ca", "is needed with ssl://");
    require(checking, !tls || file->certificate != NULL, "broker.certificate",
            "is needed with ssl://");
    require(checking, !tls || file->key != NULL, "broker.key", "is needed with ssl://");
    settings->broker.uri = file->uri;
    settings->broker.ca = tls ? file->ca : NULL;
    settings->broker.certificate = tls ? file->certificate : NULL;
    settings->broker.key = tls ? file->key : NULL;
    settings->broker.reconnect_min_ms =
        duration_ms(checking, "broker.reconnect_min", file->reconnect_min, 1000, 10, 3600000);
    settings->broker.reconnect_max_ms =
        duration_ms(checking, "broker.reconnect_max", file->reconnect_max, 60000, 10, 3600000);
    require(checking, settings->broker.reconnect_min_ms <= settings->broker.reconnect_max_ms,
            "broker.reconnect_min", "must not be above broker.reconnect_max");
}

static void flash_check(struct checking *checking, const struct flash_part *file,
                        struct serin_agent_settings *settings)
{
    uint32_t sector = size_bytes(checking, "flash.sector", file->sector, 4096, 256, 131072);
    uint32_t unit = size_bytes(checking, "flash.write_unit", file->write_unit, 8, 1, 512);
    uint32_t size = size_bytes(checking, "flash.size", file->size, 0, 65536, UINT64_C(1) << 30);
    require(checking, power_of_two(sector), "flash.sector", "must be a power of two");
    require(checking, power_of_two(unit), "flash.write_unit", "must be a power of two");
    require(checking, unit <= sector, "flash.write_unit", "must not be larger than flash.sector");
    require(checking, !power_of_two(sector) || size % sector == 0, "flash.size",
            "must be a multiple of flash.sector");
    settings->flash.file = file->file;
    settings->flash.size_bytes = size;
    settings->flash.sector_size = sector;
    settings->flash.write_unit = unit;
}

static void application_check(struct checking *checking, const struct application_part *file,
                              struct serin_agent_settings *settings)
{
    settings->application.exec = file->exec == NULL || *file->exec;
    settings->application.arguments = file->arguments;
    settings->application.argument_count = file->arguments_count;
    settings->application.watchdog_ms =
        duration_ms(checking, "application.watchdog", file->watchdog, 10000, 100, 3600000);
}

static void traffic_check(struct checking *checking, const struct agent_file *file,
                          struct serin_agent_settings *settings)
{
    settings->beat_s = duration_ms(checking, "beat", file->beat, 3600000, 1000, 604800000) / 1000;
    settings->download.block_size = size_bytes(checking, "download.block", file->download.block,
                                               16384, SERIN_BLOCK_DATA_MIN, SERIN_BLOCK_DATA_MAX);
    settings->download.window_blocks =
        number(checking, "download.window", file->download.window, 4, 1, 64);
    settings->download.timeout_ms =
        duration_ms(checking, "download.timeout", file->download.timeout, 5000, 100, 600000);
    settings->report.retry_min_ms =
        duration_ms(checking, "report.retry_min", file->report.retry_min, 5000, 100, 86400000);
    settings->report.retry_max_ms =
        duration_ms(checking, "report.retry_max", file->report.retry_max, 3600000, 100, 86400000);
    require(checking, settings->report.retry_min_ms <= settings->report.retry_max_ms,
            "report.retry_min", "must not be above report.retry_max");
}

/* Takes the opened document over, or closes it. */
static enum serin_error settings_take(struct serin_agent_settings *settings,
                                      struct serin_yaml *document, struct serin_yaml_error *error)
{
    const struct agent_file *file = serin_yaml_value(document);
    struct checking checking = {.yaml = document, .error = error, .result = SERIN_OK};
    *settings = (struct serin_agent_settings){.document = document};
    device_check(&checking, &file->device, &settings->identity);
    broker_check(&checking, &file->broker, settings);
    settings->root_key = file->root_key;
    flash_check(&checking, &file->flash, settings);
    require(&checking, strlen(file->control_socket) < sizeof((struct sockaddr_un *)0)->sun_path,
            "control_socket", "must have at most 107 characters: it is a Unix socket");
    settings->control_socket = file->control_socket;
    application_check(&checking, &file->application, settings);
    settings->confirm_needs_directive =
        file->confirm.needs_directive == NULL || *file->confirm.needs_directive;
    settings->confirm_auto = file->confirm.automatic;
    traffic_check(&checking, file, settings);
    if (checking.result != SERIN_OK) {
        serin_agent_settings_free(settings);
    }
    return checking.result;
}

enum serin_error serin_agent_settings_load(struct serin_agent_settings *settings, const char *path,
                                           struct serin_yaml_error *error)
{
    struct serin_yaml *document = NULL;
    *settings = (struct serin_agent_settings){0};
    enum serin_error result = serin_yaml_open_file(&document, path, &agent_schema, error);
    return result == SERIN_OK ? settings_take(settings, document, error) : result;
}

enum serin_error serin_agent_settings_parse(struct serin_agent_settings *settings, const char *name,
                                            const void *text, size_t size,
                                            struct serin_yaml_error *error)
{
    struct serin_yaml *document = NULL;
    *settings = (struct serin_agent_settings){0};
    enum serin_error result = serin_yaml_open(&document, name, text, size, &agent_schema, error);
    return result == SERIN_OK ? settings_take(settings, document, error) : result;
}

void serin_agent_settings_free(struct serin_agent_settings *settings)
{
    serin_yaml_close(settings->document);
    *settings = (struct serin_agent_settings){0};
}
