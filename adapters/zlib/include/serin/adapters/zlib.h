/*
 * Deflate and inflate of whole buffers in the zlib format (RFC 1950), on zlib: the items of a batch
 * (docs/spec/batch.md, section 1).
 *
 * All output goes into the caller's memory and never past it, whatever the input. zlib's own state
 * is taken from the heap for the length of one call: at most 300 KiB to deflate, 50 KiB to inflate.
 * Buffers must not overlap. Any thread; nothing is kept between calls.
 */
#ifndef SERIN_ADAPTERS_ZLIB_H
#define SERIN_ADAPTERS_ZLIB_H

#include <serin/error.h>

#include <stddef.h>
#include <stdint.h>

/* Most bytes of either side of a call: 16 MiB. */
#define SERIN_ZLIB_MAX 16777216u

/* Deflates `size` bytes, 1 .. SERIN_ZLIB_MAX, into `out`, and gives the size. SERIN_ERR_NO_SPACE:
 * it does not fit `capacity`, 1 .. SERIN_ZLIB_MAX: who wants a gain gives less room than `size`,
 * and sends the plain bytes then. SERIN_ERR_MEMORY. SERIN_ERR_INVALID: a size out of its range.
 * `out` is unspecified after an error, `*out_size` 0. The same bytes give the same result with the
 * same zlib. */
SERIN_MUST_USE enum serin_error serin_deflate(const uint8_t *data, size_t size, uint8_t *out,
                                              size_t capacity, size_t *out_size);

/* Inflates hostile bytes into exactly `plain_size` bytes, 1 .. SERIN_ZLIB_MAX; `out` holds as many.
 * SERIN_ERR_TOO_LARGE: there is more, of which no byte more was made. SERIN_ERR_FORMAT: there is
 * less, the stream is damaged, cut off, wants a dictionary, or has bytes behind its end.
 * SERIN_ERR_MEMORY. SERIN_ERR_INVALID: a size out of its range. `out` is unspecified after an
 * error. */
SERIN_MUST_USE enum serin_error serin_inflate(const uint8_t *data, size_t size, uint8_t *out,
                                              size_t plain_size);

#endif
