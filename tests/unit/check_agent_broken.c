/*
 * A region of the flash that breaks for good, at any moment of an update, in each of the ways in
 * which flash breaks: the image on trial ends in time, and nothing is fetched, erased or booted for
 * ever.
 */
#include "check_main.h"
#include "device_bench.h"

#include <string.h>

#define AFTER_MS   600000u /* that a device is watched for */
#define TRIAL_MS   75000u  /* a window, and what its end may take */
#define GETS_MAX   60u
#define BOOTS_MAX  8u
#define ERASES_MAX 150u /* outside of what broke: a rate of one a second shows */
#define MOMENTS    14u

static struct bench bench;
static struct bench_release *v1, *v2;

/* What breaks: a region of the layout, or one of its banks, or a part of the slot being filled. */
enum part {
    BOOT_LOG,
    BOOT_BANK,
    AGENT_LOG,
    AGENT_BANK,
    TRUST_BANK,
    SCRATCH,
    MANIFEST,
    TABLE,
    JOURNAL,
    PIECE,
    PARTS
};

static struct serin_region region_of(enum part part)
{
    const struct serin_layout *layout = &bench.layout;
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, layout, &map);
    uint32_t slot = layout->slot[1].address;
    const struct serin_region regions[PARTS] = {
        [BOOT_LOG] = layout->boot_log,
        [BOOT_BANK] = {layout->boot_log.address, layout->boot_log.size / 2u},
        [AGENT_LOG] = layout->agent_log,
        [AGENT_BANK] = {layout->agent_log.address, layout->agent_log.size / 2u},
        [TRUST_BANK] = {layout->trust.address, layout->trust.size / 2u},
        [SCRATCH] = layout->scratch,
        [MANIFEST] = {slot + map.manifest_offset, map.manifest_size},
        [TABLE] = {slot + map.pieces_offset, map.pieces_size},
        [JOURNAL] = {slot + map.journal_offset, map.journal_size},
        [PIECE] = {slot + map.image_offset, 4096},
    };
    return regions[part];
}

/* The flash in between counts erases outside of what broke. */
static const struct serin_flash *below;
static struct serin_flash above;
static struct serin_region broken;
static unsigned erases;

static enum serin_error counted_erase(void *ctx, uint32_t address, size_t size)
{
    erases += address >= broken.address + broken.size || broken.address >= address + size ? 1 : 0;
    return below->ops->erase(ctx, address, size);
}

static void set_up(enum bench_app app)
{
    static struct serin_flash_ops ops;
    bench_begin(&bench, &v1, &v2);
    v2->app = app;
    below = bench.boot.flash;
    ops = *below->ops;
    ops.erase = counted_erase;
    above = *below;
    above.ops = &ops;
    bench.boot.flash = &above;
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
}

/* One step; what the image ran on trial in it is added up. */
static void live(uint64_t *trial_ms, uint64_t *passed_ms)
{
    uint64_t from_ms = bench.now_ms;
    unsigned boots = bench.boots;
    bool trial = bench.choice.trial && !bench.agent.confirmed;
    (void)bench_step(&bench, UINT64_MAX);
    uint64_t step_ms = bench.boots == boots ? bench.now_ms - from_ms : 0;
    *trial_ms += trial ? step_ms : 0;
    *passed_ms += step_ms;
}

static bool is_over(void)
{
    enum serin_state state = bench_state(&bench);
    return state == SERIN_STATE_CONFIRMED || state == SERIN_STATE_ROLLED_BACK;
}

/* How many steps an update takes where nothing breaks. */
static unsigned measure(enum bench_app app)
{
    uint64_t trial_ms = 0, passed_ms = 0;
    unsigned steps = 0;
    set_up(app);
    for (; steps < 2000 && !is_over(); steps++) {
        live(&trial_ms, &passed_ms);
    }
    ck_assert(is_over());
    bench_end(&bench, v1, v2, NULL);
    return steps;
}

static void break_at(unsigned step, enum bench_app app, enum part part, enum serin_breakage kind)
{
    uint64_t trial_ms = 0, passed_ms = 0;
    set_up(app);
    for (unsigned i = 0; i < step; i++) {
        live(&trial_ms, &passed_ms);
    }
    unsigned gets = bench.gets, boots = bench.boots;
    broken = region_of(part);
    erases = 0;
    serin_flash_emulator_break(bench.emulator, broken.address, broken.size, kind);
    for (passed_ms = 0; passed_ms < AFTER_MS;) {
        live(&trial_ms, &passed_ms);
        ck_assert_msg(
            trial_ms <= TRIAL_MS && bench.gets - gets <= GETS_MAX &&
                bench.boots - boots <= BOOTS_MAX && erases <= ERASES_MAX,
            "part %d, kind %d, step %u, app %d, after %llu ms: %llu ms on trial, %u gets, "
            "%u boots, %u erases, %s",
            (int)part, (int)kind, step, (int)app, (unsigned long long)passed_ms,
            (unsigned long long)trial_ms, bench.gets - gets, bench.boots - boots, erases,
            serin_state_text(bench_state(&bench)));
    }
    if (kind == SERIN_BREAKAGE_STUCK) {
        /* What a program left erased is programmed once more: nobody can tell. */
        bench_close(&bench);
        bench_release_free(v1);
        bench_release_free(v2);
    } else {
        bench_end(&bench, v1, v2, NULL);
    }
}

START_TEST(what_breaks_for_good_costs_neither_time_nor_wear_for_ever)
{
    static const enum serin_breakage kinds[] = {SERIN_BREAKAGE_FAILS, SERIN_BREAKAGE_STUCK,
                                                SERIN_BREAKAGE_UNREADABLE};
    static const enum bench_app apps[] = {BENCH_GOOD, BENCH_SILENT};
    for (size_t app = 0; app < 2; app++) {
        unsigned steps = measure(apps[app]);
        for (unsigned n = 0; n < MOMENTS; n++) {
            for (size_t kind = 0; kind < 3; kind++) {
                break_at(n * steps / MOMENTS, apps[app], (enum part)_i, kinds[kind]);
            }
        }
    }
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent broken");
    TCase *tests = tcase_create("broken");
    tcase_add_loop_test(tests, what_breaks_for_good_costs_neither_time_nor_wear_for_ever, 0, PARTS);
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
