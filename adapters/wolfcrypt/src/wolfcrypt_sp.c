/*
 * The crypto port of a bootloader (serin/adapters/wolfcrypt_sp.h): wolfCrypt's SHA-256, and ECDSA
 * on wolfCrypt's arithmetic of P-256 in single precision.
 *
 * sp_c32.c is included, not linked: its own sp_ecc_verify_256 has neither room in a bootloader of
 * 12 KiB nor on a stack of 4 (docs/adr/0017). Bytes to numbers, field, order and points are
 * wolfCrypt's; the equation (FIPS 186-4, section 6.4) is here, its steps in the order of
 * sp_ecc_verify_256, but for three:
 *
 *   - r, s and the key are checked, which wolfCrypt leaves to the layers above that function;
 *   - both scalars are walked in one pass (Shamir's trick), not in two in constant time, as nothing
 *     here is secret;
 *   - what is compared is brought below p before: wolfCrypt's products are below 2^256 alone.
 */
#include <serin/adapters/wolfcrypt_sp.h>
#include <serin/assert.h>

#include <string.h>

/* options.h first: it decides the layout of every wolfCrypt type. */
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/sha256.h>

#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-const-variable"
#include <wolfcrypt/src/sp_c32.c>

#define SCALAR_SIZE 32u
#define DIGITS      9
#define DIGIT_BITS  29

_Static_assert(sizeof(wc_Sha256) <= sizeof(struct serin_sha256), "wolfCrypt's context must fit");
_Static_assert(2 * SCALAR_SIZE == SERIN_P256_SIGNATURE_SIZE, "r and s fill a signature");

/* What a verification that holds comes to before it is a verdict. The last step adds a difference
 * to it, and the caller makes the verdict of the sum: neither is a branch, and no register bears
 * HOLDS, let alone VALID, before all has been compared. So a call, a store or a condition that does
 * not happen, in both runs alike, leaves a pointer or a remnant, which is not that word. */
#define HOLDS 0xc59a6d17u

/* ---- SHA-256 ---- */

/* The context in place: this file is compiled with -fno-strict-aliasing. */
static wc_Sha256 *context_of(struct serin_sha256 *sha)
{
    return (wc_Sha256 *)(void *)sha->opaque;
}

static void sha256_init(void *ctx, struct serin_sha256 *sha)
{
    (void)ctx;
    int result = wc_InitSha256(context_of(sha));
    SERIN_ASSERT(result == 0);
}

static void sha256_update(void *ctx, struct serin_sha256 *sha, const void *data, size_t size)
{
    (void)ctx;
    int result = wc_Sha256Update(context_of(sha), data, (word32)size);
    SERIN_ASSERT(result == 0);
}

/* On a copy: wolfCrypt starts the context anew at the end, which goes where nobody looks at it. */
static void sha256_final(void *ctx, struct serin_sha256 *sha, uint8_t digest[SERIN_SHA256_SIZE])
{
    (void)ctx;
    wc_Sha256 context = *context_of(sha);
    int result = wc_Sha256Final(&context, digest);
    SERIN_ASSERT(result == 0);
}

/* ---- ECDSA ---- */

/* A number, and behind it the room that its products need. */
typedef sp_digit number[2 * DIGITS];

/* R^2 modulo p, which makes a Montgomery product the conversion into Montgomery form; R is 2^256.
 * Then, in that form, the base point. */
static const sp_digit square_p[DIGITS] = {0x00000003, 0x00000000, 0x1fffffc0,
                                          0x1ffff7ff, 0x1fffefff, 0x1fffffff,
                                          0x1ff7ffff, 0x009fffff, 0x00000000};
static const sp_digit base_x[DIGITS] = {0x18a9143c, 0x0f3986a0, 0x1b6d805e, 0x152bf8bf, 0x0251075b,
                                        0x1995bbb1, 0x1719e7ed, 0x0ed4a6ea, 0x0018905f};
static const sp_digit base_y[DIGITS] = {0x0e95560a, 0x0f929abe, 0x06791737, 0x1571c974, 0x1f3258b4,
                                        0x03446e90, 0x16174ba2, 0x0304b10b, 0x008571ff};

SP_NOINLINE static void copy(sp_digit *out, const sp_digit *in)
{
    memcpy(out, in, DIGITS * sizeof *out);
}

static void multiply(sp_digit *out, const sp_digit *a, const sp_digit *b)
{
    sp_256_mont_mul_9(out, a, b, p256_mod, p256_mp_mod);
}

/* Whether value < limit. All of it is public, so the time may depend on it. */
static bool below(const sp_digit *value, const sp_digit *limit)
{
    return sp_256_cmp_9(value, limit) < 0;
}

/* Takes a number that has to be below `limit`. */
SP_NOINLINE static bool take(sp_digit *out, const uint8_t bytes[SCALAR_SIZE], const sp_digit *limit)
{
    sp_256_from_bin(out, DIGITS, bytes, SCALAR_SIZE);
    return below(out, limit);
}

/* Brings a number below 2^256 below p. */
static void settle(sp_digit *value)
{
    if (!below(value, p256_mod)) {
        (void)sp_256_sub_9(value, value, p256_mod);
        sp_256_norm_9(value);
    }
}

/* Whether a and b, below 2^256, are equal modulo p. */
static bool equal(sp_digit *a, sp_digit *b)
{
    settle(a);
    settle(b);
    return sp_256_cmp_equal_9(a, b) != 0;
}

/* y^2 - x^3 + 3x, which is the same number, b, for all points of the curve. */
static void curve_of(sp_digit *b, const sp_point_256 *point)
{
    number cube;
    multiply(cube, point->x, point->x);
    multiply(cube, cube, point->x);
    multiply(b, point->y, point->y);
    sp_256_mont_sub_9(b, b, cube, p256_mod);
    for (unsigned i = 0; i < 3; i++) {
        sp_256_mont_add_9(b, b, point->x, p256_mod);
    }
}

/* u1 * base + u2 * key, in projective coordinates, from the highest bit on; `u` has both scalars,
 * `points` base and key. */
static void add_multiples(sp_point_256 *sum, const sp_point_256 points[2], number u[2])
{
    sp_digit room[2 * DIGITS * 6];
    memset(sum, 0, sizeof *sum);
    sum->infinity = 1;
    for (unsigned digit = DIGITS; digit-- > 0;) {
        for (unsigned bit = DIGIT_BITS; bit-- > 0;) {
            sp_256_proj_point_dbl_9(sum, sum, room);
            for (unsigned i = 0; i < 2; i++) {
                if ((u[i][digit] >> bit & 1) != 0) {
                    /* A sum whose z is zero is none, which wolfCrypt does not note. */
                    sp_256_proj_point_add_9(sum, sum, &points[i], room);
                    settle(sum->z);
                    sum->infinity |= sp_256_iszero_9(sum->z);
                }
            }
        }
    }
}

/* HOLDS where the sum's x, which is x / z^2, is r modulo n. */
static uint32_t compare_x(sp_point_256 *sum, sp_digit *r)
{
    number candidate;
    bool more;
    multiply(sum->z, sum->z, sum->z);
    do {
        multiply(candidate, r, square_p);
        multiply(candidate, candidate, sum->z);
        /* x may have been n or more: it is below p, which is not far above n. */
        (void)sp_256_add_9(r, r, p256_order);
        sp_256_norm_9(r);
        more = below(r, p256_mod);
    } while (!equal(candidate, sum->x) && more);
    /* That was about which of the two it is: what counts is this comparison. */
    uint32_t difference = serin_difference(candidate, sum->x, DIGITS * sizeof *candidate);
    /* Twice, in two steps: the register in which HOLDS waits may be the one that is added to, and
     * bears HOLDS still where an addition does not happen. */
    uint32_t word = HOLDS + difference;
    SERIN_OPAQUE(word);
    return word + difference;
}

/* HOLDS where the signature is valid; any other word where it is not. */
static uint32_t signature_holds(const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                                const uint8_t digest[SERIN_SHA256_SIZE],
                                const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    sp_point_256 points[2], sum;
    sp_digit r[DIGITS];
    number u[2];
    sp_digit *s = sum.y; /* it is gone when there is a sum */
    sp_point_256 *key = &points[1];
    if (!take(r, signature, p256_order) || !take(s, signature + SCALAR_SIZE, p256_order) ||
        !take(key->x, public_key, p256_mod) || !take(key->y, public_key + SCALAR_SIZE, p256_mod) ||
        sp_256_iszero_9(r) != 0 || sp_256_iszero_9(s) != 0) {
        return 0;
    }
    multiply(key->x, key->x, square_p);
    multiply(key->y, key->y, square_p);
    copy(points[0].x, base_x);
    copy(points[0].y, base_y);
    for (unsigned i = 0; i < 2; i++) {
        copy(points[i].z, p256_norm_mod); /* 1 */
        points[i].infinity = 0;
        curve_of(u[i], &points[i]);
    }
    /* P-256 has cofactor 1: a point on the curve has the right order. wolfCrypt takes a point for
     * its own negative where both have the same z. Only the base point could be met so, and it is
     * nobody's key: the private ones are 1 and n - 1. */
    if (!equal(u[0], u[1]) || sp_256_cmp_equal_9(key->x, base_x) != 0) {
        return 0;
    }
    /* u1 = e / s, u2 = r / s modulo n. The inverse of a number that is not in Montgomery form comes
     * out with one R too many, which a reduction takes off. */
    sp_256_mont_inv_order_9(s, s, sum.x);
    (void)take(u[0], digest, p256_order); /* n or more is all right */
    sp_256_mont_mul_order_9(u[0], u[0], s);
    sp_256_mont_mul_order_9(u[1], r, s);
    for (unsigned i = 0; i < 2; i++) {
        sp_256_mont_reduce_order_9(u[i], p256_order, p256_mp_order);
    }
    add_multiples(&sum, points, u);
    return sum.infinity == 0 ? compare_x(&sum, r) : 0;
}

/* A signature that holds: key 2, nonce 3, and for a digest the key's x. */
static const uint8_t known_key[SERIN_P256_PUBLIC_SIZE] = {
    0x7c, 0xf2, 0x7b, 0x18, 0x8d, 0x03, 0x4f, 0x7e, 0x8a, 0x52, 0x38, 0x03, 0x04, 0xb5, 0x1a, 0xc3,
    0xc0, 0x89, 0x69, 0xe2, 0x77, 0xf2, 0x1b, 0x35, 0xa6, 0x0b, 0x48, 0xfc, 0x47, 0x66, 0x99, 0x78,
    0x07, 0x77, 0x55, 0x10, 0xdb, 0x8e, 0xd0, 0x40, 0x29, 0x3d, 0x9a, 0xc6, 0x9f, 0x74, 0x30, 0xdb,
    0xba, 0x7d, 0xad, 0xe6, 0x3c, 0xe9, 0x82, 0x29, 0x9e, 0x04, 0xb7, 0x9d, 0x22, 0x78, 0x73, 0xd1,
};
static const uint8_t known_signature[SERIN_P256_SIGNATURE_SIZE] = {
    0x5e, 0xcb, 0xe4, 0xd1, 0xa6, 0x33, 0x0a, 0x44, 0xc8, 0xf7, 0xef, 0x95, 0x1d, 0x4b, 0xf1, 0x65,
    0xe6, 0xc6, 0xb7, 0x21, 0xef, 0xad, 0xa9, 0x85, 0xfb, 0x41, 0x66, 0x1b, 0xc6, 0xe7, 0xfd, 0x6c,
    0x68, 0xd8, 0xc1, 0x93, 0xf3, 0x23, 0x21, 0x58, 0x09, 0x6b, 0x5d, 0x0f, 0x15, 0x19, 0xa9, 0xda,
    0x84, 0xb2, 0x48, 0x0c, 0xc7, 0xc4, 0x7a, 0x15, 0xde, 0xda, 0x07, 0x11, 0x47, 0x12, 0x31, 0x70,
};

/* The second run verifies the known signature, too. Who knows of an instruction that this processor
 * never executes could make a signature for what is computed without it: where a scalar is not
 * multiplied, or the base point is added for the key, that takes no private key. All that we know
 * to be signed is wrong then. */
static uint32_t p256_verify(void *ctx, uint32_t run,
                            const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                            const uint8_t digest[SERIN_SHA256_SIZE],
                            const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    (void)ctx;
    uint32_t word = signature_holds(public_key, digest, signature);
    if (run != SERIN_RUN_FIRST) {
        word += signature_holds(known_key, known_key, known_signature) - HOLDS;
    }
    uint32_t seen = word;
    SERIN_OPAQUE(seen);
    /* What differed is nobody's business. Where this branch goes wrong, the verdict that is
     * computed of the word is none of the three. */
    return (seen == HOLDS ? word ^ (HOLDS ^ SERIN_VERDICT_VALID) : SERIN_VERDICT_INVALID) ^ run;
}

static const struct serin_crypto_ops ops = {
    .sha256_init = sha256_init,
    .sha256_update = sha256_update,
    .sha256_final = sha256_final,
    .p256_verify = p256_verify,
};
const struct serin_crypto serin_wolfcrypt_sp = {.ops = &ops, .ctx = NULL};
