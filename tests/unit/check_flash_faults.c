/*
 * Every kind of fault of the flash emulator leaves what its contract says, byte by byte, and fires
 * once.
 */
#include "flash_part.h"

static const uint32_t units[] = {1, 2, 8, 24, 32, 512};

/* ---- programs ---- */

START_TEST(every_prefix_of_a_program_is_exact)
{
    uint32_t unit = units[_i % 6];
    uint8_t erased = _i < 6 ? 0xFF : 0x00;
    uint32_t size = unit == 512u ? 1024u : 4u * unit;
    struct serin_flash_emulator_config config = {.size_bytes = unit * 64u,
                                                 .sector_size = unit * 8u,
                                                 .write_unit = unit,
                                                 .erased_value = erased};
    uint64_t breaches = 0, refused = 0;
    open_part(&config);
    for (uint32_t k = 0; k <= size; k++) {
        ck_assert_int_eq(erase(0, unit * 8u), SERIN_OK);
        cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_PREFIX, .at = k},
                    unit, pattern(), size);
        expect_all(0, erased, unit);
        expect(unit, pattern(), k);
        expect_all(unit + k, erased, unit * 7u - k);
        /* Units before the torn one are programmed, those after it are erased. */
        uint32_t torn = (k < size ? k : size - 1u) / unit;
        for (uint32_t i = 0; i < size / unit; i++) {
            enum serin_error error = program(unit + i * unit, pattern(), unit);
            ck_assert_int_eq(error, i > torn ? SERIN_OK : SERIN_ERR_FLASH);
            refused += i == torn && k % unit == 0 && k < size;
            breaches += i < torn || (i == torn && (k % unit != 0 || k == size));
        }
        ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), breaches);
        ck_assert_uint_eq(figures().refused, refused);
    }
    close_part();
}
END_TEST

START_TEST(a_unit_that_is_new_throughout_may_be_torn)
{
    open_plain(16, 0xFF);
    cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_NEW,
                                           .at = 17,
                                           .torn = SERIN_FLASH_TORN_FAULTING},
                0, pattern(), 64);
    expect(0, pattern(), 16);
    uint8_t back[16];
    ck_assert_int_eq(read_at(16, back, 1), SERIN_ERR_FLASH);
    serin_flash_emulator_peek(emulator, 16, back, 16);
    ck_assert_mem_eq(back, pattern() + 16, 16);
    expect_all(32, 0xFF, 32);
    close_part();
}
END_TEST

/* Bits that stand where neither the old nor the new ones do. */
static unsigned strange_bits(const uint8_t *held, const uint8_t *new, size_t size, uint8_t erased)
{
    unsigned strange = 0;
    for (size_t i = 0; i < size; i++) {
        strange |= (unsigned)((held[i] ^ erased) & ~(new[i] ^ erased)) & 0xFFu;
    }
    return strange;
}

START_TEST(random_subsets_of_bits_come_from_the_seed)
{
    uint8_t erased = _i == 0 ? 0xFF : 0x00;
    uint8_t held[20][64];
    bool scattered = _i == 1, end_differs = false;
    for (uint64_t i = 0; i < 20u; i++) {
        open_plain(16, erased);
        struct serin_flash_fault fault = {.kind = scattered ? SERIN_FLASH_FAULT_PROGRAM_SCATTER
                                                            : SERIN_FLASH_FAULT_PROGRAM_SUBSET,
                                          .at = scattered ? 0 : 21,
                                          .seed = i / 2u};
        cut_program(fault, 0, pattern(), 64);
        ck_assert_int_eq(read_at(0, held[i], 64), SERIN_OK);
        ck_assert_uint_eq(strange_bits(held[i], pattern(), 64, erased), 0);
        if (!scattered) {
            ck_assert_mem_eq(held[i], pattern(), 21);
            ck_assert(serin_bytes_all(held[i] + 32, 32, erased));
        }
        end_differs = end_differs || memcmp(held[i] + 48, pattern() + 48, 16) != 0;
        if (i % 2u == 1u) { /* the same seed, the same bytes; another one, others */
            ck_assert_mem_eq(held[i], held[i - 1u], 64);
        } else if (i > 0) {
            ck_assert_mem_ne(held[i], held[i - 1u], 64);
        }
        ck_assert_int_eq(program(32, pattern(), 32), scattered ? SERIN_ERR_FLASH : SERIN_OK);
        close_part();
    }
    ck_assert(end_differs);
}
END_TEST

/* ---- erases ---- */

/* Three sectors of which the second is torn. */
static void tear_second(struct serin_flash_fault fault)
{
    ck_assert_int_eq(program(SECTOR, pattern(), 4u * SECTOR), SERIN_OK);
    cut_erase(fault, SECTOR, 3u * SECTOR);
    expect_all(SECTOR, 0xFF, SECTOR);
    expect(3u * SECTOR, pattern() + 2u * SECTOR, 2u * SECTOR);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, SECTOR), 1);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 3u * SECTOR), 0);
    ck_assert_int_eq(program(SECTOR, pattern(), SECTOR), SERIN_OK);
}

START_TEST(an_erase_that_was_cut_between_sectors)
{
    open_plain(8, 0xFF);
    tear_second((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_ERASE_PART, .at = SECTOR});
    expect(2u * SECTOR, pattern() + SECTOR, SECTOR);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 2u * SECTOR), 0);
    close_part();
}
END_TEST

START_TEST(an_erase_that_left_old_bytes)
{
    open_plain(8, 0xFF);
    tear_second((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_ERASE_OLD, .at = SECTOR});
    expect(2u * SECTOR, pattern() + SECTOR, SECTOR);
    ck_assert_uint_eq(serin_flash_emulator_wear(emulator, 2u * SECTOR), 1);
    ck_assert_int_eq(program(2u * SECTOR, pattern(), 8), SERIN_ERR_FLASH);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 1);
    close_part();
}
END_TEST

START_TEST(an_erase_that_reads_erased_but_is_not)
{
    open_plain(8, 0xFF);
    tear_second((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_ERASE_ERASED, .at = SECTOR});
    expect_all(2u * SECTOR, 0xFF, SECTOR);
    ck_assert_int_eq(program(2u * SECTOR, pattern(), 8), SERIN_ERR_FLASH);
    ck_assert_int_eq(program(3u * SECTOR - 8u, pattern(), 8), SERIN_ERR_FLASH);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    ck_assert_uint_eq(figures().refused, 2);
    ck_assert_int_eq(erase(2u * SECTOR, SECTOR), SERIN_OK);
    ck_assert_int_eq(program(2u * SECTOR, pattern(), 8), SERIN_OK);
    close_part();
}
END_TEST

START_TEST(an_erase_that_was_done_half)
{
    open_plain(8, 0xFF);
    tear_second(
        (struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_ERASE_HALF, .at = SECTOR + 300u});
    expect_all(2u * SECTOR, 0xFF, 300);
    expect(2u * SECTOR + 300u, pattern() + SECTOR + 300u, SECTOR - 300u);
    ck_assert_int_eq(program(2u * SECTOR, pattern(), 8), SERIN_ERR_FLASH);
    ck_assert_uint_eq(figures().refused, 1); /* it reads erased; the other half does not */
    ck_assert_int_eq(program(3u * SECTOR - 8u, pattern(), 8), SERIN_ERR_FLASH);
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 1);
    close_part();
}
END_TEST

START_TEST(an_erase_that_left_garbage)
{
    uint8_t held[4][SECTOR];
    bool mix = _i == 1;
    for (uint64_t i = 0; i < 4u; i++) {
        open_plain(8, 0xFF);
        tear_second((struct serin_flash_fault){.kind = mix ? SERIN_FLASH_FAULT_ERASE_MIX
                                                           : SERIN_FLASH_FAULT_ERASE_GARBAGE,
                                               .at = SECTOR + 5u,
                                               .seed = i / 2u});
        ck_assert_int_eq(read_at(2u * SECTOR, held[i], SECTOR), SERIN_OK);
        unsigned old = 0, erased = 0, other = 0;
        for (uint32_t at = 0; at < SECTOR; at++) {
            bool is_old = held[i][at] == pattern()[SECTOR + at];
            old += is_old;
            erased += held[i][at] == 0xFF;
            other += !is_old && held[i][at] != 0xFF;
        }
        ck_assert_uint_ge(other, SECTOR / 8u);
        if (mix) {
            ck_assert_uint_ge(old, SECTOR / 8u);
            ck_assert_uint_ge(erased, SECTOR / 4u);
        } else {
            ck_assert_uint_le(old + erased, SECTOR / 16u);
        }
        close_part();
    }
    ck_assert_mem_eq(held[0], held[1], SECTOR);
    ck_assert_mem_eq(held[2], held[3], SECTOR);
    ck_assert_mem_ne(held[0], held[2], SECTOR);
}
END_TEST

/* ---- faults that leave the power on ---- */

START_TEST(an_operation_that_fails)
{
    open_plain(16, 0xFF);
    arm((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_FAILS});
    ck_assert_int_eq(program(0, pattern(), 16), SERIN_ERR_FLASH);
    expect_all(0, 0xFF, 16);
    arm((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_FAILS_DONE});
    ck_assert_int_eq(program(0, pattern(), 16), SERIN_ERR_FLASH);
    expect(0, pattern(), 16);
    arm((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_FAILS});
    ck_assert_int_eq(erase(0, SECTOR), SERIN_ERR_FLASH);
    expect(0, pattern(), 16);
    arm((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_FAILS_DONE});
    ck_assert_int_eq(erase(0, SECTOR), SERIN_ERR_FLASH);
    expect_all(0, 0xFF, 16);
    ck_assert_uint_eq(figures().fired, 4);
    ck_assert(!serin_flash_emulator_is_off(emulator));
    close_part();
}
END_TEST

START_TEST(rot_comes_at_its_operation)
{
    uint8_t back[16];
    open_plain(16, 0xFF);
    struct serin_flash_fault rot = {
        .operation = 2, .kind = SERIN_FLASH_FAULT_ROT, .at = 3, .mask = 0x81};
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &rot), SERIN_OK);
    ck_assert_int_eq(program(0, pattern(), 16), SERIN_OK);
    expect(0, pattern(), 16);
    ck_assert_uint_eq(figures().fired, 0);
    ck_assert_int_eq(program(16, pattern(), 16), SERIN_OK);
    ck_assert_uint_eq(figures().fired, 1);
    ck_assert_int_eq(read_at(0, back, 16), SERIN_OK);
    ck_assert_uint_eq(back[3], pattern()[3] ^ 0x81);
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &rot), SERIN_OK); /* now, and back */
    ck_assert_uint_eq(figures().fired, 2);
    expect(0, pattern(), 16);

    rot.torn = SERIN_FLASH_TORN_UNSTABLE;
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &rot), SERIN_OK);
    unsigned wrong = 0, seen = 0;
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(read_at(0, back, 16), SERIN_OK);
        wrong += back[3] != pattern()[3];
        seen |= (unsigned)(back[3] ^ pattern()[3]);
        ck_assert_mem_eq(back, pattern(), 3);
    }
    ck_assert_uint_gt(wrong, 10);
    ck_assert_uint_eq(seen, 0x81);

    rot.torn = SERIN_FLASH_TORN_WEAK_POWER;
    ck_assert_int_eq(erase(0, SECTOR), SERIN_OK);
    ck_assert_int_eq(program(0, pattern(), 16), SERIN_OK);
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &rot), SERIN_OK);
    expect(0, pattern(), 16);
    power_cycle();
    ck_assert_int_eq(read_at(0, back, 16), SERIN_OK);
    ck_assert_mem_ne(back, pattern(), 16);

    rot.torn = SERIN_FLASH_TORN_FAULTING;
    ck_assert_int_eq(serin_flash_emulator_arm(emulator, &rot), SERIN_OK);
    ck_assert_int_eq(read_at(15, back, 1), SERIN_ERR_FLASH);
    ck_assert_int_eq(read_at(16, back, 16), SERIN_OK);
    ck_assert_uint_eq(figures().fired, 5);
    close_part();
}
END_TEST

START_TEST(rot_of_erased_cells_stays_under_a_program)
{
    uint32_t unit = _i % 2 == 0 ? 16 : 4;
    uint8_t erased = _i < 2 ? 0xFF : 0x00;
    uint8_t back[16], expected[16];
    open_plain(unit, erased);
    memcpy(expected, pattern(), unit);
    expected[0] = erased == 0xFF ? pattern()[0] & 0xFE : pattern()[0] | 0x02;
    for (uint32_t torn = 0; torn < 2u; torn++) { /* in a sound page, and beside a torn unit */
        uint32_t at = torn * SECTOR + 32u;
        serin_flash_emulator_rot(emulator, at, erased == 0xFF ? 0x01 : 0x02);
        if (torn == 1u) {
            cut_program((struct serin_flash_fault){.kind = SERIN_FLASH_FAULT_PROGRAM_NEW,
                                                   .torn = SERIN_FLASH_TORN_UNSTABLE},
                        torn * SECTOR, pattern(), unit);
        }
        ck_assert_int_eq(program(at, pattern(), unit), SERIN_OK);
        ck_assert_int_eq(read_at(at, back, unit), SERIN_OK);
        ck_assert_mem_eq(back, expected, unit);
    }
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    close_part();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flash_faults");
    TCase *tests = tcase_create("flash_faults");
    tcase_set_timeout(tests, 60); /* a machine may be busy */
    tcase_add_loop_test(tests, every_prefix_of_a_program_is_exact, 0, 12);
    tcase_add_test(tests, a_unit_that_is_new_throughout_may_be_torn);
    tcase_add_loop_test(tests, random_subsets_of_bits_come_from_the_seed, 0, 2);
    tcase_add_test(tests, an_erase_that_was_cut_between_sectors);
    tcase_add_test(tests, an_erase_that_left_old_bytes);
    tcase_add_test(tests, an_erase_that_reads_erased_but_is_not);
    tcase_add_test(tests, an_erase_that_was_done_half);
    tcase_add_loop_test(tests, an_erase_that_left_garbage, 0, 2);
    tcase_add_test(tests, an_operation_that_fails);
    tcase_add_test(tests, rot_comes_at_its_operation);
    tcase_add_loop_test(tests, rot_of_erased_cells_stays_under_a_program, 0, 4);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
