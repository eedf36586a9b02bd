/* Flash in memory whose equal sectors exist once (flash.h). */
#include "flash.h"

#include <stdlib.h>
#include <string.h>

#define SLAB_SECTORS  1024u
#define BUCKETS_FIRST 4096u /* a power of two */

struct sim_sector {
    struct sim_sector *next; /* in its bucket, or among the free ones */
    uint32_t hash;
    uint32_t users;
    uint32_t programmed, torn; /* one bit a write unit; what is torn is programmed */
    bool linked;               /* in a bucket: others may find it */
    uint8_t bytes[];
};

struct slab {
    struct slab *next;
    _Alignas(16) uint8_t sectors[];
};

_Static_assert(SIM_FLASH_UNITS == 1u << 5u, "sector_shift");

struct sim_pool {
    uint32_t size_bytes, sector_size, sector_count, unit;
    uint32_t sector_shift, unit_shift; /* what they are two's powers of */
    uint32_t private_sectors;
    bool ecc;
    size_t sector_bytes; /* with its head */
    uint64_t used;
    struct slab *slabs;
    struct sim_sector *free;
    struct sim_sector **buckets;
    uint32_t bucket_count;
};

/* ---- sectors ---- */

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
    uint64_t lanes[4] = {sector->programmed, sector->torn, 1, 2};
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
    return a->hash == b->hash && a->programmed == b->programmed && a->torn == b->torn &&
           memcmp(a->bytes, b->bytes, pool->sector_size) == 0;
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

static void sector_drop(struct sim_pool *pool, struct sim_sector *sector)
{
    if (sector != NULL && --sector->users == 0) {
        if (sector->linked) {
            unlink_sector(pool, sector);
        }
        sector_give(pool, sector);
    }
}

/* The sector of `place` as one that may be written: out of the buckets, this flash's alone. NULL:
 * no memory. sector_share puts it back. */
static struct sim_sector *sector_own(struct sim_pool *pool, struct sim_sector **place)
{
    struct sim_sector *sector = *place;
    if (sector != NULL && sector->users == 1) {
        if (sector->linked) {
            unlink_sector(pool, sector);
            sector->linked = false;
        }
        return sector;
    }
    struct sim_sector *own = sector_take(pool);
    if (own == NULL) {
        return NULL;
    }
    own->users = 1;
    own->linked = false;
    if (sector == NULL) {
        own->programmed = own->torn = 0;
        memset(own->bytes, SIM_FLASH_ERASED, pool->sector_size);
    } else {
        own->programmed = sector->programmed;
        own->torn = sector->torn;
        memcpy(own->bytes, sector->bytes, pool->sector_size);
        sector->users--;
    }
    *place = own;
    return own;
}

/* Gives an owned sector up for an equal one, or makes it the one that others will find; but for the
 * flash's first ones, which hold what no other has. */
static void sector_share(const struct sim_flash *flash, struct sim_sector **place)
{
    struct sim_pool *pool = flash->pool;
    struct sim_sector *own = *place;
    if ((size_t)(place - flash->sectors) < pool->private_sectors) {
        return;
    }
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
    own->linked = true;
    link_sector(pool, own);
    if (pool->used > pool->bucket_count) {
        rehash(pool);
    }
}

/* ---- the port ---- */

/* xorshift64*, as the emulator's. */
static uint64_t noise(struct sim_flash *flash)
{
    uint64_t x = flash->noise;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    flash->noise = x;
    return x * UINT64_C(2685821657736338717);
}

static enum serin_error breach(struct sim_flash *flash)
{
    flash->breaches++;
    return SERIN_ERR_FLASH;
}

static bool inside(const struct sim_pool *pool, uint32_t address, size_t size)
{
    return address <= pool->size_bytes && size <= pool->size_bytes - address;
}

/* Bytes from `address` to the end of its sector, `size` at most. */
static uint32_t part_of_sector(const struct sim_pool *pool, uint32_t address, size_t size)
{
    uint32_t left = pool->sector_size - (address & (pool->sector_size - 1u));
    return size < left ? (uint32_t)size : left;
}

/* The bits of the units that [offset, offset + size) of a sector touches; size > 0. */
static uint32_t unit_bits(const struct sim_pool *pool, uint32_t offset, uint32_t size)
{
    uint32_t first = offset >> pool->unit_shift;
    uint32_t last = (offset + size - 1u) >> pool->unit_shift;
    return UINT32_MAX >> (31u - (last - first)) << first;
}

static enum serin_error flash_read(void *ctx, uint32_t address, void *out, size_t size)
{
    struct sim_flash *flash = ctx;
    const struct sim_pool *pool = flash->pool;
    uint8_t *bytes = out;
    if (flash->off) {
        return SERIN_ERR_FLASH;
    }
    if (!inside(pool, address, size)) {
        return breach(flash);
    }
    while (size > 0) {
        const struct sim_sector *sector = flash->sectors[address >> pool->sector_shift];
        uint32_t offset = address & (pool->sector_size - 1u);
        uint32_t part = part_of_sector(pool, address, size);
        if (sector == NULL) {
            memset(bytes, SIM_FLASH_ERASED, part);
        } else if (pool->ecc && (sector->torn & unit_bits(pool, offset, part)) != 0) {
            return SERIN_ERR_FLASH;
        } else {
            memcpy(bytes, sector->bytes + offset, part);
        }
        address += part;
        bytes += part;
        size -= part;
    }
    return SERIN_OK;
}

/* Counts the operation and says whether it is the one that the power goes in. */
static enum serin_cut begin(struct sim_flash *flash)
{
    flash->operations++;
    if (flash->cut == SERIN_CUT_NONE || flash->operations != flash->cut_at) {
        return SERIN_CUT_NONE;
    }
    enum serin_cut cut = (enum serin_cut)flash->cut;
    flash->cut = SERIN_CUT_NONE;
    flash->off = true;
    return cut;
}

/* Moves bits from erased to programmed; the last unit ends as `torn` says. False: no memory. */
static bool program_bytes(struct sim_flash *flash, uint32_t address, const uint8_t *data,
                          size_t size, bool torn)
{
    struct sim_pool *pool = flash->pool;
    while (size > 0) {
        struct sim_sector **place = &flash->sectors[address >> pool->sector_shift];
        struct sim_sector *sector = sector_own(pool, place);
        uint32_t offset = address & (pool->sector_size - 1u);
        uint32_t part = part_of_sector(pool, address, size);
        if (sector == NULL) {
            return false;
        }
        for (uint32_t i = 0; i < part; i++) {
            sector->bytes[offset + i] &= data[i];
        }
        sector->programmed |= unit_bits(pool, offset, part);
        if (torn && part == size) {
            sector->torn |= unit_bits(pool, offset + part - 1u, 1);
        }
        sector_share(flash, place);
        address += part;
        data += part;
        size -= part;
    }
    return true;
}

/* What a power cut inside a program leaves: a run of whole bytes, and one that is half done. */
static void tear_program(struct sim_flash *flash, uint32_t address, const uint8_t *data,
                         size_t size)
{
    size_t whole = (size_t)(noise(flash) % size);
    uint8_t torn = (uint8_t)(data[whole] | noise(flash));
    if (program_bytes(flash, address, data, whole, false)) {
        (void)program_bytes(flash, address + (uint32_t)whole, &torn, 1, true);
    }
}

static bool erased(const struct sim_flash *flash, uint32_t address, size_t size)
{
    const struct sim_pool *pool = flash->pool;
    while (size > 0) {
        const struct sim_sector *sector = flash->sectors[address >> pool->sector_shift];
        uint32_t offset = address & (pool->sector_size - 1u);
        uint32_t part = part_of_sector(pool, address, size);
        if (sector != NULL && (sector->programmed & unit_bits(pool, offset, part)) != 0) {
            return false;
        }
        address += part;
        size -= part;
    }
    return true;
}

static enum serin_error flash_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    struct sim_flash *flash = ctx;
    const struct sim_pool *pool = flash->pool;
    bool done = true;
    if (flash->off) {
        return SERIN_ERR_FLASH;
    }
    if (size == 0 || address % pool->unit != 0 || size % pool->unit != 0 ||
        !inside(pool, address, size) || !erased(flash, address, size)) {
        return breach(flash);
    }
    enum serin_cut cut = begin(flash);
    switch (cut) {
    case SERIN_CUT_NONE:
    case SERIN_CUT_AFTER:
        done = program_bytes(flash, address, data, size, false);
        break;
    case SERIN_CUT_INSIDE:
        tear_program(flash, address, data, size);
        break;
    case SERIN_CUT_BEFORE:
        break;
    }
    return done && cut == SERIN_CUT_NONE ? SERIN_OK : SERIN_ERR_FLASH;
}

static void erase_sector(struct sim_flash *flash, uint32_t sector)
{
    sector_drop(flash->pool, flash->sectors[sector]);
    flash->sectors[sector] = NULL;
}

/* What a power cut inside an erase leaves in one sector: old bytes, erased bytes and noise. */
static void tear_sector(struct sim_flash *flash, uint32_t index)
{
    struct sim_pool *pool = flash->pool;
    struct sim_sector *sector = sector_own(pool, &flash->sectors[index]);
    if (sector == NULL) {
        return;
    }
    for (uint32_t i = 0; i < pool->sector_size; i++) {
        uint64_t dice = noise(flash);
        if (dice % 4u == 0) {
            sector->bytes[i] = (uint8_t)(dice >> 8);
        } else if (dice % 4u != 1u) {
            sector->bytes[i] = SIM_FLASH_ERASED;
        }
    }
    sector->programmed = sector->torn = UINT32_MAX;
    sector_share(flash, &flash->sectors[index]);
}

static enum serin_error flash_erase(void *ctx, uint32_t address, size_t size)
{
    struct sim_flash *flash = ctx;
    const struct sim_pool *pool = flash->pool;
    if (flash->off) {
        return SERIN_ERR_FLASH;
    }
    if (size == 0 || address % pool->sector_size != 0 || size % pool->sector_size != 0 ||
        !inside(pool, address, size)) {
        return breach(flash);
    }
    uint32_t first = address / pool->sector_size;
    uint32_t count = (uint32_t)(size / pool->sector_size);
    enum serin_cut cut = begin(flash);
    uint32_t whole = count;
    if (cut == SERIN_CUT_BEFORE) {
        whole = 0;
    } else if (cut == SERIN_CUT_INSIDE) {
        whole = (uint32_t)(noise(flash) % count);
    }
    for (uint32_t i = 0; i < whole; i++) {
        erase_sector(flash, first + i);
    }
    if (cut == SERIN_CUT_INSIDE) {
        tear_sector(flash, first + whole);
    }
    return cut == SERIN_CUT_NONE ? SERIN_OK : SERIN_ERR_FLASH;
}

static const struct serin_flash_ops flash_ops = {
    .read = flash_read, .program = flash_program, .erase = flash_erase};

void sim_flash_port(const struct sim_pool *pool, struct serin_flash *port)
{
    *port = (struct serin_flash){.ops = &flash_ops,
                                 .size_bytes = pool->size_bytes,
                                 .sector_size = pool->sector_size,
                                 .write_unit = pool->unit,
                                 .erased_value = SIM_FLASH_ERASED};
}

void sim_flash_cut(struct sim_flash *flash, uint64_t nth, enum serin_cut cut)
{
    SERIN_ASSERT(nth >= 1);
    flash->cut = (uint8_t)cut;
    flash->cut_at = flash->operations + nth;
}

/* ---- opening ---- */

enum serin_error sim_pool_open(struct sim_pool **pool, uint32_t size_bytes, uint32_t sector_size,
                               uint32_t private_bytes, bool ecc)
{
    *pool = NULL;
    if (sector_size < SIM_FLASH_UNITS || (sector_size & (sector_size - 1u)) != 0 ||
        size_bytes == 0 || size_bytes % sector_size != 0 || size_bytes > SERIN_FLASH_SIZE_MAX) {
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
    made->private_sectors = private_bytes / sector_size;
    made->ecc = ecc;
    made->sector_bytes = sizeof(struct sim_sector) + sector_size;
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
    return pool->used * pool->sector_bytes;
}

enum serin_error sim_flash_open(struct sim_flash *flash, struct sim_pool *pool, uint64_t seed)
{
    *flash = (struct sim_flash){.pool = pool, .noise = seed * 2u + 1u};
    flash->sectors = calloc(pool->sector_count, sizeof(struct sim_sector *));
    return flash->sectors != NULL ? SERIN_OK : SERIN_ERR_MEMORY;
}

enum serin_error sim_flash_copy(struct sim_flash *copy, const struct sim_flash *flash,
                                uint64_t seed)
{
    enum serin_error error = sim_flash_open(copy, flash->pool, seed);
    for (uint32_t i = 0; error == SERIN_OK && i < flash->pool->sector_count; i++) {
        copy->sectors[i] = flash->sectors[i];
        if (copy->sectors[i] != NULL) {
            copy->sectors[i]->users++;
        }
    }
    return error;
}

void sim_flash_close(struct sim_flash *flash)
{
    for (uint32_t i = 0; flash->sectors != NULL && i < flash->pool->sector_count; i++) {
        sector_drop(flash->pool, flash->sectors[i]);
    }
    free(flash->sectors);
    flash->sectors = NULL;
}
