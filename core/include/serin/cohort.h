/*
 * Cohorts (docs/spec/directive.md, section 4; design decision 3).
 *
 *   rank(salt, id) = first 8 bytes of SHA-256( salt ‖ device id ), big-endian
 *
 * A device belongs when rank ≤ threshold.
 */
#ifndef SERIN_COHORT_H
#define SERIN_COHORT_H

#include <serin/crypto.h>

#define SERIN_SALT_SIZE       16u
#define SERIN_COHORT_EVERYONE UINT64_MAX

/* The rank of a device. `device_id` is a valid id. */
uint64_t serin_cohort_rank(const struct serin_crypto *crypto, const uint8_t salt[SERIN_SALT_SIZE],
                           const char *device_id);

static inline bool serin_cohort_member(uint64_t rank, uint64_t threshold)
{
    return rank <= threshold;
}

/* How many of `population` devices a stage of `permyriad` (1..10000, hundredths of a percent)
 * covers: rounded up, at least 1 where population > 0, so that 1 % of 10 is 1 and of 100,000
 * exactly 1,000. */
uint32_t serin_cohort_count(uint32_t population, uint32_t permyriad);

#endif
