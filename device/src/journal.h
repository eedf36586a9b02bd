/*
 * The journal of a download: one entry per accepted piece, at a fixed position, so that a power cut
 * costs no more than the piece in flight (docs/spec/flash.md, section 5).
 *
 *   position   meaning
 *          0   the slot is prepared: piece table and journal were erased for this download
 *          1   the piece table is in place and checked against the manifest
 *      2 + i   piece i of the image is in place and checked against the piece table
 *
 *   offset size  field of an entry
 *        0    2  magic "JE"
 *        2    2  pieces refetched so far, saturating
 *        4    4  position
 *        8    4  bytes fetched so far, saturating
 *       12    4  CRC-32 of manifest id ‖ attempt ‖ bytes 0..11: an entry of another download is not
 * valid
 */
#ifndef SERIN_DEVICE_SRC_JOURNAL_H
#define SERIN_DEVICE_SRC_JOURNAL_H

#include <serin/device/flash.h>

#define SERIN_JOURNAL_ENTRY_SIZE  16u
#define SERIN_JOURNAL_PREPARED    0u
#define SERIN_JOURNAL_TABLE       1u
#define SERIN_JOURNAL_FIRST_PIECE 2u

struct serin_journal {
    const struct serin_flash *flash;
    uint32_t address, stride, size; /* of the journal's sectors */
    const uint8_t
        *manifest_id; /* SERIN_SHA256_SIZE bytes; of the download that entries belong to */
    uint32_t attempt;
};

/* What an entry remembers besides its position. */
struct serin_journal_account {
    uint32_t bytes_fetched;
    uint32_t pieces_refetched;
};

/* Whether `position` bears a valid entry of this download; `account` (may be NULL) is then filled.
 */
bool serin_journal_has(const struct serin_journal *journal, uint32_t position,
                       struct serin_journal_account *account);

/* Programs the entry of `position`, once. SERIN_ERR_FLASH: it is not durable; the position may be
 * torn, and then the journal must be started again to use it. */
SERIN_MUST_USE enum serin_error serin_journal_write(const struct serin_journal *journal,
                                                    uint32_t position,
                                                    const struct serin_journal_account *account);

/* Whether `position` can be programmed. */
bool serin_journal_free(const struct serin_journal *journal, uint32_t position);

/* Erases all entries. */
SERIN_MUST_USE enum serin_error serin_journal_erase(const struct serin_journal *journal);

#endif
