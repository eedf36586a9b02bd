/*
 * The depot on a POSIX file system (docs/spec/depot.md).
 */
#include <serin/adapters/depot.h>

#include "shared.h"

#include <serin/adapters/atomicfile.h>
#include <serin/adapters/fault.h>
#include <serin/manifest.h>

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct serin_depot *allocate(void)
{
    struct serin_depot *depot = calloc(1, sizeof(*depot));
    if (depot != NULL) {
        depot->root_fd = depot->lock_fd = depot->objects_fd = depot->manifests_fd = depot->tmp_fd =
            depot->partial_fd = -1;
    }
    return depot;
}

static enum serin_error open_root(struct serin_depot *depot, const char *root)
{
    depot->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (depot->root_fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? SERIN_ERR_NOT_FOUND : SERIN_ERR_IO;
    }
    depot_cache_init(&depot->cache, depot->root_fd, DEPOT_SHELF_OBJECTS, DEPOT_SHELF_MANIFESTS,
                     O_RDONLY);
    depot_cache_init(&depot->parts, depot->root_fd, DEPOT_SHELF_PARTIAL, DEPOT_SHELF_PARTIAL,
                     depot->crypto == NULL ? O_RDONLY : O_RDWR);
    return SERIN_OK;
}

enum serin_error serin_depot_open(struct serin_depot **depot, const char *root)
{
    *depot = NULL;
    struct serin_depot *opened = allocate();
    if (opened == NULL) {
        return SERIN_ERR_MEMORY;
    }
    enum serin_error error = open_root(opened, root);
    if (error != SERIN_OK) {
        serin_depot_close(opened);
        return error;
    }
    *depot = opened;
    return SERIN_OK;
}

static enum serin_error lock_for_writing(struct serin_depot *depot)
{
    depot->lock_fd =
        openat(depot->root_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (depot->lock_fd < 0) {
        return SERIN_ERR_IO;
    }
    if (flock(depot->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? SERIN_ERR_BUSY : SERIN_ERR_IO;
    }
    return SERIN_OK;
}

/* What a writer that died left in tmp/ is worth nothing: it was never given a name. */
static enum serin_error empty_tmp(struct serin_depot *depot)
{
    int fd = openat(depot->tmp_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return SERIN_ERR_IO;
    }
    enum serin_error error = SERIN_OK;
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (unlinkat(depot->tmp_fd, entry->d_name, 0) != 0) {
            error = SERIN_ERR_IO;
        }
    }
    (void)closedir(folder);
    return error;
}

static enum serin_error prepare_writer(struct serin_depot *depot)
{
    enum serin_error error = lock_for_writing(depot);
    if (error == SERIN_OK) {
        error = serin_atomicfile_folder(depot->root_fd, "objects", &depot->objects_fd);
    }
    if (error == SERIN_OK) {
        error = serin_atomicfile_folder(depot->root_fd, "manifests", &depot->manifests_fd);
    }
    if (error == SERIN_OK) {
        error = serin_atomicfile_folder(depot->root_fd, "partial", &depot->partial_fd);
    }
    if (error == SERIN_OK) {
        error = serin_atomicfile_folder(depot->root_fd, "tmp", &depot->tmp_fd);
    }
    return error == SERIN_OK ? empty_tmp(depot) : error;
}

enum serin_error serin_depot_create(struct serin_depot **depot, const char *root,
                                    const struct serin_crypto *crypto)
{
    assert(crypto != NULL);
    *depot = NULL;
    if (mkdir(root, 0750) != 0 && errno != EEXIST) {
        return errno == ENOENT ? SERIN_ERR_NOT_FOUND : SERIN_ERR_IO;
    }
    struct serin_depot *opened = allocate();
    if (opened == NULL) {
        return SERIN_ERR_MEMORY;
    }
    opened->crypto = crypto;
    enum serin_error error = open_root(opened, root);
    if (error == SERIN_OK) {
        error = prepare_writer(opened);
    }
    if (error != SERIN_OK) {
        serin_depot_close(opened);
        return error;
    }
    *depot = opened;
    return SERIN_OK;
}

void serin_depot_close(struct serin_depot *depot)
{
    if (depot == NULL) {
        return;
    }
    if (depot->root_fd >= 0) {
        depot_cache_close(&depot->cache);
        depot_cache_close(&depot->parts);
    }
    const int fds[] = {depot->partial_fd, depot->tmp_fd,  depot->manifests_fd,
                       depot->objects_fd, depot->lock_fd, depot->root_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    free(depot);
}

enum serin_error serin_depot_size(struct serin_depot *depot, const uint8_t name[32], uint32_t *size)
{
    const struct depot_file *file = NULL;
    off_t bytes = 0;
    enum serin_error error = depot_cache_get(&depot->cache, name, &file, &bytes);
    if (error != SERIN_OK) {
        return error;
    }
    if (bytes > (off_t)UINT32_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    *size = (uint32_t)bytes;
    return SERIN_OK;
}

enum serin_error depot_read_exactly(int fd, off_t offset, uint8_t *out, size_t size)
{
    while (size > 0) {
        ssize_t got = pread(fd, out, size, offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return SERIN_ERR_IO;
        }
        if (got == 0) {
            return SERIN_ERR_TRUNCATED;
        }
        out += got;
        offset += got;
        size -= (size_t)got;
    }
    return SERIN_OK;
}

enum serin_error serin_depot_read(struct serin_depot *depot, const uint8_t name[32],
                                  uint32_t offset, void *out, size_t size)
{
    const struct depot_file *file = NULL;
    off_t bytes = 0;
    enum serin_error error = depot_cache_get(&depot->cache, name, &file, &bytes);
    if (error != SERIN_OK) {
        return error;
    }
    return depot_read_exactly(file->fd, (off_t)offset, out, size);
}

enum serin_error depot_hash_file(const struct serin_depot *depot, const struct depot_file *file,
                                 off_t size, uint8_t digest[SERIN_SHA256_SIZE])
{
    const struct serin_crypto *crypto = depot->crypto;
    if (file->shelf == DEPOT_SHELF_MANIFESTS) {
        if (size < (off_t)SERIN_MANIFEST_BODY_SIZE) {
            return SERIN_ERR_TRUNCATED;
        }
        size = (off_t)SERIN_MANIFEST_BODY_SIZE;
    }
    struct serin_sha256 sha;
    crypto->ops->sha256_init(crypto->ctx, &sha);
    enum serin_error error = SERIN_OK;
    for (off_t offset = 0; offset < size && error == SERIN_OK;) {
        uint8_t part[16384];
        size_t want = size - offset < (off_t)sizeof(part) ? (size_t)(size - offset) : sizeof(part);
        error = depot_read_exactly(file->fd, offset, part, want);
        if (error == SERIN_OK) {
            crypto->ops->sha256_update(crypto->ctx, &sha, part, want);
        }
        offset += (off_t)want;
    }
    crypto->ops->sha256_final(crypto->ctx, &sha, digest);
    return error;
}

enum serin_error serin_depot_check(struct serin_depot *depot, const uint8_t name[32])
{
    assert(depot->crypto != NULL);
    const struct depot_file *file = NULL;
    off_t size = 0;
    enum serin_error error = depot_cache_get(&depot->cache, name, &file, &size);
    if (error != SERIN_OK) {
        return error;
    }
    uint8_t digest[SERIN_SHA256_SIZE];
    error = depot_hash_file(depot, file, size, digest);
    if (error != SERIN_OK) {
        return error;
    }
    return memcmp(digest, name, SERIN_SHA256_SIZE) == 0 ? SERIN_OK : SERIN_ERR_DIGEST;
}

/* Whether the stored file of this name on this shelf has exactly these bytes. */
static bool stored_equal(struct serin_depot *depot, enum depot_shelf shelf, const uint8_t name[32],
                         const uint8_t *data, size_t size)
{
    const struct depot_file *file = NULL;
    off_t bytes = 0;
    if (depot_cache_get(&depot->cache, name, &file, &bytes) != SERIN_OK || file->shelf != shelf ||
        bytes < 0 || (uint64_t)bytes != size) {
        return false;
    }
    for (size_t offset = 0; offset < size;) {
        uint8_t part[16384];
        size_t want = size - offset < sizeof(part) ? size - offset : sizeof(part);
        if (depot_read_exactly(file->fd, (off_t)offset, part, want) != SERIN_OK ||
            memcmp(part, data + offset, want) != 0) {
            return false;
        }
        offset += want;
    }
    return true;
}

static enum serin_error store(struct serin_depot *depot, int folder_fd, const uint8_t name[32],
                              const void *data, size_t size)
{
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(name, SERIN_SHA256_SIZE, hex);
    SERIN_FAULT_POINT("depot.put.before");
    enum serin_error error = serin_atomicfile_write(depot->tmp_fd, hex, folder_fd, hex, data, size);
    SERIN_FAULT_POINT("depot.put.stored");
    return error;
}

enum serin_error depot_open_shard(const struct serin_depot *depot, const uint8_t name[32],
                                  int *shard_fd)
{
    char shard[3];
    serin_hex_encode(name, 1, shard);
    return serin_atomicfile_folder(depot->objects_fd, shard, shard_fd);
}

enum serin_error serin_depot_put(struct serin_depot *depot, const uint8_t name[32],
                                 const void *data, size_t size)
{
    assert(depot->crypto != NULL);
    uint8_t digest[SERIN_SHA256_SIZE];
    serin_sha256_of(depot->crypto, data, size, digest);
    if (memcmp(digest, name, SERIN_SHA256_SIZE) != 0) {
        return SERIN_ERR_DIGEST;
    }
    if (size > UINT32_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    if (stored_equal(depot, DEPOT_SHELF_OBJECTS, name, data, size)) {
        return SERIN_OK;
    }
    int shard_fd = -1;
    enum serin_error error = depot_open_shard(depot, name, &shard_fd);
    if (error == SERIN_OK) {
        error = store(depot, shard_fd, name, data, size);
    }
    if (shard_fd >= 0) {
        (void)close(shard_fd);
    }
    return error;
}

enum serin_error serin_depot_put_manifest(struct serin_depot *depot, const uint8_t id[32],
                                          const void *data, size_t size)
{
    assert(depot->crypto != NULL);
    if (size < SERIN_MANIFEST_HEAD_SIZE) {
        return SERIN_ERR_TRUNCATED;
    }
    if (size > SERIN_MANIFEST_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    uint8_t digest[SERIN_SHA256_SIZE];
    serin_manifest_id(depot->crypto, data, digest);
    if (memcmp(digest, id, SERIN_SHA256_SIZE) != 0) {
        return SERIN_ERR_DIGEST;
    }
    if (stored_equal(depot, DEPOT_SHELF_MANIFESTS, id, data, size)) {
        return SERIN_OK;
    }
    return store(depot, depot->manifests_fd, id, data, size);
}
