/* Failures that are known and not mended yet (known.h). */
#include "known.h"

#include <stdio.h>
#include <string.h>

struct known {
    const char *failure; /* the beginning of its words; NULL ends the table */
    const char *reason;
};

static const struct known table[] = {
    {NULL, NULL},
};

static const struct known *look_up(const struct cuts_finding *finding)
{
    for (const struct known *known = table; known->failure != NULL; known++) {
        if (strncmp(finding->failure, known->failure, strlen(known->failure)) == 0) {
            return known;
        }
    }
    return NULL;
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
    (void)printf("BROKEN: %s (%s)\n  %llu times after %s, torn %s, again %s\n"
                 "  replay: serin-cut --replay '%s'\n",
                 finding->failure, finding->detail, (unsigned long long)finding->count,
                 serin_flash_fault_name(finding->kind), torn[finding->torn], again[finding->again],
                 finding->replay);
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
            (void)printf("known: %s: %llu times: %s\n", known->failure, (unsigned long long)count,
                         known->reason);
        } else if (whole) {
            (void)printf("BROKEN: known, and no longer so; take it off the list: %s\n",
                         known->failure);
            unknown++;
        }
    }
    return unknown;
}
