/*
 * Durations, sizes and percentages as operators write them (serin/adapters/yaml.h).
 *
 *   duration = "0" / number ("ms" / "s" / "m" / "h" / "d")
 *   size     = number ["KiB" / "MiB" / "GiB"]
 *   percent  = number ["." number]
 *   number   = 1*DIGIT
 */
#include <serin/adapters/yaml.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *suffix;
    uint64_t factor;
};

/* From the largest to the smallest, so that formatting takes the first one that divides. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

static const struct unit size_units[] = {
    {"GiB", UINT64_C(1) << 30},
    {"MiB", UINT64_C(1) << 20},
    {"KiB", UINT64_C(1) << 10},
    {"", 1},
};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Reads the digits at *text, moves it behind them. False: none, or too many. */
static bool number_parse(const char **text, uint64_t *value)
{
    const char *p = *text;
    uint64_t number = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    if (p == *text) {
        return false;
    }
    *text = p;
    *value = number;
    return true;
}

static bool quantity_parse(const char *text, const struct unit *units, size_t unit_count,
                           uint64_t *value)
{
    uint64_t number = 0;
    if (!number_parse(&text, &number)) {
        return false;
    }
    for (size_t i = 0; i < unit_count; i++) {
        if (strcmp(text, units[i].suffix) == 0) {
            if (number > UINT64_MAX / units[i].factor) {
                return false;
            }
            *value = number * units[i].factor;
            return true;
        }
    }
    return false;
}

static void quantity_format(uint64_t value, const struct unit *units, size_t unit_count, char *text)
{
    size_t i = 0;
    while (i + 1 < unit_count && value % units[i].factor != 0) {
        i++;
    }
    (void)snprintf(text, SERIN_UNITS_TEXT_SIZE, "%" PRIu64 "%s", value / units[i].factor,
                   units[i].suffix);
}

bool serin_duration_parse(const char *text, uint64_t *ms)
{
    if (strcmp(text, "0") == 0) {
        *ms = 0;
        return true;
    }
    return quantity_parse(text, duration_units, COUNT_OF(duration_units), ms);
}

bool serin_size_parse(const char *text, uint64_t *bytes)
{
    return quantity_parse(text, size_units, COUNT_OF(size_units), bytes);
}

void serin_duration_format(uint64_t ms, char text[SERIN_UNITS_TEXT_SIZE])
{
    if (ms == 0) {
        (void)snprintf(text, SERIN_UNITS_TEXT_SIZE, "0");
        return;
    }
    quantity_format(ms, duration_units, COUNT_OF(duration_units), text);
}

void serin_size_format(uint64_t bytes, char text[SERIN_UNITS_TEXT_SIZE])
{
    if (bytes == 0) {
        (void)snprintf(text, SERIN_UNITS_TEXT_SIZE, "0");
        return;
    }
    quantity_format(bytes, size_units, COUNT_OF(size_units), text);
}

enum serin_error serin_yaml_duration(const struct serin_yaml *yaml, const char *field,
                                     const char *text, uint64_t min_ms, uint64_t max_ms,
                                     uint64_t *ms, struct serin_yaml_error *error)
{
    if (text == NULL) {
        return SERIN_OK;
    }
    uint64_t value = 0;
    if (!serin_duration_parse(text, &value)) {
        return serin_yaml_fail(yaml, error, field,
                               "must be a duration such as 500ms, 10s, 5m, 6h or 1d, not '%s'",
                               text);
    }
    if (value < min_ms || value > max_ms) {
        char low[SERIN_UNITS_TEXT_SIZE], high[SERIN_UNITS_TEXT_SIZE];
        serin_duration_format(min_ms, low);
        serin_duration_format(max_ms, high);
        return serin_yaml_fail(yaml, error, field, "must be from %s to %s, not '%s'", low, high,
                               text);
    }
    *ms = value;
    return SERIN_OK;
}

enum serin_error serin_yaml_number(const struct serin_yaml *yaml, const char *field,
                                   const char *text, uint64_t min, uint64_t max, uint64_t *number,
                                   struct serin_yaml_error *error)
{
    if (text == NULL) {
        return SERIN_OK;
    }
    const char *rest = text;
    uint64_t value = 0;
    bool plain = number_parse(&rest, &value) && *rest == '\0' && (*text != '0' || text[1] == '\0');
    if (!plain || value < min || value > max) {
        return serin_yaml_fail(yaml, error, field,
                               "must be a whole number from %" PRIu64 " to %" PRIu64 ", not '%s'",
                               min, max, text);
    }
    *number = value;
    return SERIN_OK;
}

enum serin_error serin_yaml_size(const struct serin_yaml *yaml, const char *field, const char *text,
                                 uint64_t min_bytes, uint64_t max_bytes, uint64_t *bytes,
                                 struct serin_yaml_error *error)
{
    if (text == NULL) {
        return SERIN_OK;
    }
    uint64_t value = 0;
    if (!serin_size_parse(text, &value)) {
        return serin_yaml_fail(yaml, error, field,
                               "must be a size such as 4096, 16KiB, 2MiB or 1GiB, not '%s'", text);
    }
    if (value < min_bytes || value > max_bytes) {
        char low[SERIN_UNITS_TEXT_SIZE], high[SERIN_UNITS_TEXT_SIZE];
        serin_size_format(min_bytes, low);
        serin_size_format(max_bytes, high);
        return serin_yaml_fail(yaml, error, field, "must be from %s to %s, not '%s'", low, high,
                               text);
    }
    *bytes = value;
    return SERIN_OK;
}

bool serin_percent_parse(const char *text, unsigned decimals, uint32_t *value)
{
    uint32_t all = 100;
    uint64_t number = 0;
    unsigned digits = 0; /* behind the point, once there is one */
    bool point = false;
    for (unsigned i = 0; i < decimals; i++) {
        all *= 10;
    }
    if (*text < '0' || *text > '9') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text == '.' && !point) {
            point = true;
            continue;
        }
        if (*text < '0' || *text > '9' || (point && ++digits > decimals) || number > all) {
            return false;
        }
        number = number * 10 + (uint64_t)(*text - '0');
    }
    if (point && digits == 0) {
        return false;
    }
    for (; digits < decimals; digits++) {
        number *= 10;
    }
    if (number > all) {
        return false;
    }
    *value = (uint32_t)number;
    return true;
}
