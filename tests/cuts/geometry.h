/*
 * The flash parts that are cut: write units of 1 to 512 bytes, both erased values, with and without
 * ECC words, programmed once or bit by bit, sectors of 512 bytes to 128 KiB, equal and not. Their
 * names stand in replay lines.
 */
#ifndef SERIN_TESTS_CUTS_GEOMETRY_H
#define SERIN_TESTS_CUTS_GEOMETRY_H

#include "life.h"

#define CUTS_GEOMETRIES 16u /* the last one stands for those that are drawn */
extern const struct cuts_geometry cuts_geometries[CUTS_GEOMETRIES];

/* The part of that name: one of the above, or a drawn one, whose name tells it all. False: there is
 * none. */
bool cuts_geometry_named(const char *name, struct cuts_geometry *geometry);
/* Draws one that two slots fit into. */
void cuts_geometry_draw(uint64_t *dice, struct cuts_geometry *geometry);
/* Its row in tables. */
unsigned cuts_geometry_row(const struct cuts_geometry *geometry);

/* xorshift64*: a seed gives the same numbers each time. `dice` is not 0. */
uint64_t cuts_dice(uint64_t *dice);

#endif
