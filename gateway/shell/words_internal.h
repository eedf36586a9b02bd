/*
 * What the files of the gateway's words share: what nodes say, kept until serind has it, and what
 * the site may start (docs/spec/batch.md, section 2; docs/spec/site.md, section 6).
 *
 *   words.c ──┬─ words_nodes.c ── reports, beats and presence, as they come from nodes
 *             ├─ words_store.c ── nodes and their reports in the store: one commit a turn
 *             ├─ words_up.c ───── batches up, acks down
 *             └─ words_hold.c ─── signed time, leases, the site's own halt
 *
 * When something goes is the relay's to say (serin/gateway/relay.h), what is held the book's
 * (serin/gateway/hold.h). The bytes are here: a queued report is in memory and, but for a store
 * that is full, in the store as well, before it goes up.
 */
#ifndef SERIN_GATEWAY_WORDS_INTERNAL_H
#define SERIN_GATEWAY_WORDS_INTERNAL_H

#include "gateway.h"

#include <serin/gateway/hold.h>
#include <serin/gateway/relay.h>
#include <serin/gateway/sent.h>

#define WORDS_STORE_BATCH    256u   /* records of one commit */
#define WORDS_STORE_RETRY_MS 10000u /* after a commit that failed */
#define WORDS_LINK_RETRY_MS  500u   /* after a publish that had no room */
#define WORDS_TIME_MS        60000u /* signed time is stored so often */
#define WORDS_SEEN_S         3600u  /* and when a node was seen last */
#define WORDS_SAY_EVERY_MS   10000u /* a warning that repeats */

/* What the relay does not know of a node; beside its place there. */
struct words_node {
    char product[SERIN_PRODUCT_MAX + 1]; /* "": it has not said yet */
    char channel[SERIN_CHANNEL_MAX + 1];
    uint16_t hardware;
    enum serin_ack_status standing;
    uint32_t transitions;
    uint64_t first_seen_s, stored_seen_s, queued_s;
    uint8_t failed_manifest[SERIN_SHA256_SIZE];
    uint32_t failed_attempt;
    enum serin_reason failed_reason;
    uint8_t confirmed_manifest[SERIN_SHA256_SIZE];
    uint32_t confirmed_attempt;
    bool dirty;    /* to be stored */
    bool ack_owed; /* the site's broker did not take it */
    struct serin_ack ack;
    uint8_t *report; /* while it is queued; heap */
    uint8_t *beat;   /* while it waits; heap */
    size_t report_size, beat_size, presence_size;
    uint8_t presence[SERIN_PRESENCE_MAX];
};

struct gateway_words {
    struct serin_relay relay;
    struct serin_hold_book book;
    struct serin_sent sent;
    struct serin_sent_batch *sent_batches;
    struct words_node *nodes; /* nodes_max of them, by the relay's index */
    struct serin_relay_node *relay_nodes;
    uint32_t *buckets;
    struct serin_node_record record; /* scratch */

    uint32_t *dirty; /* nodes to be stored, each once */
    size_t dirty_count;
    char (*gone)[SERIN_ID_MAX + 1]; /* records to be deleted, WORDS_STORE_BATCH at most */
    size_t gone_count;
    uint64_t store_retry_ms, up_retry_ms, site_retry_ms; /* not before */
    uint64_t time_ms;                                    /* when signed time is stored again */
    uint64_t refused_said_ms, malformed_said_ms, store_said_ms;
    uint64_t refused, malformed;
    size_t acks_owed;
    bool orders_changed;

    /* A batch in the making. */
    struct serin_relay_item picked[SERIN_BATCH_ITEMS_MAX];
    struct serin_batch_items items;
    struct serin_ack_batch acks;
    uint8_t plain[SERIN_BATCH_PLAIN_MAX];
    uint8_t packed[SERIN_BATCH_MAX];
    uint8_t payload[SERIN_BATCH_MAX];
};

/* Whether a warning that repeats may be said (again). */
bool words_say(const struct gateway *gateway, uint64_t *said_ms);

/* ---- words_nodes.c ---- */

/* Forgets what is kept on the heap for a node. */
void words_node_clear(struct words_node *node);
/* A report is queued no longer. */
void words_report_drop(struct words_node *node);

/* ---- words_store.c ---- */

enum serin_error words_load(struct gateway *gateway);
void words_dirty(struct gateway_words *words, uint32_t node);
/* A node made room: its record goes with the next commit. */
void words_gone(struct gateway *gateway, const char *id);
/* Stores what has changed, and lets its reports go. */
void words_flush(struct gateway *gateway);
/* A node as its record. */
void words_record(const struct gateway_words *words, uint32_t node, struct serin_node_record *out);

/* ---- words_up.c ---- */

void words_send(struct gateway *gateway);
void words_acks_down(struct gateway *gateway);

/* ---- words_hold.c ---- */

enum serin_error words_hold_open(struct gateway *gateway);
/* Looks through the directives if they have changed. */
void words_orders(struct gateway *gateway);
/* A node's attempt went wrong. */
void words_failed(struct gateway *gateway, uint32_t node,
                  const uint8_t manifest_id[SERIN_SHA256_SIZE], uint32_t attempt,
                  enum serin_reason reason);
/* Lets time pass, and publishes the holds that are owed. */
void words_hold_tick(struct gateway *gateway);
uint64_t words_hold_deadline_ms(const struct gateway *gateway);

#endif
