/*
 * Directives and trust records at a gateway, with real keys, the real codec and the real store:
 * what is taken, what is refused, what is stored before it is shown, what a restart and a kill
 * leave.
 */
#include "check_main.h"
#include "program.h"
#include "test_keys.h"

#include <gateway/shell/orders_internal.h>

#include <serin/adapters/gateway_store.h>
#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 4096u

static char folder[64];
static struct serin_gateway_config config;
static struct gateway gateway;

/* What the site's broker was given. */
static struct {
    size_t count, told; /* publishes; calls of the others' *_orders_changed, both together */
    size_t room;        /* publishes that it still takes */
    char topics[SHOWN_MAX][SERIN_TOPIC_MAX];
    bool silent; /* it shows nothing of it */
    bool stored; /* each was in the store when it was published, byte for byte */
} site;

/* The store with faults. */
static struct serin_gateway_store real_store;
static enum serin_error fail_begin, fail_put, fail_get;

/* ---- the rest of the gateway ---- */

enum serin_error gateway_fail(struct gateway *of, enum serin_error error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(of->why, sizeof of->why, format, arguments);
    va_end(arguments);
    return error;
}

void gateway_words_orders_changed(struct gateway *of)
{
    (void)of;
    site.told++;
}

void gateway_bytes_orders_changed(struct gateway *of)
{
    (void)of;
    site.told++;
}

enum serin_error gateway_publish_site(struct gateway *of, const struct serin_topic *topic,
                                      const void *payload, size_t size)
{
    struct serin_order_record record;
    if (!of->site_connected || site.room == 0) {
        return SERIN_ERR_AGAIN;
    }
    site.room--;
    ck_assert_uint_lt(site.count, SHOWN_MAX);
    char *text = site.topics[site.count++];
    serin_topic_format(topic, text);
    ck_assert_int_eq(real_store.ops->begin(real_store.ctx, false), SERIN_OK);
    enum serin_error error = real_store.ops->get_order(real_store.ctx, text, &record);
    real_store.ops->abort(real_store.ctx);
    site.stored = site.stored && error == SERIN_OK && record.payload_size == size &&
                  memcmp(record.payload, payload, size) == 0;
    if (!site.silent) {
        gateway_orders_site_message(of, topic, payload, size);
    }
    return SERIN_OK;
}

/* ---- a store with faults ---- */

static enum serin_error faulty_begin(void *ctx, bool write)
{
    return write && fail_begin != SERIN_OK ? fail_begin : real_store.ops->begin(ctx, write);
}

static enum serin_error faulty_put(void *ctx, const struct serin_order_record *record)
{
    return fail_put != SERIN_OK ? fail_put : real_store.ops->put_order(ctx, record);
}

static enum serin_error faulty_get(void *ctx, const char *topic, struct serin_order_record *out)
{
    return fail_get != SERIN_OK ? fail_get : real_store.ops->get_order(ctx, topic, out);
}

static struct serin_gateway_store_ops faulty_ops;

/* ---- the bench ---- */

/* Starts the orders of a gateway on the store of the folder. */
static enum serin_error start(uint64_t mono_ms, uint8_t boot)
{
    gateway = (struct gateway){
        .config = &config,
        .crypto = serin_wolfcrypt(),
        .codec = serin_protobufc(),
        .mono_ms = mono_ms,
    };
    memset(gateway.boot_id, boot, sizeof gateway.boot_id);
    ck_assert_int_eq(serin_lmdb_gateway_open(&gateway.lmdb, config.data_dir, 8u << 20), SERIN_OK);
    real_store = serin_lmdb_gateway_port(gateway.lmdb);
    faulty_ops = *real_store.ops;
    faulty_ops.begin = faulty_begin;
    faulty_ops.put_order = faulty_put;
    faulty_ops.get_order = faulty_get;
    gateway.store = (struct serin_gateway_store){.ops = &faulty_ops, .ctx = real_store.ctx};
    memset(&site, 0, sizeof site);
    site.room = SHOWN_MAX;
    site.stored = true;
    return gateway_orders_open(&gateway);
}

static void stop(void)
{
    gateway_orders_close(&gateway);
    serin_lmdb_gateway_close(gateway.lmdb);
    gateway.lmdb = NULL;
}

static void site_connect(void)
{
    gateway.site_connected = true;
    gateway_orders_site_connected(&gateway);
    gateway_orders_tick(&gateway);
}

static char root_file[96], trust_path[96], data_folder[96];

static void setup(void)
{
    char pem[SERIN_KEY_PEM_MAX];
    folder_make(folder);
    (void)snprintf(root_file, sizeof root_file, "%s/root.pub", folder);
    (void)snprintf(trust_path, sizeof trust_path, "%s/trust.bin", folder);
    (void)snprintf(data_folder, sizeof data_folder, "%s/data", folder);
    ck_assert_int_eq(serin_key_public_pem(test_keys[TEST_ROOT].public_key, pem), SERIN_OK);
    file_write(root_file, pem, strlen(pem));
    config = (struct serin_gateway_config){
        .id = "gw-1",
        .fleet_count = 3,
        .fleets = {{"lamp", "stable"}, {"lamp", "beta"}, {"pump", "stable"}},
        .root_key = root_file,
        .data_dir = data_folder,
        .nodes_max = 5,
    };
    fail_begin = fail_put = fail_get = SERIN_OK;
    ck_assert_int_eq(start(1000, 1), SERIN_OK);
}

static void teardown(void)
{
    if (gateway.lmdb != NULL) {
        stop();
    }
    folder_remove(folder);
}

/* ---- what is said to it ---- */

struct message {
    struct serin_topic topic;
    uint8_t payload[SERIN_TRUST_PAYLOAD_MAX];
    size_t size;
};

static size_t trust_record(uint8_t record[SERIN_TRUST_SIZE_P256], const char *product,
                           uint32_t version, enum test_key_name signer)
{
    struct serin_trust trust;
    test_trust(&trust, product);
    trust.version = version;
    ck_assert_int_eq(serin_trust_seal(serin_wolfcrypt(), &test_keys[signer].signer, &trust, record),
                     SERIN_OK);
    return SERIN_TRUST_SIZE_P256;
}

static void trust_message(struct message *message, const char *topic, const char *product,
                          uint32_t version, enum test_key_name signer)
{
    uint8_t record[SERIN_TRUST_SIZE_P256];
    const struct serin_trust_payload outer = {
        .record = record, .record_size = trust_record(record, product, version, signer)};
    *message = (struct message){.topic = {.kind = SERIN_TOPIC_TRUST}};
    (void)snprintf(message->topic.product, sizeof message->topic.product, "%s", topic);
    ck_assert_int_eq(serin_protobufc()->encode_trust_payload(
                         &outer, message->payload, sizeof message->payload, &message->size),
                     SERIN_OK);
}

/* A sound record of lamp with another director beside the one that `test_trust` names. */
static void trust_message_with(struct message *message, uint32_t version, enum test_key_name also)
{
    struct serin_trust trust;
    uint8_t record[SERIN_TRUST_SIZE_P256];
    const struct serin_trust_payload outer = {.record = record, .record_size = sizeof record};
    test_trust(&trust, "lamp");
    test_trust_add(&trust, SERIN_KEY_ROLE_DIRECTOR, also);
    trust.version = version;
    ck_assert_int_eq(
        serin_trust_seal(serin_wolfcrypt(), &test_keys[TEST_ROOT].signer, &trust, record),
        SERIN_OK);
    *message = (struct message){.topic = {SERIN_TOPIC_TRUST, "", "lamp", ""}};
    ck_assert_int_eq(serin_protobufc()->encode_trust_payload(
                         &outer, message->payload, sizeof message->payload, &message->size),
                     SERIN_OK);
}

static struct serin_directive directive_of(const char *product, const char *channel,
                                           const char *device, uint32_t epoch, uint32_t sequence)
{
    struct serin_directive directive = {
        .order = {epoch, sequence},
        .issued_s = 1767225600,
        .lease_s = 21600,
        .stable = {.offer_count = 1,
                   .offers = {{.hw_min = 1, .hw_max = 9, .manifest_id = {1, 2, 3}}},
                   .attempt = 1},
        .candidate_state = SERIN_CANDIDATE_NONE,
    };
    (void)snprintf(directive.product, sizeof directive.product, "%s", product);
    (void)snprintf(directive.channel, sizeof directive.channel, "%s", channel);
    (void)snprintf(directive.device_id, sizeof directive.device_id, "%s", device);
    return directive;
}

static void directive_message(struct message *message, const struct serin_directive *directive,
                              enum test_key_name signer)
{
    bool targeted = directive->device_id[0] != '\0';
    *message = (struct message){
        .topic = {.kind = targeted ? SERIN_TOPIC_DEV_DIRECTIVE : SERIN_TOPIC_DIRECTIVE}};
    if (targeted) {
        (void)snprintf(message->topic.id, sizeof message->topic.id, "%s", directive->device_id);
    } else {
        (void)snprintf(message->topic.product, sizeof message->topic.product, "%s",
                       directive->product);
        (void)snprintf(message->topic.channel, sizeof message->topic.channel, "%s",
                       directive->channel);
    }
    ck_assert_int_eq(serin_directive_seal(serin_wolfcrypt(), serin_protobufc(),
                                          &test_keys[signer].signer, directive, message->payload,
                                          &message->size, NULL),
                     SERIN_OK);
}

static void hear(const struct message *message)
{
    gateway_orders_message(&gateway, &message->topic, message->payload, message->size);
    gateway_orders_tick(&gateway);
}

static void hear_trust(const char *product, uint32_t version)
{
    struct message message;
    trust_message(&message, product, product, version, TEST_ROOT);
    hear(&message);
}

static void hear_directive(const char *product, const char *channel, const char *device,
                           uint32_t epoch, uint32_t sequence)
{
    struct message message;
    struct serin_directive directive = directive_of(product, channel, device, epoch, sequence);
    directive_message(&message, &directive, TEST_DIRECTOR);
    hear(&message);
}

/* The order held under a topic; (0, 0): none. */
static struct serin_order order_of(const char *topic)
{
    size_t index = 0;
    return orders_find(gateway.orders, topic, &index)
               ? gateway.orders->held[index]->order.directive.order
               : (struct serin_order){0, 0};
}

#define LAMP "serin/1/directive/lamp/stable"

#define ck_assert_order(topic, epoch_, sequence_)                 \
    do {                                                          \
        ck_assert_uint_eq(order_of(topic).epoch, (epoch_));       \
        ck_assert_uint_eq(order_of(topic).sequence, (sequence_)); \
    } while (0)

/* ---- trust ---- */

START_TEST(trust_comes_from_the_topic_and_only_grows)
{
    ck_assert_ptr_null(gateway_orders_trust(&gateway, "lamp"));
    hear_trust("lamp", 3);
    ck_assert_ptr_nonnull(gateway_orders_trust(&gateway, "lamp"));
    ck_assert_ptr_null(gateway_orders_trust(&gateway, "pump"));
    ck_assert_ptr_null(gateway_orders_trust(&gateway, "unknown"));
    hear_trust("lamp", 2);
    ck_assert_uint_eq(gateway_orders_trust(&gateway, "lamp")->version, 3);
    hear_trust("lamp", 4);
    ck_assert_uint_eq(gateway_orders_trust(&gateway, "lamp")->version, 4);
    struct message message;
    trust_message_with(&message, 4, TEST_STRANGER); /* the same version with one key more */
    hear(&message);
    ck_assert_uint_eq(gateway_orders_trust(&gateway, "lamp")->key_count, 2);
    trust_message_with(&message, 5, TEST_STRANGER);
    hear(&message);
    ck_assert_uint_eq(gateway_orders_trust(&gateway, "lamp")->key_count, 3);
    hear_trust("lamp", 6);
    stop();
    ck_assert_int_eq(start(2000, 1), SERIN_OK);
    ck_assert_uint_eq(gateway_orders_trust(&gateway, "lamp")->version, 6);
}
END_TEST

START_TEST(trust_of_others_is_refused)
{
    struct message message;
    trust_message(&message, "lamp", "lamp", 1, TEST_STRANGER); /* another root */
    hear(&message);
    trust_message(&message, "lamp", "pump", 1, TEST_ROOT); /* another product's */
    hear(&message);
    trust_message(&message, "other", "other", 1, TEST_ROOT); /* none of ours */
    hear(&message);
    trust_message(&message, "lamp", "lamp", 1, TEST_ROOT);
    message.payload[message.size - 1] ^= 1;
    hear(&message);
    message.size /= 2;
    hear(&message);
    message.size = 0;
    hear(&message);
    ck_assert_ptr_null(gateway_orders_trust(&gateway, "lamp"));
    ck_assert_ptr_null(gateway_orders_trust(&gateway, "pump"));
    ck_assert_uint_eq(gateway.orders->later_count, 0); /* time helps none of them */
}
END_TEST

START_TEST(trust_comes_from_a_file)
{
    uint8_t record[SERIN_TRUST_SIZE_P256];
    stop();
    config.trust = trust_path;
    ck_assert_int_eq(start(1000, 1), SERIN_ERR_CONFIG); /* it is not there */
    ck_assert_ptr_nonnull(strstr(gateway.why, trust_path));
    stop();
    file_write(trust_path, record, trust_record(record, "lamp", 2, TEST_ROOT));
    ck_assert_int_eq(start(1000, 1), SERIN_OK);
    ck_assert_uint_eq(gateway_orders_trust(&gateway, "lamp")->version, 2);
    hear_trust("lamp", 7);
    stop();
    ck_assert_int_eq(start(1000, 1), SERIN_OK); /* the file is older than the store */
    ck_assert_uint_eq(gateway_orders_trust(&gateway, "lamp")->version, 7);
    stop();
    file_write(trust_path, record, trust_record(record, "other", 2, TEST_ROOT));
    ck_assert_int_eq(start(1000, 1), SERIN_ERR_CONFIG);
    stop();
    file_write(trust_path, record, trust_record(record, "lamp", 9, TEST_STRANGER));
    ck_assert_int_eq(start(1000, 1), SERIN_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(gateway.why, "root_key"));
}
END_TEST

/* ---- directives ---- */

START_TEST(an_order_only_grows)
{
    hear_trust("lamp", 1);
    hear_directive("lamp", "stable", "", 2, 5);
    ck_assert_order(LAMP, 2, 5);
    hear_directive("lamp", "stable", "", 2, 4);
    ck_assert_order(LAMP, 2, 5);
    hear_directive("lamp", "stable", "", 1, 9);
    ck_assert_order(LAMP, 2, 5);
    hear_directive("lamp", "stable", "", 2, 6);
    ck_assert_order(LAMP, 2, 6);
    hear_directive("lamp", "stable", "", 3, 1);
    ck_assert_order(LAMP, 3, 1);
    hear_directive("lamp", "beta", "", 1, 1); /* another topic: another order */
    ck_assert_order("serin/1/directive/lamp/beta", 1, 1);
}
END_TEST

/* What is held after the uplink said something else under the same order. */
static uint32_t lease_held(void)
{
    size_t index = 0;
    ck_assert(orders_find(gateway.orders, LAMP, &index));
    return gateway.orders->held[index]->order.directive.lease_s;
}

START_TEST(the_same_order_says_the_same)
{
    struct message message;
    struct serin_order_record before;
    struct serin_order_record after;
    hear_trust("lamp", 1);
    hear_directive("lamp", "stable", "", 2, 5);
    ck_assert_int_eq(real_store.ops->begin(real_store.ctx, false), SERIN_OK);
    ck_assert_int_eq(real_store.ops->get_order(real_store.ctx, LAMP, &before), SERIN_OK);
    real_store.ops->abort(real_store.ctx);
    gateway.mono_ms += 1000;
    struct serin_directive directive = directive_of("lamp", "stable", "", 2, 5);
    directive_message(&message, &directive, TEST_DIRECTOR); /* signed anew: other bytes */
    hear(&message);
    directive.lease_s = 60;
    directive_message(&message, &directive, TEST_DIRECTOR);
    hear(&message);
    ck_assert_uint_eq(lease_held(), 21600);
    ck_assert_int_eq(real_store.ops->begin(real_store.ctx, false), SERIN_OK);
    ck_assert_int_eq(real_store.ops->get_order(real_store.ctx, LAMP, &after), SERIN_OK);
    real_store.ops->abort(real_store.ctx);
    ck_assert_uint_eq(after.taken_at_ms, 1000);
    ck_assert_uint_eq(after.payload_size, before.payload_size);
    ck_assert_mem_eq(after.payload, before.payload, before.payload_size);
}
END_TEST

static const struct {
    const char *name;
    const char *product, *channel, *device; /* of the directive */
    enum test_key_name signer;
    struct serin_topic topic; /* INVALID: the directive's own */
    int flip;                 /* the byte that is changed, from the end; 0: none */
} refusals[] = {
    {"a stranger's key", "lamp", "stable", "", TEST_STRANGER, {0}, 0},
    {"a release key", "lamp", "stable", "", TEST_RELEASE, {0}, 0},
    {"the root's key", "lamp", "stable", "", TEST_ROOT, {0}, 0},
    {"a changed signature", "lamp", "stable", "", TEST_DIRECTOR, {0}, 1},
    {"a changed body", "lamp", "stable", "", TEST_DIRECTOR, {0}, 70},
    {"another product's",
     "pump",
     "stable",
     "",
     TEST_DIRECTOR,
     {SERIN_TOPIC_DIRECTIVE, "", "lamp", "stable"},
     0},
    {"another channel's",
     "lamp",
     "beta",
     "",
     TEST_DIRECTOR,
     {SERIN_TOPIC_DIRECTIVE, "", "lamp", "stable"},
     0},
    {"a channel that is not followed", "lamp", "nightly", "", TEST_DIRECTOR, {0}, 0},
    {"a product that is not followed", "other", "stable", "", TEST_DIRECTOR, {0}, 0},
    {"a node's on a channel's topic",
     "lamp",
     "stable",
     "d-1",
     TEST_DIRECTOR,
     {SERIN_TOPIC_DIRECTIVE, "", "lamp", "stable"},
     0},
    {"a channel's on a node's topic",
     "lamp",
     "stable",
     "",
     TEST_DIRECTOR,
     {SERIN_TOPIC_DEV_DIRECTIVE, "d-1", "", ""},
     0},
    {"another node's",
     "lamp",
     "stable",
     "d-2",
     TEST_DIRECTOR,
     {SERIN_TOPIC_DEV_DIRECTIVE, "d-1", "", ""},
     0},
    {"a node's of a channel not followed", "lamp", "nightly", "d-1", TEST_DIRECTOR, {0}, 0},
};

START_TEST(what_does_not_verify_is_refused)
{
    struct message message;
    hear_trust("lamp", 1);
    hear_trust("pump", 1);
    struct serin_directive directive =
        directive_of(refusals[_i].product, refusals[_i].channel, refusals[_i].device, 1, 1);
    directive_message(&message, &directive, refusals[_i].signer);
    if (refusals[_i].topic.kind != SERIN_TOPIC_INVALID) {
        message.topic = refusals[_i].topic;
    }
    if (refusals[_i].flip > 0) {
        message.payload[message.size - (size_t)refusals[_i].flip] ^= 1;
    }
    site_connect();
    size_t shown = site.count;
    hear(&message);
    ck_assert_msg(gateway.orders->count == 0, "%s was taken", refusals[_i].name);
    ck_assert_uint_eq(site.count, shown);
}
END_TEST

START_TEST(garbage_is_refused)
{
    struct message message = {.topic = {SERIN_TOPIC_DIRECTIVE, "", "lamp", "stable"}};
    hear_trust("lamp", 1);
    for (size_t size = 0; size <= SERIN_DIRECTIVE_MAX + 1; size += 57) {
        message.size = size;
        memset(message.payload, 0xa5, size);
        hear(&message);
    }
    message.size = SERIN_TRUST_PAYLOAD_MAX;
    hear(&message);
    ck_assert_uint_eq(gateway.orders->count, 0);
    ck_assert_uint_le(gateway.orders->later_count, 1);
}
END_TEST

START_TEST(a_nodes_own_directive_is_held)
{
    hear_trust("pump", 1);
    hear_trust("lamp", 1);
    hear_directive("lamp", "stable", "d-1", 1, 4);
    hear_directive("pump", "stable", "d-2", 1, 5);
    ck_assert_order("serin/1/dev/d-1/directive", 1, 4);
    ck_assert_order("serin/1/dev/d-2/directive", 1, 5);
    gateway_orders_forget(&gateway, "d-1");
    gateway_orders_forget(&gateway, "d-1");
    gateway_orders_forget(&gateway, "never");
    ck_assert_order("serin/1/dev/d-1/directive", 0, 0);
    ck_assert_order("serin/1/dev/d-2/directive", 1, 5);
}
END_TEST

static bool stored_one(void *arg, const struct serin_order_record *record)
{
    (void)record;
    ++*(size_t *)arg;
    return true;
}

static size_t stored_count(void)
{
    size_t count = 0;
    ck_assert_int_eq(real_store.ops->begin(real_store.ctx, false), SERIN_OK);
    ck_assert_int_eq(real_store.ops->each_order(real_store.ctx, stored_one, &count), SERIN_OK);
    real_store.ops->abort(real_store.ctx);
    return count;
}

static void node_store(const char *id)
{
    struct serin_node_record node = {.id = ""};
    (void)snprintf(node.id, sizeof node.id, "%s", id);
    ck_assert_int_eq(real_store.ops->begin(real_store.ctx, true), SERIN_OK);
    ck_assert_int_eq(real_store.ops->put_node(real_store.ctx, &node), SERIN_OK);
    ck_assert_int_eq(real_store.ops->commit(real_store.ctx), SERIN_OK);
}

START_TEST(topics_are_bounded)
{
    char node[16];
    hear_trust("lamp", 1);
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(node, sizeof node, "d-%u", i * 7 % 20);
        node_store(node);
        hear_directive("lamp", "stable", node, 1, i + 1);
    }
    ck_assert_uint_eq(gateway.orders->count, 8); /* three fleets, five nodes */
    for (size_t i = 1; i < gateway.orders->count; i++) {
        ck_assert_int_lt(
            strcmp(gateway.orders->held[i - 1]->order.topic, gateway.orders->held[i]->order.topic),
            0);
    }
    hear_directive("lamp", "stable", "d-0", 1, 50); /* one that is held may still grow */
    ck_assert_order("serin/1/dev/d-0/directive", 1, 50);
    ck_assert_uint_eq(gateway.orders->later_count, 0); /* time helps nothing here */
    ck_assert_uint_eq(stored_count(), 9);              /* these and the trust record */

    stop(); /* a store may have more than its configuration has room for now */
    config.nodes_max = 2;
    ck_assert_int_eq(start(2000, 1), SERIN_OK);
    ck_assert_uint_eq(gateway.orders->count, 5);
}
END_TEST

/* ---- what waits ---- */

START_TEST(directives_wait_for_their_trust_record)
{
    hear_directive("lamp", "stable", "", 1, 7);
    hear_directive("lamp", "stable", "d-1", 1, 8);
    hear_directive("lamp", "stable", "", 1, 9); /* takes the place of the first */
    ck_assert_uint_eq(gateway.orders->count, 0);
    ck_assert_uint_eq(gateway.orders->later_count, 2);
    ck_assert_uint_eq(gateway_orders_deadline_ms(&gateway), UINT64_MAX);
    hear_trust("lamp", 1);
    ck_assert_order(LAMP, 1, 9);
    ck_assert_order("serin/1/dev/d-1/directive", 1, 8);
    ck_assert_uint_eq(gateway.orders->later_count, 0);
}
END_TEST

START_TEST(what_waits_is_bounded)
{
    char node[16];
    config.nodes_max = 200;
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(node, sizeof node, "d-%u", i);
        hear_directive("lamp", "stable", node, 1, i + 1);
    }
    ck_assert_uint_eq(gateway.orders->later_count, ORDERS_LATER_MAX);
    hear_trust("lamp", 1);
    ck_assert_uint_eq(gateway.orders->count, ORDERS_LATER_MAX);
    ck_assert_order("serin/1/dev/d-0/directive", 0, 0); /* the oldest went */
    ck_assert_order("serin/1/dev/d-99/directive", 1, 100);
}
END_TEST

/* Persist, then act: no publish while the store cannot take it, and then one. */
START_TEST(what_cannot_be_stored_is_not_shown)
{
    static const enum serin_error errors[] = {SERIN_ERR_NO_SPACE, SERIN_ERR_IO};
    hear_trust("lamp", 1);
    site_connect();
    for (unsigned i = 0; i < 4; i++) {
        enum serin_error *fault = i % 2 == 0 ? &fail_begin : &fail_put;
        size_t shown = site.count;
        *fault = errors[i / 2];
        hear_directive("lamp", "stable", "", 1, i + 1);
        ck_assert_order(LAMP, i > 0 ? 1 : 0, i);
        ck_assert_uint_eq(site.count, shown);
        uint64_t deadline_ms = gateway_orders_deadline_ms(&gateway);
        ck_assert_uint_gt(deadline_ms, gateway.mono_ms);
        gateway.mono_ms = deadline_ms; /* it is tried again, and still fails */
        gateway_orders_tick(&gateway);
        ck_assert_uint_eq(site.count, shown);
        *fault = SERIN_OK;
        gateway.mono_ms = gateway_orders_deadline_ms(&gateway);
        gateway_orders_tick(&gateway);
        ck_assert_order(LAMP, 1, i + 1);
        ck_assert_uint_eq(site.count, shown + 1);
    }
    ck_assert(site.stored);
}
END_TEST

/* A halt and a pause pass all the same: they can only stop. */
START_TEST(a_stop_passes_a_store_that_is_full)
{
    static const enum serin_candidate_state states[] = {
        SERIN_CANDIDATE_ROLLING, SERIN_CANDIDATE_PAUSED, SERIN_CANDIDATE_HALTED};
    hear_trust("lamp", 1);
    site_connect();
    fail_begin = SERIN_ERR_NO_SPACE;
    for (unsigned i = 0; i < 3; i++) {
        struct message message;
        struct serin_directive directive = directive_of("lamp", "stable", "", 1, i + 1);
        size_t shown = site.count;
        directive.candidate = directive.stable;
        directive.candidate.offers[0].manifest_id[0] = 9;
        directive.candidate_state = states[i];
        memset(directive.salt, 1, sizeof directive.salt);
        directive_message(&message, &directive, TEST_DIRECTOR);
        hear(&message);
        bool stop = states[i] != SERIN_CANDIDATE_ROLLING;
        ck_assert_uint_eq(site.count, shown + (stop ? 1 : 0));
        ck_assert_order(LAMP, stop ? 1 : 0, stop ? i + 1 : 0);
    }
    ck_assert_uint_eq(stored_count(), 1);                 /* the trust record alone */
    for (unsigned i = 0; i < 2 * ORDERS_LATER_MAX; i++) { /* nobody's own directive drives it out */
        char node[16];
        (void)snprintf(node, sizeof node, "d-%u", i);
        hear_directive("lamp", "stable", node, 1, 10 + i);
    }
    fail_begin = SERIN_OK;
    gateway.mono_ms += 6000;
    gateway_orders_tick(&gateway);
    ck_assert_order(LAMP, 1, 3);
    struct serin_order_record record;
    ck_assert_int_eq(real_store.ops->begin(real_store.ctx, false), SERIN_OK);
    ck_assert_int_eq(real_store.ops->get_order(real_store.ctx, LAMP, &record), SERIN_OK);
    real_store.ops->abort(real_store.ctx);
    ck_assert(gateway.orders->held[0]->unsaved == NULL);
    stop();
    ck_assert_int_eq(start(20000, 1), SERIN_OK);
    ck_assert_order(LAMP, 1, 3); /* the halt outlives a restart */
}
END_TEST

/* PUBACK is no promise: what the site's broker does not show is published again, at once where the
 * store could not be read, and until it is seen. */
START_TEST(what_the_sites_broker_does_not_show_is_published_again)
{
    struct message message;
    struct serin_directive directive = directive_of("lamp", "stable", "", 1, 2);
    hear_trust("lamp", 1);
    hear_directive("lamp", "stable", "", 1, 1);
    site.silent = true;
    site_connect();
    ck_assert_uint_eq(site.count, 2);
    trust_message(&message, "lamp", "lamp", 1, TEST_ROOT);
    gateway_orders_site_message(&gateway, &message.topic, message.payload, message.size);
    directive_message(&message, &directive, TEST_DIRECTOR); /* another order than is held */
    gateway_orders_site_message(&gateway, &message.topic, message.payload, message.size);
    for (unsigned i = 0; i < 3; i++) {
        gateway.mono_ms = gateway_orders_deadline_ms(&gateway);
        gateway_orders_tick(&gateway);
        gateway_orders_tick(&gateway);
        ck_assert_uint_eq(site.count, 3 + i); /* the directive, not the trust record */
    }
    directive.order.sequence = 1;
    directive_message(&message, &directive, TEST_DIRECTOR);
    gateway_orders_site_message(&gateway, &message.topic, message.payload, message.size);
    for (unsigned i = 0; i < 3; i++) {
        gateway.mono_ms = gateway_orders_deadline_ms(&gateway);
        gateway_orders_tick(&gateway);
    }
    ck_assert_uint_eq(site.count, 5);

    fail_get = SERIN_ERR_IO;
    hear_directive("lamp", "stable", "", 1, 3);
    ck_assert_uint_eq(site.count, 5);
    fail_get = SERIN_OK;
    gateway.mono_ms += 1000;
    gateway_orders_tick(&gateway);
    ck_assert_uint_eq(site.count, 6);
}
END_TEST

/* A node that was forgotten for a while finds no lower order taken meanwhile. */
START_TEST(a_forgotten_nodes_order_still_only_grows)
{
    hear_trust("lamp", 1);
    hear_directive("lamp", "stable", "d-1", 5, 5);
    gateway_orders_forget(&gateway, "d-1");
    hear_directive("lamp", "stable", "d-1", 1, 1);
    ck_assert_order("serin/1/dev/d-1/directive", 0, 0);
    hear_directive("lamp", "stable", "d-1", 5, 5);
    ck_assert_order("serin/1/dev/d-1/directive", 5, 5);
}
END_TEST

START_TEST(bytes_that_the_store_lost_are_stored_again)
{
    hear_trust("lamp", 1);
    hear_directive("lamp", "stable", "", 1, 1);
    gateway.mono_ms += 5000;
    fail_get = SERIN_ERR_FORMAT;
    hear_directive("lamp", "stable", "", 1, 1);
    fail_get = SERIN_OK;
    struct serin_order_record record;
    ck_assert_int_eq(real_store.ops->begin(real_store.ctx, false), SERIN_OK);
    ck_assert_int_eq(real_store.ops->get_order(real_store.ctx, LAMP, &record), SERIN_OK);
    real_store.ops->abort(real_store.ctx);
    ck_assert_uint_eq(record.taken_at_ms, 1000); /* hearing it again renews nothing */
}
END_TEST

/* ---- showing it to the site ---- */

START_TEST(a_site_that_connects_is_shown_everything_trust_first)
{
    hear_directive("lamp", "stable", "d-1", 1, 2);
    hear_directive("lamp", "stable", "", 1, 1);
    hear_trust("lamp", 1);
    hear_trust("pump", 1);
    ck_assert_uint_eq(site.count, 0); /* it is not there yet */
    for (int round = 0; round < 2; round++) {
        site.count = 0;
        site_connect();
        ck_assert_uint_eq(site.count, 4);
        ck_assert_str_eq(site.topics[0], "serin/1/trust/lamp");
        ck_assert_str_eq(site.topics[1], "serin/1/trust/pump");
        ck_assert_str_eq(site.topics[2], "serin/1/dev/d-1/directive");
        ck_assert_str_eq(site.topics[3], LAMP);
        gateway.site_connected = false;
    }
    gateway.site_connected = true;
    hear_directive("lamp", "stable", "", 1, 3); /* alone */
    ck_assert_uint_eq(site.count, 5);
    hear_trust("lamp", 2);
    ck_assert_uint_eq(site.count, 6);
    ck_assert_str_eq(site.topics[5], "serin/1/trust/lamp");
    ck_assert(site.stored);
}
END_TEST

START_TEST(a_broker_without_room_is_shown_the_rest_later)
{
    char node[16];
    config.nodes_max = 300;
    hear_trust("lamp", 1);
    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(node, sizeof node, "d-%u", i);
        hear_directive("lamp", "stable", node, 1, i + 1);
    }
    site.room = 1000;
    site_connect();
    ck_assert_uint_eq(site.count, 1 + 64); /* a turn's share */
    site.room = 70;
    site.count = 0;
    site_connect();
    unsigned turns = 0;
    while (site.count < 201 && turns++ < 50) {
        uint64_t deadline_ms = gateway_orders_deadline_ms(&gateway);
        ck_assert_uint_ne(deadline_ms, UINT64_MAX);
        if (deadline_ms > gateway.mono_ms) {
            site.room += 70; /* it had none, and we waited */
            gateway.mono_ms = deadline_ms;
        }
        gateway_orders_tick(&gateway);
    }
    ck_assert_uint_eq(site.count, 201);
    ck_assert_uint_le(turns, 10);
    ck_assert_uint_eq(gateway_orders_deadline_ms(&gateway), UINT64_MAX);
    ck_assert(site.stored);
}
END_TEST

START_TEST(the_others_hear_of_changes_once)
{
    gateway_orders_tick(&gateway);
    site.told = 0;
    hear_trust("lamp", 1);
    ck_assert_uint_eq(site.told, 2);
    hear_directive("lamp", "stable", "", 1, 1);
    ck_assert_uint_eq(site.told, 4);
    hear_directive("lamp", "stable", "", 1, 1);
    gateway_orders_tick(&gateway);
    ck_assert_uint_eq(site.told, 4);
}
END_TEST

/* ---- restarts ---- */

START_TEST(a_restart_holds_what_was_held)
{
    size_t index = 0;
    hear_trust("lamp", 1);
    hear_directive("lamp", "stable", "", 2, 5);
    stop();
    ck_assert_int_eq(start(90000, 1), SERIN_OK);
    ck_assert(orders_find(gateway.orders, LAMP, &index));
    ck_assert(gateway.orders->held[index]->order.this_boot);
    ck_assert_uint_eq(gateway.orders->held[index]->order.taken_ms, 1000);
    site_connect();
    ck_assert_uint_eq(site.count, 2);
    stop();
    ck_assert_int_eq(start(500, 2), SERIN_OK); /* the machine was restarted */
    ck_assert_order(LAMP, 2, 5);
    ck_assert(!gateway.orders->held[0]->order.this_boot);
    hear_directive("lamp", "stable", "", 2, 5); /* known before: it counts no more than it did */
    ck_assert(!gateway.orders->held[0]->order.this_boot);
    hear_directive("lamp", "stable", "", 2, 6);
    ck_assert(gateway.orders->held[0]->order.this_boot);
}
END_TEST

START_TEST(a_restart_verifies_again)
{
    char pem[SERIN_KEY_PEM_MAX];
    hear_trust("lamp", 1);
    hear_directive("lamp", "stable", "", 2, 5);
    stop();
    ck_assert_int_eq(serin_key_public_pem(test_keys[TEST_STRANGER].public_key, pem), SERIN_OK);
    file_write(root_file, pem, strlen(pem));
    ck_assert_int_eq(start(2000, 1), SERIN_OK);
    ck_assert_ptr_null(gateway_orders_trust(&gateway, "lamp"));
    ck_assert_uint_eq(gateway.orders->count, 0);
}
END_TEST

START_TEST(a_restart_leaves_what_is_followed_no_longer)
{
    hear_trust("lamp", 1);
    hear_directive("lamp", "stable", "", 1, 1);
    hear_directive("lamp", "beta", "", 1, 2);
    hear_directive("lamp", "stable", "d-1", 1, 3);
    hear_directive("lamp", "stable", "d-2", 1, 4);
    node_store("d-1");
    stop();
    config.fleet_count = 1;
    ck_assert_int_eq(start(2000, 1), SERIN_OK);
    ck_assert_uint_eq(gateway.orders->count, 2);
    ck_assert_order(LAMP, 1, 1);
    ck_assert_order("serin/1/dev/d-1/directive", 1, 3); /* d-2 is no node of ours */
}
END_TEST

START_TEST(a_root_key_that_is_none_stops_the_start)
{
    stop();
    file_write(root_file, "nothing", 7);
    ck_assert_int_eq(start(1000, 1), SERIN_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(gateway.why, root_file));
}
END_TEST

/* ---- kills ---- */

#ifdef SERIN_FAULT_POINTS
static const struct {
    const char *fault;
    uint32_t sequence; /* that a restart finds */
} kills[] = {
    {"gateway.order.before_persist:1", 1},
    {"gateway.order.persisted:1", 2},
};

/* A kill leaves the old directive or the new one, and what was shown is never newer than what is
 * held. */
START_TEST(a_kill_leaves_one_or_the_other)
{
    int status = 0;
    hear_trust("lamp", 1);
    hear_directive("lamp", "stable", "", 1, 1);
    stop();
    pid_t child = fork();
    if (child == 0) {
        (void)setenv("SERIN_FAULT", kills[_i].fault, 1);
        if (start(2000, 1) == SERIN_OK) {
            site_connect();
            hear_directive("lamp", "stable", "", 1, 2);
        }
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(start(3000, 1), SERIN_OK);
    ck_assert_order(LAMP, 1, kills[_i].sequence);
    site_connect();
    ck_assert_uint_eq(site.count, 2);
    hear_directive("lamp", "stable", "", 1, 2); /* the uplink shows it again */
    ck_assert_order(LAMP, 1, 2);
}
END_TEST
#endif

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
    test_keys_open();
    Suite *suite = suite_create("gateway_orders");
    TCase *tests = tcase_create("gateway_orders");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, trust_comes_from_the_topic_and_only_grows);
    tcase_add_test(tests, trust_of_others_is_refused);
    tcase_add_test(tests, trust_comes_from_a_file);
    tcase_add_test(tests, an_order_only_grows);
    tcase_add_test(tests, the_same_order_says_the_same);
    tcase_add_loop_test(tests, what_does_not_verify_is_refused, 0, COUNT_OF(refusals));
    tcase_add_test(tests, garbage_is_refused);
    tcase_add_test(tests, a_nodes_own_directive_is_held);
    tcase_add_test(tests, topics_are_bounded);
    tcase_add_test(tests, directives_wait_for_their_trust_record);
    tcase_add_test(tests, what_waits_is_bounded);
    tcase_add_test(tests, what_cannot_be_stored_is_not_shown);
    tcase_add_test(tests, a_stop_passes_a_store_that_is_full);
    tcase_add_test(tests, what_the_sites_broker_does_not_show_is_published_again);
    tcase_add_test(tests, a_forgotten_nodes_order_still_only_grows);
    tcase_add_test(tests, bytes_that_the_store_lost_are_stored_again);
    tcase_add_test(tests, a_site_that_connects_is_shown_everything_trust_first);
    tcase_add_test(tests, a_broker_without_room_is_shown_the_rest_later);
    tcase_add_test(tests, the_others_hear_of_changes_once);
    tcase_add_test(tests, a_restart_holds_what_was_held);
    tcase_add_test(tests, a_restart_verifies_again);
    tcase_add_test(tests, a_restart_leaves_what_is_followed_no_longer);
    tcase_add_test(tests, a_root_key_that_is_none_stops_the_start);
#ifdef SERIN_FAULT_POINTS
    tcase_add_loop_test(tests, a_kill_leaves_one_or_the_other, 0, COUNT_OF(kills));
#endif
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
