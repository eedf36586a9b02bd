/*
 * The order guard (docs/broker-plugin.md, section 3; design decision 4): the durable memory of the
 * highest order that passed on each directive and trust topic, and what follows from it for
 * objects.
 *
 * A broker's own database forgets and resurrects retained messages when it is killed. This memory
 * does not: what is lower than remembered is refused at publication and not delivered from a
 * resurrected database, and what was lost is published again from here at the start. It also knows
 * which candidates are halted, so that their objects stay unserved while serind is away. Pure;
 * writes through a port, into memory of the caller.
 *
 * A record, little-endian:
 *
 *   offset size field                              offset size field
 *   ------ ---- ------------------------------     ------ ---- ------------------------------
 *        0    4 magic "SRNG"                           24  160 topic, NUL-padded
 *        4    2 format = 1                            184   64 stable manifest ids, 2 × 32
 *        6    2 head size = 348                       248   64 candidate manifest ids, 2 × 32
 *        8    4 epoch                                 312   32 SHA-256 of the signed body
 *       12    4 sequence                              344    2 payload size n
 *       16    1 candidate state (1..4)                346    2 reserved, zero
 *       17    1 stable offers, 0..2                   348    n payload, as it was published
 *       18    1 candidate offers, 0..2              348+n    4 CRC-32/ISO-HDLC of all before
 *       19    5 reserved, zero                      352+n      end
 *
 * A trust topic is kept as epoch 0, sequence = version of the record, without offers.
 *
 * Orders are remembered whoever signed them, and above the highest order there is none. So that
 * nobody who can publish a directive gets there by one message, an epoch may lie only so far above
 * the highest that is remembered of any directive (they share one space of orders), and a trust
 * record's version so far above its topic's. What is not remembered counts as 0.
 */
#ifndef SERIN_PLUGIN_GUARD_H
#define SERIN_PLUGIN_GUARD_H

#include <serin/route.h>
#include <serin/topic.h>
#include <serin/wire.h>

#define SERIN_GUARD_HEAD_SIZE   348u
#define SERIN_GUARD_PAYLOAD_MAX SERIN_TRUST_PAYLOAD_MAX
#define SERIN_GUARD_RECORD_MAX  (SERIN_GUARD_HEAD_SIZE + SERIN_GUARD_PAYLOAD_MAX + 4u)

/* What a directive (or a trust record) on a topic says, as far as the guard cares. */
struct serin_guard_view {
    struct serin_order order; /* sequence ≥ 1 */
    enum serin_candidate_state candidate_state;
    size_t stable_count, candidate_count;
    uint8_t stable[SERIN_DIRECTIVE_OFFERS_MAX][SERIN_SHA256_SIZE];
    uint8_t candidate[SERIN_DIRECTIVE_OFFERS_MAX][SERIN_SHA256_SIZE];
    uint8_t
        content[SERIN_SHA256_SIZE]; /* SHA-256 of the signed body: what the order was given to */
    bool has_routes;                /* it names a route table; not part of the record */
    uint8_t routes[SERIN_SHA256_SIZE];
};

void serin_guard_view_directive(const struct serin_directive *directive,
                                const uint8_t content[SERIN_SHA256_SIZE],
                                struct serin_guard_view *view);
void serin_guard_view_trust(uint32_t version, const uint8_t content[SERIN_SHA256_SIZE],
                            struct serin_guard_view *view);

/* What a manifest names; `known` false: the manifest could not be read (yet). */
struct serin_guard_objects {
    bool known;
    uint8_t image[SERIN_SHA256_SIZE];
    uint32_t image_size;
    uint8_t pieces[SERIN_SHA256_SIZE];
    uint32_t pieces_size;
};

struct serin_guard_ops {
    /* Stores a record durably under `key` ([A-Za-z0-9_.-], the topic without its prefix, '.' for
     * '/'). SERIN_OK only when it would outlive a power cut; any error refuses the directive. */
    enum serin_error (*save)(void *ctx, const char *key, const uint8_t *record, size_t size);
    /* Looks up what a manifest names. `objects->known` false: not now. */
    void (*lookup)(void *ctx, const uint8_t manifest_id[SERIN_SHA256_SIZE],
                   struct serin_guard_objects *objects);
    /* Reads the route table of that name. False: not now. One that is here and is none, or is too
     * large, is true without a route. */
    bool (*routes)(void *ctx, const uint8_t name[SERIN_SHA256_SIZE], struct serin_routes *routes);
};

#define SERIN_GUARD_OFFERS (2u * SERIN_DIRECTIVE_OFFERS_MAX)

struct serin_guard_entry {
    char topic[SERIN_TOPIC_MAX]; /* "": free */
    struct serin_guard_view view;
    bool unsaved; /* a halt or pause that could not be stored */
};

/* What an object is, as far as directives and manifests tell. */
enum serin_guard_kind {
    SERIN_GUARD_UNKNOWN,
    SERIN_GUARD_MANIFEST,
    SERIN_GUARD_PIECES, /* a piece table */
    SERIN_GUARD_IMAGE,  /* also a patch of several pieces: both are verified by a piece table */
    SERIN_GUARD_ROUTES, /* a route table */
    SERIN_GUARD_PATCH   /* a patch of one piece: its name is its digest */
};

/* What is known of an object that a remembered directive names. */
struct serin_guard_object {
    uint8_t name[SERIN_SHA256_SIZE];
    uint8_t pieces[SERIN_SHA256_SIZE]; /* of an IMAGE: its piece table */
    uint32_t size;                     /* bytes; 0: not known (a manifest) */
    enum serin_guard_kind kind;
    bool halted; /* a halted candidate needs it */
    bool live;   /* and so does something that a channel still offers */
    bool used;
};

struct serin_guard {
    const struct serin_guard_ops *ops;
    void *ctx;
    struct serin_guard_entry *entries;  /* open addressing by topic; nothing is ever taken out */
    struct serin_guard_object *objects; /* open addressing by name; rebuilt as a whole */
    uint32_t entry_capacity, entry_count;
    uint32_t directive_count; /* entries that are no trust record */
    uint32_t object_capacity, object_count;
    uint32_t leap_max;      /* the bound on leaps */
    uint32_t highest_epoch; /* of all entries */
    bool stale;             /* the objects no longer follow from the entries */
    bool incomplete;        /* a manifest was not readable, or an object found no room */
    bool unsure;            /* and that was something on offer */
    uint32_t lack_count,
        lack_turn; /* manifests and route tables on offer that could not be read; which is told */
    uint8_t lacking[SERIN_SHA256_SIZE];
    bool knows_all; /* what single devices are offered is among the objects */
    uint64_t built_ms;
};

/* Objects of manifests that were not readable are looked up again after this time. */
#define SERIN_GUARD_REBUILD_MS 10000u

/* The least that `leap_max` may be: serind, told by devices of a higher order than its own, begins
 * an epoch up to so far above it (SERIN_CLAIM_EPOCHS_MAX of the orchestrator, and one). */
#define SERIN_GUARD_LEAP_MIN 9u

/* `leap_max` (≥ SERIN_GUARD_LEAP_MIN) is the most that an epoch or version may rise at once.
 * `entries` and `objects` hold their capacities (≥ 4) and live as long as `guard`. One quarter of
 * each stays free. All their bytes are zero at first, so that large ones cost memory as they fill.
 */
void serin_guard_init(struct serin_guard *guard, const struct serin_guard_ops *ops, void *ctx,
                      struct serin_guard_entry *entries, uint32_t entry_capacity,
                      struct serin_guard_object *objects, uint32_t object_capacity,
                      uint32_t leap_max);

/* Takes a stored record at the start. SERIN_ERR_TRUNCATED, SERIN_ERR_TOO_LARGE, SERIN_ERR_FORMAT,
 * SERIN_ERR_VERSION, SERIN_ERR_CRC, SERIN_ERR_RESERVED, SERIN_ERR_INVALID: it is damaged;
 * SERIN_ERR_EXISTS: its topic is there already; SERIN_ERR_NO_SPACE: no room. A guard that lost a
 * record is no guard: the caller must not go on after an error. */
SERIN_MUST_USE enum serin_error serin_guard_restore(struct serin_guard *guard,
                                                    const uint8_t *record, size_t size);

/* Tells what the payload of a restored record says and its head does not: the route table of the
 * directive on `topic`. A topic that is not remembered is passed over. */
void serin_guard_learn_routes(struct serin_guard *guard, const char *topic,
                              const uint8_t routes[SERIN_SHA256_SIZE]);

/* Judges what is about to be published on `topic` (directive/…, dev/<id>/directive, trust/…) and
 * remembers it, on the disk first. SERIN_OK: newer and stored, or the very one that is remembered.
 * SERIN_ERR_STALE: lower than remembered. SERIN_ERR_STATE: the remembered order with another
 * content; one order says one thing. SERIN_ERR_INVALID: it leaps too far above what is remembered.
 * SERIN_ERR_NO_SPACE (too many topics, or the disk is full),
 * SERIN_ERR_IO: could not be stored. After an error nothing has changed in memory. The
 * payload (1 .. SERIN_GUARD_PAYLOAD_MAX bytes) is stored as it is.
 *
 * A halt or a pause of a topic that is remembered is SERIN_OK also where it cannot be stored: it
 * can only stop, and a full disk must not let the rest of a fleet run on. It counts from then on,
 * and is stored when it is published again. */
SERIN_MUST_USE enum serin_error serin_guard_accept(struct serin_guard *guard, const char *topic,
                                                   const struct serin_guard_view *view,
                                                   const uint8_t *payload, size_t payload_size);

/* The topic and payload of a stored record that serin_guard_restore has taken, to publish it again.
 * `payload` points into `record`; `topic` holds SERIN_TOPIC_MAX bytes. Errors as
 * serin_guard_restore. */
SERIN_MUST_USE enum serin_error serin_guard_recall(const uint8_t *record, size_t size, char *topic,
                                                   const uint8_t **payload, size_t *payload_size);

/* Judges what is about to be delivered. SERIN_ERR_STALE: lower than remembered. SERIN_OK: the
 * remembered one, or a topic that is not remembered (the device's own guard decides). */
SERIN_MUST_USE enum serin_error serin_guard_deliver(const struct serin_guard *guard,
                                                    const char *topic, struct serin_order order);

/* What a client's request for an object means. */
struct serin_guard_ruling {
    bool refused; /* a halted candidate's object that nothing else offers to this client */
    uint32_t expected_size; /* bytes, where a readable manifest tells; 0: not known */
};
/* `id` is the client's: its own targeted directive may offer what the channels do not. */
struct serin_guard_ruling serin_guard_rule(struct serin_guard *guard, const char *id,
                                           const uint8_t object[SERIN_SHA256_SIZE],
                                           uint64_t now_ms);

/* Whether an object is one that a client may be given (docs/spec/site.md, section 4). */
enum serin_guard_offer {
    SERIN_GUARD_OFFERED = 1,
    SERIN_GUARD_NOT_OFFERED,
    SERIN_GUARD_UNSURE,      /* a manifest that is on offer could not be read: it may name it */
    SERIN_GUARD_NO_DIRECTIVE /* nothing is remembered at all: a new site */
};

struct serin_guard_answer {
    enum serin_guard_offer offer;
    /* Where OFFERED: */
    enum serin_guard_kind kind;
    uint32_t size;                      /* bytes; 0: not known (a manifest) */
    uint8_t pieces[SERIN_SHA256_SIZE];  /* of an IMAGE: its piece table, of ... */
    uint32_t pieces_size;               /* ... so many bytes */
    uint8_t lacking[SERIN_SHA256_SIZE]; /* where UNSURE: a manifest that could not be read; each
                                           look takes the next. Zero: none, room ran out */
};
/* Whether a channel offers the object (as stable, or as a candidate that is not halted), or the
 * client's own directive does. */
struct serin_guard_answer serin_guard_ask(struct serin_guard *guard, const char *id,
                                          const uint8_t object[SERIN_SHA256_SIZE], uint64_t now_ms);

/* What an object is to whoever it is named to, halted or not: for judging its bytes, never for
 * giving them away. OFFERED with what it is; NOT_OFFERED: as far as is known, no remembered
 * directive names it. With the first call the index takes in what single devices' own directives
 * name, and keeps them in from then on. */
struct serin_guard_answer serin_guard_know(struct serin_guard *guard,
                                           const uint8_t object[SERIN_SHA256_SIZE],
                                           uint64_t now_ms);

/* A manifest may have become readable: what could not be looked up is looked up anew with the next
 * question, and not only after SERIN_GUARD_REBUILD_MS. */
void serin_guard_look_again(struct serin_guard *guard);

/* The key of a topic: without "serin/1/", with '.' for '/'. `key` holds SERIN_TOPIC_MAX bytes. */
void serin_guard_key(const char *topic, char *key);

#endif
