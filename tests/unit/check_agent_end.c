/*
 * How attempts end: rolled back (crash, hang, silence, bad health), rejected (each reason), failed
 * (damaged on the way or at the source), cancelled and superseded in every state.
 */
#include "check_main.h"
#include "device_bench.h"

#include <stdio.h>
#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2, *v3;

static void set_up(enum bench_app app)
{
    bench_open(&bench, &bench_small);
    v1 = bench_release(1, 9000, BENCH_GOOD);
    v2 = bench_release(2, 9500, app);
    v3 = bench_release(3, 4096, BENCH_GOOD);
    bench_serve(&bench, v1);
    bench_serve(&bench, v2);
    bench_serve(&bench, v3);
    bench_provision(&bench, v1);
    bench_boot(&bench, SERIN_RESET_POWER);
}

static void set_up_good(void)
{
    set_up(BENCH_GOOD);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, v3);
}

static void offer_v2(void)
{
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
}

/* The device is back on v1, says so with `reason`, and does not fetch v2 again, not even after
 * losing power. */
static void expect_rolled_back(enum serin_reason reason)
{
    ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 2000));
    ck_assert_int_eq(bench_reason(&bench), reason);
    ck_assert_uint_eq(bench_running(&bench), 1);
    bench_run_for(&bench, 20000);
    const struct serin_attempt_report *attempt = &bench.report.attempts[0];
    ck_assert_int_eq(attempt->transitions[attempt->transition_count - 1].state,
                     SERIN_STATE_ROLLED_BACK);
    ck_assert_int_eq(attempt->transitions[attempt->transition_count - 1].reason, reason);
    unsigned gets = bench.gets;
    bench_power_cycle(&bench);
    bench_run_for(&bench, 60000);
    offer_v2(); /* the same attempt under a newer order */
    bench_run_for(&bench, 60000);
    ck_assert_uint_eq(bench.gets, gets);
    ck_assert_uint_eq(bench_running(&bench), 1);
}

START_TEST(a_crash_ends_in_the_old_slot)
{
    set_up(BENCH_CRASH);
    offer_v2();
    expect_rolled_back(SERIN_REASON_CRASH);
    ck_assert_uint_eq(bench.boots, 1 + 3 + 1 + 1); /* three tries */
    tear_down();
}
END_TEST

START_TEST(a_hang_ends_in_the_old_slot)
{
    set_up(BENCH_HANG);
    offer_v2();
    expect_rolled_back(SERIN_REASON_WATCHDOG);
    tear_down();
}
END_TEST

START_TEST(silence_ends_in_the_old_slot_after_the_window)
{
    set_up(BENCH_SILENT);
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    ck_assert(serin_agent_may_feed(&bench.agent, bench.now_ms));
    ck_assert(!serin_agent_may_feed(&bench.agent, 60000));
    ck_assert(serin_agent_may_feed(&bench.agent, 59999));
    unsigned boots = bench.boots;
    expect_rolled_back(SERIN_REASON_NOT_CONFIRMED);
    ck_assert_uint_eq(bench.boots,
                      boots + 2); /* one window, one boot of the old, one power cycle */
    tear_down();
}
END_TEST

START_TEST(power_cuts_do_not_stretch_the_window_for_ever)
{
    set_up(BENCH_SILENT);
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    /* Each boot lives 19 s: 10 of them are logged. Three boots, and the old image runs. */
    unsigned boots = 0;
    while (bench.choice.trial) {
        bench_run_for(&bench, 19000 - bench.now_ms);
        bench_power_cycle(&bench);
        ck_assert_uint_le(++boots, 3);
    }
    expect_rolled_back(SERIN_REASON_POWER);
    tear_down();
}
END_TEST

START_TEST(bad_health_in_the_trial_rolls_back_at_once)
{
    set_up(BENCH_SILENT);
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    unsigned boots = bench.boots;
    /* A word that is no reason comes from an application, too: it counts as bad health. */
    static const int words[] = {SERIN_REASON_HEALTH, SERIN_REASON_INVALID, 200};
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_UNHEALTHY, (enum serin_reason)words[_i]),
                     SERIN_OK);
    ck_assert(bench.reset_asked);
    ck_assert(!serin_agent_may_feed(&bench.agent, bench.now_ms)); /* should the reset not come */
    bench_boot(&bench, SERIN_RESET_REQUESTED);
    ck_assert_uint_eq(bench.boots, boots + 1);
    expect_rolled_back(SERIN_REASON_HEALTH);
    tear_down();
}
END_TEST

START_TEST(bad_health_after_confirmation_is_a_regression_and_stays)
{
    set_up_good();
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_UNHEALTHY, SERIN_REASON_CRASH), SERIN_OK);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_IDLE); /* a factory image has no account */
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_UNHEALTHY, SERIN_REASON_CRASH), SERIN_OK);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_REGRESSED);
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_UNHEALTHY, SERIN_REASON_CRASH), SERIN_OK);
    bench_run_for(&bench, 20000);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_uint_eq(bench.report.attempts[0].transition_count, 7);
    ck_assert_int_eq(bench.report.attempts[0].transitions[6].reason, SERIN_REASON_CRASH);
    tear_down();
}
END_TEST

START_TEST(confirm_waits_for_the_directive)
{
    set_up_good();
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    bench.online = false;
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    bench_run_for(&bench, 5000);
    ck_assert_uint_gt(bench.confirm_refused, 3);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_TRIAL);
    bench_online(&bench, true);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

/* ---- rejected ---- */

struct unsuitable {
    enum serin_reason reason;
    void (*spoil)(struct serin_manifest *manifest);
};

static void other_product(struct serin_manifest *m)
{
    snprintf(m->product, sizeof(m->product), "valve");
}
static void other_channel(struct serin_manifest *m)
{
    snprintf(m->channels[0], sizeof(m->channels[0]), "beta");
}
static void other_hardware(struct serin_manifest *m)
{
    m->hw_min = m->hw_max = 3;
}
static void newer_bootloader(struct serin_manifest *m)
{
    m->bootloader_min = 9;
}
static void older_version(struct serin_manifest *m)
{
    m->version.minor = 0;
}
static void same_version(struct serin_manifest *m)
{
    m->version.minor = 1;
}
static void other_slot(struct serin_manifest *m)
{
    m->slot_mask = SERIN_SLOT_MASK_A;
}
static void huge_image(struct serin_manifest *m)
{
    m->image_size_bytes = 60000;
}

static const struct unsuitable unsuitables[] = {
    {SERIN_REASON_PRODUCT, other_product},   {SERIN_REASON_CHANNEL, other_channel},
    {SERIN_REASON_HARDWARE, other_hardware}, {SERIN_REASON_BOOTLOADER, newer_bootloader},
    {SERIN_REASON_NOT_NEWER, older_version}, {SERIN_REASON_NOT_NEWER, same_version},
    {SERIN_REASON_HARDWARE, other_slot},     {SERIN_REASON_TOO_LARGE, huge_image},
};

static void expect_rejected(enum serin_reason reason)
{
    ck_assert_msg(bench_run_to(&bench, SERIN_STATE_REJECTED, 300), "state %s",
                  serin_state_text(bench_state(&bench)));
    ck_assert_int_eq(bench_reason(&bench), reason);
    ck_assert_uint_eq(bench.image_bytes, 0);
    unsigned gets = bench.gets;
    offer_v2();
    bench_run_for(&bench, 20000);
    ck_assert_uint_eq(bench.gets, gets);
    ck_assert_uint_eq(bench_running(&bench), 1);
}

START_TEST(what_does_not_suit_is_rejected_before_a_byte_of_it)
{
    set_up_good();
    unsuitables[_i].spoil(&v2->manifest);
    bench_release_seal(v2);
    offer_v2();
    expect_rejected(unsuitables[_i].reason);
    tear_down();
}
END_TEST

START_TEST(a_counter_below_the_floor_is_rejected)
{
    set_up_good();
    struct serin_directive directive = bench_directive(&bench, v1, NULL);
    directive.stable.flags = SERIN_RELEASE_COMMIT;
    bench_publish(&bench, &directive);
    bench_run_for(&bench, 10000);
    ck_assert_uint_eq(bench.agent.running.floor, 1);
    v2->manifest.security_counter = 0;
    bench_release_seal(v2);
    offer_v2();
    expect_rejected(SERIN_REASON_COUNTER);
    tear_down();
}
END_TEST

START_TEST(a_manifest_with_a_bad_signature_is_rejected)
{
    set_up_good();
    v2->manifest_bytes[SERIN_MANIFEST_HEAD_SIZE + 40] ^= 1;
    offer_v2();
    expect_rejected(SERIN_REASON_SIGNATURE);
    tear_down();
}
END_TEST

START_TEST(a_manifest_of_an_unknown_key_is_rejected)
{
    set_up_good();
    /* The director signs a manifest: a key that the trust record names, but not for this. */
    ck_assert_int_eq(serin_manifest_seal(bench_crypto(), &test_keys[TEST_DIRECTOR].signer,
                                         &v2->manifest, v2->manifest_bytes, NULL),
                     SERIN_OK);
    offer_v2();
    expect_rejected(SERIN_REASON_KEY);
    tear_down();
}
END_TEST

START_TEST(an_older_release_is_taken_when_the_directive_says_revert)
{
    set_up_good();
    v2->manifest.version.minor = 0;
    bench_release_seal(v2);
    struct serin_directive directive = bench_directive(&bench, v2, NULL);
    directive.stable.flags = SERIN_RELEASE_REVERT;
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench_running(&bench), 0);
    tear_down();
}
END_TEST

/* ---- failed, or saved ---- */

START_TEST(a_damaged_block_costs_one_piece)
{
    set_up_good();
    bench.faults.corrupt_block = 3;
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 5000);
    ck_assert_uint_eq(bench.report.attempts[0].pieces_refetched, 1);
    ck_assert_uint_le(bench.image_bytes, 9500 + 4096 + 4096);
    tear_down();
}
END_TEST

START_TEST(a_block_with_a_bad_crc_is_not_used)
{
    set_up_good();
    bench.faults.flip_block = 2;
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench.report.attempts[0].pieces_refetched, 0);
    ck_assert_uint_gt(bench.image_blocks, 10); /* it was asked for again */
    tear_down();
}
END_TEST

START_TEST(a_busy_answer_does_not_lose_the_credit)
{
    set_up_good();
    offer_v2();
    while (bench.image_blocks < 4) {
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    bench.faults.busy_requests = 2;
    ck_assert(bench_run_to(&bench, SERIN_STATE_VERIFYING, 1000));
    /* The request after the busy ones names the window before them as done: nobody has to forget
     * it. */
    ck_assert_uint_lt(bench.now_ms, bench.limits.forget_ms / 2);
    tear_down();
}
END_TEST

START_TEST(a_lost_block_is_asked_for_again)
{
    set_up_good();
    bench.faults.drop_block = (uint32_t)_i;
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench.report.attempts[0].pieces_refetched, 0);
    tear_down();
}
END_TEST

START_TEST(busy_servers_are_waited_for)
{
    set_up_good();
    bench.faults.busy_requests = 20;
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

static void expect_failed(enum serin_reason reason)
{
    ck_assert_msg(bench_run_to(&bench, SERIN_STATE_FAILED, 3000), "state %s",
                  serin_state_text(bench_state(&bench)));
    ck_assert_int_eq(bench_reason(&bench), reason);
    unsigned gets = bench.gets;
    offer_v2();
    bench_run_for(&bench, 60000);
    ck_assert_uint_eq(bench.gets, gets);
    ck_assert_uint_eq(bench_running(&bench), 1);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 1);
}

START_TEST(a_piece_that_stays_damaged_fails_the_attempt)
{
    set_up_good();
    bench.faults.corrupt_always = 2;
    offer_v2();
    expect_failed(SERIN_REASON_DIGEST);
    ck_assert_uint_le(bench.image_bytes, 9500 + 6 * 2 * 4096);
    tear_down();
}
END_TEST

START_TEST(a_damaged_piece_table_fails_the_attempt)
{
    set_up_good();
    bench.faults.bad_table = true;
    offer_v2();
    expect_failed(SERIN_REASON_PIECE_TABLE);
    ck_assert_uint_eq(bench.image_bytes, 0);
    tear_down();
}
END_TEST

START_TEST(a_damaged_manifest_fails_the_attempt)
{
    set_up_good();
    bench.faults.bad_manifest = true;
    offer_v2();
    expect_failed(SERIN_REASON_DIGEST);
    tear_down();
}
END_TEST

START_TEST(a_missing_object_fails_the_attempt_in_the_end)
{
    set_up_good();
    bench.faults.missing_image = true;
    offer_v2();
    expect_failed(SERIN_REASON_UNAVAILABLE);
    tear_down();
}
END_TEST

START_TEST(an_image_that_is_not_the_manifests_fails)
{
    set_up_good();
    /* Pieces agree with their table, but the release desk signed another digest or CRC: nothing is
     * staged. */
    if (_i == 0) {
        v2->manifest.image_crc32 ^= 1;
    } else {
        /* The server finds objects by the manifest's digests: serve v3's image under v2's name. */
        v2->manifest.pieces_sha256[0] ^= 1;
    }
    bench_release_seal(v2);
    offer_v2();
    expect_failed(_i == 0 ? SERIN_REASON_CRC : SERIN_REASON_PIECE_TABLE);
    tear_down();
}
END_TEST

START_TEST(a_worn_slot_fails_the_attempt)
{
    set_up_good();
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    serin_flash_emulator_break(bench.emulator, bench.layout.slot[1].address + map.image_offset,
                               map.image_capacity, SERIN_BREAKAGE_FAILS);
    offer_v2();
    expect_failed(SERIN_REASON_FLASH);
    tear_down();
}
END_TEST

START_TEST(a_broken_agent_log_blocks_every_action)
{
    set_up_good();
    serin_flash_emulator_break(bench.emulator, bench.layout.agent_log.address,
                               bench.layout.agent_log.size, SERIN_BREAKAGE_FAILS);
    offer_v2();
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_IDLE);
    ck_assert_uint_eq(bench.gets, 0);
    ck_assert_uint_eq(bench.agent.record.order[SERIN_AGENT_CHANNEL].sequence, 0);
    /* Once it can write again it goes on: the directive is heard again at the next connection. */
    serin_flash_emulator_break(bench.emulator, 0, 0, SERIN_BREAKAGE_FAILS);
    bench_online(&bench, false);
    bench_online(&bench, true);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent_end");
    TCase *tests = tcase_create("agent_end");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_crash_ends_in_the_old_slot);
    tcase_add_test(tests, a_hang_ends_in_the_old_slot);
    tcase_add_test(tests, silence_ends_in_the_old_slot_after_the_window);
    tcase_add_test(tests, power_cuts_do_not_stretch_the_window_for_ever);
    tcase_add_loop_test(tests, bad_health_in_the_trial_rolls_back_at_once, 0, 3);
    tcase_add_test(tests, bad_health_after_confirmation_is_a_regression_and_stays);
    tcase_add_test(tests, confirm_waits_for_the_directive);
    tcase_add_loop_test(tests, what_does_not_suit_is_rejected_before_a_byte_of_it, 0,
                        sizeof(unsuitables) / sizeof(unsuitables[0]));
    tcase_add_test(tests, a_counter_below_the_floor_is_rejected);
    tcase_add_test(tests, a_manifest_with_a_bad_signature_is_rejected);
    tcase_add_test(tests, a_manifest_of_an_unknown_key_is_rejected);
    tcase_add_test(tests, an_older_release_is_taken_when_the_directive_says_revert);
    tcase_add_test(tests, a_damaged_block_costs_one_piece);
    tcase_add_test(tests, a_block_with_a_bad_crc_is_not_used);
    tcase_add_loop_test(tests, a_lost_block_is_asked_for_again, 1, 11);
    tcase_add_test(tests, a_busy_answer_does_not_lose_the_credit);
    tcase_add_test(tests, busy_servers_are_waited_for);
    tcase_add_test(tests, a_piece_that_stays_damaged_fails_the_attempt);
    tcase_add_test(tests, a_damaged_piece_table_fails_the_attempt);
    tcase_add_test(tests, a_damaged_manifest_fails_the_attempt);
    tcase_add_test(tests, a_missing_object_fails_the_attempt_in_the_end);
    tcase_add_loop_test(tests, an_image_that_is_not_the_manifests_fails, 0, 2);
    tcase_add_test(tests, a_worn_slot_fails_the_attempt);
    tcase_add_test(tests, a_broken_agent_log_blocks_every_action);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
