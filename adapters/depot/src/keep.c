/*
 * Keeping a budget: what is in the depot, and taking it out (docs/spec/depot.md, section 5).
 */
#include "shared.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum serin_error serin_depot_remove(struct serin_depot *depot, const uint8_t name[32])
{
    assert(depot->crypto != NULL);
    enum serin_error error = SERIN_ERR_NOT_FOUND;
    for (enum depot_shelf shelf = DEPOT_SHELF_OBJECTS; shelf < DEPOT_SHELF_COUNT; shelf++) {
        char path[DEPOT_PATH_SIZE];
        depot_path(shelf, name, path);
        if (unlinkat(depot->root_fd, path, 0) == 0) {
            error = error == SERIN_ERR_NOT_FOUND ? SERIN_OK : error;
        } else if (errno != ENOENT) {
            error = SERIN_ERR_IO;
        }
    }
    /* The space is free only when no open file holds it. */
    depot_cache_forget(&depot->cache, name);
    depot_cache_forget(&depot->parts, name);
    return error;
}

struct walk {
    bool (*visit)(void *ctx, const struct serin_depot_entry *entry);
    void *ctx;
    enum serin_depot_kind kind;
    bool stopped;
};

/* Whether a file's name is one of a depot's: its hex digits, as this code writes them. */
static bool read_name(const char *text, uint8_t name[SERIN_SHA256_SIZE])
{
    char again[SERIN_SHA256_HEX_SIZE];
    if (strlen(text) != SERIN_SHA256_HEX_SIZE - 1 ||
        serin_hex_decode(text, name, SERIN_SHA256_SIZE) != SERIN_OK) {
        return false;
    }
    serin_hex_encode(name, SERIN_SHA256_SIZE, again);
    return strcmp(text, again) == 0;
}

static uint64_t later_of(const struct stat *status)
{
    time_t later = status->st_atime > status->st_mtime ? status->st_atime : status->st_mtime;
    return later > 0 ? (uint64_t)later : 0;
}

/* `shard`: its two digits, which the names in it begin with; or "". */
static enum serin_error walk_folder(struct walk *walk, int parent_fd, const char *folder,
                                    const char *shard)
{
    int fd = openat(parent_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        bool missing = fd < 0 && (errno == ENOENT || errno == ENOTDIR);
        if (fd >= 0) {
            (void)close(fd);
        }
        return missing ? SERIN_OK : SERIN_ERR_IO;
    }
    const struct dirent *file;
    while (!walk->stopped && (file = readdir(dir)) != NULL) {
        struct serin_depot_entry entry = {.kind = walk->kind};
        struct stat status;
        if (strncmp(file->d_name, shard, strlen(shard)) != 0 ||
            !read_name(file->d_name, entry.name) ||
            fstatat(dirfd(dir), file->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(status.st_mode)) {
            continue;
        }
        entry.disk_bytes = (uint64_t)status.st_blocks * 512u;
        entry.used_s = later_of(&status);
        walk->stopped = !walk->visit(walk->ctx, &entry);
    }
    (void)closedir(dir);
    return SERIN_OK;
}

enum serin_error serin_depot_each(struct serin_depot *depot,
                                  bool (*visit)(void *ctx, const struct serin_depot_entry *entry),
                                  void *ctx)
{
    assert(depot->crypto != NULL);
    struct walk walk = {.visit = visit, .ctx = ctx, .kind = SERIN_DEPOT_OBJECT};
    enum serin_error error = SERIN_OK;
    for (unsigned i = 0; i < 256 && error == SERIN_OK && !walk.stopped; i++) {
        const uint8_t first = (uint8_t)i;
        char shard[3];
        serin_hex_encode(&first, 1, shard);
        error = walk_folder(&walk, depot->objects_fd, shard, shard);
    }
    walk.kind = SERIN_DEPOT_MANIFEST;
    if (error == SERIN_OK && !walk.stopped) {
        error = walk_folder(&walk, depot->root_fd, "manifests", "");
    }
    walk.kind = SERIN_DEPOT_PART;
    if (error == SERIN_OK && !walk.stopped) {
        error = walk_folder(&walk, depot->root_fd, "partial", "");
    }
    return error;
}
