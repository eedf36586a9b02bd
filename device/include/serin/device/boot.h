/*
 * The boot state and the bootloader's decision (docs/spec/boot.md; design decisions 18 to 21).
 *
 * The bootloader calls serin_boot_select once per reset and jumps to what it returns. The agent
 * calls the others. Everything is persisted before it is acted on: tries are taken off durably
 * before serin_boot_select returns.
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

/* ---- ports of the bootloader ---- */

/* The loader port: where images run, if not where they are stored. It puts them there; what is
 * hashed then is what `read` gives back of that place, so that what runs is what was verified, even
 * if the cells of the flash read otherwise the second time.
 *
 * For each image that is tried: `begin`, `write` from offset 0 on without gaps, `end`, then `read`
 * any number of times, up to the jump. A later `begin` (the other slot, as this one did not verify)
 * voids what was written. Any error: this image does not boot. */
struct serin_image_loader_ops {
    /* Makes room for `manifest->image_size_bytes`, to be run at `manifest->entry_address` where the
     * board has a use for it. SERIN_ERR_NO_SPACE: it does not fit there. SERIN_ERR_UNSUPPORTED: its
     * load address is not this place. The manifest is verified. */
    enum serin_error (*begin)(void *ctx, const struct serin_manifest *manifest);
    /* `size` is at most 256 bytes. */
    enum serin_error (*write)(void *ctx, uint32_t offset, const void *data, size_t size);
    /* All is written. From here on nothing may change it but who runs it: caches are written back,
     * DMA is off it, memory that can be write-protected is. */
    enum serin_error (*end)(void *ctx);
    /* Reads from the place itself what will run, at each call again, never what a loader kept. */
    enum serin_error (*read)(void *ctx, uint32_t offset, void *out, size_t size);
};

struct serin_image_loader {
    const struct serin_image_loader_ops *ops;
    void *ctx;
};

/* A loader into memory that the processor addresses; ctx: a struct serin_ram_loader. */
struct serin_ram_loader {
    uint8_t *memory;
    uint32_t size;
    uint32_t load_address; /* that a manifest must bear, or have 0 instead */
};
extern const struct serin_image_loader_ops serin_ram_loader_ops;

/* Why nothing boots. */
struct serin_recovery_account {
    enum serin_reset_cause cause; /* as given to serin_boot_select */
    bool log_lost;                /* no record of the boot log was whole */
    enum serin_error trust;       /* SERIN_OK, or SERIN_ERR_NOT_FOUND: no trust record verifies */
    /* Why A and B do not boot: the errors of serin_boot_verify_slot, those of the loader, or
     * SERIN_ERR_AGAIN: it verified in the first run and not in the second, as from cells that read
     * now so, now so. */
    enum serin_error slots[2];
    /* Below these nothing may boot, be it provisioned anew: the floor, and the highest version of a
     * trust record that the trust region or the agent's log knows of, 0 where neither does. Keys
     * that an update retired must not come back with an older record. */
    uint32_t floor, trust_version;
};

/* The recovery port: what is left when nothing boots. The bootloader must not end in a loop of
 * resets that nobody sees: it tells of it (a lamp, a serial line), and where the board has a way,
 * waits there for a provisioning, by serin_boot_provision_anew, which needs no boot state. It is
 * called with nothing locked, may take as long as it likes, feeds the watchdog itself, and need not
 * return.
 *
 * SERIN_OK: the device was provisioned anew, and serin_boot_select decides once more, once; it
 * writes `floor` of the account to the boot log where something lower was provisioned all the same.
 * Any other value: serin_boot_select returns SERIN_ERR_NOT_FOUND; the board resets, or stays off.
 * It cannot make anything boot that does not verify. */
struct serin_recovery_ops {
    enum serin_error (*nothing_boots)(void *ctx, const struct serin_recovery_account *account);
};

struct serin_recovery {
    const struct serin_recovery_ops *ops;
    void *ctx;
};

/* Everything boot code works with; the caller's memory, valid as long as it is used. */
struct serin_boot {
    const struct serin_crypto *crypto;
    const struct serin_flash *flash;
    const struct serin_layout *layout;
    const uint8_t *root_key; /* SERIN_P256_PUBLIC_SIZE bytes; provisioned */
    /* Who the device is; a pointer, so that a bootloader's whole `struct serin_boot` is a constant,
     * and what it leads to is known where the program is linked. */
    const struct serin_identity *identity;
    uint32_t floor_constant; /* the bootloader's own; the floor is the highest of all sources */
    /* For serin_boot_select alone. */
    const struct serin_image_loader *loader; /* NULL: images run in place */
    /* For images in place: where the processor sees address 0 of `flash`. An image whose load
     * address is another than its own place does not boot there (SERIN_ERR_UNSUPPORTED). 0: not
     * told, and nobody looks at the load address but `jump`, which then must (serin_boot_jump). */
    uint32_t in_place_address;
    const struct serin_recovery *recovery; /* NULL: none */
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
    enum serin_slot active; /* the slot that boots */
    bool active_confirmed;  /* false: it is the last resort, as no confirmed one verifies */
    bool last_resort;       /* it failed at the last boot; the other, not confirmed, ran instead */
    enum serin_slot trial;  /* NONE in STEADY */
    uint8_t tries_left;
    /* The trial that is staged or running, then its end, until the agent's account has it and the
     * next attempt begins. */
    enum serin_state last_outcome; /* CONFIRMED, ROLLED_BACK or INVALID (none) */
    enum serin_reason last_reason; /* set while it runs: it was abandoned */
    enum serin_reset_cause last_cause;
    uint16_t elapsed_s; /* of the confirmation window, in all boots */
    uint16_t window_s;
    uint32_t floor;                              /* committed security counter, up to UINT32_MAX */
    uint32_t boots;                              /* resets seen, saturating at UINT32_MAX */
    uint8_t last_manifest_id[SERIN_SHA256_SIZE]; /* all zero: none */
};

/* Reads the newest valid record. SERIN_ERR_NOT_FOUND: both banks are empty or damaged.
 * SERIN_ERR_FLASH: no record is found, and not all of the log can be read, so that it may read a
 * moment later. `state` then holds the state derived from the slots by design decision 18 (a
 * verified slot with a `confirmed` mark, then the higher version, then A) or active NONE. */
SERIN_MUST_USE enum serin_error serin_boot_read(const struct serin_boot *boot,
                                                struct serin_boot_state *state);

/* An image check in slices, so that who reads megabytes stays responsive; fields belong to
 * device/src. */
struct serin_image_check {
    struct serin_sha256 sha;
    uint32_t crc;
    uint32_t address, size, position;
    const struct serin_image_loader *loader; /* NULL: the image is read from flash */
};

struct serin_boot_choice {
    enum serin_slot slot;
    bool trial;
    /* The boot log could not be written, or waits with a trial that could not be recorded; the
     * confirmed image runs nevertheless. */
    bool log_failed;
    uint16_t window_left_s;             /* of a trial */
    uint32_t image_address, image_size; /* in flash; a loader has a copy of it */
    struct serin_proof proof; /* of slot, image, manifest id, load and entry address together */
    uint8_t manifest_id[SERIN_SHA256_SIZE];
    struct serin_manifest manifest;
};

/* The evidence of a choice that both runs have proved (serin/proof.h). */
#define SERIN_PROOF_TRUST_REGION SERIN_PROOF_AFTER(SERIN_PROOF_TRUST, SERIN_STEP_TRUST_PRODUCT)
#define SERIN_PROOF_SLOT                                                                           \
    SERIN_PROOF_AFTER(                                                                             \
        SERIN_PROOF_AFTER(SERIN_PROOF_MANIFEST_AFTER(SERIN_PROOF_TRUST_REGION), SERIN_STEP_SUITS), \
        SERIN_STEP_FLOOR)
#define SERIN_PROOF_BOOT                                                                  \
    SERIN_PROOF_AFTER(                                                                    \
        SERIN_PROOF_AFTER(                                                                \
            SERIN_PROOF_AFTER(SERIN_PROOF_AFTER(SERIN_PROOF_SLOT, SERIN_STEP_IMAGE_SIZE), \
                              SERIN_STEP_IMAGE_CRC),                                      \
            SERIN_STEP_IMAGE_DIGEST),                                                     \
        SERIN_STEP_CHOICE)

/* Decides what boots: takes off a try, rolls a trial back whose tries or window are used up,
 * verifies what is to run (trust record, signature, suitability, floor, CRC32, SHA-256), falls back
 * to the other slot, never below the floor: the highest that boot log, agent log and the
 * bootloader's constant prove (docs/spec/boot.md, section 8). `cause` says also whether an append
 * may have been cut: a board that cannot tell passes UNKNOWN, and REQUESTED only for a reset that
 * the agent asked for. Each call appends one record, in both banks. Where the log cannot be written
 * no trial runs: the confirmed image does, and `log_failed` says so. SERIN_ERR_NOT_FOUND: nothing
 * bootable, also after the recovery port, which was run.
 *
 * All of that is verified twice, from flash, or the loader's copy, to the choice as it is returned:
 * `choice->proof` has what both runs found, and SERIN_OK without it means nothing. Each run hashes
 * the image. */
SERIN_MUST_USE enum serin_error serin_boot_select(const struct serin_boot *boot,
                                                  enum serin_reset_cause cause,
                                                  struct serin_boot_choice *choice);

/* The decision alone, for a bootloader that has no recovery port and no room for what one needs:
 * serin_boot_select without `boot->recovery`. SERIN_ERR_NOT_FOUND: nothing bootable; `account`,
 * which may be NULL, says why, but for its `trust` and `trust_version`, which are not filled in. */
SERIN_MUST_USE enum serin_error serin_boot_decide(const struct serin_boot *boot,
                                                  enum serin_reset_cause cause,
                                                  struct serin_boot_choice *choice,
                                                  struct serin_recovery_account *account);

/* Whether the first, the second run proved `choice` as it stands now. */
bool serin_boot_proved_first(const struct serin_boot_choice *choice);
bool serin_boot_proved_second(const struct serin_boot_choice *choice);

/* Calls `jump`, which starts the watchdog (serin/device/agent.h) and the image, if both runs have
 * proved `choice`, each asked here by itself; returns otherwise, and the board must reset then. A
 * bootloader that jumps another way asks for both itself, right before, in two functions, of which
 * the first one calls the second.
 *
 * Where images run in place and `in_place_address` is not told, `jump` compares the manifest's load
 * address, unless it is 0, with the place of the image, and resets the board where they differ: an
 * image linked for elsewhere would fault at once. */
void serin_boot_jump(const struct serin_boot_choice *choice,
                     void (*jump)(void *ctx, const struct serin_boot_choice *choice), void *ctx);

/* Verifies the image in a slot completely. Errors as serin_manifest_open, serin_manifest_suits,
 * then SERIN_ERR_UNSUPPORTED (not made for this slot), SERIN_ERR_CRC, SERIN_ERR_DIGEST and
 * SERIN_ERR_FLASH; SERIN_ERR_NOT_FOUND: no manifest, or no trust record. `manifest` and `id` may be
 * NULL. */
SERIN_MUST_USE enum serin_error serin_boot_verify_slot(const struct serin_boot *boot,
                                                       enum serin_slot slot, uint32_t floor,
                                                       struct serin_manifest *manifest,
                                                       uint8_t id[SERIN_SHA256_SIZE]);

/* Arms `slot`, which has just been verified, for its trial; tries and window are its manifest's.
 * SERIN_ERR_STATE: a trial is staged or runs, or the slot is the active one. Errors as
 * serin_manifest_open; SERIN_ERR_NOT_FOUND: no manifest, no trust record, or the log is lost and
 * neither slot verifies; SERIN_ERR_FLASH: not armed. */
SERIN_MUST_USE enum serin_error serin_boot_stage(const struct serin_boot *boot,
                                                 enum serin_slot slot);

/* `slot`, which does not run, is about to be filled, and its manifest is erased: where it is the
 * active one, what runs in its place, of manifest `running_id`, becomes active, so that what is
 * filled in never boots without a trial. Does nothing otherwise. SERIN_ERR_FLASH: not durable; may
 * be called again. */
SERIN_MUST_USE enum serin_error serin_boot_give_up(const struct serin_boot *boot,
                                                   enum serin_slot slot,
                                                   const uint8_t running_id[SERIN_SHA256_SIZE]);

/* Disarms a staged slot that has not booted yet (a halt). SERIN_ERR_STATE: it has. SERIN_ERR_FLASH:
 * not durable, also where the log does not read now; the same for each of the following. */
SERIN_MUST_USE enum serin_error serin_boot_unstage(const struct serin_boot *boot);

/* Logs elapsed time of the trial's window; the agent calls it every 10 s. SERIN_ERR_STATE: no trial
 * runs. */
SERIN_MUST_USE enum serin_error serin_boot_elapse(const struct serin_boot *boot, uint16_t seconds);

/* The running trial is healthy: programs the slot's `confirmed` unit, which is the point of no
 * return, then makes it active. SERIN_ERR_STATE: no trial. SERIN_ERR_FLASH: not durable; may be
 * called again. */
SERIN_MUST_USE enum serin_error serin_boot_confirm(const struct serin_boot *boot);

/* The running trial is over (crash, watchdog, window's end) as the agent or launcher saw it: makes
 * the next serin_boot_select roll back at once instead of using up the tries. SERIN_ERR_STATE: no
 * trial. */
SERIN_MUST_USE enum serin_error serin_boot_abandon(const struct serin_boot *boot,
                                                   enum serin_reason reason);

/* Ends a trial that this boot, reset by `cause`, did not run although it is staged or on trial: the
 * bootloader could not record it. A marked one is confirmed, a staged one disarmed, another rolled
 * back: for what ended it, else with SERIN_REASON_FLASH. Not for the image on trial itself.
 * SERIN_ERR_STATE: no trial. SERIN_ERR_FLASH: not yet; may be called again. */
SERIN_MUST_USE enum serin_error serin_boot_end_trial(const struct serin_boot *boot,
                                                     enum serin_reset_cause cause);

/* Raises the floor to `counter`, which the running confirmed image carries. Never lowers it.
 * SERIN_ERR_STATE: a trial is staged or runs. SERIN_ERR_NOT_FOUND: the log is lost and neither slot
 * verifies. SERIN_ERR_FLASH: not raised. */
SERIN_MUST_USE enum serin_error serin_boot_commit(const struct serin_boot *boot, uint32_t counter);

/* Forgets how the last trial ended, once the account tells: another attempt at the same manifest
 * must not be taken for it. SERIN_OK also where there is nothing to forget. SERIN_ERR_STATE: a
 * trial is staged or runs. */
SERIN_MUST_USE enum serin_error serin_boot_forget(const struct serin_boot *boot);

/* ---- factory ---- */

/* Erases every region, the trust record first, then installs `manifest` and image as confirmed in
 * slot A and, unless `one_slot`, in slot B where the manifest is made for it, writes the first boot
 * record, and the trust record last, into both banks. Until that is there nothing boots, so an
 * interrupted run is simply repeated; one that was interrupted at the second bank boots, and its
 * agent completes it. The image is committed: the floor is its security counter.
 *
 * `image` is read through the callback, once for each slot, so that large images need no memory.
 * Nothing is erased before the trust record and the manifest verify: errors of serin_trust_open,
 * serin_manifest_open, serin_boot_verify_slot; those of `read`; SERIN_ERR_LAYOUT. SERIN_ERR_FLASH:
 * a part of the flash does not hold what it should; the device is not to be shipped. */
struct serin_factory_image {
    const uint8_t *manifest; /* whole, with signature area */
    size_t manifest_size;
    enum serin_error (*read)(void *ctx, uint32_t offset, void *out, size_t size);
    void *ctx;
    /* Leaves slot B empty, for a line that has no time for a second copy: until a directive allows
     * to commit what runs (then the agent mirrors it), rot of slot A leaves nothing to boot. */
    bool one_slot;
};
SERIN_MUST_USE enum serin_error serin_boot_provision(const struct serin_boot *boot,
                                                     const uint8_t *trust_record, size_t trust_size,
                                                     const struct serin_factory_image *image);

/* The same for a device that was one before, from its recovery port: what its floor and its trust
 * record kept out stays out, and the floor stands in the first record. serin_boot_provision by
 * itself begins with the floor of what it is given, as for a part that comes from the factory: in a
 * recovery it would let an old release in, and old keys.
 *
 * Errors as above, before anything is erased; SERIN_ERR_COUNTER: the image is below
 * `account->floor`. SERIN_ERR_STALE: the trust record is older than `account->trust_version`. An
 * interrupted run is repeated, with the account that the next boot gives: the floor in it is the
 * same. The trust version is, too, unless the run ended in its last moments, between the erase of
 * the agent's log and the trust record: then nothing tells it any more. */
SERIN_MUST_USE enum serin_error
serin_boot_provision_anew(const struct serin_boot *boot,
                          const struct serin_recovery_account *account, const uint8_t *trust_record,
                          size_t trust_size, const struct serin_factory_image *image);

/* ---- trust record region ---- */

/* Reads the trust record that counts: the newest that verifies. SERIN_ERR_NOT_FOUND: none does. */
SERIN_MUST_USE enum serin_error serin_trust_region_read(const struct serin_boot *boot,
                                                        struct serin_trust *trust);

/* Stores a record of a higher version, verified first. SERIN_ERR_STALE: version not higher.
 * SERIN_ERR_PRODUCT. Errors of serin_trust_open. SERIN_ERR_KEY, too, where the record drops the
 * release key of the confirmed image, or of one that is staged or on trial, which would not boot
 * any more; with the boot log lost, of either slot's. SERIN_ERR_FLASH where their manifests cannot
 * be read.
 *
 * The record goes to one bank and is proved there; the older one stays in the other until
 * serin_trust_region_mend replaces it, which an update is not complete without. SERIN_OK: the
 * record counts. SERIN_ERR_FLASH: it does not, and the older one stands. */
SERIN_MUST_USE enum serin_error serin_trust_region_update(const struct serin_boot *boot,
                                                          const uint8_t *record, size_t size);

/* Makes both banks hold the record that counts, where one holds another or does not read: at the
 * end of an update, after a cut in one, and after rot. Reads alone where they are equal. Keys that
 * an update drops are gone from flash after it.
 *
 * `proved` is the version of the last record that the caller saw proved (serin_trust_region_update
 * returned SERIN_OK, or this function SERIN_ERR_AGAIN) and has made durable since, in a place of
 * its own; 0: none. It tells which bank a cut may have torn: cells that were at work may read right
 * for a while, and the other bank must not be given up for those.
 *
 * The agent calls it at each of its starts: the bootloader works with one bank as well as with two,
 * and the fewer things it erases the better. SERIN_ERR_AGAIN: the newer record was written afresh
 * and is proved; make that durable and call again with its version. SERIN_ERR_NOT_FOUND: no record
 * verifies. SERIN_ERR_FLASH: one bank holds it, the other does not, also where it is older than
 * `proved`, and so is copied nowhere; may be called again. */
SERIN_MUST_USE enum serin_error serin_trust_region_mend(const struct serin_boot *boot,
                                                        uint32_t proved);

#endif
