/*
 * The flash emulator: NOR flash in memory that is as strict as the strictest part, and that loses
 * power on demand. docs/emulator.md shows how to run a driver and storage code on it.
 *
 *   rules   addresses and sizes are aligned; programming only moves bits away from the erased
 *           value. WRITE_ONCE: a write unit is programmed at most once between two erases. AND: it
 *           may be programmed again, as long as no bit moves back. A breach fails, is counted, and
 *           changes nothing.
 *   power   serin_flash_emulator_cut and serin_flash_emulator_arm take it at an operation (a
 *           program or an erase). From then on every call, reads included, fails until
 *           serin_flash_emulator_power_on.
 *   torn    units that were at work when the power went; flash_fault.h says how they read. They
 *           must be erased before they are programmed, whatever they read.
 *   ECC     where asked for, a unit that was torn half-way cannot be read until it is erased, and
 *           no read of a torn unit gives wrong bits. Rot gets past the words, as many bits at once
 *           do, unless it is FAULTING.
 *
 * An erased part of the flash takes no memory, and copies and snapshots share what is equal, so
 * that one before each operation costs a table of pointers.
 *
 * One emulator belongs to one thread; a snapshot may be restored by several at once, each into its
 * own emulator. Memory comes from the heap: the emulator is a port, not a core. Where there is
 * none, an operation fails with SERIN_ERR_FLASH.
 */
#ifndef SERIN_EMULATOR_FLASH_EMULATOR_H
#define SERIN_EMULATOR_FLASH_EMULATOR_H

#include <serin/device/flash.h>
#include <serin/emulator/flash_fault.h>

struct serin_flash_emulator; /* opaque */
struct serin_flash_snapshot; /* opaque */

/* ---- what part it is ---- */

enum serin_flash_programming {
    SERIN_FLASH_WRITE_ONCE, /* parts with ECC words, and code that is to run on them too */
    SERIN_FLASH_AND         /* plain NOR: bits may be cleared one by one */
};

#define SERIN_FLASH_EMULATOR_RUNS SERIN_FLASH_RUNS_MAX

struct serin_flash_emulator_config {
    uint32_t size_bytes;  /* 1 .. SERIN_FLASH_SIZE_MAX; with `runs`: their sum, or 0 */
    uint32_t sector_size; /* with `runs`: not used */
    uint32_t write_unit;  /* 1 .. SERIN_FLASH_UNIT_MAX */
    uint8_t erased_value; /* 0xFF or 0x00 */
    bool ecc;             /* torn units are unreadable; not with AND */
    uint64_t seed;        /* of what INSIDE leaves behind; the same seed gives the same bytes */
    enum serin_flash_programming programming;
    /* Sectors that are not all equal, from address 0 up to the first run with a count of 0; their
     * size need be no power of two, but Serin's own code asks for one. None: all are of
     * `sector_size`. With runs the port has them, and its sector_size is that of the largest. */
    struct serin_flash_run runs[SERIN_FLASH_EMULATOR_RUNS];
};

/* A fresh, fully erased flash. SERIN_ERR_MEMORY; SERIN_ERR_INVALID: the size is no multiple of the
 * sector, or a sector none of the write unit, or one of them is 0 or out of range, or the erased
 * value is another one, or AND with ECC. */
SERIN_MUST_USE enum serin_error
serin_flash_emulator_open(struct serin_flash_emulator **emulator,
                          const struct serin_flash_emulator_config *config);
void serin_flash_emulator_close(struct serin_flash_emulator *emulator); /* NULL is fine */

/* The port; valid as long as the emulator. */
const struct serin_flash *serin_flash_emulator_flash(struct serin_flash_emulator *emulator);

/* Sectors, by their number from 0. */
uint32_t serin_flash_emulator_sector_count(const struct serin_flash_emulator *emulator);
void serin_flash_emulator_sector(const struct serin_flash_emulator *emulator, uint32_t sector,
                                 struct serin_region *region);
uint32_t serin_flash_emulator_sector_at(const struct serin_flash_emulator *emulator,
                                        uint32_t address);

/* ---- power ---- */

enum serin_cut { SERIN_CUT_NONE, SERIN_CUT_BEFORE, SERIN_CUT_INSIDE, SERIN_CUT_AFTER };

/* Cuts the power at the `nth` operation from now (1 is the next one), INSIDE with a tear drawn from
 * the emulator's seed. There is one such cut at a time. NONE takes one back that has not fired. */
void serin_flash_emulator_cut(struct serin_flash_emulator *emulator, uint64_t nth,
                              enum serin_cut cut);
/* Cuts the power now, between two operations. */
void serin_flash_emulator_power_off(struct serin_flash_emulator *emulator);
/* Whether the power is off: a cut has fired. */
bool serin_flash_emulator_is_off(const struct serin_flash_emulator *emulator);
/* Where the power was off, units that are WEAK_POWER and have been through this before flip. */
void serin_flash_emulator_power_on(struct serin_flash_emulator *emulator);

/* ---- faults ---- */

#define SERIN_FLASH_EMULATOR_FAULTS 16u

/* Sets a fault; up to SERIN_FLASH_EMULATOR_FAULTS wait at a time. Of those at one operation the
 * first that was set fires, ROT beside it. One that does not fit its operation (a program's at an
 * erase, a byte beyond its end) is gone without having fired. SERIN_ERR_INVALID: it can fit none
 * (its operation is over, ROT outside the flash, a field out of range or another kind's);
 * SERIN_ERR_NO_SPACE. */
SERIN_MUST_USE enum serin_error serin_flash_emulator_arm(struct serin_flash_emulator *emulator,
                                                         const struct serin_flash_fault *fault);
/* Takes back all that have not fired, a cut included. */
void serin_flash_emulator_disarm(struct serin_flash_emulator *emulator);

/* Flips the bits of `mask` in the byte at `address` now, as rot does; counted nowhere. */
void serin_flash_emulator_rot(struct serin_flash_emulator *emulator, uint32_t address,
                              uint8_t mask);

/* How a broken part behaves. */
enum serin_breakage {
    SERIN_BREAKAGE_FAILS, /* programs and erases that touch it fail */
    SERIN_BREAKAGE_STUCK, /* they succeed, and programs leave it as it was: a worn part that does
                             not say so */
    SERIN_BREAKAGE_UNREADABLE /* reads that touch it fail */
};

#define SERIN_FLASH_EMULATOR_BROKEN 16u

/* From now on [address, address + size) is broken, beside what is broken already, up to
 * SERIN_FLASH_EMULATOR_BROKEN parts; size 0 ends all of them. */
void serin_flash_emulator_break(struct serin_flash_emulator *emulator, uint32_t address,
                                uint32_t size, enum serin_breakage how);

/* ---- what happened ---- */

struct serin_flash_figures {
    uint64_t operations;   /* begun since the flash was opened */
    uint64_t breaches;     /* of the rules: 0 for correct code */
    uint64_t fired;        /* faults, cuts included; power_off and rot are none */
    uint64_t refused;      /* programs of torn units that read erased (SERIN_FLASH_AGAIN_REFUSED) */
    uint64_t reprogrammed; /* AND: units that were programmed again */
    uint32_t armed;        /* faults that still wait */
};

void serin_flash_emulator_figures(const struct serin_flash_emulator *emulator,
                                  struct serin_flash_figures *figures);
uint64_t serin_flash_emulator_operations(const struct serin_flash_emulator *emulator);
uint64_t serin_flash_emulator_breaches(const struct serin_flash_emulator *emulator);
/* Which rule the last breach broke, in static storage; NULL: there was none. */
const char *serin_flash_emulator_breach(const struct serin_flash_emulator *emulator);
/* Operation `n` (0 is the first); the last 4096 are kept. False: not kept. */
bool serin_flash_emulator_operation(const struct serin_flash_emulator *emulator, uint64_t n,
                                    struct serin_flash_operation *operation);
/* Erases of the sector at `address`, torn ones included. */
uint32_t serin_flash_emulator_wear(const struct serin_flash_emulator *emulator, uint32_t address);
/* What the cells hold, whatever the power, torn units and broken parts; no read of the flash. */
void serin_flash_emulator_peek(const struct serin_flash_emulator *emulator, uint32_t address,
                               void *out, size_t size);
/* A fingerprint of all that can tell two flashes of one geometry apart by reading, programming and
 * erasing: bytes, states of units, noise where it is still to come; not of counters, wear, power,
 * broken parts and faults that wait. Costs what has changed since the last one. */
uint64_t serin_flash_emulator_fingerprint(const struct serin_flash_emulator *emulator);

/* ---- copies and snapshots ---- */

/* A second flash with the same content, wear, broken parts and history; its power is on and no
 * fault waits. SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error
serin_flash_emulator_copy(struct serin_flash_emulator **copy,
                          const struct serin_flash_emulator *emulator);

/* All of the flash as it is now: content, wear, figures, power, broken parts, faults that wait.
 * SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error
serin_flash_emulator_snapshot(const struct serin_flash_emulator *emulator,
                              struct serin_flash_snapshot **snapshot);
/* Makes the flash what it was then. `emulator` is that of the snapshot or one opened with the same
 * configuration (the seed may differ). The history of operations begins anew. */
void serin_flash_emulator_restore(struct serin_flash_emulator *emulator,
                                  const struct serin_flash_snapshot *snapshot);
void serin_flash_snapshot_free(struct serin_flash_snapshot *snapshot); /* NULL is fine */

#endif
