/*
 * What the files of orders share: what is held, and how something becomes it.
 */
#ifndef SERIN_GATEWAY_ORDERS_INTERNAL_H
#define SERIN_GATEWAY_ORDERS_INTERNAL_H

#include "gateway.h"

#define ORDERS_LATER_MAX 64u

/* A directive that is held. Its bytes are in the store, but for a stop that it could not take. */
struct orders_held {
    struct gateway_order order;
    bool shown;                         /* published at the site's broker since it connected */
    bool seen;                          /* and that broker has shown it: its plugin took it */
    struct serin_order_record *unsaved; /* allocated; NULL: the store has it */
};

/* The trust record of a product. */
struct orders_trust {
    const char *product; /* of the configuration */
    bool held, shown, seen;
    struct serin_trust trust;
};

/* What could not be taken when it was heard, and is tried again: the uplink's broker shows it only
 * once in a connection. */
struct orders_later {
    struct serin_topic topic;
    uint8_t *payload; /* allocated */
    size_t size;
};

struct gateway_orders {
    uint8_t root_key[SERIN_P256_PUBLIC_SIZE];
    size_t trust_count;
    struct orders_trust trusts[SERIN_GW_FLEETS_MAX];
    size_t count, capacity;
    struct orders_held **held; /* in the order of their topics */
    size_t later_count;
    struct orders_later later[ORDERS_LATER_MAX];
    uint64_t later_ms; /* when they are tried again; UINT64_MAX: with the next trust record */
    bool changed;      /* the others are to be told */
    bool to_show;      /* something may not be shown yet */
    uint64_t show_ms;  /* the site's broker had no room: not before */
    bool to_see;       /* something may be shown and not seen */
    uint64_t look_ms;  /* and is shown again then */
};

/* The trust record's place for a product; NULL: not one of ours. */
struct orders_trust *orders_trust_find(struct gateway_orders *orders, const char *product);

/* The place of a topic in `held`: where it is, or would be. True: it is there. */
bool orders_find(const struct gateway_orders *orders, const char *topic, size_t *index);

/* Whether no further topic can be held: there are as many as fleets and nodes. */
bool orders_full(const struct gateway *gateway);

/* Whether a product and channel are followed here. */
bool orders_fleet_ours(const struct gateway *gateway, const char *product, const char *channel);

/* Verifies a payload of a directive topic. SERIN_ERR_KEY: no trust record held knows its key.
 * SERIN_ERR_PRODUCT, SERIN_ERR_CHANNEL, SERIN_ERR_DEVICE: not what the topic is for. Others as
 * serin_directive_open. */
SERIN_MUST_USE enum serin_error orders_verify(const struct gateway *gateway,
                                              const struct serin_topic *topic,
                                              const uint8_t *payload, size_t size,
                                              struct serin_directive *directive);

/* Makes a directive held, in memory alone. `record` is how the store has it. SERIN_ERR_MEMORY,
 * SERIN_ERR_BUSY: there are more topics than fleets and nodes. */
SERIN_MUST_USE enum serin_error orders_hold(struct gateway *gateway,
                                            const struct serin_order_record *record,
                                            const struct serin_directive *directive);

/* The record of a payload as heard now; `size` ≤ SERIN_TRUST_PAYLOAD_MAX. */
void orders_record(const struct gateway *gateway, const struct serin_topic *topic,
                   const uint8_t *payload, size_t size, struct serin_order_record *record);
/* Errors of the store: nothing was stored. */
SERIN_MUST_USE enum serin_error orders_persist(const struct gateway *gateway,
                                               const struct serin_order_record *record);

/* What the store has under a topic, outside of any other transaction. Errors as get_order. */
SERIN_MUST_USE enum serin_error orders_read(const struct gateway *gateway, const char *topic,
                                            struct serin_order_record *record);

/* ---- orders_show.c ---- */

/* Publishes at the site's broker what is not shown there yet, or was not seen. */
void orders_show(struct gateway *gateway);
uint64_t orders_show_deadline_ms(const struct gateway *gateway);

/* Takes a verified trust record, the payload as on its topic: stores and holds it. Errors of the
 * store. */
SERIN_MUST_USE enum serin_error orders_trust_take(struct gateway *gateway,
                                                  struct orders_trust *place,
                                                  const struct serin_trust *trust,
                                                  const uint8_t *payload, size_t size);

#endif
