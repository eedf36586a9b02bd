/*
 * What gateways say on gw/<gw>/reports and gw/<gw>/status (docs/spec/batch.md). A batch becomes
 * items of the intake, as if each node had said it, with the gateway that it came through.
 */
#ifndef SERIND_BATCHES_H
#define SERIND_BATCHES_H

#include <serin/error.h>

#include <stddef.h>
#include <stdint.h>

struct serind;

/* Takes a batch of the gateway; outside of a pass. What does not fit the intake is left: nobody
 * acknowledges it, so that it comes again. The errors say that the batch as a whole is malformed;
 * items that are count as malformed messages each. */
SERIN_MUST_USE enum serin_error serind_batch_heard(struct serind *serind, size_t broker,
                                                   const char *gateway, const uint8_t *payload,
                                                   size_t size);

/* Takes the status of a gateway. SERIN_ERR_DEVICE: it names another one; errors of the codec. */
SERIN_MUST_USE enum serin_error serind_status_heard(struct serind *serind, const char *gateway,
                                                    const uint8_t *payload, size_t size);

#endif
