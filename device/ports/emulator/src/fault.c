/* Which faults an operation has: a table of families, each a product of places, ways in which a
 * torn unit reads, results of a second program, and seeds. */
#include "emulator_internal.h"

#include <serin/assert.h>

struct way {
    enum serin_flash_torn torn;
    uint32_t reads;
};

static const struct way ways[] = {
    {SERIN_FLASH_TORN_STABLE, 0},    {SERIN_FLASH_TORN_FAULTING, 0},
    {SERIN_FLASH_TORN_UNSTABLE, 0},  {SERIN_FLASH_TORN_WEAK_READ, 1},
    {SERIN_FLASH_TORN_WEAK_READ, 2}, {SERIN_FLASH_TORN_WEAK_POWER, 0},
};
#define WAYS (sizeof ways / sizeof ways[0])

/* Sets of them, a bit each. */
#define ONE      0x01u /* as good as none */
#define FAULTING 0x02u
#define RESTLESS 0x3Cu
#define READABLE (ONE | RESTLESS)

/* Where in its operation a fault strikes. */
enum place {
    PLACE_NONE,
    PLACE_IN_UNIT,     /* after each byte but the last of each write unit */
    PLACE_UNIT,        /* at the start of each */
    PLACE_SECTOR,      /* at the start of each sector */
    PLACE_NEXT_SECTOR, /* the same but for the first */
    PLACE_IN_SECTOR    /* after the first unit of each, in its middle, before its last one */
};

enum parts { PARTS_ALL, PARTS_PLAIN, PARTS_ECC };

struct family {
    enum serin_flash_operation_kind operation;
    enum serin_flash_fault_kind kind;
    enum parts parts;
    enum place place;
    unsigned ways;
    bool again;  /* with each result of a second program: the torn unit reads erased */
    bool seeded; /* with each seed */
};

#define PROGRAM(name) SERIN_FLASH_PROGRAM, SERIN_FLASH_FAULT_##name
#define ERASE(name)   SERIN_FLASH_ERASE, SERIN_FLASH_FAULT_##name

static const struct family families[] = {
    {PROGRAM(BEFORE), PARTS_ALL, PLACE_NONE, ONE, false, false},
    {PROGRAM(AFTER), PARTS_ALL, PLACE_NONE, ONE, false, false},
    {PROGRAM(FAILS), PARTS_ALL, PLACE_NONE, ONE, false, false},
    {PROGRAM(FAILS_DONE), PARTS_ALL, PLACE_NONE, ONE, false, false},
    {PROGRAM(PROGRAM_PREFIX), PARTS_PLAIN, PLACE_IN_UNIT, READABLE, false, false},
    {PROGRAM(PROGRAM_PREFIX), PARTS_ALL, PLACE_UNIT, READABLE, true, false},
    {PROGRAM(PROGRAM_PREFIX), PARTS_ECC, PLACE_UNIT, FAULTING, false, false},
    {PROGRAM(PROGRAM_NEW), PARTS_ALL, PLACE_UNIT, RESTLESS, false, false},
    {PROGRAM(PROGRAM_SUBSET), PARTS_PLAIN, PLACE_UNIT, READABLE, false, true},
    {PROGRAM(PROGRAM_SCATTER), PARTS_PLAIN, PLACE_NONE, READABLE, false, true},
    {PROGRAM(PROGRAM_SCATTER), PARTS_ECC, PLACE_NONE, FAULTING, false, false},
    {ERASE(BEFORE), PARTS_ALL, PLACE_NONE, ONE, false, false},
    {ERASE(AFTER), PARTS_ALL, PLACE_NONE, ONE, false, false},
    {ERASE(FAILS), PARTS_ALL, PLACE_NONE, ONE, false, false},
    {ERASE(FAILS_DONE), PARTS_ALL, PLACE_NONE, ONE, false, false},
    {ERASE(ERASE_PART), PARTS_ALL, PLACE_NEXT_SECTOR, ONE, false, false},
    {ERASE(ERASE_OLD), PARTS_ALL, PLACE_SECTOR, READABLE, false, false},
    {ERASE(ERASE_OLD), PARTS_ECC, PLACE_SECTOR, FAULTING, false, false},
    {ERASE(ERASE_ERASED), PARTS_ALL, PLACE_SECTOR, READABLE, true, false},
    {ERASE(ERASE_HALF), PARTS_ALL, PLACE_IN_SECTOR, READABLE, true, false},
    {ERASE(ERASE_GARBAGE), PARTS_PLAIN, PLACE_SECTOR, READABLE, false, true},
    {ERASE(ERASE_MIX), PARTS_PLAIN, PLACE_SECTOR, READABLE, true, true},
};
#define FAMILIES (sizeof families / sizeof families[0])

/* ---- places ---- */

static uint32_t sectors_of(const struct serin_flash_emulator *emulator,
                           const struct serin_flash_operation *operation)
{
    uint32_t end = operation->address + operation->size;
    return serin_flash_emulator_sector_at(emulator, end - 1u) -
           serin_flash_emulator_sector_at(emulator, operation->address) + 1u;
}

static struct serin_region sector_of(const struct serin_flash_emulator *emulator,
                                     const struct serin_flash_operation *operation, uint32_t index)
{
    struct serin_region region;
    uint32_t first = serin_flash_emulator_sector_at(emulator, operation->address);
    serin_flash_emulator_sector(emulator, first + index, &region);
    return region;
}

static uint32_t places_in(uint32_t units)
{
    return units < 4u ? units - 1u : 3u;
}

static uint32_t places_in_sectors(const struct serin_flash_emulator *emulator,
                                  const struct serin_flash_operation *operation)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < sectors_of(emulator, operation); i++) {
        count += places_in(sector_of(emulator, operation, i).size / emulator_unit(emulator));
    }
    return count;
}

static uint32_t place_in_sector(const struct serin_flash_emulator *emulator,
                                const struct serin_flash_operation *operation, uint32_t index)
{
    uint32_t unit = emulator_unit(emulator);
    uint32_t sector = 0;
    struct serin_region region = sector_of(emulator, operation, sector);
    for (uint32_t more; (more = places_in(region.size / unit)) <= index; index -= more) {
        region = sector_of(emulator, operation, ++sector);
    }
    uint32_t units = region.size / unit;
    uint32_t after[] = {1u, units < 4u ? 2u : units / 2u, units - 1u};
    return region.address - operation->address + after[index] * unit;
}

static uint32_t place_count(const struct serin_flash_emulator *emulator,
                            const struct serin_flash_operation *operation, enum place place)
{
    uint32_t units = operation->size / emulator_unit(emulator);
    switch (place) {
    case PLACE_NONE:
        break;
    case PLACE_IN_UNIT:
        return operation->size - units;
    case PLACE_UNIT:
        return units;
    case PLACE_SECTOR:
        return sectors_of(emulator, operation);
    case PLACE_NEXT_SECTOR:
        return sectors_of(emulator, operation) - 1u;
    case PLACE_IN_SECTOR:
        return places_in_sectors(emulator, operation);
    }
    return 1;
}

/* The byte of the operation that place `index` is. */
static uint32_t place_at(const struct serin_flash_emulator *emulator,
                         const struct serin_flash_operation *operation, enum place place,
                         uint32_t index)
{
    uint32_t unit = emulator_unit(emulator);
    switch (place) {
    case PLACE_NONE:
        break;
    case PLACE_IN_UNIT:
        return index / (unit - 1u) * unit + index % (unit - 1u) + 1u;
    case PLACE_UNIT:
        return index * unit;
    case PLACE_SECTOR:
        return sector_of(emulator, operation, index).address - operation->address;
    case PLACE_NEXT_SECTOR:
        return sector_of(emulator, operation, index + 1u).address - operation->address;
    case PLACE_IN_SECTOR:
        return place_in_sector(emulator, operation, index);
    }
    return 0;
}

/* ---- families ---- */

static bool is_of(const struct serin_flash_emulator *emulator,
                  const struct serin_flash_operation *operation, const struct family *family)
{
    if (family->operation != operation->kind) {
        return false;
    }
    return family->parts == PARTS_ALL || (family->parts == PARTS_ECC) == emulator->config.ecc;
}

static uint32_t way_count(unsigned set)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < WAYS; i++) {
        count += set >> i & 1u;
    }
    return count;
}

static const struct way *way_at(unsigned set, uint32_t index)
{
    unsigned i = 0;
    while ((set >> i & 1u) == 0 || index-- > 0) {
        i++;
    }
    return &ways[i];
}

static uint64_t family_count(const struct serin_flash_emulator *emulator,
                             const struct serin_flash_operation *operation,
                             const struct family *family, uint32_t seeds)
{
    if (!is_of(emulator, operation, family)) {
        return 0;
    }
    return (uint64_t)place_count(emulator, operation, family->place) * way_count(family->ways) *
           (family->again ? SERIN_FLASH_AGAIN_COUNT : 1u) * (family->seeded ? seeds : 1u);
}

static void family_nth(const struct serin_flash_emulator *emulator,
                       const struct serin_flash_operation *operation, const struct family *family,
                       uint32_t seeds, uint64_t index, struct serin_flash_fault *fault)
{
    *fault = (struct serin_flash_fault){.operation = operation->number, .kind = family->kind};
    if (family->seeded) {
        fault->seed = index % seeds + 1u;
        index /= seeds;
    }
    if (family->again) {
        fault->again = (enum serin_flash_again)(index % SERIN_FLASH_AGAIN_COUNT);
        index /= SERIN_FLASH_AGAIN_COUNT;
    }
    uint32_t count = way_count(family->ways);
    const struct way *way = way_at(family->ways, (uint32_t)(index % count));
    fault->torn = way->torn;
    fault->reads = way->reads;
    fault->at = place_at(emulator, operation, family->place, (uint32_t)(index / count));
}

static bool is_whole(const struct serin_flash_emulator *emulator,
                     const struct serin_flash_operation *operation)
{
    return operation->size > 0 && emulator_inside(emulator, operation->address, operation->size) &&
           operation->address % emulator_unit(emulator) == 0 &&
           operation->size % emulator_unit(emulator) == 0;
}

uint64_t serin_flash_fault_count(const struct serin_flash_emulator *emulator,
                                 const struct serin_flash_operation *operation, uint32_t seeds)
{
    uint64_t count = 0;
    SERIN_ASSERT(seeds >= 1 && is_whole(emulator, operation));
    for (unsigned i = 0; i < FAMILIES; i++) {
        count += family_count(emulator, operation, &families[i], seeds);
    }
    return count;
}

void serin_flash_fault_nth(const struct serin_flash_emulator *emulator,
                           const struct serin_flash_operation *operation, uint32_t seeds,
                           uint64_t index, struct serin_flash_fault *fault)
{
    SERIN_ASSERT(seeds >= 1 && is_whole(emulator, operation));
    for (unsigned i = 0; i < FAMILIES; i++) {
        uint64_t count = family_count(emulator, operation, &families[i], seeds);
        if (index < count) {
            family_nth(emulator, operation, &families[i], seeds, index, fault);
            return;
        }
        index -= count;
    }
    SERIN_ASSERT(false); /* beyond the last one */
}
