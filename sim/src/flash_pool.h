/*
 * The memory of all flashes: sectors of which equal ones exist once. Private to flash*.c.
 */
#ifndef SERIN_SIM_FLASH_POOL_H
#define SERIN_SIM_FLASH_POOL_H

#include "flash.h"

/* The write units of a sector, a bit each; what is torn is programmed. */
struct sim_units {
    uint32_t programmed, torn;
};

struct sim_sector {
    struct sim_sector *next; /* in its bucket, or among the free ones */
    uint32_t hash;
    uint32_t users;
    struct sim_units units;
    uint8_t bytes[];
};

_Static_assert(SIM_FLASH_UNITS == 1u << 5u, "sector_shift");

struct sim_pool {
    uint32_t size_bytes, sector_size, sector_count, unit;
    uint32_t sector_shift, unit_shift; /* what they are two's powers of */
    uint32_t flat_sectors, flat_bytes;
    bool ecc;
    size_t sector_bytes; /* with its head */
    uint64_t used;       /* sectors */
    uint64_t flashes;    /* open ones */
    size_t flash_bytes;  /* of each, without its sectors */
    struct slab *slabs;
    struct sim_sector *free;
    struct sim_sector **buckets;
    uint32_t bucket_count;
};

/* The sector of `place` as one that may be written: out of the buckets, this flash's alone. NULL:
 * no memory. sim_sector_share puts it back. */
struct sim_sector *sim_sector_own(struct sim_pool *pool, struct sim_sector **place);

/* Gives an owned sector up for an equal one, or makes it the one that others will find. */
void sim_sector_share(struct sim_pool *pool, struct sim_sector **place);

/* One user less; NULL is fine. */
void sim_sector_drop(struct sim_pool *pool, struct sim_sector *sector);

#endif
