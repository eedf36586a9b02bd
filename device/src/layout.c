/* Geometry and layout: the rules, the default, and the parts of a slot (docs/spec/flash.md). */
#include <serin/piece.h>
#include <serin/trust.h>

#include "flash_io.h"
#include "journal.h"
#include "layout_search.h"
#include "slot.h"
#include "trust_region.h"

#include <string.h>

#define REGION_COUNT 6u

/* A bootloader that is built for one part and one layout defines SERIN_LAYOUT_PORT as that layout's
 * name beside SERIN_FLASH_PORT: whoever links it as a whole then knows a slot's map beforehand. */
#if defined(SERIN_FLASH_PORT) && defined(SERIN_LAYOUT_PORT)
extern const struct serin_flash SERIN_FLASH_PORT;
extern const struct serin_layout SERIN_LAYOUT_PORT;
#define THE_FLASH(flash)   ((void)(flash), &SERIN_FLASH_PORT)
#define THE_LAYOUT(layout) ((void)(layout), &SERIN_LAYOUT_PORT)
#define KNOWN              __attribute__((always_inline)) inline
#else
#define THE_FLASH(flash)   (flash)
#define THE_LAYOUT(layout) (layout)
#define KNOWN
#endif

static bool power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1u)) == 0;
}

/* ---- geometry ---- */

static const char *sector_fault(const struct serin_flash *flash, uint32_t size)
{
    if (!power_of_two(size) || size < SERIN_FLASH_SECTOR_MIN || size > SERIN_FLASH_SECTOR_MAX) {
        return "an erase sector is not a power of two of 256 bytes to 128 KiB";
    }
    if (!power_of_two(flash->write_unit) || flash->write_unit > SERIN_FLASH_UNIT_MAX ||
        flash->write_unit > size) {
        return "the write unit is not a power of two of 1 to 512 bytes within a sector";
    }
    return NULL;
}

static const char *runs_fault(const struct serin_flash *flash)
{
    uint64_t sum = 0;
    if (flash->run_count > SERIN_FLASH_RUNS_MAX || flash->runs == NULL) {
        return "there are more than 8 runs of sectors";
    }
    for (uint32_t i = 0; i < flash->run_count; i++) {
        const char *fault = sector_fault(flash, flash->runs[i].size);
        if (fault != NULL) {
            return fault;
        }
        if (flash->runs[i].count == 0) {
            return "a run of sectors is empty";
        }
        sum += (uint64_t)flash->runs[i].count * flash->runs[i].size;
    }
    return sum == flash->size_bytes && sum <= SERIN_FLASH_SIZE_MAX
               ? NULL
               : "the size is not the sum of the runs, or over 2 GiB";
}

/* The rule of the geometry that is broken, or NULL. */
static const char *geometry_fault(const struct serin_flash *flash)
{
#ifdef SERIN_FLASH_SECTOR
    if (flash->run_count > 0 || flash->sector_size != SERIN_FLASH_SECTOR ||
        flash->write_unit != SERIN_FLASH_UNIT) {
        return "this is compiled for a part with other sectors, or another write unit";
    }
#endif
    const char *fault =
        flash->run_count > 0 ? runs_fault(flash) : sector_fault(flash, flash->sector_size);
    if (fault != NULL) {
        return fault;
    }
    if (flash->erased_value != 0xFF && flash->erased_value != 0x00) {
        return "the erased value is neither 0xFF nor 0x00";
    }
    if (flash->run_count == 0 &&
        (flash->size_bytes == 0 || flash->size_bytes > SERIN_FLASH_SIZE_MAX ||
         flash->size_bytes % flash->sector_size != 0)) {
        return "the size is not a multiple of the sector, or over 2 GiB";
    }
    return NULL;
}

/* The run of equal sectors that `address` lies in: its end, and how large its sectors are. */
static uint32_t run_at(const struct serin_flash *flash, uint32_t address, uint32_t *sector)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < flash->run_count; i++) {
        end += flash->runs[i].count * flash->runs[i].size;
        if (address < end) {
            *sector = flash->runs[i].size;
            return end;
        }
    }
    *sector = flash->sector_size;
    return flash->size_bytes;
}

static uint32_t largest_sector(const struct serin_flash *flash, const struct serin_region *region)
{
    uint32_t largest = 0;
    for (uint32_t address = region->address; address - region->address < region->size;) {
        uint32_t sector;
        address = run_at(flash, address, &sector);
        largest = sector > largest ? sector : largest;
    }
    return largest;
}

/* How many bytes from `a` and `b` on, a before b, are cut into the same sectors, before the one
 * reaches the other, or the end. */
static uint32_t alike(const struct serin_flash *flash, uint32_t a, uint32_t b)
{
    uint32_t size = 0, limit = b - a;
    while (size < limit && b + size < flash->size_bytes) {
        uint32_t sector_a, sector_b;
        uint32_t left_a = run_at(flash, a + size, &sector_a) - (a + size);
        uint32_t left_b = run_at(flash, b + size, &sector_b) - (b + size);
        uint32_t part = left_a < left_b ? left_a : left_b;
        part = part < limit - size ? part : limit - size;
        if (sector_a != sector_b || part < sector_a) {
            break;
        }
        size += part / sector_a * sector_a;
    }
    return size;
}

/* ---- a slot ---- */

/* The first border at `offset` of the slot or behind it. Behind the flash there is none, and
 * nothing fits. */
static KNOWN uint32_t border_from(const struct serin_flash *flash,
                                  const struct serin_layout *layout, uint32_t offset)
{
    uint32_t base = layout->slot[0].address;
    return base <= flash->size_bytes && offset <= flash->size_bytes - base
               ? serin_flash_border_from(flash, base + offset) - base
               : offset;
}

/* How large the parts of a slot are that depend on the number of pieces. */
static KNOWN void slot_parts(const struct serin_flash *flash, const struct serin_layout *layout,
                             uint32_t pieces, struct serin_slot_map *map)
{
    map->pieces_offset = map->manifest_offset + map->manifest_size;
    map->journal_offset =
        border_from(flash, layout, map->pieces_offset + pieces * SERIN_SHA256_SIZE);
    map->pieces_size = map->journal_offset - map->pieces_offset;
    map->image_offset = border_from(flash, layout,
                                    map->journal_offset +
                                        (pieces + SERIN_JOURNAL_FIRST_PIECE) * map->journal_stride);
    map->journal_size = map->image_offset - map->journal_offset;
    map->image_capacity = pieces * SERIN_PIECE_SIZE;
}

void serin_slot_map(const struct serin_flash *any_flash, const struct serin_layout *any_layout,
                    struct serin_slot_map *map)
{
    const struct serin_flash *flash = THE_FLASH(any_flash);
    const struct serin_layout *layout = THE_LAYOUT(any_layout);
    uint32_t size = layout->slot[0].size;
    uint32_t marker_stride = serin_round_up(SERIN_MARKER_SIZE, serin_flash_unit(flash));
    map->manifest_offset = 0;
    map->marker_offset = serin_round_up(SERIN_MANIFEST_MAX, serin_flash_unit(flash));
    map->manifest_size = border_from(flash, layout, map->marker_offset + marker_stride);
    map->marker_count = (map->manifest_size - map->marker_offset) / marker_stride;
    if (map->marker_count > SERIN_MARKERS_MAX) {
        map->marker_count = SERIN_MARKERS_MAX;
    }
    map->journal_stride = serin_round_up(SERIN_JOURNAL_ENTRY_SIZE, serin_flash_unit(flash));

    /* Start from the number that would fit without rounding to sectors; rounding costs few pieces,
     * so this ends soon. */
    uint32_t cost = SERIN_PIECE_SIZE + SERIN_SHA256_SIZE + map->journal_stride;
    uint32_t pieces = size > map->manifest_size ? (size - map->manifest_size) / cost : 0;
    slot_parts(flash, layout, pieces, map);
    while (pieces > 0 && map->image_offset + map->image_capacity > size) {
        pieces--;
        slot_parts(flash, layout, pieces, map);
    }
}

/* Whether a piece would share a sector with another one's part: each fills sectors, or lies in one.
 */
static bool pieces_straddle(const struct serin_flash *flash, const struct serin_layout *layout,
                            const struct serin_slot_map *map)
{
    uint32_t start = layout->slot[0].address + map->image_offset;
    uint32_t end = start + map->image_capacity;
    for (uint32_t address = start; address < end;) {
        uint32_t sector;
        if ((address - start) % SERIN_PIECE_SIZE != 0) {
            return true;
        }
        address = run_at(flash, address, &sector);
    }
    return false;
}

/* ---- regions ---- */

static bool whole_sectors(const struct serin_flash *flash, const struct serin_region *region)
{
    return region->size > 0 && region->address <= flash->size_bytes &&
           region->size <= flash->size_bytes - region->address &&
           serin_flash_border(flash, region->address) &&
           serin_flash_border(flash, region->address + region->size);
}

static bool overlap(const struct serin_region *a, const struct serin_region *b)
{
    return a->address < b->address + b->size && b->address < a->address + a->size;
}

/* Whether the region holds two banks of whole sectors, each of at least `bytes`. */
static bool two_banks(const struct serin_flash *flash, const struct serin_region *region,
                      uint32_t bytes)
{
    uint32_t bank = region->size / 2u;
    return region->size % 2u == 0 && serin_flash_border(flash, region->address + bank) &&
           bank >= serin_round_up(bytes, serin_flash_unit(flash));
}

/* Whether a download record fits into the scratch region, and behind it a copy of the largest
 * sector of a slot. */
static bool scratch_fits(const struct serin_flash *flash, const struct serin_layout *layout)
{
    uint32_t end = layout->scratch.address + layout->scratch.size;
    uint32_t spare = largest_sector(flash, &layout->slot[0]);
    if (layout->scratch.size < SERIN_SCRATCH_RECORD_SIZE + spare) {
        return false;
    }
    uint32_t address =
        serin_flash_border_from(flash, layout->scratch.address + SERIN_SCRATCH_RECORD_SIZE);
    return address <= end && end - address >= spare &&
           serin_flash_border_from(flash, address + spare) <= end;
}

/* Whether both slots are cut into the same sectors. */
static bool slots_alike(const struct serin_flash *flash, const struct serin_layout *layout)
{
    const struct serin_region *a = &layout->slot[0], *b = &layout->slot[1];
    return a->address < b->address ? alike(flash, a->address, b->address) >= a->size
                                   : alike(flash, b->address, a->address) >= a->size;
}

static const char *region_fault(const struct serin_flash *flash, const struct serin_layout *layout)
{
    const struct serin_region *const regions[REGION_COUNT] = {
        &layout->boot_log, &layout->trust,   &layout->agent_log,
        &layout->scratch,  &layout->slot[0], &layout->slot[1],
    };
    for (size_t i = 0; i < REGION_COUNT; i++) {
        if (!whole_sectors(flash, regions[i])) {
            return "a region is empty, outside the flash, or not made of whole sectors";
        }
    }
    for (size_t i = 0; i < REGION_COUNT; i++) {
        for (size_t j = i + 1; j < REGION_COUNT; j++) {
            if (overlap(regions[i], regions[j])) {
                return "two regions overlap";
            }
        }
    }
    return NULL;
}

static const char *layout_fault(const struct serin_flash *flash, const struct serin_layout *layout)
{
    const char *fault = geometry_fault(flash);
    if (fault == NULL) {
        fault = region_fault(flash, layout);
    }
    if (fault != NULL) {
        return fault;
    }
    if (!two_banks(flash, &layout->boot_log, SERIN_BOOT_RECORD_SIZE)) {
        return "the boot log does not hold two banks of a record";
    }
    if (!two_banks(flash, &layout->trust, serin_trust_bank_size(flash))) {
        return "the trust region does not hold two records";
    }
    if (!two_banks(flash, &layout->agent_log, SERIN_AGENT_RECORD_SIZE)) {
        return "the agent log does not hold two banks of a record";
    }
    if (!scratch_fits(flash, layout)) {
        return "the scratch region does not hold a download record and a spare sector";
    }
    if (layout->slot[0].size != layout->slot[1].size) {
        return "the slots differ in size";
    }
    if (!slots_alike(flash, layout)) {
        return "the slots differ in their sectors";
    }
    struct serin_slot_map map;
    serin_slot_map(flash, layout, &map);
    if (map.image_capacity == 0) {
        return "a slot is too small for an image of one piece";
    }
    if (pieces_straddle(flash, layout, &map)) {
        return "a piece of the image (4096 bytes) shares a sector with a part of another one";
    }
    return NULL;
}

enum serin_error serin_layout_check(const struct serin_flash *flash,
                                    const struct serin_layout *layout, const char **what)
{
    const char *fault = layout_fault(flash, layout);
    if (what != NULL) {
        *what = fault;
    }
    return fault == NULL ? SERIN_OK : SERIN_ERR_LAYOUT;
}

/* ---- the default ---- */

/* Two banks of at least `bytes` in one run of equal sectors, at `*address` or behind it. */
static bool place_banks(const struct serin_flash *flash, uint32_t bytes, uint32_t *address,
                        struct serin_region *region)
{
    uint32_t sector;
    while (*address < flash->size_bytes) {
        uint32_t end = run_at(flash, *address, &sector);
        uint32_t size = 2u * serin_round_up(serin_round_up(bytes, serin_flash_unit(flash)), sector);
        if (size <= end - *address) {
            *region = (struct serin_region){.address = *address, .size = size};
            *address += size;
            return true;
        }
        *address = end;
    }
    return false;
}

/* The download record, a spare sector, and room for a checkpoint where a sector does not cost more
 * than that. */
static bool place_scratch(const struct serin_flash *flash, uint32_t *address,
                          struct serin_region *region)
{
    const struct serin_region rest = {.address = *address, .size = flash->size_bytes - *address};
    uint32_t spare = largest_sector(flash, &rest);
    uint32_t end = *address;
    const uint32_t parts[] = {SERIN_SCRATCH_RECORD_SIZE,
                              spare <= SERIN_PIECE_SIZE ? 2u * SERIN_PIECE_SIZE : spare};
    for (size_t i = 0; i < 2; i++) {
        if (parts[i] > flash->size_bytes - end) {
            return false;
        }
        end = serin_flash_border_from(flash, end + parts[i]);
    }
    *region = (struct serin_region){.address = *address, .size = end - *address};
    *address = end;
    return true;
}

/* Where a slot may begin: at `from`, and at each run behind it. */
static uint32_t next_start(const struct serin_flash *flash, uint32_t start)
{
    uint32_t sector;
    return run_at(flash, start, &sector);
}

/* The largest two slots of the same sectors, at `from` or behind it. */
static void place_slots(const struct serin_flash *flash, uint32_t from, struct serin_layout *layout)
{
    uint32_t best = 0;
    for (uint32_t a = from; a < flash->size_bytes; a = next_start(flash, a)) {
        uint32_t sector;
        uint32_t end = run_at(flash, a, &sector);
        for (uint32_t b = a + (end - a) / 2u / sector * sector; b < flash->size_bytes;
             b = next_start(flash, b)) {
            uint32_t size = b > a ? alike(flash, a, b) : 0;
            if (size > best) {
                best = size;
                layout->slot[0] = (struct serin_region){.address = a, .size = size};
                layout->slot[1] = (struct serin_region){.address = b, .size = size};
            }
        }
    }
}

enum serin_error serin_layout_default(const struct serin_flash *flash, struct serin_layout *layout)
{
    memset(layout, 0, sizeof *layout);
    if (geometry_fault(flash) != NULL) {
        return SERIN_ERR_LAYOUT;
    }
    /* Several records to a bank, so that a bank is erased once in a while only. */
    uint32_t boot_stride = serin_round_up(SERIN_BOOT_RECORD_SIZE, serin_flash_unit(flash));
    uint32_t address = 0;
    bool placed = place_banks(flash, 16u * boot_stride, &address, &layout->boot_log) &&
                  place_banks(flash, serin_trust_bank_size(flash), &address, &layout->trust) &&
                  place_banks(flash, 4u * SERIN_AGENT_RECORD_SIZE, &address, &layout->agent_log) &&
                  address < flash->size_bytes && place_scratch(flash, &address, &layout->scratch);
    if (placed) {
        place_slots(flash, address, layout);
    }
    return placed && serin_layout_check(flash, layout, NULL) == SERIN_OK
               ? SERIN_OK
               : serin_layout_search(flash, layout);
}
