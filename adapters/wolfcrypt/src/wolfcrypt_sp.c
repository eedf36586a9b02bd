/*
 * The crypto port on wolfCrypt's SHA-256 and its P-256 in single precision, without the layers
 * between (serin/adapters/wolfcrypt_sp.h).
 *
 * The verifier takes r = s = 0 and what else is out of range as it comes, so that is refused here,
 * on bytes (design decision 9).
 */
#include <serin/adapters/wolfcrypt_sp.h>
#include <serin/assert.h>

#include <string.h>

/* options.h first: it decides the layout of every wolfCrypt type. */
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/sha256.h>
#include <wolfssl/wolfcrypt/sp.h>

#define SCALAR_SIZE 32u
#define DIGIT_SIZE  4u
#define DIGITS      (SCALAR_SIZE / DIGIT_SIZE)

_Static_assert(sizeof(wc_Sha256) <= sizeof(struct serin_sha256), "wolfCrypt's context must fit");
_Static_assert(2 * SCALAR_SIZE == SERIN_P256_SIGNATURE_SIZE, "r and s fill a signature");
_Static_assert(SP_INT_DIGITS >= DIGITS && sizeof(sp_int_digit) == DIGIT_SIZE, "numbers must fit");

/* ---- SHA-256 ---- */

/* The context is copied in and out: a byte array must not be accessed as another type. */
static void sha256_init(void *ctx, struct serin_sha256 *sha)
{
    (void)ctx;
    wc_Sha256 context;
    int result = wc_InitSha256(&context);
    SERIN_ASSERT(result == 0);
    memcpy(sha->opaque, &context, sizeof context);
}

static void sha256_update(void *ctx, struct serin_sha256 *sha, const void *data, size_t size)
{
    (void)ctx;
    wc_Sha256 context;
    memcpy(&context, sha->opaque, sizeof context);
    int result = wc_Sha256Update(&context, data, (word32)size);
    SERIN_ASSERT(result == 0);
    memcpy(sha->opaque, &context, sizeof context);
}

static void sha256_final(void *ctx, struct serin_sha256 *sha, uint8_t digest[SERIN_SHA256_SIZE])
{
    (void)ctx;
    wc_Sha256 context;
    memcpy(&context, sha->opaque, sizeof context);
    int result = wc_Sha256Final(&context, digest);
    SERIN_ASSERT(result == 0);
}

/* ---- ECDSA ---- */

/* Big-endian bytes of a number, the highest digit first, as wolfCrypt's number. */
static void load(mp_int *number, const uint8_t bytes[SCALAR_SIZE])
{
    number->used = number->size = (int)DIGITS;
    for (unsigned i = 0; i < DIGITS; i++) {
        uint32_t digit;
        memcpy(&digit, bytes + SCALAR_SIZE - DIGIT_SIZE * (i + 1), DIGIT_SIZE);
        number->dp[i] = __builtin_bswap32(digit);
    }
}

/* The field prime p and the order n of the base point of P-256 (FIPS 186-4, D.1.2.3), lowest digit
 * first. */
static const uint32_t prime_p[DIGITS] = {0xffffffff, 0xffffffff, 0xffffffff, 0x00000000,
                                         0x00000000, 0x00000000, 0x00000001, 0xffffffff};
static const uint32_t order_n[DIGITS] = {0xfc632551, 0xf3b9cac2, 0xa7179e84, 0xbce6faad,
                                         0xffffffff, 0xffffffff, 0x00000000, 0xffffffff};

/* Whether number < limit. All of it is public, so the time may depend on it. */
static bool below(const mp_int *number, const uint32_t limit[DIGITS])
{
    for (unsigned i = DIGITS; i-- > 0;) {
        if (number->dp[i] != limit[i]) {
            return number->dp[i] < limit[i];
        }
    }
    return false;
}

static bool zero(const uint8_t bytes[SCALAR_SIZE])
{
    return serin_bytes_all(bytes, SCALAR_SIZE, 0);
}

static uint32_t p256_verify(void *ctx, uint32_t run,
                            const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                            const uint8_t digest[SERIN_SHA256_SIZE],
                            const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    (void)ctx;
    mp_int x, y, r, s;
    mp_int z = {.used = 1, .size = 1, .dp = {1}};
    int verified = 0;
    load(&x, public_key);
    load(&y, public_key + SCALAR_SIZE);
    load(&r, signature);
    load(&s, signature + SCALAR_SIZE);
    /* P-256 has cofactor 1: a point on the curve has the right order. */
    if (zero(signature) || zero(signature + SCALAR_SIZE) || !below(&r, order_n) ||
        !below(&s, order_n) || !below(&x, prime_p) || !below(&y, prime_p) ||
        sp_ecc_is_point_256(&x, &y) != MP_OKAY) {
        return SERIN_VERDICT_INVALID ^ run;
    }
    if (sp_ecc_verify_256(digest, SERIN_SHA256_SIZE, &x, &y, &z, &r, &s, &verified, NULL) !=
        MP_OKAY) {
        return SERIN_VERDICT_UNDECIDED ^ run;
    }
    return (verified == 1 ? SERIN_VERDICT_VALID : SERIN_VERDICT_INVALID) ^ run;
}

const struct serin_crypto *serin_wolfcrypt_sp(void)
{
    static const struct serin_crypto_ops ops = {
        .sha256_init = sha256_init,
        .sha256_update = sha256_update,
        .sha256_final = sha256_final,
        .p256_verify = p256_verify,
    };
    static const struct serin_crypto crypto = {.ops = &ops, .ctx = NULL};
    return &crypto;
}
