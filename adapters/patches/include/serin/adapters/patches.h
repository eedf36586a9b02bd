/*
 * Patches between images of a depot: made in threads, stored by one, and never made twice.
 *
 * Threads read the images through depot handles of their own, hash them, and run the encoder
 * (serin/host/delta.h). What they made waits in memory until the owner's thread takes it; all
 * writing, to the depot and to the index, is the owner's. So a loop of one thread can have patches
 * made without ever waiting for them.
 *
 * The index is one file, beside the depot, that tells which object is the patch of which images. It
 * is a cache: a file that is missing, torn or of another format begins anew, and an entry whose
 * object has gone from the depot is as good as none.
 *
 *   offset size field
 *        0    4 magic "SRNI"
 *        4    4 format = 1
 *        8    4 entries, at most SERIN_PATCHES_INDEX_MAX
 *       12    4 CRC-32 of all that follows
 *       16  136 each entry, the oldest first:
 *              0 32 SHA-256 of the old image
 *             32 32 SHA-256 of the new image
 *             64 32 SHA-256 of the patch
 *             96 32 SHA-256 of its piece table
 *            128  4 size of the patch, bytes
 *            132  1 back end that was asked for (delta.h)
 *            133  1 back end of the patch
 *            134  2 zero
 *
 * All integers are little-endian. One thread owns the handle.
 */
#ifndef SERIN_ADAPTERS_PATCHES_H
#define SERIN_ADAPTERS_PATCHES_H

#include <serin/adapters/depot.h>
#include <serin/host/delta.h>

#define SERIN_PATCHES_THREADS_MAX 8u
#define SERIN_PATCHES_QUEUE_MAX   64u   /* asked for and not yet taken */
#define SERIN_PATCHES_INDEX_MAX   4096u /* the oldest entry makes room for another */

struct serin_patches;

struct serin_patches_config {
    const char *depot_root;            /* lent, as all of these */
    const char *index_file;            /* its folder exists */
    const struct serin_crypto *crypto; /* its hashes may be used by any thread */
    const struct serin_suffixes *suffixes;
    unsigned thread_count; /* 1 .. SERIN_PATCHES_THREADS_MAX */
};

/* The patch between two images, named by their SHA-256, for devices with this back end. */
struct serin_patches_key {
    uint8_t base[SERIN_SHA256_SIZE], target[SERIN_SHA256_SIZE];
    enum serin_delta_backend backend; /* SERIN_DELTA_SMALL or SERIN_DELTA_BEST */
};

struct serin_patches_entry {
    struct serin_patches_key key;
    enum serin_delta_backend backend; /* of the patch: "small" where "best" would be no smaller */
    uint32_t size_bytes;
    uint8_t object[SERIN_SHA256_SIZE], pieces_sha256[SERIN_SHA256_SIZE];
};

/* Reads the index and starts the threads. SERIN_ERR_MEMORY; SERIN_ERR_IO: the index is there and
 * cannot be read. */
SERIN_MUST_USE enum serin_error serin_patches_open(struct serin_patches **patches,
                                                   const struct serin_patches_config *config);
/* Waits for what the threads have under way, seconds for large images; what was not taken is
 * lost. NULL is fine. */
void serin_patches_close(struct serin_patches *patches);

/* The patch of `key`, where the index names it and the depot holds both of its objects.
 * SERIN_ERR_NOT_FOUND, SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error serin_patches_find(struct serin_patches *patches,
                                                   struct serin_depot *depot,
                                                   const struct serin_patches_key *key,
                                                   struct serin_patches_entry *entry);

/* Has the patch of `key` made; one of more than `limit_bytes` is not wanted. SERIN_ERR_BUSY: the
 * queue is full, take results first. SERIN_ERR_EXISTS: it is being made. */
SERIN_MUST_USE enum serin_error serin_patches_ask(struct serin_patches *patches,
                                                  const struct serin_patches_key *key,
                                                  uint32_t limit_bytes);

/* Takes the result of one that was asked for, in the order in which they were finished: its patch
 * and piece table are then in the depot, durably, and the index names it. SERIN_ERR_AGAIN: none is
 * ready, `entry` is as it was. Any other error is that of entry->key, whose place in the queue is
 * free again: SERIN_ERR_NOT_FOUND (an image is not in the depot), SERIN_ERR_DIGEST (it has rotted
 * there), SERIN_ERR_TOO_LARGE (above its limit), SERIN_ERR_NO_SPACE, SERIN_ERR_IO,
 * SERIN_ERR_MEMORY. An index that could not be written costs the patch of a later start, and is
 * logged. */
SERIN_MUST_USE enum serin_error serin_patches_take(struct serin_patches *patches,
                                                   struct serin_depot *depot,
                                                   struct serin_patches_entry *entry);

#endif
