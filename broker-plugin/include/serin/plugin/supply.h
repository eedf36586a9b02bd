/*
 * How much goes out to whom (docs/broker-plugin.md, section 4; design decision 17): one window in
 * flight per client, a bound on all windows together, and a rate of requests per client. Pure; time
 * is passed in, monotonic.
 *
 * The bound on the sum keeps the broker's memory bounded: what is in flight stands in its queues.
 */
#ifndef SERIN_PLUGIN_SUPPLY_H
#define SERIN_PLUGIN_SUPPLY_H

#include <serin/plugin/session.h>

struct serin_supply_limits {
    struct serin_credit_limits credit; /* per client */
    uint64_t total_bytes_max;          /* over all clients; ≥ credit.window_bytes_max */
    uint32_t gets_per_s;               /* per client, ≥ 1 */
    uint32_t gets_burst;               /* per client, ≥ 1 */
};

struct serin_supply {
    struct serin_supply_limits limits;
    struct serin_sessions *sessions;
    uint64_t in_flight_bytes;
    uint32_t oldest, newest; /* windows in flight, in the order of their start */
};

/* `sessions` must outlive `supply`. Programmer error: limits outside their ranges. */
void serin_supply_init(struct serin_supply *supply, struct serin_sessions *sessions,
                       const struct serin_supply_limits *limits);

enum serin_admission {
    SERIN_ADMIT = 1,
    SERIN_ADMIT_BUSY, /* over its rate: tell it once a second to come later */
    SERIN_ADMIT_DROP  /* over its rate and told: an answer would only feed the flood */
};

/* Before anything is done for a request: whether its client is within its rate. */
enum serin_admission serin_supply_admit(struct serin_supply *supply, uint32_t session,
                                        uint64_t now_ms);

/* The request is admitted, but its object cannot be served: it still acknowledges the last window.
 */
void serin_supply_settle(struct serin_supply *supply, uint32_t session, uint32_t done_token);

/* Whether a request could have a window now, or may wait for one: the last window of its client has
 * ended, by the request's done_token or by its age, and there is room for a block. False: answer
 * BUSY. The request has acknowledged the last window either way, as with serin_supply_grant. */
bool serin_supply_ready(struct serin_supply *supply, uint32_t session, const struct serin_get *get,
                        uint64_t now_ms);

/* Decides on an admitted request for an object of `object_size` bytes: serin_credit_request, and
 * BUSY as well when the sum leaves no room for one block of it. On DATA the window is booked: send
 * it. */
struct serin_grant serin_supply_grant(struct serin_supply *supply, uint32_t session,
                                      const struct serin_get *get, uint32_t object_size,
                                      uint64_t now_ms);

/* The window could not be sent, or its client is gone: nothing of it is in flight any more. */
void serin_supply_release(struct serin_supply *supply, uint32_t session);

/* Releases windows that were not acknowledged in time. Call it now and then. */
void serin_supply_expire(struct serin_supply *supply, uint64_t now_ms);

/* retry_ms of an answer to the client: base to twice the base, fixed per id, so that a herd
 * spreads. */
uint32_t serin_supply_retry_ms(const struct serin_supply *supply, uint32_t session);

#endif
