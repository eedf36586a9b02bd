/*
 * The most that happens between two feeds of the watchdog (agent.h): what each kind of step can
 * come to, added up where one step can meet several of them. tests/unit/check_agent_work.c counts
 * whole lives against it.
 */
#include "agent_internal.h"
#include "flash_io.h"

#include <serin/piece.h>

#include <string.h>

#define SLICE         UINT64_C(65536) /* of an image, that a step verifies or copies */
#define PIECES_LOOKED 32u /* pieces that a step hashes to find what is missing: 16, and a run */
#define RUN_GROWTH    16u /* pieces that a run grows by at the end of each piece */
#define APPENDS       4u  /* to each log, in one step */
#define BANKS         2u  /* that each record goes to */
#define TRUST_WRITES  4u  /* of a bank: the record's, up to three, and that of the other bank */
#define LOG_READS     6u  /* of each log, in one step, */
#define INIT_READS    4u  /* and as the agent starts */
#define SMALL_HASHES  (16u * 1024u) /* manifests, directives, trust records and their ids */
#define SMALL_READS   (16u * 1024u) /* manifests, markers, entries of the journal */
#define VERIFICATIONS 32u
#define ROOMS         3u /* sectors rewritten in a step, beside those that a block fills */
#define ROOM_READS    6u /* of the sector, for its neighbours' digests, and of what was written */
#define MARK_READS    1u /* of the spare sector, for the marks of a rewriting that was cut */
#define LOOKS         2u /* at what is written: before, to leave it where it is right, and after */

/* Sums saturate: an absurd configuration gives an absurd bound, not a small one. */
static uint32_t add(uint32_t a, uint64_t b)
{
    uint64_t sum = (uint64_t)a + b;
    return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Erased for APPENDS records: both banks, and again where they hold so few records. */
static uint64_t log_erased(const struct serin_flash *flash, const struct serin_region *log,
                           uint32_t record)
{
    uint32_t places = log->size / 2u / serin_round_up(record, flash->write_unit);
    return (uint64_t)log->size * (1u + (APPENDS - 1u) / places);
}

/* What the logs cost in any step, and the trust region in one that takes a record. */
static void add_logs(const struct serin_boot *boot, uint32_t reads, struct serin_agent_work *work)
{
    const struct serin_flash *flash = boot->flash;
    const struct serin_layout *layout = boot->layout;
    uint64_t regions =
        (uint64_t)layout->boot_log.size + layout->agent_log.size + layout->trust.size;
    work->read_bytes = add(work->read_bytes, (uint64_t)reads * regions);
    work->erase_bytes =
        add(work->erase_bytes, log_erased(flash, &layout->boot_log, SERIN_BOOT_RECORD_SIZE) +
                                   log_erased(flash, &layout->agent_log, SERIN_AGENT_RECORD_SIZE) +
                                   (uint64_t)TRUST_WRITES / BANKS * layout->trust.size);
    uint64_t records = serin_round_up(SERIN_BOOT_RECORD_SIZE, flash->write_unit) +
                       serin_round_up(SERIN_AGENT_RECORD_SIZE, flash->write_unit);
    uint64_t trust = serin_round_up(SERIN_TRUST_SIZE_P256, flash->write_unit);
    work->program_bytes =
        add(work->program_bytes, (uint64_t)BANKS * APPENDS * records + TRUST_WRITES * trust);
}

/* Pieces that one block completes, and those that are looked at to make its window whole. */
static uint64_t block_pieces(const struct serin_agent_config *config)
{
    uint64_t done = config->block_size / SERIN_PIECE_SIZE + 2u;
    uint64_t window =
        (uint64_t)config->block_size * config->window_blocks / SERIN_PIECE_SIZE + done + 2u;
    uint64_t grown = done * RUN_GROWTH;
    return done + smaller(grown, window);
}

/* The largest sector of a slot: the scratch region holds one beside the download record. */
static uint32_t largest_sector(const struct serin_boot *boot)
{
    const struct serin_region *slot = &boot->layout->slot[0];
    uint32_t largest = 0;
    for (uint32_t address = slot->address; address < slot->address + slot->size;) {
        struct serin_region sector = serin_flash_sector(boot->flash, address);
        largest = sector.size > largest ? sector.size : largest;
        address += sector.size;
    }
    return largest;
}

/* What a step does to the slot that does not run. */
static void add_slot(const struct serin_agent_config *config, struct serin_agent_work *work)
{
    const struct serin_boot *boot = config->boot;
    struct serin_slot_map map;
    serin_slot_map(boot->flash, boot->layout, &map);
    uint64_t capacity = map.image_capacity;
    uint64_t pieces =
        smaller(PIECES_LOOKED + block_pieces(config), capacity / SERIN_PIECE_SIZE + 1u);
    uint64_t image = smaller(larger(SLICE, pieces * SERIN_PIECE_SIZE), capacity);
    uint64_t written =
        smaller(larger(SLICE, (uint64_t)config->block_size + SERIN_PIECE_SIZE), capacity);
    uint64_t sector = largest_sector(boot);
    work->hashed_bytes = add(work->hashed_bytes, image + 2u * (uint64_t)map.pieces_size);
    work->read_bytes = add(work->read_bytes, image + 2u * (uint64_t)map.pieces_size +
                                                 2u * (uint64_t)map.journal_size + LOOKS * written);
    work->program_bytes =
        add(work->program_bytes, written + map.manifest_size + pieces * map.journal_stride);
    work->erase_bytes =
        add(work->erase_bytes, written + 2u * (uint64_t)map.manifest_size + map.pieces_size +
                                   map.journal_size + SERIN_SCRATCH_RECORD_SIZE + 2u * sector);
    if (sector > SERIN_PIECE_SIZE) {
        /* A sector goes through the spare one: a rewriting that was cut, and one for each sector
         * that the block touches, whose other pieces then find it clean. */
        uint64_t rooms = config->block_size / sector + ROOMS;
        work->hashed_bytes = add(work->hashed_bytes, rooms * ROOM_READS * sector);
        work->read_bytes = add(work->read_bytes, rooms * (ROOM_READS + MARK_READS) *
                                                     (sector + sector / SERIN_PIECE_SIZE * 1024u));
        work->program_bytes = add(work->program_bytes, rooms * 2u * sector);
        work->erase_bytes = add(work->erase_bytes, rooms * 3u * sector);
    }
}

void serin_agent_work_max(const struct serin_agent_config *config, bool init,
                          struct serin_agent_work *work)
{
    memset(work, 0, sizeof *work);
    work->hashed_bytes = SMALL_HASHES;
    work->read_bytes = SMALL_READS;
    work->verifications = VERIFICATIONS;
    add_logs(config->boot, init ? INIT_READS : LOG_READS, work);
    if (!init) {
        add_slot(config, work);
    }
}
