/* The store's operations on one record (docs/spec/store.md, section 4). */
#include "lmdb_internal.h"

#include <string.h>

enum serin_error serin_lmdb_get(struct serin_lmdb_store *store, enum table table,
                                enum record_kind kind, const struct record_key *key,
                                union record_value *value)
{
    MDB_val found;
    enum serin_error error = serin_lmdb_find(store, table, key, &found);
    if (error != SERIN_OK) {
        return error;
    }
    error = record_decode(kind, key->bytes, key->size, found.mv_data, found.mv_size, value);
    if (error == SERIN_OK) {
        return SERIN_OK;
    }
    struct record_key copy = *key;
    const MDB_val at = {.mv_size = copy.size, .mv_data = copy.bytes};
    return serin_lmdb_damaged(store, table, &at, error);
}

static enum serin_error put(struct serin_lmdb_store *store, enum table table, enum record_kind kind,
                            const struct record_key *key, const union record_value *value)
{
    SERIN_ASSERT(store->txn != NULL && store->writing);
    uint8_t bytes[RECORD_MAX];
    size_t size = 0;
    enum serin_error error = record_encode(kind, key, value, bytes, &size);
    return error == SERIN_OK ? serin_lmdb_put(store, table, key, bytes, size)
                             : serin_lmdb_spoil(store, error);
}

static enum serin_error get_meta(void *ctx, struct serin_meta_record *out)
{
    union record_value value;
    struct record_key key = serin_lmdb_text_key("meta");
    enum serin_error error = serin_lmdb_get(ctx, TABLE_META, RECORD_META, &key, &value);
    if (error == SERIN_OK) {
        *out = value.meta;
    }
    return error;
}

static enum serin_error put_meta(void *ctx, const struct serin_meta_record *record)
{
    struct record_key key = serin_lmdb_text_key("meta");
    union record_value value = {.meta = *record};
    return put(ctx, TABLE_META, RECORD_META, &key, &value);
}

static enum serin_error get_device(void *ctx, const char *id, struct serin_device_record *out)
{
    union record_value value;
    struct record_key key = serin_lmdb_text_key(id);
    enum serin_error error = serin_lmdb_get(ctx, TABLE_DEVICES, RECORD_DEVICE, &key, &value);
    if (error == SERIN_OK) {
        *out = value.device;
    }
    return error;
}

/* Keeps the index in step: only a device that is new, or has moved, writes to it. */
static enum serin_error index_device(struct serin_lmdb_store *store,
                                     const struct serin_device_record *record)
{
    struct serin_device_record old;
    enum serin_error error = get_device(store, record->id, &old);
    if (error == SERIN_OK && strcmp(old.product, record->product) == 0 &&
        strcmp(old.channel, record->channel) == 0) {
        return SERIN_OK;
    }
    if (error == SERIN_OK) {
        struct record_key key = serin_lmdb_fleet_key(old.product, old.channel, old.id);
        error = serin_lmdb_delete(store, TABLE_FLEET, &key);
    }
    /* A damaged record is about to be replaced by a sound one. */
    if (error != SERIN_OK && error != SERIN_ERR_NOT_FOUND && error != SERIN_ERR_FORMAT) {
        return serin_lmdb_spoil(store, error);
    }
    struct record_key key = serin_lmdb_fleet_key(record->product, record->channel, record->id);
    return serin_lmdb_put(store, TABLE_FLEET, &key, NULL, 0);
}

static enum serin_error put_device(void *ctx, const struct serin_device_record *record)
{
    struct serin_lmdb_store *store = ctx;
    SERIN_ASSERT(store->txn != NULL && store->writing);
    struct record_key key = serin_lmdb_text_key(record->id);
    union record_value value = {.device = *record};
    enum serin_error error = index_device(store, record);
    return error != SERIN_OK ? error : put(store, TABLE_DEVICES, RECORD_DEVICE, &key, &value);
}

static enum serin_error get_attempt(void *ctx, const char *device_id, const uint8_t manifest_id[32],
                                    uint32_t attempt, struct serin_attempt_record *out)
{
    union record_value value;
    struct record_key key = serin_lmdb_attempt_key(device_id, manifest_id, attempt);
    enum serin_error error = serin_lmdb_get(ctx, TABLE_ATTEMPTS, RECORD_ATTEMPT, &key, &value);
    if (error == SERIN_OK) {
        *out = value.attempt;
    }
    return error;
}

static enum serin_error put_attempt(void *ctx, const char *device_id,
                                    const struct serin_attempt_record *record)
{
    struct record_key key = serin_lmdb_attempt_key(device_id, record->manifest_id, record->attempt);
    union record_value value = {.attempt = *record};
    return put(ctx, TABLE_ATTEMPTS, RECORD_ATTEMPT, &key, &value);
}

static enum serin_error delete_attempt(void *ctx, const char *device_id,
                                       const uint8_t manifest_id[32], uint32_t attempt)
{
    struct record_key key = serin_lmdb_attempt_key(device_id, manifest_id, attempt);
    return serin_lmdb_delete(ctx, TABLE_ATTEMPTS, &key);
}

static enum serin_error get_release(void *ctx, const uint8_t manifest_id[32],
                                    struct serin_release_record *out)
{
    union record_value value;
    struct record_key key = serin_lmdb_id_key(manifest_id);
    enum serin_error error = serin_lmdb_get(ctx, TABLE_RELEASES, RECORD_RELEASE, &key, &value);
    if (error == SERIN_OK) {
        *out = value.release;
    }
    return error;
}

static enum serin_error put_release(void *ctx, const struct serin_release_record *record)
{
    struct record_key key = serin_lmdb_id_key(record->manifest_id);
    union record_value value = {.release = *record};
    return put(ctx, TABLE_RELEASES, RECORD_RELEASE, &key, &value);
}

static enum serin_error get_stable(void *ctx, const char *product, const char *channel,
                                   struct serin_stable_record *out)
{
    union record_value value;
    struct record_key key = serin_lmdb_pair_key(product, channel);
    enum serin_error error = serin_lmdb_get(ctx, TABLE_STABLE, RECORD_STABLE, &key, &value);
    if (error == SERIN_OK) {
        *out = value.stable;
    }
    return error;
}

static enum serin_error put_stable(void *ctx, const struct serin_stable_record *record)
{
    struct record_key key = serin_lmdb_pair_key(record->product, record->channel);
    union record_value value = {.stable = *record};
    return put(ctx, TABLE_STABLE, RECORD_STABLE, &key, &value);
}

static enum serin_error get_rollout(void *ctx, uint64_t id, struct serin_rollout *out)
{
    union record_value value;
    struct record_key key = serin_lmdb_rollout_key(id);
    enum serin_error error = serin_lmdb_get(ctx, TABLE_ROLLOUTS, RECORD_ROLLOUT, &key, &value);
    if (error == SERIN_OK) {
        *out = value.rollout;
    }
    return error;
}

static enum serin_error put_rollout(void *ctx, const struct serin_rollout *rollout)
{
    struct record_key key = serin_lmdb_rollout_key(rollout->id);
    union record_value value = {.rollout = *rollout};
    return put(ctx, TABLE_ROLLOUTS, RECORD_ROLLOUT, &key, &value);
}

static enum serin_error put_member(void *ctx, const struct serin_member_record *record)
{
    struct record_key key = serin_lmdb_member_key(record->rollout_id, record->device_id);
    union record_value value = {.member = *record};
    return put(ctx, TABLE_MEMBERS, RECORD_MEMBER, &key, &value);
}

static enum serin_error get_gateway(void *ctx, const char *id, struct serin_gateway_record *out)
{
    union record_value value;
    struct record_key key = serin_lmdb_text_key(id);
    enum serin_error error = serin_lmdb_get(ctx, TABLE_GATEWAYS, RECORD_GATEWAY, &key, &value);
    if (error == SERIN_OK) {
        *out = value.gateway;
    }
    return error;
}

static enum serin_error put_gateway(void *ctx, const struct serin_gateway_record *record)
{
    struct record_key key = serin_lmdb_text_key(record->id);
    union record_value value = {.gateway = *record};
    return put(ctx, TABLE_GATEWAYS, RECORD_GATEWAY, &key, &value);
}

static enum serin_error get_directive(void *ctx, const char *topic,
                                      struct serin_directive_record *out)
{
    union record_value value;
    struct record_key key = serin_lmdb_text_key(topic);
    enum serin_error error = serin_lmdb_get(ctx, TABLE_DIRECTIVES, RECORD_DIRECTIVE, &key, &value);
    if (error == SERIN_OK) {
        *out = value.directive;
    }
    return error;
}

static enum serin_error put_directive(void *ctx, const struct serin_directive_record *record)
{
    struct record_key key = serin_lmdb_text_key(record->topic);
    union record_value value = {.directive = *record};
    return put(ctx, TABLE_DIRECTIVES, RECORD_DIRECTIVE, &key, &value);
}

static enum serin_error get_trust(void *ctx, const char *product, uint8_t *record, size_t capacity,
                                  size_t *size)
{
    union record_value value = {.trust = {.size = 0}};
    struct record_key key = serin_lmdb_text_key(product);
    enum serin_error error = serin_lmdb_get(ctx, TABLE_TRUST, RECORD_TRUST, &key, &value);
    if (error != SERIN_OK) {
        return error;
    }
    if (value.trust.size > capacity) {
        return SERIN_ERR_TOO_LARGE;
    }
    memcpy(record, value.trust.bytes, value.trust.size);
    *size = value.trust.size;
    return SERIN_OK;
}

static enum serin_error put_trust(void *ctx, const char *product, const uint8_t *record,
                                  size_t size)
{
    struct record_key key = serin_lmdb_text_key(product);
    union record_value value = {.trust = {.size = size}};
    if (size <= sizeof value.trust.bytes) { /* a larger one is refused by its size */
        memcpy(value.trust.bytes, record, size);
    }
    return put(ctx, TABLE_TRUST, RECORD_TRUST, &key, &value);
}

/* Pages in use, without those that were freed and wait to be used again. */
static enum serin_error used_bytes(void *ctx, uint64_t *used)
{
    struct serin_lmdb_store *store = ctx;
    SERIN_ASSERT(store->txn != NULL);
    *used = 0;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        MDB_stat stat;
        int code = mdb_stat(store->txn, store->tables[i], &stat);
        if (code != MDB_SUCCESS) {
            return serin_lmdb_error(store, store->schema->table_names[i], code);
        }
        *used += (uint64_t)stat.ms_psize *
                 (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages);
    }
    return SERIN_OK;
}

const struct serin_store_ops serin_lmdb_ops = {
    .begin = serin_lmdb_begin,
    .commit = serin_lmdb_commit,
    .abort = serin_lmdb_abort,
    .get_meta = get_meta,
    .put_meta = put_meta,
    .get_device = get_device,
    .put_device = put_device,
    .get_attempt = get_attempt,
    .put_attempt = put_attempt,
    .delete_attempt = delete_attempt,
    .get_release = get_release,
    .put_release = put_release,
    .get_stable = get_stable,
    .put_stable = put_stable,
    .get_rollout = get_rollout,
    .put_rollout = put_rollout,
    .put_member = put_member,
    .get_gateway = get_gateway,
    .put_gateway = put_gateway,
    .get_directive = get_directive,
    .put_directive = put_directive,
    .get_trust = get_trust,
    .put_trust = put_trust,
    .each_device = serin_lmdb_each_device,
    .each_attempt = serin_lmdb_each_attempt,
    .each_release = serin_lmdb_each_release,
    .each_rollout = serin_lmdb_each_rollout,
    .each_member = serin_lmdb_each_member,
    .each_stable = serin_lmdb_each_stable,
    .each_gateway = serin_lmdb_each_gateway,
    .each_directive = serin_lmdb_each_directive,
    .each_trust = serin_lmdb_each_trust,
    .each_fleet_device = serin_lmdb_each_fleet_device,
    .used_bytes = used_bytes,
};
