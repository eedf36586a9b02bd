/* The publisher: what brokers show, and its repair (publisher.h; design decision 4). */
#include "pass.h"
#include "publisher_internal.h"

#include <serin/adapters/log.h>
#include <serin/directive.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef char alarm_key[SERIND_ALARM_KEY_MAX];

/* ---- what brokers tell ---- */

void serind_publisher_disconnected(struct serind *serind, size_t broker)
{
    for (size_t i = 0; i < serind->publisher.count; i++) {
        struct serind_view *view = &serind->publisher.topics[i]->views[broker];
        free(view->payload);
        *view = (struct serind_view){.payload = NULL};
    }
    serind->publisher.tend_at_ms = 0;
}

void serind_publisher_delivered(struct serind *serind, size_t broker, int token)
{
    for (size_t i = 0; i < serind->publisher.count; i++) {
        struct serind_view *view = &serind->publisher.topics[i]->views[broker];
        if (view->in_flight && view->token == token) {
            view->acked = true;
        }
    }
}

/* A broker shows another trust record than ours. A higher version is the truth, wherever it comes
 * from, since the root key signed it. */
static void trust_shown(struct serind *serind, const uint8_t *payload, size_t size)
{
    struct serin_trust_payload value;
    struct serin_trust trust;
    char why[512];
    if (serind->codec->decode_trust_payload(payload, size, &value) != SERIN_OK) {
        return;
    }
    enum serin_error error = serind_trusts_take(serind, value.record, value.record_size, "broker",
                                                &trust, why, sizeof why);
    if (error == SERIN_OK) {
        serin_log(SERIN_LOG_INFO, "trust record taken from the broker product=%s version=%u",
                  trust.product, trust.version);
    } else if (error != SERIN_ERR_EXISTS && error != SERIN_ERR_STALE) {
        serin_log(SERIN_LOG_WARN, "a broker shows a trust record that is not taken: %s", why);
    }
}

static bool view_set(struct serind_view *view, const uint8_t *payload, size_t size)
{
    uint8_t *copy = size > 0 ? malloc(size) : NULL;
    if (size > 0 && copy == NULL) {
        return false;
    }
    if (size > 0) {
        memcpy(copy, payload, size);
    }
    free(view->payload);
    view->payload = copy;
    view->payload_size = size;
    return true;
}

void serind_publisher_shown(struct serind *serind, size_t broker, const struct serin_topic *topic,
                            const uint8_t *payload, size_t size)
{
    bool is_trust = topic->kind == SERIN_TOPIC_TRUST;
    size_t limit = is_trust ? SERIN_TRUST_PAYLOAD_MAX : SERIN_DIRECTIVE_MAX;
    struct serind_topic *known = serind_topic_find(serind, topic, size > 0 && size <= limit);
    if (known == NULL || size > limit || !view_set(&known->views[broker], payload, size)) {
        return;
    }
    struct serind_view *view = &known->views[broker];
    struct serin_directive directive;
    serind->publisher.tend_at_ms = 0;
    view->teaches = false;
    if (serind_view_same(known, view)) {
        /* Only what we did not just send there says that broker and store remember the same. */
        serind->publisher.agreed |= !is_trust && view->sent_at_ms == 0;
        view->in_flight = false;
        view->unanswered = 0;
        view->verified = true;
        view->order = known->own.order;
    } else if (is_trust) {
        trust_shown(serind, payload, size);
    } else {
        view->verified = serind_directive_read(serind, topic, payload, size, &directive);
        view->order = view->verified ? directive.order : (struct serin_order){0, 0};
        if (view->verified) {
            serind_signed_heard(serind, directive.issued_s);
        }
        view->teaches = view->verified && serind_directive_teaches(serind, known, &directive);
    }
}

/* ---- repair ---- */

static enum serin_sight sight_of(const struct serind *serind, const struct serind_topic *topic,
                                 const struct serind_view *view)
{
    const struct serin_repair_own own = {
        .held = topic->held,
        .payload = topic->payload,
        .payload_size = topic->payload_size,
        .order = serind_topic_order(serind, topic),
    };
    return serin_repair_look(&own, view->payload, view->payload_size, view->verified, view->order);
}

/* Whether an earlier publish may still be answered. One that was acknowledged and is not shown
 * after SERIND_ANSWER_MS counts as refused in silence. */
static bool waits(const struct serind *serind, struct serind_view *view)
{
    if (!view->in_flight) {
        return false;
    }
    if (serind->mono_ms - view->sent_at_ms < SERIND_ANSWER_MS) {
        return true;
    }
    view->in_flight = false;
    view->unanswered += view->acked ? 1u : 0u;
    return false;
}

static void silence_alarm(struct serind *serind, const struct serind_topic *topic, size_t broker,
                          bool silent)
{
    alarm_key key;
    (void)snprintf(key, sizeof key, "silent:%zu:%s", broker, topic->name);
    if (!silent) {
        serind_alarm_clear(serind, key);
        return;
    }
    serind_alarm_raise(serind, key,
                       "%s acknowledges what is published on %s, but does not show it: its plugin "
                       "refuses it, see the broker's log",
                       serind->brokers[broker].uri, topic->name);
}

/* The broker has acknowledged again and again and shows nothing of it: its order guard remembers a
 * higher order than its retained message tells. Whether a new epoch was asked for. */
static bool outbid(struct serind *serind, struct serind_topic *topic, size_t broker)
{
    silence_alarm(serind, topic, broker, true);
    if (topic->topic.kind != SERIN_TOPIC_DIRECTIVE ||
        serind->mono_ms < serind->publisher.guard_rest_until_ms) {
        return false;
    }
    serind->publisher.guard_rest_until_ms = serind->mono_ms + SERIND_GUARD_REST_MS;
    serind_publisher_want_epoch(serind, topic->own.order,
                                "%s takes no directive on %s: its order guard remembers a higher "
                                "order",
                                serind->brokers[broker].uri, topic->name);
    /* A broker that agrees proves that the store is no backup: then only this broker is astray. */
    if (!serind->publisher.agreed) {
        serind_topic_doubt(topic, (struct serin_order){UINT32_MAX, UINT32_MAX});
    }
    return true;
}

static void repair_publish(struct serind *serind, struct serind_topic *topic, size_t broker,
                           enum serin_sight sight)
{
    struct serind_view *view = &topic->views[broker];
    if (view->unanswered >= SERIN_REPAIR_UNANSWERED_MAX) {
        view->unanswered = 0;
        if (outbid(serind, topic, broker)) {
            return;
        }
    }
    if (serind_topic_send(serind, topic, broker) != SERIN_OK) {
        return; /* not now: it is tried again at the next look, and said when it was taken */
    }
    serin_log(SERIN_LOG_INFO, "repair topic=%s broker=%s: it shows %s", topic->name,
              serind->brokers[broker].uri, serin_sight_text(sight));
    serind_audit(serind,
                 &(struct serind_audit_line){
                     .what = "repair", .topic = topic->name, .order = topic->own.order},
                 "%s showed %s: published again", serind->brokers[broker].uri,
                 serin_sight_text(sight));
}

static void foreign_alarm(struct serind *serind, const struct serind_topic *topic, size_t broker,
                          bool foreign)
{
    alarm_key key;
    (void)snprintf(key, sizeof key, "foreign:%zu:%s", broker, topic->name);
    if (!foreign) {
        serind_alarm_clear(serind, key);
        return;
    }
    serind_alarm_raise(serind, key,
                       "%s shows a directive on %s that is signed by none of our directors: "
                       "somebody else publishes there, no device will follow it",
                       serind->brokers[broker].uri, topic->name);
}

static void look_after(struct serind *serind, struct serind_topic *topic, size_t broker)
{
    struct serind_view *view = &topic->views[broker];
    enum serin_sight sight = sight_of(serind, topic, view);
    bool is_trust = topic->topic.kind == SERIN_TOPIC_TRUST;
    if (!is_trust) {
        foreign_alarm(serind, topic, broker, sight == SERIN_SIGHT_FOREIGN);
    }
    if (sight == SERIN_SIGHT_SAME) {
        silence_alarm(serind, topic, broker, false);
        return;
    }
    if (waits(serind, view)) {
        return;
    }
    enum serin_repair repair = serin_repair_decide(topic->held, sight);
    if (is_trust) {
        /* Trust records have versions, no orders: a higher one was taken when it was shown. */
        repair = topic->held ? SERIN_REPAIR_PUBLISH : SERIN_REPAIR_KEEP;
    }
    if (view->teaches) {
        serind->publisher.due = true;
        if (repair == SERIN_REPAIR_PUBLISH) {
            return; /* the next pass learns from it; ours would go over it unread */
        }
    }
    switch (repair) {
    case SERIN_REPAIR_PUBLISH:
        repair_publish(serind, topic, broker, sight);
        break;
    case SERIN_REPAIR_REISSUE:
        if (topic->topic.kind == SERIN_TOPIC_DIRECTIVE) {
            topic->renew = true;
            topic->reason = "withdrawn, the store knows nothing of it";
            serind->publisher.due = true;
        }
        break;
    case SERIN_REPAIR_NEW_EPOCH:
        serind_publisher_want_epoch(serind, view->order, "%s shows %s on %s, order %u.%u",
                                    serind->brokers[broker].uri, serin_sight_text(sight),
                                    topic->name, view->order.epoch, view->order.sequence);
        break;
    case SERIN_REPAIR_KEEP:
    default:
        break;
    }
}

/* ---- halts and leases ---- */

/* A halt must reach every broker within SERIND_HALT_MS; at a connection it must be there already.
 */
static void halt_alarm(struct serind *serind, const struct serind_topic *topic, size_t broker)
{
    const struct serind_broker *at = &serind->brokers[broker];
    alarm_key key;
    (void)snprintf(key, sizeof key, "halt:%zu:%s", broker, topic->name);
    bool there = serind_view_same(topic, &topic->views[broker]);
    if (!topic->halt || there) {
        serind_alarm_clear(serind, key);
        return;
    }
    bool overdue = serind->mono_ms - topic->changed_at_ms > SERIND_HALT_MS;
    if (overdue && (!at->connected || at->settled)) {
        serind_alarm_raise(serind, key, "the halt on %s is not on %s (%s)", topic->name, at->uri,
                           at->connected ? "it is connected" : "it is not connected");
    }
}

static bool lease_half_over(const struct serind *serind, const struct serind_topic *topic)
{
    return serind_signed_ms(serind) / 1000u >= topic->own.issued_s + topic->own.lease_s / 2;
}

static bool any_settled(const struct serind *serind)
{
    for (size_t i = 0; i < serind->broker_count; i++) {
        if (serind->brokers[i].settled) {
            return true;
        }
    }
    return false;
}

void serind_publisher_tend(struct serind *serind)
{
    struct serind_publisher *publisher = &serind->publisher;
    if (serind->mono_ms < publisher->tend_at_ms) {
        return;
    }
    publisher->tend_at_ms = serind->mono_ms + SERIND_TEND_MS;
    bool can_renew = any_settled(serind);
    serind_topics_forget(serind);
    serind_signed_tend(serind);
    for (size_t i = 0; i < publisher->count; i++) {
        struct serind_topic *topic = publisher->topics[i];
        for (size_t b = 0; b < serind->broker_count; b++) {
            if (serind->brokers[b].settled) {
                look_after(serind, topic, b);
            }
            halt_alarm(serind, topic, b);
        }
        serind_topic_doubt_tend(serind, topic);
        if (topic->topic.kind == SERIN_TOPIC_DIRECTIVE && topic->held && can_renew &&
            !topic->renew && lease_half_over(serind, topic)) {
            topic->renew = true;
            topic->reason = "the lease is renewed";
            publisher->due = true;
        }
    }
}

bool serind_publisher_due(const struct serind *serind)
{
    return serind->publisher.due;
}

void serind_publisher_renew(struct serind *serind)
{
    struct serind_publisher *publisher = &serind->publisher;
    publisher->due = publisher->want_epoch;
    for (size_t i = 0; i < publisher->count; i++) {
        struct serind_topic *topic = publisher->topics[i];
        if (topic->renew) {
            topic->renew = false; /* asked for again at the next look, should this pass fail */
            serind_publisher_want(serind, topic->topic.product, topic->topic.channel, 0,
                                  topic->reason);
        }
    }
}
