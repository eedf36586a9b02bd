/*
 * From libcyaml's log lines to one sentence. libcyaml says what it dislikes in a first line and
 * where in a backtrace, from the inside out; the schema knows what it would have liked. Put
 * together they tell the operator what to write.
 */
#ifndef SERIN_YAML_EXPLAIN_H
#define SERIN_YAML_EXPLAIN_H

#include <serin/adapters/yaml.h>

#include <cyaml/cyaml.h>

#define EXPLAIN_TRAIL_MAX ((size_t)2 * SERIN_YAML_DEPTH_MAX)

/* What libcyaml said in one load. Zero before it. */
struct explain {
    char complaint[SERIN_YAML_REASON_MAX]; /* the first line; "" if there was none */
    size_t trail_count;
    struct {
        char key[64];      /* "": not a mapping's field */
        unsigned position; /* of a list's entry, as libcyaml counts it; only where in_list */
        bool in_list;
    } trail[EXPLAIN_TRAIL_MAX]; /* from the inside out */
};

/* The log function for libcyaml; `ctx` is a struct explain. */
void explain_log(cyaml_log_t level, void *ctx, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* Writes the path of what is wrong into `field` and the reason into `reason`, both empty at the
 * start. */
void explain_tell(const struct explain *explain, const cyaml_schema_value_t *schema,
                  char field[SERIN_YAML_FIELD_MAX], char reason[SERIN_YAML_REASON_MAX]);

#endif
