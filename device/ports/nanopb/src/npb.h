/*
 * What all codecs of this port share: decoding and encoding under limits, and checked copies from
 * slices.
 */
#ifndef SERIN_NPB_H
#define SERIN_NPB_H

#include "field.h"

#include <serin/error.h>

#include <pb_decode.h>
#include <pb_encode.h>

/* Decodes `message`, of which every byte was zeroed and the lists were given their places.
 * SERIN_ERR_TOO_LARGE: over `limit`. SERIN_ERR_FORMAT: not the message. Slices point into `data`.
 */
SERIN_MUST_USE enum serin_error serin_npb_decode(const pb_msgdesc_t *type, const uint8_t *data,
                                                 size_t size, size_t limit, void *message);

/* Encodes. SERIN_ERR_NO_SPACE: larger than `limit` or `capacity`. */
SERIN_MUST_USE enum serin_error serin_npb_encode(const pb_msgdesc_t *type, const void *message,
                                                 size_t limit, uint8_t *out, size_t capacity,
                                                 size_t *size);

/* Decodes an item, for serin_npb_items. */
bool serin_npb_decode_item(pb_istream_t *stream, const pb_msgdesc_t *type, void *message);

/* ---- wire value to message ---- */

struct serin_npb_slice serin_npb_text(const char *text);
struct serin_npb_slice serin_npb_bytes(const void *bytes, size_t size);

/* ---- message to wire value; false: it does not fit ---- */

/* Copies text into `out` of `capacity` bytes and terminates it; false also for one that contains a
 * NUL. */
bool serin_npb_get_text(const struct serin_npb_slice *slice, char *out, size_t capacity);
/* Copies a field of exactly `size` bytes. */
bool serin_npb_get_fixed(const struct serin_npb_slice *slice, uint8_t *out, size_t size);
bool serin_npb_get_u16(uint32_t value, uint16_t *out);
/* Whether a list fits its places, and each item of it was within bounds. */
bool serin_npb_get_list(const struct serin_npb_list *list, size_t *count);

#endif
