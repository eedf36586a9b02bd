/*
 * Packets that go out (MQTT 3.1.1, chapter 3): each is written whole into the outbox, and leaves it
 * as the stream takes it.
 */
#include "internal.h"

#include <serin/assert.h>

#include <string.h>

#define FLAGS_SUBSCRIBE   0x02u
#define CONNECT_CLEAN     0x02u
#define CONNECT_WILL      0x04u
#define CONNECT_RETAIN    0x20u
#define CONNECT_PASSWORD  0x40u
#define CONNECT_USER      0x80u
#define CONNECT_QOS_SHIFT 3u
#define PROTOCOL_LEVEL    4u

/* ---- sizes ---- */

static size_t length_bytes(size_t body)
{
    size_t count = 1;
    while (body >= 128) {
        body /= 128;
        count++;
    }
    return count;
}

size_t serin_mqtt_packet_size(size_t body)
{
    return 1 + length_bytes(body) + body;
}

static size_t text_size(const char *text)
{
    return text == NULL ? 0 : 2 + strlen(text);
}

size_t serin_mqtt_connect_body(const struct serin_mqtt_client_config *config)
{
    const struct serin_mqtt_will *will = &config->will;
    size_t will_size = will->topic == NULL ? 0 : text_size(will->topic) + 2u + will->size;
    return 10 + text_size(config->client_id) + will_size + text_size(config->user) +
           text_size(config->password);
}

size_t serin_mqtt_publish_body(const char *topic, bool has_id, size_t size)
{
    return 2 + strlen(topic) + (has_id ? 2u : 0u) + size;
}

size_t serin_mqtt_room(const struct serin_mqtt_client *client)
{
    return client->config.outbox_size - client->out_used;
}

/* ---- writing ---- */

/* Opens a packet of `body` bytes: its first byte and length are written, the body is the caller's
 * to fill, from what is returned on. NULL: no room. */
static uint8_t *open_packet(struct serin_mqtt_client *client, uint8_t first, size_t body)
{
    if (serin_mqtt_packet_size(body) > serin_mqtt_room(client)) {
        return NULL;
    }
    if (client->out_used == 0) {
        client->stalled_ms = client->clock_ms;
    }
    uint8_t *at = client->config.outbox + client->out_used;
    client->out_used += serin_mqtt_packet_size(body);
    *at++ = first;
    size_t left = body;
    do {
        *at++ = (uint8_t)(left % 128 | (left >= 128 ? 0x80u : 0u));
        left /= 128;
    } while (left > 0);
    return at;
}

static uint8_t *put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t size)
{
    if (size > 0) {
        memcpy(at, bytes, size);
    }
    return at + size;
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
    size_t size = strlen(text);
    return put_bytes(put_u16(at, (uint16_t)size), text, size);
}

static uint8_t connect_flags(const struct serin_mqtt_client_config *config)
{
    const struct serin_mqtt_will *will = &config->will;
    unsigned flags = CONNECT_CLEAN;
    if (will->topic != NULL) {
        flags |= CONNECT_WILL | (unsigned)will->qos << CONNECT_QOS_SHIFT |
                 (will->retain ? CONNECT_RETAIN : 0u);
    }
    flags |= config->user != NULL ? CONNECT_USER : 0u;
    flags |= config->password != NULL ? CONNECT_PASSWORD : 0u;
    return (uint8_t)flags;
}

bool serin_mqtt_put_connect(struct serin_mqtt_client *client)
{
    const struct serin_mqtt_client_config *config = &client->config;
    uint8_t *at = open_packet(client, PACKET_CONNECT << 4, serin_mqtt_connect_body(config));
    if (at == NULL) {
        return false;
    }
    at = put_text(at, "MQTT");
    *at++ = PROTOCOL_LEVEL;
    *at++ = connect_flags(config);
    at = put_u16(at, config->keep_alive_s);
    at = put_text(at, config->client_id);
    if (config->will.topic != NULL) {
        at = put_text(at, config->will.topic);
        at = put_bytes(put_u16(at, config->will.size), config->will.payload, config->will.size);
    }
    if (config->user != NULL) {
        at = put_text(at, config->user);
    }
    if (config->password != NULL) {
        at = put_text(at, config->password);
    }
    SERIN_ASSERT(at == config->outbox + client->out_used);
    return true;
}

bool serin_mqtt_put_publish(struct serin_mqtt_client *client, uint8_t flags, const char *topic,
                            uint16_t id, const uint8_t *payload, size_t size)
{
    uint8_t *at = open_packet(client, (uint8_t)(PACKET_PUBLISH << 4 | flags),
                              serin_mqtt_publish_body(topic, id != 0, size));
    if (at == NULL) {
        return false;
    }
    at = put_text(at, topic);
    if (id != 0) {
        at = put_u16(at, id);
    }
    at = put_bytes(at, payload, size);
    SERIN_ASSERT(at == client->config.outbox + client->out_used);
    return true;
}

bool serin_mqtt_put_subscribe(struct serin_mqtt_client *client, uint16_t id, const char *filter,
                              uint8_t qos)
{
    uint8_t *at =
        open_packet(client, PACKET_SUBSCRIBE << 4 | FLAGS_SUBSCRIBE, 2 + text_size(filter) + 1);
    if (at == NULL) {
        return false;
    }
    at = put_text(put_u16(at, id), filter);
    *at++ = qos;
    SERIN_ASSERT(at == client->config.outbox + client->out_used);
    return true;
}

bool serin_mqtt_put_puback(struct serin_mqtt_client *client, uint16_t id)
{
    uint8_t *at = open_packet(client, PACKET_PUBACK << 4, 2);
    if (at == NULL) {
        return false;
    }
    put_u16(at, id);
    return true;
}

bool serin_mqtt_put_empty(struct serin_mqtt_client *client, enum packet_type type)
{
    return open_packet(client, (uint8_t)(type << 4), 0) != NULL;
}

/* ---- sending ---- */

enum serin_error serin_mqtt_flush(struct serin_mqtt_client *client)
{
    const struct serin_mqtt_client_config *config = &client->config;
    while (client->out_used > 0) {
        size_t sent = 0;
        enum serin_error error =
            config->stream->send(config->stream_ctx, config->outbox, client->out_used, &sent);
        if (error != SERIN_OK) {
            return SERIN_ERR_NETWORK;
        }
        SERIN_ASSERT(sent <= client->out_used);
        if (sent == 0) {
            return SERIN_OK;
        }
        client->out_used -= sent;
        memmove(config->outbox, config->outbox + sent, client->out_used);
        client->sent_ms = client->now_ms;
        client->stalled_ms = client->clock_ms;
    }
    return SERIN_OK;
}
