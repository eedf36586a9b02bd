/*
 * Trouble that passes: readings that come wrong or fail, programs and erases that fail, now and
 * then, while the agent runs; no cell is harmed, and the bootloader reads undisturbed. What a
 * device does for good upon one wrong reading shows here. Then the trouble is over, and what is
 * offered from there on must get in.
 *
 *   part=nor8 trouble=163 kinds=3 ppm=1000
 */
#ifndef SERIN_TESTS_CUTS_TROUBLE_H
#define SERIN_TESTS_CUTS_TROUBLE_H

#include "totals.h"

/* What goes wrong, a bit each. */
#define CUTS_TROUBLE_FLIP    1u /* a bit of what is read, this once */
#define CUTS_TROUBLE_READ    2u /* a reading fails */
#define CUTS_TROUBLE_PROGRAM 4u /* a program fails, and has done nothing */
#define CUTS_TROUBLE_ERASE   8u /* an erase likewise */
/* A region is dark: no reading of it comes for a whole step, ten times as often as `ppm` says of
 * steps. */
#define CUTS_TROUBLE_DARK 16u
#define CUTS_TROUBLE_ALL  31u

/* One life in it. */
struct cuts_trouble {
    struct cuts_geometry geometry;
    uint32_t seed;  /* of what goes wrong */
    unsigned kinds; /* a set of the above, not empty */
    unsigned ppm;   /* of a million operations of each kind */
};

/* What life number `seed` on this part suffers. */
void cuts_trouble_draw(const struct cuts_geometry *geometry, uint32_t seed,
                       struct cuts_trouble *trouble);

/* Lives it; what came of it is added to `totals`. False: there is no memory; said on stderr. */
bool cuts_trouble_live(const struct cuts_goods *goods, const struct cuts_trouble *trouble,
                       struct cuts_totals *totals);

/* False: it is no such line. */
bool cuts_trouble_parse(const char *line, struct cuts_trouble *trouble);

/* Lives it, told line by line, and says whether every rule held. False: one did not. */
bool cuts_trouble_replay(const struct cuts_goods *goods, const struct cuts_trouble *trouble);

#endif
