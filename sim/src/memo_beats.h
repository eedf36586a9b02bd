/*
 * What the latest beats say, by their bytes: a beat is encoded once and decoded twice, at its
 * gateway and, some half a minute later, at serind, which is a third of the work of a fleet that
 * does nothing else. Of those remembered the real codec decodes one in 64 all the same, and must
 * come to the same.
 */
#ifndef SERIN_SIM_MEMO_BEATS_H
#define SERIN_SIM_MEMO_BEATS_H

#include <serin/codec.h>

struct sim_beats; /* opaque */

/* `real` lives as long. SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error sim_beats_open(struct sim_beats **beats,
                                               const struct serin_codec *real);
void sim_beats_close(struct sim_beats *beats); /* NULL is fine */

/* As the real codec. */
SERIN_MUST_USE enum serin_error sim_beats_encode(struct sim_beats *beats,
                                                 const struct serin_beat *value, uint8_t *out,
                                                 size_t capacity, size_t *size);
SERIN_MUST_USE enum serin_error sim_beats_decode(struct sim_beats *beats, const uint8_t *data,
                                                 size_t size, struct serin_beat *value);

#endif
