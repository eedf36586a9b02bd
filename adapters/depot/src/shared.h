/*
 * What the depot's files share: the handle, and the few steps that whole and part files have in
 * common.
 */
#ifndef SERIN_DEPOT_SHARED_H
#define SERIN_DEPOT_SHARED_H

#include "cache.h"

struct serin_depot {
    struct depot_cache cache;          /* whole files */
    struct depot_cache parts;          /* part files; a writer has them open for writing too */
    const struct serin_crypto *crypto; /* NULL: reader */
    int root_fd;
    /* Writer only, else -1. */
    int lock_fd;
    int objects_fd;
    int manifests_fd;
    int partial_fd;
    int tmp_fd;
};

/* Reads exactly `size` bytes. SERIN_ERR_TRUNCATED, SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error depot_read_exactly(int fd, off_t offset, uint8_t *out, size_t size);

/* The digest that names a file: of all its `size` bytes, or of the body of a manifest.
 * SERIN_ERR_TRUNCATED, SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error depot_hash_file(const struct serin_depot *depot,
                                                const struct depot_file *file, off_t size,
                                                uint8_t digest[SERIN_SHA256_SIZE]);

/* Makes the object's folder unless it exists, durably, and opens it: *shard_fd is the caller's to
 * close. SERIN_ERR_NO_SPACE, SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error depot_open_shard(const struct serin_depot *depot,
                                                 const uint8_t name[SERIN_SHA256_SIZE],
                                                 int *shard_fd);

#endif
