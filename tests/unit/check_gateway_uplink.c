/* The uplink's allowance: rates over long times, bursts, debts, and hours of the day. */
#include "check_main.h"

#include <serin/gateway/uplink.h>

static struct serin_uplink made(uint64_t rate, uint64_t now_ms)
{
    struct serin_uplink uplink;
    const struct serin_uplink_limits limits = {.rate_bytes_per_s = rate};
    serin_uplink_init(&uplink, &limits, now_ms);
    return uplink;
}

START_TEST(test_not_limited)
{
    struct serin_uplink uplink = made(0, 0);
    ck_assert_uint_eq(serin_uplink_room(&uplink, 0), UINT32_MAX);
    serin_uplink_take(&uplink, UINT64_MAX, 1);
    ck_assert_uint_eq(serin_uplink_room(&uplink, 1), UINT32_MAX);
    ck_assert_uint_eq(serin_uplink_next_ms(&uplink, 7, UINT32_MAX), 7);
    ck_assert(serin_uplink_open(&uplink, 0));
    ck_assert(serin_uplink_open(&uplink, 1439));
}
END_TEST

/* Whoever asks as soon as next_ms says so gets the rate, neither more nor less. */
START_TEST(test_rate_over_an_hour)
{
    static const uint64_t rates[] = {125, 8000, 8192, 1000000};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct serin_uplink uplink = made(rates[i], 1000);
        uint64_t now = 1000, taken = 0;
        while (now < 1000 + 3600000) {
            uint64_t next = serin_uplink_next_ms(&uplink, now, 16384);
            ck_assert_uint_ge(next, now);
            if (next > now) {
                ck_assert_uint_lt(serin_uplink_room(&uplink, next - 1), 16384);
            }
            now = next;
            ck_assert_uint_ge(serin_uplink_room(&uplink, now), 16384);
            serin_uplink_take(&uplink, 16384, now);
            taken += 16384;
        }
        uint64_t fair = rates[i] * 3600 + uplink.burst_bytes;
        ck_assert_uint_le(taken, fair + 16384);
        ck_assert_uint_ge(taken + 32768, fair);
    }
}
END_TEST

START_TEST(test_burst)
{
    struct serin_uplink slow = made(125, 0), fast = made(100000, 0);
    ck_assert_uint_eq(serin_uplink_room(&slow, 0), SERIN_UPLINK_BURST_MIN);
    ck_assert_uint_eq(serin_uplink_room(&fast, 0), 200000);
    /* It does not grow with idle time, however long. */
    ck_assert_uint_eq(serin_uplink_room(&fast, UINT64_MAX / 2), 200000);
    /* More than the bucket holds is never waited for. */
    serin_uplink_take(&slow, SERIN_UPLINK_BURST_MIN, 0);
    ck_assert_uint_eq(serin_uplink_room(&slow, 0), 0);
    ck_assert_uint_eq(serin_uplink_next_ms(&slow, 0, UINT32_MAX),
                      SERIN_UPLINK_BURST_MIN * 1000u / 125u);
}
END_TEST

/* What came unasked is paid back, and a clock that stands or goes back gives nothing. */
START_TEST(test_debt)
{
    struct serin_uplink uplink = made(8000, 50000);
    serin_uplink_take(&uplink, 16384 + 80000, 50000);
    ck_assert_uint_eq(serin_uplink_room(&uplink, 50000), 0);
    ck_assert_uint_eq(serin_uplink_room(&uplink, 40000), 0);
    ck_assert_uint_eq(serin_uplink_room(&uplink, 60000), 0);
    ck_assert_uint_eq(serin_uplink_room(&uplink, 61000), 8000);
    ck_assert_uint_eq(serin_uplink_next_ms(&uplink, 61000, 8001), 61001);
    /* No flood costs more than an hour. */
    serin_uplink_take(&uplink, UINT64_MAX, 61000);
    ck_assert_uint_le(serin_uplink_next_ms(&uplink, 61000, 1), 61000 + 3600000 + 1);
}
END_TEST

START_TEST(test_hours)
{
    const struct serin_uplink_limits limits = {.hours_count = 3,
                                               .hours = {{600, 660}, {1320, 330}, {0, 0}}};
    struct serin_uplink_limits two = limits;
    two.hours_count = 2;
    struct serin_uplink uplink;
    serin_uplink_init(&uplink, &two, 0);
    for (unsigned minute = 0; minute < 1440; minute++) {
        bool open = (minute >= 600 && minute < 660) || minute >= 1320 || minute < 330;
        ck_assert_int_eq(serin_uplink_open(&uplink, minute), open);
    }
    serin_uplink_init(&uplink, &limits, 0);
    for (unsigned minute = 0; minute < 1440; minute++) {
        ck_assert(serin_uplink_open(&uplink, minute));
    }
}
END_TEST

static void many_hours(void)
{
    struct serin_uplink uplink;
    const struct serin_uplink_limits limits = {.hours_count = 9};
    serin_uplink_init(&uplink, &limits, 0);
}

static void late_minute(void)
{
    struct serin_uplink uplink;
    const struct serin_uplink_limits limits = {.hours_count = 1, .hours = {{0, 1440}}};
    serin_uplink_init(&uplink, &limits, 0);
}

START_TEST(test_promises)
{
    ck_assert(check_dies(many_hours));
    ck_assert(check_dies(late_minute));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_not_limited, test_rate_over_an_hour, test_burst, test_debt,
                                  test_hours,       test_promises,          NULL};
    return check_run("gateway_uplink", tests);
}
