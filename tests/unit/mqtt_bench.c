/*
 * Clients of the MQTT adapter and a Mosquitto of their own (mqtt_bench.h).
 */
#include "mqtt_bench.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct broker broker;

void setup(void)
{
    memset(&broker, 0, sizeof(broker));
    broker_folder(&broker);
}

void teardown(void)
{
    broker_end(&broker);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void pause_ms(long ms)
{
    const struct timespec moment = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&moment, NULL);
}

struct serin_mqtt_config plain_config(const char *id)
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

struct serin_mqtt *open_client(const struct serin_mqtt_config *config, const char *filter)
{
    struct serin_mqtt *mqtt = NULL;

    ck_assert_int_eq(serin_mqtt_open(&mqtt, config), SERIN_OK);
    if (filter != NULL) {
        ck_assert_int_eq(serin_mqtt_subscribe(mqtt, filter, 1), SERIN_OK);
    }
    ck_assert_int_eq(serin_mqtt_start(mqtt), SERIN_OK);
    return mqtt;
}

bool wait_event(struct serin_mqtt *mqtt, struct serin_mqtt_event *event, int timeout_ms)
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

struct serin_mqtt_event expect(struct serin_mqtt *mqtt, enum serin_mqtt_event_kind kind)
{
    struct serin_mqtt_event event;

    ck_assert_msg(wait_event(mqtt, &event, 15000), "no event within 15 s");
    ck_assert_msg(event.kind == kind, "event %d, expected %d (%s)", (int)event.kind, (int)kind,
                  event.why);
    return event;
}

void expect_connected(struct serin_mqtt *mqtt)
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

int publish(struct serin_mqtt *mqtt, const char *topic, const char *text, int qos, bool retained)
{
    int token = -1;

    ck_assert_int_eq(serin_mqtt_publish(mqtt, topic, text, strlen(text), qos, retained, &token),
                     SERIN_OK);
    return token;
}

int black_hole(uint16_t *port)
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
