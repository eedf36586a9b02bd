/*
 * The model of a delta (docs/spec/delta.md, sections 4 and 5): how likely each binary decision is,
 * and the arithmetic code of it. Decoder and encoder run the same functions over the same state, so
 * that both expect the same: each takes the value to be encoded, and returns the value that was
 * coded. A decoder's bits come from the patch and the values that it gives are ignored; an encoder
 * hands in a sink, and gets back what it gave.
 *
 * A slot is a probability of a set bit (12 bits) over the number of times it was learnt from (4
 * bits). Some slots, each chosen by another context, vote on a bit; a set of weights, learnt too,
 * makes one opinion of their votes.
 */
#ifndef SERIN_DELTA_MODEL_H
#define SERIN_DELTA_MODEL_H

#include <serin/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIN_DELTA_INPUT_SIZE 128u /* patch bytes that wait; more than any step takes */
#define SERIN_DELTA_VOTES_MAX  7u
#define SERIN_DELTA_PROB_ONE   65536u

/* Where an encoder's bits go: `bit` is coded with probability `one` / 65536 of being set. */
struct serin_delta_sink {
    void (*bit)(void *ctx, uint32_t one, unsigned bit);
    void *ctx;
};

/* The arithmetic code. Input lies at input[taken .. filled); behind the end of the patch come
 * zeros. */
struct serin_delta_code {
    uint32_t range, code;
    uint32_t taken, filled;
    uint8_t input[SERIN_DELTA_INPUT_SIZE];
};

/* Sets of weights, by what is decided. */
enum serin_delta_set {
    SERIN_DELTA_SET_ITEM, /* is an item as predicted? by its kind, twice */
    SERIN_DELTA_SET_BYTE = SERIN_DELTA_SET_ITEM + 12, /* a new byte, by the bit's place, 8 */
    SERIN_DELTA_SET_DIFF = SERIN_DELTA_SET_BYTE + 8,  /* a difference, by the bit's place, 8 */
    SERIN_DELTA_SET_OPEN = SERIN_DELTA_SET_DIFF + 8,  /* a new byte or a jump, 1 */
    SERIN_DELTA_SET_COUNT = SERIN_DELTA_SET_OPEN + 1
};

/* Adaptive numbers, by what they count: each has slots of its own. */
enum serin_delta_number {
    SERIN_DELTA_NUMBER_MAP_GAP,
    SERIN_DELTA_NUMBER_MAP_ADD,
    SERIN_DELTA_NUMBER_SEEK_NEAR,
    SERIN_DELTA_NUMBER_SEEK_FAR,
    SERIN_DELTA_NUMBER_MOVE,
    SERIN_DELTA_NUMBER_COUNT
};
#define SERIN_DELTA_NUMBER_SLOTS 64u
#define SERIN_DELTA_FLAG_SLOTS   200u

struct serin_delta_model {
    const struct serin_delta_sink *sink; /* NULL: decode */
    struct serin_delta_code code;
    int32_t weights[SERIN_DELTA_SET_COUNT][SERIN_DELTA_VOTES_MAX];
    uint16_t flags[SERIN_DELTA_FLAG_SLOTS];
    uint16_t numbers[SERIN_DELTA_NUMBER_COUNT][SERIN_DELTA_NUMBER_SLOTS];
    bool even; /* every opinion is even: the bits stand in the patch as they are */
    uint32_t table_slots;
    uint16_t *table;
};

void serin_delta_model_init(struct serin_delta_model *model, uint16_t *table, uint32_t slots,
                            bool even);

/* Decoding begins: takes the first bytes of the input. */
void serin_delta_model_start(struct serin_delta_model *model);

/* One bit by the opinion of one slot. */
unsigned serin_delta_plain(struct serin_delta_model *model, uint16_t *slot, unsigned bit);

/* One bit by the votes of `count` contexts: hashes into the table. */
unsigned serin_delta_mixed(struct serin_delta_model *model, const uint32_t *contexts,
                           unsigned count, unsigned set, unsigned bit);

/* A byte, most significant bit first, by contexts that each bit refines. */
unsigned serin_delta_byte(struct serin_delta_model *model, const uint32_t *contexts, unsigned count,
                          unsigned set, unsigned byte);

/* An unsigned number below 2^32 - 1, Exp-Golomb with adaptive bits. */
uint32_t serin_delta_number(struct serin_delta_model *model, enum serin_delta_number which,
                            uint32_t value);

/* A signed number, as unsigned ones in the order 0, -1, 1, -2 … */
uint32_t serin_delta_signed(struct serin_delta_model *model, enum serin_delta_number which,
                            uint32_t value);

static inline uint32_t serin_delta_hash(uint32_t a, uint32_t b)
{
    uint32_t hash = a * 0x9e3779b1u ^ b * 0x85ebca6bu;
    return (hash ^ hash >> 15) * 0x2c1b3c6du;
}

#endif
