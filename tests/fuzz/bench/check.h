/*
 * The assertions of Check that the benches of tests/unit make, for fuzz targets, which run without
 * a suite: a failure stops the program, as every other one of a target does.
 */
#ifndef SERIN_FUZZ_CHECK_H
#define SERIN_FUZZ_CHECK_H

#include <serin/assert.h>

#include <stdio.h>

#define ck_assert(condition) SERIN_ASSERT(condition)
#define ck_assert_msg(condition, ...)     \
    do {                                  \
        if (!(condition)) {               \
            fprintf(stderr, __VA_ARGS__); \
            fprintf(stderr, "\n");        \
            SERIN_ASSERT(0);              \
        }                                 \
    } while (0)
#define ck_assert_int_eq(a, b)     SERIN_ASSERT((a) == (b))
#define ck_assert_int_ne(a, b)     SERIN_ASSERT((a) != (b))
#define ck_assert_uint_eq(a, b)    SERIN_ASSERT((a) == (b))
#define ck_assert_uint_ne(a, b)    SERIN_ASSERT((a) != (b))
#define ck_assert_uint_le(a, b)    SERIN_ASSERT((a) <= (b))
#define ck_assert_uint_lt(a, b)    SERIN_ASSERT((a) < (b))
#define ck_assert_uint_ge(a, b)    SERIN_ASSERT((a) >= (b))
#define ck_assert_uint_gt(a, b)    SERIN_ASSERT((a) > (b))
#define ck_assert_ptr_nonnull(ptr) SERIN_ASSERT((ptr) != NULL)

#endif
