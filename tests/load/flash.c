/* Flash in memory whose equal pages exist once (flash.h). */
#include "flash.h"

#include <serin/assert.h>
#include <serin/crc32.h>

#include <stdlib.h>
#include <string.h>

#define ERASED       0xFFu
#define BUCKET_COUNT 4096u /* a power of two; images of a few releases have as many pages */

struct page {
    struct page *next; /* in its bucket; shared pages only */
    uint32_t users;
    uint32_t crc;
    bool shared; /* in the pool's table: never written again */
    uint8_t bytes[LOAD_PAGE_SIZE];
};

struct load_pool {
    size_t pages;
    struct page *buckets[BUCKET_COUNT];
};

struct load_flash {
    struct serin_flash port;
    struct load_pool *pool;
    struct page *pages[]; /* NULL: erased */
};

/* ---- pages ---- */

static struct page *page_new(struct load_pool *pool, const struct page *content)
{
    struct page *page = malloc(sizeof *page);
    if (page == NULL) {
        return NULL;
    }
    *page = (struct page){.users = 1};
    if (content != NULL) {
        memcpy(page->bytes, content->bytes, LOAD_PAGE_SIZE);
    } else {
        memset(page->bytes, ERASED, LOAD_PAGE_SIZE);
    }
    pool->pages++;
    return page;
}

static void page_unlink(struct load_pool *pool, const struct page *page)
{
    struct page **place = &pool->buckets[page->crc % BUCKET_COUNT];
    while (*place != page) {
        place = &(*place)->next;
    }
    *place = page->next;
}

static void page_drop(struct load_pool *pool, struct page *page)
{
    if (page == NULL || --page->users > 0) {
        return;
    }
    if (page->shared) {
        page_unlink(pool, page);
    }
    free(page);
    pool->pages--;
}

/* The page of `place` as one that may be written: its flash's alone. NULL: no memory. */
static struct page *page_own(struct load_pool *pool, struct page **place)
{
    struct page *page = *place;
    if (page != NULL && page->users == 1 && !page->shared) {
        return page;
    }
    struct page *own = page_new(pool, page);
    if (own != NULL) {
        page_drop(pool, page);
        *place = own;
    }
    return own;
}

/* Gives up the page of `place` for an equal one, or makes it the one that others will find. */
static void page_share(struct load_pool *pool, struct page **place)
{
    struct page *page = *place;
    page->crc = serin_crc32(0, page->bytes, LOAD_PAGE_SIZE);
    struct page **bucket = &pool->buckets[page->crc % BUCKET_COUNT];
    for (struct page *other = *bucket; other != NULL; other = other->next) {
        if (other->crc == page->crc && memcmp(other->bytes, page->bytes, LOAD_PAGE_SIZE) == 0) {
            other->users++;
            *place = other;
            page_drop(pool, page);
            return;
        }
    }
    page->shared = true;
    page->next = *bucket;
    *bucket = page;
}

/* ---- the port ---- */

static bool inside(const struct load_flash *flash, uint32_t address, size_t size)
{
    return address <= flash->port.size_bytes && size <= flash->port.size_bytes - address;
}

/* Bytes from `address` to the end of its page, `size` at most. */
static size_t part_of_page(uint32_t address, size_t size)
{
    size_t left = LOAD_PAGE_SIZE - address % LOAD_PAGE_SIZE;
    return size < left ? size : left;
}

static enum serin_error flash_read(void *ctx, uint32_t address, void *out, size_t size)
{
    const struct load_flash *flash = ctx;
    uint8_t *bytes = out;
    if (!inside(flash, address, size)) {
        return SERIN_ERR_FLASH;
    }
    while (size > 0) {
        const struct page *page = flash->pages[address / LOAD_PAGE_SIZE];
        size_t part = part_of_page(address, size);
        if (page == NULL) {
            memset(bytes, ERASED, part);
        } else {
            memcpy(bytes, page->bytes + address % LOAD_PAGE_SIZE, part);
        }
        address += (uint32_t)part;
        bytes += part;
        size -= part;
    }
    return SERIN_OK;
}

static bool erased(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != ERASED) {
            return false;
        }
    }
    return true;
}

static enum serin_error program_part(struct load_flash *flash, uint32_t address,
                                     const uint8_t *data, size_t size)
{
    struct page **place = &flash->pages[address / LOAD_PAGE_SIZE];
    uint32_t offset = address % LOAD_PAGE_SIZE;
    if (*place != NULL && !erased((*place)->bytes + offset, size)) {
        return SERIN_ERR_FLASH;
    }
    struct page *page = page_own(flash->pool, place);
    if (page == NULL) {
        return SERIN_ERR_FLASH;
    }
    memcpy(page->bytes + offset, data, size);
    if (offset + size == LOAD_PAGE_SIZE) {
        page_share(flash->pool, place);
    }
    return SERIN_OK;
}

static enum serin_error flash_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    struct load_flash *flash = ctx;
    const uint8_t *bytes = data;
    enum serin_error error = SERIN_OK;
    if (size == 0 || address % LOAD_FLASH_WRITE_UNIT != 0 || size % LOAD_FLASH_WRITE_UNIT != 0 ||
        !inside(flash, address, size)) {
        return SERIN_ERR_FLASH;
    }
    while (size > 0 && error == SERIN_OK) {
        size_t part = part_of_page(address, size);
        error = program_part(flash, address, bytes, part);
        address += (uint32_t)part;
        bytes += part;
        size -= part;
    }
    return error;
}

static enum serin_error flash_erase(void *ctx, uint32_t address, size_t size)
{
    struct load_flash *flash = ctx;
    if (size == 0 || address % LOAD_PAGE_SIZE != 0 || size % LOAD_PAGE_SIZE != 0 ||
        !inside(flash, address, size)) {
        return SERIN_ERR_FLASH;
    }
    for (size_t i = 0; i < size / LOAD_PAGE_SIZE; i++) {
        struct page **place = &flash->pages[address / LOAD_PAGE_SIZE + i];
        page_drop(flash->pool, *place);
        *place = NULL;
    }
    return SERIN_OK;
}

static const struct serin_flash_ops flash_ops = {
    .read = flash_read, .program = flash_program, .erase = flash_erase};

/* ---- opening ---- */

enum serin_error load_pool_open(struct load_pool **pool)
{
    *pool = calloc(1, sizeof **pool);
    return *pool != NULL ? SERIN_OK : SERIN_ERR_MEMORY;
}

void load_pool_close(struct load_pool *pool)
{
    SERIN_ASSERT(pool == NULL || pool->pages == 0);
    free(pool);
}

size_t load_pool_pages(const struct load_pool *pool)
{
    return pool->pages;
}

enum serin_error load_flash_open(struct load_flash **flash, struct load_pool *pool,
                                 uint32_t size_bytes)
{
    *flash = NULL;
    if (size_bytes == 0 || size_bytes % LOAD_PAGE_SIZE != 0 || size_bytes > SERIN_FLASH_SIZE_MAX) {
        return SERIN_ERR_INVALID;
    }
    size_t count = size_bytes / LOAD_PAGE_SIZE;
    struct load_flash *made = calloc(1, sizeof *made + count * sizeof(struct page *));
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    made->pool = pool;
    made->port = (struct serin_flash){.ops = &flash_ops,
                                      .ctx = made,
                                      .size_bytes = size_bytes,
                                      .sector_size = LOAD_PAGE_SIZE,
                                      .write_unit = LOAD_FLASH_WRITE_UNIT,
                                      .erased_value = ERASED};
    *flash = made;
    return SERIN_OK;
}

enum serin_error load_flash_copy(struct load_flash **copy, const struct load_flash *flash)
{
    enum serin_error error = load_flash_open(copy, flash->pool, flash->port.size_bytes);
    if (error != SERIN_OK) {
        return error;
    }
    for (size_t i = 0; i < flash->port.size_bytes / LOAD_PAGE_SIZE; i++) {
        (*copy)->pages[i] = flash->pages[i];
        if (flash->pages[i] != NULL) {
            flash->pages[i]->users++;
        }
    }
    return SERIN_OK;
}

void load_flash_close(struct load_flash *flash)
{
    if (flash == NULL) {
        return;
    }
    for (size_t i = 0; i < flash->port.size_bytes / LOAD_PAGE_SIZE; i++) {
        page_drop(flash->pool, flash->pages[i]);
    }
    free(flash);
}

const struct serin_flash *load_flash_port(const struct load_flash *flash)
{
    return &flash->port;
}
