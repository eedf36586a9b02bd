/* Walks over ranges of keys. A damaged record is named and stepped over: one bad sector must not
 * hide the rest of the fleet. */
#include "lmdb_internal.h"

#include <string.h>

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

/* One walk: what `look` below needs. */
struct walk {
    struct serin_lmdb_store *store;
    const struct serin_lmdb_range *range;
    decode_fn decode;
    serin_lmdb_visit visit;
    void *arg;
};

static enum serin_error look(void *arg, const MDB_val *key, const MDB_val *value, bool *go_on)
{
    const struct walk *walk = arg;
    union record_value record;
    enum serin_error error = walk->decode(walk->store, walk->range, key, value, &record);
    *go_on = error != SERIN_OK || walk->visit(walk->arg, &record);
    return error;
}

static enum serin_error walk(struct serin_lmdb_store *store, const struct serin_lmdb_range *range,
                             decode_fn decode, serin_lmdb_visit visit, void *arg)
{
    struct walk walk = {
        .store = store, .range = range, .decode = decode, .visit = visit, .arg = arg};
    return serin_lmdb_scan(store, range->table, &range->prefix, &range->after, look, &walk);
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
