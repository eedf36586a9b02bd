/* The account of what is in flight. Every change of a session's credit goes through book(), so that
 * the sum and the list of windows always agree with it. */
#include <serin/plugin/supply.h>

#include <serin/assert.h>

void serin_supply_init(struct serin_supply *supply, struct serin_sessions *sessions,
                       const struct serin_supply_limits *limits)
{
    SERIN_ASSERT(limits->total_bytes_max >= limits->credit.window_bytes_max);
    SERIN_ASSERT(limits->gets_per_s > 0 && limits->gets_burst > 0);
    *supply = (struct serin_supply){.limits = *limits,
                                    .sessions = sessions,
                                    .oldest = SERIN_SESSION_NONE,
                                    .newest = SERIN_SESSION_NONE};
}

static struct serin_session *session_at(const struct serin_supply *supply, uint32_t index)
{
    SERIN_ASSERT(index < supply->sessions->capacity);
    struct serin_session *session = &supply->sessions->slots[index];
    SERIN_ASSERT(session->state != SERIN_SESSION_ABSENT);
    return session;
}

static void take_out(struct serin_supply *supply, const struct serin_session *session)
{
    struct serin_session *slots = supply->sessions->slots;
    if (session->flight_previous == SERIN_SESSION_NONE) {
        supply->oldest = session->flight_next;
    } else {
        slots[session->flight_previous].flight_next = session->flight_next;
    }
    if (session->flight_next == SERIN_SESSION_NONE) {
        supply->newest = session->flight_previous;
    } else {
        slots[session->flight_next].flight_previous = session->flight_previous;
    }
}

static void append(struct serin_supply *supply, uint32_t index)
{
    struct serin_session *session = &supply->sessions->slots[index];
    session->flight_previous = supply->newest;
    session->flight_next = SERIN_SESSION_NONE;
    if (supply->newest == SERIN_SESSION_NONE) {
        supply->oldest = index;
    } else {
        supply->sessions->slots[supply->newest].flight_next = index;
    }
    supply->newest = index;
}

/* Replaces a session's credit. */
static void book(struct serin_supply *supply, uint32_t index, struct serin_credit credit)
{
    struct serin_session *session = &supply->sessions->slots[index];
    if (session->credit.token != 0) {
        SERIN_ASSERT(supply->in_flight_bytes >= session->credit.in_flight);
        supply->in_flight_bytes -= session->credit.in_flight;
        take_out(supply, session);
    }
    session->credit = credit;
    if (credit.token != 0) {
        supply->in_flight_bytes += credit.in_flight;
        append(supply, index);
    }
}

enum serin_admission serin_supply_admit(struct serin_supply *supply, uint32_t session,
                                        uint64_t now_ms)
{
    struct serin_session *client = session_at(supply, session);
    if (serin_bucket_take(&client->gets, supply->limits.gets_per_s, supply->limits.gets_burst,
                          now_ms)) {
        return SERIN_ADMIT;
    }
    return serin_bucket_take(&client->refusals, 1, 1, now_ms) ? SERIN_ADMIT_BUSY : SERIN_ADMIT_DROP;
}

void serin_supply_settle(struct serin_supply *supply, uint32_t session, uint32_t done_token)
{
    struct serin_credit credit = session_at(supply, session)->credit;
    uint32_t token = credit.token;
    serin_credit_settle(&credit, done_token);
    if (credit.token != token) {
        book(supply, session, credit);
    }
}

/* Whether the sum leaves no room for one block of the request. */
static bool is_full(const struct serin_supply *supply, const struct serin_get *get)
{
    uint64_t room = supply->limits.total_bytes_max - supply->in_flight_bytes;
    return room < get->length && room < get->block_size;
}

bool serin_supply_ready(struct serin_supply *supply, uint32_t session, const struct serin_get *get,
                        uint64_t now_ms)
{
    serin_supply_expire(supply, now_ms);
    /* A repeated token is told so before its done_token can end its own window. */
    if (get->token != session_at(supply, session)->credit.token) {
        serin_supply_settle(supply, session, get->done_token);
    }
    return session_at(supply, session)->credit.token == 0 && !is_full(supply, get);
}

struct serin_grant serin_supply_grant(struct serin_supply *supply, uint32_t session,
                                      const struct serin_get *get, uint32_t object_size,
                                      uint64_t now_ms)
{
    (void)serin_supply_ready(supply, session, get, now_ms);
    uint64_t room = supply->limits.total_bytes_max - supply->in_flight_bytes;
    struct serin_get clipped = *get;
    bool full = is_full(supply, get);
    if (!full && room < get->length) {
        clipped.length = (uint32_t)room;
    }
    struct serin_credit credit = session_at(supply, session)->credit;
    uint32_t token = credit.token;
    struct serin_grant grant =
        serin_credit_request(&credit, &supply->limits.credit, &clipped, object_size, now_ms);
    if (grant.status == SERIN_BLOCK_DATA && full) {
        grant = (struct serin_grant){.status = SERIN_BLOCK_BUSY};
    } else if (credit.token != token) {
        book(supply, session, credit);
    }
    if (grant.status == SERIN_BLOCK_BUSY) {
        grant.retry_ms = serin_supply_retry_ms(supply, session);
    }
    return grant;
}

void serin_supply_release(struct serin_supply *supply, uint32_t session)
{
    if (session_at(supply, session)->credit.token != 0) {
        book(supply, session, (struct serin_credit){0});
    }
}

void serin_supply_expire(struct serin_supply *supply, uint64_t now_ms)
{
    /* All windows have the same patience, so the oldest goes first; each turn takes one out. */
    while (supply->oldest != SERIN_SESSION_NONE) {
        const struct serin_credit *credit = &supply->sessions->slots[supply->oldest].credit;
        if (now_ms < credit->started_ms ||
            now_ms - credit->started_ms < supply->limits.credit.forget_ms) {
            return;
        }
        book(supply, supply->oldest, (struct serin_credit){0});
    }
}

uint32_t serin_supply_retry_ms(const struct serin_supply *supply, uint32_t session)
{
    uint32_t base = supply->limits.credit.retry_ms;
    uint32_t spread = 0;
    for (const char *c = session_at(supply, session)->id; *c != '\0'; c++) {
        spread = spread * 31u + (uint8_t)*c;
    }
    return base + spread % (base + 1);
}
