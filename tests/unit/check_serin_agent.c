/*
 * serin-agent as a whole: the real program with real applications and a real broker. Good releases
 * are confirmed, each kind of bad one ends in the old slot, kill -9 at any named point costs
 * nothing, and the command line says what it refuses.
 */
#include "agent_bench.h"

#include <serin/bytes.h>

#include "test_keys.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct bench bench;
static struct bench_release v1, v2;

static void setup(void)
{
    bench_open(&bench);
    bench_release(&bench, &v1,
                  &(struct bench_make){.version = "1.0.0", .image_file = APPS "/app_v1"});
    bench_release(&bench, &v2,
                  &(struct bench_make){.version = "2.0.0", .image_file = APPS "/app_v2"});
}

static void teardown(void)
{
    bench_close(&bench);
    bench_release_free(&v1);
    bench_release_free(&v2);
}

static const char *status(void)
{
    static char output[4096];
    int code = bench_command(&bench, output, sizeof output, "status", "--socket", bench.socket,
                             "--json", NULL);
    ck_assert_msg(code == 0, "%s", output);
    return output;
}

static void status_has(const char *text)
{
    const char *found = status();
    ck_assert_msg(strstr(found, text) != NULL, "%s is not in %s", text, found);
}

/* Whether slot `slot` holds exactly the image of `release`. */
static void slot_holds(const char *slot, const struct bench_release *release)
{
    char path[128], output[512];
    (void)snprintf(path, sizeof path, "%s/dump", bench.folder);
    int code = bench_command(&bench, output, sizeof output, "dump", "--config", bench.config,
                             "--slot", slot, "-o", path, NULL);
    ck_assert_msg(code == 0, "%s", output);
    uint8_t *bytes = malloc(release->image_size + 1);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(bytes, 1, release->image_size + 1, file), release->image_size);
    ck_assert_mem_eq(bytes, release->image, release->image_size);
    (void)fclose(file);
    (void)unlink(path); /* a dump replaces no file */
    free(bytes);
}

START_TEST(good_release_is_installed_and_confirmed)
{
    bench_provision(&bench, &v1);
    slot_holds("a", &v1);
    bench_agent_start(&bench, NULL);
    bench_until_log(&bench, "application: app v1 started slot=a trial=0 version=1.0.0", 20);
    bench_offer(&bench, &v2, 1);
    bench_until_state(&bench, SERIN_STATE_CONFIRMED, 30);
    ck_assert(bench_log_has(&bench, "application: app v2 started slot=b trial=1 version=2.0.0"));
    status_has("\"version\":\"2.0.0\"");
    status_has("\"slot\":\"b\"");
    status_has("\"trial\":false");
    status_has("\"state\":\"confirmed\"");
    status_has("\"application\":\"running\"");
    slot_holds("a", &v1);
    slot_holds("b", &v2);
    char table[2048];
    ck_assert_int_eq(
        bench_command(&bench, table, sizeof table, "status", "--config", bench.config, NULL), 0);
    ck_assert_ptr_nonnull(strstr(table, "\nruns                 2.0.0\nslot                 b\n"));
    ck_assert_ptr_nonnull(strstr(table, "\nconnected            yes\n"));
    ck_assert_uint_eq(bench.report.running.slot, 2);
    ck_assert_mem_eq(bench.report.running.manifest_id, v2.id, SERIN_SHA256_SIZE);

    /* After a restart the confirmed image boots, and the fleet hears from it. */
    bench_agent_stop(&bench);
    bench_agent_start(&bench, NULL);
    bench_until_log(&bench, "application: app v2 started slot=b trial=0", 20);
    memset(&bench.beat, 0, sizeof bench.beat);
    for (int i = 0; i < 100 && bench.beat.device_id[0] == '\0'; i++) {
        bench_serve(&bench, 50);
    }
    ck_assert_mem_eq(bench.beat.running.manifest_id, v2.id, SERIN_SHA256_SIZE);
    bench_agent_stop(&bench);
}
END_TEST

static const struct {
    const char *image;
    uint16_t window_s;
    enum serin_reason reason;
} bad_releases[] = {
    {APPS "/app_v3", 60, SERIN_REASON_CRASH},
    {APPS "/app_v4", 60, SERIN_REASON_WATCHDOG},
    {APPS "/app_v5", 2, SERIN_REASON_NOT_CONFIRMED},
};

START_TEST(bad_release_ends_in_the_old_slot)
{
    struct bench_release bad;
    bench_release(&bench, &bad,
                  &(struct bench_make){.version = "3.0.0",
                                       .image_file = bad_releases[_i].image,
                                       .window_s = bad_releases[_i].window_s});
    bench_provision(&bench, &v1);
    bench_agent_start(&bench, NULL);
    bench_offer(&bench, &bad, 1);
    bench_until_state(&bench, SERIN_STATE_ROLLED_BACK, 40);
    ck_assert_str_eq(serin_reason_word(bench_last(&bench)->reason),
                     serin_reason_word(bad_releases[_i].reason));
    status_has("\"version\":\"1.0.0\"");
    status_has("\"slot\":\"a\"");
    bench_until_log(&bench, "boots version=1.0.0 slot=a trial=0", 5);

    /* Tried is tried: the same directive does not bring it again, and no byte of it is fetched
     * again. */
    uint64_t served = bench.served_bytes;
    bench_agent_stop(&bench);
    bench_agent_start(&bench, NULL);
    bench_serve(&bench, 2000);
    ck_assert_uint_eq(bench.served_bytes, served);
    status_has("\"version\":\"1.0.0\"");

    /* And the device is none the worse for it: the next good release is taken. */
    struct bench_release next;
    bench_release(&bench, &next,
                  &(struct bench_make){.version = "4.0.0", .image_file = APPS "/app_v2"});
    bench_offer(&bench, &next, 2);
    bench_until_state(&bench, SERIN_STATE_CONFIRMED, 30);
    bench_agent_stop(&bench);
    bench_release_free(&bad);
    bench_release_free(&next);
}
END_TEST

START_TEST(confirmed_image_that_crashes_is_restarted_and_counted)
{
    struct bench_release v6;
    bench_release(&bench, &v6,
                  &(struct bench_make){.version = "6.0.0", .image_file = APPS "/app_v6"});
    bench_provision(&bench, &v1);
    bench_agent_start(&bench, NULL);
    bench_offer(&bench, &v6, 1);
    bench_until_state(&bench, SERIN_STATE_REGRESSED, 30);
    bench_until_log(&bench, "application ended signal=6", 5);
    bench_until_log(&bench, "application: app v6 started slot=b trial=0", 10);
    status_has("\"version\":\"6.0.0\"");
    status_has("\"crashes\":1");
    bool counted = false;
    for (int i = 0; i < 100 && !counted; i++) {
        bench_serve(&bench, 50);
        for (size_t c = 0; c < bench.beat.counter_count; c++) {
            counted |= bench.beat.counters[c].id == SERIN_COUNTER_CRASHES &&
                       bench.beat.counters[c].value >= 1;
        }
    }
    ck_assert(counted);
    bench_agent_stop(&bench);
    bench_release_free(&v6);
}
END_TEST

/* The last beat's counter of the application, or UINT64_MAX: it has none. */
static uint64_t application_errors(void)
{
    for (size_t c = 0; c < bench.beat.counter_count; c++) {
        if (bench.beat.counters[c].id == SERIN_COUNTER_APPLICATION) {
            return bench.beat.counters[c].value;
        }
    }
    return UINT64_MAX;
}

/* What the application counts stands in the beats, and is its own: a boot begins anew. */
START_TEST(errors_that_the_application_counts_are_in_the_beats)
{
    struct bench_release bad;
    bench_release(&bench, &bad,
                  &(struct bench_make){.version = "1.5.0", .image_file = APPS "/app_v7"});
    bench_provision(&bench, &bad);
    bench_agent_start(&bench, NULL);
    for (int i = 0; i < 400 && (application_errors() < 10 || application_errors() > 1000); i++) {
        bench_serve(&bench, 50);
    }
    uint64_t counted = application_errors();
    ck_assert(counted >= 10 && counted <= 1000);
    bench_offer(&bench, &v2, 1); /* which counts none */
    bench_until_state(&bench, SERIN_STATE_CONFIRMED, 30);
    for (int i = 0; i < 100 && application_errors() != 0; i++) {
        bench_serve(&bench, 50);
    }
    ck_assert_uint_eq(application_errors(), 0);
    status_has("\"errors\":0");
    bench_agent_stop(&bench);
    bench_release_free(&bad);
}
END_TEST

/* An image that is no program of this machine is carried byte for byte and confirmed from outside.
 */
START_TEST(opaque_image_is_carried)
{
    uint8_t *image = malloc(100000);
    char output[512];
    struct bench_release opaque, old;
    ck_assert_ptr_nonnull(image);
    for (size_t i = 0; i < 100000; i++) {
        image[i] = (uint8_t)(i * 7 + i / 251);
    }
    bench_configure(&bench, false, NULL);
    bench_release(&bench, &old,
                  &(struct bench_make){.version = "0.9.0", .image = "nothing", .image_size = 7});
    bench_release(&bench, &opaque,
                  &(struct bench_make){.version = "2.1.0", .image = image, .image_size = 100000});
    bench_provision(&bench, &old);
    bench_agent_start(&bench, NULL);
    bench_until_log(&bench, "connected", 10);
    bench.corrupt = 3; /* CRC errors: at a window's end, missed by silence, and within one */
    bench_offer(&bench, &opaque, 1);
    bench_until_state(&bench, SERIN_STATE_TRIAL, 30);
    ck_assert_uint_eq(bench.corrupt, 0);
    ck_assert(bench_log_has(&bench, "block damaged on the way"));
    status_has("\"application\":\"carried\"");
    int code = 1;
    for (int i = 0; i < 100 && code != 0; i++) {
        bench_serve(&bench, 50);
        code =
            bench_command(&bench, output, sizeof output, "confirm", "--config", bench.config, NULL);
    }
    ck_assert_msg(code == 0, "%s", output);
    bench_until_state(&bench, SERIN_STATE_CONFIRMED, 10);
    slot_holds("b", &opaque);
    /* Applications confirm at each of their starts: once more is fine. */
    ck_assert_int_eq(
        bench_command(&bench, output, sizeof output, "confirm", "--socket", bench.socket, NULL), 0);
    bench_agent_stop(&bench);
    bench_release_free(&opaque);
    bench_release_free(&old);
    free(image);
}
END_TEST

START_TEST(unhealthy_trial_goes_back)
{
    char output[512];
    struct bench_release v5;
    bench_release(&bench, &v5,
                  &(struct bench_make){.version = "5.0.0", .image_file = APPS "/app_v5"});
    bench_provision(&bench, &v1);
    bench_agent_start(&bench, NULL);
    bench_offer(&bench, &v5, 1);
    bench_until_state(&bench, SERIN_STATE_TRIAL, 30);
    ck_assert_int_eq(bench_command(&bench, output, sizeof output, "unhealthy", "--socket",
                                   bench.socket, "sensor does not answer", NULL),
                     0);
    bench_until_state(&bench, SERIN_STATE_ROLLED_BACK, 20);
    ck_assert_str_eq(serin_reason_word(bench_last(&bench)->reason), "health");
    ck_assert(bench_log_has(&bench, "not healthy: sensor does not answer"));
    /* The log tells of each transition once, with its reason in words where there is one. */
    ck_assert(bench_log_has(&bench, "INFO attempt is staged reason=none version=5.0.0"));
    ck_assert(bench_log_has(&bench, "INFO attempt is rolled_back: the application reported bad "
                                    "health reason=health version=5.0.0"));
    ck_assert(!bench_log_has(&bench, "agent: staged"));
    ck_assert(!bench_log_has(&bench, "agent: rolled_back"));
    status_has("\"version\":\"1.0.0\"");
    bench_agent_stop(&bench);
    bench_release_free(&v5);
}
END_TEST

#ifdef SERIN_FAULT_POINTS
/* A kill -9 at each of these, then a start: the new release is confirmed all the same, and not one
 * image byte more than what was in flight is fetched again. */
static const char *const faults[] = {
    "agent.directive.stored:1", "agent.piece.written:2",    "agent.piece.journaled:2",
    "agent.verified:1",         "agent.staged:1",           "agent.trial.started:1",
    "agent.confirmed.before:1", "agent.confirmed.after:1",  "agent.report.before:2",
    "launcher.reset.before:1",  "launcher.boot.selected:2", "launcher.child.started:2",
    "flash.program.before:20",  "flash.program.half:20",    "flash.erase.half:3",
};

START_TEST(killed_agent_goes_on)
{
    bench_provision(&bench, &v1);
    bench_offer(&bench, &v2, 1);
    bench_agent_start(&bench, faults[_i]);
    ck_assert_int_eq(bench_agent_gone(&bench, 30), 128 + SIGKILL);
    bench_agent_start(&bench, NULL);
    bench_until_state(&bench, SERIN_STATE_CONFIRMED, 40);
    status_has("\"version\":\"2.0.0\"");
    slot_holds("b", &v2);
    bench_agent_stop(&bench);
    /* Manifest, piece table and image once, and what one window held at most. */
    size_t once = v2.image_size + SERIN_MANIFEST_SIZE_P256 + 4 * SERIN_SHA256_SIZE;
    ck_assert_uint_le(bench.served_bytes, once + SERIN_MANIFEST_SIZE_P256 + 5 * 4096);
}
END_TEST
#endif

START_TEST(provisioning_is_careful)
{
    char output[1024], path[128];
    struct bench_release other;
    bench_release(&bench, &other,
                  &(struct bench_make){
                      .version = "1.0.1", .image_file = APPS "/app_v1", .product = "kettle"});
    /* A bundle for another product, a damaged one, a damaged trust record: each names its reason,
     * nothing is made. */
    ck_assert_int_eq(bench_command(&bench, output, sizeof output, "provision", "--config",
                                   bench.config, "--bundle", other.bundle, "--trust", bench.trust,
                                   NULL),
                     4);
    ck_assert_ptr_nonnull(strstr(output, "made for another product"));
    int fd = open(v1.bundle, O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, "x", 1, 5000), 1);
    ck_assert_int_eq(bench_command(&bench, output, sizeof output, "provision", "--config",
                                   bench.config, "--bundle", v1.bundle, "--trust", bench.trust,
                                   NULL),
                     4);
    ck_assert_ptr_nonnull(strstr(output, "the bundle is refused"));
    (void)close(fd);
    ck_assert_int_eq(bench_command(&bench, output, sizeof output, "provision", "--config",
                                   bench.config, "--bundle", v2.bundle, "--trust", v2.bundle, NULL),
                     3);
    ck_assert_ptr_nonnull(strstr(output, "the trust record is refused"));
    (void)snprintf(path, sizeof path, "%s/flash.bin", bench.folder);
    ck_assert_int_ne(access(path, F_OK), 0);
    (void)strncat(path, ".making", sizeof path - strlen(path) - 1);
    ck_assert_int_ne(access(path, F_OK), 0);

    ck_assert_int_eq(bench_command(&bench, output, sizeof output, "provision", "--config",
                                   bench.config, "--bundle", v2.bundle, "--trust", bench.trust,
                                   NULL),
                     0);
    ck_assert_int_eq(bench_command(&bench, output, sizeof output, "provision", "--config",
                                   bench.config, "--bundle", v2.bundle, "--trust", bench.trust,
                                   NULL),
                     4);
    ck_assert_ptr_nonnull(strstr(output, "--force makes the device anew"));
    slot_holds("a", &v2);

    /* Not even --force takes the flash from under a running agent, and no second agent shares it.
     */
    bench_agent_start(&bench, NULL);
    bench_until_log(&bench, "connected", 10);
    ck_assert_int_eq(bench_command(&bench, output, sizeof output, "provision", "--config",
                                   bench.config, "--bundle", v2.bundle, "--trust", bench.trust,
                                   "--force", NULL),
                     4);
    ck_assert_ptr_nonnull(strstr(output, "another agent uses this flash"));
    ck_assert_int_eq(
        bench_command(&bench, output, sizeof output, "run", "--config", bench.config, NULL), 4);
    ck_assert_ptr_nonnull(strstr(output, "another agent uses this flash"));
    bench_agent_stop(&bench);
    bench_release_free(&other);
}
END_TEST

/* With both slots destroyed the agent stays, says so, and ends when it is told to. */
START_TEST(nothing_bootable_is_said_loudly)
{
    char path[128], output[512], zeros[4096] = {0};
    bench_provision(&bench, &v1);
    (void)snprintf(path, sizeof path, "%s/flash.bin", bench.folder);
    int fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    for (off_t at = 0; at < 524288; at += (off_t)sizeof zeros) {
        ck_assert_int_eq(pwrite(fd, zeros, sizeof zeros, at), (ssize_t)sizeof zeros);
    }
    (void)close(fd);
    bench_agent_start(&bench, NULL);
    bench_until_log(&bench, "ERROR NOTHING BOOTS: neither slot holds an image that verifies", 10);
    status_has("\"slot\":\"none\"");
    ck_assert_int_eq(
        bench_command(&bench, output, sizeof output, "confirm", "--socket", bench.socket, NULL), 4);
    ck_assert_str_eq(output, "serin-agent: the agent refused: not allowed in the present state\n");
    bench_until_log(&bench, "trust=NOT_FOUND a=NOT_FOUND b=NOT_FOUND log=lost floor=0", 1);
    /* It is made anew under the agent that waits, which boots it. */
    ck_assert_int_eq(bench_command(&bench, output, sizeof output, "provision", "--config",
                                   bench.config, "--bundle", v1.bundle, "--trust", bench.trust,
                                   "--force", NULL),
                     0);
    bench_until_log(&bench, "boots version=1.0.0 slot=a trial=0", 20);
    bench_agent_stop(&bench);
}
END_TEST

/* The application dies with the agent, politely or not. */
START_TEST(no_application_without_agent)
{
    bench_provision(&bench, &v1);
    for (int politely = 0; politely < 2; politely++) {
        bench_agent_start(&bench, NULL);
        for (int i = 0; i < 200 && access(bench.socket, F_OK) != 0; i++) {
            bench_serve(&bench, 50);
        }
        bench_serve(&bench, 500);
        const char *found = strstr(status(), "\"pid\":");
        ck_assert_ptr_nonnull(found);
        pid_t application = (pid_t)strtol(found + 6, NULL, 10);
        ck_assert_int_gt(application, 0);
        ck_assert_int_eq(kill(application, 0), 0);
        if (politely) {
            bench_agent_stop(&bench);
        } else {
            ck_assert_int_eq(kill(bench.agent, SIGKILL), 0);
            ck_assert_int_eq(bench_agent_gone(&bench, 5), 128 + SIGKILL);
        }
        char image[64];
        bool dead = false;
        (void)snprintf(image, sizeof image, "/proc/%d/exe", (int)application);
        for (int i = 0; i < 100 && !dead; i++) {
            char target[256];
            dead = readlink(image, target, sizeof target) < 0; /* gone, or a zombie without one */
            (void)usleep(20000);
        }
        ck_assert(dead);
    }
}
END_TEST

static const struct {
    const char *arguments[7];
    int code;
    const char *says;
} lines[] = {
    {{NULL}, 2, "serin-agent: a command is missing; try serin-agent --help\n"},
    {{"--version"}, 0, "serin-agent "},
    {{"--help"}, 0, "Exit status: 0 done"},
    {{"run", "--help"}, 0, "Usage: serin-agent run --config FILE"},
    {{"fly"}, 2, "serin-agent: there is no command 'fly'; try serin-agent --help\n"},
    {{"run"}, 2, "serin-agent: run needs --config; usage: serin-agent run"},
    {{"provision", "--config", "x", "--trust", "y"}, 2, "serin-agent: provision needs --bundle;"},
    {{"run", "--config", "x", "--config", "y"}, 2, "serin-agent: --config is given twice\n"},
    {{"run", "--config", "x", "--force"}, 2, "serin-agent: run does not know --force;"},
    {{"run", "--nonsense"}, 2, "serin-agent: unrecognized option '--nonsense'"},
    {{"run", "--config"}, 2, "serin-agent: option '--config' requires an argument"},
    {{"run", "--config", "x", "y"}, 2, "serin-agent: 'y' is one argument too many;"},
    {{"run", "--config", "x", "--log", "loud"}, 2, "--log must be debug, info, warn or error"},
    {{"run", "--config", "/nowhere/agent.yaml"},
     3,
     "serin-agent: /nowhere/agent.yaml: No such file"},
    {{"dump", "--config", "x", "--slot", "c", "-o"}, 2, "option requires an argument -- 'o'"},
    {{"status"}, 2, "serin-agent: either --config or --socket is needed\n"},
    {{"status", "--socket", "/nowhere/control"},
     5,
     "serin-agent: no agent answers at /nowhere/control; start it with serin-agent run\n"},
};

START_TEST(command_line_is_explained)
{
    char output[8192];
    const char *const *a = lines[_i].arguments;
    int code =
        bench_command(&bench, output, sizeof output, a[0], a[1], a[2], a[3], a[4], a[5], NULL);
    ck_assert_msg(code == lines[_i].code, "%d: %s", code, output);
    ck_assert_msg(strstr(output, lines[_i].says) != NULL, "%s", output);
}
END_TEST

int main(void)
{
    test_keys_open();
    Suite *suite = suite_create("serin_agent");
    TCase *tests = tcase_create("serin_agent");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, good_release_is_installed_and_confirmed);
    tcase_add_loop_test(tests, bad_release_ends_in_the_old_slot, 0, 3);
    tcase_add_test(tests, confirmed_image_that_crashes_is_restarted_and_counted);
    tcase_add_test(tests, errors_that_the_application_counts_are_in_the_beats);
    tcase_add_test(tests, opaque_image_is_carried);
    tcase_add_test(tests, unhealthy_trial_goes_back);
#ifdef SERIN_FAULT_POINTS
    tcase_add_loop_test(tests, killed_agent_goes_on, 0, (int)(sizeof faults / sizeof *faults));
#endif
    tcase_add_test(tests, provisioning_is_careful);
    tcase_add_test(tests, nothing_bootable_is_said_loudly);
    tcase_add_test(tests, no_application_without_agent);
    suite_add_tcase(suite, tests);
    TCase *words = tcase_create("command_line");
    tcase_add_loop_test(words, command_line_is_explained, 0, (int)(sizeof lines / sizeof *lines));
    suite_add_tcase(suite, words);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
