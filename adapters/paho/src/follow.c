/*
 * Filters that come and go while connected: what is followed, and the SUBSCRIBE packets for it.
 *
 * The owner's thread alone changes the list and sends packets; Paho's threads only note the
 * answers. A packet names its filters by their place in memory, so a filter that is let go is taken
 * out of the packets under way first.
 */
#include "client.h"

#include <serin/assert.h>

#include <stdlib.h>
#include <string.h>

#define REFUSED 0x80 /* a return code of SUBACK: MQTT 3.1.1, section 3.9.3 */

/* What happens to a followed filter. */
enum follow_event {
    FOLLOW_WANT,  /* the owner follows it, or with another QoS */
    FOLLOW_DIAL,  /* a new connection stands, of which it knows nothing */
    FOLLOW_SEND,  /* a SUBSCRIBE packet with it is on its way */
    FOLLOW_GRANT, /* the broker's answers */
    FOLLOW_REFUSE,
    FOLLOW_EVENTS
};

/* The picture is in client.h. What is not listed is rejected; NEW is entered by nothing. */
static const enum follow_state transitions[FOLLOW_STATES][FOLLOW_EVENTS] = {
    [FOLLOW_NEW] = {[FOLLOW_WANT] = FOLLOW_DUE},
    [FOLLOW_DUE] =
        {[FOLLOW_WANT] = FOLLOW_DUE, [FOLLOW_DIAL] = FOLLOW_DUE, [FOLLOW_SEND] = FOLLOW_ASKED},
    [FOLLOW_ASKED] = {[FOLLOW_WANT] = FOLLOW_DUE,
                      [FOLLOW_DIAL] = FOLLOW_DUE,
                      [FOLLOW_GRANT] = FOLLOW_STANDING,
                      [FOLLOW_REFUSE] = FOLLOW_REFUSED},
    [FOLLOW_STANDING] = {[FOLLOW_WANT] = FOLLOW_DUE, [FOLLOW_DIAL] = FOLLOW_DUE},
    [FOLLOW_REFUSED] = {[FOLLOW_WANT] = FOLLOW_DUE, [FOLLOW_DIAL] = FOLLOW_DUE},
};

/* ---- the queue of what is due ---- */

static void due_append(struct follows *follows, struct followed *followed)
{
    followed->next = NULL;
    followed->previous = follows->due_tail;
    *(follows->due_tail != NULL ? &follows->due_tail->next : &follows->due_head) = followed;
    follows->due_tail = followed;
    follows->due++;
}

static void due_remove(struct follows *follows, struct followed *followed)
{
    *(followed->previous != NULL ? &followed->previous->next : &follows->due_head) = followed->next;
    *(followed->next != NULL ? &followed->next->previous : &follows->due_tail) = followed->previous;
    follows->due--;
}

/* Takes a filter out of what is counted and queued; it has no state until it enters one. */
static void state_leave(struct serin_mqtt *mqtt, struct followed *followed)
{
    struct follows *follows = &mqtt->follows;

    if (followed->state == FOLLOW_DUE) {
        due_remove(follows, followed);
    }
    follows->standing -= followed->state == FOLLOW_STANDING ? 1 : 0;
    for (size_t i = 0; followed->state == FOLLOW_ASKED && i < FOLLOW_PACKETS; i++) {
        struct follow_packet *packet = &mqtt->link->packets[i];
        for (size_t j = 0; j < packet->count; j++) {
            if (packet->filters[j] == followed) {
                packet->filters[j] = NULL;
            }
        }
    }
}

/* The one place that changes the state. With the mutex held. */
static void change(struct serin_mqtt *mqtt, struct followed *followed, enum follow_event event)
{
    enum follow_state next = transitions[followed->state][event];

    SERIN_ASSERT(next != FOLLOW_NEW);
    if (followed->state == next) {
        return; /* what is due keeps its place */
    }
    state_leave(mqtt, followed);
    followed->state = next;
    if (next == FOLLOW_DUE) {
        due_append(&mqtt->follows, followed);
    }
    mqtt->follows.standing += next == FOLLOW_STANDING ? 1 : 0;
}

/* ---- packets ---- */

static struct follow_packet *free_packet(struct link *link)
{
    for (size_t i = 0; i < FOLLOW_PACKETS; i++) {
        if (link->packets[i].count == 0) {
            return &link->packets[i];
        }
    }
    return NULL;
}

static size_t under_way(const struct link *link)
{
    size_t count = 0;

    for (size_t i = 0; i < FOLLOW_PACKETS; i++) {
        count += link->packets[i].count;
    }
    return count;
}

/* How many filters the next packet may hold; 0: none may be sent now. Each may bring a retained
 * message, so what is asked for at a time is what the queue has room for: an owner that is behind
 * asks later, and loses no connection by its own question. */
static size_t next_size(struct serin_mqtt *mqtt)
{
    size_t size = mqtt->follows.due < FOLLOW_PACKET_MAX ? mqtt->follows.due : FOLLOW_PACKET_MAX;

    if (mqtt->state != LINK_UP || size == 0 || free_packet(mqtt->link) == NULL) {
        return 0;
    }
    size_t load = under_way(mqtt->link);
    for (size_t i = 0; i < LANES; i++) {
        load += mqtt->lanes[i].messages;
    }
    size_t room = load < mqtt->queue_max ? mqtt->queue_max - load : 0;
    return size < room ? size : room;
}

bool follow_ready(struct serin_mqtt *mqtt)
{
    return next_size(mqtt) > 0;
}

static void answer(struct serin_mqtt *mqtt, struct followed *followed, int granted)
{
    if (followed == NULL) {
        return; /* it was let go meanwhile */
    }
    if (granted != REFUSED) {
        change(mqtt, followed, FOLLOW_GRANT);
        return;
    }
    change(mqtt, followed, FOLLOW_REFUSE);
    struct serin_mqtt_event event = {.kind = SERIN_MQTT_REFUSED, .topic = strdup(followed->filter)};
    if (event.topic == NULL || !queue_push(mqtt, &event)) {
        serin_mqtt_event_free(&event);
        (void)link_lose(mqtt, "memory is exhausted", true);
    }
}

static void on_answered(void *context, MQTTAsync_successData *data)
{
    struct follow_packet *packet = context;
    struct serin_mqtt *mqtt = link_enter(packet->link);

    if (mqtt == NULL) {
        return;
    }
    /* As in link.c: with one filter Paho gives its answer in place, with more a list. After a loss
     * the answers mean nothing. */
    for (size_t i = 0; mqtt->state == LINK_UP && i < packet->count; i++) {
        int granted = packet->count == 1 ? data->alt.qos : data->alt.qosList[i];
        answer(mqtt, packet->filters[i], granted);
    }
    packet->count = 0;
    queue_refresh(mqtt);
    link_leave(mqtt);
}

/* Paho comes here when a single filter is refused, and when the connection ends first. */
static void on_failed(void *context, MQTTAsync_failureData *data)
{
    struct follow_packet *packet = context;
    struct serin_mqtt *mqtt = link_enter(packet->link);

    if (mqtt == NULL) {
        return;
    }
    if (data != NULL && data->code == REFUSED && packet->count == 1 && mqtt->state == LINK_UP) {
        answer(mqtt, packet->filters[0], REFUSED);
    } else {
        (void)link_lose(mqtt, "the connection was lost while subscribing", true);
    }
    packet->count = 0;
    queue_refresh(mqtt);
    link_leave(mqtt);
}

/* Makes the next packet of what is due, with its texts and QoS levels; NULL: none now. The texts
 * stay where they are until the owner, who calls this, lets a filter go. */
static struct follow_packet *take_due(struct serin_mqtt *mqtt, char **texts, int *levels,
                                      size_t *count)
{
    pthread_mutex_lock(&mqtt->mutex);
    size_t size = next_size(mqtt);
    struct follow_packet *packet = size > 0 ? free_packet(mqtt->link) : NULL;
    if (packet != NULL) {
        packet->link = mqtt->link;
        packet->count = *count = size;
        for (size_t i = 0; i < size; i++) {
            struct followed *followed = mqtt->follows.due_head;
            change(mqtt, followed, FOLLOW_SEND);
            packet->filters[i] = followed;
            texts[i] = followed->filter;
            levels[i] = followed->qos;
        }
    }
    queue_refresh(mqtt);
    pthread_mutex_unlock(&mqtt->mutex);
    return packet;
}

void follow_send(struct serin_mqtt *mqtt)
{
    char *texts[FOLLOW_PACKET_MAX];
    int levels[FOLLOW_PACKET_MAX];
    struct follow_packet *packet = NULL;
    size_t count = 0;

    while ((packet = take_due(mqtt, texts, levels, &count)) != NULL) {
        MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
        options.onSuccess = on_answered;
        options.onFailure = on_failed;
        options.context = packet;
        if (MQTTAsync_subscribeMany(packet->link->handle, (int)count, texts, levels, &options) !=
            MQTTASYNC_SUCCESS) {
            on_failed(packet, NULL);
        }
    }
}

void follow_renew(struct serin_mqtt *mqtt)
{
    for (size_t i = 0; i < mqtt->follows.count; i++) {
        change(mqtt, mqtt->follows.list[i], FOLLOW_DIAL);
    }
}

/* ---- the list ---- */

/* Where the filter stands, or would stand, in the order of the list. */
static size_t place_of(const struct follows *follows, const char *filter, bool *found)
{
    size_t low = 0, high = follows->count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(follows->list[middle]->filter, filter);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* A broker ends the connection over a malformed filter, at each attempt again. */
static bool filter_ok(const char *filter)
{
    size_t size = strnlen(filter, SERIN_MQTT_FILTER_MAX + 1);

    if (size == 0 || size > SERIN_MQTT_FILTER_MAX) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        bool alone =
            (i == 0 || filter[i - 1] == '/') && (filter[i + 1] == '/' || filter[i + 1] == '\0');
        if (filter[i] <= ' ' || filter[i] > '~' || (filter[i] == '+' && !alone) ||
            (filter[i] == '#' && (!alone || filter[i + 1] != '\0'))) {
            return false;
        }
    }
    return true;
}

static bool make_room(struct follows *follows)
{
    if (follows->count < follows->capacity) {
        return true;
    }
    size_t capacity = follows->capacity > 0 ? 2 * follows->capacity : 64;
    struct followed **list = realloc(follows->list, capacity * sizeof(void *));
    if (list == NULL) {
        return false;
    }
    follows->list = list;
    follows->capacity = capacity;
    return true;
}

static enum serin_error insert(struct serin_mqtt *mqtt, size_t place, const char *filter, int qos)
{
    struct follows *follows = &mqtt->follows;
    size_t size = strlen(filter) + 1;

    if (follows->count == SERIN_MQTT_FOLLOWED_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    struct followed *followed = calloc(1, sizeof(*followed) + size);
    if (followed == NULL || !make_room(follows)) {
        free(followed);
        return SERIN_ERR_MEMORY;
    }
    memcpy(followed->filter, filter, size);
    followed->qos = qos;
    memmove(follows->list + place + 1, follows->list + place,
            (follows->count - place) * sizeof(void *));
    follows->list[place] = followed;
    follows->count++;
    change(mqtt, followed, FOLLOW_WANT);
    return SERIN_OK;
}

static enum serin_error want(struct serin_mqtt *mqtt, const char *filter, int qos)
{
    bool found = false;
    size_t place = place_of(&mqtt->follows, filter, &found);

    if (!found) {
        return insert(mqtt, place, filter, qos);
    }
    struct followed *followed = mqtt->follows.list[place];
    if (followed->qos != qos || followed->state == FOLLOW_REFUSED) {
        followed->qos = qos;
        change(mqtt, followed, FOLLOW_WANT);
    }
    return SERIN_OK;
}

enum serin_error serin_mqtt_follow(struct serin_mqtt *mqtt, const char *filter, int qos)
{
    if ((qos != 0 && qos != 1) || !filter_ok(filter)) {
        return SERIN_ERR_INVALID;
    }
    pthread_mutex_lock(&mqtt->mutex);
    enum serin_error error = want(mqtt, filter, qos);
    queue_refresh(mqtt);
    pthread_mutex_unlock(&mqtt->mutex);
    return error;
}

void serin_mqtt_unfollow(struct serin_mqtt *mqtt, const char *filter)
{
    struct follows *follows = &mqtt->follows;
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    struct followed *followed = NULL;
    bool found = false;
    bool told = false;

    pthread_mutex_lock(&mqtt->mutex);
    size_t place = place_of(follows, filter, &found);
    if (found) {
        followed = follows->list[place];
        told = mqtt->state == LINK_UP &&
               (followed->state == FOLLOW_ASKED || followed->state == FOLLOW_STANDING);
        state_leave(mqtt, followed);
        follows->count--;
        memmove(follows->list + place, follows->list + place + 1,
                (follows->count - place) * sizeof(void *));
    }
    queue_refresh(mqtt);
    pthread_mutex_unlock(&mqtt->mutex);
    if (told) {
        /* It fails only where the connection ends, and that ends the subscription too. */
        (void)MQTTAsync_unsubscribe(mqtt->link->handle, followed->filter, &options);
    }
    free(followed);
}

void follow_free(struct follows *follows)
{
    for (size_t i = 0; i < follows->count; i++) {
        free(follows->list[i]);
    }
    free(follows->list);
}
