/*
 * The MQTT adapter's interface (serin/adapters/mqtt.h): opening, the owner's calls, closing.
 */
#include "client.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define RECONNECT_LIMIT_MS 86400000u

/* Clients of this process: Paho's threads serve them all, and end with the last. */
static atomic_uint open_clients;

static bool config_sound(const struct serin_mqtt_config *config)
{
    const char *const files[] = {config->ca_file, config->cert_file, config->key_file};
    bool tls = config->uri != NULL && strncmp(config->uri, "ssl://", 6) == 0;

    if (config->uri == NULL || config->client_id == NULL ||
        (!tls && strncmp(config->uri, "tcp://", 6) != 0)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (tls && (files[i] == NULL || access(files[i], R_OK) != 0)) {
            return false;
        }
    }
    return config->keep_alive_s >= 1 && config->keep_alive_s <= 65535 &&
           config->reconnect_min_ms >= 1 && config->reconnect_min_ms <= config->reconnect_max_ms &&
           config->reconnect_max_ms <= RECONNECT_LIMIT_MS && config->queue_max >= 1 &&
           config->queue_max <= SIZE_MAX / SERIN_MQTT_QUEUE_FACTOR &&
           config->will_size <= SERIN_MQTT_PAYLOAD_MAX;
}

/* NULL stays NULL. */
static bool copy_text(char **out, const char *text)
{
    *out = text != NULL ? strdup(text) : NULL;
    return (*out != NULL) == (text != NULL);
}

static bool copy_config(struct serin_mqtt *mqtt, const struct serin_mqtt_config *config)
{
    bool tls = strncmp(config->uri, "ssl://", 6) == 0;

    mqtt->keep_alive_s = config->keep_alive_s;
    mqtt->reconnect_min_ms = config->reconnect_min_ms;
    mqtt->reconnect_max_ms = config->reconnect_max_ms;
    mqtt->clean_session = config->clean_session;
    mqtt->queue_max = config->queue_max;
    mqtt->bytes_max = config->bytes_max != 0 ? config->bytes_max : SERIN_MQTT_BYTES_MAX;
    mqtt->will_size = config->will_topic != NULL ? config->will_size : 0;
    mqtt->will_payload = malloc(mqtt->will_size + 1);
    if (mqtt->will_payload == NULL) {
        return false;
    }
    if (mqtt->will_size > 0) {
        memcpy(mqtt->will_payload, config->will_payload, mqtt->will_size);
    }
    return copy_text(&mqtt->uri, config->uri) && copy_text(&mqtt->client_id, config->client_id) &&
           copy_text(&mqtt->will_topic, config->will_topic) &&
           copy_text(&mqtt->ca_file, tls ? config->ca_file : NULL) &&
           copy_text(&mqtt->cert_file, tls ? config->cert_file : NULL) &&
           copy_text(&mqtt->key_file, tls ? config->key_file : NULL);
}

static bool open_descriptors(struct serin_mqtt *mqtt)
{
    struct epoll_event readable = {.events = EPOLLIN};

    mqtt->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    mqtt->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    mqtt->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    return mqtt->event_fd >= 0 && mqtt->timer_fd >= 0 && mqtt->poll_fd >= 0 &&
           epoll_ctl(mqtt->poll_fd, EPOLL_CTL_ADD, mqtt->event_fd, &readable) == 0 &&
           epoll_ctl(mqtt->poll_fd, EPOLL_CTL_ADD, mqtt->timer_fd, &readable) == 0;
}

static bool init_locks(struct serin_mqtt *mqtt)
{
    pthread_condattr_t attributes;

    if (pthread_condattr_init(&attributes) != 0) {
        return false;
    }
    bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&mqtt->closed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (made && pthread_mutex_init(&mqtt->mutex, NULL) != 0) {
        pthread_cond_destroy(&mqtt->closed);
        made = false;
    }
    return made;
}

enum serin_error serin_mqtt_open(struct serin_mqtt **out, const struct serin_mqtt_config *config)
{
    enum serin_error error = SERIN_ERR_MEMORY;

    *out = NULL;
    if (!config_sound(config)) {
        return SERIN_ERR_CONFIG;
    }
    struct serin_mqtt *mqtt = calloc(1, sizeof(*mqtt));
    if (mqtt == NULL) {
        return SERIN_ERR_MEMORY;
    }
    mqtt->event_fd = mqtt->timer_fd = mqtt->poll_fd = -1;
    (void)atomic_fetch_add(&open_clients, 1);
    if (!init_locks(mqtt)) {
        (void)atomic_fetch_sub(&open_clients, 1);
        free(mqtt);
        return SERIN_ERR_MEMORY;
    }
    if (!copy_config(mqtt, config)) {
        goto fail;
    }
    if (!open_descriptors(mqtt)) {
        error = SERIN_ERR_IO;
        goto fail;
    }
    *out = mqtt;
    return SERIN_OK;
fail:
    serin_mqtt_close(mqtt);
    return error;
}

static void close_descriptor(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

void serin_mqtt_close(struct serin_mqtt *mqtt)
{
    if (mqtt == NULL) {
        return;
    }
    /* Callbacks ignore the link from here on; after link_free there are none. */
    pthread_mutex_lock(&mqtt->mutex);
    struct link *link = mqtt->link;
    mqtt->link = NULL;
    pthread_mutex_unlock(&mqtt->mutex);
    link_free(link);
    if (atomic_fetch_sub(&open_clients, 1) == 1) {
        threads_await();
    }

    pthread_mutex_lock(&mqtt->mutex);
    mqtt->tell_connected = mqtt->tell_lost = false;
    queue_clear(mqtt);
    pthread_mutex_unlock(&mqtt->mutex);
    pthread_mutex_destroy(&mqtt->mutex);
    pthread_cond_destroy(&mqtt->closed);
    close_descriptor(mqtt->poll_fd);
    close_descriptor(mqtt->timer_fd);
    close_descriptor(mqtt->event_fd);
    for (size_t i = 0; i < mqtt->filter_count; i++) {
        free(mqtt->filters[i].text);
    }
    follow_free(&mqtt->follows);
    free(mqtt->uri);
    free(mqtt->client_id);
    free(mqtt->ca_file);
    free(mqtt->cert_file);
    free(mqtt->key_file);
    free(mqtt->will_topic);
    free(mqtt->will_payload);
    free(mqtt);
}

enum serin_error serin_mqtt_subscribe(struct serin_mqtt *mqtt, const char *filter, int qos)
{
    if (qos != 0 && qos != 1) {
        return SERIN_ERR_INVALID;
    }
    char *text = strdup(filter);
    if (text == NULL) {
        return SERIN_ERR_MEMORY;
    }
    enum serin_error error = SERIN_OK;
    pthread_mutex_lock(&mqtt->mutex);
    if (mqtt->state != LINK_IDLE && mqtt->state != LINK_WAITING) {
        error = SERIN_ERR_STATE;
    } else if (mqtt->filter_count == SERIN_MQTT_FILTERS_MAX) {
        error = SERIN_ERR_TOO_LARGE;
    } else {
        mqtt->filters[mqtt->filter_count++] = (struct filter){.text = text, .qos = qos};
    }
    pthread_mutex_unlock(&mqtt->mutex);
    if (error != SERIN_OK) {
        free(text);
    }
    return error;
}

enum serin_error serin_mqtt_start(struct serin_mqtt *mqtt)
{
    pthread_mutex_lock(&mqtt->mutex);
    bool started = link_change(mqtt, LINK_START);
    if (started) {
        link_wait(mqtt, 0);
    }
    pthread_mutex_unlock(&mqtt->mutex);
    return started ? SERIN_OK : SERIN_ERR_STATE;
}

void serin_mqtt_restart(struct serin_mqtt *mqtt)
{
    pthread_mutex_lock(&mqtt->mutex);
    bool restarted = link_change(mqtt, LINK_RESTART);
    if (restarted) {
        mqtt->tell_connected = mqtt->tell_lost = false;
        mqtt->in_flight = 0;
        mqtt->failures = 0;
        queue_clear(mqtt);
    }
    pthread_mutex_unlock(&mqtt->mutex);
    if (restarted) {
        link_dial(mqtt);
    }
}

int serin_mqtt_fd(const struct serin_mqtt *mqtt)
{
    return mqtt->poll_fd;
}

bool serin_mqtt_next(struct serin_mqtt *mqtt, struct serin_mqtt_event *event)
{
    uint64_t expired = 0;

    link_drop(mqtt);
    follow_send(mqtt);
    pthread_mutex_lock(&mqtt->mutex);
    bool told = queue_pop(mqtt, event);
    /* Dialling waits until the owner has heard everything of the last connection. */
    bool due = !told &&
               read(mqtt->timer_fd, &expired, sizeof(expired)) == (ssize_t)sizeof(expired) &&
               mqtt->state == LINK_WAITING;
    pthread_mutex_unlock(&mqtt->mutex);
    if (due) {
        link_dial(mqtt);
    }
    return told;
}

void serin_mqtt_event_free(struct serin_mqtt_event *event)
{
    free(event->topic);
    free(event->payload);
    memset(event, 0, sizeof(*event));
}

static pthread_mutex_t *mutex_of(const struct serin_mqtt *mqtt)
{
    /* Looking does not change the client, but locking is needed to look. */
    return (pthread_mutex_t *)(uintptr_t)&mqtt->mutex;
}

bool serin_mqtt_connected(const struct serin_mqtt *mqtt)
{
    pthread_mutex_lock(mutex_of(mqtt));
    bool connected = mqtt->state == LINK_UP;
    pthread_mutex_unlock(mutex_of(mqtt));
    return connected;
}

uint64_t serin_mqtt_dropped(const struct serin_mqtt *mqtt)
{
    pthread_mutex_lock(mutex_of(mqtt));
    uint64_t dropped = mqtt->dropped;
    pthread_mutex_unlock(mutex_of(mqtt));
    return dropped;
}

size_t serin_mqtt_standing(const struct serin_mqtt *mqtt)
{
    pthread_mutex_lock(mutex_of(mqtt));
    size_t standing = mqtt->state == LINK_UP ? mqtt->follows.standing : 0;
    pthread_mutex_unlock(mutex_of(mqtt));
    return standing;
}

/* Counts one more publish in flight, where there is room. DELIVERED that nobody has taken counts
 * too, or an owner that only speaks would fill the memory with them. */
static bool reserve(struct serin_mqtt *mqtt, bool retained)
{
    unsigned limit = SERIN_MQTT_IN_FLIGHT_MAX - (retained ? 0 : SERIN_MQTT_IN_FLIGHT_RETAINED);

    pthread_mutex_lock(&mqtt->mutex);
    bool room = mqtt->state == LINK_UP && mqtt->in_flight + mqtt->untold < limit;
    mqtt->in_flight += room ? 1 : 0;
    pthread_mutex_unlock(&mqtt->mutex);
    return room;
}

enum serin_error serin_mqtt_publish(struct serin_mqtt *mqtt, const char *topic, const void *payload,
                                    size_t size, int qos, bool retained, int *token)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;

    if (qos != 0 && qos != 1) {
        return SERIN_ERR_INVALID;
    }
    if (size > SERIN_MQTT_PAYLOAD_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    if (!reserve(mqtt, retained)) {
        return SERIN_ERR_AGAIN;
    }
    options.onSuccess = qos == 0 || token == NULL ? link_on_written : link_on_delivered;
    options.onFailure = link_on_unsent;
    options.context = mqtt->link;
    int code = MQTTAsync_send(mqtt->link->handle, topic, (int)size, payload, qos, retained ? 1 : 0,
                              &options);
    if (code != MQTTASYNC_SUCCESS) {
        pthread_mutex_lock(&mqtt->mutex);
        mqtt->in_flight -= mqtt->in_flight > 0 ? 1 : 0;
        pthread_mutex_unlock(&mqtt->mutex);
        return code == MQTTASYNC_DISCONNECTED ? SERIN_ERR_AGAIN : SERIN_ERR_MEMORY;
    }
    if (token != NULL) {
        *token = options.token;
    }
    return SERIN_OK;
}
