/*
 * What a gateway says upstream for its nodes, and when (docs/spec/batch.md, section 2): an index of
 * nodes, a queue of their latest reports, and beats and presence that ride along.
 *
 * Pure: no bytes are kept here but ids and digests, time is passed in (milliseconds, monotonic),
 * all memory is the caller's. Nodes are named by their index, which stays while they are known.
 *
 * A node's report:
 *
 *            heard        stored         sent          acked
 *    IDLE ─────────▶ FRESH ──────▶ DUE ────────▶ SENT ────────▶ IDLE
 *                      ▲            │ ▲   lost    │
 *                      └── heard ───┴─┼───────────┤ (a later report takes the place of an earlier)
 *                                     └───────────┘
 *
 * It keeps its place in the queue from IDLE on until it is acknowledged, so reports go up in the
 * order in which their nodes first had something to say.
 */
#ifndef SERIN_GATEWAY_RELAY_H
#define SERIN_GATEWAY_RELAY_H

#include <serin/site.h>

#define SERIN_RELAY_NODES_MAX   10000u
#define SERIN_RELAY_NONE        UINT32_MAX /* no node */
#define SERIN_RELAY_FLIGHTS_MAX 2u         /* batches that the broker has not acknowledged */
#define SERIN_RELAY_FLIGHT_MS   60000u     /* then one counts as lost */
/* So many reports, or bytes of them (before they are deflated), wait for no others. */
#define SERIN_RELAY_FULL_ITEMS SERIN_BATCH_ITEMS_MAX
#define SERIN_RELAY_FULL_BYTES 131072u
/* Waits in batch delays: of what is under way (accepted, downloading, staged), and of what only
 * keeps the fleet's picture fresh (beats, presence). */
#define SERIN_RELAY_STEP_DELAYS 5u
/* While one batch follows another, the next one keeps a distance of 1, 2, 4, at most so many batch
 * delays; what is urgent keeps none. */
#define SERIN_RELAY_PACE_DELAYS 5u
#define SERIN_RELAY_LAX_DELAYS  15u
/* A node is urgent at most this often: one that fails on and on keeps the uplink from nobody. */
#define SERIN_RELAY_URGENT_MS 10000u
/* While serind is silent, resends come at 1, 2, 4 … 32 times the configured interval. */
#define SERIN_RELAY_SILENCE_MAX 5u

enum serin_relay_state {
    SERIN_RELAY_IDLE = 0,  /* nothing waits */
    SERIN_RELAY_FRESH = 1, /* heard, not yet stored */
    SERIN_RELAY_DUE = 2,   /* to be sent */
    SERIN_RELAY_SENT = 3,  /* sent, not acknowledged */
    SERIN_RELAY_STATE_COUNT
};

enum serin_relay_event {
    SERIN_RELAY_HEARD = 0,  /* a report that is to go up */
    SERIN_RELAY_STORED = 1, /* it is durable */
    SERIN_RELAY_LEFT = 2,   /* it was handed to the broker */
    SERIN_RELAY_LOST = 3,   /* it is to be sent again */
    SERIN_RELAY_ACKED = 4,  /* serind has it, or refused it */
    SERIN_RELAY_EVENT_COUNT
};

/* What follows; false: the pair is not allowed, `*next` is unspecified. */
bool serin_relay_next(enum serin_relay_state state, enum serin_relay_event event,
                      enum serin_relay_state *next);

/* How long a report may wait for others. */
enum serin_relay_class {
    SERIN_RELAY_CLASS_INVALID = 0,
    SERIN_RELAY_URGENT = 1, /* failed, rolled back, rejected, regressed: not at all */
    SERIN_RELAY_FINAL = 2,  /* another end, or an account that was told before: one batch delay */
    SERIN_RELAY_STEP = 3    /* under way: SERIN_RELAY_STEP_DELAYS of them */
};
/* By the last transition of its current attempt. */
enum serin_relay_class serin_relay_classify(const struct serin_report *report);
/* Whether an attempt that stands at `state` went wrong: failed, rolled_back, rejected, regressed,
 * reverted. */
bool serin_relay_bad(enum serin_state state);

struct serin_relay_config {
    uint32_t batch_delay_ms, resend_ms, beat_ms;
};

/* Open for reading; changed by the functions below alone, but for the fields marked free. */
struct serin_relay_node {
    char id[SERIN_ID_MAX + 1]; /* "": the place is free */
    bool online;
    bool urgent;            /* its report waits for nothing */
    uint64_t urgent_ms;     /* when it last was, and one more; 0: never */
    bool keep;              /* free: it must not make room */
    uint64_t seen_ms;       /* its last message; 0: none since the start */
    uint64_t seen_s;        /* free: signed time of it, as far as known */
    uint32_t chain;         /* of its bucket, or of the free places */
    uint32_t before, after; /* in the queue */

    enum serin_relay_state state;
    uint64_t incarnation, number, acked_number;
    uint64_t queue_number; /* 0: IDLE */
    uint64_t queued_ms;    /* when it took its place */
    uint64_t waited_ms;    /* before that, in earlier starts */
    uint64_t due_ms;       /* DUE: when it goes at the latest */
    uint64_t sent_ms;      /* SENT */
    uint64_t quiet_ms;     /* serind asked for quiet until then */
    uint32_t report_size;

    bool beat_told, presence_told, presence_online; /* as it was sent up last */
    uint32_t beat_core, beat_rest;                  /* digests of that beat */
    uint64_t beat_sent_ms;
    uint32_t next_core, next_rest;         /* of the one that waits */
    uint64_t beat_due_ms, presence_due_ms; /* 0: nothing waits */
    bool rides;                            /* one of them does */
    uint32_t ride_before, ride_after;      /* among those of which one does */
};

struct serin_relay {
    struct serin_relay_config config;
    struct serin_relay_node *nodes;
    uint32_t nodes_max, node_count, online_count, free_head;
    uint32_t *buckets;
    uint32_t bucket_count;

    uint32_t first, last; /* the queue */
    uint32_t queued;      /* in it */
    uint32_t due_count;
    uint64_t due_bytes;
    uint64_t queue_number; /* given out last */

    /* Whose beat or presence waits, in the order in which they came to: a site has thousands of
     * nodes, of which a few have just spoken. */
    uint32_t first_ride, last_ride;

    bool connected, heard; /* `heard`: an ack since the last resend */
    uint32_t silence;
    uint64_t left_ms; /* when reports went last */
    uint64_t pace_ms; /* how long others that can wait stay behind them; 0: none went */
    uint64_t wake_ms; /* nothing becomes due before; 0: look */
    size_t flights;
    struct {
        int token;
        uint64_t since_ms;
    } flight[SERIN_RELAY_FLIGHTS_MAX];
};

/* `nodes` of nodes_max places (1 .. SERIN_RELAY_NODES_MAX) and `buckets` of `bucket_count` (a power
 * of two, best about as many) are the caller's and live as long. */
void serin_relay_init(struct serin_relay *relay, const struct serin_relay_config *config,
                      struct serin_relay_node *nodes, uint32_t nodes_max, uint32_t *buckets,
                      uint32_t bucket_count);

/* ---- nodes ---- */

uint32_t serin_relay_find(const struct serin_relay *relay, const char *id);
/* Adds a node that is not known. Without room SERIN_RELAY_NONE: serin_relay_victim says who could
 * go. */
uint32_t serin_relay_add(struct serin_relay *relay, const char *id);
/* The longest unseen of those that are offline, have nothing queued and need not be kept. */
uint32_t serin_relay_victim(const struct serin_relay *relay);
/* Programmer error: one whose report waits. */
void serin_relay_remove(struct serin_relay *relay, uint32_t node);

/* ---- what is heard from nodes ---- */

enum serin_relay_verdict {
    SERIN_RELAY_VERDICT_INVALID = 0,
    SERIN_RELAY_NEWER = 1,  /* to be queued */
    SERIN_RELAY_REBORN = 2, /* to be queued: a new account */
    SERIN_RELAY_REPEATED =
        3, /* known and not queued: the ack was lost, or a refusal's wait is over */
    SERIN_RELAY_DUPLICATE = 4, /* it is queued already */
    SERIN_RELAY_OVERTAKEN = 5  /* below what is known: the node has said more since */
};
enum serin_relay_verdict serin_relay_judge(const struct serin_relay_node *node,
                                           uint64_t incarnation, uint64_t number);

/* A report that is to go up (NEWER, REBORN, REPEATED) was heard: FRESH. */
void serin_relay_heard(struct serin_relay *relay, uint32_t node, uint64_t incarnation,
                       uint64_t number, uint32_t report_size, enum serin_relay_class kind,
                       uint64_t now_ms);
/* It is durable (or cannot be made so, and goes all the same): DUE. Others: nothing. */
void serin_relay_stored(struct serin_relay *relay, uint32_t node);
/* A report from the store, at the start, after the node's account was filled in: DUE at once, in
 * the place of its queue_number. */
void serin_relay_restore(struct serin_relay *relay, uint32_t node, uint64_t queue_number,
                         uint64_t waited_ms, uint32_t report_size, uint64_t now_ms);

/* A beat or a presence; true: it waits to be sent up, in the place of an earlier one that did. */
bool serin_relay_beat(struct serin_relay *relay, uint32_t node, const struct serin_beat *beat,
                      uint64_t now_ms);
bool serin_relay_presence(struct serin_relay *relay, uint32_t node, bool online, uint64_t now_ms);

/* ---- the way up ---- */

/* The uplink came or went: what is not acknowledged goes up again. */
void serin_relay_link(struct serin_relay *relay, bool connected, uint64_t now_ms);
/* A batch should go now. */
bool serin_relay_ready(struct serin_relay *relay, uint64_t now_ms);
/* Reports are due that the broker has not got yet: bulk waits for them. */
bool serin_relay_waiting(struct serin_relay *relay, uint64_t now_ms);
/* When to ask again. */
uint64_t serin_relay_deadline_ms(struct serin_relay *relay, uint64_t now_ms);

struct serin_relay_item {
    uint32_t node;
    enum serin_batch_kind kind;
};
/* What a batch of now consists of: reports in the queue's order, then presence, then beats, both in
 * the order in which their nodes came to have one that waits. */
size_t serin_relay_pick(const struct serin_relay *relay, uint64_t now_ms,
                        struct serin_relay_item items[SERIN_BATCH_ITEMS_MAX]);
/* The first `count` of those picked were handed to the broker under `token`. */
void serin_relay_left(struct serin_relay *relay, const struct serin_relay_item *items, size_t count,
                      int token, uint64_t now_ms);
/* The broker has it. Unknown tokens are others'. */
void serin_relay_delivered(struct serin_relay *relay, int token);

/* Serind's word on a node's report; true: nothing waits any more, the store may forget it. What is
 * refused leaves the queue too: its node keeps it and repeats it after retry_s. */
bool serin_relay_ack(struct serin_relay *relay, uint32_t node, const struct serin_ack *ack,
                     uint64_t now_ms);

/* How long the oldest queued report has waited; 0: none. */
uint64_t serin_relay_oldest_ms(const struct serin_relay *relay, uint64_t now_ms);

#endif
