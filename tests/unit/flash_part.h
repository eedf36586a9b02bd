/*
 * One emulated flash for a test of its faults, and calls that lose power in an operation.
 */
#ifndef SERIN_TESTS_FLASH_PART_H
#define SERIN_TESTS_FLASH_PART_H

#include "check_main.h"

#include <serin/emulator/flash_emulator.h>

#include <string.h>

#define SECTOR 1024u
#define SIZE   8192u

static struct serin_flash_emulator *emulator;
static const struct serin_flash *flash;

static inline void open_part(const struct serin_flash_emulator_config *config)
{
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, config), SERIN_OK);
    flash = serin_flash_emulator_flash(emulator);
}

static inline void open_plain(uint32_t unit, uint8_t erased)
{
    open_part(&(struct serin_flash_emulator_config){
        .size_bytes = SIZE, .sector_size = SECTOR, .write_unit = unit, .erased_value = erased});
}

static inline void open_ecc(uint32_t unit)
{
    open_part(&(struct serin_flash_emulator_config){.size_bytes = SIZE,
                                                    .sector_size = SECTOR,
                                                    .write_unit = unit,
                                                    .erased_value = 0xFF,
                                                    .ecc = true});
}

static inline void close_part(void)
{
    serin_flash_emulator_close(emulator);
}

static inline enum serin_error program(uint32_t address, const void *data, size_t size)
{
    return flash->ops->program(flash->ctx, address, data, size);
}

static inline enum serin_error erase(uint32_t address, size_t size)
{
    return flash->ops->erase(flash->ctx, address, size);
}

static inline enum serin_error read_at(uint32_t address, void *out, size_t size)
{
    return flash->ops->read(flash->ctx, address, out, size);
}

static inline void power_cycle(void)
{
    serin_flash_emulator_power_off(emulator);
    serin_flash_emulator_power_on(emulator);
}

static inline struct serin_flash_figures figures(void)
{
    struct serin_flash_figures now;
    serin_flash_emulator_figures(emulator, &now);
    return now;
}

/* Sets the fault for the next operation. */
static inline void arm(struct serin_flash_fault fault)
{
    fault.operation = serin_flash_emulator_operations(emulator);
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
}

/* Programs or erases, loses power in it, and has power again. */
static inline void cut_program(struct serin_flash_fault fault, uint32_t address, const void *data,
                               size_t size)
{
    uint64_t fired = figures().fired;
    arm(fault);
    ck_assert_int_eq(program(address, data, size), SERIN_ERR_FLASH);
    ck_assert(serin_flash_emulator_is_off(emulator));
    ck_assert_uint_eq(figures().fired, fired + 1u);
    serin_flash_emulator_power_on(emulator);
}

static inline void cut_erase(struct serin_flash_fault fault, uint32_t address, size_t size)
{
    uint64_t fired = figures().fired;
    arm(fault);
    ck_assert_int_eq(erase(address, size), SERIN_ERR_FLASH);
    ck_assert(serin_flash_emulator_is_off(emulator));
    ck_assert_uint_eq(figures().fired, fired + 1u);
    serin_flash_emulator_power_on(emulator);
}

/* Bytes none of which is erased. */
static inline const uint8_t *pattern(void)
{
    static uint8_t data[SIZE];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i % 97u * 2u + 1u);
    }
    return data;
}

static inline void expect(uint32_t address, const uint8_t *bytes, size_t size)
{
    uint8_t back[SIZE];
    ck_assert_int_eq(read_at(address, back, size), SERIN_OK);
    ck_assert_mem_eq(back, bytes, size);
}

static inline void expect_all(uint32_t address, uint8_t value, size_t size)
{
    uint8_t back[SIZE];
    ck_assert_int_eq(read_at(address, back, size), SERIN_OK);
    ck_assert(serin_bytes_all(back, size, value));
}

#endif
