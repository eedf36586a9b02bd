/*
 * Bytes: explicit little- and big-endian access, hexadecimal text, comparison and bounded copies.
 *
 * Wire and flash layouts are read and written through these only; no struct is ever cast onto
 * bytes.
 */
#ifndef SERIN_BYTES_H
#define SERIN_BYTES_H

#include <serin/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SERIN_SHA256_SIZE     32u
#define SERIN_SHA256_HEX_SIZE 65u /* 64 digits and the terminator */

static inline uint16_t serin_get_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}

/* One access where the processor's order is the wire's: compilers see through the bytes only after
 * they have judged the function too large to be part of its callers, which costs a board a
 * kilobyte.
 */
static inline uint32_t serin_get_le32(const uint8_t *p)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return value;
#else
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
#endif
}

static inline uint64_t serin_get_le64(const uint8_t *p)
{
    return (uint64_t)serin_get_le32(p) | (uint64_t)serin_get_le32(p + 4) << 32;
}

static inline uint64_t serin_get_be64(const uint8_t *p)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | p[i];
    }
    return value;
}

static inline void serin_put_le16(uint8_t *p, uint16_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(p, &value, sizeof value);
#else
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
#endif
}

static inline void serin_put_le32(uint8_t *p, uint32_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(p, &value, sizeof value);
#else
    serin_put_le16(p, (uint16_t)value);
    serin_put_le16(p + 2, (uint16_t)(value >> 16));
#endif
}

static inline void serin_put_le64(uint8_t *p, uint64_t value)
{
    serin_put_le32(p, (uint32_t)value);
    serin_put_le32(p + 4, (uint32_t)(value >> 32));
}

/* Whether all `size` bytes at `p` have the value `value`. True for size 0. */
bool serin_bytes_all(const uint8_t *p, size_t size, uint8_t value);

/* Whether both runs of `size` bytes are equal; takes the same time wherever they differ. */
bool serin_bytes_equal(const uint8_t *a, const uint8_t *b, size_t size);

/* Writes 2 * size lower-case digits and a terminator into `text`, which holds at least 2 * size + 1
 * bytes. */
void serin_hex_encode(const uint8_t *bytes, size_t size, char *text);

/* Reads exactly 2 * size digits (either case) and the terminator. SERIN_ERR_FORMAT: anything else;
 * `bytes` is then unspecified. */
SERIN_MUST_USE enum serin_error serin_hex_decode(const char *text, uint8_t *bytes, size_t size);

/* Copies `text` with its terminator into `out` of `capacity` bytes. SERIN_ERR_TOO_LARGE: it does
 * not fit; `out` is then the empty string. */
SERIN_MUST_USE enum serin_error serin_text_copy(char *out, size_t capacity, const char *text);

/* Reads a NUL-padded field of `size` bytes into `out`, which holds size + 1 bytes.
 * SERIN_ERR_RESERVED: a byte after the first NUL is not zero. */
SERIN_MUST_USE enum serin_error serin_field_get(const uint8_t *field, size_t size, char *out);

/* Writes `text` NUL-padded into a field of `size` bytes (a full field has no terminator).
 * SERIN_ERR_TOO_LARGE. */
SERIN_MUST_USE enum serin_error serin_field_put(uint8_t *field, size_t size, const char *text);

#endif
