/*
 * The event queue between Paho's threads and the owner, and the descriptor that tells of it.
 */
#include "client.h"

#include <serin/assert.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Messages wait until the subscriptions stand: the broker may send retained ones before it
 * acknowledges the subscription, and the owner hears CONNECTED first. */
static bool may_tell(const struct serin_mqtt *mqtt)
{
    return mqtt->tell_connected || mqtt->tell_lost ||
           (mqtt->head != NULL && mqtt->state != LINK_SUBSCRIBING);
}

void queue_refresh(struct serin_mqtt *mqtt)
{
    bool readable = may_tell(mqtt);
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
    struct queue_node *node = malloc(sizeof(*node));

    if (node == NULL) {
        return false;
    }
    node->event = *event;
    node->next = NULL;
    if (mqtt->tail != NULL) {
        mqtt->tail->next = node;
    } else {
        mqtt->head = node;
    }
    mqtt->tail = node;
    mqtt->queued++;
    queue_refresh(mqtt);
    return true;
}

static void take_head(struct serin_mqtt *mqtt, struct serin_mqtt_event *event)
{
    struct queue_node *node = mqtt->head;

    mqtt->head = node->next;
    if (mqtt->head == NULL) {
        mqtt->tail = NULL;
    }
    mqtt->queued--;
    *event = node->event;
    free(node);
    if (event->kind == SERIN_MQTT_DELIVERED && mqtt->in_flight > 0) {
        mqtt->in_flight--;
    }
}

bool queue_pop(struct serin_mqtt *mqtt, struct serin_mqtt_event *event)
{
    memset(event, 0, sizeof(*event));
    if (!may_tell(mqtt)) {
        return false;
    }
    if (mqtt->tell_connected) {
        mqtt->tell_connected = false;
        event->kind = SERIN_MQTT_CONNECTED;
    } else if (mqtt->head != NULL) {
        take_head(mqtt, event);
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
    struct queue_node *node = mqtt->head;

    while (node != NULL) {
        struct queue_node *next = node->next;
        serin_mqtt_event_free(&node->event);
        free(node);
        node = next;
    }
    mqtt->head = NULL;
    mqtt->tail = NULL;
    mqtt->queued = 0;
    queue_refresh(mqtt);
}
