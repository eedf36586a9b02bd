/*
 * The gateway's words on the real store, between links that only remember: reports kept and
 * relayed, acks passed down, nodes learnt, holds told. When things go is check_gateway_relay.c's,
 * what is held check_gateway_hold.c's.
 *
 * Each test names the mutation that it was seen to catch.
 */
#define _GNU_SOURCE
#include "check_killed.h"
#include "words_bench.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct serin_node_record record;
static struct serin_batch batch;
static struct site_message down;

static const char *name_of(unsigned number)
{
    static char id[16];
    snprintf(id, sizeof id, "n-%03u", number);
    return id;
}

/* ---- reports ---- */

/* Caught: a report sent before it is stored; the record kept after the ack; an ack kept back. */
START_TEST(a_report_is_stored_sent_acknowledged_and_forgotten)
{
    struct serin_report report = bench_report("n-1", 3, SERIN_STATE_FAILED);
    uint8_t bytes[SERIN_REPORT_MAX];
    size_t size = bench_encode(&report, bytes);
    bench_up(true);
    bench_site(true);
    bench_say(&report);
    ck_assert_uint_eq(bench.up_count, 0);
    bench_pass(0);
    ck_assert(bench_stored("n-1", &record));
    ck_assert_uint_eq(record.report_size, size);
    ck_assert_mem_eq(record.report, bytes, size);
    ck_assert_uint_eq(record.number, 3);
    ck_assert_uint_eq(record.hardware, 3);
    ck_assert_uint_eq(bench.up_count, 1);
    const struct serin_batch_items *items = bench_items(0, &batch);
    ck_assert_uint_eq(batch.incarnation, 4711);
    ck_assert_uint_eq(batch.number, 1);
    ck_assert_uint_eq(items->count, 1);
    ck_assert_str_eq(items->list[0].node, "n-1");
    ck_assert_int_eq(items->list[0].kind, SERIN_BATCH_REPORT);
    ck_assert_uint_eq(items->list[0].payload_size, size);
    ck_assert_mem_eq(items->list[0].payload, bytes, size);
    ck_assert_uint_eq(bench.gateway.meta.transitions, 3);
    ck_assert_uint_eq(bench.followed, 1);
    bench_ack("n-1", 3, SERIN_ACK_STORED, 0);
    ck_assert_uint_eq(bench_down(SERIN_TOPIC_DEV_ACK, "n-1", &down), 1);
    struct serin_ack ack;
    ck_assert_int_eq(bench.gateway.codec->decode_ack(down.payload, down.size, &ack), SERIN_OK);
    ck_assert_uint_eq(ack.number, 3);
    ck_assert_uint_eq(ack.incarnation, 77);
    ck_assert(bench_stored("n-1", &record));
    ck_assert_uint_eq(record.report_size, 0);
    ck_assert_uint_eq(record.acked_number, 3);
    ck_assert_int_eq(record.standing, SERIN_ACK_STORED);
    bench_pass(3600000);
    ck_assert_uint_eq(bench.up_count, 1);
}
END_TEST

/* Caught: transitions counted by reports, or over again. */
START_TEST(transitions_are_counted_once)
{
    struct serin_report report = bench_report("n-1", 2, SERIN_STATE_DOWNLOADING);
    bench_say(&report);
    bench_say(&report);
    ck_assert_uint_eq(bench.gateway.meta.transitions, 2);
    report = bench_report("n-1", 4, SERIN_STATE_STAGED);
    bench_say(&report);
    ck_assert_uint_eq(bench.gateway.meta.transitions, 4);
    bench_pass(0);
    bench_restart();
    report = bench_report("n-1", 6, SERIN_STATE_CONFIRMED);
    bench_say(&report);
    ck_assert_uint_eq(bench.gateway.meta.transitions, 6);
    report.incarnation = 78; /* reborn: all of it is new */
    report.number = 6;
    bench_say(&report);
    ck_assert_uint_eq(bench.gateway.meta.transitions, 12);
}
END_TEST

/* A herd is one commit and one message, and the bytes of every node come through.
 * Caught: a commit for every report; a batch that never deflates. */
START_TEST(a_herd_is_one_commit_and_one_batch)
{
    bench_up(true);
    uint32_t commits = bench.commits;
    for (unsigned i = 0; i < 250; i++) {
        struct serin_report report = bench_report(name_of(i), 2, SERIN_STATE_DOWNLOADING);
        bench_say(&report);
    }
    bench_pass(0);
    ck_assert_uint_eq(bench.commits - commits, 1);
    ck_assert_uint_eq(bench.up_count, 0);
    bench_pass(10000);
    ck_assert_uint_eq(bench.up_count, 1);
    const struct serin_batch_items *items = bench_items(0, &batch);
    ck_assert_uint_eq(items->count, 250);
    ck_assert_int_eq(batch.encoding, SERIN_BATCH_DEFLATE);
    ck_assert_uint_lt(bench.up[0].size, 16384);
    for (unsigned i = 0; i < 250; i++) {
        ck_assert_str_eq(items->list[i].node, name_of(i));
    }
}
END_TEST

/* Reports that cannot be deflated (their MACs are random) still keep to 64 KiB.
 * Caught: a batch cut to what fits in plain bytes only. */
START_TEST(a_batch_keeps_to_its_limit)
{
    uint32_t noise = 1;
    bench_up(true);
    for (unsigned i = 0; i < 250; i++) {
        struct serin_report report = bench_report(name_of(i), 5, SERIN_STATE_TRIAL);
        report.attempt_count = 2;
        report.attempts[1] = report.attempts[0];
        for (size_t a = 0; a < 2; a++) {
            struct serin_attempt_report *attempt = &report.attempts[a];
            attempt->attempt = 1 + (uint32_t)a;
            attempt->transition_count = SERIN_REPORT_TRANSITIONS_MAX;
            for (size_t t = 0; t < SERIN_REPORT_TRANSITIONS_MAX; t++) {
                noise = noise * 1664525u + 1013904223u;
                attempt->transitions[t] = attempt->transitions[0];
                attempt->transitions[t].time_s = T0 + noise % 100000000u;
                attempt->transitions[t].uptime_ms = (uint64_t)noise * noise;
                attempt->transitions[t].detail = noise;
            }
        }
        bench_say(&report);
    }
    bench_pass(60000);
    size_t items = 0;
    ck_assert_uint_ge(bench.up_count, 2);
    for (size_t i = 0; i < bench.up_count; i++) {
        items += bench_items(i, &batch)->count;
        gateway_words_delivered(&bench.gateway, bench.up[i].token);
        bench_pass(100);
    }
    ck_assert_uint_ge(items, 250);
}
END_TEST

/* Caught: reports not restored, or restored out of order; the number of batches begun anew. */
START_TEST(days_without_an_uplink_lose_nothing_and_keep_the_order)
{
    struct serin_directive directive = bench_directive(1);
    bench_order(&directive, true);
    for (unsigned i = 0; i < 100; i++) {
        struct serin_report report = bench_report(name_of(99 - i), 2, SERIN_STATE_DOWNLOADING);
        bench_say(&report);
        bench_pass(1000);
    }
    struct serin_report late = bench_report("n-099", 3, SERIN_STATE_VERIFYING);
    bench_say(&late);
    bench_pass(86400000);
    ck_assert_uint_eq(bench.up_count, 0);
    bench_restart();
    bench_pass(3600000);
    struct serin_gw_status status = {.fleet_count = 0};
    gateway_words_status(&bench.gateway, &status);
    ck_assert_uint_eq(status.queued, 100);
    ck_assert_uint_eq(status.nodes, 100);
    ck_assert_uint_eq(status.queue_oldest_s, 100 + 86400 + 3600);
    bench_up(true);
    ck_assert_uint_eq(bench.up_count, 1);
    const struct serin_batch_items *items = bench_items(0, &batch);
    ck_assert_uint_eq(items->count, 100);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_str_eq(items->list[i].node, name_of(99 - i));
    }
    uint8_t bytes[SERIN_REPORT_MAX];
    size_t size = bench_encode(&late, bytes);
    ck_assert_uint_eq(items->list[0].payload_size, size); /* the latest, in the first place */
    ck_assert_mem_eq(items->list[0].payload, bytes, size);
    uint64_t number = batch.number;
    bench_look();
    bench_restart();
    bench_up(true);
    (void)bench_items(0, &batch);
    ck_assert_uint_eq(batch.number, number + 1);
    for (unsigned i = 0; i < 100; i++) {
        bench_ack(name_of(i), 3, SERIN_ACK_STORED, 0);
    }
    bench_restart(); /* with an empty queue: places are not given out twice */
    ck_assert_uint_eq(bench.gateway.words->relay.queue_number, 100);
}
END_TEST

/* Caught: the retained report of an earlier account; a report that is not from whom it says. */
START_TEST(nobody_speaks_for_another_and_nothing_malformed_passes)
{
    struct serin_report report = bench_report("n-1", 1, SERIN_STATE_PENDING);
    uint8_t bytes[SERIN_REPORT_MAX];
    size_t size = bench_encode(&report, bytes);
    struct serin_topic topic = {.kind = SERIN_TOPIC_DEV_REPORT, .id = "n-2"};
    gateway_words_node(&bench.gateway, &topic, bytes, size);
    topic.kind = SERIN_TOPIC_DEV_BEAT;
    gateway_words_node(&bench.gateway, &topic, bytes, size);
    topic.kind = SERIN_TOPIC_PRESENCE;
    gateway_words_node(&bench.gateway, &topic, bytes, size);
    strcpy(topic.id, "n-1");
    topic.kind = SERIN_TOPIC_DEV_REPORT;
    gateway_words_node(&bench.gateway, &topic, bytes, size - 1);
    strcpy(topic.id, "gw-1"); /* the gateway itself, at the site's broker */
    gateway_words_node(&bench.gateway, &topic, bytes, size);
    bench_presence("n-3", false); /* one who was there once */
    struct serin_gw_status status = {.fleet_count = 0};
    gateway_words_status(&bench.gateway, &status);
    ck_assert_uint_eq(status.nodes, 0);
    ck_assert_uint_eq(bench.gateway.words->malformed, 4);
    uint8_t noise[64];
    memset(noise, 0xee, sizeof noise);
    gateway_words_acks(&bench.gateway, noise, sizeof noise);
    bench_ack("n-9", 1, SERIN_ACK_STORED, 0); /* of no node of ours */
    ck_assert_uint_eq(bench.site_count, 0);
}
END_TEST

/* Caught: a node with something queued that makes room; the record that is not deleted. */
START_TEST(nodes_are_bounded)
{
    bench_close();
    bench.config.nodes_max = 3;
    bench_open();
    bench_up(true);
    for (unsigned i = 0; i < 3; i++) {
        struct serin_report report = bench_report(name_of(i), 1, SERIN_STATE_PENDING);
        bench_say(&report);
        bench_pass(1000);
    }
    struct serin_report fourth = bench_report("n-4", 1, SERIN_STATE_PENDING);
    bench_say(&fourth);
    ck_assert_uint_eq(bench.gateway.words->refused, 1);
    bench_ack("n-001", 1, SERIN_ACK_STORED, 0);
    bench_say(&fourth);
    bench_pass(0);
    ck_assert_uint_eq(bench.forgotten, 1);
    ck_assert(!bench_stored("n-001", &record));
    ck_assert(bench_stored("n-4", &record));
    struct serin_gw_status status = {.fleet_count = 0};
    gateway_words_status(&bench.gateway, &status);
    ck_assert_uint_eq(status.nodes, 3);
    bench_restart();
    gateway_words_status(&bench.gateway, &status);
    ck_assert_uint_eq(status.nodes, 3);
    ck_assert_uint_eq(status.queued, 3);
}
END_TEST

/* A store that takes nothing makes the site neither dumb nor mad: reports go up from memory, and
 * are stored when there is room. Caught: reports that stay FRESH; a loop without a pause. */
START_TEST(a_full_store_does_not_stop_reports)
{
    bench_up(true);
    bench.store_full = true;
    struct serin_report report = bench_report("n-1", 3, SERIN_STATE_FAILED);
    bench_say(&report);
    bench_pass(0);
    ck_assert_uint_eq(bench.up_count, 1);
    ck_assert(!bench_stored("n-1", &record));
    bench_pass(5000);
    bench.store_full = false;
    bench_pass(WORDS_STORE_RETRY_MS);
    ck_assert(bench_stored("n-1", &record));
    ck_assert_uint_gt(record.report_size, 0);
    bench.store_full = true;
    bench_ack("n-1", 3, SERIN_ACK_STORED, 0);
    bench.store_full = false;
    bench_pass(WORDS_STORE_RETRY_MS);
    ck_assert(bench_stored("n-1", &record));
    ck_assert_uint_eq(record.report_size, 0);
}
END_TEST

/* ---- the links ---- */

/* Caught: a publish without room that is forgotten, or tried without a pause. */
START_TEST(links_without_room_are_tried_again)
{
    bench_up(true);
    bench_site(true);
    bench.up_says = SERIN_ERR_AGAIN;
    struct serin_report report = bench_report("n-1", 3, SERIN_STATE_FAILED);
    bench_say(&report);
    bench_pass(10000);
    ck_assert_uint_eq(bench.up_count, 0);
    ck_assert(gateway_words_waiting(&bench.gateway));
    bench.up_says = SERIN_OK;
    bench_pass(WORDS_LINK_RETRY_MS);
    ck_assert_uint_eq(bench.up_count, 1);
    ck_assert(!gateway_words_waiting(&bench.gateway));
    (void)bench_items(0, &batch);
    ck_assert_uint_eq(batch.number, 1); /* none was used up */
    bench.site_says = SERIN_ERR_AGAIN;
    bench_look();
    bench_ack("n-1", 3, SERIN_ACK_STORED, 0);
    bench_pass(10000);
    ck_assert_uint_eq(bench_down(SERIN_TOPIC_DEV_ACK, "n-1", &down), 0);
    bench.site_says = SERIN_OK;
    bench_pass(WORDS_LINK_RETRY_MS);
    ck_assert_uint_eq(bench_down(SERIN_TOPIC_DEV_ACK, "n-1", &down), 1);
}
END_TEST

/* The site's broker was away when serind's word came. */
START_TEST(acks_wait_for_the_sites_broker)
{
    bench_up(true);
    struct serin_report report = bench_report("n-1", 3, SERIN_STATE_FAILED);
    bench_say(&report);
    bench_pass(0);
    bench_ack("n-1", 3, SERIN_ACK_STORED, 0);
    ck_assert_uint_eq(bench_down(SERIN_TOPIC_DEV_ACK, "n-1", &down), 0);
    bench_site(true);
    ck_assert_uint_eq(bench_down(SERIN_TOPIC_DEV_ACK, "n-1", &down), 1);
    bench_look();
    bench_say(&report); /* it was lost on the way: the node repeats itself, and serind answers */
    bench_pass(2000);
    ck_assert_uint_eq(bench.up_count, 1);
}
END_TEST

/* Caught: the beat's bytes of an earlier beat; presence that is told for nodes that are gone. */
START_TEST(beats_and_presence_ride_along)
{
    bench_up(true);
    bench_site(true);
    bench_presence("n-1", true);
    bench_beat("n-1", 0, 1);
    bench_beat("n-1", 0, 2);
    struct serin_gw_status status = {.fleet_count = 0};
    gateway_words_status(&bench.gateway, &status);
    ck_assert_uint_eq(status.nodes_online, 1);
    bench_pass(30000);
    ck_assert_uint_eq(bench.up_count, 1);
    const struct serin_batch_items *items = bench_items(0, &batch);
    ck_assert_uint_eq(items->count, 2);
    ck_assert_int_eq(items->list[0].kind, SERIN_BATCH_PRESENCE);
    ck_assert_int_eq(items->list[1].kind, SERIN_BATCH_BEAT);
    struct serin_beat beat;
    ck_assert_int_eq(bench.gateway.codec->decode_beat(items->list[1].payload,
                                                      items->list[1].payload_size, &beat),
                     SERIN_OK);
    ck_assert_uint_eq(beat.running.manifest_id[0], 2);
    gateway_words_delivered(&bench.gateway, bench.up[0].token);
    bench_look();
    bench_site(false);
    bench_site(true); /* the broker forgot everyone */
    gateway_words_status(&bench.gateway, &status);
    ck_assert_uint_eq(status.nodes_online, 0);
    bench_pass(30000);
    ck_assert_uint_eq(bench.up_count, 1);
    items = bench_items(0, &batch);
    struct serin_presence presence;
    ck_assert_int_eq(bench.gateway.codec->decode_presence(items->list[0].payload,
                                                          items->list[0].payload_size, &presence),
                     SERIN_OK);
    ck_assert(!presence.online);
}
END_TEST

/* ---- holds ---- */

/* Caught: a hold that is not told at the connection; a lease that outlives its end. */
START_TEST(holds_are_told_and_leases_end)
{
    bench_site(true);
    ck_assert(bench_hold("lamp").held);
    ck_assert_int_eq(bench_hold("lamp").reason, SERIN_REASON_LEASE);
    struct serin_directive directive = bench_directive(1);
    bench_look();
    bench_order(&directive, true);
    ck_assert(!bench_hold("lamp").held);
    ck_assert_uint_eq(bench_hold("lamp").lease_left_s, 3600);
    ck_assert_uint_eq(bench_hold("lamp").time_s, T0);
    ck_assert_uint_eq(gateway_words_signed_s(&bench.gateway), T0);
    bench_look();
    bench.gateway.wall_s = 1; /* the wall clock says what it likes */
    bench_pass(3599000);
    bench.gateway.wall_s = SERIN_TIME_MAX_S;
    ck_assert_uint_eq(bench_down(SERIN_TOPIC_HOLD, "lamp", &down), 59);
    ck_assert(!bench_hold("lamp").held);
    bench_pass(1000);
    ck_assert(bench_hold("lamp").held);
    ck_assert_uint_eq(bench_hold("lamp").time_s, T0 + 3600);
    bench_look();
    bench_site(false);
    bench_site(true);
    ck_assert_uint_eq(bench_down(SERIN_TOPIC_HOLD, "lamp", &down), 1);
}
END_TEST

/* The program's restart loses no time; the machine's ends the lease.
 * Caught: the boot not compared; signed time begun anew. */
START_TEST(signed_time_goes_on_over_restarts)
{
    struct serin_directive directive = bench_directive(1);
    bench_order(&directive, true);
    bench_pass(1800000);
    struct serin_report report = bench_report("n-1", 1, SERIN_STATE_PENDING);
    bench_say(&report); /* its commit takes the numbers along */
    bench_pass(60000);
    bench.order_count = 0; /* without the help of what orders remember */
    bench_restart();
    ck_assert_uint_eq(gateway_words_signed_s(&bench.gateway), T0 + 1860);
    bench.gateway.mono_ms += 86400000; /* another clock: it says nothing of the first */
    memset(bench.gateway.boot_id, 2, SERIN_BOOT_ID_SIZE);
    bench.order_count = 1;
    bench.orders[0].this_boot = false;
    bench_restart();
    uint64_t now_s = gateway_words_signed_s(&bench.gateway);
    ck_assert(now_s >= T0 + 1800 && now_s <= T0 + 1860);
    bench_site(true);
    ck_assert(bench_hold("lamp").held);
    directive = bench_directive(2);
    directive.issued_s = T0 + 5000;
    bench_order(&directive, true);
    ck_assert(!bench_hold("lamp").held);
}
END_TEST

static void fail_nodes(unsigned first, unsigned last, enum serin_state state)
{
    for (unsigned i = first; i <= last; i++) {
        struct serin_report report = bench_report(name_of(i), 9, state);
        bench_say(&report);
    }
    bench_pass(0);
}

/* Caught: a failure counted twice, lost at a restart, or of another attempt. */
START_TEST(a_site_halts_itself_when_its_nodes_fail)
{
    struct serin_directive directive = bench_directive(1);
    struct serin_gw_status status;
    bench_site(true);
    bench_order(&directive, true);
    fail_nodes(1, 1, SERIN_STATE_FAILED);
    fail_nodes(2, 2, SERIN_STATE_ROLLED_BACK);
    struct serin_report report = bench_report("n-002", 10, SERIN_STATE_FAILED);
    bench_say(&report); /* once more the same node */
    report = bench_report("n-003", 9, SERIN_STATE_FAILED);
    report.attempts[0].attempt = 2;
    bench_say(&report); /* another attempt */
    report = bench_report("n-004", 9, SERIN_STATE_CANCELLED);
    bench_say(&report); /* no fault of the image */
    bench_pass(0);
    ck_assert(!gateway_words_halted(&bench.gateway, "lamp", "stable"));
    report = bench_report("n-005", 9, SERIN_STATE_CONFIRMED);
    bench_say(&report);
    bench_beat("n-005", 9, 7);
    ck_assert(!gateway_words_halted(&bench.gateway, "lamp", "stable"));
    bench_beat("n-005", 9, 8); /* it runs another image: reverted */
    bench_pass(0);
    ck_assert(gateway_words_halted(&bench.gateway, "lamp", "stable"));
    ck_assert(!gateway_words_halted(&bench.gateway, "lamp", "beta"));
    ck_assert(bench_hold("lamp").held);
    ck_assert_int_eq(bench_hold("lamp").reason, SERIN_REASON_SITE);
    bench_restart();
    bench_site(true);
    ck_assert(gateway_words_halted(&bench.gateway, "lamp", "stable"));
    memset(&status, 0, sizeof status);
    status.fleet_count = 1;
    strcpy(status.fleets[0].product, "lamp");
    strcpy(status.fleets[0].channel, "stable");
    gateway_words_status(&bench.gateway, &status);
    ck_assert_int_eq(status.fleets[0].hold, SERIN_HOLD_CAUSE_FAILURES);
    ck_assert_uint_eq(status.fleets[0].failures, 3);
    ck_assert_uint_eq(status.fleets[0].failures_max, 2);
    ck_assert_uint_eq(status.fleets[0].manifest_id[0], 7);
    struct serin_report moved = bench_report("n-001", 99, SERIN_STATE_PENDING);
    strcpy(moved.product, "pump"); /* who says it is another product takes nothing back */
    moved.attempts[0].manifest_id[0] = 55;
    bench_say(&moved);
    bench_pass(0);
    bench_restart();
    bench_site(true);
    ck_assert(gateway_words_halted(&bench.gateway, "lamp", "stable"));
    directive = bench_directive(2);
    directive.candidate.attempt = 2; /* a retry: one node failed it already */
    bench_order(&directive, true);
    ck_assert(!gateway_words_halted(&bench.gateway, "lamp", "stable"));
    gateway_words_status(&bench.gateway, &status);
    ck_assert_uint_eq(status.fleets[0].failures, 1);
    ck_assert(!bench_hold("lamp").held);
}
END_TEST

/* Caught: a failure of something else in its place; one that makes room for a new node. */
START_TEST(a_failure_of_the_candidate_stays_counted)
{
    struct serin_directive directive = bench_directive(1);
    directive.site_failures_max = 1;
    bench_close();
    bench.config.nodes_max = 3;
    bench_open();
    bench_order(&directive, true);
    fail_nodes(1, 1, SERIN_STATE_FAILED);
    struct serin_report report = bench_report("n-001", 12, SERIN_STATE_FAILED);
    report.attempts[0].attempt = 5; /* its own directive asked for it */
    bench_say(&report);
    bench_ack("n-001", 12, SERIN_ACK_STORED, 0);
    bench_restart();
    bench_pass(1000);
    for (unsigned i = 2; i <= 6; i++) {
        report = bench_report(name_of(i), 9, SERIN_STATE_CONFIRMED);
        bench_say(&report);
        bench_ack(name_of(i), 9, SERIN_ACK_STORED, 0);
        bench_pass(1000);
    }
    ck_assert(bench_stored("n-001", &record));
    ck_assert_uint_eq(record.failed_attempt, 1);
    ck_assert(!gateway_words_halted(&bench.gateway, "lamp", "stable"));
    report = bench_report("n-006", 10, SERIN_STATE_REJECTED);
    bench_say(&report);
    ck_assert(gateway_words_halted(&bench.gateway, "lamp", "stable"));
}
END_TEST

/* Caught: a beat from before the confirmation taken for a reversion. */
START_TEST(only_a_beat_that_knows_of_no_later_report_says_reverted)
{
    struct serin_directive directive = bench_directive(1);
    directive.site_failures_max = 1;
    bench_order(&directive, true);
    for (unsigned i = 1; i <= 5; i++) {
        struct serin_report report = bench_report(name_of(i), 9, SERIN_STATE_CONFIRMED);
        bench_say(&report);
        bench_beat(name_of(i), 8, 1);  /* overtaken */
        bench_beat(name_of(i), 10, 1); /* it has moved on: its report is on its way */
    }
    bench_pass(0);
    ck_assert(!gateway_words_halted(&bench.gateway, "lamp", "stable"));
    for (unsigned i = 3; i <= 5; i++) { /* their own directive gives them another image since */
        struct serin_report report = bench_report(name_of(i), 10, SERIN_STATE_CONFIRMED);
        report.attempt_count = 2;
        report.attempts[1] = report.attempts[0];
        report.attempts[1].manifest_id[0] = 99;
        report.attempts[1].transition_count--; /* a trial */
        bench_say(&report);
        bench_beat(name_of(i), 10, 99);
    }
    ck_assert(!gateway_words_halted(&bench.gateway, "lamp", "stable"));
    bench_beat(name_of(1), 9, 1);
    bench_beat(name_of(2), 9, 1);
    ck_assert(gateway_words_halted(&bench.gateway, "lamp", "stable"));
}
END_TEST

/* Nodes for `serin-gateway status --nodes`. */
static bool count_nodes(void *arg, const struct serin_node_record *node, bool online)
{
    unsigned *counts = arg;
    counts[0]++;
    counts[1] += online ? 1u : 0u;
    counts[2] += node->report_size > 0 ? 1u : 0u;
    return counts[0] < 3;
}

START_TEST(nodes_are_shown)
{
    unsigned counts[3] = {0};
    bench_presence("n-1", true);
    for (unsigned i = 0; i < 9; i++) {
        struct serin_report report = bench_report(name_of(i), 1, SERIN_STATE_PENDING);
        bench_say(&report);
    }
    gateway_words_each_node(&bench.gateway, count_nodes, counts);
    ck_assert_uint_eq(counts[0], 3);
    ck_assert_uint_eq(counts[1], 1);
    ck_assert_uint_eq(counts[2], 2);
}
END_TEST

/* ---- deaths ---- */

#ifdef SERIN_FAULT_POINTS
/* A report is said, sent and acknowledged by a gateway that dies on the way. */
static void relay_one(void)
{
    bench_open();
    bench_up(true);
    bench_site(true);
    struct serin_report report = bench_report("n-1", 3, SERIN_STATE_FAILED);
    bench_say(&report);
    bench_pass(0);
    bench_ack("n-1", 3, SERIN_ACK_STORED, 0);
}

static bool dies(const char *fault)
{
    bench_close();
    bool killed = check_killed(relay_one, fault);
    bench_open();
    return killed;
}

/* After each death the report is in the store, or the node has not been told otherwise and repeats
 * it; either way it goes up and is acknowledged. */
START_TEST(a_gateway_may_die_anywhere)
{
    static const struct {
        const char *fault;
        bool stored;
    } deaths[] = {
        {"gateway.report.before_commit:1", false},
        {"gateway.report.after_commit:1", true},
        {"gateway.batch.before:1", true},
        {"gateway.batch.sent:1", true},
        {"gateway.ack.heard:1", true},
    };
    for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
        ck_assert_msg(dies(deaths[i].fault), "%s", deaths[i].fault);
        bool stored = bench_stored("n-1", &record) && record.report_size > 0;
        ck_assert_msg(stored == deaths[i].stored, "%s", deaths[i].fault);
        struct serin_report report = bench_report("n-1", 3, SERIN_STATE_FAILED);
        bench_up(true);
        bench_site(true);
        bench_say(&report); /* nobody told it that serind has it */
        bench_pass(0);
        ck_assert_uint_eq(bench.up_count, 1);
        bench_ack("n-1", 3, SERIN_ACK_STORED, 0);
        ck_assert_uint_eq(bench_down(SERIN_TOPIC_DEV_ACK, "n-1", &down), 1);
        bench_teardown();
        bench_setup();
    }
}
END_TEST
#endif

int main(void)
{
    const TTest *const tests[] = {
        a_report_is_stored_sent_acknowledged_and_forgotten,
        transitions_are_counted_once,
        a_herd_is_one_commit_and_one_batch,
        a_batch_keeps_to_its_limit,
        days_without_an_uplink_lose_nothing_and_keep_the_order,
        nobody_speaks_for_another_and_nothing_malformed_passes,
        nodes_are_bounded,
        a_full_store_does_not_stop_reports,
        links_without_room_are_tried_again,
        acks_wait_for_the_sites_broker,
        beats_and_presence_ride_along,
        holds_are_told_and_leases_end,
        signed_time_goes_on_over_restarts,
        a_site_halts_itself_when_its_nodes_fail,
        a_failure_of_the_candidate_stays_counted,
        only_a_beat_that_knows_of_no_later_report_says_reverted,
        nodes_are_shown,
#ifdef SERIN_FAULT_POINTS
        a_gateway_may_die_anywhere,
#endif
    };
    Suite *suite = suite_create("gateway_words");
    TCase *each = tcase_create("each");
    tcase_set_timeout(each, 60);
    tcase_add_checked_fixture(each, bench_setup, bench_teardown);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tcase_add_test(each, tests[i]);
    }
    suite_add_tcase(suite, each);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
