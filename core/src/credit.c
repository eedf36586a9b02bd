/* Block credit, the serving side: never more than one bounded window in flight
 * (docs/spec/blocks.md, section 4). */
#include <serin/credit.h>

#include <serin/assert.h>

void serin_credit_settle(struct serin_credit *credit, uint32_t done_token)
{
    if (done_token != 0 && done_token == credit->token) {
        *credit = (struct serin_credit){0};
    }
}

/* Drops a window that its receiver never acknowledged. A clock that ran backwards drops nothing. */
static void forget_lost(struct serin_credit *credit, const struct serin_credit_limits *limits,
                        uint64_t now_ms)
{
    if (credit->token != 0 && now_ms >= credit->started_ms &&
        now_ms - credit->started_ms >= limits->forget_ms) {
        *credit = (struct serin_credit){0};
    }
}

static uint32_t smaller(uint32_t a, uint64_t b)
{
    return a < b ? a : (uint32_t)b;
}

struct serin_grant serin_credit_request(struct serin_credit *credit,
                                        const struct serin_credit_limits *limits,
                                        const struct serin_get *get, uint32_t object_size,
                                        uint64_t now_ms)
{
    SERIN_ASSERT(limits->window_bytes_max >= SERIN_BLOCK_DATA_MAX && limits->window_blocks_max > 0);
    SERIN_ASSERT(get->token != 0 && get->length > 0 && get->block_size >= SERIN_BLOCK_DATA_MIN &&
                 get->block_size <= SERIN_BLOCK_DATA_MAX);

    forget_lost(credit, limits, now_ms);
    if (credit->token != 0 && get->token == credit->token) {
        return (struct serin_grant){.status = SERIN_BLOCK_BUSY, .retry_ms = limits->retry_ms};
    }
    serin_credit_settle(credit, get->done_token);
    if (credit->token != 0) {
        return (struct serin_grant){.status = SERIN_BLOCK_BUSY, .retry_ms = limits->retry_ms};
    }
    if (get->offset >= object_size) {
        return (struct serin_grant){.status = SERIN_BLOCK_RANGE};
    }

    /* Each bound only makes the window smaller, so offset + size stays within object_size and
     * cannot wrap. */
    uint32_t size = smaller(get->length, limits->window_bytes_max);
    size = smaller(size, (uint64_t)limits->window_blocks_max * get->block_size);
    size = smaller(size, object_size - get->offset);
    *credit = (struct serin_credit){.token = get->token, .in_flight = size, .started_ms = now_ms};
    return (struct serin_grant){
        .status = SERIN_BLOCK_DATA, .offset = get->offset, .end = get->offset + size};
}
