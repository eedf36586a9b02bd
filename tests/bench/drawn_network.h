/*
 * The network of a drawn fleet: who can be heard when, and the beats that are. It knows nothing of
 * the rollout.
 */
#ifndef SERIN_BENCH_DRAWN_NETWORK_H
#define SERIN_BENCH_DRAWN_NETWORK_H

#include "drawn.h"

#define DRAWN_START_MS UINT64_C(1800000000000) /* an arbitrary Unix time: the start of a run */
#define DRAWN_NEVER_MS UINT64_MAX
#define DRAWN_SLOTS    60u /* of an hour: a device beats in one of them */
#define DRAWN_SLOT_MS  (DRAWN_BEAT_MS / DRAWN_SLOTS)

/* One number for each purpose and device, so that the order of events draws nothing. */
enum drawn_purpose {
    DRAWN_RANK,
    DRAWN_OFFLINE,
    DRAWN_FATE,
    DRAWN_ACCEPTS,
    DRAWN_DOWNLOADS,
    DRAWN_ENDS,
    DRAWN_LATER,
    DRAWN_STORM,
    DRAWN_BEATS,
    DRAWN_ERRS
};
uint64_t drawn_dice(const struct drawn_config *config, enum drawn_purpose purpose, uint32_t device);

struct drawn_network {
    const struct drawn_config *config;
    struct serin_health *health; /* by device, as what follows but `first` */
    uint64_t *deaf_ms;           /* nothing is heard from then on; DRAWN_NEVER_MS: it is not deaf */
    uint64_t *booted_ms;
    uint64_t *errs_ms; /* it counts errors from then on; DRAWN_NEVER_MS: none */
    uint8_t *weather;  /* what cuts it off */
    uint8_t *slot;
    uint32_t *next, *last;
    uint32_t first[DRAWN_SLOTS]; /* of those that beat in the slot: a ring by `next` and `last` */
};

/* False: memory is exhausted; close it all the same. */
bool drawn_network_open(struct drawn_network *network, const struct drawn_config *config);
void drawn_network_close(struct drawn_network *network);

/* When the device can be heard, from `at_ms` on; DRAWN_NEVER_MS: not any more. */
uint64_t drawn_heard_ms(const struct drawn_network *network, uint32_t device, uint64_t at_ms);
/* Whether the engine is cut off itself, and knows it. */
bool drawn_is_out(const struct drawn_config *config, uint64_t now_ms);
/* What the engine's clock shows. */
uint64_t drawn_wall_ms(const struct drawn_config *config, uint64_t now_ms);

/* Those beat whose slot it is. */
void drawn_beat_slot(struct drawn_network *network, uint64_t now_ms);
/* The device boots another image, which counts errors from `errs_ms` on: it says how it is as soon
 * as it is up, and every hour from then on. */
void drawn_boot(struct drawn_network *network, uint32_t device, uint64_t now_ms, uint64_t errs_ms);
/* The engine's program is there again, with the health that it stored. */
void drawn_resume(struct drawn_network *network, uint64_t now_ms);
/* When the image that it began with counts errors. */
uint64_t drawn_errs_before_ms(const struct drawn_config *config, uint32_t device);

#endif
