/* The command line of serin-cut (options.h). */
#include "options.h"

#include "geometry.h"
#include "goods.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "serin-cut: the life of a device, cut at every operation of its flash\n"
    "\n"
    "  serin-cut --short          the fixed sweep of scripts/check: prints its numbers, demands "
    "them\n"
    "  serin-cut --minutes N      drawn parts and faults (scripts/soak-flash)\n"
    "  serin-cut --trouble LIVES  so many lives in trouble that passes, and no cuts\n"
    "  serin-cut --replay LINE    one point again, told line by line\n"
    "\n"
    "  --seed S        of what is drawn (1)\n"
    "  --jobs N        workers, 1 to 16 (2)\n"
    "  --part NAME     one flash part alone; without --short also SECTORxUNITxERASED[-ecc], as\n"
    "                  1024x8xff\n"
    "  --chapter NAME  cuts in that chapter alone\n"
    "  --first         ends at the first rule that breaks\n"
    "\n";

static void help_tell(void)
{
    (void)fputs(help, stdout);
    (void)fputs("parts:   ", stdout);
    for (unsigned i = 0; i + 1u < CUTS_GEOMETRIES; i++) {
        (void)printf(" %s", cuts_geometries[i].name);
    }
    (void)fputs("\nchapters:", stdout);
    for (unsigned i = 0; i < CUTS_CHAPTERS; i++) {
        (void)printf(" %s", cuts_story[i].name);
    }
    (void)fputs("\n\nExit status: 0 every rule held; 1 one broke, or the numbers are too small; 2 "
                "wrong use, or no memory.\n",
                stdout);
}

/* Always false. */
static bool wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool wrong(const char *format, ...)
{
    va_list arguments;
    (void)fputs("serin-cut: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputs(" (try --help)\n", stderr);
    return false;
}

/* Whether `text` is a number from low to high; said where it is not. */
static bool number_read(const char *name, const char *text, double low, double high, double *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtod(text, &end);
    return (errno == 0 && end != text && *end == '\0' && *number >= low && *number <= high) ||
           wrong("%s takes a number from %.15g to %.15g, not '%s'", name, low, high, text);
}

static bool chapter_read(const char *name, unsigned *chapter)
{
    for (*chapter = 0; *chapter < CUTS_CHAPTERS; (*chapter)++) {
        if (strcmp(name, cuts_story[*chapter].name) == 0) {
            return true;
        }
    }
    return wrong("there is no chapter '%s'", name);
}

/* An option with a value. */
static bool pair_read(struct cuts_options *options, const char *name, const char *value)
{
    double number = 0;
    if (strcmp(name, "--part") == 0) {
        options->part = value;
    } else if (strcmp(name, "--chapter") == 0) {
        return chapter_read(value, &options->chapter);
    } else if (strcmp(name, "--replay") == 0) {
        options->replay = value;
    } else if (strcmp(name, "--minutes") == 0) {
        return number_read(name, value, 0.01, 100000, &options->minutes);
    } else if (strcmp(name, "--trouble") == 0) {
        bool good = number_read(name, value, 1, 1e6, &number);
        options->lives = good ? (unsigned)number : 0;
        return good;
    } else if (strcmp(name, "--seed") == 0) {
        bool good = number_read(name, value, 0, 1e15, &number);
        options->seed = good ? (uint64_t)number : 0;
        return good;
    } else {
        bool good = number_read(name, value, 1, CUTS_JOBS_MAX, &number);
        options->jobs = good ? (unsigned)number : 1u;
        return good;
    }
    return true;
}

static bool takes_value(const char *name)
{
    static const char *const names[] = {"--part",    "--chapter", "--replay", "--minutes",
                                        "--trouble", "--seed",    "--jobs"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool cuts_options_read(struct cuts_options *options, int argc, char **argv)
{
    *options = (struct cuts_options){.seed = 1, .jobs = 2, .chapter = CUTS_CHAPTERS};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--short") == 0) {
            options->brief = true;
        } else if (strcmp(argv[i], "--first") == 0) {
            options->first = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options->help = true;
            help_tell();
            return true;
        } else if (!takes_value(argv[i])) {
            return wrong("there is no option '%s'", argv[i]);
        } else if (i + 1 == argc) {
            return wrong("%s needs a value", argv[i]);
        } else if (!pair_read(options, argv[i], argv[i + 1])) {
            return false;
        } else {
            i++;
        }
    }
    int forms = (options->brief ? 1 : 0) + (options->minutes > 0 ? 1 : 0) +
                (options->lives > 0 ? 1 : 0) + (options->replay != NULL ? 1 : 0);
    return forms == 1 || wrong("takes one of --short, --minutes, --trouble and --replay");
}
