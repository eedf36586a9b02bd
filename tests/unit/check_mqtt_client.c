/*
 * A board's MQTT client: what it sends byte for byte, what it takes in pieces of every size,
 * packets of the largest size and larger ones, and what a broker may not say. Time and trouble are
 * in check_mqtt_client_time.
 */
#include "mqtt_play.h"

#include "internal.h"

#include <stdio.h>

/* ---- what goes out ---- */

START_TEST(connect_says_who_it_is)
{
    play_start();
    ck_assert_int_eq(serin_mqtt_client_connect(&play.client, 0), SERIN_OK);
    play_quiet();
    play_sent("10 0f  00 04 4d515454 04 02 003c  0003 642d37");
    ck_assert(!serin_mqtt_client_connected(&play.client));
}
END_TEST

START_TEST(connect_says_all_that_it_was_given)
{
    play_start();
    play.config.keep_alive_s = 0x1234;
    play.config.user = "u";
    play.config.password = "pw";
    play.config.will = (struct serin_mqtt_will){
        .topic = "w/t", .payload = (const uint8_t *)"\0gone", .size = 5, .qos = 1, .retain = true};
    ck_assert_int_eq(serin_mqtt_client_init(&play.client, &play.config), SERIN_OK);
    ck_assert_int_eq(serin_mqtt_client_connect(&play.client, 0), SERIN_OK);
    play_quiet();
    play_sent("10 22  00 04 4d515454 04 ee 1234  0003 642d37  0003 772f74  0005 00676f6e65"
              "0001 75  0002 7077");
}
END_TEST

START_TEST(requests_are_these_bytes)
{
    uint16_t id = 9;
    play_start();
    play_connected();
    ck_assert_int_eq(serin_mqtt_client_subscribe(&play.client, "a/+", 1, &id), SERIN_OK);
    ck_assert_uint_eq(id, 1);
    ck_assert_int_eq(
        serin_mqtt_client_publish(&play.client, "t", 0, false, (const uint8_t *)"hi", 2, &id),
        SERIN_OK);
    ck_assert_uint_eq(id, 0);
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 1, true, NULL, 0, &id), SERIN_OK);
    ck_assert_uint_eq(id, 2);
    play_quiet();
    play_sent("82 08 0001 0003 612f2b 01   30 05 0001 74 6869   33 05 0001 74 0002");
    ck_assert_int_eq(serin_mqtt_client_disconnect(&play.client), SERIN_OK);
    play_expect_lost(SERIN_OK);
    play_sent("e0 00");
}
END_TEST

START_TEST(lengths_take_the_bytes_they_need)
{
    static const struct {
        size_t payload; /* behind a topic of 1 */
        const char *head;
    } lengths[] = {
        {0, "30 03 0001 74"},        {124, "30 7f 0001 74"},         {125, "30 80 01 0001 74"},
        {16380, "30 ff 7f 0001 74"}, {16381, "30 80 80 01 0001 74"}, {70000, "30 f3 a2 04 0001 74"},
    };
    static uint8_t payload[70000];
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        play_start_sized(64, 70100);
        play_connected();
        ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 0, false, payload,
                                                   lengths[i].payload, NULL),
                         SERIN_OK);
        play_quiet();
        size_t whole = play.stream.out_size;
        ck_assert_uint_gt(whole, lengths[i].payload);
        play.stream.out_size = whole - lengths[i].payload;
        play_sent(lengths[i].head);
    }
}
END_TEST

START_TEST(a_publish_fills_the_outbox_to_the_reserve)
{
    static uint8_t payload[PLAY_OUTBOX];
    const size_t most = PLAY_OUTBOX - SERIN_MQTT_CLIENT_RESERVE - 3 - 3; /* head, topic */
    play_start();
    play_connected();
    ck_assert_int_eq(
        serin_mqtt_client_publish(&play.client, "t", 0, false, payload, most + 1, NULL),
        SERIN_ERR_TOO_LARGE);
    ck_assert_int_eq(
        serin_mqtt_client_publish(&play.client, "t", 0, false, payload, SIZE_MAX, NULL),
        SERIN_ERR_TOO_LARGE);
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 0, false, payload, most, NULL),
                     SERIN_OK);
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 0, false, payload, 0, NULL),
                     SERIN_ERR_AGAIN);
    ck_assert_int_eq(serin_mqtt_client_subscribe(&play.client, "f", 0, NULL), SERIN_ERR_AGAIN);
    play_quiet();
    ck_assert_uint_eq(play.stream.out_size, PLAY_OUTBOX - SERIN_MQTT_CLIENT_RESERVE);
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 0, false, payload, most, NULL),
                     SERIN_OK);
}
END_TEST

START_TEST(wrong_requests_queue_nothing)
{
    play_start();
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 0, false, NULL, 0, NULL),
                     SERIN_ERR_STATE);
    ck_assert_int_eq(serin_mqtt_client_subscribe(&play.client, "t", 0, NULL), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_mqtt_client_disconnect(&play.client), SERIN_ERR_STATE);
    play_connected();
    ck_assert_int_eq(serin_mqtt_client_connect(&play.client, 0), SERIN_ERR_STATE);
    static const char *const topics[] = {"", "+", "a/#", "a+b"};
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        ck_assert_int_eq(
            serin_mqtt_client_publish(&play.client, topics[i], 0, false, NULL, 0, NULL),
            SERIN_ERR_INVALID);
    }
    static char long_text[65537];
    memset(long_text, 'x', sizeof long_text - 1);
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, long_text, 0, false, NULL, 0, NULL),
                     SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_mqtt_client_subscribe(&play.client, long_text, 0, NULL),
                     SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 2, false, NULL, 0, NULL),
                     SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", -1, false, NULL, 0, NULL),
                     SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_mqtt_client_subscribe(&play.client, "", 0, NULL), SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_mqtt_client_subscribe(&play.client, "t", 2, NULL), SERIN_ERR_INVALID);
    play_quiet();
    play_sent("");
}
END_TEST

/* X(statement on `c`, the configuration) */
#define WRONG_CONFIGS(X)                               \
    X(c->stream = NULL)                                \
    X(c->client_id = NULL)                             \
    X(c->client_id = "")                               \
    X(c->client_id = long_text)                        \
    X(c->user = long_text)                             \
    X(c->user = "u", c->password = long_text)          \
    X(c->password = "without a user")                  \
    X(c->will.topic = "")                              \
    X(c->will.topic = "a/#")                           \
    X(c->will.topic = "w", c->will.qos = 2)            \
    X(c->will.topic = "w", c->will.size = 1)           \
    X(c->keep_alive_s = 1)                             \
    X(c->connect_ms = 3)                               \
    X(c->answer_ms = 3)                                \
    X(c->inbox = NULL)                                 \
    X(c->outbox = NULL)                                \
    X(c->inbox_size = SERIN_MQTT_CLIENT_INBOX_MIN - 1) \
    X(c->outbox_size = SERIN_MQTT_CLIENT_OUTBOX_MIN - 1)
#define TRY_WRONG(...)                                                                   \
    {                                                                                    \
        struct serin_mqtt_client_config wrong = play.config, *c = &wrong;                \
        __VA_ARGS__;                                                                     \
        ck_assert_msg(serin_mqtt_client_init(&play.client, c) == SERIN_ERR_CONFIG, "%s", \
                      #__VA_ARGS__);                                                     \
    }

START_TEST(wrong_configurations_are_refused)
{
    static char long_text[65537];
    memset(long_text, 'x', sizeof long_text - 1);
    play_start();
    WRONG_CONFIGS(TRY_WRONG)
    char id[64];
    memset(id, 'x', sizeof id);
    id[sizeof id - 1 - 12] = '\0'; /* with 14 bytes before it, 65 */
    play.config.client_id = id;
    play.config.outbox_size = 64;
    ck_assert_int_eq(serin_mqtt_client_init(&play.client, &play.config), SERIN_ERR_NO_SPACE);
    id[sizeof id - 1 - 13] = '\0';
    ck_assert_int_eq(serin_mqtt_client_init(&play.client, &play.config), SERIN_OK);
    ck_assert_int_eq(serin_mqtt_client_connect(&play.client, 0), SERIN_OK);
}
END_TEST

/* ---- what comes in ---- */

START_TEST(messages_come_whole)
{
    play_start();
    play_connected();
    play_say("31 07 0003 612f62 6869");
    play_expect(SERIN_MQTT_MESSAGE);
    ck_assert_str_eq(play.event.topic, "a/b");
    ck_assert_uint_eq(play.event.size, 2);
    ck_assert_mem_eq(play.event.payload, "hi", 2);
    ck_assert(play.event.retained);
    ck_assert_uint_eq(play.event.qos, 0);
    play_quiet();
    play_sent("");
    play_say("3a 06 0001 63 1234 00"); /* of QoS 1, and a duplicate */
    play_expect(SERIN_MQTT_MESSAGE);
    ck_assert_str_eq(play.event.topic, "c");
    ck_assert_uint_eq(play.event.size, 1);
    ck_assert(!play.event.retained);
    ck_assert_uint_eq(play.event.qos, 1);
    play_sent(""); /* it is not worked on yet */
    play_quiet();
    play_sent("40 02 1234");
    play_say("30 03 0001 65"); /* no payload */
    play_expect(SERIN_MQTT_MESSAGE);
    ck_assert_uint_eq(play.event.size, 0);
}
END_TEST

START_TEST(answers_find_their_request)
{
    uint16_t id = 0;
    play_start();
    play_connected();
    for (int granted = 0; granted < 2; granted++) {
        ck_assert_int_eq(serin_mqtt_client_subscribe(&play.client, "f", 1, &id), SERIN_OK);
        uint8_t suback[] = {0x90, 3, 0, (uint8_t)id, (uint8_t)granted};
        play_say_bytes(suback, sizeof suback);
        play_expect(SERIN_MQTT_SUBSCRIBED);
        ck_assert_uint_eq(play.event.id, id);
        ck_assert_int_eq(play.event.error, SERIN_OK);
        ck_assert_int_eq(play.event.code, granted);
    }
    ck_assert_int_eq(serin_mqtt_client_subscribe(&play.client, "f", 1, &id), SERIN_OK);
    uint16_t other = 0;
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 1, false, NULL, 0, &other),
                     SERIN_OK);
    /* Answers of the wrong sort, and to nobody, count and settle nothing. */
    play_say("40 02 0003  90 03 0004 01  40 02 0000  40 02 4444  d0 00");
    play_quiet();
    struct serin_mqtt_client_counts counts;
    serin_mqtt_client_counted(&play.client, &counts);
    ck_assert_uint_eq(counts.unasked, 5);
    play_say("90 03 0003 80  40 02 0004");
    play_expect(SERIN_MQTT_SUBSCRIBED);
    ck_assert_uint_eq(play.event.id, 3);
    ck_assert_int_eq(play.event.error, SERIN_ERR_DENIED);
    play_expect(SERIN_MQTT_PUBLISHED);
    ck_assert_uint_eq(play.event.id, 4);
}
END_TEST

START_TEST(requests_wait_in_so_many_places)
{
    uint16_t ids[SERIN_MQTT_CLIENT_WAITING], id = 0;
    play_start_sized(64, 1024);
    play.client.last_id = 65529; /* so that they wrap, over one that waits */
    play_connected();
    for (size_t i = 0; i < SERIN_MQTT_CLIENT_WAITING; i++) {
        ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 1, false, NULL, 0, &ids[i]),
                         SERIN_OK);
        ck_assert_uint_ne(ids[i], 0);
        for (size_t j = 0; j < i; j++) {
            ck_assert_uint_ne(ids[i], ids[j]);
        }
    }
    ck_assert_uint_eq(ids[SERIN_MQTT_CLIENT_WAITING - 1], 10);
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 1, false, NULL, 0, &id),
                     SERIN_ERR_AGAIN);
    ck_assert_int_eq(serin_mqtt_client_subscribe(&play.client, "t", 1, &id), SERIN_ERR_AGAIN);
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 0, false, NULL, 0, &id),
                     SERIN_OK);
    play_say("40 02 fffa");
    play_expect(SERIN_MQTT_PUBLISHED);
    play.client.last_id = 65530; /* the next ones are taken */
    ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 1, false, NULL, 0, &id),
                     SERIN_OK);
    ck_assert_uint_eq(id, 11);
}
END_TEST

/* ---- in pieces ---- */

/* A day of a client in a few bytes: each event's kind, and of a message what it says. */
static size_t live(size_t in_piece, size_t out_piece, char *log)
{
    size_t used = 0, idle = 0;
    play_start();
    play.stream.receive_piece = in_piece;
    play.stream.send_piece = out_piece;
    ck_assert_int_eq(serin_mqtt_client_connect(&play.client, 0), SERIN_OK);
    play_say("20 02 00 00   90 03 0001 01   31 07 0003 612f62 6869   32 06 0001 63 1234 00");
    play_say_publish(2, "large", 77, PLAY_INBOX);            /* skipped */
    play_say_publish(0, "larger", 0, 5000);                  /* skipped */
    play_say_publish(2, "full", 78, PLAY_INBOX - 2 - 4 - 2); /* fits exactly */
    play_say("40 02 0002   d0 00");
    play_say_publish(0, "end", 0, 3);
    while (idle < 10) {
        size_t before = play.stream.in_at + play.stream.out_size;
        enum serin_mqtt_event_kind kind = play_step();
        bool moved = play.stream.in_at + play.stream.out_size != before;
        idle = kind != SERIN_MQTT_NOTHING || moved ? 0 : idle + 1;
        const struct serin_mqtt_client_event *event = &play.event;
        if (kind == SERIN_MQTT_CONNECTED) {
            ck_assert_int_eq(serin_mqtt_client_subscribe(&play.client, "f", 1, NULL), SERIN_OK);
            ck_assert_int_eq(serin_mqtt_client_publish(&play.client, "t", 1, false, NULL, 0, NULL),
                             SERIN_OK);
        }
        if (kind == SERIN_MQTT_MESSAGE) {
            used += (size_t)sprintf(log + used, "%s=%zu:%u ", event->topic, event->size,
                                    event->size > 0 ? event->payload[event->size - 1] : 0u);
        } else if (kind != SERIN_MQTT_NOTHING) {
            used += (size_t)sprintf(log + used, "%d.%u ", kind, event->id);
        }
        ck_assert_int_ne(kind, SERIN_MQTT_LOST);
    }
    return used;
}

START_TEST(pieces_of_any_size_make_the_same_day)
{
    static const size_t pieces[] = {1, 2, 3, 4, 5, 7, 11, 16, 64, 255, 256, 257, 1000, SIZE_MAX};
    char whole[512] = "", log[512];
    uint8_t out[256];
    live(SIZE_MAX, SIZE_MAX, whole);
    ck_assert_str_eq(whole, "1.0 5.1 a/b=2:105 c=1:0 full=248:247 4.2 end=3:2 ");
    play_sent("10 0f 00044d51545404 02 003c 0003642d37  82 06 0001 0001 66 01  32 05 0001 74 0002"
              "40 02 1234  40 02 004d  40 02 004e");
    live(SIZE_MAX, SIZE_MAX, whole);
    size_t size = play.stream.out_size;
    memcpy(out, play.stream.out, size);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        for (size_t j = 0; j < sizeof pieces / sizeof pieces[0]; j++) {
            memset(log, 0, sizeof log);
            live(pieces[i], pieces[j], log);
            ck_assert_msg(strcmp(log, whole) == 0, "in %zu, out %zu: %s", pieces[i], pieces[j],
                          log);
            ck_assert_uint_eq(play.stream.out_size, size);
            ck_assert_mem_eq(play.stream.out, out, size);
        }
    }
    struct serin_mqtt_client_counts counts;
    serin_mqtt_client_counted(&play.client, &counts);
    ck_assert_uint_eq(counts.skipped, 2);
    ck_assert_uint_eq(counts.messages, 4);
    ck_assert_uint_eq(counts.unasked, 1);
}
END_TEST

START_TEST(a_day_that_ends_at_any_byte_ends_well)
{
    char log[512];
    live(SIZE_MAX, SIZE_MAX, log);
    size_t whole = play.stream.in_size;
    for (size_t size = 0; size < whole; size += size < 400 ? 1 : 13) {
        play_start();
        ck_assert_int_eq(serin_mqtt_client_connect(&play.client, 0), SERIN_OK);
        play_say("20 02 00 00");
        play_say_publish(2, "large", 77, PLAY_INBOX);
        play_say_publish(2, "full", 78, PLAY_INBOX - 2 - 4 - 2);
        play.stream.in_size = size < play.stream.in_size ? size : play.stream.in_size;
        play.stream.receive_fails = true;
        enum serin_mqtt_event_kind kind = SERIN_MQTT_NOTHING;
        for (size_t i = 0; i < 100 && kind != SERIN_MQTT_LOST; i++) {
            kind = play_step();
        }
        ck_assert_int_eq(kind, SERIN_MQTT_LOST);
        ck_assert_int_eq(play.event.error, SERIN_ERR_NETWORK);
        ck_assert(!play.stream.open);
    }
}
END_TEST

/* ---- the largest, and larger ---- */

START_TEST(the_largest_message_is_told_and_a_larger_one_skipped)
{
    struct serin_mqtt_client_counts counts;
    for (int qos = 0; qos < 2; qos++) {
        for (size_t inbox = 64; inbox < 200; inbox++) {
            play_start_sized(inbox, 64);
            play_connected();
            size_t most = inbox - 2 - 1 - (qos > 0 ? 2u : 0u);
            uint8_t flags = (uint8_t)(qos << 1);
            uint16_t id = qos > 0 ? 0x0102 : 0;
            play_say_publish(flags, "t", id, most);
            play_expect(SERIN_MQTT_MESSAGE);
            ck_assert_uint_eq(play.event.size, most);
            for (size_t i = 0; i < most; i++) {
                ck_assert_uint_eq(play.event.payload[i], (uint8_t)i);
            }
            play_quiet();
            play_sent(qos > 0 ? "40 02 0102" : "");
            play_say_publish(flags, "t", id, most + 1);
            play_quiet();
            play_sent(qos > 0 ? "40 02 0102" : "");
            serin_mqtt_client_counted(&play.client, &counts);
            ck_assert_uint_eq(counts.skipped, 1);
            play_say_publish(flags, "t", id, 0);
            play_expect(SERIN_MQTT_MESSAGE);
            serin_mqtt_client_counted(&play.client, &counts);
            ck_assert_uint_eq(counts.messages, 2);
        }
    }
}
END_TEST

START_TEST(topics_larger_than_the_inbox_are_skipped)
{
    static char topic[65536];
    memset(topic, 't', sizeof topic - 1);
    for (size_t size = 55; size < 70; size++) {
        play_start_sized(64, 64);
        play_connected();
        topic[size] = '\0';
        play_say_publish(2, topic, 0x0a0b, 0);
        play_expect(size <= 60 ? SERIN_MQTT_MESSAGE : SERIN_MQTT_NOTHING);
        play_quiet();
        play_sent("40 02 0a0b");
        topic[size] = 't';
    }
    play_start_sized(64, 64);
    play_connected();
    play_say_publish(2, topic, 0x0a0b, 100000);
    play_quiet();
    play_sent("40 02 0a0b");
}
END_TEST

/* ---- what a broker may not say ---- */

START_TEST(only_these_packets_may_come)
{
    /* Every first byte in every state in which something comes, with a body that suits it. */
    for (unsigned first = 0; first < 256; first++) {
        for (int connected = 0; connected < 2; connected++) {
            static const uint8_t body[] = {0x00, 0x01, 0x01, 0x00, 0x01, 0x02};
            static const uint8_t sizes[16] = {[2] = 2, [3] = 6, [4] = 2, [9] = 3};
            uint8_t packet[8] = {(uint8_t)first, sizes[first >> 4]};
            memcpy(packet + 2, body, sizes[first >> 4]);
            if (first >> 4 == 2) {
                packet[3] = 0;
            }
            play_start();
            if (connected) {
                play_connected();
            } else {
                ck_assert_int_eq(serin_mqtt_client_connect(&play.client, 0), SERIN_OK);
            }
            play_say_bytes(packet, 2u + sizes[first >> 4]);
            bool publish = first == 0x30 || first == 0x31 || first == 0x32 || first == 0x33 ||
                           first == 0x3a || first == 0x3b;
            bool answer = first == 0x40 || first == 0x90 || first == 0xd0;
            if (connected && publish) {
                play_expect(SERIN_MQTT_MESSAGE);
            } else if (connected && answer) {
                play_quiet();
            } else if (!connected && first == 0x20) {
                play_expect(SERIN_MQTT_CONNECTED);
            } else {
                play_expect_lost(SERIN_ERR_FORMAT);
            }
        }
    }
}
END_TEST

START_TEST(malformed_packets_end_the_connection)
{
    static const struct {
        const char *what, *bytes;
    } packets[] = {
        {"a PUBACK of 1 byte", "40 01 00"},
        {"a PUBACK of 3 bytes", "40 03 000100"},
        {"a SUBACK of two codes", "90 04 0001 0000"},
        {"a SUBACK without a code", "90 02 0001"},
        {"a SUBACK with an unknown code", "90 03 0001 03"},
        {"a PINGRESP with a body", "d0 01 00"},
        {"a length of 5 bytes", "30 80 80 80 80 01"},
        {"a length of 5 bytes that says 0", "d0 80 80 80 80 00"},
        {"an answer of 200 MB", "40 ff ff ff 5f"},
        {"a PUBLISH of nothing", "30 00"},
        {"a PUBLISH without a topic", "30 02 0000"},
        {"a PUBLISH of an empty topic", "30 03 0000 61"},
        {"a topic past the end", "30 05 0004 616263"},
        {"an id past the end", "32 05 0002 6162 01"},
        {"the id 0", "32 06 0002 6162 0000"},
        {"a NUL in a topic", "30 05 0003 610062"},
        {"a + in a topic", "30 05 0003 612b62"},
        {"a # in a topic", "30 05 0003 612362"},
        {"QoS 2", "34 06 0002 6162 0001"},
        {"QoS 3", "36 06 0002 6162 0001"},
        {"a duplicate of QoS 0", "38 04 0002 6162"},
    };
    for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        play_start();
        play_connected();
        play_say(packets[i].bytes);
        enum serin_mqtt_event_kind kind = play_step();
        ck_assert_msg(kind == SERIN_MQTT_LOST && play.event.error == SERIN_ERR_FORMAT, "%s",
                      packets[i].what);
    }
}
END_TEST

START_TEST(malformed_messages_are_not_skipped_either)
{
    static const struct {
        uint8_t flags, head[6];
        bool well;
    } messages[] = {
        {0, {0x00, 0x01, 't', 1, 2, 3}, true},  {0, {0x00, 0x00, 't', 1, 2, 3}, false},
        {0, {0xff, 0xff, 't', 1, 2, 3}, false}, {2, {0x00, 0x01, 't', 0, 1, 3}, true},
        {2, {0x00, 0x01, 't', 0, 0, 3}, false}, {0, {0x01, 0x2a, 't', 1, 2, 3}, true},
        {0, {0x01, 0x2b, 't', 1, 2, 3}, false}, {2, {0x01, 0x2b, 't', 1, 2, 3}, false},
        {2, {0x01, 0x28, 't', 1, 2, 3}, true},  {2, {0x01, 0x29, 't', 1, 2, 3}, false},
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        uint8_t packet[3 + 300] = {(uint8_t)(0x30u | messages[i].flags), 0xac, 0x02}; /* 300 */
        memset(packet + 3, 'x', 300);
        memcpy(packet + 3, messages[i].head, 6);
        play_start();
        play_connected();
        play_say_bytes(packet, sizeof packet);
        enum serin_mqtt_event_kind kind = SERIN_MQTT_NOTHING;
        for (int j = 0; j < 5 && kind == SERIN_MQTT_NOTHING; j++) {
            kind = play_step();
        }
        ck_assert_msg((kind == SERIN_MQTT_NOTHING) == messages[i].well, "%zu", i);
        ck_assert_int_eq(play.event.error, messages[i].well ? SERIN_OK : SERIN_ERR_FORMAT);
    }
}
END_TEST

START_TEST(refusals_are_told_with_their_code)
{
    for (unsigned code = 0; code < 256; code++) {
        for (unsigned flags = 0; flags < 3; flags++) {
            const uint8_t packet[] = {0x20, 2, (uint8_t)flags, (uint8_t)code};
            play_start();
            ck_assert_int_eq(serin_mqtt_client_connect(&play.client, 0), SERIN_OK);
            play_say_bytes(packet, sizeof packet);
            if (flags != 0 || code > 5) {
                play_expect_lost(SERIN_ERR_FORMAT);
            } else if (code == 0) {
                play_expect(SERIN_MQTT_CONNECTED);
            } else {
                play_expect(SERIN_MQTT_LOST);
                ck_assert_int_eq(play.event.error, SERIN_ERR_DENIED);
                ck_assert_uint_eq(play.event.code, code);
            }
        }
    }
}
END_TEST

/* ---- the table ---- */

static enum state from;
static enum happening what;

static void change(void)
{
    play.client.state = (uint8_t)from;
    serin_mqtt_change(&play.client, what);
}

START_TEST(states_change_by_the_table_alone)
{
    static const enum state next[STATE_COUNT][HAPPENINGS] = {
        {STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE},
        {STATE_OPENING, STATE_NONE, STATE_NONE, STATE_NONE},
        {STATE_NONE, STATE_CONNECTED, STATE_NONE, STATE_CLOSED},
        {STATE_NONE, STATE_NONE, STATE_LEAVING, STATE_CLOSED},
        {STATE_NONE, STATE_NONE, STATE_NONE, STATE_CLOSED},
    };
    play_start();
    for (from = STATE_NONE; from < STATE_COUNT; from++) {
        for (what = OPENED; what < HAPPENINGS; what++) {
            if (next[from][what] == STATE_NONE) {
                ck_assert(check_dies(change));
            } else {
                change();
                ck_assert_int_eq(play.client.state, (int)next[from][what]);
            }
        }
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        connect_says_who_it_is,
        connect_says_all_that_it_was_given,
        requests_are_these_bytes,
        lengths_take_the_bytes_they_need,
        a_publish_fills_the_outbox_to_the_reserve,
        wrong_requests_queue_nothing,
        wrong_configurations_are_refused,
        messages_come_whole,
        answers_find_their_request,
        requests_wait_in_so_many_places,
        pieces_of_any_size_make_the_same_day,
        a_day_that_ends_at_any_byte_ends_well,
        the_largest_message_is_told_and_a_larger_one_skipped,
        topics_larger_than_the_inbox_are_skipped,
        only_these_packets_may_come,
        malformed_packets_end_the_connection,
        malformed_messages_are_not_skipped_either,
        refusals_are_told_with_their_code,
        states_change_by_the_table_alone,
        NULL,
    };
    return check_run("mqtt_client", tests);
}
