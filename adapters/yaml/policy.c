/*
 * The policy loader (serin/adapters/policy.h): the schema, then each value with its range. What
 * concerns several fields together (stages that must grow) names the field that breaks the rule.
 */
#include <serin/adapters/policy.h>

#include "src/fields.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_MS   UINT64_C(1000)
#define DAY_MS      (UINT64_C(86400) * SECOND_MS)
#define MONTH_MS    (30 * DAY_MS)
#define FIELD(text) char text[SERIN_YAML_FIELD_MAX]

/* The document as libcyaml fills it; a pointer is NULL where an optional key is absent. */
struct raw_release {
    const char *manifest, *version, *hardware;
};

struct raw_stage {
    const char *percent, *soak;
    const uint32_t *count;
    bool approval;
};

struct raw_gate {
    const char *failures_max_percent;
    const uint32_t *resolved_min;
};

struct raw_policy {
    const char *name, *product, *channel;
    const char *patience, *deadline, *lease, *spread;
    const struct raw_release *releases;
    uint32_t releases_count;
    const struct raw_stage *stages;
    uint32_t stages_count;
    const struct raw_gate *gate;
    uint32_t site_failures_max;
    bool revert, emergency, supersede;
    const uint64_t *from;
};

static const cyaml_schema_field_t release_fields[] = {
    YAML_FIELD_TEXT("manifest", CYAML_FLAG_OPTIONAL, struct raw_release, manifest, 1, 64),
    YAML_FIELD_TEXT("version", CYAML_FLAG_OPTIONAL, struct raw_release, version, 1, 17),
    YAML_FIELD_TEXT("hardware", CYAML_FLAG_OPTIONAL, struct raw_release, hardware, 1, 11),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t release_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_release, release_fields),
};

static const cyaml_schema_field_t stage_fields[] = {
    YAML_FIELD_TEXT("percent", CYAML_FLAG_OPTIONAL, struct raw_stage, percent, 1, 8),
    CYAML_FIELD_UINT_PTR("count", CYAML_FLAG_OPTIONAL, struct raw_stage, count),
    YAML_FIELD_TEXT("soak", CYAML_FLAG_OPTIONAL, struct raw_stage, soak, 1, 32),
    YAML_FIELD_BOOL("approval", CYAML_FLAG_OPTIONAL, struct raw_stage, approval),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t stage_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_stage, stage_fields),
};

static const cyaml_schema_field_t gate_fields[] = {
    YAML_FIELD_TEXT("failures_max_percent", CYAML_FLAG_OPTIONAL, struct raw_gate,
                    failures_max_percent, 1, 8),
    CYAML_FIELD_UINT_PTR("resolved_min", CYAML_FLAG_OPTIONAL, struct raw_gate, resolved_min),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t policy_fields[] = {
    YAML_FIELD_TEXT("name", CYAML_FLAG_OPTIONAL, struct raw_policy, name, 1, SERIN_POLICY_NAME_MAX),
    YAML_FIELD_TEXT("product", CYAML_FLAG_DEFAULT, struct raw_policy, product, 1,
                    SERIN_PRODUCT_MAX),
    YAML_FIELD_TEXT("channel", CYAML_FLAG_DEFAULT, struct raw_policy, channel, 1,
                    SERIN_CHANNEL_MAX),
    CYAML_FIELD_SEQUENCE("releases", CYAML_FLAG_POINTER, struct raw_policy, releases,
                         &release_schema, 1, SERIN_DIRECTIVE_OFFERS_MAX),
    CYAML_FIELD_SEQUENCE("stages", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_policy,
                         stages, &stage_schema, 1, SERIN_STAGES_MAX),
    CYAML_FIELD_MAPPING_PTR("gate", CYAML_FLAG_OPTIONAL, struct raw_policy, gate, gate_fields),
    YAML_FIELD_TEXT("patience", CYAML_FLAG_OPTIONAL, struct raw_policy, patience, 1, 32),
    YAML_FIELD_TEXT("deadline", CYAML_FLAG_OPTIONAL, struct raw_policy, deadline, 1, 32),
    YAML_FIELD_TEXT("lease", CYAML_FLAG_OPTIONAL, struct raw_policy, lease, 1, 32),
    YAML_FIELD_TEXT("spread", CYAML_FLAG_OPTIONAL, struct raw_policy, spread, 1, 32),
    CYAML_FIELD_UINT("site_failures_max", CYAML_FLAG_OPTIONAL, struct raw_policy,
                     site_failures_max),
    YAML_FIELD_BOOL("revert", CYAML_FLAG_OPTIONAL, struct raw_policy, revert),
    YAML_FIELD_BOOL("emergency", CYAML_FLAG_OPTIONAL, struct raw_policy, emergency),
    YAML_FIELD_BOOL("supersede", CYAML_FLAG_OPTIONAL, struct raw_policy, supersede),
    CYAML_FIELD_UINT_PTR("from", CYAML_FLAG_OPTIONAL, struct raw_policy, from),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t policy_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_policy, policy_fields),
};

/* What the readers below share. */
struct reader {
    struct serin_policy_file *file;
    const struct raw_policy *raw;
    struct serin_yaml_error *error;
};

/* A percentage with at most two decimals, as hundredths of a percent. */
static bool percent_parse(const char *text, uint32_t *permyriad)
{
    uint32_t value = 0;
    unsigned decimals = 0;
    bool point = false;
    if (*text < '0' || *text > '9') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text == '.' && !point) {
            point = true;
            continue;
        }
        if (*text < '0' || *text > '9' || (point && ++decimals > 2)) {
            return false;
        }
        value = value * 10 + (uint32_t)(*text - '0');
        if (value > 10000) {
            return false;
        }
    }
    if (point && decimals == 0) {
        return false;
    }
    for (; decimals < 2; decimals++) {
        value *= 10;
    }
    *permyriad = value;
    return value <= 10000;
}

/* "3" or "1-3", each 1..65535. */
static bool hardware_parse(const char *text, uint16_t *low, uint16_t *high)
{
    uint32_t number[2] = {0, 0};
    size_t which = 0;
    size_t digits = 0;
    for (; *text != '\0'; text++) {
        if (*text == '-' && which == 0 && digits > 0) {
            which = 1;
            digits = 0;
            continue;
        }
        if (*text < '0' || *text > '9' || ++digits > 5) {
            return false;
        }
        number[which] = number[which] * 10 + (uint32_t)(*text - '0');
    }
    if (which == 0) {
        number[1] = number[0];
    }
    if (digits == 0 || number[0] == 0 || number[0] > number[1] || number[1] > UINT16_MAX) {
        return false;
    }
    *low = (uint16_t)number[0];
    *high = (uint16_t)number[1];
    return true;
}

/* A duration in whole seconds. */
static enum serin_error seconds_read(const struct reader *reader, const char *field,
                                     const char *text, uint64_t min_ms, uint64_t max_ms,
                                     uint32_t *seconds)
{
    uint64_t ms = *seconds * SECOND_MS;
    enum serin_error error = serin_yaml_duration(reader->file->document, field, text, min_ms,
                                                 max_ms, &ms, reader->error);
    if (error != SERIN_OK) {
        return error;
    }
    if (ms % SECOND_MS != 0) {
        return serin_yaml_fail(reader->file->document, reader->error, field,
                               "must be whole seconds");
    }
    *seconds = (uint32_t)(ms / SECOND_MS);
    return SERIN_OK;
}

static bool name_fits(const char *text)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    return text[strspn(text, allowed)] == '\0';
}

static enum serin_error names_read(const struct reader *reader)
{
    const struct raw_policy *raw = reader->raw;
    struct serin_policy *policy = &reader->file->policy;
    const struct serin_yaml *document = reader->file->document;
    if (raw->name != NULL && !name_fits(raw->name)) {
        return serin_yaml_fail(document, reader->error, "name",
                               "may contain letters, digits, '_', '.' and '-' only");
    }
    if (!serin_product_valid(raw->product, strlen(raw->product))) {
        return serin_yaml_fail(document, reader->error, "product",
                               "may contain letters, digits, '_' and '-' only");
    }
    if (!serin_channel_valid(raw->channel, strlen(raw->channel))) {
        return serin_yaml_fail(document, reader->error, "channel",
                               "may contain letters, digits, '_' and '-' only");
    }
    /* Lengths were checked by the schema, with the limits that size these fields. */
    (void)snprintf(policy->name, sizeof policy->name, "%s", raw->name != NULL ? raw->name : "");
    (void)snprintf(policy->product, sizeof policy->product, "%s", raw->product);
    (void)snprintf(policy->channel, sizeof policy->channel, "%s", raw->channel);
    return SERIN_OK;
}

static enum serin_error manifest_read(const struct reader *reader, const char *field,
                                      const char *text, struct serin_policy_release *release)
{
    size_t size = strlen(text);
    if (size < SERIN_POLICY_PREFIX_MIN || strspn(text, "0123456789abcdefABCDEF") != size) {
        return serin_yaml_fail(reader->file->document, reader->error, field,
                               "must be a manifest id or its first %u digits or more (0-9, a-f)",
                               SERIN_POLICY_PREFIX_MIN);
    }
    for (size_t i = 0; i < size; i++) {
        char digit = text[i];
        release->manifest[i] = (char)tolower((unsigned char)digit);
    }
    return SERIN_OK;
}

static enum serin_error release_read(const struct reader *reader, size_t index)
{
    const struct raw_release *raw = &reader->raw->releases[index];
    struct serin_policy_release *release = &reader->file->releases[index];
    const struct serin_yaml *document = reader->file->document;
    FIELD(field);
    (void)snprintf(field, sizeof field, "releases[%zu]", index);
    if ((raw->manifest == NULL) == (raw->version == NULL)) {
        return serin_yaml_fail(document, reader->error, field,
                               "must have either 'manifest' or 'version'");
    }
    if (raw->manifest != NULL) {
        (void)snprintf(field, sizeof field, "releases[%zu].manifest", index);
        enum serin_error error = manifest_read(reader, field, raw->manifest, release);
        if (error != SERIN_OK) {
            return error;
        }
    } else if (serin_version_parse(raw->version, &release->version) != SERIN_OK) {
        (void)snprintf(field, sizeof field, "releases[%zu].version", index);
        return serin_yaml_fail(document, reader->error, field, "must be a version such as 1.2.3");
    }
    release->has_hardware = raw->hardware != NULL;
    if (raw->hardware != NULL &&
        !hardware_parse(raw->hardware, &release->hw_min, &release->hw_max)) {
        (void)snprintf(field, sizeof field, "releases[%zu].hardware", index);
        return serin_yaml_fail(document, reader->error, field,
                               "must be a revision or a range such as 1-3, from 1 to 65535");
    }
    return SERIN_OK;
}

static enum serin_error stage_read(const struct reader *reader, size_t index)
{
    const struct raw_stage *raw = &reader->raw->stages[index];
    struct serin_stage_policy *stage = &reader->file->policy.stages[index];
    const struct serin_yaml *document = reader->file->document;
    FIELD(field);
    (void)snprintf(field, sizeof field, "stages[%zu]", index);
    *stage = (struct serin_stage_policy){.soak_s = 86400, .approval = raw->approval};
    if ((raw->percent == NULL) == (raw->count == NULL)) {
        return serin_yaml_fail(document, reader->error, field,
                               "must have either 'percent' or 'count'");
    }
    if (raw->percent != NULL) {
        (void)snprintf(field, sizeof field, "stages[%zu].percent", index);
        if (!percent_parse(raw->percent, &stage->permyriad) || stage->permyriad == 0) {
            return serin_yaml_fail(document, reader->error, field,
                                   "must be from 0.01 to 100, with at most two decimals");
        }
    } else {
        (void)snprintf(field, sizeof field, "stages[%zu].count", index);
        if (*raw->count == 0) {
            return serin_yaml_fail(document, reader->error, field, "must be at least 1");
        }
        stage->count = *raw->count;
    }
    (void)snprintf(field, sizeof field, "stages[%zu].soak", index);
    return seconds_read(reader, field, raw->soak, 0, (uint64_t)SERIN_POLICY_SOAK_MAX_S * SECOND_MS,
                        &stage->soak_s);
}

/* Each stage must contain the last one and the last must be everyone. A count and a share cannot be
 * compared before the population is known; the engine's threshold never falls whatever they are. */
static enum serin_error stages_grow(const struct reader *reader)
{
    const struct serin_policy *policy = &reader->file->policy;
    const struct serin_yaml *document = reader->file->document;
    FIELD(field);
    uint32_t share = 0;
    uint32_t count = 0;
    for (size_t i = 0; i < policy->stage_count; i++) {
        const struct serin_stage_policy *stage = &policy->stages[i];
        bool grows = stage->permyriad > 0 ? stage->permyriad > share : stage->count > count;
        if (!grows) {
            (void)snprintf(field, sizeof field, "stages[%zu].%s", i,
                           stage->permyriad > 0 ? "percent" : "count");
            return serin_yaml_fail(document, reader->error, field,
                                   "must be larger than in the stages before");
        }
        share = stage->permyriad > 0 ? stage->permyriad : share;
        count = stage->count > 0 ? stage->count : count;
    }
    if (policy->stages[policy->stage_count - 1].permyriad != 10000) {
        (void)snprintf(field, sizeof field, "stages[%zu]", policy->stage_count - 1);
        return serin_yaml_fail(document, reader->error, field,
                               "is the last stage and must have percent: 100");
    }
    return SERIN_OK;
}

static enum serin_error stages_read(const struct reader *reader)
{
    if (reader->raw->stages == NULL) {
        return SERIN_OK; /* the default stages stay */
    }
    reader->file->policy.stage_count = reader->raw->stages_count;
    for (size_t i = 0; i < reader->raw->stages_count; i++) {
        enum serin_error error = stage_read(reader, i);
        if (error != SERIN_OK) {
            return error;
        }
    }
    return stages_grow(reader);
}

static enum serin_error gate_read(const struct reader *reader)
{
    const struct raw_gate *raw = reader->raw->gate;
    struct serin_gate_policy *gate = &reader->file->policy.gates[SERIN_GATE_FAILURES];
    const struct serin_yaml *document = reader->file->document;
    if (raw != NULL && raw->failures_max_percent != NULL &&
        !percent_parse(raw->failures_max_percent, &gate->max_permyriad)) {
        return serin_yaml_fail(document, reader->error, "gate.failures_max_percent",
                               "must be from 0 to 100, with at most two decimals");
    }
    if (raw != NULL && raw->resolved_min != NULL) {
        if (*raw->resolved_min == 0) {
            return serin_yaml_fail(document, reader->error, "gate.resolved_min",
                                   "must be at least 1");
        }
        gate->minimum = *raw->resolved_min;
    }
    return SERIN_OK;
}

static enum serin_error times_read(const struct reader *reader)
{
    const struct raw_policy *raw = reader->raw;
    struct serin_policy *policy = &reader->file->policy;
    const struct {
        const char *field, *text;
        uint64_t min_ms, max_ms;
        uint32_t *seconds;
    } times[] = {
        {"patience", raw->patience, SECOND_MS, MONTH_MS, &policy->patience_s},
        {"deadline", raw->deadline, SECOND_MS, MONTH_MS, &policy->deadline_s},
        {"lease", raw->lease, SERIN_LEASE_MIN_S * SECOND_MS,
         (uint64_t)SERIN_LEASE_MAX_S * SECOND_MS, &policy->lease_s},
        {"spread", raw->spread, 0, DAY_MS, &policy->spread_s},
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        enum serin_error error = seconds_read(reader, times[i].field, times[i].text,
                                              times[i].min_ms, times[i].max_ms, times[i].seconds);
        if (error != SERIN_OK) {
            return error;
        }
    }
    return SERIN_OK;
}

static enum serin_error rest_read(const struct reader *reader)
{
    const struct raw_policy *raw = reader->raw;
    struct serin_policy *policy = &reader->file->policy;
    policy->site_failures_max = raw->site_failures_max;
    policy->revert = raw->revert;
    policy->emergency = raw->emergency;
    policy->supersede = raw->supersede;
    if (raw->from != NULL && *raw->from == 0) {
        return serin_yaml_fail(reader->file->document, reader->error, "from",
                               "must be the id of a rollout, 1 or more");
    }
    reader->file->from = raw->from != NULL ? *raw->from : 0;
    return SERIN_OK;
}

static enum serin_error file_read(const struct reader *reader)
{
    serin_policy_default(&reader->file->policy);
    reader->file->release_count = reader->raw->releases_count;
    enum serin_error error = names_read(reader);
    for (size_t i = 0; error == SERIN_OK && i < reader->file->release_count; i++) {
        error = release_read(reader, i);
    }
    if (error == SERIN_OK) {
        error = stages_read(reader);
    }
    if (error == SERIN_OK) {
        error = gate_read(reader);
    }
    if (error == SERIN_OK) {
        error = times_read(reader);
    }
    return error == SERIN_OK ? rest_read(reader) : error;
}

enum serin_error serin_policy_file_open(struct serin_policy_file *file, const char *name,
                                        const void *text, size_t size,
                                        struct serin_yaml_error *error)
{
    *file = (struct serin_policy_file){0};
    enum serin_error result =
        serin_yaml_open(&file->document, name, text, size, &policy_schema, error);
    if (result != SERIN_OK) {
        return result;
    }
    const struct reader reader = {
        .file = file, .raw = serin_yaml_value(file->document), .error = error};
    result = file_read(&reader);
    if (result != SERIN_OK) {
        serin_policy_file_close(file);
    }
    return result;
}

void serin_policy_file_close(struct serin_policy_file *file)
{
    serin_yaml_close(file->document);
    file->document = NULL;
}
