/*
 * YAML files by schema, on libcyaml, with errors that an operator can act on.
 *
 *   agent.yaml:12: unknown key 'foo' in 'broker'
 *
 * The loader reads a file or a buffer, refuses what a configuration should not contain (a second
 * document, anchors and aliases, a key that stands twice), and fills a structure by a libcyaml
 * schema. It remembers the line of every key, so that checks that come after loading name the line
 * too. The loaders of Serin's own files stand on it: serin/adapters/agent_config.h and its
 * neighbours.
 *
 * Fields are named by their path: "broker.uri", "stages[1].percent"; positions in a list start at
 * 0.
 */
#ifndef SERIN_ADAPTERS_YAML_H
#define SERIN_ADAPTERS_YAML_H

#include <serin/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIN_YAML_SIZE_MAX   262144u /* bytes of a document */
#define SERIN_YAML_NODES_MAX  4096u   /* keys and list entries in it */
#define SERIN_YAML_DEPTH_MAX  16u     /* nesting */
#define SERIN_YAML_FIELD_MAX  128u    /* of a path, with terminator */
#define SERIN_YAML_REASON_MAX 512u    /* of an error's reason, with terminator */
#define SERIN_YAML_TEXT_MAX   1024u   /* of the whole error, with terminator */

/* What is wrong with a document. */
struct serin_yaml_error {
    unsigned line;                      /* starts at 1; 0: not known, or the whole document */
    char field[SERIN_YAML_FIELD_MAX];   /* path; "" for the whole document */
    char reason[SERIN_YAML_REASON_MAX]; /* "unknown key 'foo' in 'broker'" */
    char text[SERIN_YAML_TEXT_MAX];     /* "agent.yaml:12: unknown key 'foo' in 'broker'" */
};

struct cyaml_schema_value; /* libcyaml's; the top level must be a mapping behind a pointer */

/* A loaded document: the structure that the schema describes, and where each key stands. Opaque. */
struct serin_yaml;

/* Loads `size` bytes of `text`; `name` stands for the file in errors. `schema` must outlive the
 * document. On success *yaml is the caller's to close. SERIN_ERR_CONFIG: the document is wrong,
 * SERIN_ERR_TOO_LARGE: over SERIN_YAML_SIZE_MAX; SERIN_ERR_MEMORY. After an error *yaml is NULL and
 * `error` is filled. */
SERIN_MUST_USE enum serin_error serin_yaml_open(struct serin_yaml **yaml, const char *name,
                                                const void *text, size_t size,
                                                const struct cyaml_schema_value *schema,
                                                struct serin_yaml_error *error);

/* Loads a file; errors name its path as given. In addition SERIN_ERR_NOT_FOUND, SERIN_ERR_DENIED
 * and SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error serin_yaml_open_file(struct serin_yaml **yaml, const char *path,
                                                     const struct cyaml_schema_value *schema,
                                                     struct serin_yaml_error *error);

/* Frees the document and the structure. NULL is fine. */
void serin_yaml_close(struct serin_yaml *yaml);

/* The structure that was filled; valid until the document is closed. Never NULL. */
const void *serin_yaml_value(const struct serin_yaml *yaml);

/* The line of `field`, or of the nearest key around it that is there; 0 where there is none. */
unsigned serin_yaml_line(const struct serin_yaml *yaml, const char *field);

/* Whether `field` is written in the document. */
bool serin_yaml_has(const struct serin_yaml *yaml, const char *field);

/* Fills `error` for `field`: the reason is 'field' and the formatted words ("must not be empty").
 * Returns SERIN_ERR_CONFIG, so that a check ends with `return serin_yaml_fail(…)`. */
enum serin_error serin_yaml_fail(const struct serin_yaml *yaml, struct serin_yaml_error *error,
                                 const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Reads the duration `text` of `field` into *ms, which keeps its value where `text` is NULL (a
 * default). SERIN_ERR_CONFIG: not a duration, or outside min_ms .. max_ms; *ms is unchanged. */
SERIN_MUST_USE enum serin_error serin_yaml_duration(const struct serin_yaml *yaml,
                                                    const char *field, const char *text,
                                                    uint64_t min_ms, uint64_t max_ms, uint64_t *ms,
                                                    struct serin_yaml_error *error);

/* The same for a whole number: digits only, and no zero in front, which YAML once read as octal. */
SERIN_MUST_USE enum serin_error serin_yaml_number(const struct serin_yaml *yaml, const char *field,
                                                  const char *text, uint64_t min, uint64_t max,
                                                  uint64_t *number, struct serin_yaml_error *error);

/* The same for a size in bytes. */
SERIN_MUST_USE enum serin_error serin_yaml_size(const struct serin_yaml *yaml, const char *field,
                                                const char *text, uint64_t min_bytes,
                                                uint64_t max_bytes, uint64_t *bytes,
                                                struct serin_yaml_error *error);

/* A whole number and a unit (ms, s, m, h, d), or "0"; nothing else. False: not a duration, or more
 * than 2^64 - 1 ms; *ms is unchanged. */
bool serin_duration_parse(const char *text, uint64_t *ms);

/* A whole number and nothing or KiB, MiB, GiB. False: not a size, or too large; *bytes is
 * unchanged. */
bool serin_size_parse(const char *text, uint64_t *bytes);

/* A percentage from 0 to 100 with at most `decimals` (0 to 7) of them, counted in units of the
 * last: "12.5" with two is 1250. False: none, or more than 100; *value is unchanged. */
bool serin_percent_parse(const char *text, unsigned decimals, uint32_t *value);

/* The shortest way to write durations and sizes ("90s", "1h", "0"; "16KiB", "1000"); `text` holds
 * SERIN_UNITS_TEXT_SIZE bytes. */
#define SERIN_UNITS_TEXT_SIZE 24u
void serin_duration_format(uint64_t ms, char text[SERIN_UNITS_TEXT_SIZE]);
void serin_size_format(uint64_t bytes, char text[SERIN_UNITS_TEXT_SIZE]);

#endif
