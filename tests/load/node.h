/*
 * One node: the device core on flash in memory, its connection, and its account.
 *
 * A node wakes at its time, boots, connects, and does what its agent wants. A reset that the agent
 * asks for drops the connection and boots again. Times are ms since the fleet's start.
 */
#ifndef SERIN_LOAD_NODE_H
#define SERIN_LOAD_NODE_H

#include "client.h"
#include "factory.h"
#include "figures.h"

#include <serin/device/agent.h>
#include <serin/piece.h>

/* What the nodes of a fleet share. */
struct load_shared {
    const struct load_options *options;
    const struct load_factory *factory;
    uint32_t connecting;      /* connections that are being made */
    uint64_t failures;        /* connections that came to nothing, or were lost */
    const char *last_failure; /* NULL: none */
    struct load_traffic sent, received;
};

struct load_node {
    struct load_shared *shared;
    uint32_t index;

    /* the device */
    struct load_flash *flash;
    struct serin_identity identity;
    struct serin_boot boot;
    struct serin_agent_config config;
    struct serin_agent *agent;
    bool booted;
    uint64_t wake_ms, booted_ms;
    bool reset_asked;
    uint8_t scratch[SERIN_PIECE_SIZE];

    /* the connection */
    struct load_client_config client_config;
    struct load_client client;
    bool told_up;        /* the agent knows that it is connected */
    uint64_t connect_ms; /* DOWN: when to try; CONNECTING: when to give up */
    uint64_t keep_ms;    /* UP: when keep-alive is looked at */
    uint32_t retry_ms;   /* the longest next wait */

    uint64_t now_ms; /* of the call that is being served */
    struct load_account account;
};

#define LOAD_PATH_MAX 1024u

/* Where a node's certificate ("pem") and key ("key") are. */
void load_node_file(const struct load_options *options, const char *id, const char *suffix,
                    char path[LOAD_PATH_MAX]);

/* Makes the node at `index`; it boots at `wake_ms`. `node` stays where it is; it is closed in any
 * case. SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error load_node_open(struct load_node *node, struct load_shared *shared,
                                               uint32_t index, uint64_t wake_ms);
void load_node_close(struct load_node *node);

/* Does what is due. */
void load_node_serve(struct load_node *node, uint64_t now_ms);

/* Serves what epoll told of its connection. */
void load_node_pump(struct load_node *node, uint64_t now_ms, uint32_t events);

/* When it wants to be served. */
uint64_t load_node_due_ms(const struct load_node *node);

/* Its account, brought up to date. */
const struct load_account *load_node_account(struct load_node *node);

#endif
