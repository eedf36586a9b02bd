/* The environment (env.h): opening and locking, transactions, errors. */
#include "env.h"

#include <serin/adapters/fault.h>
#include <serin/bytes.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PATH_SIZE_MAX (sizeof((struct serin_lmdb_store *)0)->folder + 16)
#define READERS_SIZE  8192            /* of LMDB's 126 readers */
#define ROOM_MIN      UINT64_C(65536) /* bytes; less is a full disk */

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

/* LMDB tells a write that was cut short as EIO; where the disk is full that is why. */
static bool disk_full(const char *folder)
{
    struct statvfs disk;
    return statvfs(folder, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < ROOM_MIN;
}

enum serin_error serin_lmdb_error(struct serin_lmdb_store *store, const char *what, int code)
{
    if (code == EIO && disk_full(store->folder)) {
        code = ENOSPC;
    }
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

enum serin_error serin_lmdb_damaged(struct serin_lmdb_store *store, size_t table,
                                    const MDB_val *key, enum serin_error how)
{
    char words[3 * RECORD_KEY_MAX + 1];
    key_words(key, words);
    (void)snprintf(store->trouble, sizeof store->trouble, "record %s/%s: %s",
                   store->schema->table_names[table], words, serin_error_text(how));
    return how == SERIN_ERR_VERSION ? SERIN_ERR_VERSION : SERIN_ERR_FORMAT;
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

/* LMDB writes its table of readers through memory, and would die of SIGBUS where the disk has no
 * room for it: the file is filled before. Closed before LMDB opens it, since whoever closes a file
 * gives up the process's locks on it. */
static int fill_readers(const struct serin_lmdb_store *store)
{
    char path[PATH_SIZE_MAX];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/lock.mdb", store->folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    int code = fstat(fd, &status) == 0 ? 0 : errno;
    if (code == 0) {
        off_t size = status.st_size > READERS_SIZE ? status.st_size : READERS_SIZE;
        code = posix_fallocate(fd, 0, size);
    }
    (void)close(fd);
    return code == ENOSPC || code == EDQUOT ? code : 0; /* not every file system can */
}

/* The store's file; true: there is none yet. */
static bool data_file(const struct serin_lmdb_store *store, char path[PATH_SIZE_MAX])
{
    (void)snprintf(path, PATH_SIZE_MAX, "%s/data.mdb", store->folder);
    return access(path, F_OK) != 0 && errno == ENOENT;
}

static enum serin_error open_environment(struct serin_lmdb_store *store)
{
    char path[PATH_SIZE_MAX];
    bool fresh = data_file(store, path);
    int code = fill_readers(store);
    if (code == 0) {
        code = mdb_env_create(&store->env);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_env_set_mapsize(store->env, (size_t)(store->map_size_bytes & ~UINT64_C(4095)));
    }
    if (code == MDB_SUCCESS) {
        code = mdb_env_set_maxdbs(store->env, LMDB_TABLES_MAX);
    }
    if (code == MDB_SUCCESS) {
        /* A transaction belongs to its handle and not to a thread. */
        code = mdb_env_open(store->env, store->folder, MDB_NOTLS, 0600);
        if (code != MDB_SUCCESS && fresh) {
            (void)unlink(path); /* its first half, perhaps: the next start makes it again */
        }
    }
    if (code == MDB_SUCCESS) {
        code = mdb_reader_check(store->env, NULL);
    }
    return serin_lmdb_error(store, store->folder, code);
}

/* Checks, or writes, the format of the whole. */
static enum serin_error check_format(struct serin_lmdb_store *store)
{
    const struct record_key key = serin_lmdb_text_key("format");
    const uint32_t wanted = store->schema->format;
    uint8_t format[4];
    MDB_val found;
    enum serin_error error = serin_lmdb_find(store, 0, &key, &found);
    if (error == SERIN_ERR_NOT_FOUND) {
        serin_put_le32(format, wanted);
        return serin_lmdb_put(store, 0, &key, format, sizeof format);
    }
    if (error != SERIN_OK) {
        return error;
    }
    if (found.mv_size != sizeof format || (serin_get_le32(found.mv_data) ^ wanted) > UINT16_MAX) {
        return SERIN_ERR_FORMAT; /* another store's, or none */
    }
    return serin_get_le32(found.mv_data) == wanted ? SERIN_OK : SERIN_ERR_VERSION;
}

static enum serin_error open_tables(struct serin_lmdb_store *store)
{
    for (size_t i = 0; i < store->schema->table_count; i++) {
        const char *name = store->schema->table_names[i];
        int code = mdb_dbi_open(store->txn, name, MDB_CREATE, &store->tables[i]);
        if (code != MDB_SUCCESS) {
            return serin_lmdb_error(store, name, code);
        }
    }
    return check_format(store);
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

/* ---- single entries ---- */

struct record_key serin_lmdb_text_key(const char *text)
{
    struct record_key key = {.size = strlen(text)};
    SERIN_ASSERT(key.size <= sizeof key.bytes);
    memcpy(key.bytes, text, key.size);
    return key;
}

enum serin_error serin_lmdb_find(struct serin_lmdb_store *store, size_t table,
                                 const struct record_key *key, MDB_val *found)
{
    SERIN_ASSERT(store->txn != NULL);
    if (store->failed != SERIN_OK) {
        return store->failed;
    }
    struct record_key copy = *key; /* LMDB wants keys that are not const */
    MDB_val at = {.mv_size = copy.size, .mv_data = copy.bytes};
    int code = mdb_get(store->txn, store->tables[table], &at, found);
    return serin_lmdb_error(store, store->schema->table_names[table], code);
}

enum serin_error serin_lmdb_spoil(struct serin_lmdb_store *store, enum serin_error error)
{
    if (store->failed == SERIN_OK) {
        store->failed = error;
    }
    return store->failed;
}

enum serin_error serin_lmdb_put(struct serin_lmdb_store *store, size_t table,
                                const struct record_key *key, const void *data, size_t size)
{
    SERIN_ASSERT(store->txn != NULL && store->writing && size <= RECORD_MAX);
    if (store->failed != SERIN_OK) {
        return store->failed;
    }
    struct record_key copy = *key;
    MDB_val at = {.mv_size = copy.size, .mv_data = copy.bytes};
    MDB_val value = {.mv_size = size, .mv_data = NULL};
    /* LMDB wants values that are not const either: it makes the room, and the bytes go there. */
    int code = mdb_put(store->txn, store->tables[table], &at, &value, MDB_RESERVE);
    if (code == MDB_SUCCESS && size > 0) {
        memcpy(value.mv_data, data, size);
    }
    return serin_lmdb_spoil(store,
                            serin_lmdb_error(store, store->schema->table_names[table], code));
}

enum serin_error serin_lmdb_delete(struct serin_lmdb_store *store, size_t table,
                                   const struct record_key *key)
{
    SERIN_ASSERT(store->txn != NULL && store->writing);
    if (store->failed != SERIN_OK) {
        return store->failed;
    }
    struct record_key copy = *key;
    MDB_val at = {.mv_size = copy.size, .mv_data = copy.bytes};
    int code = mdb_del(store->txn, store->tables[table], &at, NULL);
    enum serin_error error = serin_lmdb_error(store, store->schema->table_names[table], code);
    return error == SERIN_ERR_NOT_FOUND ? error : serin_lmdb_spoil(store, error);
}

/* ---- open and close ---- */

enum serin_error serin_lmdb_env_open(struct serin_lmdb_store *store,
                                     const struct serin_lmdb_schema *schema, const char *folder,
                                     uint64_t map_size_bytes)
{
    SERIN_ASSERT(schema->table_count <= LMDB_TABLES_MAX);
    store->schema = schema;
    store->lock_fd = -1;
    store->map_size_bytes = map_size_bytes;
    enum serin_error error = serin_text_copy(store->folder, sizeof store->folder, folder);
    if (error == SERIN_OK) {
        error = take_folder(store);
    }
    return error == SERIN_OK ? bring_up(store) : error;
}

void serin_lmdb_env_close(struct serin_lmdb_store *store)
{
    if (store->txn != NULL) {
        serin_lmdb_abort(store);
    }
    take_down(store);
    if (store->lock_fd >= 0) {
        (void)close(store->lock_fd); /* and with it the lock */
    }
}
