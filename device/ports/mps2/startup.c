/* From the reset to main: data copied from where it was loaded, zeros, no C library's start-up. */
#include "startup.h"

/* Of the linker script. */
extern uint32_t board_data_from[], board_data_begin[], board_data_end[], board_bss_begin[],
    board_bss_end[];

void board_reset_handler(void)
{
#ifndef BOARD_BOOTLOADER_PROGRAM /* which has none, as its linker script proves */
    const uint32_t *from = board_data_from;
    for (uint32_t *to = board_data_begin; to != board_data_end;) {
        *to++ = *from++;
    }
#endif
    for (uint32_t *to = board_bss_begin; to != board_bss_end;) {
        *to++ = 0;
    }
    main();
    for (;;) {
    }
}
