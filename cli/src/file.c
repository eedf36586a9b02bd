/*
 * Files of the command (file.h).
 */
#include "file.h"

#include <serin/adapters/atomicfile.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMOVE_DEPTH 4u
#define PIPE_MAX     262144u /* policies and scenarios: firmware comes from a file */

enum serin_cli_exit serin_cli_fail_path(const struct serin_cli *cli, const char *path)
{
    int reason = errno;

    return serin_cli_fail(cli, reason == ENOENT ? SERIN_CLI_NOT_FOUND : SERIN_CLI_FAILED, "%s: %s",
                          path, strerror(reason));
}

/* Reads `size` bytes, or fewer where the file ends; false: reading failed. */
static bool read_all(int fd, uint8_t *data, size_t size, size_t *done)
{
    *done = 0;
    while (*done < size) {
        ssize_t part = read(fd, data + *done, size - *done);
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part <= 0) {
            return part == 0;
        }
        *done += (size_t)part;
    }
    return true;
}

/* What a process writes, as `<(…)` of a shell gives it: how much there is shows at its end. */
static enum serin_cli_exit read_pipe(const struct serin_cli *cli, const char *path, int fd,
                                     size_t max, uint8_t **data, size_t *size)
{
    enum serin_cli_exit exit = SERIN_CLI_DONE;

    *data = calloc(1, max + 2); /* one byte more, so that too much is seen, and the terminator */
    if (*data == NULL) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "%s: memory is exhausted", path);
    }
    if (!read_all(fd, *data, max + 1, size)) {
        exit = serin_cli_fail_path(cli, path);
    } else if (*size == 0) {
        exit = serin_cli_fail(cli, SERIN_CLI_INPUT, "%s: nothing came out of it", path);
    } else if (*size > max) {
        exit = serin_cli_fail(cli, SERIN_CLI_INPUT, "%s: larger than the allowed %zu bytes", path,
                              max);
    }
    if (exit != SERIN_CLI_DONE) {
        free(*data);
        *data = NULL;
        *size = 0;
    } else {
        (*data)[*size] = 0;
    }
    return exit;
}

enum serin_cli_exit serin_cli_read(const struct serin_cli *cli, const char *path, size_t max,
                                   uint8_t **data, size_t *size)
{
    struct stat info;
    enum serin_cli_exit exit = SERIN_CLI_DONE;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *data = NULL;
    *size = 0;
    if (fd < 0) {
        return serin_cli_fail_path(cli, path);
    }
    if (fstat(fd, &info) != 0) {
        exit = serin_cli_fail_path(cli, path);
    } else if (S_ISFIFO(info.st_mode) && max <= PIPE_MAX) {
        exit = read_pipe(cli, path, fd, max, data, size);
    } else if (!S_ISREG(info.st_mode)) {
        exit = serin_cli_fail(cli, SERIN_CLI_INPUT, "%s: not a plain file", path);
    } else if (info.st_size == 0) {
        exit = serin_cli_fail(cli, SERIN_CLI_INPUT, "%s: the file is empty", path);
    } else if ((uint64_t)info.st_size > max) {
        exit = serin_cli_fail(cli, SERIN_CLI_INPUT, "%s: larger than the allowed %zu bytes", path,
                              max);
    } else {
        *data = calloc(1, (size_t)info.st_size + 1);
        if (*data == NULL) {
            exit = serin_cli_fail(cli, SERIN_CLI_FAILED, "%s: memory is exhausted", path);
        } else if (!read_all(fd, *data, (size_t)info.st_size, size)) {
            exit = serin_cli_fail_path(cli, path);
            free(*data);
            *data = NULL;
        }
    }
    (void)close(fd);
    return exit;
}

/* The folder of a path, opened; *name is what follows the last slash. */
static int open_folder(const char *path, const char **name)
{
    char folder[SERIN_CLI_PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');

    *name = slash != NULL ? slash + 1 : path;
    if (slash != NULL) {
        size_t size = slash == path ? 1 : (size_t)(slash - path);
        if (size >= sizeof(folder)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(folder, path, size);
        folder[size] = '\0';
    }
    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

enum serin_cli_exit serin_cli_write(const struct serin_cli *cli, const char *path,
                                    const uint8_t *data, size_t size, bool replace)
{
    char temporary[256];
    const char *name = NULL;
    int folder = open_folder(path, &name);

    if (folder < 0) {
        return serin_cli_fail_path(cli, path);
    }
    if (!replace && serin_cli_exists(path)) {
        (void)close(folder);
        return serin_cli_fail(cli, SERIN_CLI_REFUSED, "%s exists already; it is not overwritten",
                              path);
    }
    /* The pid keeps two that write at once apart; a longer name is none that a file system takes.
     */
    int length = snprintf(temporary, sizeof(temporary), ".%s.%ld", name, (long)getpid());
    if (name[0] == '\0' || length < 0 || (size_t)length >= sizeof(temporary)) {
        (void)close(folder);
        return serin_cli_fail(cli, SERIN_CLI_USAGE, "'%s' is no name for a file", path);
    }
    enum serin_error error = serin_atomicfile_write(folder, temporary, folder, name, data, size);
    int reason = errno;
    (void)close(folder);
    if (error != SERIN_OK) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "%s: %s", path,
                              error == SERIN_ERR_NO_SPACE ? "there is no room left on the disk"
                                                          : strerror(reason));
    }
    return SERIN_CLI_DONE;
}

void serin_cli_make_public(const char *path)
{
    mode_t shut_out = umask(0); /* the one way to ask for it sets it */

    (void)umask(shut_out);
    (void)chmod(path, (S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH) & ~shut_out);
}

bool serin_cli_join(const struct serin_cli *cli, const char *folder, const char *name,
                    char path[SERIN_CLI_PATH_MAX])
{
    int length = snprintf(path, SERIN_CLI_PATH_MAX, "%s/%s", folder, name);

    if (length < 0 || (size_t)length >= SERIN_CLI_PATH_MAX) {
        (void)serin_cli_fail(cli, SERIN_CLI_USAGE, "the path of %s is too long", name);
        return false;
    }
    return true;
}

void serin_cli_sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

bool serin_cli_exists(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0;
}

bool serin_cli_same_file(const char *path, const char *other)
{
    struct stat info;
    struct stat other_info;

    return stat(path, &info) == 0 && stat(other, &other_info) == 0 &&
           info.st_dev == other_info.st_dev && info.st_ino == other_info.st_ino;
}

bool serin_cli_begins_with(const char *path, const char *magic)
{
    uint8_t head[16];
    struct stat info;
    size_t size = strlen(magic);
    size_t done = 0;
    /* Without O_NONBLOCK a named pipe would hold the command up. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        return false;
    }
    bool begins = size <= sizeof(head) && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
                  read_all(fd, head, size, &done) && done == size && memcmp(head, magic, size) == 0;
    (void)close(fd);
    return begins;
}

static void remove_in(int parent, const char *name, unsigned depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

    if (folder == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        (void)unlinkat(parent, name, 0);
        return;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL && depth > 0;
         entry = readdir(folder)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            remove_in(dirfd(folder), entry->d_name, depth - 1);
        }
    }
    (void)closedir(folder);
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

void serin_cli_remove_folder(const char *path)
{
    remove_in(AT_FDCWD, path, REMOVE_DEPTH);
}
