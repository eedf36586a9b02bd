/*
 * What the parts of the flash emulator share.
 *
 *   flash_emulator.c   the port: rules, operations, power, opening
 *   waiting.c          faults that wait, and what fired
 *   cells.c            reading, programming and erasing cells, torn ones included
 *   tear.c             what a fault leaves of a program or an erase
 *   pages.c            copy-on-write pages, copies, snapshots, fingerprints
 *   fault.c            which faults an operation has
 *   fault_text.c       the replay line
 */
#ifndef EMULATOR_INTERNAL_H
#define EMULATOR_INTERNAL_H

#include <serin/assert.h>
#include <serin/emulator/flash_emulator.h>

#include <stdatomic.h>

#define EMULATOR_HISTORY    4096u
#define EMULATOR_SPARE      64u
#define EMULATOR_PAGE_BYTES 1024u /* rounded down to whole write units */

enum unit_state { UNIT_ERASED, UNIT_PROGRAMMED, UNIT_TORN };

/* How a write unit is torn; all 0 where it is not, so that equal units are equal bytes. A unit that
 * nothing can tell from an erased or a programmed one is not kept as torn. */
struct wound {
    uint8_t torn;  /* enum serin_flash_torn */
    uint8_t again; /* enum serin_flash_again */
    uint8_t left;  /* WEAK_READ: reads, WEAK_POWER: power cycles that change nothing yet */
    uint8_t blank; /* UNSTABLE: the last read of it gave erased bytes */
};

/* Neighbouring units, in one allocation, shared by all that hold the same table entry. */
struct page {
    _Atomic uint32_t users;
    _Atomic uint64_t fingerprint; /* 0: not computed */
    uint32_t torn;                /* units that are torn */
    struct wound *wounds;         /* of each unit */
    uint8_t *states;              /* enum unit_state of each */
    uint8_t *bytes;
    uint8_t *loose; /* bits that do not hold, of torn units; 0 elsewhere */
};

struct broken_part {
    struct serin_region region;
    enum serin_breakage how;
};

/* What a snapshot keeps beside pages and wear. */
struct emulator_state {
    uint64_t noise;                     /* of what INSIDE leaves behind */
    uint64_t jitter;                    /* of reads of unstable and weak units */
    bool off;                           /* the power */
    bool weak_power;                    /* there may be WEAK_POWER units */
    const char *rule;                   /* that was broken last; NULL: none */
    struct serin_flash_figures figures; /* without `armed` */
    struct serin_flash_fault cut;       /* of serin_flash_emulator_cut; NONE: there is none */
    struct serin_flash_fault armed[SERIN_FLASH_EMULATOR_FAULTS];
    uint32_t armed_count;
    struct broken_part broken[SERIN_FLASH_EMULATOR_BROKEN];
    uint32_t broken_count;
};

/* A run of equal sectors. */
struct sector_run {
    uint32_t address, first; /* of its first sector: where it begins, its number */
    uint32_t count, size;
};

struct serin_flash_emulator {
    struct serin_flash flash;
    struct serin_flash_emulator_config config; /* size_bytes is set with `runs`, too */
    struct sector_run runs[SERIN_FLASH_EMULATOR_RUNS];
    uint32_t run_count, sector_count;
    uint32_t page_bytes, page_units, page_count;
    struct page **pages;                /* NULL: all of its units are erased */
    uint32_t *wear;                     /* erases of each sector */
    struct page *spare[EMULATOR_SPARE]; /* memory that erases gave back and programs will want */
    uint32_t spare_count;
    struct emulator_state state;
    uint64_t history_begin; /* the first operation that the history knows of */
    struct serin_flash_operation history[EMULATOR_HISTORY];
};

/* ---- noise ---- */

/* xorshift64*; `state` is never 0. */
static inline uint64_t emulator_noise(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(2685821657736338717);
}

/* A state for emulator_noise from any two numbers (splitmix64). */
static inline uint64_t emulator_seed(uint64_t seed, uint64_t operation)
{
    uint64_t x = seed + (operation + 1u) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return (x ^ x >> 31) | 1u;
}

/* ---- geometry (flash_emulator.c) ---- */

/* Bytes of a write unit: 1 .. SERIN_FLASH_UNIT_MAX. */
static inline uint32_t emulator_unit(const struct serin_flash_emulator *emulator)
{
    SERIN_ASSERT(emulator->config.write_unit > 0); /* divided by, and looped over */
    return emulator->config.write_unit;
}

/* Where write unit `index` of a page begins in its bytes. */
static inline size_t emulator_unit_offset(const struct serin_flash_emulator *emulator,
                                          uint32_t index)
{
    return (size_t)index * emulator_unit(emulator);
}

bool emulator_inside(const struct serin_flash_emulator *emulator, uint32_t address, size_t size);
/* Whether a sector begins at `address`, or the flash ends there. */
bool emulator_at_sector(const struct serin_flash_emulator *emulator, uint32_t address);

/* ---- pages (pages.c) ---- */

/* A stretch of one page. */
struct stretch {
    uint32_t index;  /* of the page */
    uint32_t offset; /* in it */
    uint32_t size;   /* ≤ what was asked for */
};

/* The stretch at `address`, up to the end of its page or `size`. */
struct stretch emulator_stretch(const struct serin_flash_emulator *emulator, uint32_t address,
                                size_t size);
/* Page `index`, to be changed: nobody else sees it. NULL: no memory. */
struct page *emulator_own(struct serin_flash_emulator *emulator, uint32_t index);
/* Makes page `index` an erased one. */
void emulator_drop(struct serin_flash_emulator *emulator, uint32_t index);
SERIN_MUST_USE bool emulator_pages_open(struct serin_flash_emulator *emulator);
void emulator_pages_close(struct serin_flash_emulator *emulator);

/* ---- cells (cells.c); where they return a bool, false means no memory ---- */

/* What of the flash keeps a program from being done. */
enum obstacle { OBSTACLE_NONE, OBSTACLE_REFUSED, OBSTACLE_PROGRAMMED, OBSTACLE_BIT_BACK };

SERIN_MUST_USE bool emulator_cells_read(struct serin_flash_emulator *emulator, uint32_t address,
                                        void *out, size_t size, enum serin_error *error);
enum obstacle emulator_cells_judge(const struct serin_flash_emulator *emulator, uint32_t address,
                                   const uint8_t *data, size_t size);
SERIN_MUST_USE bool emulator_cells_program(struct serin_flash_emulator *emulator, uint32_t address,
                                           const uint8_t *data, size_t size);
SERIN_MUST_USE bool emulator_cells_erase(struct serin_flash_emulator *emulator, uint32_t address,
                                         size_t size);
/* What the byte at `address` holds once `data` was programmed over `old`. */
uint8_t emulator_programmed(const struct serin_flash_emulator *emulator, uint32_t address,
                            uint8_t old, uint8_t data);
/* Makes the unit at `offset` of a page of one's own hold `held`, torn as `fault` says; `loose` are
 * its bits at work. `code_word`: it holds its old or its new bytes whole. */
void emulator_unit_tear(struct serin_flash_emulator *emulator, struct page *page, uint32_t offset,
                        const uint8_t *held, const uint8_t *loose,
                        const struct serin_flash_fault *fault, bool code_word);
/* The power is back: WEAK_POWER units age. One that there is no memory for stays as it is. */
void emulator_cells_power_on(struct serin_flash_emulator *emulator);
bool emulator_in_broken(const struct serin_flash_emulator *emulator, uint32_t address, size_t size,
                        enum serin_breakage how);

/* ---- tears (tear.c) ---- */

SERIN_MUST_USE bool emulator_tear_program(struct serin_flash_emulator *emulator, uint32_t address,
                                          const uint8_t *data, size_t size,
                                          const struct serin_flash_fault *fault);
SERIN_MUST_USE bool emulator_tear_erase(struct serin_flash_emulator *emulator, uint32_t address,
                                        size_t size, const struct serin_flash_fault *fault);
SERIN_MUST_USE bool emulator_rot_cell(struct serin_flash_emulator *emulator,
                                      const struct serin_flash_fault *fault);

/* ---- faults that wait (waiting.c) ---- */

/* Counts an operation and gives the fault that fires at it; kind NONE: none. */
struct serin_flash_fault emulator_begin(struct serin_flash_emulator *emulator,
                                        enum serin_flash_operation_kind kind, uint32_t address,
                                        size_t size);
/* Lets the rot fire that waited for the operation that is over. */
void emulator_end(struct serin_flash_emulator *emulator);

/* ---- faults (fault_text.c) ---- */

/* Whether each field is in its range and belongs to the kind. */
bool emulator_fault_valid(const struct serin_flash_fault *fault);

#endif
