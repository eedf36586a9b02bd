/*
 * The shell of serind and gateways (docs/spec/batch.md, section 3): who speaks for whom, what
 * operators decide, what a stolen gateway can and cannot do. Their batches are in
 * check_serind_batches.c.
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"
#include "site_bench.h"
#include "test_keys.h"

#include <stdio.h>
#include <string.h>

static void beat_directly(struct serind_bench *bench, const char *id)
{
    struct serin_beat beat = serind_bench_beat(id, 0, 0);
    serind_bench_take_beat(bench, &beat);
}

/* ---- who speaks for whom ---- */

/* Caught: `adoption` and `enrolment` exchanged; the gateway not kept. */
START_TEST(unknown_nodes_are_met_by_adoption)
{
    static const struct {
        enum serin_enrolment_policy adoption;
        enum serin_ack_status ack;
        enum serin_enrolment enrolment;
        const char *gateway;
    } rows[] = {
        {SERIN_ENROL_AUTO, SERIN_ACK_STORED, SERIN_ENROLMENT_ENROLLED, "gw-1"},
        {SERIN_ENROL_APPROVE, SERIN_ACK_PENDING, SERIN_ENROLMENT_PENDING, "gw-1"},
        {SERIN_ENROL_REFUSE, SERIN_ACK_REFUSED, SERIN_ENROLMENT_INVALID, "?"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (enum serin_enrolment_policy other = 0; other <= SERIN_ENROL_REFUSE; other++) {
            static struct serind_bench bench;
            site_bench_open(&bench, rows[i].adoption);
            bench.config.enrolment = other;
            site_take_first(&bench, "gw-1", "n-1", 1);
            ck_assert_int_eq(site_acked(&bench, "gw-1", "n-1"), rows[i].ack);
            ck_assert_int_eq(site_acked(&bench, NULL, "n-1"), SERIN_ACK_INVALID);
            ck_assert_int_eq(site_enrolment(&bench, "n-1"), rows[i].enrolment);
            ck_assert_str_eq(site_of(&bench, "n-1"), rows[i].gateway);
            serind_bench_close(&bench);
        }
    }
}
END_TEST

/* Caught: `adoption` asked about a device that speaks for itself. */
START_TEST(unknown_devices_are_met_by_enrolment)
{
    static const enum serin_ack_status acks[] = {[SERIN_ENROL_AUTO] = SERIN_ACK_STORED,
                                                 [SERIN_ENROL_APPROVE] = SERIN_ACK_PENDING,
                                                 [SERIN_ENROL_REFUSE] = SERIN_ACK_REFUSED};
    for (enum serin_enrolment_policy policy = 0; policy <= SERIN_ENROL_REFUSE; policy++) {
        for (enum serin_enrolment_policy other = 0; other <= SERIN_ENROL_REFUSE; other++) {
            static struct serind_bench bench;
            site_bench_open(&bench, other);
            bench.config.enrolment = policy;
            site_report_directly(&bench, "d-1", 1);
            ck_assert_int_eq(site_acked(&bench, NULL, "d-1"), acks[policy]);
            ck_assert_str_eq(site_of(&bench, "d-1"), policy == SERIN_ENROL_REFUSE ? "?" : "");
            serind_bench_close(&bench);
        }
    }
}
END_TEST

/* Whatever the policy: its own is taken, another's and a direct device are refused, and a device
 * that speaks for itself is direct. Caught: a claim on a direct device taken; the record moved by
 * the claim; the answer given to the device. */
START_TEST(known_devices_belong_to_whom_they_are_assigned)
{
    for (enum serin_enrolment_policy policy = 0; policy <= SERIN_ENROL_REFUSE; policy++) {
        static struct serind_bench bench;
        site_bench_open(&bench, SERIN_ENROL_AUTO);
        site_take_first(&bench, "gw-1", "n-1", 1);
        site_report_directly(&bench, "d-1", 1);
        bench.config.adoption = bench.config.enrolment = policy;
        bench.sent_count = 0;

        site_take_first(&bench, "gw-1", "n-1", 2);
        ck_assert_int_eq(site_acked(&bench, "gw-1", "n-1"), SERIN_ACK_STORED);
        site_take_first(&bench, "gw-2", "n-1", 3);
        ck_assert_int_eq(site_acked(&bench, "gw-2", "n-1"), SERIN_ACK_REFUSED);
        ck_assert_str_eq(site_of(&bench, "n-1"), "gw-1");
        site_take_first(&bench, "gw-2", "d-1", 4);
        ck_assert_int_eq(site_acked(&bench, "gw-2", "d-1"), SERIN_ACK_REFUSED);
        ck_assert_str_eq(site_of(&bench, "d-1"), "");
        ck_assert(serind_alarm_stands(&bench.serind, "claims:gw-2"));
        ck_assert(!serind_alarm_stands(&bench.serind, "claims:gw-1"));
        ck_assert_uint_eq(serind_site(&bench.serind, 2)->record.claims, 2);

        site_report_directly(&bench, "n-1", 1);
        ck_assert_int_eq(site_acked(&bench, NULL, "n-1"), SERIN_ACK_STORED);
        ck_assert_str_eq(site_of(&bench, "n-1"), "");
        ck_assert_uint_eq(site_number(&bench, "n-1"), 0);
        ck_assert_uint_eq(serind_bench_audited(&bench, "from gateway gw-1: it speaks for itself"),
                          1);
        serind_bench_close(&bench);
    }
}
END_TEST

/* What a gateway made up about a device ends when the device speaks: its numbers begin anew.
 * Caught: the account kept, so that the device's reports are called duplicates. */
START_TEST(a_device_that_was_made_up_is_heard_when_it_speaks)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_APPROVE);
    site_take_first(&bench, "gw-1", "n-1", 1000000);
    ck_assert_int_eq(site_enrolment(&bench, "n-1"), SERIN_ENROLMENT_PENDING);
    bench.sent_count = 0;
    site_report_directly(&bench, "n-1", 1); /* `enrolment` is auto: its own certificate is enough */
    ck_assert_int_eq(site_acked(&bench, NULL, "n-1"), SERIN_ACK_STORED);
    ck_assert_int_eq(site_enrolment(&bench, "n-1"), SERIN_ENROLMENT_ENROLLED);

    bench.config.adoption = SERIN_ENROL_AUTO;
    site_take_first(&bench, "gw-1", "n-2", 1000000);
    site_report_directly(&bench, "n-2", 5);
    ck_assert_uint_eq(site_account(&bench, "n-2"), 5);
    serind_bench_close(&bench);
}
END_TEST

/* One batch of the intake holds both: the later word counts, and the earlier is not applied. */
START_TEST(a_device_that_becomes_direct_is_not_spoken_for_in_the_same_pass)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    site_take_first(&bench, "gw-1", "n-1", 1);
    struct site_batch *batch = site_batch_new();
    site_batch_first(batch, "n-1", 7);
    site_batch_hear(&bench, "gw-1", batch, 2);
    bench.sent_count = 0;
    site_report_directly(&bench, "n-1", 3);
    ck_assert_int_eq(site_acked(&bench, "gw-1", "n-1"), SERIN_ACK_INVALID);
    ck_assert_int_eq(site_acked(&bench, NULL, "n-1"), SERIN_ACK_STORED);
    serind_bench_close(&bench);
}
END_TEST

/* Nodes of one gateway are one witness to an order that only a lost serind could have given out.
 * Caught: each node counted for itself. */
START_TEST(a_gateway_begins_no_epoch_alone)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    bench.serind.publisher.agreed = true;
    for (unsigned i = 0; i < 4; i++) {
        char id[SERIN_ID_MAX + 1];
        struct site_batch *batch = site_batch_new();
        snprintf(id, sizeof id, "n-%u", i);
        struct serin_beat beat = serind_bench_beat(id, 0, 0);
        beat.channel_order = (struct serin_order){3, 1};
        site_batch_beat(batch, id, &beat);
        site_batch_take(&bench, i < 3 ? "gw-1" : "gw-2", batch, 1 + i);
        ck_assert_uint_eq(bench.serind.meta.order.epoch, i < 3 ? 1 : 4);
    }
    serind_bench_close(&bench);
}
END_TEST

static bool waits(const struct serind_bench *bench, const char *id)
{
    uint32_t device = serind_index_find(&bench->serind.index, id);
    return device != SERIND_NO_DEVICE && bench->serind.index.list[device].pending;
}

/* What the status counts. Caught: a start that forgets it; one that waits and becomes direct. */
START_TEST(who_waits_for_an_operator_is_known)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_APPROVE);
    struct serind *serind = &bench.serind;
    site_take_first(&bench, "gw-1", "n-1", 1);
    site_take_first(&bench, "gw-1", "n-2", 1);
    site_report_directly(&bench, "d-1", 1);
    ck_assert(waits(&bench, "n-1") && waits(&bench, "n-2") && !waits(&bench, "d-1"));
    site_report_directly(&bench, "n-1", 1); /* `enrolment` is auto */
    ck_assert(!waits(&bench, "n-1") && waits(&bench, "n-2"));

    for (uint32_t i = 0; i < serind->index.count; i++) {
        serind->index.list[i].pending = i != serind_index_find(&serind->index, "n-2");
    }
    ck_assert_int_eq(serind->store.ops->begin(serind->store.ctx, false), SERIN_OK);
    ck_assert_int_eq(serind_enrol_load(serind), SERIN_OK);
    serind->store.ops->abort(serind->store.ctx);
    ck_assert(!waits(&bench, "n-1") && waits(&bench, "n-2") && !waits(&bench, "d-1"));
    serind_bench_close(&bench);
}
END_TEST

/* ---- operators ---- */

START_TEST(an_operator_moves_devices_and_is_told_why_not)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    site_take_first(&bench, "gw-1", "n-1", 1000000);
    site_take_first(&bench, "gw-2", "n-1", 2);
    ck_assert(serind_alarm_stands(&bench.serind, "claims:gw-2"));
    bench.sent_count = 0;
    ck_assert_int_eq(site_move(&bench, "n-1", "gw-2"), SERIN_OK);
    ck_assert(!serind_alarm_stands(&bench.serind, "claims:gw-2"));
    ck_assert_str_eq(site_of(&bench, "n-1"), "gw-2");
    ck_assert_int_eq(site_acked(&bench, "gw-2", "n-1"), SERIN_ACK_RESEND);
    ck_assert_uint_eq(serind_bench_audited(&bench, "from gateway gw-1 to gateway gw-2"), 1);
    ck_assert_uint_eq(serind_site(&bench.serind, 1)->nodes, 0);
    ck_assert_uint_eq(serind_site(&bench.serind, 2)->nodes, 1);
    bench.sent_count = 0;
    site_take_first(&bench, "gw-2", "n-1", 1); /* its account began anew */
    ck_assert_int_eq(site_acked(&bench, "gw-2", "n-1"), SERIN_ACK_STORED);
    ck_assert_uint_eq(site_account(&bench, "n-1"), 1);
    ck_assert_int_eq(site_move(&bench, "n-1", ""), SERIN_OK);
    ck_assert_int_eq(site_acked(&bench, NULL, "n-1"), SERIN_ACK_RESEND);
    ck_assert_uint_eq(serind_bench_audited(&bench, "from gateway gw-2 to direct"), 1);
    ck_assert_int_eq(site_move(&bench, "n-1", ""), SERIN_OK); /* as it is already */
    ck_assert_uint_eq(serind_bench_audited(&bench, "\"what\":\"moved\""), 2);

    ck_assert_int_eq(site_move(&bench, "n-9", ""), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(site_move(&bench, "n-1", "gw-9"), SERIN_ERR_NOT_FOUND);
    site_decide(&bench, "gw-1", SERIN_GATEWAY_REFUSED);
    ck_assert_int_eq(site_move(&bench, "n-1", "gw-1"), SERIN_ERR_STATE);
    bench.config.gateway_nodes_max = 1;
    site_take_first(&bench, "gw-2", "n-2", 1);
    ck_assert_int_eq(site_move(&bench, "n-1", "gw-2"), SERIN_ERR_STATE);
    ck_assert_str_eq(site_of(&bench, "n-1"), "");
    serind_bench_close(&bench);
}
END_TEST

/* Caught: an older word of the device undoing the move; a beat doing so; a newer one, or another
 * stream, not releasing it; the account overwritten by what a gateway says, or by the next move. */
START_TEST(a_move_is_not_undone_by_what_was_said_before)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    site_take_first(&bench, "gw-1", "n-1", 1);
    site_take_first(&bench, "gw-2", "n-2", 1);
    for (unsigned round = 0; round < 3; round++) {
        char id[SERIN_ID_MAX + 1];
        snprintf(id, sizeof id, "d-%u", round);
        site_report_directly(&bench, id, 5);
        ck_assert_int_eq(site_move(&bench, id, "gw-1"), SERIN_OK);
        site_take_first(&bench, "gw-1", id, 1000000); /* made up */
        ck_assert_int_eq(site_move(&bench, id, "gw-2"), SERIN_OK);
        bench.sent_count = 0;
        site_report_directly(&bench, id, 5);
        ck_assert_int_eq(site_acked(&bench, NULL, id), SERIN_ACK_STORED);
        struct serin_beat beat = serind_bench_beat(id, 5, 0);
        serind_bench_take_beat(&bench, &beat);
        ck_assert_str_eq(site_of(&bench, id), "gw-2");
        ck_assert_uint_eq(site_account(&bench, id), 0);
        if (round == 0) {
            site_report_directly(&bench, id, 6);
        } else {
            beat.last_number = round == 1 ? 6 : 0;
            beat.incarnation += round == 1 ? 0 : 1;
            serind_bench_take_beat(&bench, &beat);
        }
        ck_assert_str_eq(site_of(&bench, id), "");
    }
    serind_bench_close(&bench);
}
END_TEST

/* Caught: the batch taken; the gateway's status taken; the allowed gateway still silent. */
START_TEST(nothing_of_a_refused_gateway_is_heard)
{
    static struct serind_bench bench;
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    site_take_first(&bench, "gw-1", "n-1", 1);
    site_decide(&bench, "gw-1", SERIN_GATEWAY_REFUSED);
    bench.sent_count = 0;
    site_take_first(&bench, "gw-1", "n-1", 2);
    site_take_first(&bench, "gw-1", "n-2", 3);
    ck_assert_uint_eq(bench.sent_count, 0);
    ck_assert_str_eq(site_of(&bench, "n-2"), "?");
    site_decide(&bench, "gw-1", SERIN_GATEWAY_KNOWN);
    site_take_first(&bench, "gw-1", "n-1", 2);
    ck_assert_int_eq(site_acked(&bench, "gw-1", "n-1"), SERIN_ACK_STORED);
    ck_assert_uint_eq(serind_bench_audited(&bench, "gateway gw-1 is refused"), 1);
    ck_assert_uint_eq(serind_bench_audited(&bench, "gateway gw-1 is allowed"), 1);
    serind_bench_close(&bench);
}
END_TEST

/* ---- a stolen gateway ---- */

/* A thousand devices of a rollout are direct; a gateway says of each that it failed. Caught: the
 * claim reaching the engine; a line for each claim. */
START_TEST(a_stolen_gateway_cannot_fake_the_fleet)
{
    static struct serind_bench bench;
    char id[SERIN_ID_MAX + 1];
    site_bench_open(&bench, SERIN_ENROL_AUTO);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "d-%u", i);
        beat_directly(&bench, id);
    }
    struct serind_slot *slot = serind_bench_rollout(&bench, 2);
    ck_assert_uint_eq(slot->members.count, 1000);
    bench.sent_count = 0;
    for (unsigned at = 0; at < 1000; at += 250) {
        struct site_batch *batch = site_batch_new();
        for (unsigned i = at; i < at + 250; i++) {
            snprintf(id, sizeof id, "d-%u", i);
            struct serin_report report =
                serind_bench_report(id, 1, 2, 1, SERIN_STATE_DOWNLOADING, 0);
            report.attempts[0].transitions[1] =
                (struct serin_transition){.state = SERIN_STATE_FAILED, .reason = SERIN_REASON_NONE};
            site_batch_report(batch, id, &report);
        }
        site_batch_take(&bench, "gw-9", batch, 1 + at / 250);
    }
    ck_assert_int_eq(slot->rollout.state, SERIN_ROLLOUT_ROLLING);
    ck_assert_uint_eq(slot->rollout.tally.failed, 0);
    ck_assert_uint_eq(slot->rollout.tally.accepted, 0);
    ck_assert_uint_eq(serind_site(&bench.serind, 1)->record.claims, 1000);
    ck_assert_uint_eq(serind_site(&bench.serind, 1)->nodes, 0);
    ck_assert_uint_eq(serind_bench_audited(&bench, "gateway gw-9 speaks for it"), 1);
    ck_assert_uint_eq(serind_bench_audited(&bench, "raised: gateway gw-9"), 1);
    ck_assert_uint_eq(bench.sent_count, 8); /* of each batch 128 and 122 refusals */
    /* It gets a thousand answers a minute, and no more. */
    site_take_first(&bench, "gw-9", "d-1", 5);
    ck_assert_uint_eq(bench.sent_count, 8);
    bench.serind.mono_ms += 60000;
    site_take_first(&bench, "gw-9", "d-1", 6);
    ck_assert_uint_eq(bench.sent_count, 9);
    /* An hour of silence ends the alarm; a minute lets the next line through. */
    bench.serind.mono_ms += SERIND_CLAIM_REST_MS - 1;
    serind_sites_tend(&bench.serind);
    ck_assert(serind_alarm_stands(&bench.serind, "claims:gw-9"));
    bench.serind.mono_ms += 1000;
    serind_sites_tend(&bench.serind);
    ck_assert(!serind_alarm_stands(&bench.serind, "claims:gw-9"));
    site_take_first(&bench, "gw-9", "d-1", 9);
    ck_assert_uint_eq(serind_bench_audited(&bench, "gateway gw-9 speaks for it"), 3);
    serind_bench_close(&bench);
}
END_TEST

/* Caught: the bound compared with the devices of all gateways; pending nodes left out of it. */
START_TEST(a_gateway_speaks_for_so_many_nodes_and_no_more)
{
    static struct serind_bench bench;
    char id[SERIN_ID_MAX + 1];
    site_bench_open(&bench, SERIN_ENROL_APPROVE);
    bench.config.gateway_nodes_max = 3;
    struct site_batch *batch = site_batch_new();
    for (unsigned i = 0; i < 5; i++) {
        snprintf(id, sizeof id, "n-%u", i);
        site_batch_first(batch, id, 1);
    }
    site_batch_take(&bench, "gw-1", batch, 1);
    ck_assert_str_eq(site_of(&bench, "n-2"), "gw-1");
    ck_assert_str_eq(site_of(&bench, "n-3"), "?");
    ck_assert_int_eq(site_acked(&bench, "gw-1", "n-4"), SERIN_ACK_REFUSED);
    ck_assert(serind_alarm_stands(&bench.serind, "nodes:gw-1"));
    ck_assert_uint_eq(serind_bench_audited(&bench, "gateway_nodes_max is reached"), 1);
    site_take_first(&bench, "gw-2", "n-3", 1);
    ck_assert_str_eq(site_of(&bench, "n-3"), "gw-2");
    ck_assert_int_eq(site_move(&bench, "n-2", ""), SERIN_OK);
    serind_sites_tend(&bench.serind);
    ck_assert(!serind_alarm_stands(&bench.serind, "nodes:gw-1"));
    serind_bench_close(&bench);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        unknown_nodes_are_met_by_adoption,
        unknown_devices_are_met_by_enrolment,
        known_devices_belong_to_whom_they_are_assigned,
        a_device_that_was_made_up_is_heard_when_it_speaks,
        a_device_that_becomes_direct_is_not_spoken_for_in_the_same_pass,
        a_gateway_begins_no_epoch_alone,
        who_waits_for_an_operator_is_known,
        an_operator_moves_devices_and_is_told_why_not,
        a_move_is_not_undone_by_what_was_said_before,
        nothing_of_a_refused_gateway_is_heard,
        a_stolen_gateway_cannot_fake_the_fleet,
        a_gateway_speaks_for_so_many_nodes_and_no_more,
        NULL,
    };
    test_keys_open();
    int status = check_run("serind_sites", list);
    test_keys_close();
    return status;
}
