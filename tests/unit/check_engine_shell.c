/*
 * The engine's rules on sites as serind has them: who speaks for a device comes from the fleet, the
 * verdict is an alarm, and what an operator accepted survives a restart (docs/spec/rollout.md,
 * section 6).
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"
#include "site_bench.h"
#include "test_keys.h"

#include <stdio.h>
#include <string.h>

#define ALARM  "paused:lamp/stable"
#define HALTED "halted:lamp/stable"

/* One stage of everybody, judged at ten. */
static struct serind_slot *open_rollout(struct serind_bench *bench)
{
    static const char text[] =
        "product: lamp\nchannel: stable\nreleases: [{version: 2.0.0}]\n"
        "gates: {failures: {max_percent: 2, minimum: 10}}\nramp: {first: 0}\n"
        "stages: [{percent: 100, soak: 1h}]\n";
    struct serind_slot *slot = NULL;
    struct serind_refusal refusal;
    enum serin_error error =
        serind_rollout_create(&bench->serind, text, strlen(text), &slot, &refusal);
    ck_assert_msg(error == SERIN_OK, "%s", refusal.message);
    return slot;
}

/* Seven direct devices that confirm and `nodes` nodes of gw-1, of which the first three fail. */
static void populate(struct serind_bench *bench, unsigned nodes)
{
    char id[16];
    serind_bench_open(bench);
    serind_bench_release(bench, 2);
    for (unsigned i = 0; i < 7; i++) {
        (void)snprintf(id, sizeof id, "d-%u", i);
        struct serin_beat beat = serind_bench_beat(id, 0, 0);
        serind_bench_take_beat(bench, &beat);
    }
    struct site_batch *batch = site_batch_new();
    for (unsigned i = 0; i < nodes; i++) {
        (void)snprintf(id, sizeof id, "n-%u", i);
        struct serin_beat beat = serind_bench_beat(id, 0, 0);
        site_batch_beat(batch, id, &beat);
    }
    site_batch_take(bench, "gw-1", batch, 1);
}

static void fail_behind(struct serind_bench *bench, unsigned first, unsigned count, uint64_t number)
{
    char id[16];
    struct site_batch *batch = site_batch_new();
    for (unsigned i = first; i < first + count; i++) {
        (void)snprintf(id, sizeof id, "n-%u", i);
        struct serin_report report = serind_bench_report(id, 1, 2, 1, SERIN_STATE_DOWNLOADING, 0);
        report.attempts[0].transitions[1] =
            (struct serin_transition){.state = SERIN_STATE_FAILED, .reason = SERIN_REASON_FLASH};
        site_batch_report(batch, id, &report);
    }
    site_batch_take(bench, "gw-1", batch, number);
}

static void confirm_directly(struct serind_bench *bench)
{
    char id[16];
    for (unsigned i = 0; i < 7; i++) {
        (void)snprintf(id, sizeof id, "d-%u", i);
        struct serin_report report = serind_bench_report(id, 1, 2, 1, SERIN_STATE_CONFIRMED, 2);
        serind_bench_take_report(bench, &report);
    }
}

static struct serind_slot *slot_of(struct serind_bench *bench)
{
    return serind_rollouts_latest(&bench->serind, "lamp", "stable");
}

static void ask_why(struct serind_bench *bench, enum serin_rollout_event_kind kind,
                    const char *note)
{
    const struct serin_rollout_event event = {.kind = kind, .note = note};
    ck_assert_int_eq(serind_pass_begin(&bench->serind), SERIN_OK);
    ck_assert_int_eq(serind_rollouts_step(&bench->serind, slot_of(bench), &event), SERIN_OK);
    ck_assert_int_eq(serind_pass_end(&bench->serind), SERIN_OK);
}

static void ask(struct serind_bench *bench, enum serin_rollout_event_kind kind)
{
    ask_why(bench, kind, NULL);
}

/* Loads everything anew, as a start does. */
static void restart(struct serind_bench *bench)
{
    struct serind *serind = &bench->serind;
    serind_rollouts_free(serind);
    serind_sites_free(serind);
    serind_sites_init(serind);
    serind_index_free(&serind->index);
    serind->alarms.count = 0;
    ck_assert_int_eq(serind->store.ops->begin(serind->store.ctx, false), SERIN_OK);
    ck_assert_int_eq(serind_sites_load(serind), SERIN_OK);
    ck_assert_int_eq(serind_fleet_load(serind), SERIN_OK);
    ck_assert_int_eq(serind_rollouts_load(serind), SERIN_OK);
    serind->store.ops->abort(serind->store.ctx);
    serind_bench_turn(bench);
}

/* Caught: no look-up, or a constant one; the alarm not raised, not cleared, not raised anew after a
 * restart; `judged` not stored. */
START_TEST(a_sick_site_pauses_the_rollout_until_an_operator_accepts_it)
{
    static struct serind_bench bench;
    populate(&bench, 6);
    struct serind *serind = &bench.serind;
    open_rollout(&bench);
    confirm_directly(&bench);
    ck_assert_int_eq(slot_of(&bench)->rollout.state, SERIN_ROLLOUT_ROLLING);
    ck_assert(!serind_alarm_stands(serind, ALARM));
    fail_behind(&bench, 0, 3, 2);
    ck_assert_int_eq(slot_of(&bench)->rollout.state, SERIN_ROLLOUT_PAUSED);
    ck_assert_str_eq(slot_of(&bench)->rollout.why,
                     "3 of 3 failures are behind gateway gw-1, 0 of 7 elsewhere: paused, the image "
                     "is not blamed");
    ck_assert(serind_alarm_stands(serind, ALARM));
    ck_assert_uint_eq(serind_bench_audited(&bench, "raised: rollout 1 waits for an operator"), 1);

    restart(&bench);
    ck_assert_int_eq(slot_of(&bench)->rollout.state, SERIN_ROLLOUT_PAUSED);
    ck_assert(serind_alarm_stands(serind, ALARM));

    ask(&bench, SERIN_ROLLOUT_RESUME);
    ck_assert(!serind_alarm_stands(serind, ALARM));
    restart(&bench);
    serind_bench_turn(&bench);
    ck_assert_int_eq(slot_of(&bench)->rollout.state, SERIN_ROLLOUT_ROLLING);
    ck_assert(!serind_alarm_stands(serind, ALARM));

    fail_behind(&bench, 3, 1, 3);
    ck_assert_int_eq(slot_of(&bench)->rollout.state, SERIN_ROLLOUT_PAUSED);
    ck_assert(!serind_alarm_stands(serind, HALTED));
    ask(&bench, SERIN_ROLLOUT_HALT);
    ck_assert(!serind_alarm_stands(serind, ALARM));
    ck_assert(serind_alarm_stands(serind, HALTED));
    ck_assert_uint_eq(serind_bench_audited(&bench, "raised: rollout 1 is halted by an operator"),
                      1);
    restart(&bench);
    ck_assert(serind_alarm_stands(serind, HALTED));
    ask(&bench, SERIN_ROLLOUT_ABORT);
    ck_assert(!serind_alarm_stands(serind, HALTED));
    serind_bench_close(&bench);
}
END_TEST

/* What an operator does is no news to operators, but is told where they look. Caught: an alarm for
 * the operator's own pause, also after a restart; a reason that is not stored. */
START_TEST(an_operators_pause_says_why_and_raises_no_alarm)
{
    static struct serind_bench bench;
    populate(&bench, 6);
    open_rollout(&bench);
    confirm_directly(&bench);
    ask_why(&bench, SERIN_ROLLOUT_PAUSE, "look first");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(slot_of(&bench)->rollout.state, SERIN_ROLLOUT_PAUSED);
        ck_assert_str_eq(slot_of(&bench)->rollout.why, "paused by an operator: look first");
        ck_assert(!serind_alarm_stands(&bench.serind, ALARM));
        restart(&bench);
    }
    fail_behind(&bench, 0, 3, 2);
    ck_assert_int_eq(slot_of(&bench)->rollout.state, SERIN_ROLLOUT_PAUSED);
    ck_assert(serind_alarm_stands(&bench.serind, ALARM)); /* it is more than the operator's now */
    ask(&bench, SERIN_ROLLOUT_RESUME);
    ck_assert(!serind_alarm_stands(&bench.serind, ALARM));
    ck_assert_str_eq(slot_of(&bench)->rollout.why, "");
    serind_bench_close(&bench);
}
END_TEST

/* A device that an operator moved is of its new site from then on. Caught: the site taken when the
 * member joined. */
START_TEST(a_moved_device_fails_for_its_new_site)
{
    static struct serind_bench bench;
    populate(&bench, 3);
    open_rollout(&bench);
    ck_assert_int_eq(site_move(&bench, "n-2", ""), SERIN_OK);
    confirm_directly(&bench);
    fail_behind(&bench, 0, 2, 2);
    ck_assert_int_eq(slot_of(&bench)->rollout.state, SERIN_ROLLOUT_ROLLING);
    struct serin_report report = serind_bench_report("n-2", 1, 2, 1, SERIN_STATE_DOWNLOADING, 0);
    report.attempts[0].transitions[1] =
        (struct serin_transition){.state = SERIN_STATE_FAILED, .reason = SERIN_REASON_FLASH};
    serind_bench_take_report(&bench, &report);
    ck_assert_int_eq(slot_of(&bench)->rollout.state, SERIN_ROLLOUT_HALTED);
    ck_assert(!serind_alarm_stands(&bench.serind, ALARM));
    serind_bench_close(&bench);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        a_sick_site_pauses_the_rollout_until_an_operator_accepts_it,
        an_operators_pause_says_why_and_raises_no_alarm,
        a_moved_device_fails_for_its_new_site,
        NULL,
    };
    test_keys_open();
    int status = check_run("engine_shell", list);
    test_keys_close();
    return status;
}
