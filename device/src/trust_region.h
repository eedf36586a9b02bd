/*
 * The trust region: two banks that hold the same trust record; while an update is under way, or was
 * cut, the newest valid one counts (docs/spec/flash.md, section 7).
 *
 *   offset size  field of a bank
 *        0    4  magic "SRNK"
 *        4    4  size of the record, bytes
 *        8    4  CRC-32/ISO-HDLC of the record
 *       12    4  CRC-32/ISO-HDLC of bytes 0..11
 *       16    n  the record, as signed by root
 */
#ifndef SERIN_DEVICE_SRC_TRUST_REGION_H
#define SERIN_DEVICE_SRC_TRUST_REGION_H

#include <serin/device/boot.h>

#define SERIN_TRUST_VERSION_OFFSET 12u /* of the version in a record; serin/trust.h */

/* Reads the trust record that counts within `run`, whose evidence, from the start, then is
 * SERIN_PROOF_TRUST_REGION. Errors as serin_trust_region_read. */
SERIN_MUST_USE enum serin_error serin_trust_region_prove(const struct serin_boot *boot,
                                                         struct serin_trust *trust,
                                                         struct serin_run *run);

/* serin_trust_region_update, by who has `known`, which verified before, or NULL: where neither bank
 * reads now it counts for what stands there, so that no older record is taken, nor one that would
 * not let what runs boot; the same one once more is, and mends the region. */
SERIN_MUST_USE enum serin_error serin_trust_region_renew(const struct serin_boot *boot,
                                                         const struct serin_trust *known,
                                                         const uint8_t *record, size_t size);

/* Bytes that a bank needs at least. */
uint32_t serin_trust_bank_size(const struct serin_flash *flash);

#endif
