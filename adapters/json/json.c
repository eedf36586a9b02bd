/*
 * JSON values over Jansson (serin/adapters/json.h). A struct serin_json is a json_t under another
 * name, so that no other code sees the library.
 */
#include <serin/adapters/json.h>

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the process when memory is exhausted; gives `value` back otherwise. */
static void *must_have(void *value)
{
    if (value == NULL) {
        fputs("json: memory is exhausted\n", stderr);
        abort();
    }
    return value;
}

static json_t *inner(const struct serin_json *value)
{
    union {
        const struct serin_json *outer;
        json_t *inner;
    } both = {.outer = value};
    return both.inner;
}

static struct serin_json *outer(json_t *value)
{
    return (struct serin_json *)value;
}

/* A text value of any bytes: what Jansson refuses as UTF-8 is shown with '?' for each byte above
 * ASCII. */
static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);
    if (value != NULL) {
        return value;
    }
    size_t size = strlen(text);
    char *copy = must_have(malloc(size + 1));
    for (size_t i = 0; i <= size; i++) {
        copy[i] = text[i];
        if ((unsigned char)text[i] >= 0x80u) {
            copy[i] = '?';
        }
    }
    value = must_have(json_string(copy));
    free(copy);
    return value;
}

static json_t *number_value(uint64_t number)
{
    assert(number <= INT64_MAX);
    return must_have(json_integer((json_int_t)number));
}

struct serin_json *serin_json_object(void)
{
    return outer(must_have(json_object()));
}

struct serin_json *serin_json_array(void)
{
    return outer(must_have(json_array()));
}

struct serin_json *serin_json_text(const char *text)
{
    return outer(text_value(text));
}

struct serin_json *serin_json_number(uint64_t number)
{
    return outer(number_value(number));
}

void serin_json_free(struct serin_json *value)
{
    json_decref(inner(value));
}

static void put(struct serin_json *object, const char *key, json_t *child)
{
    assert(json_is_object(inner(object)));
    if (json_object_set_new(inner(object), key, child) != 0) {
        must_have(NULL);
    }
}

void serin_json_put(struct serin_json *object, const char *key, struct serin_json *child)
{
    put(object, key, inner(child));
}

void serin_json_put_text(struct serin_json *object, const char *key, const char *text)
{
    put(object, key, text_value(text));
}

void serin_json_put_number(struct serin_json *object, const char *key, uint64_t number)
{
    put(object, key, number_value(number));
}

void serin_json_put_real(struct serin_json *object, const char *key, double number)
{
    put(object, key, must_have(json_real(number)));
}

void serin_json_put_bool(struct serin_json *object, const char *key, bool value)
{
    put(object, key, json_boolean(value));
}

void serin_json_put_null(struct serin_json *object, const char *key)
{
    put(object, key, json_null());
}

void serin_json_add(struct serin_json *array, struct serin_json *child)
{
    assert(json_is_array(inner(array)));
    if (json_array_append_new(inner(array), inner(child)) != 0) {
        must_have(NULL);
    }
}

char *serin_json_print(const struct serin_json *value, size_t *size)
{
    /* Ten digits: enough for every percentage and time, and 0.1 stays 0.1. */
    char *text = must_have(
        json_dumps(inner(value), JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(10)));
    if (size != NULL) {
        *size = strlen(text);
    }
    return text;
}

enum serin_error serin_json_parse(const char *data, size_t size, struct serin_json **value,
                                  char *why, size_t why_size)
{
    json_error_t error;
    json_t *read = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);
    *value = outer(read);
    if (read == NULL) {
        (void)snprintf(why, why_size, "line %d: %s", error.line, error.text);
        return SERIN_ERR_FORMAT;
    }
    return SERIN_OK;
}

struct serin_json *serin_json_get(const struct serin_json *value, const char *key)
{
    return outer(json_object_get(inner(value), key));
}

const char *serin_json_as_text(const struct serin_json *value)
{
    return json_string_value(inner(value));
}

bool serin_json_as_number(const struct serin_json *value, uint64_t *number)
{
    json_t *read = inner(value);
    if (!json_is_integer(read) || json_integer_value(read) < 0) {
        return false;
    }
    *number = (uint64_t)json_integer_value(read);
    return true;
}

bool serin_json_as_real(const struct serin_json *value, double *number)
{
    if (value == NULL || !json_is_number(inner(value))) {
        return false;
    }
    *number = json_number_value(inner(value));
    return true;
}

bool serin_json_as_bool(const struct serin_json *value, bool *truth)
{
    if (value == NULL || !json_is_boolean(inner(value))) {
        return false;
    }
    *truth = json_is_true(inner(value));
    return true;
}

bool serin_json_is_object(const struct serin_json *value)
{
    return json_is_object(inner(value));
}

size_t serin_json_count(const struct serin_json *value)
{
    return json_array_size(inner(value));
}

struct serin_json *serin_json_at(const struct serin_json *value, size_t index)
{
    return outer(json_array_get(inner(value), index));
}
