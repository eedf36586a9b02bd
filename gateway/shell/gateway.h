/*
 * The shell of serin-gateway: what its files share. One thread owns all of it.
 *
 *   main.c ── loop.c ──┬─ links.c ──── both MQTT connections; every message finds its owner here
 *                      ├─ orders.c ─── directives and trust records: verified, kept, passed down
 *                      ├─ bytes*.c ─── objects: filled from the uplink, kept, evicted, scrubbed
 *                      ├─ words*.c ─── reports, beats, acks; nodes; lease, hold and site halt
 *                      └─ status.c ─── the control socket and gw/<gw>/status
 *
 * Persist, then act. Nothing here blocks but the disk.
 */
#ifndef SERIN_GATEWAY_SHELL_H
#define SERIN_GATEWAY_SHELL_H

#include <serin/adapters/gateway_config.h>
#include <serin/adapters/mqtt.h>
#include <serin/codec.h>
#include <serin/directive.h>
#include <serin/gateway/store.h>
#include <serin/site_codec.h>
#include <serin/topic.h>

struct gateway_orders; /* orders.c */
struct gateway_bytes;  /* bytes.c */
struct gateway_words;  /* words.c */

struct gateway {
    const struct serin_gateway_config *config;
    const struct serin_crypto *crypto;
    const struct serin_codec *codec;
    const struct serin_site_codec *site_codec;
    struct serin_gateway_store store;
    uint8_t boot_id[SERIN_BOOT_ID_SIZE];

    struct serin_mqtt *up, *site; /* the cloud's broker, and our own */
    bool up_connected, site_connected;

    /* This turn of the loop. */
    uint64_t mono_ms; /* CLOCK_BOOTTIME: goes on over a restart of the program */
    uint64_t wall_s;  /* for logs and allowed hours alone: nothing else trusts it */
    uint64_t started_ms;

    /* As committed. Who changes it calls gateway_meta_changed: it is written with the next commit,
     * at the latest within a minute. Lost counts harm nobody; what must not be lost is put with
     * its own transaction. */
    struct serin_gateway_meta meta;

    struct gateway_orders *orders;
    struct gateway_bytes *bytes;
    struct gateway_words *words;
};

void gateway_meta_changed(struct gateway *gateway);

/* ---- links.c ---- */

/* Publishes upstream on the gateway's own topic of a kind (GW_REPORTS, GW_STATUS: QoS 1; GW_GET:
 * QoS 0), and counts it. SERIN_ERR_AGAIN: not connected, or no room. `token` as in
 * serin_mqtt_publish; gateway_words_delivered hears of it. */
SERIN_MUST_USE enum serin_error gateway_publish_up(struct gateway *gateway,
                                                   enum serin_topic_kind kind, const void *payload,
                                                   size_t size, int *token);
/* Publishes on the site's broker, with the QoS and retain flag of the topic's kind
 * (docs/spec/topics.md). SERIN_ERR_AGAIN as above. */
SERIN_MUST_USE enum serin_error gateway_publish_site(struct gateway *gateway,
                                                     const struct serin_topic *topic,
                                                     const void *payload, size_t size);
/* Subscribes upstream to a node's own directive topic, now and after every reconnect. Idempotent.
 */
void gateway_follow_node(struct gateway *gateway, const char *node);

/* ---- orders.c ---- */

/* A directive that is held: its signature holds, its order is the topic's highest. */
struct gateway_order {
    char topic[SERIN_TOPIC_MAX];
    struct serin_directive directive;
    uint64_t taken_ms; /* mono_ms when it was heard first */
    bool this_boot;    /* heard in this boot of the machine: taken_ms counts */
};

enum serin_error gateway_orders_open(struct gateway *gateway);
void gateway_orders_close(struct gateway *gateway);
/* A message from upstream on a directive or trust topic. A newer one is verified, stored, passed
 * down, and told to the others. */
void gateway_orders_message(struct gateway *gateway, const struct serin_topic *topic,
                            const uint8_t *payload, size_t size);
/* The site's broker is there (again): everything held is published to it. */
void gateway_orders_site_connected(struct gateway *gateway);
/* Visits every held directive until `visit` returns false. */
void gateway_orders_each(const struct gateway *gateway,
                         bool (*visit)(void *arg, const struct gateway_order *order), void *arg);
/* The trust record of a product, or NULL. */
const struct serin_trust *gateway_orders_trust(const struct gateway *gateway, const char *product);

/* ---- bytes.c ---- */

enum serin_error gateway_bytes_open(struct gateway *gateway);
void gateway_bytes_close(struct gateway *gateway);
void gateway_bytes_orders_changed(struct gateway *gateway);
void gateway_bytes_block(struct gateway *gateway, const uint8_t *payload, size_t size);
void gateway_bytes_want(struct gateway *gateway, const uint8_t *payload, size_t size);
void gateway_bytes_up(struct gateway *gateway, bool connected);
void gateway_bytes_site_connected(struct gateway *gateway); /* announces every part file anew */
void gateway_bytes_tick(struct gateway *gateway);
uint64_t gateway_bytes_deadline_ms(const struct gateway *gateway); /* UINT64_MAX: never */
/* Fills in the fields of the status that are its own. */
void gateway_bytes_status(const struct gateway *gateway, struct serin_gw_status *status);

/* ---- words.c ---- */

enum serin_error gateway_words_open(struct gateway *gateway);
void gateway_words_close(struct gateway *gateway);
void gateway_words_orders_changed(struct gateway *gateway);
/* A report, beat or presence from the site's broker. */
void gateway_words_node(struct gateway *gateway, const struct serin_topic *topic,
                        const uint8_t *payload, size_t size);
void gateway_words_acks(struct gateway *gateway, const uint8_t *payload, size_t size);
void gateway_words_delivered(struct gateway *gateway, int token);
void gateway_words_up(struct gateway *gateway, bool connected);
void gateway_words_site_connected(struct gateway *gateway); /* publishes the holds anew */
void gateway_words_tick(struct gateway *gateway);
uint64_t gateway_words_deadline_ms(const struct gateway *gateway);
/* Reports that should leave before more bulk is asked for. */
bool gateway_words_waiting(const struct gateway *gateway);
/* Whether the site has halted the candidate of the product and channel by itself. */
bool gateway_words_halted(const struct gateway *gateway, const char *product, const char *channel);
/* The largest signed time heard plus monotonic time since; 0: none. */
uint64_t gateway_words_signed_s(const struct gateway *gateway);
void gateway_words_status(const struct gateway *gateway, struct serin_gw_status *status);
/* Visits nodes for `serin-gateway status --nodes`. */
void gateway_words_each_node(struct gateway *gateway,
                             bool (*visit)(void *arg, const struct serin_node_record *node,
                                           bool online),
                             void *arg);

/* ---- status.c ---- */

enum serin_error gateway_status_open(struct gateway *gateway);

#endif
