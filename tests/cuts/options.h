/* The command line of serin-cut. */
#ifndef SERIN_TESTS_CUTS_OPTIONS_H
#define SERIN_TESTS_CUTS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define CUTS_JOBS_MAX 16u

struct cuts_options {
    bool help;          /* was asked for and printed; nothing else counts */
    bool brief;         /* the form for ctest: fixed parts, fixed quotas, the numbers demanded */
    unsigned lives;     /* else: so many lives in trouble that passes, alone */
    double minutes;     /* else: drawn parts and faults for so long */
    uint64_t seed;      /* of what is drawn; 1 by default */
    unsigned jobs;      /* workers; 2 by default */
    bool first;         /* the first failure that is not known ends it */
    const char *part;   /* this one alone; NULL: all */
    unsigned chapter;   /* faults in this one alone; CUTS_CHAPTERS: in all, and in the factory */
    const char *replay; /* one line; NULL: none */
};

/* False: said on stderr. */
bool cuts_options_read(struct cuts_options *options, int argc, char **argv);

#endif
