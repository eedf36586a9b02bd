/*
 * A log of records over two banks: the newest valid record is the state (docs/spec/flash.md,
 * section 4).
 *
 *   offset   size  field
 *   ------  -----  -----------------------------------------------------------
 *        0      4  magic of the log; its first byte is neither 0x00 nor 0xFF
 *        4      4  sequence, ≥ 1, grows by one with each record
 *        8      n  payload
 *    8 + n      p  zero, so that the record fills whole write units
 *   s - 4       4  CRC-32/ISO-HDLC of bytes 0 .. s-5
 *
 * A record is programmed once and never touched again. A bank is erased only when the other holds a
 * newer valid record, or when neither holds any. A torn append leaves the last record standing and
 * its place unused until the next erase.
 */
#ifndef SERIN_DEVICE_SRC_RECLOG_H
#define SERIN_DEVICE_SRC_RECLOG_H

#include <serin/device/flash.h>

#define SERIN_RECLOG_OVERHEAD   12u
#define SERIN_RECLOG_STRIDE_MAX 1024u

struct serin_reclog {
    const struct serin_flash *flash;
    struct serin_region region;
    uint32_t magic;
    uint32_t payload_size; /* ≤ SERIN_RECLOG_STRIDE_MAX - SERIN_RECLOG_OVERHEAD */
};

/* Reads the newest valid record. SERIN_ERR_NOT_FOUND: there is none; nothing is written. `sequence`
 * may be NULL. */
SERIN_MUST_USE enum serin_error serin_reclog_read(const struct serin_reclog *log, void *payload,
                                                  uint32_t *sequence);

/* Appends a record and reads it back. SERIN_ERR_FLASH: it is not durable; the last record still
 * stands. */
SERIN_MUST_USE enum serin_error serin_reclog_append(const struct serin_reclog *log,
                                                    const void *payload);

/* Erases both banks: for the factory. */
SERIN_MUST_USE enum serin_error serin_reclog_format(const struct serin_reclog *log);

#endif
