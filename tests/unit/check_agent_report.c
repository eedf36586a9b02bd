/*
 * Reports until they are acknowledged, acks of every kind, beats, and what the agent says of
 * itself.
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
    bench_boot(&bench, SERIN_RESET_POWER);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, NULL);
}

/* One account, staged and final until somebody pauses less. */
static void have_an_account(void)
{
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 1);
}

static enum serin_error ack(uint64_t incarnation, uint64_t number, enum serin_ack_status status,
                            uint32_t retry_s)
{
    struct serin_ack value = {
        .incarnation = incarnation, .number = number, .status = status, .retry_s = retry_s};
    uint8_t payload[SERIN_ACK_MAX];
    size_t size;
    ck_assert_int_eq(serin_protobufc()->encode_ack(&value, payload, sizeof(payload), &size),
                     SERIN_OK);
    struct serin_agent_event event = {.kind = SERIN_AGENT_MESSAGE,
                                      .topic = SERIN_TOPIC_DEV_ACK,
                                      .payload = payload,
                                      .payload_size = size};
    return serin_agent_step(&bench.agent, ++bench.now_ms, &event);
}

START_TEST(no_report_without_an_attempt)
{
    set_up();
    bench_run_for(&bench, 24 * 3600 * 1000);
    ck_assert_uint_eq(bench.reports, 0);
    ck_assert_uint_eq(bench.beats, 24 + 1);
    ck_assert_uint_eq(bench.beat.last_number, 0);
    ck_assert_uint_eq(bench.beat.interval_s, 3600);
    tear_down();
}
END_TEST

START_TEST(resends_with_jitter_that_grows_to_the_hour)
{
    set_up();
    bench.ack = false;
    have_an_account();
    uint64_t last_ms = bench.now_ms, longest_ms = 0;
    unsigned sent = bench.reports;
    for (unsigned n = 0; n < 40; n++) {
        while (bench.reports == sent) {
            ck_assert(bench_step(&bench, UINT64_MAX));
        }
        sent = bench.reports;
        uint64_t gap_ms = bench.now_ms - last_ms;
        last_ms = bench.now_ms;
        ck_assert_uint_ge(gap_ms, 5000);
        ck_assert_uint_le(gap_ms, 3600000 + 1);
        uint64_t bound = 5000ull << (n + 1 < 12 ? n + 1 : 12);
        ck_assert_msg(gap_ms <= bound, "resend %u after %llu ms", n, (unsigned long long)gap_ms);
        longest_ms = gap_ms > longest_ms ? gap_ms : longest_ms;
    }
    ck_assert_uint_gt(longest_ms, 1800000);
    tear_down();
}
END_TEST

START_TEST(an_ack_of_the_number_ends_it)
{
    set_up();
    bench.ack = false;
    have_an_account();
    uint64_t incarnation = bench.agent.record.incarnation;
    uint64_t number = bench.agent.record.number;
    ck_assert_uint_eq(number, 6);
    ck_assert_int_eq(ack(incarnation, number, SERIN_ACK_STORED, 0), SERIN_OK);
    unsigned reports = bench.reports;
    bench_run_for(&bench, 2 * 3600 * 1000);
    ck_assert_uint_eq(bench.reports, reports);
    /* It is over after losing power, too: a final account's ack is kept. */
    bench_power_cycle(&bench);
    bench_run_for(&bench, 2 * 3600 * 1000);
    ck_assert_uint_eq(bench.reports, reports);
    ck_assert_int_eq(ack(incarnation, number, SERIN_ACK_STORED, 0), SERIN_OK); /* repeated */
    tear_down();
}
END_TEST

START_TEST(foreign_acks_are_ignored)
{
    set_up();
    bench.ack = false;
    have_an_account();
    uint64_t incarnation = bench.agent.record.incarnation;
    ck_assert_int_eq(ack(incarnation, 7, SERIN_ACK_STORED, 0),
                     SERIN_ERR_STALE); /* above the last */
    ck_assert_int_eq(ack(incarnation + 2, 6, SERIN_ACK_STORED, 0), SERIN_ERR_STALE);
    ck_assert_uint_eq(bench.agent.record.acked, 0);
    static const uint8_t nonsense[] = {1, 2, 3};
    struct serin_agent_event event = {.kind = SERIN_AGENT_MESSAGE,
                                      .topic = SERIN_TOPIC_DEV_ACK,
                                      .payload = nonsense,
                                      .payload_size = sizeof(nonsense)};
    ck_assert_int_ne(serin_agent_step(&bench.agent, ++bench.now_ms, &event), SERIN_OK);
    tear_down();
}
END_TEST

START_TEST(an_ack_below_asks_for_the_latest)
{
    set_up();
    bench.ack = false;
    have_an_account();
    bench_run_for(&bench, 3600 * 1000); /* the next resend is far */
    unsigned reports = bench.reports;
    ck_assert_int_eq(ack(bench.agent.record.incarnation, _i == 0 ? 5 : 6,
                         _i == 0 ? SERIN_ACK_STORED : SERIN_ACK_RESEND, 0),
                     SERIN_OK);
    bench_run_for(&bench, 1500);
    ck_assert_uint_eq(bench.reports, reports + 1);
    ck_assert_uint_eq(bench.report.number, 6);
    tear_down();
}
END_TEST

START_TEST(a_resend_after_the_ack_is_heard)
{
    set_up();
    have_an_account();
    bench_run_for(&bench, 10000);
    ck_assert_uint_eq(bench.agent.record.acked, 6);
    bench.ack = false;
    unsigned reports = bench.reports;
    /* serind was restored from a backup and has lost the account. */
    ck_assert_int_eq(ack(bench.agent.record.incarnation, 6, SERIN_ACK_RESEND, 0), SERIN_OK);
    bench_run_for(&bench, 1500);
    ck_assert_uint_eq(bench.reports, reports + 1);
    tear_down();
}
END_TEST

START_TEST(refused_and_pending_wait_as_long_as_they_are_told)
{
    set_up();
    bench.ack = false;
    have_an_account();
    unsigned reports = bench.reports;
    ck_assert_int_eq(ack(bench.agent.record.incarnation, 6,
                         _i == 0 ? SERIN_ACK_REFUSED : SERIN_ACK_PENDING, 1000),
                     SERIN_OK);
    bench_run_for(&bench, 999000);
    ck_assert_uint_eq(bench.reports, reports);
    bench_run_for(&bench, 60000);
    ck_assert_uint_ge(bench.reports, reports + 1);
    tear_down();
}
END_TEST

START_TEST(a_connection_brings_report_and_beat)
{
    set_up();
    bench.ack = false;
    have_an_account();
    unsigned reports = bench.reports, beats = bench.beats;
    bench_online(&bench, false);
    bench_run_for(&bench, 2 * 3600 * 1000);
    ck_assert_uint_eq(bench.reports, reports);
    ck_assert_uint_eq(bench.beats, beats);
    bench_online(&bench, true);
    ck_assert_uint_eq(bench.reports, reports + 1);
    ck_assert_uint_eq(bench.beats, beats + 1);
    tear_down();
}
END_TEST

START_TEST(numbers_grow_by_one_and_survive_power)
{
    set_up();
    have_an_account();
    bench_run_for(&bench, 10000);
    uint64_t incarnation = bench.agent.record.incarnation;
    ck_assert_uint_ne(incarnation, 0);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench.agent.record.incarnation, incarnation);
    ck_assert_uint_eq(bench.agent.record.number, 6);
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_UNHEALTHY, SERIN_REASON_HEALTH), SERIN_OK);
    ck_assert_uint_eq(bench.agent.record.number, 7);
    /* A device whose store is lost is another life. */
    const struct serin_flash *flash = bench.boot.flash;
    ck_assert_int_eq(
        flash->ops->erase(flash->ctx, bench.layout.agent_log.address, bench.layout.agent_log.size),
        SERIN_OK);
    bench_power_cycle(&bench);
    ck_assert_uint_ne(bench.agent.record.incarnation, incarnation);
    ck_assert_uint_eq(bench.agent.record.number, 0);
    tear_down();
}
END_TEST

static uint64_t counter(uint32_t id)
{
    for (size_t i = 0; i < bench.beat.counter_count; i++) {
        if (bench.beat.counters[i].id == id) {
            return bench.beat.counters[i].value;
        }
    }
    return UINT64_MAX;
}

static size_t own_counters(void *ctx, struct serin_counter *out, size_t max)
{
    (void)ctx;
    ck_assert_uint_ge(max, 2);
    out[0] = (struct serin_counter){.id = SERIN_COUNTER_APPLICATION, .value = 17};
    out[1] = (struct serin_counter){.id = SERIN_COUNTER_CRASHES, .value = 99};
    return 2;
}

START_TEST(beats_carry_counters_once_each)
{
    set_up();
    struct serin_platform_ops platform = *bench.config.platform;
    platform.counters = own_counters;
    bench.config.platform = &platform;
    bench_power_cycle(&bench);
    ck_assert_int_eq(bench_event(&bench, SERIN_AGENT_UNHEALTHY, SERIN_REASON_WATCHDOG), SERIN_OK);
    bench_run_for(&bench, 6000);
    ck_assert_uint_eq(counter(SERIN_COUNTER_RECONNECTS), 0);
    for (int i = 0; i < 2; i++) {
        bench_online(&bench, false);
        bench_run_for(&bench, 1000);
        bench_online(&bench, true);
    }
    bench_run_for(&bench, 6000);
    ck_assert_uint_eq(counter(SERIN_COUNTER_BOOTS), 2);
    ck_assert_uint_eq(counter(SERIN_COUNTER_WATCHDOGS), 1);
    ck_assert_uint_eq(counter(SERIN_COUNTER_RECONNECTS), 2);
    ck_assert_uint_eq(counter(SERIN_COUNTER_APPLICATION), 17);
    ck_assert_uint_eq(counter(SERIN_COUNTER_CRASHES), 99);
    tear_down();
}
END_TEST

START_TEST(subscriptions_are_the_devices_own)
{
    static const struct {
        const char *topic;
        int qos;
    } expected[] = {{"serin/1/trust/pump", 1},
                    {"serin/1/dev/pump-01/ack", 1},
                    {"serin/1/dev/pump-01/block", 0},
                    {"serin/1/hold/pump", 1},
                    {"serin/1/dev/pump-01/directive", 1},
                    {"serin/1/directive/pump/stable", 1}};
    set_up();
    char text[SERIN_TOPIC_MAX];
    int qos;
    for (size_t i = 0; i < 6; i++) {
        ck_assert(serin_agent_subscription(&bench.agent, i, text, &qos));
        ck_assert_str_eq(text, expected[i].topic);
        ck_assert_int_eq(qos, expected[i].qos);
    }
    ck_assert(!serin_agent_subscription(&bench.agent, 6, text, &qos));
    tear_down();
}
END_TEST

START_TEST(a_wrong_configuration_is_refused)
{
    set_up();
    struct serin_agent_boot_info info = {.slot = SERIN_SLOT_A};
    struct serin_agent agent;
    for (int n = 0; n < 8; n++) {
        struct serin_agent_config config = bench.config;
        switch (n) {
        case 0:
            config.block_size = 255;
            break;
        case 1:
            config.block_size = 65537;
            break;
        case 2:
            config.block_size = 1028; /* not whole write units */
            break;
        case 3:
            config.window_blocks = 0;
            break;
        case 4:
            config.beat_interval_s = 0;
            break;
        case 5:
            config.report_retry_min_ms = config.report_retry_max_ms + 1;
            break;
        case 6:
            config.scratch_size = 4095;
            break;
        default:
            config.block_timeout_ms = 0;
            break;
        }
        ck_assert_int_eq(serin_agent_init(&agent, &config, &info, 0), SERIN_ERR_CONFIG);
    }
    ck_assert_uint_eq(serin_agent_size(), sizeof(agent));
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent_report");
    TCase *tests = tcase_create("agent_report");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, no_report_without_an_attempt);
    tcase_add_test(tests, resends_with_jitter_that_grows_to_the_hour);
    tcase_add_test(tests, an_ack_of_the_number_ends_it);
    tcase_add_test(tests, foreign_acks_are_ignored);
    tcase_add_loop_test(tests, an_ack_below_asks_for_the_latest, 0, 2);
    tcase_add_test(tests, a_resend_after_the_ack_is_heard);
    tcase_add_loop_test(tests, refused_and_pending_wait_as_long_as_they_are_told, 0, 2);
    tcase_add_test(tests, a_connection_brings_report_and_beat);
    tcase_add_test(tests, numbers_grow_by_one_and_survive_power);
    tcase_add_test(tests, beats_carry_counters_once_each);
    tcase_add_test(tests, subscriptions_are_the_devices_own);
    tcase_add_test(tests, a_wrong_configuration_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
