/* Records of a store as bytes: the frame, and fields in either direction. */
#include "frame.h"

#include <serin/assert.h>
#include <serin/bytes.h>
#include <serin/crc32.h>

#include <string.h>

#define HEAD_SIZE 2u
#define CRC_SIZE  4u

/* The place of the next `size` bytes, or nothing if they do not fit. */
static bool advance(struct record_io *io, size_t size, size_t *at)
{
    if (io->failed || io->size - io->at < size) {
        io->failed = true;
        return false;
    }
    *at = io->at;
    io->at += size;
    return true;
}

void record_bytes(struct record_io *io, uint8_t *bytes, size_t size)
{
    size_t at = 0;
    if (!advance(io, size, &at)) {
        return;
    }
    if (io->writing) {
        memcpy(io->out + at, bytes, size);
    } else {
        memcpy(bytes, io->in + at, size);
    }
}

uint8_t record_u8(struct record_io *io, uint8_t value)
{
    record_bytes(io, &value, 1);
    return value;
}

uint16_t record_u16(struct record_io *io, uint16_t value)
{
    uint8_t bytes[2];
    serin_put_le16(bytes, value);
    record_bytes(io, bytes, sizeof bytes);
    return serin_get_le16(bytes);
}

uint32_t record_u32(struct record_io *io, uint32_t value)
{
    uint8_t bytes[4];
    serin_put_le32(bytes, value);
    record_bytes(io, bytes, sizeof bytes);
    return serin_get_le32(bytes);
}

uint64_t record_u64(struct record_io *io, uint64_t value)
{
    uint8_t bytes[8];
    serin_put_le64(bytes, value);
    record_bytes(io, bytes, sizeof bytes);
    return serin_get_le64(bytes);
}

unsigned record_range(struct record_io *io, unsigned value, unsigned low, unsigned high)
{
    SERIN_ASSERT(low <= high && high <= UINT8_MAX);
    bool fits = value <= UINT8_MAX;
    unsigned found = record_u8(io, fits ? (uint8_t)value : 0);
    if ((io->writing && !fits) || found < low || found > high) {
        io->failed = true;
        return low;
    }
    return found;
}

bool record_bool(struct record_io *io, bool value)
{
    return record_range(io, value ? 1 : 0, 0, 1) == 1;
}

size_t record_sized(struct record_io *io, uint8_t *bytes, size_t size, size_t low, size_t high)
{
    SERIN_ASSERT(low <= high && high <= UINT16_MAX);
    bool fits = size <= high; /* a larger one is written as none, and refused below */
    size_t found = record_u16(io, fits ? (uint16_t)size : 0);
    if (io->failed || !fits || found < low || found > high) {
        io->failed = true;
        return 0;
    }
    record_bytes(io, bytes, found);
    return io->failed ? 0 : found;
}

void record_text(struct record_io *io, char *text, size_t capacity)
{
    SERIN_ASSERT(capacity >= 1 && capacity <= 256);
    size_t length = 0;
    if (io->writing) {
        const char *end = memchr(text, '\0', capacity);
        length = end != NULL ? (size_t)(end - text) : capacity; /* too long: refused below */
    }
    length = record_range(io, (unsigned)length, 0, (unsigned)capacity - 1);
    size_t at = 0;
    if (io->failed || !advance(io, length, &at)) {
        return;
    }
    if (io->writing) {
        memcpy(io->out + at, text, length);
        return;
    }
    memcpy(text, io->in + at, length);
    text[length] = '\0';
    io->failed = memchr(text, '\0', length) != NULL;
}

static uint32_t frame_crc(const void *key, size_t key_size, const uint8_t *data, size_t size)
{
    return serin_crc32(serin_crc32(0, key, key_size), data, size);
}

struct record_io record_begin(uint8_t kind, uint8_t version, uint8_t out[RECORD_MAX])
{
    out[0] = kind;
    out[1] = version;
    return (struct record_io){.writing = true,
                              .version = version,
                              .out = out,
                              .at = HEAD_SIZE,
                              .size = RECORD_MAX - CRC_SIZE};
}

enum serin_error record_seal(struct record_io *io, const struct record_key *key, size_t *size)
{
    if (io->failed) {
        return SERIN_ERR_INVALID;
    }
    serin_put_le32(io->out + io->at, frame_crc(key->bytes, key->size, io->out, io->at));
    *size = io->at + CRC_SIZE;
    return SERIN_OK;
}

enum serin_error record_open(struct record_io *io, uint8_t kind, uint8_t version, const void *key,
                             size_t key_size, const uint8_t *data, size_t size)
{
    if (size < HEAD_SIZE + CRC_SIZE) {
        return SERIN_ERR_TRUNCATED;
    }
    size_t body = size - CRC_SIZE;
    if (serin_get_le32(data + body) != frame_crc(key, key_size, data, body)) {
        return SERIN_ERR_CRC;
    }
    if (data[0] != kind || data[1] == 0) {
        return SERIN_ERR_FORMAT;
    }
    if (data[1] > version) {
        return SERIN_ERR_VERSION;
    }
    *io = (struct record_io){.version = data[1], .in = data, .at = HEAD_SIZE, .size = body};
    return SERIN_OK;
}

enum serin_error record_done(const struct record_io *io)
{
    return io->failed || io->at != io->size ? SERIN_ERR_FORMAT : SERIN_OK;
}
