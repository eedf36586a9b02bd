/*
 * Records of the store as bytes (docs/spec/store.md, section 3).
 *
 *   offset size field
 *   ------ ---- -------------------------------------------------
 *        0    1 kind
 *        1    1 version of this kind's fields, 1..
 *        2    n fields, in the order of their functions in layout.c
 *    2 + n    4 CRC-32/ISO-HDLC over the record's key and bytes 0 .. 2+n-1
 *
 * Integers are little-endian. A text is its length in one byte and its characters. A later version
 * appends fields; a reader knows every version up to its own.
 */
#ifndef SERIN_LMDB_RECORD_H
#define SERIN_LMDB_RECORD_H

#include <serin/orchestrator/store.h>
#include <serin/trust.h>

#define RECORD_MAX     4352u /* bytes; the largest is a trust record */
#define RECORD_KEY_MAX 192u

enum record_kind {
    RECORD_INVALID = 0,
    RECORD_META = 1,
    RECORD_DEVICE = 2,
    RECORD_ATTEMPT = 3,
    RECORD_RELEASE = 4,
    RECORD_STABLE = 5,
    RECORD_ROLLOUT = 6,
    RECORD_MEMBER = 7,
    RECORD_DIRECTIVE = 8,
    RECORD_TRUST = 9,
    RECORD_KIND_COUNT
};

/* A trust record as it came: opaque and signed. */
struct record_trust {
    size_t size; /* 1 .. SERIN_TRUST_MAX */
    uint8_t bytes[SERIN_TRUST_MAX];
};

union record_value {
    struct serin_meta_record meta;
    struct serin_device_record device;
    struct serin_attempt_record attempt;
    struct serin_release_record release;
    struct serin_stable_record stable;
    struct serin_rollout rollout;
    struct serin_member_record member;
    struct serin_directive_record directive;
    struct record_trust trust;
};

struct record_key {
    size_t size;
    uint8_t bytes[RECORD_KEY_MAX];
};

/* Writes a record under its key. SERIN_ERR_INVALID: a value is outside its bounds. */
SERIN_MUST_USE enum serin_error record_encode(enum record_kind kind, const struct record_key *key,
                                              const union record_value *value,
                                              uint8_t out[RECORD_MAX], size_t *size);

/* Reads a record that was found under `key`. SERIN_ERR_CRC, SERIN_ERR_TRUNCATED, SERIN_ERR_VERSION
 * (a newer one), SERIN_ERR_FORMAT (kind, bounds, trailing bytes); `value` is then unspecified. */
SERIN_MUST_USE enum serin_error record_decode(enum record_kind kind, const void *key,
                                              size_t key_size, const uint8_t *data, size_t size,
                                              union record_value *value);

/* ---- for layout.c: one function describes a kind's fields for both directions ---- */

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

uint8_t record_u8(struct record_io *io, uint8_t value);
uint16_t record_u16(struct record_io *io, uint16_t value);
uint32_t record_u32(struct record_io *io, uint32_t value);
uint64_t record_u64(struct record_io *io, uint64_t value);
bool record_bool(struct record_io *io, bool value);
/* A number in one byte that must be within low .. high: enums and counts. */
unsigned record_range(struct record_io *io, unsigned value, unsigned low, unsigned high);
void record_bytes(struct record_io *io, uint8_t *bytes, size_t size);
/* A text of fewer than `capacity` ≤ 256 characters. */
void record_text(struct record_io *io, char *text, size_t capacity);

/* The fields of each kind, and the version in which this code writes them. */
struct record_layout {
    uint8_t version;
    void (*fields)(struct record_io *io, union record_value *value);
};
extern const struct record_layout record_layouts[RECORD_KIND_COUNT];

#endif
