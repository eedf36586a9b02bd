/*
 * Erase sectors that are larger than a piece: a piece that is written again costs itself alone, not
 * its neighbours in the sector, wherever the power goes.
 */
#include "check_main.h"
#include "device_bench.h"
#include "flash_io.h"
#include "slot.h"

#include <serin/piece.h>

#include <string.h>

#define IMAGE_SIZE 39000u /* ten pieces, the last one short: three sectors */
#define BAD_BLOCK  23u    /* of 1 KiB, in piece 5: the second of the second sector */
#define BAD_PIECE  5u

static const struct bench_geometry geometries[] = {
    {.size = 20 * 16384, .sector = 16384, .unit = 8, .erased = 0xFF, .seed = 1},
    {.size = 20 * 16384, .sector = 16384, .unit = 512, .erased = 0x00, .ecc = true, .seed = 1},
};
#define GEOMETRIES (sizeof geometries / sizeof geometries[0])

static struct bench bench;
static struct bench_release *v1, *v2;

static void set_up(const struct bench_geometry *geometry)
{
    bench_open(&bench, geometry);
    v1 = bench_release(1, IMAGE_SIZE, BENCH_GOOD);
    v2 = bench_release(2, IMAGE_SIZE, BENCH_GOOD);
    bench_serve(&bench, v1);
    bench_serve(&bench, v2);
    bench_provision(&bench, v1);
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
}

static void tear_down(void)
{
    ck_assert_uint_eq(serin_flash_emulator_breaches(bench.emulator), 0);
    ck_assert_uint_eq(bench.journal_lies, 0);
    bench_close(&bench);
    bench_release_free(v1);
    bench_release_free(v2);
}

/* Erases of the sector that piece `index` of slot B lies in. */
static uint32_t wear_of(uint32_t index)
{
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    return serin_flash_emulator_wear(
        bench.emulator, bench.layout.slot[1].address + map.image_offset + index * SERIN_PIECE_SIZE);
}

START_TEST(a_sector_is_erased_once_for_all_its_pieces)
{
    set_up(&geometries[_i]);
    uint32_t before = wear_of(BAD_PIECE);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    ck_assert_uint_eq(wear_of(BAD_PIECE) - before, 1);
    ck_assert_uint_eq(bench.image_bytes, IMAGE_SIZE);
    tear_down();
}
END_TEST

START_TEST(a_piece_that_comes_damaged_costs_itself_alone)
{
    set_up(&geometries[_i]);
    uint32_t before = wear_of(BAD_PIECE);
    bench.faults.corrupt_block = BAD_BLOCK;
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    ck_assert_uint_eq(wear_of(BAD_PIECE) - before, 2);
    ck_assert_uint_eq(bench.fetched_again, 0);
    ck_assert_uint_ge(bench.image_bytes, IMAGE_SIZE + SERIN_PIECE_SIZE);
    ck_assert_uint_le(bench.image_bytes, IMAGE_SIZE + 2 * SERIN_PIECE_SIZE); /* and its window */
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_B, 0, NULL, NULL), SERIN_OK);
    tear_down();
}
END_TEST

/* Takes v2 with its bad piece. */
static void check_staged(void)
{
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 2000));
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_B, 0, NULL, NULL), SERIN_OK);
    /* The bad piece, and for each cut the one at work and what was on its way. */
    ck_assert_uint_le(bench.image_bytes, IMAGE_SIZE + 2u * SERIN_PIECE_SIZE * (1u + bench.cuts));
    ck_assert_uint_le(bench.fetched_again, bench.cuts);
}

START_TEST(power_that_goes_while_a_sector_is_rewritten_loses_no_neighbour)
{
    static const char *const points[] = {"agent.room.copied", "agent.room.back"};
    for (size_t g = 0; g < GEOMETRIES; g++) {
        set_up(&geometries[g]);
        bench.faults.corrupt_block = BAD_BLOCK;
        bench.kill_point = points[_i];
        bench.kill_nth = 1;
        check_staged();
        ck_assert_uint_eq(bench.cuts, 1);
        ck_assert_uint_eq(bench.fetched_again, 0);
        tear_down();
    }
}
END_TEST

/* The operations of the life from the first one that the bad piece causes. */
START_TEST(every_cut_of_a_rewriting_loses_no_neighbour)
{
    const struct bench_geometry *geometry = &geometries[(unsigned)_i % GEOMETRIES];
    const enum serin_cut how =
        (enum serin_cut)(SERIN_CUT_BEFORE + (int)((unsigned)_i / GEOMETRIES));
    bool over = false;
    for (uint64_t nth = 1; !over; nth++) {
        set_up(geometry);
        bench.faults.corrupt_block = BAD_BLOCK;
        serin_flash_emulator_cut(bench.emulator, nth, how);
        check_staged();
        over = bench.cuts == 0;
        ck_assert_uint_lt(nth, 500);
        tear_down();
    }
}
END_TEST

/* The power goes when the pieces are in the spare sector, and again while they are brought back. */
START_TEST(every_second_cut_loses_no_neighbour)
{
    const struct bench_geometry *geometry = &geometries[(unsigned)_i % GEOMETRIES];
    for (uint64_t nth = 1; nth <= 40; nth++) {
        set_up(geometry);
        bench.faults.corrupt_block = BAD_BLOCK;
        bench.kill_point = "agent.room.copied";
        bench.kill_nth = 1;
        bench.second_cut_nth = nth;
        bench.second_cut = (enum serin_cut)(SERIN_CUT_BEFORE + (int)((unsigned)_i / GEOMETRIES));
        check_staged();
        ck_assert_uint_ge(bench.cuts, 1);
        tear_down();
    }
}
END_TEST

/* ---- power that goes behind an erase, again and again ---- */

static const struct serin_flash *below;
static struct serin_flash flash;
static uint32_t cut_sector;          /* its address */
static unsigned erased, cuts_wanted; /* the first erase is not cut */

static enum serin_error port_read(void *ctx, uint32_t address, void *out, size_t size)
{
    (void)ctx;
    return below->ops->read(below->ctx, address, out, size);
}

static enum serin_error port_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    (void)ctx;
    return below->ops->program(below->ctx, address, data, size);
}

static enum serin_error port_erase(void *ctx, uint32_t address, size_t size)
{
    (void)ctx;
    enum serin_error error = below->ops->erase(below->ctx, address, size);
    if (error == SERIN_OK && address == cut_sector && ++erased > 1 && erased - 1 <= cuts_wanted) {
        serin_flash_emulator_power_off(bench.emulator);
        error = SERIN_ERR_FLASH;
    }
    return error;
}

static const struct serin_flash_ops port = {port_read, port_program, port_erase};

/* ---- a second rewriting, whose erase of the spare sector is cut ---- */

static struct serin_region spare; /* its sector */
static unsigned spare_erases;
static uint64_t fault_index, fault_count;
static struct serin_flash_fault fault;
static unsigned spare_reads; /* of the first piece in the spare sector, since the cut */
static bool flickers;        /* it reads right once, then wrong */

static enum serin_error spare_read(void *ctx, uint32_t address, void *out, size_t size)
{
    enum serin_error error = port_read(ctx, address, out, size);
    if (flickers && size == SERIN_PIECE_SIZE && address == spare.address && ++spare_reads > 1) {
        ((uint8_t *)out)[0] ^= 1;
    }
    return error;
}

/* Erases the spare sector, but for the kept piece and the mark that says that it was copied. */
static void erase_in_part(size_t size)
{
    static uint8_t kept[SERIN_PIECE_SIZE + 512];
    uint32_t marks = serin_round_up(24, below->write_unit);
    serin_flash_emulator_peek(bench.emulator, spare.address, kept, SERIN_PIECE_SIZE + marks);
    ck_assert_int_eq(below->ops->erase(below->ctx, spare.address, size), SERIN_OK);
    ck_assert_int_eq(below->ops->program(below->ctx, spare.address, kept, SERIN_PIECE_SIZE + marks),
                     SERIN_OK);
}

static enum serin_error spare_erase(void *ctx, uint32_t address, size_t size)
{
    (void)ctx;
    flickers = flickers && address != spare.address;
    if (address != spare.address || ++spare_erases != 2) {
        return below->ops->erase(below->ctx, address, size);
    }
    if (fault_index == UINT64_MAX) {
        erase_in_part(size);
        serin_flash_emulator_power_off(bench.emulator);
        flickers = true;
        spare_reads = 0;
        return SERIN_ERR_FLASH;
    }
    const struct serin_flash_operation operation = {
        .kind = SERIN_FLASH_ERASE, .address = address, .size = (uint32_t)size};
    fault_count = serin_flash_fault_count(bench.emulator, &operation, 1);
    serin_flash_fault_nth(bench.emulator, &operation, 1, fault_index, &fault);
    fault.operation = serin_flash_emulator_operations(bench.emulator);
    ck_assert_int_eq(serin_flash_emulator_arm(bench.emulator, &fault), SERIN_OK);
    return below->ops->erase(below->ctx, address, size);
}

static const struct serin_flash_ops spare_port = {spare_read, port_program, spare_erase};

/* The bad piece comes damaged twice, so that its sector is rewritten twice, and the power goes as
 * `fault_index` says in between. */
static void rewrite_twice(const struct bench_geometry *geometry)
{
    set_up(geometry);
    below = bench.boot.flash;
    flash = *below;
    flash.ops = &spare_port;
    bench.boot.flash = &flash;
    spare.address =
        serin_flash_border_from(below, bench.layout.scratch.address + SERIN_SCRATCH_RECORD_SIZE);
    spare_erases = 0;
    flickers = false;
    bench.faults.corrupt_always = BAD_PIECE + 1u;
    while (spare_erases < 2) {
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    bench.faults.corrupt_always = 0;
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 2000));
    ck_assert_uint_ge(spare_erases, 2);
    ck_assert(!bench_logged(&bench, "the image does not verify: its pieces are looked at again"));
    ck_assert_uint_eq(bench.fetched_again, 0);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_B, 0, NULL, NULL), SERIN_OK);
    tear_down();
}

START_TEST(a_mark_that_outlives_its_spare_sector_means_nothing)
{
    fault_index = UINT64_MAX;
    rewrite_twice(&geometries[_i]);
}
END_TEST

START_TEST(every_torn_erase_of_the_spare_sector_loses_no_neighbour)
{
    fault_index = 0;
    do {
        rewrite_twice(&geometries[_i]);
    } while (++fault_index < fault_count);
    ck_assert_uint_ge(fault_count, 10);
}
END_TEST

/* More often than there are places for marks. */
START_TEST(power_that_goes_at_each_rewriting_ends_no_attempt)
{
    for (cuts_wanted = 1; cuts_wanted <= 12; cuts_wanted++) {
        set_up(&geometries[_i]);
        below = bench.boot.flash;
        flash = *below;
        flash.ops = &port;
        bench.boot.flash = &flash;
        struct serin_slot_map map;
        serin_slot_map(below, &bench.layout, &map);
        cut_sector = bench.layout.slot[1].address + map.image_offset + 16384;
        erased = 0;
        bench.faults.corrupt_block = BAD_BLOCK;
        ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 3000));
        ck_assert_uint_eq(bench.cuts, cuts_wanted);
        ck_assert_uint_eq(bench.fetched_again, 0);
        ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_B, 0, NULL, NULL),
                         SERIN_OK);
        tear_down();
    }
}
END_TEST

/* What a mark says of another download is not believed. */
START_TEST(a_rewriting_of_another_download_is_left_alone)
{
    set_up(&geometries[_i]);
    bench.faults.corrupt_block = BAD_BLOCK;
    while (bench.image_blocks < BAD_BLOCK + 2u) {
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    struct bench_release *v3 = bench_release(3, IMAGE_SIZE, BENCH_GOOD);
    bench_serve(&bench, v3);
    struct serin_directive directive = bench_directive(&bench, v1, v3);
    bench_publish(&bench, &directive);
    bench_power_cycle(&bench);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 2000));
    ck_assert_uint_eq(bench_running(&bench), 3);
    tear_down();
    bench_release_free(v3);
}
END_TEST

START_TEST(a_large_sector_is_mirrored_once)
{
    set_up(&geometries[_i]);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    struct serin_directive directive = bench_directive(&bench, v2, NULL);
    directive.stable.flags = SERIN_RELEASE_COMMIT;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_MIRRORED);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_A, 0, NULL, NULL), SERIN_OK);
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    for (uint32_t offset = 0; offset < IMAGE_SIZE; offset += 16384) {
        uint32_t address = bench.layout.slot[0].address + map.image_offset + offset;
        ck_assert_uint_eq(serin_flash_emulator_wear(bench.emulator, address), 2); /* the factory */
    }
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent rooms");
    TCase *tests = tcase_create("agent rooms");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, a_sector_is_erased_once_for_all_its_pieces, 0, GEOMETRIES);
    tcase_add_loop_test(tests, a_piece_that_comes_damaged_costs_itself_alone, 0, GEOMETRIES);
    tcase_add_loop_test(tests, power_that_goes_while_a_sector_is_rewritten_loses_no_neighbour, 0,
                        2);
    tcase_add_loop_test(tests, every_cut_of_a_rewriting_loses_no_neighbour, 0, 3 * GEOMETRIES);
    tcase_add_loop_test(tests, every_second_cut_loses_no_neighbour, 0, 3 * GEOMETRIES);
    tcase_add_loop_test(tests, power_that_goes_at_each_rewriting_ends_no_attempt, 0, GEOMETRIES);
    tcase_add_loop_test(tests, a_mark_that_outlives_its_spare_sector_means_nothing, 0, GEOMETRIES);
    tcase_add_loop_test(tests, every_torn_erase_of_the_spare_sector_loses_no_neighbour, 0,
                        GEOMETRIES);
    tcase_add_loop_test(tests, a_rewriting_of_another_download_is_left_alone, 0, GEOMETRIES);
    tcase_add_loop_test(tests, a_large_sector_is_mirrored_once, 0, GEOMETRIES);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
