/*
 * The model of a delta (docs/spec/delta.md, sections 4 and 5). Integer arithmetic only: the same
 * opinions on every machine. The arithmetic code is a range coder of 32 bits which takes its bytes
 * one at a time (G. N. N. Martin, "Range encoding", 1979); votes are joined in the logistic domain
 * (M. Mahoney, "Adaptive weighing of context models for lossless data compression", 2005).
 */
#include <serin/delta_model.h>

#include <string.h>

#define SLOT_NEW    0x8000u /* even odds, nothing learnt */
#define COUNT_MASK  0x000fu
#define RANGE_LOW   (1u << 24)
#define STRETCH_MAX 2815
#define WEIGHT_ONE  65536
#define WEIGHT_MAX  (1 << 22) /* so that no sum of votes leaves 32 bits behind its shift */
#define RATE        14        /* how fast weights learn: less is faster */

/* 65536 / (1 + e^-x), x from -11 to 11 in steps of 1/4. */
static const uint16_t squashed[89] = {
    1,     1,     2,     2,     3,     4,     5,     6,     8,     10,    13,    17,    22,
    28,    36,    47,    60,    77,    98,    126,   162,   208,   267,   342,   439,   562,
    720,   922,   1179,  1506,  1921,  2446,  3108,  3938,  4971,  6249,  7812,  9702,  11955,
    14595, 17625, 21025, 24743, 28693, 32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834,
    57724, 59287, 60565, 61598, 62428, 63090, 63615, 64030, 64357, 64614, 64816, 64974, 65097,
    65194, 65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489, 65500, 65508, 65514, 65519,
    65523, 65526, 65528, 65530, 65531, 65532, 65533, 65534, 65534, 65535, 65535,
};

/* 256 ln(q / (4096 - q)) of q = (1 + m/8) 2^e, at 8e + m. */
static const int16_t stretched[96] = {
    -2129, -2099, -2072, -2048, -2025, -2005, -1986, -1968, -1952, -1922, -1895, -1870,
    -1848, -1827, -1808, -1791, -1774, -1744, -1717, -1693, -1670, -1650, -1631, -1613,
    -1597, -1566, -1539, -1515, -1492, -1472, -1453, -1435, -1411, -1381, -1355, -1331,
    -1309, -1289, -1270, -1252, -1228, -1199, -1173, -1149, -1127, -1107, -1088, -1071,
    -1047, -1018, -991,  -967,  -945,  -925,  -906,  -889,  -864,  -834,  -808,  -783,
    -761,  -740,  -721,  -702,  -677,  -647,  -619,  -593,  -570,  -548,  -527,  -508,
    -481,  -447,  -417,  -389,  -363,  -338,  -315,  -292,  -260,  -221,  -184,  -148,
    -114,  -81,   -48,   -16,   0,     0,     0,     0,     0,     0,     0,     0,
};

/* What an n-th look teaches, of 65536: an average at first, later one that forgets. */
static const uint16_t lesson[16] = {
    40960, 25206, 18204, 14247, 11703, 9930, 8623, 7620,
    6827,  6183,  5650,  5201,  4819,  4489, 4400, 4400,
};

/* How far a vote counts, of 16, that rests on n looks. */
static const uint8_t trust[16] = {0, 8, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16};

static int32_t stretch(uint32_t prob)
{
    bool high = prob > 2048;
    uint32_t q = high ? 4096 - prob : prob;
    if (q == 0) {
        q = 1;
    }
    uint32_t e = 31u - (uint32_t)__builtin_clz(q);
    int32_t value = stretched[8 * e + ((q << 3 >> e) & 7u)];
    return high ? -value : value;
}

static int32_t limited(int32_t value, int32_t most)
{
    return value > most ? most : value < -most ? -most : value;
}

static uint32_t squash(int32_t x)
{
    uint32_t at = (uint32_t)(limited(x, STRETCH_MAX) + STRETCH_MAX + 1);
    uint32_t low = squashed[at >> 6];
    return low + ((squashed[(at >> 6) + 1] - low) * (at & 63u) >> 6);
}

static void learn(uint16_t *slot, unsigned bit)
{
    uint32_t count = *slot & COUNT_MASK;
    int32_t prob = *slot >> 4;
    int32_t goal = bit != 0 ? 4095 : 0;
    prob += ((goal - prob) * lesson[count] + 0x8000) >> 16;
    *slot = (uint16_t)((uint32_t)prob << 4 | (count < 15 ? count + 1 : count));
}

static uint32_t next_byte(struct serin_delta_code *code)
{
    return code->taken < code->filled ? code->input[code->taken++] : 0;
}

/* A bit that is set with probability one / 65536, 0 < one < 65536. */
static unsigned coded(struct serin_delta_model *model, uint32_t one, unsigned bit)
{
    one = model->even ? SERIN_DELTA_PROB_ONE / 2 : one;
    if (model->sink != NULL) {
        model->sink->bit(model->sink->ctx, one, bit);
        return bit;
    }
    struct serin_delta_code *code = &model->code;
    uint32_t bound = (code->range >> 16) * one;
    bit = code->code < bound;
    if (bit != 0) {
        code->range = bound;
    } else {
        code->code -= bound;
        code->range -= bound;
    }
    while (code->range < RANGE_LOW) {
        code->range <<= 8;
        code->code = code->code << 8 | next_byte(code);
    }
    return bit;
}

void serin_delta_model_init(struct serin_delta_model *model, uint16_t *table, uint32_t slots,
                            bool even)
{
    memset(model, 0, sizeof *model);
    for (unsigned i = 0; i < SERIN_DELTA_SET_COUNT; i++) {
        for (unsigned k = 0; k < SERIN_DELTA_VOTES_MAX; k++) {
            model->weights[i][k] = WEIGHT_ONE / 4;
        }
    }
    for (unsigned i = 0; i < SERIN_DELTA_FLAG_SLOTS; i++) {
        model->flags[i] = SLOT_NEW;
    }
    for (unsigned i = 0; i < SERIN_DELTA_NUMBER_COUNT * SERIN_DELTA_NUMBER_SLOTS; i++) {
        model->numbers[i / SERIN_DELTA_NUMBER_SLOTS][i % SERIN_DELTA_NUMBER_SLOTS] = SLOT_NEW;
    }
    for (uint32_t i = 0; i < slots; i++) {
        table[i] = SLOT_NEW;
    }
    model->even = even;
    model->table = table;
    model->table_slots = slots;
}

void serin_delta_model_start(struct serin_delta_model *model)
{
    model->code.range = UINT32_MAX;
    for (unsigned i = 0; i < 4; i++) {
        model->code.code = model->code.code << 8 | next_byte(&model->code);
    }
}

unsigned serin_delta_plain(struct serin_delta_model *model, uint16_t *slot, unsigned bit)
{
    uint32_t one = ((uint32_t)*slot >> 4 << 4) + 8;
    bit = coded(model, one, bit);
    learn(slot, bit);
    return bit;
}

unsigned serin_delta_mixed(struct serin_delta_model *model, const uint32_t *contexts,
                           unsigned count, unsigned set, unsigned bit)
{
    uint16_t *slots[SERIN_DELTA_VOTES_MAX];
    int32_t votes[SERIN_DELTA_VOTES_MAX];
    int32_t *weights = model->weights[set];
    int64_t sum = 0;
    for (unsigned i = 0; i < count; i++) {
        slots[i] = &model->table[(contexts[i] >> 16) * model->table_slots >> 16];
        votes[i] = stretch(*slots[i] >> 4) * trust[*slots[i] & COUNT_MASK] / 16;
        sum += (int64_t)votes[i] * weights[i];
    }
    sum >>= 16;
    uint32_t one = squash((int32_t)sum);
    bit = coded(model, one, bit);
    int32_t error = (bit != 0 ? 65535 : 0) - (int32_t)one;
    for (unsigned i = 0; i < count; i++) {
        weights[i] =
            limited(weights[i] + ((votes[i] * error + (1 << (RATE - 1))) >> RATE), WEIGHT_MAX);
        learn(slots[i], bit);
    }
    return bit;
}

unsigned serin_delta_byte(struct serin_delta_model *model, const uint32_t *contexts, unsigned count,
                          unsigned set, unsigned byte)
{
    unsigned node = 1;
    for (unsigned i = 0; i < 8; i++) {
        uint32_t refined[SERIN_DELTA_VOTES_MAX];
        for (unsigned k = 0; k < count; k++) {
            refined[k] = serin_delta_hash(contexts[k] + k, node);
        }
        unsigned bit = serin_delta_mixed(model, refined, count, set + i, byte >> (7 - i) & 1u);
        node = node << 1 | bit;
    }
    return node & 0xffu;
}

static unsigned even(struct serin_delta_model *model, unsigned bit)
{
    return coded(model, SERIN_DELTA_PROB_ONE / 2, bit);
}

uint32_t serin_delta_number(struct serin_delta_model *model, enum serin_delta_number which,
                            uint32_t value)
{
    uint16_t *slots = model->numbers[which];
    unsigned size = 31u - (unsigned)__builtin_clz(value + 1 == 0 ? 1 : value + 1);
    unsigned bits = 0;
    while (bits < 31 && serin_delta_plain(model, &slots[bits], bits < size) != 0) {
        bits++;
    }
    uint32_t number = 1;
    for (unsigned i = bits; i > 0; i--) {
        unsigned bit = (value + 1) >> (i - 1) & 1u;
        bit = i == bits ? serin_delta_plain(model, &slots[32 + bits], bit) : even(model, bit);
        number = number << 1 | bit;
    }
    return number - 1;
}

uint32_t serin_delta_signed(struct serin_delta_model *model, enum serin_delta_number which,
                            uint32_t value)
{
    uint32_t folded = value << 1 ^ (value >> 31 != 0 ? UINT32_MAX : 0);
    folded = serin_delta_number(model, which, folded);
    return folded >> 1 ^ ((folded & 1u) != 0 ? UINT32_MAX : 0);
}
