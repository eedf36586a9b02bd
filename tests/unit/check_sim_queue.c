/*
 * The simulator's queue against a plain array: the earliest first, of one time the first put in.
 */
#include <queue.h>

#include "check_main.h"

#define PUTS 20000u

/* xorshift32: the same run each time. */
static uint32_t dice(void)
{
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

struct model {
    uint64_t at_ms;
    bool there;
};
static struct model model[PUTS]; /* by the number of the put, which the event carries */

/* Times near and far, and often the same. */
static uint64_t some_time(uint64_t now_ms)
{
    switch (dice() % 5u) {
    case 0:
        return now_ms;
    case 1:
        return now_ms + dice() % 4u;
    case 2:
        return now_ms + dice() % 200u;
    case 3:
        return now_ms + UINT64_C(3600000);
    default:
        return now_ms + (uint64_t)dice() * 1000u;
    }
}

static uint32_t first_of(uint32_t puts)
{
    uint32_t first = PUTS;
    for (uint32_t i = 0; i < puts; i++) {
        if (model[i].there && (first == PUTS || model[i].at_ms < model[first].at_ms)) {
            first = i;
        }
    }
    return first;
}

/* How often each event was said to be near. */
static uint32_t near[PUTS];

static void came_near(void *ctx, const struct sim_event *event)
{
    (void)ctx;
    near[event->what]++;
}

START_TEST(the_earliest_and_of_one_time_the_first)
{
    struct sim_queue *queue = NULL;
    struct sim_event event;
    uint64_t now_ms = 0;
    uint32_t puts = 0, kept = 0, bound = PUTS / 10u;
    ck_assert_int_eq(sim_queue_open(&queue, came_near, NULL), SERIN_OK);
    ck_assert(!sim_queue_take(queue, &event));
    while (puts < bound || kept > 0) {
        if (puts < bound && (kept == 0 || dice() % 2u == 0)) {
            const struct sim_event put = {.at_ms = some_time(now_ms), .what = puts};
            ck_assert_int_eq(sim_queue_put(queue, &put), SERIN_OK);
            model[puts++] = (struct model){.at_ms = put.at_ms, .there = true};
            kept++;
        } else {
            uint32_t first = first_of(puts);
            ck_assert(sim_queue_take(queue, &event));
            ck_assert_uint_eq(event.what, first);
            ck_assert_uint_eq(event.at_ms, model[first].at_ms);
            ck_assert_uint_eq(near[first], 1); /* before it was taken, and once */
            model[first].there = false;
            now_ms = event.at_ms;
            kept--;
        }
        ck_assert_uint_eq(sim_queue_count(queue), kept);
    }
    ck_assert(!sim_queue_take(queue, &event));
    sim_queue_close(queue);
}
END_TEST

START_TEST(what_is_past_comes_now)
{
    struct sim_queue *queue = NULL;
    struct sim_event event = {.at_ms = 1000, .what = 1};
    ck_assert_int_eq(sim_queue_open(&queue, came_near, NULL), SERIN_OK);
    ck_assert_int_eq(sim_queue_put(queue, &event), SERIN_OK);
    ck_assert(sim_queue_take(queue, &event));
    event = (struct sim_event){.at_ms = 10, .what = 2};
    ck_assert_int_eq(sim_queue_put(queue, &event), SERIN_OK);
    ck_assert(sim_queue_peek(queue) != NULL && sim_queue_peek(queue)->what == 2);
    ck_assert(sim_queue_take(queue, &event));
    ck_assert_uint_eq(event.at_ms, 1000);
    ck_assert(sim_queue_peek(queue) == NULL);
    sim_queue_close(queue);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {the_earliest_and_of_one_time_the_first, what_is_past_comes_now,
                                 NULL};
    return check_run("sim queue", list);
}
