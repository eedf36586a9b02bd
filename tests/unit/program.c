/*
 * Runs a real program (program.h).
 */
#include "program.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void take(const char *path, char *text, size_t size)
{
    size_t got = file_read(path, text, size - 1);

    text[got] = '\0';
    unlink(path);
}

static void become(const char *folder, const char *const *environment, const char *const *argv,
                   const char *out, const char *err)
{
    int out_fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int err_fd = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
    dup2(out_fd, STDOUT_FILENO);
    dup2(err_fd, STDERR_FILENO);
    for (; environment != NULL && *environment != NULL; environment++) {
        (void)putenv((char *)*environment);
    }
    if (chdir(folder) == 0) {
        execv(argv[0], (char *const *)argv);
    }
    _exit(127);
}

const struct program_result *program_run(const char *folder, const char *const *environment,
                                         const char *const *argv)
{
    static struct program_result result;
    char out[96];
    char err[96];
    int status = 0;

    snprintf(out, sizeof(out), "%s/.out", folder);
    snprintf(err, sizeof(err), "%s/.err", folder);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        become(folder, environment, argv, out, err);
    }
    while (waitpid(pid, &status, 0) < 0) {
        ck_assert_int_eq(errno, EINTR);
    }
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    take(out, result.out, sizeof(result.out));
    take(err, result.err, sizeof(result.err));
    return &result;
}

void folder_make(char *path)
{
    strcpy(path, "/tmp/serin-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
}

void folder_remove(const char *path)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -rf '%s'", path);
    ck_assert_int_eq(system(command), 0);
}

size_t file_read(const char *path, void *data, size_t size)
{
    FILE *file = fopen(path, "r");

    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    size_t got = fread(data, 1, size, file);
    fclose(file);
    return got;
}

void file_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "w");

    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}
