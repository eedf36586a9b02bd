/*
 * The open files of a depot handle: a bounded cache, so that a block costs one look at its path and
 * one pread.
 */
#ifndef SERIN_DEPOT_CACHE_H
#define SERIN_DEPOT_CACHE_H

#include <serin/adapters/depot.h>

#include <sys/types.h>

/* Where a name is looked for: one set of shelves a cache, in this order. */
enum depot_shelf {
    DEPOT_SHELF_OBJECTS,
    DEPOT_SHELF_MANIFESTS,
    DEPOT_SHELF_PARTIAL,
    DEPOT_SHELF_COUNT
};

struct depot_file {
    int fd; /* -1: the place is free */
    enum depot_shelf shelf;
    dev_t device; /* with the inode: which file it is */
    ino_t inode;
    uint64_t used; /* of the cache's counter */
    uint8_t name[SERIN_SHA256_SIZE];
};

struct depot_cache {
    int root_fd;
    enum depot_shelf first, last; /* the shelves that are looked through */
    int flags;                    /* O_RDONLY or O_RDWR */
    uint64_t counter;
    struct depot_file files[SERIN_DEPOT_OPEN_FILES];
};

void depot_cache_init(struct depot_cache *cache, int root_fd, enum depot_shelf first,
                      enum depot_shelf last, int flags);
void depot_cache_close(struct depot_cache *cache);

/* Gives the open file of `name`, of the first shelf that has it, and its present size. A file that
 * was replaced, moved or removed since it was opened is opened anew. *file is the cache's and lives
 * until the next call. SERIN_ERR_NOT_FOUND, SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error depot_cache_get(struct depot_cache *cache,
                                                const uint8_t name[SERIN_SHA256_SIZE],
                                                const struct depot_file **file, off_t *size);

/* Closes the open file of `name`, if there is one. */
void depot_cache_forget(struct depot_cache *cache, const uint8_t name[SERIN_SHA256_SIZE]);

/* Path of a name below the root: "objects/ab/<hex>", "manifests/<hex>" or "partial/<hex>". */
#define DEPOT_PATH_SIZE 80u
void depot_path(enum depot_shelf shelf, const uint8_t name[SERIN_SHA256_SIZE],
                char path[DEPOT_PATH_SIZE]);

#endif
