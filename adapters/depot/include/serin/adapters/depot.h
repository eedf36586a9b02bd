/*
 * The depot: a folder of immutable files named by hash (docs/spec/depot.md; design decisions 15 and
 * 16).
 *
 *   <root>/objects/ab/<64 hex digits>    image, delta, piece table, route table: name = SHA-256 of
 * the content <root>/manifests/<64 hex digits>     a manifest with its signature area: name =
 * manifest id <root>/tmp/                          files being written; emptied at open for writing
 *   <root>/lock                          locked by the one writer
 *
 * Written by one process (temporary file, fsync, rename, fsync of the folder), read by others with
 * pread. Names are 32 bytes, written as hex here: nothing from the wire ever becomes part of a
 * path. A handle belongs to one thread.
 */
#ifndef SERIN_ADAPTERS_DEPOT_H
#define SERIN_ADAPTERS_DEPOT_H

#include <serin/crypto.h>

/* Files that a handle keeps open for reading; the least recently used one is closed for another. */
#define SERIN_DEPOT_OPEN_FILES 64u

struct serin_depot;

/* Opens for reading. SERIN_ERR_NOT_FOUND: no such folder. SERIN_ERR_IO, SERIN_ERR_MEMORY. The
 * folders inside need not exist yet: the writer may come later. */
SERIN_MUST_USE enum serin_error serin_depot_open(struct serin_depot **depot, const char *root);
/* Opens for writing, makes the folders, takes an exclusive lock, and empties tmp/. SERIN_ERR_BUSY:
 * another process writes. SERIN_ERR_NOT_FOUND: the parent folder of `root` is missing.
 * SERIN_ERR_NO_SPACE, SERIN_ERR_IO, SERIN_ERR_MEMORY. `crypto` must outlive the handle. */
SERIN_MUST_USE enum serin_error serin_depot_create(struct serin_depot **depot, const char *root,
                                                   const struct serin_crypto *crypto);
void serin_depot_close(struct serin_depot *depot); /* NULL is fine */

/* Size of an object or manifest. SERIN_ERR_NOT_FOUND, SERIN_ERR_IO, SERIN_ERR_TOO_LARGE (4 GiB or
 * more). */
SERIN_MUST_USE enum serin_error serin_depot_size(struct serin_depot *depot, const uint8_t name[32],
                                                 uint32_t *size);
/* Reads exactly `size` bytes at `offset`. SERIN_ERR_NOT_FOUND, SERIN_ERR_TRUNCATED (the file ends
 * before), SERIN_ERR_IO; `out` is then unspecified. */
SERIN_MUST_USE enum serin_error serin_depot_read(struct serin_depot *depot, const uint8_t name[32],
                                                 uint32_t offset, void *out, size_t size);

/* Stores an object whose content must hash to `name`: SERIN_ERR_DIGEST otherwise, and nothing is
 * stored. SERIN_ERR_TOO_LARGE (4 GiB or more), SERIN_ERR_NO_SPACE, SERIN_ERR_IO. Existing and
 * equal: SERIN_OK, nothing is written. Existing but rotten: it is replaced. A handle from
 * serin_depot_create. */
SERIN_MUST_USE enum serin_error serin_depot_put(struct serin_depot *depot, const uint8_t name[32],
                                                const void *data, size_t size);
/* Stores a manifest under its id (SHA-256 of its body), which the caller has verified.
 * SERIN_ERR_DIGEST: the first 512 bytes do not hash to `id`. SERIN_ERR_TRUNCATED,
 * SERIN_ERR_TOO_LARGE: no manifest has such a size. A manifest that exists with another signature
 * is replaced. Otherwise as serin_depot_put. */
SERIN_MUST_USE enum serin_error serin_depot_put_manifest(struct serin_depot *depot,
                                                         const uint8_t id[32], const void *data,
                                                         size_t size);
/* Hashes the stored object (or the body of the stored manifest) again. SERIN_ERR_DIGEST: rotten.
 * SERIN_ERR_NOT_FOUND, SERIN_ERR_TRUNCATED, SERIN_ERR_IO. A handle from serin_depot_create. */
SERIN_MUST_USE enum serin_error serin_depot_check(struct serin_depot *depot,
                                                  const uint8_t name[32]);

#endif
