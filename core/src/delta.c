/*
 * The delta decoder (docs/spec/delta.md): the header, and the steps from symbol to symbol.
 */
#include <serin/assert.h>
#include <serin/bytes.h>
#include <serin/crc32.h>
#include <serin/delta.h>

#define OFFSET_FORMAT      4u
#define OFFSET_BACKEND     5u
#define OFFSET_ARCH        6u
#define OFFSET_ZERO        7u
#define OFFSET_BASE        8u
#define OFFSET_TARGET      24u
#define OFFSET_BASE_SIZE   40u
#define OFFSET_TARGET_SIZE 44u
#define OFFSET_PATCH_SIZE  48u
#define OFFSET_CRC         52u

static const uint8_t magic[4] = {'S', 'R', 'N', 'D'};

static const struct serin_delta_room rooms[SERIN_DELTA_BACKEND_COUNT] = {
    [SERIN_DELTA_STORE] = {.breaks = 160, .slots = 1},
    [SERIN_DELTA_SMALL] = {.breaks = 100, .slots = 1750},
    [SERIN_DELTA_BEST] = {.breaks = 160, .slots = 5500},
};

/* The same memory without an old image. */
static const struct serin_delta_room rooms_alone[SERIN_DELTA_BACKEND_COUNT] = {
    [SERIN_DELTA_STORE] = {.history = 1024, .slots = 1},
    [SERIN_DELTA_SMALL] = {.history = 2048, .slots = 1126},
    [SERIN_DELTA_BEST] = {.history = 6144, .slots = 3068},
};

enum serin_error serin_delta_header_read(const uint8_t bytes[SERIN_DELTA_HEADER_SIZE],
                                         struct serin_delta_header *header)
{
    if (memcmp(bytes, magic, sizeof magic) != 0) {
        return SERIN_ERR_FORMAT;
    }
    if (bytes[OFFSET_FORMAT] != SERIN_DELTA_FORMAT) {
        return SERIN_ERR_VERSION;
    }
    if (serin_get_le32(bytes + OFFSET_CRC) != serin_crc32(0, bytes, OFFSET_CRC)) {
        return SERIN_ERR_CRC;
    }
    if (bytes[OFFSET_BACKEND] >= SERIN_DELTA_BACKEND_COUNT ||
        bytes[OFFSET_ARCH] >= SERIN_DELTA_ARCH_COUNT || bytes[OFFSET_ZERO] != 0) {
        return SERIN_ERR_FEATURE;
    }
    header->backend = (enum serin_delta_backend)bytes[OFFSET_BACKEND];
    header->arch = (enum serin_delta_arch)bytes[OFFSET_ARCH];
    memcpy(header->base, bytes + OFFSET_BASE, SERIN_DELTA_PREFIX_SIZE);
    memcpy(header->target, bytes + OFFSET_TARGET, SERIN_DELTA_PREFIX_SIZE);
    header->base_size = serin_get_le32(bytes + OFFSET_BASE_SIZE);
    header->target_size = serin_get_le32(bytes + OFFSET_TARGET_SIZE);
    header->patch_size = serin_get_le32(bytes + OFFSET_PATCH_SIZE);
    bool bounded =
        header->base_size <= SERIN_DELTA_IMAGE_MAX && header->target_size <= SERIN_DELTA_IMAGE_MAX;
    return bounded ? SERIN_OK : SERIN_ERR_FORMAT;
}

void serin_delta_header_write(const struct serin_delta_header *header,
                              uint8_t bytes[SERIN_DELTA_HEADER_SIZE])
{
    memcpy(bytes, magic, sizeof magic);
    bytes[OFFSET_FORMAT] = SERIN_DELTA_FORMAT;
    bytes[OFFSET_BACKEND] = (uint8_t)header->backend;
    bytes[OFFSET_ARCH] = (uint8_t)header->arch;
    bytes[OFFSET_ZERO] = 0;
    memcpy(bytes + OFFSET_BASE, header->base, SERIN_DELTA_PREFIX_SIZE);
    memcpy(bytes + OFFSET_TARGET, header->target, SERIN_DELTA_PREFIX_SIZE);
    serin_put_le32(bytes + OFFSET_BASE_SIZE, header->base_size);
    serin_put_le32(bytes + OFFSET_TARGET_SIZE, header->target_size);
    serin_put_le32(bytes + OFFSET_PATCH_SIZE, header->patch_size);
    serin_put_le32(bytes + OFFSET_CRC, serin_crc32(0, bytes, OFFSET_CRC));
}

struct serin_delta_room serin_delta_room_of(enum serin_delta_backend backend, bool alone)
{
    SERIN_ASSERT(backend < SERIN_DELTA_BACKEND_COUNT);
    return alone ? rooms_alone[backend] : rooms[backend];
}

static struct serin_delta_room room_of(const struct serin_delta *d)
{
    return serin_delta_room_of(d->header.backend, d->symbols.alone);
}

size_t serin_delta_memory(enum serin_delta_backend backend)
{
    struct serin_delta_room room = rooms[backend];
    return sizeof(struct serin_delta) + room.breaks * sizeof(struct serin_delta_break) +
           room.slots * sizeof(uint16_t);
}

void serin_delta_maps(struct serin_delta *delta)
{
    struct serin_delta_walk *walk = &delta->symbols.walk;
    walk->relative =
        (struct serin_delta_map){.breaks = delta->breaks, .count = delta->relative_count};
    walk->absolute = (struct serin_delta_map){.breaks = delta->breaks + delta->relative_count,
                                              .count = delta->absolute_count};
}

enum serin_error serin_delta_init(void *memory, size_t size,
                                  const struct serin_delta_header *header, uint32_t limit,
                                  struct serin_delta **delta)
{
    if (header->target_size > limit) {
        return SERIN_ERR_TOO_LARGE;
    }
    if (size < serin_delta_memory(header->backend)) {
        return SERIN_ERR_NO_SPACE;
    }
    struct serin_delta *d = memory;
    struct serin_delta_room room = serin_delta_room_of(header->backend, header->base_size == 0);
    memset(d, 0, sizeof *d);
    d->header = *header;
    d->breaks = (struct serin_delta_break *)(d + 1);
    d->history = (uint8_t *)(d + 1);
    uint16_t *table = (uint16_t *)(d->history + room.breaks * sizeof *d->breaks + room.history);
    serin_delta_symbols_init(&d->symbols, table, room.slots, header->backend == SERIN_DELTA_STORE);
    d->symbols.alone = header->base_size == 0;
    d->symbols.walk.arch = header->arch;
    *delta = d;
    return SERIN_OK;
}

/* ---- what is wanted ---- */

size_t serin_delta_feed(struct serin_delta *delta, const uint8_t *bytes, size_t size)
{
    struct serin_delta_code *code = &delta->symbols.model.code;
    memmove(code->input, code->input + code->taken, code->filled - code->taken);
    code->filled -= code->taken;
    code->taken = 0;
    size_t most = SERIN_DELTA_INPUT_SIZE - code->filled;
    size_t left = delta->header.patch_size - delta->fed;
    most = most < left ? most : left;
    size = size < most ? size : most;
    memcpy(code->input + code->filled, bytes, size);
    code->filled += (uint32_t)size;
    delta->fed += (uint32_t)size;
    return size;
}

void serin_delta_old_want(const struct serin_delta *delta, uint32_t *from, uint32_t *size)
{
    *from = delta->want_from;
    *size = delta->want_size;
}

void serin_delta_old(struct serin_delta *delta, const uint8_t *bytes)
{
    memcpy(delta->window, bytes, delta->want_size);
    delta->window_from = delta->want_from;
    delta->window_size = delta->want_size;
}

const uint8_t *serin_delta_output(const struct serin_delta *delta, size_t *size)
{
    *size = delta->output_size;
    return delta->output;
}

void serin_delta_written(struct serin_delta *delta)
{
    delta->written += delta->output_size;
    delta->output_size = 0;
}

/* Where the old image ends; without one, the new image so far stands in for it. */
static uint32_t old_end(const struct serin_delta *d)
{
    return d->symbols.alone ? d->symbols.to : d->header.base_size;
}

static bool is_old(const struct serin_delta *d, uint32_t from)
{
    uint32_t end = old_end(d);
    return from < end && (!d->symbols.alone || end - from <= room_of(d).history);
}

/* The old bytes from `from`, at least 1 and `ahead` of them unless the image ends before. NULL:
 * they are wanted. */
static const uint8_t *old_bytes(struct serin_delta *d, uint32_t from, uint32_t ahead,
                                uint32_t *size)
{
    uint32_t left = old_end(d) - from;
    uint32_t need = ahead < left ? ahead : left;
    if (d->symbols.alone) {
        for (uint32_t i = 0; i < need; i++) {
            d->window[i] = d->history[(from + i) % room_of(d).history];
        }
        *size = need;
        return d->window;
    }
    uint32_t into = from - d->window_from;
    if (from >= d->window_from && into <= d->window_size && d->window_size - into >= need) {
        *size = need;
        return d->window + into;
    }
    d->want_from = from;
    d->want_size = left < SERIN_DELTA_WINDOW_SIZE ? left : SERIN_DELTA_WINDOW_SIZE;
    return NULL;
}

static void emit(struct serin_delta *d, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        d->output[d->output_size++] = bytes[i];
        if (d->symbols.alone) {
            d->history[d->symbols.to % room_of(d).history] = bytes[i];
        }
        serin_delta_emitted(&d->symbols, bytes[i]);
    }
}

/* ---- the steps: SERIN_ERR_AGAIN where old bytes are wanted first ---- */

static enum serin_error step_start(struct serin_delta *d)
{
    serin_delta_model_start(&d->symbols.model);
    d->state = SERIN_DELTA_STATE_COUNTS;
    return SERIN_OK;
}

static enum serin_error step_counts(struct serin_delta *d)
{
    uint32_t most = room_of(d).breaks;
    d->relative_count = serin_delta_code_count(&d->symbols, 0);
    d->absolute_count = serin_delta_code_count(&d->symbols, 0);
    if (d->relative_count > most || d->absolute_count > most - d->relative_count) {
        return SERIN_ERR_FORMAT;
    }
    serin_delta_maps(d);
    d->state = SERIN_DELTA_STATE_MAPS;
    return SERIN_OK;
}

static enum serin_error step_maps(struct serin_delta *d)
{
    if (d->read_count == d->relative_count + d->absolute_count) {
        d->state = SERIN_DELTA_STATE_OPEN;
        return SERIN_OK;
    }
    uint32_t at = d->read_count;
    bool first = at == 0 || at == d->relative_count;
    struct serin_delta_break before = {0, 0};
    if (!first) {
        before = d->breaks[at - 1];
    }
    d->breaks[at] = serin_delta_code_break(&d->symbols, &before, d->breaks[at]);
    d->read_count++;
    return first || d->breaks[at].start > before.start ? SERIN_OK : SERIN_ERR_FORMAT;
}

static enum serin_error step_open(struct serin_delta *d)
{
    struct serin_delta_symbols *s = &d->symbols;
    uint32_t stands = s->from + s->fresh;
    uint8_t expected = 0;
    if (s->to == d->header.target_size) {
        d->state = SERIN_DELTA_STATE_END;
        return SERIN_OK;
    }
    if (stands < old_end(d)) {
        uint32_t size;
        const uint8_t *bytes = old_bytes(d, stands, 1, &size);
        if (bytes == NULL) {
            return SERIN_ERR_AGAIN;
        }
        expected = bytes[0];
    }
    if (serin_delta_code_open(s, false)) {
        d->state = SERIN_DELTA_STATE_COPY;
        return is_old(d, serin_delta_code_jump(s, 0)) ? SERIN_OK : SERIN_ERR_FORMAT;
    }
    uint8_t byte = serin_delta_code_fresh(s, expected, 0);
    s->fresh++;
    emit(d, &byte, 1);
    return SERIN_OK;
}

static enum serin_error step_copy(struct serin_delta *d)
{
    struct serin_delta_symbols *s = &d->symbols;
    struct serin_delta_item item;
    struct serin_delta_outcome outcome = {.result = SERIN_DELTA_HIT};
    if (s->from == old_end(d) || s->to == d->header.target_size) {
        d->state = SERIN_DELTA_STATE_OPEN;
        return SERIN_OK;
    }
    uint32_t size;
    const uint8_t *bytes = old_bytes(d, s->from, SERIN_DELTA_AHEAD, &size);
    if (bytes == NULL) {
        return SERIN_ERR_AGAIN;
    }
    bool first = s->copied == 0;
    serin_delta_walk_item(&s->walk, bytes, size, s->from, s->to, &item);
    serin_delta_code_item(s, &item, &outcome);
    bool stop = outcome.result == SERIN_DELTA_STOP;
    uint32_t count = stop ? outcome.kept : item.size;
    /* A jump that nothing follows would let a patch go on for ever. */
    if (count > d->header.target_size - s->to || (first && count == 0)) {
        return SERIN_ERR_FORMAT;
    }
    if (stop) {
        d->state = SERIN_DELTA_STATE_OPEN;
        memcpy(outcome.bytes, item.predicted, sizeof outcome.bytes);
    } else {
        serin_delta_walk_done(&s->walk, &item, s->from, s->to, outcome.bytes);
    }
    emit(d, outcome.bytes, count);
    s->from += count;
    return SERIN_OK;
}

typedef enum serin_error step(struct serin_delta *);

static step *const steps[SERIN_DELTA_STATE_COUNT] = {
    [SERIN_DELTA_STATE_START] = step_start, [SERIN_DELTA_STATE_COUNTS] = step_counts,
    [SERIN_DELTA_STATE_MAPS] = step_maps,   [SERIN_DELTA_STATE_OPEN] = step_open,
    [SERIN_DELTA_STATE_COPY] = step_copy,
};

enum serin_error serin_delta_run(struct serin_delta *delta, enum serin_delta_want *want)
{
    const struct serin_delta_code *code = &delta->symbols.model.code;
    for (;;) {
        if (delta->output_size > SERIN_DELTA_OUTPUT_SIZE - SERIN_DELTA_ITEM_MAX ||
            (delta->state == SERIN_DELTA_STATE_END && delta->output_size > 0)) {
            *want = SERIN_DELTA_WANT_OUTPUT;
            return SERIN_OK;
        }
        if (delta->state == SERIN_DELTA_STATE_END) {
            *want = SERIN_DELTA_WANT_END;
            return SERIN_OK;
        }
        if (code->filled - code->taken < SERIN_DELTA_INPUT_SIZE &&
            delta->fed < delta->header.patch_size) {
            *want = SERIN_DELTA_WANT_PATCH;
            return SERIN_OK;
        }
        enum serin_error error = steps[delta->state](delta);
        if (error == SERIN_ERR_AGAIN) {
            *want = SERIN_DELTA_WANT_OLD;
            return SERIN_OK;
        }
        if (error != SERIN_OK) {
            return error;
        }
    }
}
