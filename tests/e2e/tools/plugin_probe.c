/*
 * plugin_probe: what the test of the plugin needs and mosquitto_pub cannot do: payloads in Serin's
 * format, objects in a depot, and clients that ask for blocks, honest ones and greedy ones.
 *
 *   payload KIND [KEY=VALUE …]               writes a payload to stdout
 *   store DEPOT FILE                         stores an object; prints its name
 *   release DEPOT IMAGE                      stores image, piece table, manifest; prints names
 *   part DEPOT OBJECT FILE START END         writes that range of FILE to the object's part file
 *   finish DEPOT OBJECT                      ends the part file
 *   fetch PORT PKI ID OBJECT OUT BLOCK WINDOW   downloads an object; prints what was seen
 *   greedy PORT PKI ID OBJECT COUNT          sends COUNT requests and acknowledges none
 *
 * Signatures in what it makes are not valid: the plugin does not check them, devices do.
 */
#include "plugin_tool.h"

#include <serin/adapters/depot.h>
#include <serin/adapters/openssl.h>
#include <serin/adapters/protobufc.h>
#include <serin/crc32.h>
#include <serin/piece.h>
#include <serin/topic.h>
#include <serin/trust.h>

#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- objects ---- */

static void put(struct serin_depot *depot, const uint8_t *data, size_t size, uint8_t name[32],
                const char *label)
{
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_sha256_of(serin_openssl_hashing(), data, size, name);
    must(serin_depot_put(depot, name, data, size), "depot");
    serin_hex_encode(name, 32, hex);
    printf("%s=%s\n", label, hex);
}

static int store(const char *root, const char *path, bool with_manifest)
{
    struct serin_depot *depot;
    size_t size = 0;
    uint8_t name[32];
    uint8_t *image = read_file(path, &size);
    must(serin_depot_create(&depot, root, serin_openssl_hashing()), root);
    put(depot, image, size, name, "image");
    if (with_manifest) {
        struct serin_manifest manifest = {.vendor = "v",
                                          .product = "lamp",
                                          .component = "app",
                                          .hw_min = 1,
                                          .hw_max = 9,
                                          .version = {1, 0, 0},
                                          .image_size_bytes = (uint32_t)size,
                                          .image_crc32 = serin_crc32(0, image, size),
                                          .slot_mask = 3,
                                          .confirm_window_s = 60,
                                          .confirm_tries = 3};
        must(serin_text_copy(manifest.channels[0], sizeof manifest.channels[0], "stable"),
             "channel");
        memcpy(manifest.image_sha256, name, 32);
        uint32_t count = serin_piece_count((uint32_t)size);
        uint8_t *table = malloc(count * 32u);
        for (uint32_t i = 0; i < count; i++) {
            serin_sha256_of(serin_openssl_hashing(), image + i * SERIN_PIECE_SIZE,
                            serin_piece_size((uint32_t)size, i), table + i * 32u);
        }
        put(depot, table, count * 32u, manifest.pieces_sha256, "pieces");
        free(table);
        uint8_t bytes[SERIN_MANIFEST_SIZE_P256];
        uint8_t filler[SERIN_P256_SIGNATURE_SIZE] = {1};
        char hex[SERIN_SHA256_HEX_SIZE];
        must(serin_manifest_encode(&manifest, bytes), "manifest");
        (void)serin_signature_area_encode_p256(bytes, SERIN_MANIFEST_BODY_SIZE, filler, filler);
        serin_manifest_id(serin_openssl_hashing(), bytes, name);
        must(serin_depot_put_manifest(depot, name, bytes, sizeof bytes), "manifest");
        serin_hex_encode(name, 32, hex);
        printf("manifest=%s\n", hex);
    }
    free(image);
    serin_depot_close(depot);
    return 0;
}

/* What a gateway does: verified bytes into the part file of an object. */
static int part(char **arguments)
{
    struct serin_depot *depot;
    uint8_t name[32];
    size_t size = 0;
    uint8_t *file = read_file(arguments[2], &size);
    size_t start = strtoul(arguments[3], NULL, 10);
    size_t end = strtoul(arguments[4], NULL, 10);
    must(serin_hex_decode(arguments[1], name, sizeof name), arguments[1]);
    must(serin_depot_create(&depot, arguments[0], serin_openssl_hashing()), arguments[0]);
    must(serin_depot_part_open(depot, name, (uint32_t)size), "part file");
    must(serin_depot_part_write(depot, name, (uint32_t)start, file + start, end - start), "write");
    serin_depot_close(depot);
    free(file);
    return 0;
}

static int finish(const char *root, const char *object)
{
    struct serin_depot *depot;
    uint8_t name[32];
    must(serin_hex_decode(object, name, sizeof name), object);
    must(serin_depot_create(&depot, root, serin_openssl_hashing()), root);
    must(serin_depot_part_finish(depot, name), "finish");
    serin_depot_close(depot);
    return 0;
}

/* ---- clients ---- */

struct client {
    struct mosquitto *mosquitto;
    char get_topic[SERIN_TOPIC_MAX], block_topic[SERIN_TOPIC_MAX];
    uint8_t object[32];
    bool ready;
    void (*on_block)(struct client *client, const struct serin_block *block);
    /* What was received. */
    uint8_t *out;
    uint8_t *seen; /* one flag a byte: a byte that comes twice is a fault of the supply */
    uint32_t object_size, received;
    uint32_t token, window_end, window_size, block_size, next_offset;
    enum serin_block_status last_status;
    unsigned blocks, busy, not_found, refused, range, windows;
    bool done;
};

static void on_connect(struct mosquitto *mosquitto, void *ctx, int result)
{
    struct client *client = ctx;
    if (result != 0) {
        fail("connect", mosquitto_connack_string(result));
    }
    (void)mosquitto_subscribe(mosquitto, NULL, client->block_topic, 0);
}

static void on_subscribe(struct mosquitto *mosquitto, void *ctx, int mid, int count,
                         const int *granted)
{
    (void)mosquitto;
    (void)mid;
    if (count != 1 || granted[0] > 2) {
        fail("subscription", "refused");
    }
    ((struct client *)ctx)->ready = true;
}

static void on_message(struct mosquitto *mosquitto, void *ctx,
                       const struct mosquitto_message *message)
{
    (void)mosquitto;
    struct client *client = ctx;
    struct serin_block block;
    must(serin_protobufc()->decode_block(message->payload, (size_t)message->payloadlen, &block),
         "block");
    client->last_status = block.status;
    client->busy += block.status == SERIN_BLOCK_BUSY;
    client->not_found += block.status == SERIN_BLOCK_NOT_FOUND;
    client->refused += block.status == SERIN_BLOCK_REFUSED;
    client->range += block.status == SERIN_BLOCK_RANGE;
    client->blocks += block.status == SERIN_BLOCK_DATA;
    if (block.status == SERIN_BLOCK_DATA &&
        serin_crc32(0, block.data, block.data_size) != block.crc32) {
        fail("block", "wrong CRC32");
    }
    client->on_block(client, &block);
}

static void connect_client(struct client *client, const char *port, const char *pki, const char *id,
                           const char *object)
{
    char ca[512], cert[512], key[512];
    snprintf(ca, sizeof ca, "%s/ca.pem", pki);
    snprintf(cert, sizeof cert, "%s/devices/%s.pem", pki, id);
    snprintf(key, sizeof key, "%s/devices/%s.key", pki, id);
    serin_topic_device(SERIN_TOPIC_DEV_GET, id, client->get_topic);
    serin_topic_device(SERIN_TOPIC_DEV_BLOCK, id, client->block_topic);
    must(serin_hex_decode(object, client->object, 32), "object");
    (void)mosquitto_lib_init();
    client->mosquitto = mosquitto_new(id, true, client);
    if (client->mosquitto == NULL ||
        mosquitto_tls_set(client->mosquitto, ca, NULL, cert, key, NULL) != 0) {
        fail("TLS", "cannot be set up");
    }
    mosquitto_connect_callback_set(client->mosquitto, on_connect);
    mosquitto_subscribe_callback_set(client->mosquitto, on_subscribe);
    mosquitto_message_callback_set(client->mosquitto, on_message);
    if (mosquitto_connect(client->mosquitto, "127.0.0.1", atoi(port), 30) != 0) {
        fail("connect", "refused");
    }
}

static void ask(struct client *client, uint32_t offset, uint32_t length, uint32_t token,
                uint32_t done)
{
    struct serin_get get = {.offset = offset,
                            .length = length,
                            .block_size = client->block_size,
                            .token = token,
                            .done_token = done};
    uint8_t out[SERIN_GET_MAX];
    size_t size = 0;
    memcpy(get.object, client->object, 32);
    must(serin_protobufc()->encode_get(&get, out, sizeof out, &size), "get");
    (void)mosquitto_publish(client->mosquitto, NULL, client->get_topic, (int)size, out, 0, false);
}

/* Runs the client until it is done or `seconds` have passed; false: they have. */
static bool run(struct client *client, unsigned seconds)
{
    time_t end = time(NULL) + (time_t)seconds;
    while (!client->done && time(NULL) < end) {
        int result = mosquitto_loop(client->mosquitto, 50, 1);
        if (result != MOSQ_ERR_SUCCESS) {
            fail("connection", mosquitto_strerror(result));
        }
    }
    return client->done;
}

static void run_until_ready(struct client *client)
{
    time_t end = time(NULL) + 10;
    while (!client->ready) {
        if (mosquitto_loop(client->mosquitto, 50, 1) != MOSQ_ERR_SUCCESS || time(NULL) > end) {
            fail("connection", "lost before the subscription");
        }
    }
}

static void next_window(struct client *client)
{
    uint32_t done = client->token;
    client->token = done + 1;
    client->windows++;
    ask(client, client->next_offset, client->window_size, client->token, done);
}

static void take_block(struct client *client, const struct serin_block *block)
{
    if (block->token != client->token) {
        return;
    }
    if (block->status != SERIN_BLOCK_DATA) {
        client->done = true;
        return;
    }
    if (client->out == NULL) {
        client->object_size = block->object_size;
        client->out = calloc(1, block->object_size);
        client->seen = calloc(1, block->object_size);
    }
    if (block->object_size != client->object_size ||
        block->offset + block->data_size > client->object_size ||
        block->offset + block->data_size > block->window_end) {
        fail("block", "goes past its window");
    }
    for (size_t i = 0; i < block->data_size; i++) {
        if (client->seen[block->offset + i]++ != 0) {
            fail("block", "bytes came twice");
        }
    }
    memcpy(client->out + block->offset, block->data, block->data_size);
    client->received += (uint32_t)block->data_size;
    client->window_end = block->window_end;
    if (client->received == client->object_size) {
        client->done = true;
    } else if (client->received == client->window_end) {
        client->next_offset = client->window_end;
        next_window(client);
    }
}

static int fetch(char **arguments)
{
    struct client client = {.on_block = take_block,
                            .block_size = (uint32_t)strtoul(arguments[5], NULL, 10),
                            .window_size = (uint32_t)strtoul(arguments[6], NULL, 10)};
    connect_client(&client, arguments[0], arguments[1], arguments[2], arguments[3]);
    run_until_ready(&client);
    next_window(&client);
    bool done = run(&client, 30);
    printf("done=%d status=%d bytes=%u blocks=%u windows=%u\n", done, (int)client.last_status,
           client.received, client.blocks, client.windows);
    if (client.out != NULL) {
        FILE *file = fopen(arguments[4], "wb");
        if (file == NULL || fwrite(client.out, 1, client.object_size, file) != client.object_size ||
            fclose(file) != 0) {
            fail(arguments[4], "cannot be written");
        }
    }
    (void)mosquitto_disconnect(client.mosquitto);
    mosquitto_destroy(client.mosquitto);
    (void)mosquitto_lib_cleanup();
    free(client.out);
    free(client.seen);
    return done && client.received > 0 && client.received == client.object_size ? 0 : 1;
}

static void count_block(struct client *client, const struct serin_block *block)
{
    client->received += (uint32_t)block->data_size;
}

static int greedy(char **arguments)
{
    struct client client = {.on_block = count_block, .block_size = 16384};
    uint32_t count = (uint32_t)strtoul(arguments[4], NULL, 10);
    connect_client(&client, arguments[0], arguments[1], arguments[2], arguments[3]);
    run_until_ready(&client);
    for (uint32_t token = 1; token <= count; token++) {
        ask(&client, 0, UINT32_MAX, token, 0);
    }
    (void)run(&client, 3);
    printf("bytes=%u blocks=%u busy=%u\n", client.received, client.blocks, client.busy);
    (void)mosquitto_disconnect(client.mosquitto);
    mosquitto_destroy(client.mosquitto);
    (void)mosquitto_lib_cleanup();
    return 0;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "payload") == 0 && argc >= 3) {
        return payload(argv[2], argc - 3, argv + 3);
    }
    if (strcmp(command, "store") == 0 && argc == 4) {
        return store(argv[2], argv[3], false);
    }
    if (strcmp(command, "release") == 0 && argc == 4) {
        return store(argv[2], argv[3], true);
    }
    if (strcmp(command, "part") == 0 && argc == 7) {
        return part(argv + 2);
    }
    if (strcmp(command, "finish") == 0 && argc == 4) {
        return finish(argv[2], argv[3]);
    }
    if (strcmp(command, "fetch") == 0 && argc == 9) {
        return fetch(argv + 2);
    }
    if (strcmp(command, "greedy") == 0 && argc == 7) {
        return greedy(argv + 2);
    }
    fputs("plugin_probe: see the head of tests/e2e/tools/plugin_probe.c\n", stderr);
    return 2;
}
