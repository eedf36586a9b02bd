/* Tries a flash port (flash_probe.h). */
#include <serin/device/flash_probe.h>

#include "flash_io.h"

#include <serin/piece.h>

#include <string.h>

#define GUARD      0x5Au
#define GUARD_SIZE 4u

struct probe {
    const struct serin_flash *flash;
    struct serin_region region;
    uint8_t *scratch;
    const char *what;
    uint32_t address;
};

static bool fault(struct probe *probe, const char *what, uint32_t address)
{
    probe->what = what;
    probe->address = address;
    return false;
}

/* Different wherever addresses are confused: by a bit, by a sector, by a power of two. */
static uint8_t pattern(uint32_t address)
{
    uint32_t mixed = (address + 1u) * 2654435761u;
    return (uint8_t)((mixed >> 24) ^ (mixed >> 11));
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Reads [from, end) in sizes and alignments that change, and compares: with the pattern, or with
 * erased bytes. A read must not touch what lies beyond what was asked for. */
static bool look(struct probe *probe, uint32_t from, uint32_t end, bool erased, const char *what)
{
    static const uint32_t sizes[] = {1, 3, 16, 5, 256, 7, SERIN_PIECE_SIZE - GUARD_SIZE, 64, 2};
    const struct serin_flash *flash = probe->flash;
    for (uint32_t n = 0; from < end; n++) {
        uint32_t size = least(sizes[n % (sizeof sizes / sizeof sizes[0])], end - from);
        memset(probe->scratch, GUARD, size + GUARD_SIZE);
        if (serin_flash_read(flash, from, probe->scratch, size) != SERIN_OK) {
            return fault(probe, "a read fails", from);
        }
        for (uint32_t i = 0; i < size; i++) {
            uint8_t expected = erased ? flash->erased_value : pattern(from + i);
            if (probe->scratch[i] != expected) {
                return fault(probe, what, from + i);
            }
        }
        if (!serin_bytes_all(probe->scratch + size, GUARD_SIZE, GUARD)) {
            return fault(probe, "a read writes more than it was asked for", from);
        }
        from += size;
    }
    return true;
}

/* Programs [from, end) in runs of units whose number changes. */
static bool fill(struct probe *probe, uint32_t from, uint32_t end)
{
    uint32_t unit = probe->flash->write_unit;
    for (uint32_t units = 1; from < end; units = units * 2u + 1u) {
        if (units * unit > SERIN_PIECE_SIZE) {
            units = 1;
        }
        uint32_t size = least(units * unit, end - from);
        for (uint32_t i = 0; i < size; i++) {
            probe->scratch[i] = pattern(from + i);
        }
        if (serin_flash_program(probe->flash, from, probe->scratch, size) != SERIN_OK) {
            return fault(probe, "a program fails", from);
        }
        /* At once, too: what was read before must not be served again. */
        if (!look(probe, from, from + size, false, "a program does not read back")) {
            return false;
        }
        from += size;
    }
    return true;
}

static bool erase(struct probe *probe, uint32_t from, uint32_t size)
{
    return serin_flash_erase(probe->flash, from, size) == SERIN_OK ||
           fault(probe, "an erase fails", from);
}

/* One sector goes, and its neighbours stay. */
static bool middle(struct probe *probe, uint32_t from, uint32_t end)
{
    struct serin_region sector = serin_flash_sector(probe->flash, from + (end - from) / 2u);
    uint32_t at = sector.address;
    uint32_t behind = at + sector.size;
    return erase(probe, at, sector.size) &&
           look(probe, at, behind, true, "a sector is not erased whole") &&
           look(probe, from, at, false, "an erase takes what lies before it") &&
           look(probe, behind, end, false, "an erase takes what lies behind it") &&
           fill(probe, at, behind);
}

static bool clear(struct probe *probe, uint32_t from, uint32_t end)
{
    for (uint32_t at = from; at < end;) {
        struct serin_region sector = serin_flash_sector(probe->flash, at);
        if (!erase(probe, at, sector.size)) {
            return false;
        }
        at += sector.size;
    }
    return look(probe, from, end, true, "a sector is not erased whole");
}

/* All of it goes by one erase, as whole regions do: something stands at the end of each sector. */
static bool at_once(struct probe *probe, uint32_t from, uint32_t end)
{
    uint32_t unit = probe->flash->write_unit;
    for (uint32_t at = from; at < end;) {
        struct serin_region sector = serin_flash_sector(probe->flash, at);
        at += sector.size;
        if (!fill(probe, at - unit, at)) {
            return false;
        }
    }
    return erase(probe, from, end - from) &&
           look(probe, from, end, true, "an erase of several sectors leaves some");
}

enum serin_error serin_flash_probe(const struct serin_flash *flash,
                                   const struct serin_region *region, uint8_t *scratch,
                                   const char **what, uint32_t *address)
{
    struct probe probe = {.flash = flash, .region = *region};
    probe.scratch = scratch;
    uint32_t from = region->address;
    uint32_t end = from + region->size;
    bool holds = erase(&probe, from, region->size) &&
                 look(&probe, from, end, true, "erased flash does not read as the erased value") &&
                 fill(&probe, from, end) &&
                 look(&probe, from, end, false, "a program changes what was there") &&
                 middle(&probe, from, end) &&
                 look(&probe, from, end, false, "a program changes what was there") &&
                 clear(&probe, from, end) && at_once(&probe, from, end);
    if (what != NULL) {
        *what = probe.what;
    }
    if (address != NULL) {
        *address = probe.address;
    }
    return holds ? SERIN_OK : SERIN_ERR_FLASH;
}
