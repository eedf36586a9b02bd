/*
 * A small memory of verified pieces (docs/spec/site.md, section 4): a herd that asks for the same
 * range costs one read and one digest, and on a full disk it is all that nodes are served from.
 * What the gateway hands over before it can be verified is held beside them, and marked. Pure; the
 * caller gives the memory (one large structure) and vouches for what is put.
 */
#ifndef SERIN_PLUGIN_PIECES_H
#define SERIN_PLUGIN_PIECES_H

#include <serin/piece.h>

#define SERIN_PIECES_PLACES 256u

struct serin_pieces_place {
    uint8_t object[SERIN_SHA256_SIZE];
    uint32_t index;       /* of the piece in its object */
    uint32_t object_size; /* bytes; 0: forgotten */
    bool verified;        /* else it must not be given away yet */
    uint32_t hash_next;
    uint32_t newer, older; /* by last use */
    uint8_t data[SERIN_PIECE_SIZE];
};

struct serin_pieces {
    uint32_t heads[SERIN_PIECES_PLACES];
    uint32_t newest, oldest;
    uint32_t count;
    struct serin_pieces_place places[SERIN_PIECES_PLACES];
};

void serin_pieces_init(struct serin_pieces *pieces);

/* A piece that is remembered, now the one that was used last; NULL: it is not. It stays where it is
 * until SERIN_PIECES_PLACES others have been put or found. */
const struct serin_pieces_place *serin_pieces_find(struct serin_pieces *pieces,
                                                   const uint8_t object[SERIN_SHA256_SIZE],
                                                   uint32_t index);

/* Remembers a verified piece: serin_piece_size(object_size, index) bytes. The one that was not used
 * for the longest time gives way. Returns where it is. */
const struct serin_pieces_place *serin_pieces_put(struct serin_pieces *pieces,
                                                  const uint8_t object[SERIN_SHA256_SIZE],
                                                  uint32_t object_size, uint32_t index,
                                                  const uint8_t *data);

/* Holds a piece that nobody vouches for yet, unless a verified one is remembered in its place. */
void serin_pieces_hold(struct serin_pieces *pieces, const uint8_t object[SERIN_SHA256_SIZE],
                       uint32_t object_size, uint32_t index, const uint8_t *data);

/* Judges a piece that is held, and not yet verified: from now on it is, or it is forgotten. */
void serin_pieces_settle(struct serin_pieces *pieces, const uint8_t object[SERIN_SHA256_SIZE],
                         uint32_t index, bool holds);

#endif
