/*
 * The boot state and the bootloader's decision (docs/spec/boot.md; design decisions 18 to 21).
 *
 * The bootloader calls serin_boot_select once per reset and jumps to what it returns. The agent calls the others.
 * Everything is persisted before it is acted on: tries are taken off durably before serin_boot_select returns.
 */
#ifndef SERIN_DEVICE_BOOT_H
#define SERIN_DEVICE_BOOT_H

#include <serin/device/flash.h>
#include <serin/states.h>
#include <serin/trust.h>

/* Why the device was reset, as far as the board can tell. */
enum serin_reset_cause {
    SERIN_RESET_UNKNOWN = 0,
    SERIN_RESET_POWER = 1,
    SERIN_RESET_REQUESTED = 2, /* by the agent */
    SERIN_RESET_WATCHDOG = 3,
    SERIN_RESET_CRASH = 4
};

/* Everything boot code works with; the caller's memory, valid as long as it is used. */
struct serin_boot {
    const struct serin_crypto *crypto;
    const struct serin_flash *flash;
    const struct serin_layout *layout;
    const uint8_t *root_key; /* SERIN_P256_PUBLIC_SIZE bytes; provisioned */
    struct serin_identity identity;
    uint32_t floor_constant; /* the bootloader's own floor; the floor is the highest of all sources */
};

enum serin_boot_phase {
    SERIN_BOOT_INVALID = 0,
    SERIN_BOOT_STEADY = 1, /* `active` boots */
    SERIN_BOOT_STAGED = 2, /* `trial` boots next, for the first time */
    SERIN_BOOT_TRIAL = 3   /* `trial` has booted at least once and is not confirmed */
};

/* The whole boot state, one record of the boot log. */
struct serin_boot_state {
    uint32_t sequence; /* of the record; 0: none was found */
    enum serin_boot_phase phase;
    enum serin_slot active; /* the confirmed slot */
    enum serin_slot trial;  /* NONE in STEADY */
    uint8_t tries_left;
    uint16_t elapsed_s; /* of the confirmation window, in all boots */
    uint16_t window_s;
    uint32_t floor;     /* committed security counter */
    uint32_t boots;     /* resets seen, saturating */
    /* The last trial's end, until the next trial is staged: for the agent's account. */
    uint8_t last_manifest_id[SERIN_SHA256_SIZE]; /* all zero: none */
    enum serin_state last_outcome;               /* CONFIRMED, ROLLED_BACK or INVALID (none) */
    enum serin_reason last_reason;
    enum serin_reset_cause last_cause;
};

/* Reads the newest valid record. SERIN_ERR_NOT_FOUND: both banks are empty or damaged; `state` then holds the state
 * derived from the slots by design decision 18 (a verified slot with a `confirmed` mark, then the higher version, then A)
 * or active NONE. */
SERIN_MUST_USE enum serin_error serin_boot_read(const struct serin_boot *boot,
                                                struct serin_boot_state *state);

struct serin_boot_choice {
    enum serin_slot slot;
    bool trial;
    uint32_t image_address, image_size; /* in flash */
    struct serin_manifest manifest;
    uint8_t manifest_id[SERIN_SHA256_SIZE];
    uint16_t window_left_s; /* of a trial */
};

/* Decides what boots: takes off a try, rolls a trial back whose tries or window are used up, verifies what is to run
 * (trust record, signature, suitability, floor, CRC32, SHA-256), falls back to the other slot, never below the floor.
 * SERIN_ERR_NOT_FOUND: nothing bootable; run the recovery port. SERIN_ERR_FLASH: the log could not be written, nothing
 * was decided; try again or recover. */
SERIN_MUST_USE enum serin_error serin_boot_select(const struct serin_boot *boot,
                                                  enum serin_reset_cause cause,
                                                  struct serin_boot_choice *choice);

/* Verifies the image in a slot completely. Errors as serin_manifest_open, serin_manifest_suits, then SERIN_ERR_CRC and
 * SERIN_ERR_DIGEST; SERIN_ERR_NOT_FOUND: no manifest. `manifest` and `id` may be NULL. */
SERIN_MUST_USE enum serin_error serin_boot_verify_slot(const struct serin_boot *boot,
                                                       enum serin_slot slot, uint32_t floor,
                                                       struct serin_manifest *manifest,
                                                       uint8_t id[SERIN_SHA256_SIZE]);

/* Arms `slot`, which has just been verified, for its trial. */
SERIN_MUST_USE enum serin_error serin_boot_stage(const struct serin_boot *boot, enum serin_slot slot);

/* Disarms a staged slot that has not booted yet (a halt). SERIN_ERR_STATE: it has. */
SERIN_MUST_USE enum serin_error serin_boot_unstage(const struct serin_boot *boot);

/* Logs elapsed time of the trial's window; the agent calls it every 10 s. */
SERIN_MUST_USE enum serin_error serin_boot_elapse(const struct serin_boot *boot, uint16_t seconds);

/* The running trial is healthy: programs the slot's `confirmed` unit, then makes it active. SERIN_ERR_STATE: no trial. */
SERIN_MUST_USE enum serin_error serin_boot_confirm(const struct serin_boot *boot);

/* The running trial is over (crash, watchdog, window's end) as the agent or launcher saw it: makes the next
 * serin_boot_select roll back at once instead of using up the tries. SERIN_ERR_STATE: no trial. */
SERIN_MUST_USE enum serin_error serin_boot_abandon(const struct serin_boot *boot,
                                                   enum serin_reason reason);

/* Raises the floor to `counter`, which the running confirmed image carries. Never lowers it. */
SERIN_MUST_USE enum serin_error serin_boot_commit(const struct serin_boot *boot, uint32_t counter);

/* ---- factory ---- */

/* Erases the fixed regions, writes the first boot record and the trust record, and installs `manifest` and image in slot
 * A as confirmed. `image` is read through the callback so that large images need no memory. */
struct serin_factory_image {
    const uint8_t *manifest; /* whole, with signature area */
    size_t manifest_size;
    enum serin_error (*read)(void *ctx, uint32_t offset, void *out, size_t size);
    void *ctx;
};
SERIN_MUST_USE enum serin_error serin_boot_provision(const struct serin_boot *boot,
                                                     const uint8_t *trust_record, size_t trust_size,
                                                     const struct serin_factory_image *image);

/* ---- trust record region ---- */

/* Reads the newest valid trust record. SERIN_ERR_NOT_FOUND: none verifies. */
SERIN_MUST_USE enum serin_error serin_trust_region_read(const struct serin_boot *boot,
                                                        struct serin_trust *trust);

/* Stores a record of a higher version, verified first. SERIN_ERR_STALE: version not higher. Errors of
 * serin_trust_open. The older record stays valid until the new one is complete. */
SERIN_MUST_USE enum serin_error serin_trust_region_update(const struct serin_boot *boot,
                                                          const uint8_t *record, size_t size);

#endif
