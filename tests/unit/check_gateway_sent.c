/*
 * What the last batches held (serin/gateway/sent.h).
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"

#include <serin/gateway/sent.h>

#include <stdio.h>
#include <string.h>

#define PLACES 4u
#define NODES  300u

static struct serin_relay relay;
static struct serin_relay_node nodes[NODES];
static uint32_t buckets[512];
static struct serin_sent_batch places[PLACES];
static struct serin_sent sent;

static void start(void)
{
    const struct serin_relay_config config = {
        .batch_delay_ms = 2000, .resend_ms = 30000, .beat_ms = 300000};
    char id[16];
    serin_relay_init(&relay, &config, nodes, NODES, buckets, 512);
    for (uint32_t i = 0; i < NODES; i++) {
        snprintf(id, sizeof id, "n-%u", i);
        ck_assert_uint_eq(serin_relay_add(&relay, id), i);
        nodes[i].incarnation = 100 + i;
        nodes[i].number = 7;
    }
    memset(places, 0xa5, sizeof places);
    serin_sent_init(&sent, places, PLACES);
}

static void note(uint64_t number, uint32_t node, enum serin_batch_kind kind)
{
    const struct serin_relay_item item = {.node = node, .kind = kind};
    serin_sent_note(&sent, &relay, &item, 1, number, (uint32_t)number * 3u);
}

/* Caught: beats and presence taken down as reports; the numbers of now instead of those of then. */
START_TEST(a_batch_is_known_by_what_it_held)
{
    start();
    const struct serin_relay_item items[] = {{5, SERIN_BATCH_REPORT},
                                             {6, SERIN_BATCH_REPORT},
                                             {5, SERIN_BATCH_PRESENCE},
                                             {7, SERIN_BATCH_BEAT}};
    serin_sent_note(&sent, &relay, items, 4, 1, 11);
    nodes[5].number = 8;
    const struct serin_sent_batch *batch = serin_sent_take(&sent, 1, 11);
    ck_assert_ptr_nonnull(batch);
    ck_assert_uint_eq(batch->count, 2);
    ck_assert_uint_eq(batch->reports[0].node, 5);
    ck_assert_uint_eq(batch->reports[0].incarnation, 105);
    ck_assert_uint_eq(batch->reports[0].number, 7);
    ck_assert_uint_eq(batch->reports[1].node, 6);
    ck_assert_ptr_null(serin_sent_take(&sent, 1, 11)); /* once */
}
END_TEST

/* Caught: the checksum left out; a free place that is found under number 0. */
START_TEST(another_is_not_known)
{
    start();
    ck_assert_ptr_null(serin_sent_take(&sent, 0, 0));
    ck_assert_ptr_null(serin_sent_take(&sent, 1, 3));
    note(1, 0, SERIN_BATCH_REPORT);
    ck_assert_ptr_null(serin_sent_take(&sent, 1, 4));
    ck_assert_ptr_null(serin_sent_take(&sent, 2, 3));
    note(1, 9, SERIN_BATCH_REPORT); /* the same again */
    ck_assert_uint_eq(serin_sent_take(&sent, 1, 3)->reports[0].node, 0);
    ck_assert_uint_eq(serin_sent_take(&sent, 1, 3)->reports[0].node, 9);
    ck_assert_ptr_null(serin_sent_take(&sent, 0, 3));
}
END_TEST

/* Caught: a batch without reports that takes a place; the newest replaced. */
START_TEST(the_oldest_makes_room)
{
    start();
    for (uint64_t number = 1; number <= PLACES + 2; number++) {
        note(number, (uint32_t)number, SERIN_BATCH_REPORT);
        note(number + 1000, 1, SERIN_BATCH_BEAT);
    }
    for (uint64_t number = 1; number <= PLACES + 2; number++) {
        ck_assert((serin_sent_take(&sent, number, (uint32_t)number * 3u) != NULL) == (number > 2));
        ck_assert_ptr_null(serin_sent_take(&sent, number + 1000, (uint32_t)(number + 1000) * 3u));
    }
}
END_TEST

/* Caught: only the first batch looked through. */
START_TEST(a_node_that_went_is_spoken_for_no_more)
{
    static struct serin_relay_item items[SERIN_BATCH_ITEMS_MAX];
    start();
    for (uint32_t i = 0; i < SERIN_BATCH_ITEMS_MAX; i++) {
        items[i] = (struct serin_relay_item){.node = i, .kind = SERIN_BATCH_REPORT};
    }
    serin_sent_note(&sent, &relay, items, SERIN_BATCH_ITEMS_MAX, 1, 1);
    serin_sent_note(&sent, &relay, items, SERIN_BATCH_ITEMS_MAX, 2, 2);
    serin_sent_forget(&sent, 255);
    for (uint32_t number = 1; number <= 2; number++) {
        const struct serin_sent_batch *batch = serin_sent_take(&sent, number, number);
        ck_assert_uint_eq(batch->count, SERIN_BATCH_ITEMS_MAX);
        ck_assert_uint_eq(batch->reports[254].node, 254);
        ck_assert_uint_eq(batch->reports[255].node, SERIN_RELAY_NONE);
    }
}
END_TEST

START_TEST(memory_is_by_the_nodes)
{
    ck_assert_uint_eq(serin_sent_batches_for(1), 16);
    ck_assert_uint_eq(serin_sent_batches_for(16 * 256), 16);
    ck_assert_uint_eq(serin_sent_batches_for(16 * 256 + 1), 17);
    ck_assert_uint_eq(serin_sent_batches_for(SERIN_RELAY_NODES_MAX), 40);
    ck_assert_uint_eq(serin_sent_batches_for(UINT32_MAX), 40);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_batch_is_known_by_what_it_held,       another_is_not_known,   the_oldest_makes_room,
        a_node_that_went_is_spoken_for_no_more, memory_is_by_the_nodes, NULL,
    };
    return check_run("gateway_sent", tests);
}
