/*
 * Key files, and the signing port on a private key in memory.
 */
#include <serin/adapters/keys.h>

#include "keyfile.h"
#include "pem.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/signed.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/random.h>

#define SCALAR_SIZE  32u
#define PRIVATE_MODE (S_IRUSR | S_IWUSR)
#define PUBLIC_MODE  (S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH)

static void why_clear(struct serin_key_why *why)
{
    if (why != NULL) {
        why->text[0] = '\0';
    }
}

/* ---- public keys ---- */

enum serin_error serin_key_public_pem(const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                                      char pem[SERIN_KEY_PEM_MAX])
{
    uint8_t spki[SERIN_SPKI_SIZE];
    serin_spki_encode(public_key, spki);
    int written =
        wc_DerToPem(spki, sizeof(spki), (byte *)pem, SERIN_KEY_PEM_MAX - 1, ECC_PUBLICKEY_TYPE);
    if (written <= 0) {
        return SERIN_ERR_CRYPTO;
    }
    pem[written] = '\0';
    return SERIN_OK;
}

enum serin_error serin_key_write_public(const char *path,
                                        const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                                        struct serin_key_why *why)
{
    why_clear(why);
    char pem[SERIN_KEY_PEM_MAX];
    enum serin_error error = serin_key_public_pem(public_key, pem);
    if (error != SERIN_OK) {
        return serin_keyfile_explain(why, error, "%s: wolfCrypt could not encode the key", path);
    }
    return serin_keyfile_create(path, PUBLIC_MODE, pem, strlen(pem), why);
}

enum serin_error serin_key_read_public(const char *path, uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                                       struct serin_key_why *why)
{
    why_clear(why);
    char pem[SERIN_KEYFILE_MAX + 1];
    size_t size = 0;
    enum serin_error error = serin_keyfile_read(path, pem, &size, NULL, why);
    if (error != SERIN_OK) {
        return error;
    }
    const char *reason = "";
    error = serin_pem_get_public(pem, size, public_key, &reason);
    return error == SERIN_OK ? SERIN_OK : serin_keyfile_explain(why, error, "%s: %s", path, reason);
}

/* ---- making a pair ---- */

static enum serin_error pair_write(ecc_key *key, const char *private_path, const char *public_path,
                                   struct serin_key_why *why)
{
    char pem[SERIN_PEM_PRIVATE_MAX];
    size_t size = 0;
    uint8_t public_key[SERIN_P256_PUBLIC_SIZE];
    enum serin_error error = serin_pem_put_private(key, pem, &size);
    if (error == SERIN_OK) {
        error = serin_pem_public_of(key, public_key);
    }
    if (error != SERIN_OK) {
        (void)serin_keyfile_explain(why, error, "%s: wolfCrypt could not encode the key",
                                    private_path);
    } else {
        error = serin_keyfile_create(private_path, PRIVATE_MODE, pem, size, why);
    }
    serin_keyfile_wipe(pem, sizeof(pem));
    if (error != SERIN_OK || public_path == NULL) {
        return error;
    }
    error = serin_key_write_public(public_path, public_key, why);
    if (error != SERIN_OK) {
        (void)unlink(private_path); /* made a moment ago by this call, used by nobody yet */
    }
    return error;
}

enum serin_error serin_key_generate(const char *private_path, const char *public_path,
                                    struct serin_key_why *why)
{
    why_clear(why);
    WC_RNG rng;
    if (wc_InitRng(&rng) != 0) {
        return serin_keyfile_explain(why, SERIN_ERR_CRYPTO, "no random numbers can be had");
    }
    ecc_key key;
    enum serin_error error = SERIN_ERR_CRYPTO;
    if (wc_ecc_init(&key) == 0) {
        if (wc_ecc_make_key_ex(&rng, SCALAR_SIZE, &key, ECC_SECP256R1) == 0) {
            error = pair_write(&key, private_path, public_path, why);
        } else {
            (void)serin_keyfile_explain(why, error, "%s: wolfCrypt could not make a key",
                                        private_path);
        }
        wc_ecc_free(&key);
    }
    wc_FreeRng(&rng);
    return error;
}

/* ---- signing ---- */

struct serin_key_signer {
    ecc_key key;
    WC_RNG rng;
    uint8_t public_key[SERIN_P256_PUBLIC_SIZE];
};

/* Brings a big-endian number of at most 32 bytes to fixed width. */
static bool scalar_widen(uint8_t out[SCALAR_SIZE], const uint8_t *number, word32 size)
{
    if (size > SCALAR_SIZE) {
        return false;
    }
    memset(out, 0, SCALAR_SIZE);
    memcpy(out + SCALAR_SIZE - size, number, size);
    return true;
}

static enum serin_error signer_public_key(void *ctx, uint8_t public_key[SERIN_P256_PUBLIC_SIZE])
{
    const struct serin_key_signer *signer = ctx;
    memcpy(public_key, signer->public_key, SERIN_P256_PUBLIC_SIZE);
    return SERIN_OK;
}

static enum serin_error signer_sign(void *ctx, const uint8_t digest[SERIN_SHA256_SIZE],
                                    uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    struct serin_key_signer *signer = ctx;
    uint8_t der[ECC_MAX_SIG_SIZE];
    word32 der_size = sizeof(der);
    if (wc_ecc_sign_hash(digest, SERIN_SHA256_SIZE, der, &der_size, &signer->rng, &signer->key) !=
        0) {
        return SERIN_ERR_CRYPTO;
    }
    uint8_t r[ECC_MAXSIZE], s[ECC_MAXSIZE];
    word32 r_size = sizeof(r), s_size = sizeof(s);
    if (wc_ecc_sig_to_rs(der, der_size, r, &r_size, s, &s_size) != 0 ||
        !scalar_widen(signature, r, r_size) || !scalar_widen(signature + SCALAR_SIZE, s, s_size)) {
        return SERIN_ERR_CRYPTO;
    }
    return SERIN_OK;
}

static enum serin_error signer_load(struct serin_key_signer *signer, const char *path,
                                    struct serin_key_why *why)
{
    char pem[SERIN_KEYFILE_MAX + 1];
    size_t size = 0;
    mode_t mode = 0;
    enum serin_error error = serin_keyfile_read(path, pem, &size, &mode, why);
    if (error != SERIN_OK) {
        return error;
    }
    const char *reason = "";
    error = serin_pem_get_private(pem, size, &signer->key, &reason);
    serin_keyfile_wipe(pem, sizeof(pem));
    if (error == SERIN_OK) {
        reason = "wolfCrypt could not use the key";
        error = serin_pem_public_of(&signer->key, signer->public_key);
    }
    /* The mode comes last: of a file that is no private key, it would be the wrong complaint. */
    return error == SERIN_OK ? serin_keyfile_check_mode(path, mode, why)
                             : serin_keyfile_explain(why, error, "%s: %s", path, reason);
}

/* An empty signer with its source of random numbers. SERIN_ERR_MEMORY, SERIN_ERR_CRYPTO. */
static enum serin_error signer_make(struct serin_key_signer **out)
{
    struct serin_key_signer *signer = calloc(1, sizeof(*signer));
    if (signer == NULL) {
        return SERIN_ERR_MEMORY;
    }
    if (wc_InitRng(&signer->rng) != 0) {
        free(signer);
        return SERIN_ERR_CRYPTO;
    }
    if (wc_ecc_init(&signer->key) != 0) {
        wc_FreeRng(&signer->rng);
        free(signer);
        return SERIN_ERR_CRYPTO;
    }
    /* The nonce comes from the key and the digest (RFC 6979, section 3.2): a poor source of random
     * numbers does not give the key away, and what is signed again is the same bytes. */
    if (wc_ecc_set_deterministic(&signer->key, 1) != 0) {
        serin_key_signer_close(signer);
        return SERIN_ERR_CRYPTO;
    }
    *out = signer;
    return SERIN_OK;
}

enum serin_error serin_key_signer_open(struct serin_key_signer **out, const char *path,
                                       struct serin_key_why *why)
{
    struct serin_key_signer *signer = NULL;
    *out = NULL;
    why_clear(why);
    enum serin_error error = signer_make(&signer);
    if (error != SERIN_OK) {
        return serin_keyfile_explain(why, error, "%s: %s", path,
                                     error == SERIN_ERR_MEMORY ? "memory is exhausted"
                                                               : "no random numbers can be had");
    }
    error = signer_load(signer, path, why);
    if (error != SERIN_OK) {
        serin_key_signer_close(signer);
        return error;
    }
    *out = signer;
    return SERIN_OK;
}

enum serin_error serin_key_signer_of(struct serin_key_signer **out, const uint8_t number[32])
{
    struct serin_key_signer *signer = NULL;
    *out = NULL;
    enum serin_error error = signer_make(&signer);
    if (error != SERIN_OK) {
        return error;
    }
    error = SERIN_ERR_CRYPTO;
    if (wc_ecc_import_private_key_ex(number, SCALAR_SIZE, NULL, 0, &signer->key, ECC_SECP256R1) ==
            0 &&
        wc_ecc_make_pub_ex(&signer->key, NULL, &signer->rng) == 0 &&
        wc_ecc_check_key(&signer->key) == 0) {
        error = serin_pem_public_of(&signer->key, signer->public_key);
    }
    if (error != SERIN_OK) {
        serin_key_signer_close(signer);
        return error;
    }
    *out = signer;
    return SERIN_OK;
}

struct serin_signer serin_key_signer_port(struct serin_key_signer *signer)
{
    static const struct serin_signer_ops ops = {
        .public_key = signer_public_key,
        .sign = signer_sign,
    };
    return (struct serin_signer){.ops = &ops, .ctx = signer};
}

void serin_key_signer_close(struct serin_key_signer *signer)
{
    if (signer == NULL) {
        return;
    }
    wc_ecc_free(&signer->key); /* wipes the private half */
    wc_FreeRng(&signer->rng);
    serin_keyfile_wipe(signer, sizeof(*signer));
    free(signer);
}
