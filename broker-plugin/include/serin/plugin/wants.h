/*
 * What the gateway was told lately to be missing or rotten (docs/spec/site.md, section 3): of each
 * piece at most once a second, however many nodes ask for it. Pure; time is passed in, monotonic.
 *
 * The table has places for stretches of 64 KiB. Where they are all taken by what was said within
 * the last second, nothing more is said: so many wants a second are the most that nodes can cause.
 */
#ifndef SERIN_PLUGIN_WANTS_H
#define SERIN_PLUGIN_WANTS_H

#include <serin/piece.h>
#include <serin/site.h>

#define SERIN_WANTS_STRETCH_BYTES (64u * 1024u)
#define SERIN_WANTS_PIECES        (SERIN_WANTS_STRETCH_BYTES / SERIN_PIECE_SIZE)
#define SERIN_WANTS_PLACES        1024u
#define SERIN_WANTS_SILENCE_MS    1000u

struct serin_wants_place {
    enum serin_want_kind kind; /* INVALID: never used */
    uint32_t stretch;          /* offset ÷ SERIN_WANTS_STRETCH_BYTES */
    uint8_t object[SERIN_SHA256_SIZE];
    uint64_t last_ms;                     /* when something of it was said last */
    uint64_t said_ms[SERIN_WANTS_PIECES]; /* each piece; 0: not since the place was taken */
};

struct serin_wants {
    struct serin_wants_place places[SERIN_WANTS_PLACES];
};

void serin_wants_init(struct serin_wants *wants);

/* Whether to say MISSING or ROTTEN of [offset, offset + length) now: some piece of it has not been
 * spoken of for SERIN_WANTS_SILENCE_MS. Then all of them count as said. `length` ≥ 1, and the end
 * is at most 2^32 - 1. `now_ms` ≥ 1. */
bool serin_wants_say(struct serin_wants *wants, enum serin_want_kind kind,
                     const uint8_t object[SERIN_SHA256_SIZE], uint32_t offset, uint32_t length,
                     uint64_t now_ms);

#endif
