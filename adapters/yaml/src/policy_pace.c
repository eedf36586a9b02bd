/* When and how fast a rollout goes: its times, ramp and windows (policy_parts.h). */
#include "policy_parts.h"

#include <stdio.h>
#include <string.h>

#define SECOND_MS UINT64_C(1000)
#define DAY_MS    (UINT64_C(86400) * SECOND_MS)
#define MONTH_MS  (30 * DAY_MS)
#define DAY_MIN   1440u
#define FIRST_MAX 1000000u

const cyaml_schema_field_t policy_ramp_fields[] = {
    POLICY_NUMBER("first", struct raw_ramp, first),
    POLICY_NUMBER("growth_percent", struct raw_ramp, growth_percent),
    YAML_FIELD_TEXT("settle", CYAML_FLAG_OPTIONAL, struct raw_ramp, settle, 1, 32),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t window_fields[] = {
    YAML_FIELD_TEXT("days", CYAML_FLAG_OPTIONAL, struct raw_window, days, 1, 64),
    YAML_FIELD_TEXT("from", CYAML_FLAG_OPTIONAL, struct raw_window, from, 1, 8),
    YAML_FIELD_TEXT("to", CYAML_FLAG_OPTIONAL, struct raw_window, to, 1, 8),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t policy_window_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_window, window_fields),
};

/* Two digits below `limit`. */
static bool two_digits(const char *text, unsigned limit, unsigned *number)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9') {
        return false;
    }
    *number = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
    return *number < limit;
}

/* ---- the start ---- */

/* Days from 1970-01-01 to the first of `month`, 1 .. 12, and how many that month has. */
static uint64_t month_begin(unsigned year, unsigned month, unsigned *length)
{
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    unsigned before = year - 1;
    uint64_t days = UINT64_C(365) * before + before / 4 - before / 100 + before / 400 - 719162;
    for (unsigned i = 1; i < month; i++) {
        days += lengths[i - 1] + (i == 2 && leap ? 1u : 0u);
    }
    *length = lengths[month - 1] + (month == 2 && leap ? 1u : 0u);
    return days;
}

/* "2026-12-01T02:00:00Z" of the years 2000 to 9999, as Unix seconds. */
static bool time_parse(const char *text, uint64_t *unix_s)
{
    unsigned century = 0, year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    unsigned length = 0;
    if (strlen(text) != 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
        text[13] != ':' || text[16] != ':' || text[19] != 'Z') {
        return false;
    }
    if (!two_digits(text, 100, &century) || !two_digits(text + 2, 100, &year) ||
        !two_digits(text + 5, 13, &month) || !two_digits(text + 8, 32, &day) ||
        !two_digits(text + 11, 24, &hour) || !two_digits(text + 14, 60, &minute) ||
        !two_digits(text + 17, 60, &second) || century < 20 || month < 1) {
        return false;
    }
    uint64_t days = month_begin(century * 100 + year, month, &length);
    if (day < 1 || day > length) {
        return false;
    }
    *unix_s = (days + day - 1) * 86400 + (hour * UINT64_C(60) + minute) * 60 + second;
    return true;
}

/* ---- times ---- */

/* A device that waits for its turn must not be taken for a silent or a stuck one. */
static enum serin_error spread_fits(const struct policy_reader *reader)
{
    const struct serin_policy *policy = &reader->file->policy;
    const struct {
        const char *key;
        uint32_t seconds;
    } bounds[] = {{"patience", policy->patience_s}, {"deadline", policy->deadline_s}};
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        char bound[SERIN_UNITS_TEXT_SIZE];
        if (policy->spread_s < bounds[i].seconds) {
            continue;
        }
        serin_duration_format(bounds[i].seconds * SECOND_MS, bound);
        return serin_yaml_fail(reader->file->document, reader->error, "spread",
                               "must be shorter than the policy's %s, %s, not '%s'", bounds[i].key,
                               bound, reader->raw->spread != NULL ? reader->raw->spread : "0");
    }
    return SERIN_OK;
}

enum serin_error policy_times_read(const struct policy_reader *reader)
{
    const struct raw_policy *raw = reader->raw;
    struct serin_policy *policy = &reader->file->policy;
    const struct {
        const char *field, *text;
        uint64_t min_ms, max_ms;
        uint32_t *seconds;
    } times[] = {
        {"patience", raw->patience, SECOND_MS, MONTH_MS, &policy->patience_s},
        {"deadline", raw->deadline, SECOND_MS, MONTH_MS, &policy->deadline_s},
        {"lease", raw->lease, SERIN_LEASE_MIN_S * SECOND_MS,
         (uint64_t)SERIN_LEASE_MAX_S * SECOND_MS, &policy->lease_s},
        {"spread", raw->spread, 0, DAY_MS, &policy->spread_s},
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        enum serin_error error = policy_seconds(reader, times[i].field, times[i].text,
                                                times[i].min_ms, times[i].max_ms, times[i].seconds);
        if (error != SERIN_OK) {
            return error;
        }
    }
    enum serin_error error = spread_fits(reader);
    if (error != SERIN_OK) {
        return error;
    }
    if (raw->start != NULL && !time_parse(raw->start, &policy->start_s)) {
        return serin_yaml_fail(reader->file->document, reader->error, "start",
                               "must be a time in UTC such as 2026-12-01T02:00:00Z, not '%s'",
                               raw->start);
    }
    return SERIN_OK;
}

/* ---- the ramp ---- */

/* A device that has been silent for `patience` is unreached, and counts no more. */
static enum serin_error settle_read(const struct policy_reader *reader, const char *text)
{
    struct serin_policy *policy = &reader->file->policy;
    uint64_t most_ms = policy->patience_s * SECOND_MS;
    uint64_t settle_ms = 0;
    char most[SERIN_UNITS_TEXT_SIZE];
    if (serin_duration_parse(text, &settle_ms) && (settle_ms < SECOND_MS || settle_ms > most_ms)) {
        serin_duration_format(most_ms, most);
        return serin_yaml_fail(reader->file->document, reader->error, "ramp.settle",
                               "must be from 1s to the policy's patience, %s, not '%s'", most,
                               text);
    }
    return policy_seconds(reader, "ramp.settle", text, SECOND_MS, most_ms, &policy->ramp.settle_s);
}

enum serin_error policy_ramp_read(const struct policy_reader *reader)
{
    const struct raw_ramp none = {0};
    const struct raw_ramp *raw = reader->raw->ramp != NULL ? reader->raw->ramp : &none;
    struct serin_policy *policy = &reader->file->policy;
    struct serin_ramp_policy *ramp = &policy->ramp;
    enum serin_error error =
        policy_number(reader, "ramp.first", raw->first, 0, FIRST_MAX, &ramp->first);
    if (error == SERIN_OK) {
        error = policy_number(reader, "ramp.growth_percent", raw->growth_percent, 1, 100,
                              &ramp->growth_percent);
    }
    if (error != SERIN_OK) {
        return error;
    }
    if (raw->settle != NULL) {
        return settle_read(reader, raw->settle);
    }
    /* Who sets a short patience has said what is a long silence. */
    if (ramp->settle_s > policy->patience_s) {
        ramp->settle_s = policy->patience_s;
    }
    return SERIN_OK;
}

/* ---- windows ---- */

/* One of mon .. sun, as 0 .. 6. */
static bool day_parse(const char *text, size_t size, unsigned *day)
{
    static const char days[] = "montuewedthufrisatsun";
    for (unsigned i = 0; size == 3 && i < 7; i++) {
        if (memcmp(text, days + (size_t)3 * i, 3) == 0) {
            *day = i;
            return true;
        }
    }
    return false;
}

/* "mon-fri,sun": days and ranges of days, which may go over Sunday. */
static bool days_parse(const char *text, uint8_t *days)
{
    unsigned bits = 0;
    for (;;) {
        size_t size = strcspn(text, ",");
        unsigned first = 0, last = 0;
        bool range = size == 7 && text[3] == '-';
        if (!day_parse(text, range ? 3 : size, &first) ||
            (range && !day_parse(text + 4, 3, &last))) {
            return false;
        }
        unsigned count = range ? (last + 7 - first) % 7 + 1 : 1;
        for (unsigned i = 0; i < count; i++) {
            bits |= 1u << (first + i) % 7;
        }
        if (text[size] == '\0') {
            *days = (uint8_t)bits;
            return true;
        }
        text += size + 1;
    }
}

/* "05:30" as minutes of the day; 24:00 where `end`. */
static bool minute_parse(const char *text, bool end, uint16_t *minute)
{
    unsigned hours = 0, minutes = 0;
    if (strlen(text) != 5 || text[2] != ':' || !two_digits(text, 25, &hours) ||
        !two_digits(text + 3, 60, &minutes)) {
        return false;
    }
    *minute = (uint16_t)(hours * 60 + minutes);
    return *minute < DAY_MIN || (end && *minute == DAY_MIN);
}

static enum serin_error window_read(const struct policy_reader *reader, size_t index)
{
    const struct raw_window *raw = &reader->raw->windows[index];
    struct serin_window *window = &reader->file->policy.windows[index];
    const struct serin_yaml *document = reader->file->document;
    POLICY_FIELD(field);
    *window = (struct serin_window){.days = 127, .until_min = DAY_MIN};
    (void)snprintf(field, sizeof field, "windows[%zu].days", index);
    if (raw->days != NULL && !days_parse(raw->days, &window->days)) {
        return serin_yaml_fail(document, reader->error, field,
                               "must be days or ranges of them such as mon-fri,sun, not '%s'",
                               raw->days);
    }
    (void)snprintf(field, sizeof field, "windows[%zu].from", index);
    if (raw->from != NULL && !minute_parse(raw->from, false, &window->from_min)) {
        return serin_yaml_fail(document, reader->error, field,
                               "must be a time of day in UTC from 00:00 to 23:59, not '%s'",
                               raw->from);
    }
    (void)snprintf(field, sizeof field, "windows[%zu].to", index);
    if (raw->to != NULL && !minute_parse(raw->to, true, &window->until_min)) {
        return serin_yaml_fail(document, reader->error, field,
                               "must be a time of day in UTC from 00:00 to 24:00, not '%s'",
                               raw->to);
    }
    if (window->until_min == window->from_min) {
        return serin_yaml_fail(document, reader->error, field,
                               "must not be the same as 'from'; a whole day is from 00:00 to "
                               "24:00");
    }
    return SERIN_OK;
}

enum serin_error policy_windows_read(const struct policy_reader *reader)
{
    reader->file->policy.window_count = reader->raw->windows_count;
    for (size_t i = 0; i < reader->raw->windows_count; i++) {
        enum serin_error error = window_read(reader, i);
        if (error != SERIN_OK) {
            return error;
        }
    }
    return SERIN_OK;
}
