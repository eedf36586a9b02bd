/*
 * The depot: a folder of immutable files named by hash (docs/spec/depot.md; design decisions 15 and 16).
 *
 *   <root>/objects/ab/<64 hex digits>    image, delta, piece table, route table: name = SHA-256 of the content
 *   <root>/manifests/<64 hex digits>     a manifest with its signature area: name = manifest id
 *   <root>/tmp/                          files being written; emptied at open for writing
 *
 * Written by one process (temporary file, fsync, rename, fsync of the folder), read by others with pread.
 */
#ifndef SERIN_ADAPTERS_DEPOT_H
#define SERIN_ADAPTERS_DEPOT_H

#include <serin/crypto.h>

struct serin_depot;

/* Opens for reading. SERIN_ERR_NOT_FOUND: no such folder. */
SERIN_MUST_USE enum serin_error serin_depot_open(struct serin_depot **depot, const char *root);
/* Opens for writing, makes the folders, takes an exclusive lock. SERIN_ERR_BUSY: another process writes. */
SERIN_MUST_USE enum serin_error serin_depot_create(struct serin_depot **depot, const char *root,
                                                   const struct serin_crypto *crypto);
void serin_depot_close(struct serin_depot *depot);

/* Size of an object or manifest. SERIN_ERR_NOT_FOUND, SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error serin_depot_size(struct serin_depot *depot, const uint8_t name[32],
                                                 uint32_t *size);
/* Reads exactly `size` bytes at `offset`. SERIN_ERR_NOT_FOUND, SERIN_ERR_TRUNCATED, SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error serin_depot_read(struct serin_depot *depot, const uint8_t name[32],
                                                 uint32_t offset, void *out, size_t size);

/* Stores an object whose content must hash to `name`: SERIN_ERR_DIGEST otherwise, and nothing is stored.
 * SERIN_ERR_NO_SPACE, SERIN_ERR_IO. Existing and equal: SERIN_OK. */
SERIN_MUST_USE enum serin_error serin_depot_put(struct serin_depot *depot, const uint8_t name[32],
                                                const void *data, size_t size);
/* Stores a manifest under its id (SHA-256 of its body), which the caller has verified. */
SERIN_MUST_USE enum serin_error serin_depot_put_manifest(struct serin_depot *depot,
                                                         const uint8_t id[32], const void *data,
                                                         size_t size);
/* Hashes the stored object again. SERIN_ERR_DIGEST: rotten. */
SERIN_MUST_USE enum serin_error serin_depot_check(struct serin_depot *depot, const uint8_t name[32]);

#endif
