/*
 * The silicon of mps2-an385 (Arm MPS2, FPGA image AN385; Cortex-M3 at 25 MHz) as QEMU models it:
 * UART 0, the CMSDK watchdog, SysTick, and what resets. The map is Arm's application note AN385;
 * registers are those of the Cortex-M System Design Kit, Technical Reference Manual (DDI 0479).
 */
#ifndef MPS2_HARDWARE_H
#define MPS2_HARDWARE_H

#include <stdint.h>

#define HW_CLOCK_HZ 25000000u

/* ---- UART 0: what the board says ---- */

void hw_uart_init(void);
/* Waits for room, so that nothing is lost. */
void hw_print(const char *text);
/* Eight hexadecimal digits. */
void hw_print_hex(uint32_t value);

/* ---- the watchdog ---- */

/* Starts it: after `period_ms` without a feed it raises the NMI, after another one it resets. It
 * counts with interrupts off as well. Its registers are locked from then on, but for the feed. */
void hw_watchdog_start(uint32_t period_ms);
void hw_watchdog_feed(void);

/* ---- time ---- */

/* Milliseconds since hw_time_start, by SysTick: 49 days, then from 0 again. */
void hw_time_start(void);
uint32_t hw_time_ms(void);

/* ---- the processor ---- */

__attribute__((noinline)) _Noreturn void hw_reset(void);

/* Hands the processor to the image whose vector table lies at `address`: VTOR and the stack pointer
 * are set. For a bootloader that has enabled no interrupt: to the image it is as after a reset. */
_Noreturn void hw_run(uint32_t address);

#endif
