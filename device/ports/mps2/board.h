/*
 * The port of bootloader and image to mps2-an385: what both share. README.md says which file does
 * what; memory.h has the map.
 */
#ifndef MPS2_BOARD_H
#define MPS2_BOARD_H

#include "identity.h"
#include "layout.h"
#include "memory.h"

#include <serin/device/agent.h>
#include <serin/device/boot.h>

/* The first time-out is the NMI, whose handler resets; the second resets by itself. */
#define BOARD_WATCHDOG_MS 8000u
#define BOARD_BOOTLOADER  1u /* version of the bootloader; manifests may ask for one */

/* ---- flash.c ---- */

/* Serin's part of the flash. */
extern const struct serin_flash board_flash;
/* The application's own part beside it: credentials (credentials.h), and a count of boots. */
extern const struct serin_flash board_application_flash;

/* ---- identity.c ---- */

/* What is burnt in: who the device is, and whom it trusts in the end. Read once, into RAM, before
 * anything looks at it. SERIN_ERR_NOT_FOUND: no identity, a board that comes from the line. */
extern struct serin_identity board_identity;
extern uint8_t board_identity_page[BOARD_IDENTITY_SIZE];
#define BOARD_ROOT_KEY (board_identity_page + BOARD_IDENTITY_ROOT)
SERIN_MUST_USE enum serin_error board_identity_read(void);

/* ---- note.c ---- */

/* Why the image resets the board: kept in no-init RAM for the bootloader. */
enum board_farewell { BOARD_FAREWELL_REQUESTED = 1, BOARD_FAREWELL_CRASHED = 2 };

/* Why the board was reset. The bootloader asks once; a reset while it runs is UNKNOWN from then on.
 */
enum serin_reset_cause board_reset_cause(void);
/* Resets, and tells the next boot why. */
_Noreturn void board_farewell(enum board_farewell why);

/* What the bootloader hands over to the agent. False: the image was not started by it. A reset that
 * comes without a farewell after a hand-over is the watchdog's. */
void board_hand_over(const struct serin_agent_boot_info *info);
SERIN_MUST_USE bool board_take_over(struct serin_agent_boot_info *info);

#endif
