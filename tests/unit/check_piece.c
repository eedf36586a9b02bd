/* Pieces: counts and sizes up to the largest object that 32 bits can name. */
#include "check_main.h"

#include <serin/piece.h>

START_TEST(pieces_cover_an_object_exactly)
{
    const uint32_t sizes[] = {1, 2, 4095, 4096, 4097, 8191, 8192, 8193, 10000, 1u << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t sum = 0;
        uint32_t count = serin_piece_count(sizes[i]);
        for (uint32_t index = 0; index < count; index++) {
            uint32_t size = serin_piece_size(sizes[i], index);
            ck_assert_uint_ge(size, 1);
            ck_assert_uint_le(size, SERIN_PIECE_SIZE);
            ck_assert(index + 1 == count || size == SERIN_PIECE_SIZE);
            sum += size;
        }
        ck_assert_uint_eq(sum, sizes[i]);
        ck_assert_uint_eq(serin_piece_table_size(sizes[i]), count * 32u);
    }
}
END_TEST

START_TEST(nothing_wraps_at_the_ends)
{
    ck_assert_uint_eq(serin_piece_count(0), 0);
    ck_assert_uint_eq(serin_piece_table_size(0), 0);
    ck_assert_uint_eq(serin_piece_count(UINT32_MAX), 1u << 20);
    ck_assert_uint_eq(serin_piece_size(UINT32_MAX, (1u << 20) - 1), 4095);
    ck_assert_uint_eq(serin_piece_table_size(UINT32_MAX), 32u << 20);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {pieces_cover_an_object_exactly, nothing_wraps_at_the_ends, NULL};
    return check_run("piece", tests);
}
