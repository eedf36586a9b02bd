/*
 * The agent of the smallest class of boards (docs/porting.md, section 4): it says no line, makes no
 * copy, looks at no manifest ahead of an attempt, and is compiled for the one part that it has.
 * What it does beside that is what every agent does.
 */
#include "agent_internal.h"
#include "check_main.h"
#include "device_bench.h"

static struct bench bench;
static struct bench_release *v1, *v2;

static void set_up(void)
{
    bench_begin(&bench, &v1, &v2);
    bench_boot(&bench, SERIN_RESET_POWER);
}

static void tear_down(void)
{
    ck_assert_uint_eq(bench.log_count, 0);
    bench_end(&bench, v1, v2, NULL);
}

static void offer(const struct bench_release *stable, const struct bench_release *candidate,
                  uint32_t flags)
{
    struct serin_directive directive = bench_directive(&bench, stable, candidate);
    directive.stable.flags = flags;
    bench_publish(&bench, &directive);
}

START_TEST(commits_a_release_and_keeps_no_copy)
{
    set_up();
    offer(v1, v2, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 500));
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_int_eq(bench.agent.redundancy, SERIN_REDUNDANCY_OLDER);
    offer(v2, NULL, SERIN_RELEASE_COMMIT);
    bench_run_for(&bench, 60000);
    ck_assert_uint_eq(bench.agent.running.floor, 2);
    ck_assert_int_eq(bench.beat.redundancy, SERIN_REDUNDANCY_NONE);
    ck_assert_int_eq(bench.agent.job, SERIN_AGENT_JOB_NONE);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench_running(&bench), 2);
    tear_down();
}
END_TEST

START_TEST(a_trial_that_is_silent_is_rolled_back)
{
    set_up();
    v2->app = BENCH_SILENT;
    offer(v1, v2, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 2000));
    ck_assert_uint_eq(bench_running(&bench), 1);
    tear_down();
}
END_TEST

/* No journaled piece is lost to a cut, here as elsewhere. */
START_TEST(a_download_goes_on_after_a_cut)
{
    set_up();
    offer(v1, v2, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_DOWNLOADING, 500));
    while (!bench_journaled(&bench, 1)) {
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    bench_power_cycle(&bench);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 500));
    ck_assert_uint_eq(bench.fetched_again, 0);
    ck_assert_uint_eq(bench.journal_lies, 0);
    tear_down();
}
END_TEST

START_TEST(an_older_stable_release_is_an_attempt_that_is_rejected)
{
    set_up();
    offer(v1, v2, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 500));
    offer(v1, NULL, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_REJECTED, 500));
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_NOT_NEWER);
    ck_assert_uint_eq(bench_running(&bench), 2);
    tear_down();
}
END_TEST

/* Whose sectors or units are others would be written where it must not be, or not at all. */
START_TEST(another_part_than_it_is_compiled_for_is_refused)
{
    static const struct serin_flash_run run = {.size = 1024, .count = 64};
    set_up();
    struct serin_flash others[] = {*bench.boot.flash, *bench.boot.flash, *bench.boot.flash};
    others[0].write_unit *= 2;
    others[1].sector_size *= 2;
    others[2].runs = &run;
    others[2].run_count = 1;
    ck_assert_int_eq(serin_layout_check(bench.boot.flash, &bench.layout, NULL), SERIN_OK);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert_int_eq(serin_layout_check(&others[i], &bench.layout, NULL), SERIN_ERR_LAYOUT);
    }
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    const TTest *const list[] = {commits_a_release_and_keeps_no_copy,
                                 a_trial_that_is_silent_is_rolled_back,
                                 a_download_goes_on_after_a_cut,
                                 an_older_stable_release_is_an_attempt_that_is_rejected,
                                 another_part_than_it_is_compiled_for_is_refused,
                                 NULL};
    int status = check_run("agent_small", list);
    test_keys_close();
    return status;
}
