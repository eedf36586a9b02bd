/* Identities in certificates, and SHA-256. */
#include "check_main.h"

#include <serin/adapters/openssl.h>

#include <openssl/x509.h>
#include <string.h>

/* A certificate with these subject entries; it needs no signature, for the TLS layer has verified
 * that elsewhere. */
static X509 *certificate(const char *const cn[], const char *const ou[])
{
    X509 *x509 = X509_new();
    X509_NAME *name = X509_get_subject_name(x509);
    for (; *cn != NULL; cn++) {
        ck_assert(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)*cn,
                                             -1, -1, 0));
    }
    for (; *ou != NULL; ou++) {
        ck_assert(X509_NAME_add_entry_by_txt(name, "OU", MBSTRING_UTF8, (const unsigned char *)*ou,
                                             -1, -1, 0));
    }
    return x509;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define EMPTY     ((const char *const[]){NULL})

static enum serin_error read_from(const char *const cn[], const char *const ou[],
                                  struct serin_certificate_identity *identity)
{
    X509 *x509 = certificate(cn, ou);
    enum serin_error error = serin_certificate_identity(x509, identity);
    serin_certificate_free(x509);
    return error;
}

START_TEST(test_identities)
{
    struct serin_certificate_identity who;
    ck_assert_int_eq(read_from(LIST("sensor-01"), EMPTY, &who), SERIN_OK);
    ck_assert_str_eq(who.id, "sensor-01");
    ck_assert_int_eq(who.role, SERIN_ROLE_DEVICE);
    ck_assert_int_eq(read_from(LIST("a"), LIST("device"), &who), SERIN_OK);
    ck_assert_int_eq(who.role, SERIN_ROLE_DEVICE);
    ck_assert_int_eq(read_from(LIST("a"), LIST("gateway"), &who), SERIN_OK);
    ck_assert_int_eq(who.role, SERIN_ROLE_GATEWAY);
    ck_assert_int_eq(read_from(LIST("serind"), LIST("serind"), &who), SERIN_OK);
    ck_assert_int_eq(who.role, SERIN_ROLE_SERIND);
    ck_assert_int_eq(
        read_from(LIST("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"), EMPTY,
                  &who),
        SERIN_OK);
}
END_TEST

START_TEST(test_subjects_that_are_refused)
{
    struct serin_certificate_identity who;
    ck_assert_int_eq(read_from(EMPTY, EMPTY, &who), SERIN_ERR_FORMAT);
    ck_assert_int_eq(read_from(LIST("a", "b"), EMPTY, &who), SERIN_ERR_FORMAT);
    ck_assert_int_eq(read_from(LIST("a/b"), EMPTY, &who), SERIN_ERR_FORMAT);
    ck_assert_int_eq(read_from(LIST("+"), EMPTY, &who), SERIN_ERR_FORMAT);
    ck_assert_int_eq(read_from(LIST("\xc3\xa4"), EMPTY, &who), SERIN_ERR_FORMAT);
    ck_assert_int_eq(read_from(LIST("a"), LIST("Serind"), &who), SERIN_ERR_DENIED);
    ck_assert_int_eq(read_from(LIST("a"), LIST("admin"), &who), SERIN_ERR_DENIED);
    ck_assert_int_eq(
        read_from(LIST("a"), LIST("a unit with a name that is too long for a role"), &who),
        SERIN_ERR_DENIED);
    ck_assert_int_eq(read_from(LIST("a"), LIST("device", "serind"), &who), SERIN_ERR_FORMAT);
}
END_TEST

/* "serind\0.example": what a C string would take for another name. */
START_TEST(test_a_nul_inside)
{
    struct serin_certificate_identity who;
    X509 *x509 = X509_new();
    ck_assert(X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                                         (const unsigned char *)"serind\0.x", 9, -1, 0));
    ck_assert_int_eq(serin_certificate_identity(x509, &who), SERIN_ERR_FORMAT);
    serin_certificate_free(x509);
    x509 = certificate(LIST("a"), EMPTY);
    ck_assert(X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "OU", MBSTRING_ASC,
                                         (const unsigned char *)"serind\0", 7, -1, 0));
    ck_assert_int_eq(serin_certificate_identity(x509, &who), SERIN_ERR_DENIED);
    serin_certificate_free(x509);
    serin_certificate_free(NULL);
}
END_TEST

/* FIPS 180-4's "abc". */
START_TEST(test_sha256)
{
    uint8_t digest[32];
    char hex[65];
    serin_sha256_of(serin_openssl_hashing(), "abc", 3, digest);
    serin_hex_encode(digest, 32, hex);
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const struct serin_crypto *crypto = serin_openssl_hashing();
    uint8_t zero[64] = {0};
    ck_assert_int_eq(serin_p256_verify(crypto, zero, zero, zero), SERIN_ERR_CRYPTO);
    ck_assert_int_eq(crypto->ops->random(crypto->ctx, zero, 1), SERIN_ERR_UNSUPPORTED);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_identities, test_subjects_that_are_refused,
                                  test_a_nul_inside, test_sha256, NULL};
    return check_run("openssl", tests);
}
