/*
 * Beats for the bench of the rollout engine: a fleet that is heard, falls silent, and whose past a
 * caller stores (docs/spec/rollout.md, section 5).
 *
 * There is one, `beats`, for the bench that was made last. The restart is the caller's: what the
 * record of a rollout does not hold is gone, and health is resumed from what was stored with each
 * word.
 */
#ifndef SERIN_ENGINE_BEATS_H
#define SERIN_ENGINE_BEATS_H

#include "engine_bench.h"

#define BEATS_HOUR_MIN  60u
#define BEATS_HOUR_MS   UINT64_C(3600000)
#define BEATS_MINUTE_MS UINT64_C(60000)
#define BEATS_MOST      1000u

struct beats {
    struct serin_health health[BEATS_MOST], stored[BEATS_MOST]; /* by device */
    bool quiet[BEATS_MOST];
    uint32_t count; /* devices */
    unsigned gap_min;
};
extern struct beats beats;

/* Two stages: `first` devices, and all; nothing halts or holds but silence of more than
 * `silence_permyriad`, of `minimum` or more. Patience and deadline are a day. */
struct serin_policy beats_policy(uint32_t first, unsigned soak_h, uint16_t silence_permyriad,
                                 uint32_t minimum);
/* A created rollout over `count` devices that beat every `gap_min` and were never heard. */
void beats_make(struct bench *bench, const struct serin_policy *policy, uint32_t count,
                unsigned gap_min);
/* It starts, and whoever is offered it confirms: the stage soaks. */
void beats_start(struct bench *bench);

/* Hours pass, after each of which all beat at once. */
void beats_all(const struct bench *bench);
void beats_hours(struct bench *bench, unsigned count);
/* Minutes pass, in which each device beats in its own; what is said while reports are down is lost.
 */
void beats_minutes(struct bench *bench, unsigned count);
/* The same, and whoever is offered it takes it. */
void beats_go_on(struct bench *bench, unsigned count);

/* Those in the places from `from` to before `end` are silent from now on, or not. */
void beats_silence(const struct bench *bench, uint32_t from, uint32_t end, bool quiet);

/* The caller was away for so long, and loads what it stored; REPORTS_UP. */
void beats_restart(struct bench *bench, uint64_t away_ms);
/* Reports are down for a moment. */
void beats_blink(struct bench *bench);
/* The clock is set back, and the caller does what it does of words from the future. */
void beats_set_back(struct bench *bench, uint64_t back_ms);

#endif
