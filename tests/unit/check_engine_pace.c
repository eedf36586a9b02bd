/*
 * What keeps a rollout within its pace where devices are offered it otherwise than by a step of the
 * ramp: RETRY, one who is elsewhere, and those that take the place of silent ones
 * (docs/spec/rollout.md, sections 4 and 12).
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <string.h>

#define HOUR_MS UINT64_C(3600000)

/* One stage of everyone at once, and nothing that halts. */
static struct serin_policy pace_policy(void)
{
    struct serin_policy policy = bench_policy();
    policy.stage_count = 1;
    policy.stages[0] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = 86400};
    for (size_t i = SERIN_GATE_FAILURES; i < SERIN_GATE_COUNT; i++) {
        policy.gates[i].max_permyriad = 10000;
    }
    policy.test = (struct serin_test_policy){.accepted_permyriad = 8900,
                                             .rejected_permyriad = 9000,
                                             .alpha_permyriad = 1,
                                             .beta_permyriad = 2000};
    policy.ramp.first = 0;
    policy.patience_s = 86400;
    policy.deadline_s = 86400;
    return policy;
}

/* `failed` of the first offered have failed, and the others of them are well. */
static void make_failed(struct bench *bench, const struct serin_policy *policy, uint32_t count,
                        uint32_t failed)
{
    bench_make(bench, policy, count, count);
    bench->check = false;
    bench_do(bench, SERIN_ROLLOUT_START);
    for (unsigned hour = 0; hour < 1000 && bench->rollout.tally.offered < count; hour++) {
        for (uint32_t i = 0; i < bench->rollout.tally.offered; i++) {
            if (bench->members.list[i].state != SERIN_STATE_IDLE) {
                continue;
            }
            if (i < failed) {
                bench_fail(bench, i);
            } else {
                bench_set(bench, i, SERIN_STATE_CONFIRMED);
            }
        }
        bench_pass(bench, 60000);
    }
    bench_confirm_offered(bench);
    ck_assert_uint_eq(bench->rollout.tally.failed, failed);
}

/* Caught: RETRY that asks nothing; one off; devices in flight forgotten. */
START_TEST(a_retry_keeps_to_what_may_be_in_flight)
{
    for (uint32_t failed = 4; failed <= 6; failed++) {
        struct serin_policy policy = pace_policy();
        policy.in_flight_max = 5;
        struct bench bench;
        make_failed(&bench, &policy, 60, failed);
        bool allowed = failed <= 5;
        ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_RETRY),
                         allowed ? SERIN_OK : SERIN_ERR_STATE);
        ck_assert_uint_eq(bench.rollout.attempt, allowed ? 2 : 1);
        const char *words = serin_rollout_refusal(&bench.rollout, SERIN_ROLLOUT_RETRY);
        ck_assert((words != NULL && strstr(words, "in_flight_max") != NULL) == !allowed);
        bench_settle(&bench);
        if (failed == 5) { /* four are in flight, and one would join them */
            for (uint32_t i = 0; i < 5; i++) {
                bench_set(&bench, i, SERIN_STATE_PENDING);
            }
            bench_fail(&bench, 0);
            bench.rollout.policy.in_flight_max = 4;
            ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_RETRY), SERIN_ERR_STATE);
            bench_set(&bench, 1, SERIN_STATE_CONFIRMED);
            ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_RETRY), SERIN_OK);
        }
        bench_free(&bench);
    }
}
END_TEST

/* Of every hour. Caught: RETRY that asks nothing, or takes nothing from what follows. */
START_TEST(a_retry_keeps_to_the_rate)
{
    struct serin_policy policy = pace_policy();
    policy.rate_per_hour = 12;
    struct bench bench;
    make_failed(&bench, &policy, 40, 12);
    ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_RETRY), SERIN_ERR_STATE);
    const char *words = serin_rollout_refusal(&bench.rollout, SERIN_ROLLOUT_RETRY);
    ck_assert_ptr_nonnull(words);
    ck_assert_ptr_nonnull(strstr(words, "rate_per_hour"));
    bench_pass(&bench, HOUR_MS + 400000);
    bench_do(&bench, SERIN_ROLLOUT_RETRY);
    bench_settle(&bench);
    /* And the next hour belongs to them. */
    bench_fail(&bench, 0);
    ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_RETRY), SERIN_ERR_STATE);
    bench_free(&bench);

    make_failed(&bench, &policy, 40, 13);
    bench_pass(&bench, 3 * HOUR_MS);
    ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_RETRY), SERIN_ERR_STATE);
    bench_free(&bench);
}
END_TEST

/* The first devices of a fleet stand behind one gateway. */
static void make_lone(struct bench *bench, const struct serin_policy *policy)
{
    static uint32_t sites[200];
    for (uint32_t i = 0; i < 200; i++) {
        sites[i] = i < 11 ? 1 : 2 + i % 7;
    }
    bench_make(bench, policy, 200, 3);
    bench->check = false;
    bench_sites(bench, sites, 200);
    bench_do(bench, SERIN_ROLLOUT_START);
}

/* In no hour, whenever it begins, are more offered it, those on the way to one elsewhere among
 * them; and the stage of one device ends as soon as the rate has come to that one. Caught: those
 * that cost the rate nothing, or are offered all at once; a TICK that nobody asks for. */
START_TEST(the_way_to_another_site_keeps_to_the_rate)
{
    struct serin_policy policy = pace_policy();
    policy.rate_per_hour = 12;
    policy.stage_count = 2;
    policy.stages[1] = policy.stages[0];
    policy.stages[0] = (struct serin_stage_policy){.count = 1, .soak_s = 60};
    struct bench bench;
    make_lone(&bench, &policy);
    uint32_t offered[180] = {0};
    for (unsigned minute = 0; minute < 180; minute++) {
        offered[minute] = bench.rollout.tally.offered;
        ck_assert_uint_le(offered[minute] - (minute >= 60 ? offered[minute - 60] : 0), 12);
        ck_assert(offered[minute] >= 12 || bench.rollout.state == SERIN_ROLLOUT_ROLLING);
        bench_confirm_offered(&bench);
        bench_pass(&bench, 60000);
    }
    ck_assert_uint_ge(offered[62], 12);
    bench_free(&bench);
}
END_TEST

/* Nor are more in flight than may be. Caught: all on the way there at once. */
START_TEST(the_way_to_another_site_keeps_to_what_may_be_in_flight)
{
    struct serin_policy policy = pace_policy();
    policy.in_flight_max = 4;
    policy.stage_count = 2;
    policy.stages[1] = policy.stages[0];
    policy.stages[0] = (struct serin_stage_policy){.count = 1, .soak_s = 600};
    struct bench bench;
    make_lone(&bench, &policy);
    static const uint32_t offered[] = {4, 8, 12, 12};
    for (size_t i = 0; i < sizeof offered / sizeof offered[0]; i++) {
        ck_assert_uint_eq(bench.rollout.tally.offered, offered[i]);
        bench_confirm_offered(&bench);
        bench_settle(&bench);
    }
    ck_state(&bench, "soaking");
    bench_free(&bench);
}
END_TEST

/* A fleet of which hardly anybody can be reached: as many again are asked, and then an operator.
 * Caught: a search through the whole fleet; a stage that passes with half of its devices; a hold
 * that ADVANCE does not end. */
START_TEST(a_stage_does_not_search_the_fleet)
{
    struct serin_policy policy = pace_policy();
    policy.stage_count = 2;
    policy.stages[0] = (struct serin_stage_policy){.count = 100, .soak_s = 60};
    policy.stages[1] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = 60};
    policy.patience_s = 1200;
    for (uint32_t heard = 0; heard <= 50; heard += 50) {
        struct bench bench;
        bench_make(&bench, &policy, 2000, 9);
        bench.check = false;
        bench_do(&bench, SERIN_ROLLOUT_START);
        for (uint32_t i = 0; i < heard; i++) {
            bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        }
        bench_pass(&bench, 20 * HOUR_MS);
        ck_assert(bench.rollout.held);
        ck_assert_uint_ge(bench.rollout.tally.offered, 200);
        ck_assert_uint_le(bench.rollout.tally.offered, 300);
        ck_assert(bench_said(&bench, " say nothing, and the stage is for 100"));
        bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
        ck_state(&bench, "rolling");
        ck_assert_uint_eq(bench.rollout.stage, 2);
        bench_free(&bench);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_retry_keeps_to_what_may_be_in_flight,
        a_retry_keeps_to_the_rate,
        the_way_to_another_site_keeps_to_the_rate,
        the_way_to_another_site_keeps_to_what_may_be_in_flight,
        a_stage_does_not_search_the_fleet,
        NULL,
    };
    return check_run("engine_pace", tests);
}
