/* When a batch goes, and what is in it (relay.h; docs/spec/batch.md, section 2). */
#include "relay_internal.h"

#include <serin/crc32.h>

#include <string.h>

/* ---- reports ---- */

bool serin_relay_bad(enum serin_state state)
{
    return state == SERIN_STATE_FAILED || state == SERIN_STATE_ROLLED_BACK ||
           state == SERIN_STATE_REJECTED || state == SERIN_STATE_REGRESSED ||
           state == SERIN_STATE_REVERTED;
}

enum serin_relay_class serin_relay_classify(const struct serin_report *report)
{
    SERIN_ASSERT(report->attempt_count >= 1);
    const struct serin_attempt_report *attempt = &report->attempts[report->attempt_count - 1];
    SERIN_ASSERT(attempt->transition_count >= 1);
    enum serin_state state = attempt->transitions[attempt->transition_count - 1].state;
    if (serin_relay_bad(state)) {
        return SERIN_RELAY_URGENT;
    }
    return serin_state_final(state) ? SERIN_RELAY_FINAL : SERIN_RELAY_STEP;
}

/* ---- beats and presence ---- */

static uint64_t lax_ms(const struct serin_relay *relay)
{
    return (uint64_t)SERIN_RELAY_LAX_DELAYS * relay->config.batch_delay_ms;
}

/* What runs. */
static uint32_t core_digest(const struct serin_beat *beat)
{
    const struct serin_running *running = &beat->running;
    uint8_t bytes[15 + sizeof running->manifest_id];
    serin_put_le16(bytes, running->version.major);
    serin_put_le16(bytes + 2, running->version.minor);
    serin_put_le16(bytes + 4, running->version.patch);
    serin_put_le32(bytes + 6, running->security_counter);
    serin_put_le32(bytes + 10, running->floor);
    bytes[14] = running->slot;
    memcpy(bytes + 15, running->manifest_id, sizeof running->manifest_id);
    return serin_crc32(0, bytes, sizeof bytes);
}

/* What else serind acts on or shows: not what counts up by itself. */
static uint32_t rest_digest(const struct serin_beat *beat)
{
    uint8_t bytes[28 + sizeof beat->product + sizeof beat->channel];
    size_t product_size = strlen(beat->product) + 1u;
    size_t channel_size = strlen(beat->channel);
    serin_put_le32(bytes, beat->channel_order.epoch);
    serin_put_le32(bytes + 4, beat->channel_order.sequence);
    serin_put_le32(bytes + 8, beat->own_order.epoch);
    serin_put_le32(bytes + 12, beat->own_order.sequence);
    serin_put_le16(bytes + 16, beat->hardware);
    bytes[18] = (uint8_t)beat->redundancy;
    bytes[19] = (uint8_t)beat->refused;
    serin_put_le64(bytes + 20, beat->incarnation);
    memcpy(bytes + 28, beat->product, product_size);
    memcpy(bytes + 28 + product_size, beat->channel, channel_size);
    return serin_crc32(0, bytes, 28 + product_size + channel_size);
}

bool serin_relay_beat(struct serin_relay *relay, uint32_t node, const struct serin_beat *beat,
                      uint64_t now_ms)
{
    struct serin_relay_node *at = serin_relay_at(relay, node);
    at->next_core = core_digest(beat);
    at->next_rest = rest_digest(beat);
    uint64_t due_ms = 0;
    if (at->beat_told && at->next_core != at->beat_core) {
        due_ms = now_ms + relay->config.batch_delay_ms;
    } else if (!at->beat_told || at->next_rest != at->beat_rest ||
               now_ms - at->beat_sent_ms >= relay->config.beat_ms) {
        due_ms = now_ms + lax_ms(relay);
    }
    /* One that waits already goes when it would have gone, and says the latest. */
    if (due_ms != 0 && (at->beat_due_ms == 0 || due_ms < at->beat_due_ms)) {
        at->beat_due_ms = due_ms;
        serin_relay_ride(relay, node);
        serin_relay_wake(relay, due_ms);
    }
    return at->beat_due_ms != 0;
}

bool serin_relay_presence(struct serin_relay *relay, uint32_t node, bool online, uint64_t now_ms)
{
    struct serin_relay_node *at = serin_relay_at(relay, node);
    if (online != at->online) {
        at->online = online;
        relay->online_count = online ? relay->online_count + 1u : relay->online_count - 1u;
    }
    if (at->presence_told && at->presence_online == online) {
        at->presence_due_ms = 0; /* away and back: as it was told */
        serin_relay_alight(relay, node);
    } else if (at->presence_due_ms == 0) {
        at->presence_due_ms = now_ms + lax_ms(relay);
        serin_relay_ride(relay, node);
        serin_relay_wake(relay, at->presence_due_ms);
    }
    return at->presence_due_ms != 0;
}

/* ---- when ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When a node's report is to be sent at the latest; UINT64_MAX: it is not to be sent. */
static uint64_t report_ms(const struct serin_relay *relay, const struct serin_relay_node *at)
{
    if (at->state == SERIN_RELAY_DUE) {
        uint64_t paced_ms = at->urgent ? 0 : relay->left_ms + relay->pace_ms;
        return later(later(at->due_ms, paced_ms), at->quiet_ms);
    }
    if (at->state == SERIN_RELAY_SENT) {
        uint64_t wait_ms = (uint64_t)relay->config.resend_ms << relay->silence;
        return later(at->sent_ms + wait_ms, at->quiet_ms);
    }
    return UINT64_MAX;
}

static uint64_t first_report_ms(const struct serin_relay *relay)
{
    uint64_t first_ms = UINT64_MAX;
    for (uint32_t node = relay->first; node != SERIN_RELAY_NONE; node = relay->nodes[node].after) {
        first_ms = sooner(first_ms, report_ms(relay, &relay->nodes[node]));
    }
    return first_ms;
}

static uint64_t first_ride_ms(const struct serin_relay *relay)
{
    uint64_t first_ms = UINT64_MAX;
    for (uint32_t i = relay->first_ride; i != SERIN_RELAY_NONE; i = relay->nodes[i].ride_after) {
        const struct serin_relay_node *at = &relay->nodes[i];
        first_ms = sooner(first_ms, at->beat_due_ms != 0 ? at->beat_due_ms : UINT64_MAX);
        first_ms = sooner(first_ms, at->presence_due_ms != 0 ? at->presence_due_ms : UINT64_MAX);
    }
    return first_ms;
}

/* A queue that fills a batch waits for no others. */
static bool full(const struct serin_relay *relay)
{
    return relay->due_count >= SERIN_RELAY_FULL_ITEMS || relay->due_bytes >= SERIN_RELAY_FULL_BYTES;
}

/* Gives up batches that the broker never acknowledged; their reports have their own clock. */
static void expire_flights(struct serin_relay *relay, uint64_t now_ms)
{
    while (relay->flights > 0 && now_ms - relay->flight[0].since_ms >= SERIN_RELAY_FLIGHT_MS) {
        serin_relay_delivered(relay, relay->flight[0].token);
    }
}

/* A full queue waits for nothing, unless it is full of what serind wants to be quiet. */
static bool full_may_go(const struct serin_relay *relay, uint64_t now_ms)
{
    struct serin_relay_item items[SERIN_BATCH_ITEMS_MAX];
    return full(relay) && serin_relay_pick(relay, now_ms, items) > 0 &&
           items[0].kind == SERIN_BATCH_REPORT;
}

/* Whether anything is due, whatever the link says. Looks through the nodes only when it may have
 * changed. */
static bool due(struct serin_relay *relay, uint64_t now_ms)
{
    if (now_ms < relay->wake_ms) {
        return false;
    }
    relay->wake_ms =
        full_may_go(relay, now_ms) ? 0 : sooner(first_report_ms(relay), first_ride_ms(relay));
    return relay->wake_ms <= now_ms;
}

bool serin_relay_ready(struct serin_relay *relay, uint64_t now_ms)
{
    expire_flights(relay, now_ms);
    return relay->connected && relay->flights < SERIN_RELAY_FLIGHTS_MAX && due(relay, now_ms);
}

bool serin_relay_waiting(struct serin_relay *relay, uint64_t now_ms)
{
    if (!relay->connected || relay->first == SERIN_RELAY_NONE || !due(relay, now_ms)) {
        return false;
    }
    return first_report_ms(relay) <= now_ms || full_may_go(relay, now_ms);
}

uint64_t serin_relay_deadline_ms(struct serin_relay *relay, uint64_t now_ms)
{
    if (!relay->connected) {
        return UINT64_MAX; /* the link's return is an event */
    }
    if (relay->flights == SERIN_RELAY_FLIGHTS_MAX) {
        return relay->flight[0].since_ms + SERIN_RELAY_FLIGHT_MS; /* and so is a delivery */
    }
    return due(relay, now_ms) ? now_ms : relay->wake_ms;
}

/* ---- what ---- */

static bool may_go(const struct serin_relay *relay, const struct serin_relay_node *at,
                   uint64_t now_ms)
{
    /* What is due to be sent goes with any batch, before its time too; a resend keeps its own. */
    return at->state == SERIN_RELAY_DUE ? at->quiet_ms <= now_ms : report_ms(relay, at) <= now_ms;
}

size_t serin_relay_pick(const struct serin_relay *relay, uint64_t now_ms,
                        struct serin_relay_item items[SERIN_BATCH_ITEMS_MAX])
{
    size_t count = 0;
    for (uint32_t node = relay->first; node != SERIN_RELAY_NONE && count < SERIN_BATCH_ITEMS_MAX;
         node = relay->nodes[node].after) {
        if (may_go(relay, &relay->nodes[node], now_ms)) {
            items[count++] = (struct serin_relay_item){.node = node, .kind = SERIN_BATCH_REPORT};
        }
    }
    for (uint32_t i = relay->first_ride; i != SERIN_RELAY_NONE && count < SERIN_BATCH_ITEMS_MAX;
         i = relay->nodes[i].ride_after) {
        if (relay->nodes[i].presence_due_ms != 0) {
            items[count++] = (struct serin_relay_item){.node = i, .kind = SERIN_BATCH_PRESENCE};
        }
    }
    for (uint32_t i = relay->first_ride; i != SERIN_RELAY_NONE && count < SERIN_BATCH_ITEMS_MAX;
         i = relay->nodes[i].ride_after) {
        if (relay->nodes[i].beat_due_ms != 0) {
            items[count++] = (struct serin_relay_item){.node = i, .kind = SERIN_BATCH_BEAT};
        }
    }
    return count;
}

static void item_left(struct serin_relay *relay, const struct serin_relay_item *item,
                      uint64_t now_ms)
{
    struct serin_relay_node *at = serin_relay_at(relay, item->node);
    switch (item->kind) {
    case SERIN_BATCH_REPORT:
        serin_relay_report_left(relay, item->node, now_ms);
        break;
    case SERIN_BATCH_BEAT:
        at->beat_told = true;
        at->beat_core = at->next_core;
        at->beat_rest = at->next_rest;
        at->beat_sent_ms = now_ms;
        at->beat_due_ms = 0;
        serin_relay_alight(relay, item->node);
        break;
    case SERIN_BATCH_PRESENCE:
        at->presence_told = true;
        at->presence_online = at->online;
        at->presence_due_ms = 0;
        serin_relay_alight(relay, item->node);
        break;
    case SERIN_BATCH_KIND_INVALID:
        SERIN_ASSERT(false);
    }
}

/* A crowd's reports come in few batches, a lone one's soon. */
static void set_pace(struct serin_relay *relay, uint64_t now_ms)
{
    uint64_t delay_ms = relay->config.batch_delay_ms;
    bool busy =
        relay->pace_ms != 0 && now_ms - relay->left_ms < delay_ms * 2u * SERIN_RELAY_PACE_DELAYS;
    relay->pace_ms =
        busy ? sooner(relay->pace_ms * 2u, delay_ms * SERIN_RELAY_PACE_DELAYS) : delay_ms;
    relay->left_ms = now_ms;
}

void serin_relay_left(struct serin_relay *relay, const struct serin_relay_item *items, size_t count,
                      int token, uint64_t now_ms)
{
    SERIN_ASSERT(relay->flights < SERIN_RELAY_FLIGHTS_MAX);
    bool reports = false, again = false;
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind == SERIN_BATCH_REPORT) {
            reports = true;
            again = again || relay->nodes[items[i].node].state == SERIN_RELAY_SENT;
        }
        item_left(relay, &items[i], now_ms);
    }
    if (again && !relay->heard && relay->silence < SERIN_RELAY_SILENCE_MAX) {
        relay->silence++;
    }
    relay->heard = relay->heard && !reports;
    if (reports) {
        set_pace(relay, now_ms);
    }
    relay->flight[relay->flights].token = token;
    relay->flight[relay->flights].since_ms = now_ms;
    relay->flights++;
    relay->wake_ms = 0;
}

void serin_relay_delivered(struct serin_relay *relay, int token)
{
    for (size_t i = 0; i < relay->flights; i++) {
        if (relay->flight[i].token == token) {
            relay->flights--;
            for (; i < relay->flights; i++) {
                relay->flight[i] = relay->flight[i + 1];
            }
        }
    }
}
