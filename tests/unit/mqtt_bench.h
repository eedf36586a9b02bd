/*
 * Clients of the MQTT adapter and a Mosquitto of their own, for its tests. What goes wrong here
 * fails the test.
 */
#ifndef SERIN_MQTT_BENCH_H
#define SERIN_MQTT_BENCH_H

#include "broker.h"

#include <serin/adapters/mqtt.h>

extern struct broker broker;

void setup(void); /* the fixture: a folder for the broker, which each test starts as it needs it */
void teardown(void);

void pause_ms(long ms);

/* Of a client without TLS that meets the broker; its URI is static storage. */
struct serin_mqtt_config plain_config(const char *id);
/* Opens and starts a client, subscribed to `filter` where that is not NULL. */
struct serin_mqtt *open_client(const struct serin_mqtt_config *config, const char *filter);

/* Waits for the next event by the descriptor alone, so that a missed wake-up fails the test. */
bool wait_event(struct serin_mqtt *mqtt, struct serin_mqtt_event *event, int timeout_ms);
/* The next event, which comes within 15 s and is of this kind. */
struct serin_mqtt_event expect(struct serin_mqtt *mqtt, enum serin_mqtt_event_kind kind);
/* Skips failed attempts until the connection stands. */
void expect_connected(struct serin_mqtt *mqtt);

/* Publishes a text that is taken; gives back its token. */
int publish(struct serin_mqtt *mqtt, const char *topic, const char *text, int qos, bool retained);

/* A listener on loopback that takes connections and never answers; the caller closes it. */
int black_hole(uint16_t *port);

#endif
