/*
 * What stands in the depot, and its budget (docs/spec/site.md, section 5): the account is kept here
 * because a file system's own word on use is late or off.
 */
#include "bytes_internal.h"

#include <serin/adapters/log.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define DISK_MARGIN 262144u /* left free for others, such as the gateway's own store */

/* ---- entries ---- */

static bool entry_place(const struct gateway_bytes *bytes, const uint8_t *name, size_t *place)
{
    size_t low = 0, high = bytes->entry_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int side = memcmp(bytes->entries[middle].name, name, SERIN_SHA256_SIZE);
        if (side == 0) {
            *place = middle;
            return true;
        }
        low = side < 0 ? middle + 1 : low;
        high = side < 0 ? high : middle;
    }
    *place = low;
    return false;
}

struct bytes_entry *bytes_entry_find(struct gateway_bytes *bytes, const uint8_t *name)
{
    size_t place;
    return entry_place(bytes, name, &place) ? &bytes->entries[place] : NULL;
}

static void entry_forget(struct gateway_bytes *bytes, size_t place)
{
    bytes->entry_count--;
    memmove(bytes->entries + place, bytes->entries + place + 1,
            (bytes->entry_count - place) * sizeof *bytes->entries);
}

bool bytes_remove(struct gateway *gateway, const uint8_t *name)
{
    size_t place;
    enum serin_error error = serin_depot_remove(gateway->bytes->depot, name);
    if (error != SERIN_OK && error != SERIN_ERR_NOT_FOUND) {
        serin_log(SERIN_LOG_WARN, "a file of the depot cannot be removed: %s",
                  serin_error_text(error));
        return false;
    }
    if (entry_place(gateway->bytes, name, &place)) {
        entry_forget(gateway->bytes, place);
    }
    return true;
}

static bool is_pinned(const struct gateway_bytes *bytes, const struct bytes_entry *entry)
{
    return bytes->blind || bytes_offer_find(bytes, entry->name) != NULL ||
           serin_fill_active(&bytes->fill, entry->name);
}

/* The clock of use: the wall clock of the start, and monotonic from there. */
static uint64_t use_s(const struct gateway *gateway)
{
    return gateway->bytes->start_s + (gateway->mono_ms - gateway->started_ms) / 1000u;
}

void bytes_touch(struct gateway *gateway, const uint8_t *name)
{
    struct bytes_entry *entry = bytes_entry_find(gateway->bytes, name);
    if (entry != NULL) {
        entry->used_s = use_s(gateway);
    }
}

static bool drop_oldest(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    const struct bytes_entry *oldest = NULL;
    for (size_t i = 0; i < bytes->entry_count; i++) {
        const struct bytes_entry *entry = &bytes->entries[i];
        if ((oldest == NULL || entry->used_s < oldest->used_s) && !is_pinned(bytes, entry)) {
            oldest = entry;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    uint8_t name[SERIN_SHA256_SIZE];
    memcpy(name, oldest->name, sizeof name);
    return bytes_remove(gateway, name);
}

struct bytes_entry *bytes_entry_add(struct gateway *gateway, const uint8_t *name,
                                    enum serin_depot_kind kind)
{
    struct gateway_bytes *bytes = gateway->bytes;
    size_t place;
    assert(bytes->entries != NULL);
    if (!entry_place(bytes, name, &place)) {
        if (bytes->entry_count == BYTES_ENTRIES_MAX && !drop_oldest(gateway)) {
            return NULL;
        }
        (void)entry_place(bytes, name, &place);
        memmove(bytes->entries + place + 1, bytes->entries + place,
                (bytes->entry_count - place) * sizeof *bytes->entries);
        bytes->entries[place] = (struct bytes_entry){.kind = kind};
        memcpy(bytes->entries[place].name, name, SERIN_SHA256_SIZE);
        bytes->entry_count++;
    }
    struct bytes_entry *entry = &bytes->entries[place];
    entry->kind = kind;
    entry->used_s = use_s(gateway);
    return entry;
}

/* ---- scanning ---- */

static bool scan_file(void *ctx, const struct serin_depot_entry *file)
{
    struct gateway *gateway = ctx;
    struct bytes_entry *entry = bytes_entry_find(gateway->bytes, file->name);
    if (entry == NULL) {
        entry = bytes_entry_add(gateway, file->name, file->kind);
        if (entry == NULL) {
            return true; /* everything else is pinned */
        }
        uint64_t now_s = entry->used_s;
        entry->used_s = file->used_s < now_s ? file->used_s : now_s;
    } else if (entry->seen) {
        return true; /* beside the object, a part file that a full one took the place of */
    }
    entry->seen = true;
    entry->kind = file->kind;
    entry->disk = file->disk_bytes;
    entry->promised = entry->promised > entry->disk ? entry->promised : entry->disk;
    if (file->kind != SERIN_DEPOT_PART || !serin_fill_active(&gateway->bytes->fill, file->name)) {
        entry->promised = entry->disk;
    }
    return true;
}

enum serin_error bytes_scan(struct gateway *gateway)
{
    struct gateway_bytes *bytes = gateway->bytes;
    for (size_t i = 0; i < bytes->entry_count; i++) {
        bytes->entries[i].seen = false;
    }
    enum serin_error error = serin_depot_each(bytes->depot, scan_file, gateway);
    for (size_t i = 0; error == SERIN_OK && i < bytes->entry_count;) {
        if (bytes->entries[i].seen) {
            i++;
        } else {
            entry_forget(bytes, i);
        }
    }
    return error;
}

uint64_t bytes_on_disk(const struct gateway_bytes *bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes->entry_count; i++) {
        sum += bytes->entries[i].disk;
    }
    return sum;
}

uint32_t bytes_whole_files(const struct gateway_bytes *bytes)
{
    uint32_t count = 0;
    for (size_t i = 0; i < bytes->entry_count; i++) {
        count += bytes->entries[i].kind != SERIN_DEPOT_PART ? 1u : 0u;
    }
    return count;
}

/* ---- room ---- */

/* What the depot may take: its budget, or what the disk has room for where that is less. */
static uint64_t budget_now(const struct gateway *gateway)
{
    struct statvfs disk;
    uint64_t budget = gateway->config->depot_budget_bytes;
    if (statvfs(gateway->config->depot_dir, &disk) != 0) {
        return budget;
    }
    uint64_t left = (uint64_t)disk.f_bavail * disk.f_frsize;
    left = left > DISK_MARGIN ? left - DISK_MARGIN : 0;
    uint64_t used = bytes_on_disk(gateway->bytes);
    return used + left < budget ? used + left : budget;
}

enum serin_error bytes_room(struct gateway *gateway, uint64_t needed)
{
    struct gateway_bytes *bytes = gateway->bytes;
    size_t count = bytes->entry_count;
    struct serin_evict_entry *entries = calloc(count > 0 ? count : 1, sizeof *entries);
    uint8_t(*names)[SERIN_SHA256_SIZE] = calloc(count > 0 ? count : 1, sizeof *names);
    enum serin_error error = SERIN_ERR_MEMORY;
    if (entries != NULL && names != NULL) {
        for (size_t i = 0; i < count; i++) {
            const struct bytes_entry *entry = &bytes->entries[i];
            memcpy(names[i], entry->name, SERIN_SHA256_SIZE);
            entries[i] = (struct serin_evict_entry){
                .bytes = entry->promised, .used = entry->used_s, .pinned = is_pinned(bytes, entry)};
        }
        error = serin_evict(entries, count, budget_now(gateway), needed) ? SERIN_OK
                                                                         : SERIN_ERR_NO_SPACE;
        for (size_t i = 0; i < count; i++) {
            if (entries[i].goes) {
                (void)bytes_remove(gateway, names[i]);
            }
        }
    }
    free(entries);
    free(names);
    if (error != SERIN_OK && bytes->blind && !bytes->missed) {
        bytes->missed = true;
        bytes->minute_ms = gateway->mono_ms;
    }
    return error;
}

/* ---- memory for what the disk has no room for ---- */

const struct bytes_spare *bytes_spare_find(const struct gateway_bytes *bytes, const uint8_t *name)
{
    for (size_t i = 0; i < BYTES_SPARES_MAX; i++) {
        const struct bytes_spare *spare = &bytes->spares[i];
        if (spare->data != NULL && memcmp(spare->name, name, SERIN_SHA256_SIZE) == 0) {
            return spare;
        }
    }
    return NULL;
}

static void spare_free(struct bytes_spare *spare)
{
    free(spare->data);
    *spare = (struct bytes_spare){.data = NULL};
}

void bytes_spare_drop(struct gateway_bytes *bytes, const uint8_t *name)
{
    for (size_t i = 0; i < BYTES_SPARES_MAX; i++) {
        if (bytes->spares[i].data != NULL &&
            memcmp(bytes->spares[i].name, name, SERIN_SHA256_SIZE) == 0) {
            spare_free(&bytes->spares[i]);
        }
    }
}

/* Whether the planner works with it: without it, it would be fetched again at once. */
static bool spare_is_needed(const struct gateway_bytes *bytes, const struct bytes_spare *spare)
{
    for (size_t i = 0; i < bytes->offer_count && !spare->manifest; i++) {
        const struct bytes_offer *offer = &bytes->offers[i];
        if (offer->sort == BYTES_IMAGE &&
            memcmp(offer->under, spare->name, SERIN_SHA256_SIZE) == 0 &&
            serin_fill_active(&bytes->fill, offer->name)) {
            return true;
        }
    }
    return false;
}

/* What manifests or tables take: those that stay, and all of them. */
struct spare_sums {
    uint32_t count, bytes, needed_count, needed_bytes;
    size_t oldest; /* that may go; BYTES_SPARES_MAX: none */
};

static void spare_sum(const struct gateway_bytes *bytes, bool manifest, struct spare_sums *sums)
{
    *sums = (struct spare_sums){.oldest = BYTES_SPARES_MAX};
    for (size_t i = 0; i < BYTES_SPARES_MAX; i++) {
        const struct bytes_spare *spare = &bytes->spares[i];
        if (spare->data == NULL || spare->manifest != manifest) {
            continue;
        }
        bool needed = spare_is_needed(bytes, spare);
        sums->count++;
        sums->bytes += spare->size;
        sums->needed_count += needed ? 1u : 0u;
        sums->needed_bytes += needed ? spare->size : 0u;
        if (!needed &&
            (sums->oldest == BYTES_SPARES_MAX || spare->turn < bytes->spares[sums->oldest].turn)) {
            sums->oldest = i;
        }
    }
}

static bool spare_fits(const struct gateway_bytes *bytes, bool manifest, uint32_t count,
                       uint32_t taken, uint32_t size)
{
    uint32_t most = manifest ? BYTES_SPARES_MAX - BYTES_SPARE_TABLES : BYTES_SPARE_TABLES;
    uint64_t all = (uint64_t)taken + size;
    return count < most && (manifest ? size <= SERIN_MANIFEST_MAX : all <= bytes->spare_bytes);
}

bool bytes_spare_room(const struct gateway_bytes *bytes, bool manifest, uint32_t size)
{
    struct spare_sums sums;
    spare_sum(bytes, manifest, &sums);
    return spare_fits(bytes, manifest, sums.needed_count, sums.needed_bytes, size);
}

bool bytes_spare_keep(struct gateway_bytes *bytes, const uint8_t *name, bool manifest,
                      const uint8_t *data, uint32_t size)
{
    const struct bytes_spare *kept = bytes_spare_find(bytes, name);
    if (kept != NULL && kept->data == data) {
        return true;
    }
    bytes_spare_drop(bytes, name);
    if (!bytes_spare_room(bytes, manifest, size)) {
        return false;
    }
    struct spare_sums sums;
    spare_sum(bytes, manifest, &sums);
    while (sums.oldest < BYTES_SPARES_MAX &&
           !spare_fits(bytes, manifest, sums.count, sums.bytes, size)) {
        spare_free(&bytes->spares[sums.oldest]);
        spare_sum(bytes, manifest, &sums);
    }
    struct bytes_spare *place = bytes->spares;
    while (place->data != NULL) {
        place++; /* there is one: the places are as many as manifests and tables may be */
    }
    place->data = malloc(size > 0 ? size : 1);
    if (place->data == NULL) {
        return false;
    }
    memcpy(place->data, data, size);
    memcpy(place->name, name, SERIN_SHA256_SIZE);
    place->size = size;
    place->manifest = manifest;
    place->turn = ++bytes->turn;
    return true;
}

enum serin_error bytes_read(struct gateway *gateway, const uint8_t *name, uint8_t *out,
                            uint32_t capacity, uint32_t *size)
{
    struct gateway_bytes *bytes = gateway->bytes;
    const struct bytes_spare *spare = bytes_spare_find(bytes, name);
    enum serin_error error = SERIN_OK;
    if (spare != NULL) {
        *size = spare->size;
    } else {
        error = serin_depot_size(bytes->depot, name, size);
    }
    if (error == SERIN_OK && *size > capacity) {
        error = SERIN_ERR_TOO_LARGE;
    }
    if (error == SERIN_OK && spare != NULL) {
        memcpy(out, spare->data, spare->size);
    } else if (error == SERIN_OK) {
        error = serin_depot_read(bytes->depot, name, 0, out, *size);
    }
    return error;
}
