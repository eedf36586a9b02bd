/*
 * The flash emulator: NOR flash in memory that is as strict as the strictest part, and that loses
 * power on demand.
 *
 *   rules    a write unit is programmed at most once between two erases; addresses and sizes are
 * aligned; programming only moves bits away from the erased value. A breach fails, is counted, and
 * changes nothing. power    a cut can be set before, inside or after the n-th operation (a program
 * or an erase). From then on every call, reads included, fails until serin_flash_emulator_power_on.
 *   torn     inside a program: a run of bytes from its start is written, the next byte partly, the
 * rest not. Inside an erase: sectors before the cut are erased, one holds a mix of old bytes,
 * erased bytes and noise, those after it are untouched. A torn unit must be erased before it is
 * programmed, whatever it reads. ECC      where asked for, a torn unit cannot be read until it is
 * erased, as on parts with ECC words.
 *
 * One emulator belongs to one thread. Memory comes from the heap: the emulator is a port, not a
 * core.
 */
#ifndef SERIN_EMULATOR_FLASH_EMULATOR_H
#define SERIN_EMULATOR_FLASH_EMULATOR_H

#include <serin/device/flash.h>

struct serin_flash_emulator; /* opaque */

struct serin_flash_emulator_config {
    uint32_t size_bytes, sector_size, write_unit;
    uint8_t erased_value; /* 0xFF or 0x00 */
    bool ecc;             /* torn units are unreadable */
    uint64_t seed;        /* of what tearing leaves behind; the same seed gives the same bytes */
};

/* A fresh, fully erased flash. SERIN_ERR_MEMORY; SERIN_ERR_INVALID: the size is no multiple of the
 * sector, or the sector none of the write unit, or one of them is 0. */
SERIN_MUST_USE enum serin_error
serin_flash_emulator_open(struct serin_flash_emulator **emulator,
                          const struct serin_flash_emulator_config *config);
void serin_flash_emulator_close(struct serin_flash_emulator *emulator); /* NULL is fine */

/* A second flash with the same content, wear and history; its power is on and no cut is set.
 * SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error
serin_flash_emulator_copy(struct serin_flash_emulator **copy,
                          const struct serin_flash_emulator *emulator);

/* The port; valid as long as the emulator. */
const struct serin_flash *serin_flash_emulator_flash(struct serin_flash_emulator *emulator);

/* ---- power ---- */

enum serin_cut { SERIN_CUT_NONE, SERIN_CUT_BEFORE, SERIN_CUT_INSIDE, SERIN_CUT_AFTER };

/* Cuts the power at the `nth` operation from now (1 is the next one). NONE takes a cut back that
 * has not fired. */
void serin_flash_emulator_cut(struct serin_flash_emulator *emulator, uint64_t nth,
                              enum serin_cut cut);
/* Cuts the power now, between two operations. */
void serin_flash_emulator_power_off(struct serin_flash_emulator *emulator);
/* Whether the power is off: a cut has fired. */
bool serin_flash_emulator_is_off(const struct serin_flash_emulator *emulator);
void serin_flash_emulator_power_on(struct serin_flash_emulator *emulator);

/* ---- what happened ---- */

enum serin_flash_operation_kind { SERIN_FLASH_PROGRAM = 1, SERIN_FLASH_ERASE = 2 };

struct serin_flash_operation {
    enum serin_flash_operation_kind kind;
    uint32_t address;
    uint32_t size;
};

/* Operations begun since the flash was opened. */
uint64_t serin_flash_emulator_operations(const struct serin_flash_emulator *emulator);
/* Operation `n` (0 is the first); the last 4096 are kept. False: not kept. */
bool serin_flash_emulator_operation(const struct serin_flash_emulator *emulator, uint64_t n,
                                    struct serin_flash_operation *operation);
/* Breaches of the rules: 0 for correct code. */
uint64_t serin_flash_emulator_breaches(const struct serin_flash_emulator *emulator);
/* Erases of the sector at `address`. */
uint32_t serin_flash_emulator_wear(const struct serin_flash_emulator *emulator, uint32_t address);

/* ---- damage ---- */

/* Flips the bits of `mask` in the byte at `address`, as rot does. */
void serin_flash_emulator_rot(struct serin_flash_emulator *emulator, uint32_t address,
                              uint8_t mask);
/* How a broken part behaves. */
enum serin_breakage {
    SERIN_BREAKAGE_FAILS, /* programs and erases that touch it fail */
    SERIN_BREAKAGE_STUCK /* they succeed, and programs leave it as it was: a worn part that does not
                            say so */
};

/* From now on [address, address + size) is broken; size 0 ends it. There is one broken part at a
 * time. */
void serin_flash_emulator_break(struct serin_flash_emulator *emulator, uint32_t address,
                                uint32_t size, enum serin_breakage how);

#endif
