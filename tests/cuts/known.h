/*
 * Failures that are known and not mended yet: each with its reason, and the day that one no longer
 * fails the run fails instead, so that nobody keeps it here; the rare ones do not. Only a fault
 * that may leave cells in doubt is ever excused (cuts_leaves_doubt): a clean cut, an operation that
 * fails never are. By failure and place, not by kind, and in any number: a new fault of the same
 * look is excused with them.
 */
#ifndef SERIN_TESTS_CUTS_KNOWN_H
#define SERIN_TESTS_CUTS_KNOWN_H

#include "totals.h"

/* Whether all that was found is known. */
bool cuts_known_all(const struct cuts_totals *totals);

/* Prints what was found: the known in a line each, the others with their replay. Returns how many
 * findings are not known. With `whole`, a known one that was not found counts, too. */
unsigned cuts_known_judge(const struct cuts_totals *totals, bool whole);

#endif
