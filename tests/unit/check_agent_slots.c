/*
 * What the agent does to slots and journal, in which order, and how the accounts fare when power or
 * flash fail in between.
 */
#include "agent_internal.h"
#include "check_main.h"
#include "device_bench.h"
#include "journal.h"

#include <serin/piece.h>

#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2, *v3;

static void set_up_slots(bool one_slot)
{
    bench_open(&bench, &bench_small);
    bench.one_slot = one_slot;
    v1 = bench_release(1, 9000, BENCH_GOOD);
    v2 = bench_release(2, 9500, BENCH_GOOD);
    v3 = bench_release(3, 9900, BENCH_GOOD);
    bench_serve(&bench, v1);
    bench_serve(&bench, v2);
    bench_serve(&bench, v3);
    bench_provision(&bench, v1);
    bench_boot(&bench, SERIN_RESET_POWER);
}

static void set_up(void)
{
    set_up_slots(false);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, v3);
}

static void offer(struct bench_release *stable, struct bench_release *candidate, uint32_t attempt,
                  uint32_t stable_flags)
{
    struct serin_directive directive = bench_directive(&bench, stable, candidate);
    directive.stable.flags = stable_flags;
    if (candidate != NULL) {
        directive.candidate.attempt = attempt;
    }
    bench_publish(&bench, &directive);
}

START_TEST(a_slot_is_invalidated_before_anything_else_of_it)
{
    set_up();
    offer(v1, v2, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 10000);
    /* v1's slot is A now, with manifest and marker. v3 goes there. */
    uint64_t first = serin_flash_emulator_operations(bench.emulator);
    offer(v2, v3, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_PENDING, 1000));
    ck_assert_uint_eq(bench.agent.record.attempt_count, 1); /* v2's account is acknowledged */
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    uint32_t slot = bench.layout.slot[0].address;
    uint64_t touched = 0;
    uint64_t last = 0;
    for (uint64_t n = first; n < serin_flash_emulator_operations(bench.emulator); n++) {
        struct serin_flash_operation operation;
        ck_assert(serin_flash_emulator_operation(bench.emulator, n, &operation));
        if (operation.address < slot || operation.address >= slot + bench.layout.slot[0].size) {
            continue;
        }
        bool manifest = operation.address < slot + map.manifest_size;
        if (touched++ == 0) {
            ck_assert_int_eq(operation.kind, SERIN_FLASH_ERASE);
            ck_assert_uint_eq(operation.address, slot);
            ck_assert_uint_eq(operation.size, map.manifest_size);
        } else if (manifest) {
            /* Erased once more before it is programmed: an erase that is over may have been cut,
             * and then reads as if it had not. */
            last = operation.kind == SERIN_FLASH_PROGRAM ? n : last;
            ck_assert(last == n || (operation.size == map.manifest_size && last == 0));
        } else {
            ck_assert_msg(last == 0, "the image was touched after its manifest was programmed");
        }
    }
    ck_assert_uint_gt(last, 0);
    tear_down();
}
END_TEST

static uint32_t journaled(const struct bench_release *release, uint32_t attempt)
{
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    struct serin_journal journal = {
        .flash = bench.boot.flash,
        .address = serin_slot_address(&bench.boot, SERIN_SLOT_B, map.journal_offset),
        .stride = map.journal_stride,
        .size = map.journal_size,
        .manifest_id = release->id,
        .attempt = attempt};
    uint32_t count = 0;
    while (count < 3 && serin_journal_has(&journal, SERIN_JOURNAL_FIRST_PIECE + count, NULL)) {
        count++;
    }
    ck_assert(count == 0 || serin_journal_has(&journal, SERIN_JOURNAL_PREPARED, NULL));
    ck_assert(count == 0 || serin_journal_has(&journal, SERIN_JOURNAL_TABLE, NULL));
    return count;
}

START_TEST(the_journal_is_complete_and_of_this_attempt_alone)
{
    set_up();
    v2->app = v3->app = BENCH_CRASH;
    offer(v1, v2, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    ck_assert_uint_eq(journaled(v2, 1), 3);
    ck_assert_uint_eq(journaled(v2, 2), 0);
    ck_assert_uint_eq(journaled(v3, 1), 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 1000));
    /* The same slot again, for another image, and for the same one under another number. */
    offer(v1, v3, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    ck_assert_uint_eq(journaled(v3, 1), 3);
    ck_assert_uint_eq(journaled(v2, 1), 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 1000));
    /* The retry finds every piece where the last attempt left it: nothing of the image is fetched.
     */
    uint64_t served = bench.image_bytes;
    offer(v1, v3, 2, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    ck_assert_uint_eq(bench.image_bytes, served);
    ck_assert_uint_eq(journaled(v3, 2), 3);
    ck_assert_uint_eq(journaled(v3, 1), 0);
    tear_down();
}
END_TEST

START_TEST(accounts_of_a_download_outlive_power)
{
    set_up();
    bench.faults.corrupt_block = 6;
    offer(v1, v2, 1, 0);
    /* Power goes after each journaled piece. */
    for (unsigned piece = 1; piece <= 3; piece++) {
        bench.kill_point = "agent.piece.journaled";
        bench.kill_nth = 1;
        unsigned boots = bench.boots;
        while (bench.boots == boots) {
            ck_assert(bench_step(&bench, UINT64_MAX));
        }
        ck_assert_uint_ge(bench.journaled_at_boot, piece);
    }
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 10000);
    ck_assert_uint_eq(bench.fetched_again, 0);
    const struct serin_attempt_report *attempt = &bench.report.attempts[0];
    ck_assert_uint_eq(attempt->pieces_refetched, 1);
    /* What the journal cannot know is what was under way when the power went: less than a window
     * each time. */
    uint64_t served = bench.image_bytes + v2->table_size + SERIN_MANIFEST_SIZE_P256;
    ck_assert_uint_le(attempt->bytes_fetched, served);
    ck_assert_uint_ge(attempt->bytes_fetched + 3 * 4096, served);
    ck_assert_uint_ge(attempt->bytes_fetched, 9500 + 4096 + v2->table_size);
    tear_down();
}
END_TEST

START_TEST(a_mirror_leaves_no_journal_to_a_download_that_was_broken_off)
{
    set_up();
    offer(v1, v2, 1, 0);
    while (bench_state(&bench) != SERIN_STATE_DOWNLOADING || journaled(v2, 1) < 2) {
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    offer(v1, NULL, 0, SERIN_RELEASE_COMMIT); /* withdrawn; v1 may be committed and mirrored */
    bench_run_for(&bench, 10000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_SUPERSEDED);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_MIRRORED);
    offer(v1, v2, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(a_higher_attempt_starts_again)
{
    set_up();
    bench.ack = false;
    offer(v1, v2, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_DOWNLOADING, 100));
    offer(v1, v2, 2, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 10000);
    ck_assert_uint_eq(bench.report.attempt_count, 2);
    ck_assert_uint_eq(bench.report.attempts[0].attempt, 1);
    ck_assert_uint_eq(bench.report.attempts[1].attempt, 2);
    tear_down();
}
END_TEST

static void rot_image(enum serin_slot slot)
{
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    serin_flash_emulator_rot(bench.emulator,
                             serin_slot_address(&bench.boot, slot, map.image_offset + 77), 1);
}

START_TEST(a_confirmed_image_that_rots_is_not_taken_again_by_itself)
{
    set_up();
    offer(v1, v2, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    rot_image(SERIN_SLOT_B);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 1);
    unsigned gets = bench.gets;
    bench_run_for(&bench, 60000);
    ck_assert_uint_eq(bench.gets, gets);
    ck_assert_uint_eq(bench.beat.running.version.minor,
                      1); /* serind sees that another image runs */
    offer(v1, v2, 2, 0);
    bench_run_for(&bench, 20000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_CONFIRMED);
    ck_assert_uint_eq(bench_running(&bench), 2);
    tear_down();
}
END_TEST

START_TEST(rot_of_the_other_slot_is_seen_and_mended)
{
    set_up();
    offer(v1, v2, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    rot_image(SERIN_SLOT_A);
    bench_power_cycle(&bench);
    bench_run_for(&bench, 10000);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_NONE);
    offer(v2, NULL, 0, SERIN_RELEASE_COMMIT);
    bench_run_for(&bench, 10000);
    ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_MIRRORED);
    rot_image(SERIN_SLOT_B); /* now the running one */
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_int_eq(bench.choice.slot, SERIN_SLOT_A);
    tear_down();
}
END_TEST

/* v2 is confirmed in B and v1 whole in A; then B rots while it runs. */
START_TEST(a_running_image_that_rots_is_not_committed)
{
    set_up();
    offer(v1, v2, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 10000);
    if (_i == 0) {
        rot_image(SERIN_SLOT_B);
    } else {
        serin_flash_emulator_rot(bench.emulator, bench.layout.slot[1].address + 20, 1);
    }
    offer(v2, NULL, 0, SERIN_RELEASE_COMMIT);
    bench_run_for(&bench, 600000);
    ck_assert_uint_eq(bench.agent.running.floor, 1);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_OLDER);
    ck_assert(bench_logged(&bench, "what runs does not verify any more"));
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 1);
    tear_down();
}
END_TEST

/* The other slot has rotted and is to be mended from one that has rotted, too. */
START_TEST(a_rotten_image_is_not_copied)
{
    set_up();
    offer(v1, v2, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    rot_image(SERIN_SLOT_A);
    bench_power_cycle(&bench);
    bench_run_for(&bench, 10000);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_NONE);
    rot_image(SERIN_SLOT_B);
    uint32_t wear = serin_flash_emulator_wear(bench.emulator, bench.layout.slot[0].address);
    offer(v2, NULL, 0, SERIN_RELEASE_COMMIT);
    bench_run_for(&bench, 600000);
    ck_assert_uint_eq(serin_flash_emulator_wear(bench.emulator, bench.layout.slot[0].address),
                      wear);
    ck_assert_uint_eq(bench.agent.running.floor, 1);
    tear_down();
}
END_TEST

START_TEST(a_mirror_goes_on_where_power_left_it)
{
    set_up_slots(true);
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    uint32_t image = bench.layout.slot[1].address + map.image_offset;
    bench.kill_point = "agent.mirror.sealed"; /* the manifest is there, the marker is not */
    bench.kill_nth = 1;
    offer(v1, NULL, 0, SERIN_RELEASE_COMMIT);
    bench_run_for(&bench, 30000);
    ck_assert_uint_eq(bench.cuts, 1);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_MIRRORED);
    ck_assert_uint_eq(serin_flash_emulator_wear(bench.emulator, image), 1); /* copied once */
    tear_down();
}
END_TEST

START_TEST(a_slot_that_holds_no_copy_is_left_alone)
{
    set_up_slots(true);
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    serin_flash_emulator_break(bench.emulator, bench.layout.slot[1].address + map.image_offset, 4,
                               _i == 0 ? SERIN_BREAKAGE_STUCK : SERIN_BREAKAGE_FAILS);
    offer(v1, NULL, 0, SERIN_RELEASE_COMMIT);
    bench_run_for(&bench, 600000);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_NONE);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_B, 0, NULL, NULL),
                     SERIN_ERR_NOT_FOUND);
    ck_assert_uint_le(
        serin_flash_emulator_wear(bench.emulator, bench.layout.slot[1].address + map.image_offset),
        3);
    /* The next boot tries again. */
    serin_flash_emulator_break(bench.emulator, 0, 0, SERIN_BREAKAGE_FAILS);
    bench_power_cycle(&bench);
    bench_run_for(&bench, 10000);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_MIRRORED);
    tear_down();
}
END_TEST

/* v2 is verified; its trial waits for a lease. */
static void bring_to_staged(void)
{
    set_up();
    bench.clock_s += 100 * 3600;
    offer(v1, v2, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
}

START_TEST(the_last_resort_is_neither_committed_nor_mirrored)
{
    bring_to_staged();
    rot_image(SERIN_SLOT_A); /* the running one: v2, which waits for its trial, has to do */
    bench.clock_s -= 100 * 3600;
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert(!bench.choice.trial);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_FAILED);
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_BOOT_VERIFY);
    unsigned boots = bench.boots;
    offer(v2, NULL, 0, SERIN_RELEASE_COMMIT);
    bench_run_for(&bench, 600000);
    ck_assert_uint_eq(bench.boots, boots);
    ck_assert_uint_eq(bench.agent.running.floor, 1); /* the factory's */
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_NONE);
    /* The next release puts an end to it. */
    offer(v2, v3, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_uint_eq(bench_running(&bench), 3);
    tear_down();
}
END_TEST

START_TEST(a_staged_image_that_rots_does_not_reset_the_device)
{
    bring_to_staged();
    if (_i == 0) {
        serin_flash_emulator_rot(bench.emulator, bench.layout.slot[1].address + 20, 1);
    } else {
        /* A manifest that verifies, but not the one that the account names. */
        ck_assert_int_eq(serin_slot_invalidate(&bench.boot, SERIN_SLOT_B), SERIN_OK);
        ck_assert_int_eq(serin_slot_manifest_program(&bench.boot, SERIN_SLOT_B, v3->manifest_bytes,
                                                     sizeof(v3->manifest_bytes)),
                         SERIN_OK);
    }
    bench.clock_s -= 100 * 3600;
    bench_run_for(&bench, 120000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_FAILED);
    ck_assert_uint_eq(bench.boots, 1);
    tear_down();
}
END_TEST

START_TEST(a_floor_that_the_boot_log_forgot_is_committed_again)
{
    set_up();
    offer(v1, v2, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    offer(v2, NULL, 0, SERIN_RELEASE_COMMIT);
    bench_run_for(&bench, 10000);
    ck_assert_uint_eq(bench.agent.running.floor, 2);
    const struct serin_flash *flash = bench.boot.flash;
    ck_assert_int_eq(
        flash->ops->erase(flash->ctx, bench.layout.boot_log.address, bench.layout.boot_log.size),
        SERIN_OK);
    bench.online = false;
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_uint_eq(bench.agent.running.floor, 2);
    struct serin_boot_state state;
    ck_assert_int_eq(serin_boot_read(&bench.boot, &state), SERIN_OK);
    ck_assert_uint_eq(state.floor, 2);
    tear_down();
}
END_TEST

START_TEST(an_account_that_cannot_be_written_at_boot_is_written_later)
{
    set_up();
    v2->app = BENCH_CRASH;
    offer(v1, v2, 1, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    serin_flash_emulator_break(bench.emulator, bench.layout.agent_log.address,
                               bench.layout.agent_log.size, SERIN_BREAKAGE_FAILS);
    while (bench.choice.trial) {
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    bench_run_for(&bench, 5000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_TRIAL); /* of the account: v1 runs */
    ck_assert_uint_eq(bench_running(&bench), 1);
    serin_flash_emulator_break(bench.emulator, 0, 0, SERIN_BREAKAGE_FAILS);
    bench_run_for(&bench, 5000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_ROLLED_BACK);
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_CRASH);
    tear_down();
}
END_TEST

static enum serin_error halt_now(void)
{
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    directive.candidate_state = SERIN_CANDIDATE_HALTED;
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    size_t size = bench_seal(&directive, TEST_DIRECTOR, payload);
    struct serin_agent_event event = {.kind = SERIN_AGENT_MESSAGE,
                                      .topic = SERIN_TOPIC_DIRECTIVE,
                                      .payload = payload,
                                      .payload_size = size};
    return serin_agent_step(&bench.agent, bench.now_ms, &event);
}

START_TEST(a_halt_that_cannot_be_stored_stops_the_trial_nevertheless)
{
    bring_to_staged();
    serin_flash_emulator_break(bench.emulator, bench.layout.agent_log.address,
                               bench.layout.agent_log.size, SERIN_BREAKAGE_FAILS);
    ck_assert_int_eq(halt_now(), SERIN_ERR_FLASH);
    bench.clock_s -= 100 * 3600;
    bench_run_for(&bench, 600000);
    ck_assert_uint_eq(bench_running(&bench), 1);
    ck_assert_uint_eq(bench.boots, 1);
    tear_down();
}
END_TEST

START_TEST(power_that_goes_in_a_halt_does_not_end_in_the_trial)
{
    /* Operation 1 disarms the boot log, 2 stores the order, 3 the transition. */
    for (uint64_t at = 1; at <= 3; at++) {
        for (int how = SERIN_CUT_BEFORE; how <= SERIN_CUT_AFTER; how++) {
            bring_to_staged();
            bench.clock_s -= 100 * 3600;
            ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_TICK, SERIN_REASON_INVALID), SERIN_OK);
            ck_assert(bench.reset_asked);
            serin_flash_emulator_cut(bench.emulator, at, (enum serin_cut)how);
            enum serin_error error = halt_now();
            ck_assert(serin_flash_emulator_is_off(bench.emulator));
            ck_assert(at == 3 || error != SERIN_OK);
            serin_flash_emulator_power_on(bench.emulator);
            struct serin_boot_choice choice;
            ck_assert_int_eq(serin_boot_select(&bench.boot, SERIN_RESET_POWER, &choice), SERIN_OK);
            /* Only a halt of which nothing is durable may lose the race. */
            ck_assert_int_eq(choice.trial, at == 1 && how != SERIN_CUT_AFTER);
            tear_down();
        }
    }
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent_slots");
    TCase *tests = tcase_create("agent_slots");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_slot_is_invalidated_before_anything_else_of_it);
    tcase_add_test(tests, the_journal_is_complete_and_of_this_attempt_alone);
    tcase_add_test(tests, accounts_of_a_download_outlive_power);
    tcase_add_test(tests, a_mirror_leaves_no_journal_to_a_download_that_was_broken_off);
    tcase_add_test(tests, a_higher_attempt_starts_again);
    tcase_add_test(tests, a_confirmed_image_that_rots_is_not_taken_again_by_itself);
    tcase_add_test(tests, rot_of_the_other_slot_is_seen_and_mended);
    tcase_add_loop_test(tests, a_running_image_that_rots_is_not_committed, 0, 2);
    tcase_add_test(tests, a_rotten_image_is_not_copied);
    tcase_add_test(tests, a_mirror_goes_on_where_power_left_it);
    tcase_add_loop_test(tests, a_slot_that_holds_no_copy_is_left_alone, 0, 2);
    tcase_add_test(tests, the_last_resort_is_neither_committed_nor_mirrored);
    tcase_add_loop_test(tests, a_staged_image_that_rots_does_not_reset_the_device, 0, 2);
    tcase_add_test(tests, a_floor_that_the_boot_log_forgot_is_committed_again);
    tcase_add_test(tests, an_account_that_cannot_be_written_at_boot_is_written_later);
    tcase_add_test(tests, a_halt_that_cannot_be_stored_stops_the_trial_nevertheless);
    tcase_add_test(tests, power_that_goes_in_a_halt_does_not_end_in_the_trial);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
