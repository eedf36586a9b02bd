/*
 * The time that directives are signed with: never before what was signed already
 * (orchestrator/include/serin/orchestrator/signed_time.h).
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"

#include <serin/error.h>
#include <serin/orchestrator/signed_time.h>
#include <serin/wire.h>

#define CLOCK_MS UINT64_C(1800000000000)

/* Caught: the latest signed time where nothing was signed; a clock that is right and not believed.
 */
START_TEST(a_clock_that_goes_right_is_followed)
{
    struct serin_signed_time time = {.signed_ms = 0};
    ck_assert_uint_eq(serin_signed_time_ms(&time, 0, 7), 0);
    ck_assert_uint_eq(serin_signed_time_ms(&time, CLOCK_MS + 999, 7), CLOCK_MS + 999);
    serin_signed_time_heard(&time, CLOCK_MS / 1000, 7);
    ck_assert_uint_eq(serin_signed_time_ms(&time, CLOCK_MS + 999, 7), CLOCK_MS + 999);
    ck_assert_uint_eq(serin_signed_time_ms(&time, CLOCK_MS + 86400000, 8), CLOCK_MS + 86400000);
}
END_TEST

/* Caught: the clock alone; a time that stands still, so that leases are signed into the past of
 * those whose time goes on. */
START_TEST(a_clock_set_back_is_not_followed)
{
    struct serin_signed_time time = {.signed_ms = 0};
    serin_signed_time_heard(&time, CLOCK_MS / 1000, 1000);
    ck_assert_uint_eq(serin_signed_time_ms(&time, CLOCK_MS - 86400000, 1000), CLOCK_MS);
    ck_assert_uint_eq(serin_signed_time_ms(&time, CLOCK_MS - 86400000, 61000), CLOCK_MS + 60000);
    serin_signed_time_heard(&time, CLOCK_MS / 1000 + 60, 61000); /* what was made of it */
    ck_assert_uint_eq(serin_signed_time_ms(&time, 0, 62500), CLOCK_MS + 61500);
}
END_TEST

/* Caught: whatever was heard last; a comparison without the time that has passed since. */
START_TEST(what_was_signed_earlier_changes_nothing)
{
    struct serin_signed_time time = {.signed_ms = 0};
    serin_signed_time_heard(&time, CLOCK_MS / 1000, 1000);
    serin_signed_time_heard(&time, CLOCK_MS / 1000 - 1, 2000);
    serin_signed_time_heard(&time, CLOCK_MS / 1000 + 1, 3500);
    ck_assert_uint_eq(serin_signed_time_ms(&time, 0, 3500), CLOCK_MS + 2500);
    serin_signed_time_heard(&time, CLOCK_MS / 1000 + 3, 3500);
    ck_assert_uint_eq(serin_signed_time_ms(&time, 0, 3500), CLOCK_MS + 3000);
}
END_TEST

START_TEST(the_last_time_that_can_be_signed_is_kept)
{
    struct serin_signed_time time = {.signed_ms = 0};
    serin_signed_time_heard(&time, SERIN_TIME_MAX_S, 5);
    ck_assert_uint_eq(serin_signed_time_ms(&time, CLOCK_MS, 5) / 1000, SERIN_TIME_MAX_S);
}
END_TEST

static void a_monotonic_clock_that_falls(void)
{
    struct serin_signed_time time = {.signed_ms = 0};
    serin_signed_time_heard(&time, CLOCK_MS / 1000, 1000);
    (void)serin_signed_time_ms(&time, CLOCK_MS, 999);
}

START_TEST(a_monotonic_clock_does_not_fall)
{
    ck_assert(check_dies(a_monotonic_clock_that_falls));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_clock_that_goes_right_is_followed,     a_clock_set_back_is_not_followed,
        what_was_signed_earlier_changes_nothing, the_last_time_that_can_be_signed_is_kept,
        a_monotonic_clock_does_not_fall,         NULL,
    };
    return check_run("signed_time", tests);
}
