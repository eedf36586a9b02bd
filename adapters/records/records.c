/* A folder of small records; see the header for what is promised. */
#include <serin/adapters/records.h>

#include <serin/adapters/atomicfile.h>

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Starts with a dot, so no record can have this name and a walk leaves it out. */
#define TEMPORARY_NAME ".writing"
#define LOCK_NAME      ".lock"

struct serin_records {
    int folder_fd;
    int lock_fd;
};

static bool name_valid(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t length = strlen(name);
    return length > 0 && length <= SERIN_RECORDS_NAME_MAX && name[0] != '.' &&
           strspn(name, allowed) == length;
}

static enum serin_error lock_folder(struct serin_records *records)
{
    records->lock_fd =
        openat(records->folder_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (records->lock_fd < 0) {
        return SERIN_ERR_IO;
    }
    if (flock(records->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? SERIN_ERR_BUSY : SERIN_ERR_IO;
    }
    return SERIN_OK;
}

enum serin_error serin_records_open(struct serin_records **records, const char *path)
{
    *records = NULL;
    if (mkdir(path, 0750) != 0 && errno != EEXIST) {
        return errno == ENOENT ? SERIN_ERR_NOT_FOUND : SERIN_ERR_IO;
    }
    struct serin_records *opened = malloc(sizeof(*opened));
    if (opened == NULL) {
        return SERIN_ERR_MEMORY;
    }
    opened->lock_fd = -1;
    opened->folder_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum serin_error error = opened->folder_fd < 0 ? SERIN_ERR_IO : lock_folder(opened);
    if (error != SERIN_OK) {
        int saved = errno;
        serin_records_close(opened);
        errno = saved;
        return error;
    }
    *records = opened;
    return SERIN_OK;
}

void serin_records_close(struct serin_records *records)
{
    if (records == NULL) {
        return;
    }
    if (records->lock_fd >= 0) {
        (void)close(records->lock_fd);
    }
    if (records->folder_fd >= 0) {
        (void)close(records->folder_fd);
    }
    free(records);
}

enum serin_error serin_records_save(struct serin_records *records, const char *name,
                                    const void *data, size_t size)
{
    assert(name_valid(name) && size <= SERIN_RECORDS_SIZE_MAX);
    return serin_atomicfile_write(records->folder_fd, TEMPORARY_NAME, records->folder_fd, name,
                                  data, size);
}

/* Reads a whole record; one byte more than the largest is asked for, so that a longer file shows.
 */
static enum serin_error read_record(int folder_fd, const char *name, uint8_t *data, size_t *size)
{
    int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return SERIN_ERR_IO;
    }
    size_t have = 0;
    ssize_t got = 1;
    while (got != 0 && have <= SERIN_RECORDS_SIZE_MAX) {
        got = read(fd, data + have, SERIN_RECORDS_SIZE_MAX + 1 - have);
        if (got < 0 && errno != EINTR) {
            break;
        }
        have += got > 0 ? (size_t)got : 0;
    }
    (void)close(fd);
    *size = have;
    if (got < 0) {
        return SERIN_ERR_IO;
    }
    return have > SERIN_RECORDS_SIZE_MAX ? SERIN_ERR_TOO_LARGE : SERIN_OK;
}

static enum serin_error visit_one(struct serin_records *records, const char *name,
                                  serin_records_visit visit, void *ctx)
{
    uint8_t data[SERIN_RECORDS_SIZE_MAX + 1];
    size_t size = 0;
    enum serin_error error = read_record(records->folder_fd, name, data, &size);
    return error != SERIN_OK ? error : visit(ctx, name, data, size);
}

enum serin_error serin_records_each(struct serin_records *records, serin_records_visit visit,
                                    void *ctx, char *name_out)
{
    int fd = openat(records->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return SERIN_ERR_IO;
    }
    enum serin_error error = SERIN_OK;
    name_out[0] = '\0';
    while (error == SERIN_OK) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            error = errno == 0 ? SERIN_OK : SERIN_ERR_IO;
            break;
        }
        if (!name_valid(entry->d_name)) {
            continue;
        }
        memcpy(name_out, entry->d_name, strlen(entry->d_name) + 1);
        error = visit_one(records, entry->d_name, visit, ctx);
    }
    (void)closedir(folder);
    return error;
}
