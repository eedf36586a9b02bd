/* SHA-256 of one run of bytes and plain verification, through the crypto port. */
#include <serin/crypto.h>

void serin_sha256_of_two(const struct serin_crypto *crypto, const void *first, size_t first_size,
                         const void *second, size_t second_size, uint8_t digest[SERIN_SHA256_SIZE])
{
    const struct serin_crypto *port = SERIN_CRYPTO(crypto);
    struct serin_sha256 sha;
    port->ops->sha256_init(port->ctx, &sha);
    port->ops->sha256_update(port->ctx, &sha, first, first_size);
    port->ops->sha256_update(port->ctx, &sha, second, second_size);
    port->ops->sha256_final(port->ctx, &sha, digest);
}

void serin_sha256_of(const struct serin_crypto *crypto, const void *data, size_t size,
                     uint8_t digest[SERIN_SHA256_SIZE])
{
    serin_sha256_of_two(crypto, data, 0, data, size, digest);
}

enum serin_error serin_verdict_error(uint32_t verdict)
{
    if (verdict == SERIN_VERDICT_VALID) {
        return SERIN_OK;
    }
    return verdict == SERIN_VERDICT_UNDECIDED ? SERIN_ERR_CRYPTO : SERIN_ERR_SIGNATURE;
}

enum serin_error serin_p256_verify(const struct serin_crypto *crypto,
                                   const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                                   const uint8_t digest[SERIN_SHA256_SIZE],
                                   const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    return serin_verdict_error(SERIN_CRYPTO(crypto)->ops->p256_verify(
        SERIN_CRYPTO(crypto)->ctx, SERIN_RUN_FIRST, public_key, digest, signature));
}
