/*
 * Small files of secrets, on POSIX.
 */
#define _DEFAULT_SOURCE /* explicit_bzero */
#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum serin_error serin_keyfile_explain(struct serin_key_why *why, enum serin_error error,
                                       const char *format, ...)
{
    if (why != NULL) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(why->text, sizeof(why->text), format, arguments);
        va_end(arguments);
    }
    return error;
}

void serin_keyfile_wipe(void *memory, size_t size)
{
    explicit_bzero(memory, size);
}

/* ---- reading ---- */

static enum serin_error check_file(int fd, const char *path, struct stat *status,
                                   struct serin_key_why *why)
{
    if (fstat(fd, status) != 0) {
        return serin_keyfile_explain(why, SERIN_ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(status->st_mode)) {
        return serin_keyfile_explain(why, SERIN_ERR_FORMAT, "%s: not a plain file", path);
    }
    if (status->st_size > (off_t)SERIN_KEYFILE_MAX) {
        return serin_keyfile_explain(why, SERIN_ERR_FORMAT, "%s: too large for a key file", path);
    }
    return SERIN_OK;
}

/* Fills `out` up to the file's end or SERIN_KEYFILE_MAX bytes. */
static bool read_all(int fd, char *out, size_t *size)
{
    *size = 0;
    while (*size < SERIN_KEYFILE_MAX) {
        ssize_t got = read(fd, out + *size, SERIN_KEYFILE_MAX - *size);
        if (got == 0) {
            return true;
        }
        if (got < 0 && errno != EINTR) {
            return false;
        }
        *size += got > 0 ? (size_t)got : 0;
    }
    return true;
}

enum serin_error serin_keyfile_read(const char *path, char out[SERIN_KEYFILE_MAX + 1], size_t *size,
                                    mode_t *mode, struct serin_key_why *why)
{
    struct stat status;
    /* Without O_NONBLOCK a named pipe would hold the caller up before it can be refused. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        enum serin_error error = errno == ENOENT ? SERIN_ERR_NOT_FOUND : SERIN_ERR_IO;
        return serin_keyfile_explain(why, error, "%s: %s", path, strerror(errno));
    }
    enum serin_error error = check_file(fd, path, &status, why);
    if (error == SERIN_OK && !read_all(fd, out, size)) {
        error = serin_keyfile_explain(why, SERIN_ERR_IO, "%s: %s", path, strerror(errno));
    }
    (void)close(fd);
    out[error == SERIN_OK ? *size : 0] = '\0';
    if (error == SERIN_OK && mode != NULL) {
        *mode = status.st_mode;
    }
    return error;
}

enum serin_error serin_keyfile_check_mode(const char *path, mode_t mode, struct serin_key_why *why)
{
    if ((mode & S_IRWXO) != 0) {
        return serin_keyfile_explain(
            why, SERIN_ERR_DENIED,
            "%s: every user may open this private key; take that away with: chmod o= %s", path,
            path);
    }
    return SERIN_OK;
}

/* ---- making ---- */

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t put = write(fd, data, size);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        data += put > 0 ? put : 0;
        size -= put > 0 ? (size_t)put : 0;
    }
    return true;
}

/* Makes the name durable too: without it a power cut may take a key back whose public half is
 * already in use. */
static bool sync_folder_of(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    if (length >= sizeof(folder)) {
        return false;
    }
    memcpy(folder, path, length);
    folder[length] = '\0';
    const char *name = slash == NULL ? "." : length == 0 ? "/" : folder;
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool synced = fsync(fd) == 0;
    return close(fd) == 0 && synced;
}

enum serin_error serin_keyfile_create(const char *path, mode_t mode, const char *data, size_t size,
                                      struct serin_key_why *why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0 && errno == EEXIST) {
        return serin_keyfile_explain(why, SERIN_ERR_EXISTS,
                                     "%s: exists already; keys are never overwritten, so move it "
                                     "away or choose another name",
                                     path);
    }
    if (fd < 0) {
        enum serin_error error = errno == ENOENT ? SERIN_ERR_NOT_FOUND : SERIN_ERR_IO;
        return serin_keyfile_explain(why, error, "%s: %s", path, strerror(errno));
    }
    bool written = write_all(fd, data, size) && fsync(fd) == 0;
    written = close(fd) == 0 && written && sync_folder_of(path);
    if (!written) {
        int cause = errno;
        (void)unlink(path); /* it is ours: O_EXCL made it */
        return serin_keyfile_explain(why, SERIN_ERR_IO, "%s: %s", path, strerror(cause));
    }
    return SERIN_OK;
}
