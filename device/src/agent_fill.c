/*
 * The slot being filled: download record, journal, piece table and image (docs/spec/flash.md,
 * section 5; design decisions 16 and 18).
 *
 *   the download record, at the start of the scratch region:
 *   offset size  field
 *        0    4  magic "SRND"
 *        4    4  attempt
 *        8    4  size of the manifest, bytes
 *       12    4  CRC-32/ISO-HDLC of bytes 0..11 and the manifest
 *       16    n  the manifest with its signature area
 */
#include "agent_fill.h"
#include "flash_io.h"

#include <serin/crc32.h>

#include <string.h>

#define RECORD_MAGIC 0x444E5253u /* "SRND" */
#define RECORD_CRC   12u

#define PIECES_HASHED_MAX 16u /* in one step */

_Static_assert(SERIN_DOWNLOAD_RECORD_HEAD + SERIN_MANIFEST_MAX <= SERIN_SCRATCH_RECORD_SIZE,
               "docs/spec/flash.md");

static const struct serin_boot *boot_of(const struct serin_agent *agent)
{
    return agent->config->boot;
}

static uint32_t record_crc(const uint8_t *record, size_t manifest_size)
{
    uint32_t crc = serin_crc32(0, record, RECORD_CRC);
    return serin_crc32(crc, record + SERIN_DOWNLOAD_RECORD_HEAD, manifest_size);
}

enum serin_error serin_fill_store_manifest(struct serin_agent *agent, size_t size)
{
    const struct serin_boot *boot = boot_of(agent);
    uint8_t *record = agent->config->scratch;
    size_t whole = SERIN_DOWNLOAD_RECORD_HEAD + size;
    SERIN_ASSERT(whole <= SERIN_SCRATCH_RECORD_SIZE);
    serin_put_le32(record, RECORD_MAGIC);
    serin_put_le32(record + 4, serin_attempt_current(agent)->attempt);
    serin_put_le32(record + 8, (uint32_t)size);
    serin_put_le32(record + RECORD_CRC, record_crc(record, size));
    uint32_t address = boot->layout->scratch.address;
    enum serin_error error = serin_flash_erase(
        boot->flash, address,
        serin_flash_border_from(boot->flash, address + (uint32_t)whole) - address);
    if (error == SERIN_OK) {
        error = serin_flash_program(boot->flash, address, record, whole);
    }
    if (error == SERIN_OK && !serin_flash_holds(boot->flash, address, record, whole)) {
        error = SERIN_ERR_FLASH;
    }
    return error;
}

enum serin_error serin_fill_load_manifest(struct serin_agent *agent, size_t *size)
{
    const struct serin_boot *boot = boot_of(agent);
    uint8_t *record = agent->config->scratch;
    if (serin_flash_read(boot->flash, boot->layout->scratch.address, record,
                         SERIN_DOWNLOAD_RECORD_HEAD) != SERIN_OK) {
        return SERIN_ERR_NOT_FOUND;
    }
    uint32_t stored = serin_get_le32(record + 8);
    if (serin_get_le32(record) != RECORD_MAGIC ||
        serin_get_le32(record + 4) != serin_attempt_current(agent)->attempt ||
        stored > SERIN_MANIFEST_SIZE_P256 ||
        serin_flash_read(boot->flash, boot->layout->scratch.address + SERIN_DOWNLOAD_RECORD_HEAD,
                         record + SERIN_DOWNLOAD_RECORD_HEAD, stored) != SERIN_OK ||
        serin_get_le32(record + RECORD_CRC) != record_crc(record, stored)) {
        return SERIN_ERR_NOT_FOUND;
    }
    *size = stored;
    return SERIN_OK;
}

struct serin_filling serin_filling_of(const struct serin_agent *agent)
{
    const struct serin_boot *boot = boot_of(agent);
    struct serin_filling fill;
    serin_slot_map(boot->flash, boot->layout, &fill.map);
    fill.base = serin_slot_address(boot, serin_agent_spare(agent), 0);
    fill.image_size = agent->download.manifest.image_size_bytes;
    fill.piece_count = serin_piece_count(fill.image_size);
    fill.table_size = serin_piece_table_size(fill.image_size);
    fill.journal = (struct serin_journal){.flash = boot->flash,
                                          .address = fill.base + fill.map.journal_offset,
                                          .stride = fill.map.journal_stride,
                                          .size = fill.map.journal_size,
                                          .manifest_id = serin_attempt_current(agent)->manifest_id,
                                          .attempt = serin_attempt_current(agent)->attempt,
                                          .generation = agent->record.journal_generation,
                                          .base = agent->record.journal_base,
                                          .reached = agent->record.journal_reached};
    return fill;
}

/* ---- the journal ---- */

/* Whether the power may have gone in `position`: what was at work then is not believed, however
 * right it reads. */
static bool suspect(const struct serin_agent *agent, uint32_t position)
{
    const struct serin_agent_download *download = &agent->download;
    return position == download->suspect[0] || position == download->suspect[1];
}

static void clear(struct serin_agent_download *download, uint32_t position)
{
    for (size_t i = 0; i < 2; i++) {
        download->suspect[i] = download->suspect[i] == position ? 0 : download->suspect[i];
    }
}

static struct serin_journal_account account_so_far(const struct serin_agent *agent)
{
    const struct serin_attempt_report *current = serin_attempt_current(agent);
    return (struct serin_journal_account){.bytes_fetched = current->bytes_fetched < UINT32_MAX
                                                               ? (uint32_t)current->bytes_fetched
                                                               : UINT32_MAX,
                                          .pieces_refetched = current->pieces_refetched};
}

/* Begins the generation that the record names: the journal is erased, and has the entry of its
 * base. Where that fails it has no place, and the next entry begins another one. */
static enum serin_error begin_generation(struct serin_agent *agent,
                                         const struct serin_filling *fill)
{
    struct serin_journal_end *end = &agent->download.journal;
    struct serin_journal_account account = account_so_far(agent);
    enum serin_error error = serin_journal_erase(&fill->journal);
    end->next = 0;
    if (error == SERIN_OK) {
        error = serin_journal_write(&fill->journal, end, fill->journal.base, &account);
    }
    if (error != SERIN_OK) {
        end->next = fill->journal.size / fill->journal.stride;
        return SERIN_ERR_FLASH;
    }
    return SERIN_OK;
}

/* The highest position that has an entry, or had one. */
static uint32_t highest(const struct serin_agent_download *download,
                        const struct serin_filling *fill)
{
    uint32_t earlier = fill->journal.generation != 0 ? fill->journal.reached : 0;
    return download->journal.reached > earlier ? download->journal.reached : earlier;
}

/* Begins the journal anew behind `base`, up to which everything is in place. The record tells it
 * first, so that a cut anywhere costs nothing of what is in place. `rewrites` is for the record. */
static enum serin_error renew_journal(struct serin_agent *agent, struct serin_filling *fill,
                                      uint32_t base, uint32_t rewrites)
{
    uint32_t reached = highest(&agent->download, fill);
    struct serin_agent_record next;
    serin_record_copy(&next, &agent->record);
    next.rewrites = rewrites;
    next.journal_generation++;
    next.journal_base = base;
    next.journal_reached = reached > base ? reached : base;
    enum serin_error error = serin_record_store(agent, &next);
    if (error != SERIN_OK) {
        return error;
    }
    serin_agent_fault_point(agent, "agent.journal.renewed");
    fill->journal.generation = next.journal_generation;
    fill->journal.base = base;
    fill->journal.reached = next.journal_reached;
    return begin_generation(agent, fill);
}

/* Journals `position`, which is in place as is all before it, with the account so far. */
static enum serin_error journal_account(struct serin_agent *agent, struct serin_filling *fill,
                                        uint32_t position)
{
    struct serin_agent_download *download = &agent->download;
    struct serin_journal_account account = account_so_far(agent);
    clear(download, position);
    if (serin_journal_has(&fill->journal, position, NULL)) {
        return SERIN_OK;
    }
    enum serin_error error =
        serin_journal_write(&fill->journal, &download->journal, position, &account);
    return error == SERIN_ERR_NO_SPACE
               ? renew_journal(agent, fill, position, agent->record.rewrites)
               : error;
}

/* The record in the agent log is as old as the last transition; the journal knows better. */
static void learn_account(struct serin_agent *agent, const struct serin_journal_account *account)
{
    struct serin_attempt_report *current =
        &agent->record.attempts[agent->record.attempt_count - 1u];
    if (account->bytes_fetched > current->bytes_fetched) {
        current->bytes_fetched = account->bytes_fetched;
    }
    if (account->pieces_refetched > current->pieces_refetched) {
        current->pieces_refetched = account->pieces_refetched;
    }
}

/* ---- the piece table ---- */

static bool table_right(struct serin_agent *agent, const struct serin_filling *fill)
{
    const struct serin_crypto *crypto = boot_of(agent)->crypto;
    struct serin_sha256 sha;
    uint8_t chunk[SERIN_FLASH_CHUNK];
    crypto->ops->sha256_init(crypto->ctx, &sha);
    for (uint32_t done = 0; done < fill->table_size;) {
        uint32_t part = fill->table_size - done;
        part = part < sizeof chunk ? part : (uint32_t)sizeof chunk;
        if (serin_flash_read(boot_of(agent)->flash, fill->base + fill->map.pieces_offset + done,
                             chunk, part) != SERIN_OK) {
            return false;
        }
        crypto->ops->sha256_update(crypto->ctx, &sha, chunk, part);
        done += part;
    }
    uint8_t digest[SERIN_SHA256_SIZE];
    crypto->ops->sha256_final(crypto->ctx, &sha, digest);
    return serin_bytes_equal(digest, agent->download.manifest.pieces_sha256, sizeof digest);
}

/* Erases its place from offset `from` on, where a sector begins. */
static enum serin_error erase_table(struct serin_agent *agent, const struct serin_filling *fill,
                                    uint32_t from)
{
    const struct serin_flash *flash = boot_of(agent)->flash;
    uint32_t address = fill->base + fill->map.pieces_offset;
    uint32_t end = serin_flash_border_from(flash, address + fill->table_size);
    return serin_flash_erase(flash, address + from, end - (address + from));
}

/* How much of a table that the power went in stays: what lies before the last sector that bears
 * any of it. Its place was erased before the journal was begun. */
static uint32_t table_kept(const struct serin_agent *agent, const struct serin_filling *fill)
{
    const struct serin_flash *flash = boot_of(agent)->flash;
    uint32_t address = fill->base + fill->map.pieces_offset;
    uint32_t kept = 0;
    for (uint32_t offset = 0; offset < fill->table_size;) {
        uint32_t size = serin_flash_sector(flash, address + offset).size;
        if (serin_flash_erased(flash, address + offset, size)) {
            break;
        }
        kept = offset;
        offset += size;
    }
    return kept;
}

/* ---- a journal begun, or gone on with ---- */

/* Begins a journal in a slot that held something else. What an earlier download, or mirror, was
 * writing last may be the same piece, and read right, for now: it is erased before the journal that
 * knows of it, so that no reset in between lets it be believed. */
static enum serin_error start_journal(struct serin_agent *agent, struct serin_filling *fill,
                                      bool unsealed)
{
    struct serin_journal_end *journal = &agent->download.journal;
    /* An earlier attempt at the same image may have left the table. */
    bool right = table_right(agent, fill);
    enum serin_error error = right ? SERIN_OK : erase_table(agent, fill, 0);
    agent->download.table_clean = !right && error == SERIN_OK;
    if (error == SERIN_OK && unsealed && journal->claimed >= SERIN_JOURNAL_TABLE) {
        error = serin_slot_clear_piece(boot_of(agent), serin_agent_spare(agent),
                                       journal->claimed + 1u - SERIN_JOURNAL_FIRST_PIECE);
    }
    if (error == SERIN_OK) {
        error = serin_journal_erase(&fill->journal);
    }
    if (error == SERIN_OK) {
        memset(journal, 0, sizeof *journal);
        error = journal_account(agent, fill, SERIN_JOURNAL_PREPARED);
    }
    return error;
}

/* What the power may have gone in: journal.h says why these two. */
static void find_suspects(struct serin_agent_download *download, const struct serin_filling *fill)
{
    uint32_t position = SERIN_JOURNAL_TABLE;
    uint32_t reached = highest(download, fill);
    while (position <= reached && serin_journal_has(&fill->journal, position, NULL)) {
        position++;
    }
    download->suspect[0] = position;
    download->suspect[1] = reached + 1u;
}

/* Goes on with the journal of this download. The power may have gone in its last entry, which may
 * be lost later, and with it what is suspect then: it gets a second one. */
static enum serin_error resume_journal(struct serin_agent *agent, struct serin_filling *fill)
{
    struct serin_agent_download *download = &agent->download;
    if (!download->journal.started) {
        /* The record names a generation that was not begun, or has lost its entries. */
        download->journal.started = true;
        find_suspects(download, fill);
        return begin_generation(agent, fill);
    }
    learn_account(agent, &download->journal.account);
    find_suspects(download, fill);
    struct serin_journal_account account = account_so_far(agent);
    uint32_t reached = download->journal.reached;
    bool held = fill->journal.generation != 0 && reached <= fill->journal.base;
    enum serin_error error =
        held ? SERIN_OK
             : serin_journal_write(&fill->journal, &download->journal, reached, &account);
    return error == SERIN_ERR_NO_SPACE
               ? renew_journal(agent, fill, download->suspect[0] - 1u, agent->record.rewrites)
               : error;
}

enum serin_error serin_fill_prepare(struct serin_agent *agent)
{
    const struct serin_boot *boot = boot_of(agent);
    struct serin_agent_download *download = &agent->download;
    struct serin_filling fill = serin_filling_of(agent);
    bool unsealed = serin_slot_unsealed(boot, serin_agent_spare(agent));
    serin_journal_look(&fill.journal, true, &download->journal);
    /* First of all: from here on the slot does not boot, whatever happens to it. */
    enum serin_error error = serin_slot_invalidate(boot, serin_agent_spare(agent));
    if (error != SERIN_OK) {
        return error;
    }
    serin_agent_fault_point(agent, "agent.slot.invalidated");
    error = serin_trial_changed(
        agent, serin_boot_give_up(boot, serin_agent_spare(agent), agent->running.manifest_id));
    if (error != SERIN_OK) {
        return error;
    }
    serin_mirror_learn(agent);
    if (!download->journal.started && fill.journal.generation == 0) {
        return start_journal(agent, &fill, unsealed);
    }
    error = resume_journal(agent, &fill);
    return error == SERIN_OK ? serin_room_resume(agent, &fill) : error;
}

enum serin_error serin_fill_recheck(struct serin_agent *agent)
{
    struct serin_filling fill = serin_filling_of(agent);
    /* One may stand by now. */
    enum serin_error error = serin_slot_invalidate(boot_of(agent), serin_agent_spare(agent));
    /* Without entries no mark of a rewriting is known to be of one that is over. */
    return error == SERIN_OK
               ? renew_journal(agent, &fill, SERIN_JOURNAL_PREPARED, agent->record.rewrites + 1u)
               : error;
}

bool serin_fill_table_right(struct serin_agent *agent)
{
    struct serin_filling fill = serin_filling_of(agent);
    return table_right(agent, &fill);
}

enum serin_error serin_fill_prepare_table(struct serin_agent *agent, bool *found, uint32_t *from)
{
    struct serin_filling fill = serin_filling_of(agent);
    *from = 0;
    *found = serin_journal_has(&fill.journal, SERIN_JOURNAL_TABLE, NULL);
    if (*found) {
        return SERIN_OK;
    }
    if (suspect(agent, SERIN_JOURNAL_TABLE)) {
        *from = table_kept(agent, &fill);
        clear(&agent->download, SERIN_JOURNAL_TABLE);
    } else if (table_right(agent, &fill)) {
        *found = true; /* an earlier attempt at the same image left it */
        return journal_account(agent, &fill, SERIN_JOURNAL_TABLE);
    }
    bool clean = agent->download.table_clean;
    agent->download.table_clean = false;
    return clean ? SERIN_OK : erase_table(agent, &fill, *from);
}

enum serin_error serin_fill_accept_table(struct serin_agent *agent)
{
    struct serin_filling fill = serin_filling_of(agent);
    if (!table_right(agent, &fill)) {
        return SERIN_ERR_DIGEST;
    }
    return journal_account(agent, &fill, SERIN_JOURNAL_TABLE);
}

/* ---- pieces ---- */

bool serin_filling_read(struct serin_agent *agent, const struct serin_filling *fill, uint32_t index,
                        uint32_t address)
{
    const struct serin_boot *boot = boot_of(agent);
    uint32_t size = serin_piece_size(fill->image_size, index);
    uint8_t expected[SERIN_SHA256_SIZE], digest[SERIN_SHA256_SIZE];
    if (serin_flash_read(boot->flash,
                         fill->base + fill->map.pieces_offset + index * SERIN_SHA256_SIZE, expected,
                         sizeof expected) != SERIN_OK ||
        serin_flash_read(boot->flash, address, agent->config->scratch, size) != SERIN_OK) {
        return false;
    }
    serin_sha256_of(boot->crypto, agent->config->scratch, size, digest);
    return serin_bytes_equal(digest, expected, sizeof digest);
}

bool serin_filling_holds(struct serin_agent *agent, const struct serin_filling *fill,
                         uint32_t index)
{
    return !suspect(agent, SERIN_JOURNAL_FIRST_PIECE + index) &&
           serin_filling_read(agent, fill, index, serin_filling_piece(fill, index));
}

enum serin_error serin_fill_find_piece(struct serin_agent *agent, uint32_t *missing)
{
    struct serin_filling fill = serin_filling_of(agent);
    uint32_t *index = &agent->download.pieces_found;
    for (uint32_t hashed = 0; *index < fill.piece_count; (*index)++) {
        uint32_t position = SERIN_JOURNAL_FIRST_PIECE + *index;
        if (serin_journal_has(&fill.journal, position, NULL)) {
            continue;
        }
        if (hashed++ == PIECES_HASHED_MAX) {
            return SERIN_ERR_AGAIN;
        }
        if (!serin_filling_holds(agent, &fill, *index)) {
            break;
        }
        enum serin_error error = journal_account(agent, &fill, position);
        if (error != SERIN_OK) {
            return error;
        }
    }
    *missing = *index;
    return SERIN_OK;
}

bool serin_fill_has_piece(struct serin_agent *agent, uint32_t index)
{
    struct serin_filling fill = serin_filling_of(agent);
    return serin_journal_has(&fill.journal, SERIN_JOURNAL_FIRST_PIECE + index, NULL) ||
           serin_filling_holds(agent, &fill, index);
}

enum serin_error serin_fill_program(struct serin_agent *agent, uint32_t position,
                                    const uint8_t *data, uint32_t size)
{
    struct serin_filling fill = serin_filling_of(agent);
    bool table = agent->download.target == SERIN_AGENT_TARGET_TABLE;
    uint32_t address =
        fill.base + (table ? fill.map.pieces_offset : fill.map.image_offset) + position;
    enum serin_error error = SERIN_OK;
    if (!table && position % SERIN_PIECE_SIZE == 0) {
        error = serin_room_make(agent, &fill, position / SERIN_PIECE_SIZE);
    }
    return error == SERIN_OK ? serin_flash_program(boot_of(agent)->flash, address, data, size)
                             : error;
}

enum serin_error serin_fill_accept_piece(struct serin_agent *agent, uint32_t index)
{
    struct serin_filling fill = serin_filling_of(agent);
    serin_agent_fault_point(agent, "agent.piece.written");
    if (!serin_filling_read(agent, &fill, index, serin_filling_piece(&fill, index))) {
        return SERIN_ERR_DIGEST;
    }
    enum serin_error error = journal_account(agent, &fill, SERIN_JOURNAL_FIRST_PIECE + index);
    if (error == SERIN_OK) {
        serin_agent_fault_point(agent, "agent.piece.journaled");
    }
    return error;
}

enum serin_error serin_fill_seal(struct serin_agent *agent)
{
    const struct serin_boot *boot = boot_of(agent);
    enum serin_slot slot = serin_agent_spare(agent);
    size_t size;
    enum serin_error error = serin_fill_load_manifest(agent, &size);
    if (error == SERIN_OK) {
        error =
            serin_slot_invalidate(boot, slot); /* what a cut inside the next step may have left */
    }
    if (error == SERIN_OK) {
        error = serin_slot_manifest_program(
            boot, slot, agent->config->scratch + SERIN_DOWNLOAD_RECORD_HEAD, size);
    }
    return error;
}
