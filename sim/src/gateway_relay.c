/* What nodes of a simulated site say, on its way up, and what serind answers (gateway.h;
 * gateway/shell/words*.c have the rules). */
#include "gateway.h"

#include <serin/crc32.h>

#include <stdlib.h>
#include <string.h>

#define ITEM_FRAME 16u /* bytes of an item beside its node and its payload */

/* Scratch of a batch, of whichever gateway is at work: nothing of it outlives a call. */
static struct serin_relay_item picked[SERIN_BATCH_ITEMS_MAX];
static struct serin_batch_items items;
static struct serin_ack_batch acks;
static uint8_t plain[SERIN_BATCH_PLAIN_MAX];
static uint8_t payload_up[SERIN_BATCH_MAX];

/* ---- the store ---- */

static bool copy_report(struct gateway_account *to, const uint8_t *report, size_t size)
{
    uint8_t *copy = malloc(size);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, report, size);
    free(to->report);
    to->report = copy;
    to->report_size = size;
    return true;
}

static void drop_report(struct gateway_account *account)
{
    free(account->report);
    account->report = NULL;
    account->report_size = 0;
    account->queue_number = 0;
}

static void mark(struct sim_gateway *gateway, uint32_t index)
{
    if (!gateway->nodes[index].dirty) {
        gateway->nodes[index].dirty = true;
        gateway->dirty[gateway->dirty_count++] = index;
    }
    gateway_dirty(gateway);
}

/* A node's place among those of the site, which stand in order. */
static uint32_t place_of(const struct sim_gateway *gateway, const char *id)
{
    const struct sim *sim = gateway->sim;
    const uint32_t *nodes = sim->members + sim->first[gateway->index + 1u];
    uint32_t node = sim_node_index(sim, id);
    uint32_t low = 0, high = gateway->node_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2u;
        if (nodes[middle] < node) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    SERIN_ASSERT(low < gateway->node_count && nodes[low] == node);
    return low;
}

/* The node's account with its report, as the store is to have it. */
static bool save(struct sim_gateway *gateway, uint32_t index)
{
    const struct serin_relay_node *relay = &gateway->relay_nodes[index];
    struct gateway_account *now = &gateway->nodes[index].now;
    struct gateway_account *saved = &gateway->saved.nodes[place_of(gateway, relay->id)];
    uint8_t *kept = saved->report;
    now->incarnation = relay->incarnation;
    now->number = relay->number;
    now->acked_number = relay->acked_number;
    now->queue_number = relay->queue_number;
    *saved = *now;
    saved->known = true;
    saved->report = kept;
    if (relay->state == SERIN_RELAY_IDLE || now->report == NULL) {
        drop_report(saved);
        return true;
    }
    return copy_report(saved, now->report, now->report_size);
}

void gateway_relay_commit(struct sim_gateway *gateway)
{
    for (size_t i = 0; i < gateway->dirty_count; i++) {
        uint32_t index = gateway->dirty[i];
        gateway->nodes[index].dirty = false;
        if (!save(gateway, index)) {
            sim_failed(gateway->sim, SERIN_ERR_MEMORY);
            return;
        }
        serin_relay_stored(&gateway->relay, index);
    }
    gateway->dirty_count = 0;
    gateway->saved.queue_number = gateway->relay.queue_number;
    gateway->saved.batch_number = gateway->batch_number;
}

static void load_node(struct sim_gateway *gateway, uint32_t place)
{
    const struct sim *sim = gateway->sim;
    const struct gateway_account *saved = &gateway->saved.nodes[place];
    char id[SIM_ID_SIZE];
    if (!saved->known) {
        return;
    }
    sim_node_id(sim->members[sim->first[gateway->index + 1u] + place], id);
    uint32_t index = serin_relay_add(&gateway->relay, id);
    SERIN_ASSERT(index != SERIN_RELAY_NONE);
    struct serin_relay_node *relay = &gateway->relay_nodes[index];
    struct gateway_account *now = &gateway->nodes[index].now;
    *now = *saved;
    now->report = NULL;
    relay->incarnation = saved->incarnation;
    relay->number = saved->number;
    relay->acked_number = saved->acked_number;
    if (saved->report == NULL) {
        return;
    }
    if (!copy_report(now, saved->report, saved->report_size)) {
        sim_failed(gateway->sim, SERIN_ERR_MEMORY);
        return;
    }
    uint64_t now_s = serin_hold_now_s(&gateway->book, gateway_now_ms(gateway));
    uint64_t waited_s =
        saved->queued_s != 0 && now_s > saved->queued_s ? now_s - saved->queued_s : 0;
    serin_relay_restore(&gateway->relay, index, saved->queue_number, waited_s * 1000u,
                        (uint32_t)saved->report_size, gateway_now_ms(gateway));
}

void gateway_relay_load(struct sim_gateway *gateway)
{
    static const struct serin_relay_config config = {.batch_delay_ms = GATEWAY_BATCH_DELAY_MS,
                                                     .resend_ms = GATEWAY_RESEND_MS,
                                                     .beat_ms = GATEWAY_BEAT_MS};
    uint32_t nodes = gateway->node_count > 0 ? gateway->node_count : 1;
    serin_relay_init(&gateway->relay, &config, gateway->relay_nodes, nodes, gateway->buckets,
                     gateway->bucket_count);
    memset(gateway->sent_batches, 0, gateway->sent_count * sizeof *gateway->sent_batches);
    serin_sent_init(&gateway->sent, gateway->sent_batches, gateway->sent_count);
    gateway->relay.queue_number = gateway->saved.queue_number;
    gateway->batch_number = gateway->saved.batch_number;
    memset(gateway->flights, 0, sizeof gateway->flights);
    for (uint32_t i = 0; i < gateway->node_count; i++) {
        load_node(gateway, i);
    }
}

void gateway_relay_forget(struct sim_gateway *gateway)
{
    for (uint32_t i = 0; i < gateway->node_count; i++) {
        struct gateway_node *node = &gateway->nodes[i];
        drop_report(&node->now);
        node->now = (struct gateway_account){.report = NULL};
        node->dirty = false;
        node->beat_size = node->presence_size = 0;
    }
    gateway->dirty_count = 0;
    gateway->commit_ms = SIM_NEVER_MS;
}

/* ---- from nodes ---- */

/* A node stands where it stood when its beat came last, unless the gateway has been down since. */
static uint32_t find(const struct sim_gateway *gateway, const char *id)
{
    const struct sim *sim = gateway->sim;
    const struct serin_relay_node *last = sim->places[sim_node_index(sim, id)].relay;
    return last != NULL && strcmp(last->id, id) == 0 ? (uint32_t)(last - gateway->relay_nodes)
                                                     : serin_relay_find(&gateway->relay, id);
}

/* The node of a message, learnt now if it is new. */
static uint32_t learn(struct sim_gateway *gateway, const char *id)
{
    uint32_t index = find(gateway, id);
    if (index == SERIN_RELAY_NONE) {
        index = serin_relay_add(&gateway->relay, id);
        SERIN_ASSERT(index != SERIN_RELAY_NONE); /* there is a place for each node of the site */
        mark(gateway, index);
    }
    gateway->relay_nodes[index].seen_ms = gateway_now_ms(gateway);
    return index;
}

uint32_t gateway_failures(const struct sim_gateway *gateway, const struct serin_release *candidate)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < gateway->node_count && candidate->offer_count > 0; i++) {
        const struct gateway_account *node = &gateway->nodes[i].now;
        count +=
            node->failed_attempt != 0 &&
                    serin_hold_same_attempt(candidate, node->failed_manifest, node->failed_attempt)
                ? 1u
                : 0u;
    }
    return count;
}

static void failed(struct sim_gateway *gateway, uint32_t index,
                   const uint8_t manifest_id[SERIN_SHA256_SIZE], uint32_t attempt)
{
    struct gateway_account *node = &gateway->nodes[index].now;
    bool known = node->failed_attempt == attempt &&
                 memcmp(node->failed_manifest, manifest_id, SERIN_SHA256_SIZE) == 0;
    const struct serin_release *candidate = &gateway->book.fleets[0].candidate;
    if (known || !serin_hold_same_attempt(candidate, manifest_id, attempt)) {
        return;
    }
    memcpy(node->failed_manifest, manifest_id, SERIN_SHA256_SIZE);
    node->failed_attempt = attempt;
    mark(gateway, index);
    gateway_orders_recount(gateway);
}

static void note_outcomes(struct sim_gateway *gateway, uint32_t index,
                          const struct serin_report *report)
{
    struct gateway_account *node = &gateway->nodes[index].now;
    for (size_t i = 0; i < report->attempt_count; i++) {
        const struct serin_attempt_report *attempt = &report->attempts[i];
        const struct serin_transition *last = &attempt->transitions[attempt->transition_count - 1];
        if (serin_relay_bad(last->state)) {
            failed(gateway, index, attempt->manifest_id, attempt->attempt);
        }
        node->confirmed_attempt = last->state == SERIN_STATE_CONFIRMED ? attempt->attempt : 0;
        memcpy(node->confirmed_manifest, attempt->manifest_id, sizeof node->confirmed_manifest);
    }
}

static void take_report(struct sim_gateway *gateway, const char *id, const uint8_t *payload,
                        size_t size)
{
    struct serin_report report;
    if (gateway->sim->codec->decode_report(payload, size, &report) != SERIN_OK ||
        strcmp(report.device_id, id) != 0) {
        return;
    }
    uint32_t index = learn(gateway, id);
    struct gateway_account *node = &gateway->nodes[index].now;
    const struct serin_relay_node *known = &gateway->relay_nodes[index];
    enum serin_relay_verdict verdict = serin_relay_judge(known, report.incarnation, report.number);
    if (verdict == SERIN_RELAY_DUPLICATE || verdict == SERIN_RELAY_OVERTAKEN) {
        return;
    }
    if (!copy_report(node, payload, size)) {
        sim_failed(gateway->sim, SERIN_ERR_MEMORY);
        return;
    }
    enum serin_relay_class kind = SERIN_RELAY_FINAL;
    if (verdict != SERIN_RELAY_REPEATED) {
        kind = serin_relay_classify(&report);
        note_outcomes(gateway, index, &report);
    }
    if (known->state == SERIN_RELAY_IDLE) {
        node->queued_s = serin_hold_now_s(&gateway->book, gateway_now_ms(gateway));
    }
    serin_relay_heard(&gateway->relay, index, report.incarnation, report.number, (uint32_t)size,
                      kind, gateway_now_ms(gateway));
    mark(gateway, index);
}

static bool keep_beat(struct gateway_node *node, const uint8_t *payload, size_t size)
{
    if (node->beat_capacity < size) {
        uint8_t *grown = realloc(node->beat, size);
        if (grown == NULL) {
            return false;
        }
        node->beat = grown;
        node->beat_capacity = size;
    }
    memcpy(node->beat, payload, size);
    node->beat_size = size;
    return true;
}

static void take_beat(struct sim_gateway *gateway, const char *id, const uint8_t *payload,
                      size_t size)
{
    struct serin_beat beat;
    if (gateway->sim->codec->decode_beat(payload, size, &beat) != SERIN_OK ||
        strcmp(beat.device_id, id) != 0) {
        return;
    }
    uint32_t index = learn(gateway, id);
    struct gateway_node *node = &gateway->nodes[index];
    const struct serin_relay_node *known = &gateway->relay_nodes[index];
    if (node->now.confirmed_attempt != 0 && beat.incarnation == known->incarnation &&
        beat.last_number == known->number &&
        memcmp(beat.running.manifest_id, node->now.confirmed_manifest, SERIN_SHA256_SIZE) != 0) {
        failed(gateway, index, node->now.confirmed_manifest, node->now.confirmed_attempt);
    }
    if (serin_relay_beat(&gateway->relay, index, &beat, gateway_now_ms(gateway)) &&
        !keep_beat(node, payload, size)) {
        sim_failed(gateway->sim, SERIN_ERR_MEMORY);
    }
    gateway->sim->places[sim_node_index(gateway->sim, id)] =
        (struct sim_place){.relay = known, .account = node, .beat = node->beat};
}

static void take_presence(struct sim_gateway *gateway, const char *id, const uint8_t *payload,
                          size_t size)
{
    struct serin_presence presence;
    if (size > SERIN_PRESENCE_MAX ||
        gateway->sim->codec->decode_presence(payload, size, &presence) != SERIN_OK) {
        return;
    }
    uint32_t index = presence.online ? learn(gateway, id) : serin_relay_find(&gateway->relay, id);
    if (index != SERIN_RELAY_NONE) {
        struct gateway_node *node = &gateway->nodes[index];
        memcpy(node->presence, payload, size);
        node->presence_size = size;
        (void)serin_relay_presence(&gateway->relay, index, presence.online,
                                   gateway_now_ms(gateway));
    }
}

void gateway_relay_node(struct sim_gateway *gateway, struct sim_topic topic, const uint8_t *payload,
                        size_t size)
{
    char id[SIM_ID_SIZE];
    sim_node_id(topic.index, id);
    if (topic.kind == SERIN_TOPIC_DEV_REPORT) {
        take_report(gateway, id, payload, size);
    } else if (topic.kind == SERIN_TOPIC_DEV_BEAT) {
        take_beat(gateway, id, payload, size);
    } else if (topic.kind == SERIN_TOPIC_PRESENCE) {
        take_presence(gateway, id, payload, size);
    }
}

/* ---- batches up ---- */

static bool fill_item(const struct sim_gateway *gateway, const struct serin_relay_item *from,
                      struct serin_batch_item *item)
{
    const struct gateway_node *node = &gateway->nodes[from->node];
    memcpy(item->node, gateway->relay_nodes[from->node].id, sizeof item->node);
    item->kind = from->kind;
    item->payload = NULL;
    item->payload_size = 0;
    if (from->kind == SERIN_BATCH_REPORT) {
        item->payload = node->now.report;
        item->payload_size = node->now.report_size;
    } else if (from->kind == SERIN_BATCH_BEAT) {
        item->payload = node->beat;
        item->payload_size = node->beat_size;
    } else if (from->kind == SERIN_BATCH_PRESENCE) {
        item->payload = node->presence;
        item->payload_size = node->presence_size;
    }
    return item->payload_size > 0;
}

/* As many as fit a batch that is not deflated. */
static size_t fill_items(const struct sim_gateway *gateway, size_t count)
{
    size_t bytes = 0, taken = 0;
    while (taken < count && fill_item(gateway, &picked[taken], &items.list[taken])) {
        const struct serin_batch_item *item = &items.list[taken];
        bytes += ITEM_FRAME + strlen(item->node) + item->payload_size;
        if (bytes > SERIN_BATCH_MAX - 128u) {
            break;
        }
        taken++;
    }
    return taken;
}

static enum serin_error encode(struct sim_gateway *gateway, size_t count, size_t *size)
{
    size_t plain_size = 0;
    items.count = count;
    enum serin_error error =
        gateway->sim->site_codec->encode_batch_items(&items, plain, sizeof plain, &plain_size);
    if (error != SERIN_OK) {
        return error;
    }
    const struct serin_batch batch = {.incarnation = gateway->saved.incarnation,
                                      .number = gateway->batch_number,
                                      .encoding = SERIN_BATCH_PLAIN,
                                      .plain_size = (uint32_t)plain_size,
                                      .items = plain,
                                      .items_size = plain_size};
    return gateway->sim->site_codec->encode_batch(&batch, payload_up, sizeof payload_up, size);
}

/* The number of a batch is durable before it leaves, so that none is given out twice. */
static void number_batch(struct sim_gateway *gateway)
{
    gateway->saved.batch_number = ++gateway->batch_number;
}

static void take_off(struct sim_gateway *gateway)
{
    uint64_t round_ms = 2u * (uint64_t)gateway->sim->config->scenario.latency_max_ms + 1u;
    gateway->token++;
    for (size_t i = 0; i < GATEWAY_FLIGHTS; i++) {
        if (gateway->flights[i].token == 0) {
            gateway->flights[i].token = gateway->token;
            gateway->flights[i].at_ms = gateway_now_ms(gateway) + round_ms;
            return;
        }
    }
}

void gateway_relay_delivered(struct sim_gateway *gateway)
{
    for (size_t i = 0; i < GATEWAY_FLIGHTS; i++) {
        if (gateway->flights[i].token != 0 &&
            gateway->flights[i].at_ms <= gateway_now_ms(gateway)) {
            serin_relay_delivered(&gateway->relay, gateway->flights[i].token);
            gateway->flights[i].token = 0;
        }
    }
}

static void send_batch(struct sim_gateway *gateway)
{
    uint64_t now_ms = gateway_now_ms(gateway);
    size_t size = 0;
    size_t count = serin_relay_pick(&gateway->relay, now_ms, picked);
    count = fill_items(gateway, count);
    SERIN_ASSERT(count > 0); /* what the relay picks, nodes have said */
    number_batch(gateway);
    enum serin_error error = encode(gateway, count, &size);
    if (error != SERIN_OK) {
        sim_failed(gateway->sim, error);
        return;
    }
    gateway_publish(gateway, SIM_UPLINK, SERIN_TOPIC_GW_REPORTS, gateway->index, payload_up, size);
    serin_sent_note(&gateway->sent, &gateway->relay, picked, count, gateway->batch_number,
                    serin_crc32(0, payload_up, size));
    take_off(gateway);
    serin_relay_left(&gateway->relay, picked, count, gateway->token, now_ms);
}

void gateway_relay_send(struct sim_gateway *gateway)
{
    while (gateway->sim->error == SERIN_OK &&
           serin_relay_ready(&gateway->relay, gateway_now_ms(gateway))) {
        send_batch(gateway);
    }
}

/* A delivery is looked at when somebody waits for it, or before the next thing is done. */
uint64_t gateway_relay_deadline_ms(struct sim_gateway *gateway)
{
    uint64_t at_ms = serin_relay_deadline_ms(&gateway->relay, gateway_now_ms(gateway));
    if (gateway->relay.flights < SERIN_RELAY_FLIGHTS_MAX) {
        return at_ms;
    }
    for (size_t i = 0; i < GATEWAY_FLIGHTS; i++) {
        if (gateway->flights[i].token != 0 && gateway->flights[i].at_ms < at_ms) {
            at_ms = gateway->flights[i].at_ms;
        }
    }
    return at_ms;
}

/* ---- acks down ---- */

static void take_ack(struct sim_gateway *gateway, uint32_t index, const struct serin_ack *ack)
{
    uint8_t payload[SERIN_ACK_MAX];
    size_t size = 0;
    uint32_t node = sim_node_index(gateway->sim, gateway->relay_nodes[index].id);
    if (gateway->sim->codec->encode_ack(ack, payload, sizeof payload, &size) == SERIN_OK) {
        gateway_publish(gateway, SIM_SITE, SERIN_TOPIC_DEV_ACK, node, payload, size);
    }
    if (serin_relay_ack(&gateway->relay, index, ack, gateway_now_ms(gateway))) {
        drop_report(&gateway->nodes[index].now);
        mark(gateway, index);
    }
}

static void take_batch(struct sim_gateway *gateway, const struct serin_batch_ack *ack)
{
    const struct serin_sent_batch *batch =
        ack->incarnation == gateway->saved.incarnation
            ? serin_sent_take(&gateway->sent, ack->number, ack->crc32)
            : NULL;
    for (size_t i = 0; batch != NULL && i < batch->count; i++) {
        const struct serin_sent_report *report = &batch->reports[i];
        const struct serin_ack stored = {.incarnation = report->incarnation,
                                         .number = report->number,
                                         .status = SERIN_ACK_STORED};
        if (report->node != SERIN_RELAY_NONE) {
            take_ack(gateway, report->node, &stored);
        }
    }
}

void gateway_relay_acks(struct sim_gateway *gateway, const uint8_t *payload, size_t size)
{
    if (gateway->sim->site_codec->decode_ack_batch(payload, size, &acks) != SERIN_OK) {
        return;
    }
    for (size_t i = 0; i < acks.batch_count; i++) {
        take_batch(gateway, &acks.batches[i]);
    }
    for (size_t i = 0; i < acks.count; i++) {
        uint32_t index = serin_relay_find(&gateway->relay, acks.list[i].node);
        if (index != SERIN_RELAY_NONE) {
            take_ack(gateway, index, &acks.list[i].ack);
        }
    }
}
