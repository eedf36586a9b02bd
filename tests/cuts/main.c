/*
 * serin-cut: the life of a device, cut at every operation of its flash, on parts of many sorts.
 *
 *   serin-cut --short          the fixed sweep of scripts/check: prints its numbers, demands them
 *   serin-cut --minutes N      drawn parts and faults (scripts/soak-flash)
 *   serin-cut --trouble LIVES  so many lives in trouble that passes, and no cuts
 *   serin-cut --replay LINE    one point again, told line by line
 *
 * Exit status: 0 every rule held; 1 one broke, or the numbers are too small; 2 wrong use, or no
 * memory.
 */
#include "known.h"
#include "memo.h"
#include "options.h"
#include "sweep.h"
#include "trouble.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHORT_POINTS 100000u
#define SHORT_REAL   1000u
#define SHORT_LIVES  300u /* in trouble that passes; */
#define SHORT_STRUCK 200u /* of them those that anything went wrong in, at least */
#define DRAWN_LIVES  4u   /* on each part that is drawn */
#define KEYS         (1u << 20)
#define DRAWN_SHARE  32u
#define RECORD_PREFIXES \
    (SERIN_BOOT_RECORD_SIZE + 1u) /* on that part: all of a record's, and entries' */
#define LARGE_SECTOR   16384u
#define SMALL_SECTOR   1024u   /* up to here the soak tries all pairs, now and then */
#define PAIRS_PART     "nor8"  /* all pairs of first faults and later operations are tried on it, */
#define REWRITING_PART "wide8" /* and on this one those of the slots and the scratch region */

static struct cuts_goods goods;

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- a worker ---- */

struct worker {
    const struct cuts_options *options;
    double until; /* 0: to the end */
    struct cuts_sweep sweep;
};

static bool go_on(void *ctx)
{
    const struct worker *worker = ctx;
    if (worker->options->first && !cuts_known_all(worker->sweep.totals)) {
        return false;
    }
    return worker->until <= 0 || seconds_now() < worker->until;
}

/* Lives in trouble numbered from `first` on, each part in its turn but those of large sectors,
 * which take long. */
static bool live_troubled(struct worker *worker, uint32_t first, unsigned lives)
{
    const struct cuts_options *options = worker->options;
    unsigned turn = 0;
    for (unsigned i = 0; i < lives && go_on(worker); i++) {
        struct cuts_trouble trouble;
        do {
            turn = (turn + 1u) % (CUTS_GEOMETRIES - 1u);
        } while (cuts_geometries[turn].sector > LARGE_SECTOR - 1u);
        if (i % options->jobs != worker->sweep.job ||
            (options->part != NULL && options->lives == 0 &&
             strcmp(options->part, cuts_geometries[turn].name) != 0)) {
            continue;
        }
        struct cuts_geometry part = cuts_geometries[turn];
        if (options->lives > 0 && options->part != NULL) {
            (void)cuts_geometry_named(options->part, &part); /* known: part_known */
        }
        cuts_trouble_draw(&part, first + i, &trouble);
        if (!cuts_trouble_live(&goods, &trouble, worker->sweep.totals)) {
            return false;
        }
    }
    return true;
}

/* The fixed sweep: every part. */
static bool sweep_short(struct worker *worker)
{
    struct cuts_sweep *sweep = &worker->sweep;
    const char *only = worker->options->part;
    for (unsigned i = 0; i + 1u < CUTS_GEOMETRIES; i++) {
        const struct cuts_geometry *part = &cuts_geometries[i];
        if ((only != NULL && strcmp(only, part->name) != 0) || !go_on(worker)) {
            continue;
        }
        /* Logs in large sectors take long to read: every eighth operation. */
        sweep->jobs = worker->options->jobs * (part->sector > LARGE_SECTOR ? 8u : 1u);
        sweep->real_one_in = 200;
        sweep->whole_one_in = 96;
        sweep->rots = 5;
        sweep->pairs_in_slots = strcmp(part->name, REWRITING_PART) == 0;
        sweep->all_pairs = sweep->pairs_in_slots || strcmp(part->name, PAIRS_PART) == 0;
        bool rewrites =
            part->sector > SERIN_PIECE_SIZE; /* after a cut: a second one falls into it */
        sweep->pairs_one_in = sweep->all_pairs ? 0 : rewrites ? 300 : 1500;
        sweep->events_one_in = 16;
        sweep->quota = (struct cuts_quota){
            .each = 1,
            .one_in = 4,
            .prefixes = strcmp(part->name, PAIRS_PART) == 0 ? RECORD_PREFIXES : 8,
            .salt = 1};
        if (!cuts_sweep_part(sweep, part)) {
            return false;
        }
    }
    return worker->options->chapter != CUTS_CHAPTERS || live_troubled(worker, 1, SHORT_LIVES);
}

/* Drawn parts and quotas until the time is over. */
static bool sweep_drawn(struct worker *worker)
{
    struct cuts_sweep *sweep = &worker->sweep;
    while (go_on(worker)) {
        struct cuts_geometry part;
        cuts_geometry_draw(&sweep->dice, &part);
        if (worker->options->part != NULL && !cuts_geometry_named(worker->options->part, &part)) {
            return false;
        }
        sweep->quota = (struct cuts_quota){.each = 1u + (unsigned)(cuts_dice(&sweep->dice) % 4u),
                                           .one_in = 1,
                                           .prefixes = 16,
                                           .salt = cuts_dice(&sweep->dice)};
        sweep->jobs = DRAWN_SHARE; /* a part of each life's operations: soon over, and drawn anew */
        sweep->job = (unsigned)(cuts_dice(&sweep->dice) % DRAWN_SHARE);
        sweep->real_one_in = 500;
        sweep->whole_one_in = 8;
        sweep->rots = 16;
        sweep->pairs_one_in = 100;
        sweep->events_one_in = 4;
        sweep->all_pairs = part.sector <= SMALL_SECTOR && cuts_dice(&sweep->dice) % 4u == 0;
        struct cuts_trouble trouble;
        for (unsigned i = 0; i < DRAWN_LIVES && go_on(worker); i++) {
            cuts_trouble_draw(&part, (uint32_t)cuts_dice(&sweep->dice), &trouble);
            if (!cuts_trouble_live(&goods, &trouble, sweep->totals)) {
                return false;
            }
        }
        if (!cuts_sweep_part(sweep, &part)) {
            return false;
        }
    }
    return true;
}

static bool work(const struct cuts_options *options, unsigned job, double until,
                 struct cuts_totals *totals)
{
    static struct worker worker;
    worker = (struct worker){.options = options, .until = until};
    worker.sweep = (struct cuts_sweep){.goods = &goods,
                                       .totals = totals,
                                       .jobs = options->jobs,
                                       .job = job,
                                       .chapter = options->chapter,
                                       .dice = options->seed * 1000003u + job + 1u,
                                       .go_on = go_on,
                                       .ctx = &worker};
    for (unsigned i = 0; i < 8; i++) {
        (void)cuts_dice(&worker.sweep.dice);
    }
    if (!cuts_keys_open(&worker.sweep.keys, KEYS)) {
        return false;
    }
    totals->done = options->lives > 0
                       ? live_troubled(&worker, (uint32_t)options->seed, options->lives)
                   : options->brief ? sweep_short(&worker)
                                    : sweep_drawn(&worker);
    cuts_keys_close(&worker.sweep.keys);
    return totals->done;
}

/* ---- all of them ---- */

/* Runs the workers and adds up. False: one did not come to its end. */
static bool run_workers(const struct cuts_options *options, struct cuts_totals *shared,
                        struct cuts_totals *sum)
{
    pid_t pids[CUTS_JOBS_MAX];
    double until = options->minutes > 0 ? seconds_now() + options->minutes * 60.0 : 0;
    bool whole = true;
    (void)fflush(stdout);
    for (unsigned job = 0; job < options->jobs; job++) {
        pids[job] = fork();
        if (pids[job] == 0) {
            /* Not _exit: what leaks, or was covered, is told at the end of a process. */
            exit(work(options, job, until, &shared[job]) ? 0 : 1);
        }
    }
    for (unsigned job = 0; job < options->jobs; job++) {
        int status = 0;
        if (pids[job] < 0 || waitpid(pids[job], &status, 0) != pids[job] || status != 0 ||
            !shared[job].done) {
            (void)printf("worker %u ended with status %d\n", job, status);
            whole = false;
        }
        cuts_totals_join(sum, &shared[job]);
    }
    return whole;
}

static bool demand(uint64_t count, uint64_t least, const char *what)
{
    if (count < least) {
        (void)printf("BROKEN: %llu %s, and %llu are demanded\n", (unsigned long long)count, what,
                     (unsigned long long)least);
    }
    return count >= least;
}

static int sweep_all(const struct cuts_options *options)
{
    static struct cuts_totals sum;
    double begun = seconds_now();
    size_t size = sizeof(struct cuts_totals) * options->jobs;
    struct cuts_totals *shared =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        (void)fprintf(stderr, "no memory\n");
        return 2;
    }
    bool good = run_workers(options, shared, &sum);
    cuts_totals_print(&sum, seconds_now() - begun);
    bool all = options->brief && options->part == NULL && !options->first &&
               options->chapter == CUTS_CHAPTERS;
    if (all) {
        good = demand(cuts_totals_points(&sum), SHORT_POINTS, "distinct points") && good;
        good = demand(sum.real, SHORT_REAL, "points with real cryptography") && good;
        good = demand(sum.lives, SHORT_LIVES, "lives in trouble") && good;
        good = demand(sum.lives_struck, SHORT_STRUCK, "of them struck") && good;
    }
    good = cuts_known_judge(&sum, all) == 0 && good;
    (void)munmap(shared, size);
    (void)printf(good ? "every rule held\n" : "FAILED\n");
    return good ? 0 : 1;
}

static int replay(const struct cuts_options *options)
{
    struct cuts_point point;
    struct cuts_trouble trouble;
    if (cuts_trouble_parse(options->replay, &trouble)) {
        return cuts_trouble_replay(&goods, &trouble) ? 0 : 1;
    }
    if (!cuts_point_parse(options->replay, &point)) {
        (void)fprintf(stderr, "serin-cut: this is no point: '%s'\n", options->replay);
        return 2;
    }
    struct cuts_sweep sweep = {.goods = &goods, .jobs = 1, .telling = true};
    return cuts_sweep_replay(&sweep, &point) ? 0 : 1;
}

static bool part_known(const struct cuts_options *options)
{
    struct cuts_geometry part;
    if (options->part == NULL ||
        (cuts_geometry_named(options->part, &part) &&
         (!options->brief || cuts_geometry_row(&part) + 1u < CUTS_GEOMETRIES))) {
        return true;
    }
    (void)fprintf(stderr, "serin-cut: there is no part '%s'%s (try --help)\n", options->part,
                  options->brief ? " in the fixed sweep" : "");
    return false;
}

int main(int argc, char **argv)
{
    struct cuts_options options;
    if (!cuts_options_read(&options, argc, argv)) {
        return 2;
    }
    if (options.help) {
        return 0;
    }
    if (!part_known(&options) || !cuts_goods_make(&goods)) {
        return 2;
    }
    int status = options.replay != NULL ? replay(&options) : sweep_all(&options);
    cuts_goods_free(&goods);
    cuts_crypto_close();
    return status;
}
