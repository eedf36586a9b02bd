/*
 * The codec port: wire values to Protocol Buffers and back. Hosts use protobuf-c
 * (adapters/protobufc), boards nanopb; one set of golden vectors (tests/vectors/v1) binds both.
 *
 * Encoders write into `out` of `capacity` bytes and give the size. SERIN_ERR_NO_SPACE: it does not
 * fit. SERIN_ERR_INVALID: a value is outside its bounds. Decoders check every bound of
 * serin/wire.h. SERIN_ERR_TOO_LARGE (payload over the limit of its kind), SERIN_ERR_FORMAT (not the
 * message), SERIN_ERR_VERSION, SERIN_ERR_INVALID (a bound). The value is unspecified after an
 * error. Values that hold pointers point into `data`.
 */
#ifndef SERIN_CODEC_H
#define SERIN_CODEC_H

#include <serin/wire.h>

#define SERIN_CODEC_PAIR(name)                                                        \
    enum serin_error (*encode_##name)(const struct serin_##name *value, uint8_t *out, \
                                      size_t capacity, size_t *size);                 \
    enum serin_error (*decode_##name)(const uint8_t *data, size_t size, struct serin_##name *value)

/* A trust record on its topic: opaque record bytes (serin/trust.h). */
struct serin_trust_payload {
    const uint8_t *record;
    size_t record_size; /* 1 .. SERIN_TRUST_MAX */
};

struct serin_codec {
    SERIN_CODEC_PAIR(envelope);
    SERIN_CODEC_PAIR(directive); /* the body inside an envelope */
    SERIN_CODEC_PAIR(trust_payload);
    SERIN_CODEC_PAIR(report);
    SERIN_CODEC_PAIR(ack);
    SERIN_CODEC_PAIR(beat);
    SERIN_CODEC_PAIR(get);
    SERIN_CODEC_PAIR(block);
    SERIN_CODEC_PAIR(hold);
    SERIN_CODEC_PAIR(presence);
};
#undef SERIN_CODEC_PAIR

#endif
