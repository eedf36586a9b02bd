/*
 * What lwIP asks of compiler and board, for GCC and Clang on little-endian microcontrollers. Its
 * own defaults do the rest (lwip/arch.h).
 */
#ifndef SERIN_LWIP_ARCH_CC_H
#define SERIN_LWIP_ARCH_CC_H

#include <stdint.h>

/* Random numbers for ports, sequence numbers and transaction ids: the board's, and other ones after
 * each reset. With those of the boot before, a server takes a new connection for the old one, and
 * 18 s pass. */
uint32_t board_random(void);
#define LWIP_RAND() board_random()

/* Nobody reads a console: what lwIP would print is left out. */
#define LWIP_NO_STDIO_H              1
#define LWIP_PLATFORM_DIAG(message)  ((void)0)
#define LWIP_PLATFORM_ASSERT(reason) __builtin_trap()

#endif
