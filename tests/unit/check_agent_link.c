/*
 * A whole device of the parts that boards take, on a real broker: the agent on the flash emulator,
 * the codec on nanopb, the small MQTT client over TCP, and the link between them. The server of
 * device_bench answers, through a client of its own and the other codec. An update travels all the
 * way; the broker goes in between. What the link does alone is in check_agent_link_odd.
 */
#include "broker.h"
#include "device_bench.h"
#include "tcp_stream.h"

#include <serin/crc32.h>
#include <serin/ports/agent_link.h>
#include <serin/ports/nanopb.h>

#include <check.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INBOX  5000u
#define OUTBOX 2500u

/* A client with its buffers. */
struct peer {
    struct tcp_stream stream;
    struct serin_mqtt_client client;
    uint8_t inbox[INBOX], outbox[4 * OUTBOX];
};

static struct broker broker;
static struct bench bench;
static struct peer device, server;
static struct serin_agent_link link_of_device;
static const struct serin_link_ops *server_ops; /* what the bench's server does with a publish */
static uint64_t booted_ms;
static unsigned told_connected, told_lost;

/* Since the first question, as the bench tells the time from there on. */
static uint64_t now_ms(void)
{
    static uint64_t first_ms;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
    first_ms = first_ms == 0 ? ms : first_ms;
    return ms - first_ms;
}

static void prepare(struct peer *peer, const char *id)
{
    tcp_stream_init(&peer->stream, broker.port);
    const struct serin_mqtt_client_config config = {.stream = &tcp_stream_ops,
                                                    .stream_ctx = &peer->stream,
                                                    .client_id = id,
                                                    .keep_alive_s = 30,
                                                    .connect_ms = 10000,
                                                    .answer_ms = 10000,
                                                    .inbox = peer->inbox,
                                                    .inbox_size = sizeof peer->inbox,
                                                    .outbox = peer->outbox,
                                                    .outbox_size = sizeof peer->outbox};
    ck_assert_int_eq(serin_mqtt_client_init(&peer->client, &config), SERIN_OK);
}

/* ---- the server: the bench's, behind the broker ---- */

static void server_says(enum serin_topic_kind kind, bool retain, const uint8_t *payload,
                        size_t size)
{
    struct serin_topic topic = {.kind = kind};
    char text[SERIN_TOPIC_MAX];
    if (kind == SERIN_TOPIC_TRUST) {
        strcpy(topic.product, "pump");
    } else if (kind == SERIN_TOPIC_DIRECTIVE) {
        strcpy(topic.product, "pump");
        strcpy(topic.channel, "stable");
    } else {
        strcpy(topic.id, "pump-01");
    }
    serin_topic_format(&topic, text);
    ck_assert_int_eq(serin_mqtt_client_publish(&server.client, text,
                                               kind == SERIN_TOPIC_DEV_BLOCK ? 0 : 1, retain,
                                               payload, size, NULL),
                     SERIN_OK);
}

static void server_step(void)
{
    struct serin_mqtt_client_event event;
    struct serin_topic topic;
    bench.now_ms = now_ms();
    enum serin_mqtt_event_kind kind = serin_mqtt_client_step(&server.client, now_ms(), &event);
    if (kind == SERIN_MQTT_MESSAGE && serin_topic_parse(event.topic, &topic) == SERIN_OK) {
        ck_assert_str_eq(topic.id, "pump-01");
        ck_assert_uint_eq(event.qos, topic.kind == SERIN_TOPIC_DEV_REPORT ? 1 : 0);
        ck_assert_int_eq(server_ops->publish(&bench, topic.kind, event.payload, event.size),
                         SERIN_OK);
    }
    ck_assert_int_ne(kind, SERIN_MQTT_LOST);
    for (; bench.queue_count > 0; bench.queue_count--) {
        struct bench_message *message = &bench.queue[bench.queue_first];
        server_says(message->topic, message->retained, message->payload, message->size);
        free(message->payload);
        bench.queue_first = (bench.queue_first + 1) % BENCH_QUEUE;
    }
}

static void server_await(enum serin_mqtt_event_kind wanted)
{
    struct serin_mqtt_client_event event = {.kind = SERIN_MQTT_NOTHING};
    uint64_t end = now_ms() + 10000;
    while (event.kind != wanted && now_ms() < end) {
        serin_mqtt_client_step(&server.client, now_ms(), &event);
    }
    ck_assert_int_eq(event.kind, wanted);
}

static void server_begin(void)
{
    static const char *const filters[] = {"serin/1/dev/+/report", "serin/1/dev/+/beat",
                                          "serin/1/dev/+/get"};
    prepare(&server, "server");
    ck_assert_int_eq(serin_mqtt_client_connect(&server.client, now_ms()), SERIN_OK);
    server_await(SERIN_MQTT_CONNECTED);
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        ck_assert_int_eq(serin_mqtt_client_subscribe(&server.client, filters[i], 1, NULL),
                         SERIN_OK);
        server_await(SERIN_MQTT_SUBSCRIBED);
    }
}

/* What the bench keeps retained, the broker does. */
static void server_retains(void)
{
    static const enum serin_topic_kind kinds[] = {SERIN_TOPIC_TRUST, SERIN_TOPIC_DEV_DIRECTIVE,
                                                  SERIN_TOPIC_DIRECTIVE};
    for (size_t i = 0; i < 3; i++) {
        if (bench.retained_size[i] > 0) {
            server_says(kinds[i], true, bench.retained[i], bench.retained_size[i]);
        }
    }
}

/* ---- the device ---- */

static void device_boot(enum serin_reset_cause cause)
{
    prepare(&device, "pump-01");
    const struct serin_agent_link_config config = {.client = &device.client,
                                                   .agent = &bench.agent,
                                                   .crypto = bench_crypto(),
                                                   .device_id = "pump-01",
                                                   .retry_min_ms = 50,
                                                   .retry_max_ms = 400};
    booted_ms = now_ms();
    ck_assert_int_eq(serin_agent_link_init(&link_of_device, &config, 0), SERIN_OK);
    ck_assert_int_eq(serin_boot_select(&bench.boot, cause, &bench.choice), SERIN_OK);
    const struct serin_agent_boot_info info = {
        .slot = bench.choice.slot, .trial = bench.choice.trial, .cause = cause};
    bench.reset_asked = false;
    ck_assert_int_eq(serin_agent_init(&bench.agent, &bench.config, &info, 0), SERIN_OK);
}

/* One turn of a firmware's main loop. */
static void device_step(void)
{
    struct serin_mqtt_client_event event;
    uint64_t up_ms = now_ms() - booted_ms;
    enum serin_mqtt_event_kind kind = serin_agent_link_step(&link_of_device, up_ms, &event);
    told_connected += kind == SERIN_MQTT_CONNECTED ? 1u : 0u;
    told_lost += kind == SERIN_MQTT_LOST ? 1u : 0u;
    if (bench.reset_asked) {
        serin_mqtt_client_close(&device.client);
        device_boot(SERIN_RESET_REQUESTED);
    }
}

static void turn(void)
{
    struct pollfd fds[] = {{.fd = device.stream.fd, .events = POLLIN},
                           {.fd = server.stream.fd, .events = POLLIN}};
    device_step();
    server_step();
    poll(fds, 2, 1);
}

static void begin(struct bench_release **v1, struct bench_release **v2)
{
    memset(&broker, 0, sizeof broker);
    broker_folder(&broker);
    broker_start(&broker, false, NULL);
    bench_begin(&bench, v1, v2);
    bench.now_ms = now_ms();
    server_ops = bench.config.link;
    bench.config.link = &serin_agent_link_ops;
    bench.config.link_ctx = &link_of_device;
    bench.config.codec = serin_nanopb_agent();
    bench.online = false; /* what is published stays with the bench until server_retains */
    server_begin();
    told_connected = told_lost = 0;
}

static void end(struct bench_release *v1, struct bench_release *v2)
{
    serin_mqtt_client_close(&device.client);
    serin_mqtt_client_close(&server.client);
    bench_end(&bench, v1, v2, NULL);
    broker_end(&broker);
}

/* Turns until the attempt is in this state; the application confirms where it may. */
static void run_to(enum serin_state state)
{
    const struct serin_agent_event confirm = {.kind = SERIN_AGENT_CONFIRM};
    uint64_t limit = now_ms() + 40000;
    while (bench_state(&bench) != state && now_ms() < limit) {
        turn();
        (void)serin_agent_step(&bench.agent, now_ms() - booted_ms, &confirm);
    }
    ck_assert_msg(bench_state(&bench) == state, "state %d after 40 s", (int)bench_state(&bench));
}

START_TEST(an_update_travels_over_a_real_broker)
{
    struct bench_release *v1, *v2;
    begin(&v1, &v2);
    device_boot(SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    bench.online = true;
    server_retains();
    run_to(SERIN_STATE_CONFIRMED);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_uint_ge(bench.beats, 1);
    ck_assert_uint_ge(bench.reports, 4);
    ck_assert_uint_eq(told_connected, 2); /* once in each boot */
    ck_assert_uint_eq(told_lost, 0);
    struct serin_mqtt_client_counts counts;
    serin_mqtt_client_counted(&device.client, &counts);
    ck_assert_uint_eq(counts.skipped + counts.unasked, 0);
    uint64_t limit = now_ms() + 10000;
    while (bench.report.attempts[bench.report.attempt_count - 1]
                   .transitions
                       [bench.report.attempts[bench.report.attempt_count - 1].transition_count - 1]
                   .state != SERIN_STATE_CONFIRMED &&
           now_ms() < limit) {
        turn();
    }
    ck_assert_uint_lt(now_ms(), limit); /* the server knows it, too */
    end(v1, v2);
}
END_TEST

START_TEST(a_broker_that_goes_in_between_costs_time_alone)
{
    struct bench_release *v1, *v2;
    begin(&v1, &v2);
    device_boot(SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    bench.online = true;
    server_retains();
    while (bench.image_blocks < 3) {
        turn();
    }
    broker_kill(&broker);
    serin_mqtt_client_close(&server.client);
    uint64_t until = now_ms() + 1000;
    while (now_ms() < until) {
        device_step();
    }
    ck_assert_uint_ge(told_lost, 1); /* and each try that followed */
    broker_start(&broker, false, NULL);
    server_begin();
    server_retains();
    run_to(SERIN_STATE_CONFIRMED);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_uint_eq(told_connected, 3);
    end(v1, v2);
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent_link");
    TCase *tests = tcase_create("agent_link");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, an_update_travels_over_a_real_broker);
    tcase_add_test(tests, a_broker_that_goes_in_between_costs_time_alone);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
