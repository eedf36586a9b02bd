/*
 * What the parts of the delta encoder share: images, runs, and references.
 */
#ifndef SERIN_DELTA_HOST_H
#define SERIN_DELTA_HOST_H

#include <serin/host/delta.h>

struct serin_delta_image {
    const uint8_t *bytes;
    uint32_t size;
    uint32_t history; /* of an old image that there is not, so that the new one so far, these last
                         bytes of it, stands in for it; else 0 */
};

/* Where an old image ends for what is copied to `to`. */
static inline uint32_t serin_delta_end(const struct serin_delta_image *old, uint32_t to)
{
    return old->history > 0 ? to : old->size;
}

/* `size` bytes at `to` of the new image resemble those at `from` of the old one. */
struct serin_delta_run {
    uint32_t to, from, size;
};

/* Ascending in `to`, disjoint. All zero: none yet. */
struct serin_delta_runs {
    struct serin_delta_run *runs;
    uint32_t count, room;
    uint64_t bits; /* what they are estimated to cost, and what is new between them */
};

struct serin_delta_breaks {
    struct serin_delta_break *breaks;
    uint32_t count;
};

/* The maps of a pair of images, which own their breakpoints. All zero: nothing moves. */
struct serin_delta_fitted {
    struct serin_delta_breaks relative, absolute;
};

/* The bytes of an old image from `from` on that an item copied to `to` may ask for. */
static inline uint32_t serin_delta_ahead(const struct serin_delta_image *old, uint32_t from,
                                         uint32_t to)
{
    uint32_t left = serin_delta_end(old, to) - from;
    return left < SERIN_DELTA_AHEAD ? left : SERIN_DELTA_AHEAD;
}

/* ---- references (delta_refer.c) ---- */

/* What `bytes` at `to` refer to, as a reference like `item`, which is not PLAIN. False: they are
 * none. */
bool serin_delta_refers(const struct serin_delta_walk *walk, const struct serin_delta_item *item,
                        const uint8_t *bytes, uint32_t to, uint32_t *value);

/* Writes over what a reference refers to, so that two like it compare equal. */
void serin_delta_blank(const struct serin_delta_item *item, uint8_t *bytes);

/* A walk through an image that begins to copy, by these maps. */
struct serin_delta_walk serin_delta_walk_by(enum serin_delta_arch arch,
                                            const struct serin_delta_fitted *maps, uint32_t from,
                                            uint32_t to);

/* ---- matching (delta_match.c) ---- */

struct serin_delta_matcher; /* a pair of images as one architecture reads them */

SERIN_MUST_USE enum serin_error serin_delta_matcher_open(struct serin_delta_matcher **matcher,
                                                         const struct serin_suffixes *suffixes,
                                                         const struct serin_delta_image *old,
                                                         const struct serin_delta_image *new,
                                                         enum serin_delta_arch arch);

/* Which runs of the old image make the new one. With `maps`, references are held against what is
 * predicted of them; without, what they refer to is left out of the comparison. `runs` are those of
 * the last time, from which it learns what new bytes cost, and become the new ones.
 * SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error serin_delta_match(struct serin_delta_matcher *matcher,
                                                  const struct serin_delta_fitted *maps,
                                                  struct serin_delta_runs *runs);
void serin_delta_matcher_close(struct serin_delta_matcher *matcher);

/* ---- fitting (delta_fit.c) ---- */

/* The maps that predict best how the references of the runs moved, of at most `room` breakpoints
 * together. SERIN_ERR_MEMORY. What `maps` held before is freed, and its owner frees it in the end.
 */
SERIN_MUST_USE enum serin_error serin_delta_fit(const struct serin_delta_image *old,
                                                const struct serin_delta_image *new,
                                                enum serin_delta_arch arch,
                                                const struct serin_delta_runs *runs, uint32_t room,
                                                struct serin_delta_fitted *maps);

/* ---- coding (delta_encode.c) ---- */

/* The coded symbols: `*bytes` are the caller's to free. SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error
serin_delta_encode(const struct serin_delta_image *old, const struct serin_delta_image *new,
                   enum serin_delta_backend backend, enum serin_delta_arch arch,
                   const struct serin_delta_fitted *maps, const struct serin_delta_runs *runs,
                   uint8_t **bytes, uint32_t *size);

#endif
