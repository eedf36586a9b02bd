/* Signing with wolfCrypt's deterministic ECDSA. */
#include "sign.h"

#include <stdio.h>
#include <string.h>

/* options.h first: it decides the layout of every wolfCrypt type. */
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>

/* Fills in what follows from the private scalar that `ecc` holds. */
static bool describe_key(const struct serin_crypto *crypto, ecc_key *ecc, struct vector_key *key)
{
    word32 private_size = sizeof key->private_key;
    word32 x_size = 32;
    word32 y_size = 32;
    bool good = wc_ecc_export_private_only(ecc, key->private_key, &private_size) == 0 &&
                wc_ecc_make_pub(ecc, NULL) == 0 &&
                wc_ecc_export_public_raw(ecc, key->public_key, &x_size, key->public_key + 32,
                                         &y_size) == 0 &&
                private_size == 32 && x_size == 32 && y_size == 32;
    if (good) {
        serin_key_id(crypto, key->public_key, key->key_id);
    }
    return good;
}

bool vector_key_load(const struct serin_crypto *crypto, const char *path, struct vector_key *key)
{
    uint8_t pem[2048];
    uint8_t der[512];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    size_t pem_size = fread(pem, 1, sizeof pem, file);
    fclose(file);

    ecc_key ecc;
    word32 at = 0;
    int der_size = wc_KeyPemToDer(pem, (int)pem_size, der, sizeof der, NULL);
    if (der_size <= 0 || wc_ecc_init(&ecc) != 0) {
        return false;
    }
    bool good = wc_EccPrivateKeyDecode(der, &at, &ecc, (word32)der_size) == 0 &&
                describe_key(crypto, &ecc, key);
    wc_ecc_free(&ecc);
    return good;
}

bool vector_key_set(const struct serin_crypto *crypto, const uint8_t private_key[32],
                    struct vector_key *key)
{
    ecc_key ecc;
    if (wc_ecc_init(&ecc) != 0) {
        return false;
    }
    bool good = wc_ecc_import_private_key_ex(private_key, 32, NULL, 0, &ecc, ECC_SECP256R1) == 0 &&
                describe_key(crypto, &ecc, key);
    wc_ecc_free(&ecc);
    return good;
}

/* Puts a number that wolfCrypt gave without leading zeros into its 32 bytes. */
static void widen(uint8_t out[32], const uint8_t *number, word32 size)
{
    memset(out, 0, 32);
    memcpy(out + 32 - size, number, size);
}

bool vector_sign_digest(const struct vector_key *key, const uint8_t digest[SERIN_SHA256_SIZE],
                        uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    ecc_key ecc;
    WC_RNG rng; /* asked for, but not used: the nonce comes from key and digest */
    uint8_t der[ECC_MAX_SIG_SIZE];
    uint8_t r[32];
    uint8_t s[32];
    word32 der_size = sizeof der;
    word32 r_size = sizeof r;
    word32 s_size = sizeof s;
    if (wc_InitRng(&rng) != 0) {
        return false;
    }
    bool good = wc_ecc_init(&ecc) == 0;
    if (good) {
        good =
            wc_ecc_import_private_key_ex(key->private_key, 32, NULL, 0, &ecc, ECC_SECP256R1) == 0 &&
            wc_ecc_set_deterministic(&ecc, 1) == 0 &&
            wc_ecc_sign_hash(digest, SERIN_SHA256_SIZE, der, &der_size, &rng, &ecc) == 0 &&
            wc_ecc_sig_to_rs(der, der_size, r, &r_size, s, &s_size) == 0;
        wc_ecc_free(&ecc);
    }
    wc_FreeRng(&rng);
    if (good) {
        widen(signature, r, r_size);
        widen(signature + 32, s, s_size);
    }
    return good;
}
