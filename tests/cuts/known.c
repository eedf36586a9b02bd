/* Failures that are known and not mended yet (known.h). */
#include "known.h"

#include <stdio.h>
#include <string.h>

struct known {
    const char *failure; /* its words; NULL ends the table */
    const char *place;   /* that the fault struck */
    const char *reason;
    bool rare; /* so few of the fixed sweep's points show it that a run may have none */
};

/* Bits that read now so, now so, are no proof against what is read once, or four times. */
#define UNSTEADY "what runs reads right when it is proved, and wrong when it boots next"
#define RECORD   "a record that was torn and read well is lost later, and the trial with it"
#define BANK     "a bank that an erase was cut in and that reads well is believed, the other erased"
#define SINGLE   "the only copy of a record, rotten, reads well four times in a row"

static const struct known table[] = {
    {"a chapter does not end", "image", UNSTEADY, true},
    {"a chapter does not end", "manifest", UNSTEADY, true},
    {"nothing boots", "image", UNSTEADY, true},
    {"nothing boots", "manifest", UNSTEADY, true},
    {"a chapter does not end", "boot log", RECORD, true},
    {"an attempt ended for another reason", "boot log", RECORD, true},
    {"an unconfirmed image boots more often than it may", "boot log", SINGLE, true},
    {"an unconfirmed image boots more often than it may", "agent log", SINGLE, true},
    {"an unconfirmed image runs longer than it may", "agent log", SINGLE, true},
    {"nothing boots", "trust record", BANK, true},
    {"a chapter does not end", "trust record", BANK, true},
    {NULL, NULL, NULL, false},
};

static bool is_place(const char *place, const struct known *known)
{
    return place != NULL && strcmp(place, known->place) == 0;
}

static const struct known *look_up(const struct cuts_finding *finding)
{
    for (const struct known *known = table; known->failure != NULL; known++) {
        if (strcmp(finding->failure, known->failure) == 0 &&
            (is_place(finding->places[0], known) || is_place(finding->places[1], known))) {
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
    static const char *const torn[SERIN_FLASH_TORN_COUNT] = {
        [SERIN_FLASH_TORN_STABLE] = "stable",         [SERIN_FLASH_TORN_FAULTING] = "faulting",
        [SERIN_FLASH_TORN_UNSTABLE] = "unstable",     [SERIN_FLASH_TORN_WEAK_READ] = "weak-read",
        [SERIN_FLASH_TORN_WEAK_POWER] = "weak-power",
    };
    static const char *const again[SERIN_FLASH_AGAIN_COUNT] = {
        [SERIN_FLASH_AGAIN_REFUSED] = "refused",
        [SERIN_FLASH_AGAIN_UNSTABLE] = "unstable",
        [SERIN_FLASH_AGAIN_FINE] = "fine",
    };
    (void)printf("BROKEN: %s (%s)\n  %llu times after %s, torn %s, again %s; doubt: %s %s\n"
                 "  replay: serin-cut --replay '%s'\n",
                 finding->failure, finding->detail, (unsigned long long)finding->count,
                 serin_flash_fault_name(finding->kind), torn[finding->torn], again[finding->again],
                 finding->places[0] != NULL ? finding->places[0] : "-",
                 finding->places[1] != NULL ? finding->places[1] : "-", finding->replay);
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
        uint64_t count = count_known(totals, known);
        if (count > 0) {
            (void)printf("known: %s, after a fault in the %s: %llu times: %s\n", known->failure,
                         known->place, (unsigned long long)count, known->reason);
        } else if (whole && !known->rare) {
            (void)printf("BROKEN: known, and no longer so; take it off the list: %s, after a fault "
                         "in the %s\n",
                         known->failure, known->place);
            unknown++;
        }
    }
    return unknown;
}
