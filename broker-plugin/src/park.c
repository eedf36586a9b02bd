/* Parked requests: one list in the order of parking. All have the same patience, so its head is the
 * first to lose it. */
#include <serin/plugin/park.h>

#include <serin/assert.h>

#include <string.h>

void serin_park_init(struct serin_park *park, struct serin_parked *places, uint32_t capacity,
                     uint32_t patience_ms)
{
    SERIN_ASSERT(capacity > 0 && capacity < SERIN_SESSION_NONE);
    *park = (struct serin_park){.places = places,
                                .capacity = capacity,
                                .patience_ms = patience_ms,
                                .first = SERIN_SESSION_NONE,
                                .last = SERIN_SESSION_NONE};
}

void serin_park_put(struct serin_park *park, uint32_t session, const struct serin_get *get,
                    uint64_t now_ms)
{
    (void)serin_park_drop(park, session);
    struct serin_parked *place = &park->places[session];
    *place = (struct serin_parked){.waits = true,
                                   .previous = park->last,
                                   .next = SERIN_SESSION_NONE,
                                   .until_ms = now_ms + park->patience_ms,
                                   .get = *get};
    if (park->last == SERIN_SESSION_NONE) {
        park->first = session;
    } else {
        park->places[park->last].next = session;
    }
    park->last = session;
    park->count++;
}

bool serin_park_drop(struct serin_park *park, uint32_t session)
{
    SERIN_ASSERT(session < park->capacity);
    struct serin_parked *place = &park->places[session];
    if (!place->waits) {
        return false;
    }
    if (place->previous == SERIN_SESSION_NONE) {
        park->first = place->next;
    } else {
        park->places[place->previous].next = place->next;
    }
    if (place->next == SERIN_SESSION_NONE) {
        park->last = place->previous;
    } else {
        park->places[place->next].previous = place->previous;
    }
    place->waits = false;
    park->count--;
    return true;
}

const struct serin_get *serin_park_get(const struct serin_park *park, uint32_t session)
{
    SERIN_ASSERT(session < park->capacity && park->places[session].waits);
    return &park->places[session].get;
}

uint32_t serin_park_next(const struct serin_park *park, const uint8_t *object, uint32_t session)
{
    SERIN_ASSERT(session == SERIN_SESSION_NONE ||
                 (session < park->capacity && park->places[session].waits));
    uint32_t next = session == SERIN_SESSION_NONE ? park->first : park->places[session].next;
    while (next != SERIN_SESSION_NONE && object != NULL &&
           memcmp(park->places[next].get.object, object, SERIN_SHA256_SIZE) != 0) {
        next = park->places[next].next;
    }
    return next;
}

uint32_t serin_park_expired(const struct serin_park *park, uint64_t now_ms)
{
    bool over = park->first != SERIN_SESSION_NONE && park->places[park->first].until_ms <= now_ms;
    return over ? park->first : SERIN_SESSION_NONE;
}
