/* Attempts (attempts.h). */
#include "attempts.h"

#include "pass.h"
#include "releases.h"
#include "serind.h"

#include <string.h>

#define PRUNES_PER_MERGE 64u /* a store of an older serind may hold more than is kept */

/* ---- to the engine ---- */

static void step(struct serind *serind, struct serind_slot *slot, uint32_t device,
                 enum serin_state state, enum serin_reason reason, bool before_retry)
{
    const struct serin_rollout_event event = {
        .kind = SERIN_ROLLOUT_MEMBER,
        .member = serind_slot_position(serind, slot, device),
        .state = state,
        .reason = reason,
        .before_retry = before_retry,
    };
    if (event.member == UINT32_MAX) {
        return; /* its hardware is not offered anything, or the rollout was over when it came */
    }
    enum serin_error error = serind_rollouts_step(serind, slot, &event);
    (void)serind_pass_check(serind, error == SERIN_ERR_STATE ? SERIN_OK : error);
}

void serind_attempts_step(struct serind *serind, struct serind_slot *slot, uint32_t device,
                          enum serin_state state, enum serin_reason reason)
{
    step(serind, slot, device, state, reason, false);
}

/* Tells the engine what an attempt has come to. One from before a retry is told only where it is
 * news: an old end that is reported again must not end what a retry has opened. */
static void tell(struct serind *serind, const struct serin_device_record *record, bool news)
{
    const struct serin_attempt_record *attempt = &record->last_attempt;
    struct serind_slot *slot = serind_rollouts_latest(serind, record->product, record->channel);
    uint32_t device = serind_index_find(&serind->index, record->id);
    if (slot == NULL || device == SERIND_NO_DEVICE ||
        !serind_rollout_attempts(&slot->rollout, attempt->manifest_id, attempt->attempt) ||
        (slot->rollout.attempt != attempt->attempt && !news) ||
        attempt->state <= SERIN_STATE_IDLE || attempt->state == SERIN_STATE_TIMED_OUT ||
        attempt->state == SERIN_STATE_UNREACHED) {
        return;
    }
    step(serind, slot, device, attempt->state,
         attempt->reason != SERIN_REASON_INVALID ? attempt->reason : SERIN_REASON_NONE,
         attempt->attempt != slot->rollout.attempt);
}

/* A member of which nothing was heard runs what the rollout offers: it came to it by another way,
 * or its account was closed before it ended well. As long as it is trying anything, that decides.
 */
static void runs_it(struct serind *serind, const struct serin_device_record *record)
{
    const struct serin_attempt_record *attempt = &record->last_attempt;
    struct serind_slot *slot = serind_rollouts_latest(serind, record->product, record->channel);
    uint32_t device = serind_index_find(&serind->index, record->id);
    if (slot == NULL || device == SERIND_NO_DEVICE || serind_rollout_over(slot->rollout.state) ||
        (attempt->attempt != 0 && !attempt->final) ||
        !serind_rollout_offers(&slot->rollout, record->running.manifest_id, record->hardware)) {
        return;
    }
    uint32_t position = serind_slot_position(serind, slot, device);
    if (position == UINT32_MAX) {
        return;
    }
    uint8_t state = slot->members.list[position].state;
    if (state == SERIN_STATE_IDLE || state == SERIN_STATE_UNREACHED) {
        serind_attempts_step(serind, slot, device, SERIN_STATE_CONFIRMED, SERIN_REASON_NONE);
    }
}

/* ---- what is kept ---- */

struct search {
    const struct serin_attempt_record *keep;
    size_t count;
    struct serin_attempt_record oldest; /* attempt 0: none */
};

static bool look(void *arg, const struct serin_attempt_record *record)
{
    struct search *search = arg;
    bool kept = record->attempt == search->keep->attempt &&
                memcmp(record->manifest_id, search->keep->manifest_id, SERIN_SHA256_SIZE) == 0;
    search->count++;
    if (!kept && (search->oldest.attempt == 0 || record->updated_s < search->oldest.updated_s)) {
        search->oldest = *record;
    }
    return true;
}

/* Makes room for an attempt that was added. */
static void prune(struct serind *serind, const char *device_id,
                  const struct serin_attempt_record *added)
{
    const struct serin_store_ops *ops = serind->store.ops;
    for (unsigned i = 0; i < PRUNES_PER_MERGE; i++) {
        struct search search = {.keep = added};
        enum serin_error error = ops->each_attempt(serind->store.ctx, device_id, look, &search);
        /* A damaged record was named in the log; it is not in the way of the others. */
        if (!serind_pass_check(serind, error == SERIN_ERR_FORMAT ? SERIN_OK : error) ||
            search.count <= SERIND_ATTEMPTS_MAX || search.oldest.attempt == 0) {
            return;
        }
        (void)serind_pass_check(serind, ops->delete_attempt(serind->store.ctx, device_id,
                                                            search.oldest.manifest_id,
                                                            search.oldest.attempt));
    }
}

/* Said once of a device, or one of them could fill the audit log. */
static void refuse_unknown(struct serind *serind, const struct serin_device_record *record,
                           const struct serin_attempt_report *report)
{
    uint32_t device = serind_index_find(&serind->index, record->id);
    if (device == SERIND_NO_DEVICE || serind->index.list[device].unknown_said) {
        return;
    }
    serind->index.list[device].unknown_said = true;
    char id[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(report->manifest_id, SERIN_SHA256_SIZE, id);
    serind_audit(
        serind,
        &(struct serind_audit_line){.actor = "device", .what = "refused", .device = record->id},
        "its attempt %u at manifest %s is not kept: no release here has that id", report->attempt,
        id);
}

/* Whether a line about the device may go to the audit log. */
static bool may_tell(struct serind *serind, const struct serin_device_record *record)
{
    return serind_site_tells(serind, serind_sites_find(serind, record->gateway));
}

/* Whether the attempt is at a release of ours; the release then knows its number. */
static bool is_ours(struct serind *serind, const struct serin_device_record *record,
                    const struct serin_attempt_report *report)
{
    enum serin_error error = serind_releases_attempted(serind, report->manifest_id, report->attempt,
                                                       SERIND_ATTEMPT_LEAP_MAX);
    if (error == SERIN_ERR_NOT_FOUND) {
        refuse_unknown(serind, record, report);
        return false;
    }
    return serind_pass_check(serind, error);
}

/* The latest attempt, which was confirmed, was left for another image. */
static void left(struct serind *serind, struct serin_device_record *record, const char *how)
{
    if (!serind_pass_check(serind, serind->store.ops->put_attempt(serind->store.ctx, record->id,
                                                                  &record->last_attempt))) {
        return;
    }
    if (may_tell(serind, record)) {
        serind_audit(serind,
                     &(struct serind_audit_line){
                         .actor = "device", .what = "reverted", .device = record->id},
                     "%s", how);
    }
    tell(serind, record, true);
}

void serind_attempts_merge(struct serind *serind, struct serin_device_record *record,
                           const struct serin_attempt_report *report)
{
    const struct serin_store_ops *ops = serind->store.ops;
    if (!is_ours(serind, record, report)) {
        return;
    }
    bool anew = false;
    serin_ledger_taken_anew(&record->last_attempt, report, serind_now_s(serind), &anew);
    if (anew) {
        left(serind, record, "it takes an image again that it confirmed before");
    }
    struct serin_attempt_record attempt = {.attempt = 0};
    enum serin_error error = ops->get_attempt(serind->store.ctx, record->id, report->manifest_id,
                                              report->attempt, &attempt);
    bool fresh = error == SERIN_ERR_NOT_FOUND;
    if (fresh) {
        attempt = (struct serin_attempt_record){.attempt = 0};
        error = SERIN_OK;
    }
    if (!serind_pass_check(serind, error)) {
        return;
    }
    bool changed = false;
    if (serin_ledger_merge(&attempt, report, serind_now_s(serind), &changed) != SERIN_OK) {
        if (may_tell(serind, record)) {
            serind_audit(serind,
                         &(struct serind_audit_line){
                             .actor = "device", .what = "refused", .device = record->id},
                         "its transitions do not follow each other: attempt %u is not taken",
                         report->attempt);
        }
        return;
    }
    record->last_attempt = attempt;
    if (serind_pass_check(serind, ops->put_attempt(serind->store.ctx, record->id, &attempt))) {
        if (fresh) {
            prune(serind, record->id, &attempt);
        }
        tell(serind, record, changed);
    }
}

void serind_attempts_running(struct serind *serind, struct serin_device_record *record)
{
    struct serin_attempt_record *latest = &record->last_attempt;
    bool changed = false;
    if (latest->attempt != 0) {
        serin_ledger_running(latest, &record->running, serind_now_s(serind), &changed);
    }
    if (changed) {
        left(serind, record, "it runs another image than it confirmed");
    }
    runs_it(serind, record);
}
