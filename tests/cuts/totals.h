/*
 * What came of all points together: numbers, and what was found. One per worker, in memory that it
 * shares with the one who adds up.
 */
#ifndef SERIN_TESTS_CUTS_TOTALS_H
#define SERIN_TESTS_CUTS_TOTALS_H

#include "geometry.h"

#define CUTS_FINDINGS   256u
#define CUTS_REPLAY_MAX 512u

/* A rule that broke, and one point of those that break it alike. */
struct cuts_finding {
    const char *failure;   /* in static storage, the same in all workers */
    const char *places[2]; /* that its faults which left doubt struck, in static storage; NULL */
    char detail[160];      /* of that point */
    enum cuts_event event;
    bool trouble;                       /* that passes (trouble.h), in the place of faults */
    struct serin_flash_fault faults[2]; /* of that point; those that break it alike differ in place
                                           and contents alone */
    uint64_t count;
    char replay[CUTS_REPLAY_MAX];
};

struct cuts_totals {
    uint64_t points[CUTS_GEOMETRIES][SERIN_FLASH_FAULT_KIND_COUNT]; /* distinct ones, lived */
    uint64_t chapters[CUTS_CHAPTERS]; /* the same, by where the first fault fell; */
    uint64_t factory;                 /* those of the factory are here */
    uint64_t merged[CUTS_GEOMETRIES]; /* beside them: left a state that was judged already */
    uint64_t singles, pairs, real;    /* the same points: with one fault, with two; with real
                                         cryptography */
    uint64_t events[CUTS_EVENTS];     /* the same points, by what strikes beside, or instead */
    uint64_t repeated;                /* asked for again, and left out */
    uint64_t steps, boots, cuts;
    uint64_t again_bytes; /* fetched again */
    uint64_t silent;      /* whose fault did not fire: each is a finding */
    uint64_t broken;      /* that broke a rule */
    struct cuts_finding findings[CUTS_FINDINGS];
    unsigned finding_count;
    uint64_t lives;        /* in trouble that passes, beside the points; */
    uint64_t lives_struck; /* of them those that anything went wrong in, */
    uint64_t hits;         /* and how often */
    bool done;             /* the worker came to its end */
};

/* Whether a fault leaves cells that do not read as what they are: loose ones, torn ones that look
 * erased. Rot that reads the same each time is none. */
bool cuts_leaves_doubt(const struct serin_flash_fault *fault);
/* Keeps one more that broke a rule; those that break it alike are one finding. */
void cuts_totals_find(struct cuts_totals *totals, const struct cuts_life *life,
                      const struct cuts_finding *finding);
void cuts_totals_join(struct cuts_totals *totals, const struct cuts_totals *other);
uint64_t cuts_totals_points(const struct cuts_totals *totals);
void cuts_totals_print(const struct cuts_totals *totals, double seconds);

#endif
