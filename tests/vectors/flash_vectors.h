/*
 * Makes the golden vectors of what lies in a device's flash: the boot log through every phase, a
 * slot's manifest sector with its `confirmed` marker, a trust bank, journal entries.
 */
#ifndef SERIN_VECTORS_FLASH_VECTORS_H
#define SERIN_VECTORS_FLASH_VECTORS_H

#include "vectors.h"

/* Lives through a provisioning, a confirmed and an abandoned trial on an emulated flash of 256 KiB
 * with sectors of 4 KiB and write units of 8 bytes, with bundle, trust record and root key of the
 * folder `v1`, and hands what lies in flash to `sink` by its path below v1/. False: a file is
 * missing, or a step failed. */
bool flash_vectors_make(const struct serin_crypto *crypto, const char *v1, vector_sink *sink,
                        void *arg);

#endif
