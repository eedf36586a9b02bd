/* What is in flight: credit per client, the bound on the sum, rates, and windows that are never
 * acknowledged. */
#include "check_main.h"

#include <serin/plugin/supply.h>

#include <stdio.h>
#include <string.h>

#define CLIENTS 8u
#define KIB     1024u
static struct serin_sessions sessions;
static struct serin_session slots[CLIENTS];
static uint32_t heads[CLIENTS];
static struct serin_supply supply;
static uint32_t client[CLIENTS];
static int connection;

static const struct serin_supply_limits limits = {
    .credit = {.window_bytes_max = 64 * KIB,
               .window_blocks_max = 16,
               .forget_ms = 1000,
               .retry_ms = 100},
    .total_bytes_max = 160 * KIB,
    .gets_per_s = 10,
    .gets_burst = 20,
};

static void fresh(void)
{
    serin_sessions_init(&sessions, slots, heads, &(struct serin_session_places){.any = CLIENTS});
    serin_supply_init(&supply, &sessions, &limits);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        char id[8];
        snprintf(id, sizeof id, "d%u", i);
        ck_assert_int_eq(
            serin_sessions_join(&sessions, id, SERIN_ROLE_DEVICE, &connection, &client[i]),
            SERIN_OK);
    }
}

static struct serin_grant ask(uint32_t who, uint32_t token, uint32_t done, uint32_t length,
                              uint64_t now)
{
    const struct serin_get get = {
        .offset = 0, .length = length, .block_size = 4 * KIB, .token = token, .done_token = done};
    return serin_supply_grant(&supply, client[who], &get, 1024 * KIB, now);
}

/* The sum must always be that of the sessions, and the list must hold each of them once. */
static void check_books(void)
{
    uint64_t sum = 0;
    unsigned flying = 0;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        sum += slots[client[i]].credit.in_flight;
        flying += slots[client[i]].credit.token != 0;
    }
    ck_assert_uint_eq(sum, supply.in_flight_bytes);
    ck_assert_uint_le(sum, limits.total_bytes_max);
    unsigned listed = 0;
    uint64_t last_ms = 0;
    for (uint32_t at = supply.oldest; at != SERIN_SESSION_NONE; at = slots[at].flight_next) {
        ck_assert_uint_ge(slots[at].credit.started_ms, last_ms);
        last_ms = slots[at].credit.started_ms;
        ck_assert_uint_le(++listed, flying);
    }
    ck_assert_uint_eq(listed, flying);
}

START_TEST(test_one_window_a_client)
{
    fresh();
    struct serin_grant grant = ask(0, 1, 0, 128 * KIB, 10);
    ck_assert_int_eq(grant.status, SERIN_BLOCK_DATA);
    ck_assert_uint_eq(grant.end, 64 * KIB);
    for (uint32_t token = 2; token < 100; token++) { /* greedy: asks on without acknowledging */
        grant = ask(0, token, 0, 4 * KIB, 20);
        ck_assert_int_eq(grant.status, SERIN_BLOCK_BUSY);
        ck_assert_uint_ge(grant.retry_ms, 100);
        ck_assert_uint_le(grant.retry_ms, 200);
    }
    ck_assert_int_eq(ask(0, 1, 1, 4 * KIB, 20).status, SERIN_BLOCK_BUSY); /* a repeated token */
    ck_assert_int_eq(ask(0, 100, 1, 4 * KIB, 20).status, SERIN_BLOCK_DATA);
    ck_assert_uint_eq(supply.in_flight_bytes, 4 * KIB);
    check_books();
}
END_TEST

START_TEST(test_the_sum_is_bounded)
{
    fresh();
    ck_assert_uint_eq(ask(0, 1, 0, 64 * KIB, 1).end, 64 * KIB);
    ck_assert_uint_eq(ask(1, 1, 0, 64 * KIB, 1).end, 64 * KIB);
    ck_assert_uint_eq(ask(2, 1, 0, 64 * KIB, 1).end, 32 * KIB); /* what is left */
    struct serin_grant grant = ask(3, 1, 0, 64 * KIB, 1);
    ck_assert_int_eq(grant.status, SERIN_BLOCK_BUSY);
    ck_assert_uint_gt(grant.retry_ms, 0);
    check_books();
    /* Busy for want of room still takes the acknowledgement, or nobody would ever get room. */
    ck_assert_int_eq(ask(3, 2, 0, 1, 1).status, SERIN_BLOCK_BUSY);
    ck_assert_int_eq(ask(0, 2, 1, 64 * KIB, 2).status, SERIN_BLOCK_DATA);
    serin_supply_settle(&supply, client[0], 2);
    ck_assert_uint_eq(ask(3, 3, 0, 64 * KIB, 2).end, 64 * KIB);
    check_books();
}
END_TEST

START_TEST(test_what_ends_a_window)
{
    fresh();
    (void)ask(0, 1, 0, 64 * KIB, 100);
    (void)ask(1, 1, 0, 64 * KIB, 600);
    serin_supply_expire(&supply, 50); /* a clock that ran backwards ends nothing */
    serin_supply_expire(&supply, 1099);
    ck_assert_uint_eq(supply.in_flight_bytes, 128 * KIB);
    serin_supply_expire(&supply, 1100);
    ck_assert_uint_eq(supply.in_flight_bytes, 64 * KIB);
    check_books();
    serin_supply_release(&supply, client[1]);
    serin_supply_release(&supply, client[1]);
    ck_assert_uint_eq(supply.in_flight_bytes, 0);
    /* A request makes room by itself, without waiting for the timer. */
    (void)ask(3, 1, 0, 64 * KIB, 100);
    (void)ask(4, 1, 0, 64 * KIB, 100);
    (void)ask(5, 1, 0, 64 * KIB, 100);
    ck_assert_uint_eq(supply.in_flight_bytes, limits.total_bytes_max);
    ck_assert_int_eq(ask(6, 1, 0, 64 * KIB, 1099).status, SERIN_BLOCK_BUSY);
    ck_assert_int_eq(ask(6, 2, 0, 64 * KIB, 1100).status, SERIN_BLOCK_DATA);
    serin_supply_release(&supply, client[6]);
    ck_assert_uint_eq(supply.in_flight_bytes, 0);
    (void)ask(2, 7, 0, 64 * KIB, 1200);
    serin_supply_settle(&supply, client[2], 8); /* not its token */
    ck_assert_uint_eq(supply.in_flight_bytes, 64 * KIB);
    serin_supply_settle(&supply, client[2], 7);
    ck_assert_uint_eq(supply.in_flight_bytes, 0);
    check_books();
}
END_TEST

/* Downloads an object to its end, window by window, all in one millisecond. Returns the token of
 * the last window, which nothing has acknowledged yet. */
static uint32_t download(uint32_t size, uint32_t token, uint32_t done, uint64_t now)
{
    uint32_t position = 0;
    for (; position < size; token++) {
        const struct serin_get get = {.offset = position,
                                      .length = 64 * KIB,
                                      .block_size = 4 * KIB,
                                      .token = token + 1,
                                      .done_token = done};
        struct serin_grant grant = serin_supply_grant(&supply, client[0], &get, size, now);
        ck_assert_msg(grant.status == SERIN_BLOCK_DATA, "offset %u of %u: status %d", position,
                      size, (int)grant.status);
        ck_assert_uint_gt(grant.end, position);
        position = grant.end;
        done = token + 1;
        check_books();
    }
    return token;
}

/* The last window of an object counts as in flight until it is forgotten; the first request for the
 * next object acknowledges it, and so never has to wait for that. */
START_TEST(test_one_object_after_another)
{
    enum { MANIFEST = 592, TABLE = 12 * 1024 + 5, IMAGE = 1500001 };
    fresh();
    uint32_t token = download(MANIFEST, 6, 0, 50);
    ck_assert_uint_eq(supply.in_flight_bytes, MANIFEST);
    token = download(TABLE, token, token, 50);
    token = download(IMAGE, token, token, 50);
    ck_assert_uint_eq(supply.in_flight_bytes, IMAGE % (64 * KIB));
    token = download(64 * KIB, token, token, 50); /* its last window is a full one */
    token = download(64 * KIB, token, token, 50);
    /* One that could not be served in between takes the acknowledgement as well. */
    serin_supply_settle(&supply, client[0], token);
    ck_assert_uint_eq(supply.in_flight_bytes, 0);
    token = download(TABLE, token + 1, token, 50);
    /* Who says nothing of the last window waits until it is forgotten. */
    const uint64_t forget_ms = limits.credit.forget_ms;
    ck_assert_int_eq(ask(0, token + 1, 0, KIB, 50).status, SERIN_BLOCK_BUSY);
    ck_assert_int_eq(ask(0, token + 2, 0, KIB, 49 + forget_ms).status, SERIN_BLOCK_BUSY);
    ck_assert_int_eq(ask(0, token + 3, 0, KIB, 50 + forget_ms).status, SERIN_BLOCK_DATA);
}
END_TEST

/* Who may wait for a window is who could have one: ready says what grant would, and books nothing.
 */
START_TEST(test_ready_is_what_grant_would_say)
{
    fresh();
    struct serin_get get = {.length = 64 * KIB, .block_size = 4 * KIB, .token = 1};
    ck_assert(serin_supply_ready(&supply, client[0], &get, 1));
    ck_assert(serin_supply_ready(&supply, client[0], &get, 1)); /* it may be tried again */
    ck_assert_uint_eq(supply.in_flight_bytes, 0);
    (void)ask(0, 1, 0, 64 * KIB, 1);
    ck_assert(!serin_supply_ready(&supply, client[0], &get, 1)); /* the token in flight */
    get.token = 2;
    ck_assert(!serin_supply_ready(&supply, client[0], &get, 1)); /* nothing acknowledged */
    get.done_token = 7;
    ck_assert(!serin_supply_ready(&supply, client[0], &get, 1));
    ck_assert_uint_eq(supply.in_flight_bytes, 64 * KIB);
    get.done_token = 1;
    ck_assert(serin_supply_ready(&supply, client[0], &get, 1));
    ck_assert_uint_eq(supply.in_flight_bytes, 0); /* the acknowledgement counts */
    (void)ask(0, 3, 0, 64 * KIB, 10);
    get = (struct serin_get){.length = 1, .block_size = 4 * KIB, .token = 4};
    ck_assert(!serin_supply_ready(&supply, client[0], &get, 1009));
    ck_assert(serin_supply_ready(&supply, client[0], &get, 1010)); /* forgotten */
    check_books();
    (void)ask(1, 1, 0, 64 * KIB, 2000);
    (void)ask(2, 1, 0, 64 * KIB, 2000);
    (void)ask(3, 1, 0, 30 * KIB, 2000); /* 2 KiB are left of the sum */
    get = (struct serin_get){.length = 4 * KIB, .block_size = 4 * KIB, .token = 5};
    ck_assert(!serin_supply_ready(&supply, client[0], &get, 2000));
    get.length = 2 * KIB;
    ck_assert(serin_supply_ready(&supply, client[0], &get, 2000));
    check_books();
}
END_TEST

START_TEST(test_range_books_nothing)
{
    fresh();
    const struct serin_get get = {.offset = 100, .length = 1, .block_size = 256, .token = 5};
    ck_assert_int_eq(serin_supply_grant(&supply, client[0], &get, 100, 1).status,
                     SERIN_BLOCK_RANGE);
    ck_assert_uint_eq(supply.in_flight_bytes, 0);
    check_books();
}
END_TEST

START_TEST(test_rate)
{
    fresh();
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(serin_supply_admit(&supply, client[0], 5000), SERIN_ADMIT);
    }
    ck_assert_int_eq(serin_supply_admit(&supply, client[0], 5000), SERIN_ADMIT_BUSY);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(serin_supply_admit(&supply, client[0], 5000), SERIN_ADMIT_DROP);
    }
    ck_assert_int_eq(serin_supply_admit(&supply, client[1], 5000),
                     SERIN_ADMIT); /* others are not hit */
    ck_assert_int_eq(serin_supply_admit(&supply, client[0], 5100), SERIN_ADMIT);
    ck_assert_int_eq(serin_supply_admit(&supply, client[0], 5100), SERIN_ADMIT_DROP);
}
END_TEST

START_TEST(test_random_life)
{
    fresh();
    uint32_t seed = 99;
    uint32_t last[CLIENTS] = {0};
    for (unsigned round = 1; round < 20000; round++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t who = (seed >> 8) % CLIENTS;
        uint64_t now = round * 10;
        switch ((seed >> 20) % 8) {
        case 0:
            serin_supply_release(&supply, client[who]);
            break;
        case 1:
            serin_supply_settle(&supply, client[who], last[who]);
            break;
        case 2:
            serin_supply_expire(&supply, now);
            break;
        default: {
            bool honest = (seed >> 30) != 0;
            struct serin_grant grant =
                ask(who, round, honest ? last[who] : 0, 1 + (seed >> 4) % (80 * KIB), now);
            if (grant.status == SERIN_BLOCK_DATA) {
                ck_assert_uint_gt(grant.end, grant.offset);
                last[who] = round;
            }
        }
        }
        check_books();
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_one_window_a_client,
                                  test_the_sum_is_bounded,
                                  test_what_ends_a_window,
                                  test_one_object_after_another,
                                  test_ready_is_what_grant_would_say,
                                  test_range_books_nothing,
                                  test_rate,
                                  test_random_life,
                                  NULL};
    return check_run("plugin_supply", tests);
}
