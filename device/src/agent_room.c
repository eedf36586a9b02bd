/*
 * An erased place for a piece. A sector that is larger than a piece holds neighbours, and those
 * that are in place must neither be lost nor fetched again: they go to the spare sector of the
 * scratch region, the sector is erased, and they come back (docs/spec/flash.md, section 5).
 *
 *   the spare sector holds each kept piece where it stood in its own. The place of the piece that
 * is to be written is free there, and holds marks, each in whole write units, in up to eight
 * places:
 *
 *   offset size  field of a mark
 *        0    4  magic "SRNW"
 *        4    4  1: the kept pieces are here, whole; 2: they are back
 *        8    4  address of the sector
 *       12    4  the piece that is to be written
 *       16    4  kept pieces, a bit for each of the sector, the first one lowest
 *       20    4  CRC-32, begun with the number of the rewriting, of manifest id, attempt and
 *                bytes 0..19
 *
 *   kept pieces copied ─▶ mark 1 ─▶ sector erased, pieces back ─▶ mark 2 ─▶ the piece is written
 *
 * A cut before mark 1 leaves the sector as it was, one after it is found by the mark, and the
 * pieces are brought back once more. The agent's record counts rewritings, before the spare sector
 * is erased for one: an erase that is cut may leave any mark of an earlier one, and take another.
 */
#include "agent_fill.h"
#include "flash_io.h"

#include <serin/crc32.h>

#include <string.h>

#define MARK_MAGIC 0x574E5253u /* "SRNW" */
#define MARK_SIZE  24u
#define MARK_CRC   20u
#define MARKS_MAX  8u

#define PIECES_MAX 32u /* in a sector: a bit each */

enum mark_state { MARK_COPIED = 1, MARK_BACK = 2 };

/* A sector that is rewritten for one of its pieces. */
struct rewrite {
    struct serin_region sector;
    uint32_t first; /* piece of the image at its start */
    uint32_t index; /* that is to be written */
    uint32_t kept;  /* a bit for each piece from `first` on */
    uint32_t spare; /* address of the spare sector */
    uint32_t marks; /* places of marks that are used, or in doubt */
    bool back;      /* mark 2 stands */
};

static const struct serin_flash *flash_of(const struct serin_agent *agent)
{
    return agent->config->boot->flash;
}

static uint32_t spare_address(const struct serin_agent *agent)
{
    const struct serin_boot *boot = agent->config->boot;
    return serin_flash_border_from(boot->flash,
                                   boot->layout->scratch.address + SERIN_SCRATCH_RECORD_SIZE);
}

static struct rewrite rewrite_of(const struct serin_agent *agent, const struct serin_filling *fill,
                                 uint32_t index)
{
    struct rewrite rewrite = {.index = index, .spare = spare_address(agent)};
    uint32_t address = serin_filling_piece(fill, index);
    rewrite.sector = serin_flash_sector(flash_of(agent), address);
    rewrite.first = index - (address - rewrite.sector.address) / SERIN_PIECE_SIZE;
    return rewrite;
}

/* How many pieces of the image the sector holds. */
static uint32_t count_of(const struct rewrite *rewrite, const struct serin_filling *fill)
{
    uint32_t room = rewrite->sector.size / SERIN_PIECE_SIZE;
    uint32_t left = fill->piece_count - rewrite->first;
    return left < room ? left : room;
}

static bool is_kept(const struct rewrite *rewrite, uint32_t n)
{
    return (rewrite->kept >> n & 1u) != 0;
}

/* ---- marks ---- */

static uint32_t mark_stride(const struct serin_agent *agent)
{
    return serin_round_up(MARK_SIZE, flash_of(agent)->write_unit);
}

static uint32_t mark_address(const struct serin_agent *agent, const struct rewrite *rewrite,
                             uint32_t n)
{
    return rewrite->spare + (rewrite->index - rewrite->first) * SERIN_PIECE_SIZE +
           n * mark_stride(agent);
}

static void mark_encode(const struct serin_agent *agent, const struct serin_filling *fill,
                        const struct rewrite *rewrite, enum mark_state state,
                        uint8_t mark[MARK_SIZE])
{
    uint8_t attempt[4];
    serin_put_le32(attempt, fill->journal.attempt);
    serin_put_le32(mark, MARK_MAGIC);
    serin_put_le32(mark + 4, (uint32_t)state);
    serin_put_le32(mark + 8, rewrite->sector.address);
    serin_put_le32(mark + 12, rewrite->index);
    serin_put_le32(mark + 16, rewrite->kept);
    uint32_t crc =
        serin_crc32(agent->record.rewrites, fill->journal.manifest_id, SERIN_SHA256_SIZE);
    crc = serin_crc32(crc, attempt, sizeof attempt);
    serin_put_le32(mark + MARK_CRC, serin_crc32(crc, mark, MARK_CRC));
}

/* Programs a mark in the next place that takes it. With all places used before, each by a cut,
 * those that stand have to do: the spare sector is whole, and the pieces can be brought back from
 * it as often as it takes. */
static enum serin_error mark_write(struct serin_agent *agent, const struct serin_filling *fill,
                                   struct rewrite *rewrite, enum mark_state state)
{
    uint8_t mark[MARK_SIZE];
    mark_encode(agent, fill, rewrite, state, mark);
    if (rewrite->marks >= MARKS_MAX) {
        return SERIN_OK;
    }
    while (rewrite->marks < MARKS_MAX) {
        uint32_t address = mark_address(agent, rewrite, rewrite->marks++);
        if (serin_flash_erased(flash_of(agent), address, mark_stride(agent)) &&
            serin_flash_program(flash_of(agent), address, mark, sizeof mark) == SERIN_OK &&
            serin_flash_holds(flash_of(agent), address, mark, sizeof mark)) {
            return SERIN_OK;
        }
    }
    return SERIN_ERR_FLASH;
}

/* Reads the mark at `address`, and learns from it what was rewritten. False: none that is valid
 * there. */
static bool mark_read(const struct serin_agent *agent, const struct serin_filling *fill,
                      uint32_t address, struct rewrite *claimed, enum mark_state *state)
{
    uint8_t mark[MARK_SIZE], expected[MARK_SIZE];
    if (serin_flash_read(flash_of(agent), address, mark, sizeof mark) != SERIN_OK) {
        return false;
    }
    uint32_t index = serin_get_le32(mark + 12);
    if (serin_get_le32(mark) != MARK_MAGIC || index >= fill->piece_count) {
        return false;
    }
    *claimed = rewrite_of(agent, fill, index);
    claimed->kept = serin_get_le32(mark + 16);
    *state = serin_get_le32(mark + 4) == MARK_BACK ? MARK_BACK : MARK_COPIED;
    mark_encode(agent, fill, claimed, *state, expected);
    return claimed->sector.size > SERIN_PIECE_SIZE && memcmp(mark, expected, sizeof mark) == 0;
}

/* Reads the marks that stand where piece `n` of a sector would; false: none is valid. */
static bool marks_read(const struct serin_agent *agent, const struct serin_filling *fill,
                       uint32_t n, struct rewrite *rewrite)
{
    bool found = false;
    uint32_t marks = 0;
    uint32_t address = spare_address(agent) + n * SERIN_PIECE_SIZE;
    for (uint32_t place = 0; place < MARKS_MAX; place++, address += mark_stride(agent)) {
        struct rewrite claimed;
        enum mark_state state;
        if (serin_flash_erased(flash_of(agent), address, mark_stride(agent))) {
            continue;
        }
        /* The place behind the last may have been at work, and shows no trace of it. */
        marks = place + 2u;
        if (mark_read(agent, fill, address, &claimed, &state) &&
            claimed.index - claimed.first == n) {
            claimed.back = state == MARK_BACK || (found && rewrite->back);
            *rewrite = claimed;
            found = true;
        }
    }
    if (found) {
        rewrite->marks = marks;
    }
    return found;
}

/* How many pieces of a large sector the spare one has room for; 0 where there is none. */
static uint32_t spare_pieces(const struct serin_agent *agent)
{
    const struct serin_region *scratch = &agent->config->boot->layout->scratch;
    uint32_t pieces = (scratch->address + scratch->size - spare_address(agent)) / SERIN_PIECE_SIZE;
    return pieces < PIECES_MAX ? pieces : PIECES_MAX;
}

/* ---- copies ---- */

/* Copies the kept pieces from one sector into another, which is erased. */
static enum serin_error copy_kept(struct serin_agent *agent, const struct serin_filling *fill,
                                  const struct rewrite *rewrite, uint32_t from, uint32_t to)
{
    const uint8_t *piece = agent->config->scratch;
    for (uint32_t n = 0; n < count_of(rewrite, fill); n++) {
        uint32_t index = rewrite->first + n;
        uint32_t size = serin_piece_size(fill->image_size, index);
        uint32_t offset = n * SERIN_PIECE_SIZE;
        if (!is_kept(rewrite, n)) {
            continue;
        }
        if (!serin_filling_read(agent, fill, index, from + offset) ||
            serin_flash_program(flash_of(agent), to + offset, piece, size) != SERIN_OK ||
            !serin_flash_holds(flash_of(agent), to + offset, piece, size)) {
            return SERIN_ERR_FLASH;
        }
    }
    return SERIN_OK;
}

static enum serin_error bring_back(struct serin_agent *agent, const struct serin_filling *fill,
                                   struct rewrite *rewrite)
{
    enum serin_error error =
        serin_flash_erase(flash_of(agent), rewrite->sector.address, rewrite->sector.size);
    if (error == SERIN_OK) {
        error = copy_kept(agent, fill, rewrite, rewrite->spare, rewrite->sector.address);
    }
    if (error == SERIN_OK) {
        error = mark_write(agent, fill, rewrite, MARK_BACK);
        serin_agent_fault_point(agent, "agent.room.back");
    }
    return error;
}

/* Voids the marks of earlier rewritings. */
static enum serin_error count_rewriting(struct serin_agent *agent)
{
    struct serin_agent_record next;
    serin_record_copy(&next, &agent->record);
    next.rewrites++;
    return serin_record_store(agent, &next);
}

static enum serin_error rewrite_sector(struct serin_agent *agent, const struct serin_filling *fill,
                                       struct rewrite *rewrite)
{
    uint32_t end = serin_flash_border_from(flash_of(agent), rewrite->spare + rewrite->sector.size);
    enum serin_error error = count_rewriting(agent);
    if (error == SERIN_OK) {
        error = serin_flash_erase(flash_of(agent), rewrite->spare, end - rewrite->spare);
    }
    if (error == SERIN_OK) {
        error = copy_kept(agent, fill, rewrite, rewrite->sector.address, rewrite->spare);
    }
    if (error == SERIN_OK) {
        error = mark_write(agent, fill, rewrite, MARK_COPIED);
        serin_agent_fault_point(agent, "agent.room.copied");
    }
    return error == SERIN_OK ? bring_back(agent, fill, rewrite) : error;
}

/* ---- room ---- */

/* What was just erased, but for what is kept: its pieces need no room made until they are written.
 */
static void remember_room(struct serin_agent *agent, const struct rewrite *rewrite)
{
    agent->download.room = (struct serin_agent_room){
        .sector = rewrite->sector.address,
        .clean = ~rewrite->kept,
    };
}

static bool take_room(struct serin_agent *agent, const struct rewrite *rewrite)
{
    struct serin_agent_room *room = &agent->download.room;
    uint32_t bit = (uint32_t)1 << (rewrite->index - rewrite->first);
    bool clean = room->sector == rewrite->sector.address && (room->clean & bit) != 0;
    room->clean &= clean ? ~bit : 0;
    return clean;
}

/* The sector's other pieces that are in place. */
static uint32_t find_kept(struct serin_agent *agent, const struct serin_filling *fill,
                          const struct rewrite *rewrite)
{
    uint32_t kept = 0;
    for (uint32_t n = 0; n < count_of(rewrite, fill); n++) {
        uint32_t index = rewrite->first + n;
        if (index != rewrite->index && serin_filling_holds(agent, fill, index)) {
            kept |= (uint32_t)1 << n;
        }
    }
    return kept;
}

enum serin_error serin_room_make(struct serin_agent *agent, const struct serin_filling *fill,
                                 uint32_t index)
{
    const struct serin_flash *flash = flash_of(agent);
    struct rewrite rewrite = rewrite_of(agent, fill, index);
    if (serin_flash_sectors_within(SERIN_PIECE_SIZE) || rewrite.sector.size <= SERIN_PIECE_SIZE) {
        return serin_flash_erase(flash, serin_filling_piece(fill, index), SERIN_PIECE_SIZE);
    }
    if (take_room(agent, &rewrite)) {
        return SERIN_OK;
    }
    /* Where this failed half-way before, the pieces are in the spare sector. */
    enum serin_error error = serin_room_resume(agent, fill);
    if (error != SERIN_OK || take_room(agent, &rewrite)) {
        return error;
    }
    rewrite.kept = find_kept(agent, fill, &rewrite);
    error = rewrite.kept == 0
                ? serin_flash_erase(flash, rewrite.sector.address, rewrite.sector.size)
                : rewrite_sector(agent, fill, &rewrite);
    if (error == SERIN_OK) {
        remember_room(agent, &rewrite);
        (void)take_room(agent, &rewrite);
    }
    return error;
}

/* Whether a rewriting was begun, and its pieces are not back, or not known to be. What was written
 * after it stands in the journal and in its place; an entry alone may be one that the power went in
 * before. */
static bool is_pending(struct serin_agent *agent, const struct serin_filling *fill,
                       const struct rewrite *rewrite)
{
    bool over =
        serin_journal_has(&fill->journal, SERIN_JOURNAL_FIRST_PIECE + rewrite->index, NULL) &&
        serin_filling_read(agent, fill, rewrite->index, serin_filling_piece(fill, rewrite->index));
    return !rewrite->back && !over;
}

/* Whether the spare sector still holds every kept piece: it may have been erased since. */
static bool spare_whole(struct serin_agent *agent, const struct serin_filling *fill,
                        const struct rewrite *rewrite)
{
    for (uint32_t n = 0; n < count_of(rewrite, fill); n++) {
        if (is_kept(rewrite, n) && !serin_filling_read(agent, fill, rewrite->first + n,
                                                       rewrite->spare + n * SERIN_PIECE_SIZE)) {
            return false;
        }
    }
    return true;
}

enum serin_error serin_room_resume(struct serin_agent *agent, const struct serin_filling *fill)
{
    struct rewrite rewrite;
    bool found = false;
    uint32_t pieces = spare_pieces(agent);
    if (serin_flash_sectors_within(SERIN_PIECE_SIZE)) {
        return SERIN_OK; /* nothing is ever rewritten */
    }
    for (uint32_t n = 0; n < pieces && !found; n++) {
        found = marks_read(agent, fill, n, &rewrite);
    }
    if (!found || !is_pending(agent, fill, &rewrite) || !spare_whole(agent, fill, &rewrite)) {
        return SERIN_OK;
    }
    /* The mark that was found may be one that the power went in: another one, before the sector is
     * erased again. */
    enum serin_error error = mark_write(agent, fill, &rewrite, MARK_COPIED);
    if (error == SERIN_OK) {
        error = bring_back(agent, fill, &rewrite);
    }
    if (error == SERIN_OK) {
        remember_room(agent, &rewrite);
    }
    return error;
}
