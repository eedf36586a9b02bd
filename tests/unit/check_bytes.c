/* Bytes: both byte orders, hexadecimal text, and fields that must not hide anything behind their
 * NUL. */
#include "check_main.h"

#include <serin/bytes.h>

#include <string.h>

START_TEST(integers_keep_their_byte_order)
{
    uint8_t bytes[8];
    serin_put_le16(bytes, 0x0102);
    ck_assert_mem_eq(bytes, "\x02\x01", 2);
    ck_assert_uint_eq(serin_get_le16(bytes), 0x0102);
    serin_put_le32(bytes, 0x81020304u);
    ck_assert_mem_eq(bytes, "\x04\x03\x02\x81", 4);
    ck_assert_uint_eq(serin_get_le32(bytes), 0x81020304u);
    serin_put_le64(bytes, UINT64_C(0x8102030405060708));
    ck_assert_mem_eq(bytes, "\x08\x07\x06\x05\x04\x03\x02\x81", 8);
    ck_assert_uint_eq(serin_get_le64(bytes), UINT64_C(0x8102030405060708));
    ck_assert_uint_eq(serin_get_be64(bytes), UINT64_C(0x0807060504030281));
    memset(bytes, 0xff, sizeof bytes);
    ck_assert_uint_eq(serin_get_le16(bytes), UINT16_MAX);
    ck_assert_uint_eq(serin_get_le32(bytes), UINT32_MAX);
    ck_assert_uint_eq(serin_get_le64(bytes), UINT64_MAX);
}
END_TEST

START_TEST(comparisons_see_every_byte)
{
    uint8_t a[40] = {0};
    uint8_t b[40] = {0};
    ck_assert(serin_bytes_all(a, sizeof a, 0));
    ck_assert(serin_bytes_all(a, 0, 7));
    ck_assert(!serin_bytes_all(a, 1, 7));
    ck_assert(serin_bytes_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        a[i] = 0x80;
        ck_assert(!serin_bytes_all(a, sizeof a, 0));
        ck_assert(!serin_bytes_equal(a, b, sizeof a));
        ck_assert(serin_bytes_equal(a, b, i)); /* the byte is past the end */
        a[i] = 0;
    }
}
END_TEST

START_TEST(hex_goes_both_ways)
{
    uint8_t all[256];
    uint8_t back[256];
    char text[2 * sizeof all + 1];
    for (size_t i = 0; i < sizeof all; i++) {
        all[i] = (uint8_t)i;
    }
    serin_hex_encode(all, sizeof all, text);
    ck_assert_uint_eq(strlen(text), 2 * sizeof all);
    ck_assert_mem_eq(text, "000102", 6);
    ck_assert_str_eq(text + 2 * sizeof all - 4, "feff");
    ck_assert_int_eq(serin_hex_decode(text, back, sizeof back), SERIN_OK);
    ck_assert_mem_eq(all, back, sizeof all);
    ck_assert_int_eq(serin_hex_decode("aBFf09", back, 3), SERIN_OK);
    ck_assert_mem_eq(back, "\xab\xff\x09", 3);
}
END_TEST

START_TEST(hex_refuses_everything_else)
{
    const char *const wrong[] = {"",     "0",    "00",   "000",  "00000", "0x00", "00 0",
                                 "000g", "g000", "/000", ":000", "000@",  "000`", "000G"};
    uint8_t bytes[2];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_msg(serin_hex_decode(wrong[i], bytes, 2) == SERIN_ERR_FORMAT, "\"%s\"", wrong[i]);
    }
}
END_TEST

START_TEST(texts_fit_or_become_empty)
{
    char out[4] = "xyz";
    ck_assert_int_eq(serin_text_copy(out, sizeof out, "abc"), SERIN_OK);
    ck_assert_str_eq(out, "abc");
    ck_assert_int_eq(serin_text_copy(out, sizeof out, "abcd"), SERIN_ERR_TOO_LARGE);
    ck_assert_str_eq(out, "");
    ck_assert_int_eq(serin_text_copy(out, 0, ""), SERIN_ERR_TOO_LARGE);
}
END_TEST

START_TEST(fields_are_padded_with_zeros_only)
{
    uint8_t field[4] = {9, 9, 9, 9};
    char text[5];
    ck_assert_int_eq(serin_field_put(field, sizeof field, "ab"), SERIN_OK);
    ck_assert_mem_eq(field, "ab\0\0", 4);
    ck_assert_int_eq(serin_field_get(field, sizeof field, text), SERIN_OK);
    ck_assert_str_eq(text, "ab");
    ck_assert_int_eq(serin_field_put(field, sizeof field, "abcd"), SERIN_OK);
    ck_assert_int_eq(serin_field_get(field, sizeof field, text), SERIN_OK);
    ck_assert_str_eq(text, "abcd");
    ck_assert_int_eq(serin_field_put(field, sizeof field, "abcde"), SERIN_ERR_TOO_LARGE);
    ck_assert_int_eq(serin_field_get((const uint8_t *)"a\0\0b", 4, text), SERIN_ERR_RESERVED);
    ck_assert_int_eq(serin_field_get((const uint8_t *)"\0bcd", 4, text), SERIN_ERR_RESERVED);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {integers_keep_their_byte_order,
                                  comparisons_see_every_byte,
                                  hex_goes_both_ways,
                                  hex_refuses_everything_else,
                                  texts_fit_or_become_empty,
                                  fields_are_padded_with_zeros_only,
                                  NULL};
    return check_run("bytes", tests);
}
