/* Nodes and their reports in the store: loaded at the start, one commit a turn from then on. */
#include "words_internal.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>

#include <stdlib.h>
#include <string.h>

/* ---- loading ---- */

struct loading {
    struct gateway *gateway;
    uint64_t now_s;
    size_t left_out;
    enum serin_error error;
};

static bool load_report(struct gateway *gateway, uint32_t index,
                        const struct serin_node_record *record, uint64_t now_s)
{
    struct gateway_words *words = gateway->words;
    struct words_node *node = &words->nodes[index];
    if (record->report_size == 0) {
        return true;
    }
    node->report = malloc(record->report_size);
    if (node->report == NULL) {
        return false;
    }
    memcpy(node->report, record->report, record->report_size);
    node->report_size = record->report_size;
    node->queued_s = record->queued_s;
    uint64_t waited_s =
        record->queued_s != 0 && now_s > record->queued_s ? now_s - record->queued_s : 0;
    serin_relay_restore(&words->relay, index, record->queue_number, waited_s * 1000u,
                        (uint32_t)record->report_size, gateway->mono_ms);
    return true;
}

static bool load_node(void *arg, const struct serin_node_record *record)
{
    struct loading *loading = arg;
    struct gateway_words *words = loading->gateway->words;
    size_t length = strlen(record->id);
    uint32_t index = serin_id_valid(record->id, length) ? serin_relay_add(&words->relay, record->id)
                                                        : SERIN_RELAY_NONE;
    if (index == SERIN_RELAY_NONE) {
        loading->left_out++; /* it comes back with its next message, if there is room */
        return true;
    }
    struct serin_relay_node *at = &words->relay_nodes[index];
    struct words_node *node = &words->nodes[index];
    at->seen_s = record->last_seen_s;
    at->incarnation = record->incarnation;
    at->number = record->number;
    at->acked_number = record->acked_number;
    memcpy(node->product, record->product, sizeof node->product);
    memcpy(node->channel, record->channel, sizeof node->channel);
    node->hardware = record->hardware;
    node->standing = record->standing;
    node->transitions = record->transitions;
    node->first_seen_s = record->first_seen_s;
    node->stored_seen_s = record->last_seen_s;
    memcpy(node->failed_manifest, record->failed_manifest, sizeof node->failed_manifest);
    node->failed_attempt = record->failed_attempt;
    node->failed_reason = record->failed_reason;
    memcpy(node->confirmed_manifest, record->confirmed_manifest, sizeof node->confirmed_manifest);
    node->confirmed_attempt = record->confirmed_attempt;
    gateway_follow_node(loading->gateway, record->id);
    if (!load_report(loading->gateway, index, record, loading->now_s)) {
        loading->error = SERIN_ERR_MEMORY;
        return false;
    }
    return true;
}

enum serin_error words_load(struct gateway *gateway)
{
    struct loading loading = {.gateway = gateway, .now_s = gateway_words_signed_s(gateway)};
    const struct serin_gateway_store *store = &gateway->store;
    gateway->words->relay.queue_number = gateway->meta.queue_number;
    enum serin_error error = store->ops->begin(store->ctx, false);
    if (error != SERIN_OK) {
        return error;
    }
    error = store->ops->each_node(store->ctx, load_node, &loading);
    store->ops->abort(store->ctx);
    if (error == SERIN_ERR_FORMAT) {
        serin_log(SERIN_LOG_WARN, "records of nodes are damaged: they come back with their next "
                                  "reports");
        error = SERIN_OK;
    }
    if (loading.left_out > 0) {
        serin_log(SERIN_LOG_WARN, "no room for nodes of the store nodes_max=%u left_out=%zu",
                  gateway->config->nodes_max, loading.left_out);
    }
    serin_log(SERIN_LOG_INFO, "nodes of the store nodes=%u queued=%u",
              gateway->words->relay.node_count, gateway->words->relay.queued);
    return error != SERIN_OK ? error : loading.error;
}

/* ---- storing ---- */

void words_dirty(struct gateway_words *words, uint32_t node)
{
    if (!words->nodes[node].dirty) {
        words->nodes[node].dirty = true;
        words->dirty[words->dirty_count++] = node;
    }
}

void words_gone(struct gateway *gateway, const char *id)
{
    struct gateway_words *words = gateway->words;
    if (words->gone_count == WORDS_STORE_BATCH) {
        return; /* the store takes nothing: the record is overwritten, or left out at a start */
    }
    memcpy(words->gone[words->gone_count++], id, strlen(id) + 1);
}

void words_record(const struct gateway_words *words, uint32_t index, struct serin_node_record *out)
{
    const struct serin_relay_node *at = &words->relay_nodes[index];
    const struct words_node *node = &words->nodes[index];
    memset(out, 0, offsetof(struct serin_node_record, report));
    memcpy(out->id, at->id, sizeof out->id);
    memcpy(out->product, node->product, sizeof out->product);
    memcpy(out->channel, node->channel, sizeof out->channel);
    out->hardware = node->hardware;
    out->first_seen_s = node->first_seen_s;
    out->last_seen_s = at->seen_s;
    out->standing = node->standing;
    out->incarnation = at->incarnation;
    out->number = at->number;
    out->acked_number = at->acked_number;
    out->transitions = node->transitions;
    memcpy(out->failed_manifest, node->failed_manifest, sizeof out->failed_manifest);
    out->failed_attempt = node->failed_attempt;
    out->failed_reason = node->failed_reason;
    memcpy(out->confirmed_manifest, node->confirmed_manifest, sizeof out->confirmed_manifest);
    out->confirmed_attempt = node->confirmed_attempt;
    if (at->state == SERIN_RELAY_IDLE || node->report == NULL) {
        return;
    }
    out->queue_number = at->queue_number;
    out->queued_s = node->queued_s;
    out->report_size = node->report_size;
    memcpy(out->report, node->report, node->report_size);
}

/* Puts the last `count` of what has changed, what is gone, and the numbers, in one transaction. */
static enum serin_error commit(struct gateway *gateway, size_t count)
{
    struct gateway_words *words = gateway->words;
    const struct serin_gateway_store_ops *ops = gateway->store.ops;
    void *ctx = gateway->store.ctx;
    enum serin_error error = ops->begin(ctx, true);
    if (error != SERIN_OK) {
        return error;
    }
    for (size_t i = 0; i < words->gone_count; i++) {
        (void)ops->delete_node(ctx, words->gone[i]); /* other failures come back from commit */
    }
    for (size_t i = 0; i < count && error == SERIN_OK; i++) {
        words_record(words, words->dirty[words->dirty_count - 1 - i], &words->record);
        error = ops->put_node(ctx, &words->record);
    }
    gateway->meta.queue_number = words->relay.queue_number;
    if (error == SERIN_OK) {
        error = ops->put_meta(ctx, &gateway->meta);
    }
    if (error != SERIN_OK) {
        ops->abort(ctx);
        return error;
    }
    SERIN_FAULT_POINT("gateway.report.before_commit");
    error = ops->commit(ctx);
    SERIN_FAULT_POINT("gateway.report.after_commit");
    return error;
}

/* The store takes nothing. A node keeps its account until serind has it, so its report goes up from
 * memory: a full disk must not make a site dumb. It is tried again. */
static void store_failed(struct gateway *gateway, enum serin_error error)
{
    struct gateway_words *words = gateway->words;
    words->store_retry_ms = gateway->mono_ms + WORDS_STORE_RETRY_MS;
    if (words_say(gateway, &words->store_said_ms)) {
        serin_log(SERIN_LOG_ERROR,
                  "the store takes nothing, reports go up from memory nodes=%zu: %s",
                  words->dirty_count, serin_error_text(error));
    }
}

static void let_go(struct gateway_words *words)
{
    for (size_t i = 0; i < words->dirty_count; i++) {
        serin_relay_stored(&words->relay, words->dirty[i]);
    }
}

void words_flush(struct gateway *gateway)
{
    struct gateway_words *words = gateway->words;
    while (words->dirty_count > 0 || words->gone_count > 0) {
        if (gateway->mono_ms < words->store_retry_ms) {
            let_go(words);
            return;
        }
        size_t count =
            words->dirty_count < WORDS_STORE_BATCH ? words->dirty_count : WORDS_STORE_BATCH;
        enum serin_error error = commit(gateway, count);
        if (error != SERIN_OK) {
            store_failed(gateway, error);
            continue;
        }
        words->store_retry_ms = 0;
        words->gone_count = 0;
        for (size_t i = 0; i < count; i++) {
            uint32_t index = words->dirty[--words->dirty_count];
            words->nodes[index].dirty = false;
            words->nodes[index].stored_seen_s = words->relay_nodes[index].seen_s;
            serin_relay_stored(&words->relay, index);
        }
    }
}
