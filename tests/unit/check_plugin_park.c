/* Parked requests: one a session, in the order of parking, against a plain model. */
#include "check_main.h"

#include <serin/plugin/park.h>

#include <string.h>

#define SESSIONS 20u
#define PATIENCE 300u
#define NONE     SERIN_SESSION_NONE

static struct serin_park park;
static struct serin_parked places[SESSIONS];

static void fresh(void)
{
    memset(places, 0, sizeof places);
    serin_park_init(&park, places, SESSIONS, PATIENCE);
}

static void put(uint32_t session, uint8_t object, uint32_t token, uint64_t now_ms)
{
    struct serin_get get = {.token = token, .length = 1};
    memset(get.object, object, sizeof get.object);
    serin_park_put(&park, session, &get, now_ms);
}

static uint32_t next(uint8_t object, uint32_t session)
{
    uint8_t name[SERIN_SHA256_SIZE];
    memset(name, object, sizeof name);
    return serin_park_next(&park, name, session);
}

START_TEST(test_one_a_session)
{
    fresh();
    ck_assert_uint_eq(serin_park_next(&park, NULL, NONE), NONE);
    ck_assert_uint_eq(serin_park_expired(&park, UINT64_MAX), NONE);
    ck_assert(!serin_park_drop(&park, 3));
    put(3, 1, 11, 0);
    put(3, 2, 12, 5); /* it takes the place of the first */
    ck_assert_uint_eq(park.count, 1);
    ck_assert_uint_eq(serin_park_get(&park, 3)->token, 12);
    ck_assert_uint_eq(next(1, NONE), NONE);
    ck_assert_uint_eq(next(2, NONE), 3);
    ck_assert(serin_park_drop(&park, 3));
    ck_assert(!serin_park_drop(&park, 3));
    ck_assert_uint_eq(park.count, 0);
    ck_assert_uint_eq(serin_park_next(&park, NULL, NONE), NONE);
}
END_TEST

START_TEST(test_walks)
{
    fresh();
    put(5, 1, 1, 0);
    put(2, 2, 1, 0);
    put(9, 1, 1, 0);
    put(0, 2, 1, 0);
    ck_assert_uint_eq(next(1, NONE), 5);
    ck_assert_uint_eq(next(1, 5), 9);
    ck_assert_uint_eq(next(1, 9), NONE);
    ck_assert_uint_eq(next(2, NONE), 2);
    ck_assert_uint_eq(next(2, 2), 0);
    ck_assert_uint_eq(next(3, NONE), NONE);
    ck_assert_uint_eq(serin_park_next(&park, NULL, 5), 2);
    /* A walk that drops each as it goes meets each once. */
    unsigned met = 0;
    for (uint32_t at = serin_park_next(&park, NULL, NONE); at != NONE;) {
        uint32_t behind = serin_park_next(&park, NULL, at);
        ck_assert(serin_park_drop(&park, at));
        met++;
        at = behind;
    }
    ck_assert_uint_eq(met, 4);
    ck_assert_uint_eq(park.first, NONE);
    ck_assert_uint_eq(park.last, NONE);
}
END_TEST

START_TEST(test_patience)
{
    fresh();
    put(1, 1, 1, 1000);
    put(2, 1, 1, 1100);
    put(1, 1, 2, 1200); /* a later request is patient anew */
    ck_assert_uint_eq(serin_park_expired(&park, 1399), NONE);
    ck_assert_uint_eq(serin_park_expired(&park, 1400), 2);
    ck_assert_uint_eq(serin_park_expired(&park, 1400), 2); /* until it is dropped */
    ck_assert(serin_park_drop(&park, 2));
    ck_assert_uint_eq(serin_park_expired(&park, 1499), NONE);
    ck_assert_uint_eq(serin_park_expired(&park, 1500), 1);
    ck_assert_uint_eq(serin_park_expired(&park, 0), NONE); /* a clock that ran backwards */
}
END_TEST

/* A list kept by hand beside it, through a random life. */
START_TEST(test_random_life)
{
    uint32_t order[SESSIONS];
    unsigned count = 0;
    uint32_t seed = 4711;
    fresh();
    for (uint32_t round = 0; round < 20000; round++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t who = (seed >> 8) % SESSIONS;
        unsigned at = 0;
        while (at < count && order[at] != who) {
            at++;
        }
        bool waits = at < count;
        if (waits) {
            memmove(&order[at], &order[at + 1], (count - at - 1) * sizeof order[0]);
            count--;
        }
        if ((seed >> 29) < 5) {
            put(who, 1, round, round);
            order[count++] = who;
        } else {
            ck_assert_int_eq(serin_park_drop(&park, who), waits);
        }
        uint32_t seen = NONE;
        for (unsigned i = 0; i < count; i++) {
            seen = serin_park_next(&park, NULL, seen);
            ck_assert_uint_eq(seen, order[i]);
        }
        ck_assert_uint_eq(park.count, count);
        ck_assert(count == 0 || serin_park_next(&park, NULL, seen) == NONE);
    }
}
END_TEST

static void get_of_nobody(void)
{
    fresh();
    (void)serin_park_get(&park, 1);
}

static void put_outside(void)
{
    fresh();
    put(SESSIONS, 1, 1, 1);
}

START_TEST(test_programmer_errors)
{
    ck_assert(check_dies(get_of_nobody));
    ck_assert(check_dies(put_outside));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_one_a_session,     test_walks,
                                  test_patience,          test_random_life,
                                  test_programmer_errors, NULL};
    return check_run("plugin_park", tests);
}
