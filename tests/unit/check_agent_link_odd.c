/*
 * The link between a board's agent and its MQTT client, on a stream that is played: what it
 * subscribes to, what of all messages reaches the agent, when it tries again.
 */
#include "device_bench.h"
#include "mqtt_play.h"

#include <serin/ports/agent_link.h>
#include <serin/ports/nanopb.h>

#include <stdio.h>

static struct bench device;
static struct bench_release *v1, *v2;
static struct serin_agent_link link_of_device;
static struct serin_agent_link_config link_config;
static struct serin_mqtt_client_event event;

/* Random numbers for the link alone. */
static uint8_t dice;
static enum serin_error dice_error;
static enum serin_error roll(void *ctx, void *out, size_t size)
{
    (void)ctx;
    memset(out, dice, size);
    return dice_error;
}
static const struct serin_crypto_ops dice_ops = {.random = roll};
static const struct serin_crypto dice_crypto = {.ops = &dice_ops};

static void begin(size_t outbox)
{
    play_start_sized(2048, outbox);
    bench_begin(&device, &v1, &v2);
    device.online = false;
    device.config.link = &serin_agent_link_ops;
    device.config.link_ctx = &link_of_device;
    device.config.codec = serin_nanopb_agent();
    bench_boot(&device, SERIN_RESET_POWER);
    dice = 0x80;
    dice_error = SERIN_OK;
    link_config = (struct serin_agent_link_config){.client = &play.client,
                                                   .agent = &device.agent,
                                                   .crypto = &dice_crypto,
                                                   .device_id = "pump-01",
                                                   .retry_min_ms = 1000,
                                                   .retry_max_ms = 60000};
    ck_assert_int_eq(serin_agent_link_init(&link_of_device, &link_config, 0), SERIN_OK);
}

static void end(void)
{
    bench_end(&device, v1, v2, NULL);
}

static enum serin_mqtt_event_kind step(void)
{
    device.now_ms = play.now_ms;
    return serin_agent_link_step(&link_of_device, play.now_ms, &event);
}

/* Steps, 10 ms each, until the client tells this; gives the time. */
static uint64_t step_to(enum serin_mqtt_event_kind kind, uint64_t limit_ms)
{
    uint64_t end_ms = play.now_ms + limit_ms;
    while (step() != kind) {
        ck_assert_uint_lt(play.now_ms, end_ms);
        play.now_ms += 10;
    }
    return play.now_ms;
}

static void accept_connection(void)
{
    play.stream.in_size = play.stream.in_at = play.stream.out_size = 0;
    play.stream.receive_fails = false;
    play_say("20 02 00 00");
    step_to(SERIN_MQTT_CONNECTED, 200000);
}

static bool went_out(const char *text)
{
    return memmem(play.stream.out, play.stream.out_size, text, strlen(text)) != NULL;
}

static void all_asked_for(void)
{
    char filter[SERIN_TOPIC_MAX];
    int qos = 0;
    size_t count = 0;
    for (; serin_agent_subscription(&device.agent, count, filter, &qos); count++) {
        ck_assert_msg(went_out(filter), "%s", filter);
    }
    ck_assert_uint_eq(count, 6);
}

static void steps(int count)
{
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(step(), SERIN_MQTT_NOTHING);
        play.now_ms += 10;
    }
}

START_TEST(the_agent_hears_of_the_connection_once_all_is_asked_for)
{
    begin(2800);
    ck_assert_uint_le(link_of_device.due_ms, 1000);
    accept_connection();
    steps(5);
    ck_assert(device.agent.connected);
    all_asked_for();
    play_say("90 03 0001 01 90 03 0002 01 90 03 0003 00 90 03 0004 01 90 03 0005 01 90 03 0006 01");
    for (int i = 0; i < 6; i++) {
        step_to(SERIN_MQTT_SUBSCRIBED, 1000);
    }
    for (int i = 0; i < 200 && !went_out("serin/1/dev/pump-01/beat"); i++) {
        steps(100);
        play_say("d0 00"); /* a ping may wait for it */
    }
    ck_assert(went_out("serin/1/dev/pump-01/beat"));
    play.stream.receive_fails = true;
    step_to(SERIN_MQTT_LOST, 1000);
    ck_assert(!device.agent.connected);
    end();
}
END_TEST

START_TEST(a_small_outbox_takes_the_subscriptions_in_turns)
{
    begin(2800);
    play.client.config.outbox_size = 100; /* init would refuse it */
    accept_connection();
    play.stream.send_room = 30;
    steps(50);
    ck_assert(!device.agent.connected);
    ck_assert_uint_lt(link_of_device.asked, 6);
    play.stream.send_room = SIZE_MAX;
    steps(50);
    ck_assert(device.agent.connected);
    all_asked_for();
    end();
}
END_TEST

START_TEST(what_finds_no_way_out_is_to_be_said_again)
{
    static uint8_t report[SERIN_REPORT_MAX];
    begin(SERIN_AGENT_LINK_OUTBOX_MIN);
    ck_assert_int_eq(serin_agent_link_ops.publish(&link_of_device, SERIN_TOPIC_DEV_REPORT, report,
                                                  sizeof report),
                     SERIN_ERR_AGAIN); /* there is no connection */
    accept_connection();
    steps(5);
    play.stream.send_room = 0;
    ck_assert_int_eq(serin_agent_link_ops.publish(&link_of_device, SERIN_TOPIC_DEV_REPORT, report,
                                                  sizeof report),
                     SERIN_OK); /* the largest has room */
    ck_assert_int_eq(serin_agent_link_ops.publish(&link_of_device, SERIN_TOPIC_DEV_REPORT, report,
                                                  sizeof report),
                     SERIN_ERR_AGAIN);
    end();
}
END_TEST

START_TEST(a_refused_subscription_ends_the_connection)
{
    begin(2800);
    accept_connection();
    play_say("90 03 0001 01  90 03 0002 80");
    step_to(SERIN_MQTT_SUBSCRIBED, 1000);
    step_to(SERIN_MQTT_SUBSCRIBED, 1000);
    ck_assert_int_eq(event.error, SERIN_ERR_DENIED);
    ck_assert_uint_eq(link_of_device.refused, 1);
    ck_assert(!play.stream.open);
    ck_assert(!device.agent.connected);
    accept_connection(); /* and it tries again */
    ck_assert_uint_eq(play.stream.opened, 2);
    end();
}
END_TEST

START_TEST(waits_grow_and_are_spread)
{
    static const struct {
        uint8_t dice;
        uint64_t first_ms, waits_ms[9];
    } throws[] = {
        {0, 0, {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000}},
        {0x80, 500, {1500, 2500, 4500, 8500, 16500, 30500, 30500, 30500, 30500}},
        {0xff, 990, {1990, 3980, 7970, 15940, 31880, 59760, 59760, 59760, 59760}},
    };
    for (size_t i = 0; i < sizeof throws / sizeof throws[0]; i++) {
        begin(2800);
        dice = throws[i].dice;
        ck_assert_int_eq(serin_agent_link_init(&link_of_device, &link_config, 0), SERIN_OK);
        uint64_t last_ms = 0;
        for (size_t n = 0; n < 10; n++) {
            /* Now a stream that does not open, now a connection that is lost at once. */
            play.stream.open_error = n % 2 == 0 ? SERIN_ERR_NETWORK : SERIN_OK;
            play.stream.receive_fails = true;
            uint64_t due_ms = link_of_device.due_ms;
            uint64_t expected_ms = n == 0 ? throws[i].first_ms : throws[i].waits_ms[n - 1];
            uint64_t wait_ms = due_ms - last_ms;
            ck_assert_msg(wait_ms >= expected_ms && wait_ms <= expected_ms + 300,
                          "%zu: %llu instead of %llu", n, (unsigned long long)wait_ms,
                          (unsigned long long)expected_ms);
            ck_assert_uint_eq(serin_agent_link_deadline_ms(&link_of_device) <= due_ms, 1);
            if (due_ms > 0) {
                play.now_ms = due_ms - 1;
                step();
                ck_assert_uint_eq(link_of_device.due_ms, due_ms); /* not before */
            }
            play.now_ms = due_ms;
            step();
            ck_assert_uint_gt(link_of_device.due_ms, due_ms);
            last_ms = due_ms;
        }
        /* Once it was connected it begins anew. */
        play.stream.open_error = SERIN_OK;
        play.stream.receive_fails = false;
        accept_connection();
        play.stream.receive_fails = true;
        step_to(SERIN_MQTT_LOST, 1000);
        ck_assert_uint_le(link_of_device.due_ms - play.now_ms, 2000);
        /* Without a random number it waits longest. */
        dice_error = SERIN_ERR_CRYPTO;
        play.now_ms = link_of_device.due_ms;
        step();
        ck_assert_uint_eq(link_of_device.due_ms - play.now_ms, 4000);
        end();
    }
}
END_TEST

START_TEST(only_what_is_serins_and_this_devices_reaches_the_agent)
{
    static const struct {
        const char *topic;
        bool heard;
    } topics[] = {{"serin/1/dev/pump-02/directive", false},
                  {"serin/1/dev/pump-01/other", false},
                  {"telemetry/pump-01", false},
                  {"serin/1/dev/pump-01/directive", true}};
    begin(2800);
    accept_connection();
    struct serin_directive directive = bench_directive(&device, v1, v2);
    strcpy(directive.device_id, "pump-01");
    uint8_t payload[SERIN_DIRECTIVE_MAX], packet[SERIN_DIRECTIVE_MAX + 64];
    size_t size = bench_seal(&directive, TEST_DIRECTOR, payload);
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        size_t topic_size = strlen(topics[i].topic), at = 0, body = 2 + topic_size + size;
        packet[at++] = 0x31;
        packet[at++] = (uint8_t)(body % 128 | 128u);
        packet[at++] = (uint8_t)(body / 128);
        packet[at++] = 0;
        packet[at++] = (uint8_t)topic_size;
        memcpy(packet + at, topics[i].topic, topic_size);
        memcpy(packet + at + topic_size, payload, size);
        play_say_bytes(packet, at + topic_size + size);
        step_to(SERIN_MQTT_MESSAGE, 1000);
        ck_assert_str_eq(event.topic, topics[i].topic); /* the application sees all of them */
        struct serin_agent_view view;
        serin_agent_inspect(&device.agent, &view);
        ck_assert_uint_eq(view.own_order.sequence != 0, topics[i].heard);
    }
    end();
}
END_TEST

START_TEST(the_agent_is_ticked_ten_times_a_second)
{
    begin(2800);
    unsigned ticks = 0;
    uint64_t seen_ms = link_of_device.ticked_ms;
    for (play.now_ms = 0; play.now_ms < 10000; play.now_ms++) {
        play.stream.open_error = SERIN_ERR_NETWORK;
        step();
        ticks += link_of_device.ticked_ms != seen_ms ? 1u : 0u;
        seen_ms = link_of_device.ticked_ms;
    }
    ck_assert(ticks >= 95 && ticks <= 130);
    end();
}
END_TEST

START_TEST(wrong_configurations_are_refused)
{
    begin(2800);
    for (int i = 0; i < 8; i++) {
        struct serin_agent_link_config wrong = link_config;
        wrong.client = i == 0 ? NULL : wrong.client;
        wrong.agent = i == 1 ? NULL : wrong.agent;
        wrong.crypto = i == 2 ? NULL : wrong.crypto;
        wrong.device_id = i == 3 ? NULL : i == 4 ? "a/b" : i == 5 ? "" : wrong.device_id;
        wrong.retry_min_ms = i == 6 ? 0 : i == 7 ? 60001 : wrong.retry_min_ms;
        ck_assert_int_eq(serin_agent_link_init(&link_of_device, &wrong, 0), SERIN_ERR_CONFIG);
    }
    end();
    begin(SERIN_AGENT_LINK_OUTBOX_MIN);
    play.client.config.outbox_size--;
    ck_assert_int_eq(serin_agent_link_init(&link_of_device, &link_config, 0), SERIN_ERR_CONFIG);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_agent_hears_of_the_connection_once_all_is_asked_for,
        a_small_outbox_takes_the_subscriptions_in_turns,
        what_finds_no_way_out_is_to_be_said_again,
        a_refused_subscription_ends_the_connection,
        waits_grow_and_are_spread,
        only_what_is_serins_and_this_devices_reaches_the_agent,
        the_agent_is_ticked_ten_times_a_second,
        wrong_configurations_are_refused,
        NULL,
    };
    bench_open_keys();
    return check_run("agent_link_odd", tests);
}
