/*
 * The work between two feeds of the watchdog: counted at the ports over whole lives, it stays
 * within serin_agent_work_max, and comes near enough to it that the bound means something.
 */
#include "device_bench.h"

#include <serin/piece.h>

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a board's parts do, counted ---- */

static struct serin_agent_work since_feed;

static size_t longest;                  /* read, or program */
static const struct serin_flash *below; /* the emulator's */
static const struct serin_crypto *real;

static enum serin_error counted_read(void *ctx, uint32_t address, void *out, size_t size)
{
    (void)ctx;
    since_feed.read_bytes += (uint32_t)size;
    longest = size > longest ? size : longest;
    return below->ops->read(below->ctx, address, out, size);
}

static enum serin_error counted_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    (void)ctx;
    since_feed.program_bytes += (uint32_t)size;
    longest = size > longest ? size : longest;
    return below->ops->program(below->ctx, address, data, size);
}

static enum serin_error counted_erase(void *ctx, uint32_t address, size_t size)
{
    (void)ctx;
    since_feed.erase_bytes += (uint32_t)size;
    return below->ops->erase(below->ctx, address, size);
}

static void counted_init(void *ctx, struct serin_sha256 *sha)
{
    (void)ctx;
    real->ops->sha256_init(real->ctx, sha);
}

static void counted_update(void *ctx, struct serin_sha256 *sha, const void *data, size_t size)
{
    (void)ctx;
    since_feed.hashed_bytes += (uint32_t)size;
    real->ops->sha256_update(real->ctx, sha, data, size);
}

static void counted_final(void *ctx, struct serin_sha256 *sha, uint8_t digest[SERIN_SHA256_SIZE])
{
    (void)ctx;
    real->ops->sha256_final(real->ctx, sha, digest);
}

static uint32_t counted_verify(void *ctx, uint32_t run, const uint8_t key[SERIN_P256_PUBLIC_SIZE],
                               const uint8_t digest[SERIN_SHA256_SIZE],
                               const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    (void)ctx;
    since_feed.verifications++;
    return real->ops->p256_verify(real->ctx, run, key, digest, signature);
}

static enum serin_error counted_random(void *ctx, void *out, size_t size)
{
    (void)ctx;
    return real->ops->random(real->ctx, out, size);
}

static const struct serin_flash_ops flash_ops = {
    .read = counted_read, .program = counted_program, .erase = counted_erase};
static const struct serin_crypto_ops crypto_ops = {.sha256_init = counted_init,
                                                   .sha256_update = counted_update,
                                                   .sha256_final = counted_final,
                                                   .p256_verify = counted_verify,
                                                   .random = counted_random};
static const struct serin_crypto crypto = {.ops = &crypto_ops};

/* ---- the watchdog ---- */

enum phase { BETWEEN, INIT, STEP, PHASES };

static struct {
    unsigned boots; /* of the bench, at the last feed */
    enum phase phase;
    unsigned feeds[PHASES];
    struct serin_agent_work most[PHASES];
} dog;

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static void feed(void *ctx)
{
    const struct bench *bench = ctx;
    bool booted = bench->boots != dog.boots;
    dog.boots = bench->boots;
    enum phase ended = booted ? BETWEEN : dog.phase;
    dog.phase = booted ? INIT : STEP;
    struct serin_agent_work *most = &dog.most[ended];
    dog.feeds[ended]++;
    most->read_bytes = larger(most->read_bytes, since_feed.read_bytes);
    most->hashed_bytes = larger(most->hashed_bytes, since_feed.hashed_bytes);
    most->program_bytes = larger(most->program_bytes, since_feed.program_bytes);
    most->erase_bytes = larger(most->erase_bytes, since_feed.erase_bytes);
    most->verifications = larger(most->verifications, since_feed.verifications);
    memset(&since_feed, 0, sizeof since_feed);
}

/* ---- lives ---- */

struct board {
    struct bench bench;
    struct serin_flash flash;
    struct serin_boot boot;
    struct serin_platform_ops platform;
};

static const struct kind {
    const char *name;
    struct bench_geometry geometry;
    uint32_t block, window;
    size_t image;
    uint32_t slack; /* how far a bound may be: a short life does not fill banks of 128 KiB */
} kinds[] = {
    {"small", {64 * 1024, 1024, 8, 0xFF, false, 1}, 1024, 4, 9000, 6},
    {"large", {2048 * 1024, 4096, 32, 0xFF, true, 2}, 1024, 4, 900 * 1024, 6},
    {"sectors", {4096 * 1024, 131072, 32, 0xFF, true, 4}, 1024, 4, 700 * 1024, 30},
    {"both", {4096 * 1024, 131072, 8, 0xFF, false, 5}, 65536, 16, 700 * 1024, 30},
    {"windows", {2048 * 1024, 4096, 1, 0x00, false, 3}, 65536, 16, 900 * 1024, 6},
};

static void open_board(struct board *board, const struct kind *kind)
{
    memset(&dog, 0, sizeof dog);
    memset(&since_feed, 0, sizeof since_feed);
    longest = 0;
    bench_open(&board->bench, &kind->geometry);
    below = board->bench.boot.flash;
    real = bench_crypto();
    board->flash = *below;
    board->flash.ops = &flash_ops;
    board->platform = *board->bench.config.platform;
    board->platform.feed = feed;
    /* The agent's own, so that what the bench looks up is not counted. */
    board->boot = board->bench.boot;
    board->boot.flash = &board->flash;
    board->boot.crypto = &crypto;
    board->bench.config.boot = &board->boot;
    board->bench.config.platform = &board->platform;
    board->bench.config.block_size = kind->block;
    board->bench.config.window_blocks = kind->window;
    board->bench.limits.window_blocks_max = kind->window;
    board->bench.limits.window_bytes_max = SERIN_BLOCK_DATA_MAX * kind->window;
}

static void publish(struct bench *bench, const struct bench_release *release, uint32_t attempt,
                    uint32_t flags)
{
    struct serin_directive directive = bench_directive(bench, release, NULL);
    directive.stable.attempt = attempt;
    directive.stable.flags = flags;
    bench_publish(bench, &directive);
}

/* A release with a damaged piece and cuts on its way, committed and mirrored; a new trust record;
 * a release that crashes, in two attempts. */
static void live(struct bench *bench, const struct kind *kind)
{
    struct bench_release *first = bench_release(1, kind->image / 2, BENCH_GOOD);
    struct bench_release *second = bench_release(2, kind->image, BENCH_GOOD);
    struct bench_release *third = bench_release(3, kind->image, BENCH_CRASH);
    bench_provision(bench, first);
    bench_serve(bench, first);
    bench_serve(bench, second);
    bench_serve(bench, third);
    bench_boot(bench, SERIN_RESET_POWER);
    bench->faults.corrupt_block = 2;
    bench_publish_trust(bench, 2, true);
    publish(bench, second, 1, SERIN_RELEASE_COMMIT);
    for (unsigned steps = 0; bench_state(bench) != SERIN_STATE_STAGED && steps < 2000; steps++) {
        bench_step(bench, UINT64_MAX);
        if (steps % 16 == 15) {
            bench_power_cycle(bench);
        }
    }
    ck_assert(bench_run_to(bench, SERIN_STATE_CONFIRMED, 20000));
    bench_run_for(bench, 120000);
    ck_assert_uint_eq(bench_running(bench), 2);
    ck_assert(bench_logged(bench, "mirrored"));
    publish(bench, third, 1, 0);
    ck_assert(bench_run_to(bench, SERIN_STATE_ROLLED_BACK, 20000));
    publish(bench, third, 2, 0); /* all its pieces are in place */
    bench_run_for(bench, 120000);
    ck_assert_uint_eq(bench_running(bench), 2);
    bench_release_free(first);
    bench_release_free(second);
    bench_release_free(third);
}

static void show(const char *kind, const char *phase, const struct serin_agent_work *work)
{
    if (getenv("WORK_TRACE") != NULL) {
        printf("%-8s %-6s read %8u hashed %8u program %7u erase %7u verifications %u\n", kind,
               phase, work->read_bytes, work->hashed_bytes, work->program_bytes, work->erase_bytes,
               work->verifications);
    }
}

/* Within the bound, and not so far below it that it says nothing. */
static void compare(const char *what, uint32_t most, uint32_t bound, uint32_t slack)
{
    ck_assert_msg(most <= bound, "%s: %u, more than the bound of %u", what, most, bound);
    ck_assert_msg(most >= bound / slack, "%s: the bound of %u is far from %u", what, bound, most);
}

static void compare_all(const char *phase, const struct serin_agent_work *most,
                        const struct serin_agent_work *bound, uint32_t slack)
{
    char what[32];
    snprintf(what, sizeof what, "%s, read", phase);
    compare(what, most->read_bytes, bound->read_bytes, slack);
    snprintf(what, sizeof what, "%s, hashed", phase);
    compare(what, most->hashed_bytes, bound->hashed_bytes, slack);
    snprintf(what, sizeof what, "%s, programmed", phase);
    compare(what, most->program_bytes, bound->program_bytes, slack);
    snprintf(what, sizeof what, "%s, erased", phase);
    compare(what, most->erase_bytes, bound->erase_bytes, slack);
    snprintf(what, sizeof what, "%s, verified", phase);
    compare(what, most->verifications, bound->verifications, slack);
}

START_TEST(the_work_between_two_feeds_is_bounded)
{
    const struct kind *kind = &kinds[_i];
    static struct board board;
    struct serin_agent_work init, step;
    open_board(&board, kind);
    live(&board.bench, kind);
    serin_agent_work_max(&board.bench.config, true, &init);
    serin_agent_work_max(&board.bench.config, false, &step);
    show(kind->name, "init", &dog.most[INIT]);
    show(kind->name, "<=", &init);
    show(kind->name, "step", &dog.most[STEP]);
    show(kind->name, "<=", &step);
    /* As flash.h promises to drivers. */
    ck_assert_uint_le(longest, kind->block > SERIN_PIECE_SIZE ? kind->block : SERIN_PIECE_SIZE);
    ck_assert_uint_gt(dog.feeds[INIT], 3);
    ck_assert_uint_gt(dog.feeds[STEP], 100);
    compare_all("init", &dog.most[INIT], &init, kind->slack);
    compare_all("step", &dog.most[STEP], &step, kind->slack);
    bench_close(&board.bench);
}
END_TEST

/* Marks of a rewriting are looked for in one sector, however many the image has. */
START_TEST(making_room_reads_no_more_for_a_larger_image)
{
    static const struct kind kind = {
        "image", {40u << 20, 131072, 512, 0xFF, false, 6}, 1024, 4, 16u << 20, 30};
    static struct board board;
    struct bench *bench = &board.bench;
    struct serin_agent_work step;
    open_board(&board, &kind);
    struct bench_release *first = bench_release(1, 39000, BENCH_GOOD);
    struct bench_release *second = bench_release(2, kind.image - 3u * SERIN_PIECE_SIZE, BENCH_GOOD);
    bench_provision(bench, first);
    bench_serve(bench, first);
    bench_serve(bench, second);
    bench_boot(bench, SERIN_RESET_POWER);
    publish(bench, second, 1, 0);
    while (bench->image_blocks < 300) { /* three sectors */
        ck_assert(bench_step(bench, UINT64_MAX));
    }
    serin_agent_work_max(&bench->config, false, &step);
    show(kind.name, "step", &dog.most[STEP]);
    show(kind.name, "<=", &step);
    ck_assert_uint_le(dog.most[STEP].read_bytes, step.read_bytes);
    bench_release_free(first);
    bench_release_free(second);
    bench_close(bench);
}
END_TEST

/* ---- a boot log that does not read ---- */

static struct serin_region dark; /* of which nothing is read */

static enum serin_error dark_read(void *ctx, uint32_t address, void *out, size_t size)
{
    enum serin_error error = counted_read(ctx, address, out, size);
    return address >= dark.address && address - dark.address < dark.size ? SERIN_ERR_FLASH : error;
}

static void darken(struct bench *bench)
{
    dark = bench->layout.boot_log;
    bench->between = NULL;
}

static void wear_out(struct bench *bench)
{
    const struct serin_region *log = &bench->layout.boot_log;
    ck_assert_int_eq(below->ops->erase(below->ctx, log->address, log->size), SERIN_OK);
    serin_flash_emulator_break(bench->emulator, log->address, log->size, SERIN_BREAKAGE_FAILS);
}

static void ck_work(const struct bench *bench, enum phase phase)
{
    struct serin_agent_work bound;
    const struct serin_agent_work *most = &dog.most[phase];
    serin_agent_work_max(&bench->config, phase == INIT, &bound);
    show("dark", phase == INIT ? "init" : "step", most);
    ck_assert_uint_gt(dog.feeds[phase], 0);
    ck_assert_uint_le(most->hashed_bytes, bound.hashed_bytes);
    ck_assert_uint_le(most->read_bytes, bound.read_bytes);
    ck_assert_uint_le(most->program_bytes, bound.program_bytes);
    ck_assert_uint_le(most->erase_bytes, bound.erase_bytes);
    ck_assert_uint_le(most->verifications, bound.verifications);
}

/* 0: from the start on; 1: an offer comes; 2: an image is staged; 3: the floor rises; 4: it is
 * lost, and takes no record, as the floor rises. What the slots hold is hashed for none of it. */
START_TEST(a_dark_boot_log_costs_no_more)
{
    static struct board board;
    static struct serin_flash_ops ops;
    struct bench *bench = &board.bench;
    const struct kind *kind = &kinds[1];
    open_board(&board, kind);
    ops = flash_ops;
    ops.read = dark_read;
    board.flash.ops = &ops;
    dark = (struct serin_region){.size = 0};
    struct bench_release *first = bench_release(1, kind->image, BENCH_GOOD);
    struct bench_release *second = bench_release(2, kind->image, BENCH_GOOD);
    bench_provision(bench, first);
    bench_serve(bench, second);
    bench->between = _i == 0 ? darken : NULL;
    bench_boot(bench, SERIN_RESET_POWER);
    if (_i == 1) {
        darken(bench);
    }
    publish(bench, second, 1, _i >= 3 ? SERIN_RELEASE_COMMIT : 0);
    if (_i == 2) {
        ck_assert(bench_run_to(bench, SERIN_STATE_VERIFYING, 20000));
        darken(bench);
    } else if (_i >= 3) {
        ck_assert(bench_run_to(bench, SERIN_STATE_CONFIRMED, 20000));
        (_i == 3 ? darken : wear_out)(bench);
    }
    bench_run_for(bench, 20000);
    ck_work(bench, INIT);
    ck_work(bench, STEP);
    bench_release_free(first);
    bench_release_free(second);
    bench_close(bench);
}
END_TEST

static unsigned feeds(void)
{
    return dog.feeds[BETWEEN] + dog.feeds[INIT] + dog.feeds[STEP];
}

/* A trial that nobody confirms: fed at each step of its window, and not once after it. */
START_TEST(the_watchdog_is_fed_while_it_may_be)
{
    static struct board board;
    struct bench *bench = &board.bench;
    const struct serin_agent_event tick = {.kind = SERIN_AGENT_TICK};
    open_board(&board, &kinds[0]);
    struct bench_release *first = bench_release(1, 5000, BENCH_GOOD);
    struct bench_release *second = bench_release(2, 5000, BENCH_SILENT);
    bench_provision(bench, first);
    bench_serve(bench, second);
    bench->online = false;
    bench_boot(bench, SERIN_RESET_POWER);
    ck_assert_uint_eq(feeds(), 2); /* as the agent starts, and when it has started */
    bench_online(bench, true);
    ck_assert_uint_eq(feeds(), 3);
    publish(bench, second, 1, 0);
    ck_assert(bench_run_to(bench, SERIN_STATE_TRIAL, 2000));
    unsigned before = feeds();
    uint64_t end = bench->agent.now_ms + bench->agent.wait_ms[SERIN_WAIT_WINDOW];
    for (uint64_t at = bench->now_ms + 1000; at < end; at += 1000) {
        ck_assert_int_eq(serin_agent_step(&bench->agent, at, &tick), SERIN_OK);
        ck_assert_uint_eq(feeds(), ++before);
    }
    for (uint64_t late = 0; late < 10000; late += 1000) {
        (void)serin_agent_step(&bench->agent, end + late, &tick);
        ck_assert_uint_eq(feeds(), before);
        ck_assert(bench->reset_asked);
    }
    bench_release_free(first);
    bench_release_free(second);
    bench_close(bench);
}
END_TEST

static struct serin_agent_work work_of_boot(struct board *board)
{
    struct serin_boot_choice choice;
    memset(&since_feed, 0, sizeof since_feed);
    ck_assert_int_eq(serin_boot_select(&board->boot, SERIN_RESET_UNKNOWN, &choice), SERIN_OK);
    return since_feed;
}

/* docs/porting.md, section 6: four signatures and the image twice, five times that with the log
 * lost and a slot rotten: that one is looked at three times, in each run. */
START_TEST(a_boot_verifies_the_image_twice)
{
    static struct board board;
    const uint32_t image = 300000;
    open_board(&board, &kinds[1]);
    struct bench_release *release = bench_release(1, image, BENCH_GOOD);
    bench_provision(&board.bench, release);
    struct serin_agent_work steady = work_of_boot(&board);
    ck_assert_uint_eq(steady.verifications, 4);
    ck_assert_uint_ge(steady.hashed_bytes, 2 * image);
    ck_assert_uint_le(steady.hashed_bytes, 2 * image + 16384);
    ck_assert_uint_le(steady.read_bytes, 2 * image + 65536);
    struct serin_slot_map map;
    serin_slot_map(below, &board.bench.layout, &map);
    serin_flash_emulator_rot(board.bench.emulator,
                             board.bench.layout.slot[0].address + map.image_offset + image - 1, 1);
    serin_flash_emulator_break(board.bench.emulator, board.bench.layout.boot_log.address,
                               board.bench.layout.boot_log.size, SERIN_BREAKAGE_UNREADABLE);
    struct serin_agent_work worst = work_of_boot(&board);
    show("large", "boot", &steady);
    show("large", "worst", &worst);
    ck_assert_uint_gt(worst.hashed_bytes, steady.hashed_bytes);
    ck_assert_uint_le(worst.hashed_bytes, 5 * steady.hashed_bytes);
    ck_assert_uint_le(worst.verifications, 5 * steady.verifications);
    bench_release_free(release);
    bench_close(&board.bench);
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent work");
    TCase *lives = tcase_create("lives");
    tcase_set_timeout(lives, 120);
    tcase_add_loop_test(lives, the_work_between_two_feeds_is_bounded, 0,
                        (int)(sizeof kinds / sizeof kinds[0]));
    tcase_add_test(lives, making_room_reads_no_more_for_a_larger_image);
    tcase_add_loop_test(lives, a_dark_boot_log_costs_no_more, 0, 5);
    tcase_add_test(lives, a_boot_verifies_the_image_twice);
    tcase_add_test(lives, the_watchdog_is_fed_while_it_may_be);
    suite_add_tcase(suite, lives);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
