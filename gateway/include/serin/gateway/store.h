/*
 * The gateway's store port: what outlives a restart of serin-gateway (docs/spec/site.md, section
 * 6). adapters/lmdb provides it (serin/adapters/gateway_store.h).
 *
 * Everything happens inside a transaction, one at a time; reads inside a write transaction see its
 * writes. Records are plain values; how they are encoded is the adapter's affair. Commit makes all
 * of it durable or nothing.
 */
#ifndef SERIN_GATEWAY_STORE_H
#define SERIN_GATEWAY_STORE_H

#include <serin/site.h>

#define SERIN_BOOT_ID_SIZE 16u /* names one boot of the machine */

struct serin_gateway_meta {
    uint64_t incarnation;  /* random, chosen when the store is made; never 0 */
    uint64_t batch_number; /* of the last batch sent */
    uint64_t queue_number; /* of the last report queued */
    /* Signed time: `signed_s` was known at `signed_at_ms` of the monotonic clock of boot
     * `boot_id`. */
    uint64_t signed_s, signed_at_ms;
    uint8_t boot_id[SERIN_BOOT_ID_SIZE];
    /* Counters over all starts (serin/site.h, struct serin_gw_status). */
    uint64_t fetched_bytes, refetched_bytes, uplink_sent, uplink_got, uplink_messages, transitions;
    uint32_t rotten;
    /* Block payload given to nodes, over all starts; and the plugin's own counter as it was heard
     * last, which begins anew with each start of the site's broker. */
    uint64_t served_bytes, served_heard;
};

/* One node, from its first message on. */
struct serin_node_record {
    char id[SERIN_ID_MAX + 1];
    char product[SERIN_PRODUCT_MAX + 1];
    char channel[SERIN_CHANNEL_MAX + 1];
    uint16_t hardware;
    uint64_t first_seen_s, last_seen_s; /* signed time; 0 where none was known */
    enum serin_ack_status standing;     /* of the cloud's last ack for it; INVALID: none yet */
    /* Its account: of its latest report, and what the cloud acknowledged. */
    uint64_t incarnation, number, acked_number;
    uint32_t transitions; /* of the latest report, counted into the meta record */
    /* The attempt at which it failed last, for the site's own halt; attempt 0: none. */
    uint8_t failed_manifest[SERIN_SHA256_SIZE];
    uint32_t failed_attempt;
    enum serin_reason failed_reason;
    /* The attempt that it confirmed last, so that another image that runs afterwards is seen to be
     * a failure of it; attempt 0: none. */
    uint8_t confirmed_manifest[SERIN_SHA256_SIZE];
    uint32_t confirmed_attempt;
    /* The latest report as it came, until the cloud acknowledges it. */
    uint64_t queue_number; /* its place in the queue; 0: nothing waits */
    uint64_t queued_s;     /* signed time when it came */
    size_t report_size;
    uint8_t report[SERIN_REPORT_MAX];
};

/* A directive or trust record as it came, under its topic. */
struct serin_order_record {
    char topic[160];
    uint64_t taken_at_ms; /* of the monotonic clock of boot `boot_id` */
    uint8_t boot_id[SERIN_BOOT_ID_SIZE];
    size_t payload_size;
    uint8_t payload[SERIN_TRUST_PAYLOAD_MAX];
};

struct serin_gateway_store_ops {
    /* SERIN_ERR_IO, SERIN_ERR_NO_SPACE. */
    enum serin_error (*begin)(void *ctx, bool write);
    /* SERIN_ERR_NO_SPACE (disk or map full), SERIN_ERR_IO: nothing was stored; the transaction is
     * over. */
    enum serin_error (*commit)(void *ctx);
    void (*abort)(void *ctx);

    /* get: SERIN_ERR_NOT_FOUND, SERIN_ERR_FORMAT (damaged). put: SERIN_ERR_NO_SPACE, SERIN_ERR_IO.
     */
    enum serin_error (*get_meta)(void *ctx, struct serin_gateway_meta *out);
    enum serin_error (*put_meta)(void *ctx, const struct serin_gateway_meta *record);
    enum serin_error (*get_node)(void *ctx, const char *id, struct serin_node_record *out);
    enum serin_error (*put_node)(void *ctx, const struct serin_node_record *record);
    enum serin_error (*delete_node)(void *ctx, const char *id);
    enum serin_error (*get_order)(void *ctx, const char *topic, struct serin_order_record *out);
    enum serin_error (*put_order)(void *ctx, const struct serin_order_record *record);

    /* Walks visit every sound record in the order of keys until the visitor returns false; where
     * they met damaged ones they then return SERIN_ERR_FORMAT. A visitor must not write. */
    enum serin_error (*each_node)(void *ctx,
                                  bool (*visit)(void *arg, const struct serin_node_record *record),
                                  void *arg);
    enum serin_error (*each_order)(
        void *ctx, bool (*visit)(void *arg, const struct serin_order_record *record), void *arg);
};

struct serin_gateway_store {
    const struct serin_gateway_store_ops *ops;
    void *ctx;
};

#endif
