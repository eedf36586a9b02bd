/*
 * Directives and trust records on their way down (gateway.h; docs/spec/site.md, section 6;
 * docs/spec/directive.md, section 5): verified, stored, held, and only then published at the site.
 * An order only grows, whatever the brokers show.
 */
#include "orders_internal.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>
#include <serin/order_guard.h>

#include <stdlib.h>
#include <string.h>

#define LATER_MS 5000u /* after the store failed */

/* ---- the store ---- */

void orders_record(const struct gateway *gateway, const struct serin_topic *topic,
                   const uint8_t *payload, size_t size, struct serin_order_record *record)
{
    *record = (struct serin_order_record){.taken_at_ms = gateway->mono_ms, .payload_size = size};
    serin_topic_format(topic, record->topic);
    memcpy(record->boot_id, gateway->boot_id, SERIN_BOOT_ID_SIZE);
    memcpy(record->payload, payload, size);
}

enum serin_error orders_persist(const struct gateway *gateway,
                                const struct serin_order_record *record)
{
    const struct serin_gateway_store *store = &gateway->store;
    SERIN_FAULT_POINT("gateway.order.before_persist");
    enum serin_error error = store->ops->begin(store->ctx, true);
    if (error == SERIN_OK) {
        error = store->ops->put_order(store->ctx, record);
        if (error != SERIN_OK) {
            store->ops->abort(store->ctx);
        } else {
            error = store->ops->commit(store->ctx);
        }
    }
    SERIN_FAULT_POINT("gateway.order.persisted");
    /* Whatever ails a store, it may pass: nothing that was heard is given up for it. */
    return error == SERIN_OK || error == SERIN_ERR_NO_SPACE ? error : SERIN_ERR_IO;
}

enum serin_error orders_read(const struct gateway *gateway, const char *topic,
                             struct serin_order_record *record)
{
    const struct serin_gateway_store *store = &gateway->store;
    enum serin_error error = store->ops->begin(store->ctx, false);
    if (error == SERIN_OK) {
        error = store->ops->get_order(store->ctx, topic, record);
        store->ops->abort(store->ctx);
    }
    return error;
}

/* ---- what cannot be taken now ---- */

static bool topics_equal(const struct serin_topic *a, const struct serin_topic *b)
{
    return a->kind == b->kind && strcmp(a->id, b->id) == 0 && strcmp(a->product, b->product) == 0 &&
           strcmp(a->channel, b->channel) == 0;
}

/* Keeps a message for later. It takes the place of an older one of its topic. A full list drops the
 * oldest of a single node, which the broker shows again at the next connection: trust records and
 * channels' directives, which may halt, are fewer than the list has places, and stay. */
static void later_add(struct gateway_orders *orders, const struct serin_topic *topic,
                      const uint8_t *payload, size_t size)
{
    size_t place = 0;
    while (place < orders->later_count && !topics_equal(&orders->later[place].topic, topic)) {
        place++;
    }
    if (place == ORDERS_LATER_MAX) {
        place = 0;
        while (orders->later[place].topic.kind != SERIN_TOPIC_DEV_DIRECTIVE) {
            place++;
        }
    }
    uint8_t *copy = malloc(size);
    if (copy == NULL) {
        return;
    }
    if (place < orders->later_count) {
        free(orders->later[place].payload);
        orders->later_count--;
        memmove(orders->later + place, orders->later + place + 1,
                (orders->later_count - place) * sizeof(struct orders_later));
    }
    memcpy(copy, payload, size);
    orders->later[orders->later_count++] =
        (struct orders_later){.topic = *topic, .payload = copy, .size = size};
}

/* Tries all of them again; what fails again is added again. */
static void later_try(struct gateway *gateway)
{
    struct gateway_orders *orders = gateway->orders;
    struct orders_later list[ORDERS_LATER_MAX];
    size_t count = orders->later_count;
    memcpy(list, orders->later, count * sizeof list[0]);
    orders->later_count = 0;
    orders->later_ms = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        gateway_orders_message(gateway, &list[i].topic, list[i].payload, list[i].size);
        free(list[i].payload);
    }
}

/* Says why a message was not taken, and keeps it where time may help. */
static void refuse(struct gateway *gateway, const struct serin_topic *topic, const uint8_t *payload,
                   size_t size, enum serin_error error)
{
    struct gateway_orders *orders = gateway->orders;
    char text[SERIN_TOPIC_MAX];
    serin_topic_format(topic, text);
    serin_log(SERIN_LOG_WARN, "not taken topic=%s: %s", text, serin_error_text(error));
    if (error == SERIN_ERR_KEY) {
        later_add(orders, topic, payload, size);
    } else if (error == SERIN_ERR_IO || error == SERIN_ERR_NO_SPACE || error == SERIN_ERR_MEMORY) {
        later_add(orders, topic, payload, size);
        orders->later_ms = gateway->mono_ms + LATER_MS;
    }
}

/* ---- trust records ---- */

enum serin_error orders_trust_take(struct gateway *gateway, struct orders_trust *place,
                                   const struct serin_trust *trust, const uint8_t *payload,
                                   size_t size)
{
    struct serin_topic topic = {.kind = SERIN_TOPIC_TRUST};
    struct serin_order_record record;
    enum serin_error error = serin_text_copy(topic.product, sizeof topic.product, place->product);
    if (error == SERIN_OK) {
        orders_record(gateway, &topic, payload, size, &record);
        error = orders_persist(gateway, &record);
    }
    if (error != SERIN_OK) {
        return error;
    }
    place->trust = *trust;
    place->held = true;
    place->shown = false;
    gateway->orders->to_show = true;
    gateway->orders->changed = true;
    serin_log(SERIN_LOG_INFO, "trust record taken product=%s version=%u", place->product,
              trust->version);
    return SERIN_OK;
}

static void trust_message(struct gateway *gateway, const struct serin_topic *topic,
                          const uint8_t *payload, size_t size)
{
    struct gateway_orders *orders = gateway->orders;
    struct orders_trust *place = orders_trust_find(orders, topic->product);
    struct serin_trust_payload outer;
    struct serin_trust trust;
    if (place == NULL) {
        return;
    }
    enum serin_error error = gateway->codec->decode_trust_payload(payload, size, &outer);
    if (error == SERIN_OK) {
        error = serin_trust_open(gateway->crypto, orders->root_key, outer.record, outer.record_size,
                                 &trust);
        /* A trust record's key is the root's: no other record helps. */
        error = error == SERIN_ERR_KEY ? SERIN_ERR_SIGNATURE : error;
    }
    if (error == SERIN_OK && strcmp(trust.product, place->product) != 0) {
        error = SERIN_ERR_PRODUCT;
    }
    if (error == SERIN_OK && place->held && trust.version <= place->trust.version) {
        if (trust.version < place->trust.version) {
            serin_log(SERIN_LOG_WARN,
                      "the uplink shows an older trust record product=%s version=%u: ours is %u",
                      place->product, trust.version, place->trust.version);
        }
        return;
    }
    if (error == SERIN_OK) {
        error = orders_trust_take(gateway, place, &trust, payload, size);
    }
    if (error != SERIN_OK) {
        refuse(gateway, topic, payload, size, error);
    } else if (orders->later_count > 0) {
        orders->later_ms = gateway->mono_ms; /* its keys may be what others lacked */
    }
}

/* ---- directives ---- */

enum serin_error orders_verify(const struct gateway *gateway, const struct serin_topic *topic,
                               const uint8_t *payload, size_t size,
                               struct serin_directive *directive)
{
    bool targeted = topic->kind == SERIN_TOPIC_DEV_DIRECTIVE;
    enum serin_error error = SERIN_ERR_KEY;
    /* A node's own topic does not name its product. */
    for (size_t i = 0; i < gateway->orders->trust_count; i++) {
        const struct orders_trust *place = &gateway->orders->trusts[i];
        if (!place->held || (!targeted && strcmp(place->product, topic->product) != 0)) {
            continue;
        }
        error = serin_directive_open(gateway->crypto, gateway->codec, &place->trust, payload, size,
                                     directive);
        if (error != SERIN_ERR_KEY && error != SERIN_ERR_PRODUCT) {
            break;
        }
    }
    if (error != SERIN_OK) {
        return error;
    }
    if (!targeted && strcmp(directive->channel, topic->channel) != 0) {
        return SERIN_ERR_CHANNEL;
    }
    if (strcmp(directive->device_id, targeted ? topic->id : "") != 0) {
        return SERIN_ERR_DEVICE;
    }
    return orders_fleet_ours(gateway, directive->product, directive->channel) ? SERIN_OK
                                                                              : SERIN_ERR_CHANNEL;
}

/* Whether the stored payload has the same body: the signature may differ. */
static enum serin_error body_compare(const struct gateway *gateway, const char *topic,
                                     const uint8_t *payload, size_t size, bool *same)
{
    struct serin_order_record record;
    struct serin_envelope ours;
    struct serin_envelope theirs;
    enum serin_error error = orders_read(gateway, topic, &record);
    if (error == SERIN_OK) {
        error = gateway->codec->decode_envelope(record.payload, record.payload_size, &ours);
    }
    if (error == SERIN_OK) {
        error = gateway->codec->decode_envelope(payload, size, &theirs);
    }
    if (error == SERIN_OK) {
        *same = ours.body_size == theirs.body_size &&
                serin_bytes_equal(ours.body, theirs.body, ours.body_size);
    }
    return error;
}

/* Whether the uplink's directive, of the order that is held, is the one that is held. One whose
 * bytes the store has lost is stored again, as taken when it was. */
static enum serin_error directive_same(struct gateway *gateway, const struct orders_held *held,
                                       const struct serin_topic *topic, const uint8_t *payload,
                                       size_t size)
{
    struct serin_order_record record;
    bool same = false;
    enum serin_error error = body_compare(gateway, held->order.topic, payload, size, &same);
    if (error == SERIN_ERR_FORMAT || error == SERIN_ERR_NOT_FOUND) {
        orders_record(gateway, topic, payload, size, &record);
        record.taken_at_ms = held->order.taken_ms;
        if (!held->order.this_boot) {
            memset(record.boot_id, 0, sizeof record.boot_id);
        }
        return orders_persist(gateway, &record);
    }
    /* Whoever says two things under one order is not to be followed in either. */
    return error == SERIN_OK && !same ? SERIN_ERR_STALE : error;
}

/* Stores what is held in memory alone, heard once more. */
static enum serin_error unsaved_persist(const struct gateway *gateway, struct orders_held *held)
{
    enum serin_error error = orders_persist(gateway, held->unsaved);
    if (error == SERIN_OK) {
        free(held->unsaved);
        held->unsaved = NULL;
    }
    return error;
}

/* The uplink shows what is not newer than what is held. A repetition says nothing; all else is a
 * broker that was restored, or somebody at work. */
static enum serin_error directive_known(struct gateway *gateway, struct orders_held *held,
                                        const struct serin_topic *topic, struct serin_order order,
                                        const uint8_t *payload, size_t size)
{
    const struct serin_order *ours = &held->order.directive.order;
    if (serin_order_judge(*ours, order) == SERIN_ORDER_SAME && held->unsaved != NULL) {
        return unsaved_persist(gateway, held);
    }
    if (serin_order_judge(*ours, order) == SERIN_ORDER_OLDER) {
        serin_log(SERIN_LOG_WARN,
                  "the uplink shows an older directive topic=%s order=%u.%u: ours is %u.%u",
                  held->order.topic, order.epoch, order.sequence, ours->epoch, ours->sequence);
        return SERIN_OK;
    }
    enum serin_error error = directive_same(gateway, held, topic, payload, size);
    if (error == SERIN_ERR_STALE) {
        serin_log(SERIN_LOG_WARN, "topic=%s order=%u.%u comes with two contents: ours is kept",
                  held->order.topic, ours->epoch, ours->sequence);
    }
    return error;
}

/* Persist, then act, but for what can only stop: a halt or a pause that our own store cannot take
 * is obeyed and passed down from memory, until the store takes it. */
static enum serin_error hold_stop(struct gateway *gateway, const struct serin_order_record *record,
                                  const struct serin_directive *directive)
{
    size_t index = 0;
    struct serin_order_record *copy = malloc(sizeof *copy);
    if (copy == NULL) {
        return SERIN_ERR_MEMORY;
    }
    *copy = *record;
    enum serin_error error = orders_hold(gateway, record, directive);
    if (error != SERIN_OK || !orders_find(gateway->orders, record->topic, &index)) {
        free(copy);
        return error;
    }
    gateway->orders->held[index]->unsaved = copy;
    serin_log(SERIN_LOG_WARN, "a stop is passed down unstored topic=%s order=%u.%u", record->topic,
              directive->order.epoch, directive->order.sequence);
    return SERIN_OK;
}

/* Whether the store has a higher order for a topic that is not held, since its node was forgotten
 * for a while. What cannot be read is no higher. */
static bool outranked(const struct gateway *gateway, const char *topic, struct serin_order order)
{
    struct serin_order_record record;
    struct serin_envelope envelope;
    struct serin_directive directive;
    return orders_read(gateway, topic, &record) == SERIN_OK &&
           gateway->codec->decode_envelope(record.payload, record.payload_size, &envelope) ==
               SERIN_OK &&
           gateway->codec->decode_directive(envelope.body, envelope.body_size, &directive) ==
               SERIN_OK &&
           serin_order_judge(directive.order, order) == SERIN_ORDER_OLDER;
}

static enum serin_error directive_take(struct gateway *gateway, const struct serin_topic *topic,
                                       const struct serin_directive *directive,
                                       const uint8_t *payload, size_t size)
{
    struct serin_order_record record;
    size_t index = 0;
    orders_record(gateway, topic, payload, size, &record);
    if (!orders_find(gateway->orders, record.topic, &index) && orders_full(gateway)) {
        return SERIN_ERR_BUSY;
    }
    enum serin_error error = orders_persist(gateway, &record);
    if (error != SERIN_OK) {
        bool stop = directive->candidate_state == SERIN_CANDIDATE_HALTED ||
                    directive->candidate_state == SERIN_CANDIDATE_PAUSED;
        enum serin_error held = stop ? hold_stop(gateway, &record, directive) : SERIN_OK;
        return held == SERIN_OK ? error : held;
    }
    error = orders_hold(gateway, &record, directive);
    if (error == SERIN_OK) {
        serin_log(SERIN_LOG_INFO, "directive taken topic=%s order=%u.%u", record.topic,
                  directive->order.epoch, directive->order.sequence);
    }
    return error;
}

static void directive_message(struct gateway *gateway, const struct serin_topic *topic,
                              const uint8_t *payload, size_t size)
{
    struct serin_directive directive;
    char text[SERIN_TOPIC_MAX];
    size_t index = 0;
    bool known = false;
    serin_topic_format(topic, text);
    enum serin_error error = orders_verify(gateway, topic, payload, size, &directive);
    if (error == SERIN_OK && orders_find(gateway->orders, text, &index)) {
        struct orders_held *held = gateway->orders->held[index];
        known =
            serin_order_judge(held->order.directive.order, directive.order) != SERIN_ORDER_NEWER;
        if (known) {
            error = directive_known(gateway, held, topic, directive.order, payload, size);
        }
    } else if (error == SERIN_OK && outranked(gateway, text, directive.order)) {
        error = SERIN_ERR_STALE;
    }
    if (error == SERIN_OK && !known) {
        error = directive_take(gateway, topic, &directive, payload, size);
    }
    if (error != SERIN_OK) {
        refuse(gateway, topic, payload, size, error);
    }
}

void gateway_orders_message(struct gateway *gateway, const struct serin_topic *topic,
                            const uint8_t *payload, size_t size)
{
    if (size == 0) {
        return; /* clearing a topic says nothing (docs/spec/directive.md, section 1) */
    }
    if (topic->kind == SERIN_TOPIC_TRUST && size <= SERIN_TRUST_PAYLOAD_MAX) {
        trust_message(gateway, topic, payload, size);
    } else if (topic->kind != SERIN_TOPIC_TRUST && size <= SERIN_DIRECTIVE_MAX) {
        directive_message(gateway, topic, payload, size);
    } else {
        refuse(gateway, topic, payload, size, SERIN_ERR_TOO_LARGE);
    }
}

void gateway_orders_tick(struct gateway *gateway)
{
    struct gateway_orders *orders = gateway->orders;
    if (gateway->mono_ms >= orders->later_ms) {
        later_try(gateway);
    }
    orders_show(gateway);
    if (orders->changed) {
        orders->changed = false;
        gateway_words_orders_changed(gateway);
        gateway_bytes_orders_changed(gateway);
    }
}

uint64_t gateway_orders_deadline_ms(const struct gateway *gateway)
{
    const struct gateway_orders *orders = gateway->orders;
    uint64_t deadline_ms = orders->later_ms;
    if (orders->changed) {
        return 0;
    }
    uint64_t show_ms = orders_show_deadline_ms(gateway);
    return show_ms < deadline_ms ? show_ms : deadline_ms;
}
