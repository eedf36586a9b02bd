/* Piece table and image into the slot that does not run (design decisions 10 and 16). */
#include "agent_download.h"
#include "journal.h"

#include <serin/piece.h>

#include <string.h>

#define RUN_GROWTH_MAX 16u /* pieces that join a run in one step: each may cost a hash */
#define PROOFS_MAX     3u  /* that do not hold in a row, before a slot counts as lost */
#define REFETCHES_OVER 16u /* bad pieces beyond one for each that the image has */
#define RECHECKS_MAX   3u  /* since boot: how often what was in place may turn out not to be */

void serin_download_stop(struct serin_agent *agent)
{
    serin_fetch_stop(agent);
    memset(&agent->download, 0, sizeof agent->download);
    agent->checking = false;
}

/* Tells the end of the attempt; `over` until that is durable, and nothing is fetched or written any
 * more. */
static enum serin_error tell_end(struct serin_agent *agent)
{
    const struct serin_agent_download *download = &agent->download;
    enum serin_error error =
        serin_attempt_move(agent, (enum serin_attempt_event)download->end_event,
                           download->end_reason, download->end_detail);
    if (error == SERIN_OK) {
        serin_download_stop(agent);
    }
    return error;
}

enum serin_error serin_download_end(struct serin_agent *agent, enum serin_attempt_event event,
                                    enum serin_reason reason, uint32_t detail)
{
    struct serin_agent_download *download = &agent->download;
    serin_fetch_stop(agent);
    agent->checking = false;
    download->target = SERIN_AGENT_TARGET_NONE;
    download->over = true;
    download->end_event = (uint8_t)event;
    download->end_reason = reason;
    download->end_detail = detail;
    return tell_end(agent);
}

static enum serin_error fail(struct serin_agent *agent, enum serin_reason reason, uint32_t detail)
{
    return serin_download_end(agent, SERIN_ATTEMPT_FAIL, reason, detail);
}

/* Counts that what was in place is not any more: flash that does not keep what it takes is not
 * filled for ever. True: the attempt is over, or will be once the log takes that. */
static bool given_up(struct serin_agent *agent, enum serin_reason reason, enum serin_error *error)
{
    if (++agent->download.rechecks <= RECHECKS_MAX) {
        return false;
    }
    *error = fail(agent, reason, 0);
    return true;
}

/* What flash does not take is tried again a few times. */
static enum serin_error count_failure(struct serin_agent *agent, enum serin_error error)
{
    bool worn = error == SERIN_ERR_FLASH && ++agent->download.bad_rows >= SERIN_BAD_IN_A_ROW_MAX;
    return worn ? fail(agent, SERIN_REASON_FLASH, 0) : error;
}

/* Bytes of `data` that belong to the object and fill whole write units, or reach its end. */
static uint32_t usable(const struct serin_agent *agent, uint32_t size)
{
    uint32_t left = agent->fetch.end - agent->fetch.position;
    if (size >= left || agent->download.target == SERIN_AGENT_TARGET_MANIFEST ||
        agent->download.target == SERIN_AGENT_TARGET_PEEK) {
        return size < left ? size : left;
    }
    return size - size % agent->config->boot->flash->write_unit;
}

/* From here on nothing counts as in place but by its digest, the piece table included. */
static enum serin_error start_recheck(struct serin_agent *agent)
{
    struct serin_agent_download *download = &agent->download;
    enum serin_error error = serin_fill_recheck(agent);
    if (error == SERIN_OK) {
        serin_fetch_stop(agent);
        download->target = SERIN_AGENT_TARGET_NONE;
        download->recheck = true;
        download->pieces_found = 0;
        download->next_part = SERIN_JOURNAL_TABLE;
    }
    return error;
}

/* Whether a cache has served so many bad pieces that each was bad once, and a few more: every one
 * is an erase, and none of them is signed. */
static bool refetched_out(struct serin_agent *agent)
{
    uint32_t count = serin_piece_count(agent->download.manifest.image_size_bytes);
    return serin_download_account(agent)->pieces_refetched > count + REFETCHES_OVER;
}

/* A part that does not have its digest is fetched again, a few times, and so many in all. */
static enum serin_error bad_part(struct serin_agent *agent, uint32_t position, uint32_t detail,
                                 enum serin_error error)
{
    bool table = agent->download.target == SERIN_AGENT_TARGET_TABLE;
    enum serin_reason reason = table ? SERIN_REASON_PIECE_TABLE : SERIN_REASON_DIGEST;
    reason = error == SERIN_ERR_FLASH ? SERIN_REASON_FLASH : reason;
    if (!table && error == SERIN_ERR_DIGEST) {
        serin_download_account(agent)->pieces_refetched++;
    }
    if (++agent->download.bad_rows >= SERIN_BAD_IN_A_ROW_MAX || refetched_out(agent)) {
        return fail(agent, reason, detail);
    }
    /* Not the piece may be wrong, but what it is measured by. */
    if (!table && error == SERIN_ERR_DIGEST && !serin_fill_table_right(agent)) {
        enum serin_error ended;
        if (given_up(agent, SERIN_REASON_PIECE_TABLE, &ended)) {
            return ended;
        }
        if (start_recheck(agent) == SERIN_OK) {
            return error;
        }
    }
    serin_fetch_rewind(agent, position);
    return error;
}

/* Lets the pieces that follow join the run being fetched, so that requests from piece `index` on
 * are whole windows, and ends it before one that is in place: that one is neither asked for nor
 * erased, and its entry stays true. */
static void grow_run(struct serin_agent *agent, uint32_t index)
{
    struct serin_agent_fetch *fetch = &agent->fetch;
    const struct serin_agent_config *config = agent->config;
    /* A window may begin anywhere in the piece. */
    uint64_t wanted = (uint64_t)config->block_size * config->window_blocks +
                      ((uint64_t)index + 1u) * SERIN_PIECE_SIZE;
    for (uint32_t n = 0; n < RUN_GROWTH_MAX && fetch->end < fetch->size && fetch->end < wanted;
         n++) {
        uint32_t next = fetch->end / SERIN_PIECE_SIZE;
        if (serin_fill_has_piece(agent, next)) {
            return;
        }
        fetch->end += serin_piece_size(fetch->size, next);
    }
}

/* Stores image bytes piece by piece; each complete piece is read back, checked and journaled. */
static enum serin_error store_image(struct serin_agent *agent, const uint8_t *data, uint32_t size)
{
    uint32_t total = agent->fetch.size;
    uint32_t done = 0;
    while (done < size) {
        uint32_t position = agent->fetch.position + done;
        uint32_t index = position / SERIN_PIECE_SIZE;
        uint32_t start = index * SERIN_PIECE_SIZE;
        uint32_t end = start + serin_piece_size(total, index);
        uint32_t part = end - position < size - done ? end - position : size - done;
        enum serin_error error = serin_fill_program(agent, position, data + done, part);
        if (error == SERIN_OK && position + part == end) {
            error = serin_fill_accept_piece(agent, index);
        }
        if (error != SERIN_OK) {
            return bad_part(agent, start, index, error);
        }
        if (position + part == end) {
            agent->download.bad_rows = 0;
            grow_run(agent, index + 1u);
        }
        done += part;
    }
    return SERIN_OK;
}

static enum serin_error store_table(struct serin_agent *agent, const uint8_t *data, uint32_t size)
{
    enum serin_error error = serin_fill_program(agent, agent->fetch.position, data, size);
    if (error == SERIN_OK && agent->fetch.position + size == agent->fetch.size) {
        error = serin_fill_accept_table(agent);
    }
    if (error == SERIN_OK) {
        return SERIN_OK;
    }
    bool found;
    uint32_t from;
    enum serin_error erased = serin_fill_prepare_table(agent, &found, &from);
    if (found) {
        return SERIN_OK;
    }
    error = bad_part(agent, 0, 0, error);
    return erased != SERIN_OK ? erased : error;
}

static enum serin_error store(struct serin_agent *agent, const uint8_t *data, uint32_t size)
{
    switch (agent->download.target) {
    case SERIN_AGENT_TARGET_MANIFEST:
        return serin_download_store_manifest(agent, data, size);
    case SERIN_AGENT_TARGET_TABLE:
        return store_table(agent, data, size);
    case SERIN_AGENT_TARGET_IMAGE:
        return store_image(agent, data, size);
    case SERIN_AGENT_TARGET_PEEK:
        return serin_peek_store(agent, data, size);
    case SERIN_AGENT_TARGET_NONE:
        break;
    }
    return SERIN_ERR_STATE;
}

enum serin_error serin_download_block(struct serin_agent *agent, const uint8_t *payload,
                                      size_t size)
{
    struct serin_block block;
    enum serin_error error = serin_fetch_block(agent, payload, size, &block);
    if (serin_attempt_in_progress(serin_attempt_state(agent))) {
        serin_download_account(agent)->bytes_fetched += agent->fetch.received;
    }
    if (error != SERIN_OK) {
        return error;
    }
    uint32_t take = usable(agent, (uint32_t)block.data_size);
    if (take == 0) {
        serin_fetch_lost(agent);
        return SERIN_ERR_INVALID;
    }
    error = store(agent, block.data, take);
    if (error != SERIN_OK || !agent->fetch.active) {
        return error;
    }
    serin_fetch_took(agent, take, take == block.data_size);
    bool whole = agent->fetch.position == agent->fetch.end;
    if (whole && agent->download.target == SERIN_AGENT_TARGET_MANIFEST) {
        return serin_download_take_manifest(agent, agent->fetch.size);
    }
    if (whole && agent->download.target == SERIN_AGENT_TARGET_PEEK) {
        serin_peek_take(agent, agent->fetch.size);
    } else if (whole) {
        serin_fetch_stop(agent);
        agent->download.target = SERIN_AGENT_TARGET_NONE; /* pursue finds what comes next */
    }
    return SERIN_OK;
}

/* Starts to fetch `part`, a position of the journal, 0 for the manifest, from `position` of its
 * object on. Parts are fetched in this order, so an earlier one was in place before. */
static enum serin_error fetch(struct serin_agent *agent, uint32_t part, uint32_t position)
{
    struct serin_agent_download *download = &agent->download;
    const struct serin_manifest *manifest = &download->manifest;
    enum serin_error error = SERIN_OK;
    if (part >= download->next_part) {
        download->next_part = part + 1u;
    } else if (given_up(agent, SERIN_REASON_FLASH, &error)) {
        return error;
    }
    const uint8_t *object = manifest->image_sha256;
    uint32_t size = manifest->image_size_bytes;
    download->target = SERIN_AGENT_TARGET_IMAGE;
    if (part == SERIN_JOURNAL_PREPARED) {
        object = serin_attempt_current(agent)->manifest_id;
        size = 0; /* not known yet */
        download->target = SERIN_AGENT_TARGET_MANIFEST;
    } else if (part == SERIN_JOURNAL_TABLE) {
        object = manifest->pieces_sha256;
        size = serin_piece_table_size(size);
        download->target = SERIN_AGENT_TARGET_TABLE;
    }
    download->bad_rows = 0;
    serin_fetch_start(agent, object, size, position);
    return SERIN_OK;
}

/* Whether what is in the other slot was tried here, failed, and was never confirmed since. A wrong
 * reading of its marker does not tell that. */
static bool spare_failed(const struct serin_agent *agent)
{
    const struct serin_boot *boot = agent->config->boot;
    enum serin_slot spare = serin_agent_spare(agent);
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    bool opened = false;
    for (unsigned reading = 0; reading < PROOFS_MAX; reading++) {
        uint8_t found[SERIN_SHA256_SIZE];
        if (serin_check_manifest(agent, spare, &manifest, found) == SERIN_OK) {
            memcpy(id, found, sizeof id);
            opened = true;
            if (serin_slot_marked(boot, spare, id)) {
                return false;
            }
        }
    }
    return opened && serin_attempt_any_tried(agent, id);
}

/* Goes on to find out whether the slot that does not run may be given up: flash rots while an image
 * runs, and what is in the other slot may be all that boots, confirmed or not. Where neither
 * verifies, or the other one failed its trial, there is nothing to lose, and the download is the
 * way out. What does not verify once may have read wrong. SERIN_ERR_AGAIN: call again, or the
 * attempt is over. */
static enum serin_error may_take(struct serin_agent *agent)
{
    struct serin_agent_download *download = &agent->download;
    struct serin_manifest manifest;
    enum serin_slot slot = download->rotten ? serin_agent_spare(agent) : agent->info.slot;
    enum serin_error error = serin_check_slot(agent, slot, slot, &manifest);
    if (error == SERIN_ERR_AGAIN) {
        return error;
    }
    if (error != SERIN_OK && ++download->doubts < PROOFS_MAX) {
        return SERIN_ERR_AGAIN;
    }
    download->doubts = 0;
    if (download->rotten && error == SERIN_OK && !spare_failed(agent)) {
        error = fail(agent, SERIN_REASON_FLASH, 0);
        return error == SERIN_OK ? SERIN_ERR_AGAIN : error;
    }
    download->proved = download->rotten || error == SERIN_OK;
    if (!download->proved) {
        download->rotten = true;
        agent->errors++;
        serin_agent_log(agent, "what runs does not verify any more", serin_error_text(error));
    }
    return SERIN_ERR_AGAIN; /* the slot is for the next step */
}

/* Takes the slot that does not run for this download. SERIN_ERR_AGAIN: call again, or the attempt
 * is over. */
static enum serin_error take_slot(struct serin_agent *agent)
{
    struct serin_agent_download *download = &agent->download;
    if (!download->proved && !serin_slot_unsealed(agent->config->boot, serin_agent_spare(agent))) {
        return may_take(agent);
    }
    download->proved = true;
    enum serin_error error = serin_fill_prepare(agent);
    download->prepared = error == SERIN_OK;
    /* After a reset: a recheck may have been cut. */
    download->recheck = serin_attempt_state(agent) == SERIN_STATE_VERIFYING;
    return error;
}

/* Finds out what is missing and starts to fetch it. `all`: nothing is. SERIN_ERR_AGAIN: call again,
 * or the attempt is over. */
static enum serin_error find_missing(struct serin_agent *agent, bool *all)
{
    const struct serin_manifest *manifest = &agent->download.manifest;
    enum serin_error error = agent->download.prepared ? SERIN_OK : take_slot(agent);
    if (error != SERIN_OK) {
        return error;
    }
    bool found;
    uint32_t from;
    error = serin_fill_prepare_table(agent, &found, &from);
    if (error != SERIN_OK) {
        return error;
    }
    if (!found) {
        return fetch(agent, SERIN_JOURNAL_TABLE, from);
    }
    uint32_t index;
    error = serin_fill_find_piece(agent, &index);
    if (error != SERIN_OK) {
        return error;
    }
    *all = index == serin_piece_count(manifest->image_size_bytes);
    if (!*all) {
        error = fetch(agent, SERIN_JOURNAL_FIRST_PIECE + index, index * SERIN_PIECE_SIZE);
    }
    if (!*all && error == SERIN_OK && agent->fetch.active) {
        agent->fetch.end =
            agent->fetch.position + serin_piece_size(manifest->image_size_bytes, index);
        grow_run(agent, index);
    }
    return error;
}

/* With all in place the attempt moves on to verifying, or back to it. */
static enum serin_error find_next(struct serin_agent *agent)
{
    bool all = false;
    enum serin_error error = find_missing(agent, &all);
    if (error != SERIN_OK) {
        return error == SERIN_ERR_AGAIN ? SERIN_OK : count_failure(agent, error);
    }
    if (all) {
        agent->download.recheck = false;
        if (serin_attempt_state(agent) == SERIN_STATE_DOWNLOADING) {
            error = serin_attempt_move(agent, SERIN_ATTEMPT_FETCHED, SERIN_REASON_NONE, 0);
        }
    }
    return error;
}

/* The image is whole: its manifest makes it one that boots. */
static enum serin_error seal(struct serin_agent *agent)
{
    serin_agent_fault_point(agent, "agent.verified");
    enum serin_error error = serin_fill_seal(agent);
    agent->download.sealed = error == SERIN_OK;
    if (error == SERIN_ERR_NOT_FOUND) {
        agent->download.have_manifest =
            false; /* the download record has rotted: fetch the manifest again */
        return SERIN_OK;
    }
    return error == SERIN_OK
               ? serin_attempt_move(agent, SERIN_ATTEMPT_VERIFIED, SERIN_REASON_NONE, 0)
               : count_failure(agent, error);
}

static enum serin_error verify(struct serin_agent *agent)
{
    enum serin_error error =
        serin_check_image(agent, serin_agent_spare(agent), &agent->download.manifest);
    if (error == SERIN_ERR_AGAIN) {
        return SERIN_OK;
    }
    if (error == SERIN_OK) {
        return seal(agent);
    }
    if (given_up(agent, serin_intake_reason(error), &error)) {
        return error;
    }
    serin_agent_log(agent, "the image does not verify: its pieces are looked at again", NULL);
    return count_failure(agent, start_recheck(agent));
}

/* Starts to fetch the manifest, once its time has come. */
static enum serin_error want_manifest(struct serin_agent *agent,
                                      const struct serin_agent_standing *standing)
{
    bool early = serin_attempt_state(agent) == SERIN_STATE_PENDING && standing != NULL &&
                 standing->wait_ms > 0;
    if (standing == NULL || early) {
        return SERIN_OK;
    }
    return fetch(agent, SERIN_JOURNAL_PREPARED, 0);
}

/* What is in flash already, and only not told yet: nothing is written for it again. */
static enum serin_error tell(struct serin_agent *agent)
{
    if (agent->download.over) {
        return tell_end(agent);
    }
    return serin_attempt_move(agent, SERIN_ATTEMPT_VERIFIED, SERIN_REASON_NONE, 0);
}

static enum serin_error work(struct serin_agent *agent, const struct serin_agent_standing *standing)
{
    struct serin_agent_download *download = &agent->download;
    bool pending = serin_attempt_state(agent) == SERIN_STATE_PENDING;
    bool verifying = serin_attempt_state(agent) == SERIN_STATE_VERIFYING;
    if (download->over || download->sealed) {
        return tell(agent);
    }
    if (pending && download->have_manifest) {
        return serin_download_retake_manifest(agent);
    }
    if (download->have_manifest && verifying && download->prepared && !download->recheck) {
        return verify(agent);
    }
    if (download->target != SERIN_AGENT_TARGET_NONE) {
        return SERIN_OK; /* it comes block by block */
    }
    return download->have_manifest ? find_next(agent) : want_manifest(agent, standing);
}

enum serin_error serin_download_pursue(struct serin_agent *agent,
                                       const struct serin_agent_standing *standing)
{
    enum serin_error error = work(agent, standing);
    enum serin_reason failed;
    serin_fetch_poll(agent, &failed);
    return error == SERIN_OK && failed != SERIN_REASON_NONE ? fail(agent, failed, 0) : error;
}

uint32_t serin_download_done(const struct serin_agent *agent)
{
    enum serin_state state = serin_attempt_state(agent);
    if (state == SERIN_STATE_DOWNLOADING) {
        return agent->download.target == SERIN_AGENT_TARGET_IMAGE ? agent->fetch.position : 0;
    }
    bool all = state == SERIN_STATE_VERIFYING || state == SERIN_STATE_STAGED;
    return all ? agent->download.manifest.image_size_bytes : 0;
}
