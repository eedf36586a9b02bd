/* Pieces: chains by hash over places that never move, and one list by last use. */
#include <serin/plugin/pieces.h>

#include <serin/assert.h>

#include <string.h>

#define NONE UINT32_MAX

void serin_pieces_init(struct serin_pieces *pieces)
{
    pieces->newest = pieces->oldest = NONE;
    pieces->count = 0;
    for (uint32_t i = 0; i < SERIN_PIECES_PLACES; i++) {
        pieces->heads[i] = NONE;
    }
}

static uint32_t *head_of(struct serin_pieces *pieces, const uint8_t *object, uint32_t index)
{
    return &pieces->heads[(serin_get_le32(object) + index) % SERIN_PIECES_PLACES];
}

static void take_out(struct serin_pieces *pieces, const struct serin_pieces_place *place)
{
    if (place->newer == NONE) {
        pieces->newest = place->older;
    } else {
        pieces->places[place->newer].older = place->older;
    }
    if (place->older == NONE) {
        pieces->oldest = place->newer;
    } else {
        pieces->places[place->older].newer = place->newer;
    }
}

static void make_newest(struct serin_pieces *pieces, uint32_t at)
{
    struct serin_pieces_place *place = &pieces->places[at];
    place->newer = NONE;
    place->older = pieces->newest;
    if (pieces->newest == NONE) {
        pieces->oldest = at;
    } else {
        pieces->places[pieces->newest].newer = at;
    }
    pieces->newest = at;
}

static uint32_t look_up(struct serin_pieces *pieces, const uint8_t *object, uint32_t index)
{
    uint32_t at = *head_of(pieces, object, index);
    /* A place of no size is one that was forgotten: it waits in its chain to be used again. */
    while (at != NONE &&
           (pieces->places[at].index != index || pieces->places[at].object_size == 0 ||
            memcmp(pieces->places[at].object, object, SERIN_SHA256_SIZE) != 0)) {
        at = pieces->places[at].hash_next;
    }
    return at;
}

const struct serin_pieces_place *serin_pieces_find(struct serin_pieces *pieces,
                                                   const uint8_t object[SERIN_SHA256_SIZE],
                                                   uint32_t index)
{
    uint32_t at = look_up(pieces, object, index);
    if (at == NONE) {
        return NULL;
    }
    take_out(pieces, &pieces->places[at]);
    make_newest(pieces, at);
    return &pieces->places[at];
}

/* A place that was never used, or that of the oldest piece, which is forgotten. */
static uint32_t free_place(struct serin_pieces *pieces)
{
    if (pieces->count < SERIN_PIECES_PLACES) {
        return pieces->count++;
    }
    uint32_t at = pieces->oldest;
    const struct serin_pieces_place *place = &pieces->places[at];
    uint32_t *link = head_of(pieces, place->object, place->index);
    while (*link != at) {
        link = &pieces->places[*link].hash_next;
    }
    *link = place->hash_next;
    take_out(pieces, place);
    return at;
}

static const struct serin_pieces_place *keep(struct serin_pieces *pieces, const uint8_t *object,
                                             uint32_t object_size, uint32_t index,
                                             const uint8_t *data, bool verified)
{
    SERIN_ASSERT(index < serin_piece_count(object_size));
    uint32_t at = look_up(pieces, object, index);
    if (at == NONE) {
        at = free_place(pieces);
        uint32_t *head = head_of(pieces, object, index);
        pieces->places[at].hash_next = *head;
        *head = at;
    } else {
        take_out(pieces, &pieces->places[at]);
    }
    struct serin_pieces_place *place = &pieces->places[at];
    memcpy(place->object, object, SERIN_SHA256_SIZE);
    place->index = index;
    place->object_size = object_size;
    place->verified = verified;
    memcpy(place->data, data, serin_piece_size(object_size, index));
    make_newest(pieces, at);
    return place;
}

const struct serin_pieces_place *serin_pieces_put(struct serin_pieces *pieces,
                                                  const uint8_t object[SERIN_SHA256_SIZE],
                                                  uint32_t object_size, uint32_t index,
                                                  const uint8_t *data)
{
    return keep(pieces, object, object_size, index, data, true);
}

void serin_pieces_hold(struct serin_pieces *pieces, const uint8_t object[SERIN_SHA256_SIZE],
                       uint32_t object_size, uint32_t index, const uint8_t *data)
{
    uint32_t at = look_up(pieces, object, index);
    if (at == NONE || !pieces->places[at].verified) {
        (void)keep(pieces, object, object_size, index, data, false);
    }
}

void serin_pieces_settle(struct serin_pieces *pieces, const uint8_t object[SERIN_SHA256_SIZE],
                         uint32_t index, bool holds)
{
    uint32_t at = look_up(pieces, object, index);
    SERIN_ASSERT(at != NONE && !pieces->places[at].verified);
    pieces->places[at].verified = holds;
    if (!holds) {
        pieces->places[at].object_size = 0;
    }
}
