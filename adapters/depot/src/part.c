/*
 * Part files: objects that are still being filled (docs/spec/depot.md, section 4). What one holds
 * is never written down: it is found by hashing, so no crash can make it lie.
 */
#include "shared.h"

#include <serin/adapters/fault.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum serin_error error_of(int code)
{
    return code == ENOSPC || code == EDQUOT || code == EFBIG ? SERIN_ERR_NO_SPACE : SERIN_ERR_IO;
}

/* A killed writer leaves a file of another length, or none: both are made anew by the next open. */
static enum serin_error make(struct serin_depot *depot, const uint8_t name[32], uint32_t size)
{
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(name, SERIN_SHA256_SIZE, hex);
    if (unlinkat(depot->partial_fd, hex, 0) != 0 && errno != ENOENT) {
        return SERIN_ERR_IO;
    }
    int fd =
        openat(depot->partial_fd, hex, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0) {
        return error_of(errno);
    }
    enum serin_error error = SERIN_OK;
    if (ftruncate(fd, (off_t)size) != 0) {
        error = error_of(errno);
        (void)unlinkat(depot->partial_fd, hex, 0);
    }
    (void)close(fd);
    return error;
}

enum serin_error serin_depot_part_open(struct serin_depot *depot, const uint8_t name[32],
                                       uint32_t size)
{
    assert(depot->crypto != NULL && size > 0);
    const struct depot_file *file = NULL;
    off_t bytes = 0;
    enum serin_error error = depot_cache_get(&depot->parts, name, &file, &bytes);
    if (error == SERIN_OK && bytes == (off_t)size) {
        return SERIN_OK;
    }
    error = make(depot, name, size);
    return error == SERIN_OK ? depot_cache_get(&depot->parts, name, &file, &bytes) : error;
}

enum serin_error serin_depot_part_write(struct serin_depot *depot, const uint8_t name[32],
                                        uint32_t offset, const void *data, size_t size)
{
    assert(depot->crypto != NULL);
    const struct depot_file *file = NULL;
    off_t bytes = 0;
    enum serin_error error = depot_cache_get(&depot->parts, name, &file, &bytes);
    if (error != SERIN_OK) {
        return error;
    }
    if ((uint64_t)offset > (uint64_t)bytes || size > (uint64_t)bytes - offset) {
        return SERIN_ERR_INVALID;
    }
    const uint8_t *from = data;
    for (off_t place = (off_t)offset; size > 0;) {
        ssize_t put = pwrite(file->fd, from, size, place);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return error_of(errno);
        }
        from += put;
        place += put;
        size -= (size_t)put;
    }
    SERIN_FAULT_POINT("depot.part.written");
    return SERIN_OK;
}

enum serin_error serin_depot_part_read(struct serin_depot *depot, const uint8_t name[32],
                                       uint32_t offset, void *out, size_t size)
{
    const struct depot_file *file = NULL;
    off_t bytes = 0;
    enum serin_error error = depot_cache_get(&depot->parts, name, &file, &bytes);
    return error == SERIN_OK ? depot_read_exactly(file->fd, (off_t)offset, out, size) : error;
}

enum serin_error serin_depot_part_sync(struct serin_depot *depot, const uint8_t name[32])
{
    assert(depot->crypto != NULL);
    const struct depot_file *file = NULL;
    off_t bytes = 0;
    enum serin_error error = depot_cache_get(&depot->parts, name, &file, &bytes);
    if (error != SERIN_OK) {
        return error;
    }
    return fsync(file->fd) == 0 ? SERIN_OK : error_of(errno);
}

/* Moves a file of this name between two folders. After SERIN_ERR_IO of an fsync it has moved, but
 * may be back at its old place after a power cut; either is a sound depot. */
static enum serin_error move(int from_fd, int to_fd, const uint8_t name[32])
{
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(name, SERIN_SHA256_SIZE, hex);
    if (renameat(from_fd, hex, to_fd, hex) != 0) {
        return errno == ENOENT ? SERIN_ERR_NOT_FOUND : error_of(errno);
    }
    return fsync(to_fd) == 0 && fsync(from_fd) == 0 ? SERIN_OK : SERIN_ERR_IO;
}

/* Whether the part file has moved already, and only the fsync of a folder failed: then the object
 * is whole, and is made durable now. SERIN_ERR_NOT_FOUND: it has not. */
static enum serin_error finish_moved(struct serin_depot *depot, const uint8_t name[32])
{
    const struct depot_file *file = NULL;
    off_t bytes = 0;
    uint8_t digest[SERIN_SHA256_SIZE];
    enum serin_error error = depot_cache_get(&depot->cache, name, &file, &bytes);
    if (error == SERIN_OK && file->shelf == DEPOT_SHELF_OBJECTS) {
        error = depot_hash_file(depot, file, bytes, digest);
    }
    if (error != SERIN_OK) {
        return error;
    }
    if (file->shelf != DEPOT_SHELF_OBJECTS || memcmp(digest, name, SERIN_SHA256_SIZE) != 0) {
        return SERIN_ERR_NOT_FOUND;
    }
    int shard_fd = -1;
    error = depot_open_shard(depot, name, &shard_fd);
    if (error == SERIN_OK) {
        error = fsync(shard_fd) == 0 && fsync(depot->partial_fd) == 0 ? SERIN_OK : SERIN_ERR_IO;
        (void)close(shard_fd);
    }
    return error;
}

enum serin_error serin_depot_part_finish(struct serin_depot *depot, const uint8_t name[32])
{
    assert(depot->crypto != NULL);
    const struct depot_file *file = NULL;
    off_t bytes = 0;
    enum serin_error error = depot_cache_get(&depot->parts, name, &file, &bytes);
    uint8_t digest[SERIN_SHA256_SIZE] = {0};
    if (error == SERIN_ERR_NOT_FOUND) {
        return finish_moved(depot, name);
    }
    if (error == SERIN_OK) {
        error = depot_hash_file(depot, file, bytes, digest);
    }
    if (error == SERIN_OK && memcmp(digest, name, SERIN_SHA256_SIZE) != 0) {
        error = SERIN_ERR_DIGEST;
    }
    if (error == SERIN_OK) {
        error = fsync(file->fd) == 0 ? SERIN_OK : error_of(errno);
    }
    int shard_fd = -1;
    if (error == SERIN_OK) {
        error = depot_open_shard(depot, name, &shard_fd);
    }
    if (error == SERIN_OK) {
        SERIN_FAULT_POINT("depot.part.before_rename");
        error = move(depot->partial_fd, shard_fd, name);
        SERIN_FAULT_POINT("depot.part.finished");
    }
    if (shard_fd >= 0) {
        (void)close(shard_fd);
    }
    return error;
}

enum serin_error serin_depot_part_again(struct serin_depot *depot, const uint8_t name[32])
{
    assert(depot->crypto != NULL);
    int shard_fd = -1;
    enum serin_error error = depot_open_shard(depot, name, &shard_fd);
    if (error == SERIN_OK) {
        error = move(shard_fd, depot->partial_fd, name);
        (void)close(shard_fd);
    }
    return error;
}
