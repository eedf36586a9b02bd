/* A generator from a secret and a count of boots: one hash a block, nothing kept but the number. */
#include <serin/ports/seed.h>

#include <string.h>

void serin_seed_init(struct serin_seed *seed, const struct serin_crypto *crypto,
                     const uint8_t secret[SERIN_SEED_SIZE], uint32_t boot)
{
    seed->crypto = crypto;
    seed->drawn = 0;
    seed->boot = boot;
    memcpy(seed->secret, secret, SERIN_SEED_SIZE);
}

static void block(struct serin_seed *seed, uint8_t digest[SERIN_SHA256_SIZE])
{
    static const char name[] = "serin seed"; /* the same secret may serve something else */
    const struct serin_crypto *crypto = seed->crypto;
    struct serin_sha256 sha;
    uint8_t numbers[12];
    serin_put_le32(numbers, seed->boot);
    serin_put_le64(numbers + 4, seed->drawn++);
    crypto->ops->sha256_init(crypto->ctx, &sha);
    crypto->ops->sha256_update(crypto->ctx, &sha, name, sizeof name - 1);
    crypto->ops->sha256_update(crypto->ctx, &sha, seed->secret, sizeof seed->secret);
    crypto->ops->sha256_update(crypto->ctx, &sha, numbers, sizeof numbers);
    crypto->ops->sha256_final(crypto->ctx, &sha, digest);
}

void serin_seed_fill(struct serin_seed *seed, void *out, size_t size)
{
    uint8_t *bytes = out;
    while (size > 0) {
        uint8_t digest[SERIN_SHA256_SIZE];
        size_t part = size < sizeof digest ? size : sizeof digest;
        block(seed, digest);
        memcpy(bytes, digest, part);
        bytes += part;
        size -= part;
    }
}
