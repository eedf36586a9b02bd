/*
 * P-256 keys in PEM files (docs/spec/signing.md): made, read, and used behind the signing port of
 * serin/host/bundle.h.
 *
 * Private keys are written as PKCS#8 ("BEGIN PRIVATE KEY") and read as that or as SEC1 ("BEGIN EC
 * PRIVATE KEY"); public keys are SubjectPublicKeyInfo ("BEGIN PUBLIC KEY"), uncompressed. Other
 * curves, other algorithms and encrypted files are refused. Files over 16 KiB are refused.
 *
 * Every function that reads or writes a file fills `why` on an error with one sentence for the
 * operator, which names the file and says what to do; `why` may be NULL. Not bound to a thread.
 */
#ifndef SERIN_ADAPTERS_KEYS_H
#define SERIN_ADAPTERS_KEYS_H

#include <serin/host/bundle.h>

#define SERIN_KEY_WHY_SIZE 512u

struct serin_key_why {
    char text[SERIN_KEY_WHY_SIZE]; /* "" after success */
};

/* Makes a key pair and writes both files, private with mode 0600, public with 0644; each is made
 * anew and durable when the function returns SERIN_OK. `public_path` may be NULL. SERIN_ERR_EXISTS:
 * one of them is there already; it is not touched. SERIN_ERR_NOT_FOUND: a folder does not exist.
 * SERIN_ERR_IO, SERIN_ERR_CRYPTO. After an error neither of the two files is left behind by this
 * call. */
SERIN_MUST_USE enum serin_error
serin_key_generate(const char *private_path, const char *public_path, struct serin_key_why *why);

/* Writes a public key as PEM into a new file of mode 0644. SERIN_ERR_EXISTS,
 * SERIN_ERR_NOT_FOUND (its folder), SERIN_ERR_IO, SERIN_ERR_CRYPTO. */
SERIN_MUST_USE enum serin_error
serin_key_write_public(const char *path, const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                       struct serin_key_why *why);

#define SERIN_KEY_PEM_MAX 512u

/* Writes a public key as PEM text with its terminator. SERIN_ERR_CRYPTO. */
SERIN_MUST_USE enum serin_error
serin_key_public_pem(const uint8_t public_key[SERIN_P256_PUBLIC_SIZE], char pem[SERIN_KEY_PEM_MAX]);

/* Reads a public key file. SERIN_ERR_NOT_FOUND, SERIN_ERR_IO, SERIN_ERR_FORMAT (no public key, or a
 * point that is not on the curve), SERIN_ERR_UNSUPPORTED (another curve or algorithm). */
SERIN_MUST_USE enum serin_error serin_key_read_public(const char *path,
                                                      uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                                                      struct serin_key_why *why);

/* A private key in memory; opaque. */
struct serin_key_signer;

/* Reads a private key file. Errors as serin_key_read_public, and SERIN_ERR_DENIED: it is a
 * private key, and users outside its group may read the file. The caller closes the signer. */
SERIN_MUST_USE enum serin_error serin_key_signer_open(struct serin_key_signer **signer,
                                                      const char *path, struct serin_key_why *why);

/* A signer on a private key that the caller names, a number of 32 bytes, big-endian: for
 * simulations, whose keys protect nothing and are the same in every run. SERIN_ERR_CRYPTO: it is no
 * key (0, or not below the order of the curve); SERIN_ERR_MEMORY. *signer is then NULL. */
SERIN_MUST_USE enum serin_error serin_key_signer_of(struct serin_key_signer **signer,
                                                    const uint8_t number[32]);

/* The signing port on this key; valid until the signer is closed. One thread at a time. The same
 * digest is signed by the same bytes each time (RFC 6979). */
struct serin_signer serin_key_signer_port(struct serin_key_signer *signer);

/* Wipes the key and frees the signer; NULL is fine. */
void serin_key_signer_close(struct serin_key_signer *signer);

#endif
