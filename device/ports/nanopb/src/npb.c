/*
 * The fields that nanopb leaves to its user, decoding and encoding under limits, checked copies.
 */
#include "npb.h"

#include <string.h>

/* ---- streams ---- */

/* Reads from memory; `state` is the place of a pointer that moves on, so that a callback can tell
 * where in the payload it stands. */
static bool read_payload(pb_istream_t *stream, pb_byte_t *out, size_t count)
{
    const uint8_t **at = stream->state;
    memcpy(out, *at, count);
    *at += count;
    return true;
}

enum serin_error serin_npb_decode(const pb_msgdesc_t *type, const uint8_t *data, size_t size,
                                  size_t limit, void *message)
{
    if (size > limit) {
        return SERIN_ERR_TOO_LARGE;
    }
    const uint8_t *at = data;
    pb_istream_t stream = {.callback = read_payload, .state = &at, .bytes_left = size};
    /* nanopb takes nothing for the message of which every field has its default. */
    bool ok = size > 0 && pb_decode_ex(&stream, type, message, PB_DECODE_NOINIT);
    return ok ? SERIN_OK : SERIN_ERR_FORMAT;
}

bool serin_npb_decode_item(pb_istream_t *stream, const pb_msgdesc_t *type, void *message)
{
    return pb_decode_ex(stream, type, message, PB_DECODE_NOINIT);
}

enum serin_error serin_npb_encode(const pb_msgdesc_t *type, const void *message, size_t limit,
                                  uint8_t *out, size_t capacity, size_t *size)
{
    pb_ostream_t stream = pb_ostream_from_buffer(out, capacity < limit ? capacity : limit);
    if (!pb_encode(&stream, type, message)) {
        return SERIN_ERR_NO_SPACE; /* it has no other reason to fail */
    }
    *size = stream.bytes_written;
    return SERIN_OK;
}

/* ---- slices ---- */

static bool decode_slice(pb_istream_t *stream, struct serin_npb_slice *slice)
{
    const uint8_t **at = stream->state;
    slice->bytes = *at;
    slice->size = stream->bytes_left;
    slice->seen++;
    *at += stream->bytes_left;
    stream->bytes_left = 0;
    return true;
}

static bool encode_slice(pb_ostream_t *stream, const pb_field_t *field,
                         const struct serin_npb_slice *slice)
{
    if (slice->type != NULL) {
        return pb_encode_tag_for_field(stream, field) &&
               pb_encode_submessage(stream, slice->type, slice->bytes);
    }
    return slice->size == 0 || (pb_encode_tag_for_field(stream, field) &&
                                pb_encode_string(stream, slice->bytes, slice->size));
}

/* ---- lists ---- */

/* An item past the last place is decoded all the same, as it may not be a message at all; the last
 * place, where it goes, is of a value that is refused. */
static bool decode_list(pb_istream_t *stream, struct serin_npb_list *list)
{
    size_t last = list->kind->most - 1;
    size_t place = list->count < last ? list->count : last;
    bool fits = false;
    list->count++;
    if (!list->kind->decode(stream, (uint8_t *)list->out + place * list->kind->item_size, &fits)) {
        return false;
    }
    list->misfit = list->misfit || !fits;
    return true;
}

static bool encode_item(pb_ostream_t *stream, const pb_field_t *field,
                        const struct serin_npb_list *list, size_t index)
{
    const void *item = (const uint8_t *)list->in + index * list->kind->item_size;
    pb_ostream_t sizing = PB_OSTREAM_SIZING;
    return list->kind->encode(&sizing, item) && pb_encode_tag_for_field(stream, field) &&
           pb_encode_varint(stream, sizing.bytes_written) && list->kind->encode(stream, item);
}

static bool encode_list(pb_ostream_t *stream, const pb_field_t *field,
                        const struct serin_npb_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!encode_item(stream, field, list, i)) {
            return false;
        }
    }
    return true;
}

/* ---- the callback ---- */

bool serin_npb_field(pb_istream_t *istream, pb_ostream_t *ostream, const pb_field_t *field)
{
    bool is_list = PB_HTYPE(field->type) == PB_HTYPE_REPEATED;
    if (istream != NULL) {
        /* Another stream than the payload's: nanopb hands on a number that stands in the place of
         * text, bytes or an item. */
        return istream->callback == read_payload &&
               (is_list ? decode_list(istream, field->pData) : decode_slice(istream, field->pData));
    }
    return is_list ? encode_list(ostream, field, field->pData)
                   : encode_slice(ostream, field, field->pData);
}

/* ---- values ---- */

struct serin_npb_slice serin_npb_text(const char *text)
{
    return serin_npb_bytes(text, strlen(text));
}

struct serin_npb_slice serin_npb_bytes(const void *bytes, size_t size)
{
    return (struct serin_npb_slice){.bytes = bytes, .size = size};
}

bool serin_npb_get_text(const struct serin_npb_slice *slice, char *out, size_t capacity)
{
    out[0] = '\0';
    if (slice->size >= capacity) {
        return false;
    }
    if (slice->size > 0) {
        memcpy(out, slice->bytes, slice->size);
    }
    out[slice->size] = '\0';
    return strlen(out) == slice->size;
}

bool serin_npb_get_fixed(const struct serin_npb_slice *slice, uint8_t *out, size_t size)
{
    if (slice->size != size) {
        return false;
    }
    memcpy(out, slice->bytes, size);
    return true;
}

bool serin_npb_get_u16(uint32_t value, uint16_t *out)
{
    *out = (uint16_t)value;
    return value <= UINT16_MAX;
}

bool serin_npb_get_list(const struct serin_npb_list *list, size_t *count)
{
    *count = list->count;
    return !list->misfit && (list->count == 0 || list->count <= list->kind->most);
}
