/* The gateway's words between links that only remember (words_bench.h). */
#define _GNU_SOURCE
#include "words_bench.h"

#include "check_main.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/zlib.h>
#include <serin/crc32.h>

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench bench;

/* ---- the other files of the shell ---- */

enum serin_error gateway_publish_up(struct gateway *gateway, enum serin_topic_kind kind,
                                    const void *payload, size_t size, int *token)
{
    ck_assert_int_eq(kind, SERIN_TOPIC_GW_REPORTS);
    if (bench.up_says != SERIN_OK || !gateway->up_connected) {
        return bench.up_says != SERIN_OK ? bench.up_says : SERIN_ERR_AGAIN;
    }
    ck_assert_uint_le(size, SERIN_BATCH_MAX);
    ck_assert_uint_lt(bench.up_count, LOTS);
    struct up_message *message = &bench.up[bench.up_count++];
    message->payload = malloc(size);
    ck_assert_ptr_nonnull(message->payload);
    memcpy(message->payload, payload, size);
    message->size = size;
    message->token = *token = ++bench.tokens;
    gateway->meta.uplink_messages++;
    return SERIN_OK;
}

enum serin_error gateway_publish_site(struct gateway *gateway, const struct serin_topic *topic,
                                      const void *payload, size_t size)
{
    if (bench.site_says != SERIN_OK || !gateway->site_connected) {
        return bench.site_says != SERIN_OK ? bench.site_says : SERIN_ERR_AGAIN;
    }
    ck_assert_uint_lt(bench.site_count, LOTS);
    struct site_message *message = &bench.site[bench.site_count++];
    ck_assert_uint_le(size, sizeof message->payload);
    message->topic = *topic;
    memcpy(message->payload, payload, size);
    message->size = size;
    return SERIN_OK;
}

void gateway_follow_node(struct gateway *gateway, const char *node)
{
    (void)gateway, (void)node;
    bench.followed++;
}

void gateway_forget_node(struct gateway *gateway, const char *node)
{
    (void)gateway, (void)node;
    bench.forgotten++;
}

void gateway_orders_each(const struct gateway *gateway,
                         bool (*visit)(void *arg, const struct gateway_order *order), void *arg)
{
    (void)gateway;
    for (size_t i = 0; i < bench.order_count && visit(arg, &bench.orders[i]); i++) {
    }
}

void gateway_meta_changed(struct gateway *gateway)
{
    (void)gateway;
    bench.meta_changes++;
}

enum serin_error gateway_fail(struct gateway *gateway, enum serin_error error, const char *format,
                              ...)
{
    va_list list;
    va_start(list, format);
    (void)vsnprintf(gateway->why, sizeof gateway->why, format, list);
    va_end(list);
    return error;
}

/* ---- the store, whose commits can fail ---- */

static struct serin_gateway_store real;
static bool writing;

static enum serin_error begin(void *ctx, bool write)
{
    writing = write;
    return real.ops->begin(ctx, write);
}

static enum serin_error commit(void *ctx)
{
    if (writing && bench.store_full) {
        real.ops->abort(ctx);
        return SERIN_ERR_NO_SPACE;
    }
    bench.commits += writing ? 1u : 0u;
    return real.ops->commit(ctx);
}

/* ---- open and close ---- */

void bench_open(void)
{
    static struct serin_gateway_store_ops ops;
    struct gateway *gateway = &bench.gateway;
    ck_assert_int_eq(serin_lmdb_gateway_open(&bench.lmdb, bench.folder, UINT64_C(16) << 20),
                     SERIN_OK);
    real = serin_lmdb_gateway_port(bench.lmdb);
    ops = *real.ops;
    ops.begin = begin;
    ops.commit = commit;
    gateway->store = (struct serin_gateway_store){.ops = &ops, .ctx = real.ctx};
    gateway->config = &bench.config;
    gateway->codec = serin_protobufc();
    gateway->site_codec = serin_protobufc_site();
    gateway->up_connected = gateway->site_connected = false;
    memset(&gateway->meta, 0, sizeof gateway->meta);
    ck_assert_int_eq(begin(real.ctx, true), SERIN_OK);
    if (real.ops->get_meta(real.ctx, &gateway->meta) != SERIN_OK) {
        gateway->meta.incarnation = 4711;
        ck_assert_int_eq(real.ops->put_meta(real.ctx, &gateway->meta), SERIN_OK);
    }
    ck_assert_int_eq(real.ops->commit(real.ctx), SERIN_OK);
    ck_assert_msg(gateway_words_open(gateway) == SERIN_OK, "%s", gateway->why);
}

void bench_close(void)
{
    gateway_words_close(&bench.gateway);
    serin_lmdb_gateway_close(bench.lmdb);
    bench.lmdb = NULL;
}

void bench_setup(void)
{
    memset(&bench, 0, sizeof bench);
    strcpy(bench.folder, "/tmp/serin-words-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(bench.folder));
    bench.config = (struct serin_gateway_config){
        .id = "gw-1",
        .fleet_count = 2,
        .fleets = {{.product = "lamp", .channel = "stable"},
                   {.product = "lamp", .channel = "beta"}},
        .batch_delay_ms = 2000,
        .beat_s = 300,
        .status_s = 60,
        .resend_ms = 30000,
        .nodes_max = 500,
    };
    bench.gateway.mono_ms = 1000000;
    memset(bench.gateway.boot_id, 1, SERIN_BOOT_ID_SIZE);
    bench_open();
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

void bench_teardown(void)
{
    bench_look();
    bench_close();
    nftw(bench.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void bench_restart(void)
{
    bench_close();
    bench_open();
}

/* ---- time and links ---- */

void bench_up(bool connected)
{
    bench.gateway.up_connected = connected;
    gateway_words_up(&bench.gateway, connected);
    bench_pass(0);
}

void bench_site(bool connected)
{
    bench.gateway.site_connected = connected;
    if (connected) {
        gateway_words_site_connected(&bench.gateway);
    }
    bench_pass(0);
}

void bench_pass(uint64_t ms)
{
    struct gateway *gateway = &bench.gateway;
    uint64_t end_ms = gateway->mono_ms + ms;
    for (int turns = 0;; turns++) {
        ck_assert_int_lt(turns, 20000);
        gateway_words_tick(gateway);
        uint64_t next_ms = gateway_words_deadline_ms(gateway);
        ck_assert_msg(next_ms > gateway->mono_ms, "the loop would spin: deadline %llu at %llu",
                      (unsigned long long)next_ms, (unsigned long long)gateway->mono_ms);
        if (next_ms > end_ms) {
            break;
        }
        gateway->mono_ms = next_ms;
    }
    gateway->mono_ms = end_ms;
    gateway_words_tick(gateway);
}

void bench_look(void)
{
    for (size_t i = 0; i < bench.up_count; i++) {
        free(bench.up[i].payload);
    }
    bench.up_count = bench.site_count = 0;
}

/* ---- what is held and what is said ---- */

struct serin_directive bench_directive(uint32_t sequence)
{
    struct serin_directive value;
    memset(&value, 0, sizeof value);
    strcpy(value.product, "lamp");
    strcpy(value.channel, "stable");
    value.order = (struct serin_order){.epoch = 1, .sequence = sequence};
    value.issued_s = T0;
    value.lease_s = 3600;
    value.candidate.offer_count = 1;
    value.candidate.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 9};
    memset(value.candidate.offers[0].manifest_id, 7, SERIN_SHA256_SIZE);
    value.candidate.attempt = 1;
    value.candidate_state = SERIN_CANDIDATE_ROLLING;
    value.site_failures_max = 2;
    return value;
}

void bench_order(const struct serin_directive *directive, bool this_boot)
{
    bench.orders[0] = (struct gateway_order){
        .directive = *directive, .taken_ms = bench.gateway.mono_ms, .this_boot = this_boot};
    bench.order_count = 1;
    gateway_words_orders_changed(&bench.gateway);
    bench_pass(0);
}

struct serin_report bench_report(const char *id, uint64_t number, enum serin_state last)
{
    static const enum serin_state walk[] = {SERIN_STATE_PENDING, SERIN_STATE_DOWNLOADING,
                                            SERIN_STATE_VERIFYING, SERIN_STATE_STAGED,
                                            SERIN_STATE_TRIAL};
    struct serin_report report;
    memset(&report, 0, sizeof report);
    strcpy(report.device_id, id);
    strcpy(report.product, "lamp");
    strcpy(report.channel, "stable");
    report.hardware = 3;
    report.incarnation = 77;
    report.number = number;
    report.running.slot = 1;
    report.running.version.major = 1;
    report.attempt_count = 1;
    struct serin_attempt_report *attempt = &report.attempts[0];
    memset(attempt->manifest_id, 7, SERIN_SHA256_SIZE);
    attempt->attempt = 1;
    attempt->order = (struct serin_order){.epoch = 1, .sequence = 1};
    while (attempt->transition_count < 5 && walk[attempt->transition_count] < last) {
        size_t at = attempt->transition_count++;
        attempt->transitions[at] =
            (struct serin_transition){.state = walk[at], .reason = SERIN_REASON_NONE};
    }
    attempt->transitions[attempt->transition_count++] = (struct serin_transition){
        .state = last, .reason = serin_relay_bad(last) ? SERIN_REASON_CRASH : SERIN_REASON_NONE};
    return report;
}

size_t bench_encode(const struct serin_report *report, uint8_t out[SERIN_REPORT_MAX])
{
    size_t size = 0;
    ck_assert_int_eq(serin_protobufc()->encode_report(report, out, SERIN_REPORT_MAX, &size),
                     SERIN_OK);
    return size;
}

static void tell(enum serin_topic_kind kind, const char *id, const uint8_t *payload, size_t size)
{
    struct serin_topic topic = {.kind = kind};
    strcpy(topic.id, id);
    gateway_words_node(&bench.gateway, &topic, payload, size);
}

void bench_say(const struct serin_report *report)
{
    uint8_t payload[SERIN_REPORT_MAX];
    tell(SERIN_TOPIC_DEV_REPORT, report->device_id, payload, bench_encode(report, payload));
}

void bench_beat(const char *id, uint64_t last_number, uint8_t manifest)
{
    struct serin_beat beat;
    uint8_t payload[SERIN_BEAT_MAX];
    size_t size = 0;
    memset(&beat, 0, sizeof beat);
    strcpy(beat.device_id, id);
    strcpy(beat.product, "lamp");
    strcpy(beat.channel, "stable");
    beat.hardware = 3;
    beat.incarnation = 77;
    beat.last_number = last_number;
    beat.running.slot = 1;
    memset(beat.running.manifest_id, manifest, SERIN_SHA256_SIZE);
    beat.redundancy = SERIN_REDUNDANCY_OLDER;
    beat.interval_s = 3600;
    beat.refused = SERIN_REASON_NONE;
    ck_assert_int_eq(serin_protobufc()->encode_beat(&beat, payload, sizeof payload, &size),
                     SERIN_OK);
    tell(SERIN_TOPIC_DEV_BEAT, id, payload, size);
}

void bench_presence(const char *id, bool online)
{
    const struct serin_presence presence = {.online = online, .time_s = T0};
    uint8_t payload[SERIN_PRESENCE_MAX];
    size_t size = 0;
    ck_assert_int_eq(serin_protobufc()->encode_presence(&presence, payload, sizeof payload, &size),
                     SERIN_OK);
    tell(SERIN_TOPIC_PRESENCE, id, payload, size);
}

void bench_ack_batch(const struct serin_ack_batch *acks)
{
    static uint8_t payload[SERIN_ACK_BATCH_MAX];
    size_t size = 0;
    ck_assert_int_eq(serin_protobufc_site()->encode_ack_batch(acks, payload, sizeof payload, &size),
                     SERIN_OK);
    gateway_words_acks(&bench.gateway, payload, size);
    bench_pass(0);
}

void bench_ack(const char *id, uint64_t number, enum serin_ack_status status, uint32_t retry_s)
{
    static struct serin_ack_batch acks;
    memset(&acks, 0, sizeof acks);
    acks.count = 1;
    strcpy(acks.list[0].node, id);
    acks.list[0].ack = (struct serin_ack){
        .incarnation = 77, .number = number, .status = status, .retry_s = retry_s};
    bench_ack_batch(&acks);
}

struct serin_batch_ack bench_batch_ack(size_t index)
{
    struct serin_batch batch;
    (void)bench_items(index, &batch);
    return (struct serin_batch_ack){
        .incarnation = batch.incarnation,
        .number = batch.number,
        .crc32 = serin_crc32(0, bench.up[index].payload, bench.up[index].size)};
}

void bench_ack_whole(const struct serin_batch_ack *ack)
{
    static struct serin_ack_batch acks;
    memset(&acks, 0, sizeof acks);
    acks.batch_count = 1;
    acks.batches[0] = *ack;
    bench_ack_batch(&acks);
}

/* ---- what was published ---- */

const struct serin_batch_items *bench_items(size_t index, struct serin_batch *batch)
{
    static struct serin_batch_items items;
    static uint8_t plain[SERIN_BATCH_PLAIN_MAX];
    ck_assert_uint_lt(index, bench.up_count);
    const struct serin_site_codec *codec = serin_protobufc_site();
    ck_assert_int_eq(codec->decode_batch(bench.up[index].payload, bench.up[index].size, batch),
                     SERIN_OK);
    if (batch->encoding == SERIN_BATCH_DEFLATE) {
        ck_assert_uint_lt(batch->items_size, batch->plain_size);
        ck_assert_int_eq(serin_inflate(batch->items, batch->items_size, plain, batch->plain_size),
                         SERIN_OK);
    } else {
        ck_assert_uint_eq(batch->items_size, batch->plain_size);
        memcpy(plain, batch->items, batch->items_size);
    }
    ck_assert_int_eq(codec->decode_batch_items(plain, batch->plain_size, &items), SERIN_OK);
    return &items;
}

size_t bench_down(enum serin_topic_kind kind, const char *name, struct site_message *last)
{
    size_t count = 0;
    for (size_t i = 0; i < bench.site_count; i++) {
        const struct serin_topic *topic = &bench.site[i].topic;
        if (topic->kind == kind &&
            strcmp(kind == SERIN_TOPIC_HOLD ? topic->product : topic->id, name) == 0) {
            *last = bench.site[i];
            count++;
        }
    }
    return count;
}

struct serin_hold bench_hold(const char *product)
{
    struct site_message last;
    struct serin_hold hold;
    ck_assert_uint_ge(bench_down(SERIN_TOPIC_HOLD, product, &last), 1);
    ck_assert_int_eq(serin_protobufc()->decode_hold(last.payload, last.size, &hold), SERIN_OK);
    return hold;
}

bool bench_stored(const char *id, struct serin_node_record *out)
{
    ck_assert_int_eq(real.ops->begin(real.ctx, false), SERIN_OK);
    enum serin_error error = real.ops->get_node(real.ctx, id, out);
    real.ops->abort(real.ctx);
    return error == SERIN_OK;
}
