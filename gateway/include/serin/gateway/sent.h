/*
 * What the last batches held, so that one word of serind acknowledges all reports of one
 * (docs/spec/batch.md, sections 1 and 2).
 *
 * Pure: all memory is the caller's. Nothing of it outlives a restart: a batch that is not known is
 * no batch of ours, and its reports go up again.
 */
#ifndef SERIN_GATEWAY_SENT_H
#define SERIN_GATEWAY_SENT_H

#include <serin/gateway/relay.h>

/* Batches that are remembered at least; and those that one report of each of the most nodes fills,
 * so that a site which comes back after days is not acknowledged in vain. */
#define SERIN_SENT_BATCHES_MIN 16u
#define SERIN_SENT_BATCHES_MAX \
    ((SERIN_RELAY_NODES_MAX + SERIN_BATCH_ITEMS_MAX - 1u) / SERIN_BATCH_ITEMS_MAX)

struct serin_sent_report {
    uint32_t node; /* of the relay; SERIN_RELAY_NONE: it is known no longer */
    uint64_t incarnation, number;
};

struct serin_sent_batch {
    uint64_t number; /* 0: the place is free */
    uint32_t crc32;  /* of its payload */
    size_t count;    /* 1 .. SERIN_BATCH_ITEMS_MAX */
    struct serin_sent_report reports[SERIN_BATCH_ITEMS_MAX];
};

/* Changed by the functions below alone. */
struct serin_sent {
    struct serin_sent_batch *batches;
    size_t batches_max, next;
};

/* How many batches are to be remembered for so many nodes. */
size_t serin_sent_batches_for(uint32_t nodes_max);

/* `batches` of batches_max places (≥ 1) are the caller's and live as long. */
void serin_sent_init(struct serin_sent *sent, struct serin_sent_batch *batches, size_t batches_max);

/* The first `count` of those picked go up as batch `number` (≥ 1), whose payload has this CRC; it
 * takes the place of the oldest. Their reports are taken down as the relay has them now. A batch
 * without reports is nothing to remember. */
void serin_sent_note(struct serin_sent *sent, const struct serin_relay *relay,
                     const struct serin_relay_item *items, size_t count, uint64_t number,
                     uint32_t crc32);

/* A node made room for another: its place in the relay is not its own any more. */
void serin_sent_forget(struct serin_sent *sent, uint32_t node);

/* The batch of that number and CRC, which is forgotten with this; it can be read until the next
 * note. NULL: it is not known. */
const struct serin_sent_batch *serin_sent_take(struct serin_sent *sent, uint64_t number,
                                               uint32_t crc32);

#endif
