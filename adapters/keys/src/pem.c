/*
 * P-256 keys as PEM text.
 */
#include "pem.h"

#include "keyfile.h"

#include <serin/signed.h>

#include <string.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/coding.h>

#define DER_MAX     512u /* the longest key of P-521 as PKCS#8 takes 241 bytes */
#define BASE64_MAX  1024u
#define SCALAR_SIZE 32u

/* ---- the text around the base64 ---- */

/* Finds the PEM block with this label and decodes its base64. False: no such block, or not base64,
 * or too long. */
static bool block_decode(const char *pem, const char *begin, const char *end, uint8_t *der,
                         word32 *der_size)
{
    const char *start = strstr(pem, begin);
    if (start == NULL) {
        return false;
    }
    start += strlen(begin);
    const char *stop = strstr(start, end);
    if (stop == NULL || (size_t)(stop - start) > BASE64_MAX) {
        return false;
    }
    *der_size = DER_MAX;
    return Base64_Decode((const byte *)start, (word32)(stop - start), der, der_size) == 0;
}

static bool der_contains(const uint8_t *der, size_t size, const uint8_t *part, size_t part_size)
{
    for (size_t i = 0; i + part_size <= size; i++) {
        if (memcmp(der + i, part, part_size) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the key names the curve prime256v1 (1.2.840.10045.3.1.7), and if not, what it is, in
 * *reason. */
static bool names_p256(const uint8_t *der, size_t size, const char **reason)
{
    static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static const uint8_t rsa[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01};
    static const uint8_t edwards[] = {0x06, 0x03, 0x2b, 0x65};
    if (der_contains(der, size, p256, sizeof(p256))) {
        return true;
    }
    *reason = "an elliptic-curve key of another curve; Serin signs with P-256 (prime256v1) only";
    if (der_contains(der, size, rsa, sizeof(rsa))) {
        *reason = "an RSA key; Serin signs with ECDSA P-256 only";
    } else if (der_contains(der, size, edwards, sizeof(edwards))) {
        *reason = "an Edwards-curve key; Serin signs with ECDSA P-256 only";
    }
    return false;
}

/* ---- private ---- */

enum serin_error serin_pem_put_private(ecc_key *key, char pem[SERIN_PEM_PRIVATE_MAX], size_t *size)
{
    uint8_t der[DER_MAX];
    word32 der_size = sizeof(der);
    enum serin_error error = SERIN_ERR_CRYPTO;
    if (wc_EccKeyToPKCS8(key, der, &der_size) > 0) {
        int written = wc_DerToPem(der, der_size, (byte *)pem, SERIN_PEM_PRIVATE_MAX - 1,
                                  PKCS8_PRIVATEKEY_TYPE);
        if (written > 0) {
            pem[written] = '\0';
            *size = (size_t)written;
            error = SERIN_OK;
        }
    }
    serin_keyfile_wipe(der, sizeof(der));
    return error;
}

static bool private_block(const char *pem, uint8_t *der, word32 *der_size, const char **reason)
{
    static const struct {
        const char *begin, *end;
    } labels[] = {
        {"-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"},
        {"-----BEGIN EC PRIVATE KEY-----", "-----END EC PRIVATE KEY-----"},
    };
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (block_decode(pem, labels[i].begin, labels[i].end, der, der_size)) {
            return true;
        }
    }
    *reason = "not a private key in PEM (PKCS#8 or SEC1)";
    if (pem[0] == '\0') {
        *reason = "the file is empty, and so not a private key";
    } else if (strstr(pem, "ENCRYPTED") != NULL) {
        *reason = "an encrypted private key; decrypt it first, for example with openssl pkey";
    } else if (strstr(pem, "-----BEGIN RSA PRIVATE KEY-----") != NULL) {
        *reason = "an RSA key; Serin signs with ECDSA P-256 only";
    } else if (strstr(pem, "-----BEGIN PUBLIC KEY-----") != NULL) {
        *reason = "a public key; the private one is needed here";
    } else if (strstr(pem, "-----BEGIN CERTIFICATE-----") != NULL) {
        *reason = "a certificate; a private key is needed here";
    }
    return false;
}

/* Loads the private half and computes the public one from it, so that a file cannot pair foreign
 * halves. */
static enum serin_error key_load(const uint8_t *der, word32 der_size, ecc_key *key)
{
    word32 index = 0;
    if (wc_EccPrivateKeyDecode(der, &index, key, der_size) != 0 || key->dp == NULL ||
        key->dp->id != ECC_SECP256R1) {
        return SERIN_ERR_FORMAT;
    }
    if (wc_ecc_make_pub(key, NULL) != 0) {
        return SERIN_ERR_FORMAT;
    }
    return wc_ecc_check_key(key) == 0 ? SERIN_OK : SERIN_ERR_FORMAT;
}

enum serin_error serin_pem_get_private(const char *pem, size_t size, ecc_key *key,
                                       const char **reason)
{
    uint8_t der[DER_MAX];
    word32 der_size = 0;
    enum serin_error error = SERIN_ERR_FORMAT;
    if (strlen(pem) != size) {
        *reason = "not text, and so not a private key in PEM";
    } else if (!private_block(pem, der, &der_size, reason)) {
        error = SERIN_ERR_FORMAT;
    } else if (!names_p256(der, der_size, reason)) {
        error = SERIN_ERR_UNSUPPORTED;
    } else {
        *reason = "a damaged private key";
        error = key_load(der, der_size, key);
    }
    serin_keyfile_wipe(der, sizeof(der));
    return error;
}

/* ---- public ---- */

enum serin_error serin_pem_public_of(ecc_key *key, uint8_t public_key[SERIN_P256_PUBLIC_SIZE])
{
    word32 x_size = SCALAR_SIZE, y_size = SCALAR_SIZE;
    int result =
        wc_ecc_export_public_raw(key, public_key, &x_size, public_key + SCALAR_SIZE, &y_size);
    return result == 0 && x_size == SCALAR_SIZE && y_size == SCALAR_SIZE ? SERIN_OK
                                                                         : SERIN_ERR_CRYPTO;
}

static bool on_curve(const uint8_t x963[1 + SERIN_P256_PUBLIC_SIZE])
{
    ecc_key key;
    if (wc_ecc_init(&key) != 0) {
        return false;
    }
    bool ok = wc_ecc_import_x963_ex(x963, 1 + SERIN_P256_PUBLIC_SIZE, &key, ECC_SECP256R1) == 0 &&
              wc_ecc_check_key(&key) == 0;
    wc_ecc_free(&key);
    return ok;
}

enum serin_error serin_pem_get_public(const char *pem, size_t size,
                                      uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                                      const char **reason)
{
    uint8_t der[DER_MAX];
    word32 der_size = 0;
    *reason = "not a public key in PEM (SubjectPublicKeyInfo)";
    if (strlen(pem) != size || !block_decode(pem, "-----BEGIN PUBLIC KEY-----",
                                             "-----END PUBLIC KEY-----", der, &der_size)) {
        return SERIN_ERR_FORMAT;
    }
    if (!names_p256(der, der_size, reason)) {
        return SERIN_ERR_UNSUPPORTED;
    }
    /* The form is fixed: a P-256 key, uncompressed, is one prefix and the point (RFC 5480). */
    *reason = "not an uncompressed P-256 public key";
    if (der_size != SERIN_SPKI_SIZE) {
        return SERIN_ERR_FORMAT;
    }
    uint8_t spki[SERIN_SPKI_SIZE];
    const uint8_t *point = der + SERIN_SPKI_SIZE - SERIN_P256_PUBLIC_SIZE;
    serin_spki_encode(point, spki);
    if (memcmp(spki, der, sizeof(spki)) != 0) {
        return SERIN_ERR_FORMAT;
    }
    *reason = "a damaged public key: the point is not on the curve";
    if (!on_curve(point - 1)) {
        return SERIN_ERR_FORMAT;
    }
    memcpy(public_key, point, SERIN_P256_PUBLIC_SIZE);
    return SERIN_OK;
}
