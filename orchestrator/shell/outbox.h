/*
 * The outbox: acks that wait for their pass to be committed.
 */
#ifndef SERIND_OUTBOX_H
#define SERIND_OUTBOX_H

#include <serin/wire.h>

#define SERIND_OUTBOX_MAX 1024u /* more than a pass takes in */

struct serind;

struct serind_letter {
    size_t broker;
    char device_id[SERIN_ID_MAX + 1];
    struct serin_ack ack;
};

struct serind_outbox {
    size_t count;
    struct serind_letter list[SERIND_OUTBOX_MAX];
};

/* Adds an ack. A full outbox drops it: the device resends. */
void serind_outbox_ack(struct serind *serind, size_t broker, const char *device_id,
                       const struct serin_ack *ack);

/* Publishes all of it and empties it. */
void serind_outbox_send(struct serind *serind);

#endif
