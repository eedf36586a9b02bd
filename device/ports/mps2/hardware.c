/* The silicon (hardware.h). */
#include "hardware.h"

/* What stands at an address of a register. */
#define REGISTER(address) (*(volatile uint32_t *)(address))

#define UART_DATA       REGISTER(0x40004000)
#define UART_STATE      REGISTER(0x40004004)
#define UART_CONTROL    REGISTER(0x40004008)
#define UART_DIVIDER    REGISTER(0x40004010)
#define UART_FULL       1u
#define UART_TRANSMIT   1u
#define UART_DIVIDER_OF 217u /* 115200 baud */

#define WATCHDOG_LOAD      REGISTER(0x40008000)
#define WATCHDOG_CONTROL   REGISTER(0x40008008)
#define WATCHDOG_CLEAR     REGISTER(0x4000800c)
#define WATCHDOG_LOCK      REGISTER(0x40008c00)
#define WATCHDOG_UNLOCKED  0x1acce551u
#define WATCHDOG_INTERRUPT 1u
#define WATCHDOG_RESET     2u

#define SYSTICK_CONTROL REGISTER(0xe000e010)
#define SYSTICK_RELOAD  REGISTER(0xe000e014)
#define SYSTICK_VALUE   REGISTER(0xe000e018)
#define SYSTICK_RUN     7u /* on, with its interrupt, by the processor's clock */

#define VECTOR_TABLE  REGISTER(0xe000ed08)
#define RESET_CONTROL REGISTER(0xe000ed0c)
#define RESET_REQUEST 0x05fa0004u

/* ---- UART ---- */

void hw_uart_init(void)
{
    UART_DIVIDER = UART_DIVIDER_OF;
    UART_CONTROL = UART_TRANSMIT;
}

static void put(char c)
{
    while ((UART_STATE & UART_FULL) != 0) {
    }
    UART_DATA = (uint8_t)c;
}

void hw_print(const char *text)
{
    while (*text != '\0') {
        put(*text++);
    }
}

void hw_print_hex(uint32_t value)
{
    for (unsigned digits = 8; digits > 0; digits--, value <<= 4) {
        uint32_t digit = value >> 28;
        put((char)(digit + (digit < 10 ? (uint32_t)'0' : (uint32_t)'a' - 10u)));
    }
}

/* ---- watchdog ---- */

void hw_watchdog_start(uint32_t period_ms)
{
    WATCHDOG_LOCK = WATCHDOG_UNLOCKED;
    WATCHDOG_LOAD = period_ms * (HW_CLOCK_HZ / 1000u);
    WATCHDOG_CONTROL = WATCHDOG_INTERRUPT | WATCHDOG_RESET;
    WATCHDOG_LOCK = 0;
}

void hw_watchdog_feed(void)
{
    WATCHDOG_LOCK = WATCHDOG_UNLOCKED;
    WATCHDOG_CLEAR = 1; /* loads the counter anew, and takes back the NMI */
    WATCHDOG_LOCK = 0;
}

/* ---- time ---- */

static volatile uint32_t uptime_ms;

void hw_systick_handler(void);
void hw_systick_handler(void)
{
    uptime_ms++;
}

void hw_time_start(void)
{
    SYSTICK_RELOAD = HW_CLOCK_HZ / 1000u - 1u;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = SYSTICK_RUN;
}

uint32_t hw_time_ms(void)
{
    return uptime_ms;
}

/* ---- processor ---- */

void hw_reset(void)
{
    __asm__ volatile("dsb" ::: "memory");
    RESET_CONTROL = RESET_REQUEST;
    for (;;) {
        __asm__ volatile("dsb");
    }
}

void hw_run(uint32_t address)
{
    const volatile uint32_t *vectors = (const volatile uint32_t *)address;
    uint32_t stack = vectors[0], entry = vectors[1];
    VECTOR_TABLE = address;
    __asm__ volatile("dsb\n\t"
                     "isb\n\t"
                     "msr msp, %0\n\t"
                     "bx %1" ::"r"(stack),
                     "r"(entry)
                     : "memory");
    __builtin_unreachable();
}
