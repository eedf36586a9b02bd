/* One object, block by block, in order, with credit (docs/spec/blocks.md; design decision 17). */
#include "agent_internal.h"

#include <serin/crc32.h>

#include <string.h>

#define SILENCES_MAX     64u /* windows without an answer in a row, before the download gives up */
#define MISSES_MAX       10u /* answers "not found" in a row */
#define BACKOFF_SHIFT    4u
#define RETRY_MIN_MS     50u
#define MISS_MIN_MS      1000u
#define MISS_MAX_MS      30000u
#define REFUSED_MIN_MS   5000u
#define REFUSED_MAX_MS   600000u
#define SILENCE_WAIT_MAX 60000u
#define AGAIN_MIN_MS     2000u
#define AGAIN_MAX_MS     60000u

void serin_fetch_start(struct serin_agent *agent, const uint8_t object[SERIN_SHA256_SIZE],
                       uint32_t size, uint32_t position)
{
    struct serin_agent_fetch *fetch = &agent->fetch;
    uint32_t token = fetch->token;
    uint32_t done = fetch->granted ? fetch->token : fetch->done_token;
    memset(fetch, 0, sizeof *fetch);
    fetch->active = true;
    fetch->token = token;
    fetch->done_token = done;
    memcpy(fetch->object, object, SERIN_SHA256_SIZE);
    fetch->size = fetch->end = size;
    fetch->position = position;
    agent->wait_ms[SERIN_WAIT_FETCH] = 0;
}

void serin_fetch_stop(struct serin_agent *agent)
{
    agent->fetch.active = false;
    agent->fetch.in_flight = false;
}

static uint32_t grown(uint32_t least, uint32_t times, uint32_t most)
{
    uint32_t shift = times < 16u ? times : 16u;
    uint64_t value = (uint64_t)least << shift;
    return value < most ? (uint32_t)value : most;
}

static uint32_t silence_ms(const struct serin_agent *agent)
{
    uint32_t times = agent->fetch.silences;
    return grown(agent->config->block_timeout_ms, times < BACKOFF_SHIFT ? times : BACKOFF_SHIFT,
                 SILENCE_WAIT_MAX);
}

static uint32_t next_token(const struct serin_agent *agent)
{
    uint32_t token = agent->fetch.token;
    if (token == 0) {
        token = serin_agent_random(agent, UINT32_MAX - 1u);
    }
    token++;
    return token != 0 ? token : 1u;
}

static void send_request(struct serin_agent *agent)
{
    struct serin_agent_fetch *fetch = &agent->fetch;
    const struct serin_agent_config *config = agent->config;
    uint64_t window = (uint64_t)config->block_size * config->window_blocks;
    uint32_t left =
        fetch->size != 0 ? fetch->end - fetch->position : SERIN_MANIFEST_MAX - fetch->position;
    struct serin_get get = {.offset = fetch->position,
                            .length = window < left ? (uint32_t)window : left,
                            .block_size = config->block_size,
                            .token = next_token(agent),
                            .done_token = fetch->granted ? fetch->token : fetch->done_token};
    memcpy(get.object, fetch->object, SERIN_SHA256_SIZE);
    uint8_t payload[SERIN_GET_MAX];
    size_t size;
    enum serin_error error = config->codec->encode_get(&get, payload, sizeof payload, &size);
    SERIN_ASSERT(error == SERIN_OK);
    if (config->link->publish(config->link_ctx, SERIN_TOPIC_DEV_GET, payload, size) != SERIN_OK) {
        agent->wait_ms[SERIN_WAIT_FETCH] = RETRY_MIN_MS;
        return;
    }
    fetch->done_token = get.done_token;
    fetch->token = get.token;
    fetch->granted = true; /* unless the answer says that it was not */
    fetch->in_flight = true;
    fetch->window_end = get.offset + get.length;
    agent->wait_ms[SERIN_WAIT_FETCH] = silence_ms(agent);
}

void serin_fetch_poll(struct serin_agent *agent, enum serin_reason *failed)
{
    struct serin_agent_fetch *fetch = &agent->fetch;
    *failed = SERIN_REASON_NONE;
    if (!fetch->active || !agent->connected || !serin_agent_over(agent, SERIN_WAIT_FETCH)) {
        return;
    }
    if (fetch->in_flight) {
        fetch->in_flight = false;
        fetch->silences++;
    }
    if (fetch->silences > SILENCES_MAX) {
        *failed = SERIN_REASON_DOWNLOAD;
    } else if (fetch->misses > MISSES_MAX) {
        *failed = SERIN_REASON_UNAVAILABLE;
    } else {
        send_request(agent);
    }
}

static void ask_later(struct serin_agent *agent, uint32_t wait_ms)
{
    struct serin_agent_fetch *fetch = &agent->fetch;
    fetch->in_flight = false;
    /* Nothing is in flight under this token: the last one stays to be acknowledged. */
    fetch->granted = false;
    agent->wait_ms[SERIN_WAIT_FETCH] = wait_ms + serin_agent_random(agent, wait_ms);
}

/* Asks again after a wait that doubles with `times`, which it counts, from `least` up to `most`. */
static void back_off(struct serin_agent *agent, uint32_t *times, uint32_t least, uint32_t most)
{
    ask_later(agent, grown(least, (*times)++, most > least ? most : least));
}

static enum serin_error take_status(struct serin_agent *agent, const struct serin_block *block)
{
    struct serin_agent_fetch *fetch = &agent->fetch;
    uint32_t wait = block->retry_ms;
    switch (block->status) {
    case SERIN_BLOCK_BUSY:
        fetch->silences = 0;
        ask_later(agent, wait > RETRY_MIN_MS ? wait : RETRY_MIN_MS);
        return SERIN_ERR_BUSY;
    case SERIN_BLOCK_NOT_FOUND:
        back_off(agent, &fetch->misses, wait > MISS_MIN_MS ? wait : MISS_MIN_MS, MISS_MAX_MS);
        return SERIN_ERR_NOT_FOUND;
    case SERIN_BLOCK_REFUSED:
        /* The broker enforces a halt that this device has not heard of: it asks less and less until
         * a directive comes. */
        wait = wait > REFUSED_MIN_MS ? wait : REFUSED_MIN_MS;
        back_off(agent, &fetch->refusals, wait, REFUSED_MAX_MS);
        return SERIN_ERR_DENIED;
    case SERIN_BLOCK_RANGE:
    case SERIN_BLOCK_INVALID:
    case SERIN_BLOCK_DATA:
        break;
    }
    /* The object ends before the manifest says it does: as good as missing. */
    back_off(agent, &fetch->misses, MISS_MIN_MS, MISS_MAX_MS);
    return SERIN_ERR_INVALID;
}

void serin_fetch_lost(struct serin_agent *agent)
{
    struct serin_agent_fetch *fetch = &agent->fetch;
    serin_fetch_rewind(agent, fetch->position);
    agent->wait_ms[SERIN_WAIT_FETCH] = fetch->silences > 0 ? silence_ms(agent) : 0;
    fetch->silences++;
}

/* Whether the block tells the size of the object, and the one that is expected. */
static bool size_agrees(struct serin_agent_fetch *fetch, const struct serin_block *block)
{
    if (fetch->size == 0) {
        fetch->size = fetch->end = block->object_size;
    }
    return fetch->size != 0 && (block->object_size == 0 || block->object_size == fetch->size) &&
           fetch->position < fetch->end;
}

enum serin_error serin_fetch_block(struct serin_agent *agent, const uint8_t *payload, size_t size,
                                   struct serin_block *block)
{
    struct serin_agent_fetch *fetch = &agent->fetch;
    fetch->received = 0;
    enum serin_error error = agent->config->codec->decode_block(payload, size, block);
    if (error != SERIN_OK) {
        return error;
    }
    fetch->received = (uint32_t)block->data_size;
    if (!fetch->active || !fetch->in_flight || block->token != fetch->token) {
        return SERIN_ERR_STALE; /* of a window that was given up */
    }
    if (block->status != SERIN_BLOCK_DATA) {
        return take_status(agent, block);
    }
    if (serin_crc32(0, block->data, block->data_size) != block->crc32) {
        serin_agent_log(agent, "block damaged on the way", NULL);
        agent->errors++;
        return SERIN_ERR_CRC; /* the window goes on; the gap shows with the next block, or by
                                 silence */
    }
    if (!size_agrees(fetch, block)) {
        back_off(agent, &fetch->misses, MISS_MIN_MS, MISS_MAX_MS);
        return SERIN_ERR_INVALID;
    }
    if (block->window_end > fetch->position && block->window_end < fetch->window_end) {
        fetch->window_end = block->window_end; /* the server gave less than was asked for */
    }
    if (block->offset != fetch->position) {
        /* A block was lost: what follows it is of no use without it. One behind is a repetition. */
        if (block->offset > fetch->position) {
            serin_fetch_lost(agent);
        }
        return SERIN_ERR_INVALID;
    }
    return SERIN_OK;
}

void serin_fetch_took(struct serin_agent *agent, uint32_t size, bool all)
{
    struct serin_agent_fetch *fetch = &agent->fetch;
    fetch->position += size;
    fetch->silences = 0;
    fetch->misses = 0;
    fetch->refusals = 0;
    agent->wait_ms[SERIN_WAIT_FETCH] = silence_ms(agent);
    if (!all || fetch->position >= fetch->window_end) {
        serin_fetch_rewind(agent, fetch->position);
    }
}

void serin_fetch_again(struct serin_agent *agent, uint32_t times)
{
    uint32_t wait_ms = grown(AGAIN_MIN_MS, times, AGAIN_MAX_MS);
    serin_fetch_rewind(agent, 0);
    agent->fetch.size = agent->fetch.end = 0;
    agent->wait_ms[SERIN_WAIT_FETCH] = wait_ms + serin_agent_random(agent, wait_ms);
}

void serin_fetch_rewind(struct serin_agent *agent, uint32_t position)
{
    agent->fetch.position = position;
    agent->fetch.in_flight = false;
    agent->wait_ms[SERIN_WAIT_FETCH] = 0;
}
