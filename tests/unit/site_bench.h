/* Gateways on the bench for the shell of serind: batches as a gateway makes them, and what goes
 * back to it. */
#ifndef SITE_BENCH_H
#define SITE_BENCH_H

#include "serind_bench.h"

/* A bench with release 2 and room for many devices; enrolment is auto. */
void site_bench_open(struct serind_bench *bench, enum serin_enrolment_policy adoption);
/* A report of a device itself. */
void site_report_directly(struct serind_bench *bench, const char *id, uint64_t number);

/* A batch that is being made. */
struct site_batch {
    size_t count;
    struct serin_batch_items items;
    uint8_t payloads[SERIN_BATCH_ITEMS_MAX][SERIN_REPORT_MAX];
};

/* One batch at a time, empty. */
struct site_batch *site_batch_new(void);
void site_batch_report(struct site_batch *batch, const char *node,
                       const struct serin_report *report);
void site_batch_beat(struct site_batch *batch, const char *node, const struct serin_beat *beat);
void site_batch_presence(struct site_batch *batch, const char *node, bool online);
/* A plain first report of a node, as the bench makes it. */
void site_batch_first(struct site_batch *batch, const char *node, uint64_t number);

/* The batch as payload. */
struct site_payload {
    size_t size;
    uint8_t bytes[SERIN_BATCH_MAX];
};
const struct site_payload *site_batch_encode(const struct site_batch *batch,
                                             enum serin_batch_encoding encoding, uint64_t number);

/* Says it to serind, deflated, without a turn; and with one. */
void site_batch_hear(struct serind_bench *bench, const char *gateway,
                     const struct site_batch *batch, uint64_t number);
void site_batch_take(struct serind_bench *bench, const char *gateway,
                     const struct site_batch *batch, uint64_t number);
/* A batch of one report of the node, and a turn. */
void site_take_first(struct serind_bench *bench, const char *gateway, const char *node,
                     uint64_t number);

/* The status that serind last gave the node on `topic`'s way: through the gateway, or (NULL) to
 * itself. INVALID: none since bench->sent_count was set to 0. */
enum serin_ack_status site_acked(const struct serind_bench *bench, const char *gateway,
                                 const char *node);

/* The gateway of a device by the store, "?" where the store has no such device. */
const char *site_of(struct serind_bench *bench, const char *id);
enum serin_enrolment site_enrolment(struct serind_bench *bench, const char *id);
/* The number of its last report that is stored. */
uint64_t site_account(struct serind_bench *bench, const char *id);
/* Its site by the index. */
uint32_t site_number(const struct serind_bench *bench, const char *id);

/* An operator's move; its error. */
enum serin_error site_move(struct serind_bench *bench, const char *id, const char *to);
void site_decide(struct serind_bench *bench, const char *gateway,
                 enum serin_gateway_standing standing);

#endif
