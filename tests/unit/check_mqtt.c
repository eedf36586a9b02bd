/*
 * The MQTT adapter against a real Mosquitto: connecting with and without TLS, subscriptions,
 * delivery, bounds, lost brokers, restarts, and closing in every state.
 */
#include "broker.h"

#include <serin/adapters/mqtt.h>

#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct broker broker;

static void setup(void)
{
    memset(&broker, 0, sizeof(broker));
    broker_folder(&broker);
}

static void teardown(void)
{
    broker_end(&broker);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void pause_ms(long ms)
{
    const struct timespec moment = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&moment, NULL);
}

static struct serin_mqtt_config plain_config(const char *id)
{
    static char uri[64];

    snprintf(uri, sizeof(uri), "tcp://127.0.0.1:%u", broker.port);
    return (struct serin_mqtt_config){.uri = uri,
                                      .client_id = id,
                                      .keep_alive_s = 20,
                                      .reconnect_min_ms = 100,
                                      .reconnect_max_ms = 400,
                                      .clean_session = true,
                                      .queue_max = 100};
}

static struct serin_mqtt *open_client(const struct serin_mqtt_config *config, const char *filter)
{
    struct serin_mqtt *mqtt = NULL;

    ck_assert_int_eq(serin_mqtt_open(&mqtt, config), SERIN_OK);
    if (filter != NULL) {
        ck_assert_int_eq(serin_mqtt_subscribe(mqtt, filter, 1), SERIN_OK);
    }
    ck_assert_int_eq(serin_mqtt_start(mqtt), SERIN_OK);
    return mqtt;
}

/* Waits for the next event by the descriptor alone, so that a missed wake-up fails the test. */
static bool wait_event(struct serin_mqtt *mqtt, struct serin_mqtt_event *event, int timeout_ms)
{
    uint64_t end = now_ms() + (uint64_t)timeout_ms;

    for (;;) {
        struct pollfd fd = {.fd = serin_mqtt_fd(mqtt), .events = POLLIN};
        uint64_t now = now_ms();
        if (now >= end || poll(&fd, 1, (int)(end - now)) == 0) {
            return false;
        }
        if (serin_mqtt_next(mqtt, event)) {
            return true;
        }
    }
}

static struct serin_mqtt_event expect(struct serin_mqtt *mqtt, enum serin_mqtt_event_kind kind)
{
    struct serin_mqtt_event event;

    ck_assert_msg(wait_event(mqtt, &event, 15000), "no event within 15 s");
    ck_assert_msg(event.kind == kind, "event %d, expected %d (%s)", (int)event.kind, (int)kind,
                  event.why);
    return event;
}

/* Skips failed attempts until the connection stands. */
static void expect_connected(struct serin_mqtt *mqtt)
{
    struct serin_mqtt_event event;

    for (int i = 0; i < 100; i++) {
        ck_assert_msg(wait_event(mqtt, &event, 15000), "not connected within 15 s");
        if (event.kind == SERIN_MQTT_CONNECTED) {
            ck_assert(serin_mqtt_connected(mqtt));
            return;
        }
        ck_assert_int_eq(event.kind, SERIN_MQTT_DISCONNECTED);
    }
    ck_abort_msg("not connected after 100 attempts");
}

static int publish(struct serin_mqtt *mqtt, const char *topic, const char *text, int qos,
                   bool retained)
{
    int token = -1;

    ck_assert_int_eq(serin_mqtt_publish(mqtt, topic, text, strlen(text), qos, retained, &token),
                     SERIN_OK);
    return token;
}

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

/* A listener that takes connections and never answers. */
static int black_hole(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

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

START_TEST(reconnects_after_the_broker_died)
{
    broker_start(&broker, false, NULL);
    struct serin_mqtt_config config = plain_config("one");
    struct serin_mqtt *mqtt = open_client(&config, "a/#");
    expect_connected(mqtt);
    for (int round = 0; round < 2; round++) {
        broker_kill(&broker);
        struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_DISCONNECTED);
        ck_assert_str_ne(event.why, "");
        ck_assert(!serin_mqtt_connected(mqtt));
        ck_assert_int_eq(serin_mqtt_publish(mqtt, "a/b", "x", 1, 1, false, NULL), SERIN_ERR_AGAIN);
        /* Attempts on a dead broker fail, say so, and do not end. */
        event = expect(mqtt, SERIN_MQTT_DISCONNECTED);
        broker_start(&broker, false, NULL);
        expect_connected(mqtt);
        /* The subscription stands again. */
        publish(mqtt, "a/b", "again", 0, false);
        event = expect(mqtt, SERIN_MQTT_MESSAGE);
        serin_mqtt_event_free(&event);
    }
    serin_mqtt_close(mqtt);
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

START_TEST(restart_makes_a_new_connection)
{
    broker_start(&broker, false, NULL);
    struct serin_mqtt_config config = plain_config("one");
    struct serin_mqtt *mqtt = open_client(&config, "a/#");
    serin_mqtt_restart(mqtt); /* before the first connection stands */
    expect_connected(mqtt);
    publish(mqtt, "a/kept", "kept", 1, true);
    pause_ms(1500);
    /* The echo and the acknowledgement of the old connection are gone; the retained message comes
     * anew. */
    serin_mqtt_restart(mqtt);
    expect_connected(mqtt);
    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_MESSAGE);
    ck_assert(event.retained);
    serin_mqtt_event_free(&event);
    ck_assert(!wait_event(mqtt, &event, 300));
    serin_mqtt_close(mqtt);
}
END_TEST

START_TEST(tells_why_the_broker_refuses)
{
    broker_start(&broker, false, "allow_anonymous false");
    struct serin_mqtt_config config = plain_config("one");
    struct serin_mqtt *mqtt = open_client(&config, NULL);
    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_DISCONNECTED);
    ck_assert_str_eq(event.why, "the broker does not authorise this client");
    serin_mqtt_close(mqtt);
}
END_TEST

/* A process with a will that is killed: the broker publishes it. One that closes: it does not. */
START_TEST(will_speaks_for_the_dead_only)
{
    broker_start(&broker, false, NULL);
    struct serin_mqtt_config config = plain_config("mortal");
    config.will_topic = "will/mortal";
    config.will_payload = (const uint8_t *)"gone";
    config.will_size = 4;
    int ready[2];
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct serin_mqtt *mqtt = open_client(&config, NULL);
        expect_connected(mqtt);
        (void)!write(ready[1], "!", 1);
        pause();
    }
    char byte;
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    struct serin_mqtt_config reader_config = plain_config("reader");
    struct serin_mqtt *reader = open_client(&reader_config, "will/#");
    expect_connected(reader);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    struct serin_mqtt_event event = expect(reader, SERIN_MQTT_MESSAGE);
    ck_assert_mem_eq(event.payload, "gone", 4);
    serin_mqtt_event_free(&event);
    /* It is retained: who comes later hears it too. */
    reader_config = plain_config("late");
    struct serin_mqtt *late = open_client(&reader_config, "will/#");
    expect_connected(late);
    event = expect(late, SERIN_MQTT_MESSAGE);
    ck_assert(event.retained);
    serin_mqtt_event_free(&event);
    serin_mqtt_close(late);

    struct serin_mqtt *tidy = open_client(&config, NULL);
    expect_connected(tidy);
    serin_mqtt_close(tidy);
    ck_assert(!wait_event(reader, &event, 500));
    serin_mqtt_close(reader);
    close(ready[0]);
    close(ready[1]);
}
END_TEST

START_TEST(closes_in_every_state)
{
    struct serin_mqtt *mqtt = NULL;
    struct serin_mqtt_event event;

    broker_start(&broker, false, NULL);
    struct serin_mqtt_config config = plain_config("one");
    serin_mqtt_close(NULL);
    ck_assert_int_eq(serin_mqtt_open(&mqtt, &config), SERIN_OK);
    serin_mqtt_restart(mqtt); /* means nothing yet */
    ck_assert(!serin_mqtt_next(mqtt, &event));
    serin_mqtt_close(mqtt);                        /* idle */
    serin_mqtt_close(open_client(&config, "a/#")); /* waiting */
    for (int delay_ms = 0; delay_ms <= 1500; delay_ms += 150) {
        mqtt = open_client(&config, "a/#"); /* connecting, subscribing, up */
        while (serin_mqtt_next(mqtt, &event)) {
        }
        pause_ms(delay_ms);
        serin_mqtt_close(mqtt);
    }
    mqtt = open_client(&config, "a/#");
    expect_connected(mqtt);
    ck_assert_int_eq(serin_mqtt_start(mqtt), SERIN_ERR_STATE);
    ck_assert_int_eq(serin_mqtt_subscribe(mqtt, "b", 1), SERIN_ERR_STATE);
    for (int i = 0; i < 50; i++) {
        publish(mqtt, "a/b", "in flight", 1, false);
    }
    serin_mqtt_close(mqtt); /* up, with publishes in flight and events in the queue */

    uint16_t port = 0;
    char uri[64];
    int hole = black_hole(&port);
    snprintf(uri, sizeof(uri), "tcp://127.0.0.1:%u", port);
    config.uri = uri;
    mqtt = open_client(&config, NULL);
    ck_assert(!wait_event(mqtt, &event, 1500));
    serin_mqtt_close(mqtt); /* connected, but never accepted */
    close(hole);
}
END_TEST

/* How many threads this process has. */
static unsigned threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    unsigned count = 0;

    ck_assert_ptr_nonnull(tasks);
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        count += entry->d_name[0] != '.' ? 1 : 0;
    }
    closedir(tasks);
    return count;
}

START_TEST(the_last_client_leaves_no_thread)
{
    broker_start(&broker, false, NULL);
    /* A client that lived and died first: a sanitizer adds a thread of its own to the first that a
     * program starts, and keeps it. */
    struct serin_mqtt_config config = plain_config("first");
    struct serin_mqtt *first = open_client(&config, NULL);
    expect_connected(first);
    serin_mqtt_close(first);
    unsigned before = threads();
    config = plain_config("one");
    struct serin_mqtt *one = open_client(&config, NULL);
    config = plain_config("two");
    struct serin_mqtt *two = open_client(&config, NULL);
    expect_connected(one);
    expect_connected(two);
    ck_assert_uint_gt(threads(), before);
    serin_mqtt_close(one);
    ck_assert_uint_gt(threads(), before);
    publish(two, "a", "still here", 1, false);
    expect(two, SERIN_MQTT_DELIVERED);
    serin_mqtt_close(two);
    ck_assert_uint_eq(threads(), before);
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

/* ---- TLS ---- */

/* A certificate for `name` with its key, signed by `ca` (or by itself, where NULL), in the folder.
 */
static void make_certificate(const char *name, const char *ca, const char *extension)
{
    char command[1024];
    char signer[128] = "";

    if (ca != NULL) {
        snprintf(signer, sizeof(signer), "-CA %s.pem -CAkey %s.key", ca, ca);
    }
    snprintf(command, sizeof(command),
             "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
             "-days 2 -subj '/CN=%s' %s -addext '%s' -keyout %s.key -out %s.pem 2>/dev/null",
             broker.folder, name, signer, extension, name, name);
    ck_assert_msg(system(command) == 0, "failed: %s", command);
}

struct tls_files {
    char uri[64], ca[128], certificate[128], key[128];
};

static struct serin_mqtt_config tls_config(struct tls_files *files, const char *ca,
                                           const char *name)
{
    struct serin_mqtt_config config = plain_config(name);

    snprintf(files->uri, sizeof(files->uri), "ssl://127.0.0.1:%u", broker.tls_port);
    snprintf(files->ca, sizeof(files->ca), "%s/%s.pem", broker.folder, ca);
    snprintf(files->certificate, sizeof(files->certificate), "%s/%s.pem", broker.folder, name);
    snprintf(files->key, sizeof(files->key), "%s/%s.key", broker.folder, name);
    config.uri = files->uri;
    config.ca_file = files->ca;
    config.cert_file = files->certificate;
    config.key_file = files->key;
    return config;
}

START_TEST(connects_with_a_client_certificate)
{
    struct tls_files files;

    make_certificate("ca", NULL, "keyUsage=keyCertSign");
    make_certificate("broker", "ca", "subjectAltName=DNS:localhost,IP:127.0.0.1");
    make_certificate("one", "ca", "extendedKeyUsage=clientAuth");
    make_certificate("stranger", NULL, "extendedKeyUsage=clientAuth");
    broker_start(&broker, true, NULL);

    struct serin_mqtt_config config = tls_config(&files, "ca", "one");
    struct serin_mqtt *mqtt = open_client(&config, "a/#");
    expect_connected(mqtt);
    publish(mqtt, "a/b", "secret", 0, false);
    struct serin_mqtt_event event = expect(mqtt, SERIN_MQTT_MESSAGE);
    ck_assert_mem_eq(event.payload, "secret", 6);
    serin_mqtt_event_free(&event);
    broker_kill(&broker);
    expect(mqtt, SERIN_MQTT_DISCONNECTED);
    broker_start(&broker, true, NULL);
    expect_connected(mqtt);
    serin_mqtt_close(mqtt);

    /* A client that the broker's CA did not sign. */
    config = tls_config(&files, "ca", "stranger");
    mqtt = open_client(&config, NULL);
    expect(mqtt, SERIN_MQTT_DISCONNECTED);
    serin_mqtt_close(mqtt);

    /* A broker that the client's CA did not sign. */
    config = tls_config(&files, "stranger", "one");
    mqtt = open_client(&config, NULL);
    event = expect(mqtt, SERIN_MQTT_DISCONNECTED);
    ck_assert_msg(strstr(event.why, "certificate") != NULL, "no reason in: %s", event.why);
    serin_mqtt_close(mqtt);
}
END_TEST

START_TEST(refuses_a_broker_with_another_name)
{
    struct tls_files files;

    make_certificate("ca", NULL, "keyUsage=keyCertSign");
    make_certificate("broker", "ca", "subjectAltName=DNS:elsewhere.example");
    make_certificate("one", "ca", "extendedKeyUsage=clientAuth");
    broker_start(&broker, true, NULL);
    struct serin_mqtt_config config = tls_config(&files, "ca", "one");
    struct serin_mqtt *mqtt = open_client(&config, NULL);
    expect(mqtt, SERIN_MQTT_DISCONNECTED);
    serin_mqtt_close(mqtt);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mqtt");
    TCase *plain = tcase_create("plain");
    TCase *tls = tcase_create("tls");

    tcase_add_checked_fixture(plain, setup, teardown);
    tcase_add_checked_fixture(tls, setup, teardown);
    tcase_set_timeout(plain, 60);
    tcase_set_timeout(tls, 60);
    tcase_add_test(plain, delivers_and_receives);
    tcase_add_test(plain, tells_connected_before_retained_messages);
    tcase_add_test(plain, holds_messages_until_subscribed);
    tcase_add_test(plain, a_refused_subscription_ends_the_connection);
    tcase_add_test(plain, a_connection_lost_while_subscribing_was_none);
    tcase_add_test(plain, reconnects_after_the_broker_died);
    tcase_add_test(plain, bounds_the_queue);
    tcase_add_test(plain, bounds_what_is_in_flight);
    tcase_add_test(plain, restart_makes_a_new_connection);
    tcase_add_test(plain, tells_why_the_broker_refuses);
    tcase_add_test(plain, will_speaks_for_the_dead_only);
    tcase_add_test(plain, closes_in_every_state);
    tcase_add_test(plain, the_last_client_leaves_no_thread);
    tcase_add_test(plain, refuses_a_wrong_configuration);
    tcase_add_test(plain, spreads_the_backoff);
    tcase_add_test(tls, connects_with_a_client_certificate);
    tcase_add_test(tls, refuses_a_broker_with_another_name);
    suite_add_tcase(suite, plain);
    suite_add_tcase(suite, tls);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
