/*
 * Requests that wait for bytes which are on their way (docs/spec/site.md, section 4): at most one
 * a session, for a bounded time. Pure; time is passed in, monotonic; works in memory that the
 * caller gives.
 *
 * What is parked has nothing in flight: its client's last window is acknowledged. Whoever ends a
 * session drops what it has parked.
 */
#ifndef SERIN_PLUGIN_PARK_H
#define SERIN_PLUGIN_PARK_H

#include <serin/plugin/session.h>

/* The place of a session, by its index. */
struct serin_parked {
    bool waits;
    uint32_t previous, next; /* in the order of parking */
    uint64_t until_ms;
    struct serin_get get;
};

struct serin_park {
    struct serin_parked *places;
    uint32_t capacity;
    uint32_t patience_ms;
    uint32_t first, last; /* SERIN_SESSION_NONE: nothing waits */
    uint32_t count;
};

/* `places` has one element for each session (all bytes zero at first, so that many cost memory as
 * they are used) and lives as long as `park`. */
void serin_park_init(struct serin_park *park, struct serin_parked *places, uint32_t capacity,
                     uint32_t patience_ms);

/* Parks a request; it takes the place of the one that its session has parked. */
void serin_park_put(struct serin_park *park, uint32_t session, const struct serin_get *get,
                    uint64_t now_ms);

/* Takes a session's request out. False: it has none. */
bool serin_park_drop(struct serin_park *park, uint32_t session);

/* The request of a session that next() or expired() has named. */
const struct serin_get *serin_park_get(const struct serin_park *park, uint32_t session);

/* Walks what is parked for `object` (NULL: for any), oldest first: the session behind `session`
 * (SERIN_SESSION_NONE: the first), or SERIN_SESSION_NONE. Ask for the next one before this one is
 * dropped. */
uint32_t serin_park_next(const struct serin_park *park, const uint8_t *object, uint32_t session);

/* A session whose patience is over (it stays parked until it is dropped), or SERIN_SESSION_NONE. */
uint32_t serin_park_expired(const struct serin_park *park, uint64_t now_ms);

#endif
