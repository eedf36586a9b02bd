/*
 * One word of serind for a whole batch (docs/spec/batch.md, section 3): when it may be given, when
 * each report is answered by itself, and what comes with it.
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"
#include "site_bench.h"
#include "test_keys.h"

#include <serin/adapters/protobufc.h>
#include <serin/crc32.h>

#include <shell/batches.h>

#include <stdio.h>
#include <string.h>

static struct serind_bench bench;
static struct serin_ack_batch acks;

/* A batch of the first reports of n-1 .. n-`count`, of this number. */
static struct site_batch *batch_of(unsigned count, uint64_t number)
{
    struct site_batch *batch = site_batch_new();
    char id[SERIN_ID_MAX + 1];
    for (unsigned i = 1; i <= count; i++) {
        snprintf(id, sizeof id, "n-%u", i);
        site_batch_first(batch, id, number);
    }
    return batch;
}

/* The acks in the only message of this pass. */
static const struct serin_ack_batch *only(void)
{
    ck_assert_uint_eq(bench.sent_count, 1);
    ck_assert_str_eq(bench.sent[0].topic, "serin/1/gw/gw-1/acks");
    ck_assert_int_eq(
        serin_protobufc_site()->decode_ack_batch(bench.sent[0].payload, bench.sent[0].size, &acks),
        SERIN_OK);
    return &acks;
}

static void take(const struct site_batch *batch, uint64_t number)
{
    bench.sent_count = 0;
    site_batch_take(&bench, "gw-1", batch, number);
}

/* Caught: items beside the word; a word that names no bytes; one for reports that are known. */
START_TEST(a_batch_that_is_stored_is_one_word)
{
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    for (uint64_t number = 1; number <= 2; number++) { /* the second: all of them known */
        struct site_batch *batch = batch_of(30, 1);
        site_batch_presence(batch, "n-1", true);
        const struct site_payload *payload = site_batch_encode(batch, SERIN_BATCH_DEFLATE, number);
        uint32_t crc32 = serin_crc32(0, payload->bytes, payload->size);
        take(batch, number);
        ck_assert_uint_eq(only()->count, 0);
        ck_assert_uint_eq(acks.batch_count, 1);
        ck_assert_uint_eq(acks.batches[0].incarnation, 9);
        ck_assert_uint_eq(acks.batches[0].number, number);
        ck_assert_uint_eq(acks.batches[0].crc32, crc32);
        ck_assert_uint_le(bench.sent[0].size, 24);
    }
    ck_assert_uint_eq(site_account(&bench, "n-30"), 1);
    ck_assert_uint_eq(bench.serind.intake.ticket_count, 0);
    serind_bench_close(&bench);
}
END_TEST

/* Expects that a batch of n-1 .. n-3 and what `spoil` adds is answered report by report, n-1 with
 * stored, and `count` answers in all. */
static void falls_back(void (*spoil)(struct site_batch *batch), size_t count)
{
    static uint64_t number = 100;
    struct site_batch *batch = batch_of(3, ++number);
    spoil(batch);
    take(batch, number);
    ck_assert_uint_eq(only()->batch_count, 0);
    ck_assert_uint_eq(acks.count, count);
    const struct serin_ack_item *first = &acks.list[strcmp(acks.list[0].node, "n-1") == 0 ? 0 : 1];
    ck_assert_str_eq(first->node, "n-1"); /* refusals go before it */
    ck_assert_uint_eq(first->ack.number, number);
    ck_assert_int_eq(first->ack.status, SERIN_ACK_STORED);
}

static void refused(struct site_batch *batch)
{
    site_batch_first(batch, "d-1", 9); /* it speaks for itself */
}

static void pending(struct site_batch *batch)
{
    site_batch_first(batch, "n-waits", 9);
}

static void malformed(struct site_batch *batch)
{
    site_batch_first(batch, "n-4", 9);
    batch->payloads[3][0] ^= 0xff;
}

static void of_another(struct site_batch *batch)
{
    struct serin_report report = serind_bench_report("n-5", 9, 2, 1, SERIN_STATE_PENDING, 0);
    site_batch_report(batch, "n-4", &report);
}

static void overtaken(struct site_batch *batch)
{
    site_batch_first(batch, "n-3", 1);
}

/* Caught: the count of reports taken after what was left out; stored with another number counted;
 * every answer counted. */
START_TEST(a_batch_with_anything_else_is_answered_report_by_report)
{
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    site_report_directly(&bench, "d-1", 1);
    falls_back(refused, 4);
    falls_back(malformed, 3);
    falls_back(of_another, 3);
    falls_back(overtaken, 4);
    bench.config.adoption = SERIN_ENROL_APPROVE;
    falls_back(pending, 4);
    ck_assert_int_eq(acks.list[3].ack.status, SERIN_ACK_PENDING);
    bench.config.adoption = SERIN_ENROL_REFUSE;
    falls_back(pending, 4); /* known by now, and still waiting */
    serind_bench_close(&bench);
}
END_TEST

/* Caught: what was not answered counted as stored. */
START_TEST(a_device_that_says_too_much_is_not_spoken_of)
{
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    bench.config.report_rate_per_minute = 1;
    uint64_t number = 1;
    bool whole = true, parts = false;
    for (; number < 20 && !parts; number++) {
        struct site_batch *batch = batch_of(1, number);
        char fresh[SERIN_ID_MAX + 1];
        snprintf(fresh, sizeof fresh, "f-%u", (unsigned)number);
        site_batch_first(batch, fresh, 1);
        take(batch, number);
        whole = only()->batch_count == 1;
        parts = !whole;
        ck_assert_uint_eq(acks.count, whole ? 0 : 1);
    }
    ck_assert(parts);
    ck_assert_str_ne(acks.list[0].node, "n-1");
    serind_bench_close(&bench);
}
END_TEST

/* The beat in the batch misses a report: its answer comes after the word. Caught: a batch that is
 * not answered for its beats; the order turned round. */
START_TEST(beats_are_answered_beside_it)
{
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    struct site_batch *batch = batch_of(2, 1);
    struct serin_beat beat = serind_bench_beat("n-1", 5, 0);
    site_batch_beat(batch, "n-1", &beat);
    take(batch, 1);
    ck_assert_uint_eq(only()->batch_count, 1);
    ck_assert_uint_eq(acks.count, 1);
    ck_assert_int_eq(acks.list[0].ack.status, SERIN_ACK_RESEND);
    /* Beats alone are no batch to acknowledge. */
    batch = site_batch_new();
    beat = serind_bench_beat("n-1", 1, 0);
    site_batch_beat(batch, "n-1", &beat);
    take(batch, 2);
    bench.serind.mono_ms += SERIND_BEAT_WAIT_MS;
    serind_bench_turn(&bench);
    ck_assert_uint_eq(bench.sent_count, 0);
    serind_bench_close(&bench);
}
END_TEST

/* Two batches of one pass are told apart, and a word that follows items goes behind them.
 * Caught: one ticket for the pass; a word put before items of an earlier pass. */
START_TEST(each_batch_of_a_pass_is_judged_by_itself)
{
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    site_report_directly(&bench, "d-1", 1);
    bench.sent_count = 0;
    site_batch_hear(&bench, "gw-1", batch_of(3, 1), 1);
    struct site_batch *mixed = batch_of(3, 2);
    refused(mixed);
    site_batch_hear(&bench, "gw-1", mixed, 2);
    site_batch_hear(&bench, "gw-1", batch_of(3, 3), 3);
    site_batch_hear(&bench, "gw-2", batch_of(1, 3), 3);
    serind_bench_turn(&bench);
    ck_assert_uint_eq(bench.sent_count, 4);
    static const struct {
        const char *topic;
        size_t batches, items;
        uint64_t number;
    } sent[] = {{"serin/1/gw/gw-1/acks", 0, 1, 0}, /* refusals go first */
                {"serin/1/gw/gw-2/acks", 0, 1, 0}, /* n-1 is not its own */
                {"serin/1/gw/gw-1/acks", 1, 3, 1},
                {"serin/1/gw/gw-1/acks", 1, 0, 3}};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(serin_protobufc_site()->decode_ack_batch(bench.sent[i].payload,
                                                                  bench.sent[i].size, &acks),
                         SERIN_OK);
        ck_assert_str_eq(bench.sent[i].topic, sent[i].topic);
        ck_assert_uint_eq(acks.batch_count, sent[i].batches);
        ck_assert_uint_eq(acks.count, sent[i].items);
        ck_assert(acks.batch_count == 0 || acks.batches[0].number == sent[i].number);
    }
    serind_bench_close(&bench);
}
END_TEST

/* Caught: a word before the commit; one for a pass that failed. */
START_TEST(nothing_is_said_before_the_commit)
{
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    bench.sent_count = 0;
    site_batch_hear(&bench, "gw-1", batch_of(3, 1), 1);
    ck_assert_int_eq(serind_pass_begin(&bench.serind), SERIN_OK);
    serind_fleet_take(&bench.serind);
    ck_assert_uint_eq(bench.serind.outbox.count, 1);
    serind_outbox_send(&bench.serind);
    ck_assert_uint_eq(bench.sent_count, 0);
    serind_pass_cancel(&bench.serind);
    serind_outbox_send(&bench.serind);
    ck_assert_uint_eq(bench.sent_count, 0);
    ck_assert_uint_eq(site_account(&bench, "n-1"), 0);
    take(batch_of(3, 1), 2); /* it comes again */
    ck_assert_uint_eq(only()->batches[0].number, 2);
    serind_bench_close(&bench);
}
END_TEST

/* What has no place in the pass is not answered, and its batch not as a whole.
 * Caught: only what was taken in counted. */
START_TEST(a_batch_that_is_cut_off_is_answered_report_by_report)
{
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    bench.serind.intake.count = 0;
    char id[SERIN_ID_MAX + 1];
    for (unsigned part = 0; part < 4; part++) {
        struct site_batch *batch = site_batch_new();
        for (unsigned i = 0; i < 200; i++) {
            snprintf(id, sizeof id, "p-%u-%u", part, i);
            site_batch_first(batch, id, 1);
        }
        site_batch_hear(&bench, "gw-1", batch, 1 + part);
    }
    ck_assert_uint_eq(bench.serind.intake.count, SERIND_BATCH_MAX);
    bench.sent_count = 0;
    serind_bench_turn(&bench);
    ck_assert_uint_eq(bench.sent_count, 2); /* three words and 128 items; 40 items */
    ck_assert_int_eq(
        serin_protobufc_site()->decode_ack_batch(bench.sent[0].payload, bench.sent[0].size, &acks),
        SERIN_OK);
    ck_assert_uint_eq(acks.batch_count, 3);
    ck_assert_uint_eq(acks.count, 128);
    ck_assert_int_eq(site_acked(&bench, "gw-1", "p-3-167"), SERIN_ACK_STORED);
    ck_assert_int_eq(site_acked(&bench, "gw-1", "p-3-168"), SERIN_ACK_INVALID);
    serind_bench_close(&bench);
}
END_TEST

/* More batches in a pass than tickets, and more words than a message holds.
 * Caught: the last ticket used twice. */
START_TEST(many_small_batches_are_all_answered)
{
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    char id[SERIN_ID_MAX + 1];
    unsigned count = SERIND_TICKETS_MAX + 6;
    size_t batches = 0, items = 0;
    for (unsigned i = 0; i < count; i++) {
        struct site_batch *batch = site_batch_new();
        snprintf(id, sizeof id, "s-%u", i);
        site_batch_first(batch, id, 1);
        site_batch_hear(&bench, "gw-1", batch, 1 + i);
        bench.serind.mono_ms += 1000 / SERIND_SITE_PER_SECOND;
    }
    bench.sent_count = 0;
    serind_bench_turn(&bench);
    for (unsigned i = 0; i < bench.sent_count; i++) {
        ck_assert_int_eq(serin_protobufc_site()->decode_ack_batch(bench.sent[i].payload,
                                                                  bench.sent[i].size, &acks),
                         SERIN_OK);
        batches += acks.batch_count;
        items += acks.count;
    }
    ck_assert_uint_eq(batches, SERIND_TICKETS_MAX);
    ck_assert_uint_eq(items, count - SERIND_TICKETS_MAX);
    serind_bench_close(&bench);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        a_batch_that_is_stored_is_one_word,
        a_batch_with_anything_else_is_answered_report_by_report,
        a_device_that_says_too_much_is_not_spoken_of,
        beats_are_answered_beside_it,
        each_batch_of_a_pass_is_judged_by_itself,
        nothing_is_said_before_the_commit,
        a_batch_that_is_cut_off_is_answered_report_by_report,
        many_small_batches_are_all_answered,
        NULL,
    };
    test_keys_open();
    int status = check_run("serind_acks", list);
    test_keys_close();
    return status;
}
