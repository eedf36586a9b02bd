/*
 * The symbols of a delta (docs/spec/delta.md, section 4), each in its contexts: what became of a
 * copied item, a new byte, a jump to another place of the old image. Decoder and encoder call the
 * same functions: see serin/delta_model.h.
 */
#ifndef SERIN_DELTA_SYMBOLS_H
#define SERIN_DELTA_SYMBOLS_H

#include <serin/delta_model.h>
#include <serin/delta_walk.h>

#define SERIN_DELTA_MOVES 4u /* moves that are remembered, of each map */
/* Further than this an encoder tells no move: the word is another one. */
#define SERIN_DELTA_MOVE_MAX 0x01000000u
#define SERIN_DELTA_LANES    3u /* distances that are remembered */

enum serin_delta_result {
    SERIN_DELTA_HIT,   /* as predicted */
    SERIN_DELTA_STOP,  /* so are its first `kept` bytes, fewer than all; the copy ends there */
    SERIN_DELTA_PATCH, /* `bytes`, of which one is not as predicted */
    SERIN_DELTA_SAME,  /* a moved reference reads as it did */
    SERIN_DELTA_MOVE   /* a reference to `move` beyond its old value, modulo 2^32 */
};

struct serin_delta_outcome {
    enum serin_delta_result result;
    uint32_t kept;
    uint32_t move;
    uint8_t bytes[SERIN_DELTA_ITEM_MAX];
};

struct serin_delta_symbols {
    struct serin_delta_model model;
    struct serin_delta_walk walk;
    bool alone;       /* there is no old image: the new one so far stands in for it */
    uint32_t from;    /* old offset of what is copied next, or where the last copy ended */
    uint32_t to;      /* bytes of the new image so far */
    uint32_t fresh;   /* new bytes since the last copy */
    uint32_t copied;  /* items since the copy began */
    uint32_t history; /* of items: a bit each, set for a miss */
    uint32_t hits;    /* items since the last miss */
    uint32_t recent;  /* the last four bytes */
    uint32_t burst;   /* the last differences */
    uint32_t lanes[SERIN_DELTA_LANES]; /* from - to of the last copies */
    uint32_t moves[3][SERIN_DELTA_MOVES];
};

void serin_delta_symbols_init(struct serin_delta_symbols *symbols, uint16_t *table, uint32_t slots,
                              bool even);

/* How many breakpoints a map has, and one of them; the start of each is above that of the one
 * `before` it. */
uint32_t serin_delta_code_count(struct serin_delta_symbols *symbols, uint32_t count);
struct serin_delta_break serin_delta_code_break(struct serin_delta_symbols *symbols,
                                                const struct serin_delta_break *before,
                                                struct serin_delta_break at);

/* What became of an item. In an outcome that is given, all that belongs to its result is set; one
 * that is returned has `bytes` in any case but STOP. */
void serin_delta_code_item(struct serin_delta_symbols *symbols, const struct serin_delta_item *item,
                           struct serin_delta_outcome *outcome);

/* Outside a copy: whether a jump follows, not a new byte. */
bool serin_delta_code_open(struct serin_delta_symbols *symbols, bool jump);

/* A new byte; `expected` is the old one that it stands in for. */
uint8_t serin_delta_code_fresh(struct serin_delta_symbols *symbols, uint8_t expected, uint8_t byte);

/* Where the next copy begins. */
uint32_t serin_delta_code_jump(struct serin_delta_symbols *symbols, uint32_t from);

/* A byte of the new image. */
static inline void serin_delta_emitted(struct serin_delta_symbols *symbols, uint8_t byte)
{
    symbols->recent = symbols->recent << 8 | byte;
    symbols->to++;
}

#endif
