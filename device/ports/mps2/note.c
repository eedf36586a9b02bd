/*
 * Why the board was reset, and what passes from one program to the next: a note in RAM that no
 * start-up code touches. The board's register of causes reads 0, so the note is all there is: noise
 * in its place means that the power was off.
 */
#include "board.h"

#include "hardware.h"

#include <serin/crc32.h>

#include <string.h>

/* Bootloader and image are built apart, so it is bytes that they agree on: what runs or why it does
 * not any more, slot, trial, cause, and the complement of their CRC-32, as noise and zeros are
 * none. */
#define NOTE_SIZE 8u
_Static_assert(NOTE_SIZE <= BOARD_NOTE_SIZE, "the note has room");

/* In the place of a farewell. */
#define RUNNING 0u
#define BOOTING 3u

static void leave(uint8_t what, const struct serin_agent_boot_info *info)
{
    uint8_t *note = (uint8_t *)BOARD_NOTE_ADDRESS;
    note[0] = what;
    note[1] = (uint8_t)info->slot;
    note[2] = info->trial ? 1u : 0u;
    note[3] = (uint8_t)info->cause;
    serin_put_le32(note + 4, ~serin_crc32(0, note, 4));
}

static bool take(uint8_t note[NOTE_SIZE])
{
    memcpy(note, (const void *)BOARD_NOTE_ADDRESS, NOTE_SIZE);
    return serin_get_le32(note + 4) == (uint32_t)~serin_crc32(0, note, 4);
}

void board_hand_over(const struct serin_agent_boot_info *info)
{
    leave(RUNNING, info);
}

bool board_take_over(struct serin_agent_boot_info *info)
{
    uint8_t note[NOTE_SIZE];
    bool taken = take(note) && note[0] == RUNNING;
    info->slot = note[1] == SERIN_SLOT_B ? SERIN_SLOT_B : SERIN_SLOT_A;
    info->trial = note[2] != 0;
    info->cause = (enum serin_reset_cause)note[3];
    return taken;
}

static const struct serin_agent_boot_info nothing = {.slot = SERIN_SLOT_NONE};

void board_farewell(enum board_farewell why)
{
    leave((uint8_t)why, &nothing);
    hw_reset();
}

enum serin_reset_cause board_reset_cause(void)
{
    static const uint8_t causes[] = {[RUNNING] = SERIN_RESET_WATCHDOG,
                                     [BOARD_FAREWELL_REQUESTED] = SERIN_RESET_REQUESTED,
                                     [BOARD_FAREWELL_CRASHED] = SERIN_RESET_CRASH,
                                     [BOOTING] = SERIN_RESET_UNKNOWN};
    uint8_t note[NOTE_SIZE];
    uint8_t cause = take(note) && note[0] < sizeof causes ? causes[note[0]] : SERIN_RESET_POWER;
    leave(BOOTING, &nothing);
    return (enum serin_reset_cause)cause;
}
