/*
 * The played stream, and the client on it (mqtt_play.h).
 */
#include "mqtt_play.h"

#include <ctype.h>
#include <stdio.h>

struct mqtt_play play;

/* ---- the stream ---- */

static enum serin_error stream_open(void *ctx)
{
    struct played_stream *stream = ctx;
    ck_assert(!stream->open);
    if (stream->open_error == SERIN_OK) {
        stream->open = true;
        stream->opened++;
    }
    return stream->open_error;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static enum serin_error stream_send(void *ctx, const uint8_t *data, size_t size, size_t *sent)
{
    struct played_stream *stream = ctx;
    ck_assert(stream->open);
    if (stream->send_fails) {
        return SERIN_ERR_NETWORK;
    }
    size_t count = least(least(size, stream->send_piece), stream->send_room);
    ck_assert_uint_le(stream->out_size + count, sizeof stream->out);
    memcpy(stream->out + stream->out_size, data, count);
    stream->out_size += count;
    stream->send_room -= stream->send_room == SIZE_MAX ? 0 : count;
    *sent = count;
    return SERIN_OK;
}

static enum serin_error stream_receive(void *ctx, uint8_t *out, size_t capacity, size_t *received)
{
    struct played_stream *stream = ctx;
    ck_assert(stream->open && capacity > 0);
    size_t count = least(least(capacity, stream->receive_piece), stream->in_size - stream->in_at);
    if (count == 0 && stream->receive_fails) {
        return SERIN_ERR_NETWORK;
    }
    memcpy(out, stream->in + stream->in_at, count);
    stream->in_at += count;
    *received = count;
    return SERIN_OK;
}

static void stream_close(void *ctx)
{
    struct played_stream *stream = ctx;
    ck_assert(stream->open);
    stream->open = false;
    stream->closed++;
}

static const struct serin_stream_ops stream_ops = {
    .open = stream_open, .send = stream_send, .receive = stream_receive, .close = stream_close};

/* ---- the client ---- */

void play_start_sized(size_t inbox, size_t outbox)
{
    free(play.inbox);
    free(play.outbox);
    memset(&play, 0, sizeof play);
    play.inbox = malloc(inbox);
    play.outbox = malloc(outbox);
    play.stream.send_piece = play.stream.receive_piece = play.stream.send_room = SIZE_MAX;
    play.config = (struct serin_mqtt_client_config){.stream = &stream_ops,
                                                    .stream_ctx = &play.stream,
                                                    .client_id = "d-7",
                                                    .keep_alive_s = 60,
                                                    .connect_ms = 20000,
                                                    .answer_ms = 10000,
                                                    .inbox = play.inbox,
                                                    .inbox_size = inbox,
                                                    .outbox = play.outbox,
                                                    .outbox_size = outbox};
    ck_assert_int_eq(serin_mqtt_client_init(&play.client, &play.config), SERIN_OK);
}

void play_start(void)
{
    play_start_sized(PLAY_INBOX, PLAY_OUTBOX);
}

void play_say_bytes(const uint8_t *bytes, size_t size)
{
    struct played_stream *stream = &play.stream;
    ck_assert_uint_le(stream->in_size + size, sizeof stream->in);
    memcpy(stream->in + stream->in_size, bytes, size);
    stream->in_size += size;
}

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t size = 0;
    unsigned value = 0, digits = 0;
    for (; *hex != '\0'; hex++) {
        if (!isxdigit((unsigned char)*hex)) {
            continue;
        }
        unsigned digit = isdigit((unsigned char)*hex) ? (unsigned)(*hex - '0')
                                                      : (unsigned)(tolower(*hex) - 'a' + 10);
        value = value << 4 | digit;
        if (++digits % 2 == 0) {
            out[size++] = (uint8_t)value;
        }
    }
    ck_assert_uint_eq(digits % 2, 0);
    return size;
}

void play_say(const char *hex)
{
    uint8_t bytes[1024];
    ck_assert_uint_lt(strlen(hex), 2 * sizeof bytes);
    play_say_bytes(bytes, from_hex(hex, bytes));
}

void play_say_publish(uint8_t flags, const char *topic, uint16_t id, size_t size)
{
    static uint8_t packet[PLAY_BYTES];
    size_t topic_size = strlen(topic), at = 0;
    size_t body = 2 + topic_size + (id != 0 ? 2u : 0u) + size;
    packet[at++] = (uint8_t)(0x30u | flags);
    do {
        packet[at++] = (uint8_t)(body % 128 | (body >= 128 ? 128u : 0u));
        body /= 128;
    } while (body > 0);
    packet[at++] = (uint8_t)(topic_size >> 8);
    packet[at++] = (uint8_t)topic_size;
    memcpy(packet + at, topic, topic_size);
    at += topic_size;
    if (id != 0) {
        packet[at++] = (uint8_t)(id >> 8);
        packet[at++] = (uint8_t)id;
    }
    for (size_t i = 0; i < size; i++) {
        packet[at++] = (uint8_t)i;
    }
    play_say_bytes(packet, at);
}

enum serin_mqtt_event_kind play_step(void)
{
    return serin_mqtt_client_step(&play.client, play.now_ms, &play.event);
}

void play_quiet(void)
{
    size_t at = SIZE_MAX, out = SIZE_MAX;
    while (at != play.stream.in_at || out != play.stream.out_size) {
        at = play.stream.in_at;
        out = play.stream.out_size;
        enum serin_mqtt_event_kind kind = play_step();
        ck_assert_msg(kind == SERIN_MQTT_NOTHING, "event %d, %s", kind,
                      serin_error_name(play.event.error));
    }
}

void play_expect(enum serin_mqtt_event_kind kind)
{
    enum serin_mqtt_event_kind got = SERIN_MQTT_NOTHING;
    size_t at = SIZE_MAX, out = SIZE_MAX;
    while (got == SERIN_MQTT_NOTHING && (at != play.stream.in_at || out != play.stream.out_size)) {
        at = play.stream.in_at;
        out = play.stream.out_size;
        got = play_step();
    }
    ck_assert_msg(got == kind, "event %d instead of %d, %s", got, kind,
                  serin_error_name(play.event.error));
}

void play_expect_lost(enum serin_error error)
{
    unsigned closed = play.stream.closed;
    play_expect(SERIN_MQTT_LOST);
    ck_assert_msg(play.event.error == error, "%s", serin_error_name(play.event.error));
    ck_assert_uint_eq(play.stream.closed, closed + 1);
    ck_assert(!serin_mqtt_client_connected(&play.client));
    ck_assert_int_eq(play_step(), SERIN_MQTT_NOTHING); /* it is told once */
}

void play_connected(void)
{
    ck_assert_int_eq(serin_mqtt_client_connect(&play.client, play.now_ms), SERIN_OK);
    play_say("20 02 00 00");
    play_expect(SERIN_MQTT_CONNECTED);
    ck_assert(serin_mqtt_client_connected(&play.client));
    play.stream.out_size = 0;
}

void play_sent(const char *hex)
{
    uint8_t bytes[1024];
    ck_assert_uint_lt(strlen(hex), 2 * sizeof bytes);
    size_t size = from_hex(hex, bytes);
    if (play.stream.out_size != size || memcmp(play.stream.out, bytes, size) != 0) {
        fprintf(stderr, "went out:");
        for (size_t i = 0; i < play.stream.out_size && i < 64; i++) {
            fprintf(stderr, " %02x", play.stream.out[i]);
        }
        ck_abort_msg(" instead of %s", hex);
    }
    play.stream.out_size = 0;
}
