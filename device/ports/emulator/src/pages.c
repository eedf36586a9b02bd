/* Copy-on-write pages of flash; copies, snapshots and fingerprints, which share them. */
#include "emulator_internal.h"

#include <serin/assert.h>

#include <stdlib.h>
#include <string.h>

struct serin_flash_snapshot {
    struct serin_flash_emulator_config config;
    struct emulator_state state;
    uint32_t page_count, sector_count;
    struct page **pages;
    uint32_t *wear;
};

/* ---- pages ---- */

static struct page *page_allocate(const struct serin_flash_emulator *emulator)
{
    size_t wounds = emulator->page_units * sizeof(struct wound);
    struct page *page =
        malloc(sizeof *page + wounds + emulator->page_units + 2u * (size_t)emulator->page_bytes);
    if (page == NULL) {
        return NULL;
    }
    uint8_t *room = (uint8_t *)(page + 1);
    page->wounds = (struct wound *)(void *)room; /* of bytes alone: any address will do */
    page->states = room + wounds;
    page->bytes = page->states + emulator->page_units;
    page->loose = page->bytes + emulator->page_bytes;
    return page;
}

static struct page *page_make(struct serin_flash_emulator *emulator)
{
    struct page *page = emulator->spare_count > 0 ? emulator->spare[--emulator->spare_count]
                                                  : page_allocate(emulator);
    if (page != NULL) {
        atomic_init(&page->users, 1u);
        atomic_init(&page->fingerprint, 0u);
        page->torn = 0;
    }
    return page;
}

static struct page *page_share(struct page *page)
{
    if (page != NULL) {
        atomic_fetch_add_explicit(&page->users, 1u, memory_order_relaxed);
    }
    return page;
}

static bool page_unused(struct page *page)
{
    return page != NULL && atomic_fetch_sub_explicit(&page->users, 1u, memory_order_acq_rel) == 1u;
}

static void page_drop(struct serin_flash_emulator *emulator, struct page *page)
{
    if (!page_unused(page)) {
        return;
    }
    if (emulator->spare_count < EMULATOR_SPARE) {
        emulator->spare[emulator->spare_count++] = page;
    } else {
        free(page);
    }
}

static struct page *page_erased(struct serin_flash_emulator *emulator)
{
    struct page *page = page_make(emulator);
    if (page != NULL) {
        memset(page->wounds, 0, emulator->page_units * sizeof *page->wounds);
        memset(page->states, UNIT_ERASED, emulator->page_units);
        memset(page->bytes, emulator->config.erased_value, emulator->page_bytes);
        memset(page->loose, 0, emulator->page_bytes);
    }
    return page;
}

static struct page *page_copy(struct serin_flash_emulator *emulator, const struct page *from)
{
    struct page *page = page_make(emulator);
    if (page != NULL) {
        page->torn = from->torn;
        memcpy(page->wounds, from->wounds, emulator->page_units * sizeof *page->wounds);
        memcpy(page->states, from->states, emulator->page_units);
        memcpy(page->bytes, from->bytes, emulator->page_bytes);
        memcpy(page->loose, from->loose, emulator->page_bytes);
    }
    return page;
}

struct stretch emulator_stretch(const struct serin_flash_emulator *emulator, uint32_t address,
                                size_t size)
{
    uint32_t index = address / emulator->page_bytes;
    uint32_t offset = address - index * emulator->page_bytes;
    uint32_t left = emulator->page_bytes - offset;
    return (struct stretch){index, offset, size < left ? (uint32_t)size : left};
}

struct page *emulator_own(struct serin_flash_emulator *emulator, uint32_t index)
{
    struct page **entry = &emulator->pages[index];
    if (*entry == NULL) {
        *entry = page_erased(emulator);
    } else if (atomic_load_explicit(&(*entry)->users, memory_order_acquire) > 1u) {
        struct page *own = page_copy(emulator, *entry);
        if (own == NULL) {
            return NULL;
        }
        page_drop(emulator, *entry);
        *entry = own;
    }
    if (*entry != NULL) {
        atomic_store_explicit(&(*entry)->fingerprint, 0u, memory_order_relaxed);
    }
    return *entry;
}

void emulator_drop(struct serin_flash_emulator *emulator, uint32_t index)
{
    page_drop(emulator, emulator->pages[index]);
    emulator->pages[index] = NULL;
}

bool emulator_pages_open(struct serin_flash_emulator *emulator)
{
    emulator->pages = calloc(emulator->page_count, sizeof(struct page *));
    emulator->wear = calloc(emulator->sector_count, sizeof *emulator->wear);
    return emulator->pages != NULL && emulator->wear != NULL;
}

static void drop_all(struct page **pages, uint32_t count)
{
    for (uint32_t i = 0; pages != NULL && i < count; i++) {
        if (page_unused(pages[i])) {
            free(pages[i]);
        }
    }
    free(pages);
}

void emulator_pages_close(struct serin_flash_emulator *emulator)
{
    drop_all(emulator->pages, emulator->page_count);
    free(emulator->wear);
    while (emulator->spare_count > 0) {
        free(emulator->spare[--emulator->spare_count]);
    }
}

/* ---- copies and snapshots ---- */

enum serin_error serin_flash_emulator_copy(struct serin_flash_emulator **copy,
                                           const struct serin_flash_emulator *emulator)
{
    enum serin_error error = serin_flash_emulator_open(copy, &emulator->config);
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_flash_emulator *made = *copy;
    for (uint32_t i = 0; i < emulator->page_count; i++) {
        made->pages[i] = page_share(emulator->pages[i]);
    }
    memcpy(made->wear, emulator->wear, emulator->sector_count * sizeof *made->wear);
    memcpy(made->history, emulator->history, sizeof made->history);
    made->history_begin = emulator->history_begin;
    made->state = emulator->state;
    made->state.off = false;
    serin_flash_emulator_disarm(made);
    return SERIN_OK;
}

enum serin_error serin_flash_emulator_snapshot(const struct serin_flash_emulator *emulator,
                                               struct serin_flash_snapshot **snapshot)
{
    struct serin_flash_snapshot *made = calloc(1, sizeof *made);
    *snapshot = NULL;
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    made->pages = calloc(emulator->page_count, sizeof(struct page *));
    made->wear = malloc(emulator->sector_count * sizeof *made->wear);
    if (made->pages == NULL || made->wear == NULL) {
        serin_flash_snapshot_free(made);
        return SERIN_ERR_MEMORY;
    }
    made->config = emulator->config;
    made->state = emulator->state;
    made->page_count = emulator->page_count;
    made->sector_count = emulator->sector_count;
    for (uint32_t i = 0; i < made->page_count; i++) {
        made->pages[i] = page_share(emulator->pages[i]);
    }
    memcpy(made->wear, emulator->wear, made->sector_count * sizeof *made->wear);
    *snapshot = made;
    return SERIN_OK;
}

static bool same_runs(const struct serin_flash_emulator_config *a,
                      const struct serin_flash_emulator_config *b)
{
    for (uint32_t i = 0; i < SERIN_FLASH_EMULATOR_RUNS; i++) {
        if (a->runs[i].count != b->runs[i].count || a->runs[i].size != b->runs[i].size) {
            return false;
        }
    }
    return true;
}

static bool same_part(const struct serin_flash_emulator_config *a,
                      const struct serin_flash_emulator_config *b)
{
    return a->size_bytes == b->size_bytes && a->sector_size == b->sector_size &&
           a->write_unit == b->write_unit && a->erased_value == b->erased_value &&
           a->ecc == b->ecc && a->programming == b->programming && same_runs(a, b);
}

void serin_flash_emulator_restore(struct serin_flash_emulator *emulator,
                                  const struct serin_flash_snapshot *snapshot)
{
    SERIN_ASSERT(same_part(&emulator->config, &snapshot->config));
    for (uint32_t i = 0; i < snapshot->page_count; i++) {
        if (emulator->pages[i] != snapshot->pages[i]) {
            page_drop(emulator, emulator->pages[i]);
            emulator->pages[i] = page_share(snapshot->pages[i]);
        }
    }
    memcpy(emulator->wear, snapshot->wear, snapshot->sector_count * sizeof *emulator->wear);
    emulator->state = snapshot->state;
    emulator->history_begin = emulator->state.figures.operations;
}

void serin_flash_snapshot_free(struct serin_flash_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    drop_all(snapshot->pages, snapshot->page_count);
    free(snapshot->wear);
    free(snapshot);
}

/* ---- fingerprints ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9FB21C651E98DF25);
    return hash ^ hash >> 35;
}

static uint64_t mix_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (; size >= 8u; size -= 8u, at += 8u) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        hash = mix(hash, word);
    }
    uint64_t rest = size;
    for (; size > 0; size--) {
        rest = rest << 8 | *at++;
    }
    return mix(hash, rest);
}

static bool page_is_erased(const struct serin_flash_emulator *emulator, const struct page *page)
{
    return serin_bytes_all(page->states, emulator->page_units, UNIT_ERASED) &&
           serin_bytes_all(page->bytes, emulator->page_bytes, emulator->config.erased_value);
}

/* Of a page with torn units, without the bytes that nobody will ever read. */
static uint64_t torn_fingerprint(const struct serin_flash_emulator *emulator,
                                 const struct page *page, uint64_t hash)
{
    uint32_t unit = emulator_unit(emulator);
    hash = mix_bytes(hash, page->wounds, emulator->page_units * sizeof *page->wounds);
    hash = mix_bytes(hash, page->loose, emulator->page_bytes);
    for (uint32_t i = 0; i < emulator->page_units; i++) {
        if (page->wounds[i].torn != SERIN_FLASH_TORN_FAULTING) {
            hash = mix_bytes(hash, page->bytes + emulator_unit_offset(emulator, i), unit);
        }
    }
    return hash;
}

/* Never 0, so that 0 can say "not computed"; 1 is an erased page. */
static uint64_t page_fingerprint(const struct serin_flash_emulator *emulator,
                                 const struct page *page)
{
    if (page_is_erased(emulator, page)) {
        return 1;
    }
    uint64_t hash = mix_bytes(0, page->states, emulator->page_units);
    if (page->torn > 0) {
        return torn_fingerprint(emulator, page, hash) | 2u;
    }
    return mix_bytes(hash, page->bytes, emulator->page_bytes) | 2u;
}

static bool is_restless(const struct serin_flash_emulator *emulator, const struct page *page)
{
    for (uint32_t i = 0; page->torn > 0 && i < emulator->page_units; i++) {
        if (page->wounds[i].torn >= SERIN_FLASH_TORN_UNSTABLE) {
            return true;
        }
    }
    return false;
}

uint64_t serin_flash_emulator_fingerprint(const struct serin_flash_emulator *emulator)
{
    uint64_t sum = mix(0, emulator->state.noise);
    bool restless = false;
    for (uint32_t i = 0; i < emulator->page_count; i++) {
        struct page *page = emulator->pages[i];
        if (page == NULL) {
            continue;
        }
        uint64_t hash = atomic_load_explicit(&page->fingerprint, memory_order_relaxed);
        if (hash == 0) {
            hash = page_fingerprint(emulator, page);
            atomic_store_explicit(&page->fingerprint, hash, memory_order_relaxed);
        }
        sum += hash == 1u ? 0 : mix(hash, i + 1u);
        restless = restless || is_restless(emulator, page);
    }
    return restless ? mix(sum, emulator->state.jitter) : sum;
}
