/* What a signature covers: domain strings, digests, key ids (docs/spec/signing.md). */
#include <serin/signed.h>

#include <serin/assert.h>

#include <string.h>

struct domain {
    const char *text;
    size_t size; /* with the terminator, which is signed too */
};

#define DOMAIN_OF(literal)                         \
    {                                              \
        .text = (literal), .size = sizeof(literal) \
    }

/* Frozen: another string here invalidates every signature of its kind. */
static const struct domain domains[SERIN_SIGNED_COUNT] = {
    [SERIN_SIGNED_MANIFEST] = DOMAIN_OF("serin/manifest/1"),
    [SERIN_SIGNED_TRUST] = DOMAIN_OF("serin/trust/1"),
    [SERIN_SIGNED_DIRECTIVE] = DOMAIN_OF("serin/directive/1"),
};

void serin_signed_digest(const struct serin_crypto *crypto, enum serin_signed_kind kind,
                         const uint8_t *body, size_t body_size, uint8_t digest[SERIN_SHA256_SIZE])
{
    SERIN_ASSERT(kind > SERIN_SIGNED_INVALID && kind < SERIN_SIGNED_COUNT);
    const struct domain *domain = &domains[kind];
    serin_sha256_of_two(crypto, domain->text, domain->size, body, body_size, digest);
}

/* SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 04 X Y } }, up to the point's
 * coordinates. */
static const uint8_t spki_prefix[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
    0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
};
_Static_assert(sizeof spki_prefix + SERIN_P256_PUBLIC_SIZE == SERIN_SPKI_SIZE, "RFC 5480");

void serin_spki_encode(const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                       uint8_t spki[SERIN_SPKI_SIZE])
{
    memcpy(spki, spki_prefix, sizeof spki_prefix);
    memcpy(spki + sizeof spki_prefix, public_key, SERIN_P256_PUBLIC_SIZE);
}

void serin_key_id(const struct serin_crypto *crypto,
                  const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                  uint8_t key_id[SERIN_KEY_ID_SIZE])
{
    uint8_t digest[SERIN_SHA256_SIZE];
    serin_sha256_of_two(crypto, spki_prefix, sizeof spki_prefix, public_key, SERIN_P256_PUBLIC_SIZE,
                        digest);
    memcpy(key_id, digest, SERIN_KEY_ID_SIZE);
}

enum serin_error serin_signed_prove(const struct serin_crypto *crypto, enum serin_signed_kind kind,
                                    const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                                    const uint8_t *body, size_t body_size,
                                    const uint8_t signature[SERIN_P256_SIGNATURE_SIZE],
                                    uint32_t step, struct serin_run *run)
{
    uint8_t digest[SERIN_SHA256_SIZE];
    serin_signed_digest(crypto, kind, body, body_size, digest);
    uint32_t verdict = SERIN_CRYPTO(crypto)->ops->p256_verify(SERIN_CRYPTO(crypto)->ctx, run->mask,
                                                              public_key, digest, signature) ^
                       run->mask;
    serin_run_note(run, step, verdict ^ SERIN_VERDICT_VALID);
    return serin_verdict_error(verdict);
}

enum serin_error serin_signed_verify(const struct serin_crypto *crypto, enum serin_signed_kind kind,
                                     const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                                     const uint8_t *body, size_t body_size,
                                     const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    uint8_t digest[SERIN_SHA256_SIZE];
    serin_signed_digest(crypto, kind, body, body_size, digest);
    return serin_p256_verify(crypto, public_key, digest, signature);
}
