/*
 * `serin policy check`, as a real program: what it prints is a policy that comes to the same, the
 * stages are as large as the engine makes them, and what is wrong is named by file, line and field.
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"
#include "program.h"

#include <serin/cli/args.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HEAD "product: lamp\nchannel: stable\nreleases: [{version: 2.0.0}]\n"

static char folder[64];
static const struct program_result *result;

/* Runs serin with the words of a line; no quotes. */
static int serin(const char *format, ...)
{
    static char line[1024];
    const char *argv[PROGRAM_ARGS_MAX] = {SERIN_PROGRAM};
    size_t argc = 1;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    result = program_run(folder, NULL, argv);
    ck_assert_msg(strstr(result->err, "Sanitizer") == NULL, "%s", result->err);
    return result->status;
}

static void write_text(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file_write(path, text, strlen(text));
}

static void ck_says(const char *text)
{
    ck_assert_msg(strstr(result->out, text) != NULL, "'%s' not in:\n%s", text, result->out);
}

static void setup(void)
{
    folder_make(folder);
}

static void teardown(void)
{
    folder_remove(folder);
}

/* Every key away from its default, so that one that is left out of the print is seen. */
static const char everything[] =
    "name: spring-release\nproduct: lamp\nchannel: beta\n"
    "releases:\n  - {manifest: 6f1c2a90, hardware: 2}\n  - {version: 2.0.1, hardware: 7-9}\n"
    "stages:\n  - {count: 10, soak: 90s, approval: true}\n  - {percent: 12.5, soak: 0}\n"
    "  - {percent: 100}\n"
    "gates:\n  failures: {max_percent: 7.25, minimum: 3}\n"
    "  boot_success: {min_percent: 99.9, minimum: 4}\n  rollbacks: {max_percent: off}\n"
    "  regressions: {max_percent: 0, minimum: 5}\n  silence: {max_percent: 6.01}\n"
    "  errors: {minimum: 1000000}\n"
    "  reasons: [{reason: flash, max_percent: 1, minimum: 50}, {reason: power, max_percent: off}]\n"
    "control_minimum: 31\n"
    "test: {accepted_percent: 0.51, rejected_percent: 3, alpha_percent: 0.5, beta_percent: 10,\n"
    "  small_stages: hold}\n"
    "ramp: {first: 4, growth_percent: 25, settle: 90s}\nin_flight_max: 11\nrate_per_hour: 12\n"
    "start: 2026-12-01T02:00:00Z\n"
    "windows: [{days: sat-mon, from: 22:30, to: 04:00}, {days: wed}]\non_halt: revert\n"
    "patience: 2m\ndeadline: 3h\nlease: 1d\nspread: 5s\nsite_failures_max: 4\n"
    "revert: true\nemergency: true\nsupersede: true\nfrom: 12\n";

/* What was printed, read again, is printed the same; and each value stands in it. Caught: a key
 * left out of the print, which then has its default; a window's end printed as its begin. */
START_TEST(what_is_printed_is_the_policy)
{
    static const char *const lines[] = {
        "name: spring-release\nproduct: lamp\nchannel: beta\n",
        "  - {manifest: 6f1c2a90, hardware: 2-2}\n  - {version: 2.0.1, hardware: 7-9}\n",
        "  - {count: 10, soak: 90s, approval: true}",
        "  - {percent: 12.5, soak: 0, approval: false}",
        "  failures: {max_percent: 7.25, minimum: 3}\n",
        "  boot_success: {min_percent: 99.9, minimum: 4}\n",
        "  rollbacks: {max_percent: off, minimum: 30}\n",
        "  regressions: {max_percent: 0, minimum: 5}\n",
        "  silence: {max_percent: 6.01, minimum: 30}\n",
        "  errors: {max_percent: 5, minimum: 1000000}\n",
        "    - {reason: flash, max_percent: 1, minimum: 50}\n",
        "    - {reason: power, max_percent: off, minimum: 1}\n",
        "control_minimum: 31\n",
        "  accepted_percent: 0.51\n  rejected_percent: 3\n  alpha_percent: 0.5\n",
        "  beta_percent: 10\n  small_stages: hold\n",
        "ramp: {first: 4, growth_percent: 25, settle: 90s}\n",
        "in_flight_max: 11\nrate_per_hour: 12\nstart: 2026-12-01T02:00:00Z\n",
        "  - {days: \"mon,sat,sun\", from: \"22:30\", to: \"04:00\"}\n",
        "  - {days: \"wed\", from: \"00:00\", to: \"24:00\"}\n",
        "on_halt: revert\npatience: 2m\ndeadline: 3h\nlease: 1d\nspread: 5s\n",
        "site_failures_max: 4\nrevert: true\nemergency: true\nsupersede: true\nfrom: 12\n",
    };
    static char first[sizeof result->out];
    write_text("policy.yaml", everything);
    ck_assert_msg(serin("policy check policy.yaml") == SERIN_CLI_DONE, "%s", result->err);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ck_says(lines[i]);
    }
    memcpy(first, result->out, sizeof first);
    write_text("again.yaml", first);
    ck_assert_msg(serin("policy check again.yaml") == SERIN_CLI_DONE, "%s", result->err);
    ck_assert_str_eq(result->out, first);
}
END_TEST

/* Caught: hours taken for days; a window over midnight; an emergency that knows no windows; a
 * patience of just a window's length. */
START_TEST(a_patience_of_many_windows_is_warned_of)
{
    static const char warns[] = "# Patience counts while a window is open: ";
    write_text("policy.yaml", HEAD "windows: [{from: 01:00, to: 02:00}]\n");
    ck_assert_int_eq(serin("policy check policy.yaml"), SERIN_CLI_DONE);
    ck_says("# Patience counts while a window is open: 6h of it take about 6 days here, and so");
    ck_says("At most 1h, a window's length, is better.\n");
    write_text("policy.yaml", HEAD "windows: [{days: sat, from: 22:30, to: 04:00}]\n");
    ck_assert_int_eq(serin("policy check policy.yaml"), SERIN_CLI_DONE);
    ck_says("6h of it take about 8 days here");
    static const char *const quiet[] = {
        HEAD "windows: [{from: 01:00, to: 02:00}]\npatience: 1h\n",
        HEAD "windows: [{from: 22:30, to: 04:30}]\n",
        HEAD "windows: [{from: 01:00, to: 02:00}]\nemergency: true\n",
        HEAD,
    };
    for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++) {
        write_text("policy.yaml", quiet[i]);
        ck_assert_msg(serin("policy check policy.yaml") == SERIN_CLI_DONE, "%s", result->err);
        ck_assert_ptr_null(strstr(result->out, warns));
    }
}
END_TEST

/* Caught: a share rounded down; a later stage of a smaller count than the one before; the weight of
 * a failure taken for that of a success. */
START_TEST(stages_and_the_test_have_their_figures)
{
    write_text("policy.yaml", HEAD "stages: [{percent: 1}, {count: 300}, {percent: 50}, "
                                   "{percent: 100}]\n");
    ck_assert_int_eq(serin("policy check policy.yaml --devices 1001"), SERIN_CLI_DONE);
    ck_says("# 11 devices, 11 of them new: too few to be judged\n");
    ck_says("# 300 devices, 289 of them new\n");
    ck_says("# 501 devices, 201 of them new\n");
    ck_says("# 1001 devices, 500 of them new\n");
    ck_says("# The test accepts a stage after 197 successes without a failure.\n");
    ck_assert_int_eq(serin("policy check policy.yaml --devices 100"), SERIN_CLI_DONE);
    ck_says("# 1 device, 1 of them new: too few to be judged\n");
    ck_says("# 100 devices, 99 of them new: too few to be judged\n");
    ck_says("# 100 devices, 0 of them new: too few to be judged\n");
    write_text("hold.yaml", HEAD "test: {small_stages: hold, beta_percent: 20}\n");
    ck_assert_int_eq(serin("policy check hold.yaml --devices 100"), SERIN_CLI_DONE);
    ck_says("too few to be judged, holds\n");
    ck_says("after 106 successes without a failure.\n");
}
END_TEST

/* By the engine: three failures in a row are a hundred to one, and a ramp of eight keeps it at
 * eight. Caught: the gates left on for the test alone; a rehearsal that waits for the start. */
START_TEST(an_image_that_always_fails_is_tried)
{
    write_text("policy.yaml", HEAD "gates: {failures: {max_percent: 50, minimum: 2}}\n"
                                   "start: 2030-01-01T00:00:00Z\nwindows: [{days: sat}]\n");
    ck_assert_int_eq(serin("policy check policy.yaml --devices 100000"), SERIN_CLI_DONE);
    ck_says("fails, by the test alone: halted after 3 failures, offered to 8.\n#   halted: 3 of 3");
    ck_says("fails, with the gates: halted after 2 failures, offered to 8.\n#   halted: 2 of 2");
    write_text("whole.yaml", HEAD "gates: {failures: {max_percent: off}}\nramp: {first: 0}\n");
    ck_assert_int_eq(serin("policy check whole.yaml --devices 100000 --json"), SERIN_CLI_DONE);
    unsigned failed = 0; /* among a thousand that are offered it at once */
    const char *outcome = strstr(result->out, "\"always_fails\":");
    ck_assert_ptr_nonnull(outcome);
    ck_assert_int_eq(
        sscanf(outcome, "\"always_fails\":{\"state\":\"halted\",\"failed\":%u", &failed), 1);
    ck_says("\"offered\":1000,");
    ck_assert_msg(failed >= 3 && failed <= 30, "%u", failed);
    ck_assert_int_eq(serin("policy check whole.yaml --devices 1"), SERIN_CLI_DONE);
    ck_says("by the test alone: awaiting after 1 failure, offered to 1.\n#   held: 1 resolved");
}
END_TEST

START_TEST(json_has_the_same)
{
    write_text("policy.yaml", everything);
    ck_assert_int_eq(serin("policy check policy.yaml --json --devices 100"), SERIN_CLI_DONE);
    ck_says("\"releases\":[{\"manifest\":\"6f1c2a90\",\"hw_min\":2,\"hw_max\":2},");
    ck_says("{\"percent\":12.5,\"soak_s\":0,\"approval\":false,\"devices\":13,\"new\":3,");
    ck_says("\"boot_success\":{\"min_percent\":99.9,\"minimum\":4}");
    ck_says("\"rollbacks\":{\"max_percent\":100.0,\"minimum\":30}");
    ck_says("{\"days\":\"mon,sat,sun\",\"from_min\":1350,\"to_min\":240}");
    ck_says("\"on_halt\":\"revert\"");
    ck_says("\"start_s\":1796090400");
}
END_TEST

static const struct {
    const char *text, *complaint;
} wrong[] = {
    {HEAD "gates:\n  failures: {max_percent: 101}\n",
     "serin policy check: policy.yaml:5: 'gates.failures.max_percent' must be from 0 to 100, "
     "with at most two decimals, not '101'\n"},
    {"product: lamp\nchannel: stable\nreleases:\n  - {version: 2.0.0, hardware: 1-3}\n"
     "  - {version: 2.0.1, hardware: 2-4}\n",
     "serin policy check: policy.yaml:5: 'releases[1].hardware' must not overlap with that of the "
     "other release: 1-3 and 2-4\n"},
    {HEAD "\n\ntest: {accepted_percent: 3}\n",
     "serin policy check: policy.yaml:6: 'test.rejected_percent' must be more than "
     "accepted_percent: 2.00 is not more than 3.00\n"},
    {HEAD "gate: {}\n",
     "serin policy check: policy.yaml:4: unknown key 'gate'; did you mean 'gates'?\n"},
    {HEAD "stages: [\n", "serin policy check: policy.yaml:"},
};

START_TEST(what_is_wrong_is_named_by_file_line_and_field)
{
    write_text("policy.yaml", wrong[_i].text);
    ck_assert_int_eq(serin("policy check policy.yaml"), SERIN_CLI_INPUT);
    ck_assert_msg(strncmp(result->err, wrong[_i].complaint, strlen(wrong[_i].complaint)) == 0, "%s",
                  result->err);
    ck_assert_str_eq(result->out, "");
}
END_TEST

START_TEST(the_command_line_is_checked)
{
    write_text("policy.yaml", HEAD);
    ck_assert_int_eq(serin("policy check missing.yaml"), SERIN_CLI_NOT_FOUND);
    ck_assert_int_eq(serin("policy check"), SERIN_CLI_USAGE);
    ck_assert_int_eq(serin("policy check policy.yaml --devices 0"), SERIN_CLI_USAGE);
    ck_assert_int_eq(serin("policy check policy.yaml --devices 1000001"), SERIN_CLI_USAGE);
    ck_assert_int_eq(serin("policy check policy.yaml --devices 1000000"), SERIN_CLI_DONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli_policy");
    TCase *tests = tcase_create("cli_policy");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_is_printed_is_the_policy);
    tcase_add_test(tests, a_patience_of_many_windows_is_warned_of);
    tcase_add_test(tests, stages_and_the_test_have_their_figures);
    tcase_add_test(tests, an_image_that_always_fails_is_tried);
    tcase_add_test(tests, json_has_the_same);
    tcase_add_loop_test(tests, what_is_wrong_is_named_by_file_line_and_field, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tests, the_command_line_is_checked);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
