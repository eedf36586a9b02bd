/* CRC-32: the published check value, chaining, and that both variants agree with the bitwise
 * definition. */
#include "check_main.h"

/* The boards' variant under another name, beside the library's. */
#define SERIN_CRC32_SMALL
#define serin_crc32 serin_crc32_small
#include "../../core/src/crc32.c"
#undef serin_crc32
uint32_t serin_crc32(uint32_t crc, const void *data, size_t size);

START_TEST(published_values)
{
    ck_assert_uint_eq(serin_crc32(0, "", 0), 0);
    ck_assert_uint_eq(serin_crc32(0, "123456789", 9), 0xCBF43926u);
    ck_assert_uint_eq(serin_crc32(0, "a", 1), 0xE8B7BE43u);
    ck_assert_uint_eq(serin_crc32(0, "\0\0\0\0", 4), 0x2144DF1Cu);
    ck_assert_uint_eq(serin_crc32(0, "\xff\xff\xff\xff", 4), 0xFFFFFFFFu);
}
END_TEST

/* The definition itself, a bit at a time. */
static uint32_t bitwise(const uint8_t *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1u) != 0 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
        }
    }
    return ~crc;
}

START_TEST(every_byte_value_and_every_cut)
{
    uint8_t data[256];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(255 - i);
        ck_assert_uint_eq(serin_crc32(0, &data[i], 1), bitwise(&data[i], 1));
        ck_assert_uint_eq(serin_crc32_small(0, &data[i], 1), bitwise(&data[i], 1));
    }
    uint32_t whole = bitwise(data, sizeof data);
    for (size_t cut = 0; cut <= sizeof data; cut++) {
        uint32_t head = serin_crc32(0, data, cut);
        ck_assert_uint_eq(serin_crc32(head, data + cut, sizeof data - cut), whole);
        ck_assert_uint_eq(serin_crc32_small(head, data + cut, sizeof data - cut), whole);
    }
}
END_TEST

START_TEST(both_variants_agree_on_noise)
{
    static uint8_t data[20000];
    uint32_t noise = 1;
    for (size_t i = 0; i < sizeof data; i++) {
        noise = noise * 1664525u + 1013904223u;
        data[i] = (uint8_t)(noise >> 24);
    }
    for (size_t start = 0; start < 16; start++) { /* every alignment, every remainder */
        for (size_t size = sizeof data - 40; size < sizeof data - 20; size++) {
            uint32_t expected = bitwise(data + start, size);
            ck_assert_uint_eq(serin_crc32(0, data + start, size), expected);
            ck_assert_uint_eq(serin_crc32_small(0, data + start, size), expected);
        }
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {published_values, every_byte_value_and_every_cut,
                                  both_variants_agree_on_noise, NULL};
    return check_run("crc32", tests);
}
