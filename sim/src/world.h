/*
 * What the parts of the world share with each other and with nobody else: the release, the depots,
 * the network and the devices (sim_internal.h says the rest).
 */
#ifndef SERIN_SIM_WORLD_H
#define SERIN_SIM_WORLD_H

#include "queue.h"
#include "sim_internal.h"

#include <serin/credit.h>

/* ---- the release (release.c) ---- */

/* Keys, trust record, images, manifests and piece tables, from the seed and the signers.
 * SERIN_ERR_MEMORY, errors of the signers. */
SERIN_MUST_USE enum serin_error sim_release_open(struct sim *sim);
void sim_release_close(struct sim *sim); /* also where it was never opened */

/* Layout, pool and the flash of a device as it leaves the factory, with version 1.0.0.
 * SERIN_ERR_MEMORY, errors of provisioning. */
SERIN_MUST_USE enum serin_error sim_factory_open(struct sim *sim);
void sim_factory_close(struct sim *sim);
/* A device's own flash, as a copy of the factory's. SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error sim_factory_flash(struct sim *sim, struct sim_flash *flash,
                                                  uint64_t seed);
/* Whether the slot's image, byte by byte, is that of the release. */
bool sim_factory_verified(const struct sim *sim, const struct sim_flash *flash,
                          enum serin_slot slot, const struct sim_release *release);

/* ---- depots (depot.c) ---- */

SERIN_MUST_USE enum serin_error sim_depots_open(struct sim *sim); /* SERIN_ERR_MEMORY */
void sim_depots_close(struct sim *sim);                           /* also where never opened */
/* From now on what it serves of images is the older one's, or no longer. */
void sim_depot_stale(struct sim *sim, uint32_t gateway, bool stale);

/* ---- network (net.c, net_links.c) ---- */

/* A message under way or retained. */
struct sim_message {
    uint32_t users;
    struct sim_topic topic;
    struct sim_from from;
    bool retain; /* to be retained */
    uint32_t size;
    struct sim_message *next; /* among the free ones */
    uint8_t payload[];
};

enum sim_broker_what { /* of broker events without a message */
                       SIM_BROKER_LINK_SERVER = 1,
                       SIM_BROKER_LINK_SITE,   /* index: a gateway */
                       SIM_BROKER_LINK_UPLINK, /* index: a gateway */
                       SIM_BROKER_PARKED, /* index: a broker; its plugin has requests that wait */
                       SIM_BROKER_UP      /* index: a broker */
};

SERIN_MUST_USE enum serin_error sim_net_open(struct sim *sim); /* SERIN_ERR_MEMORY */
void sim_net_close(struct sim *sim);

struct sim_message *sim_message_new(struct sim *sim, const uint8_t *payload, size_t size);
struct sim_message *sim_message_keep(struct sim_message *message);   /* one user more */
void sim_message_drop(struct sim *sim, struct sim_message *message); /* NULL is fine */

/* Sends what a broker has for a connection: over its link, with latency and faults. */
void sim_net_to_node(struct sim *sim, uint32_t node, struct sim_message *message, bool retained);
void sim_net_to_gateway(struct sim *sim, uint32_t gateway, enum sim_side side,
                        struct sim_message *message, bool retained);
void sim_net_to_server(struct sim *sim, struct sim_message *message, bool retained);

/* A message's way ends here: `event` holds it. */
void sim_net_arrived(struct sim *sim, const struct sim_event *event);
/* At the end: what is still under way behind another message. */
void sim_net_drop_trains(struct sim *sim);

/* A device connects: false, and nothing happens, where its broker is down. */
bool sim_net_connect(struct sim *sim, uint32_t node);
void sim_net_disconnect(struct sim *sim, uint32_t node);

/* A gateway's uplink is cut, or comes back. */
void sim_net_away(struct sim *sim, uint32_t gateway, bool away);

/* A broker has gone down, or come back: so do the connections of gateways and the server. */
void sim_net_broker(struct sim *sim, uint32_t broker, bool up);
/* A connection of the server, or of a gateway, is due. */
void sim_net_link_due(struct sim *sim, uint32_t index, enum sim_broker_what what);

/* What the weather adds to every link's losses. */
void sim_net_weather(struct sim *sim, uint32_t drop);

/* ---- brokers (broker.c) ---- */

SERIN_MUST_USE enum serin_error sim_brokers_open(struct sim *sim); /* SERIN_ERR_MEMORY */
void sim_brokers_close(struct sim *sim);

bool sim_broker_is_up(const struct sim *sim, uint32_t broker);
/* It goes down and comes back after `for_ms`; with its retained messages as of `at_ms`, and the
 * guard's memory with them, unless that is SIM_NEVER_MS. */
void sim_broker_restart(struct sim *sim, uint32_t broker, uint64_t for_ms, uint64_t at_ms);
/* A message has come to a broker. */
void sim_broker_take(struct sim *sim, uint32_t broker, struct sim_message *message);
/* What is retained for who has just connected. */
void sim_broker_greet_node(struct sim *sim, uint32_t node);
void sim_broker_greet_gateway(struct sim *sim, uint32_t gateway, enum sim_side side);
void sim_broker_greet_server(struct sim *sim);
/* The channel's directive as the broker retains it; NULL: none. And its order, 0.0 with none. */
const struct sim_message *sim_broker_directive(const struct sim *sim, uint32_t broker);
struct serin_order sim_broker_order(const struct sim *sim, uint32_t broker);
/* A device's own directive as its broker retains it; NULL: none. */
const struct sim_message *sim_broker_own(const struct sim *sim, uint32_t broker, uint32_t node);

/* ---- the plugin of a broker (plugin.c) ---- */

SERIN_MUST_USE enum serin_error sim_plugins_open(struct sim *sim); /* SERIN_ERR_MEMORY */
void sim_plugins_close(struct sim *sim);
/* A request; `message` is DEV_GET or GW_GET. */
void sim_plugin_get(struct sim *sim, uint32_t broker, const struct sim_message *message);
void sim_plugin_have(struct sim *sim, uint32_t broker, const struct sim_message *message);
void sim_plugin_tick(struct sim *sim, uint32_t broker);
/* The client is gone: nothing is in flight to it, and nothing of it waits. */
void sim_plugin_leave(struct sim *sim, struct sim_from client);
/* The directive that the guard holds now says this. */
void sim_plugin_directive(struct sim *sim, uint32_t broker,
                          const struct serin_directive *directive);

/* ---- devices (node.c, node_boot.c) ---- */

static inline uint32_t sim_node_broker(const struct sim_node *node)
{
    return node->gateway == SIM_NOBODY ? SIM_CLOUD : node->gateway + 1u;
}

SERIN_MUST_USE enum serin_error sim_nodes_open(struct sim *sim); /* SERIN_ERR_MEMORY */
void sim_nodes_close(struct sim *sim);
/* Asks for its memory before it is needed: by its alarm (NULL), or by this message. */
void sim_node_prefetch(const struct sim *sim, uint32_t node, const struct sim_message *message);
/* And the last transition of its agent's attempt, where its record is there by then. */
void sim_node_prefetch_state(const struct sim *sim, uint32_t node);
/* And its agent's log, where its flash is known by then. */
void sim_node_prefetch_log(const struct sim *sim, uint32_t node);
/* What has come for a device. */
void sim_node_message(struct sim *sim, uint32_t node, struct sim_topic topic,
                      const uint8_t *payload, size_t size, bool retained);
/* Its broker went down. */
void sim_node_unlinked(struct sim *sim, uint32_t node);
/* Its broker is back, or the weather: it may connect. */
void sim_node_relink(struct sim *sim, uint32_t node, uint64_t within_ms);
/* The power goes, for so long. */
void sim_node_cut(struct sim *sim, uint32_t node, uint64_t for_ms);
/* The weather cuts it off, or lets it come back. */
void sim_node_away(struct sim *sim, uint32_t node, bool away);

/* ---- what the scenario has in store (events.c) ---- */

SERIN_MUST_USE enum serin_error sim_events_open(struct sim *sim); /* SERIN_ERR_MEMORY */
void sim_events_close(struct sim *sim);
void sim_events_due(struct sim *sim, uint32_t index, uint32_t what);

enum sim_world_what {
    SIM_WORLD_LOOK = 1,  /* whether the run is over */
    SIM_WORLD_EVENT,     /* index: of the scenario's event */
    SIM_WORLD_EVENT_END, /* the same */
    SIM_WORLD_WEATHER,   /* index: of the scenario's weather */
    SIM_WORLD_WEATHER_END
};

#endif
