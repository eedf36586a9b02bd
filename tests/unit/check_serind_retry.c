/*
 * A retry in the shell of serind: which number it has, whose words count after it, and who is
 * confirmed without an attempt of its own.
 */
#include "check_main.h"
#include "serind_bench.h"
#include "test_keys.h"

#include <shell/beats.h>

#include <string.h>

static const char *const ids[] = {"lamp-1", "lamp-2", "lamp-3", "lamp-4"};

/* Four devices, of which the first stage offers two; `offered` are their ids. */
static struct serind_slot *four_devices(struct serind_bench *bench, const char *offered[2])
{
    serind_bench_open(bench);
    serind_bench_release(bench, 2);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct serin_beat beat = serind_bench_beat(ids[i], 0, 0);
        serind_bench_take_beat(bench, &beat);
    }
    struct serind_slot *slot = serind_bench_rollout(bench, 2);
    serind_bench_turn(bench);
    ck_assert_uint_eq(slot->rollout.tally.offered, 2);
    for (size_t i = 0; i < 2; i++) {
        offered[i] = bench->serind.index.list[slot->members.list[i].device].id;
    }
    return slot;
}

static void say(struct serind_bench *bench, const char *id, uint64_t number, uint32_t attempt,
                enum serin_state state, uint8_t runs)
{
    struct serin_report report = serind_bench_report(id, number, 2, attempt, state, runs);
    serind_bench_take_report(bench, &report);
}

/* It crashed in its trial. */
static void crash(struct serind_bench *bench, const char *id, uint64_t number, uint32_t attempt)
{
    struct serin_report report = serind_bench_report(id, number, 2, attempt, SERIN_STATE_TRIAL, 0);
    struct serin_attempt_report *told = &report.attempts[0];
    told->transitions[told->transition_count++] =
        (struct serin_transition){.state = SERIN_STATE_ROLLED_BACK, .reason = SERIN_REASON_CRASH};
    serind_bench_take_report(bench, &report);
}

static enum serin_error command(struct serind_bench *bench, struct serind_slot *slot,
                                enum serin_rollout_event_kind kind, struct serind_refusal *refusal)
{
    struct serind_slot *touched = NULL;
    return serind_rollout_command(&bench->serind, slot->rollout.id, kind, "noise", &touched,
                                  refusal);
}

static void retry(struct serind_bench *bench, struct serind_slot *slot)
{
    struct serind_refusal refusal;
    enum serin_error error = command(bench, slot, SERIN_ROLLOUT_RETRY, &refusal);
    ck_assert_msg(error == SERIN_OK, "%s", refusal.message);
    serind_bench_turn(bench);
}

static uint32_t last_attempt(struct serind_bench *bench)
{
    static const uint8_t manifest_id[SERIN_SHA256_SIZE] = {2};
    struct serin_release_record release;
    struct serin_store *store = &bench->serind.store;
    ck_assert_int_eq(store->ops->begin(store->ctx, false), SERIN_OK);
    ck_assert_int_eq(store->ops->get_release(store->ctx, manifest_id, &release), SERIN_OK);
    store->ops->abort(store->ctx);
    return release.last_attempt;
}

/* Caught: the old end told again ends the new attempt; the release's counter stays; the confirmed
 * one's regression is nobody's because its attempt is not the latest. */
START_TEST(who_failed_tries_again_and_old_words_do_not_end_it)
{
    struct serind_bench bench;
    const char *offered[2];
    struct serind_slot *slot = four_devices(&bench, offered);
    crash(&bench, offered[0], 1, 1);
    say(&bench, offered[1], 1, 1, SERIN_STATE_DOWNLOADING, 0);
    ck_assert_int_eq(slot->rollout.state, SERIN_ROLLOUT_ROLLING);
    ck_assert_int_eq(serind_bench_member(&bench, slot, offered[0]), SERIN_STATE_ROLLED_BACK);
    retry(&bench, slot);
    ck_assert_uint_eq(slot->rollout.attempt, 2);
    ck_assert_uint_eq(slot->rollout.attempt_first, 1);
    ck_assert_uint_eq(last_attempt(&bench), 2);
    ck_assert_int_eq(serind_bench_member(&bench, slot, offered[0]), SERIN_STATE_IDLE);
    crash(&bench, offered[0], 2, 1);
    ck_assert_int_eq(serind_bench_member(&bench, slot, offered[0]), SERIN_STATE_IDLE);
    say(&bench, offered[0], 3, 2, SERIN_STATE_CONFIRMED, 2);
    ck_assert_int_eq(serind_bench_member(&bench, slot, offered[0]), SERIN_STATE_CONFIRMED);
    /* The other one goes on with the attempt that it had begun. */
    say(&bench, offered[1], 2, 1, SERIN_STATE_CONFIRMED, 2);
    ck_assert_int_eq(serind_bench_member(&bench, slot, offered[1]), SERIN_STATE_CONFIRMED);
    struct serin_beat beat = serind_bench_beat(offered[1], 2, 3);
    serind_bench_take_beat(&bench, &beat);
    ck_assert_int_eq(serind_bench_member(&bench, slot, offered[1]), SERIN_STATE_REVERTED);
    ck_assert_uint_eq(serind_bench_audited(&bench, "retry: noise"), 1);
    serind_bench_close(&bench);
}
END_TEST

/* It confirmed, and left the image, of which no word came; then it took the retry that is for
 * another, and failed. Caught: the books call it confirmed for good. */
START_TEST(who_takes_again_what_it_confirmed_had_left_it)
{
    struct serind_bench bench;
    const char *offered[2];
    struct serind_slot *slot = four_devices(&bench, offered);
    crash(&bench, offered[0], 1, 1);
    retry(&bench, slot);
    say(&bench, offered[1], 1, 1, SERIN_STATE_CONFIRMED, 2);
    ck_assert_int_eq(serind_bench_member(&bench, slot, offered[1]), SERIN_STATE_CONFIRMED);
    crash(&bench, offered[1], 2, 2);
    ck_assert_int_eq(serind_bench_member(&bench, slot, offered[1]), SERIN_STATE_REVERTED);
    ck_assert_uint_eq(serind_bench_audited(&bench, "takes an image again"), 1);
    say(&bench, offered[1], 3, 1, SERIN_STATE_CONFIRMED, 2); /* old news change nothing */
    ck_assert_int_eq(serind_bench_member(&bench, slot, offered[1]), SERIN_STATE_REVERTED);
    serind_bench_close(&bench);
}
END_TEST

/* Somebody named a number above ours: devices may have tried that one. */
START_TEST(a_retry_has_a_number_that_nobody_has_named)
{
    struct serind_bench bench;
    const char *offered[2];
    struct serind_slot *slot = four_devices(&bench, offered);
    crash(&bench, offered[0], 1, 1);
    say(&bench, "lamp-1", 7, 5, SERIN_STATE_PENDING, 0);
    ck_assert_uint_eq(last_attempt(&bench), 5);
    retry(&bench, slot);
    ck_assert_uint_eq(slot->rollout.attempt, 6);
    ck_assert_uint_eq(last_attempt(&bench), 6);
    serind_bench_close(&bench);
}
END_TEST

/* Refused: nothing changed, not even the number; and the operator hears what to do instead. */
START_TEST(a_refused_retry_changes_nothing)
{
    struct serind_bench bench;
    const char *offered[2];
    struct serind_refusal refusal;
    struct serind_slot *slot = four_devices(&bench, offered);
    say(&bench, "lamp-1", 7, 5, SERIN_STATE_PENDING, 0);
    ck_assert_int_eq(command(&bench, slot, SERIN_ROLLOUT_HALT, &refusal), SERIN_OK);
    ck_assert_int_eq(command(&bench, slot, SERIN_ROLLOUT_RETRY, &refusal), SERIN_ERR_STATE);
    ck_assert_str_eq(refusal.message, "rollout 1 is halted for good: create one of a corrected "
                                      "release with 'from: 1', or abort it");
    ck_assert_uint_eq(slot->rollout.attempt, 1);
    ck_assert_uint_eq(last_attempt(&bench), 5);
    ck_assert_uint_eq(serind_bench_audited(&bench, "\"what\":\"refused\""), 1);
    ck_assert_uint_eq(
        serind_bench_audited(&bench, "\"text\":\"retry: noise; rollout 1 is halted for good"), 1);
    serind_bench_close(&bench);
}
END_TEST

/* Of one that another has replaced there is nothing to do any more, and the answer says which one,
 * and how to go on; that it was asked stays in the log, and so does a number that never was. */
START_TEST(a_verb_for_one_that_was_replaced_names_the_other)
{
    struct serind_bench bench;
    const char *offered[2];
    struct serind_refusal refusal;
    struct serind_slot *touched = NULL;
    struct serind_slot *slot = four_devices(&bench, offered);
    ck_assert_int_eq(command(&bench, slot, SERIN_ROLLOUT_HALT, &refusal), SERIN_OK);
    ck_assert_uint_eq(serind_bench_audited(&bench, "was halted before"), 0);
    serind_bench_release(&bench, 9);
    slot = serind_bench_rollout(&bench, 9);
    ck_assert_uint_eq(slot->rollout.id, 2);
    enum serin_error error =
        serind_rollout_command(&bench.serind, 1, SERIN_ROLLOUT_ABORT, "tidy", &touched, &refusal);
    ck_assert_int_eq(error, SERIN_ERR_STATE);
    ck_assert_str_eq(refusal.message,
                     "rollout 1 is halted, and rollout 2 has taken its place: there is nothing to "
                     "abort; to go on create one of a corrected release with 'from: 1'");
    error = serind_rollout_command(&bench.serind, 7, SERIN_ROLLOUT_PAUSE, NULL, &touched, &refusal);
    ck_assert_int_eq(error, SERIN_ERR_NOT_FOUND);
    serind_audit_flush(&bench.serind);
    ck_assert_uint_eq(
        serind_bench_audited(&bench, "\"text\":\"abort: tidy; rollout 1 is halted, and rollout 2"),
        1);
    ck_assert_uint_eq(serind_bench_audited(&bench, "\"text\":\"pause; there is no rollout 7\""), 1);
    /* The one that was halted, once more: taken, but not without a word. */
    ck_assert_uint_eq(serind_bench_audited(&bench, "was halted before"), 0);
    (void)serind_bench_rollout(&bench, 2);
    ck_assert_uint_eq(serind_bench_audited(&bench, "its release was halted before, in rollout 1\""),
                      1);
    serind_bench_close(&bench);
}
END_TEST

/* A device came to the release by another way. As long as it is trying something it is not
 * confirmed, nor while it is not the one that the rollout offers. */
START_TEST(who_runs_it_already_is_confirmed)
{
    struct serind_bench bench;
    const char *offered[2];
    struct serind_slot *slot = four_devices(&bench, offered);
    serind_bench_release(&bench, 9);
    struct serin_beat beat = serind_bench_beat(offered[0], 0, 9);
    serind_bench_take_beat(&bench, &beat);
    ck_assert_int_eq(serind_bench_member(&bench, slot, offered[0]), SERIN_STATE_IDLE);
    beat = serind_bench_beat(offered[0], 0, 2);
    serind_bench_take_beat(&bench, &beat);
    ck_assert_int_eq(serind_bench_member(&bench, slot, offered[0]), SERIN_STATE_CONFIRMED);
    struct serin_report report = serind_bench_report(offered[1], 1, 9, 1, SERIN_STATE_STAGED, 2);
    serind_bench_take_report(&bench, &report);
    ck_assert_int_eq(serind_bench_member(&bench, slot, offered[1]), SERIN_STATE_IDLE);
    serind_bench_close(&bench);
}
END_TEST

/* What beats say reaches the engine: hardware, and errors of the counters that are judged. Caught:
 * boots judged; hardware looked up by the member's place; the health of another device. */
START_TEST(beats_tell_hardware_and_health)
{
    struct serind_bench bench;
    const char *offered[2];
    struct serind_slot *slot = four_devices(&bench, offered);
    struct serind *serind = &bench.serind;
    struct serin_beat beat = serind_bench_beat(offered[0], 0, 0);
    beat.hardware = 3;
    beat.counter_count = 5;
    beat.counters[0] = (struct serin_counter){SERIN_COUNTER_BOOTS, 1000};
    beat.counters[1] = (struct serin_counter){SERIN_COUNTER_CRASHES, 1};
    beat.counters[2] = (struct serin_counter){SERIN_COUNTER_ERRORS, 20};
    beat.counters[3] = (struct serin_counter){SERIN_COUNTER_RECONNECTS, 5000};
    beat.counters[4] = (struct serin_counter){SERIN_COUNTER_APPLICATION + 3, 300};
    serind_bench_take_beat(&bench, &beat);
    uint32_t device = serind_index_find(&serind->index, offered[0]);
    ck_assert_uint_eq(serind->index.health[device].errors, 321);
    ck_assert_uint_eq(serind->index.health[device].gap_s, 60);
    serind_slot_attach(serind, slot);
    const struct serin_members *members = &slot->members;
    ck_assert_uint_eq(members->hardware(members->sites, device), 3);
    ck_assert_ptr_eq(members->health, serind->index.health);
    for (uint32_t i = 0; i < serind->index.count; i++) {
        uint32_t stratum = members->stratum(members->sites, i);
        ck_assert_uint_gt(stratum, 0);
        ck_assert_uint_lt(stratum, members->stratum_count);
        ck_assert((stratum == members->stratum(members->sites, device)) == (i == device));
    }
    serind_bench_close(&bench);
}
END_TEST

static void load_health(struct serind *serind)
{
    memset(serind->index.health, 0, serind->index.count * sizeof *serind->index.health);
    ck_assert_int_eq(serind->store.ops->begin(serind->store.ctx, false), SERIN_OK);
    ck_assert_int_eq(serind_beats_load(serind), SERIN_OK);
    serind->store.ops->abort(serind->store.ctx);
}

/* As a version of before it kept health has written them. */
static void forget_in_store(struct serind *serind)
{
    const struct serin_store_ops *ops = serind->store.ops;
    ck_assert_int_eq(ops->begin(serind->store.ctx, true), SERIN_OK);
    for (size_t i = 0; i < 4; i++) {
        struct serin_device_record record;
        ck_assert_int_eq(ops->get_device(serind->store.ctx, ids[i], &record), SERIN_OK);
        record.health = (struct serin_health){.beats = 0};
        ck_assert_int_eq(ops->put_device(serind->store.ctx, &record), SERIN_OK);
    }
    ck_assert_int_eq(ops->commit(serind->store.ctx), SERIN_OK);
}

/* As a clock that was days ahead has written it. */
static void date_ahead(struct serind *serind, const char *id)
{
    const struct serin_store_ops *ops = serind->store.ops;
    struct serin_device_record record;
    ck_assert_int_eq(ops->begin(serind->store.ctx, true), SERIN_OK);
    ck_assert_int_eq(ops->get_device(serind->store.ctx, id, &record), SERIN_OK);
    record.last_report_s = serind->now_ms / 1000 + 864000;
    ck_assert_int_eq(ops->put_device(serind->store.ctx, &record), SERIN_OK);
    ck_assert_int_eq(ops->commit(serind->store.ctx), SERIN_OK);
}

/* After a start, who had been heard of when serind ended is heard of now, and who was silent then
 * is as silent as it was: an outage of serind is nobody's silence, and mends nobody's. Caught: all
 * heard of; nobody; the gap that was learned, or announced, forgotten; a past that began anew taken
 * for an old one; one that is dated ahead, which makes all others silent. */
START_TEST(an_outage_of_ours_is_nobodys_silence)
{
    struct serind_bench bench;
    const char *offered[2];
    four_devices(&bench, offered);
    struct serind *serind = &bench.serind;
    uint64_t begun_s = serind->now_ms / 1000;
    serind->now_ms += 181000; /* lamp-1 alone goes on: three gaps of a minute and a second */
    struct serin_beat beat = serind_bench_beat("lamp-1", 0, 0);
    serind_bench_take_beat(&bench, &beat);
    serind->now_ms -= 60000;
    beat = serind_bench_beat("lamp-2", 0, 0);
    serind_bench_take_beat(&bench, &beat);
    serind->now_ms += 3600000; /* serind is away */
    const uint64_t now_s = serind->now_ms / 1000;
    const uint64_t heard_s[] = {now_s, now_s, begun_s, begun_s};
    const uint32_t learned_s[] = {90, 75, 60, 60}; /* a quarter of what it was longer */
    for (unsigned stored = 2; stored-- > 0;) {
        load_health(serind);
        for (size_t i = 0; i < 4; i++) {
            const struct serin_health *health =
                &serind->index.health[serind_index_find(&serind->index, ids[i])];
            bool resumed = health->resumed_s > health->beat_s;
            ck_assert_uint_eq(resumed ? health->resumed_s : health->beat_s, heard_s[i]);
            ck_assert_uint_eq(health->gap_s, stored ? learned_s[i] : 60);
            ck_assert_uint_eq(health->lost_s, stored ? 0 : now_s);
        }
        forget_in_store(serind);
    }
    date_ahead(serind, ids[3]);
    load_health(serind);
    for (size_t i = 0; i < 2; i++) {
        uint32_t device = serind_index_find(&serind->index, ids[i]);
        ck_assert_uint_eq(serind->index.health[device].resumed_s, now_s);
    }
    serind_bench_close(&bench);
}
END_TEST

/* Many kinds keep their numbers while the tables grow, and what does not fit has none. */
START_TEST(strata_are_numbered_and_bounded)
{
    struct serind_strata strata = {.count = 0};
    ck_assert_uint_eq(serind_strata_find(&strata, 0, 1), 0);
    for (uint32_t i = 0; i < SERIND_STRATA_MAX + 5u; i++) {
        serind_strata_note(&strata, i / 7u, (uint16_t)(i % 7u));
        serind_strata_note(&strata, i / 7u, (uint16_t)(i % 7u));
    }
    ck_assert_uint_eq(strata.count, SERIND_STRATA_MAX);
    for (uint32_t i = 0; i < SERIND_STRATA_MAX; i++) {
        ck_assert_uint_eq(serind_strata_find(&strata, i / 7u, (uint16_t)(i % 7u)), i + 1u);
    }
    ck_assert_uint_eq(serind_strata_find(&strata, SERIND_STRATA_MAX, 0), 0);
    serind_strata_free(&strata);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        who_failed_tries_again_and_old_words_do_not_end_it,
        who_takes_again_what_it_confirmed_had_left_it,
        a_retry_has_a_number_that_nobody_has_named,
        a_refused_retry_changes_nothing,
        a_verb_for_one_that_was_replaced_names_the_other,
        who_runs_it_already_is_confirmed,
        beats_tell_hardware_and_health,
        an_outage_of_ours_is_nobodys_silence,
        strata_are_numbered_and_bounded,
        NULL,
    };
    test_keys_open();
    int status = check_run("serind_retry", list);
    test_keys_close();
    return status;
}
