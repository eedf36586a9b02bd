/* The boot state: its record, and the table of what may follow what. */
#include "boot_state.h"

#include <serin/assert.h>

#include <string.h>

#define PHASES (SERIN_BOOT_TRIAL + 1)

#define FLAG_ACTIVE_CONFIRMED 1u
#define FLAG_LAST_RESORT      2u
#define FLAGS_KNOWN           3u

/* What is not listed is refused. */
static const enum serin_boot_phase next_phase[PHASES][SERIN_BOOT_EVENT_COUNT] = {
    [SERIN_BOOT_STEADY] =
        {
            [SERIN_BOOT_EVENT_STAGE] = SERIN_BOOT_STAGED,
            [SERIN_BOOT_EVENT_FALL_BACK] = SERIN_BOOT_STEADY,
            [SERIN_BOOT_EVENT_GIVE_UP] = SERIN_BOOT_STEADY,
            [SERIN_BOOT_EVENT_COMMIT] = SERIN_BOOT_STEADY,
            [SERIN_BOOT_EVENT_FORGET] = SERIN_BOOT_STEADY,
        },
    [SERIN_BOOT_STAGED] =
        {
            [SERIN_BOOT_EVENT_UNSTAGE] = SERIN_BOOT_STEADY,
            [SERIN_BOOT_EVENT_TRY] = SERIN_BOOT_TRIAL,
            [SERIN_BOOT_EVENT_ROLL_BACK] = SERIN_BOOT_STEADY,
        },
    [SERIN_BOOT_TRIAL] =
        {
            [SERIN_BOOT_EVENT_TRY] = SERIN_BOOT_TRIAL,
            [SERIN_BOOT_EVENT_ELAPSE] = SERIN_BOOT_TRIAL,
            [SERIN_BOOT_EVENT_CONFIRM] = SERIN_BOOT_STEADY,
            [SERIN_BOOT_EVENT_ABANDON] = SERIN_BOOT_TRIAL,
            [SERIN_BOOT_EVENT_ROLL_BACK] = SERIN_BOOT_STEADY,
        },
};

enum serin_boot_phase serin_boot_next(enum serin_boot_phase phase, enum serin_boot_event event)
{
    if ((unsigned)phase >= PHASES || (unsigned)event >= SERIN_BOOT_EVENT_COUNT) {
        return SERIN_BOOT_INVALID;
    }
    return next_phase[phase][event];
}

static void arm(struct serin_boot_state *state, const struct serin_boot_change *change)
{
    state->trial = change->slot;
    state->tries_left = change->tries;
    state->window_s = change->seconds;
    state->elapsed_s = 0;
    memcpy(state->last_manifest_id, change->manifest_id, SERIN_SHA256_SIZE);
    state->last_outcome = SERIN_STATE_INVALID;
    state->last_reason = SERIN_REASON_INVALID;
    state->last_cause = SERIN_RESET_UNKNOWN;
}

static void disarm(struct serin_boot_state *state, enum serin_state outcome,
                   enum serin_reason reason, enum serin_reset_cause cause)
{
    state->trial = SERIN_SLOT_NONE;
    state->tries_left = 0;
    state->elapsed_s = 0;
    state->window_s = 0;
    state->last_outcome = outcome;
    state->last_reason = reason;
    state->last_cause = cause;
}

static void activate(struct serin_boot_state *state, enum serin_slot slot, bool confirmed)
{
    state->active = slot;
    state->active_confirmed = confirmed;
    state->last_resort = false;
}

/* What was confirmed takes over for good. What was not only runs: the active slot, which may read
 * right again, is asked first at each boot. */
static void fall_back(struct serin_boot_state *state, enum serin_slot slot, bool confirmed)
{
    if (confirmed && slot != state->active) {
        activate(state, slot, true);
    }
    state->last_resort = slot != state->active;
}

static void elapse(struct serin_boot_state *state, uint16_t seconds)
{
    uint16_t left = (uint16_t)(UINT16_MAX - state->elapsed_s);
    state->elapsed_s = (uint16_t)(state->elapsed_s + (seconds < left ? seconds : left));
}

/* What a bootloader does. False: the event is an agent's. */
static bool apply_boot(struct serin_boot_state *state, const struct serin_boot_change *change)
{
    switch (change->event) {
    case SERIN_BOOT_EVENT_TRY:
        state->tries_left--;
        return true;
    case SERIN_BOOT_EVENT_CONFIRM:
        activate(state, state->trial, true);
        disarm(state, SERIN_STATE_CONFIRMED, SERIN_REASON_NONE, change->cause);
        return true;
    case SERIN_BOOT_EVENT_ROLL_BACK:
        disarm(state, SERIN_STATE_ROLLED_BACK, change->reason, change->cause);
        return true;
    case SERIN_BOOT_EVENT_FALL_BACK:
        fall_back(state, change->slot, change->confirmed);
        return true;
    case SERIN_BOOT_EVENT_GIVE_UP:
        activate(state, change->slot, change->confirmed);
        return true;
    case SERIN_BOOT_EVENT_STAGE:
    case SERIN_BOOT_EVENT_UNSTAGE:
    case SERIN_BOOT_EVENT_ELAPSE:
    case SERIN_BOOT_EVENT_ABANDON:
    case SERIN_BOOT_EVENT_COMMIT:
    case SERIN_BOOT_EVENT_FORGET:
    case SERIN_BOOT_EVENT_COUNT:
        break;
    }
    return false;
}

/* What agents alone do. */
static void apply_agent(struct serin_boot_state *state, const struct serin_boot_change *change)
{
    switch (change->event) {
    case SERIN_BOOT_EVENT_STAGE:
        arm(state, change);
        break;
    case SERIN_BOOT_EVENT_UNSTAGE:
        disarm(state, SERIN_STATE_INVALID, SERIN_REASON_INVALID, SERIN_RESET_UNKNOWN);
        break;
    case SERIN_BOOT_EVENT_ELAPSE:
        elapse(state, change->seconds);
        break;
    case SERIN_BOOT_EVENT_ABANDON:
        state->tries_left = 0;
        state->last_reason = change->reason;
        break;
    case SERIN_BOOT_EVENT_COMMIT:
        state->floor = change->floor > state->floor ? change->floor : state->floor;
        break;
    case SERIN_BOOT_EVENT_FORGET:
        disarm(state, SERIN_STATE_INVALID, SERIN_REASON_INVALID, SERIN_RESET_UNKNOWN);
        memset(state->last_manifest_id, 0, SERIN_SHA256_SIZE);
        break;
    case SERIN_BOOT_EVENT_TRY:
    case SERIN_BOOT_EVENT_CONFIRM:
    case SERIN_BOOT_EVENT_ROLL_BACK:
    case SERIN_BOOT_EVENT_FALL_BACK:
    case SERIN_BOOT_EVENT_GIVE_UP:
    case SERIN_BOOT_EVENT_COUNT:
        SERIN_ASSERT(false);
    }
}

/* The phase that `change` leads to, INVALID where it is refused. */
static enum serin_boot_phase phase_after(const struct serin_boot_state *state,
                                         const struct serin_boot_change *change)
{
    return change->event == SERIN_BOOT_EVENT_TRY && state->tries_left == 0
               ? SERIN_BOOT_INVALID
               : serin_boot_next(state->phase, change->event);
}

enum serin_error serin_boot_apply(struct serin_boot_state *state,
                                  const struct serin_boot_change *change)
{
    enum serin_boot_phase next = phase_after(state, change);
    if (next == SERIN_BOOT_INVALID) {
        return SERIN_ERR_STATE;
    }
    if (!apply_boot(state, change)) {
        apply_agent(state, change);
    }
    state->phase = next;
    return SERIN_OK;
}

void serin_boot_apply_at_boot(struct serin_boot_state *state,
                              const struct serin_boot_change *change)
{
    enum serin_boot_phase next = phase_after(state, change);
    SERIN_ASSERT(next != SERIN_BOOT_INVALID);
    bool applied = apply_boot(state, change);
    SERIN_ASSERT(applied);
    state->phase = next;
}

void serin_boot_encode(const struct serin_boot_state *state,
                       uint8_t payload[SERIN_BOOT_PAYLOAD_SIZE])
{
    payload[0] = (uint8_t)state->phase;
    payload[1] = (uint8_t)state->active;
    payload[2] = (uint8_t)state->trial;
    payload[3] = state->tries_left;
    serin_put_le16(payload + 4, state->elapsed_s);
    serin_put_le16(payload + 6, state->window_s);
    serin_put_le32(payload + SERIN_BOOT_FLOOR_OFFSET, state->floor);
    serin_put_le32(payload + 12, state->boots);
    payload[16] = (uint8_t)state->last_outcome;
    payload[17] = (uint8_t)state->last_reason;
    payload[18] = (uint8_t)state->last_cause;
    payload[19] = (uint8_t)((state->active_confirmed ? FLAG_ACTIVE_CONFIRMED : 0u) |
                            (state->last_resort ? FLAG_LAST_RESORT : 0u));
    memcpy(payload + 20, state->last_manifest_id, SERIN_SHA256_SIZE);
}

enum serin_error serin_boot_decode(const uint8_t payload[SERIN_BOOT_PAYLOAD_SIZE],
                                   struct serin_boot_state *state)
{
    if (payload[0] == SERIN_BOOT_INVALID || payload[0] > SERIN_BOOT_TRIAL ||
        payload[1] > SERIN_SLOT_B || payload[2] > SERIN_SLOT_B ||
        (payload[0] == SERIN_BOOT_STEADY) != (payload[2] == SERIN_SLOT_NONE) ||
        payload[16] >= SERIN_STATE_COUNT || payload[17] >= SERIN_REASON_COUNT ||
        payload[18] > SERIN_RESET_CRASH || (payload[19] & ~FLAGS_KNOWN) != 0) {
        return SERIN_ERR_FORMAT;
    }
    state->phase = (enum serin_boot_phase)payload[0];
    state->active = (enum serin_slot)payload[1];
    state->trial = (enum serin_slot)payload[2];
    state->tries_left = payload[3];
    state->elapsed_s = serin_get_le16(payload + 4);
    state->window_s = serin_get_le16(payload + 6);
    state->floor = serin_get_le32(payload + SERIN_BOOT_FLOOR_OFFSET);
    state->boots = serin_get_le32(payload + 12);
    state->last_outcome = (enum serin_state)payload[16];
    state->last_reason = (enum serin_reason)payload[17];
    state->last_cause = (enum serin_reset_cause)payload[18];
    state->active_confirmed = (payload[19] & FLAG_ACTIVE_CONFIRMED) != 0;
    state->last_resort = (payload[19] & FLAG_LAST_RESORT) != 0;
    memcpy(state->last_manifest_id, payload + 20, SERIN_SHA256_SIZE);
    return SERIN_OK;
}
