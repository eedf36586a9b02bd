/* Beats for the bench of the rollout engine: engine_beats.h. */
#include "engine_beats.h"

#include <serin/adapters/stored_rollout.h>

#include <string.h>

struct beats beats;

struct serin_policy beats_policy(uint32_t first, unsigned soak_h, uint16_t silence_permyriad,
                                 uint32_t minimum)
{
    struct serin_policy policy = bench_policy();
    policy.stage_count = 2;
    policy.stages[0] = (struct serin_stage_policy){.count = first, .soak_s = soak_h * 3600};
    policy.stages[1] = (struct serin_stage_policy){.permyriad = 10000, .soak_s = soak_h * 3600};
    for (size_t gate = SERIN_GATE_FAILURES; gate < SERIN_GATE_COUNT; gate++) {
        policy.gates[gate] = (struct serin_gate_policy){.max_permyriad = 10000, .minimum = 1};
    }
    policy.gates[SERIN_GATE_SILENCE] = (struct serin_gate_policy){silence_permyriad, minimum};
    policy.control_minimum = 30;
    policy.patience_s = policy.deadline_s = 86400;
    return policy;
}

void beats_make(struct bench *bench, const struct serin_policy *policy, uint32_t count,
                unsigned gap_min)
{
    ck_assert_uint_le(count, BEATS_MOST);
    memset(&beats, 0, sizeof beats);
    beats.count = count;
    beats.gap_min = gap_min;
    bench_make(bench, policy, count, 1);
    bench->check = false;
    bench->members.health = beats.health;
}

void beats_start(struct bench *bench)
{
    bench_do(bench, SERIN_ROLLOUT_START);
    bench_confirm_offered(bench);
    ck_state(bench, "soaking");
}

static void beat(const struct bench *bench, uint32_t device)
{
    const struct serin_health_beat said = {.interval_s = beats.gap_min * 60,
                                           .uptime_s = (bench->now_ms - BENCH_START_MS) / 1000 +
                                                       UINT64_C(864000)};
    if (!beats.quiet[device]) {
        serin_health_beat(&beats.health[device], bench->now_ms / 1000, &said,
                          bench->rollout.state != SERIN_ROLLOUT_CREATED);
        beats.stored[device] = beats.health[device];
    }
}

void beats_all(const struct bench *bench)
{
    for (uint32_t device = 0; device < beats.count; device++) {
        beat(bench, device);
    }
}

void beats_hours(struct bench *bench, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        bench_pass(bench, BEATS_HOUR_MS);
        beats_all(bench);
    }
}

void beats_minutes(struct bench *bench, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (bench->rollout.state == SERIN_ROLLOUT_PAUSED) {
            bench->now_ms += BEATS_MINUTE_MS; /* no TICK is due in a pause */
        } else {
            bench_pass(bench, BEATS_MINUTE_MS);
        }
        bool heard = bench->rollout.reports_up || bench->rollout.state == SERIN_ROLLOUT_CREATED;
        uint32_t first = (uint32_t)(bench->now_ms / BEATS_MINUTE_MS % beats.gap_min);
        for (uint32_t device = first; device < beats.count && heard; device += beats.gap_min) {
            beat(bench, device);
        }
    }
}

void beats_go_on(struct bench *bench, unsigned count)
{
    for (unsigned i = 0; i < count; i += BEATS_HOUR_MIN / 2) {
        beats_minutes(bench, BEATS_HOUR_MIN / 2);
        if (bench->rollout.state == SERIN_ROLLOUT_ROLLING) {
            bench_confirm_offered(bench);
        }
    }
}

void beats_silence(const struct bench *bench, uint32_t from, uint32_t end, bool quiet)
{
    for (uint32_t i = from; i < end; i++) {
        beats.quiet[bench->members.list[i].device] = quiet;
    }
}

void beats_restart(struct bench *bench, uint64_t away_ms)
{
    bench->now_ms += away_ms;
    ck_assert_int_eq(serin_stored_rollout(&bench->rollout), SERIN_OK);
    serin_rollout_rebuild(&bench->rollout, &bench->members);
    uint64_t now_s = bench->now_ms / 1000;
    uint64_t newest_s = 0;
    for (uint32_t device = 0; device < beats.count; device++) {
        uint64_t heard_s = beats.stored[device].beat_s;
        newest_s = heard_s > newest_s && heard_s <= now_s ? heard_s : newest_s;
    }
    for (uint32_t device = 0; device < beats.count; device++) {
        beats.health[device] = beats.stored[device];
        beats.health[device].resumed_s = 0;
        serin_health_resume(&beats.health[device], newest_s, now_s);
    }
    bench_do(bench, SERIN_ROLLOUT_TICK);
    bench_do(bench, SERIN_ROLLOUT_REPORTS_UP);
    bench_settle(bench);
}

void beats_blink(struct bench *bench)
{
    bench_do(bench, SERIN_ROLLOUT_REPORTS_DOWN);
    bench_do(bench, SERIN_ROLLOUT_REPORTS_UP);
    bench_settle(bench);
}

void beats_set_back(struct bench *bench, uint64_t back_ms)
{
    bench->now_ms -= back_ms;
    for (uint32_t device = 0; device < beats.count; device++) {
        if (serin_health_set_back(&beats.health[device], bench->now_ms / 1000)) {
            beats.stored[device] = beats.health[device];
        }
    }
    bench_do(bench, SERIN_ROLLOUT_TICK);
    bench_settle(bench);
}
