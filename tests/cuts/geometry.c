/* The flash parts that are cut (geometry.h). */
#include "geometry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAWN (CUTS_GEOMETRIES - 1u)

const struct cuts_geometry cuts_geometries[CUTS_GEOMETRIES] = {
    {.name = "nor1", .size = 64 * 1024, .sector = 1024, .unit = 1, .erased = 0xFF},
    {.name = "nor2", .size = 80 * 1024, .sector = 2048, .unit = 2, .erased = 0xFF},
    {.name = "nor4", .size = 64 * 1024, .sector = 512, .unit = 4, .erased = 0xFF},
    {.name = "nor8", .size = 64 * 1024, .sector = 1024, .unit = 8, .erased = 0xFF},
    {.name = "ecc8", .size = 80 * 1024, .sector = 2048, .unit = 8, .erased = 0xFF, .ecc = true},
    {.name = "zero8", .size = 64 * 1024, .sector = 1024, .unit = 8, .erased = 0x00},
    {.name = "zero32", .size = 64 * 1024, .sector = 512, .unit = 32, .erased = 0x00},
    {.name = "ecc32", .size = 96 * 1024, .sector = 4096, .unit = 32, .erased = 0xFF, .ecc = true},
    {.name = "ecc256", .size = 96 * 1024, .sector = 4096, .unit = 256, .erased = 0xFF, .ecc = true},
    {.name = "ecc512", .size = 128 * 1024, .sector = 512, .unit = 512, .erased = 0xFF, .ecc = true},
    {.name = "and1", .size = 64 * 1024, .sector = 1024, .unit = 1, .erased = 0xFF, .and = true},
    {.name = "wide8", .size = 160 * 1024, .sector = 8192, .unit = 8, .erased = 0xFF},
    {.name = "big64", .size = 1024 * 1024, .sector = 65536, .unit = 8, .erased = 0xFF},
    {.name = "big128",
     .size = 2048 * 1024,
     .sector = 131072,
     .unit = 32,
     .erased = 0xFF,
     .ecc = true},
    {.name = "mixed",
     .size = 24 * 4096 + 16 * 16384,
     .sector = 16384,
     .unit = 16,
     .erased = 0x00,
     .runs = {{24, 4096}, {16, 16384}}},
    {.name = "drawn"},
};

static void name_drawn(struct cuts_geometry *geometry)
{
    (void)snprintf(geometry->name, sizeof geometry->name, "%ux%ux%02x%s", geometry->sector,
                   geometry->unit, geometry->erased, geometry->ecc ? "-ecc" : "");
    uint32_t sectors = 24u * geometry->sector; /* logs, trust, scratch, and what slots round up */
    geometry->size =
        (48u * 1024u + 2u * sectors + 64u * geometry->unit) / geometry->sector * geometry->sector;
}

bool cuts_geometry_named(const char *name, struct cuts_geometry *geometry)
{
    for (size_t i = 0; i < DRAWN; i++) {
        if (strcmp(cuts_geometries[i].name, name) == 0) {
            *geometry = cuts_geometries[i];
            return true;
        }
    }
    memset(geometry, 0, sizeof *geometry);
    char *end = NULL;
    geometry->sector = (uint32_t)strtoul(name, &end, 10);
    geometry->unit = *end == 'x' ? (uint32_t)strtoul(end + 1, &end, 10) : 0;
    geometry->erased = *end == 'x' ? (uint8_t)strtoul(end + 1, &end, 16) : 0;
    if (geometry->sector == 0 || geometry->unit == 0) {
        return false;
    }
    geometry->ecc = strstr(name, "-ecc") != NULL;
    name_drawn(geometry);
    return strcmp(geometry->name, name) == 0;
}

void cuts_geometry_draw(uint64_t *dice, struct cuts_geometry *geometry)
{
    memset(geometry, 0, sizeof *geometry);
    geometry->sector = 512u << cuts_dice(dice) % 9u;
    geometry->unit = 1u << cuts_dice(dice) % 10u;
    geometry->erased = cuts_dice(dice) % 2u == 0 ? 0xFF : 0x00;
    geometry->ecc = cuts_dice(dice) % 2u == 0;
    name_drawn(geometry);
}

unsigned cuts_geometry_row(const struct cuts_geometry *geometry)
{
    for (unsigned i = 0; i < DRAWN; i++) {
        if (strcmp(cuts_geometries[i].name, geometry->name) == 0) {
            return i;
        }
    }
    return DRAWN;
}

uint64_t cuts_dice(uint64_t *dice)
{
    *dice ^= *dice >> 12;
    *dice ^= *dice << 25;
    *dice ^= *dice >> 27;
    return *dice * UINT64_C(2685821657736338717);
}
