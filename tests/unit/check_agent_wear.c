/*
 * What anybody may say who has the broker, or a cache on the way: acks, holds, blocks, and signed
 * messages said again. None of it wears out the flash, however often it comes.
 */
#include "check_main.h"
#include "device_bench.h"

#include <serin/adapters/protobufc.h>
#include <serin/crc32.h>

#include <string.h>

#define FLOOD  20000u
#define PIECES 16u

static struct bench bench;
static struct bench_release *v1, *v2;
static uint64_t erases_before;

static void set_up(void)
{
    bench_begin(&bench, &v1, &v2);
    bench_boot(&bench, SERIN_RESET_POWER);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, NULL);
}

/* Erases of all sectors of a region. */
static uint64_t erases_of(struct serin_region region)
{
    uint64_t sum = 0;
    for (uint32_t at = region.address; at < region.address + region.size;
         at += bench_small.sector) {
        sum += serin_flash_emulator_wear(bench.emulator, at);
    }
    return sum;
}

static uint64_t erases(void)
{
    return erases_of((struct serin_region){.address = 0, .size = bench_small.size});
}

static void settle(void)
{
    bench_run_for(&bench, 60000);
    erases_before = erases();
}

static enum serin_error deliver(enum serin_topic_kind topic, const uint8_t *payload, size_t size)
{
    struct serin_agent_event event = {
        .kind = SERIN_AGENT_MESSAGE, .topic = topic, .payload = payload, .payload_size = size};
    return serin_agent_step(&bench.agent, ++bench.now_ms, &event);
}

static enum serin_error ack(uint64_t number, enum serin_ack_status status)
{
    struct serin_ack value = {
        .incarnation = bench.agent.record.incarnation, .number = number, .status = status};
    uint8_t payload[SERIN_ACK_MAX];
    size_t size;
    ck_assert_int_eq(serin_protobufc()->encode_ack(&value, payload, sizeof(payload), &size),
                     SERIN_OK);
    return deliver(SERIN_TOPIC_DEV_ACK, payload, size);
}

static void confirm_v2(void)
{
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    settle();
}

static const enum serin_ack_status other_statuses[] = {SERIN_ACK_RESEND, SERIN_ACK_PENDING,
                                                       SERIN_ACK_REFUSED};

/* An ack that asks for a resend takes back what was acknowledged; the next one is no news. */
START_TEST(acks_wear_nothing)
{
    set_up();
    confirm_v2();
    uint64_t number = bench.agent.record.number;
    for (unsigned n = 0; n < FLOOD; n++) {
        (void)ack(_i == 3 ? n % (number + 1) : number, other_statuses[_i % 3]);
        ck_assert_int_eq(ack(number, SERIN_ACK_STORED), SERIN_OK);
    }
    ck_assert_uint_eq(erases(), erases_before);
    ck_assert_uint_eq(bench.agent.record.acked, number);
    /* Nor did it cost the one that counts: after a reset nothing is owed. */
    bench_power_cycle(&bench);
    unsigned reports = bench.reports;
    bench_run_for(&bench, 2 * 3600 * 1000);
    ck_assert_uint_eq(bench.reports, reports);
    tear_down();
}
END_TEST

/* The account of the attempt before goes with an ack of its number; that of a new one is stored. */
START_TEST(an_ack_that_flash_does_not_have_is_stored_once)
{
    set_up();
    bench.ack = false;
    confirm_v2();
    uint64_t number = bench.agent.record.number;
    uint64_t operations = serin_flash_emulator_operations(bench.emulator);
    ck_assert_int_eq(ack(number, SERIN_ACK_STORED), SERIN_OK);
    ck_assert_uint_gt(serin_flash_emulator_operations(bench.emulator), operations);
    operations = serin_flash_emulator_operations(bench.emulator);
    ck_assert_int_eq(ack(number, SERIN_ACK_RESEND), SERIN_OK);
    ck_assert_int_eq(ack(number, SERIN_ACK_STORED), SERIN_OK);
    ck_assert_uint_eq(serin_flash_emulator_operations(bench.emulator), operations);
    tear_down();
}
END_TEST

START_TEST(holds_wear_nothing)
{
    set_up();
    confirm_v2();
    for (unsigned n = 0; n < FLOOD; n++) {
        struct serin_hold hold = {.held = n % 2 == 0,
                                  .lease_left_s = n,
                                  .time_s = 1767225600u + n,
                                  .reason = n % 2 == 0 ? SERIN_REASON_LEASE : SERIN_REASON_NONE};
        uint8_t payload[SERIN_HOLD_MAX];
        size_t size;
        ck_assert_int_eq(serin_protobufc()->encode_hold(&hold, payload, sizeof(payload), &size),
                         SERIN_OK);
        ck_assert_int_eq(deliver(SERIN_TOPIC_HOLD, payload, size), SERIN_OK);
    }
    ck_assert_uint_eq(erases(), erases_before);
    tear_down();
}
END_TEST

/* What is signed may be repeated by anybody: the newest directive, and any before it. */
START_TEST(directives_said_again_wear_nothing)
{
    static uint8_t payloads[4][1024];
    size_t sizes[4];
    set_up();
    for (unsigned n = 0; n < 4; n++) {
        struct serin_directive directive = bench_directive(&bench, v1, n % 2 == 0 ? v2 : NULL);
        sizes[n] = bench_seal(&directive, TEST_DIRECTOR, payloads[n]);
    }
    ck_assert_int_eq(deliver(SERIN_TOPIC_DIRECTIVE, payloads[3], sizes[3]), SERIN_OK);
    settle();
    uint64_t operations = serin_flash_emulator_operations(bench.emulator);
    for (unsigned n = 0; n < FLOOD / 10; n++) {
        (void)deliver(n % 3 == 0 ? SERIN_TOPIC_DEV_DIRECTIVE : SERIN_TOPIC_DIRECTIVE,
                      payloads[n % 4], sizes[n % 4]);
    }
    ck_assert_uint_eq(serin_flash_emulator_operations(bench.emulator), operations);
    tear_down();
}
END_TEST

START_TEST(a_trust_record_said_again_wears_nothing)
{
    set_up();
    bench_publish_trust(&bench, 2, false);
    settle();
    for (unsigned n = 0; n < FLOOD / 10; n++) {
        (void)deliver(SERIN_TOPIC_TRUST, bench.retained[0], bench.retained_size[0]);
    }
    ck_assert_uint_eq(erases(), erases_before);
    tear_down();
}
END_TEST

/* One that a bank does not take is tried less and less. */
START_TEST(a_trust_record_that_does_not_stay_wears_little)
{
    set_up();
    settle();
    uint32_t half = bench.layout.trust.size / 2;
    serin_flash_emulator_break(bench.emulator, bench.layout.trust.address + (_i == 0 ? 0 : half),
                               half, SERIN_BREAKAGE_STUCK);
    bench_publish_trust(&bench, 2, false);
    for (unsigned n = 0; n < FLOOD / 10; n++) {
        bench.now_ms += 43200; /* twice an hour: 1000 hours of it */
        (void)deliver(SERIN_TOPIC_TRUST, bench.retained[0], bench.retained_size[0]);
    }
    uint64_t worn = erases_of(bench.layout.trust);
    ck_assert_uint_gt(worn, 3);
    ck_assert_msg(worn < 100, "%llu erases", (unsigned long long)worn);
    ck_assert_uint_lt(erases_of(bench.layout.agent_log), 20);
    /* Mended, it takes the record in the end. */
    serin_flash_emulator_break(bench.emulator, 0, 0, SERIN_BREAKAGE_FAILS);
    bench.now_ms += 24ull * 3600 * 1000;
    (void)deliver(SERIN_TOPIC_TRUST, bench.retained[0], bench.retained_size[0]);
    ck_assert_uint_eq(bench.agent.trust.version, 2);
    ck_assert(!bench.agent.trust_single);
    tear_down();
}
END_TEST

/* A newer one does not wait for what became of the one before: root alone can sign it. */
START_TEST(a_newer_trust_record_waits_for_no_older_one)
{
    set_up();
    settle();
    uint32_t half = bench.layout.trust.size / 2;
    serin_flash_emulator_break(bench.emulator, bench.layout.trust.address + (_i == 0 ? 0 : half),
                               half * (_i == 2 ? 2u : 1u), SERIN_BREAKAGE_FAILS);
    bench_publish_trust(&bench, 2, false);
    for (unsigned n = 0; n < FLOOD / 10; n++) {
        bench.now_ms += 43200;
        (void)deliver(SERIN_TOPIC_TRUST, bench.retained[0], bench.retained_size[0]);
    }
    ck_assert_uint_gt(bench.agent.wait_ms[SERIN_WAIT_TRUST], 1000);
    serin_flash_emulator_break(bench.emulator, 0, 0, SERIN_BREAKAGE_FAILS);
    uint64_t worn = erases_of(bench.layout.trust);
    (void)deliver(SERIN_TOPIC_TRUST, bench.retained[0], bench.retained_size[0]);
    ck_assert_uint_eq(erases_of(bench.layout.trust), worn); /* the same one waits */
    bench_publish_trust(&bench, 3, false);
    (void)deliver(SERIN_TOPIC_TRUST, bench.retained[0], bench.retained_size[0]);
    ck_assert_uint_eq(bench.agent.trust.version, 3);
    ck_assert(!bench.agent.trust_single);
    tear_down();
}
END_TEST

static enum serin_error send_block(uint32_t token, uint32_t offset)
{
    static uint8_t data[1024];
    struct serin_block block = {.token = token,
                                .status = SERIN_BLOCK_DATA,
                                .offset = offset,
                                .object_size = 10240,
                                .window_end = offset + sizeof data,
                                .crc32 = serin_crc32(0, data, sizeof data),
                                .data = data,
                                .data_size = sizeof data};
    uint8_t payload[SERIN_BLOCK_MAX];
    size_t size;
    ck_assert_int_eq(serin_protobufc()->encode_block(&block, payload, sizeof(payload), &size),
                     SERIN_OK);
    return deliver(SERIN_TOPIC_DEV_BLOCK, payload, size);
}

START_TEST(blocks_that_nobody_asked_for_wear_nothing)
{
    set_up();
    confirm_v2();
    for (unsigned n = 0; n < FLOOD; n++) {
        uint32_t token = bench.agent.fetch.token + n % 3 + (n % 3 == 0 ? 3u : 0u);
        ck_assert_int_ne(send_block(token, n % 10 * 1024), SERIN_OK);
    }
    ck_assert_uint_eq(erases(), erases_before);
    tear_down();
}
END_TEST

/* A cache that serves four bad copies of each piece before a good one: never five in a row. One bad
 * copy of each is not yet a reason to give up. */
START_TEST(a_cache_that_serves_bad_pieces_is_left)
{
    const struct bench_geometry roomy = {
        .size = 256 * 1024, .sector = 1024, .unit = 8, .erased = 0xFF, .seed = 1};
    bench_open(&bench, &roomy);
    v1 = bench_release(1, 9000, BENCH_GOOD);
    struct bench_release *large = bench_release(3, PIECES * 4096u, BENCH_GOOD);
    bench_serve(&bench, v1);
    bench_serve(&bench, large);
    bench_provision(&bench, v1);
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v1, large);
    bench_publish(&bench, &directive);
    uint32_t refetched = UINT32_MAX, bad = _i == 0 ? 4 : 1;
    bool spoilt = false;
    for (unsigned n = 0; n < 20000 && bench_state(&bench) != SERIN_STATE_FAILED &&
                         bench_state(&bench) != SERIN_STATE_CONFIRMED;
         n++) {
        /* A request is for a whole piece, of four blocks. */
        bool spoil = bench.image_blocks / 4 % (bad + 1) < bad;
        for (size_t at = 0; at < large->manifest.image_size_bytes; at += 4096) {
            large->image[at] ^= spoil != spoilt ? 1 : 0;
        }
        spoilt = spoil;
        bench_step(&bench, UINT64_MAX);
        refetched =
            bench.agent.record.attempts[bench.agent.record.attempt_count - 1].pieces_refetched;
    }
    ck_assert_int_eq(bench_state(&bench), (_i == 0 ? SERIN_STATE_FAILED : SERIN_STATE_CONFIRMED));
    ck_assert_uint_ge(refetched, PIECES - 2);
    ck_assert_uint_le(refetched, PIECES + 16 + 1);
    bench_end(&bench, v1, large, NULL);
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent wear");
    TCase *tests = tcase_create("wear");
    tcase_add_loop_test(tests, acks_wear_nothing, 0, 4);
    tcase_add_test(tests, an_ack_that_flash_does_not_have_is_stored_once);
    tcase_add_test(tests, holds_wear_nothing);
    tcase_add_test(tests, directives_said_again_wear_nothing);
    tcase_add_test(tests, a_trust_record_said_again_wears_nothing);
    tcase_add_loop_test(tests, a_trust_record_that_does_not_stay_wears_little, 0, 2);
    tcase_add_loop_test(tests, a_newer_trust_record_waits_for_no_older_one, 0, 3);
    tcase_add_test(tests, blocks_that_nobody_asked_for_wear_nothing);
    tcase_add_loop_test(tests, a_cache_that_serves_bad_pieces_is_left, 0, 2);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
