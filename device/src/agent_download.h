/*
 * The download, between the files that do it: its manifest (agent_manifest.c), then piece table and
 * image (agent_download.c).
 */
#ifndef SERIN_DEVICE_SRC_AGENT_DOWNLOAD_H
#define SERIN_DEVICE_SRC_AGENT_DOWNLOAD_H

#include "agent_internal.h"

/* Fetches of one part that fail its digest, before the attempt fails. */
#define SERIN_BAD_IN_A_ROW_MAX 5u

/* The account of the attempt that downloads. */
static inline struct serin_attempt_report *serin_download_account(struct serin_agent *agent)
{
    return &agent->record.attempts[agent->record.attempt_count - 1u];
}

/* Ends the attempt by `event`. SERIN_ERR_FLASH: not durable; nothing is fetched or written for it
 * any more, and serin_download_pursue tells it again. */
SERIN_MUST_USE enum serin_error serin_download_end(struct serin_agent *agent,
                                                   enum serin_attempt_event event,
                                                   enum serin_reason reason, uint32_t detail);

/* Takes bytes of the manifest, at fetch.position, into scratch. SERIN_ERR_TOO_LARGE: none has that
 * size. */
SERIN_MUST_USE enum serin_error serin_download_store_manifest(struct serin_agent *agent,
                                                              const uint8_t *data, uint32_t size);
/* A whole manifest of `size` bytes has arrived: keeps it, asks for it again, or ends the attempt.
 * SERIN_ERR_FLASH: it could not be kept, or that not be told. */
SERIN_MUST_USE enum serin_error serin_download_take_manifest(struct serin_agent *agent,
                                                             size_t size);
/* The same for the one in the download record, whose taking was not durable. It is judged again: no
 * word in memory stands for that. */
SERIN_MUST_USE enum serin_error serin_download_retake_manifest(struct serin_agent *agent);

#endif
