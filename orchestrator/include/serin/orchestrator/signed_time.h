/*
 * The time that directives are signed with (docs/spec/directive.md, section 6): the wall clock's,
 * but never before what was signed already and the time since. Devices and gateways measure leases
 * by the latest signed time that they know. A director whose wall clock is set back would sign
 * leases that are over for them: they would start nothing, and be taken for failed.
 *
 *   signed time ─▶ S ──── by the monotonic clock ────▶ what is signed next
 *                  │ kept together (serin_signed_mark)
 *   wall clock ──▶ W ┄┄┄┄┄┄┄ serind is away ┄┄┄┄┄┄┄┄▶ now: it starts at S + (now − W)
 *
 * Signed time that is ahead stays so. It is never slowed down for the wall clock to catch up, since
 * whoever heard it goes on by clocks of his own: at any lower pace leases would end before they are
 * renewed as soon as half a lease is missing.
 *
 * Pure. Times are Unix milliseconds or, where the name says so, seconds. `mono_ms` never falls
 * between calls for one struct.
 */
#ifndef SERIN_ORCHESTRATOR_SIGNED_TIME_H
#define SERIN_ORCHESTRATOR_SIGNED_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Signed time that is so far before the wall clock is said to be ahead. */
#define SERIN_SIGNED_AHEAD_MS 60000u
/* A wall clock that went on by more while serind was away is not believed: one that begins at 1970
 * with each boot, and is set right later, must not take signed time ahead by the years between. */
#define SERIN_SIGNED_AWAY_MAX_MS UINT64_C(604800000)

/* What a store keeps of signed time. All zero: nothing. */
struct serin_signed_mark {
    uint64_t signed_ms; /* at most 1000 * SERIN_TIME_MAX_S + 999; 0: nothing was signed */
    uint64_t wall_ms;   /* what the wall clock said then */
    uint64_t ahead_s;   /* what it said when signed time was first seen ahead of it; 0: it is not */
    bool doubted;       /* it is ahead, and less time may have been counted than passed */
};

/* All zero: nothing was signed. Its fields are the functions' business, but for reading. */
struct serin_signed_time {
    uint64_t signed_ms, mono_ms; /* the latest signed time, and when it was that */
    uint64_t ahead_s;            /* as in the mark, as is this: */
    bool doubted;
    /* What an earlier run left, while the wall clock stands before where it stood then: how long
     * serind was away is not known before that is over. signed_ms 0: nothing waits. */
    struct serin_signed_mark left;
};

/* At the start, before anything is heard: goes on from what the store keeps. What an all zero mark
 * leaves to know is heard from the directives themselves. */
void serin_signed_time_resume(struct serin_signed_time *time, const struct serin_signed_mark *mark,
                              uint64_t clock_ms, uint64_t mono_ms);

/* A directive of ours bears `issued_s` (at most SERIN_TIME_MAX_S): it is being signed, or it is
 * found in a store or on a broker. An earlier one changes nothing. One that was ahead of the clock
 * when it was signed, and that the mark knew nothing of (a store restored from a backup, or of an
 * older version) leaves a doubt: nobody knows how long ago that was. */
void serin_signed_time_heard(struct serin_signed_time *time, uint64_t issued_s, uint64_t clock_ms,
                             uint64_t mono_ms);

/* To be called now and then, and before anything is signed: the wall clock may have come to where
 * it tells how long serind was away, or signed time has begun or ceased to be ahead. */
void serin_signed_time_look(struct serin_signed_time *time, uint64_t clock_ms, uint64_t mono_ms);

/* An operator says that so much more time has passed than was counted. Nothing happens where
 * nothing was signed. */
void serin_signed_time_add(struct serin_signed_time *time, uint64_t away_ms, uint64_t clock_ms,
                           uint64_t mono_ms);

/* The time to sign with: at least `clock_ms`, the wall clock's, up to the last that can be signed.
 */
uint64_t serin_signed_time_ms(const struct serin_signed_time *time, uint64_t clock_ms,
                              uint64_t mono_ms);

/* What to keep: with each transaction, since how long serind was away is counted from the last one;
 * and whenever serin_signed_time_moved. */
struct serin_signed_mark serin_signed_time_mark(const struct serin_signed_time *time,
                                                uint64_t clock_ms, uint64_t mono_ms);

/* Whether a restart would take `kept`, this struct's mark of before, amiss: the wall clock was set
 * since, or more changed than time. */
bool serin_signed_time_moved(const struct serin_signed_time *time,
                             const struct serin_signed_mark *kept, uint64_t clock_ms,
                             uint64_t mono_ms);

#endif
