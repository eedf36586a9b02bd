/*
 * Logs and trust records that do not read for a moment: none is gone for it. Nothing is erased,
 * refused or told otherwise for good, and what does not read for good is begun anew.
 */
#include "agent_internal.h"
#include "boot_state.h"
#include "check_main.h"
#include "device_bench.h"

#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2, *v3;

/* The flash in between: what of it does not read, and a count of erases of a region. */
static const struct serin_flash *below;
static struct serin_flash above;
static struct serin_region watched;
static unsigned watched_erases;
static struct serin_region blind; /* so many reads of it fail, ... */
static uint32_t blind_reads;
static bool blind_until_erased; /* ... or all of them, bank by bank until it is erased */

static enum serin_error blind_read(void *ctx, uint32_t address, void *out, size_t size)
{
    if (blind_reads > 0 && address >= blind.address && address - blind.address < blind.size) {
        blind_reads--;
        return SERIN_ERR_FLASH;
    }
    return below->ops->read(ctx, address, out, size);
}

static enum serin_error watched_erase(void *ctx, uint32_t address, size_t size)
{
    bool hit = address < watched.address + watched.size && watched.address < address + size;
    watched_erases += hit ? 1 : 0;
    if (blind_until_erased && address >= blind.address && address - blind.address < blind.size) {
        blind.size -= (uint32_t)size;
        blind.address = address == blind.address ? address + (uint32_t)size : blind.address;
        blind_until_erased = blind.size > 0;
        blind_reads = blind_until_erased ? blind_reads : 0;
    }
    return below->ops->erase(ctx, address, size);
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
    ops.erase = watched_erase;
    above = *below;
    above.ops = &ops;
    bench.boot.flash = &above;
    watched_erases = blind_reads = 0;
    blind_until_erased = false;
    watched = (struct serin_region){.address = 0, .size = 0};
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

static void breaks(const struct serin_region *region, enum serin_breakage breakage)
{
    serin_flash_emulator_break(bench.emulator, region->address, region->size, breakage);
}

static void hide(const struct serin_region *region, uint32_t reads)
{
    blind = *region;
    blind_reads = reads;
}

static void mends(void)
{
    serin_flash_emulator_break(bench.emulator, 0, 0, SERIN_BREAKAGE_FAILS);
}

static void run_until_boot(unsigned boots, uint64_t until_ms)
{
    while (bench.boots == boots && bench.now_ms < until_ms) {
        (void)bench_step(&bench, until_ms);
    }
}

static void run_to_trial_boot(void)
{
    for (unsigned i = 0; i < 1000 && !bench.choice.trial; i++) {
        bench_step(&bench, UINT64_MAX);
    }
    ck_assert(bench.choice.trial);
}

/* ---- the account ---- */

static void hide_account(struct bench *b)
{
    breaks(&b->layout.agent_log, SERIN_BREAKAGE_UNREADABLE);
}

START_TEST(what_is_confirmed_runs_without_an_agent_log)
{
    set_up(BENCH_GOOD);
    bench.between = hide_account;
    bench_power_cycle(&bench);
    unsigned boots = bench.boots, beats = bench.beats;
    offer(v2);
    for (unsigned minute = 0; minute < 10; minute++) {
        bench_run_for(&bench, 60000);
        ck_assert(serin_agent_may_feed(&bench.agent, bench.now_ms));
    }
    ck_assert_uint_eq(bench.boots, boots);
    ck_assert_uint_eq(bench.beats, beats);
    ck_assert_uint_eq(bench.gets, 0);
    bench.between = NULL;
    mends();
    bench_run_for(&bench, 5000);
    ck_assert_uint_gt(bench.beats, beats);
    bench_online(&bench, false);
    bench_online(&bench, true);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

static void hide_account_once(struct bench *b)
{
    hide_account(b);
    b->between = NULL;
}

/* The account is not lost for it: what was tried stays tried, nothing that is older is obeyed, and
 * a directive that comes meanwhile is. */
START_TEST(an_agent_log_that_does_not_read_for_a_moment_is_not_erased)
{
    set_up(BENCH_CRASH);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 1000));
    bench_run_for(&bench, 1000);
    uint64_t incarnation = bench.agent.record.incarnation;
    struct serin_order order = bench.agent.record.order[SERIN_AGENT_CHANNEL];
    watched = bench.layout.agent_log;
    watched_erases = 0;
    bench.between = hide_account_once;
    bench_power_cycle(&bench);
    bench_run_for(&bench, 900u + 1000u * (unsigned)_i); /* the retained directive comes */
    ck_assert(bench.agent.unborn);
    mends();
    bench_run_for(&bench, 2000);
    ck_assert_uint_eq(bench.agent.record.incarnation, incarnation);
    ck_assert_uint_eq(bench.agent.record.order[SERIN_AGENT_CHANNEL].epoch, order.epoch);
    ck_assert_uint_eq(bench.agent.record.order[SERIN_AGENT_CHANNEL].sequence, order.sequence);
    ck_assert(bench.agent.directive_seen);
    ck_assert_uint_ne(bench.agent.record.tried[SERIN_AGENT_CHANNEL][0].attempt, 0);
    ck_assert_uint_eq(watched_erases, 0);
    unsigned gets = bench.gets;
    bench_run_for(&bench, 60000);
    ck_assert_uint_eq(bench.gets, gets);
    offer(v3);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

/* A download that was under way goes on, under what is heard before it is known again. */
START_TEST(a_download_goes_on_once_the_agent_log_reads_again)
{
    set_up(BENCH_GOOD);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_DOWNLOADING, 1000));
    bench.between = hide_account_once;
    bench_power_cycle(&bench);
    bench_run_for(&bench, 500);
    ck_assert(bench.agent.unborn);
    mends();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench.report.attempt_count, 1);
    tear_down();
}
END_TEST

static void hide_account_of_trial(struct bench *b)
{
    if (b->choice.trial) {
        hide_account(b);
    }
}

START_TEST(nothing_is_confirmed_without_an_agent_log)
{
    set_up(BENCH_GOOD);
    bench.config.confirm_needs_directive = false;
    bench.between = hide_account_of_trial;
    offer(v2);
    run_to_trial_boot();
    unsigned boots = bench.boots;
    run_until_boot(boots, 90000);
    ck_assert_uint_eq(bench.boots, boots + 1u);
    ck_assert_uint_gt(bench.confirm_refused, 10);
    ck_assert_uint_eq(bench_running(&bench), 1);
    tear_down();
}
END_TEST

/* ---- a log that goes dark while the agent runs ---- */

static struct serin_boot_state logged(void)
{
    struct serin_boot_state state;
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    return state;
}

/* The log faults from now on, bank by bank until it is erased. */
static void fault_until_erased(const struct serin_region *log)
{
    hide(log, UINT32_MAX);
    blind_until_erased = true;
}

static void roll_back(void)
{
    set_up(BENCH_CRASH);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 1000));
    bench_run_for(&bench, 2000);
}

/* What was tried stays tried, whatever is to be stored in that moment. */
START_TEST(an_agent_log_that_goes_dark_keeps_its_account)
{
    roll_back();
    uint64_t incarnation = bench.agent.record.incarnation;
    watched = bench.layout.agent_log;
    watched_erases = 0;
    breaks(&watched, SERIN_BREAKAGE_UNREADABLE);
    bench_online(&bench, false);
    offer(v3);
    bench_online(&bench, true);
    bench_run_for(&bench, 900u + 1000u * (unsigned)_i);
    ck_assert_uint_eq(watched_erases, 0);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_ROLLED_BACK);
    mends();
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench.agent.record.incarnation, incarnation);
    ck_assert_uint_ne(bench.agent.record.tried[SERIN_AGENT_CHANNEL][0].attempt, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench_running(&bench), 3);
    tear_down();
}
END_TEST

START_TEST(an_agent_log_that_faults_for_good_is_written_from_memory)
{
    roll_back();
    uint64_t incarnation = bench.agent.record.incarnation;
    fault_until_erased(&bench.layout.agent_log);
    for (int second = 0; second < 3; second++) {
        ck_assert(blind_until_erased);
        offer(v3); /* something to be stored, tried once each */
        bench_run_for(&bench, 1000);
    }
    ck_assert_uint_eq(blind_reads, 0);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench.agent.record.incarnation, incarnation);
    offer(v3);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench_running(&bench), 3);
    tear_down();
}
END_TEST

static void commit_second(void)
{
    struct serin_directive directive = bench_directive(&bench, v2, NULL);
    directive.stable.flags = SERIN_RELEASE_COMMIT;
    bench_publish(&bench, &directive);
}

static void confirm_second(void)
{
    set_up(BENCH_GOOD);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 2000);
}

/* The floor is raised in the record that stands there, and in no other. */
START_TEST(a_boot_log_that_goes_dark_is_changed_by_nobody)
{
    confirm_second();
    struct serin_boot_state before = logged();
    watched = bench.layout.boot_log;
    watched_erases = 0;
    breaks(&watched, SERIN_BREAKAGE_UNREADABLE);
    commit_second();
    bench_run_for(&bench, 900u + 1000u * (unsigned)_i);
    ck_assert_uint_eq(watched_erases, 0);
    ck_assert_uint_eq(bench.agent.running.floor, before.floor);
    mends();
    ck_assert_uint_eq(logged().sequence, before.sequence);
    bench_run_for(&bench, 5000);
    ck_assert_uint_eq(logged().floor, 2);
    ck_assert_uint_eq(logged().boots, before.boots);
    tear_down();
}
END_TEST

/* Each reading of the log fails at each of its places, so many times. */
static void darken_boot(unsigned readings)
{
    const struct serin_region *log = &bench.layout.boot_log;
    hide(log, readings * (log->size / SERIN_BOOT_RECORD_SIZE));
}

/* Nor is what the slots tell written over it as it reads again. */
START_TEST(a_boot_log_that_does_not_read_once_is_not_derived)
{
    confirm_second();
    struct serin_boot_state before = logged();
    darken_boot(1);
    commit_second();
    bench_run_for(&bench, 5000);
    ck_assert_uint_eq(blind_reads, 0);
    ck_assert_uint_eq(logged().floor, 2);
    ck_assert_uint_eq(logged().boots, before.boots);
    tear_down();
}
END_TEST

START_TEST(a_boot_log_that_faults_for_good_is_begun_anew_from_the_slots)
{
    confirm_second();
    fault_until_erased(&bench.layout.boot_log);
    commit_second();
    bench_run_for(&bench, 1900);
    ck_assert(blind_until_erased);
    bench_run_for(&bench, 5000);
    ck_assert_uint_eq(blind_reads, 0);
    ck_assert_uint_eq(logged().floor, 2);
    ck_assert(bench_logged(&bench, "begun anew"));
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2);
    tear_down();
}
END_TEST

/* An erase does not help it, and a second one each second would wear it out: the offer waits. */
START_TEST(a_boot_log_that_stays_dark_is_erased_once)
{
    set_up(BENCH_GOOD);
    bench_run_for(&bench, 5000);
    watched = bench.layout.boot_log;
    watched_erases = 0;
    hide(&watched, UINT32_MAX);
    offer(v2);
    bench_run_for(&bench, 600000);
    ck_assert_uint_ge(watched_erases, 1);
    ck_assert_uint_le(watched_erases, 2); /* banks */
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_IDLE);
    blind_reads = 0;
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench_running(&bench), 2);
    tear_down();
}
END_TEST

/* How the trial of the first attempt ended is forgotten before the second begins, not skipped. */
START_TEST(a_retry_waits_for_the_boot_log_to_forget)
{
    roll_back();
    breaks(&bench.layout.boot_log, SERIN_BREAKAGE_UNREADABLE);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    directive.candidate.attempt = 2;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 1500);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_ROLLED_BACK);
    mends();
    ck_assert(bench_run_to(&bench, SERIN_STATE_DOWNLOADING, 1000));
    ck_assert_int_eq(logged().last_outcome, SERIN_STATE_INVALID);
    ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 1000));
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_CRASH);
    tear_down();
}
END_TEST

static void hide_boot_log_once(struct bench *b)
{
    breaks(&b->layout.boot_log, SERIN_BREAKAGE_UNREADABLE);
    b->between = NULL;
}

/* The trial has ended, and the account is not told otherwise, nor of something else. */
START_TEST(an_account_is_not_settled_by_a_boot_log_that_does_not_read)
{
    set_up(BENCH_CRASH);
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    unsigned boots = bench.boots;
    while (bench.boots < boots + 2u) {
        (void)bench_step(&bench, UINT64_MAX);
    }
    bench.between = hide_boot_log_once;
    while (bench.between != NULL) {
        (void)bench_step(&bench, UINT64_MAX);
    }
    ck_assert(!bench.choice.trial);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_TRIAL);
    ck_assert_uint_eq(bench.agent.boots, 0);
    bench_run_for(&bench, 900);
    mends();
    bench_run_for(&bench, 3000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_ROLLED_BACK);
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_CRASH);
    ck_assert_uint_eq(bench.agent.boots, logged().boots);
    tear_down();
}
END_TEST

/* ---- a boot log that is dark for the bootloader, which has no later ---- */

START_TEST(a_bootloader_reads_a_dark_log_again_at_once)
{
    confirm_second();
    struct serin_boot_state before = logged();
    watched = bench.layout.boot_log;
    watched_erases = 0;
    darken_boot((unsigned)_i);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(blind_reads, 0);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_uint_eq(watched_erases, 0);
    /* Found again as it was to be written anew: it stays as it is, for this boot. */
    ck_assert(bench.choice.log_failed == (_i == 3));
    ck_assert_uint_eq(logged().boots, before.boots + (_i == 3 ? 0u : 1u));
    tear_down();
}
END_TEST

START_TEST(a_bootloader_begins_a_log_anew_that_faults_for_good)
{
    confirm_second();
    commit_second();
    bench_run_for(&bench, 5000);
    fault_until_erased(&bench.layout.boot_log);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(blind_reads, 0);
    ck_assert(!bench.choice.log_failed);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_uint_eq(logged().floor, 2);
    tear_down();
}
END_TEST

/* ---- a trust record that does not read at the start ---- */

static void hide_trust_once(struct bench *b)
{
    breaks(&b->layout.trust, SERIN_BREAKAGE_UNREADABLE);
    b->between = NULL;
}

/* Nothing is refused meanwhile, nor taken: the directive that is heard is obeyed later, and what
 * runs is not offered as if nothing ran. */
START_TEST(an_agent_waits_for_a_trust_record_that_does_not_read_at_its_start)
{
    set_up(BENCH_GOOD);
    bench_publish_trust(&bench, 2, true);
    bench_run_for(&bench, 1000);
    bench_online(&bench, false);
    bench_publish_trust(&bench, 1, true);
    offer(v2);
    unsigned beats = bench.beats, gets = bench.gets;
    bench.online = true;
    bench.between = hide_trust_once;
    watched = bench.layout.trust;
    watched_erases = 0;
    bench_power_cycle(&bench);
    bench_run_for(&bench, 900u + 1000u * (unsigned)_i);
    ck_assert_uint_eq(watched_erases, 0);
    ck_assert(!bench.agent.have_trust);
    ck_assert_uint_eq(bench.queue_count, 0);
    ck_assert_uint_eq(bench.agent.refusals, 0);
    ck_assert_uint_eq(bench.gets, gets);
    ck_assert_uint_eq(bench.beats, beats);
    mends();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench.agent.trust.version, 2);
    ck_assert_uint_eq(bench_running(&bench), 2);
    tear_down();
}
END_TEST

static void hide_trust_of_trial(struct bench *b)
{
    if (b->choice.trial) {
        hide_trust_once(b);
    }
}

START_TEST(a_sound_trial_survives_a_trust_record_that_does_not_read_at_its_start)
{
    set_up(BENCH_GOOD);
    bench.between = hide_trust_of_trial;
    offer(v2);
    run_to_trial_boot();
    unsigned boots = bench.boots;
    bench_run_for(&bench, 700);
    mends();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench.boots, boots);
    ck_assert_uint_eq(bench.agent.running.version.minor, 2);
    tear_down();
}
END_TEST

/* What was verified at the start stays in force while its region does not read. */
START_TEST(a_trust_record_that_was_opened_counts_while_it_does_not_read)
{
    set_up(BENCH_GOOD);
    bench_run_for(&bench, 1000);
    breaks(&bench.layout.trust, SERIN_BREAKAGE_UNREADABLE);
    serin_agent_keep_trust(&bench.agent, false);
    ck_assert(bench.agent.have_trust);
    ck_assert(bench.agent.trust_single);
    mends();
    offer(v2);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent dark");
    TCase *tests = tcase_create("dark");
    tcase_add_test(tests, what_is_confirmed_runs_without_an_agent_log);
    tcase_add_loop_test(tests, an_agent_log_that_does_not_read_for_a_moment_is_not_erased, 0, 2);
    tcase_add_test(tests, a_download_goes_on_once_the_agent_log_reads_again);
    tcase_add_test(tests, nothing_is_confirmed_without_an_agent_log);
    tcase_add_loop_test(tests, an_agent_log_that_goes_dark_keeps_its_account, 0, 2);
    tcase_add_test(tests, an_agent_log_that_faults_for_good_is_written_from_memory);
    tcase_add_loop_test(tests, a_boot_log_that_goes_dark_is_changed_by_nobody, 0, 2);
    tcase_add_test(tests, a_boot_log_that_does_not_read_once_is_not_derived);
    tcase_add_test(tests, a_boot_log_that_faults_for_good_is_begun_anew_from_the_slots);
    tcase_add_test(tests, a_boot_log_that_stays_dark_is_erased_once);
    tcase_add_test(tests, a_retry_waits_for_the_boot_log_to_forget);
    tcase_add_test(tests, an_account_is_not_settled_by_a_boot_log_that_does_not_read);
    tcase_add_loop_test(tests, a_bootloader_reads_a_dark_log_again_at_once, 1, 4);
    tcase_add_test(tests, a_bootloader_begins_a_log_anew_that_faults_for_good);
    tcase_add_loop_test(tests, an_agent_waits_for_a_trust_record_that_does_not_read_at_its_start, 0,
                        2);
    tcase_add_test(tests, a_sound_trial_survives_a_trust_record_that_does_not_read_at_its_start);
    tcase_add_test(tests, a_trust_record_that_was_opened_counts_while_it_does_not_read);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
