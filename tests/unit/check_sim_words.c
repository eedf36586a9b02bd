/*
 * Reports and batches that are remembered, against the real codec: every answer is the same, few of
 * them are the real one's, and a codec that would answer otherwise is found.
 */
#include <memo_words.h>

#include <serin/adapters/protobufc.h>

#include "check_main.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURNS 2000u

static uint32_t dice(uint32_t range)
{
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % range;
}

/* ---- codecs that count, or lie ---- */

static unsigned decoded; /* by the real codec */
static struct serin_codec counted;
static struct serin_site_codec site_counted;

static enum serin_error decode_report(const uint8_t *data, size_t size, struct serin_report *value)
{
    decoded++;
    return serin_protobufc()->decode_report(data, size, value);
}

static enum serin_error decode_items(const uint8_t *data, size_t size,
                                     struct serin_batch_items *value)
{
    decoded++;
    return serin_protobufc_site()->decode_batch_items(data, size, value);
}

static enum serin_error other_report(const uint8_t *data, size_t size, struct serin_report *value)
{
    enum serin_error error = serin_protobufc()->decode_report(data, size, value);
    value->attempts[0].transitions[0].detail++;
    return error;
}

static enum serin_error other_items(const uint8_t *data, size_t size,
                                    struct serin_batch_items *value)
{
    enum serin_error error = serin_protobufc_site()->decode_batch_items(data, size, value);
    value->list[0].payload_size--;
    return error;
}

static struct sim_words *words_new(void)
{
    struct sim_words *words = NULL;
    counted = *serin_protobufc();
    counted.decode_report = decode_report;
    site_counted = *serin_protobufc_site();
    site_counted.decode_batch_items = decode_items;
    decoded = 0;
    ck_assert_int_eq(sim_words_open(&words, &counted, &site_counted), SERIN_OK);
    return words;
}

/* ---- reports ---- */

static struct serin_report some_report(uint32_t number)
{
    struct serin_report report = {.hardware = 7,
                                  .incarnation = 1u + dice(3),
                                  .number = 1u + number,
                                  .running = {.version = {1, 0, 0}, .slot = 1},
                                  .attempt_count = 1u + dice(2)};
    (void)snprintf(report.device_id, sizeof report.device_id, "d%u", number % 50u);
    (void)snprintf(report.product, sizeof report.product, "lamp");
    (void)snprintf(report.channel, sizeof report.channel, "stable");
    for (size_t i = 0; i < report.attempt_count; i++) {
        struct serin_attempt_report *attempt = &report.attempts[i];
        *attempt = (struct serin_attempt_report){.attempt = 1u + (uint32_t)i,
                                                 .order = {.epoch = 1, .sequence = dice(9)},
                                                 .version = {2, 0, 0},
                                                 .bytes_fetched = dice(9000),
                                                 .transition_count = 1u + dice(4)};
        memset(attempt->manifest_id, 5, sizeof attempt->manifest_id);
        for (size_t j = 0; j < attempt->transition_count; j++) {
            attempt->transitions[j] = (struct serin_transition){.state = SERIN_STATE_PENDING,
                                                                .reason = SERIN_REASON_NONE,
                                                                .time_s = dice(2) * UINT64_C(1000),
                                                                .uptime_ms = dice(5000),
                                                                .detail = dice(9)};
        }
    }
    return report;
}

/* Both say the same in all that a report says. */
static void compare_reports(const struct serin_report *told, const struct serin_report *real)
{
    uint8_t a[SERIN_REPORT_MAX], b[SERIN_REPORT_MAX];
    size_t a_size = 0, b_size = 0;
    ck_assert_int_eq(serin_protobufc()->encode_report(told, a, sizeof a, &a_size), SERIN_OK);
    ck_assert_int_eq(serin_protobufc()->encode_report(real, b, sizeof b, &b_size), SERIN_OK);
    ck_assert_uint_eq(a_size, b_size);
    ck_assert_mem_eq(a, b, a_size);
}

/* Caught: what stands in the place of a hash is taken for it. */
START_TEST(reports_say_what_the_real_codec_says)
{
    static uint8_t said[TURNS][SERIN_REPORT_MAX];
    static size_t sizes[TURNS];
    struct sim_words *words = words_new();
    for (uint32_t i = 0; i < TURNS; i++) {
        struct serin_report report = some_report(i), told, real;
        ck_assert_int_eq(
            sim_words_encode_report(words, &report, said[i], SERIN_REPORT_MAX, &sizes[i]),
            SERIN_OK);
        uint32_t at = i - (dice(8) == 0 ? dice(i + 1u) : dice(i < 200u ? i + 1u : 200u));
        ck_assert_int_eq(sim_words_decode_report(words, said[at], sizes[at], &told), SERIN_OK);
        ck_assert_int_eq(serin_protobufc()->decode_report(said[at], sizes[at], &real), SERIN_OK);
        ck_assert_uint_eq(told.number, 1u + at);
        compare_reports(&told, &real);
    }
    ck_assert_uint_gt(decoded, TURNS / 64u); /* some all the same, and those that are forgotten */
    ck_assert_uint_lt(decoded, TURNS / 2u);
    sim_words_close(words);
}
END_TEST

/* Caught: a damaged report is taken for the one that it was. */
START_TEST(a_damaged_report_is_the_real_codecs)
{
    struct sim_words *words = words_new();
    for (uint32_t i = 0; i < 500u; i++) {
        struct serin_report report = some_report(i), told, real;
        uint8_t bytes[SERIN_REPORT_MAX];
        size_t size = 0;
        ck_assert_int_eq(sim_words_encode_report(words, &report, bytes, sizeof bytes, &size),
                         SERIN_OK);
        bytes[dice((uint32_t)size)] ^= (uint8_t)(1u << dice(8));
        size -= dice(2);
        enum serin_error error = serin_protobufc()->decode_report(bytes, size, &real);
        ck_assert_int_eq(sim_words_decode_report(words, bytes, size, &told), error);
        if (error == SERIN_OK) {
            compare_reports(&told, &real);
        }
    }
    ck_assert_uint_eq(decoded, 500u);
    ck_assert_int_ne(
        sim_words_decode_report(words, (const uint8_t *)"", 0, &(struct serin_report){0}),
        SERIN_OK);
    sim_words_close(words);
}
END_TEST

/* ---- batches ---- */

static struct serin_batch_items batch, told_items, real_items;
static uint8_t payloads[SERIN_BATCH_ITEMS_MAX][300];

/* Most are short; some have payloads of one byte, or more items or bytes than are remembered. */
static void make_batch(uint32_t number)
{
    batch.count = dice(10) == 0 ? 1u + dice(SERIN_BATCH_ITEMS_MAX) : 1u + dice(8);
    for (size_t i = 0; i < batch.count; i++) {
        struct serin_batch_item *item = &batch.list[i];
        memset(payloads[i], (int)(number + i), sizeof payloads[i]);
        (void)snprintf(item->node, sizeof item->node, "d%u", dice(1000));
        item->kind = dice(2) == 0 ? SERIN_BATCH_REPORT : SERIN_BATCH_BEAT;
        item->payload = payloads[i];
        item->payload_size = 1u + dice(dice(3) == 0 ? 300u : 120u);
    }
}

static void compare_items(void)
{
    ck_assert_uint_eq(told_items.count, real_items.count);
    for (size_t i = 0; i < real_items.count; i++) {
        const struct serin_batch_item *told = &told_items.list[i], *real = &real_items.list[i];
        ck_assert_str_eq(told->node, real->node);
        ck_assert_int_eq(told->kind, real->kind);
        ck_assert_uint_eq(told->payload_size, real->payload_size);
        ck_assert_ptr_eq(told->payload, real->payload); /* into the bytes at hand */
    }
}

START_TEST(batches_say_what_the_real_codec_says)
{
    static uint8_t bytes[SERIN_BATCH_PLAIN_MAX];
    struct sim_words *words = words_new();
    for (uint32_t i = 0; i < TURNS; i++) {
        size_t size = 0;
        make_batch(i);
        ck_assert_int_eq(sim_words_encode_items(words, &batch, bytes, sizeof bytes, &size),
                         SERIN_OK);
        if (dice(4) == 0) {
            bytes[dice((uint32_t)size)] ^= (uint8_t)(1u << dice(8));
            size -= dice(2);
        }
        enum serin_error error =
            serin_protobufc_site()->decode_batch_items(bytes, size, &real_items);
        ck_assert_int_eq(sim_words_decode_items(words, bytes, size, &told_items), error);
        if (error == SERIN_OK) {
            compare_items();
        }
    }
    ck_assert_uint_gt(decoded, TURNS / 64u);
    ck_assert_uint_lt(decoded, TURNS / 2u);
    sim_words_close(words);
}
END_TEST

/* ---- codecs that disagree ---- */

/* Decodes what was said until it must have been looked at. */
static void decode_report_often(struct sim_words *words)
{
    struct serin_report report = some_report(1);
    uint8_t bytes[SERIN_REPORT_MAX];
    size_t size = 0;
    bool well = sim_words_encode_report(words, &report, bytes, sizeof bytes, &size) == SERIN_OK;
    for (unsigned i = 0; well && i < 64u; i++) {
        well = sim_words_decode_report(words, bytes, size, &report) == SERIN_OK;
    }
}

static void decode_batch_often(struct sim_words *words)
{
    static uint8_t bytes[SERIN_BATCH_PLAIN_MAX];
    size_t size = 0;
    make_batch(1);
    batch.count = 1;
    batch.list[0].payload_size = 20;
    bool well = sim_words_encode_items(words, &batch, bytes, sizeof bytes, &size) == SERIN_OK;
    for (unsigned i = 0; well && i < 64u; i++) {
        well = sim_words_decode_items(words, bytes, size, &told_items) == SERIN_OK;
    }
}

static void expect_found(void (*decode_often)(struct sim_words *words))
{
    struct serin_codec wrong = *serin_protobufc();
    struct serin_site_codec site_wrong = *serin_protobufc_site();
    struct sim_words *words = NULL;
    int status = 0;
    wrong.decode_report = other_report;
    site_wrong.decode_batch_items = other_items;
    ck_assert_int_eq(sim_words_open(&words, &wrong, &site_wrong), SERIN_OK);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) != NULL) {
            decode_often(words);
        }
        _exit(0); /* it was not found */
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && (WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGTRAP));
    sim_words_close(words);
}

START_TEST(codecs_that_disagree_are_found)
{
    expect_found(decode_report_often);
    expect_found(decode_batch_often);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        reports_say_what_the_real_codec_says, a_damaged_report_is_the_real_codecs,
        batches_say_what_the_real_codec_says, codecs_that_disagree_are_found, NULL};
    return check_run("sim words", list);
}
