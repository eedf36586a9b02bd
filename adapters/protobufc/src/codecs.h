/*
 * The functions behind the codec table of serin_protobufc(); contracts in serin/codec.h.
 */
#ifndef SERIN_PBC_CODECS_H
#define SERIN_PBC_CODECS_H

#include <serin/codec.h>

#define SERIN_PBC_DECLARE(name)                                                              \
    enum serin_error serin_pbc_encode_##name(const struct serin_##name *value, uint8_t *out, \
                                             size_t capacity, size_t *size);                 \
    enum serin_error serin_pbc_decode_##name(const uint8_t *data, size_t size,               \
                                             struct serin_##name *value)

SERIN_PBC_DECLARE(envelope);
SERIN_PBC_DECLARE(directive);
SERIN_PBC_DECLARE(trust_payload);
SERIN_PBC_DECLARE(report);
SERIN_PBC_DECLARE(ack);
SERIN_PBC_DECLARE(beat);
SERIN_PBC_DECLARE(get);
SERIN_PBC_DECLARE(block);
SERIN_PBC_DECLARE(hold);
SERIN_PBC_DECLARE(presence);
#undef SERIN_PBC_DECLARE

#endif
