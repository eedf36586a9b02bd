/*
 * Harm that is no cut: bits that flip, and operations that say that they failed. The story need not
 * end as told then; every other rule holds.
 */
#ifndef SERIN_TESTS_CUTS_HARM_H
#define SERIN_TESTS_CUTS_HARM_H

#include "geometry.h"

/* Tells the judge what is about to strike. */
void cuts_harm(struct cuts_life *life, const struct serin_flash_fault *fault);

/* Before each step: what is to strike now, beside faults of the flash. */
void cuts_strike(struct cuts_life *life);

/* The part of the flash that an address lies in; in static storage. */
const char *cuts_place(const struct cuts_life *life, uint32_t address);

/* The slot that an address lies in; NONE: in none. */
enum serin_slot cuts_slot_at(const struct cuts_life *life, uint32_t address);
/* The same; NONE also where the slot boots without what stands there. */
enum serin_slot cuts_slot_needs(const struct cuts_life *life, uint32_t address);

/* Draws bits that flip now, in a byte that is not erased; with `fresh` one of what `operation` is
 * about to program, as soon as it has. False: none was found, or it is in the manifest or the image
 * of the one slot that boots, where two slots do not help. */
bool cuts_rot_draw(const struct cuts_life *life, const struct serin_flash_operation *operation,
                   bool fresh, uint64_t *dice, struct serin_flash_fault *fault);

#endif
