/* The trust region: the record that counts, in two banks. */
#include "trust_region.h"

#include "boot_state.h"
#include "flash_io.h"
#include "slot.h"

#include <serin/crc32.h>

#include <string.h>

#define HEAD_SIZE  16u
#define HEAD_CRC   12u
#define BANK_MAGIC 0x4B4E5253u /* "SRNK" */
#define BANK_COUNT 2u
#define LOOKS_MAX  4u /* at banks that read now so, now so */
/* Of a record that comes once: the server offers it again when asked anew. */
#define WRITES_MAX   3u
#define READINGS_MAX 3u /* of what may be lost, or may have read wrong */

/* One bank's content, unverified. */
struct bank {
    uint8_t bytes[HEAD_SIZE + SERIN_TRUST_SIZE_P256];
    size_t record_size; /* 0: nothing usable */
    uint32_t version;   /* claimed */
};

uint32_t serin_trust_bank_size(const struct serin_flash *flash)
{
    return serin_round_up(HEAD_SIZE + SERIN_TRUST_SIZE_P256, serin_flash_unit(flash));
}

static uint32_t bank_address(const struct serin_boot *boot, uint32_t n)
{
    return boot->layout->trust.address + n * (boot->layout->trust.size / BANK_COUNT);
}

static void bank_read(const struct serin_boot *boot, uint32_t n, struct bank *bank)
{
    bank->record_size = 0;
    bank->version = 0;
    if (serin_flash_read(boot->flash, bank_address(boot, n), bank->bytes, sizeof bank->bytes) !=
        SERIN_OK) {
        return;
    }
    const uint8_t *head = bank->bytes;
    uint32_t size = serin_get_le32(head + 4);
    if (serin_get_le32(head) != BANK_MAGIC ||
        serin_get_le32(head + HEAD_CRC) != serin_crc32(0, head, HEAD_CRC) ||
        size > SERIN_TRUST_SIZE_P256 || size < SERIN_TRUST_BODY_SIZE ||
        serin_get_le32(head + 8) != serin_crc32(0, head + HEAD_SIZE, size)) {
        return;
    }
    bank->record_size = size;
    bank->version = serin_get_le32(head + HEAD_SIZE + SERIN_TRUST_VERSION_OFFSET);
}

static enum serin_error bank_prove(const struct serin_boot *boot, const struct bank *bank,
                                   struct serin_trust *trust, struct serin_run *run)
{
    if (bank->record_size == 0) {
        return SERIN_ERR_NOT_FOUND;
    }
    enum serin_error error = serin_trust_prove(
        boot->crypto, boot->root_key, bank->bytes + HEAD_SIZE, bank->record_size, trust, run);
    if (error == SERIN_OK) {
        error = strcmp(trust->product, boot->identity->product) == 0 ? SERIN_OK : SERIN_ERR_PRODUCT;
        serin_run_note(run, SERIN_STEP_TRUST_PRODUCT, (uint32_t)error);
    }
    return error;
}

static enum serin_error bank_open(const struct serin_boot *boot, const struct bank *bank,
                                  struct serin_trust *trust)
{
    struct serin_run run;
    serin_run_start(&run, SERIN_RUN_FIRST);
    return bank_prove(boot, bank, trust, &run);
}

/* Which bank claims the higher version. */
static uint32_t claimed_newer(const struct serin_boot *boot)
{
    struct bank bank;
    bank_read(boot, 0, &bank);
    uint32_t first = bank.version;
    bank_read(boot, 1, &bank);
    return bank.version > first ? 1 : 0;
}

/* The bank of the newest record that verifies, or BANK_COUNT. What a record that does not verify
 * left in the evidence goes with it. */
static uint32_t newest(const struct serin_boot *boot, struct serin_trust *trust,
                       struct serin_run *run)
{
    struct bank bank;
    uint32_t n = claimed_newer(boot);
    for (uint32_t tried = 0; tried < BANK_COUNT; tried++, n = BANK_COUNT - 1u - n) {
        struct serin_run own = *run;
        bank_read(boot, n, &bank);
        if (bank_prove(boot, &bank, trust, &own) == SERIN_OK) {
            *run = own;
            return n;
        }
    }
    return BANK_COUNT;
}

enum serin_error serin_trust_region_prove(const struct serin_boot *boot, struct serin_trust *trust,
                                          struct serin_run *run)
{
    return newest(boot, trust, run) < BANK_COUNT ? SERIN_OK : SERIN_ERR_NOT_FOUND;
}

/* Both runs, for an agent, which judges manifests and directives by the record from now on. */
enum serin_error serin_trust_region_read(const struct serin_boot *boot, struct serin_trust *trust)
{
    struct serin_run first, second;
    serin_run_start(&first, SERIN_RUN_FIRST);
    serin_run_start(&second, SERIN_RUN_SECOND);
    enum serin_error error = serin_trust_region_prove(boot, trust, &first);
    if (error == SERIN_OK) {
        error = serin_trust_region_prove(boot, trust, &second);
    }
    const struct serin_proof proof = {.first = first.evidence, .second = second.evidence};
    if (!serin_proof_first(&proof, SERIN_PROOF_TRUST_REGION)) {
        return SERIN_ERR_NOT_FOUND;
    }
    if (!serin_proof_second(&proof, SERIN_PROOF_TRUST_REGION)) {
        return SERIN_ERR_NOT_FOUND;
    }
    return error;
}

/* Refuses `after` where `slot` verifies and would not any more. One reading may be wrong: what does
 * not verify is lost only where none of several readings does. SERIN_ERR_FLASH: none tells. */
static enum serin_error keeps_slot(const struct serin_boot *boot, const struct serin_trust *before,
                                   const struct serin_trust *after, enum serin_slot slot,
                                   uint32_t floor)
{
    struct serin_manifest manifest;
    enum serin_error refused = SERIN_ERR_FLASH;
    bool verifies = false; /* one reading that says so is enough, whatever follows */
    for (unsigned reading = 0; slot != SERIN_SLOT_NONE && reading < READINGS_MAX; reading++) {
        enum serin_error error =
            serin_slot_manifest_open(boot, after, slot, floor, &manifest, NULL);
        if (error == SERIN_OK) {
            return SERIN_OK;
        }
        enum serin_error now = serin_slot_manifest_open(boot, before, slot, floor, &manifest, NULL);
        if (now == SERIN_OK) {
            verifies = true;
            refused = error;
        } else if (now != SERIN_ERR_FLASH && !verifies) {
            refused = SERIN_OK; /* it was read, and does not verify: unless another reading does */
        }
    }
    return slot == SERIN_SLOT_NONE ? SERIN_OK : refused;
}

/* The same with the log lost: nobody tells which slot runs, so each that verifies may. */
static enum serin_error keeps_both(const struct serin_boot *boot, const struct serin_trust *before,
                                   const struct serin_trust *after)
{
    struct serin_boot_state state;
    memset(&state, 0, sizeof state);
    uint32_t floor = serin_boot_floor(boot, &state);
    enum serin_error error = keeps_slot(boot, before, after, SERIN_SLOT_A, floor);
    return error == SERIN_OK ? keeps_slot(boot, before, after, SERIN_SLOT_B, floor) : error;
}

/* What boots must stay bootable: a record that drops the key of the confirmed image, or of the one
 * on trial, which may be confirmed next, would leave the device with nothing at a later reset.
 * Operators retire a release key after the fleet runs an image of its successor. */
static enum serin_error keeps_bootable(const struct serin_boot *boot,
                                       const struct serin_trust *before,
                                       const struct serin_trust *after)
{
    struct serin_boot_state state;
    enum serin_error error = SERIN_ERR_NOT_FOUND;
    for (unsigned reading = 0; reading < READINGS_MAX && error != SERIN_OK; reading++) {
        error = serin_boot_log_read(boot, &state);
    }
    if (error != SERIN_OK) {
        return keeps_both(boot, before, after);
    }
    error = keeps_slot(boot, before, after, state.active, state.floor);
    if (state.last_resort && (error == SERIN_OK || error == SERIN_ERR_FLASH)) {
        /* The active one did not verify at boot either; it is the other one that runs. */
        error = keeps_slot(boot, before, after, serin_slot_other(state.active), state.floor);
    }
    return error == SERIN_OK ? keeps_slot(boot, before, after, state.trial, state.floor) : error;
}

static void bank_fill(struct bank *bank, const uint8_t *record, size_t size)
{
    serin_put_le32(bank->bytes, BANK_MAGIC);
    serin_put_le32(bank->bytes + 4, (uint32_t)size);
    serin_put_le32(bank->bytes + 8, serin_crc32(0, record, size));
    serin_put_le32(bank->bytes + HEAD_CRC, serin_crc32(0, bank->bytes, HEAD_CRC));
    memcpy(bank->bytes + HEAD_SIZE, record, size);
    bank->record_size = size;
}

/* Whether bank `n` holds `bank`, read twice: what was torn may read right once. */
static bool bank_holds(const struct serin_boot *boot, uint32_t n, const struct bank *bank)
{
    uint32_t address = bank_address(boot, n);
    unsigned readings = 0;
    while (readings < 2 &&
           serin_flash_holds(boot->flash, address, bank->bytes, HEAD_SIZE + bank->record_size)) {
        readings++;
    }
    return readings == 2;
}

static enum serin_error bank_write(const struct serin_boot *boot, uint32_t n,
                                   const struct bank *bank)
{
    uint32_t address = bank_address(boot, n);
    enum serin_error error =
        serin_flash_erase(boot->flash, address, boot->layout->trust.size / BANK_COUNT);
    if (error == SERIN_OK) {
        error =
            serin_flash_program(boot->flash, address, bank->bytes, HEAD_SIZE + bank->record_size);
    }
    return error == SERIN_OK && !bank_holds(boot, n, bank) ? SERIN_ERR_FLASH : error;
}

/* What one reading of both banks tells. */
struct look {
    struct bank banks[BANK_COUNT];
    struct serin_trust trust[BANK_COUNT];
    bool valid[BANK_COUNT];
};

/* The banks are equal, or one does not verify: the sound one is copied. */
static enum serin_error make_equal(const struct serin_boot *boot, const struct look *look,
                                   uint32_t n)
{
    uint32_t other = BANK_COUNT - 1u - n;
    if (bank_holds(boot, n, &look->banks[n])) {
        return bank_holds(boot, other, &look->banks[n]) ? SERIN_OK
                                                        : bank_write(boot, other, &look->banks[n]);
    }
    if (look->valid[other] && bank_holds(boot, other, &look->banks[other])) {
        return bank_write(boot, n, &look->banks[other]);
    }
    return SERIN_ERR_BUSY;
}

/* Looks at both banks once, and does what follows from it. SERIN_ERR_BUSY: nothing yet, as a bank
 * may read otherwise the next time; with `last` none is waited for. */
static enum serin_error mend_once(const struct serin_boot *boot, uint32_t proved, bool last)
{
    struct look look;
    for (uint32_t n = 0; n < BANK_COUNT; n++) {
        bank_read(boot, n, &look.banks[n]);
        look.valid[n] = bank_open(boot, &look.banks[n], &look.trust[n]) == SERIN_OK;
    }
    if (!look.valid[0] && !look.valid[1]) {
        return last ? SERIN_ERR_NOT_FOUND : SERIN_ERR_BUSY;
    }
    if (!look.valid[0] || !look.valid[1]) {
        uint32_t n = look.valid[0] ? 0 : 1;
        if (last && look.trust[n].version < proved) {
            return SERIN_ERR_FLASH; /* the newer one is not given up for what was left behind */
        }
        return last ? make_equal(boot, &look, n) : SERIN_ERR_BUSY;
    }
    if (look.trust[0].version == look.trust[1].version) {
        return make_equal(boot, &look, 0);
    }
    uint32_t n = look.trust[1].version > look.trust[0].version ? 1 : 0;
    uint32_t other = BANK_COUNT - 1u - n;
    /* An update was cut. Either record may stand on torn cells that happen to read right: the newer
     * one until it was proved, the older one from then on. The one that does is written, and only
     * while the other verifies what runs. */
    enum serin_error keeps = look.trust[n].version != proved
                                 ? keeps_bootable(boot, &look.trust[n], &look.trust[other])
                                 : SERIN_ERR_STALE;
    if (keeps == SERIN_ERR_FLASH) {
        return keeps; /* nothing is given up for what does not read now */
    }
    if (keeps == SERIN_OK) {
        enum serin_error error = bank_write(boot, n, &look.banks[n]);
        return error == SERIN_OK ? SERIN_ERR_AGAIN : error;
    }
    return bank_write(boot, other, &look.banks[n]);
}

enum serin_error serin_trust_region_mend(const struct serin_boot *boot, uint32_t proved)
{
    enum serin_error error = SERIN_ERR_BUSY;
    for (unsigned looks = 1; looks <= LOOKS_MAX && error == SERIN_ERR_BUSY; looks++) {
        error = mend_once(boot, proved, looks == LOOKS_MAX);
    }
    return error == SERIN_ERR_BUSY ? SERIN_ERR_FLASH : error;
}

enum serin_error serin_trust_region_update(const struct serin_boot *boot, const uint8_t *record,
                                           size_t size)
{
    return serin_trust_region_renew(boot, NULL, record, size);
}

/* Whether `after` may take the place of what bank `n`, or `known` where there is none, holds. */
static enum serin_error may_follow(const struct serin_boot *boot, uint32_t n,
                                   const struct serin_trust *newest_read,
                                   const struct serin_trust *known, const struct serin_trust *after)
{
    const struct serin_trust *before = n < BANK_COUNT ? newest_read : known;
    if (before == NULL) {
        return SERIN_OK;
    }
    if (after->version < before->version || (n < BANK_COUNT && after->version == before->version)) {
        return SERIN_ERR_STALE;
    }
    return keeps_bootable(boot, before, after);
}

enum serin_error serin_trust_region_renew(const struct serin_boot *boot,
                                          const struct serin_trust *known, const uint8_t *record,
                                          size_t size)
{
    struct serin_trust after, before;
    struct serin_proof proof;
    struct serin_run run;
    if (size > SERIN_TRUST_SIZE_P256) {
        return SERIN_ERR_TOO_LARGE;
    }
    enum serin_error error =
        serin_trust_open_twice(boot->crypto, boot->root_key, record, size, &after, &proof);
    if (error == SERIN_OK && strcmp(after.product, boot->identity->product) != 0) {
        error = SERIN_ERR_PRODUCT;
    }
    if (error != SERIN_OK) {
        return error;
    }
    serin_run_start(&run, SERIN_RUN_FIRST);
    uint32_t n = newest(boot, &before, &run);
    error = may_follow(boot, n, &before, known, &after);
    if (error != SERIN_OK) {
        return error;
    }
    if (!serin_proof_first(&proof, SERIN_PROOF_TRUST)) {
        return SERIN_ERR_SIGNATURE;
    }
    if (!serin_proof_second(&proof, SERIN_PROOF_TRUST)) {
        return SERIN_ERR_SIGNATURE;
    }
    struct bank bank;
    bank_fill(&bank, record, size);
    error = SERIN_ERR_FLASH;
    for (unsigned writes = 0; writes < WRITES_MAX && error != SERIN_OK; writes++) {
        error = bank_write(boot, n == 0 ? 1 : 0, &bank);
    }
    return error;
}
