/* Atomic replacement of files; see the header for what is promised. */
#include <serin/adapters/atomicfile.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static enum serin_error error_of_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? SERIN_ERR_NO_SPACE : SERIN_ERR_IO;
}

static enum serin_error write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return error_of_errno();
        }
        data += written;
        size -= (size_t)written;
    }
    return SERIN_OK;
}

/* Creates the temporary file with its content on the disk. close() is checked too: NFS reports a
 * full disk there. */
static enum serin_error write_temporary(int folder_fd, const char *name, const void *data,
                                        size_t size)
{
    int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0) {
        return error_of_errno();
    }
    enum serin_error error = write_all(fd, data, size);
    if (error == SERIN_OK && fsync(fd) != 0) {
        error = error_of_errno();
    }
    if (close(fd) != 0 && error == SERIN_OK) {
        error = error_of_errno();
    }
    return error;
}

enum serin_error serin_atomicfile_write(int temporary_fd, const char *temporary, int folder_fd,
                                        const char *name, const void *data, size_t size)
{
    enum serin_error error = write_temporary(temporary_fd, temporary, data, size);
    if (error == SERIN_OK && renameat(temporary_fd, temporary, folder_fd, name) != 0) {
        error = error_of_errno();
    }
    if (error != SERIN_OK) {
        int saved = errno;
        (void)unlinkat(temporary_fd, temporary, 0);
        errno = saved;
        return error;
    }
    return fsync(folder_fd) == 0 ? SERIN_OK : error_of_errno();
}

enum serin_error serin_atomicfile_folder(int parent_fd, const char *name, int *folder_fd)
{
    if (mkdirat(parent_fd, name, 0750) == 0) {
        if (fsync(parent_fd) != 0) {
            return error_of_errno();
        }
    } else if (errno != EEXIST) {
        return error_of_errno();
    }
    *folder_fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *folder_fd >= 0 ? SERIN_OK : error_of_errno();
}
