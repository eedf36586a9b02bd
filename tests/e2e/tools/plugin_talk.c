/*
 * plugin_talk: one client of a broker, led by commands on its standard input, which tells on its
 * standard output what it hears. It plays a node, or the gateway of a site.
 *
 *   plugin_talk PORT PKI ID FILTER…      subscribes to the filters, prints "ready"
 *
 *   get OBJECT OFFSET LENGTH BLOCK TOKEN DONE     a request for blocks, as ID
 *   publish QOS RETAIN TOPIC FILE                 the file as a message
 *   part OBJECT SIZE fresh|more [START END]…      depot/have: ranges of a part file
 *   whole OBJECT SIZE                             depot/have: it stands under its name
 *   absent OBJECT STATUS RETRY                    depot/have: not to be had
 *   data OBJECT FILE INDEX [COUNT]                depot/have: COUNT (1) pieces of FILE from INDEX
 * on sync                                          prints "synced" when the broker has dealt with
 *                                                 all of the above
 *
 * What it prints, a line each, with milliseconds since the start: blocks (`crc` is that of the
 * data), wants, and other messages by topic and size. It ends with its standard input, or with
 * status 1 when the connection is lost.
 */
#include "plugin_tool.h"

#include <serin/adapters/protobufc.h>
#include <serin/crc32.h>
#include <serin/piece.h>
#include <serin/topic.h>

#include <mosquitto.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 160

static struct mosquitto *broker;
static const char *own_id;
static int filter_count;
static char **filters;
static uint64_t started_ms;
static int sync_mid;

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- what it hears ---- */

static void print_block(const struct mosquitto_message *message)
{
    struct serin_block block;
    must(serin_protobufc()->decode_block(message->payload, (size_t)message->payloadlen, &block),
         "block");
    if (serin_crc32(0, block.data, block.data_size) != block.crc32 && block.data_size > 0) {
        fail("block", "wrong CRC32");
    }
    printf("block token=%u status=%d offset=%u size=%zu end=%u object=%u retry=%u crc=%08x",
           block.token, (int)block.status, block.offset, block.data_size, block.window_end,
           block.object_size, block.retry_ms, block.crc32);
}

static void print_want(const struct mosquitto_message *message)
{
    struct serin_want want;
    char hex[SERIN_SHA256_HEX_SIZE];
    must(serin_protobufc_site()->decode_want(message->payload, (size_t)message->payloadlen, &want),
         "want");
    serin_hex_encode(want.object, sizeof want.object, hex);
    printf("want kind=%d object=%s offset=%u length=%u served=%llu", (int)want.kind, hex,
           want.offset, want.length, (unsigned long long)want.served_bytes);
}

static void on_message(struct mosquitto *mosquitto, void *ctx,
                       const struct mosquitto_message *message)
{
    (void)mosquitto;
    (void)ctx;
    struct serin_topic topic;
    must(serin_topic_parse(message->topic, &topic), message->topic);
    if (topic.kind == SERIN_TOPIC_DEV_BLOCK) {
        print_block(message);
    } else if (topic.kind == SERIN_TOPIC_DEPOT_WANT) {
        print_want(message);
    } else {
        printf("message %s %d", message->topic, message->payloadlen);
    }
    printf(" at=%llu\n", (unsigned long long)(now_ms() - started_ms));
    fflush(stdout);
}

static void on_connect(struct mosquitto *mosquitto, void *ctx, int result)
{
    (void)ctx;
    if (result != 0) {
        fail("connect", mosquitto_connack_string(result));
    }
    (void)mosquitto_subscribe_multiple(mosquitto, NULL, filter_count, filters, 1, 0, NULL);
}

static void on_subscribe(struct mosquitto *mosquitto, void *ctx, int mid, int count,
                         const int *granted)
{
    (void)mosquitto;
    (void)ctx;
    (void)mid;
    for (int i = 0; i < count; i++) {
        if (granted[i] > 2) {
            fail(filters[i], "the subscription is refused");
        }
    }
    printf("ready\n");
    fflush(stdout);
}

static void on_publish(struct mosquitto *mosquitto, void *ctx, int mid)
{
    (void)mosquitto;
    (void)ctx;
    if (mid == sync_mid) {
        printf("synced\n");
        fflush(stdout);
    }
}

/* ---- what it is told ---- */

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

static void object_of(const char *hex, uint8_t object[SERIN_SHA256_SIZE])
{
    must(serin_hex_decode(hex, object, SERIN_SHA256_SIZE), hex);
}

static void send_on(const char *topic, const void *payload, size_t size, int qos, bool retain)
{
    int result = mosquitto_publish(broker, NULL, topic, (int)size, payload, qos, retain);
    if (result != MOSQ_ERR_SUCCESS) {
        fail(topic, mosquitto_strerror(result));
    }
}

static void send_have(const struct serin_have *have)
{
    uint8_t out[SERIN_HAVE_MAX];
    size_t size = 0;
    must(serin_protobufc_site()->encode_have(have, out, sizeof out, &size), "have");
    send_on(SERIN_TOPIC_PREFIX "depot/have", out, size, 0, false);
}

static void do_get(char **words, int count)
{
    (void)count;
    struct serin_get get = {.offset = number(words[2]),
                            .length = number(words[3]),
                            .block_size = number(words[4]),
                            .token = number(words[5]),
                            .done_token = number(words[6])};
    uint8_t out[SERIN_GET_MAX];
    char topic[SERIN_TOPIC_MAX];
    size_t size = 0;
    object_of(words[1], get.object);
    must(serin_protobufc()->encode_get(&get, out, sizeof out, &size), "get");
    serin_topic_device(SERIN_TOPIC_DEV_GET, own_id, topic);
    send_on(topic, out, size, 0, false);
}

static void do_publish(char **words, int count)
{
    (void)count;
    size_t size = 0;
    uint8_t *data = read_file(words[4], &size);
    send_on(words[3], data, size, (int)number(words[1]), number(words[2]) != 0);
    free(data);
}

static void do_part(char **words, int count)
{
    struct serin_have have = {.kind = SERIN_HAVE_PART,
                              .object_size = number(words[2]),
                              .fresh = strcmp(words[3], "fresh") == 0};
    object_of(words[1], have.object);
    for (int i = 4; i + 1 < count; i += 2) {
        have.ranges[have.range_count++] =
            (struct serin_range){number(words[i]), number(words[i + 1])};
    }
    send_have(&have);
}

static void do_whole(char **words, int count)
{
    (void)count;
    struct serin_have have = {.kind = SERIN_HAVE_WHOLE, .object_size = number(words[2])};
    object_of(words[1], have.object);
    send_have(&have);
}

static void do_absent(char **words, int count)
{
    (void)count;
    struct serin_have have = {.kind = SERIN_HAVE_ABSENT,
                              .status = (enum serin_block_status)number(words[2]),
                              .retry_ms = number(words[3])};
    object_of(words[1], have.object);
    send_have(&have);
}

static void do_data(char **words, int count)
{
    size_t size = 0;
    uint8_t *file = read_file(words[2], &size);
    uint32_t first = number(words[3]);
    uint32_t end = first + (count > 4 ? number(words[4]) : 1);
    for (uint32_t index = first; index < end; index++) {
        struct serin_have have = {.kind = SERIN_HAVE_DATA,
                                  .object_size = (uint32_t)size,
                                  .data_offset = index * SERIN_PIECE_SIZE,
                                  .data = file + index * SERIN_PIECE_SIZE,
                                  .data_size = serin_piece_size((uint32_t)size, index)};
        object_of(words[1], have.object);
        send_have(&have);
    }
    free(file);
}

/* Nobody may publish there, but by MQTT 3.1.1 even so it is acknowledged, in its turn. */
static void do_sync(char **words, int count)
{
    (void)words;
    (void)count;
    (void)mosquitto_publish(broker, &sync_mid, "sync", 0, NULL, 1, false);
}

static const struct {
    const char *name;
    int words;
    void (*act)(char **words, int count);
} commands[] = {{"get", 7, do_get},     {"publish", 5, do_publish}, {"part", 4, do_part},
                {"whole", 3, do_whole}, {"absent", 4, do_absent},   {"data", 4, do_data},
                {"sync", 1, do_sync}};

static void obey(char *line)
{
    char *words[WORDS_MAX];
    int count = 0;
    for (char *word = strtok(line, " \n"); word != NULL && count < WORDS_MAX;
         word = strtok(NULL, " \n")) {
        words[count++] = word;
    }
    for (size_t i = 0; count > 0 && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(words[0], commands[i].name) == 0 && count >= commands[i].words) {
            commands[i].act(words, count);
            return;
        }
    }
    fail(count > 0 ? words[0] : "", "no such command, or too few words");
}

/* Obeys the whole lines that can be read now; false: the input has ended. */
static bool take_input(void)
{
    static char text[16384];
    static size_t have;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&input, 1, 0) <= 0) {
        return true;
    }
    ssize_t got = read(STDIN_FILENO, text + have, sizeof text - 1 - have);
    if (got <= 0) {
        return false;
    }
    have += (size_t)got;
    text[have] = '\0';
    for (char *end = strchr(text, '\n'); end != NULL; end = strchr(text, '\n')) {
        *end = '\0';
        size_t used = (size_t)(end - text) + 1;
        obey(text);
        memmove(text, text + used, have - used + 1);
        have -= used;
    }
    return true;
}

int main(int argc, char **argv)
{
    char ca[512], cert[512], key[512];
    if (argc < 5) {
        fputs("plugin_talk: see the head of tests/e2e/tools/plugin_talk.c\n", stderr);
        return 2;
    }
    started_ms = now_ms();
    own_id = argv[3];
    filters = argv + 4;
    filter_count = argc - 4;
    snprintf(ca, sizeof ca, "%s/ca.pem", argv[2]);
    snprintf(cert, sizeof cert, "%s/devices/%s.pem", argv[2], own_id);
    snprintf(key, sizeof key, "%s/devices/%s.key", argv[2], own_id);
    (void)mosquitto_lib_init();
    broker = mosquitto_new(own_id, true, NULL);
    if (broker == NULL || mosquitto_tls_set(broker, ca, NULL, cert, key, NULL) != 0) {
        fail("TLS", "cannot be set up");
    }
    mosquitto_connect_callback_set(broker, on_connect);
    mosquitto_subscribe_callback_set(broker, on_subscribe);
    mosquitto_message_callback_set(broker, on_message);
    mosquitto_publish_callback_set(broker, on_publish);
    if (mosquitto_connect(broker, "127.0.0.1", atoi(argv[1]), 30) != 0) {
        fail("connect", "refused");
    }
    while (take_input()) {
        int result = mosquitto_loop(broker, 10, 1);
        if (result != MOSQ_ERR_SUCCESS) {
            fail("connection", mosquitto_strerror(result));
        }
    }
    (void)mosquitto_disconnect(broker);
    mosquitto_destroy(broker);
    (void)mosquitto_lib_cleanup();
    return 0;
}
