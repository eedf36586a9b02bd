/*
 * Enrolment: who belongs to the fleet, and who speaks for whom (docs/spec/batch.md, section 3).
 */
#ifndef SERIND_ENROL_H
#define SERIND_ENROL_H

#include "items.h"

#include <serin/orchestrator/store.h>

struct serind;
struct serind_refusal;

/* Seconds until a device that waits for approval, or was refused, should try again. */
#define SERIND_PENDING_RETRY_S 60u
#define SERIND_REFUSED_RETRY_S 3600u

/* Loads who waits for approval; inside a transaction, after the devices. Errors of the store. */
SERIN_MUST_USE enum serin_error serind_enrol_load(struct serind *serind);

/* Gives an item its device's number, inside a pass: a device that is not known is enrolled or
 * turned away, one for which another speaks is refused, one that speaks for itself becomes direct.
 * Presence is dealt with, and has no device then. */
void serind_enrol_identify(struct serind *serind, struct serind_item *item);

/* Whether a gateway says that its node is of another product or channel than the record has. These
 * are fixed by the node's first word, and after an operator's move by the next. */
bool serind_enrol_strays(const struct serind_item *item, const struct serin_device_record *record);

/* An ack on the way that the item came. */
void serind_enrol_answer(struct serind *serind, const struct serind_item *item, uint64_t number,
                         enum serin_ack_status status, uint32_t retry_s);

/* Approves or refuses a device, inside a pass; an approved one is asked for its report.
 * SERIN_ERR_NOT_FOUND; errors of the store. */
SERIN_MUST_USE enum serin_error serind_enrol_decide(struct serind *serind, const char *id,
                                                    enum serin_enrolment enrolment,
                                                    struct serin_device_record *record);

/* Assigns a device to a gateway, or to itself where `to` is "", inside a pass, and asks it for its
 * report there. To the gateway that has it: its product and channel may change once.
 * SERIN_ERR_NOT_FOUND (the device, the gateway), SERIN_ERR_STATE (the gateway is refused, or has as
 * many nodes as it may), errors of the store; `refusal` says which. */
SERIN_MUST_USE enum serin_error serind_enrol_move(struct serind *serind, const char *id,
                                                  const char *to,
                                                  struct serin_device_record *record,
                                                  struct serind_refusal *refusal);

const char *serind_enrolment_text(enum serin_enrolment enrolment);

#endif
