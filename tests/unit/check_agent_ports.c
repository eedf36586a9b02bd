/*
 * What the board's ports may do to an agent: a link that has no room, random numbers that fail, a
 * platform that offers only what it must, names and numbers that no device has.
 */
#include "check_main.h"
#include "device_bench.h"

#include <serin/adapters/protobufc.h>

#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2;

static void set_up(void)
{
    bench_begin(&bench, &v1, &v2);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, NULL);
}

static void offer_v2(void)
{
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
}

/* ---- the configuration ---- */

static void no_device(struct bench *b)
{
    b->identity.device_id[0] = '\0';
}
static void no_product(struct bench *b)
{
    b->identity.product[0] = '\0';
}
static void odd_channel(struct bench *b)
{
    b->identity.channel[0] = '/';
}
static void no_hardware(struct bench *b)
{
    b->identity.hardware = 0;
}
static void no_beats(struct bench *b)
{
    b->config.beat_interval_s = 0;
}
static void rare_beats(struct bench *b)
{
    b->config.beat_interval_s = 604801;
}
static void no_retry(struct bench *b)
{
    b->config.report_retry_min_ms = 0;
}
static void no_timeout(struct bench *b)
{
    b->config.block_timeout_ms = 0;
}
static void no_scratch(struct bench *b)
{
    b->config.scratch = NULL;
}
static void small_scratch(struct bench *b)
{
    b->config.scratch_size--;
}

static const struct spoilt {
    void (*spoil)(struct bench *b);
    enum serin_error error;
} spoilt[] = {
    {no_device, SERIN_ERR_CONFIG},   {no_product, SERIN_ERR_CONFIG},
    {odd_channel, SERIN_ERR_CONFIG}, {no_hardware, SERIN_ERR_CONFIG},
    {no_beats, SERIN_ERR_CONFIG},    {rare_beats, SERIN_ERR_CONFIG},
    {no_retry, SERIN_ERR_CONFIG},    {no_timeout, SERIN_ERR_CONFIG},
    {no_scratch, SERIN_ERR_CONFIG},  {small_scratch, SERIN_ERR_CONFIG},
};

START_TEST(what_no_device_is_configured_with_is_refused)
{
    set_up();
    struct serin_agent_boot_info info = {.slot = SERIN_SLOT_A};
    ck_assert_int_eq(serin_agent_init(&bench.agent, &bench.config, &info, 0), SERIN_OK);
    uint64_t operations = serin_flash_emulator_operations(bench.emulator);
    spoilt[_i].spoil(&bench);
    ck_assert_int_eq(serin_agent_init(&bench.agent, &bench.config, &info, 0), spoilt[_i].error);
    ck_assert_uint_eq(serin_flash_emulator_operations(bench.emulator), operations);
    tear_down();
}
END_TEST

/* ---- random numbers ---- */

static struct serin_crypto_ops weak_ops;
static const struct serin_crypto weak = {.ops = &weak_ops};
static unsigned random_calls, random_fails_from;

static enum serin_error weak_random(void *ctx, void *out, size_t size)
{
    return ++random_calls >= random_fails_from ? SERIN_ERR_CRYPTO
                                               : bench_crypto()->ops->random(ctx, out, size);
}

/* The board's random numbers fail from the n-th on. */
static void weaken(unsigned nth)
{
    weak_ops = *bench_crypto()->ops;
    weak_ops.random = weak_random;
    random_calls = 0;
    random_fails_from = nth;
    bench.boot.crypto = &weak;
}

START_TEST(no_life_begins_without_a_random_incarnation)
{
    set_up();
    weaken(1);
    struct serin_agent_boot_info info = {.slot = SERIN_SLOT_A};
    ck_assert_int_eq(serin_agent_init(&bench.agent, &bench.config, &info, 0), SERIN_ERR_CRYPTO);
    weaken(2);
    ck_assert_int_eq(serin_agent_init(&bench.agent, &bench.config, &info, 0), SERIN_OK);
    ck_assert_uint_ne(bench.agent.record.incarnation, 0);
    tear_down();
}
END_TEST

START_TEST(random_numbers_that_fail_later_stop_nothing)
{
    set_up();
    weaken(2);
    bench_boot(&bench, SERIN_RESET_POWER);
    bench.faults.busy_requests = 2;
    bench.faults.drop_block = 3;
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 2000));
    ck_assert_uint_gt(random_calls, 2);
    bench_run_for(&bench, 10000);
    ck_assert_uint_eq(bench.agent.record.acked, bench.agent.record.number);
    tear_down();
}
END_TEST

/* ---- the link ---- */

static const struct serin_link_ops *bench_link;
static unsigned link_calls, link_refused[SERIN_TOPIC_COUNT];

/* Of two calls one finds no room, whatever it is for. */
static enum serin_error full_publish(void *ctx, enum serin_topic_kind kind, const uint8_t *payload,
                                     size_t size)
{
    if (++link_calls % 2 != 0) {
        link_refused[kind]++;
        return SERIN_ERR_AGAIN;
    }
    return bench_link->publish(ctx, kind, payload, size);
}

START_TEST(a_link_without_room_delays_and_loses_nothing)
{
    static const struct serin_link_ops full = {.publish = full_publish};
    set_up();
    bench_link = bench.config.link;
    bench.config.link = &full;
    link_calls = 0;
    memset(link_refused, 0, sizeof(link_refused));
    bench_boot(&bench, SERIN_RESET_POWER);
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 2000));
    bench_run_for(&bench, 4 * 3600 * 1000);
    ck_assert_uint_eq(bench.agent.record.acked, bench.agent.record.number);
    ck_assert_uint_gt(bench.beats, 3);
    ck_assert_uint_gt(link_refused[SERIN_TOPIC_DEV_GET], 0);
    ck_assert_uint_gt(link_refused[SERIN_TOPIC_DEV_REPORT], 0);
    ck_assert_uint_gt(link_refused[SERIN_TOPIC_DEV_BEAT], 0);
    ck_assert_uint_eq(bench.fetched_again, 0);
    tear_down();
}
END_TEST

START_TEST(a_link_that_ends_before_it_began_is_no_reconnect)
{
    set_up();
    bench.online = false;
    bench_boot(&bench, SERIN_RESET_POWER);
    bench_event(&bench, SERIN_AGENT_DISCONNECTED, SERIN_REASON_INVALID);
    bench_online(&bench, true);
    ck_assert_uint_eq(bench.agent.reconnects, 0);
    bench_online(&bench, false);
    bench_online(&bench, true);
    ck_assert_uint_eq(bench.agent.reconnects, 1);
    tear_down();
}
END_TEST

/* ---- the platform ---- */

static size_t full_counters(void *ctx, struct serin_counter *out, size_t max)
{
    (void)ctx;
    for (size_t i = 0; i < max; i++) {
        out[i] = (struct serin_counter){.id = (uint32_t)(1000 + i), .value = i};
    }
    return max;
}

START_TEST(a_platform_may_leave_out_what_it_need_not_have)
{
    set_up();
    struct serin_platform_ops least = {.reset = bench.config.platform->reset,
                                       .unix_time_s = bench.config.platform->unix_time_s,
                                       .counters = full_counters};
    bench.config.platform = &least;
    bench_boot(&bench, SERIN_RESET_POWER);
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 10000);
    /* The platform's own counters fill the beat: the agent's have no place. */
    ck_assert_uint_eq(bench.beat.counter_count, SERIN_BEAT_COUNTERS_MAX);
    ck_assert_uint_eq(bench.beat.counters[0].id, 1000);
    ck_assert_uint_eq(bench.transitions, 0);
    tear_down();
}
END_TEST

/* ---- messages ---- */

static enum serin_error deliver(enum serin_topic_kind topic, const uint8_t *payload, size_t size)
{
    struct serin_agent_event event = {
        .kind = SERIN_AGENT_MESSAGE, .topic = topic, .payload = payload, .payload_size = size};
    return serin_agent_step(&bench.agent, ++bench.now_ms, &event);
}

START_TEST(what_is_not_for_a_device_changes_nothing)
{
    static const uint8_t nonsense[] = {0xFF, 0xFF, 0xFF, 0x7F, 1};
    static const enum serin_topic_kind heard[] = {SERIN_TOPIC_DIRECTIVE, SERIN_TOPIC_DEV_DIRECTIVE,
                                                  SERIN_TOPIC_TRUST,     SERIN_TOPIC_HOLD,
                                                  SERIN_TOPIC_DEV_ACK,   SERIN_TOPIC_DEV_BLOCK};
    set_up();
    bench_boot(&bench, SERIN_RESET_POWER);
    bench_run_for(&bench, 5000);
    struct serin_agent_record before = bench.agent.record;
    uint64_t operations = serin_flash_emulator_operations(bench.emulator);
    for (unsigned topic = 0; topic <= SERIN_TOPIC_COUNT; topic++) {
        ck_assert_int_ne(deliver((enum serin_topic_kind)topic, nonsense, sizeof(nonsense)),
                         SERIN_OK);
    }
    /* A topic that somebody cleared takes nothing back. */
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(deliver(heard[i], NULL, 0), SERIN_OK);
    }
    ck_assert(memcmp(&before, &bench.agent.record, sizeof(before)) == 0);
    ck_assert_uint_eq(serin_flash_emulator_operations(bench.emulator), operations);
    ck_assert(bench.agent.have_trust);
    tear_down();
}
END_TEST

START_TEST(a_hold_ends_when_its_topic_is_cleared)
{
    set_up();
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_hold hold = {.held = true,
                              .lease_left_s = 3600,
                              .time_s = SERIN_TIME_MAX_S,
                              .reason = SERIN_REASON_NONE};
    uint8_t payload[SERIN_HOLD_MAX];
    size_t size;
    ck_assert_int_eq(serin_protobufc()->encode_hold(&hold, payload, sizeof(payload), &size),
                     SERIN_OK);
    ck_assert_int_eq(deliver(SERIN_TOPIC_HOLD, payload, size), SERIN_OK);
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    /* Not held, but at a time at which every lease is over. */
    hold.held = false;
    ck_assert_int_eq(serin_protobufc()->encode_hold(&hold, payload, sizeof(payload), &size),
                     SERIN_OK);
    ck_assert_int_eq(deliver(SERIN_TOPIC_HOLD, payload, size), SERIN_OK);
    bench_run_for(&bench, 60000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    ck_assert_int_eq(deliver(SERIN_TOPIC_HOLD, NULL, 0), SERIN_OK);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(the_watchdog_is_not_fed_after_a_trial_was_given_up)
{
    set_up();
    v2->app = BENCH_SILENT;
    bench_boot(&bench, SERIN_RESET_POWER);
    offer_v2();
    ck_assert(serin_agent_may_feed(&bench.agent, bench.now_ms));
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    uint64_t end_ms = bench.agent.now_ms + bench.agent.wait_ms[SERIN_WAIT_WINDOW];
    ck_assert(serin_agent_may_feed(&bench.agent, end_ms - 1));
    ck_assert(!serin_agent_may_feed(&bench.agent, end_ms));
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_UNHEALTHY, SERIN_REASON_CRASH), SERIN_OK);
    ck_assert(bench.reset_asked);
    ck_assert(!serin_agent_may_feed(&bench.agent, bench.now_ms)); /* should the reset not come */
    /* Until it does nothing is done: neither a confirmation nor a deadline. */
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_CONFIRM, SERIN_REASON_INVALID),
                     SERIN_ERR_STATE);
    bench_boot(&bench, SERIN_RESET_REQUESTED);
    ck_assert(bench_run_to(&bench, SERIN_STATE_ROLLED_BACK, 100));
    ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_CRASH);
    ck_assert_uint_eq(bench_running(&bench), 1);
    tear_down();
}
END_TEST

START_TEST(an_agent_that_confirms_by_itself_waits_until_it_may)
{
    set_up();
    v2->app = BENCH_SILENT; /* there is no application */
    bench.config.auto_confirm = true;
    bench_boot(&bench, SERIN_RESET_POWER);
    offer_v2();
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    bench_online(&bench, false);
    bench_run_for(&bench, 20000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_TRIAL);
    bench_online(&bench, true);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 100));
    tear_down();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {no_life_begins_without_a_random_incarnation,
                                  random_numbers_that_fail_later_stop_nothing,
                                  a_link_without_room_delays_and_loses_nothing,
                                  a_link_that_ends_before_it_began_is_no_reconnect,
                                  a_platform_may_leave_out_what_it_need_not_have,
                                  what_is_not_for_a_device_changes_nothing,
                                  a_hold_ends_when_its_topic_is_cleared,
                                  the_watchdog_is_not_fed_after_a_trial_was_given_up,
                                  an_agent_that_confirms_by_itself_waits_until_it_may,
                                  NULL};
    bench_open_keys();
    Suite *suite = suite_create("agent ports");
    TCase *single = tcase_create("single");
    for (size_t i = 0; tests[i] != NULL; i++) {
        tcase_add_test(single, tests[i]);
    }
    tcase_add_loop_test(single, what_no_device_is_configured_with_is_refused, 0,
                        (int)(sizeof(spoilt) / sizeof(spoilt[0])));
    tcase_set_timeout(single, 60);
    suite_add_tcase(suite, single);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
