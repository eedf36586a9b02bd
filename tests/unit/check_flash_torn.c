/*
 * Torn units of the flash emulator read as their fault says, and take a second program as it says;
 * parts that take one by their nature keep their own rules.
 */
#include "flash_part.h"

/* ---- how torn units read ---- */

static void tear_unit(enum serin_flash_torn torn, uint32_t reads, enum serin_flash_again again)
{
    cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_NEW,
                                           .at = 16,
                                           .torn = torn,
                                           .reads = reads,
                                           .again = again,
                                           .seed = 3},
                0, pattern(), 48);
}

START_TEST(an_unstable_unit_reads_differently)
{
    uint8_t back[48];
    unsigned right = 0, kinds = 0;
    uint8_t seen[48] = {0};
    open_plain(16, 0xFF);
    tear_unit(SERIN_FLASH_TORN_UNSTABLE, 0, SERIN_FLASH_AGAIN_REFUSED);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(read_at(0, back, 48), SERIN_OK);
        ck_assert_mem_eq(back, pattern(), 16); /* the units beside it are sound */
        ck_assert(serin_bytes_all(back + 32, 16, 0xFF));
        right += memcmp(back + 16, pattern() + 16, 16) == 0;
        kinds += memcmp(back + 16, seen + 16, 16) != 0;
        memcpy(seen, back, sizeof seen);
        /* Only bits that were to move are loose: others read as both old and new do. */
        for (int at = 16; at < 32; at++) {
            ck_assert_uint_eq((uint8_t)(back[at] & pattern()[at]), pattern()[at]);
        }
    }
    ck_assert_uint_gt(right, 50);
    ck_assert_uint_lt(right, 150);
    ck_assert_uint_gt(kinds, 50);
    ck_assert_int_eq(erase(0, SECTOR), SERIN_OK);
    for (int i = 0; i < 50; i++) {
        expect_all(0, 0xFF, 48);
    }
    close_part();
}
END_TEST

START_TEST(an_unstable_unit_of_ecc_faults_now_and_then)
{
    uint8_t back[16];
    unsigned right = 0;
    open_ecc(16);
    tear_unit(SERIN_FLASH_TORN_UNSTABLE, 0, SERIN_FLASH_AGAIN_REFUSED);
    for (int i = 0; i < 200; i++) {
        if (read_at(16, back, 16) == SERIN_OK) {
            ck_assert_mem_eq(back, pattern() + 16, 16);
            right++;
        }
    }
    ck_assert_uint_gt(right, 50);
    ck_assert_uint_lt(right, 150);
    close_part();
}
END_TEST

START_TEST(a_weak_unit_flips_at_its_read)
{
    uint8_t back[16], after[16];
    bool ecc = _i == 1;
    if (ecc) {
        open_ecc(16);
    } else {
        open_plain(16, 0xFF);
    }
    tear_unit(SERIN_FLASH_TORN_WEAK_READ, 3, SERIN_FLASH_AGAIN_REFUSED);
    expect(0, pattern(), 16); /* reads beside it do not count */
    for (int i = 0; i < 3; i++) {
        power_cycle();
        expect(16, pattern() + 16, 16);
    }
    if (ecc) {
        ck_assert_int_eq(read_at(16, back, 16), SERIN_ERR_FLASH);
        ck_assert_int_eq(read_at(16, back, 16), SERIN_ERR_FLASH);
    } else {
        ck_assert_int_eq(read_at(16, after, 16), SERIN_OK);
        ck_assert_mem_ne(after, pattern() + 16, 16);
        for (int i = 0; i < 20; i++) {
            power_cycle();
            expect(16, after, 16); /* for good */
        }
    }
    close_part();
}
END_TEST

START_TEST(a_weak_unit_flips_at_the_next_power_cycle)
{
    uint8_t back[16], after[16];
    bool ecc = _i == 1;
    if (ecc) {
        open_ecc(16);
    } else {
        open_plain(16, 0xFF);
    }
    tear_unit(SERIN_FLASH_TORN_WEAK_POWER, 0, SERIN_FLASH_AGAIN_REFUSED);
    for (int i = 0; i < 20; i++) {
        expect(16, pattern() + 16, 16);
        serin_flash_emulator_power_on(emulator); /* it is on: no cycle */
    }
    power_cycle();
    if (ecc) {
        ck_assert_int_eq(read_at(16, back, 16), SERIN_ERR_FLASH);
    } else {
        ck_assert_int_eq(read_at(16, after, 16), SERIN_OK);
        ck_assert_mem_ne(after, pattern() + 16, 16);
        power_cycle();
        expect(16, after, 16);
    }
    close_part();
}
END_TEST

START_TEST(a_weak_unit_flips_though_one_bit_is_loose)
{
    for (uint64_t seed = 0; seed < 40u; seed++) {
        open_plain(1, 0xFF);
        cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_NEW,
                                               .torn = SERIN_FLASH_TORN_WEAK_READ,
                                               .reads = 1,
                                               .seed = seed},
                    0, "\xF7", 1);
        expect_all(0, 0xF7, 1);
        expect_all(0, 0xFF, 1);
        close_part();
    }
}
END_TEST

START_TEST(garbage_where_all_was_erased_is_loose_too)
{
    uint8_t first[SECTOR], back[SECTOR];
    unsigned differs = 0;
    open_plain(16, 0xFF);
    cut_erase((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_ERASE_GARBAGE,
                                         .torn = SERIN_FLASH_TORN_UNSTABLE},
              0, SECTOR);
    ck_assert_int_eq(read_at(0, first, SECTOR), SERIN_OK);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(read_at(0, back, SECTOR), SERIN_OK);
        differs += memcmp(first, back, SECTOR) != 0;
    }
    ck_assert_uint_gt(differs, 15);
    close_part();
}
END_TEST

START_TEST(a_drawn_tear_of_an_ecc_part_is_unreadable_throughout)
{
    uint8_t back[1];
    open_ecc(1);
    ck_assert_int_eq(program(0, pattern(), SECTOR), SERIN_OK);
    cut_erase((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_INSIDE}, 0, SECTOR);
    for (uint32_t at = 0; at < SECTOR; at++) {
        ck_assert_int_eq(read_at(at, back, 1), SERIN_ERR_FLASH);
    }
    close_part();
}
END_TEST

START_TEST(an_ecc_word_that_is_half_done_faults_whatever_is_asked)
{
    uint8_t back[SECTOR];
    open_ecc(16);
    for (int torn = 0; torn < (int)SERIN_FLASH_TORN_COUNT; torn++) {
        struct serin_flash_fault fault = {.torn = (enum serin_flash_torn)torn,
                                          .reads = torn == SERIN_FLASH_TORN_WEAK_READ ? 9 : 0};
        fault.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX;
        fault.at = 20;
        ck_assert_int_eq(erase(0, SECTOR), SERIN_OK);
        cut_program(fault, 0, pattern(), 48);
        ck_assert_int_eq(read_at(16, back, 16), SERIN_ERR_FLASH);
        expect(0, pattern(), 16);
        expect_all(32, 0xFF, 16);
        fault.kind = SERIN_FLASH_FAULT_ERASE_GARBAGE;
        fault.at = 0;
        cut_erase(fault, 0, SECTOR);
        for (uint32_t at = 0; at < SECTOR; at += 16u) {
            ck_assert_int_eq(read_at(at, back, 1), SERIN_ERR_FLASH);
        }
    }
    /* Whole words, old or new, may read. */
    ck_assert_int_eq(erase(0, SECTOR), SERIN_OK);
    cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX, .at = 16}, 0,
                pattern(), 48);
    expect_all(16, 0xFF, 32);
    ck_assert_int_eq(program(16, pattern(), 16), SERIN_ERR_FLASH);
    ck_assert_uint_eq(figures().refused, 1);
    close_part();
}
END_TEST

/* ---- a second program of a torn unit that reads erased ---- */

static void tear_blank(enum serin_flash_torn torn, enum serin_flash_again again)
{
    cut_program(
        (struct serin_flash_fault){
            .kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX, .at = 16, .torn = torn, .again = again},
        0, pattern(), 48);
}

START_TEST(what_reads_erased_takes_a_program_as_the_fault_says)
{
    uint8_t back[16];
    unsigned right = 0;
    open_plain(16, 0xFF);
    tear_blank(SERIN_FLASH_TORN_STABLE, SERIN_FLASH_AGAIN_REFUSED);
    ck_assert_int_eq(program(16, pattern() + 16, 32), SERIN_ERR_FLASH);
    expect_all(16, 0xFF, 32); /* nothing of it */
    ck_assert_uint_eq(figures().refused, 1);

    ck_assert_int_eq(erase(0, SECTOR), SERIN_OK);
    tear_blank(SERIN_FLASH_TORN_STABLE, SERIN_FLASH_AGAIN_FINE);
    ck_assert_int_eq(program(16, pattern() + 16, 16), SERIN_OK);
    for (int i = 0; i < 50; i++) {
        expect(0, pattern(), 32);
    }

    ck_assert_int_eq(erase(0, SECTOR), SERIN_OK);
    tear_blank(SERIN_FLASH_TORN_STABLE, SERIN_FLASH_AGAIN_UNSTABLE);
    expect_all(16, 0xFF, 16);
    ck_assert_int_eq(program(16, pattern() + 16, 32), SERIN_OK);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(read_at(16, back, 16), SERIN_OK);
        right += memcmp(back, pattern() + 16, 16) == 0;
        expect(32, pattern() + 32, 16);
    }
    ck_assert_uint_gt(right, 50);
    ck_assert_uint_lt(right, 150);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    ck_assert_int_eq(program(16, pattern(), 16), SERIN_ERR_FLASH); /* now it could be seen */
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 1);
    close_part();
}
END_TEST

START_TEST(what_cannot_be_read_does_not_read_erased)
{
    open_plain(16, 0xFF);
    tear_blank(SERIN_FLASH_TORN_FAULTING, SERIN_FLASH_AGAIN_FINE);
    ck_assert_int_eq(program(16, pattern(), 16), SERIN_ERR_FLASH);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 1);
    ck_assert_uint_eq(figures().refused, 0);
    close_part();
}
END_TEST

START_TEST(what_an_unstable_unit_gave_last_decides)
{
    uint8_t back[1];
    unsigned blank = 0, filled = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        open_plain(1, 0xFF);
        struct serin_flash_fault fault = {.kind = SERIN_FLASH_FAULT_PROGRAM_NEW,
                                          .torn = SERIN_FLASH_TORN_UNSTABLE,
                                          .again = SERIN_FLASH_AGAIN_FINE,
                                          .seed = seed};
        cut_program(fault, 0, "\xFE", 1); /* one bit, which is loose */
        ck_assert_int_eq(read_at(0, back, 1), SERIN_OK);
        bool erased = back[0] == 0xFF;
        ck_assert_int_eq(program(0, "\x0F", 1), erased ? SERIN_OK : SERIN_ERR_FLASH);
        ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), erased ? 0 : 1);
        blank += erased;
        filled += !erased;
        close_part();
    }
    ck_assert_uint_gt(blank, 0);
    ck_assert_uint_gt(filled, 0);
}
END_TEST

/* ---- parts that take a second program ---- */

START_TEST(plain_nor_clears_bits_one_by_one)
{
    struct serin_flash_emulator_config config = {.size_bytes = SIZE,
                                                 .sector_size = SECTOR,
                                                 .write_unit = 1,
                                                 .erased_value = _i == 0 ? 0xFF : 0x00,
                                                 .programming = SERIN_FLASH_AND};
    uint8_t invert = config.erased_value ^ 0xFF;
    uint8_t back, bytes[] = {0xF0 ^ invert, 0xC0 ^ invert, 0x0F ^ invert};
    open_part(&config);
    ck_assert_int_eq(program(5, &bytes[0], 1), SERIN_OK);
    ck_assert_int_eq(program(5, &bytes[1], 1), SERIN_OK); /* fewer bits */
    ck_assert_int_eq(program(5, &bytes[1], 1), SERIN_OK); /* the same */
    ck_assert_uint_eq(figures().reprogrammed, 2);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    ck_assert_int_eq(program(5, &bytes[0], 1), SERIN_ERR_FLASH); /* back */
    ck_assert_int_eq(program(5, &bytes[2], 1), SERIN_ERR_FLASH);
    ck_assert_int_eq(read_at(5, &back, 1), SERIN_OK);
    ck_assert_uint_eq(back, bytes[1]);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 2);
    ck_assert_str_eq(serin_flash_emulator_breach(emulator),
                     "a program moves a bit back to the erased value");
    /* The same on a part that is written once: the first repetition is one too many. */
    close_part();
    config.programming = SERIN_FLASH_WRITE_ONCE;
    open_part(&config);
    ck_assert_ptr_null(serin_flash_emulator_breach(emulator));
    ck_assert_int_eq(program(5, &bytes[0], 1), SERIN_OK);
    ck_assert_int_eq(program(5, &bytes[1], 1), SERIN_ERR_FLASH);
    ck_assert_str_eq(serin_flash_emulator_breach(emulator), "a write unit is programmed twice");
    ck_assert_uint_eq(figures().reprogrammed, 0);
    close_part();
}
END_TEST

START_TEST(plain_nor_torn_over_old_bits)
{
    struct serin_flash_emulator_config config = {.size_bytes = SIZE,
                                                 .sector_size = SECTOR,
                                                 .write_unit = 4,
                                                 .erased_value = 0xFF,
                                                 .programming = SERIN_FLASH_AND};
    static const uint8_t first[4] = {0xF0, 0xF0, 0xF0, 0xF0}, second[4] = {0x10, 0x10, 0x10, 0x10};
    static const uint8_t left[4] = {0x10, 0x10, 0xF0, 0xF0};
    open_part(&config);
    ck_assert_int_eq(program(0, first, 4), SERIN_OK);
    cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX, .at = 2}, 0,
                second, 4);
    expect(0, left, 4);
    ck_assert_int_eq(program(0, second, 4), SERIN_OK); /* again: the bits only go on */
    expect(0, second, 4);
    /* What reads erased but is torn is refused here, too. */
    cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX}, 8, first, 4);
    ck_assert_int_eq(program(8, first, 4), SERIN_ERR_FLASH);
    ck_assert_uint_eq(figures().refused, 1);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    close_part();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flash_torn");
    TCase *tests = tcase_create("flash_torn");
    tcase_set_timeout(tests, 60); /* a machine may be busy */
    tcase_add_test(tests, an_unstable_unit_reads_differently);
    tcase_add_test(tests, an_unstable_unit_of_ecc_faults_now_and_then);
    tcase_add_loop_test(tests, a_weak_unit_flips_at_its_read, 0, 2);
    tcase_add_loop_test(tests, a_weak_unit_flips_at_the_next_power_cycle, 0, 2);
    tcase_add_test(tests, a_weak_unit_flips_though_one_bit_is_loose);
    tcase_add_test(tests, garbage_where_all_was_erased_is_loose_too);
    tcase_add_test(tests, a_drawn_tear_of_an_ecc_part_is_unreadable_throughout);
    tcase_add_test(tests, an_ecc_word_that_is_half_done_faults_whatever_is_asked);
    tcase_add_test(tests, what_reads_erased_takes_a_program_as_the_fault_says);
    tcase_add_test(tests, what_cannot_be_read_does_not_read_erased);
    tcase_add_test(tests, what_an_unstable_unit_gave_last_decides);
    tcase_add_loop_test(tests, plain_nor_clears_bits_one_by_one, 0, 2);
    tcase_add_test(tests, plain_nor_torn_over_old_bits);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
