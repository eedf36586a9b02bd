/*
 * P-256 keys as PEM text, on wolfCrypt. Keys of other curves are told apart by their names in the
 * file, because wolfCrypt guesses a curve by the length of the key where it has lost the name.
 */
#ifndef SERIN_PEM_H
#define SERIN_PEM_H

#include <serin/crypto.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/ecc.h>

#define SERIN_PEM_PRIVATE_MAX 1024u

/* Writes a private key as PKCS#8 with a terminator. SERIN_ERR_CRYPTO. */
SERIN_MUST_USE enum serin_error serin_pem_put_private(ecc_key *key, char pem[SERIN_PEM_PRIVATE_MAX],
                                                      size_t *size);

/* Reads a private key (PKCS#8 or SEC1) into `key`, which is initialised and holds its public half
 * afterwards. On an error *reason says in words what is wrong with the text. SERIN_ERR_FORMAT,
 * SERIN_ERR_UNSUPPORTED, SERIN_ERR_CRYPTO. */
SERIN_MUST_USE enum serin_error serin_pem_get_private(const char *pem, size_t size, ecc_key *key,
                                                      const char **reason);

/* Reads a public key (SubjectPublicKeyInfo). Errors as above. */
SERIN_MUST_USE enum serin_error serin_pem_get_public(const char *pem, size_t size,
                                                     uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                                                     const char **reason);

/* The public half of a key. SERIN_ERR_CRYPTO. */
SERIN_MUST_USE enum serin_error serin_pem_public_of(ecc_key *key,
                                                    uint8_t public_key[SERIN_P256_PUBLIC_SIZE]);

#endif
