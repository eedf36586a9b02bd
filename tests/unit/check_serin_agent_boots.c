/*
 * What one boot of serin-agent may leave to the next: nothing of what the flash has become since it
 * was verified, and nothing of what an image said before it ended.
 */
#include "agent_bench.h"

#include <serin/bytes.h>

#include "test_keys.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct bench bench;

static void setup(void)
{
    bench_open(&bench);
}

static void teardown(void)
{
    bench_close(&bench);
}

static void status_has(const char *text)
{
    char output[4096];
    int code = bench_command(&bench, output, sizeof output, "status", "--socket", bench.socket,
                             "--json", NULL);
    ck_assert_msg(code == 0 && strstr(output, text) != NULL, "%s is not in %s", text, output);
}

/* ---- bytes ---- */

/* Writes `after` over the one `before` that the flash file holds behind the agent's back. */
static void flash_patch(const char *before, const char *after)
{
    static uint8_t content[524288];
    char path[128];
    size_t size = strlen(before), found = 0;
    (void)snprintf(path, sizeof path, "%s/flash.bin", bench.folder);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pread(fd, content, sizeof content, 0), (ssize_t)sizeof content);
    for (size_t at = 0; at + size <= sizeof content; at++) {
        if (memcmp(content + at, before, size) == 0) {
            ck_assert_int_eq(pwrite(fd, after, size, (off_t)at), (ssize_t)size);
            found++;
        }
    }
    ck_assert_uint_eq(found, 1);
    (void)close(fd);
}

/* A confirmed image is patched in flash while it runs, and crashes: what stands there now is not
 * started again, and the bootloader goes back to the slot that verifies. */
START_TEST(patched_image_never_runs)
{
    struct bench_release v1, v6;
    bench_release(&bench, &v1,
                  &(struct bench_make){.version = "1.0.0", .image_file = APPS "/app_v1"});
    bench_release(&bench, &v6,
                  &(struct bench_make){.version = "6.0.0", .image_file = APPS "/app_v6"});
    bench_provision(&bench, &v1);
    bench_agent_start(&bench, NULL);
    bench_offer(&bench, &v6, 1);
    bench_until_state(&bench, SERIN_STATE_CONFIRMED, 30);
    flash_patch("app v6 ", "app vX ");
    bench_until_log(&bench, "the application cannot be started: ", 20);
    bench_until_log(&bench, "boots version=1.0.0 slot=a trial=0 window_s=0 cause=request", 20);
    bench_serve(&bench, 2000);
    status_has("\"version\":\"1.0.0\"");
    status_has("\"application\":\"running\"");
    ck_assert(!bench_log_has(&bench, "app vX"));
    bench_agent_stop(&bench);
    bench_release_free(&v1);
    bench_release_free(&v6);
}
END_TEST

/* ---- words ---- */

/* Makes the device run a shell script as its version 1.0.0, which does `last` when it is told to
 * end, after it has made the file "ends"; and waits until it runs. */
static void script_run(const char *last, const char *configuration)
{
    struct bench_release script;
    char text[512];
    int size = snprintf(text, sizeof text,
                        "#!/bin/sh\ntrap 'touch %s/ends; %s; exit 0' TERM\necho ready\n"
                        "while :; do sleep 0.05; done\n",
                        bench.folder, last);
    ck_assert_int_lt(size, (int)sizeof text);
    bench.watchdog_s = 60; /* a script does not say that it lives */
    bench_configure(&bench, true, configuration);
    bench_release(
        &bench, &script,
        &(struct bench_make){.version = "1.0.0", .image = text, .image_size = (size_t)size});
    bench_provision(&bench, &script);
    bench_agent_start(&bench, NULL);
    bench_until_log(&bench, "application: ready", 20);
    bench_release_free(&script);
}

static void until_it_ends(void)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/ends", bench.folder);
    for (int i = 0; i < 3000 && access(path, F_OK) != 0; i++) {
        bench_serve(&bench, 10);
    }
    ck_assert_int_eq(access(path, F_OK), 0);
}

/* The old image calls itself unhealthy when it is told to end for the new one, which is healthy:
 * the call waits in the socket's queue when the new one boots. */
START_TEST(old_image_does_not_condemn_the_new_one)
{
    struct bench_release v2;
    script_run(AGENT " unhealthy --socket \"$SERIN_SOCKET\"", NULL);
    bench_release(&bench, &v2,
                  &(struct bench_make){.version = "2.0.0", .image_file = APPS "/app_v2"});
    bench_offer(&bench, &v2, 1);
    bench_until_state(&bench, SERIN_STATE_CONFIRMED, 30);
    until_it_ends();
    ck_assert(!bench_log_has(&bench, "not healthy"));
    ck_assert(!bench_log_has(&bench, "application: serin-agent:")); /* the call had no fault */
    status_has("\"version\":\"2.0.0\"");
    bench_agent_stop(&bench);
    bench_release_free(&v2);
}
END_TEST

/* A confirmation that was said while the old image ended, on a connection that the agent knows, is
 * not one of the new image, which never confirms. */
START_TEST(word_for_the_old_image_does_not_confirm_the_new_one)
{
    struct bench_release v5;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[4096];
    script_run("sleep 0.8", "confirm: {needs_directive: false}\n");
    ck_assert_int_eq(serin_text_copy(address.sun_path, sizeof address.sun_path, bench.socket),
                     SERIN_OK);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(send(fd, "status\n", 7, MSG_NOSIGNAL), 7);
    ck_assert_int_gt(recv(fd, answer, sizeof answer, 0), 0);

    bench_release(
        &bench, &v5,
        &(struct bench_make){.version = "5.0.0", .image_file = APPS "/app_v5", .window_s = 2});
    bench_offer(&bench, &v5, 1);
    until_it_ends();
    ck_assert_int_eq(send(fd, "confirm\n", 8, MSG_NOSIGNAL), 8);
    bench_until_state(&bench, SERIN_STATE_ROLLED_BACK, 40);
    ck_assert_str_eq(serin_reason_word(bench_last(&bench)->reason), "not_confirmed");
    ck_assert_int_le(recv(fd, answer, sizeof answer, MSG_DONTWAIT), 0); /* no "ok" came */
    (void)close(fd);
    bench_agent_stop(&bench);
    bench_release_free(&v5);
}
END_TEST

int main(void)
{
    test_keys_open();
    Suite *suite = suite_create("serin_agent_boots");
    TCase *tests = tcase_create("serin_agent_boots");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, patched_image_never_runs);
    tcase_add_test(tests, old_image_does_not_condemn_the_new_one);
    tcase_add_test(tests, word_for_the_old_image_does_not_confirm_the_new_one);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
