/*
 * The launcher with real children: each way to end is told apart, nothing of a child is left
 * behind, nothing of the agent leaks into it, and it does not outlive the agent.
 *
 * The images are shell scripts and the programs of tests/apps: whatever the kernel executes.
 */
#define _DEFAULT_SOURCE
#include <serin/adapters/log.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/ports/linux/launcher.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct serin_launcher *launcher;
static char folder[64], log_path[96];

/* The log goes into a file of the test's own, to be read by it. */
static void setup(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/serin-launcher-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(log_path, sizeof log_path, "%s/log", folder);
    int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
    (void)close(fd);
    ck_assert_int_eq(serin_launcher_open(&launcher), SERIN_OK);
}

static void teardown(void)
{
    serin_launcher_close(launcher);
    (void)unlink(log_path);
    (void)rmdir(folder);
}

static bool log_has(const char *text)
{
    static char content[65536];
    FILE *file = fopen(log_path, "r");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(content, 1, sizeof content - 1, file);
    content[size] = '\0';
    (void)fclose(file);
    return strstr(content, text) != NULL;
}

static enum serin_error text_read(void *ctx, uint32_t offset, void *out, size_t size)
{
    memcpy(out, (const char *)ctx + offset, size);
    return SERIN_OK;
}

static enum serin_error start_with(const char *image, const char *const *arguments, size_t count)
{
    static const char *const environment[] = {"SERIN_SLOT=b", "PATH=/usr/bin:/bin"};
    uint8_t sha256[SERIN_SHA256_SIZE];
    serin_sha256_of(serin_wolfcrypt(), image, strlen(image), sha256);
    struct serin_launch launch = {
        .read = text_read,
        .ctx = (void *)(uintptr_t)image,
        .image_size = (uint32_t)strlen(image),
        .sha256 = sha256,
        .crypto = serin_wolfcrypt(),
        .name = "image-1.0.0",
        .arguments = arguments,
        .argument_count = count,
        .environment = environment,
        .environment_count = 2,
    };
    return serin_launcher_start(launcher, &launch);
}

static void start(const char *image)
{
    ck_assert_int_eq(start_with(image, NULL, 0), SERIN_OK);
    ck_assert_int_gt(serin_launcher_pid(launcher), 0);
}

/* Serves until the child has ended; false: it lives after `ms`. */
static bool ends_within(struct serin_launch_end *end, int ms)
{
    for (int waited = 0; waited <= ms; waited += 10) {
        struct pollfd fds[SERIN_LAUNCHER_FDS_MAX];
        size_t count = serin_launcher_fds(launcher, fds);
        (void)poll(fds, (nfds_t)count, 10);
        if (serin_launcher_serve(launcher, end)) {
            ck_assert_int_eq(serin_launcher_pid(launcher), 0);
            ck_assert_uint_eq(serin_launcher_fds(launcher, fds), 0);
            return true;
        }
    }
    return false;
}

static const struct {
    const char *image;
    bool by_signal;
    int code;
} endings[] = {
    {"#!/bin/sh\nexit 0\n", false, 0},
    {"#!/bin/sh\nexit 7\n", false, 7},
    {"#!/bin/sh\nkill -ABRT $$\n", true, SIGABRT},
    {"#!/bin/sh\nkill -SEGV $$\n", true, SIGSEGV},
    {"#!/bin/sh\nkill -PIPE $$\n", true, SIGPIPE}, /* the agent ignores it; its child must not */
    {"#!/bin/sh\nkill -TERM $$\n", true, SIGTERM}, /* the agent blocks it; its child must not */
    {"this is no program", false, 127},
    {"\x7f"
     "ELF but broken",
     false, 127},
    {"#!/nowhere/interpreter\n", false, 127},
};

START_TEST(ending_is_told)
{
    struct serin_launch_end end;
    sigset_t set;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    start(endings[_i].image);
    ck_assert(ends_within(&end, 10000));
    ck_assert_int_eq(end.by_signal, endings[_i].by_signal);
    ck_assert_int_eq(end.code, endings[_i].code);
}
END_TEST

START_TEST(output_is_logged_line_by_line)
{
    struct serin_launch_end end;
    start("#!/bin/sh\necho out; echo err >&2; printf 'no end'\n");
    ck_assert(ends_within(&end, 10000));
    ck_assert(log_has("INFO application: out\n"));
    ck_assert(log_has("INFO application: err\n"));
    ck_assert(log_has("INFO application: no end\n"));
}
END_TEST

START_TEST(long_output_is_cut_into_lines)
{
    struct serin_launch_end end;
    start(
        "#!/bin/sh\ni=0; while [ $i -lt 1200 ]; do printf x; i=$((i+1)); done; echo; echo last\n");
    ck_assert(ends_within(&end, 10000));
    char expected[SERIN_LAUNCHER_LINE_MAX + 32];
    size_t used = (size_t)snprintf(expected, sizeof expected, "application: ");
    memset(expected + used, 'x', SERIN_LAUNCHER_LINE_MAX);
    (void)snprintf(expected + used + SERIN_LAUNCHER_LINE_MAX, 2, "\n");
    ck_assert(log_has(expected));
    ck_assert(log_has("application: last\n"));
}
END_TEST

START_TEST(environment_and_arguments_arrive)
{
    struct serin_launch_end end;
    const char *const arguments[] = {"--fast", "two words"};
    (void)setenv("SERIN_SLOT", "of the agent", 1);
    (void)setenv("KEPT", "kept", 1);
    ck_assert_int_eq(start_with("#!/bin/sh\necho \"slot=$SERIN_SLOT kept=$KEPT args=$1|$2\"\n"
                                "env | grep -c ^SERIN_SLOT= \n",
                                arguments, 2),
                     SERIN_OK);
    ck_assert(ends_within(&end, 10000));
    ck_assert(log_has("application: slot=b kept=kept args=--fast|two words\n"));
    ck_assert(log_has("application: 1\n"));
}
END_TEST

/* Descriptors that the agent forgot to mark do not reach the child. 255 is what some shells keep
 * for their script. */
START_TEST(no_descriptor_leaks)
{
    struct serin_launch_end end;
    int leak = dup(STDOUT_FILENO);
    ck_assert_int_ge(leak, 3);
    char image[160];
    (void)snprintf(image, sizeof image,
                   "#!/bin/sh\n[ -e /proc/self/fd/%d ] && echo leaked || echo tight\n", leak);
    start(image);
    ck_assert(ends_within(&end, 10000));
    ck_assert(log_has("application: tight\n"));
    (void)close(leak);
}
END_TEST

START_TEST(hang_is_killed_with_its_children)
{
    struct serin_launch_end end;
    char expected[64];
    /* What is ignored is ignored by the children too: only SIGKILL to the group ends this one. */
    start("#!/bin/sh\ntrap '' TERM; sleep 1000 & echo child=$!; wait; wait\n");
    pid_t group = serin_launcher_pid(launcher);
    ck_assert(!ends_within(&end, 300));
    ck_assert(serin_launcher_owns(launcher, group));
    ck_assert(!serin_launcher_owns(launcher, getpid()));
    ck_assert(!serin_launcher_owns(launcher, 0));
    serin_launcher_stop(launcher, 100);
    ck_assert_int_eq(serin_launcher_pid(launcher), 0);
    ck_assert(!serin_launcher_owns(launcher, group));
    (void)snprintf(expected, sizeof expected, "application: child=");
    ck_assert(log_has(expected));
    for (int i = 0; i < 100 && kill(-group, 0) == 0; i++) {
        (void)usleep(20000);
    }
    ck_assert_int_eq(kill(-group, 0), -1);
    ck_assert_int_eq(errno, ESRCH);
    serin_launcher_stop(launcher, 100); /* nothing to stop: nothing happens */
}
END_TEST

START_TEST(end_takes_the_children_along)
{
    struct serin_launch_end end;
    start("#!/bin/sh\nsleep 1000 >/dev/null 2>&1 &\nexit 5\n");
    pid_t group = serin_launcher_pid(launcher);
    ck_assert(ends_within(&end, 10000));
    ck_assert_int_eq(end.code, 5);
    for (int i = 0; i < 100 && kill(-group, 0) == 0; i++) {
        (void)usleep(20000);
    }
    ck_assert_int_eq(kill(-group, 0), -1);
}
END_TEST

START_TEST(polite_child_may_clean_up)
{
    struct timespec before, after;
    start(
        "#!/bin/sh\ntrap 'echo cleaned; exit 0' TERM\necho ready\nwhile :; do sleep 0.05; done\n");
    struct serin_launch_end end;
    for (int i = 0; i < 200 && !log_has("application: ready"); i++) {
        ck_assert(!ends_within(&end, 0));
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    serin_launcher_stop(launcher, 5000);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    ck_assert(log_has("application: cleaned\n"));
    ck_assert_int_lt(after.tv_sec - before.tv_sec, 4);
}
END_TEST

static enum serin_error fail_read(void *ctx, uint32_t offset, void *out, size_t size)
{
    (void)ctx;
    (void)offset;
    (void)out;
    (void)size;
    return SERIN_ERR_FLASH;
}

START_TEST(unreadable_image_does_not_start)
{
    struct serin_launch launch = {.read = fail_read, .image_size = 100, .name = "x"};
    ck_assert_int_eq(serin_launcher_start(launcher, &launch), SERIN_ERR_FLASH);
    ck_assert_int_eq(serin_launcher_pid(launcher), 0);
    struct serin_launch_end end;
    ck_assert(!serin_launcher_serve(launcher, &end));
    start("#!/bin/sh\nexit 3\n"); /* it still works */
    ck_assert(ends_within(&end, 10000));
    ck_assert_int_eq(end.code, 3);
}
END_TEST

/* The flash gives other bytes than those that were verified, or fewer or more of them: no byte of
 * them runs. */
START_TEST(altered_image_does_not_start)
{
    static const char verified[] = "#!/bin/sh\necho intact\n",
                      other[] = "#!/bin/sh\necho patched\n";
    uint8_t sha256[SERIN_SHA256_SIZE];
    struct serin_launch_end end;
    serin_sha256_of(serin_wolfcrypt(), verified, sizeof verified - 1, sha256);
    const struct {
        const char *bytes;
        size_t size;
    } read[] = {
        {other, sizeof other - 1},
        {other, sizeof verified - 1},
        {verified, sizeof verified - 2},
        {verified, sizeof verified},
        {verified, 0},
    };
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
        struct serin_launch launch = {
            .read = text_read,
            .ctx = (void *)(uintptr_t)read[i].bytes,
            .image_size = (uint32_t)read[i].size,
            .sha256 = sha256,
            .crypto = serin_wolfcrypt(),
            .name = "x",
        };
        ck_assert_int_eq(serin_launcher_start(launcher, &launch), SERIN_ERR_DIGEST);
        ck_assert_int_eq(serin_launcher_pid(launcher), 0);
    }
    start(verified);
    ck_assert(ends_within(&end, 10000));
    ck_assert(log_has("application: intact\n"));
    ck_assert(!log_has("patched"));
}
END_TEST

/* The agent is killed; its child must die too. */
START_TEST(child_does_not_outlive_the_agent)
{
    int told[2];
    ck_assert_int_eq(pipe(told), 0);
    pid_t agent = fork();
    if (agent == 0) {
        struct serin_launcher *own = NULL;
        static const char image[] = "#!/bin/sh\nexec sleep 1000\n";
        uint8_t sha256[SERIN_SHA256_SIZE];
        serin_sha256_of(serin_wolfcrypt(), image, sizeof image - 1, sha256);
        struct serin_launch launch = {
            .read = text_read,
            .ctx = (void *)(uintptr_t)image,
            .image_size = sizeof image - 1,
            .sha256 = sha256,
            .crypto = serin_wolfcrypt(),
            .name = "x",
        };
        if (serin_launcher_open(&own) != SERIN_OK ||
            serin_launcher_start(own, &launch) != SERIN_OK) {
            _exit(1);
        }
        pid_t pid = serin_launcher_pid(own);
        (void)usleep(200000); /* until it has set itself up */
        if (write(told[1], &pid, sizeof pid) != (ssize_t)sizeof pid) {
            _exit(1);
        }
        (void)pause();
        _exit(0);
    }
    pid_t child = 0;
    ck_assert_int_eq(read(told[0], &child, sizeof child), (int)sizeof child);
    ck_assert_int_eq(kill(child, 0), 0);
    ck_assert_int_eq(kill(agent, SIGKILL), 0);
    ck_assert_int_eq(waitpid(agent, NULL, 0), agent);
    /* Nobody here reaps the orphan: a zombie counts as dead. */
    char stat_path[64], line[256] = "";
    bool dead = false;
    (void)snprintf(stat_path, sizeof stat_path, "/proc/%d/stat", (int)child);
    for (int i = 0; i < 100 && !dead; i++, (void)usleep(20000)) {
        FILE *file = fopen(stat_path, "r");
        dead = file == NULL || fgets(line, sizeof line, file) == NULL ||
               strstr(line, ") Z ") != NULL || strstr(line, ") X ") != NULL;
        if (file != NULL) {
            (void)fclose(file);
        }
    }
    ck_assert_msg(dead, "%s", line);
    (void)close(told[0]);
    (void)close(told[1]);
}
END_TEST

/* A program of tests/apps, from the bytes of its file as from a slot. */
static enum serin_error file_read(void *ctx, uint32_t offset, void *out, size_t size)
{
    return pread(*(int *)ctx, out, size, (off_t)offset) == (ssize_t)size ? SERIN_OK
                                                                         : SERIN_ERR_FLASH;
}

START_TEST(real_program_crashes)
{
    static uint8_t image[1 << 20];
    uint8_t sha256[SERIN_SHA256_SIZE];
    int fd = open(APPS "/app_v3", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ssize_t size = pread(fd, image, sizeof image, 0);
    ck_assert(size > 0 && size < (ssize_t)sizeof image);
    serin_sha256_of(serin_wolfcrypt(), image, (size_t)size, sha256);
    struct serin_launch launch = {
        .read = file_read,
        .ctx = &fd,
        .image_size = (uint32_t)size,
        .sha256 = sha256,
        .crypto = serin_wolfcrypt(),
        .name = "app",
    };
    struct serin_launch_end end;
    ck_assert_int_eq(serin_launcher_start(launcher, &launch), SERIN_OK);
    ck_assert(ends_within(&end, 10000));
    ck_assert(end.by_signal);
    ck_assert_int_eq(end.code, SIGABRT);
    ck_assert(log_has("application: app v3 started"));
    (void)close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launcher");
    TCase *tests = tcase_create("launcher");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, ending_is_told, 0, (int)(sizeof endings / sizeof *endings));
    tcase_add_test(tests, output_is_logged_line_by_line);
    tcase_add_test(tests, long_output_is_cut_into_lines);
    tcase_add_test(tests, environment_and_arguments_arrive);
    tcase_add_test(tests, no_descriptor_leaks);
    tcase_add_test(tests, hang_is_killed_with_its_children);
    tcase_add_test(tests, end_takes_the_children_along);
    tcase_add_test(tests, polite_child_may_clean_up);
    tcase_add_test(tests, unreadable_image_does_not_start);
    tcase_add_test(tests, altered_image_does_not_start);
    tcase_add_test(tests, child_does_not_outlive_the_agent);
    tcase_add_test(tests, real_program_crashes);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
