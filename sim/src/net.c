/*
 * The network: messages, and the links that they take. A link keeps the order of its messages, but
 * for those that a scenario sends astray; what is under way when a connection ends is lost with it.
 */
#include "net.h"

#include <stdlib.h>
#include <string.h>

#define LOCAL_MS       1u /* to a broker on the same host */
#define ASTRAY_MIN     200u
#define ASTRAY_MAX     3000u
#define RESEND_MIN     1000u
#define RESEND_MAX     8000u
#define TRIES_MAX      6u
#define COMMON_SIZE    448u /* payloads up to it come from a list of free messages */
#define WHAT_RETAINED  0x10000u
#define WHAT_UPLINK    0x20000u
#define WHAT_NUMBER(w) ((uint16_t)((w)&0xFFFFu))

/* ---- messages ---- */

struct sim_message *sim_message_new(struct sim *sim, const uint8_t *payload, size_t size)
{
    struct sim_message *message = sim->net->free;
    size_t room = size > COMMON_SIZE ? size : COMMON_SIZE;
    if (size <= COMMON_SIZE && message != NULL) {
        sim->net->free = message->next;
    } else {
        message = malloc(sizeof *message + room);
    }
    if (message == NULL) {
        sim_failed(sim, SERIN_ERR_MEMORY);
        return NULL;
    }
    message->users = 1;
    message->retain = false;
    message->size = (uint32_t)size;
    message->next = NULL;
    if (size > 0) {
        memcpy(message->payload, payload, size);
    }
    return message;
}

struct sim_message *sim_message_keep(struct sim_message *message)
{
    SERIN_ASSERT(message->users > 0 && message->users < UINT32_MAX);
    message->users++;
    return message;
}

void sim_message_drop(struct sim *sim, struct sim_message *message)
{
    if (message == NULL) {
        return;
    }
    SERIN_ASSERT(message->users > 0);
    if (--message->users > 0) {
        return;
    }
    if (message->size <= COMMON_SIZE) {
        message->next = sim->net->free;
        sim->net->free = message;
    } else {
        free(message);
    }
}

/* ---- links ---- */

/* Where a message goes, over which link. */
struct way {
    enum sim_purpose latency, faults;
    uint32_t dice;     /* whose */
    uint64_t *free_ms; /* when the link is free */
    enum sim_actor to;
    uint32_t index, what;
};

static void deliver_at(struct sim *sim, uint64_t at_ms, const struct way *way,
                       struct sim_message *message)
{
    const struct sim_event event = {.at_ms = at_ms,
                                    .message = message,
                                    .what = way->what,
                                    .index_actor = way->index << 8 | way->to};
    if (sim_queue_put(sim->queue, &event) == SERIN_OK) {
        (void)sim_message_keep(message); /* the event's */
    } else {
        sim_failed(sim, SERIN_ERR_MEMORY);
    }
}

/* Whether a message bears its own proof, or its own check, so that who gets it must notice damage.
 * Damage to others is the transport's to notice (TLS): they are lost. */
static bool proves_itself(enum serin_topic_kind kind)
{
    return kind == SERIN_TOPIC_DIRECTIVE || kind == SERIN_TOPIC_DEV_DIRECTIVE ||
           kind == SERIN_TOPIC_TRUST || kind == SERIN_TOPIC_DEV_BLOCK ||
           kind == SERIN_TOPIC_GW_BLOCK;
}

/* A copy of the message with one byte changed. NULL: no memory. */
static struct sim_message *corrupted(struct sim *sim, const struct way *way,
                                     struct sim_message *message)
{
    struct sim_message *copy = sim_message_new(sim, message->payload, message->size);
    if (copy == NULL) {
        return NULL;
    }
    uint64_t dice = sim_dice(sim, way->faults, way->dice);
    copy->topic = message->topic;
    copy->from = message->from;
    copy->retain = message->retain;
    copy->payload[dice % copy->size] ^= (uint8_t)(1u + (dice >> 32) % 255u);
    return copy;
}

/* Whether the message joins what arrives at its node at the same time: one event instead of two,
 * and the device's memory is touched once. */
static bool follow(struct sim *sim, uint64_t at_ms, const struct way *way,
                   struct sim_message *message)
{
    struct sim_node *node = way->to == SIM_NODE ? &sim->nodes[way->index] : NULL;
    if (node == NULL || node->train_ms != at_ms) {
        return false;
    }
    struct sim_follower *follower = sim->net->free_followers;
    if (follower != NULL) {
        sim->net->free_followers = follower->next;
    } else {
        follower = malloc(sizeof *follower);
    }
    if (follower == NULL) {
        sim_failed(sim, SERIN_ERR_MEMORY);
        return true;
    }
    *follower = (struct sim_follower){.message = sim_message_keep(message), .what = way->what};
    struct sim_follower **end = &node->train;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = follower;
    return true;
}

/* The plain way: in the order of the link. */
static void send_on(struct sim *sim, uint64_t at_ms, const struct way *way,
                    struct sim_message *message)
{
    *way->free_ms = at_ms;
    if (!follow(sim, at_ms, way, message)) {
        deliver_at(sim, at_ms, way, message);
        if (way->to == SIM_NODE && sim->nodes[way->index].train == NULL) {
            sim->nodes[way->index].train_ms = at_ms;
        }
    }
}

/* When a message that sets out now arrives. While the one before it is under way, right behind it.
 */
static uint64_t arrival_ms(struct sim *sim, const struct way *way, size_t size)
{
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    uint64_t at_ms = *way->free_ms;
    if (at_ms <= sim->now_ms) {
        at_ms = sim->now_ms + sim_dice_between(sim, way->latency, way->dice,
                                               scenario->latency_min_ms, scenario->latency_max_ms);
    }
    if (scenario->bytes_per_s > 0) {
        at_ms += (uint64_t)size * 1000u / scenario->bytes_per_s;
    }
    return at_ms;
}

/* What must arrive is sent again until it does, as TCP and QoS 1 do it; the rest may be lost for
 * good, which reports, acknowledgements and batches are made for. */
static bool must_arrive(enum serin_topic_kind kind)
{
    return kind == SERIN_TOPIC_DIRECTIVE || kind == SERIN_TOPIC_DEV_DIRECTIVE ||
           kind == SERIN_TOPIC_TRUST || kind == SERIN_TOPIC_HOLD;
}

static bool lost(struct sim *sim, const struct way *way)
{
    return sim_dice_share(sim, way->faults, way->dice, sim->config->scenario.drop) ||
           sim_dice_share(sim, way->faults, way->dice, sim->net->weather_drop);
}

/* How much later a message comes for what was lost of it; SIM_NEVER_MS: not at all. */
static uint64_t resent_ms(struct sim *sim, const struct way *way, enum serin_topic_kind kind)
{
    uint64_t later_ms = 0;
    for (unsigned tries = 0; lost(sim, way); tries++) {
        sim->result->dropped++;
        if (!must_arrive(kind) || tries == TRIES_MAX) {
            return SIM_NEVER_MS;
        }
        later_ms += sim_dice_between(sim, way->faults, way->dice, RESEND_MIN, RESEND_MAX);
    }
    return later_ms;
}

/* Over a link of the scenario: it may lose, double, delay or damage what it carries. */
static void carry(struct sim *sim, const struct way *way, struct sim_message *message)
{
    const struct serin_sim_scenario *scenario = &sim->config->scenario;
    enum serin_topic_kind kind = message->topic.kind;
    uint64_t later_ms = resent_ms(sim, way, kind);
    bool damaged =
        message->size > 0 && sim_dice_share(sim, way->faults, way->dice, scenario->corrupt);
    sim->result->corrupted += damaged ? 1u : 0u;
    if (later_ms == SIM_NEVER_MS || (damaged && !proves_itself(kind) && !must_arrive(kind))) {
        return;
    }
    uint64_t at_ms = arrival_ms(sim, way, message->size) + later_ms;
    if (damaged && proves_itself(kind)) {
        struct sim_message *wrong = corrupted(sim, way, message);
        if (wrong != NULL) {
            send_on(sim, at_ms, way, wrong);
            sim_message_drop(sim, wrong);
        }
        if (!must_arrive(kind)) {
            return;
        }
        at_ms += RESEND_MIN;
    }
    if (sim_dice_share(sim, way->faults, way->dice, scenario->reorder)) {
        at_ms += sim_dice_between(sim, way->faults, way->dice, ASTRAY_MIN, ASTRAY_MAX);
        sim->result->reordered++;
        deliver_at(sim, at_ms, way, message);
    } else {
        send_on(sim, at_ms, way, message);
    }
    if (sim_dice_share(sim, way->faults, way->dice, scenario->duplicate)) {
        sim->result->duplicated++;
        deliver_at(sim, at_ms + sim_dice_between(sim, way->faults, way->dice, 1, ASTRAY_MAX), way,
                   message);
    }
}

static void count_node(struct sim *sim, const struct sim_node *node, size_t size)
{
    sim->result->messages++;
    if (node->gateway == SIM_NOBODY) {
        sim->result->direct_bytes += size;
    } else {
        sim->result->site_bytes += size;
    }
}

static void count_uplink(struct sim *sim, const struct sim_message *message)
{
    sim->result->messages++;
    sim->result->uplink_bytes += message->size;
    if (message->topic.kind == SERIN_TOPIC_GW_BLOCK) {
        sim->result->objects_bytes += message->size;
    }
}

static void from_node(struct sim *sim, uint32_t broker, struct sim_message *message)
{
    struct sim_node *node = &sim->nodes[message->from.index];
    struct way way = {.latency = SIM_DICE_LINK,
                      .faults = SIM_DICE_FAULT,
                      .dice = message->from.index,
                      .free_ms = &node->up_free_ms,
                      .to = SIM_BROKER,
                      .index = broker};
    if (node->connected) {
        sim_prefetch(&sim->places[message->from.index], sizeof *sim->places);
        count_node(sim, node, message->size);
        sim->result->beats += message->topic.kind == SERIN_TOPIC_DEV_BEAT ? 1u : 0u;
        carry(sim, &way, message);
    }
}

static void from_gateway(struct sim *sim, uint32_t broker, struct sim_message *message)
{
    uint32_t gateway = message->from.index;
    struct sim_link *link =
        broker == SIM_CLOUD ? &sim->net->uplink[gateway] : &sim->net->site[gateway];
    struct way way = {.latency = SIM_DICE_UPLINK,
                      .faults = SIM_DICE_UPLINK,
                      .dice = gateway,
                      .free_ms = &link->up_free_ms,
                      .to = SIM_BROKER,
                      .index = broker};
    if (!link->up) {
        return;
    }
    if (broker == SIM_CLOUD) {
        count_uplink(sim, message);
        carry(sim, &way, message);
    } else {
        deliver_at(sim, sim->now_ms + LOCAL_MS, &way, message);
    }
}

void sim_publish(struct sim *sim, uint32_t broker, struct sim_from from, struct sim_topic topic,
                 const uint8_t *payload, size_t size, bool retained)
{
    struct sim_message *message = sim_message_new(sim, payload, size);
    if (message == NULL) {
        return;
    }
    message->topic = topic;
    message->from = from;
    message->retain = retained;
    if (from.actor == SIM_NODE) {
        from_node(sim, broker, message);
    } else if (from.actor == SIM_GATEWAY) {
        from_gateway(sim, broker, message);
    } else if (sim->net->server.up) {
        const struct way way = {.to = SIM_BROKER, .index = broker};
        deliver_at(sim, sim->now_ms + LOCAL_MS, &way, message);
    }
    sim_message_drop(sim, message);
}

void sim_net_to_node(struct sim *sim, uint32_t index, struct sim_message *message, bool retained)
{
    struct sim_node *node = &sim->nodes[index];
    struct way way = {.latency = SIM_DICE_LINK,
                      .faults = SIM_DICE_FAULT,
                      .dice = index,
                      .free_ms = &node->down_free_ms,
                      .to = SIM_NODE,
                      .index = index,
                      .what = node->connection | (retained ? WHAT_RETAINED : 0u)};
    if (node->connected) {
        count_node(sim, node, message->size);
        carry(sim, &way, message);
    }
}

/* To a process on the broker's own host. What a broker has taken from a link is there at once; what
 * an actor caused itself comes when it is done, so that nobody is called from within. */
static void to_local(struct sim *sim, const struct way *way, struct sim_message *message)
{
    if (sim->actor.actor != SIM_BROKER) {
        deliver_at(sim, sim->now_ms + LOCAL_MS, way, message);
        return;
    }
    const struct sim_event event = {.at_ms = sim->now_ms,
                                    .message = sim_message_keep(message),
                                    .what = way->what,
                                    .index_actor = way->index << 8 | way->to};
    struct sim_from broker = sim->actor;
    sim->actor = (struct sim_from){.actor = way->to, .index = way->index};
    sim_net_arrived(sim, &event);
    sim->actor = broker;
}

void sim_net_to_gateway(struct sim *sim, uint32_t gateway, enum sim_side side,
                        struct sim_message *message, bool retained)
{
    struct sim_link *link =
        side == SIM_UPLINK ? &sim->net->uplink[gateway] : &sim->net->site[gateway];
    struct way way = {.latency = SIM_DICE_UPLINK,
                      .faults = SIM_DICE_UPLINK,
                      .dice = gateway,
                      .free_ms = &link->down_free_ms,
                      .to = SIM_GATEWAY,
                      .index = gateway,
                      .what = link->number | (retained ? WHAT_RETAINED : 0u)};
    if (!link->up) {
        return;
    }
    if (side == SIM_UPLINK) {
        way.what |= WHAT_UPLINK;
        count_uplink(sim, message);
        carry(sim, &way, message);
    } else {
        to_local(sim, &way, message);
    }
}

void sim_net_to_server(struct sim *sim, struct sim_message *message, bool retained)
{
    const struct sim_link *link = &sim->net->server;
    const struct way way = {.to = SIM_SERVER,
                            .what = link->number | (retained ? WHAT_RETAINED : 0u)};
    if (link->up) {
        to_local(sim, &way, message);
    }
}

static void arrived_gateway(struct sim *sim, uint32_t gateway, const struct sim_event *event)
{
    enum sim_side side = (event->what & WHAT_UPLINK) != 0 ? SIM_UPLINK : SIM_SITE;
    const struct sim_link *link =
        side == SIM_UPLINK ? &sim->net->uplink[gateway] : &sim->net->site[gateway];
    const struct sim_message *message = event->message;
    if (link->up && link->number == WHAT_NUMBER(event->what)) {
        sim_gateway_message(sim, gateway, side, message->topic, message->payload, message->size,
                            (event->what & WHAT_RETAINED) != 0);
    }
}

static void arrived_node(struct sim *sim, uint32_t index, const struct sim_message *message,
                         uint32_t what)
{
    const struct sim_node *node = &sim->nodes[index];
    if (node->connected && node->connection == WHAT_NUMBER(what)) {
        sim_node_message(sim, index, message->topic, message->payload, message->size,
                         (what & WHAT_RETAINED) != 0);
    }
}

/* What came with the message that has just been delivered. */
static void arrived_train(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    struct sim_follower *train = node->train;
    node->train = NULL;
    node->train_ms = 0;
    for (struct sim_follower *next; train != NULL; train = next) {
        next = train->next;
        sim_note(sim, SIM_NOTE_MESSAGE, index,
                 (uint64_t)train->message->topic.kind << 32 | train->message->size);
        arrived_node(sim, index, train->message, train->what);
        sim_message_drop(sim, train->message);
        train->next = sim->net->free_followers;
        sim->net->free_followers = train;
    }
}

void sim_net_drop_trains(struct sim *sim)
{
    for (uint32_t i = 0; sim->nodes != NULL && i < sim->config->devices; i++) {
        struct sim_follower *train = sim->nodes[i].train;
        for (struct sim_follower *next; train != NULL; train = next) {
            next = train->next;
            sim_message_drop(sim, train->message);
            free(train);
        }
        sim->nodes[i].train = NULL;
    }
}

void sim_net_arrived(struct sim *sim, const struct sim_event *event)
{
    const struct sim_message *message = event->message;
    enum sim_actor to = (enum sim_actor)(event->index_actor & 0xFFu);
    uint32_t index = event->index_actor >> 8;
    bool retained = (event->what & WHAT_RETAINED) != 0;
    sim_note(sim, SIM_NOTE_MESSAGE, index, (uint64_t)message->topic.kind << 32 | message->size);
    switch (to) {
    case SIM_NODE:
        arrived_node(sim, index, message, event->what);
        if (sim->nodes[index].train_ms == sim->now_ms) {
            arrived_train(sim, index);
        }
        break;
    case SIM_GATEWAY:
        arrived_gateway(sim, index, event);
        break;
    case SIM_SERVER:
        if (sim->net->server.up && sim->net->server.number == WHAT_NUMBER(event->what)) {
            sim_server_message(sim, message->topic, message->payload, message->size, retained);
        }
        break;
    case SIM_BROKER:
        sim_broker_take(sim, index, event->message);
        break;
    case SIM_WORLD:
    case SIM_ACTOR_COUNT:
        SERIN_ASSERT(false);
        break;
    }
    sim_message_drop(sim, event->message);
}

void sim_net_weather(struct sim *sim, uint32_t drop)
{
    sim->net->weather_drop = drop;
}

/* ---- opening ---- */

enum serin_error sim_net_open(struct sim *sim)
{
    struct sim_net *net = calloc(1, sizeof *net);
    sim->net = net;
    if (net == NULL) {
        return SERIN_ERR_MEMORY;
    }
    net->site = calloc(sim->config->gateways + 1u, sizeof *net->site);
    net->uplink = calloc(sim->config->gateways + 1u, sizeof *net->uplink);
    return net->site != NULL && net->uplink != NULL ? SERIN_OK : SERIN_ERR_MEMORY;
}

void sim_net_close(struct sim *sim)
{
    if (sim->net == NULL) {
        return;
    }
    for (struct sim_message *message = sim->net->free, *next; message != NULL; message = next) {
        next = message->next;
        free(message);
    }
    for (struct sim_follower *follower = sim->net->free_followers, *next; follower != NULL;
         follower = next) {
        next = follower->next;
        free(follower);
    }
    free(sim->net->site);
    free(sim->net->uplink);
    free(sim->net);
}
