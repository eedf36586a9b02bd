/*
 * What crosses the wire between a site and the cloud, and between a gateway and the plugin of its
 * own broker (docs/spec/site.md; docs/spec/batch.md), as plain values.
 *
 * Hosts only: a device never sees any of this, and cannot tell a gateway from the cloud. Every
 * field is bounded, and a decoded value has been checked against all of its bounds.
 */
#ifndef SERIN_SITE_H
#define SERIN_SITE_H

#include <serin/wire.h>

/* Largest payloads, in bytes. */
#define SERIN_BATCH_MAX     65536u
#define SERIN_ACK_BATCH_MAX 16384u
#define SERIN_GW_STATUS_MAX 4096u
#define SERIN_HAVE_MAX      8192u
#define SERIN_WANT_MAX      128u

/* The largest object that a site fills: 128 MiB, 32,768 pieces. */
#define SERIN_SITE_OBJECT_MAX 134217728u
/* Objects without a piece table of their own (manifests, piece tables, route tables) are kept in
 * memory until their digest holds: the piece table of the largest object. */
#define SERIN_SITE_WHOLE_MAX 1048576u

/* ---- gw/<gw>/reports ---- */

enum serin_batch_encoding {
    SERIN_BATCH_ENCODING_INVALID = 0,
    SERIN_BATCH_PLAIN = 1,
    SERIN_BATCH_DEFLATE = 2 /* zlib format, RFC 1950 */
};

#define SERIN_BATCH_ITEMS_MAX 256u
#define SERIN_BATCH_PLAIN_MAX 262144u /* bytes of the items, decoded */

/* The outer message: the items are bytes of their own, so that they can be compressed. */
struct serin_batch {
    uint64_t incarnation; /* of the gateway's store; never 0 */
    uint64_t number;      /* ≥ 1: grows by one with each batch of an incarnation */
    enum serin_batch_encoding encoding;
    uint32_t plain_size;  /* 1 .. SERIN_BATCH_PLAIN_MAX: bytes of the items, decoded */
    const uint8_t *items; /* points into the payload */
    size_t items_size;    /* ≥ 1; equal to plain_size where PLAIN, smaller where DEFLATE */
};

enum serin_batch_kind {
    SERIN_BATCH_KIND_INVALID = 0,
    SERIN_BATCH_REPORT = 1,  /* payload as on dev/<id>/report, byte for byte, MAC included */
    SERIN_BATCH_BEAT = 2,    /* payload as on dev/<id>/beat */
    SERIN_BATCH_PRESENCE = 3 /* payload as on presence/<id>, as the site's broker told it */
};

struct serin_batch_item {
    char node[SERIN_ID_MAX + 1];
    enum serin_batch_kind kind;
    const uint8_t *payload; /* points into the decoded items */
    size_t payload_size;    /* 1 .. SERIN_REPORT_MAX */
};

struct serin_batch_items {
    size_t count; /* 1 .. SERIN_BATCH_ITEMS_MAX; decoded: 0 where no kind of them is known */
    struct serin_batch_item list[SERIN_BATCH_ITEMS_MAX];
};

/* ---- gw/<gw>/acks ---- */

#define SERIN_ACK_BATCH_ITEMS_MAX   128u
#define SERIN_ACK_BATCH_BATCHES_MAX 16u

struct serin_ack_item {
    char node[SERIN_ID_MAX + 1];
    struct serin_ack ack; /* goes down on dev/<node>/ack as it is */
};

/* Every report of a batch is stored, each under its own number. */
struct serin_batch_ack {
    uint64_t incarnation; /* of the batch; never 0 */
    uint64_t number;      /* ≥ 1 */
    uint32_t crc32;       /* CRC-32/ISO-HDLC of the payload: a store that forgot numbers it gave out
                             may give them to other batches */
};

/* Batches stand before items: what is said of both in one message is said in this order. */
struct serin_ack_batch {
    size_t count; /* 0 .. SERIN_ACK_BATCH_ITEMS_MAX; 0 only where there are batches */
    struct serin_ack_item list[SERIN_ACK_BATCH_ITEMS_MAX];
    size_t batch_count; /* 0 .. SERIN_ACK_BATCH_BATCHES_MAX */
    struct serin_batch_ack batches[SERIN_ACK_BATCH_BATCHES_MAX];
};

/* ---- gw/<gw>/status ---- */

#define SERIN_GW_FLEETS_MAX   8u
#define SERIN_GW_SOFTWARE_MAX 31u

/* Why a site starts no trial of a product at present. Frozen numbers. */
enum serin_hold_cause {
    SERIN_HOLD_CAUSE_INVALID = 0,
    SERIN_HOLD_CAUSE_NONE = 1,    /* it is not held */
    SERIN_HOLD_CAUSE_LEASE = 2,   /* no directive of the product is within its lease */
    SERIN_HOLD_CAUSE_FAILURES = 3 /* more of its nodes failed than the directive allows */
};

/* One product and channel that a gateway serves. */
struct serin_gw_fleet {
    char product[SERIN_PRODUCT_MAX + 1];
    char channel[SERIN_CHANNEL_MAX + 1];
    struct serin_order order; /* of the directive it holds; (0, 0): none yet */
    uint32_t lease_left_s;    /* 0 .. SERIN_LEASE_MAX_S */
    enum serin_hold_cause hold;
    uint32_t failures;                      /* nodes that failed the candidate below */
    uint32_t failures_max;                  /* the directive's limit; 0: none */
    uint8_t manifest_id[SERIN_SHA256_SIZE]; /* FAILURES: the candidate; else all zero */
    uint64_t held_since_s;                  /* signed time; 0: not known; NONE: 0 */
};

struct serin_gw_status {
    char gateway[SERIN_ID_MAX + 1];
    uint64_t incarnation;                     /* of the gateway's store; never 0 */
    char software[SERIN_GW_SOFTWARE_MAX + 1]; /* printable ASCII */
    uint64_t time_s; /* the largest signed time plus monotonic time since; 0: none heard */
    uint64_t uptime_s;
    uint32_t nodes, nodes_online;
    uint64_t depot_bytes, depot_budget_bytes;
    uint32_t objects, filling;        /* whole, and being filled */
    bool pass_through;                /* the disk is full: bytes are served, not kept */
    uint64_t served_bytes;            /* block payload given to nodes, over all starts */
    uint64_t fetched_bytes;           /* block payload taken from the uplink, over all starts */
    uint64_t refetched_bytes;         /* of them: pieces that had to be fetched again */
    uint64_t uplink_sent, uplink_got; /* MQTT payload bytes of everything, over all starts */
    uint64_t uplink_messages;         /* publishes upstream but for requests for blocks */
    uint64_t transitions;             /* of nodes, taken in since the store was made */
    uint32_t queued;                  /* reports that the cloud has not acknowledged */
    uint64_t queue_oldest_s;          /* how long the oldest of them has waited */
    uint32_t rotten;                  /* pieces found damaged in the depot, over all starts */
    size_t fleet_count;
    struct serin_gw_fleet fleets[SERIN_GW_FLEETS_MAX];
};

/* ---- depot/want: plugin → gateway ---- */

enum serin_want_kind {
    SERIN_WANT_INVALID = 0,
    SERIN_WANT_MISSING = 1, /* a node asks for [offset, offset + length) and it is not here */
    SERIN_WANT_ROTTEN = 2,  /* what the depot holds there does not verify: look again */
    SERIN_WANT_SERVED = 3   /* no object: the counters alone */
};

struct serin_want {
    enum serin_want_kind kind;
    uint8_t object[SERIN_SHA256_SIZE]; /* all zero for SERVED */
    uint32_t offset;
    uint32_t length;       /* ≥ 1, offset + length < 2^32; for SERVED both are 0 */
    uint64_t served_bytes; /* block payload given to nodes since the broker started */
};

/* ---- depot/have: gateway → plugin ---- */

enum serin_have_kind {
    SERIN_HAVE_INVALID = 0,
    SERIN_HAVE_PART = 1,   /* the ranges below are verified in the part file */
    SERIN_HAVE_WHOLE = 2,  /* it stands under its name in the depot */
    SERIN_HAVE_ABSENT = 3, /* it is not to be had now: answer nodes with `status`, `retry_ms` */
    SERIN_HAVE_DATA = 4    /* verified bytes of it, for the plugin's memory: the disk is full */
};

#define SERIN_HAVE_RANGES_MAX 64u

/* Whole pieces: a start that is a multiple of SERIN_PIECE_SIZE, an end that is one too or the
 * object's. */
struct serin_range {
    uint32_t start, end; /* bytes, start < end */
};

/* A field that is not of its kind is 0. */
struct serin_have {
    enum serin_have_kind kind;
    uint8_t object[SERIN_SHA256_SIZE];
    uint32_t object_size; /* 1 .. SERIN_SITE_OBJECT_MAX; 0 for ABSENT */
    bool fresh;           /* PART: forget what was said of the object before */
    size_t range_count;   /* PART: 0 .. SERIN_HAVE_RANGES_MAX, ascending, disjoint */
    struct serin_range ranges[SERIN_HAVE_RANGES_MAX];
    enum serin_block_status status; /* ABSENT: BUSY, NOT_FOUND or REFUSED */
    uint32_t retry_ms;              /* ABSENT: 0 .. 3,600,000 */
    uint32_t data_offset;           /* DATA: a multiple of SERIN_PIECE_SIZE */
    const uint8_t *data;            /* DATA: points into the payload */
    size_t data_size;               /* DATA: one piece; only the object's last is shorter */
};

#endif
