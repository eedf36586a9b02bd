/* Signatures: the domain strings, key ids, and that no kind's signature holds for another. */
#include "check_main.h"

#include "sign.h"

#include <serin/adapters/wolfcrypt.h>

#include <string.h>

static void test_key(struct vector_key *key)
{
    uint8_t private_key[32] = {0};
    private_key[31] = 42;
    ck_assert(vector_key_set(serin_wolfcrypt(), private_key, key));
}

START_TEST(domains_are_frozen)
{
    const struct {
        enum serin_signed_kind kind;
        const char *text;
        size_t size;
    } domains[] = {{SERIN_SIGNED_MANIFEST, "serin/manifest/1\0body", 21},
                   {SERIN_SIGNED_TRUST, "serin/trust/1\0body", 18},
                   {SERIN_SIGNED_DIRECTIVE, "serin/directive/1\0body", 22}};
    ck_assert_uint_eq(sizeof domains / sizeof domains[0], SERIN_SIGNED_COUNT - 1);
    for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
        uint8_t digest[SERIN_SHA256_SIZE];
        uint8_t expected[SERIN_SHA256_SIZE];
        serin_signed_digest(serin_wolfcrypt(), domains[i].kind, (const uint8_t *)"body", 4, digest);
        serin_sha256_of(serin_wolfcrypt(), domains[i].text, domains[i].size, expected);
        ck_assert_mem_eq(digest, expected, sizeof digest);
    }
}
END_TEST

START_TEST(a_kind_holds_for_itself_only)
{
    struct vector_key key;
    const uint8_t body[] = "the same body";
    test_key(&key);
    for (int made = SERIN_SIGNED_INVALID + 1; made < SERIN_SIGNED_COUNT; made++) {
        uint8_t digest[SERIN_SHA256_SIZE];
        uint8_t signature[SERIN_P256_SIGNATURE_SIZE];
        serin_signed_digest(serin_wolfcrypt(), (enum serin_signed_kind)made, body, sizeof body,
                            digest);
        ck_assert(vector_sign_digest(&key, digest, signature));
        for (int asked = SERIN_SIGNED_INVALID + 1; asked < SERIN_SIGNED_COUNT; asked++) {
            enum serin_error error =
                serin_signed_verify(serin_wolfcrypt(), (enum serin_signed_kind)asked,
                                    key.public_key, body, sizeof body, signature);
            ck_assert_int_eq(error, made == asked ? SERIN_OK : SERIN_ERR_SIGNATURE);
        }
    }
}
END_TEST

START_TEST(every_bit_counts)
{
    struct vector_key key;
    uint8_t body[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t digest[SERIN_SHA256_SIZE];
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE];
    test_key(&key);
    serin_signed_digest(serin_wolfcrypt(), SERIN_SIGNED_TRUST, body, sizeof body, digest);
    ck_assert(vector_sign_digest(&key, digest, signature));
    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] ^= 0x10;
        ck_assert_int_ne(serin_signed_verify(serin_wolfcrypt(), SERIN_SIGNED_TRUST, key.public_key,
                                             body, sizeof body, signature),
                         SERIN_OK);
        signature[i] ^= 0x10;
    }
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] ^= 1;
        ck_assert_int_eq(serin_signed_verify(serin_wolfcrypt(), SERIN_SIGNED_TRUST, key.public_key,
                                             body, sizeof body, signature),
                         SERIN_ERR_SIGNATURE);
        body[i] ^= 1;
    }
    ck_assert_int_eq(serin_signed_verify(serin_wolfcrypt(), SERIN_SIGNED_TRUST, key.public_key,
                                         body, sizeof body - 1, signature),
                     SERIN_ERR_SIGNATURE);
    ck_assert_int_eq(serin_signed_verify(serin_wolfcrypt(), SERIN_SIGNED_TRUST, key.public_key,
                                         body, sizeof body, signature),
                     SERIN_OK);
}
END_TEST

/* The key of RFC 6979, A.2.5; its SubjectPublicKeyInfo and id as `openssl pkey -pubout -outform DER
 * | sha256sum` gives. */
START_TEST(key_ids_are_those_of_the_public_key_info)
{
    uint8_t public_key[SERIN_P256_PUBLIC_SIZE];
    uint8_t spki[SERIN_SPKI_SIZE];
    uint8_t key_id[SERIN_KEY_ID_SIZE];
    char text[2 * SERIN_SPKI_SIZE + 1];
    const char *point = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    const char *prefix = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";
    ck_assert_int_eq(serin_hex_decode(point, public_key, sizeof public_key), SERIN_OK);
    serin_spki_encode(public_key, spki);
    serin_hex_encode(spki, sizeof spki, text);
    ck_assert_mem_eq(text, prefix, strlen(prefix));
    ck_assert_str_eq(text + strlen(prefix), point);
    serin_key_id(serin_wolfcrypt(), public_key, key_id);
    serin_hex_encode(key_id, sizeof key_id, text);
    ck_assert_str_eq(text, "5a7a78cca4a0f420");
}
END_TEST

static enum serin_signed_kind wrong_kind;

static void digest_wrong(void)
{
    uint8_t digest[SERIN_SHA256_SIZE];
    serin_signed_digest(serin_wolfcrypt(), wrong_kind, (const uint8_t *)"", 0, digest);
}

START_TEST(an_invalid_kind_stops_the_program)
{
    for (int kind = -1; kind <= SERIN_SIGNED_COUNT; kind++) {
        bool valid = kind > SERIN_SIGNED_INVALID && kind < SERIN_SIGNED_COUNT;
        wrong_kind = (enum serin_signed_kind)kind;
        ck_assert_int_eq(check_dies(digest_wrong), !valid);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {domains_are_frozen,
                                  a_kind_holds_for_itself_only,
                                  every_bit_counts,
                                  key_ids_are_those_of_the_public_key_info,
                                  an_invalid_kind_stops_the_program,
                                  NULL};
    return check_run("signed", tests);
}
