/*
 * Failures that are known and not mended yet, each with its reason. Excused are only faults that
 * leave cells in doubt (cuts_leaves_doubt), never a clean cut, an operation that fails, or rot that
 * reads the same each time; and each by its failure, the place and the kind of the fault and how
 * the cells read then, up to a number of its own. The day that one no longer comes the fixed sweep
 * fails instead, so that nobody keeps it here.
 */
#ifndef SERIN_TESTS_CUTS_KNOWN_H
#define SERIN_TESTS_CUTS_KNOWN_H

#include "totals.h"

/* Whether all that was found is known. */
bool cuts_known_all(const struct cuts_totals *totals);

/* Prints what was found: the known in a line each, the others with their replay. Returns how many
 * findings are not known, and how many known ones came too often; with `whole` those that must come
 * and did not, too. */
unsigned cuts_known_judge(const struct cuts_totals *totals, bool whole);

#endif
