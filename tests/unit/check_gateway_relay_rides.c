/*
 * Beats and presence that wait to ride along (serin/gateway/relay.h), against a look at every node.
 */
#include "check_main.h"

#include <serin/gateway/relay.h>

#include <stdio.h>

#define MOST 24u

static struct serin_relay relay;
static struct serin_relay_node nodes[MOST];
static uint32_t buckets[16];
static struct serin_relay_item items[SERIN_BATCH_ITEMS_MAX];

static void look(void)
{
    uint32_t waiting = 0, riding = 0, before = SERIN_RELAY_NONE;
    for (uint32_t i = 0; i < MOST; i++) {
        waiting += nodes[i].beat_due_ms != 0 || nodes[i].presence_due_ms != 0 ? 1u : 0u;
    }
    for (uint32_t i = relay.first_ride; i != SERIN_RELAY_NONE; i = nodes[i].ride_after) {
        ck_assert(nodes[i].beat_due_ms != 0 || nodes[i].presence_due_ms != 0);
        ck_assert_uint_eq(nodes[i].ride_before, before);
        ck_assert_uint_le(++riding, MOST);
        before = i;
    }
    ck_assert_uint_eq(riding, waiting);
    ck_assert_uint_eq(relay.last_ride, before);
}

/* Whose beats and presence waits is known without a look at all others: against such a look, over
 * all that can happen to nodes.
 * Caught: a node that left, was removed, or whose presence is as told still rides; one that is told
 * anew does not; the links of its neighbours are not mended. */
START_TEST(who_rides_is_who_has_something_that_waits)
{
    uint32_t known[MOST], state = 1;
    char id[8];
    const struct serin_relay_config config = {
        .batch_delay_ms = 2000, .resend_ms = 30000, .beat_ms = 300000};
    int token = 0;
    serin_relay_init(&relay, &config, nodes, MOST, buckets, 16);
    serin_relay_link(&relay, true, 0);
    for (uint32_t i = 0; i < MOST; i++) {
        (void)snprintf(id, sizeof id, "n%u", i);
        known[i] = serin_relay_add(&relay, id);
    }
    for (unsigned turn = 0; turn < 20000u; turn++) {
        state = state * 1664525u + 1013904223u;
        uint32_t which = (state >> 8) % MOST, node = known[which];
        uint64_t now_ms = UINT64_C(1000000) + turn * 500u;
        struct serin_beat beat = {.uptime_s = turn, .hardware = (uint16_t)(1u + turn / 300u)};
        switch ((state >> 20) % 6u) {
        case 0:
            (void)serin_relay_beat(&relay, node, &beat, now_ms);
            break;
        case 1:
            (void)serin_relay_presence(&relay, node, turn % 2u == 0, now_ms);
            break;
        case 2:
            if (serin_relay_ready(&relay, now_ms)) {
                size_t count = serin_relay_pick(&relay, now_ms, items);
                serin_relay_left(&relay, items, count, ++token, now_ms);
            }
            break;
        case 3:
            serin_relay_delivered(&relay, token);
            break;
        case 4:
            if ((state >> 26) % 8u == 0) {
                serin_relay_link(&relay, true, now_ms);
            }
            break;
        default:
            serin_relay_remove(&relay, node);
            (void)snprintf(id, sizeof id, "n%u", which);
            known[which] = serin_relay_add(&relay, id);
        }
        look();
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {who_rides_is_who_has_something_that_waits, NULL};
    return check_run("gateway_relay_rides", tests);
}
