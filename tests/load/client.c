/* The MQTT connection of one node (client.h). */
#include "client.h"

#include <serin/topic.h>

#include <mosquitto.h>
#include <sys/epoll.h>

#define DENIED 0x80 /* a subscription's granted QoS from here on is a refusal */

void load_client_fail(struct load_client *client, const char *why)
{
    if (!client->failed) {
        client->failed = true;
        client->why = why;
    }
}

/* ---- callbacks, all from within load_client_pump ---- */

static void on_connect(struct mosquitto *mosquitto, void *ctx, int code)
{
    struct load_client *client = ctx;
    char topic[SERIN_TOPIC_MAX];
    int qos = 0;
    if (code != 0) {
        load_client_fail(client, mosquitto_connack_string(code));
        return;
    }
    for (size_t n = 0; client->config->subscription(client->config->ctx, n, topic, &qos); n++) {
        if (mosquitto_subscribe(mosquitto, NULL, topic, qos) != MOSQ_ERR_SUCCESS) {
            load_client_fail(client, "a subscription could not be sent");
            return;
        }
    }
    client->link = LOAD_LINK_UP;
}

static void on_subscribe(struct mosquitto *mosquitto, void *ctx, int mid, int count,
                         const int *granted)
{
    struct load_client *client = ctx;
    (void)mosquitto;
    (void)mid;
    for (int i = 0; i < count; i++) {
        if (granted[i] >= DENIED) {
            load_client_fail(client, "a subscription was refused");
        }
    }
}

static void on_message(struct mosquitto *mosquitto, void *ctx,
                       const struct mosquitto_message *message)
{
    struct load_client *client = ctx;
    (void)mosquitto;
    client->config->message(client->config->ctx, message->topic, message->payload,
                            (size_t)message->payloadlen, message->retain);
}

static void on_disconnect(struct mosquitto *mosquitto, void *ctx, int code)
{
    struct load_client *client = ctx;
    (void)mosquitto;
    load_client_fail(client, mosquitto_strerror(code));
}

/* ---- connecting ---- */

static enum serin_error prepare(struct load_client *client, const char *cert_file,
                                const char *key_file)
{
    struct mosquitto *mosquitto = client->mosquitto;
    mosquitto_connect_callback_set(mosquitto, on_connect);
    mosquitto_subscribe_callback_set(mosquitto, on_subscribe);
    mosquitto_message_callback_set(mosquitto, on_message);
    mosquitto_disconnect_callback_set(mosquitto, on_disconnect);
    if (mosquitto_int_option(mosquitto, MOSQ_OPT_TCP_NODELAY, 1) != MOSQ_ERR_SUCCESS ||
        mosquitto_tls_set(mosquitto, client->config->ca_file, NULL, cert_file, key_file, NULL) !=
            MOSQ_ERR_SUCCESS) {
        return SERIN_ERR_CONFIG;
    }
    return SERIN_OK;
}

enum serin_error load_client_connect(struct load_client *client, const char *id,
                                     const char *cert_file, const char *key_file)
{
    *client = (struct load_client){.config = client->config};
    client->mosquitto = mosquitto_new(id, true, client);
    if (client->mosquitto == NULL) {
        return SERIN_ERR_MEMORY;
    }
    enum serin_error error = prepare(client, cert_file, key_file);
    if (error == SERIN_OK &&
        mosquitto_connect_async(client->mosquitto, client->config->host, client->config->port,
                                (int)client->config->keep_alive_s) != MOSQ_ERR_SUCCESS) {
        error = SERIN_ERR_IO;
    }
    if (error == SERIN_OK && mosquitto_socket(client->mosquitto) < 0) {
        error = SERIN_ERR_IO;
    }
    if (error != SERIN_OK) {
        load_client_drop(client, false);
        return error;
    }
    client->link = LOAD_LINK_CONNECTING;
    return SERIN_OK;
}

void load_client_drop(struct load_client *client, bool farewell)
{
    if (client->mosquitto != NULL) {
        if (farewell && client->link == LOAD_LINK_UP) {
            (void)mosquitto_disconnect(client->mosquitto);
        }
        mosquitto_destroy(client->mosquitto);
    }
    *client = (struct load_client){.config = client->config};
}

/* ---- serving ---- */

enum serin_error load_client_publish(struct load_client *client, const char *topic,
                                     const void *payload, size_t size, int qos)
{
    if (client->link != LOAD_LINK_UP || client->failed) {
        return SERIN_ERR_AGAIN;
    }
    return mosquitto_publish(client->mosquitto, NULL, topic, (int)size, payload, qos, false) ==
                   MOSQ_ERR_SUCCESS
               ? SERIN_OK
               : SERIN_ERR_AGAIN;
}

int load_client_fd(const struct load_client *client, uint32_t *events)
{
    if (client->mosquitto == NULL) {
        return -1;
    }
    *events = EPOLLIN;
    if (!client->started || mosquitto_want_write(client->mosquitto)) {
        *events |= EPOLLOUT;
    }
    return mosquitto_socket(client->mosquitto);
}

/* The outcome of a call of libmosquitto's. */
static void take(struct load_client *client, int code)
{
    if (code != MOSQ_ERR_SUCCESS) {
        load_client_fail(client, mosquitto_strerror(code));
    }
}

void load_client_pump(struct load_client *client, uint32_t events)
{
    bool first = !client->started;
    client->started = true;
    /* The first readiness says that TCP stands; reading is what brings TLS on. */
    if (first || (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
        take(client, mosquitto_loop_read(client->mosquitto, 1));
    }
    if (!client->failed && (events & EPOLLOUT) != 0) {
        take(client, mosquitto_loop_write(client->mosquitto, 1));
    }
}

void load_client_keep(struct load_client *client)
{
    if (client->mosquitto != NULL && !client->failed && client->link == LOAD_LINK_UP) {
        take(client, mosquitto_loop_misc(client->mosquitto));
    }
}
