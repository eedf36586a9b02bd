/*
 * What a gateway says upstream for its nodes, and when (serin/gateway/relay.h; docs/spec/batch.md,
 * section 2). The storms are check_gateway_relay_storm.c's.
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"

#include <serin/gateway/relay.h>

#include <stdio.h>
#include <string.h>

#define NODES  600u
#define DELAY  2000u /* batch_delay_ms */
#define RESEND 30000u
#define BEATS  300000u
#define T      UINT64_C(1000000) /* any time */

static struct serin_relay relay;
static struct serin_relay_node nodes[NODES];
static uint32_t buckets[64];
static struct serin_relay_item items[SERIN_BATCH_ITEMS_MAX];
static int last_token;

static void start_with(uint32_t nodes_max)
{
    const struct serin_relay_config config = {
        .batch_delay_ms = DELAY, .resend_ms = RESEND, .beat_ms = BEATS};
    serin_relay_init(&relay, &config, nodes, nodes_max, buckets, 64);
    serin_relay_link(&relay, true, 0);
}

static void start(void)
{
    start_with(NODES);
}

static uint32_t add(const char *id)
{
    uint32_t node = serin_relay_add(&relay, id);
    ck_assert_uint_ne(node, SERIN_RELAY_NONE);
    return node;
}

static void hear(uint32_t node, uint64_t number, enum serin_relay_class kind, uint64_t now_ms)
{
    serin_relay_heard(&relay, node, 77, number, 400, kind, now_ms);
    serin_relay_stored(&relay, node);
}

/* Sends what is picked; gives back how many items it had. */
static size_t leave(uint64_t now_ms)
{
    size_t count = serin_relay_pick(&relay, now_ms, items);
    serin_relay_left(&relay, items, count, ++last_token, now_ms);
    return count;
}

static void land(void)
{
    serin_relay_delivered(&relay, last_token);
}

static bool ack(uint32_t node, uint64_t incarnation, uint64_t number, enum serin_ack_status status,
                uint32_t retry_s, uint64_t now_ms)
{
    const struct serin_ack value = {
        .incarnation = incarnation, .number = number, .status = status, .retry_s = retry_s};
    return serin_relay_ack(&relay, node, &value, now_ms);
}

/* ---- the table ---- */

/* Caught: any cell of the table changed. */
START_TEST(every_state_with_every_event)
{
    /* The next state, or -1: not allowed. Rows: idle, fresh, due, sent; columns: heard, stored,
     * left, lost, acked. */
    static const int want[SERIN_RELAY_STATE_COUNT][SERIN_RELAY_EVENT_COUNT] = {
        {SERIN_RELAY_FRESH, -1, -1, -1, -1},
        {SERIN_RELAY_FRESH, SERIN_RELAY_DUE, -1, -1, SERIN_RELAY_IDLE},
        {SERIN_RELAY_FRESH, -1, SERIN_RELAY_SENT, SERIN_RELAY_DUE, SERIN_RELAY_IDLE},
        {SERIN_RELAY_FRESH, -1, SERIN_RELAY_SENT, SERIN_RELAY_DUE, SERIN_RELAY_IDLE},
    };
    for (int state = 0; state < SERIN_RELAY_STATE_COUNT; state++) {
        for (int event = 0; event < SERIN_RELAY_EVENT_COUNT; event++) {
            enum serin_relay_state next;
            bool allowed = serin_relay_next((enum serin_relay_state)state,
                                            (enum serin_relay_event)event, &next);
            ck_assert_msg((allowed ? (int)next : -1) == want[state][event], "state %d, event %d",
                          state, event);
        }
    }
}
END_TEST

/* ---- the index ---- */

/* Against a model, over many names in few buckets. Caught: a chain that loses its rest at a
 * removal; the count not kept. */
START_TEST(nodes_are_found_added_and_removed)
{
    static bool there[2 * NODES];
    uint64_t seed = 1;
    uint32_t count = 0;
    start();
    memset(there, 0, sizeof there);
    for (int turn = 0; turn < 20000; turn++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint32_t which = (uint32_t)(seed >> 33) % (2 * NODES);
        char id[16];
        snprintf(id, sizeof id, "node-%u", which);
        uint32_t node = serin_relay_find(&relay, id);
        ck_assert_int_eq(node != SERIN_RELAY_NONE, there[which]);
        if (there[which]) {
            ck_assert_str_eq(nodes[node].id, id);
            serin_relay_remove(&relay, node);
            there[which] = false;
            count--;
        } else if (serin_relay_add(&relay, id) != SERIN_RELAY_NONE) {
            there[which] = true;
            count++;
        } else {
            ck_assert_uint_eq(count, NODES);
        }
        ck_assert_uint_eq(relay.node_count, count);
    }
}
END_TEST

/* Caught: each condition of the choice left out. */
START_TEST(the_longest_unseen_idle_node_makes_room)
{
    start_with(5);
    uint32_t queued = add("queued"), online = add("online"), kept = add("kept"), old = add("old"),
             fresh = add("new");
    ck_assert_uint_eq(serin_relay_add(&relay, "sixth"), SERIN_RELAY_NONE);
    for (uint32_t i = 0; i < 5; i++) {
        nodes[i].seen_ms = 100;
    }
    nodes[old].seen_s = 5;
    nodes[fresh].seen_s = 6;
    nodes[kept].keep = true;
    hear(queued, 1, SERIN_RELAY_STEP, 0);
    (void)serin_relay_presence(&relay, online, true, 0);
    ck_assert_uint_eq(serin_relay_victim(&relay), old);
    nodes[fresh].seen_ms = 99;
    ck_assert_uint_eq(serin_relay_victim(&relay), fresh);
    serin_relay_remove(&relay, fresh);
    serin_relay_remove(&relay, old);
    ck_assert_uint_eq(serin_relay_victim(&relay), SERIN_RELAY_NONE);
    ck_assert_uint_eq(relay.online_count, 1);
    nodes[online].state = SERIN_RELAY_IDLE;
    serin_relay_remove(&relay, online);
    ck_assert_uint_eq(relay.online_count, 0);
}
END_TEST

static void remove_what_waits(void)
{
    start();
    uint32_t node = add("n");
    hear(node, 1, SERIN_RELAY_STEP, 0);
    serin_relay_remove(&relay, node);
}

START_TEST(what_waits_is_not_removed)
{
    ck_assert(check_dies(remove_what_waits));
}
END_TEST

/* ---- verdicts ---- */

/* Caught: `>=` for `>`; an incarnation that is not compared. */
START_TEST(reports_are_judged_by_incarnation_and_number)
{
    start();
    uint32_t node = add("n");
    ck_assert_int_eq(serin_relay_judge(&nodes[node], 77, 3), SERIN_RELAY_NEWER);
    hear(node, 3, SERIN_RELAY_STEP, T);
    ck_assert_int_eq(serin_relay_judge(&nodes[node], 77, 3), SERIN_RELAY_DUPLICATE);
    ck_assert_int_eq(serin_relay_judge(&nodes[node], 77, 2), SERIN_RELAY_OVERTAKEN);
    ck_assert_int_eq(serin_relay_judge(&nodes[node], 77, 4), SERIN_RELAY_NEWER);
    ck_assert_int_eq(serin_relay_judge(&nodes[node], 78, 1), SERIN_RELAY_REBORN);
    leave(T);
    ck_assert_int_eq(serin_relay_judge(&nodes[node], 77, 3), SERIN_RELAY_DUPLICATE);
    ck_assert(ack(node, 77, 3, SERIN_ACK_STORED, 0, T));
    ck_assert_int_eq(serin_relay_judge(&nodes[node], 77, 3), SERIN_RELAY_REPEATED);
    ck_assert_int_eq(serin_relay_judge(&nodes[node], 77, 2), SERIN_RELAY_OVERTAKEN);
}
END_TEST

/* Caught: a state left out of either list. */
START_TEST(the_last_transition_of_the_current_attempt_decides_how_long_it_may_wait)
{
    static const enum serin_relay_class want[SERIN_STATE_COUNT] = {
        [SERIN_STATE_PENDING] = SERIN_RELAY_STEP,
        [SERIN_STATE_DOWNLOADING] = SERIN_RELAY_STEP,
        [SERIN_STATE_VERIFYING] = SERIN_RELAY_STEP,
        [SERIN_STATE_STAGED] = SERIN_RELAY_STEP,
        [SERIN_STATE_TRIAL] = SERIN_RELAY_STEP,
        [SERIN_STATE_CONFIRMED] = SERIN_RELAY_FINAL,
        [SERIN_STATE_ROLLED_BACK] = SERIN_RELAY_URGENT,
        [SERIN_STATE_FAILED] = SERIN_RELAY_URGENT,
        [SERIN_STATE_REJECTED] = SERIN_RELAY_URGENT,
        [SERIN_STATE_SUPERSEDED] = SERIN_RELAY_FINAL,
        [SERIN_STATE_CANCELLED] = SERIN_RELAY_FINAL,
        [SERIN_STATE_REGRESSED] = SERIN_RELAY_URGENT,
        [SERIN_STATE_REVERTED] = SERIN_RELAY_URGENT,
    };
    for (int state = SERIN_STATE_PENDING; state < SERIN_STATE_COUNT; state++) {
        if (want[state] == SERIN_RELAY_CLASS_INVALID) {
            continue; /* unreached, timed_out: serind's own */
        }
        static struct serin_report report;
        memset(&report, 0, sizeof report);
        report.attempt_count = 2; /* the one before the current failed: that was told */
        report.attempts[0].transition_count = 1;
        report.attempts[0].transitions[0].state = SERIN_STATE_FAILED;
        report.attempts[1].transition_count = 2;
        report.attempts[1].transitions[0].state = SERIN_STATE_FAILED;
        report.attempts[1].transitions[1].state = (enum serin_state)state;
        ck_assert_msg(serin_relay_classify(&report) == want[state], "state %d", state);
        ck_assert_int_eq(serin_relay_bad((enum serin_state)state),
                         want[state] == SERIN_RELAY_URGENT);
    }
}
END_TEST

/* ---- when ---- */

/* Caught: a delay that is not the class's; a deadline that does not say the same as `ready`. */
START_TEST(a_report_waits_as_long_as_its_class_allows)
{
    static const struct {
        enum serin_relay_class kind;
        uint64_t wait_ms;
    } cases[] = {
        {SERIN_RELAY_URGENT, 0},
        {SERIN_RELAY_FINAL, DELAY},
        {SERIN_RELAY_STEP, SERIN_RELAY_STEP_DELAYS * DELAY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start();
        hear(add("n"), 1, cases[i].kind, T);
        uint64_t due_ms = T + cases[i].wait_ms;
        ck_assert_uint_eq(serin_relay_deadline_ms(&relay, T), due_ms);
        if (cases[i].wait_ms > 0) {
            ck_assert(!serin_relay_ready(&relay, due_ms - 1));
            ck_assert(!serin_relay_waiting(&relay, due_ms - 1));
        }
        ck_assert(serin_relay_ready(&relay, due_ms));
        ck_assert(serin_relay_waiting(&relay, due_ms));
        ck_assert_uint_eq(leave(due_ms), 1);
        ck_assert(!serin_relay_waiting(&relay, due_ms));
    }
}
END_TEST

/* Caught: a report sent before it is stored; one that begins to wait anew whenever it changes. */
START_TEST(nothing_goes_before_it_is_stored_and_nothing_waits_twice)
{
    start();
    uint32_t node = add("n");
    serin_relay_heard(&relay, node, 77, 1, 400, SERIN_RELAY_URGENT, T);
    ck_assert(!serin_relay_ready(&relay, T + 100000));
    ck_assert_uint_eq(serin_relay_pick(&relay, T, items), 0);
    serin_relay_stored(&relay, node);
    ck_assert(serin_relay_ready(&relay, T));
    start();
    node = add("n");
    for (uint64_t number = 1; number <= 5; number++) { /* one step every 4 s */
        hear(node, number, SERIN_RELAY_STEP, T + 4000 * (number - 1));
    }
    ck_assert(serin_relay_ready(&relay, T + SERIN_RELAY_STEP_DELAYS * DELAY));
}
END_TEST

/* Caught: the count that does not start a batch; one that takes more than a batch holds. */
START_TEST(a_full_batch_waits_for_no_others)
{
    start();
    char id[16];
    for (uint32_t i = 0; i < SERIN_BATCH_ITEMS_MAX + 10; i++) {
        snprintf(id, sizeof id, "n-%u", i);
        uint32_t node = add(id);
        serin_relay_heard(&relay, node, 77, 1, 10, SERIN_RELAY_STEP, T);
        serin_relay_stored(&relay, node);
        ck_assert_int_eq(serin_relay_ready(&relay, T), i + 1 >= SERIN_RELAY_FULL_ITEMS);
    }
    ck_assert(serin_relay_waiting(&relay, T));
    ck_assert_uint_eq(leave(T), SERIN_BATCH_ITEMS_MAX);
    ck_assert(!serin_relay_ready(&relay, T));
    start(); /* by bytes */
    uint32_t sent = 0;
    for (uint32_t i = 0; !serin_relay_ready(&relay, T); i++) {
        snprintf(id, sizeof id, "n-%u", i);
        uint32_t node = add(id);
        serin_relay_heard(&relay, node, 77, 1, 2000, SERIN_RELAY_STEP, T);
        serin_relay_stored(&relay, node);
        sent++;
    }
    ck_assert_uint_eq(sent, SERIN_RELAY_FULL_BYTES / 2000 + 1);
}
END_TEST

/* Caught: the third batch in flight; a token that is not the relay's taken for one. */
START_TEST(few_batches_are_on_their_way)
{
    start();
    uint32_t a = add("a"), b = add("b"), c = add("c");
    hear(a, 1, SERIN_RELAY_URGENT, T);
    leave(T);
    hear(b, 1, SERIN_RELAY_URGENT, T);
    ck_assert(serin_relay_ready(&relay, T));
    leave(T);
    hear(c, 1, SERIN_RELAY_URGENT, T);
    ck_assert(!serin_relay_ready(&relay, T));
    ck_assert(serin_relay_waiting(&relay, T)); /* bulk waits for them */
    serin_relay_delivered(&relay, last_token + 100);
    ck_assert(!serin_relay_ready(&relay, T));
    ck_assert_uint_eq(serin_relay_deadline_ms(&relay, T), T + SERIN_RELAY_FLIGHT_MS);
    serin_relay_delivered(&relay, last_token - 1);
    ck_assert(serin_relay_ready(&relay, T));
    leave(T);
    hear(a, 2, SERIN_RELAY_URGENT, T);
    ck_assert(!serin_relay_ready(&relay, T + SERIN_RELAY_FLIGHT_MS - 1));
    ck_assert(serin_relay_ready(&relay, T + SERIN_RELAY_FLIGHT_MS)); /* the broker forgot them */
}
END_TEST

/* Caught: a node that fails on and on, and each time goes up at once. */
START_TEST(a_node_is_urgent_now_and_then_only)
{
    uint64_t now_ms = T;
    unsigned at_once = 0;
    start();
    uint32_t node = add("n-1");
    for (uint64_t number = 1; number <= 300; number++) { /* ten a second for half a minute */
        hear(node, number, SERIN_RELAY_URGENT, now_ms);
        if (serin_relay_ready(&relay, now_ms)) {
            at_once++;
            leave(now_ms);
            (void)ack(node, 77, number, SERIN_ACK_STORED, 0, now_ms);
            land();
        }
        now_ms += 100;
    }
    ck_assert_uint_ge(at_once, 3);
    ck_assert_uint_le(at_once, 3 + 30000 / DELAY);
}
END_TEST

/* A crowd keeps a growing distance between its batches, a lone report none, and what is urgent
 * never. Caught: the distance left out, or kept by what is urgent; one that never ends. */
START_TEST(batches_of_a_crowd_keep_their_distance)
{
    /* In units, from one batch to the next; the first one waits for its own delay. */
    static const uint64_t distances[] = {1, 1, 2, 4, 5, 5};
    char id[16];
    uint64_t now_ms = T;
    start();
    for (unsigned i = 0; i < sizeof distances / sizeof distances[0]; i++) {
        snprintf(id, sizeof id, "n-%u", i);
        hear(add(id), 1, SERIN_RELAY_FINAL, i == 0 ? now_ms : now_ms - DELAY);
        now_ms += distances[i] * DELAY;
        ck_assert_msg(!serin_relay_ready(&relay, now_ms - 1), "batch %u", i);
        ck_assert_msg(serin_relay_ready(&relay, now_ms), "batch %u", i);
        leave(now_ms);
        for (uint32_t n = 0; n <= i; n++) {
            (void)ack(n, 77, 1, SERIN_ACK_STORED, 0, now_ms);
        }
        land();
    }
    hear(add("urgent"), 1, SERIN_RELAY_URGENT, now_ms);
    ck_assert(serin_relay_ready(&relay, now_ms));
    leave(now_ms);
    land();
    (void)ack(serin_relay_find(&relay, "urgent"), 77, 1, SERIN_ACK_STORED, 0, now_ms);
    now_ms += 11 * (uint64_t)DELAY; /* quiet */
    hear(add("lone"), 1, SERIN_RELAY_FINAL, now_ms);
    ck_assert(serin_relay_ready(&relay, now_ms + DELAY));
    leave(now_ms + DELAY);
    hear(add("next"), 1, SERIN_RELAY_FINAL, now_ms);
    serin_relay_link(&relay, false, now_ms + DELAY); /* a new connection owes no distance, */
    serin_relay_link(&relay, true, now_ms + DELAY);
    ck_assert(serin_relay_ready(&relay, now_ms + DELAY));
    leave(now_ms + DELAY);
    hear(add("more"), 1, SERIN_RELAY_URGENT, now_ms + DELAY);
    leave(now_ms + DELAY); /* and has no batches on their way */
    hear(add("last"), 1, SERIN_RELAY_URGENT, now_ms + DELAY);
    ck_assert(!serin_relay_ready(&relay, now_ms + DELAY));
    serin_relay_link(&relay, false, now_ms + DELAY);
    serin_relay_link(&relay, true, now_ms + DELAY);
    ck_assert(serin_relay_ready(&relay, now_ms + DELAY));
}
END_TEST

/* Caught: a queue that is not in the order of the first word; a place lost by a later report. */
START_TEST(reports_go_in_the_order_of_their_nodes_first_word)
{
    start();
    uint32_t a = add("a"), b = add("b"), c = add("c");
    hear(c, 1, SERIN_RELAY_STEP, T);
    hear(a, 1, SERIN_RELAY_STEP, T + 1);
    hear(b, 1, SERIN_RELAY_STEP, T + 2);
    hear(c, 2, SERIN_RELAY_URGENT, T + 3); /* keeps its place */
    ck_assert_uint_eq(serin_relay_pick(&relay, T + 3, items), 3);
    ck_assert_uint_eq(items[0].node, c);
    ck_assert_uint_eq(items[1].node, a);
    ck_assert_uint_eq(items[2].node, b);
    leave(T + 3);
    ck_assert(ack(c, 77, 2, SERIN_ACK_STORED, 0, T + 4));
    hear(c, 3, SERIN_RELAY_URGENT, T + 5); /* a new word: at the end */
    serin_relay_link(&relay, false, T + 6);
    serin_relay_link(&relay, true, T + 7);
    ck_assert_uint_eq(serin_relay_pick(&relay, T + 7, items), 3);
    ck_assert_uint_eq(items[2].node, c);
    ck_assert_uint_eq(serin_relay_oldest_ms(&relay, T + 7), 6);
    /* A restart in any order of records keeps it. */
    uint64_t places[3] = {nodes[a].queue_number, nodes[b].queue_number, nodes[c].queue_number};
    start();
    c = add("c");
    a = add("a");
    b = add("b");
    serin_relay_restore(&relay, c, places[2], 0, 400, T);
    serin_relay_restore(&relay, a, places[0], 5000, 400, T);
    serin_relay_restore(&relay, b, places[1], 0, 400, T);
    ck_assert_uint_eq(serin_relay_pick(&relay, T, items), 3);
    ck_assert(items[0].node == a && items[1].node == b && items[2].node == c);
    ck_assert(serin_relay_ready(&relay, T));
    ck_assert_uint_eq(serin_relay_oldest_ms(&relay, T + 10), 5010);
    ck_assert_uint_eq(relay.queue_number, places[2]);
}
END_TEST

/* ---- acks and resends ---- */

/* Caught: an ack of an earlier number, or of another life, that clears the queue. */
START_TEST(only_an_ack_of_the_latest_report_ends_its_waiting)
{
    start();
    uint32_t node = add("n");
    ck_assert(!ack(node, 0, 0, SERIN_ACK_STORED, 0, T)); /* nothing was said yet */
    hear(node, 5, SERIN_RELAY_STEP, T);
    leave(T);
    hear(node, 6, SERIN_RELAY_STEP, T);
    ck_assert(!ack(node, 77, 5, SERIN_ACK_STORED, 0, T));
    ck_assert_uint_eq(nodes[node].acked_number, 5);
    ck_assert(!ack(node, 78, 6, SERIN_ACK_STORED, 0, T));
    ck_assert(!ack(node, 77, 6, SERIN_ACK_PENDING, 60, T));
    ck_assert(!ack(node, 77, 6, SERIN_ACK_RESEND, 0, T));
    ck_assert_uint_eq(relay.queued, 1);
    ck_assert(ack(node, 77, 9, SERIN_ACK_STORED, 0, T)); /* a higher one will do */
    ck_assert_uint_eq(relay.queued, 0);
    ck_assert_uint_eq(nodes[node].acked_number, 6);
    serin_relay_heard(&relay, node, 99, 1, 400, SERIN_RELAY_STEP, T); /* reborn */
    ck_assert_uint_eq(nodes[node].acked_number, 0);
    ck_assert(ack(node, 99, 1, SERIN_ACK_STORED, 0, T)); /* before it was stored, even */
    (void)serin_relay_judge(&nodes[node], 99, 1);
    ck_assert(!ack(node, 99, 1, SERIN_ACK_STORED, 0, T)); /* once */
}
END_TEST

/* Caught: a resend that comes too early, not at all, or without growing; silence that is not
 * ended by an ack. */
START_TEST(what_is_not_acknowledged_goes_again_and_ever_less_often)
{
    start();
    uint32_t node = add("n"), other = add("o");
    hear(node, 1, SERIN_RELAY_URGENT, T);
    uint64_t now_ms = T;
    leave(now_ms);
    land();
    for (unsigned i = 0; i < 9; i++) {
        uint64_t wait_ms = (uint64_t)RESEND
                           << (i < SERIN_RELAY_SILENCE_MAX ? i : (unsigned)SERIN_RELAY_SILENCE_MAX);
        ck_assert(!serin_relay_ready(&relay, now_ms + wait_ms - 1));
        now_ms += wait_ms;
        ck_assert(serin_relay_ready(&relay, now_ms));
        ck_assert_uint_eq(leave(now_ms), 1);
        land();
    }
    (void)ack(other, 77, 1, SERIN_ACK_STORED, 0, now_ms); /* serind lives */
    ck_assert(!serin_relay_ready(&relay, now_ms + RESEND - 1));
    ck_assert(serin_relay_ready(&relay, now_ms + RESEND));
}
END_TEST

/* Caught: reports of a lost connection that wait for their resend. */
START_TEST(a_new_connection_sends_all_that_is_not_acknowledged)
{
    start();
    uint32_t node = add("n"), other = add("o");
    hear(node, 1, SERIN_RELAY_URGENT, T);
    hear(other, 1, SERIN_RELAY_STEP, T);
    leave(T);
    serin_relay_link(&relay, false, T + 10);
    ck_assert(!serin_relay_ready(&relay, T + 3600000));
    ck_assert(!serin_relay_waiting(&relay, T + 3600000));
    ck_assert_uint_eq(serin_relay_deadline_ms(&relay, T + 10), UINT64_MAX);
    serin_relay_link(&relay, true, T + 20);
    ck_assert(serin_relay_ready(&relay, T + 20));
    ck_assert_uint_eq(leave(T + 20), 2);
}
END_TEST

/* Caught: retry_s not kept; RESEND obeyed more than once a second. */
START_TEST(serinds_wishes_for_quiet_and_for_resends_are_met)
{
    start();
    uint32_t node = add("n");
    hear(node, 1, SERIN_RELAY_URGENT, T);
    leave(T);
    land();
    (void)ack(node, 77, 0, SERIN_ACK_PENDING, 3600, T);
    ck_assert(!serin_relay_ready(&relay, T + RESEND)); /* nor is it sent again */
    hear(node, 2, SERIN_RELAY_URGENT, T + 1);
    ck_assert(!serin_relay_ready(&relay, T + 3599999));
    ck_assert_uint_eq(serin_relay_pick(&relay, T + 3599999, items), 0);
    ck_assert(serin_relay_ready(&relay, T + 3600000));
    (void)ack(node, 77, 0, SERIN_ACK_RESEND, 0, T + 500); /* an operator approved it */
    ck_assert(serin_relay_ready(&relay, T + 500));
    leave(T + 500);
    land();
    (void)ack(node, 77, 0, SERIN_ACK_RESEND, 0, T + 600);
    ck_assert(!serin_relay_ready(&relay, T + 1499));
    ck_assert(serin_relay_ready(&relay, T + 1500));
    /* Refused: it leaves, and comes again with its node, after the wait. */
    ck_assert(ack(node, 77, 0, SERIN_ACK_REFUSED, 60, T + 2000));
    ck_assert_uint_eq(relay.queued, 0);
    ck_assert_uint_eq(nodes[node].acked_number, 0);
    ck_assert_int_eq(serin_relay_judge(&nodes[node], 77, 2), SERIN_RELAY_REPEATED);
    hear(node, 2, SERIN_RELAY_URGENT, T + 3000);
    ck_assert(!serin_relay_ready(&relay, T + 61999));
    ck_assert(serin_relay_ready(&relay, T + 62000));
}
END_TEST

/* 300 nodes that wait for an operator hold up neither bulk nor the others.
 * Caught: a queue that counts as full of what may not go. */
START_TEST(nodes_that_wait_for_approval_hold_up_nobody)
{
    char id[16];
    start();
    for (uint32_t i = 0; i < 300; i++) {
        snprintf(id, sizeof id, "n-%u", i);
        uint32_t node = add(id);
        hear(node, 1, SERIN_RELAY_URGENT, T);
        (void)ack(node, 77, 0, SERIN_ACK_PENDING, 3600, T);
    }
    ck_assert(!serin_relay_ready(&relay, T + 1000));
    ck_assert(!serin_relay_waiting(&relay, T + 1000));
    (void)serin_relay_presence(&relay, 0, true, T);
    uint64_t lax_ms = SERIN_RELAY_LAX_DELAYS * DELAY;
    ck_assert(serin_relay_ready(&relay, T + lax_ms));
    ck_assert(!serin_relay_waiting(&relay, T + lax_ms));
    ck_assert_uint_eq(leave(T + lax_ms), 1);
    hear(add("other"), 1, SERIN_RELAY_URGENT, T + lax_ms);
    ck_assert(serin_relay_ready(&relay, T + lax_ms));
    ck_assert_uint_eq(leave(T + lax_ms), 1);
}
END_TEST

/* ---- beats and presence ---- */

static struct serin_beat a_beat(void)
{
    struct serin_beat beat;
    memset(&beat, 0, sizeof beat);
    strcpy(beat.product, "lamp");
    strcpy(beat.channel, "stable");
    beat.hardware = 3;
    beat.incarnation = 77;
    beat.running.slot = 1;
    beat.redundancy = SERIN_REDUNDANCY_OLDER;
    beat.refused = SERIN_REASON_NONE;
    return beat;
}

/* Caught: a field of the digests left out, or one that counts up by itself taken in. */
START_TEST(a_beat_goes_up_in_time_or_with_what_changes)
{
    start();
    uint32_t node = add("n");
    struct serin_beat beat = a_beat();
    uint64_t lax_ms = SERIN_RELAY_LAX_DELAYS * DELAY;
    ck_assert(serin_relay_beat(&relay, node, &beat, T));
    ck_assert_uint_eq(serin_relay_deadline_ms(&relay, T), T + lax_ms);
    ck_assert(!serin_relay_waiting(&relay, T + lax_ms)); /* beats hold up no bulk */
    ck_assert(serin_relay_ready(&relay, T + lax_ms));
    ck_assert_uint_eq(leave(T + lax_ms), 1);
    ck_assert_int_eq(items[0].kind, SERIN_BATCH_BEAT);
    uint64_t now_ms = T + lax_ms;
    beat.uptime_s += 60;
    beat.last_number++;
    beat.acked_number++;
    beat.counters[0].value++;
    ck_assert(!serin_relay_beat(&relay, node, &beat, now_ms + BEATS - 1));
    ck_assert(serin_relay_beat(&relay, node, &beat, now_ms + BEATS));
    (void)leave(now_ms + BEATS);
    beat.redundancy = SERIN_REDUNDANCY_MIRRORED;
    (void)serin_relay_beat(&relay, node, &beat, now_ms + BEATS);
    beat.running.version.major++; /* what waits for long already goes with it */
    (void)serin_relay_beat(&relay, node, &beat, now_ms + BEATS + 1);
    ck_assert_uint_eq(nodes[node].beat_due_ms, now_ms + BEATS + 1 + DELAY);
    for (int change = 0; change < 13; change++) {
        start();
        node = add("n");
        beat = a_beat();
        (void)serin_relay_beat(&relay, node, &beat, T);
        leave(T);
        bool core = change < 7;
        beat.running.manifest_id[5] ^= change == 0;
        beat.running.version.major ^= change == 1;
        beat.running.version.minor ^= change == 2;
        beat.running.version.patch ^= change == 3;
        beat.running.security_counter ^= change == 4;
        beat.running.floor ^= change == 5;
        beat.running.slot ^= change == 6 ? 3 : 0;
        beat.channel_order.sequence ^= change == 7;
        beat.own_order.epoch ^= change == 8;
        beat.redundancy = change == 9 ? SERIN_REDUNDANCY_NONE : beat.redundancy;
        beat.refused = change == 10 ? SERIN_REASON_KEY : beat.refused;
        beat.channel[0] = change == 11 ? 'x' : beat.channel[0];
        beat.incarnation ^= change == 12;
        ck_assert_msg(serin_relay_beat(&relay, node, &beat, T + 1), "change %d", change);
        ck_assert_msg(nodes[node].beat_due_ms == T + 1 + (core ? DELAY : lax_ms), "change %d",
                      change);
    }
}
END_TEST

/* Caught: a flap that is told; the presence that is not told anew after a lost batch. */
START_TEST(presence_is_told_when_it_has_changed)
{
    start();
    uint32_t node = add("n");
    ck_assert(serin_relay_presence(&relay, node, true, T));
    ck_assert_uint_eq(relay.online_count, 1);
    ck_assert_uint_eq(leave(T), 1);
    land();
    ck_assert(!serin_relay_presence(&relay, node, true, T));
    ck_assert(serin_relay_presence(&relay, node, false, T)); /* a reset … */
    ck_assert_uint_eq(relay.online_count, 0);
    ck_assert(!serin_relay_presence(&relay, node, true, T + 100)); /* … and back */
    ck_assert_uint_eq(serin_relay_pick(&relay, T + 100, items), 0);
    (void)serin_relay_presence(&relay, node, false, T + 200);
    ck_assert_uint_eq(leave(T + 200), 1);
    serin_relay_link(&relay, false, T + 300); /* the batch may have been lost with it */
    serin_relay_link(&relay, true, T + 400);
    ck_assert(serin_relay_ready(&relay, T + 300 + SERIN_RELAY_LAX_DELAYS * DELAY));
    ck_assert_uint_eq(serin_relay_pick(&relay, T + 400, items), 1);
    ck_assert_int_eq(items[0].kind, SERIN_BATCH_PRESENCE);
}
END_TEST

/* What is due takes along what is not. Caught: beats before reports. */
START_TEST(beats_and_presence_ride_along)
{
    start();
    uint32_t a = add("a"), b = add("b");
    struct serin_beat beat = a_beat();
    (void)serin_relay_beat(&relay, a, &beat, T);
    (void)serin_relay_presence(&relay, b, true, T);
    hear(b, 1, SERIN_RELAY_URGENT, T);
    ck_assert_uint_eq(serin_relay_pick(&relay, T, items), 3);
    ck_assert_int_eq(items[0].kind, SERIN_BATCH_REPORT);
    ck_assert_int_eq(items[1].kind, SERIN_BATCH_PRESENCE);
    ck_assert_int_eq(items[2].kind, SERIN_BATCH_BEAT);
    leave(T);
    ck_assert_uint_eq(serin_relay_deadline_ms(&relay, T), T + RESEND);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        every_state_with_every_event,
        nodes_are_found_added_and_removed,
        the_longest_unseen_idle_node_makes_room,
        what_waits_is_not_removed,
        reports_are_judged_by_incarnation_and_number,
        the_last_transition_of_the_current_attempt_decides_how_long_it_may_wait,
        a_report_waits_as_long_as_its_class_allows,
        nothing_goes_before_it_is_stored_and_nothing_waits_twice,
        a_full_batch_waits_for_no_others,
        few_batches_are_on_their_way,
        batches_of_a_crowd_keep_their_distance,
        a_node_is_urgent_now_and_then_only,
        reports_go_in_the_order_of_their_nodes_first_word,
        only_an_ack_of_the_latest_report_ends_its_waiting,
        what_is_not_acknowledged_goes_again_and_ever_less_often,
        a_new_connection_sends_all_that_is_not_acknowledged,
        serinds_wishes_for_quiet_and_for_resends_are_met,
        nodes_that_wait_for_approval_hold_up_nobody,
        a_beat_goes_up_in_time_or_with_what_changes,
        presence_is_told_when_it_has_changed,
        beats_and_presence_ride_along,
        NULL,
    };
    return check_run("gateway_relay", tests);
}
