/*
 * The flash of the fleet: NOR flash in memory that costs what it holds.
 *
 * A flash is a table of sectors. An erased sector is none at all; of equal sectors there is one in
 * all of the fleet, whoever wrote it and however often (copy-on-write). Before them stands a flat
 * part, each flash's own: the logs, which no other device has, and which are read and written most.
 *
 * The rules are those of serin/emulator/flash_emulator.h to the byte, noise of units that
 * SERIN_CUT_INSIDE tears included: check_sim_flash runs both side by side. Other faults have their
 * place there, not in a fleet. A sector has 32 write units, so that one word says which
 * of them are programmed, and another which of those are torn.
 */
#ifndef SERIN_SIM_FLASH_H
#define SERIN_SIM_FLASH_H

#include "sim_internal.h"

#include <serin/emulator/flash_emulator.h>

#define SIM_FLASH_UNITS  32u /* of a sector */
#define SIM_FLASH_ERASED 0xFFu

/* Flashes of `size_bytes` in sectors of `sector_size`, a power of two ≥ SIM_FLASH_UNITS, of which
 * the size is a multiple. The first `flat_bytes`, whole sectors, are each flash's own. `ecc`: torn
 * units cannot be read. SERIN_ERR_MEMORY, SERIN_ERR_INVALID. */
SERIN_MUST_USE enum serin_error sim_pool_open(struct sim_pool **pool, uint32_t size_bytes,
                                              uint32_t sector_size, uint32_t flat_bytes, bool ecc);
/* All flashes of it are closed. NULL is fine. */
void sim_pool_close(struct sim_pool *pool);
/* Memory that all flashes take together. */
uint64_t sim_pool_bytes(const struct sim_pool *pool);

/* A fresh, erased flash; `seed` is that of what tearing leaves behind. SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error sim_flash_open(struct sim_flash *flash, struct sim_pool *pool,
                                               uint64_t seed);
/* A second one with the same content; its power is on and no cut is set. SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error sim_flash_copy(struct sim_flash *copy,
                                               const struct sim_flash *flash, uint64_t seed);
void sim_flash_close(struct sim_flash *flash); /* also where all of it is zero */

/* The port of any flash of the pool: `ctx` is the struct sim_flash that it works on. Operations
 * fail with SERIN_ERR_FLASH as those of the emulator; where memory is exhausted, too. */
void sim_flash_port(const struct sim_pool *pool, struct serin_flash *port);

/* Cuts the power at the `nth` operation from now (1 is the next); SERIN_CUT_NONE takes it back. */
void sim_flash_cut(struct sim_flash *flash, uint64_t nth, enum serin_cut cut);

#endif
