/*
 * The journal by itself: where entries stand, what a reset or a bad place costs, and whose entries
 * count. What it is for is tried in check_agent_life and tests/cuts.
 */
#include "check_main.h"
#include "journal.h"

#include <serin/emulator/flash_emulator.h>

#include <string.h>

#define SECTOR 512u
#define PLACES (SECTOR / 16u)

static struct serin_flash_emulator *emulator;
static struct serin_journal journal;
static struct serin_journal_end end;
static const uint8_t id[SERIN_SHA256_SIZE] = {1, 2, 3};
static const struct serin_journal_account account = {.bytes_fetched = 4416, .pieces_refetched = 1};

static void set_up(void)
{
    struct serin_flash_emulator_config config = {
        .size_bytes = 2048, .sector_size = SECTOR, .write_unit = 16, .erased_value = 0xFF};
    ck_assert_int_eq(serin_flash_emulator_open(&emulator, &config), SERIN_OK);
    journal = (struct serin_journal){.flash = serin_flash_emulator_flash(emulator),
                                     .address = SECTOR,
                                     .stride = 16,
                                     .size = SECTOR,
                                     .manifest_id = id,
                                     .attempt = 7};
    memset(&end, 0, sizeof end);
}

static void tear_down(void)
{
    ck_assert_uint_eq(serin_flash_emulator_breaches(emulator), 0);
    serin_flash_emulator_close(emulator);
}

static void write_to(uint32_t first, uint32_t last)
{
    for (uint32_t position = first; position <= last; position++) {
        ck_assert_int_eq(serin_journal_write(&journal, &end, position, &account), SERIN_OK);
    }
}

/* What stands at a place: a position, or -1. */
static int position_at(uint32_t place)
{
    uint8_t entry[SERIN_JOURNAL_ENTRY_SIZE];
    serin_flash_emulator_peek(emulator, SECTOR + place * 16u, entry, sizeof entry);
    return entry[0] == 'J' ? (int)serin_get_le32(entry + 4) : -1;
}

START_TEST(an_entry_stands_in_the_place_of_its_position)
{
    set_up();
    serin_journal_look(&journal, false, &end);
    ck_assert(!end.started && end.next == 0);
    write_to(0, 5);
    for (uint32_t position = 0; position <= 5; position++) {
        struct serin_journal_account found = {0};
        ck_assert_int_eq(position_at(position), (int)position);
        ck_assert(serin_journal_has(&journal, position, &found));
        ck_assert_uint_eq(found.bytes_fetched, account.bytes_fetched);
        ck_assert_uint_eq(found.pieces_refetched, account.pieces_refetched);
    }
    ck_assert(!serin_journal_has(&journal, 6, NULL));
    serin_journal_look(&journal, false, &end);
    ck_assert(end.started);
    ck_assert_uint_eq(end.reached, 5);
    ck_assert_uint_eq(end.next, 6);
    tear_down();
}
END_TEST

START_TEST(a_reset_costs_a_place_and_no_entry)
{
    set_up();
    write_to(0, 2);
    for (uint32_t resets = 1; resets <= 10; resets++) {
        serin_journal_look(&journal, true, &end);
        ck_assert_uint_eq(end.reached, 1u + resets);
        write_to(2 + resets, 2 + resets);
        ck_assert_int_eq(position_at(2u + 2u * resets), (int)(2u + resets));
        ck_assert_int_eq(position_at(1u + 2u * resets), -1);
    }
    for (uint32_t position = 0; position <= 12; position++) {
        ck_assert(serin_journal_has(&journal, position, NULL));
    }
    tear_down();
}
END_TEST

START_TEST(a_place_that_fails_or_holds_nothing_is_passed_over)
{
    set_up();
    write_to(0, 0);
    serin_flash_emulator_break(emulator, SECTOR + 16u, 32,
                               _i == 0 ? SERIN_BREAKAGE_FAILS : SERIN_BREAKAGE_STUCK);
    write_to(1, 2);
    ck_assert_int_eq(position_at(1), -1);
    ck_assert_int_eq(position_at(2), -1);
    ck_assert_int_eq(position_at(3), 1);
    ck_assert_int_eq(position_at(4), 2);
    ck_assert(serin_journal_has(&journal, 1, NULL) && serin_journal_has(&journal, 2, NULL));
    /* A whole part that is worn out: the write fails, and says so. */
    serin_flash_emulator_break(emulator, SECTOR, SECTOR, SERIN_BREAKAGE_FAILS);
    ck_assert_int_eq(serin_journal_write(&journal, &end, 3, &account), SERIN_ERR_FLASH);
    ck_assert(!serin_journal_has(&journal, 3, NULL));
    tear_down();
}
END_TEST

START_TEST(a_full_journal_says_so)
{
    set_up();
    write_to(0, PLACES - 2u);
    serin_journal_look(&journal, true, &end);
    ck_assert_uint_eq(end.next, PLACES);
    ck_assert_int_eq(serin_journal_write(&journal, &end, PLACES - 1u, &account),
                     SERIN_ERR_NO_SPACE);
    ck_assert_uint_eq(end.reached, PLACES - 2u);
    tear_down();
}
END_TEST

START_TEST(entries_of_another_download_do_not_count_but_are_seen)
{
    static const uint8_t other[SERIN_SHA256_SIZE] = {9};
    set_up();
    write_to(0, 4);
    struct serin_journal mine = journal;
    if (_i == 0) {
        mine.attempt = 8;
    } else {
        mine.manifest_id = other;
    }
    serin_journal_look(&mine, true, &end);
    ck_assert(!end.started);
    ck_assert_uint_eq(end.claimed, 4);
    ck_assert(!serin_journal_has(&mine, 2, NULL));
    ck_assert_int_eq(serin_journal_erase(&mine), SERIN_OK);
    serin_journal_look(&journal, true, &end);
    ck_assert(!end.started && end.claimed == 0);
    tear_down();
}
END_TEST

/* A piece that rotted with its entry gets another one, behind higher ones. */
START_TEST(an_entry_may_follow_a_higher_one)
{
    set_up();
    write_to(0, 5);
    serin_flash_emulator_rot(emulator, SECTOR + 3u * 16u + 4u, 1);
    ck_assert(!serin_journal_has(&journal, 3, NULL));
    serin_journal_look(&journal, false, &end);
    ck_assert_uint_eq(end.reached, 5);
    write_to(3, 3);
    ck_assert_int_eq(position_at(6), 3);
    ck_assert(serin_journal_has(&journal, 3, NULL));
    serin_journal_look(&journal, false, &end);
    ck_assert_uint_eq(end.reached, 5);
    ck_assert_uint_eq(end.next, 7);
    tear_down();
}
END_TEST

/* An entry cannot stand before the place of its position: one that does was never written. */
START_TEST(every_rotten_bit_of_an_entry_takes_it)
{
    for (uint32_t bit = 0; bit < 8u * SERIN_JOURNAL_ENTRY_SIZE; bit++) {
        set_up();
        write_to(0, 3);
        serin_flash_emulator_rot(emulator, SECTOR + 32u + bit / 8u, (uint8_t)(1u << bit % 8u));
        ck_assert(!serin_journal_has(&journal, 2, NULL));
        ck_assert(serin_journal_has(&journal, 3, NULL));
        serin_journal_look(&journal, false, &end);
        ck_assert_uint_eq(end.reached, 3);
        tear_down();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal");
    TCase *tests = tcase_create("journal");
    tcase_add_test(tests, an_entry_stands_in_the_place_of_its_position);
    tcase_add_test(tests, a_reset_costs_a_place_and_no_entry);
    tcase_add_loop_test(tests, a_place_that_fails_or_holds_nothing_is_passed_over, 0, 2);
    tcase_add_test(tests, a_full_journal_says_so);
    tcase_add_loop_test(tests, entries_of_another_download_do_not_count_but_are_seen, 0, 2);
    tcase_add_test(tests, an_entry_may_follow_a_higher_one);
    tcase_add_test(tests, every_rotten_bit_of_an_entry_takes_it);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
