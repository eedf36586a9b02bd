/* The signature area: every length of the whole record, every field of the head. */
#include "check_main.h"

#include <serin/manifest.h>

#include <string.h>

#define BODY 512u

static const uint8_t key_id[SERIN_KEY_ID_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8};

static size_t make(uint8_t bytes[SERIN_MANIFEST_MAX + 1])
{
    uint8_t signature[SERIN_P256_SIGNATURE_SIZE];
    memset(bytes, 0, SERIN_MANIFEST_MAX + 1);
    memset(signature, 0xab, sizeof signature);
    return serin_signature_area_encode_p256(bytes, BODY, key_id, signature);
}

START_TEST(it_goes_both_ways)
{
    uint8_t bytes[SERIN_MANIFEST_MAX + 1];
    struct serin_signature_area area;
    ck_assert_uint_eq(make(bytes), SERIN_MANIFEST_SIZE_P256);
    ck_assert_int_eq(serin_signature_area_decode(bytes, SERIN_MANIFEST_SIZE_P256, BODY, &area),
                     SERIN_OK);
    ck_assert_int_eq(area.type, SERIN_SIGNATURE_ECDSA_P256);
    ck_assert_mem_eq(area.key_id, key_id, sizeof key_id);
    ck_assert_ptr_eq(area.signature, bytes + SERIN_MANIFEST_HEAD_SIZE);
    ck_assert_uint_eq(area.signature_size, SERIN_P256_SIGNATURE_SIZE);
    ck_assert(serin_bytes_all(area.signature, area.signature_size, 0xab));
}
END_TEST

START_TEST(one_length_is_right)
{
    uint8_t bytes[SERIN_MANIFEST_MAX + 1];
    make(bytes);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        struct serin_signature_area area;
        enum serin_error expected = size < SERIN_MANIFEST_SIZE_P256    ? SERIN_ERR_TRUNCATED
                                    : size == SERIN_MANIFEST_SIZE_P256 ? SERIN_OK
                                    : size <= SERIN_MANIFEST_MAX       ? SERIN_ERR_FORMAT
                                                                       : SERIN_ERR_TOO_LARGE;
        ck_assert_msg(serin_signature_area_decode(bytes, size, BODY, &area) == expected, "size %zu",
                      size);
    }
}
END_TEST

START_TEST(the_head_is_exact)
{
    struct serin_signature_area area;
    for (unsigned value = 0; value <= UINT16_MAX; value++) {
        uint8_t bytes[SERIN_MANIFEST_MAX + 1];
        make(bytes);
        serin_put_le16(bytes + BODY, (uint16_t)value);
        ck_assert_int_eq(serin_signature_area_decode(bytes, SERIN_MANIFEST_SIZE_P256, BODY, &area),
                         value == SERIN_SIGNATURE_ECDSA_P256 ? SERIN_OK : SERIN_ERR_UNSUPPORTED);
        make(bytes);
        serin_put_le16(bytes + BODY + 2, (uint16_t)value);
        enum serin_error expected = value == SERIN_P256_SIGNATURE_SIZE ? SERIN_OK
                                    : value > SERIN_SIGNATURE_MAX      ? SERIN_ERR_TOO_LARGE
                                                                       : SERIN_ERR_FORMAT;
        ck_assert_int_eq(serin_signature_area_decode(bytes, SERIN_MANIFEST_SIZE_P256, BODY, &area),
                         expected);
    }
    for (size_t i = 12; i < 16; i++) {
        uint8_t bytes[SERIN_MANIFEST_MAX + 1];
        make(bytes);
        bytes[BODY + i] = 1;
        ck_assert_int_eq(serin_signature_area_decode(bytes, SERIN_MANIFEST_SIZE_P256, BODY, &area),
                         SERIN_ERR_RESERVED);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {it_goes_both_ways, one_length_is_right, the_head_is_exact, NULL};
    return check_run("signature_area", tests);
}
