/* Stretches by their hash, a few places for each; within one, the time of each piece. */
#include <serin/plugin/wants.h>

#include <serin/assert.h>

#include <string.h>

/* Places that a stretch may take. Names are digests, so a node cannot choose where they fall. */
#define PROBES 8u

void serin_wants_init(struct serin_wants *wants)
{
    memset(wants, 0, sizeof *wants);
}

static bool silent(uint64_t said_ms, uint64_t now_ms)
{
    return said_ms == 0 || (now_ms >= said_ms && now_ms - said_ms >= SERIN_WANTS_SILENCE_MS);
}

/* The place of a stretch: its own, or one that nothing was said of lately. NULL: none. */
static struct serin_wants_place *place_of(struct serin_wants *wants, enum serin_want_kind kind,
                                          const uint8_t *object, uint32_t stretch, uint64_t now_ms)
{
    struct serin_wants_place *open = NULL;
    uint32_t start = serin_get_le32(object) + stretch;
    for (uint32_t i = 0; i < PROBES; i++) {
        struct serin_wants_place *place = &wants->places[(start + i) % SERIN_WANTS_PLACES];
        if (place->kind == kind && place->stretch == stretch &&
            memcmp(place->object, object, SERIN_SHA256_SIZE) == 0) {
            return place;
        }
        if (open == NULL && (place->kind == SERIN_WANT_INVALID || silent(place->last_ms, now_ms))) {
            open = place;
        }
    }
    if (open != NULL) {
        *open = (struct serin_wants_place){.kind = kind, .stretch = stretch};
        memcpy(open->object, object, SERIN_SHA256_SIZE);
    }
    return open;
}

/* Marks pieces [first, last] of the object that lie within the place's stretch; whether one of them
 * is news. */
static bool mark(struct serin_wants_place *place, uint32_t first, uint32_t last, uint64_t now_ms)
{
    uint32_t base = place->stretch * SERIN_WANTS_PIECES;
    bool news = false;
    for (uint32_t i = 0; i < SERIN_WANTS_PIECES; i++) {
        if (base + i >= first && base + i <= last) {
            news = news || silent(place->said_ms[i], now_ms);
        }
    }
    for (uint32_t i = 0; news && i < SERIN_WANTS_PIECES; i++) {
        if (base + i >= first && base + i <= last) {
            place->said_ms[i] = place->last_ms = now_ms;
        }
    }
    return news;
}

bool serin_wants_say(struct serin_wants *wants, enum serin_want_kind kind,
                     const uint8_t object[SERIN_SHA256_SIZE], uint32_t offset, uint32_t length,
                     uint64_t now_ms)
{
    SERIN_ASSERT(kind == SERIN_WANT_MISSING || kind == SERIN_WANT_ROTTEN);
    SERIN_ASSERT(length > 0 && length - 1 <= UINT32_MAX - offset && now_ms > 0);
    uint32_t last_byte = offset + (length - 1);
    bool news = false;
    for (uint32_t stretch = offset / SERIN_WANTS_STRETCH_BYTES;
         stretch <= last_byte / SERIN_WANTS_STRETCH_BYTES; stretch++) {
        struct serin_wants_place *place = place_of(wants, kind, object, stretch, now_ms);
        if (place != NULL) {
            news = mark(place, offset / SERIN_PIECE_SIZE, last_byte / SERIN_PIECE_SIZE, now_ms) ||
                   news;
        }
    }
    return news;
}
