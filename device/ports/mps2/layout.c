/* Where Serin's regions lie (board.h): also the factory's, on a host. */
#include "layout.h"

/* As `flash-layout 3145728 4096 4` prints it. Constants: what the factory wrote stays where it is,
 * whatever a later version of Serin would choose. */
const struct serin_layout board_layout = {
    .boot_log = {.address = 0x00000000, .size = 0x2000},
    .trust = {.address = 0x00002000, .size = 0x2000},
    .agent_log = {.address = 0x00004000, .size = 0x2000},
    .scratch = {.address = 0x00006000, .size = 0x3000},
    .slot = {{.address = 0x00009000, .size = 0x17B000}, {.address = 0x00184000, .size = 0x17B000}},
};
