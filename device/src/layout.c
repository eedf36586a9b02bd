/* Geometry and layout: the rules, the default, and the parts of a slot (docs/spec/flash.md). */
#include <serin/piece.h>
#include <serin/trust.h>

#include "flash_io.h"
#include "journal.h"
#include "slot.h"
#include "trust_region.h"

#define REGION_COUNT 6u

static bool power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1u)) == 0;
}

static uint32_t bank_least(const struct serin_flash *flash, uint32_t bytes)
{
    return serin_round_up(serin_round_up(bytes, flash->write_unit), flash->sector_size);
}

/* The rule of the geometry that is broken, or NULL. */
static const char *geometry_fault(const struct serin_flash *flash)
{
    if (!power_of_two(flash->sector_size) || flash->sector_size < 256u) {
        return "the erase sector is not a power of two of at least 256 bytes";
    }
    if (flash->sector_size > SERIN_PIECE_SIZE) {
        return "erase sectors larger than a piece (4096 bytes) are not supported";
    }
    if (!power_of_two(flash->write_unit) || flash->write_unit > SERIN_FLASH_UNIT_MAX ||
        flash->write_unit > flash->sector_size) {
        return "the write unit is not a power of two of 1 to 512 bytes within a sector";
    }
    if (flash->erased_value != 0xFF && flash->erased_value != 0x00) {
        return "the erased value is neither 0xFF nor 0x00";
    }
    if (flash->size_bytes == 0 || flash->size_bytes > SERIN_FLASH_SIZE_MAX ||
        flash->size_bytes % flash->sector_size != 0) {
        return "the size is not a multiple of the sector, or over 2 GiB";
    }
    return NULL;
}

/* How large the parts of a slot are that depend on the number of pieces. */
static void slot_parts(const struct serin_flash *flash, uint32_t pieces, struct serin_slot_map *map)
{
    map->pieces_offset = map->manifest_offset + map->manifest_size;
    map->pieces_size = serin_round_up(pieces * SERIN_SHA256_SIZE, flash->sector_size);
    map->journal_offset = map->pieces_offset + map->pieces_size;
    map->journal_size = serin_round_up((pieces + SERIN_JOURNAL_FIRST_PIECE) * map->journal_stride,
                                       flash->sector_size);
    map->image_offset = map->journal_offset + map->journal_size;
    map->image_capacity = pieces * SERIN_PIECE_SIZE;
}

void serin_slot_map(const struct serin_flash *flash, const struct serin_layout *layout,
                    struct serin_slot_map *map)
{
    uint32_t size = layout->slot[0].size;
    uint32_t marker_stride = serin_round_up(SERIN_MARKER_SIZE, flash->write_unit);
    map->manifest_offset = 0;
    map->marker_offset = serin_round_up(SERIN_MANIFEST_MAX, flash->write_unit);
    map->manifest_size = serin_round_up(map->marker_offset + marker_stride, flash->sector_size);
    map->marker_count = (map->manifest_size - map->marker_offset) / marker_stride;
    if (map->marker_count > SERIN_MARKERS_MAX) {
        map->marker_count = SERIN_MARKERS_MAX;
    }
    map->journal_stride = serin_round_up(SERIN_JOURNAL_ENTRY_SIZE, flash->write_unit);

    /* Start from the number that would fit without rounding to sectors; rounding costs few pieces,
     * so this ends soon. */
    uint32_t cost = SERIN_PIECE_SIZE + SERIN_SHA256_SIZE + map->journal_stride;
    uint32_t pieces = size > map->manifest_size ? (size - map->manifest_size) / cost : 0;
    slot_parts(flash, pieces, map);
    while (pieces > 0 && map->image_offset + map->image_capacity > size) {
        pieces--;
        slot_parts(flash, pieces, map);
    }
}

static bool whole_sectors(const struct serin_flash *flash, const struct serin_region *region)
{
    return region->size > 0 && region->address % flash->sector_size == 0 &&
           region->size % flash->sector_size == 0 && region->address <= flash->size_bytes &&
           region->size <= flash->size_bytes - region->address;
}

static bool overlap(const struct serin_region *a, const struct serin_region *b)
{
    return a->address < b->address + b->size && b->address < a->address + a->size;
}

/* Whether the region holds two banks of whole sectors, each of at least `bytes`. */
static bool two_banks(const struct serin_flash *flash, const struct serin_region *region,
                      uint32_t bytes)
{
    return region->size % (2u * flash->sector_size) == 0 &&
           region->size / 2u >= bank_least(flash, bytes);
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
    if (layout->scratch.size < SERIN_SCRATCH_RECORD_SIZE + flash->sector_size) {
        return "the scratch region does not hold a download record and a spare sector";
    }
    if (layout->slot[0].size != layout->slot[1].size) {
        return "the slots differ in size";
    }
    struct serin_slot_map map;
    serin_slot_map(flash, layout, &map);
    if (map.image_capacity == 0) {
        return "a slot is too small for an image of one piece";
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

enum serin_error serin_layout_default(const struct serin_flash *flash, struct serin_layout *layout)
{
    if (geometry_fault(flash) != NULL) {
        return SERIN_ERR_LAYOUT;
    }
    /* Several records to a bank, so that a bank is erased once in a while only; a scratch of three
     * pieces: the download record, the spare erase sector, and room for a checkpoint. */
    uint32_t boot_stride = serin_round_up(SERIN_BOOT_RECORD_SIZE, flash->write_unit);
    const uint32_t sizes[] = {
        2u * bank_least(flash, 16u * boot_stride),
        2u * bank_least(flash, serin_trust_bank_size(flash)),
        2u * bank_least(flash, 4u * SERIN_AGENT_RECORD_SIZE),
        3u * SERIN_PIECE_SIZE,
    };
    struct serin_region *const fixed[] = {&layout->boot_log, &layout->trust, &layout->agent_log,
                                          &layout->scratch};
    uint32_t address = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        *fixed[i] = (struct serin_region){.address = address, .size = sizes[i]};
        address += sizes[i];
    }
    if (address >= flash->size_bytes) {
        return SERIN_ERR_LAYOUT;
    }
    uint32_t rest = flash->size_bytes - address;
    uint32_t slot = rest / 2u / flash->sector_size * flash->sector_size;
    layout->slot[0] = (struct serin_region){.address = address, .size = slot};
    layout->slot[1] = (struct serin_region){.address = address + slot, .size = slot};
    return serin_layout_check(flash, layout, NULL);
}
