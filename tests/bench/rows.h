/*
 * The rows of the table: what is drawn, what is counted, and what must hold.
 */
#ifndef SERIN_BENCH_ROWS_H
#define SERIN_BENCH_ROWS_H

#include "drawn.h"

#include <stdio.h>

/* A figure of a row. */
enum rows_figure_kind {
    ROWS_HALTED,         /* share of seeds that halted */
    ROWS_HALTED_EARLY,   /* share that halted in stage 1 */
    ROWS_FALSE_HALTS,    /* share that halted, of a release that is fine */
    ROWS_COMPLETED,      /* share that came to the end by themselves */
    ROWS_HELD,           /* share that waits for an operator, undecided */
    ROWS_EXPOSED_MEDIAN, /* devices that accepted the directive */
    ROWS_EXPOSED_95,
    ROWS_EXPOSED_MOST,
    ROWS_FAILED_MEDIAN, /* devices that failed in the end */
    ROWS_PUBLISHES,     /* at the median */
    ROWS_HOURS          /* to the end, or to the halt, at the median */
};

enum rows_must { ROWS_SHOWN, ROWS_AT_MOST, ROWS_AT_LEAST };

struct rows_figure {
    enum rows_figure_kind kind;
    enum rows_must must;
    double limit; /* shares: 0 .. 1 */
};

#define ROWS_FIGURES_MAX 8u

struct rows_row {
    const char *name;  /* of the command line */
    const char *title; /* of the table */
    void (*draw)(struct drawn_config *config);
    struct rows_figure figures[ROWS_FIGURES_MAX]; /* ends with a zero figure after the first */
    size_t figure_count;
};

extern const struct rows_row rows[];
extern const size_t rows_count;

/* The policy of every row: the default one, with p0 0.5 %, p1 2 %, alpha 1 %, beta 5 %. */
void rows_policy(struct serin_policy *policy);

/* The value of a figure over the results of all seeds; sorts them. */
double rows_value(enum rows_figure_kind kind, struct drawn_result *results, size_t count);
bool rows_holds(const struct rows_figure *figure, double value);
/* "halted in all seeds", "exposed, median": what a figure is called. */
const char *rows_text(enum rows_figure_kind kind);
/* Whether it is a share of the seeds. */
bool rows_is_share(enum rows_figure_kind kind);

#endif
