/*
 * A board's MQTT client on a real Mosquitto, over plain TCP of this host: both qualities of service
 * both ways, retained messages, the will, the largest messages and larger ones, a broker that goes,
 * comes back, stands still, and refuses.
 */
#include "broker.h"
#include "check_main.h"
#include "tcp_stream.h"

#include <serin/ports/mqtt.h>

#include <poll.h>
#include <string.h>
#include <time.h>

#define INBOX  4096u
#define OUTBOX 70000u

struct board {
    struct tcp_stream stream;
    struct serin_mqtt_client_config config;
    struct serin_mqtt_client client;
    struct serin_mqtt_client_event event;
    uint8_t inbox[INBOX], outbox[OUTBOX];
};

static struct broker broker;
static struct board first, second;
static uint8_t payload[OUTBOX];

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void prepare(struct board *board, const char *id, uint16_t keep_alive_s)
{
    tcp_stream_init(&board->stream, broker.port);
    board->config = (struct serin_mqtt_client_config){.stream = &tcp_stream_ops,
                                                      .stream_ctx = &board->stream,
                                                      .client_id = id,
                                                      .keep_alive_s = keep_alive_s,
                                                      .connect_ms = 10000,
                                                      .answer_ms = 5000,
                                                      .inbox = board->inbox,
                                                      .inbox_size = sizeof board->inbox,
                                                      .outbox = board->outbox,
                                                      .outbox_size = sizeof board->outbox};
}

/* Steps until the client tells something, for `wait_ms` at most. */
static enum serin_mqtt_event_kind next(struct board *board, int wait_ms)
{
    uint64_t end = now_ms() + (uint64_t)wait_ms;
    enum serin_mqtt_event_kind kind = SERIN_MQTT_NOTHING;
    while (kind == SERIN_MQTT_NOTHING && now_ms() < end) {
        kind = serin_mqtt_client_step(&board->client, now_ms(), &board->event);
        if (kind == SERIN_MQTT_NOTHING) {
            struct pollfd fd = {.fd = board->stream.fd, .events = POLLIN};
            poll(&fd, 1, 10);
        }
    }
    return kind;
}

static void expect(struct board *board, enum serin_mqtt_event_kind kind)
{
    enum serin_mqtt_event_kind got = next(board, 15000);
    ck_assert_msg(got == kind, "event %d instead of %d, %s", got, kind,
                  serin_error_name(board->event.error));
}

static void connect_board(struct board *board)
{
    ck_assert_int_eq(serin_mqtt_client_init(&board->client, &board->config), SERIN_OK);
    ck_assert_int_eq(serin_mqtt_client_connect(&board->client, now_ms()), SERIN_OK);
    expect(board, SERIN_MQTT_CONNECTED);
}

static void subscribe(struct board *board, const char *filter, int qos)
{
    uint16_t id = 0;
    ck_assert_int_eq(serin_mqtt_client_subscribe(&board->client, filter, qos, &id), SERIN_OK);
    expect(board, SERIN_MQTT_SUBSCRIBED);
    ck_assert_uint_eq(board->event.id, id);
    ck_assert_int_eq(board->event.error, SERIN_OK);
    ck_assert_int_eq(board->event.code, qos);
}

static void publish(struct board *board, const char *topic, int qos, bool retain, size_t size)
{
    uint16_t id = 0;
    ck_assert_int_eq(
        serin_mqtt_client_publish(&board->client, topic, qos, retain, payload, size, &id),
        SERIN_OK);
    if (qos > 0) {
        expect(board, SERIN_MQTT_PUBLISHED);
        ck_assert_uint_eq(board->event.id, id);
    } else {
        ck_assert_int_eq(next(board, 1), SERIN_MQTT_NOTHING); /* it goes out in a step */
    }
}

static void expect_message(struct board *board, const char *topic, size_t size)
{
    expect(board, SERIN_MQTT_MESSAGE);
    ck_assert_str_eq(board->event.topic, topic);
    ck_assert_uint_eq(board->event.size, size);
    ck_assert_mem_eq(board->event.payload, payload, size);
}

static void begin(void)
{
    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = (uint8_t)(i * 7 + i / 256);
    }
    memset(&broker, 0, sizeof broker);
    broker_folder(&broker);
    broker_start(&broker, false, NULL);
    prepare(&first, "first", 60);
    prepare(&second, "second", 60);
}

START_TEST(messages_go_both_ways)
{
    begin();
    connect_board(&first);
    connect_board(&second);
    subscribe(&first, "a/+", 0);
    subscribe(&first, "b/#", 1);
    for (int qos = 0; qos < 2; qos++) {
        publish(&second, "a/x", qos, false, 5);
        expect_message(&first, "a/x", 5);
        ck_assert_uint_eq(first.event.qos, 0);
        publish(&second, "b/y/z", qos, false, 3000);
        expect_message(&first, "b/y/z", 3000);
        ck_assert_int_eq(first.event.qos, qos);
    }
    publish(&second, "c", 1, true, 100);
    subscribe(&first, "c", 1);
    expect_message(&first, "c", 100);
    ck_assert(first.event.retained);
    serin_mqtt_client_close(&first.client);
    serin_mqtt_client_close(&second.client);
    broker_end(&broker);
}
END_TEST

START_TEST(many_messages_in_small_pieces_all_come)
{
    /* More than the broker keeps in flight (20), so each must be acknowledged. */
    begin();
    first.stream.receive_piece = 3;
    connect_board(&first);
    connect_board(&second);
    subscribe(&first, "many", 1);
    for (size_t i = 0; i < 300; i++) {
        publish(&second, "many", 1, false, i);
        if (i % 10 == 9) {
            for (size_t j = i - 9; j <= i; j++) {
                expect_message(&first, "many", j);
            }
        }
    }
    serin_mqtt_client_close(&first.client);
    serin_mqtt_client_close(&second.client);
    broker_end(&broker);
}
END_TEST

START_TEST(the_largest_come_and_larger_ones_hold_nothing_up)
{
    struct serin_mqtt_client_counts counts;
    begin();
    connect_board(&first);
    connect_board(&second);
    subscribe(&first, "big", 1);
    const size_t most = INBOX - 2 - 3 - 2;
    for (size_t i = 0; i < 30; i++) { /* more than are in flight */
        publish(&second, "big", 1, false, i % 2 == 0 ? most + 1 : 65536 + 128);
    }
    publish(&second, "big", 1, false, most);
    expect_message(&first, "big", most);
    serin_mqtt_client_counted(&first.client, &counts);
    ck_assert_uint_eq(counts.skipped, 30);
    ck_assert_uint_eq(counts.messages, 1);
    ck_assert_uint_eq(counts.unasked, 0);
    serin_mqtt_client_close(&first.client);
    serin_mqtt_client_close(&second.client);
    broker_end(&broker);
}
END_TEST

START_TEST(the_will_is_for_who_goes_without_a_word)
{
    begin();
    first.config.will = (struct serin_mqtt_will){
        .topic = "will", .payload = payload, .size = 7, .qos = 1, .retain = false};
    connect_board(&second);
    subscribe(&second, "will", 1);
    connect_board(&first);
    ck_assert_int_eq(serin_mqtt_client_disconnect(&first.client), SERIN_OK);
    expect(&first, SERIN_MQTT_LOST);
    ck_assert_int_eq(first.event.error, SERIN_OK);
    ck_assert_int_eq(next(&second, 500), SERIN_MQTT_NOTHING);
    connect_board(&first);
    serin_mqtt_client_close(&first.client);
    expect_message(&second, "will", 7);
    serin_mqtt_client_close(&second.client);
    broker_end(&broker);
}
END_TEST

START_TEST(pings_keep_an_idle_connection)
{
    /* The broker ends it after 3 s of silence; it looks every 5 s. */
    begin();
    prepare(&first, "first", 2);
    connect_board(&first);
    ck_assert_int_eq(next(&first, 7000), SERIN_MQTT_NOTHING);
    ck_assert(serin_mqtt_client_connected(&first.client));
    const struct timespec away = {.tv_sec = 9};
    nanosleep(&away, NULL); /* who does not step is not kept */
    expect(&first, SERIN_MQTT_LOST);
    ck_assert_int_eq(first.event.error, SERIN_ERR_NETWORK);
    broker_end(&broker);
}
END_TEST

START_TEST(a_broker_that_goes_comes_back_or_stands_still)
{
    begin();
    prepare(&first, "first", 2);
    first.config.answer_ms = 1000;
    connect_board(&first);
    broker_kill(&broker);
    expect(&first, SERIN_MQTT_LOST);
    ck_assert_int_eq(first.event.error, SERIN_ERR_NETWORK);
    /* Nobody listens: told at once, or by the stream. */
    if (serin_mqtt_client_connect(&first.client, now_ms()) == SERIN_OK) {
        expect(&first, SERIN_MQTT_LOST);
        ck_assert_int_eq(first.event.error, SERIN_ERR_NETWORK);
    }
    broker_start(&broker, false, NULL);
    ck_assert_int_eq(serin_mqtt_client_connect(&first.client, now_ms()), SERIN_OK);
    expect(&first, SERIN_MQTT_CONNECTED);
    subscribe(&first, "a", 1);
    ck_assert_int_eq(serin_mqtt_client_publish(&first.client, "a", 0, false, payload, 9, NULL),
                     SERIN_OK);
    expect_message(&first, "a", 9);
    ck_assert_int_eq(next(&first, 100), SERIN_MQTT_NOTHING);
    kill(broker.pid, SIGSTOP);
    uint64_t stopped = now_ms();
    expect(&first, SERIN_MQTT_LOST);
    ck_assert_int_eq(first.event.error, SERIN_ERR_TIMEOUT);
    ck_assert_uint_lt(now_ms() - stopped, 6000);
    kill(broker.pid, SIGCONT);
    broker_end(&broker);
}
END_TEST

START_TEST(a_refusal_is_told)
{
    memset(&broker, 0, sizeof broker);
    broker_folder(&broker);
    /* The last word counts: nobody without a name, and there are no names. */
    broker_start(&broker, false, "allow_anonymous false");
    prepare(&first, "first", 60);
    ck_assert_int_eq(serin_mqtt_client_init(&first.client, &first.config), SERIN_OK);
    ck_assert_int_eq(serin_mqtt_client_connect(&first.client, now_ms()), SERIN_OK);
    expect(&first, SERIN_MQTT_LOST);
    ck_assert_int_eq(first.event.error, SERIN_ERR_DENIED);
    ck_assert_uint_eq(first.event.code, 5);
    broker_end(&broker);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        messages_go_both_ways,
        many_messages_in_small_pieces_all_come,
        the_largest_come_and_larger_ones_hold_nothing_up,
        the_will_is_for_who_goes_without_a_word,
        pings_keep_an_idle_connection,
        a_broker_that_goes_comes_back_or_stands_still,
        a_refusal_is_told,
        NULL,
    };
    return check_run("mqtt_client_broker", tests);
}
