/*
 * An LMDB environment in a folder of its own: opening and locking, transactions, tables, errors
 * (docs/spec/store.md, section 2). The fleet store and the gateway's store are made of it.
 */
#ifndef SERIN_LMDB_ENV_H
#define SERIN_LMDB_ENV_H

#include "frame.h"

#include <serin/assert.h>

#include <lmdb.h>

#define LMDB_TABLES_MAX 16u

/* What a store consists of. The first table holds the format of the whole, under "format". */
struct serin_lmdb_schema {
    uint32_t format; /* which store in the upper half, its version in the lower */
    size_t table_count;
    const char *const *table_names;
};

/* An open environment; the handle of the fleet store is just this. */
struct serin_lmdb_store {
    const struct serin_lmdb_schema *schema;
    int lock_fd;
    MDB_env *env;
    MDB_txn *txn; /* NULL between transactions */
    bool writing;
    enum serin_error failed; /* why the transaction can only end; SERIN_OK if it can go on */
    MDB_dbi tables[LMDB_TABLES_MAX];
    uint64_t map_size_bytes;
    char folder[4096];
    char trouble[768];
};

/* Opens the environment, making the folder's last component and the tables if they are missing.
 * Errors as serin_lmdb_store_open, but for the size, which is the caller's to check. After any
 * outcome serin_lmdb_env_close is due. `store` is all zero before. */
SERIN_MUST_USE enum serin_error serin_lmdb_env_open(struct serin_lmdb_store *store,
                                                    const struct serin_lmdb_schema *schema,
                                                    const char *folder, uint64_t map_size_bytes);
/* Aborts what is under way, closes, unlocks. */
void serin_lmdb_env_close(struct serin_lmdb_store *store);

/* Turns LMDB's answer into an error, and says it in `trouble`. */
enum serin_error serin_lmdb_error(struct serin_lmdb_store *store, const char *what, int code);
/* Names a damaged record in `trouble`; returns SERIN_ERR_FORMAT, or SERIN_ERR_VERSION as it is. */
enum serin_error serin_lmdb_damaged(struct serin_lmdb_store *store, size_t table,
                                    const MDB_val *key, enum serin_error how);

/* Of the ports: `ctx` is the store. */
enum serin_error serin_lmdb_begin(void *ctx, bool write);
enum serin_error serin_lmdb_commit(void *ctx);
void serin_lmdb_abort(void *ctx);

/* A text as a key. Programmer error: longer than a key. */
struct record_key serin_lmdb_text_key(const char *text);
/* What lies under a key, until the transaction writes or ends. SERIN_ERR_NOT_FOUND. */
enum serin_error serin_lmdb_find(struct serin_lmdb_store *store, size_t table,
                                 const struct record_key *key, MDB_val *found);
/* Stores bytes under a key; a failure ends the use of the transaction. */
enum serin_error serin_lmdb_put(struct serin_lmdb_store *store, size_t table,
                                const struct record_key *key, const void *data, size_t size);
/* SERIN_ERR_NOT_FOUND: there is none, and the transaction goes on; other failures end its use. */
enum serin_error serin_lmdb_delete(struct serin_lmdb_store *store, size_t table,
                                   const struct record_key *key);
/* Ends the use of the transaction with `error`; gives back why it can only end. */
enum serin_error serin_lmdb_spoil(struct serin_lmdb_store *store, enum serin_error error);

/* ---- scan.c ---- */

/* Goes through the keys that start with `prefix`, in order, after `after` (whole key; size 0: from
 * the first). `look` says what it thinks of an entry: an error is damage, which is stepped over and
 * comes back at the end; `*go_on` false ends the walk. */
typedef enum serin_error (*serin_lmdb_look)(void *arg, const MDB_val *key, const MDB_val *value,
                                            bool *go_on);
enum serin_error serin_lmdb_scan(struct serin_lmdb_store *store, size_t table,
                                 const struct record_key *prefix, const struct record_key *after,
                                 serin_lmdb_look look, void *arg);

#endif
