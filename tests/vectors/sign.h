/*
 * Signing for the vector generator: the test keys of v1/, with the nonce of RFC 6979, so that the
 * same input gives the same bytes on every run.
 */
#ifndef SERIN_VECTORS_SIGN_H
#define SERIN_VECTORS_SIGN_H

#include <serin/signed.h>

struct vector_key {
    uint8_t private_key[32];
    uint8_t public_key[SERIN_P256_PUBLIC_SIZE];
    uint8_t key_id[SERIN_KEY_ID_SIZE];
};

/* Reads a P-256 private key from a PEM file. False: it cannot be read. */
bool vector_key_load(const struct serin_crypto *crypto, const char *path, struct vector_key *key);

/* Sets a key from its private scalar. False: it is not one. */
bool vector_key_set(const struct serin_crypto *crypto, const uint8_t private_key[32],
                    struct vector_key *key);

/* Signs a digest. False: wolfCrypt failed. */
bool vector_sign_digest(const struct vector_key *key, const uint8_t digest[SERIN_SHA256_SIZE],
                        uint8_t signature[SERIN_P256_SIGNATURE_SIZE]);

#endif
