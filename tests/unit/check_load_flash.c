/*
 * The load tool's flash: the rules of NOR flash, and that sharing pages never shows.
 */
#include <flash.h>
#include <serin/crc32.h>

#include "check_main.h"

#include <string.h>

#define SIZE (64u * LOAD_PAGE_SIZE)

static struct load_pool *pool;
static struct load_flash *flash;

static void setup(void)
{
    ck_assert_int_eq(load_pool_open(&pool), SERIN_OK);
    ck_assert_int_eq(load_flash_open(&flash, pool, SIZE), SERIN_OK);
}

/* Every page is given back. */
static void teardown(void)
{
    load_flash_close(flash);
    ck_assert_uint_eq(load_pool_pages(pool), 0);
    load_pool_close(pool);
}

static enum serin_error program(const struct load_flash *on, uint32_t address, const void *data,
                                size_t size)
{
    const struct serin_flash *port = load_flash_port(on);
    return port->ops->program(port->ctx, address, data, size);
}

static enum serin_error erase(const struct load_flash *on, uint32_t address, size_t size)
{
    const struct serin_flash *port = load_flash_port(on);
    return port->ops->erase(port->ctx, address, size);
}

static bool holds(const struct load_flash *on, uint32_t address, const void *data, size_t size)
{
    static uint8_t bytes[SIZE];
    const struct serin_flash *port = load_flash_port(on);
    return port->ops->read(port->ctx, address, bytes, size) == SERIN_OK &&
           memcmp(bytes, data, size) == 0;
}

static void pattern(uint8_t *bytes, size_t size, uint8_t seed)
{
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(seed + i * 7u + i / 251u);
    }
}

START_TEST(erased_flash_costs_nothing)
{
    uint8_t erased[2 * LOAD_PAGE_SIZE];
    setup();
    memset(erased, 0xFF, sizeof erased);
    ck_assert(holds(flash, 100, erased, sizeof erased));
    ck_assert_uint_eq(load_pool_pages(pool), 0);
    teardown();
}
END_TEST

START_TEST(rules_are_kept)
{
    uint8_t data[3 * LOAD_PAGE_SIZE], byte = 0;
    setup();
    pattern(data, sizeof data, 3);
    ck_assert_int_eq(program(flash, 4, data, 8), SERIN_ERR_FLASH);         /* unaligned */
    ck_assert_int_eq(program(flash, 8, data, 12), SERIN_ERR_FLASH);        /* part of a unit */
    ck_assert_int_eq(program(flash, 8, data, 0), SERIN_ERR_FLASH);         /* nothing */
    ck_assert_int_eq(program(flash, SIZE - 8, data, 16), SERIN_ERR_FLASH); /* past the end */
    ck_assert_int_eq(program(flash, SIZE, data, 8), SERIN_ERR_FLASH);
    ck_assert_int_eq(erase(flash, 8, LOAD_PAGE_SIZE), SERIN_ERR_FLASH);
    ck_assert_int_eq(erase(flash, 0, 8), SERIN_ERR_FLASH);
    ck_assert_int_eq(erase(flash, SIZE, LOAD_PAGE_SIZE), SERIN_ERR_FLASH);
    ck_assert_int_eq(load_flash_port(flash)->ops->read(load_flash_port(flash)->ctx, SIZE, &byte, 1),
                     SERIN_ERR_FLASH);
    ck_assert_uint_eq(load_pool_pages(pool), 0);

    /* Across pages, and once only. */
    ck_assert_int_eq(program(flash, 4088, data, 4112), SERIN_OK);
    ck_assert(holds(flash, 4088, data, 4112));
    ck_assert_int_eq(program(flash, 4096, data, 8), SERIN_ERR_FLASH);
    ck_assert(holds(flash, 4088, data, 4112));
    ck_assert_int_eq(erase(flash, 4096, LOAD_PAGE_SIZE), SERIN_OK);
    ck_assert_int_eq(program(flash, 4096, data + 8, LOAD_PAGE_SIZE), SERIN_OK);
    ck_assert(holds(flash, 4088, data, 4112));
    teardown();
}
END_TEST

START_TEST(sizes_are_bounded)
{
    struct load_flash *none = NULL;
    setup();
    ck_assert_int_eq(load_flash_open(&none, pool, 0), SERIN_ERR_INVALID);
    ck_assert_int_eq(load_flash_open(&none, pool, 4097), SERIN_ERR_INVALID);
    ck_assert_int_eq(load_flash_open(&none, pool, 0x80001000u), SERIN_ERR_INVALID);
    ck_assert_ptr_null(none);
    teardown();
}
END_TEST

START_TEST(equal_pages_exist_once)
{
    uint8_t data[8 * LOAD_PAGE_SIZE];
    struct load_flash *other = NULL;
    setup();
    ck_assert_int_eq(load_flash_open(&other, pool, SIZE), SERIN_OK);
    pattern(data, sizeof data, 11);
    for (uint32_t at = 0; at < sizeof data; at += 256) {
        ck_assert_int_eq(program(flash, at, data + at, 256), SERIN_OK);
        ck_assert_int_eq(program(other, 16 * LOAD_PAGE_SIZE + at, data + at, 256), SERIN_OK);
    }
    ck_assert_uint_eq(load_pool_pages(pool), 8);
    ck_assert(holds(other, 16 * LOAD_PAGE_SIZE, data, sizeof data));

    /* What one erases, or programs anew, the other keeps. */
    ck_assert_int_eq(erase(flash, 0, sizeof data), SERIN_OK);
    ck_assert_uint_eq(load_pool_pages(pool), 8);
    ck_assert(holds(other, 16 * LOAD_PAGE_SIZE, data, sizeof data));
    ck_assert_int_eq(program(flash, 0, "another!", 8), SERIN_OK);
    ck_assert(holds(other, 16 * LOAD_PAGE_SIZE, data, sizeof data));
    ck_assert_uint_eq(load_pool_pages(pool), 9);
    load_flash_close(other);
    ck_assert_uint_eq(load_pool_pages(pool), 1);
    teardown();
}
END_TEST

START_TEST(pages_of_one_crc_are_told_apart)
{
    /* The generator polynomial, in the order of the bits: added to a message, it leaves the CRC. */
    static const uint8_t polynomial[] = {0x41, 0x06, 0x71, 0xDB, 0x01};
    uint8_t one[LOAD_PAGE_SIZE], other[LOAD_PAGE_SIZE];
    setup();
    pattern(one, sizeof one, 5);
    memcpy(other, one, sizeof one);
    for (size_t i = 0; i < sizeof polynomial; i++) {
        other[100 + i] ^= polynomial[i];
    }
    ck_assert_uint_eq(serin_crc32(0, one, sizeof one), serin_crc32(0, other, sizeof other));
    ck_assert_int_eq(program(flash, 0, one, sizeof one), SERIN_OK);
    ck_assert_int_eq(program(flash, LOAD_PAGE_SIZE, other, sizeof other), SERIN_OK);
    ck_assert(holds(flash, 0, one, sizeof one));
    ck_assert(holds(flash, LOAD_PAGE_SIZE, other, sizeof other));
    ck_assert_uint_eq(load_pool_pages(pool), 2);
    /* The one that was found first goes first. */
    ck_assert_int_eq(erase(flash, 0, LOAD_PAGE_SIZE), SERIN_OK);
    ck_assert_int_eq(program(flash, 0, other, sizeof other), SERIN_OK);
    ck_assert_uint_eq(load_pool_pages(pool), 1);
    teardown();
}
END_TEST

START_TEST(a_copy_is_another_flash)
{
    uint8_t data[LOAD_PAGE_SIZE], gap[8];
    struct load_flash *copy = NULL;
    setup();
    memset(gap, 0xFF, sizeof gap);
    pattern(data, sizeof data, 23);
    ck_assert_int_eq(program(flash, 0, data, sizeof data), SERIN_OK);
    ck_assert_int_eq(program(flash, LOAD_PAGE_SIZE, data, 64), SERIN_OK); /* half filled */
    ck_assert_int_eq(load_flash_copy(&copy, flash), SERIN_OK);
    ck_assert_uint_eq(load_pool_pages(pool), 2);
    ck_assert(holds(copy, 0, data, sizeof data));

    ck_assert_int_eq(program(copy, LOAD_PAGE_SIZE + 64, data, 8), SERIN_OK);
    ck_assert(holds(copy, LOAD_PAGE_SIZE + 64, data, 8));
    ck_assert(holds(flash, LOAD_PAGE_SIZE + 64, gap, sizeof gap));
    ck_assert_int_eq(erase(flash, 0, 2 * LOAD_PAGE_SIZE), SERIN_OK);
    ck_assert(holds(copy, 0, data, sizeof data));
    ck_assert(holds(copy, LOAD_PAGE_SIZE, data, 64));
    load_flash_close(copy);
    teardown();
}
END_TEST

int main(void)
{
    const TTest *const list[] = {erased_flash_costs_nothing,
                                 rules_are_kept,
                                 sizes_are_bounded,
                                 equal_pages_exist_once,
                                 pages_of_one_crc_are_told_apart,
                                 a_copy_is_another_flash,
                                 NULL};
    return check_run("load flash", list);
}
