/*
 * The gateway's store on LMDB (docs/spec/gateway-store.md): one environment in one folder, owned by
 * one process.
 *
 *   <folder>/data.mdb    the records
 *   <folder>/lock.mdb    LMDB's own
 *   <folder>/lock        locked (flock) while the store is open: a second serin-gateway is refused,
 *                        also from another container, where LMDB's locks would be blind
 *
 * A commit is on the disk when it returns. A process that is killed at any moment leaves the last
 * commit. Every record carries its version and a CRC over its key and its bytes: a damaged one is
 * found when it is read, named, and does no harm to the others.
 *
 * A handle belongs to one thread.
 */
#ifndef SERIN_ADAPTERS_GATEWAY_STORE_H
#define SERIN_ADAPTERS_GATEWAY_STORE_H

#include <serin/gateway/store.h>

/* The least and the most that `size_bytes` may be: it is address space, not memory, and the file
 * grows only as it fills. A node takes at most 4 KiB of it, a directive 5. */
#define SERIN_LMDB_GATEWAY_MIN (UINT64_C(1) << 20)
#define SERIN_LMDB_GATEWAY_MAX (UINT64_C(1) << 30)

struct serin_lmdb_gateway;

/* Opens the store in `folder`, making its last component if it is missing. `size_bytes` bounds the
 * file; it may grow or shrink between runs, but not below what is used.
 * SERIN_ERR_BUSY: another process has it open. SERIN_ERR_NOT_FOUND: the parent folder is missing.
 * SERIN_ERR_VERSION: made by a newer serin-gateway. SERIN_ERR_FORMAT: not a gateway's store, or
 * damaged as a whole. SERIN_ERR_INVALID: the size. SERIN_ERR_NO_SPACE, SERIN_ERR_IO,
 * SERIN_ERR_MEMORY. `*store` is NULL after an error. */
SERIN_MUST_USE enum serin_error serin_lmdb_gateway_open(struct serin_lmdb_gateway **store,
                                                        const char *folder, uint64_t size_bytes);

/* Closes it; a transaction that is under way is aborted. NULL is fine. */
void serin_lmdb_gateway_close(struct serin_lmdb_gateway *store);

/* The store as the port of serin/gateway/store.h; lives as long as `store`.
 * Calls outside a transaction, a second transaction, and writes in a reading one are programmer
 * errors. An error of a put ends the use of its transaction: everything but abort and commit
 * returns the same error from then on, and commit stores nothing and returns it too. A delete of
 * what is not there is SERIN_ERR_NOT_FOUND, and the transaction goes on. */
struct serin_gateway_store serin_lmdb_gateway_port(struct serin_lmdb_gateway *store);

/* What went wrong last, in words for a log: the damaged record and what is wrong with it, or what
 * LMDB said. "" if nothing has. Lives until the next call. */
const char *serin_lmdb_gateway_trouble(const struct serin_lmdb_gateway *store);

#endif
