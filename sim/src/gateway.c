/* A simulated serin-gateway: its life, its turns (gateway.h). */
#include "gateway.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define REBOOTS 500000u /* of crashes, millionths: the machine goes, and not the program alone */

/* ---- open and close ---- */

static uint32_t buckets_for(uint32_t nodes)
{
    uint32_t count = 16;
    while (count < nodes) {
        count *= 2;
    }
    return count;
}

static enum serin_error make(struct sim_gateway *gateway)
{
    uint32_t nodes = gateway->node_count > 0 ? gateway->node_count : 1;
    gateway->bucket_count = buckets_for(nodes);
    gateway->sent_count = serin_sent_batches_for(nodes);
    gateway->relay_nodes = calloc(nodes, sizeof *gateway->relay_nodes);
    gateway->buckets = calloc(gateway->bucket_count, sizeof *gateway->buckets);
    gateway->nodes = calloc(nodes, sizeof *gateway->nodes);
    gateway->saved.nodes = calloc(nodes, sizeof *gateway->saved.nodes);
    gateway->dirty = calloc(nodes, sizeof *gateway->dirty);
    gateway->sent_batches = calloc(gateway->sent_count, sizeof *gateway->sent_batches);
    bool made = gateway->relay_nodes != NULL && gateway->buckets != NULL &&
                gateway->nodes != NULL && gateway->saved.nodes != NULL && gateway->dirty != NULL &&
                gateway->sent_batches != NULL;
    return made ? SERIN_OK : SERIN_ERR_MEMORY;
}

static void start(struct sim_gateway *gateway, bool same_boot)
{
    gateway->up = true;
    gateway->wake_ms = SIM_NEVER_MS;
    gateway->commit_ms = SIM_NEVER_MS;
    gateway->fill_ms = UINT64_MAX;
    gateway_orders_load(gateway, same_boot);
    gateway_relay_load(gateway);
    gateway_orders_begin(gateway);
}

enum serin_error sim_gateway_open(struct sim *sim, uint32_t gateway)
{
    struct sim_gateway *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return SERIN_ERR_MEMORY;
    }
    sim->gateways[gateway] = made;
    made->sim = sim;
    made->index = gateway;
    made->node_count = sim->first[gateway + 2u] - sim->first[gateway + 1u];
    enum serin_error error = make(made);
    if (error == SERIN_OK) {
        made->saved.incarnation = sim_dice(sim, SIM_DICE_GATEWAY, gateway) | 1u;
        start(made, true);
    }
    return error;
}

void sim_gateway_close(struct sim *sim, uint32_t gateway)
{
    struct sim_gateway *made = sim->gateways != NULL ? sim->gateways[gateway] : NULL;
    if (made == NULL) {
        return;
    }
    if (made->nodes != NULL && made->saved.nodes != NULL) {
        gateway_relay_forget(made);
        for (uint32_t i = 0; i < made->node_count; i++) {
            free(made->saved.nodes[i].report);
            free(made->nodes[i].beat);
        }
    }
    free(made->fill);
    free(made->whole);
    free(made->relay_nodes);
    free(made->buckets);
    free(made->nodes);
    free(made->saved.nodes);
    free(made->dirty);
    free(made->sent_batches);
    free(made);
    sim->gateways[gateway] = NULL;
}

/* ---- turns ---- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Deadlines of the machine's clock, in the simulation's time. */
static uint64_t simulated(uint64_t at_ms)
{
    if (at_ms == UINT64_MAX) {
        return SIM_NEVER_MS;
    }
    return at_ms > GATEWAY_BOOTED_MS ? at_ms - GATEWAY_BOOTED_MS : 0;
}

static void schedule(struct sim_gateway *gateway)
{
    uint64_t now_ms = gateway->sim->now_ms;
    uint64_t at_ms = gateway->commit_ms;
    at_ms = sooner(at_ms, simulated(gateway_relay_deadline_ms(gateway)));
    at_ms = sooner(at_ms, simulated(gateway_orders_deadline_ms(gateway)));
    at_ms = sooner(at_ms, simulated(gateway_fill_deadline_ms(gateway)));
    at_ms = at_ms > now_ms ? at_ms : now_ms;
    if (at_ms < gateway->wake_ms) {
        gateway->wake_ms = at_ms;
        sim_at(gateway->sim, at_ms, SIM_GATEWAY, gateway->index, 0);
    }
}

static void turn(struct sim_gateway *gateway)
{
    if (gateway->commit_ms <= gateway->sim->now_ms) {
        gateway->commit_ms = SIM_NEVER_MS;
        gateway_relay_commit(gateway);
        gateway_orders_commit(gateway);
    }
    gateway_relay_delivered(gateway);
    gateway_orders_tick(gateway);
    gateway_fill_tick(gateway);
    gateway_relay_send(gateway);
}

void sim_gateway_due(struct sim *sim, uint32_t gateway, uint32_t what)
{
    struct sim_gateway *at = sim->gateways[gateway];
    (void)what;
    if (at->up && at->wake_ms == sim->now_ms) {
        at->wake_ms = SIM_NEVER_MS;
        turn(at);
        schedule(at);
    }
}

void gateway_dirty(struct sim_gateway *gateway)
{
    if (gateway->commit_ms == SIM_NEVER_MS) {
        gateway->commit_ms = gateway->sim->now_ms + GATEWAY_COMMIT_MS;
    }
}

void sim_gateway_prefetch(const struct sim *sim, uint32_t gateway)
{
    const struct sim_gateway *at = sim->gateways[gateway];
    sim_prefetch(at, offsetof(struct sim_gateway, book) + sizeof at->book.signed_s);
    sim_prefetch(&at->book.fleets[0].lease_end_s, 1);
    sim_prefetch(&at->book.products[0], 1);
}

void sim_gateway_prefetch_node(const struct sim *sim, uint32_t node)
{
    const struct sim_place *place = &sim->places[node];
    if (place->relay != NULL) {
        sim_prefetch(place->relay, sizeof(struct serin_relay_node));
        sim_prefetch(place->account, sizeof(struct gateway_node));
        sim_prefetch(place->beat, 192);
    }
}

/* ---- links ---- */

void gateway_publish(struct sim_gateway *gateway, enum sim_side side, enum serin_topic_kind kind,
                     uint32_t whose, const uint8_t *payload, size_t size)
{
    bool retained =
        kind == SERIN_TOPIC_DIRECTIVE || kind == SERIN_TOPIC_TRUST || kind == SERIN_TOPIC_HOLD;
    sim_publish(gateway->sim, side == SIM_SITE ? gateway->index + 1u : SIM_CLOUD,
                (struct sim_from){SIM_GATEWAY, gateway->index}, (struct sim_topic){kind, whose},
                payload, size, retained);
}

void sim_gateway_link(struct sim *sim, uint32_t gateway, enum sim_side side, bool up)
{
    struct sim_gateway *at = sim->gateways[gateway];
    at->linked[side] = up;
    if (side == SIM_SITE && sim->config->check) {
        sim_check_site_link(sim, gateway);
    }
    if (!at->up) {
        return;
    }
    gateway_relay_delivered(at);
    gateway_fill_link(at, side, up);
    if (side == SIM_UPLINK) {
        serin_relay_link(&at->relay, up, gateway_now_ms(at));
        memset(at->flights, 0, sizeof at->flights);
    } else if (up) {
        gateway_orders_site(at);
    }
    schedule(at);
}

void sim_gateway_message(struct sim *sim, uint32_t gateway, enum sim_side side,
                         struct sim_topic topic, const uint8_t *payload, size_t size, bool retained)
{
    struct sim_gateway *at = sim->gateways[gateway];
    (void)retained;
    if (!at->up) {
        return;
    }
    if (side == SIM_SITE && topic.kind == SERIN_TOPIC_DEPOT_WANT) {
        gateway_fill_want(at, payload, size);
    } else if (side == SIM_SITE) {
        gateway_relay_node(at, topic, payload, size);
    } else if (topic.kind == SERIN_TOPIC_GW_ACKS) {
        gateway_relay_acks(at, payload, size);
    } else if (topic.kind == SERIN_TOPIC_GW_BLOCK) {
        gateway_fill_block(at, payload, size);
    } else {
        gateway_orders_message(at, topic.kind, payload, size);
    }
    schedule(at);
}

/* ---- what the world does to it ---- */

void sim_gateway_crash(struct sim *sim, uint32_t gateway)
{
    struct sim_gateway *at = sim->gateways[gateway];
    /* Signed time is stored every minute. */
    uint64_t stored_ms = gateway_now_ms(at) / 60000u * 60000u;
    if (at->book.signed_s != 0 && stored_ms > at->book.signed_at_ms) {
        at->saved.signed_s = serin_hold_now_s(&at->book, stored_ms);
        at->saved.signed_at_ms = stored_ms;
    }
    at->up = at->linked[SIM_SITE] = at->linked[SIM_UPLINK] = false;
    at->wake_ms = SIM_NEVER_MS;
    gateway_relay_forget(at);
    gateway_fill_forget(at);
    sim_note(sim, SIM_NOTE_GATEWAY, gateway, 0);
}

void sim_gateway_revive(struct sim *sim, uint32_t gateway)
{
    struct sim_gateway *at = sim->gateways[gateway];
    start(at, !sim_dice_share(sim, SIM_DICE_GATEWAY, gateway, REBOOTS));
    sim_note(sim, SIM_NOTE_GATEWAY, gateway, 1);
    schedule(at);
}
