/* RETRY: failed devices may try again, and their failures stay (docs/spec/rollout.md, section 4).
 *
 * Each test names the mutation of the engine that it was seen to catch. */
#include "check_main.h"
#include "engine_bench.h"

#include <string.h>

/* One stage of everyone at once, 0.5 % against 2 %, and no gate but the test. */
static struct serin_policy retry_policy(void)
{
    struct serin_policy policy = bench_policy();
    policy.stage_count = 1;
    policy.stages[0] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = BENCH_SOAK_S};
    for (size_t i = SERIN_GATE_FAILURES; i < SERIN_GATE_COUNT; i++) {
        policy.gates[i].max_permyriad = 10000;
    }
    policy.test = (struct serin_test_policy){.accepted_permyriad = 50,
                                             .rejected_permyriad = 200,
                                             .alpha_permyriad = 100,
                                             .beta_permyriad = 500};
    return policy;
}

/* Caught: the attempt kept; no PUBLISH; members that stay failed. */
START_TEST(failed_devices_become_idle_under_a_new_attempt)
{
    struct serin_policy policy = retry_policy();
    struct bench bench;
    bench_start(&bench, &policy, 300);
    for (uint32_t i = 0; i < 200; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    bench_fail(&bench, 210);
    bench.now_ms += 60000;
    unsigned publishes = bench.publishes;
    ck_assert_int_eq(bench_note(&bench, SERIN_ROLLOUT_RETRY, "power was out"), SERIN_OK);
    ck_assert(bench_said(&bench, "may try again, by an operator: power was out"));
    ck_assert_uint_eq(bench.publishes, publishes + 1);
    ck_assert_uint_eq(bench.rollout.attempt, 2);
    ck_assert_uint_eq(serin_rollout_deadline_ms(&bench.rollout, &bench.members), bench.now_ms);
    bench_settle(&bench);
    ck_assert(!bench.rollout.retrying);
    ck_assert_int_eq(bench.members.list[210].state, SERIN_STATE_IDLE);
    ck_assert_uint_eq(bench.rollout.tally.failed, 0);
    struct serin_directive directive;
    serin_rollout_candidate(&bench.rollout, &directive);
    ck_assert_uint_eq(directive.candidate.attempt, 2);
    /* It takes the attempt, and this time it is well. */
    bench_set(&bench, 210, SERIN_STATE_PENDING);
    bench_set(&bench, 210, SERIN_STATE_CONFIRMED);
    ck_assert_uint_eq(bench.rollout.tally.confirmed, 201);
    bench_free(&bench);
}
END_TEST

/* Caught: a failure that vanishes with its retry; a second success that counts as one. */
START_TEST(a_failure_stays_evidence_whatever_its_retry_gives)
{
    struct serin_policy policy = retry_policy();
    policy.ramp.first = 8;
    policy.ramp.growth_percent = 1;
    struct bench bench;
    bench_start(&bench, &policy, 300);
    bench_fail(&bench, 0);
    bench_fail(&bench, 1);
    double against = bench.rollout.evidence.against;
    bench_do(&bench, SERIN_ROLLOUT_RETRY);
    bench_settle(&bench);
    ck_assert_uint_eq(bench.rollout.evidence.stage_failed, 2);
    ck_assert_double_eq(bench.rollout.evidence.against, against);
    bench_set(&bench, 0, SERIN_STATE_CONFIRMED);
    ck_assert_uint_eq(bench.rollout.evidence.stage_failed, 2);
    ck_assert_uint_eq(bench.rollout.evidence.stage_well, 0);
    serin_rollout_rebuild(&bench.rollout, &bench.members);
    ck_assert_uint_eq(bench.rollout.evidence.stage_failed, 2);
    /* Failing twice is one device that fails; another one is too much. */
    bench_fail(&bench, 1);
    ck_state(&bench, "rolling");
    bench_fail(&bench, 2);
    ck_state(&bench, "halted");
    bench_free(&bench);
}
END_TEST

/* Caught: regressed devices retried; such as are ahead; what failed under the new attempt. */
START_TEST(only_what_failed_before_is_retried)
{
    struct serin_policy policy = retry_policy();
    policy.test.alpha_permyriad = 1;
    policy.test.accepted_permyriad = 8000;
    policy.test.rejected_permyriad = 9000;
    struct bench bench;
    bench_start(&bench, &policy, 100);
    static const enum serin_state states[] = {SERIN_STATE_ROLLED_BACK, SERIN_STATE_FAILED,
                                              SERIN_STATE_REJECTED, SERIN_STATE_CONFIRMED,
                                              SERIN_STATE_CANCELLED};
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_int_eq(bench_member(&bench, i, states[i], SERIN_REASON_FLASH), SERIN_OK);
    }
    ck_assert_int_eq(bench_member(&bench, 5, SERIN_STATE_REJECTED, SERIN_REASON_NOT_NEWER),
                     SERIN_OK);
    bench_set(&bench, 6, SERIN_STATE_CONFIRMED);
    ck_assert_int_eq(bench_member(&bench, 6, SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH), SERIN_OK);
    bench_set(&bench, 7, SERIN_STATE_PENDING);
    bench_pass(&bench, 1250000); /* it times out, and the silent are unreached */
    ck_assert_int_eq(bench.members.list[7].state, SERIN_STATE_TIMED_OUT);
    bench_do(&bench, SERIN_ROLLOUT_RETRY);
    bench.now_ms += 2000;
    bench_fail(&bench, 8); /* before the sweep comes to it */
    bench_settle(&bench);
    static const enum serin_state want[] = {
        SERIN_STATE_IDLE,      SERIN_STATE_IDLE,      SERIN_STATE_IDLE,
        SERIN_STATE_CONFIRMED, SERIN_STATE_CANCELLED, SERIN_STATE_REJECTED,
        SERIN_STATE_REGRESSED, SERIN_STATE_IDLE,      SERIN_STATE_ROLLED_BACK};
    for (uint32_t i = 0; i < 9; i++) {
        ck_assert_msg(bench.members.list[i].state == want[i], "member %u: %s", i,
                      serin_state_text((enum serin_state)bench.members.list[i].state));
    }
    ck_assert(bench.members.list[7].failed_before); /* nobody else was silent then: no excuse */
    bench_free(&bench);
}
END_TEST

/* Caught: what fails in the attempt before the RETRY is booked under the new one, so that the
 * device's own account of that is old news; its failure forgotten; a regressed one that is idle;
 * one that is idle in a halted rollout, where nobody tries again. */
START_TEST(who_fails_the_earlier_attempt_late_may_try_the_new_one)
{
    struct serin_policy policy = retry_policy();
    policy.test.rejected_permyriad = 9000;
    policy.test.accepted_permyriad = 8000;
    struct bench bench;
    bench_start(&bench, &policy, 100);
    bench_fail(&bench, 0);
    bench_set(&bench, 1, SERIN_STATE_TRIAL);
    bench_set(&bench, 2, SERIN_STATE_CONFIRMED);
    bench_set(&bench, 4, SERIN_STATE_TRIAL);
    bench_do(&bench, SERIN_ROLLOUT_RETRY);
    ck_assert_int_eq(bench_late(&bench, 1, SERIN_STATE_ROLLED_BACK), SERIN_OK);
    ck_assert_int_eq(bench_late(&bench, 2, SERIN_STATE_REGRESSED), SERIN_OK);
    ck_assert_int_eq(bench_late(&bench, 3, SERIN_STATE_CONFIRMED), SERIN_OK);
    ck_assert_int_eq(bench.members.list[1].state, SERIN_STATE_IDLE);
    ck_assert(bench.members.list[1].failed_before && !bench.members.list[1].silent_before);
    ck_assert_int_eq(bench.members.list[2].state, SERIN_STATE_REGRESSED);
    ck_assert_int_eq(bench.members.list[3].state, SERIN_STATE_CONFIRMED);
    bench_settle(&bench);
    bench_set(&bench, 1, SERIN_STATE_PENDING); /* it takes the new attempt */
    bench_fail(&bench, 1);
    bench_settle(&bench);
    ck_assert_int_eq(bench.members.list[1].state, SERIN_STATE_ROLLED_BACK);
    bench_do(&bench, SERIN_ROLLOUT_HALT);
    ck_assert_int_eq(bench_late(&bench, 4, SERIN_STATE_ROLLED_BACK), SERIN_OK);
    ck_assert_int_eq(bench.members.list[4].state, SERIN_STATE_ROLLED_BACK);
    bench_free(&bench);
}
END_TEST

/* Caught: a step that changes more members than it has room for. */
START_TEST(many_are_retried_in_bounded_steps)
{
    struct serin_policy policy = retry_policy();
    policy.test.accepted_permyriad = 8000;
    policy.test.rejected_permyriad = 9000;
    struct bench bench;
    bench_start(&bench, &policy, 3000);
    for (uint32_t i = 0; i < 1000; i++) {
        bench_fail(&bench, 3 * i);
        bench_set(&bench, 3 * i + 1, SERIN_STATE_CONFIRMED);
    }
    bench_do(&bench, SERIN_ROLLOUT_RETRY);
    unsigned ticks = 0;
    while (bench.rollout.retrying) {
        bench_do(&bench, SERIN_ROLLOUT_TICK);
        ck_assert_uint_le(bench.actions.count, SERIN_ROLLOUT_ACTIONS_MAX);
        ticks++;
    }
    ck_assert_uint_ge(ticks, 1000 / SERIN_ROLLOUT_ACTIONS_MAX);
    ck_assert_uint_eq(bench.rollout.tally.failed, 0);
    bench_free(&bench);
}
END_TEST

/* Caught: a retried device with no patience of its own. */
START_TEST(a_retried_device_that_stays_silent_is_unreached)
{
    struct serin_policy policy = retry_policy();
    policy.stages[0].soak_s = 86400;
    struct bench bench;
    bench_start(&bench, &policy, 100);
    bench_fail(&bench, 0);
    for (uint32_t i = 1; i < 100; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    ck_state(&bench, "soaking");
    bench_pass(&bench, 300000);
    bench_do(&bench, SERIN_ROLLOUT_PAUSE);
    bench_do(&bench, SERIN_ROLLOUT_RETRY);
    bench_settle(&bench);
    ck_state(&bench, "paused");
    ck_assert_int_eq(bench.members.list[0].state, SERIN_STATE_IDLE);
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    bench_pass(&bench, 595000);
    ck_assert_uint_eq(bench.rollout.tally.unreached, 0);
    bench_pass(&bench, 20000);
    ck_assert_uint_eq(bench.rollout.tally.unreached, 1);
    bench_free(&bench);
}
END_TEST

/* A gateway is repaired, and its nodes try again: they were no evidence, and are none. Caught: a
 * retry that turns accepted failures into evidence; `judged` kept, so that the next ones are free.
 */
START_TEST(a_retry_after_a_pause_accepts_what_it_was_for)
{
    struct serin_policy policy = retry_policy();
    struct bench bench;
    bench_start(&bench, &policy, 130);
    for (uint32_t i = 0; i < 20; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    for (uint32_t i = 20; i < 28; i++) {
        bench_behind(&bench, i, 1);
    }
    for (uint32_t i = 20; i < 28 && bench.rollout.state == SERIN_ROLLOUT_ROLLING; i++) {
        bench_fail(&bench, i);
    }
    ck_state(&bench, "paused");
    bench_do(&bench, SERIN_ROLLOUT_RETRY);
    bench_settle(&bench);
    ck_assert_uint_eq(bench.rollout.judged, 0);
    ck_assert_uint_eq(bench.rollout.evidence.stage_failed, 0);
    ck_assert(!bench.members.list[20].failed_before);
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    ck_state(&bench, "rolling");
    for (uint32_t i = 100; i < 110 && bench.rollout.state == SERIN_ROLLOUT_ROLLING; i++) {
        bench_fail(&bench, i);
    }
    ck_state(&bench, "halted");
    bench_free(&bench);
}
END_TEST

/* Caught: an attempt that begins anew at 0. */
START_TEST(the_last_attempt_is_the_last)
{
    struct serin_policy policy = retry_policy();
    struct bench bench;
    bench_start(&bench, &policy, 10);
    bench.rollout.attempt = UINT32_MAX;
    ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_RETRY), SERIN_ERR_STATE);
    ck_assert_str_eq(serin_rollout_refusal(&bench.rollout, SERIN_ROLLOUT_RETRY),
                     "the last attempt number is used up: create another rollout");
    bench_free(&bench);
}
END_TEST

/* Caught: an attempt number and a PUBLISH for nobody; regressed devices counted as such. */
START_TEST(where_nobody_failed_there_is_nothing_to_retry)
{
    struct serin_policy policy = retry_policy();
    struct bench bench;
    bench_start(&bench, &policy, 10);
    bench_set(&bench, 0, SERIN_STATE_CONFIRMED);
    for (int regressed = 0; regressed < 2; regressed++) {
        unsigned publishes = bench.publishes;
        ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_RETRY), SERIN_ERR_STATE);
        const char *words = serin_rollout_refusal(&bench.rollout, SERIN_ROLLOUT_RETRY);
        ck_assert_ptr_nonnull(words);
        ck_assert_ptr_nonnull(strstr(words, "no device has failed that could try again"));
        ck_assert_uint_eq(bench.rollout.attempt, 1);
        ck_assert_uint_eq(bench.publishes, publishes);
        ck_assert_int_eq(bench_member(&bench, 0, SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH),
                         SERIN_OK);
    }
    bench_fail(&bench, 1);
    ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_RETRY), SERIN_OK);
    ck_assert_uint_eq(bench.rollout.attempt, 2);
    bench_free(&bench);
}
END_TEST

/* One of twenty fails, and the rollout comes to `state`. */
static void come_to(struct bench *bench, enum serin_rollout_state state)
{
    bench_fail(bench, 0);
    if (state == SERIN_ROLLOUT_PAUSED) {
        bench_do(bench, SERIN_ROLLOUT_PAUSE);
    } else if (state != SERIN_ROLLOUT_ROLLING) {
        for (uint32_t i = 1; i < 20; i++) {
            bench_set(bench, i, SERIN_STATE_CONFIRMED);
        }
        bench_pass(bench, state == SERIN_ROLLOUT_AWAITING ? BENCH_SOAK_MS : 0);
    }
    ck_assert_int_eq(bench->rollout.state, state);
}

/* Caught: a row of the table without RETRY. */
START_TEST(retry_is_taken_while_a_rollout_is_under_way)
{
    static const enum serin_rollout_state states[] = {SERIN_ROLLOUT_AWAITING, SERIN_ROLLOUT_ROLLING,
                                                      SERIN_ROLLOUT_SOAKING, SERIN_ROLLOUT_PAUSED};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct serin_policy policy = retry_policy();
        policy.stage_count = 2;
        policy.stages[1] = policy.stages[0];
        policy.stages[0].permyriad = 5000;
        policy.stages[1].approval = true;
        struct bench bench;
        bench_start(&bench, &policy, 40);
        come_to(&bench, states[i]);
        ck_assert_ptr_null(serin_rollout_refusal(&bench.rollout, SERIN_ROLLOUT_RETRY));
        ck_assert_int_eq(bench_send(&bench, SERIN_ROLLOUT_RETRY), SERIN_OK);
        ck_assert_int_eq(bench.rollout.state, states[i]);
        bench_free(&bench);
    }
}
END_TEST

/* ---- time-outs of which it is not known yet whether the network excuses them ---- */

/* All confirm but one, which times out in a time that is dark and not over; and it is retried. */
static void retry_pending(struct bench *bench, const struct serin_policy *policy)
{
    bench_start(bench, policy, 100);
    bench->rollout.silenced_permyriad = bench->rollout.silenced_stage_permyriad = 1000;
    bench->rollout.spell_count = 1;
    bench->rollout.spells[0] =
        (struct serin_spell){.from_s = 1000, .until_s = 1150, .settled_s = 4000};
    bench_set(bench, 7, SERIN_STATE_PENDING);
    for (uint32_t i = 0; i < 100; i++) {
        bench_set(bench, i, i == 7 ? SERIN_STATE_PENDING : SERIN_STATE_CONFIRMED);
    }
    bench_pass(bench, 1300000);
    ck_assert_int_eq(bench->members.list[7].state, SERIN_STATE_TIMED_OUT);
    ck_assert_uint_eq(bench->rollout.evidence.undecided, 1);
    bench_do(bench, SERIN_ROLLOUT_RETRY);
    bench_settle(bench);
    ck_assert_int_eq(bench->members.list[7].state, SERIN_STATE_IDLE);
    ck_assert_uint_eq(bench->rollout.evidence.undecided_before, 1);
    ck_assert_uint_eq(bench->rollout.evidence.stage_silent, 1);
    ck_assert_uint_eq(bench->rollout.evidence.silent[0] + bench->rollout.evidence.failed[0], 0);
}

/* The spell is over, or goes on for half a deadline after the time-out. Caught: silent for good,
 * whatever it settles to; failed for good; one that is well again and holds its stage all the same,
 * or with what its stage needed before; asked of when it was retried. */
START_TEST(who_is_retried_before_its_excuse_is_known_has_it_when_it_is)
{
    for (int dark = 0; dark < 2; dark++) {
        struct serin_policy policy = retry_policy();
        policy.stages[0].soak_s = 86400;
        struct bench bench;
        retry_pending(&bench, &policy);
        const struct serin_evidence *evidence = &bench.rollout.evidence;
        if (dark) {
            bench_pass(&bench, 520000);
            bench.rollout.spells[0].until_s = 1830;
            serin_rollout_rebuild(&bench.rollout, &bench.members);
        }
        bench_pass(&bench, 3600000);
        ck_assert_uint_eq(evidence->failed[0], dark ? 0 : 1);
        ck_assert_uint_eq(evidence->silent[0], dark ? 1 : 0);
        ck_assert_uint_eq(evidence->stage_failed, dark ? 0 : 1);
        ck_assert_uint_eq(evidence->stage_silent, dark ? 1 : 0);
        uint32_t need = evidence->stage_need;
        bench_set(&bench, 7, SERIN_STATE_CONFIRMED);
        ck_assert_uint_eq(evidence->stage_silent, 0);
        ck_assert_uint_eq(evidence->silent[0], dark ? 1 : 0);
        ck_assert_uint_eq(evidence->stage_well, 99);
        ck_assert(dark ? evidence->stage_need < need : evidence->stage_need == need);
        bench_free(&bench);
    }
}
END_TEST

/* Caught: the verdict of those that had theirs asked again, of another time. */
START_TEST(a_retry_waits_where_one_time_cannot_tell_two)
{
    struct serin_policy policy = retry_policy();
    policy.stages[0].soak_s = 86400;
    struct bench bench;
    retry_pending(&bench, &policy);
    bench_set(&bench, 7, SERIN_STATE_PENDING);
    bench_pass(&bench, 3600000);
    ck_assert_int_eq(bench.members.list[7].state, SERIN_STATE_TIMED_OUT);
    ck_assert_ptr_null(serin_rollout_refusal(&bench.rollout, SERIN_ROLLOUT_RETRY));
    bench_join(&bench, 1);
    uint32_t joiner = bench.members.list[0].rank == 1 ? 0 : 1;
    bench_set(&bench, joiner, SERIN_STATE_PENDING);
    uint32_t now_s = (uint32_t)(bench.rollout.watch_ms / 1000);
    bench.rollout.spell_count = 2;
    bench.rollout.spells[1] = (struct serin_spell){
        .from_s = now_s + 1000, .until_s = now_s + 1150, .settled_s = now_s + 4000};
    bench_pass(&bench, 1300000);
    ck_assert_int_eq(bench.members.list[joiner].state, SERIN_STATE_TIMED_OUT);
    ck_assert_uint_eq(bench.rollout.evidence.undecided, 1);
    const char *words = serin_rollout_refusal(&bench.rollout, SERIN_ROLLOUT_RETRY);
    ck_assert_ptr_nonnull(words);
    ck_assert_ptr_nonnull(strstr(words, "is not known yet, as at an earlier retry"));
    bench_pass(&bench, 3600000);
    ck_assert_ptr_null(serin_rollout_refusal(&bench.rollout, SERIN_ROLLOUT_RETRY));
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        failed_devices_become_idle_under_a_new_attempt,
        a_failure_stays_evidence_whatever_its_retry_gives,
        only_what_failed_before_is_retried,
        who_fails_the_earlier_attempt_late_may_try_the_new_one,
        many_are_retried_in_bounded_steps,
        a_retried_device_that_stays_silent_is_unreached,
        a_retry_after_a_pause_accepts_what_it_was_for,
        the_last_attempt_is_the_last,
        retry_is_taken_while_a_rollout_is_under_way,
        where_nobody_failed_there_is_nothing_to_retry,
        who_is_retried_before_its_excuse_is_known_has_it_when_it_is,
        a_retry_waits_where_one_time_cannot_tell_two,
        NULL,
    };
    return check_run("engine_retry", tests);
}
