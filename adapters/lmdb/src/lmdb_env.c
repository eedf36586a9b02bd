/* The fleet store's tables, and its handle (docs/spec/store.md, section 2). */
#include "lmdb_internal.h"

#include <stdlib.h>

static const char *const table_names[TABLE_COUNT] = {
    [TABLE_META] = "meta",         [TABLE_DEVICES] = "devices",   [TABLE_FLEET] = "fleet",
    [TABLE_ATTEMPTS] = "attempts", [TABLE_RELEASES] = "releases", [TABLE_STABLE] = "stable",
    [TABLE_ROLLOUTS] = "rollouts", [TABLE_MEMBERS] = "members",   [TABLE_DIRECTIVES] = "directives",
    [TABLE_TRUST] = "trust",       [TABLE_GATEWAYS] = "gateways",
};
_Static_assert(TABLE_COUNT <= LMDB_TABLES_MAX, "an environment holds so many tables");

static const struct serin_lmdb_schema schema = {
    .format = 1,
    .table_count = TABLE_COUNT,
    .table_names = table_names,
};

enum serin_error serin_lmdb_store_open(struct serin_lmdb_store **store, const char *folder,
                                       uint64_t map_size_bytes)
{
    *store = NULL;
    if (map_size_bytes < SERIN_LMDB_MAP_MIN || map_size_bytes > SERIN_LMDB_MAP_MAX) {
        return SERIN_ERR_INVALID;
    }
    struct serin_lmdb_store *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    enum serin_error error = serin_lmdb_env_open(made, &schema, folder, map_size_bytes);
    if (error != SERIN_OK) {
        serin_lmdb_store_close(made);
        return error;
    }
    *store = made;
    return SERIN_OK;
}

void serin_lmdb_store_close(struct serin_lmdb_store *store)
{
    if (store == NULL) {
        return;
    }
    serin_lmdb_env_close(store);
    free(store);
}

const char *serin_lmdb_store_trouble(const struct serin_lmdb_store *store)
{
    return store->trouble;
}

struct serin_store serin_lmdb_store_port(struct serin_lmdb_store *store)
{
    return (struct serin_store){.ops = &serin_lmdb_ops, .ctx = store};
}
