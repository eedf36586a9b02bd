/*
 * The intake: events of the MQTT clients, decoded and sorted. Reports and beats wait in a batch for
 * the next pass; what concerns retained messages, connections and presence is dealt with at once.
 *
 * Reports go into the pass of the same turn. Beats may wait for SERIND_BEAT_WAIT_MS, so that a
 * fleet of quiet devices costs one commit a second and not one each.
 */
#ifndef SERIND_INTAKE_H
#define SERIND_INTAKE_H

#include "batches.h"
#include "items.h"

/* Items of one pass. It is full where the batch of a gateway might not fit any more. */
#define SERIND_BATCH_MAX    768u
#define SERIND_BATCH_FULL   (SERIND_BATCH_MAX - SERIN_BATCH_ITEMS_MAX)
#define SERIND_BEAT_WAIT_MS 1000u
#define SERIND_SETTLE_MS    1000u /* retained messages have arrived so long after connecting */

struct serind;

struct serind_intake {
    struct serind_item *batch;        /* SERIND_BATCH_MAX of them */
    struct serind_unpacked *unpacked; /* the batch of a gateway that is being taken */
    struct serind_ticket *tickets;    /* SERIND_TICKETS_MAX of them */
    size_t count;
    uint32_t ticket_count;
    size_t first_broker;               /* modulo their number: who is drained first next time */
    bool urgent;                       /* there is a report among them */
    uint64_t oldest_at_ms;             /* monotonic; of the first item */
    uint64_t said_at_ms;               /* monotonic; when a malformed message was last logged */
    uint64_t malformed;                /* such messages, in all */
    uint32_t refusal_minute, refusals; /* devices turned away in this minute */
};

/* SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serind_intake_init(struct serind *serind);
void serind_intake_free(struct serind *serind);

/* Takes an item of the batch of a gateway, which comes from the site; `ticket` is its batch's. */
void serind_intake_batch_item(struct serind *serind, size_t broker, uint32_t site, uint32_t ticket,
                              const struct serin_batch_item *item);

/* Nothing waits any more: it was taken, or is left to come again. */
void serind_intake_empty(struct serind *serind);

/* Takes events until all clients are drained or the batch is full; outside of a pass. Returns
 * whether there may be more. */
bool serind_intake_drain(struct serind *serind);

/* Whether the batch should be taken in now. */
bool serind_intake_due(const struct serind *serind);

/* Notices what time brings: a broker's retained messages have been heard. */
void serind_intake_tend(struct serind *serind);

#endif
