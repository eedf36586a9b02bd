/* Batches up, acks down (docs/spec/batch.md, sections 1 and 2). */
#include "words_internal.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>
#include <serin/adapters/zlib.h>
#include <serin/assert.h>
#include <serin/crc32.h>

#include <stdlib.h>
#include <string.h>

/* Bytes of an item beside its node and its payload: tags, lengths, kind. */
#define ITEM_FRAME 16u

/* ---- batches ---- */

static bool fill_item(struct gateway_words *words, const struct serin_relay_item *picked,
                      struct serin_batch_item *item)
{
    const struct words_node *node = &words->nodes[picked->node];
    memcpy(item->node, words->relay_nodes[picked->node].id, sizeof item->node);
    item->kind = picked->kind;
    switch (picked->kind) {
    case SERIN_BATCH_REPORT:
        item->payload = node->report;
        item->payload_size = node->report_size;
        break;
    case SERIN_BATCH_BEAT:
        item->payload = node->beat;
        item->payload_size = node->beat_size;
        break;
    case SERIN_BATCH_PRESENCE:
        item->payload = node->presence;
        item->payload_size = node->presence_size;
        break;
    case SERIN_BATCH_KIND_INVALID:
        return false;
    }
    return item->payload_size > 0;
}

/* Takes what was picked as items, as far as their bytes fit. */
static size_t fill_items(struct gateway_words *words, size_t picked)
{
    size_t bytes = 0, count = 0;
    while (count < picked && fill_item(words, &words->picked[count], &words->items.list[count])) {
        const struct serin_batch_item *item = &words->items.list[count];
        bytes += ITEM_FRAME + strlen(item->node) + item->payload_size;
        if (bytes > SERIN_BATCH_PLAIN_MAX) {
            break;
        }
        count++;
    }
    return count;
}

/* Encodes the first `count` items into words->payload. SERIN_ERR_NO_SPACE or SERIN_ERR_TOO_LARGE:
 * fewer may fit. */
static enum serin_error encode(struct gateway *gateway, size_t count, size_t *size)
{
    struct gateway_words *words = gateway->words;
    size_t plain_size = 0, packed_size = 0;
    words->items.count = count;
    enum serin_error error = gateway->site_codec->encode_batch_items(
        &words->items, words->plain, sizeof words->plain, &plain_size);
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_batch batch = {.incarnation = gateway->meta.incarnation,
                                .number = gateway->meta.batch_number,
                                .encoding = SERIN_BATCH_PLAIN,
                                .plain_size = (uint32_t)plain_size,
                                .items = words->plain,
                                .items_size = plain_size};
    size_t room = plain_size - 1 < SERIN_BATCH_MAX ? plain_size - 1 : SERIN_BATCH_MAX;
    if (room > 0 &&
        serin_deflate(words->plain, plain_size, words->packed, room, &packed_size) == SERIN_OK) {
        batch.encoding = SERIN_BATCH_DEFLATE;
        batch.items = words->packed;
        batch.items_size = packed_size;
    }
    return gateway->site_codec->encode_batch(&batch, words->payload, sizeof words->payload, size);
}

/* The number of a batch is durable before it leaves, so that none is given out twice. A store that
 * is full does not hold it up: serind counts gaps, and lets a report through whatever its batch. */
static void number_batch(struct gateway *gateway)
{
    const struct serin_gateway_store *store = &gateway->store;
    gateway->meta.batch_number++;
    if (gateway->mono_ms < gateway->words->store_retry_ms ||
        store->ops->begin(store->ctx, true) != SERIN_OK) {
        gateway_meta_changed(gateway);
        return;
    }
    enum serin_error error = store->ops->put_meta(store->ctx, &gateway->meta);
    if (error != SERIN_OK) {
        store->ops->abort(store->ctx);
    } else {
        error = store->ops->commit(store->ctx);
    }
    if (error != SERIN_OK) {
        serin_log(SERIN_LOG_WARN, "the number of a batch is not stored number=%llu: %s",
                  (unsigned long long)gateway->meta.batch_number, serin_error_text(error));
        gateway_meta_changed(gateway);
    }
}

/* Beats are kept while they wait. */
static void forget_sent(struct gateway_words *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (words->picked[i].kind == SERIN_BATCH_BEAT) {
            struct words_node *node = &words->nodes[words->picked[i].node];
            free(node->beat);
            node->beat = NULL;
            node->beat_size = 0;
        }
    }
}

/* Sends one batch of what the relay picked. False: not now. */
static bool send_batch(struct gateway *gateway)
{
    struct gateway_words *words = gateway->words;
    size_t picked = serin_relay_pick(&words->relay, gateway->mono_ms, words->picked);
    size_t count = fill_items(words, picked), size = 0;
    SERIN_ASSERT(picked > 0 && count > 0); /* what the relay picks, nodes have said */
    number_batch(gateway);
    enum serin_error error = encode(gateway, count, &size);
    while (count > 1 && (error == SERIN_ERR_TOO_LARGE || error == SERIN_ERR_NO_SPACE)) {
        count /= 2;
        error = encode(gateway, count, &size);
    }
    int token = 0;
    if (error == SERIN_OK) {
        SERIN_FAULT_POINT("gateway.batch.before");
        error = gateway_publish_up(gateway, SERIN_TOPIC_GW_REPORTS, words->payload, size, &token);
    }
    if (error != SERIN_OK) {
        gateway->meta.batch_number--;
        words->up_retry_ms = gateway->mono_ms + WORDS_LINK_RETRY_MS;
        if (error != SERIN_ERR_AGAIN && words_say(gateway, &words->malformed_said_ms)) {
            serin_log(SERIN_LOG_ERROR, "a batch cannot be sent items=%zu: %s", count,
                      serin_error_text(error));
        }
        return false;
    }
    SERIN_FAULT_POINT("gateway.batch.sent");
    serin_sent_note(&words->sent, &words->relay, words->picked, count, gateway->meta.batch_number,
                    serin_crc32(0, words->payload, size));
    serin_relay_left(&words->relay, words->picked, count, token, gateway->mono_ms);
    forget_sent(words, count);
    serin_log(SERIN_LOG_DEBUG, "batch sent number=%llu items=%zu bytes=%zu",
              (unsigned long long)gateway->meta.batch_number, count, size);
    return true;
}

void words_send(struct gateway *gateway)
{
    struct gateway_words *words = gateway->words;
    while (gateway->mono_ms >= words->up_retry_ms &&
           serin_relay_ready(&words->relay, gateway->mono_ms) && send_batch(gateway)) {
    }
}

/* ---- acks ---- */

/* Hands an ack to its node, as it came. False: the broker has no room, or is away. */
static bool ack_down(struct gateway *gateway, const char *id, const struct serin_ack *ack)
{
    struct serin_topic topic = {.kind = SERIN_TOPIC_DEV_ACK};
    uint8_t payload[SERIN_ACK_MAX];
    size_t size = 0;
    memcpy(topic.id, id, strlen(id) + 1);
    enum serin_error error = gateway->codec->encode_ack(ack, payload, sizeof payload, &size);
    if (error != SERIN_OK) {
        return true; /* nothing that waiting would mend */
    }
    return gateway_publish_site(gateway, &topic, payload, size) != SERIN_ERR_AGAIN;
}

static void take_ack(struct gateway *gateway, uint32_t index, const struct serin_ack *ack)
{
    struct gateway_words *words = gateway->words;
    struct words_node *node = &words->nodes[index];
    bool down = ack_down(gateway, words->relay_nodes[index].id, ack);
    words->acks_owed -= node->ack_owed ? 1u : 0u;
    node->ack_owed = !down;
    node->ack = *ack;
    words->acks_owed += node->ack_owed ? 1u : 0u;
    if (node->standing != ack->status && ack->status != SERIN_ACK_RESEND) {
        node->standing = ack->status;
        words_dirty(words, index);
    }
    if (serin_relay_ack(&words->relay, index, ack, gateway->mono_ms)) {
        words_report_drop(node);
        words_dirty(words, index);
    }
}

/* An ack for each report of a batch. One that is not known (of before a restart, of another store,
 * answered already) is for nothing of ours: what still waits goes up again. */
static void take_batch(struct gateway *gateway, const struct serin_batch_ack *ack)
{
    struct gateway_words *words = gateway->words;
    const struct serin_sent_batch *batch = NULL;
    if (ack->incarnation == gateway->meta.incarnation) {
        batch = serin_sent_take(&words->sent, ack->number, ack->crc32);
    }
    if (batch == NULL) {
        serin_log(SERIN_LOG_DEBUG, "an ack is for no batch that is known number=%llu",
                  (unsigned long long)ack->number);
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct serin_sent_report *report = &batch->reports[i];
        const struct serin_ack stored = {.incarnation = report->incarnation,
                                         .number = report->number,
                                         .status = SERIN_ACK_STORED};
        if (report->node != SERIN_RELAY_NONE) {
            take_ack(gateway, report->node, &stored);
        }
    }
}

static void take_item(struct gateway *gateway, const struct serin_ack_item *item)
{
    uint32_t index = serin_relay_find(&gateway->words->relay, item->node);
    if (index == SERIN_RELAY_NONE) {
        serin_log(SERIN_LOG_DEBUG, "an ack is for no node of ours node=%s", item->node);
        return;
    }
    take_ack(gateway, index, &item->ack);
}

void gateway_words_acks(struct gateway *gateway, const uint8_t *payload, size_t size)
{
    struct gateway_words *words = gateway->words;
    enum serin_error error = gateway->site_codec->decode_ack_batch(payload, size, &words->acks);
    SERIN_FAULT_POINT("gateway.ack.heard");
    if (error != SERIN_OK) {
        serin_log(SERIN_LOG_WARN, "acks refused: %s", serin_error_text(error));
        return;
    }
    for (size_t i = 0; i < words->acks.batch_count; i++) {
        take_batch(gateway, &words->acks.batches[i]);
    }
    for (size_t i = 0; i < words->acks.count; i++) {
        take_item(gateway, &words->acks.list[i]);
    }
}

void words_acks_down(struct gateway *gateway)
{
    struct gateway_words *words = gateway->words;
    if (words->acks_owed == 0 || !gateway->site_connected ||
        gateway->mono_ms < words->site_retry_ms) {
        return;
    }
    for (uint32_t i = 0; i < words->relay.nodes_max && words->acks_owed > 0; i++) {
        struct words_node *node = &words->nodes[i];
        if (!node->ack_owed) {
            continue;
        }
        if (!ack_down(gateway, words->relay_nodes[i].id, &node->ack)) {
            words->site_retry_ms = gateway->mono_ms + WORDS_LINK_RETRY_MS;
            return;
        }
        node->ack_owed = false;
        words->acks_owed--;
    }
}
