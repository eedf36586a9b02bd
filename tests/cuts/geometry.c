/* The flash parts that are cut (geometry.h). */
#include "geometry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAWN     (CUTS_GEOMETRIES - 1u)
#define IMAGE_MAX 8500u /* of the story's releases */

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

/* Whether a device fits into it, with the largest of the story's images. */
static bool has_room(const struct cuts_geometry *geometry)
{
    struct serin_flash flash = {.size_bytes = geometry->size,
                                .sector_size = geometry->sector,
                                .write_unit = geometry->unit,
                                .erased_value = geometry->erased,
                                .runs = geometry->runs};
    struct serin_layout layout;
    struct serin_slot_map map;
    while (flash.run_count < CUTS_RUNS && geometry->runs[flash.run_count].count != 0) {
        flash.run_count++;
    }
    flash.runs = flash.run_count > 0 ? geometry->runs : NULL;
    if (serin_layout_default(&flash, &layout) != SERIN_OK) {
        return false;
    }
    serin_slot_map(&flash, &layout, &map);
    return map.image_capacity >= IMAGE_MAX;
}

/* Of unequal sectors: runs as flash-layout takes them, then unit and erased value. */
static bool name_runs(struct cuts_geometry *geometry)
{
    int used = 0;
    geometry->size = geometry->sector = 0;
    for (unsigned i = 0; i < CUTS_RUNS && geometry->runs[i].count != 0; i++) {
        const struct serin_flash_run *run = &geometry->runs[i];
        used += snprintf(geometry->name + used, CUTS_NAME - (size_t)used, "%s%ux%u",
                         i == 0 ? "" : ",", run->count, run->size);
        if (used >= (int)CUTS_NAME) {
            return false;
        }
        geometry->size += run->count * run->size;
        geometry->sector = run->size > geometry->sector ? run->size : geometry->sector;
    }
    used += snprintf(geometry->name + used, CUTS_NAME - (size_t)used, ":%ux%02x%s", geometry->unit,
                     geometry->erased, geometry->ecc ? "-ecc" : "");
    return used < (int)CUTS_NAME;
}

/* Takes runs up to the colon; moves `*name` behind it. */
static bool take_runs(const char **name, struct cuts_geometry *geometry)
{
    char *end = NULL;
    unsigned count = 0;
    for (const char *at = *name; count < CUTS_RUNS; at = end + 1) {
        struct serin_flash_run *run = &geometry->runs[count++];
        run->count = (uint32_t)strtoul(at, &end, 10);
        run->size = *end == 'x' ? (uint32_t)strtoul(end + 1, &end, 10) : 0;
        if (run->count == 0 || run->size == 0 || (*end != ',' && *end != ':')) {
            return false;
        }
        if (*end == ':') {
            *name = end + 1;
            return true;
        }
    }
    return false;
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
    const char *rest = name;
    char *end = NULL;
    bool equal = strchr(name, ':') == NULL;
    if (!equal && !take_runs(&rest, geometry)) {
        return false;
    }
    if (equal) {
        geometry->sector = (uint32_t)strtoul(name, &end, 10);
        rest = *end == 'x' ? end + 1 : end;
    }
    geometry->unit = (uint32_t)strtoul(rest, &end, 10);
    geometry->erased = *end == 'x' ? (uint8_t)strtoul(end + 1, &end, 16) : 0;
    if ((equal && geometry->sector == 0) || geometry->unit == 0) {
        return false;
    }
    geometry->ecc = strstr(name, "-ecc") != NULL;
    if (equal) {
        name_drawn(geometry);
    } else if (!name_runs(geometry)) {
        return false;
    }
    return strcmp(geometry->name, name) == 0 && has_room(geometry);
}

/* Small sectors, then large ones; on some parts a few of a third size between them. */
static void draw_runs(uint64_t *dice, struct cuts_geometry *geometry)
{
    uint32_t small = 512u << cuts_dice(dice) % 4u;
    uint32_t large = small << (1u + cuts_dice(dice) % 4u);
    unsigned n = 0;
    geometry->runs[n++] = (struct serin_flash_run){16u + (uint32_t)(cuts_dice(dice) % 24u), small};
    if (cuts_dice(dice) % 3u == 0) {
        geometry->runs[n++] = (struct serin_flash_run){4u, small * 2u};
    }
    uint32_t least = 65536u / large;
    geometry->runs[n] =
        (struct serin_flash_run){8u + least + (uint32_t)(cuts_dice(dice) % 16u), large};
}

static bool draw(uint64_t *dice, struct cuts_geometry *geometry)
{
    memset(geometry, 0, sizeof *geometry);
    bool equal = cuts_dice(dice) % 4u != 0;
    geometry->unit = 1u << cuts_dice(dice) % 10u;
    geometry->erased = cuts_dice(dice) % 2u == 0 ? 0xFF : 0x00;
    geometry->ecc = cuts_dice(dice) % 2u == 0;
    geometry->sector = 512u << cuts_dice(dice) % 9u;
    if (equal) {
        name_drawn(geometry);
        return true;
    }
    draw_runs(dice, geometry);
    return name_runs(geometry) && has_room(geometry);
}

void cuts_geometry_draw(uint64_t *dice, struct cuts_geometry *geometry)
{
    while (!draw(dice, geometry)) { /* three in four are of equal sectors, and are taken */
    }
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
