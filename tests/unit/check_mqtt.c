/*
 * The MQTT adapter against a real Mosquitto: subscriptions, delivery, bounds, configuration. How it
 * connects, loses its broker and closes is in check_mqtt_life.c.
 */
#include "mqtt_bench.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(delivers_and_receives)
{
    broker_start(&broker, false, NULL);
    struct serin_mqtt_config config = plain_config("one");
    struct serin_mqtt *mqtt = open_client(&config, "a/#");
    expect_connected(mqtt);
    int token = publish(mqtt, "a/b", "hello", 1, false);

    bool delivered = false;
    bool received = false;
    while (!delivered || !received) {
        struct serin_mqtt_event event;
        ck_assert(wait_event(mqtt, &event, 5000));
        if (event.kind == SERIN_MQTT_DELIVERED) {
            ck_assert_int_eq(event.token, token);
            delivered = true;
        } else {
            ck_assert_int_eq(event.kind, SERIN_MQTT_MESSAGE);
            ck_assert_str_eq(event.topic, "a/b");
            ck_assert_uint_eq(event.payload_size, 5);
            ck_assert_mem_eq(event.payload, "hello", 5);
            ck_assert_int_eq(event.qos, 1);
            ck_assert(!event.retained);
            received = true;
        }
        serin_mqtt_event_free(&event);
    }
    /* QoS 0 comes back, and has no DELIVERED. An empty payload is a payload. */
    publish(mqtt, "a/c", "", 0, false);
    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_MESSAGE);
    ck_assert_uint_eq(event.payload_size, 0);
    ck_assert_ptr_nonnull(event.payload);
    serin_mqtt_event_free(&event);
    ck_assert(!wait_event(mqtt, &event, 300));
    serin_mqtt_close(mqtt);
}
END_TEST

START_TEST(tells_connected_before_retained_messages)
{
    broker_start(&broker, false, NULL);
    struct serin_mqtt_config config = plain_config("writer");
    struct serin_mqtt *writer = open_client(&config, NULL);
    expect_connected(writer);
    for (int i = 0; i < 20; i++) {
        char topic[16];
        snprintf(topic, sizeof(topic), "r/%d", i);
        publish(writer, topic, "kept", 1, true);
        expect(writer, SERIN_MQTT_DELIVERED);
    }
    config = plain_config("reader");
    struct serin_mqtt *reader = open_client(&config, "r/#");
    expect(reader, SERIN_MQTT_CONNECTED);
    for (int i = 0; i < 20; i++) {
        struct serin_mqtt_event event = expect(reader, SERIN_MQTT_MESSAGE);
        ck_assert(event.retained);
        serin_mqtt_event_free(&event);
    }
    serin_mqtt_close(reader);
    serin_mqtt_close(writer);
}
END_TEST

/* ---- a broker that does what Mosquitto seldom does ---- */

/* Reads one MQTT packet of fewer than 128 bytes behind its header. */
static void read_packet(int fd, uint8_t type)
{
    uint8_t head[2];
    uint8_t body[128];

    ck_assert_int_eq(recv(fd, head, 2, MSG_WAITALL), 2);
    ck_assert_uint_eq(head[0] >> 4, type);
    ck_assert_uint_lt(head[1], 128);
    ck_assert_int_eq(recv(fd, body, head[1], MSG_WAITALL), head[1]);
}

/* Accepts one client, answers CONNECT and SUBSCRIBE, the latter with `answer`, then waits for the
 * end. */
static pid_t odd_broker(uint16_t *port, const uint8_t *answer, size_t size)
{
    static const uint8_t connack[] = {0x20, 2, 0, 0};
    int listener = black_hole(port);
    pid_t child = fork();

    if (child == 0) {
        uint8_t byte;
        int fd = accept(listener, NULL, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        read_packet(fd, 1);
        (void)!write(fd, connack, sizeof(connack));
        read_packet(fd, 8);
        (void)!write(fd, answer, size);
        while (size > 0 && recv(fd, &byte, 1, 0) > 0) {
        }
        _exit(0);
    }
    close(listener);
    return child;
}

static struct serin_mqtt *open_at(uint16_t port, char uri[64], const char *filter)
{
    struct serin_mqtt_config config = plain_config("one");

    snprintf(uri, 64, "tcp://127.0.0.1:%u", port);
    config.uri = uri;
    config.reconnect_min_ms = config.reconnect_max_ms = 60000;
    return open_client(&config, filter);
}

START_TEST(holds_messages_until_subscribed)
{
    /* A retained message before the SUBACK, as the standard allows. */
    static const uint8_t answer[] = {0x31, 6, 0, 3, 'a', '/', 'b', 'x', 0x90, 3, 0, 1, 1};
    char uri[64];
    uint16_t port = 0;
    pid_t child = odd_broker(&port, answer, sizeof(answer));
    struct serin_mqtt *mqtt = open_at(port, uri, "a/#");

    expect(mqtt, SERIN_MQTT_CONNECTED);
    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_MESSAGE);
    ck_assert_str_eq(event.topic, "a/b");
    ck_assert(event.retained);
    serin_mqtt_event_free(&event);
    serin_mqtt_close(mqtt);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

START_TEST(a_refused_subscription_ends_the_connection)
{
    static const uint8_t answer[] = {0x31, 6, 0, 3, 'a', '/', 'b', 'x', 0x90, 3, 0, 1, 0x80};
    char uri[64];
    uint16_t port = 0;
    pid_t child = odd_broker(&port, answer, sizeof(answer));
    struct serin_mqtt *mqtt = open_at(port, uri, "a/#");

    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_DISCONNECTED);
    ck_assert_str_eq(event.why, "the broker refuses the subscription to a/#");
    /* The message of a connection that never stood is not told; the broker sees the client go at
     * once. */
    ck_assert(!wait_event(mqtt, &event, 100));
    pid_t gone = 0;
    for (int i = 0; i < 50 && gone == 0; i++) {
        gone = waitpid(child, NULL, WNOHANG);
        pause_ms(100);
    }
    ck_assert_int_eq(gone, child);
    serin_mqtt_close(mqtt);
}
END_TEST

START_TEST(a_connection_lost_while_subscribing_was_none)
{
    static const uint8_t none[1] = {0};
    char uri[64];
    uint16_t port = 0;
    pid_t child = odd_broker(&port, none, 0);
    struct serin_mqtt *mqtt = open_at(port, uri, "a/#");

    expect(mqtt, SERIN_MQTT_DISCONNECTED);
    serin_mqtt_close(mqtt);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

START_TEST(bounds_the_queue)
{
    broker_start(&broker, false, "max_queued_messages 0\nmax_inflight_messages 0");
    struct serin_mqtt_config config = plain_config("slow");
    config.queue_max = 10;
    struct serin_mqtt *slow = open_client(&config, "q/#");
    expect_connected(slow);
    config = plain_config("fast");
    struct serin_mqtt *fast = open_client(&config, NULL);
    expect_connected(fast);

    /* QoS 0 over the bound is dropped and counted. */
    for (int i = 0; i < 25; i++) {
        publish(fast, "q/0", "x", 0, false);
    }
    for (int i = 0; i < 100 && serin_mqtt_dropped(slow) < 15; i++) {
        pause_ms(100);
    }
    ck_assert_uint_eq(serin_mqtt_dropped(slow), 15);
    for (int i = 0; i < 10; i++) {
        struct serin_mqtt_event event = expect(slow, SERIN_MQTT_MESSAGE);
        serin_mqtt_event_free(&event);
    }
    /* QoS 1 over four times the bound ends the connection, after what was queued; then it is made
     * again. */
    for (int i = 0; i < 60; i++) {
        publish(fast, "q/1", "x", 1, false);
        expect(fast, SERIN_MQTT_DELIVERED);
    }
    for (int i = 0; i < 100 && serin_mqtt_connected(slow); i++) {
        pause_ms(100);
    }
    for (int i = 0; i < 40; i++) {
        struct serin_mqtt_event event = expect(slow, SERIN_MQTT_MESSAGE);
        serin_mqtt_event_free(&event);
    }
    struct serin_mqtt_event event = expect(slow, SERIN_MQTT_DISCONNECTED);
    ck_assert_str_eq(event.why, "messages came faster than they were taken");
    expect_connected(slow);
    publish(fast, "q/1", "after", 1, false);
    event = expect(slow, SERIN_MQTT_MESSAGE);
    ck_assert_mem_eq(event.payload, "after", 5);
    serin_mqtt_event_free(&event);
    serin_mqtt_close(slow);
    serin_mqtt_close(fast);
}
END_TEST

START_TEST(bounds_what_is_in_flight)
{
    broker_start(&broker, false, NULL);
    const unsigned room = SERIN_MQTT_IN_FLIGHT_MAX - SERIN_MQTT_IN_FLIGHT_RETAINED;
    struct serin_mqtt_config config = plain_config("one");
    struct serin_mqtt *mqtt = open_client(&config, NULL);
    expect_connected(mqtt);
    /* What the owner has not heard delivered counts, whether the broker has acknowledged it or not.
     */
    for (unsigned i = 0; i < room; i++) {
        publish(mqtt, "f", "x", 1, false);
    }
    ck_assert_int_eq(serin_mqtt_publish(mqtt, "f", "x", 1, 1, false, NULL), SERIN_ERR_AGAIN);
    expect(mqtt, SERIN_MQTT_DELIVERED);
    publish(mqtt, "f", "x", 1, false);
    for (unsigned i = 0; i < room; i++) {
        expect(mqtt, SERIN_MQTT_DELIVERED);
    }
    /* A lost connection ends the waiting, so that the room is not lost with it. */
    kill(broker.pid, SIGSTOP);
    for (unsigned i = 0; i < room; i++) {
        publish(mqtt, "f", "x", 1, false);
    }
    broker_kill(&broker);
    struct serin_mqtt_event event;
    do {
        ck_assert(wait_event(mqtt, &event, 15000));
    } while (event.kind == SERIN_MQTT_DELIVERED);
    ck_assert_int_eq(event.kind, SERIN_MQTT_DISCONNECTED);
    broker_start(&broker, false, NULL);
    expect_connected(mqtt);
    publish(mqtt, "f", "x", 1, false);
    expect(mqtt, SERIN_MQTT_DELIVERED);
    static uint8_t large[SERIN_MQTT_PAYLOAD_MAX + 1];
    ck_assert_int_eq(serin_mqtt_publish(mqtt, "f", large, sizeof(large), 1, false, NULL),
                     SERIN_ERR_TOO_LARGE);
    ck_assert_int_eq(serin_mqtt_publish(mqtt, "f", large, 1, 2, false, NULL), SERIN_ERR_INVALID);
    serin_mqtt_close(mqtt);
}
END_TEST

START_TEST(refuses_a_wrong_configuration)
{
    struct serin_mqtt *mqtt = NULL;
    const struct serin_mqtt_config good = plain_config("one");
    struct serin_mqtt_config bad[9];

    for (size_t i = 0; i < 9; i++) {
        bad[i] = good;
    }
    bad[0].uri = "http://127.0.0.1";
    bad[1].uri = NULL;
    bad[2].client_id = NULL;
    bad[3].keep_alive_s = 0;
    bad[4].reconnect_min_ms = 0;
    bad[5].reconnect_max_ms = good.reconnect_min_ms - 1;
    bad[6].queue_max = 0;
    bad[7].uri = "ssl://127.0.0.1:1"; /* without files */
    bad[8].uri = "ssl://127.0.0.1:1";
    bad[8].ca_file = bad[8].cert_file = bad[8].key_file = "/nonexistent/file.pem";
    for (size_t i = 0; i < 9; i++) {
        ck_assert_msg(serin_mqtt_open(&mqtt, &bad[i]) == SERIN_ERR_CONFIG, "case %zu", i);
        ck_assert_ptr_null(mqtt);
    }
    ck_assert_int_eq(serin_mqtt_open(&mqtt, &good), SERIN_OK);
    ck_assert_int_eq(serin_mqtt_subscribe(mqtt, "a", 2), SERIN_ERR_INVALID);
    for (size_t i = 0; i < SERIN_MQTT_FILTERS_MAX; i++) {
        ck_assert_int_eq(serin_mqtt_subscribe(mqtt, "a", 1), SERIN_OK);
    }
    ck_assert_int_eq(serin_mqtt_subscribe(mqtt, "a", 1), SERIN_ERR_TOO_LARGE);
    serin_mqtt_close(mqtt);
}
END_TEST

START_TEST(spreads_the_backoff)
{
    /* The first retry within four times the minimum, then doubling up to the maximum, uniform. */
    static const uint32_t limits[] = {0, 4000, 8000, 16000, 32000, 60000, 60000};

    for (unsigned failures = 1; failures < 7; failures++) {
        uint32_t low = UINT32_MAX;
        uint32_t high = 0;
        for (uint64_t random = 0; random < 70000; random++) {
            uint32_t delay = serin_mqtt_backoff_ms(1000, 60000, failures, random);
            low = delay < low ? delay : low;
            high = delay > high ? delay : high;
        }
        ck_assert_uint_eq(low, 1000);
        ck_assert_uint_eq(high, limits[failures]);
    }
    ck_assert_uint_eq(serin_mqtt_backoff_ms(500, 500, 32, 12345), 500);
    ck_assert_uint_le(serin_mqtt_backoff_ms(1, 86400000, 32, UINT64_MAX), 86400000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mqtt");
    TCase *plain = tcase_create("plain");

    tcase_add_checked_fixture(plain, setup, teardown);
    tcase_set_timeout(plain, 60);
    tcase_add_test(plain, delivers_and_receives);
    tcase_add_test(plain, tells_connected_before_retained_messages);
    tcase_add_test(plain, holds_messages_until_subscribed);
    tcase_add_test(plain, a_refused_subscription_ends_the_connection);
    tcase_add_test(plain, a_connection_lost_while_subscribing_was_none);
    tcase_add_test(plain, bounds_the_queue);
    tcase_add_test(plain, bounds_what_is_in_flight);
    tcase_add_test(plain, refuses_a_wrong_configuration);
    tcase_add_test(plain, spreads_the_backoff);
    suite_add_tcase(suite, plain);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
