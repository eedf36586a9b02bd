/*
 * The rollout engine and stages behind one gateway: none passes on the word of one while another
 * could speak (docs/spec/rollout.md, section 6). The bench recounts the rule after every step.
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <stdio.h>
#include <string.h>

/* Wherever the first one elsewhere stands within the bound, the threshold is its rank: no device
 * more; past it the stage stays as it is. Caught: one rank too far; direct devices not taken for
 * elsewhere; the next stage enlarged by it; a bound one too high or low. */
START_TEST(a_stage_goes_on_to_the_next_in_rank_that_is_elsewhere)
{
    struct serin_policy policy = bench_policy(); /* 1, 10, 50, 100 % of 100 */
    for (uint32_t first = 0; first < 60; first++) {
        struct bench bench;
        bench_make(&bench, &policy, 100, first);
        for (uint32_t i = 0; i < 100; i++) {
            bench_behind(&bench, i, i < first || i % 3 != 0 ? 2 : 0);
        }
        bench_behind(&bench, first, first % 2 == 0 ? 0 : 1);
        bench_do(&bench, SERIN_ROLLOUT_START);
        bool near = first <= SERIN_ENGINE_ELSEWHERE_MAX;
        uint32_t offered = near ? first + 1 : 1;
        ck_assert_uint_eq(bench.rollout.tally.offered, offered);
        ck_assert_uint_eq(bench.rollout.threshold, bench.members.list[offered - 1].rank);
        ck_assert_uint_eq(bench.rollout.target, 1);
        ck_assert_uint_eq(bench.publishes, 1);
        char words[80];
        (void)snprintf(words, sizeof words,
                       "stage 1: %u more device%s, so that not all stand behind gateway gw-2",
                       first, first == 1 ? "" : "s");
        ck_assert(bench_said(&bench, words) == (first > 0 && near));
        bench_confirm_offered(&bench);
        bench_pass(&bench, BENCH_SOAK_MS);
        ck_assert_uint_eq(bench.rollout.stage, 2);
        uint32_t next = first < 10 + SERIN_ENGINE_ELSEWHERE_MAX ? first + 1 : 10;
        ck_assert_uint_eq(bench.rollout.tally.offered, next > 10 ? next : 10);
        bench_free(&bench);
    }
}
END_TEST

/* Every way in which three devices can stand behind two gateways or none: only those of one gateway
 * need a fourth. Caught: a direct device before the others taken for one of theirs. */
START_TEST(a_stage_of_several_sites_goes_no_further)
{
    struct serin_policy policy = bench_policy();
    policy.stages[0] = (struct serin_stage_policy){.count = 3, .soak_s = BENCH_SOAK_S};
    for (uint32_t way = 0; way < 27; way++) {
        const uint32_t sites[] = {way % 3, way / 3 % 3, way / 9};
        bool lone = sites[0] != 0 && sites[0] == sites[1] && sites[0] == sites[2];
        struct bench bench;
        bench_make(&bench, &policy, 30, way);
        bench_sites(&bench, sites, 3);
        bench_do(&bench, SERIN_ROLLOUT_START);
        ck_assert_uint_eq(bench.rollout.tally.offered, lone ? 4 : 3);
        bench_confirm_offered(&bench);
        ck_state(&bench, "soaking");
        ck_assert_uint_eq(bench.rollout.tally.offered, lone ? 4 : 3);
        bench_free(&bench);
    }
}
END_TEST

/* A late joiner elsewhere counts once it has resolved; nobody waits for it. Caught: a threshold
 * that would fall to its rank. */
START_TEST(a_late_joiner_elsewhere_is_not_waited_for)
{
    for (int resolved = 0; resolved < 2; resolved++) {
        struct serin_policy policy = bench_policy();
        policy.stages[0] = (struct serin_stage_policy){.count = 3, .soak_s = BENCH_SOAK_S};
        struct bench bench;
        bench_make(&bench, &policy, 100, 17);
        for (uint32_t i = 0; i < 100; i++) {
            bench_behind(&bench, i, 1);
        }
        bench_do(&bench, SERIN_ROLLOUT_START);
        ck_assert_uint_eq(bench.rollout.tally.offered, 3);
        bench_join(&bench, 0);
        bench_join(&bench, bench.members.list[15].rank + 1);
        if (resolved) {
            bench_set(&bench, 0, SERIN_STATE_CONFIRMED);
        }
        for (uint32_t i = 1; i < 4; i++) {
            bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        }
        ck_state(&bench, resolved ? "soaking" : "rolling");
        ck_assert_uint_eq(bench.rollout.tally.offered, resolved ? 4 : 17);
        bench_free(&bench);
    }
}
END_TEST

/* Stages of ten of a hundred; nine of ten behind gw-2. Who is elsewhere does not answer: the next
 * that is takes its place, when the others have resolved. Caught: passed on the word of those who
 * are left; widened while they are still waited for. */
START_TEST(a_stage_whose_only_other_site_is_silent_asks_the_next)
{
    for (int withdrawn = 0; withdrawn < 2; withdrawn++) {
        struct serin_policy policy = bench_policy();
        policy.stages[0] = (struct serin_stage_policy){.count = 3, .soak_s = BENCH_SOAK_S};
        struct bench bench;
        bench_make(&bench, &policy, 100, 11);
        for (uint32_t i = 0; i < 100; i++) {
            bench_behind(&bench, i, i % 10 == 4 ? 0 : 2);
        }
        bench_do(&bench, SERIN_ROLLOUT_START);
        ck_assert_uint_eq(bench.rollout.tally.offered, 5); /* to the one elsewhere */
        for (uint32_t i = 0; i < 4; i++) {
            ck_state(&bench, "rolling");
            bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        }
        ck_state(&bench, "rolling"); /* it is waited for */
        if (withdrawn) {
            bench_set(&bench, 4, SERIN_STATE_SUPERSEDED);
            ck_assert(bench_said(
                &bench, "stage 1: 10 more devices, so that not all stand behind gateway gw-2"));
        } else {
            bench_pass(&bench, 620000);
            ck_assert_int_eq(bench.members.list[4].state, SERIN_STATE_UNREACHED);
        }
        ck_state(&bench, "rolling");
        ck_assert_uint_eq(bench.rollout.tally.offered, 15);
        ck_assert_uint_eq(bench.rollout.threshold, bench.members.list[14].rank);
        ck_assert_uint_eq(bench.publishes, 2);
        /* Those in between were chosen with it, and have all their patience. */
        bench_pass(&bench, 570000);
        ck_assert_uint_eq(bench.rollout.tally.unreached, withdrawn ? 0 : 1);
        for (uint32_t i = 5; i < 15; i++) {
            bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        }
        ck_state(&bench, "soaking");
        bench_free(&bench);
    }
}
END_TEST

/* A fleet of one site has nobody else to ask: it updates, with exact cohorts. Caught: a stage that
 * waits for an elsewhere that is not there. */
START_TEST(a_fleet_of_one_site_passes_with_exact_cohorts)
{
    static const uint32_t cohorts[] = {1, 1, 5, 10};
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 10, 12);
    for (uint32_t i = 0; i < 10; i++) {
        bench_behind(&bench, i, 1);
    }
    bench_do(&bench, SERIN_ROLLOUT_START);
    for (uint32_t stage = 0; stage < 4; stage++) {
        ck_assert_uint_eq(bench.rollout.tally.offered, cohorts[stage]);
        bench_confirm_offered(&bench);
        bench_settle(&bench);
        bench_pass(&bench, BENCH_SOAK_MS);
    }
    ck_state(&bench, "completed");
    ck_assert_uint_eq(bench.publishes, 5);
    bench_free(&bench);
}
END_TEST

/* All others are silent or gone: the stage passes on what it has, and does not wait for ever. */
START_TEST(who_cannot_be_reached_holds_no_stage)
{
    struct serin_policy policy = bench_policy();
    policy.stages[0] = (struct serin_stage_policy){.count = 5, .soak_s = BENCH_SOAK_S};
    struct bench bench;
    bench_make(&bench, &policy, 40, 13);
    for (uint32_t i = 0; i < 40; i++) {
        bench_behind(&bench, i, i == 2 || i == 20 || i == 35 ? 0 : 4);
    }
    bench_set(&bench, 35, SERIN_STATE_CANCELLED); /* it left the channel */
    bench_do(&bench, SERIN_ROLLOUT_START);
    for (uint32_t i = 0; i < 5; i++) {
        if (i != 2) {
            bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        }
    }
    bench_pass(&bench, 620000); /* the third is silent, and the sixth takes its place */
    bench_set(&bench, 5, SERIN_STATE_CONFIRMED);
    ck_state(&bench, "rolling");
    ck_assert_uint_eq(bench.rollout.tally.offered, 21); /* to the one at 20 */
    for (uint32_t i = 6; i < 20; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    bench_pass(&bench, 620000); /* which is silent, too, and nobody elsewhere is left */
    ck_state(&bench, "soaking");
    ck_assert_uint_eq(bench.rollout.tally.offered, 21);
    bench_free(&bench);
}
END_TEST

/* Whoever is offered it and stands behind gw-2 confirms; the others are silent. */
static void confirm_behind(struct bench *bench, uint32_t site)
{
    for (uint32_t i = 0; i < bench->rollout.tally.offered; i++) {
        if (bench_site(bench, i) == site && bench->members.list[i].state == SERIN_STATE_IDLE) {
            bench_set(bench, i, SERIN_STATE_CONFIRMED);
        }
    }
}

/* Every other device stands behind a gateway that is away, and takes the release as soon as it is
 * back: so no more of them are asked than would be in place of silent ones. What they say decides,
 * if they say something. Caught: a search without end; one that ends too early; a stage that passes
 * on the word of one gateway after all; one that stays held when another has spoken. */
START_TEST(a_search_behind_gateways_that_are_away_ends)
{
    static const uint32_t targets[] = {1, 3, 15, 16, 17, 40};
    for (size_t t = 0; t < sizeof targets / sizeof targets[0]; t++) {
        struct serin_policy policy = bench_policy();
        uint32_t target = targets[t];
        uint32_t most = target + (target > 16 ? target : 16);
        policy.stages[0] = (struct serin_stage_policy){.count = target, .soak_s = BENCH_SOAK_S};
        struct bench bench;
        bench_make(&bench, &policy, 200, 21 + (uint64_t)t);
        for (uint32_t i = 0; i < 200; i++) {
            bench_behind(&bench, i, i < target || i % 2 == 0 ? 2 : 1);
        }
        bench_do(&bench, SERIN_ROLLOUT_START);
        for (uint32_t search = 0; search < 100; search++) {
            uint32_t offered = bench.rollout.tally.offered;
            confirm_behind(&bench, 2);
            if (offered >= most) {
                break;
            }
            bench_pass(&bench, 620000);
            ck_state(&bench, "rolling");
            ck_assert_uint_gt(bench.rollout.tally.offered, offered);
        }
        ck_assert_uint_le(bench.rollout.tally.offered, most + 2);
        bench_pass(&bench, 620000);
        ck_state(&bench, "soaking");
        bench_pass(&bench, BENCH_SOAK_MS);
        ck_state(&bench, "awaiting");
        ck_assert(bench.rollout.held);
        char words[80];
        (void)snprintf(words, sizeof words, "held: all %u that resolved stand behind gateway gw-2",
                       bench.rollout.tally.confirmed);
        ck_assert_ptr_nonnull(strstr(bench.rollout.why, words));
        uint32_t back = target;
        while (bench_site(&bench, back) != 1) {
            back++;
        }
        bench_set(&bench, back, SERIN_STATE_CONFIRMED);
        ck_assert_uint_eq(bench.rollout.stage, 2);
        bench_free(&bench);
    }
}
END_TEST

/* Devices that join elsewhere while a fleet of one site rolls: the next stage asks them. */
START_TEST(a_new_site_is_asked_by_the_next_stage)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 100, 14);
    for (uint32_t i = 0; i < 100; i++) {
        bench_behind(&bench, i, 1);
    }
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_assert_uint_eq(bench.rollout.tally.offered, 1);
    bench_confirm_offered(&bench);
    ck_state(&bench, "soaking");
    uint32_t joiner = bench_join(&bench, bench.members.list[20].rank + 1);
    ck_assert_uint_eq(joiner, 21);
    bench_pass(&bench, BENCH_SOAK_MS);
    ck_assert_uint_eq(bench.rollout.stage, 2);
    ck_assert_uint_eq(bench.rollout.tally.offered, 22);
    ck_assert_uint_eq(bench.rollout.target, 11);
    bench_free(&bench);
}
END_TEST

/* ---- bounds ---- */

static uint32_t asked;
static const uint32_t *asked_sites;

static uint32_t count_site(const void *sites, uint32_t device)
{
    (void)sites;
    asked++;
    return asked_sites[device];
}

/* 100,000 nodes of one gateway and one device elsewhere, the last in rank: nobody is exposed to
 * reach it. */
START_TEST(a_bounded_search_in_a_large_fleet_decides)
{
    struct serin_policy policy = bench_policy();
    struct bench bench;
    bench_make(&bench, &policy, 100000, 15);
    for (uint32_t i = 0; i < 99999; i++) {
        bench_behind(&bench, i, 1);
    }
    asked_sites = bench.sites;
    bench.members.site = count_site;
    bench_do(&bench, SERIN_ROLLOUT_START);
    ck_assert_uint_eq(bench.rollout.tally.offered, 1000);
    ck_assert_uint_le(asked, 1000 + SERIN_ENGINE_ELSEWHERE_MAX);
    asked = 0;
    for (uint32_t i = 0; i < 999; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    ck_assert_uint_eq(asked, 0); /* an ordinary report asks for no site */
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_stage_goes_on_to_the_next_in_rank_that_is_elsewhere,
        a_stage_of_several_sites_goes_no_further,
        a_late_joiner_elsewhere_is_not_waited_for,
        a_stage_whose_only_other_site_is_silent_asks_the_next,
        a_fleet_of_one_site_passes_with_exact_cohorts,
        who_cannot_be_reached_holds_no_stage,
        a_search_behind_gateways_that_are_away_ends,
        a_new_site_is_asked_by_the_next_stage,
        a_bounded_search_in_a_large_fleet_decides,
        NULL,
    };
    return check_run("engine_elsewhere", tests);
}
