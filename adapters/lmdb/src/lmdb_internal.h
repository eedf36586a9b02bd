/* What the files of the fleet store share. */
#ifndef SERIN_LMDB_INTERNAL_H
#define SERIN_LMDB_INTERNAL_H

#include "env.h"
#include "record.h"

#include <serin/adapters/lmdb_store.h>

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
    TABLE_GATEWAYS,   /* id */
    TABLE_COUNT
};

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
enum serin_error serin_lmdb_each_gateway(
    void *ctx, bool (*visit)(void *arg, const struct serin_gateway_record *record), void *arg);
enum serin_error serin_lmdb_each_directive(
    void *ctx, bool (*visit)(void *arg, const struct serin_directive_record *record), void *arg);
enum serin_error serin_lmdb_each_trust(void *ctx,
                                       bool (*visit)(void *arg, const uint8_t *record, size_t size),
                                       void *arg);

#endif
