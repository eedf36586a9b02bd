/* The journal of a download: one entry per accepted piece. */
#include "journal.h"

#include "flash_io.h"

#include <serin/crc32.h>

#include <string.h>

#define ENTRY_MAGIC 0x454Au /* "JE" */
#define CRC_OFFSET  12u

#define WRITE_TRIES 3u /* places tried for one entry */
/* Erased places in a row behind which nothing is looked for: each stands for a reset that left no
 * trace of a program. */
#define GAP_MAX 4u

struct entry {
    uint32_t position;
    struct serin_journal_account account;
};

static uint32_t places(const struct serin_journal *journal)
{
    return journal->size / journal->stride;
}

static uint32_t address_of(const struct serin_journal *journal, uint32_t place)
{
    SERIN_ASSERT(place < places(journal));
    return journal->address + place * journal->stride;
}

/* The place of the entry of `position` where none before it cost one. */
static uint32_t place_of(const struct serin_journal *journal, uint32_t position)
{
    uint32_t base = journal->generation != 0 ? journal->base : 0;
    SERIN_ASSERT(position >= base);
    return position - base;
}

static uint32_t entry_crc(const struct serin_journal *journal, const uint8_t *entry)
{
    uint8_t attempt[4];
    serin_put_le32(attempt, journal->attempt);
    uint32_t crc = serin_crc32(journal->generation, journal->manifest_id, SERIN_SHA256_SIZE);
    crc = serin_crc32(crc, attempt, sizeof attempt);
    return serin_crc32(crc, entry, CRC_OFFSET);
}

/* Reads the entry at `place`; `claimed` is the position that it names, valid or not, 0 for none. */
static bool entry_at(const struct serin_journal *journal, uint32_t place, struct entry *found,
                     uint32_t *claimed)
{
    uint8_t entry[SERIN_JOURNAL_ENTRY_SIZE];
    *claimed = 0;
    if (serin_flash_read(journal->flash, address_of(journal, place), entry, sizeof entry) !=
            SERIN_OK ||
        serin_get_le16(entry) != ENTRY_MAGIC) {
        return false;
    }
    found->position = serin_get_le32(entry + 4);
    /* An entry may be of a download that began its journal anew, too. */
    bool could_be = found->position <= place || found->position - place <= journal->base;
    *claimed = could_be ? found->position : 0;
    found->account = (struct serin_journal_account){.bytes_fetched = serin_get_le32(entry + 8),
                                                    .pieces_refetched = serin_get_le16(entry + 2)};
    return could_be && (journal->generation == 0 || found->position >= journal->base) &&
           serin_get_le32(entry + CRC_OFFSET) == entry_crc(journal, entry);
}

static bool erased_at(const struct serin_journal *journal, uint32_t place)
{
    return serin_flash_erased(journal->flash, address_of(journal, place), journal->stride);
}

void serin_journal_look(const struct serin_journal *journal, bool after_reset,
                        struct serin_journal_end *end)
{
    uint32_t gap = 0, used = 0;
    memset(end, 0, sizeof *end);
    for (uint32_t place = 0; place < places(journal) && gap < GAP_MAX; place++) {
        struct entry entry;
        uint32_t claimed;
        bool valid = entry_at(journal, place, &entry, &claimed);
        if (valid) {
            end->reached = entry.position > end->reached ? entry.position : end->reached;
            end->started = true;
            end->account = entry.account; /* the last entry knows most */
        }
        end->claimed = claimed > end->claimed ? claimed : end->claimed;
        gap = !valid && erased_at(journal, place) ? gap + 1u : 0;
        used = gap == 0 ? place + 1u : used;
    }
    uint32_t left_out = after_reset ? 1u : 0u;
    end->next = used < places(journal) - left_out ? used + left_out : places(journal);
}

bool serin_journal_has(const struct serin_journal *journal, uint32_t position,
                       struct serin_journal_account *account)
{
    uint32_t gap = 0;
    if (journal->generation != 0 && position <= journal->base) {
        return true;
    }
    for (uint32_t place = place_of(journal, position); place < places(journal) && gap < GAP_MAX;
         place++) {
        struct entry entry;
        uint32_t claimed;
        if (entry_at(journal, place, &entry, &claimed) && entry.position == position) {
            if (account != NULL) {
                *account = entry.account;
            }
            return true;
        }
        gap = claimed == 0 && erased_at(journal, place) ? gap + 1u : 0;
    }
    return false;
}

enum serin_error serin_journal_write(const struct serin_journal *journal,
                                     struct serin_journal_end *end, uint32_t position,
                                     const struct serin_journal_account *account)
{
    uint8_t entry[SERIN_JOURNAL_ENTRY_SIZE];
    uint32_t refetched = account->pieces_refetched;
    serin_put_le16(entry, ENTRY_MAGIC);
    serin_put_le16(entry + 2, (uint16_t)(refetched < UINT16_MAX ? refetched : UINT16_MAX));
    serin_put_le32(entry + 4, position);
    serin_put_le32(entry + 8, account->bytes_fetched);
    serin_put_le32(entry + CRC_OFFSET, entry_crc(journal, entry));
    uint32_t own = place_of(journal, position);
    end->next = own > end->next ? own : end->next;
    for (unsigned tries = 0; tries < WRITE_TRIES && end->next < places(journal);) {
        uint32_t place = end->next++;
        if (!erased_at(journal, place)) {
            continue;
        }
        uint32_t address = address_of(journal, place);
        if (serin_flash_program(journal->flash, address, entry, sizeof entry) == SERIN_OK &&
            serin_flash_holds(journal->flash, address, entry, sizeof entry)) {
            end->reached = end->started && end->reached > position ? end->reached : position;
            end->started = true;
            end->account = *account;
            return SERIN_OK;
        }
        tries++;
    }
    return end->next < places(journal) ? SERIN_ERR_FLASH : SERIN_ERR_NO_SPACE;
}

enum serin_error serin_journal_erase(const struct serin_journal *journal)
{
    return serin_flash_erase(journal->flash, journal->address, journal->size);
}
