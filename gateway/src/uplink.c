/* The uplink's allowance for bulk: a token bucket, and hours of the day. */
#include <serin/gateway/uplink.h>

#include <serin/assert.h>

#define RATE_MAX      (UINT64_C(1) << 40) /* bytes a second: products below stay far from wrapping */
#define REFILL_MAX_MS 3600000u            /* fills any bucket; bounds the product below */
#define BYTES_MAX     (UINT64_C(1) << 40)

void serin_uplink_init(struct serin_uplink *uplink, const struct serin_uplink_limits *limits,
                       uint64_t now_ms)
{
    SERIN_ASSERT(limits->hours_count <= SERIN_UPLINK_HOURS_MAX);
    SERIN_ASSERT(limits->rate_bytes_per_s <= RATE_MAX);
    for (size_t i = 0; i < limits->hours_count; i++) {
        SERIN_ASSERT(limits->hours[i].from_minute < SERIN_UPLINK_DAY_MIN);
        SERIN_ASSERT(limits->hours[i].to_minute < SERIN_UPLINK_DAY_MIN);
    }
    uint64_t burst = 2 * limits->rate_bytes_per_s;
    *uplink = (struct serin_uplink){
        .limits = *limits,
        .burst_bytes = burst > SERIN_UPLINK_BURST_MIN ? burst : SERIN_UPLINK_BURST_MIN,
        .refilled_ms = now_ms};
    uplink->tokens = (int64_t)(uplink->burst_bytes * 1000u);
}

bool serin_uplink_open(const struct serin_uplink *uplink, unsigned minute_of_day)
{
    SERIN_ASSERT(minute_of_day < SERIN_UPLINK_DAY_MIN);
    for (size_t i = 0; i < uplink->limits.hours_count; i++) {
        const struct serin_uplink_hours *hours = &uplink->limits.hours[i];
        bool from = minute_of_day >= hours->from_minute;
        bool to = minute_of_day < hours->to_minute;
        if (hours->from_minute < hours->to_minute ? from && to : from || to) {
            return true;
        }
    }
    return uplink->limits.hours_count == 0;
}

static void refill(struct serin_uplink *uplink, uint64_t now_ms)
{
    if (now_ms <= uplink->refilled_ms) {
        return;
    }
    uint64_t passed = now_ms - uplink->refilled_ms;
    passed = passed < REFILL_MAX_MS ? passed : REFILL_MAX_MS;
    uplink->refilled_ms = now_ms;
    /* A byte a second is a thousandth of a byte a millisecond. */
    int64_t most = (int64_t)(uplink->burst_bytes * 1000u);
    int64_t tokens = uplink->tokens + (int64_t)(passed * uplink->limits.rate_bytes_per_s);
    uplink->tokens = tokens < most ? tokens : most;
}

uint32_t serin_uplink_room(struct serin_uplink *uplink, uint64_t now_ms)
{
    if (uplink->limits.rate_bytes_per_s == 0) {
        return UINT32_MAX;
    }
    refill(uplink, now_ms);
    int64_t bytes = uplink->tokens / 1000;
    return bytes <= 0 ? 0 : bytes < (int64_t)UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

void serin_uplink_take(struct serin_uplink *uplink, uint64_t bytes, uint64_t now_ms)
{
    if (uplink->limits.rate_bytes_per_s == 0) {
        return;
    }
    refill(uplink, now_ms);
    bytes = bytes < BYTES_MAX ? bytes : BYTES_MAX;
    uplink->tokens -= (int64_t)(bytes * 1000u);
    /* A debt that would silence the site for longer than an hour is a flood, not a plan. */
    int64_t least = -(int64_t)(REFILL_MAX_MS * uplink->limits.rate_bytes_per_s);
    uplink->tokens = uplink->tokens > least ? uplink->tokens : least;
}

uint64_t serin_uplink_next_ms(const struct serin_uplink *uplink, uint64_t now_ms, uint32_t bytes)
{
    uint64_t rate = uplink->limits.rate_bytes_per_s;
    uint64_t wanted = bytes < uplink->burst_bytes ? bytes : uplink->burst_bytes;
    int64_t missing = (int64_t)(wanted * 1000u) - uplink->tokens;
    if (rate == 0 || missing <= 0) {
        return now_ms;
    }
    uint64_t ready_ms = uplink->refilled_ms + ((uint64_t)missing + rate - 1) / rate;
    return ready_ms > now_ms ? ready_ms : now_ms;
}
