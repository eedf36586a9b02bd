/* Flash in memory that is as strict as the strictest part: its rules, and the port. */
#include "emulator_internal.h"

#include <serin/assert.h>

#include <stdlib.h>
#include <string.h>

static enum serin_error breach(struct serin_flash_emulator *emulator, const char *rule)
{
    emulator->state.figures.breaches++;
    emulator->state.rule = rule;
    return SERIN_ERR_FLASH;
}

/* ---- geometry ---- */

bool emulator_inside(const struct serin_flash_emulator *emulator, uint32_t address, size_t size)
{
    return address <= emulator->config.size_bytes && size <= emulator->config.size_bytes - address;
}

static const struct sector_run *run_at(const struct serin_flash_emulator *emulator,
                                       uint32_t address)
{
    uint32_t i = emulator->run_count - 1u;
    while (i > 0 && address < emulator->runs[i].address) {
        i--;
    }
    return &emulator->runs[i];
}

bool emulator_at_sector(const struct serin_flash_emulator *emulator, uint32_t address)
{
    const struct sector_run *run = run_at(emulator, address);
    return (address - run->address) % run->size == 0;
}

uint32_t serin_flash_emulator_sector_count(const struct serin_flash_emulator *emulator)
{
    return emulator->sector_count;
}

uint32_t serin_flash_emulator_sector_at(const struct serin_flash_emulator *emulator,
                                        uint32_t address)
{
    SERIN_ASSERT(emulator_inside(emulator, address, 1));
    const struct sector_run *run = run_at(emulator, address);
    return run->first + (address - run->address) / run->size;
}

void serin_flash_emulator_sector(const struct serin_flash_emulator *emulator, uint32_t sector,
                                 struct serin_region *region)
{
    SERIN_ASSERT(sector < emulator->sector_count);
    uint32_t i = emulator->run_count - 1u;
    while (sector < emulator->runs[i].first) {
        i--;
    }
    const struct sector_run *run = &emulator->runs[i];
    *region = (struct serin_region){.address = run->address + (sector - run->first) * run->size,
                                    .size = run->size};
}

/* ---- the port ---- */

/* What becomes of an operation at which a fault fires. */
enum effect { EFFECT_DONE, EFFECT_NOTHING, EFFECT_TEAR };

static enum effect effect_of(enum serin_flash_fault_kind kind)
{
    static const enum effect effects[SERIN_FLASH_FAULT_KIND_COUNT] = {
        [SERIN_FLASH_FAULT_NONE] = EFFECT_DONE,
        [SERIN_FLASH_FAULT_BEFORE] = EFFECT_NOTHING,
        [SERIN_FLASH_FAULT_AFTER] = EFFECT_DONE,
        [SERIN_FLASH_FAULT_INSIDE] = EFFECT_TEAR,
        [SERIN_FLASH_FAULT_PROGRAM_PREFIX] = EFFECT_TEAR,
        [SERIN_FLASH_FAULT_PROGRAM_NEW] = EFFECT_TEAR,
        [SERIN_FLASH_FAULT_PROGRAM_SUBSET] = EFFECT_TEAR,
        [SERIN_FLASH_FAULT_PROGRAM_SCATTER] = EFFECT_TEAR,
        [SERIN_FLASH_FAULT_ERASE_PART] = EFFECT_TEAR,
        [SERIN_FLASH_FAULT_ERASE_OLD] = EFFECT_TEAR,
        [SERIN_FLASH_FAULT_ERASE_ERASED] = EFFECT_TEAR,
        [SERIN_FLASH_FAULT_ERASE_HALF] = EFFECT_TEAR,
        [SERIN_FLASH_FAULT_ERASE_GARBAGE] = EFFECT_TEAR,
        [SERIN_FLASH_FAULT_ERASE_MIX] = EFFECT_TEAR,
        [SERIN_FLASH_FAULT_FAILS] = EFFECT_NOTHING,
        [SERIN_FLASH_FAULT_FAILS_DONE] = EFFECT_DONE,
        [SERIN_FLASH_FAULT_ROT] = EFFECT_NOTHING, /* never at an operation */
    };
    return effects[kind];
}

static enum serin_error emulator_read(void *ctx, uint32_t address, void *out, size_t size)
{
    struct serin_flash_emulator *emulator = ctx;
    enum serin_error error = SERIN_OK;
    if (emulator->state.off) {
        return SERIN_ERR_FLASH;
    }
    if (!emulator_inside(emulator, address, size)) {
        return breach(emulator, "a read is outside the flash");
    }
    if (emulator_in_broken(emulator, address, size, SERIN_BREAKAGE_UNREADABLE) ||
        !emulator_cells_read(emulator, address, out, size, &error)) {
        return SERIN_ERR_FLASH;
    }
    return error;
}

static const char *program_breach(const struct serin_flash_emulator *emulator, uint32_t address,
                                  size_t size)
{
    uint32_t unit = emulator->config.write_unit;
    if (size == 0) {
        return "a program has no bytes";
    }
    if (address % unit != 0 || size % unit != 0) {
        return "a program is not aligned to write units";
    }
    return emulator_inside(emulator, address, size) ? NULL : "a program is outside the flash";
}

static bool do_program(struct serin_flash_emulator *emulator, uint32_t address, const uint8_t *data,
                       size_t size, const struct serin_flash_fault *fault)
{
    switch (effect_of(fault->kind)) {
    case EFFECT_NOTHING:
        return true;
    case EFFECT_TEAR:
        return emulator_tear_program(emulator, address, data, size, fault);
    case EFFECT_DONE:
        break;
    }
    return emulator_cells_program(emulator, address, data, size);
}

static enum serin_error emulator_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    struct serin_flash_emulator *emulator = ctx;
    if (emulator->state.off) {
        return SERIN_ERR_FLASH;
    }
    const char *rule = program_breach(emulator, address, size);
    if (rule != NULL) {
        return breach(emulator, rule);
    }
    enum obstacle obstacle = emulator_cells_judge(emulator, address, data, size);
    if (obstacle == OBSTACLE_PROGRAMMED) {
        return breach(emulator, "a write unit is programmed twice");
    }
    if (obstacle == OBSTACLE_BIT_BACK) {
        return breach(emulator, "a program moves a bit back to the erased value");
    }
    struct serin_flash_fault fault = emulator_begin(emulator, SERIN_FLASH_PROGRAM, address, size);
    bool done = !emulator_in_broken(emulator, address, size, SERIN_BREAKAGE_FAILS);
    if (done && obstacle == OBSTACLE_REFUSED) {
        emulator->state.figures.refused++;
        done = false;
    }
    done = done && do_program(emulator, address, data, size, &fault);
    emulator_end(emulator);
    return done && fault.kind == SERIN_FLASH_FAULT_NONE ? SERIN_OK : SERIN_ERR_FLASH;
}

static const char *erase_breach(const struct serin_flash_emulator *emulator, uint32_t address,
                                size_t size)
{
    if (size == 0) {
        return "an erase has no bytes";
    }
    if (!emulator_inside(emulator, address, size)) {
        return "an erase is outside the flash";
    }
    bool whole = emulator_at_sector(emulator, address) &&
                 emulator_at_sector(emulator, address + (uint32_t)size);
    return whole ? NULL : "an erase is not of whole sectors";
}

static bool do_erase(struct serin_flash_emulator *emulator, uint32_t address, size_t size,
                     const struct serin_flash_fault *fault)
{
    switch (effect_of(fault->kind)) {
    case EFFECT_NOTHING:
        return true;
    case EFFECT_TEAR:
        return emulator_tear_erase(emulator, address, size, fault);
    case EFFECT_DONE:
        break;
    }
    return emulator_cells_erase(emulator, address, size);
}

static enum serin_error emulator_erase(void *ctx, uint32_t address, size_t size)
{
    struct serin_flash_emulator *emulator = ctx;
    if (emulator->state.off) {
        return SERIN_ERR_FLASH;
    }
    const char *rule = erase_breach(emulator, address, size);
    if (rule != NULL) {
        return breach(emulator, rule);
    }
    struct serin_flash_fault fault = emulator_begin(emulator, SERIN_FLASH_ERASE, address, size);
    bool done = !emulator_in_broken(emulator, address, size, SERIN_BREAKAGE_FAILS);
    done = done && do_erase(emulator, address, size, &fault);
    emulator_end(emulator);
    return done && fault.kind == SERIN_FLASH_FAULT_NONE ? SERIN_OK : SERIN_ERR_FLASH;
}

/* ---- opening ---- */

/* Takes over the sectors of the configuration; false: they cannot be. */
static bool take_runs(struct serin_flash_emulator *emulator)
{
    const struct serin_flash_emulator_config *config = &emulator->config;
    uint64_t size = 0;
    for (uint32_t i = 0; i < SERIN_FLASH_EMULATOR_RUNS && config->runs[i].count > 0; i++) {
        const struct serin_flash_run *run = &config->runs[i];
        if (run->size == 0 || run->size % config->write_unit != 0 ||
            run->size > (SERIN_FLASH_SIZE_MAX - size) / run->count) {
            return false;
        }
        emulator->runs[emulator->run_count++] = (struct sector_run){.address = (uint32_t)size,
                                                                    .first = emulator->sector_count,
                                                                    .count = run->count,
                                                                    .size = run->size};
        size += (uint64_t)run->size * run->count;
        emulator->sector_count += run->count;
    }
    bool fits = config->size_bytes == 0 || config->size_bytes == size;
    emulator->config.size_bytes = (uint32_t)size;
    return fits;
}

static bool take_geometry(struct serin_flash_emulator *emulator)
{
    struct serin_flash_emulator_config *config = &emulator->config;
    if (config->write_unit == 0 || config->write_unit > SERIN_FLASH_UNIT_MAX ||
        (config->erased_value != 0xFF && config->erased_value != 0x00) ||
        (config->ecc && config->programming == SERIN_FLASH_AND)) {
        return false;
    }
    if (config->runs[0].count > 0) {
        return take_runs(emulator);
    }
    if (config->sector_size == 0 || config->size_bytes == 0 ||
        config->size_bytes > SERIN_FLASH_SIZE_MAX ||
        config->sector_size % config->write_unit != 0 ||
        config->size_bytes % config->sector_size != 0) {
        return false;
    }
    emulator->run_count = 1;
    emulator->sector_count = config->size_bytes / config->sector_size;
    emulator->runs[0] =
        (struct sector_run){.count = emulator->sector_count, .size = config->sector_size};
    return true;
}

static uint32_t largest_sector(const struct serin_flash_emulator *emulator)
{
    uint32_t largest = 0;
    for (uint32_t i = 0; i < emulator->run_count; i++) {
        largest = emulator->runs[i].size > largest ? emulator->runs[i].size : largest;
    }
    return largest;
}

static const struct serin_flash_ops emulator_ops = {
    .read = emulator_read, .program = emulator_program, .erase = emulator_erase};

enum serin_error serin_flash_emulator_open(struct serin_flash_emulator **emulator,
                                           const struct serin_flash_emulator_config *config)
{
    *emulator = NULL;
    struct serin_flash_emulator *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    made->config = *config;
    if (!take_geometry(made)) {
        free(made);
        return SERIN_ERR_INVALID;
    }
    made->page_units = EMULATOR_PAGE_BYTES / config->write_unit;
    made->page_bytes = made->page_units * config->write_unit;
    made->page_count = (made->config.size_bytes - 1u) / made->page_bytes + 1u;
    made->state.noise = config->seed * 2u + 1u;
    made->state.jitter = emulator_seed(config->seed, 0);
    made->flash = (struct serin_flash){.ops = &emulator_ops,
                                       .ctx = made,
                                       .size_bytes = made->config.size_bytes,
                                       .sector_size = largest_sector(made),
                                       .write_unit = config->write_unit,
                                       .erased_value = config->erased_value};
    if (config->runs[0].count > 0) {
        made->flash.runs = made->config.runs;
        made->flash.run_count = (uint8_t)made->run_count;
    }
    if (!emulator_pages_open(made)) {
        serin_flash_emulator_close(made);
        return SERIN_ERR_MEMORY;
    }
    *emulator = made;
    return SERIN_OK;
}

void serin_flash_emulator_close(struct serin_flash_emulator *emulator)
{
    if (emulator != NULL) {
        emulator_pages_close(emulator);
        free(emulator);
    }
}

const struct serin_flash *serin_flash_emulator_flash(struct serin_flash_emulator *emulator)
{
    return &emulator->flash;
}

/* ---- power ---- */

void serin_flash_emulator_power_off(struct serin_flash_emulator *emulator)
{
    emulator->state.off = true;
}

bool serin_flash_emulator_is_off(const struct serin_flash_emulator *emulator)
{
    return emulator->state.off;
}

void serin_flash_emulator_power_on(struct serin_flash_emulator *emulator)
{
    if (emulator->state.off) {
        emulator->state.off = false;
        emulator_cells_power_on(emulator);
    }
}

/* ---- what happened ---- */

uint64_t serin_flash_emulator_operations(const struct serin_flash_emulator *emulator)
{
    return emulator->state.figures.operations;
}

uint64_t serin_flash_emulator_breaches(const struct serin_flash_emulator *emulator)
{
    return emulator->state.figures.breaches;
}

const char *serin_flash_emulator_breach(const struct serin_flash_emulator *emulator)
{
    return emulator->state.rule;
}

bool serin_flash_emulator_operation(const struct serin_flash_emulator *emulator, uint64_t n,
                                    struct serin_flash_operation *operation)
{
    uint64_t count = emulator->state.figures.operations;
    if (n < emulator->history_begin || n >= count || count - n > EMULATOR_HISTORY) {
        return false;
    }
    *operation = emulator->history[n % EMULATOR_HISTORY];
    return true;
}

uint32_t serin_flash_emulator_wear(const struct serin_flash_emulator *emulator, uint32_t address)
{
    return emulator->wear[serin_flash_emulator_sector_at(emulator, address)];
}

void serin_flash_emulator_peek(const struct serin_flash_emulator *emulator, uint32_t address,
                               void *out, size_t size)
{
    uint8_t *room = out;
    SERIN_ASSERT(emulator_inside(emulator, address, size));
    while (size > 0) {
        struct stretch stretch = emulator_stretch(emulator, address, size);
        const struct page *page = emulator->pages[stretch.index];
        if (page == NULL) {
            memset(room, emulator->config.erased_value, stretch.size);
        } else {
            memcpy(room, page->bytes + stretch.offset, stretch.size);
        }
        address += stretch.size;
        room += stretch.size;
        size -= stretch.size;
    }
}
