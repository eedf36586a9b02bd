/* The environment: opening and locking, transactions, errors (docs/spec/store.md, section 2). */
#include "lmdb_internal.h"

#include <serin/adapters/fault.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_FORMAT 1u

const char *const serin_lmdb_table_names[TABLE_COUNT] = {
    [TABLE_META] = "meta",         [TABLE_DEVICES] = "devices",   [TABLE_FLEET] = "fleet",
    [TABLE_ATTEMPTS] = "attempts", [TABLE_RELEASES] = "releases", [TABLE_STABLE] = "stable",
    [TABLE_ROLLOUTS] = "rollouts", [TABLE_MEMBERS] = "members",   [TABLE_DIRECTIVES] = "directives",
    [TABLE_TRUST] = "trust",
};

/* ---- errors ---- */

static enum serin_error error_of(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return SERIN_OK;
    case MDB_NOTFOUND:
        return SERIN_ERR_NOT_FOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_PAGE_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return SERIN_ERR_NO_SPACE;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_BAD_VALSIZE:
        return SERIN_ERR_FORMAT;
    case MDB_VERSION_MISMATCH:
        return SERIN_ERR_VERSION;
    case ENOENT:
        return SERIN_ERR_NOT_FOUND;
    case ENOMEM:
        return SERIN_ERR_MEMORY;
    default:
        return SERIN_ERR_IO;
    }
}

enum serin_error serin_lmdb_error(struct serin_lmdb_store *store, const char *what, int code)
{
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND) {
        (void)snprintf(store->trouble, sizeof store->trouble, "%s: %s", what, mdb_strerror(code));
    }
    return error_of(code);
}

/* A key in words: what cannot be printed as a backslash and two digits. */
static void key_words(const MDB_val *key, char words[3 * RECORD_KEY_MAX + 1])
{
    const uint8_t *bytes = key->mv_data;
    for (size_t i = 0; i < key->mv_size && i < RECORD_KEY_MAX; i++) {
        if (bytes[i] > ' ' && bytes[i] <= '~' && bytes[i] != '\\') {
            *words++ = (char)bytes[i];
        } else {
            *words++ = '\\';
            serin_hex_encode(&bytes[i], 1, words);
            words += 2;
        }
    }
    *words = '\0';
}

enum serin_error serin_lmdb_damaged(struct serin_lmdb_store *store, enum table table,
                                    const MDB_val *key, enum serin_error how)
{
    char words[3 * RECORD_KEY_MAX + 1];
    key_words(key, words);
    (void)snprintf(store->trouble, sizeof store->trouble, "record %s/%s: %s",
                   serin_lmdb_table_names[table], words, serin_error_text(how));
    return how == SERIN_ERR_VERSION ? SERIN_ERR_VERSION : SERIN_ERR_FORMAT;
}

const char *serin_lmdb_store_trouble(const struct serin_lmdb_store *store)
{
    return store->trouble;
}

/* ---- opening ---- */

/* Makes the folder and takes the lock that says whose it is. */
static enum serin_error take_folder(struct serin_lmdb_store *store)
{
    char path[sizeof store->folder + 8];
    if (mkdir(store->folder, 0700) != 0 && errno != EEXIST) {
        return serin_lmdb_error(store, store->folder, errno);
    }
    (void)snprintf(path, sizeof path, "%s/lock", store->folder);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0) {
        return serin_lmdb_error(store, path, errno);
    }
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? SERIN_ERR_BUSY : serin_lmdb_error(store, path, errno);
    }
    return SERIN_OK;
}

static enum serin_error open_environment(struct serin_lmdb_store *store)
{
    int code = mdb_env_create(&store->env);
    if (code == MDB_SUCCESS) {
        code = mdb_env_set_mapsize(store->env, (size_t)(store->map_size_bytes & ~UINT64_C(4095)));
    }
    if (code == MDB_SUCCESS) {
        code = mdb_env_set_maxdbs(store->env, TABLE_COUNT);
    }
    if (code == MDB_SUCCESS) {
        /* A transaction belongs to its handle and not to a thread. */
        code = mdb_env_open(store->env, store->folder, MDB_NOTLS, 0600);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_reader_check(store->env, NULL);
    }
    return serin_lmdb_error(store, store->folder, code);
}

/* Opens the tables and checks, or writes, the format of the whole. */
static enum serin_error open_tables(struct serin_lmdb_store *store)
{
    static const char name[] = "format";
    uint8_t format[4];
    MDB_val key = {.mv_size = sizeof name - 1, .mv_data = store->trouble};
    MDB_val value;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        int code =
            mdb_dbi_open(store->txn, serin_lmdb_table_names[i], MDB_CREATE, &store->tables[i]);
        if (code != MDB_SUCCESS) {
            return serin_lmdb_error(store, serin_lmdb_table_names[i], code);
        }
    }
    memcpy(store->trouble, name, sizeof name); /* LMDB wants keys that are not const */
    int code = mdb_get(store->txn, store->tables[TABLE_META], &key, &value);
    if (code == MDB_NOTFOUND) {
        serin_put_le32(format, STORE_FORMAT);
        value = (MDB_val){.mv_size = sizeof format, .mv_data = format};
        code = mdb_put(store->txn, store->tables[TABLE_META], &key, &value, 0);
    } else if (code == MDB_SUCCESS && value.mv_size != sizeof format) {
        return SERIN_ERR_FORMAT;
    } else if (code == MDB_SUCCESS && serin_get_le32(value.mv_data) != STORE_FORMAT) {
        return SERIN_ERR_VERSION;
    }
    store->trouble[0] = '\0';
    return serin_lmdb_error(store, "meta", code);
}

static void take_down(struct serin_lmdb_store *store)
{
    if (store->env != NULL) {
        mdb_env_close(store->env);
        store->env = NULL;
    }
}

/* Starts a transaction; the environment is up. */
static int begin(struct serin_lmdb_store *store, bool write)
{
    store->writing = write;
    store->failed = SERIN_OK;
    int code = mdb_txn_begin(store->env, NULL, write ? 0 : MDB_RDONLY, &store->txn);
    if (code != MDB_SUCCESS) {
        store->txn = NULL;
    }
    return code;
}

/* Ends a transaction with whatever it came to. */
static enum serin_error finish(struct serin_lmdb_store *store)
{
    if (!store->writing || store->failed != SERIN_OK) {
        mdb_txn_abort(store->txn);
        store->txn = NULL;
        return store->failed;
    }
    int code = mdb_txn_commit(store->txn);
    store->txn = NULL; /* LMDB frees it whatever the outcome */
    return serin_lmdb_error(store, "commit", code);
}

/* (Re)opens the environment and its tables. After an error there is no environment. */
static enum serin_error bring_up(struct serin_lmdb_store *store)
{
    take_down(store);
    enum serin_error error = open_environment(store);
    if (error == SERIN_OK) {
        error = serin_lmdb_error(store, store->folder, begin(store, true));
    }
    if (error == SERIN_OK) {
        store->failed = open_tables(store);
        error = finish(store);
    }
    if (error != SERIN_OK) {
        take_down(store);
    }
    return error;
}

/* ---- transactions ---- */

enum serin_error serin_lmdb_begin(void *ctx, bool write)
{
    struct serin_lmdb_store *store = ctx;
    SERIN_ASSERT(store->txn == NULL);
    store->trouble[0] = '\0';
    int code = store->env != NULL ? begin(store, write) : MDB_PANIC;
    if (code == MDB_PANIC) {
        /* The disk failed in the middle of a commit, and LMDB trusts its own memory no more. What
         * is on the disk is whole: it is read again from there. */
        enum serin_error error = bring_up(store);
        if (error != SERIN_OK) {
            return error;
        }
        code = begin(store, write);
    }
    return serin_lmdb_error(store, "begin", code);
}

void serin_lmdb_abort(void *ctx)
{
    struct serin_lmdb_store *store = ctx;
    SERIN_ASSERT(store->txn != NULL);
    mdb_txn_abort(store->txn);
    store->txn = NULL;
}

enum serin_error serin_lmdb_commit(void *ctx)
{
    struct serin_lmdb_store *store = ctx;
    SERIN_ASSERT(store->txn != NULL);
    if (!store->writing) {
        return finish(store);
    }
    SERIN_FAULT_POINT("store.commit.before");
    enum serin_error error = finish(store);
    SERIN_FAULT_POINT("store.commit.after");
    return error;
}

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
    made->lock_fd = -1;
    made->map_size_bytes = map_size_bytes;
    enum serin_error error = serin_text_copy(made->folder, sizeof made->folder, folder);
    if (error == SERIN_OK) {
        error = take_folder(made);
    }
    if (error == SERIN_OK) {
        error = bring_up(made);
    }
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
    if (store->txn != NULL) {
        serin_lmdb_abort(store);
    }
    take_down(store);
    if (store->lock_fd >= 0) {
        (void)close(store->lock_fd); /* and with it the lock */
    }
    free(store);
}

struct serin_store serin_lmdb_store_port(struct serin_lmdb_store *store)
{
    return (struct serin_store){.ops = &serin_lmdb_ops, .ctx = store};
}
