/* The open files of a depot handle. */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void depot_path(enum depot_shelf shelf, const uint8_t name[SERIN_SHA256_SIZE],
                char path[DEPOT_PATH_SIZE])
{
    if (shelf == DEPOT_SHELF_OBJECTS) {
        char *hex = path + sizeof "objects/ab/" - 1;
        serin_hex_encode(name, SERIN_SHA256_SIZE, hex);
        memcpy(path, "objects/ab/", sizeof "objects/ab/" - 1);
        memcpy(path + sizeof "objects/" - 1, hex, 2);
    } else {
        memcpy(path, "manifests/", sizeof "manifests/" - 1);
        serin_hex_encode(name, SERIN_SHA256_SIZE, path + sizeof "manifests/" - 1);
    }
}

void depot_cache_init(struct depot_cache *cache, int root_fd)
{
    memset(cache, 0, sizeof(*cache));
    cache->root_fd = root_fd;
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
    for (enum depot_shelf shelf = DEPOT_SHELF_OBJECTS; shelf < DEPOT_SHELF_COUNT; shelf++) {
        char path[DEPOT_PATH_SIZE];
        depot_path(shelf, name, path);
        int fd = openat(cache->root_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
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

enum serin_error depot_cache_get(struct depot_cache *cache, const uint8_t name[SERIN_SHA256_SIZE],
                                 const struct depot_file **file, off_t *size)
{
    struct depot_file *place = find_place(cache, name);
    bool cached = place->fd >= 0 && memcmp(place->name, name, SERIN_SHA256_SIZE) == 0;
    struct stat status;
    /* A rotten object that the writer has replaced has no link any more: the cached file is the
     * rotten one. */
    if (cached && (fstat(place->fd, &status) != 0 || status.st_nlink == 0)) {
        cached = false;
    }
    if (!cached) {
        enum serin_error error = open_file(cache, name, place);
        if (error != SERIN_OK) {
            return error;
        }
        if (fstat(place->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
            close_file(place);
            return SERIN_ERR_IO;
        }
    }
    place->used = ++cache->counter;
    *file = place;
    *size = status.st_size;
    return SERIN_OK;
}
