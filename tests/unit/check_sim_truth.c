/*
 * What a run says of its devices is what they have on record, whatever serind heard of it; and it
 * goes on until all that could be heard is.
 */
#include "check_main.h"
#include "sim_bench.h"

#include <string.h>

#define MINUTE  UINT64_C(60000)
#define HOUR    (60 * MINUTE)
#define DAY     (24 * HOUR)
#define START_S UINT64_C(1767225600) /* of the simulation */

static struct sim_bench bench;

static struct serin_sim_event *event(enum serin_sim_event_kind kind, uint64_t at_ms,
                                     uint64_t for_ms)
{
    struct serin_sim_scenario *scenario = &bench.config.scenario;
    struct serin_sim_event *made = &scenario->events[scenario->event_count++];
    *made = (struct serin_sim_event){.kind = kind, .at_ms = at_ms, .for_ms = for_ms};
    return made;
}

static void one_stage_at_once(void)
{
    bench.config.policy.stage_count = 1;
    bench.config.policy.stages[0] =
        (struct serin_stage_policy){.permyriad = 10000, .soak_s = 6 * 3600};
    bench.config.policy.ramp.first = 0;
}

/* The most devices that any moment of the run knew to have accepted. */
static void note_exposed(void *ctx, const struct serin_sim_moment *moment)
{
    uint32_t *most = ctx;
    *most = moment->exposed > *most ? moment->exposed : *most;
}

static void adds_up(void)
{
    const struct serin_sim_result *result = &bench.result;
    ck_assert_uint_eq(result->exposed,
                      result->confirmed + result->failed + result->withdrawn + result->open);
}

/* A broker comes back with the directive from before the halt, while serind is down: devices take
 * what serind hears of hours later. */
START_TEST(who_took_it_behind_serinds_back_is_counted)
{
    uint32_t most = 0;
    sim_bench_open(&bench, 200, 0, 1);
    one_stage_at_once();
    bench.config.scenario.bytes_per_s = 200;
    bench.config.moment = note_exposed;
    bench.config.sample_ms = MINUTE;
    bench.config.ctx = &most;
    event(SERIN_SIM_EVENT_HALT, 300000, 0);
    event(SERIN_SIM_EVENT_SERIND_CRASH, 420000, 3 * HOUR);
    event(SERIN_SIM_EVENT_BROKER_OLD, 430000, 10000)->back_ms = 150000;
    sim_bench_run(&bench);
    const struct serin_sim_result *result = &bench.result;
    ck_assert_int_eq(result->state, SERIN_ROLLOUT_HALTED);
    ck_assert_uint_gt(result->confirmed, 0);
    ck_assert_uint_gt(result->withdrawn, 0);
    ck_assert_uint_eq(result->exposed, most);
    ck_assert_uint_eq(result->still_on_it, result->confirmed);
    adds_up();
    /* It did not end while serind was down, nor before serind had heard of all. */
    ck_assert_uint_ge(result->run_ms, 420000 + 3 * HOUR + HOUR);
    ck_assert_uint_eq(result->ended_ms, 300000);
    ck_assert_uint_eq(result->books.exposed, result->exposed);
    ck_assert_uint_eq(result->books.confirmed, result->confirmed);
    sim_bench_close(&bench);
}
END_TEST

/* Sites that are cut off for good come to an end by themselves, or, where the gateway had not
 * filled its depot yet, to none. What the limit comes before is not waited for: the books stay
 * behind. */
START_TEST(who_is_cut_off_for_good_is_in_no_book)
{
    static const uint64_t at_ms[] = {240000, 60000};
    for (size_t i = 0; i < 2; i++) {
        sim_bench_open(&bench, 200, 5, 2);
        one_stage_at_once();
        bench.config.scenario.bytes_per_s = 200;
        event(SERIN_SIM_EVENT_GATEWAY_CRASH, at_ms[i], 300 * DAY)->share = SERIN_SIM_ALL;
        event(SERIN_SIM_EVENT_HALT, 12 * HOUR, 0);
        sim_bench_run(&bench);
        const struct serin_sim_result *result = &bench.result;
        ck_assert_uint_gt(result->exposed, result->books.exposed);
        ck_assert_uint_eq(result->exposed, i == 0 ? result->confirmed : result->open);
        ck_assert_uint_eq(result->failed, 0);
        ck_assert_uint_gt(result->books.failed, 0); /* silence past the deadline */
        ck_assert_uint_lt(result->run_ms, 3 * DAY);
        adds_up();
        sim_bench_close(&bench);
    }
}
END_TEST

/* The same, and they come back in time. */
START_TEST(who_comes_back_is_waited_for)
{
    sim_bench_open(&bench, 200, 5, 2);
    one_stage_at_once();
    bench.config.scenario.bytes_per_s = 200;
    event(SERIN_SIM_EVENT_GATEWAY_CRASH, 240000, 2 * DAY)->share = SERIN_SIM_ALL;
    event(SERIN_SIM_EVENT_HALT, 12 * HOUR, 0);
    sim_bench_run(&bench);
    const struct serin_sim_result *result = &bench.result;
    ck_assert_uint_gt(result->run_ms, 2 * DAY + HOUR);
    ck_assert_uint_eq(result->open, 0);
    ck_assert_uint_eq(result->exposed, result->books.exposed);
    adds_up();
    sim_bench_close(&bench);
}
END_TEST

/* Somebody boots the old image by hand: it has failed there, and is no longer confirmed. */
START_TEST(an_old_image_put_back_by_hand_is_a_failure)
{
    sim_bench_open(&bench, 100, 4, 3);
    bench.config.policy.gates[SERIN_GATE_FAILURES].max_permyriad = 10000;
    bench.config.policy.gates[SERIN_GATE_REGRESSIONS].max_permyriad = 10000;
    struct serin_test_policy *test = &bench.config.policy.test;
    test->accepted_permyriad = 8000;
    test->rejected_permyriad = 9000;
    bench.config.scenario.behaviour_count = 1;
    bench.config.scenario.behaviours[0] = (struct serin_sim_behaviour){
        .fault = SERIN_SIM_FAULT_REVERT, .share = 300000, .after_ms = 20 * MINUTE};
    sim_bench_run(&bench);
    const struct serin_sim_result *result = &bench.result;
    ck_assert_uint_gt(result->faults[SERIN_SIM_FAULT_REVERT], 0);
    ck_assert_uint_gt(result->reasons[SERIN_REASON_OTHER_IMAGE], 0);
    ck_assert_uint_eq(result->reasons[SERIN_REASON_OTHER_IMAGE], result->regressed);
    ck_assert_uint_eq(result->failed, result->regressed);
    ck_assert_uint_eq(result->books.failed, result->failed);
    ck_assert_uint_eq(result->confirmed, result->still_on_it);
    adds_up();
    sim_bench_close(&bench);
}
END_TEST

/* Links that lose nearly all, or all, of what they carry are no fault of the product. */
START_TEST(links_that_lose_nearly_all_break_nothing)
{
    static const uint32_t lost[] = {800000, 900000, 980000, SERIN_SIM_ALL};
    for (size_t i = 0; i < 12; i++) {
        struct serin_sim_scenario *scenario = &bench.config.scenario;
        sim_bench_open(&bench, 60, (uint32_t)(i % 2) * 3, 10 + i);
        if (i < 4) {
            scenario->drop = lost[i % 4];
        } else if (i < 8) {
            scenario->corrupt = lost[i % 4];
        } else {
            scenario->weather_count = 1;
            scenario->weather[0] = (struct serin_sim_weather){
                .from_ms = HOUR, .for_ms = 30 * DAY, .drop = lost[i % 4]};
        }
        sim_bench_run(&bench);
        adds_up();
        sim_bench_close(&bench);
    }
}
END_TEST

/* ---- hardware ---- */

static void two_revisions(uint16_t first, uint16_t second)
{
    struct serin_sim_scenario *scenario = &bench.config.scenario;
    scenario->hardware_count = 2;
    scenario->hardware[0] = (struct serin_sim_hardware){.revision = first, .share = 1};
    scenario->hardware[1] = (struct serin_sim_hardware){.revision = second, .share = 1};
    bench.config.policy.offer_count = 1;
    bench.config.policy.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 3};
}

START_TEST(a_release_is_for_its_hardware_alone)
{
    sim_bench_open(&bench, 120, 4, 4);
    two_revisions(2, 7);
    event(SERIN_SIM_EVENT_SERIND_CRASH, 20 * MINUTE, MINUTE);
    event(SERIN_SIM_EVENT_SERIND_RESTORE, 90 * MINUTE, MINUTE)->back_ms = 30 * MINUTE;
    event(SERIN_SIM_EVENT_RESUME, 120 * MINUTE, 0);
    event(SERIN_SIM_EVENT_RESUME, 180 * MINUTE, 0);
    sim_bench_run(&bench);
    const struct serin_sim_result *result = &bench.result;
    ck_assert_msg(result->state == SERIN_ROLLOUT_COMPLETED, "%s", result->why);
    ck_assert_uint_gt(result->members, 30);
    ck_assert_uint_lt(result->members, 90);
    ck_assert_uint_eq(result->exposed, result->members);
    ck_assert_uint_eq(result->confirmed, result->members);
    ck_assert_uint_eq(result->still_on_it, result->members);
    sim_bench_close(&bench);
}
END_TEST

/* Two ranges are as good as one, and what lies between them is not offered. */
START_TEST(two_releases_are_for_both_hardwares)
{
    sim_bench_open(&bench, 120, 4, 4);
    two_revisions(2, 7);
    bench.config.scenario.hardware_count = 3;
    bench.config.scenario.hardware[2] = (struct serin_sim_hardware){.revision = 5, .share = 1};
    bench.config.policy.offer_count = 2;
    bench.config.policy.offers[1] = (struct serin_offer){.hw_min = 6, .hw_max = 9};
    sim_bench_run(&bench);
    ck_assert_msg(bench.result.state == SERIN_ROLLOUT_COMPLETED, "%s", bench.result.why);
    ck_assert_uint_gt(bench.result.members, 50);
    ck_assert_uint_lt(bench.result.members, 110);
    ck_assert_uint_eq(bench.result.confirmed, bench.result.members);
    sim_bench_close(&bench);
}
END_TEST

/* The way back is for everybody, as the stable release is. A store that goes back to before it has
 * the members of then. */
START_TEST(a_way_back_of_some_hardware_takes_all_back)
{
    for (uint64_t i = 0; i < 2; i++) {
        sim_bench_open(&bench, 200, 4, 5);
        two_revisions(2, 7);
        bench.config.policy.on_halt = SERIN_ON_HALT_REVERT;
        bench.config.scenario.behaviour_count = 1;
        bench.config.scenario.behaviours[0] = (struct serin_sim_behaviour){
            .fault = SERIN_SIM_FAULT_REGRESS, .share = 500000, .after_ms = 20 * MINUTE};
        event(SERIN_SIM_EVENT_SERIND_CRASH, 100 * MINUTE, MINUTE);
        event(SERIN_SIM_EVENT_SERIND_RESTORE, 150 * MINUTE, MINUTE)->back_ms =
            (30 + 110 * i) * MINUTE;
        event(SERIN_SIM_EVENT_RESUME, 180 * MINUTE, 0);
        sim_bench_run(&bench);
        ck_assert_uint_gt(bench.result.members, 50);
        ck_assert_uint_lt(bench.result.members, 150);
        ck_assert_uint_eq(bench.result.still_on_it, 0);
        ck_assert_int_eq(bench.result.state, SERIN_ROLLOUT_HALTED);
        ck_assert_int_eq(bench.result.revert.state, SERIN_ROLLOUT_COMPLETED);
        ck_assert_uint_eq(bench.result.revert.confirmed, 200);
        sim_bench_close(&bench);
    }
}
END_TEST

START_TEST(a_release_for_no_hardware_reaches_nobody)
{
    sim_bench_open(&bench, 40, 0, 6);
    two_revisions(7, 8);
    sim_bench_run(&bench);
    ck_assert_uint_eq(bench.result.members, 0);
    ck_assert_uint_eq(bench.result.exposed, 0);
    ck_assert_uint_eq(bench.result.still_on_it, 0);
    sim_bench_close(&bench);
}
END_TEST

/* ---- devices that sleep ---- */

static void sleeping(uint64_t asleep_ms, uint64_t awake_ms)
{
    struct serin_sim_scenario *scenario = &bench.config.scenario;
    scenario->sleeping = 300000;
    scenario->asleep_ms = asleep_ms;
    scenario->awake_ms = awake_ms;
}

static void soak_for(uint32_t seconds)
{
    bench.config.policy.stage_count = 2;
    bench.config.policy.stages[0] =
        (struct serin_stage_policy){.permyriad = 1000, .soak_s = seconds};
    bench.config.policy.stages[1] =
        (struct serin_stage_policy){.permyriad = 10000, .soak_s = seconds};
}

/* Who sleeps has done so before: its silence is nothing new. */
START_TEST(who_has_always_slept_is_not_silent)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        sim_bench_open(&bench, 300, 10, seed);
        sleeping(12 * HOUR, 30 * MINUTE);
        soak_for(6 * 3600);
        sim_bench_run(&bench);
        ck_assert_msg(bench.result.state == SERIN_ROLLOUT_COMPLETED, "%s", bench.result.why);
        sim_bench_close(&bench);
    }
}
END_TEST

/* What is usual of a device is known over a restart of serind, or those that were updated while
 * they were awake would be missed in their first sleep after it. Caught: pasts that begin anew with
 * the restart; a usual gap that is a plain mean, which a few beats while awake bring down. Both are
 * held, on 130 silent devices and more. */
START_TEST(a_restart_of_serind_does_not_forget_who_sleeps)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        sim_bench_open(&bench, 1000, 10, seed);
        sleeping(20 * HOUR, 4 * HOUR);
        soak_for(24 * 3600);
        event(SERIN_SIM_EVENT_SERIND_CRASH, 3 * HOUR, MINUTE);
        event(SERIN_SIM_EVENT_SERIND_CRASH, 30 * HOUR, MINUTE);
        sim_bench_run(&bench);
        ck_assert_uint_gt(bench.result.sleeps, 500);
        ck_assert_msg(bench.result.state == SERIN_ROLLOUT_COMPLETED, "%s", bench.result.why);
        sim_bench_close(&bench);
    }
}
END_TEST

/* Few devices, which are awake for two hours a week, one by one: a stage that nobody of is awake is
 * held until somebody wakes, and that is waited for. Caught: a run that is given up after a day, in
 * five of eight seeds. */
START_TEST(who_sleeps_for_days_is_waited_for)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        sim_bench_open(&bench, 5, 0, seed);
        sleeping(150 * HOUR, 2 * HOUR);
        bench.config.scenario.sleeping = SERIN_SIM_ALL;
        bench.config.policy.start_s = START_S + 20 * DAY / 1000; /* each is at its own hour then */
        soak_for(3600);
        sim_bench_run(&bench);
        ck_assert_msg(bench.result.state == SERIN_ROLLOUT_COMPLETED, "%s after %u h: %s",
                      serin_rollout_state_text(bench.result.state),
                      (unsigned)(bench.result.run_ms / HOUR), bench.result.why);
        sim_bench_close(&bench);
    }
}
END_TEST

/* A device does not fall asleep in the middle of its trial, and wakes for one: over slow links each
 * takes longer than the other. */
START_TEST(nobody_sleeps_through_a_trial)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        sim_bench_open(&bench, 100, 4, seed);
        sleeping(2 * HOUR, 2 * MINUTE);
        bench.config.scenario.sleeping = SERIN_SIM_ALL;
        bench.config.scenario.latency_min_ms = 2000;
        bench.config.scenario.latency_max_ms = 10000;
        soak_for(6 * 3600);
        sim_bench_run(&bench);
        ck_assert_uint_gt(bench.result.sleeps, 100);
        ck_assert_uint_gt(bench.result.confirmed, 50);
        ck_assert_uint_eq(bench.result.reasons[SERIN_REASON_NOT_CONFIRMED], 0);
        ck_assert_uint_eq(bench.result.failed, 0);
        sim_bench_close(&bench);
    }
}
END_TEST

/* ---- words ---- */

START_TEST(a_run_that_never_began_is_created)
{
    sim_bench_open(&bench, 30, 2, 7);
    bench.config.limit_ms = 1000;
    sim_bench_run(&bench);
    ck_assert_int_eq(bench.result.state, SERIN_ROLLOUT_CREATED);
    ck_assert_uint_eq(bench.result.stage, 0);
    ck_assert_uint_eq(bench.result.run_ms, 1000);
    sim_bench_close(&bench);
}
END_TEST

/* Completed is not whole: those who were never reached are told of. */
START_TEST(what_is_completed_says_who_is_missing)
{
    for (uint32_t i = 0; i < 2; i++) {
        sim_bench_open(&bench, 200, 5, 8);
        bench.config.scenario.offline = i * 100000;
        sim_bench_run(&bench);
        ck_assert_msg(bench.result.state == SERIN_ROLLOUT_COMPLETED, "%s", bench.result.why);
        ck_assert((bench.result.unreached > 0) == (i > 0));
        ck_assert((strstr(bench.result.why, "of 200 devices are unreached") != NULL) == (i > 0));
        sim_bench_close(&bench);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        who_took_it_behind_serinds_back_is_counted,
        who_is_cut_off_for_good_is_in_no_book,
        who_comes_back_is_waited_for,
        an_old_image_put_back_by_hand_is_a_failure,
        links_that_lose_nearly_all_break_nothing,
        a_release_is_for_its_hardware_alone,
        two_releases_are_for_both_hardwares,
        a_way_back_of_some_hardware_takes_all_back,
        a_release_for_no_hardware_reaches_nobody,
        who_has_always_slept_is_not_silent,
        a_restart_of_serind_does_not_forget_who_sleeps,
        who_sleeps_for_days_is_waited_for,
        nobody_sleeps_through_a_trial,
        a_run_that_never_began_is_created,
        what_is_completed_says_who_is_missing,
        NULL,
    };
    return check_run("sim_truth", tests);
}
