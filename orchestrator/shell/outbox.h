/*
 * The outbox: acks on their way; those for nodes of one gateway go together, and those for all
 * reports of one batch are one word. Those of the pass under way wait for its commit; committed
 * ones go out as the MQTT client has room for them, and are dropped where their broker is gone: the
 * device resends, and is answered then.
 */
#ifndef SERIND_OUTBOX_H
#define SERIND_OUTBOX_H

#include <serin/site.h>

#define SERIND_OUTBOX_MAX 8192u

struct serind;

struct serind_letter {
    size_t broker;
    uint32_t site; /* the gateway that it goes through; 0: to the device itself */
    bool gone;
    bool whole;      /* it is for a batch, not for one device */
    uint32_t ticket; /* while its pass is under way: the batch's (batches.h); 0: none */
    char device_id[SERIN_ID_MAX + 1];
    union {
        struct serin_ack ack;
        struct serin_batch_ack batch; /* whole */
    };
};

struct serind_outbox {
    struct serind_letter *list; /* SERIND_OUTBOX_MAX of them */
    size_t committed;           /* the first so many may go out */
    size_t count;               /* the rest belongs to the pass under way */
    uint64_t dropped;           /* since it was last said */
};

/* SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serind_outbox_init(struct serind *serind);
void serind_outbox_free(struct serind *serind);

/* Adds an ack, inside a pass. A full outbox drops it. `ticket`: it says of a report of that batch
 * that it is stored under its own number; else 0. */
void serind_outbox_ack(struct serind *serind, size_t broker, uint32_t site, uint32_t ticket,
                       const char *device_id, const struct serin_ack *ack);

/* At the end of a pass's reports: puts one ack in the place of all those of a batch whose reports
 * are all stored (serind_batch_stored), where the first of them stood. */
void serind_outbox_fold(struct serind *serind);

/* The end of a pass: its acks may go out, or never will. */
void serind_outbox_keep(struct serind *serind);
void serind_outbox_undo(struct serind *serind);

/* Publishes as many committed acks as there is room for. */
void serind_outbox_send(struct serind *serind);

#endif
