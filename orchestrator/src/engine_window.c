/* When devices may start: the start time and the maintenance windows (docs/spec/rollout.md, section
 * 4). All of it is UTC, by the wall clock. */
#include "engine_internal.h"

#define MINUTE_S UINT64_C(60)
#define DAY_MIN  1440u
#define WEEK     7u
/* 1970-01-01 was a Thursday, the fourth day from Monday. */
#define EPOCH_DAY 3u

/* Minutes that a window is open. */
static uint32_t length_min(const struct serin_window *window)
{
    uint32_t until = window->until_min;
    return until > window->from_min ? until - window->from_min : until + DAY_MIN - window->from_min;
}

static bool opens_on(const struct serin_window *window, uint64_t day)
{
    return (window->days >> ((day + EPOCH_DAY) % WEEK) & 1u) != 0;
}

bool serin_window_open(const struct serin_policy *policy, uint64_t now_ms)
{
    uint64_t minute = now_ms / 1000u / MINUTE_S;
    uint64_t day = minute / DAY_MIN;
    uint32_t at = (uint32_t)(minute % DAY_MIN);
    bool open = policy->window_count == 0;
    for (size_t i = 0; i < policy->window_count && !open; i++) {
        const struct serin_window *window = &policy->windows[i];
        uint32_t from = window->from_min;
        uint32_t until = from + length_min(window);
        open = (opens_on(window, day) && at >= from && at < until) ||
               (day > 0 && opens_on(window, day - 1) && at + DAY_MIN < until);
    }
    return open;
}

/* The next minute after `now` at which a window opens or closes. */
static uint64_t next_edge_ms(const struct serin_policy *policy, uint64_t now_ms)
{
    uint64_t today = now_ms / 1000u / MINUTE_S / DAY_MIN;
    uint64_t best = NEVER;
    for (size_t i = 0; i < policy->window_count; i++) {
        const struct serin_window *window = &policy->windows[i];
        for (uint64_t day = today > 0 ? today - 1 : 0; day <= today + WEEK; day++) {
            uint64_t from_ms = (day * DAY_MIN + window->from_min) * MINUTE_S * 1000u;
            uint64_t until_ms = from_ms + length_min(window) * MINUTE_S * 1000u;
            uint64_t edge_ms = from_ms > now_ms ? from_ms : until_ms;
            if (opens_on(window, day) && edge_ms > now_ms && edge_ms < best) {
                best = edge_ms;
            }
        }
    }
    return best;
}

bool serin_time_closed(const struct serin_rollout *rollout)
{
    return !rollout->policy.emergency && !serin_window_open(&rollout->policy, rollout->last_ms);
}

bool serin_time_allows(const struct serin_rollout *rollout)
{
    const struct serin_policy *policy = &rollout->policy;
    bool started = rollout->stage > 0 || rollout->last_ms / 1000u >= policy->start_s;
    return policy->emergency || (started && serin_window_open(policy, rollout->last_ms));
}

uint64_t serin_time_edge_ms(const struct serin_rollout *rollout)
{
    const struct serin_policy *policy = &rollout->policy;
    if (policy->emergency) {
        return NEVER;
    }
    uint64_t edge_ms = next_edge_ms(policy, rollout->last_ms);
    uint64_t start_ms = policy->start_s * 1000u;
    return rollout->stage == 0 && start_ms > rollout->last_ms && start_ms < edge_ms ? start_ms
                                                                                    : edge_ms;
}

uint64_t serin_rollout_edge_ms(const struct serin_rollout *rollout)
{
    return serin_time_edge_ms(rollout);
}
