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

int main(void)
{
    const TTest *const list[] = {
        a_gateway_is_heard_so_often_and_no_more,
        each_broker_is_drained_first_in_its_turn,
        NULL,
    };
    test_keys_open();
    int status = check_run("serind_stolen", list);
    test_keys_close();
    return status;
}
