/*
 * The board's network: lwIP above the LAN9118, with an address by DHCP. All of lwIP runs from
 * board_network_poll and from the calls of the streams (serin/ports/tcp_stream.h), in one loop.
 */
#ifndef MPS2_NETWORK_H
#define MPS2_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

/* Starts controller and lwIP. Randomness must be there (random.h). False: there is no controller.
 */
bool board_network_start(void);

/* Takes in what came, and runs lwIP's timers. To be called in each turn of the loop. */
void board_network_poll(void);

/* Sleeps until the next interrupt: SysTick's, a millisecond at the most. For turns of the loop in
 * which nothing happened. */
void board_network_wait(void);

/* Whether there are link and address. */
bool board_network_up(void);

#endif
