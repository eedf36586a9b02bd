/* Checked access to the flash port. */
#include "flash_io.h"

#include <string.h>

#ifdef SERIN_FLASH_PORT
/* The one part: what its functions never return is known where they are called. */
extern const struct serin_flash SERIN_FLASH_PORT;
#define PORT(flash) ((void)(flash), &SERIN_FLASH_PORT)
#else
#define PORT(flash) (flash)
#endif

static bool inside(const struct serin_flash *flash, uint32_t address, size_t size)
{
    return address <= PORT(flash)->size_bytes && size <= PORT(flash)->size_bytes - address;
}

#ifdef SERIN_FLASH_SECTOR

struct serin_region serin_flash_sector(const struct serin_flash *flash, uint32_t address)
{
    SERIN_ASSERT(address < PORT(flash)->size_bytes);
    return (struct serin_region){.address = address / SERIN_FLASH_SECTOR * SERIN_FLASH_SECTOR,
                                 .size = SERIN_FLASH_SECTOR};
}

bool serin_flash_border(const struct serin_flash *flash, uint32_t address)
{
    return address <= PORT(flash)->size_bytes && address % SERIN_FLASH_SECTOR == 0;
}

uint32_t serin_flash_border_from(const struct serin_flash *flash, uint32_t address)
{
    (void)flash;
    return serin_round_up(address, SERIN_FLASH_SECTOR);
}

#else

struct serin_region serin_flash_sector(const struct serin_flash *flash, uint32_t address)
{
    SERIN_ASSERT(address < PORT(flash)->size_bytes);
    uint32_t start = 0, size = flash->sector_size;
    for (uint32_t i = 0; i < flash->run_count; i++) {
        size = flash->runs[i].size;
        uint32_t length = flash->runs[i].count * size;
        if (address - start < length) {
            break;
        }
        start += length;
    }
    return (struct serin_region){.address = start + (address - start) / size * size, .size = size};
}

bool serin_flash_border(const struct serin_flash *flash, uint32_t address)
{
    return address == flash->size_bytes || (address < PORT(flash)->size_bytes &&
                                            serin_flash_sector(flash, address).address == address);
}

uint32_t serin_flash_border_from(const struct serin_flash *flash, uint32_t address)
{
    if (serin_flash_border(flash, address)) {
        return address;
    }
    struct serin_region sector = serin_flash_sector(flash, address);
    return sector.address + sector.size;
}

#endif

enum serin_error serin_flash_read(const struct serin_flash *flash, uint32_t address, void *out,
                                  size_t size)
{
    SERIN_ASSERT(inside(flash, address, size));
    return PORT(flash)->ops->read(PORT(flash)->ctx, address, out, size);
}

enum serin_error serin_flash_program(const struct serin_flash *flash, uint32_t address,
                                     const void *data, size_t size)
{
    uint32_t unit = serin_flash_unit(flash);
    SERIN_ASSERT(address % unit == 0 &&
                 inside(flash, address, serin_round_up((uint32_t)size, unit)));
    size_t tail = size % unit;
    size_t whole = size - tail;
    enum serin_error error = SERIN_OK;
    if (whole > 0) {
        error = PORT(flash)->ops->program(PORT(flash)->ctx, address, data, whole);
    }
    if (error == SERIN_OK && tail > 0) {
        uint8_t last[SERIN_FLASH_UNIT_MAX];
        memset(last, PORT(flash)->erased_value, unit);
        memcpy(last, (const uint8_t *)data + whole, tail);
        error = PORT(flash)->ops->program(PORT(flash)->ctx, address + (uint32_t)whole, last, unit);
    }
    return error;
}

enum serin_error serin_flash_erase(const struct serin_flash *flash, uint32_t address, uint32_t size)
{
    SERIN_ASSERT(inside(flash, address, size) && serin_flash_border(flash, address) &&
                 serin_flash_border(flash, address + size));
    return PORT(flash)->ops->erase(PORT(flash)->ctx, address, size);
}

/* Whether flash holds `data`, or where that is NULL nothing. */
static bool reads_as(const struct serin_flash *flash, uint32_t address, const uint8_t *data,
                     size_t size)
{
    uint8_t chunk[SERIN_FLASH_PIECE];
    for (size_t done = 0; done < size;) {
        size_t part = size - done < sizeof chunk ? size - done : sizeof chunk;
        if (serin_flash_read(flash, address + (uint32_t)done, chunk, part) != SERIN_OK) {
            return false;
        }
        bool same = data != NULL ? memcmp(chunk, data + done, part) == 0
                                 : serin_bytes_all(chunk, part, PORT(flash)->erased_value);
        if (!same) {
            return false;
        }
        done += part;
    }
    return true;
}

bool serin_flash_erased(const struct serin_flash *flash, uint32_t address, uint32_t size)
{
    return reads_as(flash, address, NULL, size);
}

bool serin_flash_holds(const struct serin_flash *flash, uint32_t address, const void *data,
                       size_t size)
{
    return reads_as(flash, address, data, size);
}
