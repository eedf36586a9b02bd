/*
 * The supervisor: every state × event pair against an independent table, the watchdog, and the
 * growing pause.
 */
#include <serin/ports/linux/supervisor.h>

#include <check.h>
#include <stdlib.h>

#define OFF     SERIN_SUPERVISOR_OFF
#define TRIAL   SERIN_SUPERVISOR_TRIAL
#define STEADY  SERIN_SUPERVISOR_STEADY
#define WAITING SERIN_SUPERVISOR_WAITING

/* What must follow, written down apart from the code's own table. */
static const struct expected {
    enum serin_supervisor_state from;
    enum serin_supervisor_event event;
    enum serin_supervisor_state to;
    bool kill, start;
    enum serin_reason unhealthy;
    enum serin_reset_cause reset;
} expected[] = {
    {OFF, SERIN_SUPERVISOR_BOOT_TRIAL, TRIAL, false, true, 0, 0},
    {OFF, SERIN_SUPERVISOR_BOOT_STEADY, STEADY, false, true, 0, 0},
    {TRIAL, SERIN_SUPERVISOR_CONFIRMED, STEADY, false, false, 0, 0},
    {TRIAL, SERIN_SUPERVISOR_ENDED, OFF, false, false, 0, SERIN_RESET_CRASH},
    {TRIAL, SERIN_SUPERVISOR_ALTERED, OFF, false, false, 0, SERIN_RESET_CRASH},
    {TRIAL, SERIN_SUPERVISOR_SILENT, OFF, true, false, 0, SERIN_RESET_WATCHDOG},
    {TRIAL, SERIN_SUPERVISOR_WINDOW_OVER, OFF, true, false, 0, SERIN_RESET_WATCHDOG},
    {STEADY, SERIN_SUPERVISOR_ENDED, WAITING, false, false, SERIN_REASON_CRASH, 0},
    {STEADY, SERIN_SUPERVISOR_ALTERED, OFF, false, false, 0, SERIN_RESET_REQUESTED},
    {STEADY, SERIN_SUPERVISOR_SILENT, WAITING, true, false, SERIN_REASON_WATCHDOG, 0},
    {WAITING, SERIN_SUPERVISOR_DUE, STEADY, false, true, 0, 0},
};

static const struct expected *expect(int from, int event)
{
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        if ((int)expected[i].from == from && (int)expected[i].event == event) {
            return &expected[i];
        }
    }
    return NULL;
}

/* Brings a fresh supervisor into `state` by events alone. */
static void enter(struct serin_supervisor *supervisor, int state)
{
    struct serin_supervisor_orders orders;
    serin_supervisor_init(supervisor, 1000);
    if (state == TRIAL) {
        ck_assert_int_eq(
            serin_supervisor_step(supervisor, 10, SERIN_SUPERVISOR_BOOT_TRIAL, &orders), SERIN_OK);
    } else if (state != OFF) {
        ck_assert_int_eq(
            serin_supervisor_step(supervisor, 10, SERIN_SUPERVISOR_BOOT_STEADY, &orders), SERIN_OK);
    }
    if (state == WAITING) {
        ck_assert_int_eq(serin_supervisor_step(supervisor, 10, SERIN_SUPERVISOR_ENDED, &orders),
                         SERIN_OK);
    }
    ck_assert_int_eq((int)supervisor->state, state);
}

START_TEST(every_pair_is_as_expected)
{
    int seen = 0;
    for (int state = 0; state < SERIN_SUPERVISOR_STATE_COUNT; state++) {
        for (int event = 0; event < SERIN_SUPERVISOR_EVENT_COUNT; event++) {
            struct serin_supervisor supervisor;
            struct serin_supervisor_orders orders;
            enter(&supervisor, state);
            struct serin_supervisor before = supervisor;
            enum serin_error result =
                serin_supervisor_step(&supervisor, 20, (enum serin_supervisor_event)event, &orders);
            const struct expected *want = expect(state, event);
            ck_assert_int_eq(result, want != NULL ? SERIN_OK : SERIN_ERR_STATE);
            ck_assert_int_eq((int)supervisor.state, want != NULL ? (int)want->to : state);
            ck_assert_int_eq(orders.kill, want != NULL && want->kill);
            ck_assert_int_eq(orders.start, want != NULL && want->start);
            ck_assert_int_eq((int)orders.unhealthy, want != NULL ? (int)want->unhealthy : 0);
            ck_assert_int_eq((int)orders.reset, want != NULL ? (int)want->reset : 0);
            bool ended = want != NULL &&
                         (event == SERIN_SUPERVISOR_ENDED || event == SERIN_SUPERVISOR_ALTERED);
            bool silent = want != NULL && event == SERIN_SUPERVISOR_SILENT;
            ck_assert_uint_eq(supervisor.crashes, before.crashes + (ended ? 1 : 0));
            ck_assert_uint_eq(supervisor.watchdogs, before.watchdogs + (silent ? 1 : 0));
            seen += want != NULL;
        }
    }
    ck_assert_int_eq(seen, (int)(sizeof expected / sizeof *expected));
}
END_TEST

START_TEST(watchdog_runs_from_the_last_sign_of_life)
{
    struct serin_supervisor supervisor;
    struct serin_supervisor_orders orders;
    enum serin_supervisor_event event;
    serin_supervisor_init(&supervisor, 1000);
    ck_assert_uint_eq(serin_supervisor_deadline_ms(&supervisor), UINT64_MAX);
    ck_assert_int_eq(serin_supervisor_step(&supervisor, 500, SERIN_SUPERVISOR_BOOT_STEADY, &orders),
                     SERIN_OK);
    ck_assert(!serin_supervisor_due(&supervisor, 1499, &event));
    ck_assert(serin_supervisor_due(&supervisor, 1500, &event));
    ck_assert_int_eq(event, SERIN_SUPERVISOR_SILENT);
    serin_supervisor_alive(&supervisor, 1400);
    ck_assert_uint_eq(serin_supervisor_deadline_ms(&supervisor), 2400);
    ck_assert(!serin_supervisor_due(&supervisor, 2399, &event));
    ck_assert(serin_supervisor_due(&supervisor, 2400, &event));

    serin_supervisor_init(&supervisor, 0); /* none */
    ck_assert_int_eq(serin_supervisor_step(&supervisor, 500, SERIN_SUPERVISOR_BOOT_TRIAL, &orders),
                     SERIN_OK);
    ck_assert(!serin_supervisor_due(&supervisor, UINT64_MAX - 1, &event));
}
END_TEST

/* Crashes that follow each other closely wait 1, 2, 4 … 60 s; a long run starts over. */
START_TEST(pause_doubles_up_to_its_limit)
{
    static const uint64_t pauses[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    struct serin_supervisor supervisor;
    struct serin_supervisor_orders orders;
    enum serin_supervisor_event event;
    uint64_t now = 0;
    serin_supervisor_init(&supervisor, 0);
    ck_assert_int_eq(serin_supervisor_step(&supervisor, now, SERIN_SUPERVISOR_BOOT_STEADY, &orders),
                     SERIN_OK);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        now += 100;
        ck_assert_int_eq(serin_supervisor_step(&supervisor, now, SERIN_SUPERVISOR_ENDED, &orders),
                         SERIN_OK);
        ck_assert_uint_eq(serin_supervisor_deadline_ms(&supervisor), now + pauses[i]);
        ck_assert(!serin_supervisor_due(&supervisor, now + pauses[i] - 1, &event));
        now += pauses[i];
        ck_assert(serin_supervisor_due(&supervisor, now, &event));
        ck_assert_int_eq(event, SERIN_SUPERVISOR_DUE);
        ck_assert_int_eq(serin_supervisor_step(&supervisor, now, event, &orders), SERIN_OK);
        ck_assert(orders.start);
    }
    now += SERIN_SUPERVISOR_PAUSE_MAX_MS + 1;
    ck_assert_int_eq(serin_supervisor_step(&supervisor, now, SERIN_SUPERVISOR_ENDED, &orders),
                     SERIN_OK);
    ck_assert_uint_eq(serin_supervisor_deadline_ms(&supervisor), now + 1000);
    ck_assert_uint_eq(supervisor.crashes, sizeof pauses / sizeof *pauses + 1);
    serin_supervisor_reset(&supervisor);
    ck_assert_int_eq(supervisor.state, OFF);
    ck_assert_uint_eq(supervisor.crashes, sizeof pauses / sizeof *pauses + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("supervisor");
    TCase *tests = tcase_create("supervisor");
    tcase_add_test(tests, every_pair_is_as_expected);
    tcase_add_test(tests, watchdog_runs_from_the_last_sign_of_life);
    tcase_add_test(tests, pause_doubles_up_to_its_limit);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
