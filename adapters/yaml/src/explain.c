/*
 * libcyaml's complaints in an operator's words (explain.h).
 */
#include "explain.h"

#include <serin/nearest.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MIN   4u  /* characters: shorter ones are near to too much */
#define KEYS_MAX  32u /* of a mapping that are compared with an unknown one */
#define KEYS_TOLD 8u  /* where a mapping has no more, they are named */

/* ---- collecting ---- */

/* Text between `prefix` and the next `end` in `line`, cut to `capacity`. False: the line does not
 * start so. */
static bool between(const char *line, const char *prefix, char end, char *out, size_t capacity)
{
    size_t prefix_size = strlen(prefix);
    if (strncmp(line, prefix, prefix_size) != 0) {
        return false;
    }
    const char *start = line + prefix_size;
    const char *stop = strchr(start, end);
    size_t size = stop != NULL ? (size_t)(stop - start) : strlen(start);
    (void)snprintf(out, capacity, "%.*s", (int)(size < capacity ? size : capacity - 1), start);
    return true;
}

static void trail_add(struct explain *explain, const char *line)
{
    if (explain->trail_count == EXPLAIN_TRAIL_MAX) {
        return;
    }
    char number[16];
    if (between(line, "  in mapping field '", '\'', explain->trail[explain->trail_count].key,
                sizeof explain->trail[0].key)) {
        explain->trail_count++;
    } else if (between(line, "  in sequence entry '", '\'', number, sizeof number)) {
        explain->trail[explain->trail_count].in_list = true;
        explain->trail[explain->trail_count].position = (unsigned)strtoul(number, NULL, 10);
        explain->trail_count++;
    } else if (strncmp(line, "  in mapping (", 14) == 0) {
        explain->trail_count++; /* a mapping whose key is not known to the schema */
    }
}

void explain_log(cyaml_log_t level, void *ctx, const char *format, va_list arguments)
{
    struct explain *explain = ctx;
    if (level < CYAML_LOG_ERROR) {
        return;
    }
    char line[SERIN_YAML_REASON_MAX];
    (void)vsnprintf(line, sizeof line, format, arguments);
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "  in ", 5) == 0) {
        trail_add(explain, line);
    } else if (explain->complaint[0] == '\0') {
        (void)between(line, "Load: ", '\0', explain->complaint, sizeof explain->complaint);
    }
}

/* ---- telling ---- */

/* The path of the trail but for its first `skip` entries, the innermost ones. */
static void path_write(const struct explain *explain, size_t skip, char *field)
{
    size_t used = 0;
    field[0] = '\0';
    for (size_t i = explain->trail_count; i > skip && used < SERIN_YAML_FIELD_MAX; i--) {
        size_t room = SERIN_YAML_FIELD_MAX - used;
        int more = 0;
        if (explain->trail[i - 1].in_list) {
            /* libcyaml counts an entry before it reads it. */
            unsigned position = explain->trail[i - 1].position;
            more = snprintf(field + used, room, "[%u]", position > 0 ? position - 1 : 0);
        } else if (explain->trail[i - 1].key[0] != '\0') {
            more = snprintf(field + used, room, "%s%s", used > 0 ? "." : "",
                            explain->trail[i - 1].key);
        }
        used += more > 0 ? (size_t)more : 0;
    }
}

/* The schema of what the trail leads to, but for its first `skip` entries; NULL where it leads
 * nowhere. */
static const cyaml_schema_value_t *schema_find(const struct explain *explain, size_t skip,
                                               const cyaml_schema_value_t *schema)
{
    for (size_t i = explain->trail_count; i > skip && schema != NULL; i--) {
        if (explain->trail[i - 1].in_list) {
            schema = schema->type == CYAML_SEQUENCE || schema->type == CYAML_SEQUENCE_FIXED
                         ? schema->sequence.entry
                         : NULL;
        } else if (explain->trail[i - 1].key[0] != '\0') {
            const cyaml_schema_field_t *entry =
                schema->type == CYAML_MAPPING ? schema->mapping.fields : NULL;
            while (entry != NULL && entry->key != NULL &&
                   strcmp(entry->key, explain->trail[i - 1].key) != 0) {
                entry++;
            }
            schema = entry != NULL && entry->key != NULL ? &entry->value : NULL;
        }
    }
    return schema;
}

static size_t append(char *text, size_t used, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static size_t append(char *text, size_t used, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(text + used, SERIN_YAML_REASON_MAX - used, format, arguments);
    va_end(arguments);
    used += more > 0 ? (size_t)more : 0;
    return used < SERIN_YAML_REASON_MAX ? used : SERIN_YAML_REASON_MAX - 1;
}

static size_t words_write(const cyaml_schema_value_t *schema, char *text, size_t used)
{
    uint32_t count = schema->enumeration.count;
    for (uint32_t i = 0; i < count; i++) {
        const char *glue = i == 0 ? "" : i + 1 == count ? " or " : ", ";
        used = append(text, used, "%s%s", glue, schema->enumeration.strings[i].str);
    }
    return used;
}

/* The largest number that fits an unsigned field of 1 to 8 bytes. */
static uint64_t field_max(const cyaml_schema_value_t *schema)
{
    return UINT64_MAX >> (64 - 8 * schema->data_size);
}

/* "must be …", from what the schema allows. */
static size_t wish_write(const cyaml_schema_value_t *schema, char *text, size_t used)
{
    switch (schema->type) {
    case CYAML_UINT:
        return append(text, used, "must be a whole number from 0 to %" PRIu64, field_max(schema));
    case CYAML_INT:
        return append(text, used, "must be a whole number from -%" PRIu64 " to %" PRIu64,
                      field_max(schema) / 2 + 1, field_max(schema) / 2);
    case CYAML_ENUM:
        return words_write(schema, text, append(text, used, "must be "));
    case CYAML_STRING:
        return append(text, used, "must have %" PRIu32 " to %" PRIu32 " characters",
                      schema->string.min, schema->string.max);
    case CYAML_MAPPING:
        return append(text, used, "must be a mapping of keys to values");
    case CYAML_SEQUENCE:
    case CYAML_SEQUENCE_FIXED:
        return append(text, used, "must be a list of %" PRIu32 " to %" PRIu32 " entries",
                      schema->sequence.min, schema->sequence.max);
    case CYAML_FLOAT:
        return append(text, used, "must be a number");
    case CYAML_BOOL:
    case CYAML_FLAGS:
    case CYAML_BITFIELD:
    case CYAML_IGNORE:
    case CYAML__TYPE_COUNT:
    default:
        return append(text, used, "does not have the expected kind of value");
    }
}

/* The value that libcyaml quotes at the end of "Invalid UINT value: 'abc'", or NULL. */
static const char *value_quoted(const char *complaint, char *copy, size_t capacity)
{
    const char *start = strstr(complaint, " value: ");
    if (strncmp(complaint, "Invalid ", 8) != 0 || start == NULL) {
        return NULL;
    }
    start += 8;
    (void)snprintf(copy, capacity, "%s", *start == '\'' ? start + 1 : start);
    size_t size = strlen(copy);
    if (*start == '\'' && size > 0 && copy[size - 1] == '\'') {
        copy[size - 1] = '\0';
    }
    return copy;
}

/* "; its keys are max_percent, minimum": of a mapping that stands in another and has few. */
static void keys_tell(const cyaml_schema_value_t *schema, const char *field, char *reason)
{
    size_t count = 0;
    size_t used = strlen(reason);
    if (schema == NULL || schema->type != CYAML_MAPPING || field[0] == '\0') {
        return;
    }
    while (schema->mapping.fields[count].key != NULL) {
        count++;
    }
    for (size_t i = 0; count <= KEYS_TOLD && i < count; i++) {
        used = append(reason, used, "%s%s", i == 0 ? "; its keys are " : ", ",
                      schema->mapping.fields[i].key);
    }
}

static void wish_tell(const struct explain *explain, size_t skip,
                      const cyaml_schema_value_t *schema, char *field, char *reason)
{
    path_write(explain, skip, field);
    const cyaml_schema_value_t *wished = schema_find(explain, skip, schema);
    char value[64];
    size_t used = field[0] != '\0' ? append(reason, 0, "'%s' ", field) : append(reason, 0, "it ");
    if (wished == NULL) {
        (void)append(reason, used, "is wrong: %s", explain->complaint);
        return;
    }
    used = wish_write(wished, reason, used);
    if (value_quoted(explain->complaint, value, sizeof value) != NULL) {
        (void)append(reason, used, ", not '%s'", value);
    }
    keys_tell(wished, field, reason);
}

/* A complaint about `key` in the mapping around the innermost entry; the words stand before and
 * after the key. */
static void key_tell(const struct explain *explain, const char *before, const char *key,
                     const char *after, char *field, char *reason)
{
    path_write(explain, 1, field);
    size_t used = append(reason, 0, "%s'%.64s'%s", before, key, after);
    size_t size = strlen(field);
    if (size > 0) {
        (void)append(reason, used, " in '%s'", field);
    }
    (void)snprintf(field + size, SERIN_YAML_FIELD_MAX - size, "%s%.64s", size > 0 ? "." : "", key);
}

/* The schema's key in the mapping around the innermost entry that is nearest to `key`, or NULL. */
static const char *key_nearest(const struct explain *explain, const cyaml_schema_value_t *schema,
                               const char *key)
{
    const char *words[KEYS_MAX];
    size_t count = 0;
    const cyaml_schema_value_t *around = schema_find(explain, 1, schema);
    if (around == NULL || around->type != CYAML_MAPPING || strlen(key) < KEY_MIN) {
        return NULL;
    }
    for (const cyaml_schema_field_t *entry = around->mapping.fields;
         entry->key != NULL && count < KEYS_MAX; entry++) {
        words[count++] = entry->key;
    }
    return serin_nearest_word(key, words, count);
}

/* "; did you mean 'reconnect_max'?", or what there is. */
static void nearest_tell(const struct explain *explain, const cyaml_schema_value_t *schema,
                         const char *key, char *reason)
{
    const char *nearest = key_nearest(explain, schema, key);
    char around[SERIN_YAML_FIELD_MAX];
    if (nearest != NULL) {
        (void)append(reason, strlen(reason), "; did you mean '%s'?", nearest);
        return;
    }
    path_write(explain, 1, around);
    keys_tell(schema_find(explain, 1, schema), around, reason);
}

void explain_tell(const struct explain *explain, const cyaml_schema_value_t *schema,
                  char field[SERIN_YAML_FIELD_MAX], char reason[SERIN_YAML_REASON_MAX])
{
    char key[SERIN_YAML_REASON_MAX];
    if (between(explain->complaint, "Unexpected key: ", '\0', key, sizeof key)) {
        key_tell(explain, "unknown key ", key, "", field, reason);
        nearest_tell(explain, schema, key, reason);
    } else if (between(explain->complaint, "Missing required mapping field: ", '\0', key,
                       sizeof key)) {
        key_tell(explain, "", key, " is missing", field, reason);
    } else if (strstr(explain->complaint, "entries (") != NULL) {
        wish_tell(explain, 1, schema, field, reason); /* the innermost entry is one of the list's */
    } else if (explain->complaint[0] != '\0') {
        wish_tell(explain, 0, schema, field, reason);
    } else {
        (void)append(reason, 0, "it cannot be read");
    }
}
