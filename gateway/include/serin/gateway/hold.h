/*
 * Signed time, leases, and the site's own halt (docs/spec/site.md, section 6): when a product is
 * held, and what hold/<product> says.
 *
 * Pure: time is passed in as milliseconds of CLOCK_BOOTTIME; the wall clock is never asked. All of
 * it is one value that the caller owns; it is for one thread.
 *
 *            leased            a product's state. LEASED, EXPIRED and EXCEEDED are what is so at a
 *   LEASE ◀─────────▶ OPEN     step; RELIEVED is what a directive of higher order does to a site
 *     ▲    expired     │       that halted itself. A site's halt ends in no other way: no time that
 *     │ relieved       │       passes, and no node that goes, makes a bad image good.
 *     └──── SITE ◀─────┘
 *             exceeded
 */
#ifndef SERIN_GATEWAY_HOLD_H
#define SERIN_GATEWAY_HOLD_H

#include <serin/directive.h>
#include <serin/site.h>

#define SERIN_HOLD_EVERY_MS 60000u /* hold/<product> is published at least so often */

enum serin_hold_state {
    SERIN_HOLD_INVALID = 0,
    SERIN_HOLD_OPEN = 1,  /* trials may start */
    SERIN_HOLD_LEASE = 2, /* no directive of the product is within its lease */
    SERIN_HOLD_SITE = 3,  /* the site halted itself */
    SERIN_HOLD_STATE_COUNT
};

enum serin_hold_input {
    SERIN_HOLD_INPUT_INVALID = 0,
    SERIN_HOLD_LEASED = 1,   /* a directive is within its lease */
    SERIN_HOLD_EXPIRED = 2,  /* none is */
    SERIN_HOLD_EXCEEDED = 3, /* a candidate failed at more nodes than its directive allows */
    SERIN_HOLD_RELIEVED = 4, /* a directive of higher order took the cause away */
    SERIN_HOLD_INPUT_COUNT
};

/* What follows on `state`; INVALID: nothing, the state stays. */
enum serin_hold_state serin_hold_next(enum serin_hold_state state, enum serin_hold_input input);

/* A product and channel that the gateway serves. */
struct serin_hold_fleet {
    char product[SERIN_PRODUCT_MAX + 1];
    char channel[SERIN_CHANNEL_MAX + 1];
    bool known;                      /* a directive is held */
    struct serin_order order;        /* its own */
    uint64_t lease_end_s;            /* signed time; 0: over (or heard in another boot) */
    struct serin_release candidate;  /* of a candidate that is not halted; else without offers */
    uint32_t failures, failures_max; /* nodes that failed it; the limit, 0: none */
    bool halted;                     /* by the site */
};

struct serin_hold_product {
    char name[SERIN_PRODUCT_MAX + 1];
    enum serin_hold_state state;
    uint64_t targeted_end_s; /* the longest lease of directives to single devices */
    uint64_t since_s;        /* signed time at which it became held; 0: not known, or open */
    bool owed;               /* hold/<product> is to be published */
    uint64_t told_end_s;     /* the lease as it was published last */
    uint64_t told_ms;        /* when that was */
};

/* Open for reading; changed by the functions below alone. */
struct serin_hold_book {
    uint64_t signed_s, signed_at_ms; /* signed time, and when it was so; 0: none was heard */
    size_t fleet_count, product_count;
    struct serin_hold_fleet fleets[SERIN_GW_FLEETS_MAX];
    struct serin_hold_product products[SERIN_GW_FLEETS_MAX];
};

enum serin_hold_event_kind {
    SERIN_HOLD_EVENT_INVALID = 0,
    SERIN_HOLD_DIRECTIVE = 1, /* one is held: told anew as often as one likes */
    SERIN_HOLD_FAILURES = 2,  /* the nodes that failed a fleet's candidate were counted again */
    SERIN_HOLD_TIME = 3,      /* time passes */
    SERIN_HOLD_CONNECTED = 4, /* the site's broker is there (again): everything is published */
    SERIN_HOLD_EVENT_COUNT
};

struct serin_hold_event {
    enum serin_hold_event_kind kind;
    /* DIRECTIVE: verified. Of a channel that is not served only its time counts. */
    const struct serin_directive *directive;
    bool this_boot;    /* heard in this boot of the machine: only then its lease runs */
    uint64_t taken_ms; /* when it was heard, where this_boot */
    size_t fleet;      /* FAILURES: index into fleets */
    /* DIRECTIVE of a channel, FAILURES: nodes that failed its candidate. */
    uint32_t failures;
};

/* Every product starts held, for want of a lease. 1 .. SERIN_GW_FLEETS_MAX fleets, by
 * serin_hold_serve; `book` may hold anything before. */
void serin_hold_init(struct serin_hold_book *book);
/* Adds a fleet. SERIN_ERR_TOO_LARGE, SERIN_ERR_EXISTS, SERIN_ERR_INVALID (a name). */
SERIN_MUST_USE enum serin_error serin_hold_serve(struct serin_hold_book *book, const char *product,
                                                 const char *channel);

/* Signed time as it was known at `at_ms`: later times than what follows from the book raise it. */
void serin_hold_heard(struct serin_hold_book *book, uint64_t signed_s, uint64_t at_ms);
/* The largest signed time plus monotonic time since, at most SERIN_TIME_MAX_S; 0: none. */
uint64_t serin_hold_now_s(const struct serin_hold_book *book, uint64_t now_ms);

/* The one way in: takes the event, brings every product's state up to now, and marks what is owed.
 */
void serin_hold_step(struct serin_hold_book *book, uint64_t now_ms,
                     const struct serin_hold_event *event);

/* What hold/<product> says now. */
void serin_hold_value(const struct serin_hold_book *book, uint64_t now_ms, size_t product,
                      struct serin_hold *out);
/* It was handed to the broker: owed again at a change, or after SERIN_HOLD_EVERY_MS. */
void serin_hold_told(struct serin_hold_book *book, uint64_t now_ms, size_t product);
/* When to step next for time alone; what is owed already has no deadline. */
uint64_t serin_hold_deadline_ms(const struct serin_hold_book *book);

/* The index of a fleet, or fleet_count. */
size_t serin_hold_find(const struct serin_hold_book *book, const char *product,
                       const char *channel);
/* Fills in what the status says of a fleet but for its names and order. */
void serin_hold_status(const struct serin_hold_book *book, uint64_t now_ms, size_t fleet,
                       struct serin_gw_fleet *out);

/* Whether an attempt is one at `release`: one of its manifests, its number. */
bool serin_hold_same_attempt(const struct serin_release *release,
                             const uint8_t manifest_id[SERIN_SHA256_SIZE], uint32_t attempt);

#endif
