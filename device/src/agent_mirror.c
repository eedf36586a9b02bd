/*
 * The other slot in the background (design decision 20): once after each boot its image is looked
 * at, so that the beat tells the truth about redundancy; where the directive allows to commit what
 * runs, it is committed, and the other slot, where it could not take over, becomes a copy. Both
 * give up what else would boot, so what runs is verified once more before either: flash rots while
 * it runs. Every step can be cut and is found again by comparing.
 */
#include "agent_internal.h"
#include "flash_io.h"

#include <serin/piece.h>

#include <string.h>

#define SLICE        (64u * 1024u) /* bytes that are read in one step */
#define FAILURES_MAX 3u            /* since boot: a worn slot is left alone then */

static const struct serin_boot *boot_of(const struct serin_agent *agent)
{
    return agent->config->boot;
}

/* The running slot's manifest, under the trust record and the floor of now. */
static enum serin_error running_manifest(const struct serin_agent *agent,
                                         struct serin_manifest *manifest)
{
    return agent->have_trust
               ? serin_slot_manifest_open(boot_of(agent), &agent->trust, agent->info.slot,
                                          agent->running.floor, manifest, NULL)
               : SERIN_ERR_KEY;
}

void serin_mirror_learn(struct serin_agent *agent)
{
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    enum serin_slot spare = serin_agent_spare(agent);
    agent->redundancy = SERIN_REDUNDANCY_NONE;
    if (agent->have_trust &&
        serin_slot_manifest_open(boot_of(agent), &agent->trust, spare, agent->running.floor,
                                 &manifest, id) == SERIN_OK &&
        serin_slot_marked(boot_of(agent), spare, id)) {
        agent->redundancy = serin_bytes_equal(id, agent->running.manifest_id, sizeof id)
                                ? SERIN_REDUNDANCY_MIRRORED
                                : SERIN_REDUNDANCY_OLDER;
    }
}

void serin_mirror_stop(struct serin_agent *agent)
{
    agent->job = SERIN_AGENT_JOB_NONE;
}

/* Looks whether the other slot's image still has its digest. */
static enum serin_error look(struct serin_agent *agent)
{
    struct serin_manifest manifest;
    enum serin_error error = serin_image_check_step(
        &agent->check, boot_of(agent), agent->config->scratch, SERIN_PIECE_SIZE, SLICE);
    if (error == SERIN_ERR_AGAIN) {
        return SERIN_OK;
    }
    if (error == SERIN_OK) {
        error = serin_slot_manifest_open(boot_of(agent), &agent->trust, serin_agent_spare(agent),
                                         agent->running.floor, &manifest, NULL);
    }
    if (error == SERIN_OK) {
        error = serin_image_check_end(&agent->check, boot_of(agent), &manifest);
    }
    if (error != SERIN_OK) {
        agent->redundancy = SERIN_REDUNDANCY_NONE;
        serin_agent_log(agent, "the other slot's image has rotted", NULL);
    }
    agent->looked = true;
    agent->job = SERIN_AGENT_JOB_NONE;
    return SERIN_OK;
}

static enum serin_error copy_piece(struct serin_agent *agent, uint32_t from, uint32_t to,
                                   uint32_t size)
{
    const struct serin_flash *flash = boot_of(agent)->flash;
    uint8_t *piece = agent->config->scratch;
    enum serin_error error = serin_flash_read(flash, from, piece, size);
    if (error != SERIN_OK || serin_flash_holds(flash, to, piece, size)) {
        return error; /* an earlier boot copied it */
    }
    error = serin_flash_erase(flash, to, SERIN_PIECE_SIZE);
    if (error == SERIN_OK) {
        error = serin_flash_program(flash, to, piece, size);
    }
    return error;
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
    const struct serin_boot *boot = boot_of(agent);
    struct serin_manifest manifest;
    enum serin_error error = running_manifest(agent, &manifest);
    if (error == SERIN_OK && agent->job_position == 0) {
        error = serin_slot_invalidate(boot, serin_agent_spare(agent));
        if (error == SERIN_OK) {
            error = serin_slot_forget(boot, serin_agent_spare(agent));
        }
        serin_agent_fault_point(agent, "agent.mirror.invalidated");
    }
    struct serin_slot_map map;
    serin_slot_map(boot->flash, boot->layout, &map);
    uint32_t count = error == SERIN_OK ? serin_piece_count(manifest.image_size_bytes) : 0;
    uint32_t end = agent->job_position + SLICE / SERIN_PIECE_SIZE;
    while (error == SERIN_OK && agent->job_position < count && agent->job_position < end) {
        uint32_t offset = map.image_offset + agent->job_position * SERIN_PIECE_SIZE;
        error = copy_piece(agent, serin_slot_address(boot, agent->info.slot, offset),
                           serin_slot_address(boot, serin_agent_spare(agent), offset),
                           serin_piece_size(manifest.image_size_bytes, agent->job_position));
        agent->job_position += error == SERIN_OK ? 1u : 0u;
    }
    if (error == SERIN_OK && agent->job_position == count) {
        serin_image_check_start(&agent->check, boot, serin_agent_spare(agent),
                                manifest.image_size_bytes);
        agent->job = SERIN_AGENT_JOB_CHECK;
    }
    return error == SERIN_OK ? SERIN_OK : give_up(agent, error);
}

/* The copy has its digest: manifest and marker make it a slot that boots. */
static enum serin_error seal(struct serin_agent *agent)
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
    return error;
}

static enum serin_error check(struct serin_agent *agent)
{
    struct serin_manifest manifest;
    enum serin_error error = serin_image_check_step(
        &agent->check, boot_of(agent), agent->config->scratch, SERIN_PIECE_SIZE, SLICE);
    if (error == SERIN_ERR_AGAIN) {
        return SERIN_OK;
    }
    if (error == SERIN_OK) {
        error = running_manifest(agent, &manifest);
    }
    if (error == SERIN_OK) {
        error = serin_image_check_end(&agent->check, boot_of(agent), &manifest);
    }
    if (error == SERIN_OK) {
        error = seal(agent);
    }
    serin_mirror_learn(agent);
    if (error != SERIN_OK) {
        return give_up(agent, error);
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
    return agent->confirmed && agent->redundancy == SERIN_REDUNDANCY_NONE &&
           running_manifest(agent, &manifest) == SERIN_OK &&
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

/* Starts to verify what runs. */
static void start_proof(struct serin_agent *agent)
{
    struct serin_manifest manifest;
    enum serin_error error = running_manifest(agent, &manifest);
    if (error != SERIN_OK) {
        (void)distrust(agent, error);
        return;
    }
    serin_image_check_start(&agent->check, boot_of(agent), agent->info.slot,
                            manifest.image_size_bytes);
    agent->job = SERIN_AGENT_JOB_PROVE;
}

/* Goes on to verify what runs; then it is committed, and copied where the other slot cannot take
 * over. */
static enum serin_error prove(struct serin_agent *agent, bool may_commit)
{
    struct serin_manifest manifest;
    enum serin_error error = serin_image_check_step(
        &agent->check, boot_of(agent), agent->config->scratch, SERIN_PIECE_SIZE, SLICE);
    if (error == SERIN_ERR_AGAIN) {
        return SERIN_OK;
    }
    if (error == SERIN_OK) {
        error = running_manifest(agent, &manifest);
    }
    if (error == SERIN_OK) {
        error = serin_image_check_end(&agent->check, boot_of(agent), &manifest);
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
    }
    return error;
}

static void choose(struct serin_agent *agent, bool may_commit)
{
    struct serin_manifest manifest;
    if (may_commit && agent->job_failures < FAILURES_MAX &&
        (serin_trial_commits(agent) || copyable(agent))) {
        start_proof(agent);
        return;
    }
    if (agent->redundancy == SERIN_REDUNDANCY_NONE || agent->looked) {
        return;
    }
    if (serin_slot_manifest_open(boot_of(agent), &agent->trust, serin_agent_spare(agent),
                                 agent->running.floor, &manifest, NULL) != SERIN_OK) {
        agent->redundancy = SERIN_REDUNDANCY_NONE;
        return;
    }
    serin_image_check_start(&agent->check, boot_of(agent), serin_agent_spare(agent),
                            manifest.image_size_bytes);
    agent->job = SERIN_AGENT_JOB_LOOK;
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
        return copy(agent);
    case SERIN_AGENT_JOB_CHECK:
        return check(agent);
    }
    return SERIN_ERR_STATE;
}
