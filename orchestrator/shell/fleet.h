/*
 * The fleet: reports and beats of devices, their enrolment, and what they mean to the running
 * rollouts.
 */
#ifndef SERIND_FLEET_H
#define SERIND_FLEET_H

#include <serin/orchestrator/store.h>

struct serind;

/* Seconds until a device that waits for approval, or was refused, should try again. */
#define SERIND_PENDING_RETRY_S 60u
#define SERIND_REFUSED_RETRY_S 3600u

/* Loads the ids of all devices; inside a transaction. Errors of the store; SERIN_ERR_NO_SPACE: more
 * than devices_max; SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serind_fleet_load(struct serind *serind);

/* Takes the batch of the intake in, inside a pass, and empties it. */
void serind_fleet_take(struct serind *serind);

/* Approves or refuses a device, inside a pass; an approved one is asked for its report.
 * SERIN_ERR_NOT_FOUND; errors of the store. */
SERIN_MUST_USE enum serin_error serind_fleet_decide(struct serind *serind, const char *id,
                                                    enum serin_enrolment enrolment,
                                                    struct serin_device_record *record);

const char *serind_enrolment_text(enum serin_enrolment enrolment);

#endif
