/* A site in a test. */
#include "fill_bench.h"

#include <serin/adapters/openssl.h>
#include <serin/assert.h>
#include <serin/crc32.h>

#include <stdlib.h>
#include <string.h>

uint32_t bench_random(struct bench *bench, uint32_t below)
{
    bench->seed = bench->seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(bench->seed >> 4) * below) >> 28);
}

static struct bench_image *image_of(struct bench *bench, const uint8_t name[32], bool table)
{
    for (int i = 0; i < BENCH_IMAGES; i++) {
        struct bench_image *image = &bench->images[i];
        if (image->size > 0 && memcmp(table ? image->table_name : image->name, name, 32) == 0) {
            return image;
        }
    }
    return NULL;
}

/* ---- the depot ---- */

static void describe(void *ctx, const uint8_t name[32], struct serin_fill_description *out)
{
    struct bench *bench = ctx;
    struct bench_image *image = image_of(bench, name, false);
    struct bench_image *of_table = image_of(bench, name, true);
    *out = (struct serin_fill_description){
        .answer = SERIN_FILL_ABSENT, .status = SERIN_BLOCK_REFUSED, .retry_ms = 1000};
    if (bench->refuse) {
        return;
    }
    if (memcmp(name, bench->manifest_id, 32) == 0) {
        out->answer = bench->manifest_stored ? SERIN_FILL_STORED : SERIN_FILL_FETCH;
        out->kind = SERIN_FILL_MANIFEST;
        out->size = bench->manifest_stored ? sizeof bench->manifest : 0;
    } else if (of_table != NULL) {
        out->answer = of_table->table_stored ? SERIN_FILL_STORED : SERIN_FILL_FETCH;
        out->kind = SERIN_FILL_WHOLE;
        out->size = of_table->pieces * 32;
        out->emergency = of_table->emergency;
    } else if (image != NULL && !image->table_stored) {
        out->answer = SERIN_FILL_NEEDS;
        memcpy(out->needs, image->table_name, 32);
    } else if (image != NULL) {
        image->describes++;
        out->answer = image->whole ? SERIN_FILL_STORED : SERIN_FILL_FETCH;
        out->kind = SERIN_FILL_PIECES;
        out->size = image->size;
        out->table = image->table;
        out->emergency = image->emergency;
    }
}

static void release(void *ctx, const uint8_t name[32])
{
    image_of(ctx, name, false)->releases++;
}

static enum serin_error open_part(void *ctx, const uint8_t name[32], uint32_t size)
{
    struct bench *bench = ctx;
    struct bench_image *image = image_of(bench, name, false);
    SERIN_ASSERT(size == image->size);
    if (bench->full) {
        return SERIN_ERR_NO_SPACE;
    }
    image->part = true;
    return SERIN_OK;
}

static enum serin_error load(void *ctx, const uint8_t name[32], uint32_t offset, void *out,
                             size_t size)
{
    struct bench_image *image = image_of(ctx, name, false);
    SERIN_ASSERT(offset + size <= image->size);
    if (!image->part) {
        return SERIN_ERR_NOT_FOUND;
    }
    memcpy(out, image->stored + offset, size);
    return SERIN_OK;
}

static enum serin_error store(void *ctx, const uint8_t name[32], uint32_t offset, const void *data,
                              size_t size)
{
    struct bench *bench = ctx;
    struct bench_image *image = image_of(bench, name, false);
    SERIN_ASSERT(offset % SERIN_PIECE_SIZE == 0 && offset + size <= image->size);
    SERIN_ASSERT(size == serin_piece_size(image->size, offset / SERIN_PIECE_SIZE));
    SERIN_ASSERT(memcmp(data, image->data + offset, size) == 0); /* nothing wrong is ever stored */
    if (bench->full) {
        return SERIN_ERR_NO_SPACE;
    }
    if (bench->store_error != SERIN_OK || !image->part) {
        return bench->store_error != SERIN_OK ? bench->store_error : SERIN_ERR_NOT_FOUND;
    }
    memcpy(image->stored + offset, data, size);
    bench->stores++;
    return SERIN_OK;
}

static enum serin_error keep(void *ctx, const uint8_t name[32], enum serin_fill_kind kind,
                             const uint8_t *data, size_t size)
{
    struct bench *bench = ctx;
    bench->keeps++;
    if (bench->keep_error != SERIN_OK) {
        return bench->keep_error;
    }
    if (kind == SERIN_FILL_MANIFEST) {
        SERIN_ASSERT(size == sizeof bench->manifest && memcmp(data, bench->manifest, size) == 0);
        bench->manifest_stored = true;
    } else {
        struct bench_image *image = image_of(bench, name, true);
        SERIN_ASSERT(size == (size_t)image->pieces * 32 && memcmp(data, image->table, size) == 0);
        image->table_stored = true;
    }
    return SERIN_OK;
}

static enum serin_error finish(void *ctx, const uint8_t name[32])
{
    struct bench *bench = ctx;
    struct bench_image *image = image_of(bench, name, false);
    bench->finishes++;
    if (bench->finish_error != SERIN_OK) {
        return bench->finish_error;
    }
    if (memcmp(image->stored, image->data, image->size) != 0) {
        return SERIN_ERR_DIGEST;
    }
    image->part = false;
    image->whole = true;
    return SERIN_OK;
}

/* ---- the plugin ---- */

static void hear_part(struct bench_image *image, const struct serin_have *have)
{
    image->fresh += have->fresh;
    if (have->fresh) {
        memset(image->known, 0, sizeof image->known);
    }
    uint32_t last = 0;
    for (size_t i = 0; i < have->range_count; i++) {
        const struct serin_range *range = &have->ranges[i];
        SERIN_ASSERT(range->start < range->end && range->end <= image->size);
        SERIN_ASSERT(range->start % SERIN_PIECE_SIZE == 0 && (i == 0 || range->start > last));
        SERIN_ASSERT(range->end % SERIN_PIECE_SIZE == 0 || range->end == image->size);
        /* What is told is there, to the byte. */
        SERIN_ASSERT(memcmp(image->stored + range->start, image->data + range->start,
                            range->end - range->start) == 0);
        last = range->end;
        for (uint32_t at = range->start; at < range->end; at += SERIN_PIECE_SIZE) {
            image->known[at / SERIN_PIECE_SIZE] = true;
        }
    }
}

static enum serin_error have(void *ctx, const struct serin_have *have)
{
    struct bench *bench = ctx;
    struct bench_image *image = image_of(bench, have->object, false);
    if (bench->site_away) {
        return SERIN_ERR_AGAIN;
    }
    bench->haves++;
    SERIN_ASSERT(have->range_count <= SERIN_HAVE_RANGES_MAX);
    if (image == NULL) {
        return SERIN_OK;
    }
    SERIN_ASSERT(have->kind == SERIN_HAVE_ABSENT || have->object_size == image->size);
    if (have->kind == SERIN_HAVE_PART) {
        hear_part(image, have);
    } else if (have->kind == SERIN_HAVE_WHOLE) {
        SERIN_ASSERT(image->whole);
        image->told_whole = true;
    } else if (have->kind == SERIN_HAVE_ABSENT) {
        image->absents++;
        image->absent = have->status;
    } else {
        SERIN_ASSERT(have->data_offset % SERIN_PIECE_SIZE == 0);
        SERIN_ASSERT(memcmp(have->data, image->data + have->data_offset, have->data_size) == 0);
        image->handed[have->data_offset / SERIN_PIECE_SIZE] = true;
    }
    return SERIN_OK;
}

/* ---- upstream ---- */

static const uint8_t *content(struct bench *bench, const uint8_t name[32], uint32_t *size)
{
    const struct bench_image *image = image_of(bench, name, false);
    const struct bench_image *of_table = image_of(bench, name, true);
    if (memcmp(name, bench->manifest_id, 32) == 0) {
        *size = sizeof bench->manifest;
        return bench->manifest;
    }
    SERIN_ASSERT(image != NULL || of_table != NULL); /* it asks for nothing else */
    *size = image != NULL ? image->size : of_table->pieces * 32;
    return image != NULL ? image->data : of_table->table;
}

static struct bench_block *push(struct bench *bench, const struct serin_block *block)
{
    SERIN_ASSERT(bench->queued < BENCH_QUEUE);
    uint64_t begin = bench->link_free_ms > bench->now_ms ? bench->link_free_ms : bench->now_ms;
    uint64_t took = bench->bytes_per_s == 0 ? 0 : block->data_size * 1000u / bench->bytes_per_s;
    bench->link_free_ms = begin + took;
    struct bench_block *entry = &bench->queue[bench->queued++];
    entry->block = *block;
    entry->at_ms = begin + took + bench->latency_ms;
    return entry;
}

static void push_data(struct bench *bench, struct serin_block *block, const uint8_t *data,
                      uint32_t size)
{
    block->data_size = size;
    block->crc32 = serin_crc32(0, data, size);
    bench->sent_bytes += size;
    if (bench_random(bench, 100) < bench->lose) {
        return;
    }
    struct bench_block *entry = push(bench, block);
    memcpy(entry->data, data, size);
    if (bench_random(bench, 100) < bench->damage) {
        entry->data[bench_random(bench, size)] ^= 1;
    } else if (bench_random(bench, 100) < bench->wrong) {
        for (uint32_t i = 0; i < size; i += 256) { /* every piece of it */
            entry->data[i] ^= 1;
        }
        entry->block.crc32 = serin_crc32(0, entry->data, size);
    }
    if (bench_random(bench, 100) < bench->twice) {
        struct bench_block *again = push(bench, &entry->block);
        memcpy(again->data, entry->data, size);
    }
    if (bench->queued >= 2 && bench_random(bench, 100) < bench->swap) {
        struct bench_block *a = &bench->queue[bench->queued - 2];
        struct bench_block *b = &bench->queue[bench->queued - 1];
        static struct bench_block other;
        other = *a;
        *a = *b;
        *b = other;
        uint64_t at = a->at_ms; /* the places in time stay */
        a->at_ms = b->at_ms;
        b->at_ms = at;
    }
}

static void answer(struct bench *bench, const struct serin_get *get)
{
    static const struct serin_credit_limits limits = {262144, 64, 5000, 500};
    struct serin_block block = {.token = get->token, .offset = get->offset};
    uint32_t size;
    const uint8_t *data = content(bench, get->object, &size);
    bool lacks = bench->lacks != NULL && memcmp(bench->lacks, get->object, 32) == 0;
    if (lacks || bench->say != SERIN_BLOCK_DATA) {
        block.status = lacks ? SERIN_BLOCK_NOT_FOUND : bench->say;
        block.retry_ms = bench->say_retry_ms;
        push(bench, &block);
        return;
    }
    struct serin_grant grant =
        serin_credit_request(&bench->credit, &limits, get, size, bench->now_ms);
    block.status = grant.status;
    block.object_size = size;
    block.retry_ms = grant.retry_ms;
    block.window_end = grant.end;
    bench->busy += grant.status == SERIN_BLOCK_BUSY;
    if (grant.status != SERIN_BLOCK_DATA) {
        push(bench, &block);
        return;
    }
    struct bench_image *image = image_of(bench, get->object, false);
    for (uint32_t at = grant.offset; at < grant.end;) {
        uint32_t left = grant.end - at;
        uint32_t most = bench->block_most != 0 && bench->block_most < get->block_size
                            ? bench->block_most
                            : get->block_size;
        uint32_t part = left < most ? left : most;
        block.offset = at;
        for (uint32_t i = at; image != NULL && i < at + part; i++) {
            image->sent[i / SERIN_PIECE_SIZE]++;
        }
        push_data(bench, &block, data + at, part);
        at += part;
    }
}

static enum serin_error get(void *ctx, const struct serin_get *get)
{
    struct bench *bench = ctx;
    SERIN_ASSERT(get->length >= 1 && get->length <= SERIN_FILL_WINDOW_MAX);
    SERIN_ASSERT(get->block_size >= 256 && get->block_size <= SERIN_FILL_BLOCK_MAX);
    SERIN_ASSERT(get->token != 0 && get->token != bench->last_get.token);
    bench->gets++;
    bench->last_get = *get;
    bench->last_get_ms = bench->now_ms;
    bench->largest_window =
        get->length > bench->largest_window ? get->length : bench->largest_window;
    if (!bench->deaf) {
        answer(bench, get);
    }
    return SERIN_OK;
}

static uint32_t allowance(void *ctx, enum serin_fill_kind kind, bool emergency, uint64_t *again_ms)
{
    struct bench *bench = ctx;
    (void)kind;
    (void)emergency;
    *again_ms = bench->again_ms;
    return bench->allowance;
}

/* ---- the bench ---- */

static void make_image(struct bench *bench, struct bench_image *image, uint32_t size)
{
    const struct serin_crypto *crypto = serin_openssl_hashing();
    image->size = size;
    image->pieces = serin_piece_count(size);
    image->data = malloc(size);
    image->stored = calloc(1, size);
    image->table = malloc((size_t)image->pieces * 32);
    SERIN_ASSERT(image->data != NULL && image->stored != NULL && image->table != NULL);
    for (uint32_t i = 0; i < size; i++) {
        image->data[i] = (uint8_t)bench_random(bench, 256);
    }
    for (uint32_t i = 0; i < image->pieces; i++) {
        serin_sha256_of(crypto, image->data + (size_t)i * SERIN_PIECE_SIZE,
                        serin_piece_size(size, i), image->table + (size_t)i * 32);
    }
    serin_sha256_of(crypto, image->data, size, image->name);
    serin_sha256_of(crypto, image->table, (size_t)image->pieces * 32, image->table_name);
    image->table_stored = true;
}

void bench_open(struct bench *bench, uint32_t first, uint32_t second, uint32_t third)
{
    static const struct serin_fill_ops ops = {.describe = describe,
                                              .release = release,
                                              .open = open_part,
                                              .load = load,
                                              .store = store,
                                              .keep = keep,
                                              .finish = finish,
                                              .have = have,
                                              .get = get,
                                              .allowance = allowance};
    const uint32_t sizes[BENCH_IMAGES] = {first, second, third};
    memset(bench, 0, sizeof *bench);
    bench->seed = 7;
    bench->whole = malloc(SERIN_SITE_WHOLE_MAX);
    bench->queue = calloc(BENCH_QUEUE, sizeof *bench->queue);
    SERIN_ASSERT(bench->whole != NULL && bench->queue != NULL);
    for (int i = 0; i < BENCH_IMAGES; i++) {
        if (sizes[i] > 0) {
            make_image(bench, &bench->images[i], sizes[i]);
        }
    }
    for (size_t i = 0; i < sizeof bench->manifest; i++) {
        bench->manifest[i] = (uint8_t)bench_random(bench, 256);
    }
    serin_manifest_id(serin_openssl_hashing(), bench->manifest, bench->manifest_id);
    bench->say = SERIN_BLOCK_DATA;
    bench->allowance = UINT32_MAX;
    bench->now_ms = 1000000;
    const struct serin_fill_config config = {.ops = &ops,
                                             .ctx = bench,
                                             .crypto = serin_openssl_hashing(),
                                             .whole = bench->whole,
                                             .seed = 99};
    serin_fill_init(&bench->fill, &config);
    serin_fill_connected(&bench->fill, true, bench->now_ms);
}

void bench_close(struct bench *bench)
{
    serin_fill_end(&bench->fill);
    for (int i = 0; i < BENCH_IMAGES; i++) {
        free(bench->images[i].data);
        free(bench->images[i].stored);
        free(bench->images[i].table);
    }
    free(bench->queue);
    free(bench->whole);
}

static void deliver(struct bench *bench)
{
    while (bench->queued > 0 && bench->queue[0].at_ms <= bench->now_ms) {
        static struct bench_block first;
        first = bench->queue[0];
        bench->queued--;
        memmove(bench->queue, bench->queue + 1, bench->queued * sizeof *bench->queue);
        first.block.data = first.block.status == SERIN_BLOCK_DATA ? first.data : NULL;
        serin_fill_block(&bench->fill, &first.block, bench->now_ms);
        serin_fill_poll(&bench->fill, bench->now_ms);
    }
}

void bench_run(struct bench *bench, uint64_t until_ms)
{
    for (unsigned steps = 0; steps < 1000000; steps++) {
        deliver(bench);
        serin_fill_poll(&bench->fill, bench->now_ms);
        uint64_t next = serin_fill_deadline_ms(&bench->fill);
        if (bench->queued > 0 && bench->queue[0].at_ms < next) {
            next = bench->queue[0].at_ms;
        }
        if (next > until_ms || next == UINT64_MAX) {
            bench->now_ms = until_ms < UINT64_MAX ? until_ms : bench->now_ms;
            return;
        }
        bench->now_ms = next > bench->now_ms ? next : bench->now_ms;
    }
    SERIN_ASSERT(false); /* it spins */
}

void bench_want(struct bench *bench, const uint8_t name[32], uint32_t offset, uint32_t length)
{
    struct serin_want want = {.kind = SERIN_WANT_MISSING, .offset = offset, .length = length};
    memcpy(want.object, name, 32);
    serin_fill_want(&bench->fill, &want, bench->now_ms);
    serin_fill_poll(&bench->fill, bench->now_ms);
}

void bench_cut(struct bench *bench)
{
    bench->queued = 0;
    bench->link_free_ms = bench->now_ms;
    bench->credit = (struct serin_credit){0};
    serin_fill_connected(&bench->fill, false, bench->now_ms);
    serin_fill_poll(&bench->fill, bench->now_ms);
}

void bench_join(struct bench *bench)
{
    serin_fill_connected(&bench->fill, true, bench->now_ms);
    serin_fill_poll(&bench->fill, bench->now_ms);
}

bool bench_is_whole(const struct bench *bench, int index)
{
    const struct bench_image *image = &bench->images[index];
    return image->whole && image->told_whole &&
           memcmp(image->stored, image->data, image->size) == 0;
}

uint64_t bench_sent(const struct bench *bench, int index)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < bench->images[index].pieces; i++) {
        sum += bench->images[index].sent[i];
    }
    return sum;
}
