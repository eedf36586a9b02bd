/*
 * Whole runs: a good release completes, a bad one halts after a handful, and the same seed gives
 * the same run.
 */
#include "check_main.h"
#include "sim_bench.h"

#include <string.h>

#define MINUTE UINT64_C(60000)

static struct sim_bench bench;

static void behave(enum serin_sim_fault fault, uint32_t share, uint64_t after_ms)
{
    struct serin_sim_scenario *scenario = &bench.config.scenario;
    scenario->behaviours[scenario->behaviour_count++] =
        (struct serin_sim_behaviour){.fault = fault, .share = share, .after_ms = after_ms};
}

START_TEST(a_good_release_completes)
{
    static const uint32_t gateways[] = {0, 5};
    for (size_t i = 0; i < 2; i++) {
        sim_bench_open(&bench, 120, gateways[i], 31 + i);
        sim_bench_run(&bench);
        ck_assert_int_eq(bench.result.state, SERIN_ROLLOUT_COMPLETED);
        ck_assert_uint_eq(bench.result.exposed, 120);
        ck_assert_uint_eq(bench.result.confirmed, 120);
        ck_assert_uint_eq(bench.result.still_on_it, 120);
        ck_assert_uint_eq(bench.result.failed, 0);
        ck_assert_uint_eq(bench.result.halted_ms, 0);
        ck_assert_uint_gt(bench.result.remembered, bench.result.verifications / 2);
        sim_bench_close(&bench);
    }
}
END_TEST

START_TEST(the_same_seed_gives_the_same_run)
{
    struct serin_sim_result first;
    sim_bench_open(&bench, 50, 3, 41);
    bench.config.scenario.direct = 300000;
    bench.config.scenario.drop = 10000;
    behave(SERIN_SIM_FAULT_CRASH, 20000, 0);
    sim_bench_run(&bench);
    first = bench.result;
    sim_bench_run(&bench);
    ck_assert_mem_eq(first.digest, bench.result.digest, sizeof first.digest);
    ck_assert_mem_eq(&first, &bench.result, sizeof first);
    bench.config.seed++;
    sim_bench_run(&bench);
    ck_assert_mem_ne(first.digest, bench.result.digest, sizeof first.digest);
    sim_bench_close(&bench);
}
END_TEST

START_TEST(judges_change_nothing)
{
    uint8_t digest[SERIN_SHA256_SIZE];
    sim_bench_open(&bench, 50, 3, 42);
    sim_bench_run(&bench);
    memcpy(digest, bench.result.digest, sizeof digest);
    bench.config.check = false;
    sim_bench_run(&bench);
    ck_assert_mem_eq(digest, bench.result.digest, sizeof digest);
    sim_bench_close(&bench);
}
END_TEST

static void look_on(void *ctx, const struct serin_sim_moment *moment)
{
    (void)moment;
    ++*(unsigned *)ctx;
}

/* Samples are no events: who looks on, however often, sees the same run. */
START_TEST(looking_on_changes_nothing)
{
    struct serin_sim_result first;
    unsigned moments[2] = {0, 0};
    sim_bench_open(&bench, 50, 3, 43);
    bench.config.scenario.drop = 10000;
    bench.config.moment = look_on;
    bench.config.ctx = &moments[0];
    sim_bench_run(&bench);
    first = bench.result;
    bench.config.sample_ms = 7001;
    bench.config.ctx = &moments[1];
    sim_bench_run(&bench);
    ck_assert_mem_eq(&first, &bench.result, sizeof first);
    ck_assert_uint_gt(moments[0], 3);
    ck_assert_uint_gt(moments[1], moments[0] + first.ended_ms / 7001);
    sim_bench_close(&bench);
}
END_TEST

START_TEST(an_image_that_always_fails_reaches_a_handful)
{
    static const enum serin_sim_fault faults[] = {SERIN_SIM_FAULT_CRASH, SERIN_SIM_FAULT_HANG,
                                                  SERIN_SIM_FAULT_NO_CONFIRM};
    for (size_t i = 0; i < 3; i++) {
        sim_bench_open(&bench, 400, 20, 51 + i);
        behave(faults[i], SERIN_SIM_ALL, 0);
        sim_bench_run(&bench);
        ck_assert_int_eq(bench.result.state, SERIN_ROLLOUT_HALTED);
        ck_assert_uint_le(bench.result.exposed, 8);
        ck_assert_uint_eq(bench.result.still_on_it, 0);
        ck_assert_uint_eq(bench.result.rolled_back, bench.result.failed);
        ck_assert_uint_gt(bench.result.halted_ms, bench.result.first_fail_ms);
        sim_bench_close(&bench);
    }
}
END_TEST

START_TEST(what_goes_wrong_after_confirmation_halts)
{
    sim_bench_open(&bench, 400, 20, 61);
    behave(SERIN_SIM_FAULT_REGRESS, SERIN_SIM_ALL, 10 * MINUTE);
    sim_bench_run(&bench);
    ck_assert_int_eq(bench.result.state, SERIN_ROLLOUT_HALTED);
    ck_assert_uint_gt(bench.result.regressed, 0);
    sim_bench_close(&bench);
}
END_TEST

/* The policy as it is by default: stages of 1, 10, 50 and 100 %, soaks of a day. */
static void by_default(uint32_t devices, uint64_t seed)
{
    struct serin_policy *policy = &bench.config.policy;
    sim_bench_open(&bench, devices, 20, seed);
    serin_policy_default(policy);
    strcpy(policy->product, "lamp");
    strcpy(policy->channel, "stable");
}

START_TEST(what_no_report_tells_halts)
{
    static const enum serin_sim_fault faults[] = {SERIN_SIM_FAULT_DEAF, SERIN_SIM_FAULT_ERRORS};
    static const char *const words[] = {"silent", "errors"};
    for (size_t i = 0; i < 2; i++) {
        by_default(4000, 5); /* a canary of 40: fewer could only be held */
        behave(faults[i], 200000, 180 * MINUTE);
        sim_bench_run(&bench);
        ck_assert_int_eq(bench.result.state, SERIN_ROLLOUT_HALTED);
        ck_assert_msg(strstr(bench.result.why, words[i]) != NULL, "%s", bench.result.why);
        ck_assert_uint_le(bench.result.exposed, 110);
        ck_assert_uint_gt(bench.result.faults[faults[i]], 0);
        sim_bench_close(&bench);
    }
}
END_TEST

/* Errors that the version before counts as well are nothing against the release. */
START_TEST(errors_of_both_versions_halt_nothing)
{
    for (int both = 0; both < 2; both++) {
        by_default(both == 1 ? 1000 : 4000, 5);
        if (both == 1) {
            behave(SERIN_SIM_FAULT_ERRORS, 200000, 0);
            bench.config.scenario.behaviours[0].has_version = true;
            bench.config.scenario.behaviours[0].version = (struct serin_version){.major = 1};
        }
        behave(SERIN_SIM_FAULT_ERRORS, 200000, 60 * MINUTE);
        sim_bench_run(&bench);
        ck_assert_msg(bench.result.state ==
                          (both == 1 ? SERIN_ROLLOUT_COMPLETED : SERIN_ROLLOUT_HALTED),
                      "%d: %s", both, bench.result.why);
        ck_assert_uint_gt(bench.result.faults[SERIN_SIM_FAULT_ERRORS], 0);
        sim_bench_close(&bench);
    }
}
END_TEST

/* Whoever erred under the old version is not counted as erring under the new one, too, for as long
 * as its rate remembers: together they would be twice as many as before. */
START_TEST(errors_of_the_old_version_are_not_the_new_ones)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        by_default(2000, seed);
        behave(SERIN_SIM_FAULT_ERRORS, 100000, 0);
        bench.config.scenario.behaviours[0].has_version = true;
        bench.config.scenario.behaviours[0].version = (struct serin_version){.major = 1};
        behave(SERIN_SIM_FAULT_ERRORS, 100000, 0);
        sim_bench_run(&bench);
        ck_assert_msg(bench.result.state == SERIN_ROLLOUT_COMPLETED, "seed %u: %s", (unsigned)seed,
                      bench.result.why);
        ck_assert_uint_gt(bench.result.faults[SERIN_SIM_FAULT_ERRORS], 0);
        sim_bench_close(&bench);
    }
}
END_TEST

/* A window comes by itself, however late; an operator of whom nothing is said does not. */
START_TEST(only_who_waits_for_nobody_is_left_alone)
{
    sim_bench_open(&bench, 40, 2, 8);
    bench.config.policy.window_count = 1;
    bench.config.policy.windows[0] =
        (struct serin_window){.days = 1u << 2, .from_min = 60, .until_min = 120}; /* once a week */
    sim_bench_run(&bench);
    ck_assert_msg(bench.result.state == SERIN_ROLLOUT_COMPLETED, "%s", bench.result.why);
    ck_assert_uint_gt(bench.result.ended_ms, 14 * 1440 * MINUTE);
    sim_bench_close(&bench);
    for (uint32_t stage = 0; stage < 2; stage++) {
        sim_bench_open(&bench, 40, 2, 8);
        bench.config.policy.stages[stage].approval = true;
        sim_bench_run(&bench);
        ck_assert_int_eq(bench.result.state, SERIN_ROLLOUT_AWAITING);
        ck_assert_ptr_nonnull(strstr(bench.result.why, "waits for approval"));
        ck_assert_uint_lt(bench.result.ended_ms, 2 * 1440 * MINUTE);
        sim_bench_close(&bench);
    }
}
END_TEST

START_TEST(a_bad_network_day_halts_no_good_release)
{
    by_default(600, 6);
    bench.config.scenario.offline = 100000;
    bench.config.scenario.weather_count = 1;
    bench.config.scenario.weather[0] = (struct serin_sim_weather){
        .from_ms = 600 * MINUTE, .for_ms = 1440 * MINUTE, .offline = 100000, .drop = 20000};
    sim_bench_run(&bench);
    ck_assert_msg(bench.result.state == SERIN_ROLLOUT_COMPLETED, "%s", bench.result.why);
    ck_assert_uint_gt(bench.result.unreached, 30);
    ck_assert_uint_gt(bench.result.weathered, 30);
    ck_assert_uint_eq(bench.result.confirmed + bench.result.unreached, 600);
    sim_bench_close(&bench);
}
END_TEST

START_TEST(a_halt_takes_its_devices_back)
{
    for (int raises = 0; raises < 2; raises++) {
        sim_bench_open(&bench, 400, 20, 65);
        bench.config.policy.on_halt = SERIN_ON_HALT_REVERT;
        bench.config.raises_counter = raises != 0;
        behave(SERIN_SIM_FAULT_REGRESS, 100000, 20 * MINUTE);
        sim_bench_run(&bench);
        ck_assert_int_eq(bench.result.state, SERIN_ROLLOUT_HALTED);
        ck_assert_uint_gt(bench.result.confirmed, 0);
        ck_assert_uint_gt(bench.result.regressed, 0);
        ck_assert_uint_eq(bench.result.ended_ms, bench.result.halted_ms);
        ck_assert_int_eq(bench.result.revert.state, SERIN_ROLLOUT_COMPLETED);
        ck_assert_uint_ge(bench.result.revert.began_ms, bench.result.halted_ms);
        ck_assert_uint_gt(bench.result.revert.ended_ms, bench.result.revert.began_ms);
        ck_assert_uint_eq(bench.result.revert.confirmed, 400);
        /* Counters are committed at the end of a rollout only: the way back is open. */
        ck_assert_uint_eq(bench.result.still_on_it, 0);
        sim_bench_close(&bench);
    }
    sim_bench_open(&bench, 400, 20, 65);
    behave(SERIN_SIM_FAULT_REGRESS, 100000, 20 * MINUTE);
    sim_bench_run(&bench);
    ck_assert_int_eq(bench.result.state, SERIN_ROLLOUT_HALTED);
    ck_assert_uint_gt(bench.result.still_on_it, 0); /* the default holds */
    ck_assert_int_eq(bench.result.revert.state, SERIN_ROLLOUT_INVALID);
    sim_bench_close(&bench);
}
END_TEST

/* The engine's figures are changed under the judges' eyes: the run ends, and says why. */
static bool spoilt;

static void spoil(void *ctx, const struct serin_sim_moment *moment)
{
    struct serin_rollout *rollout = NULL;
    (void)ctx;
    memcpy(&rollout, &moment->rollout, sizeof(void *)); /* past the const: a planted fault */
    if (!spoilt && rollout != NULL && rollout->tally.confirmed > 3) {
        rollout->tally.confirmed--;
        spoilt = true;
    }
}

START_TEST(a_breach_ends_the_run_and_is_named)
{
    sim_bench_open(&bench, 60, 2, 71);
    bench.config.moment = spoil;
    bench.config.sample_ms = MINUTE;
    spoilt = false;
    sim_bench_try(&bench);
    ck_assert(spoilt);
    ck_assert_int_eq(bench.result.broken, SERIN_SIM_BOOKS);
    ck_assert_ptr_nonnull(strstr(bench.result.breach, "confirmed"));
    sim_bench_close(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_good_release_completes,
        the_same_seed_gives_the_same_run,
        judges_change_nothing,
        looking_on_changes_nothing,
        an_image_that_always_fails_reaches_a_handful,
        what_goes_wrong_after_confirmation_halts,
        what_no_report_tells_halts,
        errors_of_both_versions_halt_nothing,
        errors_of_the_old_version_are_not_the_new_ones,
        only_who_waits_for_nobody_is_left_alone,
        a_bad_network_day_halts_no_good_release,
        a_halt_takes_its_devices_back,
        a_breach_ends_the_run_and_is_named,
        NULL,
    };
    return check_run("sim_run", tests);
}
