/* The smallest image: says where it runs, and feeds nothing, so that the watchdog ends it. For the
 * tests of the bootloader. */
#include "board.h"
#include "hardware.h"

#include "startup.h"

int main(void)
{
    struct serin_agent_boot_info info;
    hw_uart_init();
    if (!board_take_over(&info)) {
        board_farewell(BOARD_FAREWELL_CRASHED);
    }
    hw_print(info.slot == SERIN_SLOT_A ? "hello from A" : "hello from B");
    hw_print(info.trial ? ", on trial, cause " : ", cause ");
    hw_print_hex((uint32_t)info.cause);
    hw_print("\n");
    for (;;) {
        __asm__ volatile("wfi");
    }
}
