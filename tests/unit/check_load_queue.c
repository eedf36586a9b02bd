/*
 * The load tool's queue against a plain array, and its figures against counting.
 */
#include <figures.h>
#include <queue.h>

#include "check_main.h"

#define ITEMS 200u
#define STEPS 20000u

/* xorshift32: the same run each time. */
static uint32_t dice(void)
{
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static uint64_t earliest(const uint64_t *times)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < ITEMS; i++) {
        least = times[i] < least ? times[i] : least;
    }
    return least;
}

START_TEST(the_earliest_comes_first)
{
    struct load_queue *queue = NULL;
    uint64_t times[ITEMS]; /* UINT64_MAX: not in the queue */
    uint32_t item = 0;
    ck_assert_int_eq(load_queue_open(&queue, ITEMS), SERIN_OK);
    ck_assert(!load_queue_take(queue, UINT64_MAX, &item));
    for (uint32_t i = 0; i < ITEMS; i++) {
        times[i] = UINT64_MAX;
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        if (dice() % 3u != 0) {
            item = dice() % ITEMS;
            times[item] = dice() % 1000u;
            load_queue_put(queue, item, times[item]);
        } else {
            uint64_t now_ms = dice() % 1000u, least = earliest(times);
            bool taken = load_queue_take(queue, now_ms, &item);
            ck_assert_int_eq(taken, least <= now_ms);
            if (taken) {
                ck_assert_uint_eq(times[item], least);
                times[item] = UINT64_MAX;
            }
        }
        ck_assert_uint_eq(load_queue_next_ms(queue), earliest(times));
    }
    load_queue_close(queue);
}
END_TEST

START_TEST(percentiles_are_nearest_ranks)
{
    struct load_spread spread;
    uint64_t hundred[100], one = 42;
    for (uint64_t i = 0; i < 100; i++) {
        hundred[i] = 100 - i; /* 1 .. 100 */
    }
    load_spread_of(hundred, 100, &spread);
    ck_assert_uint_eq(spread.count, 100);
    ck_assert_uint_eq(spread.min, 1);
    ck_assert_uint_eq(spread.p50, 50);
    ck_assert_uint_eq(spread.p90, 90);
    ck_assert_uint_eq(spread.p99, 99);
    ck_assert_uint_eq(spread.max, 100);
    load_spread_of(&one, 1, &spread);
    ck_assert(spread.min == 42 && spread.p50 == 42 && spread.p99 == 42 && spread.max == 42);
    load_spread_of(&one, 0, &spread);
    ck_assert(spread.count == 0 && spread.max == 0);
}
END_TEST

START_TEST(a_node_is_done_once_it_runs_the_version_for_good)
{
    struct serin_version until = {2, 0, 1}, older = {2, 0, 0};
    struct load_account account = {.running = until, .state = SERIN_STATE_CONFIRMED};
    ck_assert(load_account_done(&account, &until));
    ck_assert(!load_account_done(&account, &older));
    account.trial = true;
    ck_assert(!load_account_done(&account, &until));
    account = (struct load_account){.running = until, .broken = true};
    ck_assert(!load_account_done(&account, &until));
    ck_assert(load_account_failed(&account));
    account = (struct load_account){.running = older};
    ck_assert(!load_account_done(&account, NULL));
    for (int state = SERIN_STATE_IDLE; state < SERIN_STATE_COUNT; state++) {
        account.state = (enum serin_state)state;
        bool failed = state == SERIN_STATE_FAILED || state == SERIN_STATE_REJECTED ||
                      state == SERIN_STATE_ROLLED_BACK;
        ck_assert_int_eq(load_account_failed(&account), failed);
        ck_assert_int_eq(load_account_done(&account, NULL), state == SERIN_STATE_CONFIRMED);
    }
}
END_TEST

int main(void)
{
    const TTest *const list[] = {the_earliest_comes_first, percentiles_are_nearest_ranks,
                                 a_node_is_done_once_it_runs_the_version_for_good, NULL};
    return check_run("load queue", list);
}
