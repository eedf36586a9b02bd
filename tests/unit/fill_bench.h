/*
 * A site in a test: the planner between a depot in memory, a plugin that listens, and an upstream
 * that follows a script and keeps the credit rule with the serving side's own code.
 */
#ifndef SERIN_TESTS_FILL_BENCH_H
#define SERIN_TESTS_FILL_BENCH_H

#include <serin/credit.h>
#include <serin/gateway/fill.h>

#define BENCH_IMAGES    3
#define BENCH_IMAGE_MAX (1024u * 1024u)
#define BENCH_PIECES    (BENCH_IMAGE_MAX / SERIN_PIECE_SIZE)
#define BENCH_QUEUE     512

struct bench_image {
    uint8_t name[32], table_name[32];
    uint8_t *data, *table;
    uint32_t size, pieces;
    /* The depot. */
    bool part, whole, table_stored;
    uint8_t *stored;
    /* What crossed the uplink, and what the plugin knows. */
    uint32_t sent[BENCH_PIECES]; /* bytes of each piece */
    bool known[BENCH_PIECES], handed[BENCH_PIECES];
    bool told_whole;
    unsigned absents, fresh;
    enum serin_block_status absent;
    unsigned releases, describes;
    bool emergency;
};

struct bench_block {
    uint64_t at_ms;
    struct serin_block block;
    uint8_t data[SERIN_FILL_BLOCK_MAX];
};

struct bench {
    struct serin_fill fill;
    uint8_t *whole;
    uint64_t now_ms;
    struct bench_image images[BENCH_IMAGES];
    uint8_t manifest[SERIN_MANIFEST_SIZE_P256], manifest_id[32];
    bool manifest_stored;
    unsigned keeps;

    /* Upstream. */
    uint64_t bytes_per_s; /* of the link; 0: at once */
    uint32_t latency_ms;
    uint64_t link_free_ms;
    struct serin_credit credit;
    struct bench_block *queue;
    size_t queued;
    uint32_t seed;
    unsigned lose, twice, swap, damage, wrong; /* of a hundred blocks */
    enum serin_block_status say;               /* other than DATA: the answer to every get */
    uint32_t say_retry_ms;
    const uint8_t *lacks; /* the name of an object that upstream has not got, or NULL */
    uint32_t block_most;  /* bytes of a block, where it is less than what is asked; 0: no limit */
    bool deaf;            /* answers nothing */
    unsigned gets, busy;
    uint64_t sent_bytes;
    uint32_t largest_window;
    uint64_t last_get_ms;
    struct serin_get last_get;

    /* The depot and the policy. */
    bool full, refuse;
    enum serin_error keep_error;
    enum serin_error store_error;
    enum serin_error finish_error;
    uint32_t allowance;
    uint64_t again_ms;
    bool site_away;
    unsigned haves, stores, finishes;
};

/* Images of the given sizes; size 0: none. */
void bench_open(struct bench *bench, uint32_t first, uint32_t second, uint32_t third);
void bench_close(struct bench *bench);
/* Delivers, polls and passes time until `until_ms`, or until nothing more happens by itself. */
void bench_run(struct bench *bench, uint64_t until_ms);
void bench_want(struct bench *bench, const uint8_t name[32], uint32_t offset, uint32_t length);
/* The connection is lost: what is queued never arrives. */
void bench_cut(struct bench *bench);
void bench_join(struct bench *bench);
uint32_t bench_random(struct bench *bench, uint32_t below);
/* Whether the image stands whole, as it should be, and the plugin knows it. */
bool bench_is_whole(const struct bench *bench, int image);
/* Bytes that crossed the uplink for the image. */
uint64_t bench_sent(const struct bench *bench, int image);

#endif
