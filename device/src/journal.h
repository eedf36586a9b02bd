/*
 * The journal of a download: one entry per accepted piece, so that a power cut costs no more than
 * the piece in flight (docs/spec/flash.md, section 5). The mirror keeps one of its copy likewise.
 *
 *   position   meaning
 *          0   the slot is prepared: the journal was erased for this download
 *          1   the piece table is in place and checked against the manifest
 *      2 + i   piece i of the image is in place and checked against the piece table
 *
 *   offset size  field of an entry
 *        0    2  magic "JE"
 *        2    2  pieces refetched so far, saturating
 *        4    4  position
 *        8    4  bytes fetched so far, saturating
 *       12    4  CRC-32, begun with the generation, of manifest id, attempt and bytes 0..11: an
 *                entry of another download, or of an earlier generation, is not valid
 *
 * Always the first position without an entry is worked at. So after a reset the power may have gone
 * in that one, or in the one behind the highest that has an entry: an entry may have been torn,
 * too, and be lost later. Entries stand in places, one behind the other: in the place of its
 * position, or later where a reset or a failure has cost one.
 *
 * Where no place is left the journal is begun anew, as another generation: its owner notes
 * generation and `base` elsewhere, durably, then erases the journal. Positions up to `base` are in
 * place without an entry, and entries begin with that of `base`, in the first place.
 */
#ifndef SERIN_DEVICE_SRC_JOURNAL_H
#define SERIN_DEVICE_SRC_JOURNAL_H

#include <serin/device/agent_state.h>

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
    uint32_t generation; /* 0: the first */
    uint32_t base;       /* up to here nothing needs an entry; with generation 0 nothing is */
    uint32_t reached;    /* the highest position that earlier generations knew */
};

/* Looks at all places. `after_reset`: the one behind the last that does not read erased is left
 * out, as a program may have been cut there without a trace. */
void serin_journal_look(const struct serin_journal *journal, bool after_reset,
                        struct serin_journal_end *end);

/* Whether `position` bears a valid entry of this download, or needs none; `account` (may be NULL)
 * is filled from an entry. */
bool serin_journal_has(const struct serin_journal *journal, uint32_t position,
                       struct serin_journal_account *account);

/* Programs the entry of `position`, which has none, at `end`'s next place, and reads it back; a
 * place that fails is passed over. `end` then says so. SERIN_ERR_NO_SPACE: no place is left.
 * SERIN_ERR_FLASH: several places failed; it may be tried again. */
SERIN_MUST_USE enum serin_error serin_journal_write(const struct serin_journal *journal,
                                                    struct serin_journal_end *end,
                                                    uint32_t position,
                                                    const struct serin_journal_account *account);

/* Erases all entries. */
SERIN_MUST_USE enum serin_error serin_journal_erase(const struct serin_journal *journal);

#endif
