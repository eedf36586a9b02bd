/*
 * Silence and errors in fleets too small for a gate's minimum: nothing halts, and nothing passes
 * (docs/spec/rollout.md, section 5).
 *
 * Each test names the mutation of the engine that it was seen to catch.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <string.h>

#define HOUR_MS UINT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)
#define FLEET   400u

static struct serin_health health[FLEET]; /* by device */
static bool dead[FLEET];
static uint64_t errors[FLEET], rate[FLEET];

static struct serin_policy few_policy(void)
{
    struct serin_policy policy = bench_policy();
    for (size_t i = 0; i < policy.stage_count; i++) {
        policy.stages[i].soak_s = 86400;
    }
    policy.gates[SERIN_GATE_SILENCE] = (struct serin_gate_policy){500, 30};
    policy.gates[SERIN_GATE_ERRORS] = (struct serin_gate_policy){500, 30};
    policy.ramp.first = 0;
    policy.patience_s = 86400;
    policy.deadline_s = 86400;
    return policy;
}

static void beat_all(struct bench *bench)
{
    for (uint32_t d = 0; d < bench->members.count; d++) {
        errors[d] += rate[d];
        struct serin_health_beat beat = {.interval_s = 3600,
                                         .uptime_s = (bench->now_ms - BENCH_START_MS) / 1000 + 3600,
                                         .errors = errors[d]};
        if (!dead[d]) {
            serin_health_beat(&health[d], bench->now_ms / 1000, &beat,
                              bench->rollout.state != SERIN_ROLLOUT_CREATED);
        }
    }
}

static void hours(struct bench *bench, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        bench_pass(bench, HOUR_MS);
        beat_all(bench);
    }
}

/* A fleet that was heard for five hours, of which the first stage is offered a release. */
static void make_few(struct bench *bench, const struct serin_policy *policy, uint32_t count)
{
    memset(health, 0, sizeof health);
    memset(dead, 0, sizeof dead);
    memset(errors, 0, sizeof errors);
    memset(rate, 0, sizeof rate);
    bench_make(bench, policy, count, count);
    bench->check = false;
    bench->members.health = health;
    hours(bench, 5);
    bench_do(bench, SERIN_ROLLOUT_START);
}

/* Everybody who was offered it confirms, and dies of it, or counts errors from then on. */
static void update(struct bench *bench, bool dies)
{
    for (uint32_t i = 0; i < bench->rollout.tally.offered; i++) {
        uint32_t device = bench->members.list[i].device;
        if (bench->members.list[i].state == SERIN_STATE_IDLE) {
            bench_set(bench, i, SERIN_STATE_PENDING);
            bench_set(bench, i, SERIN_STATE_CONFIRMED);
            dead[device] = dies;
            rate[device] = dies ? 0 : 1000;
        }
    }
}

/* Caught: fewer than the minimum pass; one device that is not enough; a small control group that
 * lets them pass; ERRORS left out. */
START_TEST(no_fleet_is_too_small_to_be_held)
{
    static const uint32_t fleets[] = {2, 20, 50, 60, 100, 300};
    for (size_t f = 0; f < 2 * sizeof fleets / sizeof fleets[0]; f++) {
        struct serin_policy policy = few_policy();
        struct bench bench;
        make_few(&bench, &policy, fleets[f / 2]);
        for (unsigned day = 0; day < 20; day++) {
            update(&bench, f % 2 == 0);
            hours(&bench, 24);
            ck_assert_uint_eq(bench.rollout.stage, 1);
        }
        ck_assert(bench.rollout.held);
        ck_assert(bench_said(&bench, f % 2 == 0 ? " updated fell silent, "
                                                : " updated count more errors, "));
        bench_free(&bench);
    }
}
END_TEST

/* An operator goes on from a stage of dead devices, and those of the next are well: the dead count
 * until the minimum is reached. Caught: only those asked that fell silent in this stage. */
START_TEST(who_fell_silent_in_an_earlier_stage_is_not_forgotten)
{
    struct serin_policy policy = few_policy();
    policy.stages[0] = (struct serin_stage_policy){.count = 6, .soak_s = 86400};
    policy.stages[1] = (struct serin_stage_policy){.count = 20, .soak_s = 86400};
    struct bench bench;
    make_few(&bench, &policy, 200);
    update(&bench, true);
    hours(&bench, 30);
    ck_assert(bench.rollout.held);
    bench_do(&bench, SERIN_ROLLOUT_ADVANCE);
    ck_assert_uint_eq(bench.rollout.stage, 2);
    bench_confirm_offered(&bench);
    hours(&bench, 30);
    ck_assert_str_eq(bench.rollout.why,
                     "held: 6 of 20 updated fell silent, 0.00 % expected (0 of 180 others) (limit "
                     "5.00 %), too few to halt (minimum 30)");
    memset(dead, 0, sizeof dead);
    hours(&bench, 2);
    ck_assert_uint_eq(bench.rollout.stage, 3); /* they are back */
    bench_free(&bench);
}
END_TEST

/* Who was silent before the rollout, and ran the release already, is nobody's. */
START_TEST(who_was_silent_before_the_rollout_holds_nothing)
{
    struct serin_policy policy = few_policy();
    struct bench bench;
    make_few(&bench, &policy, 300);
    bench_free(&bench);
    bench_make(&bench, &policy, 300, 300);
    bench.check = false;
    bench.members.health = health;
    hours(&bench, 5);
    bench.members.list[0].state = SERIN_STATE_CONFIRMED;
    bench.members.list[0].ran_before = 1;
    serin_rollout_rebuild(&bench.rollout, &bench.members);
    dead[bench.members.list[0].device] = true;
    hours(&bench, 10);
    bench.rollout.created_ms = bench.now_ms; /* it is created now */
    bench_do(&bench, SERIN_ROLLOUT_START);
    bench_confirm_offered(&bench);
    hours(&bench, 26);
    ck_assert_uint_eq(bench.rollout.stage, 2);
    bench_free(&bench);
}
END_TEST

/* The clock was a year ahead when the stage opened, and while its devices were last heard. Caught:
 * a device taken for silent since before the stage; one that is never silent, as it was heard in
 * the future. */
START_TEST(a_clock_that_is_set_right_hides_no_silence)
{
    struct serin_policy policy = few_policy();
    policy.stages[0] = (struct serin_stage_policy){.count = 100, .soak_s = 86400};
    struct bench bench;
    make_few(&bench, &policy, 400);
    update(&bench, true);
    bench_pass(&bench, 60000);
    bench.now_ms -= 365 * DAY_MS;
    for (unsigned hour = 0; hour < 30 && bench.rollout.state == SERIN_ROLLOUT_SOAKING; hour++) {
        bench_pass(&bench, HOUR_MS);
        for (uint32_t d = 0; d < bench.members.count; d++) {
            if (!dead[d]) {
                serin_health_heard(&health[d], bench.now_ms / 1000);
            }
        }
    }
    ck_state(&bench, "halted");
    ck_assert(bench_said(&bench, "halted: 100 of 100 updated fell silent"));
    bench_free(&bench);
}
END_TEST

/* The figures, counted by hand after each hour of a fleet in which devices come and go. Caught:
 * those of this stage given for all; GONE ones among the updated. */
START_TEST(the_figures_of_all_that_were_updated_are_right)
{
    uint64_t seed = 5;
    struct serin_policy policy = few_policy();
    policy.gates[SERIN_GATE_SILENCE].max_permyriad = 9900;
    struct bench bench;
    make_few(&bench, &policy, 300);
    uint64_t created_s = bench.rollout.created_ms / 1000;
    unsigned silent_seen = 0;
    for (unsigned hour = 0; hour < 24 * 6; hour++) {
        for (uint32_t i = 0; i < bench.rollout.tally.offered; i++) {
            uint32_t device = bench.members.list[i].device;
            bool idle = bench.members.list[i].state == SERIN_STATE_IDLE;
            if (idle) {
                bench_set(&bench, i, SERIN_STATE_CONFIRMED);
            }
            dead[device] = bench_random(&seed) % 20 == 0 ? !dead[device] : dead[device];
        }
        hours(&bench, 1);
        if (bench.rollout.ended_ms != 0) {
            break;
        }
        bench_pass(&bench, 900000);
        const struct serin_comparison *c = &bench.rollout.comparison;
        ck_assert_uint_gt(c->at_ms, bench.now_ms - 900000);
        uint32_t updated = 0;
        uint32_t silent = 0;
        for (uint32_t i = 0; i < bench.members.count; i++) {
            const struct serin_member *member = &bench.members.list[i];
            const struct serin_health *h = &health[member->device];
            uint64_t now_s = c->at_ms / 1000;
            bool is_silent = now_s - h->beat_s > (uint64_t)h->gap_s * 3u;
            bool before = created_s > h->beat_s && created_s - h->beat_s > (uint64_t)h->gap_s * 3u;
            if (member->state == SERIN_STATE_CONFIRMED && !(is_silent && before)) {
                updated++;
                silent += is_silent;
            }
        }
        ck_assert_uint_eq(c->ever_updated, updated);
        ck_assert_uint_eq(c->ever_silent, silent);
        silent_seen += silent > 0;
    }
    ck_assert_uint_gt(silent_seen, 20);
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        no_fleet_is_too_small_to_be_held,
        who_fell_silent_in_an_earlier_stage_is_not_forgotten,
        who_was_silent_before_the_rollout_holds_nothing,
        a_clock_that_is_set_right_hides_no_silence,
        the_figures_of_all_that_were_updated_are_right,
        NULL,
    };
    return check_run("engine_few", tests);
}
