/*
 * Images that fill a slot: their journal has no place to spare, and still a download ends however
 * often the power goes while an entry is written, and each cut costs one piece at most.
 */
#include "check_main.h"
#include "device_bench.h"
#include "flash_io.h"
#include "journal.h"
#include "slot.h"

#include <serin/piece.h>

#include <string.h>

#define PIECES_MIN 12u

/* Of each sort the smallest part whose journal fills its sectors to the last place. */
static const struct bench_geometry sorts[] = {
    {.sector = 4096, .unit = 256, .erased = 0xFF, .seed = 1},
    {.sector = 4096, .unit = 512, .erased = 0x00, .ecc = true, .seed = 2},
    {.sector = 256, .unit = 8, .erased = 0xFF, .seed = 3},
};
#define SORTS (sizeof sorts / sizeof sorts[0])

static struct bench bench;
static struct bench_release *v1, *v2;
static struct serin_slot_map map;

/* ---- power that goes when an entry, or the piece table, is written ---- */

static const struct serin_flash *below;
static struct serin_flash flash;
static uint32_t journal_at, table_at; /* table_at 0: no program of a table is cut */
static uint32_t luck, chance;         /* drawn; so many of 8 entries are cut */
static unsigned entries_cut, entry_cuts_max;

static uint32_t draw(void)
{
    luck = luck * 1664525u + 1013904223u;
    return luck >> 16;
}

static bool in_journal(uint32_t address)
{
    return address >= journal_at && address - journal_at < map.journal_size;
}

static enum serin_error port_read(void *ctx, uint32_t address, void *out, size_t size)
{
    (void)ctx;
    return below->ops->read(below->ctx, address, out, size);
}

static enum serin_error port_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    (void)ctx;
    bool table = table_at != 0 && address >= table_at && address < journal_at;
    if ((table || (table_at == 0 && in_journal(address))) && entries_cut < entry_cuts_max &&
        draw() % 8u < chance) {
        entries_cut++;
        enum serin_cut how = (enum serin_cut)(SERIN_CUT_BEFORE + (int)(draw() % 3u));
        serin_flash_emulator_cut(bench.emulator, 1, how);
    }
    return below->ops->program(below->ctx, address, data, size);
}

static enum serin_error port_erase(void *ctx, uint32_t address, size_t size)
{
    (void)ctx;
    return below->ops->erase(below->ctx, address, size);
}

static const struct serin_flash_ops port = {port_read, port_program, port_erase};

static uint32_t places(void)
{
    return map.journal_size / map.journal_stride;
}

static uint32_t positions(void)
{
    return map.image_capacity / SERIN_PIECE_SIZE + SERIN_JOURNAL_FIRST_PIECE;
}

static struct bench_geometry fullest(const struct bench_geometry *sort)
{
    struct bench_geometry geometry = *sort;
    bool full = false;
    for (geometry.size = 16u * 4096u; !full; geometry.size += geometry.sector) {
        struct serin_layout layout;
        const struct serin_flash plain = {.size_bytes = geometry.size + geometry.sector,
                                          .sector_size = geometry.sector,
                                          .write_unit = geometry.unit,
                                          .erased_value = geometry.erased};
        ck_assert_uint_lt(geometry.size, 1u << 20);
        if (serin_layout_default(&plain, &layout) == SERIN_OK) {
            serin_slot_map(&plain, &layout, &map);
            full = places() == positions() && positions() >= PIECES_MIN;
        }
    }
    return geometry;
}

static void open_part(const struct bench_geometry *geometry)
{
    bench_open(&bench, geometry);
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    v1 = bench_release(1, 4096, BENCH_GOOD);
    v2 = bench_release(2, map.image_capacity, BENCH_GOOD);
    bench_serve(&bench, v1);
    bench_serve(&bench, v2);
    bench_provision(&bench, v1);
    bench_boot(&bench, SERIN_RESET_POWER);
    below = bench.boot.flash;
    flash = *below;
    flash.ops = &port;
    bench.boot.flash = &flash;
    journal_at = serin_slot_address(&bench.boot, SERIN_SLOT_B, map.journal_offset);
    entries_cut = 0;
    table_at = 0;
    entry_cuts_max = UINT32_MAX;
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
}

static void set_up(int sort)
{
    const struct bench_geometry geometry = fullest(&sorts[sort]);
    open_part(&geometry);
    ck_assert_uint_eq(places(), positions());
}

static void tear_down(void)
{
    ck_assert_uint_eq(serin_flash_emulator_breaches(bench.emulator), 0);
    ck_assert_uint_eq(bench.journal_lies, 0);
    bench_close(&bench);
    bench_release_free(v1);
    bench_release_free(v2);
}

START_TEST(a_download_of_the_largest_image_ends_whatever_the_luck)
{
    for (chance = 1; chance <= 6; chance++) {
        set_up(_i);
        luck = chance * 77u;
        ck_assert_msg(bench_run_to(&bench, SERIN_STATE_STAGED, 100000),
                      "never, at %u of 8: %u cuts", chance, entries_cut);
        ck_assert_uint_eq(bench.cuts, entries_cut);
        ck_assert(chance < 4 || bench.agent.record.journal_generation > 0);
        /* What was on its way comes with the piece that a cut costs. */
        ck_assert_uint_le(bench.image_bytes,
                          map.image_capacity + 2u * SERIN_PIECE_SIZE * (uint64_t)bench.cuts);
        ck_assert_uint_le(bench.fetched_again, bench.cuts);
        ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_B, 0, NULL, NULL),
                         SERIN_OK);
        tear_down();
    }
}
END_TEST

/* The power goes with the record of a generation written, and once more while it is begun. */
START_TEST(power_that_goes_while_the_journal_is_begun_anew_costs_no_entry)
{
    for (uint64_t nth = 1; nth <= 40; nth++) {
        for (int how = SERIN_CUT_BEFORE; how <= SERIN_CUT_AFTER; how++) {
            set_up(_i);
            luck = 5u;
            chance = 5u;
            entry_cuts_max = places();
            bench.kill_point = "agent.journal.renewed";
            bench.kill_nth = 1;
            while (bench.agent.record.journal_generation == 0) {
                ck_assert(bench_step(&bench, UINT64_MAX));
                ck_assert_int_ne(bench_state(&bench), SERIN_STATE_STAGED);
            }
            uint32_t base = bench.agent.record.journal_base;
            entry_cuts_max = 0;
            unsigned again = bench.fetched_again;
            uint64_t bytes = bench.image_bytes;
            serin_flash_emulator_cut(bench.emulator, nth, (enum serin_cut)how);
            ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 20000));
            ck_assert_uint_le(bench.fetched_again - again, 2);
            uint32_t in_place = base > SERIN_JOURNAL_FIRST_PIECE
                                    ? (base - SERIN_JOURNAL_FIRST_PIECE) * SERIN_PIECE_SIZE
                                    : 0;
            ck_assert_uint_le(bench.image_bytes - bytes,
                              map.image_capacity - in_place + 4u * SERIN_PIECE_SIZE);
            tear_down();
        }
    }
}
END_TEST

/* A table of 32 bytes a piece takes several sectors, and is fetched once. */
START_TEST(a_piece_table_that_is_cut_goes_on_where_it_was)
{
    static const struct bench_geometry small = {
        .size = 512 * 1024, .sector = 256, .unit = 8, .erased = 0xFF, .seed = 4};
    unsigned cuts = 0;
    for (unsigned n = 1; n <= 24; n++) {
        chance = 1u + n % 6u;
        open_part(&small);
        uint32_t first = journal_at - map.pieces_size;
        ck_assert_uint_ge(map.pieces_size, 1700);
        uint32_t wear = serin_flash_emulator_wear(bench.emulator, first);
        table_at = first + 600u; /* two sectors stand by then */
        luck = n * 31u;
        ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 20000));
        cuts += bench.cuts;
        ck_assert_uint_eq(serin_flash_emulator_wear(bench.emulator, first) - wear, 1);
        ck_assert_uint_eq(bench.image_bytes, map.image_capacity);
        ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_B, 0, NULL, NULL),
                         SERIN_OK);
        tear_down();
    }
    ck_assert_uint_ge(cuts, 10);
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent capacity");
    TCase *tests = tcase_create("agent capacity");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, a_download_of_the_largest_image_ends_whatever_the_luck, 0, SORTS);
    tcase_add_loop_test(tests, power_that_goes_while_the_journal_is_begun_anew_costs_no_entry, 0,
                        SORTS);
    tcase_add_test(tests, a_piece_table_that_is_cut_goes_on_where_it_was);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
