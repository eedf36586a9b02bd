/* Walks over ranges of keys. A damaged record is named and stepped over: one bad sector must not
 * hide the rest of the fleet. */
#include "lmdb_internal.h"

#include <string.h>

static bool starts_with(const MDB_val *key, const struct record_key *prefix)
{
    return key->mv_size >= prefix->size &&
           (prefix->size == 0 || memcmp(key->mv_data, prefix->bytes, prefix->size) == 0);
}

static bool equals(const MDB_val *key, const struct record_key *other)
{
    return key->mv_size == other->size && starts_with(key, other);
}

/* Goes to the first key of the range. */
static int seek(MDB_cursor *cursor, const struct serin_lmdb_range *range, MDB_val *key,
                MDB_val *value)
{
    struct record_key from = range->after.size > 0 ? range->after : range->prefix;
    if (from.size == 0) {
        return mdb_cursor_get(cursor, key, value, MDB_FIRST);
    }
    *key = (MDB_val){.mv_size = from.size, .mv_data = from.bytes};
    int code = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    if (code == MDB_SUCCESS && range->after.size > 0 && equals(key, &range->after)) {
        code = mdb_cursor_get(cursor, key, value, MDB_NEXT);
    }
    return code;
}

/* Decodes what the cursor found; false: it is damaged, or not a record. */
typedef enum serin_error (*decode_fn)(struct serin_lmdb_store *store,
                                      const struct serin_lmdb_range *range, const MDB_val *key,
                                      const MDB_val *value, union record_value *out);

static enum serin_error decode_here(struct serin_lmdb_store *store,
                                    const struct serin_lmdb_range *range, const MDB_val *key,
                                    const MDB_val *value, union record_value *out)
{
    enum serin_error error =
        record_decode(range->kind, key->mv_data, key->mv_size, value->mv_data, value->mv_size, out);
    return error == SERIN_OK ? SERIN_OK : serin_lmdb_damaged(store, range->table, key, error);
}

/* In the index the key ends with the id of a device, whose record stands elsewhere. */
static enum serin_error decode_named(struct serin_lmdb_store *store,
                                     const struct serin_lmdb_range *range, const MDB_val *key,
                                     const MDB_val *value, union record_value *out)
{
    (void)value;
    struct record_key id = {.size = key->mv_size - range->prefix.size};
    SERIN_ASSERT(id.size <= sizeof id.bytes);
    memcpy(id.bytes, (const uint8_t *)key->mv_data + range->prefix.size, id.size);
    enum serin_error error = serin_lmdb_get(store, TABLE_DEVICES, RECORD_DEVICE, &id, out);
    return error == SERIN_ERR_NOT_FOUND ? serin_lmdb_damaged(store, range->table, key, error)
                                        : error;
}

static enum serin_error walk(struct serin_lmdb_store *store, const struct serin_lmdb_range *range,
                             decode_fn decode, serin_lmdb_visit visit, void *arg)
{
    SERIN_ASSERT(store->txn != NULL);
    if (store->failed != SERIN_OK) {
        return store->failed;
    }
    MDB_cursor *cursor = NULL;
    int code = mdb_cursor_open(store->txn, store->tables[range->table], &cursor);
    if (code != MDB_SUCCESS) {
        return serin_lmdb_error(store, serin_lmdb_table_names[range->table], code);
    }
    enum serin_error damage = SERIN_OK;
    MDB_val key, value;
    for (code = seek(cursor, range, &key, &value);
         code == MDB_SUCCESS && starts_with(&key, &range->prefix);
         code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        union record_value record;
        enum serin_error error = decode(store, range, &key, &value, &record);
        if (error != SERIN_OK) {
            damage = error;
        } else if (!visit(arg, &record)) {
            break;
        }
    }
    mdb_cursor_close(cursor);
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND) {
        return serin_lmdb_error(store, serin_lmdb_table_names[range->table], code);
    }
    return damage;
}

enum serin_error serin_lmdb_walk(struct serin_lmdb_store *store,
                                 const struct serin_lmdb_range *range, serin_lmdb_visit visit,
                                 void *arg)
{
    return walk(store, range, decode_here, visit, arg);
}

enum serin_error serin_lmdb_walk_fleet(struct serin_lmdb_store *store,
                                       const struct serin_lmdb_range *range, serin_lmdb_visit visit,
                                       void *arg)
{
    return walk(store, range, decode_named, visit, arg);
}
