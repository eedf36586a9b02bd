/*
 * The way back of a halted rollout in the simulator: whoever runs the bad release comes off it,
 * whatever its policy asked of operators and whatever serind forgot meanwhile, and nobody else is
 * bothered. What became of the bad release's devices is told to the end.
 */
#include "check_main.h"
#include "sim_bench.h"

#define MINUTE UINT64_C(60000)

static struct sim_bench bench;

static struct serin_sim_event *event(enum serin_sim_event_kind kind, uint64_t at_ms)
{
    struct serin_sim_scenario *scenario = &bench.config.scenario;
    struct serin_sim_event *made = &scenario->events[scenario->event_count++];
    *made = (struct serin_sim_event){.kind = kind, .at_ms = at_ms};
    return made;
}

/* A rollout of a release that goes wrong, and whose devices are to be taken back then. */
static void open_bad(enum serin_sim_fault fault, uint32_t share, uint64_t after_ms, uint64_t seed)
{
    struct serin_sim_scenario *scenario = &bench.config.scenario;
    sim_bench_open(&bench, 400, 10, seed);
    bench.config.policy.on_halt = SERIN_ON_HALT_REVERT;
    bench.config.policy.stages[0].soak_s = 1800; /* it is over before the first regresses */
    scenario->behaviour_count = 1;
    scenario->behaviours[0] =
        (struct serin_sim_behaviour){.fault = fault, .share = share, .after_ms = after_ms};
}

static void all_come_off(void)
{
    sim_bench_run(&bench);
    ck_assert_int_eq(bench.result.state, SERIN_ROLLOUT_HALTED);
    ck_assert_msg(bench.result.revert.state == SERIN_ROLLOUT_COMPLETED, "seed %llu: %s, %u on it",
                  (unsigned long long)bench.config.seed,
                  serin_rollout_state_text(bench.result.revert.state), bench.result.still_on_it);
    ck_assert_uint_eq(bench.result.still_on_it, 0);
    ck_assert_uint_eq(bench.result.revert.confirmed, 400);
    ck_assert_uint_eq(bench.result.revert.failed, 0);
}

/* Caught: a way back that waits for the approvals of the way there. */
START_TEST(nobody_has_to_approve_of_it)
{
    open_bad(SERIN_SIM_FAULT_REGRESS, 300000, 120 * MINUTE, 5);
    for (size_t i = 0; i < bench.config.policy.stage_count; i++) {
        bench.config.policy.stages[i].approval = true;
    }
    event(SERIN_SIM_EVENT_ADVANCE, 2 * MINUTE);
    event(SERIN_SIM_EVENT_ADVANCE, 50 * MINUTE);
    all_come_off();
    ck_assert_uint_gt(bench.result.exposed, 100); /* it was in its second stage */
    sim_bench_close(&bench);
}
END_TEST

/* serind forgets that it took them back, and is told to go on: they come off it again. Caught: an
 * attempt number that its lost self had given out, so that it took what it heard of the first way
 * back for the second. */
START_TEST(a_backup_in_the_middle_of_it_keeps_nobody)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        open_bad(SERIN_SIM_FAULT_REGRESS, 300000, 120 * MINUTE, seed);
        event(SERIN_SIM_EVENT_SERIND_RESTORE, 150 * MINUTE)->back_ms = 90 * MINUTE;
        bench.config.scenario.events[0].for_ms = 2 * MINUTE;
        event(SERIN_SIM_EVENT_RESUME, 180 * MINUTE);
        all_come_off();
        ck_assert_uint_gt(bench.result.exposed, 100);
        ck_assert_uint_gt(bench.result.revert.began_ms, 150 * MINUTE); /* the second */
        sim_bench_close(&bench);
    }
}
END_TEST

/* Who took it rolled back by itself. Caught: a way back of days that holds the channel for nobody.
 */
START_TEST(there_is_none_for_nobody)
{
    open_bad(SERIN_SIM_FAULT_CRASH, SERIN_SIM_ALL, 0, 5);
    sim_bench_run(&bench);
    ck_assert_int_eq(bench.result.state, SERIN_ROLLOUT_HALTED);
    ck_assert_uint_gt(bench.result.rolled_back, 0);
    ck_assert_uint_eq(bench.result.still_on_it, 0);
    ck_assert_int_eq(bench.result.revert.state, SERIN_ROLLOUT_INVALID);
    sim_bench_close(&bench);
}
END_TEST

/* What its devices do after the way back began is told as well: each that says it is ill has
 * failed. Caught: counts that stand as they stood at the halt. */
START_TEST(what_became_of_the_bad_release_is_told_to_the_end)
{
    open_bad(SERIN_SIM_FAULT_REGRESS, 300000, 120 * MINUTE, 5);
    all_come_off();
    const struct serin_sim_result *result = &bench.result;
    ck_assert_uint_gt(result->failed, result->books.failed);
    ck_assert_uint_eq(result->regressed, result->faults[SERIN_SIM_FAULT_REGRESS]);
    ck_assert_uint_eq(result->failed, result->regressed);
    ck_assert_uint_eq(result->confirmed + result->failed, result->exposed);
    sim_bench_close(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        nobody_has_to_approve_of_it,
        a_backup_in_the_middle_of_it_keeps_nobody,
        there_is_none_for_nobody,
        what_became_of_the_bad_release_is_told_to_the_end,
        NULL,
    };
    return check_run("sim_back", tests);
}
