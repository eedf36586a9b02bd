/* How a policy is shown (policy.h). */
#include "format.h"
#include "policy.h"

#include <serin/adapters/json.h>

#include <inttypes.h>
#include <string.h>

/* The gates as the file names them. */
static const struct {
    const char *name, *key;
    enum serin_gate gate;
    bool least; /* said from below */
} gates[] = {
    {"failures", "max_percent", SERIN_GATE_FAILURES, false},
    {"boot_success", "min_percent", SERIN_GATE_BOOTS, true},
    {"rollbacks", "max_percent", SERIN_GATE_ROLLBACKS, false},
    {"regressions", "max_percent", SERIN_GATE_REGRESSIONS, false},
    {"silence", "max_percent", SERIN_GATE_SILENCE, false},
    {"errors", "max_percent", SERIN_GATE_ERRORS, false},
};
#define GATES (sizeof gates / sizeof gates[0])

/* A limit as the file says it; "off" where nothing can exceed it. */
static void limit_format(const struct serin_gate_policy *gate, bool least,
                         char text[SERIN_PERCENT_SIZE])
{
    if (gate->max_permyriad == 10000) {
        (void)snprintf(text, SERIN_PERCENT_SIZE, "off");
    } else {
        serin_percent_format(least ? 10000 - gate->max_permyriad : gate->max_permyriad, text);
    }
}

static void days_format(uint8_t days, char text[32])
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    size_t used = 0;
    for (unsigned i = 0; i < 7; i++) {
        if (((unsigned)days >> i & 1u) != 0) {
            used += (size_t)snprintf(text + used, 32 - used, "%s%s", used > 0 ? "," : "", names[i]);
        }
    }
}

/* ---- text ---- */

static void print_seconds(const struct serin_cli *cli, const char *before, uint32_t seconds,
                          const char *after)
{
    char text[SERIN_UNITS_TEXT_SIZE];
    serin_duration_format(UINT64_C(1000) * seconds, text);
    serin_cli_print(cli, "%s%s%s", before, text, after);
}

static void print_percent(const struct serin_cli *cli, const char *before, uint32_t permyriad,
                          const char *after)
{
    char text[SERIN_PERCENT_SIZE];
    serin_percent_format(permyriad, text);
    serin_cli_print(cli, "%s%s%s", before, text, after);
}

static void print_releases(const struct serin_cli *cli, const struct serin_policy_file *file)
{
    char version[SERIN_VERSION_TEXT_SIZE];
    serin_cli_print(cli, "releases:\n");
    for (size_t i = 0; i < file->release_count; i++) {
        const struct serin_policy_release *release = &file->releases[i];
        if (release->manifest[0] != '\0') {
            serin_cli_print(cli, "  - {manifest: %s", release->manifest);
        } else {
            serin_version_format(release->version, version);
            serin_cli_print(cli, "  - {version: %s", version);
        }
        if (release->has_hardware) {
            serin_cli_print(cli, ", hardware: %u-%u", release->hw_min, release->hw_max);
        }
        serin_cli_print(cli, "}\n");
    }
}

static void print_stages(const struct serin_cli *cli, const struct serin_cli_policy *policy)
{
    const struct serin_policy *asked = &policy->file->policy;
    serin_cli_print(cli, "stages:\n");
    for (size_t i = 0; i < asked->stage_count; i++) {
        const struct serin_stage_policy *stage = &asked->stages[i];
        if (stage->permyriad > 0) {
            print_percent(cli, "  - {percent: ", stage->permyriad, "");
        } else {
            serin_cli_print(cli, "  - {count: %u", stage->count);
        }
        print_seconds(cli, ", soak: ", stage->soak_s, "");
        serin_cli_print(cli, ", approval: %s}", stage->approval ? "true" : "false");
        if (policy->devices > 0) {
            uint32_t fresh = serin_cli_policy_new(policy, i);
            serin_cli_print(cli, "   # %u device%s, %u of them new%s", policy->sizes[i],
                            policy->sizes[i] == 1 ? "" : "s", fresh,
                            fresh >= policy->successes      ? ""
                            : asked->test.small_stages_hold ? ": too few to be judged, holds"
                                                            : ": too few to be judged");
        }
        serin_cli_print(cli, "\n");
    }
}

static void print_gates(const struct serin_cli *cli, const struct serin_policy *policy)
{
    char limit[SERIN_PERCENT_SIZE];
    serin_cli_print(cli, "gates:\n");
    for (size_t i = 0; i < GATES; i++) {
        const struct serin_gate_policy *gate = &policy->gates[gates[i].gate];
        limit_format(gate, gates[i].least, limit);
        serin_cli_print(cli, "  %s: {%s: %s, minimum: %u}\n", gates[i].name, gates[i].key, limit,
                        gate->minimum);
    }
    serin_cli_print(cli, "  reasons:%s\n", policy->reason_count == 0 ? " []" : "");
    for (size_t i = 0; i < policy->reason_count; i++) {
        limit_format(&policy->reasons[i].gate, false, limit);
        serin_cli_print(cli, "    - {reason: %s, max_percent: %s, minimum: %u}\n",
                        serin_reason_word(policy->reasons[i].reason), limit,
                        policy->reasons[i].gate.minimum);
    }
    serin_cli_print(cli, "control_minimum: %u\n", policy->control_minimum);
}

static void print_test(const struct serin_cli *cli, const struct serin_policy *policy)
{
    print_percent(cli, "test:\n  accepted_percent: ", policy->test.accepted_permyriad, "\n");
    print_percent(cli, "  rejected_percent: ", policy->test.rejected_permyriad, "\n");
    print_percent(cli, "  alpha_percent: ", policy->test.alpha_permyriad, "\n");
    print_percent(cli, "  beta_percent: ", policy->test.beta_permyriad, "\n");
    serin_cli_print(cli, "  small_stages: %s\n", policy->test.small_stages_hold ? "hold" : "pass");
}

static void print_pace(const struct serin_cli *cli, const struct serin_policy *policy)
{
    char text[SERIN_CLI_TIME_SIZE];
    char days[32];
    serin_cli_print(cli, "ramp: {first: %u, growth_percent: %u", policy->ramp.first,
                    policy->ramp.growth_percent);
    print_seconds(cli, ", settle: ", policy->ramp.settle_s, "}\n");
    serin_cli_print(cli, "in_flight_max: %u\nrate_per_hour: %u\n", policy->in_flight_max,
                    policy->rate_per_hour);
    if (policy->start_s != 0) {
        serin_cli_format_time(policy->start_s, text);
        serin_cli_print(cli, "start: %s\n", text);
    }
    serin_cli_print(cli, "windows:%s\n", policy->window_count == 0 ? " []" : "");
    for (size_t i = 0; i < policy->window_count; i++) {
        const struct serin_window *window = &policy->windows[i];
        days_format(window->days, days);
        serin_cli_print(cli, "  - {days: \"%s\", from: \"%02u:%02u\", to: \"%02u:%02u\"}\n", days,
                        window->from_min / 60u, window->from_min % 60u, window->until_min / 60u,
                        window->until_min % 60u);
    }
}

static void print_rest(const struct serin_cli *cli, const struct serin_policy_file *file)
{
    const struct serin_policy *policy = &file->policy;
    serin_cli_print(cli, "on_halt: %s\n",
                    policy->on_halt == SERIN_ON_HALT_REVERT ? "revert" : "hold");
    print_seconds(cli, "patience: ", policy->patience_s, "\n");
    print_seconds(cli, "deadline: ", policy->deadline_s, "\n");
    print_seconds(cli, "lease: ", policy->lease_s, "\n");
    print_seconds(cli, "spread: ", policy->spread_s, "\n");
    serin_cli_print(cli, "site_failures_max: %u\n", policy->site_failures_max);
    serin_cli_print(cli, "revert: %s\nemergency: %s\nsupersede: %s\n",
                    policy->revert ? "true" : "false", policy->emergency ? "true" : "false",
                    policy->supersede ? "true" : "false");
    if (file->from != 0) {
        serin_cli_print(cli, "from: %llu\n", (unsigned long long)file->from);
    }
}

static void print_rehearsal(const struct serin_cli *cli, const char *what,
                            const struct serin_cli_rehearsal *rehearsal)
{
    serin_cli_print(cli,
                    "# An image that always fails, %s: %s after %u failure%s, offered to %u.\n",
                    what, serin_rollout_state_text(rehearsal->state), rehearsal->failed,
                    rehearsal->failed == 1 ? "" : "s", rehearsal->offered);
    if (rehearsal->why[0] != '\0') {
        serin_cli_print(cli, "#   %s\n", rehearsal->why);
    }
}

static uint32_t window_s(const struct serin_window *window)
{
    uint32_t until = window->until_min;
    until += until < window->from_min ? 24u * 60u : 0;
    return (until - window->from_min) * 60u;
}

/* Patience runs while a window is open only: one that is longer than any of them comes to days, and
 * a stage waits as long for whoever is out of reach before others take the place. */
static void print_patience(const struct serin_cli *cli, const struct serin_policy *policy)
{
    uint32_t longest_s = 0;
    uint32_t week_s = 0; /* overlaps are counted twice, which makes it look shorter */
    for (size_t i = 0; i < policy->window_count; i++) {
        uint32_t open_s = window_s(&policy->windows[i]);
        longest_s = open_s > longest_s ? open_s : longest_s;
        for (unsigned day = 0; day < 7; day++) {
            week_s += ((unsigned)policy->windows[i].days >> day & 1u) != 0 ? open_s : 0;
        }
    }
    if (longest_s == 0 || policy->emergency || policy->patience_s <= longest_s) {
        return;
    }
    print_seconds(cli, "\n# Patience counts while a window is open: ", policy->patience_s, "");
    uint64_t days = (policy->patience_s * UINT64_C(7) + week_s - 1u) / week_s;
    serin_cli_print(cli,
                    " of it take about %" PRIu64
                    " day%s here, and so long each\n# step may wait for "
                    "devices that are out of reach. At most ",
                    days, days == 1 ? "" : "s");
    print_seconds(cli, "", longest_s, ", a window's length, is better.\n");
}

void serin_cli_policy_print(const struct serin_cli *cli, const struct serin_cli_policy *policy)
{
    const struct serin_policy *asked = &policy->file->policy;
    if (asked->name[0] != '\0') {
        serin_cli_print(cli, "name: %s\n", asked->name);
    }
    serin_cli_print(cli, "product: %s\nchannel: %s\n", asked->product, asked->channel);
    print_releases(cli, policy->file);
    print_stages(cli, policy);
    print_gates(cli, asked);
    print_test(cli, asked);
    print_pace(cli, asked);
    print_rest(cli, policy->file);
    print_patience(cli, asked);
    serin_cli_print(cli, "\n# The test accepts a stage after %u successes without a failure.\n",
                    policy->successes);
    if (policy->devices > 0) {
        print_rehearsal(cli, "by the test alone", &policy->by_test);
        print_rehearsal(cli, "with the gates", &policy->by_all);
    } else {
        serin_cli_print(cli, "# With --devices N: the sizes of the stages, and what an image that "
                             "always fails would cost.\n");
    }
}

/* ---- JSON ---- */

static void put_percent(struct serin_json *json, const char *key, uint32_t permyriad)
{
    serin_json_put_real(json, key, permyriad / 100.0);
}

static struct serin_json *json_gate(const char *key, const struct serin_gate_policy *gate,
                                    bool least)
{
    struct serin_json *json = serin_json_object();
    put_percent(json, key, least ? 10000 - gate->max_permyriad : gate->max_permyriad);
    serin_json_put_number(json, "minimum", gate->minimum);
    return json;
}

static struct serin_json *json_gates(const struct serin_policy *policy)
{
    struct serin_json *json = serin_json_object();
    struct serin_json *reasons = serin_json_array();
    for (size_t i = 0; i < GATES; i++) {
        serin_json_put(json, gates[i].name,
                       json_gate(gates[i].key, &policy->gates[gates[i].gate], gates[i].least));
    }
    for (size_t i = 0; i < policy->reason_count; i++) {
        struct serin_json *gate = json_gate("max_percent", &policy->reasons[i].gate, false);
        serin_json_put_text(gate, "reason", serin_reason_word(policy->reasons[i].reason));
        serin_json_add(reasons, gate);
    }
    serin_json_put(json, "reasons", reasons);
    return json;
}

static struct serin_json *json_stages(const struct serin_cli_policy *policy)
{
    const struct serin_policy *asked = &policy->file->policy;
    struct serin_json *list = serin_json_array();
    for (size_t i = 0; i < asked->stage_count; i++) {
        const struct serin_stage_policy *stage = &asked->stages[i];
        struct serin_json *json = serin_json_object();
        if (stage->permyriad > 0) {
            put_percent(json, "percent", stage->permyriad);
        } else {
            serin_json_put_number(json, "count", stage->count);
        }
        serin_json_put_number(json, "soak_s", stage->soak_s);
        serin_json_put_bool(json, "approval", stage->approval);
        if (policy->devices > 0) {
            uint32_t fresh = serin_cli_policy_new(policy, i);
            serin_json_put_number(json, "devices", policy->sizes[i]);
            serin_json_put_number(json, "new", fresh);
            serin_json_put_bool(json, "judged", fresh >= policy->successes);
        }
        serin_json_add(list, json);
    }
    return list;
}

static struct serin_json *json_releases(const struct serin_policy_file *file)
{
    struct serin_json *list = serin_json_array();
    for (size_t i = 0; i < file->release_count; i++) {
        const struct serin_policy_release *release = &file->releases[i];
        struct serin_json *json = serin_json_object();
        char version[SERIN_VERSION_TEXT_SIZE];
        if (release->manifest[0] != '\0') {
            serin_json_put_text(json, "manifest", release->manifest);
        } else {
            serin_version_format(release->version, version);
            serin_json_put_text(json, "version", version);
        }
        if (release->has_hardware) {
            serin_json_put_number(json, "hw_min", release->hw_min);
            serin_json_put_number(json, "hw_max", release->hw_max);
        }
        serin_json_add(list, json);
    }
    return list;
}

static void json_pace(struct serin_json *json, const struct serin_policy *policy)
{
    struct serin_json *ramp = serin_json_object();
    struct serin_json *windows = serin_json_array();
    serin_json_put_number(ramp, "first", policy->ramp.first);
    serin_json_put_number(ramp, "growth_percent", policy->ramp.growth_percent);
    serin_json_put_number(ramp, "settle_s", policy->ramp.settle_s);
    serin_json_put(json, "ramp", ramp);
    serin_json_put_number(json, "in_flight_max", policy->in_flight_max);
    serin_json_put_number(json, "rate_per_hour", policy->rate_per_hour);
    serin_json_put_number(json, "start_s", policy->start_s);
    for (size_t i = 0; i < policy->window_count; i++) {
        struct serin_json *window = serin_json_object();
        char days[32];
        days_format(policy->windows[i].days, days);
        serin_json_put_text(window, "days", days);
        serin_json_put_number(window, "from_min", policy->windows[i].from_min);
        serin_json_put_number(window, "to_min", policy->windows[i].until_min);
        serin_json_add(windows, window);
    }
    serin_json_put(json, "windows", windows);
}

static void json_rest(struct serin_json *json, const struct serin_policy_file *file)
{
    const struct serin_policy *policy = &file->policy;
    serin_json_put_text(json, "on_halt",
                        policy->on_halt == SERIN_ON_HALT_REVERT ? "revert" : "hold");
    serin_json_put_number(json, "patience_s", policy->patience_s);
    serin_json_put_number(json, "deadline_s", policy->deadline_s);
    serin_json_put_number(json, "lease_s", policy->lease_s);
    serin_json_put_number(json, "spread_s", policy->spread_s);
    serin_json_put_number(json, "site_failures_max", policy->site_failures_max);
    serin_json_put_bool(json, "revert", policy->revert);
    serin_json_put_bool(json, "emergency", policy->emergency);
    serin_json_put_bool(json, "supersede", policy->supersede);
    if (file->from != 0) {
        serin_json_put_number(json, "from", file->from);
    }
}

static struct serin_json *json_test(const struct serin_cli_policy *policy)
{
    const struct serin_test_policy *test = &policy->file->policy.test;
    struct serin_json *json = serin_json_object();
    put_percent(json, "accepted_percent", test->accepted_permyriad);
    put_percent(json, "rejected_percent", test->rejected_permyriad);
    put_percent(json, "alpha_percent", test->alpha_permyriad);
    put_percent(json, "beta_percent", test->beta_permyriad);
    serin_json_put_text(json, "small_stages", test->small_stages_hold ? "hold" : "pass");
    serin_json_put_number(json, "successes", policy->successes);
    return json;
}

static struct serin_json *json_rehearsal(const struct serin_cli_rehearsal *rehearsal)
{
    struct serin_json *json = serin_json_object();
    serin_json_put_text(json, "state", serin_rollout_state_text(rehearsal->state));
    serin_json_put_number(json, "failed", rehearsal->failed);
    serin_json_put_number(json, "offered", rehearsal->offered);
    serin_json_put_text(json, "why", rehearsal->why);
    return json;
}

void serin_cli_policy_print_json(const struct serin_cli *cli, const struct serin_cli_policy *policy)
{
    const struct serin_policy *asked = &policy->file->policy;
    struct serin_json *json = serin_json_object();
    serin_json_put_text(json, "name", asked->name);
    serin_json_put_text(json, "product", asked->product);
    serin_json_put_text(json, "channel", asked->channel);
    serin_json_put(json, "releases", json_releases(policy->file));
    serin_json_put(json, "stages", json_stages(policy));
    serin_json_put(json, "gates", json_gates(asked));
    serin_json_put_number(json, "control_minimum", asked->control_minimum);
    serin_json_put(json, "test", json_test(policy));
    json_pace(json, asked);
    json_rest(json, policy->file);
    if (policy->devices > 0) {
        serin_json_put_number(json, "devices", policy->devices);
        serin_json_put(json, "always_fails_by_test", json_rehearsal(&policy->by_test));
        serin_json_put(json, "always_fails", json_rehearsal(&policy->by_all));
    }
    serin_cli_print_json(cli, json);
}
