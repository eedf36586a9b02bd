/*
 * One connection of the MQTT adapter: its state, its Paho client and Paho's callbacks.
 */
#include "client.h"

#include <serin/assert.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>

#define CONNECT_TIMEOUT_S 10
#define GOODBYE_S         1
#define STEADY_MS         60000u /* a connection that held for so long forgets the failures before it */

/* The picture is in client.h. What is not listed is rejected; IDLE is entered by nothing. */
static const enum link_state transitions[LINK_STATES][LINK_EVENTS] = {
    [LINK_IDLE] = {[LINK_START] = LINK_WAITING},
    [LINK_WAITING] = {[LINK_DIAL] = LINK_CONNECTING, [LINK_RESTART] = LINK_WAITING},
    [LINK_CONNECTING] = {[LINK_ACCEPTED] = LINK_SUBSCRIBING,
                         [LINK_LOST] = LINK_WAITING,
                         [LINK_RESTART] = LINK_WAITING},
    [LINK_SUBSCRIBING] =
        {[LINK_SUBSCRIBED] = LINK_UP, [LINK_LOST] = LINK_WAITING, [LINK_RESTART] = LINK_WAITING},
    [LINK_UP] = {[LINK_LOST] = LINK_WAITING, [LINK_RESTART] = LINK_WAITING},
};

bool link_change(struct serin_mqtt *mqtt, enum link_event event)
{
    enum link_state next = transitions[mqtt->state][event];

    if (next == LINK_IDLE) {
        return false;
    }
    mqtt->state = next;
    return true;
}

static uint64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void link_wait(struct serin_mqtt *mqtt, uint32_t delay_ms)
{
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(delay_ms / 1000u),
                                           .tv_nsec = (long)(delay_ms % 1000u) * 1000000L}};

    if (delay_ms == 0) {
        when.it_value.tv_nsec = 1; /* zero would disarm */
    }
    int failed = timerfd_settime(mqtt->timer_fd, 0, &when, NULL);
    SERIN_ASSERT(failed == 0);
}

/* Full jitter: a broker that comes back must not meet its whole fleet in one second. Even the first
 * retry is spread over four times the minimum. */
uint32_t serin_mqtt_backoff_ms(uint32_t min_ms, uint32_t max_ms, unsigned failures, uint64_t random)
{
    uint64_t limit = min_ms;

    for (unsigned i = 0; i <= failures && limit < max_ms; i++) {
        limit *= 2;
    }
    if (limit > max_ms) {
        limit = max_ms;
    }
    return min_ms + (uint32_t)(random % (limit - min_ms + 1));
}

static uint64_t random_number(void)
{
    uint64_t random = 0;

    /* Jitter without a source of entropy is still better than a stop. */
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        random = monotonic_ms();
    }
    return random;
}

bool link_lose(struct serin_mqtt *mqtt, const char *why, bool drop)
{
    bool heard = mqtt->state == LINK_UP;

    if (!link_change(mqtt, LINK_LOST)) {
        return false;
    }
    if (!heard) {
        queue_clear(mqtt); /* of a connection that the owner was never told of */
    }
    if (heard && monotonic_ms() - mqtt->up_since_ms >= STEADY_MS) {
        mqtt->failures = 0;
    }
    mqtt->failures += mqtt->failures < 32 ? 1 : 0;
    mqtt->in_flight = 0;
    mqtt->drop = drop;
    mqtt->tell_lost = true;
    (void)snprintf(mqtt->why, sizeof(mqtt->why), "%s", why);
    link_wait(mqtt, serin_mqtt_backoff_ms(mqtt->reconnect_min_ms, mqtt->reconnect_max_ms,
                                          mqtt->failures, random_number()));
    queue_refresh(mqtt);
    return true;
}

struct serin_mqtt *link_enter(struct link *link)
{
    struct serin_mqtt *mqtt = link->mqtt;

    pthread_mutex_lock(&mqtt->mutex);
    if (mqtt->link == link) {
        return mqtt;
    }
    pthread_mutex_unlock(&mqtt->mutex);
    return NULL;
}

void link_leave(struct serin_mqtt *mqtt)
{
    pthread_mutex_unlock(&mqtt->mutex);
}

/* ---- callbacks, in Paho's threads ---- */

static void on_lost(void *context, char *cause)
{
    struct serin_mqtt *mqtt = link_enter(context);

    if (mqtt == NULL) {
        return;
    }
    (void)link_lose(mqtt, cause != NULL ? cause : "the connection was lost", false);
    link_leave(mqtt);
}

/* CONNACK return codes of MQTT 3.1.1, table 3.1. */
static const char *const connack_text[] = {
    [1] = "the broker does not speak MQTT 3.1.1",
    [2] = "the broker rejects the client id",
    [3] = "the broker is not available",
    [4] = "the broker rejects the user name or password",
    [5] = "the broker does not authorise this client",
};

static void on_connect_failed(void *context, MQTTAsync_failureData *data)
{
    struct link *link = context;
    struct serin_mqtt *mqtt = link_enter(link);
    char why[128];

    if (mqtt == NULL) {
        return;
    }
    int code = data != NULL ? data->code : 0;
    const char *text = "cannot connect";
    if (code > 0 && code < (int)(sizeof(connack_text) / sizeof(connack_text[0]))) {
        text = connack_text[code];
    } else if (data != NULL && data->message != NULL) {
        text = data->message;
    }
    (void)snprintf(why, sizeof(why), "%.60s%s%.60s", text, link->tls_error[0] != '\0' ? ": " : "",
                   link->tls_error);
    (void)link_lose(mqtt, why, false);
    link_leave(mqtt);
}

/* OpenSSL's line is "thread:error:code:library:function:reason:file:line:data"; the reason is what
 * helps. */
static int on_tls_error(const char *text, size_t size, void *context)
{
    struct link *link = context;
    size_t start = 0;
    size_t end = 0;

    for (int field = 0; field < 5 && start < size; start++) {
        field += text[start] == ':' ? 1 : 0;
    }
    for (end = start; end < size && text[end] != ':' && text[end] != '\n'; end++) {
    }
    pthread_mutex_lock(&link->mqtt->mutex);
    (void)snprintf(link->tls_error, sizeof(link->tls_error), "%.*s", (int)(end - start),
                   text + start);
    pthread_mutex_unlock(&link->mqtt->mutex);
    return 0; /* Paho logs the rest */
}

static void stand(struct serin_mqtt *mqtt)
{
    if (link_change(mqtt, LINK_SUBSCRIBED)) {
        mqtt->up_since_ms = monotonic_ms();
        mqtt->tell_connected = true;
        follow_renew(mqtt);
        queue_refresh(mqtt);
    }
}

/* Ends a connection that cannot hear: `filter` was refused. */
static void refuse(struct serin_mqtt *mqtt, const struct filter *filter)
{
    char why[128];

    (void)snprintf(why, sizeof(why), "the broker refuses the subscription to %.80s", filter->text);
    (void)link_lose(mqtt, why, true);
}

static void on_subscribed(void *context, MQTTAsync_successData *data)
{
    struct serin_mqtt *mqtt = link_enter(context);

    if (mqtt == NULL) {
        return;
    }
    /* With one filter Paho gives its answer in place, with more a list. */
    for (size_t i = 0; i < mqtt->filter_count; i++) {
        int granted = mqtt->filter_count == 1 ? data->alt.qos : data->alt.qosList[i];
        if (granted == 0x80) {
            refuse(mqtt, &mqtt->filters[i]);
            break;
        }
    }
    stand(mqtt);
    link_leave(mqtt);
}

/* Paho comes here when a single filter is refused, and when the connection ends first. */
static void on_unsubscribed(void *context, MQTTAsync_failureData *data)
{
    struct serin_mqtt *mqtt = link_enter(context);

    if (mqtt == NULL) {
        return;
    }
    if (data != NULL && data->code == 0x80) {
        refuse(mqtt, &mqtt->filters[0]);
    } else {
        (void)link_lose(mqtt, "the connection was lost while subscribing", true);
    }
    link_leave(mqtt);
}

static void on_accepted(void *context, MQTTAsync_successData *data)
{
    struct link *link = context;
    struct serin_mqtt *mqtt = link_enter(link);
    char *texts[SERIN_MQTT_FILTERS_MAX];
    int levels[SERIN_MQTT_FILTERS_MAX];
    size_t count = 0;

    (void)data;
    if (mqtt == NULL) {
        return;
    }
    if (link_change(mqtt, LINK_ACCEPTED)) {
        count = mqtt->filter_count;
        for (size_t i = 0; i < count; i++) {
            texts[i] = mqtt->filters[i].text;
            levels[i] = mqtt->filters[i].qos;
        }
        if (count == 0) {
            stand(mqtt);
        }
    }
    link_leave(mqtt);
    if (count == 0) {
        return;
    }
    /* The filters cannot change now: serin_mqtt_subscribe refuses while a link is on its way. */
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.onSuccess = on_subscribed;
    options.onFailure = on_unsubscribed;
    options.context = link;
    if (MQTTAsync_subscribeMany(link->handle, (int)count, texts, levels, &options) !=
        MQTTASYNC_SUCCESS) {
        on_unsubscribed(link, NULL);
    }
}

/* Copies a message for the owner; false where memory is exhausted. */
static bool copy_message(struct serin_mqtt_event *event, const char *topic,
                         const MQTTAsync_message *message)
{
    size_t size = message->payloadlen > 0 ? (size_t)message->payloadlen : 0;

    *event = (struct serin_mqtt_event){.kind = SERIN_MQTT_MESSAGE,
                                       .payload_size = size,
                                       .retained = message->retained != 0,
                                       .qos = message->qos};
    event->topic = strdup(topic);
    event->payload = malloc(size + 1);
    if (event->topic == NULL || event->payload == NULL) {
        serin_mqtt_event_free(event);
        return false;
    }
    if (size > 0) {
        memcpy(event->payload, message->payload, size);
    }
    return true;
}

/* Whether a message more is over 1/`part` of what a lane may hold. */
static bool lane_over(const struct serin_mqtt *mqtt, enum queue_lane lane, size_t cost, size_t part)
{
    const struct queue *queue = &mqtt->lanes[lane];
    size_t bytes_max = mqtt->bytes_max / part;

    return queue->messages >= mqtt->queue_max * (SERIN_MQTT_QUEUE_FACTOR / part) ||
           cost > bytes_max || queue->bytes > bytes_max - cost;
}

static void take_message(struct serin_mqtt *mqtt, const char *topic,
                         const MQTTAsync_message *message)
{
    enum queue_lane lane = queue_lane(topic);
    size_t cost = queue_cost(topic, message->payloadlen > 0 ? (size_t)message->payloadlen : 0);
    struct serin_mqtt_event event;

    if (mqtt->state != LINK_UP && mqtt->state != LINK_SUBSCRIBING) {
        return;
    }
    if (lane != LANE_FIRST && message->qos == 0 &&
        lane_over(mqtt, lane, cost, SERIN_MQTT_QUEUE_FACTOR)) {
        mqtt->dropped++;
        return;
    }
    if (lane_over(mqtt, lane, cost, 1)) {
        (void)link_lose(mqtt, "messages came faster than they were taken", true);
        return;
    }
    if (!copy_message(&event, topic, message)) {
        (void)link_lose(mqtt, "memory is exhausted", true);
        return;
    }
    if (!queue_push(mqtt, &event)) {
        serin_mqtt_event_free(&event);
        (void)link_lose(mqtt, "memory is exhausted", true);
    }
}

static int on_message(void *context, char *topic, int topic_size, MQTTAsync_message *message)
{
    struct serin_mqtt *mqtt = link_enter(context);

    if (mqtt != NULL) {
        /* A topic with a NUL inside is one that nobody has subscribed to. Paho gives 0 for "as
         * terminated". */
        if (topic_size == 0 || strlen(topic) == (size_t)topic_size) {
            take_message(mqtt, topic, message);
        }
        link_leave(mqtt);
    }
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

void link_on_written(void *context, MQTTAsync_successData *data)
{
    struct serin_mqtt *mqtt = link_enter(context);

    (void)data;
    if (mqtt == NULL) {
        return;
    }
    mqtt->in_flight -= mqtt->in_flight > 0 ? 1 : 0;
    link_leave(mqtt);
}

void link_on_delivered(void *context, MQTTAsync_successData *data)
{
    struct serin_mqtt *mqtt = link_enter(context);

    if (mqtt == NULL) {
        return;
    }
    /* The room is free as of now: an owner that is behind with what it hears can still speak. */
    mqtt->in_flight -= mqtt->in_flight > 0 ? 1 : 0;
    struct serin_mqtt_event event = {.kind = SERIN_MQTT_DELIVERED, .token = data->token, .qos = 1};
    if (mqtt->state == LINK_UP && !queue_push(mqtt, &event)) {
        (void)link_lose(mqtt, "memory is exhausted", true);
    }
    link_leave(mqtt);
}

/* Paho fails a publish only when the connection ends, and says that too. */
void link_on_unsent(void *context, MQTTAsync_failureData *data)
{
    (void)data;
    link_on_written(context, NULL);
}

/* ---- the owner's side ---- */

static void on_closed(void *context, MQTTAsync_successData *data)
{
    struct link *link = context;

    (void)data;
    pthread_mutex_lock(&link->mqtt->mutex);
    link->closed = true;
    pthread_cond_broadcast(&link->mqtt->closed);
    pthread_mutex_unlock(&link->mqtt->mutex);
}

static void on_not_closed(void *context, MQTTAsync_failureData *data)
{
    (void)data;
    on_closed(context, NULL);
}

/* Says goodbye after what is queued to be written, and waits a moment for it. Destroying a Paho
 * client with publishes under way would lose them, and the memory of their topics (Paho 1.3.12). */
static void say_goodbye(struct link *link)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    struct timespec end;

    options.onSuccess = on_closed;
    options.onFailure = on_not_closed;
    options.context = link;
    if (MQTTAsync_disconnect(link->handle, &options) != MQTTASYNC_SUCCESS) {
        return;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += GOODBYE_S;
    pthread_mutex_lock(&link->mqtt->mutex);
    while (!link->closed &&
           pthread_cond_timedwait(&link->mqtt->closed, &link->mqtt->mutex, &end) == 0) {
    }
    pthread_mutex_unlock(&link->mqtt->mutex);
}

void link_free(struct link *link)
{
    if (link != NULL) {
        if (MQTTAsync_isConnected(link->handle)) {
            say_goodbye(link);
        }
        MQTTAsync_destroy(&link->handle);
        free(link);
    }
}

void link_drop(struct serin_mqtt *mqtt)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;

    pthread_mutex_lock(&mqtt->mutex);
    bool drop = mqtt->drop;
    mqtt->drop = false;
    pthread_mutex_unlock(&mqtt->mutex);
    if (drop && mqtt->link != NULL) {
        (void)MQTTAsync_disconnect(mqtt->link->handle, &options);
    }
}

static int connect_now(const struct serin_mqtt *mqtt, struct link *link)
{
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;

    options.MQTTVersion = MQTTVERSION_3_1_1;
    options.keepAliveInterval = (int)mqtt->keep_alive_s;
    options.cleansession = mqtt->clean_session ? 1 : 0;
    options.connectTimeout = CONNECT_TIMEOUT_S;
    options.onSuccess = on_accepted;
    options.onFailure = on_connect_failed;
    options.context = link;
    if (mqtt->will_topic != NULL) {
        will.topicName = mqtt->will_topic;
        will.payload.data = mqtt->will_payload;
        will.payload.len = (int)mqtt->will_size;
        will.retained = 1;
        will.qos = 1;
        options.will = &will;
    }
    if (mqtt->ca_file != NULL) {
        tls.trustStore = mqtt->ca_file;
        tls.keyStore = mqtt->cert_file;
        tls.privateKey = mqtt->key_file;
        tls.enableServerCertAuth = 1;
        tls.verify = 1;
        tls.disableDefaultTrustStore = 1;
        tls.ssl_error_cb = on_tls_error;
        tls.ssl_error_context = link;
        options.ssl = &tls;
    }
    return MQTTAsync_connect(link->handle, &options);
}

static struct link *make(struct serin_mqtt *mqtt)
{
    struct link *link = calloc(1, sizeof(*link));

    if (link == NULL) {
        return NULL;
    }
    link->mqtt = mqtt;
    if (MQTTAsync_create(&link->handle, mqtt->uri, mqtt->client_id, MQTTCLIENT_PERSISTENCE_NONE,
                         NULL) != MQTTASYNC_SUCCESS) {
        free(link);
        return NULL;
    }
    if (MQTTAsync_setCallbacks(link->handle, link, on_lost, on_message, NULL) !=
        MQTTASYNC_SUCCESS) {
        link_free(link);
        return NULL;
    }
    return link;
}

void link_dial(struct serin_mqtt *mqtt)
{
    struct link *link = make(mqtt);
    struct link *old = mqtt->link;

    pthread_mutex_lock(&mqtt->mutex);
    bool dialling = link_change(mqtt, LINK_DIAL);
    SERIN_ASSERT(dialling);
    mqtt->drop = false;
    if (link == NULL) {
        (void)link_lose(mqtt, "memory is exhausted", false);
    } else {
        mqtt->link = link;
    }
    pthread_mutex_unlock(&mqtt->mutex);
    if (link == NULL) {
        return;
    }
    /* The new Paho client exists before the old one goes, so Paho keeps its threads; the old
     * connection is closed before the new one is made, so the broker does not see one take over the
     * other. */
    link_free(old);
    if (connect_now(mqtt, link) != MQTTASYNC_SUCCESS) {
        pthread_mutex_lock(&mqtt->mutex);
        (void)link_lose(mqtt, "cannot start connecting: check the uri and the certificate files",
                        false);
        pthread_mutex_unlock(&mqtt->mutex);
    }
}
