/*
 * What crosses the wire, as plain values (proto/serin.proto;
 * docs/spec/{directive,report,beat,blocks}.md).
 *
 * Every field is bounded. Codecs (serin/codec.h) turn these into Protocol Buffers and back and
 * enforce every bound named here; a decoded value has been checked against all of them, so the
 * cores need not check again.
 */
#ifndef SERIN_WIRE_H
#define SERIN_WIRE_H

#include <serin/cohort.h>
#include <serin/id.h>
#include <serin/manifest.h>
#include <serin/states.h>

/* Of every payload; another one is refused with SERIN_ERR_VERSION. */
#define SERIN_WIRE_VERSION 1u

/* Largest payloads, in bytes. */
#define SERIN_DIRECTIVE_MAX     512u
#define SERIN_TRUST_PAYLOAD_MAX 4096u
#define SERIN_REPORT_MAX        2048u
#define SERIN_ACK_MAX           128u
#define SERIN_BEAT_MAX          1024u
#define SERIN_GET_MAX           128u
#define SERIN_BLOCK_DATA_MAX    65536u
#define SERIN_BLOCK_DATA_MIN    256u
#define SERIN_BLOCK_MAX         (SERIN_BLOCK_DATA_MAX + 128u)
#define SERIN_HOLD_MAX          256u
#define SERIN_PRESENCE_MAX      64u

/* ---- signed envelope: directive topics ---- */

struct serin_envelope {
    uint8_t key_id[SERIN_KEY_ID_SIZE];
    const uint8_t *body; /* points into the payload */
    size_t body_size;    /* 1 .. SERIN_DIRECTIVE_MAX */
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE];
};

/* ---- directive ---- */

/* One space per director; compared epoch first. (0, 0) is below every real order. */
struct serin_order {
    uint32_t epoch;
    uint32_t sequence;
};

#define SERIN_DIRECTIVE_OFFERS_MAX 2u

struct serin_offer {
    uint16_t hw_min, hw_max; /* inclusive; 1 ≤ hw_min ≤ hw_max */
    uint8_t manifest_id[SERIN_SHA256_SIZE];
};

#define SERIN_RELEASE_REVERT      1u /* may be older than what runs (never below the floor) */
#define SERIN_RELEASE_COMMIT      2u /* devices that confirmed it may commit its security counter */
#define SERIN_RELEASE_FLAGS_KNOWN 3u

struct serin_release {
    size_t offer_count; /* 0: the directive names no such release */
    struct serin_offer offers[SERIN_DIRECTIVE_OFFERS_MAX];
    uint32_t attempt; /* ≥ 1 where offer_count > 0; a retry has a higher one */
    uint32_t flags;   /* SERIN_RELEASE_* */
};

/* What the candidate is doing; frozen numbers. */
enum serin_candidate_state {
    SERIN_CANDIDATE_INVALID = 0,
    SERIN_CANDIDATE_NONE = 1,    /* there is none */
    SERIN_CANDIDATE_ROLLING = 2, /* members of the cohort take it */
    SERIN_CANDIDATE_PAUSED = 3,  /* nobody starts it; downloads go on, no new trial starts */
    SERIN_CANDIDATE_HALTED = 4   /* stop: pending and downloading end, staged does not boot */
};

#define SERIN_DIRECTIVE_EMERGENCY   1u /* ignore spread and windows */
#define SERIN_DIRECTIVE_FLAGS_KNOWN 1u

#define SERIN_DIRECTIVE_FEATURES_KNOWN 0u

struct serin_directive {
    uint32_t required_features; /* an unknown bit refuses the directive: SERIN_ERR_FEATURE */
    char product[SERIN_PRODUCT_MAX + 1];
    char channel[SERIN_CHANNEL_MAX + 1];
    char device_id[SERIN_ID_MAX + 1]; /* "" on a channel's directive; else it is targeted */
    struct serin_order order;         /* sequence ≥ 1 */
    uint64_t issued_s;                /* Unix seconds, ≤ SERIN_TIME_MAX_S: signed time */
    uint32_t lease_s;                 /* 60 .. 30 days */
    uint32_t flags;                   /* SERIN_DIRECTIVE_* */
    struct serin_release stable;
    struct serin_release candidate;
    enum serin_candidate_state candidate_state;
    uint8_t salt[SERIN_SALT_SIZE];
    uint64_t threshold;         /* members: rank ≤ threshold */
    uint32_t spread_s;          /* 0 .. 86400: devices start within this time, by their rank */
    uint32_t site_failures_max; /* above it a gateway halts its site; 0: no limit; 0 if targeted */
    bool has_route_table;
    uint8_t route_table[SERIN_SHA256_SIZE];
};

/* The end of the year 9999: sums of times cannot wrap. */
#define SERIN_TIME_MAX_S   UINT64_C(253402300799)
#define SERIN_SPREAD_MAX_S 86400u
#define SERIN_LEASE_MIN_S  60u
#define SERIN_LEASE_MAX_S  (30u * 86400u)

/* ---- report ---- */

#define SERIN_REPORT_TRANSITIONS_MAX 16u
#define SERIN_REPORT_ATTEMPTS_MAX    2u
#define SERIN_REPORT_MAC_MAX         32u

struct serin_transition {
    enum serin_state state;
    enum serin_reason reason;
    uint64_t time_s;    /* Unix seconds; 0 where the device knows no time */
    uint64_t uptime_ms; /* since the boot in which it happened */
    uint32_t detail;    /* reason-specific: tries left, piece index, exit status */
};

struct serin_attempt_report {
    uint8_t manifest_id[SERIN_SHA256_SIZE];
    uint32_t attempt;             /* ≥ 1 */
    struct serin_order order;     /* of the directive that started it */
    bool targeted;                /* that directive was the device's own */
    struct serin_version version; /* of the manifest; 0.0.0 before it was read */
    uint64_t bytes_fetched;       /* block payload received for it, all boots */
    uint32_t pieces_refetched;    /* pieces that failed their hash and were fetched again */
    size_t transition_count;      /* 1 .. SERIN_REPORT_TRANSITIONS_MAX, oldest first */
    struct serin_transition transitions[SERIN_REPORT_TRANSITIONS_MAX];
};

struct serin_running {
    uint8_t manifest_id[SERIN_SHA256_SIZE]; /* all zero: a factory image without a manifest */
    struct serin_version version;
    uint32_t security_counter; /* of what runs */
    uint32_t floor;            /* committed */
    uint8_t slot;              /* 1 = A, 2 = B */
};

struct serin_report {
    char device_id[SERIN_ID_MAX + 1];
    char product[SERIN_PRODUCT_MAX + 1];
    char channel[SERIN_CHANNEL_MAX + 1];
    uint16_t hardware;
    uint64_t incarnation; /* random, chosen when the device's store is first made; never 0 */
    uint64_t number;      /* ≥ 1, grows by one with each change of the report */
    struct serin_running running;
    size_t attempt_count; /* 1 .. SERIN_REPORT_ATTEMPTS_MAX; the current one last */
    struct serin_attempt_report attempts[SERIN_REPORT_ATTEMPTS_MAX];
    /* Room for a per-device MAC over the encoded body; gateways relay it unchanged. */
    uint32_t mac_type; /* 0: none */
    size_t mac_size;
    uint8_t mac[SERIN_REPORT_MAC_MAX];
};

/* ---- ack ---- */

enum serin_ack_status {
    SERIN_ACK_INVALID = 0,
    SERIN_ACK_STORED = 1,  /* `number` is committed */
    SERIN_ACK_RESEND = 2,  /* something is missing: send the latest report now */
    SERIN_ACK_REFUSED = 3, /* the device is not enrolled and may not be; try again after retry_s */
    SERIN_ACK_PENDING = 4  /* enrolment waits for approval; try again after retry_s */
};

struct serin_ack {
    uint64_t incarnation;
    uint64_t number;
    enum serin_ack_status status;
    uint32_t retry_s; /* 0 .. 86400 */
};

/* ---- beat ---- */

enum serin_redundancy {
    SERIN_REDUNDANCY_INVALID = 0,
    SERIN_REDUNDANCY_NONE = 1,    /* only the running slot boots */
    SERIN_REDUNDANCY_OLDER = 2,   /* the other slot holds an older image at or above the floor */
    SERIN_REDUNDANCY_MIRRORED = 3 /* both slots hold the running image */
};

#define SERIN_BEAT_COUNTERS_MAX 8u

/* Health counters: 1..63 are Serin's, 64.. the application's own. All only grow within one boot of
 * the device. */
enum serin_counter_id {
    SERIN_COUNTER_INVALID = 0,
    SERIN_COUNTER_BOOTS = 1,
    SERIN_COUNTER_CRASHES = 2,
    SERIN_COUNTER_WATCHDOGS = 3,
    SERIN_COUNTER_ERRORS = 4,
    SERIN_COUNTER_RECONNECTS = 5,
    SERIN_COUNTER_REFUSED_DIRECTIVES = 6,
    SERIN_COUNTER_APPLICATION = 64
};

struct serin_counter {
    uint32_t id; /* ≥ 1, distinct */
    uint64_t value;
};

struct serin_beat {
    char device_id[SERIN_ID_MAX + 1];
    char product[SERIN_PRODUCT_MAX + 1];
    char channel[SERIN_CHANNEL_MAX + 1];
    uint16_t hardware;
    uint64_t incarnation;
    uint64_t last_number; /* of its last report; 0: none yet */
    uint64_t acked_number;
    struct serin_running running;
    uint64_t uptime_s;
    enum serin_redundancy redundancy;
    struct serin_order channel_order; /* highest accepted on the channel's topic */
    struct serin_order own_order;     /* highest accepted on its own */
    uint32_t interval_s;              /* when to expect the next; 1 .. 604800 */
    /* Of the last refused directive, so that an operator sees why a device does not follow; NONE
     * if none. */
    enum serin_reason refused;
    uint8_t
        takes; /* the patches that it decodes: SERIN_TAKES_* (route.h); other bits mean nothing */
    size_t counter_count;
    struct serin_counter counters[SERIN_BEAT_COUNTERS_MAX];
};

/* ---- blocks ---- */

struct serin_get {
    uint8_t object[SERIN_SHA256_SIZE];
    uint32_t offset;     /* bytes */
    uint32_t length;     /* bytes wanted: the window; ≥ 1, clipped by the server to its limit */
    uint32_t block_size; /* SERIN_BLOCK_DATA_MIN .. SERIN_BLOCK_DATA_MAX */
    uint32_t token;      /* of this request, ≠ 0, different from the last */
    uint32_t done_token; /* of the last request: its window is received or given up; 0: none */
};

enum serin_block_status {
    SERIN_BLOCK_INVALID = 0,
    SERIN_BLOCK_DATA = 1,      /* `data` at `offset` */
    SERIN_BLOCK_BUSY = 2,      /* ask again after retry_ms */
    SERIN_BLOCK_NOT_FOUND = 3, /* not here; ask again after retry_ms (it may be on its way) */
    SERIN_BLOCK_RANGE = 4,     /* the request starts at or past the end, which is object_size */
    SERIN_BLOCK_REFUSED = 5    /* not allowed (halted, not offered) */
};

struct serin_block {
    uint32_t token; /* of the request that it answers */
    enum serin_block_status status;
    uint32_t offset;
    uint32_t object_size; /* of the whole object; 0 where unknown */
    uint32_t window_end;  /* where the answer ends: no block of this token goes past it */
    uint32_t crc32;       /* of `data` */
    uint32_t retry_ms;    /* 0 .. 3,600,000 */
    const uint8_t *data;  /* points into the payload; NULL unless DATA */
    size_t data_size;     /* 1 .. SERIN_BLOCK_DATA_MAX for DATA, else 0 */
};

/* ---- hold (local to a site) and presence ---- */

struct serin_hold {
    bool held;
    uint32_t lease_left_s;
    /* The largest signed time that the gateway knows plus its monotonic clock; unsigned, so it
     * only delays. ≤ SERIN_TIME_MAX_S. */
    uint64_t time_s;
    enum serin_reason reason;
};

struct serin_presence {
    bool online;
    uint64_t time_s;
};

#endif
