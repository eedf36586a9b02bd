/*
 * What the latest reports and batches of items say, by their bytes: each is encoded by the one and
 * soon decoded by the other. Of those remembered the real codec decodes one in 64 all the same, and
 * must come to the same.
 */
#ifndef SERIN_SIM_MEMO_WORDS_H
#define SERIN_SIM_MEMO_WORDS_H

#include <serin/codec.h>
#include <serin/site_codec.h>

struct sim_words; /* opaque */

/* The real codecs live as long. SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error sim_words_open(struct sim_words **words,
                                               const struct serin_codec *real,
                                               const struct serin_site_codec *real_site);
void sim_words_close(struct sim_words *words); /* NULL is fine */

/* As the real codecs. What is not said of a decoded report, beyond its counts, is undefined. */
SERIN_MUST_USE enum serin_error sim_words_encode_report(struct sim_words *words,
                                                        const struct serin_report *value,
                                                        uint8_t *out, size_t capacity,
                                                        size_t *size);
SERIN_MUST_USE enum serin_error sim_words_decode_report(struct sim_words *words,
                                                        const uint8_t *data, size_t size,
                                                        struct serin_report *value);
SERIN_MUST_USE enum serin_error sim_words_encode_items(struct sim_words *words,
                                                       const struct serin_batch_items *value,
                                                       uint8_t *out, size_t capacity, size_t *size);
SERIN_MUST_USE enum serin_error sim_words_decode_items(struct sim_words *words, const uint8_t *data,
                                                       size_t size,
                                                       struct serin_batch_items *value);

#endif
