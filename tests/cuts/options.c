/* The command line of serin-cut (options.h). */
#include "options.h"

#include "goods.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool usage(void)
{
    (void)fprintf(stderr,
                  "usage: serin-cut --short [--first] [--jobs N] [--part NAME] [--chapter NAME]\n"
                  "       serin-cut --minutes N [--seed S] [--first] [--jobs N] [--part NAME]\n"
                  "       serin-cut --trouble LIVES [--seed S] [--first] [--jobs N] [--part NAME]\n"
                  "       serin-cut --replay LINE\n");
    return false;
}

static bool number_read(const char *text, double low, double high, double *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && *number >= low && *number <= high;
}

static bool chapter_read(const char *name, unsigned *chapter)
{
    for (*chapter = 0; *chapter < CUTS_CHAPTERS; (*chapter)++) {
        if (strcmp(name, cuts_story[*chapter].name) == 0) {
            return true;
        }
    }
    return false;
}

/* An option with a value. */
static bool pair_read(struct cuts_options *options, const char *name, const char *value)
{
    double number = 0;
    if (strcmp(name, "--minutes") == 0 && number_read(value, 0.01, 100000, &number)) {
        options->minutes = number;
    } else if (strcmp(name, "--trouble") == 0 && number_read(value, 1, 1e6, &number)) {
        options->lives = (unsigned)number;
    } else if (strcmp(name, "--seed") == 0 && number_read(value, 0, 1e15, &number)) {
        options->seed = (uint64_t)number;
    } else if (strcmp(name, "--jobs") == 0 && number_read(value, 1, CUTS_JOBS_MAX, &number)) {
        options->jobs = (unsigned)number;
    } else if (strcmp(name, "--part") == 0) {
        options->part = value;
    } else if (strcmp(name, "--chapter") == 0) {
        return chapter_read(value, &options->chapter);
    } else if (strcmp(name, "--replay") == 0) {
        options->replay = value;
    } else {
        return false;
    }
    return true;
}

bool cuts_options_read(struct cuts_options *options, int argc, char **argv)
{
    *options = (struct cuts_options){.seed = 1, .jobs = 2, .chapter = CUTS_CHAPTERS};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--short") == 0) {
            options->brief = true;
        } else if (strcmp(argv[i], "--first") == 0) {
            options->first = true;
        } else if (i + 1 < argc && pair_read(options, argv[i], argv[i + 1])) {
            i++;
        } else {
            return usage();
        }
    }
    int forms = (options->brief ? 1 : 0) + (options->minutes > 0 ? 1 : 0) +
                (options->lives > 0 ? 1 : 0) + (options->replay != NULL ? 1 : 0);
    return forms == 1 || usage();
}
