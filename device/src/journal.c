/* The journal of a download: one entry per accepted piece. */
#include "journal.h"

#include "flash_io.h"

#include <serin/crc32.h>

#include <string.h>

#define ENTRY_MAGIC 0x454Au /* "JE" */
#define CRC_OFFSET  12u

static uint32_t address_of(const struct serin_journal *journal, uint32_t position)
{
    SERIN_ASSERT(position < journal->size / journal->stride);
    return journal->address + position * journal->stride;
}

static uint32_t entry_crc(const struct serin_journal *journal, const uint8_t *entry)
{
    uint8_t attempt[4];
    serin_put_le32(attempt, journal->attempt);
    uint32_t crc = serin_crc32(0, journal->manifest_id, SERIN_SHA256_SIZE);
    crc = serin_crc32(crc, attempt, sizeof attempt);
    return serin_crc32(crc, entry, CRC_OFFSET);
}

bool serin_journal_has(const struct serin_journal *journal, uint32_t position,
                       struct serin_journal_account *account)
{
    uint8_t entry[SERIN_JOURNAL_ENTRY_SIZE];
    if (serin_flash_read(journal->flash, address_of(journal, position), entry, sizeof entry) !=
            SERIN_OK ||
        serin_get_le16(entry) != ENTRY_MAGIC || serin_get_le32(entry + 4) != position ||
        serin_get_le32(entry + CRC_OFFSET) != entry_crc(journal, entry)) {
        return false;
    }
    if (account != NULL) {
        account->pieces_refetched = serin_get_le16(entry + 2);
        account->bytes_fetched = serin_get_le32(entry + 8);
    }
    return true;
}

enum serin_error serin_journal_write(const struct serin_journal *journal, uint32_t position,
                                     const struct serin_journal_account *account)
{
    uint8_t entry[SERIN_JOURNAL_ENTRY_SIZE];
    uint32_t refetched = account->pieces_refetched;
    serin_put_le16(entry, ENTRY_MAGIC);
    serin_put_le16(entry + 2, (uint16_t)(refetched < UINT16_MAX ? refetched : UINT16_MAX));
    serin_put_le32(entry + 4, position);
    serin_put_le32(entry + 8, account->bytes_fetched);
    serin_put_le32(entry + CRC_OFFSET, entry_crc(journal, entry));
    return serin_flash_program(journal->flash, address_of(journal, position), entry, sizeof entry);
}

bool serin_journal_free(const struct serin_journal *journal, uint32_t position)
{
    return serin_flash_erased(journal->flash, address_of(journal, position), journal->stride);
}

enum serin_error serin_journal_erase(const struct serin_journal *journal)
{
    return serin_flash_erase(journal->flash, journal->address, journal->size);
}
