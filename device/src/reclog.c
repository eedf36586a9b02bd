/* A log of records over two banks. */
#include "reclog.h"

#include "flash_io.h"

#include <serin/crc32.h>

#include <string.h>

#define BANKS        2u
#define BOTH         BANKS /* instead of the number of one */
#define HEAD_SIZE    8u
#define CRC_SIZE     4u
#define CRC_RESIDUE  0x2144df1cu /* the CRC of whatever has its own CRC behind it */
#define APPEND_TRIES 3u          /* places tried before a bank is given up */

/* How far ahead of the newest record a torn or rotten head may be to be taken for a sequence. */
#define CLAIMS_AHEAD 16u
/* From here on a log starts again at 1. */
#define SEQUENCE_END (UINT32_MAX - 2u * CLAIMS_AHEAD)

/* Heads that may lead to no whole record before each place is looked at once. A bootloader, whose
 * logs are read at a reset alone, defines 0: it has no room for both ways. */
#ifndef SERIN_RECLOG_HEADS
#define SERIN_RECLOG_HEADS 8u
#endif

#define READINGS       2u /* of a record, before the other bank is erased */
#define READINGS_ALONE 4u /* of the only copy of a new one, before it counts */

_Static_assert(HEAD_SIZE + CRC_SIZE == SERIN_RECLOG_OVERHEAD, "docs/spec/flash.md");

/* Where the newest record stands. */
struct place {
    uint32_t sequence; /* 0: there is none */
    uint32_t bank, index;
};

static uint32_t stride_of(const struct serin_reclog *log)
{
    return serin_round_up(log->payload_size + SERIN_RECLOG_OVERHEAD, serin_flash_unit(log->flash));
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

/* The sequence that the record at a place claims, or 0 where there is none. `unread` is set where
 * that could not be read, and left alone else, here and below. */
static uint32_t claimed_at(const struct serin_reclog *log, uint32_t address, bool *unread)
{
    uint8_t head[HEAD_SIZE];
    if (serin_flash_read(log->flash, address, head, sizeof head) != SERIN_OK) {
        *unread = true;
        return 0;
    }
    return serin_get_le32(head) == log->magic ? serin_get_le32(head + 4) : 0;
}

/* Bytes of a payload that are handed over. */
struct part {
    uint32_t offset, size;
    void *out;
};

/* Whether the whole record of `sequence` stands at `address`; the part of it is handed over then.
 * `part` may be NULL. */
static bool whole_at(const struct serin_reclog *log, uint32_t address, uint32_t sequence,
                     const struct part *part, bool *unread)
{
    uint8_t record[SERIN_RECLOG_STRIDE_MAX];
    uint32_t stride = stride_of(log);
    if (serin_flash_read(log->flash, address, record, stride) != SERIN_OK) {
        *unread = true;
        return false;
    }
    if (serin_get_le32(record) != log->magic || serin_get_le32(record + 4) != sequence ||
        serin_crc32(0, record, stride) != CRC_RESIDUE) {
        return false;
    }
    if (part != NULL) {
        memcpy(part->out, record + HEAD_SIZE + part->offset, part->size);
    }
    return true;
}

/* Places in the order in which they are believed: the higher sequence first; of one sequence in one
 * bank the later place, as a torn record that read as nothing when the next was numbered may read
 * well again. Sequence 0 stands behind all others. */
static bool before(const struct place *a, const struct place *b)
{
    if (a->sequence != b->sequence) {
        return a->sequence > b->sequence;
    }
    return a->bank != b->bank ? a->bank < b->bank : a->index > b->index;
}

/* The first place after `last` that claims a record, the first of all where that is NULL; of `only`
 * this bank, or of both. Sequence 0: there is none. */
static struct place find_after(const struct serin_reclog *log, const struct place *last,
                               uint32_t only, bool *unread)
{
    struct place best = {0};
    for (uint32_t bank = 0; bank < BANKS; bank++) {
        if (only != BOTH && only != bank) {
            continue;
        }
        for (uint32_t index = 0; index < places(log); index++) {
            const struct place place = {.sequence =
                                            claimed_at(log, address_of(log, bank, index), unread),
                                        .bank = bank,
                                        .index = index};
            if ((last == NULL || before(last, &place)) && before(&place, &best)) {
                best = place;
            }
        }
    }
    return best;
}

/* The same by the records themselves: each place that claims to be newer than the best so far is
 * read whole, once. */
static struct place find_whole(const struct serin_reclog *log, uint32_t only,
                               const struct part *part, bool *unread)
{
    struct place best = {0};
    for (uint32_t bank = 0; bank < BANKS; bank++) {
        for (uint32_t index = 0; (only == BOTH || only == bank) && index < places(log); index++) {
            uint32_t address = address_of(log, bank, index);
            const struct place place = {
                .sequence = claimed_at(log, address, unread), .bank = bank, .index = index};
            if (before(&place, &best) && whole_at(log, address, place.sequence, part, unread)) {
                best = place;
            }
        }
    }
    return best;
}

/* The newest whole record. A head is believed until the CRC is looked at, so that of a log full of
 * records one is read, and not all. Where many heads lead nowhere, as in a bank whose erase was
 * cut, going from one to the next would cost the square of the places: after a few of them all are
 * looked at in one pass. Where none is found and `unread` is not set, each head was read, and each
 * record that one claims: there is none. */
static struct place find_newest(const struct serin_reclog *log, uint32_t only,
                                const struct part *part, bool *unread)
{
    if (SERIN_RECLOG_HEADS == 0) {
        return find_whole(log, only, part, unread);
    }
    struct place newest = find_after(log, NULL, only, unread);
    for (unsigned heads = 1; newest.sequence != 0; heads++) {
        if (whole_at(log, address_of(log, newest.bank, newest.index), newest.sequence, part,
                     unread)) {
            return newest;
        }
        if (heads > SERIN_RECLOG_HEADS) {
            return find_whole(log, only, part, unread);
        }
        struct place last = newest;
        newest = find_after(log, &last, only, unread);
    }
    return newest;
}

/* The newest whole record of both banks, into `part`. */
static enum serin_error read_newest(const struct serin_reclog *log, const struct part *part,
                                    uint32_t *sequence)
{
    bool unread = false;
    struct place newest = find_newest(log, BOTH, part, &unread);
    if (newest.sequence == 0) {
        return unread ? SERIN_ERR_FLASH : SERIN_ERR_NOT_FOUND;
    }
    if (sequence != NULL) {
        *sequence = newest.sequence;
    }
    return SERIN_OK;
}

enum serin_error serin_reclog_read_part(const struct serin_reclog *log, uint32_t offset, void *out,
                                        uint32_t size)
{
    SERIN_ASSERT(offset <= log->payload_size && size <= log->payload_size - offset);
    const struct part part = {.offset = offset, .size = size, .out = out};
    return read_newest(log, &part, NULL);
}

enum serin_error serin_reclog_read(const struct serin_reclog *log, void *payload,
                                   uint32_t *sequence)
{
    const struct part part = {.size = log->payload_size, .out = payload};
    return read_newest(log, &part, sequence);
}

/* The highest sequence that a place claims with reason, whole or not. */
static uint32_t highest_claim(const struct serin_reclog *log, uint32_t newest)
{
    uint32_t highest = newest;
    bool unread = false; /* a place that does not read claims nothing */
    for (uint32_t bank = 0; bank < BANKS; bank++) {
        for (uint32_t index = 0; index < places(log); index++) {
            uint32_t claim = claimed_at(log, address_of(log, bank, index), &unread);
            if (claim > highest && claim - newest <= CLAIMS_AHEAD) {
                highest = claim;
            }
        }
    }
    return highest;
}

/* The first place of `bank` from `index` on that reads erased, or the number of places. */
static uint32_t first_erased(const struct serin_reclog *log, uint32_t bank, uint32_t index)
{
    for (; index < places(log); index++) {
        if (serin_flash_erased(log->flash, address_of(log, bank, index), stride_of(log))) {
            return index;
        }
    }
    return places(log);
}

/* Programs `record` at an erased place of `bank` from `index` on. */
static enum serin_error write_from(const struct serin_reclog *log, uint32_t bank, uint32_t index,
                                   const uint8_t *record)
{
    for (unsigned tries = 0; tries < APPEND_TRIES; tries++) {
        index = first_erased(log, bank, index);
        if (index == places(log)) {
            break;
        }
        uint32_t address = address_of(log, bank, index++);
        if (serin_flash_program(log->flash, address, record, stride_of(log)) == SERIN_OK &&
            serin_flash_holds(log->flash, address, record, stride_of(log))) {
            return SERIN_OK;
        }
    }
    return SERIN_ERR_FLASH;
}

/* Erases `bank`, even where it reads erased already (an erase may have been cut), and begins it
 * with `record`. */
static enum serin_error start_bank(const struct serin_reclog *log, uint32_t bank,
                                   const uint8_t *record)
{
    enum serin_error error =
        serin_flash_erase(log->flash, address_of(log, bank, 0), bank_size(log));
    return error == SERIN_OK ? write_from(log, bank, 0, record) : error;
}

/* What a bank is found to hold, in one reading of it, and where it goes on. */
struct side {
    uint32_t newest; /* sequence of its newest whole record, 0: it has none */
    uint32_t next;   /* the place to program; the number of places: it has to be erased first */
};

/* A bank goes on behind the newest record; one that does not hold that is begun anew. Gives back
 * the newest record of both. */
static struct place look(const struct serin_reclog *log, struct side sides[BANKS], bool *unread)
{
    struct place newest[BANKS];
    for (uint32_t bank = 0; bank < BANKS; bank++) {
        newest[bank] = find_newest(log, bank, NULL, unread);
    }
    bool both = newest[0].sequence == newest[1].sequence;
    for (uint32_t bank = 0; bank < BANKS; bank++) {
        uint32_t sequence = newest[bank].sequence;
        bool current = sequence != 0 && sequence >= newest[BANKS - 1u - bank].sequence;
        uint32_t next = first_erased(log, bank, current ? newest[bank].index + 1u : places(log));
        if (both && log->after_reset) {
            /* Where one bank is ahead the cut came in the other, which is erased. */
            next = first_erased(log, bank, next + 1u);
        }
        sides[bank] = (struct side){.newest = sequence, .next = next};
    }
    return before(&newest[0], &newest[1]) ? newest[0] : newest[1];
}

/* Whether `bank` holds a record of at least `sequence`, as far as so many readings can tell. */
static bool proven(const struct serin_reclog *log, uint32_t bank, uint32_t sequence,
                   unsigned readings)
{
    bool unread = false; /* what does not read proves nothing */
    while (readings > 0 && find_newest(log, bank, NULL, &unread).sequence >= sequence) {
        readings--;
    }
    return readings == 0;
}

/* Writes one copy. A bank is erased for it where the other holds as new a record at least.
 * SERIN_ERR_AGAIN: it seems not to. */
static enum serin_error write_copy(const struct serin_reclog *log, uint32_t bank,
                                   const struct side *side, const uint8_t *record)
{
    if (write_from(log, bank, side->next, record) == SERIN_OK) {
        return SERIN_OK;
    }
    if (!proven(log, BANKS - 1u - bank, side->newest, READINGS)) {
        return SERIN_ERR_AGAIN;
    }
    return start_bank(log, bank, record);
}

/* Whether a bank does not read, though it was just erased: no word that faults is left in it. */
static bool dark(const struct serin_reclog *log, uint32_t bank)
{
    bool unread = false;
    (void)claimed_at(log, address_of(log, bank, 0), &unread);
    return unread;
}

static enum serin_error append_twice(const struct serin_reclog *log, struct side sides[BANKS],
                                     const uint8_t *record)
{
    /* First where nothing has to be erased for it; else where the older record is. */
    uint32_t first = 0;
    if (sides[0].next == places(log) &&
        (sides[1].next < places(log) || sides[1].newest < sides[0].newest)) {
        first = 1;
    }
    uint32_t second = BANKS - 1u - first;
    enum serin_error written = SERIN_OK, again = SERIN_ERR_AGAIN;
    for (unsigned turn = 0; turn < 2 && written == SERIN_OK && again == SERIN_ERR_AGAIN; turn++) {
        if (turn > 0) {
            /* The first copy went bad since it was read back: another one, in a bank begun anew. */
            sides[first].next = places(log);
        }
        written = write_copy(log, first, &sides[first], record);
        if (turn == 0 && log->begin_anew && written != SERIN_OK && dark(log, first)) {
            return SERIN_ERR_FLASH; /* the other one may be all there, once it is light */
        }
        again = write_copy(log, second, &sides[second], record);
    }
    if (written == SERIN_OK && again == SERIN_OK) {
        return SERIN_OK;
    }
    /* One copy is all there is. */
    uint32_t sequence = serin_get_le32(record + 4);
    bool durable = (written == SERIN_OK && proven(log, first, sequence, READINGS_ALONE)) ||
                   (again == SERIN_OK && proven(log, second, sequence, READINGS_ALONE));
    return durable ? SERIN_OK : SERIN_ERR_FLASH;
}

bool serin_reclog_suspect(const struct serin_reclog *log)
{
    struct side sides[BANKS];
    bool unread = false;
    (void)look(log, sides, &unread);
    return sides[0].newest != sides[1].newest;
}

static void record_encode(const struct serin_reclog *log, uint32_t sequence, const void *payload,
                          uint8_t record[SERIN_RECLOG_STRIDE_MAX])
{
    uint32_t stride = stride_of(log);
    memset(record, 0, stride);
    serin_put_le32(record, log->magic);
    serin_put_le32(record + 4, sequence);
    memcpy(record + HEAD_SIZE, payload, log->payload_size);
    serin_put_le32(record + stride - CRC_SIZE, serin_crc32(0, record, stride - CRC_SIZE));
}

/* Begins anew with sequence 1, which counts as soon as the bank of the last record is erased. */
static enum serin_error start_again(const struct serin_reclog *log, const struct place *newest,
                                    const uint8_t *record)
{
    enum serin_error error = start_bank(log, BANKS - 1u - newest->bank, record);
    if (error == SERIN_OK) {
        error = serin_flash_erase(log->flash, address_of(log, newest->bank, 0), bank_size(log));
    }
    if (error == SERIN_OK) {
        /* It counts already: a copy that fails is the next append's to mend. */
        enum serin_error copied = write_from(log, newest->bank, 0, record);
        (void)copied;
    }
    return error;
}

enum serin_error serin_reclog_append(const struct serin_reclog *log, const void *payload)
{
    uint8_t record[SERIN_RECLOG_STRIDE_MAX];
    SERIN_ASSERT(stride_of(log) <= sizeof record && places(log) > 0);
    struct side sides[BANKS];
    bool unread = false;
    struct place newest = look(log, sides, &unread);
    if (newest.sequence == 0 ? unread && !log->begin_anew : log->begin_anew) {
        return SERIN_ERR_AGAIN;
    }
    if (newest.sequence >= SEQUENCE_END) {
        record_encode(log, 1, payload, record);
        return start_again(log, &newest, record);
    }
    /* With nothing to go on from both banks are erased, and with them what they claim. */
    uint32_t sequence = newest.sequence != 0 ? highest_claim(log, newest.sequence) + 1u : 1u;
    if (log->after_reset && newest.sequence != 0 && sequence == newest.sequence + 1u) {
        sequence++; /* a torn record that claims nothing at this reading may do so at the next */
    }
    record_encode(log, sequence, payload, record);
    return append_twice(log, sides, record);
}
