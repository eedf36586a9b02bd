/* The boot log, and what the slots tell where it is lost (design decision 18). */
#include "boot_state.h"
#include "slot.h"

#include <string.h>

#define BOOT_LOG_MAGIC 0x424E5253u /* "SRNB" */

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
    if (serin_reclog_read(&log, payload, &sequence) != SERIN_OK ||
        serin_boot_decode(payload, state) != SERIN_OK) {
        return SERIN_ERR_NOT_FOUND;
    }
    state->sequence = sequence;
    return SERIN_OK;
}

enum serin_error serin_boot_log_append(const struct serin_boot *boot,
                                       const struct serin_boot_state *state)
{
    uint8_t payload[SERIN_BOOT_PAYLOAD_SIZE];
    struct serin_reclog log = log_of(boot);
    serin_boot_encode(state, payload);
    return serin_reclog_append(&log, payload);
}

enum serin_error serin_boot_log_format(const struct serin_boot *boot)
{
    struct serin_reclog log = log_of(boot);
    return serin_reclog_format(&log);
}

/* What a slot has to say for itself. */
struct claim {
    enum serin_slot slot;
    bool marked;
    struct serin_version version;
};

static bool better(const struct claim *a, const struct claim *b)
{
    if (a->marked != b->marked) {
        return a->marked;
    }
    return serin_version_compare(a->version, b->version) > 0;
}

void serin_boot_derive(const struct serin_boot *boot, struct serin_boot_state *state)
{
    struct serin_trust trust;
    struct claim best = {.slot = SERIN_SLOT_NONE};
    memset(state, 0, sizeof *state);
    state->phase = SERIN_BOOT_STEADY;
    state->floor = boot->floor_constant;
    if (serin_trust_region_read(boot, &trust) != SERIN_OK) {
        return;
    }
    for (enum serin_slot slot = SERIN_SLOT_A; slot <= SERIN_SLOT_B; slot++) {
        struct serin_manifest manifest;
        uint8_t id[SERIN_SHA256_SIZE];
        if (serin_slot_verify(boot, &trust, slot, state->floor, &manifest, id) != SERIN_OK) {
            continue;
        }
        struct claim claim = {
            .slot = slot, .marked = serin_slot_marked(boot, slot, id), .version = manifest.version};
        /* A comes first, so that it wins where nothing else decides. */
        if (best.slot == SERIN_SLOT_NONE || better(&claim, &best)) {
            best = claim;
        }
    }
    state->active = best.slot;
    state->active_confirmed = best.marked;
}
