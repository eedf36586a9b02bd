/* Cohorts: a device's rank and a stage's size (docs/spec/directive.md, section 4). */
#include <serin/cohort.h>

#include <serin/assert.h>

#include <string.h>

uint64_t serin_cohort_rank(const struct serin_crypto *crypto, const uint8_t salt[SERIN_SALT_SIZE],
                           const char *device_id)
{
    struct serin_sha256 sha;
    uint8_t digest[SERIN_SHA256_SIZE];
    crypto->ops->sha256_init(crypto->ctx, &sha);
    crypto->ops->sha256_update(crypto->ctx, &sha, salt, SERIN_SALT_SIZE);
    crypto->ops->sha256_update(crypto->ctx, &sha, device_id, strlen(device_id));
    crypto->ops->sha256_final(crypto->ctx, &sha, digest);
    return serin_get_be64(digest);
}

uint32_t serin_cohort_count(uint32_t population, uint32_t permyriad)
{
    SERIN_ASSERT(permyriad >= 1 && permyriad <= 10000);
    /* Rounding up gives at least 1 for any population but 0; 64 bits hold every product. */
    return (uint32_t)(((uint64_t)population * permyriad + 9999) / 10000);
}
