/* The command line of serin-soak-fleet (options.h). */
#include "options.h"

#include "draw.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(FILE *to)
{
    (void)fprintf(to, "usage: serin-soak-fleet [--minutes N | --runs N] [--seed S] [--jobs N]\n"
                      "                        [--devices-max N] [--breaches N]\n"
                      "       serin-soak-fleet --only SEED [--devices-max N]\n");
}

/* Always false. */
static bool wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool wrong(const char *format, ...)
{
    va_list arguments;
    (void)fputs("serin-soak-fleet: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputs(" (try --help)\n", stderr);
    return false;
}

static bool number_read(const char *text, double low, double high, double *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && *number >= low && *number <= high;
}

/* One of the numbers of the command line. */
struct number {
    const char *name;
    double low, high;
    double *value;
};

static bool option_read(const struct number *known, size_t count, const char *name,
                        const char *text)
{
    for (size_t k = 0; k < count; k++) {
        if (strcmp(name, known[k].name) == 0) {
            return (text != NULL &&
                    number_read(text, known[k].low, known[k].high, known[k].value)) ||
                   wrong("%s takes %.15g to %.15g, not '%s'", name, known[k].low, known[k].high,
                         text != NULL ? text : "");
        }
    }
    return wrong("there is no option %s", name);
}

bool soak_options_read(struct soak_options *options, int argc, char **argv)
{
    double minutes = 0, runs = 0, seed = 1, jobs = 1, devices_max = 400, only = -1, breaches = 10;
    const struct number known[] = {
        {"--minutes", 0.01, 100000, &minutes},
        {"--runs", 1, 1e9, &runs},
        {"--seed", 0, 1e15, &seed},
        {"--jobs", 1, SOAK_JOBS_MAX, &jobs},
        {"--only", 0, 1e15, &only},
        {"--devices-max", SOAK_DEVICES_MIN, 100000, &devices_max},
        {"--breaches", 1, 1e6, &breaches},
    };
    options->help = false;
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options->help = true;
            usage(stdout);
            return true;
        }
        if (!option_read(known, sizeof known / sizeof known[0], argv[i],
                         i + 1 < argc ? argv[i + 1] : NULL)) {
            return false;
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
    return minutes > 0 || options->runs > 0 || wrong("needs --minutes, --runs or --only");
}
