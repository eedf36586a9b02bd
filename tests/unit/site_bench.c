/* Gateways on the bench for the shell of serind. */
#include "site_bench.h"

#include <shell/batches.h>

#include <serin/adapters/protobufc.h>
#include <serin/adapters/zlib.h>
#include <serin/crc32.h>

#include <stdio.h>
#include <string.h>

/* What serind was told last, so that its word for a batch can be read. */
#define HEARD_MAX 64u
static struct {
    char gateway[SERIN_ID_MAX + 1];
    struct serin_batch_ack ack;
    size_t count;
    char reports[SERIN_BATCH_ITEMS_MAX][SERIN_ID_MAX + 1];
} heard[HEARD_MAX];
static size_t heard_count;

static void remember(const char *gateway, const struct site_batch *batch,
                     const struct site_payload *payload, uint64_t number)
{
    size_t at = heard_count++ % HEARD_MAX;
    snprintf(heard[at].gateway, sizeof heard[at].gateway, "%s", gateway);
    heard[at].ack = (struct serin_batch_ack){
        .incarnation = 9, .number = number, .crc32 = serin_crc32(0, payload->bytes, payload->size)};
    heard[at].count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct serin_batch_item *item = &batch->items.list[i];
        if (item->kind == SERIN_BATCH_REPORT) {
            memcpy(heard[at].reports[heard[at].count++], item->node, sizeof item->node);
        }
    }
}

/* Whether the word is for a batch of the gateway that holds a report of the node. */
static bool answers(const struct serin_batch_ack *ack, const char *gateway, const char *node)
{
    for (size_t i = 0; i < heard_count && i < HEARD_MAX; i++) {
        if (heard[i].ack.number != ack->number || heard[i].ack.crc32 != ack->crc32 ||
            heard[i].ack.incarnation != ack->incarnation ||
            strcmp(heard[i].gateway, gateway) != 0) {
            continue;
        }
        for (size_t j = 0; j < heard[i].count; j++) {
            if (strcmp(heard[i].reports[j], node) == 0) {
                return true;
            }
        }
    }
    return false;
}

void site_bench_open(struct serind_bench *bench, enum serin_enrolment_policy adoption)
{
    serind_bench_open(bench);
    bench->config.adoption = adoption;
    bench->config.devices_max = bench->serind.index.limit = 5000;
    serind_bench_release(bench, 2);
}

void site_report_directly(struct serind_bench *bench, const char *id, uint64_t number)
{
    struct serin_report report = serind_bench_report(id, number, 2, 1, SERIN_STATE_PENDING, 0);
    serind_bench_take_report(bench, &report);
}

struct site_batch *site_batch_new(void)
{
    static struct site_batch batch;
    batch.count = 0;
    return &batch;
}

static uint8_t *next(struct site_batch *batch, const char *node, enum serin_batch_kind kind)
{
    ck_assert_uint_lt(batch->count, SERIN_BATCH_ITEMS_MAX);
    struct serin_batch_item *item = &batch->items.list[batch->count];
    *item = (struct serin_batch_item){.kind = kind};
    snprintf(item->node, sizeof item->node, "%s", node);
    item->payload = batch->payloads[batch->count];
    return batch->payloads[batch->count];
}

static void done(struct site_batch *batch, size_t size)
{
    batch->items.list[batch->count].payload_size = size;
    batch->items.count = ++batch->count;
}

void site_batch_report(struct site_batch *batch, const char *node,
                       const struct serin_report *report)
{
    size_t size = 0;
    uint8_t *place = next(batch, node, SERIN_BATCH_REPORT);
    ck_assert_int_eq(serin_protobufc()->encode_report(report, place, SERIN_REPORT_MAX, &size),
                     SERIN_OK);
    done(batch, size);
}

void site_batch_beat(struct site_batch *batch, const char *node, const struct serin_beat *beat)
{
    size_t size = 0;
    uint8_t *place = next(batch, node, SERIN_BATCH_BEAT);
    ck_assert_int_eq(serin_protobufc()->encode_beat(beat, place, SERIN_REPORT_MAX, &size),
                     SERIN_OK);
    done(batch, size);
}

void site_batch_presence(struct site_batch *batch, const char *node, bool online)
{
    const struct serin_presence value = {.online = online, .time_s = 1};
    size_t size = 0;
    uint8_t *place = next(batch, node, SERIN_BATCH_PRESENCE);
    ck_assert_int_eq(serin_protobufc()->encode_presence(&value, place, SERIN_REPORT_MAX, &size),
                     SERIN_OK);
    done(batch, size);
}

void site_batch_first(struct site_batch *batch, const char *node, uint64_t number)
{
    struct serin_report report = serind_bench_report(node, number, 2, 1, SERIN_STATE_PENDING, 0);
    site_batch_report(batch, node, &report);
}

const struct site_payload *site_batch_encode(const struct site_batch *batch,
                                             enum serin_batch_encoding encoding, uint64_t number)
{
    static uint8_t plain[SERIN_BATCH_PLAIN_MAX];
    static uint8_t deflated[SERIN_BATCH_PLAIN_MAX];
    static struct site_payload payload;
    struct serin_batch outer = {.incarnation = 9, .number = number, .encoding = encoding};
    size_t size = 0;
    ck_assert_int_eq(
        serin_protobufc_site()->encode_batch_items(&batch->items, plain, sizeof plain, &size),
        SERIN_OK);
    outer.plain_size = (uint32_t)size;
    outer.items = plain;
    outer.items_size = size;
    if (encoding == SERIN_BATCH_DEFLATE) {
        size_t small = 0;
        if (serin_deflate(plain, size, deflated, size, &small) == SERIN_OK && small < size) {
            outer.items = deflated;
            outer.items_size = small;
        } else {
            outer.encoding = SERIN_BATCH_PLAIN; /* there was nothing to gain */
        }
    }
    ck_assert_int_eq(serin_protobufc_site()->encode_batch(&outer, payload.bytes,
                                                          sizeof payload.bytes, &payload.size),
                     SERIN_OK);
    return &payload;
}

void site_batch_hear(struct serind_bench *bench, const char *gateway,
                     const struct site_batch *batch, uint64_t number)
{
    const struct site_payload *payload = site_batch_encode(batch, SERIN_BATCH_DEFLATE, number);
    ck_assert_int_eq(serind_batch_heard(&bench->serind, 0, gateway, payload->bytes, payload->size),
                     SERIN_OK);
    remember(gateway, batch, payload, number);
}

void site_batch_take(struct serind_bench *bench, const char *gateway,
                     const struct site_batch *batch, uint64_t number)
{
    site_batch_hear(bench, gateway, batch, number);
    serind_bench_turn(bench);
}

void site_take_first(struct serind_bench *bench, const char *gateway, const char *node,
                     uint64_t number)
{
    struct site_batch *batch = site_batch_new();
    site_batch_first(batch, node, number);
    site_batch_take(bench, gateway, batch, number);
}

/* ---- questions ---- */

static enum serin_ack_status direct_ack(const struct serind_bench_sent *sent, const char *node)
{
    char topic[SERIN_TOPIC_MAX];
    struct serin_ack ack;
    serin_topic_device(SERIN_TOPIC_DEV_ACK, node, topic);
    if (strcmp(sent->topic, topic) != 0) {
        return SERIN_ACK_INVALID;
    }
    ck_assert_int_eq(serin_protobufc()->decode_ack(sent->payload, sent->size, &ack), SERIN_OK);
    return ack.status;
}

static enum serin_ack_status batched_ack(const struct serind_bench_sent *sent, const char *gateway,
                                         const char *node)
{
    char topic[SERIN_TOPIC_MAX];
    static struct serin_ack_batch batch;
    enum serin_ack_status status = SERIN_ACK_INVALID;
    serin_topic_device(SERIN_TOPIC_GW_ACKS, gateway, topic);
    if (strcmp(sent->topic, topic) != 0) {
        return status;
    }
    ck_assert_int_eq(serin_protobufc_site()->decode_ack_batch(sent->payload, sent->size, &batch),
                     SERIN_OK);
    for (size_t i = 0; i < batch.batch_count; i++) {
        if (answers(&batch.batches[i], gateway, node)) {
            status = SERIN_ACK_STORED;
        }
    }
    for (size_t i = 0; i < batch.count; i++) {
        if (strcmp(batch.list[i].node, node) == 0) {
            status = batch.list[i].ack.status;
        }
    }
    return status;
}

enum serin_ack_status site_acked(const struct serind_bench *bench, const char *gateway,
                                 const char *node)
{
    enum serin_ack_status last = SERIN_ACK_INVALID;
    for (unsigned i = 0; i < bench->sent_count && i < SERIND_BENCH_SENT_MAX; i++) {
        const struct serind_bench_sent *sent = &bench->sent[i];
        enum serin_ack_status status =
            gateway == NULL ? direct_ack(sent, node) : batched_ack(sent, gateway, node);
        last = status != SERIN_ACK_INVALID ? status : last;
    }
    return last;
}

static bool record_of(struct serind_bench *bench, const char *id,
                      struct serin_device_record *record)
{
    struct serin_store *store = &bench->serind.store;
    ck_assert_int_eq(store->ops->begin(store->ctx, false), SERIN_OK);
    enum serin_error error = store->ops->get_device(store->ctx, id, record);
    store->ops->abort(store->ctx);
    ck_assert(error == SERIN_OK || error == SERIN_ERR_NOT_FOUND);
    return error == SERIN_OK;
}

const char *site_of(struct serind_bench *bench, const char *id)
{
    static struct serin_device_record record;
    return record_of(bench, id, &record) ? record.gateway : "?";
}

enum serin_enrolment site_enrolment(struct serind_bench *bench, const char *id)
{
    struct serin_device_record record;
    return record_of(bench, id, &record) ? record.enrolment : SERIN_ENROLMENT_INVALID;
}

uint32_t site_number(const struct serind_bench *bench, const char *id)
{
    uint32_t device = serind_index_find(&bench->serind.index, id);
    ck_assert_uint_ne(device, SERIND_NO_DEVICE);
    return bench->serind.index.list[device].site;
}

uint64_t site_account(struct serind_bench *bench, const char *id)
{
    struct serin_device_record record;
    return record_of(bench, id, &record) ? record.cursor.number : 0;
}

/* ---- operators ---- */

enum serin_error site_move(struct serind_bench *bench, const char *id, const char *to)
{
    struct serin_device_record record;
    struct serind_refusal refusal = {.line = 0};
    ck_assert_int_eq(serind_pass_begin(&bench->serind), SERIN_OK);
    enum serin_error error = serind_enrol_move(&bench->serind, id, to, &record, &refusal);
    if (error == SERIN_OK) {
        ck_assert_int_eq(serind_pass_end(&bench->serind), SERIN_OK);
    } else {
        ck_assert_uint_ne(strlen(refusal.message), 0);
        serind_pass_cancel(&bench->serind);
    }
    return error;
}

void site_decide(struct serind_bench *bench, const char *gateway,
                 enum serin_gateway_standing standing)
{
    struct serind *serind = &bench->serind;
    ck_assert_int_eq(serind_pass_begin(serind), SERIN_OK);
    serind_site_decide(serind, serind_sites_find(serind, gateway), standing);
    ck_assert_int_eq(serind_pass_end(serind), SERIN_OK);
}
