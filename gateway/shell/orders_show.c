/*
 * Showing to the site's broker what is held (gateway.h; docs/spec/site.md, section 6): published,
 * and looked for. PUBACK does not say that the plugin took it, so the gateway listens to the topics
 * itself: what it does not hear within a while it publishes again.
 */
#include "orders_internal.h"

#include <serin/adapters/log.h>

#include <string.h>

#define SHOW_MS    1000u  /* after the site's broker had no room, or the store could not be read */
#define LOOK_MS    15000u /* the broker shows what it took long before */
#define SHOW_COUNT 64u    /* publishes in a turn */

void gateway_orders_site_connected(struct gateway *gateway)
{
    struct gateway_orders *orders = gateway->orders;
    for (size_t i = 0; i < orders->trust_count; i++) {
        orders->trusts[i].shown = orders->trusts[i].seen = false;
    }
    for (size_t i = 0; i < orders->count; i++) {
        orders->held[i]->shown = orders->held[i]->seen = false;
    }
    orders->to_show = true;
    orders->show_ms = 0;
}

/* ---- what the site's broker shows ---- */

static bool seen_trust(const struct gateway *gateway, const uint8_t *payload, size_t size,
                       const struct orders_trust *place)
{
    struct serin_trust_payload outer;
    struct serin_trust trust;
    return gateway->codec->decode_trust_payload(payload, size, &outer) == SERIN_OK &&
           serin_trust_open(gateway->crypto, gateway->orders->root_key, outer.record,
                            outer.record_size, &trust) == SERIN_OK &&
           place->held && trust.version == place->trust.version;
}

/* Only an order can be compared here: its bytes are the plugin's to guard. */
static bool seen_directive(const struct gateway *gateway, const uint8_t *payload, size_t size,
                           const struct orders_held *held)
{
    struct serin_envelope envelope;
    struct serin_directive directive;
    return gateway->codec->decode_envelope(payload, size, &envelope) == SERIN_OK &&
           gateway->codec->decode_directive(envelope.body, envelope.body_size, &directive) ==
               SERIN_OK &&
           serin_order_compare(directive.order, held->order.directive.order) == 0;
}

void gateway_orders_site_message(struct gateway *gateway, const struct serin_topic *topic,
                                 const uint8_t *payload, size_t size)
{
    struct gateway_orders *orders = gateway->orders;
    char text[SERIN_TOPIC_MAX];
    size_t index = 0;
    if (topic->kind == SERIN_TOPIC_TRUST) {
        struct orders_trust *place = orders_trust_find(orders, topic->product);
        if (place != NULL) {
            place->seen = seen_trust(gateway, payload, size, place);
        }
        return;
    }
    serin_topic_format(topic, text);
    if (orders_find(orders, text, &index)) {
        orders->held[index]->seen = seen_directive(gateway, payload, size, orders->held[index]);
    }
}

/* What was published and not seen is published again. */
static void look(struct gateway *gateway)
{
    struct gateway_orders *orders = gateway->orders;
    size_t missing = 0;
    for (size_t i = 0; i < orders->trust_count; i++) {
        struct orders_trust *place = &orders->trusts[i];
        bool lost = place->held && place->shown && !place->seen;
        missing += lost ? 1 : 0;
        place->shown = place->shown && !lost;
    }
    for (size_t i = 0; i < orders->count; i++) {
        struct orders_held *held = orders->held[i];
        if (held->shown && !held->seen) {
            missing++;
            held->shown = false;
            serin_log(SERIN_LOG_WARN,
                      "the site's broker does not show topic=%s order=%u.%u: "
                      "published again; its log says why it was refused",
                      held->order.topic, held->order.directive.order.epoch,
                      held->order.directive.order.sequence);
        }
    }
    orders->to_show = orders->to_show || missing > 0;
    orders->to_see = false;
}

/* Something was published: when to look whether it is seen. */
static void expect(struct gateway *gateway)
{
    if (!gateway->orders->to_see) {
        gateway->orders->to_see = true;
        gateway->orders->look_ms = gateway->mono_ms + LOOK_MS;
    }
}

/* ---- publishing ---- */

/* Publishes what is held under a topic. SERIN_ERR_AGAIN: not now. */
static enum serin_error show(struct gateway *gateway, const char *text,
                             const struct serin_order_record *unsaved)
{
    struct serin_order_record record;
    struct serin_topic topic;
    enum serin_error error = SERIN_OK;
    if (unsaved != NULL) {
        record = *unsaved;
    } else {
        error = orders_read(gateway, text, &record);
    }
    if (error == SERIN_OK) {
        error = serin_topic_parse(text, &topic);
    }
    if (error == SERIN_OK) {
        error = gateway_publish_site(gateway, &topic, record.payload, record.payload_size);
    }
    if (error != SERIN_OK && error != SERIN_ERR_AGAIN) {
        serin_log(SERIN_LOG_WARN, "not passed down yet topic=%s: %s", text,
                  serin_error_text(error));
    }
    return error == SERIN_OK ? SERIN_OK : SERIN_ERR_AGAIN;
}

/* Trust records first: their keys are what directives are verified with. One that cannot be shown
 * holds up no directive: nodes have had a record since the factory. */
static enum serin_error show_trusts(struct gateway *gateway)
{
    enum serin_error result = SERIN_OK;
    for (size_t i = 0; i < gateway->orders->trust_count; i++) {
        struct orders_trust *place = &gateway->orders->trusts[i];
        char topic[SERIN_TOPIC_MAX];
        if (place->held && !place->shown) {
            serin_topic_trust(place->product, topic);
            enum serin_error error = show(gateway, topic, NULL);
            place->shown = error == SERIN_OK;
            result = error != SERIN_OK ? error : result;
            if (place->shown && !place->seen) {
                expect(gateway);
            }
        }
    }
    return result;
}

/* SERIN_ERR_AGAIN: some cannot be shown now; SERIN_ERR_BUSY: enough for this turn. */
static enum serin_error show_directives(struct gateway *gateway)
{
    size_t count = 0;
    enum serin_error result = SERIN_OK;
    for (size_t i = 0; i < gateway->orders->count; i++) {
        struct orders_held *held = gateway->orders->held[i];
        if (held->shown) {
            continue;
        }
        if (count++ == SHOW_COUNT) {
            return result == SERIN_OK ? SERIN_ERR_BUSY : result;
        }
        enum serin_error error = show(gateway, held->order.topic, held->unsaved);
        held->shown = error == SERIN_OK;
        result = error != SERIN_OK ? error : result;
        if (held->shown && !held->seen) {
            expect(gateway);
        }
    }
    return result;
}

void orders_show(struct gateway *gateway)
{
    struct gateway_orders *orders = gateway->orders;
    if (!gateway->site_connected) {
        return;
    }
    if (orders->to_see && gateway->mono_ms >= orders->look_ms) {
        look(gateway);
    }
    if (!orders->to_show || gateway->mono_ms < orders->show_ms) {
        return;
    }
    enum serin_error error = show_trusts(gateway);
    enum serin_error directives = show_directives(gateway);
    error = directives != SERIN_OK ? directives : error;
    orders->to_show = error != SERIN_OK;
    orders->show_ms = error == SERIN_ERR_AGAIN ? gateway->mono_ms + SHOW_MS : 0;
}

uint64_t orders_show_deadline_ms(const struct gateway *gateway)
{
    const struct gateway_orders *orders = gateway->orders;
    if (!gateway->site_connected) {
        return UINT64_MAX;
    }
    uint64_t look_ms = orders->to_see ? orders->look_ms : UINT64_MAX;
    return orders->to_show && orders->show_ms < look_ms ? orders->show_ms : look_ms;
}
