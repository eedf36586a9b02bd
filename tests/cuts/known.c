/* Failures that are known and not mended yet (known.h). */
#include "known.h"

#include <stdio.h>
#include <string.h>

/* Sets of enum serin_flash_torn, and of fault kinds. */
#define TORN(name) (1u << SERIN_FLASH_TORN_##name)
#define KIND(name) (1u << SERIN_FLASH_FAULT_##name)

struct known {
    const char *failure; /* its words; NULL ends the table */
    const char *place;   /* that the fault struck which leaves doubt */
    unsigned kinds;      /* of that fault, a bit each, */
    unsigned torn;       /* and how its cells read */
    uint64_t most;       /* in 100,000 points: more are a failure of their own */
    bool must;           /* the fixed sweep has some: none is a failure, too */
    const char *reason;
};

#define LOOSE (TORN(UNSTABLE) | TORN(WEAK_READ) | TORN(WEAK_POWER))
#define PROGRAMS \
    (KIND(PROGRAM_PREFIX) | KIND(PROGRAM_NEW) | KIND(PROGRAM_SUBSET) | KIND(PROGRAM_SCATTER))
#define ERASES (KIND(ERASE_OLD) | KIND(ERASE_ERASED) | KIND(ERASE_HALF) | KIND(ERASE_MIX))

/* Bits that read now so, now so, are no proof against what is read once, or four times. */
#define UNSTEADY "what runs reads right when it is proved, and wrong when it boots next"
#define FADES    "the first copy of the newest record is torn, read well and acted on, and lost later"
#define BANK     "a bank that an erase was cut in and that reads well is believed, the other erased"
#define SINGLE   "the only copy of a record, rotten, reads well four times in a row"

static const struct known table[] = {
    {"a chapter does not end", "image", KIND(ROT), TORN(UNSTABLE), 5, false, UNSTEADY},
    {"a chapter does not end", "manifest", KIND(ROT), TORN(UNSTABLE), 5, false, UNSTEADY},
    {"nothing boots", "image", KIND(ROT), TORN(UNSTABLE), 10, true, UNSTEADY},
    {"nothing boots", "manifest", KIND(ROT), TORN(UNSTABLE), 10, false, UNSTEADY},
    {"a journaled piece is lost", "agent log", PROGRAMS, LOOSE, 10, false, FADES},
    {"an unconfirmed image boots more often than it may", "agent log", PROGRAMS, LOOSE, 5, false,
     FADES},
    {"an unconfirmed image boots more often than it may", "boot log", KIND(ROT), LOOSE, 5, false,
     SINGLE},
    {"an unconfirmed image boots more often than it may", "agent log", KIND(ROT), LOOSE, 5, false,
     SINGLE},
    {"an unconfirmed image runs longer than it may", "agent log", KIND(ROT), LOOSE, 5, false,
     SINGLE},
    {"nothing boots", "trust record", ERASES, LOOSE, 5, false, BANK},
    {"a chapter does not end", "trust record", ERASES, LOOSE, 5, false, BANK},
    {NULL, NULL, 0, 0, 0, false, NULL},
};

static const char *const torn_names[SERIN_FLASH_TORN_COUNT] = {
    [SERIN_FLASH_TORN_STABLE] = "stable",         [SERIN_FLASH_TORN_FAULTING] = "faulting",
    [SERIN_FLASH_TORN_UNSTABLE] = "unstable",     [SERIN_FLASH_TORN_WEAK_READ] = "weak-read",
    [SERIN_FLASH_TORN_WEAK_POWER] = "weak-power",
};

/* Whether fault `n` of a finding is the one that `known` excuses. */
static bool is_cause(const struct cuts_finding *finding, unsigned n, const struct known *known)
{
    const struct serin_flash_fault *fault = &finding->faults[n];
    return finding->places[n] != NULL && strcmp(finding->places[n], known->place) == 0 &&
           (known->kinds >> fault->kind & 1u) != 0 && (known->torn >> fault->torn & 1u) != 0;
}

static const struct known *look_up(const struct cuts_finding *finding)
{
    for (const struct known *known = table; known->failure != NULL; known++) {
        if (strcmp(finding->failure, known->failure) == 0 &&
            (is_cause(finding, 0, known) || is_cause(finding, 1, known))) {
            return known;
        }
    }
    return NULL;
}

bool cuts_known_all(const struct cuts_totals *totals)
{
    for (unsigned i = 0; i < totals->finding_count; i++) {
        if (look_up(&totals->findings[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static void print_finding(const struct cuts_finding *finding)
{
    (void)printf("BROKEN: %s (%s)\n  %llu times after", finding->failure, finding->detail,
                 (unsigned long long)finding->count);
    if (finding->trouble) {
        (void)printf(" trouble that passes");
    }
    for (unsigned n = 0; n < 2 && finding->faults[n].kind != SERIN_FLASH_FAULT_NONE; n++) {
        (void)printf(" %s, torn %s%s%s%s", serin_flash_fault_name(finding->faults[n].kind),
                     torn_names[finding->faults[n].torn], finding->places[n] != NULL ? " in " : "",
                     finding->places[n] != NULL ? finding->places[n] : "", n == 0 ? ";" : "");
    }
    (void)printf("\n  replay: serin-cut --replay '%s'\n", finding->replay);
}

/* How often `known` was found. */
static uint64_t count_known(const struct cuts_totals *totals, const struct known *known)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < totals->finding_count; i++) {
        count += look_up(&totals->findings[i]) == known ? totals->findings[i].count : 0;
    }
    return count;
}

/* Prints how often it came. False: too often, or never where it must. */
static bool judge_known(const struct cuts_totals *totals, const struct known *known, bool whole)
{
    uint64_t count = count_known(totals, known);
    uint64_t most = known->most * (cuts_totals_points(totals) / 100000u + 1u);
    bool gone = count == 0 && whole && known->must;
    if (count > 0) {
        (void)printf("known: %s, after a fault in the %s: %llu times, of %llu at most: %s\n",
                     known->failure, known->place, (unsigned long long)count,
                     (unsigned long long)most, known->reason);
    }
    if (count > most || gone) {
        (void)printf("BROKEN: known, and %s: %s, after a fault in the %s\n",
                     gone ? "no longer so; take it off the list" : "more often than it was",
                     known->failure, known->place);
    }
    return count <= most && !gone;
}

unsigned cuts_known_judge(const struct cuts_totals *totals, bool whole)
{
    unsigned unknown = 0;
    for (unsigned i = 0; i < totals->finding_count; i++) {
        if (look_up(&totals->findings[i]) == NULL) {
            print_finding(&totals->findings[i]);
            unknown++;
        }
    }
    for (const struct known *known = table; known->failure != NULL; known++) {
        unknown += judge_known(totals, known, whole) ? 0 : 1u;
    }
    return unknown;
}
