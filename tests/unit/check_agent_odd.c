/*
 * Accounts, logs and trust records that do not fit each other: a trial that nobody staged, a boot
 * log that is lost in the midst of one, a device whose trust record is gone when its agent starts,
 * directives that come before the flash is whole again.
 */
#include "agent_internal.h"
#include "check_main.h"
#include "device_bench.h"
#include "flash_io.h"
#include "slot.h"

#include <serin/adapters/protobufc.h>

#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2;

static void set_up(void)
{
    bench_begin(&bench, &v1, &v2);
    v2->app = BENCH_SILENT;
    bench_boot(&bench, SERIN_RESET_POWER);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, NULL);
}

static void wipe(const struct serin_region *region)
{
    const struct serin_flash *flash = bench.boot.flash;
    ck_assert_int_eq(flash->ops->erase(flash->ctx, region->address, region->size), SERIN_OK);
}

static void breaks(const struct serin_region *region)
{
    serin_flash_emulator_break(bench.emulator, region->address, region->size, SERIN_BREAKAGE_FAILS);
}

static void mends(void)
{
    serin_flash_emulator_break(bench.emulator, 0, 0, SERIN_BREAKAGE_FAILS);
}

static void offer(uint32_t attempt)
{
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    directive.candidate.attempt = attempt;
    bench_publish(&bench, &directive);
}

static enum serin_error deliver(enum serin_topic_kind topic, const uint8_t *payload, size_t size)
{
    struct serin_agent_event event = {
        .kind = SERIN_AGENT_MESSAGE, .topic = topic, .payload = payload, .payload_size = size};
    return serin_agent_step(&bench.agent, ++bench.now_ms, &event);
}

/* ---- the boot log is lost ---- */

START_TEST(a_trial_whose_log_is_lost_is_rolled_back)
{
    set_up();
    offer(1);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    wipe(&bench.layout.boot_log);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 1); /* v2 has no marker */
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_ROLLED_BACK);
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_INTERNAL);
    offer(2);
    v2->app = BENCH_GOOD;
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(a_confirmation_whose_log_is_lost_stands_in_the_slot)
{
    set_up();
    v2->app = BENCH_GOOD;
    offer(1);
    bench.kill_point = "agent.confirmed.booted";
    bench.kill_nth = 1;
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    while (bench.kill_nth > 0 && !bench.killed) {
        bench.confirmed_sent = true; /* the test confirms, not the bench */
        if (bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID) == SERIN_ERR_STATE) {
            bench_step(&bench, UINT64_MAX);
        }
    }
    bench.killed = false;
    serin_flash_emulator_power_on(bench.emulator);
    wipe(&bench.layout.boot_log);
    bench_boot(&bench, SERIN_RESET_POWER);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_CONFIRMED);
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_NONE);
    tear_down();
}
END_TEST

START_TEST(a_window_goes_on_where_its_time_cannot_be_logged)
{
    set_up();
    offer(1);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    uint64_t end_ms = bench.agent.now_ms + bench.agent.wait_ms[SERIN_WAIT_WINDOW];
    breaks(&bench.layout.boot_log);
    while (bench.now_ms + 1000 < end_ms) {
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    ck_assert(bench.agent.trial);
    /* At its end it is not fed, whether the log takes that or not. */
    bench.now_ms = end_ms;
    bench_event(&bench, SERIN_AGENT_TICK, SERIN_REASON_INVALID);
    ck_assert(!serin_agent_may_feed(&bench.agent, bench.now_ms));
    ck_assert(!bench.reset_asked);
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID),
                     SERIN_ERR_STATE);
    mends();
    bench_boot(&bench, SERIN_RESET_WATCHDOG);
    for (unsigned i = 0; i < 4000 && bench_state(&bench) == SERIN_STATE_TRIAL; i++) {
        bench_step(&bench, UINT64_MAX);
    }
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_ROLLED_BACK);
    ck_assert_uint_eq(bench_running(&bench), 1);
    tear_down();
}
END_TEST

START_TEST(nothing_is_armed_without_a_boot_log_that_tells_what_runs)
{
    set_up();
    offer(1);
    ck_assert(bench_run_to(&bench, SERIN_STATE_VERIFYING, 1000));
    wipe(&bench.layout.boot_log);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    for (unsigned i = 0; i < 100; i++) {
        bench_step(&bench, UINT64_MAX);
    }
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    ck_assert_uint_eq(bench.boots, 1);
    bench_power_cycle(&bench); /* which writes a new log */
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    tear_down();
}
END_TEST

static void hold(bool held)
{
    struct serin_hold hold = {.held = held, .lease_left_s = 3600, .reason = SERIN_REASON_NONE};
    uint8_t payload[SERIN_HOLD_MAX];
    size_t size;
    ck_assert_int_eq(serin_protobufc()->encode_hold(&hold, payload, sizeof(payload), &size),
                     SERIN_OK);
    ck_assert_int_eq(deliver(SERIN_TOPIC_HOLD, payload, size), SERIN_OK);
}

static void stage_and_hold(void)
{
    hold(true);
    offer(1);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    bench_run_for(&bench, 10000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
}

START_TEST(what_was_staged_and_is_gone_is_not_tried)
{
    set_up();
    stage_and_hold();
    ck_assert_int_eq(serin_slot_invalidate(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    hold(false);
    ck_assert(bench_run_to(&bench, SERIN_STATE_FAILED, 100));
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_DIGEST);
    ck_assert_uint_eq(bench.boots, 1);
    tear_down();
}
END_TEST

START_TEST(what_is_armed_already_is_not_armed_again)
{
    set_up();
    stage_and_hold();
    struct serin_boot_state before;
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    ck_assert_int_eq(serin_boot_read(&bench.boot, &before), SERIN_OK);
    hold(false);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 100));
    ck_assert_uint_eq(bench.boots, 2);
    ck_assert_int_eq(before.phase, SERIN_BOOT_STAGED);
    tear_down();
}
END_TEST

/* ---- a trial that the account does not know ---- */

START_TEST(a_trial_that_nobody_ordered_may_confirm_and_is_nobodys)
{
    set_up();
    /* A service tool has put v2 into slot B and armed it. */
    const struct serin_flash *flash = bench.boot.flash;
    struct serin_slot_map map;
    serin_slot_map(flash, &bench.layout, &map);
    wipe(&bench.layout.slot[1]);
    ck_assert_int_eq(
        serin_flash_program(flash, serin_slot_address(&bench.boot, SERIN_SLOT_B, map.image_offset),
                            v2->image, v2->manifest.image_size_bytes),
        SERIN_OK);
    ck_assert_int_eq(serin_slot_manifest_program(&bench.boot, SERIN_SLOT_B, v2->manifest_bytes,
                                                 sizeof(v2->manifest_bytes)),
                     SERIN_OK);
    ck_assert_int_eq(serin_boot_stage(&bench.boot, SERIN_SLOT_B), SERIN_OK);
    bench.config.confirm_needs_directive = _i != 0;
    bench_boot(&bench, SERIN_RESET_REQUESTED);
    ck_assert(bench.agent.trial);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_IDLE);
    if (_i != 0) {
        ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID),
                         SERIN_ERR_STATE);
        struct serin_directive directive = bench_directive(&bench, v2, NULL);
        bench_publish(&bench, &directive);
        while (bench.queue_count > 0) {
            bench_step(&bench, UINT64_MAX);
        }
    }
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID), SERIN_OK);
    bench.confirmed_sent = true;
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_IDLE);
    ck_assert(bench.agent.confirmed);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID), SERIN_OK);
    tear_down();
}
END_TEST

/* What the bootloader says of a trial and what its log says are two things. */
START_TEST(a_trial_that_the_log_does_not_know_has_no_window)
{
    set_up();
    struct serin_agent_boot_info info = {.slot = SERIN_SLOT_A, .trial = true};
    ck_assert_int_eq(serin_agent_init(&bench.agent, &bench.config, &info, 0), SERIN_OK);
    ck_assert(bench.agent.trial);
    ck_assert(!serin_agent_may_feed(&bench.agent, 0));
    bench.now_ms = 0;
    ck_assert(!bench.reset_asked);
    bench_event(&bench, SERIN_AGENT_TICK, SERIN_REASON_INVALID);
    ck_assert(bench.reset_asked);
    ck_assert(!serin_agent_may_feed(&bench.agent, 0) || bench.agent.stopped);
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID),
                     SERIN_ERR_STATE);
    tear_down();
}
END_TEST

START_TEST(bad_health_outside_of_a_trial_is_counted)
{
    static const enum serin_reason reasons[] = {SERIN_REASON_CRASH, SERIN_REASON_WATCHDOG,
                                                SERIN_REASON_INVALID,
                                                (enum serin_reason)(SERIN_REASON_COUNT + 7)};
    set_up();
    bench_run_for(&bench, 10000);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_UNHEALTHY, reasons[i]), SERIN_OK);
    }
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_IDLE);
    unsigned beats = bench.beats;
    bench_run_for(&bench, 10000);
    ck_assert_uint_gt(bench.beats, beats);
    ck_assert_uint_eq(bench.agent.crashes, 1);
    ck_assert_uint_eq(bench.agent.watchdogs, 1);
    ck_assert(!bench.reset_asked);
    tear_down();
}
END_TEST

/* ---- without a trust record ---- */

START_TEST(an_agent_without_a_trust_record_obeys_nobody)
{
    set_up();
    bench_run_for(&bench, 5000);
    wipe(&bench.layout.trust); /* after the bootloader has read it */
    struct serin_agent_boot_info info = {.slot = SERIN_SLOT_A};
    ck_assert_int_eq(serin_agent_init(&bench.agent, &bench.config, &info, bench.now_ms), SERIN_OK);
    ck_assert(!bench.agent.have_trust);
    bench_online(&bench, true);
    offer(1);
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_IDLE);
    ck_assert_int_eq(bench.agent.refused, SERIN_REASON_KEY);
    ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_NONE);
    ck_assert_uint_eq(bench.gets, 0);
    /* Root's word is enough to be a device again. */
    bench_publish_trust(&bench, 2, false);
    bench_run_for(&bench, 5000);
    ck_assert(bench.agent.have_trust);
    offer(1);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    tear_down();
}
END_TEST

START_TEST(a_second_copy_of_the_trust_record_is_made_when_the_flash_takes_it)
{
    set_up();
    bench_publish_trust(&bench, 2, false);
    struct serin_region second = {.address = bench.layout.trust.address,
                                  .size = bench.layout.trust.size / 2};
    breaks(&second); /* the bank that would be written last */
    bench_run_for(&bench, 5000);
    bool single = bench.agent.trust_single;
    if (!single) { /* it was the other */
        second.address += second.size;
        breaks(&second);
        bench_publish_trust(&bench, 3, false);
        bench_run_for(&bench, 5000);
        single = bench.agent.trust_single;
    }
    ck_assert(single);
    bench_run_for(&bench, 3600 * 1000);
    ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_NONE);
    mends();
    /* The retained record comes again with the next connection. */
    bench_online(&bench, true);
    bench_run_for(&bench, 5000);
    ck_assert(!bench.agent.trust_single);
    ck_assert(bench.agent.have_trust);
    tear_down();
}
END_TEST

/* ---- directives ---- */

START_TEST(what_cannot_be_stored_stops_and_starts_nothing)
{
    set_up();
    bench_run_for(&bench, 5000);
    breaks(&bench.layout.agent_log);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    size_t size = bench_seal(&directive, TEST_DIRECTOR, payload);
    ck_assert_int_eq(deliver(SERIN_TOPIC_DIRECTIVE, payload, size), SERIN_ERR_FLASH);
    ck_assert(!bench.agent.standing[SERIN_AGENT_CHANNEL].heard);
    /* One that only lets wait, or stops, is obeyed as far as that goes. */
    directive = bench_directive(&bench, v1, v2);
    directive.candidate_state = _i == 0 ? SERIN_CANDIDATE_PAUSED : SERIN_CANDIDATE_HALTED;
    size = bench_seal(&directive, TEST_DIRECTOR, payload);
    ck_assert_int_eq(deliver(SERIN_TOPIC_DIRECTIVE, payload, size), SERIN_ERR_FLASH);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_IDLE);
    mends();
    offer(1);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    tear_down();
}
END_TEST

START_TEST(a_spread_is_over_when_its_time_is)
{
    set_up();
    bench_run_for(&bench, 5000);
    struct serin_directive directive = bench_directive(&bench, v2, NULL);
    directive.spread_s = 3600;
    directive.issued_s = bench.clock_s;
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_PENDING, 100));
    uint64_t wait_ms = bench.agent.standing[SERIN_AGENT_CHANNEL].wait_ms;
    ck_assert_uint_gt(wait_ms, 0);
    ck_assert_uint_le(wait_ms, 3600 * 1000);
    /* Issued anew an hour later, as a renewal is, it does not begin again. */
    bench.clock_s += 3600;
    directive = bench_directive(&bench, v2, NULL);
    directive.spread_s = 3600;
    directive.issued_s = bench.clock_s;
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    ck_assert_uint_lt(bench.now_ms, wait_ms + 3600u * 1000u);
    tear_down();
}
END_TEST

START_TEST(a_directive_of_its_own_that_offers_a_candidate_alone_holds)
{
    set_up();
    bench_run_for(&bench, 5000);
    struct serin_directive directive = bench_directive(&bench, NULL, v2);
    memcpy(directive.device_id, bench.identity.device_id, sizeof(directive.device_id));
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    ck_assert(bench.agent.record.targeted);
    tear_down();
}
END_TEST

START_TEST(a_resend_before_there_is_a_report_is_nothing)
{
    set_up();
    bench_run_for(&bench, 5000);
    struct serin_ack ack = {
        .incarnation = bench.agent.record.incarnation, .number = 0, .status = SERIN_ACK_RESEND};
    uint8_t payload[SERIN_ACK_MAX];
    size_t size;
    ck_assert_int_eq(serin_protobufc()->encode_ack(&ack, payload, sizeof(payload), &size),
                     SERIN_OK);
    ck_assert_int_eq(deliver(SERIN_TOPIC_DEV_ACK, payload, size), SERIN_OK);
    bench_run_for(&bench, 60000);
    ck_assert_uint_eq(bench.reports, 0);
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent odd");
    TCase *tests = tcase_create("odd");
    tcase_add_test(tests, a_trial_whose_log_is_lost_is_rolled_back);
    tcase_add_test(tests, a_confirmation_whose_log_is_lost_stands_in_the_slot);
    tcase_add_test(tests, a_window_goes_on_where_its_time_cannot_be_logged);
    tcase_add_test(tests, nothing_is_armed_without_a_boot_log_that_tells_what_runs);
    tcase_add_test(tests, what_was_staged_and_is_gone_is_not_tried);
    tcase_add_test(tests, what_is_armed_already_is_not_armed_again);
    tcase_add_loop_test(tests, a_trial_that_nobody_ordered_may_confirm_and_is_nobodys, 0, 2);
    tcase_add_test(tests, a_trial_that_the_log_does_not_know_has_no_window);
    tcase_add_test(tests, bad_health_outside_of_a_trial_is_counted);
    tcase_add_test(tests, an_agent_without_a_trust_record_obeys_nobody);
    tcase_add_test(tests, a_second_copy_of_the_trust_record_is_made_when_the_flash_takes_it);
    tcase_add_loop_test(tests, what_cannot_be_stored_stops_and_starts_nothing, 0, 2);
    tcase_add_test(tests, a_spread_is_over_when_its_time_is);
    tcase_add_test(tests, a_directive_of_its_own_that_offers_a_candidate_alone_holds);
    tcase_add_test(tests, a_resend_before_there_is_a_report_is_nothing);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
