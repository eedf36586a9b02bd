/*
 * The codec port for what only hosts say to each other (serin/site.h): as serin/codec.h, with the
 * same errors. Boards do without it.
 */
#ifndef SERIN_SITE_CODEC_H
#define SERIN_SITE_CODEC_H

#include <serin/site.h>

#define SERIN_CODEC_PAIR(name)                                                        \
    enum serin_error (*encode_##name)(const struct serin_##name *value, uint8_t *out, \
                                      size_t capacity, size_t *size);                 \
    enum serin_error (*decode_##name)(const uint8_t *data, size_t size, struct serin_##name *value)

struct serin_site_codec {
    SERIN_CODEC_PAIR(batch);       /* the outer message; its items stay bytes */
    SERIN_CODEC_PAIR(batch_items); /* the items, plain; at most SERIN_BATCH_PLAIN_MAX bytes */
    SERIN_CODEC_PAIR(ack_batch);
    SERIN_CODEC_PAIR(gw_status);
    SERIN_CODEC_PAIR(want);
    SERIN_CODEC_PAIR(have);
};
#undef SERIN_CODEC_PAIR

#endif
