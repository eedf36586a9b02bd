/*
 * A board's MQTT client in time and trouble: pings, brokers that owe an answer, streams that take
 * nothing or fail, callers that stay away, and acknowledgements that must not be lost meanwhile.
 */
#include "mqtt_play.h"

/* ---- time ---- */

START_TEST(silence_is_broken_by_a_ping)
{
    play_start();
    play_connected();
    ck_assert_uint_eq(serin_mqtt_client_deadline_ms(&play.client), 30000);
    play.now_ms = 29999;
    play_quiet();
    play_sent("");
    play.now_ms = 30000;
    play_quiet();
    play_sent("c0 00");
    play.now_ms = 30500;
    play_say("d0 00");
    play_quiet();
    play_sent("");
    /* The answer came half a second after the ping went. */
    ck_assert_uint_eq(serin_mqtt_client_deadline_ms(&play.client), 60000);
    play.now_ms = 60000;
    play_quiet();
    play_sent("c0 00");
}
END_TEST

START_TEST(who_only_sends_and_who_only_hears_pings_too)
{
    for (int sends = 0; sends < 2; sends++) {
        play_start();
        play_connected();
        for (play.now_ms = 0; play.now_ms < 30000; play.now_ms += 5000) {
            if (sends) {
                ck_assert_int_eq(
                    serin_mqtt_client_publish(&play.client, "t", 0, false, NULL, 0, NULL),
                    SERIN_OK);
                play_quiet();
            } else {
                play_say_publish(0, "t", 0, 1);
                play_expect(SERIN_MQTT_MESSAGE);
            }
        }
        play.stream.out_size = 0;
        play_quiet();
        play_sent("c0 00");
    }
}
END_TEST

START_TEST(a_broker_without_an_answer_is_given_up)
{
    /* What it owes, and when it is late; deadlines are told, and nothing happens before. */
    static const struct {
        const char *what;
        uint64_t late_ms;
    } debts[] = {{"accept", 20000}, {"ping", 40000}, {"publish", 10000}, {"subscribe", 10000}};
    for (size_t i = 0; i < sizeof debts / sizeof debts[0]; i++) {
        play_start();
        if (i == 0) {
            ck_assert_int_eq(serin_mqtt_client_connect(&play.client, 0), SERIN_OK);
        } else {
            play_connected();
        }
        if (i == 2) {
            ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 1, false, NULL, 0, NULL),
                             SERIN_OK);
        } else if (i == 3) {
            ck_assert_int_eq(serin_mqtt_client_subscribe(&play.client, "f", 0, NULL), SERIN_OK);
        }
        for (; play.now_ms < debts[i].late_ms; play.now_ms += 1000) {
            play_quiet();
            uint64_t deadline = serin_mqtt_client_deadline_ms(&play.client);
            ck_assert_msg(deadline > play.now_ms && deadline <= debts[i].late_ms, "%s",
                          debts[i].what);
        }
        ck_assert_uint_eq(serin_mqtt_client_deadline_ms(&play.client), debts[i].late_ms);
        play_expect_lost(SERIN_ERR_TIMEOUT);
        ck_assert_uint_eq(serin_mqtt_client_deadline_ms(&play.client), UINT64_MAX);
    }
}
END_TEST

START_TEST(a_stream_that_takes_nothing_is_given_up)
{
    play_start();
    play_connected();
    play.stream.send_room = 3;
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 0, false, NULL, 0, NULL),
                     SERIN_OK);
    play_quiet();
    for (; play.now_ms < 9000; play.now_ms += 1000) {
        play_quiet();
    }
    play.stream.send_room = 1; /* any progress counts */
    play_quiet();
    for (; play.now_ms < 19000; play.now_ms += 1000) {
        play_quiet();
    }
    play_expect_lost(SERIN_ERR_TIMEOUT);
    /* It is not judged for the time in which there was nothing to take. */
    play_start();
    play_connected();
    for (; play.now_ms < 25000; play.now_ms += 1000) {
        play_quiet();
    }
    play.stream.send_room = 0;
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 0, false, NULL, 0, NULL),
                     SERIN_OK);
    for (; play.now_ms < 34000; play.now_ms += 1000) {
        play_quiet();
    }
    /* So it is on leaving. */
    play_start();
    play_connected();
    play.stream.send_room = 0;
    ck_assert_int_eq(serin_mqtt_client_disconnect(&play.client), SERIN_OK);
    for (; play.now_ms < 10000; play.now_ms += 1000) {
        play_quiet();
    }
    play_expect_lost(SERIN_ERR_TIMEOUT);
}
END_TEST

START_TEST(who_was_away_holds_nobody_to_account)
{
    play_start();
    play_connected();
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 1, false, NULL, 0, NULL),
                     SERIN_OK);
    play_quiet();
    /* A flash was erased, for 50 s. The answer is there, behind ten messages that take long. */
    play.now_ms += 50000;
    for (int i = 0; i < 10; i++) {
        play_say_publish(0, "t", 0, 10);
    }
    play_say("40 02 0001");
    for (int i = 0; i < 10; i++) {
        play_expect(SERIN_MQTT_MESSAGE);
        play.now_ms += 20000;
    }
    play_expect(SERIN_MQTT_PUBLISHED);
    /* Away again, and the publish goes only now: its answer cannot be there. */
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 1, false, NULL, 0, NULL),
                     SERIN_OK);
    play.now_ms += 50000;
    play_quiet();
    play.now_ms += 2000;
    play_quiet();
    /* But a broker that says nothing is found, however seldom the caller looks. */
    enum serin_mqtt_event_kind kind = SERIN_MQTT_NOTHING;
    for (int i = 0; i < 4 && kind == SERIN_MQTT_NOTHING; i++) {
        play.now_ms += 50000;
        kind = play_step();
    }
    ck_assert_int_eq(kind, SERIN_MQTT_LOST);
    ck_assert_int_eq(play.event.error, SERIN_ERR_TIMEOUT);
}
END_TEST

START_TEST(an_answer_that_waits_in_the_stream_is_not_late)
{
    play_start_sized(64, 64);
    play_connected();
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 1, false, NULL, 0, NULL),
                     SERIN_OK);
    play_quiet();
    /* Behind a message that is skipped, in steps that each take a second. */
    play_say_publish(0, "t", 0, 60000);
    play_say("40 02 0001");
    enum serin_mqtt_event_kind kind = SERIN_MQTT_NOTHING;
    while (kind == SERIN_MQTT_NOTHING) {
        kind = play_step();
        play.now_ms += 1000;
    }
    ck_assert_int_eq(kind, SERIN_MQTT_PUBLISHED);
    ck_assert_uint_gt(play.now_ms, 20000);
}
END_TEST

START_TEST(a_ping_behind_a_long_message_is_no_silence)
{
    play_start();
    play_connected();
    play.now_ms = 30000;
    play_quiet(); /* the ping */
    play.stream.receive_piece = 10;
    play_say_publish(0, "t", 0, 200);
    size_t whole = play.stream.in_size;
    play.stream.in_size -= 190;
    for (; play.stream.in_size < whole; play.stream.in_size += 10) {
        play_quiet();
        play.now_ms += 5000; /* ten bytes in five seconds */
    }
    play_expect(SERIN_MQTT_MESSAGE);
    play_quiet();
}
END_TEST

/* ---- a slow stream ---- */

START_TEST(no_acknowledgement_is_lost_where_nothing_goes_out)
{
    /* 200 messages of QoS 1 against a stream that takes a byte now and then, while the application
     * fills the outbox with whatever fits. */
    size_t told = 0, published = 0;
    play_start_sized(64, 64);
    play_connected();
    play.stream.send_room = 0;
    for (uint16_t id = 1; id <= 200; id++) {
        play_say_publish(2, "t", id, id % 7);
    }
    for (size_t step = 0; step < 30000; step++) {
        if (play_step() == SERIN_MQTT_MESSAGE) {
            told++;
            ck_assert_uint_eq(play.event.id, told);
        }
        ck_assert_int_ne(play.event.kind, SERIN_MQTT_LOST);
        if (serin_mqtt_client_publish(&play.client, "p", 0, false, (const uint8_t *)"payload",
                                      step % 8, NULL) == SERIN_OK) {
            published++;
        }
        play.stream.send_room = step % 3 == 0 ? 1 : 0;
        play.now_ms++;
    }
    ck_assert_uint_eq(told, 200);
    ck_assert_uint_gt(published, 100);
    /* Packets are whole, and the acknowledgements among them are all there, in order. */
    size_t acks = 0;
    for (size_t at = 0; at + 2 <= play.stream.out_size; at += 2u + play.stream.out[at + 1]) {
        const uint8_t *packet = play.stream.out + at;
        ck_assert(packet[0] == 0x30 || packet[0] == 0x40);
        if (packet[0] == 0x40 && at + 4 <= play.stream.out_size) {
            acks++;
            ck_assert_uint_eq((unsigned)packet[2] << 8 | packet[3], acks);
        }
    }
    ck_assert_uint_eq(acks, 200);
}
END_TEST

START_TEST(nothing_is_taken_in_that_could_not_be_answered)
{
    play_start_sized(64, 64);
    play_connected();
    play.stream.send_room = 0;
    uint8_t payload[64 - 6 - 5];
    memset(payload, 0, sizeof payload);
    ck_assert_int_eq(
        serin_mqtt_client_publish(&play.client, "t", 0, false, payload, sizeof payload, NULL),
        SERIN_OK); /* fills it to the reserve */
    play_say_publish(2, "t", 1, 3);
    play_say_publish(2, "t", 2, 3);
    play_expect(SERIN_MQTT_MESSAGE);
    size_t at = play.stream.in_at;
    play_quiet(); /* the acknowledgement takes the reserve; the second message stays where it is */
    ck_assert_uint_eq(play.stream.in_at, at);
    play.stream.send_room = SIZE_MAX;
    play_expect(SERIN_MQTT_MESSAGE);
    ck_assert_uint_eq(play.event.id, 2);
}
END_TEST

START_TEST(work_in_one_step_is_bounded)
{
    play_start_sized(64, 64);
    play_connected();
    play_say_publish(0, "t", 0, 150000);
    size_t steps = 0;
    for (; play.stream.in_at < play.stream.in_size; steps++) {
        size_t at = play.stream.in_at;
        ck_assert_int_eq(play_step(), SERIN_MQTT_NOTHING);
        ck_assert_uint_le(play.stream.in_at - at, 32 * 64);
    }
    ck_assert_uint_gt(steps, 70);
}
END_TEST

/* ---- a stream that fails ---- */

START_TEST(failures_end_the_connection_and_another_one_begins)
{
    for (int way = 0; way < 3; way++) {
        for (int connected = 0; connected < 2; connected++) {
            play_start();
            if (connected) {
                play_connected();
                play.now_ms += 30000;
                play_quiet();                              /* a ping waits */
                play_say("32 06 0001 63 1234 00   30 40"); /* one is told, one begins */
                play_expect(SERIN_MQTT_MESSAGE);
                ck_assert_int_eq(
                    serin_mqtt_client_publish(&play.client, "t", 1, false, NULL, 0, NULL),
                    SERIN_OK);
            } else {
                ck_assert_int_eq(serin_mqtt_client_connect(&play.client, 0), SERIN_OK);
            }
            if (way == 0) {
                play.stream.send_fails = true;
                play_expect_lost(SERIN_ERR_NETWORK);
            } else if (way == 1) {
                play.stream.receive_fails = true;
                play_expect_lost(SERIN_ERR_NETWORK);
            } else {
                serin_mqtt_client_close(&play.client);
                ck_assert(!play.stream.open);
                ck_assert_int_eq(play_step(), SERIN_MQTT_NOTHING); /* it is not told */
                serin_mqtt_client_close(&play.client);
            }
            /* Nothing of the last connection is in the next one. */
            play.stream.send_fails = play.stream.receive_fails = false;
            play.stream.in_size = play.stream.in_at = play.stream.out_size = 0;
            ck_assert_int_eq(serin_mqtt_client_connect(&play.client, play.now_ms), SERIN_OK);
            play_quiet();
            play_sent("10 0f  00 04 4d515454 04 02 003c  0003 642d37");
            play_say("20 02 0000");
            play_expect(SERIN_MQTT_CONNECTED);
            for (int i = 0; i < 20; i++) {
                play.now_ms += 1000;
                play_quiet();
            }
            play_sent("");
            for (int i = 0; i < (int)SERIN_MQTT_CLIENT_WAITING; i++) {
                ck_assert_int_eq(
                    serin_mqtt_client_publish(&play.client, "t", 1, false, NULL, 0, NULL),
                    SERIN_OK);
            }
        }
    }
}
END_TEST

START_TEST(a_stream_that_does_not_open_is_the_callers_matter)
{
    play_start();
    play.stream.open_error = SERIN_ERR_NETWORK;
    ck_assert_int_eq(serin_mqtt_client_connect(&play.client, 0), SERIN_ERR_NETWORK);
    ck_assert_int_eq(play_step(), SERIN_MQTT_NOTHING);
    ck_assert_uint_eq(play.stream.closed, 0);
    play.stream.open_error = SERIN_OK;
    play_connected();
}
END_TEST

START_TEST(what_was_told_is_acknowledged_before_leaving)
{
    play_start();
    play_connected();
    play_say("32 05 0001 63 1234   32 05 0001 63 1235");
    play_expect(SERIN_MQTT_MESSAGE);
    ck_assert_int_eq(serin_mqtt_client_disconnect(&play.client), SERIN_OK);
    ck_assert_int_eq(serin_mqtt_client_disconnect(&play.client), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 0, false, NULL, 0, NULL),
                     SERIN_ERR_STATE);
    play_expect_lost(SERIN_OK);
    play_sent("40 02 1234  e0 00");
}
END_TEST

START_TEST(leaving_waits_for_its_room)
{
    uint8_t payload[52] = {0};
    play_start_sized(64, 64);
    play_connected();
    play.stream.send_room = 0;
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 0, false, payload, 52, NULL),
                     SERIN_OK); /* 57 of 64 bytes */
    play_say("32 05 0001 63 1234");
    play_expect(SERIN_MQTT_MESSAGE);
    play_quiet(); /* 61 */
    ck_assert_int_eq(serin_mqtt_client_disconnect(&play.client), SERIN_OK);
    ck_assert_int_eq(serin_mqtt_client_connect(&play.client, 0), SERIN_ERR_STATE);
    play_quiet();
    play.stream.send_room = SIZE_MAX;
    play_expect_lost(SERIN_OK);
    ck_assert_uint_eq(play.stream.out_size, 57 + 4 + 2);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        silence_is_broken_by_a_ping,
        who_only_sends_and_who_only_hears_pings_too,
        a_broker_without_an_answer_is_given_up,
        a_stream_that_takes_nothing_is_given_up,
        who_was_away_holds_nobody_to_account,
        an_answer_that_waits_in_the_stream_is_not_late,
        a_ping_behind_a_long_message_is_no_silence,
        no_acknowledgement_is_lost_where_nothing_goes_out,
        nothing_is_taken_in_that_could_not_be_answered,
        work_in_one_step_is_bounded,
        failures_end_the_connection_and_another_one_begins,
        a_stream_that_does_not_open_is_the_callers_matter,
        what_was_told_is_acknowledged_before_leaving,
        leaving_waits_for_its_room,
        NULL,
    };
    return check_run("mqtt_client_time", tests);
}
