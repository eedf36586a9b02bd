/*
 * The log of records over two banks: the newest valid record wins, whatever happens to the others.
 */
#include "check_main.h"

#include "flash_io.h"
#include "reclog.h"

#include <serin/crc32.h>
#include <serin/emulator/flash_emulator.h>

#include <string.h>

#define PAYLOAD 52

static struct serin_flash_emulator *emulator;
static struct serin_reclog log_;

static void set_up_geometry(uint32_t unit, uint8_t erased, bool ecc, uint64_t seed)
{
    struct serin_flash_emulator_config config = {.size_bytes = 4096,
                                                 .sector_size = 512,
                                                 .write_unit = unit,
                                                 .erased_value = erased,
                                                 .ecc = ecc,
                                                 .seed = seed};
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    log_ = (struct serin_reclog){.flash = serin_flash_emulator_flash(emulator),
                                 .region = {.address = 1024, .size = 1024},
                                 .magic = 0x424E5253u,
                                 .payload_size = PAYLOAD};
}

static void set_up(void)
{
    set_up_geometry(8, 0xFF, false, 1);
}

static void tear_down(void)
{
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    serin_flash_emulator_close(emulator);
}

static enum serin_error append(uint32_t value)
{
    uint8_t payload[PAYLOAD];
    memset(payload, (int)(value & 0xFF), sizeof(payload));
    serin_put_le32(payload, value);
    return serin_reclog_append(&log_, payload);
}

/* An append in which the power goes, and comes back. */
static enum serin_error append_cut(uint32_t value)
{
    enum serin_error error = append(value);
    ck_assert(serin_flash_emulator_is_off(emulator));
    serin_flash_emulator_power_on(emulator);
    return error;
}

/* The value of the newest record, 0 where there is none. */
static uint32_t newest(uint32_t *sequence)
{
    uint8_t payload[PAYLOAD];
    enum serin_error error = serin_reclog_read(&log_, payload, sequence);
    if (error != SERIN_OK) {
        ck_assert(error == SERIN_ERR_NOT_FOUND || error == SERIN_ERR_FLASH);
        return 0;
    }
    uint32_t value = serin_get_le32(payload);
    ck_assert(serin_bytes_all(payload + 4, PAYLOAD - 4, (uint8_t)value));
    return value;
}

static void wipe(uint32_t bank)
{
    const struct serin_flash *flash = log_.flash;
    ck_assert_int_eq(flash->ops->erase(flash->ctx, 1024 + bank * 512, 512), SERIN_OK);
}

START_TEST(appends_over_many_banks)
{
    static const struct {
        uint32_t unit;
        uint8_t erased;
    } flashes[] = {{1, 0xFF}, {8, 0xFF}, {32, 0x00}, {64, 0xFF}, {128, 0x00}, {512, 0xFF}};
    set_up_geometry(flashes[_i].unit, flashes[_i].erased, false, 1);
    ck_assert_uint_eq(newest(NULL), 0);
    for (uint32_t value = 1; value <= 200; value++) {
        uint32_t sequence;
        ck_assert_int_eq(append(value), SERIN_OK);
        ck_assert_uint_eq(newest(&sequence), value);
        ck_assert_uint_eq(sequence, value);
    }
    /* Wear is shared by the banks. */
    uint32_t a = serin_flash_emulator_wear(emulator, 1024);
    uint32_t b = serin_flash_emulator_wear(emulator, 1536);
    ck_assert_uint_le(a > b ? a - b : b - a, 1);
    tear_down();
}
END_TEST

START_TEST(any_flipped_bit_makes_a_record_invalid)
{
    set_up();
    ck_assert_int_eq(append(1), SERIN_OK);
    ck_assert_int_eq(append(2), SERIN_OK);
    for (uint32_t at = 64; at < 128; at++) {
        for (int bit = 0; bit < 8; bit++) {
            serin_flash_emulator_rot(emulator, 1024 + at, (uint8_t)(1 << bit));
            ck_assert_uint_eq(newest(NULL), 2); /* the other bank's */
            serin_flash_emulator_rot(emulator, 1536 + at, (uint8_t)(1 << bit));
            ck_assert_uint_eq(newest(NULL), 1);
            serin_flash_emulator_rot(emulator, 1024 + at, (uint8_t)(1 << bit));
            serin_flash_emulator_rot(emulator, 1536 + at, (uint8_t)(1 << bit));
        }
    }
    ck_assert_uint_eq(newest(NULL), 2);
    tear_down();
}
END_TEST

START_TEST(every_cut_keeps_the_last_or_the_new_record)
{
    static const struct {
        uint32_t unit;
        uint8_t erased;
        bool ecc;
    } flashes[] = {{1, 0xFF, false}, {8, 0x00, false}, {64, 0xFF, true}, {256, 0xFF, true}};
    for (uint64_t at = 1; at <= 80; at++) {
        for (int how = SERIN_CUT_BEFORE; how <= SERIN_CUT_AFTER; how++) {
            set_up_geometry(flashes[_i].unit, flashes[_i].erased, flashes[_i].ecc, at);
            serin_flash_emulator_cut(emulator, at, (enum serin_cut)how);
            uint32_t value = 1;
            while (append(value) == SERIN_OK) {
                value++;
                ck_assert_uint_lt(value, 100);
            }
            ck_assert(serin_flash_emulator_is_off(emulator));
            serin_flash_emulator_power_on(emulator);
            uint32_t found = newest(NULL);
            ck_assert_msg(found == value - 1 || found == value, "%u after %u", found, value);
            log_.after_reset = true;
            for (uint32_t next = 1000; next < 1040; next++) {
                enum serin_error error = append(next);
                if (error ==
                    SERIN_ERR_AGAIN) { /* of the first record a cut left words that fault */
                    ck_assert(found == 0 && next == 1000);
                    log_.begin_anew = true;
                    error = append(next);
                    log_.begin_anew = false;
                }
                ck_assert_int_eq(error, SERIN_OK);
                ck_assert_uint_eq(newest(NULL), next);
                if (next == 1000) {
                    wipe((uint32_t)(at % 2)); /* the first append mends what the cut left */
                    ck_assert_uint_eq(newest(NULL), next);
                }
                log_.after_reset = false;
            }
            tear_down();
        }
    }
}
END_TEST

START_TEST(a_broken_place_is_passed_over)
{
    set_up();
    ck_assert_int_eq(append(1), SERIN_OK);
    serin_flash_emulator_break(emulator, 1024 + 64, 64, SERIN_BREAKAGE_FAILS);
    ck_assert_int_eq(append(2), SERIN_OK);
    ck_assert_uint_eq(newest(NULL), 2);
    ck_assert_int_eq(append(3), SERIN_OK);
    ck_assert_uint_eq(newest(NULL), 3);
    tear_down();
}
END_TEST

START_TEST(a_place_that_does_not_hold_is_passed_over)
{
    set_up();
    ck_assert_int_eq(append(1), SERIN_OK);
    serin_flash_emulator_break(emulator, 1024 + 100, 4, SERIN_BREAKAGE_STUCK);
    ck_assert_int_eq(append(2), SERIN_OK);
    ck_assert_uint_eq(newest(NULL), 2);
    tear_down();
}
END_TEST

START_TEST(a_stuck_bank_never_costs_the_newest_record)
{
    /* One record to a bank: after the stuck one only the bank of the newest is left, and must not
     * be erased. */
    set_up_geometry(512, 0xFF, false, 1);
    ck_assert_int_eq(append(1), SERIN_OK);
    serin_flash_emulator_break(emulator, 1536, 512, SERIN_BREAKAGE_STUCK);
    ck_assert_int_eq(append(2), SERIN_OK); /* while it still holds the record before */
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(append(3), SERIN_ERR_FLASH);
        ck_assert_uint_eq(newest(NULL), 2);
    }
    tear_down();
}
END_TEST

/* Programs a record of value 7 at `address`. */
static void put_record(uint32_t address, uint32_t sequence)
{
    uint8_t record[64] = {0};
    serin_put_le32(record, log_.magic);
    serin_put_le32(record + 4, sequence);
    serin_put_le32(record + 8, 7);
    memset(record + 12, 7, PAYLOAD - 4);
    serin_put_le32(record + 60, serin_crc32(0, record, 60));
    const struct serin_flash *flash = log_.flash;
    ck_assert_int_eq(flash->ops->program(flash->ctx, address, record, sizeof(record)), SERIN_OK);
}

START_TEST(past_the_last_sequence_a_log_starts_again)
{
    /* The other bank is erased and written, then the bank of the last record erased, and written,
     * too. The new record counts from the third operation on. */
    const uint64_t operations = 4;
    for (uint64_t at = 0; at <= operations; at++) {
        for (int how = SERIN_CUT_BEFORE; how <= SERIN_CUT_AFTER; how++) {
            set_up();
            put_record(1536, UINT32_MAX);
            ck_assert_uint_eq(newest(NULL), 7);
            uint32_t sequence = 1;
            if (at == 0) {
                ck_assert_int_eq(append(8), SERIN_OK);
                ck_assert_uint_eq(newest(&sequence), 8);
            } else {
                serin_flash_emulator_cut(emulator, at, (enum serin_cut)how);
                (void)append_cut(8);
                uint32_t found = newest(NULL);
                ck_assert_uint_eq(found, at < 3 || (at == 3 && found == 7) ? 7 : 8);
            }
            ck_assert_uint_eq(sequence, 1);
            for (uint32_t value = 9; value < 60; value++) {
                ck_assert_int_eq(append(value), SERIN_OK);
                ck_assert_uint_eq(newest(NULL), value);
            }
            tear_down();
        }
    }
}
END_TEST

START_TEST(the_last_sequences_are_used)
{
    set_up();
    put_record(1024, UINT32_MAX - 40);
    for (uint32_t value = 8; value < 100; value++) {
        ck_assert_int_eq(append(value), SERIN_OK);
        ck_assert_uint_eq(newest(NULL), value);
    }
    tear_down();
}
END_TEST

/* ---- a copy in either bank ---- */

START_TEST(either_bank_is_enough)
{
    static const struct {
        uint32_t unit;
        uint8_t erased;
    } flashes[] = {{1, 0xFF}, {8, 0xFF}, {32, 0x00}, {64, 0xFF}, {128, 0x00}, {512, 0xFF}};
    set_up_geometry(flashes[_i].unit, flashes[_i].erased, false, 1);
    for (uint32_t value = 1; value <= 100; value++) {
        ck_assert_int_eq(append(value), SERIN_OK);
        wipe(value % 2);
        ck_assert_uint_eq(newest(NULL), value);
    }
    tear_down();
}
END_TEST

START_TEST(rot_of_any_byte_is_read_past_and_mended)
{
    for (uint32_t at = 1024; at < 2048; at++) {
        set_up();
        for (uint32_t value = 1; value <= 5; value++) {
            ck_assert_int_eq(append(value), SERIN_OK);
        }
        serin_flash_emulator_rot(emulator, at, 0x10);
        uint32_t sequence;
        ck_assert_uint_eq(newest(&sequence), 5);
        ck_assert_uint_eq(sequence, 5);
        /* The next append writes both banks afresh: then either is enough. */
        ck_assert_int_eq(append(6), SERIN_OK);
        wipe(_i == 0 ? 0 : 1);
        ck_assert_uint_eq(newest(NULL), 6);
        tear_down();
    }
}
END_TEST

START_TEST(a_broken_bank_is_done_without)
{
    set_up();
    ck_assert_int_eq(append(1), SERIN_OK);
    serin_flash_emulator_break(emulator, 1536, 512,
                               _i == 0 ? SERIN_BREAKAGE_FAILS : SERIN_BREAKAGE_STUCK);
    /* Bank 0 takes records until it is full; then nothing else holds what it would erase. */
    uint32_t value = 2;
    while (append(value) == SERIN_OK) {
        ck_assert_uint_eq(newest(NULL), value);
        value++;
    }
    ck_assert_uint_eq(value, 9);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(append(9), SERIN_ERR_FLASH);
        ck_assert_uint_eq(newest(NULL), 8);
    }
    serin_flash_emulator_break(emulator, 0, 0, SERIN_BREAKAGE_FAILS);
    ck_assert_int_eq(append(9), SERIN_OK);
    wipe(0);
    ck_assert_uint_eq(newest(NULL), 9);
    tear_down();
}
END_TEST

/* ---- doubt ---- */

START_TEST(after_a_reset_a_place_and_a_sequence_are_left_out)
{
    set_up();
    ck_assert_int_eq(append(1), SERIN_OK);
    log_.after_reset = true;
    ck_assert_int_eq(append(2), SERIN_OK);
    log_.after_reset = false;
    ck_assert(serin_flash_erased(log_.flash, 1024 + 64, 64));
    uint32_t sequence;
    ck_assert_uint_eq(newest(&sequence), 2);
    ck_assert_uint_eq(sequence, 3);
    ck_assert_int_eq(append(3), SERIN_OK);
    ck_assert_uint_eq(newest(&sequence), 3);
    ck_assert_uint_eq(sequence, 4);
    log_.after_reset = true;
    for (uint32_t value = 4; value < 60; value++) {
        ck_assert_int_eq(append(value), SERIN_OK);
        ck_assert_uint_eq(newest(NULL), value);
    }
    tear_down();
}
END_TEST

START_TEST(a_torn_record_that_reads_again_is_not_the_newest)
{
    set_up();
    ck_assert_int_eq(append(1), SERIN_OK);
    log_.after_reset = true;
    serin_flash_emulator_cut(emulator, 2, SERIN_CUT_BEFORE);
    (void)append_cut(2);
    uint32_t torn_sequence, sequence;
    ck_assert_uint_eq(newest(&torn_sequence), 2);
    uint32_t at = 1024u + 2u * 64u; /* one place is left out */
    /* Its head reads as nothing while the next one is numbered, and well from then on. */
    serin_flash_emulator_rot(emulator, at, 1);
    ck_assert_uint_eq(newest(NULL), 1);
    ck_assert_int_eq(append(3), SERIN_OK);
    serin_flash_emulator_rot(emulator, at, 1);
    ck_assert_uint_eq(newest(&sequence), 3);
    ck_assert_uint_eq(sequence, torn_sequence);
    log_.after_reset = false;
    ck_assert_int_eq(append(4), SERIN_OK);
    ck_assert_uint_eq(newest(NULL), 4);
    tear_down();
}
END_TEST

START_TEST(a_bank_without_the_newest_record_is_suspect)
{
    set_up();
    ck_assert(!serin_reclog_suspect(&log_)); /* nothing is there to doubt */
    ck_assert_int_eq(append(1), SERIN_OK);
    ck_assert_int_eq(append(2), SERIN_OK);
    ck_assert(!serin_reclog_suspect(&log_));
    serin_flash_emulator_rot(emulator, 1024 + 64 + 20, 1);
    ck_assert_uint_eq(newest(NULL), 2);
    ck_assert(serin_reclog_suspect(&log_));
    /* Both copies: the record before is the newest whole one. A fresh one takes a sequence that the
     * rotten ones do not claim, and stays newer, should they read again. */
    serin_flash_emulator_rot(emulator, 1536 + 64 + 20, 1);
    ck_assert_uint_eq(newest(NULL), 1);
    uint32_t sequence;
    ck_assert_int_eq(append(3), SERIN_OK);
    ck_assert(!serin_reclog_suspect(&log_));
    serin_flash_emulator_rot(emulator, 1024 + 64 + 20, 1);
    ck_assert_uint_eq(newest(&sequence), 3);
    ck_assert_uint_eq(sequence, 3);
    /* A cut between the copies. */
    serin_flash_emulator_cut(emulator, 2, SERIN_CUT_BEFORE);
    (void)append_cut(4);
    ck_assert_uint_eq(newest(NULL), 4);
    ck_assert(serin_reclog_suspect(&log_));
    tear_down();
}
END_TEST

/* ---- what does not read for a moment ---- */

static const struct serin_flash *lit; /* the emulator's */
static struct serin_region dark;
static bool faulting; /* what is dark faults until it is erased, bank by bank */
static unsigned erases;

static enum serin_error dark_read(void *ctx, uint32_t address, void *out, size_t size)
{
    bool hit = address < dark.address + dark.size && dark.address < address + size;
    return hit ? SERIN_ERR_FLASH : lit->ops->read(ctx, address, out, size);
}

static enum serin_error counted_erase(void *ctx, uint32_t address, size_t size)
{
    erases++;
    if (faulting) {
        dark.size = dark.size > size ? dark.size - (uint32_t)size : 0;
        dark.address = address == dark.address ? address + (uint32_t)size : dark.address;
    }
    return lit->ops->erase(ctx, address, size);
}

static void set_up_dark(void)
{
    static struct serin_flash flash;
    static struct serin_flash_ops ops;
    set_up();
    lit = log_.flash;
    flash = *lit;
    ops = *lit->ops;
    ops.read = dark_read;
    ops.erase = counted_erase;
    flash.ops = &ops;
    log_.flash = &flash;
    dark = (struct serin_region){.address = 0, .size = 0};
    erases = 0;
}

START_TEST(a_log_that_is_dark_for_a_moment_is_not_an_empty_one)
{
    uint8_t payload[PAYLOAD];
    set_up_dark();
    ck_assert_int_eq(append(1), SERIN_OK);
    ck_assert_int_eq(append(2), SERIN_OK);
    unsigned before = erases;
    dark = log_.region;
    ck_assert_int_eq(serin_reclog_read(&log_, payload, NULL), SERIN_ERR_FLASH);
    ck_assert_int_eq(serin_reclog_read_part(&log_, 0, payload, 4), SERIN_ERR_FLASH);
    ck_assert(!serin_reclog_suspect(&log_));
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(append(3), SERIN_ERR_AGAIN);
    }
    ck_assert_uint_eq(erases, before);
    dark.size = 0;
    ck_assert_uint_eq(newest(NULL), 2);
    ck_assert_int_eq(append(3), SERIN_OK);
    ck_assert_uint_eq(newest(NULL), 3);
    tear_down();
}
END_TEST

/* Also where the heads alone read, and the record that one claims does not. */
START_TEST(a_record_that_does_not_read_is_not_none)
{
    set_up_dark();
    ck_assert_int_eq(append(1), SERIN_OK);
    wipe(1);
    unsigned before = erases;
    dark = (struct serin_region){.address = 1024 + 20, .size = 1};
    ck_assert_int_eq(append(2), SERIN_ERR_AGAIN);
    ck_assert_uint_eq(erases, before);
    dark.address = 1536 + 64; /* a place of which the other bank has no record either */
    ck_assert_uint_eq(newest(NULL), 1);
    ck_assert_int_eq(append(2), SERIN_OK);
    ck_assert_uint_eq(newest(NULL), 2);
    tear_down();
}
END_TEST

START_TEST(one_dark_bank_is_done_without)
{
    set_up_dark();
    for (uint32_t value = 1; value <= 5; value++) {
        ck_assert_int_eq(append(value), SERIN_OK);
    }
    dark = (struct serin_region){.address = 1024 + 512 * (uint32_t)_i, .size = 512};
    ck_assert_uint_eq(newest(NULL), 5);
    ck_assert_int_eq(append(6), SERIN_OK);
    ck_assert_uint_eq(newest(NULL), 6);
    dark.size = 0;
    ck_assert_uint_eq(newest(NULL), 6);
    tear_down();
}
END_TEST

START_TEST(what_counts_as_lost_is_begun_anew)
{
    uint32_t sequence;
    set_up_dark();
    for (uint32_t value = 1; value <= 3; value++) {
        ck_assert_int_eq(append(value), SERIN_OK);
    }
    dark = log_.region;
    ck_assert_int_eq(append(4), SERIN_ERR_AGAIN);
    dark.size = 0;
    log_.begin_anew = true; /* there is a record after all: it stays */
    ck_assert_int_eq(append(4), SERIN_ERR_AGAIN);
    ck_assert_uint_eq(newest(NULL), 3);
    dark = log_.region;
    faulting = true;
    ck_assert_int_eq(append(4), SERIN_OK);
    faulting = false;
    log_.begin_anew = false;
    ck_assert_uint_eq(newest(&sequence), 4);
    ck_assert_uint_eq(sequence, 1);
    ck_assert_uint_eq(dark.size, 0);
    tear_down();
}
END_TEST

START_TEST(records_of_another_log_do_not_count)
{
    set_up();
    ck_assert_int_eq(append(1), SERIN_OK);
    log_.magic++;
    ck_assert_uint_eq(newest(NULL), 0);
    ck_assert_int_eq(append(5), SERIN_OK);
    ck_assert_uint_eq(newest(NULL), 5);
    tear_down();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reclog");
    TCase *tests = tcase_create("reclog");
    tcase_add_loop_test(tests, appends_over_many_banks, 0, 6);
    tcase_add_test(tests, any_flipped_bit_makes_a_record_invalid);
    tcase_add_loop_test(tests, every_cut_keeps_the_last_or_the_new_record, 0, 4);
    tcase_add_test(tests, a_broken_place_is_passed_over);
    tcase_add_test(tests, a_place_that_does_not_hold_is_passed_over);
    tcase_add_test(tests, a_stuck_bank_never_costs_the_newest_record);
    tcase_add_test(tests, past_the_last_sequence_a_log_starts_again);
    tcase_add_test(tests, the_last_sequences_are_used);
    tcase_add_loop_test(tests, either_bank_is_enough, 0, 6);
    tcase_add_loop_test(tests, rot_of_any_byte_is_read_past_and_mended, 0, 2);
    tcase_add_loop_test(tests, a_broken_bank_is_done_without, 0, 2);
    tcase_add_test(tests, after_a_reset_a_place_and_a_sequence_are_left_out);
    tcase_add_test(tests, a_torn_record_that_reads_again_is_not_the_newest);
    tcase_add_test(tests, a_bank_without_the_newest_record_is_suspect);
    tcase_add_test(tests, records_of_another_log_do_not_count);
    tcase_add_test(tests, a_log_that_is_dark_for_a_moment_is_not_an_empty_one);
    tcase_add_test(tests, a_record_that_does_not_read_is_not_none);
    tcase_add_loop_test(tests, one_dark_bank_is_done_without, 0, 2);
    tcase_add_test(tests, what_counts_as_lost_is_begun_anew);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
