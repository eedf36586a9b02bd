/*
 * The manifest (docs/spec/manifest.md): the signed, fixed-layout description of one image.
 *
 *   offset size field                              offset size field
 *   ------ ---- ------------------------------     ------ ---- ------------------------------
 *        0    4 magic "SRNM"                          136   32 SHA-256 of the image
 *        4    2 format = 1                            168   32 SHA-256 of the piece table
 *        6    2 body size = 512                       200    4 load address
 *        8    4 required features                     204    4 entry address
 *       12    4 reserved, zero                        208    4 slot mask (bit 0 = A, bit 1 = B)
 *       16   32 vendor                                212    4 minimum bootloader version
 *       48   32 product                               216    2 confirmation window, seconds
 *       80   32 component                             218    1 confirmation tries
 *      112    2 hardware revision, lowest             219    1 reserved, zero
 *      114    2 hardware revision, highest            220    4 reserved, zero
 *      116    2 version, patch                        224    8 created, Unix seconds
 *      118    2 version, minor                        232  128 channels, 4 × 32
 *      120    2 version, major                        360  152 reserved, zero
 *      122    2 reserved, zero                        512      end of the signed body
 *      124    4 security counter                      512    2 signature type
 *      128    4 image size, bytes                     514    2 signature size, bytes
 *      132    4 CRC-32/ISO-HDLC of the image          516    8 key id
 *                                                     524    4 reserved, zero
 *                                                     528    n signature
 *
 * All integers are little-endian. Names are NUL-padded. The manifest id is the SHA-256 of the 512
 * body bytes; the signature is never an identity. The same bytes travel from the release desk to
 * the bootloader.
 */
#ifndef SERIN_MANIFEST_H
#define SERIN_MANIFEST_H

#include <serin/id.h>
#include <serin/signed.h>

#define SERIN_MANIFEST_BODY_SIZE    512u
#define SERIN_MANIFEST_HEAD_SIZE    528u  /* body and the head of the signature area */
#define SERIN_MANIFEST_SIZE_P256    592u  /* a whole manifest signed with ECDSA P-256 */
#define SERIN_MANIFEST_MAX          3840u /* with any signature: room for ML-DSA-65 (3309 bytes) */
#define SERIN_SIGNATURE_HEAD_SIZE   16u   /* type, size, key id, reserved */
#define SERIN_SIGNATURE_MAX         3312u /* largest signature of any type */
#define SERIN_MANIFEST_CHANNELS     4u
#define SERIN_MANIFEST_WINDOW_MAX_S 3600u
#define SERIN_MANIFEST_TRIES_MAX    16u
#define SERIN_IMAGE_SIZE_MAX        (256u * 1024u * 1024u)

#define SERIN_SLOT_MASK_A 1u
#define SERIN_SLOT_MASK_B 2u

/* Required-feature bits that this code knows; a manifest with another bit set is refused with
 * SERIN_ERR_FEATURE. None is defined in format 1. */
#define SERIN_MANIFEST_FEATURES_KNOWN 0u

struct serin_version {
    uint16_t major, minor, patch;
};

/* Numbers come first, where the short instructions of small processors reach them. */
struct serin_manifest {
    uint32_t required_features;
    uint32_t security_counter;
    uint32_t image_size_bytes; /* 1 .. SERIN_IMAGE_SIZE_MAX */
    uint32_t image_crc32;
    uint32_t load_address, entry_address; /* 0 where the board has no use for them */
    uint32_t slot_mask;                   /* at least one of SERIN_SLOT_MASK_A, _B; no other bit */
    uint32_t bootloader_min;
    uint16_t hw_min, hw_max; /* inclusive; 1 ≤ hw_min ≤ hw_max */
    struct serin_version version;
    uint16_t confirm_window_s; /* 1 .. SERIN_MANIFEST_WINDOW_MAX_S */
    uint8_t confirm_tries;     /* 1 .. SERIN_MANIFEST_TRIES_MAX */
    uint64_t created_s;
    uint8_t image_sha256[SERIN_SHA256_SIZE];
    uint8_t pieces_sha256[SERIN_SHA256_SIZE];
    char vendor[SERIN_PRODUCT_MAX + 1];
    char product[SERIN_PRODUCT_MAX + 1];
    char component[SERIN_PRODUCT_MAX + 1];
    char channels[SERIN_MANIFEST_CHANNELS]
                 [SERIN_CHANNEL_MAX + 1]; /* the first must be set; no gaps */
};

/* The signature area of a manifest (and of a trust record, which shares its layout); points into
 * the caller's bytes. */
struct serin_signature_area {
    enum serin_signature_type type;
    uint8_t key_id[SERIN_KEY_ID_SIZE];
    const uint8_t *signature;
    size_t signature_size;
};

/* Whether every field is in its range. SERIN_ERR_INVALID, SERIN_ERR_FEATURE; `*field` (may be NULL)
 * then names the field, in static storage. */
SERIN_MUST_USE enum serin_error serin_manifest_check(const struct serin_manifest *manifest,
                                                     const char **field);

/* Writes the body. Errors as serin_manifest_check; `body` is then unspecified. */
SERIN_MUST_USE enum serin_error serin_manifest_encode(const struct serin_manifest *manifest,
                                                      uint8_t body[SERIN_MANIFEST_BODY_SIZE]);

/* Reads a body whose signature has been verified. SERIN_ERR_TRUNCATED (size < 512),
 * SERIN_ERR_FORMAT (magic, sizes, names), SERIN_ERR_VERSION, SERIN_ERR_FEATURE, SERIN_ERR_RESERVED,
 * SERIN_ERR_INVALID; `manifest` is then unspecified. */
SERIN_MUST_USE enum serin_error serin_manifest_decode(const uint8_t *body, size_t size,
                                                      struct serin_manifest *manifest);

/* Reads the signature area that follows a body of `body_size` bytes and ends at `size` exactly.
 * SERIN_ERR_TRUNCATED, SERIN_ERR_TOO_LARGE, SERIN_ERR_RESERVED, SERIN_ERR_FORMAT (trailing bytes,
 * wrong signature size), SERIN_ERR_UNSUPPORTED (signature type). */
SERIN_MUST_USE enum serin_error serin_signature_area_decode(const uint8_t *bytes, size_t size,
                                                            size_t body_size,
                                                            struct serin_signature_area *area);

/* Writes a signature area after the body at bytes + body_size; `bytes` holds body_size + 16 + 64
 * bytes. Returns the whole size. */
size_t serin_signature_area_encode_p256(uint8_t *bytes, size_t body_size,
                                        const uint8_t key_id[SERIN_KEY_ID_SIZE],
                                        const uint8_t signature[SERIN_P256_SIGNATURE_SIZE]);

/* The manifest id: SHA-256 of the body. */
void serin_manifest_id(const struct serin_crypto *crypto,
                       const uint8_t body[SERIN_MANIFEST_BODY_SIZE], uint8_t id[SERIN_SHA256_SIZE]);

/* Versions in their order: < 0, 0, > 0. */
int serin_version_compare(struct serin_version a, struct serin_version b);

/* Parses "1.2.3" (each 0..65535, no leading zeros, nothing else). SERIN_ERR_FORMAT. */
SERIN_MUST_USE enum serin_error serin_version_parse(const char *text,
                                                    struct serin_version *version);

#define SERIN_VERSION_TEXT_SIZE 18u /* "65535.65535.65535" and the terminator */
void serin_version_format(struct serin_version version, char text[SERIN_VERSION_TEXT_SIZE]);

/* What a device is, by its own provisioning; manifests and directives are compared with it, never
 * with a topic. */
struct serin_identity {
    char device_id[SERIN_ID_MAX + 1];
    char product[SERIN_PRODUCT_MAX + 1];
    char channel[SERIN_CHANNEL_MAX + 1];
    uint16_t hardware; /* ≥ 1 */
    uint32_t bootloader;
};

/* Whether a manifest is meant for the device: SERIN_ERR_PRODUCT, SERIN_ERR_CHANNEL,
 * SERIN_ERR_HARDWARE, SERIN_ERR_BOOTLOADER, or SERIN_ERR_COUNTER (security counter below `floor`).
 */
SERIN_MUST_USE enum serin_error serin_manifest_suits(const struct serin_manifest *manifest,
                                                     const struct serin_identity *identity,
                                                     uint32_t floor);

#endif
