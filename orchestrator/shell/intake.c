/* The intake (intake.h). */
#include "intake.h"

#include "serind.h"

#include <serin/adapters/log.h>
#include <serin/topic.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAY_EVERY_MS 10000u

enum serin_error serind_intake_init(struct serind *serind)
{
    serind->intake = (struct serind_intake){
        .batch = calloc(SERIND_BATCH_MAX, sizeof *serind->intake.batch),
        .unpacked = calloc(1, sizeof *serind->intake.unpacked),
        .tickets = calloc(SERIND_TICKETS_MAX, sizeof *serind->intake.tickets),
    };
    bool made = serind->intake.batch != NULL && serind->intake.unpacked != NULL &&
                serind->intake.tickets != NULL;
    return made ? SERIN_OK : SERIN_ERR_MEMORY;
}

void serind_intake_free(struct serind *serind)
{
    free(serind->intake.batch);
    free(serind->intake.unpacked);
    free(serind->intake.tickets);
    serind->intake.batch = NULL;
    serind->intake.unpacked = NULL;
    serind->intake.tickets = NULL;
}

void serind_intake_empty(struct serind *serind)
{
    serind->intake.count = 0;
    serind->intake.ticket_count = 0;
    serind->intake.urgent = false;
}

/* ---- connections ---- */

static void broker_alarm_key(size_t broker, char key[SERIND_ALARM_KEY_MAX])
{
    (void)snprintf(key, SERIND_ALARM_KEY_MAX, "broker:%zu", broker);
}

static void connected(struct serind *serind, size_t broker)
{
    struct serind_broker *at = &serind->brokers[broker];
    char key[SERIND_ALARM_KEY_MAX];
    broker_alarm_key(broker, key);
    serin_log(SERIN_LOG_INFO, "connected broker=%s", at->uri);
    serind_alarm_clear(serind, key);
    at->connected = true;
    at->settled = false;
    at->connected_at_ms = at->heard_at_ms = serind->mono_ms;
}

static void disconnected(struct serind *serind, size_t broker, const char *why)
{
    struct serind_broker *at = &serind->brokers[broker];
    char key[SERIND_ALARM_KEY_MAX];
    broker_alarm_key(broker, key);
    serind_alarm_raise(serind, key, "not connected to %s: %s", at->uri, why);
    at->connected = at->settled = false;
    serind_publisher_disconnected(serind, broker);
}

bool serind_reports_up(const struct serind *serind)
{
    for (size_t i = 0; i < serind->broker_count; i++) {
        if (!serind->brokers[i].connected || !serind->brokers[i].settled) {
            return false;
        }
    }
    return true;
}

bool serind_brokers_unheard(const struct serind *serind)
{
    for (size_t i = 0; i < serind->broker_count; i++) {
        if (serind->brokers[i].connected && !serind->brokers[i].heard) {
            return true;
        }
    }
    return false;
}

void serind_intake_tend(struct serind *serind)
{
    for (size_t i = 0; i < serind->broker_count; i++) {
        struct serind_broker *at = &serind->brokers[i];
        if (at->connected && !at->settled &&
            serind->mono_ms - at->connected_at_ms >= SERIND_SETTLE_MS &&
            serind->mono_ms - at->heard_at_ms >= SERIND_SETTLE_MS / 2) {
            at->settled = at->heard = true;
            serind->publisher.tend_at_ms = 0;
            serin_log(SERIN_LOG_INFO, "its retained messages are heard broker=%s", at->uri);
        }
        uint64_t dropped = serin_mqtt_dropped(at->mqtt);
        if (dropped != at->dropped) {
            serin_log(SERIN_LOG_WARN, "messages of QoS 0 dropped broker=%s count=%llu", at->uri,
                      (unsigned long long)(dropped - at->dropped));
            at->dropped = dropped;
        }
    }
}

/* ---- messages ---- */

/* The plugin refuses what is malformed; what comes through all the same is counted, and said now
 * and then. */
static void malformed(struct serind *serind, const char *topic, enum serin_error error)
{
    struct serind_intake *intake = &serind->intake;
    intake->malformed++;
    if (intake->said_at_ms == 0 || serind->mono_ms - intake->said_at_ms >= SAY_EVERY_MS) {
        intake->said_at_ms = serind->mono_ms;
        serin_log(SERIN_LOG_WARN, "message refused topic=%s in_all=%llu: %s", topic,
                  (unsigned long long)intake->malformed, serin_error_text(error));
    }
}

/* Of a gateway, or of a device that is direct: what the cloud's broker says of a node is of a time
 * when it was none. */
static void presence(struct serind *serind, const struct serin_topic *topic,
                     const struct serin_mqtt_event *event)
{
    struct serin_presence value = {.online = false};
    if (event->payload_size > 0 &&
        serind->codec->decode_presence(event->payload, event->payload_size, &value) != SERIN_OK) {
        malformed(serind, event->topic, SERIN_ERR_FORMAT);
        return;
    }
    uint32_t device = serind_index_find(&serind->index, topic->id);
    uint32_t site = serind_sites_find(serind, topic->id);
    if (site != 0) {
        serind_index_online(&serind->sites.ids, site - 1, value.online);
    }
    if (device != SERIND_NO_DEVICE && serind->index.list[device].site == 0) {
        serind_index_online(&serind->index, device, value.online);
    }
}

/* The next place of the batch, or NULL: brokers are not heard yet, and what does not fit is not
 * acknowledged, so that it comes again. */
static struct serind_item *place(struct serind *serind, size_t broker, uint32_t site,
                                 uint32_t ticket)
{
    struct serind_intake *intake = &serind->intake;
    if (intake->count == SERIND_BATCH_MAX) {
        return NULL;
    }
    struct serind_item *next = &intake->batch[intake->count];
    next->broker = broker;
    next->site = site;
    next->ticket = ticket;
    return next;
}

/* The place is filled. */
static void keep(struct serind *serind, const struct serind_item *item)
{
    struct serind_intake *intake = &serind->intake;
    intake->urgent |= item->kind == SERIND_ITEM_REPORT;
    if (intake->count++ == 0) {
        intake->oldest_at_ms = serind->mono_ms;
    }
}

/* A report or beat of a device itself. It speaks for itself only: the id in the payload must be
 * that of the topic, which the broker let this identity publish on. */
static void item(struct serind *serind, size_t broker, const struct serin_topic *topic,
                 const struct serin_mqtt_event *event)
{
    struct serind_item *next = place(serind, broker, 0, 0);
    if (next == NULL) {
        return;
    }
    enum serind_item_kind kind =
        topic->kind == SERIN_TOPIC_DEV_REPORT ? SERIND_ITEM_REPORT : SERIND_ITEM_BEAT;
    enum serin_error error = serind_item_decode(serind->codec, kind, topic->id, event->payload,
                                                event->payload_size, next);
    if (error != SERIN_OK) {
        malformed(serind, event->topic, error);
        return;
    }
    keep(serind, next);
}

void serind_intake_batch_item(struct serind *serind, size_t broker, uint32_t site, uint32_t ticket,
                              const struct serin_batch_item *item)
{
    struct serind_item *next = place(serind, broker, site, ticket);
    if (next == NULL) {
        return;
    }
    enum serin_error error = serind_batch_item(serind->codec, item, next);
    if (error == SERIN_OK) {
        keep(serind, next);
    } else if (error != SERIN_ERR_UNSUPPORTED) { /* a kind of a later gateway */
        char topic[SERIN_TOPIC_MAX];
        serin_topic_device(SERIN_TOPIC_GW_REPORTS, serind_site_name(serind, site), topic);
        malformed(serind, topic, error);
    }
}

static void gateway(struct serind *serind, size_t broker, const struct serin_topic *topic,
                    const struct serin_mqtt_event *event)
{
    enum serin_error error =
        topic->kind == SERIN_TOPIC_GW_REPORTS
            ? serind_batch_heard(serind, broker, topic->id, event->payload, event->payload_size)
            : serind_status_heard(serind, topic->id, event->payload, event->payload_size);
    if (error != SERIN_OK) {
        malformed(serind, event->topic, error);
    }
}

static void message(struct serind *serind, size_t broker, const struct serin_mqtt_event *event)
{
    struct serin_topic topic;
    enum serin_error error = serin_topic_parse(event->topic, &topic);
    if (error != SERIN_OK) {
        malformed(serind, event->topic, error);
        return;
    }
    if (topic.kind == SERIN_TOPIC_DEV_REPORT || topic.kind == SERIN_TOPIC_DEV_BEAT) {
        item(serind, broker, &topic, event);
    } else if (topic.kind == SERIN_TOPIC_GW_REPORTS || topic.kind == SERIN_TOPIC_GW_STATUS) {
        gateway(serind, broker, &topic, event);
    } else if (topic.kind == SERIN_TOPIC_DIRECTIVE || topic.kind == SERIN_TOPIC_DEV_DIRECTIVE ||
               topic.kind == SERIN_TOPIC_TRUST) {
        serind->brokers[broker].heard_at_ms = serind->mono_ms;
        serind_publisher_shown(serind, broker, &topic, event->payload, event->payload_size);
    } else if (topic.kind == SERIN_TOPIC_PRESENCE) {
        presence(serind, &topic, event);
    } else {
        malformed(serind, event->topic, SERIN_ERR_UNSUPPORTED);
    }
}

static void happened(struct serind *serind, size_t broker, const struct serin_mqtt_event *event)
{
    switch (event->kind) {
    case SERIN_MQTT_CONNECTED:
        connected(serind, broker);
        break;
    case SERIN_MQTT_DISCONNECTED:
        disconnected(serind, broker, event->why);
        break;
    case SERIN_MQTT_MESSAGE:
        message(serind, broker, event);
        break;
    case SERIN_MQTT_DELIVERED:
        serind_publisher_delivered(serind, broker, event->token);
        break;
    case SERIN_MQTT_REFUSED: /* it follows nothing */
    default:
        break;
    }
}

bool serind_intake_drain(struct serind *serind)
{
    /* Each turn begins with another broker, so that a storm at one does not silence the others. */
    size_t first = serind->intake.first_broker++ % serind->broker_count;
    for (size_t n = 0; n < serind->broker_count; n++) {
        size_t i = (first + n) % serind->broker_count;
        /* Bounded apart from the batch, so that a storm of presence does not starve operators. */
        for (unsigned taken = 0; taken < 4 * SERIND_BATCH_MAX; taken++) {
            struct serin_mqtt_event event;
            if (serind->intake.count >= SERIND_BATCH_FULL && !serind_brokers_unheard(serind)) {
                return true;
            }
            if (!serin_mqtt_next(serind->brokers[i].mqtt, &event)) {
                break;
            }
            happened(serind, i, &event);
            serin_mqtt_event_free(&event);
        }
    }
    return false;
}

bool serind_intake_due(const struct serind *serind)
{
    const struct serind_intake *intake = &serind->intake;
    return intake->count > 0 && (intake->urgent || intake->count >= SERIND_BATCH_FULL ||
                                 serind->mono_ms - intake->oldest_at_ms >= SERIND_BEAT_WAIT_MS);
}
