/*
 * A drawn fleet: the real rollout engine over devices whose outcomes and delays are drawn from a
 * seed. There is no flash and no network, so that a thousand rollouts over a hundred thousand
 * devices can be counted; one of each kind goes through the full simulator as well (scripts/bench
 * rollout).
 *
 *   offered ─▶ accepts ─▶ starts its trial ─▶ ends (confirmed, or failed for a reason)
 *           0 .. 30 s    1 .. 5 min          10 .. 70 s, or while it fails 30 s .. 15 min
 *
 * After a halt whoever has not started a trial stops; a trial comes to its own end.
 */
#ifndef SERIN_BENCH_DRAWN_H
#define SERIN_BENCH_DRAWN_H

#include <serin/orchestrator/engine.h>

#define DRAWN_ALL     1000000u /* shares are in millionths */
#define DRAWN_STORMS  4u
#define DRAWN_BEAT_MS 3600000u

/* A bad network day: a share of the devices, updated or not, is cut off. */
struct drawn_storm {
    uint64_t from_ms, for_ms;
    uint64_t every_ms; /* from one to the next of the same kind, over the same devices; 0: one */
    uint32_t share;
    bool noticed; /* it is the engine's own way to the devices: reports are down meanwhile */
};

struct drawn_config {
    struct serin_policy policy;
    uint32_t devices;
    uint32_t fails;        /* share that fails under the candidate */
    uint32_t hangs;        /* share whose trial never ends, though they beat on */
    uint32_t regresses;    /* share that confirms, and regresses later */
    uint32_t deaf;         /* share that confirms, and falls silent later */
    uint32_t errs;         /* share that confirms, and counts errors later, ten an hour */
    uint32_t errs_before;  /* share that counts as many from the first stage on, until updated */
    uint32_t later_min_ms; /* how much later, at least and at most; 0: 1 to 6 hours */
    uint32_t later_max_ms;
    uint32_t change_at;      /* place in order of rank before which nothing of that happens */
    uint32_t offline;        /* share that is never reached */
    uint32_t failing_max_ms; /* how long a failure may take from the trial's start; 0: 15 minutes */
    bool beats;              /* hourly, so that silence is judged and there is a control group */
    bool timed;              /* take the time that is spent in the engine */
    size_t storm_count;
    struct drawn_storm storms[DRAWN_STORMS]; /* in order of time, from the start of the run */
    uint64_t jump_ms;                        /* when the engine's clock jumps; 0: never */
    int64_t jump_by_ms;                      /* below 0: back */
    /* The engine's program restarts so often, first at `restart_ms` from the start of the run: it
     * hears nobody for a minute, and has of the rollout what `stored` gives back. */
    uint32_t restarts;
    uint64_t restart_ms, restart_every_ms;
    enum serin_error (*stored)(struct serin_rollout *rollout); /* NULL: it does not restart */
    uint64_t seed;
};

struct drawn_result {
    enum serin_rollout_state state;
    uint32_t stage;
    bool held;
    uint64_t held_ms; /* all the time in which it was held */
    uint32_t exposed; /* accepted the directive */
    uint32_t failed;  /* all that failed in the end, those in flight at a halt included */
    uint32_t publishes;
    uint64_t ended_ms; /* since the start; of a halt: when it was published */
    uint64_t reports;  /* handled by the engine */
    double engine_s;   /* spent in it, ticks and comparisons included; 0 where it is not `timed` */
    char why[SERIN_ROLLOUT_WHY_MAX];
};

/* Runs one rollout to its end, or to where it waits for an operator. False: memory is exhausted, or
 * the engine refused an event or went on for more than a hundred days, and `why` says which. */
bool drawn_run(const struct drawn_config *config, struct drawn_result *result);

/* Reports a second that the engine alone handles on one core, over `reports` or more. */
double drawn_speed(uint32_t devices, uint64_t reports);
/* The same in a whole rollout to a fleet of gateways and revisions that beats, of which some fail,
 * regress or are out of reach: with all that ticks, sweeps and comparisons cost. */
double drawn_speed_mixed(const struct serin_policy *policy, uint32_t devices);

#endif
