/*
 * The log writes whole single lines, also from threads and hostile text; fault points kill at the
 * passage that was asked for and at no other.
 */
#define _POSIX_C_SOURCE    200809L
#define SERIN_FAULT_POINTS 1
#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Everything written to standard error between begin and end. */
static int saved_stderr, catcher[2];

static void catch_begin(void)
{
    ck_assert_int_eq(pipe(catcher), 0);
    saved_stderr = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(catcher[1], STDERR_FILENO), 0);
}

static size_t catch_end(char *text, size_t capacity)
{
    ck_assert_int_ge(dup2(saved_stderr, STDERR_FILENO), 0);
    (void)close(catcher[1]);
    size_t used = 0;
    ssize_t got = 0;
    while ((got = read(catcher[0], text + used, capacity - 1 - used)) > 0) {
        used += (size_t)got;
    }
    text[used] = '\0';
    (void)close(catcher[0]);
    (void)close(saved_stderr);
    return used;
}

START_TEST(line_has_its_form)
{
    char text[4096], label[8];
    int year, month, day, hour, minute, second, ms, end = 0;
    catch_begin();
    errno = EINTR;
    serin_log(SERIN_LOG_INFO, "rollout %s id=%d", "started", 7);
    ck_assert_int_eq(errno, EINTR);
    (void)catch_end(text, sizeof text);
    ck_assert_int_eq(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %7s rollout started id=7\n%n",
                            &year, &month, &day, &hour, &minute, &second, &ms, label, &end),
                     8);
    ck_assert_int_eq(end, (int)strlen(text));
    ck_assert_str_eq(label, "INFO");
    ck_assert_int_ge(year, 2020);

    /* Where nothing can be written, the caller does not notice either. */
    int kept = dup(STDERR_FILENO);
    (void)close(STDERR_FILENO);
    errno = EINTR;
    serin_log(SERIN_LOG_INFO, "unheard");
    int after = errno;
    ck_assert_int_eq(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    (void)close(kept);
    ck_assert_int_eq(after, EINTR);
}
END_TEST

START_TEST(levels_are_kept)
{
    char text[4096];
    static const char *const labels[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (int lowest = SERIN_LOG_DEBUG; lowest <= SERIN_LOG_ERROR; lowest++) {
        ck_assert(serin_log_level_text(names[lowest]));
        catch_begin();
        for (int level = SERIN_LOG_DEBUG; level <= SERIN_LOG_ERROR; level++) {
            serin_log((enum serin_log_level)level, "x");
        }
        (void)catch_end(text, sizeof text);
        for (int level = SERIN_LOG_DEBUG; level <= SERIN_LOG_ERROR; level++) {
            ck_assert_int_eq(strstr(text, labels[level]) != NULL, level >= lowest);
            ck_assert_int_eq(serin_log_enabled((enum serin_log_level)level), level >= lowest);
        }
    }
    ck_assert(!serin_log_level_text("loud"));
    serin_log_level(SERIN_LOG_INFO);
}
END_TEST

START_TEST(hostile_text_stays_on_its_line)
{
    char text[8192], longest[6000];
    catch_begin();
    serin_log(SERIN_LOG_WARN, "a\nb\r\x1b[2Jc\x7f");
    size_t size = catch_end(text, sizeof text);
    ck_assert_ptr_eq(strchr(text, '\n'), text + size - 1);
    ck_assert_ptr_nonnull(strstr(text, "a?b??[2Jc?\n"));

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    catch_begin();
    serin_log(SERIN_LOG_WARN, "%s", longest);
    size = catch_end(text, sizeof text);
    ck_assert_uint_le(size, SERIN_LOG_LINE_MAX);
    ck_assert_uint_gt(size, SERIN_LOG_LINE_MAX - 4);
    ck_assert_int_eq(text[size - 1], '\n');
}
END_TEST

#define THREADS 4
#define LINES   50

static void *log_many(void *argument)
{
    for (int i = 0; i < LINES; i++) {
        serin_log(SERIN_LOG_INFO, "thread=%d ................................ end",
                  *(int *)argument);
    }
    return NULL;
}

START_TEST(threads_do_not_mix_lines)
{
    static char text[65536];
    pthread_t threads[THREADS];
    int numbers[THREADS];
    catch_begin();
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_many, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    (void)catch_end(text, sizeof text);
    int count = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"), count++) {
        ck_assert_ptr_nonnull(strstr(line, "INFO thread="));
        ck_assert_str_eq(line + strlen(line) - 4, " end");
    }
    ck_assert_int_eq(count, THREADS * LINES);
}
END_TEST

static const struct {
    const char *plan, *name;
    int passages; /* made */
    int dies_at;  /* 0: lives */
} faults[] = {
    {"a.b.c:1", "a.b.c", 1, 1},
    {"a.b.c:3", "a.b.c", 5, 3},
    {"a.b.c:3", "a.b.c", 2, 0},
    {"a.b.c:1", "a.b", 5, 0},
    {"a.b:1", "a.b.c", 5, 0},
    {"x:1,a.b.c:2", "a.b.c", 5, 2},
    {"a.b.c:4,a.b.c:2", "a.b.c", 5, 2},
    {"a.b.c", "a.b.c", 5, 0},
    {"a.b.c:x", "a.b.c", 5, 0},
    {"", "a.b.c", 5, 0},
    {",,:1,", "a.b.c", 5, 0},
    {"a.bx1:9", "a.b", 5, 0},
    {NULL, "a.b.c", 5, 0},
};

START_TEST(fault_kills_at_its_passage)
{
    int alive[2];
    ck_assert_int_eq(pipe(alive), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (faults[_i].plan != NULL) {
            (void)setenv("SERIN_FAULT", faults[_i].plan, 1);
        } else {
            (void)unsetenv("SERIN_FAULT");
        }
        for (int i = 0; i < faults[_i].passages; i++) {
            SERIN_FAULT_POINT(faults[_i].name);
            if (write(alive[1], "+", 1) != 1) {
                _exit(2);
            }
        }
        _exit(0);
    }
    (void)close(alive[1]);
    char passed[16];
    ssize_t count = 0, got = 0;
    while ((got = read(alive[0], passed + count, sizeof passed - (size_t)count)) > 0) {
        count += got;
    }
    (void)close(alive[0]);
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (faults[_i].dies_at > 0) {
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
        ck_assert_int_eq(count, faults[_i].dies_at - 1);
    } else {
        ck_assert(WIFEXITED(status));
        ck_assert_int_eq(WEXITSTATUS(status), 0);
        ck_assert_int_eq(count, faults[_i].passages);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log_fault");
    TCase *tests = tcase_create("log_fault");
    tcase_add_test(tests, line_has_its_form);
    tcase_add_test(tests, levels_are_kept);
    tcase_add_test(tests, hostile_text_stays_on_its_line);
    tcase_add_test(tests, threads_do_not_mix_lines);
    tcase_add_loop_test(tests, fault_kills_at_its_passage, 0,
                        (int)(sizeof faults / sizeof *faults));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
