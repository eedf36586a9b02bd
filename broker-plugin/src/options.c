/* One table of options; reading them is a walk over it. */
#include <serin/plugin/options.h>

#include <serin/plugin/guard.h>

#include <stdbool.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

/* Numbers by their place in the structure; the order of both arrays is the same. */
static const struct serin_plugin_range ranges[] = {
    {"window_bytes", 64 * KIB, 4 * MIB, 256 * KIB},
    {"window_blocks", 1, 1024, 64},
    {"total_bytes", 64 * KIB, 4096 * MIB, 256 * MIB},
    {"forget_ms", 100, 600000, 5000},
    {"retry_ms", 10, 60000, 500},
    {"gets_per_second", 1, 100000, 200},
    {"clients_max", 16, 2000000, 250000},
    {"directives_max", 16, 1000000, 16384},
    {"leap_max", SERIN_GUARD_LEAP_MIN, UINT32_MAX, 64},
};
static const size_t offsets[] = {
    offsetof(struct serin_plugin_options, window_bytes),
    offsetof(struct serin_plugin_options, window_blocks),
    offsetof(struct serin_plugin_options, total_bytes),
    offsetof(struct serin_plugin_options, forget_ms),
    offsetof(struct serin_plugin_options, retry_ms),
    offsetof(struct serin_plugin_options, gets_per_second),
    offsetof(struct serin_plugin_options, clients_max),
    offsetof(struct serin_plugin_options, directives_max),
    offsetof(struct serin_plugin_options, leap_max),
};
#define RANGE_COUNT (sizeof ranges / sizeof ranges[0])
_Static_assert(RANGE_COUNT == sizeof offsets / sizeof offsets[0], "one place for each number");
_Static_assert(RANGE_COUNT < 32, "seen numbers are bits");

const struct serin_plugin_range *serin_plugin_ranges(size_t *count)
{
    *count = RANGE_COUNT;
    return ranges;
}

static void put(struct serin_plugin_options *options, size_t index, uint64_t value)
{
    memcpy((uint8_t *)options + offsets[index], &value, sizeof value);
}

static enum serin_error complain(struct serin_plugin_complaint *complaint, const char *key,
                                 const char *what, const struct serin_plugin_range *range)
{
    *complaint = (struct serin_plugin_complaint){.key = key, .what = what, .range = range};
    return SERIN_ERR_CONFIG;
}

/* Decimal digits and nothing else; twelve of them cannot wrap. */
static bool parse_number(const char *text, uint64_t *value)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 12 || text[digits] != '\0') {
        return false;
    }
    *value = 0;
    for (; *text != '\0'; text++) {
        *value = *value * 10 + (uint64_t)(*text - '0');
    }
    return true;
}

static enum serin_error read_path(const struct serin_plugin_option *given, const char **path,
                                  struct serin_plugin_complaint *complaint)
{
    if (*path != NULL) {
        return complain(complaint, given->key, "is given twice", NULL);
    }
    if (given->value[0] != '/') {
        return complain(complaint, given->key, "must be an absolute path", NULL);
    }
    *path = given->value;
    return SERIN_OK;
}

static enum serin_error read_number(const struct serin_plugin_option *given, uint32_t *seen,
                                    struct serin_plugin_options *options,
                                    struct serin_plugin_complaint *complaint)
{
    for (size_t i = 0; i < RANGE_COUNT; i++) {
        if (strcmp(given->key, ranges[i].key) != 0) {
            continue;
        }
        uint64_t value = 0;
        if ((*seen & 1u << i) != 0) {
            return complain(complaint, given->key, "is given twice", NULL);
        }
        if (!parse_number(given->value, &value)) {
            return complain(complaint, given->key, "is not a whole number", &ranges[i]);
        }
        if (value < ranges[i].min || value > ranges[i].max) {
            return complain(complaint, given->key, "is out of its range", &ranges[i]);
        }
        *seen |= 1u << i;
        put(options, i, value);
        return SERIN_OK;
    }
    return complain(complaint, given->key, "is not an option of the Serin plugin", NULL);
}

static enum serin_error check_whole(const struct serin_plugin_options *options,
                                    struct serin_plugin_complaint *complaint)
{
    if (options->depot == NULL) {
        return complain(complaint, "depot", "is missing", NULL);
    }
    if (options->state == NULL) {
        return complain(complaint, "state", "is missing", NULL);
    }
    if (options->total_bytes < options->window_bytes) {
        return complain(complaint, "total_bytes", "must not be less than window_bytes", NULL);
    }
    return SERIN_OK;
}

enum serin_error serin_plugin_options_read(const struct serin_plugin_option *given, size_t count,
                                           struct serin_plugin_options *options,
                                           struct serin_plugin_complaint *complaint)
{
    *options = (struct serin_plugin_options){.depot = NULL};
    for (size_t i = 0; i < RANGE_COUNT; i++) {
        put(options, i, ranges[i].initial);
    }
    uint32_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        enum serin_error error = SERIN_OK;
        if (given[i].value == NULL) {
            error = complain(complaint, given[i].key, "has no value", NULL);
        } else if (strcmp(given[i].key, "depot") == 0) {
            error = read_path(&given[i], &options->depot, complaint);
        } else if (strcmp(given[i].key, "state") == 0) {
            error = read_path(&given[i], &options->state, complaint);
        } else {
            error = read_number(&given[i], &seen, options, complaint);
        }
        if (error != SERIN_OK) {
            return error;
        }
    }
    return check_whole(options, complaint);
}
