/*
 * The boot state: its record, and the table of what may follow what (docs/spec/boot.md, section 3).
 *
 *   offset size  field of the payload                 offset size  field
 *   ------ ----  --------------------------------     ------ ----  --------------------------------
 *        0    1  phase                                    12    4  boots
 *        1    1  active slot                              16    1  last outcome
 *        2    1  trial slot                               17    1  last reason
 *        3    1  tries left                               18    1  last reset cause
 *        4    2  elapsed, seconds                         19    1  flags: 1 active is confirmed,
 *        6    2  window, seconds                                         2 the other one runs
 *        8    4  floor                                    20   32  last manifest id
 *                                                         52       end
 */
#ifndef SERIN_DEVICE_SRC_BOOT_STATE_H
#define SERIN_DEVICE_SRC_BOOT_STATE_H

#include "reclog.h"

#include <serin/device/boot.h>

#define SERIN_BOOT_PAYLOAD_SIZE 52u
#define SERIN_BOOT_FLOOR_OFFSET 8u
_Static_assert(SERIN_BOOT_PAYLOAD_SIZE + SERIN_RECLOG_OVERHEAD == SERIN_BOOT_RECORD_SIZE,
               "docs/spec/boot.md");

enum serin_boot_event {
    SERIN_BOOT_EVENT_STAGE,     /* slot, tries, window_s, manifest_id: arm it */
    SERIN_BOOT_EVENT_UNSTAGE,   /* disarm it */
    SERIN_BOOT_EVENT_TRY,       /* it is about to run: a try is taken off */
    SERIN_BOOT_EVENT_ELAPSE,    /* seconds of the window are over */
    SERIN_BOOT_EVENT_CONFIRM,   /* it is healthy: it becomes active */
    SERIN_BOOT_EVENT_ABANDON,   /* reason: no further try */
    SERIN_BOOT_EVENT_ROLL_BACK, /* reason, cause: the trial is over */
    SERIN_BOOT_EVENT_FALL_BACK, /* slot, confirmed: it verifies, and what comes before it does not
                                 */
    SERIN_BOOT_EVENT_GIVE_UP,   /* slot, confirmed: it becomes active, as the other is filled */
    SERIN_BOOT_EVENT_COMMIT,    /* floor */
    SERIN_BOOT_EVENT_FORGET,    /* the last trial is in the account: its end is nobody else's */
    SERIN_BOOT_EVENT_COUNT
};

struct serin_boot_change {
    enum serin_boot_event event;
    enum serin_slot slot;
    bool confirmed;
    uint8_t tries;
    uint16_t seconds;
    uint32_t floor;
    enum serin_reason reason;
    enum serin_reset_cause cause;
    const uint8_t *manifest_id;
};

/* Applies `change`, or refuses it with SERIN_ERR_STATE and leaves `state` alone: the only place
 * that changes a phase, but for the next. */
SERIN_MUST_USE enum serin_error serin_boot_apply(struct serin_boot_state *state,
                                                 const struct serin_boot_change *change);

/* The same for what the bootloader decides (TRY, CONFIRM, ROLL_BACK, FALL_BACK, GIVE_UP), where it
 * has looked that it may: a change that is refused, or another's, is a programmer error. What is
 * linked with this alone has no code for an agent's events. */
void serin_boot_apply_at_boot(struct serin_boot_state *state,
                              const struct serin_boot_change *change);

/* The phase after `event`, SERIN_BOOT_INVALID where it is refused: the table, for tests. */
enum serin_boot_phase serin_boot_next(enum serin_boot_phase phase, enum serin_boot_event event);

void serin_boot_encode(const struct serin_boot_state *state,
                       uint8_t payload[SERIN_BOOT_PAYLOAD_SIZE]);
/* SERIN_ERR_FORMAT: a value that this version does not know. `sequence` is left alone. */
SERIN_APART SERIN_MUST_USE enum serin_error
serin_boot_decode(const uint8_t payload[SERIN_BOOT_PAYLOAD_SIZE], struct serin_boot_state *state);

/* ---- the boot log ---- */

/* Reads the newest record. SERIN_ERR_NOT_FOUND: none is valid. SERIN_ERR_FLASH: none is that could
 * be read, but not all could: it may be there a moment later. `state` is unspecified then. */
SERIN_MUST_USE enum serin_error serin_boot_log_read(const struct serin_boot *boot,
                                                    struct serin_boot_state *state);
/* The same for who has no later: the newest record of two readings at once, and of a third where
 * none is found so far and not all could be read. With SERIN_ERR_FLASH the log counts as lost then.
 * An agent has a clock, and reads a second later. */
SERIN_MUST_USE enum serin_error serin_boot_log_read_at_once(const struct serin_boot *boot,
                                                            struct serin_boot_state *state);

/* How to append: a set (reclog.h). */
#define SERIN_BOOT_LOG_AFTER_RESET 1u /* nothing was, since a reset that may have cut an append */
#define SERIN_BOOT_LOG_ANEW        2u /* the log did not read so often that it counts as lost */

/* Makes `state` the newest record, in both banks. SERIN_ERR_FLASH: the last one still stands, also
 * where none is found and the log does not read; with ANEW: where one is found after all. */
SERIN_MUST_USE enum serin_error serin_boot_log_append(const struct serin_boot *boot,
                                                      const struct serin_boot_state *state,
                                                      unsigned how);

/* Begins a log that is empty, or does not read and counts as lost, with `state`; does nothing to
 * one that can be read. SERIN_ERR_FLASH: not yet. */
SERIN_MUST_USE enum serin_error serin_boot_log_begin(const struct serin_boot *boot,
                                                     const struct serin_boot_state *state);

/* Whether a marker confirms what the slot holds: looked for up to three times, as what follows from
 * none may be final. */
bool serin_boot_marked(const struct serin_boot *boot, enum serin_slot slot,
                       const uint8_t id[SERIN_SHA256_SIZE]);

/* The state that the slots tell where the log is lost. Verifies both images, each up to three
 * times. */
void serin_boot_derive(const struct serin_boot *boot, struct serin_boot_state *state);

/* The floor is the highest of what its witnesses prove: the boot log (`state`, and the log itself
 * once more), the bootloader's constant, the agent's log. Where the boot log is lost
 * serin_boot_derive adds one: an image that is confirmed in both slots is committed. */
uint32_t serin_boot_floor(const struct serin_boot *boot, const struct serin_boot_state *state);

/* The trust version that the agent's log remembers as proved, 0 where it tells none. */
uint32_t serin_boot_trust_version(const struct serin_boot *boot);

/* ---- what the bootloader knows of the agent's log (docs/spec/agent-log.md) ---- */

#define SERIN_AGENT_LOG_MAGIC    0x414E5253u /* "SRNA" */
#define SERIN_AGENT_PAYLOAD_SIZE 1012u
#define SERIN_AGENT_FORMAT       1u   /* at offset 0, 2 bytes */
#define SERIN_AGENT_FLOOR_OFFSET 4u   /* 4 bytes */
#define SERIN_AGENT_TRUST_OFFSET 976u /* 4 bytes */
_Static_assert(SERIN_AGENT_PAYLOAD_SIZE + SERIN_RECLOG_OVERHEAD == SERIN_AGENT_RECORD_SIZE,
               "docs/spec/agent-log.md");

#endif
