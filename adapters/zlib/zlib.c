/*
 * Deflate and inflate on zlib, one buffer at a time.
 */
#include <serin/adapters/zlib.h>

#include <stdbool.h>
#include <zlib.h>

static bool size_ok(size_t size)
{
    return size >= 1 && size <= SERIN_ZLIB_MAX;
}

/* zlib declares its input without const unless asked, and only reads it. */
static z_const Bytef *input_of(const uint8_t *data)
{
    union {
        const uint8_t *in;
        z_const Bytef *out;
    } both = {.in = data};
    return both.out;
}

enum serin_error serin_deflate(const uint8_t *data, size_t size, uint8_t *out, size_t capacity,
                               size_t *out_size)
{
    *out_size = 0;
    if (!size_ok(size) || !size_ok(capacity)) {
        return SERIN_ERR_INVALID;
    }
    z_stream stream = {
        .next_in = input_of(data), .avail_in = (uInt)size, .avail_out = (uInt)capacity};
    stream.next_out = out;
    if (deflateInit(&stream, Z_DEFAULT_COMPRESSION) != Z_OK) {
        return SERIN_ERR_MEMORY;
    }
    int code = deflate(&stream, Z_FINISH);
    size_t made = stream.total_out;
    (void)deflateEnd(&stream); /* says whether output was left behind, which `code` says too */
    if (code != Z_STREAM_END) {
        return SERIN_ERR_NO_SPACE;
    }
    *out_size = made;
    return SERIN_OK;
}

/* What a stream that filled its room says when it is offered one byte more, which nobody reads. */
static enum serin_error probe(z_stream *stream, Bytef *beyond)
{
    stream->next_out = beyond;
    stream->avail_out = 1;
    (void)inflate(stream, Z_FINISH);
    return stream->avail_out == 0 ? SERIN_ERR_TOO_LARGE : SERIN_ERR_FORMAT;
}

enum serin_error serin_inflate(const uint8_t *data, size_t size, uint8_t *out, size_t plain_size)
{
    if (!size_ok(size) || !size_ok(plain_size)) {
        return SERIN_ERR_INVALID;
    }
    z_stream stream = {
        .next_in = input_of(data), .avail_in = (uInt)size, .avail_out = (uInt)plain_size};
    stream.next_out = out;
    if (inflateInit(&stream) != Z_OK) {
        return SERIN_ERR_MEMORY;
    }
    enum serin_error error = SERIN_ERR_FORMAT;
    Bytef beyond = 0;
    int code = inflate(&stream, Z_FINISH);
    if (code == Z_STREAM_END) {
        error = stream.avail_out == 0 && stream.avail_in == 0 ? SERIN_OK : SERIN_ERR_FORMAT;
    } else if (code == Z_MEM_ERROR) {
        error = SERIN_ERR_MEMORY;
    } else if (stream.avail_out == 0 && (code == Z_OK || code == Z_BUF_ERROR)) {
        error = probe(&stream, &beyond);
    }
    (void)inflateEnd(&stream);
    return error;
}
