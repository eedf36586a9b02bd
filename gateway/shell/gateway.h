/*
 * The shell of serin-gateway: what its files share. One thread owns all of it.
 *
 *   main.c ── start.c ── loop.c
 *      ├─ links.c ──── both MQTT connections; every message finds its owner here
 *      ├─ orders.c ─── directives and trust records: verified, kept, passed down
 *      ├─ bytes*.c ─── objects: filled from the uplink, kept, evicted, scrubbed
 *      ├─ words*.c ─── reports, beats, acks; nodes; lease, hold and site halt
 *      ├─ meta.c ───── the store's record of the gateway itself
 *      └─ status.c ─── the control socket and gw/<gw>/status
 *
 * Persist, then act. Nothing here blocks but the disk.
 */
#ifndef SERIN_GATEWAY_SHELL_H
#define SERIN_GATEWAY_SHELL_H

#include <serin/adapters/control.h>
#include <serin/adapters/gateway_config.h>
#include <serin/adapters/mqtt.h>
#include <serin/codec.h>
#include <serin/directive.h>
#include <serin/gateway/store.h>
#include <serin/site_codec.h>
#include <serin/topic.h>

#define GATEWAY_SOFTWARE "serin-gateway 0.1.0"
#define GATEWAY_WHY_MAX  1024u

struct serin_lmdb_gateway;

struct gateway_links;  /* links.c */
struct gateway_orders; /* orders.c */
struct gateway_bytes;  /* bytes.c */
struct gateway_words;  /* words.c */
struct gateway_status; /* status.c */

struct gateway {
    const struct serin_gateway_config *config;
    const struct serin_crypto *crypto;
    const struct serin_codec *codec;
    const struct serin_site_codec *site_codec;
    struct serin_lmdb_gateway *lmdb;
    struct serin_gateway_store store; /* on lmdb */
    uint8_t boot_id[SERIN_BOOT_ID_SIZE];

    struct serin_mqtt *up, *site; /* the cloud's broker, and our own */
    bool up_connected, site_connected;

    /* This turn of the loop. */
    uint64_t mono_ms; /* CLOCK_BOOTTIME: goes on over a restart of the program */
    uint64_t wall_s;  /* for logs and allowed hours alone: nothing else trusts it */
    uint64_t started_ms;

    /* Who changes it calls gateway_meta_changed: it is written within a minute. Lost counts harm
     * nobody; what must not be lost is put by its owner with its own transaction. */
    struct serin_gateway_meta meta;
    uint64_t meta_write_ms; /* when it is to be written; 0: nothing has changed */

    struct gateway_links *links;
    struct gateway_orders *orders;
    struct gateway_bytes *bytes;
    struct gateway_words *words;
    struct gateway_status *status;

    char why[GATEWAY_WHY_MAX]; /* of the start that failed: one sentence for the operator */
};

/* ---- start.c ---- */

/* Opens everything. After an error everything is closed again and gateway->why is filled.
 * SERIN_ERR_CONFIG (a file or folder of the configuration), SERIN_ERR_BUSY (another gateway runs),
 * and errors of the adapters. `config` is the caller's and outlives the gateway. */
SERIN_MUST_USE enum serin_error gateway_open(struct gateway *gateway,
                                             const struct serin_gateway_config *config);
void gateway_close(struct gateway *gateway);

/* Fills gateway->why, for the gateway_*_open of every file; returns `error`. */
enum serin_error gateway_fail(struct gateway *gateway, enum serin_error error, const char *format,
                              ...) __attribute__((format(printf, 3, 4)));

/* ---- loop.c ---- */

/* Reads both clocks into the gateway. */
void gateway_clock(struct gateway *gateway);
/* SIGTERM, SIGINT and SIGHUP are read by the loop; blocked before any thread starts. */
void gateway_signals_block(void);
/* Runs until SIGTERM or SIGINT. SERIN_ERR_IO: signals cannot be received. */
SERIN_MUST_USE enum serin_error gateway_run(struct gateway *gateway);

/* ---- meta.c ---- */

/* Reads the record, or makes it where there is none (a new store) or it is damaged: then with a new
 * incarnation. Errors of the store. */
SERIN_MUST_USE enum serin_error gateway_meta_load(struct gateway *gateway);
void gateway_meta_changed(struct gateway *gateway);
/* Writes it where it is time; `now`: where it has changed at all. */
void gateway_meta_tick(struct gateway *gateway, bool now);

/* ---- links.c ---- */

/* Both connections, not yet started; then start, so that nothing is heard before its owner is
 * there. SERIN_ERR_CONFIG (a file, a URI), SERIN_ERR_MEMORY, SERIN_ERR_IO. */
SERIN_MUST_USE enum serin_error gateway_links_open(struct gateway *gateway);
SERIN_MUST_USE enum serin_error gateway_links_start(struct gateway *gateway);
void gateway_links_close(struct gateway *gateway);
/* Gives what has come to its owners: bounded work. True: there is more. */
bool gateway_links_drain(struct gateway *gateway);

/* How long and why a broker is away. */
struct gateway_outage {
    uint64_t since_ms; /* mono_ms; of the start, where it was never there */
    const char *why;   /* of the last attempt; "": none has ended yet. Until the next drain */
};
/* False: it is there. */
bool gateway_links_outage(const struct gateway *gateway, bool site, struct gateway_outage *outage);

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
/* The reverse, for a node that made room for another: its directive is held no longer. */
void gateway_forget_node(struct gateway *gateway, const char *node);

/* ---- orders.c ---- */

/* A directive that is held: its signature holds, its order is the topic's highest. */
struct gateway_order {
    char topic[SERIN_TOPIC_MAX];
    struct serin_directive directive;
    uint64_t taken_ms; /* mono_ms when it was heard first */
    bool this_boot;    /* heard in this boot of the machine: taken_ms counts */
};

/* Reads the root key, what the store holds, and the trust file. */
SERIN_MUST_USE enum serin_error gateway_orders_open(struct gateway *gateway);
void gateway_orders_close(struct gateway *gateway);
/* A message from upstream on a directive or trust topic. A newer one is verified, stored, passed
 * down, and told to the others. */
void gateway_orders_message(struct gateway *gateway, const struct serin_topic *topic,
                            const uint8_t *payload, size_t size);
/* A node is known no longer: nor is its own directive, though the store keeps it. */
void gateway_orders_forget(struct gateway *gateway, const char *node);
/* The site's broker is there (again): everything held is published to it. */
void gateway_orders_site_connected(struct gateway *gateway);
/* A message from the site's broker on a directive or trust topic: what its nodes can read. */
void gateway_orders_site_message(struct gateway *gateway, const struct serin_topic *topic,
                                 const uint8_t *payload, size_t size);
/* Visits every held directive until `visit` returns false. */
void gateway_orders_each(const struct gateway *gateway,
                         bool (*visit)(void *arg, const struct gateway_order *order), void *arg);
/* Publishes what is still to be published, tries again what could not be stored, and tells the
 * others where something has changed. */
void gateway_orders_tick(struct gateway *gateway);
uint64_t gateway_orders_deadline_ms(const struct gateway *gateway); /* UINT64_MAX: never */
/* The trust record of a product, or NULL. Valid until the next message or tick. */
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
/* Fills in the fields of the status that are its own: of the depot; objects, filling, pass_through.
 * Those of `meta`, the fleets' names and orders are filled in already. */
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
/* As above: nodes, nodes_online, queued, queue_oldest_s, time_s; of each fleet its lease, hold,
 * failures and what goes with them. */
void gateway_words_status(const struct gateway *gateway, struct serin_gw_status *status);
/* Visits nodes for `serin-gateway status --nodes`. */
void gateway_words_each_node(struct gateway *gateway,
                             bool (*visit)(void *arg, const struct serin_node_record *node,
                                           bool online),
                             void *arg);

/* ---- status.c ---- */

/* The socket is part of it, so that a gateway which cannot be asked does not start.
 * SERIN_ERR_BUSY: another gateway answers there. */
SERIN_MUST_USE enum serin_error gateway_status_open(struct gateway *gateway);
void gateway_status_close(struct gateway *gateway);
/* Says gw/<gw>/status where it is time, or where a hold has begun or ended. */
void gateway_status_tick(struct gateway *gateway);
uint64_t gateway_status_deadline_ms(const struct gateway *gateway);
/* As serin_control_fds and serin_control_serve. */
size_t gateway_status_fds(const struct gateway *gateway, struct pollfd *fds);
void gateway_status_serve(struct gateway *gateway, const struct pollfd *fds, size_t count);

#endif
