/*
 * The policy loader (serin/adapters/policy.h): the schema, then each value with its range. What
 * concerns several fields together (stages that must grow) names the field that breaks the rule.
 * Stages, gates and pace have files of their own, src/policy_*.c.
 */
#include <serin/adapters/policy.h>

#include "src/policy_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define CONTROL_MAX       1000000u
#define SITE_FAILURES_MAX 1000000u

static const cyaml_schema_field_t release_fields[] = {
    YAML_FIELD_TEXT("manifest", CYAML_FLAG_OPTIONAL, struct raw_release, manifest, 1, 64),
    YAML_FIELD_TEXT("version", CYAML_FLAG_OPTIONAL, struct raw_release, version, 1, 17),
    YAML_FIELD_TEXT("hardware", CYAML_FLAG_OPTIONAL, struct raw_release, hardware, 1, 11),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t release_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_release, release_fields),
};

static const cyaml_strval_t on_halt_words[] = {{"hold", SERIN_ON_HALT_HOLD},
                                               {"revert", SERIN_ON_HALT_REVERT}};

static const cyaml_schema_field_t policy_fields[] = {
    YAML_FIELD_TEXT("name", CYAML_FLAG_OPTIONAL, struct raw_policy, name, 1, SERIN_POLICY_NAME_MAX),
    YAML_FIELD_TEXT("product", CYAML_FLAG_DEFAULT, struct raw_policy, product, 1,
                    SERIN_PRODUCT_MAX),
    YAML_FIELD_TEXT("channel", CYAML_FLAG_DEFAULT, struct raw_policy, channel, 1,
                    SERIN_CHANNEL_MAX),
    CYAML_FIELD_SEQUENCE("releases", CYAML_FLAG_POINTER, struct raw_policy, releases,
                         &release_schema, 1, SERIN_DIRECTIVE_OFFERS_MAX),
    CYAML_FIELD_SEQUENCE("stages", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_policy,
                         stages, &policy_stage_schema, 1, SERIN_STAGES_MAX),
    CYAML_FIELD_MAPPING_PTR("gates", CYAML_FLAG_OPTIONAL, struct raw_policy, gates,
                            policy_gates_fields),
    POLICY_NUMBER("control_minimum", struct raw_policy, control_minimum),
    CYAML_FIELD_MAPPING_PTR("test", CYAML_FLAG_OPTIONAL, struct raw_policy, test,
                            policy_test_fields),
    CYAML_FIELD_MAPPING_PTR("ramp", CYAML_FLAG_OPTIONAL, struct raw_policy, ramp,
                            policy_ramp_fields),
    POLICY_NUMBER("in_flight_max", struct raw_policy, in_flight_max),
    POLICY_NUMBER("rate_per_hour", struct raw_policy, rate_per_hour),
    YAML_FIELD_TEXT("start", CYAML_FLAG_OPTIONAL, struct raw_policy, start, 1, 40),
    CYAML_FIELD_SEQUENCE("windows", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_policy,
                         windows, &policy_window_schema, 0, SERIN_WINDOWS_MAX),
    CYAML_FIELD_ENUM_PTR("on_halt", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct raw_policy,
                         on_halt, on_halt_words, 2),
    YAML_FIELD_TEXT("patience", CYAML_FLAG_OPTIONAL, struct raw_policy, patience, 1, 32),
    YAML_FIELD_TEXT("deadline", CYAML_FLAG_OPTIONAL, struct raw_policy, deadline, 1, 32),
    YAML_FIELD_TEXT("lease", CYAML_FLAG_OPTIONAL, struct raw_policy, lease, 1, 32),
    YAML_FIELD_TEXT("spread", CYAML_FLAG_OPTIONAL, struct raw_policy, spread, 1, 32),
    POLICY_NUMBER("site_failures_max", struct raw_policy, site_failures_max),
    YAML_FIELD_BOOL("revert", CYAML_FLAG_OPTIONAL, struct raw_policy, revert),
    YAML_FIELD_BOOL("emergency", CYAML_FLAG_OPTIONAL, struct raw_policy, emergency),
    YAML_FIELD_BOOL("supersede", CYAML_FLAG_OPTIONAL, struct raw_policy, supersede),
    POLICY_NUMBER("from", struct raw_policy, from),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t policy_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_policy, policy_fields),
};

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

static bool name_fits(const char *text)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    return text[strspn(text, allowed)] == '\0';
}

static enum serin_error names_read(const struct policy_reader *reader)
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

static enum serin_error manifest_read(const struct policy_reader *reader, const char *field,
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

static enum serin_error release_read(const struct policy_reader *reader, size_t index)
{
    const struct raw_release *raw = &reader->raw->releases[index];
    struct serin_policy_release *release = &reader->file->releases[index];
    const struct serin_yaml *document = reader->file->document;
    POLICY_FIELD(field);
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
        return serin_yaml_fail(document, reader->error, field,
                               "must be a version such as 1.2.3, not '%s'", raw->version);
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

/* What a range is where the file leaves it out only serind knows. */
static enum serin_error ranges_apart(const struct policy_reader *reader)
{
    const struct serin_policy_release *first = &reader->file->releases[0];
    for (size_t i = 1; i < reader->file->release_count; i++) {
        const struct serin_policy_release *release = &reader->file->releases[i];
        if (first->has_hardware && release->has_hardware && first->hw_min <= release->hw_max &&
            release->hw_min <= first->hw_max) {
            POLICY_FIELD(field);
            (void)snprintf(field, sizeof field, "releases[%zu].hardware", i);
            return serin_yaml_fail(reader->file->document, reader->error, field,
                                   "must not overlap with that of the other release: %s and %s",
                                   reader->raw->releases[0].hardware,
                                   reader->raw->releases[i].hardware);
        }
    }
    return SERIN_OK;
}
_Static_assert(SERIN_DIRECTIVE_OFFERS_MAX == 2, "ranges are compared with the first");

static enum serin_error releases_read(const struct policy_reader *reader)
{
    reader->file->release_count = reader->raw->releases_count;
    for (size_t i = 0; i < reader->file->release_count; i++) {
        enum serin_error error = release_read(reader, i);
        if (error != SERIN_OK) {
            return error;
        }
    }
    return ranges_apart(reader);
}

static enum serin_error rest_read(const struct policy_reader *reader)
{
    const struct raw_policy *raw = reader->raw;
    struct serin_policy *policy = &reader->file->policy;
    policy->on_halt = raw->on_halt != NULL ? *raw->on_halt : policy->on_halt;
    policy->revert = raw->revert;
    policy->emergency = raw->emergency;
    policy->supersede = raw->supersede;
    const struct {
        const char *field, *text;
        uint32_t min, max;
        uint32_t *number;
    } numbers[] = {
        {"control_minimum", raw->control_minimum, 1, CONTROL_MAX, &policy->control_minimum},
        {"in_flight_max", raw->in_flight_max, 0, UINT32_MAX, &policy->in_flight_max},
        {"rate_per_hour", raw->rate_per_hour, 0, UINT32_MAX, &policy->rate_per_hour},
        {"site_failures_max", raw->site_failures_max, 0, SITE_FAILURES_MAX,
         &policy->site_failures_max},
    };
    enum serin_error error = serin_yaml_number(reader->file->document, "from", raw->from, 1,
                                               UINT64_MAX, &reader->file->from, reader->error);
    if (error != SERIN_OK) {
        error = serin_yaml_fail(reader->file->document, reader->error, "from",
                                "must be the id of a rollout, 1 or more, not '%s'", raw->from);
    }
    for (size_t i = 0; error == SERIN_OK && i < sizeof numbers / sizeof numbers[0]; i++) {
        error = policy_number(reader, numbers[i].field, numbers[i].text, numbers[i].min,
                              numbers[i].max, numbers[i].number);
    }
    return error;
}

/* What the engine would refuse, in its words, which begin with the field: its rules are the last
 * word, whatever the readers have let pass. Releases are not known yet: one stands in for them. */
static enum serin_error file_check(const struct policy_reader *reader)
{
    struct serin_policy policy = reader->file->policy;
    const char *rule = NULL;
    policy.offer_count = 1;
    policy.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 1, .manifest_id = {1}};
    if (serin_policy_check(&policy, &rule) == SERIN_OK) {
        return SERIN_OK;
    }
    POLICY_FIELD(field);
    size_t size = strcspn(rule, ":");
    (void)snprintf(field, sizeof field, "%.*s", (int)size, rule);
    rule += size;
    return serin_yaml_fail(reader->file->document, reader->error, field, "%s",
                           rule + strspn(rule, ": "));
}

static enum serin_error file_read(const struct policy_reader *reader)
{
    static enum serin_error (*const parts[])(const struct policy_reader *reader) = {
        names_read,       releases_read,     policy_stages_read, policy_gates_read,
        policy_test_read, policy_times_read, policy_ramp_read,   policy_windows_read,
        rest_read,        file_check,
    };
    serin_policy_default(&reader->file->policy);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        enum serin_error error = parts[i](reader);
        if (error != SERIN_OK) {
            return error;
        }
    }
    return SERIN_OK;
}

/* Who gives a gate one word most often wants it off. */
static void tell_off(struct serin_yaml_error *error)
{
    const char *key =
        strcmp(error->field, "gates.boot_success") == 0 ? "min_percent" : "max_percent";
    char *const texts[] = {error->reason, error->text};
    const size_t sizes[] = {sizeof error->reason, sizeof error->text};
    if (strncmp(error->field, "gates.", 6) != 0 ||
        strstr(error->reason, "must be a mapping of keys to values; its keys are ") == NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t used = strlen(texts[i]);
        (void)snprintf(texts[i] + used, sizes[i] - used, "; '%s: off' switches it off", key);
    }
}

enum serin_error serin_policy_file_open(struct serin_policy_file *file, const char *name,
                                        const void *text, size_t size,
                                        struct serin_yaml_error *error)
{
    *file = (struct serin_policy_file){0};
    enum serin_error result =
        serin_yaml_open(&file->document, name, text, size, &policy_schema, error);
    if (result != SERIN_OK) {
        tell_off(error);
        return result;
    }
    const struct policy_reader reader = {
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
