/* Sessions: a hash table with chains over slots that never move, and one table of states. */
#include <serin/plugin/session.h>

#include <serin/assert.h>

#include <string.h>

#define TO(state_)                                     \
    {                                                  \
        .listed = true, .next = SERIN_SESSION_##state_ \
    }
#define FROM(state) [SERIN_SESSION_##state]
#define ON(event)   [SERIN_SESSION_##event]

/* clang-format off */
static const struct serin_session_step
    transitions[SERIN_SESSION_STATE_COUNT][SERIN_SESSION_EVENT_COUNT] = {
    FROM(ABSENT) = {ON(JOIN) = TO(JOINED)},
    FROM(JOINED) = {ON(JOIN) = TO(JOINED), ON(ANNOUNCE) = TO(ONLINE),
                    ON(DROP) = TO(ABSENT), ON(KEEP) = TO(KEPT)},
    /* A takeover of an announced id changes its connection, not its presence. */
    FROM(ONLINE) = {ON(JOIN) = TO(ONLINE), ON(ANNOUNCE) = TO(ONLINE),
                    ON(DROP) = TO(ABSENT), ON(KEEP) = TO(KEPT)},
    FROM(KEPT)   = {ON(JOIN) = TO(JOINED), ON(EVICT) = TO(ABSENT)},
};
/* clang-format on */

struct serin_session_step serin_session_table(enum serin_session_state state,
                                              enum serin_session_event event)
{
    SERIN_ASSERT(state < SERIN_SESSION_STATE_COUNT && event < SERIN_SESSION_EVENT_COUNT);
    return transitions[state][event];
}

/* The one place that changes a session's state. The callers ask for listed steps only. */
static void step(struct serin_sessions *sessions, struct serin_session *session,
                 enum serin_session_event event)
{
    struct serin_session_step to = serin_session_table(session->state, event);
    SERIN_ASSERT(to.listed);
    sessions->kept[session->role] -= session->state == SERIN_SESSION_KEPT;
    session->state = to.next;
    sessions->kept[session->role] += session->state == SERIN_SESSION_KEPT;
}

bool serin_bucket_take(struct serin_bucket *bucket, uint32_t rate_per_s, uint32_t burst,
                       uint64_t now_ms)
{
    const uint64_t full = (uint64_t)burst * 1000u;
    if (bucket->filled_ms == 0) {
        bucket->tokens_milli = full > UINT32_MAX ? UINT32_MAX : (uint32_t)full;
        bucket->filled_ms = now_ms > 0 ? now_ms : 1;
    }
    if (now_ms > bucket->filled_ms) {
        uint64_t passed_ms = now_ms - bucket->filled_ms;
        /* One token a second is one thousandth a millisecond; a long pause fills it whatever the
         * rate. */
        uint64_t gained = passed_ms > full ? full : passed_ms * rate_per_s;
        uint64_t tokens = bucket->tokens_milli + gained;
        tokens = tokens > full ? full : tokens;
        bucket->tokens_milli = tokens > UINT32_MAX ? UINT32_MAX : (uint32_t)tokens;
        bucket->filled_ms = now_ms;
    }
    if (bucket->tokens_milli < 1000u) {
        return false;
    }
    bucket->tokens_milli -= 1000u;
    return true;
}

/* FNV-1a, 32 bits. Ids come from certificates that the operator's CA issued, so nobody chooses them
 * to collide. */
static uint32_t hash_of(const char *id)
{
    uint32_t hash = 2166136261u;
    for (; *id != '\0'; id++) {
        hash = (hash ^ (uint8_t)*id) * 16777619u;
    }
    return hash;
}

void serin_sessions_init(struct serin_sessions *sessions, struct serin_session *slots,
                         uint32_t *heads, const struct serin_session_places *places)
{
    uint64_t capacity = (uint64_t)places->any + places->gateway + places->serind;
    SERIN_ASSERT(capacity > 0 && capacity < SERIN_SESSION_NONE);
    *sessions =
        (struct serin_sessions){.slots = slots,
                                .heads = heads,
                                .capacity = (uint32_t)capacity,
                                .limits = {[SERIN_ROLE_DEVICE] = places->any,
                                           [SERIN_ROLE_GATEWAY] = places->any + places->gateway,
                                           [SERIN_ROLE_SERIND] = (uint32_t)capacity},
                                .free_head = SERIN_SESSION_NONE};
    for (uint32_t i = 0; i < capacity; i++) {
        heads[i] = SERIN_SESSION_NONE;
    }
}

uint32_t serin_sessions_find(const struct serin_sessions *sessions, const char *id)
{
    uint32_t index = sessions->heads[hash_of(id) % sessions->capacity];
    while (index != SERIN_SESSION_NONE && strcmp(sessions->slots[index].id, id) != 0) {
        index = sessions->slots[index].hash_next;
    }
    return index;
}

/* Takes a session that has become ABSENT out of its chain and frees its slot. */
static void forget(struct serin_sessions *sessions, uint32_t index)
{
    struct serin_session *session = &sessions->slots[index];
    uint32_t *link = &sessions->heads[hash_of(session->id) % sessions->capacity];
    while (*link != index) {
        link = &sessions->slots[*link].hash_next;
    }
    *link = session->hash_next;
    sessions->places[session->role]--;
    *session = (struct serin_session){.hash_next = sessions->free_head};
    sessions->free_head = index;
    sessions->used--;
}

/* Whether one more of the role leaves what is kept for it and for each higher one as it must be. */
static bool has_place(const struct serin_sessions *sessions, enum serin_role role)
{
    uint32_t taken = 0;
    for (int i = SERIN_ROLE_DEVICE; i <= SERIN_ROLE_SERIND; i++) {
        taken += sessions->places[i];
        if (i >= (int)role && taken >= sessions->limits[i]) {
            return false;
        }
    }
    return true;
}

/* Frees the place of one kept session of the role or a lower one; the hand goes round, so each is
 * spared as long as the others. Where there is none, it is not looked for: a full table must not
 * cost a walk for each device that finds no place. */
static bool evict_one(struct serin_sessions *sessions, enum serin_role role)
{
    uint32_t kept = 0;
    for (int i = SERIN_ROLE_DEVICE; i <= (int)role; i++) {
        kept += sessions->kept[i];
    }
    for (uint32_t i = 0; kept > 0 && i < sessions->capacity; i++) {
        uint32_t index = sessions->evict_hand;
        sessions->evict_hand = (index + 1) % sessions->capacity;
        if (index < sessions->touched && sessions->slots[index].state == SERIN_SESSION_KEPT &&
            sessions->slots[index].role <= role) {
            step(sessions, &sessions->slots[index], SERIN_SESSION_EVICT);
            forget(sessions, index);
            return true;
        }
    }
    return false;
}

/* A free slot, of which there is one: that was given back, or that was never used. */
static uint32_t take_slot(struct serin_sessions *sessions)
{
    if (sessions->free_head == SERIN_SESSION_NONE) {
        SERIN_ASSERT(sessions->touched < sessions->capacity);
        return sessions->touched++;
    }
    uint32_t index = sessions->free_head;
    sessions->free_head = sessions->slots[index].hash_next;
    return index;
}

static uint32_t add(struct serin_sessions *sessions, const char *id, enum serin_role role)
{
    if (!has_place(sessions, role) && !evict_one(sessions, role)) {
        return SERIN_SESSION_NONE;
    }
    uint32_t index = take_slot(sessions);
    struct serin_session *session = &sessions->slots[index];
    uint32_t *head = &sessions->heads[hash_of(id) % sessions->capacity];
    *session = (struct serin_session){.hash_next = *head, .role = role};
    sessions->places[role]++;
    size_t length = strlen(id);
    SERIN_ASSERT(length <= SERIN_ID_MAX);
    memcpy(session->id, id, length + 1);
    *head = index;
    sessions->used++;
    return index;
}

/* Counts a session as one of another role, if that leaves the places as they must be. */
static bool move_place(struct serin_sessions *sessions, enum serin_role from, enum serin_role to)
{
    sessions->places[from]--;
    bool fits = has_place(sessions, to);
    sessions->places[fits ? to : from]++;
    return fits;
}

enum serin_error serin_sessions_join(struct serin_sessions *sessions, const char *id,
                                     enum serin_role role, const void *connection, uint32_t *index)
{
    SERIN_ASSERT(role != SERIN_ROLE_INVALID && connection != NULL);
    uint32_t found = serin_sessions_find(sessions, id);
    if (found == SERIN_SESSION_NONE) {
        found = add(sessions, id, role);
    }
    if (found == SERIN_SESSION_NONE) {
        return SERIN_ERR_NO_SPACE;
    }
    struct serin_session *session = &sessions->slots[found];
    if (session->credit.token != 0) {
        return SERIN_ERR_STATE;
    }
    if (session->role != role && !move_place(sessions, session->role, role)) {
        return SERIN_ERR_NO_SPACE;
    }
    step(sessions, session, SERIN_SESSION_JOIN);
    session->role = role;
    session->connection = connection;
    *index = found;
    return SERIN_OK;
}

bool serin_sessions_announce(struct serin_sessions *sessions, uint32_t index)
{
    SERIN_ASSERT(index < sessions->capacity);
    struct serin_session *session = &sessions->slots[index];
    bool first = session->state == SERIN_SESSION_JOINED;
    step(sessions, session, SERIN_SESSION_ANNOUNCE);
    return first;
}

static bool connected(const struct serin_session *session)
{
    return session->state == SERIN_SESSION_JOINED || session->state == SERIN_SESSION_ONLINE;
}

bool serin_sessions_leave(struct serin_sessions *sessions, const char *id, const void *connection,
                          bool keep)
{
    uint32_t index = serin_sessions_find(sessions, id);
    if (index == SERIN_SESSION_NONE) {
        return false;
    }
    struct serin_session *session = &sessions->slots[index];
    if (!connected(session) || session->connection != connection) {
        return false;
    }
    SERIN_ASSERT(session->credit.token == 0);
    bool told = session->state == SERIN_SESSION_ONLINE;
    step(sessions, session, keep ? SERIN_SESSION_KEEP : SERIN_SESSION_DROP);
    if (session->state == SERIN_SESSION_ABSENT) {
        forget(sessions, index);
    }
    return told;
}

bool serin_sessions_connected(const struct serin_sessions *sessions, const char *id)
{
    uint32_t index = serin_sessions_find(sessions, id);
    return index != SERIN_SESSION_NONE && connected(&sessions->slots[index]);
}
