/*
 * The depot: a folder of immutable files named by hash (docs/spec/depot.md; design decisions 15 and
 * 16).
 *
 *   <root>/objects/ab/<64 hex digits>  image, delta, tables: name = SHA-256 of the content
 *   <root>/manifests/<64 hex digits>   a manifest with its signature area: name = manifest id
 *   <root>/partial/<64 hex digits>     an object that is being filled
 *   <root>/tmp/                        files being written; emptied at open for writing
 *   <root>/lock                        locked by the one writer
 *
 * Written by one process (temporary file, fsync, rename, fsync of the folder), read by others with
 * pread. Names are 32 bytes, written as hex here: nothing from the wire ever becomes part of a
 * path. A handle belongs to one thread.
 */
#ifndef SERIN_ADAPTERS_DEPOT_H
#define SERIN_ADAPTERS_DEPOT_H

#include <serin/crypto.h>

/* Files that a handle keeps open, and as many part files; the least recently used one is closed for
 * another. */
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

/* ---- part files: <root>/partial/<64 hex digits>, of objects being filled (docs/spec/depot.md, 4)
 * ---- */

/* Opens or makes the part file of an object of `size` bytes (1 .. 4 GiB - 1), as long as the object
 * and with holes; one of another length is made anew. SERIN_ERR_NO_SPACE, SERIN_ERR_IO. A handle
 * from serin_depot_create. Part files survive a restart; what is in them is found out by hashing.
 */
SERIN_MUST_USE enum serin_error serin_depot_part_open(struct serin_depot *depot,
                                                      const uint8_t name[32], uint32_t size);
/* Writes verified bytes. SERIN_ERR_NO_SPACE and SERIN_ERR_IO leave the range unspecified, and the
 * rest as it was. SERIN_ERR_NOT_FOUND: there is no such part file. SERIN_ERR_INVALID: the range
 * goes past its end; nothing was written. A handle from serin_depot_create, as below. */
SERIN_MUST_USE enum serin_error serin_depot_part_write(struct serin_depot *depot,
                                                       const uint8_t name[32], uint32_t offset,
                                                       const void *data, size_t size);
/* Reads exactly `size` bytes; holes are zeros. Any handle: it follows a file that was finished
 * (SERIN_ERR_NOT_FOUND) or made anew. SERIN_ERR_NOT_FOUND,
 * SERIN_ERR_TRUNCATED, SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error serin_depot_part_read(struct serin_depot *depot,
                                                      const uint8_t name[32], uint32_t offset,
                                                      void *out, size_t size);
/* Makes what was written durable (fsync). SERIN_ERR_IO, SERIN_ERR_NOT_FOUND. */
SERIN_MUST_USE enum serin_error serin_depot_part_sync(struct serin_depot *depot,
                                                      const uint8_t name[32]);
/* Ends a part file: it hashes to its name, is durable, and stands among the objects.
 * SERIN_ERR_DIGEST: it does not, and stays a part file, as after SERIN_ERR_NO_SPACE.
 * SERIN_ERR_NOT_FOUND. SERIN_ERR_IO: it may stand in either place; calling again ends it from
 * there. Hashes the whole file. */
SERIN_MUST_USE enum serin_error serin_depot_part_finish(struct serin_depot *depot,
                                                        const uint8_t name[32]);
/* Turns a whole object back into a part file, because a piece of it has rotted; a part file of that
 * name is replaced. SERIN_ERR_NOT_FOUND, SERIN_ERR_NO_SPACE; SERIN_ERR_IO: it may stand in either
 * place. */
SERIN_MUST_USE enum serin_error serin_depot_part_again(struct serin_depot *depot,
                                                       const uint8_t name[32]);

/* ---- keeping a budget: a handle from serin_depot_create ---- */

/* Removes the object, manifest and part file of this name. SERIN_ERR_NOT_FOUND: there was none.
 * SERIN_ERR_IO: one of them may be left. */
SERIN_MUST_USE enum serin_error serin_depot_remove(struct serin_depot *depot,
                                                   const uint8_t name[32]);

enum serin_depot_kind { SERIN_DEPOT_OBJECT, SERIN_DEPOT_MANIFEST, SERIN_DEPOT_PART };

struct serin_depot_entry {
    uint8_t name[32];
    enum serin_depot_kind kind;
    uint64_t disk_bytes; /* blocks that it takes, holes left out */
    uint64_t used_s;     /* wall clock of its last use as far as the file system tells (atime or
                            mtime, the later) */
};

/* Visits every file once, in no order, until `visit` returns false. SERIN_ERR_IO. Files whose names
 * are not a depot's are passed over. */
SERIN_MUST_USE enum serin_error
serin_depot_each(struct serin_depot *depot,
                 bool (*visit)(void *ctx, const struct serin_depot_entry *entry), void *ctx);

/* Hashes the stored object (or the body of the stored manifest) again. SERIN_ERR_DIGEST: rotten.
 * SERIN_ERR_NOT_FOUND, SERIN_ERR_TRUNCATED, SERIN_ERR_IO. A handle from serin_depot_create. */
SERIN_MUST_USE enum serin_error serin_depot_check(struct serin_depot *depot,
                                                  const uint8_t name[32]);

#endif
