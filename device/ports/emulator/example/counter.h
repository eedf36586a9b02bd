/*
 * Storage code as somebody might bring it along: a counter that survives power cuts, in two erase
 * sectors, on a driver of the usual shape. It knows nothing of Serin or of an emulator.
 *
 *   sector:  record | record | ...        record: value 4 | its complement 4 | CRC-32 4 | zeros
 *
 * A record is `unit` bytes: one write unit, at least 16. The record with the largest value counts.
 */
#ifndef EXAMPLE_COUNTER_H
#define EXAMPLE_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

/* The driver: 0 is success. */
struct hal_flash {
    int (*read)(void *device, uint32_t address, void *out, uint32_t size);
    int (*write)(void *device, uint32_t address, const void *data, uint32_t size);
    int (*erase_sector)(void *device, uint32_t address);
    void *device;
    uint32_t sector_size, unit;
};

#define COUNTER_UNIT_MAX 512u

struct counter {
    const struct hal_flash *hal;
    uint32_t value;
    uint32_t sector; /* 0 or 1: the one that was erased since the power came */
    uint32_t next;   /* place of the next record in it */
};

/* Reads the counter, 0 where there is none, and writes a fresh copy of it into an erased sector:
 * what was read may have been torn when the power went, and may read differently tomorrow. */
bool counter_open(struct counter *counter, const struct hal_flash *hal);
/* Adds one. After a failure, open it again: it holds the old value or the new one. */
bool counter_add(struct counter *counter);

#endif
