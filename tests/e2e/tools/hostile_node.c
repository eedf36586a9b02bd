/*
 * hostile_node: a node with a certificate of its own that asks its site for what it must not have.
 *
 *   hostile_node PORT PKI ID OBJECT      OBJECT: an image that the site offers, as hex
 *
 * It asks for an object that nobody offers, for a range past the end, for a window of 4 GiB, and
 * then asks on and on without reading a byte. Exit status 0 only if every answer was right: nothing
 * unknown, nothing past the end, no window over the bound, and a broker that went on.
 */
#define _POSIX_C_SOURCE 200809L

#include <serin/adapters/protobufc.h>
#include <serin/topic.h>

#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WINDOW_LIMIT 262144u /* plugin_opt_window_bytes of configs/mosquitto-site.conf at most */
#define ANSWER_MS    15000u
#define FLOOD_COUNT  4000u

struct node {
    struct mosquitto *client;
    char topic_get[SERIN_TOPIC_MAX], topic_block[SERIN_TOPIC_MAX];
    uint32_t token;
    bool connected, answered;
    enum serin_block_status status;
    uint32_t window_end, object_size, bytes;
};

static _Noreturn void fail(const char *what)
{
    printf("hostile_node: %s\n", what);
    exit(1);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void on_subscribed(struct mosquitto *client, void *arg, int id, int count,
                          const int *granted)
{
    struct node *node = arg;
    (void)client;
    (void)id;
    node->connected = count == 1 && granted[0] < 3;
}

static void on_message(struct mosquitto *client, void *arg, const struct mosquitto_message *message)
{
    struct node *node = arg;
    struct serin_block block;
    (void)client;
    if (serin_protobufc()->decode_block(message->payload, (size_t)message->payloadlen, &block) !=
        SERIN_OK) {
        fail("a block does not decode");
    }
    if (block.token != node->token) {
        return;
    }
    node->answered = true;
    node->status = block.status;
    node->window_end = block.window_end;
    node->object_size = block.object_size;
    node->bytes += (uint32_t)block.data_size;
}

static void loop_until(struct node *node, const bool *flag, uint32_t ms, const char *what)
{
    uint64_t end = now_ms() + ms;
    while (!*flag) {
        if (mosquitto_loop(node->client, 50, 1) != MOSQ_ERR_SUCCESS || now_ms() > end) {
            fail(what);
        }
    }
}

static void send_get(struct node *node, const uint8_t *object, uint32_t offset, uint32_t length)
{
    struct serin_get get = {.offset = offset,
                            .length = length,
                            .block_size = 16384,
                            .token = node->token + 1,
                            .done_token = node->token};
    uint8_t payload[SERIN_GET_MAX];
    size_t size = 0;
    memcpy(get.object, object, sizeof get.object);
    if (serin_protobufc()->encode_get(&get, payload, sizeof payload, &size) != SERIN_OK) {
        fail("a request does not encode");
    }
    node->token = get.token;
    node->answered = false;
    node->bytes = 0;
    (void)mosquitto_publish(node->client, NULL, node->topic_get, (int)size, payload, 0, false);
}

/* The answer to one request; BUSY is asked again. */
static enum serin_block_status ask(struct node *node, const uint8_t *object, uint32_t offset,
                                   uint32_t length)
{
    uint64_t end = now_ms() + ANSWER_MS;
    do {
        send_get(node, object, offset, length);
        loop_until(node, &node->answered, ANSWER_MS, "a request was not answered");
        if (node->status == SERIN_BLOCK_BUSY) {
            uint64_t wake = now_ms() + 300;
            while (now_ms() < wake) {
                (void)mosquitto_loop(node->client, 50, 1);
            }
        }
    } while (node->status == SERIN_BLOCK_BUSY && now_ms() < end);
    return node->status;
}

static void connect_node(struct node *node, int port, const char *pki, const char *id)
{
    char ca[512];
    char certificate[512];
    char key[512];
    (void)snprintf(ca, sizeof ca, "%s/ca.pem", pki);
    (void)snprintf(certificate, sizeof certificate, "%s/devices/%s.pem", pki, id);
    (void)snprintf(key, sizeof key, "%s/devices/%s.key", pki, id);
    serin_topic_device(SERIN_TOPIC_DEV_GET, id, node->topic_get);
    serin_topic_device(SERIN_TOPIC_DEV_BLOCK, id, node->topic_block);
    node->client = mosquitto_new(id, true, node);
    if (node->client == NULL ||
        mosquitto_tls_set(node->client, ca, NULL, certificate, key, NULL) != MOSQ_ERR_SUCCESS) {
        fail("cannot set the certificates");
    }
    mosquitto_message_callback_set(node->client, on_message);
    mosquitto_subscribe_callback_set(node->client, on_subscribed);
    if (mosquitto_connect(node->client, "127.0.0.1", port, 60) != MOSQ_ERR_SUCCESS ||
        mosquitto_subscribe(node->client, NULL, node->topic_block, 0) != MOSQ_ERR_SUCCESS) {
        fail("cannot connect");
    }
    loop_until(node, &node->connected, ANSWER_MS, "cannot subscribe");
}

/* Asks on and on and reads nothing: only writes are driven. */
static void flood(struct node *node, const uint8_t *object)
{
    for (unsigned i = 0; i < FLOOD_COUNT; i++) {
        send_get(node, object, 0, UINT32_MAX);
        if (mosquitto_loop_write(node->client, 1) != MOSQ_ERR_SUCCESS) {
            printf("   the broker hung up after %u requests\n", i);
            return;
        }
    }
}

int main(int argc, char **argv)
{
    uint8_t object[SERIN_SHA256_SIZE];
    uint8_t unknown[SERIN_SHA256_SIZE];
    struct node node = {.token = 1000};
    if (argc != 5 || serin_hex_decode(argv[4], object, sizeof object) != SERIN_OK) {
        (void)fprintf(stderr, "usage: hostile_node PORT PKI ID OBJECT\n");
        return 2;
    }
    memset(unknown, 0xa5, sizeof unknown);
    (void)mosquitto_lib_init();
    connect_node(&node, atoi(argv[1]), argv[2], argv[3]);

    enum serin_block_status status = ask(&node, unknown, 0, 4096);
    if (status != SERIN_BLOCK_REFUSED) {
        fail("an object that nobody offers was not refused");
    }
    status = ask(&node, object, 0, UINT32_MAX);
    if (status != SERIN_BLOCK_DATA || node.window_end == 0 || node.window_end > WINDOW_LIMIT ||
        node.window_end > node.object_size) {
        fail("a window of 4 GiB was not cut");
    }
    uint32_t size = node.object_size;
    static const uint32_t length[] = {4096, UINT32_MAX};
    for (unsigned i = 0; i < 2; i++) {
        status = ask(&node, object, i == 0 ? size : UINT32_MAX, length[i]);
        if (status != SERIN_BLOCK_RANGE) {
            printf("   offset %u of %u: status %d\n", i == 0 ? size : UINT32_MAX, size, status);
            fail("a range past the end was not named so");
        }
    }
    flood(&node, object);
    mosquitto_destroy(node.client);
    (void)mosquitto_lib_cleanup();
    printf("refused what nobody offers, cut 4 GiB, named ranges past the end, %u requests unread\n",
           FLOOD_COUNT);
    return 0;
}
