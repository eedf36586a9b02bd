/*
 * What gateways say on gw/<gw>/reports and gw/<gw>/status (docs/spec/batch.md). A batch becomes
 * items of the intake, as if each node had said it, with the gateway that it came through.
 */
#ifndef SERIND_BATCHES_H
#define SERIND_BATCHES_H

#include <serin/site.h>

struct serind;

/* A batch of which reports are in the intake, until the pass has answered them: where all of them
 * are stored, one ack answers all (docs/spec/batch.md, section 3). */
struct serind_ticket {
    struct serin_batch_ack ack;
    uint32_t reports; /* that it holds, whatever became of them */
    uint32_t stored;  /* answered with stored and their own number */
    bool answered;
};

#define SERIND_TICKETS_MAX 64u /* a batch beyond is answered report by report */

/* Takes a batch of the gateway; outside of a pass. What does not fit the intake is left: nobody
 * acknowledges it, so that it comes again. So is what is above the gateway's rate. The errors say
 * that the batch as a whole is malformed; items that are count as malformed messages each. */
SERIN_MUST_USE enum serin_error serind_batch_heard(struct serind *serind, size_t broker,
                                                   const char *gateway, const uint8_t *payload,
                                                   size_t size);

/* A report of the batch was answered with stored and its own number. `ticket` is not 0. */
void serind_batch_report_stored(struct serind *serind, uint32_t ticket);
/* The ticket where all reports of the batch were; else NULL. */
const struct serind_ticket *serind_batch_stored(const struct serind *serind, uint32_t ticket);
/* Whether its ack is still to be given; true once. */
bool serind_batch_answer(struct serind *serind, uint32_t ticket);

/* Takes the status of a gateway. SERIN_ERR_DEVICE: it names another one; errors of the codec. */
SERIN_MUST_USE enum serin_error serind_status_heard(struct serind *serind, const char *gateway,
                                                    const uint8_t *payload, size_t size);

#endif
