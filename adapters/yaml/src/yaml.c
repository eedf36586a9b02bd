/*
 * The loader: line index, then libcyaml, then one clear error (serin/adapters/yaml.h).
 */
#include "explain.h"
#include "fields.h"
#include "index.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const cyaml_strval_t yaml_truth[2] = {{"true", 1}, {"false", 0}};

struct serin_yaml {
    char *name;
    struct yaml_index *index;
    const cyaml_schema_value_t *schema;
    cyaml_data_t *value;
};

/* libcyaml's settings; `explain` may be NULL where nothing can be complained about. */
static cyaml_config_t settings(struct explain *explain)
{
    return (cyaml_config_t){
        .log_fn = explain != NULL ? explain_log : NULL,
        .log_ctx = explain,
        .log_level = CYAML_LOG_ERROR,
        .mem_fn = cyaml_mem,
        .flags = CYAML_CFG_DEFAULT,
    };
}

/* Puts file, line and reason together. */
static void text_write(const char *name, struct serin_yaml_error *error)
{
    if (error->line > 0) {
        (void)snprintf(error->text, sizeof error->text, "%s:%u: %s", name, error->line,
                       error->reason);
    } else {
        (void)snprintf(error->text, sizeof error->text, "%s: %s", name, error->reason);
    }
}

static enum serin_error document_fail(const char *name, struct serin_yaml_error *error,
                                      enum serin_error result, const char *reason)
{
    *error = (struct serin_yaml_error){0};
    (void)snprintf(error->reason, sizeof error->reason, "%s", reason);
    text_write(name, error);
    return result;
}

/* Fills yaml->index and yaml->value. */
static enum serin_error document_load(struct serin_yaml *yaml, const void *text, size_t size,
                                      struct serin_yaml_error *error)
{
    enum serin_error result =
        yaml_index_make(&yaml->index, text, size, &error->line, error->reason);
    if (result == SERIN_ERR_MEMORY) {
        return document_fail(yaml->name, error, result, serin_error_text(result));
    }
    if (result != SERIN_OK) {
        text_write(yaml->name, error);
        return result;
    }
    struct explain explain = {0};
    cyaml_config_t config = settings(&explain);
    cyaml_err_t loaded = cyaml_load_data(text, size, &config, yaml->schema, &yaml->value, NULL);
    if (loaded == CYAML_OK && yaml->value != NULL) {
        return SERIN_OK;
    }
    if (loaded == CYAML_ERR_OOM) {
        return document_fail(yaml->name, error, SERIN_ERR_MEMORY,
                             serin_error_text(SERIN_ERR_MEMORY));
    }
    explain_tell(&explain, yaml->schema, error->field, error->reason);
    error->line = serin_yaml_line(yaml, error->field);
    text_write(yaml->name, error);
    return SERIN_ERR_CONFIG;
}

/* Bytes of a byte order mark, which some editors put in front of UTF-8: libyaml takes it for an
 * indentation, and looks for the start of another document in the next line. */
static size_t mark_size(const void *text, size_t size)
{
    static const char mark[] = "\xef\xbb\xbf";
    return size >= sizeof mark - 1 && memcmp(text, mark, sizeof mark - 1) == 0 ? sizeof mark - 1
                                                                               : 0;
}

enum serin_error serin_yaml_open(struct serin_yaml **yaml, const char *name, const void *text,
                                 size_t size, const struct cyaml_schema_value *schema,
                                 struct serin_yaml_error *error)
{
    size_t mark = mark_size(text, size);
    assert(schema->type == CYAML_MAPPING && (schema->flags & CYAML_FLAG_POINTER) != 0);
    *yaml = NULL;
    *error = (struct serin_yaml_error){0};
    if (size > SERIN_YAML_SIZE_MAX) {
        return document_fail(name, error, SERIN_ERR_TOO_LARGE, "it is larger than 256 KiB");
    }
    struct serin_yaml *made = calloc(1, sizeof *made);
    char *copy = strdup(name);
    if (made == NULL || copy == NULL) {
        free(made);
        free(copy);
        return document_fail(name, error, SERIN_ERR_MEMORY, serin_error_text(SERIN_ERR_MEMORY));
    }
    made->name = copy;
    made->schema = schema;
    enum serin_error result = document_load(made, (const char *)text + mark, size - mark, error);
    if (result != SERIN_OK) {
        serin_yaml_close(made);
        return result;
    }
    *yaml = made;
    return SERIN_OK;
}

/* Reads at most `capacity` bytes. False: errno says why. */
static bool file_read(int fd, uint8_t *buffer, size_t capacity, size_t *size)
{
    *size = 0;
    while (*size < capacity) {
        ssize_t got = read(fd, buffer + *size, capacity - *size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got == 0;
        }
        *size += (size_t)got;
    }
    return true;
}

static enum serin_error errno_result(int number)
{
    return number == ENOENT || number == ENOTDIR ? SERIN_ERR_NOT_FOUND
           : number == EACCES || number == EPERM ? SERIN_ERR_DENIED
                                                 : SERIN_ERR_IO;
}

enum serin_error serin_yaml_open_file(struct serin_yaml **yaml, const char *path,
                                      const struct cyaml_schema_value *schema,
                                      struct serin_yaml_error *error)
{
    *yaml = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int number = errno;
        return document_fail(path, error, errno_result(number), strerror(number));
    }
    size_t capacity = (size_t)SERIN_YAML_SIZE_MAX + 1,
           size = 0; /* one more, so that too much is seen */
    uint8_t *buffer = malloc(capacity);
    bool complete = buffer != NULL && file_read(fd, buffer, capacity, &size);
    int number = errno;
    (void)close(fd);
    enum serin_error result =
        buffer == NULL ? document_fail(path, error, SERIN_ERR_MEMORY, strerror(ENOMEM))
        : !complete    ? document_fail(path, error, errno_result(number), strerror(number))
                       : serin_yaml_open(yaml, path, buffer, size, schema, error);
    free(buffer);
    return result;
}

void serin_yaml_close(struct serin_yaml *yaml)
{
    if (yaml == NULL) {
        return;
    }
    cyaml_config_t config = settings(NULL);
    if (yaml->value != NULL) {
        cyaml_err_t freed = cyaml_free(&config, yaml->schema, yaml->value, 0);
        assert(freed == CYAML_OK); /* it has loaded it by the same schema */
        (void)freed;
    }
    yaml_index_free(yaml->index);
    free(yaml->name);
    free(yaml);
}

const void *serin_yaml_value(const struct serin_yaml *yaml)
{
    return yaml->value;
}

unsigned serin_yaml_line(const struct serin_yaml *yaml, const char *field)
{
    bool exact = false;
    return yaml_index_line(yaml->index, field, &exact);
}

bool serin_yaml_has(const struct serin_yaml *yaml, const char *field)
{
    bool exact = false;
    (void)yaml_index_line(yaml->index, field, &exact);
    return exact;
}

enum serin_error serin_yaml_fail(const struct serin_yaml *yaml, struct serin_yaml_error *error,
                                 const char *field, const char *format, ...)
{
    *error = (struct serin_yaml_error){.line = serin_yaml_line(yaml, field)};
    (void)snprintf(error->field, sizeof error->field, "%s", field);
    int used = snprintf(error->reason, sizeof error->reason, "'%s' ", error->field);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->reason + used, sizeof error->reason - (size_t)used, format, arguments);
    va_end(arguments);
    text_write(yaml->name, error);
    return SERIN_ERR_CONFIG;
}
