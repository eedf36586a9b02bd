/*
 * Health: a device is judged against its own past
 * (orchestrator/include/serin/orchestrator/health.h).
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"

#include <check.h>

#include <serin/orchestrator/health.h>

#define HOUR_S  UINT64_C(3600)
#define START_S UINT64_C(1800000000)

/* A device that beats at times that the test sets; its counters run on over `boots`. */
struct device {
    struct serin_health health;
    uint64_t now_s, booted_s, errors;
    uint32_t interval_s;
    bool watched;
};

static struct device make(uint32_t interval_s)
{
    return (struct device){.now_s = START_S, .booted_s = START_S, .interval_s = interval_s};
}

/* Time passes, `errors` happen, and it beats. */
static void beat(struct device *device, uint64_t after_s, uint64_t errors)
{
    device->now_s += after_s;
    device->errors += errors;
    struct serin_health_beat said = {.interval_s = device->interval_s,
                                     .uptime_s = device->now_s - device->booted_s,
                                     .errors = device->errors};
    serin_health_beat(&device->health, device->now_s, &said, device->watched);
}

static void beats(struct device *device, unsigned count, uint64_t after_s, uint64_t errors)
{
    for (unsigned i = 0; i < count; i++) {
        beat(device, after_s, errors);
    }
}

static void reboot(struct device *device)
{
    device->booted_s = device->now_s;
    device->errors = 0;
}

static bool silent_after(const struct device *device, uint64_t after_s)
{
    return serin_health_silent(&device->health, device->now_s + after_s);
}

/* Caught: two beats enough; a word taken for a beat. */
START_TEST(nothing_is_said_of_a_device_that_was_hardly_heard)
{
    struct device device = make(3600);
    ck_assert(!serin_health_known(&device.health));
    ck_assert(!silent_after(&device, 100 * HOUR_S));
    ck_assert(!serin_health_unwell(&device.health));
    for (unsigned i = 0; i < 10; i++) {
        serin_health_heard(&device.health, device.now_s + i);
    }
    ck_assert(!serin_health_known(&device.health));
    beats(&device, 2, HOUR_S, 1000);
    ck_assert(!serin_health_known(&device.health));
    ck_assert(!silent_after(&device, 100 * HOUR_S));
    ck_assert(!serin_health_unwell(&device.health));
    beat(&device, HOUR_S, 1000);
    ck_assert(serin_health_known(&device.health));
    ck_assert(silent_after(&device, 100 * HOUR_S));
}
END_TEST

/* Caught: ≥ made >; two gaps; the announced interval ignored. */
START_TEST(silence_is_three_of_its_own_gaps)
{
    struct device device = make(3600);
    beats(&device, 5, HOUR_S, 0);
    ck_assert(!silent_after(&device, 3 * HOUR_S));
    ck_assert(silent_after(&device, 3 * HOUR_S + 1));
    serin_health_heard(&device.health, device.now_s + 2 * HOUR_S);
    ck_assert(!silent_after(&device, 5 * HOUR_S));
    ck_assert(silent_after(&device, 5 * HOUR_S + 1));
    /* It beats more often than it says: what it says counts. */
    device = make(3600);
    beats(&device, 50, 60, 0);
    ck_assert(!silent_after(&device, 3 * HOUR_S));
    /* It says so itself that it will beat less often from now on. */
    device.interval_s = 7200;
    beat(&device, 60, 0);
    ck_assert(!silent_after(&device, 6 * HOUR_S));
    ck_assert(silent_after(&device, 6 * HOUR_S + 1));
}
END_TEST

/* A device that sleeps announces an hour and is heard twice a day. Caught: no gap learned; the
 * factor on a gap left out, so that one outage makes silence usual. */
START_TEST(a_device_that_sleeps_is_known_for_it)
{
    struct device device = make(3600);
    beats(&device, 14, 12 * HOUR_S, 0);
    ck_assert(!silent_after(&device, 13 * HOUR_S));
    ck_assert(!silent_after(&device, 30 * HOUR_S));
    ck_assert(silent_after(&device, 37 * HOUR_S));
    /* One that does not sleep, after one outage of a month. */
    device = make(3600);
    beats(&device, 14, HOUR_S, 0);
    beat(&device, 720 * HOUR_S, 0);
    ck_assert(silent_after(&device, 9 * HOUR_S));
    beats(&device, 12, HOUR_S, 0);
    ck_assert(silent_after(&device, 7 * HOUR_S));
    beats(&device, 60, HOUR_S, 0);
    ck_assert(silent_after(&device, 4 * HOUR_S));
    ck_assert(!silent_after(&device, 3 * HOUR_S));
}
END_TEST

/* It beats by the hour while it is awake, and then sleeps for as long or for longer. Caught: a
 * plain mean, which the beats while it is awake bring down. */
START_TEST(hours_awake_do_not_hide_the_sleep)
{
    static const struct {
        unsigned awake, asleep; /* hours */
    } cases[] = {{2, 12}, {4, 20}, {8, 16}, {12, 12}, {4, 44}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct device device = make(3600);
        for (unsigned day = 0; day < 14; day++) {
            beats(&device, cases[c].awake, HOUR_S, 0);
            ck_assert_msg(day < 7 || !silent_after(&device, cases[c].asleep * HOUR_S),
                          "case %zu, day %u", c, day);
            beat(&device, cases[c].asleep * HOUR_S, 0);
        }
        ck_assert(silent_after(&device, 5 * cases[c].asleep * HOUR_S));
    }
}
END_TEST

/* A restart of the caller: what was stored goes on, and where it was lost it begins anew, marked.
 * Who was silent when anything was last heard stays it. Caught: the past thrown away; the silent
 * heard again; the mark forgotten. */
START_TEST(a_past_goes_on_after_a_restart)
{
    struct device device = make(3600);
    beats(&device, 14, 12 * HOUR_S, 0);
    struct serin_health stored = device.health;
    uint64_t now_s = device.now_s + 1000 * HOUR_S;
    serin_health_resume(&stored, device.now_s + 30 * HOUR_S, now_s);
    ck_assert_uint_eq(stored.beat_s, device.now_s); /* nobody heard it */
    ck_assert(!serin_health_silent(&stored, now_s + 30 * HOUR_S));
    ck_assert(serin_health_silent(&stored, now_s + 37 * HOUR_S));
    ck_assert_uint_eq(stored.gap_s, device.health.gap_s);
    ck_assert_uint_eq(stored.lost_s, 0);
    ck_assert(serin_health_known(&stored));
    stored = device.health;
    serin_health_resume(&stored, device.now_s + 37 * HOUR_S, now_s);
    ck_assert_uint_eq(stored.beat_s, device.now_s);
    ck_assert(serin_health_silent(&stored, now_s));
    struct serin_health nothing = {.beats = 0};
    serin_health_resume(&nothing, 0, now_s);
    ck_assert_uint_eq(nothing.beat_s, 0);
    const struct serin_health_beat said = {.interval_s = 3600};
    serin_health_begin_anew(&stored, device.now_s, &said, device.now_s + 3 * HOUR_S, now_s);
    ck_assert_uint_eq(stored.resumed_s, now_s);
    ck_assert_uint_eq(stored.lost_s, now_s);
    ck_assert_uint_eq(stored.gap_s, 3600);
    ck_assert(!serin_health_known(&stored));
    serin_health_begin_anew(&stored, device.now_s, &said, device.now_s + 3 * HOUR_S + 1, now_s);
    ck_assert_uint_eq(stored.beat_s, device.now_s);
    ck_assert_uint_eq(stored.resumed_s, 0);
}
END_TEST

/* It dies, and the caller restarts more often than it would be missed: it is missed all the same,
 * as soon as anybody else was heard for so long. One that is well gets no longer gap by the outage.
 * Caught: one that was not heard taken for heard with each restart; an outage learned for a gap; a
 * restart that covers for a clock that was set right. */
START_TEST(who_dies_between_restarts_is_missed)
{
    struct device device = make(3600);
    beats(&device, 14, HOUR_S, 0);
    struct serin_health dead = device.health;
    for (unsigned hour = 2; hour <= 8; hour += 2) {
        uint64_t now_s = device.now_s + hour * HOUR_S;
        serin_health_resume(&dead, now_s - 60, now_s);
        ck_assert(serin_health_silent(&dead, now_s) == (hour > 2));
    }
    serin_health_resume(&device.health, device.now_s, device.now_s + 100 * HOUR_S);
    device.now_s += 100 * HOUR_S;
    beat(&device, HOUR_S, 0);
    ck_assert_uint_eq(device.health.gap_s, 3600);
    ck_assert_uint_eq(device.health.resumed_s, 0);
    serin_health_resume(&device.health, device.now_s, device.now_s + 10000 * HOUR_S);
    ck_assert(serin_health_silent(&device.health, device.now_s + 4 * HOUR_S));
}
END_TEST

/* What a device does while a rollout is under way is no past of its own. Caught: `watched` ignored
 * for the gap. */
START_TEST(a_watched_device_is_held_to_its_past)
{
    struct device device = make(3600);
    beats(&device, 5, HOUR_S, 0);
    device.watched = true;
    beats(&device, 20, 10 * HOUR_S, 0);
    ck_assert(!silent_after(&device, 3 * HOUR_S));
    ck_assert(silent_after(&device, 3 * HOUR_S + 1));
}
END_TEST

/* Usually two errors an hour: above eight is unwell. Caught: the floor forgotten; the factor
 * forgotten; the usual rate learned of a watched device too. */
START_TEST(errors_are_measured_against_its_own_rate)
{
    static const struct {
        uint64_t usual, late;
        bool unwell;
    } cases[] = {{0, 0, false}, {0, 1, false}, {0, 2, false},   {0, 4, true},
                 {2, 2, false}, {2, 7, false}, {2, 10, true},   {100, 250, false},
                 {0, 3, true},  {2, 9, true},  {100, 400, true}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct device device = make(3600);
        beats(&device, 200, HOUR_S, cases[c].usual);
        ck_assert(!serin_health_unwell(&device.health));
        device.watched = true;
        reboot(&device);
        beats(&device, 24, HOUR_S, cases[c].late);
        ck_assert_msg(serin_health_unwell(&device.health) == cases[c].unwell, "case %zu: %u, %u", c,
                      device.health.usual_rate, device.health.late_rate);
    }
}
END_TEST

/* It is well again hours after the errors end. Caught: the late rate never falls. */
START_TEST(a_device_recovers)
{
    struct device device = make(3600);
    beats(&device, 50, HOUR_S, 0);
    device.watched = true;
    beats(&device, 3, HOUR_S, 50);
    ck_assert(serin_health_unwell(&device.health));
    beats(&device, 12, HOUR_S, 0);
    ck_assert(!serin_health_unwell(&device.health));
}
END_TEST

/* Counters begin anew with a boot. Caught: the difference of unsigned numbers taken all the same,
 * which makes every reboot four thousand million errors; errors since the boot lost. */
START_TEST(a_reboot_is_no_error)
{
    struct device device = make(3600);
    beats(&device, 50, HOUR_S, 1);
    reboot(&device);
    beat(&device, HOUR_S, 1);
    ck_assert(!serin_health_unwell(&device.health));
    uint16_t usual = device.health.usual_rate;
    ck_assert_uint_ge(usual, 14);
    ck_assert_uint_le(usual, 18);
    device.watched = true;
    for (unsigned i = 0; i < 12; i++) {
        reboot(&device);
        beat(&device, HOUR_S, 20); /* a reboot an hour, and twenty errors in each */
    }
    ck_assert(serin_health_unwell(&device.health));
    /* One between two beats that are seconds apart. */
    device = make(60);
    beats(&device, 100, 60, 0);
    device.watched = true;
    reboot(&device);
    beat(&device, 10, 5);
    ck_assert(serin_health_unwell(&device.health));
    /* And soon after another. */
    device = make(10);
    beat(&device, 10, 10);
    beats(&device, 2, 10, 0);
    reboot(&device);
    beat(&device, 5, 0);
    ck_assert(serin_health_known(&device.health));
    ck_assert(!serin_health_unwell(&device.health));
    /* A reboot that left fewer errors and a longer uptime than before is one, too. */
    device = make(3600);
    beats(&device, 4, HOUR_S, 100);
    reboot(&device);
    device.watched = true;
    beat(&device, 30 * HOUR_S, 3);
    ck_assert(!serin_health_unwell(&device.health));
}
END_TEST

/* Caught: the clock that went back makes every later beat one from the past; the span between beats
 * measured by it. */
/* Caught: errors of the old image that count on against the new one; a boot of the same image that
 * forgets; a rate that an update raises. */
START_TEST(errors_of_the_old_image_stay_behind)
{
    struct device device = make(3600);
    beats(&device, 5, HOUR_S, 0);
    device.watched = true;
    beats(&device, 3, HOUR_S, 10);
    ck_assert(serin_health_unwell(&device.health));
    reboot(&device);
    beat(&device, HOUR_S, 0);
    ck_assert(serin_health_unwell(&device.health)); /* the same image */
    serin_health_updated(&device.health);
    ck_assert(!serin_health_unwell(&device.health));
    reboot(&device);
    beat(&device, HOUR_S, 0);
    ck_assert(!serin_health_unwell(&device.health));
    beats(&device, 3, HOUR_S, 10);
    ck_assert(serin_health_unwell(&device.health)); /* the new one's own count as ever */
    struct device busy = make(3600);
    beats(&busy, 30, HOUR_S, 10);
    beats(&busy, 20, HOUR_S, 0);
    ck_assert_uint_lt(busy.health.late_rate, busy.health.usual_rate);
    struct serin_health before = busy.health;
    serin_health_updated(&busy.health);
    ck_assert_mem_eq(&busy.health, &before, sizeof before);
}
END_TEST

START_TEST(a_clock_that_jumps_makes_nobody_silent_for_good)
{
    struct device device = make(3600);
    beats(&device, 50, HOUR_S, 1);
    struct serin_health_beat said = {.interval_s = 3600, .uptime_s = 51 * HOUR_S, .errors = 51};
    uint64_t past_s = device.now_s - 1000 * HOUR_S;
    serin_health_beat(&device.health, past_s, &said, false);
    ck_assert(!serin_health_silent(&device.health, past_s + 3 * HOUR_S));
    ck_assert(serin_health_silent(&device.health, past_s + 3 * HOUR_S + 1));
    ck_assert(!serin_health_silent(&device.health, past_s - 1)); /* it goes back once more */
    said.uptime_s += 3600;
    said.errors += 1;
    serin_health_beat(&device.health, past_s + 10000 * HOUR_S, &said, true);
    ck_assert(!serin_health_unwell(&device.health));
    ck_assert(serin_health_silent(&device.health, past_s + 10003 * HOUR_S + 1));
}
END_TEST

/* After a restart of the caller nothing is known; what is heard first is all the past there is.
 * Caught: a watched device that counts errors as ever taken for unwell; one that never has a past.
 */
START_TEST(a_forgotten_device_gets_a_past_again)
{
    struct device device = make(3600);
    device.watched = true;
    device.errors = 100000;
    beats(&device, 20, HOUR_S, 30);
    ck_assert(serin_health_known(&device.health));
    ck_assert(!serin_health_unwell(&device.health));
    ck_assert(silent_after(&device, 4 * HOUR_S));
    beats(&device, 12, HOUR_S, 300);
    ck_assert(serin_health_unwell(&device.health));
}
END_TEST

/* Caught: sums and products that wrap. */
START_TEST(the_greatest_numbers_saturate)
{
    struct serin_health health = {0};
    struct serin_health_beat said = {.interval_s = UINT32_MAX, .uptime_s = 1, .errors = 0};
    serin_health_beat(&health, UINT64_MAX - 1, &said, false);
    said.errors = UINT64_MAX;
    said.uptime_s = UINT64_MAX;
    for (unsigned i = 0; i < 70000; i++) {
        serin_health_beat(&health, UINT64_MAX - 1, &said, false);
        said.uptime_s = i % 2 ? UINT64_MAX : 2;
    }
    ck_assert_uint_eq(health.beats, UINT16_MAX);
    ck_assert_uint_eq(health.rated, UINT16_MAX);
    ck_assert_uint_eq(health.late_rate, UINT16_MAX);
    ck_assert_uint_le(health.gap_s, UINT64_C(604800));
    ck_assert(serin_health_known(&health));
}
END_TEST

/* The clock is set back a day, and the device beats on as ever: it did not boot, so that errors of
 * its first hour are no errors of this one, and no long gap passed. Caught: a boot, or a gap, told
 * by the word that was moved back. */
START_TEST(a_clock_that_is_set_right_boots_nobody)
{
    struct device device = make(3600);
    beat(&device, HOUR_S, 100000);
    beats(&device, 30, HOUR_S, 0);
    ck_assert(!serin_health_unwell(&device.health));
    device.now_s -= 24 * HOUR_S;
    device.booted_s -= 24 * HOUR_S;
    ck_assert(serin_health_set_back(&device.health, device.now_s));
    beat(&device, HOUR_S, 0);
    ck_assert_uint_eq(device.health.late_rate, 0);
    ck_assert(!serin_health_unwell(&device.health));
    ck_assert_uint_eq(device.health.gap_s, 3600);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_clock_that_is_set_right_boots_nobody,
        nothing_is_said_of_a_device_that_was_hardly_heard,
        silence_is_three_of_its_own_gaps,
        a_device_that_sleeps_is_known_for_it,
        hours_awake_do_not_hide_the_sleep,
        a_past_goes_on_after_a_restart,
        who_dies_between_restarts_is_missed,
        a_watched_device_is_held_to_its_past,
        errors_are_measured_against_its_own_rate,
        a_device_recovers,
        a_reboot_is_no_error,
        errors_of_the_old_image_stay_behind,
        a_clock_that_jumps_makes_nobody_silent_for_good,
        a_forgotten_device_gets_a_past_again,
        the_greatest_numbers_saturate,
        NULL,
    };
    return check_run("health", tests);
}
