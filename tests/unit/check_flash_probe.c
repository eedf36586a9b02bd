/*
 * The probe of a flash port: quiet on drivers that are right, for every geometry, and loud on those
 * that are wrong in ways that real ones are.
 */
#include <serin/device/flash_probe.h>
#include <serin/emulator/flash_emulator.h>
#include <serin/piece.h>

#include <check.h>

#include <stdlib.h>
#include <string.h>

#define SECTOR 2048u
#define UNIT   8u
#define SIZE   (16u * SECTOR)

/* ---- drivers that are wrong ---- */

enum wrong {
    NOTHING,
    ERASE_FIRST_ONLY,  /* of several sectors in one call */
    ERASE_FIRST_CLEAN, /* the same, tried on a part that is erased */
    ERASE_TWO,         /* the part's sectors are larger than the driver thinks */
    ERASE_HALF,        /* ... or smaller */
    READ_ALIGNED_ONLY, /* an odd address is rounded down */
    READ_TOO_MUCH,     /* in whole words, past the end of the buffer */
    READ_FAILS_LONG,   /* a DMA that takes 1024 bytes at most */
    PROGRAM_LOSES_LAST,
    PROGRAM_LONG_WRAPS, /* a page buffer of 256 bytes that wraps */
    ADDRESS_BIT_LOST,
    CACHE_STALE, /* over programs */
    ERASED_OTHER,
    ERASE_REPORTS_FAILURE,
    PROGRAM_REPORTS_FAILURE,
    WRONGS
};

static struct {
    const struct serin_flash *part;
    enum wrong wrong;
    uint8_t cached[64];
    uint32_t cached_at;
    bool has_cached;
} driver;

static enum serin_error part_read(uint32_t address, void *out, size_t size)
{
    return driver.part->ops->read(driver.part->ctx, address, out, size);
}

static enum serin_error part_program(uint32_t address, const void *data, size_t size)
{
    return driver.part->ops->program(driver.part->ctx, address, data, size);
}

static enum serin_error part_erase(uint32_t address, size_t size)
{
    return driver.part->ops->erase(driver.part->ctx, address, size);
}

static uint32_t place(uint32_t address)
{
    return driver.wrong == ADDRESS_BIT_LOST ? address & ~(8u * SECTOR) : address;
}

/* Serves the line of 64 bytes that it read last. */
static enum serin_error cached_read(uint32_t address, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint32_t line = (address + (uint32_t)i) / 64u * 64u;
        if (!driver.has_cached || driver.cached_at != line) {
            enum serin_error error = part_read(line, driver.cached, 64);
            if (error != SERIN_OK) {
                return error;
            }
            driver.cached_at = line;
            driver.has_cached = true;
        }
        out[i] = driver.cached[address + i - line];
    }
    return SERIN_OK;
}

static enum serin_error wrong_read(void *ctx, uint32_t address, void *out, size_t size)
{
    (void)ctx;
    if (driver.wrong == CACHE_STALE) {
        return cached_read(address, out, size);
    }
    if (driver.wrong == READ_ALIGNED_ONLY) {
        address -= address % 4u;
    }
    if (driver.wrong == READ_TOO_MUCH && address + size + 4u < SIZE) {
        size = (size + 3u) / 4u * 4u;
    }
    if (driver.wrong == READ_FAILS_LONG && size > 1024) {
        return SERIN_ERR_FLASH;
    }
    enum serin_error error = part_read(place(address), out, size);
    for (size_t i = 0; driver.wrong == ERASED_OTHER && i < size; i++) {
        ((uint8_t *)out)[i] ^= 0x80;
    }
    return error;
}

static enum serin_error wrong_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    (void)ctx;
    const uint8_t *bytes = data;
    if (driver.wrong == PROGRAM_REPORTS_FAILURE && address >= 5u * SECTOR) {
        return SERIN_ERR_FLASH;
    }
    if (driver.wrong == PROGRAM_LOSES_LAST && size > UNIT) {
        size -= UNIT;
    }
    if (driver.wrong == PROGRAM_LONG_WRAPS && address % 256u + size > 256u) {
        uint8_t page[256];
        uint32_t begin = address % 256u;
        memset(page, 0xFF, sizeof page);
        for (size_t i = 0; i < size; i++) {
            page[(begin + i) % 256u] = bytes[i];
        }
        return part_program(address - begin, page, sizeof page);
    }
    return part_program(place(address), data, size);
}

static enum serin_error wrong_erase(void *ctx, uint32_t address, size_t size)
{
    (void)ctx;
    if (driver.wrong == ERASE_REPORTS_FAILURE && size == SECTOR) {
        return SERIN_ERR_FLASH;
    }
    if (driver.wrong == ERASE_FIRST_ONLY || driver.wrong == ERASE_FIRST_CLEAN) {
        size = SECTOR;
    }
    if (driver.wrong == ERASE_TWO) {
        uint32_t end = address + (uint32_t)size + SECTOR;
        address -= address % (2u * SECTOR);
        size = end - end % (2u * SECTOR) - address;
    }
    if (driver.wrong == ERASE_HALF) {
        /* The part's sectors are of half the size, and the driver erases the first of each two. */
        for (uint32_t at = address; at < address + size; at += SECTOR) {
            enum serin_error error = part_erase(at, SECTOR / 2u);
            if (error != SERIN_OK) {
                return error;
            }
        }
        return SERIN_OK;
    }
    return part_erase(place(address), size);
}

static const struct serin_flash_ops wrong_ops = {
    .read = wrong_read, .program = wrong_program, .erase = wrong_erase};

static const char *const findings[WRONGS] = {
    [ERASE_FIRST_ONLY] = "erased flash does not read as the erased value",
    [ERASE_FIRST_CLEAN] = "an erase of several sectors leaves some",
    [ERASE_TWO] = "an erase takes what lies before it",
    [ERASE_HALF] = "erased flash does not read as the erased value",
    [READ_ALIGNED_ONLY] = "a program does not read back",
    [READ_TOO_MUCH] = "a read writes more than it was asked for",
    [READ_FAILS_LONG] = "a read fails",
    [PROGRAM_LOSES_LAST] = "a program does not read back",
    [PROGRAM_LONG_WRAPS] = "a program fails", /* the part does not move bits back */
    [ADDRESS_BIT_LOST] = "a program fails",
    [CACHE_STALE] = "a program does not read back",
    [ERASED_OTHER] = "erased flash does not read as the erased value",
    [ERASE_REPORTS_FAILURE] = "an erase fails",
    [PROGRAM_REPORTS_FAILURE] = "a program fails",
};

static uint8_t scratch[SERIN_PIECE_SIZE];

START_TEST(what_drivers_get_wrong_is_found)
{
    struct serin_flash_emulator *emulator;
    const struct serin_flash_emulator_config config = {.size_bytes = SIZE,
                                                       .sector_size =
                                                           _i == ERASE_HALF ? SECTOR / 2u : SECTOR,
                                                       .write_unit = UNIT,
                                                       .erased_value = 0xFF,
                                                       .programming = SERIN_FLASH_AND};
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    memset(&driver, 0, sizeof driver);
    driver.part = serin_flash_emulator_flash(emulator);
    driver.wrong = (enum wrong)_i;
    struct serin_flash flash = *driver.part;
    flash.ops = &wrong_ops;
    flash.sector_size = SECTOR;
    uint8_t old[UNIT];
    memset(old, 0, sizeof old); /* so that what is not erased shows */
    uint32_t end = _i == ERASE_FIRST_CLEAN ? SECTOR : SIZE;
    for (uint32_t at = 0; at < end; at += SECTOR / 2u) {
        ck_assert_int_eq(part_program(at, old, sizeof old), SERIN_OK);
    }
    const struct serin_region region = {.address = SECTOR, .size = 12u * SECTOR};
    const char *what = "";
    uint32_t address = 0;
    enum serin_error error = serin_flash_probe(&flash, &region, scratch, &what, &address);
    ck_assert(error == (_i == NOTHING ? SERIN_OK : SERIN_ERR_FLASH));
    ck_assert_msg((what == NULL) == (findings[_i] == NULL) &&
                      (what == NULL || strcmp(what, findings[_i]) == 0),
                  "driver %d: %s at %u", _i, what, address);
    ck_assert(error == SERIN_OK || (address >= SECTOR && address < 13u * SECTOR));
    ck_assert_int_eq(serin_flash_probe(&flash, &region, scratch, NULL, NULL), error);
    uint8_t outside = 1;
    ck_assert_int_eq(part_read(0, &outside, 1), SERIN_OK);
    ck_assert(outside == 0 || _i == ERASE_TWO); /* nothing else is touched */
    serin_flash_emulator_close(emulator);
}
END_TEST

static const struct geometry {
    uint32_t sector, unit;
    uint8_t erased;
    bool ecc;
} geometries[] = {
    {256, 1, 0xFF, false}, {512, 512, 0x00, true}, {4096, 256, 0xFF, true}, {4096, 2, 0x00, false}};

START_TEST(a_part_that_is_right_passes_and_is_erased)
{
    const struct geometry *geometry = &geometries[_i];
    const struct serin_flash_emulator_config config = {.size_bytes = 8u * geometry->sector,
                                                       .sector_size = geometry->sector,
                                                       .write_unit = geometry->unit,
                                                       .erased_value = geometry->erased,
                                                       .ecc = geometry->ecc};
    struct serin_flash_emulator *emulator;
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    const struct serin_flash *flash = serin_flash_emulator_flash(emulator);
    for (uint32_t sectors = 1; sectors <= 8; sectors++) {
        const struct serin_region region = {.size = sectors * geometry->sector};
        ck_assert_int_eq(serin_flash_probe(flash, &region, scratch, NULL, NULL), SERIN_OK);
    }
    for (uint32_t at = 0; at < config.size_bytes; at++) {
        uint8_t byte;
        serin_flash_emulator_peek(emulator, at, &byte, 1);
        ck_assert_uint_eq(byte, geometry->erased);
    }
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    serin_flash_emulator_close(emulator);
}
END_TEST

/* Sectors as in many microcontrollers: four small, one middling, large ones. */
START_TEST(sectors_of_all_sizes_are_tried)
{
    const struct serin_flash_emulator_config config = {
        .write_unit = 4, .erased_value = 0xFF, .runs = {{4, 16384}, {1, 65536}, {3, 131072}}};
    struct serin_flash_emulator *emulator;
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    const struct serin_flash *flash = serin_flash_emulator_flash(emulator);
    const struct serin_region all = {.size = flash->size_bytes};
    const struct serin_region large = {.address = 131072, .size = 3u * 131072u};
    ck_assert_int_eq(serin_flash_probe(flash, &all, scratch, NULL, NULL), SERIN_OK);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 0), 3);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 262144), 4); /* the one in the middle */
    ck_assert_int_eq(serin_flash_probe(flash, &large, scratch, NULL, NULL), SERIN_OK);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    serin_flash_emulator_close(emulator);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flash probe");
    TCase *tests = tcase_create("probe");
    tcase_set_timeout(tests, 60); /* a machine may be busy */
    tcase_add_loop_test(tests, what_drivers_get_wrong_is_found, 0, WRONGS);
    tcase_add_loop_test(tests, a_part_that_is_right_passes_and_is_erased, 0,
                        (int)(sizeof geometries / sizeof geometries[0]));
    tcase_add_test(tests, sectors_of_all_sizes_are_tried);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
