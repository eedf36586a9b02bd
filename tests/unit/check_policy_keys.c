/*
 * The policy's YAML key by key, for what judges and paces a rollout: the ends of each range, what
 * may be left out, words that are not known, and keys that contradict each other.
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"

#include <serin/adapters/policy.h>

#include <stdio.h>
#include <string.h>

#define HEAD "product: lamp\nchannel: stable\nreleases: [{version: 2.0.0}]\n"
#define LINE 4u /* of what follows the head */

static enum serin_error parse(struct serin_policy_file *file, const char *text,
                              struct serin_yaml_error *error)
{
    char document[512];
    (void)snprintf(document, sizeof document, HEAD "%s\n", text);
    return serin_policy_file_open(file, "policy.yaml", document, strlen(document), error);
}

/* What stands in the policy for `text`; it must be taken. */
static struct serin_policy taken(const char *text)
{
    struct serin_policy_file file;
    struct serin_yaml_error error;
    ck_assert_msg(parse(&file, text, &error) == SERIN_OK, "%s: %s", text, error.reason);
    struct serin_policy policy = file.policy;
    serin_policy_file_close(&file);
    return policy;
}

/* ---- gates ---- */

static const struct {
    const char *name, *key;
    enum serin_gate gate;
    bool least;
} gates[] = {
    {"failures", "max_percent", SERIN_GATE_FAILURES, false},
    {"boot_success", "min_percent", SERIN_GATE_BOOTS, true},
    {"rollbacks", "max_percent", SERIN_GATE_ROLLBACKS, false},
    {"regressions", "max_percent", SERIN_GATE_REGRESSIONS, false},
    {"silence", "max_percent", SERIN_GATE_SILENCE, false},
    {"errors", "max_percent", SERIN_GATE_ERRORS, false},
};

/* Every gate with both ends of both ranges, one half of it, and off; the others stay what they are.
 * Caught: min_percent stored as it is written; a gate read into its neighbour; `off` taken for 0.
 */
START_TEST(a_gate_is_read_into_its_place)
{
    static const struct {
        const char *percent;
        uint32_t permyriad; /* as a limit from above */
        uint32_t from_below;
    } ends[] = {{"0", 0, 10000}, {"0.01", 1, 9999}, {"100", 10000, 0}, {"off", 10000, 10000}};
    static const uint32_t minimums[] = {1, 1000000};
    struct serin_policy defaults;
    serin_policy_default(&defaults);
    for (size_t i = 0; i < 4 * 2; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "gates: {%s: {%s: %s, minimum: %u}}", gates[_i].name,
                       gates[_i].key, ends[i / 2].percent, minimums[i % 2]);
        struct serin_policy policy = taken(text);
        const struct serin_gate_policy *gate = &policy.gates[gates[_i].gate];
        ck_assert_uint_eq(gate->max_permyriad,
                          gates[_i].least ? ends[i / 2].from_below : ends[i / 2].permyriad);
        ck_assert_uint_eq(gate->minimum, minimums[i % 2]);
        for (unsigned other = SERIN_GATE_FAILURES; other < SERIN_GATE_COUNT; other++) {
            ck_assert(other == (unsigned)gates[_i].gate ||
                      memcmp(&policy.gates[other], &defaults.gates[other], sizeof *gate) == 0);
        }
    }
}
END_TEST

START_TEST(half_a_gate_leaves_the_other_half)
{
    struct serin_policy defaults;
    serin_policy_default(&defaults);
    struct serin_policy policy = taken("gates: {rollbacks: {minimum: 7}, silence: {}}");
    ck_assert_uint_eq(policy.gates[SERIN_GATE_ROLLBACKS].max_permyriad,
                      defaults.gates[SERIN_GATE_ROLLBACKS].max_permyriad);
    ck_assert_uint_eq(policy.gates[SERIN_GATE_ROLLBACKS].minimum, 7);
    ck_assert_mem_eq(&policy.gates[SERIN_GATE_SILENCE], &defaults.gates[SERIN_GATE_SILENCE],
                     sizeof(struct serin_gate_policy));
    policy = taken("gates: {boot_success: {min_percent: 99.5}}");
    ck_assert_uint_eq(policy.gates[SERIN_GATE_BOOTS].max_permyriad, 50);
    ck_assert_uint_eq(policy.gates[SERIN_GATE_BOOTS].minimum,
                      defaults.gates[SERIN_GATE_BOOTS].minimum);
}
END_TEST

/* Caught: a reason that no failed device can have; the second of a pair read over the first. */
START_TEST(reasons_are_those_for_which_devices_fail)
{
    static const char *const no[] = {"none",      "not_newer", "halted", "newer_directive",
                                     "withdrawn", "site",      "lease"};
    unsigned fails = 0;
    for (unsigned i = SERIN_REASON_NONE; i < SERIN_REASON_COUNT; i++) {
        const char *word = serin_reason_word((enum serin_reason)i);
        bool refused = false;
        char text[128];
        for (size_t j = 0; j < sizeof no / sizeof no[0]; j++) {
            refused = refused || strcmp(word, no[j]) == 0;
        }
        (void)snprintf(text, sizeof text, "gates: {reasons: [{reason: %s, max_percent: 1}]}", word);
        struct serin_policy_file file;
        struct serin_yaml_error error;
        enum serin_error result = parse(&file, text, &error);
        ck_assert_msg(result == (refused ? SERIN_ERR_CONFIG : SERIN_OK), "%s: %d", word, result);
        if (result == SERIN_OK) {
            ck_assert_uint_eq(file.policy.reason_count, 1);
            ck_assert_uint_eq(file.policy.reasons[0].reason, i);
            ck_assert_uint_eq(file.policy.reasons[0].gate.max_permyriad, 100);
            ck_assert_uint_eq(file.policy.reasons[0].gate.minimum, 1);
            serin_policy_file_close(&file);
            fails++;
        }
    }
    ck_assert_uint_eq(fails, SERIN_REASON_COUNT - 1u - sizeof no / sizeof no[0]);
    struct serin_policy policy =
        taken("gates: {reasons: [{reason: crash, max_percent: off, minimum: 9}, "
              "{reason: delta, max_percent: 0}]}");
    ck_assert_uint_eq(policy.reason_count, 2);
    ck_assert_int_eq(policy.reasons[0].reason, SERIN_REASON_CRASH);
    ck_assert_uint_eq(policy.reasons[0].gate.max_permyriad, 10000);
    ck_assert_uint_eq(policy.reasons[0].gate.minimum, 9);
    ck_assert_int_eq(policy.reasons[1].reason, SERIN_REASON_DELTA);
    ck_assert_uint_eq(policy.reasons[1].gate.max_permyriad, 0);
    ck_assert_uint_eq(taken("gates: {reasons: []}").reason_count, 0);
}
END_TEST

/* ---- test, ramp, pace ---- */

START_TEST(the_test_is_read)
{
    struct serin_policy policy =
        taken("test: {accepted_percent: 0.01, rejected_percent: 90, "
              "alpha_percent: 20, beta_percent: 0.01, small_stages: hold}");
    ck_assert_uint_eq(policy.test.accepted_permyriad, 1);
    ck_assert_uint_eq(policy.test.rejected_permyriad, 9000);
    ck_assert_uint_eq(policy.test.alpha_permyriad, 2000);
    ck_assert_uint_eq(policy.test.beta_permyriad, 1);
    ck_assert(policy.test.small_stages_hold);
    policy = taken("test: {accepted_percent: 1.99, alpha_percent: 0.01, beta_percent: 20, "
                   "small_stages: pass}");
    ck_assert_uint_eq(policy.test.accepted_permyriad, 199);
    ck_assert_uint_eq(policy.test.rejected_permyriad, 200);
    ck_assert_uint_eq(policy.test.alpha_permyriad, 1);
    ck_assert_uint_eq(policy.test.beta_permyriad, 2000);
    ck_assert(!policy.test.small_stages_hold);
}
END_TEST

/* Caught: a settle time of ten minutes kept beside a patience of two, so that a short policy is
 * refused for a key that it does not have. */
START_TEST(the_ramp_is_read_and_settles_within_patience)
{
    struct serin_policy policy = taken("ramp: {first: 0, growth_percent: 1, settle: 1s}");
    ck_assert_uint_eq(policy.ramp.first, 0);
    ck_assert_uint_eq(policy.ramp.growth_percent, 1);
    ck_assert_uint_eq(policy.ramp.settle_s, 1);
    policy = taken("ramp: {first: 1000000, growth_percent: 100, settle: 6h}");
    ck_assert_uint_eq(policy.ramp.first, 1000000);
    ck_assert_uint_eq(policy.ramp.growth_percent, 100);
    ck_assert_uint_eq(policy.ramp.settle_s, 21600);
    ck_assert_uint_eq(taken("patience: 2m").ramp.settle_s, 120);
    ck_assert_uint_eq(taken("patience: 2m\nramp: {first: 3}").ramp.settle_s, 120);
    ck_assert_uint_eq(taken("patience: 2m\nramp: {settle: 2m}").ramp.settle_s, 120);
    ck_assert_uint_eq(taken("patience: 600s").ramp.settle_s, 600);
}
END_TEST

START_TEST(the_pace_is_read)
{
    struct serin_policy policy = taken("in_flight_max: 4294967295\nrate_per_hour: 4294967295");
    ck_assert_uint_eq(policy.in_flight_max, UINT32_MAX);
    ck_assert_uint_eq(policy.rate_per_hour, UINT32_MAX);
    ck_assert_uint_eq(taken("control_minimum: 1").control_minimum, 1);
    ck_assert_uint_eq(taken("control_minimum: 1000000").control_minimum, 1000000);
    ck_assert_int_eq(taken("on_halt: hold").on_halt, SERIN_ON_HALT_HOLD);
    ck_assert_int_eq(taken("on_halt: revert").on_halt, SERIN_ON_HALT_REVERT);
}
END_TEST

/* Against `date -u -d … +%s`. Caught: a leap day of 2100; a month's length off by one. */
START_TEST(a_start_is_a_time_in_utc)
{
    static const struct {
        const char *text;
        uint64_t unix_s;
    } times[] = {{"2000-01-01T00:00:00Z", 946684800},   {"2024-02-29T23:59:59Z", 1709251199},
                 {"2026-12-01T02:00:00Z", 1796090400},  {"2027-01-01T00:00:00Z", 1798761600},
                 {"2100-03-01T00:00:00Z", 4107542400},  {"2000-12-31T12:34:56Z", 978266096},
                 {"9999-12-31T23:59:59Z", 253402300799}};
    static const char *const wrong[] = {
        "2026-12-01",           "2026-12-01T02:00:00",  "2026-12-01T02:00:00+01:00",
        "2026-12-01 02:00:00Z", "2026-13-01T02:00:00Z", "2026-00-01T02:00:00Z",
        "2026-02-29T02:00:00Z", "2100-02-29T02:00:00Z", "2026-04-31T02:00:00Z",
        "2026-12-00T02:00:00Z", "2026-12-01T24:00:00Z", "2026-12-01T02:60:00Z",
        "2026-12-01T02:00:60Z", "1999-12-31T23:59:59Z", "2026-12-0aT02:00:00Z"};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "start: %s", times[i].text);
        ck_assert_uint_eq(taken(text).start_s, times[i].unix_s);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct serin_policy_file file;
        struct serin_yaml_error error;
        char text[64];
        (void)snprintf(text, sizeof text, "start: %s", wrong[i]);
        ck_assert_msg(parse(&file, text, &error) == SERIN_ERR_CONFIG, "%s", wrong[i]);
        ck_assert_str_eq(error.field, "start");
        ck_assert_ptr_nonnull(strstr(error.reason, "such as 2026-12-01T02:00:00Z, not '"));
    }
}
END_TEST

/* Caught: a range over Sunday that is empty; 24:00 as midnight of the day's begin. */
START_TEST(windows_are_days_and_hours)
{
    static const struct {
        const char *text;
        uint8_t days;
        uint16_t from_min, until_min;
    } windows[] = {
        {"{}", 127, 0, 1440},
        {"{days: mon}", 1, 0, 1440},
        {"{days: sun}", 64, 0, 1440},
        {"{days: mon-fri}", 31, 0, 1440},
        {"{days: mon-sun}", 127, 0, 1440},
        {"{days: sat-mon}", 0x61, 0, 1440},
        {"{days: 'mon-wed,fri,sun'}", 0x57, 0, 1440},
        {"{days: wed-wed}", 4, 0, 1440},
        {"{from: 01:00, to: 05:30}", 127, 60, 330},
        {"{from: \"22:15\", to: \"04:00\"}", 127, 1335, 240},
        {"{from: 23:59}", 127, 1439, 1440},
        {"{to: 00:01}", 127, 0, 1},
        {"{from: 12:00, to: 00:00}", 127, 720, 0},
    };
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        char text[96];
        (void)snprintf(text, sizeof text, "windows: [%s]", windows[i].text);
        struct serin_policy policy = taken(text);
        ck_assert_uint_eq(policy.window_count, 1);
        ck_assert_uint_eq(policy.windows[0].days, windows[i].days);
        ck_assert_uint_eq(policy.windows[0].from_min, windows[i].from_min);
        ck_assert_uint_eq(policy.windows[0].until_min, windows[i].until_min);
    }
    ck_assert_uint_eq(taken("windows: []").window_count, 0);
    ck_assert_uint_eq(taken("windows: [{}, {}, {}, {}, {}, {}, {}, {days: sat}]").window_count, 8);
}
END_TEST

/* ---- refusals ---- */

#define PERCENT_RULE(range, text) \
    "must be from " range ", with at most two decimals, not '" text "'"
#define DAYS_RULE "must be days or ranges of them such as mon-fri,sun, not "
#define FROM_RULE "must be a time of day in UTC from 00:00 to 23:59, not "
#define TO_RULE   "must be a time of day in UTC from 00:00 to 24:00, not "

/* Each text, and the field and reason that it must be refused with, all on the line of the text. */
static const struct {
    const char *text, *field, *rule;
} wrong[] = {
    {"gates: {failures: {max_percent: 100.01}}", "gates.failures.max_percent",
     PERCENT_RULE("0 to 100", "100.01")},
    {"gates: {failures: {max_percent: 0.001}}", "gates.failures.max_percent",
     PERCENT_RULE("0 to 100", "0.001")},
    {"gates: {failures: {max_percent: never}}", "gates.failures.max_percent",
     PERCENT_RULE("0 to 100", "never")},
    {"gates: {failures: {minimum: 0}}", "gates.failures.minimum",
     "must be a whole number from 1 to 1000000, not '0'"},
    {"gates: {errors: {minimum: 1000001}}", "gates.errors.minimum",
     "must be a whole number from 1 to 1000000, not '1000001'"},
    {"gates: {boot_success: {min_percent: 101}}", "gates.boot_success.min_percent",
     PERCENT_RULE("0 to 100", "101")},
    {"gates: {reasons: [{reason: crash, max_percent: 101}]}", "gates.reasons[0].max_percent",
     PERCENT_RULE("0 to 100", "101")},
    {"gates: {reasons: [{reason: crash, max_percent: 1, minimum: 0}]}", "gates.reasons[0].minimum",
     "must be a whole number from 1 to 1000000, not '0'"},
    {"gates: {reasons: [{reason: flush, max_percent: 1}]}", "gates.reasons[0].reason",
     "must be a reason of docs/spec/states.md, section 4, not 'flush'; did you mean 'flash'?"},
    {"gates: {reasons: [{reason: halted, max_percent: 1}]}", "gates.reasons[0].reason",
     "must be a reason for which devices fail, not 'halted'"},
    {"gates: {reasons: [{reason: crash, max_percent: 1}, {reason: crash, max_percent: 2}]}",
     "gates.reasons[1].reason", "stands twice: 'crash'"},
    {"gates: {silence: {minimum: -1}}", "gates.silence.minimum",
     "must be a whole number from 1 to 1000000, not '-1'"},
    {"gates: {silence: {minimum: 4294967297}}", "gates.silence.minimum",
     "must be a whole number from 1 to 1000000, not '4294967297'"},
    {"gates: {silence: {minimum: 18446744073709551617}}", "gates.silence.minimum",
     "must be a whole number from 1 to 1000000, not '18446744073709551617'"},
    {"gates: {reasons: [{reason: crash, max_percent: 1, minimum: few}]}",
     "gates.reasons[0].minimum", "must be a whole number from 1 to 1000000, not 'few'"},
    {"control_minimum: 0x10", "control_minimum",
     "must be a whole number from 1 to 1000000, not '0x10'"},
    {"ramp: {growth_percent: 2.5}", "ramp.growth_percent",
     "must be a whole number from 1 to 100, not '2.5'"},
    {"ramp: {first: -8}", "ramp.first", "must be a whole number from 0 to 1000000, not '-8'"},
    {"site_failures_max: -1", "site_failures_max",
     "must be a whole number from 0 to 1000000, not '-1'"},
    {"site_failures_max: 1000001", "site_failures_max",
     "must be a whole number from 0 to 1000000, not '1000001'"},
    {"test: {alpha_percent: 0.123456789}", "test.alpha_percent",
     PERCENT_RULE("0.01 to 20", "0.123456789")},
    {"control_minimum: 010", "control_minimum",
     "must be a whole number from 1 to 1000000, not '010'"},
    {"control_minimum: 0", "control_minimum", "must be a whole number from 1 to 1000000, not '0'"},
    {"control_minimum: 1000001", "control_minimum",
     "must be a whole number from 1 to 1000000, not '1000001'"},
    {"test: {accepted_percent: 0}", "test.accepted_percent", PERCENT_RULE("0.01 to 89.99", "0")},
    {"test: {accepted_percent: 90}", "test.accepted_percent", PERCENT_RULE("0.01 to 89.99", "90")},
    {"test: {rejected_percent: 90.01}", "test.rejected_percent",
     PERCENT_RULE("0.01 to 90", "90.01")},
    {"test: {alpha_percent: 0}", "test.alpha_percent", PERCENT_RULE("0.01 to 20", "0")},
    {"test: {alpha_percent: 20.01}", "test.alpha_percent", PERCENT_RULE("0.01 to 20", "20.01")},
    {"test: {beta_percent: 0}", "test.beta_percent", PERCENT_RULE("0.01 to 20", "0")},
    {"test: {beta_percent: 21}", "test.beta_percent", PERCENT_RULE("0.01 to 20", "21")},
    {"test: {accepted_percent: 2}", "test.rejected_percent",
     "must be more than accepted_percent: 2.00 is not more than 2.00"},
    {"test: {rejected_percent: 0.49}", "test.rejected_percent",
     "must be more than accepted_percent: 0.49 is not more than 0.50"},
    {"test: {small_stages: maybe}", "test.small_stages", "must be pass or hold, not 'maybe'"},
    {"ramp: {first: 1000001}", "ramp.first",
     "must be a whole number from 0 to 1000000, not '1000001'"},
    {"ramp: {growth_percent: 0}", "ramp.growth_percent",
     "must be a whole number from 1 to 100, not '0'"},
    {"ramp: {growth_percent: 101}", "ramp.growth_percent",
     "must be a whole number from 1 to 100, not '101'"},
    {"ramp: {settle: 0}", "ramp.settle", "must be from 1s to the policy's patience, 6h, not '0'"},
    {"ramp: {settle: 3m}\npatience: 2m", "ramp.settle",
     "must be from 1s to the policy's patience, 2m, not '3m'"},
    {"ramp: {settle: 1500ms}", "ramp.settle", "must be whole seconds"},
    {"in_flight_max: -1", "in_flight_max", "must be a whole number from 0 to 4294967295, not '-1'"},
    {"rate_per_hour: many", "rate_per_hour",
     "must be a whole number from 0 to 4294967295, not 'many'"},
    {"windows: [{days: weekday}]", "windows[0].days", DAYS_RULE "'weekday'"},
    {"windows: [{days: 'mon,'}]", "windows[0].days", DAYS_RULE "'mon,'"},
    {"windows: [{days: 'mon fri'}]", "windows[0].days", DAYS_RULE "'mon fri'"},
    {"windows: [{days: mon-}]", "windows[0].days", DAYS_RULE "'mon-'"},
    {"windows: [{}, {from: 24:00}]", "windows[1].from", FROM_RULE "'24:00'"},
    {"windows: [{from: 1:00}]", "windows[0].from", FROM_RULE "'1:00'"},
    {"windows: [{to: 24:01}]", "windows[0].to", TO_RULE "'24:01'"},
    {"windows: [{to: 05:60}]", "windows[0].to", TO_RULE "'05:60'"},
    {"windows: [{from: 05:00, to: 05:00}]", "windows[0].to",
     "must not be the same as 'from'; a whole day is from 00:00 to 24:00"},
    {"windows: [{}, {}, {}, {}, {}, {}, {}, {}, {}]", "windows",
     "must be a list of 0 to 8 entries"},
    {"on_halt: undo", "on_halt", "must be hold or revert, not 'undo'"},
    {"spread: 6h", "spread", "must be shorter than the policy's patience, 6h, not '6h'"},
    {"spread: 1d\npatience: 2d", "spread",
     "must be shorter than the policy's deadline, 1d, not '1d'"},
};

/* Caught: a limit off by one at either end; a rule told of another field. */
START_TEST(what_is_refused_names_field_rule_and_line)
{
    struct serin_policy_file file;
    struct serin_yaml_error error;
    const char *text = wrong[_i].text;
    char reason[320];
    ck_assert_msg(parse(&file, text, &error) == SERIN_ERR_CONFIG, "%s is taken", text);
    (void)snprintf(reason, sizeof reason, "'%s' %s", wrong[_i].field, wrong[_i].rule);
    ck_assert_str_eq(error.reason, reason);
    ck_assert_str_eq(error.field, wrong[_i].field);
    ck_assert_uint_eq(error.line, LINE);
}
END_TEST

static const struct {
    const char *text, *field, *reason;
} unknown[] = {
    {"gates: {silent: {}}", "gates.silent",
     "unknown key 'silent' in 'gates'; did you mean 'silence'?"},
    {"gates: {boot_success: {max_percent: 1}}", "gates.boot_success.max_percent",
     "unknown key 'max_percent' in 'gates.boot_success'; did you mean 'min_percent'?"},
    {"gates: {reasons: [{max_percent: 1}]}", "gates.reasons[0].reason",
     "'reason' is missing in 'gates.reasons[0]'"},
    {"gates: {reasons: [{reason: crash}]}", "gates.reasons[0].max_percent",
     "'max_percent' is missing in 'gates.reasons[0]'"},
    {"gates: {failures: off}", "gates.failures",
     "'gates.failures' must be a mapping of keys to values; its keys are max_percent, minimum; "
     "'max_percent: off' switches it off"},
    {"gates: {boot_success: off}", "gates.boot_success",
     "'gates.boot_success' must be a mapping of keys to values; its keys are min_percent, minimum; "
     "'min_percent: off' switches it off"},
    {"test: {alpha: 1}", "test.alpha",
     "unknown key 'alpha' in 'test'; its keys are accepted_percent, rejected_percent, "
     "alpha_percent, beta_percent, small_stages"},
    {"ramp: {grow_percent: 1}", "ramp.grow_percent",
     "unknown key 'grow_percent' in 'ramp'; did you mean 'growth_percent'?"},
    {"windows: [{until: 01:00}]", "windows[0].until",
     "unknown key 'until' in 'windows[0]'; its keys are days, from, to"},
};

START_TEST(unknown_keys_are_refused)
{
    struct serin_policy_file file;
    struct serin_yaml_error error;
    ck_assert_int_eq(parse(&file, unknown[_i].text, &error), SERIN_ERR_CONFIG);
    ck_assert_str_eq(error.reason, unknown[_i].reason);
    ck_assert_str_eq(error.field, unknown[_i].field);
    ck_assert_uint_eq(error.line, LINE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy_keys");
    TCase *tests = tcase_create("policy_keys");
    tcase_add_loop_test(tests, a_gate_is_read_into_its_place, 0,
                        (int)(sizeof gates / sizeof gates[0]));
    tcase_add_test(tests, half_a_gate_leaves_the_other_half);
    tcase_add_test(tests, reasons_are_those_for_which_devices_fail);
    tcase_add_test(tests, the_test_is_read);
    tcase_add_test(tests, the_ramp_is_read_and_settles_within_patience);
    tcase_add_test(tests, the_pace_is_read);
    tcase_add_test(tests, a_start_is_a_time_in_utc);
    tcase_add_test(tests, windows_are_days_and_hours);
    tcase_add_loop_test(tests, what_is_refused_names_field_rule_and_line, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_loop_test(tests, unknown_keys_are_refused, 0,
                        (int)(sizeof unknown / sizeof unknown[0]));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
