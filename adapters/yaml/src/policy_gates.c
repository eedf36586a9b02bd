/* The gates and the sequential test of a policy (policy_parts.h). */
#include "policy_parts.h"

#include <serin/nearest.h>

#include <stdio.h>
#include <string.h>

#define PERMYRIAD_ALL    10000u
#define MINIMUM_MAX      1000000u
#define REJECTED_MAX     9000u
#define ERROR_CHANCE_MAX 2000u

static const cyaml_schema_field_t gate_fields[] = {
    YAML_FIELD_TEXT("max_percent", CYAML_FLAG_OPTIONAL, struct raw_gate, percent, 1, 32),
    POLICY_NUMBER("minimum", struct raw_gate, minimum),
    CYAML_FIELD_END,
};

/* The only gate that is said the other way round. */
static const cyaml_schema_field_t boot_fields[] = {
    YAML_FIELD_TEXT("min_percent", CYAML_FLAG_OPTIONAL, struct raw_gate, percent, 1, 32),
    POLICY_NUMBER("minimum", struct raw_gate, minimum),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t reason_fields[] = {
    YAML_FIELD_TEXT("reason", CYAML_FLAG_DEFAULT, struct raw_reason, reason, 1, 32),
    YAML_FIELD_TEXT("max_percent", CYAML_FLAG_DEFAULT, struct raw_reason, gate.percent, 1, 32),
    POLICY_NUMBER("minimum", struct raw_reason, gate.minimum),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t reason_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_reason, reason_fields),
};

#define GATE(key, member, fields) \
    CYAML_FIELD_MAPPING_PTR(key, CYAML_FLAG_OPTIONAL, struct raw_gates, member, fields)

const cyaml_schema_field_t policy_gates_fields[] = {
    GATE("failures", failures, gate_fields),
    GATE("boot_success", boot_success, boot_fields),
    GATE("rollbacks", rollbacks, gate_fields),
    GATE("regressions", regressions, gate_fields),
    GATE("silence", silence, gate_fields),
    GATE("errors", errors, gate_fields),
    CYAML_FIELD_SEQUENCE("reasons", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_gates,
                         reasons, &reason_schema, 0, SERIN_GATE_REASONS_MAX),
    CYAML_FIELD_END,
};

static const cyaml_strval_t small_words[] = {{"pass", RAW_SMALL_PASS}, {"hold", RAW_SMALL_HOLD}};

const cyaml_schema_field_t policy_test_fields[] = {
    YAML_FIELD_TEXT("accepted_percent", CYAML_FLAG_OPTIONAL, struct raw_test, accepted, 1, 32),
    YAML_FIELD_TEXT("rejected_percent", CYAML_FLAG_OPTIONAL, struct raw_test, rejected, 1, 32),
    YAML_FIELD_TEXT("alpha_percent", CYAML_FLAG_OPTIONAL, struct raw_test, alpha, 1, 32),
    YAML_FIELD_TEXT("beta_percent", CYAML_FLAG_OPTIONAL, struct raw_test, beta, 1, 32),
    CYAML_FIELD_ENUM_PTR("small_stages", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct raw_test,
                         small_stages, small_words, 2),
    CYAML_FIELD_END,
};

/* ---- gates ---- */

/* `key` is the percentage's; `least`: it is a share that must be reached, not one that must not be
 * exceeded. */
static enum serin_error gate_read(const struct policy_reader *reader, const char *where,
                                  const char *key, bool least, const struct raw_gate *raw,
                                  struct serin_gate_policy *gate)
{
    POLICY_FIELD(field);
    enum serin_error error = SERIN_OK;
    if (raw->percent != NULL && strcmp(raw->percent, "off") == 0) {
        gate->max_permyriad = PERMYRIAD_ALL;
    } else if (raw->percent != NULL) {
        uint32_t permyriad = 0;
        (void)snprintf(field, sizeof field, "%s.%s", where, key);
        error = policy_percent(reader, field, raw->percent, 0, PERMYRIAD_ALL, &permyriad);
        gate->max_permyriad = least ? PERMYRIAD_ALL - permyriad : permyriad;
    }
    if (error != SERIN_OK) {
        return error;
    }
    (void)snprintf(field, sizeof field, "%s.minimum", where);
    return policy_number(reader, field, raw->minimum, 1, MINIMUM_MAX, &gate->minimum);
}

/* Reasons that stand with a failed device; for the others a gate would never be asked. */
static bool reason_fails(enum serin_reason reason)
{
    switch (reason) {
    case SERIN_REASON_INVALID:
    case SERIN_REASON_NONE:
    case SERIN_REASON_NOT_NEWER: /* the device is ahead, not broken */
    case SERIN_REASON_HALTED:
    case SERIN_REASON_NEWER_DIRECTIVE:
    case SERIN_REASON_WITHDRAWN:
    case SERIN_REASON_SITE:
    case SERIN_REASON_LEASE:
    case SERIN_REASON_COUNT:
        return false;
    case SERIN_REASON_SIGNATURE:
    case SERIN_REASON_KEY:
    case SERIN_REASON_FORMAT:
    case SERIN_REASON_FEATURE:
    case SERIN_REASON_PRODUCT:
    case SERIN_REASON_CHANNEL:
    case SERIN_REASON_HARDWARE:
    case SERIN_REASON_COUNTER:
    case SERIN_REASON_TOO_LARGE:
    case SERIN_REASON_BOOTLOADER:
    case SERIN_REASON_UNAVAILABLE:
    case SERIN_REASON_DOWNLOAD:
    case SERIN_REASON_CRC:
    case SERIN_REASON_DIGEST:
    case SERIN_REASON_PIECE_TABLE:
    case SERIN_REASON_FLASH:
    case SERIN_REASON_CRASH:
    case SERIN_REASON_WATCHDOG:
    case SERIN_REASON_NOT_CONFIRMED:
    case SERIN_REASON_BOOT_VERIFY:
    case SERIN_REASON_HEALTH:
    case SERIN_REASON_OTHER_IMAGE:
    case SERIN_REASON_DEADLINE:
    case SERIN_REASON_INTERNAL:
    case SERIN_REASON_POWER:
    case SERIN_REASON_DELTA:
        return true;
    }
    return false;
}

static enum serin_error reason_find(const struct policy_reader *reader, const char *field,
                                    const char *text, enum serin_reason *reason)
{
    const struct serin_yaml *document = reader->file->document;
    const char *words[SERIN_REASON_COUNT];
    size_t count = 0;
    for (unsigned i = SERIN_REASON_NONE; i < SERIN_REASON_COUNT; i++) {
        enum serin_reason known = (enum serin_reason)i;
        if (strcmp(text, serin_reason_word(known)) == 0) {
            *reason = known;
            return reason_fails(known)
                       ? SERIN_OK
                       : serin_yaml_fail(document, reader->error, field,
                                         "must be a reason for which devices fail, not '%s'", text);
        }
        if (reason_fails(known)) {
            words[count++] = serin_reason_word(known);
        }
    }
    const char *nearest = serin_nearest_word(text, words, count);
    return serin_yaml_fail(document, reader->error, field,
                           "must be a reason of docs/spec/states.md, section 4, not '%s'%s%s%s",
                           text, nearest != NULL ? "; did you mean '" : "",
                           nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

static enum serin_error reason_read(const struct policy_reader *reader, size_t index)
{
    const struct raw_reason *raw = &reader->raw->gates->reasons[index];
    struct serin_policy *policy = &reader->file->policy;
    struct serin_reason_policy *reason = &policy->reasons[index];
    POLICY_FIELD(where);
    POLICY_FIELD(field);
    (void)snprintf(where, sizeof where, "gates.reasons[%zu]", index);
    (void)snprintf(field, sizeof field, "gates.reasons[%zu].reason", index);
    *reason = (struct serin_reason_policy){.gate = {.minimum = 1}};
    enum serin_error error = reason_find(reader, field, raw->reason, &reason->reason);
    if (error != SERIN_OK) {
        return error;
    }
    for (size_t i = 0; i < index; i++) {
        if (policy->reasons[i].reason == reason->reason) {
            return serin_yaml_fail(reader->file->document, reader->error, field,
                                   "stands twice: '%s'", raw->reason);
        }
    }
    return gate_read(reader, where, "max_percent", false, &raw->gate, &reason->gate);
}

enum serin_error policy_gates_read(const struct policy_reader *reader)
{
    const struct raw_gates *raw = reader->raw->gates;
    if (raw == NULL) {
        return SERIN_OK;
    }
    const struct {
        const char *where, *key;
        bool least;
        enum serin_gate gate;
        const struct raw_gate *raw;
    } gates[] = {
        {"gates.failures", "max_percent", false, SERIN_GATE_FAILURES, raw->failures},
        {"gates.boot_success", "min_percent", true, SERIN_GATE_BOOTS, raw->boot_success},
        {"gates.rollbacks", "max_percent", false, SERIN_GATE_ROLLBACKS, raw->rollbacks},
        {"gates.regressions", "max_percent", false, SERIN_GATE_REGRESSIONS, raw->regressions},
        {"gates.silence", "max_percent", false, SERIN_GATE_SILENCE, raw->silence},
        {"gates.errors", "max_percent", false, SERIN_GATE_ERRORS, raw->errors},
    };
    enum serin_error error = SERIN_OK;
    for (size_t i = 0; error == SERIN_OK && i < sizeof gates / sizeof gates[0]; i++) {
        if (gates[i].raw != NULL) {
            error = gate_read(reader, gates[i].where, gates[i].key, gates[i].least, gates[i].raw,
                              &reader->file->policy.gates[gates[i].gate]);
        }
    }
    for (size_t i = 0; error == SERIN_OK && i < raw->reasons_count; i++) {
        error = reason_read(reader, i);
        reader->file->policy.reason_count = i + 1;
    }
    return error;
}

/* ---- the test ---- */

enum serin_error policy_test_read(const struct policy_reader *reader)
{
    const struct raw_test *raw = reader->raw->test;
    struct serin_test_policy *test = &reader->file->policy.test;
    if (raw == NULL) {
        return SERIN_OK;
    }
    const struct {
        const char *field, *text;
        uint32_t max;
        uint32_t *permyriad;
    } shares[] = {
        {"test.accepted_percent", raw->accepted, REJECTED_MAX - 1, &test->accepted_permyriad},
        {"test.rejected_percent", raw->rejected, REJECTED_MAX, &test->rejected_permyriad},
        {"test.alpha_percent", raw->alpha, ERROR_CHANCE_MAX, &test->alpha_permyriad},
        {"test.beta_percent", raw->beta, ERROR_CHANCE_MAX, &test->beta_permyriad},
    };
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        enum serin_error error = policy_percent(reader, shares[i].field, shares[i].text, 1,
                                                shares[i].max, shares[i].permyriad);
        if (error != SERIN_OK) {
            return error;
        }
    }
    if (test->rejected_permyriad <= test->accepted_permyriad) {
        return serin_yaml_fail(reader->file->document, reader->error, "test.rejected_percent",
                               "must be more than accepted_percent: %u.%02u is not more than "
                               "%u.%02u",
                               test->rejected_permyriad / 100, test->rejected_permyriad % 100,
                               test->accepted_permyriad / 100, test->accepted_permyriad % 100);
    }
    if (raw->small_stages != NULL) {
        test->small_stages_hold = *raw->small_stages == RAW_SMALL_HOLD;
    }
    return SERIN_OK;
}
