/*
 * The loader of scenario files (serin/adapters/scenario.h): each value with its range. Which fields
 * go with an event is the simulator's own table.
 */
#include <serin/adapters/scenario.h>

#include "src/scenario_raw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FIELD(text) char text[SERIN_YAML_FIELD_MAX]
#define DECIMALS    4u /* of a percentage: shares are millionths */
_Static_assert(SERIN_SIM_ALL == 1000000u, "a hundred percent");

/* ---- values: each keeps its default where the key is absent ---- */

struct reader {
    struct serin_sim_scenario *scenario;
    const struct serin_yaml *document;
    const struct raw_scenario *raw;
    struct serin_yaml_error *error;
};

#define FAIL(field, ...) serin_yaml_fail(reader->document, reader->error, field, __VA_ARGS__)

/* `min` is 0, or 1 where nobody at all would say nothing. */
static enum serin_error share_read(const struct reader *reader, const char *field, const char *text,
                                   uint32_t min, uint32_t *share)
{
    uint32_t value = 0;
    if (text == NULL) {
        return SERIN_OK;
    }
    if (!serin_percent_parse(text, DECIMALS, &value) || value < min) {
        return FAIL(field,
                    "must be a percentage from %s to 100, with at most four decimals, not '%s'",
                    min > 0 ? "0.0001" : "0", text);
    }
    *share = value;
    return SERIN_OK;
}

static enum serin_error time_read(const struct reader *reader, const char *field, const char *text,
                                  uint64_t min_ms, uint64_t *ms)
{
    return serin_yaml_duration(reader->document, field, text, min_ms, SERIN_SIM_TIME_MAX_MS, ms,
                               reader->error);
}

static enum serin_error count_read(const struct reader *reader, const char *field, const char *text,
                                   uint32_t min, uint32_t max, uint32_t *count)
{
    uint64_t value = *count;
    enum serin_error error =
        serin_yaml_number(reader->document, field, text, min, max, &value, reader->error);
    *count = (uint32_t)value;
    return error;
}

/* ---- the fleet ---- */

static enum serin_error hardware_read(const struct reader *reader, size_t index)
{
    const struct raw_hardware *raw = &reader->raw->fleet->hardware[index];
    struct serin_sim_hardware *hardware = &reader->scenario->hardware[index];
    FIELD(field);
    uint32_t revision = 0;
    (void)snprintf(field, sizeof field, "fleet.hardware[%zu].revision", index);
    enum serin_error error = count_read(reader, field, raw->revision, 1, UINT16_MAX, &revision);
    for (size_t i = 0; error == SERIN_OK && i < index; i++) {
        if (reader->scenario->hardware[i].revision == revision) {
            error = FAIL(field, "stands twice");
        }
    }
    hardware->revision = (uint16_t)revision;
    if (error != SERIN_OK) {
        return error;
    }
    (void)snprintf(field, sizeof field, "fleet.hardware[%zu].share", index);
    return count_read(reader, field, raw->share, 1, SERIN_SIM_SHARE_MAX, &hardware->share);
}

static enum serin_error sleeping_read(const struct reader *reader, const struct raw_sleeping *raw)
{
    struct serin_sim_scenario *scenario = reader->scenario;
    if (raw == NULL) {
        return SERIN_OK;
    }
    enum serin_error error =
        share_read(reader, "fleet.sleeping.percent", raw->percent, 0, &scenario->sleeping);
    if (error == SERIN_OK) {
        error = time_read(reader, "fleet.sleeping.asleep", raw->asleep, SERIN_SIM_SLEEP_MIN_MS,
                          &scenario->asleep_ms);
    }
    return error == SERIN_OK ? time_read(reader, "fleet.sleeping.awake", raw->awake,
                                         SERIN_SIM_SLEEP_MIN_MS, &scenario->awake_ms)
                             : error;
}

static enum serin_error fleet_read(const struct reader *reader)
{
    const struct raw_fleet *raw = reader->raw->fleet;
    struct serin_sim_scenario *scenario = reader->scenario;
    enum serin_error error = SERIN_OK;
    if (raw == NULL) {
        return SERIN_OK;
    }
    scenario->hardware_count = raw->hardware_count;
    for (size_t i = 0; error == SERIN_OK && i < raw->hardware_count; i++) {
        error = hardware_read(reader, i);
    }
    if (error == SERIN_OK) {
        error = share_read(reader, "fleet.direct", raw->direct, 0, &scenario->direct);
    }
    if (error == SERIN_OK) {
        error = share_read(reader, "fleet.offline", raw->offline, 0, &scenario->offline);
    }
    if (error == SERIN_OK) {
        error = sleeping_read(reader, raw->sleeping);
    }
    if (error == SERIN_OK) {
        error = count_read(reader, "fleet.power_cuts_per_year", raw->power_cuts_per_year, 0,
                           SERIN_SIM_POWER_CUTS_MAX, &scenario->power_cuts_per_year);
    }
    return error == SERIN_OK ? count_read(reader, "fleet.errors_per_day", raw->errors_per_day, 0,
                                          SERIN_SIM_ERRORS_MAX, &scenario->errors_per_day)
                             : error;
}

/* ---- links ---- */

static enum serin_error latency_read(const struct reader *reader, const struct raw_latency *raw)
{
    struct serin_sim_scenario *scenario = reader->scenario;
    uint64_t min_ms = scenario->latency_min_ms;
    uint64_t max_ms = scenario->latency_max_ms;
    if (raw == NULL) {
        return SERIN_OK;
    }
    enum serin_error error = serin_yaml_duration(reader->document, "links.latency.min", raw->min, 0,
                                                 SERIN_SIM_LATENCY_MAX_MS, &min_ms, reader->error);
    if (error == SERIN_OK) {
        error = serin_yaml_duration(reader->document, "links.latency.max", raw->max, 0,
                                    SERIN_SIM_LATENCY_MAX_MS, &max_ms, reader->error);
    }
    if (error == SERIN_OK && min_ms > max_ms) {
        error = FAIL(raw->min != NULL ? "links.latency.min" : "links.latency.max",
                     "lets the least latency, %" PRIu64 "ms, be above the most, %" PRIu64 "ms",
                     min_ms, max_ms);
    }
    if (error == SERIN_OK) {
        scenario->latency_min_ms = (uint32_t)min_ms;
        scenario->latency_max_ms = (uint32_t)max_ms;
    }
    return error;
}

static enum serin_error rate_read(const struct reader *reader, const char *text)
{
    uint64_t rate = 0;
    enum serin_error error =
        serin_yaml_size(reader->document, "links.rate", text, 0, UINT32_MAX, &rate, reader->error);
    if (error == SERIN_OK && rate > 0 && rate < SERIN_SIM_RATE_MIN) {
        return FAIL("links.rate", "must be 0, for no limit, or at least %u bytes a second",
                    SERIN_SIM_RATE_MIN);
    }
    reader->scenario->bytes_per_s = (uint32_t)rate;
    return error;
}

static enum serin_error links_read(const struct reader *reader)
{
    const struct raw_links *raw = reader->raw->links;
    struct serin_sim_scenario *scenario = reader->scenario;
    if (raw == NULL) {
        return SERIN_OK;
    }
    const struct raw_downloads none = {NULL, NULL};
    const struct raw_downloads *downloads = raw->downloads != NULL ? raw->downloads : &none;
    const struct {
        const char *field, *text;
        uint32_t *share;
    } shares[] = {
        {"links.drop", raw->drop, &scenario->drop},
        {"links.duplicate", raw->duplicate, &scenario->duplicate},
        {"links.reorder", raw->reorder, &scenario->reorder},
        {"links.corrupt", raw->corrupt, &scenario->corrupt},
        {"links.downloads.cut", downloads->cut, &scenario->cut},
        {"links.downloads.at", downloads->at, &scenario->cut_at},
    };
    enum serin_error error = latency_read(reader, raw->latency);
    if (error == SERIN_OK) {
        error = rate_read(reader, raw->rate);
    }
    for (size_t i = 0; error == SERIN_OK && i < sizeof shares / sizeof shares[0]; i++) {
        error = share_read(reader, shares[i].field, shares[i].text, 0, shares[i].share);
    }
    return error;
}

/* ---- the image ---- */

static enum serin_error fault_read(const struct reader *reader, const char *field, const char *text,
                                   enum serin_sim_fault *fault)
{
    char words[160] = "";
    for (int i = 1; i < SERIN_SIM_FAULT_COUNT; i++) {
        const char *word = serin_sim_fault_text((enum serin_sim_fault)i);
        size_t size = strlen(words);
        if (strcmp(text, word) == 0) {
            *fault = (enum serin_sim_fault)i;
            return SERIN_OK;
        }
        (void)snprintf(words + size, sizeof words - size, "%s%s", size > 0 ? ", " : "", word);
    }
    return FAIL(field, "must be one of %s, not '%s'", words, text);
}

/* "direct", or a gateway's number. */
static bool site_parse(const char *text, uint32_t *site)
{
    *site = 0;
    if (strcmp(text, "direct") == 0) {
        return true;
    }
    if (*text == '0') {
        return false; /* 010 is no clearer here than elsewhere */
    }
    for (; *text >= '0' && *text <= '9' && *site <= SERIN_SIM_GATEWAYS_MAX; text++) {
        *site = *site * 10 + (uint32_t)(*text - '0');
    }
    return *text == '\0' && *site >= 1 && *site <= SERIN_SIM_GATEWAYS_MAX;
}

static enum serin_error sites_read(const struct reader *reader, size_t index)
{
    const struct raw_behaviour *raw = &reader->raw->image[index];
    struct serin_sim_behaviour *behaviour = &reader->scenario->behaviours[index];
    FIELD(field);
    behaviour->site_count = raw->sites_count;
    for (size_t i = 0; i < raw->sites_count; i++) {
        if (!site_parse(raw->sites[i], &behaviour->sites[i])) {
            (void)snprintf(field, sizeof field, "image[%zu].sites[%zu]", index, i);
            return FAIL(field, "must be 'direct' or the number of a gateway, from 1 to %u",
                        SERIN_SIM_GATEWAYS_MAX);
        }
    }
    return SERIN_OK;
}

static enum serin_error after_read(const struct reader *reader, size_t index)
{
    const struct raw_behaviour *raw = &reader->raw->image[index];
    struct serin_sim_behaviour *behaviour = &reader->scenario->behaviours[index];
    FIELD(field);
    (void)snprintf(field, sizeof field, "image[%zu].after", index);
    if (raw->after != NULL && !serin_sim_fault_waits(behaviour->fault)) {
        return FAIL(field, "does not go with %s, which comes before the confirmation", raw->fault);
    }
    return time_read(reader, field, raw->after, 0, &behaviour->after_ms);
}

/* There are two images: what the fleet begins with, and the candidate. */
static enum serin_error version_read(const struct reader *reader, size_t index)
{
    const struct raw_behaviour *raw = &reader->raw->image[index];
    struct serin_sim_behaviour *behaviour = &reader->scenario->behaviours[index];
    struct serin_version *version = &behaviour->version;
    FIELD(field);
    (void)snprintf(field, sizeof field, "image[%zu].version", index);
    if (raw->version == NULL) {
        return SERIN_OK;
    }
    behaviour->has_version = true;
    if (serin_version_parse(raw->version, version) != SERIN_OK || version->major < 1 ||
        version->major > 2 || version->minor != 0 || version->patch != 0) {
        return FAIL(field,
                    "must be 2.0.0, the candidate, or 1.0.0, which the fleet begins with, not '%s'",
                    raw->version);
    }
    if (version->major == 1 && !serin_sim_fault_before(behaviour->fault)) {
        return FAIL(field,
                    "1.0.0 does not go with %s: it was confirmed before any update; errors and "
                    "deaf do",
                    raw->fault);
    }
    return SERIN_OK;
}

/* A fleet without a list is of revision 1. */
static enum serin_error revision_read(const struct reader *reader, size_t index)
{
    const struct raw_behaviour *raw = &reader->raw->image[index];
    const struct serin_sim_scenario *scenario = reader->scenario;
    uint32_t revision = 0;
    FIELD(field);
    (void)snprintf(field, sizeof field, "image[%zu].hardware", index);
    enum serin_error error = count_read(reader, field, raw->hardware, 1, UINT16_MAX, &revision);
    if (error != SERIN_OK || revision == 0) {
        return error;
    }
    bool there = scenario->hardware_count == 0 && revision == 1;
    for (size_t i = 0; i < scenario->hardware_count; i++) {
        there = there || scenario->hardware[i].revision == revision;
    }
    if (!there) {
        return FAIL(field, "names a revision that fleet.hardware does not have, %" PRIu32,
                    revision);
    }
    reader->scenario->behaviours[index].hardware = (uint16_t)revision;
    return SERIN_OK;
}

static enum serin_error behaviour_read(const struct reader *reader, size_t index)
{
    const struct raw_behaviour *raw = &reader->raw->image[index];
    struct serin_sim_behaviour *behaviour = &reader->scenario->behaviours[index];
    FIELD(field);
    (void)snprintf(field, sizeof field, "image[%zu].fault", index);
    enum serin_error error = fault_read(reader, field, raw->fault, &behaviour->fault);
    if (error == SERIN_OK) {
        (void)snprintf(field, sizeof field, "image[%zu].percent", index);
        error = share_read(reader, field, raw->percent, 1, &behaviour->share);
    }
    if (error == SERIN_OK) {
        error = after_read(reader, index);
    }
    if (error == SERIN_OK) {
        error = version_read(reader, index);
    }
    if (error == SERIN_OK) {
        error = revision_read(reader, index);
    }
    return error == SERIN_OK ? sites_read(reader, index) : error;
}

/* ---- weather and events ---- */

static enum serin_error weather_read(const struct reader *reader, size_t index)
{
    const struct raw_weather *raw = &reader->raw->weather[index];
    struct serin_sim_weather *weather = &reader->scenario->weather[index];
    FIELD(field);
    (void)snprintf(field, sizeof field, "weather[%zu].from", index);
    enum serin_error error = time_read(reader, field, raw->from, 0, &weather->from_ms);
    if (error == SERIN_OK) {
        (void)snprintf(field, sizeof field, "weather[%zu].for", index);
        error = time_read(reader, field, raw->lasting, 1, &weather->for_ms);
    }
    if (error == SERIN_OK) {
        (void)snprintf(field, sizeof field, "weather[%zu].offline", index);
        error = share_read(reader, field, raw->offline, 0, &weather->offline);
    }
    if (error == SERIN_OK) {
        (void)snprintf(field, sizeof field, "weather[%zu].drop", index);
        error = share_read(reader, field, raw->drop, 0, &weather->drop);
    }
    if (error == SERIN_OK && weather->offline == 0 && weather->drop == 0) {
        (void)snprintf(field, sizeof field, "weather[%zu]", index);
        error = FAIL(field, "must have 'offline' or 'drop' above 0: it befalls nobody");
    }
    return error;
}

static enum serin_error kind_read(const struct reader *reader, const char *field, const char *text,
                                  enum serin_sim_event_kind *kind)
{
    char words[256] = "";
    for (int i = 1; i < SERIN_SIM_EVENT_COUNT; i++) {
        const char *word = serin_sim_event_rule((enum serin_sim_event_kind)i)->word;
        size_t size = strlen(words);
        if (strcmp(text, word) == 0) {
            *kind = (enum serin_sim_event_kind)i;
            return SERIN_OK;
        }
        (void)snprintf(words + size, sizeof words - size, "%s%s", size > 0 ? ", " : "", word);
    }
    return FAIL(field, "must be one of %s, not '%s'", words, text);
}

/* A duration with or without a minus. */
static enum serin_error jump_read(const struct reader *reader, const char *field, const char *text,
                                  int64_t *jump_ms)
{
    bool back = text[0] == '-';
    uint64_t ms = 0;
    if (!serin_duration_parse(text + back, &ms) || ms == 0 || ms > SERIN_SIM_TIME_MAX_MS) {
        return FAIL(field, "must be a duration up to 365d such as 2h or -2h, not '%s'", text);
    }
    *jump_ms = back ? -(int64_t)ms : (int64_t)ms;
    return SERIN_OK;
}

/* Every field that the kind takes is there, and no other. */
static enum serin_error event_fields_fit(const struct reader *reader, size_t index,
                                         const struct serin_sim_event_rule *rule)
{
    const struct raw_event *raw = &reader->raw->events[index];
    const struct {
        const char *name;
        bool given, taken, needed;
    } fields[] = {
        {"for", raw->lasting != NULL, rule->lasts, rule->lasts},
        {"back", raw->back != NULL, rule->back, rule->back},
        {"by", raw->by != NULL, rule->jump, rule->jump},
        {"gateway", raw->gateway != NULL, rule->gateways, false},
        {"percent", raw->percent != NULL, rule->gateways || rule->devices, rule->devices},
    };
    FIELD(field);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        (void)snprintf(field, sizeof field, "events[%zu].%s", index, fields[i].name);
        if (fields[i].given && !fields[i].taken) {
            return FAIL(field, "does not go with %s", rule->word);
        }
        if (!fields[i].given && fields[i].needed) {
            return FAIL(field, "must be given with %s", rule->word);
        }
    }
    if (rule->gateways && (raw->gateway == NULL) == (raw->percent == NULL)) {
        (void)snprintf(field, sizeof field, "events[%zu]", index);
        return FAIL(field, "must have either 'gateway' or 'percent'");
    }
    return SERIN_OK;
}

static enum serin_error event_values_read(const struct reader *reader, size_t index)
{
    const struct raw_event *raw = &reader->raw->events[index];
    struct serin_sim_event *event = &reader->scenario->events[index];
    FIELD(field);
    (void)snprintf(field, sizeof field, "events[%zu].for", index);
    enum serin_error error = time_read(reader, field, raw->lasting, 1, &event->for_ms);
    if (error == SERIN_OK) {
        (void)snprintf(field, sizeof field, "events[%zu].back", index);
        error = time_read(reader, field, raw->back, 1, &event->back_ms);
    }
    if (error == SERIN_OK && raw->by != NULL) {
        (void)snprintf(field, sizeof field, "events[%zu].by", index);
        error = jump_read(reader, field, raw->by, &event->jump_ms);
    }
    if (error == SERIN_OK) {
        (void)snprintf(field, sizeof field, "events[%zu].percent", index);
        error = share_read(reader, field, raw->percent, 1, &event->share);
    }
    if (error == SERIN_OK) {
        (void)snprintf(field, sizeof field, "events[%zu].gateway", index);
        error = count_read(reader, field, raw->gateway, 1, SERIN_SIM_GATEWAYS_MAX, &event->site);
    }
    return error;
}

static enum serin_error event_read(const struct reader *reader, size_t index)
{
    const struct raw_event *raw = &reader->raw->events[index];
    struct serin_sim_event *event = &reader->scenario->events[index];
    FIELD(field);
    (void)snprintf(field, sizeof field, "events[%zu].at", index);
    enum serin_error error = time_read(reader, field, raw->at, 0, &event->at_ms);
    if (error == SERIN_OK) {
        (void)snprintf(field, sizeof field, "events[%zu].event", index);
        error = kind_read(reader, field, raw->event, &event->kind);
    }
    if (error == SERIN_OK) {
        error = event_fields_fit(reader, index, serin_sim_event_rule(event->kind));
    }
    return error == SERIN_OK ? event_values_read(reader, index) : error;
}

/* ---- the file ---- */

static enum serin_error file_read(const struct reader *reader)
{
    struct serin_sim_scenario *scenario = reader->scenario;
    const struct raw_scenario *raw = reader->raw;
    enum serin_error error = fleet_read(reader);
    if (error == SERIN_OK) {
        error = links_read(reader);
    }
    scenario->behaviour_count = raw->image_count;
    scenario->weather_count = raw->weather_count;
    scenario->event_count = raw->events_count;
    for (size_t i = 0; error == SERIN_OK && i < raw->image_count; i++) {
        error = behaviour_read(reader, i);
    }
    for (size_t i = 0; error == SERIN_OK && i < raw->weather_count; i++) {
        error = weather_read(reader, i);
    }
    for (size_t i = 0; error == SERIN_OK && i < raw->events_count; i++) {
        error = event_read(reader, i);
    }
    return error;
}

enum serin_error serin_scenario_file_open(struct serin_scenario_file *file, const char *name,
                                          const void *text, size_t size,
                                          struct serin_yaml_error *error)
{
    file->document = NULL;
    serin_sim_scenario_default(&file->scenario);
    enum serin_error result =
        serin_yaml_open(&file->document, name, text, size, &yaml_scenario_schema, error);
    if (result != SERIN_OK) {
        return result;
    }
    const struct reader reader = {.scenario = &file->scenario,
                                  .document = file->document,
                                  .raw = serin_yaml_value(file->document),
                                  .error = error};
    result = file_read(&reader);
    if (result != SERIN_OK) {
        serin_scenario_file_close(file);
    }
    return result;
}

void serin_scenario_file_close(struct serin_scenario_file *file)
{
    serin_yaml_close(file->document);
    file->document = NULL;
}
