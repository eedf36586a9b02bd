/*
 * What a signature covers (docs/spec/signing.md; design decision 9).
 *
 *   digest = SHA-256( "serin/" kind "/1" 0x00 ‖ body )       signature = ECDSA-P256(digest), r ‖ s
 *   key id = first 8 bytes of SHA-256( SubjectPublicKeyInfo )
 *
 * The body is opaque and is verified before it is parsed. Each kind has a domain string of its own,
 * so a signature made for one kind never verifies for another.
 */
#ifndef SERIN_SIGNED_H
#define SERIN_SIGNED_H

#include <serin/crypto.h>

#define SERIN_KEY_ID_SIZE 8u
#define SERIN_SPKI_SIZE   91u /* DER SubjectPublicKeyInfo of a P-256 key, uncompressed */

/* Signature algorithms; the numbers are frozen. Unknown ones are refused with
 * SERIN_ERR_UNSUPPORTED. */
enum serin_signature_type { SERIN_SIGNATURE_INVALID = 0, SERIN_SIGNATURE_ECDSA_P256 = 1 };

enum serin_signed_kind {
    SERIN_SIGNED_INVALID,
    SERIN_SIGNED_MANIFEST,  /* "serin/manifest/1\0", release key */
    SERIN_SIGNED_TRUST,     /* "serin/trust/1\0", root key */
    SERIN_SIGNED_DIRECTIVE, /* "serin/directive/1\0", director key */
    SERIN_SIGNED_COUNT
};

/* The digest that a signature of `kind` covers. */
void serin_signed_digest(const struct serin_crypto *crypto, enum serin_signed_kind kind,
                         const uint8_t *body, size_t body_size, uint8_t digest[SERIN_SHA256_SIZE]);

/* The DER SubjectPublicKeyInfo of a P-256 public key (RFC 5480): a fixed prefix and the point. */
void serin_spki_encode(const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                       uint8_t spki[SERIN_SPKI_SIZE]);

/* The key id of a public key. */
void serin_key_id(const struct serin_crypto *crypto,
                  const uint8_t public_key[SERIN_P256_PUBLIC_SIZE],
                  uint8_t key_id[SERIN_KEY_ID_SIZE]);

/* Verifies `signature` of `kind` over `body` with `public_key`, in one run: for hosts. Errors as
 * serin_p256_verify; state is not touched. */
SERIN_MUST_USE enum serin_error
serin_signed_verify(const struct serin_crypto *crypto, enum serin_signed_kind kind,
                    const uint8_t public_key[SERIN_P256_PUBLIC_SIZE], const uint8_t *body,
                    size_t body_size, const uint8_t signature[SERIN_P256_SIGNATURE_SIZE]);

/* The same within `run`, which notes it as `step`. */
SERIN_MUST_USE enum serin_error
serin_signed_prove(const struct serin_crypto *crypto, enum serin_signed_kind kind,
                   const uint8_t public_key[SERIN_P256_PUBLIC_SIZE], const uint8_t *body,
                   size_t body_size, const uint8_t signature[SERIN_P256_SIGNATURE_SIZE],
                   uint32_t step, struct serin_run *run);

#endif
