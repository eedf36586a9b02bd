/*
 * What a run of the load tool measures.
 */
#ifndef SERIN_LOAD_FIGURES_H
#define SERIN_LOAD_FIGURES_H

#include <serin/states.h>
#include <serin/topic.h>
#include <serin/wire.h>

#define LOAD_NEVER_MS UINT64_MAX

/* Messages and payload bytes, by topic. */
struct load_traffic {
    uint64_t messages[SERIN_TOPIC_COUNT];
    uint64_t bytes[SERIN_TOPIC_COUNT];
};

/* One node's account; times are ms since the fleet's start, LOAD_NEVER_MS where it is not so far.
 */
struct load_account {
    /* Of its last attempt. */
    enum serin_state state; /* INVALID: none */
    enum serin_reason reason;
    uint64_t accepted_ms;
    uint64_t held_ms; /* the image is whole and verified in the slot */
    uint64_t confirmed_ms;
    uint64_t bytes_fetched;
    uint32_t pieces_refetched;
    struct serin_version offered; /* 0.0.0 before its manifest was read */

    struct serin_version running;
    bool trial;
    bool broken; /* nothing boots any more */
    bool acked;  /* serind has acknowledged all that the node reported */
    uint32_t gets;
    uint32_t resets;
    uint32_t reconnects; /* connections lost, but by resets */
};

/* How a set of times is spread: nearest rank. All 0 where there are none. */
struct load_spread {
    size_t count;
    uint64_t min, p50, p90, p99, max;
};

/* Sorts `values`. */
void load_spread_of(uint64_t *values, size_t count, struct load_spread *spread);

/* Whether the node runs `until` for good, or, NULL, whatever it was offered. */
bool load_account_done(const struct load_account *account, const struct serin_version *until);

/* Whether it cannot get there any more without another directive. */
bool load_account_failed(const struct load_account *account);

#endif
