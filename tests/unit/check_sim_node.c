/*
 * Devices in whole runs: each fault of the candidate ends as a real device's would, and nothing
 * that happens to power, links or sleep breaks more than it must.
 */
#include "sim_bench.h"

#include "check_main.h"

#define DEVICES 40u
#define HOUR_MS UINT64_C(3600000)

static struct sim_bench bench;

/* A fleet of which all do this under the candidate; nothing halts it but silence about the end. */
static void open_with(enum serin_sim_fault fault, uint64_t after_ms)
{
    struct serin_policy *policy = &bench.config.policy;
    sim_bench_open(&bench, DEVICES, 2, 11);
    bench.config.scenario.behaviour_count = 1;
    bench.config.scenario.behaviours[0] =
        (struct serin_sim_behaviour){.fault = fault, .share = SERIN_SIM_ALL, .after_ms = after_ms};
    policy->on_halt = SERIN_ON_HALT_HOLD;
    policy->stages[0].soak_s = 6u * 3600u;
}

static void ends_as(enum serin_sim_fault fault, enum serin_reason reason, uint64_t least_boots)
{
    const struct serin_sim_result *result = &bench.result;
    open_with(fault, 0);
    sim_bench_run(&bench);
    ck_assert_int_eq(result->state, SERIN_ROLLOUT_HALTED);
    ck_assert_uint_gt(result->rolled_back, 0);
    ck_assert_uint_eq(result->confirmed, 0);
    ck_assert_uint_eq(result->still_on_it, 0);
    ck_assert_uint_eq(result->reasons[reason], result->rolled_back);
    /* The factory's boot of each device, and those of each trial, with the one back. */
    ck_assert_uint_ge(result->boots, DEVICES + result->rolled_back * least_boots);
    sim_bench_close(&bench);
}

START_TEST(a_crash_uses_up_the_tries)
{
    ends_as(SERIN_SIM_FAULT_CRASH, SERIN_REASON_CRASH, 4);
}
END_TEST

START_TEST(a_hang_is_the_watchdogs)
{
    ends_as(SERIN_SIM_FAULT_HANG, SERIN_REASON_WATCHDOG, 4);
}
END_TEST

START_TEST(without_a_confirmation_the_window_ends)
{
    ends_as(SERIN_SIM_FAULT_NO_CONFIRM, SERIN_REASON_NOT_CONFIRMED, 2);
}
END_TEST

START_TEST(bad_health_later_is_a_regression)
{
    open_with(SERIN_SIM_FAULT_REGRESS, HOUR_MS);
    sim_bench_run(&bench);
    ck_assert_uint_gt(bench.result.regressed, 0);
    ck_assert_uint_eq(bench.result.rolled_back, 0);
    ck_assert_uint_gt(bench.result.still_on_it, 0); /* it was confirmed: it stays */
    sim_bench_close(&bench);
}
END_TEST

START_TEST(an_old_image_booted_by_hand_is_noticed)
{
    open_with(SERIN_SIM_FAULT_REVERT, HOUR_MS);
    sim_bench_run(&bench);
    ck_assert_uint_gt(bench.result.regressed, 0);
    sim_bench_close(&bench);
}
END_TEST

START_TEST(only_who_the_rule_fits_fails)
{
    struct serin_sim_scenario *scenario = &bench.config.scenario;
    sim_bench_open(&bench, DEVICES, 4, 5);
    bench.config.policy.gates[SERIN_GATE_FAILURES].max_permyriad = 10000;
    bench.config.policy.gates[SERIN_GATE_BOOTS].max_permyriad = 10000;
    bench.config.policy.gates[SERIN_GATE_ROLLBACKS].max_permyriad = 10000;
    scenario->behaviour_count = 2;
    scenario->behaviours[0] = (struct serin_sim_behaviour){
        .fault = SERIN_SIM_FAULT_CRASH, .share = SERIN_SIM_ALL, .site_count = 1, .sites = {3}};
    scenario->behaviours[1] = (struct serin_sim_behaviour){.fault = SERIN_SIM_FAULT_CRASH,
                                                           .share = SERIN_SIM_ALL,
                                                           .has_version = true,
                                                           .version = {.major = 3}};
    sim_bench_run(&bench);
    ck_assert_uint_le(bench.result.rolled_back, DEVICES / 4u); /* those of site 3 */
    sim_bench_close(&bench);
}
END_TEST

START_TEST(power_cuts_brick_nothing)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        sim_bench_open(&bench, DEVICES, seed % 2u == 0 ? 2 : 0, seed);
        bench.config.scenario.power_cuts_per_year = 4000; /* eleven a day */
        bench.config.raises_counter = seed % 3u == 0;
        bench.config.image_size = seed == 6 ? 100000u : 0;
        sim_bench_run(&bench);
        ck_assert_uint_gt(bench.result.power_cuts, DEVICES);
        sim_bench_close(&bench);
    }
}
END_TEST

START_TEST(a_download_that_drops_goes_on)
{
    sim_bench_open(&bench, DEVICES, 0, 3);
    sim_bench_run(&bench);
    uint64_t bytes = bench.result.direct_bytes;
    ck_assert_int_eq(bench.result.state, SERIN_ROLLOUT_COMPLETED);
    sim_bench_close(&bench);

    sim_bench_open(&bench, DEVICES, 0, 3);
    bench.config.scenario.cut = SERIN_SIM_ALL;
    bench.config.scenario.cut_at = 500000;
    sim_bench_run(&bench);
    ck_assert_int_eq(bench.result.state, SERIN_ROLLOUT_COMPLETED);
    ck_assert_uint_eq(bench.result.confirmed, DEVICES);
    ck_assert_uint_ne(bench.result.direct_bytes, bytes); /* it did drop, */
    ck_assert_uint_lt(bench.result.direct_bytes,
                      bytes + DEVICES * 8192u); /* and kept what it had */
    sim_bench_close(&bench);
}
END_TEST

START_TEST(links_that_lose_and_damage_delay_only)
{
    sim_bench_open(&bench, DEVICES, 2, 4);
    struct serin_sim_scenario *scenario = &bench.config.scenario;
    scenario->drop = scenario->duplicate = scenario->reorder = scenario->corrupt = 50000;
    scenario->bytes_per_s = 2000;
    sim_bench_run(&bench);
    ck_assert_uint_gt(bench.result.confirmed, DEVICES / 2u);
    ck_assert_uint_eq(bench.result.failed, 0);
    sim_bench_close(&bench);
}
END_TEST

START_TEST(who_sleeps_is_updated_awake_and_who_is_away_is_not)
{
    sim_bench_open(&bench, DEVICES, 2, 6);
    struct serin_sim_scenario *scenario = &bench.config.scenario;
    scenario->sleeping = SERIN_SIM_ALL;
    scenario->asleep_ms = HOUR_MS;
    scenario->awake_ms = HOUR_MS / 4u;
    sim_bench_run(&bench);
    ck_assert_uint_eq(bench.result.confirmed, DEVICES);
    sim_bench_close(&bench);

    sim_bench_open(&bench, DEVICES, 2, 6);
    bench.config.scenario.offline = SERIN_SIM_ALL;
    bench.config.limit_ms = 48u * HOUR_MS;
    sim_bench_run(&bench);
    ck_assert_uint_eq(bench.result.exposed, 0);
    ck_assert_uint_eq(bench.result.beats, 0);
    sim_bench_close(&bench);
}
END_TEST

START_TEST(a_fleet_costs_little_memory)
{
    sim_bench_open(&bench, 200, 4, 7);
    sim_bench_run(&bench);
    ck_assert_uint_eq(bench.result.confirmed, 200);
    ck_assert_uint_lt(bench.result.flash_bytes, 200u * 6000u);
    ck_assert_uint_gt(bench.result.remembered * 10u, bench.result.verifications * 9u);
    sim_bench_close(&bench);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {a_crash_uses_up_the_tries,
                                 a_hang_is_the_watchdogs,
                                 without_a_confirmation_the_window_ends,
                                 bad_health_later_is_a_regression,
                                 an_old_image_booted_by_hand_is_noticed,
                                 only_who_the_rule_fits_fails,
                                 power_cuts_brick_nothing,
                                 a_download_that_drops_goes_on,
                                 links_that_lose_and_damage_delay_only,
                                 who_sleeps_is_updated_awake_and_who_is_away_is_not,
                                 a_fleet_costs_little_memory,
                                 NULL};
    return check_run("sim node", list);
}
