/*
 * What a stolen gateway can do to serind (docs/spec/batch.md, section 3): little more than to lie
 * about its own nodes. Who speaks for whom is in check_serind_sites.c.
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

/* ---- floods ---- */

/* Caught: no rate; a rate of all gateways together; the bucket filled again at once; malformed
 * batches free of it, which cost as much; the alarm for ever. */
START_TEST(a_gateway_is_heard_so_often_and_no_more)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    struct serind *serind = &bench.serind;
    struct site_batch *batch = site_batch_new();
    site_batch_first(batch, "n-1", 1);
    for (unsigned i = 0; i < SERIND_SITE_BURST; i++) {
        site_batch_hear(&bench, "gw-1", batch, 1 + i);
    }
    ck_assert_uint_eq(serind->intake.count, SERIND_SITE_BURST);
    ck_assert(!serind_alarm_stands(serind, "flood:gw-1"));
    site_batch_hear(&bench, "gw-1", batch, 100);
    ck_assert_uint_eq(serind->intake.count, SERIND_SITE_BURST);
    ck_assert_uint_eq(serind_site(serind, 1)->dropped, 1);
    ck_assert(serind_alarm_stands(serind, "flood:gw-1"));
    ck_assert_uint_eq(serind_bench_audited(&bench, "gateway gw-1 says more than 8 messages"), 1);
    ck_assert_int_eq(serind_batch_heard(serind, 0, "gw-1", (const uint8_t *)"x", 1), SERIN_OK);
    ck_assert_int_eq(serind_status_heard(serind, "gw-1", (const uint8_t *)"x", 1), SERIN_OK);
    ck_assert_uint_eq(serind_site(serind, 1)->dropped, 3);
    site_batch_hear(&bench, "gw-2", batch, 1);
    ck_assert_uint_eq(serind->intake.count, SERIND_SITE_BURST + 1);
    serind_intake_empty(serind);
    serind->mono_ms += 1000;
    for (unsigned i = 0; i < 2 * SERIND_SITE_PER_SECOND; i++) {
        site_batch_hear(&bench, "gw-1", batch, 200 + i);
    }
    ck_assert_uint_eq(serind->intake.count, SERIND_SITE_PER_SECOND);
    serind->mono_ms += SERIND_FLOOD_REST_MS - 1;
    serind_sites_tend(serind);
    ck_assert(serind_alarm_stands(serind, "flood:gw-1"));
    serind->mono_ms += 1000;
    serind_sites_tend(serind);
    ck_assert(!serind_alarm_stands(serind, "flood:gw-1"));
    /* One that is refused raises nothing at all. */
    site_decide(&bench, "gw-1", SERIN_GATEWAY_REFUSED);
    for (unsigned i = 0; i < 2 * SERIND_SITE_BURST; i++) {
        site_batch_hear(&bench, "gw-1", batch, 300 + i);
    }
    ck_assert(!serind_alarm_stands(serind, "flood:gw-1"));
    serind_bench_close(&bench);
}
END_TEST

/* Caught: the first broker always first, so that the intake is full before the second is asked. */
START_TEST(each_broker_is_drained_first_in_its_turn)
{
    static struct serind_bench bench;
    static char clients[2];
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    bench.serind.broker_count = 2;
    for (size_t i = 0; i < 2; i++) {
        bench.serind.brokers[i] = bench.serind.brokers[0];
        bench.serind.brokers[i].mqtt = (struct serin_mqtt *)&clients[i];
    }
    for (size_t i = 0; i < 4; i++) {
        bench.asked = NULL;
        ck_assert(!serind_intake_drain(&bench.serind));
        ck_assert_ptr_eq(bench.asked, bench.serind.brokers[i % 2].mqtt);
    }
    serind_bench_close(&bench);
}
END_TEST

/* ---- fleets ---- */

static void say_product(struct serind_bench *bench, const char *gateway, const char *node,
                        const char *product, const char *channel)
{
    static uint64_t number;
    struct site_batch *batch = site_batch_new();
    struct serin_report report =
        serind_bench_report(node, ++number, 2, 1, SERIN_STATE_CONFIRMED, 2);
    snprintf(report.product, sizeof report.product, "%s", product);
    snprintf(report.channel, sizeof report.channel, "%s", channel);
    site_batch_report(batch, node, &report);
    site_batch_take(bench, gateway, batch, number);
}

/* Caught: product or channel believed; the alarm left out; the direct device refused too; the move
 * that changes nothing refused; fixed again by nothing. */
START_TEST(a_gateway_moves_no_node_to_another_fleet)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    struct serind *serind = &bench.serind;
    say_product(&bench, "gw-1", "n-1", "pump", "stable");
    struct serind_slot *slot = serind_bench_rollout(&bench, 2);
    ck_assert_uint_eq(slot->members.count, 0);
    say_product(&bench, "gw-1", "n-1", "lamp", "stable");
    ck_assert_int_eq(site_acked(&bench, "gw-1", "n-1"), SERIN_ACK_REFUSED);
    ck_assert_uint_eq(slot->members.count, 0);
    ck_assert(serind_alarm_stands(serind, "claims:gw-1"));
    ck_assert_uint_eq(serind_site(serind, 1)->record.claims, 1);
    ck_assert_uint_eq(
        serind_bench_audited(&bench, "says that it is lamp stable, and it is pump stable"), 1);
    say_product(&bench, "gw-1", "n-1", "pump", "beta");
    ck_assert_uint_eq(serind_site(serind, 1)->record.claims, 2);
    bench.sent_count = 0;
    say_product(&bench, "gw-1", "n-1", "pump", "stable");
    ck_assert_int_eq(site_acked(&bench, "gw-1", "n-1"), SERIN_ACK_STORED);

    /* An operator says that it may change, once. */
    ck_assert_int_eq(site_move(&bench, "n-1", "gw-1"), SERIN_OK);
    ck_assert(!serind_alarm_stands(serind, "claims:gw-1"));
    struct site_batch *batch = site_batch_new();
    struct serin_beat beat = serind_bench_beat("n-1", 0, 0);
    site_batch_beat(batch, "n-1", &beat);
    strcpy(beat.product, "pump");
    site_batch_beat(batch, "n-1", &beat);
    site_batch_take(&bench, "gw-1", batch, 50);
    ck_assert_uint_eq(slot->members.count, 1);
    bench.sent_count = 0;
    say_product(&bench, "gw-1", "n-1", "lamp", "stable");
    ck_assert_int_eq(site_acked(&bench, "gw-1", "n-1"), SERIN_ACK_STORED);
    bench.sent_count = 0;
    say_product(&bench, "gw-1", "n-1", "pump", "stable");
    ck_assert_int_eq(site_acked(&bench, "gw-1", "n-1"), SERIN_ACK_REFUSED);

    /* A device that speaks for itself is believed. */
    struct serin_report report = serind_bench_report("d-1", 1, 2, 1, SERIN_STATE_PENDING, 0);
    strcpy(report.product, "pump");
    serind_bench_take_report(&bench, &report);
    strcpy(report.product, "lamp");
    report.number = 2;
    serind_bench_take_report(&bench, &report);
    ck_assert_uint_eq(slot->members.count, 2);
    serind_bench_close(&bench);
}
END_TEST

/* ---- alarms ---- */

/* Eight fleets, of which the first `failed` had nodes that failed. */
static void say_holds(struct serind_bench *bench, const char *gateway, unsigned fleets,
                      unsigned failed)
{
    struct serin_gw_status status = {.incarnation = 9, .software = "x", .fleet_count = fleets};
    uint8_t payload[SERIN_GW_STATUS_MAX];
    size_t size = 0;
    snprintf(status.gateway, sizeof status.gateway, "%s", gateway);
    for (unsigned i = 0; i < fleets; i++) {
        struct serin_gw_fleet *fleet = &status.fleets[i];
        snprintf(fleet->product, sizeof fleet->product, "p-%u", i);
        strcpy(fleet->channel, "stable");
        fleet->hold = SERIN_HOLD_CAUSE_FAILURES;
        fleet->held_since_s = 1800000000;
        fleet->manifest_id[0] = 1;
        fleet->failures_max = 1;
        fleet->failures = i < failed ? 2 : 0;
    }
    ck_assert_int_eq(
        serin_protobufc_site()->encode_gw_status(&status, payload, sizeof payload, &size),
        SERIN_OK);
    ck_assert_int_eq(serind_status_heard(&bench->serind, gateway, payload, size), SERIN_OK);
}

/* Caught: an alarm for each fleet; one for a fleet without failures; a line for each change of
 * mind.
 */
START_TEST(a_gateway_has_one_alarm_for_what_it_holds)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    struct serind *serind = &bench.serind;
    say_holds(&bench, "gw-1", 2, 0);
    ck_assert_uint_eq(serind->alarms.count, 0);
    say_holds(&bench, "gw-1", 8, 1);
    ck_assert_uint_eq(serind->alarms.count, 1);
    ck_assert_uint_eq(
        serind_bench_audited(&bench, "raised: gateway gw-1 holds p-0 stable: 2 of its nodes"), 1);
    ck_assert_ptr_null(strstr(serind->alarms.list[0].text, ", and "));
    say_holds(&bench, "gw-1", 8, 3);
    ck_assert_ptr_nonnull(strstr(serind->alarms.list[0].text, "Z, and 2 more"));
    for (unsigned i = 0; i < 59; i++) {
        say_holds(&bench, "gw-1", 1, i % 2);
        serind->mono_ms += 1000;
        serind_sites_tend(serind);
    }
    ck_assert_uint_eq(serind_bench_audited(&bench, "raised: gateway gw-1"), 1);
    ck_assert_uint_eq(serind_bench_audited(&bench, "cleared: gateway gw-1"), 0);
    say_holds(&bench, "gw-1", 1, 0);
    serind->mono_ms += 1000;
    serind_sites_tend(serind);
    ck_assert_uint_eq(serind_bench_audited(&bench, "cleared: gateway gw-1"), 1);
    serind_bench_close(&bench);
}
END_TEST

/* Caught: no half for the others; a halt's alarm dropped; the rest not told, or told for ever. */
START_TEST(alarms_of_gateways_leave_room_for_halts)
{
    static struct serind_bench bench;
    char text[32];
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    struct serind *serind = &bench.serind;
    for (unsigned i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "gw-%u", i);
        say_holds(&bench, text, 1, 1);
    }
    serind_sites_tend(serind);
    ck_assert_uint_eq(serind->alarms.count, SERIND_ALARMS_GATEWAYS + 1);
    ck_assert_uint_eq(serind_bench_audited(&bench, "raised: and 8 more gateways"), 1);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "restored:%u", i);
        serind_alarm_raise(serind, text, "of another kind");
    }
    ck_assert_uint_eq(serind->alarms.count, SERIND_ALARMS_MAX);
    serind_alarm_raise(serind, "halt:0:lamp", "a halt that is not on every broker");
    serind_alarm_raise(serind, "store", "the store is full");
    serind_alarm_raise(serind, "broker:1", "not connected");
    ck_assert(serind_alarm_stands(serind, "halt:0:lamp"));
    ck_assert(serind_alarm_stands(serind, "store"));
    ck_assert(serind_alarm_stands(serind, "broker:1"));
    ck_assert_uint_eq(serind->alarms.count, SERIND_ALARMS_MAX);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "restored:%u", i);
        serind_alarm_clear(serind, text);
    }
    /* Eight of those that are listed end: the others take their places. */
    serind->mono_ms += SERIND_HOLD_STANDS_MS;
    for (unsigned i = 0; i < 8; i++) {
        snprintf(text, sizeof text, "gw-%u", i);
        say_holds(&bench, text, 1, 0);
    }
    serind_sites_tend(serind);
    ck_assert(serind_alarm_stands(serind, "site:gw-39"));
    ck_assert(!serind_alarm_stands(serind, "gateways:more"));
    serind_bench_close(&bench);
}
END_TEST

/* Caught: never cleared. */
START_TEST(room_for_gateways_ends_the_alarm)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    bench.serind.sites.ids.limit = 1;
    site_take_first(&bench, "gw-1", "n-1", 1);
    site_take_first(&bench, "gw-2", "n-2", 1);
    serind_sites_tend(&bench.serind);
    ck_assert(serind_alarm_stands(&bench.serind, "gateways"));
    bench.serind.sites.ids.limit = 2;
    bench.serind.mono_ms += 1000;
    serind_sites_tend(&bench.serind);
    ck_assert(!serind_alarm_stands(&bench.serind, "gateways"));
    serind_bench_close(&bench);
}
END_TEST

/* ---- the audit log ---- */

/* Caught: a line for each; a budget of all gateways; none for devices that speak for themselves. */
START_TEST(nodes_of_a_gateway_fill_no_audit_log)
{
    static struct serind_bench bench;
    char id[SERIN_ID_MAX + 1];
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    struct serind *serind = &bench.serind;
    for (unsigned round = 0; round < 6; round++) {
        struct site_batch *batch = site_batch_new();
        for (unsigned i = 0; i < 20; i++) {
            snprintf(id, sizeof id, "n-%u", i);
            struct serin_report report =
                serind_bench_report(id, 1 + round, 2, 1, SERIN_STATE_PENDING, 0);
            report.incarnation = 1000 + round;
            report.hardware = (uint16_t)(1 + round % 2);
            site_batch_report(batch, id, &report);
        }
        site_batch_take(&bench, "gw-1", batch, 1 + round);
    }
    unsigned lines = serind_bench_audited(&bench, "\"what\":\"moved\"") +
                     serind_bench_audited(&bench, "\"what\":\"reborn\"");
    ck_assert_uint_eq(lines, SERIND_NODE_LINES_PER_MINUTE);
    struct serin_report report = serind_bench_report("d-1", 1, 2, 1, SERIN_STATE_PENDING, 0);
    for (unsigned i = 0; i < 40; i++) {
        report.incarnation = 1000 + i;
        serind_bench_take_report(&bench, &report);
    }
    ck_assert_uint_eq(serind_bench_audited(&bench, "\"what\":\"reborn\",\"device\":\"d-1\""), 39);
    serind->mono_ms += 60000;
    struct site_batch *batch = site_batch_new();
    report = serind_bench_report("n-1", 9, 2, 1, SERIN_STATE_PENDING, 0);
    site_batch_report(batch, "n-1", &report);
    site_batch_take(&bench, "gw-1", batch, 9);
    ck_assert_uint_eq(serind_bench_audited(&bench, "\"what\":\"reborn\",\"device\":\"n-"), 16);
    serind_bench_close(&bench);
}
END_TEST

/* Caught: presence free of the rate. */
START_TEST(presence_counts_as_a_beat)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    bench.config.report_rate_per_minute = 3;
    site_take_first(&bench, "gw-1", "n-1", 1);
    uint32_t device = serind_index_find(&bench.serind.index, "n-1");
    for (unsigned i = 0; i < 6; i++) {
        struct site_batch *batch = site_batch_new();
        site_batch_presence(batch, "n-1", i % 2 == 1);
        site_batch_take(&bench, "gw-1", batch, 2 + i);
        ck_assert_int_eq(bench.serind.index.list[device].online, i < 3 && i % 2 == 1);
    }
    serind_bench_close(&bench);
}
END_TEST

/* ---- an operator's answer ---- */

static struct serin_report failed_report(const char *id, uint64_t number)
{
    struct serin_report report = serind_bench_report(id, number, 2, 1, SERIN_STATE_DOWNLOADING, 0);
    report.attempts[0].transitions[1] =
        (struct serin_transition){.state = SERIN_STATE_FAILED, .reason = SERIN_REASON_NONE};
    return report;
}

/* Twenty nodes, all of which accepted but three: one confirmed, one failed, one that is silent.
 * Caught: they time out and halt a rollout that is well; verdicts that were given taken back. */
START_TEST(the_nodes_of_a_refused_gateway_fail_nothing)
{
    static struct serind_bench bench;
    char id[SERIN_ID_MAX + 1];
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    struct site_batch *batch = site_batch_new();
    for (unsigned i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "n-%u", i);
        struct serin_beat beat = serind_bench_beat(id, 0, 0);
        site_batch_beat(batch, id, &beat);
    }
    site_batch_take(&bench, "gw-9", batch, 1);
    struct serind_slot *slot = serind_bench_rollout(&bench, 2);
    slot->rollout.policy.gates[SERIN_GATE_FAILURES].minimum = 100;
    batch = site_batch_new();
    for (unsigned i = 1; i < 20; i++) {
        snprintf(id, sizeof id, "n-%u", i);
        struct serin_report report =
            i == 2   ? failed_report(id, 1)
            : i == 1 ? serind_bench_report(id, 1, 2, 1, SERIN_STATE_CONFIRMED, 2)
                     : serind_bench_report(id, 1, 2, 1, SERIN_STATE_DOWNLOADING, 0);
        site_batch_report(batch, id, &report);
    }
    site_batch_take(&bench, "gw-9", batch, 2);
    ck_assert_int_eq(serind_bench_member(&bench, slot, "n-3"), SERIN_STATE_DOWNLOADING);
    site_decide(&bench, "gw-9", SERIN_GATEWAY_REFUSED);
    ck_assert_int_eq(serind_bench_member(&bench, slot, "n-0"), SERIN_STATE_CANCELLED);
    ck_assert_int_eq(serind_bench_member(&bench, slot, "n-1"), SERIN_STATE_CONFIRMED);
    ck_assert_int_eq(serind_bench_member(&bench, slot, "n-2"), SERIN_STATE_FAILED);
    for (unsigned i = 3; i < 20; i++) {
        snprintf(id, sizeof id, "n-%u", i);
        ck_assert_int_eq(serind_bench_member(&bench, slot, id), SERIN_STATE_CANCELLED);
    }
    /* Allowed again, what a node says counts again. */
    site_decide(&bench, "gw-9", SERIN_GATEWAY_KNOWN);
    batch = site_batch_new();
    struct serin_report report = serind_bench_report("n-3", 2, 2, 1, SERIN_STATE_VERIFYING, 0);
    site_batch_report(batch, "n-3", &report);
    site_batch_take(&bench, "gw-9", batch, 3);
    ck_assert_int_eq(serind_bench_member(&bench, slot, "n-3"), SERIN_STATE_VERIFYING);
    serind_bench_close(&bench);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        a_gateway_is_heard_so_often_and_no_more,
        each_broker_is_drained_first_in_its_turn,
        a_gateway_moves_no_node_to_another_fleet,
        a_gateway_has_one_alarm_for_what_it_holds,
        alarms_of_gateways_leave_room_for_halts,
        room_for_gateways_ends_the_alarm,
        the_nodes_of_a_refused_gateway_fail_nothing,
        nodes_of_a_gateway_fill_no_audit_log,
        presence_counts_as_a_beat,
        NULL,
    };
    test_keys_open();
    int status = check_run("serind_stolen", list);
    test_keys_close();
    return status;
}
