/*
 * Blocks as no honest server sends them: answers without a meaning, sizes that change, blocks again
 * and blocks too early, silence. The download goes on as soon as the server is honest, fetches
 * nothing twice that was accepted, or ends for its reason.
 */
#include "check_main.h"
#include "device_bench.h"

#include <serin/adapters/protobufc.h>
#include <serin/crc32.h>

#include <string.h>

static struct bench bench;
static struct bench_release *v1, *v2;

/* Alters a block on its way. False: it is lost. `image`: of the image, and not of what goes before.
 */
typedef bool (*spoiler)(struct serin_block *block, bool image);
static spoiler spoil;
static const struct serin_link_ops *bench_link;
static unsigned altered, left; /* blocks that were, and that are still to be */
static bool asks_image;        /* the last request was for it */

/* Decodes what the bench has queued since `from`, spoils it, and queues it anew. */
static void respoil(size_t from)
{
    static uint8_t payload[SERIN_BLOCK_MAX];
    const struct serin_codec *codec = serin_protobufc();
    for (size_t i = from; i < bench.queue_count; i++) {
        struct bench_message *message =
            &bench.queue[(bench.queue_first + i) % (sizeof(bench.queue) / sizeof(bench.queue[0]))];
        struct serin_block block;
        size_t size;
        if (message->topic != SERIN_TOPIC_DEV_BLOCK || left == 0) {
            continue;
        }
        ck_assert_int_eq(codec->decode_block(message->payload, message->size, &block), SERIN_OK);
        struct serin_block before = block;
        bool stays = spoil(&block, asks_image);
        if (stays && memcmp(&before, &block, sizeof(block)) == 0) {
            continue;
        }
        altered++;
        left--;
        if (!stays) {
            block.token ^= 0x5A5A5A5A; /* as good as lost */
        }
        ck_assert_int_eq(codec->encode_block(&block, payload, sizeof(payload), &size), SERIN_OK);
        ck_assert_uint_le(size, message->size + 64);
        message->payload = realloc(message->payload, size + 1);
        ck_assert_ptr_nonnull(message->payload);
        memcpy(message->payload, payload, size);
        message->size = size;
    }
}

static enum serin_error odd_publish(void *ctx, enum serin_topic_kind kind, const uint8_t *payload,
                                    size_t size)
{
    size_t from = bench.queue_count;
    if (kind == SERIN_TOPIC_DEV_GET) {
        struct serin_get get;
        ck_assert_int_eq(serin_protobufc()->decode_get(payload, size, &get), SERIN_OK);
        asks_image = memcmp(get.object, v2->manifest.image_sha256, SERIN_SHA256_SIZE) == 0;
    }
    enum serin_error error = bench_link->publish(ctx, kind, payload, size);
    respoil(from);
    return error;
}

static void set_up(spoiler how, unsigned times)
{
    static const struct serin_link_ops odd = {.publish = odd_publish};
    bench_begin(&bench, &v1, &v2);
    bench_link = bench.config.link;
    bench.config.link = &odd;
    spoil = how;
    left = times;
    altered = 0;
    bench_boot(&bench, SERIN_RESET_POWER);
    struct serin_directive directive = bench_directive(&bench, v1, v2);
    bench_publish(&bench, &directive);
}

static void tear_down(void)
{
    bench_end(&bench, v1, v2, NULL);
}

/* ---- how they are spoilt ---- */

static bool says(struct serin_block *block, enum serin_block_status status)
{
    *block = (struct serin_block){.token = block->token,
                                  .status = status,
                                  .offset = block->offset,
                                  .object_size = block->object_size};
    return true;
}

static bool says_range(struct serin_block *block, bool image)
{
    return !image || says(block, SERIN_BLOCK_RANGE);
}
static bool says_refused(struct serin_block *block, bool image)
{
    return !image || says(block, SERIN_BLOCK_REFUSED);
}
static bool says_busy_at_first(struct serin_block *block, bool image)
{
    (void)image;
    return says(block, SERIN_BLOCK_BUSY);
}
static bool tells_no_size(struct serin_block *block, bool image)
{
    block->object_size = image ? 0 : block->object_size;
    return true;
}
static bool tells_no_size_of_the_manifest(struct serin_block *block, bool image)
{
    block->object_size = image ? block->object_size : 0;
    return true;
}
static bool tells_another_size(struct serin_block *block, bool image)
{
    block->object_size += image ? 1024 : 0;
    return true;
}
static bool ends_the_window_early(struct serin_block *block, bool image)
{
    if (image && block->status == SERIN_BLOCK_DATA) {
        block->window_end = block->offset + (uint32_t)block->data_size;
    }
    return true;
}
static bool comes_from_behind(struct serin_block *block, bool image)
{
    if (image && block->offset >= 1024) {
        block->offset -= 1024;
    }
    return true;
}
static bool comes_too_early(struct serin_block *block, bool image)
{
    block->offset += image && block->offset + 2048 < block->object_size ? 1024 : 0;
    return true;
}
static bool is_lost(struct serin_block *block, bool image)
{
    (void)block;
    return !image;
}
static bool every_other_is_lost(struct serin_block *block, bool image)
{
    return !image || block->offset % 2048 == 0;
}

static const struct oddity {
    const char *name;
    spoiler how;
    unsigned times;
} oddities[] = {
    {"range", says_range, 3},
    {"refused", says_refused, 4},
    {"busy", says_busy_at_first, 3},
    {"no size", tells_no_size, 6},
    {"no size of a manifest", tells_no_size_of_the_manifest, 2},
    {"another size", tells_another_size, 3},
    {"short windows", ends_the_window_early, 1000},
    {"from behind", comes_from_behind, 5},
    {"too early", comes_too_early, 3},
    {"lost", is_lost, 6},
    {"every other one lost", every_other_is_lost, 4},
};

START_TEST(an_odd_answer_costs_time_and_no_piece)
{
    const struct oddity *oddity = &oddities[_i];
    set_up(oddity->how, oddity->times);
    ck_assert_msg(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 4000), "%s: ends in %d", oddity->name,
                  (int)bench_state(&bench));
    ck_assert_msg(altered > 0, "%s: nothing was altered", oddity->name);
    ck_assert_uint_eq(bench_running(&bench), 2);
    ck_assert_uint_eq(bench.journal_lies, 0);
    tear_down();
}
END_TEST

/* Whether the attempt ends by itself, and for what. */
static void ends(enum serin_reason reason)
{
    ck_assert(bench_run_to(&bench, SERIN_STATE_FAILED, 4000));
    ck_assert_int_eq(bench_reason(&bench), reason);
    ck_assert_uint_eq(bench_running(&bench), 1);
    uint32_t gets = bench.gets;
    bench_run_for(&bench, 24 * 3600 * 1000);
    ck_assert_uint_eq(bench.gets, gets); /* it is not tried again */
}

START_TEST(silence_ends_the_attempt)
{
    set_up(is_lost, UINT32_MAX);
    ends(SERIN_REASON_DOWNLOAD);
    tear_down();
}
END_TEST

START_TEST(an_object_that_is_shorter_than_its_manifest_says_is_missing)
{
    set_up(says_range, UINT32_MAX);
    ends(SERIN_REASON_UNAVAILABLE);
    tear_down();
}
END_TEST

START_TEST(an_object_of_another_size_is_missing)
{
    set_up(tells_another_size, UINT32_MAX);
    ends(SERIN_REASON_UNAVAILABLE);
    tear_down();
}
END_TEST

START_TEST(a_broker_that_refuses_is_asked_less_and_less)
{
    set_up(says_refused, UINT32_MAX);
    bench_run_for(&bench, 3600 * 1000);
    uint32_t first = bench.gets;
    bench_run_for(&bench, 3600 * 1000);
    ck_assert_uint_gt(bench.gets, first);
    ck_assert_uint_lt(bench.gets - first, first);
    ck_assert_int_eq(bench_state(&bench), SERIN_STATE_DOWNLOADING);
    left = 0; /* what held it back is over */
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 4000));
    tear_down();
}
END_TEST

START_TEST(a_block_that_nobody_asked_for_is_not_taken)
{
    set_up(is_lost, 0);
    ck_assert(bench_run_to(&bench, SERIN_STATE_CONFIRMED, 1000));
    bench_run_for(&bench, 10000);
    uint64_t operations = serin_flash_emulator_operations(bench.emulator);
    static const uint8_t data[1024] = {1};
    struct serin_block block = {.token = bench.agent.fetch.token + 1,
                                .status = SERIN_BLOCK_DATA,
                                .object_size = 9500,
                                .window_end = sizeof(data),
                                .crc32 = serin_crc32(0, data, sizeof(data)),
                                .data = data,
                                .data_size = sizeof(data)};
    static uint8_t payload[SERIN_BLOCK_MAX];
    size_t size;
    ck_assert_int_eq(serin_protobufc()->encode_block(&block, payload, sizeof(payload), &size),
                     SERIN_OK);
    struct serin_agent_event event = {.kind = SERIN_AGENT_MESSAGE,
                                      .topic = SERIN_TOPIC_DEV_BLOCK,
                                      .payload = payload,
                                      .payload_size = size};
    ck_assert_int_eq(serin_agent_step(&bench.agent, ++bench.now_ms, &event), SERIN_ERR_STALE);
    ck_assert_uint_eq(serin_flash_emulator_operations(bench.emulator), operations);
    tear_down();
}
END_TEST

int main(void)
{
    bench_open_keys();
    Suite *suite = suite_create("agent fetch");
    TCase *tests = tcase_create("fetch");
    tcase_add_loop_test(tests, an_odd_answer_costs_time_and_no_piece, 0,
                        (int)(sizeof(oddities) / sizeof(oddities[0])));
    tcase_add_test(tests, silence_ends_the_attempt);
    tcase_add_test(tests, an_object_that_is_shorter_than_its_manifest_says_is_missing);
    tcase_add_test(tests, an_object_of_another_size_is_missing);
    tcase_add_test(tests, a_broker_that_refuses_is_asked_less_and_less);
    tcase_add_test(tests, a_block_that_nobody_asked_for_is_not_taken);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_close();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
