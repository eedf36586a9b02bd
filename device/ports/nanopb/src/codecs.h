/*
 * The functions behind the codec tables of serin/ports/nanopb.h; contracts in serin/codec.h.
 */
#ifndef SERIN_NPB_CODECS_H
#define SERIN_NPB_CODECS_H

#include <serin/codec.h>

#define SERIN_NPB_DECLARE(name)                                                              \
    enum serin_error serin_npb_encode_##name(const struct serin_##name *value, uint8_t *out, \
                                             size_t capacity, size_t *size);                 \
    enum serin_error serin_npb_decode_##name(const uint8_t *data, size_t size,               \
                                             struct serin_##name *value)

SERIN_NPB_DECLARE(envelope);
SERIN_NPB_DECLARE(directive);
SERIN_NPB_DECLARE(trust_payload);
SERIN_NPB_DECLARE(report);
SERIN_NPB_DECLARE(ack);
SERIN_NPB_DECLARE(beat);
SERIN_NPB_DECLARE(get);
SERIN_NPB_DECLARE(block);
SERIN_NPB_DECLARE(hold);
SERIN_NPB_DECLARE(presence);
#undef SERIN_NPB_DECLARE

#endif
