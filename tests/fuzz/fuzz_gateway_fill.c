/*
 * The planner of a site's fill under hostile wants, hostile blocks and a depot that fails: whatever
 * comes, nothing wrong is stored or told (the bench asserts it), no byte is lost count of, and an
 * honest upstream brings the whole image in the end.
 *
 * An input is a row of steps: one byte that names the step, then its numbers.
 */
#include "fuzz.h"

#include "fill_bench.h"

#include <serin/crc32.h>

#include <string.h>

#define SIZE      45000u /* eleven pieces, the last one short */
#define OTHER     9000u  /* of another image, perhaps an emergency's */
#define STEPS_MAX 400u
#define WHOLE_MS  UINT64_C(36000000)

static struct bench bench;

struct input {
    const uint8_t *data;
    size_t left;
};

static uint32_t take(struct input *input, size_t size)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size && input->left > 0; i++) {
        value = value << 8 | *input->data++;
        input->left--;
    }
    return value;
}

/* An offset that is near something, or anywhere. */
static uint32_t take_offset(struct input *input)
{
    uint32_t value = take(input, 2);
    switch (value % 4) {
    case 0:
        return value / 4 * 256;
    case 1:
        return value;
    case 2:
        return bench.last_get.offset + value / 4 % 4096;
    default:
        return UINT32_MAX - value;
    }
}

static void hear(struct input *input, enum serin_want_kind kind)
{
    struct serin_want want = {.kind = kind};
    const struct bench_image *image = &bench.images[0];
    uint32_t which = take(input, 1);
    want.offset = take_offset(input);
    want.length = take(input, 2) * (which % 3 == 0 ? 65537u : 1u);
    memcpy(want.object,
           which % 8 == 7   ? image->table_name
           : which % 8 == 6 ? bench.manifest_id
           : which % 8 == 5 ? bench.images[1].name
           : which % 8 == 4 ? bench.images[1].table_name
                            : image->name,
           32);
    want.object[0] ^= which % 16 == 15 ? 1 : 0;
    serin_fill_want(&bench.fill, &want, bench.now_ms);
}

/* A block, whose bytes are right or wrong, in its place or not. */
static void receive(struct input *input)
{
    static uint8_t data[SERIN_BLOCK_DATA_MAX];
    const struct bench_image *image = &bench.images[0];
    uint32_t how = take(input, 2);
    struct serin_block block = {.status = (enum serin_block_status)(1 + (how & 7u) % 5u),
                                .offset = take_offset(input)};
    block.token = bench.last_get.token - (how >> 3 & 3u) + ((how >> 5 & 7u) == 7u ? 1000u : 0u);
    block.object_size = (how & 256u) != 0 ? SIZE : take(input, 2);
    block.window_end = (how & 512u) != 0 ? block.offset + take(input, 2) : 0;
    block.retry_ms = (how & 1024u) != 0 ? take(input, 2) : 0;
    if (block.status == SERIN_BLOCK_DATA) {
        block.data = data;
        block.data_size = 1 + take(input, 2);
        memset(data, (int)(how >> 8), block.data_size);
        for (size_t i = 0; i < block.data_size && block.offset < SIZE && block.offset + i < SIZE &&
                           (how & 2048u) != 0;
             i++) {
            data[i] = image->data[block.offset + i];
        }
        block.crc32 = serin_crc32(0, data, block.data_size) ^ ((how & 4096u) != 0 ? 1u : 0u);
    }
    serin_fill_block(&bench.fill, &block, bench.now_ms);
}

/* A byte of the part file changes, and the plugin finds it. */
static void rot(struct input *input)
{
    struct bench_image *image = &bench.images[0];
    struct serin_want want = {.kind = SERIN_WANT_ROTTEN, .length = 1};
    want.offset = take(input, 2) % SIZE;
    memcpy(want.object, image->name, 32);
    if (serin_fill_active(&bench.fill, image->name)) {
        image->stored[want.offset] ^= 1;
        serin_fill_want(&bench.fill, &want, bench.now_ms);
    }
}

static void step(struct input *input)
{
    switch (take(input, 1) % 12) {
    case 0:
    case 1:
        hear(input, SERIN_WANT_MISSING);
        break;
    case 2:
        hear(input, SERIN_WANT_ROTTEN);
        break;
    case 3:
    case 4:
    case 5:
        receive(input);
        break;
    case 6:
        bench_run(&bench, bench.now_ms + take(input, 2));
        break;
    case 7:
        bench_cut(&bench);
        bench_run(&bench, bench.now_ms + take(input, 1));
        bench_join(&bench);
        break;
    case 8:
        bench.full = !bench.full;
        break;
    case 9:
        bench.refuse = !bench.refuse;
        serin_fill_review(&bench.fill, bench.now_ms);
        break;
    case 10:
        rot(input);
        break;
    default:
        bench.deaf = !bench.deaf;
        bench.store_error = (take(input, 1) & 1u) != 0 ? SERIN_ERR_IO : SERIN_OK;
        serin_fill_tell_all(&bench.fill, bench.now_ms);
        break;
    }
    serin_fill_poll(&bench.fill, bench.now_ms);
    SERIN_ASSERT(bench.fill.counts.refetched_bytes <= bench.fill.counts.fetched_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.data = data, .left = size};
    bench_open(&bench, SIZE, OTHER, 0);
    uint32_t stored = take(&input, 1);
    bench.images[0].table_stored = stored % 4 != 0;
    bench.images[1].table_stored = (stored & 4u) != 0;
    bench.images[1].emergency = (stored & 8u) != 0;
    bench.lacks = (stored & 16u) != 0 ? bench.manifest_id : NULL;
    bench.bytes_per_s = 4000 + take(&input, 2);
    bench.deaf = true;
    for (unsigned i = 0; i < STEPS_MAX && input.left > 0; i++) {
        step(&input);
    }
    bench.deaf = bench.full = bench.refuse = false;
    bench.store_error = SERIN_OK;
    for (unsigned tries = 0; tries < 3; tries++) { /* manifest, table, image */
        bench_want(&bench, bench.images[0].name, 0, 4096);
        bench_want(&bench, bench.images[1].name, 0, 4096);
        bench_run(&bench, bench.now_ms + WHOLE_MS);
    }
    SERIN_ASSERT(bench_is_whole(&bench, 0) && bench_is_whole(&bench, 1));
    bench_close(&bench);
    return 0;
}
