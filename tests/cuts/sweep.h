/*
 * The sweep: one uncut life of a part, step by step; before each operation of it a fault, and the
 * life that follows. A life with two faults is the same within: the one that follows the first is
 * walked as the uncut one was.
 */
#ifndef SERIN_TESTS_CUTS_SWEEP_H
#define SERIN_TESTS_CUTS_SWEEP_H

#include "points.h"

struct cuts_sweep {
    const struct cuts_goods *goods;
    struct cuts_totals *totals;
    struct cuts_keys keys;
    struct cuts_quota quota;
    unsigned jobs, job;    /* of each `jobs` operations the one numbered `job` is this worker's */
    uint64_t pairs_one_in; /* of so many first faults one gets a second; 0: none does */
    unsigned rots;         /* so many flipped bits at each operation, in parts that are drawn */
    bool all_pairs;        /* each operation with each later one of its chapter; */
    bool pairs_in_slots;   /* of those in slots and scratch alone */
    unsigned chapter;      /* only operations of this one; CUTS_CHAPTERS: of all, and the factory */
    uint64_t events_one_in; /* at one of so many operations something is lost, and after one of so
                               many doubtful faults the application crashes; 0: never */
    uint64_t real_one_in;   /* of so many points one is lived with real cryptography; 0: none */
    uint64_t whole_one_in;  /* one is lived to the story's end, the others to that of the next
                               chapter; 0: none */
    uint64_t dice;
    bool telling;
    bool (*go_on)(void *ctx); /* asked before each operation */
    void *ctx;
    /* while it runs */
    struct cuts_geometry geometry;
    struct cuts_uncut uncut[CUTS_CHAPTERS];
    uint64_t tried; /* points so far */
};

/* Cuts one part; findings are in the totals. False: the uncut life itself breaks a rule, or there
 * is no memory; said on stderr. */
bool cuts_sweep_part(struct cuts_sweep *sweep, const struct cuts_geometry *geometry);

/* Lives one point, told line by line, and says whether every rule held. False: one did not, or the
 * uncut life breaks one itself. */
bool cuts_sweep_replay(struct cuts_sweep *sweep, const struct cuts_point *point);

#endif
