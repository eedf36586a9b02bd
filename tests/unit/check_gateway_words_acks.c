/*
 * One word of serind for a whole batch, at the gateway (docs/spec/batch.md, sections 1 and 2): the
 * real shell files between links that only remember.
 *
 * Each test names the mutation that it was seen to catch.
 */
#include "check_main.h"
#include "words_bench.h"

#include <serin/adapters/protobufc.h>

#include <stdio.h>
#include <string.h>

static struct serin_node_record record;
static struct serin_batch batch;
static struct site_message down;

static const char *name_of(unsigned number)
{
    static char id[16];
    snprintf(id, sizeof id, "n-%03u", number);
    return id;
}

/* `count` nodes say a report of this number, which goes up as one batch. */
static void say_all(unsigned count, uint64_t number)
{
    for (unsigned i = 0; i < count; i++) {
        struct serin_report report = bench_report(name_of(i), number, SERIN_STATE_FAILED);
        bench_say(&report);
    }
    bench_pass(0);
}

static void links(void)
{
    bench_up(true);
    bench_site(true);
    bench_look();
}

/* What the node was told last, of so many words. */
static struct serin_ack told(const char *id, size_t count)
{
    struct serin_ack ack;
    ck_assert_uint_eq(bench_down(SERIN_TOPIC_DEV_ACK, id, &down), count);
    ck_assert_int_eq(serin_protobufc()->decode_ack(down.payload, down.size, &ack), SERIN_OK);
    return ack;
}

static void expect_queued(unsigned count)
{
    struct serin_gw_status status = {.fleet_count = 0};
    gateway_words_status(&bench.gateway, &status);
    ck_assert_uint_eq(status.queued, count);
}

/* Caught: the word taken for the first report only; nodes not told; the store not told. */
START_TEST(one_word_acknowledges_every_report)
{
    links();
    say_all(30, 3);
    ck_assert_uint_eq(bench.up_count, 1);
    expect_queued(30);
    uint32_t commits = bench.commits;
    struct serin_batch_ack ack = bench_batch_ack(0);
    bench_ack_whole(&ack);
    expect_queued(0);
    ck_assert_uint_eq(bench.commits - commits, 1);
    for (unsigned i = 0; i < 30; i++) {
        struct serin_ack said = told(name_of(i), 1);
        ck_assert_uint_eq(said.incarnation, 77);
        ck_assert_uint_eq(said.number, 3);
        ck_assert_int_eq(said.status, SERIN_ACK_STORED);
        ck_assert_uint_eq(said.retry_s, 0);
        ck_assert(bench_stored(name_of(i), &record));
        ck_assert_uint_eq(record.report_size, 0);
        ck_assert_uint_eq(record.acked_number, 3);
        ck_assert_int_eq(record.standing, SERIN_ACK_STORED);
    }
    bench_look();
    bench_ack_whole(&ack); /* again: QoS 1 */
    ck_assert_uint_eq(bench.site_count, 0);
    bench_pass(3600000);
    ck_assert_uint_eq(bench.up_count, 0);
}
END_TEST

/* Of a batch that is stored and of one where a node is refused, in one message; a node of both
 * hears of the later one last. Caught: items before batches. */
START_TEST(batches_and_items_in_one_message)
{
    static struct serin_ack_batch acks;
    links();
    say_all(3, 3);
    struct serin_batch_ack first = bench_batch_ack(0);
    memset(&acks, 0, sizeof acks);
    acks.batch_count = 1;
    acks.batches[0] = first;
    acks.count = 2;
    strcpy(acks.list[0].node, "n-001");
    acks.list[0].ack =
        (struct serin_ack){.incarnation = 77, .number = 3, .status = SERIN_ACK_RESEND};
    strcpy(acks.list[1].node, "n-9"); /* no node of ours */
    acks.list[1].ack =
        (struct serin_ack){.incarnation = 77, .number = 3, .status = SERIN_ACK_REFUSED};
    bench_ack_batch(&acks);
    expect_queued(0);
    ck_assert_int_eq(told("n-000", 1).status, SERIN_ACK_STORED);
    ck_assert_int_eq(told("n-001", 2).status, SERIN_ACK_RESEND);
    ck_assert_uint_eq(bench_down(SERIN_TOPIC_DEV_ACK, "n-9", &down), 0);
}
END_TEST

/* Caught: a later report taken for acknowledged with an earlier one. */
START_TEST(what_was_said_since_still_waits)
{
    links();
    say_all(2, 3);
    struct serin_batch_ack ack = bench_batch_ack(0);
    struct serin_report later = bench_report("n-001", 4, SERIN_STATE_FAILED);
    struct serin_report reborn = bench_report("n-000", 3, SERIN_STATE_FAILED);
    reborn.incarnation = 78;
    bench_say(&later);
    bench_say(&reborn);
    bench_pass(0);
    bench_ack_whole(&ack);
    expect_queued(2);
    ck_assert_uint_eq(told("n-001", 1).number, 3);
    ck_assert_uint_eq(told("n-000", 1).incarnation, 77); /* the node judges it itself */
    ck_assert(bench_stored("n-001", &record));
    ck_assert_uint_eq(record.number, 4);
    ck_assert_uint_gt(record.report_size, 0);
}
END_TEST

/* Caught: a batch forgotten when its reports go up again. */
START_TEST(a_word_that_is_lost_is_made_good_by_resending)
{
    links();
    say_all(5, 3);
    struct serin_batch_ack first = bench_batch_ack(0);
    gateway_words_delivered(&bench.gateway, bench.up[0].token);
    bench_look();
    bench_pass(60000);
    ck_assert_uint_ge(bench.up_count, 1);
    ck_assert_uint_eq(bench_items(0, &batch)->count, 5);
    ck_assert_uint_eq(batch.number, first.number + 1);
    struct serin_batch_ack second = bench_batch_ack(0);
    bench_ack_whole(&first); /* it comes late */
    expect_queued(0);
    ck_assert_uint_eq(told("n-004", 1).number, 3);
    bench_ack_whole(&second); /* and so does this: the node hears it twice */
    ck_assert_uint_eq(told("n-004", 2).number, 3);
    expect_queued(0);
}
END_TEST

/* Caught: numbers alone compared, where the store has given one out twice. */
START_TEST(what_is_not_known_acknowledges_nothing)
{
    links();
    say_all(5, 3);
    struct serin_batch_ack ack = bench_batch_ack(0);
    bench_restart();
    links();
    bench_pass(0);
    expect_queued(5);
    bench_ack_whole(&ack); /* of before the restart */
    expect_queued(5);
    ck_assert_uint_eq(bench.site_count, 0);
    bench_look();
    bench_pass(60000);
    ck_assert_uint_eq(bench_items(0, &batch)->count, 5);
    ack = bench_batch_ack(0);
    struct serin_batch_ack other = ack;
    other.incarnation++;
    bench_ack_whole(&other);
    other = ack;
    other.number++;
    bench_ack_whole(&other);
    other = ack;
    other.crc32 ^= 1u;
    bench_ack_whole(&other);
    expect_queued(5);
    ck_assert_uint_eq(bench_down(SERIN_TOPIC_DEV_ACK, "n-000", &down), 0);
    bench_ack_whole(&ack);
    expect_queued(0);
}
END_TEST

/* A store that takes nothing forgets the numbers that it gave out. */
START_TEST(a_number_that_is_given_out_twice_is_no_name)
{
    links();
    bench.store_full = true;
    say_all(2, 3);
    struct serin_batch_ack before = bench_batch_ack(0);
    bench.store_full = false;
    bench.gateway.words->dirty_count = 0; /* it dies before there is room */
    bench_restart();
    links();
    say_all(2, 4);
    struct serin_batch_ack after = bench_batch_ack(0);
    ck_assert_uint_eq(before.number, after.number);
    ck_assert_uint_eq(before.incarnation, after.incarnation);
    bench_ack_whole(&before);
    expect_queued(2);
    bench_ack_whole(&after);
    expect_queued(0);
}
END_TEST

/* Caught: the place of a node that went taken for its own. */
START_TEST(a_place_that_changed_hands_is_not_spoken_for)
{
    bench_close();
    bench.config.nodes_max = 2;
    bench_open();
    links();
    say_all(2, 3);
    struct serin_batch_ack ack = bench_batch_ack(0);
    bench_ack("n-000", 3, SERIN_ACK_STORED, 0);
    struct serin_report third = bench_report("n-3", 3, SERIN_STATE_FAILED);
    bench_say(&third);
    bench_pass(0);
    ck_assert_uint_eq(bench.forgotten, 1);
    expect_queued(2);
    bench_ack_whole(&ack);
    expect_queued(1);
    ck_assert_uint_eq(bench_down(SERIN_TOPIC_DEV_ACK, "n-3", &down), 0);
    ck_assert(bench_stored("n-3", &record));
    ck_assert_uint_gt(record.report_size, 0);
}
END_TEST

/* Caught: acks that the site's broker had no room for lost. */
START_TEST(nodes_are_told_when_their_broker_is_back)
{
    bench_up(true);
    say_all(10, 3);
    struct serin_batch_ack ack = bench_batch_ack(0);
    bench_ack_whole(&ack);
    expect_queued(0);
    ck_assert_uint_eq(bench.gateway.words->acks_owed, 10);
    bench_site(true);
    for (unsigned i = 0; i < 10; i++) {
        ck_assert_uint_eq(told(name_of(i), 1).number, 3);
    }
    ck_assert_uint_eq(bench.gateway.words->acks_owed, 0);
}
END_TEST

/* Every cut and every flipped bit of the word: nothing is acknowledged. */
START_TEST(a_word_that_is_damaged_acknowledges_nothing)
{
    static struct serin_ack_batch acks;
    uint8_t good[64], bad[64];
    size_t size = 0;
    links();
    say_all(4, 3);
    memset(&acks, 0, sizeof acks);
    acks.batch_count = 1;
    acks.batches[0] = bench_batch_ack(0);
    ck_assert_int_eq(serin_protobufc_site()->encode_ack_batch(&acks, good, sizeof good, &size),
                     SERIN_OK);
    bench_look();
    for (size_t at = 0; at < size; at++) {
        gateway_words_acks(&bench.gateway, good, at);
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(bad, good, size);
            bad[at] ^= (uint8_t)(1u << bit);
            gateway_words_acks(&bench.gateway, bad, size);
        }
    }
    expect_queued(4);
    ck_assert_uint_eq(bench.site_count, 0);
    gateway_words_acks(&bench.gateway, good, size);
    expect_queued(0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        one_word_acknowledges_every_report,
        batches_and_items_in_one_message,
        what_was_said_since_still_waits,
        a_word_that_is_lost_is_made_good_by_resending,
        what_is_not_known_acknowledges_nothing,
        a_number_that_is_given_out_twice_is_no_name,
        a_place_that_changed_hands_is_not_spoken_for,
        nodes_are_told_when_their_broker_is_back,
        a_word_that_is_damaged_acknowledges_nothing,
    };
    Suite *suite = suite_create("gateway_words_acks");
    TCase *each = tcase_create("each");
    tcase_set_timeout(each, 60);
    tcase_add_checked_fixture(each, bench_setup, bench_teardown);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tcase_add_test(each, tests[i]);
    }
    suite_add_tcase(suite, each);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
