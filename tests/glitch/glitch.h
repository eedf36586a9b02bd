/*
 * Glitches in compiled code: one instruction of the code under test is skipped, a branch is taken
 * that should not be, a call returns 0 without being made, or a register is zero, the n-th time
 * that the processor comes by.
 *
 * What is under test lies between the functions glitch_first and glitch_last, which the linker
 * places around it. Each glitch runs in a child of its own; a breakpoint in the child's copy of the
 * code brings it about, and the child tells whether it did. x86-64 and Linux.
 */
#ifndef SERIN_TESTS_GLITCH_H
#define SERIN_TESTS_GLITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum glitch_kind {
    GLITCH_SKIP,   /* the instruction is not executed */
    GLITCH_TAKE,   /* a conditional jump is taken */
    GLITCH_RETURN, /* a call returns 0 at once */
    GLITCH_ZERO,   /* RAX is zero before the instruction */
    GLITCH_KINDS
};

/* How a child ended. */
enum glitch_end {
    GLITCH_REFUSED, /* nothing was accepted that should not be */
    GLITCH_GOOD,    /* something good was, although there was a glitch */
    GLITCH_BREACH,  /* the forged thing was accepted */
    GLITCH_TRAP,    /* a fault of the processor, which on a board is a reset */
    GLITCH_HANG,    /* the watchdog's business */
    GLITCH_ENDS
};

/* One thing to try: `attempt` runs in the child and says how it ended. */
struct glitch_trial {
    const char *name;
    enum glitch_end (*attempt)(void *ctx);
    void *ctx;
    /* Without a glitch. BREACH: what is offered is good, which proves that the trial sees what is
     * accepted; nothing is glitched. */
    enum glitch_end expected;
    unsigned brief; /* 1, 2: among those of a brief, a briefer sweep; 0: neither */
    bool weak;      /* has no second run: a breach must be found, or nothing is proved */
};

struct glitch_totals {
    size_t instructions; /* of the range that the trial passes by */
    size_t points, ends[GLITCH_ENDS], unfired;
};

/* Functions that bound the code under test; in files of their own. */
void glitch_first(void);
void glitch_last(void);

/* Reads the program's own instructions from objdump. False: it cannot; `why` says so. */
bool glitch_open(const char *program, const char **why);

/* How much of it is tried: the first `hits` times that each instruction is passed, and the last;
 * with registers that are zero, or without. */
struct glitch_effort {
    unsigned hits;
    bool zero;
};

/* Tries every glitch. Prints each breach with the line that plays it again. False: the trial does
 * not end as expected without a glitch. */
bool glitch_sweep(const struct glitch_trial *trial, const struct glitch_effort *effort,
                  struct glitch_totals *totals);

/* Plays one glitch again. */
enum glitch_end glitch_play(const struct glitch_trial *trial, enum glitch_kind kind, size_t offset,
                            unsigned nth, bool *fired);

extern const char *const glitch_kinds[GLITCH_KINDS];
extern const char *const glitch_ends[GLITCH_ENDS];

#endif
