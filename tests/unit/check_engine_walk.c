/*
 * The rollout engine over long random walks: restarts, steps taken back, joiners, jumps, gateways;
 * and that a restart changes nothing.
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <stddef.h>
#include <string.h>

#define WALKS 48

/* ---- restarts, and steps taken back ---- */

/* What a store would give back: the rollout without what is derived, members in another order. */
static void restart(struct bench *bench, uint64_t seed)
{
    struct serin_rollout was = bench->rollout;
    for (uint32_t i = bench->members.count; i > 1; i--) {
        uint32_t j = (uint32_t)(bench_random(&seed) % i);
        struct serin_member swap = bench->members.list[j];
        bench->members.list[j] = bench->members.list[i - 1];
        bench->members.list[i - 1] = swap;
    }
    for (uint32_t i = 0; i < bench->members.count; i++) {
        bench->members.list[i].stage = 0;
    }
    memset(&bench->rollout.tally, 0xEE, sizeof bench->rollout.tally);
    memset(bench->rollout.reasons, 0xEE, sizeof bench->rollout.reasons);
    memset(&bench->rollout.evidence, 0xEE, sizeof bench->rollout.evidence);
    bench->rollout.late = bench->rollout.sweep_next = 77;
    bench->rollout.sweeping = true;
    bench->rollout.reports_up = false;
    serin_rollout_rebuild(&bench->rollout, &bench->members);
    ck_assert_mem_eq(&was.tally, &bench->rollout.tally, sizeof was.tally);
    ck_assert_mem_eq(was.reasons, bench->rollout.reasons, sizeof was.reasons);
    ck_assert_uint_eq(was.late, bench->rollout.late);
    ck_assert_mem_eq(&was.evidence, &bench->rollout.evidence,
                     offsetof(struct serin_evidence, against));
    ck_assert_double_le(bench->rollout.evidence.against, was.evidence.against * (1 + 1e-9));
    ck_assert_mem_eq(bench->shadow, bench->members.list,
                     bench->members.count * sizeof *bench->shadow);
    bench_do(bench, SERIN_ROLLOUT_REPORTS_UP);
}

/* ---- the walk ---- */

static void take_back(struct bench *bench, const struct serin_rollout_event *event)
{
    struct serin_rollout before = bench->rollout;
    static struct serin_rollout_actions actions;
    if (serin_rollout_step(&bench->rollout, &bench->members, bench->now_ms, event, &actions) ==
        SERIN_OK) {
        serin_rollout_undo(&bench->rollout, &before, &bench->members, &actions);
    }
    ck_assert_mem_eq(&before, &bench->rollout, sizeof before);
    ck_assert_mem_eq(bench->shadow, bench->members.list,
                     bench->members.count * sizeof *bench->shadow);
}

static struct serin_rollout_event random_event(struct bench *bench, uint64_t *seed)
{
    static const enum serin_state states[] = {
        SERIN_STATE_PENDING,     SERIN_STATE_DOWNLOADING, SERIN_STATE_TRIAL,
        SERIN_STATE_CONFIRMED,   SERIN_STATE_CONFIRMED,   SERIN_STATE_CONFIRMED,
        SERIN_STATE_CONFIRMED,   SERIN_STATE_CONFIRMED,   SERIN_STATE_ROLLED_BACK,
        SERIN_STATE_CANCELLED,   SERIN_STATE_REJECTED,    SERIN_STATE_REGRESSED,
        SERIN_STATE_DOWNLOADING, SERIN_STATE_CONFIRMED,   SERIN_STATE_SUPERSEDED};
    static const enum serin_rollout_event_kind rare[] = {
        SERIN_ROLLOUT_REPORTS_DOWN, SERIN_ROLLOUT_REPORTS_UP, SERIN_ROLLOUT_PAUSE,
        SERIN_ROLLOUT_RESUME,       SERIN_ROLLOUT_ADVANCE,    SERIN_ROLLOUT_REPORTS_UP,
        SERIN_ROLLOUT_RESUME,       SERIN_ROLLOUT_START,      SERIN_ROLLOUT_RETRY};
    uint64_t dice = bench_random(seed);
    struct serin_rollout_event event = {.kind = SERIN_ROLLOUT_TICK};
    if (dice % 16 < 9) {
        uint32_t span = bench->rollout.tally.offered + 2;
        event.kind = SERIN_ROLLOUT_MEMBER;
        event.member =
            (uint32_t)(dice >> 8) % (span < bench->members.count ? span : bench->members.count);
        event.state = states[(dice >> 40) % (sizeof states / sizeof states[0])];
        event.reason = (enum serin_reason)(1 + (dice >> 48) % (SERIN_REASON_COUNT - 1));
    } else if (dice % 16 < 11) {
        event.kind = rare[(dice >> 8) % (sizeof rare / sizeof rare[0])];
    }
    return event;
}

/* Puts devices behind gateways: in some walks none, in others nearly all behind the first. */
static void settle_down(struct bench *bench, uint64_t *seed, bool sick)
{
    uint64_t style = sick ? 2 : bench_random(seed) % 4;
    for (uint32_t i = 0; style > 0 && i < bench->members.count; i++) {
        uint64_t dice = bench_random(seed);
        bench_behind(bench, i, dice % 8 < 2 * style ? 1 + (uint32_t)(dice >> 8) % 2 : 0);
    }
}

/* In a sick walk only what stands behind the first gateway fails. */
static void ail(const struct bench *bench, struct serin_rollout_event *event)
{
    bool failing = event->state == SERIN_STATE_ROLLED_BACK ||
                   event->state == SERIN_STATE_REJECTED || event->state == SERIN_STATE_REGRESSED;
    if (event->kind == SERIN_ROLLOUT_MEMBER && failing && bench_site(bench, event->member) != 1) {
        event->state = SERIN_STATE_CONFIRMED;
    }
    if (event->kind == SERIN_ROLLOUT_RETRY) {
        event->kind = SERIN_ROLLOUT_TICK; /* it would cure them */
    }
}

/* The policy of a walk: in some stages open whole and nothing is tested, as the first engine had
 * it; in others exposure ramps, is tested, has hours and a rate. */
static struct serin_policy walk_policy(int walk)
{
    struct serin_policy policy = bench_policy();
    policy.gates[SERIN_GATE_FAILURES].max_permyriad = walk % 3 == 0 ? 200 : 6000;
    policy.stages[2].approval = walk % 2 == 0;
    policy.patience_s = 60;
    policy.deadline_s = 90;
    if (walk % 4 == 1) {
        policy.gates[SERIN_GATE_FAILURES] =
            (struct serin_gate_policy){.max_permyriad = 500, .minimum = 20};
    }
    if (walk % 2 == 0) {
        policy.ramp = (struct serin_ramp_policy){
            .first = 1 + (uint32_t)walk % 5, .growth_percent = 30, .settle_s = 20};
        policy.test = (struct serin_test_policy){.accepted_permyriad = 2000,
                                                 .rejected_permyriad = 5000,
                                                 .alpha_permyriad = 100 * (1 + (uint32_t)walk % 7),
                                                 .beta_permyriad = 500,
                                                 .small_stages_hold = walk % 8 == 0};
        for (size_t i = SERIN_GATE_FAILURES; i < SERIN_GATE_COUNT; i++) {
            policy.gates[i].max_permyriad = 10000; /* off */
        }
    }
    policy.rate_per_hour = walk % 6 == 2 ? 500 : 0;
    policy.in_flight_max = walk % 6 == 4 ? 7 : 0;
    if (walk % 10 == 6) {
        policy.start_s = BENCH_START_MS / 1000 + 100;
        policy.window_count = 2;
        policy.windows[0] = (struct serin_window){.days = 127, .from_min = 0, .until_min = 720};
        policy.windows[1] = (struct serin_window){.days = 127, .from_min = 780, .until_min = 10};
    }
    return policy;
}

/* Thousands of events of every kind, joiners, restarts and steps taken back; the bench checks
 * books, ends, publishes and thresholds after each. Caught: `other` not taken off when a member is
 * booked again; undo without the covered members; late joiners kept through a stage; a sweep that
 * resumes at an index of before a joiner. A failure names the seed, which is the walk's number. */
START_TEST(a_random_walk_keeps_every_promise)
{
    uint64_t seed = (uint64_t)_i + 1;
    struct serin_policy policy = walk_policy(_i);
    bool sick = _i % 4 == 1;
    unsigned site_pauses = 0;
    unsigned farthest = 0;
    struct bench bench = {.now_ms = 0};
    int over = 1; /* events since the rollout ended: after a while of them the next one begins */
    for (int i = 0; i < 6000; i++) {
        over += over > 0 || bench.rollout.ended_ms > 0 ? 1 : 0;
        if (i == 0 || over > 150) {
            site_pauses += bench.site_pauses;
            bench_free(&bench);
            bench_make(&bench, &policy, 1 + (uint32_t)(bench_random(&seed) % 300), seed);
            settle_down(&bench, &seed, sick);
            bench_do(&bench, SERIN_ROLLOUT_START);
            over = 0;
        }
        struct serin_rollout_event event = random_event(&bench, &seed);
        if (sick) {
            ail(&bench, &event);
        }
        uint64_t dice = bench_random(&seed);
        take_back(&bench, &event);
        enum serin_error error = event.kind == SERIN_ROLLOUT_MEMBER
                                     ? bench_member(&bench, event.member, event.state, event.reason)
                                     : bench_send(&bench, event.kind);
        ck_assert_msg(error == SERIN_OK || error == SERIN_ERR_STATE, "walk %d, event %d", _i, i);
        farthest = bench.rollout.stage > farthest ? bench.rollout.stage : farthest;
        bench.now_ms += dice % 1000 == 0 ? 3600000 : dice % 5000;
        bench.now_ms -= (dice >> 20) % 500 == 0 ? 7200000 : 0;
        if ((dice >> 32) % 200 == 0 && bench.members.count < bench.capacity) {
            bench_join(&bench, bench_random(&seed));
        }
        if ((dice >> 40) % 100 == 0) {
            restart(&bench, dice);
        }
        if ((dice >> 48) % 200 == 0) { /* a device moves */
            bench_behind(&bench, (uint32_t)dice % bench.members.count, (uint32_t)(dice >> 56) % 3);
        }
    }
    ck_assert_msg(_i % 2 == 1 || policy.window_count > 0 || farthest >= 2,
                  "walk %d never got beyond its first stage", _i);
    ck_assert_msg(!sick || site_pauses > 0, "walk %d never saw a site fail alone", _i);
    bench_free(&bench);
}
END_TEST

/* Two engines, one of which restarts after every event, end the same. */
START_TEST(a_restart_changes_nothing)
{
    struct serin_policy policy = bench_policy();
    struct bench one, two;
    bench_make(&one, &policy, 200, 60);
    bench_make(&two, &policy, 200, 60);
    uint64_t seed = 61;
    bench_do(&one, SERIN_ROLLOUT_START);
    bench_do(&two, SERIN_ROLLOUT_START);
    for (int i = 0; i < 2000; i++) {
        uint64_t dice = bench_random(&seed);
        uint32_t member = (uint32_t)(dice % (one.rollout.tally.offered + 1)) % 200;
        enum serin_state state = dice >> 32 & 1 ? SERIN_STATE_CONFIRMED : SERIN_STATE_DOWNLOADING;
        bench_set(&one, member, state);
        bench_set(&two, member, state);
        bench_do(&one, SERIN_ROLLOUT_TICK);
        bench_do(&two, SERIN_ROLLOUT_TICK);
        two.rollout.reports_up = false;
        restart(&two, dice);
        bench_settle(&one);
        bench_settle(&two);
        one.now_ms += 1500;
        two.now_ms += 1500;
    }
    ck_assert_int_eq(one.rollout.state, two.rollout.state);
    ck_assert_uint_eq(one.rollout.stage, two.rollout.stage);
    ck_assert_uint_eq(one.rollout.threshold, two.rollout.threshold);
    ck_assert_uint_eq(one.publishes, two.publishes);
    ck_assert_mem_eq(&one.rollout.tally, &two.rollout.tally, sizeof one.rollout.tally);
    ck_assert_uint_gt(one.rollout.stage, 2); /* it went somewhere */
    bench_free(&one);
    bench_free(&two);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine_walk");
    TCase *each = tcase_create("each");
    tcase_set_timeout(each, 60);
    tcase_add_test(each, a_restart_changes_nothing);
    tcase_add_loop_test(each, a_random_walk_keeps_every_promise, 0, WALKS);
    suite_add_tcase(suite, each);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
