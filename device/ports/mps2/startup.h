/* What both programs' vector tables share. */
#ifndef MPS2_STARTUP_H
#define MPS2_STARTUP_H

#include <stdint.h>

typedef void (*board_vector)(void);

/* In the section `.vectors`, which the linker script puts first. */
#define BOARD_VECTORS __attribute__((section(".vectors"), used))

extern uint32_t board_stack_top[]; /* of the linker script */

/* The first instruction of either program. */
_Noreturn void board_reset_handler(void);

int main(void);

#endif
