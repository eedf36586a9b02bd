/* The boot log, what the slots tell where it is lost (design decision 18), and the floor's other
 * witnesses. */
#include "boot_state.h"
#include "slot.h"
#include "trust_region.h"

#include <string.h>

#define BOOT_LOG_MAGIC   0x424E5253u /* "SRNB" */
#define READINGS_AT_ONCE 3u          /* of a log that cannot be read, where there is no later, */
#define READINGS_SURE    2u          /* and of any: the newest record may have read wrong in one */
#define LOOKS_MAX        3u /* at what a slot has to say, before it is believed to be nothing */

static struct serin_reclog log_of(const struct serin_boot *boot)
{
    return (struct serin_reclog){.flash = boot->flash,
                                 .region = boot->layout->boot_log,
                                 .magic = BOOT_LOG_MAGIC,
                                 .payload_size = SERIN_BOOT_PAYLOAD_SIZE};
}

enum serin_error serin_boot_log_read(const struct serin_boot *boot, struct serin_boot_state *state)
{
    uint8_t payload[SERIN_BOOT_PAYLOAD_SIZE];
    struct serin_reclog log = log_of(boot);
    uint32_t sequence;
    enum serin_error error = serin_reclog_read(&log, payload, &sequence);
    if (error != SERIN_OK) {
        return error;
    }
    if (serin_boot_decode(payload, state) != SERIN_OK) {
        return SERIN_ERR_NOT_FOUND;
    }
    state->sequence = sequence;
    return SERIN_OK;
}

enum serin_error serin_boot_log_read_at_once(const struct serin_boot *boot,
                                             struct serin_boot_state *state)
{
    enum serin_error error = SERIN_ERR_FLASH;
    for (unsigned n = 0; n < READINGS_SURE || (n < READINGS_AT_ONCE && error == SERIN_ERR_FLASH);
         n++) {
        struct serin_boot_state reading;
        enum serin_error how = serin_boot_log_read(boot, &reading);
        bool newer = how == SERIN_OK && (error != SERIN_OK || reading.sequence > state->sequence);
        if (newer) {
            *state = reading;
        }
        error = error == SERIN_OK ? error : how;
    }
    return error;
}

enum serin_error serin_boot_log_append(const struct serin_boot *boot,
                                       const struct serin_boot_state *state, unsigned how)
{
    uint8_t payload[SERIN_BOOT_PAYLOAD_SIZE];
    struct serin_reclog log = log_of(boot);
    log.after_reset = (how & SERIN_BOOT_LOG_AFTER_RESET) != 0;
    log.begin_anew = (how & SERIN_BOOT_LOG_ANEW) != 0;
    serin_boot_encode(state, payload);
    enum serin_error error = serin_reclog_append(&log, payload);
    return error == SERIN_ERR_AGAIN ? SERIN_ERR_FLASH : error;
}

enum serin_error serin_boot_log_begin(const struct serin_boot *boot,
                                      const struct serin_boot_state *state)
{
    struct serin_boot_state found;
    enum serin_error error = serin_boot_log_read(boot, &found);
    return error == SERIN_OK ? SERIN_OK
                             : serin_boot_log_append(
                                   boot, state, error == SERIN_ERR_FLASH ? SERIN_BOOT_LOG_ANEW : 0);
}

/* `size` bytes from `offset` on of what the agent's log remembers. False: it does not read, or
 * tells none. */
static bool agents_word(const struct serin_boot *boot, uint32_t offset, uint8_t *out, uint32_t size)
{
    const struct serin_reclog log = {.flash = boot->flash,
                                     .region = boot->layout->agent_log,
                                     .magic = SERIN_AGENT_LOG_MAGIC,
                                     .payload_size = SERIN_AGENT_PAYLOAD_SIZE};
    return serin_reclog_read_part(&log, offset, out, size) == SERIN_OK;
}

/* The floor that the agent's log remembers, and the format of the record: one reading has both. */
static uint32_t agents_floor(const struct serin_boot *boot)
{
    uint8_t bytes[SERIN_AGENT_FLOOR_OFFSET + 4u];
    return agents_word(boot, 0, bytes, sizeof bytes) && serin_get_le16(bytes) == SERIN_AGENT_FORMAT
               ? serin_get_le32(bytes + SERIN_AGENT_FLOOR_OFFSET)
               : 0;
}

uint32_t serin_boot_trust_version(const struct serin_boot *boot)
{
    uint8_t format[2], number[4];
    return agents_word(boot, 0, format, sizeof format) &&
                   serin_get_le16(format) == SERIN_AGENT_FORMAT &&
                   agents_word(boot, SERIN_AGENT_TRUST_OFFSET, number, sizeof number)
               ? serin_get_le32(number)
               : 0;
}

/* The floor that the boot log tells, once more and in another way than serin_boot_decode: no glitch
 * in that one, in both runs, makes the floor fall. What bears no phase is no record of it. */
static uint32_t logged_floor(const struct serin_boot *boot)
{
    uint8_t bytes[SERIN_BOOT_FLOOR_OFFSET + 4u];
    const struct serin_reclog log = log_of(boot);
    return serin_reclog_read_part(&log, 0, bytes, sizeof bytes) == SERIN_OK &&
                   bytes[0] != SERIN_BOOT_INVALID && bytes[0] <= SERIN_BOOT_TRIAL
               ? serin_get_le32(bytes + SERIN_BOOT_FLOOR_OFFSET)
               : 0;
}

uint32_t serin_boot_floor(const struct serin_boot *boot, const struct serin_boot_state *state)
{
    uint32_t floor = agents_floor(boot);
    uint32_t logged = logged_floor(boot);
    floor = logged > floor ? logged : floor;
    floor = state->floor > floor ? state->floor : floor;
    return boot->floor_constant > floor ? boot->floor_constant : floor;
}

bool serin_boot_marked(const struct serin_boot *boot, enum serin_slot slot,
                       const uint8_t id[SERIN_SHA256_SIZE])
{
    bool marked = false;
    for (unsigned looks = 0; !marked && looks < LOOKS_MAX; looks++) {
        marked = serin_slot_marked(boot, slot, id);
    }
    return marked;
}

/* What a slot has to say for itself. */
struct claim {
    enum serin_slot slot;
    bool marked;
    struct serin_version version;
    uint32_t counter;
    uint8_t id[SERIN_SHA256_SIZE];
};

static bool better(const struct claim *a, const struct claim *b)
{
    if (a->marked != b->marked) {
        return a->marked;
    }
    return serin_version_compare(a->version, b->version) > 0;
}

/* Hears what `slot` has to say; slot NONE: it does not verify. */
static void hear(const struct serin_boot *boot, const struct serin_trust *trust,
                 enum serin_slot slot, uint32_t floor, struct claim *claim)
{
    struct serin_manifest manifest;
    memset(claim, 0, sizeof *claim);
    enum serin_error error = SERIN_ERR_NOT_FOUND;
    for (unsigned looks = 0; error != SERIN_OK && looks < LOOKS_MAX; looks++) {
        error = serin_slot_verify(boot, trust, slot, floor, &manifest, claim->id);
    }
    if (error == SERIN_OK) {
        claim->slot = slot;
        claim->marked = serin_boot_marked(boot, slot, claim->id);
        claim->version = manifest.version;
        claim->counter = manifest.security_counter;
    }
}

void serin_boot_derive(const struct serin_boot *boot, struct serin_boot_state *state)
{
    struct serin_trust trust;
    struct serin_run run;
    struct claim a, b;
    memset(state, 0, sizeof *state);
    state->phase = SERIN_BOOT_STEADY;
    state->floor = serin_boot_floor(boot, state);
    /* One run, as hear() has one: what is heard boots only when both have proved it. */
    serin_run_start(&run, SERIN_RUN_FIRST);
    if (serin_trust_region_prove(boot, &trust, &run) != SERIN_OK) {
        return;
    }
    hear(boot, &trust, SERIN_SLOT_A, state->floor, &a);
    hear(boot, &trust, SERIN_SLOT_B, state->floor, &b);
    /* A wins where nothing else decides. */
    const struct claim *best =
        a.slot == SERIN_SLOT_NONE || (b.slot != SERIN_SLOT_NONE && better(&b, &a)) ? &b : &a;
    state->active = best->slot;
    state->active_confirmed = best->marked;
    /* Only the factory and a mirror put one confirmed image into both slots, and it is committed
     * before either does. */
    if (a.marked && b.marked && serin_difference(a.id, b.id, sizeof a.id) == 0 &&
        a.counter > state->floor) {
        state->floor = a.counter;
    }
}
