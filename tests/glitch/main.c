/*
 * serin-glitch: what a bootloader or an agent refuses, it refuses with any one of its instructions
 * skipped, any branch taken, any call not made (docs/testing.md, "Glitches").
 *
 *   serin-glitch [--only NAME] [--hits N] [--zero 1] [--brief 1|2]
 *   serin-glitch --play NAME:KIND:OFFSET:NTH
 *
 * Exit status: 0: nothing was accepted that should not be; 1: something was, or a glitch did not
 * fire; 2: nothing was tried.
 */
#include "scene.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    struct glitch_effort effort;
    unsigned brief;
    const char *only, *play;
};

static size_t trial_count(void)
{
    return boot_trial_count + agent_trial_count;
}

static const struct scene_trial *trial_at(size_t n)
{
    return n < boot_trial_count ? &boot_trials[n] : &agent_trials[n - boot_trial_count];
}

static int play(const char *what)
{
    char name[32], kind[32];
    size_t offset;
    unsigned nth;
    if (sscanf(what, "%31[^:]:%31[^:]:%zu:%u", name, kind, &offset, &nth) != 4) {
        (void)fprintf(stderr, "serin-glitch: --play wants NAME:KIND:OFFSET:NTH\n");
        return 2;
    }
    for (size_t i = 0; i < trial_count(); i++) {
        for (enum glitch_kind n = 0; n < GLITCH_KINDS; n++) {
            struct glitch_trial trial = trial_at(i)->trial;
            if (strcmp(trial.name, name) != 0 || strcmp(glitch_kinds[n], kind) != 0) {
                continue;
            }
            bool fired;
            trial.ctx = trial_at(i)->make();
            enum glitch_end end = glitch_play(&trial, n, offset, nth, &fired);
            printf("%s: %s%s\n", what, glitch_ends[end], fired ? "" : " (not fired)");
            scene_close(trial.ctx);
            /* One that did not fire proves nothing. */
            return end == GLITCH_BREACH || !fired ? 1 : 0;
        }
    }
    (void)fprintf(stderr, "serin-glitch: there is no such trial or kind\n");
    return 2;
}

/* Sweeps one trial into the sum. False: it is not as it must be. */
static bool sweep_one(const struct scene_trial *what, const struct options *options,
                      struct glitch_totals *sum)
{
    struct glitch_trial trial = what->trial;
    struct glitch_totals totals = {.points = 0};
    trial.ctx = what->make();
    bool good = glitch_sweep(&trial, &options->effort, &totals);
    scene_close(trial.ctx);
    printf("%-15s %5zu instructions %6zu glitches:", trial.name, totals.instructions,
           totals.points);
    for (size_t end = 0; end < GLITCH_ENDS; end++) {
        printf(" %s %zu", glitch_ends[end], totals.ends[end]);
    }
    printf("%s\n", trial.weak ? ", as there must be" : "");
    (void)fflush(stdout);
    sum->unfired += totals.unfired;
    if (trial.weak || trial.expected == GLITCH_BREACH) {
        /* The proof of the harness: one verification falls to one glitch, and what is good is
         * accepted. */
        return good && totals.ends[GLITCH_BREACH] > 0;
    }
    sum->points += totals.points;
    sum->ends[GLITCH_BREACH] += totals.ends[GLITCH_BREACH];
    return good;
}

static int sweep(const struct options *options)
{
    struct glitch_totals sum = {.points = 0};
    bool good = true;
    size_t tried = 0;
    for (size_t i = 0; i < trial_count(); i++) {
        const struct glitch_trial *trial = &trial_at(i)->trial;
        if ((options->only == NULL || strcmp(options->only, trial->name) == 0) &&
            trial->brief >= options->brief) {
            good = sweep_one(trial_at(i), options, &sum) && good;
            tried++;
        }
    }
    if (tried == 0) {
        (void)fprintf(stderr, "serin-glitch: there is no such trial\n");
        return 2;
    }
    printf("%zu glitches, %zu breaches, %zu that did not fire\n", sum.points,
           sum.ends[GLITCH_BREACH], sum.unfired);
    return good && sum.ends[GLITCH_BREACH] == 0 && sum.unfired == 0 ? 0 : 1;
}

/* A number from `least` to `most`. */
static bool number(const char *text, unsigned least, unsigned most, unsigned *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < least ||
        value > most) {
        return false;
    }
    *out = (unsigned)value;
    return true;
}

static bool option_set(struct options *options, const char *name, const char *value)
{
    unsigned zero = 0;
    if (strcmp(name, "--hits") == 0) {
        return number(value, 1, UINT_MAX, &options->effort.hits);
    }
    if (strcmp(name, "--zero") == 0 && number(value, 0, 1, &zero)) {
        options->effort.zero = zero == 1;
        return true;
    }
    if (strcmp(name, "--brief") == 0) {
        return number(value, 1, 2, &options->brief);
    }
    if (strcmp(name, "--only") == 0) {
        options->only = value;
        return true;
    }
    options->play = value;
    return strcmp(name, "--play") == 0;
}

int main(int argc, char **argv)
{
    struct options options = {.effort = {.hits = 1}};
    for (int i = 1; i < argc; i += 2) {
        const char *value = argv[i + 1];
        if (value == NULL || !option_set(&options, argv[i], value)) {
            (void)fprintf(stderr, "serin-glitch: %s %s is not an option\n", argv[i],
                          value != NULL ? value : "without a value");
            return 2;
        }
    }
    const char *why = "the test keys cannot be read";
    if (!scene_open(SERIN_VECTORS) || !glitch_open(argv[0], &why)) {
        (void)fprintf(stderr, "serin-glitch: %s: %s\n", argv[0], why);
        return 2;
    }
    return options.play != NULL ? play(options.play) : sweep(&options);
}
