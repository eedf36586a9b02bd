/*
 * The flash port, and the layout of Serin's regions on it (docs/spec/flash.md).
 *
 * NOR rules hold everywhere: a write unit is programmed at most once between two erases,
 * programming is aligned to write units, erasing works on whole sectors. Core code never rewrites
 * in place (design decision 18), so it also runs on parts with ECC words.
 */
#ifndef SERIN_DEVICE_FLASH_H
#define SERIN_DEVICE_FLASH_H

#include <serin/bytes.h>

#define SERIN_FLASH_UNIT_MAX 512u
#define SERIN_FLASH_SIZE_MAX 0x80000000u /* 2 GiB: sums of addresses and sizes never wrap */

/* Records of the two logs, whole, before they are rounded up to write units. */
#define SERIN_BOOT_RECORD_SIZE  64u
#define SERIN_AGENT_RECORD_SIZE 1024u

/* Calls come one at a time, from one thread. Each returns when it is done, however long an erase
 * takes, and operations reach the cells in the order of the calls. Reads and programs are of up to
 * SERIN_PIECE_SIZE bytes, or the agent's block size where that is larger; erases of up to a whole
 * region. serin_flash_probe (flash_probe.h) tries a port. */
struct serin_flash_ops {
    /* Reads `size` bytes at `address`; any alignment. SERIN_ERR_FLASH: unreadable (an ECC fault);
     * `out` is unspecified. */
    enum serin_error (*read)(void *ctx, uint32_t address, void *out, size_t size);

    /* Programs whole write units; `address` and `size` are multiples of write_unit; the units are
     * erased. Durable when it returns SERIN_OK. SERIN_ERR_FLASH: refused or failed; the units then
     * hold anything. */
    enum serin_error (*program)(void *ctx, uint32_t address, const void *data, size_t size);

    /* Erases whole sectors: `address` and its sum with `size` are borders of sectors. Durable when
     * it returns SERIN_OK. SERIN_ERR_FLASH: the sectors then hold anything. */
    enum serin_error (*erase)(void *ctx, uint32_t address, size_t size);
};

#define SERIN_FLASH_SECTOR_MIN 256u
#define SERIN_FLASH_SECTOR_MAX (128u * 1024u)
#define SERIN_FLASH_RUNS_MAX   8u

/* `count` neighbouring sectors of `size` bytes. */
struct serin_flash_run {
    uint32_t count; /* > 0 */
    uint32_t size;  /* a power of two; SERIN_FLASH_SECTOR_MIN .. SERIN_FLASH_SECTOR_MAX */
};

struct serin_flash {
    const struct serin_flash_ops *ops;
    void *ctx;
    uint32_t size_bytes;  /* of whole sectors */
    uint32_t sector_size; /* of each sector, as in a run; with `runs`: not used */
    uint32_t write_unit;  /* a power of two; 1 .. SERIN_FLASH_UNIT_MAX, at most a sector */
    uint8_t erased_value; /* 0xFF or 0x00 */
    uint8_t run_count;    /* of `runs`, up to SERIN_FLASH_RUNS_MAX; 0: all sectors are equal */
    /* Sectors that are not all equal, from address 0 on; together size_bytes. They belong to the
     * caller, and stay as long as the flash. */
    const struct serin_flash_run *runs;
};

/* The download record with the largest manifest, at the start of the scratch region. */
#define SERIN_SCRATCH_RECORD_SIZE 4096u

/* Whole sectors, one behind the other. */
struct serin_region {
    uint32_t address; /* of a sector */
    uint32_t size;    /* > 0 */
};

enum serin_slot { SERIN_SLOT_NONE = 0, SERIN_SLOT_A = 1, SERIN_SLOT_B = 2 };

/*
 *  ┌──────────┬─────────┬───────────┬─────────┬──────────────────┬──────────────────┐
 *  │ boot log │ trust   │ agent log │ scratch │ slot A           │ slot B           │
 *  │ 2 banks  │ 2 banks │ 2 banks   │         │                  │                  │
 *  └──────────┴─────────┴───────────┴─────────┴──────────────────┴──────────────────┘
 *  a slot:
 *  ┌─────────────────────────┬─────────────┬─────────┬──────────────────────────────┐
 *  │ manifest sectors:       │ piece table │ journal │ image                        │
 *  │ manifest, 3840: markers │             │         │                              │
 *  └─────────────────────────┴─────────────┴─────────┴──────────────────────────────┘
 */
struct serin_layout {
    struct serin_region boot_log; /* two banks of equal size, one or more sectors each */
    struct serin_region trust; /* two banks, each ≥ a head of 16 bytes and SERIN_TRUST_SIZE_P256 */
    struct serin_region agent_log; /* two banks, each ≥ SERIN_AGENT_RECORD_SIZE */
    struct serin_region scratch;   /* ≥ SERIN_SCRATCH_RECORD_SIZE and a spare erase sector */
    struct serin_region slot[2];   /* A, B; equal sizes */
};

/* Where the parts of a slot lie; offsets are from the start of the slot. */
struct serin_slot_map {
    uint32_t manifest_offset, manifest_size;
    uint32_t marker_offset; /* of the `confirmed` markers, inside the manifest sectors */
    uint32_t marker_count;  /* ≥ 1: a torn marker leaves the next one to program */
    uint32_t pieces_offset, pieces_size;
    uint32_t journal_offset, journal_size;
    uint32_t journal_stride;               /* bytes of one entry: 16, in whole write units */
    uint32_t image_offset, image_capacity; /* bytes; capacity is a multiple of SERIN_PIECE_SIZE */
};

/* Checks geometry and layout: alignment, sizes, overlaps, order of magnitude. SERIN_ERR_LAYOUT;
 * `*what` (may be NULL) says which rule broke, in static storage. */
SERIN_MUST_USE enum serin_error serin_layout_check(const struct serin_flash *flash,
                                                   const struct serin_layout *layout,
                                                   const char **what);

/* A sensible layout for a flash of this geometry: the smallest fixed regions, the rest split into
 * two slots. Where that does not fit into few unequal sectors (64 at most), the layout with the
 * largest image that there is. SERIN_ERR_LAYOUT: too small. For a host or a factory: what it chose
 * is kept as a constant. */
SERIN_MUST_USE enum serin_error serin_layout_default(const struct serin_flash *flash,
                                                     struct serin_layout *layout);

/* The map of a slot; the layout has been checked. */
void serin_slot_map(const struct serin_flash *flash, const struct serin_layout *layout,
                    struct serin_slot_map *map);

#endif
