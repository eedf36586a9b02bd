/* The typed signature area behind a manifest or a trust record (docs/spec/signing.md, section 4).
 */
#include <serin/manifest.h>

#include <string.h>

/* Offsets from the end of the body. */
enum {
    AREA_TYPE = 0,
    AREA_SIZE = 2,
    AREA_KEY_ID = 4,
    AREA_RESERVED = 12,
    AREA_SIGNATURE = 16,
};
_Static_assert(AREA_SIGNATURE == SERIN_SIGNATURE_HEAD_SIZE, "docs/spec/signing.md");
_Static_assert(SERIN_MANIFEST_BODY_SIZE + AREA_SIGNATURE == SERIN_MANIFEST_HEAD_SIZE,
               "docs/spec/manifest.md");
_Static_assert(SERIN_MANIFEST_HEAD_SIZE + SERIN_P256_SIGNATURE_SIZE == SERIN_MANIFEST_SIZE_P256,
               "docs/spec/manifest.md");
_Static_assert(SERIN_MANIFEST_HEAD_SIZE + SERIN_SIGNATURE_MAX == SERIN_MANIFEST_MAX,
               "docs/spec/manifest.md");

enum serin_error serin_signature_area_decode(const uint8_t *bytes, size_t size, size_t body_size,
                                             struct serin_signature_area *area)
{
    if (size < body_size || size - body_size < AREA_SIGNATURE) {
        return SERIN_ERR_TRUNCATED;
    }
    const uint8_t *head = bytes + body_size;
    size_t present = size - body_size - AREA_SIGNATURE;
    size_t signature_size = serin_get_le16(head + AREA_SIZE);
    if (serin_get_le16(head + AREA_TYPE) != SERIN_SIGNATURE_ECDSA_P256) {
        return SERIN_ERR_UNSUPPORTED;
    }
    if (signature_size > SERIN_SIGNATURE_MAX || present > SERIN_SIGNATURE_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    if (serin_get_le32(head + AREA_RESERVED) != 0) {
        return SERIN_ERR_RESERVED;
    }
    if (signature_size != SERIN_P256_SIGNATURE_SIZE) {
        return SERIN_ERR_FORMAT;
    }
    if (present < signature_size) {
        return SERIN_ERR_TRUNCATED;
    }
    if (present > signature_size) {
        return SERIN_ERR_FORMAT;
    }
    area->type = SERIN_SIGNATURE_ECDSA_P256;
    memcpy(area->key_id, head + AREA_KEY_ID, SERIN_KEY_ID_SIZE);
    area->signature = head + AREA_SIGNATURE;
    area->signature_size = signature_size;
    return SERIN_OK;
}

size_t serin_signature_area_encode_p256(uint8_t *bytes, size_t body_size,
                                        const uint8_t key_id[SERIN_KEY_ID_SIZE],
                                        const uint8_t signature[SERIN_P256_SIGNATURE_SIZE])
{
    uint8_t *head = bytes + body_size;
    serin_put_le16(head + AREA_TYPE, SERIN_SIGNATURE_ECDSA_P256);
    serin_put_le16(head + AREA_SIZE, SERIN_P256_SIGNATURE_SIZE);
    memcpy(head + AREA_KEY_ID, key_id, SERIN_KEY_ID_SIZE);
    serin_put_le32(head + AREA_RESERVED, 0);
    memcpy(head + AREA_SIGNATURE, signature, SERIN_P256_SIGNATURE_SIZE);
    return body_size + AREA_SIGNATURE + SERIN_P256_SIGNATURE_SIZE;
}
