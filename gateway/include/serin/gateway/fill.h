/*
 * The planner of a site's fill (docs/spec/site.md, section 2): which bytes are asked for upstream
 * and when, and what becomes of those that arrive. Each byte crosses the uplink once, whoever asks,
 * in whatever order.
 *
 *   want ─▶ describe ─▶ ┌───────┐ checked ┌───────┐ complete ┌────────┐ finish ─▶ have WHOLE
 *                       │ CHECK ├────────▶│ FETCH ├─────────▶│ FINISH │
 *                       └───▲───┘         └──┬────┘          └──┬─────┘
 *                           └── harmed ──────┴───────────────────┘
 *
 * CHECK hashes what a part file holds already, a few pieces a step. FETCH asks for what is missing:
 * manifests, then what an emergency needs, then tables, then what nodes ask for, the objects by
 * turns and each in the order of asking, then the rest of what was begun. One window is under way
 * at a time, over all objects. A block may be of any size and may
 * span pieces; what arrived of a piece is kept over a lost connection and over a lost window, and
 * late blocks of a window that was given up are still used.
 *
 * Pure: the depot, the wire and the policy are behind an ops table; time (milliseconds, monotonic)
 * is passed in; all memory is the caller's. Callbacks must not call back into the planner. After
 * each event call serin_fill_poll.
 */
#ifndef SERIN_GATEWAY_FILL_H
#define SERIN_GATEWAY_FILL_H

#include <serin/crypto.h>
#include <serin/piece.h>
#include <serin/site.h>

#define SERIN_FILL_OBJECTS    16u /* filled at a time */
#define SERIN_FILL_PIECES_MAX (SERIN_SITE_OBJECT_MAX / SERIN_PIECE_SIZE)
#define SERIN_FILL_WORDS      (SERIN_FILL_PIECES_MAX / 64u)

#define SERIN_FILL_WINDOW_MAX 262144u /* bytes; the least is a piece */
#define SERIN_FILL_BLOCK_MAX  16384u  /* bytes of a block that is asked for */

enum serin_fill_kind {
    SERIN_FILL_MANIFEST = 1, /* named by its body; its size becomes known with the first block */
    SERIN_FILL_WHOLE,        /* a table: verified as a whole; the size may be unknown */
    SERIN_FILL_PIECES        /* verified piece by piece against a piece table */
};

enum serin_fill_answer {
    SERIN_FILL_ABSENT = 1, /* it is not to be had: tell nodes `status`, `retry_ms` */
    SERIN_FILL_STORED,     /* it stands whole in the depot */
    SERIN_FILL_HELD,       /* it is whole and verified in memory, as the disk has no room for it */
    SERIN_FILL_NEEDS,      /* another object comes first: what names or proves this one */
    SERIN_FILL_CROWDED,    /* to be fetched, but there is no memory beside the tables of others */
    SERIN_FILL_FETCH       /* fetch it */
};

struct serin_fill_description {
    enum serin_fill_answer answer;
    enum serin_block_status status; /* ABSENT: BUSY, NOT_FOUND or REFUSED */
    uint32_t retry_ms;              /* ABSENT: 0 .. 3,600,000 */
    uint8_t needs[SERIN_SHA256_SIZE];
    const uint8_t *data;       /* HELD: `size` bytes, until the callback's caller returns */
    uint32_t size;             /* STORED, HELD, FETCH: bytes; 0 of a MANIFEST or WHOLE: unknown */
    enum serin_fill_kind kind; /* FETCH; CROWDED: PIECES */
    const uint8_t *table;      /* PIECES: the verified piece table; valid until `release` */
    bool emergency;            /* FETCH, CROWDED: hours do not hold it back */
};

struct serin_fill_ops {
    /* What is known of an object. Always answers. Each FETCH of PIECES is followed by one release
     * when the planner is done with the object; describing it again before that changes nothing.
     * After CROWDED the planner releases others, as far as it may, and describes again. */
    void (*describe)(void *ctx, const uint8_t object[SERIN_SHA256_SIZE],
                     struct serin_fill_description *out);
    void (*release)(void *ctx, const uint8_t object[SERIN_SHA256_SIZE]);

    /* PIECES: makes its part file, and room for the rest of it. SERIN_ERR_NO_SPACE: what a part
     * file holds already can be loaded all the same; other pieces are handed on without being
     * stored, and it is tried again each minute. SERIN_ERR_IO: tried again soon. */
    enum serin_error (*open)(void *ctx, const uint8_t object[SERIN_SHA256_SIZE], uint32_t size);
    /* Reads from the part file. Any error: the piece counts as missing. */
    enum serin_error (*load)(void *ctx, const uint8_t object[SERIN_SHA256_SIZE], uint32_t offset,
                             void *out, size_t size);
    /* Stores a verified piece. SERIN_ERR_NO_SPACE as above; any other error: the part file is
     * opened and checked anew. */
    enum serin_error (*store)(void *ctx, const uint8_t object[SERIN_SHA256_SIZE], uint32_t offset,
                              const void *data, size_t size);
    /* Takes a MANIFEST or WHOLE whose digest holds. SERIN_ERR_NO_SPACE: not stored, but describe
     * answers HELD if it can. SERIN_ERR_IO: fetched again later. Any other error: it is not what it
     * should be (a manifest's signature), as if its digest were wrong. */
    enum serin_error (*keep)(void *ctx, const uint8_t object[SERIN_SHA256_SIZE],
                             enum serin_fill_kind kind, const uint8_t *data, size_t size);
    /* PIECES: all are there. SERIN_ERR_DIGEST: they are checked anew. Others: tried again later. */
    enum serin_error (*finish)(void *ctx, const uint8_t object[SERIN_SHA256_SIZE]);

    /* Tells the plugin. SERIN_ERR_AGAIN: not now; PART is then told later, others are lost. */
    enum serin_error (*have)(void *ctx, const struct serin_have *have);
    /* Asks upstream. SERIN_ERR_AGAIN: not now. */
    enum serin_error (*get)(void *ctx, const struct serin_get *get);
    /* How many bytes of such an object may be asked for now; 0: none, and *again_ms is when to look
     * again (it comes in as the far future). */
    uint32_t (*allowance)(void *ctx, enum serin_fill_kind kind, bool emergency, uint64_t *again_ms);
};

struct serin_fill_config {
    const struct serin_fill_ops *ops;
    void *ctx;
    const struct serin_crypto *crypto;
    uint8_t *whole; /* SERIN_SITE_WHOLE_MAX bytes: tables are put together here */
    uint32_t seed;  /* random: the first token, and jitter */
};

/* All only grow. */
struct serin_fill_counts {
    uint64_t fetched_bytes;   /* block payload that arrived */
    uint64_t refetched_bytes; /* of it: was of no use, so that it has to come, or came, again */
    uint32_t wrong;           /* pieces and whole objects whose digest did not hold */
    uint32_t rotten;          /* pieces of part files that no longer verified */
};

/* ---- the rest of this file is the planner's own ---- */

enum serin_fill_state {
    SERIN_FILL_STATE_FREE,
    SERIN_FILL_STATE_CHECK,
    SERIN_FILL_STATE_FETCH,
    SERIN_FILL_STATE_FINISH,
    SERIN_FILL_STATE_COUNT
};

#define SERIN_FILL_BAD     8u   /* pieces of an object that came wrong and wait */
#define SERIN_FILL_DEMANDS 256u /* ranges of pieces whose order of asking is remembered */
#define SERIN_FILL_STUBS   4u   /* pieces that have arrived in part */
#define SERIN_FILL_TOKENS  4u   /* windows whose late blocks are still taken */

struct serin_fill_bad {
    uint32_t piece, count; /* count 0: the place is free */
    uint64_t due_ms;
};

struct serin_fill_object {
    enum serin_fill_state state;
    uint32_t generation; /* of the place: tells its users apart */
    uint8_t name[SERIN_SHA256_SIZE];
    enum serin_fill_kind kind;
    uint32_t size;        /* 0: unknown */
    bool sized;           /* the size is the description's, not upstream's word */
    uint32_t piece_count; /* PIECES */
    const uint8_t *table;
    bool emergency;
    bool opened, checked; /* PIECES: the part file was opened; it was looked through, with room */
    bool through;         /* no room: pieces are handed on */
    uint64_t room_ms;     /* through: when to look for room again */
    uint64_t begun, turn; /* the planner's counts: when it was begun, and asked for last */
    uint64_t due_ms;      /* nothing is asked for before, nor opened */
    uint64_t finish_ms;   /* nor finished before */
    uint64_t asked_ms;    /* when a node asked last */
    uint32_t misses, refusals, wrong_row, unfinished;
    struct serin_fill_bad bad[SERIN_FILL_BAD];
    uint32_t cursor; /* CHECK: the next piece */
    uint32_t have_count, demand_count;
    /* What the plugin does not know yet lies within these pieces. */
    uint32_t untold_from, untold_to, untold_bytes;
    uint64_t tell_ms; /* UINT64_MAX: nothing to tell */
    bool tell_fresh;
    uint64_t have[SERIN_FILL_WORDS], demand[SERIN_FILL_WORDS], told[SERIN_FILL_WORDS];
};

struct serin_fill_demand {
    uint32_t place, generation;
    uint32_t from, to; /* pieces, to exclusive */
};

struct serin_fill_token {
    uint32_t token; /* 0: none */
    uint32_t place, generation;
    uint32_t start, end; /* bytes asked for */
};

struct serin_fill_stub {
    bool used;
    uint32_t place, generation, piece;
    uint32_t filled; /* bytes from the piece's start */
    uint64_t turn;
    uint8_t data[SERIN_PIECE_SIZE];
};

/* Whose bytes lie in a buffer in which objects are put together, and how many from the start. */
struct serin_fill_owner {
    uint32_t place, generation, filled;
};

struct serin_fill_window {
    bool in_flight;
    bool granted;        /* the last request may have opened a window: the next one ends it */
    bool tail;           /* its last block is here */
    uint32_t token;      /* of the last request */
    uint32_t done_token; /* to name while nothing was granted */
    uint32_t place, generation;
    uint32_t start, end, received;
    uint64_t sent_ms, heard_ms, timeout_ms;
};

struct serin_fill {
    struct serin_fill_config config;
    struct serin_fill_counts counts;
    bool connected;
    uint32_t random;
    uint64_t turn;        /* counts begun objects, requests and stubs */
    uint64_t due_ms;      /* nothing is asked for before: BUSY, or no room in the client */
    uint64_t next_ms;     /* when to poll again */
    uint32_t silences;    /* windows in a row of which nothing came */
    uint64_t bytes_per_s; /* of the link, as measured; 0: not yet */
    struct serin_fill_window window;
    struct serin_fill_token tokens[SERIN_FILL_TOKENS];
    size_t token_next;
    struct serin_fill_stub stubs[SERIN_FILL_STUBS];
    /* Manifests have a buffer of their own, so that a bad one never costs a table its bytes. */
    struct serin_fill_owner manifest_owner, whole_owner; /* the latter of config.whole */
    uint8_t manifest[SERIN_MANIFEST_MAX];
    size_t demand_size;
    struct serin_fill_demand demands[SERIN_FILL_DEMANDS]; /* in the order of asking */
    struct serin_fill_object objects[SERIN_FILL_OBJECTS];
};

/* ---- what others call ---- */

/* `fill` need not be initialised. Programmer error: a callback is missing. */
void serin_fill_init(struct serin_fill *fill, const struct serin_fill_config *config);
/* Releases every object. What arrived of a piece is lost, whole pieces are not. */
void serin_fill_end(struct serin_fill *fill);

/* The plugin's want. SERVED is ignored; ROTTEN of an object that is not being filled as well
 * (serin_fill_active tells). */
void serin_fill_want(struct serin_fill *fill, const struct serin_want *want, uint64_t now_ms);
/* Begins an object that nobody has asked for yet. SERIN_ERR_BUSY: too many are being filled; a
 * manifest, or what is an emergency's, takes the place of one that nodes do not wait for and that
 * is neither. SERIN_ERR_DENIED: it is not to be had, or not beside the tables of others. */
SERIN_MUST_USE enum serin_error
serin_fill_begin(struct serin_fill *fill, const uint8_t object[SERIN_SHA256_SIZE], uint64_t now_ms);
/* A block from upstream, decoded. Hostile blocks cost their bytes and nothing else. */
void serin_fill_block(struct serin_fill *fill, const struct serin_block *block, uint64_t now_ms);
/* The connection upstream. */
void serin_fill_connected(struct serin_fill *fill, bool connected, uint64_t now_ms);
/* The plugin has forgotten: every part file is told anew. */
void serin_fill_tell_all(struct serin_fill *fill, uint64_t now_ms);
/* Directives changed: every object is described again. */
void serin_fill_review(struct serin_fill *fill, uint64_t now_ms);
/* Does what is due, in bounded steps. */
void serin_fill_poll(struct serin_fill *fill, uint64_t now_ms);
/* When to poll again; UINT64_MAX: only after the next event. */
uint64_t serin_fill_deadline_ms(const struct serin_fill *fill);

/* Whether the object is being filled. */
bool serin_fill_active(const struct serin_fill *fill, const uint8_t object[SERIN_SHA256_SIZE]);
/* How many are, and whether any of them passes through. */
uint32_t serin_fill_count(const struct serin_fill *fill, bool *pass_through);

#endif
