/*
 * The shell of serind and gateways (docs/spec/batch.md, sections 3 and 4): batches and what is
 * wrong with them, acks, presence and status, passes that fail and restarts. Who speaks for whom is
 * in check_serind_sites.c.
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"
#include "site_bench.h"
#include "test_keys.h"

#include <shell/batches.h>

#include <serin/adapters/protobufc.h>

#include <stdio.h>
#include <string.h>

/* Loads the sites and devices anew, as a start does. */
static void restart(struct serind_bench *bench)
{
    struct serind *serind = &bench->serind;
    serind_sites_free(serind);
    serind_sites_init(serind);
    serind_index_free(&serind->index);
    serind->alarms.count = 0;
    ck_assert_int_eq(serind->store.ops->begin(serind->store.ctx, false), SERIN_OK);
    ck_assert_int_eq(serind_sites_load(serind), SERIN_OK);
    ck_assert_int_eq(serind_fleet_load(serind), SERIN_OK);
    serind->store.ops->abort(serind->store.ctx);
}

/* ---- batches ---- */

/* Caught: the intake full at its last place, so that the rest of a batch is dropped; acks in one
 * message each; acks before the commit. */
START_TEST(a_full_batch_is_one_pass_and_one_message)
{
    static struct serind_bench bench;
    char id[SERIN_ID_MAX + 1];
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    ck_assert_uint_ge(SERIND_BATCH_MAX - SERIND_BATCH_FULL, SERIN_BATCH_ITEMS_MAX);
    struct site_batch *batch = site_batch_new();
    for (unsigned i = 0; i < SERIN_BATCH_ITEMS_MAX; i++) {
        snprintf(id, sizeof id, "n-%u", i);
        site_batch_first(batch, id, 1);
    }
    site_batch_hear(&bench, "gw-1", batch, 1);
    ck_assert_uint_eq(bench.serind.intake.count, SERIN_BATCH_ITEMS_MAX);
    ck_assert_uint_eq(bench.sent_count, 0);
    serind_bench_turn(&bench);
    ck_assert_uint_eq(bench.sent_count, 1);
    for (unsigned i = 0; i < SERIN_BATCH_ITEMS_MAX; i++) {
        snprintf(id, sizeof id, "n-%u", i);
        ck_assert_int_eq(site_acked(&bench, "gw-1", id), SERIN_ACK_STORED);
    }
    ck_assert_uint_eq(serind_site(&bench.serind, 1)->nodes, SERIN_BATCH_ITEMS_MAX);
    /* Three at once: what has no place is not acknowledged, and nothing is written beyond. */
    for (unsigned i = 0; i < 4; i++) {
        site_batch_hear(&bench, "gw-1", batch, 2 + i);
    }
    ck_assert_uint_eq(bench.serind.intake.count, SERIND_BATCH_MAX);
    serind_bench_close(&bench);
}
END_TEST

/* Acks of two gateways and of a direct device, mixed in one pass, and a client that is full.
 * Caught: acks of one gateway sent to another; those that wait lost. */
START_TEST(acks_go_the_way_that_the_report_came)
{
    static struct serind_bench bench;
    char id[SERIN_ID_MAX + 1];
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    for (unsigned i = 0; i < 6; i++) {
        struct site_batch *batch = site_batch_new();
        snprintf(id, sizeof id, "n-%u", i);
        site_batch_first(batch, id, 1);
        site_batch_hear(&bench, i % 2 == 0 ? "gw-1" : "gw-2", batch, 1 + i / 2);
    }
    bench.publish_says = SERIN_ERR_AGAIN;
    site_report_directly(&bench, "d-1", 1);
    ck_assert_uint_eq(bench.sent_count, 0);
    ck_assert_uint_eq(bench.serind.outbox.committed, 7);
    bench.publish_says = SERIN_OK;
    serind_outbox_send(&bench.serind);
    ck_assert_uint_eq(bench.sent_count, 3);
    for (unsigned i = 0; i < 6; i++) {
        snprintf(id, sizeof id, "n-%u", i);
        ck_assert_int_eq(site_acked(&bench, "gw-1", id),
                         i % 2 == 0 ? SERIN_ACK_STORED : SERIN_ACK_INVALID);
        ck_assert_int_eq(site_acked(&bench, "gw-2", id),
                         i % 2 == 1 ? SERIN_ACK_STORED : SERIN_ACK_INVALID);
    }
    ck_assert_int_eq(site_acked(&bench, NULL, "d-1"), SERIN_ACK_STORED);
    ck_assert_uint_eq(bench.serind.outbox.count, 0);
    serind_bench_close(&bench);
}
END_TEST

/* Caught: an item taken whose message names another node; a bad item spoiling the good ones. */
START_TEST(each_item_is_checked_by_itself)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    struct site_batch *batch = site_batch_new();
    site_batch_first(batch, "n-1", 1);
    struct serin_report report = serind_bench_report("n-2", 1, 2, 1, SERIN_STATE_PENDING, 0);
    site_batch_report(batch, "n-3", &report);
    site_batch_first(batch, "n-4", 1);
    batch->payloads[2][0] ^= 0xff;
    site_batch_first(batch, "n-5", 1);
    site_batch_take(&bench, "gw-1", batch, 1);
    ck_assert_str_eq(site_of(&bench, "n-1"), "gw-1");
    ck_assert_str_eq(site_of(&bench, "n-2"), "?");
    ck_assert_str_eq(site_of(&bench, "n-3"), "?");
    ck_assert_str_eq(site_of(&bench, "n-4"), "?");
    ck_assert_str_eq(site_of(&bench, "n-5"), "gw-1");
    ck_assert_uint_eq(bench.serind.intake.malformed, 2);
    serind_bench_close(&bench);
}
END_TEST

/* Every cut and every flipped byte of a batch: refused or taken in part, never worse. And a batch
 * that unfolds to more than it says. */
START_TEST(hostile_batches_harm_nothing)
{
    static struct serind_bench bench;
    static struct site_payload copy;
    site_bench_open(&bench, SERIN_ENROL_REFUSE);
    struct site_batch *batch = site_batch_new();
    site_batch_first(batch, "n-1", 1);
    site_batch_presence(batch, "n-2", true);
    for (enum serin_batch_encoding encoding = SERIN_BATCH_PLAIN; encoding <= SERIN_BATCH_DEFLATE;
         encoding++) {
        const struct site_payload *good = site_batch_encode(batch, encoding, 1);
        for (size_t at = 0; at < good->size; at++) {
            copy = *good;
            enum serin_error error = serind_batch_heard(&bench.serind, 0, "gw-1", copy.bytes, at);
            ck_assert_msg(error != SERIN_OK, "cut at %zu", at);
            copy.bytes[at] ^= 0x55;
            (void)!serind_batch_heard(&bench.serind, 0, "gw-1", copy.bytes, copy.size);
            bench.serind.intake.count = 0;
            bench.serind.mono_ms += 1000;
        }
    }
    serind_bench_turn(&bench);
    ck_assert_uint_eq(bench.serind.index.count, 0);
    serind_bench_close(&bench);
}
END_TEST

START_TEST(lost_batches_are_counted)
{
    static struct serind_bench bench;
    static const struct {
        uint64_t number, lost;
    } rows[] = {{5, 0}, {6, 0}, {9, 2}, {7, 2}, {9, 2}, {10, 2}, {UINT64_MAX, UINT64_C(1) << 39}};
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        site_take_first(&bench, "gw-1", "n-1", rows[i].number);
        uint64_t lost = serind_site(&bench.serind, 1)->record.batches_lost;
        if (rows[i].number == UINT64_MAX) {
            ck_assert_uint_gt(lost, rows[i].lost);
            ck_assert_uint_le(lost, INT64_MAX);
        } else {
            ck_assert_uint_eq(lost, rows[i].lost);
        }
    }
    serind_bench_close(&bench);
}
END_TEST

/* Caught: presence of a stranger's node believed; presence lost over a restart. */
START_TEST(presence_of_a_node_is_its_gateways_to_tell)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    site_take_first(&bench, "gw-1", "n-1", 1);
    uint32_t device = serind_index_find(&bench.serind.index, "n-1");
    struct serind_device *node = &bench.serind.index.list[device];
    ck_assert(node->online);
    struct site_batch *batch = site_batch_new();
    site_batch_presence(batch, "n-1", false);
    site_batch_presence(batch, "n-7", true);
    site_batch_take(&bench, "gw-2", batch, 1);
    ck_assert(node->online);
    restart(&bench);
    node = &bench.serind.index.list[0];
    ck_assert(node->online);
    site_batch_take(&bench, "gw-1", batch, 2);
    ck_assert(!node->online);
    ck_assert_uint_eq(bench.serind.index.count, 1);
    restart(&bench);
    node = &bench.serind.index.list[0];
    ck_assert(!node->online);
    site_take_first(&bench, "gw-1", "n-1", 2);
    ck_assert(node->online);
    serind_bench_close(&bench);
}
END_TEST

/* ---- passes and restarts ---- */

/* Caught: sites left as the failed pass made them; an operator's word that was not stored. */
START_TEST(a_pass_that_fails_moves_nobody)
{
    static struct serind_bench bench;
    struct serin_device_record record;
    struct serind_refusal refusal;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    struct serind *serind = &bench.serind;
    site_take_first(&bench, "gw-1", "n-1", 1);
    ck_assert_int_eq(serind_pass_begin(serind), SERIN_OK);
    ck_assert_int_eq(serind_enrol_move(serind, "n-1", "", &record, &refusal), SERIN_OK);
    struct site_batch *batch = site_batch_new();
    site_batch_first(batch, "n-2", 1);
    site_batch_hear(&bench, "gw-1", batch, 2);
    serind_fleet_take(serind);
    serind_site_decide(serind, 1, SERIN_GATEWAY_REFUSED);
    ck_assert_uint_eq(site_number(&bench, "n-1"), 0);
    ck_assert_uint_eq(site_number(&bench, "n-2"), 1);
    serind_pass_cancel(serind);
    ck_assert_uint_eq(site_number(&bench, "n-1"), 1);
    ck_assert_uint_eq(site_number(&bench, "n-2"), 0);
    ck_assert_uint_eq(serind_site(serind, 1)->nodes, 1);
    ck_assert_int_eq(serind_site(serind, 1)->record.standing, SERIN_GATEWAY_KNOWN);
    serind_bench_close(&bench);
}
END_TEST

static struct serin_gw_status held_status(uint32_t failures)
{
    struct serin_gw_status status = {
        .gateway = "gw-1",
        .incarnation = 9,
        .software = "serin-gateway 0.1.0",
        .nodes = 30,
        .fleet_count = 1,
        .fleets = {{.product = "lamp",
                    .channel = "stable",
                    .hold = failures > 3 ? SERIN_HOLD_CAUSE_FAILURES : SERIN_HOLD_CAUSE_NONE,
                    .failures = failures,
                    .failures_max = 3}},
    };
    if (failures > 3) {
        status.fleets[0].manifest_id[0] = 2;
        status.fleets[0].held_since_s = 1800000000;
    }
    return status;
}

static enum serin_error say_status(struct serind_bench *bench, const char *gateway,
                                   const struct serin_gw_status *status)
{
    uint8_t payload[SERIN_GW_STATUS_MAX];
    size_t size = 0;
    ck_assert_int_eq(
        serin_protobufc_site()->encode_gw_status(status, payload, sizeof payload, &size), SERIN_OK);
    return serind_status_heard(&bench->serind, gateway, payload, size);
}

/* Caught: the alarm not cleared; a status that speaks for another gateway; the status lost over a
 * restart, and the alarm with it. */
START_TEST(a_site_that_holds_is_an_alarm_that_names_it)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    struct serind *serind = &bench.serind;
    struct serin_gw_status status = held_status(4);
    ck_assert_int_eq(say_status(&bench, "gw-1", &status), SERIN_OK);
    ck_assert_int_eq(say_status(&bench, "gw-2", &status), SERIN_ERR_DEVICE);
    ck_assert(serind_alarm_stands(serind, "site:gw-1"));
    ck_assert_uint_eq(serind_bench_audited(&bench,
                                           "gateway gw-1 holds lamp stable: 4 of its nodes failed "
                                           "the release, more than the 3 that its site may, since "
                                           "2027-01-15T08:00:00Z"),
                      1);
    ck_assert(!serind_sites_due(serind));
    serind->mono_ms += SERIND_BEAT_WAIT_MS;
    ck_assert(serind_sites_due(serind));
    serind_bench_turn(&bench);
    ck_assert(!serind_sites_due(serind));
    ck_assert(!serind_site(serind, 1)->changed);
    restart(&bench);
    ck_assert(serind_alarm_stands(serind, "site:gw-1"));
    ck_assert_uint_eq(serind_site(serind, 1)->record.status.nodes, 30);
    status = held_status(0);
    ck_assert_int_eq(say_status(&bench, "gw-1", &status), SERIN_OK);
    ck_assert(serind_alarm_stands(serind, "site:gw-1")); /* a minute at least, whatever it says */
    serind->mono_ms += SERIND_HOLD_STANDS_MS;
    serind_sites_tend(serind);
    ck_assert(!serind_alarm_stands(serind, "site:gw-1"));
    ck_assert_uint_eq(serind_bench_audited(&bench, "cleared: gateway gw-1 holds"), 1);
    /* A gateway that is refused has no alarms. */
    status = held_status(4);
    ck_assert_int_eq(say_status(&bench, "gw-1", &status), SERIN_OK);
    site_decide(&bench, "gw-1", SERIN_GATEWAY_REFUSED);
    ck_assert(!serind_alarm_stands(serind, "site:gw-1"));
    ck_assert_int_eq(say_status(&bench, "gw-1", &status), SERIN_OK);
    restart(&bench);
    ck_assert(!serind_alarm_stands(serind, "site:gw-1"));
    serind_bench_close(&bench);
}
END_TEST

START_TEST(a_restart_knows_whose_everybody_is)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    struct serind *serind = &bench.serind;
    site_take_first(&bench, "gw-2", "n-1", 1);
    site_take_first(&bench, "gw-1", "n-2", 1);
    site_take_first(&bench, "gw-1", "d-1", 1);
    site_report_directly(&bench, "d-1", 1);
    site_take_first(&bench, "gw-2", "d-1", 2);
    restart(&bench);
    ck_assert_str_eq(serind_site_name(serind, site_number(&bench, "n-1")), "gw-2");
    ck_assert_str_eq(serind_site_name(serind, site_number(&bench, "n-2")), "gw-1");
    ck_assert_uint_eq(site_number(&bench, "d-1"), 0);
    const struct serind_site *site = serind_site(serind, serind_sites_find(serind, "gw-2"));
    ck_assert_uint_eq(site->nodes, 1);
    ck_assert_uint_eq(site->record.claims, 1);
    ck_assert_str_eq(site->record.last_claimed, "d-1");
    ck_assert_uint_eq(site->record.batch, 2);
    serind_bench_close(&bench);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        a_full_batch_is_one_pass_and_one_message,
        acks_go_the_way_that_the_report_came,
        each_item_is_checked_by_itself,
        hostile_batches_harm_nothing,
        lost_batches_are_counted,
        presence_of_a_node_is_its_gateways_to_tell,
        a_pass_that_fails_moves_nobody,
        a_site_that_holds_is_an_alarm_that_names_it,
        a_restart_knows_whose_everybody_is,
        NULL,
    };
    test_keys_open();
    int status = check_run("serind_batches", list);
    test_keys_close();
    return status;
}
