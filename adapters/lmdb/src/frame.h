/*
 * Records of a store as bytes (docs/spec/store.md, section 3; docs/spec/gateway-store.md).
 *
 *   offset size field
 *   ------ ---- -------------------------------------------------
 *        0    1 kind
 *        1    1 version of this kind's fields, 1..
 *        2    n fields, in the order of their function
 *    2 + n    4 CRC-32/ISO-HDLC over the record's key and bytes 0 .. 2+n-1
 *
 * Integers are little-endian. A text is its length in one byte and its characters. A later version
 * appends fields; a reader knows every version up to its own.
 */
#ifndef SERIN_LMDB_FRAME_H
#define SERIN_LMDB_FRAME_H

#include <serin/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_MAX     4352u /* bytes; the largest is a trust record */
#define RECORD_KEY_MAX 192u

struct record_key {
    size_t size;
    uint8_t bytes[RECORD_KEY_MAX];
};

/* A record being written or read. Every function below takes a field's value and gives it back: as
 * it was when writing, as it was found when reading. After a failure they do nothing more. */
struct record_io {
    bool writing;
    bool failed;
    uint8_t version; /* of the fields */
    uint8_t *out;
    const uint8_t *in;
    size_t at, size; /* where the next field stands; room, or bytes there are */
};

/* Begins a record of a kind, whose fields are written in `version`, into `out`; the fields follow
 * in one function, which serves both directions; then record_seal. */
struct record_io record_begin(uint8_t kind, uint8_t version, uint8_t out[RECORD_MAX]);
/* Ends it under its key. SERIN_ERR_INVALID: a value was outside its bounds. */
SERIN_MUST_USE enum serin_error record_seal(struct record_io *io, const struct record_key *key,
                                            size_t *size);

/* Opens a record that was found under `key`, for its fields to be read; `version` is the latest
 * that the reader knows. SERIN_ERR_CRC, SERIN_ERR_TRUNCATED, SERIN_ERR_VERSION (a newer one),
 * SERIN_ERR_FORMAT (another kind). */
SERIN_MUST_USE enum serin_error record_open(struct record_io *io, uint8_t kind, uint8_t version,
                                            const void *key, size_t key_size, const uint8_t *data,
                                            size_t size);
/* Ends the reading. SERIN_ERR_FORMAT: a field was outside its bounds, or bytes are left. */
SERIN_MUST_USE enum serin_error record_done(const struct record_io *io);

uint8_t record_u8(struct record_io *io, uint8_t value);
uint16_t record_u16(struct record_io *io, uint16_t value);
uint32_t record_u32(struct record_io *io, uint32_t value);
uint64_t record_u64(struct record_io *io, uint64_t value);
bool record_bool(struct record_io *io, bool value);
/* A number in one byte that must be within low .. high: enums and counts. */
unsigned record_range(struct record_io *io, unsigned value, unsigned low, unsigned high);
void record_bytes(struct record_io *io, uint8_t *bytes, size_t size);
/* Bytes behind their size in two bytes, low .. high ≤ 65535 of them. Gives the size back; 0 after a
 * failure. */
size_t record_sized(struct record_io *io, uint8_t *bytes, size_t size, size_t low, size_t high);
/* A text of fewer than `capacity` ≤ 256 characters. */
void record_text(struct record_io *io, char *text, size_t capacity);

#endif
