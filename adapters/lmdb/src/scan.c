/* Walks over ranges of keys. Damage is stepped over: one bad sector must not hide the rest. */
#include "env.h"

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
static int seek(MDB_cursor *cursor, const struct record_key *prefix, const struct record_key *after,
                MDB_val *key, MDB_val *value)
{
    struct record_key from = after->size > 0 ? *after : *prefix;
    if (from.size == 0) {
        return mdb_cursor_get(cursor, key, value, MDB_FIRST);
    }
    *key = (MDB_val){.mv_size = from.size, .mv_data = from.bytes};
    int code = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    if (code == MDB_SUCCESS && after->size > 0 && equals(key, after)) {
        code = mdb_cursor_get(cursor, key, value, MDB_NEXT);
    }
    return code;
}

enum serin_error serin_lmdb_scan(struct serin_lmdb_store *store, size_t table,
                                 const struct record_key *prefix, const struct record_key *after,
                                 serin_lmdb_look look, void *arg)
{
    SERIN_ASSERT(store->txn != NULL);
    if (store->failed != SERIN_OK) {
        return store->failed;
    }
    const char *name = store->schema->table_names[table];
    MDB_cursor *cursor = NULL;
    int code = mdb_cursor_open(store->txn, store->tables[table], &cursor);
    if (code != MDB_SUCCESS) {
        return serin_lmdb_error(store, name, code);
    }
    enum serin_error damage = SERIN_OK;
    bool go_on = true;
    MDB_val key, value;
    for (code = seek(cursor, prefix, after, &key, &value);
         code == MDB_SUCCESS && starts_with(&key, prefix);
         code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        enum serin_error error = look(arg, &key, &value, &go_on);
        damage = error != SERIN_OK ? error : damage;
        if (!go_on) {
            break;
        }
    }
    mdb_cursor_close(cursor);
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND) {
        return serin_lmdb_error(store, name, code);
    }
    return damage;
}
