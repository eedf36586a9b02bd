/*
 * Checked access to the flash port: bounds, alignment, and the padding of a last write unit.
 * Everything in device/src reads and writes flash through these.
 */
#ifndef SERIN_DEVICE_SRC_FLASH_IO_H
#define SERIN_DEVICE_SRC_FLASH_IO_H

#include <serin/assert.h>
#include <serin/device/flash.h>

/* How much is read at once where a caller has no buffer of its own. */
#define SERIN_FLASH_CHUNK 256u

/* How much of what is compared is read at once, on the stack. A build whose stack has room for a
 * whole record of a log defines it larger: hosts do. */
#ifndef SERIN_FLASH_PIECE
#define SERIN_FLASH_PIECE SERIN_FLASH_CHUNK
#endif

/* A bootloader, or an image, that is built for one part alone defines SERIN_FLASH_UNIT and
 * SERIN_FLASH_SECTOR, which its port's write_unit and sector_size then are, without runs: what is
 * computed from them is constant. */
#if defined(SERIN_FLASH_UNIT) != defined(SERIN_FLASH_SECTOR)
#error "a part is fixed by its unit and its sector, both"
#endif

static inline uint32_t serin_flash_unit(const struct serin_flash *flash)
{
#ifdef SERIN_FLASH_UNIT
    (void)flash;
    return SERIN_FLASH_UNIT;
#else
    return flash->write_unit;
#endif
}

/* Whether it is known when this is compiled that no sector is larger than `size`: code for those
 * that are is left out. */
static inline bool serin_flash_sectors_within(uint32_t size)
{
#ifdef SERIN_FLASH_SECTOR
    return SERIN_FLASH_SECTOR <= size;
#else
    (void)size;
    return false;
#endif
}

static inline uint32_t serin_round_up(uint32_t value, uint32_t unit)
{
    return (value + unit - 1u) / unit * unit;
}

/* The sector that `address`, inside the flash, lies in. */
struct serin_region serin_flash_sector(const struct serin_flash *flash, uint32_t address);

/* Whether a sector begins at `address`, or the flash ends there. */
bool serin_flash_border(const struct serin_flash *flash, uint32_t address);

/* The first border at `address` or behind it; `address` is at most the size of the flash. */
uint32_t serin_flash_border_from(const struct serin_flash *flash, uint32_t address);

SERIN_MUST_USE enum serin_error serin_flash_read(const struct serin_flash *flash, uint32_t address,
                                                 void *out, size_t size);

/* Programs `size` bytes at the unit-aligned `address`; the rest of the last unit keeps the erased
 * value, yet counts as programmed. SERIN_ERR_FLASH. */
SERIN_MUST_USE enum serin_error serin_flash_program(const struct serin_flash *flash,
                                                    uint32_t address, const void *data,
                                                    size_t size);

/* Erases whole sectors; both ends are borders. SERIN_ERR_FLASH. */
SERIN_MUST_USE enum serin_error serin_flash_erase(const struct serin_flash *flash, uint32_t address,
                                                  uint32_t size);

/* Whether every byte has the erased value. Unreadable bytes are not erased. */
bool serin_flash_erased(const struct serin_flash *flash, uint32_t address, uint32_t size);

/* Whether flash holds `data`. Unreadable bytes do not match. */
bool serin_flash_holds(const struct serin_flash *flash, uint32_t address, const void *data,
                       size_t size);

#endif
