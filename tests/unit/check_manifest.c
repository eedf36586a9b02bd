/* The manifest: its layout byte by byte, every bound from both sides, every length, every reserved
 * byte. */
#include "check_main.h"

#include "samples.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/manifest.h>

#include <string.h>

static struct serin_manifest manifest;
static uint8_t body[SERIN_MANIFEST_BODY_SIZE];

/* A valid manifest and its body, fresh. */
static void reset(void)
{
    memset(&manifest, 0, sizeof manifest);
    sample_manifest(serin_wolfcrypt(), &manifest);
    memset(body, 0xee, sizeof body);
    ck_assert_int_eq(serin_manifest_encode(&manifest, body), SERIN_OK);
}

START_TEST(the_layout_is_the_specified_one)
{
    reset();
    ck_assert_mem_eq(body, "SRNM\x01\x00\x00\x02\0\0\0\0\0\0\0\0acme\0", 21);
    ck_assert_mem_eq(body + 48, "lamp\0", 5);
    ck_assert_mem_eq(body + 80, "main\0", 5);
    ck_assert_mem_eq(body + 112, "\1\0\3\0\50\0\1\0\2\0\0\0\7\0\0\0\x10\x27\0\0", 20);
    ck_assert_uint_eq(serin_get_le32(body + 132), manifest.image_crc32);
    ck_assert_mem_eq(body + 136, manifest.image_sha256, 32);
    ck_assert_mem_eq(body + 168, manifest.pieces_sha256, 32);
    ck_assert_mem_eq(body + 200, "\0\0\2\x08\x91\1\2\x08\3\0\0\0\2\0\0\0\x3c\0\3\0\0\0\0\0", 24);
    ck_assert_uint_eq(serin_get_le64(body + 224), manifest.created_s);
    ck_assert_mem_eq(body + 232, "stable\0", 7);
    ck_assert_mem_eq(body + 264, "beta\0", 5);
    ck_assert(serin_bytes_all(body + 296, 512 - 296, 0));
}
END_TEST

START_TEST(decoding_gives_back_what_was_encoded)
{
    struct serin_manifest back;
    uint8_t again[SERIN_MANIFEST_BODY_SIZE];
    reset();
    ck_assert_int_eq(serin_manifest_decode(body, sizeof body, &back), SERIN_OK);
    ck_assert_mem_eq(&back, &manifest, sizeof back); /* both were zeroed first */
    ck_assert_int_eq(serin_manifest_encode(&back, again), SERIN_OK);
    ck_assert_mem_eq(again, body, sizeof body);
}
END_TEST

START_TEST(every_shorter_length_is_truncated)
{
    struct serin_manifest back;
    reset();
    for (size_t size = 0; size < sizeof body; size++) {
        ck_assert_int_eq(serin_manifest_decode(body, size, &back), SERIN_ERR_TRUNCATED);
    }
}
END_TEST

static bool is_reserved(size_t i)
{
    return (i >= 12 && i < 16) || i == 122 || i == 123 || (i >= 219 && i < 224) || i >= 360;
}

START_TEST(every_reserved_byte_and_bit_is_refused)
{
    struct serin_manifest back;
    size_t count = 0;
    reset();
    for (size_t i = 0; i < sizeof body; i++) {
        for (int bit = 0; bit < 8 && is_reserved(i); bit++) {
            body[i] = (uint8_t)(1 << bit);
            ck_assert_int_eq(serin_manifest_decode(body, sizeof body, &back), SERIN_ERR_RESERVED);
            body[i] = 0;
            count++;
        }
    }
    ck_assert_uint_eq(count, 8 * (4 + 2 + 5 + 152));
}
END_TEST

START_TEST(the_frame_is_exact)
{
    struct serin_manifest back;
    for (int bit = 0; bit < 96; bit++) { /* magic, format, size, features */
        reset();
        body[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum serin_error expected = bit < 32   ? SERIN_ERR_FORMAT
                                    : bit < 48 ? SERIN_ERR_VERSION
                                    : bit < 64 ? SERIN_ERR_FORMAT
                                               : SERIN_ERR_FEATURE;
        ck_assert_msg(serin_manifest_decode(body, sizeof body, &back) == expected, "bit %d", bit);
    }
}
END_TEST

START_TEST(an_unknown_feature_is_named_before_its_bytes)
{
    struct serin_manifest back;
    reset();
    body[8] = 1;
    body[400] = 1; /* what a later feature may use */
    ck_assert_int_eq(serin_manifest_decode(body, sizeof body, &back), SERIN_ERR_FEATURE);
}
END_TEST

START_TEST(names_are_checked_in_every_field)
{
    const struct {
        size_t offset;
        bool may_be_empty;
    } fields[] = {{16, false}, {48, false}, {80, false}, {232, false}, {264, true}};
    struct serin_manifest back;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint8_t *field = body + fields[i].offset;
        reset();
        memset(field, 'x', 32); /* a full field has no terminator */
        ck_assert_int_eq(serin_manifest_decode(body, sizeof body, &back), SERIN_OK);
        field[31] = '.';
        ck_assert_int_eq(serin_manifest_decode(body, sizeof body, &back), SERIN_ERR_FORMAT);
        reset();
        field[31] = 'x'; /* hidden behind the NUL */
        ck_assert_int_eq(serin_manifest_decode(body, sizeof body, &back), SERIN_ERR_RESERVED);
        reset();
        memset(field, 0, 32);
        ck_assert_int_eq(serin_manifest_decode(body, sizeof body, &back),
                         fields[i].may_be_empty ? SERIN_OK : SERIN_ERR_FORMAT);
    }
    reset();
    memcpy(body + 328, "late", 4); /* the third is empty, the fourth is not */
    ck_assert_int_eq(serin_manifest_decode(body, sizeof body, &back), SERIN_ERR_FORMAT);
}
END_TEST

/* Numbers by their bytes in the body: the last good and the first bad on either side. */
START_TEST(every_number_has_its_bounds)
{
    const struct {
        size_t offset, size;
        uint32_t value;
        enum serin_error expected;
    } cases[] = {
        {112, 2, 0, SERIN_ERR_INVALID},
        {112, 2, 3, SERIN_OK},
        {112, 2, 4, SERIN_ERR_INVALID},
        {114, 2, 0, SERIN_ERR_INVALID},
        {114, 2, 1, SERIN_OK},
        {114, 2, 65535, SERIN_OK},
        {128, 4, 0, SERIN_ERR_INVALID},
        {128, 4, 1, SERIN_OK},
        {128, 4, 1u << 28, SERIN_OK},
        {128, 4, (1u << 28) + 1, SERIN_ERR_INVALID},
        {128, 4, UINT32_MAX, SERIN_ERR_INVALID},
        {208, 4, 0, SERIN_ERR_INVALID},
        {208, 4, 1, SERIN_OK},
        {208, 4, 2, SERIN_OK},
        {208, 4, 4, SERIN_ERR_INVALID},
        {208, 4, 0x80000001u, SERIN_ERR_INVALID},
        {216, 2, 0, SERIN_ERR_INVALID},
        {216, 2, 1, SERIN_OK},
        {216, 2, 3600, SERIN_OK},
        {216, 2, 3601, SERIN_ERR_INVALID},
        {218, 1, 0, SERIN_ERR_INVALID},
        {218, 1, 1, SERIN_OK},
        {218, 1, 16, SERIN_OK},
        {218, 1, 17, SERIN_ERR_INVALID},
        {116, 2, 65535, SERIN_OK},
        {118, 2, 65535, SERIN_OK},
        {120, 2, 65535, SERIN_OK},
        {124, 4, UINT32_MAX, SERIN_OK},
        {200, 4, UINT32_MAX, SERIN_OK},
        {204, 4, UINT32_MAX, SERIN_OK},
        {212, 4, UINT32_MAX, SERIN_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct serin_manifest back;
        uint8_t bytes[4];
        reset();
        serin_put_le32(bytes, cases[i].value);
        memcpy(body + cases[i].offset, bytes, cases[i].size);
        ck_assert_msg(serin_manifest_decode(body, sizeof body, &back) == cases[i].expected,
                      "offset %zu, value %u", cases[i].offset, (unsigned)cases[i].value);
    }
}
END_TEST

START_TEST(four_full_channels_and_not_one_more)
{
    struct {
        struct serin_manifest manifest;
        char behind[64]; /* what a fifth channel would be read from */
    } box;
    struct serin_manifest back;
    const struct serin_identity identity = {
        .product = "lamp", .channel = "xx", .hardware = 1, .bootloader = 2};
    reset();
    memset(&box, 'x', sizeof box);
    memcpy(&box.manifest, &manifest, offsetof(struct serin_manifest, channels));
    for (size_t i = 0; i < SERIN_MANIFEST_CHANNELS; i++) {
        memset(box.manifest.channels[i], (int)('a' + i), SERIN_CHANNEL_MAX);
        box.manifest.channels[i][SERIN_CHANNEL_MAX] = '\0';
    }
    ck_assert_int_eq(serin_manifest_encode(&box.manifest, body), SERIN_OK);
    ck_assert(serin_bytes_all(body + 328, 32, 'd'));
    ck_assert(serin_bytes_all(body + 360, 152, 0));
    ck_assert_int_eq(serin_manifest_decode(body, sizeof body, &back), SERIN_OK);
    ck_assert_str_eq(back.channels[3], box.manifest.channels[3]);
    ck_assert_int_eq(serin_manifest_suits(&box.manifest, &identity, 0), SERIN_ERR_CHANNEL);
}
END_TEST

static void expect_wrong(const char *name)
{
    const char *field = "";
    ck_assert_int_eq(serin_manifest_check(&manifest, &field), SERIN_ERR_INVALID);
    ck_assert_str_eq(field, name);
    ck_assert_int_eq(serin_manifest_encode(&manifest, body), SERIN_ERR_INVALID);
    reset();
}

START_TEST(the_wrong_field_is_named)
{
    reset();
    ck_assert_int_eq(serin_manifest_check(&manifest, NULL), SERIN_OK);
    strcpy(manifest.vendor, "a b");
    expect_wrong("vendor");
    manifest.product[0] = '\0';
    expect_wrong("product");
    memset(manifest.component, 'c', sizeof manifest.component); /* not terminated */
    expect_wrong("component");
    memset(manifest.channels[1], 'c', sizeof manifest.channels[1]);
    expect_wrong("channels");
    manifest.channels[0][0] = '\0';
    expect_wrong("channels");
    strcpy(manifest.channels[3], "late");
    expect_wrong("channels");
    manifest.hw_min = 0;
    expect_wrong("hardware");
    manifest.image_size_bytes = 0;
    expect_wrong("image_size");
    manifest.slot_mask = 8;
    expect_wrong("slot_mask");
    manifest.confirm_window_s = 0;
    expect_wrong("confirm_window");
    manifest.confirm_tries = 0;
    expect_wrong("confirm_tries");
    manifest.required_features = 1;
    ck_assert_int_eq(serin_manifest_check(&manifest, NULL), SERIN_ERR_FEATURE);
    ck_assert_int_eq(serin_manifest_encode(&manifest, body), SERIN_ERR_FEATURE);
}
END_TEST

START_TEST(it_suits_only_its_devices)
{
    const struct serin_identity fits = {
        .device_id = "d-1", .product = "lamp", .channel = "beta", .hardware = 2, .bootloader = 2};
    struct serin_identity identity = fits;
    reset();
    ck_assert_int_eq(serin_manifest_suits(&manifest, &identity, 7), SERIN_OK);
    ck_assert_int_eq(serin_manifest_suits(&manifest, &identity, 8), SERIN_ERR_COUNTER);
    ck_assert_int_eq(serin_manifest_suits(&manifest, &identity, 0), SERIN_OK);
    strcpy(identity.product, "lamps");
    ck_assert_int_eq(serin_manifest_suits(&manifest, &identity, 7), SERIN_ERR_PRODUCT);
    identity = fits;
    strcpy(identity.channel, "bet");
    ck_assert_int_eq(serin_manifest_suits(&manifest, &identity, 7), SERIN_ERR_CHANNEL);
    strcpy(identity.channel, ""); /* an empty slot of the list is no channel */
    ck_assert_int_eq(serin_manifest_suits(&manifest, &identity, 7), SERIN_ERR_CHANNEL);
    for (uint16_t hardware = 0; hardware < 6; hardware++) {
        identity = fits;
        identity.hardware = hardware;
        ck_assert_int_eq(serin_manifest_suits(&manifest, &identity, 7),
                         hardware >= 1 && hardware <= 3 ? SERIN_OK : SERIN_ERR_HARDWARE);
    }
    identity = fits;
    identity.bootloader = 1;
    ck_assert_int_eq(serin_manifest_suits(&manifest, &identity, 7), SERIN_ERR_BOOTLOADER);
    identity.bootloader = 3;
    ck_assert_int_eq(serin_manifest_suits(&manifest, &identity, 7), SERIN_OK);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_layout_is_the_specified_one,
                                  decoding_gives_back_what_was_encoded,
                                  every_shorter_length_is_truncated,
                                  every_reserved_byte_and_bit_is_refused,
                                  the_frame_is_exact,
                                  an_unknown_feature_is_named_before_its_bytes,
                                  names_are_checked_in_every_field,
                                  every_number_has_its_bounds,
                                  four_full_channels_and_not_one_more,
                                  the_wrong_field_is_named,
                                  it_suits_only_its_devices,
                                  NULL};
    return check_run("manifest", tests);
}
