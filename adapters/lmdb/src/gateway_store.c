/* The gateway's store: its tables, its handle, its operations (docs/spec/gateway-store.md). */
#include <serin/adapters/gateway_store.h>

#include "env.h"
#include "gateway_record.h"

#include <stdlib.h>
#include <string.h>

enum table {
    TABLE_META,   /* "meta", "format" */
    TABLE_NODES,  /* id */
    TABLE_ORDERS, /* topic */
    TABLE_COUNT
};

struct serin_lmdb_gateway {
    struct serin_lmdb_store store;
    /* The record that is being read or written, and the one that a walk shows: its visitor may read
     * others meanwhile. Too large for a stack. */
    union gateway_value value, walked;
};

static const char *const table_names[TABLE_COUNT] = {
    [TABLE_META] = "meta",
    [TABLE_NODES] = "nodes",
    [TABLE_ORDERS] = "orders",
};
static const enum gateway_kind table_kinds[TABLE_COUNT] = {
    [TABLE_META] = GATEWAY_META,
    [TABLE_NODES] = GATEWAY_NODE,
    [TABLE_ORDERS] = GATEWAY_ORDER,
};

static const struct serin_lmdb_schema schema = {
    .format = 0x00010001, /* the second of our stores, its first version */
    .table_count = TABLE_COUNT,
    .table_names = table_names,
};

/* ---- one record ---- */

static enum serin_error decode(struct serin_lmdb_gateway *gateway, enum table table,
                               const MDB_val *key, const MDB_val *found, union gateway_value *value)
{
    enum serin_error error = gateway_record_decode(table_kinds[table], key->mv_data, key->mv_size,
                                                   found->mv_data, found->mv_size, value);
    return error == SERIN_OK ? SERIN_OK : serin_lmdb_damaged(&gateway->store, table, key, error);
}

static enum serin_error get(struct serin_lmdb_gateway *gateway, enum table table, const char *name)
{
    struct record_key key = serin_lmdb_text_key(name);
    const MDB_val at = {.mv_size = key.size, .mv_data = key.bytes};
    MDB_val found;
    enum serin_error error = serin_lmdb_find(&gateway->store, table, &key, &found);
    return error == SERIN_OK ? decode(gateway, table, &at, &found, &gateway->value) : error;
}

static enum serin_error put(struct serin_lmdb_gateway *gateway, enum table table, const char *name)
{
    struct record_key key = serin_lmdb_text_key(name);
    uint8_t bytes[RECORD_MAX];
    size_t size = 0;
    enum serin_error error =
        gateway_record_encode(table_kinds[table], &key, &gateway->value, bytes, &size);
    return error == SERIN_OK ? serin_lmdb_put(&gateway->store, table, &key, bytes, size)
                             : serin_lmdb_spoil(&gateway->store, error);
}

/* ---- the port ---- */

static enum serin_error get_meta(void *ctx, struct serin_gateway_meta *out)
{
    struct serin_lmdb_gateway *gateway = ctx;
    enum serin_error error = get(gateway, TABLE_META, "meta");
    if (error == SERIN_OK) {
        *out = gateway->value.meta;
    }
    return error;
}

static enum serin_error put_meta(void *ctx, const struct serin_gateway_meta *record)
{
    struct serin_lmdb_gateway *gateway = ctx;
    gateway->value.meta = *record;
    return put(gateway, TABLE_META, "meta");
}

static enum serin_error get_node(void *ctx, const char *id, struct serin_node_record *out)
{
    struct serin_lmdb_gateway *gateway = ctx;
    enum serin_error error = get(gateway, TABLE_NODES, id);
    if (error == SERIN_OK) {
        *out = gateway->value.node;
    }
    return error;
}

static enum serin_error put_node(void *ctx, const struct serin_node_record *record)
{
    struct serin_lmdb_gateway *gateway = ctx;
    gateway->value.node = *record;
    return put(gateway, TABLE_NODES, record->id);
}

static enum serin_error delete_node(void *ctx, const char *id)
{
    struct serin_lmdb_gateway *gateway = ctx;
    struct record_key key = serin_lmdb_text_key(id);
    return serin_lmdb_delete(&gateway->store, TABLE_NODES, &key);
}

static enum serin_error get_order(void *ctx, const char *topic, struct serin_order_record *out)
{
    struct serin_lmdb_gateway *gateway = ctx;
    enum serin_error error = get(gateway, TABLE_ORDERS, topic);
    if (error == SERIN_OK) {
        *out = gateway->value.order;
    }
    return error;
}

static enum serin_error put_order(void *ctx, const struct serin_order_record *record)
{
    struct serin_lmdb_gateway *gateway = ctx;
    gateway->value.order = *record;
    return put(gateway, TABLE_ORDERS, record->topic);
}

/* ---- walks ---- */

struct walk {
    struct serin_lmdb_gateway *gateway;
    enum table table;
    bool (*visit_node)(void *arg, const struct serin_node_record *record);
    bool (*visit_order)(void *arg, const struct serin_order_record *record);
    void *arg;
};

static enum serin_error look(void *arg, const MDB_val *key, const MDB_val *found, bool *go_on)
{
    const struct walk *walk = arg;
    union gateway_value *value = &walk->gateway->walked;
    enum serin_error error = decode(walk->gateway, walk->table, key, found, value);
    if (error == SERIN_OK) {
        *go_on = walk->visit_node != NULL ? walk->visit_node(walk->arg, &value->node)
                                          : walk->visit_order(walk->arg, &value->order);
    }
    return error;
}

static enum serin_error each(struct walk *walk)
{
    static const struct record_key all = {.size = 0};
    return serin_lmdb_scan(&walk->gateway->store, walk->table, &all, &all, look, walk);
}

static enum serin_error
each_node(void *ctx, bool (*visit)(void *arg, const struct serin_node_record *record), void *arg)
{
    struct walk walk = {.gateway = ctx, .table = TABLE_NODES, .visit_node = visit, .arg = arg};
    return each(&walk);
}

static enum serin_error
each_order(void *ctx, bool (*visit)(void *arg, const struct serin_order_record *record), void *arg)
{
    struct walk walk = {.gateway = ctx, .table = TABLE_ORDERS, .visit_order = visit, .arg = arg};
    return each(&walk);
}

static enum serin_error begin(void *ctx, bool write)
{
    struct serin_lmdb_gateway *gateway = ctx;
    return serin_lmdb_begin(&gateway->store, write);
}

static enum serin_error commit(void *ctx)
{
    struct serin_lmdb_gateway *gateway = ctx;
    return serin_lmdb_commit(&gateway->store);
}

static void abort_transaction(void *ctx)
{
    struct serin_lmdb_gateway *gateway = ctx;
    serin_lmdb_abort(&gateway->store);
}

static const struct serin_gateway_store_ops gateway_ops = {
    .begin = begin,
    .commit = commit,
    .abort = abort_transaction,
    .get_meta = get_meta,
    .put_meta = put_meta,
    .get_node = get_node,
    .put_node = put_node,
    .delete_node = delete_node,
    .get_order = get_order,
    .put_order = put_order,
    .each_node = each_node,
    .each_order = each_order,
};

/* ---- the handle ---- */

enum serin_error serin_lmdb_gateway_open(struct serin_lmdb_gateway **store, const char *folder,
                                         uint64_t size_bytes)
{
    *store = NULL;
    if (size_bytes < SERIN_LMDB_GATEWAY_MIN || size_bytes > SERIN_LMDB_GATEWAY_MAX) {
        return SERIN_ERR_INVALID;
    }
    struct serin_lmdb_gateway *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    enum serin_error error = serin_lmdb_env_open(&made->store, &schema, folder, size_bytes);
    if (error != SERIN_OK) {
        serin_lmdb_gateway_close(made);
        return error;
    }
    *store = made;
    return SERIN_OK;
}

void serin_lmdb_gateway_close(struct serin_lmdb_gateway *store)
{
    if (store == NULL) {
        return;
    }
    serin_lmdb_env_close(&store->store);
    free(store);
}

struct serin_gateway_store serin_lmdb_gateway_port(struct serin_lmdb_gateway *store)
{
    return (struct serin_gateway_store){.ops = &gateway_ops, .ctx = store};
}

const char *serin_lmdb_gateway_trouble(const struct serin_lmdb_gateway *store)
{
    return store->store.trouble;
}
