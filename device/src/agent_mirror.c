/*
 * The other slot in the background (design decision 20): once after each boot its image is looked
 * at, so that the beat tells the truth about redundancy; where the directive allows to commit what
 * runs, it is committed, and the other slot, where it could not take over, becomes a copy. Both
 * give up what else would boot, so what runs is verified once more before either: flash rots while
 * it runs. Every step can be cut and is found again by comparing.
 */
#include "agent_internal.h"
#include "flash_io.h"
#include "journal.h"

#include <serin/piece.h>

#include <string.h>

#define SLICE        (64u * 1024u) /* bytes that are read in one step */
#define FAILURES_MAX 3u            /* since boot: a worn slot is left alone then */

static const struct serin_boot *boot_of(const struct serin_agent *agent)
{
    return agent->config->boot;
}

#define COPY_ATTEMPT 0u /* in a copy's journal, beside its id: no download has that number */

/* The journal of a copy of manifest `id` in the other slot. */
static struct serin_journal journal_of(const struct serin_agent *agent,
                                       const struct serin_slot_map *map, const uint8_t *id)
{
    return (struct serin_journal){
        .flash = boot_of(agent)->flash,
        .address =
            serin_slot_address(boot_of(agent), serin_agent_spare(agent), map->journal_offset),
        .stride = map->journal_stride,
        .size = map->journal_size,
        .manifest_id = id,
        .attempt = COPY_ATTEMPT};
}

/* The position that a copy's journal ends with, after its marker. */
static uint32_t sealed_position(uint32_t image_size)
{
    return SERIN_JOURNAL_FIRST_PIECE + serin_piece_count(image_size) - 1u;
}

/* Whether the other slot is a copy whose making was cut: what was programmed last, its marker, may
 * read right now and not at the next boot. */
static bool was_cut(const struct serin_agent *agent, const struct serin_manifest *manifest,
                    const uint8_t *id)
{
    struct serin_slot_map map;
    struct serin_journal_end end;
    serin_slot_map(boot_of(agent)->flash, boot_of(agent)->layout, &map);
    const struct serin_journal journal = journal_of(agent, &map, id);
    serin_journal_look(&journal, true, &end);
    bool full = end.next >= map.journal_size / map.journal_stride;
    return end.started && end.reached < sealed_position(manifest->image_size_bytes) && !full;
}

void serin_mirror_learn(struct serin_agent *agent)
{
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    enum serin_slot spare = serin_agent_spare(agent);
    agent->redundancy = SERIN_REDUNDANCY_NONE;
    if (serin_check_manifest(agent, spare, &manifest, id) == SERIN_OK &&
        serin_slot_marked(boot_of(agent), spare, id) && !was_cut(agent, &manifest, id)) {
        agent->redundancy = serin_bytes_equal(id, agent->running.manifest_id, sizeof id)
                                ? SERIN_REDUNDANCY_MIRRORED
                                : SERIN_REDUNDANCY_OLDER;
    }
}

void serin_mirror_stop(struct serin_agent *agent)
{
    agent->job = SERIN_AGENT_JOB_NONE;
    agent->checking = false;
}

/* Looks whether the other slot's image still has its digest. */
static enum serin_error look(struct serin_agent *agent)
{
    struct serin_manifest manifest;
    enum serin_slot spare = serin_agent_spare(agent);
    enum serin_error error = serin_check_slot(agent, spare, spare, &manifest);
    if (error == SERIN_ERR_AGAIN) {
        return SERIN_OK;
    }
    if (error != SERIN_OK) {
        agent->redundancy = SERIN_REDUNDANCY_NONE;
        agent->job_failures += agent->job_begun ? 1u : 0u; /* a copy of this boot did not keep */
        serin_agent_log(agent, "the other slot's image has rotted", NULL);
    }
    agent->looked = error == SERIN_OK; /* what is learnt to stand there later is looked at again */
    agent->job = SERIN_AGENT_JOB_NONE;
    return SERIN_OK;
}

/* ---- the copy ---- */

/* One copy under way: from the slot that runs into the other one. */
struct copying {
    struct serin_slot_map map;
    uint32_t from, to; /* addresses of the images */
    uint32_t image_size, count;
    struct serin_journal journal;
};

static struct copying copying_of(const struct serin_agent *agent,
                                 const struct serin_manifest *manifest)
{
    const struct serin_boot *boot = boot_of(agent);
    struct copying copying;
    serin_slot_map(boot->flash, boot->layout, &copying.map);
    copying.from = serin_slot_address(boot, agent->info.slot, copying.map.image_offset);
    copying.to = serin_slot_address(boot, serin_agent_spare(agent), copying.map.image_offset);
    copying.image_size = manifest->image_size_bytes;
    copying.count = serin_piece_count(manifest->image_size_bytes);
    copying.journal = journal_of(agent, &copying.map, agent->running.manifest_id);
    return copying;
}

/* The first piece of the sector that piece `index` lies in. */
static uint32_t sector_start(const struct serin_agent *agent, const struct copying *copying,
                             uint32_t index)
{
    uint32_t address = copying->to + index * SERIN_PIECE_SIZE;
    struct serin_region sector = serin_flash_sector(boot_of(agent)->flash, address);
    return index - (address - sector.address) / SERIN_PIECE_SIZE;
}

/* Notes that everything up to `position` is in place. Without room for it the next boot copies
 * again. */
static enum serin_error note(struct serin_agent *agent, const struct copying *copying,
                             uint32_t position)
{
    const struct serin_journal_account none = {0};
    struct serin_journal_end *end = &agent->job_journal;
    if (end->started && position <= end->reached) {
        return SERIN_OK;
    }
    enum serin_error error = serin_journal_write(&copying->journal, end, position, &none);
    return error == SERIN_ERR_NO_SPACE ? SERIN_OK : error;
}

/* Finds out how far an earlier boot came, or begins anew. The sector that the power may have gone
 * in is written again, however right it reads. */
static enum serin_error start_copy(struct serin_agent *agent, const struct copying *copying)
{
    struct serin_journal_end *end = &agent->job_journal;
    bool unsealed = serin_slot_unsealed(boot_of(agent), serin_agent_spare(agent));
    enum serin_error error = serin_slot_invalidate(boot_of(agent), serin_agent_spare(agent));
    if (error != SERIN_OK) {
        return error;
    }
    serin_agent_fault_point(agent, "agent.mirror.invalidated");
    serin_journal_look(&copying->journal, true, end);
    /* One that was sealed, and is needed again, has rotted. */
    bool goes_on = end->started && agent->job_failures == 0 &&
                   end->reached < sealed_position(copying->image_size);
    uint32_t at_work = goes_on ? end->reached + 1u : end->claimed + 1u;
    agent->job_suspect =
        at_work > SERIN_JOURNAL_FIRST_PIECE ? at_work - SERIN_JOURNAL_FIRST_PIECE : 0;
    agent->job_forced = agent->job_failures > 0 ||
                        (goes_on && end->next >= copying->journal.size / copying->journal.stride);
    if (goes_on) {
        uint32_t next = agent->job_suspect < copying->count ? agent->job_suspect : copying->count;
        agent->job_position = next < copying->count ? sector_start(agent, copying, next) : next;
        /* The power may have gone in the last entry, which may be lost later: a second one. */
        const struct serin_journal_account none = {0};
        error = serin_journal_write(&copying->journal, end, end->reached, &none);
        return error == SERIN_ERR_NO_SPACE ? SERIN_OK : error;
    }
    if (unsealed && end->claimed >= SERIN_JOURNAL_TABLE) {
        /* The new journal does not tell it to the next boot. */
        error =
            serin_slot_clear_piece(boot_of(agent), serin_agent_spare(agent), agent->job_suspect);
    }
    if (error == SERIN_OK) {
        error = serin_slot_forget(boot_of(agent), serin_agent_spare(agent));
    }
    memset(end, 0, sizeof *end);
    return error == SERIN_OK ? note(agent, copying, SERIN_JOURNAL_TABLE) : error;
}

/* Whether the sector that begins with piece `index` has to be written. */
static enum serin_error weigh_sector(struct serin_agent *agent, const struct copying *copying,
                                     uint32_t index, uint32_t size)
{
    const struct serin_flash *flash = boot_of(agent)->flash;
    uint8_t *piece = agent->config->scratch;
    uint32_t pieces = size / SERIN_PIECE_SIZE;
    uint32_t end = copying->count - index < pieces ? copying->count : index + pieces;
    agent->job_writes =
        agent->job_forced || (agent->job_suspect >= index && agent->job_suspect < end);
    for (; index < end && !agent->job_writes; index++) {
        uint32_t offset = index * SERIN_PIECE_SIZE;
        uint32_t part = serin_piece_size(copying->image_size, index);
        enum serin_error error = serin_flash_read(flash, copying->from + offset, piece, part);
        if (error != SERIN_OK) {
            return error;
        }
        agent->job_writes = !serin_flash_holds(flash, copying->to + offset, piece, part);
    }
    return SERIN_OK;
}

/* Copies a piece. With the first one of a sector the whole sector is erased, if any of it has to be
 * written: what runs has all of it. */
static enum serin_error copy_piece(struct serin_agent *agent, const struct copying *copying,
                                   uint32_t index)
{
    const struct serin_flash *flash = boot_of(agent)->flash;
    uint8_t *piece = agent->config->scratch;
    uint32_t offset = index * SERIN_PIECE_SIZE;
    struct serin_region sector = serin_flash_sector(flash, copying->to + offset);
    uint32_t unit = sector.size > SERIN_PIECE_SIZE ? sector.size : SERIN_PIECE_SIZE;
    enum serin_error error = SERIN_OK;
    if (sector.address == copying->to + offset) {
        error = weigh_sector(agent, copying, index, unit);
        if (error == SERIN_OK && agent->job_writes) {
            error = serin_flash_erase(flash, copying->to + offset, unit);
        }
    }
    uint32_t size = serin_piece_size(copying->image_size, index);
    if (error == SERIN_OK && agent->job_writes) {
        error = serin_flash_read(flash, copying->from + offset, piece, size);
        if (error == SERIN_OK) {
            error = serin_flash_program(flash, copying->to + offset, piece, size);
        }
    }
    bool last = index + 1u == copying->count; /* noted when the copy is sealed */
    return error == SERIN_OK && !last ? note(agent, copying, SERIN_JOURNAL_FIRST_PIECE + index)
                                      : error;
}

/* A copy that did not hold: it is tried again from the start, a few times. */
static enum serin_error give_up(struct serin_agent *agent, enum serin_error error)
{
    agent->job = SERIN_AGENT_JOB_NONE;
    agent->job_failures++;
    serin_agent_log(agent, "the other slot does not hold a copy", serin_error_text(error));
    return SERIN_ERR_FLASH;
}

static enum serin_error copy(struct serin_agent *agent)
{
    struct serin_manifest manifest;
    enum serin_error error = serin_check_manifest(agent, agent->info.slot, &manifest, NULL);
    if (error != SERIN_OK) {
        return give_up(agent, error);
    }
    const struct copying copying = copying_of(agent, &manifest);
    if (!agent->job_begun) {
        error = start_copy(agent, &copying);
        agent->job_begun = error == SERIN_OK;
    }
    uint32_t end = agent->job_position + SLICE / SERIN_PIECE_SIZE;
    while (error == SERIN_OK && agent->job_position < copying.count && agent->job_position < end) {
        error = copy_piece(agent, &copying, agent->job_position);
        agent->job_position += error == SERIN_OK ? 1u : 0u;
    }
    if (error == SERIN_OK && agent->job_position == copying.count) {
        agent->job = SERIN_AGENT_JOB_CHECK;
    }
    return error == SERIN_OK ? SERIN_OK : give_up(agent, error);
}

/* The copy has its digest: manifest and marker make it a slot that boots. */
static enum serin_error seal(struct serin_agent *agent, const struct serin_manifest *manifest)
{
    uint8_t bytes[SERIN_MANIFEST_SIZE_P256];
    size_t size;
    enum serin_slot spare = serin_agent_spare(agent);
    enum serin_error error =
        serin_slot_manifest_read(boot_of(agent), agent->info.slot, bytes, &size);
    if (error == SERIN_OK) {
        error = serin_slot_manifest_program(boot_of(agent), spare, bytes, size);
    }
    if (error == SERIN_OK) {
        serin_agent_fault_point(agent, "agent.mirror.sealed");
        error = serin_slot_mark(boot_of(agent), spare, agent->running.manifest_id);
    }
    if (error == SERIN_OK) {
        const struct copying copying = copying_of(agent, manifest);
        error = note(agent, &copying, sealed_position(manifest->image_size_bytes));
    }
    return error;
}

static enum serin_error check(struct serin_agent *agent)
{
    struct serin_manifest manifest;
    enum serin_error error =
        serin_check_slot(agent, serin_agent_spare(agent), agent->info.slot, &manifest);
    if (error == SERIN_ERR_AGAIN) {
        return SERIN_OK;
    }
    if (error == SERIN_OK) {
        error = seal(agent, &manifest);
    }
    serin_mirror_learn(agent);
    if (error == SERIN_OK && agent->redundancy != SERIN_REDUNDANCY_MIRRORED) {
        error = SERIN_ERR_FLASH; /* cells that lose what they have just read back */
    }
    if (error != SERIN_OK) {
        /* What its journal tells is not so: at the next boot, too, all of it is looked at. */
        enum serin_error forgotten = serin_slot_forget(boot_of(agent), serin_agent_spare(agent));
        return give_up(agent, forgotten != SERIN_OK ? forgotten : error);
    }
    agent->job = SERIN_AGENT_JOB_NONE;
    serin_agent_log(agent, "mirrored into the other slot", NULL);
    serin_beat_soon(agent);
    return SERIN_OK;
}

/* Whether the running image is confirmed and could stand in the other slot. */
static bool copyable(const struct serin_agent *agent)
{
    struct serin_manifest manifest;
    return SERIN_AGENT_COPIES && agent->confirmed && agent->redundancy == SERIN_REDUNDANCY_NONE &&
           serin_check_manifest(agent, agent->info.slot, &manifest, NULL) == SERIN_OK &&
           serin_slot_suits(boot_of(agent), serin_agent_spare(agent), agent->running.floor,
                            &manifest) == SERIN_OK;
}

/* What runs has rotted since it booted. The other slot may be all that boots: it is left alone. */
static enum serin_error distrust(struct serin_agent *agent, enum serin_error error)
{
    agent->job = SERIN_AGENT_JOB_NONE;
    agent->job_failures++;
    agent->errors++;
    serin_agent_log(agent, "what runs does not verify any more", serin_error_text(error));
    return SERIN_OK;
}

/* Goes on to verify what runs; then it is committed, and copied where the other slot cannot take
 * over. */
static enum serin_error prove(struct serin_agent *agent, bool may_commit)
{
    struct serin_manifest manifest;
    enum serin_error error = serin_check_slot(agent, agent->info.slot, agent->info.slot, &manifest);
    if (error == SERIN_ERR_AGAIN) {
        return SERIN_OK;
    }
    if (error != SERIN_OK) {
        return distrust(agent, error);
    }
    agent->job = SERIN_AGENT_JOB_NONE;
    if (!may_commit) {
        return SERIN_OK; /* withdrawn in the meantime */
    }
    error = serin_trial_commit(agent);
    if (error == SERIN_OK && copyable(agent)) {
        agent->job = SERIN_AGENT_JOB_COPY;
        agent->job_position = 0;
        agent->job_begun = false;
    }
    return error;
}

static void choose(struct serin_agent *agent, bool may_commit)
{
    if (may_commit && agent->job_failures < FAILURES_MAX &&
        (serin_trial_commits(agent) || copyable(agent))) {
        agent->job = SERIN_AGENT_JOB_PROVE;
    } else if (agent->redundancy > SERIN_REDUNDANCY_NONE && !agent->looked) {
        agent->job = SERIN_AGENT_JOB_LOOK;
    }
}

enum serin_error serin_mirror_run(struct serin_agent *agent, bool may_commit)
{
    if (agent->job == SERIN_AGENT_JOB_NONE) {
        choose(agent, may_commit);
    }
    switch (agent->job) {
    case SERIN_AGENT_JOB_NONE:
        return SERIN_OK;
    case SERIN_AGENT_JOB_LOOK:
        return look(agent);
    case SERIN_AGENT_JOB_PROVE:
        return prove(agent, may_commit);
    case SERIN_AGENT_JOB_COPY:
        return SERIN_AGENT_COPIES ? copy(agent) : SERIN_ERR_STATE;
    case SERIN_AGENT_JOB_CHECK:
        return SERIN_AGENT_COPIES ? check(agent) : SERIN_ERR_STATE;
    }
    return SERIN_ERR_STATE;
}
