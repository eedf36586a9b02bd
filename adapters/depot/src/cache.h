/*
 * The open files of a depot handle: a bounded cache, so that a block costs one pread and no path
 * lookup.
 */
#ifndef SERIN_DEPOT_CACHE_H
#define SERIN_DEPOT_CACHE_H

#include <serin/adapters/depot.h>

#include <sys/types.h>

/* Where a name is looked for. */
enum depot_shelf { DEPOT_SHELF_OBJECTS, DEPOT_SHELF_MANIFESTS, DEPOT_SHELF_COUNT };

struct depot_file {
    int fd; /* -1: the place is free */
    enum depot_shelf shelf;
    uint64_t used; /* of the cache's counter */
    uint8_t name[SERIN_SHA256_SIZE];
};

struct depot_cache {
    int root_fd;
    uint64_t counter;
    struct depot_file files[SERIN_DEPOT_OPEN_FILES];
};

void depot_cache_init(struct depot_cache *cache, int root_fd);
void depot_cache_close(struct depot_cache *cache);

/* Gives the open file of `name`, objects first, and its present size. A file that was replaced or
 * removed since it was opened is opened anew. *file is the cache's and lives until the next call.
 * SERIN_ERR_NOT_FOUND, SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error depot_cache_get(struct depot_cache *cache,
                                                const uint8_t name[SERIN_SHA256_SIZE],
                                                const struct depot_file **file, off_t *size);

/* Path of a name below the root: "objects/ab/<hex>" or "manifests/<hex>". */
#define DEPOT_PATH_SIZE 80u
void depot_path(enum depot_shelf shelf, const uint8_t name[SERIN_SHA256_SIZE],
                char path[DEPOT_PATH_SIZE]);

#endif
