/* The open files of a depot handle. */
#include "cache.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void depot_path(enum depot_shelf shelf, const uint8_t name[SERIN_SHA256_SIZE],
                char path[DEPOT_PATH_SIZE])
{
    static const char *const folders[DEPOT_SHELF_COUNT] = {
        [DEPOT_SHELF_OBJECTS] = "objects/ab/",
        [DEPOT_SHELF_MANIFESTS] = "manifests/",
        [DEPOT_SHELF_PARTIAL] = "partial/",
    };
    assert(shelf < DEPOT_SHELF_COUNT);
    size_t length = strlen(folders[shelf]);
    memcpy(path, folders[shelf], length);
    serin_hex_encode(name, SERIN_SHA256_SIZE, path + length);
    if (shelf == DEPOT_SHELF_OBJECTS) {
        memcpy(path + sizeof "objects/" - 1, path + length, 2);
    }
}

void depot_cache_init(struct depot_cache *cache, int root_fd, enum depot_shelf first,
                      enum depot_shelf last, int flags)
{
    memset(cache, 0, sizeof(*cache));
    cache->root_fd = root_fd;
    cache->first = first;
    cache->last = last;
    cache->flags = flags;
    for (size_t i = 0; i < SERIN_DEPOT_OPEN_FILES; i++) {
        cache->files[i].fd = -1;
    }
}

static void close_file(struct depot_file *file)
{
    if (file->fd >= 0) {
        (void)close(file->fd);
        file->fd = -1;
    }
}

void depot_cache_close(struct depot_cache *cache)
{
    for (size_t i = 0; i < SERIN_DEPOT_OPEN_FILES; i++) {
        close_file(&cache->files[i]);
    }
}

/* The place of `name`, or else the place that is free or was not used for the longest time. */
static struct depot_file *find_place(struct depot_cache *cache,
                                     const uint8_t name[SERIN_SHA256_SIZE])
{
    struct depot_file *oldest = &cache->files[0];
    for (size_t i = 0; i < SERIN_DEPOT_OPEN_FILES; i++) {
        struct depot_file *file = &cache->files[i];
        if (file->fd >= 0 && memcmp(file->name, name, SERIN_SHA256_SIZE) == 0) {
            return file;
        }
        if (oldest->fd >= 0 && (file->fd < 0 || file->used < oldest->used)) {
            oldest = file;
        }
    }
    return oldest;
}

static enum serin_error open_file(struct depot_cache *cache, const uint8_t name[SERIN_SHA256_SIZE],
                                  struct depot_file *file)
{
    close_file(file);
    for (enum depot_shelf shelf = cache->first; shelf <= cache->last; shelf++) {
        char path[DEPOT_PATH_SIZE];
        depot_path(shelf, name, path);
        int fd = openat(cache->root_fd, path, cache->flags | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0) {
            file->fd = fd;
            file->shelf = shelf;
            memcpy(file->name, name, SERIN_SHA256_SIZE);
            return SERIN_OK;
        }
        if (errno != ENOENT) {
            return SERIN_ERR_IO;
        }
    }
    return SERIN_ERR_NOT_FOUND;
}

/* Whether the open file is still the one under its name. An object may have been replaced, or have
 * become a part file again, and a part file an object: the name decides, not the open file. */
static bool still_there(const struct depot_cache *cache, const struct depot_file *file, off_t *size)
{
    char path[DEPOT_PATH_SIZE];
    depot_path(file->shelf, file->name, path);
    struct stat status;
    if (fstatat(cache->root_fd, path, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        status.st_ino != file->inode || status.st_dev != file->device) {
        return false;
    }
    *size = status.st_size;
    return true;
}

enum serin_error depot_cache_get(struct depot_cache *cache, const uint8_t name[SERIN_SHA256_SIZE],
                                 const struct depot_file **file, off_t *size)
{
    struct depot_file *place = find_place(cache, name);
    bool cached = place->fd >= 0 && memcmp(place->name, name, SERIN_SHA256_SIZE) == 0;
    if (!cached || !still_there(cache, place, size)) {
        enum serin_error error = open_file(cache, name, place);
        if (error != SERIN_OK) {
            return error;
        }
        struct stat status;
        if (fstat(place->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
            close_file(place);
            return SERIN_ERR_IO;
        }
        place->device = status.st_dev;
        place->inode = status.st_ino;
        *size = status.st_size;
    }
    place->used = ++cache->counter;
    *file = place;
    return SERIN_OK;
}

void depot_cache_forget(struct depot_cache *cache, const uint8_t name[SERIN_SHA256_SIZE])
{
    for (size_t i = 0; i < SERIN_DEPOT_OPEN_FILES; i++) {
        if (cache->files[i].fd >= 0 && memcmp(cache->files[i].name, name, SERIN_SHA256_SIZE) == 0) {
            close_file(&cache->files[i]);
        }
    }
}
