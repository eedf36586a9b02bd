/*
 * Orders and time belong to the director that signed them: a key that was in the wrong hands for a
 * minute says the highest of both, and is retired by root. The device then follows its successor.
 */
#include "agent_internal.h"
#include "check_main.h"
#include "device_bench.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>

#include <stdio.h>
#include <string.h>

#define OLD TEST_DIRECTOR
#define NEW TEST_STRANGER

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

/* A trust record of root with these directors. */
static void publish_trust(uint32_t version, bool old, bool new)
{
    struct serin_trust trust;
    uint8_t record[SERIN_TRUST_SIZE_P256];
    size_t kept = 0;
    test_trust(&trust, "pump");
    trust.version = version;
    for (size_t i = 0; i < trust.key_count; i++) {
        if (old || trust.keys[i].role != SERIN_KEY_ROLE_DIRECTOR) {
            trust.keys[kept++] = trust.keys[i];
        }
    }
    trust.key_count = kept;
    if (new) {
        test_trust_add(&trust, SERIN_KEY_ROLE_DIRECTOR, NEW);
    }
    ck_assert_int_eq(
        serin_trust_seal(serin_wolfcrypt(), &test_keys[TEST_ROOT].signer, &trust, record),
        SERIN_OK);
    struct serin_trust_payload value = {.record = record, .record_size = sizeof(record)};
    ck_assert_int_eq(serin_protobufc()->encode_trust_payload(&value, bench.retained[0],
                                                             sizeof(bench.retained[0]),
                                                             &bench.retained_size[0]),
                     SERIN_OK);
    bench_send(&bench, SERIN_TOPIC_TRUST, bench.retained[0], bench.retained_size[0]);
    bench_run_for(&bench, 1000);
    ck_assert_uint_eq(bench.agent.trust.version, version);
}

static enum serin_error deliver(struct serin_directive *directive, enum test_key_name key,
                                bool targeted)
{
    uint8_t payload[1024];
    struct serin_agent_event event = {.kind = SERIN_AGENT_MESSAGE,
                                      .topic = targeted ? SERIN_TOPIC_DEV_DIRECTIVE
                                                        : SERIN_TOPIC_DIRECTIVE,
                                      .payload = payload};
    if (targeted) {
        snprintf(directive->device_id, sizeof(directive->device_id), "pump-01");
    }
    event.payload_size = bench_seal(directive, key, payload);
    return serin_agent_step(&bench.agent, ++bench.now_ms, &event);
}

/* What whoever has the director's key says: nothing can follow it. */
static void lock_out(bool targeted)
{
    struct serin_directive directive = bench_directive(&bench, v1, NULL);
    directive.order = (struct serin_order){UINT32_MAX, UINT32_MAX};
    directive.issued_s = SERIN_TIME_MAX_S;
    ck_assert_int_eq(deliver(&directive, OLD, targeted), SERIN_OK);
    bench_run_for(&bench, 5000);
}

static struct serin_directive offer(uint32_t sequence)
{
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    directive.order = (struct serin_order){1, sequence};
    return directive;
}

/* Caught: an order that outlives its director; signed time that does; a device that its own
 * directive keeps from its channel. With a clock and without one. */
START_TEST(a_retired_director_locks_nobody_out)
{
    set_up();
    bench.clock_s = _i < 2 ? 1767225600 : 0;
    lock_out(_i % 2 == 1);
    publish_trust(2, false, true);
    struct serin_directive directive = offer(1);
    ck_assert_int_eq(deliver(&directive, OLD, false), SERIN_ERR_KEY);
    ck_assert_int_eq(deliver(&directive, NEW, false), SERIN_OK);
    ck_assert_uint_eq(bench.agent.record.signed_time_s, directive.issued_s);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000)); /* which its lease allows */
    directive = offer(1);
    ck_assert_int_eq(deliver(&directive, NEW, false), SERIN_OK);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    tear_down();
}
END_TEST

static const char *const cuts[] = {"agent.trust.stored", "agent.trust.proved"};

START_TEST(what_it_said_is_forgotten_whenever_the_power_goes)
{
    set_up();
    lock_out(true);
    lock_out(false);
    bench.kill_point = cuts[_i];
    bench.kill_nth = 1;
    publish_trust(2, false, true);
    ck_assert_uint_eq(bench.cuts, 1);
    struct serin_directive directive = offer(1);
    ck_assert_int_eq(deliver(&directive, NEW, false), SERIN_OK);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 1000));
    tear_down();
}
END_TEST

/* The boot after reads what the one before wrote down, whatever comes first. */
START_TEST(what_was_forgotten_stays_so)
{
    struct serin_agent_record record;
    set_up();
    lock_out(false);
    publish_trust(2, false, true);
    ck_assert_int_eq(serin_record_load(&bench.boot, &record), SERIN_OK);
    ck_assert_uint_eq(record.order[SERIN_AGENT_CHANNEL].epoch, 0);
    ck_assert_uint_eq(record.signed_time_s, 0);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench.agent.record.order[SERIN_AGENT_CHANNEL].epoch, 0);
    tear_down();
}
END_TEST

/* A director that stays keeps its order, whatever becomes of the other. */
START_TEST(a_director_that_stays_keeps_its_order)
{
    set_up();
    struct serin_directive directive = offer(7);
    directive.candidate_state = SERIN_CANDIDATE_HALTED;
    publish_trust(2, true, true);
    ck_assert_int_eq(deliver(&directive, _i == 0 ? OLD : NEW, false), SERIN_OK);
    publish_trust(3, _i == 0, _i == 1);
    ck_assert_uint_eq(bench.agent.record.order[SERIN_AGENT_CHANNEL].sequence, 7);
    ck_assert(bench.agent.record.halted[SERIN_AGENT_CHANNEL]);
    bench_power_cycle(&bench);
    struct serin_directive older = offer(6);
    ck_assert_int_eq(deliver(&older, _i == 0 ? OLD : NEW, false), SERIN_ERR_STALE);
    tear_down();
}
END_TEST

/* The flash in between: a region of which nothing is read. */
static const struct serin_flash *below;
static struct serin_region dark;

static enum serin_error dark_read(void *ctx, uint32_t address, void *out, size_t size)
{
    return address >= dark.address && address - dark.address < dark.size
               ? SERIN_ERR_FLASH
               : below->ops->read(ctx, address, out, size);
}

static void hide_second_bank(struct bench *b)
{
    dark.size = b->layout.trust.size / 2;
    dark.address = b->layout.trust.address + dark.size;
    b->between = NULL;
}

/* A bank that could not be written keeps the record of before, in which the director of now is
 * none: one look at it alone retires nobody. */
START_TEST(a_bank_that_was_left_behind_retires_nobody)
{
    static struct serin_flash_ops ops;
    static struct serin_flash above;
    bench_begin(&bench, &v1, &v2);
    below = bench.boot.flash;
    ops = *below->ops;
    ops.read = dark_read;
    above = *below;
    above.ops = &ops;
    bench.boot.flash = &above;
    dark.size = 0;
    bench_boot(&bench, SERIN_RESET_POWER);
    serin_flash_emulator_break(bench.emulator, bench.layout.trust.address,
                               bench.layout.trust.size / 2, SERIN_BREAKAGE_FAILS);
    publish_trust(2, false, true);
    bench_run_for(&bench, 2000);
    struct serin_directive directive = offer(7);
    directive.candidate_state = SERIN_CANDIDATE_HALTED;
    ck_assert_int_eq(deliver(&directive, NEW, false), SERIN_OK);
    bench_online(&bench, false);
    bench.between = hide_second_bank;
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench.agent.trust.version, 1);
    bench_run_for(&bench, 100);
    dark.size = 0;
    directive = offer(3);
    ck_assert_int_ne(deliver(&directive, OLD, false), SERIN_OK);
    bench_power_cycle(&bench);
    ck_assert_uint_eq(bench.agent.record.order[SERIN_AGENT_CHANNEL].sequence, 7);
    ck_assert(bench.agent.record.halted[SERIN_AGENT_CHANNEL]);
    ck_assert_uint_eq(bench.agent.trust.version, 2); /* nor is the newer record written over */
    tear_down();
}
END_TEST

/* Time goes with its director, though the order is another's, and revives no lease. */
START_TEST(time_that_is_forgotten_revives_no_lease)
{
    set_up();
    bench.clock_s = 0;
    publish_trust(2, true, true);
    struct serin_directive first = offer(1);
    ck_assert_int_eq(deliver(&first, OLD, false), SERIN_OK);
    ck_assert(bench_run_to(&bench, SERIN_STATE_DOWNLOADING, 1000));
    struct serin_directive ahead = offer(2);
    ahead.candidate_state = SERIN_CANDIDATE_PAUSED;
    ahead.issued_s = SERIN_TIME_MAX_S - 1;
    ck_assert_int_eq(deliver(&ahead, OLD, false), SERIN_OK);
    ck_assert(bench_run_to(&bench, SERIN_STATE_STAGED, 1000));
    struct serin_directive directive = offer(3); /* whose lease is over by that time */
    ck_assert_int_eq(deliver(&directive, NEW, false), SERIN_OK);
    bench_run_for(&bench, 5000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    publish_trust(3, false, true);
    ck_assert_uint_eq(bench.agent.record.signed_time_s, 0);
    ck_assert_uint_eq(bench.agent.record.order[SERIN_AGENT_CHANNEL].sequence, 3);
    bench_run_for(&bench, 5000);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_STAGED);
    struct serin_directive renewal = offer(4);
    ck_assert_int_eq(deliver(&renewal, NEW, false), SERIN_OK);
    ck_assert(bench_run_to(&bench, SERIN_STATE_TRIAL, 100));
    tear_down();
}
END_TEST

/* An order of an older agent has no director yet: the retained directive tells. */
START_TEST(an_order_of_an_older_agent_learns_its_director)
{
    set_up();
    struct serin_directive directive = offer(5);
    ck_assert_int_eq(deliver(&directive, OLD, false), SERIN_OK);
    memset(bench.agent.record.director, 0, sizeof(bench.agent.record.director));
    memset(bench.agent.record.time_director, 0, sizeof(bench.agent.record.time_director));
    if (_i == 0) {
        ck_assert_int_eq(deliver(&directive, OLD, false), SERIN_OK);
    }
    publish_trust(2, false, true);
    ck_assert_uint_eq(bench.agent.record.order[SERIN_AGENT_CHANNEL].sequence, _i == 0 ? 0 : 5);
    ck_assert_uint_eq(bench.agent.record.signed_time_s, _i == 0 ? 0 : directive.issued_s);
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent directors");
    TCase *tests = tcase_create("directors");
    tcase_add_loop_test(tests, a_retired_director_locks_nobody_out, 0, 4);
    tcase_add_loop_test(tests, what_it_said_is_forgotten_whenever_the_power_goes, 0, 2);
    tcase_add_test(tests, what_was_forgotten_stays_so);
    tcase_add_loop_test(tests, a_director_that_stays_keeps_its_order, 0, 2);
    tcase_add_test(tests, a_bank_that_was_left_behind_retires_nobody);
    tcase_add_test(tests, time_that_is_forgotten_revives_no_lease);
    tcase_add_loop_test(tests, an_order_of_an_older_agent_learns_its_director, 0, 2);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
