/* The planner: every byte once, whoever asks; loss, damage, refusals, cuts and full disks cost
 * little and never a wrong byte. */
#include "check_main.h"
#include "fill_bench.h"

#include <serin/crc32.h>

#include <string.h>

#define NEVER      UINT64_MAX
#define KIB        1024u
#define IMAGE_SIZE (600u * KIB + 123u) /* 151 pieces, the last one short */

static struct bench bench;
static struct bench_image *const image = &bench.images[0];

static void want_all(void)
{
    for (uint32_t at = 0; at < image->size; at += 64 * KIB) {
        bench_want(&bench, image->name, at, 64 * KIB);
    }
}

/* From the manifest on: one node asks, in order; each byte crosses once, in large blocks. */
START_TEST(test_one_node)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    image->table_stored = false;
    bench_want(&bench, bench.manifest_id, 0, 592);
    bench_run(&bench, NEVER);
    ck_assert(bench.manifest_stored);
    bench_want(&bench, image->name, 0, 4096); /* the table comes first, and the node asks again */
    bench_run(&bench, NEVER);
    ck_assert(image->table_stored);
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    ck_assert_uint_eq(bench_sent(&bench, 0), IMAGE_SIZE);
    ck_assert_uint_eq(bench.fill.counts.fetched_bytes, IMAGE_SIZE + 592 + image->pieces * 32);
    ck_assert_uint_eq(bench.fill.counts.refetched_bytes, 0);
    ck_assert_uint_eq(bench.busy, 0);
    ck_assert_uint_eq(image->releases, 1);
    bool through;
    ck_assert_uint_eq(serin_fill_count(&bench.fill, &through), 0);
    bench_close(&bench);
}
END_TEST

/* Three hundred nodes that wake in any order: each piece is fetched exactly once. */
START_TEST(test_herd)
{
    for (uint32_t seed = 1; seed <= 5; seed++) {
        bench_open(&bench, IMAGE_SIZE, 300 * KIB, 0);
        bench.seed = seed;
        bench.bytes_per_s = 50000;
        bench.latency_ms = 20;
        for (unsigned node = 0; node < 300; node++) {
            for (unsigned ask = 0; ask < 10; ask++) {
                const struct bench_image *which = &bench.images[bench_random(&bench, 2)];
                bench_want(&bench, which->name, bench_random(&bench, which->size),
                           256 + bench_random(&bench, 65536));
            }
            bench_run(&bench, bench.now_ms + bench_random(&bench, 50));
        }
        bench_run(&bench, NEVER);
        ck_assert(bench_is_whole(&bench, 0));
        ck_assert(bench_is_whole(&bench, 1));
        for (int i = 0; i < 2; i++) {
            for (uint32_t piece = 0; piece < bench.images[i].pieces; piece++) {
                ck_assert_uint_eq(bench.images[i].sent[piece],
                                  serin_piece_size(bench.images[i].size, piece));
            }
        }
        ck_assert_uint_eq(bench.fill.counts.refetched_bytes, 0);
        bench_close(&bench);
    }
}
END_TEST

/* What a node asks for goes before the rest of the image, and is told at once. */
START_TEST(test_demand_first)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.bytes_per_s = 8000;
    ck_assert_int_eq(serin_fill_begin(&bench.fill, image->name, bench.now_ms), SERIN_OK);
    bench_run(&bench, bench.now_ms + 5000);
    ck_assert(image->known[0]);
    bench_want(&bench, image->name, 100 * 4096, 4096);
    bench_want(&bench, image->name, 50 * 4096, 4096);
    uint64_t asked = bench.now_ms;
    while (!image->known[100] && bench.now_ms < asked + 60000) {
        bench_run(&bench, bench.now_ms + 100);
    }
    /* A window under way is two seconds long, and its own piece half a second. */
    ck_assert_uint_lt(bench.now_ms - asked, 4000);
    ck_assert(!image->known[50]);
    bench_run(&bench, bench.now_ms + 1500);
    ck_assert(image->known[50]);
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    ck_assert_uint_eq(bench_sent(&bench, 0), IMAGE_SIZE);
    bench_close(&bench);
}
END_TEST

/* An object that rests does not keep the list of demand full of what was met behind it. */
START_TEST(test_order_beside_rest)
{
    bench_open(&bench, 100 * KIB, BENCH_IMAGE_MAX, 400 * KIB);
    struct bench_image *filled = &bench.images[1], *last = &bench.images[2];
    bench.lacks = image->name;
    bench.bytes_per_s = 20000;
    bench_want(&bench, image->name, 0, 4096);
    for (uint32_t piece = 0; piece < filled->pieces; piece++) {
        bench_want(&bench, filled->name, piece * 4096, 4096);
    }
    ck_assert_uint_eq(bench.fill.demand_size, SERIN_FILL_DEMANDS);
    bench_run(&bench, bench.now_ms + 70000);
    ck_assert(bench_is_whole(&bench, 1));
    for (uint32_t piece = 90; piece > 0; piece -= 30) {
        bench_want(&bench, last->name, piece * 4096, 4096);
    }
    for (uint32_t piece = 90; piece > 0; piece -= 30) {
        while (!last->known[piece]) {
            bench_run(&bench, bench.now_ms + 10);
        }
        ck_assert(piece == 30 || !last->known[piece - 30]);
    }
    bench_close(&bench);
}
END_TEST

/* Windows follow the link: about two seconds, a piece at the least, 256 KiB at the most. */
START_TEST(test_window)
{
    static const struct {
        uint64_t rate;
        uint32_t measured_ms; /* until the window has its size */
        uint32_t least, most;
    } links[] = {{500, 60000, 4096, 4096},
                 {8000, 30000, 12288, 20480},
                 {40000, 5000, 65536, 90112},
                 {10000000, 0, 262144, 262144}};
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        bench_open(&bench, BENCH_IMAGE_MAX, 0, 0);
        bench.bytes_per_s = links[i].rate;
        ck_assert_int_eq(serin_fill_begin(&bench.fill, image->name, bench.now_ms), SERIN_OK);
        bench_run(&bench, bench.now_ms + links[i].measured_ms);
        bench.largest_window = 0;
        bench_run(&bench, bench.now_ms + 60000);
        ck_assert_uint_ge(bench.largest_window, links[i].least);
        ck_assert_uint_le(bench.largest_window, links[i].most);
        ck_assert_uint_eq(bench.fill.counts.refetched_bytes, 0);
        bench_close(&bench);
    }
}
END_TEST

/* A bad link: all of it arrives, and what crossed twice is counted to the byte. */
START_TEST(test_bad_link)
{
    for (uint32_t seed = 1; seed <= 20; seed++) {
        bench_open(&bench, IMAGE_SIZE, 0, 0);
        bench.seed = seed;
        bench.bytes_per_s = seed % 2 == 0 ? 8000 : 100000;
        bench.latency_ms = 50;
        bench.lose = 5;
        bench.twice = 5;
        bench.swap = 5;
        bench.damage = 5;
        bench.wrong = seed % 3 == 0 ? 5 : 0;
        bench_want(&bench, image->name, 0, 65536);
        bench_run(&bench, bench.now_ms + 14400000);
        ck_assert_msg(bench_is_whole(&bench, 0), "seed %u", seed);
        const struct serin_fill_counts *counts = &bench.fill.counts;
        ck_assert_uint_eq(counts->fetched_bytes, IMAGE_SIZE + counts->refetched_bytes);
        /* A fault costs its blocks, not windows. */
        ck_assert_uint_le(bench.sent_bytes, IMAGE_SIZE * 3 / 2);
        bench_close(&bench);
    }
}
END_TEST

/* Cut at 80 %: whole pieces and the piece that was coming are kept; only what was on the wire is
 * lost. */
START_TEST(test_cut)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.bytes_per_s = 3500; /* blocks are smaller than pieces */
    bench_want(&bench, image->name, 0, 4096);
    for (unsigned cuts = 0; cuts < 10; cuts++) {
        uint64_t goal = IMAGE_SIZE * (cuts + 1) / 11;
        while (bench.fill.counts.fetched_bytes < goal) {
            bench_run(&bench, bench.now_ms + 10);
        }
        bench_cut(&bench);
        uint64_t cut_ms = bench.now_ms;
        bench_run(&bench, bench.now_ms + 600000);
        ck_assert_uint_le(bench.last_get_ms, cut_ms);
        bench_join(&bench);
    }
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    ck_assert_uint_eq(bench.fill.counts.fetched_bytes, IMAGE_SIZE);
    ck_assert_uint_eq(bench.fill.counts.refetched_bytes, 0);
    ck_assert_uint_eq(bench.busy, 0);
    bench_close(&bench);
}
END_TEST

/* A new program finds by hashing what the part file holds, and damage there costs its pieces. */
START_TEST(test_restart)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.bytes_per_s = 8000;
    image->part = true;
    memcpy(image->stored, image->data, 409600);
    image->stored[7 * 4096 + 5] ^= 1;
    ck_assert_int_eq(serin_fill_begin(&bench.fill, image->name, bench.now_ms), SERIN_OK);
    bench_run(&bench, bench.now_ms + 100);
    ck_assert(image->known[0] && image->known[99] && !image->known[7] && !image->known[100]);
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    ck_assert_uint_eq(bench_sent(&bench, 0), IMAGE_SIZE - 405504);
    bench_close(&bench);
}
END_TEST

START_TEST(test_wrong_pieces)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.wrong = 100;
    bench.bytes_per_s = 8000;
    uint64_t began = bench.now_ms;
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, began + 59000);
    /* Five in a row, then it rests for a minute. */
    ck_assert_uint_ge(bench.fill.counts.wrong, 5);
    ck_assert_uint_le(bench.fill.counts.wrong, 10);
    ck_assert_uint_eq(bench.stores, 0);
    bench.wrong = 0;
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    bench_close(&bench);
}
END_TEST

/* One piece that upstream always has wrong does not keep the others from coming, nor is it asked
 * for in a hurry. */
START_TEST(test_one_bad_piece)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    image->data[81920] ^= 1; /* what upstream sends; the table knows better */
    want_all();
    bench_run(&bench, bench.now_ms + 600000);
    for (uint32_t piece = 0; piece < image->pieces; piece++) {
        ck_assert_int_eq(image->known[piece], piece != 20);
    }
    ck_assert_uint_le(image->sent[20], 245760);
    ck_assert_uint_ge(image->sent[20], 40960);
    image->data[81920] ^= 1;
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    bench_close(&bench);
}
END_TEST

START_TEST(test_answers_that_say_wait)
{
    static const struct {
        enum serin_block_status status;
        uint32_t retry_ms;
        unsigned least, most; /* requests within ten minutes */
    } cases[] = {{SERIN_BLOCK_BUSY, 500, 600, 1200}, {SERIN_BLOCK_BUSY, 0, 6000, 12000},
                 {SERIN_BLOCK_NOT_FOUND, 0, 7, 17},  {SERIN_BLOCK_NOT_FOUND, 300000, 2, 3},
                 {SERIN_BLOCK_REFUSED, 0, 5, 8},     {SERIN_BLOCK_RANGE, 0, 7, 17}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench_open(&bench, IMAGE_SIZE, 0, 0);
        bench.say = cases[i].status;
        bench.say_retry_ms = cases[i].retry_ms;
        bench_want(&bench, image->name, 0, 4096);
        bench_run(&bench, bench.now_ms + 600000);
        ck_assert_msg(bench.gets >= cases[i].least && bench.gets <= cases[i].most, "case %zu: %u",
                      i, bench.gets);
        ck_assert_int_eq(image->absents > 0, cases[i].status != SERIN_BLOCK_BUSY);
        bench.say = SERIN_BLOCK_DATA;
        bench_run(&bench, NEVER);
        ck_assert(bench_is_whole(&bench, 0));
        ck_assert_uint_eq(bench_sent(&bench, 0), IMAGE_SIZE);
        bench_close(&bench);
    }
}
END_TEST

/* Silence is waited out longer each time, up to a minute, and probed with a single piece. */
START_TEST(test_silence)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.bytes_per_s = 100000;
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, bench.now_ms + 1000);
    bench.queued = 0;
    bench.deaf = true;
    bench.gets = 0;
    bench_run(&bench, bench.now_ms + 600000);
    ck_assert_uint_ge(bench.gets, 11);
    ck_assert_uint_le(bench.gets, 15);
    ck_assert_uint_le(bench.last_get.length, 4096);
    bench.deaf = false;
    bench.largest_window = 0;
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    ck_assert_uint_ge(bench.largest_window, 65536); /* trust is back with the first block */
    bench_close(&bench);
}
END_TEST

/* A link that stands still and then goes on, as TCP does: late blocks are used, so that a stall
 * costs no more than its probes. */
START_TEST(test_stall)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.bytes_per_s = 8000;
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, bench.now_ms + 10000);
    for (size_t i = 0; i < bench.queued; i++) {
        bench.queue[i].at_ms += 12000;
    }
    bench.link_free_ms += 12000;
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    ck_assert_uint_le(bench_sent(&bench, 0), IMAGE_SIZE + 16384);
    bench_close(&bench);
}
END_TEST

START_TEST(test_whole_objects)
{
    static const enum serin_error refusals[] = {SERIN_ERR_SIGNATURE, SERIN_ERR_IO};
    for (size_t i = 0; i < 2; i++) {
        bench_open(&bench, IMAGE_SIZE, 0, 0);
        bench.keep_error = refusals[i];
        bench_want(&bench, bench.manifest_id, 0, 592);
        bench_run(&bench, bench.now_ms + 50000);
        ck_assert(!bench.manifest_stored);
        ck_assert_uint_ge(bench.keeps, 5);
        ck_assert_uint_le(bench.keeps, 11);
        bench.keep_error = SERIN_OK;
        bench_run(&bench, NEVER);
        ck_assert(bench.manifest_stored);
        bench_close(&bench);
    }
    /* Wrong bytes are never kept. */
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.wrong = 100;
    image->table_stored = false;
    bench_want(&bench, bench.manifest_id, 0, 592);
    bench_want(&bench, image->table_name, 0, 1);
    bench_run(&bench, bench.now_ms + 5000);
    ck_assert_uint_eq(bench.keeps, 0);
    ck_assert_uint_ge(bench.fill.counts.wrong, 4);
    bench.wrong = 0;
    bench_run(&bench, NEVER);
    ck_assert(bench.manifest_stored && image->table_stored);
    bench_close(&bench);
    /* Over a bad link, tables too. */
    bench_open(&bench, BENCH_IMAGE_MAX, 0, 0);
    bench.bytes_per_s = 2000;
    bench.lose = bench.damage = bench.twice = bench.wrong = 10;
    image->table_stored = false;
    bench_want(&bench, image->name, 0, 1);
    bench_want(&bench, bench.manifest_id, 0, 592);
    bench_run(&bench, bench.now_ms + 3600000);
    ck_assert(image->table_stored && bench.manifest_stored);
    bench_close(&bench);
}
END_TEST

/* A manifest or table that upstream lacks is asked for again and again, and costs a large table
 * nothing of what it has. */
START_TEST(test_lacking_beside_table)
{
    for (int table = 0; table < 2; table++) {
        bench_open(&bench, BENCH_IMAGE_MAX, 300 * KIB, 0);
        image->table_stored = bench.images[1].table_stored = false;
        bench.lacks = table ? bench.images[1].table_name : bench.manifest_id;
        bench.bytes_per_s = 100;
        bench.allowance = 256;
        bench_want(&bench, bench.lacks, 0, 1);
        bench_want(&bench, image->table_name, 0, 1);
        bench_run(&bench, bench.now_ms + 120000);
        ck_assert(image->table_stored);
        ck_assert_uint_eq(bench.sent_bytes, (uint64_t)image->pieces * 32);
        ck_assert_uint_eq(bench.fill.counts.refetched_bytes, 0);
        ck_assert(table || bench.gets >= 32 + 5); /* of which the manifest's were five */
        bench.lacks = NULL;
        bench_run(&bench, NEVER);
        ck_assert(table ? bench.images[1].table_stored : bench.manifest_stored);
        bench_close(&bench);
    }
}
END_TEST

/* The table of an emergency does not wait for a large one; one that fails takes its place once. */
START_TEST(test_emergency_table)
{
    for (int lacks = 0; lacks < 2; lacks++) {
        bench_open(&bench, BENCH_IMAGE_MAX, 300 * KIB, 0);
        struct bench_image *urgent = &bench.images[1];
        image->table_stored = urgent->table_stored = false;
        urgent->emergency = true;
        bench.lacks = lacks ? urgent->table_name : NULL;
        bench.bytes_per_s = 100;
        bench.allowance = 256;
        bench_want(&bench, image->table_name, 0, 1);
        bench_run(&bench, bench.now_ms + 30000);
        bench_want(&bench, urgent->table_name, 0, 1);
        bench_run(&bench, bench.now_ms + 30000);
        ck_assert_int_eq(urgent->table_stored, !lacks);
        ck_assert(!image->table_stored);
        bench_run(&bench, bench.now_ms + 90000);
        ck_assert(image->table_stored);
        ck_assert_uint_le(bench.fill.counts.refetched_bytes, 3072);
        bench_close(&bench);
    }
}
END_TEST

/* One node may ask for all of an image: a manifest and an emergency that are asked for later go
 * first all the same, and other images take turns with it. */
START_TEST(test_precedence)
{
    bench_open(&bench, BENCH_IMAGE_MAX, 600 * KIB, 300 * KIB);
    struct bench_image *urgent = &bench.images[1], *other = &bench.images[2];
    urgent->emergency = true;
    bench.bytes_per_s = 8000;
    want_all();
    bench_run(&bench, bench.now_ms + 20000);
    bench_want(&bench, other->name, 0, 65536);
    bench_want(&bench, urgent->name, 0, 65536);
    bench_want(&bench, bench.manifest_id, 0, 592);
    /* A window is under way for two seconds; the manifest's takes a tenth. */
    bench_run(&bench, bench.now_ms + 2500);
    ck_assert(bench.manifest_stored);
    bench_run(&bench, bench.now_ms + 9000);
    for (uint32_t piece = 0; piece < 16; piece++) {
        ck_assert(urgent->known[piece]);
    }
    ck_assert(!urgent->known[150]); /* the rest of it waits until nobody waits */
    /* The two others take turns. */
    uint64_t first = bench_sent(&bench, 0), third = bench_sent(&bench, 2);
    bench_run(&bench, bench.now_ms + 12000);
    first = bench_sent(&bench, 0) - first;
    third = bench_sent(&bench, 2) - third;
    ck_assert_uint_ge(first, 32768);
    ck_assert_uint_ge(third, 32768);
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0) && bench_is_whole(&bench, 1) && bench_is_whole(&bench, 2));
    ck_assert_uint_eq(bench.fill.counts.refetched_bytes, 0);
    bench_close(&bench);
}
END_TEST

/* What nobody asks for yet: an emergency's first, then the others, one after the other. */
START_TEST(test_rest_in_order)
{
    bench_open(&bench, 200 * KIB, 100 * KIB, 100 * KIB);
    bench.images[2].emergency = true;
    bench.bytes_per_s = 20000;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(serin_fill_begin(&bench.fill, bench.images[i].name, bench.now_ms),
                         SERIN_OK);
    }
    bench_run(&bench, bench.now_ms + 6000);
    ck_assert(bench_is_whole(&bench, 2));
    bench_run(&bench, bench.now_ms + 10000);
    ck_assert(bench_is_whole(&bench, 0));
    ck_assert(!bench.images[1].known[20]);
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 1));
    bench_close(&bench);
}
END_TEST

/* A full disk: nodes get what they ask for and nothing else is fetched; with room again it is kept.
 */
START_TEST(test_full_disk)
{
    for (int midway = 0; midway < 2; midway++) {
        bench_open(&bench, IMAGE_SIZE, 0, 0);
        bench.bytes_per_s = 100000;
        bench.full = midway == 0;
        bench_want(&bench, image->name, 0, 16384);
        bench_run(&bench, bench.now_ms + 2000);
        bench.full = true;
        bench_run(&bench, bench.now_ms + 10000);
        uint64_t before = bench.sent_bytes;
        bool through = false;
        ck_assert_uint_eq(serin_fill_count(&bench.fill, &through), 1);
        ck_assert(through);
        bench_run(&bench, bench.now_ms + 50000 - 12000);
        ck_assert_uint_eq(bench.sent_bytes, before); /* nobody asks */
        bench_want(&bench, image->name, 120 * 4096, 8192);
        bench_want(&bench, image->name, 120 * 4096, 8192);
        bench_run(&bench, bench.now_ms + 1000);
        ck_assert(image->handed[120] && image->handed[121]);
        ck_assert_uint_eq(image->sent[120], 4096);
        ck_assert(!image->known[120]);
        /* The plugin forgot it: it is fetched again for whoever asks. */
        bench_want(&bench, image->name, 120 * 4096, 4096);
        bench_run(&bench, bench.now_ms + 1000);
        ck_assert_uint_eq(image->sent[120], 8192);
        bench_run(&bench, bench.now_ms + 150000); /* it is looked for each minute */
        bench.full = false;
        bench_run(&bench, bench.now_ms + 75000);
        ck_assert(bench_is_whole(&bench, 0));
        (void)serin_fill_count(&bench.fill, &through);
        ck_assert(!through);
        bench_close(&bench);
    }
}
END_TEST

/* Started on a full disk, what the part file holds is used, and nothing of it is fetched again. */
START_TEST(test_restart_full)
{
    for (int complete = 0; complete < 2; complete++) {
        bench_open(&bench, IMAGE_SIZE, 0, 0);
        bench.bytes_per_s = 20000;
        bench.full = image->part = true;
        memcpy(image->stored, image->data, complete ? IMAGE_SIZE : 409600);
        bench_want(&bench, image->name, 80 * 4096, complete ? 4096 : 40 * 4096);
        bench_run(&bench, bench.now_ms + 50000);
        ck_assert_int_eq(bench_is_whole(&bench, 0), complete);
        ck_assert_int_eq(image->known[0] && image->known[99], !complete); /* or told as a whole */
        ck_assert_int_eq(image->handed[100] && image->handed[119], !complete);
        ck_assert_uint_eq(bench_sent(&bench, 0), complete ? 0 : 20 * 4096);
        bench.full = false;
        bench_run(&bench, NEVER);
        ck_assert(bench_is_whole(&bench, 0));
        ck_assert_uint_eq(bench_sent(&bench, 0), complete ? 0 : IMAGE_SIZE - 409600 + 20 * 4096);
        bench_close(&bench);
    }
}
END_TEST

START_TEST(test_rot)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.bytes_per_s = 20000;
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, bench.now_ms + 5000);
    ck_assert(image->known[0] && image->known[1] && image->known[2]);
    struct serin_want want = {.kind = SERIN_WANT_ROTTEN, .offset = 4096, .length = 8192};
    memcpy(want.object, image->name, 32);
    /* A false alarm is answered by telling again. */
    image->known[1] = image->known[2] = false;
    serin_fill_want(&bench.fill, &want, bench.now_ms);
    serin_fill_poll(&bench.fill, bench.now_ms);
    ck_assert(image->known[1] && image->known[2]);
    ck_assert_uint_eq(bench.fill.counts.rotten, 0);
    /* Rot costs its piece. */
    image->stored[4096 + 17] ^= 1;
    serin_fill_want(&bench.fill, &want, bench.now_ms);
    serin_fill_poll(&bench.fill, bench.now_ms);
    ck_assert(!image->known[1] && image->known[2] && image->known[0]);
    ck_assert_uint_eq(bench.fill.counts.rotten, 1);
    bench_run(&bench, bench.now_ms + 5000);
    ck_assert(image->known[1]);
    /* Rot that nobody told of shows when it is finished. */
    image->stored[0] ^= 1;
    bench_run(&bench, bench.now_ms + 60000);
    ck_assert(bench_is_whole(&bench, 0));
    ck_assert_uint_eq(image->sent[0], 8192);
    ck_assert_uint_eq(image->sent[1], 8192);
    ck_assert_uint_eq(bench_sent(&bench, 0), IMAGE_SIZE + 2 * 4096);
    ck_assert_uint_eq(bench.finishes, 2);
    bench_close(&bench);
}
END_TEST

START_TEST(test_depot_fails)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.bytes_per_s = 20000;
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, bench.now_ms + 2000);
    ck_assert(image->known[0]);
    /* The part file is gone: it is made anew, and the plugin is told to forget. */
    image->part = false;
    memset(image->stored, 0, image->size);
    bench_run(&bench, bench.now_ms + 6000);
    ck_assert_uint_ge(image->fresh, 2);
    bench.store_error = SERIN_ERR_IO;
    bench_run(&bench, bench.now_ms + 60000);
    bench.store_error = SERIN_OK;
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    bench_close(&bench);
}
END_TEST

/* A table and an image that do not belong together: no fetching mends it, so it is tried less and
 * less, and nodes are served what the table proves. */
START_TEST(test_never_whole)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.finish_error = SERIN_ERR_DIGEST;
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, bench.now_ms + 3600000);
    ck_assert_uint_ge(bench.finishes, 5);
    ck_assert_uint_le(bench.finishes, 7);
    ck_assert(image->known[0] && image->known[image->pieces - 1]);
    ck_assert_uint_eq(bench_sent(&bench, 0), IMAGE_SIZE);
    bench_close(&bench);
}
END_TEST

/* The plugin forgets when the site's broker restarts, and hears everything again. */
START_TEST(test_site_away)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.bytes_per_s = 20000;
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, bench.now_ms + 3000);
    bench.site_away = true;
    bench_run(&bench, bench.now_ms + 5000);
    memset(image->known, 0, sizeof image->known);
    ck_assert_uint_lt(bench.haves, 100);
    bench.site_away = false;
    serin_fill_tell_all(&bench.fill, bench.now_ms);
    serin_fill_poll(&bench.fill, bench.now_ms);
    ck_assert(image->known[0] && image->known[20]);
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    bench_close(&bench);
}
END_TEST

/* Words are few: one for 16 KiB, or for a tenth of a second. */
START_TEST(test_few_words)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.bytes_per_s = 1000000;
    bench.block_most = 1024;
    ck_assert_int_eq(serin_fill_begin(&bench.fill, image->name, bench.now_ms), SERIN_OK);
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    ck_assert_uint_ge(bench.haves, 30);
    ck_assert_uint_le(bench.haves, 45);
    bench_close(&bench);
}
END_TEST

START_TEST(test_withdrawn)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.bytes_per_s = 8000;
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, bench.now_ms + 5000);
    bench.refuse = true;
    serin_fill_review(&bench.fill, bench.now_ms);
    unsigned gets = bench.gets;
    bench_run(&bench, bench.now_ms + 60000);
    ck_assert_uint_eq(bench.gets, gets);
    ck_assert_int_eq(image->absent, SERIN_BLOCK_REFUSED);
    ck_assert_uint_eq(image->releases, 1);
    ck_assert(!serin_fill_active(&bench.fill, image->name));
    ck_assert_int_eq(serin_fill_begin(&bench.fill, image->name, bench.now_ms), SERIN_ERR_DENIED);
    bench_want(&bench, image->name, 0, 4096);
    ck_assert_uint_eq(image->absents, 2);
    ck_assert_uint_eq(bench.gets, gets);
    /* Offered again: it goes on with what is there, and the window that was given up is
     * acknowledged. */
    bench.refuse = false;
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    ck_assert_uint_eq(bench.busy, 0);
    ck_assert_uint_le(bench_sent(&bench, 0), IMAGE_SIZE + 20480);
    bench_close(&bench);
}
END_TEST

/* A request that opened no window is not what the next one acknowledges. */
START_TEST(test_done_token)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.bytes_per_s = 8000;
    bench_want(&bench, image->name, 0, 4096);
    uint32_t granted = bench.last_get.token;
    bench.queued = 0; /* the window is lost */
    bench.say = SERIN_BLOCK_BUSY;
    bench_run(&bench, bench.now_ms + 7000);
    ck_assert_uint_ge(bench.gets, 3);
    ck_assert_uint_ne(bench.last_get.token, granted);
    ck_assert_uint_eq(bench.last_get.done_token, granted);
    bench.say = SERIN_BLOCK_DATA;
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    ck_assert_uint_eq(bench.busy, 0);
    bench_close(&bench);
}
END_TEST

/* A new connection or another directive may change an answer: nothing waits for the old one. */
START_TEST(test_answers_age)
{
    bench_open(&bench, IMAGE_SIZE, 300 * KIB, 0);
    bench.say = SERIN_BLOCK_BUSY;
    bench.say_retry_ms = 3600000;
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, bench.now_ms + 1000);
    bench_cut(&bench);
    bench.say = SERIN_BLOCK_REFUSED;
    bench_join(&bench);
    bench_run(&bench, bench.now_ms + 1000);
    ck_assert_uint_eq(bench.gets, 2);
    serin_fill_review(&bench.fill, bench.now_ms);
    bench_run(&bench, bench.now_ms + 1000);
    ck_assert_uint_eq(bench.gets, 3);
    bench_cut(&bench);
    bench.say = SERIN_BLOCK_NOT_FOUND;
    bench_join(&bench);
    bench_run(&bench, bench.now_ms + 1000);
    ck_assert_uint_eq(bench.gets, 4);
    bench_cut(&bench);
    bench.say = SERIN_BLOCK_DATA;
    bench_join(&bench);
    bench_run(&bench, bench.now_ms + 1000);
    ck_assert(bench_is_whole(&bench, 0));
    bench_close(&bench);
}
END_TEST

START_TEST(test_allowance)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.allowance = 0;
    bench.again_ms = bench.now_ms + 77000;
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, bench.now_ms + 76999);
    ck_assert_uint_eq(bench.gets, 0);
    ck_assert_uint_eq(serin_fill_deadline_ms(&bench.fill), bench.again_ms);
    bench.allowance = 5000; /* whole pieces of it */
    bench_run(&bench, bench.again_ms);
    ck_assert_uint_ge(bench.gets, 100);
    ck_assert_uint_eq(bench.largest_window, 4096 + IMAGE_SIZE % 4096);
    ck_assert(bench_is_whole(&bench, 0));
    bench_close(&bench);
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.allowance = 1000; /* or less, where there is no more */
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    ck_assert_uint_eq(bench.largest_window, 1000);
    ck_assert_uint_eq(bench.fill.counts.refetched_bytes, 0);
    bench_close(&bench);
}
END_TEST

/* Wants of hostile nodes: past the end, of 4 GiB, of nothing, of what nobody offers. */
START_TEST(test_hostile_wants)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.bytes_per_s = 100000;
    uint8_t other[32] = {1};
    bench_want(&bench, other, 0, UINT32_MAX);
    bench_want(&bench, image->name, IMAGE_SIZE, UINT32_MAX);
    bench_want(&bench, image->name, UINT32_MAX, UINT32_MAX);
    bench_want(&bench, image->name, IMAGE_SIZE - 1, UINT32_MAX);
    bench_want(&bench, image->name, 5, 0);
    bench_want(&bench, image->name, 0, UINT32_MAX);
    ck_assert_uint_le(bench.fill.objects[0].demand_count, 65);
    struct serin_want rotten = {.kind = SERIN_WANT_ROTTEN, .offset = UINT32_MAX, .length = 9};
    serin_fill_want(&bench.fill, &rotten, bench.now_ms);
    memcpy(rotten.object, image->name, 32);
    serin_fill_want(&bench.fill, &rotten, bench.now_ms);
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    ck_assert_uint_eq(bench_sent(&bench, 0), IMAGE_SIZE);
    bench_close(&bench);
}
END_TEST

/* Blocks that nobody asked for, or that lie, cost their bytes and nothing else. */
START_TEST(test_hostile_blocks)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    bench.deaf = true;
    bench_want(&bench, image->name, 0, 4096);
    bench_run(&bench, bench.now_ms + 10);
    const struct serin_get *get = &bench.last_get;
    static uint8_t data[65536];
    static const uint32_t offsets[] = {0, 1, 4095, 4096, 16384, IMAGE_SIZE - 1, UINT32_MAX};
    static const uint32_t sizes[] = {1, 4096, 16384, 65536};
    unsigned stores = bench.stores;
    for (size_t i = 0; i < 84; i++) {
        struct serin_block block = {.token = i % 3 == 0 ? get->token + 1 : get->token,
                                    .status = SERIN_BLOCK_DATA,
                                    .offset = offsets[i / 3 % 7],
                                    .object_size = i % 3 == 1 ? IMAGE_SIZE : 0,
                                    .window_end = i % 2 == 0 ? UINT32_MAX : 1,
                                    .data = data,
                                    .data_size = sizes[i / 21]};
        block.crc32 = 0x1234567; /* damaged */
        serin_fill_block(&bench.fill, &block, bench.now_ms);
        serin_fill_poll(&bench.fill, bench.now_ms);
    }
    ck_assert_uint_eq(bench.stores, stores);
    ck_assert_uint_eq(bench.fill.counts.refetched_bytes, bench.fill.counts.fetched_bytes);
    /* Right bytes that were not asked for. */
    struct serin_block more = {.token = get->token,
                               .status = SERIN_BLOCK_DATA,
                               .offset = 10 * 4096,
                               .object_size = IMAGE_SIZE,
                               .data = image->data + 40960,
                               .data_size = 4096};
    more.crc32 = serin_crc32(0, more.data, more.data_size);
    serin_fill_block(&bench.fill, &more, bench.now_ms);
    ck_assert_uint_eq(bench.stores, stores);
    /* Another size than the manifest's word: as if it were missing. */
    struct serin_block block = {.token = get->token,
                                .status = SERIN_BLOCK_DATA,
                                .object_size = IMAGE_SIZE + 1,
                                .data = data,
                                .data_size = 4096};
    serin_fill_block(&bench.fill, &block, bench.now_ms);
    ck_assert_int_eq(image->absent, SERIN_BLOCK_NOT_FOUND);
    bench.deaf = false;
    bench_run(&bench, NEVER);
    ck_assert(bench_is_whole(&bench, 0));
    bench_close(&bench);
}
END_TEST

static uint8_t many_names[40][32];

static void describe_many(void *ctx, const uint8_t name[32], struct serin_fill_description *out)
{
    (void)ctx;
    *out = (struct serin_fill_description){.answer = SERIN_FILL_FETCH,
                                           .kind = name[1] == 2 ? SERIN_FILL_MANIFEST
                                                                : SERIN_FILL_WHOLE,
                                           .emergency = name[1] == 1};
}

static enum serin_error get_none(void *ctx, const struct serin_get *get)
{
    (void)ctx;
    (void)get;
    return SERIN_ERR_AGAIN;
}

/* More objects than there are places: what nodes wait for keeps its place, the rest gives way to
 * it; what nobody waits for displaces nothing, but for an emergency. */
START_TEST(test_places)
{
    bench_open(&bench, IMAGE_SIZE, 0, 0);
    struct serin_fill_ops ops = *bench.fill.config.ops;
    ops.describe = describe_many;
    ops.get = get_none;
    bench.fill.config.ops = &ops;
    for (unsigned i = 0; i < 40; i++) {
        many_names[i][0] = (uint8_t)(i + 1);
    }
    uint8_t emergencies[3][32] = {{1, 1}, {2, 1}, {3, 1}}, manifest[32] = {1, 2};
    for (unsigned i = 0; i < 30; i++) {
        bench.now_ms++;
        ck_assert_int_eq(serin_fill_begin(&bench.fill, many_names[i], bench.now_ms),
                         i < 16 ? SERIN_OK : SERIN_ERR_BUSY);
    }
    bool through;
    ck_assert_uint_eq(serin_fill_count(&bench.fill, &through), SERIN_FILL_OBJECTS);
    ck_assert(serin_fill_active(&bench.fill, many_names[0]));
    ck_assert_int_eq(serin_fill_begin(&bench.fill, emergencies[0], bench.now_ms), SERIN_OK);
    ck_assert_int_eq(serin_fill_begin(&bench.fill, manifest, bench.now_ms), SERIN_OK);
    for (unsigned i = 20; i < 36; i++) {
        bench_want(&bench, many_names[i], 0, 1);
    }
    for (unsigned i = 20; i < 36; i++) {
        ck_assert(serin_fill_active(&bench.fill, many_names[i]));
    }
    bench_want(&bench, many_names[0], 0, 1);
    ck_assert(!serin_fill_active(&bench.fill, many_names[0]));
    ck_assert_int_eq(serin_fill_begin(&bench.fill, manifest, bench.now_ms), SERIN_ERR_BUSY);
    /* Nodes wait for an emergency: one that they asked for earlier gives way. */
    bench_want(&bench, emergencies[1], 0, 1);
    ck_assert(serin_fill_active(&bench.fill, emergencies[1]));
    ck_assert_uint_eq(serin_fill_count(&bench.fill, &through), SERIN_FILL_OBJECTS);
    bench.now_ms += 60001; /* nobody asked lately */
    ck_assert_int_eq(serin_fill_begin(&bench.fill, many_names[0], bench.now_ms), SERIN_ERR_BUSY);
    bench_want(&bench, many_names[0], 0, 1);
    bench_want(&bench, emergencies[2], 0, 1); /* it takes an idle one's place, as there are some */
    ck_assert(serin_fill_active(&bench.fill, many_names[0]));
    ck_assert(serin_fill_active(&bench.fill, emergencies[2]));
    ck_assert_uint_eq(bench.gets, 0);
    bench_close(&bench);
}
END_TEST

static const struct serin_fill_ops *roomy;

/* There is memory for one table. */
static void describe_crowded(void *ctx, const uint8_t name[32], struct serin_fill_description *out)
{
    const struct bench *in = ctx;
    bool other = false;
    for (size_t i = 0; i < SERIN_FILL_OBJECTS; i++) {
        const struct serin_fill_object *object = &in->fill.objects[i];
        other = other || (object->state != SERIN_FILL_STATE_FREE &&
                          object->kind == SERIN_FILL_PIECES && memcmp(object->name, name, 32) != 0);
    }
    bool first = memcmp(name, in->images[0].name, 32) == 0;
    if (other && (first || memcmp(name, in->images[1].name, 32) == 0)) {
        *out = (struct serin_fill_description){.answer = SERIN_FILL_CROWDED,
                                               .kind = SERIN_FILL_PIECES,
                                               .emergency = in->images[first ? 0 : 1].emergency};
        return;
    }
    roomy->describe(ctx, name, out);
}

/* No memory for another table: an idle object leaves for one that nodes ask for, and one that they
 * ask for leaves for an emergency. */
START_TEST(test_crowded)
{
    bench_open(&bench, IMAGE_SIZE, 300 * KIB, 4096);
    struct bench_image *other = &bench.images[1], *third = &bench.images[2];
    struct serin_fill_ops ops = *bench.fill.config.ops;
    roomy = bench.fill.config.ops;
    ops.describe = describe_crowded;
    bench.fill.config.ops = &ops;
    bench.bytes_per_s = 8000;
    third->table_stored = false;
    bench.lacks = third->table_name;
    ck_assert_int_eq(serin_fill_begin(&bench.fill, bench.lacks, bench.now_ms), SERIN_OK);
    ck_assert_int_eq(serin_fill_begin(&bench.fill, image->name, bench.now_ms), SERIN_OK);
    bench_run(&bench, bench.now_ms + 5000);
    ck_assert_int_eq(serin_fill_begin(&bench.fill, other->name, bench.now_ms), SERIN_ERR_DENIED);
    ck_assert_uint_eq(image->releases, 0);
    bench_want(&bench, other->name, 0, 65536);
    ck_assert_uint_eq(image->releases, 1);
    ck_assert(serin_fill_active(&bench.fill, other->name));
    ck_assert(serin_fill_active(&bench.fill, third->table_name)); /* that makes no room */
    bench_want(&bench, image->name, 0, 65536);                    /* nodes wait for the other one */
    ck_assert_int_eq(image->absent, SERIN_BLOCK_BUSY);
    ck_assert_uint_eq(other->releases, 0);
    bench_run(&bench, bench.now_ms + 60000);
    ck_assert(bench_is_whole(&bench, 1));
    other->whole = false;
    other->emergency = true;
    bench_want(&bench, image->name, IMAGE_SIZE - 65536, 65536);
    bench_run(&bench, bench.now_ms + 100);
    ck_assert(serin_fill_active(&bench.fill, image->name));
    bench_want(&bench, other->name, 0, 4096);
    ck_assert(serin_fill_active(&bench.fill, other->name));
    ck_assert(!serin_fill_active(&bench.fill, image->name));
    bench_close(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_one_node,
                                  test_herd,
                                  test_demand_first,
                                  test_order_beside_rest,
                                  test_window,
                                  test_bad_link,
                                  test_cut,
                                  test_restart,
                                  test_wrong_pieces,
                                  test_one_bad_piece,
                                  test_answers_that_say_wait,
                                  test_silence,
                                  test_stall,
                                  test_whole_objects,
                                  test_lacking_beside_table,
                                  test_emergency_table,
                                  test_precedence,
                                  test_rest_in_order,
                                  test_full_disk,
                                  test_restart_full,
                                  test_rot,
                                  test_depot_fails,
                                  test_never_whole,
                                  test_site_away,
                                  test_few_words,
                                  test_withdrawn,
                                  test_done_token,
                                  test_answers_age,
                                  test_allowance,
                                  test_hostile_wants,
                                  test_hostile_blocks,
                                  test_places,
                                  test_crowded,
                                  NULL};
    return check_run("gateway_fill", tests);
}
