/*
 * Randomness without a generator: no count of boots is given twice, whenever the power goes and
 * whatever part it is; and the blocks that are drawn from seed and count.
 */
#include <serin/adapters/wolfcrypt.h>
#include <serin/emulator/flash_emulator.h>
#include <serin/ports/seed.h>

#include "check_main.h"

#include <string.h>

/* Small, so that many lives pass: 16 boots a sector, or 2. */
#define SECTOR_OF(part) (parts[part].write_unit > 32 ? 4 * parts[part].write_unit : 256u)

/* Units from plain NOR to one that holds a count each, both erased values. */
static const struct serin_flash_emulator_config parts[] = {
    {.write_unit = 1, .erased_value = 0xFF, .programming = SERIN_FLASH_AND},
    {.write_unit = 4, .erased_value = 0xFF},
    {.write_unit = 8, .erased_value = 0x00, .ecc = true},
    {.write_unit = 32, .erased_value = 0xFF, .ecc = true},
    {.write_unit = 512, .erased_value = 0xFF},
};
#define PARTS (int)(sizeof parts / sizeof parts[0])

static struct serin_flash_emulator *part_open(int part, uint64_t seed)
{
    struct serin_flash_emulator *emulator = NULL;
    struct serin_flash_emulator_config config = parts[part];
    config.size_bytes = 4 * SECTOR_OF(part);
    config.sector_size = SECTOR_OF(part);
    config.seed = seed;
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    return emulator;
}

static uint32_t boots_a_sector(int part)
{
    return SECTOR_OF(part) / (parts[part].write_unit > 8 ? parts[part].write_unit : 8) / 2;
}

/* A boot: SERIN_OK and a count that is higher than all before, or an error. */
static bool boot(struct serin_flash_emulator *emulator, uint32_t *highest)
{
    const struct serin_flash *flash = serin_flash_emulator_flash(emulator);
    uint32_t count = 0;
    /* Not where the flash begins. */
    if (serin_boot_count_next(flash, flash->sector_size, &count) != SERIN_OK) {
        return false;
    }
    ck_assert_uint_gt(count, *highest);
    *highest = count;
    return true;
}

START_TEST(test_every_boot_has_the_next_count)
{
    struct serin_flash_emulator *emulator = part_open(_i, 1);
    uint32_t highest = 0, boots = 5 * boots_a_sector(_i) + 1;
    for (uint32_t i = 1; i <= boots; i++) {
        ck_assert(boot(emulator, &highest));
        ck_assert_uint_eq(highest, i);
    }
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    /* What lies around it is left alone, and both sectors wear alike. */
    uint32_t sector = serin_flash_emulator_flash(emulator)->sector_size;
    const uint32_t wear[] = {0, 2, 3, 0};
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(serin_flash_emulator_wear(emulator, i * sector), wear[i]);
    }
    serin_flash_emulator_close(emulator);
}
END_TEST

/* The power goes at each operation of three sectors' lives, in each way, and at the two boots that
 * follow, too. */
START_TEST(test_no_count_is_given_twice_whenever_the_power_goes)
{
    const enum serin_cut cuts[] = {SERIN_CUT_BEFORE, SERIN_CUT_INSIDE, SERIN_CUT_AFTER};
    uint32_t life = 6 * boots_a_sector(_i) + 2;
    for (uint32_t nth = 1; nth <= life; nth++) {
        for (size_t how = 0; how < sizeof cuts / sizeof cuts[0]; how++) {
            struct serin_flash_emulator *emulator = part_open(_i, nth);
            uint32_t highest = 0;
            serin_flash_emulator_cut(emulator, nth, cuts[how]);
            while (boot(emulator, &highest)) {
            }
            ck_assert(serin_flash_emulator_is_off(emulator));
            for (int again = 0; again < 2; again++) {
                serin_flash_emulator_power_on(emulator);
                serin_flash_emulator_cut(emulator, 1, cuts[how]);
                ck_assert(!boot(emulator, &highest));
            }
            serin_flash_emulator_power_on(emulator);
            for (uint32_t i = 0; i <= boots_a_sector(_i); i++) {
                ck_assert_msg(boot(emulator, &highest), "no boot after a cut at %u", nth);
            }
            ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
            serin_flash_emulator_close(emulator);
        }
    }
}
END_TEST

/* A place that the power went in reads as erased, takes the next count, and loses it. */
START_TEST(test_a_weak_place_gives_no_count_twice)
{
    for (uint32_t nth = 0; nth < 6 * boots_a_sector(_i); nth++) {
        struct serin_flash_emulator *emulator = part_open(_i, nth);
        const struct serin_flash_fault fault = {.operation = nth,
                                                .kind = SERIN_FLASH_FAULT_PROGRAM_SUBSET,
                                                .at = 0,
                                                .torn = SERIN_FLASH_TORN_UNSTABLE,
                                                .again = SERIN_FLASH_AGAIN_UNSTABLE,
                                                .seed = nth};
        uint32_t highest = 0;
        ck_assert_int_eq(serin_flash_emulator_arm(emulator, &fault), SERIN_OK);
        for (uint32_t i = 0; i < 4 * boots_a_sector(_i); i++) {
            if (!boot(emulator, &highest)) {
                serin_flash_emulator_power_on(emulator);
            }
        }
        serin_flash_emulator_close(emulator);
    }
}
END_TEST

START_TEST(test_one_broken_sector_is_survived_and_two_are_told)
{
    struct serin_flash_emulator *emulator = part_open(_i, 1);
    uint32_t highest = 0;
    ck_assert(boot(emulator, &highest));
    uint32_t sector = serin_flash_emulator_flash(emulator)->sector_size;
    serin_flash_emulator_break(emulator, sector, sector, SERIN_BREAKAGE_STUCK);
    ck_assert(boot(emulator, &highest));
    ck_assert_uint_eq(highest, 2);
    serin_flash_emulator_break(emulator, 2 * sector, sector, SERIN_BREAKAGE_FAILS);
    uint32_t count = 0;
    ck_assert_int_eq(serin_boot_count_next(serin_flash_emulator_flash(emulator), sector, &count),
                     SERIN_ERR_FLASH);
    serin_flash_emulator_close(emulator);
}
END_TEST

/* Reckoned by another implementation: SHA-256 of the name, 32 bytes 00 … 1f, boot 7, n 0 and 1. */
START_TEST(test_blocks_are_those_of_the_header)
{
    static const char first[] = "a5b5eb053458281d15929a442d7d257cd84db1d364ba7f7daaa238112ef44911";
    static const char second[] = "91e60ff218fba3eeec0421604ed75f5ac9dc0c306d04b320873c895362d86970";
    uint8_t secret[SERIN_SEED_SIZE], bytes[40];
    char text[SERIN_SHA256_HEX_SIZE];
    struct serin_seed seed;
    for (unsigned i = 0; i < sizeof secret; i++) {
        secret[i] = (uint8_t)i;
    }
    serin_seed_init(&seed, serin_wolfcrypt(), secret, 7);
    serin_seed_fill(&seed, bytes, sizeof bytes);
    serin_hex_encode(bytes, 32, text);
    ck_assert_str_eq(text, first);
    serin_hex_encode(bytes + 32, 8, text);
    ck_assert(strncmp(text, second, 16) == 0);
    /* Each call begins with a new block: nothing of one is given out twice. */
    serin_seed_init(&seed, serin_wolfcrypt(), secret, 7);
    serin_seed_fill(&seed, bytes, 1);
    serin_seed_fill(&seed, bytes, 32);
    serin_hex_encode(bytes, 32, text);
    ck_assert_str_eq(text, second);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("seed");
    TCase *counts = tcase_create("counts");
    tcase_set_timeout(counts, 120);
    tcase_add_loop_test(counts, test_every_boot_has_the_next_count, 0, PARTS);
    tcase_add_loop_test(counts, test_no_count_is_given_twice_whenever_the_power_goes, 0, PARTS);
    tcase_add_loop_test(counts, test_a_weak_place_gives_no_count_twice, 0, PARTS);
    tcase_add_loop_test(counts, test_one_broken_sector_is_survived_and_two_are_told, 0, PARTS);
    tcase_add_test(counts, test_blocks_are_those_of_the_header);
    suite_add_tcase(suite, counts);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
