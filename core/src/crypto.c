/* SHA-256 of one run of bytes and plain verification, through the crypto port. */
#include <serin/crypto.h>

void serin_sha256_of(const struct serin_crypto *crypto, const void *data, size_t size,
                     uint8_t digest[SERIN_SHA256_SIZE])
{
    struct serin_sha256 sha;
    SERIN_CRYPTO(crypto)->ops->sha256_init(SERIN_CRYPTO(crypto)->ctx, &sha);
    SERIN_CRYPTO(crypto)->ops->sha256_update(SERIN_CRYPTO(crypto)->ctx, &sha, data, size);
    SERIN_CRYPTO(crypto)->ops->sha256_final(SERIN_CRYPTO(crypto)->ctx, &sha, digest);
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
