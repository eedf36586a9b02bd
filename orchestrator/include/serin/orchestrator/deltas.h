/*
 * Which patches a rollout is worth: from what devices run, and what they decode, to a target.
 *
 * Pure. The result is bounded: the images that most devices run come first.
 */
#ifndef SERIN_ORCHESTRATOR_DELTAS_H
#define SERIN_ORCHESTRATOR_DELTAS_H

#include <serin/delta.h>
#include <serin/manifest.h>

#define SERIN_DELTAS_BASES_MAX 16u
#define SERIN_DELTAS_MAX       (2u * SERIN_DELTAS_BASES_MAX)

/* A release that devices run. */
struct serin_deltas_run {
    const struct serin_manifest *manifest; /* lent */
    uint32_t best_count;                   /* devices that decode "best" */
    uint32_t small_count;                  /* … "small", and not "best" */
};

struct serin_deltas_wish {
    uint8_t base[SERIN_SHA256_SIZE]; /* of the plain image */
    enum serin_delta_backend backend;
    uint32_t device_count;
};

/* The patches that lead to `target`, from the base with most devices on, and among equals by the
 * hash of the base: at most SERIN_DELTAS_BASES_MAX bases, each with a patch for each back end that
 * its devices want, "best" first. Left out are releases of another product, component or vendor,
 * for no hardware of the target, of another major version, and the target's own image. Returns
 * their count. Several releases with one image are one base. */
size_t serin_deltas_choose(const struct serin_manifest *target, const struct serin_deltas_run *runs,
                           size_t run_count, struct serin_deltas_wish wishes[SERIN_DELTAS_MAX]);

/* The most bytes that a patch may have to be worth its routes: less than 90 % of the image, whose
 * size is not 0. */
uint32_t serin_deltas_limit(uint32_t image_size_bytes);

#endif
