/*
 * The MQTT connection of one node: libmosquitto without its loop, driven by whoever owns the
 * descriptor. Nothing of a connection survives it: the next one is made from new.
 *
 *   DOWN ─ connect ─▶ CONNECTING ─ accepted, subscriptions sent ─▶ UP
 *    ▲                    │                                       │
 *    └────────────────────┴─────────────── lost, dropped ─────────┘
 *
 * UP does not wait for the broker's word on the subscriptions: it takes them in the order of the
 * connection, so before whatever is published next. One that is refused fails the connection.
 */
#ifndef SERIN_LOAD_CLIENT_H
#define SERIN_LOAD_CLIENT_H

#include <serin/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mosquitto;

enum load_link { LOAD_LINK_DOWN, LOAD_LINK_CONNECTING, LOAD_LINK_UP };

struct load_client_config {
    const char *host;
    int port;
    uint32_t keep_alive_s;
    const char *ca_file;
    /* The n-th topic to subscribe to; false past the last. `text` has SERIN_TOPIC_MAX bytes. */
    bool (*subscription)(void *ctx, size_t n, char *text, int *qos);
    /* A message; called from within load_client_pump only. */
    void (*message)(void *ctx, const char *topic, const void *payload, size_t size, bool retained);
    void *ctx;
};

struct load_client {
    const struct load_client_config *config;
    struct mosquitto *mosquitto; /* NULL: DOWN */
    enum load_link link;
    bool started;     /* something came of this connection: TCP stands */
    bool failed;      /* it is to be dropped */
    const char *why;  /* it failed; static storage */
    uint32_t watched; /* the owner's: epoll events asked for; 0: the descriptor is new */
};

/* Starts to connect; does not wait. SERIN_ERR_CONFIG: a certificate or key cannot be read;
 * SERIN_ERR_IO: not even begun; the client is then DOWN. */
SERIN_MUST_USE enum serin_error load_client_connect(struct load_client *client, const char *id,
                                                    const char *cert_file, const char *key_file);

/* Ends the connection; `farewell`: with a DISCONNECT. */
void load_client_drop(struct load_client *client, bool farewell);

/* SERIN_ERR_AGAIN: not connected, or no room. */
SERIN_MUST_USE enum serin_error load_client_publish(struct load_client *client, const char *topic,
                                                    const void *payload, size_t size, int qos);

/* Marks the connection as one to be dropped; the first reason stays. */
void load_client_fail(struct load_client *client, const char *why);

/* The descriptor, and the epoll events that it waits for; -1: none. */
int load_client_fd(const struct load_client *client, uint32_t *events);

/* Serves what epoll told. After it, `client->failed` says whether the connection is to be
 * dropped, and `link` whether it stands. */
void load_client_pump(struct load_client *client, uint32_t events);

/* Looks after keep-alive; at least once a second. */
void load_client_keep(struct load_client *client);

#endif
