/*
 * A small MQTT 3.1.1 client for boards, over a byte stream (serin/device/stream.h).
 *
 *   serin_mqtt_client_init      once, in memory that the caller gives
 *   serin_mqtt_client_connect   for each connection; when to try again is the caller's to say
 *   serin_mqtt_client_step      in every turn of the main loop: sends, receives, tells one event
 *
 * Clean sessions, QoS 0 and 1 both ways, one filter a subscription, a will if there is one. No
 * heap, no clock, no threads: `now_ms` is the time since boot and never runs backwards; one client
 * belongs to one thread, and to no interrupt. Nothing here waits, and nothing calls back.
 *
 * A message that is larger than the inbox is skipped and counted, and acknowledged as any other, so
 * that the broker does not send it again. A broker that breaks the protocol loses the connection.
 *
 * With a clean session a publish that was not acknowledged when the connection went is lost:
 * whoever needs it publishes it again.
 */
#ifndef SERIN_PORTS_MQTT_H
#define SERIN_PORTS_MQTT_H

#include <serin/device/stream.h>

#include <stdbool.h>

#define SERIN_MQTT_CLIENT_INBOX_MIN  64u
#define SERIN_MQTT_CLIENT_OUTBOX_MIN 64u
#define SERIN_MQTT_CLIENT_WAITING    16u /* publishes of QoS 1 and subscriptions without an answer */
/* Room of the outbox that no publish takes: an acknowledgement and a ping always find their own. */
#define SERIN_MQTT_CLIENT_RESERVE 6u

struct serin_mqtt_will {
    const char *topic; /* NULL: there is none */
    const uint8_t *payload;
    uint16_t size;
    uint8_t qos; /* 0 or 1 */
    bool retain;
};

/* What it points to must outlive the client, and stay as it is. */
struct serin_mqtt_client_config {
    const struct serin_stream_ops *stream;
    void *stream_ctx;
    const char *client_id;       /* 1 .. 65535 characters; brokers must take 23 */
    const char *user, *password; /* NULL: none; a password needs a user */
    struct serin_mqtt_will will;
    /* 2 .. 65535. A ping goes out when nothing was sent, or nothing came, for half of it; the
     * broker waits for one and a half. So the caller may stay away for as long as this. */
    uint16_t keep_alive_s;
    /* ≥ 4 both; the time in which steps are taken counts, not what the caller does between them. */
    uint32_t connect_ms; /* from connect() until the broker has accepted: TCP, TLS, CONNACK */
    uint32_t
        answer_ms; /* for each answer that the broker owes, and for the next byte to be taken */
    /* Exclusive to the client. The inbox holds topic and payload of a message, and 4 bytes; the
     * outbox what the stream has not taken yet: it holds the CONNECT, and the largest publish with
     * its topic, 9 bytes and SERIN_MQTT_CLIENT_RESERVE. */
    uint8_t *inbox;
    size_t inbox_size; /* ≥ SERIN_MQTT_CLIENT_INBOX_MIN */
    uint8_t *outbox;
    size_t outbox_size; /* ≥ SERIN_MQTT_CLIENT_OUTBOX_MIN */
};

enum serin_mqtt_event_kind {
    SERIN_MQTT_NOTHING = 0,
    /* The broker accepted. Nothing is subscribed to yet. */
    SERIN_MQTT_CONNECTED,
    /* The connection is over, or never came to be; `error` says why, and `code` what the broker
     * answered to CONNECT where it refused (SERIN_ERR_DENIED). The stream is closed; what waited is
     * dropped. Told once for each serin_mqtt_client_connect that returned SERIN_OK, but not after
     * serin_mqtt_client_close.
     *   SERIN_ERR_NETWORK: the stream failed, or ended
     *   SERIN_ERR_FORMAT: the broker broke the protocol
     *   SERIN_ERR_TIMEOUT: it owed an answer for too long, or took nothing for too long
     *   SERIN_ERR_DENIED: it refused the connection
     *   SERIN_OK: after serin_mqtt_client_disconnect */
    SERIN_MQTT_LOST,
    /* `topic`, `payload`, `size`, `qos`, `retained`: until the next step. A message of QoS 1 is
     * acknowledged by that next step, so after it was worked on. */
    SERIN_MQTT_MESSAGE,
    /* The broker has it: `id` is that of the publish. */
    SERIN_MQTT_PUBLISHED,
    /* Answer to the subscription `id`: SERIN_OK in `error` and the QoS granted in `code`, or
     * SERIN_ERR_DENIED. */
    SERIN_MQTT_SUBSCRIBED
};

struct serin_mqtt_client_event {
    enum serin_mqtt_event_kind kind;
    enum serin_error error;
    uint8_t code;
    uint16_t id;
    const char *topic; /* terminated; without NUL or wildcards in it; not checked to be UTF-8 */
    const uint8_t *payload;
    size_t size;
    uint8_t qos;
    bool retained;
};

/* Since init; they wrap. */
struct serin_mqtt_client_counts {
    uint32_t messages; /* told */
    uint32_t skipped;  /* larger than the inbox */
    uint32_t unasked;  /* answers to what was not asked, or asked in another way; ignored */
};

struct serin_mqtt_client; /* below; its fields are nobody else's business */

/* SERIN_ERR_CONFIG: a value is out of its range. SERIN_ERR_NO_SPACE: the CONNECT does not fit the
 * outbox. After an error the client must not be used. */
SERIN_MUST_USE enum serin_error
serin_mqtt_client_init(struct serin_mqtt_client *client,
                       const struct serin_mqtt_client_config *config);

/* Opens the stream and queues the CONNECT. SERIN_ERR_STATE: not closed. Otherwise the error of the
 * stream's open(); the client is closed then, as before. */
SERIN_MUST_USE enum serin_error serin_mqtt_client_connect(struct serin_mqtt_client *client,
                                                          uint64_t now_ms);

/* Queues a publish, which is copied. `id`, which may be NULL, gets what PUBLISHED tells, or 0 with
 * QoS 0. SERIN_ERR_STATE: not connected. SERIN_ERR_INVALID: no topic (empty, longer than 65535, or
 * with a wildcard), or another QoS. SERIN_ERR_TOO_LARGE: it never fits the outbox. SERIN_ERR_AGAIN:
 * no room now, or SERIN_MQTT_CLIENT_WAITING wait already. Nothing was queued after an error. */
SERIN_MUST_USE enum serin_error serin_mqtt_client_publish(struct serin_mqtt_client *client,
                                                          const char *topic, int qos, bool retain,
                                                          const uint8_t *payload, size_t size,
                                                          uint16_t *id);

/* Queues a subscription to one filter. Errors as for a publish; a filter may hold wildcards, which
 * the broker checks. */
SERIN_MUST_USE enum serin_error serin_mqtt_client_subscribe(struct serin_mqtt_client *client,
                                                            const char *filter, int qos,
                                                            uint16_t *id);

/* Sends, receives and looks at the time; tells one event at most in *event (NOTHING: there is none;
 * call again when bytes came, or at serin_mqtt_client_deadline_ms). After an event there may be
 * more at once. Bounded work: one packet that is told, or a few that are not. Returns event->kind.
 */
enum serin_mqtt_event_kind serin_mqtt_client_step(struct serin_mqtt_client *client, uint64_t now_ms,
                                                  struct serin_mqtt_client_event *event);

/* When the next step is due though no byte comes, in ms since boot; UINT64_MAX: closed. */
uint64_t serin_mqtt_client_deadline_ms(const struct serin_mqtt_client *client);

/* Takes leave: what is queued goes out and then a DISCONNECT, so that the broker does not publish
 * the will; LOST with SERIN_OK follows. SERIN_ERR_STATE: not connected. SERIN_ERR_AGAIN: no room
 * now. */
SERIN_MUST_USE enum serin_error serin_mqtt_client_disconnect(struct serin_mqtt_client *client);

/* Closes the stream at once, without a word to the broker, and tells nothing of it. */
void serin_mqtt_client_close(struct serin_mqtt_client *client);

bool serin_mqtt_client_connected(const struct serin_mqtt_client *client);

void serin_mqtt_client_counted(const struct serin_mqtt_client *client,
                               struct serin_mqtt_client_counts *counts);

/* ---- the client itself, so that the caller can place it ---- */

/* What the broker owes. */
struct serin_mqtt_waiting {
    uint64_t since_ms; /* by the client's own clock */
    uint16_t id;       /* 0: the place is free */
    uint8_t type;      /* of the packet that answers */
};

/* The packet that comes in. */
struct serin_mqtt_incoming {
    uint8_t phase;
    uint8_t first; /* its first byte: type and flags */
    uint8_t length_bytes;
    uint32_t size, done;          /* of what follows its length */
    uint16_t topic_size, skip_id; /* of a message that is skipped */
};

struct serin_mqtt_client {
    struct serin_mqtt_client_config config;
    uint8_t state;
    uint8_t ping_waits;
    uint16_t last_id;
    uint16_t ack_id; /* of the message that was told and is not acknowledged yet; 0: none */
    size_t out_used; /* bytes of the outbox */
    struct serin_mqtt_incoming in;
    uint64_t now_ms; /* of the last call */
    uint64_t sent_ms, received_ms;
    /* Time by which the broker is judged: it goes on in steps alone, a quarter of answer_ms at most
     * in one, so that nobody is held to account for what the caller did meanwhile. */
    uint64_t clock_ms;
    uint64_t began_ms, ping_ms, stalled_ms;
    struct serin_mqtt_waiting waiting[SERIN_MQTT_CLIENT_WAITING];
    struct serin_mqtt_client_counts counts;
};

#endif
