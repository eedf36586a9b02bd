/*
 * A board's MQTT client against a broker that says anything: the first three bytes of the input
 * choose the sizes of inbox and pieces, the rest is what the broker sends. Whatever it is, what is
 * told lies within the inbox, what goes out is whole packets, and each message of QoS 1 that was
 * told is acknowledged.
 */
#include "fuzz.h"

#include <serin/ports/mqtt.h>

#include <string.h>

#define INBOX_MAX  (SERIN_MQTT_CLIENT_INBOX_MIN + 255u)
#define OUT_MAX    65536u
#define STEPS_MORE 64u /* beside one for each byte */

struct fuzzed_stream {
    const uint8_t *in;
    size_t in_left, in_piece, out_piece, out_size;
    uint8_t out[OUT_MAX];
};

static enum serin_error open_stream(void *ctx)
{
    (void)ctx;
    return SERIN_OK;
}

static void close_stream(void *ctx)
{
    (void)ctx;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static enum serin_error send_stream(void *ctx, const uint8_t *data, size_t size, size_t *sent)
{
    struct fuzzed_stream *stream = ctx;
    *sent = least(least(size, stream->out_piece), OUT_MAX - stream->out_size);
    memcpy(stream->out + stream->out_size, data, *sent);
    stream->out_size += *sent;
    return SERIN_OK;
}

static enum serin_error receive_stream(void *ctx, uint8_t *out, size_t capacity, size_t *received)
{
    struct fuzzed_stream *stream = ctx;
    *received = least(least(capacity, stream->in_piece), stream->in_left);
    memcpy(out, stream->in, *received);
    stream->in += *received;
    stream->in_left -= *received;
    return SERIN_OK;
}

static const struct serin_stream_ops ops = {
    .open = open_stream, .send = send_stream, .receive = receive_stream, .close = close_stream};

static struct fuzzed_stream stream;
static struct serin_mqtt_client client;
static uint8_t inbox[INBOX_MAX], outbox[SERIN_MQTT_CLIENT_OUTBOX_MIN + 64];

static void check_message(const struct serin_mqtt_client_event *event, size_t inbox_size)
{
    const uint8_t *topic = (const uint8_t *)event->topic;
    SERIN_ASSERT(topic == inbox && memchr(topic, '\0', inbox_size) != NULL);
    size_t length = strlen(event->topic);
    SERIN_ASSERT(length > 0 && strcspn(event->topic, "+#") == length);
    SERIN_ASSERT(event->payload > topic + length &&
                 event->payload + event->size <= inbox + inbox_size);
    SERIN_ASSERT(event->qos <= 1 && (event->qos == 1) == (event->id != 0));
}

/* What went out, packet by packet; gives how many acknowledgements. The last one may be cut. */
static size_t check_out(void)
{
    size_t acks = 0, at = 0;
    while (at + 2 <= stream.out_size) {
        uint8_t type = stream.out[at] >> 4;
        SERIN_ASSERT(type == 1 || type == 3 || type == 4 || type == 8 || type == 12);
        SERIN_ASSERT((type == 1) == (at == 0) && stream.out[at + 1] < 128);
        at += 2u + stream.out[at + 1];
        acks += type == 4 && at <= stream.out_size ? 1u : 0u;
    }
    return acks;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct serin_mqtt_client_event event;
    struct serin_mqtt_client_counts counts;
    if (size < 3) {
        return 0;
    }
    size_t inbox_size = SERIN_MQTT_CLIENT_INBOX_MIN + data[0];
    stream.in = data + 3;
    stream.in_left = size - 3;
    stream.in_piece = 1u + data[1];
    stream.out_piece = 1u + data[2];
    stream.out_size = 0;
    const struct serin_mqtt_client_config config = {.stream = &ops,
                                                    .stream_ctx = &stream,
                                                    .client_id = "fuzz",
                                                    .keep_alive_s = 60,
                                                    .connect_ms = 10000,
                                                    .answer_ms = 10000,
                                                    .inbox = inbox,
                                                    .inbox_size = inbox_size,
                                                    .outbox = outbox,
                                                    .outbox_size = sizeof outbox};
    enum serin_error error = serin_mqtt_client_init(&client, &config);
    SERIN_ASSERT(error == SERIN_OK);
    error = serin_mqtt_client_connect(&client, 0);
    SERIN_ASSERT(error == SERIN_OK);
    size_t owed = 0;
    uint64_t now_ms = 0;
    enum serin_mqtt_event_kind kind = SERIN_MQTT_NOTHING;
    for (size_t i = 0; i < size + STEPS_MORE && kind != SERIN_MQTT_LOST; i++) {
        kind = serin_mqtt_client_step(&client, now_ms, &event);
        if (kind == SERIN_MQTT_MESSAGE) {
            check_message(&event, inbox_size);
            owed += event.qos;
        } else if (kind == SERIN_MQTT_CONNECTED || kind == SERIN_MQTT_PUBLISHED) {
            uint16_t id = 0;
            error = serin_mqtt_client_subscribe(&client, "f/+", 1, &id);
            SERIN_ASSERT(error == SERIN_OK || error == SERIN_ERR_AGAIN);
            error = serin_mqtt_client_publish(&client, "t", 1, false, data, 2, &id);
            SERIN_ASSERT(error == SERIN_OK || error == SERIN_ERR_AGAIN);
        }
        now_ms += data[2];
    }
    serin_mqtt_client_counted(&client, &counts);
    size_t acks = check_out();
    SERIN_ASSERT(acks <= owed + counts.skipped);
    SERIN_ASSERT(kind == SERIN_MQTT_LOST || client.out_used > 0 || stream.out_size == OUT_MAX ||
                 acks >= owed);
    return 0;
}
