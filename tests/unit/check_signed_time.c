/*
 * The time that directives are signed with: never before what was signed already, and not behind
 * those who heard it after any number of restarts
 * (orchestrator/include/serin/orchestrator/signed_time.h).
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"

#include <serin/error.h>
#include <serin/orchestrator/signed_time.h>
#include <serin/wire.h>

#define CLOCK_MS UINT64_C(1800000000000)
#define MINUTE   UINT64_C(60000)
#define HOUR     (60u * MINUTE)
#define DAY      (24u * HOUR)
#define LAST_MS  (SERIN_TIME_MAX_S * 1000u + 999u)

/* A machine: its clocks, and what its store has. */
static struct serin_signed_time now_time;
static struct serin_signed_mark kept;
static uint64_t wall, mono;

static void boot(uint64_t wall_ms)
{
    now_time = (struct serin_signed_time){.signed_ms = 0};
    kept = (struct serin_signed_mark){.signed_ms = 0};
    wall = wall_ms;
    mono = 1000;
}

static uint64_t signed_ms(void)
{
    return serin_signed_time_ms(&now_time, wall, mono);
}

static void keep(void)
{
    serin_signed_time_look(&now_time, wall, mono);
    kept = serin_signed_time_mark(&now_time, wall, mono);
}

/* A directive is signed, and the store has it. */
static void sign(void)
{
    serin_signed_time_heard(&now_time, signed_ms() / 1000u, wall, mono);
    keep();
}

static void pass(uint64_t ms)
{
    wall += ms;
    mono += ms;
}

/* A restart after this time; the wall clock is set by `by` meanwhile. */
static void restart(uint64_t away_ms, int64_t by_ms)
{
    wall = wall + away_ms + (uint64_t)by_ms;
    mono = 500;
    serin_signed_time_resume(&now_time, &kept, wall, mono);
}

/* What the loop asks for within a second. */
static void tend(void)
{
    serin_signed_time_look(&now_time, wall, mono);
    if (serin_signed_time_moved(&now_time, &kept, wall, mono)) {
        keep();
    }
    ck_assert(!serin_signed_time_moved(&now_time, &kept, wall, mono));
}

/* The wall clock was a day ahead when a directive was signed, and was set right. */
static void far_ahead(void)
{
    boot(CLOCK_MS + DAY);
    sign();
    wall -= DAY;
    tend();
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + DAY);
}

/* Caught: the latest signed time where nothing was signed; a clock that is right and not believed.
 */
START_TEST(a_clock_that_goes_right_is_followed)
{
    boot(0);
    ck_assert_uint_eq(signed_ms(), 0);
    wall = CLOCK_MS + 999;
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + 999);
    serin_signed_time_heard(&now_time, CLOCK_MS / 1000, wall, mono);
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + 999);
    wall += DAY;
    mono++;
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + 999 + DAY);
}
END_TEST

/* Caught: the clock alone; a time that stands still, so that leases are signed into the past of
 * those whose time goes on. */
START_TEST(a_clock_set_back_is_not_followed)
{
    boot(CLOCK_MS);
    sign();
    wall -= DAY;
    ck_assert_uint_eq(signed_ms(), CLOCK_MS);
    pass(MINUTE);
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + MINUTE);
    serin_signed_time_heard(&now_time, CLOCK_MS / 1000 + 60, wall, mono); /* what was made of it */
    pass(1500);
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + 61500);
}
END_TEST

/* Caught: whatever was heard last; a comparison without the time that has passed since. */
START_TEST(what_was_signed_earlier_changes_nothing)
{
    boot(0);
    serin_signed_time_heard(&now_time, CLOCK_MS / 1000, 0, 1000);
    serin_signed_time_heard(&now_time, CLOCK_MS / 1000 - 1, 0, 2000);
    serin_signed_time_heard(&now_time, CLOCK_MS / 1000 + 1, 0, 3500);
    ck_assert_uint_eq(serin_signed_time_ms(&now_time, 0, 3500), CLOCK_MS + 2500);
    serin_signed_time_heard(&now_time, CLOCK_MS / 1000 + 3, 0, 3500);
    ck_assert_uint_eq(serin_signed_time_ms(&now_time, 0, 3500), CLOCK_MS + 3000);
}
END_TEST

/* Caught: sums without a limit, of which none could be signed. */
START_TEST(the_last_time_that_can_be_signed_is_kept)
{
    boot(CLOCK_MS);
    serin_signed_time_heard(&now_time, SERIN_TIME_MAX_S, wall, mono);
    ck_assert_uint_eq(signed_ms() / 1000, SERIN_TIME_MAX_S);
    pass(DAY);
    ck_assert_uint_eq(signed_ms(), LAST_MS);
    serin_signed_time_add(&now_time, DAY, wall, mono);
    ck_assert_uint_eq(signed_ms(), LAST_MS);
    keep();
    kept.signed_ms = UINT64_MAX;
    restart(DAY, 0);
    ck_assert_uint_eq(signed_ms(), LAST_MS);
    pass(DAY);
    ck_assert_uint_eq(signed_ms(), LAST_MS);
    ck_assert_uint_eq(serin_signed_time_ms(&now_time, UINT64_MAX, mono), LAST_MS);
}
END_TEST

static void a_monotonic_clock_that_falls(void)
{
    boot(CLOCK_MS);
    sign();
    (void)serin_signed_time_ms(&now_time, CLOCK_MS, mono - 1);
}

START_TEST(a_monotonic_clock_does_not_fall)
{
    ck_assert(check_dies(a_monotonic_clock_that_falls));
}
END_TEST

/* Those who heard it go on by their own clocks: whatever is missing ends their leases earlier.
 * Caught: a restart that goes on from what was signed last; one that counts from the directive and
 * not from when the mark was kept. */
START_TEST(a_restart_goes_on_by_the_wall_clock)
{
    far_ahead();
    for (uint64_t i = 1; i <= 10; i++) {
        pass(3 * HOUR - 1000);
        keep();
        restart(1000, 0);
        tend();
        ck_assert_uint_eq(signed_ms(), CLOCK_MS + DAY + i * 3 * HOUR);
        ck_assert(!now_time.doubted);
        ck_assert_uint_eq(now_time.ahead_s, CLOCK_MS / 1000);
    }
    restart(2 * DAY, 0); /* also for longer than it is ahead */
    ck_assert_uint_eq(signed_ms() - wall, DAY);
}
END_TEST

/* It was set right while serind was away: nothing tells for how long. Caught: a clock that stands
 * before the mark's taken at its word (a wrap); a doubt that a restart forgets. */
START_TEST(a_clock_set_back_while_away_leaves_a_doubt)
{
    boot(CLOCK_MS + DAY);
    sign();
    restart(MINUTE, -(int64_t)DAY);
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + DAY);
    ck_assert(now_time.doubted);
    ck_assert_uint_ne(now_time.left.signed_ms, 0);
    tend();
    pass(HOUR);
    keep();
    restart(HOUR, 0); /* this one is counted */
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + DAY + 2 * HOUR);
    ck_assert(now_time.doubted);
    ck_assert_uint_eq(now_time.left.signed_ms, 0);
    serin_signed_time_add(&now_time, MINUTE, wall, mono);
    ck_assert_uint_eq(signed_ms() - wall, DAY);
    ck_assert(!now_time.doubted);
    keep();
    restart(MINUTE, -(int64_t)HOUR);
    ck_assert_uint_ne(now_time.left.signed_ms, 0);
    serin_signed_time_add(&now_time, MINUTE, wall, mono); /* who says so need not be told by it */
    ck_assert_uint_eq(now_time.left.signed_ms, 0);
}
END_TEST

/* Caught: a mark that is settled although time only went by (the doubt is gone then). */
START_TEST(a_clock_that_comes_by_itself_to_where_it_was_tells_nothing)
{
    boot(CLOCK_MS + HOUR);
    sign();
    restart(MINUTE, -(int64_t)HOUR);
    pass(HOUR);
    serin_signed_time_look(&now_time, wall, mono);
    ck_assert_uint_eq(now_time.left.signed_ms, 0);
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + 2 * HOUR);
    ck_assert(now_time.doubted);
}
END_TEST

/* A board without a clock of its own boots with an old time, and is set right by the network.
 * Caught: what is missing never counted. */
START_TEST(a_clock_set_right_tells_how_long_it_was)
{
    far_ahead();
    restart(5 * HOUR, -(int64_t)(6 * HOUR));
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + DAY);
    ck_assert(now_time.doubted);
    tend();
    pass(MINUTE);
    wall += 6 * HOUR;
    tend();
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + DAY + 5 * HOUR + MINUTE);
    ck_assert(!now_time.doubted);
}
END_TEST

/* The clock begins at 1970 with each boot; the power goes again before it is set right. Caught: the
 * years between counted as time that serind was away. */
START_TEST(a_clock_that_begins_at_1970_takes_nothing_ahead)
{
    boot(CLOCK_MS);
    sign();
    for (unsigned i = 1; i <= 3; i++) {
        wall = 0;
        restart(MINUTE, 0);
        ck_assert(now_time.doubted);
        pass(MINUTE);
        sign();
        ck_assert_uint_eq(signed_ms() - signed_ms() % 1000, CLOCK_MS + i * MINUTE);
    }
    wall = CLOCK_MS;
    restart(DAY - HOUR, -(int64_t)MINUTE); /* yesterday's time, as some boards keep it */
    ck_assert_uint_eq(signed_ms(), wall);
    wall = CLOCK_MS;
    restart(HOUR, 0);
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + HOUR);
    tend();
    ck_assert(!now_time.doubted);
    ck_assert_uint_eq(now_time.ahead_s, 0);
}
END_TEST

/* The same, an hour behind: the clock is past what was signed when it is right. Caught: the hour
 * for which it was behind counted as well. */
START_TEST(a_clock_that_was_behind_and_is_right_is_followed)
{
    boot(CLOCK_MS);
    sign();
    restart(HOUR, -(int64_t)(2 * HOUR)); /* it is 1:00 and the clock says 23:00 */
    tend();
    pass(MINUTE);
    keep();
    restart(MINUTE, 2 * (int64_t)HOUR);
    ck_assert_uint_eq(signed_ms(), wall);
    tend();
    ck_assert(!now_time.doubted);
}
END_TEST

/* Caught: no limit; a limit that is off by a week and more. */
START_TEST(a_week_and_no_more_is_believed)
{
    far_ahead();
    restart(SERIN_SIGNED_AWAY_MAX_MS, 0);
    ck_assert_uint_eq(signed_ms() - wall, DAY);
    ck_assert(!now_time.doubted);
    boot(CLOCK_MS + 30 * DAY);
    sign();
    wall -= 30 * DAY;
    tend();
    restart(SERIN_SIGNED_AWAY_MAX_MS + 1, 0);
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + 30 * DAY);
    ck_assert(now_time.doubted);
}
END_TEST

/* Stores of before have no mark; a backup knows less than the broker. Caught: no doubt; a doubt for
 * what is not ahead of the clock. */
START_TEST(what_was_found_leaves_a_doubt_where_it_is_ahead)
{
    boot(CLOCK_MS);
    serin_signed_time_resume(&now_time, &kept, wall, mono);
    serin_signed_time_heard(&now_time, CLOCK_MS / 1000 - 60, wall, mono);
    ck_assert(!now_time.doubted);
    serin_signed_time_heard(&now_time, (CLOCK_MS + DAY) / 1000, wall, mono);
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + DAY);
    ck_assert(now_time.doubted);
    ck_assert_uint_eq(now_time.ahead_s, CLOCK_MS / 1000);
    keep();
    restart(HOUR, 0);
    ck_assert_uint_eq(signed_ms(), CLOCK_MS + DAY + HOUR);
    ck_assert(now_time.doubted);
}
END_TEST

/* Caught: signed time that is ahead said to be so from a minute on and not before; for good. */
START_TEST(it_is_ahead_from_a_minute_on_until_it_is_not)
{
    boot(CLOCK_MS);
    sign();
    wall -= MINUTE - 1;
    serin_signed_time_look(&now_time, wall, mono);
    ck_assert_uint_eq(now_time.ahead_s, 0);
    wall--;
    serin_signed_time_look(&now_time, wall, mono);
    ck_assert_uint_eq(now_time.ahead_s, wall / 1000);
    uint64_t since_s = now_time.ahead_s;
    pass(HOUR);
    serin_signed_time_look(&now_time, wall, mono);
    ck_assert_uint_eq(now_time.ahead_s, since_s);
    wall += 1000;
    serin_signed_time_look(&now_time, wall, mono);
    ck_assert_uint_eq(now_time.ahead_s, 0);
}
END_TEST

/* Each costs a transaction. Caught: one for each millisecond; none for a clock that was set. */
START_TEST(a_clock_that_is_set_asks_to_be_kept)
{
    boot(CLOCK_MS);
    ck_assert(!serin_signed_time_moved(&now_time, &kept, wall, mono)); /* nothing was signed */
    sign();
    const int64_t steps_ms[] = {1000, -1000, 1001, -1001, (int64_t)DAY, -(int64_t)DAY};
    for (size_t i = 0; i < sizeof steps_ms / sizeof steps_ms[0]; i++) {
        pass(HOUR);
        uint64_t set_ms = wall + (uint64_t)steps_ms[i];
        ck_assert_int_eq(serin_signed_time_moved(&now_time, &kept, set_ms, mono), i > 1);
    }
    serin_signed_time_add(&now_time, HOUR, wall, mono);
    ck_assert(serin_signed_time_moved(&now_time, &kept, wall, mono));
}
END_TEST

START_TEST(nothing_signed_is_nothing_to_go_ahead_of)
{
    boot(CLOCK_MS);
    serin_signed_time_add(&now_time, HOUR, wall, mono);
    ck_assert_uint_eq(signed_ms(), CLOCK_MS);
    ck_assert_uint_eq(serin_signed_time_mark(&now_time, wall, mono).signed_ms, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_clock_that_goes_right_is_followed,
        a_clock_set_back_is_not_followed,
        what_was_signed_earlier_changes_nothing,
        the_last_time_that_can_be_signed_is_kept,
        a_monotonic_clock_does_not_fall,
        a_restart_goes_on_by_the_wall_clock,
        a_clock_set_back_while_away_leaves_a_doubt,
        a_clock_that_comes_by_itself_to_where_it_was_tells_nothing,
        a_clock_set_right_tells_how_long_it_was,
        a_clock_that_begins_at_1970_takes_nothing_ahead,
        a_clock_that_was_behind_and_is_right_is_followed,
        a_week_and_no_more_is_believed,
        what_was_found_leaves_a_doubt_where_it_is_ahead,
        it_is_ahead_from_a_minute_on_until_it_is_not,
        a_clock_that_is_set_asks_to_be_kept,
        nothing_signed_is_nothing_to_go_ahead_of,
        NULL,
    };
    return check_run("signed_time", tests);
}
