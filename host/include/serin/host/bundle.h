/*
 * The bundle: the file a release ships in (docs/spec/bundle.md).
 *
 *   offset size field                        offset       content
 *   ------ ---- -----------------------      ------       ---------------------------------------
 *        0    4 magic "SRNB"                 32           manifest, whole, with signature area
 *        4    2 format = 1                   32 + m       piece table
 *        6    2 header size = 32             32 + m + p   image
 *        8    4 manifest size m
 *       12    4 piece table size p
 *       16    8 image size
 *       24    4 reserved, zero
 *       28    4 CRC-32/ISO-HDLC of bytes 0..27
 *
 * The bundle itself is not signed: everything in it hangs on the manifest.
 */
#ifndef SERIN_HOST_BUNDLE_H
#define SERIN_HOST_BUNDLE_H

#include <serin/directive.h>
#include <serin/piece.h>
#include <serin/trust.h>

#define SERIN_BUNDLE_HEADER_SIZE 32u

/* A bundle in memory (mapped or read); pointers point into it. */
struct serin_bundle {
    const uint8_t *manifest;
    size_t manifest_size;
    const uint8_t *pieces;
    size_t pieces_size;
    const uint8_t *image;
    size_t image_size;
};

/* Splits a bundle. SERIN_ERR_TRUNCATED, SERIN_ERR_FORMAT (not a bundle, or bytes after its end),
 * SERIN_ERR_VERSION, SERIN_ERR_CRC, SERIN_ERR_RESERVED, SERIN_ERR_TOO_LARGE; `bundle` is then
 * unspecified. Nothing is verified yet. */
SERIN_MUST_USE enum serin_error serin_bundle_split(const uint8_t *data, size_t size,
                                                   struct serin_bundle *bundle);

/* Verifies all of it: signature and key (unless `trust` is NULL), manifest, piece table, every
 * piece, CRC32, SHA-256. Errors as serin_manifest_open, then SERIN_ERR_FORMAT (a section has
 * another size than the manifest says), SERIN_ERR_DIGEST, SERIN_ERR_CRC; `*what` (may be NULL) says
 * which part, in static storage: "manifest", "image size", "piece table size", "piece table",
 * "image piece", "image CRC32", "image SHA-256", or "" after success. `id` may be NULL. */
SERIN_MUST_USE enum serin_error
serin_bundle_verify(const struct serin_crypto *crypto, const struct serin_trust *trust,
                    const struct serin_bundle *bundle, struct serin_manifest *manifest,
                    uint8_t id[SERIN_SHA256_SIZE], const char **what);

/* The signing port: a private key in a file (adapters/keys), later behind PKCS#11. */
struct serin_signer_ops {
    /* Gives the public key. Any error but SERIN_OK means that none can be had. */
    enum serin_error (*public_key)(void *ctx, uint8_t public_key[SERIN_P256_PUBLIC_SIZE]);
    /* Signs a digest with ECDSA P-256; r and s each in [1, n-1]. Any error but SERIN_OK means that
     * nothing was signed. */
    enum serin_error (*sign)(void *ctx, const uint8_t digest[SERIN_SHA256_SIZE],
                             uint8_t signature[SERIN_P256_SIGNATURE_SIZE]);
};
struct serin_signer {
    const struct serin_signer_ops *ops;
    void *ctx;
};

/* Fills the image fields of `manifest` (size, CRC32, digests), signs it and writes header, manifest
 * and piece table into *prefix (allocated; the caller frees it with free()); the bundle file is
 * *prefix followed by the image. `image_size` is 1 .. SERIN_IMAGE_SIZE_MAX. SERIN_ERR_INVALID,
 * SERIN_ERR_FEATURE (a manifest field; `*field`, which may be NULL, names it), SERIN_ERR_CRYPTO,
 * SERIN_ERR_MEMORY; *prefix is then untouched. */
SERIN_MUST_USE enum serin_error
serin_bundle_build(const struct serin_crypto *crypto, const struct serin_signer *signer,
                   struct serin_manifest *manifest, const uint8_t *image, size_t image_size,
                   uint8_t **prefix, size_t *prefix_size, const char **field);

/* Signs a manifest as it is: body and signature area. Errors as serin_bundle_build. */
SERIN_MUST_USE enum serin_error serin_manifest_seal(const struct serin_crypto *crypto,
                                                    const struct serin_signer *signer,
                                                    const struct serin_manifest *manifest,
                                                    uint8_t bytes[SERIN_MANIFEST_SIZE_P256],
                                                    const char **field);

/* Signs a directive into its payload. SERIN_ERR_INVALID, SERIN_ERR_FEATURE (`*field`, which may be
 * NULL, names the field), SERIN_ERR_CRYPTO, SERIN_ERR_NO_SPACE (larger than a directive may be).
 * `payload` is then unspecified. */
SERIN_MUST_USE enum serin_error
serin_directive_seal(const struct serin_crypto *crypto, const struct serin_codec *codec,
                     const struct serin_signer *signer, const struct serin_directive *directive,
                     uint8_t payload[SERIN_DIRECTIVE_MAX], size_t *size, const char **field);

/* Signs a trust record with the root key and opens it as a device will. The caller has filled the
 * key ids (serin_key_id). SERIN_ERR_INVALID, SERIN_ERR_FEATURE, SERIN_ERR_KEY (a key stands twice,
 * or root stands among them), SERIN_ERR_FORMAT (a wrong key id), SERIN_ERR_CRYPTO; `record` is then
 * unspecified. */
SERIN_MUST_USE enum serin_error serin_trust_seal(const struct serin_crypto *crypto,
                                                 const struct serin_signer *signer,
                                                 const struct serin_trust *trust,
                                                 uint8_t record[SERIN_TRUST_SIZE_P256]);

#endif
