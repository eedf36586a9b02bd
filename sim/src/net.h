/*
 * What the two files of the network share: net.c carries messages over links, net_links.c makes and
 * ends the connections that links are.
 */
#ifndef SERIN_SIM_NET_H
#define SERIN_SIM_NET_H

#include "world.h"

/* A process's connection to a broker. */
struct sim_link {
    bool there, away, up;
    uint16_t number; /* of the connection */
    uint64_t up_free_ms, down_free_ms;
};

/* What arrives together with a message: it was sent while that was still under way. */
struct sim_follower {
    struct sim_follower *next;
    struct sim_message *message;
    uint32_t what;
};

struct sim_net {
    struct sim_link server;
    struct sim_link *site, *uplink; /* by gateway */
    uint32_t weather_drop;
    struct sim_message *free;
    struct sim_follower *free_followers;
};

#endif
