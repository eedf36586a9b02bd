/* What the files of the LMDB store share. */
#ifndef SERIN_LMDB_INTERNAL_H
#define SERIN_LMDB_INTERNAL_H

#include "record.h"

#include <serin/adapters/lmdb_store.h>
#include <serin/assert.h>

#include <lmdb.h>

/* The named databases: one a kind, and an index. */
enum table {
    TABLE_META,       /* "meta", "format" */
    TABLE_DEVICES,    /* id */
    TABLE_FLEET,      /* product 0 channel 0 id → nothing: the devices of a product and channel */
    TABLE_ATTEMPTS,   /* device id 0 manifest id, attempt (big-endian) */
    TABLE_RELEASES,   /* manifest id */
    TABLE_STABLE,     /* product 0 channel */
    TABLE_ROLLOUTS,   /* id (big-endian) */
    TABLE_MEMBERS,    /* rollout id (big-endian), device id */
    TABLE_DIRECTIVES, /* topic */
    TABLE_TRUST,      /* product */
    TABLE_COUNT
};

struct serin_lmdb_store {
    int lock_fd;
    MDB_env *env;
    MDB_txn *txn; /* NULL between transactions */
    bool writing;
    enum serin_error failed; /* why the transaction can only end; SERIN_OK if it can go on */
    MDB_dbi tables[TABLE_COUNT];
    uint64_t map_size_bytes;
    char folder[4096];
    char trouble[768];
};

/* ---- lmdb_env.c ---- */
extern const char *const serin_lmdb_table_names[TABLE_COUNT];

/* Turns LMDB's answer into an error, and says it in `trouble`. */
enum serin_error serin_lmdb_error(struct serin_lmdb_store *store, const char *what, int code);
/* Names a damaged record in `trouble`; returns SERIN_ERR_FORMAT, or SERIN_ERR_VERSION as it is. */
enum serin_error serin_lmdb_damaged(struct serin_lmdb_store *store, enum table table,
                                    const MDB_val *key, enum serin_error how);

enum serin_error serin_lmdb_begin(void *ctx, bool write);
enum serin_error serin_lmdb_commit(void *ctx);
void serin_lmdb_abort(void *ctx);

/* ---- lmdb_walk.c ---- */
/* Where a walk goes: the keys that start with `prefix`, in order, after `after` (whole key; size 0:
 * from the first). */
struct serin_lmdb_range {
    enum table table;
    enum record_kind kind;
    struct record_key prefix, after;
};
typedef bool (*serin_lmdb_visit)(void *arg, const union record_value *value);
enum serin_error serin_lmdb_walk(struct serin_lmdb_store *store,
                                 const struct serin_lmdb_range *range, serin_lmdb_visit visit,
                                 void *arg);
/* The same over TABLE_FLEET, visiting the devices that it names. */
enum serin_error serin_lmdb_walk_fleet(struct serin_lmdb_store *store,
                                       const struct serin_lmdb_range *range, serin_lmdb_visit visit,
                                       void *arg);

/* ---- lmdb_ops.c ---- */
extern const struct serin_store_ops serin_lmdb_ops;
enum serin_error serin_lmdb_get(struct serin_lmdb_store *store, enum table table,
                                enum record_kind kind, const struct record_key *key,
                                union record_value *value);

/* ---- lmdb_keys.c ---- */
struct record_key serin_lmdb_text_key(const char *text);
struct record_key serin_lmdb_pair_key(const char *first, const char *second);
struct record_key serin_lmdb_fleet_key(const char *product, const char *channel, const char *id);
struct record_key serin_lmdb_id_key(const uint8_t id[SERIN_SHA256_SIZE]);
struct record_key serin_lmdb_rollout_key(uint64_t id);
struct record_key serin_lmdb_member_key(uint64_t rollout_id, const char *device_id);
struct record_key serin_lmdb_attempts_prefix(const char *device_id);
struct record_key serin_lmdb_attempt_key(const char *device_id,
                                         const uint8_t manifest_id[SERIN_SHA256_SIZE],
                                         uint32_t attempt);

/* ---- lmdb_each.c: the walks of the port ---- */
enum serin_error serin_lmdb_each_device(void *ctx, const char *after,
                                        bool (*visit)(void *arg,
                                                      const struct serin_device_record *record),
                                        void *arg);
enum serin_error
serin_lmdb_each_fleet_device(void *ctx, const char *product, const char *channel, const char *after,
                             bool (*visit)(void *arg, const struct serin_device_record *record),
                             void *arg);
enum serin_error serin_lmdb_each_attempt(void *ctx, const char *device_id,
                                         bool (*visit)(void *arg,
                                                       const struct serin_attempt_record *record),
                                         void *arg);
enum serin_error serin_lmdb_each_release(
    void *ctx, bool (*visit)(void *arg, const struct serin_release_record *record), void *arg);
enum serin_error
serin_lmdb_each_rollout(void *ctx, bool (*visit)(void *arg, const struct serin_rollout *rollout),
                        void *arg);
enum serin_error serin_lmdb_each_member(void *ctx, uint64_t rollout_id,
                                        bool (*visit)(void *arg,
                                                      const struct serin_member_record *record),
                                        void *arg);
enum serin_error serin_lmdb_each_stable(
    void *ctx, bool (*visit)(void *arg, const struct serin_stable_record *record), void *arg);
enum serin_error serin_lmdb_each_directive(
    void *ctx, bool (*visit)(void *arg, const struct serin_directive_record *record), void *arg);
enum serin_error serin_lmdb_each_trust(void *ctx,
                                       bool (*visit)(void *arg, const uint8_t *record, size_t size),
                                       void *arg);

#endif
