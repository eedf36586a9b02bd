/*
 * Pieces (docs/spec/blocks.md, section 2): the unit of integrity. A piece is 4096 bytes of an
 * object, the last one shorter; an object's piece table is the plain concatenation of the SHA-256
 * of each.
 */
#ifndef SERIN_PIECE_H
#define SERIN_PIECE_H

#include <serin/bytes.h>

#define SERIN_PIECE_SIZE 4096u

/* How many pieces an object of `size_bytes` has. 0 for 0. */
static inline uint32_t serin_piece_count(uint32_t size_bytes)
{
    return size_bytes / SERIN_PIECE_SIZE + (size_bytes % SERIN_PIECE_SIZE != 0 ? 1u : 0u);
}

/* The size of piece `index` (< count) of an object of `size_bytes`. */
static inline uint32_t serin_piece_size(uint32_t size_bytes, uint32_t index)
{
    uint32_t offset = index * SERIN_PIECE_SIZE;
    return size_bytes - offset < SERIN_PIECE_SIZE ? size_bytes - offset : SERIN_PIECE_SIZE;
}

/* The size of the piece table of an object of `size_bytes`. */
static inline uint32_t serin_piece_table_size(uint32_t size_bytes)
{
    return serin_piece_count(size_bytes) * SERIN_SHA256_SIZE;
}

#endif
