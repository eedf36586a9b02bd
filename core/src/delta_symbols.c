/*
 * The symbols of a delta (docs/spec/delta.md, section 4).
 */
#include <serin/delta_symbols.h>

#include <string.h>

/* The model's single flags, by what they tell; each row has room for what it depends on. */
enum {
    FLAG_STOP = 0,    /* kind 16 */
    FLAG_KEPT = 16,   /* tree of 4, size 4 */
    FLAG_SAME = 32,   /* kind 16 */
    FLAG_MOVE = 48,   /* kind 16 */
    FLAG_KNOWN = 64,  /* which 3, index 4: a remembered move */
    FLAG_DIFFER = 80, /* place 4, before 8, reference 2 */
    FLAG_LANE = 144,  /* jump kinds */
    FLAG_ZEROS = 184, /* tree of 16 */
};

void serin_delta_symbols_init(struct serin_delta_symbols *symbols, uint16_t *table, uint32_t slots,
                              bool even)
{
    memset(symbols, 0, sizeof *symbols);
    serin_delta_model_init(&symbols->model, table, slots, even);
}

static uint32_t log_of(uint32_t value)
{
    return value == 0 ? 0 : 32u - (uint32_t)__builtin_clz(value);
}

static unsigned flag(struct serin_delta_symbols *symbols, unsigned at, unsigned bit)
{
    return serin_delta_plain(&symbols->model, &symbols->model.flags[at], bit);
}

/* What an item does, by its old bytes: the part of an instruction that tells its operation. */
static uint32_t operation(const struct serin_delta_symbols *symbols,
                          const struct serin_delta_item *item)
{
    switch (symbols->walk.arch) {
    case SERIN_DELTA_ARCH_THUMB:
        return (uint32_t)(item->old[1] >> 1 | (item->size > 2 ? item->old[3] >> 1 : 0) << 8);
    case SERIN_DELTA_ARCH_XTENSA:
        return (uint32_t)((item->old[0] & 15u) | (item->size > 2 ? item->old[1] & 0xf0u : 0));
    case SERIN_DELTA_ARCH_RISCV:
        return (uint32_t)((item->old[0] & 127u) | (item->old[1] & 0xf0u) << 8);
    case SERIN_DELTA_ARCH_NONE:
    case SERIN_DELTA_ARCH_COUNT:
    default:
        return item->old[3];
    }
}

uint32_t serin_delta_code_count(struct serin_delta_symbols *symbols, uint32_t count)
{
    return serin_delta_number(&symbols->model, SERIN_DELTA_NUMBER_MAP_ADD, count);
}

struct serin_delta_break serin_delta_code_break(struct serin_delta_symbols *symbols,
                                                const struct serin_delta_break *before,
                                                struct serin_delta_break at)
{
    unsigned zeros = at.start == 0 ? 15 : (unsigned)__builtin_ctz(at.start);
    zeros = zeros > 15 ? 15 : zeros;
    unsigned node = 1;
    for (unsigned bit = 4; bit > 0; bit--) {
        node = node << 1 | flag(symbols, FLAG_ZEROS + node, zeros >> (bit - 1) & 1u);
    }
    zeros = node & 15u;
    uint32_t gap = (at.start >> zeros) - (before->start >> zeros);
    gap = serin_delta_number(&symbols->model, SERIN_DELTA_NUMBER_MAP_GAP, gap);
    uint32_t add =
        serin_delta_signed(&symbols->model, SERIN_DELTA_NUMBER_MAP_ADD, at.add - before->add);
    return (struct serin_delta_break){.start = ((before->start >> zeros) + gap) << zeros,
                                      .add = before->add + add};
}

/* The kind, and apart from each what is not expected to move. */
static unsigned kind_of(const struct serin_delta_item *item)
{
    bool still = item->kind != SERIN_DELTA_PLAIN && !item->moved;
    return (unsigned)item->kind + (still ? SERIN_DELTA_KIND_COUNT : 0u);
}

static unsigned code_miss(struct serin_delta_symbols *s, const struct serin_delta_item *item,
                          unsigned miss)
{
    uint32_t kind = kind_of(item);
    uint32_t head = kind | item->size << 4;
    uint32_t age = log_of(s->hits);
    uint32_t young = log_of(s->copied);
    uint32_t contexts[] = {
        serin_delta_hash(head, 0x10000000u | (s->history & 0x3fu)),
        serin_delta_hash(head, 0x20000000u | age << 8 | (young > 4 ? 4 : young)),
        serin_delta_hash(head, 0x30000000u | operation(s, item) << 1 | (s->history & 1u)),
        serin_delta_hash(head, 0x40000000u ^ (item->add != 0 ? item->add : age)),
        serin_delta_hash(head, 0x50000000u | young << 8 | (s->history & 7u)),
    };
    for (unsigned i = 0; i < 5; i++) {
        contexts[i] = serin_delta_hash(contexts[i], 0x1234567u + i);
    }
    return serin_delta_mixed(&s->model, contexts, 5, SERIN_DELTA_SET_ITEM + kind, miss);
}

static uint32_t code_move(struct serin_delta_symbols *s, const struct serin_delta_item *item,
                          uint32_t move)
{
    unsigned which = item->kind == SERIN_DELTA_WORD ? 1 : item->kind == SERIN_DELTA_NEAR ? 2 : 0;
    uint32_t *moves = s->moves[which];
    unsigned i = 0;
    while (i < SERIN_DELTA_MOVES && flag(s, FLAG_KNOWN + which * 4 + i, moves[i] == move) == 0) {
        i++;
    }
    if (i < SERIN_DELTA_MOVES) {
        move = moves[i];
    } else {
        uint32_t near = s->hits == 0 ? moves[0] : item->add;
        move = near + serin_delta_signed(&s->model, SERIN_DELTA_NUMBER_MOVE, move - near);
        i = SERIN_DELTA_MOVES - 1;
    }
    memmove(moves + 1, moves, i * sizeof *moves);
    moves[0] = move;
    return move;
}

static unsigned byte_code(struct serin_delta_symbols *s, const struct serin_delta_item *item,
                          unsigned at, uint8_t before, unsigned difference)
{
    uint32_t expected = item->predicted[at];
    uint32_t upper = at + 1 < item->size ? item->predicted[at + 1] : 0;
    uint32_t place = at | (item->size & 3u) << 2;
    uint32_t contexts[] = {
        serin_delta_hash(0x01000000u | place, 0),
        serin_delta_hash(0x02000000u | expected, place),
        serin_delta_hash(0x03000000u | expected, upper << 8 | before),
        serin_delta_hash(0x04000000u | (s->burst & 0xffffu), place),
        serin_delta_hash(0x05000000u | upper >> 1, s->burst & 0xffu),
    };
    return serin_delta_byte(&s->model, contexts, 5, SERIN_DELTA_SET_DIFF, difference);
}

static void code_patch(struct serin_delta_symbols *s, const struct serin_delta_item *item,
                       struct serin_delta_outcome *outcome)
{
    unsigned differ = 0;
    unsigned is_reference = item->kind != SERIN_DELTA_PLAIN;
    for (unsigned i = 0; i < item->size; i++) {
        unsigned difference = (unsigned)(outcome->bytes[i] - item->predicted[i]) & 0xffu;
        unsigned bit = 1;
        if (i + 1 < item->size || differ != 0) {
            bit = flag(s, FLAG_DIFFER + i * 16 + (differ & 7u) * 2 + is_reference, difference != 0);
        }
        if (bit != 0) {
            uint8_t before = i > 0 ? outcome->bytes[i - 1] : (uint8_t)s->recent;
            difference = byte_code(s, item, i, before, difference);
            s->burst = s->burst << 8 | difference;
        } else {
            difference = 0;
        }
        outcome->bytes[i] = (uint8_t)(item->predicted[i] + difference);
        differ = differ << 1 | bit;
    }
}

static void code_kept(struct serin_delta_symbols *s, const struct serin_delta_item *item,
                      struct serin_delta_outcome *outcome)
{
    unsigned at = FLAG_KEPT + (item->size & 3u) * 4;
    unsigned kept = outcome->kept;
    if (item->size == 1) {
        kept = 0;
    } else if (item->size == 2) {
        kept = flag(s, at + 1, kept);
    } else {
        unsigned high = flag(s, at + 1, kept >> 1);
        kept = high << 1 | (item->size == 3 && high != 0 ? 0 : flag(s, at + 2 + high, kept & 1u));
    }
    outcome->kept = kept;
}

static enum serin_delta_result code_result(struct serin_delta_symbols *s,
                                           const struct serin_delta_item *item,
                                           enum serin_delta_result result)
{
    unsigned kind = kind_of(item);
    if (code_miss(s, item, result != SERIN_DELTA_HIT) == 0) {
        return SERIN_DELTA_HIT;
    }
    if (item->moved && flag(s, FLAG_SAME + kind, result == SERIN_DELTA_SAME) != 0) {
        return SERIN_DELTA_SAME;
    }
    if (item->kind != SERIN_DELTA_PLAIN &&
        flag(s, FLAG_MOVE + kind, result == SERIN_DELTA_MOVE) != 0) {
        return SERIN_DELTA_MOVE;
    }
    return flag(s, FLAG_STOP + kind, result == SERIN_DELTA_STOP) != 0 ? SERIN_DELTA_STOP
                                                                      : SERIN_DELTA_PATCH;
}

void serin_delta_code_item(struct serin_delta_symbols *symbols, const struct serin_delta_item *item,
                           struct serin_delta_outcome *outcome)
{
    outcome->result = code_result(symbols, item, outcome->result);
    switch (outcome->result) {
    case SERIN_DELTA_HIT:
        memcpy(outcome->bytes, item->predicted, sizeof outcome->bytes);
        break;
    case SERIN_DELTA_SAME:
        memcpy(outcome->bytes, item->old, sizeof outcome->bytes);
        break;
    case SERIN_DELTA_MOVE:
        outcome->move = code_move(symbols, item, outcome->move);
        if (!serin_delta_walk_put(&symbols->walk, item, item->value + outcome->move, symbols->to,
                                  outcome->bytes)) {
            memcpy(outcome->bytes, item->old, sizeof outcome->bytes);
        }
        break;
    case SERIN_DELTA_PATCH:
        code_patch(symbols, item, outcome);
        break;
    case SERIN_DELTA_STOP:
    default:
        code_kept(symbols, item, outcome);
        break;
    }
    bool hit = outcome->result == SERIN_DELTA_HIT;
    symbols->history = symbols->history << 1 | (hit ? 0 : 1);
    symbols->hits = hit ? symbols->hits + 1 : 0;
    symbols->copied++;
}

bool serin_delta_code_open(struct serin_delta_symbols *s, bool jump)
{
    uint32_t fresh = s->fresh < 20 ? s->fresh : 16 + log_of(s->fresh);
    uint32_t contexts[] = {
        serin_delta_hash(0x06000000u | fresh, 1),
        serin_delta_hash(0x07000000u | (s->to & 3u), fresh < 4 ? fresh : 4),
        serin_delta_hash(0x08000000u | (s->recent & 0xffffu), s->to & 1u),
    };
    return serin_delta_mixed(&s->model, contexts, 3, SERIN_DELTA_SET_OPEN, jump) != 0;
}

uint8_t serin_delta_code_fresh(struct serin_delta_symbols *s, uint8_t expected, uint8_t byte)
{
    uint32_t lane = s->to & 3u;
    uint32_t half = s->to & 1u;
    uint32_t recent = s->recent;
    uint32_t contexts[] = {
        serin_delta_hash(0x11000000u, half),
        serin_delta_hash(0x12000000u | (recent & 0xffu), half),
        serin_delta_hash(0x13000000u | (recent & 0xffffu), half),
        serin_delta_hash(0x14000000u | (recent & 0xffffffu), 0),
        serin_delta_hash(0x15000000u | (recent & 0xff00u), half),
        serin_delta_hash(0x16000000u | (recent & 0xff000000u) >> 24, lane),
        serin_delta_hash(0x17000000u | expected, recent & 0xffu),
    };
    return (uint8_t)serin_delta_byte(&s->model, contexts, 7, SERIN_DELTA_SET_BYTE, byte);
}

/* Jumps: 0 on the lane of before, 1 where the copy ended, 2, 3 on the lanes before that, 4 near, 5
 * far. */
static uint32_t lane_start(const struct serin_delta_symbols *s, unsigned lane)
{
    return s->lanes[lane] + s->to;
}

uint32_t serin_delta_code_jump(struct serin_delta_symbols *s, uint32_t from)
{
    uint32_t places[] = {lane_start(s, 0), s->from, lane_start(s, 1), lane_start(s, 2)};
    unsigned i = s->fresh == 0 ? 2 : 0;
    unsigned row = FLAG_LANE + (s->fresh == 0 ? 0 : s->fresh < 4 ? 8 : 16);
    while (i < 4 && flag(s, row + i, places[i] == from) == 0) {
        i++;
    }
    if (i < 4) {
        from = places[i];
    } else {
        uint32_t away = from - places[0];
        uint32_t far = away + 2048 >= 4096;
        far = flag(s, row + 4, far);
        if (far != 0) {
            uint32_t at = s->alone ? s->to - from : from;
            uint32_t high = serin_delta_number(&s->model, SERIN_DELTA_NUMBER_SEEK_FAR, at >> 1);
            at = high << 1 | flag(s, row + 5, at & 1u);
            from = s->alone ? s->to - at : at;
        } else {
            from = places[0] + serin_delta_signed(&s->model, SERIN_DELTA_NUMBER_SEEK_NEAR, away);
        }
    }
    uint32_t lane = from - s->to;
    if (lane != s->lanes[0]) {
        unsigned keep = lane == s->lanes[1] ? 1 : 2;
        memmove(s->lanes + 1, s->lanes, keep * sizeof *s->lanes);
        s->lanes[0] = lane;
    }
    s->from = from;
    s->fresh = 0;
    s->copied = 0;
    serin_delta_walk_start(&s->walk, from, s->to);
    return from;
}
