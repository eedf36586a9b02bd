/*
 * The maps: how the addresses moved that both images refer to, fitted to the references of the
 * runs.
 *
 * Over the values in ascending order a map is a way through states, one for each amount that
 * anything moved by. A wrong prediction costs some bits, and so does a change of state. All states
 * but one pay for a pair, so that what stays is to know which is cheapest, and to touch the one
 * that does not pay.
 */
#include "delta_host.h"

#include <serin/bytes.h>

#include <stdlib.h>

#define COST_BREAK 80u /* bits */
#define COST_CALL  10u
#define COST_WORD  14u
#define COST_STILL 5u /* a word that does not move, predicted to */

/* A reference that was copied: what it stood for, and how far that moved. */
struct pair {
    uint32_t value, add;
    uint8_t cost; /* of a wrong prediction, in bits */
};

struct pairs {
    struct pair *pairs;
    uint32_t count, room;
};

static enum serin_error push_pair(struct pairs *pairs, uint32_t value, uint32_t add, uint8_t cost)
{
    if (pairs->count == pairs->room) {
        uint32_t room = pairs->room * 2 + 4096;
        struct pair *more = realloc(pairs->pairs, room * sizeof *more);
        if (more == NULL) {
            return SERIN_ERR_MEMORY;
        }
        pairs->pairs = more;
        pairs->room = room;
    }
    pairs->pairs[pairs->count++] = (struct pair){.value = value, .add = add, .cost = cost};
    return SERIN_OK;
}

static int by_value(const void *a, const void *b)
{
    const struct pair *x = a;
    const struct pair *y = b;
    if (x->value != y->value) {
        return x->value < y->value ? -1 : 1;
    }
    return x->add < y->add ? -1 : x->add > y->add;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static bool small(uint32_t add)
{
    return add + SERIN_DELTA_MOVE_MAX < 2 * SERIN_DELTA_MOVE_MAX;
}

/* An aligned word that may be a pointer. */
static enum serin_error gather_word(const struct serin_delta_image *old,
                                    const struct serin_delta_image *new, uint32_t from, uint32_t to,
                                    struct pairs *absolute)
{
    if (old->size - from < 4 || new->size - to < 4) {
        return SERIN_OK;
    }
    uint32_t value = serin_get_le32(old->bytes + from);
    uint32_t add = serin_get_le32(new->bytes + to) - value;
    return small(add) ? push_pair(absolute, value, add, add == 0 ? COST_STILL : COST_WORD)
                      : SERIN_OK;
}

/* What a run says about references. */
static enum serin_error gather_run(const struct serin_delta_image *old,
                                   const struct serin_delta_image *new, enum serin_delta_arch arch,
                                   const struct serin_delta_run *run, struct pairs *relative,
                                   struct pairs *absolute)
{
    struct serin_delta_walk walk = serin_delta_walk_by(arch, NULL, run->from, run->to);
    struct serin_delta_item item;
    enum serin_error error = SERIN_OK;
    for (uint32_t at = 0; at < run->size && error == SERIN_OK; at += item.size) {
        uint32_t from = run->from + at;
        uint32_t to = run->to + at;
        uint32_t value;
        serin_delta_walk_item(&walk, old->bytes + from, serin_delta_ahead(old, from, to), from, to,
                              &item);
        if (at + item.size > run->size) {
            break;
        }
        if (item.kind != SERIN_DELTA_PLAIN && item.kind != SERIN_DELTA_UPPER &&
            item.kind != SERIN_DELTA_NEAR &&
            serin_delta_refers(&walk, &item, new->bytes + to, to, &value)) {
            bool word = !serin_delta_walk_relative(&walk, &item);
            uint32_t add = value - item.value;
            if (small(add)) {
                error = push_pair(word ? absolute : relative, item.value, add, COST_CALL);
            }
        }
        if (item.kind == SERIN_DELTA_PLAIN && (from & 3u) == 0 && error == SERIN_OK) {
            error = gather_word(old, new, from, to, absolute);
        }
        if (item.kind == SERIN_DELTA_PLAIN && arch == SERIN_DELTA_ARCH_RISCV && item.size == 4 &&
            (from & 3u) == 2 && error == SERIN_OK && at + 6 <= run->size) {
            error = gather_word(old, new, from + 2, to + 2, absolute);
        }
        serin_delta_walk_done(&walk, &item, from, to, new->bytes + to);
    }
    return error;
}

/* ---- the way through the states ---- */

struct fit {
    struct pairs *pairs;
    uint32_t *adds;    /* distinct, ascending */
    int64_t *costs;    /* of the state of each, less what all pay */
    uint32_t *changed; /* by pair: the state before, where its own was entered; else UINT32_MAX */
    uint32_t add_count;
};

static uint32_t state_of(const struct fit *fit, uint32_t add)
{
    const uint32_t *found = bsearch(&add, fit->adds, fit->add_count, sizeof add, by_number);
    return (uint32_t)(found - fit->adds);
}

static void walk_states(struct fit *fit, uint32_t cost_break, uint32_t *last)
{
    uint32_t best = state_of(fit, 0);
    for (uint32_t i = 0; i < fit->add_count; i++) {
        fit->costs[i] = cost_break;
    }
    fit->costs[best] = 0; /* before the first breakpoint nothing moves */
    for (uint32_t i = 0; i < fit->pairs->count; i++) {
        const struct pair *pair = &fit->pairs->pairs[i];
        uint32_t state = state_of(fit, pair->add);
        fit->changed[i] = UINT32_MAX;
        if (fit->costs[best] + cost_break < fit->costs[state]) {
            fit->costs[state] = fit->costs[best] + cost_break;
            fit->changed[i] = best;
        }
        fit->costs[state] -= pair->cost;
        if (fit->costs[state] < fit->costs[best]) {
            best = state;
        }
    }
    *last = best;
}

static enum serin_error trace(const struct fit *fit, uint32_t last, struct serin_delta_breaks *out)
{
    uint32_t state = last;
    uint32_t room = 0;
    out->count = 0;
    for (uint32_t i = fit->pairs->count; i-- > 0;) {
        if (fit->adds[state] != fit->pairs->pairs[i].add || fit->changed[i] == UINT32_MAX) {
            continue;
        }
        if (out->count == room) {
            room = room * 2 + 64;
            struct serin_delta_break *more = realloc(out->breaks, room * sizeof *more);
            if (more == NULL) {
                return SERIN_ERR_MEMORY;
            }
            out->breaks = more;
        }
        out->breaks[out->count++] = (struct serin_delta_break){.start = fit->pairs->pairs[i].value,
                                                               .add = fit->adds[state]};
        /* The breakpoint may lie anywhere behind the pair before: where it is told in the fewest
         * bits. */
        uint32_t start = fit->pairs->pairs[i].value;
        uint32_t above = i > 0 ? fit->pairs->pairs[i - 1].value : 0;
        for (unsigned bits = 1; bits < 32; bits++) {
            uint32_t round = start >> bits << bits;
            if (round <= above) {
                break;
            }
            out->breaks[out->count - 1].start = round;
        }
        state = fit->changed[i];
    }
    for (uint32_t i = 0; i < out->count / 2; i++) {
        struct serin_delta_break swapped = out->breaks[i];
        out->breaks[i] = out->breaks[out->count - 1 - i];
        out->breaks[out->count - 1 - i] = swapped;
    }
    /* Of those between references to the same value the last one counts. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        if (i + 1 == out->count || out->breaks[i + 1].start != out->breaks[i].start) {
            out->breaks[kept++] = out->breaks[i];
        }
    }
    out->count = kept;
    return SERIN_OK;
}

static enum serin_error fit_map(struct pairs *pairs, uint32_t cost, struct serin_delta_breaks *out)
{
    struct fit fit = {.pairs = pairs};
    uint32_t count = pairs->count;
    fit.adds = malloc((count + 1) * sizeof *fit.adds);
    fit.costs = malloc((count + 1) * sizeof *fit.costs);
    fit.changed = malloc((count + 1) * sizeof *fit.changed);
    enum serin_error error = SERIN_ERR_MEMORY;
    if (fit.adds != NULL && fit.costs != NULL && fit.changed != NULL) {
        if (count > 0) {
            qsort(pairs->pairs, count, sizeof *pairs->pairs, by_value);
        }
        for (uint32_t i = 0; i < count; i++) {
            fit.adds[i] = pairs->pairs[i].add;
        }
        fit.adds[count] = 0;
        qsort(fit.adds, count + 1, sizeof *fit.adds, by_number);
        for (uint32_t i = 0; i <= count; i++) {
            if (fit.add_count == 0 || fit.adds[fit.add_count - 1] != fit.adds[i]) {
                fit.adds[fit.add_count++] = fit.adds[i];
            }
        }
        uint32_t last;
        walk_states(&fit, cost, &last);
        error = trace(&fit, last, out);
    }
    free(fit.adds);
    free(fit.costs);
    free(fit.changed);
    return error;
}

enum serin_error serin_delta_fit(const struct serin_delta_image *old,
                                 const struct serin_delta_image *new, enum serin_delta_arch arch,
                                 const struct serin_delta_runs *runs, uint32_t room,
                                 struct serin_delta_fitted *maps)
{
    struct pairs offsets = {0};
    struct pairs words = {0};
    enum serin_error error = SERIN_OK;
    for (uint32_t i = 0; i < runs->count && error == SERIN_OK; i++) {
        error = gather_run(old, new, arch, &runs->runs[i], &offsets, &words);
    }
    /* What is too much for the device is left out where it pays least. */
    for (uint32_t cost = COST_BREAK; error == SERIN_OK; cost += cost / 4) {
        error = fit_map(&offsets, cost, &maps->relative);
        if (error == SERIN_OK) {
            error = fit_map(&words, cost, &maps->absolute);
        }
        if (error != SERIN_OK || maps->relative.count + maps->absolute.count <= room) {
            break;
        }
    }
    free(offsets.pairs);
    free(words.pairs);
    return error;
}
