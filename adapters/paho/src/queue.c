/*
 * The event queue between Paho's threads and the owner, its two lanes, and the descriptor that
 * tells of it.
 */
#include "client.h"

#include <serin/assert.h>
#include <serin/topic.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What an owner must hear of whatever else it is behind with: a halt is an order too. */
static const bool carries_orders[SERIN_TOPIC_COUNT] = {
    [SERIN_TOPIC_DIRECTIVE] = true,
    [SERIN_TOPIC_DEV_DIRECTIVE] = true,
    [SERIN_TOPIC_TRUST] = true,
    [SERIN_TOPIC_HOLD] = true,
};

enum queue_lane queue_lane(const char *topic)
{
    struct serin_topic parsed;

    if (serin_topic_parse(topic, &parsed) != SERIN_OK) {
        return LANE_OTHER;
    }
    return carries_orders[parsed.kind] ? LANE_FIRST : LANE_OTHER;
}

size_t queue_cost(const char *topic, size_t payload_size)
{
    return sizeof(struct queue_node) + strlen(topic) + 1 + payload_size + 1;
}

static struct queue *next_lane(struct serin_mqtt *mqtt)
{
    for (size_t i = 0; i < LANES; i++) {
        if (mqtt->lanes[i].head != NULL) {
            return &mqtt->lanes[i];
        }
    }
    return NULL;
}

/* Messages wait until the subscriptions stand: the broker may send retained ones before it
 * acknowledges the subscription, and the owner hears CONNECTED first. */
static bool may_tell(struct serin_mqtt *mqtt)
{
    return mqtt->tell_connected || mqtt->tell_lost ||
           (next_lane(mqtt) != NULL && mqtt->state != LINK_SUBSCRIBING);
}

void queue_refresh(struct serin_mqtt *mqtt)
{
    bool readable = may_tell(mqtt) || follow_ready(mqtt);
    uint64_t count = 1;

    if (readable == mqtt->readable) {
        return;
    }
    /* An eventfd of value 0 or 1 takes one write or one read without blocking, so neither can fail.
     */
    ssize_t done = readable ? write(mqtt->event_fd, &count, sizeof(count))
                            : read(mqtt->event_fd, &count, sizeof(count));
    SERIN_ASSERT(done == (ssize_t)sizeof(count));
    mqtt->readable = readable;
}

bool queue_push(struct serin_mqtt *mqtt, const struct serin_mqtt_event *event)
{
    bool message = event->kind == SERIN_MQTT_MESSAGE;
    struct queue *lane = &mqtt->lanes[message ? queue_lane(event->topic) : LANE_FIRST];
    struct queue_node *node = malloc(sizeof(*node));

    if (node == NULL) {
        return false;
    }
    node->event = *event;
    node->next = NULL;
    if (lane->tail != NULL) {
        lane->tail->next = node;
    } else {
        lane->head = node;
    }
    lane->tail = node;
    lane->messages += message ? 1 : 0;
    lane->bytes += message ? queue_cost(event->topic, event->payload_size) : 0;
    mqtt->untold += event->kind == SERIN_MQTT_DELIVERED ? 1 : 0;
    queue_refresh(mqtt);
    return true;
}

static void take_head(struct serin_mqtt *mqtt, struct queue *lane, struct serin_mqtt_event *event)
{
    struct queue_node *node = lane->head;

    lane->head = node->next;
    if (lane->head == NULL) {
        lane->tail = NULL;
    }
    *event = node->event;
    free(node);
    mqtt->untold -= event->kind == SERIN_MQTT_DELIVERED ? 1 : 0;
    if (event->kind == SERIN_MQTT_MESSAGE) {
        lane->messages--;
        lane->bytes -= queue_cost(event->topic, event->payload_size);
    }
}

bool queue_pop(struct serin_mqtt *mqtt, struct serin_mqtt_event *event)
{
    struct queue *lane = next_lane(mqtt);

    memset(event, 0, sizeof(*event));
    if (!may_tell(mqtt)) {
        return false;
    }
    if (mqtt->tell_connected) {
        mqtt->tell_connected = false;
        event->kind = SERIN_MQTT_CONNECTED;
    } else if (lane != NULL) {
        take_head(mqtt, lane, event);
    } else {
        mqtt->tell_lost = false;
        event->kind = SERIN_MQTT_DISCONNECTED;
        memcpy(event->why, mqtt->why, sizeof(event->why));
    }
    queue_refresh(mqtt);
    return true;
}

void queue_clear(struct serin_mqtt *mqtt)
{
    for (struct queue *lane = next_lane(mqtt); lane != NULL; lane = next_lane(mqtt)) {
        struct serin_mqtt_event event;
        take_head(mqtt, lane, &event);
        serin_mqtt_event_free(&event);
    }
    queue_refresh(mqtt);
}
