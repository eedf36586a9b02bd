/*
 * A log of records over two banks: the newest valid record is the state (docs/spec/flash.md,
 * section 4).
 *
 *   offset   size  field
 *   ------  -----  -----------------------------------------------------------
 *        0      4  magic of the log; its first byte is neither 0x00 nor 0xFF
 *        4      4  sequence, ≥ 1, grows with each record
 *        8      n  payload
 *    8 + n      p  zero, so that the record fills whole write units
 *   s - 4       4  CRC-32/ISO-HDLC of bytes 0 .. s-5
 *
 * A record is programmed once and never touched again, and a bank is erased only when the other
 * holds as new a record as it does, proved by reading it twice. A torn append leaves the last
 * record standing and its place unused until the next erase.
 *
 * Each record stands in both banks. A bank that does not hold the newest one whole, for whatever
 * reason (rot, a cut between the two copies, words that do not read), is suspect: the next append
 * writes to the other bank first, then erases the suspect one and puts a fresh copy into it. So rot
 * of any record, and the loss of a whole bank, change nothing that is read.
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
    /* Nothing was appended since a reset that may have cut an append: a program that was cut at its
     * very beginning reads erased, and must not be programmed again. The next place is left out,
     * and the sequence, too, that a torn record may bear. */
    bool after_reset;
    /* The log counts as lost, as nothing was found in it several times, and not all of it could be
     * read: the next append erases it, unless there is a record after all. Without this nothing is
     * erased while it does not read: all of its records may be there again in the next moment. */
    bool begin_anew;
};

/* Reads the newest valid record: the bytes that are handed over are those whose CRC was looked at,
 * in one reading. SERIN_ERR_NOT_FOUND: there is none. SERIN_ERR_FLASH: none was found, and not all
 * of the log could be read, so that there may be one. `payload` is unspecified then. `sequence` may
 * be NULL. */
SERIN_MUST_USE enum serin_error serin_reclog_read(const struct serin_reclog *log, void *payload,
                                                  uint32_t *sequence);

/* The same for `size` bytes of the payload from `offset` on, of which the caller has no room for
 * the whole. */
SERIN_MUST_USE enum serin_error serin_reclog_read_part(const struct serin_reclog *log,
                                                       uint32_t offset, void *out, uint32_t size);

/* Whether one of the banks does not hold the newest record whole: the next append mends that. False
 * where neither holds any. */
bool serin_reclog_suspect(const struct serin_reclog *log);

/* Appends a record and reads it back. A place that fails, or does not hold what was programmed, is
 * passed over. SERIN_OK: it is durable, in one bank at least, where the other has worn out.
 * SERIN_ERR_FLASH: it is not; the last record still stands. SERIN_ERR_AGAIN: nothing was written,
 * as no record was found and not all of the log could be read; with `begin_anew`, as one was found.
 *
 * Sequences grow by one, or by a few past torn records. Near the largest one, which 32 appends
 * before it counts as reached, the log starts again at 1: the new record is written to one bank,
 * and counts once the other is erased. */
SERIN_MUST_USE enum serin_error serin_reclog_append(const struct serin_reclog *log,
                                                    const void *payload);

#endif
