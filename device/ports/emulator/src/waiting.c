/* Faults that wait for their operation, and those that fired. */
#include "emulator_internal.h"

#include <serin/assert.h>

static bool is_program_kind(enum serin_flash_fault_kind kind)
{
    return kind >= SERIN_FLASH_FAULT_PROGRAM_PREFIX && kind <= SERIN_FLASH_FAULT_PROGRAM_SCATTER;
}

static bool is_erase_kind(enum serin_flash_fault_kind kind)
{
    return kind >= SERIN_FLASH_FAULT_ERASE_PART && kind <= SERIN_FLASH_FAULT_ERASE_MIX;
}

static bool fits(const struct serin_flash_emulator *emulator, const struct serin_flash_fault *fault,
                 const struct serin_flash_operation *operation)
{
    if (fault->operation != operation->number || fault->kind == SERIN_FLASH_FAULT_ROT) {
        return false;
    }
    bool end_too = fault->kind == SERIN_FLASH_FAULT_PROGRAM_PREFIX;
    if (fault->at > operation->size || (fault->at == operation->size && !end_too)) {
        return false;
    }
    if (fault->kind == SERIN_FLASH_FAULT_ERASE_PART &&
        !emulator_at_sector(emulator, operation->address + fault->at)) {
        return false;
    }
    return operation->kind == SERIN_FLASH_PROGRAM ? !is_erase_kind(fault->kind)
                                                  : !is_program_kind(fault->kind);
}

/* Forgets the faults that waited for an operation that has begun; rot waits for its end. */
static void forget(struct emulator_state *state, uint64_t number)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < state->armed_count; i++) {
        const struct serin_flash_fault *fault = &state->armed[i];
        if (fault->kind == SERIN_FLASH_FAULT_ROT || fault->operation > number) {
            state->armed[kept++] = *fault;
        }
    }
    state->armed_count = kept;
}

static void fired(struct serin_flash_emulator *emulator, const struct serin_flash_fault *fault)
{
    emulator->state.figures.fired++;
    emulator->state.jitter = emulator_seed(~fault->seed, fault->operation);
    emulator->state.off = emulator->state.off || serin_flash_fault_is_cut(fault);
}

struct serin_flash_fault emulator_begin(struct serin_flash_emulator *emulator,
                                        enum serin_flash_operation_kind kind, uint32_t address,
                                        size_t size)
{
    struct emulator_state *state = &emulator->state;
    struct serin_flash_operation operation = {.kind = kind,
                                              .address = address,
                                              .size = (uint32_t)size,
                                              .number = state->figures.operations};
    struct serin_flash_fault fault = {.kind = SERIN_FLASH_FAULT_NONE};
    emulator->history[operation.number % EMULATOR_HISTORY] = operation;
    state->figures.operations++;
    if (state->cut.kind != SERIN_FLASH_FAULT_NONE && state->cut.operation == operation.number) {
        fault = state->cut;
        state->cut.kind = SERIN_FLASH_FAULT_NONE;
    }
    for (uint32_t i = 0; i < state->armed_count && fault.kind == SERIN_FLASH_FAULT_NONE; i++) {
        if (fits(emulator, &state->armed[i], &operation)) {
            fault = state->armed[i];
        }
    }
    forget(state, operation.number);
    if (fault.kind != SERIN_FLASH_FAULT_NONE) {
        fired(emulator, &fault);
    }
    if (fault.kind == SERIN_FLASH_FAULT_INSIDE && emulator->config.ecc) {
        fault.torn = SERIN_FLASH_TORN_FAULTING; /* even a unit that is whole by chance */
    }
    return fault;
}

void emulator_end(struct serin_flash_emulator *emulator)
{
    struct emulator_state *state = &emulator->state;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < state->armed_count; i++) {
        struct serin_flash_fault fault = state->armed[i];
        if (fault.kind != SERIN_FLASH_FAULT_ROT || fault.operation > state->figures.operations) {
            state->armed[kept++] = fault;
        } else if (emulator_rot_cell(emulator, &fault)) {
            fired(emulator, &fault);
        }
    }
    state->armed_count = kept;
}

/* ---- the calls ---- */

enum serin_error serin_flash_emulator_arm(struct serin_flash_emulator *emulator,
                                          const struct serin_flash_fault *fault)
{
    struct emulator_state *state = &emulator->state;
    bool rot = fault->kind == SERIN_FLASH_FAULT_ROT;
    if (fault->kind == SERIN_FLASH_FAULT_NONE || !emulator_fault_valid(fault) ||
        (rot && !emulator_inside(emulator, fault->at, 1)) ||
        (!rot && fault->operation < state->figures.operations)) {
        return SERIN_ERR_INVALID;
    }
    if (state->armed_count == SERIN_FLASH_EMULATOR_FAULTS) {
        return SERIN_ERR_NO_SPACE;
    }
    state->armed[state->armed_count++] = *fault;
    emulator_end(emulator);
    return SERIN_OK;
}

void serin_flash_emulator_disarm(struct serin_flash_emulator *emulator)
{
    emulator->state.armed_count = 0;
    emulator->state.cut.kind = SERIN_FLASH_FAULT_NONE;
}

void serin_flash_emulator_cut(struct serin_flash_emulator *emulator, uint64_t nth,
                              enum serin_cut cut)
{
    static const enum serin_flash_fault_kind kinds[] = {
        [SERIN_CUT_NONE] = SERIN_FLASH_FAULT_NONE,
        [SERIN_CUT_BEFORE] = SERIN_FLASH_FAULT_BEFORE,
        [SERIN_CUT_INSIDE] = SERIN_FLASH_FAULT_INSIDE,
        [SERIN_CUT_AFTER] = SERIN_FLASH_FAULT_AFTER};
    SERIN_ASSERT(nth >= 1 && (unsigned)cut <= SERIN_CUT_AFTER);
    emulator->state.cut = (struct serin_flash_fault){
        .kind = kinds[cut], .operation = emulator->state.figures.operations + nth - 1u};
}

void serin_flash_emulator_rot(struct serin_flash_emulator *emulator, uint32_t address, uint8_t mask)
{
    struct serin_flash_fault fault = {.kind = SERIN_FLASH_FAULT_ROT, .at = address, .mask = mask};
    SERIN_ASSERT(emulator_inside(emulator, address, 1));
    bool done = emulator_rot_cell(emulator, &fault);
    SERIN_ASSERT(done); /* a fault that does not happen would prove nothing */
}

void serin_flash_emulator_break(struct serin_flash_emulator *emulator, uint32_t address,
                                uint32_t size, enum serin_breakage how)
{
    struct emulator_state *state = &emulator->state;
    SERIN_ASSERT(emulator_inside(emulator, address, size));
    if (size == 0) {
        state->broken_count = 0;
        return;
    }
    SERIN_ASSERT(state->broken_count < SERIN_FLASH_EMULATOR_BROKEN);
    state->broken[state->broken_count++] =
        (struct broken_part){.region = {.address = address, .size = size}, .how = how};
}

void serin_flash_emulator_figures(const struct serin_flash_emulator *emulator,
                                  struct serin_flash_figures *figures)
{
    const struct emulator_state *state = &emulator->state;
    *figures = state->figures;
    figures->armed = state->armed_count + (state->cut.kind != SERIN_FLASH_FAULT_NONE);
}
