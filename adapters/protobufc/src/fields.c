/*
 * The top level of a payload, field by field, without protobuf-c: what stands behind one number is
 * given out where it lies, the rest is kept for protobuf-c.
 */
#include "pbc.h"

#include <string.h>

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_DELIMITED = 2, WIRE_FIXED32 = 5 };

static bool read_varint(struct serin_pbc_walk *reader, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (reader->offset == reader->size) {
            return false;
        }
        uint8_t byte = reader->data[reader->offset++];
        if (shift == 63 && byte > 1) {
            return false;
        }
        *value |= (uint64_t)(byte & 0x7fu) << shift;
        if ((byte & 0x80u) == 0) {
            return true;
        }
    }
    return false;
}

static bool skip(struct serin_pbc_walk *reader, uint64_t count)
{
    if (count > reader->size - reader->offset) {
        return false;
    }
    reader->offset += (size_t)count;
    return true;
}

/* Moves past one field's value; for a delimited one *start and *length tell where it lies. */
static bool read_value(struct serin_pbc_walk *reader, unsigned wire_type, size_t *start,
                       size_t *length)
{
    uint64_t value = 0;
    switch (wire_type) {
    case WIRE_VARINT:
        return read_varint(reader, &value);
    case WIRE_FIXED64:
        return skip(reader, 8);
    case WIRE_FIXED32:
        return skip(reader, 4);
    case WIRE_DELIMITED:
        if (!read_varint(reader, &value)) {
            return false;
        }
        *start = reader->offset;
        *length = (size_t)value;
        return skip(reader, value);
    default:
        return false; /* groups are no part of proto3 */
    }
}

void serin_pbc_walk_start(struct serin_pbc_walk *walk, const uint8_t *data, size_t size,
                          uint32_t number, uint8_t *rest, size_t rest_capacity)
{
    *walk = (struct serin_pbc_walk){.data = data, .size = size, .number = number};
    walk->rest = rest;
    walk->rest_capacity = rest_capacity;
}

static bool keep(struct serin_pbc_walk *walk, size_t start)
{
    size_t size = walk->offset - start;
    if (size > walk->rest_capacity - walk->rest_size) {
        return false;
    }
    memcpy(walk->rest + walk->rest_size, walk->data + start, size);
    walk->rest_size += size;
    return true;
}

enum serin_error serin_pbc_walk_next(struct serin_pbc_walk *walk, const uint8_t **bytes,
                                     size_t *size)
{
    *bytes = NULL;
    *size = 0;
    while (walk->offset < walk->size) {
        size_t field = walk->offset, start = 0, length = 0;
        uint64_t tag = 0;
        if (!read_varint(walk, &tag) || tag >> 3 == 0 || tag > UINT32_MAX ||
            !read_value(walk, (unsigned)(tag & 7u), &start, &length)) {
            return SERIN_ERR_FORMAT;
        }
        if (tag == ((uint64_t)walk->number << 3 | WIRE_DELIMITED)) {
            *bytes = walk->data + start;
            *size = length;
            return SERIN_OK;
        }
        if (!keep(walk, field)) {
            return SERIN_ERR_FORMAT;
        }
    }
    return SERIN_OK;
}

enum serin_error serin_pbc_walk_once(struct serin_pbc_walk *walk, const uint8_t **bytes,
                                     size_t *size)
{
    const uint8_t *second = NULL;
    size_t second_size = 0;
    enum serin_error error = serin_pbc_walk_next(walk, bytes, size);
    if (error == SERIN_OK && *bytes != NULL) {
        error = serin_pbc_walk_next(walk, &second, &second_size);
    }
    return error == SERIN_OK && second != NULL ? SERIN_ERR_FORMAT : error;
}

enum serin_error serin_pbc_cut(const uint8_t *data, size_t size, size_t limit, uint32_t number,
                               struct serin_pbc_cut *cut)
{
    cut->bytes = NULL;
    cut->bytes_size = 0;
    cut->rest_size = 0;
    if (size > limit) {
        return SERIN_ERR_TOO_LARGE;
    }
    struct serin_pbc_walk walk;
    serin_pbc_walk_start(&walk, data, size, number, cut->rest, sizeof(cut->rest));
    enum serin_error error = serin_pbc_walk_once(&walk, &cut->bytes, &cut->bytes_size);
    cut->rest_size = walk.rest_size;
    return error;
}
