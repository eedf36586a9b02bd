/* Records of the fleet store as bytes: a kind's fields in the frame of every record. */
#include "record.h"

#include <serin/assert.h>

#include <string.h>

static const struct record_layout *layout_of(enum record_kind kind)
{
    SERIN_ASSERT(kind > RECORD_INVALID && kind < RECORD_KIND_COUNT);
    return &record_layouts[kind];
}

enum serin_error record_encode(enum record_kind kind, const struct record_key *key,
                               const union record_value *value, uint8_t out[RECORD_MAX],
                               size_t *size)
{
    const struct record_layout *layout = layout_of(kind);
    union record_value copy = *value; /* fields are given back: the caller's value stays as it is */
    struct record_io io = record_begin((uint8_t)kind, layout->version, out);
    layout->fields(&io, &copy);
    return record_seal(&io, key, size);
}

enum serin_error record_decode(enum record_kind kind, const void *key, size_t key_size,
                               const uint8_t *data, size_t size, union record_value *value)
{
    const struct record_layout *layout = layout_of(kind);
    struct record_io io;
    enum serin_error error =
        record_open(&io, (uint8_t)kind, layout->version, key, key_size, data, size);
    if (error != SERIN_OK) {
        return error;
    }
    memset(value, 0, sizeof *value);
    layout->fields(&io, value);
    return record_done(&io);
}
