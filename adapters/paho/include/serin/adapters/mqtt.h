/*
 * MQTT client adapter over Paho MQTTAsync with TLS and a client certificate.
 *
 * Paho calls back from its own threads; this adapter queues what happened and wakes the owner
 * through a file descriptor, so that the owner stays single-threaded: poll serin_mqtt_fd, then call
 * serin_mqtt_next until it returns false. Every function here belongs to the owner's thread.
 *
 * Reconnects by itself, from within serin_mqtt_next, with full jitter between reconnect_min_ms and
 * a limit that doubles with each failure up to reconnect_max_ms. Each connection is a new Paho
 * client: the certificate files are read again, and nothing of the last connection survives.
 * Subscriptions are renewed before CONNECTED is told, and CONNECTED is told before any message of
 * its connection.
 *
 * Orders come first: DELIVERED, and messages that carry orders (topics of directives, trust records
 * and holds, docs/spec/topics.md) are told before other messages that wait, whenever these came,
 * and are never dropped for them. Messages of one topic keep their order. Retained publishes have
 * room in flight that no other publish can take. So a storm of reports and acks holds up no halt.
 *
 * Paho's sockets are inherited by child processes: a program that executes children closes
 * descriptors from 3 on in the child. SIGPIPE is ignored in the whole process from the first
 * connection on.
 */
#ifndef SERIN_ADAPTERS_MQTT_H
#define SERIN_ADAPTERS_MQTT_H

#include <serin/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIN_MQTT_FILTERS_MAX        32u
#define SERIN_MQTT_FOLLOWED_MAX       16384u  /* filters followed */
#define SERIN_MQTT_FILTER_MAX         255u    /* characters of a followed filter */
#define SERIN_MQTT_IN_FLIGHT_MAX      1024u   /* publishes under way, and DELIVERED not yet taken */
#define SERIN_MQTT_IN_FLIGHT_RETAINED 128u    /* of them, kept for retained publishes */
#define SERIN_MQTT_PAYLOAD_MAX        131072u /* bytes of one publish */
#define SERIN_MQTT_BYTES_MAX          ((size_t)64 << 20) /* where bytes_max says nothing */

struct serin_mqtt; /* opaque */

struct serin_mqtt_config {
    const char *uri;       /* "ssl://host:port", or "tcp://" for tests without TLS */
    const char *client_id; /* the certificate's CN */
    const char *ca_file, *cert_file, *key_file;  /* PEM; NULL with tcp:// */
    uint32_t keep_alive_s;                       /* 1 .. 65535 */
    uint32_t reconnect_min_ms, reconnect_max_ms; /* 1 ≤ min ≤ max ≤ 86,400,000 */
    bool clean_session;
    const char *will_topic; /* NULL: none; the will is retained, QoS 1 */
    const uint8_t *will_payload;
    size_t will_size;
    /* Messages kept for the owner, ≥ 1. Over it messages of QoS 0 that carry no orders are dropped
     * and counted. Over four times as many, of either kind, the connection is dropped and made
     * again, because what QoS 1 promises can no longer be kept: a subscriber gets the retained
     * messages again, senders of the others repeat them. */
    size_t queue_max;
    /* The same by size, since one sender of large messages could fill the memory within the count:
     * over a quarter of it messages of QoS 0 are dropped, over all of it the connection is. Bytes
     * with what a message costs to keep, for messages that carry orders and for all others each;
     * 0: SERIN_MQTT_BYTES_MAX. */
    size_t bytes_max;
};

enum serin_mqtt_event_kind {
    SERIN_MQTT_CONNECTED = 1,
    SERIN_MQTT_DISCONNECTED, /* the connection is lost, or an attempt to make one failed */
    SERIN_MQTT_MESSAGE,
    SERIN_MQTT_DELIVERED,
    SERIN_MQTT_REFUSED /* a followed filter that the broker did not grant */
};

struct serin_mqtt_event {
    enum serin_mqtt_event_kind kind;
    char *topic;      /* MESSAGE; REFUSED: the filter; owned by the event */
    uint8_t *payload; /* MESSAGE; owned by the event; never NULL, also for size 0 */
    size_t payload_size;
    bool retained;
    int qos;
    int token;     /* DELIVERED: of the publish that the broker acknowledged */
    char why[128]; /* DISCONNECTED: the reason in words */
};

/* SERIN_ERR_CONFIG (uri, a range, or a file that cannot be read), SERIN_ERR_MEMORY, SERIN_ERR_IO
 * (no descriptors left); *mqtt is then NULL. Strings and the will are copied. Connecting starts
 * with serin_mqtt_start. */
SERIN_MUST_USE enum serin_error serin_mqtt_open(struct serin_mqtt **mqtt,
                                                const struct serin_mqtt_config *config);

/* Disconnects in order, frees all; NULL is fine. What was published is written first, as far as
 * that takes less than a second; the broker does not publish the will. The last client of a process
 * waits for Paho's threads, about a second. */
void serin_mqtt_close(struct serin_mqtt *mqtt);

/* Adds a topic filter, before serin_mqtt_start or while disconnected. SERIN_ERR_STATE (connected or
 * connecting), SERIN_ERR_TOO_LARGE (more than SERIN_MQTT_FILTERS_MAX), SERIN_ERR_INVALID (qos not 0
 * or 1), SERIN_ERR_MEMORY. A filter that the broker refuses ends the connection: a client that
 * cannot hear is not connected. */
SERIN_MUST_USE enum serin_error serin_mqtt_subscribe(struct serin_mqtt *mqtt, const char *filter,
                                                     int qos);

/* Follows a topic filter, at any time: filters that come and go, such as one for each node of a
 * site. The broker is asked from within serin_mqtt_next, up to 64 filters a packet and four packets
 * at a time, as far as the event queue has room for what they may bring; on each new connection
 * again, after the filters of serin_mqtt_subscribe stand. A filter that is refused is told with
 * REFUSED, leaves the connection as it is, and is asked for again on the next one or when it is
 * followed again. Following twice with the same `qos` changes nothing; with another, the last one
 * counts. A filter must not stand among those of serin_mqtt_subscribe too. SERIN_ERR_INVALID (qos
 * not 0 or 1; a filter that is empty, longer than SERIN_MQTT_FILTER_MAX, not printable ASCII
 * without spaces, or with '+' or '#' where the standard has none), SERIN_ERR_TOO_LARGE (more than
 * SERIN_MQTT_FOLLOWED_MAX), SERIN_ERR_MEMORY; nothing has changed then. */
SERIN_MUST_USE enum serin_error serin_mqtt_follow(struct serin_mqtt *mqtt, const char *filter,
                                                  int qos);

/* Ends it; what is not followed is no error. Messages that are on their way still come. Without a
 * connection the broker is not told: one that keeps the session (clean_session false) goes on with
 * it. */
void serin_mqtt_unfollow(struct serin_mqtt *mqtt, const char *filter);

/* How many of the followed filters the broker has granted on the present connection. */
size_t serin_mqtt_standing(const struct serin_mqtt *mqtt);

/* Starts connecting. SERIN_ERR_STATE: started before. A broker that cannot be reached is not an
 * error here; it is a DISCONNECTED event. */
SERIN_MUST_USE enum serin_error serin_mqtt_start(struct serin_mqtt *mqtt);

/* Drops the connection and makes a new one at once (a device that resets). Events of the old one
 * that are still queued are discarded. Before serin_mqtt_start: nothing happens. */
void serin_mqtt_restart(struct serin_mqtt *mqtt);

/* Readable when serin_mqtt_next has something to give or to do. Owned by `mqtt`. */
int serin_mqtt_fd(const struct serin_mqtt *mqtt);

/* Takes the next event; false: none now, `event` is then empty. The caller frees it. */
bool serin_mqtt_next(struct serin_mqtt *mqtt, struct serin_mqtt_event *event);
void serin_mqtt_event_free(struct serin_mqtt_event *event);

/* Connected and subscribed: a publish is taken, as far as there is room in flight. */
bool serin_mqtt_connected(const struct serin_mqtt *mqtt);

/* Messages of QoS 0 dropped because the owner did not take them in time, since open. */
uint64_t serin_mqtt_dropped(const struct serin_mqtt *mqtt);

/* Queues a publish. SERIN_ERR_AGAIN: not connected or no room: SERIN_MQTT_IN_FLIGHT_MAX in flight,
 * or what SERIN_MQTT_IN_FLIGHT_RETAINED leaves of it where not `retained`. SERIN_ERR_TOO_LARGE,
 * SERIN_ERR_INVALID (qos not 0 or 1), SERIN_ERR_MEMORY. `token` is that of DELIVERED, which comes
 * for QoS 1 only, and only where `token` is not NULL: who asks for none hears of none. A
 * DISCONNECTED ends the waiting for all earlier tokens: those messages may or may not have arrived,
 * and are not sent again. */
SERIN_MUST_USE enum serin_error serin_mqtt_publish(struct serin_mqtt *mqtt, const char *topic,
                                                   const void *payload, size_t size, int qos,
                                                   bool retained, int *token);

/* How long to wait before the next attempt after `failures` ≥ 1 in a row: uniform in `random`
 * between min_ms and a limit of min_ms · 2^(failures + 1), at most max_ms. Pure. */
uint32_t serin_mqtt_backoff_ms(uint32_t min_ms, uint32_t max_ms, unsigned failures,
                               uint64_t random);

#endif
