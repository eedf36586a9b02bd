/*
 * A flash in a file (serin/ports/linux/file_flash.h).
 *
 * pread and pwrite, not a mapping: a failing disk then gives an error that can be returned, where a
 * mapping gives SIGBUS.
 */
#include <serin/ports/linux/file_flash.h>

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct serin_file_flash {
    int fd;
    struct serin_flash port;
    bool settled;    /* each operation is made durable before it returns */
    uint8_t *erased; /* a sector's worth of erased bytes */
};

/* ---- bytes ---- */

/* Reads exactly `size` bytes. False: errno says why; 0 where the file ends too early. */
static bool read_all(int fd, off_t offset, uint8_t *out, size_t size)
{
    while (size > 0) {
        ssize_t got = pread(fd, out, size, offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got == 0 ? 0 : errno;
            return false;
        }
        out += got;
        offset += got;
        size -= (size_t)got;
    }
    return true;
}

static bool write_all(int fd, off_t offset, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t put = pwrite(fd, data, size, offset);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return false;
        }
        data += put;
        offset += put;
        size -= (size_t)put;
    }
    return true;
}

/* Whether what was written will survive a power cut, as far as that is asked for already. */
static bool durable(const struct serin_file_flash *flash)
{
    return !flash->settled || fdatasync(flash->fd) == 0;
}

static bool inside(const struct serin_flash *port, uint32_t address, size_t size)
{
    return size <= port->size_bytes && address <= port->size_bytes - size;
}

static enum serin_error flash_fail(const char *what, uint32_t address, size_t size)
{
    serin_log(SERIN_LOG_ERROR, "flash: %s failed: %s address=%u size=%zu", what,
              errno != 0 ? strerror(errno) : "the file is too short", address, size);
    return SERIN_ERR_FLASH;
}

static enum serin_error flash_refuse(const char *why, uint32_t address, size_t size)
{
    serin_log(SERIN_LOG_ERROR, "flash: refused: %s address=%u size=%zu", why, address, size);
    return SERIN_ERR_FLASH;
}

/* ---- the port ---- */

static enum serin_error op_read(void *ctx, uint32_t address, void *out, size_t size)
{
    const struct serin_file_flash *flash = ctx;
    if (!inside(&flash->port, address, size)) {
        return flash_refuse("reading past the end", address, size);
    }
    return read_all(flash->fd, (off_t)address, out, size) ? SERIN_OK
                                                          : flash_fail("reading", address, size);
}

/* SERIN_OK: `size` bytes at `address` are erased. */
static enum serin_error erased_check(const struct serin_file_flash *flash, uint32_t address,
                                     size_t size)
{
    uint8_t chunk[4096];
    for (size_t done = 0; done < size;) {
        size_t part = size - done < sizeof chunk ? size - done : sizeof chunk;
        if (!read_all(flash->fd, (off_t)address + (off_t)done, chunk, part)) {
            return flash_fail("looking at", address, size);
        }
        if (!serin_bytes_all(chunk, part, flash->port.erased_value)) {
            return flash_refuse("programming what is not erased", address, size);
        }
        done += part;
    }
    return SERIN_OK;
}

/* Both operations write in two steps with a fault point between them: flash that loses its power
 * leaves a part behind, and the tests want to see that part. */

static enum serin_error op_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    const struct serin_file_flash *flash = ctx;
    uint32_t unit = flash->port.write_unit;
    if (!inside(&flash->port, address, size) || address % unit != 0 || size % unit != 0) {
        return flash_refuse("programming off the write units", address, size);
    }
    enum serin_error result = erased_check(flash, address, size);
    if (result != SERIN_OK) {
        return result;
    }
    SERIN_FAULT_POINT("flash.program.before");
    size_t first = size / 2;
    const uint8_t *bytes = data;
    if (!write_all(flash->fd, (off_t)address, bytes, first)) {
        return flash_fail("programming", address, size);
    }
    SERIN_FAULT_POINT("flash.program.half");
    if (!write_all(flash->fd, (off_t)address + (off_t)first, bytes + first, size - first) ||
        !durable(flash)) {
        return flash_fail("programming", address, size);
    }
    return SERIN_OK;
}

static enum serin_error op_erase(void *ctx, uint32_t address, size_t size)
{
    const struct serin_file_flash *flash = ctx;
    uint32_t sector = flash->port.sector_size;
    if (!inside(&flash->port, address, size) || address % sector != 0 || size % sector != 0) {
        return flash_refuse("erasing off the sectors", address, size);
    }
    for (uint32_t at = address; at < address + size; at += sector) {
        if (!write_all(flash->fd, (off_t)at, flash->erased, sector / 2)) {
            return flash_fail("erasing", address, size);
        }
        SERIN_FAULT_POINT("flash.erase.half");
        if (!write_all(flash->fd, (off_t)at + (off_t)(sector / 2), flash->erased, sector / 2)) {
            return flash_fail("erasing", address, size);
        }
    }
    return durable(flash) ? SERIN_OK : flash_fail("erasing", address, size);
}

static const struct serin_flash_ops file_flash_ops = {
    .read = op_read,
    .program = op_program,
    .erase = op_erase,
};

/* ---- opening ---- */

static enum serin_error explain(char *why, enum serin_error result, const char *path,
                                const char *words)
{
    (void)snprintf(why, SERIN_FILE_FLASH_WHY_SIZE, "%s: %s", path, words);
    return result;
}

static enum serin_error explain_errno(char *why, const char *path)
{
    int number = errno;
    enum serin_error result = number == ENOENT   ? SERIN_ERR_NOT_FOUND
                              : number == EEXIST ? SERIN_ERR_EXISTS
                              : number == ENOSPC || number == EDQUOT || number == EFBIG
                                  ? SERIN_ERR_NO_SPACE
                              : number == EWOULDBLOCK ? SERIN_ERR_BUSY
                                                      : SERIN_ERR_IO;
    return explain(why, result, path,
                   result == SERIN_ERR_NO_SPACE ? "there is no room for the flash: free some, or "
                                                  "choose a smaller flash.size"
                   : result == SERIN_ERR_BUSY   ? "another agent uses this flash; stop it first"
                                                : strerror(number));
}

/* The object for an open file; takes `fd` over, also on failure. */
static struct serin_file_flash *flash_make(int fd, const struct serin_file_flash_geometry *geometry)
{
    struct serin_file_flash *flash = calloc(1, sizeof *flash);
    uint8_t *blank = malloc(geometry->sector_size);
    if (flash == NULL || blank == NULL) {
        free(flash);
        free(blank);
        (void)close(fd);
        return NULL;
    }
    (void)memset(blank, SERIN_FILE_FLASH_ERASED, geometry->sector_size);
    *flash = (struct serin_file_flash){
        .fd = fd,
        .erased = blank,
        .port =
            {
                .ops = &file_flash_ops,
                .ctx = flash,
                .size_bytes = geometry->size_bytes,
                .sector_size = geometry->sector_size,
                .write_unit = geometry->write_unit,
                .erased_value = SERIN_FILE_FLASH_ERASED,
            },
    };
    return flash;
}

/* Fills the file with erased flash. */
static bool file_fill(const struct serin_file_flash *flash)
{
    uint32_t sector = flash->port.sector_size;
    if (flock(flash->fd, LOCK_EX | LOCK_NB) != 0) {
        return false;
    }
    for (uint32_t at = 0; at < flash->port.size_bytes; at += sector) {
        if (!write_all(flash->fd, (off_t)at, flash->erased, sector)) {
            return false;
        }
    }
    return true;
}

enum serin_error serin_file_flash_create(struct serin_file_flash **flash, const char *path,
                                         const struct serin_file_flash_geometry *geometry,
                                         char why[SERIN_FILE_FLASH_WHY_SIZE])
{
    *flash = NULL;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return explain_errno(why, path);
    }
    struct serin_file_flash *made = flash_make(fd, geometry);
    if (made == NULL) {
        (void)unlink(path);
        return explain(why, SERIN_ERR_MEMORY, path, serin_error_text(SERIN_ERR_MEMORY));
    }
    if (!file_fill(made)) {
        enum serin_error result = explain_errno(why, path);
        (void)unlink(path);
        serin_file_flash_close(made);
        return result;
    }
    *flash = made;
    return SERIN_OK;
}

enum serin_error serin_file_flash_open(struct serin_file_flash **flash, const char *path,
                                       enum serin_file_flash_mode mode,
                                       const struct serin_file_flash_geometry *geometry,
                                       char why[SERIN_FILE_FLASH_WHY_SIZE])
{
    bool writes = mode == SERIN_FILE_FLASH_WRITE;
    *flash = NULL;
    int fd = open(path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0) {
        return explain_errno(why, path);
    }
    struct stat status;
    if ((writes && flock(fd, LOCK_EX | LOCK_NB) != 0) || fstat(fd, &status) != 0) {
        enum serin_error result = explain_errno(why, path);
        (void)close(fd);
        return result;
    }
    if (status.st_size != (off_t)geometry->size_bytes) {
        char words[128];
        (void)snprintf(words, sizeof words,
                       "the file has %lld bytes, but flash.size is %u; correct the configuration, "
                       "or provision anew",
                       (long long)status.st_size, geometry->size_bytes);
        (void)close(fd);
        return explain(why, SERIN_ERR_LAYOUT, path, words);
    }
    *flash = flash_make(fd, geometry);
    if (*flash == NULL) {
        return explain(why, SERIN_ERR_MEMORY, path, serin_error_text(SERIN_ERR_MEMORY));
    }
    (*flash)->settled = true;
    return SERIN_OK;
}

enum serin_error serin_file_flash_settle(struct serin_file_flash *flash)
{
    flash->settled = true;
    return fsync(flash->fd) == 0 ? SERIN_OK : flash_fail("settling", 0, flash->port.size_bytes);
}

void serin_file_flash_close(struct serin_file_flash *flash)
{
    if (flash == NULL) {
        return;
    }
    (void)close(flash->fd);
    free(flash->erased);
    free(flash);
}

const struct serin_flash *serin_file_flash_port(const struct serin_file_flash *flash)
{
    return &flash->port;
}
