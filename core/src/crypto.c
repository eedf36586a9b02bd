/* SHA-256 of one run of bytes, through the crypto port. */
#include <serin/crypto.h>

void serin_sha256_of(const struct serin_crypto *crypto, const void *data, size_t size,
                     uint8_t digest[SERIN_SHA256_SIZE])
{
    struct serin_sha256 sha;
    crypto->ops->sha256_init(crypto->ctx, &sha);
    crypto->ops->sha256_update(crypto->ctx, &sha, data, size);
    crypto->ops->sha256_final(crypto->ctx, &sha, digest);
}
