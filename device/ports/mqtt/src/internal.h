/*
 * What the parts of the client share: its states, packets that go out (output.c), packets that come
 * in (intake.c).
 */
#ifndef SERIN_MQTT_INTERNAL_H
#define SERIN_MQTT_INTERNAL_H

#include <serin/ports/mqtt.h>

/* Types of packets, as in MQTT 3.1.1, section 2.2.1. */
enum packet_type {
    PACKET_CONNECT = 1,
    PACKET_CONNACK = 2,
    PACKET_PUBLISH = 3,
    PACKET_PUBACK = 4,
    PACKET_SUBSCRIBE = 8,
    PACKET_SUBACK = 9,
    PACKET_PINGREQ = 12,
    PACKET_PINGRESP = 13,
    PACKET_DISCONNECT = 14,
    PACKET_TYPES = 16
};

enum state {
    STATE_NONE, /* of a transition that does not exist */
    STATE_CLOSED,
    STATE_OPENING, /* the stream is open, the broker has not accepted yet */
    STATE_CONNECTED,
    STATE_LEAVING, /* the outbox ends in a DISCONNECT */
    STATE_COUNT
};

enum happening { OPENED, ACCEPTED, LEFT, ENDED, HAPPENINGS };

/* Changes the state; asserts that the table has this transition. */
void serin_mqtt_change(struct serin_mqtt_client *client, enum happening what);

/* ---- output: packets behind each other in the outbox ---- */

size_t serin_mqtt_room(const struct serin_mqtt_client *client);

/* Whole packets: false where the outbox has no room, and nothing was written. */
bool serin_mqtt_put_connect(struct serin_mqtt_client *client);
bool serin_mqtt_put_publish(struct serin_mqtt_client *client, uint8_t flags, const char *topic,
                            uint16_t id, const uint8_t *payload, size_t size);
bool serin_mqtt_put_subscribe(struct serin_mqtt_client *client, uint16_t id, const char *filter,
                              uint8_t qos);
bool serin_mqtt_put_puback(struct serin_mqtt_client *client, uint16_t id);
/* PINGREQ, DISCONNECT. */
bool serin_mqtt_put_empty(struct serin_mqtt_client *client, enum packet_type type);

/* The size of a packet with `body` bytes behind its length. */
size_t serin_mqtt_packet_size(size_t body);
size_t serin_mqtt_connect_body(const struct serin_mqtt_client_config *config);
size_t serin_mqtt_publish_body(const char *topic, bool has_id, size_t size);

/* Gives the stream what it takes. SERIN_ERR_NETWORK. */
SERIN_MUST_USE enum serin_error serin_mqtt_flush(struct serin_mqtt_client *client);

/* ---- intake ---- */

/* Receives until there is an event, nothing more is there (*dry), or enough was done for one step.
 * The error is why the connection is over. */
SERIN_MUST_USE enum serin_error serin_mqtt_intake(struct serin_mqtt_client *client,
                                                  struct serin_mqtt_client_event *event, bool *dry);

/* Takes what the broker owed off the list; false: it owed no such thing. */
bool serin_mqtt_settle(struct serin_mqtt_client *client, enum packet_type type, uint16_t id);

/* Whether `text` of `size` bytes is a topic's name: not empty, no NUL, no wildcard. */
bool serin_mqtt_topic_valid(const uint8_t *text, size_t size);

#endif
