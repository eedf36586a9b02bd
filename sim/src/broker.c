/*
 * The brokers: what they retain, to whom they pass what, and the plugin's order guard. A broker
 * that restarts forgets connections; where the scenario says so, its disk is that of an earlier
 * day, and the guard's memory with it.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD 6u /* devices */

/* A device's own directive. */
struct own {
    uint32_t node;
    struct serin_order order;
    struct sim_message *message;
};

/* A change of what is retained, kept for a restart with an older disk. */
struct change {
    uint64_t at_ms;
    struct sim_message *message;
};

struct broker {
    bool up;
    struct sim_message *directive, *trust, *hold; /* retained */
    struct own *own;                              /* by node */
    uint32_t own_count, own_capacity;
    /* the guard's memory */
    struct serin_order order; /* of the channel's directive */
    uint8_t said[SERIN_SHA256_SIZE];
    uint32_t trust_version;
    struct change *changes;
    uint32_t change_count, change_capacity;
    uint64_t old_ms; /* it comes back with the disk of then; SIM_NEVER_MS: its own */
};

struct sim_brokers {
    bool remember; /* some broker will come back with an older disk */
    struct broker *list;
    uint32_t count;
};

static struct broker *broker_of(const struct sim *sim, uint32_t broker)
{
    SERIN_ASSERT(broker < sim->brokers->count);
    return &sim->brokers->list[broker];
}

bool sim_broker_is_up(const struct sim *sim, uint32_t broker)
{
    return broker_of(sim, broker)->up;
}

/* ---- what is retained ---- */

static void replace(struct sim *sim, struct sim_message **place, struct sim_message *message)
{
    sim_message_drop(sim, *place);
    *place = message == NULL || message->size == 0 ? NULL : sim_message_keep(message);
}

/* Where a device's own directive stands, or would. */
static uint32_t own_place(const struct broker *broker, uint32_t node)
{
    uint32_t low = 0, high = broker->own_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2u;
        if (broker->own[middle].node < node) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct own *own_find(const struct broker *broker, uint32_t node)
{
    uint32_t place = own_place(broker, node);
    bool there = place < broker->own_count && broker->own[place].node == node;
    return there ? &broker->own[place] : NULL;
}

static struct own *own_make(struct sim *sim, struct broker *broker, uint32_t node)
{
    struct own *found = own_find(broker, node);
    if (found != NULL) {
        return found;
    }
    if (broker->own_count == broker->own_capacity) {
        uint32_t capacity = broker->own_capacity == 0 ? 16u : broker->own_capacity * 2u;
        struct own *larger = realloc(broker->own, capacity * sizeof *larger);
        if (larger == NULL) {
            sim_failed(sim, SERIN_ERR_MEMORY);
            return NULL;
        }
        broker->own = larger;
        broker->own_capacity = capacity;
    }
    uint32_t place = own_place(broker, node);
    struct own *own = &broker->own[place];
    memmove(own + 1, own, (broker->own_count - place) * sizeof *own);
    broker->own_count++;
    *own = (struct own){.node = node};
    return own;
}

static void remember(struct sim *sim, struct broker *broker, struct sim_message *message)
{
    if (!sim->brokers->remember) {
        return;
    }
    if (broker->change_count == broker->change_capacity) {
        uint32_t capacity = broker->change_capacity == 0 ? 16u : broker->change_capacity * 2u;
        struct change *larger = realloc(broker->changes, capacity * sizeof *larger);
        if (larger == NULL) {
            sim_failed(sim, SERIN_ERR_MEMORY);
            return;
        }
        broker->changes = larger;
        broker->change_capacity = capacity;
    }
    broker->changes[broker->change_count++] =
        (struct change){.at_ms = sim->now_ms, .message = sim_message_keep(message)};
}

/* ---- the guard ---- */

static bool open_body(struct sim *sim, const struct sim_message *message,
                      struct serin_directive *directive, uint8_t said[SERIN_SHA256_SIZE])
{
    struct serin_envelope envelope;
    if (sim->codec->decode_envelope(message->payload, message->size, &envelope) != SERIN_OK ||
        sim->codec->decode_directive(envelope.body, envelope.body_size, directive) != SERIN_OK) {
        return false;
    }
    serin_sha256_of(sim->crypto, envelope.body, envelope.body_size, said);
    return true;
}

/* Whether the channel's directive may pass, and stands from now on: a higher order, or the very one
 * that is remembered. */
static bool accept_directive(struct sim *sim, uint32_t index, const struct sim_message *message)
{
    struct broker *broker = broker_of(sim, index);
    struct serin_directive directive;
    uint8_t said[SERIN_SHA256_SIZE];
    if (!open_body(sim, message, &directive, said)) {
        return false;
    }
    int order = serin_order_compare(directive.order, broker->order);
    if (order < 0 || (order == 0 && memcmp(said, broker->said, sizeof said) != 0)) {
        return false;
    }
    broker->order = directive.order;
    memcpy(broker->said, said, sizeof said);
    sim_plugin_directive(sim, index, &directive);
    return true;
}

static struct sim_message **accept_own(struct sim *sim, struct broker *broker,
                                       const struct sim_message *message)
{
    struct serin_directive directive;
    uint8_t said[SERIN_SHA256_SIZE];
    if (!open_body(sim, message, &directive, said)) {
        return NULL;
    }
    struct own *own = own_make(sim, broker, message->topic.index);
    if (own == NULL || serin_order_compare(directive.order, own->order) < 0) {
        return NULL;
    }
    own->order = directive.order;
    return &own->message;
}

static bool accept_trust(struct sim *sim, struct broker *broker, const struct sim_message *message)
{
    struct serin_trust_payload payload;
    struct serin_trust trust;
    if (sim->codec->decode_trust_payload(message->payload, message->size, &payload) != SERIN_OK ||
        serin_trust_open(sim->crypto, sim->root_key, payload.record, payload.record_size, &trust) !=
            SERIN_OK ||
        trust.version < broker->trust_version) {
        return false;
    }
    broker->trust_version = trust.version;
    return true;
}

/* Judges a message that is to be retained, and keeps it. False: it goes no further. */
static bool retain(struct sim *sim, uint32_t index, struct sim_message *message)
{
    struct broker *broker = broker_of(sim, index);
    struct sim_message **place = NULL;
    if (message->topic.kind == SERIN_TOPIC_HOLD) {
        place = &broker->hold;
    } else if (message->topic.kind == SERIN_TOPIC_DIRECTIVE) {
        place = accept_directive(sim, index, message) ? &broker->directive : NULL;
    } else if (message->topic.kind == SERIN_TOPIC_TRUST) {
        place = accept_trust(sim, broker, message) ? &broker->trust : NULL;
    } else if (message->topic.kind == SERIN_TOPIC_DEV_DIRECTIVE) {
        place = accept_own(sim, broker, message);
    }
    if (place == NULL) {
        return false;
    }
    replace(sim, place, message);
    remember(sim, broker, message);
    return true;
}

const struct sim_message *sim_broker_directive(const struct sim *sim, uint32_t index)
{
    return broker_of(sim, index)->directive;
}

struct serin_order sim_broker_order(const struct sim *sim, uint32_t index)
{
    return broker_of(sim, index)->order;
}

const struct sim_message *sim_broker_own(const struct sim *sim, uint32_t index, uint32_t node)
{
    const struct own *own = own_find(broker_of(sim, index), node);
    return own != NULL ? own->message : NULL;
}

/* ---- who gets what ---- */

static void to_members(struct sim *sim, uint32_t index, struct sim_message *message)
{
    for (uint32_t i = sim->first[index]; i < sim->first[index + 1u]; i++) {
        if (i + AHEAD < sim->first[index + 1u]) {
            uint32_t soon = sim->members[i + AHEAD];
            __builtin_prefetch(&sim->nodes[soon], 1, 2);
            __builtin_prefetch(sim->dice[soon], 1, 2);
        }
        sim_net_to_node(sim, sim->members[i], message, false);
    }
}

static void to_all(struct sim *sim, uint32_t index, struct sim_message *message)
{
    to_members(sim, index, message);
    if (index == SIM_CLOUD) {
        for (uint32_t gateway = 0; gateway < sim->config->gateways; gateway++) {
            sim_net_to_gateway(sim, gateway, SIM_UPLINK, message, false);
        }
        sim_net_to_server(sim, message, false);
    }
}

/* To a device: itself at its own broker; at the cloud's, its gateway, where it has one. */
static void to_device(struct sim *sim, uint32_t index, struct sim_message *message, bool retained)
{
    uint32_t node = message->topic.index;
    if (sim_node_broker(&sim->nodes[node]) == index) {
        sim_net_to_node(sim, node, message, retained);
    } else if (index == SIM_CLOUD) {
        sim_net_to_gateway(sim, sim->nodes[node].gateway, SIM_UPLINK, message, retained);
    }
}

static void to_owner(struct sim *sim, uint32_t index, struct sim_message *message)
{
    if (index == SIM_CLOUD) {
        sim_net_to_server(sim, message, false);
    } else {
        sim_net_to_gateway(sim, index - 1u, SIM_SITE, message, false);
    }
}

static void route(struct sim *sim, uint32_t index, struct sim_message *message)
{
    switch (message->topic.kind) {
    case SERIN_TOPIC_DIRECTIVE:
    case SERIN_TOPIC_TRUST:
    case SERIN_TOPIC_HOLD:
        to_all(sim, index, message);
        break;
    case SERIN_TOPIC_DEV_DIRECTIVE:
        to_device(sim, index, message, false);
        if (index == SIM_CLOUD) {
            sim_net_to_server(sim, message, false);
        }
        break;
    case SERIN_TOPIC_DEV_ACK:
        to_device(sim, index, message, false);
        break;
    case SERIN_TOPIC_DEV_REPORT:
    case SERIN_TOPIC_DEV_BEAT:
    case SERIN_TOPIC_GW_REPORTS:
    case SERIN_TOPIC_GW_STATUS:
        to_owner(sim, index, message);
        break;
    case SERIN_TOPIC_GW_ACKS:
        sim_net_to_gateway(sim, message->topic.index, SIM_UPLINK, message, false);
        break;
    case SERIN_TOPIC_DEV_GET:
    case SERIN_TOPIC_GW_GET:
        sim_plugin_get(sim, index, message);
        break;
    case SERIN_TOPIC_DEPOT_HAVE:
        sim_plugin_have(sim, index, message);
        break;
    case SERIN_TOPIC_INVALID:
    case SERIN_TOPIC_DEV_BLOCK:
    case SERIN_TOPIC_GW_BLOCK:
    case SERIN_TOPIC_DEPOT_WANT:
    case SERIN_TOPIC_PRESENCE:
    case SERIN_TOPIC_COUNT:
        SERIN_ASSERT(false); /* the plugin's own */
        break;
    }
}

void sim_broker_take(struct sim *sim, uint32_t index, struct sim_message *message)
{
    if (!broker_of(sim, index)->up) {
        return;
    }
    if (!message->retain || retain(sim, index, message)) {
        route(sim, index, message);
    }
}

static void greet(struct sim *sim, uint32_t node, struct sim_message *message)
{
    if (message != NULL) {
        sim_net_to_node(sim, node, message, true);
    }
}

void sim_broker_greet_node(struct sim *sim, uint32_t node)
{
    const struct broker *broker = broker_of(sim, sim_node_broker(&sim->nodes[node]));
    const struct own *own = own_find(broker, node);
    greet(sim, node, broker->trust);
    greet(sim, node, broker->hold);
    greet(sim, node, own != NULL ? own->message : NULL);
    greet(sim, node, broker->directive);
}

void sim_broker_greet_gateway(struct sim *sim, uint32_t gateway, enum sim_side side)
{
    const struct broker *broker = broker_of(sim, SIM_CLOUD);
    struct sim_message *const messages[] = {broker->trust, broker->directive};
    if (side == SIM_SITE) {
        return;
    }
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        if (messages[i] != NULL) {
            sim_net_to_gateway(sim, gateway, SIM_UPLINK, messages[i], true);
        }
    }
    for (uint32_t i = 0; i < broker->own_count; i++) {
        const struct own *own = &broker->own[i];
        if (own->message != NULL && sim->nodes[own->node].gateway == gateway) {
            sim_net_to_gateway(sim, gateway, SIM_UPLINK, own->message, true);
        }
    }
}

void sim_broker_greet_server(struct sim *sim)
{
    const struct broker *broker = broker_of(sim, SIM_CLOUD);
    struct sim_message *const messages[] = {broker->trust, broker->directive};
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        if (messages[i] != NULL) {
            sim_net_to_server(sim, messages[i], true);
        }
    }
    for (uint32_t i = 0; i < broker->own_count; i++) {
        if (broker->own[i].message != NULL) {
            sim_net_to_server(sim, broker->own[i].message, true);
        }
    }
}

/* ---- restarts ---- */

static void wipe(struct sim *sim, struct broker *broker)
{
    replace(sim, &broker->directive, NULL);
    replace(sim, &broker->trust, NULL);
    replace(sim, &broker->hold, NULL);
    for (uint32_t i = 0; i < broker->own_count; i++) {
        replace(sim, &broker->own[i].message, NULL);
    }
    broker->own_count = 0;
    broker->order = (struct serin_order){0};
    broker->trust_version = 0;
}

/* The disk of an earlier day: what was retained until then, once more. */
static void go_back(struct sim *sim, uint32_t index, uint64_t at_ms)
{
    struct broker *broker = broker_of(sim, index);
    uint32_t count = broker->change_count;
    broker->change_count = 0;
    wipe(sim, broker);
    for (uint32_t i = 0; i < count; i++) {
        struct change change = broker->changes[i];
        if (change.at_ms <= at_ms && retain(sim, index, change.message)) {
            broker->changes[broker->change_count - 1u].at_ms = change.at_ms;
        }
        sim_message_drop(sim, change.message);
    }
}

void sim_broker_restart(struct sim *sim, uint32_t index, uint64_t for_ms, uint64_t at_ms)
{
    struct broker *broker = broker_of(sim, index);
    if (!broker->up) {
        return; /* it is down already */
    }
    broker->up = false;
    broker->old_ms = at_ms;
    sim_note(sim, SIM_NOTE_EVENT, index, SIM_BROKER_UP);
    sim_net_broker(sim, index, false);
    for (uint32_t i = sim->first[index]; i < sim->first[index + 1u]; i++) {
        sim_node_unlinked(sim, sim->members[i]);
    }
    sim_at(sim, sim->now_ms + for_ms, SIM_BROKER, index, SIM_BROKER_UP);
}

static void come_up(struct sim *sim, uint32_t index)
{
    struct broker *broker = broker_of(sim, index);
    broker->up = true;
    if (broker->old_ms != SIM_NEVER_MS) {
        go_back(sim, index, broker->old_ms);
    }
    sim_net_broker(sim, index, true);
    uint32_t members = sim->first[index + 1u] - sim->first[index];
    for (uint32_t i = 0; i < members; i++) {
        /* A listener takes a few hundred a second. */
        sim_node_relink(sim, sim->members[sim->first[index] + i], 2000u + members * 4u);
    }
}

void sim_broker_due(struct sim *sim, uint32_t index, uint32_t what)
{
    if (what == SIM_BROKER_PARKED) {
        sim_plugin_tick(sim, index);
    } else if (what == SIM_BROKER_UP) {
        come_up(sim, index);
    } else {
        sim_net_link_due(sim, index, (enum sim_broker_what)what);
    }
}

/* ---- opening ---- */

enum serin_error sim_brokers_open(struct sim *sim)
{
    struct sim_brokers *brokers = calloc(1, sizeof *brokers);
    sim->brokers = brokers;
    if (brokers == NULL) {
        return SERIN_ERR_MEMORY;
    }
    brokers->count = sim->config->gateways + 1u;
    brokers->list = calloc(brokers->count, sizeof *brokers->list);
    if (brokers->list == NULL) {
        return SERIN_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < brokers->count; i++) {
        brokers->list[i].up = true;
    }
    for (size_t i = 0; i < sim->config->scenario.event_count; i++) {
        brokers->remember =
            brokers->remember || sim->config->scenario.events[i].kind == SERIN_SIM_EVENT_BROKER_OLD;
    }
    return SERIN_OK;
}

void sim_brokers_close(struct sim *sim)
{
    struct sim_brokers *brokers = sim->brokers;
    if (brokers == NULL) {
        return;
    }
    for (uint32_t i = 0; brokers->list != NULL && i < brokers->count; i++) {
        struct broker *broker = &brokers->list[i];
        wipe(sim, broker);
        for (uint32_t j = 0; j < broker->change_count; j++) {
            sim_message_drop(sim, broker->changes[j].message);
        }
        free(broker->own);
        free(broker->changes);
    }
    free(brokers->list);
    free(brokers);
}
