/*
 * Filters that are followed while connected: against a real Mosquitto by the thousand, and against
 * a broker that refuses.
 *
 * Each test names the mutation of the adapter that it was seen to catch.
 */
#include "mqtt_bench.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 10000u /* nodes of a large site */

static void follow(struct serin_mqtt *mqtt, const char *filter)
{
    ck_assert_int_eq(serin_mqtt_follow(mqtt, filter, 1), SERIN_OK);
}

static const char *node_topic(unsigned node)
{
    static char topic[64];

    snprintf(topic, sizeof(topic), "serin/1/dev/node-%05u/directive", node);
    return topic;
}

/* Lets the adapter work until so many filters stand; there is nothing to hear. */
static void expect_standing(struct serin_mqtt *mqtt, size_t count)
{
    struct serin_mqtt_event event;

    for (int i = 0; i < 1500 && serin_mqtt_standing(mqtt) != count; i++) {
        ck_assert(!wait_event(mqtt, &event, 10));
    }
    ck_assert_uint_eq(serin_mqtt_standing(mqtt), count);
}

static void expect_message(struct serin_mqtt *mqtt, const char *topic, const char *text)
{
    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_MESSAGE);

    ck_assert_str_eq(event.topic, topic);
    ck_assert_uint_eq(event.payload_size, strlen(text));
    ck_assert_mem_eq(event.payload, text, event.payload_size);
    serin_mqtt_event_free(&event);
}

static void expect_silence(struct serin_mqtt *mqtt)
{
    struct serin_mqtt_event event;

    ck_assert(!wait_event(mqtt, &event, 300));
}

/* Caught: follow_send not called from serin_mqtt_next; follow_ready left out of queue_refresh. */
START_TEST(follows_while_connected)
{
    broker_start(&broker, false, NULL);
    struct serin_mqtt_config config = plain_config("one");
    struct serin_mqtt *mqtt = open_client(&config, "fixed/#");
    config = plain_config("writer");
    struct serin_mqtt *writer = open_client(&config, NULL);
    expect_connected(writer);
    publish(writer, "a/kept", "kept", 1, true);
    expect(writer, SERIN_MQTT_DELIVERED);
    expect_connected(mqtt);

    follow(mqtt, "a/+"); /* one alone: Paho answers in another way than for more */
    expect_message(mqtt, "a/kept", "kept");
    follow(mqtt, "b");
    follow(mqtt, "c/#");
    expect_standing(mqtt, 3);
    publish(writer, "b", "1", 0, false);
    expect_message(mqtt, "b", "1");
    publish(writer, "c/d/e", "2", 0, false);
    expect_message(mqtt, "c/d/e", "2");
    publish(writer, "fixed/x", "3", 0, false);
    expect_message(mqtt, "fixed/x", "3");
    publish(writer, "elsewhere", "4", 0, false);
    expect_silence(mqtt);
    serin_mqtt_close(mqtt);
    serin_mqtt_close(writer);
}
END_TEST

/* Caught: a second SUBSCRIBE for what stands already (the broker sends retained messages again). */
START_TEST(following_twice_changes_nothing)
{
    broker_start(&broker, false, NULL);
    struct serin_mqtt_config config = plain_config("one");
    struct serin_mqtt *mqtt = open_client(&config, NULL);
    expect_connected(mqtt);
    publish(mqtt, "a/kept", "kept", 1, true);
    expect(mqtt, SERIN_MQTT_DELIVERED);
    follow(mqtt, "a/kept");
    follow(mqtt, "a/kept");
    expect_message(mqtt, "a/kept", "kept");
    expect_standing(mqtt, 1);
    follow(mqtt, "a/kept");
    expect_silence(mqtt);
    /* Another QoS is another subscription. */
    ck_assert_int_eq(serin_mqtt_follow(mqtt, "a/kept", 0), SERIN_OK);
    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_MESSAGE);
    ck_assert_int_eq(event.qos, 0);
    serin_mqtt_event_free(&event);
    expect_standing(mqtt, 1);
    serin_mqtt_close(mqtt);
}
END_TEST

/* Caught: no UNSUBSCRIBE; a filter not taken out of the queue, or out of the packets under way. */
START_TEST(unfollowing_ends_it)
{
    broker_start(&broker, false, NULL);
    struct serin_mqtt_config config = plain_config("one");
    struct serin_mqtt *mqtt = open_client(&config, NULL);
    follow(mqtt, "early");
    follow(mqtt, "early-gone");
    serin_mqtt_unfollow(mqtt, "early-gone");
    serin_mqtt_unfollow(mqtt, "never-followed");
    expect_connected(mqtt);
    expect_standing(mqtt, 1);
    follow(mqtt, "a");
    follow(mqtt, "due-gone");
    serin_mqtt_unfollow(mqtt, "due-gone");
    expect_standing(mqtt, 2);
    serin_mqtt_unfollow(mqtt, "a");
    ck_assert_uint_eq(serin_mqtt_standing(mqtt), 1);
    publish(mqtt, "a", "x", 0, false);
    publish(mqtt, "early-gone", "x", 0, false);
    publish(mqtt, "due-gone", "x", 0, false);
    expect_silence(mqtt);
    follow(mqtt, "a"); /* and again */
    expect_standing(mqtt, 2);
    publish(mqtt, "a", "y", 0, false);
    expect_message(mqtt, "a", "y");
    /* While its packet is under way: the answer finds nobody. */
    struct serin_mqtt_event event;
    for (unsigned i = 0; i < 200; i++) {
        follow(mqtt, node_topic(i));
    }
    (void)serin_mqtt_next(mqtt, &event);
    for (unsigned i = 0; i < 200; i += 2) {
        serin_mqtt_unfollow(mqtt, node_topic(i));
    }
    expect_standing(mqtt, 102);
    publish(mqtt, node_topic(100), "x", 0, false);
    publish(mqtt, node_topic(101), "x", 0, false);
    expect_message(mqtt, node_topic(101), "x");
    expect_silence(mqtt);
    serin_mqtt_close(mqtt);
}
END_TEST

/* Caught: follow_renew not called when the connection stands. */
START_TEST(ten_thousand_stand_again_after_a_reconnect)
{
    broker_start(&broker, false, "max_queued_messages 0");
    struct serin_mqtt_config config = plain_config("one");
    struct serin_mqtt *mqtt = open_client(&config, "fixed");
    for (unsigned i = 0; i < MANY; i++) {
        follow(mqtt, node_topic(i * 7919u % MANY)); /* in no order; each once */
    }
    expect_connected(mqtt);
    expect_standing(mqtt, MANY);
    broker_kill(&broker);
    expect(mqtt, SERIN_MQTT_DISCONNECTED);
    ck_assert_uint_eq(serin_mqtt_standing(mqtt), 0);
    serin_mqtt_unfollow(mqtt, node_topic(17));
    follow(mqtt, "new");
    broker_start(&broker, false, "max_queued_messages 0");
    expect_connected(mqtt);
    /* The fixed ones stand before any of these is asked for: the messages come at once. */
    publish(mqtt, "fixed", "here", 0, false);
    expect_message(mqtt, "fixed", "here");
    expect_standing(mqtt, MANY);
    publish(mqtt, node_topic(17), "x", 0, false);
    publish(mqtt, node_topic(MANY - 1), "x", 0, false);
    publish(mqtt, "new", "x", 0, false);
    expect_message(mqtt, node_topic(MANY - 1), "x");
    expect_message(mqtt, "new", "x");
    expect_silence(mqtt);
    serin_mqtt_close(mqtt);
}
END_TEST

/* Caught: next_size without the room of the queue (the connection is dropped: messages came faster
 * than they were taken). */
START_TEST(retained_messages_do_not_flood_the_owner)
{
    enum { NODES = 600 };

    broker_start(&broker, false, "max_queued_messages 0\nmax_inflight_messages 0");
    struct serin_mqtt_config config = plain_config("writer");
    struct serin_mqtt *writer = open_client(&config, NULL);
    expect_connected(writer);
    for (unsigned i = 0; i < NODES; i++) {
        publish(writer, node_topic(i), "kept", 1, true);
        expect(writer, SERIN_MQTT_DELIVERED);
    }
    config = plain_config("one");
    config.queue_max = 20; /* the connection is dropped over 80 */
    struct serin_mqtt *mqtt = open_client(&config, NULL);
    expect_connected(mqtt);
    for (unsigned i = 0; i < NODES; i++) {
        follow(mqtt, node_topic(i));
    }
    for (unsigned heard = 0; heard < NODES; heard++) {
        struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_MESSAGE);
        serin_mqtt_event_free(&event);
        if (heard % 50 == 0) {
            pause_ms(100); /* an owner that is behind */
        }
    }
    expect_standing(mqtt, NODES);
    ck_assert(serin_mqtt_connected(mqtt));
    serin_mqtt_close(mqtt);
    serin_mqtt_close(writer);
}
END_TEST

/* ---- a broker that refuses ---- */

static size_t read_packet(int fd, uint8_t *body, uint8_t type)
{
    uint8_t head = 0, byte = 0;
    size_t size = 0;
    unsigned shift = 0;

    if (recv(fd, &head, 1, MSG_WAITALL) != 1 || head >> 4 != type) {
        _exit(1);
    }
    do {
        if (recv(fd, &byte, 1, MSG_WAITALL) != 1) {
            _exit(1);
        }
        size |= (size_t)(byte & 0x7fu) << shift;
        shift += 7;
    } while ((byte & 0x80u) != 0);
    if (size > 8192 || recv(fd, body, size, MSG_WAITALL) != (ssize_t)size) {
        _exit(1);
    }
    return size;
}

/* Answers a SUBSCRIBE: what begins with "no" is refused. At most 64 filters a packet. */
static void answer_subscribe(int fd)
{
    static uint8_t body[8192];
    uint8_t answer[4 + 64] = {0x90, 0, 0, 0};
    size_t size = read_packet(fd, body, 8), count = 0;

    for (size_t at = 2; at < size; count++) {
        size_t length = (size_t)body[at] << 8 | body[at + 1];
        if (count == 64) {
            _exit(2);
        }
        answer[4 + count] = memcmp(body + at + 2, "no", 2) == 0 ? 0x80 : 1;
        at += 2 + length + 1;
    }
    answer[1] = (uint8_t)(2 + count);
    answer[2] = body[0];
    answer[3] = body[1];
    (void)!write(fd, answer, 4 + count);
}

/* Accepts one client and answers CONNECT and so many SUBSCRIBE packets, then waits for the end. */
static pid_t refusing_broker(uint16_t *port, int packets)
{
    static const uint8_t connack[] = {0x20, 2, 0, 0};
    int listener = black_hole(port);
    pid_t child = fork();

    if (child == 0) {
        uint8_t body[8192];
        int fd = accept(listener, NULL, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        read_packet(fd, body, 1);
        (void)!write(fd, connack, sizeof(connack));
        for (int i = 0; i < packets; i++) {
            answer_subscribe(fd);
        }
        while (recv(fd, body, sizeof(body), 0) > 0) {
        }
        _exit(0);
    }
    close(listener);
    return child;
}

static void expect_refused(struct serin_mqtt *mqtt, const char *filter)
{
    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_REFUSED);

    ck_assert_str_eq(event.topic, filter);
    serin_mqtt_event_free(&event);
}

static void expect_end(pid_t child)
{
    int status = -1;

    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

/* Caught: a refusal taken for the loss of the connection; a grant for a refusal; REFUSED counted
 * among the queue's messages. */
START_TEST(a_refused_filter_is_told_and_costs_nothing_else)
{
    uint16_t port = 0;
    char uri[64];
    pid_t child = refusing_broker(&port, 5);
    struct serin_mqtt_config config = plain_config("one");

    snprintf(uri, sizeof(uri), "tcp://127.0.0.1:%u", port);
    config.uri = uri;
    config.queue_max = 3; /* what was refused takes no room of messages */
    struct serin_mqtt *mqtt = open_client(&config, "fixed");
    expect_connected(mqtt);
    follow(mqtt, "no/alone");
    expect_refused(mqtt, "no/alone");
    follow(mqtt, "yes/1");
    follow(mqtt, "no/1");
    follow(mqtt, "yes/2");
    expect_refused(mqtt, "no/1");
    expect_standing(mqtt, 2);
    follow(mqtt, "no/2");
    follow(mqtt, "no/3"); /* all of a packet */
    expect_refused(mqtt, "no/2");
    expect_refused(mqtt, "no/3");
    follow(mqtt, "no/1"); /* asked for again */
    expect_refused(mqtt, "no/1");
    serin_mqtt_unfollow(mqtt, "no/1");
    ck_assert(serin_mqtt_connected(mqtt));
    ck_assert_uint_eq(serin_mqtt_standing(mqtt), 2);
    expect_silence(mqtt);
    serin_mqtt_close(mqtt);
    expect_end(child);
}
END_TEST

/* Caught: FOLLOW_PACKET_MAX of 65 (the broker here ends with status 2). */
START_TEST(packets_are_bounded)
{
    uint16_t port = 0;
    char uri[64];
    pid_t child = refusing_broker(&port, 4);
    struct serin_mqtt_config config = plain_config("one");

    snprintf(uri, sizeof(uri), "tcp://127.0.0.1:%u", port);
    config.uri = uri;
    config.queue_max = 1000;
    struct serin_mqtt *mqtt = open_client(&config, NULL);
    for (unsigned i = 0; i < 200; i++) {
        follow(mqtt, node_topic(i)); /* 64, 64, 64, 8 */
    }
    expect_connected(mqtt);
    expect_standing(mqtt, 200);
    serin_mqtt_close(mqtt);
    expect_end(child);
}
END_TEST

/* Caught: each rule of filter_ok, by its line here; the bound of the list. */
START_TEST(what_no_broker_takes_is_not_followed)
{
    static const char *const bad[] = {"",   "a b", "a/#/b", "a#",   "#a",    "a/b#",
                                      "a+", "+a",  "a/b+",  "a\tb", "\x7f",  "\xc3",
                                      "##", "++",  "#/a",   "a/+b", "a/b+/c"};
    static const char *const good[] = {"#", "+", "/", "a//b", "+/+/#", "a/+/b", "$SYS/#", "~!"};
    struct serin_mqtt_config config = plain_config("one");
    struct serin_mqtt *mqtt = NULL;
    char text[SERIN_MQTT_FILTER_MAX + 2];

    ck_assert_int_eq(serin_mqtt_open(&mqtt, &config), SERIN_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(serin_mqtt_follow(mqtt, bad[i], 1) == SERIN_ERR_INVALID, "%s", bad[i]);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(serin_mqtt_follow(mqtt, good[i], 1) == SERIN_OK, "%s", good[i]);
    }
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ck_assert_int_eq(serin_mqtt_follow(mqtt, text, 1), SERIN_ERR_INVALID);
    text[SERIN_MQTT_FILTER_MAX] = '\0';
    ck_assert_int_eq(serin_mqtt_follow(mqtt, text, 1), SERIN_OK);
    ck_assert_int_eq(serin_mqtt_follow(mqtt, "a", 2), SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_mqtt_follow(mqtt, "a", -1), SERIN_ERR_INVALID);
    size_t taken = sizeof(good) / sizeof(good[0]) + 1;
    for (unsigned i = 0; taken < SERIN_MQTT_FOLLOWED_MAX; i++, taken++) {
        follow(mqtt, node_topic(i));
    }
    ck_assert_int_eq(serin_mqtt_follow(mqtt, "one/more", 1), SERIN_ERR_TOO_LARGE);
    follow(mqtt, node_topic(0)); /* is no one more */
    serin_mqtt_unfollow(mqtt, node_topic(5));
    follow(mqtt, "one/more");
    serin_mqtt_close(mqtt);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mqtt_follow");
    TCase *plain = tcase_create("plain");

    tcase_add_checked_fixture(plain, setup, teardown);
    tcase_set_timeout(plain, 60);
    tcase_add_test(plain, follows_while_connected);
    tcase_add_test(plain, following_twice_changes_nothing);
    tcase_add_test(plain, unfollowing_ends_it);
    tcase_add_test(plain, ten_thousand_stand_again_after_a_reconnect);
    tcase_add_test(plain, retained_messages_do_not_flood_the_owner);
    tcase_add_test(plain, a_refused_filter_is_told_and_costs_nothing_else);
    tcase_add_test(plain, packets_are_bounded);
    tcase_add_test(plain, what_no_broker_takes_is_not_followed);
    suite_add_tcase(suite, plain);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
