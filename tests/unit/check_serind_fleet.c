/*
 * The shell of serind with its store and its engine: what reports and beats do to a rollout, clocks
 * that jump.
 */
#include "check_main.h"
#include "serind_bench.h"
#include "test_keys.h"

#include <serin/host/bundle.h>
#include <serin/route.h>

#include <stdio.h>
#include <string.h>

/* Two devices of which the first stage offers one; `first` is its id. */
static struct serind_slot *two_devices(struct serind_bench *bench, const char **first)
{
    static const char *const ids[] = {"lamp-1", "lamp-2"};
    serind_bench_open(bench);
    serind_bench_release(bench, 2);
    for (size_t i = 0; i < 2; i++) {
        struct serin_beat beat = serind_bench_beat(ids[i], 0, 0);
        serind_bench_take_beat(bench, &beat);
    }
    struct serind_slot *slot = serind_bench_rollout(bench, 2);
    ck_assert_uint_eq(slot->members.count, 2);
    serind_bench_turn(bench);
    *first = bench->serind.index.list[slot->members.list[0].device].id;
    return slot;
}

static void say(struct serind_bench *bench, const char *id, uint64_t number, enum serin_state state,
                uint8_t runs)
{
    struct serin_report report = serind_bench_report(id, number, 2, 1, state, runs);
    serind_bench_take_report(bench, &report);
}

START_TEST(a_clock_set_back_is_due_at_once)
{
    struct serind_bench bench;
    const char *first = NULL;
    struct serind_slot *slot = two_devices(&bench, &first);
    struct serind *serind = &bench.serind;
    say(&bench, first, 1, SERIN_STATE_CONFIRMED, 2);
    ck_assert_int_eq(slot->rollout.state, SERIN_ROLLOUT_SOAKING);
    serind->now_ms -= SERIN_ENGINE_SLEW_MS;
    ck_assert_uint_gt(serind_rollouts_deadline_ms(serind), serind->now_ms);
    serind->now_ms -= UINT64_C(2) * 24 * 3600 * 1000;
    ck_assert_uint_le(serind_rollouts_deadline_ms(serind), serind->now_ms);
    serind_bench_turn(&bench);
    ck_assert_uint_eq(serind_bench_audited(&bench, "the clock jumped back"), 1);
    uint64_t due_ms = serind_rollouts_deadline_ms(serind);
    ck_assert_uint_gt(due_ms, serind->now_ms);
    ck_assert_uint_le(due_ms, serind->now_ms + SERIN_ENGINE_JUMP_MS);
    serind_bench_close(&bench);
}
END_TEST

static const struct serind_topic *channel_topic(const struct serind *serind)
{
    for (size_t i = 0; i < serind->publisher.count; i++) {
        if (serind->publisher.topics[i]->topic.kind == SERIN_TOPIC_DIRECTIVE) {
            return serind->publisher.topics[i];
        }
    }
    ck_abort_msg("no directive");
    return NULL;
}

/* One look at the brokers, and the pass that it asks for. */
static void tend(struct serind *serind)
{
    serind_publisher_tend(serind);
    if (serind_publisher_due(serind)) {
        ck_assert_int_eq(serind_pass_begin(serind), SERIN_OK);
        serind_publisher_renew(serind);
        ck_assert_int_eq(serind_pass_end(serind), SERIN_OK);
    }
}

/* Devices measure leases by the latest signed time: one that is signed by a clock that was set back
 * is over for them. */
START_TEST(a_clock_set_back_ends_no_lease)
{
    const uint64_t back_ms = UINT64_C(20) * 3600 * 1000;
    struct serind_bench bench;
    const char *first = NULL;
    (void)two_devices(&bench, &first);
    struct serind *serind = &bench.serind;
    const struct serin_directive_record *own = &channel_topic(serind)->own;
    uint64_t issued_s = own->issued_s;
    ck_assert_uint_eq(issued_s, SERIND_BENCH_START_MS / 1000);
    tend(serind);
    ck_assert(!serind_alarm_stands(serind, "clock"));
    serind->now_ms -= back_ms;
    serind->mono_ms += 1000;
    tend(serind);
    ck_assert(serind_alarm_stands(serind, "clock"));
    ck_assert_uint_eq(own->issued_s, issued_s); /* its lease runs on */
    uint64_t half_s = own->lease_s / 2;
    serind->now_ms += half_s * 1000;
    serind->mono_ms += half_s * 1000;
    tend(serind);
    ck_assert_uint_eq(own->issued_s, issued_s + half_s + 1);
    /* A start: the store tells what was signed, and the monotonic clock is another. */
    serind->publisher.time = (struct serin_signed_time){.signed_ms = 0};
    serind->mono_ms = 5000;
    ck_assert_int_eq(serind->store.ops->begin(serind->store.ctx, false), SERIN_OK);
    ck_assert_int_eq(serind_publisher_load(serind), SERIN_OK);
    serind->store.ops->abort(serind->store.ctx);
    serind->now_ms += half_s * 1000;
    serind->mono_ms += half_s * 1000;
    tend(serind);
    ck_assert_uint_eq(own->issued_s, issued_s + 2 * half_s + 1);
    serind->now_ms += back_ms;
    serind->mono_ms += 1000;
    tend(serind);
    ck_assert(!serind_alarm_stands(serind, "clock"));
    serind_bench_close(&bench);
}
END_TEST

/* An hour passes, and the device beats: up for `uptime_h` hours, with so many errors since. */
static bool unwell_after(struct serind_bench *bench, uint8_t runs, uint64_t uptime_h,
                         uint32_t errors)
{
    struct serin_beat beat = serind_bench_beat("lamp-2", 0, runs);
    bench->serind.now_ms += 3600000;
    bench->serind.mono_ms += 3600000;
    beat.uptime_s = uptime_h * 3600;
    beat.counter_count = 1;
    beat.counters[0] = (struct serin_counter){.id = SERIN_COUNTER_ERRORS, .value = errors};
    serind_bench_take_beat(bench, &beat);
    uint32_t device = serind_index_find(&bench->serind.index, "lamp-2");
    return serin_health_unwell(&bench->serind.index.health[device]);
}

/* What it counted before it was updated is the old image's; a boot of the same one changes nothing.
 */
START_TEST(errors_of_the_old_image_stay_behind)
{
    for (uint8_t runs = 0; runs <= 2; runs += 2) {
        struct serind_bench bench;
        const char *first = NULL;
        (void)two_devices(&bench, &first);
        for (uint32_t hour = 1; hour <= 4; hour++) {
            ck_assert(!unwell_after(&bench, 0, hour, 0));
        }
        (void)unwell_after(&bench, 0, 5, 20);
        ck_assert(unwell_after(&bench, 0, 6, 40));
        ck_assert(unwell_after(&bench, runs, 1, 0) == (runs == 0));
        serind_bench_close(&bench);
    }
}
END_TEST

/* The device went on to another attempt; its beat is here before the report that says so. */
/* What a device decodes is that of its last beat, in the store; bits of a later version are
 * not kept. */
START_TEST(what_a_device_decodes_is_kept)
{
    static const struct {
        uint8_t said, kept;
    } rows[] = {{0, 0},
                {SERIN_TAKES_SMALL, SERIN_TAKES_SMALL},
                {SERIN_TAKES_BEST | 0x81u, SERIN_TAKES_BEST},
                {0xff, SERIN_TAKES_KNOWN},
                {1, 0}};
    struct serind_bench bench;
    serind_bench_open(&bench);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct serin_beat beat = serind_bench_beat("lamp-1", 0, 0);
        beat.takes = rows[i].said;
        serind_bench_take_beat(&bench, &beat);
        const struct serin_store *store = &bench.serind.store;
        struct serin_device_record record;
        ck_assert_int_eq(store->ops->begin(store->ctx, false), SERIN_OK);
        ck_assert_int_eq(store->ops->get_device(store->ctx, "lamp-1", &record), SERIN_OK);
        store->ops->abort(store->ctx);
        ck_assert_uint_eq(record.takes, rows[i].kept);
    }
    serind_bench_close(&bench);
}
END_TEST

START_TEST(a_beat_ahead_of_its_report_reverts_nothing)
{
    struct serind_bench bench;
    const char *first = NULL;
    struct serind_slot *slot = two_devices(&bench, &first);
    say(&bench, first, 5, SERIN_STATE_CONFIRMED, 2);
    struct serin_beat beat = serind_bench_beat(first, 6, 3);
    serind_bench_take_beat(&bench, &beat);
    ck_assert_int_eq(serind_bench_member(&bench, slot, first), SERIN_STATE_CONFIRMED);
    beat.last_number = 4;
    serind_bench_take_beat(&bench, &beat);
    ck_assert_int_eq(serind_bench_member(&bench, slot, first), SERIN_STATE_CONFIRMED);
    beat.last_number = 5;
    serind_bench_take_beat(&bench, &beat);
    ck_assert_int_eq(serind_bench_member(&bench, slot, first), SERIN_STATE_REVERTED);
    serind_bench_close(&bench);
}
END_TEST

/* A device that accepted, and then is another channel's, is not a failure of the release. */
START_TEST(who_moves_away_is_cancelled)
{
    for (int by_beat = 0; by_beat < 2; by_beat++) {
        struct serind_bench bench;
        const char *first = NULL;
        struct serind_slot *slot = two_devices(&bench, &first);
        say(&bench, first, 1, SERIN_STATE_DOWNLOADING, 0);
        if (by_beat) {
            struct serin_beat beat = serind_bench_beat(first, 1, 0);
            strcpy(beat.channel, "beta");
            serind_bench_take_beat(&bench, &beat);
        } else {
            struct serin_report report =
                serind_bench_report(first, 2, 2, 1, SERIN_STATE_VERIFYING, 0);
            strcpy(report.channel, "beta");
            serind_bench_take_report(&bench, &report);
        }
        ck_assert_int_eq(serind_bench_member(&bench, slot, first), SERIN_STATE_CANCELLED);
        ck_assert_uint_eq(slot->rollout.tally.failed, 0);
        ck_assert_uint_eq(serind_bench_audited(&bench, "\"what\":\"moved\""), 1);
        serind_bench_close(&bench);
    }
}
END_TEST

START_TEST(other_hardware_of_the_channel_is_cancelled_only_without_an_offer)
{
    struct serind_bench bench;
    const char *first = NULL;
    struct serind_slot *slot = two_devices(&bench, &first);
    say(&bench, first, 1, SERIN_STATE_DOWNLOADING, 0);
    struct serin_beat beat = serind_bench_beat(first, 1, 0);
    beat.hardware = 2;
    serind_bench_take_beat(&bench, &beat);
    ck_assert_int_eq(serind_bench_member(&bench, slot, first), SERIN_STATE_DOWNLOADING);
    beat.hardware = 9;
    serind_bench_take_beat(&bench, &beat);
    ck_assert_int_eq(serind_bench_member(&bench, slot, first), SERIN_STATE_CANCELLED);
    serind_bench_close(&bench);
}
END_TEST

START_TEST(who_is_refused_is_cancelled)
{
    struct serind_bench bench;
    const char *first = NULL;
    struct serin_device_record record;
    struct serind_slot *slot = two_devices(&bench, &first);
    say(&bench, first, 1, SERIN_STATE_DOWNLOADING, 0);
    ck_assert_int_eq(serind_pass_begin(&bench.serind), SERIN_OK);
    ck_assert_int_eq(serind_enrol_decide(&bench.serind, first, SERIN_ENROLMENT_REFUSED, &record),
                     SERIN_OK);
    ck_assert_int_eq(serind_pass_end(&bench.serind), SERIN_OK);
    ck_assert_int_eq(serind_bench_member(&bench, slot, first), SERIN_STATE_CANCELLED);
    serind_bench_close(&bench);
}
END_TEST

static uint32_t next_attempt(struct serind_bench *bench)
{
    return serind_bench_rollout(bench, 2)->rollout.attempt;
}

/* The store is a backup: devices and brokers know attempts that it does not. */
START_TEST(an_attempt_that_somebody_named_is_not_given_out_again)
{
    struct serind_bench bench;
    const char *first = NULL;
    two_devices(&bench, &first);
    struct serin_report report = serind_bench_report(first, 1, 2, 4, SERIN_STATE_CONFIRMED, 0);
    serind_bench_take_report(&bench, &report);
    ck_assert_uint_eq(next_attempt(&bench), 5);
    /* One liar does not use the numbers up. */
    report = serind_bench_report(first, 2, 2, UINT32_MAX, SERIN_STATE_CONFIRMED, 0);
    serind_bench_take_report(&bench, &report);
    ck_assert_uint_eq(next_attempt(&bench), 6);

    struct serind *serind = &bench.serind;
    struct serin_directive shown = {
        .product = "lamp",
        .channel = "stable",
        .order = {1, 1000},
        .issued_s = 1800000000,
        .lease_s = 3600,
        .candidate_state = SERIN_CANDIDATE_HALTED,
        .candidate = {.attempt = 40, .offer_count = 1, .offers = {{1, 3, {2}}}},
        .salt = {1},
    };
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    size_t size = 0;
    const char *field = "";
    ck_assert_int_eq(serin_directive_seal(serind->crypto, serind->codec, &serind->director, &shown,
                                          payload, &size, &field),
                     SERIN_OK);
    const struct serin_topic topic = {
        .kind = SERIN_TOPIC_DIRECTIVE, .product = "lamp", .channel = "stable"};
    serind_publisher_shown(serind, 0, &topic, payload, size);
    ck_assert_uint_eq(next_attempt(&bench), 41);
    serind_bench_close(&bench);
}
END_TEST

static bool count_attempt(void *arg, const struct serin_attempt_record *record)
{
    (void)record;
    (*(unsigned *)arg)++;
    return true;
}

static unsigned kept_attempts(struct serind_bench *bench, const char *id)
{
    struct serind *serind = &bench->serind;
    unsigned count = 0;
    ck_assert_int_eq(serind->store.ops->begin(serind->store.ctx, false), SERIN_OK);
    ck_assert_int_eq(serind->store.ops->each_attempt(serind->store.ctx, id, count_attempt, &count),
                     SERIN_OK);
    serind->store.ops->abort(serind->store.ctx);
    return count;
}

/* A device that reports whatever it likes fills neither the store nor the audit log. */
START_TEST(a_device_keeps_few_attempts_and_none_at_strange_manifests)
{
    struct serind_bench bench;
    const char *first = NULL;
    struct serind_slot *slot = two_devices(&bench, &first);
    for (uint64_t n = 1; n <= 20; n++) {
        struct serin_report report =
            serind_bench_report(first, n, (uint8_t)(100 + n), 1, SERIN_STATE_PENDING, 0);
        serind_bench_take_report(&bench, &report);
    }
    ck_assert_uint_eq(kept_attempts(&bench, first), 0);
    ck_assert_uint_eq(serind_bench_audited(&bench, "no release here has that id"), 1);
    for (uint32_t n = 1; n <= 20; n++) {
        bench.serind.now_ms += 1000;
        struct serin_report report =
            serind_bench_report(first, 100 + n, 2, 21 - n, SERIN_STATE_CONFIRMED, 2);
        serind_bench_take_report(&bench, &report);
    }
    ck_assert_uint_eq(kept_attempts(&bench, first), 8);
    ck_assert_int_eq(serind_bench_member(&bench, slot, first), SERIN_STATE_CONFIRMED);
    serind_bench_close(&bench);
}
END_TEST

START_TEST(a_store_that_fills_is_an_alarm_in_time)
{
    struct serind_bench bench;
    const char *first = NULL;
    two_devices(&bench, &first);
    ck_assert(!serind_alarm_stands(&bench.serind, "store:filling"));
    bench.config.store_size_bytes = 4 * 4096;
    serind_bench_turn(&bench);
    ck_assert(serind_alarm_stands(&bench.serind, "store:filling"));
    bench.config.store_size_bytes = UINT64_C(1) << 20;
    serind_bench_turn(&bench);
    ck_assert(!serind_alarm_stands(&bench.serind, "store:filling"));
    serind_bench_close(&bench);
}
END_TEST

static void claim(struct serind_bench *bench, const char *id, uint32_t epoch)
{
    struct serin_beat beat = serind_bench_beat(id, 0, 0);
    beat.channel_order = (struct serin_order){epoch, 1};
    serind_bench_take_beat(bench, &beat);
}

START_TEST(one_device_begins_no_epoch_once_a_broker_agreed)
{
    for (int agreed = 0; agreed < 2; agreed++) {
        struct serind_bench bench;
        const char *first = NULL;
        two_devices(&bench, &first);
        bench.serind.publisher.agreed = agreed;
        claim(&bench, "lamp-1", 3);
        ck_assert_uint_eq(bench.serind.meta.order.epoch, agreed ? 1 : 4);
        claim(&bench, "lamp-1", 3);
        ck_assert_uint_eq(bench.serind.meta.order.epoch, agreed ? 1 : 4);
        claim(&bench, "lamp-2", 3);
        ck_assert_uint_eq(bench.serind.meta.order.epoch, 4);
        serind_bench_close(&bench);
    }
}
END_TEST

START_TEST(a_broker_agrees_only_with_what_we_did_not_just_send)
{
    struct serind_bench bench;
    const char *first = NULL;
    two_devices(&bench, &first);
    struct serind *serind = &bench.serind;
    const struct serin_topic topic = {
        .kind = SERIN_TOPIC_DIRECTIVE, .product = "lamp", .channel = "stable"};
    struct serind_topic *held = serind->publisher.topics[0];
    serind_publisher_shown(serind, 0, &topic, held->payload, held->payload_size);
    ck_assert(!serind->publisher.agreed);
    serind_publisher_disconnected(serind, 0);
    serind_publisher_shown(serind, 0, &topic, held->payload, held->payload_size);
    ck_assert(serind->publisher.agreed);
    serind_bench_close(&bench);
}
END_TEST

START_TEST(alarms_end_with_their_cause)
{
    struct serind_bench bench;
    const char *first = NULL;
    two_devices(&bench, &first);
    struct serind *serind = &bench.serind;
    claim(&bench, "lamp-1", 1000);
    ck_assert(serind_alarm_stands(serind, "claim"));
    claim(&bench, "lamp-2", 1);
    ck_assert(serind_alarm_stands(serind, "claim"));
    claim(&bench, "lamp-1", 1);
    ck_assert(!serind_alarm_stands(serind, "claim"));

    serind->index.limit = 2;
    claim(&bench, "lamp-3", 1);
    ck_assert(serind_alarm_stands(serind, "devices"));
    serind->index.limit = 3;
    serind_bench_turn(&bench);
    ck_assert(!serind_alarm_stands(serind, "devices"));

    struct serin_topic topic = {.kind = SERIN_TOPIC_DEV_DIRECTIVE};
    for (unsigned i = 0; i < SERIND_TOPICS_MAX; i++) {
        snprintf(topic.id, sizeof topic.id, "other-%u", i);
        serind_publisher_shown(serind, 0, &topic, (const uint8_t *)"x", 1);
    }
    ck_assert(serind_alarm_stands(serind, "topics"));
    for (unsigned i = 0; i < SERIND_TOPICS_MAX; i++) {
        snprintf(topic.id, sizeof topic.id, "other-%u", i);
        serind_publisher_shown(serind, 0, &topic, NULL, 0);
    }
    serind_publisher_tend(serind);
    ck_assert(!serind_alarm_stands(serind, "topics"));
    ck_assert_uint_eq(serind->publisher.count, 1);
    serind_bench_close(&bench);
}
END_TEST

START_TEST(published_is_said_once_the_client_took_it)
{
    struct serind_bench bench;
    const char *first = NULL;
    two_devices(&bench, &first);
    struct serind *serind = &bench.serind;
    ck_assert_uint_eq(serind_bench_audited(&bench, "directive published to tcp://bench"), 1);
    bench.publish_says = SERIN_ERR_AGAIN;
    serind_bench_rollout(&bench, 2);
    ck_assert_uint_eq(serind_bench_audited(&bench, "directive made"), 2);
    ck_assert_uint_eq(serind_bench_audited(&bench, "published"), 1);
    serind->mono_ms += SERIND_ANSWER_MS;
    serind_publisher_tend(serind);
    ck_assert_uint_eq(serind_bench_audited(&bench, "published"), 1);
    bench.publish_says = SERIN_OK;
    serind->mono_ms += SERIND_ANSWER_MS;
    serind_publisher_tend(serind);
    ck_assert_uint_eq(serind_bench_audited(&bench, "published again"), 1);
    serind_bench_close(&bench);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        a_clock_set_back_is_due_at_once,
        a_clock_set_back_ends_no_lease,
        errors_of_the_old_image_stay_behind,
        what_a_device_decodes_is_kept,
        a_beat_ahead_of_its_report_reverts_nothing,
        who_moves_away_is_cancelled,
        other_hardware_of_the_channel_is_cancelled_only_without_an_offer,
        who_is_refused_is_cancelled,
        an_attempt_that_somebody_named_is_not_given_out_again,
        a_device_keeps_few_attempts_and_none_at_strange_manifests,
        a_store_that_fills_is_an_alarm_in_time,
        one_device_begins_no_epoch_once_a_broker_agreed,
        a_broker_agrees_only_with_what_we_did_not_just_send,
        alarms_end_with_their_cause,
        published_is_said_once_the_client_took_it,
        NULL,
    };
    test_keys_open();
    int status = check_run("serind_fleet", list);
    test_keys_close();
    return status;
}
