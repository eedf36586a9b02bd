/* Signed time, leases, and the site's own halt, from the directives held and what nodes did with
 * them (serin/gateway/hold.h). */
#include "words_internal.h"

#include <serin/adapters/log.h>

#include <string.h>

/* ---- time ---- */

enum serin_error words_hold_open(struct gateway *gateway)
{
    struct gateway_words *words = gateway->words;
    const struct serin_gateway_meta *meta = &gateway->meta;
    serin_hold_init(&words->book);
    for (size_t i = 0; i < gateway->config->fleet_count; i++) {
        enum serin_error error = serin_hold_serve(&words->book, gateway->config->fleets[i].product,
                                                  gateway->config->fleets[i].channel);
        if (error != SERIN_OK) {
            return error;
        }
    }
    /* Of another boot only what was known then is known now: how long the machine was off is not.
     */
    bool same_boot = memcmp(meta->boot_id, gateway->boot_id, sizeof meta->boot_id) == 0 &&
                     meta->signed_at_ms <= gateway->mono_ms;
    serin_hold_heard(&words->book, meta->signed_s,
                     same_boot ? meta->signed_at_ms : gateway->mono_ms);
    return SERIN_OK;
}

uint64_t gateway_words_signed_s(const struct gateway *gateway)
{
    return gateway->words == NULL ? 0 : serin_hold_now_s(&gateway->words->book, gateway->mono_ms);
}

/* Signed time as the store is to know it, in whole seconds so that none is lost. */
static void keep_time(struct gateway *gateway)
{
    struct gateway_words *words = gateway->words;
    struct serin_gateway_meta *meta = &gateway->meta;
    words->time_ms = gateway->mono_ms + WORDS_TIME_MS;
    if (words->book.signed_s == 0) {
        return;
    }
    meta->signed_s = serin_hold_now_s(&words->book, gateway->mono_ms);
    meta->signed_at_ms = words->book.signed_at_ms + (meta->signed_s - words->book.signed_s) * 1000u;
    memcpy(meta->boot_id, gateway->boot_id, sizeof meta->boot_id);
    gateway_meta_changed(gateway);
}

/* ---- failures ---- */

/* Nodes that failed a candidate. What they say of themselves since then changes nothing: a
 * manifest's id belongs to one product. */
static uint32_t count_failures(const struct gateway_words *words,
                               const struct serin_release *candidate)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < words->relay.nodes_max && candidate->offer_count > 0; i++) {
        const struct words_node *node = &words->nodes[i];
        bool failed =
            node->failed_attempt != 0 &&
            serin_hold_same_attempt(candidate, node->failed_manifest, node->failed_attempt);
        count += failed ? 1u : 0u;
    }
    return count;
}

/* Whether an attempt is one at a candidate that is held; of `product` alone where not NULL. */
static bool at_stake(const struct gateway_words *words, const char *product,
                     const uint8_t manifest_id[SERIN_SHA256_SIZE], uint32_t attempt)
{
    for (size_t i = 0; i < words->book.fleet_count; i++) {
        const struct serin_hold_fleet *fleet = &words->book.fleets[i];
        if ((product == NULL || strcmp(fleet->product, product) == 0) &&
            serin_hold_same_attempt(&fleet->candidate, manifest_id, attempt)) {
            return true;
        }
    }
    return false;
}

/* Counts anew, and says so where the site halts itself. */
static void recount(struct gateway *gateway)
{
    struct gateway_words *words = gateway->words;
    for (size_t i = 0; i < words->book.fleet_count; i++) {
        struct serin_hold_fleet *fleet = &words->book.fleets[i];
        bool was = fleet->halted;
        const struct serin_hold_event event = {.kind = SERIN_HOLD_FAILURES,
                                               .fleet = i,
                                               .failures =
                                                   count_failures(words, &fleet->candidate)};
        serin_hold_step(&words->book, gateway->mono_ms, &event);
        if (fleet->halted && !was) {
            serin_log(SERIN_LOG_ERROR,
                      "the site halts itself product=%s channel=%s failures=%u failures_max=%u",
                      fleet->product, fleet->channel, fleet->failures, fleet->failures_max);
        }
    }
}

void words_failed(struct gateway *gateway, uint32_t index,
                  const uint8_t manifest_id[SERIN_SHA256_SIZE], uint32_t attempt,
                  enum serin_reason reason)
{
    struct gateway_words *words = gateway->words;
    struct words_node *node = &words->nodes[index];
    bool known = node->failed_attempt == attempt &&
                 memcmp(node->failed_manifest, manifest_id, SERIN_SHA256_SIZE) == 0;
    bool counts = at_stake(words, node->product, manifest_id, attempt);
    /* One failure is kept of a node: that of a candidate, where there is one. */
    if (known || (!counts && words->relay_nodes[index].keep)) {
        return;
    }
    memcpy(node->failed_manifest, manifest_id, SERIN_SHA256_SIZE);
    node->failed_attempt = attempt;
    node->failed_reason = reason;
    words->relay_nodes[index].keep = counts;
    words_dirty(words, index);
    serin_log(SERIN_LOG_INFO, "an attempt went wrong node=%s attempt=%u reason=%s candidate=%s",
              words->relay_nodes[index].id, attempt, serin_reason_word(reason),
              counts ? "yes" : "no");
    if (counts) {
        recount(gateway);
    }
}

/* ---- directives ---- */

static bool take_order(void *arg, const struct gateway_order *order)
{
    struct gateway *gateway = arg;
    struct gateway_words *words = gateway->words;
    const struct serin_directive *directive = &order->directive;
    const struct serin_hold_event event = {
        .kind = SERIN_HOLD_DIRECTIVE,
        .directive = directive,
        .this_boot = order->this_boot,
        .taken_ms = order->taken_ms,
        .failures =
            directive->device_id[0] == '\0' ? count_failures(words, &directive->candidate) : 0};
    serin_hold_step(&words->book, gateway->mono_ms, &event);
    return true;
}

void words_orders(struct gateway *gateway)
{
    struct gateway_words *words = gateway->words;
    if (!words->orders_changed) {
        return;
    }
    words->orders_changed = false;
    gateway_orders_each(gateway, take_order, gateway);
    for (uint32_t i = 0; i < words->relay.nodes_max; i++) {
        const struct words_node *node = &words->nodes[i];
        words->relay_nodes[i].keep =
            node->failed_attempt != 0 &&
            at_stake(words, NULL, node->failed_manifest, node->failed_attempt);
    }
    keep_time(gateway);
}

void gateway_words_orders_changed(struct gateway *gateway)
{
    if (gateway->words != NULL) {
        gateway->words->orders_changed = true;
        words_orders(gateway);
    }
}

bool gateway_words_halted(const struct gateway *gateway, const char *product, const char *channel)
{
    const struct gateway_words *words = gateway->words;
    if (words == NULL) {
        return false;
    }
    size_t fleet = serin_hold_find(&words->book, product, channel);
    return fleet < words->book.fleet_count && words->book.fleets[fleet].halted;
}

/* ---- hold/<product> ---- */

static void publish(struct gateway *gateway, size_t index)
{
    struct gateway_words *words = gateway->words;
    const struct serin_hold_product *product = &words->book.products[index];
    struct serin_topic topic = {.kind = SERIN_TOPIC_HOLD};
    struct serin_hold hold;
    uint8_t payload[SERIN_HOLD_MAX];
    size_t size = 0;
    memcpy(topic.product, product->name, sizeof topic.product);
    serin_hold_value(&words->book, gateway->mono_ms, index, &hold);
    enum serin_error error = gateway->codec->encode_hold(&hold, payload, sizeof payload, &size);
    if (error == SERIN_OK) {
        error = gateway_publish_site(gateway, &topic, payload, size);
    }
    if (error != SERIN_OK) {
        words->site_retry_ms = gateway->mono_ms + WORDS_LINK_RETRY_MS;
        return;
    }
    serin_log(SERIN_LOG_DEBUG, "hold told product=%s held=%s reason=%s lease_left_s=%u",
              product->name, hold.held ? "yes" : "no", serin_reason_word(hold.reason),
              hold.lease_left_s);
    serin_hold_told(&words->book, gateway->mono_ms, index);
}

void words_hold_tick(struct gateway *gateway)
{
    static const struct serin_hold_event time = {.kind = SERIN_HOLD_TIME};
    struct gateway_words *words = gateway->words;
    serin_hold_step(&words->book, gateway->mono_ms, &time);
    if (gateway->mono_ms >= words->time_ms) {
        keep_time(gateway);
    }
    if (!gateway->site_connected || gateway->mono_ms < words->site_retry_ms) {
        return;
    }
    for (size_t i = 0; i < words->book.product_count; i++) {
        if (words->book.products[i].owed) {
            publish(gateway, i);
        }
    }
}

uint64_t words_hold_deadline_ms(const struct gateway *gateway)
{
    const struct gateway_words *words = gateway->words;
    uint64_t deadline_ms = serin_hold_deadline_ms(&words->book);
    for (size_t i = 0; i < words->book.product_count; i++) {
        if (words->book.products[i].owed && gateway->site_connected &&
            words->site_retry_ms < deadline_ms) {
            deadline_ms = words->site_retry_ms;
        }
    }
    return words->time_ms < deadline_ms ? words->time_ms : deadline_ms;
}

/* ---- the status ---- */

void gateway_words_status(const struct gateway *gateway, struct serin_gw_status *status)
{
    const struct gateway_words *words = gateway->words;
    status->nodes = words->relay.node_count;
    status->nodes_online = words->relay.online_count;
    status->queued = words->relay.queued;
    status->queue_oldest_s = serin_relay_oldest_ms(&words->relay, gateway->mono_ms) / 1000u;
    status->time_s = gateway_words_signed_s(gateway);
    for (size_t i = 0; i < status->fleet_count; i++) {
        struct serin_gw_fleet *fleet = &status->fleets[i];
        size_t at = serin_hold_find(&words->book, fleet->product, fleet->channel);
        if (at < words->book.fleet_count) {
            serin_hold_status(&words->book, gateway->mono_ms, at, fleet);
        }
    }
}
