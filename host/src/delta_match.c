/*
 * Which runs of the old image make the new one: the cheapest way through both, by estimated bits.
 *
 * At each byte of the new image the way is either in a new byte or on a lane: at a certain distance
 * in the old one. A lane opens where the longest match of the bytes ahead lies (sorted suffixes of
 * the old image), and closes when another way is cheaper by more than it takes to come back (A.
 * Viterbi, "Error bounds for convolutional codes", 1967). Both images are compared without what
 * their references refer to, or with the predictions of it.
 */
#include "delta_host.h"

#include <serin/bytes.h>

#include <stdlib.h>
#include <string.h>

#define BIT          16u /* costs are in sixteenths of a bit */
#define COST_HIT     1u
#define FRESH_PRIOR  64u
#define FRESH_SCALE  54u
#define COST_STOP    (7u * BIT)
#define COST_JUMP    (23u * BIT)
#define COST_RECENT  (18u * BIT)
#define COST_NEAR    (12u * BIT)
#define COST_BACK    (3u * BIT)
#define COST_MISS    (11u * BIT)
#define COST_MORE    (7u * BIT)
#define COST_REBASE  (1u << 30)
#define BEAM         (42u * BIT)
#define LANES_MAX    24u
#define MATCH_MIN    4u
#define MATCH_ENOUGH 32u
#define NEIGHBOURS   24
#define CHAIN_MAX    64u

/* How a way came to where it is: the steps before, newest first. */
struct step {
    uint32_t at;   /* of the new image */
    uint32_t lane; /* old - new offset, modulo 2^32 */
    uint32_t before;
    bool fresh;
};

struct lane {
    uint32_t lane, cost, step;
    bool missed;        /* its last byte */
    uint32_t item_from; /* whose prediction `predicted` is */
    uint8_t predicted[SERIN_DELTA_ITEM_MAX];
};

struct serin_delta_matcher {
    struct serin_delta_image old, new;
    enum serin_delta_arch arch;
    uint8_t *old_masked, *new_masked;
    uint8_t *kinds; /* of the item that an old byte lies in, and how far in: kind | place << 4 */
    int32_t *order;
    uint32_t buckets[65537];
    uint32_t linked; /* without an old image: the places that are in a chain */
    const struct serin_delta_fitted *maps;
    struct step *steps;
    struct serin_delta_map absolute;
    uint32_t step_count, step_room;
    struct lane lanes[LANES_MAX];
    uint32_t lane_count;
    uint32_t fresh_cost, fresh_step, fresh_lane;
    uint32_t fresh_costs[256];
    uint64_t taken_off; /* costs that all ways had in common */
};

/* A copy without what references refer to. */
static uint8_t *masked(const struct serin_delta_image *image, enum serin_delta_arch arch,
                       uint8_t *kinds)
{
    struct serin_delta_walk walk = serin_delta_walk_by(arch, NULL, 0, 0);
    struct serin_delta_item item;
    uint8_t *copy = malloc(image->size + 1);
    if (copy == NULL) {
        return NULL;
    }
    const struct serin_delta_image whole = {.bytes = image->bytes, .size = image->size};
    memcpy(copy, image->bytes, image->size);
    for (uint32_t at = 0; at < image->size; at += item.size) {
        serin_delta_walk_item(&walk, image->bytes + at, serin_delta_ahead(&whole, at, at), at, at,
                              &item);
        serin_delta_walk_done(&walk, &item, at, at, image->bytes + at);
        serin_delta_blank(&item, copy + at);
        for (uint32_t i = 0; kinds != NULL && i < item.size; i++) {
            kinds[at + i] = (uint8_t)(item.kind | i << 4);
        }
    }
    return copy;
}

static void fill_buckets(struct serin_delta_matcher *m)
{
    uint32_t at = 0;
    for (uint32_t key = 0; key < 65536; key++) {
        m->buckets[key] = at;
        while (at < m->old.size) {
            const uint8_t *text = m->old_masked + m->order[at];
            uint32_t second = (uint32_t)m->order[at] + 1 < m->old.size ? text[1] : 0;
            if (((uint32_t)text[0] << 8 | second) > key) {
                break;
            }
            at++;
        }
    }
    m->buckets[65536] = m->old.size;
}

enum serin_error serin_delta_matcher_open(struct serin_delta_matcher **matcher,
                                          const struct serin_suffixes *suffixes,
                                          const struct serin_delta_image *old,
                                          const struct serin_delta_image *new,
                                          enum serin_delta_arch arch)
{
    struct serin_delta_matcher *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return SERIN_ERR_MEMORY;
    }
    m->old = *old;
    m->new = *new;
    m->arch = arch;
    m->kinds = malloc(old->size + 1);
    m->order = calloc((size_t)old->size + 1, sizeof *m->order);
    m->old_masked = m->kinds != NULL ? masked(old, arch, m->kinds) : NULL;
    m->new_masked = masked(new, arch, NULL);
    enum serin_error error = SERIN_ERR_MEMORY;
    if (m->order != NULL && m->old_masked != NULL && m->new_masked != NULL) {
        bool sorted = old->size > 0 && old->history == 0;
        error = sorted ? suffixes->sort(m->old_masked, m->order, old->size) : SERIN_OK;
    }
    if (error != SERIN_OK) {
        serin_delta_matcher_close(m);
        return error;
    }
    if (old->history == 0) {
        fill_buckets(m);
    }
    *matcher = m;
    return SERIN_OK;
}

void serin_delta_matcher_close(struct serin_delta_matcher *matcher)
{
    free(matcher->kinds);
    free(matcher->order);
    free(matcher->old_masked);
    free(matcher->new_masked);
    free(matcher->steps);
    free(matcher);
}

static uint32_t common(const struct serin_delta_matcher *m, uint32_t from, uint32_t to)
{
    uint32_t most = m->old.size - from;
    if (most > m->new.size - to) {
        most = m->new.size - to;
    }
    if (most > 4096) {
        most = 4096;
    }
    uint32_t size = 0;
    while (size < most && m->old_masked[from + size] == m->new_masked[to + size]) {
        size++;
    }
    return size;
}

/* The longest match of what is at `to`: among equals the one nearest to lane `near`. */
static uint32_t longest(const struct serin_delta_matcher *m, uint32_t to, uint32_t near,
                        uint32_t *size)
{
    if (m->new.size - to < MATCH_MIN) {
        *size = 0;
        return 0;
    }
    uint32_t key = (uint32_t)m->new_masked[to] << 8 | m->new_masked[to + 1];
    uint32_t low = m->buckets[key];
    uint32_t high = m->buckets[key + 1];
    uint32_t end = high;
    uint32_t begin = low;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t from = (uint32_t)m->order[middle];
        uint32_t same = common(m, from, to);
        bool less =
            from + same == m->old.size ||
            (to + same < m->new.size && m->old_masked[from + same] < m->new_masked[to + same]);
        if (less) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    uint32_t best = 0;
    uint32_t best_away = UINT32_MAX;
    *size = 0;
    uint32_t first = low > begin + NEIGHBOURS ? low - NEIGHBOURS : begin;
    for (uint32_t i = first; i < end && i < low + NEIGHBOURS; i++) {
        uint32_t from = (uint32_t)m->order[i];
        uint32_t same = common(m, from, to);
        uint32_t away = from - to - near;
        away = away > UINT32_MAX / 2 ? 0u - away : away;
        if (same > *size || (same == *size && away < best_away)) {
            *size = same;
            best = from;
            best_away = away;
        }
    }
    return best;
}

static enum serin_error push_step(struct serin_delta_matcher *m, uint32_t at, uint32_t lane,
                                  uint32_t before, bool fresh, uint32_t *step)
{
    if (m->step_count == m->step_room) {
        uint32_t room = m->step_room * 2 + 1024;
        struct step *steps = realloc(m->steps, room * sizeof *steps);
        if (steps == NULL) {
            return SERIN_ERR_MEMORY;
        }
        m->steps = steps;
        m->step_room = room;
    }
    m->steps[m->step_count] =
        (struct step){.at = at, .lane = lane, .before = before, .fresh = fresh};
    *step = m->step_count++;
    return SERIN_OK;
}

/* Whether the byte at `to` is what the lane makes of it. */
static bool lane_hits(struct serin_delta_matcher *m, struct lane *lane, uint32_t to)
{
    uint32_t from = to + lane->lane;
    uint32_t kind = m->kinds[from] & 15u;
    if (m->maps == NULL || kind == SERIN_DELTA_LOWER) {
        return m->old_masked[from] == m->new_masked[to];
    }
    uint32_t place = m->kinds[from] >> 4;
    uint32_t aligned = from & ~3u;
    if (aligned + 4 <= m->old.size &&
        serin_delta_map_add(&m->absolute, serin_get_le32(m->old.bytes + aligned)) != 0) {
        place = from & 3u;
    } else if (kind == SERIN_DELTA_PLAIN) {
        return m->old.bytes[from] == m->new.bytes[to];
    }
    if (place > from || place > to) {
        return m->old.bytes[from] == m->new.bytes[to];
    }
    uint32_t start = from - place;
    if (lane->item_from != start) {
        struct serin_delta_item item;
        struct serin_delta_walk walk = serin_delta_walk_by(m->arch, m->maps, start, to - place);
        serin_delta_walk_item(&walk, m->old.bytes + start,
                              serin_delta_ahead(&m->old, start, to - place), start, to - place,
                              &item);
        memcpy(lane->predicted, item.predicted, sizeof lane->predicted);
        lane->item_from = start;
    }
    return lane->predicted[place & 3u] == m->new.bytes[to];
}

static uint32_t jump_cost(const struct serin_delta_matcher *m, uint32_t lane)
{
    uint32_t away = lane - m->fresh_lane;
    if (away == 0) {
        return COST_BACK;
    }
    uint32_t jump = m->old.history > 0 ? COST_RECENT : COST_JUMP;
    return away + 2048 < 4096 ? COST_NEAR : jump;
}

/* Opens a lane at `to`, or makes one cheaper. */
static enum serin_error open_lane(struct serin_delta_matcher *m, uint32_t lane, uint32_t to)
{
    uint32_t cost = m->fresh_cost + jump_cost(m, lane);
    uint32_t worst = 0;
    uint32_t i;
    for (i = 0; i < m->lane_count; i++) {
        if (m->lanes[i].lane == lane) {
            break;
        }
        if (m->lanes[i].cost > m->lanes[worst].cost) {
            worst = i;
        }
    }
    if (i == m->lane_count) {
        if (m->lane_count == LANES_MAX) {
            if (m->lanes[worst].cost <= cost) {
                return SERIN_OK;
            }
            i = worst;
        } else {
            m->lane_count++;
        }
    } else if (m->lanes[i].cost <= cost) {
        return SERIN_OK;
    }
    m->lanes[i] = (struct lane){.lane = lane, .cost = cost, .item_from = UINT32_MAX};
    return push_step(m, to, lane, m->fresh_step, false, &m->lanes[i].step);
}

static uint32_t best_lane(const struct serin_delta_matcher *m)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < m->lane_count; i++) {
        best = m->lanes[i].cost < m->lanes[best].cost ? i : best;
    }
    return best;
}

/* From byte `to` to the next one, on all ways. */
static void advance(struct serin_delta_matcher *m, uint32_t to)
{
    uint32_t best = m->fresh_cost += m->fresh_costs[m->new.bytes[to]];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < m->lane_count; i++) {
        struct lane *lane = &m->lanes[i];
        if (to + lane->lane >= m->old.size) {
            continue;
        }
        if (lane_hits(m, lane, to)) {
            lane->cost += COST_HIT;
            lane->missed = false;
        } else {
            lane->cost += lane->missed ? COST_MORE : COST_MISS;
            lane->missed = true;
        }
        best = lane->cost < best ? lane->cost : best;
        m->lanes[kept++] = *lane;
    }
    m->lane_count = kept;
    kept = 0;
    for (uint32_t i = 0; i < m->lane_count; i++) {
        if (m->lanes[i].cost <= best + BEAM) {
            m->lanes[kept++] = m->lanes[i];
        }
    }
    m->lane_count = kept;
}

/* Costs are compared, never summed up: what all ways have in common is taken off before it is too
 * much. */
static void rebase(struct serin_delta_matcher *m)
{
    uint32_t common_cost = m->fresh_cost;
    for (uint32_t i = 0; i < m->lane_count; i++) {
        common_cost = m->lanes[i].cost < common_cost ? m->lanes[i].cost : common_cost;
    }
    for (uint32_t i = 0; i < m->lane_count; i++) {
        m->lanes[i].cost -= common_cost;
    }
    m->fresh_cost -= common_cost;
    m->taken_off += common_cost;
}

static bool ahead_hits(struct serin_delta_matcher *m, const struct lane *lane, uint32_t to)
{
    uint32_t from = to + lane->lane;
    if (from >= m->old.size || lane->missed) {
        return false;
    }
    uint32_t size = 0;
    while (size < MATCH_ENOUGH && from + size < m->old.size && to + size < m->new.size &&
           m->old_masked[from + size] == m->new_masked[to + size]) {
        size++;
    }
    return size == MATCH_ENOUGH || to + size == m->new.size;
}

/* ---- without an old image ---- */

static uint32_t bucket_of(const struct serin_delta_matcher *m, uint32_t at)
{
    return serin_get_le32(m->new_masked + at) * 0x9e3779b1u >> 16;
}

/* The longest match of what is at `to` in the history before it, the nearest among equals: by
 * chains of places with the same hash, which `buckets` begin and `order` links, each one more than
 * it is. */
static uint32_t recent(struct serin_delta_matcher *m, uint32_t to, uint32_t *size)
{
    uint32_t best = 0;
    *size = 0;
    if (m->new.size - to < MATCH_MIN) {
        return 0;
    }
    for (; m->linked < to; m->linked++) {
        uint32_t bucket = bucket_of(m, m->linked);
        m->order[m->linked] = (int32_t)m->buckets[bucket];
        m->buckets[bucket] = m->linked + 1;
    }
    uint32_t next = m->buckets[bucket_of(m, to)];
    for (unsigned i = 0; i < CHAIN_MAX && next > 0 && to - (next - 1) <= m->old.history; i++) {
        uint32_t same = common(m, next - 1, to);
        if (same > *size) {
            *size = same;
            best = next - 1;
        }
        next = (uint32_t)m->order[next - 1];
    }
    return best;
}

static enum serin_error find_ways(struct serin_delta_matcher *m)
{
    uint32_t quiet = 0; /* no search before this byte */
    if (m->old.history > 0) {
        memset(m->buckets, 0, sizeof m->buckets);
        m->linked = 0;
    }
    m->lane_count = 0;
    m->step_count = 0;
    m->fresh_cost = 0;
    m->taken_off = 0;
    m->fresh_lane = 0;
    enum serin_error error = push_step(m, 0, 0, UINT32_MAX, true, &m->fresh_step);
    for (uint32_t to = 0; error == SERIN_OK && to < m->new.size; to++) {
        uint32_t best = best_lane(m);
        if (m->lane_count > 0 && m->lanes[best].cost + COST_STOP < m->fresh_cost) {
            m->fresh_cost = m->lanes[best].cost + COST_STOP;
            m->fresh_lane = m->lanes[best].lane;
            error = push_step(m, to, 0, m->lanes[best].step, true, &m->fresh_step);
        }
        if (error == SERIN_OK && to >= quiet &&
            (m->lane_count == 0 || !ahead_hits(m, &m->lanes[best], to))) {
            uint32_t size;
            uint32_t from =
                m->old.history > 0 ? recent(m, to, &size) : longest(m, to, m->fresh_lane, &size);
            if (size >= MATCH_MIN) {
                error = open_lane(m, from - to, to);
            }
            if (size > MATCH_ENOUGH) {
                quiet = to + size - MATCH_ENOUGH;
            }
        }
        advance(m, to);
        if (m->fresh_cost > COST_REBASE) {
            rebase(m);
        }
    }
    return error;
}

static enum serin_error collect(struct serin_delta_matcher *m, struct serin_delta_runs *runs)
{
    uint32_t step = m->fresh_step;
    uint32_t best = best_lane(m);
    uint32_t cost = m->fresh_cost;
    if (m->lane_count > 0 && m->lanes[best].cost < cost) {
        step = m->lanes[best].step;
        cost = m->lanes[best].cost;
    }
    runs->bits = (m->taken_off + cost) / BIT;
    uint32_t end = m->new.size;
    runs->count = 0;
    while (step != UINT32_MAX) {
        const struct step *at = &m->steps[step];
        if (!at->fresh && end > at->at) {
            if (runs->count == runs->room) {
                runs->room = runs->room * 2 + 1024;
                struct serin_delta_run *more = realloc(runs->runs, runs->room * sizeof *more);
                if (more == NULL) {
                    return SERIN_ERR_MEMORY;
                }
                runs->runs = more;
            }
            runs->runs[runs->count++] = (struct serin_delta_run){
                .to = at->at, .from = at->at + at->lane, .size = end - at->at};
        }
        end = at->at;
        step = at->before;
    }
    for (uint32_t i = 0; i < runs->count / 2; i++) {
        struct serin_delta_run swapped = runs->runs[i];
        runs->runs[i] = runs->runs[runs->count - 1 - i];
        runs->runs[runs->count - 1 - i] = swapped;
    }
    return SERIN_OK;
}

/* The binary logarithm of `value`, in sixteenths. */
static uint32_t log_of(uint32_t value)
{
    uint32_t whole = 31u - (uint32_t)__builtin_clz(value);
    return whole * 16 + ((value << 4 >> whole) & 15u);
}

/* What new bytes cost: by how often each was among those of the runs before, and evenly where few
 * are known. */
static void price(struct serin_delta_matcher *m, const struct serin_delta_runs *runs)
{
    uint32_t counts[256];
    uint32_t all = 0;
    uint32_t to = 0;
    for (uint32_t i = 0; i < 256; i++) {
        counts[i] = FRESH_PRIOR;
        all += FRESH_PRIOR;
    }
    for (uint32_t i = 0; i <= runs->count; i++) {
        uint32_t end = i < runs->count ? runs->runs[i].to : m->new.size;
        for (; runs->count > 0 && to < end; to++) {
            counts[m->new.bytes[to]] += 8;
            all += 8;
        }
        to = i < runs->count ? end + runs->runs[i].size : to;
    }
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t cost = (log_of(all) - log_of(counts[i])) * FRESH_SCALE / 64;
        m->fresh_costs[i] = cost < 3 * BIT ? 3 * BIT : cost > 9 * BIT ? 9 * BIT : cost;
    }
}

enum serin_error serin_delta_match(struct serin_delta_matcher *matcher,
                                   const struct serin_delta_fitted *maps,
                                   struct serin_delta_runs *runs)
{
    matcher->maps = maps;
    matcher->absolute = serin_delta_walk_by(matcher->arch, maps, 0, 0).absolute;
    price(matcher, runs);
    enum serin_error error = find_ways(matcher);
    return error == SERIN_OK ? collect(matcher, runs) : error;
}
