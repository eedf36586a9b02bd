/* The states of an attempt: words, and the table of what a device may report after what
 * (docs/spec/states.md). */
#include <serin/states.h>

#include <stddef.h>
#include <stdint.h>

static const char *const state_texts[SERIN_STATE_COUNT] = {[SERIN_STATE_INVALID] = "invalid",
#define SERIN_STATE_TEXT(number, name, text) [SERIN_STATE_##name] = (text),
                                                           SERIN_STATE_LIST(SERIN_STATE_TEXT)
#undef SERIN_STATE_TEXT
};

struct reason_row {
    const char *word;
    const char *text;
};

static const struct reason_row reasons[SERIN_REASON_COUNT] = {
    [SERIN_REASON_INVALID] = {.word = "invalid", .text = "not a reason"},
#define SERIN_REASON_ROW(number, name, wire, sentence) \
    [SERIN_REASON_##name] = {.word = (wire), .text = (sentence)},
    SERIN_REASON_LIST(SERIN_REASON_ROW)
#undef SERIN_REASON_ROW
};

#define STATE(name) (UINT32_C(1) << SERIN_STATE_##name)

/* Ways to end before the new image has run. */
#define GIVING_UP (STATE(FAILED) | STATE(REJECTED) | STATE(SUPERSEDED) | STATE(CANCELLED))

/* Row: the state before; bits: what a device may report next. A state without a row ends the
 * attempt. */
static const uint32_t next[SERIN_STATE_COUNT] = {
    [SERIN_STATE_IDLE] = STATE(PENDING),
    [SERIN_STATE_PENDING] = STATE(DOWNLOADING) | GIVING_UP,
    [SERIN_STATE_DOWNLOADING] = STATE(VERIFYING) | GIVING_UP,
    [SERIN_STATE_VERIFYING] = STATE(STAGED) | GIVING_UP,
    [SERIN_STATE_STAGED] = STATE(TRIAL) | GIVING_UP,
    [SERIN_STATE_TRIAL] = STATE(CONFIRMED) | STATE(ROLLED_BACK),
    [SERIN_STATE_CONFIRMED] = STATE(REGRESSED),
};

static const uint32_t final_states = STATE(CONFIRMED) | STATE(ROLLED_BACK) | GIVING_UP;

static bool in_set(enum serin_state state, uint32_t set)
{
    return (size_t)state < SERIN_STATE_COUNT && (set >> (unsigned)state & 1u) != 0;
}

const char *serin_state_text(enum serin_state state)
{
    return state_texts[(size_t)state < SERIN_STATE_COUNT ? (size_t)state : SERIN_STATE_INVALID];
}

static const struct reason_row *reason_row(enum serin_reason reason)
{
    return &reasons[(size_t)reason < SERIN_REASON_COUNT ? (size_t)reason : SERIN_REASON_INVALID];
}

const char *serin_reason_word(enum serin_reason reason)
{
    return reason_row(reason)->word;
}

const char *serin_reason_text(enum serin_reason reason)
{
    return reason_row(reason)->text;
}

bool serin_state_final(enum serin_state state)
{
    return in_set(state, final_states);
}

bool serin_state_allows(enum serin_state from, enum serin_state to)
{
    return (size_t)from < SERIN_STATE_COUNT && in_set(to, next[from]);
}
