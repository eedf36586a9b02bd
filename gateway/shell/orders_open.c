/*
 * Where orders come from at the start: the root key, the store, the trust file (gateway.h).
 */
#include "orders_internal.h"

#include <serin/adapters/keys.h>
#include <serin/adapters/log.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the store has ---- */

/* A store that was written under another root key, or whose record is not what it was. */
static void load_refuse(const struct serin_order_record *record, enum serin_error error)
{
    serin_log(SERIN_LOG_WARN, "stored but not taken topic=%s: %s", record->topic,
              serin_error_text(error));
}

static bool load_trust(void *arg, const struct serin_order_record *record)
{
    struct gateway *gateway = arg;
    struct serin_topic topic;
    struct serin_trust_payload outer;
    struct serin_trust trust;
    if (serin_topic_parse(record->topic, &topic) != SERIN_OK || topic.kind != SERIN_TOPIC_TRUST) {
        return true;
    }
    struct orders_trust *place = orders_trust_find(gateway->orders, topic.product);
    if (place == NULL) {
        return true; /* of a fleet that was followed once */
    }
    enum serin_error error =
        gateway->codec->decode_trust_payload(record->payload, record->payload_size, &outer);
    if (error == SERIN_OK) {
        error = serin_trust_open(gateway->crypto, gateway->orders->root_key, outer.record,
                                 outer.record_size, &trust);
    }
    if (error == SERIN_OK && strcmp(trust.product, place->product) != 0) {
        error = SERIN_ERR_PRODUCT;
    }
    if (error != SERIN_OK) {
        load_refuse(record, error);
        return true;
    }
    place->trust = trust;
    place->held = true;
    return true;
}

/* Whether a topic of the store is still of interest: of a fleet that is followed, or of a node that
 * is known. */
static bool load_wanted(const struct gateway *gateway, const struct serin_topic *topic)
{
    struct serin_node_record node;
    if (topic->kind == SERIN_TOPIC_DIRECTIVE) {
        return orders_fleet_ours(gateway, topic->product, topic->channel);
    }
    return topic->kind == SERIN_TOPIC_DEV_DIRECTIVE &&
           gateway->store.ops->get_node(gateway->store.ctx, topic->id, &node) == SERIN_OK;
}

static bool load_directive(void *arg, const struct serin_order_record *record)
{
    struct gateway *gateway = arg;
    struct serin_topic topic;
    struct serin_directive directive;
    if (serin_topic_parse(record->topic, &topic) != SERIN_OK || !load_wanted(gateway, &topic)) {
        return true;
    }
    enum serin_error error =
        orders_verify(gateway, &topic, record->payload, record->payload_size, &directive);
    if (error == SERIN_OK) {
        error = orders_hold(gateway, record, &directive);
    }
    if (error != SERIN_OK) {
        load_refuse(record, error);
    }
    return true;
}

/* Everything is verified again: the store is a file like others. */
static enum serin_error load(struct gateway *gateway)
{
    static bool (*const visitors[])(void *arg, const struct serin_order_record *record) = {
        load_trust, load_directive};
    const struct serin_gateway_store *store = &gateway->store;
    enum serin_error error = store->ops->begin(store->ctx, false);
    if (error != SERIN_OK) {
        return gateway_fail(gateway, error, "data: the store cannot be read: %s",
                            serin_error_text(error));
    }
    for (size_t i = 0; error == SERIN_OK && i < sizeof visitors / sizeof visitors[0]; i++) {
        error = store->ops->each_order(store->ctx, visitors[i], gateway);
        if (error == SERIN_ERR_FORMAT) {
            serin_log(SERIN_LOG_WARN,
                      "the store has damaged directives; the uplink shows them again");
            error = SERIN_OK;
        }
    }
    store->ops->abort(store->ctx);
    return error == SERIN_OK ? error
                             : gateway_fail(gateway, error,
                                            "data: the directives of the store cannot be read: %s",
                                            serin_error_text(error));
}

/* ---- the trust file ---- */

static bool file_read(const char *path, uint8_t *data, size_t capacity, size_t *size)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return false;
    }
    *size = fread(data, 1, capacity, file);
    bool sound = ferror(file) == 0;
    (void)fclose(file);
    return sound;
}

static enum serin_error file_take(struct gateway *gateway, const uint8_t *record, size_t size)
{
    const char *path = gateway->config->trust;
    struct serin_trust trust;
    uint8_t payload[SERIN_TRUST_PAYLOAD_MAX];
    size_t payload_size = 0;
    enum serin_error error =
        serin_trust_open(gateway->crypto, gateway->orders->root_key, record, size, &trust);
    if (error != SERIN_OK) {
        return gateway_fail(gateway, SERIN_ERR_CONFIG,
                            "trust: %s is no trust record of root_key: %s", path,
                            serin_error_text(error));
    }
    struct orders_trust *place = orders_trust_find(gateway->orders, trust.product);
    if (place == NULL) {
        return gateway_fail(gateway, SERIN_ERR_CONFIG,
                            "trust: %s is for the product %s, which is in none of the fleets", path,
                            trust.product);
    }
    if (place->held && trust.version <= place->trust.version) {
        serin_log(SERIN_LOG_INFO, "trust file not used file=%s version=%u: %u is held", path,
                  trust.version, place->trust.version);
        return SERIN_OK;
    }
    const struct serin_trust_payload outer = {.record = record, .record_size = size};
    error = gateway->codec->encode_trust_payload(&outer, payload, sizeof payload, &payload_size);
    if (error == SERIN_OK) {
        error = orders_trust_take(gateway, place, &trust, payload, payload_size);
    }
    return error == SERIN_OK ? error
                             : gateway_fail(gateway, error, "trust: %s cannot be stored: %s", path,
                                            serin_error_text(error));
}

static enum serin_error trust_file(struct gateway *gateway)
{
    uint8_t record[SERIN_TRUST_MAX + 1];
    size_t size = 0;
    if (gateway->config->trust == NULL) {
        return SERIN_OK;
    }
    if (!file_read(gateway->config->trust, record, sizeof record, &size)) {
        return gateway_fail(gateway, SERIN_ERR_CONFIG, "trust: %s cannot be read: %s",
                            gateway->config->trust, strerror(errno));
    }
    return file_take(gateway, record, size);
}

/* ---- all of it ---- */

/* One place for each product, whatever number of channels it has. */
static void places_make(struct gateway *gateway)
{
    struct gateway_orders *orders = gateway->orders;
    for (size_t i = 0; i < gateway->config->fleet_count; i++) {
        const char *product = gateway->config->fleets[i].product;
        if (orders_trust_find(orders, product) == NULL) {
            orders->trusts[orders->trust_count++] = (struct orders_trust){.product = product};
        }
    }
}

enum serin_error gateway_orders_open(struct gateway *gateway)
{
    struct serin_key_why why;
    gateway->orders = calloc(1, sizeof *gateway->orders);
    if (gateway->orders == NULL) {
        return gateway_fail(gateway, SERIN_ERR_MEMORY, "memory is exhausted");
    }
    gateway->orders->later_ms = UINT64_MAX;
    if (serin_key_read_public(gateway->config->root_key, gateway->orders->root_key, &why) !=
        SERIN_OK) {
        return gateway_fail(gateway, SERIN_ERR_CONFIG, "root_key: %s", why.text);
    }
    places_make(gateway);
    enum serin_error error = load(gateway);
    if (error == SERIN_OK) {
        error = trust_file(gateway);
    }
    if (error != SERIN_OK) {
        return error;
    }
    /* Everything held is shown when the site's broker is there. */
    gateway->orders->to_show = true;
    serin_log(SERIN_LOG_INFO, "orders held directives=%zu", gateway->orders->count);
    return SERIN_OK;
}

void gateway_orders_close(struct gateway *gateway)
{
    struct gateway_orders *orders = gateway->orders;
    if (orders == NULL) {
        return;
    }
    for (size_t i = 0; i < orders->count; i++) {
        free(orders->held[i]->unsaved);
        free(orders->held[i]);
    }
    for (size_t i = 0; i < orders->later_count; i++) {
        free(orders->later[i].payload);
    }
    free(orders->held);
    free(orders);
    gateway->orders = NULL;
}
