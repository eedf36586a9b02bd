/* The index of patches, a file (serin/adapters/patches.h). */
#include "internal.h"

#include <serin/adapters/atomicfile.h>
#include <serin/bytes.h>
#include <serin/crc32.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_SIZE  16u
#define ENTRY_SIZE 136u
#define FORMAT     1u

#define AT_TARGET 32u
#define AT_OBJECT 64u
#define AT_PIECES 96u
#define AT_SIZE   128u
#define AT_ASKED  132u
#define AT_MADE   133u

_Static_assert(AT_MADE + 3u == ENTRY_SIZE, "two bytes of zero end an entry");

static const uint8_t magic[4] = {'S', 'R', 'N', 'I'};

/* ---- codec ---- */

static void encode(const struct serin_patches_entry *entry, uint8_t *out)
{
    memset(out, 0, ENTRY_SIZE);
    memcpy(out, entry->key.base, SERIN_SHA256_SIZE);
    memcpy(out + AT_TARGET, entry->key.target, SERIN_SHA256_SIZE);
    memcpy(out + AT_OBJECT, entry->object, SERIN_SHA256_SIZE);
    memcpy(out + AT_PIECES, entry->pieces_sha256, SERIN_SHA256_SIZE);
    serin_put_le32(out + AT_SIZE, entry->size_bytes);
    out[AT_ASKED] = (uint8_t)entry->key.backend;
    out[AT_MADE] = (uint8_t)entry->backend;
}

static void decode(const uint8_t *in, struct serin_patches_entry *entry)
{
    memcpy(entry->key.base, in, SERIN_SHA256_SIZE);
    memcpy(entry->key.target, in + AT_TARGET, SERIN_SHA256_SIZE);
    memcpy(entry->object, in + AT_OBJECT, SERIN_SHA256_SIZE);
    memcpy(entry->pieces_sha256, in + AT_PIECES, SERIN_SHA256_SIZE);
    entry->size_bytes = serin_get_le32(in + AT_SIZE);
    entry->key.backend = (enum serin_delta_backend)in[AT_ASKED];
    entry->backend = (enum serin_delta_backend)in[AT_MADE];
}

static bool sound(const uint8_t *bytes, size_t size)
{
    if (size < HEAD_SIZE || memcmp(bytes, magic, sizeof magic) != 0 ||
        serin_get_le32(bytes + 4) != FORMAT) {
        return false;
    }
    uint32_t count = serin_get_le32(bytes + 8);
    return count <= SERIN_PATCHES_INDEX_MAX && size == HEAD_SIZE + (size_t)count * ENTRY_SIZE &&
           serin_get_le32(bytes + 12) == serin_crc32(0, bytes + HEAD_SIZE, size - HEAD_SIZE);
}

/* ---- the file ---- */

/* Reads as much as an index may have, and a byte more, which tells one that is too long. */
static enum serin_error slurp(const char *path, uint8_t *bytes, size_t room, size_t *size)
{
    *size = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return errno == ENOENT ? SERIN_OK : SERIN_ERR_IO;
    }
    *size = fread(bytes, 1, room, file);
    enum serin_error error = ferror(file) ? SERIN_ERR_IO : SERIN_OK;
    (void)fclose(file);
    return error;
}

enum serin_error patches_index_read(struct serin_patches *patches)
{
    size_t room = HEAD_SIZE + (size_t)SERIN_PATCHES_INDEX_MAX * ENTRY_SIZE + 1;
    uint8_t *bytes = malloc(room);
    if (bytes == NULL) {
        return SERIN_ERR_MEMORY;
    }
    size_t size = 0;
    enum serin_error error = slurp(patches->config.index_file, bytes, room, &size);
    if (error == SERIN_OK && sound(bytes, size)) {
        patches->entry_count = serin_get_le32(bytes + 8);
        for (size_t i = 0; i < patches->entry_count; i++) {
            decode(bytes + HEAD_SIZE + i * ENTRY_SIZE, &patches->entries[i]);
        }
    }
    free(bytes);
    return error;
}

/* Writes beside the file and renames: a cut leaves the old index or the new one. */
static enum serin_error write_file(const char *path, const uint8_t *bytes, size_t size)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    int length = slash == NULL
                     ? snprintf(folder, sizeof folder, ".")
                     : snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path);
    char temporary[NAME_MAX + 1];
    int wide = snprintf(temporary, sizeof temporary, "%s.tmp", name);
    if (length < 0 || (size_t)length >= sizeof folder || wide < 0 ||
        (size_t)wide >= sizeof temporary) {
        return SERIN_ERR_IO;
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return SERIN_ERR_IO;
    }
    enum serin_error error = serin_atomicfile_write(fd, temporary, fd, name, bytes, size);
    (void)close(fd);
    return error;
}

static enum serin_error write_index(const struct serin_patches *patches)
{
    size_t size = HEAD_SIZE + patches->entry_count * ENTRY_SIZE;
    uint8_t *bytes = malloc(size);
    if (bytes == NULL) {
        return SERIN_ERR_MEMORY;
    }
    for (size_t i = 0; i < patches->entry_count; i++) {
        encode(&patches->entries[i], bytes + HEAD_SIZE + i * ENTRY_SIZE);
    }
    memcpy(bytes, magic, sizeof magic);
    serin_put_le32(bytes + 4, FORMAT);
    serin_put_le32(bytes + 8, (uint32_t)patches->entry_count);
    serin_put_le32(bytes + 12, serin_crc32(0, bytes + HEAD_SIZE, size - HEAD_SIZE));
    enum serin_error error = write_file(patches->config.index_file, bytes, size);
    free(bytes);
    return error;
}

static void drop(struct serin_patches *patches, size_t index)
{
    patches->entry_count--;
    memmove(&patches->entries[index], &patches->entries[index + 1],
            (patches->entry_count - index) * sizeof patches->entries[0]);
}

enum serin_error patches_index_add(struct serin_patches *patches,
                                   const struct serin_patches_entry *entry)
{
    for (size_t i = 0; i < patches->entry_count; i++) {
        if (patches_same_key(&patches->entries[i].key, &entry->key)) {
            drop(patches, i);
            break;
        }
    }
    if (patches->entry_count == SERIN_PATCHES_INDEX_MAX) {
        drop(patches, 0);
    }
    patches->entries[patches->entry_count++] = *entry;
    return write_index(patches);
}
