/*
 * Stages of thousands behind gateways: the engine looks only now and then where those stand that
 * resolved, and must stop all the same where a count after every report says so
 * (docs/spec/rollout.md, section 6).
 *
 * Caught: failures since the last look that are not taken from the margin; a margin that no gateway
 * takes from; a look whose figures grow old.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <string.h>

#define FLEET    6000u
#define GATEWAYS 40u
#define SEEDS    60u

/* What a story is about. Shares in a thousandth. */
struct story {
    uint32_t limit, minimum;
    uint32_t largest;         /* of the devices: behind gateway 1 */
    uint32_t direct;          /* of the others: behind none */
    uint32_t largest_fails;   /* of those behind gateway 1 */
    uint32_t elsewhere_fails; /* of all others */
    bool largest_first;       /* those behind gateway 1 are heard first */
};

/* Counted apart from the engine, report by report. */
struct count {
    uint32_t resolved[GATEWAYS + 1], failed[GATEWAYS + 1];
};

static struct serin_policy policy_of(const struct story *story)
{
    struct serin_policy policy = bench_policy();
    policy.stage_count = 1;
    policy.stages[0] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = BENCH_SOAK_S};
    policy.ramp.first = 0;
    for (size_t gate = SERIN_GATE_FAILURES; gate < SERIN_GATE_COUNT; gate++) {
        policy.gates[gate].max_permyriad = 10000;
    }
    policy.gates[SERIN_GATE_FAILURES] =
        (struct serin_gate_policy){.max_permyriad = story->limit, .minimum = story->minimum};
    policy.test = (struct serin_test_policy){.accepted_permyriad = 8900,
                                             .rejected_permyriad = 9000,
                                             .alpha_permyriad = 1,
                                             .beta_permyriad = 2000};
    return policy;
}

static bool exceeds(const struct story *story, uint32_t failed, uint32_t resolved, bool waits)
{
    return (!waits || resolved >= story->minimum) &&
           (uint64_t)failed * 10000u > (uint64_t)story->limit * resolved;
}

/* Whether the gate trips on all, or without the gateway that has most of those that resolved, if it
 * is one and has more than a ninth; `any`: without any gateway. */
static bool trips(const struct story *story, const struct count *count, bool waits, bool any)
{
    uint32_t resolved = count->resolved[0];
    uint32_t failed = count->failed[0];
    uint32_t behind = 0;
    uint32_t most = 1;
    for (uint32_t site = 1; site <= GATEWAYS; site++) {
        resolved += count->resolved[site];
        failed += count->failed[site];
        behind += count->resolved[site];
        most = count->resolved[site] > count->resolved[most] ? site : most;
    }
    bool found = exceeds(story, failed, resolved, waits);
    for (uint32_t site = 1; site <= GATEWAYS && failed > 0; site++) {
        bool tied = site != most && count->resolved[site] == count->resolved[most];
        found = found || ((any || (site == most && count->resolved[site] * 9u > behind)) &&
                          exceeds(story, failed - count->failed[site],
                                  resolved - count->resolved[site], waits));
        if (tied && !any) {
            return exceeds(story, failed, resolved, waits); /* either may be taken for the most */
        }
    }
    return found && failed > 0;
}

static struct story random_story(uint64_t *seed)
{
    static const uint32_t limits[] = {200, 500, 1000};
    static const uint32_t minima[] = {1, 50, 1500};
    struct story story = {
        .limit = limits[bench_random(seed) % 3],
        .minimum = minima[bench_random(seed) % 3],
        .largest = (uint32_t)(100 + bench_random(seed) % 850),
        .direct = (uint32_t)(bench_random(seed) % 1000),
        .largest_first = bench_random(seed) % 3 == 0,
    };
    /* Elsewhere the rate is near the limit, so that what is found lies at its edge. */
    story.elsewhere_fails = story.limit / 10u * (uint32_t)(60 + bench_random(seed) % 60) / 100u;
    story.largest_fails = (uint32_t)(bench_random(seed) % (story.limit / 20u + 1u));
    return story;
}

/* Places of the members in the order in which they are heard. */
static void order_members(const struct bench *bench, const struct story *story, uint64_t *seed,
                          uint32_t order[FLEET])
{
    for (uint32_t i = 0; i < FLEET; i++) {
        order[i] = i;
    }
    for (uint32_t i = FLEET - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(bench_random(seed) % (i + 1));
        uint32_t place = order[i];
        order[i] = order[j];
        order[j] = place;
    }
    uint32_t first = 0;
    for (uint32_t i = 0; story->largest_first && i < FLEET; i++) {
        if (bench_site(bench, order[i]) == 1) {
            uint32_t place = order[i];
            order[i] = order[first];
            order[first++] = place;
        }
    }
}

static void make_fleet(struct bench *bench, const struct story *story, uint64_t *seed)
{
    static uint32_t sites[FLEET];
    struct serin_policy policy = policy_of(story);
    bench_make(bench, &policy, FLEET, *seed);
    bench->check = false;
    for (uint32_t i = 0; i < FLEET; i++) {
        bool largest = bench_random(seed) % 1000 < story->largest;
        bool direct = bench_random(seed) % 1000 < story->direct;
        sites[i] = largest ? 1 : direct ? 0 : (uint32_t)(2 + bench_random(seed) % (GATEWAYS - 1));
    }
    bench_sites(bench, sites, FLEET);
    bench_do(bench, SERIN_ROLLOUT_START);
    for (uint32_t i = 0; i < FLEET; i++) {
        bench_set(bench, i, SERIN_STATE_PENDING);
    }
}

/* What befell the stories, so that one which proves nothing is seen. */
static unsigned stopped, at_once, passed;

static void live(uint64_t number)
{
    static uint32_t order[FLEET];
    uint64_t seed = number;
    struct story story = random_story(&seed);
    struct bench bench;
    struct count count = {0};
    uint32_t due = 0; /* resolved when it was to stop */
    make_fleet(&bench, &story, &seed);
    order_members(&bench, &story, &seed, order);
    uint32_t i = 0;
    while (i < FLEET && bench.rollout.state == SERIN_ROLLOUT_ROLLING) {
        uint32_t site = bench_site(&bench, order[i]);
        bool fails =
            bench_random(&seed) % 1000 < (site == 1 ? story.largest_fails : story.elsewhere_fails);
        count.resolved[site]++;
        count.failed[site] += fails;
        if (fails) {
            bench_fail(&bench, order[i++]);
        } else {
            bench_set(&bench, order[i++], SERIN_STATE_CONFIRMED);
        }
        due = due == 0 && trips(&story, &count, i < FLEET, false) ? i : due;
        bool late = due != 0 && i > due + due / 32 + 1;
        ck_assert_msg(!late || bench.rollout.state != SERIN_ROLLOUT_ROLLING,
                      "story %u goes on after %u, though %u were enough", (unsigned)number, i, due);
    }
    bool stops =
        bench.rollout.state == SERIN_ROLLOUT_HALTED || bench.rollout.state == SERIN_ROLLOUT_PAUSED;
    ck_assert_msg(!stops || trips(&story, &count, i < FLEET, true), "story %u stops after %u: %s",
                  (unsigned)number, i, bench.rollout.why);
    ck_assert_msg(stops || !trips(&story, &count, false, false), "story %u passes",
                  (unsigned)number);
    stopped += stops;
    at_once += stops && due == i;
    passed += !stops;
    bench_free(&bench);
}

START_TEST(what_one_gateway_hides_is_found_in_a_large_stage)
{
    for (uint64_t number = 1; number <= SEEDS; number++) {
        live(number);
    }
    ck_assert_msg(stopped >= 20 && at_once * 4 >= stopped * 3 && passed >= 10,
                  "%u stopped, %u at once, %u passed", stopped, at_once, passed);
}
END_TEST

/* Devices that move from one gateway to another are seen before the stage passes. Caught: a look
 * that is not repeated on a TICK. */
START_TEST(who_moves_is_seen_before_the_stage_passes)
{
    struct story story = {.limit = 200, .minimum = 1, .largest = 0};
    struct bench bench;
    uint64_t seed = 7;
    make_fleet(&bench, &story, &seed);
    for (uint32_t i = FLEET; i > 0; i--) { /* those that fail are the last */
        if (i <= 40) {
            bench_behind(&bench, i - 1, 0);
            bench_fail(&bench, i - 1);
        } else {
            bench_set(&bench, i - 1, SERIN_STATE_CONFIRMED);
        }
    }
    ck_state(&bench, "soaking");
    bench.now_ms += 350000;
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    for (uint32_t i = 500; i < FLEET; i++) {
        bench_behind(&bench, i, 9); /* 40 of 500 elsewhere */
    }
    bench.now_ms += BENCH_SOAK_MS - 350000;
    bench_do(&bench, SERIN_ROLLOUT_TICK);
    ck_state(&bench, "halted");
    ck_assert(bench_said(&bench, "not counting gateway gw-9"));
    bench_free(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_one_gateway_hides_is_found_in_a_large_stage,
        who_moves_is_seen_before_the_stage_passes,
        NULL,
    };
    return check_run("engine_site_lazy", tests);
}
