/*
 * Tries a flash port: for who writes a driver, on the board or on the emulator, and for the
 * factory, before a device gets its first content. It finds what drivers get wrong while the power
 * stays: geometry that is not the part's, addresses that wrap, erases that take too little or too
 * much, caches that are not invalidated, reads and programs of some sizes or alignments.
 */
#ifndef SERIN_DEVICE_FLASH_PROBE_H
#define SERIN_DEVICE_FLASH_PROBE_H

#include <serin/device/flash.h>

/* Erases `region`, fills it, erases one sector in its middle, fills that again, and erases the
 * whole sector by sector, and once more at once, with something at the end of each; looks at all of
 * it after each. What was there is lost; each sector is erased three times, one of them four times.
 * `region` is whole sectors, three at least to tell all of the above; `scratch` has
 * SERIN_PIECE_SIZE bytes, as large as a program or a read of Serin's gets.
 *
 * SERIN_ERR_FLASH: `*what` (may be NULL) says what did not hold, `*address` (may be NULL) about
 * where. */
SERIN_MUST_USE enum serin_error serin_flash_probe(const struct serin_flash *flash,
                                                  const struct serin_region *region,
                                                  uint8_t *scratch, const char **what,
                                                  uint32_t *address);

#endif
