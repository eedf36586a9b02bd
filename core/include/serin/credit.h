/*
 * Block credit (docs/spec/blocks.md, section 4; design decision 17): the serving side's account of
 * what is in flight to one client. Pure; time is passed in.
 */
#ifndef SERIN_CREDIT_H
#define SERIN_CREDIT_H

#include <serin/wire.h>

/* ---- serving side: one per client ---- */

struct serin_credit_limits {
    uint32_t window_bytes_max;  /* most bytes in flight to one client; ≥ SERIN_BLOCK_DATA_MAX */
    uint32_t window_blocks_max; /* most blocks in flight to one client */
    uint32_t forget_ms; /* a window that was not acknowledged counts as lost after this time */
    uint32_t retry_ms;  /* what `busy` asks for */
};

struct serin_credit {
    uint32_t token;     /* of the window in flight; 0: none */
    uint32_t in_flight; /* bytes of it */
    uint64_t started_ms;
};

/* What to answer a request. */
struct serin_grant {
    /* DATA: send [offset, end) in blocks of block_size; else one status block. */
    enum serin_block_status status;
    uint32_t offset, end;
    uint32_t retry_ms;
};

/* Ends the window in flight if `done_token` names it. serin_credit_request does this by itself;
 * call it for a request that ends before its object's size is known (NOT_FOUND, REFUSED), for that
 * request acknowledges the last as well. */
void serin_credit_settle(struct serin_credit *credit, uint32_t done_token);

/* Decides on `get` for an object of `object_size` bytes. A window in flight blocks the next request
 * until it is acknowledged by done_token or older than forget_ms: BUSY. A repeated token is BUSY.
 * RANGE: offset ≥ object_size. On DATA `credit` holds the new window. All arithmetic is checked: no
 * length can wrap. */
struct serin_grant serin_credit_request(struct serin_credit *credit,
                                        const struct serin_credit_limits *limits,
                                        const struct serin_get *get, uint32_t object_size,
                                        uint64_t now_ms);

#endif
