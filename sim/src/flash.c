/* The flash port on shared sectors, and the flat part before them (flash.h). */
#include "flash_pool.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is where ---- */

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

/* The bits of the units that [address, address + size) of one sector touches; size > 0. */
static uint32_t unit_bits(const struct sim_pool *pool, uint32_t address, uint32_t size)
{
    uint32_t offset = address & (pool->sector_size - 1u);
    uint32_t first = offset >> pool->unit_shift;
    uint32_t last = (offset + size - 1u) >> pool->unit_shift;
    return UINT32_MAX >> (31u - (last - first)) << first;
}

/* The units of the sector at `address`. */
static struct sim_units units_at(const struct sim_flash *flash, uint32_t address)
{
    uint32_t index = address >> flash->pool->sector_shift;
    if (index < flash->pool->flat_sectors) {
        return flash->flat_units[index];
    }
    const struct sim_sector *sector = flash->sectors[index];
    return sector != NULL ? sector->units : (struct sim_units){0};
}

/* The bytes at `address`, up to the end of their sector; NULL: it is erased. */
static const uint8_t *bytes_at(const struct sim_flash *flash, uint32_t address)
{
    const struct sim_pool *pool = flash->pool;
    if (address < pool->flat_bytes) {
        return flash->flat + address;
    }
    const struct sim_sector *sector = flash->sectors[address >> pool->sector_shift];
    return sector != NULL ? sector->bytes + (address & (pool->sector_size - 1u)) : NULL;
}

/* ---- reading ---- */

static bool unreadable(const struct sim_flash *flash, uint32_t address, uint32_t size)
{
    return flash->pool->ecc && flash->tears > 0 &&
           (units_at(flash, address).torn & unit_bits(flash->pool, address, size)) != 0;
}

/* Of sectors that are shared, and of what may be torn. */
static __attribute__((noinline)) enum serin_error
read_anywhere(struct sim_flash *flash, uint32_t address, uint8_t *out, size_t size)
{
    const struct sim_pool *pool = flash->pool;
    if (flash->off) {
        return SERIN_ERR_FLASH;
    }
    if (!inside(pool, address, size)) {
        return breach(flash);
    }
    while (size > 0) {
        uint32_t part = part_of_sector(pool, address, size);
        const uint8_t *bytes = bytes_at(flash, address);
        if (unreadable(flash, address, part)) {
            return SERIN_ERR_FLASH;
        }
        if (bytes == NULL) {
            memset(out, SIM_FLASH_ERASED, part);
        } else {
            memcpy(out, bytes, part);
        }
        address += part;
        out += part;
        size -= part;
    }
    return SERIN_OK;
}

/* Most reads are of a log, in which nothing is torn. */
static enum serin_error flash_read(void *ctx, uint32_t address, void *out, size_t size)
{
    struct sim_flash *flash = ctx;
    uint32_t flat_bytes = flash->pool->flat_bytes;
    if (flash->off || flash->tears > 0 || address >= flat_bytes || size > flat_bytes - address) {
        return read_anywhere(flash, address, out, size);
    }
    memcpy(out, flash->flat + address, size);
    return SERIN_OK;
}

/* ---- programming ---- */

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

/* Programs units of one sector, of which those that were erased still read so; the last of them
 * ends as `torn` says. */
static void program_units(const struct sim_pool *pool, uint32_t address, uint8_t *bytes,
                          struct sim_units *units, const uint8_t *data, uint32_t size, bool torn)
{
    memcpy(bytes, data, size);
    units->programmed |= unit_bits(pool, address, size);
    if (torn) {
        units->torn |= unit_bits(pool, address + size - 1u, 1);
    }
}

/* False: no memory. */
static bool program_bytes(struct sim_flash *flash, uint32_t address, const uint8_t *data,
                          size_t size, bool torn)
{
    struct sim_pool *pool = flash->pool;
    while (size > 0) {
        uint32_t index = address >> pool->sector_shift;
        uint32_t part = part_of_sector(pool, address, size);
        bool last = torn && part == size;
        if (index < pool->flat_sectors) {
            program_units(pool, address, flash->flat + address, &flash->flat_units[index], data,
                          part, last);
        } else {
            struct sim_sector *sector = sim_sector_own(pool, &flash->sectors[index]);
            if (sector == NULL) {
                return false;
            }
            program_units(pool, address, sector->bytes + (address & (pool->sector_size - 1u)),
                          &sector->units, data, part, last);
            sim_sector_share(pool, &flash->sectors[index]);
        }
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
    flash->tears++;
    if (program_bytes(flash, address, data, whole, false)) {
        (void)program_bytes(flash, address + (uint32_t)whole, &torn, 1, true);
    }
}

/* What keeps units from being programmed: that they have been, or that they only read erased. */
enum obstacle { OBSTACLE_NONE, OBSTACLE_REFUSED, OBSTACLE_PROGRAMMED };

/* `units` of the sector at `address` have been programmed; `torn` of them are torn. */
static enum obstacle judge_units(const struct sim_flash *flash, uint32_t address, uint32_t units,
                                 uint32_t torn)
{
    const struct sim_pool *pool = flash->pool;
    const uint8_t *bytes = bytes_at(flash, address & ~(pool->sector_size - 1u));
    if (pool->ecc || (units & ~torn) != 0) {
        return OBSTACLE_PROGRAMMED;
    }
    for (uint32_t i = 0; i < SIM_FLASH_UNITS; i++) {
        if ((units >> i & 1u) != 0 &&
            !serin_bytes_all(bytes + (i << pool->unit_shift), pool->unit, SIM_FLASH_ERASED)) {
            return OBSTACLE_PROGRAMMED;
        }
    }
    return OBSTACLE_REFUSED;
}

static enum obstacle judge(const struct sim_flash *flash, uint32_t address, size_t size)
{
    enum obstacle worst = OBSTACLE_NONE;
    while (size > 0 && worst < OBSTACLE_PROGRAMMED) {
        uint32_t part = part_of_sector(flash->pool, address, size);
        struct sim_units units = units_at(flash, address);
        uint32_t used = units.programmed & unit_bits(flash->pool, address, part);
        if (used != 0) {
            enum obstacle obstacle = judge_units(flash, address, used, units.torn);
            worst = obstacle > worst ? obstacle : worst;
        }
        address += part;
        size -= part;
    }
    return worst;
}

static enum serin_error flash_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    struct sim_flash *flash = ctx;
    const struct sim_pool *pool = flash->pool;
    bool done = true;
    if (flash->off) {
        return SERIN_ERR_FLASH;
    }
    if (size == 0 || ((address | size) & (pool->unit - 1u)) != 0 || !inside(pool, address, size)) {
        return breach(flash);
    }
    enum obstacle obstacle = judge(flash, address, size);
    if (obstacle == OBSTACLE_PROGRAMMED) {
        return breach(flash);
    }
    enum serin_cut cut = begin(flash);
    if (obstacle == OBSTACLE_REFUSED) {
        return SERIN_ERR_FLASH; /* no breach: who reads the unit cannot know that it is torn */
    }
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

/* ---- erasing ---- */

static void erase_sector(struct sim_flash *flash, uint32_t index)
{
    const struct sim_pool *pool = flash->pool;
    if (index < pool->flat_sectors) {
        memset(flash->flat + (index << pool->sector_shift), SIM_FLASH_ERASED, pool->sector_size);
        flash->flat_units[index] = (struct sim_units){0};
    } else {
        sim_sector_drop(flash->pool, flash->sectors[index]);
        flash->sectors[index] = NULL;
    }
}

/* Old bytes, erased bytes and noise. */
static void tear_bytes(struct sim_flash *flash, uint8_t *bytes, struct sim_units *units)
{
    for (uint32_t i = 0; i < flash->pool->sector_size; i++) {
        uint64_t dice = noise(flash);
        if (dice % 4u == 0) {
            bytes[i] = (uint8_t)(dice >> 8);
        } else if (dice % 4u != 1u) {
            bytes[i] = SIM_FLASH_ERASED;
        }
    }
    *units = (struct sim_units){.programmed = UINT32_MAX, .torn = UINT32_MAX};
}

/* What a power cut inside an erase leaves in one sector. */
static void tear_sector(struct sim_flash *flash, uint32_t index)
{
    struct sim_pool *pool = flash->pool;
    flash->tears++;
    if (index < pool->flat_sectors) {
        tear_bytes(flash, flash->flat + (index << pool->sector_shift), &flash->flat_units[index]);
        return;
    }
    struct sim_sector *sector = sim_sector_own(pool, &flash->sectors[index]);
    if (sector != NULL) {
        tear_bytes(flash, sector->bytes, &sector->units);
        sim_sector_share(pool, &flash->sectors[index]);
    }
}

static enum serin_error flash_erase(void *ctx, uint32_t address, size_t size)
{
    struct sim_flash *flash = ctx;
    const struct sim_pool *pool = flash->pool;
    if (flash->off) {
        return SERIN_ERR_FLASH;
    }
    if (size == 0 || ((address | size) & (pool->sector_size - 1u)) != 0 ||
        !inside(pool, address, size)) {
        return breach(flash);
    }
    uint32_t first = address >> pool->sector_shift;
    uint32_t count = (uint32_t)(size >> pool->sector_shift);
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

enum serin_error sim_flash_open(struct sim_flash *flash, struct sim_pool *pool, uint64_t seed)
{
    *flash = (struct sim_flash){.pool = pool, .noise = seed * 2u + 1u};
    /* In one piece: the table, the units of the flat part, its bytes. */
    uint8_t *room = calloc(1, pool->flash_bytes);
    if (room == NULL) {
        return SERIN_ERR_MEMORY;
    }
    flash->sectors = (void *)room;
    flash->flat_units = (void *)(flash->sectors + pool->sector_count);
    flash->flat = (uint8_t *)(flash->flat_units + pool->flat_sectors);
    memset(flash->flat, SIM_FLASH_ERASED, pool->flat_bytes);
    pool->flashes++;
    return SERIN_OK;
}

enum serin_error sim_flash_copy(struct sim_flash *copy, const struct sim_flash *flash,
                                uint64_t seed)
{
    const struct sim_pool *pool = flash->pool;
    enum serin_error error = sim_flash_open(copy, flash->pool, seed);
    if (error != SERIN_OK) {
        return error;
    }
    copy->tears = flash->tears;
    memcpy(copy->sectors, flash->sectors, pool->flash_bytes);
    for (uint32_t i = 0; i < pool->sector_count; i++) {
        if (copy->sectors[i] != NULL) {
            copy->sectors[i]->users++;
        }
    }
    return SERIN_OK;
}

void sim_flash_close(struct sim_flash *flash)
{
    if (flash->sectors == NULL) {
        return;
    }
    for (uint32_t i = 0; i < flash->pool->sector_count; i++) {
        sim_sector_drop(flash->pool, flash->sectors[i]);
    }
    free(flash->sectors);
    flash->pool->flashes--;
    flash->sectors = NULL;
}
