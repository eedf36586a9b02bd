/*
 * The seat of the device whose code runs: one bootloader's and one agent's configuration for all of
 * the fleet, pointed at a device before it is called. Private to node*.c.
 */
#ifndef SERIN_SIM_SEAT_H
#define SERIN_SIM_SEAT_H

#include "flash.h"
#include "world.h"

#include <serin/piece.h>

struct sim_seat {
    struct sim *sim;
    uint32_t index; /* who sits */
    struct serin_flash flash;
    struct serin_identity identity;
    struct serin_boot boot;
    struct serin_agent_config config;
    uint8_t common[SERIN_PIECE_SIZE]; /* scratch of devices that have no attempt in progress */
    void *free_scratch;               /* of attempts that are over; each begins with the next */
};

SERIN_MUST_USE enum serin_error sim_seat_open(struct sim *sim); /* SERIN_ERR_MEMORY */
void sim_seat_close(struct sim *sim);

/* Seats a device. Whatever ran before is done. */
struct sim_node *sim_seat(struct sim *sim, uint32_t index);

/* An event for the agent of the device that sits and is ON. What the agent asked for, or what
 * befell it, is left to sim_node_settle. */
enum serin_error sim_seat_step(struct sim *sim, const struct serin_agent_event *event);

/* The bootloader, and the start of the agent, of the device that sits. False: nothing boots, or the
 * power went. */
bool sim_seat_boot(struct sim *sim, enum serin_reset_cause cause);

/* Gives the scratch of an attempt to a device, or takes it back. */
void sim_seat_scratch(struct sim *sim, struct sim_node *node);

/* ---- what it knows (node_heard.c) ---- */

/* A boot: only what is durable is still known. */
void sim_heard_reset(struct sim *sim, struct sim_node *node);
/* The agent took in what a directive, or a hold, says. */
void sim_heard_message(struct sim *sim, struct sim_node *node, struct sim_topic topic,
                       const uint8_t *payload, size_t size);

/* ---- what it does (node_app.c) ---- */

/* It has booted: when its application, or the candidate's fault, acts. */
void sim_app_booted(struct sim *sim, struct sim_node *node);
/* Its application acts (app_ms); the candidate's fault does (fault_ms). */
void sim_app_due(struct sim *sim, struct sim_node *node);
void sim_app_fault(struct sim *sim, struct sim_node *node);
/* It confirmed the candidate. */
void sim_app_confirmed(struct sim *sim, struct sim_node *node);
/* Errors that its application counted since boot. */
uint64_t sim_app_errors(struct sim *sim, struct sim_node *node);
/* Which fault of the scenario the candidate has on it. */
void sim_app_choose(struct sim *sim, struct sim_node *node, uint32_t index);

/* ---- its life (node.c) ---- */

/* A reset from within: the agent's end, and a boot of this cause. */
void sim_node_reset(struct sim *sim, uint32_t index, enum serin_reset_cause cause);
/* Its link falls; it comes again within so long; SIM_NEVER_MS: not by itself. */
void sim_node_drop(struct sim *sim, uint32_t index, uint64_t within_ms);

#endif
