/* Sectors of which equal ones exist once (flash_pool.h). */
#include "flash_pool.h"

#include <stdlib.h>
#include <string.h>

#define SLAB_SECTORS  1024u
#define BUCKETS_FIRST 4096u /* a power of two */

struct slab {
    struct slab *next;
    _Alignas(16) uint8_t sectors[];
};

static bool grow(struct sim_pool *pool)
{
    struct slab *slab = malloc(sizeof *slab + SLAB_SECTORS * pool->sector_bytes);
    if (slab == NULL) {
        return false;
    }
    slab->next = pool->slabs;
    pool->slabs = slab;
    for (uint32_t i = SLAB_SECTORS; i-- > 0;) {
        struct sim_sector *sector = (void *)(slab->sectors + i * pool->sector_bytes);
        sector->next = pool->free;
        pool->free = sector;
    }
    return true;
}

static struct sim_sector *sector_take(struct sim_pool *pool)
{
    if (pool->free == NULL && !grow(pool)) {
        return NULL;
    }
    struct sim_sector *sector = pool->free;
    pool->free = sector->next;
    pool->used++;
    return sector;
}

static void sector_give(struct sim_pool *pool, struct sim_sector *sector)
{
    sector->next = pool->free;
    pool->free = sector;
    pool->used--;
}

/* Which bucket is nobody's decision: it only finds what is equal. Four lanes, so that one
 * multiplication need not wait for the last. */
static uint32_t hash_of(const struct sim_pool *pool, const struct sim_sector *sector)
{
    uint64_t lanes[4] = {sector->units.programmed, sector->units.torn, 1, 2};
    for (uint32_t i = 0; i < pool->sector_size; i += 32) {
        uint64_t words[4];
        memcpy(words, sector->bytes + i, sizeof words);
        for (size_t j = 0; j < 4; j++) {
            lanes[j] = (lanes[j] ^ words[j]) * UINT64_C(0x9E3779B97F4A7C15);
            lanes[j] ^= lanes[j] >> 29;
        }
    }
    uint64_t hash = lanes[0] ^ lanes[1] * 3u ^ lanes[2] * 5u ^ lanes[3] * 7u;
    return (uint32_t)(hash >> 32 ^ hash);
}

static bool same(const struct sim_pool *pool, const struct sim_sector *a,
                 const struct sim_sector *b)
{
    return a->hash == b->hash && a->units.programmed == b->units.programmed &&
           a->units.torn == b->units.torn && memcmp(a->bytes, b->bytes, pool->sector_size) == 0;
}

static struct sim_sector **bucket_of(const struct sim_pool *pool, uint32_t hash)
{
    return &pool->buckets[hash & (pool->bucket_count - 1u)];
}

static void unlink_sector(const struct sim_pool *pool, const struct sim_sector *sector)
{
    struct sim_sector **place = bucket_of(pool, sector->hash);
    while (*place != sector) {
        place = &(*place)->next;
    }
    *place = sector->next;
}

static void link_sector(const struct sim_pool *pool, struct sim_sector *sector)
{
    struct sim_sector **place = bucket_of(pool, sector->hash);
    sector->next = *place;
    *place = sector;
}

/* Twice as many buckets, once there is a sector for each. Without memory they stay as they are. */
static void rehash(struct sim_pool *pool)
{
    uint32_t count = pool->bucket_count;
    struct sim_sector **buckets = calloc((size_t)count * 2u, sizeof(struct sim_sector *));
    struct sim_sector **old = pool->buckets;
    if (buckets == NULL) {
        return;
    }
    pool->buckets = buckets;
    pool->bucket_count = count * 2u;
    for (uint32_t i = 0; i < count; i++) {
        for (struct sim_sector *sector = old[i], *next; sector != NULL; sector = next) {
            next = sector->next;
            link_sector(pool, sector);
        }
    }
    free(old);
}

void sim_sector_drop(struct sim_pool *pool, struct sim_sector *sector)
{
    if (sector != NULL && --sector->users == 0) {
        unlink_sector(pool, sector);
        sector_give(pool, sector);
    }
}

struct sim_sector *sim_sector_own(struct sim_pool *pool, struct sim_sector **place)
{
    struct sim_sector *sector = *place;
    if (sector != NULL && sector->users == 1) {
        unlink_sector(pool, sector);
        return sector;
    }
    struct sim_sector *own = sector_take(pool);
    if (own == NULL) {
        return NULL;
    }
    own->users = 1;
    if (sector == NULL) {
        own->units = (struct sim_units){0};
        memset(own->bytes, SIM_FLASH_ERASED, pool->sector_size);
    } else {
        own->units = sector->units;
        memcpy(own->bytes, sector->bytes, pool->sector_size);
        sector->users--;
    }
    *place = own;
    return own;
}

void sim_sector_share(struct sim_pool *pool, struct sim_sector **place)
{
    struct sim_sector *own = *place;
    own->hash = hash_of(pool, own);
    for (struct sim_sector *other = *bucket_of(pool, own->hash); other != NULL;
         other = other->next) {
        if (same(pool, own, other)) {
            other->users++;
            *place = other;
            sector_give(pool, own);
            return;
        }
    }
    link_sector(pool, own);
    if (pool->used > pool->bucket_count) {
        rehash(pool);
    }
}

enum serin_error sim_pool_open(struct sim_pool **pool, uint32_t size_bytes, uint32_t sector_size,
                               uint32_t flat_bytes, bool ecc)
{
    *pool = NULL;
    if (sector_size < SIM_FLASH_UNITS || (sector_size & (sector_size - 1u)) != 0 ||
        size_bytes == 0 || size_bytes % sector_size != 0 || size_bytes > SERIN_FLASH_SIZE_MAX ||
        flat_bytes > size_bytes) {
        return SERIN_ERR_INVALID;
    }
    struct sim_pool *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    made->size_bytes = size_bytes;
    made->sector_size = sector_size;
    made->sector_count = size_bytes / sector_size;
    made->unit = sector_size / SIM_FLASH_UNITS;
    while (1u << made->unit_shift < made->unit) {
        made->unit_shift++;
    }
    made->sector_shift = made->unit_shift + 5u;
    made->flat_sectors = flat_bytes / sector_size;
    made->flat_bytes = made->flat_sectors * sector_size;
    made->ecc = ecc;
    made->sector_bytes = sizeof(struct sim_sector) + sector_size;
    made->flash_bytes = made->sector_count * sizeof(struct sim_sector *) + made->flat_bytes +
                        made->flat_sectors * sizeof(struct sim_units);
    made->bucket_count = BUCKETS_FIRST;
    made->buckets = calloc(BUCKETS_FIRST, sizeof(struct sim_sector *));
    if (made->buckets == NULL) {
        free(made);
        return SERIN_ERR_MEMORY;
    }
    *pool = made;
    return SERIN_OK;
}

void sim_pool_close(struct sim_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    SERIN_ASSERT(pool->used == 0);
    for (struct slab *slab = pool->slabs, *next; slab != NULL; slab = next) {
        next = slab->next;
        free(slab);
    }
    free(pool->buckets);
    free(pool);
}

uint64_t sim_pool_bytes(const struct sim_pool *pool)
{
    return pool->used * pool->sector_bytes + pool->flashes * pool->flash_bytes;
}
