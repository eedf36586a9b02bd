/*
 * What the files of the policy loader share: the document as libcyaml fills it, and one function
 * for each part of it. A pointer is NULL where an optional key is absent; the policy that the
 * readers write to holds the defaults before.
 */
#ifndef SERIN_YAML_POLICY_PARTS_H
#define SERIN_YAML_POLICY_PARTS_H

#include "fields.h"

#include <serin/adapters/policy.h>

#define POLICY_FIELD(text) char text[SERIN_YAML_FIELD_MAX]

struct raw_release {
    const char *manifest, *version, *hardware;
};

struct raw_stage {
    const char *percent, *soak;
    const char *count;
    bool approval;
};

struct raw_gate {
    const char *percent; /* max_percent, or of boot_success min_percent */
    const char *minimum;
};

struct raw_reason {
    const char *reason;
    struct raw_gate gate;
};

struct raw_gates {
    const struct raw_gate *failures, *boot_success, *rollbacks, *regressions, *silence, *errors;
    const struct raw_reason *reasons;
    uint32_t reasons_count;
};

enum raw_small { RAW_SMALL_PASS = 0, RAW_SMALL_HOLD = 1 };

struct raw_test {
    const char *accepted, *rejected, *alpha, *beta;
    const enum raw_small *small_stages;
};

struct raw_ramp {
    const char *first, *growth_percent, *settle;
};

struct raw_window {
    const char *days, *from, *to;
};

struct raw_policy {
    const char *name, *product, *channel;
    const char *patience, *deadline, *lease, *spread, *start;
    const struct raw_release *releases;
    uint32_t releases_count;
    const struct raw_stage *stages;
    uint32_t stages_count;
    const struct raw_gates *gates;
    const char *control_minimum;
    const struct raw_test *test;
    const struct raw_ramp *ramp;
    const char *in_flight_max, *rate_per_hour;
    const struct raw_window *windows;
    uint32_t windows_count;
    const enum serin_on_halt *on_halt;
    const char *site_failures_max;
    bool revert, emergency, supersede;
    const char *from;
};

extern const cyaml_schema_value_t policy_stage_schema;
extern const cyaml_schema_field_t policy_gates_fields[];
extern const cyaml_schema_field_t policy_test_fields[];
extern const cyaml_schema_field_t policy_ramp_fields[];
extern const cyaml_schema_value_t policy_window_schema;

/* What the readers share. */
struct policy_reader {
    struct serin_policy_file *file;
    const struct raw_policy *raw;
    struct serin_yaml_error *error;
};

/* Each reads its part, or leaves the defaults where it is absent. SERIN_ERR_CONFIG. */
SERIN_MUST_USE enum serin_error policy_stages_read(const struct policy_reader *reader);
SERIN_MUST_USE enum serin_error policy_gates_read(const struct policy_reader *reader);
SERIN_MUST_USE enum serin_error policy_test_read(const struct policy_reader *reader);
SERIN_MUST_USE enum serin_error policy_times_read(const struct policy_reader *reader);
/* After the times: it stays within patience. */
SERIN_MUST_USE enum serin_error policy_ramp_read(const struct policy_reader *reader);
SERIN_MUST_USE enum serin_error policy_windows_read(const struct policy_reader *reader);

/* ---- values (policy_values.c) ---- */

/* A percentage with at most two decimals into *permyriad, which stays where `text` is NULL.
 * SERIN_ERR_CONFIG: none, or outside of min .. max. */
SERIN_MUST_USE enum serin_error policy_percent(const struct policy_reader *reader,
                                               const char *field, const char *text, uint32_t min,
                                               uint32_t max, uint32_t *permyriad);

/* A duration of whole seconds; the same. */
SERIN_MUST_USE enum serin_error policy_seconds(const struct policy_reader *reader,
                                               const char *field, const char *text, uint64_t min_ms,
                                               uint64_t max_ms, uint32_t *seconds);

/* A whole number of min .. max; the same. */
SERIN_MUST_USE enum serin_error policy_number(const struct policy_reader *reader, const char *field,
                                              const char *text, uint32_t min, uint32_t max,
                                              uint32_t *number);

#define POLICY_NUMBER(key_, structure_, member_) \
    YAML_FIELD_NUMBER(key_, CYAML_FLAG_OPTIONAL, structure_, member_)

#endif
