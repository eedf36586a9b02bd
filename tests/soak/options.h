/* The command line of serin-soak-fleet. */
#ifndef SERIN_SOAK_OPTIONS_H
#define SERIN_SOAK_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define SOAK_JOBS_MAX 64u

struct soak_options {
    double minutes;        /* 0: the number of runs says when it ends */
    uint64_t runs;         /* 0: the time says */
    uint64_t seed;         /* the first */
    unsigned jobs;         /* processes */
    uint32_t devices_max;  /* of a fleet */
    unsigned breaches_max; /* shown, before a process gives up */
    bool only;             /* one seed, told step by step */
    bool help;             /* the usage was asked for, and is told: nothing else is valid */
};

/* False: it complained. */
bool soak_options_read(struct soak_options *options, int argc, char **argv);

#endif
