/*
 * A count of boots in two sectors, two places a boot:
 *
 *   0  count, 4    4  its complement, 4    8  erased bytes up to the write unit
 *
 * Places are written in order, each once; when a sector is full the other one is erased, which
 * holds older counts alone. A place that does not take its count is left, and the next one tried: a
 * cut may have torn it, and what reads as erased need not be. Nor need what was written there stay,
 * which is what the second place is for.
 */
#include <serin/ports/seed.h>

#include <string.h>

#define COUNT_SIZE 8u
#define COPIES     2u

/* Where a count may stand: places are numbered through both sectors. */
struct places {
    const struct serin_flash *flash;
    uint32_t address, size, per_sector;
};

static uint32_t address_of(const struct places *places, uint32_t place)
{
    return places->address + place / places->per_sector * places->flash->sector_size +
           place % places->per_sector * places->size;
}

/* The count of a place; 0: it bears none. */
static uint32_t count_at(const struct places *places, uint32_t place)
{
    const struct serin_flash *flash = places->flash;
    uint8_t bytes[COUNT_SIZE];
    if (flash->ops->read(flash->ctx, address_of(places, place), bytes, sizeof bytes) != SERIN_OK) {
        return 0;
    }
    uint32_t count = serin_get_le32(bytes);
    return serin_get_le32(bytes + 4) == ~count ? count : 0;
}

static bool is_erased(const struct places *places, uint32_t place)
{
    const struct serin_flash *flash = places->flash;
    uint8_t bytes[COUNT_SIZE], erased[COUNT_SIZE];
    memset(erased, flash->erased_value, sizeof erased);
    return flash->ops->read(flash->ctx, address_of(places, place), bytes, sizeof bytes) ==
               SERIN_OK &&
           memcmp(bytes, erased, sizeof bytes) == 0;
}

static bool place_write(const struct places *places, uint32_t place, uint32_t count)
{
    const struct serin_flash *flash = places->flash;
    uint8_t unit[SERIN_FLASH_UNIT_MAX];
    memset(unit, flash->erased_value, sizeof unit);
    serin_put_le32(unit, count);
    serin_put_le32(unit + 4, ~count);
    return flash->ops->program(flash->ctx, address_of(places, place), unit, places->size) ==
               SERIN_OK &&
           count_at(places, place) == count;
}

/* Writes into the first places of `sector` from `first` on that take it. */
static bool sector_write(const struct places *places, uint32_t sector, uint32_t first,
                         uint32_t count)
{
    unsigned copies = 0;
    for (uint32_t i = first; i < places->per_sector && copies < COPIES; i++) {
        uint32_t place = sector * places->per_sector + i;
        if (is_erased(places, place) && place_write(places, place, count)) {
            copies++;
        }
    }
    return copies == COPIES;
}

enum serin_error serin_boot_count_next(const struct serin_flash *flash, uint32_t address,
                                       uint32_t *count)
{
    const uint32_t size = flash->write_unit > COUNT_SIZE ? flash->write_unit : COUNT_SIZE;
    const struct places places = {
        .flash = flash, .address = address, .size = size, .per_sector = flash->sector_size / size};
    uint32_t highest = 0, at = 0;
    for (uint32_t place = 0; place < 2u * places.per_sector; place++) {
        uint32_t found = count_at(&places, place);
        if (found > 0 && found >= highest) { /* the second copy is what the next one follows */
            highest = found;
            at = place;
        }
    }
    uint32_t sector = at / places.per_sector;
    uint32_t first = highest > 0 ? at % places.per_sector + 1u : 0;
    *count = highest + 1u;
    if (sector_write(&places, sector, first, *count)) {
        return SERIN_OK;
    }
    sector = 1u - sector;
    if (flash->ops->erase(flash->ctx, address + sector * flash->sector_size, flash->sector_size) !=
        SERIN_OK) {
        return SERIN_ERR_FLASH;
    }
    return sector_write(&places, sector, 0, *count) ? SERIN_OK : SERIN_ERR_FLASH;
}
