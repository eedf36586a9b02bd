/*
 * Checkpoints of the delta decoder (docs/spec/delta.md, section 6): a list of its fields, each
 * saved as little-endian numbers of its width.
 */
#include <serin/bytes.h>
#include <serin/crc32.h>
#include <serin/delta.h>

#define HEAD_SIZE 8u /* magic and format */
#define CRC_SIZE  4u

static const uint8_t head[HEAD_SIZE] = {'S', 'R', 'N', 'C', SERIN_DELTA_CHECKPOINT_FORMAT, 0, 0, 0};

struct field {
    uint16_t offset, width, count;
};

#define AT(member)   offsetof(struct serin_delta, member)
#define SIZE(member) sizeof(((struct serin_delta *)0)->member)
#define END(member)  (AT(member) + SIZE(member))
#define WORDS(a, b)                                           \
    {                                                         \
        (uint16_t) AT(a), 4, (uint16_t)((END(b) - AT(a)) / 4) \
    }
#define HALVES(a, b)                                          \
    {                                                         \
        (uint16_t) AT(a), 2, (uint16_t)((END(b) - AT(a)) / 2) \
    }
#define BYTES(member)                                    \
    {                                                    \
        (uint16_t) AT(member), 1, (uint16_t)SIZE(member) \
    }

/* Runs of members of one width. Not in it: the header, the window, what is wanted, and what follows
 * from the header.
 */
static const struct field fields[] = {
    WORDS(state, output_size),
    BYTES(output),
    WORDS(symbols.model.code.range, symbols.model.code.filled),
    BYTES(symbols.model.code.input),
    WORDS(symbols.model.weights, symbols.model.weights),
    HALVES(symbols.model.flags, symbols.model.numbers),
    BYTES(symbols.walk.ended),
    WORDS(symbols.walk.instruction, symbols.walk.upper_new),
    WORDS(symbols.from, symbols.moves),
};
#define FIELD_COUNT ((uint32_t)(sizeof fields / sizeof *fields))

/* The parts of a checkpoint in their order; a cursor's `field` counts through them. */
enum {
    PART_HEAD,
    PART_HEADER,
    PART_FIELDS,
    PART_BREAKS = PART_FIELDS + FIELD_COUNT,
    PART_TABLE,
    PART_CRC,
    PART_END
};

static uint32_t part_size(const struct serin_delta *d, uint32_t part)
{
    struct serin_delta_room room = serin_delta_room_of(d->header.backend, d->symbols.alone);
    switch (part) {
    case PART_HEAD:
        return HEAD_SIZE;
    case PART_HEADER:
        return SERIN_DELTA_HEADER_SIZE;
    case PART_BREAKS:
        return room.breaks * 8 + room.history;
    case PART_TABLE:
        return room.slots * 2;
    case PART_CRC:
        return CRC_SIZE;
    default:
        return fields[part - PART_FIELDS].width * fields[part - PART_FIELDS].count;
    }
}

size_t serin_delta_checkpoint_size(const struct serin_delta *delta)
{
    size_t size = 0;
    for (uint32_t part = 0; part < PART_END; part++) {
        size += part_size(delta, part);
    }
    return size;
}

/* Where byte `at` of a part that is kept in numbers lies: the number, and its width. */
static void *number_of(struct serin_delta *d, uint32_t part, uint32_t at, uint32_t *width)
{
    uint8_t *base = (uint8_t *)d;
    if (part == PART_BREAKS) {
        base = d->history;
        *width = d->symbols.alone ? 1 : 4;
    } else if (part == PART_TABLE) {
        base = (uint8_t *)d->symbols.model.table;
        *width = 2;
    } else {
        base += fields[part - PART_FIELDS].offset;
        *width = fields[part - PART_FIELDS].width;
    }
    at -= at % *width;
    return base + at;
}

static uint32_t number_get(const void *number, uint32_t width)
{
    uint32_t word;
    uint16_t half;
    if (width == 1) {
        return *(const uint8_t *)number;
    }
    if (width == 2) {
        memcpy(&half, number, sizeof half);
        return half;
    }
    memcpy(&word, number, sizeof word);
    return word;
}

static void number_put(void *number, uint32_t width, uint32_t value)
{
    uint16_t half = (uint16_t)value;
    if (width == 1) {
        *(uint8_t *)number = (uint8_t)value;
    } else if (width == 2) {
        memcpy(number, &half, sizeof half);
    } else {
        memcpy(number, &value, sizeof value);
    }
}

/* A byte of the parts that are not numbers of the decoder. */
static uint8_t fixed_byte(const struct serin_delta *d, const struct serin_delta_cursor *cursor)
{
    uint8_t header[SERIN_DELTA_HEADER_SIZE];
    if (cursor->field == PART_HEAD) {
        return head[cursor->at];
    }
    if (cursor->field == PART_CRC) {
        return (uint8_t)(cursor->crc >> 8 * cursor->at);
    }
    serin_delta_header_write(&d->header, header);
    return header[cursor->at];
}

static void advance(const struct serin_delta *d, struct serin_delta_cursor *cursor)
{
    if (++cursor->at == part_size(d, cursor->field)) {
        cursor->at = 0;
        cursor->field++;
    }
}

/* The bytes from `*covered` up to `done` of a call count for the CRC. */
static void cover(struct serin_delta_cursor *cursor, const uint8_t *bytes, size_t done,
                  size_t *covered)
{
    cursor->crc = serin_crc32(cursor->crc, bytes + *covered, done - *covered);
    *covered = done;
}

static bool is_fixed(uint32_t part)
{
    return part == PART_HEAD || part == PART_HEADER || part == PART_CRC;
}

size_t serin_delta_save(const struct serin_delta *delta, struct serin_delta_cursor *cursor,
                        uint8_t *bytes, size_t size)
{
    size_t done = 0;
    size_t covered = 0;
    for (; done < size && cursor->field < PART_END; done++) {
        if (is_fixed(cursor->field)) {
            bytes[done] = fixed_byte(delta, cursor);
        } else {
            uint32_t width;
            const void *number = number_of((struct serin_delta *)(uintptr_t)delta, cursor->field,
                                           cursor->at, &width);
            bytes[done] = (uint8_t)(number_get(number, width) >> 8 * (cursor->at % width));
        }
        advance(delta, cursor);
        if (cursor->field == PART_CRC && cursor->at == 0) {
            cover(cursor, bytes, done + 1, &covered);
        }
    }
    if (cursor->field < PART_CRC) {
        cover(cursor, bytes, done, &covered);
    }
    return done;
}

size_t serin_delta_load(struct serin_delta *delta, struct serin_delta_cursor *cursor,
                        const uint8_t *bytes, size_t size)
{
    size_t done = 0;
    size_t covered = 0;
    for (; done < size && cursor->field < PART_END; done++) {
        if (is_fixed(cursor->field)) {
            cursor->failed = cursor->failed || bytes[done] != fixed_byte(delta, cursor);
        } else {
            uint32_t width;
            void *number = number_of(delta, cursor->field, cursor->at, &width);
            uint32_t shift = 8 * (cursor->at % width);
            uint32_t value = number_get(number, width) & ~((uint32_t)0xff << shift);
            number_put(number, width, value | (uint32_t)bytes[done] << shift);
        }
        advance(delta, cursor);
        if (cursor->field == PART_CRC && cursor->at == 0) {
            cover(cursor, bytes, done + 1, &covered);
        }
    }
    if (cursor->field < PART_CRC) {
        cover(cursor, bytes, done, &covered);
    }
    return done;
}

/* Whether all is where a decoder can leave it: what was loaded comes from a flash that others may
 * write. */
static bool sound(const struct serin_delta *d)
{
    const struct serin_delta_symbols *s = &d->symbols;
    const struct serin_delta_code *code = &s->model.code;
    struct serin_delta_room room = serin_delta_room_of(d->header.backend, d->symbols.alone);
    uint32_t breaks = room.breaks;
    return d->state < SERIN_DELTA_STATE_COUNT && d->fed <= d->header.patch_size &&
           code->taken <= code->filled && code->filled <= SERIN_DELTA_INPUT_SIZE &&
           d->relative_count <= breaks && d->absolute_count <= breaks - d->relative_count &&
           d->read_count <= d->relative_count + d->absolute_count &&
           d->output_size <= SERIN_DELTA_OUTPUT_SIZE && s->to <= d->header.target_size &&
           s->fresh <= s->to && d->output_size <= s->to && d->written == s->to - d->output_size &&
           (s->alone ? s->from <= s->to && s->to - s->from - s->fresh <= room.history
                     : s->from <= d->header.base_size);
}

enum serin_error serin_delta_loaded(struct serin_delta *delta,
                                    const struct serin_delta_cursor *cursor)
{
    if (cursor->field < PART_END) {
        return SERIN_ERR_TRUNCATED;
    }
    if (cursor->failed) {
        return SERIN_ERR_CRC;
    }
    if (!sound(delta)) {
        return SERIN_ERR_FORMAT;
    }
    serin_delta_maps(delta);
    return SERIN_OK;
}
