/* The manifest of a download: fetched into scratch, judged, and kept in the download record. */
#include "agent_download.h"

#include <string.h>

static uint8_t *manifest_bytes(const struct serin_agent *agent)
{
    return agent->config->scratch + SERIN_DOWNLOAD_RECORD_HEAD;
}

/* Whether the manifest in scratch may be taken, in full, before anything else of the release is
 * used. Who takes it asks `proof` once more, both of its runs. */
static enum serin_reason judge_manifest(struct serin_agent *agent, size_t size, bool revert,
                                        struct serin_proof *proof)
{
    const struct serin_boot *boot = agent->config->boot;
    struct serin_manifest *manifest = &agent->download.manifest;
    enum serin_slot spare = serin_agent_spare(agent);
    *proof = (struct serin_proof){.first = 0};
    enum serin_error error =
        agent->have_trust ? serin_manifest_open_twice(boot->crypto, &agent->trust,
                                                      manifest_bytes(agent), size, manifest, proof)
                          : SERIN_ERR_KEY;
    struct serin_run first = {.mask = SERIN_RUN_FIRST, .evidence = proof->first};
    struct serin_run second = {.mask = SERIN_RUN_SECOND, .evidence = proof->second};
    if (error == SERIN_OK) {
        error = serin_slot_suits_prove(boot, spare, agent->running.floor, manifest, &first);
    }
    if (error == SERIN_OK) {
        error = serin_slot_suits_prove(boot, spare, agent->running.floor, manifest, &second);
    }
    proof->first = first.evidence;
    proof->second = second.evidence;
    if (error != SERIN_OK) {
        return serin_intake_reason(error);
    }
    if (!revert && serin_version_compare(manifest->version, agent->running.version) <= 0) {
        return SERIN_REASON_NOT_NEWER;
    }
    return SERIN_REASON_NONE;
}

/* Whether scratch holds the manifest that the directive names. */
static bool manifest_named(const struct serin_agent *agent, size_t size)
{
    uint8_t id[SERIN_SHA256_SIZE];
    if (size < SERIN_MANIFEST_BODY_SIZE) {
        return false;
    }
    serin_manifest_id(agent->config->boot->crypto, manifest_bytes(agent), id);
    return serin_bytes_equal(id, serin_attempt_current(agent)->manifest_id, sizeof id);
}

/* Whether the copy of a manifest that has its id may be to blame for `reason`: the id covers the
 * body alone, so a byte that a cache spoiled in the signature area shows only here. */
static bool copy_suspect(const struct serin_agent *agent, size_t size, enum serin_reason reason)
{
    struct serin_signature_area area;
    return reason == SERIN_REASON_SIGNATURE || reason == SERIN_REASON_KEY ||
           serin_signature_area_decode(manifest_bytes(agent), size, SERIN_MANIFEST_BODY_SIZE,
                                       &area) != SERIN_OK;
}

/* A manifest that came damaged, or seems so, is fetched again a few times before the attempt ends
 * with `event`. */
static enum serin_error bad_manifest(struct serin_agent *agent, enum serin_attempt_event event,
                                     enum serin_reason reason)
{
    serin_fetch_again(agent, agent->download.bad_rows);
    return ++agent->download.bad_rows >= SERIN_BAD_IN_A_ROW_MAX
               ? serin_download_end(agent, event, reason, 0)
               : SERIN_OK;
}

/* A manifest that was judged good. A function of its own: what a glitch makes of the comparison
 * before it, and of the return behind that, still meets this one. */
__attribute__((noinline)) static enum serin_error accept_manifest(struct serin_agent *agent,
                                                                  size_t size, bool pending,
                                                                  const struct serin_proof *proof)
{
    if (!serin_proof_second(proof, SERIN_PROOF_OFFER)) {
        return serin_download_end(agent, SERIN_ATTEMPT_REJECT, SERIN_REASON_SIGNATURE, 0);
    }
    serin_download_account(agent)->version = agent->download.manifest.version;
    enum serin_error error =
        agent->download.have_manifest ? SERIN_OK : serin_fill_store_manifest(agent, size);
    agent->download.have_manifest = error == SERIN_OK;
    if (error == SERIN_OK && pending) {
        /* Where that is not durable yet, it is tried again without the manifest being fetched. */
        error = serin_attempt_move(agent, SERIN_ATTEMPT_SUITS, SERIN_REASON_NONE, 0);
    }
    return error;
}

enum serin_error serin_download_take_manifest(struct serin_agent *agent, size_t size)
{
    const struct serin_agent_standing *standing = serin_intake_standing(agent);
    bool pending = serin_attempt_state(agent) == SERIN_STATE_PENDING;
    if (!manifest_named(agent, size)) {
        return bad_manifest(agent, SERIN_ATTEMPT_FAIL, SERIN_REASON_DIGEST);
    }
    /* Only the first look compares versions: what was accepted once is not weighed again. */
    bool revert = !pending || (standing != NULL && (standing->flags & SERIN_RELEASE_REVERT) != 0);
    struct serin_proof proof;
    enum serin_reason reason = judge_manifest(agent, size, revert, &proof);
    if (reason != SERIN_REASON_NONE && copy_suspect(agent, size, reason)) {
        return bad_manifest(agent, SERIN_ATTEMPT_REJECT, reason);
    }
    serin_fetch_stop(agent);
    agent->download.target = SERIN_AGENT_TARGET_NONE;
    agent->download.bad_rows = 0;
    if (reason == SERIN_REASON_NONE && !serin_proof_first(&proof, SERIN_PROOF_OFFER)) {
        reason = SERIN_REASON_SIGNATURE;
    }
    return reason == SERIN_REASON_NONE ? accept_manifest(agent, size, pending, &proof)
                                       : serin_download_end(agent, SERIN_ATTEMPT_REJECT, reason, 0);
}

enum serin_error serin_download_retake_manifest(struct serin_agent *agent)
{
    size_t size;
    if (serin_fill_load_manifest(agent, &size) != SERIN_OK) {
        agent->download.have_manifest = false; /* it has rotted since: it is fetched again */
        return SERIN_OK;
    }
    return serin_download_take_manifest(agent, size);
}

void serin_download_resume(struct serin_agent *agent)
{
    enum serin_state state = serin_attempt_state(agent);
    struct serin_proof proof;
    size_t size;
    if ((state == SERIN_STATE_DOWNLOADING || state == SERIN_STATE_VERIFYING) &&
        serin_fill_load_manifest(agent, &size) == SERIN_OK && manifest_named(agent, size) &&
        judge_manifest(agent, size, true, &proof) == SERIN_REASON_NONE &&
        serin_proof_first(&proof, SERIN_PROOF_OFFER)) {
        agent->download.have_manifest = serin_proof_second(&proof, SERIN_PROOF_OFFER);
        serin_agent_log(agent, "download resumed", NULL);
    }
}

enum serin_error serin_download_store_manifest(struct serin_agent *agent, const uint8_t *data,
                                               uint32_t size)
{
    if (agent->fetch.size > SERIN_MANIFEST_MAX) {
        enum serin_error error = bad_manifest(agent, SERIN_ATTEMPT_FAIL, SERIN_REASON_FORMAT);
        return error != SERIN_OK ? error : SERIN_ERR_TOO_LARGE;
    }
    memcpy(manifest_bytes(agent) + agent->fetch.position, data, size);
    return SERIN_OK;
}
