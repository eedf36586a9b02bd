/* The sequential test: when it halts, when a stage passes, and when it is held
 * (docs/spec/rollout.md, section 11); evidence that comes late, or not at all, is
 * check_engine_late.c's. What it computes is computed again, from its definition,
 * after every step of these tests (engine_bench_evidence.c).
 *
 * Each test names the mutation of the engine that it was seen to catch. */
#include "check_main.h"
#include "engine_bench.h"

#include <math.h>
#include <string.h>

/* The same through a ramp of so many at a time: whoever is offered it and silent counts as well. */
static struct serin_policy ramped_policy(uint32_t first)
{
    struct serin_policy policy = bench_tested_policy();
    policy.ramp.first = first;
    policy.ramp.growth_percent = 1;
    policy.in_flight_max = first;
    return policy;
}

/* ---- halting ---- */

/* Caught: the limit taken as α instead of 1/α; a constant statistic. */
START_TEST(three_failures_of_three_are_enough)
{
    struct serin_policy policy = ramped_policy(3);
    struct bench bench;
    bench_start(&bench, &policy, 100);
    bench_fail(&bench, 0);
    bench_fail(&bench, 1);
    ck_state(&bench, "rolling");
    bench_fail(&bench, 2);
    ck_state(&bench, "halted");
    ck_assert_str_eq(bench.rollout.why,
                     "halted: 3 of 3 resolved failed (test: 2.00 % rather than 0.50 %, chances "
                     "2299 to 1, limit 100): not_confirmed");
    ck_assert(bench_acted(&bench, SERIN_ROLLOUT_ACT_PUBLISH));
    bench_free(&bench);
}
END_TEST

/* Of so many that were offered it so many fail, under this α. */
static struct bench failed_bench(uint32_t offered, uint32_t failed, uint32_t alpha_permyriad)
{
    struct serin_policy policy = bench_tested_policy();
    struct bench bench;
    policy.test.alpha_permyriad = alpha_permyriad;
    bench_start(&bench, &policy, offered);
    for (uint32_t i = 0; i < failed; i++) {
        bench_fail(&bench, i * (offered / failed));
    }
    return bench;
}

/* The statistic S halts at 1/α and above: at the least α (in hundredths of a percent) with 1/α ≤ S,
 * and not at the next below it. What S must be the bench computes by itself. Caught: a limit that
 * is a quarter too low or too high, which costs one failure less or more. */
START_TEST(it_halts_at_the_limit_and_not_below)
{
    static const uint32_t sizes[] = {8, 40, 120, 300, 900};
    unsigned tried = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint32_t failed = 1; failed <= 8; failed++) {
            struct bench bench = failed_bench(sizes[i], failed, 1);
            double statistic = bench.rollout.evidence.against;
            bench_free(&bench);
            uint32_t alpha = statistic > 1 ? (uint32_t)ceil(10000 / statistic) : 0;
            if (alpha < 2 || alpha > 2000) {
                continue; /* no policy has such an α */
            }
            bench = failed_bench(sizes[i], failed, alpha);
            ck_state(&bench, "halted");
            bench_free(&bench);
            bench = failed_bench(sizes[i], failed, alpha - 1u);
            ck_state(&bench, "rolling");
            bench_free(&bench);
            tried++;
        }
    }
    ck_assert_uint_ge(tried, 10);
}
END_TEST

/* Failures of a crash loop arrive before any confirmation. Caught: a test on resolved devices in
 * the order of their reports. */
START_TEST(devices_that_are_still_at_it_count_as_well)
{
    struct serin_policy policy = bench_tested_policy();
    struct bench bench;
    bench_start(&bench, &policy, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        bench_set(&bench, i, SERIN_STATE_PENDING);
    }
    for (uint32_t i = 0; i < 5; i++) {
        bench_fail(&bench, 200 * i); /* 5 of 5 resolved, and as many as are fine of 1000 */
    }
    ck_state(&bench, "rolling");
    bench_confirm(&bench, 0, 1000);
    ck_state(&bench, "soaking");
    bench_free(&bench);
}
END_TEST

/* Caught: a running product over reports. */
START_TEST(the_order_of_reports_changes_nothing)
{
    struct serin_policy policy = bench_tested_policy();
    struct serin_test_view views[2];
    for (uint32_t turn = 0; turn < 2; turn++) {
        struct bench bench;
        bench_start(&bench, &policy, 600);
        for (uint32_t i = 0; i < 600; i++) {
            uint32_t member = turn == 0 ? i : 599 - i;
            if (member % 150 == 7) {
                bench_fail(&bench, member);
            } else {
                bench_set(&bench, member, SERIN_STATE_CONFIRMED);
            }
        }
        ck_assert_uint_eq(bench.rollout.tally.failed, 4);
        serin_rollout_test(&bench.rollout, &bench.members, &views[turn]);
        bench_free(&bench);
    }
    ck_assert_mem_eq(&views[0], &views[1], sizeof views[0]);
}
END_TEST

/* Two thousand are well, and from then on one in eight fails: 0.6 % of all. Caught: the restarts
 * left out. */
START_TEST(old_good_evidence_masks_no_change)
{
    struct serin_policy policy = ramped_policy(16);
    struct bench bench;
    bench_start(&bench, &policy, 4000);
    bench_confirm(&bench, 0, 2000);
    uint32_t failed = 0;
    for (uint32_t i = 2000; i < 2200 && bench.rollout.state == SERIN_ROLLOUT_ROLLING; i++) {
        if (i % 8 == 0) {
            bench_fail(&bench, i);
            failed++;
        } else {
            bench_set(&bench, i, SERIN_STATE_CONFIRMED);
        }
    }
    ck_state(&bench, "halted");
    ck_assert_uint_le(failed, 13);
    bench_free(&bench);
}
END_TEST

/* The error bound holds though failures report at once and the rest later, or are silent until
 * then. Caught: the weights summing to more than 1; open devices left out; silent ones left out. */
START_TEST(a_release_at_the_accepted_rate_is_hardly_ever_halted)
{
    struct serin_policy policy = bench_tested_policy();
    unsigned halted = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint64_t dice = seed;
        static bool bad[1500];
        struct bench bench;
        bench_start(&bench, &policy, 1500);
        bench.check = false;
        for (uint32_t i = 0; i < 1500; i++) {
            bad[i] = bench_random(&dice) % 10000 < 50;
            if (seed % 2 == 0) {
                bench_set(&bench, i, SERIN_STATE_PENDING);
            }
        }
        for (uint32_t i = 0; i < 1500; i++) {
            if (bad[i]) {
                bench_fail(&bench, i);
            }
        }
        halted += bench.rollout.state == SERIN_ROLLOUT_HALTED;
        bench_free(&bench);
    }
    ck_assert_uint_le(halted, 6); /* 3 of 300 are allowed on average; six more seldom than 4 % */
}
END_TEST

/* Caught: the gross term left out (27 and more would be exposed); exposure that does not ramp. */
START_TEST(what_fails_often_is_found_within_a_few)
{
    struct serin_policy policy = ramped_policy(8);
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t dice = seed;
        struct bench bench;
        bench_start(&bench, &policy, 500);
        uint32_t i = 0;
        for (; i < 500 && bench.rollout.state == SERIN_ROLLOUT_ROLLING; i++) {
            if (bench_random(&dice) % 10 < 3) {
                bench_fail(&bench, i);
            } else {
                bench_set(&bench, i, SERIN_STATE_CONFIRMED);
            }
        }
        ck_state(&bench, "halted");
        ck_assert_uint_le(i, 40);
        bench_free(&bench);
    }
}
END_TEST

/* Caught: regressions booked as well; α spent per stage (an evidence that begins anew). */
START_TEST(what_goes_wrong_in_the_soak_is_evidence_over_all_stages)
{
    struct serin_policy policy = bench_staged_policy(300);
    policy.ramp = ramped_policy(8).ramp;
    struct bench bench;
    bench_start(&bench, &policy, 1000);
    bench_confirm(&bench, 0, 300);
    bench_pass(&bench, BENCH_SOAK_MS);
    ck_assert_uint_eq(bench.rollout.stage, 2);
    uint32_t i = 0;
    for (; i < 300 && bench.rollout.state == SERIN_ROLLOUT_ROLLING; i++) {
        ck_assert_int_eq(bench_member(&bench, i, SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH),
                         SERIN_OK);
    }
    ck_state(&bench, "halted");
    ck_assert_uint_le(i, 8);
    bench_free(&bench);
}
END_TEST

/* ---- passing ---- */

/* 197 well devices accept 2 % at β 5 %; each failure asks for 91 more. Caught: > made ≥; β for
 * α. */
START_TEST(a_stage_is_accepted_as_soon_as_enough_are_well)
{
    struct serin_policy policy = bench_tested_policy();
    for (uint32_t failed = 0; failed < 3; failed++) {
        static const uint32_t need[] = {197, 288, 380};
        struct bench bench;
        bench_start(&bench, &policy, 800);
        for (uint32_t i = 0; i < failed; i++) {
            bench_fail(&bench, 250 * i);
        }
        uint32_t well = 0;
        for (uint32_t i = 1; !bench.rollout.accepted; i++) {
            if (i % 250 != 0) {
                bench_set(&bench, i, SERIN_STATE_CONFIRMED);
                well++;
            }
        }
        ck_assert_uint_eq(well, need[failed]);
        ck_assert(bench_said(&bench, "below 2.00 %, but for a chance of 5.00 %"));
        bench_free(&bench);
    }
}
END_TEST

static struct bench held_bench(uint32_t failed)
{
    struct serin_policy policy = bench_staged_policy(250);
    struct bench bench;
    bench_start(&bench, &policy, 1000);
    for (uint32_t i = 0; i < failed; i++) {
        bench_fail(&bench, 120 * i);
    }
    bench_confirm_offered(&bench);
    ck_state(&bench, "soaking");
    bench_pass(&bench, BENCH_SOAK_MS);
    return bench;
}

/* Caught: a stage that passes undecided; a hold that publishes; `why` kept when it goes on. */
START_TEST(an_undecided_stage_is_held_until_an_operator_goes_on)
{
    struct bench bench = held_bench(2);
    ck_state(&bench, "awaiting");
    ck_assert(bench.rollout.held);
    ck_assert_uint_eq(bench.publishes, 1);
    ck_assert_str_eq(bench.rollout.why,
                     "held: 250 resolved, 2 failed: undecided between 0.50 % and 2.00 %; "
                     "'serin rollout advance' goes on without proof");
    bench_pass(&bench, 20 * BENCH_SOAK_MS);
    ck_state(&bench, "awaiting");
    ck_assert_int_eq(bench_note(&bench, SERIN_ROLLOUT_ADVANCE, "known fault"), SERIN_OK);
    ck_assert(bench_said(&bench, "goes on without proof, approved by an operator: known fault"));
    ck_state(&bench, "rolling");
    ck_assert_uint_eq(bench.rollout.stage, 2);
    ck_assert_str_eq(bench.rollout.why, "");
    bench_free(&bench);
}
END_TEST

/* Caught: a held stage that asks nobody anew. */
START_TEST(a_held_stage_halts_on_further_failures)
{
    struct bench bench = held_bench(2);
    for (uint32_t i = 1; i < 20 && bench.rollout.state == SERIN_ROLLOUT_AWAITING; i++) {
        ck_assert_int_eq(bench_member(&bench, i, SERIN_STATE_REGRESSED, SERIN_REASON_CRASH),
                         SERIN_OK);
    }
    ck_state(&bench, "halted");
    ck_assert(!bench.rollout.held);
    bench_free(&bench);
}
END_TEST

/* Caught: what accepted the first stage kept for the second. */
START_TEST(each_stage_is_accepted_by_its_own_devices)
{
    struct serin_policy policy = bench_staged_policy(250);
    struct bench bench;
    bench_start(&bench, &policy, 1000);
    bench_confirm(&bench, 0, 250);
    ck_assert(bench.rollout.accepted);
    bench_pass(&bench, BENCH_SOAK_MS);
    ck_assert_uint_eq(bench.rollout.stage, 2);
    ck_assert(!bench.rollout.accepted);
    for (uint32_t i = 250; i < 1000; i++) {
        bench_set(&bench, i, SERIN_STATE_PENDING);
    }
    for (uint32_t i = 0; i < 7; i++) {
        bench_fail(&bench, 260 + 100 * i);
    }
    bench_confirm(&bench, 250, 1000); /* those that failed stay failed */
    bench_pass(&bench, BENCH_SOAK_MS);
    ck_state(&bench, "awaiting");
    ck_assert(bench_said(&bench, "held: 750 resolved, 7 failed: undecided"));
    bench_free(&bench);
}
END_TEST

/* Silent devices of the stage that wake up are evidence too. Caught: the hold decided once. */
START_TEST(a_held_stage_goes_on_by_later_evidence)
{
    struct serin_policy policy = bench_staged_policy(330);
    struct bench bench;
    bench_start(&bench, &policy, 430);
    bench_fail(&bench, 0);
    bench_confirm(&bench, 1,
                  230); /* the other hundred are silent for too long, and those after them */
    bench_pass(&bench, 3 * BENCH_SOAK_MS);
    bench_pass(&bench, 3 * BENCH_SOAK_MS);
    ck_state(&bench, "awaiting");
    uint32_t i = 230;
    for (; i < 430 && bench.rollout.stage == 1; i++) {
        bench_set(&bench, i, SERIN_STATE_CONFIRMED);
    }
    ck_assert_uint_eq(bench.rollout.stage, 2);
    ck_assert_uint_eq(i, 289);
    bench_free(&bench);
}
END_TEST

/* Caught: small stages held without a failure; passed with one of ten; `small_stages_hold` read the
 * other way round. */
START_TEST(a_small_stage_passes_unless_it_leans_against_the_release)
{
    static const struct {
        uint32_t size, failed;
        bool hold, held;
    } cases[] = {{20, 0, false, false},  {20, 1, false, true},  {20, 0, true, true},
                 {120, 1, false, false}, {120, 2, false, true}, {1, 0, false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct serin_policy policy = bench_staged_policy(cases[i].size);
        policy.test.small_stages_hold = cases[i].hold;
        struct bench bench;
        bench_start(&bench, &policy, 1000);
        for (uint32_t j = 0; j < cases[i].failed; j++) {
            bench_fail(&bench, j);
        }
        bench_confirm_offered(&bench);
        bench_pass(&bench, BENCH_SOAK_MS);
        ck_assert_msg(bench.rollout.held == cases[i].held, "case %zu: %s", i, bench.rollout.why);
        ck_assert_uint_eq(bench.rollout.stage, cases[i].held ? 1 : 2);
        ck_assert(
            !cases[i].held ||
            bench_said(&bench,
                       ", the stage is small; 'serin rollout advance' goes on without proof"));
        bench_free(&bench);
    }
}
END_TEST

/* Caught: a hold of the last stage that leads nowhere; a completed rollout that keeps it. */
START_TEST(a_held_last_stage_completes_by_advance)
{
    struct serin_policy policy = bench_tested_policy();
    struct bench bench;
    bench_start(&bench, &policy, 50);
    bench_fail(&bench, 3);
    bench_confirm_offered(&bench);
    bench_pass(&bench, BENCH_SOAK_MS);
    ck_state(&bench, "awaiting");
    ck_assert_uint_eq(bench.promotes, 0);
    bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
    ck_state(&bench, "completed");
    ck_assert_uint_eq(bench.promotes, 1);
    ck_assert(!bench.rollout.held);
    bench_free(&bench);
}
END_TEST

/* A pause of an operator's is no verdict. Caught: RESUME that accepts failures of a held stage, or
 * lets it pass; words of the hold instead of the operator's while it is paused. */
START_TEST(a_pause_of_a_held_stage_accepts_nothing)
{
    struct bench bench = held_bench(2);
    char why[SERIN_ROLLOUT_WHY_MAX];
    memcpy(why, bench.rollout.why, sizeof why);
    ck_assert_int_eq(bench_note(&bench, SERIN_ROLLOUT_PAUSE, "lunch"), SERIN_OK);
    ck_assert_str_eq(bench.rollout.why, "paused by an operator: lunch");
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    bench_settle(&bench);
    ck_state(&bench, "awaiting");
    ck_assert(bench.rollout.held);
    ck_assert_str_eq(bench.rollout.why, why);
    ck_assert_uint_eq(bench.rollout.judged_watch_s, 0);
    ck_assert_uint_eq(bench.rollout.evidence.stage_failed, 2);
    bench_free(&bench);
}
END_TEST

/* ---- failures that an operator accepted ---- */

/* Caught: accepted failures that stay in the statistic; later ones that leave it too. */
START_TEST(failures_accepted_as_a_gateways_are_no_evidence)
{
    struct serin_policy policy = bench_tested_policy();
    struct bench bench;
    bench_start(&bench, &policy, 110);
    bench_confirm(&bench, 0, 20);
    for (uint32_t i = 20; i < 30; i++) {
        bench_behind(&bench, i, 1);
    }
    uint32_t failed = 20;
    for (; failed < 30 && bench.rollout.state == SERIN_ROLLOUT_ROLLING; failed++) {
        bench_fail(&bench, failed);
    }
    ck_state(&bench, "paused");
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    ck_assert_double_lt(bench.rollout.evidence.against, 1);
    ck_assert_uint_eq(bench.rollout.evidence.stage_failed, 0);
    for (uint32_t i = 100; i < 102; i++) {
        bench_fail(&bench, i);
    }
    ck_state(&bench, "rolling");
    ck_assert_uint_eq(bench.rollout.evidence.stage_failed, 2);
    for (uint32_t i = 102; i < 106 && bench.rollout.state == SERIN_ROLLOUT_ROLLING; i++) {
        bench_fail(&bench, i);
    }
    ck_state(&bench, "halted");
    bench_free(&bench);
}
END_TEST

/* The gateway's failures were judged, and while it was looked after one device failed elsewhere,
 * too few for a halt. Caught: RESUME that accepts whatever failed by then. */
START_TEST(what_failed_elsewhere_during_the_pause_is_not_accepted)
{
    struct serin_policy policy = bench_tested_policy();
    policy.gates[SERIN_GATE_FAILURES] =
        (struct serin_gate_policy){.max_permyriad = 200, .minimum = 22};
    struct bench bench;
    bench_start(&bench, &policy, 400);
    bench_confirm(&bench, 0, 20);
    for (uint32_t i = 20; i < 23; i++) {
        bench_behind(&bench, i, 1);
        bench_fail(&bench, i); /* the third one while it is paused: judged with the others */
    }
    ck_state(&bench, "paused");
    bench_confirm(&bench, 23,
                  380); /* so many are well by now that one more failure trips nothing */
    bench_fail(&bench, 390);
    ck_state(&bench, "paused");
    ck_assert_uint_eq(bench.rollout.judged, 3);
    ck_assert_uint_eq(bench.rollout.tally.failed, 4);
    bench_do(&bench, SERIN_ROLLOUT_RESUME);
    ck_state(&bench, "rolling");
    ck_assert_uint_eq(bench.rollout.evidence.stage_failed, 1);
    bench_free(&bench);
}
END_TEST

/* Where others fall silent too, silence says less; and what is told weighs as much as ever. Caught:
 * the control group ignored; weights of well devices that fall with its silence. */
START_TEST(silence_weighs_less_where_the_control_group_is_silent_too)
{
    double against[2];
    for (int i = 0; i < 2; i++) {
        struct serin_policy policy = bench_tested_policy();
        struct bench bench;
        bench_start(&bench, &policy, 400);
        if (i == 1) {
            bench.rollout.silenced_permyriad = bench.rollout.silenced_stage_permyriad = 1000;
            bench.rollout.spell_count = 1;
            bench.rollout.spells[0] = (struct serin_spell){.until_s = 700, .settled_s = 700};
        }
        for (uint32_t j = 0; j < 400; j++) {
            bench_set(&bench, j, j < 2 ? SERIN_STATE_PENDING : SERIN_STATE_CONFIRMED);
        }
        bench_pass(&bench, 1300000);
        ck_assert_uint_eq(bench.rollout.tally.failed, 2);
        against[i] = bench.rollout.evidence.against;
        bench_free(&bench);
    }
    ck_assert_double_lt(against[1], against[0] / 4);
    for (int i = 0; i < 2; i++) {
        struct serin_policy policy = ramped_policy(8);
        struct bench bench;
        bench_start(&bench, &policy, 400);
        bench.rollout.silenced_permyriad = i == 1 ? 2000 : 0;
        for (uint32_t j = 0; j < 150; j++) {
            if (j % 50 == 49) {
                bench_fail(&bench, j);
            } else {
                bench_set(&bench, j, SERIN_STATE_CONFIRMED);
            }
        }
        against[i] = bench.rollout.evidence.against;
        bench_free(&bench);
    }
    ck_assert_double_gt(against[0], 1);
    ck_assert_double_gt(against[1], against[0] * 0.8);
}
END_TEST

/* ---- what people see ---- */

/* Caught: a view that counts one failure too few. */
START_TEST(the_view_tells_how_many_failures_would_halt)
{
    struct serin_policy policy = bench_tested_policy();
    struct bench bench;
    bench_start(&bench, &policy, 1000);
    bench_confirm(&bench, 0, 150);
    struct serin_test_view view;
    serin_rollout_test(&bench.rollout, &bench.members, &view);
    ck_assert_int_eq(view.reject_at, 4605);
    ck_assert_int_eq(view.accept_at, -2985);
    ck_assert_int_eq(view.leaning, -2278);
    ck_assert_uint_eq(view.resolved, 150);
    ck_assert_uint_gt(view.more_failures, 2);
    for (uint32_t i = 0; i < view.more_failures; i++) {
        ck_state(&bench, "rolling");
        bench_fail(&bench, 999 - i);
    }
    ck_state(&bench, "halted");
    bench_free(&bench);
}
END_TEST

/* What may still fail, the last in rank first: those that were offered it, and those of them that
 * were silent for so long that they count no more. */
struct may_fail {
    uint32_t accepted[1000], others[1000];
    uint32_t accepted_count, others_count;
};

static struct may_fail may_fail(const struct bench *bench)
{
    struct may_fail may = {.accepted_count = 0};
    for (uint32_t i = bench->rollout.tally.offered; i-- > 0;) {
        const struct serin_member *member = &bench->members.list[i];
        if (member->failed_before || member->silent_before) {
            continue;
        }
        if (member->state == SERIN_STATE_UNREACHED) {
            may.others[may.others_count++] = i;
        } else if (member->state == SERIN_STATE_IDLE || member->state == SERIN_STATE_PENDING ||
                   member->state == SERIN_STATE_CONFIRMED) {
            may.accepted[may.accepted_count++] = i;
        }
    }
    return may;
}

/* Whether the engine itself halts, on a copy, as these fail; others accept before. */
static bool copy_halts(const struct bench *bench, const uint32_t *list, uint32_t count)
{
    static struct serin_member members[1000];
    static struct serin_rollout_actions actions;
    struct serin_rollout rollout = bench->rollout;
    struct serin_members copy = bench->members;
    memcpy(members, copy.list, copy.count * sizeof *members);
    copy.list = members;
    for (uint32_t i = 0; i < count; i++) {
        struct serin_rollout_event event = {.kind = SERIN_ROLLOUT_MEMBER, .member = list[i]};
        bool idle = members[list[i]].state == SERIN_STATE_IDLE ||
                    members[list[i]].state == SERIN_STATE_UNREACHED;
        bool confirmed = members[list[i]].state == SERIN_STATE_CONFIRMED;
        for (int step = idle ? 0 : 1; step < 2; step++) {
            event.state = step == 0   ? SERIN_STATE_PENDING
                          : confirmed ? SERIN_STATE_REGRESSED
                                      : SERIN_STATE_ROLLED_BACK;
            event.reason = step == 0 ? SERIN_REASON_NONE : SERIN_REASON_CRASH;
            ck_assert_int_eq(serin_rollout_step(&rollout, &copy, bench->now_ms, &event, &actions),
                             SERIN_OK);
        }
        if (rollout.state == SERIN_ROLLOUT_HALTED) {
            return true;
        }
    }
    return false;
}

/* Whether it halts as `count` fail, however many of them are devices that accepted before; -1:
 * there are not so many. */
static int any_halts(const struct bench *bench, const struct may_fail *may, uint32_t count)
{
    int halts = -1;
    for (uint32_t accepted = 0; accepted <= count && halts != 1; accepted++) {
        uint32_t list[SERIN_ENGINE_MORE_MAX];
        uint32_t others = count - accepted;
        if (accepted > may->accepted_count || others > may->others_count) {
            continue;
        }
        memcpy(list, may->accepted, accepted * sizeof *list);
        memcpy(list + accepted, may->others, others * sizeof *list);
        halts = copy_halts(bench, list, count);
    }
    return halts;
}

/* Members in random states, some of them failed, and at times offered anew after that. */
static void scatter(struct bench *bench, uint64_t *dice)
{
    uint32_t offered = bench->rollout.tally.offered;
    uint64_t bad = (uint64_t[]){0, 50, 200, 1000}[bench_random(dice) % 4];
    uint64_t open = bench_random(dice) % 10000;
    uint64_t silent = bench_random(dice) % 4 == 0 ? 9950 : bench_random(dice) % 10000;
    for (uint32_t i = 0; i < offered && bench->rollout.state == SERIN_ROLLOUT_ROLLING; i++) {
        if (bench_random(dice) % 10000 < silent) {
            continue;
        }
        bench_set(bench, i, SERIN_STATE_PENDING);
        if (bench_random(dice) % 10000 < bad) {
            bench_fail(bench, i);
        } else if (bench_random(dice) % 10000 >= open) {
            bench_set(bench, i, SERIN_STATE_CONFIRMED);
        }
    }
    if (bench_random(dice) % 3 == 0 && bench->rollout.state == SERIN_ROLLOUT_ROLLING &&
        bench->rollout.tally.failed > 0) {
        bench_do(bench, SERIN_ROLLOUT_RETRY);
        bench_pass(bench, 2000);
    }
    if (bench_random(dice) % 2 == 0) {
        bench_pass(bench, 601000); /* who said nothing is unreached */
    }
}

/* The number is the least with which the engine halts, whichever devices fail. Caught: failures of
 * devices that are taken out of those that are well, without having been among them; devices that
 * confirmed left out; those that accepted alone; one too many. */
START_TEST(the_view_tells_the_least_number_of_failures_that_halts)
{
    unsigned told = 0;
    unsigned mixed = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t dice = seed;
        uint32_t count = 10 + (uint32_t)(bench_random(&dice) % 700);
        struct serin_policy policy =
            seed % 2 == 0 ? bench_tested_policy() : bench_staged_policy(1 + (uint32_t)(seed % 60));
        struct bench bench;
        bench_start(&bench, &policy, count);
        bench.check = false;
        scatter(&bench, &dice);
        struct serin_test_view view;
        serin_rollout_test(&bench.rollout, &bench.members, &view);
        if (bench.rollout.state == SERIN_ROLLOUT_HALTED) {
            ck_assert_uint_eq(view.more_failures, 0);
            bench_free(&bench);
            continue;
        }
        const struct may_fail may = may_fail(&bench);
        uint32_t more = view.more_failures;
        ck_assert_uint_gt(more, 0);
        ck_assert_msg(any_halts(&bench, &may, more - 1) != 1, "seed %llu: %u are enough",
                      (unsigned long long)seed, more - 1);
        int halts = more < SERIN_ENGINE_MORE_MAX ? any_halts(&bench, &may, more) : -1;
        ck_assert_msg(halts != 0, "seed %llu: %u do not halt it", (unsigned long long)seed, more);
        told += halts == 1;
        mixed += halts == 1 && may.accepted_count > 0 && may.accepted_count < more;
        bench_free(&bench);
    }
    ck_assert_uint_gt(told, 200);
    ck_assert_uint_gt(mixed, 5);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        three_failures_of_three_are_enough,
        it_halts_at_the_limit_and_not_below,
        devices_that_are_still_at_it_count_as_well,
        the_order_of_reports_changes_nothing,
        old_good_evidence_masks_no_change,
        a_release_at_the_accepted_rate_is_hardly_ever_halted,
        what_fails_often_is_found_within_a_few,
        what_goes_wrong_in_the_soak_is_evidence_over_all_stages,
        a_stage_is_accepted_as_soon_as_enough_are_well,
        an_undecided_stage_is_held_until_an_operator_goes_on,
        a_held_stage_halts_on_further_failures,
        each_stage_is_accepted_by_its_own_devices,
        a_held_stage_goes_on_by_later_evidence,
        a_small_stage_passes_unless_it_leans_against_the_release,
        a_held_last_stage_completes_by_advance,
        a_pause_of_a_held_stage_accepts_nothing,
        failures_accepted_as_a_gateways_are_no_evidence,
        what_failed_elsewhere_during_the_pause_is_not_accepted,
        silence_weighs_less_where_the_control_group_is_silent_too,
        the_view_tells_how_many_failures_would_halt,
        the_view_tells_the_least_number_of_failures_that_halts,
        NULL,
    };
    return check_run("engine_test", tests);
}
