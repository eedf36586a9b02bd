/*
 * The fleet store port: what serind keeps (docs/spec/store.md). adapters/lmdb provides it; a store
 * on PostgreSQL will.
 *
 * Everything happens inside a transaction. Reads inside a write transaction see its writes. Records
 * are plain values; how they are encoded is the adapter's affair. Commit makes all of it durable or
 * nothing.
 */
#ifndef SERIN_ORCHESTRATOR_STORE_H
#define SERIN_ORCHESTRATOR_STORE_H

#include <serin/orchestrator/engine.h>
#include <serin/orchestrator/ledger.h>
#include <serin/orchestrator/signed_time.h>
#include <serin/site.h>

enum serin_enrolment {
    SERIN_ENROLMENT_INVALID = 0,
    SERIN_ENROLMENT_PENDING = 1, /* waits for approval */
    SERIN_ENROLMENT_ENROLLED = 2,
    SERIN_ENROLMENT_REFUSED = 3
};

struct serin_device_record {
    char id[SERIN_ID_MAX + 1];
    char product[SERIN_PRODUCT_MAX + 1];
    char channel[SERIN_CHANNEL_MAX + 1];
    uint16_t hardware;
    enum serin_enrolment enrolment;
    struct serin_report_cursor cursor;
    struct serin_running running;
    enum serin_redundancy redundancy;
    struct serin_order channel_order, own_order;
    enum serin_reason refused;
    uint64_t first_seen_s, last_report_s, last_beat_s;
    uint32_t beat_interval_s;
    bool online; /* presence: shown, never a gate */
    size_t counter_count;
    struct serin_counter counters[SERIN_BEAT_COUNTERS_MAX];
    /* The latest attempt, so that a list of devices needs one read each. */
    struct serin_attempt_record last_attempt; /* attempt 0: none */
    char gateway[SERIN_ID_MAX + 1];           /* who speaks for it; "": it does so itself */
    /* What it had said itself when an operator gave it to a gateway: none of that, coming late,
     * makes it direct again. Incarnation 0: nothing. */
    struct serin_report_cursor own;
    /* What its beats came to when the record was written; `beats` 0: it never beat, or the record
     * is of a version that kept nothing of it. */
    struct serin_health health;
    uint8_t takes; /* the patches that it decodes, by its last beat: SERIN_TAKES_* (route.h) */
};

/* What an operator has to say about a gateway. */
enum serin_gateway_standing {
    SERIN_GATEWAY_STANDING_INVALID = 0,
    SERIN_GATEWAY_KNOWN = 1,  /* it speaks for the nodes that are assigned to it */
    SERIN_GATEWAY_REFUSED = 2 /* nothing of it is heard */
};

/* A gateway. Which devices are its nodes is in their records, and counted from these. */
struct serin_gateway_record {
    char id[SERIN_ID_MAX + 1];
    enum serin_gateway_standing standing;
    uint64_t first_seen_s, last_heard_s; /* server's clock */
    uint64_t incarnation;                /* of its store; 0: no batch yet */
    uint64_t batch;                      /* highest number of a batch of it */
    uint64_t batches_lost;               /* numbers that never came, of every incarnation */
    /* Claims: it spoke for a device that is not its own. */
    uint64_t claims;
    uint64_t last_claim_s;               /* 0: none */
    char last_claimed[SERIN_ID_MAX + 1]; /* "": none */
    uint64_t status_s;                   /* when `status` came; 0: never, and there is none */
    struct serin_gw_status status;
};

/* A release that serind knows: a verified manifest whose objects are in the depot. */
struct serin_release_record {
    uint8_t manifest_id[SERIN_SHA256_SIZE];
    struct serin_manifest manifest;
    uint64_t published_s;
    uint32_t last_attempt; /* highest attempt number given out for it */
};

/* What everyone on a product and channel gets. */
struct serin_stable_record {
    char product[SERIN_PRODUCT_MAX + 1];
    char channel[SERIN_CHANNEL_MAX + 1];
    struct serin_release release; /* offer_count 0: none yet */
};

/* The directive last published on a topic, byte for byte, and its order. */
struct serin_directive_record {
    char topic[160];
    struct serin_order order;
    uint64_t issued_s;
    uint32_t lease_s;
    size_t payload_size;
    uint8_t payload[SERIN_DIRECTIVE_MAX];
};

struct serin_meta_record {
    struct serin_order order; /* highest given out */
    uint64_t next_rollout_id;
    /* How far the audit log is surely written: the last line's place and hash. 0: no line yet. It
     * may lag behind the log, and never leads it. */
    uint64_t audit_seq;
    uint8_t audit_hash[SERIN_SHA256_SIZE];
    uint32_t trust_version;
    /* Signed time as it stood at the last commit; all zero: the record is of a version that kept
     * nothing of it, or nothing was signed. */
    struct serin_signed_mark signed_mark;
};

/* One member of one rollout; the key is (rollout, device). */
struct serin_member_record {
    uint64_t rollout_id;
    char device_id[SERIN_ID_MAX + 1];
    struct serin_member member;
};

struct serin_store_ops {
    /* One transaction at a time per store. SERIN_ERR_IO, SERIN_ERR_NO_SPACE. */
    enum serin_error (*begin)(void *ctx, bool write);
    /* SERIN_ERR_NO_SPACE (disk or map full), SERIN_ERR_IO: nothing was stored and the transaction
     * is over. */
    enum serin_error (*commit)(void *ctx);
    void (*abort)(void *ctx);

    /* get: SERIN_ERR_NOT_FOUND, SERIN_ERR_FORMAT (damaged record). put: SERIN_ERR_NO_SPACE,
     * SERIN_ERR_IO. */
    enum serin_error (*get_meta)(void *ctx, struct serin_meta_record *out);
    enum serin_error (*put_meta)(void *ctx, const struct serin_meta_record *record);
    enum serin_error (*get_device)(void *ctx, const char *id, struct serin_device_record *out);
    enum serin_error (*put_device)(void *ctx, const struct serin_device_record *record);
    enum serin_error (*get_attempt)(void *ctx, const char *device_id, const uint8_t manifest_id[32],
                                    uint32_t attempt, struct serin_attempt_record *out);
    enum serin_error (*put_attempt)(void *ctx, const char *device_id,
                                    const struct serin_attempt_record *record);
    /* SERIN_ERR_NOT_FOUND: there is none, and the transaction goes on. */
    enum serin_error (*delete_attempt)(void *ctx, const char *device_id,
                                       const uint8_t manifest_id[32], uint32_t attempt);
    enum serin_error (*get_release)(void *ctx, const uint8_t manifest_id[32],
                                    struct serin_release_record *out);
    enum serin_error (*put_release)(void *ctx, const struct serin_release_record *record);
    enum serin_error (*get_stable)(void *ctx, const char *product, const char *channel,
                                   struct serin_stable_record *out);
    enum serin_error (*put_stable)(void *ctx, const struct serin_stable_record *record);
    enum serin_error (*get_rollout)(void *ctx, uint64_t id, struct serin_rollout *out);
    enum serin_error (*put_rollout)(void *ctx, const struct serin_rollout *rollout);
    enum serin_error (*put_member)(void *ctx, const struct serin_member_record *record);
    enum serin_error (*get_gateway)(void *ctx, const char *id, struct serin_gateway_record *out);
    enum serin_error (*put_gateway)(void *ctx, const struct serin_gateway_record *record);
    enum serin_error (*get_directive)(void *ctx, const char *topic,
                                      struct serin_directive_record *out);
    enum serin_error (*put_directive)(void *ctx, const struct serin_directive_record *record);
    enum serin_error (*get_trust)(void *ctx, const char *product, uint8_t *record, size_t capacity,
                                  size_t *size);
    enum serin_error (*put_trust)(void *ctx, const char *product, const uint8_t *record,
                                  size_t size);

    /* The walks below visit every sound record; where they met damaged ones they then return
     * SERIN_ERR_FORMAT. A visitor must not write.
     * Walks in key order, starting after `after` (NULL: from the start), until the visitor returns
     * false. */
    enum serin_error (*each_device)(void *ctx, const char *after,
                                    bool (*visit)(void *arg,
                                                  const struct serin_device_record *record),
                                    void *arg);
    enum serin_error (*each_attempt)(void *ctx, const char *device_id,
                                     bool (*visit)(void *arg,
                                                   const struct serin_attempt_record *record),
                                     void *arg);
    enum serin_error (*each_release)(
        void *ctx, bool (*visit)(void *arg, const struct serin_release_record *record), void *arg);
    enum serin_error (*each_rollout)(void *ctx,
                                     bool (*visit)(void *arg, const struct serin_rollout *rollout),
                                     void *arg);
    enum serin_error (*each_member)(void *ctx, uint64_t rollout_id,
                                    bool (*visit)(void *arg,
                                                  const struct serin_member_record *record),
                                    void *arg);
    enum serin_error (*each_stable)(
        void *ctx, bool (*visit)(void *arg, const struct serin_stable_record *record), void *arg);
    enum serin_error (*each_gateway)(
        void *ctx, bool (*visit)(void *arg, const struct serin_gateway_record *record), void *arg);
    enum serin_error (*each_directive)(void *ctx,
                                       bool (*visit)(void *arg,
                                                     const struct serin_directive_record *record),
                                       void *arg);
    enum serin_error (*each_trust)(void *ctx,
                                   bool (*visit)(void *arg, const uint8_t *record, size_t size),
                                   void *arg);
    /* As each_device, for one product and channel only: a range scan. */
    enum serin_error (*each_fleet_device)(
        void *ctx, const char *product, const char *channel, const char *after,
        bool (*visit)(void *arg, const struct serin_device_record *record), void *arg);
    /* Bytes that the records take up, inside a transaction: what can be full. Cheap. */
    enum serin_error (*used_bytes)(void *ctx, uint64_t *used);
};

struct serin_store {
    const struct serin_store_ops *ops;
    void *ctx;
};

#endif
