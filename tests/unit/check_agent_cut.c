/*
 * The exhaustive cut: a whole life (take a release of a new key, confirm, commit, mirror; take one
 * that crashes, roll back; take that again, roll back) with the power cut at every flash operation,
 * before, inside and after it. From the first trial on a trust record is offered that drops the new
 * key. Whatever the cut, the device boots something that verifies, keeps its floor, fetches no
 * journaled piece again, tries what it says to have tried, and ends where the uncut life ends.
 *
 * Then two cuts in one life, chosen by a seed: the second often falls into what mends the first.
 *
 * A failure names the cut: CUT_FLASH, CUT_AT, CUT_HOW, or CUT_SEED, set as it says, replay that one
 * alone.
 */
#include "agent_internal.h"
#include "check_main.h"
#include "device_bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHAPTERS    4
#define STEPS_MAX   3000
#define DOUBLE_CUTS 60 /* lives with two cuts, per geometry */

/* The cut that is being tried: a failure prints it. */
static char replay[80];

static struct bench_release *v1, *v2, *v3;

static const struct bench_geometry geometries[] = {
    {.size = 64 * 1024, .sector = 1024, .unit = 8, .erased = 0xFF, .ecc = false, .seed = 3},
    {.size = 64 * 1024, .sector = 512, .unit = 32, .erased = 0x00, .ecc = false, .seed = 5},
    {.size = 96 * 1024, .sector = 4096, .unit = 256, .erased = 0xFF, .ecc = true, .seed = 7},
    {.size = 128 * 1024, .sector = 512, .unit = 512, .erased = 0xFF, .ecc = true, .seed = 9},
};

static void publish_story(struct bench *bench, unsigned chapter)
{
    struct serin_directive directive = bench_directive(bench, v1, v2);
    if (chapter == 1) {
        directive = bench_directive(bench, v2, NULL);
        directive.stable.flags = SERIN_RELEASE_COMMIT;
    } else if (chapter >= 2) {
        directive = bench_directive(bench, v2, v3);
        directive.stable.flags = SERIN_RELEASE_COMMIT;
        directive.candidate.attempt = chapter - 1;
    }
    bench_publish(bench, &directive);
}

/* Whether the chapter has come to its end on this device. */
static bool chapter_over(const struct bench *bench, unsigned chapter)
{
    enum serin_state state = bench_state(bench);
    switch (chapter) {
    case 0:
        return state == SERIN_STATE_CONFIRMED &&
               bench->agent.record.acked == bench->agent.record.number;
    case 1:
        return bench->agent.running.floor == 2 &&
               bench->agent.redundancy == SERIN_REDUNDANCY_MIRRORED;
    default:
        return state == SERIN_STATE_ROLLED_BACK && bench_running(bench) == 2 &&
               serin_attempt_is(&bench->agent, v3->id, chapter - 1) &&
               bench->agent.redundancy == SERIN_REDUNDANCY_MIRRORED &&
               bench->agent.record.acked == bench->agent.record.number;
    }
}

static void check_always(const struct bench *bench, unsigned chapter)
{
    uint32_t floor = bench->agent.running.floor;
    ck_assert_msg(floor == 1 || floor == 2, "floor %u", floor);
    ck_assert_msg(chapter < 2 || floor == 2, "the floor fell");
    ck_assert_uint_eq(bench->fetched_again, 0);
    ck_assert_uint_eq(bench->journal_lies, 0);
    ck_assert_uint_eq(serin_flash_emulator_breaches(bench->emulator), 0);
    ck_assert(bench->choice.manifest.security_counter >= floor);
}

/* Lives the whole life. Steps that the power goes in are part of it. */
static void live(struct bench *bench)
{
    bench_publish_trust(bench, 2, true);
    for (unsigned chapter = 0; chapter < CHAPTERS; chapter++) {
        publish_story(bench, chapter);
        unsigned steps = 0;
        bool tried = chapter<2, dropped = chapter> 0;
        while (!chapter_over(bench, chapter)) {
            bench_step(bench, UINT64_MAX);
            check_always(bench, chapter);
            tried = tried || bench_running(bench) == 3;
            if (!dropped && bench_state(bench) == SERIN_STATE_TRIAL) {
                dropped = true;
                bench_publish_trust(bench, 3, false); /* which nobody must believe */
            }
            ck_assert_msg(++steps < STEPS_MAX, "chapter %u does not end: state %s (%s), boots %u",
                          chapter, serin_state_text(bench_state(bench)),
                          serin_reason_word(bench_reason(bench)), bench->boots);
        }
        ck_assert_msg(tried, "attempt %u ended without a trial", chapter - 1);
        ck_assert(dropped);
    }
    ck_assert_uint_eq(bench->agent.trust.version, 2);
    /* The last account: v3 was tried once more, and rolled back. A power cut between the marker of
     * a confirmation and its record, or one that uses up a try, changes no outcome. */
    ck_assert_uint_eq(bench_running(bench), 2);
    ck_assert_int_eq(bench_state(bench), SERIN_STATE_ROLLED_BACK);
    enum serin_reason reason = bench_reason(bench);
    ck_assert_msg(reason == SERIN_REASON_CRASH || (bench->cuts > 0 && reason == SERIN_REASON_POWER),
                  "rolled back for %s", serin_reason_word(reason));
    const struct serin_attempt_report *last =
        &bench->report.attempts[bench->report.attempt_count - 1];
    ck_assert_int_eq(last->transitions[last->transition_count - 1].state, SERIN_STATE_ROLLED_BACK);
    ck_assert(memcmp(last->manifest_id, v3->id, sizeof(v3->id)) == 0);
    /* Tried is tried, also after losing power. */
    unsigned gets = bench->gets;
    bench_boot(bench, SERIN_RESET_POWER);
    bench_run_for(bench, 30000);
    ck_assert_uint_eq(bench->gets, gets);
    ck_assert_uint_eq(bench_running(bench), 2);
}

static void begin(struct bench *bench, const struct bench_geometry *geometry)
{
    bench_open(bench, geometry);
    bench_serve(bench, v1);
    bench_serve(bench, v2);
    bench_serve(bench, v3);
    bench_provision(bench, v1);
}

/* The number of flash operations that a life takes when nobody cuts it. */
static uint64_t count_operations(const struct bench_geometry *geometry)
{
    static struct bench bench;
    begin(&bench, geometry);
    uint64_t first = serin_flash_emulator_operations(bench.emulator);
    bench_boot(&bench, SERIN_RESET_POWER);
    live(&bench);
    uint64_t count = serin_flash_emulator_operations(bench.emulator) - first;
    bench_close(&bench);
    return count;
}

static void live_with_cut(const struct bench_geometry *geometry, uint64_t at, enum serin_cut how)
{
    static struct bench bench;
    begin(&bench, geometry);
    serin_flash_emulator_cut(bench.emulator, at, how);
    bench_boot(&bench, SERIN_RESET_POWER);
    live(&bench);
    ck_assert_msg(bench.cuts == 1, "the cut fired %u times", bench.cuts);
    bench_close(&bench);
}

static void make_releases(void)
{
    v1 = bench_release(1, 5000, BENCH_GOOD);
    v2 = bench_release(2, 9000, BENCH_GOOD);
    bench_release_seal_second(v2);
    /* Its middle piece is in the slot already, as the mirror of v2 left it: the download goes
     * around it. */
    v3 = bench_release(3, 9000, BENCH_CRASH);
    bench_release_share(v3, v2, 1);
}

static void free_releases(void)
{
    bench_release_free(v1);
    bench_release_free(v2);
    bench_release_free(v3);
}

static void cut_everywhere(int which)
{
    const struct bench_geometry *geometry = &geometries[which];
    const char *only_at = getenv("CUT_AT");
    const char *only_how = getenv("CUT_HOW");
    const char *only_flash = getenv("CUT_FLASH");
    if (getenv("CUT_SEED") != NULL || (only_flash != NULL && atoi(only_flash) != which)) {
        return;
    }
    make_releases();
    uint64_t operations = count_operations(geometry);
    ck_assert_uint_gt(operations, 80);
    for (uint64_t at = 1; at <= operations; at++) {
        for (int how = SERIN_CUT_BEFORE; how <= SERIN_CUT_AFTER; how++) {
            if ((only_at != NULL && strtoull(only_at, NULL, 10) != at) ||
                (only_how != NULL && atoi(only_how) != how)) {
                continue;
            }
            snprintf(replay, sizeof(replay), "replay with CUT_FLASH=%d CUT_AT=%llu CUT_HOW=%d\n",
                     which, (unsigned long long)at, how);
            live_with_cut(geometry, at, (enum serin_cut)how);
        }
    }
    free_releases();
}

/* xorshift64: a seed gives the same two cuts each time. */
static uint64_t dice(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void live_with_two_cuts(const struct bench_geometry *geometry, uint64_t operations,
                               uint64_t seed)
{
    static struct bench bench;
    uint64_t state = seed * 7919u + 1u;
    for (int i = 0; i < 8; i++) {
        (void)dice(&state);
    }
    begin(&bench, geometry);
    uint64_t first = dice(&state) % (operations - 25) + 1; /* room for a second */
    serin_flash_emulator_cut(bench.emulator, first, (enum serin_cut)(dice(&state) % 3 + 1));
    /* Half of the second cuts come within ten operations. */
    uint64_t range = dice(&state) % 2 == 0 ? 10 : operations;
    bench.second_cut_nth = dice(&state) % range + 1;
    bench.second_cut = (enum serin_cut)(dice(&state) % 3 + 1);
    bench_boot(&bench, SERIN_RESET_POWER);
    live(&bench);
    ck_assert_uint_ge(bench.cuts, 1);
    ck_assert_msg(bench.cuts == 2 || range > 10, "the second cut did not fire");
    bench_close(&bench);
}

static void cut_twice(int which)
{
    const struct bench_geometry *geometry = &geometries[which];
    const char *only_flash = getenv("CUT_FLASH");
    const char *only_seed = getenv("CUT_SEED");
    if (getenv("CUT_AT") != NULL || (only_flash != NULL && atoi(only_flash) != which)) {
        return;
    }
    make_releases();
    uint64_t operations = count_operations(geometry);
    for (uint64_t seed = 1; seed <= DOUBLE_CUTS; seed++) {
        if (only_seed == NULL || strtoull(only_seed, NULL, 10) == seed) {
            snprintf(replay, sizeof(replay), "replay with CUT_FLASH=%d CUT_SEED=%llu\n", which,
                     (unsigned long long)seed);
            live_with_two_cuts(geometry, operations, seed);
        }
    }
    free_releases();
}

static const int crashes[] = {SIGILL, SIGTRAP, SIGSEGV, SIGABRT};

static void name_the_cut(int sig)
{
    (void)!write(STDERR_FILENO, replay, strlen(replay));
    signal(sig, SIG_DFL);
    raise(sig);
}

START_TEST(every_cut_ends_well)
{
    cut_everywhere(_i);
}
END_TEST

START_TEST(two_cuts_end_well)
{
    cut_twice(_i);
}
END_TEST

int main(void)
{
    bench_open_keys();
    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
        signal(crashes[i], name_the_cut);
    }
    Suite *suite = suite_create("agent_cut");
    TCase *tests = tcase_create("agent_cut");
    tcase_add_loop_test(tests, every_cut_ends_well, 0, sizeof(geometries) / sizeof(geometries[0]));
    tcase_add_loop_test(tests, two_cuts_end_well, 0, sizeof(geometries) / sizeof(geometries[0]));
    suite_add_tcase(suite, tests);
    /* Without fork, so that the name of the cut outlives a failure, and checked signatures are
     * remembered. */
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    if (failed > 0) {
        fputs(replay, stderr);
    }
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
