/* The command line of serin-soak-fleet (options.h). */
#include "options.h"

#include "draw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool usage(void)
{
    (void)fprintf(stderr, "usage: serin-soak-fleet [--minutes N | --runs N] [--seed S] [--jobs N]\n"
                          "                        [--devices-max N] [--breaches N]\n"
                          "       serin-soak-fleet --only SEED [--devices-max N]\n");
    return false;
}

static bool number_read(const char *text, double low, double high, double *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && *number >= low && *number <= high;
}

bool soak_options_read(struct soak_options *options, int argc, char **argv)
{
    double minutes = 0, runs = 0, seed = 1, jobs = 1, devices_max = 400, only = -1, breaches = 10;
    const struct {
        const char *name;
        double low, high;
        double *value;
    } known[] = {
        {"--minutes", 0.01, 100000, &minutes},
        {"--runs", 1, 1e9, &runs},
        {"--seed", 0, 1e15, &seed},
        {"--jobs", 1, SOAK_JOBS_MAX, &jobs},
        {"--only", 0, 1e15, &only},
        {"--devices-max", SOAK_DEVICES_MIN, 100000, &devices_max},
        {"--breaches", 1, 1e6, &breaches},
    };
    for (int i = 1; i < argc; i += 2) {
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
            if (strcmp(argv[i], known[k].name) == 0) {
                found = i + 1 < argc &&
                        number_read(argv[i + 1], known[k].low, known[k].high, known[k].value);
            }
        }
        if (!found) {
            return usage();
        }
    }
    *options = (struct soak_options){
        .minutes = minutes,
        .runs = (uint64_t)runs,
        .seed = (uint64_t)(only >= 0 ? only : seed),
        .jobs = only >= 0 ? 1 : (unsigned)jobs,
        .devices_max = (uint32_t)devices_max,
        .breaches_max = (unsigned)breaches,
        .only = only >= 0,
    };
    if (options->only) {
        options->runs = 1;
    }
    return minutes > 0 || options->runs > 0 ? true : usage();
}
