/*
 * What a device refuses to believe: directives of other keys, addressees and orders, flipped bits,
 * replays; trust records that root did not sign, that are not newer, or that would leave the device
 * with nothing to boot.
 */
#include "check_main.h"
#include "device_bench.h"

#include <serin/adapters/protobufc.h>

#include <stdio.h>
#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2, *v3;

static void set_up(void)
{
    bench_begin(&bench, &v1, &v2);
    v3 = bench_release(3, 5000, BENCH_GOOD);
    bench_serve(&bench, v3);
    bench_boot(&bench, SERIN_RESET_POWER);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, v3);
}

static void publish(enum serin_candidate_state state)
{
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    directive.candidate_state = state;
    bench_publish(&bench, &directive);
}

/* ---- refused ---- */

static void product_of_another(struct serin_directive *d)
{
    snprintf(d->product, sizeof(d->product), "valve");
}
static void channel_of_another(struct serin_directive *d)
{
    snprintf(d->channel, sizeof(d->channel), "beta");
}
static void device_of_another(struct serin_directive *d)
{
    snprintf(d->device_id, sizeof(d->device_id), "pump-02");
}
static void older_order(struct serin_directive *d)
{
    d->order.epoch = 0;
}
static void nothing_wrong(struct serin_directive *d)
{
    (void)d;
}

static const struct refusal {
    void (*spoil)(struct serin_directive *directive);
    enum test_key_name key;
    enum serin_error error;
    enum serin_reason reason;
} refusals[] = {
    {product_of_another, TEST_DIRECTOR, SERIN_ERR_PRODUCT, SERIN_REASON_PRODUCT},
    {channel_of_another, TEST_DIRECTOR, SERIN_ERR_CHANNEL, SERIN_REASON_CHANNEL},
    {device_of_another, TEST_DIRECTOR, SERIN_ERR_DEVICE, SERIN_REASON_WITHDRAWN},
    {older_order, TEST_DIRECTOR, SERIN_ERR_STALE, SERIN_REASON_NEWER_DIRECTIVE},
    {nothing_wrong, TEST_RELEASE, SERIN_ERR_KEY, SERIN_REASON_KEY},
    {nothing_wrong, TEST_STRANGER, SERIN_ERR_KEY, SERIN_REASON_KEY},
};

static enum serin_error deliver(enum serin_topic_kind topic, const uint8_t *payload, size_t size)
{
    struct serin_agent_event event = {
        .kind = SERIN_AGENT_MESSAGE, .topic = topic, .payload = payload, .payload_size = size};
    return serin_agent_step(&bench.agent, ++bench.now_ms, &event);
}

START_TEST(a_directive_is_refused_with_its_reason)
{
    const struct refusal *refusal = &refusals[_i];
    set_up();
    publish(SERIN_CANDIDATE_PAUSED);
    bench_run_for(&bench, 1000);
    struct serin_order known = bench.agent.record.order[SERIN_AGENT_CHANNEL];
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    refusal->spoil(&directive);
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    size_t size = bench_seal(&directive, refusal->key, payload);
    ck_assert_int_eq(deliver(SERIN_TOPIC_DIRECTIVE, payload, size), refusal->error);
    bench_run_for(&bench, 10000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_IDLE);
    ck_assert_uint_eq(bench.gets, 0);
    ck_assert_int_eq(bench.beat.refused, refusal->reason);
    ck_assert_uint_eq(bench.agent.record.order[SERIN_AGENT_CHANNEL].sequence, known.sequence);
    publish(SERIN_CANDIDATE_ROLLING);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    ck_assert_int_eq(bench.agent.refused, SERIN_REASON_NONE);
    tear_down();
}
END_TEST

START_TEST(every_flipped_bit_of_a_directive_is_refused)
{
    set_up();
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    size_t size = bench_seal(&directive, TEST_DIRECTOR, payload);
    for (size_t i = 0; i < size; i++) {
        payload[i] ^= (uint8_t)(1u << (i % 8));
        ck_assert_int_ne(deliver(SERIN_TOPIC_DIRECTIVE, payload, size), SERIN_OK);
        payload[i] ^= (uint8_t)(1u << (i % 8));
        ck_assert_int_ne(deliver(SERIN_TOPIC_DIRECTIVE, payload, i == 0 ? 1 : i), SERIN_OK);
    }
    ck_assert_int_eq(deliver(SERIN_TOPIC_DIRECTIVE, payload, 0), SERIN_OK); /* empty: ignored */
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_IDLE);
    ck_assert_int_eq(deliver(SERIN_TOPIC_DIRECTIVE, payload, size), SERIN_OK);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_PENDING);
    /* The same again is harmless; an empty one takes nothing back. */
    ck_assert_int_eq(deliver(SERIN_TOPIC_DIRECTIVE, payload, size), SERIN_OK);
    ck_assert_int_eq(deliver(SERIN_TOPIC_DIRECTIVE, payload, 0), SERIN_OK);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_PENDING);
    tear_down();
}
END_TEST

START_TEST(a_channels_directive_on_the_devices_topic_is_refused)
{
    set_up();
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    size_t size = bench_seal(&directive, TEST_DIRECTOR, payload);
    ck_assert_int_eq(deliver(SERIN_TOPIC_DEV_DIRECTIVE, payload, size), SERIN_ERR_DEVICE);
    ck_assert_int_eq(deliver(SERIN_TOPIC_PRESENCE, payload, size), SERIN_ERR_INVALID);
    tear_down();
}
END_TEST

START_TEST(an_older_directive_is_refused_after_losing_power)
{
    set_up();
    struct serin_directive old = bench_directive(&bench, v1, v2);
    publish(SERIN_CANDIDATE_HALTED);
    bench_run_for(&bench, 1000);
    bench.retained_size[2] = 0;
    bench_power_cycle(&bench);
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    size_t size = bench_seal(&old, TEST_DIRECTOR, payload);
    ck_assert_int_eq(deliver(SERIN_TOPIC_DIRECTIVE, payload, size), SERIN_ERR_STALE);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_IDLE);
    tear_down();
}
END_TEST

/* An order that is known, said in another way: the halt taken back, the lease begun anew. 2 and 3:
 * after losing power, too. */
START_TEST(a_known_order_says_nothing_else)
{
    set_up();
    struct serin_directive first = bench_directive(&bench, v1, v2);
    first.candidate_state = _i % 2 == 0 ? SERIN_CANDIDATE_HALTED : SERIN_CANDIDATE_PAUSED;
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    size_t size = bench_seal(&first, TEST_DIRECTOR, payload);
    ck_assert_int_eq(deliver(SERIN_TOPIC_DIRECTIVE, payload, size), SERIN_OK);
    if (_i >= 2) {
        bench_power_cycle(&bench);
    }
    struct serin_directive other = first;
    other.candidate_state = SERIN_CANDIDATE_ROLLING;
    size = bench_seal(&other, TEST_DIRECTOR, payload);
    ck_assert_int_eq(deliver(SERIN_TOPIC_DIRECTIVE, payload, size), SERIN_ERR_STALE);
    other = first;
    other.lease_s++;
    size = bench_seal(&other, TEST_DIRECTOR, payload);
    ck_assert_int_eq(deliver(SERIN_TOPIC_DIRECTIVE, payload, size), SERIN_ERR_STALE);
    bench_run_for(&bench, 30000);
    ck_assert_uint_eq(bench.gets, 0);
    size = bench_seal(&first, TEST_DIRECTOR, payload); /* the same words, signed once more */
    ck_assert_int_eq(deliver(SERIN_TOPIC_DIRECTIVE, payload, size), SERIN_OK);
    publish(SERIN_CANDIDATE_ROLLING);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

/* ---- a copy that is damaged ---- */

/* Type, size, key id, reserved byte and signature, behind the body. */
static const size_t area_offsets[] = {0, 2, 4, 12, 16, 79};

START_TEST(a_manifest_that_a_cache_spoiled_is_fetched_again)
{
    set_up();
    uint8_t *spoiled = &v2->manifest_bytes[SERIN_MANIFEST_BODY_SIZE + area_offsets[_i]];
    *spoiled ^= 1;
    publish(SERIN_CANDIDATE_ROLLING);
    for (unsigned steps = 0; steps < 1000 && bench.gets < 3; steps++) {
        ck_assert(bench_step(&bench, UINT64_MAX));
    }
    ck_assert_uint_eq(bench.gets, 3);
    ck_assert_uint_ge(bench.now_ms, 6000); /* and not as fast as the link can */
    *spoiled ^= 1;
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

START_TEST(a_manifest_that_stays_spoiled_is_rejected)
{
    set_up();
    v2->manifest_bytes[SERIN_MANIFEST_BODY_SIZE + area_offsets[_i]] ^= 1;
    publish(SERIN_CANDIDATE_ROLLING);
    ck_assert(bench_run_to(&bench, SERIN_STATE_REJECTED, 1000));
    ck_assert_uint_eq(bench.gets, 5);
    bench_run_for(&bench, 600000);
    ck_assert_uint_eq(bench.gets, 5);
    ck_assert_uint_eq(bench_running(&bench), 1);
    tear_down();
}
END_TEST

/* 0: it comes right in the end; 1: it never does. */
START_TEST(a_size_that_no_manifest_has_is_asked_again)
{
    set_up();
    bench.faults.huge_manifests = _i == 0 ? 4 : UINT32_MAX;
    publish(SERIN_CANDIDATE_ROLLING);
    ck_assert(bench_run_to(&bench, _i == 0 ? SERIN_STATE_CONFIRMED : SERIN_STATE_FAILED, 1000));
    if (_i == 1) {
        ck_assert_int_eq(bench_reason(&bench), SERIN_REASON_FORMAT);
        ck_assert_uint_eq(bench.gets, 5);
    }
    tear_down();
}
END_TEST

/* ---- trust ---- */

static enum serin_error send_trust(uint32_t version, bool keep_release, enum test_key_name signer)
{
    struct serin_trust trust;
    test_trust(&trust, "pump");
    trust.version = version;
    if (!keep_release) {
        memcpy(trust.keys[0].public_key, test_keys[TEST_STRANGER].public_key,
               sizeof(trust.keys[0].public_key));
        serin_key_id(bench_crypto(), trust.keys[0].public_key, trust.keys[0].key_id);
    }
    uint8_t record[SERIN_TRUST_SIZE_P256];
    ck_assert_int_eq(serin_trust_seal(bench_crypto(), &test_keys[signer].signer, &trust, record),
                     SERIN_OK);
    struct serin_trust_payload value = {.record = record, .record_size = sizeof(record)};
    uint8_t payload[SERIN_TRUST_PAYLOAD_MAX];
    size_t size;
    ck_assert_int_eq(
        serin_protobufc()->encode_trust_payload(&value, payload, sizeof(payload), &size), SERIN_OK);
    return deliver(SERIN_TOPIC_TRUST, payload, size);
}

START_TEST(trust_is_replaced_by_version_and_root_alone)
{
    set_up();
    ck_assert_uint_eq(bench.agent.trust.version, 1);
    ck_assert_int_eq(send_trust(3, true, TEST_STRANGER), SERIN_ERR_KEY);
    ck_assert_int_eq(send_trust(3, true, TEST_ROOT), SERIN_OK);
    ck_assert_uint_eq(bench.agent.trust.version, 3);
    uint64_t operations = serin_flash_emulator_operations(bench.emulator);
    ck_assert_int_eq(send_trust(3, true, TEST_ROOT), SERIN_OK); /* retained, once more */
    ck_assert_int_eq(send_trust(2, true, TEST_ROOT), SERIN_OK);
    ck_assert_uint_eq(serin_flash_emulator_operations(bench.emulator), operations);
    ck_assert_uint_eq(bench.agent.trust.version, 3);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench.agent.trust.version, 3);
    tear_down();
}
END_TEST

START_TEST(trust_that_would_unboot_the_device_is_refused)
{
    set_up();
    ck_assert_int_eq(send_trust(2, false, TEST_ROOT), SERIN_ERR_KEY);
    ck_assert_uint_eq(bench.agent.trust.version, 1);
    bench_power_cycle(&bench); /* asserts that something boots */
    tear_down();
}
END_TEST

START_TEST(trust_update_survives_every_cut)
{
    for (unsigned at = 1; at <= 2; at++) {
        for (int how = SERIN_CUT_BEFORE; how <= SERIN_CUT_AFTER; how++) {
            set_up();
            serin_flash_emulator_cut(bench.emulator, at, (enum serin_cut)how);
            ck_assert_int_ne(send_trust(2, true, TEST_ROOT), SERIN_OK);
            ck_assert(serin_flash_emulator_is_off(bench.emulator));
            bench_power_cycle(&bench);
            ck_assert(bench.agent.have_trust);
            ck_assert_int_eq(send_trust(2, true, TEST_ROOT), SERIN_OK);
            ck_assert_uint_eq(bench.agent.trust.version, 2);
            tear_down();
        }
    }
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent_refuse");
    TCase *tests = tcase_create("agent_refuse");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, a_directive_is_refused_with_its_reason, 0,
                        sizeof(refusals) / sizeof(refusals[0]));
    tcase_add_test(tests, every_flipped_bit_of_a_directive_is_refused);
    tcase_add_test(tests, a_channels_directive_on_the_devices_topic_is_refused);
    tcase_add_test(tests, an_older_directive_is_refused_after_losing_power);
    tcase_add_loop_test(tests, a_known_order_says_nothing_else, 0, 4);
    tcase_add_loop_test(tests, a_manifest_that_a_cache_spoiled_is_fetched_again, 0,
                        sizeof(area_offsets) / sizeof(area_offsets[0]));
    tcase_add_loop_test(tests, a_manifest_that_stays_spoiled_is_rejected, 0,
                        sizeof(area_offsets) / sizeof(area_offsets[0]));
    tcase_add_loop_test(tests, a_size_that_no_manifest_has_is_asked_again, 0, 2);
    tcase_add_test(tests, trust_is_replaced_by_version_and_root_alone);
    tcase_add_test(tests, trust_that_would_unboot_the_device_is_refused);
    tcase_add_test(tests, trust_update_survives_every_cut);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
