/*
 * Failures that are known and not mended yet: each with its reason, and the day that one no longer
 * fails the run fails instead, so that nobody keeps it here.
 */
#ifndef SERIN_TESTS_CUTS_KNOWN_H
#define SERIN_TESTS_CUTS_KNOWN_H

#include "totals.h"

/* Prints what was found: the known in a line each, the others with their replay. Returns how many
 * findings are not known. With `whole`, a known one that was not found counts, too. */
unsigned cuts_known_judge(const struct cuts_totals *totals, bool whole);

#endif
