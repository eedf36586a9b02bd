/*
 * The time that directives are signed with (docs/spec/directive.md, section 6): the wall clock's,
 * but never before what was signed already and the monotonic time since. Devices and gateways
 * measure leases by the latest signed time that they know. A director whose wall clock is set back
 * would sign leases that are over for them: they would start nothing, and be taken for failed.
 * Pure.
 */
#ifndef SERIN_ORCHESTRATOR_SIGNED_TIME_H
#define SERIN_ORCHESTRATOR_SIGNED_TIME_H

#include <stdint.h>

/* Zero: nothing was signed. Its fields are the functions' business. */
struct serin_signed_time {
    uint64_t signed_ms; /* the latest signed time, Unix milliseconds */
    uint64_t mono_ms;   /* and when it was that, by the caller's monotonic clock */
};

/* A directive of ours bears `issued_s` (Unix seconds, at most SERIN_TIME_MAX_S): it is being
 * signed, or it is found in the store or on a broker. An earlier one changes nothing. `mono_ms`
 * never falls between calls for one struct. */
void serin_signed_time_heard(struct serin_signed_time *time, uint64_t issued_s, uint64_t mono_ms);

/* The time to sign with, Unix milliseconds: at least `clock_ms`, the wall clock's. */
uint64_t serin_signed_time_ms(const struct serin_signed_time *time, uint64_t clock_ms,
                              uint64_t mono_ms);

#endif
