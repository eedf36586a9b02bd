/*
 * The trust record (docs/spec/trust.md): the root-signed list of release and director keys of one
 * product.
 *
 *   offset size field                              a key, 80 bytes
 *   ------ ---- ------------------------------     ------ ---- ------------------------------
 *        0    4 magic "SRNT"                            0    1 role (1 release, 2 director)
 *        4    2 format = 1                              1    1 algorithm (1 ECDSA P-256)
 *        6    2 body size = 704                         2    6 reserved, zero
 *        8    4 required features                       8    8 key id
 *       12    4 version, ≥ 1                           16   64 public key, X ‖ Y
 *       16   32 product
 *       48    8 created, Unix seconds
 *       56    1 number of keys, 1..8
 *       57    7 reserved, zero
 *       64  640 keys, 8 × 80; unused ones zero
 *      704      end of the signed body; then the signature area of serin/manifest.h
 *
 * A device takes a record whose version is higher than its own and whose signature verifies with
 * the root key that the factory gave it. One key never has two roles: a public key that stands
 * twice makes the record invalid.
 */
#ifndef SERIN_TRUST_H
#define SERIN_TRUST_H

#include <serin/manifest.h>

#define SERIN_TRUST_BODY_SIZE      704u
#define SERIN_TRUST_SIZE_P256      784u
#define SERIN_TRUST_MAX            4032u
#define SERIN_TRUST_KEYS_MAX       8u
#define SERIN_TRUST_FEATURES_KNOWN 0u

enum serin_key_role {
    SERIN_KEY_ROLE_INVALID = 0,
    SERIN_KEY_ROLE_RELEASE = 1,
    SERIN_KEY_ROLE_DIRECTOR = 2,
    SERIN_KEY_ROLE_ROOT = 3 /* never inside a record of format 1; used by key files */
};

struct serin_trust_key {
    enum serin_key_role role;
    uint8_t key_id[SERIN_KEY_ID_SIZE];
    uint8_t public_key[SERIN_P256_PUBLIC_SIZE];
};

struct serin_trust {
    uint32_t required_features;
    uint32_t version;
    char product[SERIN_PRODUCT_MAX + 1];
    uint64_t created_s;
    size_t key_count;
    struct serin_trust_key keys[SERIN_TRUST_KEYS_MAX];
};

/* Writes the body; the key ids are taken as given. SERIN_ERR_FEATURE, SERIN_ERR_INVALID (version,
 * product, number of keys, a role), SERIN_ERR_KEY (a key stands twice); `body` is then unspecified.
 */
SERIN_MUST_USE enum serin_error serin_trust_encode(const struct serin_trust *trust,
                                                   uint8_t body[SERIN_TRUST_BODY_SIZE]);

/* Reads a body. Errors as serin_manifest_decode; SERIN_ERR_KEY: a key stands twice;
 * SERIN_ERR_UNSUPPORTED: an algorithm. Key ids are recomputed and must match (SERIN_ERR_FORMAT). */
SERIN_MUST_USE enum serin_error serin_trust_decode(const struct serin_crypto *crypto,
                                                   const uint8_t *body, size_t size,
                                                   struct serin_trust *trust);

/* Verifies the whole record (body and signature area) with the root key, then decodes it.
 * SERIN_ERR_SIGNATURE, SERIN_ERR_KEY (the signature names another key than root, or root stands in
 * the record), and the errors of decoding. `trust` is unspecified after an error. */
SERIN_MUST_USE enum serin_error serin_trust_open(const struct serin_crypto *crypto,
                                                 const uint8_t root_key[SERIN_P256_PUBLIC_SIZE],
                                                 const uint8_t *record, size_t size,
                                                 struct serin_trust *trust);

/* The same within `run`, whose evidence then is SERIN_PROOF_TRUST_AFTER(what it was). */
SERIN_MUST_USE enum serin_error serin_trust_prove(const struct serin_crypto *crypto,
                                                  const uint8_t root_key[SERIN_P256_PUBLIC_SIZE],
                                                  const uint8_t *record, size_t size,
                                                  struct serin_trust *trust, struct serin_run *run);

/* serin_trust_open in two runs, for devices: `proof` is SERIN_PROOF_TRUST, which who uses the
 * record compares, both halves, besides the error. */
SERIN_MUST_USE enum serin_error
serin_trust_open_twice(const struct serin_crypto *crypto,
                       const uint8_t root_key[SERIN_P256_PUBLIC_SIZE], const uint8_t *record,
                       size_t size, struct serin_trust *trust, struct serin_proof *proof);

/* The key with `key_id` and `role`, or NULL. */
const struct serin_trust_key *serin_trust_find(const struct serin_trust *trust,
                                               enum serin_key_role role,
                                               const uint8_t key_id[SERIN_KEY_ID_SIZE]);

/* Verifies a whole manifest (body and signature area) with the release keys of `trust`, then
 * decodes it and gives its id. The product must be the trust record's (SERIN_ERR_PRODUCT). Other
 * errors: SERIN_ERR_KEY, SERIN_ERR_SIGNATURE, and those of decoding; nothing is trusted after an
 * error. `id` may be NULL. */
SERIN_MUST_USE enum serin_error serin_manifest_open(const struct serin_crypto *crypto,
                                                    const struct serin_trust *trust,
                                                    const uint8_t *bytes, size_t size,
                                                    struct serin_manifest *manifest,
                                                    uint8_t id[SERIN_SHA256_SIZE]);

/* The same within `run`, whose evidence then is SERIN_PROOF_MANIFEST_AFTER(what it was). */
SERIN_MUST_USE enum serin_error
serin_manifest_prove(const struct serin_crypto *crypto, const struct serin_trust *trust,
                     const uint8_t *bytes, size_t size, struct serin_manifest *manifest,
                     uint8_t id[SERIN_SHA256_SIZE], struct serin_run *run);

/* serin_manifest_open in two runs, for devices; see serin_trust_open_twice. SERIN_PROOF_MANIFEST.
 */
SERIN_MUST_USE enum serin_error serin_manifest_open_twice(const struct serin_crypto *crypto,
                                                          const struct serin_trust *trust,
                                                          const uint8_t *bytes, size_t size,
                                                          struct serin_manifest *manifest,
                                                          struct serin_proof *proof);

#endif
