/* Why the board was reset, and what passes from one program to the next: notes in no-init RAM. */
#include "board.h"

#include <serin/crc32.h>

#include <string.h>

/* Bootloader and application are built apart, so it is bytes that they agree on: farewell, slot,
 * trial, cause, and the complement of their CRC-32, as noise and zeros are none. Read once. */
#define NOTE_SIZE 8u

static void leave(struct board *board, uint8_t farewell, const struct serin_agent_boot_info *info)
{
    uint8_t *note = board->hw.retained;
    note[0] = farewell;
    note[1] = (uint8_t)info->slot;
    note[2] = info->trial ? 1u : 0u;
    note[3] = (uint8_t)info->cause;
    serin_put_le32(note + 4, ~serin_crc32(0, note, 4));
}

static bool take(struct board *board, uint8_t note[NOTE_SIZE])
{
    memcpy(note, board->hw.retained, NOTE_SIZE);
    memset(board->hw.retained, 0, NOTE_SIZE);
    return serin_get_le32(note + 4) == (uint32_t)~serin_crc32(0, note, 4);
}

void board_hand_over(struct board *board, const struct serin_agent_boot_info *info)
{
    leave(board, 0, info);
}

bool board_take_over(struct board *board, struct serin_agent_boot_info *info)
{
    uint8_t note[NOTE_SIZE];
    bool taken = take(board, note) && note[0] == 0;
    info->slot = note[1] == SERIN_SLOT_B ? SERIN_SLOT_B : SERIN_SLOT_A;
    info->trial = note[2] != 0;
    info->cause = (enum serin_reset_cause)note[3];
    return taken;
}

void board_farewell(struct board *board, enum board_farewell why)
{
    const struct serin_agent_boot_info nothing = {.slot = SERIN_SLOT_NONE};
    leave(board, (uint8_t)why, &nothing);
    hw_reset(&board->hw, HW_RESET_SOFTWARE);
}

enum serin_reset_cause board_reset_cause(struct board *board)
{
    uint8_t note[NOTE_SIZE];
    uint8_t farewell = take(board, note) ? note[0] : 0;
    uint32_t flags = board->hw.reset_register;
    board->hw.reset_register = 0;
    if ((flags & HW_RESET_POWER) != 0) {
        return SERIN_RESET_POWER; /* first: what else is set is from before */
    }
    if ((flags & HW_RESET_WATCHDOG) != 0) {
        return SERIN_RESET_WATCHDOG;
    }
    if (farewell == BOARD_FAREWELL_CRASHED) {
        return SERIN_RESET_CRASH; /* the fault handler left it */
    }
    /* REQUESTED promises that no operation on the flash was under way: only the agent's own word
     * is good enough for that. */
    return farewell == BOARD_FAREWELL_REQUESTED ? SERIN_RESET_REQUESTED : SERIN_RESET_UNKNOWN;
}
