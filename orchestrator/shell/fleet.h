/*
 * The fleet: reports and beats of devices, and what they mean to the running rollouts.
 */
#ifndef SERIND_FLEET_H
#define SERIND_FLEET_H

#include "items.h"

#include <serin/orchestrator/store.h>

struct serind;

/* Loads the ids of all devices and whose they are; inside a transaction, after the sites. Errors of
 * the store; SERIN_ERR_NO_SPACE: more than devices_max; SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serind_fleet_load(struct serind *serind);

/* Takes the batch of the intake in, inside a pass, and empties it. */
void serind_fleet_take(struct serind *serind);

/* What the device says it runs, and where it belongs. */
void serind_fleet_describe(struct serin_device_record *record, const struct serind_item *item);

/* The device is no longer of the population of its rollout; inside a pass. */
void serind_fleet_leave(struct serind *serind, const struct serin_device_record *record);

#endif
