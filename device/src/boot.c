/* The boot state as the agent sees and changes it: every change is durable before the function
 * returns. */
#include <serin/device/boot.h>

#include "boot_state.h"
#include "slot.h"

enum serin_error serin_boot_read(const struct serin_boot *boot, struct serin_boot_state *state)
{
    enum serin_error error = serin_boot_log_read(boot, state);
    if (error != SERIN_OK) {
        serin_boot_derive(boot, state);
    }
    return error;
}

enum serin_error serin_boot_verify_slot(const struct serin_boot *boot, enum serin_slot slot,
                                        uint32_t floor, struct serin_manifest *manifest,
                                        uint8_t id[SERIN_SHA256_SIZE])
{
    struct serin_trust trust;
    struct serin_manifest own_manifest;
    uint8_t own_id[SERIN_SHA256_SIZE];
    enum serin_error error = serin_trust_region_read(boot, &trust);
    if (error != SERIN_OK) {
        return error;
    }
    return serin_slot_verify(boot, &trust, slot, floor, manifest != NULL ? manifest : &own_manifest,
                             id != NULL ? id : own_id);
}

/* Applies a change to the state in the log and appends the result. One that does not read now is
 * changed by nobody. A lost log is replaced by what the slots tell, which are asked only for what
 * changes a steady state: they tell of no trial. */
static enum serin_error change_log(const struct serin_boot *boot,
                                   const struct serin_boot_change *change)
{
    struct serin_boot_state state;
    enum serin_error error = serin_boot_log_read(boot, &state);
    if (error == SERIN_ERR_FLASH) {
        return error;
    }
    if (error != SERIN_OK) {
        if (serin_boot_next(SERIN_BOOT_STEADY, change->event) == SERIN_BOOT_INVALID) {
            return SERIN_ERR_STATE;
        }
        serin_boot_derive(boot, &state);
        if (state.active == SERIN_SLOT_NONE) {
            return SERIN_ERR_NOT_FOUND;
        }
    }
    if (change->event == SERIN_BOOT_EVENT_STAGE && change->slot == state.active) {
        return SERIN_ERR_STATE;
    }
    error = serin_boot_apply(&state, change);
    return error == SERIN_OK ? serin_boot_log_append(boot, &state, 0) : error;
}

enum serin_error serin_boot_stage(const struct serin_boot *boot, enum serin_slot slot)
{
    struct serin_trust trust;
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    enum serin_error error = serin_trust_region_read(boot, &trust);
    if (error == SERIN_OK) {
        error = serin_slot_manifest_open(boot, &trust, slot, boot->floor_constant, &manifest, id);
    }
    if (error != SERIN_OK) {
        return error;
    }
    struct serin_boot_change change = {.event = SERIN_BOOT_EVENT_STAGE,
                                       .slot = slot,
                                       .tries = manifest.confirm_tries,
                                       .seconds = manifest.confirm_window_s,
                                       .manifest_id = id};
    return change_log(boot, &change);
}

enum serin_error serin_boot_give_up(const struct serin_boot *boot, enum serin_slot slot,
                                    const uint8_t running_id[SERIN_SHA256_SIZE])
{
    struct serin_boot_state state;
    enum serin_slot runs = serin_slot_other(slot);
    enum serin_error error = serin_boot_log_read(boot, &state);
    if (error == SERIN_ERR_FLASH) {
        return error; /* it may tell that `slot` is active: nothing would try what is filled in */
    }
    if (error != SERIN_OK || state.phase != SERIN_BOOT_STEADY || state.active != slot) {
        return SERIN_OK;
    }
    bool marked = serin_slot_marked(boot, runs, running_id);
    return change_log(boot, &(struct serin_boot_change){.event = SERIN_BOOT_EVENT_GIVE_UP,
                                                        .slot = runs,
                                                        .confirmed = marked});
}

enum serin_error serin_boot_unstage(const struct serin_boot *boot)
{
    return change_log(boot, &(struct serin_boot_change){.event = SERIN_BOOT_EVENT_UNSTAGE});
}

enum serin_error serin_boot_elapse(const struct serin_boot *boot, uint16_t seconds)
{
    return change_log(
        boot, &(struct serin_boot_change){.event = SERIN_BOOT_EVENT_ELAPSE, .seconds = seconds});
}

enum serin_error serin_boot_confirm(const struct serin_boot *boot)
{
    struct serin_boot_state state;
    enum serin_error error = serin_boot_log_read(boot, &state);
    if (error == SERIN_ERR_FLASH) {
        return error;
    }
    if (error != SERIN_OK || state.phase != SERIN_BOOT_TRIAL) {
        return SERIN_ERR_STATE;
    }
    error = serin_slot_mark(boot, state.trial, state.last_manifest_id);
    if (error != SERIN_OK && error != SERIN_ERR_NO_SPACE) {
        return error;
    }
    return change_log(boot, &(struct serin_boot_change){.event = SERIN_BOOT_EVENT_CONFIRM});
}

enum serin_error serin_boot_abandon(const struct serin_boot *boot, enum serin_reason reason)
{
    return change_log(
        boot, &(struct serin_boot_change){.event = SERIN_BOOT_EVENT_ABANDON, .reason = reason});
}

enum serin_error serin_boot_commit(const struct serin_boot *boot, uint32_t counter)
{
    return change_log(
        boot, &(struct serin_boot_change){.event = SERIN_BOOT_EVENT_COMMIT, .floor = counter});
}

enum serin_error serin_boot_forget(const struct serin_boot *boot)
{
    struct serin_boot_state state;
    enum serin_error error = serin_boot_log_read(boot, &state);
    if (error == SERIN_ERR_FLASH) {
        return error;
    }
    if (error != SERIN_OK ||
        (state.phase == SERIN_BOOT_STEADY && state.last_outcome == SERIN_STATE_INVALID)) {
        return SERIN_OK; /* it remembers nothing */
    }
    return change_log(boot, &(struct serin_boot_change){.event = SERIN_BOOT_EVENT_FORGET});
}
