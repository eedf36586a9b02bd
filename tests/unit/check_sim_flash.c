/*
 * The fleet's flash against the emulator: the same random operations, cuts of the power included,
 * must give the same answers and the same bytes. And what it is for: equal sectors exist once.
 */
#include <flash.h>

#include "check_main.h"

#include <string.h>

#define SECTOR  256u
#define SECTORS 24u
#define SIZE    (SECTOR * SECTORS)
#define UNIT    8u
#define STEPS   4000u
#define RUNS    40u

static uint64_t state;

static uint32_t dice(uint32_t range)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)(state * UINT64_C(2685821657736338717) >> 33) % range;
}

/* Both of them, side by side. */
struct pair {
    struct sim_pool *pool;
    struct sim_flash flash;
    struct serin_flash port;
    struct serin_flash_emulator *emulator;
};

static void pair_open(struct pair *pair, uint32_t flat_bytes, bool ecc, uint64_t seed)
{
    const struct serin_flash_emulator_config config = {.size_bytes = SIZE,
                                                       .sector_size = SECTOR,
                                                       .write_unit = UNIT,
                                                       .erased_value = 0xFF,
                                                       .ecc = ecc,
                                                       .seed = seed};
    ck_assert_int_eq(sim_pool_open(&pair->pool, SIZE, SECTOR, flat_bytes, ecc), SERIN_OK);
    ck_assert_int_eq(sim_flash_open(&pair->flash, pair->pool, seed), SERIN_OK);
    sim_flash_port(pair->pool, &pair->port);
    pair->port.ctx = &pair->flash;
    ck_assert_int_eq(serin_flash_emulator_open(&pair->emulator, &config), SERIN_OK);
}

static void pair_close(struct pair *pair)
{
    sim_flash_close(&pair->flash);
    ck_assert_uint_eq(sim_pool_bytes(pair->pool), 0);
    sim_pool_close(pair->pool);
    serin_flash_emulator_close(pair->emulator);
}

static void read_both(struct pair *pair, uint32_t address, uint32_t size)
{
    static uint8_t mine[SIZE], other[SIZE];
    const struct serin_flash *port = serin_flash_emulator_flash(pair->emulator);
    enum serin_error error = pair->port.ops->read(pair->port.ctx, address, mine, size);
    ck_assert_int_eq(error, port->ops->read(port->ctx, address, other, size));
    if (error == SERIN_OK) {
        ck_assert_mem_eq(mine, other, size);
    }
}

static void read_all(struct pair *pair)
{
    for (uint32_t at = 0; at < SIZE; at += UNIT) {
        read_both(pair, at, UNIT);
    }
}

static void program_both(struct pair *pair)
{
    static uint8_t data[SIZE];
    const struct serin_flash *port = serin_flash_emulator_flash(pair->emulator);
    uint32_t unit = dice(20) == 0 ? 1u : UNIT; /* now and then where and what is not allowed */
    uint32_t address = dice(SIZE / unit + 2u) * unit;
    uint32_t size = dice(dice(3) == 0 ? 80u : 6u) * unit;
    for (uint32_t i = 0; i < size; i++) {
        data[i] = (uint8_t)dice(256);
    }
    ck_assert_int_eq(pair->port.ops->program(pair->port.ctx, address, data, size),
                     port->ops->program(port->ctx, address, data, size));
}

static void erase_both(struct pair *pair)
{
    const struct serin_flash *port = serin_flash_emulator_flash(pair->emulator);
    uint32_t unit = dice(20) == 0 ? UNIT : SECTOR;
    uint32_t address = dice(SIZE / unit + 1u) * unit;
    uint32_t size = dice(4) * unit;
    ck_assert_int_eq(pair->port.ops->erase(pair->port.ctx, address, size),
                     port->ops->erase(port->ctx, address, size));
}

static void power_both(struct pair *pair)
{
    static const enum serin_cut cuts[] = {SERIN_CUT_NONE, SERIN_CUT_BEFORE, SERIN_CUT_INSIDE,
                                          SERIN_CUT_AFTER};
    ck_assert_int_eq(pair->flash.off, serin_flash_emulator_is_off(pair->emulator));
    if (pair->flash.off) {
        pair->flash.off = false;
        serin_flash_emulator_power_on(pair->emulator);
        read_all(pair);
    } else {
        uint32_t nth = 1u + dice(10);
        enum serin_cut cut = cuts[dice(4)];
        sim_flash_cut(&pair->flash, nth, cut);
        serin_flash_emulator_cut(pair->emulator, nth, cut);
    }
}

/* How often a torn unit that read erased was programmed. */
static uint64_t same_for(uint64_t seed)
{
    struct serin_flash_figures figures;
    struct pair pair;
    state = seed * 2u + 1u;
    pair_open(&pair, dice(SECTORS + 1u) * SECTOR, seed % 2u == 0, seed);
    for (uint32_t i = 0; i < STEPS; i++) {
        uint32_t what = dice(16);
        if (what < 7u) {
            program_both(&pair);
        } else if (what < 9u) {
            erase_both(&pair);
        } else if (what < 15u) {
            read_both(&pair, dice(SIZE + 4u), 1u + dice(2u * SECTOR));
        } else {
            power_both(&pair);
        }
        ck_assert_uint_eq(pair.flash.operations, serin_flash_emulator_operations(pair.emulator));
        ck_assert_uint_eq(pair.flash.breaches, serin_flash_emulator_breaches(pair.emulator));
    }
    pair.flash.off = false;
    serin_flash_emulator_power_on(pair.emulator);
    read_all(&pair);
    ck_assert_uint_gt(pair.flash.breaches, 0); /* the run tried what is not allowed, */
    ck_assert_uint_gt(pair.flash.tears, 0);    /* and the power went inside an operation */
    serin_flash_emulator_figures(pair.emulator, &figures);
    pair_close(&pair);
    return figures.refused;
}

START_TEST(it_answers_as_the_emulator_does)
{
    uint64_t refused = 0;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        refused += same_for(seed);
    }
    ck_assert_uint_gt(refused, 0);
}
END_TEST

START_TEST(equal_sectors_exist_once)
{
    enum { FLASHES = 50, FLAT = 2 * SECTOR };
    struct sim_pool *pool = NULL;
    struct sim_flash flashes[FLASHES];
    struct serin_flash port;
    uint8_t image[4 * SECTOR], byte = 0;
    memset(image, 0x5A, sizeof image);
    ck_assert_int_eq(sim_pool_open(&pool, SIZE, SECTOR, FLAT, true), SERIN_OK);
    sim_flash_port(pool, &port);
    for (size_t i = 0; i < FLASHES; i++) {
        ck_assert_int_eq(sim_flash_open(&flashes[i], pool, i), SERIN_OK);
    }
    uint64_t empty = sim_pool_bytes(pool);
    for (size_t i = 0; i < FLASHES; i++) {
        for (uint32_t at = 0; at < sizeof image; at += UNIT) { /* however it was written */
            uint32_t size = i % 2u == 0 ? UNIT : (uint32_t)sizeof image;
            ck_assert_int_eq(port.ops->program(&flashes[i], FLAT + at, image + at, size), SERIN_OK);
            at += size - UNIT;
        }
    }
    uint64_t one = sim_pool_bytes(pool) - empty; /* four equal sectors are one as well */
    ck_assert_uint_gt(one, SECTOR);
    ck_assert_uint_lt(one, 2u * SECTOR);

    /* Who writes has its own from then on, and nobody else sees it. */
    ck_assert_int_eq(port.ops->erase(&flashes[7], FLAT, SECTOR), SERIN_OK);
    ck_assert_int_eq(port.ops->program(&flashes[7], FLAT, image, UNIT), SERIN_OK);
    ck_assert_uint_eq(sim_pool_bytes(pool) - empty, 2u * one);
    ck_assert_int_eq(port.ops->read(&flashes[7], FLAT + UNIT, &byte, 1), SERIN_OK);
    ck_assert_uint_eq(byte, 0xFF);
    ck_assert_int_eq(port.ops->read(&flashes[8], FLAT + UNIT, &byte, 1), SERIN_OK);
    ck_assert_uint_eq(byte, 0x5A);
    for (size_t i = 0; i < FLASHES; i++) {
        sim_flash_close(&flashes[i]);
    }
    ck_assert_uint_eq(sim_pool_bytes(pool), 0);
    sim_pool_close(pool);
}
END_TEST

START_TEST(a_copy_goes_its_own_way)
{
    struct sim_pool *pool = NULL;
    struct sim_flash first, copy;
    struct serin_flash port;
    uint8_t data[UNIT] = {1, 2, 3}, read[UNIT];
    ck_assert_int_eq(sim_pool_open(&pool, SIZE, SECTOR, SECTOR, false), SERIN_OK);
    sim_flash_port(pool, &port);
    ck_assert_int_eq(sim_flash_open(&first, pool, 1), SERIN_OK);
    for (uint32_t at = 0; at < SIZE; at += SECTOR) {
        ck_assert_int_eq(port.ops->program(&first, at, data, UNIT), SERIN_OK);
    }
    ck_assert_int_eq(sim_flash_copy(&copy, &first, 2), SERIN_OK);
    for (uint32_t at = 0; at < SIZE; at += SECTOR) {
        /* The same units are programmed in both: a second time is a breach. */
        ck_assert_int_eq(port.ops->program(&copy, at, data, UNIT), SERIN_ERR_FLASH);
        ck_assert_int_eq(port.ops->erase(&copy, at, SECTOR), SERIN_OK);
        ck_assert_int_eq(port.ops->read(&first, at, read, UNIT), SERIN_OK);
        ck_assert_mem_eq(read, data, UNIT);
        ck_assert_int_eq(port.ops->read(&copy, at, read, UNIT), SERIN_OK);
        ck_assert_uint_eq(read[0], 0xFF);
    }
    ck_assert_uint_eq(copy.breaches, SECTORS);
    sim_flash_close(&first);
    sim_flash_close(&copy);
    sim_pool_close(pool);
}
END_TEST

START_TEST(a_geometry_that_cannot_be_is_refused)
{
    struct sim_pool *pool = NULL;
    ck_assert_int_eq(sim_pool_open(&pool, SIZE, 100, 0, false), SERIN_ERR_INVALID);
    ck_assert_int_eq(sim_pool_open(&pool, SIZE, 16, 0, false), SERIN_ERR_INVALID);
    ck_assert_int_eq(sim_pool_open(&pool, SIZE + 1u, SECTOR, 0, false), SERIN_ERR_INVALID);
    ck_assert_int_eq(sim_pool_open(&pool, SIZE, SECTOR, SIZE + SECTOR, false), SERIN_ERR_INVALID);
    ck_assert(pool == NULL);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {it_answers_as_the_emulator_does, equal_sectors_exist_once,
                                 a_copy_goes_its_own_way, a_geometry_that_cannot_be_is_refused,
                                 NULL};
    return check_run("sim flash", list);
}
