/*
 * Random rollouts under random gates: after every step each gate is recounted from the members
 * alone, in other words than the engine's, and the rollout must stand where the recount says
 * (docs/spec/rollout.md, sections 5, 6 and 10).
 *
 * Caught: a figure not taken off when a member leaves its state; a gate asked in some states only;
 * a failure judged twice, or never again; a pause where another revision failed, too.
 */
#include "check_main.h"
#include "engine_bench.h"

#include <math.h>
#include <string.h>

#define FLEET 60u
#define STEPS 250u
#define WALKS 400u

static uint16_t revisions[FLEET];

static uint16_t hardware(const void *sites, uint32_t device)
{
    (void)sites;
    return revisions[device];
}

/* ---- the recount ---- */

struct recount {
    uint32_t offered, waiting, resolved, failed, rolled_back, boots, stayed, regressed;
    uint32_t reasons[SERIN_REASON_COUNT];
    uint32_t failed_of[4], resolved_of[4]; /* by revision; 0 is unknown */
};

static bool is_boot(uint8_t reason)
{
    static const char *const words[] = {"crash", "watchdog", "not_confirmed", "boot_verify",
                                        "power"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(serin_reason_word((enum serin_reason)reason), words[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void recount_end(struct recount *r, const struct serin_member *member)
{
    enum serin_state state = (enum serin_state)member->state;
    bool later = state == SERIN_STATE_REGRESSED || state == SERIN_STATE_REVERTED;
    bool failed = state != SERIN_STATE_CONFIRMED;
    r->resolved++;
    r->failed += failed;
    r->rolled_back += state == SERIN_STATE_ROLLED_BACK;
    r->boots += state == SERIN_STATE_ROLLED_BACK && is_boot(member->reason);
    r->stayed += !failed || later;
    r->regressed += later;
    r->reasons[member->reason] += failed;
    r->resolved_of[revisions[member->device]]++;
    r->failed_of[revisions[member->device]] += failed;
}

static struct recount recount(const struct bench *bench)
{
    struct recount r = {0};
    for (uint32_t i = 0; i < bench->members.count; i++) {
        const struct serin_member *member = &bench->members.list[i];
        if (bench->rollout.stage == 0 || member->rank > bench->rollout.threshold) {
            continue;
        }
        r.offered++;
        switch ((enum serin_state)member->state) {
        case SERIN_STATE_CONFIRMED:
        case SERIN_STATE_ROLLED_BACK:
        case SERIN_STATE_FAILED:
        case SERIN_STATE_TIMED_OUT:
        case SERIN_STATE_REGRESSED:
        case SERIN_STATE_REVERTED:
            recount_end(&r, member);
            break;
        case SERIN_STATE_REJECTED:
            if (member->reason != SERIN_REASON_NOT_NEWER) {
                recount_end(&r, member);
            }
            break;
        case SERIN_STATE_IDLE:
        case SERIN_STATE_PENDING:
        case SERIN_STATE_DOWNLOADING:
        case SERIN_STATE_VERIFYING:
        case SERIN_STATE_STAGED:
        case SERIN_STATE_TRIAL:
            r.waiting++;
            break;
        case SERIN_STATE_SUPERSEDED:
        case SERIN_STATE_CANCELLED:
        case SERIN_STATE_UNREACHED:
        case SERIN_STATE_INVALID:
        case SERIN_STATE_COUNT:
            break;
        }
    }
    return r;
}

static bool exceeds(const struct serin_gate_policy *gate, uint32_t bad, uint32_t of, bool waits)
{
    bool enough = !waits || of >= gate->minimum;
    return enough && of > 0 && (double)bad / of > gate->max_permyriad / 10000.0 + 1e-9;
}

static bool trips(const struct serin_policy *policy, const struct recount *r, bool waits)
{
    const struct serin_gate_policy *gates = policy->gates;
    for (size_t i = 0; i < policy->reason_count; i++) {
        if (exceeds(&policy->reasons[i].gate, r->reasons[policy->reasons[i].reason], r->resolved,
                    true)) {
            return true;
        }
    }
    return exceeds(&gates[SERIN_GATE_FAILURES], r->failed, r->resolved, waits) ||
           exceeds(&gates[SERIN_GATE_BOOTS], r->boots, r->stayed + r->boots, waits) ||
           exceeds(&gates[SERIN_GATE_ROLLBACKS], r->rolled_back, r->resolved, waits) ||
           exceeds(&gates[SERIN_GATE_REGRESSIONS], r->regressed, r->stayed, true);
}

/* Whether all failures are of one known revision, at least two, as many are well elsewhere, and
 * chance would do that once in a hundred times or less. */
static bool is_alone(const struct recount *r)
{
    for (uint32_t revision = 1; revision < 4; revision++) {
        if (r->failed_of[revision] == r->failed) {
            double chance = pow((double)r->resolved_of[revision] / r->resolved, r->failed);
            return r->failed >= 2 && r->resolved - r->resolved_of[revision] >= r->failed &&
                   chance <= 0.01;
        }
    }
    return false;
}

/* ---- the walk ---- */

static bool is_going(const struct serin_rollout *rollout)
{
    return rollout->state == SERIN_ROLLOUT_AWAITING || rollout->state == SERIN_ROLLOUT_ROLLING ||
           rollout->state == SERIN_ROLLOUT_SOAKING || rollout->state == SERIN_ROLLOUT_PAUSED;
}

static void check(const struct bench *bench, const struct serin_rollout *before, uint64_t walk)
{
    const struct serin_rollout *after = &bench->rollout;
    struct recount r = recount(bench);
    ck_assert_uint_eq(after->rolled_back, r.rolled_back);
    ck_assert_uint_eq(after->boots, r.boots);
    if (!is_going(before)) {
        return;
    }
    enum serin_rollout_state state = after->state;
    if (state == SERIN_ROLLOUT_PAUSED) {
        state = after->resume_to;
    } else if (state == SERIN_ROLLOUT_HALTED) {
        state = before->state == SERIN_ROLLOUT_PAUSED ? before->resume_to : before->state;
    }
    bool waits = state == SERIN_ROLLOUT_ROLLING && r.waiting > 0;
    bool against = r.failed > before->judged && trips(&after->policy, &r, waits);
    bool halts = against && !is_alone(&r);
    bool pauses = against && is_alone(&r);
    ck_assert_msg((after->state == SERIN_ROLLOUT_HALTED) == halts, "walk %u: %s, not %s: %s",
                  (unsigned)walk, serin_rollout_state_text(after->state),
                  halts ? "halted" : "going on", after->why);
    bool rests = after->state == SERIN_ROLLOUT_PAUSED;
    ck_assert_msg(!pauses || rests, "walk %u: %s, not paused", (unsigned)walk,
                  serin_rollout_state_text(after->state));
    ck_assert(!rests || before->state == SERIN_ROLLOUT_PAUSED || pauses);
    ck_assert(!pauses || after->judged == r.failed);
}

static struct serin_gate_policy random_gate(uint64_t *seed)
{
    static const uint32_t limits[] = {0, 300, 1000, 2500, 5000, 10000};
    return (struct serin_gate_policy){.max_permyriad = limits[bench_random(seed) % 6],
                                      .minimum = (uint32_t)(bench_random(seed) % 25 + 1)};
}

static struct serin_policy random_policy(uint64_t *seed)
{
    struct serin_policy policy = bench_policy();
    for (size_t gate = SERIN_GATE_FAILURES; gate <= SERIN_GATE_REGRESSIONS; gate++) {
        policy.gates[gate] = random_gate(seed);
    }
    policy.reason_count = 1;
    policy.reasons[0].reason = SERIN_REASON_CRASH;
    policy.reasons[0].gate = random_gate(seed);
    policy.ramp.first = 0;
    policy.test = (struct serin_test_policy){.accepted_permyriad = 8900,
                                             .rejected_permyriad = 9000,
                                             .alpha_permyriad = 1,
                                             .beta_permyriad = 2000};
    return policy;
}

/* Something happens to one of the devices offered, mostly nothing bad; where the image is picky, to
 * one revision only. */
static void befall(struct bench *bench, uint64_t *seed, unsigned luck, bool picky)
{
    static const enum serin_reason reasons[] = {SERIN_REASON_CRASH, SERIN_REASON_WATCHDOG,
                                                SERIN_REASON_HEALTH, SERIN_REASON_FLASH,
                                                SERIN_REASON_NOT_NEWER};
    static const enum serin_state ends[] = {SERIN_STATE_ROLLED_BACK, SERIN_STATE_FAILED,
                                            SERIN_STATE_REJECTED,    SERIN_STATE_REGRESSED,
                                            SERIN_STATE_REVERTED,    SERIN_STATE_CANCELLED};
    uint32_t offered = bench->rollout.tally.offered;
    if (offered == 0) {
        return;
    }
    uint32_t member = (uint32_t)(bench_random(seed) % offered);
    bool spared = picky && revisions[bench->members.list[member].device] != 2;
    bool good = spared || bench_random(seed) % 100 < luck;
    enum serin_state state =
        good ? (bench_random(seed) % 3 == 0 ? SERIN_STATE_PENDING : SERIN_STATE_CONFIRMED)
             : ends[bench_random(seed) % 6];
    enum serin_reason reason = good ? SERIN_REASON_NONE : reasons[bench_random(seed) % 5];
    ck_assert_int_eq(bench_member(bench, member, state, reason), SERIN_OK);
}

/* What befell the walks, so that one which proves nothing is seen. */
static unsigned halted, paused, completed;

static void walk(uint64_t number)
{
    uint64_t seed = number;
    struct serin_policy policy = random_policy(&seed);
    if (number % 2 == 0) { /* several can fail before a gate trips, and the first stage is large */
        policy.gates[SERIN_GATE_FAILURES] =
            (struct serin_gate_policy){.max_permyriad = 1000, .minimum = 20};
        for (size_t gate = SERIN_GATE_BOOTS; gate <= SERIN_GATE_REGRESSIONS; gate++) {
            policy.gates[gate].max_permyriad = 10000;
        }
        policy.reasons[0].gate.max_permyriad = 10000;
        policy.stage_count = 2;
        policy.stages[0].permyriad = 5000;
        policy.stages[1] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = BENCH_SOAK_S};
    }
    struct bench bench;
    bench_make(&bench, &policy, FLEET, number);
    bench.check = false; /* its recount knows one gate, and no revisions */
    bench.members.site = NULL;
    bench.members.hardware = hardware;
    for (uint32_t i = 0; i < FLEET; i++) {
        /* A picky image's revision is rare enough that chance is no excuse. */
        revisions[i] = (uint16_t)(bench_random(&seed) % (number % 2 == 0 ? 8 : 4));
        revisions[i] = revisions[i] < 4 ? revisions[i] : 1;
    }
    unsigned luck = number % 2 == 0 ? 40 : 80 + (unsigned)(bench_random(&seed) % 20);
    bench_do(&bench, SERIN_ROLLOUT_START);
    for (unsigned i = 0; i < STEPS; i++) {
        struct serin_rollout before = bench.rollout;
        if (before.state == SERIN_ROLLOUT_PAUSED && bench_random(&seed) % 4 == 0) {
            bench_do(&bench, SERIN_ROLLOUT_RESUME);
        } else if (bench_random(&seed) % 4 == 0) {
            bench.now_ms += bench_random(&seed) % 300000;
            bench_do(&bench, SERIN_ROLLOUT_TICK);
        } else {
            befall(&bench, &seed, luck, number % 2 == 0);
        }
        check(&bench, &before, number);
        paused +=
            bench.rollout.state == SERIN_ROLLOUT_PAUSED && before.state != SERIN_ROLLOUT_PAUSED;
    }
    halted += bench.rollout.state == SERIN_ROLLOUT_HALTED;
    completed += bench.rollout.state == SERIN_ROLLOUT_COMPLETED;
    bench_free(&bench);
}

START_TEST(a_rollout_stands_where_a_recount_says)
{
    for (uint64_t number = 1; number <= WALKS; number++) {
        walk(number);
    }
    ck_assert_msg(halted > 100 && paused > 10 && completed > 2,
                  "%u halted, %u paused, %u completed", halted, paused, completed);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_rollout_stands_where_a_recount_says, NULL};
    return check_run("engine_gates_walk", tests);
}
