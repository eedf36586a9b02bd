/*
 * What one download, or the mirror, was writing when the power went, and the next one wants: it
 * reads right now and not at the next boot, and no reset in between lets it be believed.
 */
#include "agent_internal.h"
#include "check_main.h"
#include "device_bench.h"
#include "slot.h"

#include <serin/piece.h>

#include <string.h>

#define IMAGE_SIZE 39000u /* ten pieces */
#define TORN_PIECE 5u

static const struct bench_geometry geometries[] = {
    {.size = 160 * 1024, .sector = 1024, .unit = 8, .erased = 0xFF, .seed = 1},
    {.size = 20 * 16384, .sector = 16384, .unit = 8, .erased = 0xFF, .seed = 1},
};
#define GEOMETRIES (sizeof geometries / sizeof geometries[0])

static struct bench bench;
static struct bench_release *v1, *v2, *v3;

/* ---- a flash that the power leaves at one place, and that stops with the first entry of the next
 * journal ---- */

static const struct serin_flash *below;
static struct serin_flash flash;
static uint32_t tear_at, journal_at, journal_end;
static bool torn, journal_erased, crashed;
static bool crashes; /* it stops so at all */

static enum serin_error port_read(void *ctx, uint32_t address, void *out, size_t size)
{
    (void)ctx;
    return below->ops->read(below->ctx, address, out, size);
}

static enum serin_error port_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    (void)ctx;
    if (crashed) {
        return SERIN_ERR_FLASH;
    }
    if (!torn && tear_at >= address && tear_at < address + size) {
        torn = true;
        const struct serin_flash_fault fault = {
            .operation = serin_flash_emulator_operations(bench.emulator),
            .kind = SERIN_FLASH_FAULT_PROGRAM_NEW,
            .at = tear_at - address,
            .torn = SERIN_FLASH_TORN_WEAK_POWER,
        };
        ck_assert_int_eq(serin_flash_emulator_arm(bench.emulator, &fault), SERIN_OK);
    }
    crashed = crashes && journal_erased && address >= journal_at && address < journal_end;
    return below->ops->program(below->ctx, address, data, size);
}

static enum serin_error port_erase(void *ctx, uint32_t address, size_t size)
{
    (void)ctx;
    journal_erased = journal_erased || (torn && address == journal_at);
    return crashed ? SERIN_ERR_FLASH : below->ops->erase(below->ctx, address, size);
}

static const struct serin_flash_ops port = {port_read, port_program, port_erase};

/* ---- lives ---- */

static void set_up(const struct bench_geometry *geometry)
{
    bench_open(&bench, geometry);
    below = bench.boot.flash;
    flash = *below;
    flash.ops = &port;
    bench.boot.flash = &flash;
    torn = true; /* not by the factory */
    crashes = true;
    v1 = bench_release(1, IMAGE_SIZE, BENCH_GOOD);
    v2 = bench_release(2, IMAGE_SIZE, BENCH_GOOD);
    v3 = bench_release(3, IMAGE_SIZE, BENCH_GOOD);
    bench_serve(&bench, v1);
    bench_serve(&bench, v2);
    bench_serve(&bench, v3);
    struct serin_slot_map map;
    serin_slot_map(below, &bench.layout, &map);
    uint32_t slot = bench.layout.slot[1].address;
    journal_at = slot + map.journal_offset;
    journal_end = journal_at + map.journal_size;
    tear_at = slot + map.image_offset + (TORN_PIECE + 1u) * SERIN_PIECE_SIZE - geometry->unit;
}

/* Takes v2 until the power goes in the last unit of the piece. */
static void be_cut(void)
{
    bench_provision(&bench, v1);
    torn = journal_erased = crashed = false; /* slot B is written by v2 from here on */
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    for (unsigned steps = 0; bench.cuts == 0; steps++) {
        ck_assert_uint_lt(steps, 2000);
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
}

/* Goes on until the journal of what comes next has its first entry: there the agent crashes. */
static void crash_at_the_journal(void)
{
    for (unsigned steps = 0; !crashed; steps++) {
        ck_assert_uint_lt(steps, 2000);
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    crashed = journal_erased = false;
    bench_boot(&bench, SERIN_RESET_CRASH);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, v3);
}

static void check_slot(void)
{
    for (int cycle = 0; cycle < 2; cycle++) {
        serin_flash_emulator_power_off(bench.emulator); /* what is weak gives way */
        bench_power_cycle(&bench);
    }
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_B, 0, NULL, NULL), SERIN_OK);
}

START_TEST(a_piece_of_another_download_that_was_cut_is_not_believed)
{
    set_up(&geometries[_i]);
    for (uint32_t index = 0; index < TORN_PIECE + 3u; index++) {
        bench_release_share(v3, v2, index);
    }
    be_cut();
    bench_online(&bench, false);
    struct serin_directive directive = bench_directive(&bench, v1, v3);
    bench_publish(&bench, &directive);
    /* So that it is v2 no more before its piece is written again. */
    bench.faults.busy_requests = 100;
    bench_online(&bench, true);
    for (unsigned steps = 0; !serin_attempt_is(&bench.agent, v3->id, 1); steps++) {
        ck_assert_uint_lt(steps, 50);
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    bench.faults.busy_requests = 0;
    crash_at_the_journal();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 4000));
    ck_assert_uint_eq(bench_running(&bench), 3);
    check_slot();
    tear_down();
}
END_TEST

START_TEST(a_piece_of_a_download_that_was_cut_is_not_believed_by_the_mirror)
{
    set_up(&geometries[_i]);
    for (uint32_t index = 0; index < TORN_PIECE + 3u; index++) {
        bench_release_share(v2, v1, index);
    }
    /* Slot B starts empty, so that v2 writes all its pieces. */
    bench.one_slot = true;
    be_cut();
    bench_online(&bench, false);
    struct serin_directive directive = bench_directive(&bench, v1, NULL);
    directive.stable.flags = SERIN_RELEASE_COMMIT;
    bench_publish(&bench, &directive);
    bench.faults.busy_requests = 100;
    bench_online(&bench, true);
    crash_at_the_journal();
    bench_run_for(&bench, 60000);
    ck_assert_uint_eq(bench_running(&bench), 1);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_MIRRORED);
    check_slot();
    tear_down();
}
END_TEST

/* A piece rots when it is in place; verification finds it, and the power goes when it is written
 * again. */
START_TEST(a_piece_that_verification_asked_for_and_was_cut_is_not_believed)
{
    set_up(&geometries[_i]);
    bench_provision(&bench, v1);
    crashes = crashed = false;
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    while (!bench_journaled(&bench, TORN_PIECE + 1u)) {
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    serin_flash_emulator_rot(bench.emulator, tear_at - 100u, 1);
    torn = false;
    for (unsigned steps = 0; bench.cuts == 0; steps++) {
        ck_assert_uint_lt(steps, 2000);
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    ck_assert(bench_logged(&bench, "the image does not verify: its pieces are looked at again"));
    /* However right it reads, without a server it is missing. */
    bench_online(&bench, false);
    bench_run_for(&bench, 5000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_VERIFYING);
    bench_online(&bench, true);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 4000));
    ck_assert_uint_eq(bench_running(&bench), 2);
    check_slot();
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent suspect");
    TCase *tests = tcase_create("agent suspect");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, a_piece_of_another_download_that_was_cut_is_not_believed, 0,
                        (int)GEOMETRIES);
    tcase_add_loop_test(tests, a_piece_of_a_download_that_was_cut_is_not_believed_by_the_mirror, 0,
                        (int)GEOMETRIES);
    tcase_add_loop_test(tests, a_piece_that_verification_asked_for_and_was_cut_is_not_believed, 0,
                        (int)GEOMETRIES);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
