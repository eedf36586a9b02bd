/* Certificates' names and SHA-256 by OpenSSL. */
#include <serin/adapters/openssl.h>

#include <assert.h>
#include <string.h>

#include <openssl/sha.h>
#include <openssl/x509.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct serin_sha256),
               "the port's context is too small");

/* Copies the one entry of `nid` into `text`. *count tells how many there are. SERIN_ERR_FORMAT: it
 * does not fit, or has a NUL inside. */
static enum serin_error subject_entry(const X509_NAME *name, int nid, char *text, size_t capacity,
                                      int *count)
{
    *count = 0;
    text[0] = '\0';
    for (int at = X509_NAME_get_index_by_NID(name, nid, -1); at >= 0;
         at = X509_NAME_get_index_by_NID(name, nid, at)) {
        (*count)++;
        const ASN1_STRING *data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
        int length = ASN1_STRING_length(data);
        if (length < 0 || (size_t)length >= capacity ||
            memchr(ASN1_STRING_get0_data(data), '\0', (size_t)length) != NULL) {
            return SERIN_ERR_FORMAT;
        }
        memcpy(text, ASN1_STRING_get0_data(data), (size_t)length);
        text[length] = '\0';
    }
    return SERIN_OK;
}

enum serin_error serin_certificate_identity(const void *x509,
                                            struct serin_certificate_identity *identity)
{
    const X509_NAME *name = X509_get_subject_name(x509);
    char unit[32];
    int names = 0;
    int units = 0;
    if (name == NULL ||
        subject_entry(name, NID_commonName, identity->id, sizeof identity->id, &names) !=
            SERIN_OK ||
        names != 1 || !serin_id_valid(identity->id, strlen(identity->id))) {
        return SERIN_ERR_FORMAT;
    }
    if (subject_entry(name, NID_organizationalUnitName, unit, sizeof unit, &units) != SERIN_OK) {
        return SERIN_ERR_DENIED;
    }
    if (units > 1) {
        return SERIN_ERR_FORMAT;
    }
    identity->role = serin_role_from_text(unit);
    return identity->role == SERIN_ROLE_INVALID ? SERIN_ERR_DENIED : SERIN_OK;
}

void serin_certificate_free(void *x509)
{
    X509_free(x509);
}

/* The low-level calls fail only for a NULL context. */
static void sha256_init(void *ctx, struct serin_sha256 *sha)
{
    (void)ctx;
    int done = SHA256_Init((SHA256_CTX *)(void *)sha->opaque);
    assert(done == 1);
    (void)done;
}

static void sha256_update(void *ctx, struct serin_sha256 *sha, const void *data, size_t size)
{
    (void)ctx;
    int done = SHA256_Update((SHA256_CTX *)(void *)sha->opaque, data, size);
    assert(done == 1);
    (void)done;
}

static void sha256_final(void *ctx, struct serin_sha256 *sha, uint8_t digest[SERIN_SHA256_SIZE])
{
    (void)ctx;
    int done = SHA256_Final(digest, (SHA256_CTX *)(void *)sha->opaque);
    assert(done == 1);
    (void)done;
}

static uint32_t no_verify(void *ctx, uint32_t run, const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                          const uint8_t digest[SERIN_SHA256_SIZE],
                          const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    (void)ctx;
    (void)public_key;
    (void)digest;
    (void)signature;
    return SERIN_VERDICT_UNDECIDED ^ run;
}

static enum serin_error no_random(void *ctx, void *out, size_t size)
{
    (void)ctx;
    (void)out;
    (void)size;
    return SERIN_ERR_UNSUPPORTED;
}

const struct serin_crypto *serin_openssl_hashing(void)
{
    static const struct serin_crypto_ops ops = {.sha256_init = sha256_init,
                                                .sha256_update = sha256_update,
                                                .sha256_final = sha256_final,
                                                .p256_verify = no_verify,
                                                .random = no_random};
    static const struct serin_crypto crypto = {.ops = &ops, .ctx = NULL};
    return &crypto;
}
