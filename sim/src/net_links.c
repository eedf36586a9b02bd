/*
 * Connections: of a device, of a gateway to both of its brokers, of serind to the cloud's. One that
 * ends takes what is under way with it; one that comes back hears what its broker retains.
 */
#include "net.h"

#define RECONNECT_MIN 200u
#define RECONNECT_MAX 2000u

static void tell_presence(struct sim *sim, uint32_t node, bool online)
{
    const struct serin_presence presence = {.online = online, .time_s = sim_unix_s(sim)};
    uint8_t payload[SERIN_PRESENCE_MAX];
    size_t size = 0;
    uint32_t gateway = sim->nodes[node].gateway;
    if (sim->codec->encode_presence(&presence, payload, sizeof payload, &size) != SERIN_OK) {
        return;
    }
    struct sim_message *message = sim_message_new(sim, payload, size);
    if (message == NULL) {
        return;
    }
    message->topic = (struct sim_topic){.kind = SERIN_TOPIC_PRESENCE, .index = node};
    if (gateway == SIM_NOBODY) {
        sim_net_to_server(sim, message, false);
    } else {
        sim_net_to_gateway(sim, gateway, SIM_SITE, message, false);
    }
    sim_message_drop(sim, message);
}

bool sim_net_connect(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    if (!sim_broker_is_up(sim, sim_node_broker(node))) {
        return false;
    }
    node->connected = true;
    node->connection++;
    node->up_free_ms = node->down_free_ms = sim->now_ms;
    sim_note(sim, SIM_NOTE_LINK, index, 1);
    tell_presence(sim, index, true);
    sim_broker_greet_node(sim, index);
    return true;
}

void sim_net_disconnect(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    if (!node->connected) {
        return;
    }
    node->connected = false;
    sim_note(sim, SIM_NOTE_LINK, index, 0);
    sim_plugin_leave(sim, (struct sim_from){.actor = SIM_NODE, .index = index});
    if (sim_broker_is_up(sim, sim_node_broker(node))) {
        tell_presence(sim, index, false);
    }
}

static void link_raise(struct sim *sim, struct sim_link *link)
{
    link->up = true;
    link->number++;
    link->up_free_ms = link->down_free_ms = sim->now_ms;
}

static void link_server(struct sim *sim)
{
    struct sim_link *link = &sim->net->server;
    if (link->there && !link->up && sim_broker_is_up(sim, SIM_CLOUD)) {
        link_raise(sim, link);
        sim_server_link(sim, true);
        sim_broker_greet_server(sim);
    }
}

static void link_gateway(struct sim *sim, uint32_t gateway, enum sim_side side)
{
    struct sim_link *link =
        side == SIM_UPLINK ? &sim->net->uplink[gateway] : &sim->net->site[gateway];
    uint32_t broker = side == SIM_UPLINK ? SIM_CLOUD : gateway + 1u;
    if (link->there && !link->away && !link->up && sim_broker_is_up(sim, broker)) {
        link_raise(sim, link);
        sim_note(sim, SIM_NOTE_LINK, gateway, side == SIM_UPLINK ? 3 : 2);
        sim_gateway_link(sim, gateway, side, true);
        sim_broker_greet_gateway(sim, gateway, side);
    }
}

static void unlink_gateway(struct sim *sim, uint32_t gateway, enum sim_side side)
{
    struct sim_link *link =
        side == SIM_UPLINK ? &sim->net->uplink[gateway] : &sim->net->site[gateway];
    if (link->up) {
        link->up = false;
        sim_plugin_leave(sim, (struct sim_from){.actor = SIM_GATEWAY, .index = gateway});
        sim_gateway_link(sim, gateway, side, false);
    }
}

void sim_net_link_due(struct sim *sim, uint32_t index, enum sim_broker_what what)
{
    if (what == SIM_BROKER_LINK_SERVER) {
        link_server(sim);
    } else {
        link_gateway(sim, index, what == SIM_BROKER_LINK_UPLINK ? SIM_UPLINK : SIM_SITE);
    }
}

void sim_net_server(struct sim *sim, bool there)
{
    struct sim_link *link = &sim->net->server;
    link->there = there;
    if (there) {
        uint64_t wait_ms = sim_dice_between(sim, SIM_DICE_SERVER, 0, RECONNECT_MIN, RECONNECT_MAX);
        sim_at(sim, sim->now_ms + wait_ms, SIM_BROKER, 0, SIM_BROKER_LINK_SERVER);
    } else if (link->up) {
        link->up = false;
        sim_server_link(sim, false);
    }
}

static void relink_gateway(struct sim *sim, uint32_t gateway, enum sim_broker_what what)
{
    uint64_t wait_ms =
        sim_dice_between(sim, SIM_DICE_UPLINK, gateway, RECONNECT_MIN, RECONNECT_MAX);
    sim_at(sim, sim->now_ms + wait_ms, SIM_BROKER, gateway, what);
}

void sim_net_gateway(struct sim *sim, uint32_t gateway, bool there)
{
    sim->net->site[gateway].there = sim->net->uplink[gateway].there = there;
    if (there) {
        relink_gateway(sim, gateway, SIM_BROKER_LINK_SITE);
        relink_gateway(sim, gateway, SIM_BROKER_LINK_UPLINK);
    } else {
        unlink_gateway(sim, gateway, SIM_SITE);
        unlink_gateway(sim, gateway, SIM_UPLINK);
    }
}

void sim_net_away(struct sim *sim, uint32_t gateway, bool away)
{
    sim->net->uplink[gateway].away = away;
    if (away) {
        unlink_gateway(sim, gateway, SIM_UPLINK);
    } else {
        relink_gateway(sim, gateway, SIM_BROKER_LINK_UPLINK);
    }
}

void sim_net_broker(struct sim *sim, uint32_t broker, bool up)
{
    uint32_t first = broker == SIM_CLOUD ? 0 : broker - 1u;
    uint32_t end = broker == SIM_CLOUD ? sim->config->gateways : broker;
    enum sim_broker_what what = broker == SIM_CLOUD ? SIM_BROKER_LINK_UPLINK : SIM_BROKER_LINK_SITE;
    for (uint32_t gateway = first; gateway < end; gateway++) {
        if (up) {
            relink_gateway(sim, gateway, what);
        } else {
            unlink_gateway(sim, gateway, broker == SIM_CLOUD ? SIM_UPLINK : SIM_SITE);
        }
    }
    if (broker == SIM_CLOUD) {
        struct sim_link *link = &sim->net->server;
        bool there = link->there;
        if (up && there) {
            sim_net_server(sim, true);
        } else if (!up) {
            sim_net_server(sim, false);
            link->there = there;
        }
    }
}

bool sim_server_connected(const struct sim *sim)
{
    return sim->net->server.up;
}

bool sim_gateway_connected(const struct sim *sim, uint32_t gateway, enum sim_side side)
{
    return side == SIM_UPLINK ? sim->net->uplink[gateway].up : sim->net->site[gateway].up;
}
