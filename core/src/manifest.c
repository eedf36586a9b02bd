/* The manifest's body: fixed layout, little-endian, every field bounded (docs/spec/manifest.md). */
#include <serin/manifest.h>

#include <serin/assert.h>

#include <string.h>

/* Offsets in the body, in its order. */
enum {
    OFFSET_MAGIC = 0,
    OFFSET_FORMAT = 4,
    OFFSET_BODY_SIZE = 6,
    OFFSET_FEATURES = 8,
    OFFSET_RESERVED_1 = 12,
    OFFSET_VENDOR = 16,
    OFFSET_PRODUCT = 48,
    OFFSET_COMPONENT = 80,
    OFFSET_HW_MIN = 112,
    OFFSET_HW_MAX = 114,
    OFFSET_PATCH = 116,
    OFFSET_MINOR = 118,
    OFFSET_MAJOR = 120,
    OFFSET_RESERVED_2 = 122,
    OFFSET_COUNTER = 124,
    OFFSET_IMAGE_SIZE = 128,
    OFFSET_IMAGE_CRC32 = 132,
    OFFSET_IMAGE_SHA256 = 136,
    OFFSET_PIECES_SHA256 = 168,
    OFFSET_LOAD = 200,
    OFFSET_ENTRY = 204,
    OFFSET_SLOT_MASK = 208,
    OFFSET_BOOTLOADER_MIN = 212,
    OFFSET_WINDOW = 216,
    OFFSET_TRIES = 218,
    OFFSET_RESERVED_3 = 219,
    OFFSET_CREATED = 224,
    OFFSET_CHANNELS = 232,
    OFFSET_RESERVED_4 = 360,
};
_Static_assert(OFFSET_CHANNELS + SERIN_MANIFEST_CHANNELS * SERIN_CHANNEL_MAX == OFFSET_RESERVED_4,
               "docs/spec/manifest.md");

#define MANIFEST_FORMAT 1u
#define MANIFEST_MAGIC  0x4D4E5253u /* "SRNM" */

/* Runs of bytes that format 1 does not use: zero when written, refused otherwise. */
static const struct {
    uint16_t offset, size;
} reserved[] = {
    {OFFSET_RESERVED_1, OFFSET_VENDOR - OFFSET_RESERVED_1},
    {OFFSET_RESERVED_2, OFFSET_COUNTER - OFFSET_RESERVED_2},
    {OFFSET_RESERVED_3, OFFSET_CREATED - OFFSET_RESERVED_3},
    {OFFSET_RESERVED_4, SERIN_MANIFEST_BODY_SIZE - OFFSET_RESERVED_4},
};

/* The names in their order, by where they stand in both. */
static const struct {
    uint16_t offset, member;
} names[] = {
    {OFFSET_VENDOR, offsetof(struct serin_manifest, vendor)},
    {OFFSET_PRODUCT, offsetof(struct serin_manifest, product)},
    {OFFSET_COMPONENT, offsetof(struct serin_manifest, component)},
    {OFFSET_CHANNELS, offsetof(struct serin_manifest, channels[0])},
    {OFFSET_CHANNELS + SERIN_CHANNEL_MAX, offsetof(struct serin_manifest, channels[1])},
    {OFFSET_CHANNELS + 2 * SERIN_CHANNEL_MAX, offsetof(struct serin_manifest, channels[2])},
    {OFFSET_CHANNELS + 3 * SERIN_CHANNEL_MAX, offsetof(struct serin_manifest, channels[3])},
};
#define NAMES         (sizeof names / sizeof names[0])
#define FIRST_CHANNEL (NAMES - SERIN_MANIFEST_CHANNELS)
_Static_assert(FIRST_CHANNEL == 3, "all channels are in the table");
_Static_assert(SERIN_CHANNEL_MAX == SERIN_PRODUCT_MAX, "all names of a manifest have one size");

/* The first wrong name of the table, or NAMES. A channel behind the first may be empty, and so are
 * all behind it then. */
static size_t wrong_name(const struct serin_manifest *m)
{
    bool ended = false;
    for (size_t i = 0; i < NAMES; i++) {
        const char *name = (const char *)m + names[i].member;
        if (i > FIRST_CHANNEL && *name == '\0') {
            ended = true;
        } else if (ended || !serin_product_held(name)) {
            return i;
        }
    }
    return NAMES;
}

/* The name of the first number out of its range, or NULL. */
static const char *wrong_number(const struct serin_manifest *m)
{
    const uint32_t slots = SERIN_SLOT_MASK_A | SERIN_SLOT_MASK_B;
    if (m->hw_min < 1 || m->hw_min > m->hw_max) {
        return "hardware";
    }
    if (m->image_size_bytes < 1 || m->image_size_bytes > SERIN_IMAGE_SIZE_MAX) {
        return "image_size";
    }
    if ((m->slot_mask & slots) == 0 || (m->slot_mask & ~slots) != 0) {
        return "slot_mask";
    }
    if (m->confirm_window_s < 1 || m->confirm_window_s > SERIN_MANIFEST_WINDOW_MAX_S) {
        return "confirm_window";
    }
    if (m->confirm_tries < 1 || m->confirm_tries > SERIN_MANIFEST_TRIES_MAX) {
        return "confirm_tries";
    }
    return NULL;
}

enum serin_error serin_manifest_check(const struct serin_manifest *manifest, const char **field)
{
    enum serin_error error = SERIN_ERR_INVALID;
    const char *wrong = NULL;
    if ((manifest->required_features & ~SERIN_MANIFEST_FEATURES_KNOWN) != 0) {
        error = SERIN_ERR_FEATURE;
        wrong = "required_features";
    }
    size_t name = wrong_name(manifest);
    if (wrong == NULL && name < NAMES) {
        static const char *const fields[] = {"vendor", "product", "component", "channels"};
        wrong = fields[name < FIRST_CHANNEL ? name : FIRST_CHANNEL];
    }
    if (wrong == NULL) {
        wrong = wrong_number(manifest);
    }
    if (wrong == NULL) {
        return SERIN_OK;
    }
    if (field != NULL) {
        *field = wrong;
    }
    return error;
}

/* Writes a name that has been checked, so it fits. Channels are as long as products. */
static void put_name(uint8_t *field, const char *name)
{
    SERIN_ASSERT(serin_field_put(field, SERIN_PRODUCT_MAX, name) == SERIN_OK);
}

enum serin_error serin_manifest_encode(const struct serin_manifest *m,
                                       uint8_t body[SERIN_MANIFEST_BODY_SIZE])
{
    enum serin_error error = serin_manifest_check(m, NULL);
    if (error != SERIN_OK) {
        return error;
    }
    memset(body, 0, SERIN_MANIFEST_BODY_SIZE);
    serin_put_le32(body + OFFSET_MAGIC, MANIFEST_MAGIC);
    serin_put_le16(body + OFFSET_FORMAT, MANIFEST_FORMAT);
    serin_put_le16(body + OFFSET_BODY_SIZE, SERIN_MANIFEST_BODY_SIZE);
    serin_put_le32(body + OFFSET_FEATURES, m->required_features);
    put_name(body + OFFSET_VENDOR, m->vendor);
    put_name(body + OFFSET_PRODUCT, m->product);
    put_name(body + OFFSET_COMPONENT, m->component);
    serin_put_le16(body + OFFSET_HW_MIN, m->hw_min);
    serin_put_le16(body + OFFSET_HW_MAX, m->hw_max);
    serin_put_le16(body + OFFSET_PATCH, m->version.patch);
    serin_put_le16(body + OFFSET_MINOR, m->version.minor);
    serin_put_le16(body + OFFSET_MAJOR, m->version.major);
    serin_put_le32(body + OFFSET_COUNTER, m->security_counter);
    serin_put_le32(body + OFFSET_IMAGE_SIZE, m->image_size_bytes);
    serin_put_le32(body + OFFSET_IMAGE_CRC32, m->image_crc32);
    memcpy(body + OFFSET_IMAGE_SHA256, m->image_sha256, SERIN_SHA256_SIZE);
    memcpy(body + OFFSET_PIECES_SHA256, m->pieces_sha256, SERIN_SHA256_SIZE);
    serin_put_le32(body + OFFSET_LOAD, m->load_address);
    serin_put_le32(body + OFFSET_ENTRY, m->entry_address);
    serin_put_le32(body + OFFSET_SLOT_MASK, m->slot_mask);
    serin_put_le32(body + OFFSET_BOOTLOADER_MIN, m->bootloader_min);
    serin_put_le16(body + OFFSET_WINDOW, m->confirm_window_s);
    body[OFFSET_TRIES] = m->confirm_tries;
    serin_put_le64(body + OFFSET_CREATED, m->created_s);
    for (size_t i = 0; i < SERIN_MANIFEST_CHANNELS; i++) {
        put_name(body + OFFSET_CHANNELS + i * SERIN_CHANNEL_MAX, m->channels[i]);
    }
    return SERIN_OK;
}

/* Checks what must hold before any field means anything. Features come before reserved bytes: a
 * later format bit may give those bytes a use, and "unknown feature" is then the true reason. */
static enum serin_error check_frame(const uint8_t *body, size_t size)
{
    if (size < SERIN_MANIFEST_BODY_SIZE) {
        return SERIN_ERR_TRUNCATED;
    }
    if (serin_get_le32(body + OFFSET_MAGIC) != MANIFEST_MAGIC) {
        return SERIN_ERR_FORMAT;
    }
    if (serin_get_le16(body + OFFSET_FORMAT) != MANIFEST_FORMAT) {
        return SERIN_ERR_VERSION;
    }
    if (serin_get_le16(body + OFFSET_BODY_SIZE) != SERIN_MANIFEST_BODY_SIZE) {
        return SERIN_ERR_FORMAT;
    }
    if ((serin_get_le32(body + OFFSET_FEATURES) & ~SERIN_MANIFEST_FEATURES_KNOWN) != 0) {
        return SERIN_ERR_FEATURE;
    }
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (!serin_bytes_all(body + reserved[i].offset, reserved[i].size, 0)) {
            return SERIN_ERR_RESERVED;
        }
    }
    return SERIN_OK;
}

static enum serin_error decode_names(const uint8_t *body, struct serin_manifest *m)
{
    enum serin_error error = SERIN_OK;
    for (size_t i = 0; i < NAMES && error == SERIN_OK; i++) {
        error =
            serin_field_get(body + names[i].offset, SERIN_PRODUCT_MAX, (char *)m + names[i].member);
    }
    return error;
}

static void decode_numbers(const uint8_t *body, struct serin_manifest *m)
{
    m->required_features = serin_get_le32(body + OFFSET_FEATURES);
    m->hw_min = serin_get_le16(body + OFFSET_HW_MIN);
    m->hw_max = serin_get_le16(body + OFFSET_HW_MAX);
    m->version.patch = serin_get_le16(body + OFFSET_PATCH);
    m->version.minor = serin_get_le16(body + OFFSET_MINOR);
    m->version.major = serin_get_le16(body + OFFSET_MAJOR);
    m->security_counter = serin_get_le32(body + OFFSET_COUNTER);
    m->image_size_bytes = serin_get_le32(body + OFFSET_IMAGE_SIZE);
    m->image_crc32 = serin_get_le32(body + OFFSET_IMAGE_CRC32);
    memcpy(m->image_sha256, body + OFFSET_IMAGE_SHA256, SERIN_SHA256_SIZE);
    memcpy(m->pieces_sha256, body + OFFSET_PIECES_SHA256, SERIN_SHA256_SIZE);
    m->load_address = serin_get_le32(body + OFFSET_LOAD);
    m->entry_address = serin_get_le32(body + OFFSET_ENTRY);
    m->slot_mask = serin_get_le32(body + OFFSET_SLOT_MASK);
    m->bootloader_min = serin_get_le32(body + OFFSET_BOOTLOADER_MIN);
    m->confirm_window_s = serin_get_le16(body + OFFSET_WINDOW);
    m->confirm_tries = body[OFFSET_TRIES];
    m->created_s = serin_get_le64(body + OFFSET_CREATED);
}

enum serin_error serin_manifest_decode(const uint8_t *body, size_t size,
                                       struct serin_manifest *manifest)
{
    enum serin_error error = check_frame(body, size);
    if (error != SERIN_OK) {
        return error;
    }
    memset(manifest, 0, sizeof *manifest);
    error = decode_names(body, manifest);
    if (error != SERIN_OK) {
        return error;
    }
    if (wrong_name(manifest) < NAMES) {
        return SERIN_ERR_FORMAT;
    }
    decode_numbers(body, manifest);
    return wrong_number(manifest) == NULL ? SERIN_OK : SERIN_ERR_INVALID;
}

void serin_manifest_id(const struct serin_crypto *crypto,
                       const uint8_t body[SERIN_MANIFEST_BODY_SIZE], uint8_t id[SERIN_SHA256_SIZE])
{
    serin_sha256_of(crypto, body, SERIN_MANIFEST_BODY_SIZE, id);
}

static bool allows_channel(const struct serin_manifest *manifest, const char *channel)
{
    for (size_t i = 0; i < SERIN_MANIFEST_CHANNELS && manifest->channels[i][0] != '\0'; i++) {
        if (strcmp(manifest->channels[i], channel) == 0) {
            return true;
        }
    }
    return false;
}

enum serin_error serin_manifest_suits(const struct serin_manifest *manifest,
                                      const struct serin_identity *identity, uint32_t floor)
{
    if (strcmp(manifest->product, identity->product) != 0) {
        return SERIN_ERR_PRODUCT;
    }
    if (!allows_channel(manifest, identity->channel)) {
        return SERIN_ERR_CHANNEL;
    }
    if (identity->hardware < manifest->hw_min || identity->hardware > manifest->hw_max) {
        return SERIN_ERR_HARDWARE;
    }
    if (identity->bootloader < manifest->bootloader_min) {
        return SERIN_ERR_BOOTLOADER;
    }
    return manifest->security_counter < floor ? SERIN_ERR_COUNTER : SERIN_OK;
}
