/* What came of all points together (totals.h). */
#include "totals.h"

#include "points.h"

#include <stdio.h>
#include <string.h>

typedef unsigned long long wide;

static bool is_like(const struct cuts_finding *a, const struct cuts_finding *b, unsigned n)
{
    return a->places[n] == b->places[n] && a->faults[n].kind == b->faults[n].kind &&
           a->faults[n].torn == b->faults[n].torn && a->faults[n].again == b->faults[n].again;
}

static struct cuts_finding *find(struct cuts_totals *totals, const struct cuts_finding *like)
{
    for (unsigned i = 0; i < totals->finding_count; i++) {
        struct cuts_finding *known = &totals->findings[i];
        if (known->failure == like->failure && known->event == like->event &&
            known->trouble == like->trouble && is_like(known, like, 0) && is_like(known, like, 1)) {
            return known;
        }
    }
    return NULL;
}

static void keep(struct cuts_totals *totals, const struct cuts_finding *finding)
{
    struct cuts_finding *known = find(totals, finding);
    if (known != NULL) {
        known->count += finding->count;
    } else if (totals->finding_count < CUTS_FINDINGS) {
        totals->findings[totals->finding_count++] = *finding;
    }
}

bool cuts_leaves_doubt(const struct serin_flash_fault *fault)
{
    bool steady =
        fault->torn == SERIN_FLASH_TORN_STABLE ||
        (fault->kind == SERIN_FLASH_FAULT_ROT && fault->torn == SERIN_FLASH_TORN_FAULTING);
    return !steady || fault->again == SERIN_FLASH_AGAIN_UNSTABLE ||
           fault->kind == SERIN_FLASH_FAULT_PROGRAM_PREFIX ||
           fault->kind == SERIN_FLASH_FAULT_ERASE_ERASED ||
           fault->kind == SERIN_FLASH_FAULT_ERASE_HALF;
}

void cuts_totals_find(struct cuts_totals *totals, const struct cuts_life *life,
                      const struct cuts_finding *finding)
{
    struct cuts_finding found = *finding;
    found.failure = life->failure;
    found.count = 1;
    (void)snprintf(found.detail, sizeof found.detail, "%s", life->detail);
    totals->broken++;
    keep(totals, &found);
}

void cuts_totals_join(struct cuts_totals *totals, const struct cuts_totals *other)
{
    for (size_t g = 0; g < CUTS_GEOMETRIES; g++) {
        totals->merged[g] += other->merged[g];
        for (size_t k = 0; k < SERIN_FLASH_FAULT_KIND_COUNT; k++) {
            totals->points[g][k] += other->points[g][k];
        }
    }
    for (size_t c = 0; c < CUTS_CHAPTERS; c++) {
        totals->chapters[c] += other->chapters[c];
    }
    totals->factory += other->factory;
    totals->singles += other->singles;
    totals->pairs += other->pairs;
    totals->real += other->real;
    for (size_t e = 0; e < CUTS_EVENTS; e++) {
        totals->events[e] += other->events[e];
    }
    totals->repeated += other->repeated;
    totals->steps += other->steps;
    totals->boots += other->boots;
    totals->cuts += other->cuts;
    totals->again_bytes += other->again_bytes;
    totals->silent += other->silent;
    totals->lives += other->lives;
    totals->lives_struck += other->lives_struck;
    totals->hits += other->hits;
    totals->broken += other->broken;
    for (unsigned i = 0; i < other->finding_count; i++) {
        keep(totals, &other->findings[i]);
    }
}

static uint64_t of_geometry(const struct cuts_totals *totals, size_t geometry)
{
    uint64_t sum = 0;
    for (size_t kind = 0; kind < SERIN_FLASH_FAULT_KIND_COUNT; kind++) {
        sum += totals->points[geometry][kind];
    }
    return sum;
}

static uint64_t of_kind(const struct cuts_totals *totals, size_t kind)
{
    uint64_t sum = 0;
    for (size_t geometry = 0; geometry < CUTS_GEOMETRIES; geometry++) {
        sum += totals->points[geometry][kind];
    }
    return sum;
}

uint64_t cuts_totals_points(const struct cuts_totals *totals)
{
    uint64_t sum = 0;
    for (size_t geometry = 0; geometry < CUTS_GEOMETRIES; geometry++) {
        sum += of_geometry(totals, geometry);
    }
    return sum;
}

static void print_tables(const struct cuts_totals *totals)
{
    (void)printf("by part:\n");
    for (size_t g = 0; g < CUTS_GEOMETRIES; g++) {
        const struct cuts_geometry *part = &cuts_geometries[g];
        if (of_geometry(totals, g) > 0) {
            (void)printf("  %-7s ", part->name);
            if (part->sector > 0) {
                (void)printf("sectors %4u, units %3u, erased %02X%s", part->sector, part->unit,
                             part->erased, part->ecc ? ", ECC:" : ":    ");
            }
            (void)printf(" %9llu, and %llu merged\n", (wide)of_geometry(totals, g),
                         (wide)totals->merged[g]);
        }
    }
    (void)printf("by kind of the last fault:\n");
    for (size_t kind = 0; kind < SERIN_FLASH_FAULT_KIND_COUNT; kind++) {
        if (of_kind(totals, kind) > 0) {
            (void)printf("  %-16s %9llu\n",
                         kind == SERIN_FLASH_FAULT_NONE
                             ? "an event alone"
                             : serin_flash_fault_name((enum serin_flash_fault_kind)kind),
                         (wide)of_kind(totals, kind));
        }
    }
    (void)printf("by what struck beside it, or alone:\n ");
    for (enum cuts_event event = CUTS_EVENT_CRASH; event < CUTS_EVENTS; event++) {
        (void)printf(" %s %llu", cuts_event_name(event), (wide)totals->events[event]);
    }
    (void)printf("\nby where the first fault fell:\n  factory %llu", (wide)totals->factory);
    for (size_t c = 0; c < CUTS_CHAPTERS; c++) {
        (void)printf("  %s %llu", cuts_story[c].name, (wide)totals->chapters[c]);
    }
    (void)printf("\n");
}

void cuts_totals_print(const struct cuts_totals *totals, double seconds)
{
    (void)printf(
        "%llu distinct points in %.1f s: %llu with one fault, %llu with two, %llu with real "
        "cryptography\n",
        (wide)cuts_totals_points(totals), seconds, (wide)totals->singles, (wide)totals->pairs,
        (wide)totals->real);
    print_tables(totals);
    (void)printf("%llu boots and %llu steps; %llu cuts, %llu faults that did not fire; %llu bytes "
                 "fetched again\n",
                 (wide)totals->boots, (wide)totals->steps, (wide)totals->cuts, (wide)totals->silent,
                 (wide)totals->again_bytes);
    (void)printf("%llu lives in trouble that passes: %llu struck, %llu operations went wrong\n",
                 (wide)totals->lives, (wide)totals->lives_struck, (wide)totals->hits);
}
