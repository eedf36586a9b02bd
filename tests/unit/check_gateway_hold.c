/*
 * Signed time, leases and the site's own halt (serin/gateway/hold.h; docs/spec/site.md, section 6):
 * every state with every input, leases to the second, restarts of the program and of the machine.
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"

#include <serin/gateway/hold.h>

#include <string.h>

#define T0  UINT64_C(1700000000) /* signed time of the first directive */
#define MS0 UINT64_C(5000000)    /* the monotonic clock then */

static struct serin_hold_book book;

static void start(void)
{
    serin_hold_init(&book);
    ck_assert_int_eq(serin_hold_serve(&book, "lamp", "stable"), SERIN_OK);
    ck_assert_int_eq(serin_hold_serve(&book, "lamp", "beta"), SERIN_OK);
    ck_assert_int_eq(serin_hold_serve(&book, "pump", "stable"), SERIN_OK);
}

/* A directive of lamp/stable with a candidate, a lease of an hour and a limit of two failures. */
static struct serin_directive directive(uint32_t sequence, uint64_t issued_s)
{
    struct serin_directive value;
    memset(&value, 0, sizeof value);
    strcpy(value.product, "lamp");
    strcpy(value.channel, "stable");
    value.order = (struct serin_order){.epoch = 1, .sequence = sequence};
    value.issued_s = issued_s;
    value.lease_s = 3600;
    value.candidate.offer_count = 1;
    value.candidate.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 9};
    memset(value.candidate.offers[0].manifest_id, 7, SERIN_SHA256_SIZE);
    value.candidate.attempt = 1;
    value.candidate_state = SERIN_CANDIDATE_ROLLING;
    value.site_failures_max = 2;
    return value;
}

static void hear_at(const struct serin_directive *value, bool this_boot, uint64_t taken_ms,
                    uint32_t failures, uint64_t now_ms)
{
    const struct serin_hold_event event = {.kind = SERIN_HOLD_DIRECTIVE,
                                           .directive = value,
                                           .this_boot = this_boot,
                                           .taken_ms = taken_ms,
                                           .failures = failures};
    serin_hold_step(&book, now_ms, &event);
}

static void hear(const struct serin_directive *value, uint64_t now_ms)
{
    hear_at(value, true, now_ms, 0, now_ms);
}

static void pass(uint64_t now_ms)
{
    const struct serin_hold_event event = {.kind = SERIN_HOLD_TIME};
    serin_hold_step(&book, now_ms, &event);
}

static void failed(uint32_t failures, uint64_t now_ms)
{
    const struct serin_hold_event event = {
        .kind = SERIN_HOLD_FAILURES, .fleet = 0, .failures = failures};
    serin_hold_step(&book, now_ms, &event);
}

static struct serin_hold said(size_t product, uint64_t now_ms)
{
    struct serin_hold hold;
    serin_hold_value(&book, now_ms, product, &hold);
    return hold;
}

static void told(uint64_t now_ms)
{
    for (size_t i = 0; i < book.product_count; i++) {
        serin_hold_told(&book, now_ms, i);
    }
}

/* ---- the table ---- */

/* Caught: any cell of the table changed. */
START_TEST(every_state_with_every_input)
{
    for (int state = SERIN_HOLD_OPEN; state < SERIN_HOLD_STATE_COUNT; state++) {
        for (int input = SERIN_HOLD_LEASED; input < SERIN_HOLD_INPUT_COUNT; input++) {
            enum serin_hold_state want = SERIN_HOLD_INVALID;
            if (state == SERIN_HOLD_SITE) {
                want = input == SERIN_HOLD_RELIEVED ? SERIN_HOLD_LEASE : SERIN_HOLD_INVALID;
            } else if (input == SERIN_HOLD_EXCEEDED) {
                want = SERIN_HOLD_SITE;
            } else if (state == SERIN_HOLD_OPEN && input == SERIN_HOLD_EXPIRED) {
                want = SERIN_HOLD_LEASE;
            } else if (state == SERIN_HOLD_LEASE && input == SERIN_HOLD_LEASED) {
                want = SERIN_HOLD_OPEN;
            }
            ck_assert_msg(
                serin_hold_next((enum serin_hold_state)state, (enum serin_hold_input)input) == want,
                "state %d, input %d", state, input);
        }
    }
}
END_TEST

static void next_of_no_state(void)
{
    (void)serin_hold_next(SERIN_HOLD_INVALID, SERIN_HOLD_LEASED);
}

static void step_of_no_event(void)
{
    start();
    const struct serin_hold_event event = {.kind = SERIN_HOLD_EVENT_INVALID};
    serin_hold_step(&book, 0, &event);
}

START_TEST(what_is_not_listed_stops_the_program)
{
    ck_assert(check_dies(next_of_no_state));
    ck_assert(check_dies(step_of_no_event));
}
END_TEST

START_TEST(fleets_are_served_once_and_in_bounds)
{
    start();
    ck_assert_uint_eq(book.product_count, 2);
    ck_assert_int_eq(serin_hold_serve(&book, "lamp", "beta"), SERIN_ERR_EXISTS);
    ck_assert_int_eq(serin_hold_serve(&book, "la mp", "beta"), SERIN_ERR_INVALID);
    char channel[] = "c0";
    for (int i = 3; i < (int)SERIN_GW_FLEETS_MAX; i++) {
        channel[1] = (char)('0' + i);
        ck_assert_int_eq(serin_hold_serve(&book, "lamp", channel), SERIN_OK);
    }
    ck_assert_int_eq(serin_hold_serve(&book, "lamp", "more"), SERIN_ERR_TOO_LARGE);
}
END_TEST

/* ---- leases ---- */

/* Caught: `>=` for `>` at the end of the lease; milliseconds for seconds. */
START_TEST(a_lease_ends_to_the_second)
{
    start();
    struct serin_directive value = directive(1, T0);
    ck_assert(said(0, MS0).held);
    ck_assert_int_eq(said(0, MS0).reason, SERIN_REASON_LEASE);
    ck_assert_uint_eq(said(0, MS0).time_s, 0);
    hear(&value, MS0);
    ck_assert(!said(0, MS0).held);
    ck_assert_int_eq(said(0, MS0).reason, SERIN_REASON_NONE);
    ck_assert_uint_eq(said(0, MS0).lease_left_s, 3600);
    ck_assert_uint_eq(said(0, MS0).time_s, T0);
    pass(MS0 + 3599999);
    ck_assert(!said(0, MS0 + 3599999).held);
    ck_assert_uint_eq(said(0, MS0 + 3599999).lease_left_s, 1);
    ck_assert_uint_eq(serin_hold_deadline_ms(&book), MS0 + 3600000);
    pass(MS0 + 3600000);
    ck_assert(said(0, MS0 + 3600000).held);
    ck_assert_uint_eq(said(0, MS0 + 3600000).lease_left_s, 0);
    ck_assert_uint_eq(said(0, MS0 + 3600000).time_s, T0 + 3600);
    value = directive(2, T0 + 3700); /* a renewal */
    hear(&value, MS0 + 3700000);
    ck_assert(!said(0, MS0 + 3700000).held);
    ck_assert(said(1, MS0).held); /* another product's is another matter */
}
END_TEST

/* A retained directive that was issued long ago brings what is left of its lease, not all of it.
 * Caught: the lease counted from when it was heard. */
START_TEST(a_lease_counts_from_its_issue)
{
    start();
    struct serin_directive value = directive(1, T0);
    serin_hold_heard(&book, T0 + 3000, MS0);
    hear(&value, MS0);
    ck_assert_uint_eq(said(0, MS0).lease_left_s, 600);
    serin_hold_heard(&book, T0 + 2000, MS0 + 1); /* an earlier time takes nothing back */
    ck_assert_uint_eq(serin_hold_now_s(&book, MS0), T0 + 3000);
    pass(MS0 + 600000);
    ck_assert(said(0, MS0 + 600000).held);
}
END_TEST

/* The longest of the product's leases counts: any channel's, and those of single devices.
 * Caught: the fleets of other products taken in; targeted directives left out. */
START_TEST(the_longest_lease_of_the_product_counts)
{
    start();
    struct serin_directive value = directive(1, T0);
    hear(&value, MS0);
    strcpy(value.channel, "beta");
    value.order.sequence = 2;
    value.lease_s = 7200;
    hear(&value, MS0);
    ck_assert_uint_eq(said(0, MS0).lease_left_s, 7200);
    strcpy(value.device_id, "n-1");
    value.order.sequence = 3;
    value.lease_s = 9000;
    hear(&value, MS0);
    ck_assert_uint_eq(said(0, MS0).lease_left_s, 9000);
    strcpy(value.product, "pump");
    value.order.sequence = 4;
    value.lease_s = 20000;
    hear(&value, MS0);
    ck_assert_uint_eq(said(0, MS0).lease_left_s, 9000);
    ck_assert_uint_eq(said(1, MS0).lease_left_s, 20000);
    strcpy(value.product, "other"); /* not served: its time counts, nothing else */
    value.issued_s = T0 + 100;
    hear(&value, MS0);
    ck_assert_uint_eq(serin_hold_now_s(&book, MS0), T0 + 100);
}
END_TEST

/* The program is started anew and the machine was not: the clock went on, the lease with it. The
 * wall clock is nowhere in it. Caught: signed time begun at the start instead of where it was. */
START_TEST(a_restart_of_the_program_loses_no_time)
{
    start();
    struct serin_directive value = directive(1, T0);
    hear(&value, MS0);
    uint64_t signed_s = book.signed_s, at_ms = book.signed_at_ms;
    start();
    serin_hold_heard(&book, signed_s, at_ms);
    hear_at(&value, true, MS0, 0, MS0 + 1800000);
    ck_assert_uint_eq(said(0, MS0 + 1800000).lease_left_s, 1800);
    /* Even without what was stored: when the directive was heard is in its record. */
    start();
    hear_at(&value, true, MS0, 0, MS0 + 1800000);
    ck_assert_uint_eq(said(0, MS0 + 1800000).lease_left_s, 1800);
}
END_TEST

/* Caught: `this_boot` not asked for; a known directive taken for a new one. */
START_TEST(a_restart_of_the_machine_ends_every_lease)
{
    start();
    struct serin_directive value = directive(5, T0);
    hear_at(&value, false, MS0, 0, 1000);
    ck_assert(said(0, 1000).held);
    ck_assert_int_eq(said(0, 1000).reason, SERIN_REASON_LEASE);
    ck_assert_uint_eq(said(0, 1000).time_s, T0); /* what was known then is known now */
    hear(&value, 2000);                          /* the broker shows it again: it is known */
    ck_assert(said(0, 2000).held);
    value.order.sequence = 4;
    hear(&value, 2000); /* lower still */
    ck_assert(said(0, 2000).held);
    value = directive(6, T0 + 5);
    strcpy(value.device_id, "n-1");
    hear_at(&value, false, 0, 0, 2000); /* nor does that of a single node */
    ck_assert(said(0, 2000).held);
    value = directive(6, T0 + 10);
    hear(&value, 3000);
    ck_assert(!said(0, 3000).held);
}
END_TEST

START_TEST(times_stay_in_bounds)
{
    start();
    serin_hold_heard(&book, SERIN_TIME_MAX_S - 1, MS0);
    ck_assert_uint_eq(serin_hold_now_s(&book, MS0 + 5000), SERIN_TIME_MAX_S);
    struct serin_directive value = directive(1, SERIN_TIME_MAX_S);
    hear(&value, MS0);
    ck_assert_uint_le(said(0, MS0).time_s, SERIN_TIME_MAX_S);
    ck_assert_uint_eq(serin_hold_now_s(&book, MS0 - 5000), SERIN_TIME_MAX_S); /* never back */
}
END_TEST

/* ---- the site's own halt ---- */

/* Caught: `>=` for `>`; the halt that ends by time. */
START_TEST(more_failures_than_allowed_halt_the_site)
{
    start();
    struct serin_directive value = directive(1, T0);
    hear(&value, MS0);
    failed(2, MS0 + 1);
    ck_assert(!said(0, MS0 + 1).held);
    failed(3, MS0 + 2);
    ck_assert(said(0, MS0 + 2).held);
    ck_assert_int_eq(said(0, MS0 + 2).reason, SERIN_REASON_SITE);
    ck_assert(book.fleets[0].halted && !book.fleets[1].halted);
    ck_assert(said(1, MS0 + 2).reason != SERIN_REASON_SITE);
    failed(0, MS0 + 3); /* nodes that go make a bad image no better */
    ck_assert_int_eq(said(0, MS0 + 3).reason, SERIN_REASON_SITE);
    pass(MS0 + 7200000);
    ck_assert_int_eq(said(0, MS0 + 7200000).reason, SERIN_REASON_SITE);
}
END_TEST

/* Each way in which a directive of higher order can end it, and those that cannot.
 * Caught: any of the conditions left out; a directive of the same order taken. */
START_TEST(only_a_directive_that_takes_the_cause_away_ends_it)
{
    static const struct {
        const char *what;
        uint32_t sequence, attempt, failures_max, failures;
        bool other, none, halted, ends;
    } cases[] = {
        {"the same, renewed", 2, 1, 2, 3, .ends = false},
        {"the same order", 1, 2, 2, 0, .ends = false},
        {"another attempt", 2, 2, 2, 0, .ends = true},
        {"another manifest", 2, 1, 2, 0, .other = true, .ends = true},
        {"no candidate", 2, 0, 2, 0, .none = true, .ends = true},
        {"halted", 2, 1, 2, 3, .halted = true, .ends = true},
        {"a higher limit", 2, 1, 3, 3, .ends = true},
        {"a limit still below", 2, 1, 2, 3, .ends = false},
        {"no limit", 2, 1, 0, 3, .ends = true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start();
        struct serin_directive value = directive(1, T0);
        hear(&value, MS0);
        failed(3, MS0);
        value = directive(cases[i].sequence, T0 + 10);
        value.candidate.attempt = cases[i].attempt;
        value.site_failures_max = cases[i].failures_max;
        if (cases[i].other) {
            memset(value.candidate.offers[0].manifest_id, 8, SERIN_SHA256_SIZE);
        }
        if (cases[i].none) {
            value.candidate.offer_count = 0;
            value.candidate_state = SERIN_CANDIDATE_NONE;
        }
        if (cases[i].halted) {
            value.candidate_state = SERIN_CANDIDATE_HALTED;
        }
        hear_at(&value, true, MS0 + 10000, cases[i].failures, MS0 + 10000);
        bool held = said(0, MS0 + 10000).held;
        ck_assert_msg(held != cases[i].ends, "%s", cases[i].what);
        ck_assert_int_eq(book.fleets[0].halted, !cases[i].ends);
    }
}
END_TEST

/* After a restart the count speaks for itself. */
START_TEST(a_halt_outlives_a_restart)
{
    start();
    struct serin_directive value = directive(1, T0);
    hear_at(&value, true, MS0, 3, MS0 + 5000);
    ck_assert_int_eq(said(0, MS0 + 5000).reason, SERIN_REASON_SITE);
    start();
    hear_at(&value, false, 0, 3, 1000); /* of the machine */
    ck_assert_int_eq(said(0, 1000).reason, SERIN_REASON_SITE);
}
END_TEST

/* ---- what is said, and when ---- */

/* Caught: a change that is not owed; a hold that is told once only. */
START_TEST(a_hold_is_owed_at_each_change_and_each_minute)
{
    start();
    ck_assert(book.products[0].owed && book.products[1].owed);
    told(MS0);
    struct serin_directive value = directive(1, T0);
    hear(&value, MS0);
    ck_assert(book.products[0].owed && !book.products[1].owed);
    told(MS0);
    hear(&value, MS0 + 1); /* known */
    pass(MS0 + 59999);
    ck_assert(!book.products[0].owed);
    ck_assert_uint_eq(serin_hold_deadline_ms(&book), MS0 + 60000);
    pass(MS0 + 60000);
    ck_assert(book.products[0].owed);
    ck_assert_uint_eq(serin_hold_deadline_ms(&book), MS0 + 3600000); /* what is owed waits */
    told(MS0 + 60000);
    value = directive(2, T0 + 70);
    hear(&value, MS0 + 70000); /* a renewal changes the lease */
    ck_assert(book.products[0].owed);
    told(MS0 + 70000);
    failed(3, MS0 + 70001);
    ck_assert(book.products[0].owed);
    told(MS0 + 70001);
    const struct serin_hold_event event = {.kind = SERIN_HOLD_CONNECTED};
    serin_hold_step(&book, MS0 + 70002, &event);
    ck_assert(book.products[0].owed && book.products[1].owed);
}
END_TEST

/* Caught: another channel's failures told as this one's; a manifest told without a halt. */
START_TEST(the_status_names_the_cause)
{
    start();
    struct serin_directive value = directive(1, T0);
    struct serin_gw_fleet fleet;
    static const uint8_t none[SERIN_SHA256_SIZE];
    memset(&fleet, 0, sizeof fleet);
    serin_hold_status(&book, MS0, 0, &fleet);
    ck_assert_int_eq(fleet.hold, SERIN_HOLD_CAUSE_LEASE);
    hear(&value, MS0);
    serin_hold_status(&book, MS0, 0, &fleet);
    ck_assert_int_eq(fleet.hold, SERIN_HOLD_CAUSE_NONE);
    ck_assert_uint_eq(fleet.lease_left_s, 3600);
    ck_assert_uint_eq(fleet.failures_max, 2);
    ck_assert_uint_eq(fleet.held_since_s, 0);
    ck_assert_mem_eq(fleet.manifest_id, none, sizeof none);
    failed(3, MS0 + 4000);
    serin_hold_status(&book, MS0 + 9000, 0, &fleet);
    ck_assert_int_eq(fleet.hold, SERIN_HOLD_CAUSE_FAILURES);
    ck_assert_uint_eq(fleet.failures, 3);
    ck_assert_uint_eq(fleet.held_since_s, T0 + 4);
    ck_assert_mem_eq(fleet.manifest_id, value.candidate.offers[0].manifest_id, sizeof none);
    serin_hold_status(&book, MS0 + 9000, 1, &fleet); /* held with it */
    ck_assert_int_eq(fleet.hold, SERIN_HOLD_CAUSE_FAILURES);
    ck_assert_uint_eq(fleet.failures, 0);
    ck_assert_mem_eq(fleet.manifest_id, value.candidate.offers[0].manifest_id, sizeof none);
    serin_hold_status(&book, MS0 + 9000, 2, &fleet);
    ck_assert_int_eq(fleet.hold, SERIN_HOLD_CAUSE_LEASE);
}
END_TEST

START_TEST(an_attempt_is_its_manifest_and_its_number)
{
    struct serin_directive value = directive(1, T0);
    value.candidate.offer_count = 2;
    memset(value.candidate.offers[1].manifest_id, 9, SERIN_SHA256_SIZE);
    uint8_t id[SERIN_SHA256_SIZE];
    memset(id, 9, sizeof id);
    ck_assert(serin_hold_same_attempt(&value.candidate, id, 1));
    ck_assert(!serin_hold_same_attempt(&value.candidate, id, 2));
    id[31] = 8;
    ck_assert(!serin_hold_same_attempt(&value.candidate, id, 1));
    value.candidate.offer_count = 0;
    memset(id, 7, sizeof id);
    ck_assert(!serin_hold_same_attempt(&value.candidate, id, 1));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        every_state_with_every_input,
        what_is_not_listed_stops_the_program,
        fleets_are_served_once_and_in_bounds,
        a_lease_ends_to_the_second,
        a_lease_counts_from_its_issue,
        the_longest_lease_of_the_product_counts,
        a_restart_of_the_program_loses_no_time,
        a_restart_of_the_machine_ends_every_lease,
        times_stay_in_bounds,
        more_failures_than_allowed_halt_the_site,
        only_a_directive_that_takes_the_cause_away_ends_it,
        a_halt_outlives_a_restart,
        a_hold_is_owed_at_each_change_and_each_minute,
        the_status_names_the_cause,
        an_attempt_is_its_manifest_and_its_number,
        NULL,
    };
    return check_run("gateway_hold", tests);
}
