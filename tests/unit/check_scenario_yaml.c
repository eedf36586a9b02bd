/*
 * The scenario's YAML: every key is taken, configs/scenario.yaml holds the defaults and every key,
 * each wrong value is one exact reason with field and line, and the examples of
 * docs/spec/scenario.md load.
 */
#include "check_main.h"

#include <serin/adapters/scenario.h>

#include <stdio.h>
#include <string.h>

static struct serin_scenario_file file;
static struct serin_yaml_error error;

static enum serin_error parse(const char *text)
{
    return serin_scenario_file_open(&file, "s.yaml", text, strlen(text), &error);
}

START_TEST(every_key_is_taken)
{
    ck_assert_int_eq(
        parse("fleet:\n"
              "  hardware: [{revision: 1, share: 3}, {revision: 65535, share: 1000000}]\n"
              "  direct: 12.5\n"
              "  offline: 0.0001\n"
              "  sleeping: {percent: 20, asleep: 2h, awake: 1s}\n"
              "  power_cuts_per_year: 100000\n"
              "  errors_per_day: 7\n"
              "links:\n"
              "  latency: {min: 0, max: 5m}\n"
              "  rate: 2KiB\n"
              "  drop: 1\n"
              "  duplicate: 2\n"
              "  reorder: 3\n"
              "  corrupt: 100\n"
              "  downloads: {cut: 30, at: 66.6667}\n"
              "image:\n"
              "  - {fault: crash, percent: 2}\n"
              "  - {fault: deaf, percent: 5, after: 6h, version: 2.0.0, hardware: 65535,\n"
              "     sites: [3, direct, 65535]}\n"
              "weather:\n"
              "  - {from: 0, for: 1ms, offline: 10, drop: 5}\n"
              "events:\n"
              "  - {at: 0, event: gateway_crash, gateway: 7, for: 5m}\n"
              "  - {at: 1h, event: broker_old, for: 1s, back: 6h}\n"
              "  - {at: 2h, event: clock_jump, by: -90s}\n"
              "  - {at: 365d, event: power_cut, percent: 0.5, for: 1s}\n"
              "  - {at: 3h, event: retry}\n"),
        SERIN_OK);
    const struct serin_sim_scenario *s = &file.scenario;
    ck_assert_int_eq(serin_sim_scenario_check(s, NULL), SERIN_OK);
    ck_assert_uint_eq(s->hardware_count, 2);
    ck_assert_uint_eq(s->hardware[1].revision, 65535);
    ck_assert_uint_eq(s->hardware[0].share, 3);
    ck_assert_uint_eq(s->direct, 125000);
    ck_assert_uint_eq(s->offline, 1);
    ck_assert_uint_eq(s->sleeping, 200000);
    ck_assert_uint_eq(s->asleep_ms, 7200000);
    ck_assert_uint_eq(s->awake_ms, 1000);
    ck_assert_uint_eq(s->power_cuts_per_year, 100000);
    ck_assert_uint_eq(s->errors_per_day, 7);
    ck_assert_uint_eq(s->latency_min_ms, 0);
    ck_assert_uint_eq(s->latency_max_ms, 300000);
    ck_assert_uint_eq(s->bytes_per_s, 2048);
    ck_assert_uint_eq(s->drop, 10000);
    ck_assert_uint_eq(s->duplicate, 20000);
    ck_assert_uint_eq(s->reorder, 30000);
    ck_assert_uint_eq(s->corrupt, SERIN_SIM_ALL);
    ck_assert_uint_eq(s->cut, 300000);
    ck_assert_uint_eq(s->cut_at, 666667);
    ck_assert_uint_eq(s->behaviour_count, 2);
    ck_assert_int_eq(s->behaviours[0].fault, SERIN_SIM_FAULT_CRASH);
    ck_assert(!s->behaviours[0].has_version);
    ck_assert_uint_eq(s->behaviours[0].site_count, 0);
    const struct serin_sim_behaviour *b = &s->behaviours[1];
    ck_assert_int_eq(b->fault, SERIN_SIM_FAULT_DEAF);
    ck_assert_uint_eq(b->share, 50000);
    ck_assert_uint_eq(b->after_ms, 21600000);
    ck_assert(b->has_version && b->version.major == 2 && b->version.patch == 0);
    ck_assert_uint_eq(b->hardware, 65535);
    ck_assert_uint_eq(b->site_count, 3);
    ck_assert(b->sites[0] == 3 && b->sites[1] == 0 && b->sites[2] == 65535);
    ck_assert_uint_eq(s->weather_count, 1);
    ck_assert(s->weather[0].for_ms == 1 && s->weather[0].offline == 100000 &&
              s->weather[0].drop == 50000);
    ck_assert_uint_eq(s->event_count, 5);
    ck_assert(s->events[0].kind == SERIN_SIM_EVENT_GATEWAY_CRASH && s->events[0].site == 7 &&
              s->events[0].share == 0 && s->events[0].for_ms == 300000);
    ck_assert(s->events[1].kind == SERIN_SIM_EVENT_BROKER_OLD && s->events[1].back_ms == 21600000 &&
              s->events[1].at_ms == 3600000);
    ck_assert(s->events[2].kind == SERIN_SIM_EVENT_CLOCK_JUMP && s->events[2].jump_ms == -90000);
    ck_assert(s->events[3].kind == SERIN_SIM_EVENT_POWER_CUT && s->events[3].share == 5000);
    ck_assert_int_eq(s->events[4].kind, SERIN_SIM_EVENT_RETRY);
    /* Gateways that are named must be there. */
    ck_assert_int_eq(serin_scenario_file_fits(&file, 65535, &error), SERIN_OK);
    ck_assert_int_eq(serin_scenario_file_fits(&file, 65534, &error), SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.text, "s.yaml:19: 'image[1].sites[2]' names a gateway that is not "
                                 "there: the fleet has 65534");
    serin_scenario_file_close(&file);
}
END_TEST

START_TEST(events_must_fit_the_fleet)
{
    ck_assert_int_eq(parse("events: [{at: 0, event: stale_cache, gateway: 7, for: 5m}]\n"),
                     SERIN_OK);
    ck_assert_int_eq(serin_scenario_file_fits(&file, 7, &error), SERIN_OK);
    ck_assert_int_eq(serin_scenario_file_fits(&file, 6, &error), SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.field, "events[0].gateway");
    serin_scenario_file_close(&file);
    ck_assert_int_eq(parse("events: [{at: 0, event: gateway_away, percent: 7, for: 5m}]\n"),
                     SERIN_OK);
    ck_assert_int_eq(serin_scenario_file_fits(&file, 1, &error), SERIN_OK);
    ck_assert_int_eq(serin_scenario_file_fits(&file, 0, &error), SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.text, "s.yaml:1: 'events[0].percent' does not go with a fleet that has "
                                 "no gateways");
    serin_scenario_file_close(&file);
}
END_TEST

/* A rule for a place without devices would be silent. */
START_TEST(sites_must_have_devices)
{
    static const struct {
        const char *direct, *site;
        uint32_t gateways;
        const char *says; /* NULL: it fits */
    } cases[] = {
        {"0", "direct", 0, NULL},
        {"0", "direct", 2, "'image[0].sites[0]' is for direct devices"},
        {"0.5", "direct", 2, NULL},
        {"0", "2", 2, NULL},
        {"99.9", "2", 2, NULL},
        {"100", "2", 2, "'image[0].sites[0]' names a gateway: fleet.direct says"},
        {"100", "direct", 2, NULL},
    };
    char text[128];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(text, sizeof text,
                       "fleet: {direct: %s}\nimage: [{fault: crash, percent: 1, sites: [%s]}]\n",
                       cases[i].direct, cases[i].site);
        ck_assert_int_eq(parse(text), SERIN_OK);
        enum serin_error fits = serin_scenario_file_fits(&file, cases[i].gateways, &error);
        ck_assert_msg((fits == SERIN_OK) == (cases[i].says == NULL), "case %zu", i);
        ck_assert(cases[i].says == NULL || strstr(error.text, cases[i].says) != NULL);
        serin_scenario_file_close(&file);
    }
}
END_TEST

/* What the fleet begins with may count errors or fall silent: that is what controls are for. */
START_TEST(both_versions_have_rules)
{
    ck_assert_int_eq(parse("image: [{fault: errors, percent: 5, version: 1.0.0},\n"
                           "        {fault: deaf, percent: 5, version: 1.0.0, after: 6h},\n"
                           "        {fault: crash, percent: 5, version: 2.0.0, hardware: 1}]\n"),
                     SERIN_OK);
    ck_assert_uint_eq(file.scenario.behaviours[1].version.major, 1);
    ck_assert_int_eq(serin_sim_scenario_check(&file.scenario, NULL), SERIN_OK);
    serin_scenario_file_close(&file);
}
END_TEST

/* Reads a file of the tree into `text`, which ends with a terminator. */
static void tree_read(const char *path, char *text, size_t room)
{
    FILE *from = fopen(path, "rb");
    ck_assert_ptr_nonnull(from);
    size_t size = fread(text, 1, room - 1, from);
    ck_assert_int_ne(feof(from), 0);
    ck_assert_int_eq(fclose(from), 0);
    text[size] = '\0';
}

static bool is_default(const struct serin_sim_scenario *s)
{
    struct serin_sim_scenario want;
    serin_sim_scenario_default(&want);
    return s->hardware_count == 0 && s->behaviour_count == 0 && s->weather_count == 0 &&
           s->event_count == 0 && s->direct == want.direct && s->offline == want.offline &&
           s->sleeping == want.sleeping && s->asleep_ms == want.asleep_ms &&
           s->awake_ms == want.awake_ms && s->drop == want.drop && s->duplicate == want.duplicate &&
           s->reorder == want.reorder && s->corrupt == want.corrupt && s->cut == want.cut &&
           s->cut_at == want.cut_at && s->latency_min_ms == want.latency_min_ms &&
           s->latency_max_ms == want.latency_max_ms && s->bytes_per_s == want.bytes_per_s &&
           s->power_cuts_per_year == want.power_cuts_per_year &&
           s->errors_per_day == want.errors_per_day;
}

static char text[65536];

/* The file that operators copy loads, and says what they get without it. Caught: a value of it that
 * is no default; a key that it does not show; an example in it that does not load. */
START_TEST(the_example_file_holds_the_defaults)
{
    static const char *const keys[] = {"hardware:",
                                       "revision:",
                                       "share:",
                                       "direct:",
                                       "offline:",
                                       "sleeping:",
                                       "percent:",
                                       "asleep:",
                                       "awake:",
                                       "power_cuts_per_year:",
                                       "errors_per_day:",
                                       "latency:",
                                       "min:",
                                       "max:",
                                       "rate:",
                                       "drop:",
                                       "duplicate:",
                                       "reorder:",
                                       "corrupt:",
                                       "downloads:",
                                       "cut:",
                                       "at:",
                                       "image:",
                                       "fault:",
                                       "after:",
                                       "version:",
                                       "sites:",
                                       "weather:",
                                       "from:",
                                       "for:",
                                       "events:",
                                       "event:",
                                       "back:",
                                       "by:"};
    tree_read(SCENARIO_YAML, text, sizeof text);
    ck_assert_msg(parse(text) == SERIN_OK, "%s", error.text);
    ck_assert(is_default(&file.scenario));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        ck_assert_msg(strstr(text, keys[i]) != NULL, "%s is not shown", keys[i]);
        ck_assert_msg(keys[i][0] == '\0' || serin_scenario_file_fits(&file, 0, &error) == SERIN_OK,
                      "%s", error.text);
    }
    ck_assert(serin_yaml_has(file.document, "links.downloads.at"));
    ck_assert(serin_yaml_has(file.document, "fleet.sleeping.awake"));
    serin_scenario_file_close(&file);
    ck_assert_int_eq(parse("{}\n"), SERIN_OK);
    ck_assert(is_default(&file.scenario));
    serin_scenario_file_close(&file);
}
END_TEST

/* With the comments of its examples taken away the file still loads. */
START_TEST(the_examples_in_the_example_file_load)
{
    static char out[65536];
    size_t size = 0, taken = 0;
    tree_read(SCENARIO_YAML, text, sizeof text);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        bool empty_list = strstr(line, ": []") != NULL;
        char *mark = strstr(line, "#hardware: [");
        if (mark != NULL || strncmp(line, "#  - ", 5) == 0) {
            char *at = mark != NULL ? mark : line;
            memmove(at, at + 1, strlen(at));
            taken++;
        } else if (empty_list && strstr(line, "hardware") != NULL) {
            continue;
        } else if (empty_list) {
            *strstr(line, " []") = '\0';
        }
        size += (size_t)snprintf(out + size, sizeof out - size, "%s\n", line);
    }
    ck_assert_uint_eq(taken, 8);
    ck_assert_msg(parse(out) == SERIN_OK, "%s", error.text);
    ck_assert_uint_eq(file.scenario.behaviour_count, 3);
    ck_assert_uint_eq(file.scenario.event_count, 3);
    ck_assert_uint_eq(file.scenario.hardware_count, 2);
    serin_scenario_file_close(&file);
}
END_TEST

/* Each ```yaml block of the specification is a scenario. */
START_TEST(the_examples_of_the_page_load)
{
    static char block[8192];
    size_t count = 0;
    tree_read(SCENARIO_MD, text, sizeof text);
    for (char *at = strstr(text, "```yaml\n"); at != NULL; at = strstr(at, "```yaml\n")) {
        at += strlen("```yaml\n");
        char *end = strstr(at, "```");
        ck_assert_ptr_nonnull(end);
        (void)snprintf(block, sizeof block, "%.*s", (int)(end - at), at);
        ck_assert_msg(parse(block) == SERIN_OK, "block %zu: %s\n%s", count, error.text, block);
        serin_scenario_file_close(&file);
        at = end;
        count++;
    }
    ck_assert_uint_ge(count, 10);
}
END_TEST

static const struct {
    const char *text, *says;
} wrongs[] = {
    {"flet: {}\n", "s.yaml:1: unknown key 'flet'"},
    {"fleet:\n  direct: 101\n", "s.yaml:2: 'fleet.direct' must be a percentage from 0 to 100, "
                                "with at most four decimals, not '101'"},
    {"fleet: {direct: 1.23456}\n", "must be a percentage from 0 to 100"},
    {"fleet: {offline: -1}\n", "'fleet.offline' must be a percentage"},
    {"fleet: {offline: 1.}\n", "'fleet.offline' must be a percentage"},
    {"fleet: {offline: 5%}\n", "'fleet.offline' must be a percentage"},
    {"fleet: {offline: 99999999999999}\n", "'fleet.offline' must be a percentage"},
    {"fleet: {sleeping: {asleep: 1h}}\n", "percent"},
    {"fleet: {sleeping: {percent: 1, asleep: 10ms}}\n",
     "'fleet.sleeping.asleep' must be from 1s to 365d"},
    {"fleet: {sleeping: {percent: 1, awake: 366d}}\n",
     "'fleet.sleeping.awake' must be from 1s to 365d"},
    {"fleet: {power_cuts_per_year: 100001}\n",
     "'fleet.power_cuts_per_year' must be a whole number from 0 to 100000, not '100001'"},
    {"fleet: {errors_per_day: 100001}\n",
     "'fleet.errors_per_day' must be a whole number from 0 to 100000"},
    {"fleet: {errors_per_day: 0.5}\n",
     "'fleet.errors_per_day' must be a whole number from 0 to 100000, not '0.5'"},
    {"fleet: {power_cuts_per_year: -1}\n",
     "'fleet.power_cuts_per_year' must be a whole number from 0 to 100000, not '-1'"},
    {"fleet: {hardware: [{revision: 1, share: 0x10}]}\n",
     "'fleet.hardware[0].share' must be a whole number from 1 to 1000000, not '0x10'"},
    {"fleet:\n  hardware:\n    - {revision: 0, share: 1}\n",
     "s.yaml:3: 'fleet.hardware[0].revision' must be a whole number from 1 to 65535, not '0'"},
    {"fleet: {hardware: [{revision: 1, share: 0}]}\n",
     "'fleet.hardware[0].share' must be a whole number from 1 to 1000000"},
    {"fleet: {hardware: [{revision: 1, share: 1}, {revision: 1, share: 1}]}\n",
     "'fleet.hardware[1].revision' stands twice"},
    {"links: {latency: {min: 1s, max: 10ms}}\n",
     "'links.latency.min' lets the least latency, 1000ms, be above the most, 10ms"},
    {"links: {latency: {max: 6m}}\n", "'links.latency.max' must be from 0 to 5m"},
    {"links: {rate: 15}\n", "'links.rate' must be 0, for no limit, or at least 16"},
    {"links: {rate: 5GiB}\n", "'links.rate' must be from 0"},
    {"links: {corrupt: much}\n", "'links.corrupt' must be a percentage"},
    {"links: {downloads: {at: 5}}\n", "cut"},
    {"image:\n  - {fault: crush, percent: 1}\n",
     "s.yaml:2: 'image[0].fault' must be one of crash, hang, no_confirm, regress, errors, deaf, "
     "revert, not 'crush'"},
    {"image: [{fault: crash, percent: 0}]\n",
     "'image[0].percent' must be a percentage from 0.0001 to 100"},
    {"image: [{fault: crash, percent: 1, after: 1h}]\n",
     "'image[0].after' does not go with crash, which comes before the confirmation"},
    {"image: [{fault: deaf, percent: 1, after: 366d}]\n", "'image[0].after' must be from 0"},
    {"image: [{fault: deaf, percent: 1, version: two}]\n",
     "'image[0].version' must be 2.0.0, the candidate, or 1.0.0, which the fleet begins with, not "
     "'two'"},
    {"image: [{fault: deaf, percent: 1, version: 2.0.1}]\n", "'image[0].version' must be 2.0.0"},
    {"image: [{fault: deaf, percent: 1, version: 3.0.0}]\n", "'image[0].version' must be 2.0.0"},
    {"image: [{fault: deaf, percent: 1, version: 0.0.0}]\n", "'image[0].version' must be 2.0.0"},
    {"image:\n  - {fault: crash, percent: 1, version: 1.0.0}\n",
     "s.yaml:2: 'image[0].version' 1.0.0 does not go with crash"},
    {"image: [{fault: regress, percent: 1, version: 1.0.0}]\n", "does not go with regress"},
    {"image:\n  - {fault: deaf, percent: 1, hardware: 2}\n",
     "s.yaml:2: 'image[0].hardware' names a revision that fleet.hardware does not have, 2"},
    {"fleet: {hardware: [{revision: 3, share: 1}]}\nimage: [{fault: deaf, percent: 1, hardware: "
     "1}]\n",
     "'image[0].hardware' names a revision"},
    {"weather:\n  - {from: 0, for: 1h}\n",
     "s.yaml:2: 'weather[0]' must have 'offline' or 'drop' above 0"},
    {"weather: [{from: 0, for: 1h, offline: 0, drop: 0.0}]\n", "it befalls nobody"},
    {"image: [{fault: deaf, percent: 1, hardware: 0}]\n",
     "'image[0].hardware' must be a whole number from 1 to 65535"},
    {"image: [{fault: deaf, percent: 1, sites: [0]}]\n",
     "'image[0].sites[0]' must be 'direct' or the number of a gateway, from 1 to 65535"},
    {"image: [{fault: deaf, percent: 1, sites: [1, 65536]}]\n", "'image[0].sites[1]' must be"},
    {"image: [{fault: deaf, percent: 1, sites: [4294967297]}]\n", "'image[0].sites[0]' must be"},
    {"image: [{fault: deaf, percent: 1, sites: [gw-1]}]\n", "'image[0].sites[0]' must be"},
    {"weather: [{from: 0, for: 0}]\n", "'weather[0].for' must be from 1ms to 365d"},
    {"weather: [{from: soon, for: 1h}]\n", "'weather[0].from' must be a duration"},
    {"weather: [{from: 0, for: 1h, offline: 200}]\n", "'weather[0].offline' must be a percentage"},
    {"weather: [{from: 0, for: 1h, drop: 200}]\n", "'weather[0].drop' must be a percentage"},
    {"events:\n  - {at: 1h, event: earthquake}\n",
     "s.yaml:2: 'events[0].event' must be one of gateway_crash, gateway_away, stale_cache, "
     "serind_crash, serind_restore, broker_restart, broker_old, power_cut, pause, resume, halt, "
     "advance, retry, abort, clock_jump, not 'earthquake'"},
    {"events: [{at: 1h, event: halt, for: 1h}]\n", "'events[0].for' does not go with halt"},
    {"events: [{at: 1h, event: serind_crash}]\n",
     "'events[0].for' must be given with serind_crash"},
    {"events: [{at: 1h, event: serind_restore, for: 1m}]\n",
     "'events[0].back' must be given with serind_restore"},
    {"events: [{at: 1h, event: serind_crash, for: 1m, back: 1m}]\n",
     "'events[0].back' does not go with serind_crash"},
    {"events: [{at: 1h, event: clock_jump}]\n", "'events[0].by' must be given with clock_jump"},
    {"events: [{at: 1h, event: clock_jump, by: 0}]\n", "'events[0].by' must be a duration"},
    {"events: [{at: 1h, event: clock_jump, by: --1h}]\n", "'events[0].by' must be a duration"},
    {"events: [{at: 1h, event: clock_jump, by: -366d}]\n", "'events[0].by' must be a duration"},
    {"events: [{at: 1h, event: power_cut, for: 1m}]\n",
     "'events[0].percent' must be given with power_cut"},
    {"events: [{at: 1h, event: power_cut, for: 1m, percent: 1, gateway: 1}]\n",
     "'events[0].gateway' does not go with power_cut"},
    {"events: [{at: 1h, event: gateway_away, for: 1m}]\n",
     "'events[0]' must have either 'gateway' or 'percent'"},
    {"events: [{at: 1h, event: gateway_away, for: 1m, gateway: 1, percent: 1}]\n",
     "'events[0]' must have either 'gateway' or 'percent'"},
    {"events: [{at: 1h, event: gateway_away, for: 1m, gateway: 0}]\n",
     "'events[0].gateway' must be a whole number from 1 to 65535"},
    {"events: [{at: 1h, event: gateway_away, for: 1m, gateway: 010}]\n",
     "'events[0].gateway' must be a whole number from 1 to 65535, not '010'"},
    {"events: [{at: 1h, event: gateway_away, for: 1m, gateway: 1.9}]\n",
     "'events[0].gateway' must be a whole number from 1 to 65535, not '1.9'"},
    {"image: [{fault: deaf, percent: 1, sites: [010]}]\n",
     "'image[0].sites[0]' must be 'direct' or the number of a gateway, from 1 to 65535"},
    {"image: [{fault: deaf, percent: 1, hardware: 1.0}]\n",
     "'image[0].hardware' must be a whole number from 1 to 65535, not '1.0'"},
    {"events: [{at: 366d, event: halt}]\n", "'events[0].at' must be from 0 to 365d"},
    {"events: [{event: halt}]\n", "at"},
};

START_TEST(wrong_values_are_named)
{
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        enum serin_error result = parse(wrongs[i].text);
        ck_assert_msg(result == SERIN_ERR_CONFIG, "taken: %s", wrongs[i].text);
        ck_assert_ptr_null(file.document);
        ck_assert_msg(strstr(error.text, wrongs[i].says) != NULL && error.line > 0,
                      "%s\nsaid: %s\nnot:  %s", wrongs[i].text, error.text, wrongs[i].says);
    }
}
END_TEST

/* One more entry than there is room for is refused, not cut. */
START_TEST(lists_are_bounded)
{
    static const struct {
        const char *key, *entry;
        size_t max;
    } lists[] = {
        {"image", "{fault: crash, percent: 1}", SERIN_SIM_BEHAVIOURS_MAX},
        {"weather", "{from: 0, for: 1h, drop: 1}", SERIN_SIM_WEATHER_MAX},
        {"events", "{at: 0, event: halt}", SERIN_SIM_EVENTS_MAX},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (size_t extra = 0; extra < 2; extra++) {
            size_t size = (size_t)snprintf(text, sizeof text, "%s:\n", lists[i].key);
            for (size_t k = 0; k < lists[i].max + extra; k++) {
                size +=
                    (size_t)snprintf(text + size, sizeof text - size, "  - %s\n", lists[i].entry);
            }
            ck_assert_int_eq(parse(text), extra == 0 ? SERIN_OK : SERIN_ERR_CONFIG);
            if (extra == 0) {
                serin_scenario_file_close(&file);
            }
        }
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        every_key_is_taken,
        events_must_fit_the_fleet,
        sites_must_have_devices,
        both_versions_have_rules,
        the_example_file_holds_the_defaults,
        the_examples_in_the_example_file_load,
        the_examples_of_the_page_load,
        wrong_values_are_named,
        lists_are_bounded,
        NULL,
    };
    return check_run("scenario_yaml", tests);
}
