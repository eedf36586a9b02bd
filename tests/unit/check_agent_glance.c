/*
 * Flash that reads wrong at a glance: an image, a manifest or a trust record is not rotten for one
 * reading that says so, and nothing is given up for it.
 */
#include "agent_internal.h"
#include "check_main.h"
#include "device_bench.h"

#include <serin/adapters/protobufc.h>

#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2, *v3;

/* The flash in between: what of it reads wrong, or takes no program. */
static const struct serin_flash *below;
static struct serin_flash above;
static unsigned failing_programs; /* of the trust region */
static unsigned hidden_reads;     /* of the trust region, that fail */
static struct serin_region blind; /* reads of it come wrong, ... */
static unsigned blind_reads;      /* ... so many of at least so many bytes, ... */
static size_t blind_least;
static bool blind_fails;         /* ... with an error, or else with a bit that is not there, ... */
static const char *blind_script; /* ... or each its own way: x, ~, or . where it comes right */

static enum serin_error blind_read(void *ctx, uint32_t address, void *out, size_t size)
{
    const struct serin_region *trust = &bench.layout.trust;
    if (hidden_reads > 0 && address >= trust->address && address < trust->address + trust->size) {
        hidden_reads--;
        return SERIN_ERR_FLASH;
    }
    enum serin_error error = below->ops->read(ctx, address, out, size);
    if (blind_reads > 0 && size >= blind_least && address >= blind.address &&
        address - blind.address < blind.size) {
        blind_reads--;
        if (blind_script != NULL) {
            blind_fails = *blind_script == 'x';
            if (*blind_script++ == '.') {
                return error;
            }
        }
        ((uint8_t *)out)[size / 2u] ^= 4;
        return blind_fails ? SERIN_ERR_FLASH : error;
    }
    return error;
}

static enum serin_error failing_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    const struct serin_region *trust = &bench.layout.trust;
    if (failing_programs > 0 && address >= trust->address &&
        address - trust->address < trust->size) {
        failing_programs--;
        return SERIN_ERR_FLASH;
    }
    return below->ops->program(ctx, address, data, size);
}

static void set_up(enum bench_app app)
{
    static struct serin_flash_ops ops;
    bench_begin(&bench, &v1, &v2);
    v2->app = app;
    v3 = bench_release(3, 9900, BENCH_GOOD);
    bench_serve(&bench, v3);
    below = bench.boot.flash;
    ops = *below->ops;
    ops.read = blind_read;
    ops.program = failing_program;
    above = *below;
    above.ops = &ops;
    bench.boot.flash = &above;
    hidden_reads = blind_reads = failing_programs = 0;
    blind_script = NULL;
    bench_boot(&bench, SERIN_RESET_POWER);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, v3);
}

static void offer(const struct bench_release *candidate)
{
    struct serin_directive directive = bench_directive(&bench, v1, candidate);
    bench_publish(&bench, &directive);
}

static void hide_for_a_moment(const struct serin_region *region, size_t least, unsigned reads,
                              bool fails)
{
    blind = *region;
    blind_reads = reads;
    blind_least = least;
    blind_fails = fails;
}

/* ---- an image, a manifest, a trust record ---- */

static void hold(void)
{
    struct serin_hold hold = {.held = true, .lease_left_s = 3600, .reason = SERIN_REASON_NONE};
    uint8_t payload[SERIN_HOLD_MAX];
    size_t size;
    ck_assert_int_eq(serin_protobufc()->encode_hold(&hold, payload, sizeof(payload), &size),
                     SERIN_OK);
    bench_send(&bench, SERIN_TOPIC_HOLD, payload, size);
    bench_step(&bench, UINT64_MAX);
}

static void rot_image(int slot)
{
    struct serin_slot_map map;
    serin_slot_map(below, &bench.layout, &map);
    serin_flash_emulator_rot(bench.emulator,
                             bench.layout.slot[slot].address + map.image_offset + 3000u, 0x10);
}

static void stage_and_hold(void)
{
    hold();
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
}

static struct serin_region part_of_image(int slot)
{
    struct serin_slot_map map;
    serin_slot_map(below, &bench.layout, &map);
    return (struct serin_region){bench.layout.slot[slot].address + map.image_offset, 4096};
}

/* What runs, then what waits in the other slot where the first has rotted, reads wrong once. */
START_TEST(a_wrong_reading_fails_no_download_and_gives_up_nothing)
{
    set_up(BENCH_GOOD);
    if (_i == 1) {
        stage_and_hold();
        rot_image(0);
    }
    const struct serin_region part = part_of_image(_i);
    bench_run_for(&bench, 10000);
    hide_for_a_moment(&part, 1, _i == 0 ? 2 : 1, false);
    offer(v3);
    ck_assert(bench_run_to(&bench, _i == 0 ? SERIN_STATE_CONFIRMED : SERIN_STATE_FAILED, 2000));
    ck_assert_uint_eq(blind_reads, 0);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), _i == 0 ? 3 : 2);
    tear_down();
}
END_TEST

START_TEST(a_wrong_reading_fails_no_staged_image)
{
    set_up(BENCH_GOOD);
    stage_and_hold();
    const struct serin_region manifest = {bench.layout.slot[1].address, SERIN_MANIFEST_SIZE_P256};
    hide_for_a_moment(&manifest, manifest.size, 2, false);
    bench_send(&bench, SERIN_TOPIC_HOLD, NULL, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(blind_reads, 0);
    tear_down();
}
END_TEST

START_TEST(a_trust_record_whose_write_fails_once_is_stored)
{
    set_up(BENCH_GOOD);
    bench_run_for(&bench, 1000);
    failing_programs = 2;
    bench_publish_trust(&bench, 2, true);
    bench_step(&bench, UINT64_MAX);
    ck_assert_uint_eq(failing_programs, 0);
    ck_assert_uint_eq(bench.agent.trust.version, 2);
    tear_down();
}
END_TEST

/* A moment in which neither bank of the trust record reads lets no other one through. */
START_TEST(a_trust_record_that_does_not_read_for_a_moment_counts)
{
    set_up(BENCH_SILENT);
    bench_release_seal_second(v2);
    bench_publish_trust(&bench, 2, true);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    bench_run_for(&bench, 1000);
    hidden_reads = 4;                                    /* two looks at two banks */
    bench_publish_trust(&bench, _i == 0 ? 3 : 1, false); /* without the key of what runs */
    bench_step(&bench, UINT64_MAX);
    ck_assert_uint_eq(hidden_reads, 0);
    ck_assert_uint_eq(bench.agent.trust.version, 2);
    ck_assert(!bench.agent.trust_single);
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID), SERIN_OK);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_uint_eq(bench.agent.trust.version, 2);
    tear_down();
}
END_TEST

/* The key of what runs is not dropped, whatever reads wrong at that moment: its manifest, or the
 * log that tells which slot runs. */
START_TEST(a_wrong_reading_lets_no_trust_record_drop_the_key_of_what_runs)
{
    set_up(BENCH_GOOD);
    bench_release_seal_second(v2);
    bench_publish_trust(&bench, 2, true);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 1000);
    const struct serin_region *slot = &bench.layout.slot[bench.choice.slot == SERIN_SLOT_A ? 0 : 1];
    const struct serin_region manifest = {slot->address, SERIN_MANIFEST_SIZE_P256};
    /* How many readings fail: one, or all of them. What reads wrong each time has rotted. */
    static const unsigned moments[] = {1, 1, 2, 1000};
    unsigned moment = (unsigned)_i % 4u;
    bool log = _i >= 4;
    unsigned refusals = bench.agent.refusals;
    bench_publish_trust(&bench, 3, false);
    /* What reads less of a manifest looks whether there is one. */
    hide_for_a_moment(log ? &bench.layout.boot_log : &manifest, log ? 1 : manifest.size,
                      moments[moment], moment != 0);
    while (bench.queue_count > 0) {
        bench_step(&bench, UINT64_MAX);
    }
    ck_assert(moment == 3 || blind_reads == 0);
    ck_assert(moment == 3 || bench.agent.refusals == refusals + 1u);
    blind_reads = 0;
    ck_assert_uint_eq(bench.agent.trust.version, 2);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2);
    bench_run_for(&bench, 5000);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2);
    tear_down();
}
END_TEST

static int moment_at_start;

static void hide_running_manifest(struct bench *b)
{
    const struct serin_region *slot = &b->layout.slot[b->choice.slot == SERIN_SLOT_A ? 0 : 1];
    const struct serin_region manifest = {slot->address, SERIN_MANIFEST_SIZE_P256};
    hide_for_a_moment(&manifest, manifest.size, 1u + (unsigned)moment_at_start % 2u,
                      moment_at_start >= 2);
    b->between = NULL;
}

/* What runs is no factory image, and nothing that runs already is fetched, for a wrong reading of
 * its manifest at the start. */
START_TEST(a_wrong_reading_at_the_start_makes_nothing_of_what_runs)
{
    set_up(BENCH_GOOD);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    struct serin_directive directive = bench_directive(&bench, v2, NULL);
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 60000);
    uint64_t number = bench.agent.record.number;
    unsigned gets = bench.gets;
    moment_at_start = _i;
    bench.between = hide_running_manifest;
    bench_power_cycle(&bench);
    ck_assert_uint_eq(blind_reads, 0);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_uint_eq(bench.agent.running.security_counter, v2->manifest.security_counter);
    ck_assert(bench.agent.confirmed);
    bench_run_for(&bench, 60000);
    ck_assert_uint_eq(bench.gets, gets);
    ck_assert_uint_eq(bench.agent.record.number, number);
    tear_down();
}
END_TEST

/* The manifest that runs is read under the new record, then under the old one, three times over:
 * one of the latter readings that verifies is enough. */
START_TEST(a_manifest_that_verified_once_runs_whatever_other_readings_say)
{
    static const char *const scripts[] = {"..x..~", ".~x.x~", "~.xx.~", "x..~xx", "xxxx.."};
    set_up(BENCH_GOOD);
    bench_release_seal_second(v2);
    bench_publish_trust(&bench, 2, true);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 1000);
    const struct serin_region *slot = &bench.layout.slot[bench.choice.slot == SERIN_SLOT_A ? 0 : 1];
    const struct serin_region manifest = {slot->address, SERIN_MANIFEST_SIZE_P256};
    bench_publish_trust(&bench, 3, false);
    hide_for_a_moment(&manifest, manifest.size, 6, false);
    blind_script = scripts[_i];
    while (bench.queue_count > 0) {
        bench_step(&bench, UINT64_MAX);
    }
    ck_assert_uint_eq(blind_reads, 0);
    ck_assert_uint_eq(bench.agent.trust.version, 2);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2);
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent glance");
    TCase *tests = tcase_create("glance");
    tcase_add_loop_test(tests, a_wrong_reading_fails_no_download_and_gives_up_nothing, 0, 2);
    tcase_add_test(tests, a_wrong_reading_fails_no_staged_image);
    tcase_add_test(tests, a_trust_record_whose_write_fails_once_is_stored);
    tcase_add_loop_test(tests, a_trust_record_that_does_not_read_for_a_moment_counts, 0, 2);
    tcase_add_loop_test(tests, a_wrong_reading_lets_no_trust_record_drop_the_key_of_what_runs, 0,
                        8);
    tcase_add_loop_test(tests, a_wrong_reading_at_the_start_makes_nothing_of_what_runs, 0, 4);
    tcase_add_loop_test(tests, a_manifest_that_verified_once_runs_whatever_other_readings_say, 0,
                        5);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
