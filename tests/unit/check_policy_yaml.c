/*
 * The policy's YAML: every key is taken, configs/policy.yaml and the table of docs/spec/policy.md
 * say the defaults, which are the engine's, each wrong value is one exact reason with field and
 * line.
 */
#include "check_main.h"

#include <serin/adapters/policy.h>

#include <stdio.h>
#include <string.h>

#define HEAD "product: lamp\nchannel: stable\n"
#define REL  "releases: [{version: 2.0.0}]\n"

/* Rows of the table of docs/spec/policy.md, and those of them whose default can be written. */
#define TABLE_KEYS     54u
#define TABLE_DEFAULTS 32u

static enum serin_error parse(struct serin_policy_file *file, const char *text,
                              struct serin_yaml_error *error)
{
    return serin_policy_file_open(file, "policy.yaml", text, strlen(text), error);
}

START_TEST(every_key_is_taken)
{
    static const char text[] = "name: spring-release\n"
                               "product: lamp\n"
                               "channel: stable\n"
                               "releases:\n"
                               "  - manifest: 6F1Cabcd\n"
                               "    hardware: 1-3\n"
                               "  - version: 2.0.1\n"
                               "    hardware: 7\n"
                               "stages:\n"
                               "  - {count: 10, soak: 0, approval: true}\n"
                               "  - {percent: 12.5, soak: 90s}\n"
                               "  - {percent: 100}\n"
                               "gates:\n"
                               "  failures: {max_percent: 0.5, minimum: 20}\n"
                               "  reasons: [{reason: flash, max_percent: 1}]\n"
                               "control_minimum: 40\n"
                               "test: {accepted_percent: 1, small_stages: hold}\n"
                               "ramp: {first: 4, growth_percent: 20, settle: 30s}\n"
                               "in_flight_max: 100\n"
                               "rate_per_hour: 1000\n"
                               "start: 2026-12-01T02:00:00Z\n"
                               "windows: [{days: sat-sun}]\n"
                               "on_halt: revert\n"
                               "patience: 2m\n"
                               "deadline: 3h\n"
                               "lease: 1d\n"
                               "spread: 5s\n"
                               "site_failures_max: 4\n"
                               "revert: true\n"
                               "emergency: true\n"
                               "supersede: true\n"
                               "from: 12\n";
    struct serin_policy_file file;
    struct serin_yaml_error error;
    ck_assert_int_eq(parse(&file, text, &error), SERIN_OK);
    const struct serin_policy *policy = &file.policy;
    ck_assert_str_eq(policy->name, "spring-release");
    ck_assert_str_eq(policy->product, "lamp");
    ck_assert_str_eq(policy->channel, "stable");
    ck_assert_uint_eq(policy->offer_count, 0);
    ck_assert_uint_eq(file.release_count, 2);
    ck_assert_str_eq(file.releases[0].manifest, "6f1cabcd");
    ck_assert(file.releases[0].has_hardware);
    ck_assert_uint_eq(file.releases[0].hw_min, 1);
    ck_assert_uint_eq(file.releases[0].hw_max, 3);
    ck_assert_str_eq(file.releases[1].manifest, "");
    ck_assert_uint_eq(file.releases[1].version.major, 2);
    ck_assert_uint_eq(file.releases[1].version.patch, 1);
    ck_assert_uint_eq(file.releases[1].hw_min, 7);
    ck_assert_uint_eq(file.releases[1].hw_max, 7);
    ck_assert_uint_eq(policy->stage_count, 3);
    ck_assert_uint_eq(policy->stages[0].count, 10);
    ck_assert_uint_eq(policy->stages[0].permyriad, 0);
    ck_assert_uint_eq(policy->stages[0].soak_s, 0);
    ck_assert(policy->stages[0].approval);
    ck_assert_uint_eq(policy->stages[1].permyriad, 1250);
    ck_assert_uint_eq(policy->stages[1].soak_s, 90);
    ck_assert_uint_eq(policy->stages[2].permyriad, 10000);
    ck_assert_uint_eq(policy->stages[2].soak_s, 86400);
    ck_assert_uint_eq(policy->gates[SERIN_GATE_FAILURES].max_permyriad, 50);
    ck_assert_uint_eq(policy->gates[SERIN_GATE_FAILURES].minimum, 20);
    ck_assert_uint_eq(policy->reason_count, 1);
    ck_assert_int_eq(policy->reasons[0].reason, SERIN_REASON_FLASH);
    ck_assert_uint_eq(policy->control_minimum, 40);
    ck_assert_uint_eq(policy->test.accepted_permyriad, 100);
    ck_assert(policy->test.small_stages_hold);
    ck_assert_uint_eq(policy->ramp.first, 4);
    ck_assert_uint_eq(policy->ramp.growth_percent, 20);
    ck_assert_uint_eq(policy->ramp.settle_s, 30);
    ck_assert_uint_eq(policy->in_flight_max, 100);
    ck_assert_uint_eq(policy->rate_per_hour, 1000);
    ck_assert_uint_eq(policy->start_s, 1796090400);
    ck_assert_uint_eq(policy->window_count, 1);
    ck_assert_uint_eq(policy->windows[0].days, 0x60);
    ck_assert_int_eq(policy->on_halt, SERIN_ON_HALT_REVERT);
    ck_assert_uint_eq(policy->patience_s, 120);
    ck_assert_uint_eq(policy->deadline_s, 10800);
    ck_assert_uint_eq(policy->lease_s, 86400);
    ck_assert_uint_eq(policy->spread_s, 5);
    ck_assert_uint_eq(policy->site_failures_max, 4);
    ck_assert(policy->revert && policy->emergency && policy->supersede);
    ck_assert_uint_eq(file.from, 12);
    serin_policy_file_close(&file);
}
END_TEST

static void file_read(const char *path, char *text, size_t room, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    *size = fread(text, 1, room - 1, file);
    ck_assert_int_ne(feof(file), 0);
    ck_assert_int_eq(fclose(file), 0);
    text[*size] = '\0';
}

static bool same_judgement(const struct serin_policy *policy, const struct serin_policy *want)
{
    return memcmp(policy->gates, want->gates, sizeof want->gates) == 0 &&
           policy->reason_count == want->reason_count &&
           policy->control_minimum == want->control_minimum &&
           policy->test.accepted_permyriad == want->test.accepted_permyriad &&
           policy->test.rejected_permyriad == want->test.rejected_permyriad &&
           policy->test.alpha_permyriad == want->test.alpha_permyriad &&
           policy->test.beta_permyriad == want->test.beta_permyriad &&
           policy->test.small_stages_hold == want->test.small_stages_hold &&
           policy->on_halt == want->on_halt;
}

static bool same_pace(const struct serin_policy *policy, const struct serin_policy *want)
{
    return memcmp(&policy->ramp, &want->ramp, sizeof want->ramp) == 0 &&
           policy->in_flight_max == want->in_flight_max &&
           policy->rate_per_hour == want->rate_per_hour && policy->start_s == want->start_s &&
           policy->window_count == want->window_count && policy->patience_s == want->patience_s &&
           policy->deadline_s == want->deadline_s && policy->lease_s == want->lease_s &&
           policy->spread_s == want->spread_s &&
           policy->site_failures_max == want->site_failures_max;
}

/* Whether all is as it is where nobody says otherwise, but names and releases. */
static bool is_default(const struct serin_policy *policy)
{
    struct serin_policy want;
    serin_policy_default(&want);
    bool same = policy->stage_count == want.stage_count;
    for (size_t i = 0; same && i < want.stage_count; i++) {
        const struct serin_stage_policy *stage = &policy->stages[i];
        same = stage->permyriad == want.stages[i].permyriad && stage->count == 0 &&
               stage->soak_s == want.stages[i].soak_s && !stage->approval;
    }
    return same && same_judgement(policy, &want) && same_pace(policy, &want) &&
           policy->revert == want.revert && policy->emergency == want.emergency &&
           policy->supersede == want.supersede;
}

/* The file that operators copy loads, and what it says is what they get without it. Caught: a value
 * of the file that is no default; a key that the file does not show. */
START_TEST(the_example_file_holds_the_defaults)
{
    static const char *const keys[] = {"name",
                                       "product",
                                       "channel",
                                       "releases",
                                       "version",
                                       "manifest",
                                       "hardware",
                                       "stages",
                                       "percent",
                                       "count",
                                       "soak",
                                       "approval",
                                       "gates",
                                       "failures",
                                       "boot_success",
                                       "rollbacks",
                                       "regressions",
                                       "silence",
                                       "errors",
                                       "reasons",
                                       "reason",
                                       "max_percent",
                                       "min_percent",
                                       "minimum",
                                       "control_minimum",
                                       "test",
                                       "accepted_percent",
                                       "rejected_percent",
                                       "alpha_percent",
                                       "beta_percent",
                                       "small_stages",
                                       "ramp",
                                       "first",
                                       "growth_percent",
                                       "settle",
                                       "in_flight_max",
                                       "rate_per_hour",
                                       "start",
                                       "windows",
                                       "days",
                                       "to",
                                       "on_halt",
                                       "patience",
                                       "deadline",
                                       "lease",
                                       "spread",
                                       "site_failures_max",
                                       "revert",
                                       "emergency",
                                       "supersede",
                                       "from"};
    static char text[32768];
    size_t size = 0;
    file_read(POLICY_YAML, text, sizeof text, &size);
    struct serin_policy_file file;
    struct serin_yaml_error error;
    ck_assert_msg(serin_policy_file_open(&file, POLICY_YAML, text, size, &error) == SERIN_OK,
                  "line %u: %s", error.line, error.reason);
    ck_assert_str_eq(file.policy.name, "spring-release");
    ck_assert_msg(is_default(&file.policy), "a value of the file is not the default");
    ck_assert_uint_eq(file.release_count, 1);
    ck_assert_uint_eq(file.releases[0].hw_max, 3);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char key[40];
        (void)snprintf(key, sizeof key, "%s:", keys[i]);
        ck_assert_msg(strstr(text, key) != NULL, "%s does not stand in the file", keys[i]);
    }
    serin_policy_file_close(&file);
}
END_TEST

START_TEST(the_example_of_the_manual_loads)
{
    static char text[32768];
    size_t size = 0;
    file_read(POLICY_MD, text, sizeof text, &size);
    char *begin = strstr(text, "```yaml\n");
    ck_assert_ptr_nonnull(begin);
    begin += strlen("```yaml\n");
    char *end = strstr(begin, "```");
    ck_assert_ptr_nonnull(end);
    *end = '\0';
    struct serin_policy_file file;
    struct serin_yaml_error error;
    ck_assert_msg(parse(&file, begin, &error) == SERIN_OK, "%s", error.reason);
    ck_assert_uint_eq(file.policy.stage_count, 3);
    serin_policy_file_close(&file);
}
END_TEST

/* "gates.silence.minimum", "30" → "gates: {silence: {minimum: 30}}". */
static void nest(const char *key, const char *value, char *text, size_t room)
{
    size_t depth = 0;
    size_t used = 0;
    for (const char *dot = strchr(key, '.'); dot != NULL; dot = strchr(key, '.')) {
        used += (size_t)snprintf(text + used, room - used, "%.*s: {", (int)(dot - key), key);
        key = dot + 1;
        depth++;
    }
    used += (size_t)snprintf(text + used, room - used, "%s: %s", key, value);
    for (; depth > 0; depth--) {
        used += (size_t)snprintf(text + used, room - used, "}");
    }
}

/* Whether the default cell of a row is a value that can be written in the file. */
static bool can_be_written(const char *key, const char *value)
{
    static const char *const words[] = {"required", "none", "\u2013", "the ", "1, 10"};
    bool list = strchr(key, '[') != NULL;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        list = list || strncmp(value, words[i], strlen(words[i])) == 0;
    }
    return !list;
}

/* The table of docs/spec/policy.md has every key and the loader's defaults. Caught: a key left out
 * of the table or misspelt; a default that is not the loader's. */
START_TEST(the_table_of_the_manual_is_the_loaders)
{
    static char text[32768];
    size_t size = 0;
    unsigned keys = 0, written = 0;
    file_read(POLICY_MD, text, sizeof text, &size);
    char *table = strstr(text, "\n## 4. Keys\n");
    ck_assert_ptr_nonnull(table);
    for (char *row = strstr(table, "\n| `"); row != NULL; row = strstr(row + 1, "\n| `")) {
        char key[48], value[48], line[128], document[192];
        ck_assert_int_eq(sscanf(row, "\n| `%47[^`]` | %47[^|]", key, value), 2);
        keys++;
        if (!can_be_written(key, value)) {
            continue;
        }
        struct serin_policy_file file;
        struct serin_yaml_error error;
        written++;
        nest(key, value, line, sizeof line);
        (void)snprintf(document, sizeof document, HEAD REL "%s\n", line);
        ck_assert_msg(parse(&file, document, &error) == SERIN_OK, "%s: %s", key, error.reason);
        ck_assert_msg(is_default(&file.policy), "%s is not %s without the key", key, value);
        serin_policy_file_close(&file);
    }
    ck_assert_uint_eq(keys, TABLE_KEYS);
    ck_assert_uint_eq(written, TABLE_DEFAULTS);
}
END_TEST

START_TEST(defaults_are_the_engines)
{
    struct serin_policy_file file;
    struct serin_yaml_error error;
    struct serin_policy defaults;
    serin_policy_default(&defaults);
    ck_assert_int_eq(parse(&file, HEAD REL, &error), SERIN_OK);
    ck_assert_mem_eq(file.policy.stages, defaults.stages, sizeof defaults.stages);
    ck_assert(is_default(&file.policy));
    ck_assert_uint_eq(file.from, 0);
    ck_assert(!file.releases[0].has_hardware);
    serin_policy_file_close(&file);
}
END_TEST

/* Each document, and the field, reason and line that it must be refused with. */
static const struct {
    const char *text, *field, *reason;
    unsigned line;
} wrong[] = {
    {HEAD REL "speed: 1\n", "speed", "unknown key 'speed'; did you mean 'spread'?", 4},
    {HEAD REL "name: 'a b'\n", "name", "'name' may contain letters, digits, '_', '.' and '-' only",
     4},
    {"product: la/mp\nchannel: stable\n" REL, "product",
     "'product' may contain letters, digits, '_' and '-' only", 1},
    {"product: lamp\nchannel: a+b\n" REL, "channel",
     "'channel' may contain letters, digits, '_' and '-' only", 2},
    {HEAD "releases: [{hardware: 1}]\n", "releases[0]",
     "'releases[0]' must have either 'manifest' or 'version'", 3},
    {HEAD "releases: [{version: 1.0.0, manifest: 0123456789}]\n", "releases[0]",
     "'releases[0]' must have either 'manifest' or 'version'", 3},
    {HEAD "releases: [{manifest: 1234567}]\n", "releases[0].manifest",
     "'releases[0].manifest' must be a manifest id or its first 8 digits or more (0-9, a-f)", 3},
    {HEAD "releases: [{manifest: 1234567g}]\n", "releases[0].manifest",
     "'releases[0].manifest' must be a manifest id or its first 8 digits or more (0-9, a-f)", 3},
    {HEAD "releases: [{version: 1.0}]\n", "releases[0].version",
     "'releases[0].version' must be a version such as 1.2.3, not '1.0'", 3},
    {HEAD "releases: [{version: 1.0.0, hardware: 3-1}]\n", "releases[0].hardware",
     "'releases[0].hardware' must be a revision or a range such as 1-3, from 1 to 65535", 3},
    {HEAD "releases: [{version: 1.0.0, hardware: 0-1}]\n", "releases[0].hardware",
     "'releases[0].hardware' must be a revision or a range such as 1-3, from 1 to 65535", 3},
    {HEAD "releases: [{version: 1.0.0, hardware: 1-65536}]\n", "releases[0].hardware",
     "'releases[0].hardware' must be a revision or a range such as 1-3, from 1 to 65535", 3},
    {HEAD "releases:\n  - {version: 1.0.0, hardware: 1-3}\n  - {version: 2.0.0, hardware: 3-7}\n",
     "releases[1].hardware",
     "'releases[1].hardware' must not overlap with that of the other release: 1-3 and 3-7", 5},
    {HEAD "releases: [{version: 1.0.0, hardware: 4}, {version: 2.0.0, hardware: 1-9}]\n",
     "releases[1].hardware",
     "'releases[1].hardware' must not overlap with that of the other release: 4 and 1-9", 3},
    {HEAD REL "stages:\n  - {soak: 1h}\n", "stages[0]",
     "'stages[0]' must have either 'percent' or 'count'", 5},
    {HEAD REL "stages:\n  - {percent: 0}\n", "stages[0].percent",
     "'stages[0].percent' must be from 0.01 to 100, with at most two decimals, not '0'", 5},
    {HEAD REL "stages:\n  - {percent: 100.01}\n", "stages[0].percent",
     "'stages[0].percent' must be from 0.01 to 100, with at most two decimals, not '100.01'", 5},
    {HEAD REL "stages:\n  - {percent: 0.001}\n", "stages[0].percent",
     "'stages[0].percent' must be from 0.01 to 100, with at most two decimals, not '0.001'", 5},
    {HEAD REL "stages:\n  - {percent: -1}\n", "stages[0].percent",
     "'stages[0].percent' must be from 0.01 to 100, with at most two decimals, not '-1'", 5},
    {HEAD REL "stages:\n  - {count: 0}\n", "stages[0].count",
     "'stages[0].count' must be a whole number from 1 to 4294967295, not '0'", 5},
    {HEAD REL "stages:\n  - {percent: 10}\n  - {percent: 10}\n", "stages[1].percent",
     "'stages[1].percent' must be larger than in the stages before: 10 after 10", 6},
    {HEAD REL "stages:\n  - {count: 10}\n  - {count: 9}\n", "stages[1].count",
     "'stages[1].count' must be larger than in the stages before: 9 after 10", 6},
    {HEAD REL "stages:\n  - {percent: 10}\n", "stages[0]",
     "'stages[0]' is the last stage and must have percent: 100", 5},
    {HEAD REL "stages:\n  - {percent: 100, soak: 1500ms}\n", "stages[0].soak",
     "'stages[0].soak' must be whole seconds", 5},
    {HEAD REL "gate: {resolved_min: 1}\n", "gate", "unknown key 'gate'; did you mean 'gates'?", 4},
    {HEAD REL "from: 0\n", "from", "'from' must be the id of a rollout, 1 or more, not '0'", 4},
    {HEAD REL "from: -1\n", "from", "'from' must be the id of a rollout, 1 or more, not '-1'", 4},
    {HEAD REL "from: 1.5\n", "from", "'from' must be the id of a rollout, 1 or more, not '1.5'", 4},
    {HEAD REL "from: 0x10\n", "from", "'from' must be the id of a rollout, 1 or more, not '0x10'",
     4},
    {HEAD REL "from: 010\n", "from", "'from' must be the id of a rollout, 1 or more, not '010'", 4},
    {HEAD REL "from: 18446744073709551616\n", "from",
     "'from' must be the id of a rollout, 1 or more, not '18446744073709551616'", 4},
};

START_TEST(each_wrong_value_is_one_clear_reason)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct serin_policy_file file;
        struct serin_yaml_error error;
        ck_assert_int_eq(parse(&file, wrong[i].text, &error), SERIN_ERR_CONFIG);
        ck_assert_str_eq(error.reason, wrong[i].reason);
        ck_assert_str_eq(error.field, wrong[i].field);
        ck_assert_uint_eq(error.line, wrong[i].line);
    }
}
END_TEST

/* Limits of durations are told by the loader in its own words: the field is what matters here. */
START_TEST(times_have_limits)
{
    static const struct {
        const char *text, *field;
    } times[] = {
        {HEAD REL "patience: 0\n", "patience"},
        {HEAD REL "deadline: 31d\n", "deadline"},
        {HEAD REL "lease: 59s\n", "lease"},
        {HEAD REL "lease: 31d\n", "lease"},
        {HEAD REL "spread: 25h\n", "spread"},
        {HEAD REL "stages: [{percent: 100, soak: 31d}]\n", "stages[0].soak"},
        {HEAD REL "patience: soon\n", "patience"},
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct serin_policy_file file;
        struct serin_yaml_error error;
        ck_assert_int_eq(parse(&file, times[i].text, &error), SERIN_ERR_CONFIG);
        ck_assert_str_eq(error.field, times[i].field);
    }
}
END_TEST

/* A count of devices may stand before or between shares: nobody can say yet which is larger. */
START_TEST(counts_and_shares_mix)
{
    struct serin_policy_file file;
    struct serin_yaml_error error;
    ck_assert_int_eq(
        parse(&file, HEAD REL "stages: [{count: 5}, {percent: 1}, {count: 500}, {percent: 100}]\n",
              &error),
        SERIN_OK);
    serin_policy_file_close(&file);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        every_key_is_taken,
        the_example_file_holds_the_defaults,
        the_example_of_the_manual_loads,
        the_table_of_the_manual_is_the_loaders,
        defaults_are_the_engines,
        each_wrong_value_is_one_clear_reason,
        times_have_limits,
        counts_and_shares_mix,
        NULL,
    };
    return check_run("policy_yaml", list);
}
