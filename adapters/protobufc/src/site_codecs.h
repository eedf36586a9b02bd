/*
 * The functions behind the codec table of serin_protobufc_site(); contracts in serin/site_codec.h.
 */
#ifndef SERIN_PBC_SITE_CODECS_H
#define SERIN_PBC_SITE_CODECS_H

#include <serin/site_codec.h>

#define SERIN_PBC_DECLARE(name)                                                              \
    enum serin_error serin_pbc_encode_##name(const struct serin_##name *value, uint8_t *out, \
                                             size_t capacity, size_t *size);                 \
    enum serin_error serin_pbc_decode_##name(const uint8_t *data, size_t size,               \
                                             struct serin_##name *value)

SERIN_PBC_DECLARE(batch);
SERIN_PBC_DECLARE(batch_items);
SERIN_PBC_DECLARE(ack_batch);
SERIN_PBC_DECLARE(gw_status);
SERIN_PBC_DECLARE(want);
SERIN_PBC_DECLARE(have);
#undef SERIN_PBC_DECLARE

#endif
