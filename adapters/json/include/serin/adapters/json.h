/*
 * JSON values over Jansson: building answers, reading requests.
 *
 * A value is opaque and has one owner. `put` and `add` take the child's ownership; `get` and `at`
 * lend. Memory exhaustion ends the process with a message: its callers hold nothing that is not in
 * a store, and half an answer helps nobody. Text that is not UTF-8 is shown with '?' in place of
 * each offending byte.
 */
#ifndef SERIN_ADAPTERS_JSON_H
#define SERIN_ADAPTERS_JSON_H

#include <serin/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct serin_json; /* one value: object, array, text, number, boolean or null */

/* New values, owned by the caller. */
struct serin_json *serin_json_object(void);
struct serin_json *serin_json_array(void);
struct serin_json *serin_json_text(const char *text);
struct serin_json *serin_json_number(uint64_t number); /* ≤ INT64_MAX */

/* Frees a value with all that it holds; NULL is fine. */
void serin_json_free(struct serin_json *value);

/* Sets member `key` of an object, in the order of the calls. Putting a key twice replaces it. */
void serin_json_put(struct serin_json *object, const char *key, struct serin_json *child);
void serin_json_put_text(struct serin_json *object, const char *key, const char *text);
void serin_json_put_number(struct serin_json *object, const char *key, uint64_t number);
void serin_json_put_real(struct serin_json *object, const char *key, double number);
void serin_json_put_bool(struct serin_json *object, const char *key, bool value);
void serin_json_put_null(struct serin_json *object, const char *key);

/* Appends to an array. */
void serin_json_add(struct serin_json *array, struct serin_json *child);

/* The compact text of a value, terminated and of `*size` bytes (may be NULL); the caller frees it
 * with free(). */
char *serin_json_print(const struct serin_json *value, size_t *size);

/* Reads one value that fills `data`. SERIN_ERR_FORMAT: `why` (of `why_size` bytes) says where and
 * what; `*value` is then NULL. Duplicate keys are refused. */
SERIN_MUST_USE enum serin_error serin_json_parse(const char *data, size_t size,
                                                 struct serin_json **value, char *why,
                                                 size_t why_size);

/* A member of an object, or NULL: no such member, or `value` is no object. Lent. */
struct serin_json *serin_json_get(const struct serin_json *value, const char *key);

/* What a value holds: NULL where it is no text; false where it is no whole number ≥ 0, no object.
 * NULL is no value at all. */
const char *serin_json_as_text(const struct serin_json *value);
bool serin_json_as_number(const struct serin_json *value, uint64_t *number);
/* Any number; true or false. False where the value is something else; the result is then untouched.
 */
bool serin_json_as_real(const struct serin_json *value, double *number);
bool serin_json_as_bool(const struct serin_json *value, bool *truth);
bool serin_json_is_object(const struct serin_json *value);

/* How many elements an array has (0 where `value` is none), and the one at `index` < count. Lent.
 */
size_t serin_json_count(const struct serin_json *value);
struct serin_json *serin_json_at(const struct serin_json *value, size_t index);

#endif
