/*
 * A fleet store on LMDB in a folder of its own (store_bench.h).
 */
#define _GNU_SOURCE
#include "store_bench.h"

#include "check_main.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

char folder[64];
struct serin_lmdb_store *lmdb;
struct serin_store store;

void open_store(uint64_t size)
{
    enum serin_error error = serin_lmdb_store_open(&lmdb, folder, size);
    ck_assert_msg(error == SERIN_OK, "open: %s", serin_error_text(error));
    store = serin_lmdb_store_port(lmdb);
}

void reopen(void)
{
    serin_lmdb_store_close(lmdb);
    open_store(64 * MIB);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

void setup(void)
{
    strcpy(folder, "/tmp/serin-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    open_store(64 * MIB);
}

void teardown(void)
{
    serin_lmdb_store_close(lmdb);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void begin(bool write)
{
    ck_assert_int_eq(store.ops->begin(store.ctx, write), SERIN_OK);
}

void commit(void)
{
    ck_assert_int_eq(store.ops->commit(store.ctx), SERIN_OK);
}

enum serin_error put_device(const char *id, uint64_t seed)
{
    struct serin_device_record record = sample_device(seed, id, false);
    return store.ops->put_device(store.ctx, &record);
}

bool device_is(const char *id, uint64_t seed)
{
    static struct serin_device_record found;
    memset(&found, 0, sizeof found);
    enum serin_error error = store.ops->get_device(store.ctx, id, &found);
    if (seed == 0) {
        return error == SERIN_ERR_NOT_FOUND;
    }
    struct serin_device_record want = sample_device(seed, id, false);
    return error == SERIN_OK && memcmp(&found, &want, sizeof want) == 0;
}

bool note_device(void *arg, const struct serin_device_record *record)
{
    struct list *list = arg;
    strcat(strcat(list->text, record->id), " ");
    return --list->left != 0;
}

void put_placed(const char *id, const char *product, const char *channel)
{
    struct serin_device_record record = sample_device(5, id, false);
    strcpy(record.product, product);
    strcpy(record.channel, channel);
    ck_assert_int_eq(store.ops->put_device(store.ctx, &record), SERIN_OK);
}

const char *devices(const char *after, int left)
{
    static struct list list;
    list = (struct list){.left = left};
    ck_assert_int_eq(store.ops->each_device(store.ctx, after, note_device, &list), SERIN_OK);
    return list.text;
}
