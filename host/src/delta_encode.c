/*
 * A patch from runs and maps: the symbols that a decoder will ask for, in its order.
 */
#include "delta_host.h"

#include <stdlib.h>
#include <string.h>

#define RANGE_LOW (1u << 24)

/* The other half of the range coder of core/src/delta_model.c. A carry runs back through the `held`
 * bytes of 0xff behind `first`. */
struct writer {
    uint64_t low;
    uint32_t range;
    uint32_t held;
    uint8_t first;
    bool begun, failed;
    uint8_t *bytes;
    uint32_t size, room;
};

static void put(struct writer *w, uint8_t byte)
{
    if (w->size == w->room) {
        uint32_t room = w->room * 2 + 4096;
        uint8_t *more = realloc(w->bytes, room);
        if (more == NULL) {
            w->failed = true;
            return;
        }
        w->bytes = more;
        w->room = room;
    }
    w->bytes[w->size++] = byte;
}

static void shift(struct writer *w)
{
    if (w->low < 0xff000000u || w->low > UINT32_MAX) {
        uint8_t carry = (uint8_t)(w->low >> 32);
        if (w->begun) {
            put(w, (uint8_t)(w->first + carry));
        }
        for (; w->held > 0; w->held--) {
            put(w, (uint8_t)(0xff + carry));
        }
        w->first = (uint8_t)(w->low >> 24);
        w->begun = true;
    } else {
        w->held++;
    }
    w->low = (w->low & 0x00ffffffu) << 8;
}

static void write_bit(void *ctx, uint32_t one, unsigned bit)
{
    struct writer *w = ctx;
    uint32_t bound = (w->range >> 16) * one;
    if (bit != 0) {
        w->range = bound;
    } else {
        w->low += bound;
        w->range -= bound;
    }
    while (w->range < RANGE_LOW) {
        w->range <<= 8;
        shift(w);
    }
}

/* The fewest bytes that decode the same, as zeros follow. */
static void finish(struct writer *w)
{
    for (unsigned bits = 32; bits > 0; bits--) {
        uint64_t step = 1ull << bits;
        uint64_t value = (w->low + step - 1) / step * step;
        if (value < w->low + w->range) {
            w->low = value;
            break;
        }
    }
    for (unsigned i = 0; i < 5; i++) {
        shift(w);
    }
    while (w->size > 0 && w->bytes[w->size - 1] == 0) {
        w->size--;
    }
}

struct encoder {
    const struct serin_delta_image *old, *new;
    struct serin_delta_symbols symbols;
    struct writer writer;
    struct serin_delta_sink sink;
};

static void code_map(struct serin_delta_symbols *s, const struct serin_delta_breaks *map)
{
    struct serin_delta_break before = {0, 0};
    for (uint32_t i = 0; i < map->count; i++) {
        before = serin_delta_code_break(s, &before, map->breaks[i]);
    }
}

static void emit(struct encoder *e, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        serin_delta_emitted(&e->symbols, bytes[i]);
    }
}

static void code_fresh(struct encoder *e, uint32_t end)
{
    struct serin_delta_symbols *s = &e->symbols;
    while (s->to < end) {
        uint32_t stands = s->from + s->fresh;
        uint8_t expected = stands < serin_delta_end(e->old, s->to) ? e->old->bytes[stands] : 0;
        uint8_t byte = e->new->bytes[s->to];
        (void)serin_delta_code_open(s, false);
        (void)serin_delta_code_fresh(s, expected, byte);
        s->fresh++;
        emit(e, &byte, 1);
    }
}

/* Whether a reference reads `bytes` because it moved by an amount that can be told. */
static bool moves(const struct encoder *e, const struct serin_delta_item *item,
                  const uint8_t *bytes, uint32_t to, uint32_t *move)
{
    uint32_t value;
    if (item->kind == SERIN_DELTA_PLAIN ||
        !serin_delta_refers(&e->symbols.walk, item, bytes, to, &value)) {
        return false;
    }
    *move = value - item->value;
    /* Further off it is another word altogether, and cheaper byte by byte. */
    return *move + SERIN_DELTA_MOVE_MAX < 2 * SERIN_DELTA_MOVE_MAX;
}

/* What became of an item at `to`, in a run that ends at `end`. */
static void judge(const struct encoder *e, const struct serin_delta_item *item, uint32_t to,
                  uint32_t end, struct serin_delta_outcome *outcome)
{
    const uint8_t *bytes = e->new->bytes + to;
    uint32_t same = 0;
    while (same < item->size && same < end - to && item->predicted[same] == bytes[same]) {
        same++;
    }
    outcome->kept = same;
    if (same == item->size) {
        outcome->result = SERIN_DELTA_HIT;
    } else if (end - to < item->size) {
        outcome->result = SERIN_DELTA_STOP;
    } else if (item->moved && memcmp(item->old, bytes, item->size) == 0) {
        outcome->result = SERIN_DELTA_SAME;
    } else {
        bool moved = moves(e, item, bytes, to, &outcome->move);
        outcome->result = moved ? SERIN_DELTA_MOVE : SERIN_DELTA_PATCH;
        memcpy(outcome->bytes, bytes, item->size);
    }
}

/* Whether a copy that begins here makes at least a byte. */
static bool begins(const struct encoder *e, uint32_t from, uint32_t to, uint32_t end)
{
    struct serin_delta_walk walk = e->symbols.walk;
    struct serin_delta_item item;
    struct serin_delta_outcome outcome;
    if (from >= serin_delta_end(e->old, to)) {
        return false;
    }
    serin_delta_walk_start(&walk, from, to);
    serin_delta_walk_item(&walk, e->old->bytes + from, serin_delta_ahead(e->old, from, to), from,
                          to, &item);
    judge(e, &item, to, end, &outcome);
    return outcome.result != SERIN_DELTA_STOP || outcome.kept > 0;
}

/* Codes a copy up to `end` of the new image, or less. */
static void code_copy(struct encoder *e, uint32_t end)
{
    struct serin_delta_symbols *s = &e->symbols;
    while (s->from < serin_delta_end(e->old, s->to) && s->to < e->new->size) {
        struct serin_delta_item item;
        struct serin_delta_outcome outcome;
        serin_delta_walk_item(&s->walk, e->old->bytes + s->from,
                              serin_delta_ahead(e->old, s->from, s->to), s->from, s->to, &item);
        judge(e, &item, s->to, end, &outcome);
        serin_delta_code_item(s, &item, &outcome);
        if (outcome.result == SERIN_DELTA_STOP) {
            emit(e, item.predicted, outcome.kept);
            s->from += outcome.kept;
            return;
        }
        serin_delta_walk_done(&s->walk, &item, s->from, s->to, outcome.bytes);
        emit(e, outcome.bytes, item.size);
        s->from += item.size;
    }
}

static void code_run(struct encoder *e, const struct serin_delta_run *run)
{
    uint32_t end = run->to + run->size;
    uint32_t to = e->symbols.to > run->to ? e->symbols.to : run->to;
    while (to < end && !begins(e, run->from + (to - run->to), to, end)) {
        to++;
    }
    if (to < end) {
        code_fresh(e, to);
        (void)serin_delta_code_open(&e->symbols, true);
        (void)serin_delta_code_jump(&e->symbols, run->from + (to - run->to));
        code_copy(e, end);
    }
}

static void code_all(struct encoder *e, const struct serin_delta_fitted *maps,
                     const struct serin_delta_runs *runs)
{
    struct serin_delta_symbols *s = &e->symbols;
    (void)serin_delta_code_count(s, maps->relative.count);
    (void)serin_delta_code_count(s, maps->absolute.count);
    code_map(s, &maps->relative);
    code_map(s, &maps->absolute);
    for (uint32_t i = 0; i < runs->count; i++) {
        code_run(e, &runs->runs[i]);
    }
    code_fresh(e, e->new->size);
    finish(&e->writer);
}

enum serin_error serin_delta_encode(const struct serin_delta_image *old,
                                    const struct serin_delta_image *new,
                                    enum serin_delta_backend backend, enum serin_delta_arch arch,
                                    const struct serin_delta_fitted *maps,
                                    const struct serin_delta_runs *runs, uint8_t **bytes,
                                    uint32_t *size)
{
    uint32_t slots = serin_delta_room_of(backend, old->history > 0).slots;
    struct encoder *e = calloc(1, sizeof *e);
    uint16_t *table = malloc(slots * sizeof *table);
    if (e == NULL || table == NULL) {
        free(e);
        free(table);
        return SERIN_ERR_MEMORY;
    }
    e->old = old;
    e->new = new;
    e->writer.range = UINT32_MAX;
    e->sink = (struct serin_delta_sink){.bit = write_bit, .ctx = &e->writer};
    serin_delta_symbols_init(&e->symbols, table, slots, backend == SERIN_DELTA_STORE);
    e->symbols.model.sink = &e->sink;
    e->symbols.alone = old->history > 0;
    e->symbols.walk = serin_delta_walk_by(arch, maps, 0, 0);
    memset(e->symbols.walk.trail, 0, sizeof e->symbols.walk.trail);
    code_all(e, maps, runs);
    enum serin_error error = e->writer.failed ? SERIN_ERR_MEMORY : SERIN_OK;
    *bytes = e->writer.bytes;
    *size = e->writer.size;
    if (error != SERIN_OK) {
        free(e->writer.bytes);
    }
    free(e);
    free(table);
    return error;
}
