/*
 * Packets that come in (MQTT 3.1.1, chapters 2 and 3): one at a time, byte by byte as the stream
 * gives them. No byte of the next packet is taken before this one is done with.
 *
 *   byte 0      type << 4 | flags
 *   1 .. 4      length of the rest, 7 bits each, the lowest first; bit 7: another one follows
 *   rest        kept in the inbox, or skipped
 */
#include "internal.h"

#include <serin/assert.h>

#include <string.h>

/* What one step receives at most. */
#define READS_MAX 32u

#define LENGTH_BYTES_MAX 4u
#define QOS(first)       (((first) >> 1) & 3u)
#define DUPLICATE        0x08u
#define RETAINED         0x01u

/* STATE_NONE is zero, so what is not written waits for the first byte. */
enum phase { PHASE_FIRST, PHASE_LENGTH, PHASE_BODY, PHASE_SKIP };

typedef enum serin_error handler(struct serin_mqtt_client *client,
                                 struct serin_mqtt_client_event *event);

static handler take_connack, take_publish, take_puback, take_suback, take_pingresp;

/* What a broker may send, in which state, and how long it is. Flags are 0 but for a PUBLISH. */
static const struct packet_rule {
    handler *take;
    uint8_t state;
    uint32_t least, most;
} rules[PACKET_TYPES] = {
    [PACKET_CONNACK] = {take_connack, STATE_OPENING, 2, 2},
    [PACKET_PUBLISH] = {take_publish, STATE_CONNECTED, 3, UINT32_MAX},
    [PACKET_PUBACK] = {take_puback, STATE_CONNECTED, 2, 2},
    [PACKET_SUBACK] = {take_suback, STATE_CONNECTED, 3, 3},
    [PACKET_PINGRESP] = {take_pingresp, STATE_CONNECTED, 0, 0},
};

static uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* ---- the packets ---- */

static enum serin_error take_connack(struct serin_mqtt_client *client,
                                     struct serin_mqtt_client_event *event)
{
    const uint8_t *body = client->config.inbox;
    if (body[0] != 0 || body[1] > 5) {
        return SERIN_ERR_FORMAT; /* no session is there to be present */
    }
    if (body[1] != 0) {
        event->code = body[1];
        return SERIN_ERR_DENIED;
    }
    serin_mqtt_change(client, ACCEPTED);
    event->kind = SERIN_MQTT_CONNECTED;
    return SERIN_OK;
}

bool serin_mqtt_topic_valid(const uint8_t *text, size_t size)
{
    return size > 0 && memchr(text, '\0', size) == NULL && memchr(text, '+', size) == NULL &&
           memchr(text, '#', size) == NULL;
}

static enum serin_error take_publish(struct serin_mqtt_client *client,
                                     struct serin_mqtt_client_event *event)
{
    uint8_t *body = client->config.inbox;
    size_t size = client->in.size;
    size_t topic_size = get_u16(body);
    uint8_t qos = QOS(client->in.first);
    size_t head = 2 + topic_size + (qos > 0 ? 2u : 0u);
    if (head > size || !serin_mqtt_topic_valid(body + 2, topic_size)) {
        return SERIN_ERR_FORMAT;
    }
    uint16_t id = qos > 0 ? get_u16(body + 2 + topic_size) : 0;
    if (qos > 0 && id == 0) {
        return SERIN_ERR_FORMAT;
    }
    memmove(body, body + 2, topic_size); /* its length makes room for the terminator */
    body[topic_size] = '\0';
    client->ack_id = id;
    client->counts.messages++;
    event->kind = SERIN_MQTT_MESSAGE;
    event->topic = (const char *)body;
    event->payload = body + head;
    event->size = size - head;
    event->id = id;
    event->qos = qos;
    event->retained = (client->in.first & RETAINED) != 0;
    return SERIN_OK;
}

static enum serin_error take_puback(struct serin_mqtt_client *client,
                                    struct serin_mqtt_client_event *event)
{
    uint16_t id = get_u16(client->config.inbox);
    if (serin_mqtt_settle(client, PACKET_PUBACK, id)) {
        event->kind = SERIN_MQTT_PUBLISHED;
        event->id = id;
    }
    return SERIN_OK;
}

static enum serin_error take_suback(struct serin_mqtt_client *client,
                                    struct serin_mqtt_client_event *event)
{
    const uint8_t *body = client->config.inbox;
    uint16_t id = get_u16(body);
    if (body[2] > 2 && body[2] != 0x80) {
        return SERIN_ERR_FORMAT;
    }
    if (serin_mqtt_settle(client, PACKET_SUBACK, id)) {
        event->kind = SERIN_MQTT_SUBSCRIBED;
        event->id = id;
        event->code = body[2];
        event->error = body[2] == 0x80 ? SERIN_ERR_DENIED : SERIN_OK;
    }
    return SERIN_OK;
}

static enum serin_error take_pingresp(struct serin_mqtt_client *client,
                                      struct serin_mqtt_client_event *event)
{
    (void)event;
    client->counts.unasked += client->ping_waits ? 0u : 1u;
    client->ping_waits = false;
    return SERIN_OK;
}

/* ---- a message that is larger than the inbox ---- */

/* Of what goes by, the length of the topic and the id behind it are kept. */
static void skip(struct serin_mqtt_client *client, const uint8_t *bytes, size_t count)
{
    struct serin_mqtt_incoming *in = &client->in;
    for (size_t i = 0; i < count; i++) {
        uint32_t offset = in->done + (uint32_t)i;
        if (offset < 2) {
            in->topic_size = (uint16_t)(in->topic_size << 8 | bytes[i]);
        } else if (offset - 2 >= in->topic_size && offset - 2 < in->topic_size + 2u) {
            in->skip_id = (uint16_t)(in->skip_id << 8 | bytes[i]);
        }
    }
}

static enum serin_error end_skip(struct serin_mqtt_client *client)
{
    const struct serin_mqtt_incoming *in = &client->in;
    bool has_id = QOS(in->first) > 0;
    if (in->topic_size == 0 || 2u + in->topic_size + (has_id ? 2u : 0u) > in->size ||
        (has_id && in->skip_id == 0)) {
        return SERIN_ERR_FORMAT;
    }
    client->counts.skipped++;
    if (has_id) {
        bool queued = serin_mqtt_put_puback(client, in->skip_id);
        SERIN_ASSERT(queued); /* of the reserve */
    }
    return SERIN_OK;
}

/* ---- framing ---- */

static bool publish_flags_valid(uint8_t first)
{
    return QOS(first) <= 1 && (QOS(first) > 0 || (first & DUPLICATE) == 0);
}

/* The packet is as long as `size` says: is it one that may come now? */
static enum serin_error begin_body(struct serin_mqtt_client *client)
{
    struct serin_mqtt_incoming *in = &client->in;
    const struct packet_rule *rule = &rules[in->first >> 4];
    bool publish = in->first >> 4 == PACKET_PUBLISH;
    if (rule->take == NULL || rule->state != client->state || in->size < rule->least ||
        in->size > rule->most ||
        !(publish ? publish_flags_valid(in->first) : (in->first & 0x0fu) == 0)) {
        return SERIN_ERR_FORMAT;
    }
    in->phase = in->size <= client->config.inbox_size ? PHASE_BODY : PHASE_SKIP;
    return SERIN_OK;
}

static enum serin_error take_length_byte(struct serin_mqtt_client *client, uint8_t byte)
{
    struct serin_mqtt_incoming *in = &client->in;
    in->size |= (uint32_t)(byte & 0x7fu) << 7 * in->length_bytes;
    in->length_bytes++;
    if ((byte & 0x80u) == 0) {
        return begin_body(client);
    }
    return in->length_bytes < LENGTH_BYTES_MAX ? SERIN_OK : SERIN_ERR_FORMAT;
}

/* Where the next bytes go, and how many of them; 0: the packet is complete. */
static size_t wanted(struct serin_mqtt_client *client, uint8_t **out)
{
    struct serin_mqtt_incoming *in = &client->in;
    size_t left = in->size - in->done;
    *out = client->config.inbox;
    switch ((enum phase)in->phase) {
    case PHASE_BODY:
        *out += in->done;
        return left;
    case PHASE_SKIP:
        return left < client->config.inbox_size ? left : client->config.inbox_size;
    case PHASE_FIRST:
    case PHASE_LENGTH:
    default:
        return 1;
    }
}

/* `count` bytes have come for what `wanted` said. */
static enum serin_error advance(struct serin_mqtt_client *client, const uint8_t *bytes,
                                size_t count)
{
    struct serin_mqtt_incoming *in = &client->in;
    switch ((enum phase)in->phase) {
    case PHASE_FIRST:
        *in = (struct serin_mqtt_incoming){.phase = PHASE_LENGTH, .first = bytes[0]};
        return SERIN_OK;
    case PHASE_LENGTH:
        return take_length_byte(client, bytes[0]);
    case PHASE_SKIP:
        skip(client, bytes, count);
        break;
    case PHASE_BODY:
    default:
        break;
    }
    in->done += (uint32_t)count;
    return SERIN_OK;
}

static bool complete(const struct serin_mqtt_client *client)
{
    const struct serin_mqtt_incoming *in = &client->in;
    return (in->phase == PHASE_BODY || in->phase == PHASE_SKIP) && in->done == in->size;
}

static enum serin_error end_packet(struct serin_mqtt_client *client,
                                   struct serin_mqtt_client_event *event)
{
    bool skipped = client->in.phase == PHASE_SKIP;
    client->in.phase = PHASE_FIRST;
    return skipped ? end_skip(client) : rules[client->in.first >> 4].take(client, event);
}

/* Receives once. *dry: nothing was there. */
static enum serin_error receive(struct serin_mqtt_client *client,
                                struct serin_mqtt_client_event *event, bool *dry)
{
    const struct serin_mqtt_client_config *config = &client->config;
    uint8_t *out = NULL;
    size_t want = wanted(client, &out), count = 0;
    if (config->stream->receive(config->stream_ctx, out, want, &count) != SERIN_OK) {
        return SERIN_ERR_NETWORK;
    }
    SERIN_ASSERT(count <= want);
    if (count == 0) {
        *dry = true;
        return SERIN_OK;
    }
    client->received_ms = client->now_ms;
    client->ping_ms = client->clock_ms; /* who sends is alive, whatever the order of the answers */
    enum serin_error error = advance(client, out, count);
    return error == SERIN_OK && complete(client) ? end_packet(client, event) : error;
}

enum serin_error serin_mqtt_intake(struct serin_mqtt_client *client,
                                   struct serin_mqtt_client_event *event, bool *dry)
{
    *dry = false;
    for (unsigned i = 0; i < READS_MAX; i++) {
        /* What a packet may have to be answered with has its room before the packet begins. */
        if (client->in.phase == PHASE_FIRST &&
            serin_mqtt_room(client) < SERIN_MQTT_CLIENT_RESERVE) {
            *dry = true;
            return SERIN_OK;
        }
        enum serin_error error = receive(client, event, dry);
        if (error != SERIN_OK || *dry || event->kind != SERIN_MQTT_NOTHING) {
            return error;
        }
    }
    return SERIN_OK;
}
