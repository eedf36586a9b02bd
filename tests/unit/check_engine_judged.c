/*
 * Failures that were judged, and those that came since: which they are follows from when they
 * ended, whatever the network excuses of them by then or later (docs/spec/rollout.md, section 6).
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <string.h>

#define FLEET    400u
#define DEADLINE 1200u

/* A time in which the network was dark, and when it is known that it did not go on. */
static void darken(struct bench *bench, uint32_t from_s, uint32_t until_s, uint32_t settled_s)
{
    struct serin_rollout *rollout = &bench->rollout;
    rollout->silenced_permyriad = 1000;
    rollout->spell_count = 1;
    rollout->spells[0] =
        (struct serin_spell){.from_s = from_s, .until_s = until_s, .settled_s = settled_s};
    bench->check = false; /* it knows of no excuses where it asks whose the failures are */
    serin_rollout_rebuild(rollout, &bench->members);
    bench_settle(bench);
}

/* All at once; the first `count` stand behind one gateway. */
static void make(struct bench *bench, const struct serin_policy *policy, uint32_t count)
{
    bench_make(bench, policy, FLEET, 1);
    for (uint32_t i = 0; i < count; i++) {
        bench_behind(bench, i, 1);
    }
    bench_do(bench, SERIN_ROLLOUT_START);
}

static struct serin_policy gate_policy(void)
{
    struct serin_policy policy = bench_tested_policy();
    policy.test.accepted_permyriad = 8000;
    policy.test.rejected_permyriad = 9000;
    policy.stages[0].soak_s = 7 * 86400;
    policy.gates[SERIN_GATE_FAILURES] =
        (struct serin_gate_policy){.max_permyriad = 20, .minimum = 1};
    return policy;
}

/* The test finds the failures of a gateway, and one device was silent with the network. Caught:
 * that one counted as a failure since, so that the same pause was ordered three times in each step,
 * the next one asked for at once, and the watch ran though it stands in a pause. */
START_TEST(a_judgement_with_excused_ones_is_made_once)
{
    struct serin_policy policy = bench_tested_policy();
    policy.stages[0].soak_s = 86400;
    struct bench bench;
    make(&bench, &policy, 20);
    bench_set(&bench, 50, SERIN_STATE_PENDING);
    bench_confirm(&bench, 60, FLEET);
    bench_pass(&bench, (DEADLINE + 60) * UINT64_C(1000));
    ck_assert_int_eq(bench.members.list[50].state, SERIN_STATE_TIMED_OUT);
    darken(&bench, 0, 800, 1000);
    ck_assert_uint_eq(bench.rollout.evidence.excused, 1);
    for (uint32_t i = 0; i < 20 && bench.rollout.state != SERIN_ROLLOUT_PAUSED; i++) {
        ck_assert_int_ne(bench.rollout.state, SERIN_ROLLOUT_HALTED);
        bench_fail(&bench, i);
    }
    ck_state(&bench, "paused");
    uint64_t watch_ms = bench.rollout.watch_ms;
    ck_assert_uint_eq(watch_ms, bench.rollout.judging_watch_s * UINT64_C(1000) + 1);
    ck_assert_uint_gt(serin_rollout_deadline_ms(&bench.rollout, &bench.members), bench.now_ms);
    bench_pass(&bench, 600000);
    ck_assert_uint_eq(bench.rollout.watch_ms, watch_ms);
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    bench_settle(&bench);
    ck_assert_int_ne(bench.rollout.state, SERIN_ROLLOUT_PAUSED);
    bench_free(&bench);
}
END_TEST

/* Three time-outs behind a gateway were accepted, and then it shows that the network was dark.
 * Caught: failures counted, so that as many new ones were passed over. */
START_TEST(what_is_excused_after_its_judgement_hides_no_new_failure)
{
    struct serin_policy policy = gate_policy();
    struct bench bench;
    make(&bench, &policy, 3);
    for (uint32_t i = 0; i < 3; i++) {
        bench_set(&bench, i, SERIN_STATE_PENDING);
    }
    bench_confirm(&bench, 10, 200);
    bench_pass(&bench, (DEADLINE + 60) * UINT64_C(1000));
    ck_state(&bench, "paused");
    ck_assert_uint_eq(bench.rollout.judged, 3);
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    bench_settle(&bench);
    darken(&bench, 0, 2000, 2100);
    ck_assert_uint_eq(bench.rollout.evidence.excused, 3);
    ck_state(&bench, "soaking");
    bench_set(&bench, 20, SERIN_STATE_REGRESSED);
    ck_state(&bench, "halted");
    ck_assert_ptr_nonnull(strstr(bench.rollout.why, "halted: 1 of 190 resolved failed"));
    bench_free(&bench);
}
END_TEST

/* Two devices timed out elsewhere when a spell had begun, a gateway's failures were judged, and the
 * spell did not go on. Caught: what had ended by the judgement taken for new when its excuse fell,
 * so that failures which an operator had accepted tripped the gate again. */
START_TEST(what_is_excused_no_longer_was_judged_all_the_same)
{
    struct serin_policy policy = gate_policy();
    policy.gates[SERIN_GATE_FAILURES].max_permyriad = 80;
    struct bench bench;
    make(&bench, &policy, 3);
    for (uint32_t i = 3; i < 5; i++) {
        bench_set(&bench, i, SERIN_STATE_PENDING);
    }
    bench_confirm(&bench, 10, 200);
    bench_pass(&bench, (DEADLINE - 60) * UINT64_C(1000));
    darken(&bench, 1000, 1100, 3000);
    bench_pass(&bench, 120000);
    ck_assert_uint_eq(bench.rollout.tally.failed, 2);
    ck_assert_uint_eq(bench.rollout.evidence.excused, 2);
    bench_fail(&bench, 0);
    ck_state(&bench, "soaking");
    bench_fail(&bench, 1);
    ck_state(&bench, "paused");
    ck_assert_uint_eq(bench.rollout.judged, 2);
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    bench_pass(&bench, 3600000);
    ck_assert_uint_eq(bench.rollout.evidence.excused, 0);
    ck_state(&bench, "soaking");
    bench_set(&bench, 20, SERIN_STATE_REGRESSED); /* it is judged with all of them */
    ck_state(&bench, "halted");
    ck_assert_ptr_nonnull(strstr(bench.rollout.why, "halted: 5 of 194 resolved failed"));
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_judgement_with_excused_ones_is_made_once,
        what_is_excused_after_its_judgement_hides_no_new_failure,
        what_is_excused_no_longer_was_judged_all_the_same,
        NULL,
    };
    return check_run("engine_judged", tests);
}
