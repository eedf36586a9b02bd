/* A log of records over two banks. */
#include "reclog.h"

#include "flash_io.h"

#include <serin/crc32.h>

#include <string.h>

#define BANKS        2u
#define HEAD_SIZE    8u
#define CRC_SIZE     4u
#define APPEND_TRIES 3u /* places tried before a worn flash is given up */

_Static_assert(HEAD_SIZE + CRC_SIZE == SERIN_RECLOG_OVERHEAD, "docs/spec/flash.md");

/* Where the newest record stands. */
struct place {
    uint32_t sequence; /* 0: there is none */
    uint32_t bank, index;
};

static uint32_t stride_of(const struct serin_reclog *log)
{
    return serin_round_up(log->payload_size + SERIN_RECLOG_OVERHEAD, log->flash->write_unit);
}

static uint32_t bank_size(const struct serin_reclog *log)
{
    return log->region.size / BANKS;
}

static uint32_t places(const struct serin_reclog *log)
{
    return bank_size(log) / stride_of(log);
}

static uint32_t address_of(const struct serin_reclog *log, uint32_t bank, uint32_t index)
{
    return log->region.address + bank * bank_size(log) + index * stride_of(log);
}

/* The sequence that the record at a place claims, or 0 where there is none. */
static uint32_t claimed_at(const struct serin_reclog *log, uint32_t address)
{
    uint8_t head[HEAD_SIZE];
    if (serin_flash_read(log->flash, address, head, sizeof head) != SERIN_OK ||
        serin_get_le32(head) != log->magic) {
        return 0;
    }
    return serin_get_le32(head + 4);
}

/* Whether the record at `address` is whole. */
static bool whole_at(const struct serin_reclog *log, uint32_t address)
{
    uint8_t chunk[SERIN_FLASH_CHUNK];
    uint32_t covered = stride_of(log) - CRC_SIZE;
    uint32_t crc = 0;
    for (uint32_t done = 0; done < covered;) {
        uint32_t part = covered - done < sizeof chunk ? covered - done : (uint32_t)sizeof chunk;
        if (serin_flash_read(log->flash, address + done, chunk, part) != SERIN_OK) {
            return false;
        }
        crc = serin_crc32(crc, chunk, part);
        done += part;
    }
    uint8_t stored[CRC_SIZE];
    return serin_flash_read(log->flash, address + covered, stored, sizeof stored) == SERIN_OK &&
           serin_get_le32(stored) == crc;
}

/* Places in the order in which they are believed: the higher sequence first; of one sequence, which
 * a torn append leaves behind, the earlier place. Sequence 0 stands behind all others. */
static bool before(const struct place *a, const struct place *b)
{
    if (a->sequence != b->sequence) {
        return a->sequence > b->sequence;
    }
    return a->bank != b->bank ? a->bank < b->bank : a->index < b->index;
}

/* The first place after `last` that claims a record, the first of all where that is NULL; sequence
 * 0: there is none. */
static struct place find_after(const struct serin_reclog *log, const struct place *last)
{
    struct place best = {0};
    for (uint32_t bank = 0; bank < BANKS; bank++) {
        for (uint32_t index = 0; index < places(log); index++) {
            const struct place place = {.sequence = claimed_at(log, address_of(log, bank, index)),
                                        .bank = bank,
                                        .index = index};
            if ((last == NULL || before(last, &place)) && before(&place, &best)) {
                best = place;
            }
        }
    }
    return best;
}

/* The newest whole record. A head is believed until the CRC is looked at, so that of a log full of
 * records one is read, and not all. Each turn goes on behind the last, so this ends. */
static struct place find_newest(const struct serin_reclog *log)
{
    struct place newest = find_after(log, NULL);
    while (newest.sequence != 0 && !whole_at(log, address_of(log, newest.bank, newest.index))) {
        struct place last = newest;
        newest = find_after(log, &last);
    }
    return newest;
}

enum serin_error serin_reclog_read(const struct serin_reclog *log, void *payload,
                                   uint32_t *sequence)
{
    struct place newest = find_newest(log);
    if (newest.sequence == 0) {
        return SERIN_ERR_NOT_FOUND;
    }
    if (sequence != NULL) {
        *sequence = newest.sequence;
    }
    return serin_flash_read(log->flash, address_of(log, newest.bank, newest.index) + HEAD_SIZE,
                            payload, log->payload_size);
}

/* Moves `at` to the next place to program: the first erased one after it in its bank, else the
 * start of the other bank, which then holds only older records and is erased. The bank of the
 * newest record is never erased: SERIN_ERR_FLASH. */
static enum serin_error next_place(const struct serin_reclog *log, const struct place *newest,
                                   struct place *at)
{
    for (uint32_t index = at->index + 1u; index < places(log); index++) {
        if (serin_flash_erased(log->flash, address_of(log, at->bank, index), stride_of(log))) {
            at->index = index;
            return SERIN_OK;
        }
    }
    uint32_t bank = (at->bank + 1u) % BANKS;
    if (newest->sequence != 0 && bank == newest->bank) {
        return SERIN_ERR_FLASH;
    }
    *at = (struct place){.bank = bank, .index = 0};
    return serin_flash_erase(log->flash, address_of(log, bank, 0), bank_size(log));
}

/* The place before the first: an empty log starts in bank 0 by "leaving" bank 1. */
static struct place before_first(const struct serin_reclog *log)
{
    return (struct place){.sequence = 0, .bank = 1, .index = places(log) - 1u};
}

enum serin_error serin_reclog_append(const struct serin_reclog *log, const void *payload)
{
    uint8_t record[SERIN_RECLOG_STRIDE_MAX] = {0};
    uint32_t stride = stride_of(log);
    SERIN_ASSERT(stride <= sizeof record && places(log) > 0);

    struct place newest = find_newest(log);
    if (newest.sequence == UINT32_MAX) {
        return SERIN_ERR_FLASH;
    }
    struct place at = newest.sequence == 0 ? before_first(log) : newest;
    serin_put_le32(record, log->magic);
    serin_put_le32(record + 4, newest.sequence + 1u);
    memcpy(record + HEAD_SIZE, payload, log->payload_size);
    serin_put_le32(record + stride - CRC_SIZE, serin_crc32(0, record, stride - CRC_SIZE));

    for (unsigned tries = 0; tries < APPEND_TRIES; tries++) {
        enum serin_error error = next_place(log, &newest, &at);
        if (error != SERIN_OK) {
            return error;
        }
        uint32_t address = address_of(log, at.bank, at.index);
        error = log->flash->ops->program(log->flash->ctx, address, record, stride);
        if (error == SERIN_OK && serin_flash_holds(log->flash, address, record, stride)) {
            return SERIN_OK;
        }
    }
    return SERIN_ERR_FLASH;
}

enum serin_error serin_reclog_format(const struct serin_reclog *log)
{
    return serin_flash_erase(log->flash, log->region.address, log->region.size);
}
