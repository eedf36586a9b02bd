/*
 * The identities that the broker knows at present (docs/broker-plugin.md, sections 1 and 5). Pure;
 * works in memory that the caller gives.
 *
 * A session belongs to an id. Its connection is named by the broker's client pointer, because on a
 * takeover two connections of one id exist at a time and their events interleave: what does not
 * come from the session's connection cannot end it.
 *
 *            JOIN            ANNOUNCE            DROP
 *   absent ───────▶ joined ──────────▶ online ─────────▶ absent
 *                     │                  │  KEEP
 *                     │                  └─────────────▶ kept ── EVICT ──▶ absent
 *                     └─ DROP, KEEP ──▶ absent, kept       └─── JOIN ────▶ joined
 *
 * `kept` remembers the role of an id whose persistent session waits in the broker: messages are
 * queued for it while there is no certificate to look at.
 *
 * Places belong to roles, so that a fleet as large as the table cannot lock out who must be able to
 * halt it: devices find no place in what is kept for gateways and serind, gateways none in what is
 * kept for serind, and a kept session makes room for its own role or a higher one alone.
 */
#ifndef SERIN_PLUGIN_SESSION_H
#define SERIN_PLUGIN_SESSION_H

#include <serin/credit.h>

enum serin_session_state {
    SERIN_SESSION_ABSENT,
    SERIN_SESSION_JOINED, /* connected, nothing told about it */
    SERIN_SESSION_ONLINE, /* connected, and its presence is told */
    SERIN_SESSION_KEPT,   /* not connected; its queue is kept by the broker */
    SERIN_SESSION_STATE_COUNT
};

enum serin_session_event {
    SERIN_SESSION_JOIN,     /* a connection with a certificate acts for the first time */
    SERIN_SESSION_ANNOUNCE, /* it subscribes */
    SERIN_SESSION_DROP,     /* it ends, and the broker keeps nothing */
    SERIN_SESSION_KEEP,     /* it ends, and the broker keeps its queue */
    SERIN_SESSION_EVICT,    /* its place is needed */
    SERIN_SESSION_EVENT_COUNT
};

/* What the table says; ABSENT → ABSENT for what is not listed, with `listed` false. */
struct serin_session_step {
    bool listed;
    enum serin_session_state next;
};
struct serin_session_step serin_session_table(enum serin_session_state state,
                                              enum serin_session_event event);

/* Tokens that come back with time. */
struct serin_bucket {
    uint64_t filled_ms;
    uint32_t tokens_milli; /* thousandths of a token */
};

/* Takes one token from a bucket that gets `rate_per_s` of them back, up to `burst`. False: it is
 * empty. A fresh bucket (all zero) is full. A clock that ran backwards fills nothing. */
bool serin_bucket_take(struct serin_bucket *bucket, uint32_t rate_per_s, uint32_t burst,
                       uint64_t now_ms);

#define SERIN_SESSION_NONE UINT32_MAX

struct serin_session {
    enum serin_session_state state; /* changed by this module alone */
    enum serin_role role;
    char id[SERIN_ID_MAX + 1];
    const void *connection; /* compared, never followed */
    struct serin_credit credit;
    struct serin_bucket gets;
    struct serin_bucket messages; /* reports and beats */
    struct serin_bucket refusals;
    uint32_t hash_next;
    uint32_t flight_previous, flight_next; /* of the supply's list */
};

#define SERIN_SESSION_ROLES (SERIN_ROLE_SERIND + 1)

/* How many places there are. Of a role there may be more than are kept for it, as long as those of
 * lower roles leave room. */
struct serin_session_places {
    uint32_t any;     /* for all roles */
    uint32_t gateway; /* kept for gateways and serind */
    uint32_t serind;  /* kept for serind */
};

struct serin_sessions {
    struct serin_session *slots;
    uint32_t *heads;
    uint32_t capacity;                    /* of all places */
    uint32_t limits[SERIN_SESSION_ROLES]; /* most sessions of a role and all lower ones together */
    uint32_t places[SERIN_SESSION_ROLES]; /* sessions by role, in any state but ABSENT */
    uint32_t kept[SERIN_SESSION_ROLES];   /* those of them that are KEPT */
    uint32_t free_head;
    uint32_t
        touched; /* slots from here on were never used: a large table costs memory as it fills */
    uint32_t evict_hand;
    uint32_t used;
};

/* `slots` and `heads` hold one element for each place (≥ 1 in all) and live as long as `sessions`;
 * their content does not matter. */
void serin_sessions_init(struct serin_sessions *sessions, struct serin_session *slots,
                         uint32_t *heads, const struct serin_session_places *places);

/* The session of an id in any state but ABSENT, or SERIN_SESSION_NONE. */
uint32_t serin_sessions_find(const struct serin_sessions *sessions, const char *id);

/* JOIN: makes `connection` the one of the id's session, in `role`, with fresh credit. A kept
 * session of the role or a lower one gives up its place when there is no free one.
 * SERIN_ERR_NO_SPACE: all places of the role are connected. SERIN_ERR_STATE: the id is there with a
 * window in flight that the supply has not released (call serin_supply_release first). */
SERIN_MUST_USE enum serin_error serin_sessions_join(struct serin_sessions *sessions, const char *id,
                                                    enum serin_role role, const void *connection,
                                                    uint32_t *index);

/* ANNOUNCE. True: presence is to be told now, for the first time. */
bool serin_sessions_announce(struct serin_sessions *sessions, uint32_t index);

/* The end of a connection. True: absence is to be told now. False also where the connection is not
 * that of the id's session (it was taken over) or nothing was told. The supply must have been
 * released. */
bool serin_sessions_leave(struct serin_sessions *sessions, const char *id, const void *connection,
                          bool keep);

/* Whether the id is connected and this is known. */
bool serin_sessions_connected(const struct serin_sessions *sessions, const char *id);

#endif
