/*
 * The audit log: an append-only file with one JSON line for every command, decision, refusal,
 * enrolment, change of epoch and alarm (docs/serind.md, "The audit log"), chained by hashes
 * (docs/spec/audit.md).
 *
 *   {"time":"…","actor":"serind","what":"rollout","rollout":3,"text":"halted: …","order":{…},
 *    "seq":12,"prev":"…","hash":"…"}
 *
 * Lines are gathered in memory and written at the end of a pass or of a turn of the loop, after the
 * commit of what they tell and before anyone acts on it, with one fdatasync. What cannot be written
 * (disk full) stays in memory, up to SERIND_AUDIT_HELD_MAX, and is tried again; an alarm stands
 * meanwhile.
 *
 * A line gets its place in the chain when it is written, not when it is said, so that lines which
 * are dropped with a failed pass leave no gap.
 */
#ifndef SERIND_AUDIT_H
#define SERIND_AUDIT_H

#include <serin/host/audit_chain.h>
#include <serin/wire.h>

#define SERIND_AUDIT_CHAIN_KEY "audit:chain" /* the alarm about what was written before */
#define SERIND_AUDIT_HELD_MAX  ((size_t)1024 * 1024)
#define SERIND_AUDIT_LINE_MAX  (SERIN_AUDIT_LINE_MAX + 2) /* with newline and terminator */

struct serind;

struct serind_audit {
    int file; /* -1: not open */
    char *held;
    size_t held_size, held_capacity;
    size_t mark;   /* where the lines of the pass under way begin */
    uint64_t lost; /* lines dropped because too much was held */
    uint64_t retry_at_ms;

    bool begun;                      /* the chain is taken up */
    struct serin_audit_head head;    /* of the last line written */
    struct serin_audit_head durable; /* of the last line that is surely on the disk */
    uint64_t store_at_ms;            /* monotonic; not before it is `durable` stored by itself */
    /* What stands behind the last sound line of the file (audit_begin.c). */
    bool newline_due; /* no newline ends it */
    bool rest_due;    /* it is bytes that the next line must vouch for, */
    bool rest_old;    /* of before there were hashes */
    uint64_t rest_at; /* from here in the file, unless they are in the file before */
    struct serin_audit_rest rest;
};

/* What one line tells; zero or NULL members are left out. */
struct serind_audit_line {
    const char *actor; /* "serind", "operator", "device"; NULL: "serind" */
    const char *what;  /* the kind: "rollout", "enrolment", "publish", … */
    uint64_t rollout;
    const char *device, *topic;
    struct serin_order order;
};

/* Opens (or makes, mode 0640) the file. SERIN_ERR_IO: errno says why. */
SERIN_MUST_USE enum serin_error serind_audit_open(struct serind *serind);
/* Takes the chain up where the file, or else the store's head (serind->meta), leaves it; raises an
 * alarm where the file was tampered with or is shorter than that head. Once, after the meta record
 * is loaded; nothing is written before. */
void serind_audit_begin(struct serind *serind);
/* Opens it again under its name, after a log rotation. On an error the old file stays. */
void serind_audit_reopen(struct serind *serind);
/* Writes what is held, and stores how far the log goes. */
void serind_audit_close(struct serind *serind);

/* Adds a line. */
void serind_audit(struct serind *serind, const struct serind_audit_line *line, const char *format,
                  ...) __attribute__((format(printf, 3, 4)));

/* Writes what is held; called at the end of a pass and of a turn. */
void serind_audit_flush(struct serind *serind);

/* As flush; and stores how far the log goes, unless a pass did within a second. Not in a pass. */
void serind_audit_tend(struct serind *serind);

/* Puts how far the log goes into serind->meta, for the commit of a pass. */
void serind_audit_put_head(struct serind *serind);

/* The lines of a pass: marked at its begin, dropped where it failed. */
void serind_audit_mark(struct serind *serind);
void serind_audit_drop(struct serind *serind);

/* Reads up to `limit` whole lines after the position `after` (bytes; 0 is the start) into *text
 * (malloc'd, terminated, lines separated by newlines) and gives the position behind them. A
 * position past the end (the log was rotated) starts again at 0. SERIN_ERR_IO, SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serind_audit_read(const struct serind *serind, uint64_t after,
                                                  unsigned limit, char **text, uint64_t *next);

/* For audit.c: measures what stands in the file behind `from`, the end of its last sound line:
 * newline_due, rest_due, rest_at, rest. The result is whether the rest has a newline within, which
 * one torn line has not. SERIN_ERR_IO: nothing is changed. */
SERIN_MUST_USE enum serin_error serind_audit_measure(struct serind *serind, uint64_t from,
                                                     bool *newline_within);

#endif
