/* Of each piece at most one want a second, and of all nodes together no more than the table holds.
 */
#include "check_main.h"

#include <serin/plugin/wants.h>

#include <string.h>

#define PIECE   SERIN_PIECE_SIZE
#define STRETCH SERIN_WANTS_STRETCH_BYTES
#define SECOND  SERIN_WANTS_SILENCE_MS

static struct serin_wants wants;

static bool missing(uint32_t object, uint32_t offset, uint32_t length, uint64_t now_ms)
{
    uint8_t name[SERIN_SHA256_SIZE] = {0};
    /* As digests are: any four bytes are spread. */
    serin_put_le32(name, object * 2654435761u);
    serin_put_le32(name + 4, object);
    return serin_wants_say(&wants, SERIN_WANT_MISSING, name, offset, length, now_ms);
}

START_TEST(test_a_piece_once_a_second)
{
    serin_wants_init(&wants);
    ck_assert(missing(1, 0, PIECE, 1));
    for (uint64_t now = 1; now < 1 + SECOND; now += 37) {
        ck_assert(!missing(1, 0, PIECE, now));
        ck_assert(!missing(1, 100, 1, now));
    }
    ck_assert(missing(1, 0, PIECE, 1 + SECOND));
    ck_assert(!missing(1, 0, PIECE, SECOND)); /* a clock that ran backwards says nothing */
    ck_assert(missing(2, 0, PIECE, 1 + SECOND));
    ck_assert(missing(1, PIECE, 1, 1 + SECOND)); /* another piece of the same stretch */
    ck_assert(!missing(1, 0, 2 * PIECE, 1 + SECOND));
    ck_assert(missing(1, PIECE, PIECE + 1, 1 + SECOND)); /* one byte of a third */
}
END_TEST

START_TEST(test_a_want_tells_of_all_that_it_covers)
{
    serin_wants_init(&wants);
    ck_assert(missing(1, STRETCH - PIECE, 3 * PIECE, 1)); /* over the edge of a stretch */
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(!missing(1, STRETCH - PIECE + i * PIECE, PIECE, 2));
    }
    ck_assert(missing(1, STRETCH - 2 * PIECE, PIECE, 2));
    ck_assert(missing(1, STRETCH + 2 * PIECE, PIECE, 2));
    ck_assert(missing(3, 0, 4u * 1024 * 1024, 3)); /* the largest window */
    for (uint32_t at = 0; at < 4u * 1024 * 1024; at += PIECE) {
        ck_assert(!missing(3, at, PIECE, 4));
    }
}
END_TEST

START_TEST(test_kinds_are_apart)
{
    const uint8_t name[SERIN_SHA256_SIZE] = {5};
    serin_wants_init(&wants);
    ck_assert(serin_wants_say(&wants, SERIN_WANT_MISSING, name, 0, 1, 1));
    ck_assert(serin_wants_say(&wants, SERIN_WANT_ROTTEN, name, 0, 1, 1));
    ck_assert(!serin_wants_say(&wants, SERIN_WANT_MISSING, name, 0, 1, 2));
    ck_assert(!serin_wants_say(&wants, SERIN_WANT_ROTTEN, name, 0, 1, 2));
}
END_TEST

START_TEST(test_the_end_of_the_numbers)
{
    serin_wants_init(&wants);
    ck_assert(missing(1, UINT32_MAX, 1, 1));
    ck_assert(!missing(1, UINT32_MAX, 1, 1));
    ck_assert(missing(1, UINT32_MAX - 2 * STRETCH, 2 * STRETCH, 2));
    ck_assert(!missing(1, UINT32_MAX - PIECE, 1, UINT64_C(3)));
    ck_assert(missing(1, UINT32_MAX - PIECE, 1, UINT64_MAX));
}
END_TEST

/* A flood of names: at most a table's worth a second, and after a second as much again. What is
 * said in the course of it is still said once. */
START_TEST(test_floods_are_bounded)
{
    serin_wants_init(&wants);
    for (unsigned second = 0; second < 3; second++) {
        unsigned said = 0;
        for (uint32_t i = 0; i < 20000; i++) {
            uint64_t now = 1 + second * SECOND + i % SECOND;
            said += missing(1000 + i, 0, PIECE, 1 + second * SECOND);
            ck_assert(!missing(1000 + i, 0, PIECE, now));
        }
        ck_assert_uint_le(said, SERIN_WANTS_PLACES);
        ck_assert_uint_gt(said, SERIN_WANTS_PLACES * 3 / 4);
    }
}
END_TEST

/* One image that is asked for everywhere finds places for most of its stretches at once. */
START_TEST(test_a_large_image_fits)
{
    unsigned said = 0;
    serin_wants_init(&wants);
    for (uint32_t at = 0; at < 32u * 1024 * 1024; at += STRETCH) {
        said += missing(1, at, PIECE, 1);
    }
    ck_assert_uint_eq(said, 512);
}
END_TEST

static void say_nothing(void)
{
    (void)missing(1, 0, 0, 1);
}

static void say_too_much(void)
{
    (void)missing(1, 2, UINT32_MAX, 1);
}

START_TEST(test_programmer_errors)
{
    serin_wants_init(&wants);
    ck_assert(check_dies(say_nothing));
    ck_assert(check_dies(say_too_much));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_a_piece_once_a_second, test_a_want_tells_of_all_that_it_covers,
        test_kinds_are_apart,       test_the_end_of_the_numbers,
        test_floods_are_bounded,    test_a_large_image_fits,
        test_programmer_errors,     NULL};
    return check_run("plugin_wants", tests);
}
