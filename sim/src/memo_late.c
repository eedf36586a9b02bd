/* What was last asked for (memo_late.h). */
#include "memo_late.h"

#include <serin/assert.h>

#include <string.h>

const uint8_t *sim_late_digest(const struct sim_late *late, const uint8_t *bytes, uint64_t size)
{
    for (size_t i = 0; i < SIM_LATE_KEPT; i++) {
        const struct sim_late_digest *known = &late->digests[i];
        if (known->size == size && size > 0 && memcmp(known->bytes, bytes, (size_t)size) == 0) {
            return known->digest;
        }
    }
    return NULL;
}

const uint32_t *sim_late_verdict(const struct sim_late *late, const struct sim_signature *asked)
{
    for (size_t i = 0; i < SIM_LATE_KEPT; i++) {
        const struct sim_late_verdict *known = &late->verdicts[i];
        if (known->used &&
            memcmp(known->signature, asked->signature, sizeof known->signature) == 0 &&
            memcmp(known->digest, asked->digest, sizeof known->digest) == 0 &&
            memcmp(known->public_key, asked->public_key, sizeof known->public_key) == 0) {
            return &known->verdict;
        }
    }
    return NULL;
}

void sim_late_keep_digest(struct sim_late *late, const uint8_t *bytes, uint64_t size,
                          const uint8_t digest[SERIN_SHA256_SIZE])
{
    SERIN_ASSERT(size <= SIM_LATE_SIZE);
    struct sim_late_digest *known = &late->digests[late->next_digest];
    late->next_digest = (late->next_digest + 1u) % SIM_LATE_KEPT;
    known->size = size;
    memcpy(known->bytes, bytes, (size_t)size);
    memcpy(known->digest, digest, SERIN_SHA256_SIZE);
}

void sim_late_keep_verdict(struct sim_late *late, const struct sim_signature *asked,
                           uint32_t verdict)
{
    struct sim_late_verdict *known = &late->verdicts[late->next_verdict];
    late->next_verdict = (late->next_verdict + 1u) % SIM_LATE_KEPT;
    known->used = true;
    known->verdict = verdict;
    memcpy(known->signature, asked->signature, sizeof known->signature);
    memcpy(known->digest, asked->digest, sizeof known->digest);
    memcpy(known->public_key, asked->public_key, sizeof known->public_key);
}
