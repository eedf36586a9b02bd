/*
 * What devices read of a rollout: the candidate part of a directive, and the stable release that a
 * promotion makes.
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <string.h>

START_TEST(the_candidate_says_what_the_policy_says)
{
    struct serin_policy policy = bench_policy();
    policy.revert = true;
    policy.spread_s = 300;
    policy.site_failures_max = 3;
    struct bench bench;
    bench_make(&bench, &policy, 10, 15);
    struct serin_directive directive;
    memset(&directive, 0xFF, sizeof directive);
    serin_rollout_candidate(&bench.rollout, &directive);
    ck_assert_int_eq(directive.candidate_state, SERIN_CANDIDATE_NONE);
    bench_do(&bench, SERIN_ROLLOUT_START);
    serin_rollout_candidate(&bench.rollout, &directive);
    ck_assert_int_eq(directive.candidate_state, SERIN_CANDIDATE_ROLLING);
    ck_assert_uint_eq(directive.candidate.attempt, 1);
    ck_assert_uint_eq(directive.candidate.flags, SERIN_RELEASE_REVERT);
    ck_assert_uint_eq(directive.threshold, bench.members.list[0].rank);
    ck_assert_mem_eq(directive.salt, bench.rollout.salt, SERIN_SALT_SIZE);
    ck_assert_uint_eq(directive.spread_s, 300);
    ck_assert_uint_eq(directive.site_failures_max, 3);
    ck_assert_uint_eq(directive.lease_s, policy.lease_s);
    bench.rollout.policy.emergency = true;
    serin_rollout_candidate(&bench.rollout, &directive);
    ck_assert_uint_eq(directive.flags, SERIN_DIRECTIVE_EMERGENCY);
    ck_assert_uint_eq(directive.spread_s, 0);
    bench_free(&bench);
}
END_TEST

/* Caught: the other hardware's stable release lost by a promotion. */
START_TEST(promotion_keeps_the_stable_release_of_other_hardware)
{
    struct serin_policy policy = bench_policy(); /* for hardware 1 to 3 */
    struct bench bench;
    bench_make(&bench, &policy, 1, 16);
    static const struct {
        uint16_t low, high;   /* the old offer */
        uint16_t left, right; /* what is left of it; 0: nothing */
    } cases[] = {{4, 9, 4, 9}, {1, 3, 0, 0}, {2, 2, 0, 0},
                 {1, 5, 4, 5}, {3, 9, 4, 9}, {1, 9, 4, 9}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct serin_release stable = {
            .offer_count = 1,
            .attempt = 7,
            .offers = {{.hw_min = cases[i].low, .hw_max = cases[i].high, .manifest_id = {0x11}}}};
        serin_rollout_promote(&bench.rollout, &stable);
        ck_assert_uint_eq(stable.flags, SERIN_RELEASE_COMMIT);
        ck_assert_mem_eq(stable.offers[0].manifest_id, policy.offers[0].manifest_id, 32);
        ck_assert_uint_eq(stable.offer_count, cases[i].left == 0 ? 1 : 2);
        if (cases[i].left != 0) {
            ck_assert_uint_eq(stable.offers[1].hw_min, cases[i].left);
            ck_assert_uint_eq(stable.offers[1].hw_max, cases[i].right);
            ck_assert_uint_eq(stable.offers[1].manifest_id[0], 0x11);
        }
    }
    bench.rollout.policy.offers[0].hw_min = bench.rollout.policy.offers[0].hw_max = 5;
    struct serin_release split = {.offer_count = 1, .offers = {{.hw_min = 1, .hw_max = 9}}};
    serin_rollout_promote(&bench.rollout, &split);
    ck_assert_uint_eq(split.offer_count, 1); /* two pieces: dropped whole */
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_candidate_says_what_the_policy_says,
        promotion_keeps_the_stable_release_of_other_hardware,
        NULL,
    };
    return check_run("engine_directive", tests);
}
