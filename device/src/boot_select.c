/* The bootloader's decision, once per reset (docs/spec/boot.md, section 4; design decisions 18 to
 * 21). */
#include "boot_prove.h"
#include "boot_state.h"
#include "slot.h"

#include <serin/assert.h>

#include <string.h>

#define PROOFS_MAX 3u /* of a slot that do not hold, before it counts as rotten */

/* Why a reset of this cause ends a trial whose tries or window are used up. */
static enum serin_reason reason_of(const struct serin_boot_state *state,
                                   enum serin_reset_cause cause)
{
    static const enum serin_reason reasons[] = {
        [SERIN_RESET_UNKNOWN] = SERIN_REASON_POWER,
        [SERIN_RESET_POWER] = SERIN_REASON_POWER,
        [SERIN_RESET_REQUESTED] = SERIN_REASON_NOT_CONFIRMED,
        [SERIN_RESET_WATCHDOG] = SERIN_REASON_WATCHDOG,
        [SERIN_RESET_CRASH] = SERIN_REASON_CRASH,
    };
    /* Past the window only a crash says more than that nobody confirmed in time. */
    if (state->elapsed_s >= state->window_s && cause != SERIN_RESET_CRASH) {
        return SERIN_REASON_NOT_CONFIRMED;
    }
    return reasons[cause];
}

/* Why the trial may not run again, or INVALID while it may. */
static enum serin_reason trial_over(const struct serin_boot_state *state,
                                    enum serin_reset_cause cause)
{
    if (state->last_reason != SERIN_REASON_INVALID) {
        return state->last_reason; /* abandoned */
    }
    if (state->tries_left == 0 || state->elapsed_s >= state->window_s) {
        return reason_of(state, cause);
    }
    return SERIN_REASON_INVALID;
}

/* How to append after a reset that may have come while something was written: only one that the
 * agent asks for is known not to. */
static unsigned after(enum serin_reset_cause cause)
{
    return cause != SERIN_RESET_REQUESTED ? SERIN_BOOT_LOG_AFTER_RESET : 0;
}

/* Whether the slot holds what may boot: the image of that manifest, or with NULL of any. A slot
 * that is passed over may be so for good, and one reading may come wrong: it is proved up to so
 * many times. */
static enum serin_error prove(const struct serin_boot *boot, enum serin_slot slot, uint32_t floor,
                              const uint8_t *manifest_id, struct serin_boot_choice *choice)
{
    enum serin_error error = SERIN_ERR_NOT_FOUND;
    for (unsigned proofs = 0; error != SERIN_OK && proofs < PROOFS_MAX; proofs++) {
        error = serin_boot_prove(boot, slot, floor, choice);
    }
    bool other = error == SERIN_OK && manifest_id != NULL &&
                 serin_difference(choice->manifest_id, manifest_id, SERIN_SHA256_SIZE) != 0;
    return other ? SERIN_ERR_NOT_FOUND : error;
}

/* A staged or running trial: runs it once more, or ends it. True: `choice` is the trial, and the
 * try is off durably. */
static bool select_trial(const struct serin_boot *boot, struct serin_boot_state *state,
                         enum serin_reset_cause cause, struct serin_boot_choice *choice)
{
    enum serin_reason over =
        state->phase == SERIN_BOOT_TRIAL ? trial_over(state, cause) : SERIN_REASON_INVALID;
    if (state->phase == SERIN_BOOT_TRIAL &&
        serin_boot_marked(boot, state->trial, state->last_manifest_id)) {
        /* The power went between the marker and the record of a confirmation: the marker is the
         * commit point. */
        serin_boot_apply_at_boot(
            state, &(struct serin_boot_change){.event = SERIN_BOOT_EVENT_CONFIRM, .cause = cause});
        return false;
    }
    if (over == SERIN_REASON_INVALID &&
        prove(boot, state->trial, state->floor, state->last_manifest_id, choice) != SERIN_OK) {
        over = SERIN_REASON_BOOT_VERIFY;
    }
    if (over != SERIN_REASON_INVALID) {
        serin_boot_apply_at_boot(
            state, &(struct serin_boot_change){
                       .event = SERIN_BOOT_EVENT_ROLL_BACK, .reason = over, .cause = cause});
        return false;
    }
    serin_boot_apply_at_boot(state, &(struct serin_boot_change){.event = SERIN_BOOT_EVENT_TRY});
    if (serin_boot_log_append(boot, state, after(cause)) != SERIN_OK) {
        return false; /* a try that is not off durably could be had forever: the active slot boots,
                         and nothing of this state is recorded */
    }
    choice->trial = true;
    choice->window_left_s = (uint16_t)(state->window_s - state->elapsed_s);
    return true;
}

/* Brings the state up to what boots: `slot`, which verifies. With no active slot there is nothing
 * to come back to. */
static void take_over(const struct serin_boot *boot, struct serin_boot_state *state,
                      enum serin_slot slot, const uint8_t *manifest_id)
{
    bool confirmed = slot != state->active && serin_boot_marked(boot, slot, manifest_id);
    serin_boot_apply_at_boot(state,
                             &(struct serin_boot_change){.event = state->active == SERIN_SLOT_NONE
                                                                      ? SERIN_BOOT_EVENT_GIVE_UP
                                                                      : SERIN_BOOT_EVENT_FALL_BACK,
                                                         .slot = slot,
                                                         .confirmed = confirmed});
}

/* The active slot, or the other where it does not verify. */
static enum serin_error select_steady(const struct serin_boot *boot, struct serin_boot_state *state,
                                      struct serin_boot_choice *choice,
                                      struct serin_recovery_account *account)
{
    enum serin_slot first = state->active == SERIN_SLOT_B ? SERIN_SLOT_B : SERIN_SLOT_A;
    const enum serin_slot order[] = {first, serin_slot_other(first)};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        enum serin_error error = prove(boot, order[i], state->floor, NULL, choice);
        if (error != SERIN_OK) {
            if (account != NULL) {
                account->slots[order[i] == SERIN_SLOT_A ? 0 : 1] = error;
            }
            continue;
        }
        if (state->phase == SERIN_BOOT_STEADY) {
            take_over(boot, state, order[i], choice->manifest_id);
        }
        return SERIN_OK;
    }
    return SERIN_ERR_NOT_FOUND;
}

/* The bootloader has no later: no clock to wait by, and no memory beside this very log that would
 * count its tries over resets. So a log that does not read in several readings is lost, and this
 * boot begins it anew, as without one no trial could ever be recorded. That costs the trial under
 * way, which ends: the floor has other witnesses, and so has what runs. */
enum serin_error serin_boot_decide(const struct serin_boot *boot, enum serin_reset_cause cause,
                                   struct serin_boot_choice *choice,
                                   struct serin_recovery_account *account)
{
    SERIN_ASSERT((unsigned)cause <= SERIN_RESET_CRASH);
    struct serin_boot_state state;
    memset(choice, 0, sizeof *choice);
    enum serin_error read = serin_boot_log_read_at_once(boot, &state);
    if (read != SERIN_OK) {
        serin_boot_derive(boot, &state);
    }
    /* Witnessed once, the floor stands in every record from here on. */
    state.floor = serin_boot_floor(boot, &state);
    if (account != NULL) {
        *account = (struct serin_recovery_account){
            .cause = cause, .log_lost = read != SERIN_OK, .floor = state.floor};
    }
    state.boots += state.boots < UINT32_MAX ? 1u : 0u;
    if (state.phase != SERIN_BOOT_STEADY && select_trial(boot, &state, cause, choice)) {
        return SERIN_OK;
    }
    enum serin_error error = select_steady(boot, &state, choice, account);
    /* A confirmed image needs no record to run: a worn log must not stop it, and the same is
     * decided at the next reset. In another phase the trial could not be recorded; its state stays
     * as it is. */
    if (error == SERIN_OK) {
        unsigned how = after(cause) | (read == SERIN_ERR_FLASH ? SERIN_BOOT_LOG_ANEW : 0);
        choice->log_failed = state.phase != SERIN_BOOT_STEADY ||
                             serin_boot_log_append(boot, &state, how) != SERIN_OK;
    }
    return error;
}

static void change_state(struct serin_boot_state *state, const struct serin_boot_change *change)
{
    enum serin_error error = serin_boot_apply(state, change);
    SERIN_ASSERT(error == SERIN_OK);
}

/* Something was provisioned in the recovery port: whatever that was, the floor does not go down
 * with it, now or at a later reset. Where it cannot be written it holds for this boot, as the
 * bootloader's constant. */
static enum serin_error decide_again(const struct serin_boot *boot, enum serin_reset_cause cause,
                                     struct serin_boot_choice *choice, uint32_t floor)
{
    struct serin_boot kept = *boot;
    struct serin_boot_state state;
    struct serin_recovery_account account;
    kept.floor_constant = floor;
    if (serin_boot_log_read(boot, &state) == SERIN_OK && state.floor < floor &&
        state.phase == SERIN_BOOT_STEADY) {
        change_state(&state,
                     &(struct serin_boot_change){.event = SERIN_BOOT_EVENT_COMMIT, .floor = floor});
        (void)!serin_boot_log_append(boot, &state, SERIN_BOOT_LOG_AFTER_RESET);
    }
    return serin_boot_decide(&kept, cause, choice, &account);
}

enum serin_error serin_boot_select(const struct serin_boot *boot, enum serin_reset_cause cause,
                                   struct serin_boot_choice *choice)
{
    struct serin_recovery_account account;
    const struct serin_recovery *recovery = boot->recovery;
    enum serin_error error = serin_boot_decide(boot, cause, choice, &account);
    if (error == SERIN_OK || recovery == NULL) {
        return error;
    }
    struct serin_trust trust;
    account.trust = serin_trust_region_read(boot, &trust);
    account.trust_version = serin_boot_trust_version(boot);
    if (account.trust == SERIN_OK && trust.version > account.trust_version) {
        account.trust_version = trust.version;
    }
    memset(choice, 0, sizeof *choice);
    return recovery->ops->nothing_boots(recovery->ctx, &account) == SERIN_OK
               ? decide_again(boot, cause, choice, account.floor)
               : error;
}

enum serin_error serin_boot_end_trial(const struct serin_boot *boot, enum serin_reset_cause cause)
{
    struct serin_boot_state state;
    enum serin_error error = serin_boot_log_read(boot, &state);
    if (error == SERIN_ERR_FLASH) {
        return error;
    }
    if (error != SERIN_OK || state.phase == SERIN_BOOT_STEADY) {
        return SERIN_ERR_STATE;
    }
    struct serin_boot_change change = {.event = SERIN_BOOT_EVENT_UNSTAGE, .cause = cause};
    if (state.phase == SERIN_BOOT_TRIAL) {
        bool confirmed = serin_boot_marked(boot, state.trial, state.last_manifest_id);
        change.event = confirmed ? SERIN_BOOT_EVENT_CONFIRM : SERIN_BOOT_EVENT_ROLL_BACK;
        change.reason = trial_over(&state, cause);
        if (change.reason == SERIN_REASON_INVALID) {
            change.reason = SERIN_REASON_FLASH; /* it had tries left, and could not use them */
        }
    }
    change_state(&state, &change);
    /* The bootloader appended nothing: this is the first since the reset. */
    return serin_boot_log_append(boot, &state, SERIN_BOOT_LOG_AFTER_RESET);
}
