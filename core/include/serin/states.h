/*
 * The states of an attempt and the reasons for reaching them (docs/spec/states.md). The numbers are
 * on the wire and in stores: they are frozen, new ones are added at the end. 0 is always invalid.
 *
 *  idle ─▶ pending ─▶ downloading ─▶ verifying ─▶ staged ─▶ trial ─▶ confirmed
 *             │            │             │           │         └────▶ rolled_back
 *             └────────────┴─────────────┴───────────┴─▶ failed · rejected · superseded · cancelled
 *
 * The server adds unreached and timed_out, and after the end regressed and reverted. A device says
 * itself when it regresses: regressed follows confirmed in its report.
 */
#ifndef SERIN_STATES_H
#define SERIN_STATES_H

#include <stdbool.h>

#define SERIN_STATE_LIST(X)          \
    X(1, IDLE, "idle")               \
    X(2, PENDING, "pending")         \
    X(3, DOWNLOADING, "downloading") \
    X(4, VERIFYING, "verifying")     \
    X(5, STAGED, "staged")           \
    X(6, TRIAL, "trial")             \
    X(7, CONFIRMED, "confirmed")     \
    X(8, ROLLED_BACK, "rolled_back") \
    X(9, FAILED, "failed")           \
    X(10, REJECTED, "rejected")      \
    X(11, SUPERSEDED, "superseded")  \
    X(12, CANCELLED, "cancelled")    \
    X(13, UNREACHED, "unreached")    \
    X(14, TIMED_OUT, "timed_out")    \
    X(15, REGRESSED, "regressed")    \
    X(16, REVERTED, "reverted")

enum serin_state {
    SERIN_STATE_INVALID = 0,
#define SERIN_STATE_ENUM(number, name, text) SERIN_STATE_##name = (number),
    SERIN_STATE_LIST(SERIN_STATE_ENUM)
#undef SERIN_STATE_ENUM
        SERIN_STATE_COUNT
};

#define SERIN_REASON_LIST(X)                                                                      \
    X(1, NONE, "none", "as planned")                                                              \
    X(2, SIGNATURE, "signature", "a signature does not verify")                                   \
    X(3, KEY, "key", "the signing key is unknown or lacks the role")                              \
    X(4, FORMAT, "format", "the manifest is malformed")                                           \
    X(5, FEATURE, "feature", "a required feature is not known to the device")                     \
    X(6, PRODUCT, "product", "the manifest is for another product")                               \
    X(7, CHANNEL, "channel", "the manifest is not allowed on the device's channel")               \
    X(8, HARDWARE, "hardware", "the manifest is not for the device's hardware revision")          \
    X(9, COUNTER, "counter", "the security counter is below the device's floor")                  \
    X(10, TOO_LARGE, "too_large", "the image does not fit a slot")                                \
    X(11, BOOTLOADER, "bootloader", "the device's bootloader is too old")                         \
    X(12, NOT_NEWER, "not_newer", "the version is not newer than the running one")                \
    X(13, UNAVAILABLE, "unavailable", "an object could not be had")                               \
    X(14, DOWNLOAD, "download", "the download gave up")                                           \
    X(15, CRC, "crc", "the CRC32 of the image does not match")                                    \
    X(16, DIGEST, "digest", "the SHA-256 of the image does not match")                            \
    X(17, PIECE_TABLE, "piece_table", "the piece table does not match the manifest")              \
    X(18, FLASH, "flash", "the flash failed")                                                     \
    X(19, CRASH, "crash", "the new image crashed before it confirmed")                            \
    X(20, WATCHDOG, "watchdog", "the watchdog reset the new image")                               \
    X(21, NOT_CONFIRMED, "not_confirmed", "the confirmation window ended without a confirmation") \
    X(22, BOOT_VERIFY, "boot_verify", "the image did not verify at boot")                         \
    X(23, HALTED, "halted", "the rollout was halted")                                             \
    X(24, NEWER_DIRECTIVE, "newer_directive", "a newer directive took its place")                 \
    X(25, WITHDRAWN, "withdrawn", "the directive no longer offers it to this device")             \
    X(26, HEALTH, "health", "the application reported bad health")                                \
    X(27, OTHER_IMAGE, "other_image", "the device runs another image than it confirmed")          \
    X(28, DEADLINE, "deadline", "the deadline passed")                                            \
    X(29, INTERNAL, "internal", "an internal error")                                              \
    X(30, POWER, "power", "boots were used up by resets without a known cause")                   \
    X(31, DELTA, "delta", "a delta did not apply")                                                \
    X(32, SITE, "site", "the site halted itself: too many of its nodes failed")                   \
    X(33, LEASE, "lease", "no directive of the product is within its lease")

enum serin_reason {
    SERIN_REASON_INVALID = 0,
#define SERIN_REASON_ENUM(number, name, word, text) SERIN_REASON_##name = (number),
    SERIN_REASON_LIST(SERIN_REASON_ENUM)
#undef SERIN_REASON_ENUM
        SERIN_REASON_COUNT
};

/* The wire word ("rolled_back", "not_confirmed"); "invalid" outside the enum. Static storage. */
const char *serin_state_text(enum serin_state state);
const char *serin_reason_word(enum serin_reason reason);
/* A sentence for people. */
const char *serin_reason_text(enum serin_reason reason);

/* Whether an attempt in `state` is over for the device: confirmed, rolled_back, failed, rejected,
 * superseded, cancelled. */
bool serin_state_final(enum serin_state state);

/* Whether a device may report `to` directly after `from` within one attempt. The table is
 * docs/spec/states.md, section 3; the first state of an attempt is reached from IDLE. */
bool serin_state_allows(enum serin_state from, enum serin_state to);

#endif
