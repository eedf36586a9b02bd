/*
 * A simulated serin-gateway: the real relay, planner, hold book and memory of batches, in a shell
 * that lives in simulated time (docs/spec/simulation.md, section 5). It keeps the rules of
 * gateway/shell: what nodes say, and what the cloud orders, is in the store before anything follows
 * from it.
 *
 *   gateway.c ──┬─ gateway_relay.c ─── reports, beats, presence up; acks down; the store of nodes
 *               ├─ gateway_orders.c ── directives and trust: verified, stored, passed down; hold
 *               └─ gateway_fill.c ──── the planner's hands: objects from the cloud into the depot
 */
#ifndef SERIN_SIM_GATEWAY_H
#define SERIN_SIM_GATEWAY_H

#include "sim_internal.h"

#include <serin/gateway/fill.h>
#include <serin/gateway/hold.h>
#include <serin/gateway/relay.h>
#include <serin/gateway/sent.h>
#include <serin/gateway/uplink.h>

#define GATEWAY_COMMIT_MS      5u    /* a transaction reaches the disk so long after its work */
#define GATEWAY_BATCH_DELAY_MS 2000u /* the defaults of relay.* in gateway.yaml */
#define GATEWAY_RESEND_MS      30000u
#define GATEWAY_BEAT_MS        300000u
/* The machine was started so long before the simulation: its monotonic clock is never 0. */
#define GATEWAY_BOOTED_MS 60000u
#define GATEWAY_OFFERS    12u /* four manifests, with their tables and images */

/* What the store has of a node, and of one that changed since: the same fields. */
struct gateway_account {
    uint64_t incarnation, number, acked_number;
    uint64_t queue_number, queued_s;
    uint8_t failed_manifest[SERIN_SHA256_SIZE], confirmed_manifest[SERIN_SHA256_SIZE];
    uint32_t failed_attempt, confirmed_attempt;
    uint8_t *report; /* heap; NULL: none waits */
    size_t report_size;
    bool known;
};

struct gateway_node {
    struct gateway_account now;
    bool dirty;
    uint8_t *beat; /* heap; kept for the next one */
    size_t beat_size, beat_capacity, presence_size;
    uint8_t presence[SERIN_PRESENCE_MAX];
};

/* A directive as it is held. */
struct gateway_directive {
    bool held, this_boot;
    uint64_t taken_ms;
    size_t size;
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    struct serin_directive value;
};

/* What outlives a crash. */
struct gateway_saved {
    uint64_t incarnation, batch_number, queue_number;
    uint64_t signed_s, signed_at_ms;
    bool has_trust;
    struct gateway_directive directive;
    struct gateway_account *nodes; /* by place among the site's nodes */
};

enum gateway_sort { GATEWAY_MANIFEST = 1, GATEWAY_TABLE, GATEWAY_IMAGE };

struct gateway_offer {
    enum gateway_sort sort;
    uint8_t name[SERIN_SHA256_SIZE], under[SERIN_SHA256_SIZE];
    uint32_t size;
    bool known; /* MANIFEST: it is here */
    bool emergency, blocked;
};

#define GATEWAY_FLIGHTS SERIN_RELAY_FLIGHTS_MAX

struct sim_gateway {
    /* What each turn looks at, side by side. */
    struct sim *sim;
    uint32_t index, node_count;
    bool up, linked[2];
    bool owed; /* the directive is to be shown to the site */
    bool told; /* a hold was, as follows */
    bool offers_stale, replay;
    enum serin_hold_state told_state;
    uint64_t told_end_s;
    uint64_t wake_ms;        /* the wake that counts */
    uint64_t commit_ms;      /* SIM_NEVER_MS: nothing is to be stored */
    uint64_t fill_ms;        /* the planner's deadline, by the machine's clock; UINT64_MAX: none */
    struct serin_fill *fill; /* NULL until there is something to fill */
    struct gateway_node *nodes; /* by the relay's index */
    struct serin_relay_node *relay_nodes;
    uint32_t *buckets, *dirty;
    uint32_t bucket_count;
    size_t dirty_count;
    struct serin_relay relay;
    struct {
        int token;
        uint64_t at_ms;
    } flights[GATEWAY_FLIGHTS]; /* token 0: none */
    int token;
    uint64_t batch_number;

    struct serin_hold_book book;
    uint32_t failures; /* of the candidate, as the book was told last */

    struct serin_sent sent;
    struct serin_sent_batch *sent_batches;
    size_t sent_count;
    struct gateway_saved saved;
    struct gateway_directive taking; /* in the transaction under way */
    struct gateway_directive directive;
    bool has_trust, trust_shown;

    struct serin_uplink uplink; /* as gateway.yaml has it by default: nothing limits it */
    uint8_t *whole;
    size_t offer_count;
    struct gateway_offer offers[GATEWAY_OFFERS];
    bool needs;
    size_t postponed_count;
    struct serin_want postponed[4];
};

/* The machine's monotonic clock. */
static inline uint64_t gateway_now_ms(const struct sim_gateway *gateway)
{
    return gateway->sim->now_ms + GATEWAY_BOOTED_MS;
}

/* Publishes on the site's broker, or the cloud's. */
void gateway_publish(struct sim_gateway *gateway, enum sim_side side, enum serin_topic_kind kind,
                     uint32_t whose, const uint8_t *payload, size_t size);

/* ---- gateway_relay.c ---- */

/* From the store: at the start, and after a crash. */
void gateway_relay_load(struct sim_gateway *gateway);
void gateway_relay_forget(struct sim_gateway *gateway); /* memory is lost */
void gateway_relay_node(struct sim_gateway *gateway, struct sim_topic topic, const uint8_t *payload,
                        size_t size);
void gateway_relay_acks(struct sim_gateway *gateway, const uint8_t *payload, size_t size);
/* The transaction reached the disk: what is in it may go. */
void gateway_relay_commit(struct sim_gateway *gateway);
void gateway_relay_send(struct sim_gateway *gateway);
void gateway_relay_delivered(struct sim_gateway *gateway);
uint64_t gateway_relay_deadline_ms(struct sim_gateway *gateway);
/* Something is to be stored. */
void gateway_dirty(struct sim_gateway *gateway);
/* Nodes that failed a candidate. */
uint32_t gateway_failures(const struct sim_gateway *gateway, const struct serin_release *candidate);

/* ---- gateway_orders.c ---- */

void gateway_orders_load(struct sim_gateway *gateway, bool same_boot);
void gateway_orders_begin(struct sim_gateway *gateway); /* once its nodes are loaded, too */
void gateway_orders_message(struct sim_gateway *gateway, enum serin_topic_kind kind,
                            const uint8_t *payload, size_t size);
void gateway_orders_commit(struct sim_gateway *gateway);
void gateway_orders_site(struct sim_gateway *gateway); /* the site's broker is there (again) */
/* A node's failure was noted: the site may halt itself. */
void gateway_orders_recount(struct sim_gateway *gateway);
void gateway_orders_tick(struct sim_gateway *gateway);
uint64_t gateway_orders_deadline_ms(const struct sim_gateway *gateway);
bool gateway_halted(const struct sim_gateway *gateway);

/* ---- gateway_fill.c ---- */

void gateway_fill_orders(struct sim_gateway *gateway); /* directives changed */
void gateway_fill_forget(struct sim_gateway *gateway);
void gateway_fill_want(struct sim_gateway *gateway, const uint8_t *payload, size_t size);
void gateway_fill_block(struct sim_gateway *gateway, const uint8_t *payload, size_t size);
void gateway_fill_link(struct sim_gateway *gateway, enum sim_side side, bool up);
void gateway_fill_tick(struct sim_gateway *gateway);
uint64_t gateway_fill_deadline_ms(const struct sim_gateway *gateway);

#endif
