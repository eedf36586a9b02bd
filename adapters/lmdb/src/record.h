/*
 * Records of the fleet store as bytes (docs/spec/store.md, sections 3 and 4): its kinds. Their
 * frame is frame.h's.
 */
#ifndef SERIN_LMDB_RECORD_H
#define SERIN_LMDB_RECORD_H

#include "frame.h"

#include <serin/orchestrator/store.h>
#include <serin/trust.h>

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
    RECORD_GATEWAY = 10,
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
    struct serin_gateway_record gateway;
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

/* The fields of each kind, and the version in which this code writes them. */
struct record_layout {
    uint8_t version;
    void (*fields)(struct record_io *io, union record_value *value);
};
extern const struct record_layout record_layouts[RECORD_KIND_COUNT];

#endif
