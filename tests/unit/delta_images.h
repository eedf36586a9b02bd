/*
 * Images for the tests of the delta codec: what looks like code of each architecture, before and
 * after a change that moves most of it. The same seed gives the same bytes.
 */
#ifndef SERIN_DELTA_IMAGES_H
#define SERIN_DELTA_IMAGES_H

#include <serin/delta.h>

#define DELTA_IMAGE_MAX 8192u

struct delta_pair {
    uint8_t old[DELTA_IMAGE_MAX], new[DELTA_IMAGE_MAX];
    uint32_t old_size, new_size;
};

/* Some functions that call each other, with pools of addresses, branches and plain instructions. In
 * the new image one of the first is longer and another one is altered, and a table of data follows.
 */
void delta_images(enum serin_delta_arch arch, uint32_t seed, struct delta_pair *pair);

/* The next number of a sequence; never 0 where `*state` is not. */
uint32_t delta_random(uint32_t *state);

#endif
