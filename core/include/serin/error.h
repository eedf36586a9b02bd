/*
 * Errors: one enum for the whole of Serin.
 *
 * 0 is success; every other value says what went wrong, once, in words that an operator can act on.
 * Operating errors are returned; programmer errors assert. Values never reach the wire
 * (serin/states.h has the reasons that do), so the list may grow in any place.
 */
#ifndef SERIN_ERROR_H
#define SERIN_ERROR_H

#define SERIN_ERROR_LIST(X)                                        \
    X(OK, "success")                                               \
    X(INVALID, "a value is outside its allowed range")             \
    X(FORMAT, "the data is not in the expected format")            \
    X(TRUNCATED, "the data ends too early")                        \
    X(TOO_LARGE, "the data exceeds its limit")                     \
    X(RESERVED, "reserved bytes are not zero")                     \
    X(VERSION, "the format version is not supported")              \
    X(FEATURE, "a required feature is not known here")             \
    X(SIGNATURE, "the signature does not verify")                  \
    X(KEY, "the signing key is unknown or lacks the role")         \
    X(PRODUCT, "made for another product")                         \
    X(CHANNEL, "not allowed on this channel")                      \
    X(HARDWARE, "not made for this hardware revision")             \
    X(DEVICE, "addressed to another device")                       \
    X(COUNTER, "the security counter is below the device's floor") \
    X(STALE, "the order is lower than one already accepted")       \
    X(LEASE, "the lease is over")                                  \
    X(DIGEST, "a SHA-256 digest does not match")                   \
    X(CRC, "a CRC does not match")                                 \
    X(BOOTLOADER, "a newer bootloader is required")                \
    X(NO_SPACE, "there is no room left")                           \
    X(NOT_FOUND, "it does not exist")                              \
    X(EXISTS, "it exists already")                                 \
    X(STATE, "not allowed in the present state")                   \
    X(AGAIN, "not possible now; try again")                        \
    X(BUSY, "too much is in flight")                               \
    X(TIMEOUT, "it took too long")                                 \
    X(IO, "reading or writing failed")                             \
    X(FLASH, "the flash rejected an operation")                    \
    X(LAYOUT, "the flash layout is not usable")                    \
    X(CRYPTO, "the cryptographic library failed")                  \
    X(MEMORY, "memory is exhausted")                               \
    X(DENIED, "not permitted")                                     \
    X(CONFIG, "the configuration is wrong")                        \
    X(NETWORK, "the network connection failed")                    \
    X(UNSUPPORTED, "not supported here")

enum serin_error {
#define SERIN_ERROR_ENUM(name, text) SERIN_ERR_##name,
    SERIN_ERROR_LIST(SERIN_ERROR_ENUM)
#undef SERIN_ERROR_ENUM
        SERIN_ERROR_COUNT,
    SERIN_OK = SERIN_ERR_OK
};

/* SERIN_MUST_USE: a dropped error is how bricks happen. SERIN_APART: never made part of its caller,
 * so that what it works with is on the stack only while it runs; a board's stack holds the deepest
 * chain of calls. */
#if defined(__GNUC__)
#define SERIN_MUST_USE __attribute__((warn_unused_result))
#define SERIN_APART    __attribute__((noinline))
#else
#define SERIN_MUST_USE
#define SERIN_APART
#endif

/* The sentence for `error`; "unknown error" outside the enum. Static storage. */
const char *serin_error_text(enum serin_error error);

/* The short name for `error` ("SIGNATURE"), for logs and JSON. Static storage. */
const char *serin_error_name(enum serin_error error);

#endif
