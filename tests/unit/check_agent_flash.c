/*
 * Flash that fails once: any single read that is refused or tells a wrong bit, any program or erase
 * that is refused, anywhere in an update. The device boots, keeps its floor, and has the release in
 * the end, where need be by another attempt.
 */
#include "check_main.h"
#include "device_bench.h"

#include <serin/device/flash_probe.h>
#include <serin/piece.h>

#include <string.h>

/* Of the operations of a life so many are tried, spread evenly, each at another place of the life.
 */
#define READS_TRIED  180u
#define WRITES_TRIED 120u

enum fault {
    FAULT_NONE,
    FAULT_READ_FAILS,
    FAULT_READ_LIES,
    FAULT_PROGRAM_FAILS,
    FAULT_ERASE_FAILS
};

/* Small sectors; and large ones, of which a bad piece is written again beside its neighbours. */
static const struct part {
    struct bench_geometry geometry;
    uint32_t image_size, bad_block;
    unsigned share; /* of the operations that are tried on the small one: one in so many */
} parts[] = {
    {.geometry = {.size = 64 * 1024, .sector = 1024, .unit = 8, .erased = 0xFF, .seed = 1},
     .image_size = 9500,
     .share = 1},
    {.geometry = {.size = 20 * 16384, .sector = 16384, .unit = 8, .erased = 0xFF, .seed = 1},
     .image_size = 39000,
     .bad_block = 23,
     .share = 2},
};
#define KINDS 4

static struct bench bench;
static struct bench_release *v1, *v2;

/* The flash in between. */
static const struct serin_flash *below;
static struct serin_flash faulty;
static enum fault armed;
static uint64_t reads, programs, erases, nth;
static bool fired;

static bool strikes(enum fault fault, uint64_t count)
{
    bool now = armed == fault && count == nth;
    fired = fired || now;
    return now;
}

static enum serin_error faulty_read(void *ctx, uint32_t address, void *out, size_t size)
{
    reads++;
    if (strikes(FAULT_READ_FAILS, reads)) {
        return SERIN_ERR_FLASH;
    }
    enum serin_error error = below->ops->read(ctx, address, out, size);
    if (strikes(FAULT_READ_LIES, reads)) {
        ((uint8_t *)out)[nth % size] ^= (uint8_t)(1u << (nth % 8));
    }
    return error;
}

static enum serin_error faulty_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    programs++;
    return strikes(FAULT_PROGRAM_FAILS, programs) ? SERIN_ERR_FLASH
                                                  : below->ops->program(ctx, address, data, size);
}

static enum serin_error faulty_erase(void *ctx, uint32_t address, size_t size)
{
    erases++;
    return strikes(FAULT_ERASE_FAILS, erases) ? SERIN_ERR_FLASH
                                              : below->ops->erase(ctx, address, size);
}

static void set_up(const struct part *part)
{
    static struct serin_flash_ops ops;
    bench_open(&bench, &part->geometry);
    v1 = bench_release(1, 9000, BENCH_GOOD);
    v2 = bench_release(2, part->image_size, BENCH_GOOD);
    bench.faults.corrupt_block = part->bad_block;
    bench_serve(&bench, v1);
    bench_serve(&bench, v2);
    bench_provision(&bench, v1);
    below = bench.boot.flash;
    ops = *below->ops;
    ops.read = faulty_read;
    ops.program = faulty_program;
    ops.erase = faulty_erase;
    faulty = *below;
    faulty.ops = &ops;
    bench.boot.flash = &faulty;
    reads = programs = erases = 0;
}

static void tear_down(void)
{
    ck_assert_uint_eq(serin_flash_emulator_breaches(bench.emulator), 0);
    bench_close(&bench);
    bench_release_free(v1);
    bench_release_free(v2);
}

/* Offers v2 until it is confirmed, but not for ever; then commits it. */
static unsigned live(void)
{
    unsigned attempt = 0;
    bench_boot(&bench, SERIN_RESET_POWER);
    bench_publish_trust(&bench, 2, true);
    while (bench_running(&bench) != 2 || !bench.agent.confirmed) {
        ck_assert_uint_lt(attempt, 3);
        struct serin_directive directive = bench_directive(&bench, v1, v2);
        directive.candidate.attempt = ++attempt;
        bench_publish(&bench, &directive);
        bench_run_for(&bench, 15u * 60u * 1000u);
    }
    struct serin_directive directive = bench_directive(&bench, v2, NULL);
    directive.stable.flags = SERIN_RELEASE_COMMIT;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 15u * 60u * 1000u);
    return attempt;
}

/* After a life: all of it is as it should be, as eyes that nothing deceives see it. */
static void judge(enum fault fault)
{
    bench.boot.flash = below;
    ck_assert_msg(fault == FAULT_NONE || fired, "fault %d at %llu never came", (int)fault,
                  (unsigned long long)nth);
    bench_power_cycle(&bench);
    bench_run_for(&bench, 15u * 60u * 1000u);
    ck_assert_uint_eq(bench_running(&bench), 2);
    struct serin_boot_state state;
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    ck_assert_uint_eq(state.floor, v2->manifest.security_counter);
    ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_MIRRORED);
    for (int slot = SERIN_SLOT_A; slot <= SERIN_SLOT_B; slot++) {
        ck_assert_int_eq(
            serin_boot_verify_slot(&bench.boot, (enum serin_slot)slot, state.floor, NULL, NULL),
            SERIN_OK);
    }
    ck_assert_uint_eq(bench.agent.trust.version, 2);
    ck_assert(!bench.agent.trust_single);
    ck_assert_uint_eq(bench.agent.record.acked, bench.agent.record.number);
}

/* What a life takes. */
static void measure(const struct part *part)
{
    armed = FAULT_NONE;
    set_up(part);
    ck_assert_uint_eq(live(), 1);
    judge(FAULT_NONE);
}

START_TEST(an_operation_that_fails_once_costs_an_attempt_at_most)
{
    static const enum fault kinds[] = {FAULT_READ_FAILS, FAULT_READ_LIES, FAULT_PROGRAM_FAILS,
                                       FAULT_ERASE_FAILS};
    enum fault kind = kinds[_i % KINDS];
    const struct part *part = &parts[_i / KINDS];
    measure(part);
    uint64_t total = kind == FAULT_PROGRAM_FAILS ? programs
                     : kind == FAULT_ERASE_FAILS ? erases
                                                 : reads;
    tear_down();
    unsigned tries =
        kind == FAULT_PROGRAM_FAILS || kind == FAULT_ERASE_FAILS ? WRITES_TRIED : READS_TRIED;
    tries /= part->share;
    tries = total < tries ? (unsigned)total : tries;
    unsigned again = 0;
    ck_assert_uint_gt(tries, 10);
    for (unsigned i = 0; i < tries; i++) {
        set_up(part);
        armed = kind;
        fired = false;
        nth = 1 + (uint64_t)i * (total - 1) / tries;
        again += live() > 1 ? 1u : 0u;
        judge(kind);
        tear_down();
    }
    ck_assert_uint_lt(again, tries);
}
END_TEST

/* The probe of a port names each operation that fails, and where. */
/* The boot log is lost, or wears out, while an image that nobody confirms is on trial. */
START_TEST(a_trial_ends_whatever_becomes_of_the_log)
{
    bench_open(&bench, &parts[0].geometry);
    v1 = bench_release(1, 9000, BENCH_GOOD);
    v2 = bench_release(2, 9500, BENCH_SILENT);
    bench_serve(&bench, v1);
    bench_serve(&bench, v2);
    bench_provision(&bench, v1);
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    ck_assert_uint_eq(bench_running(&bench), 2);
    const struct serin_region *log = &bench.layout.boot_log;
    unsigned boots = bench.boots;
    if (_i == 0) {
        const struct serin_flash *flash = bench.boot.flash;
        ck_assert_int_eq(flash->ops->erase(flash->ctx, log->address, log->size), SERIN_OK);
    } else {
        serin_flash_emulator_break(bench.emulator, log->address, log->size, SERIN_BREAKAGE_FAILS);
    }
    while (bench.boots == boots && bench.now_ms < 90000) {
        (void)bench_step(&bench, 90000);
    }
    ck_assert_uint_eq(bench.boots, boots + 1u);
    ck_assert_uint_eq(bench_running(&bench), 1);
    ck_assert_uint_eq(serin_flash_emulator_breaches(bench.emulator), 0);
    bench_close(&bench);
    bench_release_free(v1);
    bench_release_free(v2);
}
END_TEST

START_TEST(a_probe_finds_each_operation_that_fails)
{
    static const enum fault kinds[] = {FAULT_READ_FAILS, FAULT_READ_LIES, FAULT_PROGRAM_FAILS,
                                       FAULT_ERASE_FAILS};
    static uint8_t scratch[SERIN_PIECE_SIZE];
    set_up(&parts[0]);
    const struct serin_region *region = &bench.layout.slot[1];
    armed = FAULT_NONE;
    ck_assert_int_eq(serin_flash_probe(&faulty, region, scratch, NULL, NULL), SERIN_OK);
    const uint64_t totals[] = {reads, reads, programs, erases};
    for (size_t kind = 0; kind < KINDS; kind++) {
        ck_assert_uint_gt(totals[kind], 0);
        for (uint64_t n = 1; n <= totals[kind]; n += 1 + totals[kind] / 100) {
            const char *what = NULL;
            uint32_t address = 0;
            armed = kinds[kind];
            nth = n;
            fired = false;
            reads = programs = erases = 0;
            ck_assert_int_eq(serin_flash_probe(&faulty, region, scratch, &what, &address),
                             SERIN_ERR_FLASH);
            ck_assert(fired && what != NULL);
            ck_assert_uint_ge(address, region->address);
            ck_assert_uint_lt(address, region->address + region->size);
        }
    }
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent flash");
    TCase *tests = tcase_create("flash");
    tcase_add_loop_test(tests, an_operation_that_fails_once_costs_an_attempt_at_most, 0,
                        KINDS * (int)(sizeof(parts) / sizeof(parts[0])));
    tcase_add_loop_test(tests, a_trial_ends_whatever_becomes_of_the_log, 0, 2);
    tcase_add_test(tests, a_probe_finds_each_operation_that_fails);
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
