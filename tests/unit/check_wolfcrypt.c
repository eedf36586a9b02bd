/*
 * The crypto port on wolfCrypt: known answers, and every signature and key at the edges of its
 * range refused.
 */
#include "check_main.h"

#include <serin/adapters/wolfcrypt.h>

#include <pthread.h>
#include <string.h>

/* RFC 6979, A.2.5: a P-256 key, and its signatures of SHA-256("sample") and SHA-256("test"). */
#define PUBLIC_KEY                                                     \
    "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6" \
    "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
#define SIGNATURE_SAMPLE                                               \
    "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716" \
    "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
#define SIGNATURE_TEST                                                 \
    "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367" \
    "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083"
/* The order of the curve, and the field prime. */
#define ORDER "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"
#define PRIME "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF"
#define ZERO  "0000000000000000000000000000000000000000000000000000000000000000"
#define MOST  "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"

static enum serin_error verify(const char *key_hex, const char *message, const char *signature_hex)
{
    const struct serin_crypto *crypto = serin_wolfcrypt();
    uint8_t key[SERIN_P256_PUBLIC_SIZE], signature[SERIN_P256_SIGNATURE_SIZE];
    uint8_t digest[SERIN_SHA256_SIZE];
    ck_assert_int_eq(serin_hex_decode(key_hex, key, sizeof(key)), SERIN_OK);
    ck_assert_int_eq(serin_hex_decode(signature_hex, signature, sizeof(signature)), SERIN_OK);
    serin_sha256_of(crypto, message, strlen(message), digest);
    return serin_p256_verify(crypto, key, digest, signature);
}

START_TEST(sha256_gives_the_known_answers)
{
    static const struct {
        const char *message, *digest;
    } answers[] = {
        /* FIPS 180-4 */
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        uint8_t digest[SERIN_SHA256_SIZE];
        char hex[SERIN_SHA256_HEX_SIZE];
        serin_sha256_of(serin_wolfcrypt(), answers[i].message, strlen(answers[i].message), digest);
        serin_hex_encode(digest, sizeof(digest), hex);
        ck_assert_str_eq(hex, answers[i].digest);
    }
}
END_TEST

START_TEST(sha256_does_not_care_how_it_is_fed)
{
    const struct serin_crypto *crypto = serin_wolfcrypt();
    uint8_t data[1000], whole[SERIN_SHA256_SIZE];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7);
    }
    serin_sha256_of(crypto, data, sizeof(data), whole);
    for (size_t step = 1; step < 200; step++) {
        /* Two contexts at once: they must not share anything. */
        struct serin_sha256 sha, other;
        uint8_t parts[SERIN_SHA256_SIZE], unused[SERIN_SHA256_SIZE];
        crypto->ops->sha256_init(crypto->ctx, &sha);
        crypto->ops->sha256_init(crypto->ctx, &other);
        for (size_t at = 0; at < sizeof(data); at += step) {
            size_t size = sizeof(data) - at < step ? sizeof(data) - at : step;
            crypto->ops->sha256_update(crypto->ctx, &sha, data + at, size);
            crypto->ops->sha256_update(crypto->ctx, &other, data, 1);
        }
        crypto->ops->sha256_final(crypto->ctx, &other, unused);
        crypto->ops->sha256_final(crypto->ctx, &sha, parts);
        ck_assert_mem_eq(parts, whole, sizeof(whole));
    }
}
END_TEST

START_TEST(known_signatures_verify)
{
    ck_assert_int_eq(verify(PUBLIC_KEY, "sample", SIGNATURE_SAMPLE), SERIN_OK);
    ck_assert_int_eq(verify(PUBLIC_KEY, "test", SIGNATURE_TEST), SERIN_OK);
    ck_assert_int_eq(verify(PUBLIC_KEY, "sample", SIGNATURE_TEST), SERIN_ERR_SIGNATURE);
    ck_assert_int_eq(verify(PUBLIC_KEY, "samplE", SIGNATURE_SAMPLE), SERIN_ERR_SIGNATURE);
}
END_TEST

START_TEST(scalars_out_of_range_are_refused)
{
    static const char r[] = "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716";
    static const char s[] = "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8";
    static const struct {
        const char *r, *s;
    } pairs[] = {
        {ZERO, ZERO},  {ORDER, ORDER}, {r, ZERO},      {ZERO, s}, {r, ORDER},
        {ORDER, s},    {MOST, MOST},   {r, MOST},      {MOST, s}, {ORDER, ZERO},
        {ZERO, ORDER}, {PRIME, s},     {PRIME, PRIME},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char signature[2 * SERIN_P256_SIGNATURE_SIZE + 1];
        memcpy(signature, pairs[i].r, 64);
        memcpy(signature + 64, pairs[i].s, 65);
        ck_assert_msg(verify(PUBLIC_KEY, "sample", signature) == SERIN_ERR_SIGNATURE,
                      "pair %zu is accepted", i);
    }
}
END_TEST

START_TEST(every_flipped_bit_is_refused)
{
    const struct serin_crypto *crypto = serin_wolfcrypt();
    uint8_t key[SERIN_P256_PUBLIC_SIZE], signature[SERIN_P256_SIGNATURE_SIZE];
    uint8_t digest[SERIN_SHA256_SIZE];
    ck_assert_int_eq(serin_hex_decode(PUBLIC_KEY, key, sizeof(key)), SERIN_OK);
    ck_assert_int_eq(serin_hex_decode(SIGNATURE_SAMPLE, signature, sizeof(signature)), SERIN_OK);
    serin_sha256_of(crypto, "sample", 6, digest);
    struct {
        uint8_t *bytes;
        size_t size;
    } parts[] = {{key, sizeof(key)}, {signature, sizeof(signature)}, {digest, sizeof(digest)}};
    for (size_t part = 0; part < 3; part++) {
        for (size_t bit = 0; bit < parts[part].size * 8; bit += 3) {
            parts[part].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            ck_assert_int_eq(serin_p256_verify(crypto, key, digest, signature),
                             SERIN_ERR_SIGNATURE);
            parts[part].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    ck_assert_int_eq(serin_p256_verify(crypto, key, digest, signature), SERIN_OK);
}
END_TEST

START_TEST(points_off_the_curve_are_refused)
{
    static const char x[] = "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6";
    static const char y[] = "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
    static const struct {
        const char *x, *y;
    } points[] = {{ZERO, ZERO}, {x, ZERO},      {ZERO, y},    {y, x},
                  {PRIME, y},   {PRIME, PRIME}, {MOST, MOST}, {x, x}};
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        char key[2 * SERIN_P256_PUBLIC_SIZE + 1];
        memcpy(key, points[i].x, 64);
        memcpy(key + 64, points[i].y, 65);
        ck_assert_msg(verify(key, "sample", SIGNATURE_SAMPLE) == SERIN_ERR_SIGNATURE,
                      "point %zu is accepted", i);
    }
}
END_TEST

/* With a digest of zero, u1 = 0; with r = s = x(Q), u2 = 1 and R = Q: a signature that holds for
 * any point Q, on the curve or not. Only the check of the point tells them apart. (Nobody has a
 * message with that digest.) */
START_TEST(a_point_off_the_curve_cannot_vouch_for_itself)
{
    const struct serin_crypto *crypto = serin_wolfcrypt();
    uint8_t key[SERIN_P256_PUBLIC_SIZE], signature[SERIN_P256_SIGNATURE_SIZE];
    uint8_t digest[SERIN_SHA256_SIZE] = {0};
    ck_assert_int_eq(serin_hex_decode(PUBLIC_KEY, key, sizeof(key)), SERIN_OK);
    memcpy(signature, key, 32);
    memcpy(signature + 32, key, 32);
    ck_assert_int_eq(serin_p256_verify(crypto, key, digest, signature), SERIN_OK);
    key[63] ^= 1;
    ck_assert_int_eq(serin_p256_verify(crypto, key, digest, signature), SERIN_ERR_SIGNATURE);
    memset(key + 32, 0, 32); /* a point of order two on another curve */
    ck_assert_int_eq(serin_p256_verify(crypto, key, digest, signature), SERIN_ERR_SIGNATURE);
}
END_TEST

START_TEST(random_bytes_differ_and_fill)
{
    const struct serin_crypto *crypto = serin_wolfcrypt();
    uint8_t a[64] = {0}, b[64] = {0};
    ck_assert_int_eq(crypto->ops->random(crypto->ctx, a, sizeof(a)), SERIN_OK);
    ck_assert_int_eq(crypto->ops->random(crypto->ctx, b, sizeof(b)), SERIN_OK);
    ck_assert_mem_ne(a, b, sizeof(a));
    ck_assert(!serin_bytes_all(a + 32, 32, 0));
    static uint8_t large[200000]; /* more than the generator gives at once */
    ck_assert_int_eq(crypto->ops->random(crypto->ctx, large, sizeof(large)), SERIN_OK);
    ck_assert(!serin_bytes_all(large + sizeof(large) - 32, 32, 0));
}
END_TEST

static void *verify_often(void *failures)
{
    for (int i = 0; i < 50; i++) {
        *(int *)failures += verify(PUBLIC_KEY, "sample", SIGNATURE_SAMPLE) != SERIN_OK;
        *(int *)failures += verify(PUBLIC_KEY, "test", SIGNATURE_SAMPLE) != SERIN_ERR_SIGNATURE;
    }
    return NULL;
}

START_TEST(threads_do_not_disturb_each_other)
{
    pthread_t threads[4];
    int failures[4] = {0};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, verify_often, &failures[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(failures[i], 0);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        sha256_gives_the_known_answers,
        sha256_does_not_care_how_it_is_fed,
        known_signatures_verify,
        scalars_out_of_range_are_refused,
        every_flipped_bit_is_refused,
        points_off_the_curve_are_refused,
        a_point_off_the_curve_cannot_vouch_for_itself,
        random_bytes_differ_and_fill,
        threads_do_not_disturb_each_other,
        NULL,
    };
    return check_run("wolfcrypt", tests);
}
