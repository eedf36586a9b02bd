/* A counter in two erase sectors (counter.h). */
#include "counter.h"

#include <serin/crc32.h>

#include <string.h>

static void put(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4u; i++) {
        at[i] = (uint8_t)(value >> 8u * i);
    }
}

static uint32_t get(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static bool parse(const uint8_t *record, uint32_t *value)
{
    *value = get(record);
    return get(record + 4) == ~*value && get(record + 8) == serin_crc32(0, record, 8);
}

static uint32_t sector_address(const struct counter *counter, uint32_t sector)
{
    return sector * counter->hal->sector_size;
}

static bool append(struct counter *counter, uint32_t value)
{
    const struct hal_flash *hal = counter->hal;
    uint8_t record[COUNTER_UNIT_MAX] = {0};
    put(record, value);
    put(record + 4, ~value);
    put(record + 8, serin_crc32(0, record, 8));
    uint32_t address = sector_address(counter, counter->sector) + counter->next * hal->unit;
    counter->next++;
    if (hal->write(hal->device, address, record, hal->unit) != 0) {
        return false;
    }
    counter->value = value;
    return true;
}

/* Begins the other sector with a copy of the value. */
static bool turn_over(struct counter *counter, uint32_t value)
{
    const struct hal_flash *hal = counter->hal;
    counter->sector ^= 1u;
    counter->next = 0;
    return hal->erase_sector(hal->device, sector_address(counter, counter->sector)) == 0 &&
           append(counter, value);
}

bool counter_open(struct counter *counter, const struct hal_flash *hal)
{
    uint8_t record[COUNTER_UNIT_MAX];
    *counter = (struct counter){.hal = hal};
    for (uint32_t at = 0; at < 2u * hal->sector_size; at += hal->unit) {
        uint32_t value;
        /* What cannot be read is no record; one read, so that what was checked is what counts. */
        if (hal->read(hal->device, at, record, hal->unit) == 0 && parse(record, &value) &&
            value >= counter->value) {
            counter->value = value;
            counter->sector = at / hal->sector_size;
        }
    }
    /* The copy stands before the sector that it was read from goes: a record of it that could not
     * be read today must not come back tomorrow. */
    return turn_over(counter, counter->value) &&
           hal->erase_sector(hal->device, sector_address(counter, counter->sector ^ 1u)) == 0;
}

bool counter_add(struct counter *counter)
{
    uint32_t value = counter->value + 1u;
    if (counter->next == counter->hal->sector_size / counter->hal->unit) {
        return turn_over(counter, value);
    }
    return append(counter, value);
}
