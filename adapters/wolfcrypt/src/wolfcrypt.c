/*
 * The crypto port on wolfCrypt.
 *
 * wolfCrypt is not trusted with the edges of its input: r, s and the public key are range-checked
 * here, on bytes, before any of its code sees them, because some of its verifiers accept r = s = 0
 * (design decision 9).
 */
#include <serin/adapters/wolfcrypt.h>
#include <serin/assert.h>

#include "point_cache.h"

#include <string.h>

/* options.h first: it decides the layout of every wolfCrypt type. */
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/sha256.h>

#define SCALAR_SIZE 32u

_Static_assert(sizeof(wc_Sha256) <= sizeof(struct serin_sha256), "wolfCrypt's context must fit");
_Static_assert(2 * SCALAR_SIZE == SERIN_P256_SIGNATURE_SIZE, "r and s fill a signature");

/* The order n of the base point and the field prime p of P-256 (FIPS 186-4, D.1.2.3), big-endian.
 */
static const uint8_t order_n[SCALAR_SIZE] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
};
static const uint8_t prime_p[SCALAR_SIZE] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

/* ---- SHA-256 ---- */

/* The context is copied in and out: a byte array must not be accessed as another type, and the copy
 * is small next to the hashing of a block. */
static void sha_load(const struct serin_sha256 *sha, wc_Sha256 *context)
{
    memcpy(context, sha->opaque, sizeof(*context));
}

static void sha_store(struct serin_sha256 *sha, const wc_Sha256 *context)
{
    memcpy(sha->opaque, context, sizeof(*context));
}

static void sha256_init(void *ctx, struct serin_sha256 *sha)
{
    (void)ctx;
    wc_Sha256 context;
    int result = wc_InitSha256(&context);
    SERIN_ASSERT(result == 0);
    sha_store(sha, &context);
}

static void sha256_update(void *ctx, struct serin_sha256 *sha, const void *data, size_t size)
{
    (void)ctx;
    wc_Sha256 context;
    sha_load(sha, &context);
    const uint8_t *bytes = data;
    while (size > 0) {
        word32 chunk = size > 0x40000000u ? 0x40000000u : (word32)size;
        int result = wc_Sha256Update(&context, bytes, chunk);
        SERIN_ASSERT(result == 0);
        bytes += chunk;
        size -= chunk;
    }
    sha_store(sha, &context);
}

static void sha256_final(void *ctx, struct serin_sha256 *sha, uint8_t digest[SERIN_SHA256_SIZE])
{
    (void)ctx;
    wc_Sha256 context;
    sha_load(sha, &context);
    int result = wc_Sha256Final(&context, digest);
    SERIN_ASSERT(result == 0);
    wc_Sha256Free(&context);
    memset(sha->opaque, 0, sizeof(sha->opaque));
}

/* ---- ECDSA ---- */

/* Whether 1 ≤ scalar < limit, both big-endian. Signatures are public, so the time may depend on
 * them. */
static bool in_range(const uint8_t scalar[SCALAR_SIZE], const uint8_t limit[SCALAR_SIZE])
{
    return !serin_bytes_all(scalar, SCALAR_SIZE, 0) && memcmp(scalar, limit, SCALAR_SIZE) < 0;
}

/* Imports a point and proves that it is on the curve. P-256 has cofactor 1: a point on the curve
 * has the right order. */
static uint32_t key_import(ecc_key *key, const uint8_t public_key[SERIN_P256_PUBLIC_SIZE])
{
    const uint8_t *x = public_key;
    const uint8_t *y = public_key + SCALAR_SIZE;
    if (memcmp(x, prime_p, SCALAR_SIZE) >= 0 || memcmp(y, prime_p, SCALAR_SIZE) >= 0) {
        return SERIN_VERDICT_INVALID;
    }
    uint8_t x963[1 + SERIN_P256_PUBLIC_SIZE];
    x963[0] = 0x04; /* uncompressed */
    memcpy(x963 + 1, public_key, SERIN_P256_PUBLIC_SIZE);
    int result = wc_ecc_import_x963_ex(x963, sizeof(x963), key, ECC_SECP256R1);
    if (result == 0) {
        result = wc_ecc_check_key(key);
    }
    if (result == MEMORY_E) {
        return SERIN_VERDICT_UNDECIDED;
    }
    return result == 0 ? SERIN_VERDICT_VALID : SERIN_VERDICT_INVALID;
}

static uint32_t key_verify(ecc_key *key, const uint8_t digest[SERIN_SHA256_SIZE],
                           const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    uint8_t der[ECC_MAX_SIG_SIZE];
    word32 der_size = sizeof(der);
    if (wc_ecc_rs_raw_to_sig(signature, SCALAR_SIZE, signature + SCALAR_SIZE, SCALAR_SIZE, der,
                             &der_size) != 0) {
        return SERIN_VERDICT_UNDECIDED;
    }
    int verified = 0;
    if (wc_ecc_verify_hash(der, der_size, digest, SERIN_SHA256_SIZE, &verified, key) != 0) {
        return SERIN_VERDICT_UNDECIDED;
    }
    return verified == 1 ? SERIN_VERDICT_VALID : SERIN_VERDICT_INVALID;
}

static uint32_t p256_verify(void *ctx, uint32_t run,
                            const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                            const uint8_t digest[SERIN_SHA256_SIZE],
                            const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    (void)ctx;
    if (!in_range(signature, order_n) || !in_range(signature + SCALAR_SIZE, order_n)) {
        return SERIN_VERDICT_INVALID ^ run;
    }
    serin_point_cache_adopt();
    ecc_key key;
    if (wc_ecc_init(&key) != 0) {
        return SERIN_VERDICT_UNDECIDED ^ run;
    }
    uint32_t verdict = key_import(&key, public_key);
    if (verdict == SERIN_VERDICT_VALID) {
        verdict = key_verify(&key, digest, signature);
    }
    wc_ecc_free(&key);
    return verdict ^ run;
}

/* ---- random ---- */

static enum serin_error random_bytes(void *ctx, void *out, size_t size)
{
    (void)ctx;
    WC_RNG rng;
    if (wc_InitRng(&rng) != 0) {
        return SERIN_ERR_CRYPTO;
    }
    enum serin_error error = SERIN_OK;
    uint8_t *bytes = out;
    while (size > 0 && error == SERIN_OK) {
        word32 chunk = size > RNG_MAX_BLOCK_LEN ? RNG_MAX_BLOCK_LEN : (word32)size;
        error = wc_RNG_GenerateBlock(&rng, bytes, chunk) == 0 ? SERIN_OK : SERIN_ERR_CRYPTO;
        bytes += chunk;
        size -= chunk;
    }
    wc_FreeRng(&rng);
    return error;
}

const struct serin_crypto *serin_wolfcrypt(void)
{
    static const struct serin_crypto_ops ops = {
        .sha256_init = sha256_init,
        .sha256_update = sha256_update,
        .sha256_final = sha256_final,
        .p256_verify = p256_verify,
        .random = random_bytes,
    };
    static const struct serin_crypto crypto = {.ops = &ops, .ctx = NULL};
    return &crypto;
}
