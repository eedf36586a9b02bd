/*
 * Images that take more than one step to read: the looks, proofs and copies of the agent, and what
 * happens when the power goes, a directive comes or a bit rots between two slices of them.
 */
#include "agent_internal.h"
#include "check_main.h"
#include "device_bench.h"
#include "slot.h"

#include <string.h>

#define IMAGE_SIZE 170001u /* three slices of 64 KiB; the last piece short */

static const struct bench_geometry large = {
    .size = 512 * 1024, .sector = 4096, .unit = 4, .erased = 0xFF, .seed = 1};

static struct bench bench;
static struct bench_release *v1, *v2;

static void set_up(void)
{
    bench_open(&bench, &large);
    v1 = bench_release(1, IMAGE_SIZE, BENCH_GOOD);
    v2 = bench_release(2, IMAGE_SIZE - 4096, BENCH_GOOD);
    bench_serve(&bench, v1);
    bench_serve(&bench, v2);
    bench_provision(&bench, v1);
    bench_boot(&bench, SERIN_RESET_POWER);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, NULL);
}

static void publish(struct bench_release *stable, struct bench_release *candidate, bool commit)
{
    struct serin_directive directive = bench_directive(&bench, stable, candidate);
    directive.stable.flags = commit ? SERIN_RELEASE_COMMIT : 0;
    bench_publish(&bench, &directive);
}

/* v2 runs, confirmed, and may be committed from now on. */
static void take_v2(void)
{
    publish(v1, v2, false);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 4000));
    bench_run_for(&bench, 60000);
    publish(v2, NULL, true);
}

static bool step_to_job(enum serin_agent_job job)
{
    for (unsigned i = 0; i < 4000 && bench.agent.job != job; i++) {
        bench_step(&bench, UINT64_MAX);
    }
    return bench.agent.job == job;
}

static uint32_t image_address(enum serin_slot slot, uint32_t offset)
{
    struct serin_slot_map map;
    serin_slot_map(bench.boot.flash, &bench.layout, &map);
    return serin_slot_address(&bench.boot, slot, map.image_offset + offset);
}

START_TEST(it_is_taken_committed_and_mirrored_slice_by_slice)
{
    set_up();
    take_v2();
    ck_assert(step_to_job(SERIN_AGENT_JOB_PROVE));
    unsigned slices = 0;
    while (bench.agent.job == SERIN_AGENT_JOB_PROVE) {
        bench_step(&bench, UINT64_MAX);
        slices++;
    }
    ck_assert_uint_ge(slices, IMAGE_SIZE / (64 * 1024));
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_MIRRORED);
    ck_assert_uint_eq(bench.agent.running.floor, v2->manifest.security_counter);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_A, 0, NULL, NULL), SERIN_OK);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_B, 0, NULL, NULL), SERIN_OK);
    tear_down();
}
END_TEST

START_TEST(power_that_goes_in_a_look_a_proof_or_a_copy_only_begins_it_again)
{
    static const enum serin_agent_job jobs[] = {SERIN_AGENT_JOB_PROVE, SERIN_AGENT_JOB_COPY,
                                                SERIN_AGENT_JOB_CHECK, SERIN_AGENT_JOB_LOOK};
    set_up();
    take_v2();
    for (size_t i = 0; i < 4; i++) {
        ck_assert_msg(step_to_job(jobs[i]), "job %zu does not come", i);
        bench_step(&bench, UINT64_MAX);
        bench_power_cycle(&bench);
        ck_assert_uint_eq(bench_running(&bench), 2);
    }
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_MIRRORED);
    tear_down();
}
END_TEST

START_TEST(a_permission_that_is_withdrawn_during_the_proof_commits_nothing)
{
    set_up();
    take_v2();
    ck_assert(step_to_job(SERIN_AGENT_JOB_PROVE));
    uint32_t floor = bench.agent.running.floor;
    publish(v2, NULL, false);
    bench_run_for(&bench, 60000);
    ck_assert_uint_eq(bench.agent.running.floor, floor);
    ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_OLDER);
    tear_down();
}
END_TEST

START_TEST(rot_behind_the_slice_at_work_is_seen)
{
    set_up();
    take_v2();
    ck_assert(step_to_job(SERIN_AGENT_JOB_PROVE));
    serin_flash_emulator_rot(bench.emulator, image_address(bench.agent.info.slot, 150000), 8);
    bench_run_for(&bench, 60000);
    ck_assert(bench_logged(&bench, "what runs does not verify any more"));
    ck_assert_uint_lt(bench.agent.running.floor, v2->manifest.security_counter);
    /* What stands in the other slot was left alone, and boots. */
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 1);
    tear_down();
}
END_TEST

START_TEST(rot_of_what_was_just_copied_is_copied_again)
{
    set_up();
    take_v2();
    ck_assert(step_to_job(SERIN_AGENT_JOB_CHECK));
    serin_flash_emulator_rot(bench.emulator, image_address(serin_agent_spare(&bench.agent), 100000),
                             8);
    bench_run_for(&bench, 120000);
    ck_assert(bench_logged(&bench, "the other slot does not hold a copy"));
    ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_MIRRORED);
    ck_assert_int_eq(serin_boot_verify_slot(&bench.boot, SERIN_SLOT_A, 0, NULL, NULL), SERIN_OK);
    tear_down();
}
END_TEST

START_TEST(a_download_goes_on_where_power_left_it_although_reading_it_takes_steps)
{
    set_up();
    publish(v1, v2, false);
    while (bench.image_blocks < 150) {
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    ck_assert_uint_gt(bench.image_bytes, 140000);
    bench_power_cycle(&bench);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 4000));
    ck_assert_uint_eq(bench.fetched_again, 0);
    ck_assert_uint_lt(bench.image_bytes, IMAGE_SIZE + 8192u);
    ck_assert_uint_eq(bench.journal_lies, 0);
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent large");
    TCase *tests = tcase_create("large");
    tcase_add_test(tests, it_is_taken_committed_and_mirrored_slice_by_slice);
    tcase_add_test(tests, power_that_goes_in_a_look_a_proof_or_a_copy_only_begins_it_again);
    tcase_add_test(tests, a_permission_that_is_withdrawn_during_the_proof_commits_nothing);
    tcase_add_test(tests, rot_behind_the_slice_at_work_is_seen);
    tcase_add_test(tests, rot_of_what_was_just_copied_is_copied_again);
    tcase_add_test(tests, a_download_goes_on_where_power_left_it_although_reading_it_takes_steps);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
