/*
 * The bundle: splitting, verifying and building (docs/spec/bundle.md).
 */
#include <serin/crc32.h>
#include <serin/host/bundle.h>

#include <stdlib.h>
#include <string.h>

enum {
    OFFSET_MAGIC = 0,
    OFFSET_FORMAT = 4,
    OFFSET_HEADER_SIZE = 6,
    OFFSET_MANIFEST_SIZE = 8,
    OFFSET_PIECES_SIZE = 12,
    OFFSET_IMAGE_SIZE = 16,
    OFFSET_RESERVED = 24,
    OFFSET_CRC32 = 28,
};
_Static_assert(OFFSET_CRC32 + 4 == SERIN_BUNDLE_HEADER_SIZE, "docs/spec/bundle.md");

#define BUNDLE_FORMAT 1u
#define PIECES_MAX    (SERIN_IMAGE_SIZE_MAX / SERIN_PIECE_SIZE * SERIN_SHA256_SIZE)

static const uint8_t magic[4] = {'S', 'R', 'N', 'B'};

/* ---- splitting ---- */

/* What can be told from the 32 bytes of the header alone. */
static enum serin_error header_check(const uint8_t header[SERIN_BUNDLE_HEADER_SIZE])
{
    if (memcmp(header + OFFSET_MAGIC, magic, sizeof(magic)) != 0) {
        return SERIN_ERR_FORMAT;
    }
    if (serin_crc32(0, header, OFFSET_CRC32) != serin_get_le32(header + OFFSET_CRC32)) {
        return SERIN_ERR_CRC;
    }
    if (serin_get_le16(header + OFFSET_FORMAT) != BUNDLE_FORMAT) {
        return SERIN_ERR_VERSION;
    }
    if (serin_get_le16(header + OFFSET_HEADER_SIZE) != SERIN_BUNDLE_HEADER_SIZE) {
        return SERIN_ERR_FORMAT;
    }
    if (serin_get_le32(header + OFFSET_RESERVED) != 0) {
        return SERIN_ERR_RESERVED;
    }
    return SERIN_OK;
}

enum serin_error serin_bundle_split(const uint8_t *data, size_t size, struct serin_bundle *bundle)
{
    if (size < SERIN_BUNDLE_HEADER_SIZE) {
        return SERIN_ERR_TRUNCATED;
    }
    enum serin_error error = header_check(data);
    if (error != SERIN_OK) {
        return error;
    }
    uint32_t manifest_size = serin_get_le32(data + OFFSET_MANIFEST_SIZE);
    uint32_t pieces_size = serin_get_le32(data + OFFSET_PIECES_SIZE);
    uint64_t image_size = serin_get_le64(data + OFFSET_IMAGE_SIZE);
    if (manifest_size > SERIN_MANIFEST_MAX || pieces_size > PIECES_MAX ||
        image_size > (uint64_t)SERIN_IMAGE_SIZE_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    /* All three are bounded now, so this sum cannot wrap. */
    uint64_t whole = SERIN_BUNDLE_HEADER_SIZE + (uint64_t)manifest_size + pieces_size + image_size;
    if (size != whole) {
        return size < whole ? SERIN_ERR_TRUNCATED : SERIN_ERR_FORMAT;
    }
    bundle->manifest = data + SERIN_BUNDLE_HEADER_SIZE;
    bundle->manifest_size = manifest_size;
    bundle->pieces = bundle->manifest + manifest_size;
    bundle->pieces_size = pieces_size;
    bundle->image = bundle->pieces + pieces_size;
    bundle->image_size = (size_t)image_size;
    return SERIN_OK;
}

/* ---- verifying ---- */

/* Reads a manifest whose signature nobody asks about; its signature area must still be well formed.
 */
static enum serin_error manifest_read(const struct serin_crypto *crypto, const uint8_t *bytes,
                                      size_t size, struct serin_manifest *manifest,
                                      uint8_t id[SERIN_SHA256_SIZE])
{
    struct serin_signature_area area;
    enum serin_error error =
        serin_signature_area_decode(bytes, size, SERIN_MANIFEST_BODY_SIZE, &area);
    if (error == SERIN_OK) {
        error = serin_manifest_decode(bytes, SERIN_MANIFEST_BODY_SIZE, manifest);
    }
    if (error == SERIN_OK && id != NULL) {
        serin_manifest_id(crypto, bytes, id);
    }
    return error;
}

static bool digest_is(const struct serin_crypto *crypto, const uint8_t *data, size_t size,
                      const uint8_t expected[SERIN_SHA256_SIZE])
{
    uint8_t digest[SERIN_SHA256_SIZE];
    serin_sha256_of(crypto, data, size, digest);
    return memcmp(digest, expected, sizeof(digest)) == 0;
}

static bool pieces_hold(const struct serin_crypto *crypto, const struct serin_bundle *bundle)
{
    uint32_t image_size = (uint32_t)bundle->image_size;
    for (uint32_t i = 0; i < serin_piece_count(image_size); i++) {
        const uint8_t *piece = bundle->image + (size_t)i * SERIN_PIECE_SIZE;
        const uint8_t *expected = bundle->pieces + (size_t)i * SERIN_SHA256_SIZE;
        if (!digest_is(crypto, piece, serin_piece_size(image_size, i), expected)) {
            return false;
        }
    }
    return true;
}

/* The sections against the manifest: sizes first, so that no hash reads past a section. */
static enum serin_error sections_check(const struct serin_crypto *crypto,
                                       const struct serin_bundle *bundle,
                                       const struct serin_manifest *manifest, const char **what)
{
    *what = "image size";
    if (bundle->image_size != manifest->image_size_bytes) {
        return SERIN_ERR_FORMAT;
    }
    *what = "piece table size";
    if (bundle->pieces_size != serin_piece_table_size(manifest->image_size_bytes)) {
        return SERIN_ERR_FORMAT;
    }
    *what = "piece table";
    if (!digest_is(crypto, bundle->pieces, bundle->pieces_size, manifest->pieces_sha256)) {
        return SERIN_ERR_DIGEST;
    }
    *what = "image piece";
    if (!pieces_hold(crypto, bundle)) {
        return SERIN_ERR_DIGEST;
    }
    *what = "image CRC32";
    if (serin_crc32(0, bundle->image, bundle->image_size) != manifest->image_crc32) {
        return SERIN_ERR_CRC;
    }
    *what = "image SHA-256";
    if (!digest_is(crypto, bundle->image, bundle->image_size, manifest->image_sha256)) {
        return SERIN_ERR_DIGEST;
    }
    *what = "";
    return SERIN_OK;
}

enum serin_error serin_bundle_verify(const struct serin_crypto *crypto,
                                     const struct serin_trust *trust,
                                     const struct serin_bundle *bundle,
                                     struct serin_manifest *manifest, uint8_t id[SERIN_SHA256_SIZE],
                                     const char **what)
{
    const char *part = "manifest";
    enum serin_error error;
    if (trust != NULL) {
        error = serin_manifest_open(crypto, trust, bundle->manifest, bundle->manifest_size,
                                    manifest, id);
    } else {
        error = manifest_read(crypto, bundle->manifest, bundle->manifest_size, manifest, id);
    }
    if (error == SERIN_OK) {
        error = sections_check(crypto, bundle, manifest, &part);
    }
    if (what != NULL) {
        *what = part;
    }
    return error;
}

/* ---- building ---- */

static void pieces_write(const struct serin_crypto *crypto, const uint8_t *image,
                         uint32_t image_size, uint8_t *pieces)
{
    for (uint32_t i = 0; i < serin_piece_count(image_size); i++) {
        serin_sha256_of(crypto, image + (size_t)i * SERIN_PIECE_SIZE,
                        serin_piece_size(image_size, i), pieces + (size_t)i * SERIN_SHA256_SIZE);
    }
}

static void header_write(uint8_t *header, uint32_t pieces_size, uint32_t image_size)
{
    memset(header, 0, SERIN_BUNDLE_HEADER_SIZE);
    memcpy(header + OFFSET_MAGIC, magic, sizeof(magic));
    serin_put_le16(header + OFFSET_FORMAT, BUNDLE_FORMAT);
    serin_put_le16(header + OFFSET_HEADER_SIZE, SERIN_BUNDLE_HEADER_SIZE);
    serin_put_le32(header + OFFSET_MANIFEST_SIZE, SERIN_MANIFEST_SIZE_P256);
    serin_put_le32(header + OFFSET_PIECES_SIZE, pieces_size);
    serin_put_le64(header + OFFSET_IMAGE_SIZE, image_size);
    serin_put_le32(header + OFFSET_CRC32, serin_crc32(0, header, OFFSET_CRC32));
}

enum serin_error serin_bundle_build(const struct serin_crypto *crypto,
                                    const struct serin_signer *signer,
                                    struct serin_manifest *manifest, const uint8_t *image,
                                    size_t image_size, uint8_t **prefix, size_t *prefix_size,
                                    const char **field)
{
    const char *wrong = "image_size_bytes";
    uint8_t *bytes = NULL;
    enum serin_error error = SERIN_ERR_INVALID;
    if (image_size < 1 || image_size > (size_t)SERIN_IMAGE_SIZE_MAX) {
        goto out;
    }
    uint32_t size = (uint32_t)image_size;
    uint32_t pieces_size = serin_piece_table_size(size);
    size_t whole = SERIN_BUNDLE_HEADER_SIZE + SERIN_MANIFEST_SIZE_P256 + (size_t)pieces_size;
    bytes = malloc(whole);
    wrong = NULL;
    error = SERIN_ERR_MEMORY;
    if (bytes == NULL) {
        goto out;
    }
    uint8_t *pieces = bytes + SERIN_BUNDLE_HEADER_SIZE + SERIN_MANIFEST_SIZE_P256;
    header_write(bytes, pieces_size, size);
    pieces_write(crypto, image, size, pieces);
    manifest->image_size_bytes = size;
    manifest->image_crc32 = serin_crc32(0, image, image_size);
    serin_sha256_of(crypto, image, image_size, manifest->image_sha256);
    serin_sha256_of(crypto, pieces, pieces_size, manifest->pieces_sha256);
    error = serin_manifest_seal(crypto, signer, manifest, bytes + SERIN_BUNDLE_HEADER_SIZE, &wrong);
    if (error == SERIN_OK) {
        *prefix = bytes;
        *prefix_size = whole;
        bytes = NULL; /* it is the caller's now */
    }
out:
    free(bytes);
    if (field != NULL) {
        *field = wrong;
    }
    return error;
}
