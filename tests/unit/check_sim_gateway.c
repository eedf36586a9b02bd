/*
 * Simulated sites: what crosses the uplink once, what a crash keeps, and what a site that halts
 * itself stops.
 */
#include "check_main.h"
#include "sim_bench.h"

#include <string.h>

#define MINUTE UINT64_C(60000)

static struct sim_bench bench;

static struct serin_sim_event *event(enum serin_sim_event_kind kind, uint64_t at_ms)
{
    struct serin_sim_scenario *scenario = &bench.config.scenario;
    struct serin_sim_event *made = &scenario->events[scenario->event_count++];
    *made = (struct serin_sim_event){
        .kind = kind, .at_ms = at_ms, .for_ms = 5 * MINUTE, .share = SERIN_SIM_ALL};
    return made;
}

static void ends(enum serin_rollout_state state)
{
    sim_bench_run(&bench);
    ck_assert_msg(bench.result.state == state, "%s: %s",
                  serin_rollout_state_text(bench.result.state), bench.result.why);
    sim_bench_close(&bench);
}

START_TEST(a_site_takes_an_image_once)
{
    sim_bench_open(&bench, 80, 4, 21);
    ends(SERIN_ROLLOUT_COMPLETED);
    ck_assert_uint_eq(bench.result.confirmed, 80);
    /* Manifest, table and two pieces, with what frames them: for four sites, not for 80 devices. */
    ck_assert_uint_gt(bench.result.objects_bytes, 4 * 8192);
    ck_assert_uint_lt(bench.result.objects_bytes, 4 * 12000);
    ck_assert_uint_gt(bench.result.site_bytes, 80 * 8192);
    ck_assert_uint_eq(bench.result.direct_bytes, 0);
}
END_TEST

START_TEST(a_crash_loses_no_word)
{
    sim_bench_open(&bench, 80, 4, 22);
    for (uint64_t i = 0; i < 20; i++) {
        event(SERIN_SIM_EVENT_GATEWAY_CRASH, (3 + i * 11) * MINUTE);
    }
    ends(SERIN_ROLLOUT_COMPLETED);
    ck_assert_uint_eq(bench.result.confirmed, 80);
}
END_TEST

START_TEST(an_uplink_that_is_away_delays_only)
{
    sim_bench_open(&bench, 80, 4, 23);
    for (uint64_t i = 0; i < 6; i++) {
        event(SERIN_SIM_EVENT_GATEWAY_AWAY, (4 + i * 40) * MINUTE)->for_ms = 20 * MINUTE;
    }
    ends(SERIN_ROLLOUT_COMPLETED);
}
END_TEST

START_TEST(a_stale_cache_serves_no_wrong_byte)
{
    sim_bench_open(&bench, 80, 4, 24);
    event(SERIN_SIM_EVENT_STALE_CACHE, 2 * MINUTE)->for_ms = 60 * MINUTE;
    sim_bench_run(&bench);
    ck_assert_uint_eq(bench.result.struck[SERIN_SIM_EVENT_STALE_CACHE], 4);
    sim_bench_close(&bench);
}
END_TEST

START_TEST(a_site_halts_itself_alone)
{
    sim_bench_open(&bench, 200, 2, 25);
    struct serin_sim_scenario *scenario = &bench.config.scenario;
    bench.config.policy.site_failures_max = 2;
    bench.config.policy.ramp.first = 0; /* whole stages, so that one site meets many failures */
    scenario->behaviour_count = 1;
    scenario->behaviours[0] = (struct serin_sim_behaviour){
        .fault = SERIN_SIM_FAULT_CRASH, .share = SERIN_SIM_ALL, .site_count = 1, .sites = {1}};
    bench.config.limit_ms = 12 * 60 * MINUTE;
    sim_bench_run(&bench);
    ck_assert_uint_gt(bench.result.rolled_back + bench.result.failed, 2);
    ck_assert_uint_lt(bench.result.failed, 100);
    sim_bench_close(&bench);
}
END_TEST

START_TEST(bad_links_delay_only)
{
    sim_bench_open(&bench, 60, 3, 26);
    struct serin_sim_scenario *scenario = &bench.config.scenario;
    scenario->direct = 300000;
    scenario->drop = scenario->duplicate = scenario->reorder = scenario->corrupt = 20000;
    scenario->cut = 200000;
    sim_bench_run(&bench);
    ck_assert_uint_gt(bench.result.dropped, 0);
    ck_assert_uint_gt(bench.result.corrupted, 0);
    sim_bench_close(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_site_takes_an_image_once,
        a_crash_loses_no_word,
        an_uplink_that_is_away_delays_only,
        a_stale_cache_serves_no_wrong_byte,
        a_site_halts_itself_alone,
        bad_links_delay_only,
        NULL,
    };
    return check_run("sim_gateway", tests);
}
