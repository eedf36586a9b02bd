/*
 * MQTT client adapter over Paho MQTTAsync with TLS and a client certificate.
 *
 * Paho calls back from its own threads; this adapter queues what happened and wakes the owner through a file descriptor, so
 * that the owner stays single-threaded: poll serin_mqtt_fd, then call serin_mqtt_next until it returns false. Reconnects by
 * itself with full jitter between reconnect_min_ms and reconnect_max_ms; subscriptions are renewed before CONNECTED is
 * told.
 */
#ifndef SERIN_ADAPTERS_MQTT_H
#define SERIN_ADAPTERS_MQTT_H

#include <serin/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct serin_mqtt; /* opaque */

struct serin_mqtt_config {
    const char *uri;       /* "ssl://host:port", or "tcp://" for tests without TLS */
    const char *client_id; /* the certificate's CN */
    const char *ca_file, *cert_file, *key_file; /* PEM; NULL with tcp:// */
    uint32_t keep_alive_s;
    uint32_t reconnect_min_ms, reconnect_max_ms;
    bool clean_session;
    const char *will_topic; /* NULL: none */
    const uint8_t *will_payload;
    size_t will_size;
    size_t queue_max; /* events kept for the owner; over it messages of QoS 0 are dropped and counted */
};

enum serin_mqtt_event_kind { SERIN_MQTT_CONNECTED = 1, SERIN_MQTT_DISCONNECTED, SERIN_MQTT_MESSAGE, SERIN_MQTT_DELIVERED };

struct serin_mqtt_event {
    enum serin_mqtt_event_kind kind;
    char *topic;      /* MESSAGE */
    uint8_t *payload; /* MESSAGE */
    size_t payload_size;
    bool retained;
    int qos;
    int token;    /* DELIVERED: of the publish that the broker acknowledged */
    char why[128]; /* DISCONNECTED: the reason in words */
};

/* SERIN_ERR_CONFIG (a file cannot be read), SERIN_ERR_MEMORY. Strings are copied. Connecting starts with
 * serin_mqtt_start. */
SERIN_MUST_USE enum serin_error serin_mqtt_open(struct serin_mqtt **mqtt,
                                                const struct serin_mqtt_config *config);
void serin_mqtt_close(struct serin_mqtt *mqtt); /* disconnects, joins, frees; NULL is fine */

/* Adds a topic filter, before serin_mqtt_start or while disconnected. At most 32. */
SERIN_MUST_USE enum serin_error serin_mqtt_subscribe(struct serin_mqtt *mqtt, const char *filter,
                                                     int qos);
SERIN_MUST_USE enum serin_error serin_mqtt_start(struct serin_mqtt *mqtt);

/* Drops the connection and makes a new one (a device that resets). Events of the old one that are still queued are
 * discarded. */
void serin_mqtt_restart(struct serin_mqtt *mqtt);

int serin_mqtt_fd(const struct serin_mqtt *mqtt); /* readable when serin_mqtt_next has something */
bool serin_mqtt_next(struct serin_mqtt *mqtt, struct serin_mqtt_event *event);
void serin_mqtt_event_free(struct serin_mqtt_event *event);
bool serin_mqtt_connected(const struct serin_mqtt *mqtt);

/* Queues a publish. SERIN_ERR_AGAIN: not connected or too much in flight. `token` (may be NULL) is that of DELIVERED. */
SERIN_MUST_USE enum serin_error serin_mqtt_publish(struct serin_mqtt *mqtt, const char *topic,
                                                   const void *payload, size_t size, int qos,
                                                   bool retained, int *token);

#endif
