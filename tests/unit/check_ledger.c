/*
 * The ledger: reports that come twice, late, out of order or not at all, and attempts that end
 * once.
 *
 * Each test names the mutation of the ledger that it was seen to catch.
 */
#include "check_main.h"

#include <serin/orchestrator/ledger.h>

#include <string.h>

/* The good way, and its ends. */
static const enum serin_state way[] = {SERIN_STATE_PENDING,   SERIN_STATE_DOWNLOADING,
                                       SERIN_STATE_VERIFYING, SERIN_STATE_STAGED,
                                       SERIN_STATE_TRIAL,     SERIN_STATE_CONFIRMED};
#define WAY (sizeof way / sizeof way[0])

/* A report of the first `count` states of the way. */
static struct serin_attempt_report report_of(size_t count)
{
    struct serin_attempt_report report = {.attempt = 1, .manifest_id = {0xAB}};
    report.transition_count = count;
    for (size_t i = 0; i < count; i++) {
        report.transitions[i] = (struct serin_transition){
            .state = way[i], .reason = SERIN_REASON_NONE, .uptime_ms = 100 * i};
    }
    report.bytes_fetched = 1000 * count;
    return report;
}

static struct serin_attempt_report ending(size_t count, enum serin_state end,
                                          enum serin_reason reason)
{
    struct serin_attempt_report report = report_of(count);
    report.transitions[report.transition_count++] =
        (struct serin_transition){.state = end, .reason = reason};
    return report;
}

static bool merge(struct serin_attempt_record *record, const struct serin_attempt_report *report)
{
    bool changed = false;
    ck_assert_int_eq(serin_ledger_merge(record, report, 77, &changed), SERIN_OK);
    return changed;
}

/* Caught: number compared with ≥; another incarnation taken for a duplicate. */
START_TEST(reports_are_judged_by_incarnation_and_number)
{
    struct serin_report report = {.incarnation = 5, .number = 9};
    static const struct {
        struct serin_report_cursor cursor;
        enum serin_ledger_verdict verdict;
    } cases[] = {
        {{0, 0}, SERIN_LEDGER_NEW},       {{5, 8}, SERIN_LEDGER_NEW},
        {{5, 9}, SERIN_LEDGER_DUPLICATE}, {{5, 10}, SERIN_LEDGER_DUPLICATE},
        {{4, 9}, SERIN_LEDGER_REBORN},    {{4, 100}, SERIN_LEDGER_REBORN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(serin_ledger_judge(&cases[i].cursor, &report), cases[i].verdict);
    }
}
END_TEST

START_TEST(a_new_record_takes_its_name_from_the_report)
{
    struct serin_attempt_record record = {.attempt = 0};
    struct serin_attempt_report report = report_of(2);
    ck_assert(merge(&record, &report));
    ck_assert_uint_eq(record.attempt, 1);
    ck_assert_mem_eq(record.manifest_id, report.manifest_id, 32);
    ck_assert_int_eq(record.state, SERIN_STATE_DOWNLOADING);
    ck_assert(!record.final);
    ck_assert_uint_eq(record.updated_s, 77);
    ck_assert_uint_eq(record.bytes_fetched, 2000);
}
END_TEST

/* Every order in which six cumulative reports can arrive, each possibly lost, ends where the
 * longest that arrived says. Caught: a shorter report taken as newer. */
START_TEST(order_loss_and_repetition_do_not_matter)
{
    for (unsigned seed = 1; seed <= 2000; seed++) {
        struct serin_attempt_record record = {.attempt = 0};
        uint32_t dice = seed * 2654435761u;
        size_t longest = 0;
        for (int i = 0; i < 10; i++) {
            size_t count = 1 + (dice = dice * 1664525u + 1013904223u) / 65536 % WAY;
            struct serin_attempt_report report = report_of(count);
            bool changed = merge(&record, &report);
            ck_assert_int_eq(changed, count > longest);
            longest = count > longest ? count : longest;
        }
        ck_assert_int_eq(record.state, way[longest - 1]);
        ck_assert_uint_eq(record.transition_count, longest);
        ck_assert_uint_eq(record.bytes_fetched, 1000 * longest);
        ck_assert_int_eq(record.final, longest == WAY);
    }
}
END_TEST

/* Every state a device can end in stays, whatever walk is merged after it, where it was the
 * image's doing. Caught: `final` ignored; every end reopened. */
START_TEST(an_end_is_an_end)
{
    static const struct {
        size_t after; /* states of the way before it */
        enum serin_state end;
        enum serin_reason reason;
    } ends[] = {
        {1, SERIN_STATE_REJECTED, SERIN_REASON_HARDWARE},
        {2, SERIN_STATE_FAILED, SERIN_REASON_FLASH},
        {3, SERIN_STATE_FAILED, SERIN_REASON_CRC},
        {5, SERIN_STATE_ROLLED_BACK, SERIN_REASON_CRASH},
    };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct serin_attempt_record record = {.attempt = 0};
        struct serin_attempt_report report = ending(ends[i].after, ends[i].end, ends[i].reason);
        ck_assert(merge(&record, &report));
        ck_assert(record.final);
        for (size_t count = 1; count <= WAY; count++) {
            struct serin_attempt_report other = report_of(count);
            ck_assert(!merge(&record, &other));
            ck_assert_int_eq(record.state, ends[i].end);
            ck_assert_int_eq(record.reason, ends[i].reason);
        }
        bool changed = true;
        serin_ledger_expire(&record, 78, &changed);
        ck_assert(!changed);
        struct serin_running other = {.slot = 1};
        serin_ledger_running(&record, &other, 78, &changed);
        ck_assert(!changed);
        ck_assert_int_eq(record.state, ends[i].end);
    }
}
END_TEST

/* Whatever the device has come to when its next report arrives: it is what the account says, and
 * the server alone reopens nothing. Caught: the end kept; the shorter walk kept; traffic of the
 * walk before kept; expire taken for a new walk. */
START_TEST(what_was_called_off_begins_anew)
{
    static const enum serin_state ends[] = {SERIN_STATE_SUPERSEDED, SERIN_STATE_CANCELLED};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        for (size_t after = 1; after <= 4; after++) {
            for (size_t count = 1; count <= WAY; count++) {
                struct serin_attempt_record record = {.attempt = 0};
                struct serin_attempt_report report = ending(after, ends[i], SERIN_REASON_WITHDRAWN);
                report.bytes_fetched = 100000;
                ck_assert(merge(&record, &report));
                ck_assert(!merge(&record, &report)); /* the same walk in a later report */
                bool changed = true;
                serin_ledger_expire(&record, 78, &changed);
                ck_assert(!changed);
                ck_assert_int_eq(record.state, ends[i]);
                ck_assert(record.final);
                report = report_of(count);
                ck_assert(merge(&record, &report));
                ck_assert_int_eq(record.state, way[count - 1]);
                ck_assert_int_eq(record.final, count == WAY);
                ck_assert_uint_eq(record.transition_count, count);
                ck_assert_uint_eq(record.bytes_fetched, 1000 * count);
                ck_assert(!merge(&record, &report));
            }
        }
    }
}
END_TEST

/* Called off, taken anew and called off sooner: the same state, for the later reason. Caught:
 * `changed` although the server sees no other state; the first reason kept. */
START_TEST(what_is_called_off_twice_has_the_later_reason)
{
    struct serin_attempt_record record = {.attempt = 0};
    struct serin_attempt_report report = ending(3, SERIN_STATE_CANCELLED, SERIN_REASON_HALTED);
    ck_assert(merge(&record, &report));
    report = ending(1, SERIN_STATE_CANCELLED, SERIN_REASON_WITHDRAWN);
    ck_assert(!merge(&record, &report));
    ck_assert_int_eq(record.reason, SERIN_REASON_WITHDRAWN);
    ck_assert_uint_eq(record.transition_count, 2);
    ck_assert(record.final);
}
END_TEST

/* One more step of a device: it goes on, is called off, fails, or takes anew what was called off.
 * False: its attempt is over for good. */
static bool live_on(struct serin_attempt_report *report, uint32_t dice)
{
    size_t count = report->transition_count;
    enum serin_state last = count > 0 ? report->transitions[count - 1].state : SERIN_STATE_IDLE;
    enum serin_state to = count < WAY ? way[count] : SERIN_STATE_INVALID;
    if (last == SERIN_STATE_SUPERSEDED || last == SERIN_STATE_CANCELLED) {
        *report = report_of(1);
        return true;
    }
    if (count > 0 && last < SERIN_STATE_TRIAL && dice % 4 == 0) {
        static const enum serin_state ends[] = {SERIN_STATE_SUPERSEDED, SERIN_STATE_CANCELLED,
                                                SERIN_STATE_CANCELLED, SERIN_STATE_FAILED};
        to = ends[dice / 4 % 4];
    }
    if (!serin_state_allows(last, to)) {
        return false;
    }
    report->transitions[report->transition_count++] =
        (struct serin_transition){.state = to, .reason = SERIN_REASON_NONE};
    return true;
}

/* Random lives, and every report but those of an end lost, late or twice: judged and merged as the
 * server does, the account never leaves an end for good, and ends where the device does. Caught:
 * what was called off kept; a late report taken for a new walk. */
START_TEST(a_random_life_is_told_whole)
{
    for (uint32_t seed = 1; seed <= 3000; seed++) {
        struct serin_report reports[64] = {{.number = 0}};
        struct serin_report_cursor cursor = {0};
        struct serin_attempt_record record = {.attempt = 0};
        struct serin_attempt_report life = report_of(0);
        uint32_t dice = seed * 2654435761u;
        size_t told = 0;
        while (told < 64 && live_on(&life, (dice = dice * 1664525u + 1013904223u) >> 8)) {
            bool end = serin_state_final(life.transitions[life.transition_count - 1].state);
            reports[told] = (struct serin_report){.incarnation = 1, .number = told + 1};
            reports[told++].attempts[0] = life;
            for (int i = 0; i < 4; i++) { /* old ones, and last this one, if it is not lost */
                dice = dice * 1664525u + 1013904223u;
                size_t which = i < 3 ? (dice >> 8) % told : told - 1;
                const struct serin_report *report = &reports[which];
                if ((!end && dice >> 24 < 100) ||
                    serin_ledger_judge(&cursor, report) == SERIN_LEDGER_DUPLICATE) {
                    continue;
                }
                bool over = record.final && record.state != SERIN_STATE_SUPERSEDED &&
                            record.state != SERIN_STATE_CANCELLED;
                bool changed = merge(&record, &report->attempts[0]);
                ck_assert_msg(!over || !changed, "seed %u left %s", seed,
                              serin_state_text(record.state));
                cursor = (struct serin_report_cursor){1, report->number};
            }
        }
        enum serin_state last = life.transitions[life.transition_count - 1].state;
        ck_assert_msg(record.state == last || !serin_state_final(last), "seed %u: %s, not %s", seed,
                      serin_state_text(record.state), serin_state_text(last));
    }
}
END_TEST

/* Caught: REGRESSED refused after CONFIRMED; an end reached twice. */
START_TEST(what_was_confirmed_can_regress_once)
{
    struct serin_attempt_record record = {.attempt = 0};
    struct serin_attempt_report report = report_of(WAY);
    ck_assert(merge(&record, &report));
    ck_assert(record.final);
    report = ending(WAY, SERIN_STATE_REGRESSED, SERIN_REASON_HEALTH);
    ck_assert(merge(&record, &report));
    ck_assert_int_eq(record.state, SERIN_STATE_REGRESSED);
    ck_assert(!merge(&record, &report));
    bool changed = true;
    struct serin_running other = {.slot = 1};
    serin_ledger_running(&record, &other, 78, &changed);
    ck_assert(!changed);
}
END_TEST

/* Caught: the same attempt, an older one, or one at another image taken for a later one. */
START_TEST(a_later_attempt_at_what_was_confirmed_says_that_it_was_left)
{
    struct serin_attempt_record record = {.attempt = 0};
    struct serin_attempt_report again = report_of(1);
    bool changed = true;
    again.attempt = 3;
    serin_ledger_taken_anew(&record, &again, 78, &changed);
    ck_assert(!changed); /* no attempt at all */
    struct serin_attempt_report report = report_of(WAY - 1);
    report.attempt = 2;
    ck_assert(merge(&record, &report));
    serin_ledger_taken_anew(&record, &again, 78, &changed);
    ck_assert(!changed); /* not confirmed yet: its end may be lost, and is not known */
    report = report_of(WAY);
    report.attempt = 2;
    ck_assert(merge(&record, &report));
    for (uint32_t attempt = 1; attempt <= 2; attempt++) {
        again.attempt = attempt;
        serin_ledger_taken_anew(&record, &again, 78, &changed);
        ck_assert(!changed);
    }
    again.attempt = 3;
    again.manifest_id[31] = 1;
    serin_ledger_taken_anew(&record, &again, 78, &changed);
    ck_assert(!changed); /* an upgrade ends it rightly */
    again.manifest_id[31] = 0;
    serin_ledger_taken_anew(&record, &again, 79, &changed);
    ck_assert(changed);
    ck_assert_int_eq(record.state, SERIN_STATE_REVERTED);
    ck_assert_int_eq(record.reason, SERIN_REASON_OTHER_IMAGE);
    ck_assert_uint_eq(record.updated_s, 79);
    serin_ledger_taken_anew(&record, &again, 80, &changed);
    ck_assert(!changed);
}
END_TEST

START_TEST(another_image_after_confirmation_is_reverted)
{
    struct serin_attempt_record record = {.attempt = 0};
    struct serin_running running = {.slot = 1, .manifest_id = {0xAB}};
    bool changed = true;
    serin_ledger_running(&record, &running, 78, &changed);
    ck_assert(!changed); /* no attempt at all */
    struct serin_attempt_report report = report_of(WAY - 1);
    ck_assert(merge(&record, &report));
    running.manifest_id[0] = 1;
    serin_ledger_running(&record, &running, 78, &changed);
    ck_assert(!changed); /* in trial: what runs says nothing yet */
    report = report_of(WAY);
    ck_assert(merge(&record, &report));
    running.manifest_id[0] = 0xAB;
    serin_ledger_running(&record, &running, 78, &changed);
    ck_assert(!changed);
    running.manifest_id[31] = 1;
    serin_ledger_running(&record, &running, 79, &changed);
    ck_assert(changed);
    ck_assert_int_eq(record.state, SERIN_STATE_REVERTED);
    ck_assert_int_eq(record.reason, SERIN_REASON_OTHER_IMAGE);
    ck_assert_uint_eq(record.updated_s, 79);
    serin_ledger_running(&record, &running, 80, &changed);
    ck_assert(!changed);
}
END_TEST

/* Caught: the late confirmation taken; what the device said afterwards thrown away. */
START_TEST(a_timed_out_attempt_stays_so_and_keeps_what_came_later)
{
    struct serin_attempt_record record = {.attempt = 0};
    bool changed = true;
    serin_ledger_expire(&record, 78, &changed);
    ck_assert(!changed);
    struct serin_attempt_report report = report_of(2);
    ck_assert(merge(&record, &report));
    serin_ledger_expire(&record, 78, &changed);
    ck_assert(changed);
    ck_assert_int_eq(record.state, SERIN_STATE_TIMED_OUT);
    ck_assert_int_eq(record.reason, SERIN_REASON_DEADLINE);
    ck_assert(record.final);
    report = report_of(WAY);
    ck_assert(!merge(&record, &report));
    ck_assert_int_eq(record.state, SERIN_STATE_TIMED_OUT);
    ck_assert_uint_eq(record.transition_count, WAY);
    ck_assert_uint_eq(record.bytes_fetched, 6000);
}
END_TEST

/* Every pair of states as a walk of two: allowed only where states.h allows it. Caught: the first
 * state not checked; the walk checked only at its end. */
START_TEST(walks_that_states_h_does_not_know_are_refused)
{
    for (int first = 0; first <= SERIN_STATE_COUNT; first++) {
        for (int second = 0; second <= SERIN_STATE_COUNT; second++) {
            struct serin_attempt_record record = {.attempt = 0};
            struct serin_attempt_report report = report_of(1);
            report.transitions[0].state = (enum serin_state)first;
            report.transitions[1] = (struct serin_transition){.state = (enum serin_state)second,
                                                              .reason = SERIN_REASON_NONE};
            report.transition_count = 2;
            bool known = serin_state_allows(SERIN_STATE_IDLE, (enum serin_state)first) &&
                         serin_state_allows((enum serin_state)first, (enum serin_state)second);
            bool changed = true;
            enum serin_error error = serin_ledger_merge(&record, &report, 77, &changed);
            ck_assert_int_eq(error, known ? SERIN_OK : SERIN_ERR_INVALID);
            if (!known) {
                struct serin_attempt_record none = {.attempt = 0};
                ck_assert_mem_eq(&record, &none, sizeof none);
                ck_assert(!changed);
            }
        }
    }
}
END_TEST

START_TEST(a_report_of_another_attempt_is_refused)
{
    struct serin_attempt_record record = {.attempt = 0};
    struct serin_attempt_report report = report_of(2);
    ck_assert(merge(&record, &report));
    struct serin_attempt_record before = record;
    bool changed = true;
    report.attempt = 2;
    ck_assert_int_eq(serin_ledger_merge(&record, &report, 78, &changed), SERIN_ERR_INVALID);
    report.attempt = 1;
    report.manifest_id[5] = 1;
    ck_assert_int_eq(serin_ledger_merge(&record, &report, 78, &changed), SERIN_ERR_INVALID);
    report = report_of(2);
    report.transition_count = 0;
    ck_assert_int_eq(serin_ledger_merge(&record, &report, 78, &changed), SERIN_ERR_INVALID);
    report.transition_count = SERIN_REPORT_TRANSITIONS_MAX + 1;
    ck_assert_int_eq(serin_ledger_merge(&record, &report, 78, &changed), SERIN_ERR_INVALID);
    report = report_of(2);
    report.attempt = 0;
    ck_assert_int_eq(serin_ledger_merge(&record, &report, 78, &changed), SERIN_ERR_INVALID);
    ck_assert_mem_eq(&record, &before, sizeof record);
    ck_assert(!changed);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        reports_are_judged_by_incarnation_and_number,
        a_new_record_takes_its_name_from_the_report,
        order_loss_and_repetition_do_not_matter,
        an_end_is_an_end,
        what_was_called_off_begins_anew,
        what_is_called_off_twice_has_the_later_reason,
        a_random_life_is_told_whole,
        what_was_confirmed_can_regress_once,
        a_later_attempt_at_what_was_confirmed_says_that_it_was_left,
        another_image_after_confirmation_is_reverted,
        a_timed_out_attempt_stays_so_and_keeps_what_came_later,
        walks_that_states_h_does_not_know_are_refused,
        a_report_of_another_attempt_is_refused,
        NULL,
    };
    return check_run("ledger", tests);
}
