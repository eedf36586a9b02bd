/* The stages of a policy (policy_parts.h). */
#include "policy_parts.h"

#include <inttypes.h>
#include <stdio.h>

#define SECOND_MS     UINT64_C(1000)
#define PERMYRIAD_ALL 10000u

static const cyaml_schema_field_t stage_fields[] = {
    YAML_FIELD_TEXT("percent", CYAML_FLAG_OPTIONAL, struct raw_stage, percent, 1, 32),
    POLICY_NUMBER("count", struct raw_stage, count),
    YAML_FIELD_TEXT("soak", CYAML_FLAG_OPTIONAL, struct raw_stage, soak, 1, 32),
    YAML_FIELD_BOOL("approval", CYAML_FLAG_OPTIONAL, struct raw_stage, approval),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t policy_stage_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_stage, stage_fields),
};

static enum serin_error stage_read(const struct policy_reader *reader, size_t index)
{
    const struct raw_stage *raw = &reader->raw->stages[index];
    struct serin_stage_policy *stage = &reader->file->policy.stages[index];
    const struct serin_yaml *document = reader->file->document;
    POLICY_FIELD(field);
    (void)snprintf(field, sizeof field, "stages[%zu]", index);
    *stage = (struct serin_stage_policy){.soak_s = 86400, .approval = raw->approval};
    if ((raw->percent == NULL) == (raw->count == NULL)) {
        return serin_yaml_fail(document, reader->error, field,
                               "must have either 'percent' or 'count'");
    }
    if (raw->percent != NULL) {
        (void)snprintf(field, sizeof field, "stages[%zu].percent", index);
        enum serin_error error =
            policy_percent(reader, field, raw->percent, 1, PERMYRIAD_ALL, &stage->permyriad);
        if (error != SERIN_OK) {
            return error;
        }
    } else {
        (void)snprintf(field, sizeof field, "stages[%zu].count", index);
        enum serin_error error =
            policy_number(reader, field, raw->count, 1, UINT32_MAX, &stage->count);
        if (error != SERIN_OK) {
            return error;
        }
    }
    (void)snprintf(field, sizeof field, "stages[%zu].soak", index);
    return policy_seconds(reader, field, raw->soak, 0,
                          (uint64_t)SERIN_POLICY_SOAK_MAX_S * SECOND_MS, &stage->soak_s);
}

static enum serin_error fail_smaller(const struct policy_reader *reader, const char *field,
                                     const struct serin_stage_policy *stage, uint32_t share,
                                     uint32_t count)
{
    const struct serin_yaml *document = reader->file->document;
    if (stage->permyriad == 0) {
        return serin_yaml_fail(document, reader->error, field,
                               "must be larger than in the stages before: %" PRIu32
                               " after %" PRIu32,
                               stage->count, count);
    }
    char own[SERIN_PERCENT_SIZE];
    char before[SERIN_PERCENT_SIZE];
    serin_percent_format(stage->permyriad, own);
    serin_percent_format(share, before);
    return serin_yaml_fail(document, reader->error, field,
                           "must be larger than in the stages before: %s after %s", own, before);
}

/* Each stage must contain the last one and the last must be everyone. A count and a share cannot be
 * compared before the population is known; the engine's threshold never falls whatever they are. */
static enum serin_error stages_grow(const struct policy_reader *reader)
{
    const struct serin_policy *policy = &reader->file->policy;
    const struct serin_yaml *document = reader->file->document;
    POLICY_FIELD(field);
    uint32_t share = 0;
    uint32_t count = 0;
    for (size_t i = 0; i < policy->stage_count; i++) {
        const struct serin_stage_policy *stage = &policy->stages[i];
        bool grows = stage->permyriad > 0 ? stage->permyriad > share : stage->count > count;
        if (!grows) {
            (void)snprintf(field, sizeof field, "stages[%zu].%s", i,
                           stage->permyriad > 0 ? "percent" : "count");
            return fail_smaller(reader, field, stage, share, count);
        }
        share = stage->permyriad > 0 ? stage->permyriad : share;
        count = stage->count > 0 ? stage->count : count;
    }
    if (policy->stages[policy->stage_count - 1].permyriad != PERMYRIAD_ALL) {
        (void)snprintf(field, sizeof field, "stages[%zu]", policy->stage_count - 1);
        return serin_yaml_fail(document, reader->error, field,
                               "is the last stage and must have percent: 100");
    }
    return SERIN_OK;
}

enum serin_error policy_stages_read(const struct policy_reader *reader)
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
