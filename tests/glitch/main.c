/*
 * serin-glitch: what a bootloader refuses, it refuses with any one of its instructions skipped, any
 * branch taken, any call not made (docs/testing.md, "Glitches").
 *
 *   serin-glitch [--only NAME] [--hits N] [--zero 1] [--brief 1]
 *   serin-glitch --play NAME:KIND:OFFSET:NTH
 */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    struct glitch_effort effort;
    bool brief;
    const char *only, *play;
};

static int play(const struct glitch_trial *trials, size_t count, const char *what)
{
    char name[32], kind[32];
    size_t offset;
    unsigned nth;
    if (sscanf(what, "%31[^:]:%31[^:]:%zu:%u", name, kind, &offset, &nth) != 4) {
        (void)fprintf(stderr, "serin-glitch: --play wants NAME:KIND:OFFSET:NTH\n");
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        for (enum glitch_kind n = 0; n < GLITCH_KINDS; n++) {
            if (strcmp(trials[i].name, name) == 0 && strcmp(glitch_kinds[n], kind) == 0) {
                bool fired;
                enum glitch_end end = glitch_play(&trials[i], n, offset, nth, &fired);
                printf("%s: %s%s\n", what, glitch_ends[end], fired ? "" : " (not fired)");
                return end == GLITCH_BREACH;
            }
        }
    }
    (void)fprintf(stderr, "serin-glitch: there is no such trial or kind\n");
    return 2;
}

static int sweep(const struct glitch_trial *trials, size_t count, const struct options *options)
{
    struct glitch_totals sum = {.points = 0};
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        struct glitch_totals totals = {.points = 0};
        if ((options->only != NULL && strcmp(options->only, trials[i].name) != 0) ||
            (options->brief && !trials[i].brief)) {
            continue;
        }
        good = glitch_sweep(&trials[i], &options->effort, &totals) && good;
        printf("%-10s %5zu instructions %6zu glitches:", trials[i].name, totals.instructions,
               totals.points);
        if (trials[i].weak) {
            /* The proof of the harness: one verification falls to one glitch. */
            good = totals.ends[GLITCH_BREACH] > 0 && good;
            printf(" breaches %zu, as it must\n", totals.ends[GLITCH_BREACH]);
            continue;
        }
        sum.points += totals.points;
        sum.unfired += totals.unfired;
        for (size_t end = 0; end < GLITCH_ENDS; end++) {
            printf(" %s %zu", glitch_ends[end], totals.ends[end]);
            sum.ends[end] += totals.ends[end];
        }
        printf("\n");
        (void)fflush(stdout);
    }
    printf("%zu glitches, %zu breaches, %zu that did not fire\n", sum.points,
           sum.ends[GLITCH_BREACH], sum.unfired);
    return good && sum.points > 0 && sum.ends[GLITCH_BREACH] == 0 && sum.unfired == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options options = {.effort = {.hits = 1}};
    for (int i = 1; i < argc; i += 2) {
        const char *value = argv[i + 1];
        if (value == NULL) {
            (void)fprintf(stderr, "serin-glitch: %s wants a value\n", argv[i]);
            return 2;
        }
        if (strcmp(argv[i], "--hits") == 0) {
            options.effort.hits = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--zero") == 0) {
            options.effort.zero = strcmp(value, "0") != 0;
        } else if (strcmp(argv[i], "--brief") == 0) {
            options.brief = strcmp(value, "0") != 0;
        } else if (strcmp(argv[i], "--only") == 0) {
            options.only = value;
        } else if (strcmp(argv[i], "--play") == 0) {
            options.play = value;
        } else {
            (void)fprintf(stderr, "serin-glitch: %s is not an option\n", argv[i]);
            return 2;
        }
    }
    const char *why = "the test keys cannot be read";
    if (!scene_open(SERIN_VECTORS) || !glitch_open(argv[0], &why)) {
        (void)fprintf(stderr, "serin-glitch: %s: %s\n", argv[0], why);
        return 2;
    }
    static struct glitch_trial trials[SCENES_MAX];
    size_t count = scene_trials(trials);
    return options.play != NULL ? play(trials, count, options.play)
                                : sweep(trials, count, &options);
}
