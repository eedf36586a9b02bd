/* What is known of part files, against a plain model; full tables; verdicts and their end. */
#include "check_main.h"

#include <serin/plugin/partial.h>

#include <string.h>

#define PIECE SERIN_PIECE_SIZE

static struct serin_partial partial;

static const uint8_t *name_of(uint8_t number)
{
    static uint8_t name[SERIN_SHA256_SIZE];
    memset(name, number, sizeof name);
    return name;
}

static struct serin_have have(enum serin_have_kind kind, uint8_t number, uint32_t size)
{
    struct serin_have result = {.kind = kind, .object_size = size};
    memcpy(result.object, name_of(number), SERIN_SHA256_SIZE);
    return result;
}

static void part(uint8_t number, uint32_t size, bool fresh, uint32_t start, uint32_t end)
{
    struct serin_have what = have(SERIN_HAVE_PART, number, size);
    what.fresh = fresh;
    what.range_count = start < end;
    what.ranges[0] = (struct serin_range){start, end};
    serin_partial_hear(&partial, &what, 1);
}

static void absent(uint8_t number, enum serin_block_status status, uint32_t retry_ms,
                   uint64_t now_ms)
{
    struct serin_have what = have(SERIN_HAVE_ABSENT, number, 0);
    what.status = status;
    what.retry_ms = retry_ms;
    serin_partial_hear(&partial, &what, now_ms);
}

static uint32_t end_of(uint8_t number, uint32_t offset, uint32_t limit)
{
    return serin_partial_end(&partial, name_of(number), offset, limit);
}

START_TEST(test_ranges)
{
    const uint32_t size = 10 * PIECE + 100;
    serin_partial_init(&partial);
    ck_assert_uint_eq(serin_partial_size(&partial, name_of(1)), 0);
    ck_assert_uint_eq(end_of(1, 5, size), 5);
    part(1, size, true, PIECE, 3 * PIECE);
    ck_assert_uint_eq(serin_partial_size(&partial, name_of(1)), size);
    ck_assert_uint_eq(serin_partial_size(&partial, name_of(2)), 0);
    ck_assert_uint_eq(end_of(1, 0, size), 0);
    ck_assert_uint_eq(end_of(1, PIECE - 1, size), PIECE - 1);
    ck_assert_uint_eq(end_of(1, PIECE, size), 3 * PIECE);
    ck_assert_uint_eq(end_of(1, 2 * PIECE + 7, size), 3 * PIECE);
    ck_assert_uint_eq(end_of(1, PIECE, 2 * PIECE + 1), 2 * PIECE + 1); /* the limit */
    ck_assert_uint_eq(end_of(1, PIECE, PIECE), PIECE);
    ck_assert_uint_eq(end_of(1, 3 * PIECE, size), 3 * PIECE);
    part(1, size, false, 10 * PIECE, size); /* the short last piece */
    ck_assert_uint_eq(end_of(1, 10 * PIECE + 99, size), size);
    ck_assert_uint_eq(end_of(1, size, size), size);
    ck_assert_uint_eq(end_of(1, 10 * PIECE, UINT32_MAX), size); /* never past the object */
    ck_assert_uint_eq(end_of(1, UINT32_MAX - 1, UINT32_MAX), UINT32_MAX - 1);
    part(1, size, false, 3 * PIECE, 10 * PIECE);
    ck_assert_uint_eq(end_of(1, PIECE, size), size);

    serin_partial_lose(&partial, name_of(1), 5 * PIECE + 1);
    serin_partial_lose(&partial, name_of(1), UINT32_MAX); /* past its end: nothing */
    serin_partial_lose(&partial, name_of(9), 0);          /* not known at all: nothing */
    ck_assert_uint_eq(end_of(1, PIECE, size), 5 * PIECE);
    ck_assert_uint_eq(end_of(1, 6 * PIECE, size), size);

    part(1, size, true, 0, PIECE); /* fresh: what was said before no longer holds */
    ck_assert_uint_eq(end_of(1, 0, size), PIECE);
    part(1, size + 1, false, PIECE, 2 * PIECE); /* another size is another file */
    ck_assert_uint_eq(end_of(1, 0, size), 0);
    ck_assert_uint_eq(end_of(1, PIECE, size), 2 * PIECE);
    struct serin_have whole = have(SERIN_HAVE_WHOLE, 1, size + 1);
    serin_partial_hear(&partial, &whole, 1);
    ck_assert_uint_eq(serin_partial_size(&partial, name_of(1)), 0);
    ck_assert_uint_eq(end_of(1, PIECE, size), PIECE);
    part(1, size, false, 5, 5); /* no range at all */
    ck_assert_uint_eq(serin_partial_size(&partial, name_of(1)), size);
    ck_assert_uint_eq(end_of(1, 0, size), 0); /* and nothing of the file before is left */
    ck_assert_uint_eq(end_of(1, PIECE, size), PIECE);
}
END_TEST

/* A range that does not keep to pieces vouches for those alone that it covers. */
START_TEST(test_crooked_ranges)
{
    serin_partial_init(&partial);
    part(1, 10 * PIECE, true, 1, 3 * PIECE - 1);
    ck_assert_uint_eq(end_of(1, 0, 10 * PIECE), 0);
    ck_assert_uint_eq(end_of(1, PIECE, 10 * PIECE), 2 * PIECE);
    part(1, 10 * PIECE, true, 9 * PIECE, UINT32_MAX);
    ck_assert_uint_eq(end_of(1, 9 * PIECE, 10 * PIECE), 10 * PIECE);
    part(1, SERIN_SITE_OBJECT_MAX, true, 0, SERIN_SITE_OBJECT_MAX); /* every bit there is */
    ck_assert_uint_eq(end_of(1, 0, SERIN_SITE_OBJECT_MAX), SERIN_SITE_OBJECT_MAX);
    part(1, SERIN_SITE_OBJECT_MAX, true, 0, 0); /* and every bit is forgotten */
    for (uint32_t at = 0; at < SERIN_SITE_OBJECT_MAX; at += PIECE) {
        ck_assert_uint_eq(end_of(1, at, SERIN_SITE_OBJECT_MAX), at);
    }
}
END_TEST

START_TEST(test_against_a_model)
{
    enum { PIECES = 300 };
    static bool model[PIECES];
    const uint32_t size = PIECES * PIECE - 1000;
    uint32_t seed = 7;
    serin_partial_init(&partial);
    part(1, size, true, 0, 0);
    for (unsigned round = 0; round < 5000; round++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t first = (seed >> 8) % PIECES;
        uint32_t last = first + (seed >> 20) % 5;
        last = last < PIECES ? last : PIECES - 1;
        if ((seed >> 28) == 0) {
            serin_partial_lose(&partial, name_of(1), first * PIECE + 9);
            model[first] = false;
        } else if ((seed >> 28) < 6) {
            part(1, size, false, first * PIECE, last == PIECES - 1 ? size : (last + 1) * PIECE);
            memset(&model[first], true, last - first + 1);
        }
        uint32_t end = first;
        while (end < PIECES && model[end]) {
            end++;
        }
        uint32_t expected = end == PIECES ? size : end * PIECE;
        ck_assert_uint_eq(end_of(1, first * PIECE, size), expected);
    }
}
END_TEST

START_TEST(test_the_longest_unused_file_gives_way)
{
    serin_partial_init(&partial);
    for (uint8_t i = 0; i < SERIN_PARTIAL_FILES; i++) {
        part((uint8_t)(i + 1), 9 * PIECE, true, 0, PIECE);
    }
    ck_assert_uint_eq(end_of(1, 0, PIECE), PIECE); /* used: now 2 is the oldest */
    part(100, 9 * PIECE, true, 0, PIECE);
    ck_assert_uint_eq(serin_partial_size(&partial, name_of(2)), 0);
    for (uint8_t i = 3; i <= SERIN_PARTIAL_FILES; i++) {
        ck_assert_uint_eq(end_of(i, 0, PIECE), PIECE);
    }
    ck_assert_uint_eq(end_of(1, 0, PIECE), PIECE);
    ck_assert_uint_eq(end_of(100, 0, PIECE), PIECE);
    /* A place that was given back is taken first. */
    struct serin_have whole = have(SERIN_HAVE_WHOLE, 5, 9 * PIECE);
    serin_partial_hear(&partial, &whole, 1);
    part(101, 9 * PIECE, true, 0, PIECE);
    ck_assert_uint_eq(end_of(3, 0, PIECE), PIECE);
    ck_assert_uint_eq(end_of(1, 0, PIECE), PIECE);
}
END_TEST

static bool is_absent(uint8_t number, uint64_t now_ms, enum serin_block_status *status,
                      uint32_t *retry_ms)
{
    return serin_partial_absent(&partial, name_of(number), now_ms, status, retry_ms);
}

START_TEST(test_verdicts)
{
    enum serin_block_status status = SERIN_BLOCK_INVALID;
    uint32_t retry_ms = 0;
    serin_partial_init(&partial);
    ck_assert(!is_absent(1, 0, &status, &retry_ms));
    absent(1, SERIN_BLOCK_BUSY, 500, 1000);
    ck_assert(is_absent(1, 1100, &status, &retry_ms));
    ck_assert_int_eq(status, SERIN_BLOCK_BUSY);
    ck_assert_uint_eq(retry_ms, 400);
    ck_assert(!is_absent(2, 1100, &status, &retry_ms));
    ck_assert(is_absent(1, 1499, &status, &retry_ms));
    ck_assert(!is_absent(1, 1500, &status, &retry_ms));
    absent(1, SERIN_BLOCK_REFUSED, 100, 2000); /* the later word counts */
    absent(1, SERIN_BLOCK_NOT_FOUND, 300, 2000);
    ck_assert(is_absent(1, 2200, &status, &retry_ms));
    ck_assert_int_eq(status, SERIN_BLOCK_NOT_FOUND);
    absent(1, SERIN_BLOCK_REFUSED, 0, 2200); /* of this moment alone */
    ck_assert(!is_absent(1, 2200, &status, &retry_ms));

    /* Whatever says that there is something ends it; a part file stays known beside it. */
    static const enum serin_have_kind kinds[] = {SERIN_HAVE_PART, SERIN_HAVE_WHOLE,
                                                 SERIN_HAVE_DATA};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        part(1, PIECE, true, 0, PIECE);
        absent(1, SERIN_BLOCK_BUSY, 500, 3000);
        absent(2, SERIN_BLOCK_BUSY, 500, 3000);
        ck_assert(is_absent(1, 3000, &status, &retry_ms));
        ck_assert_uint_eq(end_of(1, 0, PIECE), PIECE);
        struct serin_have what = have(kinds[i], 1, PIECE);
        serin_partial_hear(&partial, &what, 3001);
        ck_assert(!is_absent(1, 3001, &status, &retry_ms));
        ck_assert(is_absent(2, 3001, &status, &retry_ms));
    }
}
END_TEST

START_TEST(test_the_verdict_that_ends_first_gives_way)
{
    enum serin_block_status status = SERIN_BLOCK_INVALID;
    uint32_t retry_ms = 0;
    serin_partial_init(&partial);
    for (uint8_t i = 0; i < SERIN_PARTIAL_VERDICTS; i++) {
        absent((uint8_t)(i + 1), SERIN_BLOCK_BUSY, i == 40 ? 100 : 1000u + i, 1);
    }
    absent(200, SERIN_BLOCK_REFUSED, 5000, 1);
    ck_assert(is_absent(200, 2, &status, &retry_ms));
    ck_assert(!is_absent(41, 2, &status, &retry_ms));
    for (uint8_t i = 0; i < SERIN_PARTIAL_VERDICTS; i++) {
        ck_assert(i == 40 || is_absent((uint8_t)(i + 1), 2, &status, &retry_ms));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_ranges,
                                  test_crooked_ranges,
                                  test_against_a_model,
                                  test_the_longest_unused_file_gives_way,
                                  test_verdicts,
                                  test_the_verdict_that_ends_first_gives_way,
                                  NULL};
    return check_run("plugin_partial", tests);
}
