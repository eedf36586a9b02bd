/* Within patching: checkpoints in their banks (patching.h draws one). */
#ifndef SERIN_DEVICE_SRC_PATCHING_KEEP_H
#define SERIN_DEVICE_SRC_PATCHING_KEEP_H

#include "patching.h"

/* Checks the header, and makes a decoder of it: errors of serin_patching_start, nothing written. */
SERIN_MUST_USE enum serin_error serin_patching_open(struct serin_patching *patching,
                                                    const struct serin_patching_job *job,
                                                    const uint8_t header[SERIN_DELTA_HEADER_SIZE]);

/* What a checkpoint takes of its bank, in whole write units. */
uint32_t serin_patching_record_size(const struct serin_patching *patching);

/* Whether a checkpoint is to be taken here. */
bool serin_patching_due(const struct serin_patching *patching);

/* Takes it. SERIN_ERR_FLASH. */
SERIN_MUST_USE enum serin_error serin_patching_keep(struct serin_patching *patching);

#endif
