/*
 * The client: its states, what its caller asks for, and time.
 */
#include "internal.h"

#include <serin/assert.h>

#include <string.h>

#define TEXT_MAX 65535u

/* ---- states ---- */

static const uint8_t transitions[STATE_COUNT][HAPPENINGS] = {
    [STATE_CLOSED] = {[OPENED] = STATE_OPENING},
    [STATE_OPENING] = {[ACCEPTED] = STATE_CONNECTED, [ENDED] = STATE_CLOSED},
    [STATE_CONNECTED] = {[LEFT] = STATE_LEAVING, [ENDED] = STATE_CLOSED},
    [STATE_LEAVING] = {[ENDED] = STATE_CLOSED},
};

void serin_mqtt_change(struct serin_mqtt_client *client, enum happening what)
{
    uint8_t next = transitions[client->state][what];
    SERIN_ASSERT(next != STATE_NONE);
    client->state = next;
}

bool serin_mqtt_client_connected(const struct serin_mqtt_client *client)
{
    return client->state == STATE_CONNECTED;
}

void serin_mqtt_client_counted(const struct serin_mqtt_client *client,
                               struct serin_mqtt_client_counts *counts)
{
    *counts = client->counts;
}

/* ---- beginning and end ---- */

static bool text_valid(const char *text)
{
    return text == NULL || strlen(text) <= TEXT_MAX;
}

static bool topic_valid(const char *topic)
{
    return strlen(topic) <= TEXT_MAX &&
           serin_mqtt_topic_valid((const uint8_t *)topic, strlen(topic));
}

static bool will_valid(const struct serin_mqtt_will *will)
{
    return will->topic == NULL || (topic_valid(will->topic) && will->qos <= 1 &&
                                   (will->payload != NULL || will->size == 0));
}

static bool config_valid(const struct serin_mqtt_client_config *config)
{
    return config->stream != NULL && config->client_id != NULL && config->client_id[0] != '\0' &&
           text_valid(config->client_id) && text_valid(config->user) &&
           text_valid(config->password) && (config->user != NULL || config->password == NULL) &&
           will_valid(&config->will) && config->keep_alive_s >= 2 && config->connect_ms >= 4 &&
           config->answer_ms >= 4 && config->inbox != NULL && config->outbox != NULL &&
           config->inbox_size >= SERIN_MQTT_CLIENT_INBOX_MIN &&
           config->outbox_size >= SERIN_MQTT_CLIENT_OUTBOX_MIN;
}

enum serin_error serin_mqtt_client_init(struct serin_mqtt_client *client,
                                        const struct serin_mqtt_client_config *config)
{
    if (!config_valid(config)) {
        return SERIN_ERR_CONFIG;
    }
    if (serin_mqtt_packet_size(serin_mqtt_connect_body(config)) > config->outbox_size) {
        return SERIN_ERR_NO_SPACE;
    }
    memset(client, 0, sizeof(*client));
    client->config = *config;
    client->state = STATE_CLOSED;
    return SERIN_OK;
}

enum serin_error serin_mqtt_client_connect(struct serin_mqtt_client *client, uint64_t now_ms)
{
    if (client->state != STATE_CLOSED) {
        return SERIN_ERR_STATE;
    }
    enum serin_error error = client->config.stream->open(client->config.stream_ctx);
    if (error != SERIN_OK) {
        return error;
    }
    client->out_used = 0;
    client->in = (struct serin_mqtt_incoming){0};
    client->ack_id = 0;
    client->ping_waits = false;
    memset(client->waiting, 0, sizeof(client->waiting));
    client->now_ms = client->sent_ms = client->received_ms = now_ms;
    client->began_ms = client->clock_ms;
    serin_mqtt_change(client, OPENED);
    bool queued = serin_mqtt_put_connect(client);
    SERIN_ASSERT(queued); /* init has seen that it fits */
    return SERIN_OK;
}

void serin_mqtt_client_close(struct serin_mqtt_client *client)
{
    if (client->state != STATE_CLOSED) {
        client->config.stream->close(client->config.stream_ctx);
        serin_mqtt_change(client, ENDED);
    }
}

/* Queues the answer to the message that was told last. */
static void acknowledge(struct serin_mqtt_client *client)
{
    if (client->ack_id != 0 && client->state == STATE_CONNECTED) {
        bool queued = serin_mqtt_put_puback(client, client->ack_id);
        SERIN_ASSERT(queued); /* of the reserve */
    }
    client->ack_id = 0;
}

enum serin_error serin_mqtt_client_disconnect(struct serin_mqtt_client *client)
{
    if (client->state != STATE_CONNECTED) {
        return SERIN_ERR_STATE;
    }
    acknowledge(client);
    if (!serin_mqtt_put_empty(client, PACKET_DISCONNECT)) {
        return SERIN_ERR_AGAIN;
    }
    serin_mqtt_change(client, LEFT);
    return SERIN_OK;
}

/* ---- what the broker owes ---- */

static struct serin_mqtt_waiting *find_waiting(struct serin_mqtt_client *client, uint16_t id)
{
    for (size_t i = 0; i < SERIN_MQTT_CLIENT_WAITING; i++) {
        if (client->waiting[i].id == id) {
            return &client->waiting[i];
        }
    }
    return NULL;
}

bool serin_mqtt_settle(struct serin_mqtt_client *client, enum packet_type type, uint16_t id)
{
    struct serin_mqtt_waiting *place = id != 0 ? find_waiting(client, id) : NULL;
    if (place == NULL || place->type != type) {
        client->counts.unasked++;
        return false;
    }
    place->id = 0;
    return true;
}

/* An id that nothing waits for. There are more of them than places. */
static uint16_t free_id(struct serin_mqtt_client *client)
{
    uint16_t id = client->last_id;
    do {
        id = (uint16_t)(id + 1u);
    } while (id == 0 || find_waiting(client, id) != NULL);
    return id;
}

static void owe(struct serin_mqtt_client *client, struct serin_mqtt_waiting *place, uint16_t id,
                enum packet_type type)
{
    *place =
        (struct serin_mqtt_waiting){.since_ms = client->clock_ms, .id = id, .type = (uint8_t)type};
    client->last_id = id;
}

/* ---- what the caller asks for ---- */

/* Whether a packet with `body` bytes can go into the outbox, now or ever. */
static enum serin_error fits(const struct serin_mqtt_client *client, size_t body)
{
    size_t size = serin_mqtt_packet_size(body) + SERIN_MQTT_CLIENT_RESERVE;
    if (size > client->config.outbox_size) {
        return SERIN_ERR_TOO_LARGE;
    }
    return size > serin_mqtt_room(client) ? SERIN_ERR_AGAIN : SERIN_OK;
}

enum serin_error serin_mqtt_client_publish(struct serin_mqtt_client *client, const char *topic,
                                           int qos, bool retain, const uint8_t *payload,
                                           size_t size, uint16_t *id)
{
    if (client->state != STATE_CONNECTED) {
        return SERIN_ERR_STATE;
    }
    if (!topic_valid(topic) || qos < 0 || qos > 1) {
        return SERIN_ERR_INVALID;
    }
    if (size > client->config.outbox_size) {
        return SERIN_ERR_TOO_LARGE;
    }
    enum serin_error error = fits(client, serin_mqtt_publish_body(topic, qos > 0, size));
    struct serin_mqtt_waiting *place = qos > 0 ? find_waiting(client, 0) : NULL;
    if (error != SERIN_OK || (qos > 0 && place == NULL)) {
        return error != SERIN_OK ? error : SERIN_ERR_AGAIN;
    }
    uint16_t number = qos > 0 ? free_id(client) : 0;
    uint8_t flags = (uint8_t)((unsigned)qos << 1 | (retain ? 1u : 0u));
    bool queued = serin_mqtt_put_publish(client, flags, topic, number, payload, size);
    SERIN_ASSERT(queued);
    if (place != NULL) {
        owe(client, place, number, PACKET_PUBACK);
    }
    if (id != NULL) {
        *id = number;
    }
    return SERIN_OK;
}

enum serin_error serin_mqtt_client_subscribe(struct serin_mqtt_client *client, const char *filter,
                                             int qos, uint16_t *id)
{
    if (client->state != STATE_CONNECTED) {
        return SERIN_ERR_STATE;
    }
    size_t length = strlen(filter);
    if (length == 0 || length > TEXT_MAX || qos < 0 || qos > 1) {
        return SERIN_ERR_INVALID;
    }
    enum serin_error error = fits(client, 2 + 2 + length + 1);
    struct serin_mqtt_waiting *place = find_waiting(client, 0);
    if (error != SERIN_OK || place == NULL) {
        return error != SERIN_OK ? error : SERIN_ERR_AGAIN;
    }
    uint16_t number = free_id(client);
    bool queued = serin_mqtt_put_subscribe(client, number, filter, (uint8_t)qos);
    SERIN_ASSERT(queued);
    owe(client, place, number, PACKET_SUBACK);
    if (id != NULL) {
        *id = number;
    }
    return SERIN_OK;
}

/* ---- time ---- */

static uint64_t ping_period_ms(const struct serin_mqtt_client *client)
{
    return (uint64_t)client->config.keep_alive_s * 500u;
}

static void advance_clock(struct serin_mqtt_client *client, uint64_t now_ms)
{
    uint64_t most = client->config.answer_ms / 4;
    uint64_t passed = now_ms > client->now_ms ? now_ms - client->now_ms : 0;
    client->clock_ms += passed < most ? passed : most;
    client->now_ms = now_ms;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When the broker is late, by the client's clock. */
static uint64_t late_ms(const struct serin_mqtt_client *client)
{
    uint64_t answer_ms = client->config.answer_ms;
    if (client->state == STATE_OPENING) {
        return client->began_ms + client->config.connect_ms;
    }
    uint64_t late = UINT64_MAX;
    if (client->out_used > 0) {
        late = client->stalled_ms + answer_ms;
    }
    if (client->ping_waits) {
        late = earlier(late, client->ping_ms + answer_ms);
    }
    for (size_t i = 0; i < SERIN_MQTT_CLIENT_WAITING; i++) {
        if (client->waiting[i].id != 0) {
            late = earlier(late, client->waiting[i].since_ms + answer_ms);
        }
    }
    return late;
}

static uint64_t next_ping_ms(const struct serin_mqtt_client *client)
{
    return earlier(client->sent_ms, client->received_ms) + ping_period_ms(client);
}

static void ping(struct serin_mqtt_client *client)
{
    if (client->state == STATE_CONNECTED && !client->ping_waits &&
        client->now_ms >= next_ping_ms(client)) {
        /* Where there is no room the stream takes nothing, and is judged for that. */
        client->ping_waits = serin_mqtt_put_empty(client, PACKET_PINGREQ);
        client->ping_ms = client->clock_ms;
    }
}

uint64_t serin_mqtt_client_deadline_ms(const struct serin_mqtt_client *client)
{
    if (client->state == STATE_CLOSED) {
        return UINT64_MAX;
    }
    if (client->ack_id != 0) {
        return client->now_ms;
    }
    uint64_t late = late_ms(client);
    if (late != UINT64_MAX) {
        late =
            late > client->clock_ms ? client->now_ms + (late - client->clock_ms) : client->now_ms;
    }
    bool may_ping = client->state == STATE_CONNECTED && !client->ping_waits;
    return may_ping ? earlier(late, next_ping_ms(client)) : late;
}

/* ---- the step ---- */

static enum serin_error work(struct serin_mqtt_client *client,
                             struct serin_mqtt_client_event *event)
{
    acknowledge(client);
    enum serin_error error = serin_mqtt_flush(client);
    bool dry = true; /* nothing is taken in any more on leaving */
    if (error == SERIN_OK && client->state != STATE_LEAVING) {
        error = serin_mqtt_intake(client, event, &dry);
    }
    if (error != SERIN_OK) {
        return error;
    }
    ping(client);
    if (event->kind != SERIN_MQTT_NOTHING) {
        return SERIN_OK; /* what is wrong beside is so in the next step, too */
    }
    error = serin_mqtt_flush(client);
    if (error == SERIN_OK && dry && client->clock_ms >= late_ms(client)) {
        error = SERIN_ERR_TIMEOUT; /* nothing more waits that it could have said */
    }
    return error;
}

enum serin_mqtt_event_kind serin_mqtt_client_step(struct serin_mqtt_client *client, uint64_t now_ms,
                                                  struct serin_mqtt_client_event *event)
{
    *event = (struct serin_mqtt_client_event){.kind = SERIN_MQTT_NOTHING};
    if (client->state == STATE_CLOSED) {
        return event->kind;
    }
    advance_clock(client, now_ms);
    enum serin_error error = work(client, event);
    bool left = client->state == STATE_LEAVING && client->out_used == 0;
    if (error != SERIN_OK || left) {
        event->kind = SERIN_MQTT_LOST;
        event->error = left ? SERIN_OK : error;
        serin_mqtt_client_close(client);
    }
    return event->kind;
}
