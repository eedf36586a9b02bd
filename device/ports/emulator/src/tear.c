/* What a power cut leaves of a program or an erase, and rot of cells. */
#include "emulator_internal.h"

#include <string.h>

/* ---- programs ---- */

/* What the bytes hold that are not surely new. */
enum rest { REST_OLD, REST_ONE_BYTE, REST_SUBSET };

struct program_tear {
    const struct serin_flash_fault *fault;
    size_t fresh;       /* bytes before it are new */
    size_t first, last; /* torn units, by their offset from the start of the program */
    enum rest rest;
    uint8_t half_done; /* REST_ONE_BYTE: what byte `fresh` was programmed with, as it were */
    uint64_t noise;
};

static struct program_tear plan_program(struct serin_flash_emulator *emulator, const uint8_t *data,
                                        size_t size, const struct serin_flash_fault *fault)
{
    uint32_t unit = emulator_unit(emulator);
    uint64_t *noise = &emulator->state.noise;
    struct program_tear tear = {
        .fault = fault, .fresh = fault->at, .noise = emulator_seed(fault->seed, fault->operation)};
    if (fault->kind == SERIN_FLASH_FAULT_INSIDE) {
        tear.fresh = (size_t)(emulator_noise(noise) % size);
        tear.rest = REST_ONE_BYTE;
        tear.half_done = (uint8_t)(data[tear.fresh] | emulator_noise(noise));
        if (emulator->config.erased_value == 0x00) {
            tear.half_done = (uint8_t)(data[tear.fresh] & emulator_noise(noise));
        }
    }
    size_t last_byte = tear.fresh < size ? tear.fresh : size - 1u;
    tear.first = tear.last = last_byte / unit * unit;
    if (fault->kind == SERIN_FLASH_FAULT_PROGRAM_NEW) {
        tear.fresh = tear.last + unit;
    } else if (fault->kind == SERIN_FLASH_FAULT_PROGRAM_SUBSET) {
        tear.rest = REST_SUBSET;
    } else if (fault->kind == SERIN_FLASH_FAULT_PROGRAM_SCATTER) {
        tear.rest = REST_SUBSET;
        tear.first = 0;
        tear.last = size - unit;
    }
    return tear;
}

static uint8_t held_by_program(const struct serin_flash_emulator *emulator,
                               struct program_tear *tear, size_t offset, uint32_t address,
                               uint8_t old, uint8_t new)
{
    if (offset < tear->fresh) {
        return new;
    }
    switch (tear->rest) {
    case REST_ONE_BYTE:
        return offset == tear->fresh ? emulator_programmed(emulator, address, old, tear->half_done)
                                     : old;
    case REST_SUBSET:
        return old ^ (uint8_t)((old ^ new) & (uint8_t)(emulator_noise(&tear->noise) >> 32));
    case REST_OLD:
        break;
    }
    return old;
}

static bool tear_unit_of_program(struct serin_flash_emulator *emulator, uint32_t address,
                                 const uint8_t *data, struct program_tear *tear, size_t offset)
{
    uint32_t size = emulator_unit(emulator);
    struct stretch stretch = emulator_stretch(emulator, address + (uint32_t)offset, size);
    struct page *page = emulator_own(emulator, stretch.index);
    uint8_t held[SERIN_FLASH_UNIT_MAX], loose[SERIN_FLASH_UNIT_MAX];
    bool is_old = true, is_new = true;
    if (page == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < size; i++) {
        uint32_t at = address + (uint32_t)offset + i;
        uint8_t old = page->bytes[stretch.offset + i];
        uint8_t new = emulator_programmed(emulator, at, old, data[offset + i]);
        held[i] = held_by_program(emulator, tear, offset + i, at, old, new);
        loose[i] = (uint8_t)((old ^ new) | page->loose[stretch.offset + i]);
        is_old = is_old && held[i] == old;
        is_new = is_new && held[i] == new;
    }
    emulator_unit_tear(emulator, page, stretch.offset, held, loose, tear->fault, is_old || is_new);
    return true;
}

bool emulator_tear_program(struct serin_flash_emulator *emulator, uint32_t address,
                           const uint8_t *data, size_t size, const struct serin_flash_fault *fault)
{
    struct program_tear tear = plan_program(emulator, data, size, fault);
    if (!emulator_cells_program(emulator, address, data, tear.first)) {
        return false;
    }
    for (size_t at = tear.first; at <= tear.last; at += emulator_unit(emulator)) {
        if (!tear_unit_of_program(emulator, address, data, &tear, at)) {
            return false;
        }
    }
    return true;
}

/* ---- erases ---- */

struct erase_tear {
    const struct serin_flash_fault *fault;
    struct serin_region sector; /* the torn one */
    uint32_t half;              /* ERASE_HALF: bytes before this address are erased */
    uint64_t *noise;
};

/* Old, erased, or noise. */
static uint8_t mixed(uint64_t dice, uint8_t old, uint8_t erased)
{
    if (dice % 4u == 0) {
        return (uint8_t)(dice >> 8);
    }
    return dice % 4u != 1u ? erased : old;
}

static uint8_t held_by_erase(const struct erase_tear *tear, uint32_t address, uint8_t old,
                             uint8_t erased)
{
    enum serin_flash_fault_kind kind = tear->fault->kind;
    if (kind == SERIN_FLASH_FAULT_ERASE_OLD) {
        return old;
    }
    if (kind == SERIN_FLASH_FAULT_ERASE_ERASED) {
        return erased;
    }
    if (kind == SERIN_FLASH_FAULT_ERASE_HALF) {
        return address < tear->half ? erased : old;
    }
    uint64_t dice = emulator_noise(tear->noise);
    return kind == SERIN_FLASH_FAULT_ERASE_GARBAGE ? (uint8_t)(dice >> 32)
                                                   : mixed(dice, old, erased);
}

static bool tear_unit_of_erase(struct serin_flash_emulator *emulator, const struct erase_tear *tear,
                               uint32_t address)
{
    uint32_t size = emulator_unit(emulator);
    uint8_t erased = emulator->config.erased_value;
    struct stretch stretch = emulator_stretch(emulator, address, size);
    struct page *page = emulator_own(emulator, stretch.index);
    uint8_t held[SERIN_FLASH_UNIT_MAX], loose[SERIN_FLASH_UNIT_MAX];
    bool is_old = true, is_erased = true;
    if (page == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < size; i++) {
        uint8_t old = page->bytes[stretch.offset + i];
        held[i] = held_by_erase(tear, address + i, old, erased);
        loose[i] = (uint8_t)((old ^ erased) | (held[i] ^ erased) | page->loose[stretch.offset + i]);
        is_old = is_old && held[i] == old;
        is_erased = is_erased && held[i] == erased;
    }
    emulator_unit_tear(emulator, page, stretch.offset, held, loose, tear->fault,
                       is_old || is_erased);
    return true;
}

/* The number of sectors before the one that INSIDE tears. */
static uint32_t drawn_address(struct serin_flash_emulator *emulator, uint32_t address, size_t size)
{
    uint32_t first = serin_flash_emulator_sector_at(emulator, address);
    uint32_t last = serin_flash_emulator_sector_at(emulator, address + (uint32_t)size - 1u);
    struct serin_region sector;
    first += (uint32_t)(emulator_noise(&emulator->state.noise) % (last - first + 1u));
    serin_flash_emulator_sector(emulator, first, &sector);
    return sector.address;
}

bool emulator_tear_erase(struct serin_flash_emulator *emulator, uint32_t address, size_t size,
                         const struct serin_flash_fault *fault)
{
    bool inside = fault->kind == SERIN_FLASH_FAULT_INSIDE;
    uint64_t noise = emulator_seed(fault->seed, fault->operation);
    uint32_t torn = inside ? drawn_address(emulator, address, size) : address + fault->at;
    uint32_t number = serin_flash_emulator_sector_at(emulator, torn);
    struct erase_tear tear = {.fault = fault,
                              .half = address + fault->at,
                              .noise = inside ? &emulator->state.noise : &noise};
    serin_flash_emulator_sector(emulator, number, &tear.sector);
    if (!emulator_cells_erase(emulator, address, tear.sector.address - address)) {
        return false;
    }
    if (fault->kind == SERIN_FLASH_FAULT_ERASE_PART) {
        return true;
    }
    emulator->wear[number]++;
    for (uint32_t at = 0; at < tear.sector.size; at += emulator_unit(emulator)) {
        if (!tear_unit_of_erase(emulator, &tear, tear.sector.address + at)) {
            return false;
        }
    }
    return true;
}

/* ---- rot ---- */

bool emulator_rot_cell(struct serin_flash_emulator *emulator, const struct serin_flash_fault *fault)
{
    uint32_t size = emulator_unit(emulator);
    uint32_t start = fault->at / size * size;
    struct stretch stretch = emulator_stretch(emulator, start, size);
    struct page *page = emulator_own(emulator, stretch.index);
    uint8_t loose[SERIN_FLASH_UNIT_MAX] = {0};
    if (page == NULL) {
        return false;
    }
    if (fault->torn == SERIN_FLASH_TORN_STABLE) {
        page->bytes[stretch.offset + fault->at - start] ^= fault->mask;
        return true;
    }
    loose[fault->at - start] = fault->mask;
    emulator_unit_tear(emulator, page, stretch.offset, page->bytes + stretch.offset, loose, fault,
                       true);
    return true;
}
