/*
 * Values of every kind that crosses the wire: `small` ones with as little as is legal, `large` ones
 * with every field at its longest. Tests of codecs and the golden vectors share them.
 */
#ifndef SERIN_TESTS_WIRE_VALUES_H
#define SERIN_TESTS_WIRE_VALUES_H

#include <serin/codec.h>
#include <serin/trust.h>

/* A kind of payload behind one signature, so that a test can loop over all of them. */
struct wire_kind {
    const char *name;
    size_t limit;      /* largest payload, bytes */
    size_t value_size; /* of the struct */
    /* Fills `value`; what it points to is static. */
    void (*small)(void *value);
    void (*large)(void *value);
    enum serin_error (*encode)(const struct serin_codec *codec, const void *value, uint8_t *out,
                               size_t capacity, size_t *size);
    enum serin_error (*decode)(const struct serin_codec *codec, const uint8_t *data, size_t size,
                               void *value);
};

#define WIRE_KIND_COUNT 10u
extern const struct wire_kind wire_kinds[WIRE_KIND_COUNT];

union wire_value {
    struct serin_envelope envelope;
    struct serin_directive directive;
    struct serin_trust_payload trust_payload;
    struct serin_report report;
    struct serin_ack ack;
    struct serin_beat beat;
    struct serin_get get;
    struct serin_block block;
    struct serin_hold hold;
    struct serin_presence presence;
};

#define WIRE_PAYLOAD_MAX SERIN_BLOCK_MAX

/* `large` directives come in two shapes, as a targeted one has no site limit; this is the
 * channel's. */
void wire_large_channel_directive(struct serin_directive *value);

/* The kind of this name; asserts that there is one. */
const struct wire_kind *wire_kind_named(const char *name);

#endif
