/* Flash in memory that is as strict as the strictest part, and that loses power on demand. */
#include <serin/emulator/flash_emulator.h>

#include <serin/assert.h>

#include <stdlib.h>
#include <string.h>

#define HISTORY 4096u

enum unit_state { UNIT_ERASED, UNIT_PROGRAMMED, UNIT_TORN };

struct serin_flash_emulator {
    struct serin_flash flash;
    struct serin_flash_emulator_config config;
    uint8_t *bytes;
    uint8_t *units;  /* enum unit_state of each write unit */
    uint32_t *wear;  /* erases of each sector */
    uint64_t random; /* state of the noise */
    uint64_t operations, breaches;
    uint64_t cut_at; /* operation number, 0: none */
    enum serin_cut cut;
    bool off;
    struct serin_region broken;
    enum serin_breakage breakage;
    struct serin_flash_operation history[HISTORY];
};

/* xorshift64*: noise that a seed repeats. */
static uint64_t noise(struct serin_flash_emulator *emulator)
{
    uint64_t x = emulator->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    emulator->random = x;
    return x * UINT64_C(2685821657736338717);
}

static enum serin_error breach(struct serin_flash_emulator *emulator)
{
    emulator->breaches++;
    return SERIN_ERR_FLASH;
}

static bool inside(const struct serin_flash_emulator *emulator, uint32_t address, size_t size)
{
    return address <= emulator->config.size_bytes && size <= emulator->config.size_bytes - address;
}

static bool in_broken(const struct serin_flash_emulator *emulator, uint32_t address, size_t size,
                      enum serin_breakage how)
{
    const struct serin_region *broken = &emulator->broken;
    return emulator->breakage == how && broken->size > 0 &&
           address < broken->address + broken->size && broken->address < address + size;
}

/* Counts the operation and says whether it is the one that the power goes in. */
static enum serin_cut begin(struct serin_flash_emulator *emulator,
                            enum serin_flash_operation_kind kind, uint32_t address, size_t size)
{
    emulator->history[emulator->operations % HISTORY] =
        (struct serin_flash_operation){.kind = kind, .address = address, .size = (uint32_t)size};
    emulator->operations++;
    if (emulator->cut == SERIN_CUT_NONE || emulator->operations != emulator->cut_at) {
        return SERIN_CUT_NONE;
    }
    enum serin_cut cut = emulator->cut;
    emulator->cut = SERIN_CUT_NONE;
    emulator->off = true;
    return cut;
}

static enum serin_error emulator_read(void *ctx, uint32_t address, void *out, size_t size)
{
    struct serin_flash_emulator *emulator = ctx;
    if (emulator->off) {
        return SERIN_ERR_FLASH;
    }
    if (!inside(emulator, address, size)) {
        return breach(emulator);
    }
    uint32_t unit = emulator->config.write_unit;
    for (size_t at = address / unit; emulator->config.ecc && at * unit < address + size; at++) {
        if (emulator->units[at] == UNIT_TORN) {
            return SERIN_ERR_FLASH;
        }
    }
    memcpy(out, emulator->bytes + address, size);
    return SERIN_OK;
}

/* Moves bits away from the erased value, never back. */
static uint8_t programmed(const struct serin_flash_emulator *emulator, uint8_t old, uint8_t new)
{
    return emulator->config.erased_value == 0xFF ? old & new : old | new;
}

static void program_bytes(struct serin_flash_emulator *emulator, uint32_t address,
                          const uint8_t *data, size_t size, enum unit_state last)
{
    uint32_t unit = emulator->config.write_unit;
    for (size_t i = 0; i < size; i++) {
        uint8_t *byte = &emulator->bytes[address + i];
        if (!in_broken(emulator, address + (uint32_t)i, 1, SERIN_BREAKAGE_STUCK)) {
            *byte = programmed(emulator, *byte, data[i]);
        }
        emulator->units[(address + i) / unit] = UNIT_PROGRAMMED;
    }
    if (size > 0) {
        emulator->units[(address + size - 1u) / unit] = (uint8_t)last;
    }
}

/* What a power cut inside a program leaves: a run of whole bytes, and one that is half done. */
static void tear_program(struct serin_flash_emulator *emulator, uint32_t address,
                         const uint8_t *data, size_t size)
{
    size_t whole = (size_t)(noise(emulator) % size);
    uint8_t torn = (uint8_t)(data[whole] | noise(emulator));
    if (emulator->config.erased_value == 0x00) {
        torn = (uint8_t)(data[whole] & noise(emulator));
    }
    program_bytes(emulator, address, data, whole, UNIT_PROGRAMMED);
    program_bytes(emulator, address + (uint32_t)whole, &torn, 1, UNIT_TORN);
}

static enum serin_error emulator_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    struct serin_flash_emulator *emulator = ctx;
    uint32_t unit = emulator->config.write_unit;
    if (emulator->off) {
        return SERIN_ERR_FLASH;
    }
    if (size == 0 || address % unit != 0 || size % unit != 0 || !inside(emulator, address, size)) {
        return breach(emulator);
    }
    for (size_t at = address / unit; at < (address + size) / unit; at++) {
        if (emulator->units[at] != UNIT_ERASED) {
            return breach(emulator);
        }
    }
    enum serin_cut cut = begin(emulator, SERIN_FLASH_PROGRAM, address, size);
    if (in_broken(emulator, address, size, SERIN_BREAKAGE_FAILS)) {
        return SERIN_ERR_FLASH;
    }
    switch (cut) {
    case SERIN_CUT_NONE:
    case SERIN_CUT_AFTER:
        program_bytes(emulator, address, data, size, UNIT_PROGRAMMED);
        break;
    case SERIN_CUT_INSIDE:
        tear_program(emulator, address, data, size);
        break;
    case SERIN_CUT_BEFORE:
        break;
    }
    return cut == SERIN_CUT_NONE ? SERIN_OK : SERIN_ERR_FLASH;
}

static void erase_sector(struct serin_flash_emulator *emulator, uint32_t sector)
{
    uint32_t size = emulator->config.sector_size;
    uint32_t unit = emulator->config.write_unit;
    memset(emulator->bytes + (size_t)sector * size, emulator->config.erased_value, size);
    memset(emulator->units + (size_t)sector * size / unit, UNIT_ERASED, size / unit);
    emulator->wear[sector]++;
}

/* What a power cut inside an erase leaves in one sector: old bytes, erased bytes and noise. */
static void tear_sector(struct serin_flash_emulator *emulator, uint32_t sector)
{
    uint32_t size = emulator->config.sector_size;
    uint32_t unit = emulator->config.write_unit;
    uint8_t *bytes = emulator->bytes + (size_t)sector * size;
    for (uint32_t i = 0; i < size; i++) {
        uint64_t dice = noise(emulator);
        if (dice % 4u == 0) {
            bytes[i] = (uint8_t)(dice >> 8);
        } else if (dice % 4u != 1u) {
            bytes[i] = emulator->config.erased_value;
        }
    }
    memset(emulator->units + (size_t)sector * size / unit, UNIT_TORN, size / unit);
    emulator->wear[sector]++;
}

static enum serin_error emulator_erase(void *ctx, uint32_t address, size_t size)
{
    struct serin_flash_emulator *emulator = ctx;
    uint32_t sector_size = emulator->config.sector_size;
    if (emulator->off) {
        return SERIN_ERR_FLASH;
    }
    if (size == 0 || address % sector_size != 0 || size % sector_size != 0 ||
        !inside(emulator, address, size)) {
        return breach(emulator);
    }
    uint32_t first = address / sector_size;
    uint32_t count = (uint32_t)(size / sector_size);
    enum serin_cut cut = begin(emulator, SERIN_FLASH_ERASE, address, size);
    if (in_broken(emulator, address, size, SERIN_BREAKAGE_FAILS)) {
        return SERIN_ERR_FLASH;
    }
    uint32_t whole = count;
    if (cut == SERIN_CUT_BEFORE) {
        whole = 0;
    } else if (cut == SERIN_CUT_INSIDE) {
        whole = (uint32_t)(noise(emulator) % count);
    }
    for (uint32_t i = 0; i < whole; i++) {
        erase_sector(emulator, first + i);
    }
    if (cut == SERIN_CUT_INSIDE) {
        tear_sector(emulator, first + whole);
    }
    return cut == SERIN_CUT_NONE ? SERIN_OK : SERIN_ERR_FLASH;
}

static const struct serin_flash_ops emulator_ops = {
    .read = emulator_read, .program = emulator_program, .erase = emulator_erase};

static size_t unit_count(const struct serin_flash_emulator_config *config)
{
    return config->size_bytes / config->write_unit;
}

static size_t sector_count(const struct serin_flash_emulator_config *config)
{
    return config->size_bytes / config->sector_size;
}

enum serin_error serin_flash_emulator_open(struct serin_flash_emulator **emulator,
                                           const struct serin_flash_emulator_config *config)
{
    *emulator = NULL;
    if (config->write_unit == 0 || config->sector_size == 0 || config->size_bytes == 0 ||
        config->sector_size % config->write_unit != 0 ||
        config->size_bytes % config->sector_size != 0) {
        return SERIN_ERR_INVALID;
    }
    struct serin_flash_emulator *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    made->config = *config;
    made->random = config->seed * 2u + 1u;
    made->bytes = malloc(config->size_bytes);
    made->units = calloc(unit_count(config), 1);
    made->wear = calloc(sector_count(config), sizeof *made->wear);
    if (made->bytes == NULL || made->units == NULL || made->wear == NULL) {
        serin_flash_emulator_close(made);
        return SERIN_ERR_MEMORY;
    }
    memset(made->bytes, config->erased_value, config->size_bytes);
    made->flash = (struct serin_flash){.ops = &emulator_ops,
                                       .ctx = made,
                                       .size_bytes = config->size_bytes,
                                       .sector_size = config->sector_size,
                                       .write_unit = config->write_unit,
                                       .erased_value = config->erased_value};
    *emulator = made;
    return SERIN_OK;
}

void serin_flash_emulator_close(struct serin_flash_emulator *emulator)
{
    if (emulator == NULL) {
        return;
    }
    free(emulator->bytes);
    free(emulator->units);
    free(emulator->wear);
    free(emulator);
}

enum serin_error serin_flash_emulator_copy(struct serin_flash_emulator **copy,
                                           const struct serin_flash_emulator *emulator)
{
    enum serin_error error = serin_flash_emulator_open(copy, &emulator->config);
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_flash_emulator *made = *copy;
    const struct serin_flash_emulator_config *config = &emulator->config;
    memcpy(made->bytes, emulator->bytes, config->size_bytes);
    memcpy(made->units, emulator->units, unit_count(config));
    memcpy(made->wear, emulator->wear, sector_count(config) * sizeof *made->wear);
    memcpy(made->history, emulator->history, sizeof made->history);
    made->random = emulator->random;
    made->operations = emulator->operations;
    made->breaches = emulator->breaches;
    made->broken = emulator->broken;
    made->breakage = emulator->breakage;
    return SERIN_OK;
}

const struct serin_flash *serin_flash_emulator_flash(struct serin_flash_emulator *emulator)
{
    return &emulator->flash;
}

void serin_flash_emulator_cut(struct serin_flash_emulator *emulator, uint64_t nth,
                              enum serin_cut cut)
{
    SERIN_ASSERT(nth >= 1);
    emulator->cut = cut;
    emulator->cut_at = emulator->operations + nth;
}

void serin_flash_emulator_power_off(struct serin_flash_emulator *emulator)
{
    emulator->off = true;
}

bool serin_flash_emulator_is_off(const struct serin_flash_emulator *emulator)
{
    return emulator->off;
}

void serin_flash_emulator_power_on(struct serin_flash_emulator *emulator)
{
    emulator->off = false;
}

uint64_t serin_flash_emulator_operations(const struct serin_flash_emulator *emulator)
{
    return emulator->operations;
}

bool serin_flash_emulator_operation(const struct serin_flash_emulator *emulator, uint64_t n,
                                    struct serin_flash_operation *operation)
{
    if (n >= emulator->operations || emulator->operations - n > HISTORY) {
        return false;
    }
    *operation = emulator->history[n % HISTORY];
    return true;
}

uint64_t serin_flash_emulator_breaches(const struct serin_flash_emulator *emulator)
{
    return emulator->breaches;
}

uint32_t serin_flash_emulator_wear(const struct serin_flash_emulator *emulator, uint32_t address)
{
    SERIN_ASSERT(inside(emulator, address, 1));
    return emulator->wear[address / emulator->config.sector_size];
}

void serin_flash_emulator_rot(struct serin_flash_emulator *emulator, uint32_t address, uint8_t mask)
{
    SERIN_ASSERT(inside(emulator, address, 1));
    emulator->bytes[address] ^= mask;
}

void serin_flash_emulator_break(struct serin_flash_emulator *emulator, uint32_t address,
                                uint32_t size, enum serin_breakage how)
{
    emulator->breakage = how;
    SERIN_ASSERT(inside(emulator, address, size));
    emulator->broken = (struct serin_region){.address = address, .size = size};
}
