/* The vector table of an image. */
#include "board.h"
#include "hardware.h"
#include "startup.h"

#define INTERRUPTS 32

void hw_systick_handler(void);

/* Faults, and interrupts that nobody has asked for: told to the next boot. */
static void crashed(void)
{
    board_farewell(BOARD_FAREWELL_CRASHED);
}

/* The watchdog's first time-out: the note says that the image ran, which is what tells the next
 * boot of a watchdog. */
static void hung(void)
{
    hw_reset();
}

/* Of a driver that has one; 0: that interrupt is never enabled. */
__attribute__((weak)) void board_ethernet_handler(void);

BOARD_VECTORS static const struct {
    uint32_t *stack;
    board_vector reset, nmi, faults[4], reserved[4], calls[4], systick, interrupts[INTERRUPTS];
} vectors = {board_stack_top,
             board_reset_handler,
             hung,
             {crashed, crashed, crashed, crashed},
             {0},
             {crashed, crashed, crashed, crashed},
             hw_systick_handler,
             {[13] = board_ethernet_handler}};
