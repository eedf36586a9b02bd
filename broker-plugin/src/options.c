/* Two tables of options, numbers and texts; reading is a walk over them. */
#include <serin/plugin/options.h>

#include <serin/id.h>
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
    {"park_ms", 100, 60000, 3000},
    {"messages_per_second", 1, 100000, 20},
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
    offsetof(struct serin_plugin_options, park_ms),
    offsetof(struct serin_plugin_options, messages_per_second),
};
#define RANGE_COUNT (sizeof ranges / sizeof ranges[0])
_Static_assert(RANGE_COUNT == sizeof offsets / sizeof offsets[0], "one place for each number");

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

/* The check of a text: NULL, or what is wrong with it. */
static const char *take_depot(const char *value, struct serin_plugin_options *options)
{
    options->depot = value;
    return value[0] == '/' ? NULL : "must be an absolute path";
}

static const char *take_state(const char *value, struct serin_plugin_options *options)
{
    options->state = value;
    return value[0] == '/' ? NULL : "must be an absolute path";
}

static const char *take_gateway(const char *value, struct serin_plugin_options *options)
{
    options->gateway = value;
    return serin_id_valid(value, strlen(value)) ? NULL : "is not an id";
}

static const char *take_role(const char *value, struct serin_plugin_options *options)
{
    options->role = strcmp(value, "cloud") == 0  ? SERIN_PLUGIN_CLOUD
                    : strcmp(value, "site") == 0 ? SERIN_PLUGIN_SITE
                                                 : SERIN_PLUGIN_ROLE_INVALID;
    return options->role != SERIN_PLUGIN_ROLE_INVALID ? NULL : "must be cloud or site";
}

static const struct {
    const char *key;
    const char *(*take)(const char *value, struct serin_plugin_options *options);
} texts[] = {
    {"depot", take_depot},
    {"state", take_state},
    {"role", take_role},
    {"gateway", take_gateway},
};
#define TEXT_COUNT (sizeof texts / sizeof texts[0])
_Static_assert(RANGE_COUNT + TEXT_COUNT <= 32, "seen options are bits");

static enum serin_error read_text(const struct serin_plugin_option *given, size_t index,
                                  uint32_t *seen, struct serin_plugin_options *options,
                                  struct serin_plugin_complaint *complaint)
{
    uint32_t bit = 1u << (RANGE_COUNT + index);
    if ((*seen & bit) != 0) {
        return complain(complaint, given->key, "is given twice", NULL);
    }
    *seen |= bit;
    const char *wrong = texts[index].take(given->value, options);
    return wrong == NULL ? SERIN_OK : complain(complaint, given->key, wrong, NULL);
}

static enum serin_error read_number(const struct serin_plugin_option *given, size_t index,
                                    uint32_t *seen, struct serin_plugin_options *options,
                                    struct serin_plugin_complaint *complaint)
{
    const struct serin_plugin_range *range = &ranges[index];
    uint64_t value = 0;
    if ((*seen & 1u << index) != 0) {
        return complain(complaint, given->key, "is given twice", NULL);
    }
    if (!parse_number(given->value, &value)) {
        return complain(complaint, given->key, "is not a whole number", range);
    }
    if (value < range->min || value > range->max) {
        return complain(complaint, given->key, "is out of its range", range);
    }
    *seen |= 1u << index;
    put(options, index, value);
    return SERIN_OK;
}

static enum serin_error read_one(const struct serin_plugin_option *given, uint32_t *seen,
                                 struct serin_plugin_options *options,
                                 struct serin_plugin_complaint *complaint)
{
    if (given->value == NULL) {
        return complain(complaint, given->key, "has no value", NULL);
    }
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        if (strcmp(given->key, texts[i].key) == 0) {
            return read_text(given, i, seen, options, complaint);
        }
    }
    for (size_t i = 0; i < RANGE_COUNT; i++) {
        if (strcmp(given->key, ranges[i].key) == 0) {
            return read_number(given, i, seen, options, complaint);
        }
    }
    return complain(complaint, given->key, "is not an option of the Serin plugin", NULL);
}

static enum serin_error check_whole(const struct serin_plugin_options *options,
                                    struct serin_plugin_complaint *complaint)
{
    bool site = options->role == SERIN_PLUGIN_SITE;
    if (options->depot == NULL) {
        return complain(complaint, "depot", "is missing", NULL);
    }
    if (options->state == NULL) {
        return complain(complaint, "state", "is missing", NULL);
    }
    if (site && options->gateway == NULL) {
        return complain(complaint, "gateway", "is missing: the role is site", NULL);
    }
    if (!site && options->gateway != NULL) {
        return complain(complaint, "gateway", "is of the role site alone", NULL);
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
    *options = (struct serin_plugin_options){.role = SERIN_PLUGIN_CLOUD};
    for (size_t i = 0; i < RANGE_COUNT; i++) {
        put(options, i, ranges[i].initial);
    }
    uint32_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        enum serin_error error = read_one(&given[i], &seen, options, complaint);
        if (error != SERIN_OK) {
            return error;
        }
    }
    return check_whole(options, complaint);
}
