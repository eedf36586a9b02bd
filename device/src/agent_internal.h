/*
 * How the files of the agent talk to each other. Each owns one concern:
 *
 *   agent            events, deadlines, the view
 *   agent_find       what a start lacks: the trust record, the account
 *   agent_record     what survives a reset
 *   agent_attempt    the table of states
 *   agent_check      what stands in a slot
 *   agent_intake     directives, trust, hold
 *   agent_pursue     what to do next
 *   agent_peek       whether a stable release is newer than what runs
 *   agent_fetch      one object, block by block
 *   agent_manifest   the manifest of a download (agent_download.h)
 *   agent_download   piece table and image into the slot
 *   agent_fill       what of them is in place (agent_fill.h)
 *   agent_room       an erased place for a piece
 *   agent_trial      staged, trial, confirm, commit
 *   agent_mirror     the other slot as a copy
 *   agent_report     report, ack, beat
 *   agent_work       the most that a step does
 */
#ifndef SERIN_DEVICE_SRC_AGENT_INTERNAL_H
#define SERIN_DEVICE_SRC_AGENT_INTERNAL_H

#include "slot.h"

#include <serin/assert.h>
#include <serin/device/agent_state.h>

#define SERIN_NEVER_MS UINT32_MAX /* a wait that does not end by itself */

#define SERIN_AGENT_RETRY_MS 1000u /* after a write that failed, or something that did not read */
#define SERIN_AGENT_READINGS 3u    /* of a log, or the trust region, before it counts as lost */

/* ---- agent: small helpers ---- */

/* A board that has no use for either defines SERIN_AGENT_QUIET: their texts are a fifth of the
 * agent. What it does is told by reports and beats all the same. */
#ifdef SERIN_AGENT_QUIET
static inline void serin_agent_log(const struct serin_agent *agent, const char *text,
                                   const char *detail)
{
    (void)agent, (void)text, (void)detail;
}

static inline void serin_agent_fault_point(const struct serin_agent *agent, const char *name)
{
    (void)agent, (void)name;
}
#else
void serin_agent_log(const struct serin_agent *agent, const char *text, const char *detail);
void serin_agent_fault_point(const struct serin_agent *agent, const char *name);
#endif
/* The largest signed time plus uptime, or the board's clock where that is later. */
uint64_t serin_agent_time_s(const struct serin_agent *agent);
/* The board's clock, 0 without one. */
uint64_t serin_agent_clock_s(const struct serin_agent *agent);
/* Uniform in [0, range]; range < 2^32. Without random numbers the middle of the range: late, not
 * wrong. */
uint32_t serin_agent_random(const struct serin_agent *agent, uint32_t range);
static inline bool serin_agent_over(const struct serin_agent *agent, enum serin_agent_wait wait)
{
    return agent->wait_ms[wait] == 0;
}
static inline uint32_t serin_earlier(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}
/* So many seconds as a wait; the longest one where they are more than that. */
uint32_t serin_agent_seconds(uint32_t seconds);
/* Waits a second after a write that failed, and counts it. Returns `error`. */
enum serin_error serin_agent_failed(struct serin_agent *agent, enum serin_error error);
/* Reads the trust record, makes both banks of its region hold it, and learns whether they do.
 * `updated`: a newer one was just stored in one bank, and is proved there. */
void serin_agent_keep_trust(struct serin_agent *agent, bool updated);
/* Learns what runs, and what the other slot holds, once more; and makes the floor durable where one
 * of its witnesses, the boot log and the agent's record, knows less than the other. */
void serin_agent_learn(struct serin_agent *agent);
/* The slot that does not run. */
static inline enum serin_slot serin_agent_spare(const struct serin_agent *agent)
{
    return agent->spare;
}

/* ---- find ---- */

/* Counts that something did not read, once a second at most. True: that was so often in a row that
 * it counts as lost for good. */
bool serin_agent_lost(const struct serin_agent *agent, struct serin_agent_dark *dark);
/* Whether it counted as lost already. */
bool serin_agent_is_lost(const struct serin_agent_dark *dark);
/* Whether the trust record did not read at the start, and may yet: the bootloader has just read it,
 * so that it is not given up at once. Nothing is begun without it, and nothing refused. */
bool serin_agent_waits_for_trust(const struct serin_agent *agent);
/* Whether the agent waits for its trust record, or has no account yet: it begins and tells nothing.
 */
bool serin_agent_lacks(const struct serin_agent *agent);
/* Finds what the agent lacks, and takes the directives that came meanwhile. SERIN_ERR_FLASH: not
 * yet. */
SERIN_MUST_USE enum serin_error serin_agent_find_lacking(struct serin_agent *agent);
/* Loads the account, or begins one, which may be `unborn` yet. SERIN_ERR_CRYPTO: no random numbers.
 */
SERIN_MUST_USE enum serin_error serin_find_account(struct serin_agent *agent);
/* Keeps a directive for when the agent lacks nothing any more; not one that is too long. */
void serin_find_keep(struct serin_agent *agent, enum serin_agent_source source,
                     const uint8_t *payload, size_t size);

/* ---- record ---- */

void serin_record_encode(const struct serin_agent_record *record, uint8_t *payload);
SERIN_MUST_USE enum serin_error serin_record_decode(const uint8_t *payload,
                                                    struct serin_agent_record *record);
#define SERIN_RECORD_PAYLOAD_SIZE 1012u
/* SERIN_ERR_NOT_FOUND: no valid record. SERIN_ERR_FLASH: none could be read; it may a moment later.
 */
SERIN_MUST_USE enum serin_error serin_record_load(const struct serin_boot *boot,
                                                  struct serin_agent_record *record);
/* Copies a record with the attempts that it counts: the rest of `to` stays as it is, and means
 * nothing. */
void serin_record_copy(struct serin_agent_record *to, const struct serin_agent_record *from);

/* Makes `next` durable, then the agent's. SERIN_ERR_FLASH: the agent's record is unchanged. A log
 * that does not read is not written, and so not erased, before it counts as lost. */
SERIN_MUST_USE enum serin_error serin_record_store(struct serin_agent *agent,
                                                   const struct serin_agent_record *next);

/* Stores the agent's record as it is. SERIN_ERR_FLASH: not durable. */
SERIN_MUST_USE enum serin_error serin_record_again(struct serin_agent *agent);

/* Stores the agent's record once more where the log is suspect: once, after it is loaded. */
void serin_record_refresh(struct serin_agent *agent);

/* ---- attempt ---- */

enum serin_attempt_event {
    SERIN_ATTEMPT_ACCEPT,    /* a directive asks for it */
    SERIN_ATTEMPT_SUITS,     /* its manifest verified and suits */
    SERIN_ATTEMPT_REJECT,    /* it does not */
    SERIN_ATTEMPT_FETCHED,   /* every piece is in the slot */
    SERIN_ATTEMPT_VERIFIED,  /* the image is the manifest's */
    SERIN_ATTEMPT_BOOTED,    /* it runs for the first time */
    SERIN_ATTEMPT_CONFIRM,   /* the application is healthy */
    SERIN_ATTEMPT_ROLL_BACK, /* the trial ended without */
    SERIN_ATTEMPT_FAIL,
    SERIN_ATTEMPT_CANCEL,
    SERIN_ATTEMPT_SUPERSEDE,
    SERIN_ATTEMPT_REGRESS, /* healthy no more, after it was confirmed */
    SERIN_ATTEMPT_EVENT_COUNT
};

/* The table, for tests: SERIN_STATE_INVALID where the event is refused. */
enum serin_state serin_attempt_next(enum serin_state state, enum serin_attempt_event event);

/* The current attempt, NULL without one. */
const struct serin_attempt_report *serin_attempt_current(const struct serin_agent *agent);
enum serin_state serin_attempt_state(const struct serin_agent *agent);
bool serin_attempt_is(const struct serin_agent *agent, const uint8_t *manifest_id,
                      uint32_t attempt);
bool serin_attempt_in_progress(enum serin_state state); /* pending to staged */

/* Opens an attempt for what `standing` asks (event ACCEPT). SERIN_ERR_BUSY: two accounts of other
 * attempts wait for their ack; nothing changed. */
SERIN_MUST_USE enum serin_error serin_attempt_open(struct serin_agent *agent,
                                                   const struct serin_agent_standing *standing,
                                                   bool targeted);
/* Whether it would find room for its account. */
bool serin_attempt_has_room(const struct serin_agent *agent, const uint8_t *manifest_id,
                            uint32_t attempt);
/* Moves the current attempt by `event`: persisted, then told to the platform and due for a report.
 * SERIN_ERR_STATE: the table refuses it. SERIN_ERR_FLASH: not durable, nothing changed. */
SERIN_MUST_USE enum serin_error serin_attempt_move(struct serin_agent *agent,
                                                   enum serin_attempt_event event,
                                                   enum serin_reason reason, uint32_t detail);
/* Whether (manifest, attempt) ended in a way that must not be repeated. */
bool serin_attempt_tried(const struct serin_agent *agent, const uint8_t *manifest_id,
                         uint32_t attempt);
/* Whether any attempt at that manifest did. */
bool serin_attempt_any_tried(const struct serin_agent *agent, const uint8_t *manifest_id);

/* ---- check ---- */

/* Opens the manifest in `slot`. Errors of serin_slot_manifest_open; SERIN_ERR_KEY: there is no
 * trust record. `id` may be NULL. */
SERIN_MUST_USE enum serin_error serin_check_manifest(const struct serin_agent *agent,
                                                     enum serin_slot slot,
                                                     struct serin_manifest *manifest, uint8_t *id);
/* Goes on to verify the image in `slot` against `manifest`, a slice in each call; from the start
 * where `checking` is not set. SERIN_ERR_AGAIN: call again. Overwrites scratch. */
SERIN_MUST_USE enum serin_error serin_check_image(struct serin_agent *agent, enum serin_slot slot,
                                                  const struct serin_manifest *manifest);
/* The same against the manifest that stands in slot `of`, and which is opened as it begins and as
 * it ends. `manifest` is valid where all is well. */
SERIN_MUST_USE enum serin_error serin_check_slot(struct serin_agent *agent, enum serin_slot slot,
                                                 enum serin_slot of,
                                                 struct serin_manifest *manifest);

/* ---- intake ---- */

enum serin_error serin_intake_directive(struct serin_agent *agent, enum serin_agent_source source,
                                        const uint8_t *payload, size_t size);
enum serin_error serin_intake_trust(struct serin_agent *agent, const uint8_t *payload, size_t size);
/* Forgets what a director said whose key the trust record does not have any more: its orders, its
 * digests, its halts, and its time. A key that was held by somebody else for a minute would lock
 * the device out for good, as orders and time only grow. */
void serin_intake_forget_directors(struct serin_agent *agent);
enum serin_error serin_intake_hold(struct serin_agent *agent, const uint8_t *payload, size_t size);
/* The directive in force: the device's own until released, else its channel's. NULL: not heard
 * since boot. */
const struct serin_agent_standing *serin_intake_standing(const struct serin_agent *agent);
/* Whether a trial may start under `standing` now: lease and hold. */
bool serin_intake_lease(const struct serin_agent *agent,
                        const struct serin_agent_standing *standing);
/* The reason on the wire for an error of a manifest or a directive. */
enum serin_reason serin_intake_reason(enum serin_error error);

/* ---- pursue ---- */

/* Does what is due now: bounded work; called after every event. */
void serin_agent_pursue(struct serin_agent *agent);

/* ---- peek ---- */

/* A board that can do with an attempt that is rejected where a stable release is not newer, and
 * with its account in the place of that of what runs, defines SERIN_AGENT_NO_PEEK. */
#ifdef SERIN_AGENT_NO_PEEK
static inline enum serin_peek_verdict serin_peek_weigh(struct serin_agent *agent,
                                                       const struct serin_agent_standing *standing)
{
    (void)agent, (void)standing;
    return SERIN_PEEK_TAKE;
}
static inline bool serin_peek_due(const struct serin_agent *agent)
{
    (void)agent;
    return false;
}
static inline uint32_t serin_peek_wait_ms(const struct serin_agent *agent)
{
    (void)agent;
    return SERIN_NEVER_MS;
}
static inline void serin_peek_run(struct serin_agent *agent)
{
    (void)agent;
}
static inline void serin_peek_stop(struct serin_agent *agent)
{
    (void)agent;
}
SERIN_MUST_USE static inline enum serin_error serin_peek_store(struct serin_agent *agent,
                                                               const uint8_t *data, uint32_t size)
{
    (void)agent, (void)data, (void)size;
    return SERIN_ERR_STATE;
}
static inline void serin_peek_take(struct serin_agent *agent, size_t size)
{
    (void)agent, (void)size;
}
#else
/* Whether what `standing` asks for is worth an attempt. */
enum serin_peek_verdict serin_peek_weigh(struct serin_agent *agent,
                                         const struct serin_agent_standing *standing);
/* Whether a look is due or goes on. It needs the link, and scratch, which nothing else uses then.
 */
bool serin_peek_due(const struct serin_agent *agent);
/* How long until it has something to do; SERIN_NEVER_MS: not by itself. */
uint32_t serin_peek_wait_ms(const struct serin_agent *agent);
/* Goes on with the look. */
void serin_peek_run(struct serin_agent *agent);
void serin_peek_stop(struct serin_agent *agent);
/* Takes bytes of the manifest, at fetch.position. SERIN_ERR_TOO_LARGE: none has that size. */
SERIN_MUST_USE enum serin_error serin_peek_store(struct serin_agent *agent, const uint8_t *data,
                                                 uint32_t size);
/* A whole manifest has arrived: the verdict. */
void serin_peek_take(struct serin_agent *agent, size_t size);
#endif

/* ---- fetch ---- */

void serin_fetch_start(struct serin_agent *agent, const uint8_t object[SERIN_SHA256_SIZE],
                       uint32_t size, uint32_t position);
void serin_fetch_stop(struct serin_agent *agent);
/* Sends the next request where one is due. `failed` is why the object is given up, NONE while it is
 * not. */
void serin_fetch_poll(struct serin_agent *agent, enum serin_reason *failed);
/* A block: `data` is what stands at fetch.position, if anything. SERIN_OK: use it, then call
 * serin_fetch_took. */
SERIN_MUST_USE enum serin_error serin_fetch_block(struct serin_agent *agent, const uint8_t *payload,
                                                  size_t size, struct serin_block *block);
/* The first `size` bytes of the block are stored; fewer than it held: the window is given up. */
void serin_fetch_took(struct serin_agent *agent, uint32_t size, bool all);
/* A block was lost, or came too small to store: asks again. Losses in a row count like silence, so
 * that a server that always answers wrongly is asked less and less, and given up in the end. */
void serin_fetch_lost(struct serin_agent *agent);
/* Asks for the whole object again and learns its size anew, after a wait that doubles with `times`
 * (0: the first): a copy that came damaged gets time to be mended. */
void serin_fetch_again(struct serin_agent *agent, uint32_t times);
/* Asks again from `position`, at once. */
void serin_fetch_rewind(struct serin_agent *agent, uint32_t position);

/* ---- download ---- */

/* Reads back what an earlier boot had: manifest and journal. */
void serin_download_resume(struct serin_agent *agent);
/* Goes on with states pending, downloading and verifying. */
enum serin_error serin_download_pursue(struct serin_agent *agent,
                                       const struct serin_agent_standing *standing);
enum serin_error serin_download_block(struct serin_agent *agent, const uint8_t *payload,
                                      size_t size);
void serin_download_stop(struct serin_agent *agent);
/* Bytes of the image that are in place. */
uint32_t serin_download_done(const struct serin_agent *agent);

/* ---- the download record and the slot being filled ---- */

#define SERIN_DOWNLOAD_RECORD_HEAD 16u
/* Stores the manifest that stands at scratch + SERIN_DOWNLOAD_RECORD_HEAD. */
SERIN_MUST_USE enum serin_error serin_fill_store_manifest(struct serin_agent *agent, size_t size);
/* Loads it into scratch, at the same place. SERIN_ERR_NOT_FOUND. */
SERIN_MUST_USE enum serin_error serin_fill_load_manifest(struct serin_agent *agent, size_t *size);
/* Invalidates the slot and starts its journal, or finds out how far this attempt came, and brings
 * back what a cut may have left in the spare sector. Overwrites scratch. */
SERIN_MUST_USE enum serin_error serin_fill_prepare(struct serin_agent *agent);
/* Verification failed: from here on nothing counts as in place but by its digest, and the journal
 * is begun anew, so that after a reset, too, what is looked at, or written again, since then is
 * known from what is not. SERIN_ERR_FLASH: it may be called again. */
SERIN_MUST_USE enum serin_error serin_fill_recheck(struct serin_agent *agent);
/* Whether the piece table is in place; where it is not it is wanted from offset `from` on, 0 but
 * after a reset, and the sectors behind are erased. */
SERIN_MUST_USE enum serin_error serin_fill_prepare_table(struct serin_agent *agent, bool *found,
                                                         uint32_t *from);
/* Whether the piece table has its digest, whatever the journal says. */
bool serin_fill_table_right(struct serin_agent *agent);
/* Finds the first piece that is not in place; the number of pieces if all are. A piece is in place
 * where the journal says so, or where it has its digest (left by an earlier attempt at the same
 * image), unless the power may have gone in it. SERIN_ERR_AGAIN: call again, a step hashes so many
 * only. */
SERIN_MUST_USE enum serin_error serin_fill_find_piece(struct serin_agent *agent, uint32_t *missing);
/* Whether piece `index` is in place, in that sense. Reads only; overwrites scratch. */
bool serin_fill_has_piece(struct serin_agent *agent, uint32_t index);
/* Programs bytes of the piece table or the image at `position`, in whole units; the first byte of a
 * piece makes room for it. */
SERIN_MUST_USE enum serin_error serin_fill_program(struct serin_agent *agent, uint32_t position,
                                                   const uint8_t *data, uint32_t size);
/* Checks the table, or piece `index`, by reading back, and journals it. SERIN_ERR_DIGEST,
 * SERIN_ERR_FLASH. */
SERIN_MUST_USE enum serin_error serin_fill_accept_table(struct serin_agent *agent);
SERIN_MUST_USE enum serin_error serin_fill_accept_piece(struct serin_agent *agent, uint32_t index);
/* Programs the manifest of the download record into the slot: the slot boots from here on. */
SERIN_MUST_USE enum serin_error serin_fill_seal(struct serin_agent *agent);

/* ---- trial ---- */

/* Starts the window of a trial that runs, and learns what the last boots did to the attempt. */
void serin_trial_resume(struct serin_agent *agent);
/* Brings the account up to what the boot log tells; `unsettled` until it is durable. */
SERIN_MUST_USE enum serin_error serin_trial_settle(struct serin_agent *agent);
/* Whether a staged image is to be tried now: it is asked for, within its lease, and not held. */
bool serin_trial_due(const struct serin_agent *agent, const struct serin_agent_standing *standing);
enum serin_error serin_trial_start(struct serin_agent *agent,
                                   const struct serin_agent_standing *standing);
enum serin_error serin_trial_run(struct serin_agent *agent);
enum serin_error serin_trial_confirm(struct serin_agent *agent);
enum serin_error serin_trial_unhealthy(struct serin_agent *agent, enum serin_reason reason,
                                       uint32_t detail);
/* Whether a commit would raise the floor: what runs is confirmed and carries a higher counter. */
bool serin_trial_commits(const struct serin_agent *agent);
/* Raises the floor. What runs must just have been verified: nothing else may boot after it. */
SERIN_MUST_USE enum serin_error serin_trial_commit(struct serin_agent *agent);
/* What the boot log tells. Where it does not, `state` holds what the agent knows itself: what runs,
 * which the bootloader has just verified, so that no image is hashed for it, and its marker; of the
 * other slot, whether it bears one, and is what should run. Errors as serin_boot_log_read. */
enum serin_error serin_trial_ask(const struct serin_agent *agent, struct serin_boot_state *state);
/* Raises the floor in the boot log, which is begun where it is lost. Errors as serin_boot_commit.
 */
SERIN_MUST_USE enum serin_error serin_trial_raise(const struct serin_agent *agent, uint32_t floor);
/* What became of a change of the boot log, `error`, handed through. Not during a trial: a log that
 * does not read, the third time a second apart, is begun anew, for the change that is tried next;
 * once in a boot, as a region that stays dark would be erased each second. */
SERIN_MUST_USE enum serin_error serin_trial_changed(struct serin_agent *agent,
                                                    enum serin_error error);
/* Takes a staged image back before it booted. */
enum serin_error serin_trial_disarm(struct serin_agent *agent);

/* ---- mirror ---- */

/* A board that can do without a second copy, once a commit has given up the image before, until the
 * next update defines SERIN_AGENT_NO_COPY: what rots then leaves nothing to boot. */
#ifdef SERIN_AGENT_NO_COPY
#define SERIN_AGENT_COPIES false
#else
#define SERIN_AGENT_COPIES true
#endif

void serin_mirror_stop(struct serin_agent *agent);
/* Works in the background: looks whether the other slot is sound; where it may, verifies what runs,
 * commits it, and copies it into the other slot. */
enum serin_error serin_mirror_run(struct serin_agent *agent, bool may_commit);
/* Looks at the other slot's manifest and marker. */
void serin_mirror_learn(struct serin_agent *agent);

/* ---- report ---- */

void serin_report_due(struct serin_agent *agent);
/* Whether the present report is not acknowledged. */
bool serin_report_owed(const struct serin_agent *agent);
void serin_report_poll(struct serin_agent *agent);
enum serin_error serin_report_ack(struct serin_agent *agent, const uint8_t *payload, size_t size);
void serin_report_connected(struct serin_agent *agent);
/* An extra beat soon, so that an operator sees a change. */
void serin_beat_soon(struct serin_agent *agent);

#endif
