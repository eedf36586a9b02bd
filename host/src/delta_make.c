/*
 * The delta encoder: tries what the device allows, and keeps the smallest patch.
 */
#include "delta_host.h"

#include <serin/assert.h>

#include <stdlib.h>
#include <string.h>

#define BITS_BREAK 30u /* what a breakpoint costs */
#define PASSES     2   /* of matching and fitting: the first maps are of runs found without any */

const char *serin_delta_backend_name(enum serin_delta_backend backend)
{
    static const char *const names[SERIN_DELTA_BACKEND_COUNT] = {
        [SERIN_DELTA_STORE] = "store", [SERIN_DELTA_SMALL] = "small", [SERIN_DELTA_BEST] = "best"};
    SERIN_ASSERT(backend < SERIN_DELTA_BACKEND_COUNT);
    return names[backend];
}

const char *serin_delta_arch_name(enum serin_delta_arch arch)
{
    static const char *const names[SERIN_DELTA_ARCH_COUNT] = {[SERIN_DELTA_ARCH_NONE] = "none",
                                                              [SERIN_DELTA_ARCH_THUMB] = "thumb",
                                                              [SERIN_DELTA_ARCH_XTENSA] = "xtensa",
                                                              [SERIN_DELTA_ARCH_RISCV] = "riscv"};
    SERIN_ASSERT(arch < SERIN_DELTA_ARCH_COUNT);
    return names[arch];
}

struct serin_delta_walk serin_delta_walk_by(enum serin_delta_arch arch,
                                            const struct serin_delta_fitted *maps, uint32_t from,
                                            uint32_t to)
{
    struct serin_delta_walk walk = {.arch = arch};
    if (maps != NULL) {
        walk.relative.breaks = maps->relative.breaks;
        walk.relative.count = maps->relative.count;
        walk.absolute.breaks = maps->absolute.breaks;
        walk.absolute.count = maps->absolute.count;
    }
    serin_delta_walk_start(&walk, from, to);
    return walk;
}

/* Codes what was found for one back end, and keeps it where it is the smallest so far. */
static enum serin_error try_backend(const struct serin_delta_image *old,
                                    const struct serin_delta_image *new,
                                    enum serin_delta_backend backend, enum serin_delta_arch arch,
                                    const struct serin_delta_fitted *maps,
                                    const struct serin_delta_runs *runs,
                                    struct serin_delta_patch *best)
{
    uint8_t *bytes;
    uint32_t size;
    enum serin_error error = serin_delta_encode(old, new, backend, arch, maps, runs, &bytes, &size);
    if (error != SERIN_OK) {
        return error;
    }
    if (best->bytes == NULL || size < best->header.patch_size) {
        uint8_t *whole = realloc(best->bytes, SERIN_DELTA_HEADER_SIZE + (size_t)size);
        if (whole == NULL) {
            free(bytes);
            return SERIN_ERR_MEMORY;
        }
        if (size > 0) {
            memcpy(whole + SERIN_DELTA_HEADER_SIZE, bytes, size);
        }
        best->bytes = whole;
        best->size = SERIN_DELTA_HEADER_SIZE + (size_t)size;
        best->header.backend = backend;
        best->header.arch = arch;
        best->header.patch_size = size;
    }
    free(bytes);
    return SERIN_OK;
}

/* What is tried, and the best so far. */
struct attempt {
    const struct serin_delta_image *old, *new;
    enum serin_delta_backend backend;
    uint64_t
        bits; /* what the architecture of the best one was estimated at, after the first pass */
    struct serin_delta_patch *best;
};

/* Whether an architecture is worth another pass: none that is estimated at much more than another
 * one was ever the smaller one in the end. */
static bool promises(struct attempt *attempt, const struct serin_delta_runs *runs,
                     const struct serin_delta_fitted *maps)
{
    uint64_t breaks = (uint64_t)maps->relative.count + maps->absolute.count;
    uint64_t bits = runs->bits + breaks * BITS_BREAK;
    if (bits > attempt->bits && bits - attempt->bits > attempt->bits / 8) {
        return false;
    }
    attempt->bits = bits < attempt->bits ? bits : attempt->bits;
    return true;
}

static enum serin_error code(const struct attempt *attempt, enum serin_delta_arch arch,
                             const struct serin_delta_fitted *maps,
                             const struct serin_delta_runs *runs)
{
    enum serin_error error =
        try_backend(attempt->old, attempt->new, attempt->backend, arch, maps, runs, attempt->best);
    /* What was found with more room than it took serves the smaller back end too. */
    bool fits = maps->relative.count + maps->absolute.count <=
                serin_delta_room_of(SERIN_DELTA_SMALL, false).breaks;
    if (error == SERIN_OK && attempt->backend == SERIN_DELTA_BEST && fits &&
        attempt->old->history == 0) {
        error = try_backend(attempt->old, attempt->new, SERIN_DELTA_SMALL, arch, maps, runs,
                            attempt->best);
    }
    return error;
}

/* Matches and fits in turn, then codes. */
static enum serin_error try_arch(struct attempt *attempt, struct serin_delta_matcher *matcher,
                                 enum serin_delta_arch arch)
{
    struct serin_delta_runs runs = {0};
    struct serin_delta_fitted maps = {0};
    uint32_t room = serin_delta_room_of(attempt->backend, attempt->old->history > 0).breaks;
    bool promising = true;
    enum serin_error error = serin_delta_match(matcher, NULL, &runs);
    for (unsigned pass = 0; pass < PASSES && error == SERIN_OK && promising; pass++) {
        error = serin_delta_fit(attempt->old, attempt->new, arch, &runs, room, &maps);
        if (error == SERIN_OK) {
            error = serin_delta_match(matcher, &maps, &runs);
        }
        promising = pass > 0 || promises(attempt, &runs, &maps);
    }
    if (error == SERIN_OK && promising) {
        error = code(attempt, arch, &maps, &runs);
    }
    free(runs.runs);
    free(maps.relative.breaks);
    free(maps.absolute.breaks);
    return error;
}

enum serin_error serin_delta_make(const struct serin_delta_job *job,
                                  struct serin_delta_patch *patch)
{
    static const enum serin_delta_backend backends[] = {[SERIN_DELTA_RAM_TEST] = SERIN_DELTA_STORE,
                                                        [SERIN_DELTA_RAM_8K] = SERIN_DELTA_SMALL,
                                                        [SERIN_DELTA_RAM_16K] = SERIN_DELTA_BEST};
    /* Those first whose images are the largest, as the ones behind are the sooner given up. */
    static const enum serin_delta_arch order[SERIN_DELTA_ARCH_COUNT] = {
        SERIN_DELTA_ARCH_XTENSA, SERIN_DELTA_ARCH_THUMB, SERIN_DELTA_ARCH_RISCV,
        SERIN_DELTA_ARCH_NONE};
    static const uint8_t nothing[1];
    struct serin_delta_image old = {.bytes = job->old_size > 0 ? job->old : nothing,
                                    .size = job->old_size};
    struct serin_delta_image new = {.bytes = job->new_size > 0 ? job->new : nothing,
                                    .size = job->new_size};
    enum serin_error error = SERIN_OK;
    memset(patch, 0, sizeof *patch);
    if (old.size > SERIN_DELTA_IMAGE_MAX || new.size > SERIN_DELTA_IMAGE_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    patch->header.base_size = old.size;
    if (old.size == 0) {
        old = new;
        old.history = serin_delta_room_of(backends[job->ram], true).history;
    }
    patch->header.target_size = new.size;
    memcpy(patch->header.base, job->base, sizeof job->base);
    memcpy(patch->header.target, job->target, sizeof job->target);
    struct attempt attempt = {
        .old = &old, .new = &new, .backend = backends[job->ram], .bits = UINT64_MAX, .best = patch};
    for (unsigned i = 0; i < SERIN_DELTA_ARCH_COUNT && error == SERIN_OK; i++) {
        struct serin_delta_matcher *matcher;
        error = serin_delta_matcher_open(&matcher, job->suffixes, &old, &new, order[i]);
        if (error == SERIN_OK) {
            error = try_arch(&attempt, matcher, order[i]);
            serin_delta_matcher_close(matcher);
        }
    }
    if (error != SERIN_OK) {
        free(patch->bytes);
        memset(patch, 0, sizeof *patch);
        return error;
    }
    serin_delta_header_write(&patch->header, patch->bytes);
    return SERIN_OK;
}
