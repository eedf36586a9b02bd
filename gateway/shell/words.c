/* What nodes say and what the site may start: the frame of it (words_internal.h). */
#include "words_internal.h"

#include <serin/adapters/log.h>

#include <stdlib.h>

bool words_say(const struct gateway *gateway, uint64_t *said_ms)
{
    if (*said_ms != 0 && gateway->mono_ms - *said_ms < WORDS_SAY_EVERY_MS) {
        return false;
    }
    *said_ms = gateway->mono_ms;
    return true;
}

/* ---- open and close ---- */

static uint32_t buckets_for(uint32_t nodes_max)
{
    uint32_t count = 16;
    while (count < nodes_max) {
        count *= 2;
    }
    return count;
}

static enum serin_error make(struct gateway *gateway)
{
    const uint32_t nodes_max = gateway->config->nodes_max;
    const struct serin_relay_config config = {.batch_delay_ms = gateway->config->batch_delay_ms,
                                              .resend_ms = gateway->config->resend_ms,
                                              .beat_ms = gateway->config->beat_s * 1000u};
    struct gateway_words *words = calloc(1, sizeof *words);
    if (words == NULL) {
        return SERIN_ERR_MEMORY;
    }
    gateway->words = words;
    uint32_t bucket_count = buckets_for(nodes_max);
    size_t batch_count = serin_sent_batches_for(nodes_max);
    words->nodes = calloc(nodes_max, sizeof *words->nodes);
    words->relay_nodes = calloc(nodes_max, sizeof *words->relay_nodes);
    words->buckets = calloc(bucket_count, sizeof *words->buckets);
    words->dirty = calloc(nodes_max, sizeof *words->dirty);
    words->gone = calloc(WORDS_STORE_BATCH, sizeof *words->gone);
    words->sent_batches = calloc(batch_count, sizeof *words->sent_batches);
    if (words->nodes == NULL || words->relay_nodes == NULL || words->buckets == NULL ||
        words->dirty == NULL || words->gone == NULL || words->sent_batches == NULL) {
        return SERIN_ERR_MEMORY;
    }
    serin_relay_init(&words->relay, &config, words->relay_nodes, nodes_max, words->buckets,
                     bucket_count);
    serin_sent_init(&words->sent, words->sent_batches, batch_count);
    return SERIN_OK;
}

enum serin_error gateway_words_open(struct gateway *gateway)
{
    enum serin_error error = make(gateway);
    if (error == SERIN_OK) {
        error = words_hold_open(gateway);
    }
    if (error == SERIN_OK) {
        error = words_load(gateway);
    }
    if (error != SERIN_OK) {
        return gateway_fail(gateway, error, "nodes: %s", serin_error_text(error));
    }
    gateway->words->orders_changed = true;
    words_orders(gateway);
    return SERIN_OK;
}

void gateway_words_close(struct gateway *gateway)
{
    struct gateway_words *words = gateway->words;
    if (words == NULL) {
        return;
    }
    if (words->dirty_count > 0 || words->gone_count > 0) {
        words->store_retry_ms = 0;
        words_flush(gateway);
    }
    for (uint32_t i = 0; words->nodes != NULL && i < gateway->config->nodes_max; i++) {
        words_node_clear(&words->nodes[i]);
    }
    free(words->nodes);
    free(words->relay_nodes);
    free(words->buckets);
    free(words->dirty);
    free(words->gone);
    free(words->sent_batches);
    free(words);
    gateway->words = NULL;
}

/* ---- the loop's turn ---- */

void gateway_words_tick(struct gateway *gateway)
{
    words_orders(gateway);
    words_hold_tick(gateway);
    words_flush(gateway);
    words_send(gateway);
    words_acks_down(gateway);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t gateway_words_deadline_ms(const struct gateway *gateway)
{
    struct gateway_words *words = gateway->words;
    uint64_t deadline_ms = words_hold_deadline_ms(gateway);
    if (words->dirty_count > 0 || words->gone_count > 0) {
        deadline_ms = sooner(deadline_ms, words->store_retry_ms);
    }
    if (words->acks_owed > 0 && gateway->site_connected) {
        deadline_ms = sooner(deadline_ms, words->site_retry_ms);
    }
    uint64_t up_ms = serin_relay_deadline_ms(&words->relay, gateway->mono_ms);
    return sooner(deadline_ms, later(up_ms, words->up_retry_ms));
}

/* ---- the links ---- */

void gateway_words_up(struct gateway *gateway, bool connected)
{
    gateway->words->up_retry_ms = 0;
    serin_relay_link(&gateway->words->relay, connected, gateway->mono_ms);
}

void gateway_words_delivered(struct gateway *gateway, int token)
{
    serin_relay_delivered(&gateway->words->relay, token);
}

bool gateway_words_waiting(const struct gateway *gateway)
{
    return gateway->words != NULL && serin_relay_waiting(&gateway->words->relay, gateway->mono_ms);
}

/* The site's broker tells anew who is there; what it no longer knows of is gone. */
void gateway_words_site_connected(struct gateway *gateway)
{
    struct gateway_words *words = gateway->words;
    words->site_retry_ms = 0;
    for (uint32_t i = 0; i < words->relay.nodes_max; i++) {
        struct words_node *node = &words->nodes[i];
        struct serin_presence away = {.online = false, .time_s = gateway_words_signed_s(gateway)};
        if (words->relay_nodes[i].id[0] == '\0' || !words->relay_nodes[i].online) {
            continue;
        }
        if (gateway->codec->encode_presence(&away, node->presence, sizeof node->presence,
                                            &node->presence_size) == SERIN_OK) {
            (void)serin_relay_presence(&words->relay, i, false, gateway->mono_ms);
        }
    }
    const struct serin_hold_event event = {.kind = SERIN_HOLD_CONNECTED};
    words_orders(gateway);
    serin_hold_step(&words->book, gateway->mono_ms, &event);
    words_hold_tick(gateway);
}

/* ---- the status ---- */

void gateway_words_each_node(struct gateway *gateway,
                             bool (*visit)(void *arg, const struct serin_node_record *node,
                                           bool online),
                             void *arg)
{
    struct gateway_words *words = gateway->words;
    for (uint32_t i = 0; i < words->relay.nodes_max; i++) {
        if (words->relay_nodes[i].id[0] == '\0') {
            continue;
        }
        words_record(words, i, &words->record);
        if (!visit(arg, &words->record, words->relay_nodes[i].online)) {
            return;
        }
    }
}
